//! Ranking the keys of each workspace by their calls. It reads all counts of the longest period, so it runs in the
//! background, and pages show its last result.

use crate::db::{DbError, WorkKind};
use crate::usage::Period;
use crate::usage::counts::hour_of;
use crate::usage::record::Usage;
use crate::usage::store::totals;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Number of keys in the ranking of a workspace.
const PLACES: i64 = 50;
/// Shortest time between two rankings.
const INTERVAL: Duration = Duration::from_secs(10);
/// Ranking runs for at most 1/`SHARE` of the time.
const SHARE: u32 = 100;

/// Ranks whenever calls were written, and at least once an hour.
pub async fn run(usage: Arc<Usage>) {
    let mut ranked = None;
    loop {
        let began = Instant::now();
        let state = (usage.flushes(), hour_of(usage.db().now()));
        // An error is logged where it occurs. The next run tries again.
        if ranked != Some(state) && rank(&usage).await.is_ok() {
            ranked = Some(state);
        }
        sleep(INTERVAL.max(began.elapsed() * SHARE)).await;
    }
}

/// Ranks the keys of all workspaces for each period.
pub async fn rank(usage: &Usage) -> Result<(), DbError> {
    let db = usage.db().of(WorkKind::Background);
    for period in Period::ALL {
        let ranked = totals::rank_keys(&db, period.first_hour(hour_of(db.now())), PLACES).await?;
        let mut change = db.begin_unattended().await?;
        totals::set_top_keys(&mut change, period.days, &ranked).await?;
        change.commit().await?;
    }
    Ok(())
}
