//! Reading an incoming JSON document field by field. A field that is null counts as absent. The error for a value of the
//! wrong type names its position in the document, what was found there and what is expected.

use crate::base::time::{Timestamp, format_instant, parse_instant};
use crate::http::parameters::MAX_TEXT;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Longest part of a wrong value that an error shows, in characters.
const SHOWN_CHARS: usize = 40;

/// Why a document is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// The document as a whole: its syntax, its size.
    #[error("{0}")]
    Document(String),
    /// One value. The path is like `turns[3].latency`.
    #[error("`{path}` is {found}; {expected} is expected")]
    Value { path: String, found: String, expected: &'static str },
    #[error("`{path}` is missing; {expected} is expected")]
    Missing { path: &'static str, expected: &'static str },
}

impl DocumentError {
    /// The reason without what differs from document to document: for counting refusals by reason.
    pub fn kind(&self) -> String {
        match self {
            Self::Document(text) => text.split(" at line ").next().unwrap_or_default().to_owned(),
            Self::Value { path, expected, .. } => format!("`{}`: {expected} is expected", without_numbers(path)),
            Self::Missing { .. } => self.to_string(),
        }
    }
}

/// `turns[].latency` for `turns[3].latency`.
fn without_numbers(path: &str) -> String {
    let mut parts = path.split('[');
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        all.push('[');
        all.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    all
}

/// A value and its position in the document.
#[derive(Clone, Debug)]
pub struct Incoming<'a> {
    pub path: String,
    pub raw: &'a RawValue,
}

impl<'a> Incoming<'a> {
    pub fn new(path: impl Into<String>, raw: &'a RawValue) -> Self {
        Self { path: path.into(), raw }
    }

    /// The JSON text.
    pub fn text(&self) -> &'a str {
        self.raw.get()
    }

    fn first_byte(&self) -> u8 {
        self.text().as_bytes().first().copied().unwrap_or_default()
    }

    pub fn is_null(&self) -> bool {
        self.first_byte() == b'n'
    }

    pub fn is_object(&self) -> bool {
        self.first_byte() == b'{'
    }

    pub fn is_array(&self) -> bool {
        self.first_byte() == b'['
    }

    pub fn error(&self, expected: &'static str) -> DocumentError {
        let mut found: String = self.text().chars().take(SHOWN_CHARS).collect();
        if found.len() < self.text().len() {
            found.push('…');
        }
        DocumentError::Value { path: self.path.clone(), found, expected }
    }

    /// The fields of an object.
    pub fn fields(&self) -> Result<Fields<'a>, DocumentError> {
        let values = serde_json::from_str(self.text()).ok().filter(|_| self.is_object());
        let values = values.ok_or_else(|| self.error("an object"))?;
        Ok(Fields { path: self.path.clone(), values })
    }

    /// The items of an array.
    pub fn items(&self) -> Result<Vec<Incoming<'a>>, DocumentError> {
        let items: Option<Vec<&'a RawValue>> = serde_json::from_str(self.text()).ok().filter(|_| self.is_array());
        let items = items.ok_or_else(|| self.error("an array"))?;
        Ok(items.into_iter().enumerate().map(|(at, raw)| Incoming::new(format!("{}[{at}]", self.path), raw)).collect())
    }

    pub fn string(&self) -> Result<String, DocumentError> {
        serde_json::from_str(self.text()).map_err(|_| self.error("a text"))
    }

    pub fn flag(&self) -> Result<bool, DocumentError> {
        serde_json::from_str(self.text()).map_err(|_| self.error("`true` or `false`"))
    }

    pub fn number(&self) -> Result<f64, DocumentError> {
        serde_json::from_str(self.text()).map_err(|_| self.error("a number"))
    }

    /// A whole number; a fraction is rounded.
    pub fn count(&self) -> Result<u32, DocumentError> {
        let number: Option<f64> = serde_json::from_str(self.text()).ok();
        let rounded = number.map(f64::round).filter(|n| (0.0..=f64::from(u32::MAX)).contains(n));
        rounded.map(|n| n as u32).ok_or_else(|| self.error("a number of at least 0"))
    }

    /// A date and time; in UTC where no zone is named.
    pub fn instant(&self) -> Result<Timestamp, DocumentError> {
        let text = self.string()?;
        let instant = parse_instant(&text).or_else(|| parse_instant(&format!("{text}Z")));
        instant.ok_or_else(|| self.error("an ISO 8601 date and time"))
    }
}

/// The fields of an object that were not taken yet.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    path: String,
    values: BTreeMap<String, &'a RawValue>,
}

impl<'a> Fields<'a> {
    /// Takes a field that may have any of these names. The error is that it has two of them.
    pub fn take(&mut self, names: &[&str]) -> Result<Option<Incoming<'a>>, DocumentError> {
        let mut taken = None;
        for name in names {
            let Some(raw) = self.values.remove(*name) else { continue };
            let value = Incoming::new(self.path_of(name), raw);
            if taken.is_some() {
                return Err(value.error("one name of the field, not two,"));
            }
            taken = Some(value);
        }
        Ok(taken)
    }

    /// Like [`take`](Self::take); `None` if the field is null.
    pub fn take_present(&mut self, names: &[&str]) -> Result<Option<Incoming<'a>>, DocumentError> {
        Ok(self.take(names)?.filter(|value| !value.is_null()))
    }

    /// A text; empty if it is absent.
    pub fn string(&mut self, names: &[&str]) -> Result<String, DocumentError> {
        self.take_present(names)?.map_or(Ok(String::new()), |value| value.string())
    }

    /// The fields that were not taken.
    pub fn rest(self) -> impl Iterator<Item = (String, &'a RawValue)> {
        self.values.into_iter()
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

/// The fields of a document whose stored form does not give back what came in, by name, with the JSON text that came in.
#[derive(Clone, Debug, Default)]
pub struct Extras<'a>(pub BTreeMap<String, &'a RawValue>);

impl<'a> Extras<'a> {
    /// Keeps a field unless the stored form is written as this JSON text.
    pub fn keep(&mut self, name: &str, value: Option<&Incoming<'a>>, written: &str) {
        if let Some(value) = value.filter(|value| value.text() != written) {
            self.0.insert(name.to_owned(), value.raw);
        }
    }

    /// A kept field that lists can be filtered by. Empty unless it is a text that a filter can have.
    pub fn filter_text(&self, name: &str) -> String {
        let text: Option<String> = self.0.get(name).and_then(|raw| serde_json::from_str(raw.get()).ok());
        text.filter(|text| text.len() <= MAX_TEXT).unwrap_or_default()
    }

    /// Keeps a time unless it came in the form in which it is written.
    pub fn keep_instant(&mut self, name: &str, value: Option<&Incoming<'a>>, at: Timestamp) {
        self.keep(name, value, &format!("\"{}\"", format_instant(at)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_without_numbers_and_values() {
        let error = DocumentError::Value { path: "turns[12].x[0]".into(), found: "1".into(), expected: "a text" };
        assert_eq!(error.to_string(), "`turns[12].x[0]` is 1; a text is expected");
        assert_eq!(error.kind(), "`turns[].x[]`: a text is expected");
        let syntax = DocumentError::Document("EOF while parsing an object at line 1 column 5".into());
        assert_eq!(syntax.kind(), "EOF while parsing an object");
    }
}
