//! The one time that a value is shown. Between the form that asks for it and the page that shows it, it waits in the
//! session, sealed like any other; an address could not carry it without spilling it into logs and histories.

use super::secret::{PlainKey, SealedKey};
use crate::error::Error;
use crate::id::ApiKeyId;
use crate::sessions::guard::{Member, failed};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// The session's entry.
const SHOWN: &str = "shown_key";
/// How long a value waits, in seconds.
const WAITS: i64 = 600;

#[derive(Serialize, Deserialize)]
struct Waiting {
    id: ApiKeyId,
    sealed: String,
    master_key_id: String,
    until: i64,
}

/// Puts a value where the next page finds it.
pub async fn put(member: &Member, id: &ApiKeyId, value: &PlainKey) -> Result<(), Error> {
    let app = member.app();
    let sealed = app.master_key.seal(value, &member.workspace().id, id, &app.random)?;
    let waiting = Waiting {
        id: id.clone(),
        sealed: STANDARD.encode(sealed.bytes),
        master_key_id: sealed.master_key_id,
        until: app.clock.now().seconds() + WAITS,
    };
    member.visitor.session.insert(SHOWN, waiting).await.map_err(failed)
}

/// Takes the value of this key out; `None` where none waits.
pub async fn take(member: &Member, id: &ApiKeyId) -> Result<Option<PlainKey>, Error> {
    let app = member.app();
    let waiting: Option<Waiting> = member.visitor.session.remove(SHOWN).await.map_err(failed)?;
    let Some(waiting) = waiting.filter(|w| w.id == *id && w.until > app.clock.now().seconds()) else {
        return Ok(None);
    };
    let bytes = STANDARD.decode(waiting.sealed).map_err(|_| Error::Internal)?;
    let sealed = SealedKey { bytes, master_key_id: waiting.master_key_id };
    app.master_key.open(&sealed, &member.workspace().id, id).map(Some)
}
