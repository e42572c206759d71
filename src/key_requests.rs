//! Keys that members ask for. An admin approves or declines each request.

pub mod model;
pub mod service;
pub mod store;

pub use model::{KeyRequest, NewKeyRequest};
