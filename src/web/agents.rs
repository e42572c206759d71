//! The Agents page and its forms.

/// Deleting an agent.
pub mod delete;

use crate::agents::{Agent, AgentName};
use crate::base::error::Error;
use crate::base::time::Timestamp;
use crate::web::components::dialog::{Dialog, DialogKind};
use crate::web::components::field::{FormError, TextField};
use crate::web::components::icon::Icon;
use crate::web::components::page::Empty;
use crate::web::components::time::Ago;
use crate::web::components::{lower_case, use_hydrated};
use crate::web::frame::{Tabs, use_slug, use_visit};
use crate::web::transport::form::{ActionForm, FormAction};
use crate::web::transport::load::{PageArea, awaited, load, load_live};
use crate::workspaces::Visit;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_meta::Title;
use leptos_router::components::Outlet;
use leptos_router::hooks::use_params_map;

/// Every agent of the workspace, newest first, and the present.
#[server(endpoint = "list_agents", input = Json)]
pub async fn list_agents(workspace: String) -> Result<(Vec<Agent>, Timestamp), Error> {
    let member = crate::web::guard::member(&workspace).await?;
    let agents = member.services().agents.list(&member.workspace().id).await?;
    Ok((agents, member.services().now()))
}

/// Every agent's name, for pickers.
#[server(endpoint = "list_agent_names", input = Json)]
pub async fn list_agent_names(workspace: String) -> Result<Vec<AgentName>, Error> {
    let member = crate::web::guard::member(&workspace).await?;
    Ok(member.services().agents.names(&member.workspace().id).await?)
}

/// One agent.
#[server(endpoint = "get_agent", input = Json)]
pub async fn get_agent(workspace: String, agent: String) -> Result<AgentName, Error> {
    use crate::web::guard;
    let member = guard::member(&workspace).await?;
    let id = crate::base::id::AgentId::parse(&agent).ok_or_else(guard::not_found)?;
    member.services().agents.find(&member.workspace().id, id.as_str()).await?.ok_or_else(guard::not_found)
}

/// Makes an agent.
#[server(endpoint = "create_agent")]
pub async fn create_agent(workspace: String, name: String) -> Result<(), Error> {
    let admin = crate::web::guard::admin(&workspace).await?;
    admin.services().agents.create(&admin.workspace().id, &admin.actor(), &name, None).await?;
    leptos_axum::redirect(&format!("/{}/agents?notice=agent-created", admin.workspace().slug));
    Ok(())
}

/// Gives an agent another name.
#[server(endpoint = "rename_agent")]
pub async fn rename_agent(workspace: String, agent: String, name: String) -> Result<(), Error> {
    let admin = crate::web::guard::admin(&workspace).await?;
    let agent = crate::base::id::AgentId::parse(&agent).ok_or(Error::NotFound)?;
    admin.services().agents.rename(&admin.workspace().id, &admin.actor(), &agent, &name).await?;
    leptos_axum::redirect(&format!("/{}/agents?notice=agent-renamed", admin.workspace().slug));
    Ok(())
}

/// Page with one card for each agent.
#[component]
pub fn AgentsPage() -> impl IntoView {
    let (slug, visit) = (use_slug(), use_visit());
    let agents = load_live(move || ListAgents { workspace: slug.get() });
    let content = move || async move {
        let (visit, (agents, now)) = (visit.await?, agents.await?);
        Ok(view! { <Agents agents now visit /> }.into_any())
    };
    view! {
        <Title text="Agents" />
        <Tabs current="agents" />
        {awaited(PageArea::Page, content)}
        <Outlet />
    }
}

#[component]
fn Agents(agents: Vec<Agent>, now: Timestamp, visit: Visit) -> impl IntoView {
    let admin = visit.is_admin();
    let slug = StoredValue::new(visit.workspace.slug);
    let new_link = move || {
        admin.then(|| view! { <a class="button primary" href=format!("/{}/agents/new", slug.get_value()) data-noscroll="true"><Icon name="plus" />"Agent"</a> })
    };
    let change = move || {
        admin.then(|| view! { " " <a class="text-link" href=format!("/{}/agents/retention", slug.get_value()) data-noscroll="true">"Change"</a> })
    };
    let kept = crate::workspaces::retention_in_words(visit.workspace.retention_days);
    let wanted = RwSignal::new(String::new());
    let hydrated = use_hydrated();
    let list = if agents.is_empty() {
        view! {
            <Empty icon="agent" heading="No agents yet">
                <p>"An agent handles conversations. API keys are scoped to agents."</p>
                {new_link()}
            </Empty>
        }
        .into_any()
    } else {
        let card = move |agent: Agent| view! { <AgentCard agent now slug admin wanted /> };
        view! { <ul class="cards">{agents.into_iter().map(card).collect_view()}</ul> }.into_any()
    };
    view! {
        <div class="page-header">
            <h1 tabindex="-1">"Agents"</h1>
            {new_link()}
        </div>
        <div class="toolbar" hidden=move || !hydrated.get()>
            <label class="search">
                <Icon name="search" />
                <input
                    type="search"
                    aria-label="Search agents"
                    placeholder="Search agents"
                    prop:value=wanted
                    on:input=move |event| wanted.set(event_target_value(&event))
                />
            </label>
        </div>
        {list}
        <p class="page-note">{kept}{change()}</p>
    }
}

