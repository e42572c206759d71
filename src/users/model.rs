//! Types and validation rules for users and invitations.

use crate::base::error::Problem;
use crate::base::id::{InvitationId, UserId};
use crate::base::text::is_invisible;
use crate::base::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A member's role in a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May do everything.
    Admin,
    /// Sees everything but secrets; changes nothing.
    Viewer,
}

impl Role {
    /// All roles, in the order in which pages show them.
    pub const ALL: [Self; 2] = [Self::Admin, Self::Viewer];

    /// The name in the database, in forms and on the command line.
    pub fn id(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Viewer => "viewer",
        }
    }

    /// The name that pages show.
    pub fn label(self) -> &'static str {
        match self {
            Self::Admin => "Admin",
            Self::Viewer => "Viewer",
        }
    }

    /// One sentence for people that says what the role may do.
    pub fn means(self) -> &'static str {
        match self {
            Self::Admin => "Creates, copies and deletes keys, and manages agents, users and configuration.",
            Self::Viewer => "Sees everything except secrets, and changes nothing.",
        }
    }

    /// The role with this id.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.id() == id)
    }
}

impl TryFrom<String> for Role {
    type Error = &'static str;

    fn try_from(id: String) -> Result<Self, Self::Error> {
        Self::parse(&id).ok_or("not a role")
    }
}

/// An e-mail address in lower case, with text before and after a single `@`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::Type), sqlx(transparent))]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    /// Longest address, in bytes (RFC 5321, section 4.5.3.1.3).
    const MAX_LEN: usize = 254;

    /// Normalises and checks an address that a person typed. Does not check that the address exists.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let text = text.trim().to_lowercase();
        let plausible = text.len() <= Self::MAX_LEN
            && !text.chars().any(is_invisible)
            && text
                .split_once('@')
                .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
        if plausible { Ok(Self(text)) } else { Err(Problem::EmailInvalid) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A member of a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::FromRow))]
pub struct Member {
    pub id: UserId,
    pub email: Email,
    #[cfg_attr(feature = "ssr", sqlx(try_from = "String"))]
    pub role: Role,
    /// Start of the membership.
    pub created_at: Timestamp,
}

/// An invitation that was not accepted yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::FromRow))]
pub struct PendingInvitation {
    pub id: InvitationId,
    pub email: Email,
    #[cfg_attr(feature = "ssr", sqlx(try_from = "String"))]
    pub role: Role,
    pub expires_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails() {
        assert_eq!(Email::parse(" Ada@Example.COM ").unwrap().as_str(), "ada@example.com");
        for wrong in ["", "ada", "@b", "a@", "a@b@c", "a b@c", &format!("{}@b", "a".repeat(254))] {
            assert_eq!(Email::parse(wrong), Err(Problem::EmailInvalid), "{wrong}");
        }
    }
}
