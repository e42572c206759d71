//! What a workspace demands of its keys, and for how many days deletions can be undone.

use crate::base::error::Error;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// The policy as it was typed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyFields {
    /// Days.
    default_lifetime: String,
    max_lifetime: String,
    binds_existing: String,
    all_agents_allowed: String,
    owner_required: String,
    networks_required: String,
    members_may_request: String,
}

/// Sets what the workspace demands of its keys. That keys would expire earlier must be confirmed. `seen` is the version of
/// the policy that the form was made from.
#[server(endpoint = "set_key_policy")]
pub async fn set_key_policy(
    workspace: String,
    #[server(default)] policy: PolicyFields,
    #[server(default)] confirmed: String,
    #[server(default)] seen: String,
) -> Result<(), Error> {
    use crate::base::error::Problem;
    use crate::workspaces::KeyPolicy;
    let admin = crate::web::guard::admin(&workspace).await?;
    let default = KeyPolicy::parse_days(&policy.default_lifetime, Problem::DefaultLifetimeInvalid);
    let longest = KeyPolicy::parse_days(&policy.max_lifetime, Problem::MaxLifetimeInvalid);
    let (default_lifetime_days, max_lifetime_days) = match (default, longest) {
        (Ok(default), Ok(longest)) => (default, longest),
        (default, longest) => {
            return Err(Error::Invalid([default.err(), longest.err()].into_iter().flatten().collect()));
        }
    };
    let is_set = |text: &str| text == "true";
    let policy = KeyPolicy {
        default_lifetime_days,
        max_lifetime_days,
        binds_existing: is_set(&policy.binds_existing),
        all_agents_allowed: is_set(&policy.all_agents_allowed),
        owner_required: is_set(&policy.owner_required),
        networks_required: is_set(&policy.networks_required),
        members_may_request: is_set(&policy.members_may_request),
    };
    let keys = &admin.services().api_keys;
    keys.set_policy(&admin.workspace().id, &admin.actor(), policy, is_set(&confirmed), Some(&seen)).await?;
    leptos_axum::redirect(&format!("/{}/api-keys/policy?notice=settings-saved", admin.workspace().slug));
    Ok(())
}
