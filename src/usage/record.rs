//! Recording calls: middleware, counters of keys, and the queue of the request log. Recording a call locks nothing but the
//! counters of its key and makes no database call.

use crate::agents::AgentName;
use crate::api_keys::Permission;
use crate::base::id::{AgentId, ApiKeyId, WorkspaceId};
use crate::base::randomness::Random;
use crate::base::text::without_secrets;
use crate::base::time::Timestamp;
use crate::db::Db;
use crate::gate::Denial;
use crate::gate::decision::RefusalReason;
use crate::gate::indexed::IndexedKey;
use crate::gate::limits::LimitState;
use crate::http::client_address::ClientAddress;
use crate::http::envelope::{ApiError, CorrelationId};
use crate::usage::counts::{AddedCall, CallCount, CallKind, CountedAgent, hour_of};
use crate::usage::metrics::CallMetrics;
use crate::usage::{Api, Outcome, Tally};
use axum::extract::{OriginalUri, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
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

/// Maximum number of log rows that wait to be written.
const QUEUE: usize = 65_536;
/// RFC 8594. Set on answers to calls with a key that expires within this many days.
const SUNSET: HeaderName = HeaderName::from_static("sunset");
const SUNSET_DAYS: i64 = 30;
/// Longest name of a program that is stored, in characters.
const MAX_PROGRAM: usize = 200;
/// Status of a call whose client disconnected before the response. nginx uses the same number.
const CLIENT_GONE: u16 = 499;

/// Limits of the request log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLogLimits {
    /// Maximum number of accepted calls logged per second on this server. Above it, a sample is logged. Refused calls
    /// are logged up to [`MAX_REFUSALS`](crate::usage::counts::MAX_REFUSALS) of each key between two writes.
    pub per_second: u32,
    /// Number of days that a call stays in the log.
    pub days: u32,
    /// Maximum number of calls in the log of a workspace.
    pub rows: u32,
}

impl Default for RequestLogLimits {
    fn default() -> Self {
        Self { per_second: 1_000, days: 30, rows: 500_000 }
    }
}

/// A call to be written to the log.
#[derive(Debug)]
pub struct RequestLogRow {
    pub key: Arc<IndexedKey>,
    pub call: Arc<ObservedCall>,
    pub status: u16,
    pub outcome: Outcome,
    pub duration: Duration,
}

/// Numbers of calls by key, API or agent, hour and outcome.
pub type Counts<What, How = Outcome> = BTreeMap<(WorkspaceId, What, i64, How), u64>;

/// What calls say about the use of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyUse {
    /// Time of the last call.
    pub at: Timestamp,
    /// Time of the last accepted call with each permission, to within an hour.
    pub permissions: BTreeMap<Permission, Timestamp>,
    pub agents: AgentsCalled,
    /// Address and program of the last accepted call that is logged.
    pub client: Option<(String, String)>,
}

/// The agents that accepted calls named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AgentsCalled {
    #[default]
    None,
    One(AgentId),
    Several,
}

impl AgentsCalled {
    fn add(&mut self, agent: &AgentId) {
        match self {
            Self::None => *self = Self::One(agent.clone()),
            Self::One(one) if one == agent => {}
            Self::One(_) | Self::Several => *self = Self::Several,
        }
    }
}

/// Counts that are not written yet, and the use of each key.
#[derive(Debug, Default)]
pub struct CountedCalls {
    pub by_key: Counts<ApiKeyId, Tally>,
    pub by_api: Counts<Api>,
    pub by_agent: Counts<AgentId>,
    pub uses: BTreeMap<(WorkspaceId, ApiKeyId), KeyUse>,
}

