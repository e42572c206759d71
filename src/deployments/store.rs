//! SQL for deployments. All changes are made while the agent's row is locked.

use crate::base::id::{AgentId, DeploymentId, WorkspaceId};
use crate::db::{Change, Db, DbError};
use crate::deployments::model::{Deployment, Environment};
use crate::{on_change, on_db, statements};

macro_rules! columns {
    () => {
        "SELECT id, environment, version, artifact_version, message, created_by, created_at, activation FROM deployments
            WHERE workspace_id = $1 AND agent_id = $2 AND "
    };
}

statements! {
    LIST = concat!(columns!(), "environment = $3 ORDER BY number DESC LIMIT $4");
    ACTIVE = concat!(columns!(), "environment = $3 ORDER BY activation DESC LIMIT 1");
    FIND = concat!(columns!(), "id = $3");
    CONTENT = "SELECT content FROM deployments WHERE workspace_id = $1 AND agent_id = $2 AND id = $3";
    NUMBERS = "SELECT COALESCE(MAX(number), 0), COALESCE(MAX(activation), 0) FROM deployments
        WHERE workspace_id = $1 AND agent_id = $2";
    INSERT = "INSERT INTO deployments (workspace_id, agent_id, id, environment, version, artifact_version, message,
            created_by, created_at, activation, content, number)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    ACTIVATE = "UPDATE deployments SET activation = $4 WHERE workspace_id = $1 AND agent_id = $2 AND id = $3";
}

/// An environment's deployments, newest first.
pub async fn list(
    db: &Db,
    workspace: &WorkspaceId,
    agent: &AgentId,
    environment: Environment,
    limit: u32,
) -> Result<Vec<Deployment>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(LIST)
        .bind(workspace)
        .bind(agent)
        .bind(environment.id())
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await)?)
}

/// The active deployment of an environment.
pub async fn active(
    db: &Db,
    workspace: &WorkspaceId,
    agent: &AgentId,
    environment: Environment,
) -> Result<Option<Deployment>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(ACTIVE)
        .bind(workspace)
        .bind(agent)
        .bind(environment.id())
        .fetch_optional(pool)
        .await)?)
}

pub async fn find(
    db: &Db,
    workspace: &WorkspaceId,
    agent: &AgentId,
    id: &DeploymentId,
) -> Result<Option<Deployment>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(FIND).bind(workspace).bind(agent).bind(id).fetch_optional(pool).await)?)
}

/// A deployment of a locked agent.
pub async fn locked(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    id: &DeploymentId,
) -> Result<Option<Deployment>, DbError> {
    Ok(on_change!(change, |c| sqlx::query_as(FIND).bind(workspace).bind(agent).bind(id).fetch_optional(c).await)?)
}

/// The content of a deployment of a locked agent, as JSON.
pub async fn content(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    id: &DeploymentId,
) -> Result<String, DbError> {
    let (content,): (String,) =
        on_change!(change, |c| sqlx::query_as(CONTENT).bind(workspace).bind(agent).bind(id).fetch_one(c).await)?;
    Ok(content)
}

/// The highest number and the highest activation of a locked agent's deployments.
pub async fn numbers(change: &mut Change, workspace: &WorkspaceId, agent: &AgentId) -> Result<(i64, i64), DbError> {
    Ok(on_change!(change, |c| sqlx::query_as(NUMBERS).bind(workspace).bind(agent).fetch_one(c).await)?)
}

pub async fn insert(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    deployment: &Deployment,
    content: &str,
    number: i64,
) -> Result<(), DbError> {
    Ok(on_change!(change, |c| sqlx::query(INSERT)
        .bind(workspace)
        .bind(agent)
        .bind(&deployment.id)
        .bind(&deployment.environment)
        .bind(&deployment.version)
        .bind(&deployment.artifact_version)
        .bind(&deployment.message)
        .bind(&deployment.created_by)
        .bind(deployment.created_at)
        .bind(deployment.activation)
        .bind(content)
        .bind(number)
        .execute(c)
        .await
        .map(|_| ()))?)
}

/// Makes a deployment the active one of its environment.
pub async fn activate(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    id: &DeploymentId,
    activation: i64,
) -> Result<(), DbError> {
    Ok(on_change!(change, |c| sqlx::query(ACTIVATE)
        .bind(workspace)
        .bind(agent)
        .bind(id)
        .bind(activation)
        .execute(c)
        .await
        .map(|_| ()))?)
}
