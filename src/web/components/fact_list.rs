//! Lists of facts: names on the left, values on the right.

use leptos::prelude::*;

/// List with a `<dt>` and a `<dd>` for each fact.
#[component]
pub fn FactList(children: Children) -> impl IntoView {
    view! {
        <dl class="my-6 grid grid-cols-[auto_minmax(0,1fr)] gap-x-6 gap-y-2 [&>dd]:font-medium [&>dd]:wrap-anywhere [&>dt]:text-faint">
            {children()}
        </dl>
    }
}
