//! The page of keys: search, sort and pages live in the address, and the database does the work.

use crate::api_keys::{ApiKey, KeyListQuery, KeyOrder, KeyPage, Status};
use crate::base::error::Error;
use crate::base::time::Timestamp;
use crate::web::api_keys::addresses::Addresses;
use crate::web::api_keys::copy::CopyButton;
use crate::web::components::filter::FilterForm;
use crate::web::components::icon::Icon;
use crate::web::components::page::{Empty, Failed};
use crate::web::components::time::{Ago, Moment};
use crate::web::components::use_hydrated;
use crate::web::frame::{Tabs, use_slug, use_visit};
use crate::web::transport::load::{PageArea, awaited, load_live};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_meta::Title;
use leptos_router::components::Outlet;
use leptos_router::hooks::use_query_map;

/// How many agents' names a card shows before it shortens.
const SHOWN_AGENTS: usize = 2;

/// One page of the workspace's keys.
#[server(endpoint = "list_api_keys", input = Json)]
pub async fn list_api_keys(workspace: String, #[server(default)] query: KeyListQuery) -> Result<KeyPage, Error> {
    let member = crate::web::guard::member(&workspace).await?;
    if query.search.chars().count() > KeyListQuery::MAX_SEARCH || query.search.contains('\0') {
        return Err(Error::BadRequest);
    }
    Ok(member.services().api_keys.page(&member.workspace().id, &query).await?)
}

/// Page with search, order and one card for each key.
#[component]
pub fn ApiKeysPage() -> impl IntoView {
    let (slug, visit) = (use_slug(), use_visit());
    let params = use_query_map();
    let query = Memo::new(move |_| params.with(|p| KeyListQuery::from_address(|name| p.get(name))));
    let addresses = Addresses { slug, query };
    provide_context(addresses);
    let page = load_live(move || ListApiKeys { workspace: slug.get(), query: query.get() });
    let content = move || async move {
        let admin = visit.await?.is_admin();
        // An address that leads to no page of the list keeps its search, to begin anew.
        let list = match page.await {
            Ok(page) => view! { <Keys page addresses admin /> }.into_any(),
            Err(error) => view! { <Failed error /> }.into_any(),
        };
        Ok(view! { <Header addresses admin />{list} }.into_any())
    };
    view! {
        <Title text="API keys" />
        <Tabs current="api-keys" />
        {awaited(PageArea::Page, content)}
        <Outlet />
    }
}

#[component]
fn Header(addresses: Addresses, admin: bool) -> impl IntoView {
    view! {
        <div class="page-header">
            <h1 tabindex="-1">"API keys"</h1>
            <div class="button-row">
                <a class="button" href=format!("/{}/api-keys/configuration", addresses.slug.get_untracked())><Icon name="settings" />"Configuration"</a>
                {admin.then(|| view! { <NewLink addresses /> })}
            </div>
        </div>
        <Toolbar addresses admin />
    }
}

#[component]
fn NewLink(addresses: Addresses) -> impl IntoView {
    view! { <a class="button primary" href=addresses.to("/new") data-noscroll="true"><Icon name="plus" />"API key"</a> }
}

/// Search and sort: a form whose answer is an address.
#[component]
fn Toolbar(addresses: Addresses, admin: bool) -> impl IntoView {
    let Addresses { slug, query } = addresses;
    let hydrated = use_hydrated();
    let action = format!("/{}/api-keys", slug.get_untracked());
    let option = move |(sort, id, label): (KeyOrder, &'static str, &'static str)| {
        view! {
            <option value=id selected=query.read_untracked().sort == sort>{label}</option>
        }
    };
    view! {
        <div class="toolbar">
            <FilterForm action class="toolbar-form">
                <label class="search">
                    <Icon name="search" />
                    <input type="search" name="q" aria-label="Search API keys" placeholder="Search API keys" maxlength="100" value=query.read_untracked().search.clone() />
                </label>
                <label class="sort">
                    <Icon name="filter" />
                    <span>"Sort api keys"</span>
                    <select name="sort" aria-label="Sort api keys" on:change=submit>
                        {KeyOrder::ALL.map(option).collect_view()}
                    </select>
                    <Icon name="chevron-down" />
                </label>
                <button class="button small" type="submit" hidden=move || hydrated.get()>"Apply"</button>
            </FilterForm>
            {admin.then(|| view! {
                <span class="toolbar-links">
                    <a class="text-link" href=format!("/{}/api-keys/refused", slug.get_untracked())>"Why was a call refused?"</a>
                    <a class="text-link" href=addresses.to("/settings") data-noscroll="true">"Copying settings"</a>
                </span>
            })}
        </div>
    }
}

/// Sends the form around a field, as if its button had been pressed.
fn submit(event: leptos::ev::Event) {
    if let Some(form) = event_target::<web_sys::HtmlSelectElement>(&event).form() {
        let _ = form.request_submit();
    }
}

#[component]
fn Keys(page: KeyPage, addresses: Addresses, admin: bool) -> impl IntoView {
    let query = addresses.query.get_untracked();
    let now = page.now;
    if page.keys.is_empty() {
        return view! { <NoKeys query addresses admin /> }.into_any();
    }
    let turn = |after: Option<String>, before: Option<String>| {
        let query = KeyListQuery { after, before, ..query.clone() };
        format!("/{}/api-keys{}", addresses.slug.get_untracked(), query.to_address())
    };
    let previous = page.previous.map(|place| turn(None, Some(place)));
    let next = page.next.map(|place| turn(Some(place), None));
    let pages = (previous.is_some() || next.is_some()).then(|| view! {
        <nav class="pages" aria-label="Pages">
            {previous.map(|href| view! { <a class="button" href=href rel="prev"><Icon name="arrow-left" />"Previous"</a> })}
            {next.map(|href| view! { <a class="button" href=href rel="next">"Next"<Icon name="arrow-right" /></a> })}
        </nav>
    });
    let card = move |key: ApiKey| view! { <KeyCard key now addresses admin /> };
    view! {
        <ul class="cards">{page.keys.into_iter().map(card).collect_view()}</ul>
        {pages}
    }
    .into_any()
}

