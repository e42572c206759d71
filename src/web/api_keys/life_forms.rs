//! Describes the forms for a key's life. Each says what it would change for those who use the key.

use crate::api_keys::{ApiKey, Expiry, KeySettings, Overlap, Pause, Rate};
use crate::base::error::Error;
use crate::base::id::ApiKeyId;
use crate::usage::service::RecentUse;
use crate::web::components::described_form::{FieldDescription, FormDescription};
use crate::web::guard::{self, SignedInMember};
use crate::workspaces::Workspace;
use std::fmt::Write as _;
use std::net::IpAddr;

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
    if action == "undo-days" {
        return Ok(undo_days(workspace));
    }
    let key = found(admin, key).await?;
    let now = admin.services().now();
    let recent = async || admin.services().reports.recent_use(&workspace.id, &key.id).await;
    match (action, key.open_old_value(now)) {
        ("delete", _) => Ok(deletion(&key, workspace, &in_words(&recent().await?, "Its calls"))),
        ("rotate", None) => Ok(rotation(&key)),
        ("pause", _) => Ok(pause(&key, &in_words(&recent().await?, "Its calls"))),
        ("resume", _) => Ok(resume(&key)),
        ("settings", _) => {
            let here = crate::web::guard::address().await;
            let recent = admin.services().reports.recent_use(&workspace.id, &key.id).await?;
            Ok(settings(&key.settings, &recent, here))
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

fn rotation(key: &ApiKey) -> FormDescription {
    let options = |choices: &[(&str, &str)]| -> Vec<(String, String)> {
        choices.iter().map(|(value, label)| ((*value).to_owned(), (*label).to_owned())).collect()
    };
    let overlaps: Vec<_> = Overlap::CHOICES.iter().map(|(value, label, _)| (*value, *label)).collect();
    let expiries: Vec<_> = Expiry::CHOICES.iter().map(|(value, label, _)| (*value, *label)).collect();
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
        FieldDescription::choice("expiry", "The new value expires in", dated(options(&expiries)), Expiry::DEFAULT),
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

fn settings(set: &KeySettings, recent: &RecentUse, here: Option<IpAddr>) -> FormDescription {
    let mut seen: Vec<&str> = recent.clients.iter().map(|client| client.address.as_str()).collect();
    seen.retain(|address| !address.is_empty());
    seen.sort_unstable();
    seen.dedup();
    let seen = match seen.is_empty() {
        true => "No address is known from its calls in 30 days.".to_owned(),
        false => format!("Its latest calls came from {}.", seen.join(", ")),
    };
    let here = here.map(|address| format!(" Your own address is {address}.")).unwrap_or_default();
    let networks = format!(
        "Up to 50, such as 203.0.113.0/24 or 2001:db8::/32. Empty: from everywhere. Other addresses are refused. {seen}{here}"
    );
    let number = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
    let (rate, burst) = (set.rate.map(Rate::typed).unwrap_or_default(), number(set.rate.map(|rate| rate.burst.into())));
    let fields = vec![
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
        FieldDescription::hidden("seen", &set.version()),
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

pub fn days_in_words(days: i32) -> String {
    if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
}

/// Who used a key lately, and so would be refused.
fn in_words(used: &RecentUse, what: &str) -> String {
    let Some(last) = used.last else { return format!("{what}: none in 30 days.") };
    let mut text = format!("{what}: {} in 7 days, the last one {}", used.calls, last.ago(used.now));
    for (at, client) in used.clients.iter().enumerate() {
        text.push_str(if at == 0 { ", from " } else { "; " });
        text.push_str(if client.address.is_empty() { "an unknown address" } else { &client.address });
        if !client.program.is_empty() {
            let _ = write!(text, " ({})", client.program);
        }
    }
    text.push('.');
    text
}
