//! Extracting the event id from a request: from its headers, its query string or its body (JSON, form, XML or text), as
//! the query parameters of the call say.

use crate::http::envelope::ApiError;
use crate::http::strict_json;
use axum::http::{HeaderMap, StatusCode, header};
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use utoipa::ToSchema;

/// Longest event id, in bytes.
pub const MAX_LEN: usize = 256;
/// Deepest nesting of XML elements.
const MAX_DEPTH: usize = 64;

/// Where the event id is (the contract's `event_id_location`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum EventIdLocation {
    Headers,
    QueryString,
    Payload,
}

impl EventIdLocation {
    /// The values of `event_id_location`, in the order of the variants.
    pub const WORDS: [&str; 3] = ["headers", "querystring", "payload"];

    /// Reads one of [`Self::WORDS`].
    pub fn parse(word: &str) -> Option<Self> {
        let at = Self::WORDS.iter().position(|known| *known == word)?;
        [Self::Headers, Self::QueryString, Self::Payload].get(at).copied()
    }
}

/// The format of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    Json,
    Form,
    Xml,
    Text,
}

impl BodyKind {
    /// The format that the `Content-Type` names; text if there is none. `None` if the type is not accepted.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let Some(value) = headers.get(header::CONTENT_TYPE) else { return Some(Self::Text) };
        let essence = value.to_str().ok()?.split(';').next()?.trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => Some(Self::Json),
            "application/x-www-form-urlencoded" => Some(Self::Form),
            "application/xml" | "text/xml" => Some(Self::Xml),
            "text/plain" => Some(Self::Text),
            other if other.ends_with("+json") => Some(Self::Json),
            other if other.ends_with("+xml") => Some(Self::Xml),
            _ => None,
        }
    }

    /// The content type that is stored and returned to the runtime side.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
            Self::Xml => "application/xml",
            Self::Text => "text/plain",
        }
    }
}

/// Whether a text is a valid event id: 1 to 256 bytes without control characters.
pub fn is_event_id(id: &str) -> bool {
    (1..=MAX_LEN).contains(&id.len()) && !id.chars().any(char::is_control)
}

/// The event id in the header with this name.
pub fn in_headers(headers: &HeaderMap, name: &str) -> Result<Option<String>, ApiError> {
    let values = headers.get_all(name).iter();
    only(values.filter_map(|value| value.to_str().ok()).map(str::trim), name)
}

/// Parses the body and returns the event id at this path, if there is one.
pub fn in_body(kind: BodyKind, body: &str, path: &str) -> Result<Option<String>, ApiError> {
    match kind {
        BodyKind::Json => in_json(body, path),
        BodyKind::Form => in_form(body, path),
        BodyKind::Xml => in_xml(body, path),
        BodyKind::Text => in_text(body, path),
    }
}

fn unreadable(what: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "EXTERNAL_EVENT_NOT_READABLE", format!("The body is not {what}."))
}

fn ambiguous(why: &str) -> ApiError {
    let message = format!("The request does not say clearly which event it is: {why}.");
    ApiError::new(StatusCode::BAD_REQUEST, "EXTERNAL_EVENT_NOT_READABLE", message)
}

/// The value at a dotted path. Array positions count from 0.
fn in_json(body: &str, path: &str) -> Result<Option<String>, ApiError> {
    strict_json::check(body.as_bytes()).map_err(|error| unreadable(&format!("valid JSON: {error}")))?;
    let document: &RawValue = serde_json::from_str(body).map_err(|_| unreadable("valid JSON"))?;
    let found = path.split('.').try_fold(document, |value, step| match value.get().as_bytes().first()? {
        b'{' => serde_json::from_str::<HashMap<Cow<'_, str>, &RawValue>>(value.get()).ok()?.get(step).copied(),
        b'[' => serde_json::from_str::<Vec<&RawValue>>(value.get()).ok()?.get(step.parse::<usize>().ok()?).copied(),
        _ => None,
    });
    Ok(found.map(RawValue::get).and_then(|value| match value.as_bytes().first()? {
        b'"' => serde_json::from_str(value).ok(),
        // Numbers keep their digits.
        b'-' | b'0'..=b'9' => Some(value.to_owned()),
        _ => None,
    }))
}

fn in_form(body: &str, name: &str) -> Result<Option<String>, ApiError> {
    let fields: Vec<(String, String)> =
        serde_html_form::from_str(body).map_err(|_| unreadable("a well-formed form"))?;
    only(fields.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()), name)
}

/// The only value of a name. Several values are refused, because different parsers could choose different ones.
fn only<'a>(mut values: impl Iterator<Item = &'a str>, name: &str) -> Result<Option<String>, ApiError> {
    match (values.next(), values.next()) {
        (value, None) => Ok(value.map(str::to_owned)),
        _ => Err(ambiguous(&format!("`{name}` stands there twice"))),
    }
}

