//! Whether keys can be copied after their creation: a setting of the workspace, for admins.

use crate::base::error::Error;
use crate::web::api_keys::addresses::Addresses;
use crate::web::components::dialog::{Dialog, DialogKind};
use crate::web::components::field::{FieldError, FormError, focus_when_shown};
use crate::web::frame::use_visit;
use crate::web::transport::form::{ActionForm, FormAction};
use crate::web::transport::load::{PageArea, awaited};
use crate::workspaces::Workspace;
use leptos::html;
use leptos::prelude::*;
use leptos_meta::Title;

/// Sets whether keys can be copied later. Setting it to no destroys every value that was kept, so it needs the word for it.
#[server(endpoint = "set_keys_copyable")]
pub async fn set_keys_copyable(
    workspace: String,
    copyable: bool,
    #[server(default)] destroy: String,
    #[server(default)] list: String,
) -> Result<(), Error> {
    use crate::web::guard;
    let admin = guard::admin(&workspace).await?;
    if !copyable && destroy != "true" {
        return Err(crate::base::error::Problem::ConfirmationMissing.into());
    }
    admin.services().api_keys.set_copyable(&admin.workspace().id, &admin.actor(), copyable).await?;
    leptos_axum::redirect(&guard::list_address(&admin, &list, "settings-saved"));
    Ok(())
}

/// Dialog that sets whether keys can be copied later.
#[component]
pub fn SettingsDialog() -> impl IntoView {
    let visit = use_visit();
    let addresses = Addresses::current();
    let form = move || async move {
        let workspace = visit.await?.workspace;
        Ok(view! { <SettingsForm workspace addresses /> }.into_any())
    };
    view! {
        <Title text="Copying settings" />
        <Dialog title="Copying keys later" close_href=addresses.list() kind=DialogKind::Question>
            {awaited(PageArea::Dialog, form)}
        </Dialog>
    }
}

#[component]
fn SettingsForm(workspace: Workspace, addresses: Addresses) -> impl IntoView {
    let action = FormAction::of::<SetKeysCopyable>();
    let refusal = action.refusal();
    let harmless = NodeRef::<html::A>::new();
    focus_when_shown(harmless);
    let (explanation, button) = if workspace.keys_copyable {
        (
            view! {
                <p>
                    "Keys of this workspace can be copied from the list at any time. You can have them "
                    <strong>"shown once"</strong> " instead: when they are created, and never again."
                </p>
                <p>"The values of all existing keys are then destroyed here. The keys themselves keep working wherever they are in use."</p>
                <label class="choice">
                    <input type="checkbox" name="destroy" value="true" required=true />
                    <span>"Destroy the stored values. This cannot be undone."</span>
                </label>
                <FieldError field="destroy" refusal=refusal />
            }
            .into_any(),
            view! { <button class="button danger" type="submit" disabled=move || action.pending()>"Show keys once"</button> }.into_any(),
        )
    } else {
        (
            view! {
                <p>
                    "Keys of this workspace are shown once, when they are created. You can have new keys "
                    <strong>"kept, encrypted,"</strong> " so that admins can copy them later. Keys that exist now stay as they are."
                </p>
            }
            .into_any(),
            view! { <button class="button primary" type="submit" disabled=move || action.pending()>"Allow copying"</button> }.into_any(),
        )
    };
    view! {
        <ActionForm action=action>
            <div class="dialog-body">
                {explanation}
                <input type="hidden" name="workspace" value=workspace.slug />
                <input type="hidden" name="copyable" value=(!workspace.keys_copyable).to_string() />
                <input type="hidden" name="list" value=addresses.query_string() />
                <FormError refusal=refusal />
            </div>
            <footer class="dialog-footer">
                <a node_ref=harmless class="button" href=addresses.list() autofocus=true data-noscroll="true">"Cancel"</a>
                {button}
            </footer>
        </ActionForm>
    }
}
