//! Authorization of server functions: the first line of each says who may call it. A workspace named in an address is looked
//! up among those of the session's user only.

use crate::base::actor::Actor;
use crate::base::error::Error;
use crate::base::id::UserId;
use crate::base::text::query_value;
use crate::http::client_address::ClientAddress;
use crate::sessions::service::{SIGNED_IN_AT, USER};
use crate::users::Email;
use crate::web::services::{PageServices, services};
use crate::workspaces::{Visit, Workspace};
use axum::Extension;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri, header};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use std::net::IpAddr;
use std::sync::Arc;
use tower_sessions::Session;

/// Key of the session's entry with the time of its last use, in microseconds.
const SEEN_AT: &str = "seen_at";
/// Seconds between two updates of that entry.
const SEEN_EVERY: i64 = 5 * 60;

/// A signed-in user.
#[derive(Debug)]
pub struct Visitor {
    pub services: Arc<PageServices>,
    pub session: Session,
    pub user: UserId,
    pub email: Email,
    pub address: Option<IpAddr>,
}

/// A signed-in user who is a member of the workspace that the request names.
#[derive(Debug)]
pub struct SignedInMember {
    pub visitor: Visitor,
    pub visit: Visit,
}

impl Visitor {
    /// The actor in audit entries.
    pub fn actor(&self) -> Actor {
        Actor { id: Some(self.user.clone()), name: self.email.as_str().to_owned(), address: self.address }
    }
}

impl SignedInMember {
    pub fn services(&self) -> &PageServices {
        &self.visitor.services
    }

    /// The same member; an error where they are no admin.
    pub fn admin(&self) -> Result<&Self, Error> {
        if self.visit.is_admin() { Ok(self) } else { Err(Error::AdminsOnly) }
    }

    pub fn workspace(&self) -> &Workspace {
        &self.visit.workspace
    }

    /// The actor in audit entries.
    pub fn actor(&self) -> Actor {
        self.visitor.actor()
    }
}

pub async fn session() -> Result<Session, Error> {
    leptos_axum::extract().await.map_err(|_| Error::Internal)
}

/// The client's IP address, where it is known.
pub async fn address() -> Option<IpAddr> {
    leptos_axum::extract::<Extension<ClientAddress>>().await.ok().and_then(|Extension(client)| client.address)
}

/// The signed-in user. Others are redirected to sign-in, and back here afterwards.
pub async fn visitor() -> Result<Visitor, Error> {
    let found = find_visitor().await;
    if matches!(found, Err(Error::SignedOut)) {
        leptos_axum::redirect(&format!("/sign-in?next={}", query_value(&here())));
    }
    found
}

/// Whether somebody is signed in.
pub async fn is_signed_in() -> bool {
    find_visitor().await.is_ok()
}

async fn find_visitor() -> Result<Visitor, Error> {
    visitor_of(services()?, session().await?, address().await).await
}

async fn visitor_of(services: Arc<PageServices>, session: Session, address: Option<IpAddr>) -> Result<Visitor, Error> {
    let user: UserId = session.get(USER).await.map_err(failed)?.ok_or(Error::SignedOut)?;
    let email = services.users.email(&user).await?.ok_or(Error::SignedOut)?;
    let now = services.now();
    let seen: Option<i64> = session.get(SEEN_AT).await.map_err(failed)?;
    if seen.is_none_or(|at| (now.0 - at).abs() > SEEN_EVERY * 1_000_000) {
        session.insert(SEEN_AT, now.0).await.map_err(failed)?;
    }
    Ok(Visitor { services, session, user, email, address })
}

/// The signed-in member of this workspace, admin or viewer. For others the workspace is not found.
pub async fn member(slug: &str) -> Result<SignedInMember, Error> {
    let found = find_member(visitor().await?, slug).await;
    if matches!(found, Err(Error::NotFound)) {
        return Err(not_found());
    }
    found
}

/// Like [`member`], for axum handlers, which have no Leptos context.
pub async fn member_of(
    services: Arc<PageServices>,
    session: Session,
    address: Option<IpAddr>,
    slug: &str,
) -> Result<SignedInMember, Error> {
    find_member(visitor_of(services, session, address).await?, slug).await
}

