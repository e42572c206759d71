//! A key's value in its three forms: plain, hashed, sealed. Only the plain one opens anything; it prints as `***`
//! and is wiped from memory when dropped.
//!
//! Format: `ask_`, 32 random base62 characters, and a checksum of 6: CRC-32 over the 36 characters before it, in
//! base62, digits first, then upper, then lower case, most significant first, padded with `0`.

use crate::error::Error;
use crate::id::{ApiKeyId, WorkspaceId};
use crate::server::randomness::Random;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

const PREFIX: &str = "ask_";
const RANDOM_LEN: usize = 32;
const CHECKSUM_LEN: usize = 6;
const KEY_LEN: usize = PREFIX.len() + RANDOM_LEN + CHECKSUM_LEN;
const NONCE_LEN: usize = 24;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The value that its holder sends.
pub struct PlainKey(Zeroizing<String>);

/// SHA-256 of the whole value: what it is looked up by. The value holds 190 random bits, so a slow hash would cost
/// without protecting.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HashedKey([u8; 32]);

/// The value under XChaCha20-Poly1305, nonce first, bound to its workspace and id.
#[derive(Clone)]
pub struct SealedKey {
    /// Nonce, ciphertext, tag.
    pub bytes: Vec<u8>,
    /// The master key that opens it.
    pub master_key_id: String,
}

/// The key that seals keys: 32 bytes from the settings or from the data directory.
pub struct MasterKey {
    id: String,
    cipher: XChaCha20Poly1305,
    set_up_token: Zeroizing<String>,
}

impl PlainKey {
    /// A new value.
    pub fn generate(random: &Random) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(KEY_LEN));
        text.push_str(PREFIX);
        text.push_str(&Zeroizing::new(random.text(BASE62, RANDOM_LEN)));
        let checksum = checksum(&text);
        text.extend(checksum.iter().map(|b| char::from(*b)));
        Self(text)
    }

    /// Reads a value that someone sent; `None` for a typo or garbage, without asking anyone.
    pub fn parse(text: &str) -> Option<Self> {
        let (body, sum) = text.split_at_checked(KEY_LEN - CHECKSUM_LEN)?;
        let well_formed = text.len() == KEY_LEN
            && body.strip_prefix(PREFIX)?.bytes().all(|b| b.is_ascii_alphanumeric())
            && sum.as_bytes() == checksum(body);
        well_formed.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// What it is looked up by.
    pub fn hashed(&self) -> HashedKey {
        HashedKey(Sha256::digest(self.0.as_bytes()).into())
    }

    /// What a list may show of it: `ask_gUGd************14cg`.
    pub fn masked(&self) -> String {
        let text = self.expose();
        format!("{}************{}", &text[..PREFIX.len() + 4], &text[KEY_LEN - 4..])
    }

    /// The value itself, to hand to its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// CRC-32 (zlib's and PNG's) in base62, most significant character first.
fn checksum(body: &str) -> [u8; CHECKSUM_LEN] {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut out = [b'0'; CHECKSUM_LEN];
    for place in out.iter_mut().rev() {
        *place = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    out
}

impl HashedKey {
    /// The hash as it is stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl MasterKey {
    /// Reads 32 bytes in base64; `None` where they are not.
    pub fn from_base64(text: &str) -> Option<Self> {
        use base64::Engine as _;
        let bytes = Zeroizing::new(base64::engine::general_purpose::STANDARD.decode(text.trim()).ok()?);
        let bytes: &[u8; 32] = bytes.as_slice().try_into().ok()?;
        Some(Self::new(bytes))
    }

    fn new(bytes: &[u8; 32]) -> Self {
        Self {
            id: hex(&derive(bytes, "id"), 8),
            cipher: XChaCha20Poly1305::new(bytes.into()),
            set_up_token: Zeroizing::new(hex(&derive(bytes, "set-up"), 32)),
        }
    }

    /// What ciphertexts name it by; tells nothing of the key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the set-up page asks for, where there are no users yet: the same on every server with this key.
    pub fn set_up_token(&self) -> &str {
        &self.set_up_token
    }

    /// Seals a value for this row: moved to another, it does not open.
    pub fn seal(
        &self,
        key: &PlainKey,
        workspace: &WorkspaceId,
        id: &ApiKeyId,
        random: &Random,
    ) -> Result<SealedKey, Error> {
        let nonce: [u8; NONCE_LEN] = random.bytes();
        let row = row(workspace, id);
        let payload = Payload { msg: key.0.as_bytes(), aad: row.as_bytes() };
        let ciphertext = self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| Error::Internal)?;
        Ok(SealedKey { bytes: [nonce.as_slice(), &ciphertext].concat(), master_key_id: self.id.clone() })
    }

    /// Opens what was sealed for this row.
    pub fn open(&self, sealed: &SealedKey, workspace: &WorkspaceId, id: &ApiKeyId) -> Result<PlainKey, Error> {
        if sealed.master_key_id != self.id {
            return Err(Error::OtherMasterKey);
        }
        let (nonce, ciphertext) = sealed.bytes.split_first_chunk::<NONCE_LEN>().ok_or(Error::Internal)?;
        let row = row(workspace, id);
        let payload = Payload { msg: ciphertext, aad: row.as_bytes() };
        let plain = self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| {
            tracing::error!(%workspace, key = %id, "a sealed key does not open: its row was changed or moved");
            Error::Internal
        })?;
        let plain = Zeroizing::new(plain);
        std::str::from_utf8(&plain).ok().and_then(PlainKey::parse).ok_or(Error::Internal)
    }
}

