//! The question before something is deleted for good: its name has to be typed.

use crate::web::components::field::{FormError, TextField, focus_when_shown};
use crate::web::transport::form::{ActionForm, FormAction};
use leptos::html;
use leptos::prelude::*;

/// What is asked, and what the form sends beside the name.
pub struct Question {
    pub hidden: Vec<(&'static str, String)>,
    /// What goes for good.
    pub explanation: AnyView,
    /// The name that has to be typed.
    pub name: String,
    /// What the thing is called: `key`.
    pub kind: &'static str,
    /// Where the way back leads.
    pub back: String,
}

/// Form that asks for the name of what is deleted.
pub fn typed_name_form(action: FormAction, question: Question) -> impl IntoView {
    let refusal = action.refusal();
    let harmless = NodeRef::<html::A>::new();
    focus_when_shown(harmless);
    let hidden =
        question.hidden.into_iter().map(|(name, value)| view! { <input type="hidden" name=name value=value /> });
    view! {
        <ActionForm action=action>
            <div class="dialog-body">
                {question.explanation}
                <p>"Type " <strong class="typed-name">{question.name}</strong> " to confirm."</p>
                {hidden.collect_view()}
                <TextField name="name" label=format!("Name of the {}", question.kind) autocomplete="off" refusal=refusal />
                <FormError refusal=refusal />
            </div>
            <footer class="dialog-footer">
                <a node_ref=harmless class="button" href=question.back autofocus=true data-noscroll="true">{format!("Keep {}", question.kind)}</a>
                <button class="button danger" type="submit" disabled=move || action.pending()>{format!("Delete {}", question.kind)}</button>
            </footer>
        </ActionForm>
    }
}
