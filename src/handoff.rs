//! The state that an agent stores when it transfers a call.

pub mod service;
pub mod store;
