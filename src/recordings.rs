//! Recordings of conversations: audio that the runtime stores and the Conversations API returns. The database knows what
//! there is; the audio itself is in a storage of its own, a folder or an S3-compatible store.

pub mod model;
pub mod service;
/// Where the audio is.
pub mod storage;
pub mod store;

pub use model::{MAX_BYTES, RecordingKind, Side};
