//! Making new ids.

use crate::base::id::{AgentId, ApiKeyId, InvitationId, RuntimeTokenId, UserId, WorkspaceId};
use crate::base::randomness::Random;

const LOWER: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const UPPER: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

impl WorkspaceId {
    /// A new id, eight hexadecimal digits after its prefix.
    pub fn generate(random: &Random) -> Self {
        Self(format!("ws-{}", random.text(&LOWER[..16], 8)))
    }
}

impl AgentId {
    /// A new id, eight digits and capitals after its prefix.
    pub fn generate(random: &Random) -> Self {
        Self(format!("PROJECT-{}", random.text(UPPER, 8)))
    }
}

impl ApiKeyId {
    /// A new id.
    pub fn generate(random: &Random) -> Self {
        Self(format!("key-{}", random.text(LOWER, 16)))
    }
}

impl UserId {
    /// A new id.
    pub fn generate(random: &Random) -> Self {
        Self(format!("user-{}", random.text(LOWER, 16)))
    }
}

impl InvitationId {
    /// A new id.
    pub fn generate(random: &Random) -> Self {
        Self(format!("inv-{}", random.text(LOWER, 16)))
    }
}

impl RuntimeTokenId {
    /// A new id.
    pub fn generate(random: &Random) -> Self {
        Self(format!("rtok-{}", random.text(LOWER, 16)))
    }
}
