//! Keeps the index up to date with the database, and makes each change wait until every server has applied it.
//!
//! Triggers of the database report every change in its transaction: on SQLite in a table, on PostgreSQL through NOTIFY.
//!
//! On PostgreSQL, each server sends a heartbeat through the same channel. When it receives its own heartbeat, it has
//! received every change that was committed before. It then trusts its index until `LEASE` after it sent the heartbeat.
//! A change waits until every server with a lease has acknowledged it, or until that lease has ended. A server that is
//! cut off no longer trusts its index by then.

use crate::db::{AfterCommit, Change, ChangeConnection, CommitHook, Db, DbError, Unreachable, WorkKind};
use crate::gate::followers::AwaitedAcknowledgements;
use crate::gate::index::{GateChange, Index};
use crate::gate::state::Gate;
use crate::{on_change, on_db};
use async_trait::async_trait;
use sqlx::postgres::{PgListener, PgPool};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use std::time::Instant;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout, timeout_at};

/// PostgreSQL channel for changes, tickets and heartbeats.
const CHANNEL: &str = "agent_studio_gate";
/// PostgreSQL channel for acknowledgements of tickets.
const ACKNOWLEDGEMENTS: &str = "agent_studio_gate_followed";
/// How long a server trusts its index after it sent a heartbeat.
const LEASE: Duration = Duration::from_secs(2);
/// A server stops trusting its index this long before its lease ends.
const LEASE_MARGIN: Duration = Duration::from_millis(100);
const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(500);
/// Interval of polling SQLite for changes that the command line makes.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How long the index is trusted after a poll of SQLite. So no change stays unnoticed for more than a second, even if
/// the next poll is delayed.
const POLL_LEASE: Duration = Duration::from_millis(800);
/// How long the database may take for a heartbeat before it counts as unreachable.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// Characters of a ticket, which identifies one change.
const TICKET: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
/// Pause before a server starts to follow again.
const RECONNECT_DELAY: Duration = Duration::from_millis(500);

// Statements for SQLite only. They are not declared with `statements!`, whose list is prepared on both engines.
const LAST_CHANGE: &str = "SELECT COALESCE(MAX(number), 0) FROM gate_changes";
const CHANGES: &str = "SELECT number, kind, what FROM gate_changes WHERE number > $1 ORDER BY number LIMIT 1000";
const FORGET_CHANGES: &str = "DELETE FROM gate_changes WHERE number <= $1";
// Statements for PostgreSQL only.
const NOTIFY: &str = "SELECT pg_notify($1, $2)";
const HEARTBEAT: &str =
    "WITH lease AS (INSERT INTO gate_servers (id, until) VALUES ($1, clock_timestamp() + $2 * interval '1 ms')
        ON CONFLICT (id) DO UPDATE SET until = excluded.until)
    SELECT pg_notify($3, $4)";
const HAS_CHANGED: &str = "SELECT COALESCE(current_setting('agent_studio.gate_changed', true), '') = 'yes'";
const SERVERS: &str = "SELECT id FROM gate_servers WHERE until > clock_timestamp()";
const FORGET_SERVERS: &str = "DELETE FROM gate_servers WHERE id = $1 OR until < clock_timestamp() - interval '1 day'";

/// Statements for SQLite only.
pub const SQLITE_STATEMENTS: [&str; 3] = [LAST_CHANGE, CHANGES, FORGET_CHANGES];
/// Statements for PostgreSQL only.
pub const POSTGRES_STATEMENTS: [&str; 5] = [NOTIFY, HEARTBEAT, HAS_CHANGED, SERVERS, FORGET_SERVERS];

/// Follows the database until the task is aborted. After an error, the index is not trusted until following has started
/// again.
pub async fn follow(gate: Arc<Gate>) {
    let db = gate.db().of(WorkKind::Gate);
    loop {
        let lost = match db.postgres_pool() {
            None => follow_sqlite(&gate, &db).await,
            Some(pool) => follow_postgres(&gate, &db, pool).await,
        };
        gate.distrust();
        gate.followers.lose();
        if let Err(error) = lost {
            tracing::warn!(%error, "the gate does not follow the database");
        }
        look_for_database(&gate).await;
        sleep(RECONNECT_DELAY).await;
    }
}

/// Probes the database, and logs if its state has changed.
async fn look_for_database(gate: &Gate) {
    let unreachable = gate.db().probe().await.err();
    set_gone(gate, unreachable);
}

