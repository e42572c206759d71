//! The frame around a workspace's pages: the rail of workspaces on the left, the tabs on top.

use super::{Visit, Workspace, initials};
use crate::error::Error;
use crate::ui::icon::Icon;
use crate::ui::page::{Failed, Loading};
use crate::ui::use_hydrated;
use leptos::prelude::*;
use leptos_router::components::Outlet;
use leptos_router::hooks::use_params_map;

/// The workspace in the address, for a member of it.
#[server(endpoint = "get_visit")]
pub async fn get_visit(workspace: String) -> Result<Visit, Error> {
    Ok(crate::sessions::guard::member(&workspace).await?.visit)
}

/// The visit, for the pages inside the frame.
#[derive(Clone, Copy)]
pub struct CurrentVisit(StoredValue<Visit>);

impl CurrentVisit {
    /// The visit of the page that is shown.
    #[expect(clippy::expect_used, reason = "every page of a workspace stands inside the frame")]
    pub fn get() -> Visit {
        expect_context::<Self>().0.try_get_value().expect("the frame is on the page")
    }
}

/// The rail, and the page beside it.
#[component]
pub fn WorkspaceFrame() -> impl IntoView {
    let params = use_params_map();
    let slug = Memo::new(move |_| params.with(|p| p.get("workspace")).unwrap_or_default());
    let visit = Resource::new(move || slug.get(), get_visit);
    view! {
        <Suspense fallback=|| view! { <main class="page"><Loading /></main> }>
            {move || Suspend::new(async move {
                match visit.await {
                    Ok(visit) => view! { <Frame visit /> }.into_any(),
                    Err(error) => view! { <main class="door"><Failed error /></main> }.into_any(),
                }
            })}
        </Suspense>
    }
}

#[component]
fn Frame(visit: Visit) -> impl IntoView {
    let workspaces = visit.workspaces.clone();
    let current = visit.workspace.slug.clone();
    let email = visit.email.clone();
    provide_context(CurrentVisit(StoredValue::new(visit)));
    view! {
        <a class="skip-link" href="#main" rel="external">"Skip to content"</a>
        <Rail workspaces current email />
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
    let initial = email.chars().next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let tile = move |workspace: Workspace| {
        let name = workspace.name.to_lowercase();
        let is_current = workspace.slug == current;
        view! {
            <li hidden=move || !name.contains(&wanted.read().to_lowercase())>
                <a
                    class="tile"
                    href=format!("/{}/api-keys", workspace.slug)
                    title=workspace.name.clone()
                    aria-label=workspace.name.clone()
                    aria-current=is_current.then_some("true")
                >
                    {initials(&workspace.name)}
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
            <a class="tile account" href="/account" title=email.clone() aria-label=format!("Account of {email}")>{initial}</a>
        </nav>
    }
}

/// The tabs of a workspace.
#[component]
pub fn Tabs(
    /// The tab that is shown: `agents`, `users` or `api-keys`.
    current: &'static str,
) -> impl IntoView {
    let slug = CurrentVisit::get().workspace.slug;
    let tab = |(path, label): (&'static str, &'static str)| {
        view! {
            <li>
                <a class="tab" href=format!("/{slug}/{path}") aria-current=(path == current).then_some("page")>{label}</a>
            </li>
        }
    };
    let tabs = [("agents", "Agents"), ("users", "Users"), ("api-keys", "API Keys")];
    view! {
        <nav class="tabs" aria-label="Workspace">
            <ul>{tabs.into_iter().map(tab).collect_view()}</ul>
        </nav>
    }
}
