//! Keeps the index in step with the database, and lets no change be answered before every server follows it.
//!
//! The databases' triggers tell of every change in the transaction that makes it: SQLite in a table, PostgreSQL by
//! NOTIFY. A server of PostgreSQL trusts its index for [`LEASE`] after it sent a beat that came back to it through the
//! same channel: by then it has heard of everything that was committed before the beat. Whoever makes a change waits
//! until every server with a lease has said that it follows, or until that lease is over; a server that is cut off has
//! stopped trusting its index by then.

use crate::base::error::Error;
use crate::db::{Db, Tx, TxConnection, Unreachable, Work};
use crate::gate::index::{Change, Index};
use crate::server::state::App;
use crate::{on_db, on_tx};
use sqlx::postgres::{PgListener, PgPool};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
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
const SERVERS: &str = "SELECT id FROM gate_servers WHERE until > clock_timestamp()";
const FORGET_SERVERS: &str = "DELETE FROM gate_servers WHERE id = $1 OR until < clock_timestamp() - interval '1 day'";

/// Follows the database until the task is aborted. Whatever goes wrong, the index is not trusted meanwhile.
pub async fn follow(app: Arc<App>) {
    let db = app.db.of(Work::Gate);
    loop {
        let lost = match db.postgres_pool() {
            None => follow_sqlite(&app, &db).await,
            Some(pool) => follow_postgres(&app, &db, pool).await,
        };
        app.gate.distrust();
        app.gate.followers.lose();
        if let Err(error) = lost {
            tracing::warn!(%error, "the gate does not follow the database");
        }
        look_for_database(&app).await;
        sleep(AGAIN).await;
    }
}

/// Finds out whether the database answers at all, and says so where that is news.
async fn look_for_database(app: &App) {
    let unreachable = app.db.probe().await.err();
    set_gone(app, unreachable);
}

fn set_gone(app: &App, unreachable: Option<Unreachable>) {
    let was_gone = app.db.set_gone(unreachable.is_some());
    app.gate.set_gone(unreachable.is_some());
    let seconds = app.gate.last_known().as_secs();
    match (was_gone, unreachable) {
        (false, Some(why)) if seconds == 0 => tracing::error!("the database {why}: calls are refused until it is back"),
        (false, Some(why)) => {
            tracing::error!(seconds, "the database {why}: calls are decided by what was last known, for so long");
        }
        (true, None) => tracing::info!("the database is back"),
        _ => {}
    }
}

/// Makes a change of what the gate decides by last, and returns when no server decides without it.
pub async fn commit(app: &App, tx: Tx) -> Result<(), Error> {
    let committed = match app.db.is_sqlite() {
        true => {
            tx.commit().await?;
            let committed = Instant::now();
            // What was committed is done; where it cannot be followed, the index begins anew.
            if catch_up(app).await.is_err() {
                *app.gate.applied.lock().await = None;
                app.gate.distrust();
            }
            committed
        }
        false => commit_postgres(app, tx).await?,
    };
    app.metrics.changed(committed);
    Ok(())
}

async fn follow_sqlite(app: &App, db: &Db) -> Result<(), Error> {
    {
        let mut applied = app.gate.applied.lock().await;
        let (last,): (i64,) = on_db!(db, |c| sqlx::query_as(LAST_CHANGE).fetch_one(c).await)?;
        // What changes while it is read is applied again afterwards.
        app.gate.replace(Index::load(db).await?);
        *applied = Some(last);
    }
    set_gone(app, None);
    tracing::info!(keys = app.gate.index().len(), "the gate has every key in memory");
    loop {
        apply_changes(app, Some(Instant::now())).await?;
        sleep(LOOK).await;
        if app.gate.applied.lock().await.is_none() {
            return Err(Error::Unavailable);
        }
    }
}

/// Applies what has changed in SQLite since the last time; PostgreSQL tells of changes by itself, and is not asked.
pub async fn catch_up(app: &App) -> Result<(), Error> {
    apply_changes(app, None).await
}

