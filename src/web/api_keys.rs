//! The API Keys page: one file for each thing that is done with keys, with its part of the page and its server function.

/// Addresses of the page and its dialogs.
pub mod addresses;
/// Copying a key's value later.
pub mod copy;
/// Making a key, and the one time that it is shown without asking.
pub mod create;
/// Deleting a key: confirmation dialog and server function.
pub mod delete;
/// Changing a key's name and permissions.
pub mod edit;
/// The list of keys: search, sort, pages.
pub mod list;
/// Ready requests for a key, in several languages.
#[cfg(feature = "ssr")]
pub mod requests;
/// Whether keys can be copied later.
pub mod settings;
/// Ready requests, as a page.
pub mod use_key;
