//! A client with cookies, like a browser or curl, that sends requests to the real router.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::request::Builder;
use axum::http::{HeaderMap, Request, header};
use serde_json::Value;
use tower::ServiceExt as _;

/// Host of all requests.
const HOST: &str = "127.0.0.1:3000";

/// A client that keeps its cookie and sends the headers of a browser.
pub struct Browser {
    router: Router,
    cookie: Option<String>,
}

/// A response.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
    /// The bytes as text.
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// Target of a redirect.
    pub fn location(&self) -> &str {
        self.header("location")
    }
}

impl Browser {
    pub fn new(router: Router) -> Self {
        Self { router, cookie: None }
    }

    /// A new browser without this one's cookie.
    pub fn fresh(&self) -> Self {
        Self::new(self.router.clone())
    }

    /// A new tab with this one's cookie.
    pub fn tab(&self) -> Self {
        Self { router: self.router.clone(), cookie: self.cookie.clone() }
    }

    /// Requests a page and disconnects before reading it.
    pub async fn get_without_reading(&mut self, path: &str) {
        let mut request = Request::get(path).header(header::ACCEPT, "text/html").header(header::HOST, HOST);
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        drop(self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap());
    }

    /// The header with all cookies.
    pub fn cookie(&self) -> Option<&str> {
        self.cookie.as_deref()
    }

    fn set_cookie(&mut self, set: &str) {
        let pair = set.split(';').next().unwrap_or_default();
        let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
        let mut kept: Vec<String> = self.cookie.iter().flat_map(|all| all.split("; ")).map(str::to_owned).collect();
        kept.retain(|cookie| name(cookie) != name(pair));
        if !set.contains("Max-Age=0") {
            kept.push(pair.to_owned());
        }
        self.cookie = (!kept.is_empty()).then(|| kept.join("; "));
    }

    /// Requests a page.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path).header(header::ACCEPT, "text/html"), Body::empty()).await
    }

    /// Calls the API.
    pub async fn api(&mut self, path: &str, key: &str) -> Answer {
        self.send(Request::get(path).header("x-api-key", key), Body::empty()).await
    }

    /// Calls a server function as the page's script does: with JSON to load data, with a form to change it.
    pub async fn call(&mut self, function: &str, fields: &[(&str, &str)]) -> Answer {
        if !["get_", "go_", "list_", "take_"].iter().any(|prefix| function.starts_with(prefix)) {
            return self.form(function, fields, "application/json", "/").await;
        }
        let fields: serde_json::Map<String, Value> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        self.read(function, &fields.into()).await
    }

    /// Calls a server function that reads, with arguments of any form.
    pub async fn read(&mut self, function: &str, arguments: &Value) -> Answer {
        let request = Request::post(format!("/api/{function}"))
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ORIGIN, format!("http://{HOST}"));
        self.send(request, Body::from(arguments.to_string())).await
    }

    /// Submits a form of the page at `page` like a browser without JavaScript.
    pub async fn submit(&mut self, page: &str, function: &str, fields: &[(&str, &str)]) -> Answer {
        self.form(function, fields, "text/html,application/xhtml+xml", page).await
    }

    async fn form(&mut self, function: &str, fields: &[(&str, &str)], accept: &str, page: &str) -> Answer {
        let request = Request::post(format!("/api/{function}"))
            .header(header::ACCEPT, accept)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ORIGIN, format!("http://{HOST}"))
            .header(header::REFERER, format!("http://{HOST}{page}"));
        let body = serde_html_form::to_string(fields).unwrap();
        self.send(request.header(header::CONTENT_LENGTH, body.len()), Body::from(body)).await
    }

    pub async fn send(&mut self, request: Builder, body: Body) -> Answer {
        self.send_from("192.0.2.7", request, body).await
    }

    /// Sends any request from this address.
    pub async fn send_from(&mut self, address: &str, mut request: Builder, body: Body) -> Answer {
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let request = request.header(header::HOST, HOST).header("x-forwarded-for", address).body(body).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        for set in parts.headers.get_all(header::SET_COOKIE) {
            self.set_cookie(set.to_str().unwrap());
        }
        let bytes = to_bytes(body, 64 << 20).await.unwrap().to_vec();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8_lossy(&bytes).into_owned(),
            bytes,
        }
    }
}
