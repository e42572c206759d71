//! The Conversations API's handlers.

use crate::api::openapi::{AgentPath, Refusals};
use crate::api_keys::Permission;
use crate::base::bulk;
use crate::configuration::Configuration;
use crate::conversations::cursor::{Cursor, is_id};
use crate::conversations::document;
use crate::conversations::query::{ListQuery, Mode, include_latency};
use crate::conversations::schema::{Conversation, ConversationPage, Filters, Paging};
use crate::conversations::service::{BATCH_SIZE, Conversations, ListReader};
use crate::db::DbError;
use crate::gate::Pass;
use crate::gate::caller::Caller;
use crate::http::envelope::{ApiError, Envelope, json_body};
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How many conversations of a page are read first, before it is known how long they are.
const FIRST_BATCH: usize = 8;
/// About how many bytes of a page are written at a time.
const CHUNK: usize = 256 * 1024;
/// How long a page waits for its reader before it lets others have its turn.
const KEEPS_ITS_TURN: Duration = Duration::from_millis(200);

/// List conversations
///
/// Newest first. A page of any size is streamed.
#[utoipa::path(
    get,
    path = "/{account_id}/{project_id}/conversations",
    operation_id = "list_conversations",
    tag = "Conversations",
    security(("key" = [])),
    params(AgentPath, Filters, Paging),
    responses(
        (status = 200, description = "A page of conversations.", body = ConversationPage),
        Refusals,
        (status = 501, description = "`query_type=semantic` does not exist yet.", body = Envelope),
    ),
)]
pub async fn list(
    State(conversations): State<Conversations>,
    Path((account_id, project_id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    caller: Caller,
) -> Result<Response, ApiError> {
    let pass = caller.admit(Permission::Conversations, &account_id, &project_id).await?;
    let query = ListQuery::parse(query.as_deref().unwrap_or_default())?;
    if matches!(query.mode, Mode::Transcript(_)) {
        caller.may_search(&pass)?;
    }
    let (chunks, mut written) = mpsc::channel(1);
    let writing = bulk::begin(write_page(conversations, pass, query, chunks));
    // An error before anything was sent has its own status; one after that breaks the answer off.
    let first = written.recv().await.ok_or_else(ApiError::internal)??;
    let rest = stream::unfold((written, writing), |(mut written, writing)| async {
        Some((written.recv().await?, (written, writing)))
    });
    let all = stream::once(async { Ok(first) }).chain(rest).map_err(|error| std::io::Error::other(error.message));
    Ok(json_body(Body::from_stream(all)))
}

/// Finds out what is on a page, and writes it.
async fn write_page(
    conversations: Conversations,
    pass: Pass,
    query: ListQuery,
    chunks: mpsc::Sender<Result<Bytes, ApiError>>,
) {
    let found = async {
        let reader = conversations.list_reader().await?;
        let places = reader.places(&pass.workspace.id, &pass.agent.id, &query).await?;
        Ok::<_, DbError>((reader, places))
    };
    let (reader, mut places) = match found.await {
        Ok(found) => found,
        Err(error) => {
            let _ = chunks.send(Err(error.into())).await;
            return;
        }
    };
    let more = places.len() > query.limit as usize;
    places.truncate(query.limit as usize);
    let end = page_end(&query, &places, more);
    let allowed = pass.configuration.clone();
    let page = PageWriter { pass, allowed, places, with_latency: query.include_latency, end };
    page.write(&conversations, reader, chunks).await;
}

/// What comes after the conversations: where the next page begins.
fn page_end(query: &ListQuery, places: &[Cursor], more: bool) -> String {
    let Some(last) = places.last().filter(|_| more) else { return "],\"cursor\":null}".to_owned() };
    let mut end = "]".to_owned();
    if query.cursor.is_none() {
        let _ = write!(end, ",\"next_offset\":{}", query.offset as usize + places.len());
    }
    let _ = write!(end, ",\"cursor\":\"{}\"}}", last.encode());
    end
}

/// A page on its way out. A few conversations at a time are read and written, so that a large page costs no more memory
/// than a small one, and a slow reader no database connection.
struct PageWriter {
    pass: Pass,
    allowed: Arc<Configuration>,
    places: Vec<Cursor>,
    with_latency: bool,
    end: String,
}

impl PageWriter {
    /// The turn is given up while the client is slow.
    async fn write(
        self,
        conversations: &Conversations,
        reader: ListReader,
        chunks: mpsc::Sender<Result<Bytes, ApiError>>,
    ) {
        let mut turn = Some(reader);
        let mut separator = "{\"conversations\":[";
        let mut rest = &self.places[..];
        let mut size = FIRST_BATCH;
        while !rest.is_empty() {
            let reader = match turn.take() {
                Some(reader) => reader,
                None => match conversations.list_reader_again().await {
                    Ok(reader) => reader,
                    Err(error) => {
                        let _ = chunks.send(Err(error.into())).await;
                        return;
                    }
                },
            };
            let (places, later) = rest.split_at(size.min(rest.len()));
            rest = later;
            let chunk = self.chunk(&reader, places, &mut separator).await;
            // As many as are about this long together, going by those that came before.
            let length = chunk.as_ref().map_or(0, String::len).max(1);
            size = (CHUNK * places.len() / length).clamp(1, BATCH_SIZE);
            let failed = chunk.is_err();
            let slot = match timeout(KEEPS_ITS_TURN, chunks.reserve()).await {
                Ok(slot) => {
                    turn = Some(reader);
                    slot
                }
                Err(_) => {
                    drop(reader);
                    chunks.reserve().await
                }
            };
            // Nobody reads on.
            let Ok(slot) = slot else { return };
            slot.send(chunk.map(Bytes::from));
            if failed {
                return;
            }
        }
        // Where there was nothing before the first separator, it is still to be written.
        let beginning = if separator == "," { "" } else { separator };
        let _ = chunks.send(Ok(Bytes::from(format!("{beginning}{}", self.end)))).await;
    }

    async fn chunk(&self, reader: &ListReader, places: &[Cursor], separator: &mut &str) -> Result<String, ApiError> {
        let (workspace, agent) = (&self.pass.workspace.id, &self.pass.agent.id);
        let with_turns = self.allowed.transcript;
        let batch = reader.batch(workspace, agent, places, with_turns, self.with_latency).await?;
        let mut chunk = String::new();
        for stored in &batch {
            chunk.push_str(separator);
            *separator = ",";
            document::write(&mut chunk, stored, workspace, agent, &self.allowed).map_err(unreadable)?;
        }
        Ok(chunk)
    }
}

/// Get a conversation
#[utoipa::path(
    get,
    path = "/{account_id}/{project_id}/conversations/{id}",
    operation_id = "get_conversation",
    tag = "Conversations",
    security(("key" = [])),
    params(
        AgentPath,
        ("id" = String, Path, description = "The conversation's id."),
        ("include_latency" = Option<bool>, Query, description = "Adds each turn's latency in seconds."),
    ),
    responses((status = 200, description = "The conversation.", body = Conversation), Refusals),
)]
pub async fn find(
    State(conversations): State<Conversations>,
    Path((account_id, project_id, id)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    caller: Caller,
) -> Result<Response, ApiError> {
    let pass = caller.admit(Permission::Conversations, &account_id, &project_id).await?;
    let with_latency = include_latency(query.as_deref().unwrap_or_default())?;
    let (workspace, agent) = (&pass.workspace.id, &pass.agent.id);
    let allowed = pass.configuration.clone();
    let found = match is_id(&id) {
        true => conversations.find(workspace, agent, &id, allowed.transcript, with_latency).await?,
        false => None,
    };
    let stored = found.ok_or_else(no_such_conversation)?;
    let mut body = String::new();
    document::write(&mut body, &stored, workspace, agent, &allowed).map_err(unreadable)?;
    Ok(json_body(Body::from(body)))
}

/// List conversations: retired
///
/// Answers 410 and names the path in v3 to move to.
#[utoipa::path(
    get,
    path = "/{account_id}/{project_id}/conversations",
    tag = "Retired",
    security(()),
    params(AgentPath),
    responses((status = 410, description = "Moved to v3.", body = Envelope)),
)]
#[deprecated]
pub async fn retired_list(uri: Uri) -> ApiError {
    retired(&uri)
}

/// Get a conversation: retired
///
/// Answers 410 and names the path in v3 to move to.
#[utoipa::path(
    get,
    path = "/{account_id}/{project_id}/conversations/{id}",
    tag = "Retired",
    security(()),
    params(AgentPath, ("id" = String, Path, description = "The conversation's id.")),
    responses((status = 410, description = "Moved to v3.", body = Envelope)),
)]
#[deprecated]
pub async fn retired_find(uri: Uri) -> ApiError {
    retired(&uri)
}

/// 410, with the path to move to; the retired versions' routers are nested.
fn retired(uri: &Uri) -> ApiError {
    let message = format!("This version of the Conversations API is retired. Move to v3: /v3{}", uri.path());
    ApiError::new(StatusCode::GONE, "API_VERSION_RETIRED", message)
}

/// 404, inside the key's reach.
pub fn no_such_conversation() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "CONVERSATIONS_NOT_FOUND", "Conversation ID does not exist.")
}

/// 500: what was stored cannot be read.
pub fn unreadable(error: serde_json::Error) -> ApiError {
    tracing::error!(%error, "a stored conversation is not readable");
    ApiError::internal()
}
