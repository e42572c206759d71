//! Conversion of the nouns' errors into those that pages show. Their causes are logged where they occur.

use crate::agents::service::AgentError;
use crate::api_keys::service::ApiKeyError;
use crate::base::error::{Error, Problem};
use crate::base::sealing::SealError;
use crate::configuration::service::ConfigurationError;
use crate::db::DbError;
use crate::deployments::DeploymentError;
use crate::sessions::shown_once::ShownOnceError;
use crate::sessions::throttle::SignInRefused;
use crate::users::password::PasswordError;
use crate::users::service::UserError;
use crate::variants::VariantError;
use crate::workspaces::service::WorkspaceError;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// Answer of handlers and layers that render no page.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status()).unwrap_or_default();
        (status, self.to_string()).into_response()
    }
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unavailable => Self::Unavailable,
            DbError::Failed => Self::Internal,
        }
    }
}

impl From<SealError> for Error {
    fn from(error: SealError) -> Self {
        match error {
            SealError::OtherMasterKey => Self::OtherMasterKey,
            SealError::Damaged | SealError::NotSealed => Self::Internal,
        }
    }
}

impl From<ApiKeyError> for Error {
    fn from(error: ApiKeyError) -> Self {
        match error {
            ApiKeyError::NotFound => Self::NotFound,
            ApiKeyError::NotCopyable => Self::NotCopyable,
            ApiKeyError::RotationUnderWay => Self::RotationUnderWay,
            ApiKeyError::Changed => Self::Changed,
            ApiKeyError::NoOldValue => Self::NoOldValue,
            ApiKeyError::BadCursor => Self::BadRequest,
            ApiKeyError::Invalid(problem) => problem.into(),
            ApiKeyError::Seal(error) => error.into(),
            ApiKeyError::Db(error) => error.into(),
        }
    }
}

impl From<AgentError> for Error {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::NotFound => Self::NotFound,
            AgentError::Invalid(problem) => problem.into(),
            AgentError::Db(error) => error.into(),
        }
    }
}

impl From<VariantError> for Error {
    fn from(error: VariantError) -> Self {
        match error {
            // An attribute may have been deleted while the form was open.
            VariantError::NotFound | VariantError::UnknownAttribute => Self::NotFound,
            VariantError::NameTaken => Problem::NameTaken.into(),
            VariantError::DefaultDeleted | VariantError::DefaultEnded => Problem::VariantIsDefault.into(),
            VariantError::ValueTooLong(_) => Problem::ValueTooLong.into(),
            VariantError::TooMany(_) => Problem::TooManyOfAgent.into(),
            VariantError::Invalid(problem) => problem.into(),
            VariantError::Db(error) => error.into(),
        }
    }
}

impl From<DeploymentError> for Error {
    fn from(error: DeploymentError) -> Self {
        match error {
            DeploymentError::NotFound => Self::NotFound,
            DeploymentError::NotAhead => Problem::NotAhead.into(),
            DeploymentError::MessageTooLong(_) => Problem::MessageTooLong.into(),
            DeploymentError::Db(error) => error.into(),
        }
    }
}

impl From<ConfigurationError> for Error {
    fn from(error: ConfigurationError) -> Self {
        match error {
            ConfigurationError::NoSuchAgent => Self::NotFound,
            ConfigurationError::Invalid(problem) => problem.into(),
            ConfigurationError::Db(error) => error.into(),
        }
    }
}

impl From<WorkspaceError> for Error {
    fn from(error: WorkspaceError) -> Self {
        match error {
            WorkspaceError::NotFound => Self::NotFound,
            WorkspaceError::Invalid(problem) => problem.into(),
            WorkspaceError::Db(error) => error.into(),
        }
    }
}

impl From<UserError> for Error {
    fn from(error: UserError) -> Self {
        match error {
            // A stranger on the set-up page is not told that there are users.
            UserError::NotFound | UserError::AlreadySetUp => Self::NotFound,
            UserError::WrongCredentials => Self::WrongCredentials,
            UserError::LastAdmin => Self::LastAdmin,
            UserError::InvitationSpent => Self::LinkSpent,
            UserError::Invalid(problem) => problem.into(),
            UserError::Workspace(error) => error.into(),
            UserError::Password(PasswordError::Busy) => Self::Unavailable,
            UserError::Password(PasswordError::Failed) => Self::Internal,
            UserError::Db(error) => error.into(),
        }
    }
}

impl From<SignInRefused> for Error {
    fn from(error: SignInRefused) -> Self {
        match error {
            SignInRefused::TooManyAttempts { retry_after_seconds } => Self::TooManyAttempts { retry_after_seconds },
            SignInRefused::Db(error) => error.into(),
        }
    }
}

impl From<ShownOnceError> for Error {
    fn from(error: ShownOnceError) -> Self {
        match error {
            ShownOnceError::Seal(error) => error.into(),
            ShownOnceError::Db(error) => error.into(),
        }
    }
}
