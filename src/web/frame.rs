//! The frame around a workspace's pages: the rail of workspaces on the left, the tabs on top.

use crate::base::error::Error;
use crate::web::components::awaited::{PageArea, awaited};
use crate::web::components::icon::Icon;
use crate::web::components::{lower_case, use_hydrated};
use crate::web::transport::load::{Loaded, load_live};
use crate::workspaces::{Visit, Workspace, initials};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_router::components::Outlet;
use leptos_router::hooks::use_params_map;

const SKIP_LINK: &str =
    "fixed top-2 left-2 z-50 -translate-y-16 rounded bg-surface px-4 py-2 text-ink focus:translate-y-0";
const PAGE: &str = "mx-auto flex min-h-dvh max-w-[1264px] flex-col px-4 pt-[72px] pb-24 md:pt-4 md:pr-10 md:pl-[110px]";
/// As high as the page; a bar on top on small screens.
const RAIL: &str =
    "absolute inset-y-0 left-0 z-20 w-[70px] bg-rail max-md:fixed max-md:bottom-auto max-md:h-14 max-md:w-full";
/// As high as the screen, and always in sight.
const RAIL_CONTENT: &str = "sticky top-0 flex h-dvh flex-col items-center gap-6 overflow-y-auto py-4 \
                            max-md:h-full max-md:flex-row max-md:gap-3 max-md:overflow-x-auto max-md:overflow-y-hidden max-md:px-3 max-md:py-0";
const TAB: &str = "-mb-px flex border-b-2 border-transparent px-2 py-3 text-sm whitespace-nowrap text-soft hover:text-ink sm:px-4 sm:text-base md:px-6 \
                   aria-[current]:border-ink aria-[current]:font-semibold aria-[current]:text-ink";

fn tile_class(corners: &str) -> String {
    format!(
        "flex size-10 shrink-0 items-center justify-center bg-tile text-sm font-semibold text-rail-text uppercase transition-colors \
         hover:bg-tile-hover focus-visible:outline-rail-focus aria-[current]:bg-tile-current aria-[current]:text-tile-current-text {corners}"
    )
}

/// The workspace in the address, for its members.
#[server(endpoint = "get_visit", input = Json)]
pub async fn get_visit(workspace: String) -> Result<Visit, Error> {
    Ok(crate::web::guard::member(&workspace).await?.visit)
}

/// The visit that the frame has loaded. Pages await it beside their own data: an error in it takes the whole page's place.
pub fn use_visit() -> Loaded<Visit> {
    expect_context()
}

/// The workspace's slug in the address.
pub fn use_slug() -> Memo<String> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|p| p.get("workspace")).unwrap_or_default())
}

/// The rail, and the page beside it. The page stands outside of every `Suspense` here: the server makes what is inside one
/// twice, and would load its data twice.
#[component]
pub fn WorkspaceFrame() -> impl IntoView {
    let slug = use_slug();
    let visit = load_live(move || GetVisit { workspace: slug.get() });
    provide_context(visit);
    // An error is shown by the page itself.
    let rail = move || async move {
        let rail = visit.await.ok().map(|visit| {
            view! { <Rail workspaces=visit.workspaces current=visit.workspace.slug email=visit.email /> }
        });
        Ok(rail.into_any())
    };
    view! {
        <a class=SKIP_LINK href="#main" rel="external">"Skip to content"</a>
        {awaited(PageArea::Aside, rail)}
        <main class=PAGE id="main">
            <Outlet />
        </main>
    }
}

#[component]
fn Rail(workspaces: Vec<Workspace>, current: String, email: String) -> impl IntoView {
    let hydrated = use_hydrated();
    let searching = RwSignal::new(false);
    let search = RwSignal::new(String::new());
    let title = email.clone();
    let initial = email.chars().take(1).collect::<String>();
    let tile = move |workspace: Workspace| {
        let name = lower_case(&workspace.name);
        let is_current = workspace.slug == current;
        let title = workspace.name.clone();
        view! {
            <li hidden=move || !name.contains(&lower_case(&search.read()))>
                <a
                    class=tile_class("rounded-[4px]")
                    href=format!("/{}/api-keys", workspace.slug)
                    title=title
                    aria-current=is_current.then_some("true")
                >
                    <span aria-hidden="true">{initials(&workspace.name)}</span>
                    <span class="sr-only">{workspace.name}</span>
                </a>
            </li>
        }
    };
    view! {
        <nav class=RAIL aria-label="Workspaces">
            <div class=RAIL_CONTENT>
            <div class="rail-search relative flex shrink-0 flex-col items-center" hidden=move || !hydrated.get()>
                <button
                    type="button"
                    class="tip inline-flex size-9 items-center justify-center rounded-lg text-rail-text transition-colors hover:bg-tile focus-visible:outline-rail-focus"
                    aria-label="Search workspaces"
                    data-tip="Search"
                    aria-expanded=move || searching.get().to_string()
                    on:click=move |_| {
                        search.set(String::new());
                        searching.update(|s| *s = !*s);
                    }
                >
                    <Icon name="search" />
                </button>
                {move || {
                    searching.get().then(|| view! {
                        <input
                            class="fixed top-3 left-[70px] z-30 h-10 w-56 rounded-lg border border-edge bg-surface px-3 text-sm text-ink shadow-raised max-md:top-14 max-md:left-3"
                            type="search"
                            aria-label="Workspace name"
                            placeholder="Workspace"
                            autofocus=true
                            prop:value=search
                            on:input=move |event| search.set(event_target_value(&event))
                            on:keydown=move |event| {
                                if event.key() == "Escape" {
                                    search.set(String::new());
                                    searching.set(false);
                                }
                            }
                        />
                    })
                }}
            </div>
            <ul class="flex flex-1 gap-6 max-md:gap-3 md:flex-col">{workspaces.into_iter().map(tile).collect_view()}</ul>
            <a class=tile_class("rounded-full") href="/account" title=title>
                <span aria-hidden="true">{initial}</span>
                <span class="sr-only">"Account of " {email}</span>
            </a>
            </div>
        </nav>
    }
}

/// The tabs of a workspace.
#[component]
pub fn Tabs(
    /// The tab that is shown: `agents`, `users`, `api-keys`, `usage` or `activity`.
    current: &'static str,
) -> impl IntoView {
    let slug = use_slug();
    let tab = move |(path, label): (&'static str, &'static str)| {
        view! {
            <li class="border-b-2 border-transparent">
                <a class=TAB href=move || format!("/{}/{path}", slug.read()) aria-current=(path == current).then_some("page")>{label}</a>
            </li>
        }
    };
    let tabs = [
        ("agents", "Agents"),
        ("users", "Users"),
        ("api-keys", "API Keys"),
        ("usage", "Usage"),
        ("activity", "Activity"),
    ];
    view! {
        <nav class="mb-9 border-b border-hairline max-md:mb-6" aria-label="Workspace">
            <ul class="flex overflow-x-auto">{tabs.into_iter().map(tab).collect_view()}</ul>
        </nav>
    }
}
