//! Types for calls and their outcomes.

use crate::api_keys::Permission;
use serde::{Deserialize, Serialize};

/// The API that a call was made to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Api {
    Conversations,
    Handoff,
    ExternalEvents,
    Agents,
    /// A reverse proxy asked about a client's request.
    ForwardAuth,
}

impl Api {
    pub const ALL: [Self; 5] =
        [Self::Conversations, Self::Handoff, Self::ExternalEvents, Self::Agents, Self::ForwardAuth];

    /// The name in the database, in query strings and in metrics.
    pub fn id(self) -> &'static str {
        match self {
            Self::Conversations => "conversations",
            Self::Handoff => "handoff",
            Self::ExternalEvents => "external-events",
            Self::Agents => "agents",
            Self::ForwardAuth => "forward-auth",
        }
    }

    /// The name that pages show.
    pub fn label(self) -> &'static str {
        match self {
            Self::Conversations => "Conversations",
            Self::Handoff => "Handoff",
            Self::ExternalEvents => "External events",
            Self::Agents => "Agents",
            Self::ForwardAuth => "Forward auth",
        }
    }

    /// The API with this id.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.id() == id)
    }

    /// The API that a permission opens.
    pub fn of(permission: Permission) -> Self {
        match permission {
            Permission::Conversations => Self::Conversations,
            Permission::Handoff => Self::Handoff,
            Permission::ExternalEvents => Self::ExternalEvents,
            Permission::Agents => Self::Agents,
        }
    }
}

/// A time that reports show, up to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The value in addresses.
    pub id: &'static str,
    /// The name that pages show.
    pub label: &'static str,
    pub days: i64,
    /// Hours that are counted together.
    pub step: i64,
}

impl Period {
    pub const ALL: [Self; 4] = [
        Self { id: "24h", label: "24 hours", days: 1, step: 1 },
        Self { id: "7d", label: "7 days", days: 7, step: 24 },
        Self { id: "30d", label: "30 days", days: 30, step: 24 },
        Self { id: "90d", label: "90 days", days: 90, step: 24 },
    ];

    /// The period with this id, else the shortest.
    pub fn parse(id: &str) -> Self {
        Self::ALL.into_iter().find(|period| period.id == id).unwrap_or(Self::ALL[0])
    }

    /// Number of steps.
    pub fn steps(self) -> i64 {
        self.days * 24 / self.step
    }

    /// First hour of the period that ends with the hour `now` or, if it has days as steps, with the day of that hour (UTC).
    /// Hours are counted since 1970.
    pub fn first_hour(self, now: i64) -> i64 {
        (now.div_euclid(self.step) - self.steps() + 1) * self.step
    }
}

/// The gate's decision on a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// The gate let the call in.
    Accepted,
    NoKey,
    Malformed,
    Unknown,
    Expired,
    OtherWorkspace,
    LacksPermission,
    AgentNotCovered,
    NoSuchAgent,
    TranscriptOff,
    CallerNumbersHidden,
    Paused,
    OtherNetwork,
    RateLimited,
    QuotaUsed,
}

impl Outcome {
    /// All outcomes, in the order of their discriminants.
    pub const ALL: [Self; 15] = [
        Self::Accepted,
        Self::NoKey,
        Self::Malformed,
        Self::Unknown,
        Self::Expired,
        Self::OtherWorkspace,
        Self::LacksPermission,
        Self::AgentNotCovered,
        Self::NoSuchAgent,
        Self::TranscriptOff,
        Self::CallerNumbersHidden,
        Self::Paused,
        Self::OtherNetwork,
        Self::RateLimited,
        Self::QuotaUsed,
    ];

    /// The name in the database, in query strings and in metrics.
    pub fn id(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::NoKey => "no-key",
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::OtherWorkspace => "other-workspace",
            Self::LacksPermission => "lacks-permission",
            Self::AgentNotCovered => "agent-not-covered",
            Self::NoSuchAgent => "no-such-agent",
            Self::TranscriptOff => "transcript-off",
            Self::CallerNumbersHidden => "caller-numbers-hidden",
            Self::Paused => "paused",
            Self::OtherNetwork => "other-network",
            Self::RateLimited => "rate-limited",
            Self::QuotaUsed => "quota-used",
        }
    }

    /// The name that pages show. Calls without a known key belong to no workspace and are not logged.
    pub fn label(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::NoKey => "No key",
            Self::Malformed => "Malformed key",
            Self::Unknown => "Unknown key",
            Self::Expired => "Key expired",
            Self::OtherWorkspace => "Other workspace",
            Self::LacksPermission => "Permission missing",
            Self::AgentNotCovered => "Agent not covered",
            Self::NoSuchAgent => "No such agent",
            Self::TranscriptOff => "Transcripts off",
            Self::CallerNumbersHidden => "Caller numbers not shown",
            Self::Paused => "Key paused",
            Self::OtherNetwork => "Other network",
            Self::RateLimited => "Too many calls at once",
            Self::QuotaUsed => "Month's calls used",
        }
    }

    /// The outcome with this id.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.id() == id)
    }
}

/// What stored counts are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tally {
    /// Calls with this outcome.
    Calls(Outcome),
    /// Those that were not logged.
    LeftOut,
    /// Accepted calls that came with the value that a rotation replaced.
    OldValue,
    /// Accepted calls that needed this permission.
    With(Permission),
}

impl Tally {
    /// The name in the database, beside those of outcomes.
    pub fn id(self) -> &'static str {
        match self {
            Self::Calls(outcome) => outcome.id(),
            Self::LeftOut => "left-out",
            Self::OldValue => "old-value",
            Self::With(Permission::Conversations) => "with-conversations",
            Self::With(Permission::Handoff) => "with-handoff",
            Self::With(Permission::ExternalEvents) => "with-external-events",
            Self::With(Permission::Agents) => "with-agents",
        }
    }

    pub fn parse(id: &str) -> Option<Self> {
        let others = [Self::LeftOut, Self::OldValue].into_iter().chain(Permission::ALL.map(Self::With));
        others.into_iter().find(|other| other.id() == id).or_else(|| Outcome::parse(id).map(Self::Calls))
    }
}
