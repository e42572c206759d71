//! What is logged while a request is answered names the request's id.

use crate::base::randomness::Random;
use crate::base::text::without_secrets;
use crate::http::envelope::CorrelationId;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;

/// The header of a page's request id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Around an API call, within [`envelope`](crate::http::envelope::envelope): its correlation id, the `error_id` of a refusal.
pub async fn of_call(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<CorrelationId>().cloned().unwrap_or_default();
    // A client may have sent a key where its own id belongs.
    let span = tracing::error_span!("call", error_id = without_secrets(&id.0));
    next.run(request).instrument(span).await
}

/// Around a page or a server function: an id of its own, which the answer says.
pub async fn of_page(State(random): State<Random>, request: Request, next: Next) -> Response {
    let id = CorrelationId::generate(&random);
    // Not the path: an invitation's holds its token.
    let span = tracing::error_span!("page", request_id = %id.0);
    let mut response = next.run(request).instrument(span).await;
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
