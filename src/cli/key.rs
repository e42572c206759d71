//! The command `key`.

use crate::api_keys::service::NewKey;
use crate::api_keys::{AgentScope, ApiKey, KeyName, Permissions, Status};
use crate::api_keys::{KeyListQuery, KeyOrder};
use crate::base::actor::Actor;
use crate::base::id::ApiKeyId;
use crate::base::time::Timestamp;
use crate::cli::lookup::agent;
use crate::cli::lookup::workspace;
use crate::cli::output;
use crate::server::state::Services;
use crate::usage::service::PeriodTotals;
use clap::Subcommand;
use serde_json::{Value, json};

/// `key …`
#[derive(Subcommand)]
pub enum KeyCommand {
    /// Create a key and print its value once
    Create {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: String,
        /// Name
        #[arg(long)]
        name: String,
        /// `all`, or ids or slugs of agents, separated by commas
        #[arg(long)]
        agents: String,
        /// Any of conversations, handoff, external-events, agents, separated by commas
        #[arg(long)]
        permissions: String,
        /// How long the key is valid: 30s, 12h, 90d, 1y
        #[arg(long, default_value = "90d", value_parser = parse_duration)]
        expires_in: i64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List a workspace's keys, newest first
    List {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one key without its value, and its requests today and in the last 7 and 30 days
    Show {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: String,
        /// The key's id
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Delete a key; running servers refuse it within a second
    Delete {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: String,
        /// The key's id
        id: String,
    },
}

impl KeyCommand {
    pub async fn run(self, services: &Services) -> Result<(), String> {
        match self {
            Self::Create { workspace: of, name, agents, permissions, expires_in, json } => {
                let of = workspace(services, &of).await?;
                let scope = match agents.as_str() {
                    "all" => AgentScope::All,
                    list => {
                        let mut chosen = Vec::new();
                        for one in list.split(',') {
                            chosen.push(agent(services, &of, one.trim()).await?.id);
                        }
                        chosen.sort_unstable();
                        chosen.dedup();
                        AgentScope::Chosen(chosen)
                    }
                };
                let new = NewKey {
                    name: KeyName::parse(&name).map_err(|p| p.message().to_owned())?,
                    scope,
                    permissions: Permissions::parse(permissions.split(',').map(str::trim)).map_err(|_| {
                        format!(
                            "`{permissions}` are not permissions; there are conversations, handoff, external-events, agents"
                        )
                    })?,
                    expires_at: services.now().plus_seconds(expires_in),
                };
                let made = services.api_keys.create(&of.id, &Actor::command_line(), &new).await;
                let made = made.map_err(|e| e.to_string())?;
                let key = find(services, &of.id, &made.id).await?;
                let mut printed = describe(&key, services.now());
                printed["key"] = json!(made.value.expose());
                output::one(json, &printed);
            }
            Self::List { workspace: of, json } => {
                let of = workspace(services, &of).await?;
                let mut rows = Vec::new();
                let mut query = KeyListQuery { sort: KeyOrder::Newest, ..KeyListQuery::default() };
                loop {
                    let page = services.api_keys.page(&of.id, &query).await.map_err(|e| e.to_string())?;
                    rows.extend(page.keys.iter().map(|key| describe(key, page.now)));
                    match page.next {
                        Some(next) => query.after = Some(next),
                        None => break,
                    }
                }
                output::many(
                    json,
                    &["id", "name", "masked", "permissions", "expires_at", "last_used_at", "status"],
                    &rows,
                );
            }
            Self::Show { workspace: of, id, json } => {
                let of = workspace(services, &of).await?;
                let key = find(services, &of.id, &parse_id(&id)?).await?;
                let mut printed = describe(&key, services.now());
                let totals = services.reports.totals(&of.id, &key.id).await.map_err(|e| e.to_string())?;
                printed["requests"] = describe_totals(&totals);
                output::one(json, &printed);
            }
            Self::Delete { workspace: of, id } => {
                let of = workspace(services, &of).await?;
                let id = parse_id(&id)?;
                find(services, &of.id, &id).await?;
                let deleted = services.api_keys.delete(&of.id, &Actor::command_line(), &id).await;
                let key = deleted.map_err(|e| e.to_string())?;
                eprintln!("Deleted {} ({}).", key.name.as_str(), key.id);
            }
        }
        Ok(())
    }
}

fn parse_id(text: &str) -> Result<ApiKeyId, String> {
    ApiKeyId::parse(text).ok_or_else(|| format!("`{text}` is not a key's id; `key list` shows those there are"))
}

async fn find(services: &Services, workspace: &crate::base::id::WorkspaceId, id: &ApiKeyId) -> Result<ApiKey, String> {
    let found = services.api_keys.find(workspace, id).await.map_err(|e| e.to_string())?;
    found.ok_or_else(|| format!("there is no key `{id}` in this workspace; `key list` shows those there are"))
}

fn describe(key: &ApiKey, now: Timestamp) -> Value {
    let status = match Status::of(key.expires_at, now) {
        Status::Active => "active",
        Status::ExpiresSoon => "expires-soon",
        Status::Expired => "expired",
    };
    json!({
        "id": key.id,
        "name": key.name,
        "masked": key.masked,
        "agents": key.agents.as_ref().map_or_else(|| json!("all"), |agents| json!(agents.iter().map(|a| &a.id).collect::<Vec<_>>())),
        "permissions": key.permissions,
        "created_at": key.created_at.iso(),
        "created_by": key.created_by,
        "expires_at": key.expires_at.iso(),
        "last_used_at": key.last_used_at.map(Timestamp::iso),
        "status": status,
        "copyable": key.copyable,
    })
}

fn describe_totals(totals: &PeriodTotals) -> Value {
    let within = totals.within.map(|(days, accepted, refused)| {
        let time = if days == 1 { "today".to_owned() } else { format!("{days}_days") };
        (time, json!({ "accepted": accepted, "refused": refused }))
    });
    let reasons: serde_json::Map<_, _> = totals.refused.iter().map(|(o, n)| (o.id().to_owned(), json!(n))).collect();
    within.into_iter().chain([("refused_for".to_owned(), reasons.into())]).collect::<serde_json::Map<_, _>>().into()
}

/// Seconds of a duration such as `30s`, `12h`, `90d`, `1y`; a year has 365.25 days.
fn parse_duration(text: &str) -> Result<i64, String> {
    let seconds = humantime::parse_duration(text).ok().and_then(|duration| i64::try_from(duration.as_secs()).ok());
    seconds.filter(|seconds| *seconds > 0).ok_or_else(|| "give a number and a unit: 30s, 12h, 90d, 1y".to_owned())
}

#[cfg(test)]
mod tests {
    use super::parse_duration;

    #[test]
    fn durations() {
        for (text, seconds) in
            [("30s", 30), ("1.5h", 5_400), ("12h", 43_200), ("90d", 7_776_000), ("2w", 1_209_600), ("1y", 31_557_600)]
        {
            assert_eq!(parse_duration(text), Ok(seconds));
        }
        for wrong in ["", "d", "0d", "-1d", "90", "9223372036854775807y", "é"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
