//! The command `workspace set-policy`.

use crate::base::actor::Actor;
use crate::cli::lookup::workspace;
use crate::cli::output;
use crate::server::state::Services;
use crate::workspaces::KeyPolicy;
use clap::{ArgAction, Args};
use serde_json::json;

/// Most keys that `--dry-run` names.
const NAMED: i64 = 1_000;

/// What a workspace demands of its keys. What is not given stays.
#[derive(Args)]
pub struct PolicyArgs {
    /// The workspace's id or slug
    #[arg(long)]
    workspace: String,
    /// For how many days a deleted key or agent can be restored, 0 to 90; with 0 deletions are for good
    #[arg(long)]
    undo_days: Option<i32>,
    /// Lifetime that the form for a new key proposes, in whole days: 90d, or none
    #[arg(long, value_parser = parse_lifetime)]
    default_lifetime: Option<Lifetime>,
    /// Longest lifetime of a key's value, in whole days: 365d, or none
    #[arg(long, value_parser = parse_lifetime)]
    max_lifetime: Option<Lifetime>,
    /// Whether the longest lifetime also binds keys that exist
    #[arg(long, num_args = 0..=1, default_missing_value = "true", action = ArgAction::Set)]
    bind_existing: Option<bool>,
    /// Whether new keys may cover all agents
    #[arg(long, num_args = 0..=1, default_missing_value = "true", action = ArgAction::Set)]
    allow_all_agents: Option<bool>,
    /// Whether keys need an owner
    #[arg(long, num_args = 0..=1, default_missing_value = "true", action = ArgAction::Set)]
    require_owner: Option<bool>,
    /// Whether keys need networks
    #[arg(long, num_args = 0..=1, default_missing_value = "true", action = ArgAction::Set)]
    require_networks: Option<bool>,
    /// Whether viewers may ask for keys, which an admin approves
    #[arg(long, num_args = 0..=1, default_missing_value = "true", action = ArgAction::Set)]
    viewers_may_ask: Option<bool>,
    /// Whether keys are shown only once; `true` destroys the stored values for good
    #[arg(long, num_args = 0..=1, default_missing_value = "true", action = ArgAction::Set)]
    show_once: Option<bool>,
    /// Change nothing; list the keys that would expire earlier
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A lifetime in days; `None` for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lifetime(Option<i32>);

impl PolicyArgs {
    fn over(&self, before: KeyPolicy) -> Result<KeyPolicy, String> {
        let policy = KeyPolicy {
            default_lifetime_days: self.default_lifetime.map_or(before.default_lifetime_days, |Lifetime(days)| days),
            max_lifetime_days: self.max_lifetime.map_or(before.max_lifetime_days, |Lifetime(days)| days),
            binds_existing: self.bind_existing.unwrap_or(before.binds_existing),
            all_agents_allowed: self.allow_all_agents.unwrap_or(before.all_agents_allowed),
            owner_required: self.require_owner.unwrap_or(before.owner_required),
            networks_required: self.require_networks.unwrap_or(before.networks_required),
            members_may_request: self.viewers_may_ask.unwrap_or(before.members_may_request),
        };
        policy.checked().map_err(|problem| problem.message().into_owned())
    }

    pub async fn run(self, services: &Services) -> Result<(), String> {
        let of = workspace(services, &self.workspace).await?;
        let (keys, actor) = (&services.api_keys, Actor::command_line());
        let before = keys.policy(&of.id).await.map_err(|e| e.to_string())?;
        let seen = before.version();
        let policy = self.over(before)?;
        if self.dry_run {
            let days = policy.max_lifetime_days.unwrap_or(KeyPolicy::MAX_DAYS);
            let hit = keys.beyond_lifetime(&of.id, days, NAMED).await.map_err(|e| e.to_string())?;
            let rows = hit.1.iter().map(|key| {
                let (expires_at, would_expire_at) = (key.expires_at.iso(), key.bound.iso());
                json!({
                    "id": key.id, "name": key.name, "owner": key.owner, "expires_at": expires_at,
                    "would_expire_at": would_expire_at,
                })
            });
            let columns = ["id", "name", "owner", "expires_at", "would_expire_at"];
            output::many(self.json, &columns, &rows.collect::<Vec<_>>());
            return Ok(());
        }
        if let Some(days) = self.undo_days {
            services.workspaces.set_undo_days(&of.id, &actor, days).await.map_err(|e| e.to_string())?;
        }
        if let Some(once) = self.show_once {
            keys.set_copyable(&of.id, &actor, !once).await.map_err(|e| e.to_string())?;
        }
        let changed =
            keys.set_policy(&of.id, &actor, policy.clone(), true, Some(&seen)).await.map_err(|e| e.to_string())?;
        let after = workspace(services, &self.workspace).await?;
        let days = |days: Option<i32>| days.map(|days| format!("{days}d"));
        let printed = json!({
            "undo_days": after.undo_days,
            "default_lifetime": days(policy.default_lifetime_days),
            "max_lifetime": days(policy.max_lifetime_days),
            "bind_existing": policy.binds_existing,
            "allow_all_agents": policy.all_agents_allowed,
            "require_owner": policy.owner_required,
            "require_networks": policy.networks_required,
            "viewers_may_ask": policy.members_may_request,
            "show_once": !after.keys_copyable,
            "expiries_changed": changed,
        });
        output::one(self.json, &printed);
        Ok(())
    }
}

/// Reads `none` or whole days: `90d`, `1y`.
fn parse_lifetime(text: &str) -> Result<Lifetime, String> {
    if text == "none" {
        return Ok(Lifetime(None));
    }
    let days = humantime::parse_duration(text).ok().map(|duration| duration.as_secs() / 86_400);
    let days = days.and_then(|days| i32::try_from(days).ok()).filter(|days| (1..=KeyPolicy::MAX_DAYS).contains(days));
    days.map(|days| Lifetime(Some(days))).ok_or_else(|| "give whole days, such as 90d, or none".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes() {
        assert_eq!(parse_lifetime("none"), Ok(Lifetime(None)));
        assert_eq!(parse_lifetime("90d"), Ok(Lifetime(Some(90))));
        assert_eq!(parse_lifetime("1y"), Ok(Lifetime(Some(365))));
        for wrong in ["", "0d", "12h", "-1d", "90"] {
            assert!(parse_lifetime(wrong).is_err(), "{wrong}");
        }
    }
}
