//! An agent's page, rendered on the server: concurrent conversations, variants, attributes, deployments.

use crate::agents::AgentName;
use crate::base::error::Error;
use crate::base::id::{DeploymentId, WorkspaceId};
use crate::base::text::query_value;
use crate::base::time::Timestamp;
use crate::conversations::concurrency::{ConcurrencyQuery, INTERVAL};
use crate::deployments::{Deployment, Environment};
use crate::http::parameters::Parameters;
use crate::variants::{Attribute, Variant};
use crate::web::components::button::{BUTTON_ROW, ButtonLink};
use crate::web::components::chart::{Bar, Chart};
use crate::web::components::field::HINT;
use crate::web::components::filter_fields::{FilterSelect, Filters};
use crate::web::components::page::{BackLink, ChoiceLink, ChoiceLinks, Empty, PageHeader, Section};
use crate::web::components::table::{Cell, Table, TableView, render};
use crate::web::guard::{self, SignedInMember};
use crate::web::services::PageServices;
use crate::web::transport::fragment::Html;
use leptos::prelude::*;

/// Times that the chart can show: the value in the address, the name shown, hours, and minutes of a bar.
const RANGES: [(&str, &str, i64, i64); 2] = [("24h", "24 hours", 24, 15), ("7d", "7 days", 7 * 24, 60)];
/// Most attributes that the table of variants has a column for.
const MAX_COLUMNS: usize = 4;
/// Longest value that a table shows, in characters.
const MAX_SHOWN: usize = 60;
/// Deployments of each environment that the page shows.
const MAX_DEPLOYMENTS: u32 = 20;

pub async fn page(member: &SignedInMember, agent: &str, asked: &Parameters) -> Result<Html, Error> {
    let (services, workspace) = (member.services(), member.workspace());
    let agent = services.agents.find(&workspace.id, agent).await?.ok_or_else(guard::not_found)?;
    let admin = member.visit.is_admin();
    let list = format!("/{}/agents", workspace.slug);
    let here = format!("{list}/{}", agent.id);
    let variants = services.variants.variants(&workspace.id, &agent.id).await?;
    let attributes = services.variants.attributes(&workspace.id, &agent.id).await?;
    let mut environments = Vec::new();
    for environment in Environment::ALL.into_iter().rev() {
        let found = services.deployments.list(&workspace.id, &agent.id, environment, MAX_DEPLOYMENTS).await?;
        let active = services.deployments.active(&workspace.id, &agent.id, environment).await?;
        environments.push(Timeline { environment, deployments: found, active: active.map(|active| active.id) });
    }
    let concurrency = concurrency(services, &workspace.id, &agent, asked).await?;
    let action = |path: &str, label: &'static str, icon: &'static str| {
        view! { <ButtonLink href=format!("{here}/{path}") icon>{label}</ButtonLink> }
    };
    let actions =
        admin.then(|| [action("rename", "Rename", "pencil"), action("delete", "Delete", "trash")].collect_view());
    let below = view! { <p class="text-sm text-faint">"Agent ID " <code>{agent.id.to_string()}</code></p> };
    Ok(render(view! {
        <BackLink href=list text="Agents" />
        <PageHeader heading=agent.name.clone() below=below.into_any()>
            <div class=BUTTON_ROW>{actions}</div>
        </PageHeader>
        <div class="flex flex-col gap-4">
            <ConcurrencySection concurrency variants=variants.clone() here=here.clone() />
            <VariantsSection variants attributes=attributes.clone() here=here.clone() admin />
            <AttributesSection attributes here=here.clone() admin />
            <DeploymentsSection environments here admin />
        </div>
    }))
}

/// An environment's latest deployments.
struct Timeline {
    environment: Environment,
    /// Newest first.
    deployments: Vec<Deployment>,
    active: Option<DeploymentId>,
}

/// The numbers of concurrent conversations that the page shows.
struct Concurrency {
    range: &'static str,
    span: &'static str,
    variant: String,
    bars: Vec<Bar>,
    table: Table,
}

