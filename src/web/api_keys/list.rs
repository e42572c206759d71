//! The list of keys. Search, sort and page stand in the address; the database searches and sorts.

use crate::api_keys::{ApiKey, KeyListQuery, KeyOrder, KeyPage, LastClient, ShownFacts, Status};
use crate::base::error::Error;
use crate::base::time::Timestamp;
use crate::web::api_keys::addresses::KeyAddresses;
use crate::web::api_keys::copy::CopyButton;
use crate::web::chunks::{ChunkHint, ChunkUse};
use crate::web::components::awaited::{PageArea, awaited};
use crate::web::components::badge::{Badge, Tone};
use crate::web::components::button::{BUTTON_ROW, Button, ButtonLink, ButtonLook, IconLink};
use crate::web::components::card::{Card, CardActions, CardList, CardTitle, Figure, Secondary};
use crate::web::components::filter::PostedFilterForm;
use crate::web::components::icon::Icon;
use crate::web::components::page::{Empty, Failed, PageHeader, PageLinks, SearchInput, TEXT_LINK, TOOLBAR};
use crate::web::components::time::{Ago, Moment};
use crate::web::components::use_hydrated;
use crate::web::components::value_box::{ValueBox, ValueText};
use crate::web::frame::{Tabs, use_slug, use_visit};
use crate::web::transport::load::load_live;
use leptos::prelude::*;
use leptos::server_fn::ServerFn as _;
use leptos::server_fn::codec::Json;
use leptos::wasm_bindgen::JsCast as _;
use leptos_meta::Title;
use leptos_router::components::Outlet;
use leptos_router::hooks::use_query_map;
use serde::{Deserialize, Serialize};

/// Elements in which `/` is typed as text.
const FIELDS: &str = "input, textarea, select, dialog *";
/// Most agents that a card names; the others are counted.
const SHOWN_AGENTS: usize = 2;

/// One page of the workspace's keys, and what stands above it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyListView {
    pub page: KeyPage,
    /// The number of keys that search and filter let through, up to [`KeyPage::MOST_COUNTED`]; `None` without them.
    pub matches: Option<u64>,
    /// What the filter lets through, in words, each with the query string without it.
    pub filters: Vec<(String, String)>,
    /// Number of requests for keys that wait for an admin.
    pub requests: u64,
}

/// One page of the workspace's keys. Only admins see who used them.
#[server(endpoint = "list_api_keys", input = Json)]
pub async fn list_api_keys(workspace: String, #[server(default)] query: KeyListQuery) -> Result<KeyListView, Error> {
    use crate::web::api_keys::filter_forms::in_words;
    let member = crate::web::guard::member(&workspace).await?;
    let (services, workspace) = (member.services(), &member.workspace().id);
    if !query.is_sound() {
        return Err(Error::BadRequest);
    }
    let mut page = services.api_keys.page(workspace, &query).await?;
    let is_admin = member.visit.is_admin();
    for key in page.keys.iter_mut().filter(|_| !is_admin) {
        key.last_client = None;
    }
    let agent = match &query.filter.agent {
        Some(id) => services.agents.find(workspace, id.as_str()).await?.map(|agent| agent.name),
        None => None,
    };
    let without = |filter| KeyListQuery { filter, after: None, before: None, ..query.clone() }.to_address();
    let filters = in_words(&query.filter, agent.as_deref());
    let matches = match query.search.is_empty() && query.filter.is_empty() {
        true => None,
        false => Some(services.api_keys.count_matches(workspace, &query, KeyPage::MOST_COUNTED).await?),
    };
    Ok(KeyListView {
        page,
        matches,
        filters: filters.into_iter().map(|(text, filter)| (text, without(filter))).collect(),
        requests: if is_admin { services.key_requests.count(workspace).await? } else { 0 },
    })
}

