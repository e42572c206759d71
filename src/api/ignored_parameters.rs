//! Names the query parameters that an API passes over, so that a mistyped filter is noticed.

use crate::http::envelope::IGNORED_PARAMETERS;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::ParameterIn;

/// Most names that the header has, and most characters of each.
const MAX_NAMES: usize = 10;
const MAX_CHARS: usize = 50;

/// The query parameters of each path that is read with GET.
#[derive(Clone, Debug)]
pub struct KnownParameters(Arc<HashMap<String, HashSet<String>>>);

impl KnownParameters {
    /// The parameters that the document describes.
    pub fn of(document: &OpenApi) -> Self {
        let known = document.paths.paths.iter().filter_map(|(path, item)| {
            let parameters = item.get.as_ref()?.parameters.iter().flatten();
            let names = parameters.filter(|p| p.parameter_in == ParameterIn::Query).map(|p| p.name.clone());
            Some((path.clone(), names.collect()))
        });
        Self(Arc::new(known.collect()))
    }

    /// The parameters of a query string that this path does not have; `None` if it has them all.
    fn ignored(&self, path: &str, query: &str) -> Option<HeaderValue> {
        let known = self.0.get(path)?;
        let names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
        let ignored: BTreeSet<_> = names.filter(|name| !known.contains(name.as_ref())).take(MAX_NAMES).collect();
        let shown = ignored.iter().map(|name| {
            let start: String = name.chars().take(MAX_CHARS).collect();
            utf8_percent_encode(&start, NON_ALPHANUMERIC).to_string().replace("%5F", "_")
        });
        HeaderValue::from_str(&shown.collect::<Vec<_>>().join(",")).ok().filter(|names| !names.is_empty())
    }
}

/// Layer that adds the header to answers.
pub async fn note(State(known): State<KnownParameters>, path: MatchedPath, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let query = request.uri().query().filter(|_| reads);
    let ignored = query.and_then(|query| known.ignored(path.as_str(), query));
    let mut response = next.run(request).await;
    if let Some(names) = ignored {
        response.headers_mut().insert(IGNORED_PARAMETERS, names);
    }
    response
}
