//! A secret that is sent to its owner's browser.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A secret that a page shows to its owner, such as a key's value or an invitation's link. Prints as `***`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revealed(String);

impl Revealed {
    pub fn new(secret: &str) -> Self {
        Self(secret.to_owned())
    }

    /// The secret in plain text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Revealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Revealed(***)")
    }
}
