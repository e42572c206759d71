//! Keeps the index in step with the database, and lets no change be answered before every server follows it.
//!
//! The databases' triggers tell of every change in the transaction that makes it: SQLite in a table, PostgreSQL by
//! NOTIFY. A server of PostgreSQL trusts its index for `LEASE` after it sent a beat that came back to it through the
//! same channel: by then it has heard of everything that was committed before the beat. Whoever makes a change waits
//! until every server with a lease has said that it follows, or until that lease is over; a server that is cut off has
//! stopped trusting its index by then.

use crate::base::error::Error;
use crate::db::{Change, ChangeConnection, CommitHook, Committed, Db, Unreachable, Work};
use crate::gate::followers::Following;
use crate::gate::index::{Gate, GateChange, Index};
use crate::{on_change, on_db};
use async_trait::async_trait;
use sqlx::postgres::{PgListener, PgPool};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use std::time::Instant;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout, timeout_at};

/// Where PostgreSQL's servers hear of changes, tickets and beats.
const CHANNEL: &str = "agent_studio_gate";
/// Where they say that they follow.
const ACKNOWLEDGEMENTS: &str = "agent_studio_gate_followed";
/// How long a server trusts its index after a beat.
const LEASE: Duration = Duration::from_secs(2);
/// By how much a server stops before its lease is over.
const MARGIN: Duration = Duration::from_millis(100);
const BEAT: Duration = Duration::from_millis(500);
/// How often SQLite's changes are looked for: those that the command line makes.
const LOOK: Duration = Duration::from_millis(50);
/// How often SQLite's changes are looked for at most because of keys that are not known.
const SOON: Duration = Duration::from_millis(2);
/// How long SQLite's index is trusted after a look: a change is noticed within a second, whatever holds up the next one.
const TRUST: Duration = Duration::from_millis(800);
/// How long a database may take to answer before it counts as gone.
const PROBE: Duration = Duration::from_secs(1);
/// What tickets are made of.
const TICKET: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
/// How long a server waits before it begins anew.
const AGAIN: Duration = Duration::from_millis(500);

// SQLite's alone: statements of one database are in no common list.
const LAST_CHANGE: &str = "SELECT COALESCE(MAX(number), 0) FROM gate_changes";
const CHANGES: &str = "SELECT number, kind, what FROM gate_changes WHERE number > $1 ORDER BY number LIMIT 1000";
const FORGET_CHANGES: &str = "DELETE FROM gate_changes WHERE number <= $1";
// PostgreSQL's alone.
const NOTIFY: &str = "SELECT pg_notify($1, $2)";
const BEAT_NOW: &str =
    "WITH lease AS (INSERT INTO gate_servers (id, until) VALUES ($1, clock_timestamp() + $2 * interval '1 ms')
        ON CONFLICT (id) DO UPDATE SET until = excluded.until)
    SELECT pg_notify($3, $4)";
const HAS_CHANGED: &str = "SELECT COALESCE(current_setting('agent_studio.gate_changed', true), '') = 'yes'";
const SERVERS: &str = "SELECT id FROM gate_servers WHERE until > clock_timestamp()";
const FORGET_SERVERS: &str = "DELETE FROM gate_servers WHERE id = $1 OR until < clock_timestamp() - interval '1 day'";

/// SQLite's alone.
pub const SQLITE_STATEMENTS: [&str; 3] = [LAST_CHANGE, CHANGES, FORGET_CHANGES];
/// PostgreSQL's alone.
pub const POSTGRES_STATEMENTS: [&str; 5] = [NOTIFY, BEAT_NOW, HAS_CHANGED, SERVERS, FORGET_SERVERS];

/// Follows the database until the task is aborted. Whatever goes wrong, the index is not trusted meanwhile.
pub async fn follow(gate: Arc<Gate>) {
    let db = gate.db().of(Work::Gate);
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
        sleep(AGAIN).await;
    }
}

/// Finds out whether the database answers at all, and says so where that is news.
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

/// Lets every commit on this gate's database wait until every server follows what it changed of what the gate decides by.
/// The databases' triggers tell of that: no code has to.
pub fn install(gate: &Arc<Gate>) {
    gate.db().install_commit_hook(Arc::new(GateHook(Arc::downgrade(gate))));
}

/// The database holds it, and it must not hold the database.
#[derive(Debug)]
struct GateHook(Weak<Gate>);

