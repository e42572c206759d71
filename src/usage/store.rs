//! SQL for usage. Writes are batched: one statement takes all rows as a JSON array of arrays.

/// Totals of workspaces, and the keys with the most calls.
pub mod totals;

use crate::agents::AgentName;
use crate::api_keys::Permission;
use crate::base::id::{AgentId, ApiKeyId, WorkspaceId};
use crate::base::randomness::Random;
use crate::base::text::without_secrets;
use crate::base::time::Timestamp;
use crate::db::rows::run;
use crate::db::{Change, Db, DbError};
use crate::http::envelope::CorrelationId;
use crate::usage::record::{AgentsCalled, CountedCalls, RequestLogRow};
use crate::usage::{Api, Outcome, Tally};
use crate::{on_change, on_db, row_statements, rows, statements};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Longest HTTP method that is stored, in characters.
const MAX_METHOD: usize = 20;

macro_rules! add_counts {
    ($engine:ident, $table:literal, $column:literal, $owner:literal) => {
        concat!(
            "INSERT INTO ",
            $table,
            " (workspace_id, ",
            $column,
            ", hour, outcome, requests)
            SELECT r.value ->> 0, r.value ->> 1, CAST(r.value ->> 2 AS BIGINT), r.value ->> 3, CAST(r.value ->> 4 AS BIGINT)
            FROM ",
            rows!($engine),
            " JOIN ",
            $owner,
            " WHERE TRUE ORDER BY 1, 2, 3, 4
            ON CONFLICT (workspace_id, ",
            $column,
            ", hour, outcome) DO UPDATE SET requests = ",
            $table,
            ".requests + excluded.requests"
        )
    };
}
macro_rules! add_key_counts {
    ($engine:ident) => {
        add_counts!(
            $engine,
            "key_usage",
            "key_id",
            "api_keys k ON k.workspace_id = r.value ->> 0 AND k.id = r.value ->> 1"
        )
    };
}
macro_rules! add_api_counts {
    ($engine:ident) => {
        add_counts!($engine, "api_usage", "api", "workspaces w ON w.id = r.value ->> 0")
    };
}
macro_rules! add_agent_counts {
    ($engine:ident) => {
        add_counts!(
            $engine,
            "agent_usage",
            "agent_id",
            "agents a ON a.workspace_id = r.value ->> 0 AND a.id = r.value ->> 1"
        )
    };
}
/// The later one of a column and a value of the row.
macro_rules! later {
    ($column:literal, $place:literal) => {
        concat!(
            $column,
            " = CASE WHEN CAST(r.value ->> ",
            $place,
            " AS BIGINT) > ",
            $column,
            " THEN CAST(r.value ->> ",
            $place,
            " AS BIGINT) ELSE ",
            $column,
            " END"
        )
    };
}
macro_rules! set_uses {
    ($engine:ident) => {
        concat!(
            "UPDATE api_keys SET ",
            later!("last_used_at", 2), ", ",
            later!("conversations_used_at", 3), ", ",
            later!("handoff_used_at", 4), ", ",
            later!("external_events_used_at", 5), ", ",
            later!("agents_used_at", 6),
            ", agent_called = CASE WHEN r.value ->> 7 = '' THEN agent_called
                WHEN agent_called IN ('', r.value ->> 7) THEN r.value ->> 7 ELSE '*' END,
            last_address = COALESCE(r.value ->> 8, last_address), last_program = COALESCE(r.value ->> 9, last_program)
            FROM ",
            rows!($engine),
            " WHERE workspace_id = r.value ->> 0 AND api_keys.id = r.value ->> 1"
        )
    };
}
macro_rules! insert_rows {
    ($engine:ident) => {
        concat!(
            "INSERT INTO requests (workspace_id, id, at, key_id, api, method, path, status, outcome, duration,
                correlation_id, address, program, old_value, agent_id)
            SELECT w.id, r.value ->> 1, CAST(r.value ->> 2 AS BIGINT), r.value ->> 3, r.value ->> 4, r.value ->> 5,
                r.value ->> 6, CAST(r.value ->> 7 AS BIGINT), r.value ->> 8, CAST(r.value ->> 9 AS BIGINT),
                r.value ->> 10, r.value ->> 11, r.value ->> 12, CAST(r.value ->> 13 AS BIGINT) = 1, r.value ->> 14
            FROM ",
            rows!($engine),
            " JOIN workspaces w ON w.id = r.value ->> 0"
        )
    };
}

