//! Types and validation rules for API keys.

use crate::agents::AgentName;
use crate::api_keys::settings::KeySettings;
use crate::base::error::Problem;
use crate::base::id::{AgentId, ApiKeyId};
use crate::base::time::{Timestamp, end_of_day};
use serde::{Deserialize, Serialize};

/// A key's name: one line of 1 to 100 characters, trimmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::Type), sqlx(transparent))]
#[serde(transparent)]
pub struct KeyName(String);

impl KeyName {
    /// Longest name, in characters.
    pub const MAX_CHARS: usize = 100;

    /// Normalises and checks a name that a person typed.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        crate::base::text::single_line(text, Self::MAX_CHARS).map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a key grants access to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// The Conversations API.
    Conversations,
    /// The Handoff API.
    Handoff,
    /// The External Events API.
    ExternalEvents,
    /// The Agents API, which manages agents. Only a key on all agents may have it.
    Agents,
}

impl Permission {
    /// Every permission, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Conversations, Self::Handoff, Self::ExternalEvents, Self::Agents];

    /// The name in the database, in forms and on the command line.
    pub fn id(self) -> &'static str {
        match self {
            Self::Conversations => "conversations",
            Self::Handoff => "handoff",
            Self::ExternalEvents => "external-events",
            Self::Agents => "agents",
        }
    }

    /// The name that pages show.
    pub fn label(self) -> &'static str {
        match self {
            Self::Conversations => "Conversations data",
            Self::Handoff => "Handoff",
            Self::ExternalEvents => "External events",
            Self::Agents => "Agents",
        }
    }

    /// One sentence for people that says what the permission grants.
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

    /// Whether only a key on all agents may have this permission.
    pub fn needs_all_agents(self) -> bool {
        self == Self::Agents
    }

    /// The permission with this id.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.id() == id)
    }
}

/// A non-empty set of permissions, in the order of [`Permission::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Permissions(Vec<Permission>);

impl Permissions {
    /// Reads permissions from their ids. An unknown id is an error.
    pub fn parse<'a>(ids: impl IntoIterator<Item = &'a str>) -> Result<Self, Problem> {
        let mut chosen =
            ids.into_iter().map(Permission::parse).collect::<Option<Vec<_>>>().ok_or(Problem::PermissionsMissing)?;
        chosen.sort_unstable();
        chosen.dedup();
        if chosen.is_empty() { Err(Problem::PermissionsMissing) } else { Ok(Self(chosen)) }
    }

    pub fn contain(&self, permission: Permission) -> bool {
        self.0.contains(&permission)
    }

    pub fn iter(&self) -> impl Iterator<Item = Permission> + '_ {
        self.0.iter().copied()
    }

    /// The ids separated by commas, as the database stores them.
    pub fn ids(&self) -> String {
        self.0.iter().map(|p| p.id()).collect::<Vec<_>>().join(",")
    }
}

/// The agents that a key covers. Set when the key is created and never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentScope {
    /// Every agent of the workspace, including those created later.
    All,
    Chosen(Vec<AgentId>),
}

/// A key as pages show it, without its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub name: KeyName,
    /// `ask_gUGd************14cg`.
    pub masked: String,
    /// Whether the value is stored, sealed, so that admins can copy it again.
    pub copyable: bool,
    /// `None` for all agents.
    pub agents: Option<Vec<AgentName>>,
    pub permissions: Permissions,
    pub created_at: Timestamp,
    pub created_by: String,
    pub expires_at: Timestamp,
    /// `None` if it was never used.
    pub last_used_at: Option<Timestamp>,
    /// Who made the last accepted call; `None` if it is not known.
    pub last_client: Option<LastClient>,
    /// When its value was made: at the key's creation, or at its last rotation.
    pub value_created_at: Timestamp,
    /// The value that the last rotation replaced; `None` if there was none.
    pub old_value: Option<OldValue>,
    /// `None` unless it is paused.
    pub pause: Option<Pause>,
    pub settings: KeySettings,
}

