//! Describes the forms that delete an agent, and those for variants, attributes and deployments.

use crate::agents::{AgentDependents, AgentName};
use crate::base::error::Error;
use crate::base::text::days_in_words;
use crate::deployments::Environment;
use crate::variants::{Attribute, Variant};
use crate::web::components::described_form::{FieldDescription, FieldKind, FormDescription};
use crate::web::guard::{self, SignedInMember};
use crate::web::usage::recent_use::in_words;

/// An admin of this workspace, and one of its agents.
pub async fn agent_of(workspace: &str, agent: &str) -> Result<(SignedInMember, AgentName), Error> {
    let admin = guard::admin(workspace).await?;
    let found = admin.services().agents.find(&admin.workspace().id, agent).await?.ok_or_else(guard::not_found)?;
    Ok((admin, found))
}

/// Leads to the agent's page, which says what was done.
pub fn done(admin: &SignedInMember, agent: &AgentName, notice: &str) -> Result<(), Error> {
    leptos_axum::redirect(&format!("/{}/agents/{}?notice={notice}", admin.workspace().slug, agent.id));
    Ok(())
}

/// Describes the form that deletes an agent.
pub async fn deletion(admin: &SignedInMember, agent: &str) -> Result<FormDescription, Error> {
    let (services, workspace) = (admin.services(), admin.workspace());
    let agent = services.agents.find(&workspace.id, agent).await?.ok_or_else(guard::not_found)?;
    let gone = services.agents.belongings(&workspace.id, &agent.id).await?;
    let recent = services.reports.recent_use_of_agent(&workspace.id, &agent.id).await?;
    let name = &agent.name;
    let typed = FieldDescription::line("name", "Name of the agent", "").hint(&format!("Type {name} to confirm."));
    let (undo, fields) = match workspace.undo_days {
        0 => ("This cannot be undone.".to_owned(), vec![typed]),
        days => (format!("You can restore it for {} under Recently deleted.", days_in_words(days)), Vec::new()),
    };
    let explanation = format!(
        "No API knows “{name}” from then on. {} {undo}\n{}",
        dependents_in_words(gone, workspace.undo_days == 0),
        in_words(&recent, "Its calls")
    );
    Ok(FormDescription { explanation, fields, submit: "Delete agent".to_owned(), cancel: "Keep agent".to_owned() })
}