impl CountedCalls {
    /// Adds calls of a key.
    pub(super) fn add(
        &mut self,
        workspace: &WorkspaceId,
        key: &ApiKeyId,
        kind: &CallKind,
        CallCount { calls, left_out, by_old_value }: CallCount,
    ) {
        let CallKind { hour, api, outcome, permission, ref agent } = *kind;
        let accepted = outcome == Outcome::Accepted;
        let with = permission.filter(|_| accepted).map(|permission| (Tally::With(permission), calls));
        let tallies = [(Tally::Calls(outcome), calls), (Tally::LeftOut, left_out), (Tally::OldValue, by_old_value)];
        for (tally, calls) in tallies.into_iter().chain(with) {
            if calls > 0 {
                *self.by_key.entry((workspace.clone(), key.clone(), hour, tally)).or_default() += calls;
            }
        }
        *self.by_api.entry((workspace.clone(), api, hour, outcome)).or_default() += calls;
        if let Some(CountedAgent(agent)) = agent {
            *self.by_agent.entry((workspace.clone(), agent.id.clone(), hour, outcome)).or_default() += calls;
        }
        if accepted {
            let used = self.uses.entry((workspace.clone(), key.clone())).or_default();
            if let Some(permission) = permission {
                let last = used.permissions.entry(permission).or_default();
                *last = Timestamp::from_seconds(hour * 3_600).max(*last);
            }
            if let Some(CountedAgent(agent)) = agent {
                used.agents.add(&agent.id);
            }
        }
    }

    /// Records that a key was used at this time.
    pub(super) fn used(&mut self, workspace: &WorkspaceId, key: &ApiKeyId, at: Timestamp) {
        let used = self.uses.entry((workspace.clone(), key.clone())).or_default();
        used.at = at.max(used.at);
    }

    /// Records who made a key's latest accepted calls; `rows` are in the order of their ends.
    pub(super) fn made_by(&mut self, rows: &[RequestLogRow]) {
        for row in rows.iter().rev().filter(|row| row.outcome == Outcome::Accepted) {
            if let Some(used) = self.uses.get_mut(&(row.key.workspace.clone(), row.key.id.clone())) {
                used.client.get_or_insert_with(|| (row.call.address_text(), row.call.program()));
            }
        }
    }
}

/// One flush: data taken from the counters and the queue that is not written yet.
#[derive(Debug, Default)]
pub struct PendingFlush {
    /// Random id of this flush; empty if there is none.
    pub(super) id: String,
    pub(super) counted: CountedCalls,
    pub(super) rows: Vec<RequestLogRow>,
    /// Keys with a quota, and their numbers of accepted calls.
    pub(super) of_quotas: Vec<(Arc<IndexedKey>, u64)>,
}

/// Counts and log rows that are not written yet.
#[derive(Debug)]
pub struct Usage {
    db: Db,
    metrics: CallMetrics,
    limits: RequestLogLimits,
    /// Keys with counts to write.
    waiting: Mutex<Vec<Arc<IndexedKey>>>,
    log: mpsc::Sender<RequestLogRow>,
    queued: Mutex<mpsc::Receiver<RequestLogRow>>,
    /// One of this many accepted calls is logged.
    stride: AtomicU32,
    /// Number of accepted calls since the server started.
    accepted: AtomicU64,
    /// Number of accepted calls that can still be logged in this second.
    budget: AtomicI64,
    /// Number of flushes since the server started.
    flushes: AtomicU64,
    pub(super) pending: tokio::sync::Mutex<PendingFlush>,
}

