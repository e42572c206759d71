//! Extractor for the authenticated caller of an API. Records each decision in the `ObservedCall`, for the request
//! log.

use crate::api_keys::Permission;
use crate::configuration::CallerNumbers;
use crate::gate::decision::{RefusalReason, is_open};
use crate::gate::header::explain;
use crate::gate::indexed::{Holder, IndexedAgent, IndexedKey};
use crate::gate::state::Gate;
use crate::gate::{AccessRequest, AuthorisedCall, Denial};
use crate::http::envelope::ApiError;
use crate::usage::record::ObservedCall;
use crate::workspaces::Workspace;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use std::sync::Arc;

/// A caller with a valid key. A handler with this argument runs only for valid keys.
#[derive(Debug)]
pub struct Caller {
    gate: Arc<Gate>,
    holder: Holder,
    call: Arc<ObservedCall>,
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Arc<Gate>: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let gate = Arc::<Gate>::from_ref(state);
        let call = ObservedCall::current()?;
        let identified = gate.identify(&parts.headers, call.began()).await;
        let holder = identified.map_err(|denied| deny_stranger(&call, denied, &parts.headers, &parts.uri))?;
        call.made_with(&holder.key);
        let open = is_open(holder.key.expires_at, holder.key.is_paused, call.at());
        open.map_err(|refusal| deny(&call, refusal.into()))?;
        if !holder.key.opens_from(call.client_address()) {
            return Err(deny(&call, RefusalReason::OtherNetwork.into()));
        }
        Ok(Self { gate, holder, call })
    }
}

impl Caller {
    pub fn key(&self) -> &IndexedKey {
        &self.holder.key
    }

    /// Authorises a call to an agent's data in a workspace, both named by id or slug.
    pub async fn admit(
        &self,
        permission: Permission,
        account_id: &str,
        project_id: &str,
    ) -> Result<AuthorisedCall, ApiError> {
        let need =
            AccessRequest { account_id: Some(account_id), permission: Some(permission), project_id: Some(project_id) };
        self.pass(need).await
    }

    /// Authorises a call that names only an agent, in the key's own workspace.
    pub async fn admit_to_agent(
        &self,
        permission: impl Into<Option<Permission>>,
        agent_id: &str,
    ) -> Result<AuthorisedCall, ApiError> {
        let need = AccessRequest { account_id: None, permission: permission.into(), project_id: Some(agent_id) };
        self.pass(need).await
    }

    /// Authorises a call that concerns the workspace as a whole.
    pub async fn admit_to_workspace(
        &self,
        permission: Option<Permission>,
        account_id: &str,
    ) -> Result<Arc<Workspace>, ApiError> {
        let need = AccessRequest { account_id: Some(account_id), permission, project_id: None };
        Ok(self.decide(need).await?.0)
    }

    /// Authorises a call that any valid key may make, and returns the key's workspace.
    pub async fn own_workspace(&self) -> Result<Arc<Workspace>, ApiError> {
        Ok(self.decide(AccessRequest { account_id: None, permission: None, project_id: None }).await?.0)
    }

    /// Refuses what transcripts say (searches in them, recordings) if Configuration does not allow them for this agent.
    pub fn may_read_transcripts(&self, pass: &AuthorisedCall) -> Result<(), ApiError> {
        match pass.configuration.transcript {
            true => Ok(()),
            false => Err(deny(&self.call, RefusalReason::TranscriptOff.into())),
        }
    }

    /// Refuses to filter by a caller's number unless Configuration shows it.
    pub fn may_filter_by_caller(&self, pass: &AuthorisedCall) -> Result<(), ApiError> {
        match pass.configuration.caller_numbers {
            CallerNumbers::Shown => Ok(()),
            CallerNumbers::LastFour | CallerNumbers::Hidden => {
                Err(deny(&self.call, RefusalReason::CallerNumbersHidden.into()))
            }
        }
    }

    async fn pass(&self, need: AccessRequest<'_>) -> Result<AuthorisedCall, ApiError> {
        let (workspace, agent) = self.decide(need).await?;
        let IndexedAgent { agent, configuration } = agent.ok_or_else(ApiError::internal)?;
        Ok(AuthorisedCall { workspace, agent, configuration })
    }

    async fn decide(&self, need: AccessRequest<'_>) -> Result<(Arc<Workspace>, Option<IndexedAgent>), ApiError> {
        let (at, address) = (self.call.at(), self.call.client_address());
        need.permission.into_iter().for_each(|permission| self.call.needs(permission));
        let decided = self.holder.decide(&self.gate, need, at, address, |agent| self.call.names(agent)).await;
        let found = decided.map_err(|denied| deny(&self.call, denied))?;
        self.call.admit().map_err(|refusal| deny(&self.call, refusal.into()))?;
        self.gate.metrics().decided(self.call.began());
        Ok(found)
    }
}

/// Records that a call was denied, and returns the error.
pub fn deny(call: &ObservedCall, denied: Denial) -> ApiError {
    call.denied(denied);
    denied.into()
}

/// Like [`deny`], for a call without a valid key. The message says what is wrong with the header.
pub fn deny_stranger(call: &ObservedCall, denied: Denial, headers: &HeaderMap, uri: &Uri) -> ApiError {
    let mut error = deny(call, denied);
    if matches!(denied, Denial::Refused(RefusalReason::NoKey | RefusalReason::Malformed)) {
        explain(headers, uri).clone_into(&mut error.message);
    }
    error
}
