//! One icon from the sprite `public/icons/icons.svg`.

use leptos::prelude::*;

/// Icon, hidden from screen readers: the text beside it or its button's label says what it means.
#[component]
pub fn Icon(
    /// The symbol's id in the sprite.
    name: &'static str,
    /// Size, and place where it has one of its own.
    #[prop(default = "size-5")]
    class: &'static str,
) -> impl IntoView {
    view! {
        <svg class=format!("shrink-0 {class}") width="20" height="20" aria-hidden="true">
            <use href=format!("/icons/icons.svg#{name}")></use>
        </svg>
    }
}
