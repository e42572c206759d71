//! Handlers of the Conversations API: version 3, and the retired versions before it.

use crate::api::openapi::{AgentPath, Refusals};
use crate::api_keys::Permission;
use crate::base::bulk;
use crate::configuration::Configuration;
use crate::conversations::cursor::{Cursor, is_id};
use crate::conversations::document;
use crate::conversations::query::{ListMode, ListQuery, include_latency};
use crate::conversations::schema::{Conversation, ConversationPage, FilterParameters, PageParameters};
use crate::conversations::service::{BATCH_SIZE, Conversations, ListReader};
use crate::db::DbError;
use crate::gate::AuthorisedCall;
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

/// Size of the first batch of a page, before the length of its conversations is known.
const FIRST_BATCH: usize = 8;
/// Approximate size of the chunks of a page, in bytes.
const CHUNK: usize = 256 * 1024;
/// How long a page waits for a slow client before it gives up its turn.
const SLOW_CLIENT_WAIT: Duration = Duration::from_millis(200);

/// List conversations
///
/// Newest first. The response is streamed.
#[utoipa::path(
    get,
    path = "/{account_id}/{project_id}/conversations",
    operation_id = "list_conversations",
    tag = "Conversations",
    security(("key" = [])),
    params(AgentPath, FilterParameters, PageParameters),
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
    if matches!(query.mode, ListMode::Transcript(_)) {
        caller.may_search(&pass)?;
    }
    let (chunks, mut written) = mpsc::channel(1);
    let writing = bulk::begin(write_page(conversations, pass, query, chunks));
    // An error before the first chunk gets its own status. A later one aborts the response.
    let first = written.recv().await.ok_or_else(ApiError::internal)??;
    let rest = stream::unfold((written, writing), |(mut written, writing)| async {
        Some((written.recv().await?, (written, writing)))
    });
    let all = stream::once(async { Ok(first) }).chain(rest).map_err(|error| std::io::Error::other(error.message));
    Ok(json_body(Body::from_stream(all)))
}

/// Finds the conversations of a page and writes them.
async fn write_page(
    conversations: Conversations,
    pass: AuthorisedCall,
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

/// The JSON after the conversations: offset and cursor of the next page.
fn page_end(query: &ListQuery, places: &[Cursor], more: bool) -> String {
    let Some(last) = places.last().filter(|_| more) else { return "],\"cursor\":null}".to_owned() };
    let mut end = "]".to_owned();
    if query.cursor.is_none() {
        let _ = write!(end, ",\"next_offset\":{}", query.offset as usize + places.len());
    }
    let _ = write!(end, ",\"cursor\":\"{}\"}}", last.encode());
    end
}

/// Writes a page in batches, so that a large page needs no more memory than a small one, and a slow client holds no
/// database connection.
struct PageWriter {
    pass: AuthorisedCall,
    allowed: Arc<Configuration>,
    places: Vec<Cursor>,
    with_latency: bool,
    end: String,
}

impl PageWriter {
    /// Writes the page. Gives up the turn while the client is slow.
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
            // Estimates the size of the next batch from the length of this one.
            let length = chunk.as_ref().map_or(0, String::len).max(1);
            size = (CHUNK * places.len() / length).clamp(1, BATCH_SIZE);
            let failed = chunk.is_err();
            let slot = match timeout(SLOW_CLIENT_WAIT, chunks.reserve()).await {
                Ok(slot) => {
                    turn = Some(reader);
                    slot
                }
                Err(_) => {
                    drop(reader);
                    chunks.reserve().await
                }
            };
            // The client has disconnected.
            let Ok(slot) = slot else { return };
            slot.send(chunk.map(Bytes::from));
            if failed {
                return;
            }
        }
        // If the page is empty, its beginning was not written yet.
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
/// The response is 410 and names the new path in v3.
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
/// The response is 410 and names the new path in v3.
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

/// 410 with the new path. `uri` has no version prefix, because the routers of retired versions are nested.
fn retired(uri: &Uri) -> ApiError {
    let message = format!("This version of the Conversations API is retired. Move to v3: /v3{}", uri.path());
    ApiError::new(StatusCode::GONE, "API_VERSION_RETIRED", message)
}

/// 404 for an agent that the key covers.
pub fn no_such_conversation() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "CONVERSATIONS_NOT_FOUND", "Conversation ID does not exist.")
}

/// 500: a stored conversation cannot be read.
pub fn unreadable(error: serde_json::Error) -> ApiError {
    tracing::error!(%error, "a stored conversation is not readable");
    ApiError::internal()
}
