//! Data of the usage pages: totals, bars, tables, explanations.

use crate::api_keys::ApiKey;
use crate::base::error::Error;
use crate::base::id::{ApiKeyId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::usage::counts::hour_of;
use crate::usage::record::RequestLogLimits;
use crate::usage::service::{HourCount, LoggedCall, PeriodTotals, RequestFilter, RequestTotals, left_out, sum_up};
use crate::usage::{Api, Outcome, Period, Tally};
use crate::web::components::table::{Cell, Table};
use crate::web::services::PageServices;
use crate::workspaces::Workspace;
use std::fmt::Write as _;

/// A key and how it is used.
#[derive(Clone, Debug)]
pub struct KeyUsage {
    pub now: Timestamp,
    pub key: ApiKey,
    pub totals: PeriodTotals,
    pub chart: ChartData,
    pub counts: Vec<HourCount>,
}

/// Requests over time.
#[derive(Clone, Debug)]
pub struct ChartData {
    /// Accepted and refused requests of each hour or day, oldest first.
    pub bars: Vec<RequestTotals>,
    pub table: Table,
}

/// A page of a key's log.
#[derive(Clone, Debug)]
pub struct RequestLogPage {
    pub table: Table,
    /// Cursor of the next page: `{microseconds}~{id}`.
    pub next: Option<String>,
    /// Says what the log leaves out.
    pub note: String,
}

/// What happened to a call.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// What happened and what to do, in a few sentences.
    pub text: String,
    pub facts: Vec<(&'static str, Cell)>,
}

/// Requests on one page of the log.
const PAGE: usize = 50;

/// How a key is used; `None` where there is no such key.
pub async fn overview(
    services: &PageServices,
    workspace: &WorkspaceId,
    id: &ApiKeyId,
    period: Period,
) -> Result<Option<KeyUsage>, Error> {
    let Some(key) = services.api_keys.find(workspace, id).await? else { return Ok(None) };
    let now = services.now();
    let counts = services.reports.of_key(workspace, id).await?;
    let by_hour = counts.iter().map(|count| (count.hour, count.tally, count.requests));
    Ok(Some(KeyUsage { now, key, totals: sum_up(&counts, now), chart: chart(by_hour, now, period), counts }))
}

/// Table of refusals by reason.
pub fn reasons(refused: &[(Outcome, u64)]) -> Table {
    let rows = refused.iter().map(|(outcome, requests)| {
        vec![
            Cell::Text(outcome.label().to_owned()),
            Cell::Text(requests.to_string()),
            Cell::Text(explained(*outcome).to_owned()),
        ]
    });
    Table::new(["Reason", "Requests", "What it means"], rows.collect())
}

/// One bar for each step of a period, from numbers of requests by hour and outcome. Days are in UTC.
pub fn chart(counts: impl Iterator<Item = (i64, Tally, u64)>, now: Timestamp, period: Period) -> ChartData {
    let first = period.first_hour(hour_of(now));
    let mut bars = vec![RequestTotals::default(); period.steps() as usize];
    for (hour, tally, requests) in counts {
        let bar = usize::try_from((hour - first).div_euclid(period.step)).ok().and_then(|at| bars.get_mut(at));
        if let Some(bar) = bar {
            *bar = RequestTotals::sum(&[*bar, RequestTotals::of([(tally, requests)].into_iter())]);
        }
    }
    let rows = bars.iter().enumerate().rev().map(|(at, sum)| {
        let at = Timestamp::from_seconds((first + at as i64 * period.step) * 3_600);
        let time = if period.step == 1 { Cell::Time(at) } else { Cell::Text(at.date()) };
        vec![time, Cell::Text(sum.accepted.to_string()), Cell::Text(sum.refused.to_string())]
    });
    let beginning = if period.step == 1 { "Hour from" } else { "Day (UTC)" };
    let table = Table::new([beginning, "Accepted", "Refused"], rows.collect());
    ChartData { bars, table }
}

/// A page of a key's log.
pub async fn requests(
    services: &PageServices,
    workspace: &WorkspaceId,
    id: &ApiKeyId,
    outcome: &str,
    api: &str,
    after: &str,
) -> Result<RequestLogPage, Error> {
    let filter = RequestFilter {
        refused: outcome == "refused",
        outcome: Outcome::parse(outcome),
        api: Api::parse(api),
        after: (!after.is_empty()).then(|| cursor(after).ok_or(Error::BadRequest)).transpose()?,
    };
    if services.api_keys.find(workspace, id).await?.is_none() {
        return Err(Error::NotFound);
    }
    let mut rows = services.reports.requests(workspace, id, &filter, PAGE as i64 + 1).await?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let next = rows.last().filter(|_| more).map(|row| format!("{}~{}", row.at.0, row.id));
    let cells = rows.into_iter().map(|row| {
        vec![
            Cell::Time(row.at),
            Cell::Code(format!("{} {}", row.method, row.path)),
            mark(&row.outcome),
            Cell::Text(status_in_words(row.status)),
            Cell::Name(milliseconds(row.duration)),
            Cell::Id(row.address),
            Cell::Name(row.program),
            Cell::Code(row.correlation_id),
        ]
    });
    let columns = ["Time", "Request", "Outcome", "Status", "Duration", "Address", "Program", "Correlation id"];
    let note = note(services, workspace, id).await?;
    Ok(RequestLogPage { table: Table::new(columns, cells.collect()), next, note })
}

/// A cursor in the log, as it stands in an address.
fn cursor(text: &str) -> Option<(Timestamp, String)> {
    let (at, id) = text.split_once('~')?;
    let plausible = id.len() <= 32 && id.bytes().all(|b| b.is_ascii_alphanumeric());
    Some((Timestamp(at.parse().ok()?), id.to_owned())).filter(|_| plausible)
}

/// Says what the log leaves out.
async fn note(services: &PageServices, workspace: &WorkspaceId, id: &ApiKeyId) -> Result<String, Error> {
    let RequestLogLimits { per_second, days, rows } = services.reports.limits();
    let counts = services.reports.of_key(workspace, id).await?;
    let mut note = match left_out(&counts, services.now()) {
        0 => "Nothing was left out in the last 30 days. ".to_owned(),
        n => format!(
            "{n} requests of the last 30 days were counted but left out here: above {per_second} a second, a sample \
             of the accepted ones is kept; refused ones are kept up to about 1,000 a second of each key. "
        ),
    };
    let _ = write!(note, "Requests are kept for {days} days, the latest {rows} of a workspace.");
    Ok(note)
}

fn mark(outcome: &str) -> Cell {
    let known = Outcome::parse(outcome);
    Cell::Mark(
        known.map_or_else(|| outcome.to_owned(), |known| known.label().to_owned()),
        known == Some(Outcome::Accepted),
    )
}

fn status_in_words(status: i64) -> String {
    if status == 499 { "Client gone".to_owned() } else { status.to_string() }
}

fn milliseconds(micros: i64) -> String {
    format!("{:.2}\u{a0}ms", micros as f64 / 1_000.0)
}

/// What happened to the calls with this correlation id.
pub async fn explain(services: &PageServices, workspace: &Workspace, id: &str) -> Result<Vec<Explanation>, Error> {
    let id = id.trim();
    if id.is_empty() {
        return Ok(Vec::new());
    }
    let sane = id.len() <= 128 && id.bytes().all(|b| b.is_ascii_graphic());
    let found = if sane { services.reports.by_correlation(&workspace.id, id).await? } else { Vec::new() };
    if found.is_empty() {
        let RequestLogLimits { days, rows, .. } = services.reports.limits();
        let text = format!(
            "No call of this workspace with this id is in the log. Calls without a key, with a key that was mistyped, or \
             with one that was deleted, belong to no workspace and are counted only: check that the whole key was sent in \
             x-api-key, and that it still stands in the list. Calls are kept for {days} days, the latest {rows} of a \
             workspace; while there are very many, a sample of the accepted ones and of each key about 1,000 refused ones a second."
        );
        return Ok(vec![Explanation { text, facts: Vec::new() }]);
    }
    Ok(found.into_iter().map(|row| explanation(workspace, row)).collect())
}

fn explanation(workspace: &Workspace, row: LoggedCall) -> Explanation {
    let outcome = Outcome::parse(&row.outcome);
    let text = match outcome {
        Some(Outcome::Accepted) if row.status >= 400 => format!(
            "The key was accepted; the call itself was answered with {}. The answer's error_message says why.",
            row.status
        ),
        Some(outcome) => explained(outcome).to_owned(),
        None => row.outcome.clone(),
    };
    let key = match row.key_name.is_empty() {
        true => Cell::Text(format!("{} (deleted)", row.key_id)),
        false => Cell::Link(row.key_name, format!("/{}/api-keys/{}", workspace.slug, row.key_id)),
    };
    let api = Api::parse(&row.api).map_or_else(|| row.api.clone(), |api| api.label().to_owned());
    let facts = [
        ("Time", Cell::Time(row.at)),
        ("Key", key),
        ("API", Cell::Text(api)),
        ("Request", Cell::Code(format!("{} {}", row.method, row.path))),
        ("Outcome", mark(&row.outcome)),
        ("Status", Cell::Text(status_in_words(row.status))),
        ("Duration", Cell::Text(milliseconds(row.duration))),
        ("Address", Cell::Id(row.address)),
        ("Program", Cell::Name(row.program)),
    ];
    Explanation { text, facts: facts.to_vec() }
}

/// What an outcome means and what to do, in a sentence or two.
fn explained(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "It was not refused.",
        Outcome::NoKey => "The header x-api-key was missing.",
        Outcome::Malformed => "What was sent in x-api-key is no key: part of it is missing or mistyped.",
        Outcome::Unknown => "The key is none of this server's, or was deleted.",
        Outcome::Expired => {
            "The key had expired, or the call came with a value that a rotation replaced. Give the caller a valid one."
        }
        Outcome::OtherNetwork => {
            "The call came from an address that is in none of the key's networks. Add its network to the key if it is yours."
        }
        Outcome::RateLimited => {
            "The key made more calls per second or minute than it may. Its settings have the limit."
        }
        Outcome::QuotaUsed => "The key had used its calls of the month (UTC). Its settings have the limit.",
        Outcome::Paused => "The key was paused by an admin. Resume it on the key's page.",
        Outcome::OtherWorkspace => {
            "The call names another workspace than the key's. Put this workspace's id into the address as account_id."
        }
        Outcome::LacksPermission => "The key lacks the permission that the call needs. Edit the key to give it.",
        Outcome::AgentNotCovered => {
            "The call names an agent that the key does not cover. Agents of a key cannot be changed: make a new key."
        }
        Outcome::NoSuchAgent => "The call names an agent that this workspace does not have. Check project_id.",
        Outcome::TranscriptOff => {
            "The call needs transcripts (a search or a recording). They are off for this agent: turn them on in Configuration."
        }
        Outcome::CallerNumbersHidden => {
            "The call filters by a caller's number, which Configuration does not show for this agent. Show them there."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_where_their_hours_are() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let count = |hours_ago, outcome, requests| (hour_of(now) - hours_ago, outcome, requests);
        let counts = [
            count(0, Tally::Calls(Outcome::Accepted), 3),
            count(0, Tally::Calls(Outcome::Expired), 1),
            count(0, Tally::LeftOut, 2),
            count(23, Tally::Calls(Outcome::Accepted), 5),
            count(24, Tally::Calls(Outcome::Accepted), 100),
        ];
        let chart = chart(counts.into_iter(), now, Period::parse("24h"));
        assert_eq!((chart.bars.len(), chart.table.rows.len()), (24, 24));
        let row = |n: usize| match &chart.table.rows[n][1..] {
            [Cell::Text(accepted), Cell::Text(refused)] => (accepted.clone(), refused.clone()),
            _ => panic!("{n}"),
        };
        assert_eq!(row(0), ("3".to_owned(), "1".to_owned()));
        assert_eq!(row(23), ("5".to_owned(), "0".to_owned()));
        let bar = |n: usize| (chart.bars[n].accepted, chart.bars[n].refused);
        assert_eq!((bar(0), bar(1), bar(23)), ((5, 0), (0, 0), (3, 1)));
    }

    #[test]
    fn cursors_of_the_log() {
        assert_eq!(cursor("5~abc"), Some((Timestamp(5), "abc".to_owned())));
        for wrong in ["", "5", "x~abc", "5~a\0b", "5~a%b"] {
            assert_eq!(cursor(wrong), None, "{wrong}");
        }
    }
}
