//! Deleting a key: confirmation dialog and server function.

use crate::api_keys::ApiKey;
use crate::base::error::Error;
use crate::web::api_keys::addresses::Addresses;
use crate::web::api_keys::edit::use_key;
use crate::web::components::dialog::{Dialog, DialogKind};
use crate::web::components::typed_name::{Question, typed_name_form};
use crate::web::frame::use_slug;
use crate::web::transport::form::FormAction;
use crate::web::transport::load::{PageArea, awaited};
use leptos::prelude::*;
use leptos_meta::Title;

/// Deletes a key whose name was typed as it is.
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
    let addresses = Addresses::current();
    let key = use_key();
    let form = move || async move {
        let key = key.await?;
        Ok(delete_form(key, addresses))
    };
    view! {
        <Title text="Delete API key" />
        <Dialog title="Delete API key?" close_href=addresses.list() kind=DialogKind::Question>
            {awaited(PageArea::Dialog, form)}
        </Dialog>
    }
}

fn delete_form(key: ApiKey, addresses: Addresses) -> AnyView {
    let grants = key.permissions.iter().map(|p| p.label()).collect::<Vec<_>>().join(", ");
    let reach = match &key.agents {
        None => "all agents".to_owned(),
        Some(agents) if agents.len() == 1 => agents[0].name.clone(),
        Some(agents) => format!("{} agents", agents.len()),
    };
    let explanation = view! {
        <p>
            "Every system that uses this key is refused at once: " <strong>{grants}</strong> " of "
            <strong>{reach}</strong> ". This cannot be undone."
        </p>
    };
    let question = Question {
        explanation: explanation.into_any(),
        name: key.name.as_str().to_owned(),
        kind: "key",
        back: addresses.list(),
        hidden: vec![
            ("workspace", use_slug().get_untracked()),
            ("key", key.id.to_string()),
            ("list", addresses.query_string()),
        ],
    };
    typed_name_form(FormAction::of::<DeleteApiKey>(), question).into_any()
}
