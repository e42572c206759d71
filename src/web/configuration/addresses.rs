//! Addresses of the Configuration page.

use crate::base::text::query_value;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// The part of the page's address that is not the path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub search: String,
    /// Id of the agent whose card is open; empty if none is, `None` for the first.
    pub agent: Option<String>,
}

impl Place {
    /// The address of the page, or of one of its dialogs.
    pub fn address(&self, slug: &str, dialog: &str) -> String {
        let search = if self.search.is_empty() { String::new() } else { format!("q={}&", query_value(&self.search)) };
        let agent = self.agent.as_deref().unwrap_or_default();
        format!("/{slug}/api-keys/configuration{dialog}?{search}agent={agent}")
    }
}

/// Where the visitor is.
pub fn use_place() -> Memo<Place> {
    let query = use_query_map();
    Memo::new(move |_| query.with(|q| Place { search: q.get("q").unwrap_or_default(), agent: q.get("agent") }))
}
