//! A key's own page: what it is, how it is used, and its latest requests.

use crate::api_keys::{KeySettings, Pause, Status};
use crate::base::error::Error;
use crate::base::id::ApiKeyId;
use crate::base::text::query_value;
use crate::base::time::Timestamp;
use crate::http::parameters::Parameters;
use crate::usage::counts::hour_of;
use crate::usage::service::HourCount;
use crate::usage::{Api, Outcome, Period, Tally};
use crate::web::api_keys::list::{Scope, StatusBadge, permissions_in_words};
use crate::web::components::button::{BUTTON_ROW, ButtonLink};
use crate::web::components::field::HINT;
use crate::web::components::filter_fields::{FilterSelect, Filters};
use crate::web::components::page::{BackLink, Empty, Notice, PageHeader, PageLinks, Section};
use crate::web::components::table::{Cell, Facts, FragmentTime, TableView, render};
use crate::web::guard::{self, SignedInMember};
use crate::web::transport::fragment::Html;
use crate::web::usage::summary::{self, KeyUsage, RequestLogPage};
use crate::web::usage::{Periods, RequestChart, rotation};
use leptos::prelude::*;

/// Renders a key's page. Paths of requests contain conversation ids, which may identify callers: only admins get the log.
pub async fn page(member: &SignedInMember, key: &str, asked: &Parameters) -> Result<Html, Error> {
    let (services, workspace) = (member.services(), member.workspace());
    let id = ApiKeyId::parse(key).ok_or_else(guard::not_found)?;
    let (range, outcome, api) = (asked.first("range"), asked.first("outcome"), asked.first("api"));
    let period = Period::parse(range);
    let usage = summary::overview(services, &workspace.id, &id, period).await?.ok_or_else(guard::not_found)?;
    let log = match member.visit.is_admin() {
        true => Some(summary::requests(services, &workspace.id, &id, outcome, api, asked.first("after")).await?),
        false => None,
    };
    let here = format!("/{}/api-keys/{id}", workspace.slug);
    let rotation = match usage.key.open_old_value(usage.now) {
        Some(old) => {
            let here = log.is_some().then_some(here.as_str());
            Some(rotation::view(services, &workspace.id, &usage, old, period, here).await?)
        }
        None => None,
    };
    let filter = (outcome.to_owned(), api.to_owned());
    let admin = log.is_some();
    let log = log.map(|log| view! { <Log log filter here=here.clone() /> });
    Ok(render(view! {
        <Usage usage rotation admin here=here.clone() period />
        {log}
    }))
}

