//! Types and rules for API keys.

use crate::agents::AgentName;
use crate::base::error::Problem;
use crate::base::id::{AgentId, ApiKeyId};
use crate::base::text::query_value;
use crate::base::time::{Timestamp, end_of_day};
use serde::{Deserialize, Serialize};

/// A key's name: 1 to 100 characters, without line breaks and spaces around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::Type), sqlx(transparent))]
#[serde(transparent)]
pub struct KeyName(String);

impl KeyName {
    /// Most characters of a name.
    pub const MAX_CHARS: usize = 100;

    /// Takes a name as it was typed.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        crate::base::text::single_line(text, Self::MAX_CHARS).map(Self)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// The Conversations API.
    Conversations,
    /// The Handoff API.
    Handoff,
    /// The External Events API.
    ExternalEvents,
    /// Making and deleting agents with the Agents API; for keys on all agents only.
    Agents,
}

impl Permission {
    /// Every permission, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Conversations, Self::Handoff, Self::ExternalEvents, Self::Agents];

    /// As it is stored and written on the command line.
    pub fn id(self) -> &'static str {
        match self {
            Self::Conversations => "conversations",
            Self::Handoff => "handoff",
            Self::ExternalEvents => "external-events",
            Self::Agents => "agents",
        }
    }

    /// As people see it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Conversations => "Conversations data",
            Self::Handoff => "Handoff",
            Self::ExternalEvents => "External events",
            Self::Agents => "Agents",
        }
    }

    /// What it grants, as one sentence.
    pub fn grants(self) -> &'static str {
        match self {
            Self::Conversations => {
                "Read conversations, with the metrics and transcripts that Configuration lets through."
            }
            Self::Handoff => "Read the handoff state that an agent stored when it passed a call on.",
            Self::ExternalEvents => "Send events, such as a payment result, into an active conversation.",
            Self::Agents => "Agents API: create and manage agents. For keys on all agents only.",
        }
    }

    /// Whether only a key on all agents may have it.
    pub fn needs_all_agents(self) -> bool {
        self == Self::Agents
    }

    /// The one with this id.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.id() == id)
    }
}

/// At least one permission, each once, in the order of [`Permission::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Permissions(Vec<Permission>);

impl Permissions {
    /// Takes permissions by their ids.
    pub fn parse<'a>(ids: impl IntoIterator<Item = &'a str>) -> Result<Self, Problem> {
        let mut chosen =
            ids.into_iter().map(Permission::parse).collect::<Option<Vec<_>>>().ok_or(Problem::PermissionsMissing)?;
        chosen.sort_unstable();
        chosen.dedup();
        if chosen.is_empty() { Err(Problem::PermissionsMissing) } else { Ok(Self(chosen)) }
    }

    /// Whether this one is among them.
    pub fn contain(&self, permission: Permission) -> bool {
        self.0.contains(&permission)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Permission> + '_ {
        self.0.iter().copied()
    }

    /// As they are stored: ids with commas between.
    pub fn ids(&self) -> String {
        self.0.iter().map(|p| p.id()).collect::<Vec<_>>().join(",")
    }
}

/// The agents that a key covers, fixed for good when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentScope {
    /// Every agent of the workspace, those made later too.
    All,
    /// These.
    Chosen(Vec<AgentId>),
}

/// A key as admins and viewers see it; its value is not in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub name: KeyName,
    /// `ask_gUGd************14cg`.
    pub masked: String,
    /// Whether its value was kept, sealed.
    pub copyable: bool,
    /// `None` for all agents.
    pub agents: Option<Vec<AgentName>>,
    pub permissions: Permissions,
    pub created_at: Timestamp,
    pub created_by: String,
    pub expires_at: Timestamp,
    /// `None` where it never was.
    pub last_used_at: Option<Timestamp>,
}

/// Where a key stands on its way to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Active,
    /// Within 7 days.
    ExpiresSoon,
    Expired,
}

impl Status {
    /// The status at this moment: a key is expired from the very second of its expiry.
    pub fn of(expires_at: Timestamp, now: Timestamp) -> Self {
        if now >= expires_at {
            Self::Expired
        } else if now.plus_days(7) >= expires_at {
            Self::ExpiresSoon
        } else {
            Self::Active
        }
    }
}

/// When a new key shall expire, as chosen in the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// So many days after its creation.
    InDays(i64),
    /// With the last second, in UTC, of a date such as `2027-02-24`.
    OnDate(String),
}

impl Expiry {
    /// The choices of the form: value, words, days.
    pub const CHOICES: [(&'static str, &'static str, i64); 4] =
        [("7d", "7 days", 7), ("30d", "30 days", 30), ("90d", "90 days", 90), ("1y", "1 year", 365)];
    /// The choice that a fresh form shows.
    pub const DEFAULT: &'static str = "90d";
    /// Furthest expiry, in days: a hundred years.
    pub const MAX_DAYS: i64 = 36_525;

    /// Takes a choice, and the date that goes with the choice `date`.
    pub fn parse(choice: &str, date: &str) -> Result<Self, Problem> {
        if choice == "date" {
            return Ok(Self::OnDate(date.trim().to_owned()));
        }
        let known = Self::CHOICES.iter().find(|(value, ..)| *value == choice);
        known.map(|(_, _, days)| Self::InDays(*days)).ok_or(Problem::ExpiryUnreadable)
    }

    /// The instant it means for a key made now.
    pub fn from(&self, now: Timestamp) -> Result<Timestamp, Problem> {
        let at = match self {
            Self::InDays(days) => now.plus_days(*days),
            Self::OnDate(date) => end_of_day(date).ok_or(Problem::ExpiryUnreadable)?,
        };
        within_limits(at, now)
    }
}

