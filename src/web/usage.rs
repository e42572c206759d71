//! What the server renders: a key's page, and why a call was refused.

/// Numbers for the pages.
pub mod summary;

use crate::api_keys::Status;
use crate::base::error::Error;
use crate::base::id::ApiKeyId;
use crate::base::text::query_value;
use crate::http::parameters::Parameters;
use crate::usage::{Api, Outcome};
use crate::web::api_keys::list::Scope;
use crate::web::components::filter_fields::FilterSelect;
use crate::web::components::icon::Icon;
use crate::web::components::page::Empty;
use crate::web::components::table::{Facts, FragmentTime, TableView, render};
use crate::web::guard::{self, SignedInMember};
use crate::web::transport::fragment::Html;
use leptos::prelude::*;
use summary::{Explanation, Overview, Requests};

/// The times that a chart shows: in the address, and in words.
const RANGES: [(&str, &str); 3] = [("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days")];

/// A key's page. Who a conversation is with may show in the path of a request: those are for admins.
pub async fn key_page(member: &SignedInMember, key: &str, asked: &Parameters) -> Result<Html, Error> {
    let (services, workspace) = (member.services(), member.workspace());
    let id = ApiKeyId::parse(key).ok_or_else(guard::not_found)?;
    let (range, outcome, api) = (asked.first("range"), asked.first("outcome"), asked.first("api"));
    let overview = summary::overview(services, &workspace.id, &id, range).await?.ok_or_else(guard::not_found)?;
    let log = match member.visit.is_admin() {
        true => Some(summary::requests(services, &workspace.id, &id, outcome, api, asked.first("after")).await?),
        false => None,
    };
    let here = format!("/{}/api-keys/{id}", workspace.slug);
    let (range, filter) = (range.to_owned(), (outcome.to_owned(), api.to_owned()));
    let admin = log.is_some();
    let log = log.map(|requests| view! { <Log requests filter here=here.clone() /> });
    Ok(render(view! {
        <Usage overview admin here=here.clone() range />
        {log}
    }))
}

#[component]
fn Usage(overview: Overview, admin: bool, here: String, range: String) -> impl IntoView {
    let Overview { now, key, totals, chart } = overview;
    let name = key.name.as_str().to_owned();
    let last_used = key.last_used_at.map_or("Never used".to_owned(), |at| format!("Last used {}", at.ago(now)));
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
    let list = here.rsplit_once('/').map(|(list, _)| list.to_owned()).unwrap_or_default();
    let total = |(days, accepted, refused): (i64, u64, u64)| {
        let time = if days == 1 { "Today (UTC)".to_owned() } else { format!("{days} days") };
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
    let why = (!totals.refused.is_empty()).then(|| {
        view! {
            <h3>"Why requests were refused, in 30 days"</h3>
            <TableView table=summary::reasons(&totals) caption="Refusals by reason" />
        }
    });
    view! {
        <a class="back-link" href=list><Icon name="arrow-left" />"API keys"</a>
        <div class="page-header">
            <div>
                <h1 tabindex="-1">{name}" "{status}</h1>
                <p class="secondary">"Created " {key.created_at.ago(now)} " by " {key.created_by} ". " {last_used} "."</p>
            </div>
            <div class="button-row">{actions}</div>
        </div>
        <dl class="card key-facts">
            <div><dt>"Agents"</dt><dd><Scope agents=key.agents /></dd></div>
            <div><dt>"Permissions"</dt><dd>{permissions}</dd></div>
            <div><dt>"Expires"</dt><dd><FragmentTime at=key.expires_at /></dd></div>
            <div><dt>"Value"</dt><dd><code>{key.masked}</code></dd></div>
        </dl>
        <section class="card section" aria-labelledby="requests-heading">
            <div class="section-header">
                <h2 id="requests-heading">"Requests"</h2>
                <nav class="choice-links" aria-label="Time">{RANGES.map(choice).collect_view()}</nav>
            </div>
            <dl class="totals">{totals.within.into_iter().map(total).collect_view()}</dl>
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
fn Log(requests: Requests, filter: (String, String), here: String) -> impl IntoView {
    let (outcome, api) = filter;
    let any = |words: &str| (String::new(), words.to_owned());
    let refused = [any("All"), ("refused".to_owned(), "All refusals".to_owned())];
    // Without a known key a request is in no key's log.
    let known =
        Outcome::ALL.into_iter().filter(|o| !matches!(o, Outcome::NoKey | Outcome::Malformed | Outcome::Unknown));
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
            <form method="get" action=here class="filters" role="search">
                <FilterSelect name="outcome" label="Outcome" options=outcomes.collect() chosen=outcome />
                <FilterSelect name="api" label="API" options=apis.collect() chosen=api />
                <button class="button small" type="submit">"Filter"</button>
            </form>
            {table}
            <p class="hint">{requests.note}</p>
            {next}
        </section>
    }
}

/// A question for a correlation id, and what became of the calls that had it.
pub async fn refused_call(member: &SignedInMember, asked: &Parameters) -> Result<Html, Error> {
    let id = asked.first("id").to_owned();
    let explained = summary::explain(member.services(), member.workspace(), &id).await?;
    let explained = explained.into_iter().map(|Explanation { text, facts }| {
        let facts = (!facts.is_empty()).then(|| view! { <Facts facts /> });
        view! {
            <p>{text}</p>
            {facts}
        }
    });
    let list = format!("/{}/api-keys", member.workspace().slug);
    let here = format!("{list}/refused");
    Ok(render(view! {
        <a class="back-link" href=list><Icon name="arrow-left" />"API keys"</a>
        <div class="page-header"><h1 tabindex="-1">"Why was a call refused?"</h1></div>
        <section class="card section">
            <form method="get" action=here class="field question-form" role="search">
                <label for="correlation-id">"Correlation id"</label>
                <input id="correlation-id" name="id" type="text" maxlength="128" autocomplete="off" spellcheck="false" value=id aria-describedby="correlation-id-hint" />
                <p class="hint" id="correlation-id-hint">"From the answer's header " <code>"X-PolyAI-Correlation-Id"</code> ", or " <code>"error_id"</code> " in its body."</p>
                <button class="button primary" type="submit">"Look it up"</button>
            </form>
            {explained.collect_view()}
        </section>
    }))
}
