//! The decision as a pure function of the key's data and the call's requirements, without database and HTTP.

use crate::api_keys::{Permission, Permissions, Status};
use crate::base::id::{AgentId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::usage::Outcome;

/// The data of the presented key that the decision needs.
#[derive(Clone, Copy, Debug)]
pub struct KeyFacts<'a> {
    pub workspace: &'a WorkspaceId,
    pub permissions: &'a Permissions,
    pub expires_at: Timestamp,
    pub is_paused: bool,
    /// Whether the key may be used from the call's address.
    pub opens_from_address: bool,
    /// Whether the key covers all agents, or the agent that the call names.
    pub covers_asked_agent: bool,
}

/// What a call requires of the key.
#[derive(Clone, Copy, Debug)]
pub struct CallNeeds<'a> {
    /// The workspace that the call names; `None` if it is not the key's own.
    pub workspace: Option<&'a WorkspaceId>,
    /// The permission that the key must have; `None` if it needs none.
    pub permission: Option<Permission>,
    pub agent: NeededAgent<'a>,
    pub now: Timestamp,
}

/// The agent that a call concerns.
#[derive(Clone, Copy, Debug)]
pub enum NeededAgent<'a> {
    /// The call concerns the workspace as a whole.
    NotAsked,
    /// The agent that the call names; `None` if the workspace has no such agent.
    Named(Option<&'a AgentId>),
}

/// Why a key may not make a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// The header is missing.
    NoKey,
    /// The header's value does not have the form of a key, or there are several.
    Malformed,
    /// The value is well-formed, but no key has it (any more).
    Unknown,
    /// The key is at or past its expiry.
    Expired,
    /// An admin has paused the key.
    Paused,
    /// The key may not be used from the call's address.
    OtherNetwork,
    /// The call names another workspace, whether or not it exists.
    OtherWorkspace,
    /// The key does not have this permission.
    LacksPermission(Permission),
    /// The key is limited to other agents. The named agent may or may not exist.
    AgentNotCovered,
    /// The key covers all agents, but the named agent does not exist.
    NoSuchAgent,
    /// The call searches transcripts, which Configuration does not allow.
    TranscriptOff,
    /// The call filters by a caller's number, which Configuration does not show.
    CallerNumbersHidden,
    /// The key makes more calls per second or minute than it may.
    RateLimited,
    /// The key has used its calls of this month.
    QuotaUsed,
}

impl From<RefusalReason> for Outcome {
    fn from(refusal: RefusalReason) -> Self {
        match refusal {
            RefusalReason::NoKey => Self::NoKey,
            RefusalReason::Malformed => Self::Malformed,
            RefusalReason::Unknown => Self::Unknown,
            RefusalReason::Expired => Self::Expired,
            RefusalReason::Paused => Self::Paused,
            RefusalReason::OtherNetwork => Self::OtherNetwork,
            RefusalReason::RateLimited => Self::RateLimited,
            RefusalReason::QuotaUsed => Self::QuotaUsed,
            RefusalReason::OtherWorkspace => Self::OtherWorkspace,
            RefusalReason::LacksPermission(_) => Self::LacksPermission,
            RefusalReason::AgentNotCovered => Self::AgentNotCovered,
            RefusalReason::NoSuchAgent => Self::NoSuchAgent,
            RefusalReason::TranscriptOff => Self::TranscriptOff,
            RefusalReason::CallerNumbersHidden => Self::CallerNumbersHidden,
        }
    }
}

/// Decides whether a key opens anything at `now`.
pub fn is_open(expires_at: Timestamp, is_paused: bool, now: Timestamp) -> Result<(), RefusalReason> {
    if Status::of(expires_at, now) == Status::Expired {
        return Err(RefusalReason::Expired);
    }
    if is_paused { Err(RefusalReason::Paused) } else { Ok(()) }
}

