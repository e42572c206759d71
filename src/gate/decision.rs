//! The decision itself, without database and HTTP: what is known of a key, what is asked, yes or why not.

use crate::api_keys::{Permission, Permissions, Status};
use crate::base::id::{AgentId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::usage::Outcome;

/// What is known of the key that was presented.
#[derive(Clone, Copy, Debug)]
pub struct KeyFacts<'a> {
    pub workspace: &'a WorkspaceId,
    pub permissions: &'a Permissions,
    pub expires_at: Timestamp,
    /// Whether its scope is all agents, or holds the one that is asked for.
    pub covers_asked_agent: bool,
}

/// What is asked of it.
#[derive(Clone, Copy, Debug)]
pub struct CallNeeds<'a> {
    /// The workspace named in the call; `None` where there is none of that name.
    pub workspace: Option<&'a WorkspaceId>,
    /// What the call needs; `None` where any key will do.
    pub permission: Option<Permission>,
    pub agent: NeededAgent<'a>,
    pub now: Timestamp,
}

/// The agent that a call is about.
#[derive(Clone, Copy, Debug)]
pub enum NeededAgent<'a> {
    /// It is about the workspace as a whole.
    NotAsked,
    /// The one named in the call; `None` where that workspace has none of that name.
    Named(Option<&'a AgentId>),
}

/// Why a key may not make a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// The header is missing.
    NoKey,
    /// What was sent is no key: a typo, garbage, or two of them.
    Malformed,
    /// It could be a key, and is none of ours, or no longer.
    Unknown,
    /// From the very second of its expiry.
    Expired,
    /// The call names another workspace, which may or may not exist.
    OtherWorkspace,
    /// The key was not given this.
    LacksPermission(Permission),
    /// The key has chosen agents, and this, which may or may not exist, is none of them.
    AgentNotCovered,
    /// The key covers all agents, and there is none of that name.
    NoSuchAgent,
    /// The call searches what was said, which Configuration keeps in.
    TranscriptOff,
}

impl From<RefusalReason> for Outcome {
    fn from(refusal: RefusalReason) -> Self {
        match refusal {
            RefusalReason::NoKey => Self::NoKey,
            RefusalReason::Malformed => Self::Malformed,
            RefusalReason::Unknown => Self::Unknown,
            RefusalReason::Expired => Self::Expired,
            RefusalReason::OtherWorkspace => Self::OtherWorkspace,
            RefusalReason::LacksPermission(_) => Self::LacksPermission,
            RefusalReason::AgentNotCovered => Self::AgentNotCovered,
            RefusalReason::NoSuchAgent => Self::NoSuchAgent,
            RefusalReason::TranscriptOff => Self::TranscriptOff,
        }
    }
}

/// Decides. The first thing that is wrong is the answer.
pub fn decide(known: &KeyFacts<'_>, asked: &CallNeeds<'_>) -> Result<(), RefusalReason> {
    if Status::of(known.expires_at, asked.now) == Status::Expired {
        return Err(RefusalReason::Expired);
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

    /// Every combination of permission, scope, expiry and workspace.
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
                            for covers_asked_agent in [false, true] {
                                let expires_at = now.plus_seconds(seconds_left);
                                let known = KeyFacts {
                                    workspace: &own,
                                    permissions: &permissions,
                                    expires_at,
                                    covers_asked_agent,
                                };
                                let decided = decide(&known, &CallNeeds { workspace, agent, permission, now });
                                let expected = if seconds_left <= 0 {
                                    Err(RefusalReason::Expired)
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
        // Of 15 sets of permissions, each permission is in 8, and none is asked of all; one expiry and one workspace fit;
        // and of the agents the one that is there and covered, or none is asked for and the scope does not matter.
        assert_eq!((cases, yes), (15 * 5 * 3 * 3 * 3 * 2, (4 * 8 + 15) * 3));
    }
}
