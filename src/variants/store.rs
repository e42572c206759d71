//! SQL for variants and attributes. All changes are made while the agent's row is locked.

use crate::base::id::{AgentId, AttributeId, VariantId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::db::{Change, Db, DbError, is_duplicate};
use crate::variants::model::{Attribute, AttributeValues, Variant};
use crate::{on_change, on_db, statements};
use std::collections::BTreeMap;

macro_rules! of_agent {
    ($columns:literal, $table:literal) => {
        concat!("SELECT ", $columns, " FROM ", $table, " WHERE workspace_id = $1 AND agent_id = $2")
    };
}

statements! {
    ATTRIBUTES = concat!(of_agent!("id, name", "attributes"), " ORDER BY created_at, id");
    VARIANTS = concat!(of_agent!("id, name, is_default", "variants"), " ORDER BY created_at, id");
    VALUES = of_agent!("variant_id, attribute_id, value", "variant_values");
    INSERT_ATTRIBUTE = "INSERT INTO attributes (workspace_id, agent_id, id, name, created_at)
        VALUES ($1, $2, $3, $4, $5)";
    RENAME_ATTRIBUTE = "UPDATE attributes SET name = $4 WHERE workspace_id = $1 AND agent_id = $2 AND id = $3";
    DELETE_ATTRIBUTE = "DELETE FROM attributes WHERE workspace_id = $1 AND agent_id = $2 AND id = $3";
    INSERT_VARIANT = "INSERT INTO variants (workspace_id, agent_id, id, name, is_default, created_at)
        VALUES ($1, $2, $3, $4, FALSE, $5)";
    RENAME_VARIANT = "UPDATE variants SET name = $4 WHERE workspace_id = $1 AND agent_id = $2 AND id = $3";
    DELETE_VARIANT = "DELETE FROM variants WHERE workspace_id = $1 AND agent_id = $2 AND id = $3";
    END_DEFAULT = "UPDATE variants SET is_default = FALSE WHERE workspace_id = $1 AND agent_id = $2 AND is_default";
    MAKE_DEFAULT = "UPDATE variants SET is_default = TRUE WHERE workspace_id = $1 AND agent_id = $2 AND id = $3";
    DELETE_VALUES = "DELETE FROM variant_values WHERE workspace_id = $1 AND agent_id = $2 AND variant_id = $3";
    INSERT_VALUE = "INSERT INTO variant_values (workspace_id, agent_id, variant_id, attribute_id, value)
        VALUES ($1, $2, $3, $4, $5)";
}

type VariantRow = (VariantId, String, bool);
type ValueRow = (VariantId, AttributeId, String);

fn with_values(variants: Vec<VariantRow>, values: Vec<ValueRow>) -> Vec<Variant> {
    let mut of_variants: BTreeMap<VariantId, AttributeValues> = BTreeMap::new();
    for (variant, attribute, value) in values {
        of_variants.entry(variant).or_default().insert(attribute, value);
    }
    let variant = |(id, name, is_default)| {
        let values = of_variants.remove(&id).unwrap_or_default();
        Variant { id, name, is_default, values }
    };
    variants.into_iter().map(variant).collect()
}

/// An agent's attributes, oldest first.
pub async fn attributes(db: &Db, workspace: &WorkspaceId, agent: &AgentId) -> Result<Vec<Attribute>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(ATTRIBUTES).bind(workspace).bind(agent).fetch_all(pool).await)?)
}

/// An agent's variants, oldest first.
pub async fn variants(db: &Db, workspace: &WorkspaceId, agent: &AgentId) -> Result<Vec<Variant>, DbError> {
    let variants = on_db!(db, |pool| sqlx::query_as(VARIANTS).bind(workspace).bind(agent).fetch_all(pool).await)?;
    let values = on_db!(db, |pool| sqlx::query_as(VALUES).bind(workspace).bind(agent).fetch_all(pool).await)?;
    Ok(with_values(variants, values))
}

