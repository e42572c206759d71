//! Runtime tokens: `Authorization: Bearer ast_…`. They belong to a workspace and are no API keys: neither works in the
//! other's place.

use crate::audit::{self, Action, Entry};
use crate::base::actor::Actor;
use crate::base::error::Error;
use crate::base::id::{AgentId, RuntimeTokenId, WorkspaceId};
use crate::base::text::single_line;
use crate::base::token::Token;
use crate::db::Db;
use crate::db::Work;
use crate::runtime_tokens::store::{self, RuntimeToken};
use crate::{agents, workspaces};
use serde_json::json;

/// What every token begins with.
pub const PREFIX: &str = "ast_";
/// Runtime tokens: made, listed, revoked, let in.
#[derive(Clone, Debug)]
pub struct RuntimeTokens {
    db: Db,
}

impl RuntimeTokens {
    /// On this database.
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// Makes a token: the one time that its value is known.
    pub async fn create(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        name: &str,
    ) -> Result<(RuntimeToken, Token), Error> {
        let name = single_line(name, 100)?;
        let token = Token::generate(PREFIX, self.db.random());
        let made = RuntimeToken { id: RuntimeTokenId::generate(self.db.random()), name, created_at: self.db.now() };
        let mut change = self.db.begin(actor).await?;
        store::insert(&mut change, workspace, &made, &token.hash()).await?;
        let entry = Entry {
            action: Action::RuntimeTokenCreated,
            subject_id: made.id.as_str(),
            subject: &made.name,
            details: json!({}),
        };
        audit::record(&mut change, workspace, entry).await?;
        change.commit().await?;
        Ok((made, token))
    }

    /// Ends a token: refused by every call that starts after this returned.
    pub async fn revoke(&self, workspace: &WorkspaceId, actor: &Actor, id: &RuntimeTokenId) -> Result<(), Error> {
        let mut change = self.db.begin(actor).await?;
        let name = store::delete(&mut change, workspace, id).await?.ok_or(Error::NotFound)?;
        let entry =
            Entry { action: Action::RuntimeTokenRevoked, subject_id: id.as_str(), subject: &name, details: json!({}) };
        audit::record(&mut change, workspace, entry).await?;
        change.commit().await
    }

    /// Tokens of a workspace.
    pub async fn list(&self, workspace: &WorkspaceId) -> Result<Vec<RuntimeToken>, Error> {
        store::list(&self.db, workspace).await
    }

    /// Decides on a call with this token to an agent in a workspace, both given by id or slug.
    pub async fn admit(&self, token: &Token, account_id: &str, project_id: &str) -> Result<RuntimeScope, NotAdmitted> {
        let db = self.db.of(Work::Api).in_turn().await?;
        let own = store::workspace_of(&db, &token.hash()).await?.ok_or(NotAdmitted::UnknownToken)?;
        let named = workspaces::service::find(&db, account_id).await?.filter(|workspace| workspace.id == own);
        let workspace = named.ok_or(NotAdmitted::OtherWorkspace)?;
        let agent = agents::service::find(&db, &workspace.id, project_id).await?.ok_or(NotAdmitted::NoSuchAgent)?;
        Ok(RuntimeScope { workspace: workspace.id, agent: agent.id })
    }
}

/// Where a call of the runtime side may write and read.
#[derive(Clone, Debug)]
pub struct RuntimeScope {
    pub workspace: WorkspaceId,
    pub agent: AgentId,
}

/// Why a call of the runtime side was not let in.
#[derive(Debug)]
pub enum NotAdmitted {
    UnknownToken,
    OtherWorkspace,
    NoSuchAgent,
    Failed(Error),
}

impl From<Error> for NotAdmitted {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}
