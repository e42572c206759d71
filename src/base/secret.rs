//! A secret on its way to the one page that shows it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A secret that its owner is about to see: a key's value, an invitation's link. Prints as `***`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revealed(String);

impl Revealed {
    /// Takes a secret for its owner.
    pub fn new(secret: &str) -> Self {
        Self(secret.to_owned())
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Revealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Revealed(***)")
    }
}
