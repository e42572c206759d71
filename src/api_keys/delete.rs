//! Ending a key for good, after its name was typed.

use super::ApiKey;
use super::edit::use_key;
use super::list::Addresses;
use crate::error::Error;
use crate::ui::dialog::{Dialog, Kind};
use crate::ui::field::{FormError, TextField, focus_when_shown};
use crate::ui::form::{ActionForm, FormAction};
use crate::ui::load::{Place, awaited};
use crate::workspaces::frame::use_slug;
use leptos::html;
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
    use super::{operations, store};
    use crate::error::Problem;
    use crate::sessions::guard;
    let admin = guard::admin(&workspace).await?;
    let (app, workspace) = (admin.app(), &admin.workspace().id);
    let id = crate::id::ApiKeyId::parse(&key).ok_or(Error::NotFound)?;
    let found = store::find(&app.db, workspace, &id).await?.ok_or(Error::NotFound)?;
    if name.trim() != found.name.as_str() {
        return Err(Problem::NameMismatch.into());
    }
    operations::delete(app, workspace, &admin.actor(), &id).await?;
    leptos_axum::redirect(&guard::list_address(&admin, &list, "key-deleted"));
    Ok(())
}

/// The question.
#[component]
pub fn DeleteDialog() -> impl IntoView {
    let addresses = Addresses::current();
    let key = use_key();
    let form = move || async move {
        let key = key.await?;
        Ok(view! { <DeleteForm key addresses /> }.into_any())
    };
    view! {
        <Title text="Delete API key" />
        <Dialog title="Delete API key?" close_href=addresses.list() kind=Kind::Question>
            {awaited(Place::Dialog, form)}
        </Dialog>
    }
}

#[component]
fn DeleteForm(key: ApiKey, addresses: Addresses) -> impl IntoView {
    let action = FormAction::of::<DeleteApiKey>();
    let refusal = action.refusal();
    let slug = use_slug().get_untracked();
    let harmless = NodeRef::<html::A>::new();
    focus_when_shown(harmless);
    let grants = key.permissions.iter().map(|p| p.label()).collect::<Vec<_>>().join(", ");
    let reach = match &key.agents {
        None => "all agents".to_owned(),
        Some(agents) if agents.len() == 1 => agents[0].name.clone(),
        Some(agents) => format!("{} agents", agents.len()),
    };
    view! {
        <ActionForm action=action>
            <div class="dialog-body">
                <p>
                    "Every system that uses this key is refused at once: " <strong>{grants}</strong> " of "
                    <strong>{reach}</strong> ". This cannot be undone."
                </p>
                <p>"Type " <strong class="typed-name">{key.name.as_str().to_owned()}</strong> " to confirm."</p>
                <input type="hidden" name="workspace" value=slug />
                <input type="hidden" name="key" value=key.id.to_string() />
                <input type="hidden" name="list" value=addresses.query_string() />
                <TextField name="name" label="Name of the key" autocomplete="off" refusal=refusal />
                <FormError refusal=refusal />
            </div>
            <footer class="dialog-footer">
                <a node_ref=harmless class="button" href=addresses.list() autofocus=true data-noscroll="true">"Keep key"</a>
                <button class="button danger" type="submit" disabled=move || action.pending()>"Delete key"</button>
            </footer>
        </ActionForm>
    }
}
