//! Plain form posts without JavaScript. Where one is refused, Leptos redirects back to the form with the error in the
//! address; what was typed comes back with the next page, so that the form shows it again. Who is signed in has a row for
//! it; what a stranger typed is stored nowhere but in a cookie of the stranger's own. Secrets are left out.

use crate::base::error::Error;
use crate::base::id::UserId;
use crate::db::Work;
use crate::server::state::App;
use crate::sessions::store::USER;
use crate::web::components::field::Draft;
use crate::{on_tx, statements};
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
/// What never comes back.
const SECRET_FIELDS: [&str; 4] = ["password", "current_password", "new_password", "token"];
/// How long a draft waits for its page, in seconds.
const WAITS: i64 = 300;
/// The cookie of who is not signed in.
const COOKIE: &str = "draft";
/// Most bytes of a draft in a cookie, in JSON: with more a browser may drop it. Longer drafts do not come back.
const MAX_COOKIE: usize = 2_000;

statements! {
    PUT = "INSERT INTO form_drafts (user_id, fields, expires_at) VALUES ($1, $2, $3)
        ON CONFLICT (user_id) DO UPDATE SET fields = excluded.fields, expires_at = excluded.expires_at";
    TAKE = "DELETE FROM form_drafts WHERE user_id = $1 AND expires_at > $2 RETURNING fields";
    DELETE_EXPIRED = "DELETE FROM form_drafts WHERE expires_at <= $1";
}

/// Keeps what was typed into a refused form until the next page shows it.
pub async fn keep(State(app): State<Arc<App>>, session: Session, mut request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        let refused = request.uri().query().is_some_and(|query| query.contains("__err="));
        if !refused {
            return next.run(request).await;
        }
        let in_cookie = from_cookie(request.headers());
        let has_cookie = in_cookie.is_some();
        let draft = match in_cookie {
            Some(draft) => Some(draft),
            None => take(&app, &session).await.unwrap_or_default(),
        };
        if let Some(draft) = draft {
            request.extensions_mut().insert(draft);
        }
        let mut response = next.run(request).await;
        if has_cookie {
            set_cookie(&mut response, cookie(&app, String::new(), 0));
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
        put(&app, &session, &draft, &mut response).await;
    }
    response
}

async fn put(app: &App, session: &Session, draft: &Draft, response: &mut Response) {
    let Ok(fields) = serde_json::to_string(draft) else { return };
    let Some(user) = user(session).await else {
        if fields.len() <= MAX_COOKIE {
            set_cookie(response, cookie(app, URL_SAFE_NO_PAD.encode(fields), WAITS));
        }
        return;
    };
    let kept: Result<(), Error> = async {
        let mut tx = app.db.begin().await?;
        let until = app.clock.now().plus_seconds(WAITS);
        on_tx!(&mut tx, |c| sqlx::query(PUT).bind(user).bind(fields).bind(until).execute(c).await.map(|_| ()))?;
        tx.commit().await
    }
    .await;
    if let Err(error) = kept {
        tracing::warn!(%error, "what was typed into a refused form could not be kept");
    }
}

async fn take(app: &App, session: &Session) -> Result<Option<Draft>, Error> {
    let Some(user) = user(session).await else { return Ok(None) };
    let mut tx = app.db.begin().await?;
    let now = app.clock.now();
    let row: Option<(String,)> =
        on_tx!(&mut tx, |c| sqlx::query_as(TAKE).bind(user).bind(now).fetch_optional(c).await)?;
    tx.commit().await?;
    Ok(row.and_then(|(fields,)| serde_json::from_str(&fields).ok()))
}

/// Removes drafts whose page was never opened.
pub async fn delete_expired(app: &App) -> Result<(), Error> {
    let mut tx = app.db.of(Work::Background).begin().await?;
    on_tx!(&mut tx, |c| sqlx::query(DELETE_EXPIRED).bind(app.clock.now()).execute(c).await.map(|_| ()))?;
    tx.commit().await
}

async fn user(session: &Session) -> Option<UserId> {
    session.get(USER).await.ok().flatten()
}

fn from_cookie(headers: &HeaderMap) -> Option<Draft> {
    let sent = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookie = sent.flat_map(Cookie::split_parse).flatten().find(|cookie| cookie.name() == COOKIE)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cookie.value()).ok()?).ok()
}

fn cookie(app: &App, value: String, seconds: i64) -> Cookie<'static> {
    Cookie::build((COOKIE, value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(app.secure_cookies)
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
