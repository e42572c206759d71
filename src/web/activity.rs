//! The Activity page, rendered on the server.

/// Downloading activity as a file.
pub mod export;

use crate::audit::service::{ActivityFilter, AuditEntry};
use crate::audit::{Action, AuditLog};
use crate::base::error::Error;
use crate::base::id::WorkspaceId;
use crate::base::text::query_value;
use crate::base::time::Timestamp;
use crate::http::parameters::Parameters;
use crate::web::components::button::{BUTTON_ROW, ButtonLink};
use crate::web::components::filter_fields::{FilterSelect, FilterText, Filters};
use crate::web::components::page::{Empty, PageHeader, PageLinks, Section};
use crate::web::components::table::{Cell, Table, TableView, render};
use crate::web::guard::SignedInMember;
use crate::web::transport::fragment::Html;
use leptos::prelude::*;
use serde_json::{Value, json};

/// Entries on one page.
const PAGE: usize = 50;

/// A page of entries.
struct ActivityPage {
    table: Table,
    /// Names of everyone who has an entry.
    people: Vec<String>,
    /// Cursor of the next page: `{microseconds}~{id}`.
    next: Option<String>,
}

/// The filter in an address. Unknown actions are ignored.
pub fn filter(person: &str, action: &str, key: &str) -> ActivityFilter {
    let text = |text: &str| text.trim().replace('\0', "").chars().take(300).collect();
    ActivityFilter { person: text(person), action: Action::parse(action), key: text(key) }
}

/// The page of entries after a cursor.
async fn activity(
    log: &AuditLog,
    workspace: &WorkspaceId,
    filter: &ActivityFilter,
    after: &str,
) -> Result<ActivityPage, Error> {
    let after = (!after.is_empty()).then(|| cursor(after).ok_or(Error::BadRequest)).transpose()?;
    let mut rows = log.list(workspace, filter, after.as_ref(), PAGE as i64 + 1).await?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let next = rows.last().filter(|_| more).map(|row| format!("{}~{}", row.at.0, row.id));
    let cells = rows.into_iter().map(|row| {
        vec![
            Cell::Time(row.at),
            Cell::Name(row.actor.clone()),
            Cell::Name(label(&row)),
            Cell::Text(row.subject.clone()),
            Cell::Text(details_in_words(&row.details)),
            Cell::Address(row.address),
        ]
    });
    let columns = ["Time", "Person", "Action", "What", "Details", "Address"].map(str::to_owned);
    let table = Table { columns: columns.to_vec(), rows: cells.collect() };
    Ok(ActivityPage { table, people: log.people(workspace).await?, next })
}

fn cursor(text: &str) -> Option<(Timestamp, String)> {
    let (at, id) = text.split_once('~')?;
    let plausible = id.len() <= 32 && id.bytes().all(|b| b.is_ascii_alphanumeric());
    Some((Timestamp(at.parse().ok()?), id.to_owned())).filter(|_| plausible)
}

fn label(row: &AuditEntry) -> String {
    let known = Action::ALL.iter().find(|(_, id, _)| *id == row.action);
    known.map_or_else(|| row.action.clone(), |(.., label)| (*label).to_owned())
}

/// Changes as text: `permissions: handoff → conversations, handoff`.
fn details_in_words(details: &str) -> String {
    let Ok(Value::Object(mut details)) = serde_json::from_str(details) else { return String::new() };
    // An object before and after is compared field by field.
    if let (Some(Value::Object(from)), Some(Value::Object(to))) = (details.get("from"), details.get("to")) {
        let field = |(name, to): (&String, &Value)| (name.clone(), json!({ "from": from.get(name), "to": to }));
        details = to.iter().map(field).collect();
    }
    let words = details.into_iter().filter_map(|(name, value)| {
        let name = name.replace('_', " ");
        match (value.get("from"), value.get("to")) {
            (Some(from), Some(to)) if from == to => None,
            (Some(from), Some(to)) => Some(format!("{name}: {} → {}", in_words(from), in_words(to))),
            _ => Some(format!("{name}: {}", in_words(&value))),
        }
    });
    words.collect::<Vec<_>>().join("; ")
}

fn in_words(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) if values.is_empty() => "none".to_owned(),
        Value::Array(values) => values.iter().map(in_words).collect::<Vec<_>>().join(", "),
        // An enum's variant with a value.
        Value::Object(fields) if fields.len() == 1 => fields.values().map(in_words).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| format!("{name} {}", in_words(value))).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// Renders the Activity page.
pub async fn page(member: &SignedInMember, asked: &Parameters) -> Result<Html, Error> {
    let slug = &member.workspace().slug;
    let [person, action, key] = ["person", "action", "key"].map(|name| asked.first(name).to_owned());
    let filter = filter(&person, &action, &key);
    let activity = activity(&member.services().audit, &member.workspace().id, &filter, asked.first("after")).await?;
    let here = format!("/{slug}/activity");
    let shown = [("person", &person), ("action", &action), ("key", &key)]
        .map(|(name, value)| format!("{name}={}", query_value(value)))
        .join("&");
    let export = |format: &str, label: &'static str| {
        let address = format!("{here}/export?format={format}&{shown}");
        view! { <ButtonLink href=address rel="external">{label}</ButtonLink> }
    };
    let exports = [export("csv", "CSV"), export("jsonl", "JSON Lines")].collect_view();
    let all = |words: &str| (String::new(), words.to_owned());
    let people = [all("Everyone")].into_iter().chain(activity.people.into_iter().map(|name| (name.clone(), name)));
    let actions =
        [all("Everything")].into_iter().chain(Action::ALL.map(|(_, id, label)| (id.to_owned(), label.to_owned())));
    let next = activity.next.map(|next| {
        let address = format!("{here}?{shown}&after={}", query_value(&next));
        (address, "Earlier")
    });
    let all_entries = here.clone();
    let entries = match activity.table.rows.is_empty() {
        true => view! {
            <Empty icon="search" heading="Nothing here">
                <p>"Nothing that was done fits this filter."</p>
                <ButtonLink href=all_entries>"Show all activity"</ButtonLink>
            </Empty>
        }
        .into_any(),
        false => view! { <Section><TableView table=activity.table caption="Activity" /></Section> }.into_any(),
    };
    Ok(render(view! {
        <PageHeader heading="Activity">
            <div class=BUTTON_ROW role="group" aria-label="Export">{exports}</div>
        </PageHeader>
        <Filters action=here class="mb-4">
            <FilterSelect name="person" label="Person" options=people.collect() chosen=person />
            <FilterSelect name="action" label="Action" options=actions.collect() chosen=action />
            <FilterText name="key" label="Key (name or id)" value=key />
        </Filters>
        {entries}
        <PageLinks next />
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_told_in_words() {
        for (details, words) in [
            (
                r#"{"permissions":{"from":["handoff"],"to":["conversations","handoff"]},"name":{"from":"a","to":"a"}}"#,
                "permissions: handoff → conversations, handoff",
            ),
            (
                r#"{"keys_copyable":{"from":true,"to":false},"values_destroyed":3}"#,
                "keys copyable: yes → no; values destroyed: 3",
            ),
            (
                r#"{"from":{"metrics":{"Only":["A"]},"transcript":false},"to":{"metrics":"All","transcript":false}}"#,
                "metrics: A → All",
            ),
            ("{}", ""),
            ("nonsense", ""),
        ] {
            assert_eq!(details_in_words(details), words);
        }
    }
}