#[component]
fn NoKeys(query: KeyListQuery, addresses: Addresses, admin: bool) -> impl IntoView {
    if !query.search.is_empty() {
        let all = format!("/{}/api-keys", addresses.slug.get_untracked());
        return view! {
            <Empty icon="search" heading="No matching keys">
                <p>"No key's name contains “" {query.search} "”."</p>
                <a class="button" href=all>"Show all keys"</a>
            </Empty>
        }
        .into_any();
    }
    view! {
        <Empty icon="key" heading="No API keys yet">
            <p>"An API key gives another system, such as a CRM, access to conversation data."</p>
            {admin.then(|| view! { <NewLink addresses /> })}
        </Empty>
    }
    .into_any()
}

#[component]
fn KeyCard(key: ApiKey, now: Timestamp, addresses: Addresses, admin: bool) -> impl IntoView {
    let name = key.name.as_str().to_owned();
    let status = Status::of(key.expires_at, now);
    let badge = match status {
        Status::Active => None,
        Status::ExpiresSoon => Some(view! { <span class="badge warning">"Expires soon"</span> }),
        Status::Expired => Some(view! { <span class="badge danger">"Expired"</span> }),
    };
    let permissions = key.permissions.iter().map(|p| p.label()).collect::<Vec<_>>().join(", ");
    let action = |path: &str, label: &str, icon: &'static str| {
        view! {
            <a class="icon-button" href=addresses.to(&format!("/{}/{path}", key.id)) aria-label=format!("{label} {name}") data-noscroll="true"><Icon name=icon /></a>
        }
    };
    let actions = (
        action("use", "Use", "code"),
        admin.then(|| [action("edit", "Edit", "pencil"), action("delete", "Delete", "trash")].collect_view()),
    );
    let copy = if !key.copyable {
        view! { <span class="shown-once">"Shown once"</span> }.into_any()
    } else if admin {
        view! { <CopyButton id=key.id.clone() name=name.clone() /> }.into_any()
    } else {
        ().into_any()
    };
    view! {
        <li class="card key-card" class:expired=(status == Status::Expired)>
            <div class="card-title">
                <h2><a class="title-link" href=format!("/{}/api-keys/{}", addresses.slug.get_untracked(), key.id)>{name.clone()}</a></h2>
                <p class="secondary">"Created " <Ago at=key.created_at now />{badge.map(|b| view! { " " {b} })}</p>
                <p class="secondary"><LastUsed at=key.last_used_at now /></p>
            </div>
            <div class="key-scope">
                <Scope agents=key.agents />
                <p class="secondary">{permissions}</p>
            </div>
            <div class="figure">
                <span class="figure-icon"><Icon name="calendar" /></span>
                <p>
                    <span class="figure-label">{if status == Status::Expired { "Expired" } else { "Expires" }}</span>
                    <strong><Moment at=key.expires_at /></strong>
                </p>
            </div>
            <div class="secret">
                <code class="secret-value">{key.masked}</code>
                {copy}
            </div>
            <div class="card-actions">{actions}</div>
        </li>
    }
}

/// When a key was last used, in words.
#[component]
pub fn LastUsed(at: Option<Timestamp>, now: Timestamp) -> impl IntoView {
    match at {
        Some(at) => view! { "Last used " <Ago at now /> }.into_any(),
        None => view! { "Never used" }.into_any(),
    }
}

/// The agents that a key covers, shortened, with the whole list on demand.
#[component]
pub fn Scope(agents: Option<Vec<crate::agents::AgentName>>) -> impl IntoView {
    let Some(agents) = agents else { return view! { <p class="scope">"All agents"</p> }.into_any() };
    let names: Vec<String> = agents.into_iter().map(|agent| agent.name).collect();
    if names.is_empty() {
        return view! { <p class="scope">"No agents left"</p> }.into_any();
    }
    if names.len() <= SHOWN_AGENTS {
        return view! { <p class="scope">{names.join(", ")}</p> }.into_any();
    }
    let first = names[..SHOWN_AGENTS].join(", ");
    let more = names.len() - SHOWN_AGENTS;
    view! {
        <details class="scope">
            <summary>{first} " and " {more} " more"</summary>
            <ul>{names.into_iter().map(|name| view! { <li>{name}</li> }).collect_view()}</ul>
        </details>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_holds_the_whole_query() {
        let query = KeyListQuery {
            search: "a&b ü".to_owned(),
            sort: KeyOrder::Expiry,
            after: Some("key-1~5".to_owned()),
            before: None,
        };
        assert_eq!(query.to_address(), "?q=a%26b%20%C3%BC&sort=expiry&after=key-1~5");
        assert_eq!(KeyListQuery::default().to_address(), "");
        let from = KeyListQuery::from_address(|name| match name {
            "q" => Some(" a\0b ".to_owned()),
            "sort" => Some("nonsense".to_owned()),
            "after" => Some(String::new()),
            _ => None,
        });
        assert_eq!(from, KeyListQuery { search: "ab".to_owned(), ..KeyListQuery::default() });
    }
}
