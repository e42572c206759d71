//! SQL for lists of conversations: filters, pages, counts, samples, transcript search.

use super::scope;
use crate::base::id::{AgentId, WorkspaceId};
use crate::conversations::cursor::Cursor;
use crate::conversations::document::StoredConversation;
use crate::conversations::full_text::Speaker;
use crate::conversations::live_form::LiveConversation;
use crate::conversations::query::{LeadingFilter, ListMode, ListQuery, MAX_CHANNELS, channel_forms};
use crate::db::{Db, DbError};
use crate::{on_db, statements};

/// Ids of a batch, from parameter $5 on.
macro_rules! batch_ids {
    () => {
        "id IN ($5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,
                $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45,
                $46, $47, $48, $49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60, $61, $62, $63, $64, $65,
                $66, $67, $68)"
    };
}

/// Maximum number of conversations that one statement reads.
pub const BATCH_SIZE: usize = 64;

/// The filters of a list. ($4, $5) is the cursor, or the end of the span of time. $7 to $14 are channel names;
/// $7 is empty for all channels. $15 to $22 are channel families.
macro_rules! filters {
    () => {
        "workspace_id = $1 AND agent_id = $2 AND environment = $3
            AND (started_at, id) < ($4, $5) AND started_at >= $6
            AND ($7 = '' OR UPPER(channel) IN ($7, $8, $9, $10, $11, $12, $13, $14)
                OR (channel_family <> '' AND channel_family IN ($15, $16, $17, $18, $19, $20, $21, $22)))
            AND ($23 = '' OR variant_id = $23) AND ($24 = '' OR variant_name = $24)
            AND ($25 = '' OR in_progress = ($25 = 'true'))
            AND ($26 = '' OR language = $26) AND ($27 = '' OR direction = $27)
            AND ($28 = '' OR EXISTS (SELECT 1 FROM conversation_tags t WHERE t.workspace_id = $1 AND t.agent_id = $2
                AND t.conversation_id = id AND t.tag = $28))"
    };
}

macro_rules! page {
    () => {
        " ORDER BY started_at DESC, id DESC LIMIT $29 OFFSET $30"
    };
}

/// What the index of a leading filter holds: the condition on its column, and that of the partial index.
macro_rules! leading {
    (variant_id) => {
        " AND variant_id = $23 AND variant_id <> '' AND LENGTH(variant_id) <= 200"
    };
    (variant_name) => {
        " AND variant_name = $24 AND variant_name <> '' AND LENGTH(variant_name) <= 200"
    };
    (in_progress) => {
        " AND in_progress"
    };
    (language) => {
        " AND language = $26 AND language <> '' AND LENGTH(language) <= 200"
    };
    (direction) => {
        " AND direction = $27 AND direction <> '' AND LENGTH(direction) <= 200"
    };
    (channel) => {
        " AND UPPER(channel) = $7 AND LENGTH(channel) <= 200"
    };
    (channel_family) => {
        " AND channel_family = $15 AND LENGTH(channel_family) <= 200"
    };
}

/// The cursors of a page, read in the order of the leading filter's index.
macro_rules! places_by {
    ($filter:ident) => {
        concat!("SELECT started_at, id FROM conversations WHERE ", filters!(), leading!($filter), page!())
    };
}

macro_rules! count_by {
    ($filter:ident) => {
        concat!("SELECT COUNT(*) FROM conversations WHERE ", filters!(), leading!($filter))
    };
}

/// The conversations with the tag $28, in the order of the tags' index.
macro_rules! tagged {
    () => {
        "(SELECT t.started_at AS tagged_at, t.conversation_id FROM conversation_tags t WHERE t.workspace_id = $1
            AND t.agent_id = $2 AND t.environment = $3 AND t.tag = $28 AND (t.started_at, t.conversation_id) < ($4, $5)
            AND t.started_at >= $6) AS tagged
            CROSS JOIN conversations WHERE id = conversation_id AND "
    };
}

/// Binds the parameters of [`filters`].
macro_rules! bind_filters {
    ($sql:expr, $workspace:expr, $agent:expr, $query:expr) => {{
        let place = $query.below();
        let (names, families): (Vec<String>, Vec<String>) =
            $query.channels.iter().map(|channel| channel_forms(channel)).unzip();
        let mut sql = $sql
            .bind($workspace)
            .bind($agent)
            .bind(&$query.environment)
            .bind(place.started_at)
            .bind(place.id)
            .bind($query.start);
        for texts in [&names, &families] {
            for at in 0..MAX_CHANNELS {
                sql = sql.bind(texts.get(at).cloned().unwrap_or_default());
            }
        }
        sql.bind($query.variant_id.as_deref().unwrap_or_default())
            .bind($query.variant_name.as_deref().unwrap_or_default())
            .bind($query.in_progress.map(|flag| flag.to_string()).unwrap_or_default())
            .bind($query.language.as_deref().unwrap_or_default())
            .bind($query.direction.as_deref().unwrap_or_default())
            .bind($query.tag.as_deref().unwrap_or_default())
    }};
}

