//! SQL for conversations.

use crate::base::id::{AgentId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::conversations::document::{Document, LockedConversation, StoredConversation, Transcript};
use crate::conversations::live_form::LiveConversation;
use crate::db::{Change, Db, DbError};
use crate::{on_change, on_db, statements};
use sqlx::SqliteConnection;
use std::collections::HashSet;

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

/// The columns of the live form. Those of the transcript are empty unless the parameter is set.
macro_rules! live_columns {
    ($transcript:literal) => {
        concat!(
            "id, started_at, document, handoff_reason, handoff_destination, metrics, metric_entries, extras, CASE WHEN ",
            $transcript,
            " THEN turns ELSE '[]' END AS turns, CASE WHEN ",
            $transcript,
            " THEN latencies ELSE '[]' END AS latencies, CASE WHEN ",
            $transcript,
            " THEN turn_extras ELSE '[]' END AS turn_extras, CASE WHEN ",
            $transcript,
            " THEN function_events ELSE '{}' END AS function_events"
        )
    };
}

/// Starts and ends of concurrent conversations.
pub mod concurrency;
/// Lists: filters, pages, counts.
pub mod lists;

statements! {
    FIND = concat!("SELECT ", columns!("$4", "$5"), " FROM conversations
        WHERE workspace_id = $1 AND agent_id = $2 AND id = $3");
    FIND_LIVE = concat!("SELECT ", live_columns!("$4"), " FROM conversations
        WHERE workspace_id = $1 AND agent_id = $2 AND id = $3");
    UPSERT = "INSERT INTO conversations (workspace_id, agent_id, id, environment, started_at, in_progress, channel,
            channel_family, variant_id, variant_name, document, handoff_reason, handoff_destination, metrics, turns,
            latencies, updated_at, metric_entries, extras, turn_extras, function_events, language, direction,
            from_number, to_number, total_duration)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
            $24, $25, $26)
        ON CONFLICT (workspace_id, agent_id, id) DO UPDATE SET environment = excluded.environment,
            started_at = excluded.started_at, in_progress = excluded.in_progress, channel = excluded.channel,
            channel_family = excluded.channel_family, variant_id = excluded.variant_id,
            variant_name = excluded.variant_name, document = excluded.document,
            handoff_reason = excluded.handoff_reason, handoff_destination = excluded.handoff_destination,
            metrics = excluded.metrics, turns = excluded.turns, latencies = excluded.latencies,
            updated_at = excluded.updated_at, metric_entries = excluded.metric_entries, extras = excluded.extras,
            turn_extras = excluded.turn_extras, function_events = excluded.function_events,
            language = excluded.language, direction = excluded.direction, from_number = excluded.from_number,
            to_number = excluded.to_number, total_duration = excluded.total_duration
        RETURNING (SELECT COUNT(*) FROM conversation_tags t WHERE t.workspace_id = $1 AND t.agent_id = $2
            AND t.conversation_id = $3)";
    DELETE_TAGS = "DELETE FROM conversation_tags WHERE workspace_id = $1 AND agent_id = $2 AND conversation_id = $3";
    INSERT_TAG = "INSERT INTO conversation_tags (workspace_id, agent_id, conversation_id, tag, environment, started_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    IN_PROGRESS = "SELECT in_progress FROM conversations WHERE workspace_id = $1 AND agent_id = $2 AND id = $3";
    // An update to the same value locks the row on both engines.
    LOCK = "UPDATE conversations SET updated_at = updated_at
        WHERE workspace_id = $1 AND agent_id = $2 AND id = $3 RETURNING in_progress, document, turns, latencies,
            turn_extras";
    // Covers all workspaces: the server indexes old transcripts after an upgrade, and shows the result to nobody.
    WITHOUT_WORDS = "SELECT c.workspace_id, c.agent_id, c.id FROM conversations c
        WHERE (c.workspace_id, c.agent_id, c.id) > ($1, $2, $3) AND NOT EXISTS (SELECT 1 FROM transcripts t
            WHERE t.workspace_id = c.workspace_id AND t.agent_id = c.agent_id AND t.conversation_id = c.id)
        ORDER BY c.workspace_id, c.agent_id, c.id LIMIT $4";
    UPDATE_TURNS = "UPDATE conversations SET document = $4, turns = $5, latencies = $6, updated_at = $7, turn_extras = $8
        WHERE workspace_id = $1 AND agent_id = $2 AND id = $3";
    DELETE = "DELETE FROM conversations WHERE workspace_id = $1 AND agent_id = $2 AND id = $3";
    // Deletes by start, up to that of the last of the $3 oldest. This needs only the index, and spares a conversation
    // that was replaced by a newer one meanwhile.
    DELETE_OLDER = "DELETE FROM conversations WHERE workspace_id = $1 AND started_at <= (SELECT MAX(started_at) FROM
        (SELECT started_at FROM conversations WHERE workspace_id = $1 AND started_at < $2
            ORDER BY started_at LIMIT $3) AS oldest)";
    DELETE_SOME = "DELETE FROM conversations WHERE workspace_id = $1 AND agent_id = $2 AND id IN
        (SELECT id FROM conversations WHERE workspace_id = $1 AND agent_id = $2 LIMIT $3)";
    INSERT_METRIC_NAME = "INSERT INTO metric_names (workspace_id, agent_id, name) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING";
}

