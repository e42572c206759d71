//! Conversations as they are kept, read and searched.

/// The opaque place where the next page begins.
pub mod cursor;
/// A conversation on its way in, and on its way out through Configuration.
pub mod document;
/// Bringing conversations in from JSON Lines.
pub mod import;
/// What a list can be asked for.
pub mod query;
/// Conversations as the OpenAPI document describes them.
pub mod schema;
/// What the runtime side does to conversations.
pub mod service;
/// The SQL.
pub mod store;
/// Metric values and turns on their way in.
pub mod values;
/// The words of transcripts and of searches.
pub mod words;
