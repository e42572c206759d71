//! Deleting a key: confirmation dialog and server function.

use crate::api_keys::ApiKey;
use crate::base::error::Error;
use crate::web::api_keys::addresses::KeyAddresses;
use crate::web::api_keys::edit::use_key;
use crate::web::api_keys::list::permissions_in_words;
use crate::web::components::dialog::DialogKind;
use crate::web::components::form_dialog::FormDialog;
use crate::web::components::typed_name::{TypedName, typed_name_form};
use crate::web::frame::use_slug;
use crate::web::transport::form::FormAction;
use leptos::prelude::*;

/// Deletes a key if its name was typed exactly.
#[server(endpoint = "delete_api_key")]
pub async fn delete_api_key(
    workspace: String,
    key: String,
    name: String,
    #[server(default)] list: String,
) -> Result<(), Error> {
    use crate::base::error::Problem;
    use crate::web::guard;
    let admin = guard::admin(&workspace).await?;
    let (services, workspace) = (admin.services(), &admin.workspace().id);
    let id = crate::base::id::ApiKeyId::parse(&key).ok_or(Error::NotFound)?;
    let found = services.api_keys.find(workspace, &id).await?.ok_or(Error::NotFound)?;
    if name.trim() != found.name.as_str() {
        return Err(Problem::NameMismatch.into());
    }
    services.api_keys.delete(workspace, &admin.actor(), &id).await?;
    leptos_axum::redirect(&guard::list_address(&admin, &list, "key-deleted"));
    Ok(())
}

/// Dialog that asks for the key's name before deleting it.
#[component]
pub fn DeleteDialog() -> impl IntoView {
    let addresses = KeyAddresses::current();
    let action = FormAction::of::<DeleteApiKey>();
    let key = use_key();
    let slug = use_slug().get_untracked();
    let form = move || {
        let slug = slug.clone();
        async move {
            let key = key.await?;
            let deleted = TypedName {
                kind: "key",
                name: key.name.as_str().to_owned(),
                explanation: explanation(&key).into_any(),
                hidden: vec![("workspace", slug), ("key", key.id.to_string()), ("list", addresses.query_string())],
            };
            Ok(typed_name_form(action, deleted))
        }
    };
    view! { <FormDialog title="Delete API key?" close_href=addresses.list() kind=DialogKind::Question form /> }
}

fn explanation(key: &ApiKey) -> impl IntoView + use<> {
    let agents = match &key.agents {
        None => "all agents".to_owned(),
        Some(agents) if agents.len() == 1 => agents[0].name.clone(),
        Some(agents) => format!("{} agents", agents.len()),
    };
    view! {
        <p>
            "Every system that uses this key is refused at once: " <strong>{permissions_in_words(key)}</strong> " of "
            <strong>{agents}</strong> ". This cannot be undone."
        </p>
    }
}
