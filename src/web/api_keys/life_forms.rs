//! Describes the forms for a key's life. Each says what it would change for those who use the key.

use crate::api_keys::{ApiKey, Expiry, KeySettings, Overlap, Pause, Rate};
use crate::base::error::{Error, Problem};
use crate::base::id::ApiKeyId;
use crate::base::text::days_in_words;
use crate::usage::service::RecentUse;
use crate::web::api_keys::filter_forms;
use crate::web::components::described_form::{FieldDescription, FormDescription};
use crate::web::guard::{self, SignedInMember};
use crate::web::usage::recent_use::in_words;
use crate::workspaces::{KeyPolicy, Workspace};
use std::net::IpAddr;

/// Most addresses that a form offers, or that a change of networks is compared with.
const MAX_ADDRESSES: i64 = 20;

/// An admin of this workspace, and one of its keys.
pub async fn key_of(workspace: &str, key: &str) -> Result<(SignedInMember, ApiKey), Error> {
    let admin = guard::admin(workspace).await?;
    let key = found(&admin, key).await?;
    Ok((admin, key))
}

async fn found(admin: &SignedInMember, key: &str) -> Result<ApiKey, Error> {
    let id = ApiKeyId::parse(key).ok_or_else(guard::not_found)?;
    let found = admin.services().api_keys.find(&admin.workspace().id, &id).await?;
    found.ok_or_else(guard::not_found)
}

/// Leads to the key's page, which says what was done.
pub fn done(admin: &SignedInMember, key: &ApiKey, notice: &str) -> Result<(), Error> {
    leptos_axum::redirect(&format!("/{}/api-keys/{}?notice={notice}", admin.workspace().slug, key.id));
    Ok(())
}

/// Describes the form for an action on a key.
pub async fn describe(admin: &SignedInMember, key: &str, action: &str) -> Result<FormDescription, Error> {
    let workspace = admin.workspace();
    match action {
        "undo-days" => return Ok(undo_days(workspace)),
        "rules" => return Ok(rules(&admin.services().api_keys.policy(&workspace.id).await?)),
        "filters" => return filter_forms::describe(admin, key).await,
        _ => {}
    }
    let key = found(admin, key).await?;
    let now = admin.services().now();
    let recent = async || admin.services().reports.recent_use(&workspace.id, &key.id).await;
    match (action, key.open_old_value(now)) {
        ("delete", _) => Ok(deletion(&key, workspace, &in_words(&recent().await?, "Its calls"))),
        ("rotate", None) => Ok(rotation(&key, &admin.services().api_keys.policy(&workspace.id).await?)),
        ("pause", _) => Ok(pause(&key, &in_words(&recent().await?, "Its calls"))),
        ("resume", _) => Ok(resume(&key)),
        ("settings", _) => {
            let here = crate::web::guard::address().await;
            let seen = admin.services().reports.addresses(&workspace.id, &key.id, MAX_ADDRESSES).await?;
            Ok(settings(&key.settings, &seen, here))
        }
        ("end-old-value", Some(_)) => {
            let used =
                admin.services().reports.recent_use_of_old_value(&workspace.id, &key.id, key.value_created_at).await?;
            Ok(end_old_value(&used))
        }
        ("cancel-rotation", Some(_)) => Ok(cancel_rotation(&key)),
        ("rotate", Some(_)) => Err(Error::RotationUnderWay),
        ("end-old-value" | "cancel-rotation", None) => Err(Error::NoOldValue),
        _ => Err(guard::not_found()),
    }
}

fn deletion(key: &ApiKey, workspace: &Workspace, recent: &str) -> FormDescription {
    let name = key.name.as_str();
    let (undo, fields) = match workspace.undo_days {
        0 => {
            let typed = FieldDescription::line("name", "Name of the key", "").hint(&format!("Type {name} to confirm."));
            ("This cannot be undone.".to_owned(), vec![typed])
        }
        days => (format!("You can restore it for {} under Recently deleted.", days_in_words(days)), Vec::new()),
    };
    let explanation = format!("“{name}” is refused at once. {undo}\n{recent}");
    FormDescription { explanation, fields, submit: "Delete key".to_owned(), cancel: "Keep key".to_owned() }
}

