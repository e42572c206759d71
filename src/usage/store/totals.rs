//! SQL for the totals of workspaces. Counts are added by the hour; those of earlier days are rolled up into one row for
//! each day, whose hour is the first of the day.

use super::{ADD_AGENT_COUNTS, ADD_API_COUNTS, ADD_KEY_COUNTS, SET_TOP_KEYS};
use crate::base::id::{AgentId, ApiKeyId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::db::rows::{RowStatement, run};
use crate::db::{Change, Db, DbError};
use crate::usage::{Api, Outcome};
use crate::{on_change, on_db, statements};
use serde_json::json;
use std::collections::BTreeMap;

macro_rules! delete_some {
    ($table:literal, $column:literal, $condition:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE (workspace_id, ",
            $column,
            ", hour, outcome) IN (SELECT workspace_id, ",
            $column,
            ", hour, outcome FROM ",
            $table,
            " WHERE ",
            $condition,
            " ORDER BY hour LIMIT $2)"
        )
    };
}
macro_rules! delete_counts {
    ($table:literal, $column:literal) => {
        delete_some!($table, $column, "hour < $1")
    };
}
macro_rules! roll_up {
    ($table:literal, $column:literal) => {
        concat!(
            delete_some!($table, $column, "hour < $1 AND hour % 24 <> 0"),
            " RETURNING workspace_id, ",
            $column,
            ", hour, outcome, requests"
        )
    };
}
/// Tallies of calls that are counted by their outcome too.
macro_rules! counted_twice {
    () => {
        "'left-out', 'old-value', 'with-conversations', 'with-handoff', 'with-external-events', 'with-agents'"
    };
}
macro_rules! accepted {
    () => {
        "CAST(SUM(CASE WHEN outcome = 'accepted' THEN requests ELSE 0 END) AS BIGINT) AS accepted"
    };
}
macro_rules! refused {
    () => {
        concat!(
            "CAST(SUM(CASE WHEN outcome IN ('accepted', ",
            counted_twice!(),
            ") THEN 0 ELSE requests END) AS BIGINT) AS refused"
        )
    };
}

statements! {
    // The server's own housekeeping, for all workspaces.
    ROLL_UP_KEYS = roll_up!("key_usage", "key_id");
    ROLL_UP_APIS = roll_up!("api_usage", "api");
    ROLL_UP_AGENTS = roll_up!("agent_usage", "agent_id");
    DELETE_KEY_COUNTS = delete_counts!("key_usage", "key_id");
    DELETE_API_COUNTS = delete_counts!("api_usage", "api");
    DELETE_AGENT_COUNTS = delete_counts!("agent_usage", "agent_id");
    RANK_KEYS = concat!("SELECT workspace_id, key_id, accepted, refused, place FROM
        (SELECT workspace_id, key_id, ", accepted!(), ", ", refused!(), ",
            ROW_NUMBER() OVER (PARTITION BY workspace_id
                ORDER BY SUM(CASE WHEN outcome IN (", counted_twice!(), ") THEN 0 ELSE requests END) DESC, key_id) AS place
        FROM key_usage WHERE hour >= $1 GROUP BY workspace_id, key_id) AS ranked
        WHERE place <= $2 ORDER BY workspace_id, place");
    DELETE_EARLIER_RANKING = "DELETE FROM top_keys WHERE days = $1 AND at < $2";

    BY_API = "SELECT api, hour, outcome, requests FROM api_usage WHERE workspace_id = $1 AND hour >= $2
        ORDER BY hour, api, outcome";
    BY_AGENT = concat!("SELECT a.id, a.name, ", accepted!(), ", ", refused!(), "
        FROM agents a JOIN agent_usage u ON u.workspace_id = a.workspace_id AND u.agent_id = a.id
        WHERE a.workspace_id = $1 AND a.deleted_at = 0 AND u.hour >= $2 GROUP BY a.workspace_id, a.id
        ORDER BY SUM(requests) DESC, a.id");
    TOP_KEYS = "SELECT t.key_id, k.name, t.accepted, t.refused, t.at
        FROM top_keys t JOIN api_keys k ON k.workspace_id = t.workspace_id AND k.id = t.key_id
        WHERE t.workspace_id = $1 AND t.days = $2 AND k.deleted_at = 0 ORDER BY t.place";
    BY_KEY = concat!("SELECT k.id, k.name, ", accepted!(), ", ", refused!(), "
        FROM (SELECT id, name FROM api_keys WHERE workspace_id = $1 AND id > $2 AND deleted_at = 0
            ORDER BY id LIMIT $4) AS k
        LEFT JOIN key_usage u ON u.workspace_id = $1 AND u.key_id = k.id AND u.hour >= $3
        GROUP BY k.id, k.name ORDER BY k.id");
}

/// A table of counts.
#[derive(Clone, Copy, Debug)]
pub struct CountTable {
    roll_up: &'static str,
    add: RowStatement,
    delete: &'static str,
}

/// All tables of counts.
pub const COUNT_TABLES: [CountTable; 3] = [
    CountTable { roll_up: ROLL_UP_KEYS, add: ADD_KEY_COUNTS, delete: DELETE_KEY_COUNTS },
    CountTable { roll_up: ROLL_UP_APIS, add: ADD_API_COUNTS, delete: DELETE_API_COUNTS },
    CountTable { roll_up: ROLL_UP_AGENTS, add: ADD_AGENT_COUNTS, delete: DELETE_AGENT_COUNTS },
];

/// Rolls up to `limit` rows of hours before `before_hour` into rows of days, and returns the number of rolled rows.
pub async fn roll_up(change: &mut Change, table: CountTable, before_hour: i64, limit: i64) -> Result<u64, DbError> {
    // Rows that another server rolls up at the same time are not returned.
    let rows: Vec<(String, String, i64, String, i64)> =
        on_change!(change, |c| sqlx::query_as(table.roll_up).bind(before_hour).bind(limit).fetch_all(c).await)?;
    let rolled = rows.len() as u64;
    let mut days: BTreeMap<(String, String, i64, String), i64> = BTreeMap::new();
    for (workspace, what, hour, outcome, requests) in rows {
        *days.entry((workspace, what, hour - hour.rem_euclid(24), outcome)).or_default() += requests;
    }
    let days = days.into_iter().map(|((workspace, what, hour, outcome), n)| json!([workspace, what, hour, outcome, n]));
    run(change, table.add, &days.collect::<Vec<_>>()).await?;
    Ok(rolled)
}

/// Deletes up to `limit` counts of hours before `before_hour`, and returns their number.
pub async fn delete_counts(
    change: &mut Change,
    table: CountTable,
    before_hour: i64,
    limit: i64,
) -> Result<u64, DbError> {
    Ok(on_change!(change, |c| sqlx::query(table.delete)
        .bind(before_hour)
        .bind(limit)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

/// A key of a ranking.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RankedKey {
    workspace_id: WorkspaceId,
    key_id: ApiKeyId,
    accepted: i64,
    refused: i64,
    place: i64,
}

/// The keys with the most calls since this hour, up to `places` of each workspace. Reads every count of these hours.
pub async fn rank_keys(db: &Db, since_hour: i64, places: i64) -> Result<Vec<RankedKey>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(RANK_KEYS).bind(since_hour).bind(places).fetch_all(pool).await)?)
}

/// Replaces the ranking of this many days.
pub async fn set_top_keys(change: &mut Change, days: i64, ranked: &[RankedKey]) -> Result<(), DbError> {
    let now = change.now();
    let rows =
        ranked.iter().map(|key| json!([key.workspace_id, days, key.place, key.key_id, key.accepted, key.refused, now]));
    run(change, SET_TOP_KEYS, &rows.collect::<Vec<_>>()).await?;
    Ok(on_change!(change, |c| sqlx::query(DELETE_EARLIER_RANKING).bind(days).bind(now).execute(c).await.map(|_| ()))?)
}

/// Number of a workspace's requests to one API in one hour or day with one outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiCount {
    /// `None` for requests that were counted before APIs were told apart.
    pub api: Option<Api>,
    /// Hours since 1970.
    pub hour: i64,
    pub outcome: Outcome,
    pub requests: u64,
}

/// A workspace's counts by API from this hour on, oldest first.
pub async fn by_api(db: &Db, workspace: &WorkspaceId, since_hour: i64) -> Result<Vec<ApiCount>, DbError> {
    let rows: Vec<(String, i64, String, i64)> =
        on_db!(db, |pool| sqlx::query_as(BY_API).bind(workspace).bind(since_hour).fetch_all(pool).await)?;
    let counts = rows.into_iter().filter_map(|(api, hour, outcome, requests)| {
        let outcome = Outcome::parse(&outcome)?;
        Some(ApiCount { api: Api::parse(&api), hour, outcome, requests: requests.max(0) as u64 })
    });
    Ok(counts.collect())
}

/// Numbers of requests that named one agent, or were made with one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totals<Id> {
    pub id: Id,
    pub name: String,
    pub accepted: u64,
    pub refused: u64,
}

impl<Id> Totals<Id> {
    fn new((id, name, accepted, refused): (Id, String, i64, i64)) -> Self {
        Self { id, name, accepted: accepted.max(0) as u64, refused: refused.max(0) as u64 }
    }
}

/// A workspace's requests by agent from this hour on, the agent with the most first.
pub async fn by_agent(db: &Db, workspace: &WorkspaceId, since_hour: i64) -> Result<Vec<Totals<AgentId>>, DbError> {
    let rows: Vec<(AgentId, String, i64, i64)> =
        on_db!(db, |pool| sqlx::query_as(BY_AGENT).bind(workspace).bind(since_hour).fetch_all(pool).await)?;
    Ok(rows.into_iter().map(Totals::new).collect())
}

/// The keys with the most requests in this many days as they were ranked last, and the time of the ranking.
pub async fn top_keys(
    db: &Db,
    workspace: &WorkspaceId,
    days: i64,
) -> Result<(Vec<Totals<ApiKeyId>>, Option<Timestamp>), DbError> {
    let rows: Vec<(ApiKeyId, String, i64, i64, Timestamp)> =
        on_db!(db, |pool| sqlx::query_as(TOP_KEYS).bind(workspace).bind(days).fetch_all(pool).await)?;
    let ranked_at = rows.first().map(|(.., at)| *at);
    let keys = rows.into_iter().map(|(id, name, accepted, refused, _)| Totals::new((id, name, accepted, refused)));
    Ok((keys.collect(), ranked_at))
}

/// Requests from this hour on of up to `limit` keys whose ids come after `after`.
pub async fn by_key(
    db: &Db,
    workspace: &WorkspaceId,
    after: &str,
    since_hour: i64,
    limit: i64,
) -> Result<Vec<Totals<ApiKeyId>>, DbError> {
    let rows: Vec<(ApiKeyId, String, Option<i64>, Option<i64>)> = on_db!(db, |pool| sqlx::query_as(BY_KEY)
        .bind(workspace)
        .bind(after)
        .bind(since_hour)
        .bind(limit)
        .fetch_all(pool)
        .await)?;
    let totals = rows.into_iter().map(|(id, name, accepted, refused)| {
        Totals::new((id, name, accepted.unwrap_or_default(), refused.unwrap_or_default()))
    });
    Ok(totals.collect())
}
