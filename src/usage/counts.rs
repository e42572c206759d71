//! Counters of one key, which the worker writes to the database.

use crate::agents::AgentName;
use crate::api_keys::Permission;
use crate::base::time::Timestamp;
use crate::usage::{Api, Outcome};
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

/// Maximum number of refused calls with one value of a key that a server logs between two writes, of which there are
/// normally two in a second. A client that goes on calling with an expired key does not push all other calls out of its workspace's log.
pub const MAX_REFUSALS: u32 = 500;

/// Counters of one key since the last write. They are locked only while a call is added, or all are taken.
#[derive(Debug, Default)]
pub struct KeyCounters(Mutex<UnwrittenCalls>);

/// Calls of one key that are not written yet.
#[derive(Debug, Default)]
pub(super) struct UnwrittenCalls {
    /// Time of the last call.
    pub last_used: Option<Timestamp>,
    pub calls: HashMap<CallKind, CallCount>,
    /// How many of the refused calls were logged.
    logged_refusals: u32,
}

/// What became of a call that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AddedCall {
    /// Whether it is the first since the last write.
    pub first: bool,
    pub logged: bool,
}

/// Calls that are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct CallKind {
    /// Hours since 1970.
    pub hour: i64,
    pub api: Api,
    pub outcome: Outcome,
    /// The permission that the calls needed, if they needed one.
    pub permission: Option<Permission>,
    /// The agent that the calls named, if there is such an agent.
    pub agent: Option<CountedAgent>,
}

/// An agent, which is the same as another if its id is.
#[derive(Clone, Debug)]
pub(super) struct CountedAgent(pub Arc<AgentName>);

impl PartialEq for CountedAgent {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for CountedAgent {}

impl Hash for CountedAgent {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CallCount {
    pub calls: u64,
    /// How many of them were not logged.
    pub left_out: u64,
    /// How many of them came with the value that a rotation replaced.
    pub by_old_value: u64,
}

/// Number of the hour since 1970.
pub fn hour_of(at: Timestamp) -> i64 {
    at.seconds().div_euclid(3_600)
}

impl KeyCounters {
    /// Adds a call, which `log` puts into the log. Of a key's refused calls, only the first [`MAX_REFUSALS`] since the last
    /// write are logged.
    pub(super) fn add(&self, kind: CallKind, at: Timestamp, log: impl FnOnce() -> bool) -> AddedCall {
        let mut unwritten = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, outcome) = (unwritten.calls.is_empty(), kind.outcome);
        let is_refused = outcome != Outcome::Accepted;
        let logged = !(is_refused && unwritten.logged_refusals == MAX_REFUSALS) && log();
        unwritten.logged_refusals += u32::from(is_refused && logged);
        let count = unwritten.calls.entry(kind).or_default();
        count.calls += 1;
        count.left_out += u64::from(!logged);
        // A call from a network that the key may not be used from is not a use.
        if outcome != Outcome::OtherNetwork {
            unwritten.last_used = unwritten.last_used.max(Some(at));
        }
        AddedCall { first, logged }
    }

    pub(super) fn take(&self) -> UnwrittenCalls {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