fn dependents_in_words(gone: AgentDependents, for_good: bool) -> String {
    let verb = if for_good { "erased" } else { "deleted" };
    let conversations = match gone.conversations {
        0 => "It has no conversations.".to_owned(),
        1 => format!("Its one conversation is {verb} with it."),
        many => format!("Its {many} conversations are {verb} with it."),
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
    format!("{conversations}{variants}{keys}")
}

/// Describes the form that an address names.
pub async fn describe(
    admin: &SignedInMember,
    agent: &str,
    part: &str,
    item: &str,
    action: &str,
) -> Result<FormDescription, Error> {
    let (services, workspace) = (admin.services(), &admin.workspace().id);
    let agent = services.agents.find(workspace, agent).await?.ok_or_else(guard::not_found)?;
    match part {
        "variants" => {
            let attributes = services.variants.attributes(workspace, &agent.id).await?;
            let mut variants = services.variants.variants(workspace, &agent.id).await?.into_iter();
            match (action, variants.find(|variant| variant.id.as_str() == item)) {
                ("new", None) => Ok(new_variant(&attributes)),
                ("edit", Some(variant)) => Ok(edited_variant(&variant, &attributes)),
                ("delete", Some(variant)) => Ok(deleted_variant(&variant)),
                _ => Err(guard::not_found()),
            }
        }
        "attributes" => {
            let mut attributes = services.variants.attributes(workspace, &agent.id).await?.into_iter();
            match (action, attributes.find(|attribute| attribute.id.as_str() == item)) {
                ("new", None) => Ok(attribute("", "Create attribute")),
                ("rename", Some(known)) => Ok(attribute(&known.name, "Save")),
                ("delete", Some(known)) => Ok(deleted_attribute(&known)),
                _ => Err(guard::not_found()),
            }
        }
        "deployments" if action == "publish" => Ok(publication()),
        "deployments" => {
            let found = services.deployments.find(workspace, &agent.id, item).await?.ok_or_else(guard::not_found)?;
            let environment = Environment::parse(&found.environment).ok_or(Error::Internal)?;
            match action {
                "promote" => promotion(environment).ok_or_else(guard::not_found),
                "roll-back" => Ok(rollback(environment)),
                _ => Err(guard::not_found()),
            }
        }
        _ => Err(guard::not_found()),
    }
}

fn choice(label: &str, options: impl Iterator<Item = Environment>, value: Environment) -> FieldDescription {
    let options = options.map(|environment| (environment.id().to_owned(), environment.label().to_owned())).collect();
    FieldDescription::choice("environment", label, options, value.id())
}

fn values(attributes: &[Attribute], variant: Option<&Variant>) -> impl Iterator<Item = FieldDescription> {
    attributes.iter().map(move |attribute| {
        let value = variant.and_then(|variant| variant.values.get(&attribute.id));
        FieldDescription::lines(&format!("values[{}]", attribute.id), &attribute.name, value.map_or("", String::as_str))
    })
}

fn default_box() -> FieldDescription {
    let label = "Default: what an agent uses where nothing else is said";
    FieldDescription { kind: FieldKind::Checkbox, ..FieldDescription::line("is_default", label, "false") }
}

fn new_variant(attributes: &[Attribute]) -> FormDescription {
    let mut fields = vec![FieldDescription::line("name", "Name", "")];
    fields.extend(values(attributes, None));
    fields.push(default_box());
    FormDescription { fields, submit: "Create variant".to_owned(), ..Default::default() }
}

fn edited_variant(variant: &Variant, attributes: &[Attribute]) -> FormDescription {
    let mut fields = vec![FieldDescription::line("name", "Name", &variant.name)];
    fields.extend(values(attributes, Some(variant)));
    let mut explanation = String::new();
    match variant.is_default {
        true => explanation.push_str("This is the default variant. It stays so until another one becomes the default."),
        false => fields.push(default_box()),
    }
    FormDescription { explanation, fields, submit: "Save".to_owned(), ..Default::default() }
}

fn deleted_variant(variant: &Variant) -> FormDescription {
    let explanation = match variant.is_default {
        true => {
            format!("“{}” is the default variant. Make another one the default before you delete it.", variant.name)
        }
        false => format!("“{}” and its values are deleted. Conversations keep its name.", variant.name),
    };
    FormDescription { explanation, fields: Vec::new(), submit: "Delete variant".to_owned(), ..Default::default() }
}

fn attribute(name: &str, submit: &str) -> FormDescription {
    FormDescription {
        fields: vec![FieldDescription::line("name", "Name", name)],
        submit: submit.to_owned(),
        ..Default::default()
    }
}

fn deleted_attribute(attribute: &Attribute) -> FormDescription {
    let explanation = format!("“{}” is deleted, with the value that each variant has.", attribute.name);
    FormDescription { explanation, fields: Vec::new(), submit: "Delete attribute".to_owned(), ..Default::default() }
}

fn publication() -> FormDescription {
    let environment = choice("Environment", Environment::ALL.into_iter(), Environment::Sandbox);
    FormDescription {
        explanation: "Records the agent's configuration and variants as they are now.".to_owned(),
        fields: vec![environment, FieldDescription::lines("message", "Message", "")],
        submit: "Publish".to_owned(),
        ..Default::default()
    }
}

fn promotion(from: Environment) -> Option<FormDescription> {
    let next = from.next()?;
    let ahead = Environment::ALL.into_iter().filter(|environment| *environment > from);
    Some(FormDescription {
        explanation: format!("The same content becomes active in another environment, and stays in {}.", from.label()),
        fields: vec![choice("To", ahead, next), FieldDescription::lines("message", "Message", "")],
        submit: "Promote".to_owned(),
        ..Default::default()
    })
}

fn rollback(environment: Environment) -> FormDescription {
    FormDescription {
        explanation: format!("This deployment becomes the active one in {} again.", environment.label()),
        fields: vec![FieldDescription::lines("message", "Message", "")],
        submit: "Roll back".to_owned(),
        ..Default::default()
    }
}