#[component]
fn Usage(
    usage: KeyUsage,
    /// About the values of a key that is being rotated.
    #[prop(optional_no_strip)]
    rotation: Option<AnyView>,
    admin: bool,
    here: String,
    period: Period,
) -> impl IntoView {
    let KeyUsage { now, key, totals, chart, counts } = usage;
    let limits = limits(&key.settings, &counts, now);
    let name = key.name.as_str().to_owned();
    let from = key.last_client.as_ref().filter(|_| admin).map(|client| format!(" from {}", client.in_words()));
    let from = from.unwrap_or_default();
    let last_used = key.last_used_at.map_or("Never used".to_owned(), |at| format!("Last used {}{from}", at.ago(now)));
    let permissions = permissions_in_words(&key);
    let badge = view! { <StatusBadge status=Status::of(key.expires_at, now) paused=key.pause.is_some() /> };
    let rotating = rotation.is_some();
    let action = |path: &str, label: &'static str, icon: &'static str| {
        view! { <ButtonLink href=format!("{here}/{path}") icon>{label}</ButtonLink> }
    };
    let actions = (
        action("use", "Use", "code"),
        admin.then(|| {
            let rotate = (!rotating).then(|| action("rotate", "Rotate", "rotate"));
            let pause = match key.pause {
                None => action("pause", "Pause", "pause"),
                Some(_) => action("resume", "Resume", "play"),
            };
            let settings = action("settings", "Settings", "settings");
            (action("edit", "Edit", "pencil"), settings, rotate, pause, action("delete", "Delete", "trash"))
        }),
    );
    let paused = key.pause.as_ref().map(|pause| paused_in_words(pause, now));
    let list = here.rsplit_once('/').map(|(list, _)| list.to_owned()).unwrap_or_default();
    let created = view! {
        <p class="text-sm text-faint">
            "Created " {key.created_at.ago(now)} " by " {key.created_by} ". " {last_used} "."
        </p>
    };
    let why = (!totals.refused.is_empty()).then(|| {
        view! {
            <h3>"Why requests were refused, in 30 days"</h3>
            <TableView table=summary::reasons(&totals.refused) caption="Refusals by reason" />
        }
    });
    view! {
        <BackLink href=list text="API keys" />
        <PageHeader heading=name badge=badge.into_any() below=created.into_any()>
            <div class=BUTTON_ROW>{actions}</div>
        </PageHeader>
        {paused.map(|text| view! { <Notice text /> })}
        <KeyFacts>
            <KeyFact name="Agents"><Scope agents=key.agents /></KeyFact>
            <KeyFact name="Permissions">{permissions}</KeyFact>
            <KeyFact name="Expires"><FragmentTime at=key.expires_at /></KeyFact>
            <KeyFact name="Value"><code>{key.masked}</code>", made " {key.value_created_at.ago(now)}</KeyFact>
            {settings_facts(&key.settings).into_iter().map(|(name, text)| view! { <KeyFact name>{text}</KeyFact> }).collect_view()}
        </KeyFacts>
        {rotation}
        <Section labelled_by="requests-heading">
            <div class="flex flex-wrap items-center justify-between gap-3">
                <h2 id="requests-heading">"Requests"</h2>
                <Periods here chosen=period />
            </div>
            <dl class="grid grid-cols-[repeat(auto-fit,minmax(min(100%,160px),1fr))] gap-3">
                {totals.within.into_iter().map(|(days, accepted, refused)| view! { <Total days accepted refused /> }).collect_view()}
            </dl>
            <RequestChart chart period />
            {why}
        </Section>
        {limits}
    }
}

/// How near a key is to its limits; nothing if it has none.
fn limits(settings: &KeySettings, counts: &[HourCount], now: Timestamp) -> Option<AnyView> {
    if settings.rate.is_none() && settings.quota.is_none() {
        return None;
    }
    let count = |tally: Tally, since: i64| -> u64 {
        let counted = counts.iter().filter(|count| count.tally == tally && count.hour >= since);
        counted.map(|count| count.requests).sum()
    };
    let used = count(Tally::Calls(Outcome::Accepted), hour_of(now.begin_of_month()));
    let quota = settings.quota.map(|quota| {
        let share = used.saturating_mul(100) / quota.max(1);
        let cell = Cell::Text(format!("{used} of {quota} calls in this month (UTC): {share} %"));
        ("Calls this month", cell)
    });
    let yesterday = hour_of(now) - 24;
    let limited = count(Tally::Calls(Outcome::RateLimited), yesterday);
    let rate = settings.rate.map(|rate| {
        let text = format!("{}, at most {} at once; {limited} calls too many in 24 hours", rate.typed(), rate.burst);
        ("Rate", Cell::Text(text))
    });
    let meter = settings.quota.map(|quota| {
        view! { <meter class="h-3 w-full max-w-md" min="0" max=quota.to_string() high=(quota * 4 / 5).to_string() value=used.to_string() aria-label="Share of this month's calls"></meter> }
    });
    Some(
        view! {
            <Section labelled_by="limits-heading">
                <h2 id="limits-heading">"Limits"</h2>
                <Facts facts=quota.into_iter().chain(rate).collect() />
                {meter}
            </Section>
        }
        .into_any(),
    )
}

