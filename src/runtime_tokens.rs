//! Tokens with which the platform that runs the agents authenticates.

pub mod service;
pub mod store;
