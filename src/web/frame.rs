//! The frame around a workspace's pages: the rail of workspaces on the left, the tabs on top.

use crate::base::error::Error;
use crate::web::components::icon::Icon;
use crate::web::components::{lower_case, use_hydrated};
use crate::web::transport::load::{Loaded, PageArea, awaited, load_live};
use crate::workspaces::{Visit, Workspace, initials};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_router::components::Outlet;
use leptos_router::hooks::use_params_map;

/// The workspace in the address, for a member of it.
#[server(endpoint = "get_visit", input = Json)]
pub async fn get_visit(workspace: String) -> Result<Visit, Error> {
    Ok(crate::web::guard::member(&workspace).await?.visit)
}

/// The visit of the page that is shown. Pages await it beside their own data, so that one answer decides whether
/// anything is shown at all.
pub fn use_visit() -> Loaded<Visit> {
    expect_context()
}

/// The workspace's name in the address.
pub fn use_slug() -> Memo<String> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|p| p.get("workspace")).unwrap_or_default())
}

/// The rail, and the page beside it. The page stands outside of every `Suspense` here: what stands inside one is made
/// twice on the server, and would load its data twice.
#[component]
pub fn WorkspaceFrame() -> impl IntoView {
    let slug = use_slug();
    let visit = load_live(move || GetVisit { workspace: slug.get() });
    provide_context(visit);
    // Where there is none, the page says so.
    let rail = move || async move {
        let rail = visit.await.ok().map(|visit| {
            view! { <Rail workspaces=visit.workspaces current=visit.workspace.slug email=visit.email /> }
        });
        Ok(rail.into_any())
    };
    view! {
        <a class="skip-link" href="#main" rel="external">"Skip to content"</a>
        {awaited(PageArea::Aside, rail)}
        <main class="page" id="main">
            <Outlet />
        </main>
    }
}

#[component]
fn Rail(workspaces: Vec<Workspace>, current: String, email: String) -> impl IntoView {
    let hydrated = use_hydrated();
    let searching = RwSignal::new(false);
    let wanted = RwSignal::new(String::new());
    let title = email.clone();
    let initial = email.chars().take(1).collect::<String>();
    let tile = move |workspace: Workspace| {
        let name = lower_case(&workspace.name);
        let is_current = workspace.slug == current;
        let title = workspace.name.clone();
        view! {
            <li hidden=move || !name.contains(&lower_case(&wanted.read()))>
                <a
                    class="tile"
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
        <nav class="rail" aria-label="Workspaces">
            <div class="rail-search" hidden=move || !hydrated.get()>
                <button
                    type="button"
                    class="icon-button"
                    aria-label="Search workspaces"
                    aria-expanded=move || searching.get().to_string()
                    on:click=move |_| {
                        wanted.set(String::new());
                        searching.update(|s| *s = !*s);
                    }
                >
                    <Icon name="search" />
                </button>
                {move || {
                    searching.get().then(|| view! {
                        <input
                            class="rail-search-input"
                            type="search"
                            aria-label="Workspace name"
                            placeholder="Workspace"
                            autofocus=true
                            prop:value=wanted
                            on:input=move |event| wanted.set(event_target_value(&event))
                            on:keydown=move |event| {
                                if event.key() == "Escape" {
                                    wanted.set(String::new());
                                    searching.set(false);
                                }
                            }
                        />
                    })
                }}
            </div>
            <ul class="tiles">{workspaces.into_iter().map(tile).collect_view()}</ul>
            <a class="tile account" href="/account" title=title>
                <span aria-hidden="true">{initial}</span>
                <span class="sr-only">"Account of " {email}</span>
            </a>
        </nav>
    }
}

/// The tabs of a workspace.
#[component]
pub fn Tabs(
    /// The tab that is shown: `agents`, `users`, `api-keys` or `activity`.
    current: &'static str,
) -> impl IntoView {
    let slug = use_slug();
    let tab = move |(path, label): (&'static str, &'static str)| {
        view! {
            <li>
                <a class="tab" href=move || format!("/{}/{path}", slug.read()) aria-current=(path == current).then_some("page")>{label}</a>
            </li>
        }
    };
    let tabs = [("agents", "Agents"), ("users", "Users"), ("api-keys", "API Keys"), ("activity", "Activity")];
    view! {
        <nav class="tabs" aria-label="Workspace">
            <ul>{tabs.into_iter().map(tab).collect_view()}</ul>
        </nav>
    }
}