fn rotation(key: &ApiKey, policy: &KeyPolicy) -> FormDescription {
    let options = |choices: &[(&str, &str)]| -> Vec<(String, String)> {
        choices.iter().map(|(value, label)| ((*value).to_owned(), (*label).to_owned())).collect()
    };
    let overlaps: Vec<_> = Overlap::CHOICES.iter().map(|(value, label, _)| (*value, *label)).collect();
    let (expiries, expiry) = expiries(policy);
    let dated = |mut choices: Vec<(String, String)>| {
        choices.push(("date".to_owned(), "On a date".to_owned()));
        choices
    };
    let explanation = format!(
        "“{}” gets a new value, which is shown once on the next page. Name, agents, permissions and history stay.",
        key.name.as_str()
    );
    let fields = vec![
        FieldDescription::choice("overlap", "The old value works", dated(options(&overlaps)), Overlap::DEFAULT)
            .hint("Long enough to replace it everywhere. You can end it earlier."),
        FieldDescription::date("overlap_date", "Until the end of this day (UTC)").hint("Only for “On a date”."),
        FieldDescription::choice("expiry", "The new value expires in", dated(expiries), &expiry),
        FieldDescription::date("expiry_date", "At the end of this day (UTC)").hint("Only for “On a date”."),
        FieldDescription::hidden("seen", &key.masked),
    ];
    FormDescription { explanation, fields, submit: "Rotate".to_owned(), ..Default::default() }
}

fn end_old_value(used: &RecentUse) -> FormDescription {
    let warning = match used.calls_today > 0 {
        true => "It was used in the last 24 hours: whoever still has it is refused at once. ",
        false => "It was not used in the last 24 hours. ",
    };
    let explanation =
        format!("{warning}The new value is not affected.\n{}", in_words(used, "Calls with the old value"));
    FormDescription { explanation, fields: Vec::new(), submit: "End old value".to_owned(), ..Default::default() }
}

fn cancel_rotation(key: &ApiKey) -> FormDescription {
    let explanation = format!(
        "The new value ({}) is refused at once, wherever it is in use. The key has its old value and its old expiry again.",
        key.masked
    );
    FormDescription { explanation, fields: Vec::new(), submit: "Cancel rotation".to_owned(), ..Default::default() }
}

fn pause(key: &ApiKey, recent: &str) -> FormDescription {
    let explanation = format!("“{}” is refused until an admin resumes it.\n{recent}", key.name.as_str());
    let reason = key.pause.as_ref().map_or("", |pause| &pause.reason);
    let hint = format!("Optional, at most {} characters. Every member of the workspace sees it.", Pause::MAX_REASON);
    let fields = vec![FieldDescription::line("reason", "Reason", reason).hint(&hint)];
    FormDescription { explanation, fields, submit: "Pause key".to_owned(), ..Default::default() }
}

fn resume(key: &ApiKey) -> FormDescription {
    let explanation = format!("“{}” is accepted again.", key.name.as_str());
    FormDescription { explanation, fields: Vec::new(), submit: "Resume key".to_owned(), ..Default::default() }
}

/// The choices for an expiry that a policy leaves, with their labels, and the one that is preselected.
pub fn expiries(policy: &KeyPolicy) -> (Vec<(String, String)>, String) {
    let longest = policy.max_lifetime_days.map_or(i64::MAX, i64::from);
    let default = policy.default_lifetime_days.or(policy.max_lifetime_days.filter(|days| *days < Expiry::DEFAULT_DAYS));
    let mut choices: Vec<(i64, String, String)> = Expiry::CHOICES
        .into_iter()
        .filter(|(.., days)| *days <= longest)
        .map(|(value, label, days)| (days, value.to_owned(), label.to_owned()))
        .collect();
    for days in [default, policy.max_lifetime_days].into_iter().flatten() {
        if !choices.iter().any(|(known, ..)| *known == i64::from(days)) {
            choices.push((days.into(), format!("{days}d"), days_in_words(days)));
        }
    }
    choices.sort_unstable();
    let preselected = match default {
        Some(days) => choices.iter().find(|(known, ..)| *known == i64::from(days)).map(|(_, value, _)| value.clone()),
        None => None,
    };
    let preselected = preselected.unwrap_or_else(|| Expiry::DEFAULT.to_owned());
    (choices.into_iter().map(|(_, value, label)| (value, label)).collect(), preselected)
}

/// An error if calls of the last 30 days came from addresses that these networks do not have.
pub async fn cuts_nobody_off(admin: &SignedInMember, key: &ApiKey, settings: &KeySettings) -> Result<(), Error> {
    let seen = admin.services().reports.addresses(&admin.workspace().id, &key.id, MAX_ADDRESSES).await?;
    let mut outside =
        seen.iter().filter_map(|(address, _)| address.parse().ok()).filter(|at| !settings.opens_from(*at));
    match outside.next() {
        None => Ok(()),
        Some(first) => {
            let others = u32::try_from(outside.count()).unwrap_or(u32::MAX);
            Err(Problem::CallersCutOff { first, others }.into())
        }
    }
}

