//! Deleting an agent with everything that belongs to it: confirmation dialog and server function.

use crate::agents::{AgentDependents, AgentName};
use crate::base::error::Error;
use crate::web::components::dialog::DialogKind;
use crate::web::components::form_dialog::FormDialog;
use crate::web::components::typed_name::{TypedName, typed_name_form};
use crate::web::frame::use_slug;
use crate::web::transport::form::FormAction;
use crate::web::transport::load::load;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_router::hooks::use_params_map;

/// Deletes an agent if its name was typed exactly.
#[server(endpoint = "delete_agent")]
pub async fn delete_agent(workspace: String, agent: String, name: String) -> Result<(), Error> {
    let admin = crate::web::guard::admin(&workspace).await?;
    let (services, workspace) = (admin.services(), admin.workspace());
    let found = services.agents.find(&workspace.id, &agent).await?.ok_or(Error::NotFound)?;
    if name.trim() != found.name {
        return Err(crate::base::error::Problem::NameMismatch.into());
    }
    services.agents.delete(&workspace.id, &admin.actor(), &found).await?;
    leptos_axum::redirect(&format!("/{}/agents?notice=agent-deleted", workspace.slug));
    Ok(())
}

/// An agent, and what is deleted with it.
#[server(endpoint = "get_belongings", input = Json)]
pub async fn get_belongings(workspace: String, agent: String) -> Result<(AgentName, AgentDependents), Error> {
    use crate::web::guard;
    let admin = guard::admin(&workspace).await?;
    let (services, workspace) = (admin.services(), &admin.workspace().id);
    let found = services.agents.find(workspace, &agent).await?.ok_or_else(guard::not_found)?;
    let belongings = services.agents.belongings(workspace, &found.id).await?;
    Ok((found, belongings))
}

/// Dialog that asks for the agent's name before deleting it.
#[component]
pub fn DeleteAgentDialog() -> impl IntoView {
    let slug = use_slug().get_untracked();
    let id = use_params_map().with_untracked(|p| p.get("agent")).unwrap_or_default();
    let action = FormAction::of::<DeleteAgent>();
    let close_href = format!("/{slug}/agents");
    let workspace = slug.clone();
    let agent = load(move || GetBelongings { workspace: workspace.clone(), agent: id.clone() });
    let form = move || {
        let slug = slug.clone();
        async move {
            let (agent, belongings) = agent.await?;
            let deleted = TypedName {
                kind: "agent",
                name: agent.name,
                explanation: view! { <p>{in_words(belongings)}</p> }.into_any(),
                hidden: vec![("workspace", slug), ("agent", agent.id.to_string())],
            };
            Ok(typed_name_form(action, deleted))
        }
    };
    view! { <FormDialog title="Delete agent?" close_href kind=DialogKind::Question form /> }
}

fn in_words(gone: AgentDependents) -> String {
    let conversations = match gone.conversations {
        0 => "It has no conversations.".to_owned(),
        1 => "Its one conversation is erased with it.".to_owned(),
        many => format!("Its {many} conversations are erased with it."),
    };
    let variants = match (gone.variants, gone.deployments) {
        (0, 0) => "",
        _ => " Its variants and deployments are deleted with it.",
    };
    let keys = match gone.keys {
        0 => "",
        1 => " One API key covers this agent alone and opens nothing from then on.",
        many => &format!(" {many} API keys cover this agent alone and open nothing from then on."),
    };
    format!("{conversations}{variants}{keys} This cannot be undone.")
}
