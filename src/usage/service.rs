//! How keys are used, as pages and command line show it.

use crate::base::error::Error;
use crate::base::id::{ApiKeyId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::db::Db;
use crate::usage::Outcome;
use crate::usage::record::{Limits, hour_of};
use crate::usage::store;
pub use crate::usage::store::{HourCount, Logged, RequestFilter};

/// Hours of a day.
pub const HOURS_PER_DAY: i64 = 24;

/// Today, a week, a month.
pub const DAYS: [i64; 3] = [1, 7, 30];

/// A key's requests, counted.
#[derive(Clone, Debug)]
pub struct Totals {
    /// For each number of days of [`DAYS`], the present one (in UTC) among them: accepted requests, refused ones.
    pub within: [(i64, u64, u64); DAYS.len()],
    /// Why requests were refused within the longest of them.
    pub refused: Vec<(Outcome, u64)>,
}

/// Accepted and refused requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub accepted: u64,
    pub refused: u64,
}

impl Sum {
    /// Sums counts up.
    pub fn of<'a>(counts: impl Iterator<Item = &'a HourCount>) -> Self {
        counts.fold(Self::default(), |mut sum, count| {
            match count.outcome {
                Some(Outcome::Accepted) => sum.accepted += count.requests,
                Some(_) => sum.refused += count.requests,
                None => {}
            }
            sum
        })
    }
}

/// Counts and the request log.
#[derive(Clone, Debug)]
pub struct UsageReports {
    db: Db,
    limits: Limits,
}

impl UsageReports {
    /// On this database, whose log is limited so.
    pub fn new(db: Db, limits: Limits) -> Self {
        Self { db, limits }
    }

    /// How long and how much is logged.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What was counted of a key in the last 30 days, the present one (in UTC) among them.
    pub async fn month(&self, workspace: &WorkspaceId, key: &ApiKeyId) -> Result<Vec<HourCount>, Error> {
        store::counts(&self.db, workspace, key, first_hour(self.db.now(), DAYS[DAYS.len() - 1])).await
    }

    /// How many requests were made with a key.
    pub async fn totals(&self, workspace: &WorkspaceId, key: &ApiKeyId) -> Result<Totals, Error> {
        Ok(sum_up(&self.month(workspace, key).await?, self.db.now()))
    }

    /// A page of a key's log, newest first.
    pub async fn requests(
        &self,
        workspace: &WorkspaceId,
        key: &ApiKeyId,
        filter: &RequestFilter,
        limit: i64,
    ) -> Result<Vec<Logged>, Error> {
        store::requests(&self.db, workspace, key, filter, limit).await
    }

    /// The calls with this correlation id.
    pub async fn by_correlation(&self, workspace: &WorkspaceId, id: &str) -> Result<Vec<Logged>, Error> {
        store::by_correlation(&self.db, workspace, id).await
    }
}

/// The first hour of so many days, the present one among them.
fn first_hour(now: Timestamp, days: i64) -> i64 {
    (hour_of(now).div_euclid(HOURS_PER_DAY) - days + 1) * HOURS_PER_DAY
}

/// Sums up what was counted of a key.
pub fn sum_up(counts: &[HourCount], now: Timestamp) -> Totals {
    let within = DAYS.map(|days| {
        let sum = Sum::of(counts.iter().filter(|count| count.hour >= first_hour(now, days)));
        (days, sum.accepted, sum.refused)
    });
    let refused = Outcome::ALL.into_iter().filter(|outcome| *outcome != Outcome::Accepted).filter_map(|outcome| {
        let of_it = counts.iter().filter(|count| count.outcome == Some(outcome));
        let requests: u64 = of_it.map(|count| count.requests).sum();
        (requests > 0).then_some((outcome, requests))
    });
    Totals { within, refused: refused.collect() }
}
