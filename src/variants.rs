//! Variants of agents, and their attributes: texts of which each variant can have its own value. Conversations carry a
//! variant's name and id.

pub mod model;
pub mod service;
pub mod store;

pub use model::{Attribute, Variant, VariantError};