fn set_gone(gate: &Gate, unreachable: Option<Unreachable>) {
    let was_gone = gate.db().set_gone(unreachable.is_some());
    gate.set_gone(unreachable.is_some());
    let seconds = gate.last_known().as_secs();
    match (was_gone, unreachable) {
        (false, Some(why)) if seconds == 0 => tracing::error!("the database {why}: calls are refused until it is back"),
        (false, Some(why)) => {
            tracing::error!(seconds, "the database {why}: calls are decided by what was last known, for so long");
        }
        (true, None) => tracing::info!("the database is back"),
        _ => {}
    }
}

/// Installs the commit hook: a commit that changes data of the gate waits until every server has applied it. Triggers
/// of the database detect such changes, so no other code has to report them.
pub fn install(gate: &Arc<Gate>) {
    gate.db().install_commit_hook(Arc::new(GateHook(Arc::downgrade(gate))));
}

/// The commit hook. Its reference to the gate is weak, because the gate owns the database, which owns the hook.
#[derive(Debug)]
struct GateHook(Weak<Gate>);

#[async_trait]
impl CommitHook for GateHook {
    async fn prepare(&self, change: &mut Change) -> Result<Option<Box<dyn AfterCommit>>, sqlx::Error> {
        let Some(gate) = self.0.upgrade() else { return Ok(None) };
        if gate.db().is_sqlite() {
            let (last,): (i64,) = on_change!(change, |c| sqlx::query_as(LAST_CHANGE).fetch_one(c).await)?;
            // A gate that is not following yet may load its index before the commit, without this change. `try_lock`,
            // because waiting for the index within the transaction would block every other writer.
            let is_applied = gate.applied.try_lock().is_ok_and(|applied| applied.is_some_and(|at| last <= at));
            return Ok((!is_applied).then(|| Box::new(SqliteChange(gate)) as Box<dyn AfterCommit>));
        }
        let (changed,): (bool,) = on_change!(change, |c| sqlx::query_as(HAS_CHANGED).fetch_one(c).await)?;
        if !changed {
            return Ok(None);
        }
        let ticket = change.random().text(TICKET, 20);
        let following = gate.followers.expect(&ticket);
        on_change!(change, |c| sqlx::query(NOTIFY)
            .bind(CHANNEL)
            .bind(format!("ticket {ticket}"))
            .execute(c)
            .await
            .map(|_| ()))?;
        Ok(Some(Box::new(PostgresChange { gate, following })))
    }
}

struct SqliteChange(Arc<Gate>);

#[async_trait]
impl AfterCommit for SqliteChange {
    async fn wait(self: Box<Self>, connection: ChangeConnection) {
        let Self(gate) = *self;
        let committed = Instant::now();
        drop(connection);
        // The change is already committed. If it cannot be applied to the index, the index is loaded again.
        if catch_up(&gate).await.is_err() {
            *gate.applied.lock().await = None;
            gate.distrust();
        }
        gate.metrics().changed(committed);
    }
}

async fn follow_sqlite(gate: &Gate, db: &Db) -> Result<(), DbError> {
    {
        let mut applied = gate.applied.lock().await;
        let (last,): (i64,) = on_db!(db, |c| sqlx::query_as(LAST_CHANGE).fetch_one(c).await)?;
        // Changes made during loading are applied again afterwards.
        gate.replace(Index::load(db, &gate.limiters).await?);
        *applied = Some(last);
    }
    set_gone(gate, None);
    tracing::info!(keys = gate.index().len(), "the gate has every key in memory");
    loop {
        apply_changes(gate, Some(Instant::now())).await?;
        sleep(POLL_INTERVAL).await;
        if gate.applied.lock().await.is_none() {
            return Err(DbError::Unavailable);
        }
    }
}

/// Applies the changes in SQLite since the last call. Does nothing on PostgreSQL, which sends notifications.
pub async fn catch_up(gate: &Gate) -> Result<(), DbError> {
    apply_changes(gate, None).await
}

/// Like [`catch_up`], for a call with an unknown key, which the command line may have created just before the call
/// began. It polls only after a commit. Calls that arrive during a poll share the next one, so that many invalid keys cause
/// one poll at a time.
pub async fn catch_up_for(gate: &Gate, began: Instant) -> Result<(), DbError> {
    if !gate.db().is_sqlite() || gate.has_last_commit() {
        return Ok(());
    }
    let mut applied = gate.applied.lock().await;
    match gate.is_known_since(began) {
        true => Ok(()),
        false => apply_changes_to(gate, &mut applied, Some(Instant::now())).await,
    }
}

