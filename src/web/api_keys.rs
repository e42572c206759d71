//! The API Keys page: one file for each action on keys, with its dialog and its server function.

/// Addresses of the page and its dialogs.
pub mod addresses;
/// Copying a key's value later.
pub mod copy;
/// Creating a key, and the dialog that shows its value once.
pub mod create;
/// Changing a key's name and permissions.
pub mod edit;
/// Rotating, pausing, deleting and restoring a key.
pub mod life;
/// Describing the forms for a key's life.
#[cfg(feature = "ssr")]
pub mod life_forms;
/// The list of keys: search, sort, pages.
pub mod list;
/// Ready requests for a key, in several languages.
#[cfg(feature = "ssr")]
pub mod requests;
/// The page that says what may be unsafe about keys.
#[cfg(feature = "ssr")]
pub mod safety;
/// Whether keys can be copied later.
pub mod settings;
/// Dialog with ready requests.
pub mod use_key;
