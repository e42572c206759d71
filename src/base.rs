//! What everything else stands on, in the browser and on the server.

/// Large answers, made by threads that give way.
#[cfg(feature = "ssr")]
pub mod bulk;
/// Characters that people do not see, or that change how others are read.
pub mod text;
/// How much of the processor a thread asks for.
#[cfg(feature = "ssr")]
pub mod thread_share;
