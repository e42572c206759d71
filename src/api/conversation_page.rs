//! Streams a page of conversations, in the form of v3 or in that of the live service.

use crate::base::bulk;
use crate::configuration::Configuration;
use crate::conversations::cursor::Cursor;
use crate::conversations::query::ListQuery;
use crate::conversations::service::{BATCH_SIZE, Conversations, ListReader};
use crate::conversations::{document, live_form};
use crate::db::DbError;
use crate::gate::AuthorisedCall;
use crate::http::envelope::{ApiError, json_body};
use axum::body::{Body, Bytes};
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

/// The form of a page and of its conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageForm {
    /// snake_case, with turns and a cursor.
    V3,
    /// camelCase, without turns, with the number of conversations on all pages.
    Live,
}

/// Answers with a page of the conversations that match the query.
pub async fn stream(
    conversations: Conversations,
    pass: AuthorisedCall,
    query: ListQuery,
    form: PageForm,
) -> Result<Response, ApiError> {
    let (chunks, mut written) = mpsc::channel(1);
    let writing = bulk::begin(write_page(conversations, pass, query, form, chunks));
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
    form: PageForm,
    chunks: mpsc::Sender<Result<Bytes, ApiError>>,
) {
    let found = async {
        let reader = conversations.list_reader().await?;
        let (workspace, agent) = (&pass.workspace.id, &pass.agent.id);
        let count = match form {
            PageForm::V3 => None,
            PageForm::Live => Some(reader.count(workspace, agent, &query).await?),
        };
        let places = reader.places(workspace, agent, &query).await?;
        Ok::<_, DbError>((reader, places, count))
    };
    let (reader, mut places, count) = match found.await {
        Ok(found) => found,
        Err(error) => {
            let _ = chunks.send(Err(error.into())).await;
            return;
        }
    };
    let more = places.len() > query.limit as usize;
    places.truncate(query.limit as usize);
    let end = match count {
        Some(count) => format!("],\"count\":{count},\"limit\":{},\"offset\":{}}}", query.limit, query.offset),
        None => page_end(&query, &places, more),
    };
    let allowed = pass.configuration.clone();
    let page = PageWriter { pass, allowed, places, form, with_latency: query.include_latency, end };
    page.write(&conversations, reader, chunks).await;
}

/// The JSON after the conversations of v3: offset and cursor of the next page.
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
    form: PageForm,
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
        let mut chunk = String::new();
        let mut separate = |chunk: &mut String| chunk.push_str(std::mem::replace(separator, ","));
        match self.form {
            PageForm::V3 => {
                let with_turns = self.allowed.transcript;
                for stored in reader.batch(workspace, agent, places, with_turns, self.with_latency).await? {
                    separate(&mut chunk);
                    document::write(&mut chunk, &stored, workspace, agent, &self.allowed).map_err(unreadable)?;
                }
            }
            PageForm::Live => {
                for stored in reader.live_batch(workspace, agent, places).await? {
                    separate(&mut chunk);
                    live_form::write_summary(&mut chunk, &stored, workspace, agent, &self.allowed)
                        .map_err(unreadable)?;
                }
            }
        }
        Ok(chunk)
    }
}

/// 500: a stored conversation cannot be read.
pub fn unreadable(error: serde_json::Error) -> ApiError {
    tracing::error!(%error, "a stored conversation is not readable");
    ApiError::internal()
}
