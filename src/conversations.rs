//! Storing, reading and searching conversations.

/// Pagination cursors.
pub mod cursor;
/// Parsing conversations, and writing them as JSON for responses.
pub mod document;
/// Full-text search: words of transcripts and of queries.
pub mod full_text;
/// Import from JSON Lines.
pub mod import;
/// Query parameters of lists.
pub mod query;
/// Schemas for the OpenAPI document.
pub mod schema;
pub mod service;
pub mod store;
/// Schemas of metric values and turns.
pub mod values;
