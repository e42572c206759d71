//! What a workspace demands of its keys.

#[cfg(feature = "ssr")]
use crate::base::error::Problem;
use serde::{Deserialize, Serialize};
#[cfg(feature = "ssr")]
use sha2::{Digest as _, Sha256};

/// What a workspace demands of its keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::FromRow))]
pub struct KeyPolicy {
    /// Lifetime that the form for a new key proposes; `None` for that of this program.
    pub default_lifetime_days: Option<i32>,
    /// Longest lifetime of a key's value; `None` for no limit.
    pub max_lifetime_days: Option<i32>,
    /// Whether the longest lifetime also binds keys that were made before. Such a key expires at the earlier of its own
    /// expiry and the end of the longest lifetime.
    pub binds_existing: bool,
    /// Whether new keys may cover all agents.
    pub all_agents_allowed: bool,
    pub owner_required: bool,
    pub networks_required: bool,
    /// Whether members who are no admins may ask for keys.
    pub members_may_request: bool,
}

impl Default for KeyPolicy {
    /// The policy of a new workspace.
    fn default() -> Self {
        Self {
            default_lifetime_days: None,
            max_lifetime_days: None,
            binds_existing: false,
            all_agents_allowed: true,
            owner_required: false,
            networks_required: false,
            members_may_request: false,
        }
    }
}

#[cfg(feature = "ssr")]
impl KeyPolicy {
    /// The longest lifetime that can be set, in days: a hundred years.
    pub const MAX_DAYS: i32 = 36_525;

    /// The longest lifetime, if it also binds keys that were made before.
    pub fn bound(&self) -> Option<i32> {
        self.max_lifetime_days.filter(|_| self.binds_existing)
    }

    /// A short text that is different for another policy.
    pub fn version(&self) -> String {
        hex::encode(&Sha256::digest(format!("{self:?}"))[..8])
    }

    /// Reads a lifetime that was typed, in days. Empty text means none.
    pub fn parse_days(text: &str, problem: Problem) -> Result<Option<i32>, Problem> {
        match text.trim() {
            "" => Ok(None),
            text => text.parse().ok().filter(|days| (1..=Self::MAX_DAYS).contains(days)).map(Some).ok_or(problem),
        }
    }

    /// Checks that the rules agree with each other.
    pub fn checked(self) -> Result<Self, Problem> {
        let longest = self.max_lifetime_days.unwrap_or(Self::MAX_DAYS);
        if self.default_lifetime_days.is_some_and(|days| !(1..=longest).contains(&days)) {
            return Err(Problem::DefaultLifetimeInvalid);
        }
        if !(1..=Self::MAX_DAYS).contains(&longest) {
            return Err(Problem::MaxLifetimeInvalid);
        }
        if self.binds_existing && self.max_lifetime_days.is_none() {
            return Err(Problem::MaxLifetimeMissing);
        }
        Ok(self)
    }
}