impl ApiKey {
    /// The value that a rotation replaced, while it still opens.
    pub fn open_old_value(&self, now: Timestamp) -> Option<&OldValue> {
        self.old_value.as_ref().filter(|old| now < old.until)
    }
}

/// Who made a key's last accepted call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastClient {
    /// IP address; empty if it is not known.
    pub address: String,
    /// What called (`User-Agent`); empty if it did not say.
    pub program: String,
}

impl LastClient {
    pub fn in_words(&self) -> String {
        match (self.address.as_str(), self.program.as_str()) {
            (address, "") => address.to_owned(),
            ("", program) => program.to_owned(),
            (address, program) => format!("{address} ({program})"),
        }
    }
}

/// A value that a rotation replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldValue {
    /// `ask_gUGd************14cg`.
    pub masked: String,
    pub created_at: Timestamp,
    /// It opens until this instant.
    pub until: Timestamp,
}

/// Why a key is refused for the time being.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    pub at: Timestamp,
    pub by: String,
    /// Empty if none was given.
    pub reason: String,
}

impl Pause {
    /// Longest reason, in characters.
    pub const MAX_REASON: usize = 200;
}

/// A deleted key, whose deletion can still be undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::FromRow))]
pub struct DeletedKey {
    pub id: ApiKeyId,
    pub name: KeyName,
    pub masked: String,
    pub deleted_at: Timestamp,
    pub deleted_by: String,
    /// 0 if it was never used.
    pub last_used_at: Timestamp,
}

/// A key that expires later than a longest lifetime allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::FromRow))]
pub struct KeyBeyondPolicy {
    pub id: ApiKeyId,
    pub name: KeyName,
    pub owner: String,
    /// Whether it is the key's expiry, and not the end of the value that a rotation replaced.
    pub by_expiry: bool,
    /// When it expires, or the old value ends.
    pub expires_at: Timestamp,
    /// The end of the longest lifetime. It may have passed.
    pub bound: Timestamp,
}

/// Whether a key is valid, judged by its expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Active,
    /// The key expires within 7 days.
    ExpiresSoon,
    Expired,
}

impl Status {
    /// The status at `now`. A key is expired from the instant of its expiry on.
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

/// The expiry of a new key, as chosen in the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// This many days after the creation.
    InDays(i64),
    /// At the last second of a date such as `2027-02-24`, where clocks are this many minutes ahead of UTC.
    OnDate { date: String, minutes_ahead: i32 },
}

impl Expiry {
    /// The choices of the form: value, label, days.
    pub const CHOICES: [(&'static str, &'static str, i64); 4] =
        [("7d", "7 days", 7), ("30d", "30 days", 30), ("90d", "90 days", 90), ("1y", "1 year", 365)];
    /// The value of the choice that is preselected.
    pub const DEFAULT: &'static str = "90d";
    /// Its length, in days.
    pub const DEFAULT_DAYS: i32 = 90;
    /// The time zones of the world, in minutes ahead of UTC.
    const ZONES: std::ops::RangeInclusive<i32> = -12 * 60..=14 * 60;
    /// Latest expiry, in days after now: a hundred years.
    pub const MAX_DAYS: i64 = 36_525;

    /// Reads the value of a choice: `1y`, a number of days such as `45d`, or `date`. The date and its time zone are used only
    /// for the choice `date`; without a zone, the date ends in UTC.
    pub fn parse(choice: &str, date: &str, minutes_ahead: &str) -> Result<Self, Problem> {
        if choice == "date" {
            let minutes_ahead = match minutes_ahead {
                "" => Some(0),
                text => text.parse().ok().filter(|minutes| Self::ZONES.contains(minutes)),
            };
            let minutes_ahead = minutes_ahead.ok_or(Problem::ExpiryUnreadable)?;
            return Ok(Self::OnDate { date: date.trim().to_owned(), minutes_ahead });
        }
        let known = Self::CHOICES.iter().find(|(value, ..)| *value == choice);
        let days = known.map(|(.., days)| *days).or_else(|| choice.strip_suffix('d')?.parse().ok());
        days.filter(|days| (1..=Self::MAX_DAYS).contains(days)).map(Self::InDays).ok_or(Problem::ExpiryUnreadable)
    }

