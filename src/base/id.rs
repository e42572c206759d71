//! One newtype for each kind of id, so that one kind cannot be passed for another. An id is text: a prefix that names
//! its kind, then random characters. Ids are not secret and grant no access.

#[cfg(feature = "ssr")]
mod generate;

use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest id or slug that is looked up, in bytes. Longer text is treated as unknown.
const MAX_LEN: usize = 64;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "ssr", derive(sqlx::Type), sqlx(transparent))]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// Reads an id from input; `None` if the text is not a possible id.
            pub fn parse(text: &str) -> Option<Self> {
                is_id(text).then(|| Self(text.to_owned()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                if is_id(&text) { Ok(Self(text)) } else { Err("not an id") }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

ids! {
    /// A workspace's id, `account_id` in the API: `ws-fd112d8f`.
    WorkspaceId;
    /// An agent's id, `project_id` in the API: `PROJECT-58RP822I`.
    AgentId;
    /// An API key's id, not its value: `key-…`.
    ApiKeyId;
    /// A user's id: `user-…`.
    UserId;
    /// The id of an invitation to a workspace: `inv-…`.
    InvitationId;
    /// The id of an agent's variant: `variant-…`.
    VariantId;
    /// The id of an attribute of an agent's variants: `attr-…`.
    AttributeId;
    /// The id of a deployment: `dep-…`.
    DeploymentId;
    /// A runtime token's id, not its value: `rtok-…`.
    RuntimeTokenId;
}

fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_LEN
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
