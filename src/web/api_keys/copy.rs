//! Copying a key's value later: for admins, over POST, with an audit entry. The page has nothing secret before the click.
//! Without a clipboard or JavaScript, a dialog shows the value once, to be selected.

use crate::base::error::Error;
use crate::base::id::ApiKeyId;
use crate::base::secret::Revealed;
use crate::web::api_keys::addresses::KeyAddresses;
use crate::web::components::awaited::{PageArea, awaited};
use crate::web::components::button::{ButtonLink, ButtonLook, IconButton};
use crate::web::components::dialog::{Dialog, DialogBody, DialogFooter, DialogKind};
use crate::web::components::icon::Icon;
use crate::web::components::toast::Toasts;
use crate::web::components::value_box::{ValueBox, ValueField};
use crate::web::components::{clipboard, use_hydrated};
use crate::web::frame::use_slug;
use crate::web::transport::call::{self, ServerCall};
use crate::web::transport::form::fields_of;
use crate::web::transport::load::load;
use leptos::html;
use leptos::prelude::*;
use leptos::server_fn::ServerFn as _;
use leptos::server_fn::codec::Json;
use leptos::task::spawn_local;
use leptos_router::hooks::use_params_map;

/// A key's value. A plain form cannot take it, and is redirected to the dialog that shows it.
#[server(endpoint = "copy_api_key")]
pub async fn copy_api_key(workspace: String, key: String) -> Result<Revealed, Error> {
    use crate::web::{guard, shown_once};
    let admin = guard::admin(&workspace).await?;
    let id = ApiKeyId::parse(&key).ok_or(Error::NotFound)?;
    let value = admin.services().api_keys.copy(&admin.workspace().id, &admin.actor(), &id).await?;
    if guard::is_plain_form() {
        shown_once::put(&admin, id.as_str(), value.expose()).await?;
        leptos_axum::redirect(&format!("/{}/api-keys/{id}/copy", admin.workspace().slug));
        return Ok(Revealed::default());
    }
    Ok(Revealed::new(value.expose()))
}

/// The value that waits to be shown, once.
#[server(endpoint = "take_copied_api_key", input = Json)]
pub async fn take_copied_api_key(workspace: String, key: String) -> Result<Option<Revealed>, Error> {
    use crate::web::{guard, shown_once};
    let admin = guard::admin(&workspace).await?;
    let id = ApiKeyId::parse(&key).ok_or_else(guard::not_found)?;
    let (services, workspace) = (admin.services(), admin.workspace());
    services.api_keys.find(&workspace.id, &id).await?.ok_or_else(guard::not_found)?;
    shown_once::take(&admin, id.as_str()).await
}

/// Copy button on a key's card.
#[component]
pub fn CopyButton(id: ApiKeyId, name: String) -> impl IntoView {
    let slug = use_slug().get_untracked();
    let form = NodeRef::<html::Form>::new();
    let hydrated = use_hydrated();
    let toasts = Toasts::current();
    let copied = RwSignal::new(false);
    let copy = move |event: leptos::ev::SubmitEvent| {
        if !hydrated.get_untracked() {
            return;
        }
        event.prevent_default();
        let fields = fields_of(&event_target(&event));
        let problem = RwSignal::new(None);
        spawn_local(async move {
            let value = async move { value_of(fields).await.map_err(|e| problem.set(Some(e))).ok() };
            if clipboard::write(value).await {
                copied.set(true);
                toasts.say("Key copied.");
                set_timeout(
                    move || {
                        copied.try_set(false);
                    },
                    std::time::Duration::from_secs(2),
                );
            } else if let Some(error) = problem.get_untracked() {
                toasts.say(error.to_string());
            } else if let Some(form) = form.get_untracked() {
                // The browser does not allow it: the form goes the way without JavaScript.
                let _ = form.submit();
            }
        });
    };
    view! {
        <form node_ref=form method="post" action=CopyApiKey::url() on:submit=copy>
            <input type="hidden" name="workspace" value=slug />
            <input type="hidden" name="key" value=id.to_string() />
            <IconButton label=format!("Copy {name}") tip="Copy" sunken=true>
                {move || if copied.get() { view! { <Icon name="check" /> } } else { view! { <Icon name="copy" /> } }}
            </IconButton>
        </form>
    }
}

/// Fetches the value with the form's fields.
async fn value_of(fields: String) -> Result<String, Error> {
    let answer = call::post(CopyApiKey::PATH, ServerCall::Form(&fields)).await?;
    serde_json::from_str::<Revealed>(&answer.output).map(|value| value.expose().to_owned()).map_err(|_| Error::Internal)
}

/// Dialog with the value in a field, to be selected and copied by hand.
#[component]
pub fn CopyDialog() -> impl IntoView {
    let slug = use_slug().get_untracked();
    let addresses = KeyAddresses::current();
    let params = use_params_map();
    let id = params.with_untracked(|p| p.get("key")).unwrap_or_default();
    let value = load(move || TakeCopiedApiKey { workspace: slug.clone(), key: id.clone() });
    let content = move || async move {
        Ok(match value.await? {
            Some(value) => view! {
                <p>"Select the key and copy it."</p>
                <ValueBox><ValueField value=value.expose().to_owned() label="API key" selected=true /></ValueBox>
            }
            .into_any(),
            None => view! { <p>"The key was shown once. Press its copy button again to see it."</p> }.into_any(),
        })
    };
    view! {
        <Dialog title="Copy API key" close_href=addresses.list() kind=DialogKind::Question>
            <DialogBody>{awaited(PageArea::Section, content)}</DialogBody>
            <DialogFooter>
                <ButtonLink look=ButtonLook::Primary href=addresses.list() noscroll=true>"Done"</ButtonLink>
            </DialogFooter>
        </Dialog>
    }
}
