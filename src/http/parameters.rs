//! Parsing query parameters. The error for a value that does not parse or is out of range names the parameter.

use crate::base::time::Timestamp;
use crate::base::time::parse_instant;
use crate::http::envelope::ApiError;
use axum::http::StatusCode;

/// Longest value of a text parameter, in bytes.
pub const MAX_TEXT: usize = 200;

/// The decoded parameters of a query string, in their order.
#[derive(Debug)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Parses a query string.
    pub fn read(query: &str) -> Result<Self, ApiError> {
        serde_html_form::from_str(query).map(Self).map_err(|_| {
            let message = "The query string is not well-formed.";
            ApiError::new(StatusCode::BAD_REQUEST, "GET_CONVERSATIONS_FILTER_PARSE_ERROR", message)
        })
    }

    /// The names of all parameters, repeated ones too.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The value of a parameter that may occur only once.
    pub fn one(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let mut values = self.0.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(second)) => Err(ApiError::parameter(name, second, "one value, not several")),
        }
    }

    /// The first value of a parameter, or the empty string. For pages, which accept any query string.
    pub fn first(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// A value that must be one of the accepted words.
    pub fn one_of(&self, name: &str, accepted: &[&'static str]) -> Result<Option<&'static str>, ApiError> {
        let Some(value) = self.one(name)? else { return Ok(None) };
        let known = accepted.iter().find(|a| **a == value).copied();
        let list = || accepted.iter().map(|a| format!("`{a}`")).collect::<Vec<_>>().join(" or ");
        known.map(Some).ok_or_else(|| ApiError::parameter(name, value, &list()))
    }

    /// A whole number within bounds.
    pub fn number(&self, name: &str, min: u32, max: u32) -> Result<Option<u32>, ApiError> {
        let Some(value) = self.one(name)? else { return Ok(None) };
        let number = value.parse().ok().filter(|n| (min..=max).contains(n));
        number.map(Some).ok_or_else(|| ApiError::parameter(name, value, &format!("a whole number from {min} to {max}")))
    }

    /// A Boolean value: `true`, `True`, `false` or `False`.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.one(name)? {
            None => Ok(None),
            Some("true" | "True") => Ok(Some(true)),
            Some("false" | "False") => Ok(Some(false)),
            Some(other) => Err(ApiError::parameter(name, other, "`true` or `false`")),
        }
    }

    /// A date and time with a time zone (RFC 3339).
    pub fn instant(&self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        let Some(value) = self.one(name)? else { return Ok(None) };
        // A `+` before the zone becomes a space if it was not percent-encoded.
        let instant = parse_instant(&value.replace(' ', "+"));
        let accepted = "an ISO 8601 date and time with its zone, such as `2021-07-01T14:15:00.000Z`";
        instant.map(Some).ok_or_else(|| ApiError::parameter(name, value, accepted))
    }

    /// A date and time that must be present.
    pub fn required_instant(&self, name: &str) -> Result<Timestamp, ApiError> {
        self.instant(name)?.ok_or_else(|| missing(name))
    }

    /// A text of at most [`MAX_TEXT`] bytes; `None` if it is missing or empty.
    pub fn text(&self, name: &str) -> Result<Option<String>, ApiError> {
        match self.one(name)?.filter(|value| !value.is_empty()) {
            Some(value) if value.len() > MAX_TEXT || value.contains('\0') => {
                Err(ApiError::parameter(name, value, &format!("at most {MAX_TEXT} bytes of text")))
            }
            value => Ok(value.map(str::to_owned)),
        }
    }

    /// All values of a parameter that may occur more than once.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A text that must be present and not empty.
    pub fn required(&self, name: &str) -> Result<String, ApiError> {
        self.text(name)?.ok_or_else(|| missing(name))
    }
}

fn missing(name: &str) -> ApiError {
    ApiError::parameter(name, "", "a value; it is required")
}
