//! Tracing spans that add the request's id to every log line written while the request is handled.

use crate::base::randomness::Random;
use crate::base::text::without_secrets;
use crate::http::envelope::CorrelationId;
use crate::http::traces;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

/// The header with the request id of a page.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Middleware for API calls, inside [`envelope`](crate::http::envelope::envelope). The span has the correlation id,
/// which error responses contain as `error_id`.
pub async fn of_call(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<CorrelationId>().cloned().unwrap_or_default();
    // A client may have sent a key as its correlation id by mistake.
    let id = without_secrets(&id.0);
    traced(|| tracing::error_span!("call", error_id = id, trace_id = Empty), request, next).await
}

/// Runs the rest of a request in a span of the log, which is inside the span for traces.
async fn traced(log: impl FnOnce() -> Span, request: Request, next: Next) -> Response {
    let trace = traces::begin(&request);
    let log = trace.in_scope(log);
    if let Some(id) = traces::id(&trace) {
        log.record("trace_id", id);
    }
    let response = next.run(request).instrument(log).instrument(trace.clone()).await;
    traces::end(&trace, response.status());
    response
}

/// Middleware for pages and server functions. The span has a new id, which the response contains as `X-Request-Id`.
pub async fn of_page(State(random): State<Random>, request: Request, next: Next) -> Response {
    let id = CorrelationId::generate(&random);
    // The span does not contain the path, because the path of an invitation contains its token.
    let log = || tracing::error_span!("page", request_id = %id.0, trace_id = Empty);
    let mut response = traced(log, request, next).await;
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::envelope::envelope;
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::{from_fn, from_fn_with_state};
    use axum::routing::get;
    use std::io::Write;
    use std::sync::{Arc, Mutex};
    use tower::ServiceExt as _;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_cause_is_logged_with_the_id_that_the_client_was_told() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
        let _subscribed = tracing::subscriber::set_default(subscriber);
        let fails = || async { tracing::error!("the cause") };
        let random = Random::seeded(1);
        let api = Router::new().route("/api", get(fails)).layer(from_fn(of_call));
        let api = api.layer(from_fn_with_state(random.clone(), envelope));
        let pages = Router::new().route("/page", get(fails)).layer(from_fn_with_state(random, of_page));
        let router = api.merge(pages);
        for (path, header) in [("/api", "x-polyai-correlation-id"), ("/page", "x-request-id")] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            let id = response.headers()[header].to_str().unwrap();
            assert_eq!(id.len(), 36);
            let logged = String::from_utf8(log.0.lock().unwrap().drain(..).collect()).unwrap();
            assert!(logged.contains("the cause") && logged.contains(id), "{logged}");
        }
        let key = "ask_0123456789ABCDEFGHIJKLMNOPQRSTUV2QjdX3";
        let request = Request::get("/api").header("x-polyai-correlation-id", key).body(Body::empty()).unwrap();
        router.oneshot(request).await.unwrap();
        let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert!(logged.contains("the cause") && !logged.contains(&key[5..]), "{logged}");
    }
}
