//! What a call touches: counts of its key, and the queue of the log. No lock that anyone waits for, no database.

use crate::base::id::{ApiKeyId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::db::Db;
use crate::gate::Denied;
use crate::gate::indexed::IndexedKey;
use crate::http::client_address::ClientAddress;
use crate::http::envelope::{ApiError, CorrelationId};
use crate::usage::counts::Counts;
use crate::usage::metrics::CallMetrics;
use crate::usage::{Api, Outcome};
use axum::extract::{OriginalUri, Request};
use axum::http::{Method, Uri};
use axum::response::Response;
use pin_project_lite::pin_project;
use std::collections::BTreeMap;
use std::mem;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::futures::TaskLocalFuture;
use tower::{Layer, Service};

/// Most rows of the log that wait to be written.
const QUEUE: usize = 65_536;
/// 499: the client was gone before the answer; nginx's number for it.
const CLIENT_GONE: u16 = 499;

/// How long and how much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Accepted calls logged per second, on this server; above it a sample is. Refusals are always logged.
    pub per_second: u32,
    /// Days that a call stays in the log.
    pub days: u32,
    /// Most calls in the log of a workspace.
    pub rows: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { per_second: 1_000, days: 30, rows: 500_000 }
    }
}

/// One call, on its way into the log.
#[derive(Debug)]
pub struct RequestLogRow {
    pub key: Arc<IndexedKey>,
    pub call: Arc<ObservedCall>,
    pub status: u16,
    pub outcome: Outcome,
    pub duration: Duration,
}

/// What was counted and not written yet: how many calls by key, hour and outcome, and when each key was last used.
#[derive(Debug, Default)]
pub struct CountedCalls {
    /// No outcome: calls that the log left out.
    pub calls: BTreeMap<(WorkspaceId, ApiKeyId, i64, Option<Outcome>), u64>,
    pub last_used: BTreeMap<(WorkspaceId, ApiKeyId), Timestamp>,
}

impl CountedCalls {
    fn add(&mut self, key: &IndexedKey, hour: i64, outcome: Option<Outcome>, calls: u32) {
        if calls > 0 {
            let entry = self.calls.entry((key.workspace.clone(), key.id.clone(), hour, outcome));
            *entry.or_default() += u64::from(calls);
        }
    }
}

/// Taken from the counts and the queue, and not written yet.
#[derive(Debug, Default)]
pub struct Pending {
    /// Drawn once for this flush; empty where there is none.
    pub(super) id: String,
    pub(super) counted: CountedCalls,
    pub(super) rows: Vec<RequestLogRow>,
}

/// What was counted and logged and has not been written yet.
#[derive(Debug)]
pub struct Usage {
    db: Db,
    metrics: CallMetrics,
    limits: Limits,
    /// Keys that have something to write.
    waiting: Mutex<Vec<Arc<IndexedKey>>>,
    log: mpsc::Sender<RequestLogRow>,
    queued: Mutex<mpsc::Receiver<RequestLogRow>>,
    /// Every how many of the accepted calls are logged.
    stride: AtomicU32,
    /// Accepted calls since the server began.
    accepted: AtomicU64,
    /// Of this second's accepted calls, how many may still be logged.
    budget: AtomicI64,
    pub(super) pending: tokio::sync::Mutex<Pending>,
}

impl Usage {
    /// Nothing counted yet.
    pub fn new(db: Db, metrics: CallMetrics, limits: Limits) -> Self {
        let (log, queued) = mpsc::channel(QUEUE);
        Self {
            db,
            metrics,
            limits,
            waiting: Mutex::default(),
            log,
            queued: Mutex::new(queued),
            stride: AtomicU32::new(1),
            accepted: AtomicU64::new(0),
            budget: AtomicI64::new(limits.per_second.into()),
            pending: tokio::sync::Mutex::default(),
        }
    }

    /// What is measured of calls.
    pub fn metrics(&self) -> &CallMetrics {
        &self.metrics
    }

    /// Where it is written down.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// How long and how much is logged.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Rows of the log that wait to be written.
    pub fn queued(&self) -> usize {
        self.log.max_capacity() - self.log.capacity()
    }

