//! Fields of the filter forms in fragments.

use leptos::prelude::*;

/// A choice of a filter form.
#[component]
pub fn FilterSelect(
    name: &'static str,
    label: &'static str,
    /// Values and their words, the first of which is for all.
    options: Vec<(String, String)>,
    chosen: String,
) -> impl IntoView {
    let option = move |(value, words): (String, String)| {
        let selected = value == chosen;
        view! { <option value=value selected=selected>{words}</option> }
    };
    view! {
        <label class="filter">
            <span>{label}</span>
            <select name=name>{options.into_iter().map(option).collect_view()}</select>
        </label>
    }
}

/// A text of a filter form.
#[component]
pub fn FilterText(name: &'static str, label: &'static str, value: String) -> impl IntoView {
    view! {
        <label class="filter">
            <span>{label}</span>
            <input type="search" name=name value=value maxlength="128" />
        </label>
    }
}
