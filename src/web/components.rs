//! Buttons, fields, dialogs, pickers, toasts. Nothing here knows the domain.

/// Views that wait for their data.
pub mod awaited;
/// Badges.
pub mod badge;
/// Buttons and icon buttons.
pub mod button;
/// Cards in a list.
pub mod card;
/// Bar charts in fragments.
#[cfg(feature = "ssr")]
pub mod chart;
/// Writing to the clipboard.
pub mod clipboard;
/// Code in a box.
pub mod code_block;
/// Button that copies a text.
pub mod copy_text;
/// Forms that the server describes.
pub mod described_form;
/// Sheets and questions: native dialogs with addresses of their own.
pub mod dialog;
/// What was typed into a form that was not accepted.
pub mod draft;
/// Lists of facts.
pub mod fact_list;
/// Form fields: label, control, hint and error.
pub mod field;
/// Forms that lead to an address: search and sort.
pub mod filter;
/// Filter forms in fragments.
#[cfg(feature = "ssr")]
pub mod filter_fields;
/// Dialogs with a form.
pub mod form_dialog;
/// Icons from the sprite.
pub mod icon;
/// Choosing several of many.
pub mod multi_select;
/// Parts of pages: headers, toolbars, links; empty, loading and error states.
pub mod page;
/// Tables in fragments.
#[cfg(feature = "ssr")]
pub mod table;
/// Instants in the viewer's zone.
pub mod time;
/// Messages about what has just happened.
pub mod toast;
/// Boxes with a value to be copied.
pub mod value_box;

use js_sys::JsString;
use leptos::prelude::*;

/// `true` after hydration. On the server and during hydration it is `false`, so that both render the same.
pub fn use_hydrated() -> ReadSignal<bool> {
    let (hydrated, set_hydrated) = signal(false);
    Effect::new(move |_| set_hydrated.set(true));
    hydrated
}

/// Text in lower case, to search in. In the browser JavaScript does it: Rust's Unicode tables stay out of the download.
pub fn lower_case(text: &str) -> String {
    if cfg!(feature = "ssr") { text.to_lowercase() } else { JsString::from(text).to_lower_case().into() }
}