    /// Counts a call and logs it; whether it was logged.
    fn record(
        &self,
        key: &Arc<IndexedKey>,
        at: Timestamp,
        outcome: Outcome,
        row: impl FnOnce() -> RequestLogRow,
    ) -> bool {
        let counts = key.counts.get_or_init(|| Arc::new(Counts::new()));
        let hour = counts.of_hour(hour_of(at));
        hour.outcomes[outcome as usize].fetch_add(1, Ordering::Relaxed);
        let logged = self.keeps(outcome) && self.log.try_send(row()).is_ok();
        if !logged {
            hour.left_out.fetch_add(1, Ordering::Relaxed);
        }
        counts.last_used.fetch_max(at.0, Ordering::Relaxed);
        // Whoever finds it unset tells the worker, which unsets it before it reads the counts: none is forgotten.
        if !counts.waiting.swap(true, Ordering::AcqRel) {
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(key.clone());
        }
        logged
    }

    fn keeps(&self, outcome: Outcome) -> bool {
        if outcome != Outcome::Accepted {
            return true;
        }
        let number = self.accepted.fetch_add(1, Ordering::Relaxed);
        number.is_multiple_of(self.stride.load(Ordering::Relaxed).into())
            && self.budget.fetch_sub(1, Ordering::Relaxed) > 0
    }

    /// Begins another second of the log, now that this many calls are accepted in one.
    pub(super) fn begin_second(&self, accepted: u64) {
        let limit = u64::from(self.limits.per_second.max(1));
        self.stride.store(accepted.div_ceil(limit).clamp(1, u64::from(u32::MAX)) as u32, Ordering::Relaxed);
        self.budget.store(self.limits.per_second.into(), Ordering::Relaxed);
    }

    /// Accepted calls since the server began.
    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Moves what was counted since the last time.
    pub(super) fn take_counts(&self, counted: &mut CountedCalls, now: Timestamp) {
        let keys = mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        for key in keys {
            let Some(counts) = key.counts.get() else { continue };
            counts.waiting.swap(false, Ordering::AcqRel);
            // What was counted waits for a second, not for an hour: it is of the hour that is, or of the one before.
            for hour in [hour_of(now) - 1, hour_of(now)] {
                let of_hour = counts.of_hour(hour);
                for (outcome, calls) in Outcome::ALL.into_iter().zip(&of_hour.outcomes) {
                    counted.add(&key, hour, Some(outcome), calls.swap(0, Ordering::Relaxed));
                }
                counted.add(&key, hour, None, of_hour.left_out.swap(0, Ordering::Relaxed));
            }
            let used = Timestamp(counts.last_used.load(Ordering::Relaxed));
            let last = counted.last_used.entry((key.workspace.clone(), key.id.clone())).or_insert(used);
            *last = used.max(*last);
        }
    }

    /// Takes up to so many rows of the log.
    pub(super) fn take_rows(&self, rows: &mut Vec<RequestLogRow>, most: usize) {
        let mut queued = self.queued.lock().unwrap_or_else(PoisonError::into_inner);
        while rows.len() < most
            && let Ok(row) = queued.try_recv()
        {
            rows.push(row);
        }
    }
}

/// An hour's number since 1970.
pub fn hour_of(at: Timestamp) -> i64 {
    at.seconds().div_euclid(3_600)
}

tokio::task_local! {
    /// The call that this task answers.
    static CURRENT: Arc<ObservedCall>;
}

/// A call, and what is found out about it while it is under way.
#[derive(Debug)]
pub struct ObservedCall {
    began: Instant,
    at: Timestamp,
    pub(super) api: Api,
    method: Method,
    uri: Uri,
    pub(super) correlation_id: CorrelationId,
    pub(super) address: Option<IpAddr>,
    key: OnceLock<Arc<IndexedKey>>,
    denied: OnceLock<Denied>,
    asked_for: OnceLock<(Method, Uri)>,
}

impl ObservedCall {
    /// One that begins now.
    fn begin(usage: &Usage, api: Api, request: &Request) -> Self {
        let extensions = request.extensions();
        let original = extensions.get::<OriginalUri>().map(|OriginalUri(uri)| uri);
        Self {
            began: Instant::now(),
            at: usage.db.now(),
            api,
            method: request.method().clone(),
            uri: original.unwrap_or(request.uri()).clone(),
            correlation_id: extensions.get::<CorrelationId>().cloned().unwrap_or_default(),
            address: extensions.get::<ClientAddress>().and_then(|ClientAddress(address)| *address),
            key: OnceLock::new(),
            denied: OnceLock::new(),
            asked_for: OnceLock::new(),
        }
    }

