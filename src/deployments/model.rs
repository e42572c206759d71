//! Types for deployments.

use crate::base::id::DeploymentId;
use crate::base::time::Timestamp;
use crate::db::DbError;
use utoipa::ToSchema;

/// Where an agent is deployed, and where a conversation takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(rename_all = "kebab-case")]
pub enum Environment {
    Sandbox,
    PreRelease,
    Live,
}

impl Environment {
    /// All environments, in the order of promotion.
    pub const ALL: [Self; 3] = [Self::Sandbox, Self::PreRelease, Self::Live];

    /// The name in the database and in the API.
    pub fn id(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::PreRelease => "pre-release",
            Self::Live => "live",
        }
    }

    /// The name that pages show.
    pub fn label(self) -> &'static str {
        match self {
            Self::Sandbox => "Sandbox",
            Self::PreRelease => "Pre-release",
            Self::Live => "Live",
        }
    }

    /// The environment with this name.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|environment| environment.id() == id)
    }

    /// Where a deployment in this environment is promoted to.
    pub fn next(self) -> Option<Self> {
        match self {
            Self::Sandbox => Some(Self::PreRelease),
            Self::PreRelease => Some(Self::Live),
            Self::Live => None,
        }
    }
}

/// A deployment without its content.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Deployment {
    pub id: DeploymentId,
    /// See [`Environment::id`].
    pub environment: String,
    /// The same for deployments of the same content, in all environments.
    pub version: String,
    pub artifact_version: String,
    pub message: String,
    /// A user's e-mail address, or `API key` and the key's id.
    pub created_by: String,
    pub created_at: Timestamp,
    /// The active deployment of an environment has its highest number.
    pub activation: i64,
}

/// Why an operation on a deployment failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeploymentError {
    #[error("There is no such agent or deployment.")]
    NotFound,
    #[error("A deployment is promoted from sandbox to pre-release, and from there to live.")]
    NotAhead,
    #[error("Use at most {0} characters for the message.")]
    MessageTooLong(usize),
    #[error(transparent)]
    Db(#[from] DbError),
}
