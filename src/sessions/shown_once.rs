//! Secrets that are shown once. The form that creates a secret stores it, sealed, in a row; the next page removes the
//! row and shows the secret.

use crate::base::id::{UserId, WorkspaceId};
use crate::base::sealing::{MasterKeys, SealError, Sealed};
use crate::base::secret::Revealed;
use crate::base::time::Timestamp;
use crate::db::{Change, Db, DbError, WorkKind};
use crate::{on_change, on_db, statements};
use std::sync::Arc;

/// Lifetime of a stored value, in seconds.
const LIFETIME_SECONDS: i64 = 300;

statements! {
    INSERT = "INSERT INTO shown_once (workspace_id, user_id, subject, sealed, master_key_id, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (workspace_id, user_id, subject) DO UPDATE SET sealed = excluded.sealed,
            master_key_id = excluded.master_key_id, expires_at = excluded.expires_at";
    TAKE = "DELETE FROM shown_once WHERE workspace_id = $1 AND user_id = $2 AND subject = $3 AND expires_at > $4
        RETURNING workspace_id, user_id, subject, sealed, master_key_id, expires_at";
    PUT_BACK = "INSERT INTO shown_once (workspace_id, user_id, subject, sealed, master_key_id, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (workspace_id, user_id, subject) DO NOTHING";
    // These cover all workspaces: the server's own housekeeping.
    ALL_SEALED = "SELECT workspace_id, user_id, subject, sealed, master_key_id, expires_at FROM shown_once
        WHERE master_key_id <> $1";
    REPLACE_SEALED = "UPDATE shown_once SET sealed = $4, master_key_id = $5
        WHERE workspace_id = $1 AND user_id = $2 AND subject = $3 AND sealed = $6";
    DELETE_EXPIRED = "DELETE FROM shown_once WHERE expires_at <= $1";
}

/// A sealed value that a page has not shown yet.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct WaitingValue {
    workspace_id: WorkspaceId,
    user_id: UserId,
    subject: String,
    sealed: Vec<u8>,
    master_key_id: String,
    expires_at: Timestamp,
}

/// Why a value could not be stored for its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShownOnceError {
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Service for secrets that are shown once.
#[derive(Clone, Debug)]
pub struct ShownOnce {
    db: Db,
    sealing: Arc<MasterKeys>,
}

impl ShownOnce {
    pub fn new(db: Db, sealing: Arc<MasterKeys>) -> Self {
        Self { db, sealing }
    }

    /// Stores the value of a subject (such as an invitation) for the next page of this user, and replaces an earlier one.
    pub async fn put(
        &self,
        workspace: &WorkspaceId,
        user: &UserId,
        subject: &str,
        value: &str,
    ) -> Result<(), ShownOnceError> {
        let mut change = self.db.begin_unattended().await?;
        self.put_in(&mut change, workspace, user, subject, value).await?;
        Ok(change.commit().await?)
    }

    /// Like [`put`](Self::put), as part of the change that creates the value.
    pub async fn put_in(
        &self,
        change: &mut Change,
        workspace: &WorkspaceId,
        user: &UserId,
        subject: &str,
        value: &str,
    ) -> Result<(), ShownOnceError> {
        let sealed = self.sealing.seal(value, &context(workspace, subject), self.db.random())?;
        let waiting = WaitingValue {
            workspace_id: workspace.clone(),
            user_id: user.clone(),
            subject: subject.to_owned(),
            sealed: sealed.bytes,
            master_key_id: sealed.master_key_id,
            expires_at: self.db.now().plus_seconds(LIFETIME_SECONDS),
        };
        Ok(write(change, INSERT, &waiting).await?)
    }

    /// Removes and returns the value of a subject; `None` if none is stored.
    pub async fn take(
        &self,
        workspace: &WorkspaceId,
        user: &UserId,
        subject: &str,
    ) -> Result<Option<WaitingValue>, DbError> {
        let mut change = self.db.begin_unattended().await?;
        let now = change.now();
        let taken = on_change!(&mut change, |c| sqlx::query_as(TAKE)
            .bind(workspace)
            .bind(user)
            .bind(subject)
            .bind(now)
            .fetch_optional(c)
            .await)?;
        change.commit().await?;
        Ok(taken)
    }

    /// Decrypts a value.
    pub fn open(&self, taken: WaitingValue) -> Result<Revealed, SealError> {
        let context = context(&taken.workspace_id, &taken.subject);
        let sealed = Sealed { bytes: taken.sealed, master_key_id: taken.master_key_id };
        Ok(Revealed::new(&self.sealing.open(&sealed, &context)?))
    }

    /// Stores a value again that was taken but not delivered, unless there is a newer one.
    pub async fn put_back(&self, value: &WaitingValue) {
        if let Err(error) = self.write_again(value).await {
            tracing::warn!(%error, "a value that was not delivered could not be kept for another try");
        }
    }

    async fn write_again(&self, value: &WaitingValue) -> Result<(), DbError> {
        let mut change = self.db.begin_unattended().await?;
        write(&mut change, PUT_BACK, value).await?;
        change.commit().await
    }

    /// Seals every value under the master key that seals now, and returns how many were sealed again.
    pub async fn seal_again(&self) -> Result<u64, ShownOnceError> {
        let (mut count, current) = (0, self.sealing.id());
        let waiting: Vec<WaitingValue> =
            on_db!(self.db, |c| sqlx::query_as(ALL_SEALED).bind(&current).fetch_all(c).await).map_err(DbError::from)?;
        let mut change = self.db.begin_unattended().await?;
        for value in waiting {
            let context = context(&value.workspace_id, &value.subject);
            let sealed = Sealed { bytes: value.sealed.clone(), master_key_id: value.master_key_id };
            let Ok(plain) = self.sealing.open(&sealed, &context) else { continue };
            let sealed = self.sealing.seal(&plain, &context, self.db.random())?;
            count += on_change!(&mut change, |c| sqlx::query(REPLACE_SEALED)
                .bind(&value.workspace_id)
                .bind(&value.user_id)
                .bind(&value.subject)
                .bind(&sealed.bytes)
                .bind(&sealed.master_key_id)
                .bind(&value.sealed)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))
            .map_err(DbError::from)?;
        }
        change.commit().await?;
        Ok(count)
    }

    /// Deletes expired values.
    pub async fn delete_expired(&self) -> Result<(), DbError> {
        let mut change = self.db.of(WorkKind::Background).begin_unattended().await?;
        let now = change.now();
        on_change!(&mut change, |c| sqlx::query(DELETE_EXPIRED).bind(now).execute(c).await.map(|_| ()))?;
        change.commit().await
    }
}

async fn write(change: &mut Change, sql: &'static str, value: &WaitingValue) -> Result<(), DbError> {
    Ok(on_change!(change, |c| sqlx::query(sql)
        .bind(&value.workspace_id)
        .bind(&value.user_id)
        .bind(&value.subject)
        .bind(&value.sealed)
        .bind(&value.master_key_id)
        .bind(value.expires_at)
        .execute(c)
        .await
        .map(|_| ()))?)
}

/// The associated data of a sealed value.
fn context(workspace: &WorkspaceId, subject: &str) -> String {
    format!("{workspace}/shown-once/{subject}")
}
