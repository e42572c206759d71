//! Files to download: who may have them, and CSV.

use crate::base::error::Error;
use crate::base::text::query_value;
use crate::http::client_address::ClientAddress;
use crate::web::guard::{self, SignedInMember};
use crate::web::services::PageServices;
use axum::body::Body;
use axum::extract::{Extension, FromRequestParts as _, OriginalUri, Path, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use futures_util::Stream;
use std::sync::Arc;
use tower_sessions::Session;

/// Layer that lets members of the workspace in the path through, with the [`SignedInMember`] as an extension. Others are
/// sent to sign-in, or are told that nothing is there.
pub async fn members_only(
    State(services): State<Arc<PageServices>>,
    Path(slug): Path<String>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let session = match Session::from_request_parts(&mut parts, &()).await {
        Ok(session) => session,
        Err(refused) => return refused.into_response(),
    };
    let address = parts.extensions.get::<ClientAddress>().and_then(|client| client.address);
    match guard::member_of(services, session, address, &slug).await {
        Ok(member) => {
            let mut request = Request::from_parts(parts, body);
            request.extensions_mut().insert(Arc::new(member));
            next.run(request).await
        }
        Err(Error::SignedOut) => {
            let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
            Redirect::to(&format!("/sign-in?next={}", query_value(&uri.to_string()))).into_response()
        }
        Err(error) => error.into_response(),
    }
}

/// The member that [`members_only`] let through.
pub type Member = Extension<Arc<SignedInMember>>;

/// The response that sends a file.
pub fn file(
    name: &str,
    content_type: &'static str,
    chunks: impl Stream<Item = Result<Vec<u8>, std::io::Error>> + Send + 'static,
) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, Body::from_stream(chunks)).into_response()
}

/// The content type of [`csv()`].
pub const CSV: &str = "text/csv; charset=utf-8; header=present";

/// Rows of a CSV file (RFC 4180). No field is read as a formula by a spreadsheet (OWASP, "CSV injection").
pub fn csv<const N: usize>(rows: impl Iterator<Item = [String; N]>) -> Result<Vec<u8>, Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(row.map(for_spreadsheets)).map_err(|_| Error::Internal)?;
    }
    writer.into_inner().map_err(|_| Error::Internal)
}

fn for_spreadsheets(field: String) -> String {
    match field.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{field}"),
        false => field,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spreadsheet_takes_nothing_for_a_formula() {
        let rows = [["=1+1".to_owned(), "ada@example.com".to_owned()], ["a,b".to_owned(), "\"".to_owned()]];
        let file = csv(rows.into_iter()).map(String::from_utf8);
        assert_eq!(file, Ok(Ok("'=1+1,ada@example.com\n\"a,b\",\"\"\"\"\n".to_owned())));
    }
}