/// Decides whether a key may make a call. The first check that fails gives the reason.
pub fn decide(known: &KeyFacts<'_>, asked: &CallNeeds<'_>) -> Result<(), RefusalReason> {
    is_open(known.expires_at, known.is_paused, asked.now)?;
    if !known.opens_from_address {
        return Err(RefusalReason::OtherNetwork);
    }
    if asked.workspace != Some(known.workspace) {
        return Err(RefusalReason::OtherWorkspace);
    }
    if let Some(permission) = asked.permission.filter(|permission| !known.permissions.contain(*permission)) {
        return Err(RefusalReason::LacksPermission(permission));
    }
    match asked.agent {
        NeededAgent::Named(_) if !known.covers_asked_agent => Err(RefusalReason::AgentNotCovered),
        NeededAgent::Named(None) => Err(RefusalReason::NoSuchAgent),
        NeededAgent::Named(Some(_)) | NeededAgent::NotAsked => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every combination of permission, scope, expiry, pause, network and workspace.
    #[test]
    fn the_whole_table() {
        let (own, other) = (WorkspaceId::parse("ws-own").unwrap(), WorkspaceId::parse("ws-other").unwrap());
        let agent = AgentId::parse("PROJECT-A").unwrap();
        let now = Timestamp::from_seconds(1_000);
        let mut yes = 0;
        let mut cases = 0;
        for held in 1..16_u8 {
            let ids = Permission::ALL.iter().enumerate().filter(|(n, _)| held & (1 << n) != 0).map(|(_, p)| p.id());
            let permissions = Permissions::parse(ids).unwrap();
            for permission in Permission::ALL.map(Some).into_iter().chain([None]) {
                for seconds_left in [-1, 0, 1] {
                    for workspace in [None, Some(&own), Some(&other)] {
                        for agent in [NeededAgent::NotAsked, NeededAgent::Named(None), NeededAgent::Named(Some(&agent))]
                        {
                            for flags in 0..8_u8 {
                                let [covers_asked_agent, is_paused, opens_from_address] =
                                    [1, 2, 4].map(|flag| flags & flag != 0);
                                let expires_at = now.plus_seconds(seconds_left);
                                let known = KeyFacts {
                                    workspace: &own,
                                    permissions: &permissions,
                                    expires_at,
                                    is_paused,
                                    opens_from_address,
                                    covers_asked_agent,
                                };
                                let decided = decide(&known, &CallNeeds { workspace, agent, permission, now });
                                let expected = if seconds_left <= 0 {
                                    Err(RefusalReason::Expired)
                                } else if is_paused {
                                    Err(RefusalReason::Paused)
                                } else if !opens_from_address {
                                    Err(RefusalReason::OtherNetwork)
                                } else if workspace != Some(&own) {
                                    Err(RefusalReason::OtherWorkspace)
                                } else if let Some(permission) = permission
                                    && !permissions.contain(permission)
                                {
                                    Err(RefusalReason::LacksPermission(permission))
                                } else {
                                    match (agent, covers_asked_agent) {
                                        (NeededAgent::NotAsked, _) => Ok(()),
                                        (NeededAgent::Named(_), false) => Err(RefusalReason::AgentNotCovered),
                                        (NeededAgent::Named(None), true) => Err(RefusalReason::NoSuchAgent),
                                        (NeededAgent::Named(Some(_)), true) => Ok(()),
                                    }
                                };
                                assert_eq!(decided, expected, "{known:?} {workspace:?} {agent:?} {permission:?}");
                                cases += 1;
                                yes += usize::from(decided.is_ok());
                            }
                        }
                    }
                }
            }
        }
        // Each permission is in 8 of the 15 sets, and a call that needs no permission passes with all 15. One expiry,
        // one workspace, one state of pausing and one of the network pass. Of agent and scope, 3 combinations pass: a covered agent, and no agent with either
        // scope.
        assert_eq!((cases, yes), (15 * 5 * 3 * 3 * 3 * 8, (4 * 8 + 15) * 3));
    }
}