#[component]
fn AgentCard(
    agent: Agent,
    now: Timestamp,
    slug: StoredValue<String>,
    admin: bool,
    wanted: RwSignal<String>,
) -> impl IntoView {
    let searched = lower_case(&agent.name);
    let action = |path: &str, label: &str, icon: &'static str| {
        view! {
            <a class="icon-button" href=format!("/{}/agents/{}/{path}", slug.get_value(), agent.id) aria-label=format!("{label} {}", agent.name) data-noscroll="true">
                <Icon name=icon />
            </a>
        }
    };
    let actions =
        admin.then(|| [action("rename", "Rename", "pencil"), action("delete", "Delete", "trash")].collect_view());
    view! {
        <li class="card agent-card" hidden=move || !searched.contains(&lower_case(&wanted.read()))>
            <div class="card-title">
                <h2>{agent.name.clone()}</h2>
                <p class="secondary">"Created " <Ago at=agent.created_at now /></p>
            </div>
            <div class="figure">
                <span class="figure-icon"><Icon name="chat" /></span>
                <p><span class="figure-label">"Conversations"</span><strong>{agent.conversations}</strong></p>
            </div>
            <div class="figure">
                <span class="figure-icon"><Icon name="agent" /></span>
                <p><span class="figure-label">"Agent ID"</span><code>{agent.id.to_string()}</code></p>
            </div>
            <div class="card-actions">{actions}</div>
        </li>
    }
}

/// The sheet for a new agent.
#[component]
pub fn CreateAgentDialog() -> impl IntoView {
    let slug = use_slug().get_untracked();
    let action = FormAction::of::<CreateAgent>();
    let refusal = action.refusal();
    let back = format!("/{slug}/agents");
    view! {
        <Title text="New agent" />
        <Dialog title="New agent" close_href=back.clone() kind=DialogKind::Sheet>
            <ActionForm action=action>
                <div class="dialog-body">
                    <input type="hidden" name="workspace" value=slug />
                    <TextField name="name" label="Name" autofocus=true refusal=refusal />
                    <FormError refusal=refusal />
                </div>
                <footer class="dialog-footer">
                    <a class="button" href=back data-noscroll="true">"Cancel"</a>
                    <button class="button primary" type="submit" disabled=move || action.pending()>"Create agent"</button>
                </footer>
            </ActionForm>
        </Dialog>
    }
}

/// The sheet for another name.
#[component]
pub fn RenameAgentDialog() -> impl IntoView {
    let slug = use_slug().get_untracked();
    let id = use_params_map().with_untracked(|p| p.get("agent")).unwrap_or_default();
    let back = format!("/{slug}/agents");
    let agent = load(move || GetAgent { workspace: slug.clone(), agent: id.clone() });
    let form = move || async move {
        let agent = agent.await?;
        Ok(view! { <RenameForm agent /> }.into_any())
    };
    view! {
        <Title text="Rename agent" />
        <Dialog title="Rename agent" close_href=back kind=DialogKind::Sheet>
            {awaited(PageArea::Dialog, form)}
        </Dialog>
    }
}

#[component]
fn RenameForm(agent: AgentName) -> impl IntoView {
    let action = FormAction::of::<RenameAgent>();
    let refusal = action.refusal();
    let slug = use_slug().get_untracked();
    let back = format!("/{slug}/agents");
    view! {
        <ActionForm action=action>
            <div class="dialog-body">
                <input type="hidden" name="workspace" value=slug />
                <input type="hidden" name="agent" value=agent.id.to_string() />
                <TextField name="name" label="Name" value=agent.name hint="Its ID, which integrations use, stays the same." autofocus=true refusal=refusal />
                <FormError refusal=refusal />
            </div>
            <footer class="dialog-footer">
                <a class="button" href=back data-noscroll="true">"Cancel"</a>
                <button class="button primary" type="submit" disabled=move || action.pending()>"Save"</button>
            </footer>
        </ActionForm>
    }
}