macro_rules! set_top_keys {
    ($engine:ident) => {
        concat!(
            "INSERT INTO top_keys (workspace_id, days, place, key_id, accepted, refused, at)
            SELECT r.value ->> 0, CAST(r.value ->> 1 AS BIGINT), CAST(r.value ->> 2 AS BIGINT), r.value ->> 3,
                CAST(r.value ->> 4 AS BIGINT), CAST(r.value ->> 5 AS BIGINT), CAST(r.value ->> 6 AS BIGINT)
            FROM ",
            rows!($engine),
            " JOIN api_keys k ON k.workspace_id = r.value ->> 0 AND k.id = r.value ->> 3 WHERE TRUE
            ON CONFLICT (workspace_id, days, place) DO UPDATE SET key_id = excluded.key_id,
                accepted = excluded.accepted, refused = excluded.refused, at = excluded.at"
        )
    };
}

row_statements! {
    ADD_KEY_COUNTS = add_key_counts;
    ADD_API_COUNTS = add_api_counts;
    ADD_AGENT_COUNTS = add_agent_counts;
    SET_USES = set_uses;
    INSERT_ROWS = insert_rows;
    SET_TOP_KEYS = set_top_keys;
}

macro_rules! found {
    () => {
        "SELECT r.id, r.at, r.key_id, COALESCE(k.name, '') AS key_name, r.api, r.method, r.path, r.status, r.outcome,
            r.duration, r.correlation_id, r.address, r.program, r.old_value
        FROM requests r LEFT JOIN api_keys k ON k.workspace_id = r.workspace_id AND k.id = r.key_id AND k.deleted_at = 0"
    };
}

