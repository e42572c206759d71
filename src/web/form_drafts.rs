//! Form posts without JavaScript. Where one is refused, Leptos redirects back to the form with the error in the address; this
//! layer keeps the form's values for the next page, which shows them again: for signed-in users in a database row, for others
//! in a cookie of theirs. Secrets are left out.

use crate::base::error::Error;
use crate::base::id::UserId;
use crate::sessions::form_drafts::LIFETIME_SECONDS;
use crate::sessions::service::USER;
use crate::web::components::field::Draft;
use crate::web::services::PageServices;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::sync::Arc;
use tower_sessions::Session;
use tower_sessions::cookie::{Cookie, SameSite};

/// Largest form, in bytes.
pub const MAX_FORM: usize = 256 * 1024;
/// Fields that are never kept.
const SECRET_FIELDS: [&str; 4] = ["password", "current_password", "new_password", "token"];
/// Name of the cookie for those who are not signed in.
const COOKIE: &str = "draft";
/// Most bytes of a draft in a cookie, in JSON: browsers may drop larger cookies. Longer drafts are not kept.
const MAX_COOKIE: usize = 2_000;

/// Layer that keeps a refused form's values until the next page shows them.
pub async fn keep(
    State(services): State<Arc<PageServices>>,
    session: Session,
    mut request: Request,
    next: Next,
) -> Response {
    if request.method().is_safe() {
        let refused = request.uri().query().is_some_and(|query| query.contains("__err="));
        if !refused {
            return next.run(request).await;
        }
        let in_cookie = from_cookie(request.headers());
        let has_cookie = in_cookie.is_some();
        let draft = match in_cookie {
            Some(draft) => Some(draft),
            None => take(&services, &session).await.unwrap_or_default(),
        };
        if let Some(draft) = draft {
            request.extensions_mut().insert(draft);
        }
        let mut response = next.run(request).await;
        if has_cookie {
            set_cookie(&mut response, cookie(&services, String::new(), 0));
        }
        return response;
    }
    if !accepts_html(request.headers()) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_FORM).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let fields: Vec<(String, String)> = serde_html_form::from_bytes(&body).unwrap_or_default();
    let mut response = next.run(Request::from_parts(parts, Body::from(body))).await;
    if goes_back_with_an_error(&response) {
        let draft = Draft(fields.into_iter().filter(|(name, _)| !SECRET_FIELDS.contains(&name.as_str())).collect());
        put(&services, &session, &draft, &mut response).await;
    }
    response
}

async fn put(services: &PageServices, session: &Session, draft: &Draft, response: &mut Response) {
    let Ok(fields) = serde_json::to_string(draft) else { return };
    let Some(user) = user(session).await else {
        if fields.len() <= MAX_COOKIE {
            set_cookie(response, cookie(services, URL_SAFE_NO_PAD.encode(fields), LIFETIME_SECONDS));
        }
        return;
    };
    let kept = services.form_drafts.put(&user, &fields).await;
    if let Err(error) = kept {
        tracing::warn!(%error, "what was typed into a refused form could not be kept");
    }
}

async fn take(services: &PageServices, session: &Session) -> Result<Option<Draft>, Error> {
    let Some(user) = user(session).await else { return Ok(None) };
    let fields = services.form_drafts.take(&user).await?;
    Ok(fields.and_then(|fields| serde_json::from_str(&fields).ok()))
}

async fn user(session: &Session) -> Option<UserId> {
    session.get(USER).await.ok().flatten()
}

fn from_cookie(headers: &HeaderMap) -> Option<Draft> {
    let sent = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookie = sent.flat_map(Cookie::split_parse).flatten().find(|cookie| cookie.name() == COOKIE)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cookie.value()).ok()?).ok()
}

fn cookie(services: &PageServices, value: String, seconds: i64) -> Cookie<'static> {
    Cookie::build((COOKIE, value))
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

fn goes_back_with_an_error(response: &Response) -> bool {
    let location = response.headers().get(header::LOCATION).and_then(|v| v.to_str().ok());
    response.status().is_redirection() && location.is_some_and(|to| to.contains("__err="))
}
