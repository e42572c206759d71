//! Types for variants and attributes.

use crate::base::error::Problem;
use crate::base::id::{AttributeId, VariantId};
use crate::db::DbError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A text of which each variant can have its own value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Attribute {
    pub id: AttributeId,
    pub name: String,
}

/// A variant of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Variant {
    pub id: VariantId,
    pub name: String,
    /// Exactly one variant of an agent is its default.
    pub is_default: bool,
    pub values: AttributeValues,
}

/// Values by attribute.
pub type AttributeValues = BTreeMap<AttributeId, String>;

/// Changes to a variant, or what a new one has. `None` leaves something as it is.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct VariantChanges {
    pub name: Option<String>,
    /// Replaces all values.
    pub values: Option<BTreeMap<String, String>>,
    pub is_default: Option<bool>,
}

/// Why an operation on a variant or an attribute failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariantError {
    #[error("There is no such agent, variant or attribute.")]
    NotFound,
    #[error("Another one of this agent has this name. Choose another name.")]
    NameTaken,
    #[error("The default variant cannot be deleted. Make another one the default first.")]
    DefaultDeleted,
    #[error("Exactly one variant is the default. Make another one the default instead.")]
    DefaultEnded,
    #[error("The values name an attribute that the agent does not have.")]
    UnknownAttribute,
    #[error("Use at most {0} characters for a value.")]
    ValueTooLong(usize),
    #[error("An agent can have at most {0} of these.")]
    TooMany(usize),
    #[error(transparent)]
    Invalid(#[from] Problem),
    #[error(transparent)]
    Db(#[from] DbError),
}