const COUNT_EXISTING_SQLITE: &str = "SELECT COUNT(*) FROM conversations
    WHERE workspace_id = $1 AND agent_id = $2 AND id IN (SELECT value FROM json_each($3))";
const COUNT_EXISTING_POSTGRES: &str = "SELECT COUNT(*) FROM conversations
    WHERE workspace_id = $1 AND agent_id = $2 AND id IN (SELECT json_array_elements_text(CAST($3 AS json)))";
const NUMBER_SQLITE: &str = "SELECT number FROM transcripts
    WHERE workspace_id = $1 AND agent_id = $2 AND conversation_id = $3";
const NEW_NUMBER_SQLITE: &str =
    "INSERT INTO transcripts (workspace_id, agent_id, conversation_id) VALUES ($1, $2, $3) RETURNING number";
const FORGET_WORDS_SQLITE: &str = "DELETE FROM transcript_words WHERE rowid = $1";
const WORDS_SQLITE: &str =
    "INSERT INTO transcript_words (rowid, scope, user_words, agent_words) VALUES ($1, $2, $3, $4)";
const INDEX_POSTGRES: &str =
    "INSERT INTO transcripts (workspace_id, agent_id, conversation_id, user_words, agent_words, words)
        VALUES ($1, $2, $3, $4::tsvector, $5::tsvector, $6::tsvector)
    ON CONFLICT (workspace_id, agent_id, conversation_id) DO UPDATE SET user_words = excluded.user_words,
        agent_words = excluded.agent_words, words = excluded.words";

/// Statements for SQLite only.
pub const SQLITE_STATEMENTS: [&str; 5] =
    [COUNT_EXISTING_SQLITE, NUMBER_SQLITE, NEW_NUMBER_SQLITE, FORGET_WORDS_SQLITE, WORDS_SQLITE];
/// Statements for PostgreSQL only.
pub const POSTGRES_STATEMENTS: [&str; 2] = [COUNT_EXISTING_POSTGRES, INDEX_POSTGRES];

/// One conversation for a response in the live form.
pub async fn find_live(
    db: &Db,
    workspace: &WorkspaceId,
    agent: &AgentId,
    id: &str,
    with_turns: bool,
) -> Result<Option<LiveConversation>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(FIND_LIVE)
        .bind(workspace)
        .bind(agent)
        .bind(id)
        .bind(with_turns)
        .fetch_optional(pool)
        .await)?)
}

/// A single token that identifies an agent in SQLite's full-text index.
fn scope(workspace: &WorkspaceId, agent: &AgentId) -> String {
    // The tokenizer would split the text at other ASCII characters, such as hyphens.
    format!("{workspace}/{agent}").replace(|c: char| !c.is_ascii_alphanumeric(), "·")
}

