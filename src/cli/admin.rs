//! The commands `workspace`, `agent` and `user`.

use crate::base::actor::Actor;
use crate::base::id::{AgentId, UserId};
use crate::cli::lookup::{agent, workspace};
use crate::cli::output;
use crate::cli::policy::PolicyArgs;
use crate::server::state::Services;
use crate::users::password::Password;
use crate::users::{Email, Role};
use crate::workspaces::{self, RetentionDays};
use clap::Subcommand;
use serde_json::{Value, json};
use std::io::{BufRead as _, IsTerminal as _};

/// `workspace …`
#[derive(Subcommand)]
pub enum WorkspaceCommand {
    /// Create a workspace
    Create {
        /// Name
        #[arg(long)]
        name: String,
        /// Short name in addresses; made from the name if missing
        #[arg(long)]
        slug: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List workspaces
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a workspace another name; its addresses stay
    Rename {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: String,
        /// New name
        #[arg(long)]
        name: String,
    },
    /// Set rules for a workspace's keys
    SetPolicy(PolicyArgs),
    /// Set how long a workspace keeps conversations; the server deletes older ones within ten minutes
    SetRetention {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: String,
        /// Delete conversations that began more than this many days ago
        #[arg(long, conflicts_with = "forever", required_unless_present = "forever", value_parser = clap::value_parser!(i32).range(1..))]
        days: Option<i32>,
        /// Keep conversations until they are deleted
        #[arg(long)]
        forever: bool,
    },
}

impl WorkspaceCommand {
    pub async fn run(self, services: &Services) -> Result<(), String> {
        match self {
            Self::Create { name, slug, json } => {
                let actor = Actor::command_line();
                let made = services.workspaces.create(&actor, &name, slug.as_deref()).await;
                let made = made.map_err(|e| e.to_string())?;
                output::one(json, &json!({ "id": made.id, "slug": made.slug, "name": made.name }));
            }
            Self::List { json } => {
                let all = services.workspaces.list().await.map_err(|e| e.to_string())?;
                let rows = all
                    .iter()
                    .map(|w| json!({ "id": w.id, "slug": w.slug, "name": w.name, "retention_days": w.retention_days }));
                output::many(json, &["id", "slug", "name", "retention_days"], &rows.collect::<Vec<_>>());
            }
            Self::Rename { workspace: of, name } => {
                let of = workspace(services, &of).await?;
                let renamed = services.workspaces.rename(&of.id, &Actor::command_line(), &name).await;
                renamed.map_err(|e| e.to_string())?;
            }
            Self::SetPolicy(policy) => policy.run(services).await?,
            Self::SetRetention { workspace: of, days, forever: _ } => {
                let of = workspace(services, &of).await?;
                let days = RetentionDays::parse(&days.map(|days| days.to_string()).unwrap_or_default())
                    .map_err(|p| p.message().into_owned())?;
                let actor = Actor::command_line();
                let set = services.workspaces.set_retention(&of.id, &actor, days).await;
                set.map_err(|e| e.to_string())?;
                eprintln!("{}", workspaces::retention_in_words(days.map(RetentionDays::get)));
            }
        }
        Ok(())
    }
}

/// `agent …`
#[derive(Subcommand)]
pub enum AgentCommand {
    /// Create an agent
    Create {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: String,
        /// Name
        #[arg(long)]
        name: String,
        /// Short name in addresses; made from the name if missing
        #[arg(long)]
        slug: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List a workspace's agents
    List {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: String,
        /// List those that were deleted and can be restored
        #[arg(long)]
        deleted: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Delete an agent with its conversations; it can be restored as long as the workspace's policy says
    Delete {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: String,
        /// The agent's id or slug
        agent: String,
    },
    /// Restore a deleted agent with its conversations
    Restore {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: String,
        /// The agent's id
        agent: String,
    },
}

impl AgentCommand {
    pub async fn run(self, services: &Services) -> Result<(), String> {
        match self {
            Self::Create { workspace: of, name, slug, json } => {
                let of = workspace(services, &of).await?;
                let actor = Actor::command_line();
                let made = services.agents.create(&of.id, &actor, &name, slug.as_deref()).await;
                let (agent, slug) = made.map_err(|e| e.to_string())?;
                output::one(json, &json!({ "id": agent.id, "slug": slug, "name": agent.name }));
            }
            Self::List { workspace: of, deleted: false, json } => {
                let of = workspace(services, &of).await?;
                let all = services.agents.list(&of.id).await.map_err(|e| e.to_string())?;
                let rows = all.iter().map(|a| {
                    let created_at = a.created_at.iso();
                    json!({ "id": a.id, "slug": a.slug, "name": a.name, "created_at": created_at, "conversations": a.conversations })
                });
                output::many(json, &["id", "slug", "name", "conversations"], &rows.collect::<Vec<_>>());
            }
            Self::List { workspace: of, deleted: true, json } => {
                let of = workspace(services, &of).await?;
                let deleted = services.agents.deleted(&of.id, of.undo_days).await.map_err(|e| e.to_string())?;
                let rows = deleted.iter().map(|a| {
                    json!({ "id": a.id, "name": a.name, "deleted_at": a.deleted_at.iso(), "deleted_by": a.deleted_by })
                });
                output::many(json, &["id", "name", "deleted_at", "deleted_by"], &rows.collect::<Vec<_>>());
            }
            Self::Delete { workspace: of, agent: id } => {
                let of = workspace(services, &of).await?;
                let found = agent(services, &of, &id).await?;
                let deleted = services.agents.delete(&of.id, &Actor::command_line(), &found).await;
                deleted.map_err(|e| e.to_string())?;
                eprintln!("Deleted {} ({}).", found.name, found.id);
            }
            Self::Restore { workspace: of, agent: id } => {
                let of = workspace(services, &of).await?;
                let parsed = AgentId::parse(&id).ok_or_else(|| format!("`{id}` is not an agent's id"))?;
                let restored = services.agents.restore(&of.id, &Actor::command_line(), &parsed).await;
                restored.map_err(|_| {
                    format!("there is no deleted agent `{id}` that can be restored; `agent list --deleted` shows those there are")
                })?;
                eprintln!("Restored {id}.");
            }
        }
        Ok(())
    }
}

/// `user …`
#[derive(Subcommand)]
pub enum UserCommand {
    /// Add a user to a workspace; creates the account if there is none with this e-mail address
    Create {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: String,
        /// The user's e-mail address
        #[arg(long)]
        email: String,
        /// admin or viewer
        #[arg(long)]
        role: String,
        /// Read the new account's password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List users, of a workspace or of all
    List {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Change a user's role in a workspace
    SetRole {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: String,
        /// The user's e-mail address
        #[arg(long)]
        email: String,
        /// admin or viewer
        #[arg(long)]
        role: String,
    },
    /// Remove a user from a workspace; the account stays
    Remove {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: String,
        /// The user's e-mail address
        #[arg(long)]
        email: String,
    },
    /// Set a user's password and end all of their sessions
    SetPassword {
        /// The user's e-mail address
        #[arg(long)]
        email: String,
        /// Read the password from the first line of standard input
        #[arg(long, required = true)]
        password_stdin: bool,
    },
}

/// Reads a password from standard input. It is never an argument, because other users of the machine can see arguments.
fn read_password() -> Result<Password, String> {
    let stdin = std::io::stdin();
    let failed = |error: std::io::Error| format!("the password could not be read: {error}");
    let mut line = String::new();
    match stdin.is_terminal() {
        true => line = rpassword::prompt_password("Password: ").map_err(failed)?,
        false => drop(stdin.lock().read_line(&mut line).map_err(failed)?),
    }
    Password::parse(line.trim_end_matches(['\r', '\n']).to_owned()).map_err(|p| p.message().into_owned())
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| format!("`{text}` is not a role; there are admin and viewer"))
}

fn email(text: &str) -> Result<Email, String> {
    Email::parse(text).map_err(|problem| problem.message().into_owned())
}

/// The user with this e-mail address.
async fn user(services: &Services, email: &Email) -> Result<UserId, String> {
    let found = services.users.find(email).await.map_err(|e| e.to_string())?;
    found.ok_or_else(|| format!("there is no user `{}`", email.as_str()))
}

impl UserCommand {
    pub async fn run(self, services: &Services) -> Result<(), String> {
        match self {
            Self::Create { workspace: of, email: address, role: named, password_stdin, json } => {
                let of = workspace(services, &of).await?;
                let (email, role, actor) = (email(&address)?, role(&named)?, Actor::command_line());
                let id = match services.users.find(&email).await.map_err(|e| e.to_string())? {
                    Some(id) => {
                        let added = services.users.add_member(&of.id, &actor, &id, role).await;
                        added.map_err(|e| e.to_string())?;
                        eprintln!("{} has an account and signs in with its password.", email.as_str());
                        id
                    }
                    None if password_stdin => {
                        let made = services.users.create(&of.id, &actor, &email, role, read_password()?).await;
                        made.map_err(|e| e.to_string())?
                    }
                    None => return Err("a new account needs a password: add --password-stdin".to_owned()),
                };
                output::one(json, &json!({ "id": id, "email": email, "role": role }));
            }
            Self::List { workspace: of, json } => {
                let rows: Vec<Value> = match of {
                    Some(of) => {
                        let of = workspace(services, &of).await?;
                        let all = services.users.members(&of.id).await.map_err(|e| e.to_string())?;
                        all.iter().map(|m| json!({ "id": m.id, "email": m.email, "role": m.role })).collect()
                    }
                    None => {
                        let all = services.users.list_all().await.map_err(|e| e.to_string())?;
                        all.iter().map(|u| json!({ "id": u.id, "email": u.email })).collect()
                    }
                };
                output::many(json, &["id", "email", "role"], &rows);
            }
            Self::SetRole { workspace: of, email: address, role: named } => {
                let of = workspace(services, &of).await?;
                let (user, role) = (user(services, &email(&address)?).await?, role(&named)?);
                let set = services.users.set_role(&of.id, &Actor::command_line(), &user, role).await;
                set.map_err(|e| e.to_string())?;
            }
            Self::Remove { workspace: of, email: address } => {
                let of = workspace(services, &of).await?;
                let user = user(services, &email(&address)?).await?;
                let removed = services.users.remove(&of.id, &Actor::command_line(), &user).await;
                removed.map_err(|e| e.to_string())?;
            }
            Self::SetPassword { email: address, password_stdin: _ } => {
                let email = email(&address)?;
                let user = user(services, &email).await?;
                let set = services.users.set_password(&Actor::command_line(), &user, read_password()?).await;
                set.map_err(|e| e.to_string())?;
                eprintln!("Password set; {} is signed out everywhere.", email.as_str());
            }
        }
        Ok(())
    }
}
