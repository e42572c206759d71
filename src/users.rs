//! The users of a workspace: roles, passwords and invitations.

pub mod model;
/// Hashing and verifying passwords.
#[cfg(feature = "ssr")]
pub mod password;
#[cfg(feature = "ssr")]
pub mod service;
#[cfg(feature = "ssr")]
pub mod store;

pub use model::{Email, Member, PendingInvitation, Role};
