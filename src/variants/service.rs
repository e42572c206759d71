//! Operations on variants and attributes. Each change is recorded in the audit log, in the same transaction.

use crate::agents::{self, AgentName};
use crate::audit::{self, Action, NewAuditEntry};
use crate::base::actor::Actor;
use crate::base::id::{AgentId, AttributeId, VariantId, WorkspaceId};
use crate::base::text::single_line;
use crate::db::{Change, Db, DbError};
use crate::variants::model::{Attribute, AttributeValues, Variant, VariantChanges, VariantError};
use crate::variants::store;
use serde_json::json;
use std::collections::BTreeMap;

/// Longest name, in characters.
const MAX_NAME_CHARS: usize = 100;
/// Longest value, in characters.
const MAX_VALUE_CHARS: usize = 10_000;
/// Most variants of an agent, and most attributes.
const MAX_ITEMS: usize = 200;

#[derive(Clone, Debug)]
pub struct Variants {
    db: Db,
}

impl Variants {
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// An agent's attributes, oldest first.
    pub async fn attributes(&self, workspace: &WorkspaceId, agent: &AgentId) -> Result<Vec<Attribute>, DbError> {
        store::attributes(&self.db, workspace, agent).await
    }

    /// An agent's variants, oldest first.
    pub async fn variants(&self, workspace: &WorkspaceId, agent: &AgentId) -> Result<Vec<Variant>, DbError> {
        store::variants(&self.db, workspace, agent).await
    }

    pub async fn create_attribute(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        agent: &AgentName,
        name: &str,
    ) -> Result<Attribute, VariantError> {
        let name = single_line(name, MAX_NAME_CHARS)?;
        let (mut change, attributes, _) = self.begin(workspace, actor, agent).await?;
        if attributes.len() == MAX_ITEMS {
            return Err(VariantError::TooMany(MAX_ITEMS));
        }
        let attribute = Attribute { id: AttributeId::generate(change.random()), name };
        if !store::insert_attribute(&mut change, workspace, &agent.id, &attribute).await? {
            return Err(VariantError::NameTaken);
        }
        let details = json!({ "attribute": attribute.name });
        finish(change, workspace, agent, Action::AttributeCreated, details).await?;
        Ok(attribute)
    }

    pub async fn rename_attribute(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        agent: &AgentName,
        id: &str,
        name: &str,
    ) -> Result<Attribute, VariantError> {
        let name = single_line(name, MAX_NAME_CHARS)?;
        let (mut change, attributes, _) = self.begin(workspace, actor, agent).await?;
        let before = attributes.into_iter().find(|a| a.id.as_str() == id).ok_or(VariantError::NotFound)?;
        let attribute = Attribute { id: before.id, name };
        if !store::rename_attribute(&mut change, workspace, &agent.id, &attribute).await? {
            return Err(VariantError::NameTaken);
        }
        let details = json!({ "attribute": { "from": before.name, "to": attribute.name } });
        finish(change, workspace, agent, Action::AttributeRenamed, details).await?;
        Ok(attribute)
    }

    /// Deletes an attribute with its values.
    pub async fn delete_attribute(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        agent: &AgentName,
        id: &str,
    ) -> Result<AttributeId, VariantError> {
        let (mut change, attributes, _) = self.begin(workspace, actor, agent).await?;
        let gone = attributes.into_iter().find(|a| a.id.as_str() == id).ok_or(VariantError::NotFound)?;
        store::delete_attribute(&mut change, workspace, &agent.id, &gone.id).await?;
        finish(change, workspace, agent, Action::AttributeDeleted, json!({ "attribute": gone.name })).await?;
        Ok(gone.id)
    }

    /// Creates a variant. An agent's first one is its default.
    pub async fn create(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        agent: &AgentName,
        new: VariantChanges,
    ) -> Result<Variant, VariantError> {
        let name = single_line(&new.name.unwrap_or_default(), MAX_NAME_CHARS)?;
        let (mut change, attributes, variants) = self.begin(workspace, actor, agent).await?;
        if variants.len() == MAX_ITEMS {
            return Err(VariantError::TooMany(MAX_ITEMS));
        }
        let values = checked(&attributes, new.values.unwrap_or_default())?;
        let is_default = new.is_default.unwrap_or(false) || variants.is_empty();
        let variant = Variant { id: VariantId::generate(change.random()), name, is_default, values };
        if !store::insert_variant(&mut change, workspace, &agent.id, &variant.id, &variant.name).await? {
            return Err(VariantError::NameTaken);
        }
        store::replace_values(&mut change, workspace, &agent.id, &variant.id, &variant.values).await?;
        if is_default {
            store::make_default(&mut change, workspace, &agent.id, &variant.id).await?;
        }
        let details = json!({ "variant": variant.name, "default": is_default });
        finish(change, workspace, agent, Action::VariantCreated, details).await?;
        Ok(variant)
    }

