//! Forms that lead to an address: they search and sort, and their fields become its query string.

use crate::web::transport::form::fields_of;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

/// A form that leads to `action` with its fields as the query.
#[component]
pub fn FilterForm(#[prop(into)] action: String, children: Children) -> impl IntoView {
    let navigate = use_navigate();
    let submit = {
        let action = action.clone();
        move |event: leptos::ev::SubmitEvent| {
            event.prevent_default();
            let address = format!("{action}?{}", fields_of(&event_target(&event)));
            navigate(&address, NavigateOptions { scroll: false, ..Default::default() });
        }
    };
    view! {
        <form method="get" action=action class="flex flex-wrap items-center gap-3" role="search" on:submit=submit>
            {children()}
        </form>
    }
}
