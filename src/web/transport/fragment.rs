//! Parts of pages that are only read. The server renders them, and the browser puts them in as they are: what makes them
//! stays out of its download. Their links and filter forms lead on within the page's script, as everywhere.

use crate::web::components::time::show_local_times;
use crate::web::transport::form::fields_of;
use leptos::html;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsCast;
use web_sys::HtmlFormElement;

/// What the server has rendered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Html(pub String);

/// Shows it.
#[component]
pub fn Fragment(html: Html) -> impl IntoView {
    let node = NodeRef::<html::Div>::new();
    let navigate = use_navigate();
    // An effect runs in the browser only.
    Effect::new(move |_| {
        if let Some(node) = node.get() {
            show_local_times(&node);
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        let Some(form) = event.target().and_then(|target| target.dyn_into::<HtmlFormElement>().ok()) else { return };
        // A form that changes something is sent by the browser itself.
        if form.method() != "get" {
            return;
        }
        event.prevent_default();
        let address = format!("{}?{}", form.get_attribute("action").unwrap_or_default(), fields_of(&form));
        navigate(&address, NavigateOptions { scroll: false, ..Default::default() });
    };
    view! { <div class="fragment" node_ref=node on:submit=submit inner_html=html.0></div> }
}
