//! A key's secret value, plain and hashed. Only the plain value authenticates. It prints as `***` and is wiped from
//! memory when dropped.
//!
//! Format: `ask_`, 32 random base62 characters, and a checksum of 6 characters. The checksum is CRC-32 over the 36
//! characters before it, in base62 (digits, upper case, lower case), most significant first, padded with `0`.

use crate::base::id::{ApiKeyId, WorkspaceId};
use crate::base::randomness::{BASE62, Random};
use crate::base::sealing::{MasterKeys, SealError, Sealed};
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

pub const PREFIX: &str = "ask_";
const RANDOM_LEN: usize = 32;
const CHECKSUM_LEN: usize = 6;
/// Length of a value, in characters.
pub const KEY_LEN: usize = PREFIX.len() + RANDOM_LEN + CHECKSUM_LEN;

/// The value that the key's holder sends.
pub struct PlainKey(Zeroizing<String>);

/// SHA-256 of the whole value, by which it is looked up. A slow hash is not needed, because the value has 190 random
/// bits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HashedKey([u8; 32]);

impl PlainKey {
    /// Makes a new value.
    pub fn generate(random: &Random) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(KEY_LEN));
        text.push_str(PREFIX);
        text.push_str(&Zeroizing::new(random.text(BASE62, RANDOM_LEN)));
        let checksum = checksum(&text);
        text.extend(checksum.iter().map(|b| char::from(*b)));
        Self(text)
    }

    /// Reads a value that a client sent; `None` if its format or checksum is wrong.
    pub fn parse(text: &str) -> Option<Self> {
        is_well_formed(text).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    pub fn hashed(&self) -> HashedKey {
        HashedKey::digest(self.expose())
    }

    /// The form that lists show: `ask_gUGd************14cg`.
    pub fn masked(&self) -> String {
        let text = self.expose();
        format!("{}************{}", &text[..PREFIX.len() + 4], &text[KEY_LEN - 4..])
    }

    /// Encrypts the value for its row in the database.
    pub fn seal(
        &self,
        with: &MasterKeys,
        workspace: &WorkspaceId,
        id: &ApiKeyId,
        random: &Random,
    ) -> Result<Sealed, SealError> {
        with.seal(self.expose(), &row(workspace, id), random)
    }

    /// Decrypts a value that was sealed for this row.
    pub fn open(sealed: &Sealed, with: &MasterKeys, workspace: &WorkspaceId, id: &ApiKeyId) -> Result<Self, SealError> {
        let text = with.open(sealed, &row(workspace, id))?;
        Self::parse(&text).ok_or(SealError::Damaged)
    }

    /// The value in plain text, to give to its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

fn row(workspace: &WorkspaceId, id: &ApiKeyId) -> String {
    format!("{workspace}/{id}")
}

/// The key in a text such as `API_KEY="ask_…"`, or a part of one that is too long to be shown.
pub fn key_in(text: &str) -> Option<&str> {
    let begins = |at: usize| !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
    let (at, _) = text.match_indices(PREFIX).find(|(at, _)| begins(*at))?;
    let key = &text[at..];
    let end = key[PREFIX.len()..].find(|c: char| !c.is_ascii_alphanumeric()).map_or(key.len(), |at| PREFIX.len() + at);
    (end > PREFIX.len() + 8).then(|| &key[..end])
}

fn is_well_formed(text: &str) -> bool {
    let Some((body, sum)) = text.split_at_checked(KEY_LEN - CHECKSUM_LEN) else { return false };
    let random = body.strip_prefix(PREFIX).unwrap_or_default();
    text.len() == KEY_LEN
        && random.len() == RANDOM_LEN
        && random.bytes().all(|b| b.is_ascii_alphanumeric())
        && sum.as_bytes() == checksum(body)
}

/// CRC-32 (as in zlib and PNG) in base62, most significant character first.
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
    /// The hash of a value that a client sent, without copying the value; `None` if its format or checksum is wrong.
    pub fn of_presented(text: &str) -> Option<Self> {
        is_well_formed(text).then(|| Self::digest(text))
    }

    fn digest(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Reads a hash from the database; `None` if it is not 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Reads a hash in hexadecimal, as the databases' triggers write it; `None` if it is not one.
    pub fn from_hex(text: &str) -> Option<Self> {
        hex::decode(text).ok().and_then(|bytes| Self::from_bytes(&bytes))
    }

    /// The hash as the database stores it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
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
prints_as_stars!(PlainKey HashedKey);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VECTORS: [&str; 3] = [
        "ask_0123456789ABCDEFGHIJKLMNOPQRSTUV2QjdX3",
        "ask_000000000000000000000000000000002CGNRW",
        "ask_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz0qY65U",
    ];

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

    proptest! {
        /// CRC-32 detects every change within 32 bits in a row, so also every two neighbours that were swapped.
        #[test]
        fn neighbours_that_were_swapped_are_refused(seed: u64, at in 0..KEY_LEN - 1) {
            let key = PlainKey::generate(&Random::seeded(seed));
            let mut swapped = key.expose().as_bytes().to_vec();
            swapped.swap(at, at + 1);
            prop_assume!(swapped != key.expose().as_bytes());
            prop_assert!(PlainKey::parse(&String::from_utf8_lossy(&swapped)).is_none());
        }

        /// Only what `checksum` would append is taken for a key.
        #[test]
        fn what_is_taken_for_a_key_has_its_checksum(body in "ask_[0-9A-Za-z]{32}", sum in "[0-9A-Za-z]{6}") {
            let right = String::from_utf8_lossy(&checksum(&body)).into_owned();
            let (random, full) = (format!("{body}{sum}"), format!("{body}{right}"));
            prop_assert_eq!(is_well_formed(&random), sum == right);
            prop_assert!(is_well_formed(&full));
        }

        #[test]
        fn no_text_breaks_it(text in ".{0,64}") {
            prop_assert!(PlainKey::parse(&text).is_none());
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
    fn a_key_is_found_in_a_text() {
        let key = VECTORS[0];
        for text in [key.to_owned(), format!(" x-api-key: {key}\n"), format!("API_KEY=\"{key}\"")] {
            assert_eq!(key_in(&text), Some(key));
        }
        assert_eq!(key_in(&format!("{key}é")), Some(key));
        assert_eq!(key_in("ask_0123456789"), Some("ask_0123456789"));
        for other in ["", "task_automation123", "ask_gUGd", "ask_gUGd************14cg", "ask_é"] {
            assert_eq!(key_in(other), None, "{other}");
        }
    }

    #[test]
    fn masked_shows_four_and_four() {
        let key = PlainKey::parse(VECTORS[0]).unwrap();
        assert_eq!(key.masked(), "ask_0123************jdX3");
    }

    #[test]
    fn nothing_secret_is_printed() {
        let key = PlainKey::parse(VECTORS[0]).unwrap();
        assert_eq!(format!("{key:?} {:?}", key.hashed()), "PlainKey(***) HashedKey(***)");
    }
}
