//! What may be unsafe about keys.

use crate::api_keys::KeyName;
use crate::base::id::ApiKeyId;
use crate::base::time::Timestamp;

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
}

impl Concern {
    /// Every concern, in the order in which they are shown.
    pub const ALL: [Self; 8] = [
        Self::OftenRefused,
        Self::OwnerGone,
        Self::NeverUsed,
        Self::Idle,
        Self::ExpiresSoon,
        Self::OldValue,
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
    /// Number of keys that the concern is about.
    #[sqlx(rename = "total")]
    total: i64,
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
