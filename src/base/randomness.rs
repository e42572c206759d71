//! Source of random bytes. It is passed in, so that tests get predictable ids.

use rand::rngs::{OsRng, StdRng};
use rand::{RngCore, SeedableRng, TryRngCore};
use std::sync::{Arc, Mutex, PoisonError};

/// The base62 alphabet: digits, upper case, lower case.
pub const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Source of random bytes for ids and secrets.
#[derive(Clone, Debug)]
pub enum Random {
    /// The operating system's generator, for ids and secrets that must not be guessable.
    System,
    /// A sequence that is the same in each run, for tests and demo data.
    Seeded(Arc<Mutex<StdRng>>),
}

impl Random {
    /// A generator whose sequence depends on the seed only.
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// Fills a buffer. Panics if the operating system provides no random bytes, because no safe id or secret can be
    /// made then.
    pub fn fill(&self, buffer: &mut [u8]) {
        match self {
            #[expect(clippy::expect_used, reason = "the one place that asks the system")]
            Self::System => OsRng.try_fill_bytes(buffer).expect("the operating system gives random bytes"),
            Self::Seeded(rng) => rng.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(buffer),
        }
    }

    /// Like [`bytes`](Self::bytes), for ids that are not secret. Does not ask the operating system each time.
    #[expect(clippy::disallowed_methods, reason = "the one place that uses the thread's generator")]
    pub fn public_bytes<const N: usize>(&self) -> [u8; N] {
        match self {
            Self::System => {
                let mut bytes = [0; N];
                rand::rng().fill_bytes(&mut bytes);
                bytes
            }
            Self::Seeded(_) => self.bytes(),
        }
    }

    /// An array of `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// Text of `len` characters, drawn uniformly from `alphabet` (at most 256 ASCII characters).
    pub fn text(&self, alphabet: &[u8], len: usize) -> String {
        // Bytes at or above the largest multiple of the alphabet's length are discarded: they would favour the first
        // characters.
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
