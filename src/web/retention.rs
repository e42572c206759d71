//! How long a workspace keeps its conversations, and the dialog that sets it.

use crate::base::error::Error;
use crate::web::components::dialog::DialogKind;
use crate::web::components::field::{ChoiceInput, FieldError, TextField};
use crate::web::components::form_dialog::{DialogForm, FormDialog};
use crate::web::frame::{use_slug, use_visit};
use crate::web::transport::form::FormAction;
use leptos::prelude::*;

/// Sets how long conversations are kept. A limit also erases older ones, so it needs `destroy=true`.
#[server(endpoint = "set_retention")]
pub async fn set_retention(
    workspace: String,
    #[server(default)] days: String,
    #[server(default)] destroy: String,
) -> Result<(), Error> {
    use crate::base::error::Problem;
    use crate::workspaces::RetentionDays;
    let admin = crate::web::guard::admin(&workspace).await?;
    let days = RetentionDays::parse(&days)?;
    if days.is_some() && destroy != "true" {
        return Err(Problem::ConfirmationMissing.into());
    }
    admin.services().workspaces.set_retention(&admin.workspace().id, &admin.actor(), days).await?;
    leptos_axum::redirect(&format!("/{}/agents?notice=settings-saved", admin.workspace().slug));
    Ok(())
}

/// Dialog that sets how long conversations are kept.
#[component]
pub fn RetentionDialog() -> impl IntoView {
    let visit = use_visit();
    let action = FormAction::of::<SetRetention>();
    let refusal = action.refusal();
    let close_href = format!("/{}/agents", use_slug().get_untracked());
    let form = move || async move {
        let workspace = visit.await?.workspace;
        let days = workspace.retention_days.map(|days| days.to_string()).unwrap_or_default();
        let fields = view! {
            <TextField
                name="days"
                label="Erase conversations after (days)"
                value=days
                hint="Counted from when a conversation began, for all agents of this workspace. Leave it empty to keep conversations until they are deleted."
                required=false
                autofocus=true
                refusal
            />
            <ChoiceInput
                kind="checkbox"
                name="destroy"
                value="true"
                label="Erase those that are older already, too, within ten minutes. This cannot be undone."
            />
            <FieldError field="destroy" refusal />
        };
        Ok(DialogForm::new(action, vec![("workspace", workspace.slug)], fields.into_any(), "Save"))
    };
    view! { <FormDialog title="Keeping conversations" close_href kind=DialogKind::Sheet form /> }
}
