//! Metrics of conversations to store.

use crate::conversations::incoming::{DocumentError, Incoming};
use crate::conversations::values::MetricValue;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What may stand for a metric's value.
const EXPECTED: &str = "a text, a number, `true`, `false`, or a list of these or of `{timestamp, value}`";

/// Longest name of a metric, in characters.
const MAX_NAME: usize = 200;

/// The metrics of a document. Null and empty lists are dropped.
#[derive(Debug, Default)]
pub struct IncomingMetrics<'a> {
    /// Each value is a text, or a list of at least two texts if the metric was written more than once.
    pub values: BTreeMap<String, MetricValue>,
    /// The metrics that came in with times, as they came in.
    pub entries: BTreeMap<String, Cow<'a, RawValue>>,
}

impl<'a> IncomingMetrics<'a> {
    pub fn read(metrics: &Incoming<'a>) -> Result<Self, DocumentError> {
        let mut read = Self::default();
        for (name, raw) in metrics.fields()?.rest() {
            if name.chars().count() > MAX_NAME {
                let message = format!("the name of a metric is longer than {MAX_NAME} characters");
                return Err(DocumentError::Document(message));
            }
            let metric = Incoming::new(format!("metrics.{name}"), raw);
            if metric.is_null() {
                continue;
            }
            let several = if metric.is_array() { metric.items()? } else { vec![metric.clone()] };
            let mut texts = Vec::with_capacity(several.len());
            for value in &several {
                texts.extend(text(value)?);
            }
            let Some(value) = of_texts(texts) else { continue };
            if several.iter().any(Incoming::is_object) {
                read.entries.insert(name.clone(), entries(&metric)?);
            }
            read.values.insert(name, value);
        }
        Ok(read)
    }
}

fn of_texts(mut texts: Vec<String>) -> Option<MetricValue> {
    let last = texts.pop()?;
    if texts.is_empty() {
        return Some(MetricValue::One(last));
    }
    texts.push(last);
    Some(MetricValue::Several(texts))
}

/// A value as text; `None` if it is null. Numbers keep their digits.
fn text(value: &Incoming<'_>) -> Result<Option<String>, DocumentError> {
    match value.text().as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b'"') => value.string().map(Some),
        Some(b'-' | b'0'..=b'9' | b't' | b'f') => Ok(Some(value.text().to_owned())),
        Some(b'{') => match value.fields()?.take_present(&["value"])? {
            Some(inner) if inner.is_object() || inner.is_array() => Err(inner.error(EXPECTED)),
            Some(inner) => text(&inner),
            None => Ok(None),
        },
        _ => Err(value.error(EXPECTED)),
    }
}

/// A metric with times as a list, which it is in the live form also with one value.
fn entries<'a>(metric: &Incoming<'a>) -> Result<Cow<'a, RawValue>, DocumentError> {
    if metric.is_array() {
        return Ok(Cow::Borrowed(metric.raw));
    }
    let list = RawValue::from_string(format!("[{}]", metric.text()));
    list.map(Cow::Owned).map_err(|_| metric.error(EXPECTED))
}