statements! {
    COUNTS = "SELECT hour, outcome, requests FROM key_usage WHERE workspace_id = $1 AND key_id = $2 AND hour >= $3
        ORDER BY hour";
    REQUESTS = concat!(found!(), " WHERE r.workspace_id = $1 AND r.key_id = $2 AND (r.at, r.id) < ($3, $4)
            AND ($5 = '' OR r.outcome = $5) AND ($6 = '' OR r.api = $6)
        ORDER BY r.at DESC, r.id DESC LIMIT $7");
    // A separate statement, so that the index of refused calls is used.
    REFUSED = concat!(found!(), " WHERE r.workspace_id = $1 AND r.key_id = $2 AND (r.at, r.id) < ($3, $4)
            AND r.outcome <> 'accepted' AND ($5 = '' OR r.outcome = $5) AND ($6 = '' OR r.api = $6)
        ORDER BY r.at DESC, r.id DESC LIMIT $7");
    // The index of calls with old values has only these.
    BY_OLD_VALUE = concat!(found!(), " WHERE r.workspace_id = $1 AND r.key_id = $2 AND r.old_value AND r.at >= $3
            AND r.outcome = 'accepted' ORDER BY r.at DESC, r.id DESC LIMIT 1");
    // The latest rows only, so that busy keys do not take long.
    CLIENTS = "SELECT address, program, MAX(at) FROM
        (SELECT address, program, at FROM requests WHERE workspace_id = $1 AND key_id = $2 AND at >= $3
            AND outcome = 'accepted' AND (old_value OR NOT $4) AND ($5 = '' OR api = $5) ORDER BY at DESC LIMIT 5000) AS latest
        GROUP BY address, program ORDER BY MAX(at) DESC LIMIT 5";
    CLIENTS_OF_AGENT = "SELECT address, program, MAX(at) FROM
        (SELECT address, program, at, agent_id FROM requests WHERE workspace_id = $1 AND at >= $3
            AND outcome = 'accepted' ORDER BY at DESC LIMIT 20000) AS latest
        WHERE agent_id = $2 GROUP BY address, program ORDER BY MAX(at) DESC LIMIT 5";
    ADDRESSES = "SELECT address, COUNT(*), MAX(at) FROM
        (SELECT address, at FROM requests WHERE workspace_id = $1 AND key_id = $2 AND at >= $3
            AND outcome = 'accepted' ORDER BY at DESC LIMIT 20000) AS latest
        WHERE address <> '' GROUP BY address ORDER BY MAX(at) DESC LIMIT $4";
    COUNTS_OF_AGENT = "SELECT hour, CAST(SUM(requests) AS BIGINT) FROM agent_usage
        WHERE workspace_id = $1 AND agent_id = $2 AND hour >= $3 AND outcome = 'accepted' GROUP BY hour ORDER BY hour";
    // `$2` is the first hour of the month, `$3` the first of the time in which refusals count.
    NEAR_LIMITS = "SELECT id, name, quota, used, limited FROM
        (SELECT k.id, k.name, COALESCE(k.quota, 0) AS quota,
            COALESCE((SELECT CAST(SUM(requests) AS BIGINT) FROM key_usage u WHERE u.workspace_id = k.workspace_id
                AND u.key_id = k.id AND u.hour >= $2 AND u.outcome = 'accepted'), 0) AS used,
            COALESCE((SELECT CAST(SUM(requests) AS BIGINT) FROM key_usage u WHERE u.workspace_id = k.workspace_id
                AND u.key_id = k.id AND u.hour >= $3 AND u.outcome IN ('rate-limited', 'quota-used')), 0) AS limited
        FROM api_keys k WHERE k.workspace_id = $1 AND k.deleted_at = 0
            AND (k.quota IS NOT NULL OR k.rate_calls IS NOT NULL)) AS limits
        WHERE limited > 0 OR (quota > 0 AND used * 5 >= quota * 4)
        ORDER BY limited DESC, CASE WHEN quota > 0 THEN used * 100 / quota ELSE 0 END DESC, id LIMIT $4";
    BY_CORRELATION = concat!(found!(), " WHERE r.workspace_id = $1 AND r.correlation_id = $2
        ORDER BY r.at DESC, r.id DESC LIMIT 20");
    // The server's own housekeeping, for all workspaces.
    BEGIN_FLUSH = "INSERT INTO usage_flushes (id, at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
    DELETE_FLUSHES = "DELETE FROM usage_flushes WHERE at < $1";
    WORKSPACES = "SELECT id FROM workspaces";
    NTH_NEWEST = "SELECT at FROM requests WHERE workspace_id = $1 ORDER BY at DESC, id DESC LIMIT 1 OFFSET $2";
    DELETE_ROWS = "DELETE FROM requests WHERE workspace_id = $1 AND id IN
        (SELECT id FROM requests WHERE workspace_id = $1 AND at < $2 ORDER BY at, id LIMIT $3)";
}

/// Begins to write the flush with this id; `false` if it was written already.
pub async fn begin_flush(change: &mut Change, id: &str) -> Result<bool, DbError> {
    let now = change.now();
    let begun = on_change!(change, |c| sqlx::query(BEGIN_FLUSH)
        .bind(id)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(begun > 0)
}

/// Deletes the ids of flushes that were written before this time.
pub async fn delete_flushes(change: &mut Change, before: Timestamp) -> Result<(), DbError> {
    Ok(on_change!(change, |c| sqlx::query(DELETE_FLUSHES).bind(before).execute(c).await.map(|_| ()))?)
}

/// Adds counts to the stored ones. Counts of deleted keys, agents and workspaces are dropped.
pub async fn add_counts(change: &mut Change, counted: &CountedCalls) -> Result<(), DbError> {
    let by_key = counted
        .by_key
        .iter()
        .map(|((workspace, key, hour, tally), calls)| json!([workspace, key, hour, tally.id(), calls]));
    run(change, ADD_KEY_COUNTS, &by_key.collect::<Vec<_>>()).await?;
    let by_agent = counted
        .by_agent
        .iter()
        .map(|((workspace, agent, hour, outcome), calls)| json!([workspace, agent, hour, outcome.id(), calls]));
    run(change, ADD_AGENT_COUNTS, &by_agent.collect::<Vec<_>>()).await?;
    let by_api = counted
        .by_api
        .iter()
        .map(|((workspace, api, hour, outcome), calls)| json!([workspace, api.id(), hour, outcome.id(), calls]));
    run(change, ADD_API_COUNTS, &by_api.collect::<Vec<_>>()).await
}

/// Updates what is stored about the use of keys.
pub async fn set_uses(change: &mut Change, counted: &CountedCalls) -> Result<(), DbError> {
    let rows = counted.uses.iter().map(|((workspace, key), used)| {
        let [conversations, handoff, external_events, agents] =
            Permission::ALL.map(|permission| used.permissions.get(&permission).map_or(0, |at| at.0));
        let agent = match &used.agents {
            AgentsCalled::None => "",
            AgentsCalled::One(agent) => agent.as_str(),
            AgentsCalled::Several => "*",
        };
        let (address, program) = used.client.as_ref().map(|(address, program)| (address, program)).unzip();
        json!([workspace, key, used.at, conversations, handoff, external_events, agents, agent, address, program])
    });
    run(change, SET_USES, &rows.collect::<Vec<_>>()).await
}

/// Inserts rows of the request log. Rows of deleted workspaces are dropped.
pub async fn insert_rows(change: &mut Change, random: &Random, rows: &[RequestLogRow]) -> Result<(), DbError> {
    let rows: Vec<_> = rows.iter().map(|row| values(random, row)).collect();
    run(change, INSERT_ROWS, &rows).await
}

fn values(random: &Random, row: &RequestLogRow) -> serde_json::Value {
    let (method, uri) = row.call.request();
    json!([
        row.key.workspace,
        random.text(b"0123456789abcdefghijklmnopqrstuvwxyz", 16),
        row.call.at(),
        row.key.id,
        row.call.api.id(),
        method.as_str().chars().take(MAX_METHOD).collect::<String>(),
        without_secrets(uri.path()),
        row.status,
        row.outcome.id(),
        row.duration.as_micros() as u64,
        without_secrets(&row.call.correlation_id(random).0),
        row.call.address_text(),
        row.call.program(),
        i64::from(row.key.is_old_value),
        row.call.agent().map_or("", |agent| agent.id.as_str()),
    ])
}

/// The address of calls that were made earlier.
pub const PAST_ADDRESS: &str = "203.0.113.7";

/// A call that was made earlier.
#[derive(Clone, Debug)]
pub struct PastCall {
    pub key: ApiKeyId,
    pub at: Timestamp,
    pub api: Api,
    /// The agent that it names.
    pub agent: Option<Arc<AgentName>>,
    pub path: String,
    pub status: u16,
    pub outcome: Outcome,
    pub duration: Duration,
    /// What called (`User-Agent`).
    pub program: &'static str,
    /// Whether it came with the value that a rotation replaced.
    pub old_value: bool,
}

/// Inserts earlier calls into the request log.
pub async fn insert_past(change: &mut Change, workspace: &WorkspaceId, calls: &[PastCall]) -> Result<(), DbError> {
    let random = change.random().clone();
    let row = |call: &PastCall| {
        json!([
            workspace,
            random.text(b"0123456789abcdefghijklmnopqrstuvwxyz", 16),
            call.at,
            call.key,
            call.api.id(),
            if call.api == Api::ExternalEvents { "POST" } else { "GET" },
            call.path,
            call.status,
            call.outcome.id(),
            call.duration.as_micros() as u64,
            CorrelationId::generate(&random).0,
            PAST_ADDRESS,
            call.program,
            i64::from(call.old_value),
            call.agent.as_ref().map_or("", |agent| agent.id.as_str()),
        ])
    };
    let rows: Vec<_> = calls.iter().map(row).collect();
    run(change, INSERT_ROWS, &rows).await
}

/// Number of a key's requests in one hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HourCount {
    /// Hours since 1970.
    pub hour: i64,
    pub tally: Tally,
    pub requests: u64,
}

/// A key's counts from this hour on, oldest first.
pub async fn counts(
    db: &Db,
    workspace: &WorkspaceId,
    key: &ApiKeyId,
    since_hour: i64,
) -> Result<Vec<HourCount>, DbError> {
    let rows: Vec<(i64, String, i64)> =
        on_db!(db, |pool| sqlx::query_as(COUNTS).bind(workspace).bind(key).bind(since_hour).fetch_all(pool).await)?;
    let counts = rows.into_iter().filter_map(|(hour, tally, requests)| {
        Some(HourCount { hour, tally: Tally::parse(&tally)?, requests: requests.max(0) as u64 })
    });
    Ok(counts.collect())
}

/// A call in the request log.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct LoggedCall {
    pub id: String,
    pub at: Timestamp,
    pub key_id: ApiKeyId,
    /// Empty if the key was deleted.
    pub key_name: String,
    pub api: String,
    pub method: String,
    pub path: String,
    pub status: i64,
    pub outcome: String,
    /// Microseconds until the response began.
    pub duration: i64,
    pub correlation_id: String,
    pub address: String,
    /// What called (`User-Agent`); empty if it did not say.
    pub program: String,
    /// Whether it came with the value that a rotation replaced.
    pub old_value: bool,
}

/// Filter and position of a page of a key's request log.
#[derive(Clone, Debug, Default)]
pub struct RequestFilter {
    /// Only refused calls.
    pub refused: bool,
    pub outcome: Option<Outcome>,
    pub api: Option<Api>,
    /// Time and id of the row after which the page begins.
    pub after: Option<(Timestamp, String)>,
}

/// A page of a key's request log, newest first.
pub async fn requests(
    db: &Db,
    workspace: &WorkspaceId,
    key: &ApiKeyId,
    filter: &RequestFilter,
    limit: i64,
) -> Result<Vec<LoggedCall>, DbError> {
    let (at, id) = filter.after.clone().unwrap_or((Timestamp(i64::MAX), String::new()));
    let sql = if filter.refused { REFUSED } else { REQUESTS };
    Ok(on_db!(db, |pool| sqlx::query_as(sql)
        .bind(workspace)
        .bind(key)
        .bind(at)
        .bind(id)
        .bind(filter.outcome.map(Outcome::id).unwrap_or_default())
        .bind(filter.api.map(Api::id).unwrap_or_default())
        .bind(limit)
        .fetch_all(pool)
        .await)?)
}

/// The latest accepted call since this instant with the value of a key that a rotation replaced.
pub async fn last_by_old_value(
    db: &Db,
    workspace: &WorkspaceId,
    key: &ApiKeyId,
    since: Timestamp,
) -> Result<Option<LoggedCall>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(BY_OLD_VALUE)
        .bind(workspace)
        .bind(key)
        .bind(since)
        .fetch_optional(pool)
        .await)?)
}