/// Leads to the list with this search. What looks like a key is found by its value, and leads to its page: it must not
/// stand in an address.
#[server(endpoint = "search_api_keys")]
pub async fn search_api_keys(
    workspace: String,
    #[server(default)] q: String,
    #[server(default)] sort: String,
    #[server(default)] list: String,
) -> Result<(), Error> {
    use crate::api_keys::secret::key_in;
    use crate::web::api_keys::filter_forms::query_of;
    let member = crate::web::guard::member(&workspace).await?;
    let (keys, workspace) = (&member.services().api_keys, member.workspace());
    let before = query_of(&list);
    let list = format!("/{}/api-keys", workspace.slug);
    let Some(key) = key_in(&q) else {
        let typed = KeyListQuery::from_address(|name| match name {
            "q" => Some(q.clone()),
            "sort" => Some(sort.clone()),
            _ => None,
        });
        let query = KeyListQuery { filter: before.filter, shown: before.shown, ..typed };
        leptos_axum::redirect(&format!("{list}{}", query.to_address()));
        return Ok(());
    };
    let address = match keys.find_by_value(&workspace.id, key).await? {
        Some(id) if keys.find(&workspace.id, &id).await?.is_some() => format!("{list}/{id}"),
        Some(_) => format!("{list}/deleted"),
        None => format!("{list}?notice=key-not-found"),
    };
    leptos_axum::redirect(&address);
    Ok(())
}

/// Page with search, order and one card for each key.
#[component]
pub fn ApiKeysPage() -> impl IntoView {
    ChunkHint::give("key_dialogs", ChunkUse::Next);
    let (slug, visit) = (use_slug(), use_visit());
    let params = use_query_map();
    let query = Memo::new(move |_| params.with(|p| KeyListQuery::from_address(|name| p.get(name))));
    let addresses = KeyAddresses { slug, query };
    provide_context(addresses);
    let page = load_live(move || ListApiKeys { workspace: slug.get(), query: query.get() });
    let content = move || async move {
        let visit = visit.await?;
        let (admin, may_ask) = (visit.is_admin(), visit.workspace.members_may_request);
        // The search stays in reach where the address names a page that the list does not have.
        let list = match page.await {
            Ok(list) => view! { <Keys list addresses admin /> }.into_any(),
            Err(error) => view! { <Failed error /> }.into_any(),
        };
        Ok(view! { <Header addresses admin may_ask />{list} }.into_any())
    };
    view! {
        <Title text="API keys" />
        <Tabs current="api-keys" />
        {awaited(PageArea::Page, content)}
        <Outlet />
    }
}

#[component]
fn Header(addresses: KeyAddresses, admin: bool, may_ask: bool) -> impl IntoView {
    let configuration = format!("/{}/api-keys/configuration", addresses.slug.get_untracked());
    let ask = (!admin && may_ask).then(|| {
        view! { <ButtonLink look=ButtonLook::Primary icon="plus" href=addresses.to("/new") noscroll=true>"Ask for a key"</ButtonLink> }
    });
    view! {
        <PageHeader heading="API keys">
            <div class=BUTTON_ROW>
                <ButtonLink href=configuration icon="settings">"Configuration"</ButtonLink>
                {admin.then(|| view! { <NewLink addresses /> })}
                {ask}
            </div>
        </PageHeader>
        <Toolbar addresses admin />
    }
}

#[component]
fn NewLink(addresses: KeyAddresses) -> impl IntoView {
    view! { <ButtonLink look=ButtonLook::Primary icon="plus" href=addresses.to("/new") noscroll=true>"API key"</ButtonLink> }
}

/// Search and sort.
#[component]
fn Toolbar(addresses: KeyAddresses, admin: bool) -> impl IntoView {
    let KeyAddresses { slug, query } = addresses;
    let hydrated = use_hydrated();
    focus_search_on_slash();
    let current = query.read_untracked().sort;
    let option = move |(sort, id, label): (KeyOrder, &'static str, &'static str)| {
        view! {
            <option value=id selected=current == sort>{label}</option>
        }
    };
    let label = KeyOrder::ALL.into_iter().find(|(sort, ..)| *sort == current).map(|(.., label)| label.to_lowercase());
    view! {
        <div class=TOOLBAR>
            <PostedFilterForm path=SearchApiKeys::PATH>
                <input type="hidden" name="workspace" value=slug.get_untracked() />
                <input type="hidden" name="list" value=addresses.query_string() />
                <SearchInput label="Search API keys" name="q" value=query.read_untracked().search.clone() />
                <label class="relative flex h-10 items-center gap-3 rounded-full px-3 font-semibold focus-within:outline-2 focus-within:outline-focus hover:bg-hover">
                    <Icon name="filter" class="size-[18px]" />
                    <span>"Sort: " {label}</span>
                    // Over the whole label, and invisible: it opens the browser's own list.
                    <select
                        class="absolute inset-0 h-full w-full appearance-none rounded-full bg-surface text-ink opacity-0"
                        name="sort"
                        aria-label="Sort api keys"
                        on:change=submit
                    >
                        {KeyOrder::ALL.map(option).collect_view()}
                    </select>
                    <Icon name="chevron-down" class="size-[18px]" />
                </label>
                <Button small=true hidden=move || hydrated.get()>"Apply"</Button>
                {admin.then(|| view! { <a class=TEXT_LINK href=addresses.to("/filters") data-noscroll="true">"Filter"</a> })}
            </PostedFilterForm>
            {admin.then(|| view! { <AdminLinks addresses /> })}
        </div>
    }
}

