//! The error type of pages and server functions. Each variant has a sentence for people and an HTTP status. An error
//! can return in a page's URL (`?__err=`), which anyone can write. So each text is fixed by its variant, and none
//! contains a secret or a message of the database.

use leptos::server_fn::codec::JsonEncoding;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::net::IpAddr;

/// Why a request of a page could not be carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Error {
    /// 401: nobody is signed in.
    #[error("Please sign in and try again.")]
    SignedOut,
    /// 401: there is no such account, or the password is wrong.
    #[error("That e-mail and password do not match. Check both and try again.")]
    WrongCredentials,
    /// 403: signed in, but not as an admin of this workspace.
    #[error("Only an admin of this workspace can do this. Ask one of them.")]
    AdminsOnly,
    /// 403: the request came from another site.
    #[error("This request did not come from this site, so it was refused. Reload the page and try again.")]
    WrongOrigin,
    /// 404: it does not exist, or this person may not know that it exists.
    #[error("This does not exist, or no longer does. Someone may have deleted it in the meantime.")]
    NotFound,
    /// 409: the workspace would have no admin left.
    #[error("This is the workspace's last admin. Make somebody else an admin first.")]
    LastAdmin,
    /// 409: the key's value was never stored, or was destroyed.
    #[error("This key was shown once, when it was created, and cannot be copied any more. Create a new key instead.")]
    NotCopyable,
    /// 409: the value that the last rotation replaced still opens.
    #[error("This key is being rotated. End its old value first, or cancel the rotation.")]
    RotationUnderWay,
    /// 409: somebody else has changed it since the form was opened.
    #[error("Somebody changed this in the meantime. Open it again, and repeat your change if it is still right.")]
    Changed,
    /// 409: there is no old value, or it no longer opens.
    #[error("This key has no old value that still opens.")]
    NoOldValue,
    /// 409: the value is sealed under a master key that this server does not have.
    #[error("This key is sealed under another master key. Ask whoever runs this server to start it with that one.")]
    OtherMasterKey,
    /// 410: the link was used, has expired or was replaced.
    #[error("This link is no longer valid. Ask an admin of the workspace for a new one.")]
    LinkSpent,
    /// 422: these fields have invalid values.
    #[error("{}", .0.iter().map(|p| p.message()).collect::<Vec<_>>().join(" "))]
    Invalid(Vec<Problem>),
    /// 429: too many sign-in attempts.
    #[error("Too many attempts. Wait {} and try again.", minutes(*.retry_after_seconds))]
    TooManyAttempts {
        /// Seconds until the next attempt is allowed.
        retry_after_seconds: u32,
    },
    /// 400: a request that the pages never send.
    #[error("The server did not understand this request. Reload the page and try again.")]
    BadRequest,
    /// The browser could not reach the server.
    #[error("The server could not be reached. Check your connection and try again.")]
    Unreachable,
    /// 503: the database is busy or cannot be reached.
    #[error("The database is not available just now. Nothing was changed. Try again in a moment.")]
    Unavailable,
    /// 500: a fault of the server.
    #[error("Something went wrong on our side. Try again; if it stays so, tell whoever runs this server.")]
    Internal,
}

/// What is wrong with one field of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Problem {
    NameMissing,
    NameTooLong,
    NameMismatch,
    NameTaken,
    VariantIsDefault,
    ValueTooLong,
    TooManyOfAgent,
    MessageTooLong,
    NotAhead,
    AgentsMissing,
    AgentsUnknown,
    PermissionsMissing,
    PermissionNeedsAllAgents,
    ExpiryUnreadable,
    ExpiryPast,
    ExpiryTooFar,
    EmailInvalid,
    EmailTaken,
    PasswordTooShort,
    PasswordTooLong,
    PasswordWrong,
    TokenWrong,
    SlugInvalid,
    SlugTaken,
    MetricsTooMany,
    DaysInvalid,
    ConfirmationMissing,
    ReasonTooLong,
    OverlapUnreadable,
    UndoDaysInvalid,
    OwnerTooLong,
    NoteTooLong,
    TagsInvalid,
    /// The network at this place, counted from 1, cannot be read.
    NetworkUnreadable {
        place: u8,
    },
    NetworksTooMany,
    RateUnreadable,
    BurstUnreadable,
    QuotaUnreadable,
    /// The workspace's policy allows lifetimes of at most this many days.
    LifetimeTooLong {
        days: i32,
    },
    AllAgentsForbidden,
    TooManyRequested,
    KeysTooMany,
    /// Networks that calls of the last 30 days did not come from, and nobody said that this is meant.
    CallersCutOff {
        first: IpAddr,
        /// Number of further addresses.
        others: u32,
    },
    OwnerMissing,
    NetworksMissing,
    DefaultLifetimeInvalid,
    MaxLifetimeInvalid,
    MaxLifetimeMissing,
    /// The policy would make this many keys expire earlier, and nobody said that this is meant.
    KeysExpireEarlier {
        keys: u32,
    },
}

