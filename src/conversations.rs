//! Storing, reading and searching conversations.

/// Numbers of concurrent conversations.
pub mod concurrency;
/// Pagination cursors.
pub mod cursor;
/// Parsing conversations, and writing them as JSON for responses.
pub mod document;
/// Full-text search: words of transcripts and of queries.
pub mod full_text;
/// Import from files.
pub mod import;
/// Reading incoming documents field by field.
pub mod incoming;
/// Writing conversations in the live service's form.
pub mod live_form;
/// Metrics to store.
pub mod metrics;
/// Query parameters of lists.
pub mod query;
/// Schemas for the OpenAPI document.
pub mod schema;
pub mod service;
pub mod store;
/// Turns.
pub mod turn;
/// Schemas of what comes in.
pub mod values;