/// Applies the changes in SQLite since the last call, and trusts the index as of `trust_since`, an instant before this
/// call. Does nothing if the database is not being followed.
async fn apply_changes(gate: &Gate, trust_since: Option<Instant>) -> Result<(), DbError> {
    apply_changes_to(gate, &mut *gate.applied.lock().await, trust_since).await
}

async fn apply_changes_to(gate: &Gate, applied: &mut Option<i64>, trust_since: Option<Instant>) -> Result<(), DbError> {
    if !gate.db().is_sqlite() {
        return Ok(());
    }
    let db = gate.db().of(WorkKind::Gate);
    while let Some(before) = *applied {
        let (read_at, last_commit) = (Instant::now(), db.commit_mark());
        let changes: Vec<(i64, String, String)> =
            on_db!(&db, |c| sqlx::query_as(CHANGES).bind(before).fetch_all(c).await)?;
        let Some((last, ..)) = changes.last() else {
            gate.set_polled(last_commit, read_at);
            if let Some(since) = trust_since {
                gate.trust(since, POLL_LEASE);
            }
            return Ok(());
        };
        let last = *last;
        for (_, kind, what) in &changes {
            apply(gate, &db, kind, what).await?;
        }
        *applied = Some(last);
    }
    Ok(())
}

/// Deletes the rows of changes that were applied, on SQLite.
pub async fn forget(gate: &Gate) -> Result<(), DbError> {
    let applied = *gate.applied.lock().await;
    let Some(applied) = applied.filter(|_| gate.db().is_sqlite()) else { return Ok(()) };
    let mut change = gate.db().of(WorkKind::Background).begin_unattended().await?;
    on_change!(&mut change, |c| sqlx::query(FORGET_CHANGES).bind(applied).execute(c).await.map(|_| ()))?;
    change.commit().await
}

async fn apply(gate: &Gate, db: &Db, kind: &str, what: &str) -> Result<(), DbError> {
    match GateChange::parse(kind, what) {
        Some(change) => gate.index().apply(db, &gate.limiters, &change).await,
        None => Err(DbError::Failed),
    }
}

/// Send times of the heartbeats that have not been received yet, by their number.
type Beats = Mutex<HashMap<u64, Instant>>;

async fn follow_postgres(gate: &Arc<Gate>, db: &Db, pool: &PgPool) -> Result<(), DbError> {
    let mut listener = PgListener::connect_with(pool).await?;
    // Without this, a lost connection is reported only after a new one is made.
    listener.eager_reconnect(false);
    listener.listen_all([CHANNEL, ACKNOWLEDGEMENTS]).await?;
    // Changes from here on arrive as notifications and are applied after this.
    gate.replace(Index::load(db, &gate.limiters).await?);
    tracing::info!(keys = gate.index().len(), "the gate has every key in memory");
    gate.followers.hear();
    let beats = Arc::new(Beats::default());
    // Heartbeats run in a separate task, which ends with this one, so that neither waits for the other's connection.
    let mut beating = JoinSet::new();
    beating.spawn(beat(gate.clone(), db.clone(), beats.clone()));
    tokio::select! {
        lost = hear(gate, db, &beats, &mut listener) => lost,
        _ = beating.join_next() => Err(DbError::Failed),
    }
}

async fn beat(gate: Arc<Gate>, db: Db, beats: Arc<Beats>) {
    let server = gate.server();
    for number in 0_u64.. {
        let sent = Instant::now();
        {
            let mut beats = beats.lock().unwrap_or_else(PoisonError::into_inner);
            // Drops heartbeats that were never received.
            beats.retain(|_, sent| sent.elapsed() < LEASE);
            beats.insert(number, sent);
        }
        let beat = async {
            on_db!(&db, |c| sqlx::query(HEARTBEAT)
                .bind(server)
                .bind(LEASE.as_millis() as i32)
                .bind(CHANNEL)
                .bind(format!("beat {server} {number}"))
                .execute(c)
                .await
                .map(|_| ()))
        };
        match timeout(PROBE_TIMEOUT, beat).await {
            Ok(Ok(_)) => set_gone(&gate, None),
            // Marks an unreachable database as gone, so that calls do not wait for it.
            _ => look_for_database(&gate).await,
        }
        sleep(HEARTBEAT_INTERVAL).await;
    }
}

