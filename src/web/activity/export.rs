//! Downloading activity as a file: every entry that matches the filter, read in batches while it is sent.

use crate::audit::AuditLog;
use crate::audit::service::{ActivityFilter, AuditEntry};
use crate::base::error::Error;
use crate::base::id::WorkspaceId;
use crate::base::text::query_value;
use crate::base::time::Timestamp;
use crate::http::client_address::ClientAddress;
use crate::web::activity::filter;
use crate::web::guard;
use crate::web::services::PageServices;
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
}

/// Sends the file, to admins only.
pub async fn download(
    State(services): State<Arc<PageServices>>,
    session: Session,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    OriginalUri(uri): OriginalUri,
    Path(slug): Path<String>,
    Query(parameters): Query<ExportParameters>,
) -> Response {
    let member = match guard::member_of(services.clone(), session, address, &slug).await {
        Ok(member) => member,
        Err(Error::SignedOut) => {
            return Redirect::to(&format!("/sign-in?next={}", query_value(&uri.to_string()))).into_response();
        }
        Err(error) => return error.into_response(),
    };
    if !member.visit.is_admin() {
        return Error::AdminsOnly.into_response();
    }
    let (format, kind, ending) = match parameters.format.as_str() {
        "csv" => (Format::Csv, "text/csv; charset=utf-8; header=present", "csv"),
        "jsonl" => (Format::JsonLines, "application/jsonl; charset=utf-8", "jsonl"),
        _ => return Error::BadRequest.into_response(),
    };
    let name = format!("activity-{}-{}.{ending}", member.workspace().slug, services.now().date());
    let filter = filter(&parameters.person, &parameters.action, &parameters.key);
    let workspace = member.workspace().id.clone();
    let chunks = stream::try_unfold(ExportPosition::Beginning, move |next| {
        let (log, workspace, filter) = (services.audit.clone(), workspace.clone(), filter.clone());
        async move { chunk(&log, &workspace, &filter, format, next).await.map_err(std::io::Error::other) }
    });
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, Body::from_stream(chunks)).into_response()
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
    };
    Ok(Some((written?, last.map_or(ExportPosition::End, ExportPosition::After))))
}

fn csv(rows: &[AuditEntry], with_header: bool) -> Result<Vec<u8>, Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |_| Error::Internal;
    if with_header {
        writer.write_record(COLUMNS).map_err(failed)?;
    }
    for row in rows {
        let fields = [
            &row.at.iso(),
            &row.actor,
            &row.action,
            &row.subject_id,
            &row.subject,
            &row.details,
            &row.address,
            &row.id,
        ];
        writer.write_record(fields.map(|field| for_spreadsheets(field))).map_err(failed)?;
    }
    writer.into_inner().map_err(|_| Error::Internal)
}

/// A field that a spreadsheet does not read as a formula (OWASP, "CSV injection").
fn for_spreadsheets(field: &str) -> String {
    match field.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{field}"),
        false => field.to_owned(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spreadsheet_takes_nothing_for_a_formula() {
        assert_eq!(for_spreadsheets("=1+1"), "'=1+1");
        assert_eq!(for_spreadsheets("ada@example.com"), "ada@example.com");
    }
}