    pub async fn edit(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        agent: &AgentName,
        id: &str,
        new: VariantChanges,
    ) -> Result<Variant, VariantError> {
        let name = new.name.map(|name| single_line(&name, MAX_NAME_CHARS)).transpose()?;
        let (mut change, attributes, variants) = self.begin(workspace, actor, agent).await?;
        let before = variants.into_iter().find(|v| v.id.as_str() == id).ok_or(VariantError::NotFound)?;
        if before.is_default && new.is_default == Some(false) {
            return Err(VariantError::DefaultEnded);
        }
        let values = match new.values {
            Some(values) => checked(&attributes, values)?,
            None => before.values.clone(),
        };
        let variant = Variant {
            id: before.id.clone(),
            name: name.unwrap_or_else(|| before.name.clone()),
            is_default: before.is_default || new.is_default == Some(true),
            values,
        };
        if variant == before {
            return Ok(variant);
        }
        if !store::rename_variant(&mut change, workspace, &agent.id, &variant.id, &variant.name).await? {
            return Err(VariantError::NameTaken);
        }
        store::replace_values(&mut change, workspace, &agent.id, &variant.id, &variant.values).await?;
        if variant.is_default != before.is_default {
            store::make_default(&mut change, workspace, &agent.id, &variant.id).await?;
        }
        let details = json!({
            "variant": { "from": before.name, "to": variant.name },
            "default": variant.is_default,
            "values_changed": variant.values != before.values,
        });
        finish(change, workspace, agent, Action::VariantEdited, details).await?;
        Ok(variant)
    }

    /// Deletes a variant, which must not be the default.
    pub async fn delete(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        agent: &AgentName,
        id: &str,
    ) -> Result<VariantId, VariantError> {
        let (mut change, _, variants) = self.begin(workspace, actor, agent).await?;
        let gone = variants.into_iter().find(|v| v.id.as_str() == id).ok_or(VariantError::NotFound)?;
        if gone.is_default {
            return Err(VariantError::DefaultDeleted);
        }
        store::delete_variant(&mut change, workspace, &agent.id, &gone.id).await?;
        finish(change, workspace, agent, Action::VariantDeleted, json!({ "variant": gone.name })).await?;
        Ok(gone.id)
    }

    /// Begins a change of an agent's variants and attributes: others that change them wait.
    async fn begin(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        agent: &AgentName,
    ) -> Result<(Change, Vec<Attribute>, Vec<Variant>), VariantError> {
        let mut change = self.db.begin(actor).await?;
        if !agents::service::lock(&mut change, workspace, &agent.id).await? {
            return Err(VariantError::NotFound);
        }
        let (attributes, variants) = store::locked(&mut change, workspace, &agent.id).await?;
        Ok((change, attributes, variants))
    }
}

/// The attributes and variants of an agent that this change has locked.
pub async fn locked(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
) -> Result<(Vec<Attribute>, Vec<Variant>), DbError> {
    store::locked(change, workspace, agent).await
}

/// The values with the ids of the agent's attributes.
fn checked(attributes: &[Attribute], values: BTreeMap<String, String>) -> Result<AttributeValues, VariantError> {
    let checked = values.into_iter().map(|(id, value)| {
        let attribute = attributes.iter().find(|a| a.id.as_str() == id).ok_or(VariantError::UnknownAttribute)?;
        if value.chars().count() > MAX_VALUE_CHARS || value.contains('\0') {
            return Err(VariantError::ValueTooLong(MAX_VALUE_CHARS));
        }
        Ok((attribute.id.clone(), value))
    });
    checked.collect()
}

async fn finish(
    mut change: Change,
    workspace: &WorkspaceId,
    agent: &AgentName,
    action: Action,
    details: serde_json::Value,
) -> Result<(), VariantError> {
    let entry = NewAuditEntry { action, subject_id: agent.id.as_str(), subject: &agent.name, details };
    audit::record(&mut change, workspace, entry).await?;
    Ok(change.commit().await?)
}
