//! Buttons, fields, dialogs, pickers, toasts. Nothing here knows the domain.

/// Writing to the clipboard.
pub mod clipboard;
/// A button that copies a text.
pub mod copy_text;
/// Sheets and questions, as native dialogs with addresses of their own.
pub mod dialog;
/// Labels, hints, errors, and what was typed before.
pub mod field;
/// Forms whose answer is an address.
pub mod filter;
/// Fields of the filter forms in fragments.
#[cfg(feature = "ssr")]
pub mod filter_fields;
/// One icon from the sprite.
pub mod icon;
/// Choosing several of many.
pub mod multi_select;
/// Empty, loading and error states.
pub mod page;
/// Tables in fragments, which small screens show as blocks.
#[cfg(feature = "ssr")]
pub mod table;
/// Instants in the viewer's zone.
pub mod time;
/// What has just happened, said once.
pub mod toast;
/// The question before something is deleted for good.
pub mod typed_name;

use js_sys::JsString;
use leptos::prelude::*;

/// Whether the page has woken up in the browser: `false` on the server and until hydration is done, so that both
/// render the same.
pub fn use_hydrated() -> ReadSignal<bool> {
    let (hydrated, set_hydrated) = signal(false);
    Effect::new(move |_| set_hydrated.set(true));
    hydrated
}

/// Text in lower case, to search in. The browser has the tables for it; ours stay out of its download.
pub fn lower_case(text: &str) -> String {
    if cfg!(feature = "ssr") { text.to_lowercase() } else { JsString::from(text).to_lower_case().into() }
}
