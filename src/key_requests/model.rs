//! Types for requests for keys.

use crate::api_keys::{AgentScope, KeyName, Permissions};
use crate::base::id::ApiKeyId;
use crate::base::time::Timestamp;

/// What a member asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKeyRequest {
    pub name: KeyName,
    pub scope: AgentScope,
    pub permissions: Permissions,
    pub expires_at: Timestamp,
    /// The networks from which it is to be used, in CIDR notation.
    pub networks: Vec<String>,
    /// What the key is for.
    pub reason: String,
}

/// A request that waits for an admin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRequest {
    /// The id of the key that it becomes.
    pub id: ApiKeyId,
    pub at: Timestamp,
    /// E-mail address of who asked.
    pub by: String,
    pub asked: NewKeyRequest,
}
