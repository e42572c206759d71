//! Activity for people and as a file. A file holds everything that fits the filter, read page by page while it is sent.

use super::Action;
use super::page::Activity;
use super::store::{self, Filter, Recorded};
use crate::error::Error;
use crate::id::WorkspaceId;
use crate::server::state::App;
use crate::sessions::guard::{self, ClientAddress};
use crate::time::Timestamp;
use crate::ui::query_value;
use crate::ui::table::{Cell, Table};
use axum::Extension;
use axum::body::Body;
use axum::extract::{OriginalUri, Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Redirect, Response};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use tower_sessions::Session;

/// Entries on one page.
const PAGE: usize = 50;
/// Entries read at a time for a file.
const BATCH: i64 = 500;
const COLUMNS: [&str; 8] = ["at", "person", "action", "subject_id", "subject", "details", "address", "id"];

/// What an address asks for; what is not known does not narrow it.
pub fn filter(person: &str, action: &str, key: &str) -> Filter {
    let text = |text: &str| text.trim().replace('\0', "").chars().take(300).collect();
    Filter { person: text(person), action: Action::parse(action), key: text(key) }
}

/// A page of entries after a place.
pub async fn page(app: &App, workspace: &WorkspaceId, filter: &Filter, after: &str) -> Result<Activity, Error> {
    let after = (!after.is_empty()).then(|| place(after).ok_or(Error::BadRequest)).transpose()?;
    let mut rows = store::list(&app.db, workspace, filter, after.as_ref(), PAGE as i64 + 1).await?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let next = rows.last().filter(|_| more).map(|row| format!("{}~{}", row.at.0, row.id));
    let cells = rows.into_iter().map(|row| {
        vec![
            Cell::Time(row.at),
            Cell::Text(row.actor.clone()),
            Cell::Text(label(&row)),
            Cell::Text(row.subject.clone()),
            Cell::Text(details_in_words(&row.details)),
            Cell::Code(row.address),
        ]
    });
    let columns = ["Time", "Person", "Action", "What", "Details", "Address"].map(str::to_owned);
    let table = Table { columns: columns.to_vec(), rows: cells.collect() };
    Ok(Activity { table, people: store::people(&app.db, workspace).await?, next })
}

fn place(text: &str) -> Option<(Timestamp, String)> {
    let (at, id) = text.split_once('~')?;
    let plausible = id.len() <= 32 && id.bytes().all(|b| b.is_ascii_alphanumeric());
    Some((Timestamp(at.parse().ok()?), id.to_owned())).filter(|_| plausible)
}

fn label(row: &Recorded) -> String {
    let known = Action::ALL.iter().find(|(_, id, _)| *id == row.action);
    known.map_or_else(|| row.action.clone(), |(.., label)| (*label).to_owned())
}

/// What changed, one thing after the other: `permissions: handoff → conversations, handoff`.
fn details_in_words(details: &str) -> String {
    let Ok(Value::Object(details)) = serde_json::from_str(details) else { return String::new() };
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
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| format!("{name} {}", in_words(value))).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// What a file holds.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    format: String,
    #[serde(default)]
    person: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    key: String,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Csv,
    JsonLines,
}

/// The file, for admins.
pub async fn download(
    State(app): State<Arc<App>>,
    session: Session,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    OriginalUri(uri): OriginalUri,
    Path(slug): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let member = match guard::member_of(app.clone(), session, address, &slug).await {
        Ok(member) => member,
        Err(Error::SignedOut) => {
            return Redirect::to(&format!("/sign-in?next={}", query_value(&uri.to_string()))).into_response();
        }
        Err(error) => return error.into_response(),
    };
    if !member.visit.is_admin() {
        return Error::AdminsOnly.into_response();
    }
    let (format, kind, ending) = match wanted.format.as_str() {
        "csv" => (Format::Csv, "text/csv; charset=utf-8; header=present", "csv"),
        "jsonl" => (Format::JsonLines, "application/jsonl; charset=utf-8", "jsonl"),
        _ => return Error::BadRequest.into_response(),
    };
    let name = format!("activity-{}-{}.{ending}", member.workspace().slug, app.clock.now().date());
    let filter = filter(&wanted.person, &wanted.action, &wanted.key);
    let workspace = member.workspace().id.clone();
    let chunks = stream::try_unfold(Next::Beginning, move |next| {
        let (app, workspace, filter) = (app.clone(), workspace.clone(), filter.clone());
        async move { chunk(&app, &workspace, &filter, format, next).await.map_err(std::io::Error::other) }
    });
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, Body::from_stream(chunks)).into_response()
}

/// Where a file goes on.
enum Next {
    Beginning,
    After((Timestamp, String)),
    End,
}

async fn chunk(
    app: &App,
    workspace: &WorkspaceId,
    filter: &Filter,
    format: Format,
    next: Next,
) -> Result<Option<(Vec<u8>, Next)>, Error> {
    let after = match &next {
        Next::Beginning => None,
        Next::After(place) => Some(place),
        Next::End => return Ok(None),
    };
    let rows = store::list(&app.db, workspace, filter, after, BATCH).await?;
    let last = rows.last().filter(|_| rows.len() == BATCH as usize).map(|row| (row.at, row.id.clone()));
    let written = match format {
        Format::Csv => csv(&rows, after.is_none()),
        Format::JsonLines => Ok(json_lines(&rows)),
    };
    Ok(Some((written?, last.map_or(Next::End, Next::After))))
}

fn csv(rows: &[Recorded], with_header: bool) -> Result<Vec<u8>, Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |_| Error::Internal;
    if with_header {
        writer.write_record(COLUMNS).map_err(failed)?;
    }
    for row in rows {
        let fields =
            [&row.at.iso(), &row.actor, &row.action, &row.subject_id, &row.subject, &row.details, &row.address, &row.id];
        writer.write_record(fields.map(|field| for_spreadsheets(field))).map_err(failed)?;
    }
    writer.into_inner().map_err(|_| Error::Internal)
}

/// A field that a spreadsheet does not take for a formula (OWASP, "CSV injection").
fn for_spreadsheets(field: &str) -> String {
    match field.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{field}"),
        false => field.to_owned(),
    }
}

fn json_lines(rows: &[Recorded]) -> Vec<u8> {
    let mut lines = String::new();
    for row in rows {
        let details: Value = serde_json::from_str(&row.details).unwrap_or_default();
        let line = json!({
            "at": row.at.iso(),
            "person": row.actor,
            "action": row.action,
            "subject_id": row.subject_id,
            "subject": row.subject,
            "details": details,
            "address": row.address,
            "id": row.id,
        });
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    lines.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_told_in_words() {
        for (details, words) in [
            (r#"{"permissions":{"from":["handoff"],"to":["conversations","handoff"]},"name":{"from":"a","to":"a"}}"#,
                "permissions: handoff → conversations, handoff"),
            (r#"{"keys_copyable":{"from":true,"to":false},"values_destroyed":3}"#,
                "keys copyable: yes → no; values destroyed: 3"),
            ("{}", ""),
            ("nonsense", ""),
        ] {
            assert_eq!(details_in_words(details), words);
        }
    }

    #[test]
    fn a_spreadsheet_takes_nothing_for_a_formula() {
        assert_eq!(for_spreadsheets("=1+1"), "'=1+1");
        assert_eq!(for_spreadsheets("ada@example.com"), "ada@example.com");
    }
}
