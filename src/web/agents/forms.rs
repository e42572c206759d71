//! Forms for an agent's variants, attributes and deployments. The server describes each form, and one dialog shows them
//! all: the browser's download has it once.

use crate::base::error::Error;
use crate::web::components::described_form::{FormDescription, described_form};
use crate::web::components::dialog::DialogKind;
use crate::web::components::form_dialog::FormDialog;
use crate::web::frame::use_slug;
use crate::web::transport::form::FormAction;
use crate::web::transport::load::load;
use leptos::prelude::*;
use leptos::server_fn::ServerFn as _;
use leptos::server_fn::codec::Json;
use leptos_router::hooks::use_params_map;
use std::collections::BTreeMap;

/// The part of an agent's page that a form is about, and what it does; as in the address.
const FORMS: [(&str, &str, &str, &str); 9] = [
    ("variants", "new", "New variant", SaveVariant::PATH),
    ("variants", "edit", "Edit variant", SaveVariant::PATH),
    ("variants", "delete", "Delete variant?", DeleteVariant::PATH),
    ("attributes", "new", "New attribute", SaveAttribute::PATH),
    ("attributes", "rename", "Rename attribute", SaveAttribute::PATH),
    ("attributes", "delete", "Delete attribute?", DeleteAttribute::PATH),
    ("deployments", "publish", "Publish", PublishAgent::PATH),
    ("deployments", "promote", "Promote", PromoteDeployment::PATH),
    ("deployments", "roll-back", "Roll back?", RollBackDeployment::PATH),
];

/// Describes a form. `item` is the id of what it is about; empty for something new.
#[server(endpoint = "get_agent_form", input = Json)]
pub async fn get_agent_form(
    workspace: String,
    agent: String,
    part: String,
    item: String,
    action: String,
) -> Result<FormDescription, Error> {
    use crate::web::agents::descriptions::describe;
    let admin = crate::web::guard::admin(&workspace).await?;
    describe(&admin, &agent, &part, &item, &action).await
}

/// Creates a variant, or edits the one with the id `item`.
#[server(endpoint = "save_variant")]
pub async fn save_variant(
    workspace: String,
    agent: String,
    #[server(default)] item: String,
    name: String,
    #[server(default)] is_default: String,
    #[server(default)] values: BTreeMap<String, String>,
) -> Result<(), Error> {
    use crate::variants::model::VariantChanges;
    use crate::web::agents::descriptions;
    let (admin, agent) = descriptions::agent_of(&workspace, &agent).await?;
    // A default stays one until another becomes it, so that an empty box changes nothing.
    let is_default = (is_default == "true").then_some(true);
    let new = VariantChanges { name: Some(name), values: Some(values), is_default };
    let (variants, workspace, actor) = (&admin.services().variants, &admin.workspace().id, admin.actor());
    match item.as_str() {
        "" => variants.create(workspace, &actor, &agent, new).await?,
        item => variants.edit(workspace, &actor, &agent, item, new).await?,
    };
    descriptions::done(&admin, &agent, "variant-saved")
}

#[server(endpoint = "delete_variant")]
pub async fn delete_variant(workspace: String, agent: String, item: String) -> Result<(), Error> {
    use crate::web::agents::descriptions;
    let (admin, agent) = descriptions::agent_of(&workspace, &agent).await?;
    admin.services().variants.delete(&admin.workspace().id, &admin.actor(), &agent, &item).await?;
    descriptions::done(&admin, &agent, "variant-deleted")
}

/// Creates an attribute, or renames the one with the id `item`.
#[server(endpoint = "save_attribute")]
pub async fn save_attribute(
    workspace: String,
    agent: String,
    #[server(default)] item: String,
    name: String,
) -> Result<(), Error> {
    use crate::web::agents::descriptions;
    let (admin, agent) = descriptions::agent_of(&workspace, &agent).await?;
    let (variants, workspace, actor) = (&admin.services().variants, &admin.workspace().id, admin.actor());
    match item.as_str() {
        "" => variants.create_attribute(workspace, &actor, &agent, &name).await?,
        item => variants.rename_attribute(workspace, &actor, &agent, item, &name).await?,
    };
    descriptions::done(&admin, &agent, "attribute-saved")
}