    /// The instant at which a key created `now` expires.
    pub fn from(&self, now: Timestamp) -> Result<Timestamp, Problem> {
        let at = match self {
            Self::InDays(days) => now.plus_days(*days),
            Self::OnDate { date, minutes_ahead } => {
                end_of_day(date, *minutes_ahead).ok_or(Problem::ExpiryUnreadable)?
            }
        };
        within_limits(at, now)
    }
}

/// How long the value that a rotation replaces still opens, as chosen in the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// This many seconds.
    Seconds(i64),
    /// Until the last second of a date (UTC).
    UntilDate(String),
}

impl Overlap {
    /// The choices of the form: value, label, seconds.
    pub const CHOICES: [(&'static str, &'static str, i64); 5] = [
        ("now", "Not any more", 0),
        ("1h", "For 1 hour", 3_600),
        ("24h", "For 24 hours", 86_400),
        ("7d", "For 7 days", 604_800),
        ("30d", "For 30 days", 2_592_000),
    ];
    /// The value of the choice that is preselected.
    pub const DEFAULT: &'static str = "24h";

    /// Reads the value of a choice. The date is used only for the choice `date`.
    pub fn parse(choice: &str, date: &str) -> Result<Self, Problem> {
        if choice == "date" {
            return Ok(Self::UntilDate(date.trim().to_owned()));
        }
        let known = Self::CHOICES.iter().find(|(value, ..)| *value == choice);
        known.map(|(.., seconds)| Self::Seconds(*seconds)).ok_or(Problem::OverlapUnreadable)
    }

    /// The instant until which the old value opens if the key is rotated `now`.
    pub fn end(&self, now: Timestamp) -> Result<Timestamp, Problem> {
        match self {
            Self::Seconds(seconds) => Ok(now.plus_seconds(*seconds)),
            Self::UntilDate(date) => end_of_day(date, 0).filter(|end| *end > now).ok_or(Problem::OverlapUnreadable),
        }
    }
}

/// Checks that an expiry is in the future and at most [`Expiry::MAX_DAYS`] ahead.
pub fn within_limits(expires_at: Timestamp, now: Timestamp) -> Result<Timestamp, Problem> {
    if expires_at <= now {
        Err(Problem::ExpiryPast)
    } else if expires_at > now.plus_days(Expiry::MAX_DAYS) {
        Err(Problem::ExpiryTooFar)
    } else {
        Ok(expires_at)
    }
}

/// A key that was never used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::FromRow))]
pub struct UnusedKey {
    pub id: ApiKeyId,
    pub name: KeyName,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// One page of the list of keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyPage {
    /// The server's time, by which [`Status::of`] judges the keys.
    pub now: Timestamp,
    pub keys: Vec<ApiKey>,
    /// Cursors of the previous and the next page, if there are any.
    pub previous: Option<String>,
    pub next: Option<String>,
}

impl KeyPage {
    /// Lists count keys up to this number.
    pub const MOST_COUNTED: u64 = 1_001;
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
        let from = |choice: &str, date: &str| Expiry::parse(choice, date, "").and_then(|e| e.from(now));
        assert_eq!(from("90d", ""), Ok(now.plus_days(90)));
        assert_eq!(from("date", &now.date()).map(|t| t > now), Ok(true), "today is still possible");
        assert_eq!(from("date", "2020-01-01"), Err(Problem::ExpiryPast));
        assert_eq!(from("date", "2126-01-01").map(Timestamp::date), Ok("2126-01-01".to_owned()));
        assert_eq!(from("date", "2300-01-01"), Err(Problem::ExpiryTooFar));
        assert_eq!(from("date", "soon"), Err(Problem::ExpiryUnreadable));
        assert_eq!(from("never", ""), Err(Problem::ExpiryUnreadable));
    }
}