fn settings(set: &KeySettings, seen: &[(String, i64)], here: Option<IpAddr>) -> FormDescription {
    let mut fields = settings_fields(set, here);
    let outside = |address: &str| address.parse().is_ok_and(|at| set.networks.is_empty() || !set.opens_from(at));
    let addable = seen.iter().filter(|(address, _)| outside(address));
    let addable: Vec<_> = addable
        .map(|(address, calls)| {
            (
                address.clone(),
                format!("{address} ({})", if *calls == 1 { "1 call".to_owned() } else { format!("{calls} calls") }),
            )
        })
        .collect();
    let hint = match seen.is_empty() {
        true => "No address is known from its calls in 30 days.",
        false => "Ticked ones are added to the networks above.",
    };
    let place = fields.iter().position(|field| field.name == "settings[networks]").map_or(fields.len(), |at| at + 1);
    let added =
        FieldDescription::choices("settings[seen][]", "Addresses of its calls in 30 days", addable, "").hint(hint);
    let confirmed =
        FieldDescription::checkbox("cut_off", "Also if this cuts off an address that called in 30 days", false);
    fields.splice(place..place, [added].into_iter().chain((!seen.is_empty()).then_some(confirmed)));
    fields.push(FieldDescription::hidden("seen", &set.version()));
    FormDescription { fields, submit: "Save".to_owned(), ..Default::default() }
}

/// The fields for a key's settings.
pub fn settings_fields(set: &KeySettings, here: Option<IpAddr>) -> Vec<FieldDescription> {
    let here = here.map(|address| format!(" Your own address is {address}.")).unwrap_or_default();
    let networks = format!(
        "Up to 50, such as 203.0.113.0/24 or 2001:db8::/32. Empty: from everywhere. Other addresses are refused.{here}"
    );
    let number = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
    let (rate, burst) = (set.rate.map(Rate::typed).unwrap_or_default(), number(set.rate.map(|rate| rate.burst.into())));
    vec![
        FieldDescription::line("settings[owner]", "Owner", &set.owner)
            .hint("A member's e-mail address, a team or a company."),
        FieldDescription::lines("settings[note]", "Note", &set.note).hint("What the key is for, and where it is kept."),
        FieldDescription::line("settings[tags]", "Tags", &set.tags.join(", ")).hint("Separated by commas."),
        FieldDescription::lines("settings[networks]", "Networks", &set.networks.join("\n")).hint(&networks),
        FieldDescription::line("settings[rate]", "Most calls per second or minute", &rate)
            .hint("10/s or 600/min. Empty: no limit. Each server counts for itself."),
        FieldDescription::line("settings[burst]", "Calls at once", &burst)
            .hint("Empty: as many as in the field above."),
        FieldDescription::line("settings[quota]", "Most calls per month (UTC)", &number(set.quota))
            .hint("Empty: no limit."),
    ]
}

fn rules(policy: &KeyPolicy) -> FormDescription {
    let days = |days: Option<i32>| days.map(|days| days.to_string()).unwrap_or_default();
    let fields = vec![
        FieldDescription::line(
            "policy[default_lifetime]",
            "Usual lifetime, in days",
            &days(policy.default_lifetime_days),
        )
        .hint("What the form for a new key proposes. Empty: 90 days."),
        FieldDescription::line("policy[max_lifetime]", "Longest lifetime, in days", &days(policy.max_lifetime_days))
            .hint("Counted from when a value was made. Empty: no limit."),
        FieldDescription::checkbox("policy[binds_existing]", "It also binds keys that exist", policy.binds_existing)
            .hint(
                "They expire when it ends, if that is earlier than their own expiry. What has expired stays expired.",
            ),
        FieldDescription::checkbox("confirmed", "Keys may expire earlier because of this", false)
            .hint("The page behind this form lists whom a longest lifetime would hit."),
        FieldDescription::checkbox(
            "policy[all_agents_allowed]",
            "New keys may cover all agents",
            policy.all_agents_allowed,
        ),
        FieldDescription::checkbox("policy[owner_required]", "Keys need an owner", policy.owner_required),
        FieldDescription::checkbox("policy[networks_required]", "Keys need networks", policy.networks_required),
        FieldDescription::checkbox(
            "policy[members_may_request]",
            "Viewers may ask for keys",
            policy.members_may_request,
        )
        .hint("An admin approves or declines each request."),
        FieldDescription::hidden("seen", &policy.version()),
    ];
    FormDescription { fields, submit: "Save".to_owned(), ..Default::default() }
}

fn undo_days(workspace: &Workspace) -> FormDescription {
    let days = FieldDescription::line("undo_days", "Days", &workspace.undo_days.to_string())
        .hint("From 0 to 90. With 0, deletions are for good, also those made before.");
    FormDescription {
        explanation: "For how many days a deleted key can be restored. It is refused all the time.".to_owned(),
        fields: vec![days],
        submit: "Save".to_owned(),
        ..Default::default()
    }
}
