//! The SQL on conversations.

use super::cursor::Cursor;
use super::document::{Document, Stored};
use super::query::{ListQuery, MAX_CHANNELS, channel_forms};
use crate::error::Error;
use crate::id::{AgentId, WorkspaceId};
use crate::server::db::{Db, Tx};
use crate::time::Timestamp;
use crate::{on_db, on_tx, statements};

macro_rules! columns {
    ($transcript:literal, $latency:literal) => {
        concat!(
            "id, started_at, document, handoff_reason, handoff_destination, metrics, CASE WHEN ",
            $transcript,
            " THEN turns ELSE '[]' END AS turns, CASE WHEN ",
            $latency,
            " THEN latencies ELSE '[]' END AS latencies"
        )
    };
}

statements! {
    // $8 is the first of the channels as stored, or empty for all; $16 the first of their families.
    LIST = concat!("SELECT ", columns!("$26", "$27"), " FROM conversations
        WHERE workspace_id = $1 AND agent_id = $2 AND environment = $3
            AND (started_at, id) < ($4, $5) AND started_at >= $6 AND started_at < $7
            AND ($8 = '' OR UPPER(channel) IN ($8, $9, $10, $11, $12, $13, $14, $15)
                OR (channel_family <> '' AND channel_family IN ($16, $17, $18, $19, $20, $21, $22, $23)))
            AND ($24 = '' OR variant_id = $24) AND ($25 = '' OR variant_name = $25)
            AND ($28 = '' OR in_progress = ($28 = 'true'))
        ORDER BY started_at DESC, id DESC LIMIT $29 OFFSET $30");
    FIND = concat!("SELECT ", columns!("$4", "$5"), " FROM conversations
        WHERE workspace_id = $1 AND agent_id = $2 AND id = $3");
    UPSERT = "INSERT INTO conversations (workspace_id, agent_id, id, environment, started_at, in_progress, channel,
            channel_family, variant_id, variant_name, document, handoff_reason, handoff_destination, metrics, turns,
            latencies, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
        ON CONFLICT (workspace_id, agent_id, id) DO UPDATE SET environment = excluded.environment,
            started_at = excluded.started_at, in_progress = excluded.in_progress, channel = excluded.channel,
            channel_family = excluded.channel_family, variant_id = excluded.variant_id,
            variant_name = excluded.variant_name, document = excluded.document,
            handoff_reason = excluded.handoff_reason, handoff_destination = excluded.handoff_destination,
            metrics = excluded.metrics, turns = excluded.turns, latencies = excluded.latencies,
            updated_at = excluded.updated_at";
    INSERT_METRIC_NAME = "INSERT INTO metric_names (workspace_id, agent_id, name) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING";
}

/// A page, newest first; one more than asked for where there are more.
pub async fn list(
    db: &Db,
    workspace: &WorkspaceId,
    agent: &AgentId,
    query: &ListQuery,
    with_turns: bool,
) -> Result<Vec<Stored>, Error> {
    let top = Cursor::top();
    let place = query.cursor.as_ref().unwrap_or(&top);
    let (names, families): (Vec<String>, Vec<String>) = query.channels.iter().map(|c| channel_forms(c)).unzip();
    let padded = |texts: &[String], at: usize| texts.get(at).cloned().unwrap_or_default();
    let in_progress = query.in_progress.map(|flag| flag.to_string()).unwrap_or_default();
    Ok(on_db!(db, |pool| {
        let mut sql = sqlx::query_as(LIST)
            .bind(workspace)
            .bind(agent)
            .bind(&query.environment)
            .bind(place.started_at)
            .bind(&place.id)
            .bind(query.start)
            .bind(query.end);
        for texts in [&names, &families] {
            for at in 0..MAX_CHANNELS {
                sql = sql.bind(padded(texts, at));
            }
        }
        sql.bind(query.variant_id.as_deref().unwrap_or_default())
            .bind(query.variant_name.as_deref().unwrap_or_default())
            .bind(with_turns)
            .bind(with_turns && query.include_latency)
            .bind(in_progress)
            .bind(i64::from(query.limit) + 1)
            .bind(i64::from(query.offset))
            .fetch_all(pool)
            .await
    })?)
}

/// One conversation.
pub async fn find(
    db: &Db,
    workspace: &WorkspaceId,
    agent: &AgentId,
    id: &str,
    with_turns: bool,
    with_latency: bool,
) -> Result<Option<Stored>, Error> {
    Ok(on_db!(db, |pool| sqlx::query_as(FIND)
        .bind(workspace)
        .bind(agent)
        .bind(id)
        .bind(with_turns)
        .bind(with_turns && with_latency)
        .fetch_optional(pool)
        .await)?)
}

/// Writes a conversation, in place of an earlier one with its id.
pub async fn upsert(
    tx: &mut Tx,
    workspace: &WorkspaceId,
    agent: &AgentId,
    document: &Document,
    now: Timestamp,
) -> Result<(), Error> {
    Ok(on_tx!(tx, |c| sqlx::query(UPSERT)
        .bind(workspace)
        .bind(agent)
        .bind(&document.id)
        .bind(&document.environment)
        .bind(document.started_at)
        .bind(document.in_progress)
        .bind(&document.channel)
        .bind(&document.channel_family)
        .bind(&document.variant_id)
        .bind(&document.variant_name)
        .bind(&document.always)
        .bind(&document.handoff_reason)
        .bind(&document.handoff_destination)
        .bind(&document.metrics)
        .bind(&document.turns)
        .bind(&document.latencies)
        .bind(now)
        .execute(c)
        .await
        .map(|_| ()))?)
}

/// Notes that an agent has reported this metric.
pub async fn insert_metric_name(
    tx: &mut Tx,
    workspace: &WorkspaceId,
    agent: &AgentId,
    name: &str,
) -> Result<(), Error> {
    Ok(on_tx!(tx, |c| sqlx::query(INSERT_METRIC_NAME)
        .bind(workspace)
        .bind(agent)
        .bind(name)
        .execute(c)
        .await
        .map(|_| ()))?)
}
