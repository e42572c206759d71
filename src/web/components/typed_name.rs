//! Form that deletes something once its name was typed.

use crate::web::components::field::TextField;
use crate::web::components::form_dialog::DialogForm;
use crate::web::transport::form::FormAction;
use leptos::prelude::*;

/// What is deleted.
pub struct TypedName {
    /// What the thing is called: `key`.
    pub kind: &'static str,
    /// The name that has to be typed.
    pub name: String,
    /// Says what goes for good.
    pub explanation: AnyView,
    /// Fields sent beside the name.
    pub hidden: Vec<(&'static str, String)>,
}

/// Form that asks for the name of what is deleted.
pub fn typed_name_form(action: FormAction, deleted: TypedName) -> DialogForm {
    let TypedName { kind, name, explanation, hidden } = deleted;
    let fields = view! {
        {explanation}
        <p>"Type " <strong class="wrap-anywhere select-all">{name}</strong> " to confirm."</p>
        <TextField name="name" label=format!("Name of the {kind}") autocomplete="off" refusal=action.refusal() />
    };
    DialogForm::new(action, hidden, fields.into_any(), format!("Delete {kind}")).danger().cancel(format!("Keep {kind}"))
}
