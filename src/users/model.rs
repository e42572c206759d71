//! Types and rules for users and invitations.

use crate::base::error::Problem;
use crate::base::id::{InvitationId, UserId};
use crate::base::text::is_invisible;
use crate::base::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What a member may do in a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    Admin,
    /// Sees everything but secrets, changes nothing.
    Viewer,
}

impl Role {
    /// Both, as they are shown.
    pub const ALL: [Self; 2] = [Self::Admin, Self::Viewer];

    /// As it is stored and written on the command line.
    pub fn id(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Viewer => "viewer",
        }
    }

    /// As people see it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Admin => "Admin",
            Self::Viewer => "Viewer",
        }
    }

    /// What it means, as one sentence.
    pub fn means(self) -> &'static str {
        match self {
            Self::Admin => "Creates, copies and deletes keys, and manages agents, users and configuration.",
            Self::Viewer => "Sees everything except secrets, and changes nothing.",
        }
    }

    /// Takes a role by its id.
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

/// An e-mail address: something before and after one `@`, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::Type), sqlx(transparent))]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    /// Longest address (RFC 5321, 4.5.3.1.3).
    const MAX_LEN: usize = 254;

    /// Takes an address as it was typed. Whether it exists shows when someone uses it.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let text = text.trim().to_lowercase();
        let plausible = text.len() <= Self::MAX_LEN
            && !text.chars().any(is_invisible)
            && text
                .split_once('@')
                .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
        if plausible { Ok(Self(text)) } else { Err(Problem::EmailInvalid) }
    }

    /// The address.
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
    /// When the membership began.
    pub created_at: Timestamp,
}

/// Somebody who has been invited and has not come yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::FromRow))]
pub struct Invited {
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
