//! Boxes with a value to be copied, on sunken ground.

use leptos::html;
use leptos::prelude::*;

const VALUE: &str =
    "min-w-0 flex-1 overflow-hidden bg-transparent font-mono text-[15px] text-ellipsis whitespace-nowrap";

/// Frame around a value and its copy button.
#[component]
pub fn ValueBox(
    /// Place in the grid around it.
    #[prop(optional)]
    class: &'static str,
    children: Children,
) -> impl IntoView {
    view! {
        <div class=format!("flex min-h-10 min-w-0 items-center gap-2 rounded-[4px] bg-sunken pr-1 pl-3.5 {class}")>{children()}</div>
    }
}

/// Value that is only read.
#[component]
pub fn ValueText(text: String) -> impl IntoView {
    view! { <code class=VALUE>{text}</code> }
}

/// Value that can be selected and copied by hand.
#[component]
pub fn ValueField(
    value: String,
    label: &'static str,
    /// Focuses the field and selects its whole value.
    #[prop(optional)]
    selected: bool,
    /// Called when the browser copies from the field.
    #[prop(optional, into)]
    on_copy: Option<Callback<()>>,
) -> impl IntoView {
    let field = NodeRef::<html::Input>::new();
    Effect::new(move |_| {
        if let Some(field) = field.get().filter(|_| selected) {
            let _ = field.focus();
            field.select();
        }
    });
    let copy = move |_| {
        if let Some(on_copy) = on_copy {
            on_copy.run(());
        }
    };
    view! {
        <input node_ref=field class=format!("h-11 {VALUE}") readonly=true value=value aria-label=label on:copy=copy />
    }
}