/// The same for a call that began then with a key that is not known: the command line may have made it just before. Such calls
/// share what is looked up and wait for it a little: whoever makes up keys does not make the database work.
pub async fn catch_up_for(app: &App, began: Instant) -> Result<(), Error> {
    if !app.db.is_sqlite() {
        return Ok(());
    }
    if let Some(age) = app.gate.age().filter(|age| *age < SOON) {
        sleep(SOON - age).await;
    }
    let mut applied = app.gate.applied.lock().await;
    match app.gate.is_known_since(began) {
        true => Ok(()),
        false => apply_changes_to(app, &mut applied, Some(Instant::now())).await,
    }
}

/// Applies what has changed in SQLite since the last time, and trusts the index from this instant on, which was before;
/// nothing where the database is not followed.
async fn apply_changes(app: &App, trust_since: Option<Instant>) -> Result<(), Error> {
    apply_changes_to(app, &mut *app.gate.applied.lock().await, trust_since).await
}

async fn apply_changes_to(app: &App, applied: &mut Option<i64>, trust_since: Option<Instant>) -> Result<(), Error> {
    if !app.db.is_sqlite() {
        return Ok(());
    }
    let db = app.db.of(Work::Gate);
    while let Some(before) = *applied {
        let changes: Vec<(i64, String, String)> =
            on_db!(&db, |c| sqlx::query_as(CHANGES).bind(before).fetch_all(c).await)?;
        let Some((last, ..)) = changes.last() else {
            if let Some(since) = trust_since {
                app.gate.trust(since, TRUST);
            }
            return Ok(());
        };
        let last = *last;
        for (_, kind, what) in &changes {
            apply(app, &db, kind, what).await?;
        }
        *applied = Some(last);
    }
    Ok(())
}

/// Forgets changes that were applied.
pub async fn forget(app: &App) -> Result<(), Error> {
    let applied = *app.gate.applied.lock().await;
    let Some(applied) = applied.filter(|_| app.db.is_sqlite()) else { return Ok(()) };
    let mut tx = app.db.of(Work::Background).begin().await?;
    on_tx!(&mut tx, |c| sqlx::query(FORGET_CHANGES).bind(applied).execute(c).await.map(|_| ()))?;
    tx.commit().await
}

async fn apply(app: &App, db: &Db, kind: &str, what: &str) -> Result<(), Error> {
    match Change::parse(kind, what) {
        Some(change) => app.gate.index().apply(db, &change).await,
        None => Err(Error::Internal),
    }
}

/// When each beat was sent that has not come back yet, by its number.
type Beats = Mutex<HashMap<u64, Instant>>;

async fn follow_postgres(app: &Arc<App>, db: &Db, pool: &PgPool) -> Result<(), Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    // A lost connection is told at once, not when there is another.
    listener.eager_reconnect(false);
    listener.listen_all([CHANNEL, ACKNOWLEDGEMENTS]).await?;
    // What changes from here on is heard of, and applied after this.
    app.gate.replace(Index::load(db).await?);
    tracing::info!(keys = app.gate.index().len(), "the gate has every key in memory");
    app.gate.followers.hear();
    let beats = Arc::new(Beats::default());
    // In a task of its own, which ends with this one: neither waits for the other's connection.
    let mut beating = JoinSet::new();
    beating.spawn(beat(app.clone(), db.clone(), beats.clone()));
    tokio::select! {
        lost = hear(app, db, &beats, &mut listener) => lost,
        _ = beating.join_next() => Err(Error::Internal),
    }
}

async fn beat(app: Arc<App>, db: Db, beats: Arc<Beats>) {
    let server = app.gate.server();
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
            Ok(Ok(_)) => set_gone(&app, None),
            // Calls do not wait for a database that does not answer.
            _ => look_for_database(&app).await,
        }
        sleep(BEAT).await;
    }
}

