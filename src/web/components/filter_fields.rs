//! Filter forms in fragments: plain GET forms, which the fragment around them sends.

use crate::web::components::button::Button;
use crate::web::components::field::{Field, FieldPlace};
use leptos::prelude::*;

const FILTER_CONTROL: &str =
    "h-10 max-w-full rounded-lg border border-edge bg-surface px-3 text-base text-ink max-sm:w-full";

/// Row of filters with a button that applies them.
#[component]
pub fn Filters(
    action: String,
    /// Space around the row.
    #[prop(optional)]
    class: &'static str,
    /// Text of the button.
    #[prop(default = "Filter")]
    button: &'static str,
    children: Children,
) -> impl IntoView {
    view! {
        <form method="get" action=action class=format!("flex flex-wrap items-end gap-3 [&>button]:h-10 {class}") role="search">
            {children()}
            <Button small=true>{button}</Button>
        </form>
    }
}

/// Choice of a filter form.
#[component]
pub fn FilterSelect(
    name: &'static str,
    label: &'static str,
    /// Values and their texts, the first of which is for all.
    options: Vec<(String, String)>,
    chosen: String,
) -> impl IntoView {
    let option = move |(value, text): (String, String)| {
        let selected = value == chosen;
        view! { <option value=value selected=selected>{text}</option> }
    };
    view! {
        <Field id=name label place=FieldPlace::Filters>
            <select id=name name=name class=FILTER_CONTROL>{options.into_iter().map(option).collect_view()}</select>
        </Field>
    }
}

/// Text of a filter form.
#[component]
pub fn FilterText(name: &'static str, label: &'static str, value: String) -> impl IntoView {
    view! {
        <Field id=name label place=FieldPlace::Filters>
            <input id=name class=FILTER_CONTROL type="search" name=name value=value maxlength="128" />
        </Field>
    }
}