impl Usage {
    pub fn new(db: Db, metrics: CallMetrics, limits: RequestLogLimits) -> Self {
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
            flushes: AtomicU64::new(0),
            pending: tokio::sync::Mutex::default(),
        }
    }

    pub fn metrics(&self) -> &CallMetrics {
        &self.metrics
    }

    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Limits of the request log.
    pub fn limits(&self) -> RequestLogLimits {
        self.limits
    }

    /// Number of log rows that wait to be written.
    pub fn queued(&self) -> usize {
        self.log.max_capacity() - self.log.capacity()
    }

    /// Counts a call and puts its row into the queue. Returns whether the row was queued.
    fn record(
        &self,
        key: &Arc<IndexedKey>,
        kind: CallKind,
        at: Timestamp,
        row: impl FnOnce() -> RequestLogRow,
    ) -> bool {
        let outcome = kind.outcome;
        let log = || self.keeps(outcome) && self.log.try_send(row()).is_ok();
        let AddedCall { first, logged } = key.counts.get_or_init(Arc::default).add(kind, at, log);
        // The first call after a write adds the key to the worker's list.
        if first {
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

    /// Starts a new second of the log's limit. `accepted` is the current number of accepted calls per second.
    pub(super) fn begin_second(&self, accepted: u64) {
        let limit = u64::from(self.limits.per_second.max(1));
        self.stride.store(accepted.div_ceil(limit).clamp(1, u64::from(u32::MAX)) as u32, Ordering::Relaxed);
        self.budget.store(self.limits.per_second.into(), Ordering::Relaxed);
    }

    /// Number of accepted calls since the server started.
    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    pub(super) fn flushed(&self) {
        self.flushes.fetch_add(1, Ordering::Relaxed);
    }

    /// Number of flushes since the server started.
    pub(super) fn flushes(&self) -> u64 {
        self.flushes.load(Ordering::Relaxed)
    }

    /// Moves the counts since the last call into `counted`, and the keys with a quota and their numbers of accepted calls
    /// into `of_quotas`.
    pub(super) fn take_counts(&self, counted: &mut CountedCalls, of_quotas: &mut Vec<(Arc<IndexedKey>, u64)>) {
        let keys = mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        for key in keys {
            let Some(unwritten) = key.counts.get().map(|counts| counts.take()) else { continue };
            if key.limiter.as_ref().is_some_and(|limiter| limiter.has_quota()) {
                let accepted = unwritten.calls.iter().filter(|(kind, _)| kind.outcome == Outcome::Accepted);
                of_quotas.push((key.clone(), accepted.map(|(_, count)| count.calls).sum()));
            }
            for (kind, mut count) in unwritten.calls {
                if key.is_old_value && kind.outcome == Outcome::Accepted {
                    count.by_old_value = count.calls;
                }
                counted.add(&key.workspace, &key.id, &kind, count);
            }
            if let Some(at) = unwritten.last_used {
                counted.used(&key.workspace, &key.id, at);
            }
        }
    }

    /// Moves rows from the queue into `rows`, until it has `most` rows.
    pub(super) fn take_rows(&self, rows: &mut Vec<RequestLogRow>, most: usize) {
        let mut queued = self.queued.lock().unwrap_or_else(PoisonError::into_inner);
        while rows.len() < most
            && let Ok(row) = queued.try_recv()
        {
            rows.push(row);
        }
    }
}

tokio::task_local! {
    /// The call that the current task handles.
    static CURRENT: Arc<ObservedCall>;
}

/// Who makes a call.
#[derive(Clone, Debug)]
pub struct Client {
    address: Option<ClientAddress>,
    /// The header `User-Agent` (RFC 9110, section 10.1.5).
    program: Option<HeaderValue>,
}

impl Client {
    pub fn new(address: Option<ClientAddress>, headers: &HeaderMap) -> Self {
        Self { address, program: headers.get(header::USER_AGENT).cloned() }
    }
}

/// A call, with the key and the decision that are recorded while it is handled.
#[derive(Debug)]
pub struct ObservedCall {
    began: Instant,
    at: Timestamp,
    pub(super) api: Api,
    method: Method,
    uri: Uri,
    /// Unset for a call without an id, until its log row or its response needs one.
    correlation_id: OnceLock<CorrelationId>,
    client: Option<ClientAddress>,
    program: Option<HeaderValue>,
    key: OnceLock<Arc<IndexedKey>>,
    permission: OnceLock<Permission>,
    agent: OnceLock<Arc<AgentName>>,
    denied: OnceLock<Denial>,
    /// How near the key is to its limits, once the call was counted against them.
    limits: OnceLock<LimitState>,
}

impl ObservedCall {
    /// A call that begins now. `method` and `uri` are those of the client's request.
    fn begin(usage: &Usage, api: Api, (method, uri): (Method, Uri), id: Option<CorrelationId>, client: Client) -> Self {
        Self {
            began: Instant::now(),
            at: usage.db.now(),
            api,
            method,
            uri,
            correlation_id: id.map_or_else(OnceLock::new, OnceLock::from),
            client: client.address,
            program: client.program,
            key: OnceLock::new(),
            permission: OnceLock::new(),
            agent: OnceLock::new(),
            denied: OnceLock::new(),
            limits: OnceLock::new(),
        }
    }

    /// The call that the current task handles. The error: the route lacks the layer [`Observe`], which every route with
    /// keys needs.
    pub fn current() -> Result<Arc<Self>, ApiError> {
        CURRENT.try_with(Arc::clone).map_err(|_| ApiError::internal())
    }

    /// Start of the call, for measuring durations.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Start of the call, for comparison with expiries.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Records the key of the call.
    pub fn made_with(&self, key: &Arc<IndexedKey>) {
        let _ = self.key.set(key.clone());
    }

    /// Records the agent that the call names.
    pub fn names(&self, agent: &Arc<AgentName>) {
        let _ = self.agent.set(agent.clone());
    }

    /// Records the permission that the call needs.
    pub fn needs(&self, permission: Permission) {
        let _ = self.permission.set(permission);
    }

    /// The agent that the call names.
    pub fn agent(&self) -> Option<&AgentName> {
        self.agent.get().map(Arc::as_ref)
    }

    /// Records why the call was denied. Only the first reason is kept.
    pub fn denied(&self, denied: Denial) {
        let _ = self.denied.set(denied);
    }

    /// The correlation id, generated if the call has none.
    pub fn correlation_id(&self, random: &Random) -> &CorrelationId {
        self.correlation_id.get_or_init(|| CorrelationId::generate(random))
    }

    /// The address that the call came from, for the log: the client's or, if it is not known, the proxy's.
    pub fn address(&self) -> Option<IpAddr> {
        self.client.and_then(|client| client.address)
    }

    /// [`address`](Self::address) as text; empty if there is none.
    pub fn address_text(&self) -> String {
        self.address().map(|address| address.to_string()).unwrap_or_default()
    }

    /// The client's address; `None` if it is not known.
    pub fn client_address(&self) -> Option<IpAddr> {
        self.client.filter(|client| client.is_own).and_then(|client| client.address)
    }

    /// Counts the call against the limits of its key, once. The error: it is one too many.
    pub fn admit(&self) -> Result<(), RefusalReason> {
        let Some(limiter) = self.key.get().and_then(|key| key.limiter.as_ref()) else { return Ok(()) };
        if self.limits.get().is_some() {
            return Ok(());
        }
        let (state, decided) = match limiter.admit(self.at) {
            Ok(state) => (state, Ok(())),
            Err((refusal, state)) => (state, Err(refusal)),
        };
        let _ = self.limits.set(state);
        decided
    }

    /// The reason if the call was one too many.
    pub fn limited_by(&self) -> Option<&'static str> {
        match self.denied.get() {
            Some(Denial::Refused(refusal @ (RefusalReason::RateLimited | RefusalReason::QuotaUsed))) => {
                Some(Outcome::from(*refusal).id())
            }
            _ => None,
        }
    }

    /// Sets the headers that tell the caller about its key: its limits, and that it expires soon (`Sunset`, RFC 8594).
    pub fn describe(&self, headers: &mut HeaderMap) {
        if let Some(state) = self.limits.get() {
            state.set(headers);
        }
        let Some(key) = self.key.get() else { return };
        let soon = self.at < key.expires_at && key.expires_at <= self.at.plus_days(SUNSET_DAYS);
        // Whoever may not use the key at all is not told when it ends.
        let strange =
            matches!(self.denied.get(), Some(Denial::Refused(RefusalReason::Paused | RefusalReason::OtherNetwork)));
        if soon && !strange {
            let date = || HeaderValue::try_from(key.expires_at.http_date()).ok();
            if let Some(date) = key.sunset.get_or_init(date) {
                headers.insert(SUNSET, date.clone());
            }
        }
    }

    /// What called (`User-Agent`), cut to 200 characters; empty if it did not say.
    pub fn program(&self) -> String {
        let text = self.program.as_ref().map(|program| String::from_utf8_lossy(program.as_bytes()));
        let text = text.unwrap_or_default();
        let visible = text.chars().filter(|c| !c.is_control()).take(MAX_PROGRAM).collect::<String>();
        without_secrets(&visible)
    }

    /// Method and URI of the client's request.
    pub fn request(&self) -> (&Method, &Uri) {
        (&self.method, &self.uri)
    }
}

