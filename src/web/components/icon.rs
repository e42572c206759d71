//! One icon from the sprite `public/icons/icons.svg`.

use leptos::prelude::*;

/// An icon, for the eye only: what it means stands beside it, or in its button's label.
#[component]
pub fn Icon(
    /// The symbol's id in the sprite.
    name: &'static str,
) -> impl IntoView {
    view! {
        <svg class="icon" width="20" height="20" aria-hidden="true">
            <use href=format!("/icons/icons.svg#{name}")></use>
        </svg>
    }
}
