//! Tokens that are shown once and looked up by their hash: they hold enough randomness for a fast hash to be safe.

use crate::base::randomness::{BASE62, Random};
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

/// 238 random bits.
const RANDOM_LEN: usize = 40;

/// A token as its holder has it.
pub struct Token(Zeroizing<String>);

impl Token {
    /// A new token; its prefix tells people what it is for.
    pub fn generate(prefix: &str, random: &Random) -> Self {
        Self(Zeroizing::new(format!("{prefix}{}", random.text(BASE62, RANDOM_LEN))))
    }

    /// A token that somebody sent.
    pub fn sent(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// What it is looked up by: SHA-256.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// The token itself, to hand to its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}
