//! A key's own page: what it opens, how it is used, and its latest requests.

use super::{Api, Outcome};
use crate::api_keys::list::{LastUsed, Scope};
use crate::api_keys::{ApiKey, Status};
use crate::error::Error;
use crate::time::Timestamp;
use crate::ui::filter::{FilterForm, FilterSelect};
use crate::ui::icon::Icon;
use crate::ui::load::{Place, awaited, load, load_live};
use crate::ui::page::Empty;
use crate::ui::query_value;
use crate::ui::table::{Table, TableView};
use crate::ui::time::{Ago, Moment};
use crate::workspaces::frame::{Tabs, use_slug, use_visit};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use serde::{Deserialize, Serialize};

/// The times that a chart shows: in the address, and in words.
const RANGES: [(&str, &str); 3] = [("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days")];

/// A chart, drawn on the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    /// An `<svg>` element, made of numbers only.
    pub svg: String,
    /// What its highest bar may stand for.
    pub top: u64,
    /// The same as a table.
    pub table: Table,
}

/// How a key is used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    pub now: Timestamp,
    pub key: ApiKey,
    /// A time in words, how many requests were accepted in it, how many refused.
    pub totals: Vec<(String, u64, u64)>,
    /// Why requests were refused in 30 days, as a table; without rows where none was.
    pub refusals: Table,
    pub chart: Chart,
}

/// A page of a key's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Requests {
    pub table: Table,
    /// Where the next page begins.
    pub next: Option<String>,
    /// What the log does not have, in a sentence.
    pub note: String,
}

/// How a key is used.
#[server(endpoint = "get_key_usage", input = Json)]
pub async fn get_key_usage(workspace: String, key: String, range: String) -> Result<Overview, Error> {
    use crate::sessions::guard;
    let member = guard::member(&workspace).await?;
    let id = crate::id::ApiKeyId::parse(&key).ok_or_else(guard::not_found)?;
    let found = super::summary::overview(member.app(), &member.workspace().id, &id, &range).await?;
    found.ok_or_else(guard::not_found)
}

/// A key's latest requests. Who a conversation is with may show in a path: for admins.
#[server(endpoint = "list_key_requests", input = Json)]
pub async fn list_key_requests(
    workspace: String,
    key: String,
    outcome: String,
    api: String,
    after: String,
) -> Result<Requests, Error> {
    let admin = crate::sessions::guard::admin(&workspace).await?;
    let id = crate::id::ApiKeyId::parse(&key).ok_or(Error::NotFound)?;
    super::summary::requests(admin.app(), &admin.workspace().id, &id, &outcome, &api, &after).await
}

/// The page.
#[component]
pub fn KeyPage() -> impl IntoView {
    let (slug, visit) = (use_slug(), use_visit());
    let (params, query) = (use_params_map(), use_query_map());
    let key = Memo::new(move |_| params.with(|p| p.get("key")).unwrap_or_default());
    let asked = move |name: &'static str| Memo::new(move |_| query.with(|q| q.get(name)).unwrap_or_default());
    let (range, outcome, api, after) = (asked("range"), asked("outcome"), asked("api"), asked("after"));
    let overview = load_live(move || GetKeyUsage { workspace: slug.get(), key: key.get(), range: range.get() });
    let content = move || async move {
        let admin = visit.await?.is_admin();
        let overview = overview.await?;
        Ok(view! { <Usage overview admin range=range.get_untracked() /> }.into_any())
    };
    // Loaded only where it may be seen.
    let requests = load(move || ListKeyRequests {
        workspace: slug.get(),
        key: key.get(),
        outcome: outcome.get(),
        api: api.get(),
        after: after.get(),
    });
    let log = move || async move {
        if !visit.await?.is_admin() {
            return Ok(().into_any());
        }
        let requests = match requests.await {
            // The page says so already.
            Err(Error::NotFound) => return Ok(().into_any()),
            other => other?,
        };
        let filter = (outcome.get_untracked(), api.get_untracked());
        Ok(view! { <Log requests filter /> }.into_any())
    };
    view! {
        <Title text="API key" />
        <Tabs current="api-keys" />
        {awaited(Place::Page, content)}
        {awaited(Place::Aside, log)}
    }
}

fn here() -> String {
    let key = use_params_map().with_untracked(|p| p.get("key")).unwrap_or_default();
    format!("/{}/api-keys/{key}", use_slug().get_untracked())
}