/// Who made a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallClient {
    /// IP address; empty if it is not known.
    pub address: String,
    /// What called (`User-Agent`); empty if it did not say.
    pub program: String,
}

/// A key that reached a limit, or used at least four fifths of its quota.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct KeyNearLimits {
    pub id: ApiKeyId,
    pub name: String,
    /// 0 for no quota.
    pub quota: i64,
    /// Accepted calls in this month (UTC).
    pub used: i64,
    /// Calls that were refused because of a limit.
    pub limited: i64,
}

/// Keys that are near their limits, at most `limit`: first those with the most calls that were refused since `since_hour`.
pub async fn near_limits(
    db: &Db,
    workspace: &WorkspaceId,
    month_hour: i64,
    since_hour: i64,
    limit: i64,
) -> Result<Vec<KeyNearLimits>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(NEAR_LIMITS)
        .bind(workspace)
        .bind(month_hour)
        .bind(since_hour)
        .bind(limit)
        .fetch_all(pool)
        .await)?)
}

/// Addresses from which a key's latest calls were accepted since this instant, the latest first, with their numbers of
/// calls.
pub async fn addresses(
    db: &Db,
    workspace: &WorkspaceId,
    key: &ApiKeyId,
    since: Timestamp,
    limit: i64,
) -> Result<Vec<(String, i64)>, DbError> {
    let rows: Vec<(String, i64, Timestamp)> = on_db!(db, |pool| sqlx::query_as(ADDRESSES)
        .bind(workspace)
        .bind(key)
        .bind(since)
        .bind(limit)
        .fetch_all(pool)
        .await)?;
    Ok(rows.into_iter().map(|(address, calls, _)| (address, calls)).collect())
}

