//! What is counted of a key until the worker writes it down.

use crate::usage::Outcome;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32};

const OUTCOMES: usize = Outcome::ALL.len();

/// What is counted of a key until the worker writes it down.
#[derive(Debug)]
pub struct Counts {
    /// Whether the worker knows that there is something to write.
    pub(super) waiting: AtomicBool,
    /// In microseconds since 1970.
    pub(super) last_used: AtomicI64,
    /// By whether the hour's number is even, so that an hour that ends is not mixed with the one that begins.
    hours: [Hour; 2],
}

#[derive(Debug, Default)]
pub(super) struct Hour {
    pub(super) outcomes: [AtomicU32; OUTCOMES],
    pub(super) left_out: AtomicU32,
}

impl Counts {
    pub(super) fn new() -> Self {
        Self { waiting: AtomicBool::new(false), last_used: AtomicI64::new(0), hours: Default::default() }
    }

    pub(super) fn of_hour(&self, hour: i64) -> &Hour {
        &self.hours[(hour & 1) as usize]
    }
}
