//! Starts the server, runs its background tasks, and stops it.

use crate::audit::delivery::AuditDelivery;
use crate::backups::service::Backups;
use crate::base::clock::Clock;
use crate::base::randomness::Random;
use crate::db::{Db, WorkKind};
use crate::external_events::arrivals::{self, Arrivals};
use crate::http::listener::{self, ConnectionLimit, HttpVersions};
use crate::recordings::service::Recordings;
use crate::server::front::Front;
use crate::server::settings::Settings;
use crate::server::state::{AppState, Services};
use crate::web::site;
use crate::{gate, usage};
use listenfd::ListenFd;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Interval of deleting expired and old data.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(600);
/// Interval of deletions of audio that could not be deleted with its recording.
const OBJECT_DELETION_INTERVAL: Duration = Duration::from_secs(30);
/// Interval of test writes, which detect a failing database even if nothing else is written.
const WRITE_CHECK_INTERVAL: Duration = Duration::from_secs(15);
/// Interval of test writes while they fail.
const FAILING_WRITE_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How long a stop waits for requests in progress.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(20);

/// Serves until a signal to stop arrives. The error is one sentence.
/// The caller holds the lock of the data directory.
pub async fn serve(settings: &Settings, services: Services) -> Result<(), String> {
    let listener = match socket_of_systemd()? {
        Some(listener) => listener,
        None => listen(settings.listen(), "--listen").await?,
    };
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    let state = AppState { services: services.clone() };
    if site::build_path("agent-studio.css").is_none() {
        tracing::warn!("this program was built without the pages' scripts and styles (`make build` builds them)");
    }
    let mut served = Vec::new();
    if let Some(address) = settings.authz_listen {
        let listener = listen(address, "--authz-listen").await?;
        served.push((listener, Front::forward_auth(&state), HttpVersions::Http1And2, ConnectionLimit::Unlimited));
    }
    let metrics = listen_for_metrics(settings).await?;
    let metrics_address = metrics.local_addr().map_err(|e| e.to_string())?;
    served.push((metrics, Front::metrics(&state), HttpVersions::Http1, ConnectionLimit::Unlimited));
    served.push((listener, Front::all(state), HttpVersions::Http1, settings.connections_per_address()));
    greet(&services, address, metrics_address).await?;

    let stop_writing = CancellationToken::new();
    let writing = tokio::spawn(usage::writer::run(services.usage.clone(), stop_writing.clone()));
    let mut background = JoinSet::new();
    background.spawn(keep_house(services.clone(), settings.audit_to.is_some()));
    background.spawn(usage::ranking::run(services.usage.clone()));
    background.spawn(index_missing(services.clone()));
    background.spawn(delete_objects(services.recordings.clone()));
    background.spawn(check_writes(services.db.clone()));
    background.spawn(gate::follower::follow(services.gate.clone()));
    background.spawn(arrivals::listen(services.arrivals.clone(), services.db.clone()));
    if let Some(target) = settings.audit_to.clone() {
        background.spawn(AuditDelivery::new(&services.db, target).run());
    }
    if let Some(schedule) = settings.backup_schedule() {
        let backups = Backups::new(settings.location()?, Clock::System, Random::System);
        let status = services.backup_status.clone();
        background.spawn(async move { schedule.run(backups, &status, Clock::System).await });
    }
    let done = run(&services.arrivals, served).await;
    // The usage of the last requests is written before anything else is stopped.
    stop_writing.cancel();
    if timeout(SHUTDOWN_TIMEOUT, writing).await.is_err() {
        tracing::error!("the last second's usage of keys could not be written in time");
    }
    background.shutdown().await;
    gate::follower::leave(&services.gate).await;
    services.db.close().await;
    done
}

/// The socket that systemd has opened for this service (sd_listen_fds(3)), if it did. Calls that arrive during a restart
/// wait there.
fn socket_of_systemd() -> Result<Option<TcpListener>, String> {
    let socket = ListenFd::from_env().take_tcp_listener(0);
    let listener = socket.and_then(|socket| {
        socket.map(|socket| socket.set_nonblocking(true).and_then(|()| TcpListener::from_std(socket))).transpose()
    });
    listener.map_err(|e| format!("the socket from systemd: {e}"))
}

async fn listen(address: SocketAddr, setting: &str) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|e| format!("{address} ({setting}) cannot be listened on: {e}"))
}

/// Opens the metrics' listener. If no address is set and the default one is taken (by another server on this machine),
/// uses a free port.
async fn listen_for_metrics(settings: &Settings) -> Result<TcpListener, String> {
    if let Some(address) = settings.metrics_listen {
        return listen(address, "--metrics-listen").await;
    }
    match TcpListener::bind(settings.metrics_address()).await {
        Ok(listener) => Ok(listener),
        Err(_) => listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), "--metrics-listen").await,
    }
}