/// The attributes and variants of a locked agent.
pub async fn locked(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
) -> Result<(Vec<Attribute>, Vec<Variant>), DbError> {
    let attributes = on_change!(change, |c| sqlx::query_as(ATTRIBUTES).bind(workspace).bind(agent).fetch_all(c).await)?;
    let variants = on_change!(change, |c| sqlx::query_as(VARIANTS).bind(workspace).bind(agent).fetch_all(c).await)?;
    let values = on_change!(change, |c| sqlx::query_as(VALUES).bind(workspace).bind(agent).fetch_all(c).await)?;
    Ok((attributes, with_values(variants, values)))
}

/// Runs a statement whose parameters after workspace and agent are these texts. Returns the number of rows, or `None` if
/// another row has the name.
async fn write(
    change: &mut Change,
    sql: &'static str,
    workspace: &WorkspaceId,
    agent: &AgentId,
    texts: &[&str],
    created_at: Option<Timestamp>,
) -> Result<Option<u64>, DbError> {
    let written = on_change!(change, |c| {
        let mut statement = sqlx::query(sql).bind(workspace).bind(agent);
        for text in texts {
            statement = statement.bind(*text);
        }
        if let Some(at) = created_at {
            statement = statement.bind(at);
        }
        statement.execute(c).await.map(|done| done.rows_affected())
    });
    match written {
        Ok(rows) => Ok(Some(rows)),
        Err(error) if is_duplicate(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Inserts an attribute; `false` if another one has the name.
pub async fn insert_attribute(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    attribute: &Attribute,
) -> Result<bool, DbError> {
    let (texts, now) = ([attribute.id.as_str(), attribute.name.as_str()], change.now());
    Ok(write(change, INSERT_ATTRIBUTE, workspace, agent, &texts, Some(now)).await?.is_some())
}

/// Renames an attribute; `false` if another one has the name.
pub async fn rename_attribute(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    attribute: &Attribute,
) -> Result<bool, DbError> {
    let texts = [attribute.id.as_str(), attribute.name.as_str()];
    Ok(write(change, RENAME_ATTRIBUTE, workspace, agent, &texts, None).await?.is_some())
}

/// Deletes an attribute with its values.
pub async fn delete_attribute(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    id: &AttributeId,
) -> Result<(), DbError> {
    write(change, DELETE_ATTRIBUTE, workspace, agent, &[id.as_str()], None).await.map(drop)
}

/// Inserts a variant that is not the default, without values; `false` if another one has the name.
pub async fn insert_variant(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    id: &VariantId,
    name: &str,
) -> Result<bool, DbError> {
    let (texts, now) = ([id.as_str(), name], change.now());
    Ok(write(change, INSERT_VARIANT, workspace, agent, &texts, Some(now)).await?.is_some())
}

/// Renames a variant; `false` if another one has the name.
pub async fn rename_variant(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    id: &VariantId,
    name: &str,
) -> Result<bool, DbError> {
    Ok(write(change, RENAME_VARIANT, workspace, agent, &[id.as_str(), name], None).await?.is_some())
}

/// Deletes a variant with its values.
pub async fn delete_variant(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    id: &VariantId,
) -> Result<(), DbError> {
    write(change, DELETE_VARIANT, workspace, agent, &[id.as_str()], None).await.map(drop)
}

/// Makes a variant the default, and ends the former one.
pub async fn make_default(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    id: &VariantId,
) -> Result<(), DbError> {
    write(change, END_DEFAULT, workspace, agent, &[], None).await?;
    write(change, MAKE_DEFAULT, workspace, agent, &[id.as_str()], None).await.map(drop)
}

/// Replaces a variant's values.
pub async fn replace_values(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    id: &VariantId,
    values: &AttributeValues,
) -> Result<(), DbError> {
    write(change, DELETE_VALUES, workspace, agent, &[id.as_str()], None).await?;
    for (attribute, value) in values {
        write(change, INSERT_VALUE, workspace, agent, &[id.as_str(), attribute.as_str(), value], None).await?;
    }
    Ok(())
}
