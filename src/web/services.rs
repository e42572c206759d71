//! Services for pages, server functions and their layers.

use crate::agents::service::Agents;
use crate::api_keys::service::ApiKeys;
use crate::audit::AuditLog;
use crate::base::clock::Clock;
use crate::base::error::Error;
use crate::base::sealing::MasterKeys;
use crate::base::time::Timestamp;
use crate::configuration::service::Configurations;
use crate::conversations::service::Conversations;
use crate::deployments::service::Deployments;
use crate::key_requests::service::KeyRequests;
use crate::sessions::form_drafts::FormDrafts;
use crate::sessions::shown_once::ShownOnce;
use crate::sessions::throttle::SignInThrottle;
use crate::usage::service::UsageReports;
use crate::users::service::Users;
use crate::variants::service::Variants;
use crate::workspaces::service::Workspaces;
use leptos::prelude::use_context;
use std::sync::Arc;

/// Services for pages, made once at start.
#[derive(Clone, Debug)]
pub struct PageServices {
    pub clock: Clock,
    pub agents: Agents,
    pub api_keys: ApiKeys,
    pub audit: AuditLog,
    pub configurations: Configurations,
    pub conversations: Conversations,
    pub deployments: Deployments,
    pub key_requests: KeyRequests,
    pub reports: UsageReports,
    pub users: Users,
    pub variants: Variants,
    pub workspaces: Workspaces,
    pub throttle: SignInThrottle,
    pub shown_once: ShownOnce,
    pub form_drafts: FormDrafts,
    /// Has the token for the set-up page.
    pub sealing: Arc<MasterKeys>,
    /// `https://keys.example.com`; `None` takes each request's `Host` header.
    pub public_origin: Option<Arc<str>>,
    /// Sets `Secure` on cookies.
    pub secure_cookies: bool,
}

impl PageServices {
    /// The current time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// The services from a server function's context.
pub fn services() -> Result<Arc<PageServices>, Error> {
    use_context().ok_or(Error::Internal)
}
