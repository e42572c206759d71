//! Values that are shown once. Between the form that makes one and the page that shows it, it waits sealed in a row of its
//! own, which one request takes; an address could not carry it without spilling it into logs and histories.

use crate::base::error::Error;
use crate::base::id::{UserId, WorkspaceId};
use crate::base::sealing::Sealed;
use crate::base::secret::Revealed;
use crate::base::time::Timestamp;
use crate::db::{Db, Tx, Work};
use crate::server::state::App;
use crate::web::guard::Member;
use crate::{on_tx, statements};
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;
use http_body::{Frame, SizeHint};
use leptos::prelude::use_context;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

/// How long a value waits, in seconds.
const WAITS: i64 = 300;

statements! {
    INSERT = "INSERT INTO shown_once (workspace_id, user_id, subject, sealed, master_key_id, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (workspace_id, user_id, subject) DO UPDATE SET sealed = excluded.sealed,
            master_key_id = excluded.master_key_id, expires_at = excluded.expires_at";
    TAKE = "DELETE FROM shown_once WHERE workspace_id = $1 AND user_id = $2 AND subject = $3 AND expires_at > $4
        RETURNING workspace_id, user_id, subject, sealed, master_key_id, expires_at";
    PUT_BACK = "INSERT INTO shown_once (workspace_id, user_id, subject, sealed, master_key_id, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (workspace_id, user_id, subject) DO NOTHING";
    // Of every workspace: what the server does of itself.
    DELETE_EXPIRED = "DELETE FROM shown_once WHERE expires_at <= $1";
}

/// A value that waits to be shown.
#[derive(Clone, Debug, sqlx::FromRow)]
struct WaitingValue {
    workspace_id: WorkspaceId,
    user_id: UserId,
    subject: String,
    sealed: Vec<u8>,
    master_key_id: String,
    expires_at: Timestamp,
}

/// Puts the value of something where the next page finds it, in place of one that waits already.
pub async fn put(member: &Member, subject: &str, value: &str) -> Result<(), Error> {
    let app = member.app();
    let sealed = app.master_key.seal(value, &place(member, subject), &app.random)?;
    let waiting = WaitingValue {
        workspace_id: member.workspace().id.clone(),
        user_id: member.visitor.user.clone(),
        subject: subject.to_owned(),
        sealed: sealed.bytes,
        master_key_id: sealed.master_key_id,
        expires_at: app.clock.now().plus_seconds(WAITS),
    };
    write(&app.db, INSERT, &waiting).await
}

/// Takes the value of something out; `None` where none waits, or where the request will show it to nobody. To be called last,
/// once the page can show it.
pub async fn take(member: &Member, subject: &str) -> Result<Option<Revealed>, Error> {
    let app = member.app();
    // Where the request is gone already, so is its context.
    let parts = use_context::<Parts>().filter(|parts| !shows_to_nobody(parts));
    let Some(answer) = parts.and_then(|parts| parts.extensions.get::<Taken>().cloned()) else { return Ok(None) };
    // A task of its own: a request that is given up in the middle must not leave it open whether the value was taken.
    let taking = take_for(member.visitor.app.clone(), answer, key(member, subject));
    let Some(taken) = tokio::spawn(taking).await.map_err(|_| Error::Internal)?? else { return Ok(None) };
    let sealed = Sealed { bytes: taken.sealed, master_key_id: taken.master_key_id };
    let value = app.master_key.open(&sealed, &place(member, subject))?;
    Ok(Some(Revealed::new(&value)))
}

type Key = (WorkspaceId, UserId, String);

fn key(member: &Member, subject: &str) -> Key {
    (member.workspace().id.clone(), member.visitor.user.clone(), subject.to_owned())
}

async fn take_for(
    app: Arc<App>,
    answer: Taken,
    (workspace, user, subject): Key,
) -> Result<Option<WaitingValue>, Error> {
    let mut tx = app.db.begin().await?;
    let taken: Option<WaitingValue> = on_tx!(&mut tx, |c| sqlx::query_as(TAKE)
        .bind(workspace)
        .bind(user)
        .bind(subject)
        .bind(app.clock.now())
        .fetch_optional(c)
        .await)?;
    tx.commit().await?;
    if let Some(taken) = &taken
        && !answer.add(taken.clone())
    {
        put_back(&app, taken).await;
        return Ok(None);
    }
    Ok(taken)
}

