//! Reports on the usage of keys, for pages and command line.

use crate::api_keys::Permission;
use crate::base::id::{AgentId, ApiKeyId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::db::{Db, DbError};
use crate::usage::counts::hour_of;
use crate::usage::counts::{CallCount, CallKind, CountedAgent};
use crate::usage::record::{CountedCalls, RequestLogLimits};
pub use crate::usage::store::totals::{ApiCount, Totals};
use crate::usage::store::{self, totals};
pub use crate::usage::store::{CallClient, HourCount, KeyNearLimits, LoggedCall, PastCall, RequestFilter};
use crate::usage::{Api, Outcome, Period, Tally};
use std::collections::BTreeMap;

/// The periods of a key's totals, in days.
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
    /// The sum of numbers of requests.
    pub fn of(counts: impl Iterator<Item = (Tally, u64)>) -> Self {
        counts.fold(Self::default(), |mut sum, (tally, requests)| {
            match tally {
                Tally::Calls(Outcome::Accepted) => sum.accepted += requests,
                Tally::Calls(_) => sum.refused += requests,
                // These are counted by their outcome too.
                Tally::LeftOut | Tally::OldValue | Tally::With(_) => {}
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

/// Who used a key lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentUse {
    pub now: Timestamp,
    /// Accepted calls in the last 7 days.
    pub calls: u64,
    /// Accepted calls in the last 24 hours, to within an hour.
    pub calls_today: u64,
    /// When the last call was made that is in the log of the last 30 days.
    pub last: Option<Timestamp>,
    /// The latest callers, at most 5.
    pub clients: Vec<CallClient>,
}

impl RecentUse {
    /// Sums up accepted calls by hour, oldest first. Calls that are not in the log are known to within an hour.
    fn of(now: Timestamp, counts: &[(i64, u64)], clients: Vec<CallClient>, last: Option<Timestamp>) -> Self {
        let since = |hours: i64| {
            let counted = counts.iter().filter(|(hour, _)| *hour > hour_of(now) - hours);
            counted.map(|(_, calls)| calls).sum()
        };
        let counted = counts.last().map(|(hour, _)| Timestamp::from_seconds(hour * 3_600));
        Self { now, calls: since(7 * 24), calls_today: since(25), last: last.or(counted), clients }
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
            let agent = call.agent.clone().map(CountedAgent);
            let permission = Permission::ALL.into_iter().find(|permission| Api::of(*permission) == call.api);
            let kind = CallKind { hour: hour_of(call.at), api: call.api, outcome: call.outcome, permission, agent };
            let by_old_value = u64::from(call.old_value && call.outcome == Outcome::Accepted);
            counted.add(workspace, &call.key, &kind, CallCount { calls: 1, left_out: 0, by_old_value });
            counted.used(workspace, &call.key, call.at);
        }
        let mut accepted: Vec<_> = calls.iter().filter(|call| call.outcome == Outcome::Accepted).collect();
        accepted.sort_by_key(|call| call.at);
        for call in accepted {
            let used = counted.uses.entry((workspace.clone(), call.key.clone())).or_default();
            used.client = Some((store::PAST_ADDRESS.to_owned(), call.program.to_owned()));
        }
        let mut change = self.db.begin_unattended().await?;
        store::add_counts(&mut change, &counted).await?;
        store::set_uses(&mut change, &counted).await?;
        store::insert_past(&mut change, workspace, calls).await?;
        change.commit().await
    }

    /// A key's counts in the longest period: by hour for today and yesterday (UTC), by day before.
    pub async fn of_key(&self, workspace: &WorkspaceId, key: &ApiKeyId) -> Result<Vec<HourCount>, DbError> {
        store::counts(&self.db, workspace, key, self.since(Period::ALL[Period::ALL.len() - 1])).await
    }

    /// A workspace's counts by API, oldest first: by hour for today and yesterday (UTC), by day before.
    pub async fn by_api(&self, workspace: &WorkspaceId, period: Period) -> Result<Vec<ApiCount>, DbError> {
        totals::by_api(&self.db, workspace, self.since(period)).await
    }

    /// A workspace's requests by agent, the agent with the most first.
    pub async fn by_agent(&self, workspace: &WorkspaceId, period: Period) -> Result<Vec<Totals<AgentId>>, DbError> {
        totals::by_agent(&self.db, workspace, self.since(period)).await
    }

    /// The keys with the most requests, and the time at which they were ranked.
    pub async fn top_keys(
        &self,
        workspace: &WorkspaceId,
        period: Period,
    ) -> Result<(Vec<Totals<ApiKeyId>>, Option<Timestamp>), DbError> {
        totals::top_keys(&self.db, workspace, period.days).await
    }

    /// Requests by key of up to `limit` keys whose ids come after `after`.
    pub async fn by_key(
        &self,
        workspace: &WorkspaceId,
        period: Period,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Totals<ApiKeyId>>, DbError> {
        totals::by_key(&self.db, workspace, after, self.since(period), limit).await
    }

    fn since(&self, period: Period) -> i64 {
        period.first_hour(hour_of(self.db.now()))
    }

    /// Numbers of a key's requests in each period.
    pub async fn totals(&self, workspace: &WorkspaceId, key: &ApiKeyId) -> Result<PeriodTotals, DbError> {
        Ok(sum_up(&self.of_key(workspace, key).await?, self.db.now()))
    }

    /// Who used a key in the last 30 days.
    pub async fn recent_use(&self, workspace: &WorkspaceId, key: &ApiKeyId) -> Result<RecentUse, DbError> {
        let since = self.db.now().plus_days(-30);
        self.recent_use_by(workspace, key, Tally::Calls(Outcome::Accepted), since).await
    }

    /// Who used the value of a key that the rotation at this instant replaced, in the last 30 days.
    pub async fn recent_use_of_old_value(
        &self,
        workspace: &WorkspaceId,
        key: &ApiKeyId,
        rotated_at: Timestamp,
    ) -> Result<RecentUse, DbError> {
        let since = self.db.now().plus_days(-30).max(rotated_at);
        self.recent_use_by(workspace, key, Tally::OldValue, since).await
    }

    /// Who used a permission of a key in the last 30 days. The callers are those of the permission's own API.
    pub async fn recent_use_of_permission(
        &self,
        workspace: &WorkspaceId,
        key: &ApiKeyId,
        permission: Permission,
    ) -> Result<RecentUse, DbError> {
        let since = self.db.now().plus_days(-30);
        self.recent_use_by(workspace, key, Tally::With(permission), since).await
    }

    /// Who called an agent in the last 30 days.
    pub async fn recent_use_of_agent(&self, workspace: &WorkspaceId, agent: &AgentId) -> Result<RecentUse, DbError> {
        let now = self.db.now();
        let begin = now.plus_days(-30);
        let counts = store::counts_of_agent(&self.db, workspace, agent, hour_of(begin)).await?;
        let (clients, last) = store::clients_of_agent(&self.db, workspace, agent, begin).await?;
        Ok(RecentUse::of(now, &counts, clients, last))
    }

    /// Addresses from which a key's calls were accepted in the last 30 days, the latest first, at most `limit`, with
    /// their numbers of logged calls.
    pub async fn addresses(
        &self,
        workspace: &WorkspaceId,
        key: &ApiKeyId,
        limit: i64,
    ) -> Result<Vec<(String, i64)>, DbError> {
        store::addresses(&self.db, workspace, key, self.db.now().plus_days(-30), limit).await
    }

    /// Keys that were refused because of a limit in the last 24 hours, or used at least four fifths of their quota, at
    /// most `limit`.
    pub async fn near_limits(&self, workspace: &WorkspaceId, limit: i64) -> Result<Vec<KeyNearLimits>, DbError> {
        let now = self.db.now();
        store::near_limits(&self.db, workspace, hour_of(now.begin_of_month()), hour_of(now) - 24, limit).await
    }

    async fn recent_use_by(
        &self,
        workspace: &WorkspaceId,
        key: &ApiKeyId,
        tally: Tally,
        begin: Timestamp,
    ) -> Result<RecentUse, DbError> {
        let counts = self.of_key(workspace, key).await?;
        let counted = counts.iter().filter(|count| count.tally == tally && count.hour >= hour_of(begin));
        let counts: Vec<_> = counted.map(|count| (count.hour, count.requests)).collect();
        let api = match tally {
            Tally::With(permission) => Some(Api::of(permission)),
            _ => None,
        };
        let (clients, last) = store::clients(&self.db, workspace, key, begin, tally == Tally::OldValue, api).await?;
        Ok(RecentUse::of(self.db.now(), &counts, clients, last))
    }

    /// The latest accepted call with the value of a key that the rotation at this instant replaced.
    pub async fn last_by_old_value(
        &self,
        workspace: &WorkspaceId,
        key: &ApiKeyId,
        rotated_at: Timestamp,
    ) -> Result<Option<LoggedCall>, DbError> {
        store::last_by_old_value(&self.db, workspace, key, rotated_at).await
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
    (hour_of(now).div_euclid(24) - days + 1) * 24
}

/// Sums up a key's counts by period and reason.
pub fn sum_up(counts: &[HourCount], now: Timestamp) -> PeriodTotals {
    let since = |days: i64| counts.iter().filter(move |count| count.hour >= first_hour(now, days));
    let within = DAYS.map(|days| {
        let sum = RequestTotals::of(since(days).map(|count| (count.tally, count.requests)));
        (days, sum.accepted, sum.refused)
    });
    let longest = since(DAYS[DAYS.len() - 1]);
    let refused = refusals(longest.filter_map(|count| match count.tally {
        Tally::Calls(outcome) => Some((outcome, count.requests)),
        Tally::LeftOut | Tally::OldValue | Tally::With(_) => None,
    }));
    PeriodTotals { within, refused }
}

/// Numbers of refused requests by reason, in the order of [`Outcome::ALL`].
pub fn refusals(counts: impl Iterator<Item = (Outcome, u64)>) -> Vec<(Outcome, u64)> {
    let mut sums: BTreeMap<Outcome, u64> = BTreeMap::new();
    for (outcome, requests) in counts.filter(|(outcome, _)| *outcome != Outcome::Accepted) {
        *sums.entry(outcome).or_default() += requests;
    }
    sums.into_iter().collect()
}

/// Number of a key's requests in the longest period of its totals that were counted but not logged.
pub fn left_out(counts: &[HourCount], now: Timestamp) -> u64 {
    let since = first_hour(now, DAYS[DAYS.len() - 1]);
    let left_out = counts.iter().filter(|count| count.hour >= since && count.tally == Tally::LeftOut);
    left_out.map(|count| count.requests).sum()
}
