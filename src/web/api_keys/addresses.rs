//! Addresses of the API Keys page.

use crate::api_keys::KeyListQuery;
use leptos::prelude::*;

/// Addresses of this workspace's keys. They keep search, sort and page of the list.
#[derive(Clone, Copy)]
pub struct KeyAddresses {
    pub(super) slug: Memo<String>,
    pub(super) query: Memo<KeyListQuery>,
}

impl KeyAddresses {
    /// Those of the current page.
    pub fn current() -> Self {
        expect_context()
    }

    /// The list.
    pub fn list(self) -> String {
        self.to("")
    }

    /// The list's search, sort and page, as a query string.
    pub fn query_string(self) -> String {
        self.query.with_untracked(KeyListQuery::to_address)
    }

    /// An address below the list: `/new`, or `/{key}/edit`.
    pub fn to(self, rest: &str) -> String {
        format!("/{}/api-keys{rest}{}", self.slug.get_untracked(), self.query_string())
    }
}