/// The value in `key=value` pairs, separated by `&` or line breaks.
fn in_text(body: &str, name: &str) -> Result<Option<String>, ApiError> {
    let pairs = body.split(['&', '\n', '\r']).filter_map(|pair| pair.split_once('='));
    only(pairs.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim()), name)
}

/// The text of the only element at a path of element names below the root. Document type declarations, and with them
/// custom entities, are refused.
fn in_xml(body: &str, path: &str) -> Result<Option<String>, ApiError> {
    let wrong = || unreadable("well-formed XML without a document type declaration");
    let path: Vec<&str> = path.split('.').collect();
    let mut reader = Reader::from_str(body);
    reader.config_mut().expand_empty_elements = true;
    // Names of the open elements, from the root on.
    let mut open: Vec<String> = Vec::new();
    let (mut text, mut found, mut roots) = (String::new(), None, 0);
    loop {
        match reader.read_event().map_err(|_| wrong())? {
            Event::Start(element) => {
                roots += usize::from(open.is_empty());
                let name = element.local_name();
                open.push(std::str::from_utf8(name.as_ref()).map_err(|_| wrong())?.to_owned());
                if open.len() > MAX_DEPTH || roots > 1 {
                    return Err(wrong());
                }
                text.clear();
            }
            Event::Text(part) => text.push_str(&part.decode().map_err(|_| wrong())?),
            Event::CData(part) => text.push_str(&part.decode().map_err(|_| wrong())?),
            Event::GeneralRef(reference) => text.push(character(&reference).ok_or_else(wrong)?),
            Event::End(_) => {
                let here = open.get(1..).is_some_and(|below| below.iter().eq(path.iter()));
                if here && found.replace(text.trim().to_owned()).is_some() {
                    return Err(ambiguous("two elements have that path"));
                }
                text.clear();
                open.pop();
            }
            Event::DocType(_) => return Err(wrong()),
            Event::Eof => break,
            _ => {}
        }
    }
    if open.is_empty() && roots == 1 { Ok(found) } else { Err(wrong()) }
}

