//! Whether keys can be copied after their creation: a setting of the workspace, for admins.

use crate::base::error::Error;
use crate::web::api_keys::addresses::KeyAddresses;
use crate::web::components::dialog::DialogKind;
use crate::web::components::field::{ChoiceInput, FieldError, Refusal};
use crate::web::components::form_dialog::{DialogForm, FormDialog};
use crate::web::frame::use_visit;
use crate::web::transport::form::FormAction;
use leptos::prelude::*;

/// Sets whether keys can be copied later. Setting it to no destroys every stored value, so it needs `destroy=true`.
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
    let addresses = KeyAddresses::current();
    let action = FormAction::of::<SetKeysCopyable>();
    let form = move || async move {
        let workspace = visit.await?.workspace;
        let hidden = vec![
            ("workspace", workspace.slug),
            ("copyable", (!workspace.keys_copyable).to_string()),
            ("list", addresses.query_string()),
        ];
        Ok(match workspace.keys_copyable {
            true => DialogForm::new(action, hidden, forbid_copying(action.refusal()), "Show keys once").danger(),
            false => DialogForm::new(action, hidden, allow_copying(), "Allow copying"),
        })
    };
    view! { <FormDialog title="Copying keys later" close_href=addresses.list() kind=DialogKind::Question form /> }
}

fn forbid_copying(refusal: Refusal) -> AnyView {
    view! {
        <p>
            "Keys of this workspace can be copied from the list at any time. You can have them "
            <strong>"shown once"</strong> " instead: when they are created, and never again."
        </p>
        <p>"The values of all existing keys are then destroyed here. The keys themselves keep working wherever they are in use."</p>
        <ChoiceInput kind="checkbox" name="destroy" value="true" label="Destroy the stored values. This cannot be undone." required=true />
        <FieldError field="destroy" refusal />
    }
    .into_any()
}

fn allow_copying() -> AnyView {
    view! {
        <p>
            "Keys of this workspace are shown once, when they are created. You can have new keys "
            <strong>"kept, encrypted,"</strong> " so that admins can copy them later. Keys that exist now stay as they are."
        </p>
    }
    .into_any()
}
