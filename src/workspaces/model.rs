//! Types and validation rules for workspaces.

use crate::base::error::Problem;
use crate::base::id::WorkspaceId;
use crate::users::Role;
use serde::{Deserialize, Serialize};

/// A workspace as its members see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::FromRow))]
pub struct Workspace {
    pub id: WorkspaceId,
    /// Short name for addresses. It can be used wherever the id can.
    pub slug: String,
    pub name: String,
    /// Whether API keys can be copied after their creation.
    pub keys_copyable: bool,
    /// Number of days after their start for which conversations are kept; `None` keeps them for ever.
    pub retention_days: Option<i32>,
    /// Days in which the deletion of a key or an agent can be undone; 0 if deletions are for good.
    pub undo_days: i32,
    /// Whether members who are no admins may ask for keys.
    pub members_may_request: bool,
}

impl Workspace {
    /// [`undo_days`](Self::undo_days) of a new workspace, and the most that there can be.
    pub const DEFAULT_UNDO_DAYS: i32 = 7;
    pub const MAX_UNDO_DAYS: i32 = 90;

    /// Whether a name in a call is this workspace's id or slug. A slug with the form of an id never matches, because it
    /// could be another workspace's id.
    #[cfg(feature = "ssr")]
    pub fn is_named(&self, name: &str) -> bool {
        self.id.as_str() == name || (self.slug == name && !super::slug::has_form_of_an_id(name))
    }
}

/// The context of a workspace's page: the workspace and the signed-in user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    pub workspace: Workspace,
    /// The user's role in it.
    pub role: Role,
    /// The user's e-mail address.
    pub email: String,
    /// Every workspace that the user is a member of, in the order of names.
    pub workspaces: Vec<Workspace>,
}

impl Visit {
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }
}

/// Longest retention period, in days: a hundred years.
const MAX_DAYS: i32 = 36_500;

/// A retention period of 1 to 36,500 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionDays(i32);

impl RetentionDays {
    /// Reads a period that a person typed. Empty text means no limit.
    pub fn parse(text: &str) -> Result<Option<Self>, Problem> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let days = text.parse().ok().filter(|days| (1..=MAX_DAYS).contains(days));
        days.map(|days| Some(Self(days))).ok_or(Problem::DaysInvalid)
    }

    /// The number of days.
    pub fn get(self) -> i32 {
        self.0
    }
}

/// A sentence for people that says how long conversations are kept.
pub fn retention_in_words(days: Option<i32>) -> String {
    match days {
        None => "Conversations are kept until they are deleted.".to_owned(),
        Some(1) => "Conversations are erased a day after they began.".to_owned(),
        Some(days) => format!("Conversations are erased {days} days after they began."),
    }
}

/// Up to three letters for a workspace's tile: the initials of the words, or the first letters of a single word. CSS
/// shows them in upper case.
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
