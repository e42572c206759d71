//! The list of agents: one card for each, of which one is open. The address names it, and the search.

use crate::base::error::Error;
use crate::configuration::{CallerNumbers, ConfigurationSummary};
use crate::web::components::awaited::{PageArea, awaited};
use crate::web::components::button::{Button, IconLink};
use crate::web::components::card::CardList;
use crate::web::components::filter::FilterForm;
use crate::web::components::icon::Icon;
use crate::web::components::page::{Empty, SearchInput, TOOLBAR};
use crate::web::components::use_hydrated;
use crate::web::configuration::addresses::{ConfigurationQuery, use_configuration_query};
use crate::web::configuration::card::{GetOpenConfiguration, OpenCard, OpenConfiguration};
use crate::web::configuration::preview::GetPreview;
use crate::web::frame::{use_slug, use_visit};
use crate::web::transport::load::load_live;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_meta::Title;
use leptos_router::components::Outlet;

/// From this many agents on, there is a search.
const SEARCHED_FROM: usize = 6;

/// A summary of each agent's configuration. With `search`, only of agents that have it in their name or in the name of one
/// of their metrics.
#[server(endpoint = "list_configurations", input = Json)]
pub async fn list_configurations(
    workspace: String,
    #[server(default)] search: String,
) -> Result<Vec<ConfigurationSummary>, Error> {
    let member = crate::web::guard::member(&workspace).await?;
    let query = ConfigurationQuery { search, agent: None };
    Ok(member.services().configurations.list(&member.workspace().id, query.checked_search()?).await?)
}

/// Page with one card for each agent.
#[component]
pub fn ConfigurationPage() -> impl IntoView {
    let (slug, visit, query) = (use_slug(), use_visit(), use_configuration_query());
    let search = Memo::new(move |_| query.read().search.clone());
    // All of them here: a load may not be inside a view that waits, such as an open card.
    let open = OpenConfiguration {
        configuration: load_live(move || GetOpenConfiguration { workspace: slug.get(), query: query.get() }),
        preview: load_live(move || GetPreview { workspace: slug.get(), query: query.get() }),
    };
    let list = load_live(move || ListConfigurations { workspace: slug.get(), search: search.get() });
    let content = move || async move {
        let (visit, list) = (visit.await?, list.await?);
        let searched = !search.read_untracked().is_empty();
        let cards = match (list.is_empty(), searched) {
            (true, false) => view! {
                <Empty icon="agent" heading="No agents yet"><p>"Create an agent first. It appears here."</p></Empty>
            }
            .into_any(),
            (true, true) => view! {
                <Empty icon="search" heading="No matching agents">
                    <p>"No agent has “" {search.get_untracked()} "” in its name or in the name of one of its metrics."</p>
                </Empty>
            }
            .into_any(),
            (false, _) => view! { <Cards list=list.clone() query open admin=visit.is_admin() /> }.into_any(),
        };
        let toolbar =
            (searched || list.len() >= SEARCHED_FROM).then(|| view! { <Toolbar search=search.get_untracked() /> });
        Ok(view! { {toolbar}{cards} }.into_any())
    };
    view! {
        <Title text="Configuration" />
        <div class="mb-6 flex flex-wrap items-center gap-4 pt-4">
            <IconLink href=format!("/{}/api-keys", slug.get_untracked()) label="Back to API keys" tip="Back"><Icon name="arrow-left" /></IconLink>
            <h1 tabindex="-1">"Configuration"</h1>
        </div>
        <p class="mb-6 max-w-3xl text-base text-faint">
            "What each agent lets through to every key with the permission Conversations data. Nothing appears in API responses unless it is enabled here."
        </p>
        {awaited(PageArea::Section, content)}
        <Outlet />
    }
}

#[component]
fn Toolbar(search: String) -> impl IntoView {
    let hydrated = use_hydrated();
    let action = format!("/{}/api-keys/configuration", use_slug().get_untracked());
    view! {
        <div class=TOOLBAR>
            <FilterForm action>
                <SearchInput label="Search agents and metrics" name="q" value=search />
                <Button small=true hidden=move || hydrated.get()>"Apply"</Button>
            </FilterForm>
        </div>
    }
}

#[component]
fn Cards(
    list: Vec<ConfigurationSummary>,
    query: Memo<ConfigurationQuery>,
    open: OpenConfiguration,
    admin: bool,
) -> impl IntoView {
    let card = move |(at, summary): (usize, ConfigurationSummary)| {
        view! { <li><ConfigurationCard summary first=at == 0 query open admin /></li> }
    };
    view! { <CardList>{list.into_iter().enumerate().map(card).collect_view()}</CardList> }
}

/// A card. What is in it is loaded when it is opened.
#[component]
fn ConfigurationCard(
    summary: ConfigurationSummary,
    first: bool,
    query: Memo<ConfigurationQuery>,
    open: OpenConfiguration,
    admin: bool,
) -> impl IntoView {
    let slug = use_slug().get_untracked();
    let agent = StoredValue::new(summary.agent.id.to_string());
    let name = summary.agent.name.clone();
    let summary = RwSignal::new(summary);
    let is_open = Memo::new(move |_| {
        query.with(|query| query.agent.as_ref().map_or(first, |open| agent.with_value(|agent| agent == open)))
    });
    let href = move || {
        let agent = if is_open.get() { String::new() } else { agent.get_value() };
        ConfigurationQuery { agent: Some(agent), ..query.get() }.address(&slug, "")
    };
    let content = move || {
        if is_open.get() {
            view! { <OpenCard agent=agent.get_value() summary open admin /> }.into_any()
        } else {
            view! { <p class="-mt-4 pb-4 text-sm text-faint">{summary.with_untracked(in_short)}</p> }.into_any()
        }
    };
    view! {
        <div class="rounded-xl bg-surface px-4 md:px-8">
            <div class="relative flex min-h-[72px] items-center gap-4">
                <h2 class="min-w-0 flex-1 wrap-anywhere">
                    <a class="after:absolute after:inset-0" href=href aria-expanded=move || is_open.get().to_string() data-noscroll="true">
                        {name}
                    </a>
                </h2>
                <span class="transition-transform" class:rotate-180=move || is_open.get()><Icon name="chevron-down" class="size-5" /></span>
            </div>
            {content}
        </div>
    }
}

/// What a configuration lets through, as a closed card says it.
fn in_short(summary: &ConfigurationSummary) -> String {
    let metrics = match (summary.all_metrics, summary.some_metrics) {
        (true, _) => "All metrics",
        (false, true) => "Some metrics",
        (false, false) => "No metrics",
    };
    let transcript = if summary.transcript { "transcripts" } else { "no transcripts" };
    let numbers = match summary.caller_numbers {
        CallerNumbers::Shown => "caller numbers shown",
        CallerNumbers::LastFour => "last four digits of caller numbers",
        CallerNumbers::Hidden => "caller numbers hidden",
    };
    format!("{metrics}, {transcript}, {numbers}")
}
