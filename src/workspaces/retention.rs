//! How long a workspace keeps its conversations, and the dialog that sets it.

use super::Workspace;
use super::frame::use_visit;
use crate::error::{Error, Problem};
use crate::ui::dialog::{Dialog, Kind};
use crate::ui::field::{FieldError, FormError, TextField};
use crate::ui::form::{ActionForm, FormAction};
use crate::ui::load::{Place, awaited};
use leptos::prelude::*;
use leptos_meta::Title;

/// Most days that a workspace can be set to: a hundred years.
const MAX_DAYS: i32 = 36_500;

/// A number of days, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(i32);

impl Days {
    /// Reads what was typed; nothing is no limit.
    pub fn parse(text: &str) -> Result<Option<Self>, Problem> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let days = text.parse().ok().filter(|days| (1..=MAX_DAYS).contains(days));
        days.map(|days| Some(Self(days))).ok_or(Problem::DaysInvalid)
    }

    /// The number.
    pub fn get(self) -> i32 {
        self.0
    }
}

/// Sets how long conversations are kept. A limit erases those that are older already, so it needs the word for it.
#[server(endpoint = "set_retention")]
pub async fn set_retention(
    workspace: String,
    #[server(default)] days: String,
    #[server(default)] destroy: String,
) -> Result<(), Error> {
    let admin = crate::sessions::guard::admin(&workspace).await?;
    let days = Days::parse(&days)?;
    if days.is_some() && destroy != "true" {
        return Err(Problem::ConfirmationMissing.into());
    }
    super::operations::set_retention(admin.app(), &admin.workspace().id, &admin.actor(), days).await?;
    leptos_axum::redirect(&format!("/{}/agents?notice=settings-saved", admin.workspace().slug));
    Ok(())
}

/// How long conversations are kept, in a sentence.
pub fn in_words(days: Option<i32>) -> String {
    match days {
        None => "Conversations are kept until they are deleted.".to_owned(),
        Some(1) => "Conversations are erased a day after they began.".to_owned(),
        Some(days) => format!("Conversations are erased {days} days after they began."),
    }
}

/// The sheet.
#[component]
pub fn RetentionDialog() -> impl IntoView {
    let visit = use_visit();
    let slug = super::frame::use_slug().get_untracked();
    let form = move || async move {
        let workspace = visit.await?.workspace;
        Ok(view! { <RetentionForm workspace /> }.into_any())
    };
    view! {
        <Title text="Keeping conversations" />
        <Dialog title="Keeping conversations" close_href=format!("/{slug}/agents") kind=Kind::Sheet>
            {awaited(Place::Dialog, form)}
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days() {
        assert_eq!(Days::parse(" 90 "), Ok(Some(Days(90))));
        assert_eq!((Days::parse(""), Days::parse(" ")), (Ok(None), Ok(None)));
        for wrong in ["0", "-1", "1.5", "36501", "ninety", "9999999999"] {
            assert_eq!(Days::parse(wrong), Err(Problem::DaysInvalid), "{wrong}");
        }
    }
}
