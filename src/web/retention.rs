//! How long a workspace keeps its conversations, and the dialog that sets it.

use crate::base::error::Error;
use crate::web::components::dialog::{Dialog, DialogKind};
use crate::web::components::field::{FieldError, FormError, TextField};
use crate::web::frame::use_visit;
use crate::web::transport::form::{ActionForm, FormAction};
use crate::web::transport::load::{PageArea, awaited};
use crate::workspaces::Workspace;
use leptos::prelude::*;
use leptos_meta::Title;

/// Sets how long conversations are kept. A limit erases those that are older already, so it needs the word for it.
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
    let slug = crate::web::frame::use_slug().get_untracked();
    let form = move || async move {
        let workspace = visit.await?.workspace;
        Ok(view! { <RetentionForm workspace /> }.into_any())
    };
    view! {
        <Title text="Keeping conversations" />
        <Dialog title="Keeping conversations" close_href=format!("/{slug}/agents") kind=DialogKind::Sheet>
            {awaited(PageArea::Dialog, form)}
        </Dialog>
    }
}

#[component]
fn RetentionForm(workspace: Workspace) -> impl IntoView {
    let action = FormAction::of::<SetRetention>();
    let refusal = action.refusal();
    let back = format!("/{}/agents", workspace.slug);
    let days = workspace.retention_days.map(|days| days.to_string()).unwrap_or_default();
    view! {
        <ActionForm action=action>
            <div class="dialog-body">
                <input type="hidden" name="workspace" value=workspace.slug />
                <TextField
                    name="days"
                    label="Erase conversations after (days)"
                    value=days
                    hint="Counted from when a conversation began, for all agents of this workspace. Leave it empty to keep conversations until they are deleted."
                    required=false
                    autofocus=true
                    refusal=refusal
                />
                <label class="choice">
                    <input type="checkbox" name="destroy" value="true" />
                    <span>"Erase those that are older already, too, within ten minutes. This cannot be undone."</span>
                </label>
                <FieldError field="destroy" refusal=refusal />
                <FormError refusal=refusal />
            </div>
            <footer class="dialog-footer">
                <a class="button" href=back data-noscroll="true">"Cancel"</a>
                <button class="button primary" type="submit" disabled=move || action.pending()>"Save"</button>
            </footer>
        </ActionForm>
    }
}