async fn concurrency(
    services: &PageServices,
    workspace: &WorkspaceId,
    agent: &AgentName,
    asked: &Parameters,
) -> Result<Concurrency, Error> {
    let range = asked.first("range");
    let (range, span, hours, minutes) = RANGES.into_iter().find(|(id, ..)| *id == range).unwrap_or(RANGES[0]);
    let end = services.now();
    let variant = asked.first("variant").to_owned();
    let mut query = ConcurrencyQuery::of_environment("live", end.plus_seconds(-hours * 3_600), end);
    query.variant_id = (!variant.is_empty()).then(|| variant.clone());
    let maxima = services.conversations.concurrency(workspace, &agent.id, &query).await?;
    let values: &[u32] = maxima.first().map_or(&[], |all| &all.values);
    let intervals = (minutes * 60 * 1_000_000 / INTERVAL) as usize;
    let sums = values.chunks(intervals).enumerate().map(|(at, values)| {
        let start = Timestamp(query.start.0 + at as i64 * intervals as i64 * INTERVAL);
        (start, values.iter().copied().max().unwrap_or(0))
    });
    let sums: Vec<(Timestamp, u32)> = sums.collect();
    let bars = sums.iter().map(|(_, most)| Bar { value: u64::from(*most), alarm: 0 }).collect();
    let rows = sums.iter().rev().map(|(at, most)| vec![Cell::Time(*at), Cell::Text(most.to_string())]);
    let from = if minutes == 60 { "Hour from" } else { "15 minutes from" };
    let table = Table::new([from, "Most at the same moment"], rows.collect());
    Ok(Concurrency { range, span, variant, bars, table })
}

#[component]
fn ConcurrencySection(concurrency: Concurrency, variants: Vec<Variant>, here: String) -> impl IntoView {
    let Concurrency { range, span, variant, bars, table } = concurrency;
    let most = bars.iter().map(|bar| bar.value).max().unwrap_or(0);
    let label = format!("At most {most} conversations at the same moment in {span}");
    let chosen = variant.clone();
    let base = here.clone();
    let choice = move |(id, text, ..): (&'static str, &'static str, i64, i64)| {
        let href = format!("{base}?range={id}&variant={}", query_value(&chosen));
        view! { <ChoiceLink href chosen=Signal::stored(id == range) text /> }
    };
    let filter = (!variants.is_empty()).then(|| {
        let all = [(String::new(), "All".to_owned())];
        let options = all.into_iter().chain(variants.into_iter().map(|v| (v.id.to_string(), v.name)));
        view! {
            <Filters action=here>
                <input type="hidden" name="range" value=range />
                <FilterSelect name="variant" label="Variant" options=options.collect() chosen=variant />
            </Filters>
        }
    });
    view! {
        <Section labelled_by="concurrency-heading">
            <div class="flex flex-wrap items-center justify-between gap-3">
                <h2 id="concurrency-heading">"Concurrent conversations"</h2>
                <ChoiceLinks label="Time">{RANGES.map(choice).collect_view()}</ChoiceLinks>
            </div>
            {filter}
            <Chart bars span label empty=format!("No conversations in these {span}.") />
            <details>
                <summary class="w-fit py-1 text-sm text-soft underline underline-offset-4">"Show as a table"</summary>
                <TableView table caption="Concurrent conversations" />
            </details>
        </Section>
    }
}

/// Heading of a part with the link that adds to it.
#[component]
fn PartHeading(
    id: &'static str,
    text: &'static str,
    /// Address, text and icon of the link; `None` for those who may not.
    add: Option<(String, &'static str, &'static str)>,
) -> impl IntoView {
    let add = add.map(|(href, text, icon)| view! { <ButtonLink href icon noscroll=true>{text}</ButtonLink> });
    view! {
        <div class="flex flex-wrap items-center justify-between gap-3">
            <h2 id=id>{text}</h2>
            {add}
        </div>
    }
}

