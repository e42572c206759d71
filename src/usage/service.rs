//! Reports on the usage of keys, for pages and command line.

use crate::base::id::{ApiKeyId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::db::{Db, DbError};
use crate::usage::Outcome;
use crate::usage::record::{CountedCalls, RequestLogLimits, hour_of};
use crate::usage::store;
pub use crate::usage::store::{HourCount, LoggedCall, PastCall, RequestFilter};

pub const HOURS_PER_DAY: i64 = 24;

/// The periods of reports, in days.
pub const DAYS: [i64; 3] = [1, 7, 30];

/// Numbers of a key's requests.
#[derive(Clone, Debug)]
pub struct PeriodTotals {
    /// For each period in [`DAYS`], which includes the current day (UTC): days, accepted requests, refused requests.
    pub within: [(i64, u64, u64); DAYS.len()],
    /// Number of refused requests by reason, in the longest period.
    pub refused: Vec<(Outcome, u64)>,
}

/// Numbers of accepted and refused requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestTotals {
    pub accepted: u64,
    pub refused: u64,
}

impl RequestTotals {
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

    pub fn sum(all: &[Self]) -> Self {
        let add =
            |sum: Self, one: &Self| Self { accepted: sum.accepted + one.accepted, refused: sum.refused + one.refused };
        all.iter().fold(Self::default(), add)
    }
}

/// Service for usage reports: counts and the request log.
#[derive(Clone, Debug)]
pub struct UsageReports {
    db: Db,
    limits: RequestLogLimits,
}

impl UsageReports {
    pub fn new(db: Db, limits: RequestLogLimits) -> Self {
        Self { db, limits }
    }

    /// How long and how much is logged.
    pub fn limits(&self) -> RequestLogLimits {
        self.limits
    }

    /// Counts and logs calls that were made earlier, in one transaction. For the demo.
    pub async fn add_past(&self, workspace: &WorkspaceId, calls: &[PastCall]) -> Result<(), DbError> {
        let mut counted = CountedCalls::default();
        for call in calls {
            let key = (workspace.clone(), call.key.clone());
            let hour = (key.0.clone(), key.1.clone(), hour_of(call.at), Some(call.outcome));
            *counted.calls.entry(hour).or_default() += 1;
            let last = counted.last_used.entry(key).or_insert(call.at);
            *last = call.at.max(*last);
        }
        let mut change = self.db.begin_unattended().await?;
        store::add_counts(&mut change, &counted).await?;
        store::set_last_used(&mut change, &counted).await?;
        store::insert_past(&mut change, workspace, calls).await?;
        change.commit().await
    }

    /// A key's counts by hour in the last 30 days, including the current day (UTC).
    pub async fn month(&self, workspace: &WorkspaceId, key: &ApiKeyId) -> Result<Vec<HourCount>, DbError> {
        store::counts(&self.db, workspace, key, first_hour(self.db.now(), DAYS[DAYS.len() - 1])).await
    }

    /// Numbers of a key's requests in each period.
    pub async fn totals(&self, workspace: &WorkspaceId, key: &ApiKeyId) -> Result<PeriodTotals, DbError> {
        Ok(sum_up(&self.month(workspace, key).await?, self.db.now()))
    }

    /// A page of a key's request log, newest first.
    pub async fn requests(
        &self,
        workspace: &WorkspaceId,
        key: &ApiKeyId,
        filter: &RequestFilter,
        limit: i64,
    ) -> Result<Vec<LoggedCall>, DbError> {
        store::requests(&self.db, workspace, key, filter, limit).await
    }

    /// The latest calls with this correlation id, at most 20.
    pub async fn by_correlation(&self, workspace: &WorkspaceId, id: &str) -> Result<Vec<LoggedCall>, DbError> {
        store::by_correlation(&self.db, workspace, id).await
    }
}

/// The first hour of a period of days that includes the current day.
fn first_hour(now: Timestamp, days: i64) -> i64 {
    (hour_of(now).div_euclid(HOURS_PER_DAY) - days + 1) * HOURS_PER_DAY
}

/// Sums up a key's counts by period and reason.
pub fn sum_up(counts: &[HourCount], now: Timestamp) -> PeriodTotals {
    let within = DAYS.map(|days| {
        let sum = RequestTotals::of(counts.iter().filter(|count| count.hour >= first_hour(now, days)));
        (days, sum.accepted, sum.refused)
    });
    let refused = Outcome::ALL.into_iter().filter(|outcome| *outcome != Outcome::Accepted).filter_map(|outcome| {
        let of_it = counts.iter().filter(|count| count.outcome == Some(outcome));
        let requests: u64 = of_it.map(|count| count.requests).sum();
        (requests > 0).then_some((outcome, requests))
    });
    PeriodTotals { within, refused: refused.collect() }
}
