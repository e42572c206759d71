//! The Agents page and its dialogs.

/// Deleting an agent.
pub mod delete;
/// Deleted agents that can be restored.
#[cfg(feature = "ssr")]
pub mod deleted;
/// Describing the forms for variants, attributes and deployments.
#[cfg(feature = "ssr")]
pub mod descriptions;
/// Forms for variants, attributes and deployments.
pub mod forms;
/// An agent's page.
#[cfg(feature = "ssr")]
pub mod page;

use crate::agents::{Agent, AgentName};
use crate::base::error::Error;
use crate::base::id::AgentId;
use crate::base::time::Timestamp;
use crate::web::components::awaited::{PageArea, awaited};
use crate::web::components::button::{ButtonLink, ButtonLook, IconLink};
use crate::web::components::card::{Card, CardActions, CardList, CardTitle, Figure, Secondary};
use crate::web::components::dialog::DialogKind;
use crate::web::components::field::TextField;
use crate::web::components::form_dialog::{DialogForm, FormDialog};
use crate::web::components::icon::Icon;
use crate::web::components::lower_case;
use crate::web::components::page::{Empty, LiveSearch, PageHeader, TEXT_LINK};
use crate::web::components::time::Ago;
use crate::web::frame::{Tabs, use_slug, use_visit};
use crate::web::transport::form::FormAction;
use crate::web::transport::load::{load, load_live};
use crate::workspaces::Visit;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_meta::Title;
use leptos_router::components::Outlet;
use leptos_router::hooks::use_params_map;

/// Every agent of the workspace, newest first, and the current time.
#[server(endpoint = "list_agents", input = Json)]
pub async fn list_agents(workspace: String) -> Result<(Vec<Agent>, Timestamp), Error> {
    let member = crate::web::guard::member(&workspace).await?;
    let agents = member.services().agents.list(&member.workspace().id).await?;
    Ok((agents, member.services().now()))
}

/// One agent by its id.
#[server(endpoint = "get_agent", input = Json)]
pub async fn get_agent(workspace: String, agent: String) -> Result<AgentName, Error> {
    use crate::web::guard;
    let member = guard::member(&workspace).await?;
    let id = crate::base::id::AgentId::parse(&agent).ok_or_else(guard::not_found)?;
    member.services().agents.find(&member.workspace().id, id.as_str()).await?.ok_or_else(guard::not_found)
}

/// The id of the agent that a form creates.
#[server(endpoint = "get_new_agent_id", input = Json)]
pub async fn get_new_agent_id(workspace: String) -> Result<AgentId, Error> {
    let member = crate::web::guard::member(&workspace).await?;
    Ok(member.services().agents.new_id())
}

/// Creates an agent. A form that is sent twice makes one agent.
#[server(endpoint = "create_agent")]
pub async fn create_agent(workspace: String, #[server(default)] id: String, name: String) -> Result<(), Error> {
    let admin = crate::web::guard::admin(&workspace).await?;
    let agents = &admin.services().agents;
    let id = AgentId::parse_generated(&id).unwrap_or_else(|| agents.new_id());
    agents.create_from_form(&admin.workspace().id, &admin.actor(), id, &name).await?;
    leptos_axum::redirect(&format!("/{}/agents?notice=agent-created", admin.workspace().slug));
    Ok(())
}

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
        let href = format!("/{}/agents/new", slug.get_value());
        admin
            .then(|| view! { <ButtonLink look=ButtonLook::Primary icon="plus" href noscroll=true>"Agent"</ButtonLink> })
    };
    let change = admin.then(|| {
        let href = format!("/{}/agents/retention", slug.get_value());
        let deleted = format!("/{}/agents/deleted", slug.get_value());
        view! {
            " " <a class=TEXT_LINK href=href data-noscroll="true">"Change"</a>
            " · " <a class=TEXT_LINK href=deleted>"Recently deleted"</a>
        }
    });
    let kept = crate::workspaces::retention_in_words(visit.workspace.retention_days);
    let search = RwSignal::new(String::new());
    let list = if agents.is_empty() {
        view! {
            <Empty icon="agent" heading="No agents yet">
                <p>"An agent handles conversations. API keys are scoped to agents."</p>
                {new_link()}
            </Empty>
        }
        .into_any()
    } else {
        let card = move |agent: Agent| view! { <AgentCard agent now slug admin search /> };
        view! { <CardList>{agents.into_iter().map(card).collect_view()}</CardList> }.into_any()
    };
    view! {
        <PageHeader heading="Agents">{new_link()}</PageHeader>
        <LiveSearch label="Search agents" typed=search />
        {list}
        <p class="mt-6 text-sm text-faint">{kept}{change}</p>
    }
}

