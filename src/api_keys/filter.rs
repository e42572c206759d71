//! Which keys a list has.

use crate::api_keys::model::{ApiKey, Permission, Status};
use crate::base::id::AgentId;
use crate::base::text::query_value;
use crate::base::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What a key can be, beside valid or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyState {
    Active,
    /// Expires within 7 days.
    Expiring,
    Expired,
    Paused,
    /// Has two values.
    Rotating,
    /// Can be restored.
    Deleted,
}

impl KeyState {
    /// Each state with its value in addresses and its label.
    pub const ALL: [(Self, &'static str, &'static str); 6] = [
        (Self::Active, "active", "Active"),
        (Self::Expiring, "expiring", "Expires within 7 days"),
        (Self::Expired, "expired", "Expired"),
        (Self::Paused, "paused", "Paused"),
        (Self::Rotating, "rotating", "Rotating"),
        (Self::Deleted, "deleted", "Deleted"),
    ];

    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == id).map(|(state, ..)| *state)
    }

    /// The value in addresses.
    pub fn id(self) -> &'static str {
        Self::ALL.iter().find(|(state, ..)| *state == self).map_or("", |(_, id, _)| id)
    }

    /// The name that pages show.
    pub fn label(self) -> &'static str {
        Self::ALL.iter().find(|(state, ..)| *state == self).map_or("", |(.., label)| label)
    }

    /// Whether a key that is not deleted is in this state.
    pub fn fits(self, key: &ApiKey, now: Timestamp) -> bool {
        let status = Status::of(key.expires_at, now);
        match self {
            Self::Active => status != Status::Expired && key.pause.is_none(),
            Self::Expiring => status == Status::ExpiresSoon,
            Self::Expired => status == Status::Expired,
            Self::Paused => key.pause.is_some(),
            Self::Rotating => key.open_old_value(now).is_some(),
            Self::Deleted => false,
        }
    }
}

/// How long keys were not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Disuse {
    Never,
    /// Not used for this many days, or never and that old.
    Days(i32),
}

impl Disuse {
    const MAX_DAYS: i32 = 36_525;

    /// Reads `never` or a number of days.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "never" => Some(Self::Never),
            days => days.parse().ok().filter(|days| (1..=Self::MAX_DAYS).contains(days)).map(Self::Days),
        }
    }

    /// The value in addresses.
    pub fn id(self) -> String {
        match self {
            Self::Never => "never".to_owned(),
            Self::Days(days) => days.to_string(),
        }
    }
}

/// In place of a text: keys that have none.
pub const NONE: &str = "none";

/// Which keys a list has. What is empty does not filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFilter {
    pub state: Option<KeyState>,
    /// Keys that cover this agent, those on all agents too.
    pub agent: Option<AgentId>,
    pub permission: Option<Permission>,
    /// This owner, or [`NONE`].
    pub owner: String,
    /// A tag, or [`NONE`].
    pub tag: String,
    pub disuse: Option<Disuse>,
    /// Text that a network contains, or [`NONE`].
    pub network: String,
    pub created_by: String,
}

impl KeyFilter {
    /// The names of the parameters in addresses.
    pub const PARAMETERS: [&'static str; 8] =
        ["status", "agent", "permission", "owner", "tag", "idle", "network", "created_by"];
    /// Longest text, in characters; more are cut off.
    pub const MAX_TEXT: usize = 320;

    /// Reads the parameters of a query string. Unknown values do not filter.
    pub fn from_address(get: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name| {
            let text: String = get(name).unwrap_or_default().trim().chars().take(Self::MAX_TEXT).collect();
            text.replace('\0', "")
        };
        Self {
            state: KeyState::parse(&text("status")),
            agent: AgentId::parse(&text("agent")),
            permission: Permission::parse(&text("permission")),
            owner: text("owner"),
            tag: text("tag"),
            disuse: Disuse::parse(&text("idle")),
            network: text("network"),
            created_by: text("created_by"),
        }
    }

    /// The values of [`PARAMETERS`](Self::PARAMETERS); empty where it does not filter.
    pub fn values(&self) -> [String; 8] {
        [
            self.state.map(KeyState::id).unwrap_or_default().to_owned(),
            self.agent.as_ref().map(AgentId::to_string).unwrap_or_default(),
            self.permission.map(Permission::id).unwrap_or_default().to_owned(),
            self.owner.clone(),
            self.tag.clone(),
            self.disuse.map(Disuse::id).unwrap_or_default(),
            self.network.clone(),
            self.created_by.clone(),
        ]
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The parts of a query string.
    pub fn to_parts(&self) -> impl Iterator<Item = String> {
        let values = Self::PARAMETERS.into_iter().zip(self.values());
        values.filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name}={}", query_value(&value)))
    }
}

/// Numbers of keys by what they can be filtered by, the most frequent first.
#[cfg(feature = "ssr")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacets {
    pub states: [(KeyState, i64); 5],
    /// Keys that were never used.
    pub unused: i64,
    /// An empty text stands for keys without one, here and below.
    pub owners: Vec<(String, i64)>,
    pub tags: Vec<(String, i64)>,
    pub creators: Vec<(String, i64)>,
    /// Ids of permissions.
    pub permissions: Vec<(String, i64)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_whole_filter() {
        let filter = KeyFilter {
            state: Some(KeyState::Paused),
            agent: AgentId::parse("PROJECT-1"),
            permission: Some(Permission::ExternalEvents),
            owner: "Ada & Bob".to_owned(),
            tag: NONE.to_owned(),
            disuse: Some(Disuse::Days(90)),
            network: "10.0".to_owned(),
            created_by: "ada@example.com".to_owned(),
        };
        let address = filter.to_parts().collect::<Vec<_>>().join("&");
        let read = KeyFilter::from_address(|name| {
            form_urlencoded::parse(address.as_bytes()).find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
        });
        assert_eq!(read, filter);
        assert!(KeyFilter::from_address(|_| Some("\0".to_owned())).is_empty());
    }
}
