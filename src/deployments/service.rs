//! Operations on deployments. Each change is recorded in the audit log, in the same transaction.

use crate::agents::{self, AgentName};
use crate::audit::{self, Action, NewAuditEntry};
use crate::base::actor::Actor;
use crate::base::id::{AgentId, DeploymentId, WorkspaceId};
use crate::configuration;
use crate::db::{Change, Db, DbError};
use crate::deployments::model::{Deployment, DeploymentError, Environment};
use crate::deployments::store;
use crate::variants;
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// Longest message, in characters.
const MAX_MESSAGE_CHARS: usize = 1_000;
/// Length of a version: the first hexadecimal digits of the content's SHA-256.
const VERSION_DIGITS: usize = 16;

#[derive(Clone, Debug)]
pub struct Deployments {
    db: Db,
}

impl Deployments {
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// An environment's deployments, newest first.
    pub async fn list(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        environment: Environment,
        limit: u32,
    ) -> Result<Vec<Deployment>, DbError> {
        store::list(&self.db, workspace, agent, environment, limit).await
    }

    /// The deployment with this id.
    pub async fn find(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        id: &str,
    ) -> Result<Option<Deployment>, DbError> {
        match DeploymentId::parse(id) {
            Some(id) => store::find(&self.db, workspace, agent, &id).await,
            None => Ok(None),
        }
    }

    /// The active deployment of an environment.
    pub async fn active(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        environment: Environment,
    ) -> Result<Option<Deployment>, DbError> {
        store::active(&self.db, workspace, agent, environment).await
    }

    /// Makes a deployment of the agent's configuration and variants as they are, and activates it.
    pub async fn publish(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        agent: &AgentName,
        environment: Environment,
        message: &str,
    ) -> Result<Deployment, DeploymentError> {
        let message = checked(message)?;
        let mut change = self.begin(workspace, actor, agent).await?;
        let configuration = configuration::service::locked(&mut change, workspace, &agent.id).await?;
        let (attributes, variants) = variants::service::locked(&mut change, workspace, &agent.id).await?;
        let content = json!({ "configuration": configuration, "attributes": attributes, "variants": variants });
        let content = content.to_string();
        let mut version = hex::encode(Sha256::digest(content.as_bytes()));
        version.truncate(VERSION_DIGITS);
        let (number, activation) = store::numbers(&mut change, workspace, &agent.id).await?;
        let deployment = Deployment {
            id: DeploymentId::generate(change.random()),
            environment: environment.id().to_owned(),
            version,
            artifact_version: (number + 1).to_string(),
            message,
            created_by: actor.name.clone(),
            created_at: change.now(),
            activation: activation + 1,
        };
        store::insert(&mut change, workspace, &agent.id, &deployment, &content, number + 1).await?;
        finish(change, workspace, agent, Action::DeploymentPublished, &deployment).await?;
        Ok(deployment)
    }

    /// Makes a deployment of the same content in an environment further ahead, the next one if none is named, and
    /// activates it.
    pub async fn promote(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        agent: &AgentName,
        id: &str,
        target: Option<Environment>,
        message: &str,
    ) -> Result<Deployment, DeploymentError> {
        let message = checked(message)?;
        let id = DeploymentId::parse(id).ok_or(DeploymentError::NotFound)?;
        let mut change = self.begin(workspace, actor, agent).await?;
        let found = store::locked(&mut change, workspace, &agent.id, &id).await?.ok_or(DeploymentError::NotFound)?;
        let from = Environment::parse(&found.environment).ok_or(DbError::Failed)?;
        let target = target.or(from.next()).filter(|target| *target > from).ok_or(DeploymentError::NotAhead)?;
        let content = store::content(&mut change, workspace, &agent.id, &id).await?;
        let (number, activation) = store::numbers(&mut change, workspace, &agent.id).await?;
        let deployment = Deployment {
            id: DeploymentId::generate(change.random()),
            environment: target.id().to_owned(),
            message,
            created_by: actor.name.clone(),
            created_at: change.now(),
            activation: activation + 1,
            ..found
        };
        store::insert(&mut change, workspace, &agent.id, &deployment, &content, number + 1).await?;
        finish(change, workspace, agent, Action::DeploymentPromoted, &deployment).await?;
        Ok(deployment)
    }

    /// Makes an earlier deployment the active one of its environment again.
    pub async fn roll_back(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        agent: &AgentName,
        id: &str,
        message: &str,
    ) -> Result<Deployment, DeploymentError> {
        let message = checked(message)?;
        let id = DeploymentId::parse(id).ok_or(DeploymentError::NotFound)?;
        let mut change = self.begin(workspace, actor, agent).await?;
        let found = store::locked(&mut change, workspace, &agent.id, &id).await?.ok_or(DeploymentError::NotFound)?;
        let (_, activation) = store::numbers(&mut change, workspace, &agent.id).await?;
        store::activate(&mut change, workspace, &agent.id, &id, activation + 1).await?;
        let noted = Deployment { message, ..found.clone() };
        finish(change, workspace, agent, Action::DeploymentRolledBack, &noted).await?;
        Ok(Deployment { activation: activation + 1, ..found })
    }

    /// Begins a change of an agent's deployments: others that change them wait.
    async fn begin(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        agent: &AgentName,
    ) -> Result<Change, DeploymentError> {
        let mut change = self.db.begin(actor).await?;
        match agents::service::lock(&mut change, workspace, &agent.id).await? {
            true => Ok(change),
            false => Err(DeploymentError::NotFound),
        }
    }
}

fn checked(message: &str) -> Result<String, DeploymentError> {
    match message.chars().count() > MAX_MESSAGE_CHARS || message.contains('\0') {
        true => Err(DeploymentError::MessageTooLong(MAX_MESSAGE_CHARS)),
        false => Ok(message.trim().to_owned()),
    }
}

async fn finish(
    mut change: Change,
    workspace: &WorkspaceId,
    agent: &AgentName,
    action: Action,
    deployment: &Deployment,
) -> Result<(), DeploymentError> {
    let entry = NewAuditEntry {
        action,
        subject_id: agent.id.as_str(),
        subject: &agent.name,
        details: json!({
            "deployment": deployment.id,
            "environment": deployment.environment,
            "version": deployment.version,
            "message": deployment.message,
        }),
    };
    audit::record(&mut change, workspace, entry).await?;
    Ok(change.commit().await?)
}
