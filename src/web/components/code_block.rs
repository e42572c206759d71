//! Code to be read and copied.

use leptos::prelude::*;

/// Code in a box that scrolls sideways.
#[component]
pub fn CodeBlock(
    /// Name for screen readers.
    #[prop(into)]
    label: String,
    code: String,
) -> impl IntoView {
    view! {
        <pre class="mt-2 overflow-x-auto rounded-lg bg-sunken p-4 text-[13px] leading-relaxed" tabindex="0" role="region" aria-label=label>
            <code>{code}</code>
        </pre>
    }
}
