//! Making new ids.

use crate::base::id::{
    AgentId, ApiKeyId, AttributeId, DeploymentId, InvitationId, RuntimeTokenId, UserId, VariantId, WorkspaceId,
};
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
    /// Reads the id that a form brings for the agent that it creates; `None` if this server made no such id.
    pub fn parse_generated(text: &str) -> Option<Self> {
        Self::parse(text).filter(|id| id.as_str().starts_with("PROJECT-") && id.as_str().len() == 16)
    }

    /// A new id: the prefix and eight digits or capital letters.
    pub fn generate(random: &Random) -> Self {
        Self(format!("PROJECT-{}", random.text(UPPER, 8)))
    }
}

impl ApiKeyId {
    /// Reads the id that a form brings for the key that it creates; `None` if this server made no such id.
    pub fn parse_generated(text: &str) -> Option<Self> {
        Self::parse(text).filter(|id| id.as_str().starts_with("key-") && id.as_str().len() == 20)
    }

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

impl VariantId {
    pub fn generate(random: &Random) -> Self {
        Self(format!("variant-{}", random.text(LOWER, 16)))
    }
}

impl AttributeId {
    pub fn generate(random: &Random) -> Self {
        Self(format!("attr-{}", random.text(LOWER, 16)))
    }
}

impl DeploymentId {
    pub fn generate(random: &Random) -> Self {
        Self(format!("dep-{}", random.text(LOWER, 16)))
    }
}
