//! Changing a key's name and permissions. Agents and expiry cannot be changed, and are shown only.

use crate::api_keys::{ApiKey, Permission};
use crate::base::error::Error;
use crate::web::api_keys::addresses::KeyAddresses;
use crate::web::api_keys::create::PermissionsField;
use crate::web::api_keys::list::Scope;
use crate::web::components::dialog::DialogKind;
use crate::web::components::fact_list::FactList;
use crate::web::components::field::{HINT, TextField};
use crate::web::components::form_dialog::{DialogForm, FormDialog};
use crate::web::components::time::Moment;
use crate::web::frame::use_slug;
use crate::web::transport::form::FormAction;
use crate::web::transport::load::{Loaded, load};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_router::hooks::use_params_map;

#[server(endpoint = "edit_api_key")]
pub async fn edit_api_key(
    workspace: String,
    key: String,
    name: String,
    #[server(default)] permissions: Vec<String>,
    #[server(default)] list: String,
) -> Result<(), Error> {
    use crate::api_keys::{KeyName, Permissions};
    use crate::web::guard;
    let admin = guard::admin(&workspace).await?;
    let id = crate::base::id::ApiKeyId::parse(&key).ok_or(Error::NotFound)?;
    let name = KeyName::parse(&name);
    let permissions = Permissions::parse(permissions.iter().map(String::as_str));
    let (name, permissions) = match (name, permissions) {
        (Ok(name), Ok(permissions)) => (name, permissions),
        (name, permissions) => {
            return Err(Error::Invalid([name.err(), permissions.err()].into_iter().flatten().collect()));
        }
    };
    admin.services().api_keys.edit(&admin.workspace().id, &admin.actor(), &id, &name, &permissions).await?;
    leptos_axum::redirect(&guard::list_address(&admin, &list, "key-saved"));
    Ok(())
}

/// One key by its id.
#[server(endpoint = "get_api_key", input = Json)]
pub async fn get_api_key(workspace: String, key: String) -> Result<ApiKey, Error> {
    use crate::web::guard;
    let member = guard::member(&workspace).await?;
    let id = crate::base::id::ApiKeyId::parse(&key).ok_or_else(guard::not_found)?;
    let found = member.services().api_keys.find(&member.workspace().id, &id).await?;
    let mut key = found.ok_or_else(guard::not_found)?;
    // Only admins see who called.
    key.last_client = key.last_client.filter(|_| member.visit.is_admin());
    Ok(key)
}

/// How each permission of a key was used lately, in words: who would be refused without it.
#[server(endpoint = "get_permission_use", input = Json)]
pub async fn get_permission_use(workspace: String, key: String) -> Result<Vec<(Permission, String)>, Error> {
    use crate::web::api_keys::life_forms;
    use crate::web::usage::recent_use::in_words;
    let (admin, key) = life_forms::key_of(&workspace, &key).await?;
    let mut uses = Vec::new();
    for permission in key.permissions.iter() {
        let reports = &admin.services().reports;
        let used = reports.recent_use_of_permission(&admin.workspace().id, &key.id, permission).await?;
        uses.push((permission, in_words(&used, "Calls with it")));
    }
    Ok(uses)
}

/// Loads the key in the address.
pub fn use_key() -> Loaded<ApiKey> {
    let slug = use_slug().get_untracked();
    let params = use_params_map();
    let id = params.with_untracked(|p| p.get("key")).unwrap_or_default();
    load(move || GetApiKey { workspace: slug.clone(), key: id.clone() })
}

/// Dialog that changes a key's name and permissions.
#[component]
pub fn EditDialog() -> impl IntoView {
    let addresses = KeyAddresses::current();
    let action = FormAction::of::<EditApiKey>();
    let refusal = action.refusal();
    let key = use_key();
    let slug = use_slug().get_untracked();
    let workspace = slug.clone();
    let id = use_params_map().with_untracked(|p| p.get("key")).unwrap_or_default();
    let uses = load(move || GetPermissionUse { workspace: workspace.clone(), key: id.clone() });
    let form = move || {
        let slug = slug.clone();
        async move {
            let (key, uses) = (key.await?, uses.await?);
            let hidden = vec![("workspace", slug), ("key", key.id.to_string()), ("list", addresses.query_string())];
            let all_agents = RwSignal::new(key.agents.is_none());
            let fields = view! {
                <TextField name="name" label="Name" value=key.name.as_str() autofocus=true refusal />
                <PermissionsField chosen=Some(key.permissions) all_agents uses refusal />
                <FactList>
                    <dt>"Agents"</dt><dd><Scope agents=key.agents /></dd>
                    <dt>"Expires"</dt><dd><Moment at=key.expires_at /></dd>
                </FactList>
                <p class=HINT>"Agents and expiry are fixed when a key is created."</p>
            };
            Ok(DialogForm::new(action, hidden, fields.into_any(), "Save"))
        }
    };
    view! { <FormDialog title="Edit API key" close_href=addresses.list() kind=DialogKind::Sheet form /> }
}