/// Stores the words of a conversation's transcript in the full-text index, and replaces earlier ones.
pub async fn index(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    id: &str,
    transcript: &Transcript,
) -> Result<(), DbError> {
    Ok(on_change!(
        change,
        sqlite | c | index_sqlite(c, workspace, agent, id, transcript).await,
        postgres
            | c
            | sqlx::query(INDEX_POSTGRES)
                .bind(workspace)
                .bind(agent)
                .bind(id)
                .bind(transcript.user.vector())
                .bind(transcript.agent.vector())
                .bind(transcript.both.vector())
                .execute(c)
                .await
                .map(|_| ())
    )?)
}

async fn index_sqlite(
    connection: &mut SqliteConnection,
    workspace: &WorkspaceId,
    agent: &AgentId,
    id: &str,
    transcript: &Transcript,
) -> Result<(), sqlx::Error> {
    let known: Option<(i64,)> =
        sqlx::query_as(NUMBER_SQLITE).bind(workspace).bind(agent).bind(id).fetch_optional(&mut *connection).await?;
    let number = match known {
        // Deleted only if there are words, because FTS5 leaves a tombstone that slows down every search.
        Some((number,)) => {
            sqlx::query(FORGET_WORDS_SQLITE).bind(number).execute(&mut *connection).await?;
            number
        }
        None => {
            let new = sqlx::query_as(NEW_NUMBER_SQLITE).bind(workspace).bind(agent).bind(id);
            let (number,): (i64,) = new.fetch_one(&mut *connection).await?;
            number
        }
    };
    sqlx::query(WORDS_SQLITE)
        .bind(number)
        .bind(scope(workspace, agent))
        .bind(transcript.user.text())
        .bind(transcript.agent.text())
        .execute(&mut *connection)
        .await?;
    Ok(())
}

/// One conversation, optionally with its turns and their latencies.
pub async fn find(
    db: &Db,
    workspace: &WorkspaceId,
    agent: &AgentId,
    id: &str,
    with_turns: bool,
    with_latency: bool,
) -> Result<Option<StoredConversation>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(FIND)
        .bind(workspace)
        .bind(agent)
        .bind(id)
        .bind(with_turns)
        .bind(with_turns && with_latency)
        .fetch_optional(pool)
        .await)?)
}

/// Stores a conversation with the words of its transcript, and replaces an earlier one with the same id.
pub async fn upsert(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    document: &Document,
    now: Timestamp,
) -> Result<(), DbError> {
    let (earlier_tags,): (i64,) = on_change!(change, |c| sqlx::query_as(UPSERT)
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
        .bind(&document.metric_entries)
        .bind(&document.extras)
        .bind(&document.turn_extras)
        .bind(&document.function_events)
        .bind(&document.language)
        .bind(&document.direction)
        .bind(&document.from_number)
        .bind(&document.to_number)
        .bind(i64::from(document.total_duration))
        .fetch_one(c)
        .await)?;
    if earlier_tags > 0 {
        on_change!(change, |c| sqlx::query(DELETE_TAGS)
            .bind(workspace)
            .bind(agent)
            .bind(&document.id)
            .execute(c)
            .await
            .map(|_| ()))?;
    }
    for tag in &document.tags {
        insert_tag(change, workspace, agent, document, tag).await?;
    }
    index(change, workspace, agent, &document.id, &document.transcript).await
}

async fn insert_tag(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    document: &Document,
    tag: &str,
) -> Result<(), DbError> {
    Ok(on_change!(change, |c| sqlx::query(INSERT_TAG)
        .bind(workspace)
        .bind(agent)
        .bind(&document.id)
        .bind(tag)
        .bind(&document.environment)
        .bind(document.started_at)
        .execute(c)
        .await
        .map(|_| ()))?)
}

/// Whether a conversation is in progress; `None` if it does not exist.
pub async fn in_progress(db: &Db, workspace: &WorkspaceId, agent: &AgentId, id: &str) -> Result<Option<bool>, DbError> {
    let row: Option<(bool,)> =
        on_db!(db, |pool| sqlx::query_as(IN_PROGRESS).bind(workspace).bind(agent).bind(id).fetch_optional(pool).await)?;
    Ok(row.map(|(in_progress,)| in_progress))
}

