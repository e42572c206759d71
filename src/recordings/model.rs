//! Types for recordings.

/// Largest recording, in bytes.
pub const MAX_BYTES: u64 = 100 * 1024 * 1024;

/// Whose voice a recording has: `direction` in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Combined,
    User,
    Agent,
}

impl Side {
    pub const ALL: [Self; 3] = [Self::Combined, Self::User, Self::Agent];

    /// The name in the database and in query strings.
    pub fn id(self) -> &'static str {
        match self {
            Self::Combined => "combined",
            Self::User => "user",
            Self::Agent => "agent",
        }
    }

    /// The side with this name.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|side| side.id() == id)
    }
}

/// Which of a conversation's recordings. There is at most one of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordingKind {
    pub side: Side,
    /// Whether personal data was made silent.
    pub redacted: bool,
}
