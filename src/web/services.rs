//! What pages, their server functions and their layers use.

use crate::agents::service::Agents;
use crate::api_keys::service::ApiKeys;
use crate::audit::AuditLog;
use crate::base::clock::Clock;
use crate::base::error::Error;
use crate::base::sealing::MasterKey;
use crate::base::time::Timestamp;
use crate::configuration::service::Configurations;
use crate::conversations::service::Conversations;
use crate::sessions::form_drafts::FormDrafts;
use crate::sessions::shown_once::ShownOnce;
use crate::sessions::throttle::SignInThrottle;
use crate::usage::service::UsageReports;
use crate::users::service::Users;
use crate::workspaces::service::Workspaces;
use leptos::prelude::use_context;
use std::sync::Arc;

/// The services behind the pages.
#[derive(Clone, Debug)]
pub struct PageServices {
    pub clock: Clock,
    pub agents: Agents,
    pub api_keys: ApiKeys,
    pub audit: AuditLog,
    pub configurations: Configurations,
    pub conversations: Conversations,
    pub reports: UsageReports,
    pub users: Users,
    pub workspaces: Workspaces,
    pub throttle: SignInThrottle,
    pub shown_once: ShownOnce,
    pub form_drafts: FormDrafts,
    /// Whose token lets somebody set the server up.
    pub sealing: Arc<MasterKey>,
    /// `https://keys.example.com`, where it is known; else each request's own host is trusted to be ours.
    pub public_origin: Option<Arc<str>>,
    /// Whether cookies go over HTTPS only.
    pub secure_cookies: bool,
}

impl PageServices {
    /// The present.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// The services, inside a server function.
pub fn services() -> Result<Arc<PageServices>, Error> {
    use_context().ok_or(Error::Internal)
}
