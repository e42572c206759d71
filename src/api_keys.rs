//! API keys: names, permissions, agent scope, expiry and secret values.

/// Which keys a list has.
pub mod filter;
/// What the address of the list says.
pub mod list_query;
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

pub use filter::{Disuse, KeyFilter, KeyState};
pub use list_query::{KeyListQuery, KeyOrder, ShownFacts};
pub use model::{
    AgentScope, ApiKey, DeletedKey, Expiry, KeyBeyondPolicy, KeyName, KeyPage, LastClient, OldValue, Overlap, Pause,
    Permission, Permissions, Status, UnusedKey, within_limits,
};
pub use settings::{KeySettings, Rate, TypedSettings};
