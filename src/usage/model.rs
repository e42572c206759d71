//! Types for calls and their outcomes.

use serde::{Deserialize, Serialize};

/// The API that a call was made to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// The gate's decision on a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
}

impl Outcome {
    /// All outcomes, in the order of their discriminants.
    pub const ALL: [Self; 11] = [
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
        }
    }

    /// The outcome with this id.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.id() == id)
    }
}
