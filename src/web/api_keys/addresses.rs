//! Addresses of the API Keys page.

use crate::api_keys::KeyListQuery;
use leptos::prelude::*;

/// Addresses of this workspace's keys that keep the part of the list that is shown.
#[derive(Clone, Copy)]
pub struct Addresses {
    pub(super) slug: Memo<String>,
    pub(super) query: Memo<KeyListQuery>,
}

impl Addresses {
    /// The addresses of the page that is shown.
    pub fn current() -> Self {
        expect_context()
    }

    /// The list.
    pub fn list(self) -> String {
        self.to("")
    }

    /// The query string of the part of the list that is shown.
    pub fn query_string(self) -> String {
        self.query.with_untracked(KeyListQuery::to_address)
    }

    /// Something below the list: `/new`, or `/{key}/edit`.
    pub fn to(self, rest: &str) -> String {
        format!("/{}/api-keys{rest}{}", self.slug.get_untracked(), self.query_string())
    }
}
