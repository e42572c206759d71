//! Commands about many keys: changing them at once, what may be unsafe, and what members ask for.

use crate::api_keys::review::Concern;
use crate::api_keys::service::bulk::{BulkAction, Selection};
use crate::api_keys::{AgentScope, Disuse, KeyFilter, KeyState};
use crate::base::actor::Actor;
use crate::base::id::ApiKeyId;
use crate::base::time::Timestamp;
use crate::cli::lookup::workspace;
use crate::cli::output;
use crate::server::state::Services;
use clap::Subcommand;
use serde_json::json;

/// Keys of one concern that `review` names.
const REVIEWED: i64 = 1_000;

/// `key …`, about many keys.
#[derive(Subcommand)]
pub enum ManyKeysCommand {
    /// Change many keys at once; prints the id of the change, with which it can be undone for 7 days
    Change {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: String,
        /// pause, resume, delete, add-tags, remove-tags, set-owner or remove-unused (permissions)
        #[arg(long)]
        action: String,
        /// Tags separated by commas, an owner, or the reason of a pause
        #[arg(long, default_value = "")]
        text: String,
        /// Every key with this status: active, expiring, expired, paused or rotating
        #[arg(long, value_parser = parse_state)]
        status: Option<KeyState>,
        /// Every key with this tag; `none` for keys without tags
        #[arg(long, default_value = "")]
        tag: String,
        /// Every key of this owner; `none` for keys without an owner
        #[arg(long, default_value = "")]
        owner: String,
        /// Every key that was not used for this many days, or `never`
        #[arg(long, value_parser = parse_disuse)]
        idle: Option<Disuse>,
        /// Ids of the keys, in place of a filter
        #[arg(conflicts_with_all = ["status", "tag", "owner", "idle"])]
        ids: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Undo a change of many keys, where they were not changed since
    Undo {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: String,
        /// The id that `key change` printed
        change: String,
    },
    /// List what may be unsafe about keys
    Review {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List the keys that members ask for
    Requests {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Create a key that a member asks for, and print its value once
    Approve {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: String,
        /// The request's id
        request: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Decline a request
    Decline {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: String,
        /// The request's id
        request: String,
    },
}

impl ManyKeysCommand {
    pub async fn run(self, services: &Services) -> Result<(), String> {
        let actor = Actor::command_line();
        match self {
            Self::Change { workspace: of, action, text, status, tag, owner, idle, ids, json } => {
                let of = workspace(services, &of).await?;
                let known = BulkAction::parse(&action, &text);
                let action = known.ok_or_else(|| format!("`{action}` is no action; `key change --help` lists them"))?;
                let filter = KeyFilter { state: status, tag, owner, disuse: idle, ..KeyFilter::default() };
                let selection = match (ids.is_empty(), filter.is_empty()) {
                    (true, true) => return Err("name keys by their ids or by a filter".to_owned()),
                    (true, false) => {
                        let seen = services.api_keys.count_filtered(&of.id, &filter).await;
                        let seen = seen.map_err(|e| e.to_string())?;
                        Selection::Matching { search: String::new(), filter, seen }
                    }
                    (false, _) => Selection::Ids(ids.iter().map(|id| parse_id(id)).collect::<Result<_, _>>()?),
                };
                let done = services.api_keys.change_many(&of.id, &actor, &selection, &action).await;
                let done = done.map_err(|e| e.to_string())?;
                output::one(json, &json!({ "change": done.id, "keys": done.keys }));
            }
            Self::Undo { workspace: of, change } => {
                let of = workspace(services, &of).await?;
                let undone = services.api_keys.undo_many(&of.id, &actor, &change).await;
                let keys = undone.map_err(|_| format!("there is no change `{change}` that can be undone"))?;
                eprintln!("Changed {keys} keys back.");
            }
            Self::Review { workspace: of, json } => {
                let of = workspace(services, &of).await?;
                let mut rows = Vec::new();
                for concern in Concern::ALL {
                    let review = services.api_keys.review(&of.id, concern, REVIEWED).await;
                    let review = review.map_err(|e| e.to_string())?;
                    rows.extend(review.keys.iter().map(|key| {
                        let last_used_at = Some(key.last_used_at).filter(|at| at.0 > 0).map(Timestamp::iso);
                        json!({
                            "concern": concern.id(), "id": key.id, "name": key.name, "owner": key.owner,
                            "expires_at": key.expires_at.iso(), "last_used_at": last_used_at,
                        })
                    }));
                }
                output::many(json, &["concern", "id", "name", "owner", "expires_at", "last_used_at"], &rows);
            }
            Self::Requests { workspace: of, json } => {
                let of = workspace(services, &of).await?;
                let requests = services.key_requests.list(&of.id).await.map_err(|e| e.to_string())?;
                let rows = requests.iter().map(|request| {
                    let asked = &request.asked;
                    let agents = match &asked.scope {
                        AgentScope::All => json!("all"),
                        AgentScope::Chosen(agents) => json!(agents),
                    };
                    json!({
                        "id": request.id, "requested_at": request.at.iso(), "requested_by": request.by,
                        "name": asked.name, "agents": agents, "permissions": asked.permissions,
                        "expires_at": asked.expires_at.iso(), "networks": asked.networks, "reason": asked.reason,
                    })
                });
                let columns = ["id", "requested_by", "name", "agents", "permissions", "expires_at", "reason"];
                output::many(json, &columns, &rows.collect::<Vec<_>>());
            }
            Self::Approve { workspace: of, request, json } => {
                let of = workspace(services, &of).await?;
                let id = parse_id(&request)?;
                let made = services.key_requests.approve(&of.id, &actor, &id, None).await.map_err(|e| e.to_string())?;
                output::one(json, &json!({ "id": made.id, "key": made.value.expose() }));
            }
            Self::Decline { workspace: of, request } => {
                let of = workspace(services, &of).await?;
                let id = parse_id(&request)?;
                services.key_requests.decline(&of.id, &actor, &id).await.map_err(|e| e.to_string())?;
                eprintln!("Declined {id}.");
            }
        }
        Ok(())
    }
}

fn parse_id(text: &str) -> Result<ApiKeyId, String> {
    ApiKeyId::parse(text).ok_or_else(|| format!("`{text}` is not an id"))
}

/// Reads a status of keys, `deleted` too.
pub fn parse_state(text: &str) -> Result<KeyState, String> {
    let known = KeyState::ALL.map(|(_, id, _)| id).join(", ");
    KeyState::parse(text).ok_or_else(|| format!("there are {known}"))
}

/// Reads `never` or a number of days, with or without the unit.
fn parse_disuse(text: &str) -> Result<Disuse, String> {
    let days = text.strip_suffix('d').unwrap_or(text);
    Disuse::parse(days).ok_or_else(|| "give days, such as 90d, or never".to_owned())
}