/// Links to the pages about keys that only admins see.
#[component]
fn AdminLinks(addresses: KeyAddresses) -> impl IntoView {
    let workspace = format!("/{}", addresses.slug.get_untracked());
    let link = |path: String, text: &'static str| view! { <a class=TEXT_LINK href=path>{text}</a> };
    let list = |path: &str| format!("{workspace}/api-keys/{path}");
    let select = addresses.to("/select");
    let pages = [
        (list("refused"), "Why was a call refused?"),
        (format!("{workspace}/safety"), "Safety"),
        (list("policy"), "Policy"),
        (list("deleted"), "Recently deleted"),
        (select, "Change many"),
    ];
    view! {
        <span class="flex flex-wrap gap-x-6 gap-y-2">
            {pages.map(|(path, text)| link(path, text)).collect_view()}
            <a class=TEXT_LINK href=addresses.to("/settings") data-noscroll="true">"Copying settings"</a>
        </span>
    }
}

/// What waits for an admin, what the list is filtered by, and how many keys it has.
#[component]
fn Above(
    filters: Vec<(String, String)>,
    requests: u64,
    matches: Option<u64>,
    addresses: KeyAddresses,
    admin: bool,
) -> impl IntoView {
    let list = format!("/{}/api-keys", addresses.slug.get_untracked());
    let requests = (requests > 0).then(|| {
        let text =
            if requests == 1 { "1 key is asked for".to_owned() } else { format!("{requests} keys are asked for") };
        view! { <p class="mb-4"><a class=TEXT_LINK href=format!("{list}/requests")>{text}</a></p> }
    });
    let chip = |(text, without): (String, String)| {
        let href = format!("{list}{without}");
        let label = format!("Remove the filter {text}");
        view! {
            <a class="inline-flex items-center gap-2 rounded-full bg-surface px-3 py-1 text-sm hover:bg-hover" href=href aria-label=label>
                {text} <Icon name="close" class="size-3.5" />
            </a>
        }
    };
    let chips = filters.into_iter().map(chip).collect_view();
    let number = matches.map(|matches| match matches {
        KeyPage::MOST_COUNTED.. => "More than 1,000 keys".to_owned(),
        1 => "1 key".to_owned(),
        matches => format!("{matches} keys"),
    });
    let export = (admin && number.is_some()).then(|| {
        // Not a page: the router leaves it to the browser.
        view! { <a class=TEXT_LINK rel="external" href=addresses.to("/export")>"Download as CSV"</a> }
    });
    let summary = number.map(|number| {
        view! {
            <div class="mb-4 flex flex-wrap items-center gap-3 text-sm" role="status">
                <strong>{number}</strong>
                {chips}
                {export}
            </div>
        }
    });
    view! { {requests}{summary} }
}

/// Focuses the search field when `/` is pressed outside of a field.
fn focus_search_on_slash() {
    Effect::new(|_| {
        let handle = window_event_listener(leptos::ev::keydown, |event| {
            let typing = document().active_element().is_some_and(|element| element.matches(FIELDS).unwrap_or(false));
            if event.key() == "/" && !typing && !event.ctrl_key() && !event.meta_key() {
                let search = document().query_selector("input[type=search]").ok().flatten();
                if let Some(search) = search.and_then(|search| search.dyn_into::<web_sys::HtmlElement>().ok()) {
                    event.prevent_default();
                    let _ = search.focus();
                }
            }
        });
        on_cleanup(move || handle.remove());
    });
}