fn row(workspace: &WorkspaceId, id: &ApiKeyId) -> String {
    format!("{workspace}/{id}")
}

fn derive(master: &[u8; 32], purpose: &str) -> [u8; 32] {
    Sha256::new().chain_update(b"agent-studio ").chain_update(purpose).chain_update(master).finalize().into()
}

fn hex(bytes: &[u8], len: usize) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect::<String>()[..len].to_owned()
}

macro_rules! prints_as_stars {
    ($($secret:ident)*) => {$(
        impl fmt::Debug for $secret {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($secret), "(***)"))
            }
        }
    )*};
}
prints_as_stars!(PlainKey HashedKey SealedKey MasterKey);

#[cfg(test)]
mod tests {
    use super::*;

    const VECTORS: [&str; 3] = [
        "ask_0123456789ABCDEFGHIJKLMNOPQRSTUV2QjdX3",
        "ask_000000000000000000000000000000002CGNRW",
        "ask_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz0qY65U",
    ];

    fn master(byte: u8) -> MasterKey {
        MasterKey::new(&[byte; 32])
    }

    fn row_of(workspace: &str, id: &str) -> (WorkspaceId, ApiKeyId) {
        (WorkspaceId::parse(workspace).unwrap(), ApiKeyId::parse(id).unwrap())
    }

    #[test]
    fn the_published_vectors_are_keys() {
        for vector in VECTORS {
            assert_eq!(PlainKey::parse(vector).map(|k| k.expose().to_owned()).as_deref(), Some(vector));
        }
    }

    #[test]
    fn every_single_typo_is_refused() {
        for vector in VECTORS {
            for at in 0..vector.len() {
                for typo in ['0', 'A', 'z', '_', ' ', 'é'] {
                    let mut chars: Vec<char> = vector.chars().collect();
                    if chars[at] != typo {
                        chars[at] = typo;
                        let text: String = chars.into_iter().collect();
                        assert!(PlainKey::parse(&text).is_none(), "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn garbage_is_refused() {
        let long = "a".repeat(10_000);
        let cut = &VECTORS[0][..41];
        let more = format!("{}0", VECTORS[0]);
        for text in ["", "ask_", "x", cut, &more, &long, "ask_ééééééééééééééééééé", "Bearer ask_"] {
            assert!(PlainKey::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_generated_key_is_well_formed_and_new_each_time() {
        let random = Random::System;
        let (a, b) = (PlainKey::generate(&random), PlainKey::generate(&random));
        assert!(PlainKey::parse(a.expose()).is_some());
        assert_ne!(a.expose(), b.expose());
        assert_ne!(a.hashed(), b.hashed());
    }

    #[test]
    fn masked_shows_four_and_four() {
        let key = PlainKey::parse(VECTORS[0]).unwrap();
        assert_eq!(key.masked(), "ask_0123************jdX3");
    }

    #[test]
    fn nothing_secret_is_printed() {
        let key = PlainKey::parse(VECTORS[0]).unwrap();
        let (workspace, id) = row_of("ws-1", "key-1");
        let sealed = master(1).seal(&key, &workspace, &id, &Random::seeded(1)).unwrap();
        let printed = format!("{key:?} {:?} {sealed:?} {:?}", key.hashed(), master(1));
        assert_eq!(printed, "PlainKey(***) HashedKey(***) SealedKey(***) MasterKey(***)");
    }

    #[test]
    fn sealed_opens_in_its_own_row_only() {
        let key = PlainKey::parse(VECTORS[2]).unwrap();
        let (workspace, id) = row_of("ws-1", "key-1");
        let sealed = master(7).seal(&key, &workspace, &id, &Random::System).unwrap();
        assert_eq!(master(7).open(&sealed, &workspace, &id).unwrap().expose(), VECTORS[2]);

        let (other_workspace, other_id) = row_of("ws-2", "key-2");
        assert!(master(7).open(&sealed, &other_workspace, &id).is_err());
        assert!(master(7).open(&sealed, &workspace, &other_id).is_err());
        assert_eq!(master(8).open(&sealed, &workspace, &id).unwrap_err(), Error::OtherMasterKey);

        let mut changed = sealed.clone();
        changed.bytes[30] ^= 1;
        assert!(master(7).open(&changed, &workspace, &id).is_err());
        changed.bytes.truncate(10);
        assert!(master(7).open(&changed, &workspace, &id).is_err());
    }

    #[test]
    fn a_master_key_is_32_bytes_in_base64() {
        assert!(MasterKey::from_base64("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").is_some());
        for wrong in ["", "AAEC", "not base64", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISI="] {
            assert!(MasterKey::from_base64(wrong).is_none(), "{wrong}");
        }
    }
}