/// A call in progress. It is recorded when this is dropped: after the response, or when the client has disconnected.
#[derive(Debug)]
pub struct Observed {
    usage: Arc<Usage>,
    call: Arc<ObservedCall>,
    status: u16,
}

impl Observed {
    /// Starts to observe a call to forward auth, which a reverse proxy makes for its client's request.
    pub fn of_proxy(usage: &Arc<Usage>, original: (Method, Uri), id: Option<CorrelationId>, client: Client) -> Self {
        let call = ObservedCall::begin(usage, Api::ForwardAuth, original, id, client);
        Self { usage: usage.clone(), call: Arc::new(call), status: CLIENT_GONE }
    }

    fn of_api(usage: &Arc<Usage>, api: Api, request: &Request) -> Self {
        let extensions = request.extensions();
        let uri = extensions.get::<OriginalUri>().map_or(request.uri(), |OriginalUri(uri)| uri).clone();
        let id = extensions.get::<CorrelationId>().cloned();
        let address = extensions.get::<ClientAddress>().copied();
        let client = Client::new(address, request.headers());
        let call = ObservedCall::begin(usage, api, (request.method().clone(), uri), id, client);
        Self { usage: usage.clone(), call: Arc::new(call), status: CLIENT_GONE }
    }

    pub fn call(&self) -> &ObservedCall {
        &self.call
    }

