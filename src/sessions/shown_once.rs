//! The one time that a secret is shown. Between the form that makes it and the page that shows it, it waits in the
//! session, sealed; an address could not carry it without spilling it into logs and histories.

use super::guard::{Member, failed};
use crate::error::Error;
use crate::revealed::Revealed;
use crate::server::master_key::Sealed;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// The session's entry.
const ENTRY: &str = "shown_once";
/// How long a secret waits, in seconds.
const WAITS: i64 = 600;

#[derive(Serialize, Deserialize)]
struct Waiting {
    /// What it is the secret of.
    of: String,
    sealed: String,
    master_key_id: String,
    until: i64,
}

/// Puts the secret of something where the next page finds it, in place of one that waits already.
pub async fn put(member: &Member, of: &str, secret: &str) -> Result<(), Error> {
    let app = member.app();
    let sealed = app.master_key.seal(secret, &place(member, of), &app.random)?;
    let waiting = Waiting {
        of: of.to_owned(),
        sealed: STANDARD.encode(sealed.bytes),
        master_key_id: sealed.master_key_id,
        until: app.clock.now().seconds() + WAITS,
    };
    member.visitor.session.insert(ENTRY, waiting).await.map_err(failed)
}

/// Takes the secret of something out; `None` where none waits.
pub async fn take(member: &Member, of: &str) -> Result<Option<Revealed>, Error> {
    let app = member.app();
    let waiting: Option<Waiting> = member.visitor.session.remove(ENTRY).await.map_err(failed)?;
    let Some(waiting) = waiting.filter(|w| w.of == of && w.until > app.clock.now().seconds()) else {
        return Ok(None);
    };
    let bytes = STANDARD.decode(waiting.sealed).map_err(|_| Error::Internal)?;
    let sealed = Sealed { bytes, master_key_id: waiting.master_key_id };
    let secret = app.master_key.open(&sealed, &place(member, of))?;
    Ok(Some(Revealed::new(&secret)))
}

fn place(member: &Member, of: &str) -> String {
    format!("{}/shown-once/{of}", member.workspace().id)
}
