//! The worker that writes down what was counted and logged, twice a second, and forgets what is old.

use crate::base::error::Error;
use crate::base::time::Timestamp;
use crate::db::Work;
use crate::server::state::App;
use crate::usage::record::{Counted, Row, hour_of};
use crate::usage::store;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often what was counted is written down.
const EVERY: Duration = Duration::from_millis(500);
/// Most rows of the log in one transaction; what is more waits in the queue.
const ROWS: usize = 10_000;
/// Most rows deleted in one transaction.
const BATCH: i64 = 5_000;
/// How long an hour's counts are kept: the longest time that a page shows, and a day.
const HOURS: i64 = 31 * 24;

/// Taken from the counts and the queue, and not written yet.
#[derive(Debug, Default)]
pub struct Pending {
    counted: Counted,
    rows: Vec<Row>,
}

/// Writes until told to stop, then once more.
pub async fn run(app: Arc<App>, mut stop: oneshot::Receiver<()>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut second, mut before) = (Instant::now(), app.usage.accepted());
    loop {
        let stopping = tokio::select! {
            _ = ticks.tick() => false,
            _ = &mut stop => true,
        };
        if second.elapsed() >= Duration::from_secs(1) {
            let accepted = app.usage.accepted();
            app.usage.begin_second((accepted - before) * 1_000 / second.elapsed().as_millis().max(1) as u64);
            (second, before) = (Instant::now(), accepted);
        }
        // Logged where it happened; what could not be written is tried again.
        let written = flush(&app).await;
        if stopping {
            if written.is_err() {
                tracing::error!("the last second's usage of keys could not be written");
            }
            return;
        }
    }
}

/// Writes down everything that was counted and logged until now.
pub async fn flush(app: &App) -> Result<(), Error> {
    let mut pending = app.usage.pending.lock().await;
    let pending = &mut *pending;
    loop {
        app.usage.take_counts(&mut pending.counted, app.clock.now());
        app.usage.take_rows(&mut pending.rows, ROWS);
        if pending.counted.last_used.is_empty() && pending.rows.is_empty() {
            return Ok(());
        }
        let mut tx = app.db.of(Work::Background).begin().await?;
        store::add_counts(&mut tx, &pending.counted).await?;
        store::set_last_used(&mut tx, &pending.counted).await?;
        store::insert_rows(&mut tx, &app.random, &pending.rows).await?;
        tx.commit().await?;
        let full = pending.rows.len() == ROWS;
        *pending = Pending::default();
        if !full {
            return Ok(());
        }
    }
}

/// Deletes what is older, or more, than is kept.
pub async fn forget(app: &App) -> Result<(), Error> {
    let (now, limits) = (app.clock.now(), app.usage.limits());
    let db = app.db.of(Work::Background);
    while in_tx(app, async |tx| store::delete_counts(tx, hour_of(now) - HOURS, BATCH).await).await? == BATCH as u64 {}
    for workspace in store::workspaces(&db).await? {
        let oldest = now.plus_days(-i64::from(limits.days));
        let surplus = store::nth_newest(&db, &workspace, limits.rows.into()).await?;
        let before = surplus.map_or(oldest, |at| Timestamp(at.0 + 1).max(oldest));
        while in_tx(app, async |tx| store::delete_rows(tx, &workspace, before, BATCH).await).await? == BATCH as u64 {}
    }
    Ok(())
}

async fn in_tx<T>(app: &App, work: impl AsyncFnOnce(&mut crate::db::Tx) -> Result<T, Error>) -> Result<T, Error> {
    let mut tx = app.db.of(Work::Background).begin().await?;
    let done = work(&mut tx).await?;
    tx.commit().await?;
    Ok(done)
}