async fn find_member(visitor: Visitor, slug: &str) -> Result<SignedInMember, Error> {
    let workspaces = visitor.services.workspaces.of_user(&visitor.user).await?;
    let by_id = workspaces.iter().find(|(workspace, _)| workspace.id.as_str() == slug);
    let here = by_id.or_else(|| workspaces.iter().find(|(workspace, _)| workspace.slug == slug));
    let (workspace, role) = here.cloned().ok_or(Error::NotFound)?;
    let visit = Visit {
        workspace,
        role,
        email: visitor.email.as_str().to_owned(),
        workspaces: workspaces.into_iter().map(|(workspace, _)| workspace).collect(),
    };
    Ok(SignedInMember { visitor, visit })
}

/// The signed-in admin of this workspace; an error for others.
pub async fn admin(slug: &str) -> Result<SignedInMember, Error> {
    let member = member(slug).await?;
    member.admin()?;
    Ok(member)
}

/// The error for what does not exist. Gives a page that is being rendered the status 404; a form post keeps its redirect.
pub fn not_found() -> Error {
    let rendering = use_context::<Parts>().is_some_and(|parts| parts.method == Method::GET);
    if rendering && let Some(response) = use_context::<ResponseOptions>() {
        response.set_status(StatusCode::NOT_FOUND);
    }
    Error::NotFound
}

/// Whether this request is a form post without JavaScript: its answer is a redirect, which cannot carry a value.
pub fn is_plain_form() -> bool {
    let accept = use_context::<Parts>().and_then(|parts| parts.headers.get(header::ACCEPT).cloned());
    accept.as_ref().and_then(|v| v.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}

/// Leads to a page that says what was done or, where a plain form has no other place for it, that it was not done.
pub fn lead_on(done: Result<(), Error>, address: &str, notice: &str) -> Result<(), Error> {
    let notice = match done {
        Ok(()) => notice,
        Err(_) if is_plain_form() => "not-done",
        Err(error) => return Err(error),
    };
    leptos_axum::redirect(&format!("{address}?notice={notice}"));
    Ok(())
}

/// The path if it is on this server, else `/`: never redirects to another site.
pub fn local_path(path: &str) -> &str {
    let ours = path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= 2_000
        && path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if ours { path } else { "/" }
}

/// The query string that a form sent back, if it can stand in an address of this server; else nothing.
pub fn local_query(query: &str) -> &str {
    if query.starts_with('?') && local_path(&format!("/{query}")).len() > 1 { query } else { "" }
}

/// Address of the list of keys with the query string that a form sent back, and a toast.
pub fn list_address(member: &SignedInMember, list: &str, notice: &str) -> String {
    let query = local_query(list);
    let joint = if query.is_empty() { '?' } else { '&' };
    format!("/{}/api-keys{query}{joint}notice={notice}", member.workspace().slug)
}

/// Scheme, host and port under which browsers reach this server, for links to be handed over.
pub fn origin(services: &PageServices) -> String {
    if let Some(origin) = &services.public_origin {
        return origin.to_string();
    }
    let host = use_context::<Parts>().and_then(|parts| parts.headers.get(header::HOST).cloned());
    let host = host.as_ref().and_then(|v| v.to_str().ok()).unwrap_or("localhost").to_owned();
    format!("{}://{host}", if services.secure_cookies { "https" } else { "http" })
}

/// Address of the page that is being rendered, or that called a server function.
fn here() -> String {
    let Some(parts) = use_context::<Parts>() else { return "/".to_owned() };
    if parts.method == Method::GET {
        return parts.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
    }
    let referer = parts.headers.get(header::REFERER).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<Uri>().ok());
    referer.and_then(|uri| uri.path_and_query().map(|p| p.as_str().to_owned())).unwrap_or_else(|| "/".to_owned())
}

/// Signs a user in. The session gets a new id: one planted before is worth nothing (session fixation).
pub async fn sign_in(services: &PageServices, user: &UserId) -> Result<(), Error> {
    let session = session().await?;
    session.cycle_id().await.map_err(failed)?;
    session.insert(USER, user).await.map_err(failed)?;
    session.insert(SIGNED_IN_AT, services.now().0).await.map_err(failed)?;
    session.save().await.map_err(failed)
}

/// Logs an error of tower-sessions.
pub fn failed(error: tower_sessions::session::Error) -> Error {
    tracing::error!(%error, "session failed");
    Error::Unavailable
}

#[cfg(test)]
mod tests {
    use super::local_path;

    #[test]
    fn only_our_own_addresses_are_gone_on_to() {
        assert_eq!(local_path("/acme/api-keys?sort=name"), "/acme/api-keys?sort=name");
        for other in
            ["", "https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", "/a b", "/a\r\nX: y"]
        {
            assert_eq!(local_path(other), "/", "{other}");
        }
    }
}
