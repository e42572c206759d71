//! Throttle for sign-in attempts: a low limit per account and address, a higher one per address, and one per IPv6 site.
//! No limit counts an account alone, so an attacker elsewhere cannot lock a user out. The wider limits are checked
//! first, and checking stops at the first exceeded limit. So the wider limits bound the number of rows that the
//! narrower ones can create.

use crate::base::time::Timestamp;
use crate::db::{Db, DbError, WorkKind};
use crate::users::Email;
use crate::{on_change, statements};
use sha2::{Digest, Sha256};
use std::net::IpAddr;

/// Period in which attempts are counted, in seconds from the first attempt.
const WINDOW: i64 = 15 * 60;
const PER_ACCOUNT_AND_ADDRESS: i64 = 10;
const PER_ADDRESS: i64 = 100;
/// Limit for all IPv6 addresses of one site (a /48 network), which contains 65,536 /64 networks.
const PER_SITE: i64 = 1_000;

statements! {
    // A counter that resets later than $3 was written when the clock was ahead; it starts again.
    COUNT = "INSERT INTO sign_in_attempts (subject_hash, attempts, resets_at) VALUES ($1, 1, $3)
        ON CONFLICT (subject_hash) DO UPDATE SET
            attempts = CASE WHEN sign_in_attempts.resets_at NOT BETWEEN $2 + 1 AND $3
                THEN 1 ELSE sign_in_attempts.attempts + 1 END,
            resets_at = CASE WHEN sign_in_attempts.resets_at NOT BETWEEN $2 + 1 AND $3
                THEN $3 ELSE sign_in_attempts.resets_at END
        RETURNING attempts, resets_at";
    FORGET = "DELETE FROM sign_in_attempts WHERE subject_hash = $1";
    FORGET_OLD = "DELETE FROM sign_in_attempts WHERE resets_at <= $1";
}

/// Why a sign-in attempt is refused before its password is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInRefused {
    #[error("There were too many attempts; the next one is heard in {retry_after_seconds} seconds.")]
    TooManyAttempts { retry_after_seconds: u32 },
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Counts and limits sign-in attempts.
#[derive(Clone, Debug)]
pub struct SignInThrottle {
    db: Db,
}

impl SignInThrottle {
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// Counts an attempt before its password is checked, and refuses it if a limit is exceeded.
    pub async fn count(&self, email: &Email, address: Option<IpAddr>) -> Result<(), SignInRefused> {
        let now = self.db.now();
        let mut limits = Vec::with_capacity(3);
        limits.extend(per_site(address).map(|subject| (subject, PER_SITE)));
        limits.push((per_address(address), PER_ADDRESS));
        limits.push((per_account(email, address), PER_ACCOUNT_AND_ADDRESS));
        let mut change = self.db.begin_unattended().await?;
        let mut wait = None;
        for (subject, limit) in limits {
            let (attempts, resets_at): (i64, Timestamp) = on_change!(&mut change, |c| sqlx::query_as(COUNT)
                .bind(subject)
                .bind(now)
                .bind(now.plus_seconds(WINDOW))
                .fetch_one(c)
                .await)
            .map_err(DbError::from)?;
            if attempts > limit {
                wait = Some(resets_at.seconds() - now.seconds() + 1);
                break;
            }
        }
        change.commit().await?;
        match wait {
            Some(seconds) => {
                Err(SignInRefused::TooManyAttempts { retry_after_seconds: seconds.clamp(1, WINDOW) as u32 })
            }
            None => Ok(()),
        }
    }

    /// Resets the counter of an account and address after a successful sign-in.
    pub async fn forget(&self, email: &Email, address: Option<IpAddr>) -> Result<(), DbError> {
        let mut change = self.db.begin_unattended().await?;
        on_change!(&mut change, |c| sqlx::query(FORGET)
            .bind(per_account(email, address))
            .execute(c)
            .await
            .map(|_| ()))?;
        change.commit().await
    }

    /// Deletes counters whose period has ended.
    pub async fn forget_old(&self) -> Result<(), DbError> {
        let mut change = self.db.of(WorkKind::Background).begin_unattended().await?;
        on_change!(&mut change, |c| sqlx::query(FORGET_OLD).bind(self.db.now()).execute(c).await.map(|_| ()))?;
        change.commit().await
    }
}

fn per_account(email: &Email, address: Option<IpAddr>) -> Vec<u8> {
    Sha256::digest(format!("{} at {}", email.as_str(), network(address))).to_vec()
}

fn per_address(address: Option<IpAddr>) -> Vec<u8> {
    Sha256::digest(network(address)).to_vec()
}

fn per_site(address: Option<IpAddr>) -> Option<Vec<u8>> {
    let IpAddr::V6(v6) = address?.to_canonical() else { return None };
    let [a, b, c, ..] = v6.segments();
    Some(Sha256::digest(format!("{a:x}:{b:x}:{c:x}::/48")).to_vec())
}

/// The network of an address. All addresses of an IPv6 /64 network count as one, because it usually belongs to one
/// household or machine.
fn network(address: Option<IpAddr>) -> String {
    match address.map(|a| a.to_canonical()) {
        Some(IpAddr::V6(v6)) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Some(v4) => v4.to_string(),
        None => "unknown".to_owned(),
    }
}
