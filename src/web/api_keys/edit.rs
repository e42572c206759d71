//! Changing a key's name and permissions. Agents and expiry are shown as what they are: fixed.

use crate::api_keys::ApiKey;
use crate::base::error::Error;
use crate::web::api_keys::addresses::Addresses;
use crate::web::api_keys::create::PermissionsField;
use crate::web::api_keys::list::Scope;
use crate::web::components::dialog::{Dialog, DialogKind};
use crate::web::components::field::{FormError, TextField};
use crate::web::components::time::Moment;
use crate::web::frame::use_slug;
use crate::web::transport::form::{ActionForm, FormAction};
use crate::web::transport::load::{Loaded, PageArea, awaited, load};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

/// Changes a key's name and permissions.
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

/// One key.
#[server(endpoint = "get_api_key", input = Json)]
pub async fn get_api_key(workspace: String, key: String) -> Result<ApiKey, Error> {
    use crate::web::guard;
    let member = guard::member(&workspace).await?;
    let id = crate::base::id::ApiKeyId::parse(&key).ok_or_else(guard::not_found)?;
    member.services().api_keys.find(&member.workspace().id, &id).await?.ok_or_else(guard::not_found)
}

/// The key in the address.
pub fn use_key() -> Loaded<ApiKey> {
    let slug = use_slug().get_untracked();
    let params = use_params_map();
    let id = params.with_untracked(|p| p.get("key")).unwrap_or_default();
    load(move || GetApiKey { workspace: slug.clone(), key: id.clone() })
}

/// Dialog that changes a key's name and permissions.
#[component]
pub fn EditDialog() -> impl IntoView {
    let addresses = Addresses::current();
    let key = use_key();
    let form = move || async move {
        let key = key.await?;
        Ok(view! { <EditForm key addresses /> }.into_any())
    };
    view! {
        <Title text="Edit API key" />
        <Dialog title="Edit API key" close_href=addresses.list() kind=DialogKind::Sheet>
            {awaited(PageArea::Dialog, form)}
        </Dialog>
    }
}

#[component]
fn EditForm(key: ApiKey, addresses: Addresses) -> impl IntoView {
    let action = FormAction::of::<EditApiKey>();
    let all_agents = RwSignal::new(key.agents.is_none());
    let refusal = action.refusal();
    let slug = use_slug().get_untracked();
    view! {
        <ActionForm action=action>
            <div class="dialog-body">
                <input type="hidden" name="workspace" value=slug />
                <input type="hidden" name="key" value=key.id.to_string() />
                <input type="hidden" name="list" value=addresses.query_string() />
                <TextField name="name" label="Name" value=key.name.as_str() autofocus=true refusal=refusal />
                <PermissionsField chosen=Some(key.permissions) all_agents refusal />
                <dl class="facts">
                    <dt>"Agents"</dt><dd><Scope agents=key.agents /></dd>
                    <dt>"Expires"</dt><dd><Moment at=key.expires_at /></dd>
                </dl>
                <p class="hint">"Agents and expiry are fixed when a key is created."</p>
                <FormError refusal=refusal />
            </div>
            <footer class="dialog-footer">
                <a class="button" href=addresses.list() data-noscroll="true">"Cancel"</a>
                <button class="button primary" type="submit" disabled=move || action.pending()>"Save"</button>
            </footer>
        </ActionForm>
    }
}
