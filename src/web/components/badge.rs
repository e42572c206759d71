//! Badges: a word or two on a coloured ground.

use leptos::prelude::*;

/// What a badge's colour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Neutral,
    Good,
    Warning,
    Danger,
}

/// Badge in the running text.
#[component]
pub fn Badge(tone: Tone, #[prop(into)] text: String) -> impl IntoView {
    let colours = match tone {
        Tone::Neutral => "bg-sunken text-soft",
        Tone::Good => "bg-good-soft text-good",
        Tone::Warning => "bg-warning-soft text-warning",
        Tone::Danger => "bg-danger-soft text-danger",
    };
    view! {
        <span class=format!("inline-block justify-self-start rounded-full px-2 py-px text-xs font-semibold whitespace-nowrap {colours}")>
            {text}
        </span>
    }
}
