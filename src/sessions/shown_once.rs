//! Values that are shown once. Between the form that makes one and the page that shows it, it waits sealed in a row of its
//! own, which one request takes.

use crate::base::error::Error;
use crate::base::id::{UserId, WorkspaceId};
use crate::base::sealing::{MasterKey, Sealed};
use crate::base::secret::Revealed;
use crate::base::time::Timestamp;
use crate::db::{Db, Work};
use crate::{on_change, statements};
use std::sync::Arc;

/// How long a value waits, in seconds.
const WAITS: i64 = 300;

statements! {
    INSERT = "INSERT INTO shown_once (workspace_id, user_id, subject, sealed, master_key_id, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (workspace_id, user_id, subject) DO UPDATE SET sealed = excluded.sealed,
            master_key_id = excluded.master_key_id, expires_at = excluded.expires_at";
    TAKE = "DELETE FROM shown_once WHERE workspace_id = $1 AND user_id = $2 AND subject = $3 AND expires_at > $4
        RETURNING workspace_id, user_id, subject, sealed, master_key_id, expires_at";
    PUT_BACK = "INSERT INTO shown_once (workspace_id, user_id, subject, sealed, master_key_id, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (workspace_id, user_id, subject) DO NOTHING";
    // Of every workspace: what the server does of itself.
    DELETE_EXPIRED = "DELETE FROM shown_once WHERE expires_at <= $1";
}

/// A value that waits to be shown.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct WaitingValue {
    workspace_id: WorkspaceId,
    user_id: UserId,
    subject: String,
    sealed: Vec<u8>,
    master_key_id: String,
    expires_at: Timestamp,
}

/// Values that wait for the one page that shows them.
#[derive(Clone, Debug)]
pub struct ShownOnce {
    db: Db,
    sealing: Arc<MasterKey>,
}

impl ShownOnce {
    /// On this database.
    pub fn new(db: Db, sealing: Arc<MasterKey>) -> Self {
        Self { db, sealing }
    }

    /// Puts the value of something where the next page of this user finds it, in place of one that waits already.
    pub async fn put(&self, workspace: &WorkspaceId, user: &UserId, subject: &str, value: &str) -> Result<(), Error> {
        let sealed = self.sealing.seal(value, &context(workspace, subject), self.db.random())?;
        let waiting = WaitingValue {
            workspace_id: workspace.clone(),
            user_id: user.clone(),
            subject: subject.to_owned(),
            sealed: sealed.bytes,
            master_key_id: sealed.master_key_id,
            expires_at: self.db.now().plus_seconds(WAITS),
        };
        self.write(INSERT, &waiting).await
    }

    /// Takes the value of something out; `None` where none waits.
    pub async fn take(
        &self,
        workspace: &WorkspaceId,
        user: &UserId,
        subject: &str,
    ) -> Result<Option<WaitingValue>, Error> {
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

    /// The value itself.
    pub fn open(&self, taken: WaitingValue) -> Result<Revealed, Error> {
        let context = context(&taken.workspace_id, &taken.subject);
        let sealed = Sealed { bytes: taken.sealed, master_key_id: taken.master_key_id };
        Ok(Revealed::new(&self.sealing.open(&sealed, &context)?))
    }

    /// Puts back what was taken and not delivered, unless another one waits by now.
    pub async fn put_back(&self, value: &WaitingValue) {
        if let Err(error) = self.write(PUT_BACK, value).await {
            tracing::warn!(%error, "a value that was not delivered could not be kept for another try");
        }
    }

    /// Removes what was not taken in time.
    pub async fn delete_expired(&self) -> Result<(), Error> {
        let mut change = self.db.of(Work::Background).begin_unattended().await?;
        let now = change.now();
        on_change!(&mut change, |c| sqlx::query(DELETE_EXPIRED).bind(now).execute(c).await.map(|_| ()))?;
        change.commit().await
    }

    async fn write(&self, sql: &'static str, value: &WaitingValue) -> Result<(), Error> {
        let mut change = self.db.begin_unattended().await?;
        on_change!(&mut change, |c| sqlx::query(sql)
            .bind(&value.workspace_id)
            .bind(&value.user_id)
            .bind(&value.subject)
            .bind(&value.sealed)
            .bind(&value.master_key_id)
            .bind(value.expires_at)
            .execute(c)
            .await
            .map(|_| ()))?;
        change.commit().await
    }
}

/// What a value is sealed for.
fn context(workspace: &WorkspaceId, subject: &str) -> String {
    format!("{workspace}/shown-once/{subject}")
}
