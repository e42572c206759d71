//! Buttons, fields, dialogs, pickers, toasts. Nothing here knows the domain.

/// Calls to server functions.
pub mod call;
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
/// Forms that work before the page's script does.
pub mod form;
/// Parts of pages that are only read, rendered by the server.
pub mod fragment;
/// One icon from the sprite.
pub mod icon;
/// Pages' data, and what is shown until it is there.
pub mod load;
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

/// Percent-encodes text for one value of a query string.
pub fn query_value(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
        }
    }
    out
}
