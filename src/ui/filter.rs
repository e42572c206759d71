//! Forms whose answer is an address: they search, sort and filter, and their fields stand in the query string.

use super::form::fields_of;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

/// A form that leads to `action` with its fields as the query.
#[component]
pub fn FilterForm(#[prop(into)] action: String, class: &'static str, children: Children) -> impl IntoView {
    let navigate = use_navigate();
    let submit = {
        let action = action.clone();
        move |event: leptos::ev::SubmitEvent| {
            event.prevent_default();
            let address = format!("{action}?{}", fields_of(&event_target(&event)));
            navigate(&address, NavigateOptions { scroll: false, ..Default::default() });
        }
    };
    view! { <form method="get" action=action class=class role="search" on:submit=submit>{children()}</form> }
}

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
