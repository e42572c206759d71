//! Calls to server functions from the browser: `fetch`, once for all of them.

use crate::base::error::Error;
use leptos::prelude::window;
use leptos::server_fn::redirect::{REDIRECT_HEADER, call_redirect_hook};
use send_wrapper::SendWrapper;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, RequestInit, Response};

/// How long an answer may take, in milliseconds: a little longer than the server gives itself.
const TIMEOUT: u32 = 65_000;

/// Why a server function is called, with its arguments encoded.
#[derive(Clone, Copy, Debug)]
pub enum ServerCall<'a> {
    /// A form was sent: its fields as in a URL. What it leads to comes after its page in the browser's history.
    Form(&'a str),
    /// A page loads its data: JSON. What it leads to takes the page's place: going back must not lead here again.
    Load(&'a str),
}

/// What a server function answered.
#[derive(Debug)]
pub struct ServerAnswer {
    /// Its output in JSON.
    pub output: String,
    /// Whether it led on to another page.
    pub led_on: bool,
}

/// Posts to a server function, and goes where its answer says, if it says so.
pub async fn post(path: &str, call: ServerCall<'_>) -> Result<ServerAnswer, Error> {
    // Only the browser calls, and it has one thread.
    SendWrapper::new(async move {
        let response = fetch(path, call).await.map_err(|_| Error::Unreachable)?;
        let output = text_of(&response).await.map_err(|_| Error::Unreachable)?;
        let place = redirect_of(&response);
        match (&place, call) {
            (Some(place), ServerCall::Form(_)) => call_redirect_hook(place),
            // Fails only for what is no address.
            (Some(place), ServerCall::Load(_)) => drop(window().location().replace(place)),
            (None, _) => {}
        }
        if response.ok() {
            Ok(ServerAnswer { output, led_on: place.is_some() })
        } else {
            Err(serde_json::from_str(&output).unwrap_or_else(|_| error_of(response.status())))
        }
    })
    .await
}

async fn fetch(path: &str, call: ServerCall<'_>) -> Result<Response, JsValue> {
    let (content_type, body) = match call {
        ServerCall::Form(fields) => ("application/x-www-form-urlencoded", fields),
        ServerCall::Load(arguments) => ("application/json", arguments),
    };
    let headers = Headers::new()?;
    headers.set("accept", "application/json")?;
    headers.set("content-type", content_type)?;
    let request = RequestInit::new();
    request.set_method("POST");
    request.set_headers(&headers);
    request.set_body(&body.into());
    request.set_signal(Some(&AbortSignal::timeout_with_u32(TIMEOUT)));
    JsFuture::from(window().fetch_with_str_and_init(path, &request)).await?.dyn_into()
}

async fn text_of(response: &Response) -> Result<String, JsValue> {
    Ok(JsFuture::from(response.text()?).await?.as_string().unwrap_or_default())
}

fn redirect_of(response: &Response) -> Option<String> {
    let headers = response.headers();
    headers.has(REDIRECT_HEADER).ok().filter(|redirects| *redirects).and_then(|_| headers.get("location").ok()?)
}

/// What a status says where the answer itself does not: it came from a proxy, or from before the function was reached.
fn error_of(status: u16) -> Error {
    match status {
        403 => Error::WrongOrigin,
        408 | 502..=504 => Error::Unavailable,
        400..500 => Error::BadRequest,
        _ => Error::Internal,
    }
}
