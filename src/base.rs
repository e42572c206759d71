//! What everything else stands on, in the browser and on the server.

/// The one error type of pages and server functions.
pub mod error;
/// Newtypes for every kind of id.
pub mod id;
/// A secret on its way to the one page that shows it.
pub mod secret;
/// Text as people type it: one line, visible characters, query strings.
pub mod text;
/// Instants, and how they are shown.
pub mod time;

/// Who is behind an action.
#[cfg(feature = "ssr")]
pub mod actor;
/// Large answers, made by threads that give way.
#[cfg(feature = "ssr")]
pub mod bulk;
/// The clock, passed in so that tests know every second.
#[cfg(feature = "ssr")]
pub mod clock;
/// Randomness, passed in so that tests know every id.
#[cfg(feature = "ssr")]
pub mod randomness;
/// The key that seals what has to be read again.
#[cfg(feature = "ssr")]
pub mod sealing;
/// How much of the processor a thread asks for.
#[cfg(feature = "ssr")]
pub mod thread_share;
/// Tokens that are looked up by their hash.
#[cfg(feature = "ssr")]
pub mod token;
