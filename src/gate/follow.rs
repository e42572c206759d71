//! Keeps the index in step with the database, and lets no change be answered before every server follows it.
//!
//! The databases' triggers tell of every change in the transaction that makes it: SQLite in a table, PostgreSQL by
//! NOTIFY. A server of PostgreSQL trusts its index for [`LEASE`] after it sent a beat that came back to it through the
//! same channel: by then it has heard of everything that was committed before the beat. Whoever makes a change waits
//! until every server with a lease has said that it follows, or until that lease is over; a server that is cut off has
//! stopped trusting its index by then.

use super::index::{Change, Index};
use super::store;
use crate::error::Error;
use crate::server::db::{Db, Tx};
use crate::server::state::App;
use sqlx::postgres::{PgListener, PgPool};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::time::Instant;
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
const LOOK: Duration = Duration::from_millis(200);
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
    loop {
        let lost = match &app.db {
            Db::Sqlite { .. } => follow_sqlite(&app).await,
            Db::Postgres(pool) => follow_postgres(&app, pool).await,
        };
        app.gate.distrust();
        if let Err(error) = lost {
            tracing::warn!(%error, "the gate does not follow the database");
        }
        look_for_database(&app).await;
        sleep(AGAIN).await;
    }
}

/// Finds out whether the database answers at all, and says so where that is news.
async fn look_for_database(app: &App) {
    let answers = timeout(PROBE, store::answers(&app.db)).await;
    set_gone(app, !matches!(answers, Ok(Ok(()))));
}

fn set_gone(app: &App, gone: bool) {
    let seconds = app.gate.last_known().as_secs();
    match (app.gate.set_gone(gone), gone, seconds) {
        (false, true, 0) => tracing::error!("the database is gone: calls are refused until it is back"),
        (false, true, _) => {
            tracing::error!(seconds, "the database is gone: calls are decided by what was last known, for so long");
        }
        (true, false, _) => tracing::info!("the database is back"),
        _ => {}
    }
}

/// Makes a change of what the gate decides by last, and returns when no server decides without it.
pub async fn commit(app: &App, tx: Tx) -> Result<(), Error> {
    match (tx, &app.db) {
        (Tx::Postgres(tx), Db::Postgres(pool)) => {
            let committed = commit_postgres(pool, tx).await?;
            app.metrics.changed(committed);
            Ok(())
        }
        (tx, _) => {
            tx.commit().await?;
            let committed = Instant::now();
            // What was committed is done; where it cannot be followed, the index begins anew.
            if catch_up(app).await.is_err() {
                *app.gate.applied.lock().await = None;
                app.gate.distrust();
            }
            app.metrics.changed(committed);
            Ok(())
        }
    }
}

async fn follow_sqlite(app: &App) -> Result<(), Error> {
    {
        let mut applied = app.gate.applied.lock().await;
        let Db::Sqlite { readers, .. } = &app.db else { return Ok(()) };
        let (last,): (i64,) = sqlx::query_as(LAST_CHANGE).fetch_one(readers).await?;
        // What changes while it is read is applied again afterwards.
        app.gate.replace(Index::load(&app.db).await?);
        *applied = Some(last);
    }
    set_gone(app, false);
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
    let Db::Sqlite { .. } = &app.db else { return Ok(()) };
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
    let Db::Sqlite { readers, .. } = &app.db else { return Ok(()) };
    while let Some(before) = *applied {
        let changes: Vec<(i64, String, String)> = sqlx::query_as(CHANGES).bind(before).fetch_all(readers).await?;
        let Some((last, ..)) = changes.last() else {
            if let Some(since) = trust_since {
                app.gate.trust(since, TRUST);
            }
            return Ok(());
        };
        let last = *last;
        for (_, kind, what) in &changes {
            apply(app, kind, what).await?;
        }
        *applied = Some(last);
    }
    Ok(())
}

/// Forgets changes that were applied.
pub async fn forget(app: &App) -> Result<(), Error> {
    let (Db::Sqlite { .. }, Some(applied)) = (&app.db, *app.gate.applied.lock().await) else { return Ok(()) };
    let mut tx = app.db.begin().await?;
    if let Tx::Sqlite(tx) = &mut tx {
        sqlx::query(FORGET_CHANGES).bind(applied).execute(&mut **tx).await?;
    }
    tx.commit().await
}

async fn apply(app: &App, kind: &str, what: &str) -> Result<(), Error> {
    match Change::parse(kind, what) {
        Some(change) => app.gate.index().apply(&app.db, &change).await,
        None => Err(Error::Internal),
    }
}

