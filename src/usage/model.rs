//! Types and rules for calls and their outcomes.

use serde::{Deserialize, Serialize};

/// What a call was made to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Api {
    Conversations,
    Handoff,
    ExternalEvents,
    Agents,
    /// A proxy asked for one of its own clients.
    ForwardAuth,
}

impl Api {
    /// Each of them.
    pub const ALL: [Self; 5] =
        [Self::Conversations, Self::Handoff, Self::ExternalEvents, Self::Agents, Self::ForwardAuth];

    /// As it is stored and stands in addresses.
    pub fn id(self) -> &'static str {
        match self {
            Self::Conversations => "conversations",
            Self::Handoff => "handoff",
            Self::ExternalEvents => "external-events",
            Self::Agents => "agents",
            Self::ForwardAuth => "forward-auth",
        }
    }

    /// As people see it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Conversations => "Conversations",
            Self::Handoff => "Handoff",
            Self::ExternalEvents => "External events",
            Self::Agents => "Agents",
            Self::ForwardAuth => "Forward auth",
        }
    }

    /// The one with this id.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.id() == id)
    }
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Outcome {
    /// The gate let it in.
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
}

impl Outcome {
    /// Each of them, in the order of their numbers.
    pub const ALL: [Self; 10] = [
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
    ];

    /// As it is stored and stands in addresses.
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
        }
    }

    /// As people see it. Calls without a known key are in no workspace's log.
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
        }
    }

    /// The one with this id.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.id() == id)
    }
}
