//! Forms that lead to an address: they search and sort, and their fields become its query string.

use crate::web::transport::call::{self, ServerCall};
use crate::web::transport::form::fields_of;
use leptos::prelude::*;
use leptos::task::spawn_local;
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

/// Like [`FilterForm`], for a search that may contain a secret, which must not be in an address: it is posted to a server
/// function, which leads on.
#[component]
pub fn PostedFilterForm(
    /// Path of the server function.
    path: &'static str,
    children: Children,
) -> impl IntoView {
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let fields = fields_of(&event_target(&event));
        spawn_local(async move {
            // Without an answer the page stays as it is.
            let _ = call::post(path, ServerCall::Form(&fields)).await;
        });
    };
    view! {
        <form method="post" action=path class="flex flex-wrap items-center gap-3" role="search" on:submit=submit>
            {children()}
        </form>
    }
}
