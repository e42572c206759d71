//! Making new ids.

use crate::base::id::{AgentId, ApiKeyId, InvitationId, RuntimeTokenId, UserId, WorkspaceId};
use crate::base::randomness::Random;

const LOWER: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const UPPER: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

impl WorkspaceId {
    /// A new id: the prefix and eight hexadecimal digits.
    pub fn generate(random: &Random) -> Self {
        Self(format!("ws-{}", random.text(&LOWER[..16], 8)))
    }
}

impl AgentId {
    /// A new id: the prefix and eight digits or capital letters.
    pub fn generate(random: &Random) -> Self {
        Self(format!("PROJECT-{}", random.text(UPPER, 8)))
    }
}

impl ApiKeyId {
    pub fn generate(random: &Random) -> Self {
        Self(format!("key-{}", random.text(LOWER, 16)))
    }
}

impl UserId {
    pub fn generate(random: &Random) -> Self {
        Self(format!("user-{}", random.text(LOWER, 16)))
    }
}

impl InvitationId {
    pub fn generate(random: &Random) -> Self {
        Self(format!("inv-{}", random.text(LOWER, 16)))
    }
}

impl RuntimeTokenId {
    pub fn generate(random: &Random) -> Self {
        Self(format!("rtok-{}", random.text(LOWER, 16)))
    }
}
