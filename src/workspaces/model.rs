//! Types and rules for workspaces.

use crate::base::error::Problem;
use crate::base::id::WorkspaceId;
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
        self.id.as_str() == name || (self.slug == name && !super::slug::has_form_of_an_id(name))
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

/// Most days that a workspace can be set to: a hundred years.
const MAX_DAYS: i32 = 36_500;

/// A number of days, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionDays(i32);

impl RetentionDays {
    /// Reads what was typed; nothing is no limit.
    pub fn parse(text: &str) -> Result<Option<Self>, Problem> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let days = text.parse().ok().filter(|days| (1..=MAX_DAYS).contains(days));
        days.map(|days| Some(Self(days))).ok_or(Problem::DaysInvalid)
    }

    /// The number.
    pub fn get(self) -> i32 {
        self.0
    }
}

/// How long conversations are kept, in a sentence.
pub fn retention_in_words(days: Option<i32>) -> String {
    match days {
        None => "Conversations are kept until they are deleted.".to_owned(),
        Some(1) => "Conversations are erased a day after they began.".to_owned(),
        Some(days) => format!("Conversations are erased {days} days after they began."),
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
    use super::*;

    #[test]
    fn days() {
        assert_eq!(RetentionDays::parse(" 90 "), Ok(Some(RetentionDays(90))));
        assert_eq!((RetentionDays::parse(""), RetentionDays::parse(" ")), (Ok(None), Ok(None)));
        for wrong in ["0", "-1", "1.5", "36501", "ninety", "9999999999"] {
            assert_eq!(RetentionDays::parse(wrong), Err(Problem::DaysInvalid), "{wrong}");
        }
    }

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
