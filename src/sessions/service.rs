//! Ending sessions.

use crate::base::actor::Actor;
use crate::base::id::UserId;
use crate::db::{Change, Db, DbError};
use crate::sessions::store;

/// Ends every session of a user, within an open change.
pub async fn end_all_in(change: &mut Change, user: &UserId) -> Result<(), DbError> {
    store::delete_of_user(change, user).await
}

/// Ends every session of a user, in a change of its own.
pub async fn end_all(db: &Db, actor: &Actor, user: &UserId) -> Result<(), DbError> {
    let mut change = db.begin(actor).await?;
    end_all_in(&mut change, user).await?;
    change.commit().await
}

pub use store::{SIGNED_IN_AT, Sessions, USER};