/// Sends the form around a field, as if its button had been pressed.
fn submit(event: leptos::ev::Event) {
    if let Some(form) = event_target::<web_sys::HtmlSelectElement>(&event).form() {
        let _ = form.request_submit();
    }
}

#[component]
fn Keys(list: KeyListView, addresses: KeyAddresses, admin: bool) -> impl IntoView {
    let KeyListView { page, matches, filters, requests } = list;
    let query = addresses.query.get_untracked();
    let (now, shown) = (page.now, query.shown);
    let above = view! { <Above filters requests matches addresses admin /> };
    if page.keys.is_empty() {
        return view! { {above}<NoKeys query addresses admin /> }.into_any();
    }
    let turn = |after: Option<String>, before: Option<String>| {
        let query = KeyListQuery { after, before, ..query.clone() };
        format!("/{}/api-keys{}", addresses.slug.get_untracked(), query.to_address())
    };
    let previous = page.previous.map(|place| turn(None, Some(place)));
    let next = page.next.map(|place| (turn(Some(place), None), "Next"));
    let card = move |key: ApiKey| view! { <KeyCard key now shown addresses admin /> };
    view! {
        {above}
        <CardList>{page.keys.into_iter().map(card).collect_view()}</CardList>
        <PageLinks previous next />
    }
    .into_any()
}

