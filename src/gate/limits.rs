//! Limits of keys: calls per second or minute, and calls per month. Each server enforces a rate for itself. A quota is
//! shared by all servers of a database, to within one write of their counts.

use crate::api_keys::Rate;
use crate::base::id::{ApiKeyId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::gate::decision::RefusalReason;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use governor::clock::{Clock as _, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

type Limiter = RateLimiter<NotKeyed, InMemoryState, MonotonicClock, StateInformationMiddleware>;

/// Counts the calls of one key, with either of its values, against its limits.
pub struct KeyLimiter {
    rate: Option<(Rate, Limiter)>,
    quota: Option<u64>,
    /// The month (UTC) of the counts, as a number; see [`Timestamp::month`].
    month: AtomicI64,
    /// Accepted calls of this month in the database, when they were last read.
    recorded: AtomicU64,
    /// Admitted calls that are not in the database yet.
    pending: AtomicU64,
    /// Whether `recorded` was read from the database.
    is_read: AtomicBool,
}

impl fmt::Debug for KeyLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.rate.as_ref().map(|(rate, _)| rate);
        f.debug_struct("KeyLimiter").field("rate", &rate).field("quota", &self.quota).finish_non_exhaustive()
    }
}

impl KeyLimiter {
    fn new(rate: Option<Rate>, quota: Option<u64>) -> Self {
        let limiter = |rate: Rate| {
            let limiter = RateLimiter::direct_with_clock(replenished(rate)?, MonotonicClock);
            Some((rate, limiter.with_middleware::<StateInformationMiddleware>()))
        };
        Self {
            rate: rate.and_then(limiter),
            quota,
            month: AtomicI64::new(0),
            recorded: AtomicU64::new(0),
            pending: AtomicU64::new(0),
            is_read: AtomicBool::new(false),
        }
    }

    fn is_of(&self, rate: Option<Rate>, quota: Option<u64>) -> bool {
        self.rate.as_ref().map(|(rate, _)| *rate) == rate && self.quota == quota
    }

    pub fn has_quota(&self) -> bool {
        self.quota.is_some()
    }

    /// Whether the use of the quota was read from the database.
    pub fn is_read(&self) -> bool {
        self.is_read.load(Ordering::Acquire)
    }

    /// Counts a call at `now`. The error: it is one too many.
    pub fn admit(&self, now: Timestamp) -> Result<LimitState, (RefusalReason, LimitState)> {
        let mut state = LimitState::default();
        if let Some(quota) = self.quota {
            let left = self.take(quota, now);
            let resets_in = now.seconds_to_next_month();
            state.quota = Some(LimitCounter { quota, window: None, left: left.unwrap_or(0), resets_in });
            if left.is_none() {
                state.retry_after = Some(resets_in);
                return Err((RefusalReason::QuotaUsed, state));
            }
        }
        let Some((rate, limiter)) = &self.rate else { return Ok(state) };
        let (left, wait) = match limiter.check() {
            Ok(snapshot) => (u64::from(snapshot.remaining_burst_capacity()), snapshot.quota().replenish_interval()),
            Err(refused) => {
                let wait = refused.wait_time_from(limiter.clock().now());
                state.retry_after = Some(whole_seconds(wait));
                (0, wait)
            }
        };
        let quota = u64::from(rate.calls);
        state.rate = Some(LimitCounter { quota, window: Some(rate.seconds), left, resets_in: whole_seconds(wait) });
        if state.retry_after.is_none() {
            return Ok(state);
        }
        self.give_back();
        Err((RefusalReason::RateLimited, state))
    }

    /// Takes one call of the month's quota, and returns how many are left; `None` if there is none to take.
    fn take(&self, quota: u64, now: Timestamp) -> Option<u64> {
        let month = now.month();
        if self.month.swap(month, Ordering::AcqRel) != month {
            self.recorded.store(0, Ordering::Release);
        }
        let recorded = self.recorded.load(Ordering::Acquire);
        let take = |pending: u64| (recorded + pending < quota).then_some(pending + 1);
        let before = self.pending.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).ok()?;
        Some((quota - recorded - before).saturating_sub(1))
    }

    /// Takes a call back that was admitted and then refused.
    pub fn give_back(&self) {
        self.take_from_pending(1);
    }

    /// Records that this many admitted calls are in the database now.
    pub fn written(&self, calls: u64) {
        // Added first: for a moment they count twice rather than not at all.
        self.recorded.fetch_add(calls, Ordering::AcqRel);
        self.take_from_pending(calls);
    }

    fn take_from_pending(&self, calls: u64) {
        let rest = |pending: u64| Some(pending.saturating_sub(calls));
        let _ = self.pending.fetch_update(Ordering::AcqRel, Ordering::Acquire, rest);
    }

    /// Sets the number of accepted calls of this month in the database.
    pub fn set_recorded(&self, calls: u64, now: Timestamp) {
        self.month.store(now.month(), Ordering::Release);
        self.recorded.store(calls, Ordering::Release);
        self.is_read.store(true, Ordering::Release);
    }
}

fn replenished(rate: Rate) -> Option<Quota> {
    let interval = Duration::from_secs(rate.seconds.into()) / NonZeroU32::new(rate.calls)?.get();
    Some(Quota::with_period(interval)?.allow_burst(NonZeroU32::new(rate.burst)?))
}

fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// How near a key is to its limits, for the headers of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitState {
    rate: Option<LimitCounter>,
    quota: Option<LimitCounter>,
    /// Seconds after which a refused call may succeed.
    retry_after: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LimitCounter {
    quota: u64,
    /// Seconds in which the quota is replenished; `None` for a month.
    window: Option<u32>,
    left: u64,
    /// Seconds until there is more.
    resets_in: u64,
}

impl LimitState {
    /// Sets `Retry-After` (RFC 9110), `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10).
    pub fn set(&self, headers: &mut HeaderMap) {
        let counters = [("rate", self.rate), ("month", self.quota)];
        let counters = || counters.iter().filter_map(|(name, counter)| Some((*name, (*counter)?)));
        let policy = counters().map(|(name, counter)| match counter.window {
            Some(seconds) => format!("\"{name}\";q={};w={seconds}", counter.quota),
            None => format!("\"{name}\";q={}", counter.quota),
        });
        let state = counters().map(|(name, counter)| format!("\"{name}\";r={};t={}", counter.left, counter.resets_in));
        let mut set = |name, value: String| {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        };
        set(POLICY, policy.collect::<Vec<_>>().join(", "));
        set(STATE, state.collect::<Vec<_>>().join(", "));
        if let Some(seconds) = self.retry_after {
            set(header::RETRY_AFTER, seconds.to_string());
        }
    }
}

/// The limiters of all keys that have limits. A key keeps its limiter when it is edited, unless its limits change.
#[derive(Debug, Default)]
pub struct Limiters(Mutex<HashMap<(WorkspaceId, ApiKeyId), Arc<KeyLimiter>>>);

impl Limiters {
    /// The limiter of a key with these limits; `None` if it has none.
    pub fn of(
        &self,
        workspace: &WorkspaceId,
        key: &ApiKeyId,
        rate: Option<Rate>,
        quota: Option<u64>,
    ) -> Option<Arc<KeyLimiter>> {
        let mut limiters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rate.is_none() && quota.is_none() {
            if !limiters.is_empty() {
                limiters.remove(&(workspace.clone(), key.clone()));
            }
            return None;
        }
        let owner = (workspace.clone(), key.clone());
        if let Some(known) = limiters.get(&owner).filter(|known| known.is_of(rate, quota)) {
            return Some(known.clone());
        }
        let limiter = Arc::new(KeyLimiter::new(rate, quota));
        limiters.insert(owner, limiter.clone());
        Some(limiter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        crate::base::time::parse_instant(text).unwrap()
    }

    #[test]
    fn a_quota_ends_with_the_month() {
        let limiter = KeyLimiter::new(None, Some(3));
        let now = at("2026-11-28T12:00:00Z");
        limiter.set_recorded(1, now);
        assert!(limiter.admit(now).is_ok() && limiter.admit(now).is_ok());
        let (reason, state) = limiter.admit(now).unwrap_err();
        let until_december = 2 * 86_400 + 12 * 3_600;
        assert_eq!((reason, state.retry_after), (RefusalReason::QuotaUsed, Some(until_december)));
        limiter.give_back();
        assert!(limiter.admit(now).is_ok());
        // What was written is counted, also before it is read again.
        limiter.written(2);
        assert!(limiter.admit(now).is_err());
        limiter.set_recorded(3, now);
        assert!(limiter.admit(now).is_err());
        assert!(limiter.admit(at("2026-12-01T00:00:00Z")).is_ok());
    }

    #[test]
    fn a_rate_allows_its_burst() {
        let rate = Rate { calls: 1, seconds: 60, burst: 2 };
        let limiter = KeyLimiter::new(Some(rate), Some(100));
        let now = at("2026-11-28T12:00:00Z");
        assert!(limiter.admit(now).is_ok());
        let mut headers = HeaderMap::new();
        limiter.admit(now).unwrap().set(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"rate\";q=1;w=60, \"month\";q=100");
        assert_eq!(headers["ratelimit"], "\"rate\";r=0;t=60, \"month\";r=98;t=216000");
        let (reason, state) = limiter.admit(now).unwrap_err();
        assert_eq!(reason, RefusalReason::RateLimited);
        state.set(&mut headers);
        let wait: u64 = headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((58..=60).contains(&wait), "{wait}");
        assert_eq!(limiter.take(100, now), Some(97), "a refused call takes nothing of the quota");
    }

    #[test]
    fn limiters_outlive_edits() {
        let (limiters, workspace) = (Limiters::default(), WorkspaceId::parse("ws-1").unwrap());
        let key = ApiKeyId::parse("key-1").unwrap();
        let first = limiters.of(&workspace, &key, None, Some(5)).unwrap();
        first.set_recorded(4, at("2026-11-28T12:00:00Z"));
        let second = limiters.of(&workspace, &key, None, Some(5)).unwrap();
        assert!(Arc::ptr_eq(&first, &second) && second.is_read());
        assert!(!limiters.of(&workspace, &key, None, Some(6)).unwrap().is_read());
        assert!(limiters.of(&workspace, &key, None, None).is_none());
    }
}
