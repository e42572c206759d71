//! Reads the key from a request's headers, and explains what is wrong with its form. The explanations reveal nothing
//! about existing keys, because they do not depend on a lookup.

use crate::api_keys::secret::{HashedKey, KEY_LEN};
use crate::gate::decision::RefusalReason;
use axum::http::{HeaderMap, HeaderName, Uri, header};

/// The header with the key.
pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Message for every refusal that does not concern the form.
const NOT_VALID: &str = "The API key is missing or not valid. Send a valid key in the x-api-key header.";

/// The hash of the presented key. Exactly one header with a well-formed value is accepted.
pub fn presented(headers: &HeaderMap) -> Result<HashedKey, RefusalReason> {
    let mut values = headers.get_all(API_KEY).iter();
    let value = values.next().ok_or(RefusalReason::NoKey)?;
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    text.and_then(HashedKey::of_presented).ok_or(RefusalReason::Malformed)
}

/// One sentence for a request that was refused with 401.
pub fn explain(headers: &HeaderMap, uri: &Uri) -> &'static str {
    let mut values = headers.get_all(API_KEY).iter();
    let Some(value) = values.next() else { return explain_missing(headers, uri) };
    if values.next().is_some() {
        return "The x-api-key header was sent more than once. Send it once, with one key.";
    }
    let Ok(text) = value.to_str() else {
        return "The x-api-key header holds characters that no key has. Send the key alone, as it was copied.";
    };
    if HashedKey::of_presented(text).is_some() {
        return NOT_VALID;
    }
    let bare = text.trim_matches(['"', '\'', '`', '<', '>']);
    if bare.len() < text.len() {
        "The x-api-key header holds the key in quotes. Send it without them."
    } else if text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer ")) {
        "The x-api-key header begins with `Bearer`. Send the key alone."
    } else if text.starts_with("ast_") {
        "The x-api-key header holds a runtime token. Send an API key, which begins with `ask_`."
    } else if !text.starts_with("ask_") {
        "The x-api-key header holds no API key. A key begins with `ask_`."
    } else if text.len() < KEY_LEN {
        "The API key is cut short. A key has 42 characters."
    } else if text.len() > KEY_LEN {
        "The API key is too long. A key has 42 characters, and nothing follows it."
    } else {
        "The API key is mistyped: its last six characters do not fit the others. Copy it again."
    }
}

fn explain_missing(headers: &HeaderMap, uri: &Uri) -> &'static str {
    let holds_a_key = |text: &str| text.contains("ask_");
    let query = uri.query().unwrap_or_default();
    if headers.get_all(header::AUTHORIZATION).iter().any(|value| value.to_str().is_ok_and(holds_a_key)) {
        "The API key was sent in the Authorization header. Send it in the x-api-key header."
    } else if holds_a_key(query) || holds_a_key(uri.path()) {
        "The API key was sent in the address, where logs keep it. Send it in the x-api-key header, and replace the key."
    } else {
        NOT_VALID
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_explained() {
        let key = "ask_0123456789ABCDEFGHIJKLMNOPQRSTUV2QjdX3";
        let long = format!("{key}x");
        let (quoted, bearer) = (format!("\"{key}\""), format!("Bearer {key}"));
        let mistyped = key.replace("2Qjd", "2Qje");
        for (sent, says) in [
            (vec![key], "missing or not valid"),
            (vec![key, key], "more than once"),
            (vec![quoted.as_str()], "quotes"),
            (vec![bearer.as_str()], "Bearer"),
            (vec!["ast_x"], "runtime token"),
            (vec!["sk_live_x"], "begins with `ask_`"),
            (vec![&key[..41]], "cut short"),
            (vec![long.as_str()], "too long"),
            (vec![mistyped.as_str()], "mistyped"),
            (vec![], "missing or not valid"),
        ] {
            let mut headers = HeaderMap::new();
            for value in &sent {
                headers.append(API_KEY, value.parse().unwrap());
            }
            let said = explain(&headers, &Uri::from_static("/v3/a/b/conversations"));
            assert!(said.contains(says), "{sent:?}: {said}");
            assert!(!said.contains("0123"), "never the key itself");
        }
        let mut headers = HeaderMap::new();
        let in_query: Uri = format!("/v3/a/b/conversations?api_key={key}").parse().unwrap();
        assert!(explain(&headers, &in_query).contains("in the address"));
        headers.insert(header::AUTHORIZATION, bearer.parse().unwrap());
        assert!(explain(&headers, &Uri::from_static("/")).contains("Authorization"));
    }
}
