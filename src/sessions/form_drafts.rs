//! Stores the input of a refused form until the user's next page shows it again.

use crate::base::id::UserId;
use crate::db::{Db, DbError, WorkKind};
use crate::{on_change, statements};

/// Lifetime of a draft, in seconds.
pub const LIFETIME_SECONDS: i64 = 900;

statements! {
    PUT = "INSERT INTO form_drafts (user_id, fields, expires_at) VALUES ($1, $2, $3)
        ON CONFLICT (user_id) DO UPDATE SET fields = excluded.fields, expires_at = excluded.expires_at";
    TAKE = "DELETE FROM form_drafts WHERE user_id = $1 AND expires_at > $2 RETURNING fields";
    DELETE_EXPIRED = "DELETE FROM form_drafts WHERE expires_at <= $1";
}

/// Service for form drafts: at most one for each signed-in user.
#[derive(Clone, Debug)]
pub struct FormDrafts {
    db: Db,
}

impl FormDrafts {
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// Stores a form's fields, URL-encoded, in place of an earlier draft.
    pub async fn put(&self, user: &UserId, fields: &str) -> Result<(), DbError> {
        let mut change = self.db.begin_unattended().await?;
        let until = change.now().plus_seconds(LIFETIME_SECONDS);
        on_change!(&mut change, |c| sqlx::query(PUT).bind(user).bind(fields).bind(until).execute(c).await.map(|_| ()))?;
        change.commit().await
    }

    /// Removes and returns the user's draft.
    pub async fn take(&self, user: &UserId) -> Result<Option<String>, DbError> {
        let mut change = self.db.begin_unattended().await?;
        let now = change.now();
        let row: Option<(String,)> =
            on_change!(&mut change, |c| sqlx::query_as(TAKE).bind(user).bind(now).fetch_optional(c).await)?;
        change.commit().await?;
        Ok(row.map(|(fields,)| fields))
    }

    /// Deletes expired drafts.
    pub async fn delete_expired(&self) -> Result<(), DbError> {
        let mut change = self.db.of(WorkKind::Background).begin_unattended().await?;
        let now = change.now();
        on_change!(&mut change, |c| sqlx::query(DELETE_EXPIRED).bind(now).execute(c).await.map(|_| ()))?;
        change.commit().await
    }
}