/// The character of a numeric reference or of one of XML's five predefined entities.
fn character(reference: &quick_xml::events::BytesRef<'_>) -> Option<char> {
    if let Some(numbered) = reference.resolve_char_ref().ok()? {
        return Some(numbered);
    }
    let name: &[u8] = reference;
    match name {
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"amp" => Some('&'),
        b"apos" => Some('\''),
        b"quot" => Some('"'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(kind: BodyKind, body: &str, path: &str) -> Option<String> {
        in_body(kind, body, path).unwrap()
    }

    #[test]
    fn json_by_dotted_paths() {
        let body = r#"{"cid":"evt_1","a":{"b":[{"id":7},{"id":"x"}]},"n":null,"o":{}}"#;
        for (path, id) in [("cid", Some("evt_1")), ("a.b.0.id", Some("7")), ("a.b.1.id", Some("x"))] {
            assert_eq!(found(BodyKind::Json, body, path).as_deref(), id, "{path}");
        }
        for path in ["", ".", "a", "a.b", "a.b.2.id", "a.b.-1.id", "n", "o", "cid.x", "CID"] {
            assert_eq!(found(BodyKind::Json, body, path), None, "{path}");
        }
        assert_eq!(in_body(BodyKind::Json, "{", "cid").unwrap_err().status, 400);
        assert_eq!(in_body(BodyKind::Json, &"[".repeat(100_000), "cid").unwrap_err().status, 400);
    }

    #[test]
    fn forms_and_text() {
        assert_eq!(found(BodyKind::Form, "status=ok&cid=evt%201", "cid").as_deref(), Some("evt 1"));
        assert_eq!(found(BodyKind::Form, "status=ok", "cid"), None);
        for body in ["cid=evt_1&status=ok", "status=ok\r\ncid = evt_1\r\n", "x\ncid=evt_1"] {
            assert_eq!(found(BodyKind::Text, body, "cid").as_deref(), Some("evt_1"), "{body}");
        }
        assert_eq!(found(BodyKind::Text, "", "cid"), None);
    }

    #[test]
    fn what_stands_there_twice_is_refused() {
        for (kind, body) in [
            (BodyKind::Json, r#"{"cid":"a","cid":"b"}"#),
            (BodyKind::Json, r#"{"cid":"a","other":{"x":1,"x":2}}"#),
            (BodyKind::Form, "cid=a&cid=b"),
            (BodyKind::Text, "cid=a\ncid=b"),
            (BodyKind::Xml, "<r><cid>a</cid><cid>b</cid></r>"),
        ] {
            assert_eq!(in_body(kind, body, "cid").unwrap_err().status, 400, "{body}");
        }
        let mut headers = HeaderMap::new();
        headers.append("x-event", "a".parse().unwrap());
        assert_eq!(in_headers(&headers, "x-event").unwrap().as_deref(), Some("a"));
        headers.append("x-event", "b".parse().unwrap());
        assert_eq!(in_headers(&headers, "x-event").unwrap_err().status, 400);
    }

    #[test]
    fn a_number_keeps_its_digits() {
        let body = r#"{"id":12345678901234567890123}"#;
        assert_eq!(found(BodyKind::Json, body, "id").as_deref(), Some("12345678901234567890123"));
    }

    #[test]
    fn xml_below_the_root() {
        let body = "<?xml version=\"1.0\"?><r><cid>evt&#95;1</cid><a><b/><d/><d>2</d><c><![CDATA[x<y]]></c></a></r>";
        assert_eq!(found(BodyKind::Xml, body, "cid").as_deref(), Some("evt_1"));
        assert_eq!(found(BodyKind::Xml, body, "a.b").as_deref(), Some(""));
        assert!(in_body(BodyKind::Xml, body, "a.d").unwrap_err().message.contains("two elements"));
        assert_eq!(found(BodyKind::Xml, body, "a.c").as_deref(), Some("x<y"));
        for path in ["r", "r.cid", "a.e", "b", ""] {
            assert_eq!(found(BodyKind::Xml, body, path), None, "{path}");
        }
        assert_eq!(found(BodyKind::Xml, "<s:r xmlns:s=\"u\"><s:cid>1</s:cid></s:r>", "cid").as_deref(), Some("1"));
    }

    #[test]
    fn bad_xml_is_refused() {
        let deep = "<a>".repeat(100_000);
        let bomb = "<!DOCTYPE r [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><r><cid>&b;</cid></r>";
        let external = "<!DOCTYPE r [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><r><cid>&x;</cid></r>";
        for body in ["", "text", "<r>", "<r></s>", "<r/><r/>", "<r><cid>&unknown;</cid></r>", &deep, bomb, external] {
            let refused = in_body(BodyKind::Xml, body, "cid");
            assert!(refused.is_err_and(|e| e.status == 400), "{}", &body[..body.len().min(40)]);
        }
    }

    proptest! {
        /// Any input gives a result or an error 400, and no panic.
        #[test]
        fn nothing_breaks_it(body in ".{0,200}", path in ".{0,20}") {
            for kind in [BodyKind::Json, BodyKind::Form, BodyKind::Xml, BodyKind::Text] {
                if let Err(error) = in_body(kind, &body, &path) {
                    prop_assert_eq!(error.status, StatusCode::BAD_REQUEST);
                }
            }
        }

        #[test]
        fn almost_xml_does_not_break_it(parts in proptest::collection::vec(prop_oneof![
            Just("<a>"), Just("</a>"), Just("<b/>"), Just("<![CDATA["), Just("]]>"), Just("&#x41;"), Just("&lt;"), Just("&b;"),
            Just("<!--"), Just("-->"), Just("<?x"), Just("?>"), Just("<!DOCTYPE r>"), Just("x"), Just("<a b='"), Just("'>"),
        ], 0..40)) {
            let body = parts.concat();
            if let Ok(found) = in_body(BodyKind::Xml, &body, "b") {
                prop_assert!(found.is_none_or(|id| id.len() <= body.len()));
            }
        }

        /// An id at a path is found in each format.
        #[test]
        fn an_id_is_found_where_it_was_put(steps in proptest::collection::vec("[a-z_][a-z0-9_]{0,8}", 1..6), id in "[^\\p{C}]{1,40}") {
            let path = steps.join(".");
            let json = steps.iter().rev().fold(serde_json::Value::String(id.clone()), |inner, step| serde_json::json!({ step: inner }));
            prop_assert_eq!(found(BodyKind::Json, &json.to_string(), &path), Some(id.clone()));

            let form = serde_html_form::to_string([("0", "1"), (path.as_str(), id.as_str())]).unwrap_or_default();
            prop_assert_eq!(found(BodyKind::Form, &form, &path), Some(id.clone()));

            let text = quick_xml::escape::escape(id.as_str()).into_owned();
            let xml = steps.iter().rev().fold(text, |inner, step| format!("<{step}>{inner}</{step}>"));
            prop_assert_eq!(found(BodyKind::Xml, &format!("<root>{xml}</root>"), &path), Some(id.trim().to_owned()));

            if !id.contains('&') {
                prop_assert_eq!(found(BodyKind::Text, &format!("0=1&{path}={id}"), &path), Some(id.trim().to_owned()));
            }
        }
    }
}