/// The settings that differ from those of a new key.
fn settings_facts(settings: &KeySettings) -> Vec<(&'static str, String)> {
    let rate = settings.rate.map(|rate| format!("{} calls, at most {} at once", rate.typed(), rate.burst));
    let facts = [
        ("Owner", settings.owner.clone()),
        ("Note", settings.note.clone()),
        ("Tags", settings.tags.join(", ")),
        ("Networks", settings.networks.join(", ")),
        ("Rate", rate.unwrap_or_default()),
        ("Calls per month", settings.quota.map(|quota| quota.to_string()).unwrap_or_default()),
    ];
    facts.into_iter().filter(|(_, text)| !text.is_empty()).collect()
}

fn paused_in_words(pause: &Pause, now: Timestamp) -> String {
    let reason = if pause.reason.is_empty() { String::new() } else { format!(" Reason: {}", pause.reason) };
    format!(
        "Paused {} by {}: every call is refused until an admin resumes the key.{reason}",
        pause.at.ago(now),
        pause.by
    )
}

/// Facts about the key in columns, as many as fit.
#[component]
fn KeyFacts(children: Children) -> impl IntoView {
    view! {
        <dl class="grid grid-cols-[repeat(auto-fit,minmax(min(100%,190px),1fr))] gap-x-6 gap-y-4 rounded-xl bg-surface px-4 py-5 md:px-8">
            {children()}
        </dl>
    }
}

#[component]
fn KeyFact(name: &'static str, children: Children) -> impl IntoView {
    view! {
        <div>
            <dt class="text-[13px] text-faint">{name}</dt>
            <dd class="min-w-0 font-medium wrap-anywhere">{children()}</dd>
        </div>
    }
}

/// Requests in a number of days.
#[component]
fn Total(days: i64, accepted: u64, refused: u64) -> impl IntoView {
    let time = if days == 1 { "Today (UTC)".to_owned() } else { format!("{days} days") };
    let strong = |color: &str| format!("text-lg font-semibold {color}");
    let alarm = if refused > 0 { "text-danger" } else { "text-soft" };
    let number = if refused > 0 { "text-danger" } else { "text-ink" };
    view! {
        <div class="rounded-lg bg-sunken px-4 py-3">
            <dt class="text-[13px] text-faint">{time}</dt>
            <dd class="text-sm text-soft"><strong class=strong("text-ink")>{accepted}</strong>" accepted"</dd>
            <dd class=format!("text-sm {alarm}")><strong class=strong(number)>{refused}</strong>" refused"</dd>
        </div>
    }
}

#[component]
fn Log(log: RequestLogPage, filter: (String, String), here: String) -> impl IntoView {
    let (outcome, api) = filter;
    let any = |words: &str| (String::new(), words.to_owned());
    let refused = [any("All"), ("refused".to_owned(), "All refusals".to_owned())];
    // Requests without a known key are in no key's log.
    let known =
        Outcome::ALL.into_iter().filter(|o| !matches!(o, Outcome::NoKey | Outcome::Malformed | Outcome::Unknown));
    let outcomes = refused.into_iter().chain(known.map(|o| (o.id().to_owned(), o.label().to_owned())));
    let apis = [any("All")].into_iter().chain(Api::ALL.map(|api| (api.id().to_owned(), api.label().to_owned())));
    let next =
        log.next.map(|next| (format!("{here}?outcome={outcome}&api={api}&after={}", query_value(&next)), "Earlier"));
    let table = match log.table.rows.is_empty() {
        true => view! {
            <Empty icon="code" heading="No requests here">
                <p>"Requests with this key appear here within a second."</p>
            </Empty>
        }
        .into_any(),
        false => view! { <TableView table=log.table caption="Latest requests" /> }.into_any(),
    };
    view! {
        <Section labelled_by="log-heading">
            <h2 id="log-heading">"Latest requests"</h2>
            <Filters action=here>
                <FilterSelect name="outcome" label="Outcome" options=outcomes.collect() chosen=outcome />
                <FilterSelect name="api" label="API" options=apis.collect() chosen=api />
            </Filters>
            {table}
            <p class=HINT>{log.note}</p>
            <PageLinks next noscroll=true />
        </Section>
    }
}