#[server(endpoint = "delete_attribute")]
pub async fn delete_attribute(workspace: String, agent: String, item: String) -> Result<(), Error> {
    use crate::web::agents::descriptions;
    let (admin, agent) = descriptions::agent_of(&workspace, &agent).await?;
    admin.services().variants.delete_attribute(&admin.workspace().id, &admin.actor(), &agent, &item).await?;
    descriptions::done(&admin, &agent, "attribute-deleted")
}

#[server(endpoint = "publish_agent")]
pub async fn publish_agent(
    workspace: String,
    agent: String,
    environment: String,
    #[server(default)] message: String,
) -> Result<(), Error> {
    use crate::web::agents::descriptions;
    let environment = crate::deployments::Environment::parse(&environment).ok_or(Error::BadRequest)?;
    let (admin, agent) = descriptions::agent_of(&workspace, &agent).await?;
    let (workspace, actor) = (&admin.workspace().id, admin.actor());
    admin.services().deployments.publish(workspace, &actor, &agent, environment, &message).await?;
    descriptions::done(&admin, &agent, "deployment-published")
}

#[server(endpoint = "promote_deployment")]
pub async fn promote_deployment(
    workspace: String,
    agent: String,
    item: String,
    environment: String,
    #[server(default)] message: String,
) -> Result<(), Error> {
    use crate::web::agents::descriptions;
    let environment = crate::deployments::Environment::parse(&environment).ok_or(Error::BadRequest)?;
    let (admin, agent) = descriptions::agent_of(&workspace, &agent).await?;
    let (workspace, actor) = (&admin.workspace().id, admin.actor());
    admin.services().deployments.promote(workspace, &actor, &agent, &item, Some(environment), &message).await?;
    descriptions::done(&admin, &agent, "deployment-promoted")
}

#[server(endpoint = "roll_back_deployment")]
pub async fn roll_back_deployment(
    workspace: String,
    agent: String,
    item: String,
    #[server(default)] message: String,
) -> Result<(), Error> {
    use crate::web::agents::descriptions;
    let (admin, agent) = descriptions::agent_of(&workspace, &agent).await?;
    admin.services().deployments.roll_back(&admin.workspace().id, &admin.actor(), &agent, &item, &message).await?;
    descriptions::done(&admin, &agent, "deployment-rolled-back")
}

/// Dialog with the form that the address names.
#[component]
pub fn AgentFormDialog() -> impl IntoView {
    let slug = use_slug().get_untracked();
    let params = use_params_map().get_untracked();
    let [agent, part, item, action] =
        ["agent", "part", "item", "action"].map(|name| params.get(name).unwrap_or_default());
    let close_href = format!("/{slug}/agents/{agent}");
    let known = FORMS.into_iter().find(|(of, does, ..)| *of == part && *does == action);
    let (.., title, path) = known.unwrap_or(("", "", "Not found", ""));
    let sent = FormAction::to(path);
    let kind = if title.ends_with('?') { DialogKind::Question } else { DialogKind::Sheet };
    let hidden = vec![("workspace", slug.clone()), ("agent", agent.clone()), ("item", item.clone())];
    let described = load(move || GetAgentForm {
        workspace: slug.clone(),
        agent: agent.clone(),
        part: part.clone(),
        item: item.clone(),
        action: action.clone(),
    });
    let form = move || {
        let hidden = hidden.clone();
        async move {
            let form = described_form(described, sent, hidden, &["values", "is_default"]).await?;
            Ok(if kind == DialogKind::Question { form.danger() } else { form })
        }
    };
    view! { <FormDialog title close_href kind form /> }
}
