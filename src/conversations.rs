//! The Conversations API (`docs/api.md`) and the conversations behind it.

/// The opaque place where the next page begins.
pub mod cursor;
/// A conversation on its way in, and on its way out through Configuration.
pub mod document;
/// Bringing conversations in from JSON Lines.
pub mod import;
/// What the runtime side does to conversations.
pub mod operations;
/// What a list can be asked for.
pub mod query;
/// The handlers.
pub mod routes;
/// Conversations as the OpenAPI document describes them.
pub mod schema;
/// The SQL.
pub mod store;
/// The calls that name the same conversations in camelCase.
pub mod v1;
/// The words of transcripts and of searches.
pub mod words;
