//! The API Keys page: one file for each action on keys, with its dialog and its server function.

/// Addresses of the page and its dialogs.
pub mod addresses;
/// Approving and declining what members ask for.
pub mod approve;
/// Changing many keys at once.
pub mod bulk;
/// Copying a key's value later.
pub mod copy;
/// Creating a key, and the dialog that shows its value once.
pub mod create;
/// Changing a key's name and permissions.
pub mod edit;
/// The list as a file.
#[cfg(feature = "ssr")]
pub mod export;
/// Describing the form that filters the list.
#[cfg(feature = "ssr")]
pub mod filter_forms;
/// Filtering the list.
pub mod filters;
/// Rotating, pausing, deleting and restoring a key.
pub mod life;
/// Describing the forms for a key's life.
#[cfg(feature = "ssr")]
pub mod life_forms;
/// The list of keys: search, sort, pages.
pub mod list;
/// What a workspace demands of its keys.
pub mod policy;
/// The page with the policy.
#[cfg(feature = "ssr")]
pub mod policy_page;
/// The page with what members ask for.
#[cfg(feature = "ssr")]
pub mod requested;
/// Ready requests for a key, in several languages.
#[cfg(feature = "ssr")]
pub mod requests;
/// The page that says what may be unsafe about keys.
#[cfg(feature = "ssr")]
pub mod safety;
/// The page on which many keys are chosen and changed.
#[cfg(feature = "ssr")]
pub mod select;
/// Whether keys can be copied later.
pub mod settings;
/// Dialog with ready requests.
pub mod use_key;