/// Passes an expiry on where a key made now may have it.
pub fn within_limits(expires_at: Timestamp, now: Timestamp) -> Result<Timestamp, Problem> {
    if expires_at <= now {
        Err(Problem::ExpiryPast)
    } else if expires_at > now.plus_days(Expiry::MAX_DAYS) {
        Err(Problem::ExpiryTooFar)
    } else {
        Ok(expires_at)
    }
}

/// An order of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyOrder {
    #[default]
    Newest,
    Oldest,
    Name,
    /// Soonest first; those that have expired come before.
    Expiry,
    /// Used lately first; those that never were come last.
    LastUsed,
}

impl KeyOrder {
    /// Each, with its name in the address and for people.
    pub const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::Newest, "newest", "Newest"),
        (Self::Oldest, "oldest", "Oldest"),
        (Self::Name, "name", "Name"),
        (Self::Expiry, "expiry", "Expires soonest"),
        (Self::LastUsed, "last-used", "Last used"),
    ];

    /// The one with this name; else the default.
    pub fn parse(id: &str) -> Self {
        Self::ALL.iter().find(|(_, known, _)| *known == id).map_or_else(Self::default, |(sort, ..)| *sort)
    }

    /// Its name in the address.
    pub fn id(self) -> &'static str {
        Self::ALL.iter().find(|(sort, ..)| *sort == self).map_or("", |(_, id, _)| id)
    }
}

/// What part of the list is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyListQuery {
    /// What the names contain.
    pub search: String,
    pub sort: KeyOrder,
    /// The place that the page comes after, or before.
    pub after: Option<String>,
    pub before: Option<String>,
}

impl KeyListQuery {
    /// Most characters that are searched for.
    pub const MAX_SEARCH: usize = KeyName::MAX_CHARS;

    /// Reads the parameters of an address.
    pub fn from_address(get: impl Fn(&str) -> Option<String>) -> Self {
        let search: String = get("q").unwrap_or_default().trim().chars().take(Self::MAX_SEARCH).collect();
        let place = |name| get(name).filter(|place| !place.is_empty());
        Self {
            search: search.replace('\0', ""),
            sort: KeyOrder::parse(&get("sort").unwrap_or_default()),
            after: place("after"),
            before: place("before"),
        }
    }

    /// The query string of this part of the list; empty for its beginning.
    pub fn to_address(&self) -> String {
        let mut parts = Vec::new();
        if !self.search.is_empty() {
            parts.push(format!("q={}", query_value(&self.search)));
        }
        if self.sort != KeyOrder::default() {
            parts.push(format!("sort={}", self.sort.id()));
        }
        for (name, place) in [("after", &self.after), ("before", &self.before)] {
            if let Some(place) = place {
                parts.push(format!("{name}={}", query_value(place)));
            }
        }
        if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) }
    }
}

/// One page of the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyPage {
    /// The present, which statuses are told by.
    pub now: Timestamp,
    pub keys: Vec<ApiKey>,
    /// Where the pages before and after it are, if there are.
    pub previous: Option<String>,
    pub next: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(KeyName::parse("  CRM \u{1F511} مفتاح ").unwrap().as_str(), "CRM \u{1F511} مفتاح");
        assert_eq!(KeyName::parse("<b>x</b>").unwrap().as_str(), "<b>x</b>");
        assert!(KeyName::parse(&"é".repeat(100)).is_ok());
        assert_eq!(KeyName::parse(&"é".repeat(101)), Err(Problem::NameTooLong));
        assert_eq!(KeyName::parse(&"x".repeat(10_000)), Err(Problem::NameTooLong));
        for blank in ["", "   ", "\u{a0}\t", "\n"] {
            assert_eq!(KeyName::parse(blank), Err(Problem::NameMissing));
        }
        assert_eq!(KeyName::parse("two\nlines\0").unwrap().as_str(), "two lines");
    }

    #[test]
    fn permissions_are_a_set_of_known_ones() {
        let both = Permissions::parse(["handoff", "conversations", "handoff"]).unwrap();
        assert_eq!(both.ids(), "conversations,handoff");
        assert!(both.contain(Permission::Handoff) && !both.contain(Permission::ExternalEvents));
        assert_eq!(Permissions::parse([]), Err(Problem::PermissionsMissing));
        assert_eq!(Permissions::parse(["admin"]), Err(Problem::PermissionsMissing));
    }

    #[test]
    fn expired_from_the_very_second() {
        let end = Timestamp::from_seconds(1_000_000);
        for (seconds_before, status) in [
            (7 * 86_400 + 1, Status::Active),
            (7 * 86_400, Status::ExpiresSoon),
            (1, Status::ExpiresSoon),
            (0, Status::Expired),
            (-1, Status::Expired),
        ] {
            assert_eq!(Status::of(end, end.plus_seconds(-seconds_before)), status, "{seconds_before}");
        }
        assert_eq!(Status::of(end, Timestamp(end.0 - 1)), Status::ExpiresSoon);
    }

    #[test]
    fn expiry_choices() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let from = |choice: &str, date: &str| Expiry::parse(choice, date).and_then(|e| e.from(now));
        assert_eq!(from("90d", ""), Ok(now.plus_days(90)));
        assert_eq!(from("date", &now.date()).map(|t| t > now), Ok(true), "today is still possible");
        assert_eq!(from("date", "2020-01-01"), Err(Problem::ExpiryPast));
        assert_eq!(from("date", "2126-01-01").map(Timestamp::date), Ok("2126-01-01".to_owned()));
        assert_eq!(from("date", "2300-01-01"), Err(Problem::ExpiryTooFar));
        assert_eq!(from("date", "soon"), Err(Problem::ExpiryUnreadable));
        assert_eq!(from("never", ""), Err(Problem::ExpiryUnreadable));
    }
}
