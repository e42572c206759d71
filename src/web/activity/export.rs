//! Downloading activity as a file: every entry that matches the filter, read in batches while it is sent.

use crate::audit::AuditLog;
use crate::audit::ocsf;
use crate::audit::service::{ActivityFilter, AuditEntry};
use crate::base::error::Error;
use crate::base::id::WorkspaceId;
use crate::base::time::Timestamp;
use crate::web::activity::filter;
use crate::web::download::{self, CSV, Member};
use axum::extract::{Extension, Query};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};

/// Entries in one batch.
const BATCH: i64 = 500;
const COLUMNS: [&str; 8] = ["at", "person", "action", "subject_id", "subject", "details", "address", "id"];

/// Query of the download: the file's format and the filter.
#[derive(Debug, Deserialize)]
pub struct ExportParameters {
    #[serde(default)]
    format: String,
    #[serde(default)]
    person: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    key: String,
}

/// Format of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Csv,
    JsonLines,
    /// JSON Lines of OCSF events.
    Ocsf,
}

/// Sends the file, to admins only.
pub async fn download(Extension(member): Member, Query(parameters): Query<ExportParameters>) -> Response {
    if !member.visit.is_admin() {
        return Error::AdminsOnly.into_response();
    }
    let (format, kind, ending) = match parameters.format.as_str() {
        "csv" => (Format::Csv, CSV, "csv"),
        "jsonl" => (Format::JsonLines, "application/jsonl; charset=utf-8", "jsonl"),
        "ocsf" => (Format::Ocsf, "application/jsonl; charset=utf-8", "ocsf.jsonl"),
        _ => return Error::BadRequest.into_response(),
    };
    let services = member.services().clone();
    let name = format!("activity-{}-{}.{ending}", member.workspace().slug, services.now().date());
    let filter = filter(&parameters.person, &parameters.action, &parameters.key);
    let workspace = member.workspace().id.clone();
    let chunks = stream::try_unfold(ExportPosition::Beginning, move |next| {
        let (log, workspace, filter) = (services.audit.clone(), workspace.clone(), filter.clone());
        async move { chunk(&log, &workspace, &filter, format, next).await.map_err(std::io::Error::other) }
    });
    download::file(&name, kind, chunks)
}

/// Position in the file.
enum ExportPosition {
    Beginning,
    After((Timestamp, String)),
    End,
}

async fn chunk(
    log: &AuditLog,
    workspace: &WorkspaceId,
    filter: &ActivityFilter,
    format: Format,
    next: ExportPosition,
) -> Result<Option<(Vec<u8>, ExportPosition)>, Error> {
    let after = match &next {
        ExportPosition::Beginning => None,
        ExportPosition::After(place) => Some(place),
        ExportPosition::End => return Ok(None),
    };
    let rows = log.list(workspace, filter, after, BATCH).await?;
    let last = rows.last().filter(|_| rows.len() == BATCH as usize).map(|row| (row.at, row.id.clone()));
    let written = match format {
        Format::Csv => csv(&rows, after.is_none()),
        Format::JsonLines => Ok(json_lines(&rows)),
        Format::Ocsf => {
            Ok(rows.iter().flat_map(|row| format!("{}\n", ocsf::event(workspace.as_str(), row)).into_bytes()).collect())
        }
    };
    Ok(Some((written?, last.map_or(ExportPosition::End, ExportPosition::After))))
}

fn csv(rows: &[AuditEntry], with_header: bool) -> Result<Vec<u8>, Error> {
    let header = with_header.then(|| COLUMNS.map(str::to_owned));
    let rows = rows.iter().map(|row| {
        let AuditEntry { actor, action, subject_id, subject, details, address, id, .. } = row.clone();
        [row.at.iso(), actor, action, subject_id, subject, details, address, id]
    });
    download::csv(header.into_iter().chain(rows))
}

fn json_lines(rows: &[AuditEntry]) -> Vec<u8> {
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
