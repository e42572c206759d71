//! Deleting an agent with everything that belongs to it, and undoing this.

use crate::base::error::Error;
use crate::web::components::described_form::{FormDescription, described_form};
use crate::web::components::dialog::DialogKind;
use crate::web::components::form_dialog::FormDialog;
use crate::web::frame::use_slug;
use crate::web::transport::form::FormAction;
use crate::web::transport::load::load;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_router::hooks::use_params_map;

/// Deletes an agent. Where this cannot be undone, its name must have been typed exactly.
#[server(endpoint = "delete_agent")]
pub async fn delete_agent(workspace: String, agent: String, #[server(default)] name: String) -> Result<(), Error> {
    let admin = crate::web::guard::admin(&workspace).await?;
    let (services, workspace) = (admin.services(), admin.workspace());
    let found = services.agents.find(&workspace.id, &agent).await?.ok_or(Error::NotFound)?;
    if workspace.undo_days == 0 && name.trim() != found.name {
        return Err(crate::base::error::Problem::NameMismatch.into());
    }
    services.agents.delete(&workspace.id, &admin.actor(), &found).await?;
    let notice = if workspace.undo_days == 0 { "agent-deleted" } else { "agent-deleted-undo" };
    leptos_axum::redirect(&format!("/{}/agents?notice={notice}", workspace.slug));
    Ok(())
}

/// Undoes the deletion of an agent.
#[server(endpoint = "restore_agent")]
pub async fn restore_agent(workspace: String, agent: String) -> Result<(), Error> {
    use crate::web::guard;
    let admin = guard::admin(&workspace).await?;
    let id = crate::base::id::AgentId::parse(&agent).ok_or(Error::NotFound)?;
    let done = admin.services().agents.restore(&admin.workspace().id, &admin.actor(), &id).await;
    let agents = format!("/{}/agents", admin.workspace().slug);
    let address = if done.is_ok() { agents } else { format!("{agents}/deleted") };
    guard::lead_on(done.map_err(Error::from), &address, "agent-restored")
}

/// Describes the form that deletes an agent: what is deleted with it, and who calls it.
#[server(endpoint = "get_agent_deletion_form", input = Json)]
pub async fn get_agent_deletion_form(workspace: String, agent: String) -> Result<FormDescription, Error> {
    let admin = crate::web::guard::admin(&workspace).await?;
    crate::web::agents::descriptions::deletion(&admin, &agent).await
}

/// Dialog that says what goes with an agent before it is deleted.
#[component]
pub fn DeleteAgentDialog() -> impl IntoView {
    let slug = use_slug().get_untracked();
    let id = use_params_map().with_untracked(|p| p.get("agent")).unwrap_or_default();
    let action = FormAction::of::<DeleteAgent>();
    let close_href = format!("/{slug}/agents");
    let hidden = vec![("workspace", slug.clone()), ("agent", id.clone())];
    let described = load(move || GetAgentDeletionForm { workspace: slug.clone(), agent: id.clone() });
    let form = move || {
        let hidden = hidden.clone();
        async move { Ok(described_form(described, action, hidden, &[]).await?.danger()) }
    };
    view! { <FormDialog title="Delete agent?" close_href kind=DialogKind::Question form /> }
}
