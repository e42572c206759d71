//! Pages that are only read: an agent's page, a key's page, usage, activity, why a call was refused. They share one server
//! function and one component; `web::agents`, `web::usage` and `web::activity` render their content.

use crate::base::error::Error;
use crate::web::components::awaited::{PageArea, awaited};
use crate::web::frame::{Tabs, use_visit};
use crate::web::transport::fragment::{Fragment, Html};
use crate::web::transport::load::load_live;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_meta::Title;
use leptos_router::components::Outlet;
use leptos_router::hooks::use_location;

/// The HTML of a page, by the path and query string of its address.
#[server(endpoint = "get_reading", input = Json)]
pub async fn get_reading(path: String, query: String) -> Result<Html, Error> {
    use crate::web::guard;
    use crate::web::{activity, agents, api_keys, usage};
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (workspace, place) = segments.split_first().ok_or_else(guard::not_found)?;
    let member = guard::member(workspace).await?;
    let query = crate::http::parameters::Parameters::read(query.trim_start_matches('?'));
    let asked = query.map_err(|_| Error::BadRequest)?;
    match place {
        ["agents", "deleted"] => agents::deleted::page(member.admin()?).await,
        ["agents", agent] => agents::page::page(&member, agent, &asked).await,
        ["api-keys", "policy"] => api_keys::policy_page::page(member.admin()?, &asked).await,
        ["api-keys", "select"] => api_keys::select::page(member.admin()?, &asked).await,
        ["api-keys", "requests"] => api_keys::requested::page(member.admin()?).await,
        ["safety"] => api_keys::safety::page(member.admin()?, &asked).await,
        ["usage"] => usage::workspace::page(&member, &asked).await,
        ["activity"] => activity::page(member.admin()?, &asked).await,
        ["api-keys", "refused"] => usage::refused::page(member.admin()?, &asked).await,
        ["api-keys", "deleted"] => usage::deleted::page(member.admin()?).await,
        ["api-keys", key] => usage::key_page::page(&member, key, &asked).await,
        _ => Err(guard::not_found()),
    }
}

#[component]
fn FragmentPage(
    title: &'static str,
    tab: &'static str,
    /// Number of segments of the path that name the page; further ones name a dialog on it.
    segments: usize,
) -> impl IntoView {
    let (visit, location) = (use_visit(), use_location());
    let path = Memo::new(move |_| {
        let path = location.pathname.read();
        path.trim_matches('/').split('/').take(segments).collect::<Vec<_>>().join("/")
    });
    let reading = load_live(move || GetReading { path: path.get(), query: location.search.get() });
    let content = move || async move {
        visit.await?;
        Ok(view! { <Fragment html=reading.await? /> }.into_any())
    };
    view! {
        <Title text=title />
        <Tabs current=tab />
        {awaited(PageArea::Page, content)}
    }
}

/// A key's own page, recently deleted keys, and why a call was refused. Dialogs are below.
#[component]
pub fn KeyUsagePage() -> impl IntoView {
    view! {
        <FragmentPage title="API keys" tab="api-keys" segments=3 />
        <Outlet />
    }
}

/// An agent's page: concurrent conversations, variants, deployments. Its dialogs are below.
#[component]
pub fn AgentPage() -> impl IntoView {
    view! {
        <FragmentPage title="Agents" tab="agents" segments=3 />
        <Outlet />
    }
}

/// What may be unsafe about keys.
#[component]
pub fn SafetyPage() -> impl IntoView {
    view! { <FragmentPage title="Safety" tab="api-keys" segments=2 /> }
}

/// The Usage page.
#[component]
pub fn UsagePage() -> impl IntoView {
    view! { <FragmentPage title="Usage" tab="usage" segments=2 /> }
}

/// The Activity page.
#[component]
pub fn ActivityPage() -> impl IntoView {
    view! { <FragmentPage title="Activity" tab="activity" segments=2 /> }
}