/// Title, conversations, id and actions: one below the other, then in two rows, then side by side.
const COLUMNS: &str = "grid-cols-[minmax(0,1fr)_auto] sm:grid-cols-[minmax(0,1fr)_minmax(0,1fr)_auto] \
                       min-[62.5rem]:grid-cols-[minmax(0,1.5fr)_1fr_1.3fr_76px]";
const FIGURE: &str = "col-span-full sm:col-auto";

#[component]
fn AgentCard(
    agent: Agent,
    now: Timestamp,
    slug: StoredValue<String>,
    admin: bool,
    search: RwSignal<String>,
) -> impl IntoView {
    let searched = lower_case(&agent.name);
    let action = |path: &str, tip: &'static str, icon: &'static str| {
        let href = format!("/{}/agents/{}/{path}", slug.get_value(), agent.id);
        let label = format!("{tip} {}", agent.name);
        view! { <IconLink href noscroll=true label tip><Icon name=icon /></IconLink> }
    };
    let page = format!("/{}/agents/{}", slug.get_value(), agent.id);
    let heading = view! { <a class="hover:underline" href=page>{agent.name.clone()}</a> };
    let actions =
        admin.then(|| [action("rename", "Rename", "pencil"), action("delete", "Delete", "trash")].collect_view());
    view! {
        <Card columns=COLUMNS hidden=move || !searched.contains(&lower_case(&search.read()))>
            <CardTitle heading=heading.into_any() class="sm:col-span-2 min-[62.5rem]:col-auto">
                <Secondary>"Created " <Ago at=agent.created_at now /></Secondary>
            </CardTitle>
            <Figure icon="chat" label="Conversations".into_any() class=FIGURE>
                <strong>{agent.conversations}</strong>
            </Figure>
            <Figure icon="agent" label="Agent ID".into_any() class=FIGURE>
                <code class="text-sm">{agent.id.to_string()}</code>
            </Figure>
            <CardActions class="col-start-2 row-start-1 sm:col-start-3 min-[62.5rem]:col-auto min-[62.5rem]:row-auto">
                {actions}
            </CardActions>
        </Card>
    }
}

/// Dialog that creates an agent.
#[component]
pub fn CreateAgentDialog() -> impl IntoView {
    let slug = use_slug().get_untracked();
    let action = FormAction::of::<CreateAgent>();
    let close_href = format!("/{slug}/agents");
    let workspace = slug.clone();
    let id = load(move || GetNewAgentId { workspace: workspace.clone() });
    let form = move || {
        let slug = slug.clone();
        async move {
            let hidden = vec![("workspace", slug), ("id", id.await?.to_string())];
            let fields = view! { <TextField name="name" label="Name" autofocus=true refusal=action.refusal() /> };
            Ok(DialogForm::new(action, hidden, fields.into_any(), "Create agent"))
        }
    };
    view! { <FormDialog title="New agent" close_href kind=DialogKind::Sheet form /> }
}

/// Dialog that changes an agent's name.
#[component]
pub fn RenameAgentDialog() -> impl IntoView {
    let slug = use_slug().get_untracked();
    let id = use_params_map().with_untracked(|p| p.get("agent")).unwrap_or_default();
    let action = FormAction::of::<RenameAgent>();
    let close_href = format!("/{slug}/agents");
    let workspace = slug.clone();
    let agent = load(move || GetAgent { workspace: workspace.clone(), agent: id.clone() });
    let form = move || {
        let slug = slug.clone();
        async move {
            let agent = agent.await?;
            let hidden = vec![("workspace", slug), ("agent", agent.id.to_string())];
            let fields = view! {
                <TextField name="name" label="Name" value=agent.name hint="Its ID, which integrations use, stays the same." autofocus=true refusal=action.refusal() />
            };
            Ok(DialogForm::new(action, hidden, fields.into_any(), "Save"))
        }
    };
    view! { <FormDialog title="Rename agent" close_href kind=DialogKind::Sheet form /> }
}
