//! SQL for the number of concurrent conversations. Reads starts and durations only, many in one row: a row for each of a
//! million conversations takes longer than the rest of the work.

use crate::base::id::{AgentId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::conversations::concurrency::ConcurrencyQuery;
use crate::db::{Db, DbError};
use crate::{on_db, statements};

/// The conversations of an environment, and the filters beside it. Without filters all is read from one index.
macro_rules! of_environment {
    (all) => {
        "workspace_id = $1 AND agent_id = $2 AND environment = $3"
    };
    (filtered) => {
        "workspace_id = $1 AND agent_id = $2 AND environment = $3
            AND ($6 = '' OR variant_id = $6) AND ($7 = '' OR variant_name = $7) AND ($8 = '' OR language = $8)
            AND ($9 = '' OR from_number = $9 OR to_number = $9)"
    };
}

/// The variant of a group: empty unless each variant is a group.
macro_rules! variant {
    (all) => {
        "'' AS variant_id, '' AS variant_name"
    };
    (filtered) => {
        "CASE WHEN $10 THEN variant_id ELSE '' END AS variant_id,
            CASE WHEN $10 THEN variant_name ELSE '' END AS variant_name"
    };
}

macro_rules! groups {
    (all) => {
        ""
    };
    (filtered) => {
        " GROUP BY 1, 2"
    };
}

/// The conversations that begin from $4 on, before $5, and have ended: for each the microseconds from $4 to its start,
/// times 2^23, plus its duration in seconds. A longer duration reaches beyond every span of time that is asked for.
macro_rules! started {
    ($form:ident, $aggregate:literal, $least:literal) => {
        concat!(
            "SELECT ",
            variant!($form),
            ", ",
            $aggregate,
            "((started_at - $4) * 8388608 + ",
            $least,
            "(total_duration, 8388607)) AS calls FROM conversations WHERE ",
            of_environment!($form),
            " AND started_at >= $4 AND started_at < $5 AND NOT in_progress",
            groups!($form)
        )
    };
}

/// The conversations that began before $4 and go on at $4, and those in progress.
macro_rules! going_on {
    ($form:ident) => {
        concat!(
            "SELECT ",
            variant!($form),
            ", started_at, total_duration, in_progress FROM conversations WHERE ",
            of_environment!($form),
            " AND NOT in_progress AND started_at >= $4 - 3600000000 AND started_at < $4
                AND started_at + total_duration * 1000000 > $4
            UNION ALL SELECT ",
            variant!($form),
            ", started_at, total_duration, in_progress FROM conversations WHERE ",
            of_environment!($form),
            " AND NOT in_progress AND total_duration > 3600
                AND started_at < $4 - 3600000000 AND started_at + total_duration * 1000000 > $4
            UNION ALL SELECT ",
            variant!($form),
            ", started_at, total_duration, in_progress FROM conversations WHERE ",
            of_environment!($form),
            " AND in_progress AND started_at < $5"
        )
    };
}

statements! {
    GOING_ON = going_on!(all);
    GOING_ON_FILTERED = going_on!(filtered);
}
const STARTED_SQLITE: &str = started!(all, "group_concat", "MIN");
const STARTED_FILTERED_SQLITE: &str = started!(filtered, "group_concat", "MIN");
const STARTED_POSTGRES: &str = started!(all, "array_agg", "LEAST");
const STARTED_FILTERED_POSTGRES: &str = started!(filtered, "array_agg", "LEAST");

/// Statements for SQLite only.
pub const SQLITE_STATEMENTS: [&str; 2] = [STARTED_SQLITE, STARTED_FILTERED_SQLITE];
/// Statements for PostgreSQL only.
pub const POSTGRES_STATEMENTS: [&str; 2] = [STARTED_POSTGRES, STARTED_FILTERED_POSTGRES];

/// Conversations of one variant, or of all: the start and the end of each, in microseconds.
#[derive(Debug)]
pub struct Spans {
    pub variant_id: String,
    pub variant_name: String,
    pub spans: Vec<(i64, i64)>,
}

/// A conversation that began before the span of time, or has not ended.
#[derive(Debug, sqlx::FromRow)]
pub struct OngoingConversation {
    pub variant_id: String,
    pub variant_name: String,
    pub started_at: i64,
    /// In seconds.
    pub total_duration: i64,
    pub in_progress: bool,
}

macro_rules! bind {
    ($sql:expr, $workspace:expr, $agent:expr, $query:expr, $start:expr, $end:expr) => {{
        let sql = $sql.bind($workspace).bind($agent).bind(&$query.environment).bind($start).bind($end);
        match needs_columns($query) {
            false => sql,
            true => sql
                .bind($query.variant_id.as_deref().unwrap_or_default())
                .bind($query.variant_name.as_deref().unwrap_or_default())
                .bind($query.language.as_deref().unwrap_or_default())
                .bind($query.phone_number.as_deref().unwrap_or_default())
                .bind($query.by_variant),
        }
    }};
}

fn needs_columns(query: &ConcurrencyQuery) -> bool {
    query.is_filtered() || query.by_variant
}

/// The conversations that began from `start` on, before `end`, and have ended.
pub async fn started(
    db: &Db,
    workspace: &WorkspaceId,
    agent: &AgentId,
    query: &ConcurrencyQuery,
    start: Timestamp,
    end: Timestamp,
) -> Result<Vec<Spans>, DbError> {
    let form = usize::from(needs_columns(query));
    let groups: Vec<(String, String, Option<Vec<i64>>)> = on_db!(
        db,
        sqlite | c | {
            let sql = sqlx::query_as(SQLITE_STATEMENTS[form]);
            let rows: Result<Vec<(String, String, Option<String>)>, _> =
                bind!(sql, workspace, agent, query, start, end).fetch_all(c).await;
            rows.map(|rows| {
                rows.into_iter().map(|(id, name, calls)| (id, name, calls.as_deref().map(numbers))).collect()
            })
        },
        postgres | c | {
            let sql = sqlx::query_as(POSTGRES_STATEMENTS[form]);
            bind!(sql, workspace, agent, query, start, end).fetch_all(c).await
        }
    )?;
    let span = |packed: i64| {
        let from = start.0 + (packed >> 23);
        (from, from + (packed & 0x7f_ffff) * 1_000_000)
    };
    Ok(groups
        .into_iter()
        .map(|(variant_id, variant_name, calls)| Spans {
            variant_id,
            variant_name,
            spans: calls.into_iter().flatten().map(span).collect(),
        })
        .collect())
}

fn numbers(list: &str) -> Vec<i64> {
    list.split(',').filter_map(|number| number.parse().ok()).collect()
}

/// The conversations that began before the query's span of time and go on in it, and those in progress.
pub async fn going_on(
    db: &Db,
    workspace: &WorkspaceId,
    agent: &AgentId,
    query: &ConcurrencyQuery,
) -> Result<Vec<OngoingConversation>, DbError> {
    let sql = if needs_columns(query) { GOING_ON_FILTERED } else { GOING_ON };
    Ok(on_db!(db, |c| bind!(sqlx::query_as(sql), workspace, agent, query, query.start, query.end).fetch_all(c).await)?)
}
