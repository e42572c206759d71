//! API keys: names, permissions, agent scope, expiry and secret values.

pub mod model;
/// What may be unsafe about keys.
#[cfg(feature = "ssr")]
pub mod review;
/// The secret value of a key: plain, hashed, sealed and masked.
#[cfg(feature = "ssr")]
pub mod secret;
#[cfg(feature = "ssr")]
pub mod service;
/// Owner, note, tags, networks and limits.
pub mod settings;
#[cfg(feature = "ssr")]
pub mod store;

pub use model::{
    AgentScope, ApiKey, DeletedKey, Expiry, KeyListQuery, KeyName, KeyOrder, KeyPage, OldValue, Overlap, Pause,
    Permission, Permissions, Status, UnusedKey, within_limits,
};
pub use settings::{KeySettings, Rate, TypedSettings};
