//! Form posts without JavaScript. Where one is not accepted, its input is kept for the next time that its page is shown:
//! - A refused form's page comes at once, with the error in the address. The input of signed-in users waits in a database
//!   row, that of others in a cookie of theirs.
//! - Where the session has ended, the page comes after the visitor has signed in. The input waits in a second cookie.
//!
//! Secrets are left out.

use crate::base::error::Error;
use crate::base::id::UserId;
use crate::sessions::form_drafts::LIFETIME_SECONDS;
use crate::sessions::service::USER;
use crate::web::components::draft::Draft;
use crate::web::services::PageServices;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::sync::Arc;
use tower_sessions::Session;
use tower_sessions::cookie::{Cookie, SameSite};

/// Largest form, in bytes.
pub const MAX_FORM: usize = 256 * 1024;
/// Name of the cookie with a refused form of somebody who is not signed in.
const REFUSED: &str = "draft";
/// Name of the cookie with a form that was sent after the session had ended.
const UNSENT: &str = "unsent";
/// Most bytes of a draft in a cookie, before base64: browsers may drop cookies of more than 4,096 bytes. Longer drafts are
/// not kept.
const MAX_COOKIE: usize = 2_900;

/// Layer that keeps the input of a form that was not accepted until its page is shown.
pub async fn keep(
    State(services): State<Arc<PageServices>>,
    session: Session,
    request: Request,
    next: Next,
) -> Response {
    if request.method().is_safe() {
        return show(&services, &session, request, next).await;
    }
    if !accepts_html(request.headers()) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_FORM).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let mut response = next.run(Request::from_parts(parts, Body::from(body.clone()))).await;
    let Ok(fields) = std::str::from_utf8(&body) else { return response };
    match not_accepted(&response) {
        Some(NotAccepted::Refused(page)) => put(&services, &session, &Draft::new(&page, fields), &mut response).await,
        Some(NotAccepted::SessionEnded(page)) => {
            set_draft_cookie(&services, UNSENT, &Draft::new(&page, fields), &mut response);
        }
        None => {}
    }
    response
}

/// Runs a request for a page with the draft that the page shows, if there is one.
async fn show(services: &PageServices, session: &Session, mut request: Request, next: Next) -> Response {
    let page = request.uri().path().to_owned();
    let refused = request.uri().query().is_some_and(|query| query.contains("__err="));
    let name = if refused { REFUSED } else { UNSENT };
    let in_cookie = from_cookie(request.headers(), name).filter(|draft| draft.is_of(&page));
    let has_cookie = in_cookie.is_some();
    let draft = match in_cookie {
        None if refused => take(services, session, &page).await.unwrap_or_default(),
        in_cookie => in_cookie,
    };
    if let Some(draft) = draft {
        request.extensions_mut().insert(draft);
    }
    let mut response = next.run(request).await;
    // Who has to sign in first sees the page later.
    if has_cookie && !response.status().is_redirection() {
        set_cookie(&mut response, cookie(services, name, String::new(), 0));
    }
    response
}

async fn put(services: &PageServices, session: &Session, draft: &Draft, response: &mut Response) {
    let Some(user) = user(session).await else { return set_draft_cookie(services, REFUSED, draft, response) };
    let kept = services.form_drafts.put(&user, draft.encoded_fields()).await;
    if let Err(error) = kept {
        tracing::warn!(%error, "what was typed into a refused form could not be kept");
    }
}

async fn take(services: &PageServices, session: &Session, page: &str) -> Result<Option<Draft>, Error> {
    let Some(user) = user(session).await else { return Ok(None) };
    let fields = services.form_drafts.take(&user).await?;
    Ok(fields.map(|fields| Draft::new(page, &fields)))
}

fn set_draft_cookie(services: &PageServices, name: &'static str, draft: &Draft, response: &mut Response) {
    if draft.as_str().len() <= MAX_COOKIE {
        set_cookie(response, cookie(services, name, URL_SAFE_NO_PAD.encode(draft.as_str()), LIFETIME_SECONDS));
    }
}

async fn user(session: &Session) -> Option<UserId> {
    session.get(USER).await.ok().flatten()
}

fn from_cookie(headers: &HeaderMap, name: &str) -> Option<Draft> {
    let sent = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookie = sent.flat_map(Cookie::split_parse).flatten().find(|cookie| cookie.name() == name)?;
    String::from_utf8(URL_SAFE_NO_PAD.decode(cookie.value()).ok()?).ok().map(Draft::from_text)
}

fn cookie(services: &PageServices, name: &'static str, value: String, seconds: i64) -> Cookie<'static> {
    Cookie::build((name, value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(services.secure_cookies)
        .max_age(time::Duration::seconds(seconds))
        .build()
}

fn set_cookie(response: &mut Response, cookie: Cookie<'static>) {
    if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

fn accepts_html(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}

/// Why a form was not accepted, and the path of its page.
enum NotAccepted {
    Refused(String),
    SessionEnded(String),
}

fn not_accepted(response: &Response) -> Option<NotAccepted> {
    if !response.status().is_redirection() {
        return None;
    }
    let to: Uri = response.headers().get(header::LOCATION)?.to_str().ok()?.parse().ok()?;
    let query = to.query()?;
    if query.contains("__err=") {
        return Some(NotAccepted::Refused(to.path().to_owned()));
    }
    let next = query.strip_prefix("next=").filter(|_| to.path() == "/sign-in")?;
    let next: Uri = percent_encoding::percent_decode_str(next).decode_utf8().ok()?.parse().ok()?;
    Some(NotAccepted::SessionEnded(next.path().to_owned()))
}
