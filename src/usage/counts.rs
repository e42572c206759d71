//! Counters of one key, which the worker writes to the database.

use crate::usage::Outcome;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32};

const OUTCOMES: usize = Outcome::ALL.len();

/// Counters of one key since the last write.
#[derive(Debug)]
pub struct KeyCounters {
    /// Whether the key is in the worker's list of keys to write.
    pub(super) waiting: AtomicBool,
    /// Time of the last call, in microseconds since 1970.
    pub(super) last_used: AtomicI64,
    /// Counters of even and of odd hours, so that calls of two consecutive hours are not mixed.
    hours: [HourCounters; 2],
}

#[derive(Debug, Default)]
pub(super) struct HourCounters {
    pub(super) outcomes: [AtomicU32; OUTCOMES],
    pub(super) left_out: AtomicU32,
}

impl KeyCounters {
    pub(super) fn new() -> Self {
        Self { waiting: AtomicBool::new(false), last_used: AtomicI64::new(0), hours: Default::default() }
    }

    pub(super) fn of_hour(&self, hour: i64) -> &HourCounters {
        &self.hours[(hour & 1) as usize]
    }
}
