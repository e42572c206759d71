//! Workspaces: the walls between customers. Everything else belongs to one.

/// The frame around a workspace's pages: the rail of workspaces and the tabs.
pub mod frame;

/// How long a workspace keeps its conversations, and the dialog that sets it.
pub mod retention;

/// What pages and command line do with workspaces.
#[cfg(feature = "ssr")]
pub mod operations;
/// Short names for addresses.
#[cfg(feature = "ssr")]
pub mod slug;
/// The SQL.
#[cfg(feature = "ssr")]
pub mod store;

use crate::id::WorkspaceId;
use crate::users::Role;
use serde::{Deserialize, Serialize};

/// A workspace as its members see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::FromRow))]
pub struct Workspace {
    pub id: WorkspaceId,
    /// Works wherever its id does, and names it in addresses.
    pub slug: String,
    pub name: String,
    /// Whether API keys can be copied after their creation.
    pub keys_copyable: bool,
    /// How many days conversations are kept after they began; `None` keeps them.
    pub retention_days: Option<i32>,
}

impl Workspace {
    /// Whether a call means this workspace: by its id, or by its slug, which may be no other's id.
    #[cfg(feature = "ssr")]
    pub fn is_named(&self, name: &str) -> bool {
        self.id.as_str() == name || (self.slug == name && !slug::has_form_of_an_id(name))
    }
}

/// What a workspace's pages need to know of who looks at them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// The workspace that the page belongs to.
    pub workspace: Workspace,
    /// The visitor's role in it.
    pub role: Role,
    /// The visitor's e-mail.
    pub email: String,
    /// Every workspace that the visitor is a member of, by name.
    pub workspaces: Vec<Workspace>,
}

impl Visit {
    /// Whether the visitor may change things here.
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }
}

/// Up to three letters for a workspace's tile, which shows them in upper case: the words' initials, or the name's first
/// letters.
pub fn initials(name: &str) -> String {
    let words: Vec<&str> = name
        .split(|c: char| c.is_whitespace() || c.is_ascii_punctuation())
        .filter(|word| !word.is_empty())
        .take(3)
        .collect();
    match words.as_slice() {
        [] => name.chars().take(1).collect(),
        [only] => only.chars().take(3).collect(),
        many => many.iter().filter_map(|word| word.chars().next()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::initials;

    #[test]
    fn tiles() {
        for (name, tile) in [
            ("Acme UK", "AU"),
            ("Agents for Work today", "AfW"),
            ("Platform", "Pla"),
            ("ß", "ß"),
            ("🙂", "🙂"),
            ("", ""),
        ] {
            assert_eq!(initials(name), tile, "{name}");
        }
    }
}
