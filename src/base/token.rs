//! Random tokens that are shown once and stored as SHA-256. They hold 238 random bits, so a fast hash is safe.

use crate::base::randomness::{BASE62, Random};
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

/// In base62 characters: 238 random bits.
const RANDOM_LEN: usize = 40;

/// A token in plain text. Prints as `***` and is wiped from memory when dropped.
pub struct Token(Zeroizing<String>);

impl Token {
    /// Makes a new token. The prefix tells people what it is for.
    pub fn generate(prefix: &str, random: &Random) -> Self {
        Self(Zeroizing::new(format!("{prefix}{}", random.text(BASE62, RANDOM_LEN))))
    }

    /// Wraps a token that a client sent.
    pub fn sent(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// SHA-256 of the token, by which the database finds it.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// The token in plain text, to give to its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}