/// A listener, what answers there, and what it lets in.
type Served = (TcpListener, Front, HttpVersions, ConnectionLimit);

/// Serves all listeners until a signal to stop arrives, then waits for the requests in progress.
async fn run(arrivals: &Arrivals, served: Vec<Served>) -> Result<(), String> {
    let stop = CancellationToken::new();
    let mut servers = JoinSet::new();
    for (listener, front, versions, limits) in served {
        servers.spawn(listener::serve(listener, front, versions, limits, stop.clone()));
    }
    let failed = |done: Option<Result<(), JoinError>>| match done {
        Some(Err(error)) => Err(format!("the server failed: {error}")),
        _ => Ok(()),
    };
    tokio::select! {
        () = asked_to_stop() => tracing::info!("stopping"),
        done = servers.join_next() => failed(done)?,
    }
    arrivals.close();
    stop.cancel();
    let rest = async {
        while let Some(done) = servers.join_next().await {
            failed(Some(done))?;
        }
        Ok(())
    };
    timeout(SHUTDOWN_TIMEOUT, rest).await.unwrap_or_else(|_| {
        tracing::warn!("stopped with requests still under way");
        Ok(())
    })
}

/// Prints the server's addresses and, if there are no users, how to set it up.
async fn greet(services: &Services, address: SocketAddr, metrics: SocketAddr) -> Result<(), String> {
    let url = services.public_origin.as_deref().map_or_else(|| format!("http://{address}"), str::to_owned);
    tracing::info!(%url, %address, %metrics, "listening");
    say(format_args!("Agent Studio is at {url}"));
    say(format_args!("Metrics are at http://{metrics}/metrics"));
    if !services.users.any().await.map_err(|e| e.to_string())? {
        let token = services.sealing.set_up_token();
        let token = token.as_str();
        say(format_args!("There are no users yet. Set up at {url}/set-up with the token {token}"));
    }
    let foreign = services.api_keys.foreign_seals().await.map_err(|e| e.to_string())?;
    if foreign > 0 {
        tracing::warn!(keys = foreign, "these keys are sealed under another master key and cannot be copied");
    }
    Ok(())
}

async fn keep_house(services: Services, delivers_audit: bool) {
    let mut rounds = tokio::time::interval(HOUSEKEEPING_INTERVAL);
    let mut is_first = true;
    loop {
        rounds.tick().await;
        // An error is logged where it occurs. The next run tries again.
        let _ = services.sessions.delete_expired().await;
        let _ = services.throttle.forget_old().await;
        let _ = services.shown_once.delete_expired().await;
        let _ = services.form_drafts.delete_expired().await;
        let _ = services.api_keys.erase_deleted().await;
        let _ = services.agents.erase_deleted().await;
        let _ = services.api_keys.forget_bulk_changes().await;
        let _ = gate::follower::forget(&services.gate).await;
        let _ = usage::writer::forget(&services.usage).await;
        // At the start, the server that delivers may not have said so yet.
        if !delivers_audit && !is_first {
            let _ = services.audit.forget_unused_sink().await;
        }
        is_first = false;
        if let Ok(count @ 1..) = services.conversations.erase_old().await {
            tracing::info!(count, "conversations erased that were older than their workspaces keep them");
        }
    }
}

/// Deletes the audio of recordings that were deleted or replaced.
async fn delete_objects(recordings: Recordings) {
    loop {
        recordings.delete_due(None).await;
        tokio::time::sleep(OBJECT_DELETION_INTERVAL).await;
    }
}

/// Writes to the database at intervals, to detect when writing begins to fail or works again.
async fn check_writes(db: Db) {
    let db = db.of(WorkKind::Background);
    loop {
        // A change of the result is logged by `WriteHealth`.
        let _ = db.check_write().await;
        match db.write_failure() {
            Some(_) => tokio::time::sleep(FAILING_WRITE_CHECK_INTERVAL).await,
            // A write of somebody else may fail first.
            None => drop(tokio::time::timeout(WRITE_CHECK_INTERVAL, db.write_fails()).await),
        }
    }
}

/// Adds transcripts that an earlier version stored to the full-text index, in the background. After an error, the next
/// start tries again.
async fn index_missing(services: Services) {
    match services.conversations.index_missing().await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "transcripts of an earlier version can be searched now"),
        Err(error) => tracing::error!(%error, "transcripts of an earlier version could not all be indexed"),
    }
}

async fn asked_to_stop() {
    let interrupt = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        },
        Err(_) => {
            let _ = interrupt.await;
        }
    }
}

/// Prints a line to standard error. Unlike `eprintln!`, it does not panic if that fails.
pub fn say(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
