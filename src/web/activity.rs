//! The Activity page, rendered on the server.

/// Downloading activity as a file.
pub mod export;

use crate::audit::Action;
use crate::audit::service::{ActivityFilter, AuditEntry};
use crate::base::error::Error;
use crate::base::id::ApiKeyId;
use crate::base::text::query_value;
use crate::base::time::{Timestamp, parse_instant};
use crate::http::parameters::Parameters;
use crate::web::components::button::{BUTTON_ROW, ButtonLink};
use crate::web::components::filter_fields::{FilterSelect, FilterText, Filters};
use crate::web::components::page::{Empty, PageHeader, PageLinks, Section};
use crate::web::components::table::{Cell, Table, TableView, render};
use crate::web::guard::SignedInMember;
use crate::web::transport::fragment::Html;
use leptos::prelude::*;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

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
async fn activity(member: &SignedInMember, filter: &ActivityFilter, after: &str) -> Result<ActivityPage, Error> {
    let (log, workspace) = (&member.services().audit, &member.workspace().id);
    let after = (!after.is_empty()).then(|| cursor(after).ok_or(Error::BadRequest)).transpose()?;
    let mut rows = log.list(workspace, filter, after.as_ref(), PAGE as i64 + 1).await?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let next = rows.last().filter(|_| more).map(|row| format!("{}~{}", row.at.0, row.id));
    let known = Known::of(member, &rows).await?;
    let cells = rows.into_iter().map(|row| {
        vec![
            Cell::Time(row.at),
            Cell::Name(row.actor.clone()),
            Cell::Name(label(&row)),
            known.subject(&row),
            known.details(&row.details),
            Cell::Id(row.address),
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

/// What the table shows in place of ids: names that link.
#[derive(Default)]
struct Known {
    slug: String,
    /// Names of the agents that exist, by their ids.
    agents: HashMap<String, String>,
    /// Ids of the keys in the table that exist.
    keys: HashSet<String>,
}

impl Known {
    async fn of(member: &SignedInMember, rows: &[AuditEntry]) -> Result<Self, Error> {
        let (services, workspace) = (member.services(), member.workspace());
        let agents = services.agents.names(&workspace.id).await?;
        let agents = agents.into_iter().map(|agent| (agent.id.to_string(), agent.name)).collect();
        let mut known = Self { slug: workspace.slug.clone(), agents, keys: HashSet::new() };
        let ids: HashSet<&str> = rows.iter().filter(|row| is_of_key(row)).map(|row| row.subject_id.as_str()).collect();
        for id in ids.into_iter().filter_map(ApiKeyId::parse) {
            if services.api_keys.find(&workspace.id, &id).await?.is_some() {
                known.keys.insert(id.to_string());
            }
        }
        Ok(known)
    }

    /// What an entry is about, as a link where it still exists.
    fn subject(&self, row: &AuditEntry) -> Cell {
        if self.keys.contains(&row.subject_id) {
            Cell::Link(row.subject.clone(), format!("/{}/api-keys/{}", self.slug, row.subject_id))
        } else if self.agents.contains_key(&row.subject_id) {
            Cell::Link(row.subject.clone(), self.agents_page())
        } else {
            Cell::Name(row.subject.clone())
        }
    }

    fn agents_page(&self) -> String {
        format!("/{}/agents", self.slug)
    }

    /// A text of the details: an agent's name in place of its id, and a time as times are shown elsewhere.
    fn text(&self, text: &str) -> Cell {
        match (self.agents.get(text), parse_instant(text)) {
            (Some(name), _) => Cell::Link(name.clone(), self.agents_page()),
            (None, Some(at)) => Cell::Time(at),
            (None, None) => Cell::Text(text.to_owned()),
        }
    }

    /// Changes in words: `permissions: handoff → conversations, handoff`.
    fn details(&self, details: &str) -> Cell {
        let Ok(Value::Object(mut details)) = serde_json::from_str(details) else { return Cell::Several(Vec::new()) };
        // An object before and after is compared field by field.
        if let (Some(Value::Object(from)), Some(Value::Object(to))) = (details.get("from"), details.get("to")) {
            let field = |(name, to): (&String, &Value)| (name.clone(), json!({ "from": from.get(name), "to": to }));
            details = to.iter().map(field).collect();
        }
        let words = details.into_iter().filter_map(|(name, value)| {
            let name = Cell::Text(format!("{}: ", name.replace('_', " ")));
            Some(match (value.get("from"), value.get("to")) {
                (Some(from), Some(to)) if from == to => return None,
                (Some(from), Some(to)) => vec![name, self.value(from), Cell::Text(" → ".to_owned()), self.value(to)],
                _ => vec![name, self.value(&value)],
            })
        });
        joined(words.map(Cell::Several), "; ")
    }

    fn value(&self, value: &Value) -> Cell {
        let word = |word: &str| Cell::Text(word.to_owned());
        match value {
            Value::Null => word("none"),
            Value::Bool(true) => word("yes"),
            Value::Bool(false) => word("no"),
            Value::String(text) => self.text(text),
            Value::Array(values) if values.is_empty() => word("none"),
            Value::Array(values) => joined(values.iter().map(|value| self.value(value)), ", "),
            // An enum's variant with a value.
            Value::Object(fields) if fields.len() == 1 => {
                Cell::Several(fields.values().map(|v| self.value(v)).collect())
            }
            Value::Object(fields) => {
                let field = |(name, value)| Cell::Several(vec![Cell::Text(format!("{name} ")), self.value(value)]);
                joined(fields.iter().map(field), ", ")
            }
            other => Cell::Text(other.to_string()),
        }
    }
}

fn is_of_key(row: &AuditEntry) -> bool {
    row.action.starts_with("key-")
}

fn joined(cells: impl Iterator<Item = Cell>, between: &str) -> Cell {
    let mut all = Vec::new();
    for cell in cells {
        if !all.is_empty() {
            all.push(Cell::Text(between.to_owned()));
        }
        all.push(cell);
    }
    Cell::Several(all)
}

/// Renders the Activity page.
pub async fn page(member: &SignedInMember, asked: &Parameters) -> Result<Html, Error> {
    let slug = &member.workspace().slug;
    let [person, action, key] = ["person", "action", "key"].map(|name| asked.first(name).to_owned());
    let filter = filter(&person, &action, &key);
    let activity = activity(member, &filter, asked.first("after")).await?;
    let here = format!("/{slug}/activity");
    let shown = [("person", &person), ("action", &action), ("key", &key)]
        .map(|(name, value)| format!("{name}={}", query_value(value)))
        .join("&");
    let export = |format: &str, label: &'static str| {
        let address = format!("{here}/export?format={format}&{shown}");
        view! { <ButtonLink href=address rel="external">{label}</ButtonLink> }
    };
    let exports = [export("csv", "CSV"), export("jsonl", "JSON Lines"), export("ocsf", "OCSF")].collect_view();
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

    fn words(cell: &Cell) -> String {
        match cell {
            Cell::Several(cells) => cells.iter().map(words).collect(),
            Cell::Text(text) => text.clone(),
            Cell::Link(text, href) => format!("[{text}]({href})"),
            Cell::Time(at) => at.short_utc(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn details_are_told_in_words() {
        let agents = [("PROJECT-2QA5ZNGR".to_owned(), "Hotel".to_owned())].into();
        let known = Known { slug: "acme".to_owned(), agents, keys: HashSet::new() };
        for (details, said) in [
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
            (
                r#"{"agents":["PROJECT-2QA5ZNGR","PROJECT-GONE"],"expires_at":"2026-11-30T10:04:43Z"}"#,
                "agents: [Hotel](/acme/agents), PROJECT-GONE; expires at: 30 Nov 2026 10:04 UTC",
            ),
            ("{}", ""),
            ("nonsense", ""),
        ] {
            assert_eq!(words(&known.details(details)), said);
        }
    }
}
