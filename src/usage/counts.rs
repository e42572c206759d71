//! Counters of one key, which the worker writes to the database.

use crate::agents::AgentName;
use crate::api_keys::Permission;
use crate::base::time::Timestamp;
use crate::usage::{Api, Outcome};
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

/// Counters of one key since the last write. They are locked only while a call is added, or all are taken.
#[derive(Debug, Default)]
pub struct KeyCounters(Mutex<UnwrittenCalls>);

/// Calls of one key that are not written yet.
#[derive(Debug, Default)]
pub(super) struct UnwrittenCalls {
    /// Time of the last call.
    pub last_used: Option<Timestamp>,
    pub calls: HashMap<CallKind, CallCount>,
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
    /// Adds a call. Returns whether it is the first since the last write.
    pub(super) fn add(&self, kind: CallKind, at: Timestamp, logged: bool) -> bool {
        let mut unwritten = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, outcome) = (unwritten.calls.is_empty(), kind.outcome);
        let count = unwritten.calls.entry(kind).or_default();
        count.calls += 1;
        count.left_out += u64::from(!logged);
        // A call from a network that the key may not be used from is not a use.
        if outcome != Outcome::OtherNetwork {
            unwritten.last_used = unwritten.last_used.max(Some(at));
        }
        first
    }

    pub(super) fn take(&self) -> UnwrittenCalls {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
