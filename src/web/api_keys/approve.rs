//! Approving and declining what members ask for.

use crate::base::error::Error;
use leptos::prelude::*;

/// Makes the key of a request. The next page shows its value once.
#[server(endpoint = "approve_key_request")]
pub async fn approve_key_request(workspace: String, request: String) -> Result<(), Error> {
    use crate::api_keys::service::FormCreator;
    use crate::base::id::ApiKeyId;
    use crate::web::guard;
    let admin = guard::admin(&workspace).await?;
    let services = admin.services();
    let id = ApiKeyId::parse(&request).ok_or(Error::NotFound)?;
    let actor = admin.actor();
    let creator = FormCreator { actor: &actor, user: &admin.visitor.user, shown_once: &services.shown_once };
    let done = services.key_requests.approve(&admin.workspace().id, &actor, &id, Some(creator)).await;
    let keys = format!("/{}/api-keys", admin.workspace().slug);
    match done {
        Ok(_) => {
            leptos_axum::redirect(&format!("{keys}/{id}/created"));
            Ok(())
        }
        Err(error) => guard::lead_on(Err(error.into()), &format!("{keys}/requests"), ""),
    }
}

/// Declines a request.
#[server(endpoint = "decline_key_request")]
pub async fn decline_key_request(workspace: String, request: String) -> Result<(), Error> {
    use crate::base::id::ApiKeyId;
    use crate::web::guard;
    let admin = guard::admin(&workspace).await?;
    let id = ApiKeyId::parse(&request).ok_or(Error::NotFound)?;
    let done = admin.services().key_requests.decline(&admin.workspace().id, &admin.actor(), &id).await;
    let requests = format!("/{}/api-keys/requests", admin.workspace().slug);
    guard::lead_on(done.map_err(Error::from), &requests, "key-request-declined")
}