/// Number of these ids that belong to stored conversations.
pub async fn count_existing(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    ids: &HashSet<&str>,
) -> Result<u64, DbError> {
    let ids = serde_json::to_string(ids).map_err(|_| DbError::Failed)?;
    let (count,): (i64,) = on_change!(
        change,
        sqlite | c | sqlx::query_as(COUNT_EXISTING_SQLITE).bind(workspace).bind(agent).bind(ids).fetch_one(c).await,
        postgres | c | sqlx::query_as(COUNT_EXISTING_POSTGRES).bind(workspace).bind(agent).bind(ids).fetch_one(c).await
    )?;
    Ok(count as u64)
}

/// Locks a conversation until the transaction ends; `None` if it does not exist.
pub async fn lock(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    id: &str,
) -> Result<Option<LockedConversation>, DbError> {
    Ok(on_change!(change, |c| sqlx::query_as(LOCK).bind(workspace).bind(agent).bind(id).fetch_optional(c).await)?)
}

/// The primary key of a conversation.
pub type ConversationKey = (WorkspaceId, AgentId, String);

/// Up to `limit` conversations of all workspaces that are not in the full-text index, in the order of their keys, after
/// `after`.
pub async fn without_words(
    db: &Db,
    after: Option<&ConversationKey>,
    limit: i64,
) -> Result<Vec<ConversationKey>, DbError> {
    let (workspace, agent, id) =
        after.map_or(("", "", ""), |(workspace, agent, id)| (workspace.as_str(), agent.as_str(), id.as_str()));
    Ok(on_db!(db, |pool| sqlx::query_as(WITHOUT_WORDS)
        .bind(workspace)
        .bind(agent)
        .bind(id)
        .bind(limit)
        .fetch_all(pool)
        .await)?)
}

/// Updates the turns of a locked conversation.
pub async fn update_turns(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    id: &str,
    held: &LockedConversation,
    now: Timestamp,
) -> Result<(), DbError> {
    on_change!(change, |c| sqlx::query(UPDATE_TURNS)
        .bind(workspace)
        .bind(agent)
        .bind(id)
        .bind(&held.document)
        .bind(&held.turns)
        .bind(&held.latencies)
        .bind(now)
        .bind(&held.turn_extras)
        .execute(c)
        .await
        .map(|_| ()))?;
    index(change, workspace, agent, id, &held.transcript()?).await
}

/// Deletes a conversation and the rows that reference it.
pub async fn delete(change: &mut Change, workspace: &WorkspaceId, agent: &AgentId, id: &str) -> Result<(), DbError> {
    Ok(on_change!(change, |c| sqlx::query(DELETE).bind(workspace).bind(agent).bind(id).execute(c).await.map(|_| ()))?)
}

/// Deletes the oldest of a workspace's conversations that began before `than`, and returns their number. It can exceed
/// `limit` if several began at the same time.
pub async fn delete_older(
    change: &mut Change,
    workspace: &WorkspaceId,
    than: Timestamp,
    limit: i64,
) -> Result<u64, DbError> {
    Ok(on_change!(change, |c| sqlx::query(DELETE_OLDER)
        .bind(workspace)
        .bind(than)
        .bind(limit)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

/// Deletes up to `limit` of an agent's conversations and returns their number.
pub async fn delete_some(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    limit: i64,
) -> Result<u64, DbError> {
    Ok(on_change!(change, |c| sqlx::query(DELETE_SOME)
        .bind(workspace)
        .bind(agent)
        .bind(limit)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

/// Records that this metric occurred in an agent's conversations.
pub async fn insert_metric_name(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    name: &str,
) -> Result<(), DbError> {
    Ok(on_change!(change, |c| sqlx::query(INSERT_METRIC_NAME)
        .bind(workspace)
        .bind(agent)
        .bind(name)
        .execute(c)
        .await
        .map(|_| ()))?)
}
