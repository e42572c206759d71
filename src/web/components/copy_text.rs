//! Button that copies a text; only shown after hydration.

use crate::web::components::button::Button;
use crate::web::components::toast::Toasts;
use crate::web::components::{clipboard, use_hydrated};
use leptos::prelude::*;
use leptos::task::spawn_local;

/// Button that copies `text`.
#[component]
pub fn CopyText(
    text: String,
    /// Set once the text was copied.
    #[prop(optional)]
    copied: RwSignal<bool>,
    /// Toast shown then.
    #[prop(default = "Copied.")]
    said: &'static str,
    /// What is copied, for screen readers, where there are several such buttons.
    #[prop(optional, into)]
    what: String,
    /// Takes focus when it appears.
    #[prop(optional)]
    focused: bool,
) -> impl IntoView {
    let hydrated = use_hydrated();
    let toasts = Toasts::current();
    let done = RwSignal::new(false);
    let text = StoredValue::new(text);
    let copy = move |_| {
        let text = text.get_value();
        spawn_local(async move {
            if clipboard::write(std::future::ready(Some(text))).await {
                done.set(true);
                copied.set(true);
                toasts.say(said);
            } else {
                toasts.say("The browser did not allow copying. Select the text and copy it.");
            }
        });
    };
    move || {
        let (icon, label) = if done.get() { ("check", "Copied") } else { ("copy", "Copy") };
        let what = (!what.is_empty()).then(|| view! { <span class="sr-only">" " {what.clone()}</span> });
        hydrated.get().then(|| view! { <Button small=true icon focused on_click=copy>{label} {what}</Button> })
    }
}
