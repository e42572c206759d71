//! Between pages and server functions.

/// Calls to server functions.
pub mod call;
/// Forms that work before the page's script does.
pub mod form;
/// Parts of pages that are only read, rendered by the server.
pub mod fragment;
/// Pages' data, and what is shown until it is there.
pub mod load;
