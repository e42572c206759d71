//! Writing to the clipboard.

use js_sys::{Array, Function, Object, Promise, Reflect};
use std::future::Future;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, future_to_promise};
use web_sys::HtmlElement;

/// Writes a text that is still being fetched. Must be called within the click: Safari allows writing only then, and takes the
/// text as a promise. On plain HTTP, away from loopback, pages have no clipboard: there the text is copied by selecting it.
pub async fn write(text: impl Future<Output = Option<String>> + 'static) -> bool {
    let Some(clipboard) = clipboard() else {
        return text.await.is_some_and(|text| copy_by_selection(&text).is_some());
    };
    let text = future_to_promise(async move { text.await.map(JsValue::from).ok_or(JsValue::NULL) });
    let written = match item_of(&text) {
        Some(item) => call(&clipboard, "write", &Array::of1(&item)),
        // Firefox before 127 has no ClipboardItem; it allows writing a little later.
        None => match JsFuture::from(text.clone()).await {
            Ok(text) => call(&clipboard, "writeText", &text),
            Err(_) => None,
        },
    };
    match written {
        Some(promise) => JsFuture::from(promise).await.is_ok() && JsFuture::from(text).await.is_ok(),
        None => false,
    }
}

/// Copies a text by selecting it in a field that is there for a moment; `None` if the browser does not allow it.
fn copy_by_selection(text: &str) -> Option<()> {
    let document = web_sys::window()?.document()?;
    let focused = document.active_element();
    // What is outside an open dialog cannot be selected.
    let dialog = focused.as_ref().and_then(|element| element.closest("dialog").ok().flatten());
    let within = dialog.or_else(|| document.body().map(Into::into))?;
    let field = document.create_element("textarea").ok()?;
    field.set_text_content(Some(text));
    within.append_child(&field).ok()?;
    let _ = function(&field, "select").and_then(|select| select.call0(&field).ok());
    let copy = function(&document, "execCommand");
    let copied = copy.and_then(|copy| copy.call1(&document, &"copy".into()).ok());
    field.remove();
    if let Some(focused) = focused.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        let _ = focused.focus();
    }
    copied.filter(JsValue::is_truthy).map(drop)
}

fn clipboard() -> Option<JsValue> {
    let navigator = Reflect::get(&js_sys::global(), &"navigator".into()).ok()?;
    Reflect::get(&navigator, &"clipboard".into()).ok().filter(|c| !c.is_undefined())
}

fn item_of(text: &Promise) -> Option<JsValue> {
    let constructor: Function = Reflect::get(&js_sys::global(), &"ClipboardItem".into()).ok()?.dyn_into().ok()?;
    let parts = Object::new();
    Reflect::set(&parts, &"text/plain".into(), text).ok()?;
    Reflect::construct(&constructor, &Array::of1(&parts)).ok()
}

fn call(object: &JsValue, method: &str, argument: &JsValue) -> Option<Promise> {
    function(object, method)?.call1(object, argument).ok()?.dyn_into().ok()
}

fn function(object: &JsValue, name: &str) -> Option<Function> {
    Reflect::get(object, &name.into()).ok()?.dyn_into().ok()
}
