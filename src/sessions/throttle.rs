//! How often somebody may try a password: a few times for one account from one address, more often from one address
//! for any accounts. Nothing counts an account alone, so no stranger can lock somebody out from elsewhere. Who is refused
//! leaves nothing more behind: what is counted first bounds how many rows what is counted next can make.

use crate::base::error::Error;
use crate::base::time::Timestamp;
use crate::db::{Db, Work};
use crate::users::Email;
use crate::{on_change, statements};
use sha2::{Digest, Sha256};
use std::net::IpAddr;

/// How long attempts are counted, in seconds, from the first one.
const WINDOW: i64 = 15 * 60;
const PER_ACCOUNT_AND_ADDRESS: i64 = 10;
const PER_ADDRESS: i64 = 100;
/// For all IPv6 addresses of one site (a network of 48 bits), which has 65,536 networks to send from.
const PER_SITE: i64 = 1_000;

statements! {
    // A count that ends later than one begun now is from a clock that was ahead: it begins again.
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

/// Counts attempts to sign in.
#[derive(Clone, Debug)]
pub struct SignInThrottle {
    db: Db,
}

impl SignInThrottle {
    /// On this database.
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// Counts an attempt before its password is looked at, and refuses it where there were too many.
    pub async fn count(&self, email: &Email, address: Option<IpAddr>) -> Result<(), Error> {
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
                .await)?;
            if attempts > limit {
                wait = Some(resets_at.seconds() - now.seconds() + 1);
                break;
            }
        }
        change.commit().await?;
        match wait {
            Some(seconds) => Err(Error::TooManyAttempts { retry_after_seconds: seconds.clamp(1, WINDOW) as u32 }),
            None => Ok(()),
        }
    }

    /// Forgets the attempts for an account from an address, after the right password.
    pub async fn forget(&self, email: &Email, address: Option<IpAddr>) -> Result<(), Error> {
        let mut change = self.db.begin_unattended().await?;
        on_change!(&mut change, |c| sqlx::query(FORGET)
            .bind(per_account(email, address))
            .execute(c)
            .await
            .map(|_| ()))?;
        change.commit().await
    }

    /// Removes counts whose time is over.
    pub async fn forget_old(&self) -> Result<(), Error> {
        let mut change = self.db.of(Work::Background).begin_unattended().await?;
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

/// An IPv6 network of 64 bits is one household's or one machine's: its addresses count as one.
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