/// An agent's accepted calls by hour, oldest first.
pub async fn counts_of_agent(
    db: &Db,
    workspace: &WorkspaceId,
    agent: &AgentId,
    since_hour: i64,
) -> Result<Vec<(i64, u64)>, DbError> {
    let rows: Vec<(i64, i64)> = on_db!(db, |pool| sqlx::query_as(COUNTS_OF_AGENT)
        .bind(workspace)
        .bind(agent)
        .bind(since_hour)
        .fetch_all(pool)
        .await)?;
    Ok(rows.into_iter().map(|(hour, calls)| (hour, calls.max(0) as u64)).collect())
}

/// Who made the latest accepted calls to an agent, at most 5, and when the last one was made.
pub async fn clients_of_agent(
    db: &Db,
    workspace: &WorkspaceId,
    agent: &AgentId,
    since: Timestamp,
) -> Result<(Vec<CallClient>, Option<Timestamp>), DbError> {
    let rows: Vec<(String, String, Timestamp)> = on_db!(db, |pool| sqlx::query_as(CLIENTS_OF_AGENT)
        .bind(workspace)
        .bind(agent)
        .bind(since)
        .fetch_all(pool)
        .await)?;
    Ok(latest_clients(rows))
}

fn latest_clients(rows: Vec<(String, String, Timestamp)>) -> (Vec<CallClient>, Option<Timestamp>) {
    let last = rows.first().map(|(.., at)| *at);
    (rows.into_iter().map(|(address, program, _)| CallClient { address, program }).collect(), last)
}

