//! Runtime tokens: `Authorization: Bearer ast_…`. A token belongs to a workspace. Runtime tokens are not API keys;
//! neither is accepted in place of the other.

use crate::audit::{self, Action, NewAuditEntry};
use crate::base::actor::Actor;
use crate::base::error::Problem;
use crate::base::id::{AgentId, RuntimeTokenId, WorkspaceId};
use crate::base::text::single_line;
use crate::base::token::Token;
use crate::db::{Db, DbError, WorkKind};
use crate::runtime_tokens::store::{self, RuntimeToken};
use crate::{agents, workspaces};
use serde_json::json;

/// Prefix of every token.
pub const PREFIX: &str = "ast_";

/// Why an operation on runtime tokens failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeTokenError {
    #[error("There is no such runtime token.")]
    NotFound,
    #[error(transparent)]
    Invalid(#[from] Problem),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Service for runtime tokens.
#[derive(Clone, Debug)]
pub struct RuntimeTokens {
    db: Db,
}

impl RuntimeTokens {
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// Creates a token and returns its value, which is not stored.
    pub async fn create(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        name: &str,
    ) -> Result<(RuntimeToken, Token), RuntimeTokenError> {
        let name = single_line(name, 100)?;
        let token = Token::generate(PREFIX, self.db.random());
        let made = RuntimeToken { id: RuntimeTokenId::generate(self.db.random()), name, created_at: self.db.now() };
        let mut change = self.db.begin(actor).await?;
        store::insert(&mut change, workspace, &made, &token.hash()).await?;
        let entry = NewAuditEntry {
            action: Action::RuntimeTokenCreated,
            subject_id: made.id.as_str(),
            subject: &made.name,
            details: json!({}),
        };
        audit::record(&mut change, workspace, entry).await?;
        change.commit().await?;
        Ok((made, token))
    }

    /// Deletes a token. Every call that begins after this has returned is refused.
    pub async fn revoke(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        id: &RuntimeTokenId,
    ) -> Result<(), RuntimeTokenError> {
        let mut change = self.db.begin(actor).await?;
        let name = store::delete(&mut change, workspace, id).await?.ok_or(RuntimeTokenError::NotFound)?;
        let entry = NewAuditEntry {
            action: Action::RuntimeTokenRevoked,
            subject_id: id.as_str(),
            subject: &name,
            details: json!({}),
        };
        audit::record(&mut change, workspace, entry).await?;
        Ok(change.commit().await?)
    }

    /// All tokens of a workspace, oldest first.
    pub async fn list(&self, workspace: &WorkspaceId) -> Result<Vec<RuntimeToken>, DbError> {
        store::list(&self.db, workspace).await
    }

    /// Authorises a call with this token to an agent of a workspace, both named by id or slug.
    pub async fn admit(&self, token: &Token, account_id: &str, project_id: &str) -> Result<RuntimeScope, TokenRefusal> {
        let db = self.db.of(WorkKind::Api).in_turn().await?;
        let own = store::workspace_of(&db, &token.hash()).await?.ok_or(TokenRefusal::UnknownToken)?;
        let named = workspaces::service::find(&db, account_id).await?.filter(|workspace| workspace.id == own);
        let workspace = named.ok_or(TokenRefusal::OtherWorkspace)?;
        let agent = agents::service::find(&db, &workspace.id, project_id).await?.ok_or(TokenRefusal::NoSuchAgent)?;
        Ok(RuntimeScope { workspace: workspace.id, agent: agent.id })
    }
}

/// The workspace and agent that an authorised call may access.
#[derive(Clone, Debug)]
pub struct RuntimeScope {
    pub workspace: WorkspaceId,
    pub agent: AgentId,
}

/// Why a call with a runtime token was refused.
#[derive(Debug)]
pub enum TokenRefusal {
    UnknownToken,
    OtherWorkspace,
    NoSuchAgent,
    Failed(DbError),
}

impl From<DbError> for TokenRefusal {
    fn from(error: DbError) -> Self {
        Self::Failed(error)
    }
}