#[async_trait]
impl CommitHook for GateHook {
    async fn prepare(&self, change: &mut Change) -> Result<Option<Box<dyn Committed>>, sqlx::Error> {
        let Some(gate) = self.0.upgrade() else { return Ok(None) };
        if gate.db().is_sqlite() {
            let (last,): (i64,) = on_change!(change, |c| sqlx::query_as(LAST_CHANGE).fetch_one(c).await)?;
            // A gate that does not follow yet may begin to before the commit, without this change. Nobody waits for the index here:
            // the transaction would hold up every other.
            let is_applied = gate.applied.try_lock().is_ok_and(|applied| applied.is_some_and(|at| last <= at));
            return Ok((!is_applied).then(|| Box::new(SqliteChange(gate)) as Box<dyn Committed>));
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
impl Committed for SqliteChange {
    async fn wait(self: Box<Self>, connection: ChangeConnection) {
        let Self(gate) = *self;
        let committed = Instant::now();
        drop(connection);
        // What was committed is done; where it cannot be followed, the index begins anew.
        if catch_up(&gate).await.is_err() {
            *gate.applied.lock().await = None;
            gate.distrust();
        }
        gate.metrics().changed(committed);
    }
}

async fn follow_sqlite(gate: &Gate, db: &Db) -> Result<(), Error> {
    {
        let mut applied = gate.applied.lock().await;
        let (last,): (i64,) = on_db!(db, |c| sqlx::query_as(LAST_CHANGE).fetch_one(c).await)?;
        // What changes while it is read is applied again afterwards.
        gate.replace(Index::load(db).await?);
        *applied = Some(last);
    }
    set_gone(gate, None);
    tracing::info!(keys = gate.index().len(), "the gate has every key in memory");
    loop {
        apply_changes(gate, Some(Instant::now())).await?;
        sleep(LOOK).await;
        if gate.applied.lock().await.is_none() {
            return Err(Error::Unavailable);
        }
    }
}

/// Applies what has changed in SQLite since the last time; PostgreSQL tells of changes by itself, and is not asked.
pub async fn catch_up(gate: &Gate) -> Result<(), Error> {
    apply_changes(gate, None).await
}

/// The same for a call that began then with a key that is not known: the command line may have made it just before. Such calls
/// share what is looked up and wait for it a little: whoever makes up keys does not make the database work.
pub async fn catch_up_for(gate: &Gate, began: Instant) -> Result<(), Error> {
    if !gate.db().is_sqlite() {
        return Ok(());
    }
    if let Some(age) = gate.age().filter(|age| *age < SOON) {
        sleep(SOON - age).await;
    }
    let mut applied = gate.applied.lock().await;
    match gate.is_known_since(began) {
        true => Ok(()),
        false => apply_changes_to(gate, &mut applied, Some(Instant::now())).await,
    }
}

/// Applies what has changed in SQLite since the last time, and trusts the index from this instant on, which was before;
/// nothing where the database is not followed.
async fn apply_changes(gate: &Gate, trust_since: Option<Instant>) -> Result<(), Error> {
    apply_changes_to(gate, &mut *gate.applied.lock().await, trust_since).await
}

async fn apply_changes_to(gate: &Gate, applied: &mut Option<i64>, trust_since: Option<Instant>) -> Result<(), Error> {
    if !gate.db().is_sqlite() {
        return Ok(());
    }
    let db = gate.db().of(Work::Gate);
    while let Some(before) = *applied {
        let changes: Vec<(i64, String, String)> =
            on_db!(&db, |c| sqlx::query_as(CHANGES).bind(before).fetch_all(c).await)?;
        let Some((last, ..)) = changes.last() else {
            if let Some(since) = trust_since {
                gate.trust(since, TRUST);
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

/// Forgets changes that were applied.
pub async fn forget(gate: &Gate) -> Result<(), Error> {
    let applied = *gate.applied.lock().await;
    let Some(applied) = applied.filter(|_| gate.db().is_sqlite()) else { return Ok(()) };
    let mut change = gate.db().of(Work::Background).begin_unattended().await?;
    on_change!(&mut change, |c| sqlx::query(FORGET_CHANGES).bind(applied).execute(c).await.map(|_| ()))?;
    change.commit().await
}

async fn apply(gate: &Gate, db: &Db, kind: &str, what: &str) -> Result<(), Error> {
    match GateChange::parse(kind, what) {
        Some(change) => gate.index().apply(db, &change).await,
        None => Err(Error::Internal),
    }
}

/// When each beat was sent that has not come back yet, by its number.
type Beats = Mutex<HashMap<u64, Instant>>;

async fn follow_postgres(gate: &Arc<Gate>, db: &Db, pool: &PgPool) -> Result<(), Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    // A lost connection is told at once, not when there is another.
    listener.eager_reconnect(false);
    listener.listen_all([CHANNEL, ACKNOWLEDGEMENTS]).await?;
    // What changes from here on is heard of, and applied after this.
    gate.replace(Index::load(db).await?);
    tracing::info!(keys = gate.index().len(), "the gate has every key in memory");
    gate.followers.hear();
    let beats = Arc::new(Beats::default());
    // In a task of its own, which ends with this one: neither waits for the other's connection.
    let mut beating = JoinSet::new();
    beating.spawn(beat(gate.clone(), db.clone(), beats.clone()));
    tokio::select! {
        lost = hear(gate, db, &beats, &mut listener) => lost,
        _ = beating.join_next() => Err(Error::Internal),
    }
}

async fn beat(gate: Arc<Gate>, db: Db, beats: Arc<Beats>) {
    let server = gate.server();
    for number in 0_u64.. {
        let sent = Instant::now();
        {
            let mut beats = beats.lock().unwrap_or_else(PoisonError::into_inner);
            // Those that never came back.
            beats.retain(|_, sent| sent.elapsed() < LEASE);
            beats.insert(number, sent);
        }
        let beat = async {
            on_db!(&db, |c| sqlx::query(BEAT_NOW)
                .bind(server)
                .bind(LEASE.as_millis() as i32)
                .bind(CHANNEL)
                .bind(format!("beat {server} {number}"))
                .execute(c)
                .await
                .map(|_| ()))
        };
        match timeout(PROBE, beat).await {
            Ok(Ok(_)) => set_gone(&gate, None),
            // Calls do not wait for a database that does not answer.
            _ => look_for_database(&gate).await,
        }
        sleep(BEAT).await;
    }
}

/// Tells the others not to wait for this server any more.
pub async fn leave(gate: &Gate) {
    gate.distrust();
    let db = gate.db().of(Work::Gate);
    if !db.is_sqlite() {
        let left =
            async { on_db!(db, |c| sqlx::query(FORGET_SERVERS).bind(gate.server()).execute(c).await.map(|_| ())) };
        // Where it cannot be told, they wait until the lease is over.
        let _ = timeout(LEASE, left).await;
    }
}

async fn hear(gate: &Gate, db: &Db, beats: &Beats, listener: &mut PgListener) -> Result<(), Error> {
    // None: the connection was lost, and what was sent meanwhile with it.
    while let Some(notification) = listener.try_recv().await? {
        if notification.channel() == ACKNOWLEDGEMENTS {
            gate.followers.follows(notification.payload());
            continue;
        }
        let mut words = notification.payload().split(' ');
        match (words.next(), words.next(), words.next()) {
            (Some("beat"), Some(id), Some(number)) if id == gate.server() => {
                let number = number.parse().map_err(|_| Error::Internal)?;
                let sent = beats.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
                if let Some(sent) = sent {
                    gate.trust(sent, LEASE - MARGIN);
                }
            }
            (Some("beat"), ..) => {}
            (Some("ticket"), Some(ticket), _) => {
                let followed = format!("{ticket} {}", gate.server());
                on_db!(db, |c| sqlx::query(NOTIFY).bind(ACKNOWLEDGEMENTS).bind(followed).execute(c).await.map(|_| ()))?;
            }
            (Some(kind), Some(what), _) => apply(gate, db, kind, what).await?,
            _ => return Err(Error::Internal),
        }
    }
    Err(Error::Unavailable)
}

/// Hears on PostgreSQL who follows this program's changes, where it is no server: for commands. Returns once it hears.
pub async fn hear_followers(gate: &Arc<Gate>) {
    let db = gate.db().of(Work::Gate);
    let Some(pool) = db.postgres_pool() else { return };
    let listener = async {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(ACKNOWLEDGEMENTS).await?;
        Ok::<_, sqlx::Error>(listener)
    };
    // Without it the servers' leases are waited for.
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
    following: Following,
}

#[async_trait]
impl Committed for PostgresChange {
    async fn wait(self: Box<Self>, connection: ChangeConnection) {
        let Self { gate, mut following } = *self;
        let committed = Instant::now();
        let over = tokio::time::Instant::from_std(committed + LEASE);
        wait_for_servers(&mut following, connection, over).await;
        gate.metrics().changed(committed);
    }
}

/// Waits until every server that has a lease follows, or until those leases are over.
async fn wait_for_servers(following: &mut Following, connection: ChangeConnection, over: tokio::time::Instant) {
    // Asking took as long as the leases last.
    let Ok(servers) = timeout_at(over, servers(connection)).await else { return };
    let Ok(servers) = servers else { return tokio::time::sleep_until(over).await };
    let mut waiting: HashSet<String> = servers.into_iter().map(|(id,)| id).collect();
    while !waiting.is_empty() {
        match timeout_at(over, following.next()).await {
            Ok(Some(server)) => drop(waiting.remove(&server)),
            // Nobody hears any more: leases are waited for.
            Ok(None) => return tokio::time::sleep_until(over).await,
            Err(_) => return,
        }
    }
}

/// The servers that have a lease, asked by the connection that has just committed.
async fn servers(connection: ChangeConnection) -> Result<Vec<(String,)>, sqlx::Error> {
    let ChangeConnection::Postgres(mut held) = connection else { return Ok(Vec::new()) };
    let servers = sqlx::query_as(SERVERS).fetch_all(held.begin_statement()).await;
    held.end_statement(&servers);
    servers
}