/// Ends this server's lease, so that other servers do not wait for it. Called when it stops.
pub async fn leave(gate: &Gate) {
    gate.distrust();
    let db = gate.db().of(WorkKind::Gate);
    if !db.is_sqlite() {
        let left =
            async { on_db!(db, |c| sqlx::query(FORGET_SERVERS).bind(gate.server()).execute(c).await.map(|_| ())) };
        // If this fails, they wait until the lease has ended.
        let _ = timeout(LEASE, left).await;
    }
}

async fn hear(gate: &Gate, db: &Db, beats: &Beats, listener: &mut PgListener) -> Result<(), DbError> {
    // `None` means that the connection was lost, and notifications with it.
    while let Some(notification) = listener.try_recv().await? {
        if notification.channel() == ACKNOWLEDGEMENTS {
            gate.followers.follows(notification.payload());
            continue;
        }
        let mut words = notification.payload().split(' ');
        match (words.next(), words.next(), words.next()) {
            (Some("beat"), Some(id), Some(number)) if id == gate.server() => {
                let number = number.parse().map_err(|_| DbError::Failed)?;
                let sent = beats.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
                if let Some(sent) = sent {
                    gate.trust(sent, LEASE - LEASE_MARGIN);
                }
            }
            (Some("beat"), ..) => {}
            (Some("ticket"), Some(ticket), _) => {
                let followed = format!("{ticket} {}", gate.server());
                on_db!(db, |c| sqlx::query(NOTIFY).bind(ACKNOWLEDGEMENTS).bind(followed).execute(c).await.map(|_| ()))?;
            }
            (Some(kind), Some(what), _) => apply(gate, db, kind, what).await?,
            _ => return Err(DbError::Failed),
        }
    }
    Err(DbError::Unavailable)
}

/// Listens on PostgreSQL for acknowledgements, for commands, which change keys but are not servers. Returns when the
/// listener is connected.
pub async fn hear_followers(gate: &Arc<Gate>) {
    let db = gate.db().of(WorkKind::Gate);
    let Some(pool) = db.postgres_pool() else { return };
    let listener = async {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(ACKNOWLEDGEMENTS).await?;
        Ok::<_, sqlx::Error>(listener)
    };
    // Without a listener, changes wait until the servers' leases have ended.
    let Ok(mut listener) = listener.await else { return };
    gate.followers.hear();
    let gate = gate.clone();
    tokio::spawn(async move {
        while let Ok(Some(notification)) = listener.try_recv().await {
            gate.followers.follows(notification.payload());
        }
        gate.followers.lose();
    });
}

struct PostgresChange {
    gate: Arc<Gate>,
    following: AwaitedAcknowledgements,
}

#[async_trait]
impl AfterCommit for PostgresChange {
    async fn wait(self: Box<Self>, connection: ChangeConnection) {
        let Self { gate, mut following } = *self;
        let committed = Instant::now();
        let over = tokio::time::Instant::from_std(committed + LEASE);
        wait_for_servers(&mut following, connection, over).await;
        gate.metrics().changed(committed);
    }
}

/// Waits until every server with a lease has acknowledged the change, or until those leases have ended.
async fn wait_for_servers(
    following: &mut AwaitedAcknowledgements,
    connection: ChangeConnection,
    over: tokio::time::Instant,
) {
    // On a timeout, the leases have ended already.
    let Ok(servers) = timeout_at(over, servers(connection)).await else { return };
    let Ok(servers) = servers else { return tokio::time::sleep_until(over).await };
    let mut waiting: HashSet<String> = servers.into_iter().map(|(id,)| id).collect();
    while !waiting.is_empty() {
        match timeout_at(over, following.next()).await {
            Ok(Some(server)) => drop(waiting.remove(&server)),
            // The listener was lost, so this waits until the leases have ended.
            Ok(None) => return tokio::time::sleep_until(over).await,
            Err(_) => return,
        }
    }
}

/// The servers with a lease, queried on the connection that has just committed.
async fn servers(connection: ChangeConnection) -> Result<Vec<(String,)>, sqlx::Error> {
    let ChangeConnection::Postgres(mut held) = connection else { return Ok(Vec::new()) };
    let servers = sqlx::query_as(SERVERS).fetch_all(held.begin_statement()).await;
    held.end_statement(&servers);
    servers
}