impl Problem {
    /// The name of the form field that the problem is about.
    pub fn field(self) -> &'static str {
        use Problem::*;
        match self {
            NameMissing | NameTooLong | NameMismatch | NameTaken | TooManyOfAgent | TooManyRequested => "name",
            VariantIsDefault => "is_default",
            ValueTooLong => "values",
            MessageTooLong => "message",
            NotAhead => "environment",
            AgentsMissing | AgentsUnknown | AllAgentsForbidden => "agents",
            PermissionsMissing | PermissionNeedsAllAgents => "permissions",
            ExpiryUnreadable | ExpiryPast | ExpiryTooFar | LifetimeTooLong { .. } => "expiry",
            EmailInvalid | EmailTaken => "email",
            PasswordTooShort | PasswordTooLong => "password",
            PasswordWrong => "current_password",
            TokenWrong => "token",
            SlugInvalid | SlugTaken => "slug",
            MetricsTooMany => "metrics",
            DaysInvalid => "days",
            ConfirmationMissing => "destroy",
            ReasonTooLong => "reason",
            OverlapUnreadable => "overlap",
            UndoDaysInvalid => "undo_days",
            OwnerTooLong | OwnerMissing => "owner",
            NoteTooLong => "note",
            TagsInvalid => "tags",
            NetworkUnreadable { .. } | NetworksTooMany | NetworksMissing => "networks",
            RateUnreadable => "rate",
            BurstUnreadable => "burst",
            QuotaUnreadable => "quota",
            DefaultLifetimeInvalid => "default_lifetime",
            MaxLifetimeInvalid | MaxLifetimeMissing => "max_lifetime",
            KeysExpireEarlier { .. } => "confirmed",
            KeysTooMany => "keys",
            CallersCutOff { .. } => "cut_off",
        }
    }

    /// One sentence that says what is wrong and what to enter instead.
    pub fn message(self) -> Cow<'static, str> {
        use Problem::*;
        Cow::Borrowed(match self {
            NetworkUnreadable { place } => {
                let example = "Write each as 203.0.113.0/24 or 2001:db8::/32.";
                return format!("Entry {place} is not a network. {example}").into();
            }
            LifetimeTooLong { days } => {
                return format!("Keys of this workspace are valid for at most {days} days. Choose an earlier expiry.")
                    .into();
            }
            CallersCutOff { first, others: 0 } => {
                return format!("{first} called in the last 30 days and would be refused. Tick this to confirm.")
                    .into();
            }
            CallersCutOff { first, others } => {
                return format!(
                    "{first} and {others} more called in the last 30 days and would be refused. Tick this to confirm."
                )
                .into();
            }
            KeysExpireEarlier { keys } => {
                let keys = if keys == 1 { "1 key".to_owned() } else { format!("{keys} keys") };
                return format!("{keys} would expire earlier; the Policy page lists them. Tick this to confirm.")
                    .into();
            }
            KeysTooMany => "At most 10,000 keys can be changed at once. Choose fewer.",
            TooManyRequested => "You have asked for 20 keys already. Wait for an answer.",
            AllAgentsForbidden => "This workspace allows no new keys for all agents. Choose agents.",
            OwnerMissing => "Keys of this workspace need an owner.",
            NetworksMissing => "Keys of this workspace need networks. Enter those of the callers.",
            DefaultLifetimeInvalid => "Enter a number of days up to the longest lifetime, or leave this empty.",
            MaxLifetimeInvalid => "Enter a number of days from 1 to 36525, or leave this empty.",
            MaxLifetimeMissing => "Enter the longest lifetime that is to hold for keys that exist.",
            OwnerTooLong => "Use at most 200 characters for the owner.",
            NoteTooLong => "Use at most 1,000 characters for the note.",
            TagsInvalid => "Use at most 20 tags of at most 40 characters each, separated by commas.",
            NetworksTooMany => "Use at most 50 networks.",
            RateUnreadable => "Enter a number of calls from 1 to 1,000,000 per second or minute: 10/s, 600/min.",
            BurstUnreadable => "Enter a number from 1 to 1,000,000.",
            QuotaUnreadable => "Enter a number of calls from 1 to 1,000,000,000,000.",
            NameMissing => "Enter a name.",
            NameTooLong => "Use at most 100 characters for the name.",
            NameMismatch => "That is not its name. Type it exactly as shown.",
            NameTaken => "Another one of this agent has this name. Choose another name.",
            VariantIsDefault => "Exactly one variant is the default. Make another one the default first.",
            ValueTooLong => "Use at most 10,000 characters for a value.",
            TooManyOfAgent => "An agent can have at most 200 of these. Delete one first.",
            ReasonTooLong => "Use at most 200 characters for the reason.",
            OverlapUnreadable => "Choose until when the old value opens.",
            UndoDaysInvalid => "Enter a number of days from 0 to 90.",
            MessageTooLong => "Use at most 1,000 characters for the message.",
            NotAhead => "A deployment is promoted from sandbox to pre-release, and from there to live.",
            AgentsMissing => "Choose at least one agent, or all agents.",
            AgentsUnknown => "One of these agents no longer exists. Choose again.",
            PermissionsMissing => "Choose at least one permission.",
            PermissionNeedsAllAgents => "Only a key on all agents can have the permission Agents.",
            ExpiryUnreadable => "Choose a date, for example 2027-02-24.",
            ExpiryPast => "Choose a date in the future.",
            ExpiryTooFar => "Choose a date at most 100 years ahead.",
            EmailInvalid => "Enter an e-mail address, for example ada@example.com.",
            EmailTaken => "This person is already a user of this workspace.",
            PasswordTooShort => "Use at least 12 characters for the password.",
            PasswordTooLong => "Use at most 256 characters for the password.",
            PasswordWrong => "That is not your current password.",
            TokenWrong => "That is not the set-up token. The server printed it when it started.",
            SlugInvalid => "Use 1 to 40 lower-case letters, digits and hyphens, starting with a letter.",
            SlugTaken => "This short name is taken. Choose another.",
            MetricsTooMany => "Choose at most 2,000 metrics, or all metrics.",
            DaysInvalid => "Use a whole number of days from 1 to 36500, or leave this empty.",
            ConfirmationMissing => "Tick the box to confirm.",
        })
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message())
    }
}

