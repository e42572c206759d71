//! Addresses of the Configuration page.

#[cfg(feature = "ssr")]
use crate::base::error::Error;
use crate::base::text::query_value;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use serde::{Deserialize, Serialize};

/// Longest search, in characters.
#[cfg(feature = "ssr")]
const MAX_SEARCH: usize = 100;

/// The part of the page's address that is not the path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationQuery {
    pub search: String,
    /// Id of the agent whose card is open; empty if none is, `None` for the first.
    pub agent: Option<String>,
}

impl ConfigurationQuery {
    /// The query with which an agent's card is open.
    pub fn of_agent(agent: String) -> Self {
        Self { agent: Some(agent), ..Self::default() }
    }

    /// The address of the page, or of one of its dialogs.
    pub fn address(&self, slug: &str, dialog: &str) -> String {
        let search = if self.search.is_empty() { String::new() } else { format!("q={}&", query_value(&self.search)) };
        let agent = self.agent.as_deref().unwrap_or_default();
        format!("/{slug}/api-keys/configuration{dialog}?{search}agent={agent}")
    }

    /// The text to search for; an error if it is too long.
    #[cfg(feature = "ssr")]
    pub fn checked_search(&self) -> Result<&str, Error> {
        if self.search.chars().count() > MAX_SEARCH || self.search.contains('\0') {
            return Err(Error::BadRequest);
        }
        Ok(self.search.trim())
    }
}

/// The query of the current address.
pub fn use_configuration_query() -> Memo<ConfigurationQuery> {
    let query = use_query_map();
    Memo::new(move |_| {
        query.with(|q| ConfigurationQuery { search: q.get("q").unwrap_or_default(), agent: q.get("agent") })
    })
}
