//! Randomness, passed in so that tests know every id.

use rand::rngs::{OsRng, StdRng};
use rand::{RngCore, SeedableRng, TryRngCore};
use std::sync::{Arc, Mutex, PoisonError};

/// Digits, then capitals, then small letters.
pub const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Where random bytes come from.
#[derive(Clone, Debug)]
pub enum Random {
    /// The operating system: for everything that must not be guessed.
    System,
    /// A sequence that is the same in each run: for tests and demo data.
    Seeded(Arc<Mutex<StdRng>>),
}

impl Random {
    /// The sequence that this seed always gives.
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// Fills a buffer. Panics where the operating system has no randomness to give: nothing safe could go on.
    pub fn fill(&self, buffer: &mut [u8]) {
        match self {
            #[expect(clippy::expect_used, reason = "the one place that asks the system")]
            Self::System => OsRng.try_fill_bytes(buffer).expect("the operating system gives random bytes"),
            Self::Seeded(rng) => rng.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(buffer),
        }
    }

    /// So many random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// Text of `len` characters, each drawn evenly from `alphabet` (at most 256 ASCII characters).
    pub fn text(&self, alphabet: &[u8], len: usize) -> String {
        // Bytes at or above the largest multiple of the alphabet's length would favour its first characters.
        let fair = 256 - 256 % alphabet.len();
        let mut text = String::with_capacity(len);
        let mut buffer = [0; 64];
        while text.len() < len {
            self.fill(&mut buffer);
            let drawn = buffer.iter().filter(|b| usize::from(**b) < fair);
            text.extend(drawn.take(len - text.len()).map(|b| char::from(alphabet[usize::from(*b) % alphabet.len()])));
        }
        text
    }
}