#[component]
fn VariantsSection(variants: Vec<Variant>, attributes: Vec<Attribute>, here: String, admin: bool) -> impl IntoView {
    let shown = &attributes[..attributes.len().min(MAX_COLUMNS)];
    let names = shown.iter().map(|attribute| attribute.name.clone());
    let mut columns: Vec<String> = ["Name".to_owned()].into_iter().chain(names).collect();
    columns.extend(["Variant ID", "Actions"].map(str::to_owned));
    let row = |variant: &Variant| {
        let mut name = vec![Cell::Text(format!("{} ", variant.name))];
        if variant.is_default {
            name.push(Cell::Mark("Default".to_owned(), true));
        }
        let value = |attribute: &Attribute| {
            let value = variant.values.get(&attribute.id).map_or("", String::as_str);
            Cell::Text(shortened(value))
        };
        let item = format!("{here}/variants/{}", variant.id);
        let mut actions = Vec::new();
        if admin {
            actions.push(Cell::Action("Edit", format!("{item}/edit")));
            if !variant.is_default {
                actions.push(Cell::Action("Delete", format!("{item}/delete")));
            }
        }
        let mut cells = vec![Cell::Several(name)];
        cells.extend(shown.iter().map(value));
        cells.extend([Cell::Id(variant.id.to_string()), Cell::Several(actions)]);
        cells
    };
    let table = Table { columns, rows: variants.iter().map(row).collect() };
    let content = match variants.is_empty() {
        true => view! {
            <Empty icon="agent" heading="No variants yet">
                <p>"Variants are versions of one agent, such as one for each hotel. The first becomes the default."</p>
            </Empty>
        }
        .into_any(),
        false => view! { <TableView table caption="Variants" /> }.into_any(),
    };
    let hidden = attributes.len().saturating_sub(MAX_COLUMNS);
    let more = (hidden > 0).then(
        || view! { <p class=HINT>{format!("{hidden} further attributes are shown where a variant is edited.")}</p> },
    );
    view! {
        <Section labelled_by="variants-heading">
            <PartHeading id="variants-heading" text="Variants" add=admin.then(|| (format!("{here}/variants/new"), "Variant", "plus")) />
            {content}
            {more}
        </Section>
    }
}

fn shortened(text: &str) -> String {
    let mut start: String = text.chars().take(MAX_SHOWN).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    start
}

#[component]
fn AttributesSection(attributes: Vec<Attribute>, here: String, admin: bool) -> impl IntoView {
    let row = |attribute: &Attribute| {
        let item = format!("{here}/attributes/{}", attribute.id);
        let actions = match admin {
            true => {
                vec![Cell::Action("Rename", format!("{item}/rename")), Cell::Action("Delete", format!("{item}/delete"))]
            }
            false => Vec::new(),
        };
        vec![Cell::Text(attribute.name.clone()), Cell::Id(attribute.id.to_string()), Cell::Several(actions)]
    };
    let table = Table::new(["Name", "Attribute ID", "Actions"], attributes.iter().map(row).collect());
    let content = match attributes.is_empty() {
        true => view! { <p class=HINT>"An attribute is a text of which each variant has its own value, such as opening hours."</p> }.into_any(),
        false => view! { <TableView table caption="Attributes" /> }.into_any(),
    };
    view! {
        <Section labelled_by="attributes-heading">
            <PartHeading id="attributes-heading" text="Attributes" add=admin.then(|| (format!("{here}/attributes/new"), "Attribute", "plus")) />
            {content}
        </Section>
    }
}

#[component]
fn DeploymentsSection(environments: Vec<Timeline>, here: String, admin: bool) -> impl IntoView {
    let timeline = |Timeline { environment, deployments, active }: Timeline| {
        let row = |deployment: &Deployment| {
            let item = format!("{here}/deployments/{}", deployment.id);
            let is_active = active.as_ref() == Some(&deployment.id);
            let mut actions = Vec::new();
            if admin && environment.next().is_some() {
                actions.push(Cell::Action("Promote", format!("{item}/promote")));
            }
            if admin && !is_active {
                actions.push(Cell::Action("Roll back", format!("{item}/roll-back")));
            }
            let mut when = vec![Cell::Time(deployment.created_at)];
            if is_active {
                when.extend([Cell::Text(" ".to_owned()), Cell::Mark("Active".to_owned(), true)]);
            }
            vec![
                Cell::Several(when),
                Cell::Id(deployment.version.clone()),
                Cell::Text(deployment.message.clone()),
                Cell::Name(deployment.created_by.clone()),
                Cell::Several(actions),
            ]
        };
        let rows: Vec<_> = deployments.iter().map(row).collect();
        let content = match rows.is_empty() {
            true => view! { <p class=HINT>"Nothing is deployed here yet."</p> }.into_any(),
            false => {
                let table = Table::new(["Deployed", "Version", "Message", "By", "Actions"], rows);
                view! { <TableView table caption=format!("Deployments in {}", environment.label()) /> }.into_any()
            }
        };
        view! {
            <h3>{environment.label()}</h3>
            {content}
        }
    };
    let timelines = environments.into_iter().map(timeline).collect_view();
    view! {
        <Section labelled_by="deployments-heading">
            <PartHeading id="deployments-heading" text="Deployments" add=admin.then(|| (format!("{here}/deployments/publish"), "Publish", "plus")) />
            <p class=HINT>"A deployment records the agent's configuration and variants as they were. The platform that runs the agent reads it."</p>
            {timelines}
        </Section>
    }
}
