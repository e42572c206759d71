//! The numbers of the Usage page as a CSV file, read in batches while it is sent.

use crate::base::error::Error;
use crate::base::id::{ApiKeyId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::usage::service::{Totals, UsageReports};
use crate::usage::{Api, Outcome, Period};
use crate::web::download::{self, CSV, Member};
use axum::extract::{Extension, Query};
use axum::response::Response;
use futures_util::stream;
use serde::Deserialize;

/// Keys in one batch.
const BATCH: i64 = 500;
const COLUMNS: [&str; 6] = ["by", "id", "name", "from", "outcome", "requests"];

/// Query of the download.
#[derive(Debug, Deserialize)]
pub struct UsageExportParameters {
    #[serde(default)]
    range: String,
}

/// Position in the file.
enum ExportPosition {
    Beginning,
    /// After the key with this id; empty for the first key.
    Keys(String),
    End,
}

/// Sends the file: requests by API, hour or day, and outcome; then by agent, then by key, in the whole period.
pub async fn download(Extension(member): Member, Query(parameters): Query<UsageExportParameters>) -> Response {
    let (services, workspace) = (member.services().clone(), member.workspace().id.clone());
    let period = Period::parse(&parameters.range);
    let name = format!("usage-{}-{}-{}.csv", member.workspace().slug, period.id, services.now().date());
    let chunks = stream::try_unfold(ExportPosition::Beginning, move |position| {
        let (reports, workspace) = (services.reports.clone(), workspace.clone());
        async move { chunk(&reports, &workspace, period, position).await.map_err(std::io::Error::other) }
    });
    download::file(&name, CSV, chunks)
}

async fn chunk(
    reports: &UsageReports,
    workspace: &WorkspaceId,
    period: Period,
    position: ExportPosition,
) -> Result<Option<(Vec<u8>, ExportPosition)>, Error> {
    match position {
        ExportPosition::Beginning => {
            let mut rows = vec![COLUMNS.map(str::to_owned)];
            for count in reports.by_api(workspace, period).await? {
                let (id, name) = count.api.map_or(("", ""), |api| (Api::id(api), Api::label(api)));
                let from = Timestamp::from_seconds(count.hour * 3_600).iso();
                rows.push(row(["api", id, name, &from, count.outcome.id()], count.requests));
            }
            for agent in reports.by_agent(workspace, period).await? {
                rows.extend(both("agent", agent.id.as_str(), &agent));
            }
            Ok(Some((download::csv(rows.into_iter())?, ExportPosition::Keys(String::new()))))
        }
        ExportPosition::Keys(after) => {
            let keys: Vec<Totals<ApiKeyId>> = reports.by_key(workspace, period, &after, BATCH).await?;
            let next = keys.last().filter(|_| keys.len() == BATCH as usize).map(|key| key.id.to_string());
            let rows = keys.iter().flat_map(|key| both("key", key.id.as_str(), key));
            Ok(Some((download::csv(rows)?, next.map_or(ExportPosition::End, ExportPosition::Keys))))
        }
        ExportPosition::End => Ok(None),
    }
}

fn row([by, id, name, from, outcome]: [&str; 5], requests: u64) -> [String; 6] {
    [by.to_owned(), id.to_owned(), name.to_owned(), from.to_owned(), outcome.to_owned(), requests.to_string()]
}

/// The rows of accepted and of refused requests.
fn both<Id>(by: &str, id: &str, totals: &Totals<Id>) -> [[String; 6]; 2] {
    [
        row([by, id, &totals.name, "", Outcome::Accepted.id()], totals.accepted),
        row([by, id, &totals.name, "", "refused"], totals.refused),
    ]
}
