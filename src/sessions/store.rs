//! Session store for tower-sessions. Sessions are stored under the SHA-256 of the id in the cookie, so the table's
//! contents do not allow anyone to sign in.

use crate::base::id::UserId;
use crate::base::time::Timestamp;
use crate::db::{Change, Db, DbError, WorkKind};
use crate::{on_change, on_db, statements};
use async_trait::async_trait;
use sha2::{Digest, Sha256};
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store;

/// Name of the session entry with the user's id.
pub const USER: &str = "user";
/// Name of the session entry with the time of the sign-in.
pub const SIGNED_IN_AT: &str = "signed_in_at";

/// Maximum lifetime of a session, counted from the sign-in.
const ABSOLUTE_SECONDS: i64 = 7 * 86_400;
/// Lifetime of a session without requests.
const IDLE_SECONDS: i64 = 12 * 3_600;

statements! {
    INSERT = "INSERT INTO sessions (id_hash, user_id, data, expires_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (id_hash) DO NOTHING";
    UPDATE = "UPDATE sessions SET user_id = $2, data = $3, expires_at = $4 WHERE id_hash = $1";
    LOAD = "SELECT data, expires_at FROM sessions WHERE id_hash = $1 AND expires_at > $2";
    DELETE = "DELETE FROM sessions WHERE id_hash = $1";
    DELETE_OF_USER = "DELETE FROM sessions WHERE user_id = $1";
    DELETE_EXPIRED = "DELETE FROM sessions WHERE expires_at <= $1";
}

/// Implementation of the store for tower-sessions.
#[derive(Clone, Debug)]
pub struct Sessions {
    db: Db,
}

impl Sessions {
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// Deletes expired sessions.
    pub async fn delete_expired(&self) -> Result<(), DbError> {
        let mut change = self.db.of(WorkKind::Background).begin_unattended().await?;
        on_change!(&mut change, |c| sqlx::query(DELETE_EXPIRED).bind(self.db.now()).execute(c).await.map(|_| ()))?;
        change.commit().await
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        // If the random id of 128 bits exists already, another one is drawn.
        while write(&self.db, INSERT, record).await? == 0 {
            record.id = Id(i128::from_le_bytes(self.db.random().bytes()));
        }
        Ok(())
    }

    /// Does nothing if the session was ended meanwhile, so that it stays ended.
    async fn save(&self, record: &Record) -> session_store::Result<()> {
        write(&self.db, UPDATE, record).await.map(|_| ())
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let now = self.db.now();
        let row: Option<(String, Timestamp)> =
            on_db!(&self.db, |pool| sqlx::query_as(LOAD).bind(hash(*id)).bind(now).fetch_optional(pool).await)
                .map_err(failed)?;
        let Some((data, expires_at)) = row else { return Ok(None) };
        let data = serde_json::from_str(&data).map_err(|e| session_store::Error::Decode(e.to_string()))?;
        Ok(Some(Record { id: *id, data, expiry_date: expires_at.utc() }))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        let mut change = self.db.begin_unattended().await.map_err(failed)?;
        on_change!(&mut change, |c| sqlx::query(DELETE).bind(hash(*id)).execute(c).await.map(|_| ()))
            .map_err(failed)?;
        change.commit().await.map_err(failed)
    }
}

async fn write(db: &Db, sql: &'static str, record: &Record) -> session_store::Result<u64> {
    let data = serde_json::to_string(&record.data).map_err(|e| session_store::Error::Encode(e.to_string()))?;
    let user = record.data.get(USER).and_then(|id| id.as_str());
    let mut change = db.begin_unattended().await.map_err(failed)?;
    let written = on_change!(&mut change, |c| sqlx::query(sql)
        .bind(hash(record.id))
        .bind(user)
        .bind(data)
        .bind(expires_at(record, db.now()))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(failed)?;
    change.commit().await.map_err(failed)?;
    Ok(written)
}

/// Idle and absolute expiry by this server's clock. The expiry that tower-sessions computes is used for the cookie
/// only.
fn expires_at(record: &Record, now: Timestamp) -> Timestamp {
    let signed_in_at = record.data.get(SIGNED_IN_AT).and_then(|at| at.as_i64()).map_or(now, Timestamp);
    now.plus_seconds(IDLE_SECONDS).min(signed_in_at.plus_seconds(ABSOLUTE_SECONDS))
}

/// Ends every session of a user.
pub async fn delete_of_user(change: &mut Change, user: &UserId) -> Result<(), DbError> {
    Ok(on_change!(change, |c| sqlx::query(DELETE_OF_USER).bind(user).execute(c).await.map(|_| ()))?)
}

fn hash(id: Id) -> Vec<u8> {
    Sha256::digest(id.0.to_le_bytes()).to_vec()
}

fn failed(error: impl std::fmt::Display) -> session_store::Error {
    session_store::Error::Backend(error.to_string())
}
