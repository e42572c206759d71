//! Writing to the clipboard.

use js_sys::{Array, Function, Object, Promise, Reflect};
use std::future::Future;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, future_to_promise};

/// Whether this page may write to the clipboard: on plain HTTP, away from loopback, browsers have none.
pub fn is_available() -> bool {
    clipboard().is_some()
}

/// Writes a text that is still being fetched. Must be called within the click: Safari allows writing only then, and takes the
/// text as a promise.
pub async fn write(text: impl Future<Output = Option<String>> + 'static) -> bool {
    let text = future_to_promise(async move { text.await.map(JsValue::from).ok_or(JsValue::NULL) });
    let Some(clipboard) = clipboard() else { return false };
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
    let function: Function = Reflect::get(object, &method.into()).ok()?.dyn_into().ok()?;
    function.call1(object, argument).ok()?.dyn_into().ok()
}
