//! Workspaces. Each customer's data is isolated in a workspace, to which all other data belongs.

pub mod model;
pub mod policy;
#[cfg(feature = "ssr")]
pub mod service;
#[cfg(feature = "ssr")]
pub mod slug;
#[cfg(feature = "ssr")]
pub mod store;

pub use model::{RetentionDays, Visit, Workspace, initials, retention_in_words};
pub use policy::KeyPolicy;