    /// Takes the call back from the key's limits if it was refused after it had been counted.
    fn give_back(&self) {
        if self.call.limits.get().is_some()
            && self.call.denied.get().is_some()
            && self.call.limited_by().is_none()
            && let Some(limiter) = self.call.key.get().and_then(|key| key.limiter.as_ref())
        {
            limiter.give_back();
        }
    }

    /// Sets the status of the response.
    pub fn answered(&mut self, status: StatusCode) {
        self.status = status.as_u16();
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        if self.call.denied.get().is_none() {
            // What ended before its handler asked the gate counts too.
            let _ = self.call.admit();
        }
        self.give_back();
        let outcome = match self.call.denied.get() {
            None => Outcome::Accepted,
            Some(Denial::Refused(refusal)) => Outcome::from(*refusal),
            // The gate made no decision.
            Some(Denial::Failed | Denial::Unavailable) => return,
        };
        let usage = &*self.usage;
        let metrics = &usage.metrics;
        let Some(key) = self.call.key.get() else {
            // Without a key nothing is accepted. A call that was not refused failed before the gate decided.
            if outcome != Outcome::Accepted {
                metrics.requests(self.call.api, outcome).inc();
            }
            return;
        };
        metrics.requests(self.call.api, outcome).inc();
        let kind = CallKind {
            hour: hour_of(self.call.at),
            api: self.call.api,
            outcome,
            permission: self.call.permission.get().copied(),
            agent: self.call.agent.get().cloned().map(CountedAgent),
        };
        let logged = usage.record(key, kind, self.call.at, || RequestLogRow {
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

/// Layer that records the calls of an API.
#[derive(Clone, Debug)]
pub struct Observe {
    usage: Arc<Usage>,
    api: Api,
}

impl Observe {
    /// A layer that records calls to this API.
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

/// The service that [`Observe`] makes.
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
        let observed = Observed::of_api(usage, *api, &request);
        Answering { answer: CURRENT.scope(observed.call.clone(), self.inner.call(request)), observed }
    }
}

pin_project! {
    /// The future of a call that is recorded.
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
        let mut answer = std::task::ready!(this.answer.poll(context));
        if let Ok(response) = &mut answer {
            this.observed.answered(response.status());
            this.observed.call.describe(response.headers_mut());
        }
        Poll::Ready(answer)
    }
}
