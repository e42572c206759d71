//! The command `runtime-token`.

use crate::base::actor::Actor;
use crate::base::id::RuntimeTokenId;
use crate::cli::lookup::workspace;
use crate::cli::output;
use crate::runtime_tokens::service::RuntimeTokenError;
use crate::server::state::Services;
use clap::Subcommand;
use serde_json::json;

/// `runtime-token …`
#[derive(Subcommand)]
pub enum RuntimeTokenCommand {
    /// Create a token and print its value once
    Create {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: String,
        /// Name, for example the token's purpose
        #[arg(long)]
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List tokens without their values
    List {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token; the next call with it is refused
    Revoke {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: String,
        /// The token's id
        id: String,
    },
}

impl RuntimeTokenCommand {
    pub async fn run(self, services: &Services) -> Result<(), String> {
        let actor = Actor::command_line();
        match self {
            Self::Create { workspace: of, name, json } => {
                let of = workspace(services, &of).await?;
                let (made, token) =
                    services.runtime_tokens.create(&of.id, &actor, &name).await.map_err(|e| e.to_string())?;
                output::one(json, &json!({ "id": made.id, "name": made.name, "token": token.expose() }));
            }
            Self::List { workspace: of, json } => {
                let of = workspace(services, &of).await?;
                let all = services.runtime_tokens.list(&of.id).await.map_err(|e| e.to_string())?;
                let rows = all
                    .iter()
                    .map(|token| json!({ "id": token.id, "name": token.name, "created_at": token.created_at.iso() }));
                output::many(json, &["id", "name", "created_at"], &rows.collect::<Vec<_>>());
            }
            Self::Revoke { workspace: of, id } => {
                let of = workspace(services, &of).await?;
                let found = match RuntimeTokenId::parse(&id) {
                    Some(id) => services.runtime_tokens.revoke(&of.id, &actor, &id).await,
                    None => Err(RuntimeTokenError::NotFound),
                };
                found.map_err(|error| match error {
                    RuntimeTokenError::NotFound => {
                        format!("there is no runtime token `{id}`; `runtime-token list` shows those there are")
                    }
                    other => other.to_string(),
                })?;
                eprintln!("Revoked. The token is refused from now on.");
            }
        }
        Ok(())
    }
}
