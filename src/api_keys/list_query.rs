//! What the address of the list of keys says: search, filter, order and page.

use crate::api_keys::filter::KeyFilter;
use crate::api_keys::model::KeyName;
use crate::base::text::query_value;
use serde::{Deserialize, Serialize};

/// Sort order of the list of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyOrder {
    #[default]
    Newest,
    Oldest,
    Name,
    /// Earliest expiry first, so that expired keys come first.
    Expiry,
    /// Most recently used first. Keys that were never used come last.
    LastUsed,
}

impl KeyOrder {
    /// Each order with its value in the query string and its label.
    pub const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::Newest, "newest", "Newest"),
        (Self::Oldest, "oldest", "Oldest"),
        (Self::Name, "name", "Name"),
        (Self::Expiry, "expiry", "Expires soonest"),
        (Self::LastUsed, "last-used", "Last used"),
    ];

    /// The order with this value in the query string, or the default.
    pub fn parse(id: &str) -> Self {
        Self::ALL.iter().find(|(_, known, _)| *known == id).map_or_else(Self::default, |(sort, ..)| *sort)
    }

    /// The value in the query string.
    pub fn id(self) -> &'static str {
        Self::ALL.iter().find(|(sort, ..)| *sort == self).map_or("", |(_, id, _)| id)
    }
}

/// What the list shows of each key beside the usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownFacts(u8);

impl ShownFacts {
    /// Each fact with its name in addresses and its label.
    pub const ALL: [(&'static str, &'static str); 5] = [
        ("owner", "Owner"),
        ("tags", "Tags"),
        ("client", "Address and program of the last use"),
        ("networks", "Networks and limits"),
        ("creator", "Created by"),
    ];

    /// Reads names, separated by commas.
    pub fn parse(names: &str) -> Self {
        let place = |name| Self::ALL.iter().position(|(known, _)| *known == name);
        Self(names.split(',').filter_map(place).fold(0, |facts, place| facts | 1 << place))
    }

    pub fn has(self, name: &str) -> bool {
        Self::ALL.iter().position(|(known, _)| *known == name).is_some_and(|place| self.0 & 1 << place != 0)
    }

    /// The names, separated by commas.
    pub fn id(self) -> String {
        Self::ALL.iter().map(|(name, _)| *name).filter(|name| self.has(name)).collect::<Vec<_>>().join(",")
    }
}

/// Which part of the list of keys a page shows, as its query string says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyListQuery {
    /// Text that the names must contain.
    pub search: String,
    pub filter: KeyFilter,
    pub sort: KeyOrder,
    /// What is shown of each key beside the usual.
    pub shown: ShownFacts,
    /// Cursor of the position after which the page begins.
    pub after: Option<String>,
    pub before: Option<String>,
}

impl KeyListQuery {
    /// Longest search text, in characters; more are cut off.
    pub const MAX_SEARCH: usize = KeyName::MAX_CHARS;

    /// Whether its texts have the limits of an address; a client could send others.
    pub fn is_sound(&self) -> bool {
        let short = |text: &str, most| text.chars().count() <= most && !text.contains('\0');
        short(&self.search, Self::MAX_SEARCH)
            && self.filter.values().iter().all(|value| short(value, KeyFilter::MAX_TEXT))
    }

    /// Reads the parameters of a query string.
    pub fn from_address(get: impl Fn(&str) -> Option<String>) -> Self {
        let search: String = get("q").unwrap_or_default().trim().chars().take(Self::MAX_SEARCH).collect();
        let place = |name| get(name).filter(|place| !place.is_empty());
        Self {
            search: search.replace('\0', ""),
            sort: KeyOrder::parse(&get("sort").unwrap_or_default()),
            shown: ShownFacts::parse(&get("show").unwrap_or_default()),
            filter: KeyFilter::from_address(&get),
            after: place("after"),
            before: place("before"),
        }
    }

    /// The query string with a leading `?`; empty for the default query.
    pub fn to_address(&self) -> String {
        let mut parts = Vec::new();
        if !self.search.is_empty() {
            parts.push(format!("q={}", query_value(&self.search)));
        }
        if self.sort != KeyOrder::default() {
            parts.push(format!("sort={}", self.sort.id()));
        }
        parts.extend(self.filter.to_parts());
        if self.shown != ShownFacts::default() {
            parts.push(format!("show={}", self.shown.id()));
        }
        for (name, place) in [("after", &self.after), ("before", &self.before)] {
            if let Some(place) = place {
                parts.push(format!("{name}={}", query_value(place)));
            }
        }
        if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) }
    }
}
