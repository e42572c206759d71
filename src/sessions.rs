//! Signing in and out, setting up, and who is asking.

/// The visitor's own page: password, sign out everywhere.
pub mod account;
/// The first page of a server without users.
pub mod set_up;
/// Signing in and out.
pub mod sign_in;

/// Who is asking, and may they.
#[cfg(feature = "ssr")]
pub mod guard;
/// The one time that a secret is shown: it waits, sealed, in the session between the form and the page.
#[cfg(feature = "ssr")]
pub mod shown_once;
/// Sessions in our own tables.
#[cfg(feature = "ssr")]
pub mod store;
/// How often somebody may try a password.
#[cfg(feature = "ssr")]
pub mod throttle;
