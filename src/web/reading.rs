//! Pages that are only read: a key's page, activity, why a call was refused. They share one server function
//! and one component; `web::usage` and `web::activity` render their content.

use crate::base::error::Error;
use crate::web::components::awaited::{PageArea, awaited};
use crate::web::frame::{Tabs, use_visit};
use crate::web::transport::fragment::{Fragment, Html};
use crate::web::transport::load::load_live;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_meta::Title;
use leptos_router::hooks::use_location;

/// The HTML of a page, by the path and query string of its address.
#[server(endpoint = "get_reading", input = Json)]
pub async fn get_reading(path: String, query: String) -> Result<Html, Error> {
    use crate::web::guard;
    use crate::web::{activity, usage};
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (workspace, place) = segments.split_first().ok_or_else(guard::not_found)?;
    let member = guard::member(workspace).await?;
    let query = crate::http::parameters::Parameters::read(query.trim_start_matches('?'));
    let asked = query.map_err(|_| Error::BadRequest)?;
    match place {
        ["activity"] => activity::page(member.admin()?, &asked).await,
        ["api-keys", "refused"] => usage::refused_call(member.admin()?, &asked).await,
        ["api-keys", key] => usage::key_page(&member, key, &asked).await,
        _ => Err(guard::not_found()),
    }
}

#[component]
fn FragmentPage(title: &'static str, tab: &'static str) -> impl IntoView {
    let (visit, location) = (use_visit(), use_location());
    let reading = load_live(move || GetReading { path: location.pathname.get(), query: location.search.get() });
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

/// A key's own page, and why a call was refused.
#[component]
pub fn KeyUsagePage() -> impl IntoView {
    view! { <FragmentPage title="API keys" tab="api-keys" /> }
}

/// The Activity page.
#[component]
pub fn ActivityPage() -> impl IntoView {
    view! { <FragmentPage title="Activity" tab="activity" /> }
}
