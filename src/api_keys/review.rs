//! What may be unsafe about keys.

use crate::api_keys::{KeyName, Permission};
use crate::base::id::ApiKeyId;
use crate::base::time::Timestamp;

/// A permission that was not used for this many days counts as not needed.
pub const UNUSED_DAYS: i64 = 30;

/// What may be unsafe about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concern {
    NeverUsed,
    Idle,
    ExpiresSoon,
    OldValue,
    OftenRefused,
    OwnerGone,
    NoOwner,
    NoNetwork,
    /// Covers all agents, and called only one.
    OneAgent,
    UnusedPermissions,
    /// Expires later than the policy allows new keys to.
    BeyondPolicy,
}

impl Concern {
    /// Every concern, in the order in which they are shown.
    pub const ALL: [Self; 11] = [
        Self::OftenRefused,
        Self::OwnerGone,
        Self::NeverUsed,
        Self::Idle,
        Self::ExpiresSoon,
        Self::OldValue,
        Self::BeyondPolicy,
        Self::UnusedPermissions,
        Self::OneAgent,
        Self::NoOwner,
        Self::NoNetwork,
    ];

    /// The name in addresses.
    pub fn id(self) -> &'static str {
        match self {
            Self::NeverUsed => "never-used",
            Self::Idle => "idle",
            Self::ExpiresSoon => "expires-soon",
            Self::OldValue => "old-value",
            Self::OftenRefused => "often-refused",
            Self::OwnerGone => "owner-gone",
            Self::NoOwner => "no-owner",
            Self::NoNetwork => "no-network",
            Self::OneAgent => "one-agent",
            Self::UnusedPermissions => "unused-permissions",
            Self::BeyondPolicy => "beyond-policy",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::NeverUsed => "Never used",
            Self::Idle => "Not used for 90 days",
            Self::ExpiresSoon => "Expires within 30 days",
            Self::OldValue => "Value older than a year",
            Self::OftenRefused => "Refused often",
            Self::OwnerGone => "Owner is no longer a member",
            Self::NoOwner => "No owner",
            Self::NoNetwork => "Can be used from everywhere",
            Self::OneAgent => "All agents, but calls only one",
            Self::UnusedPermissions => "Permissions that are not used",
            Self::BeyondPolicy => "Valid for longer than the policy allows",
        }
    }

    /// Why it matters, and what to do.
    pub fn why(self) -> &'static str {
        match self {
            Self::NeverUsed => "Made more than a day ago. If it leaks, nobody notices. Delete it if nobody needs it.",
            Self::Idle => "Nobody seems to need it, but whoever has it can use it. Pause it first if you are not sure.",
            Self::ExpiresSoon => "Its calls are refused from then on. Rotate it, so that there is no outage.",
            Self::OldValue => "The longer a value is in use, the more places it is in. Rotate it.",
            Self::OftenRefused => {
                "More than 100 calls in 7 days, most of them refused: a wrong setting, or someone who tries. Its page says why."
            }
            Self::OwnerGone => {
                "Its owner has the e-mail address of nobody in this workspace. Name another owner, or delete it."
            }
            Self::NoOwner => "Nobody can be asked whether it is still needed. Name an owner.",
            Self::OneAgent => {
                "Whoever has it could call every agent. Create a key for that agent alone, replace this one by it, and delete this one."
            }
            Self::UnusedPermissions => {
                "Not used for 30 days. What nobody needs only helps whoever finds the key. Take it away."
            }
            Self::BeyondPolicy => {
                "It was made before the policy. Rotate it, or let the policy bind keys that exist too."
            }
            Self::NoNetwork => "A leaked value works from everywhere. Limit it to the networks of its callers.",
        }
    }
}

/// A key that a concern is about.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ReviewedKey {
    pub id: ApiKeyId,
    pub name: KeyName,
    pub owner: String,
    pub expires_at: Timestamp,
    /// 0 if it was never used.
    pub last_used_at: Timestamp,
    permissions: String,
    conversations_used_at: Timestamp,
    handoff_used_at: Timestamp,
    external_events_used_at: Timestamp,
    agents_used_at: Timestamp,
    /// Id of the only agent that it called; empty if it called none, `*` if several.
    pub agent_called: String,
    /// Number of keys that the concern is about.
    #[sqlx(rename = "total")]
    total: i64,
}

impl ReviewedKey {
    /// Its permissions that were not used since this instant, and when they were last used; 0 for never.
    pub fn unused_permissions(&self, since: Timestamp) -> Vec<(Permission, Timestamp)> {
        let used =
            [self.conversations_used_at, self.handoff_used_at, self.external_events_used_at, self.agents_used_at];
        let has = |permission: Permission| self.permissions.split(',').any(|id| id == permission.id());
        let all = Permission::ALL.into_iter().zip(used);
        all.filter(|(permission, at)| has(*permission) && *at <= since).collect()
    }
}

/// The keys that a concern is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    pub concern: Concern,
    /// Their number.
    pub total: u64,
    /// The first of them, by name.
    pub keys: Vec<ReviewedKey>,
}

impl Review {
    pub fn new(concern: Concern, keys: Vec<ReviewedKey>) -> Self {
        let total = keys.first().map_or(0, |key| key.total.max(0) as u64);
        Self { concern, total, keys }
    }
}
