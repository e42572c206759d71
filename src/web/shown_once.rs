//! Values that are shown once. Between the form that creates one and the page that shows it, it waits, sealed, in a database
//! row that one request takes. An address would leak it into logs and histories.

use crate::base::error::Error;
use crate::base::secret::Revealed;
use crate::sessions::shown_once::{ShownOnce, WaitingValue};
use crate::web::compression::ShowsSecret;
use crate::web::guard::SignedInMember;
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

/// Stores a value for the member's next page, in place of one that waits already.
pub async fn put(member: &SignedInMember, subject: &str, value: &str) -> Result<(), Error> {
    Ok(member.services().shown_once.put(&member.workspace().id, &member.visitor.user, subject, value).await?)
}

/// Takes a value; `None` where none waits, or where nobody will see the answer. To be called last, when nothing else can fail.
pub async fn take(member: &SignedInMember, subject: &str) -> Result<Option<Revealed>, Error> {
    // Without context the request is over already.
    let parts = use_context::<Parts>().filter(|parts| !shows_to_nobody(parts));
    let Some(answer) = parts.and_then(|parts| parts.extensions.get::<TakenValues>().cloned()) else { return Ok(None) };
    let values = member.services().shown_once.clone();
    let (workspace, user, subject) = (member.workspace().id.clone(), member.visitor.user.clone(), subject.to_owned());
    // In a task of its own: a request that is cancelled in between would leave unclear whether the value was taken.
    let taking = tokio::spawn(async move {
        let Some(taken) = values.take(&workspace, &user, &subject).await? else { return Ok(None) };
        if !answer.add(taken.clone()) {
            values.put_back(&taken).await;
            return Ok(None);
        }
        Ok::<_, Error>(Some(values.open(taken)?))
    });
    taking.await.map_err(|_| Error::Internal)?
}

/// A HEAD request, or a page that the browser fetches before anyone has asked for it (Fetch standard, `Sec-Purpose`).
fn shows_to_nobody(parts: &Parts) -> bool {
    parts.method == Method::HEAD || is_prefetch(&parts.headers)
}

fn is_prefetch(headers: &HeaderMap) -> bool {
    let names = ["sec-purpose", "purpose", "x-moz"];
    names.iter().filter_map(|name| headers.get(*name)?.to_str().ok()).any(|value| value.contains("prefetch"))
}

/// Values that a request has taken and not delivered yet; `None` once the request is over.
#[derive(Clone, Debug)]
struct TakenValues(Arc<Mutex<Option<Vec<WaitingValue>>>>);

impl TakenValues {
    fn none() -> Self {
        Self(Arc::new(Mutex::new(Some(Vec::new()))))
    }

    fn values(&self) -> MutexGuard<'_, Option<Vec<WaitingValue>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a value; `false` where the request is over.
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

/// Puts undelivered values back when it is dropped.
struct PutBackOnDrop {
    values: ShownOnce,
    taken: TakenValues,
}

impl Drop for PutBackOnDrop {
    fn drop(&mut self) {
        let values = self.taken.end();
        if values.is_empty() {
            return;
        }
        let kept = self.values.clone();
        tokio::spawn(async move {
            for value in values {
                kept.put_back(&value).await;
            }
        });
    }
}

/// Layer around pages and server functions: a value waits on where its answer fails or breaks off.
pub async fn deliver(State(values): State<ShownOnce>, mut request: Request, next: Next) -> Response {
    let taken = TakenValues::none();
    let token_in_address = request.uri().path().starts_with("/invitation/");
    request.extensions_mut().insert(taken.clone());
    let put_back = PutBackOnDrop { values, taken };
    let mut response = next.run(request).await;
    if token_in_address || !put_back.taken.is_empty() {
        response.extensions_mut().insert(ShowsSecret);
    }
    if put_back.taken.is_empty() || !response.status().is_success() {
        return response;
    }
    response.map(|body| Body::new(DeliveredBody { body, put_back: Some(put_back) }))
}

/// Body of an answer with taken values: they count as delivered when it was sent whole.
struct DeliveredBody {
    body: Body,
    put_back: Option<PutBackOnDrop>,
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
