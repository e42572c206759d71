//! Background worker that writes counts and log rows to the database twice a second, and deletes old ones.

use crate::base::time::Timestamp;
use crate::db::{Change, DbError, WorkKind};
use crate::gate::index::read_quota;
use crate::gate::indexed::IndexedKey;
use crate::usage::counts::hour_of;
use crate::usage::record::{PendingFlush, Usage};
use crate::usage::store;
use crate::usage::store::totals::{self, COUNT_TABLES};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Interval of writes.
const FLUSH_INTERVAL: Duration = Duration::from_millis(500);
/// Maximum number of log rows in one transaction. Further rows wait in the queue.
const MAX_ROWS: usize = 10_000;
/// Maximum number of rows deleted or rolled up in one transaction.
const DELETE_BATCH: i64 = 5_000;
/// How long counts are kept, in hours: the longest period of a report (90 days) and one day.
const KEPT_HOURS: i64 = 91 * 24;

/// Writes until `stop` is cancelled, then once more.
pub async fn run(usage: Arc<Usage>, stop: CancellationToken) {
    let mut ticks = interval(FLUSH_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut second, mut before) = (Instant::now(), usage.accepted());
    loop {
        let stopping = tokio::select! {
            _ = ticks.tick() => false,
            () = stop.cancelled() => true,
        };
        if second.elapsed() >= Duration::from_secs(1) {
            let accepted = usage.accepted();
            usage.begin_second((accepted - before) * 1_000 / second.elapsed().as_millis().max(1) as u64);
            (second, before) = (Instant::now(), accepted);
        }
        // The error was logged where it occurred. The next flush tries again.
        let written = flush(&usage).await;
        if stopping {
            if written.is_err() {
                tracing::error!("the last second's usage of keys could not be written");
            }
            return;
        }
    }
}

/// Writes all counts and log rows. A flush that failed, or whose commit had no answer, is tried again first under the
/// same id, so that it is counted only once.
pub async fn flush(usage: &Usage) -> Result<(), DbError> {
    let mut of_quotas = Vec::new();
    let flushed = flush_all(usage, &mut of_quotas).await;
    read_quotas(usage, of_quotas).await;
    flushed
}

/// Writes all counts and log rows. Adds the keys with a quota whose calls were written to `of_quotas`.
async fn flush_all(usage: &Usage, of_quotas: &mut Vec<Arc<IndexedKey>>) -> Result<(), DbError> {
    let mut pending = usage.pending.lock().await;
    loop {
        let again = !pending.id.is_empty();
        if !again {
            let flush = &mut *pending;
            usage.take_counts(&mut flush.counted, &mut flush.of_quotas);
            usage.take_rows(&mut flush.rows, MAX_ROWS);
            flush.counted.made_by(&flush.rows);
            if pending.counted.by_key.is_empty() && pending.rows.is_empty() {
                return Ok(());
            }
            pending.id = usage.db().random().text(b"0123456789abcdefghijklmnopqrstuvwxyz", 20);
        }
        write(usage, &pending).await?;
        for (key, calls) in pending.of_quotas.drain(..) {
            if let Some(limiter) = &key.limiter {
                limiter.written(calls);
            }
            of_quotas.push(key);
        }
        usage.flushed();
        let full = pending.rows.len() == MAX_ROWS;
        *pending = PendingFlush::default();
        if !full && !again {
            return Ok(());
        }
    }
}

async fn write(usage: &Usage, pending: &PendingFlush) -> Result<(), DbError> {
    let mut change = usage.db().of(WorkKind::Background).begin_unattended().await?;
    if !store::begin_flush(&mut change, &pending.id).await? {
        return Ok(());
    }
    // Keys are locked before their counts, in the order in which the deletion of a key locks them.
    store::set_uses(&mut change, &pending.counted).await?;
    store::add_counts(&mut change, &pending.counted).await?;
    store::insert_rows(&mut change, usage.db().random(), &pending.rows).await?;
    change.commit().await
}

/// Tells the limiters of these keys what all servers have written. The counts are not locked meanwhile.
async fn read_quotas(usage: &Usage, mut keys: Vec<Arc<IndexedKey>>) {
    let limiter = |key: &Arc<IndexedKey>| key.limiter.as_ref().map(Arc::as_ptr);
    // Both values of a key have one limiter.
    keys.sort_unstable_by_key(limiter);
    keys.dedup_by_key(|key| limiter(key));
    for key in keys {
        // An error was logged. The next write of the key's counts reads again.
        let _ = read_quota(&usage.db().of(WorkKind::Background), &key).await;
    }
}

/// Rolls up counts by the hour that are older than yesterday (UTC) into counts by the day. Deletes counts and log rows
/// beyond the limits of age and number.
pub async fn forget(usage: &Usage) -> Result<(), DbError> {
    let (now, limits) = (usage.db().now(), usage.limits());
    let db = usage.db().of(WorkKind::Background);
    let hour = hour_of(now);
    let yesterday = (hour.div_euclid(24) - 1) * 24;
    let full = DELETE_BATCH as u64;
    for table in COUNT_TABLES {
        let oldest = hour - KEPT_HOURS;
        while in_change(usage, async |change| totals::delete_counts(change, table, oldest, DELETE_BATCH).await).await?
            == full
        {}
        while in_change(usage, async |change| totals::roll_up(change, table, yesterday, DELETE_BATCH).await).await?
            == full
        {}
    }
    for workspace in store::workspaces(&db).await? {
        let oldest = now.plus_days(-i64::from(limits.days));
        let surplus = store::nth_newest(&db, &workspace, limits.rows.into()).await?;
        let before = surplus.map_or(oldest, |at| Timestamp(at.0 + 1).max(oldest));
        while in_change(usage, async |change| store::delete_rows(change, &workspace, before, DELETE_BATCH).await)
            .await?
            == full
        {}
    }
    in_change(usage, async |change| store::delete_flushes(change, now.plus_days(-1)).await).await
}

async fn in_change<T>(usage: &Usage, work: impl AsyncFnOnce(&mut Change) -> Result<T, DbError>) -> Result<T, DbError> {
    let mut change = usage.db().of(WorkKind::Background).begin_unattended().await?;
    let done = work(&mut change).await?;
    change.commit().await?;
    Ok(done)
}
