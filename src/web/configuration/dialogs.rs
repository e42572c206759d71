//! Dialogs that copy a configuration: from another agent, or to all of them.

use crate::agents::AgentName;
use crate::base::error::Error;
use crate::web::components::dialog::DialogKind;
use crate::web::components::field::{CONTROL, Field, SelectFrame};
use crate::web::components::form_dialog::{DialogForm, FormDialog};
#[cfg(feature = "ssr")]
use crate::web::configuration::addresses::ConfigurationQuery;
use crate::web::configuration::addresses::use_configuration_query;
use crate::web::configuration::card::GetConfiguration;
use crate::web::configuration::list::ListConfigurations;
use crate::web::frame::use_slug;
use crate::web::transport::form::FormAction;
use crate::web::transport::load::load;
use leptos::prelude::*;

/// Gives an agent the configuration of another.
#[server(endpoint = "copy_configuration")]
pub async fn copy_configuration(workspace: String, agent: String, from: String) -> Result<(), Error> {
    let admin = crate::web::guard::admin(&workspace).await?;
    admin.services().configurations.copy(&admin.workspace().id, &admin.actor(), &agent, &from).await?;
    saved(&admin.workspace().slug, agent);
    Ok(())
}

/// Gives all other agents the configuration of this one.
#[server(endpoint = "apply_configuration_to_all")]
pub async fn apply_configuration_to_all(workspace: String, agent: String) -> Result<(), Error> {
    let admin = crate::web::guard::admin(&workspace).await?;
    admin.services().configurations.apply_to_all(&admin.workspace().id, &admin.actor(), &agent).await?;
    saved(&admin.workspace().slug, agent);
    Ok(())
}

#[cfg(feature = "ssr")]
fn saved(slug: &str, agent: String) {
    let address = ConfigurationQuery::of_agent(agent).address(slug, "");
    leptos_axum::redirect(&format!("{address}&notice=configuration-saved"));
}

/// Dialog that asks which agent to copy from.
#[component]
pub fn CopyConfigurationDialog() -> impl IntoView {
    let slug = use_slug().get_untracked();
    let query = use_configuration_query().get_untracked();
    let action = FormAction::of::<CopyConfiguration>();
    let close_href = query.address(&slug, "");
    let (workspace, id) = (slug.clone(), query.agent.unwrap_or_default());
    let agent = load(move || GetConfiguration { workspace: workspace.clone(), agent: id.clone() });
    let workspace = slug.clone();
    let agents = load(move || ListConfigurations { workspace: workspace.clone(), search: String::new() });
    let form = move || {
        let slug = slug.clone();
        async move {
            let this = agent.await?.agent;
            let all = agents.await?.into_iter().map(|summary| summary.agent);
            let others: Vec<_> = all.filter(|agent| agent.id != this.id).collect();
            let option = |agent: AgentName| view! { <option value=agent.id.to_string()>{agent.name}</option> };
            let fields = view! {
                <p>{format!("{} gets the same settings, and loses its own.", this.name)}</p>
                <Field id="from" label="Copy from">
                    <SelectFrame>
                        <select id="from" class=CONTROL name="from" required>
                            {others.into_iter().map(option).collect_view()}
                        </select>
                    </SelectFrame>
                </Field>
            };
            let hidden = vec![("workspace", slug), ("agent", this.id.to_string())];
            Ok(DialogForm::new(action, hidden, fields.into_any(), "Copy"))
        }
    };
    view! { <FormDialog title="Copy from another agent" close_href kind=DialogKind::Sheet form /> }
}

/// Dialog that asks before the settings of all other agents are replaced.
#[component]
pub fn ApplyConfigurationDialog() -> impl IntoView {
    let slug = use_slug().get_untracked();
    let query = use_configuration_query().get_untracked();
    let action = FormAction::of::<ApplyConfigurationToAll>();
    let close_href = query.address(&slug, "");
    let workspace = slug.clone();
    let agent =
        load(move || GetConfiguration { workspace: workspace.clone(), agent: query.agent.clone().unwrap_or_default() });
    let form = move || {
        let slug = slug.clone();
        async move {
            let agent = agent.await?.agent;
            let fields = view! {
                <p>{format!("All other agents get the settings of {}, and lose their own. API responses change at once.", agent.name)}</p>
            };
            let hidden = vec![("workspace", slug), ("agent", agent.id.to_string())];
            Ok(DialogForm::new(action, hidden, fields.into_any(), "Apply to all agents").danger())
        }
    };
    view! { <FormDialog title="Apply to all agents?" close_href kind=DialogKind::Question form /> }
}
