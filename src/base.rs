//! What everything else stands on, in the browser and on the server.

/// Characters that people do not see, or that change how others are read.
pub mod text;