#[component]
fn Usage(overview: Overview, admin: bool, range: String) -> impl IntoView {
    let Overview { now, key, totals, refusals, chart } = overview;
    let here = here();
    let name = key.name.as_str().to_owned();
    let permissions = key.permissions.iter().map(|p| p.label()).collect::<Vec<_>>().join(", ");
    let status = match Status::of(key.expires_at, now) {
        Status::Active => ().into_any(),
        Status::ExpiresSoon => view! { <span class="badge warning">"Expires soon"</span> }.into_any(),
        Status::Expired => view! { <span class="badge danger">"Expired"</span> }.into_any(),
    };
    let action = |path: &str, label: &'static str, icon: &'static str| {
        view! { <a class="button" href=format!("{here}/{path}")><Icon name=icon />{label}</a> }
    };
    let actions = (
        action("use", "Use", "code"),
        admin.then(|| [action("edit", "Edit", "pencil"), action("delete", "Delete", "trash")].collect_view()),
    );
    let list = format!("/{}/api-keys", use_slug().get_untracked());
    let total = |(time, accepted, refused): (String, u64, u64)| {
        view! {
            <div class="total">
                <dt>{time}</dt>
                <dd><strong>{accepted}</strong>" accepted"</dd>
                <dd class:refused=(refused > 0)><strong>{refused}</strong>" refused"</dd>
            </div>
        }
    };
    let (current, span) = RANGES.into_iter().find(|(id, _)| *id == range).unwrap_or(RANGES[0]);
    let choice = |(id, label): (&'static str, &'static str)| {
        view! { <a href=format!("{here}?range={id}") aria-current=(id == current).then_some("true") data-noscroll="true">{label}</a> }
    };
    let why = (!refusals.rows.is_empty()).then(|| view! {
        <h3>"Why requests were refused, in 30 days"</h3>
        <TableView table=refusals caption="Refusals by reason" />
    });
    view! {
        <a class="back-link" href=list><Icon name="arrow-left" />"API keys"</a>
        <div class="page-header">
            <div>
                <h1 tabindex="-1">{name}" "{status}</h1>
                <p class="secondary">"Created " <Ago at=key.created_at now /> " by " {key.created_by} ". " <LastUsed at=key.last_used_at now /> "."</p>
            </div>
            <div class="button-row">{actions}</div>
        </div>
        <dl class="card key-facts">
            <div><dt>"Agents"</dt><dd><Scope agents=key.agents /></dd></div>
            <div><dt>"Permissions"</dt><dd>{permissions}</dd></div>
            <div><dt>"Expires"</dt><dd><Moment at=key.expires_at /></dd></div>
            <div><dt>"Value"</dt><dd><code>{key.masked}</code></dd></div>
        </dl>
        <section class="card section" aria-labelledby="requests-heading">
            <div class="section-header">
                <h2 id="requests-heading">"Requests"</h2>
                <nav class="choice-links" aria-label="Time">{RANGES.map(choice).collect_view()}</nav>
            </div>
            <dl class="totals">{totals.into_iter().map(total).collect_view()}</dl>
            <figure class="chart">
                <p class="chart-top">{chart.top}</p>
                <div inner_html=chart.svg></div>
                <figcaption><span>{span}" ago"</span><span>"Now"</span></figcaption>
            </figure>
            <details class="as-table">
                <summary>"Show as a table"</summary>
                <TableView table=chart.table caption="Requests over time" />
            </details>
            {why}
        </section>
    }
}

#[component]
fn Log(requests: Requests, filter: (String, String)) -> impl IntoView {
    let here = here();
    let (outcome, api) = filter;
    let any = |words: &str| (String::new(), words.to_owned());
    let refused = [any("All"), ("refused".to_owned(), "All refusals".to_owned())];
    // Without a known key a request is in no key's log.
    let known = Outcome::ALL.into_iter().filter(|o| !matches!(o, Outcome::NoKey | Outcome::Malformed | Outcome::Unknown));
    let outcomes = refused.into_iter().chain(known.map(|o| (o.id().to_owned(), o.label().to_owned())));
    let apis = [any("All")].into_iter().chain(Api::ALL.map(|api| (api.id().to_owned(), api.label().to_owned())));
    let next = requests.next.map(|next| {
        let address = format!("{here}?outcome={outcome}&api={api}&after={}", query_value(&next));
        view! { <nav class="pages" aria-label="Pages"><a class="button" href=address rel="next" data-noscroll="true">"Earlier"<Icon name="arrow-right" /></a></nav> }
    });
    let table = match requests.table.rows.is_empty() {
        true => view! {
            <Empty icon="code" heading="No requests here">
                <p>"Requests with this key appear here within a second."</p>
            </Empty>
        }
        .into_any(),
        false => view! { <TableView table=requests.table caption="Latest requests" /> }.into_any(),
    };
    view! {
        <section class="card section" aria-labelledby="log-heading">
            <h2 id="log-heading">"Latest requests"</h2>
            <FilterForm action=here class="filters">
                <FilterSelect name="outcome" label="Outcome" options=outcomes.collect() chosen=outcome />
                <FilterSelect name="api" label="API" options=apis.collect() chosen=api />
                <button class="button small" type="submit">"Filter"</button>
            </FilterForm>
            {table}
            <p class="hint">{requests.note}</p>
            {next}
        </section>
    }
}