impl std::error::Error for Problem {}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Invalid(vec![problem])
    }
}

impl Error {
    pub fn status(&self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::SignedOut | Self::WrongCredentials => 401,
            Self::AdminsOnly | Self::WrongOrigin => 403,
            Self::NotFound => 404,
            Self::LastAdmin
            | Self::NotCopyable
            | Self::OtherMasterKey
            | Self::RotationUnderWay
            | Self::Changed
            | Self::NoOldValue => 409,
            Self::LinkSpent => 410,
            Self::Invalid(_) => 422,
            Self::TooManyAttempts { .. } => 429,
            Self::Internal => 500,
            Self::Unreachable | Self::Unavailable => 503,
        }
    }

    /// The message about the form field of this name, if there is one.
    pub fn about(&self, field: &str) -> Option<Cow<'static, str>> {
        match self {
            Self::Invalid(problems) => problems.iter().find(|p| p.field() == field).map(|p| p.message()),
            _ => None,
        }
    }
}

impl FromServerFnError for Error {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(value: ServerFnErrorErr) -> Self {
        match value {
            ServerFnErrorErr::Request(_) => Self::Unreachable,
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) | ServerFnErrorErr::Deserialization(_) => {
                Self::BadRequest
            }
            _ => Self::Internal,
        }
    }
}

fn minutes(seconds: u32) -> String {
    match seconds.div_ceil(60) {
        0 | 1 => "a minute".to_owned(),
        n => format!("{n} minutes"),
    }
}
