//! The Usage page of a workspace: its calls by time, API, outcome, agent and key. Rendered on the server.

/// Downloading the numbers.
pub mod export;

use crate::api_keys::UnusedKey;
use crate::base::error::Error;
use crate::base::id::{AgentId, ApiKeyId};
use crate::base::time::Timestamp;
use crate::http::parameters::Parameters;
use crate::usage::service::{ApiCount, KeyNearLimits, RequestTotals, Totals, refusals};
use crate::usage::{Api, Period, Tally};
use crate::web::components::button::{BUTTON_ROW, ButtonLink};
use crate::web::components::field::HINT;
use crate::web::components::page::{PageHeader, Section};
use crate::web::components::table::{Cell, FragmentTime, Table, TableView, render};
use crate::web::guard::SignedInMember;
use crate::web::transport::fragment::Html;
use crate::web::usage::summary::{ChartData, chart, reasons};
use crate::web::usage::{Periods, RequestChart};
use leptos::prelude::*;

/// Longest list of agents or keys on the page.
const SHOWN: usize = 20;

/// Numbers of a workspace's requests in a period.
struct WorkspaceUsage {
    period: Period,
    counts: Vec<ApiCount>,
    chart: ChartData,
    agents: Vec<Totals<AgentId>>,
    keys: Vec<Totals<ApiKeyId>>,
    /// Time at which the keys were ranked.
    ranked_at: Option<Timestamp>,
    near_limits: Vec<KeyNearLimits>,
    /// Number of keys that were never used, and some of them.
    unused: (u64, Vec<UnusedKey>),
}

/// Renders the page.
pub async fn page(member: &SignedInMember, asked: &Parameters) -> Result<Html, Error> {
    let period = Period::parse(asked.first("range"));
    let here = format!("/{}/usage", member.workspace().slug);
    let usage = load(member, period).await?;
    Ok(render(view! { <Usage usage here /> }))
}

async fn load(member: &SignedInMember, period: Period) -> Result<WorkspaceUsage, Error> {
    let (services, workspace) = (member.services(), &member.workspace().id);
    let reports = &services.reports;
    let counts = reports.by_api(workspace, period).await?;
    let agents = reports.by_agent(workspace, period).await?;
    let (keys, ranked_at) = reports.top_keys(workspace, period).await?;
    let near_limits = reports.near_limits(workspace, SHOWN as i64).await?;
    let unused = services.api_keys.never_used(workspace, SHOWN as i64).await?;
    let by_hour = counts.iter().map(|count| (count.hour, Tally::Calls(count.outcome), count.requests));
    let chart = chart(by_hour, services.now(), period);
    Ok(WorkspaceUsage { period, counts, chart, agents, keys, ranked_at, near_limits, unused })
}

#[component]
fn Usage(usage: WorkspaceUsage, here: String) -> impl IntoView {
    let WorkspaceUsage { period, counts, chart, agents, keys, ranked_at, near_limits, unused } = usage;
    let workspace = here.trim_end_matches("/usage").to_owned();
    let total = RequestTotals::sum(&chart.bars);
    let refused = refusals(counts.iter().map(|count| (count.outcome, count.requests)));
    let download = format!("{here}/export?range={}", period.id);
    let link_key = |key: &ApiKeyId| format!("{workspace}/api-keys/{key}");
    let by_agent = bars("Agent", &agents, |agent| format!("{workspace}/agents/{agent}"));
    let (top_keys, unused_keys) = (bars("Key", &keys, link_key), unused_table(&unused.1, link_key));
    let limits = (!near_limits.is_empty()).then(|| {
        let table = limits_table(near_limits, link_key);
        view! {
            <Section labelled_by="limits-heading">
                <h2 id="limits-heading">"Keys near their limits"</h2>
                <TableView table caption="Keys near their limits" />
            </Section>
        }
    });
    let agents_note = more(agents.len(), "agents");
    let keys_note = ranked_at.map(|at| view! { "The keys were ranked " <FragmentTime at /> ". " });
    view! {
        <PageHeader heading="Usage">
            <div class=BUTTON_ROW role="group" aria-label="Export">
                <ButtonLink href=download rel="external">"CSV"</ButtonLink>
            </div>
        </PageHeader>
        <Section labelled_by="requests-heading">
            <div class="flex flex-wrap items-center justify-between gap-3">
                <h2 id="requests-heading">"Requests"</h2>
                <Periods here chosen=period />
            </div>
            <p>{in_words(total)}</p>
            <RequestChart chart period />
        </Section>
        <div class="grid gap-x-2 lg:grid-cols-2">
            <Section labelled_by="apis-heading">
                <h2 id="apis-heading">"By API"</h2>
                {table_or(by_api(&counts), "Requests by API", "No requests in this time.")}
            </Section>
            <Section labelled_by="agents-heading">
                <h2 id="agents-heading">"By agent"</h2>
                {table_or(by_agent, "Requests by agent", "No request named an agent in this time.")}
                {agents_note}
            </Section>
        </div>
        <Section labelled_by="reasons-heading">
            <h2 id="reasons-heading">"Why requests were refused"</h2>
            {table_or(reasons(&refused), "Refusals by reason", "No request was refused in this time.")}
        </Section>
        {limits}
        <div class="grid gap-x-2 lg:grid-cols-2">
            <Section labelled_by="keys-heading">
                <h2 id="keys-heading">"Top keys"</h2>
                {table_or(top_keys, "Requests by key", "No key was used in this time.")}
                <p class=HINT>{keys_note}"The download has all keys."</p>
            </Section>
            <Section labelled_by="unused-heading">
                <h2 id="unused-heading">"Keys never used"</h2>
                <p>{never_used_in_words(unused.0)}</p>
                {(unused.0 > 0).then(|| view! { <TableView table=unused_keys caption="Keys never used" /> })}
            </Section>
        </div>
    }
}

