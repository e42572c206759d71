//! Plain form posts without JavaScript. Where one is refused, Leptos redirects back to the form with the error in the
//! address; what was typed travels in the session instead, so that the form shows it again. Passwords are left out.

use crate::ui::field::Draft;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_sessions::Session;

/// Largest form, in bytes.
pub const MAX_FORM: usize = 256 * 1024;
/// The session's entry.
const DRAFT: &str = "draft";
/// What never goes into a session.
const SECRET_FIELDS: [&str; 4] = ["password", "current_password", "new_password", "token"];

/// Keeps what was typed into a refused form until the next page shows it.
pub async fn keep(session: Session, mut request: Request, next: Next) -> Response {
    let refused = request.uri().query().is_some_and(|query| query.contains("__err="));
    if request.method().is_safe() {
        if refused && let Ok(Some(draft)) = session.remove::<Draft>(DRAFT).await {
            request.extensions_mut().insert(draft);
        }
        return next.run(request).await;
    }
    if !accepts_html(request.headers()) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_FORM).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let fields: Vec<(String, String)> = serde_html_form::from_bytes(&body).unwrap_or_default();
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    if goes_back_with_an_error(&response) {
        let draft = Draft(fields.into_iter().filter(|(name, _)| !SECRET_FIELDS.contains(&name.as_str())).collect());
        if let Err(error) = session.insert(DRAFT, draft).await {
            tracing::warn!(%error, "what was typed into a refused form could not be kept");
        }
    }
    response
}

fn accepts_html(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}

fn goes_back_with_an_error(response: &Response) -> bool {
    let location = response.headers().get(header::LOCATION).and_then(|v| v.to_str().ok());
    response.status().is_redirection() && location.is_some_and(|to| to.contains("__err="))
}