statements! {
    PLACES = concat!("SELECT started_at, id FROM conversations WHERE ", filters!(), page!());
    COUNT = concat!("SELECT COUNT(*) FROM conversations WHERE ", filters!());
    // The inner statement draws the sample, the outer one sorts it.
    SAMPLE = concat!("SELECT started_at, id FROM (SELECT started_at, id FROM conversations WHERE ", filters!(),
        " ORDER BY RANDOM() LIMIT $29) AS drawn", page!());
    PLACES_BY_VARIANT_ID = places_by!(variant_id);
    PLACES_BY_VARIANT_NAME = places_by!(variant_name);
    PLACES_BY_IN_PROGRESS = places_by!(in_progress);
    PLACES_BY_LANGUAGE = places_by!(language);
    PLACES_BY_DIRECTION = places_by!(direction);
    PLACES_BY_CHANNEL = places_by!(channel);
    PLACES_BY_CHANNEL_FAMILY = places_by!(channel_family);
    COUNT_BY_VARIANT_ID = count_by!(variant_id);
    COUNT_BY_VARIANT_NAME = count_by!(variant_name);
    COUNT_BY_IN_PROGRESS = count_by!(in_progress);
    COUNT_BY_LANGUAGE = count_by!(language);
    COUNT_BY_DIRECTION = count_by!(direction);
    COUNT_BY_CHANNEL = count_by!(channel);
    COUNT_BY_CHANNEL_FAMILY = count_by!(channel_family);
    PLACES_BY_TAG = concat!("SELECT started_at, id FROM ", tagged!(), filters!(),
        " ORDER BY tagged_at DESC, conversation_id DESC LIMIT $29 OFFSET $30");
    COUNT_BY_TAG = concat!("SELECT COUNT(*) FROM ", tagged!(), filters!());
    BATCH = concat!("SELECT ", columns!("$3", "$4"), " FROM conversations
        WHERE workspace_id = $1 AND agent_id = $2 AND ", batch_ids!());
    // Lists have no turns: both $3 and $4 are false.
    LIVE_BATCH = concat!("SELECT ", live_columns!("($3 OR $4)"), " FROM conversations
        WHERE workspace_id = $1 AND agent_id = $2 AND ", batch_ids!());
    LATEST = "SELECT id FROM conversations WHERE workspace_id = $1 AND agent_id = $2 AND environment = 'live'
        ORDER BY started_at DESC, id DESC LIMIT 1";
}

/// Full-text search differs between the engines, so each has its own statements.
const SEARCH_SQLITE: &str = concat!(
    "SELECT started_at, id FROM conversations WHERE ",
    filters!(),
    " AND id IN (SELECT t.conversation_id FROM transcript_words w CROSS JOIN transcripts t ON t.number = w.rowid
        WHERE transcript_words MATCH $31 AND t.workspace_id = $1 AND t.agent_id = $2)",
    page!()
);
macro_rules! search_postgres {
    ($column:literal) => {
        concat!(
            "SELECT started_at, id FROM conversations JOIN (SELECT conversation_id FROM transcripts
                WHERE workspace_id = $1 AND agent_id = $2 AND ",
            $column,
            " @@ $31::tsquery) AS found ON conversation_id = id WHERE ",
            filters!(),
            page!()
        )
    };
}

/// Statements for SQLite only.
pub const SQLITE_STATEMENTS: [&str; 1] = [SEARCH_SQLITE];
/// Statements for PostgreSQL only.
pub const POSTGRES_STATEMENTS: [&str; 3] =
    [search_postgres!("user_words"), search_postgres!("agent_words"), search_postgres!("words")];

/// The statements for the page and for the count that read the index of the query's leading filter.
fn by_leading_filter(query: &ListQuery) -> (&'static str, &'static str) {
    match query.leading_filter() {
        None => (PLACES, COUNT),
        Some(LeadingFilter::Tag) => (PLACES_BY_TAG, COUNT_BY_TAG),
        Some(LeadingFilter::VariantId) => (PLACES_BY_VARIANT_ID, COUNT_BY_VARIANT_ID),
        Some(LeadingFilter::VariantName) => (PLACES_BY_VARIANT_NAME, COUNT_BY_VARIANT_NAME),
        Some(LeadingFilter::InProgress) => (PLACES_BY_IN_PROGRESS, COUNT_BY_IN_PROGRESS),
        Some(LeadingFilter::Language) => (PLACES_BY_LANGUAGE, COUNT_BY_LANGUAGE),
        Some(LeadingFilter::Channel) => (PLACES_BY_CHANNEL, COUNT_BY_CHANNEL),
        Some(LeadingFilter::ChannelFamily) => (PLACES_BY_CHANNEL_FAMILY, COUNT_BY_CHANNEL_FAMILY),
        Some(LeadingFilter::Direction) => (PLACES_BY_DIRECTION, COUNT_BY_DIRECTION),
    }
}

/// Cursors of the conversations on a page, newest first, and of one more conversation if there is a next page. A sample
/// has only one page.
pub async fn places(
    db: &Db,
    workspace: &WorkspaceId,
    agent: &AgentId,
    query: &ListQuery,
) -> Result<Vec<Cursor>, DbError> {
    let more = i64::from(query.mode != ListMode::Sample);
    macro_rules! rows {
        ($sql:expr) => {
            bind_filters!(sqlx::query_as($sql), workspace, agent, query)
                .bind(i64::from(query.limit) + more)
                .bind(i64::from(query.offset))
        };
    }
    Ok(match &query.mode {
        ListMode::All => on_db!(db, |c| rows!(by_leading_filter(query).0).fetch_all(c).await)?,
        ListMode::Sample => on_db!(db, |c| rows!(SAMPLE).fetch_all(c).await)?,
        ListMode::Transcript(search) => {
            let by_speaker = match search.speaker() {
                Some(Speaker::User) => search_postgres!("user_words"),
                Some(Speaker::Agent) => search_postgres!("agent_words"),
                None => search_postgres!("words"),
            };
            on_db!(
                db,
                sqlite | c | rows!(SEARCH_SQLITE).bind(search.fts5(&scope(workspace, agent))).fetch_all(c).await,
                // Not a prepared statement, so that PostgreSQL plans each search by its words: scanning from the newest
                // is better for common words, the text index for rare ones.
                postgres | c | rows!(by_speaker).bind(search.tsquery()).persistent(false).fetch_all(c).await
            )?
        }
    })
}

/// The conversations at these cursors, at most [`BATCH_SIZE`], in the same order. Conversations deleted meanwhile are
/// left out.
pub async fn batch(
    db: &Db,
    workspace: &WorkspaceId,
    agent: &AgentId,
    places: &[Cursor],
    with_turns: bool,
    with_latency: bool,
) -> Result<Vec<StoredConversation>, DbError> {
    let mut found: Vec<StoredConversation> = on_db!(db, |pool| {
        let mut sql =
            sqlx::query_as(BATCH).bind(workspace).bind(agent).bind(with_turns).bind(with_turns && with_latency);
        for at in 0..BATCH_SIZE {
            sql = sql.bind(places.get(at).map(|place| place.id.as_str()).unwrap_or_default());
        }
        sql.fetch_all(pool).await
    })?;
    found.sort_by_key(|stored| places.iter().position(|place| place.id == stored.id));
    Ok(found)
}

/// Like [`batch`], for responses in the live form, without turns.
pub async fn live_batch(
    db: &Db,
    workspace: &WorkspaceId,
    agent: &AgentId,
    places: &[Cursor],
) -> Result<Vec<LiveConversation>, DbError> {
    let mut found: Vec<LiveConversation> = on_db!(db, |pool| {
        let mut sql = sqlx::query_as(LIVE_BATCH).bind(workspace).bind(agent).bind(false).bind(false);
        for at in 0..BATCH_SIZE {
            sql = sql.bind(places.get(at).map(|place| place.id.as_str()).unwrap_or_default());
        }
        sql.fetch_all(pool).await
    })?;
    found.sort_by_key(|stored| places.iter().position(|place| place.id == stored.id));
    Ok(found)
}

/// The id of an agent's latest live conversation.
pub async fn latest(db: &Db, workspace: &WorkspaceId, agent: &AgentId) -> Result<Option<String>, DbError> {
    let row: Option<(String,)> =
        on_db!(db, |pool| sqlx::query_as(LATEST).bind(workspace).bind(agent).fetch_optional(pool).await)?;
    Ok(row.map(|(id,)| id))
}

/// Number of conversations that match the filters, on all pages.
pub async fn count(db: &Db, workspace: &WorkspaceId, agent: &AgentId, query: &ListQuery) -> Result<i64, DbError> {
    let (count,): (i64,) =
        on_db!(db, |pool| bind_filters!(sqlx::query_as(by_leading_filter(query).1), workspace, agent, query)
            .fetch_one(pool)
            .await)?;
    Ok(count)
}