fn in_words(total: RequestTotals) -> String {
    let all = total.accepted + total.refused;
    let share = total.refused as f64 * 100.0 / all.max(1) as f64;
    match (all, total.refused) {
        (0, _) => "No requests in this time.".to_owned(),
        (1, 0) => "1 request, accepted.".to_owned(),
        (all, 0) => format!("{all} requests, all accepted."),
        (1, _) => "1 request, which was refused.".to_owned(),
        (all, 1) => format!("{all} requests, of which 1 was refused ({share:.1} %)."),
        (all, refused) => format!("{all} requests, of which {refused} were refused ({share:.1} %)."),
    }
}

fn never_used_in_words(count: u64) -> String {
    match count {
        0 => "Every key has been used.".to_owned(),
        1 => "1 key was never used. Delete it if nobody needs it.".to_owned(),
        count => format!("{count} keys were never used. Delete those that nobody needs."),
    }
}

/// A note below a list that leaves some out.
fn more(count: usize, what: &'static str) -> Option<impl IntoView> {
    (count > SHOWN)
        .then(|| view! { <p class=HINT>{format!("The {SHOWN} of {count} {what} with the most requests. The download has all.")}</p> })
}

fn table_or(table: Table, caption: &'static str, empty: &'static str) -> AnyView {
    match table.rows.is_empty() {
        true => view! { <p class="text-faint">{empty}</p> }.into_any(),
        false => view! { <TableView table caption /> }.into_any(),
    }
}

fn by_api(counts: &[ApiCount]) -> Table {
    let apis = [None].into_iter().chain(Api::ALL.map(Some));
    let mut rows: Vec<(&str, RequestTotals)> = apis
        .map(|api| {
            let of_it = counts
                .iter()
                .filter(|count| count.api == api)
                .map(|count| (Tally::Calls(count.outcome), count.requests));
            // Earlier versions did not count by API.
            (api.map_or("Not recorded", Api::label), RequestTotals::of(of_it))
        })
        .filter(|(_, sum)| sum.accepted + sum.refused > 0)
        .collect();
    rows.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.accepted + sum.refused));
    let most = rows.first().map_or(0, |(_, sum)| sum.accepted + sum.refused);
    let row =
        |(label, sum): (&str, RequestTotals)| numbers(Cell::Text(label.to_owned()), sum.accepted, sum.refused, most);
    Table::new(["API", "Requests", "Refused"], rows.into_iter().map(row).collect())
}

/// Names with their requests as bars, the most first.
fn bars<Id>(column: &str, totals: &[Totals<Id>], link: impl Fn(&Id) -> String) -> Table {
    let most = totals.first().map_or(0, |first| first.accepted + first.refused);
    let rows = totals
        .iter()
        .take(SHOWN)
        .map(|total| numbers(Cell::Link(total.name.clone(), link(&total.id)), total.accepted, total.refused, most));
    Table::new([column, "Requests", "Refused"], rows.collect())
}

fn numbers(name: Cell, accepted: u64, refused: u64, most: u64) -> Vec<Cell> {
    vec![name, Cell::Bar { value: accepted, alarm: refused, most }, Cell::Text(refused.to_string())]
}

fn unused_table(keys: &[UnusedKey], link: impl Fn(&ApiKeyId) -> String) -> Table {
    let rows = keys.iter().map(|key| {
        vec![
            Cell::Link(key.name.as_str().to_owned(), link(&key.id)),
            Cell::Time(key.created_at),
            Cell::Time(key.expires_at),
        ]
    });
    Table::new(["Key", "Created", "Expires"], rows.collect())
}

fn limits_table(keys: Vec<KeyNearLimits>, link: impl Fn(&ApiKeyId) -> String) -> Table {
    let row = |key: KeyNearLimits| {
        let used = match key.quota {
            0 => String::new(),
            quota => format!("{} of {quota} ({} %)", key.used, key.used.saturating_mul(100) / quota),
        };
        vec![Cell::Link(key.name, link(&key.id)), Cell::Text(used), Cell::Text(key.limited.to_string())]
    };
    Table::new(["Key", "Calls this month (UTC)", "Too many, in 24 hours"], keys.into_iter().map(row).collect())
}