    /// The call that is being answered here. The error: the route is not within [`Observe`], where every call with a key
    /// belongs.
    pub fn current() -> Result<Arc<Self>, ApiError> {
        CURRENT.try_with(Arc::clone).map_err(|_| ApiError::internal())
    }

    /// When it began, to measure from.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// When it began, to hold expiries against.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The key that it is made with.
    pub fn made_with(&self, key: &Arc<IndexedKey>) {
        let _ = self.key.set(key.clone());
    }

    /// Why it was not let in. The first reason stands.
    pub fn denied(&self, denied: Denied) {
        let _ = self.denied.set(denied);
    }

    /// What the client asked a proxy for, where the call is the proxy's own.
    pub fn asked_for(&self, original: Option<(Method, Uri)>) {
        if let Some(original) = original {
            let _ = self.asked_for.set(original);
        }
    }

    /// What the client asked for.
    pub(super) fn request(&self) -> (&Method, &Uri) {
        self.asked_for.get().map_or((&self.method, &self.uri), |(method, uri)| (method, uri))
    }
}

/// A call under way: recorded when it is answered, or when its client is gone.
struct Observed {
    usage: Arc<Usage>,
    call: Arc<ObservedCall>,
    status: u16,
}

impl Drop for Observed {
    fn drop(&mut self) {
        let outcome = match self.call.denied.get() {
            None => Outcome::Accepted,
            Some(Denied::Refused(refusal)) => Outcome::from(*refusal),
            // Neither let in nor refused.
            Some(Denied::Failed | Denied::Unavailable) => return,
        };
        let usage = &*self.usage;
        let metrics = &usage.metrics;
        let Some(key) = self.call.key.get() else {
            // Without a key nothing is let in: what was not refused has failed before the gate was asked.
            if outcome != Outcome::Accepted {
                metrics.requests(self.call.api, outcome).inc();
            }
            return;
        };
        metrics.requests(self.call.api, outcome).inc();
        let logged = usage.record(key, self.call.at, outcome, || RequestLogRow {
            key: key.clone(),
            call: self.call.clone(),
            status: self.status,
            outcome,
            duration: self.call.began.elapsed(),
        });
        if !logged {
            metrics.left_out().inc();
        }
    }
}

/// The layer around each call with a key.
#[derive(Clone, Debug)]
pub struct Observe {
    usage: Arc<Usage>,
    api: Api,
}

impl Observe {
    /// Counts and logs calls as this API's.
    pub fn new(usage: Arc<Usage>, api: Api) -> Self {
        Self { usage, api }
    }
}

impl<S> Layer<S> for Observe {
    type Service = Observing<S>;

    fn layer(&self, inner: S) -> Observing<S> {
        Observing { observe: self.clone(), inner }
    }
}

/// See [`Observe`].
#[derive(Clone, Debug)]
pub struct Observing<S> {
    observe: Observe,
    inner: S,
}

impl<S: Service<Request, Response = Response>> Service<Request> for Observing<S> {
    type Response = Response;
    type Error = S::Error;
    type Future = Answering<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Observe { usage, api } = &self.observe;
        let call = Arc::new(ObservedCall::begin(usage, *api, &request));
        let observed = Observed { usage: usage.clone(), call: call.clone(), status: CLIENT_GONE };
        Answering { answer: CURRENT.scope(call, self.inner.call(request)), observed }
    }
}

pin_project! {
    /// A call on its way to its answer.
    pub struct Answering<F> {
        #[pin]
        answer: TaskLocalFuture<Arc<ObservedCall>, F>,
        observed: Observed,
    }
}

impl<F: Future<Output = Result<Response, E>>, E> Future for Answering<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = std::task::ready!(this.answer.poll(context));
        if let Ok(response) = &answer {
            this.observed.status = response.status().as_u16();
        }
        Poll::Ready(answer)
    }
}