/// Tells the others not to wait for this server any more.
pub async fn leave(app: &App) {
    app.gate.distrust();
    let db = app.db.of(Work::Gate);
    if !db.is_sqlite() {
        let left =
            async { on_db!(db, |c| sqlx::query(FORGET_SERVERS).bind(app.gate.server()).execute(c).await.map(|_| ())) };
        // Where it cannot be told, they wait until the lease is over.
        let _ = timeout(LEASE, left).await;
    }
}

async fn hear(app: &App, db: &Db, beats: &Beats, listener: &mut PgListener) -> Result<(), Error> {
    // None: the connection was lost, and what was sent meanwhile with it.
    while let Some(notification) = listener.try_recv().await? {
        if notification.channel() == ACKNOWLEDGEMENTS {
            app.gate.followers.follows(notification.payload());
            continue;
        }
        let mut words = notification.payload().split(' ');
        match (words.next(), words.next(), words.next()) {
            (Some("beat"), Some(id), Some(number)) if id == app.gate.server() => {
                let number = number.parse().map_err(|_| Error::Internal)?;
                let sent = beats.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
                if let Some(sent) = sent {
                    app.gate.trust(sent, LEASE - MARGIN);
                }
            }
            (Some("beat"), ..) => {}
            (Some("ticket"), Some(ticket), _) => {
                let followed = format!("{ticket} {}", app.gate.server());
                on_db!(db, |c| sqlx::query(NOTIFY).bind(ACKNOWLEDGEMENTS).bind(followed).execute(c).await.map(|_| ()))?;
            }
            (Some(kind), Some(what), _) => apply(app, db, kind, what).await?,
            _ => return Err(Error::Internal),
        }
    }
    Err(Error::Unavailable)
}

/// Hears on PostgreSQL who follows this program's changes, where it is no server: for commands. Returns once it hears.
pub async fn hear_followers(app: &Arc<App>) {
    let db = app.db.of(Work::Gate);
    let Some(pool) = db.postgres_pool() else { return };
    let listener = async {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(ACKNOWLEDGEMENTS).await?;
        Ok::<_, sqlx::Error>(listener)
    };
    // Without it the servers' leases are waited for.
    let Ok(mut listener) = listener.await else { return };
    app.gate.followers.hear();
    let app = app.clone();
    tokio::spawn(async move {
        while let Ok(Some(notification)) = listener.try_recv().await {
            app.gate.followers.follows(notification.payload());
        }
        app.gate.followers.lose();
    });
}

/// When it was committed.
async fn commit_postgres(app: &App, mut tx: Tx) -> Result<Instant, Error> {
    let ticket = uuid::Uuid::new_v4().to_string();
    let mut followed = app.gate.followers.expect(&ticket);
    on_tx!(&mut tx, |c| sqlx::query(NOTIFY)
        .bind(CHANNEL)
        .bind(format!("ticket {ticket}"))
        .execute(c)
        .await
        .map(|_| ()))?;
    let connection = tx.commit_and_keep().await?;
    let committed = Instant::now();
    let over = tokio::time::Instant::from_std(committed + LEASE);
    // From here on it is done, whatever cannot be asked any more.
    let Ok(servers) = timeout_at(over, servers(connection)).await else { return Ok(committed) };
    let mut waiting: HashSet<String> = match servers {
        Ok(servers) => servers.into_iter().map(|(id,)| id).collect(),
        Err(_) => {
            tokio::time::sleep_until(over).await;
            return Ok(committed);
        }
    };
    while !waiting.is_empty() {
        match timeout_at(over, followed.next()).await {
            Ok(Some(server)) => drop(waiting.remove(&server)),
            // Nobody hears any more: leases are waited for.
            Ok(None) => {
                tokio::time::sleep_until(over).await;
                break;
            }
            Err(_) => break,
        }
    }
    Ok(committed)
}

/// The servers that have a lease, asked by the connection that has just committed.
async fn servers(connection: TxConnection) -> Result<Vec<(String,)>, sqlx::Error> {
    let TxConnection::Postgres(mut held) = connection else { return Ok(Vec::new()) };
    let servers = sqlx::query_as(SERVERS).fetch_all(held.begin_statement()).await;
    held.end_statement(&servers);
    servers
}
