//! The command `key`.

use crate::api_keys::service::{ApiKeyError, NewKey, Rotation};
use crate::api_keys::{
    AgentScope, ApiKey, DeletedKey, KeyListQuery, KeyName, KeyOrder, KeySettings, KeyState, Permissions, Rate, Status,
    TypedSettings,
};
use crate::base::actor::Actor;
use crate::base::error::Problem;
use crate::base::id::{ApiKeyId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::cli::lookup::agent;
use crate::cli::lookup::workspace;
use crate::cli::many_keys::{ManyKeysCommand, parse_state};
use crate::cli::output;
use crate::server::state::Services;
use crate::usage::service::PeriodTotals;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::io::Read as _;
use zeroize::Zeroizing;

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
        #[command(flatten)]
        settings: SettingsArgs,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Set a key's name, permissions, owner, note, tags, networks and limits; what is not given stays
    Edit {
        #[command(flatten)]
        key: OneKey,
        /// Name
        #[arg(long)]
        name: Option<String>,
        /// Any of conversations, handoff, external-events, agents, separated by commas
        #[arg(long)]
        permissions: Option<String>,
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// Find a key by its value, read from standard input; exits with 1 if there is none
    Find {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: String,
        /// Read the value from standard input
        #[arg(long, required = true)]
        value_stdin: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List a workspace's keys, newest first
    List {
        /// The workspace's id or slug
        #[arg(long)]
        workspace: String,
        /// Only keys with this status: active, expiring, expired, paused, rotating or deleted
        #[arg(long, value_parser = parse_state)]
        status: Option<KeyState>,
        /// Only keys with this tag
        #[arg(long)]
        tag: Option<String>,
        /// Only keys that were not used for this long, or never: 90d
        #[arg(long, value_parser = parse_duration)]
        idle: Option<i64>,
        /// Only keys that expire within this time: 30d. Exits with 1 if there are any
        #[arg(long, value_parser = parse_duration)]
        expiring: Option<i64>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one key without its value, and its requests today and in the last 7 and 30 days
    Show {
        #[command(flatten)]
        key: OneKey,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a key a new value, which is printed once; the old one works until the overlap ends
    Rotate {
        #[command(flatten)]
        key: OneKey,
        /// How long the old value still works: 1h, 7d; 0s ends it at once
        #[arg(long, value_parser = parse_overlap)]
        overlap: i64,
        /// How long the new value is valid: 30s, 12h, 90d, 1y
        #[arg(long, default_value = "90d", value_parser = parse_duration)]
        expires_in: i64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// End the old value of a key that is being rotated; running servers refuse it within a second
    EndOld {
        #[command(flatten)]
        key: OneKey,
    },
    /// Undo a rotation: the key has its old value again, and the new one is refused
    CancelRotation {
        #[command(flatten)]
        key: OneKey,
    },
    /// Refuse a key until it is resumed
    Pause {
        #[command(flatten)]
        key: OneKey,
        /// Why; shown to the members of the workspace
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Accept a paused key again
    Resume {
        #[command(flatten)]
        key: OneKey,
    },
    /// Delete a key; running servers refuse it within a second
    Delete {
        #[command(flatten)]
        key: OneKey,
    },
    /// Restore a deleted key with its values; `key list --status deleted` shows those there are
    Restore {
        #[command(flatten)]
        key: OneKey,
    },
    #[command(flatten)]
    Many(ManyKeysCommand),
}

/// Owner, note, tags, networks and limits.
#[derive(Args)]
pub struct SettingsArgs {
    /// A member's e-mail address, a team or a company
    #[arg(long)]
    owner: Option<String>,
    /// What the key is for
    #[arg(long)]
    note: Option<String>,
    /// A tag; can be repeated
    #[arg(long)]
    tag: Option<Vec<String>>,
    /// A network from which the key may be used, such as 203.0.113.0/24; can be repeated
    #[arg(long)]
    network: Option<Vec<String>>,
    /// Most calls per second or minute: 10/s, 600/min
    #[arg(long)]
    rate: Option<String>,
    /// Calls that may come at once
    #[arg(long)]
    burst: Option<String>,
    /// Most calls per month (UTC)
    #[arg(long)]
    quota: Option<String>,
}

impl SettingsArgs {
    /// The settings, where what was not given is as `before`.
    fn over(self, before: &KeySettings) -> Result<KeySettings, String> {
        let number = |number: Option<u64>| number.map(|n| n.to_string());
        // A new rate comes with its own burst.
        let kept_burst = || number(before.rate.map(|rate| rate.burst.into())).filter(|_| self.rate.is_none());
        let burst = self.burst.clone().or_else(kept_burst).unwrap_or_default();
        let rate = self.rate.clone().or_else(|| before.rate.map(Rate::typed)).unwrap_or_default();
        let typed = TypedSettings {
            owner: self.owner.as_ref().unwrap_or(&before.owner),
            note: self.note.as_ref().unwrap_or(&before.note),
            tags: &self.tag.as_ref().unwrap_or(&before.tags).join(","),
            networks: &self.network.as_ref().unwrap_or(&before.networks).join(","),
            rate: &rate,
            burst: &burst,
            quota: &self.quota.clone().or_else(|| number(before.quota)).unwrap_or_default(),
        };
        let words = |problems: Vec<Problem>| problems.iter().map(|p| p.message()).collect::<Vec<_>>().join(" ");
        KeySettings::parse(&typed).map_err(words)
    }
}

/// Names one key.
#[derive(Args)]
pub struct OneKey {
    /// The workspace's id or slug
    #[arg(long)]
    workspace: String,
    /// The key's id
    id: String,
}

impl OneKey {
    async fn find(&self, services: &Services) -> Result<(WorkspaceId, ApiKeyId), String> {
        let of = workspace(services, &self.workspace).await?;
        let id = parse_id(&self.id)?;
        find(services, &of.id, &id).await?;
        Ok((of.id, id))
    }
}

impl KeyCommand {
    pub async fn run(self, services: &Services) -> Result<(), String> {
        match self {
            Self::Create { workspace: of, name, agents, permissions, expires_in, settings, json } => {
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
                    name: KeyName::parse(&name).map_err(|p| p.message().into_owned())?,
                    scope,
                    permissions: parse_permissions(&permissions)?,
                    expires_at: services.now().plus_seconds(expires_in),
                    settings: settings.over(&KeySettings::default())?,
                };
                let made = services.api_keys.create(&of.id, &Actor::command_line(), &new).await;
                let made = made.map_err(|e| e.to_string())?;
                let key = find(services, &of.id, &made.id).await?;
                let mut printed = describe(&key, services.now());
                printed["key"] = json!(made.value.expose());
                output::one(json, &printed);
            }
            Self::Edit { key, name, permissions, settings } => {
                let (workspace, id) = key.find(services).await?;
                let before = find(services, &workspace, &id).await?;
                let (settings, seen) = (settings.over(&before.settings)?, before.settings.version());
                let actor = Actor::command_line();
                if name.is_some() || permissions.is_some() {
                    let name = name.map(|name| KeyName::parse(&name)).transpose();
                    let name = name.map_err(|p| p.message().into_owned())?.unwrap_or(before.name);
                    let permissions = permissions.map(|ids| parse_permissions(&ids)).transpose()?;
                    let permissions = permissions.unwrap_or(before.permissions);
                    let edited = services.api_keys.edit(&workspace, &actor, &id, &name, &permissions).await;
                    edited.map_err(|e| e.to_string())?;
                }
                let set = services.api_keys.set(&workspace, &actor, &id, &settings, Some(&seen)).await;
                set.map_err(|e| e.to_string())?;
                eprintln!("Saved {id}.");
            }
            Self::Find { workspace: of, value_stdin: _, json } => {
                let of = workspace(services, &of).await?;
                let mut value = Zeroizing::new(String::new());
                std::io::stdin().take(1_000).read_to_string(&mut value).map_err(|e| e.to_string())?;
                let found = services.api_keys.find_by_value(&of.id, &value).await.map_err(|e| e.to_string())?;
                let id = found.ok_or("no key of this workspace has this value")?;
                match services.api_keys.find(&of.id, &id).await.map_err(|e| e.to_string())? {
                    Some(key) => output::one(json, &describe(&key, services.now())),
                    None => output::one(json, &json!({ "id": id, "status": "deleted" })),
                }
            }
            Self::List { workspace: of, status: Some(KeyState::Deleted), json, .. } => {
                let of = workspace(services, &of).await?;
                let deleted = services.api_keys.deleted(&of.id, of.undo_days).await.map_err(|e| e.to_string())?;
                let rows: Vec<_> = deleted.iter().map(describe_deleted).collect();
                output::many(json, &["id", "name", "masked", "deleted_at", "deleted_by", "status"], &rows);
            }
            Self::List { workspace: of, status, tag, idle, expiring, json } => {
                let of = workspace(services, &of).await?;
                let now = services.now();
                let mut keys = every_key(services, &of.id).await?;
                let unused = |key: &ApiKey, seconds: i64| {
                    key.last_used_at.unwrap_or(key.created_at) <= now.plus_seconds(-seconds)
                };
                let expires =
                    |key: &ApiKey, seconds: i64| now < key.expires_at && key.expires_at <= now.plus_seconds(seconds);
                keys.retain(|key| {
                    status.is_none_or(|status| status.fits(key, now))
                        && tag.as_ref().is_none_or(|tag| key.settings.tags.contains(tag))
                        && idle.is_none_or(|seconds| unused(key, seconds))
                        && expiring.is_none_or(|seconds| expires(key, seconds))
                });
                let rows: Vec<_> = keys.iter().map(|key| describe(key, now)).collect();
                let columns = ["id", "name", "masked", "permissions", "expires_at", "last_used_at", "status"];
                output::many(json, &columns, &rows);
                if expiring.is_some() && !rows.is_empty() {
                    return Err(format!("{} keys expire within this time", rows.len()));
                }
            }
            Self::Show { key, json } => {
                let (workspace, id) = key.find(services).await?;
                let key = find(services, &workspace, &id).await?;
                let mut printed = describe(&key, services.now());
                let totals = services.reports.totals(&workspace, &id).await.map_err(|e| e.to_string())?;
                printed["requests"] = describe_totals(&totals);
                output::one(json, &printed);
            }
            Self::Rotate { key, overlap, expires_in, json } => {
                let (workspace, id) = key.find(services).await?;
                let now = services.now();
                let (overlap_end, expires_at) = (now.plus_seconds(overlap), now.plus_seconds(expires_in));
                let rotation = Rotation { overlap_end, expires_at };
                let rotated = services.api_keys.rotate(&workspace, &Actor::command_line(), &id, rotation).await;
                let rotated = rotated.map_err(|e| e.to_string())?;
                let printed = json!({
                    "id": id,
                    "key": rotated.value.expose(),
                    "expires_at": rotated.expires_at.iso(),
                    "old_value_until": rotated.old_until.iso(),
                });
                output::one(json, &printed);
            }
            Self::EndOld { key } => {
                let (workspace, id) = key.find(services).await?;
                let ended = services.api_keys.end_old_value(&workspace, &Actor::command_line(), &id).await;
                ended.map_err(|e| e.to_string())?;
                eprintln!("Ended the old value of {id}.");
            }
            Self::CancelRotation { key } => {
                let (workspace, id) = key.find(services).await?;
                let cancelled = services.api_keys.cancel_rotation(&workspace, &Actor::command_line(), &id).await;
                cancelled.map_err(|e| e.to_string())?;
                eprintln!("Cancelled the rotation of {id}. Its old value is its value again.");
            }
            Self::Pause { key, reason } => {
                let (workspace, id) = key.find(services).await?;
                let paused = services.api_keys.pause(&workspace, &Actor::command_line(), &id, &reason).await;
                paused.map_err(|e| e.to_string())?;
                eprintln!("Paused {id}. It is refused until it is resumed.");
            }
            Self::Resume { key } => {
                let (workspace, id) = key.find(services).await?;
                let resumed = services.api_keys.resume(&workspace, &Actor::command_line(), &id).await;
                resumed.map_err(|e| e.to_string())?;
                eprintln!("Resumed {id}.");
            }
            Self::Delete { key } => {
                let (workspace, id) = key.find(services).await?;
                let deleted = services.api_keys.delete(&workspace, &Actor::command_line(), &id).await;
                let key = deleted.map_err(|e| e.to_string())?;
                eprintln!("Deleted {} ({}).", key.name.as_str(), key.id);
            }
            Self::Restore { key } => {
                let of = workspace(services, &key.workspace).await?;
                let id = parse_id(&key.id)?;
                let restored = services.api_keys.restore(&of.id, &Actor::command_line(), &id).await;
                restored.map_err(|e| match e {
                    ApiKeyError::NotFound => format!(
                        "there is no deleted key `{id}` in this workspace; `key list --status deleted` shows those there are"
                    ),
                    other => other.to_string(),
                })?;
                eprintln!("Restored {id}.");
            }
            Self::Many(command) => command.run(services).await?,
        }
        Ok(())
    }
}

/// Every key of a workspace, newest first.
async fn every_key(services: &Services, workspace: &WorkspaceId) -> Result<Vec<ApiKey>, String> {
    let mut keys = Vec::new();
    let mut query = KeyListQuery { sort: KeyOrder::Newest, ..KeyListQuery::default() };
    loop {
        let page = services.api_keys.page(workspace, &query).await.map_err(|e| e.to_string())?;
        keys.extend(page.keys);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(keys),
        }
    }
}

fn parse_permissions(ids: &str) -> Result<Permissions, String> {
    Permissions::parse(ids.split(',').map(str::trim))
        .map_err(|_| format!("`{ids}` are not permissions; there are conversations, handoff, external-events, agents"))
}

fn parse_id(text: &str) -> Result<ApiKeyId, String> {
    ApiKeyId::parse(text).ok_or_else(|| format!("`{text}` is not a key's id; `key list` shows those there are"))
}

async fn find(services: &Services, workspace: &WorkspaceId, id: &ApiKeyId) -> Result<ApiKey, String> {
    let found = services.api_keys.find(workspace, id).await.map_err(|e| e.to_string())?;
    found.ok_or_else(|| format!("there is no key `{id}` in this workspace; `key list` shows those there are"))
}

fn describe(key: &ApiKey, now: Timestamp) -> Value {
    let status = match Status::of(key.expires_at, now) {
        Status::Expired => "expired",
        _ if key.pause.is_some() => "paused",
        Status::Active => "active",
        Status::ExpiresSoon => "expires-soon",
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
        "last_address": key.last_client.as_ref().map(|client| &client.address),
        "last_program": key.last_client.as_ref().map(|client| &client.program),
        "status": status,
        "copyable": key.copyable,
        "pause_reason": key.pause.as_ref().map(|pause| &pause.reason),
        "value_created_at": key.value_created_at.iso(),
        "old_value_until": key.open_old_value(now).map(|old| old.until.iso()),
        "owner": key.settings.owner,
        "note": key.settings.note,
        "tags": key.settings.tags,
        "networks": key.settings.networks,
        "rate": key.settings.rate.map(Rate::typed),
        "burst": key.settings.rate.map(|rate| rate.burst),
        "quota": key.settings.quota,
    })
}

fn describe_deleted(key: &DeletedKey) -> Value {
    json!({
        "id": key.id,
        "name": key.name,
        "masked": key.masked,
        "deleted_at": key.deleted_at.iso(),
        "deleted_by": key.deleted_by,
        "last_used_at": Some(key.last_used_at).filter(|at| at.0 > 0).map(Timestamp::iso),
        "status": "deleted",
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

/// Like [`parse_duration`], with 0 for no overlap.
fn parse_overlap(text: &str) -> Result<i64, String> {
    if matches!(text, "0" | "0s") { Ok(0) } else { parse_duration(text) }
}

#[cfg(test)]
mod tests {
    use super::{parse_duration, parse_overlap};

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
        assert_eq!(
            (parse_overlap("0s"), parse_overlap("7d"), parse_overlap("-1d").is_err()),
            (Ok(0), Ok(604_800), true)
        );
    }
}
