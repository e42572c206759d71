//! Labels, hints and errors of form fields, and what was typed before a refusal.

use crate::base::error::Error;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// Values of a form that was refused without JavaScript, as pairs of field name and value; empty for a fresh form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft(pub Vec<(String, String)>);

impl Draft {
    /// The draft of the page that is being rendered. In the browser it is always empty: there the fields themselves
    /// keep what was typed.
    pub fn current() -> Self {
        use_context().unwrap_or_default()
    }

    /// What was typed into a field; `otherwise` where the form is fresh.
    pub fn value(&self, name: &str, otherwise: &str) -> String {
        let typed = self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        typed.unwrap_or(otherwise).to_owned()
    }

    /// Everything chosen in a field that takes several; `None` where the form is fresh.
    pub fn values(&self, name: &str) -> Option<Vec<String>> {
        let chosen = self.0.iter().filter(|(n, _)| n == name).map(|(_, value)| value.clone());
        (!self.0.is_empty()).then(|| chosen.collect())
    }
}

/// A refused form's error, as a signal.
pub type Refusal = Signal<Option<Error>>;

/// The error of one field, in the place that `aria-describedby` names.
#[component]
pub fn FieldError(
    /// The field's name in [`Problem::field`](crate::base::error::Problem::field).
    field: &'static str,
    refusal: Refusal,
) -> impl IntoView {
    let message = move || refusal.with(|error| error.as_ref().and_then(|e| e.about(field)));
    view! { <p class="field-error" id=format!("{field}-error") aria-live="polite">{message}</p> }
}

/// A text field with its label, hint and error.
#[component]
pub fn TextField(
    name: &'static str,
    #[prop(into)] label: String,
    refusal: Refusal,
    #[prop(optional, into)] hint: String,
    #[prop(optional, into)] value: String,
    #[prop(default = "text")] kind: &'static str,
    #[prop(optional)] autocomplete: &'static str,
    #[prop(optional)] autofocus: bool,
    /// Most characters; checked by the server, counted here by nobody, so that nothing typed is cut off silently.
    #[prop(default = true)]
    required: bool,
) -> impl IntoView {
    let wrong = move || refusal.with(|error| error.as_ref().is_some_and(|e| e.about(name).is_some()));
    let initial = Draft::current().value(name, &value);
    let hint_id = format!("{name}-hint");
    let node = NodeRef::<leptos::html::Input>::new();
    if autofocus {
        focus_when_shown(node);
    }
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <input
                node_ref=node
                id=name
                name=name
                type=kind
                value=initial
                autocomplete=autocomplete
                autofocus=autofocus
                required=required
                aria-invalid=move || wrong().to_string()
                aria-describedby=format!("{hint_id} {name}-error")
            />
            <p class="hint" id=hint_id>{hint}</p>
            <FieldError field=name refusal=refusal />
        </div>
    }
}

/// Gives focus to what appears after its page has: the browser heeds `autofocus` only in what is there from the start.
/// Leaves it where somebody types already.
pub fn focus_when_shown<E>(node: NodeRef<E>)
where
    E: leptos::html::ElementType + 'static,
    E::Output: wasm_bindgen::JsCast + AsRef<web_sys::HtmlElement> + Clone + 'static,
{
    Effect::new(move |_| {
        let Some(element) = node.get() else { return };
        // Once it stands in the document; before, it cannot have focus.
        request_animation_frame(move || {
            let active = document().active_element();
            if active.is_none_or(|e| !matches!(e.tag_name().as_str(), "INPUT" | "TEXTAREA")) {
                let element: &web_sys::HtmlElement = element.as_ref();
                let _ = element.focus();
            }
        });
    });
}

/// What is wrong with a form as a whole, above its buttons.
#[component]
pub fn FormError(refusal: Refusal) -> impl IntoView {
    let message = move || {
        refusal.with(|error| match error {
            // These stand beside their fields.
            None | Some(Error::Invalid(_)) => None,
            Some(other) => Some(other.to_string()),
        })
    };
    view! { <div role="alert" class="form-error-region">{move || message().map(|text| view! { <p class="form-error">{text}</p> })}</div> }
}