/// Who made a key's latest accepted calls since this instant, at most 5, and when the last one was made. With `old_value`
/// only the calls with the value that a rotation replaced, with `api` only those to this API.
pub async fn clients(
    db: &Db,
    workspace: &WorkspaceId,
    key: &ApiKeyId,
    since: Timestamp,
    old_value: bool,
    api: Option<Api>,
) -> Result<(Vec<CallClient>, Option<Timestamp>), DbError> {
    let rows: Vec<(String, String, Timestamp)> = on_db!(db, |pool| sqlx::query_as(CLIENTS)
        .bind(workspace)
        .bind(key)
        .bind(since)
        .bind(old_value)
        .bind(api.map(Api::id).unwrap_or_default())
        .fetch_all(pool)
        .await)?;
    Ok(latest_clients(rows))
}

/// The latest calls with this correlation id, at most 20.
pub async fn by_correlation(db: &Db, workspace: &WorkspaceId, id: &str) -> Result<Vec<LoggedCall>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(BY_CORRELATION).bind(workspace).bind(id).fetch_all(pool).await)?)
}

/// The ids of all workspaces.
pub async fn workspaces(db: &Db) -> Result<Vec<WorkspaceId>, DbError> {
    let rows: Vec<(WorkspaceId,)> = on_db!(db, |pool| sqlx::query_as(WORKSPACES).fetch_all(pool).await)?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Time of the newest row beyond the `rows` newest of a workspace's log; `None` if there are no more.
pub async fn nth_newest(db: &Db, workspace: &WorkspaceId, rows: i64) -> Result<Option<Timestamp>, DbError> {
    let row: Option<(Timestamp,)> =
        on_db!(db, |pool| sqlx::query_as(NTH_NEWEST).bind(workspace).bind(rows).fetch_optional(pool).await)?;
    Ok(row.map(|(at,)| at))
}

/// Deletes up to `limit` rows of a workspace's log that are older than `before`, and returns their number.
pub async fn delete_rows(
    change: &mut Change,
    workspace: &WorkspaceId,
    before: Timestamp,
    limit: i64,
) -> Result<u64, DbError> {
    Ok(on_change!(change, |c| sqlx::query(DELETE_ROWS)
        .bind(workspace)
        .bind(before)
        .bind(limit)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}