async fn put_back(app: &App, value: &WaitingValue) {
    if let Err(error) = write(&app.db, PUT_BACK, value).await {
        tracing::warn!(%error, "a value that was not delivered could not be kept for another try");
    }
}

/// Removes what was not taken in time.
pub async fn delete_expired(app: &App) -> Result<(), Error> {
    let mut tx = app.db.of(Work::Background).begin().await?;
    on_tx!(&mut tx, |c| sqlx::query(DELETE_EXPIRED).bind(app.clock.now()).execute(c).await.map(|_| ()))?;
    tx.commit().await
}

async fn write(db: &Db, sql: &'static str, value: &WaitingValue) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    insert(&mut tx, sql, value).await?;
    tx.commit().await
}

async fn insert(tx: &mut Tx, sql: &'static str, value: &WaitingValue) -> Result<(), Error> {
    Ok(on_tx!(tx, |c| sqlx::query(sql)
        .bind(&value.workspace_id)
        .bind(&value.user_id)
        .bind(&value.subject)
        .bind(&value.sealed)
        .bind(&value.master_key_id)
        .bind(value.expires_at)
        .execute(c)
        .await
        .map(|_| ()))?)
}

/// A HEAD request, or a page that the browser fetches before anyone has asked for it (Fetch standard, `Sec-Purpose`).
fn shows_to_nobody(parts: &Parts) -> bool {
    parts.method == Method::HEAD || is_prefetch(&parts.headers)
}

fn is_prefetch(headers: &HeaderMap) -> bool {
    let names = ["sec-purpose", "purpose", "x-moz"];
    names.iter().filter_map(|name| headers.get(*name)?.to_str().ok()).any(|value| value.contains("prefetch"))
}

fn place(member: &Member, subject: &str) -> String {
    format!("{}/shown-once/{subject}", member.workspace().id)
}

/// What a request has taken and not delivered yet; `None` once it is over.
#[derive(Clone, Debug)]
struct Taken(Arc<Mutex<Option<Vec<WaitingValue>>>>);

impl Taken {
    fn nothing() -> Self {
        Self(Arc::new(Mutex::new(Some(Vec::new()))))
    }

    fn values(&self) -> MutexGuard<'_, Option<Vec<WaitingValue>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the request can still show it.
    fn add(&self, value: WaitingValue) -> bool {
        let mut values = self.values();
        let Some(values) = values.as_mut() else { return false };
        values.push(value);
        true
    }

    fn is_empty(&self) -> bool {
        self.values().as_ref().is_none_or(Vec::is_empty)
    }

    fn end(&self) -> Vec<WaitingValue> {
        self.values().take().unwrap_or_default()
    }
}

/// Puts back what was taken, unless it was delivered.
struct PutBack {
    app: Arc<App>,
    taken: Taken,
}

impl Drop for PutBack {
    fn drop(&mut self) {
        let values = self.taken.end();
        if values.is_empty() {
            return;
        }
        let app = self.app.clone();
        tokio::spawn(async move {
            for value in values {
                put_back(&app, &value).await;
            }
        });
    }
}

/// The layer around pages and server functions: a value whose answer breaks off, or never begins, waits on.
pub async fn deliver(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let taken = Taken::nothing();
    request.extensions_mut().insert(taken.clone());
    let put_back = PutBack { app, taken };
    let response = next.run(request).await;
    if put_back.taken.is_empty() || !response.status().is_success() {
        return response;
    }
    response.map(|body| Body::new(DeliveredBody { body, put_back: Some(put_back) }))
}

/// A body that shows what was taken.
struct DeliveredBody {
    body: Body,
    put_back: Option<PutBack>,
}

impl http_body::Body for DeliveredBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        let is_over = frame.is_none() || self.body.is_end_stream();
        if is_over
            && !matches!(frame, Some(Err(_)))
            && let Some(put_back) = self.put_back.take()
        {
            put_back.taken.end();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