/// When each beat was sent that has not come back yet, by its number.
type Beats = Mutex<HashMap<u64, Instant>>;

async fn follow_postgres(app: &Arc<App>, pool: &PgPool) -> Result<(), Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    // A lost connection is told at once, not when there is another.
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    // What changes from here on is heard of, and applied after this.
    app.gate.replace(Index::load(&app.db).await?);
    tracing::info!(keys = app.gate.index().len(), "the gate has every key in memory");
    let beats = Beats::default();
    tokio::select! {
        lost = hear(app, pool, &beats, &mut listener) => lost,
        never = beat(app, pool, &beats) => never,
    }
}

async fn beat(app: &App, pool: &PgPool, beats: &Beats) -> Result<(), Error> {
    let server = app.gate.server();
    for number in 0_u64.. {
        let sent = Instant::now();
        {
            let mut beats = beats.lock().unwrap_or_else(PoisonError::into_inner);
            // Those that never came back.
            beats.retain(|_, sent| sent.elapsed() < LEASE);
            beats.insert(number, sent);
        }
        let beat = sqlx::query(BEAT_NOW)
            .bind(server)
            .bind(LEASE.as_millis() as i32)
            .bind(CHANNEL)
            .bind(format!("beat {server} {number}"))
            .execute(pool);
        match timeout(PROBE, beat).await {
            Ok(Ok(_)) => set_gone(app, false),
            // Calls do not wait for a database that does not answer.
            _ => look_for_database(app).await,
        }
        sleep(BEAT).await;
    }
    Ok(())
}

/// Tells the others not to wait for this server any more.
pub async fn leave(app: &App) {
    app.gate.distrust();
    if let Db::Postgres(pool) = &app.db {
        // Where it cannot be told, they wait until the lease is over.
        let _ = timeout(LEASE, sqlx::query(FORGET_SERVERS).bind(app.gate.server()).execute(pool)).await;
    }
}

async fn hear(app: &App, pool: &PgPool, beats: &Beats, listener: &mut PgListener) -> Result<(), Error> {
    // None: the connection was lost, and what was sent meanwhile with it.
    while let Some(notification) = listener.try_recv().await? {
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
                sqlx::query(NOTIFY).bind(ACKNOWLEDGEMENTS).bind(followed).execute(pool).await?;
            }
            (Some(kind), Some(what), _) => apply(app, kind, what).await?,
            _ => return Err(Error::Internal),
        }
    }
    Err(Error::Unavailable)
}

/// When it was committed.
async fn commit_postgres(pool: &PgPool, mut tx: sqlx::Transaction<'static, sqlx::Postgres>) -> Result<Instant, Error> {
    let ticket = uuid::Uuid::new_v4().to_string();
    // Where there is nobody, nobody is listened to. Without hearing that they follow, leases are waited for.
    let alone = sqlx::query_as::<_, (String,)>(SERVERS).fetch_all(&mut *tx).await?.is_empty();
    let mut followed = if alone { None } else { listening(pool).await };
    sqlx::query(NOTIFY).bind(CHANNEL).bind(format!("ticket {ticket}")).execute(&mut *tx).await?;
    tx.commit().await?;
    let committed = Instant::now();
    let over = tokio::time::Instant::from_std(committed + LEASE);
    // From here on it is done, whatever cannot be asked any more.
    let Ok(Ok(servers)) = timeout_at(over, sqlx::query_as::<_, (String,)>(SERVERS).fetch_all(pool)).await else {
        tokio::time::sleep_until(over).await;
        return Ok(committed);
    };
    let mut waiting: HashSet<String> = servers.into_iter().map(|(id,)| id).collect();
    while !waiting.is_empty() {
        let heard = match &mut followed {
            Some(listener) => timeout_at(over, listener.recv()).await,
            None => {
                tokio::time::sleep_until(over).await;
                break;
            }
        };
        match heard {
            Ok(Ok(notification)) => {
                if let Some((of, server)) = notification.payload().split_once(' ')
                    && of == ticket
                {
                    waiting.remove(server);
                }
            }
            Ok(Err(_)) => followed = None,
            Err(_) => break,
        }
    }
    Ok(committed)
}

async fn listening(pool: &PgPool) -> Option<PgListener> {
    let mut listener = PgListener::connect_with(pool).await.ok()?;
    listener.listen(ACKNOWLEDGEMENTS).await.ok()?;
    Some(listener)
}
