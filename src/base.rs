//! Types and helpers that every other module may use: ids, time, text, secrets, errors, clock, randomness.

/// The error type of pages and server functions.
pub mod error;
/// One newtype for each kind of id.
pub mod id;
/// A secret that is sent to its owner's browser.
pub mod secret;
/// Single-line text, invisible characters, percent-encoding, and removing secrets from logged text.
pub mod text;
/// Instants and their formats.
pub mod time;

/// The person or program that performs an action.
#[cfg(feature = "ssr")]
pub mod actor;
/// A runtime with low-priority threads for large responses.
#[cfg(feature = "ssr")]
pub mod bulk;
/// The clock. It is passed in, so that tests can set the time.
#[cfg(feature = "ssr")]
pub mod clock;
/// Scheduling priority of threads.
#[cfg(feature = "ssr")]
pub mod cpu_share;
/// Source of random bytes. It is passed in, so that tests get predictable ids.
#[cfg(feature = "ssr")]
pub mod randomness;
/// Encryption of stored secrets under the master key.
#[cfg(feature = "ssr")]
pub mod sealing;
/// Random tokens that are stored as hashes.
#[cfg(feature = "ssr")]
pub mod token;