#[component]
fn NoKeys(query: KeyListQuery, addresses: KeyAddresses, admin: bool) -> impl IntoView {
    if !query.search.is_empty() || !query.filter.is_empty() {
        let all = format!("/{}/api-keys", addresses.slug.get_untracked());
        return view! {
            <Empty icon="search" heading="No matching keys">
                <p>
                    {match query.search.is_empty() {
                        true => "No key fits the filter.".to_owned(),
                        false => format!("No key's name contains “{}”.", query.search),
                    }}
                </p>
                <ButtonLink href=all>"Show all keys"</ButtonLink>
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

/// Title, agents, expiry, value and actions: one below the other, then in two rows, then side by side.
const COLUMNS: &str = "grid-cols-[minmax(0,1fr)_auto] sm:grid-cols-[minmax(0,1fr)_minmax(0,1.2fr)_auto] \
                       min-[72.5rem]:grid-cols-[minmax(0,1.1fr)_minmax(0,1.1fr)_190px_minmax(320px,1.4fr)_116px]";

#[component]
fn KeyCard(key: ApiKey, now: Timestamp, shown: ShownFacts, addresses: KeyAddresses, admin: bool) -> impl IntoView {
    let name = key.name.as_str().to_owned();
    // A badge takes the label's place: in a line of its own it would make its card higher than the others.
    let paused = key.pause.is_some();
    let expiry = match Status::of(key.expires_at, now) {
        Status::Active if !paused => "Expires".into_any(),
        status => view! { <StatusBadge status paused /> }.into_any(),
    };
    let rotating = key.open_old_value(now).map(|old| old.until);
    let permissions = permissions_in_words(&key);
    let facts = shown_facts(&key, shown);
    let action = |path: &str, tip: &'static str, icon: &'static str| {
        let href = addresses.to(&format!("/{}/{path}", key.id));
        view! { <IconLink href noscroll=true label=format!("{tip} {name}") tip><Icon name=icon /></IconLink> }
    };
    let actions = (
        action("use", "Use", "code"),
        admin.then(|| [action("edit", "Edit", "pencil"), action("delete", "Delete", "trash")].collect_view()),
    );
    let copy = if !key.copyable {
        view! { <span class="pr-2 text-[13px] whitespace-nowrap text-faint">"Shown once"</span> }.into_any()
    } else if admin {
        view! { <CopyButton id=key.id.clone() name=name.clone() /> }.into_any()
    } else {
        ().into_any()
    };
    let href = format!("/{}/api-keys/{}", addresses.slug.get_untracked(), key.id);
    let heading = view! { <a class="underline-offset-4 hover:underline" href=href>{name.clone()}</a> };
    view! {
        <Card columns=COLUMNS>
            <CardTitle heading=heading.into_any()>
                <Secondary>"Created " <Ago at=key.created_at now /></Secondary>
                <Secondary><LastUsed at=key.last_used_at now /></Secondary>
                {rotating.map(|until| view! { <Secondary>"Rotating until " <Moment at=until /></Secondary> })}
            </CardTitle>
            <div class="col-span-full min-w-0 wrap-anywhere sm:col-[1] min-[72.5rem]:col-auto">
                <Scope agents=key.agents />
                <Secondary>{permissions}</Secondary>
                {facts.into_iter().map(|fact| view! { <Secondary>{fact}</Secondary> }).collect_view()}
            </div>
            <Figure
                icon="calendar"
                label=expiry
                class="col-span-full sm:col-[2] sm:row-[1] min-[72.5rem]:col-auto min-[72.5rem]:row-auto"
            >
                <strong><Moment at=key.expires_at /></strong>
            </Figure>
            <ValueBox class="col-span-full sm:col-[2/4] min-[72.5rem]:col-auto">
                <ValueText text=key.masked />
                {copy}
            </ValueBox>
            <CardActions class="col-[2] row-[1] sm:col-[3] min-[72.5rem]:col-auto min-[72.5rem]:row-auto">{actions}</CardActions>
        </Card>
    }
}

/// What the query asks to show beside the usual, where the key has it.
fn shown_facts(key: &ApiKey, shown: ShownFacts) -> Vec<String> {
    let settings = &key.settings;
    let rate = settings.rate.map(|rate| format!("{} calls in {} s", rate.calls, rate.seconds));
    let quota = settings.quota.map(|quota| format!("{quota} calls a month"));
    let limits: Vec<String> = settings.networks.iter().cloned().chain(rate).chain(quota).collect();
    let labelled = |label: &str, text: &str| format!("{label} {text}");
    let facts = [
        ("owner", "Owner", settings.owner.clone()),
        ("tags", "Tags", settings.tags.join(", ")),
        ("client", "Last from", key.last_client.as_ref().map(LastClient::in_words).unwrap_or_default()),
        ("networks", "Limited to", limits.join(", ")),
        ("creator", "Created by", key.created_by.clone()),
    ];
    let wanted = facts.into_iter().filter(|(name, _, text)| shown.has(name) && !text.is_empty());
    wanted.map(|(_, label, text)| labelled(label, &text)).collect()
}

/// Badge of a key that is paused, has expired or soon will.
#[component]
pub fn StatusBadge(status: Status, paused: bool) -> impl IntoView {
    match status {
        Status::Expired => Some((Tone::Danger, "Expired")),
        _ if paused => Some((Tone::Warning, "Paused")),
        Status::Active => None,
        Status::ExpiresSoon => Some((Tone::Warning, "Expires soon")),
    }
    .map(|(tone, text)| view! { <Badge tone text /> })
}

/// A key's permissions by name, in one line.
pub fn permissions_in_words(key: &ApiKey) -> String {
    key.permissions.iter().map(|p| p.label()).collect::<Vec<_>>().join(", ")
}

/// When a key was last used, in words.
#[component]
pub fn LastUsed(at: Option<Timestamp>, now: Timestamp) -> impl IntoView {
    match at {
        Some(at) => view! { "Last used " <Ago at now /> }.into_any(),
        None => view! { "Never used" }.into_any(),
    }
}

/// The agents that a key covers; long lists fold.
#[component]
pub fn Scope(agents: Option<Vec<crate::agents::AgentName>>) -> impl IntoView {
    let Some(agents) = agents else { return view! { <p>"All agents"</p> }.into_any() };
    let names: Vec<String> = agents.into_iter().map(|agent| agent.name).collect();
    if names.is_empty() {
        return view! { <p>"No agents left"</p> }.into_any();
    }
    if names.len() <= SHOWN_AGENTS {
        return view! { <p>{names.join(", ")}</p> }.into_any();
    }
    let first = names[..SHOWN_AGENTS].join(", ");
    let more = names.len() - SHOWN_AGENTS;
    view! {
        <details>
            <summary>{first} " and " {more} " more"</summary>
            <ul class="mt-1 max-h-40 overflow-auto text-sm text-soft">{names.into_iter().map(|name| view! { <li>{name}</li> }).collect_view()}</ul>
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
            ..KeyListQuery::default()
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
