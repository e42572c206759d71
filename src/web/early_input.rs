//! Input made before the page's script ran. The browser keeps it in the fields, but nobody listened to its events.

use leptos::prelude::document;
use leptos::wasm_bindgen::JsCast;
use web_sys::{Element, Event, EventInit, HtmlInputElement, HtmlSelectElement, NodeList};

/// Sends `input` and `change` events from every field that no longer has what the server rendered. To be called once,
/// when the page's listeners are attached and before anything else runs.
pub fn replay() {
    let Ok(fields) = document().query_selector_all("input:not([type=hidden]), select") else { return };
    for field in elements(&fields).filter(changed) {
        let init = EventInit::new();
        init.set_bubbles(true);
        for kind in ["input", "change"] {
            if let Ok(event) = Event::new_with_event_init_dict(kind, &init) {
                let _ = field.dispatch_event(&event);
            }
        }
    }
}

fn elements(found: &NodeList) -> impl Iterator<Item = Element> {
    (0..found.length()).filter_map(|at| found.item(at)?.dyn_into().ok())
}

fn changed(field: &Element) -> bool {
    if let Some(input) = field.dyn_ref::<HtmlInputElement>() {
        return input.checked() != input.default_checked() || input.value() != input.default_value();
    }
    let Some(select) = field.dyn_ref::<HtmlSelectElement>() else { return false };
    // Without a selected option the first one is the default.
    let first = || select.query_selector("option").ok().flatten();
    let default = select.query_selector("option[selected]").ok().flatten().or_else(first);
    let chosen = select.query_selector("option:checked").ok().flatten();
    default != chosen
}
