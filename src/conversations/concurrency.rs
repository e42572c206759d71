//! The largest number of conversations at the same moment, in intervals of 5 minutes
//! (`concurrent-calls.openapi.json`).

use crate::base::time::Timestamp;
use crate::conversations::query::{environment, variant};
use crate::http::envelope::ApiError;
use crate::http::parameters::Parameters;
use axum::http::StatusCode;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Length of an interval, in microseconds.
pub const INTERVAL: i64 = 5 * 60 * 1_000_000;
/// Longest span of time of a call, in microseconds.
const MAX_SPAN: i64 = 7 * DAY;
const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// The parsed parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConcurrencyQuery {
    /// Start of the first interval.
    pub start: Timestamp,
    /// End of the last interval.
    pub end: Timestamp,
    pub environment: String,
    pub variant_id: Option<String>,
    pub variant_name: Option<String>,
    pub language: Option<String>,
    /// The caller's number or the one that was called.
    pub phone_number: Option<String>,
    /// Whether each variant has its own intervals.
    pub by_variant: bool,
}

impl ConcurrencyQuery {
    pub fn parse(query: &str) -> Result<Self, ApiError> {
        let given = Parameters::read(query)?;
        let (start, end) = (given.required_instant("start_time")?.0, given.required_instant("end_time")?.0);
        if start > end {
            return Err(ApiError::parameter("start_time", given.first("start_time"), "a time not after `end_time`"));
        }
        if end - start > MAX_SPAN {
            return Err(ApiError::parameter(
                "end_time",
                given.first("end_time"),
                "a time at most a week after `start_time`",
            ));
        }
        let (variant_id, variant_name) = variant(&given)?;
        let by_variant = match given.one("slice_by")? {
            None => false,
            Some("variant") => true,
            Some(_) => {
                let message = "Only `slice_by=variant` is implemented by this server.";
                return Err(ApiError::new(StatusCode::NOT_IMPLEMENTED, "NOT_IMPLEMENTED", message));
            }
        };
        Ok(Self {
            variant_id,
            variant_name,
            language: given.text("language")?,
            phone_number: given.text("phone_number")?,
            by_variant,
            ..Self::of_environment(&environment(&given)?, Timestamp(start), Timestamp(end))
        })
    }

    /// All conversations of an environment from `start` to `end`, which are rounded to intervals.
    pub fn of_environment(environment: &str, start: Timestamp, end: Timestamp) -> Self {
        Self {
            start: Timestamp(start.0.div_euclid(INTERVAL) * INTERVAL),
            end: Timestamp(-(-end.0).div_euclid(INTERVAL) * INTERVAL),
            environment: environment.to_owned(),
            variant_id: None,
            variant_name: None,
            language: None,
            phone_number: None,
            by_variant: false,
        }
    }

    /// The span of time in parts of at most a day, so that no part needs much memory.
    pub fn days(&self) -> impl Iterator<Item = (Timestamp, Timestamp)> + use<> {
        let (start, end) = (self.start.0, self.end.0);
        (start..end).step_by(DAY as usize).map(move |from| (Timestamp(from), Timestamp((from + DAY).min(end))))
    }

    /// Whether there is a filter beside time and environment.
    pub fn is_filtered(&self) -> bool {
        [&self.variant_id, &self.variant_name, &self.language, &self.phone_number].iter().any(|f| f.is_some())
    }
}

/// The maxima of a span of time, for all conversations or for those of one variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maxima {
    /// Empty unless there is one for each variant.
    pub variant_id: String,
    pub variant_name: String,
    /// One for each interval.
    pub values: Vec<u32>,
}

/// Counters of all variants, or one of all conversations.
#[derive(Debug)]
pub struct Counters<'a> {
    query: &'a ConcurrencyQuery,
    /// By the variant's id and name.
    of_variants: BTreeMap<(String, String), VariantCounter>,
}

#[derive(Debug)]
struct VariantCounter {
    counter: Counter,
    /// Conversations that are not counted yet, by start and end.
    spans: Vec<(i64, i64)>,
}

impl<'a> Counters<'a> {
    pub fn new(query: &'a ConcurrencyQuery) -> Self {
        let mut counters = Self { query, of_variants: BTreeMap::new() };
        if !query.by_variant {
            counters.add(String::new(), String::new(), Vec::new());
        }
        counters
    }

    /// Adds conversations, each by its start and its end in microseconds.
    pub fn add(&mut self, variant_id: String, variant_name: String, spans: Vec<(i64, i64)>) {
        let fresh = || VariantCounter { counter: Counter::new(self.query), spans: Vec::new() };
        self.of_variants.entry((variant_id, variant_name)).or_insert_with(fresh).spans.extend(spans);
    }

    /// Counts the conversations that began before this time. All of them must have been added.
    pub fn count_until(&mut self, end: Timestamp) {
        for VariantCounter { counter, spans } in self.of_variants.values_mut() {
            spans.sort_unstable();
            let began = spans.partition_point(|(from, _)| *from < end.0);
            spans.drain(..began).for_each(|(from, to)| counter.add(from, to));
        }
    }

    pub fn finish(self) -> Vec<Maxima> {
        let maxima = self.of_variants.into_iter();
        maxima
            .map(|((variant_id, variant_name), of)| Maxima { variant_id, variant_name, values: of.counter.finish() })
            .collect()
    }
}

/// Counts conversations that are added in the order of their starts.
#[derive(Debug)]
pub struct Counter {
    start: i64,
    maxima: Vec<u32>,
    /// Number of intervals whose beginning has passed.
    begun: usize,
    /// Ends of the conversations that have not ended yet, the earliest first.
    ends: BinaryHeap<Reverse<i64>>,
}

impl Counter {
    pub fn new(query: &ConcurrencyQuery) -> Self {
        let intervals = (query.end.0 - query.start.0) / INTERVAL;
        Self { start: query.start.0, maxima: vec![0; intervals as usize], begun: 0, ends: BinaryHeap::new() }
    }

    /// Adds a conversation that lasts from `from` until just before `to`, in microseconds. One without a length counts at
    /// its moment.
    pub fn add(&mut self, from: i64, to: i64) {
        self.advance(from);
        self.ends.push(Reverse(to.max(from + 1)));
        if let Some(current) = self.begun.checked_sub(1) {
            self.maxima[current] = self.maxima[current].max(self.ends.len() as u32);
        }
    }

    /// The maximum of each interval.
    pub fn finish(mut self) -> Vec<u32> {
        self.advance(self.start + self.maxima.len() as i64 * INTERVAL);
        self.maxima
    }

    /// Ends the conversations that have ended by this time, and begins intervals with those that go on.
    fn advance(&mut self, to: i64) {
        while self.begun < self.maxima.len() {
            let next = self.start + self.begun as i64 * INTERVAL;
            if next > to {
                break;
            }
            self.end_until(next);
            self.maxima[self.begun] = self.ends.len() as u32;
            self.begun += 1;
        }
        self.end_until(to);
    }

    fn end_until(&mut self, to: i64) {
        while self.ends.peek().is_some_and(|Reverse(end)| *end <= to) {
            self.ends.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: i64 = 60 * 1_000_000;

    fn query(minutes: i64) -> ConcurrencyQuery {
        ConcurrencyQuery::of_environment("live", Timestamp(0), Timestamp(minutes * MINUTE))
    }

    fn count(minutes: i64, calls: &[(i64, i64)]) -> Vec<u32> {
        let mut calls = calls.to_vec();
        calls.sort_unstable();
        let mut counter = Counter::new(&query(minutes));
        calls.iter().for_each(|(from, to)| counter.add(*from, *to));
        counter.finish()
    }

    #[test]
    fn times_are_rounded_outwards() {
        let parsed =
            ConcurrencyQuery::parse("start_time=2026-01-01T00:04:59Z&end_time=2026-01-01T00:05:00.001Z").unwrap();
        assert_eq!((parsed.end.0 - parsed.start.0) / INTERVAL, 2);
        let exact = ConcurrencyQuery::parse("start_time=2026-01-01T00:05:00Z&end_time=2026-01-08T00:05:00Z").unwrap();
        assert_eq!((exact.end.0 - exact.start.0) / INTERVAL, 2_016);
    }

    #[test]
    fn refused_by_name() {
        let range = "start_time=2026-01-01T00:00:00Z&end_time=2026-01-02T00:00:00Z";
        for (text, status, name) in [
            ("end_time=2026-01-02T00:00:00Z", 400, "start_time"),
            ("start_time=2026-01-01T00:00:00Z", 400, "end_time"),
            ("start_time=2026-01-03T00:00:00Z&end_time=2026-01-02T00:00:00Z", 400, "start_time"),
            ("start_time=2026-01-01T00:00:00Z&end_time=2026-01-08T00:00:01Z", 400, "end_time"),
            (&format!("{range}&client_env=prod"), 400, "client_env"),
            (&format!("{range}&variant_id=a&variant_name=b"), 400, "variant_name"),
            (&format!("{range}&slice_by=language"), 501, "slice_by=variant"),
        ] {
            let error = ConcurrencyQuery::parse(text).unwrap_err();
            assert_eq!(error.status, status, "{text}");
            assert!(error.message.contains(&format!("`{name}`")), "{text}: {}", error.message);
        }
    }

    #[test]
    fn conversations_of_before_count_until_they_end() {
        let calls = [(-30 * MINUTE, 7 * MINUTE), (-MINUTE, 0), (MINUTE, 2 * MINUTE), (2 * MINUTE, 3 * MINUTE)];
        assert_eq!(count(15, &calls), [2, 1, 0]);
    }

    #[test]
    fn a_conversation_without_a_length_counts_at_its_moment() {
        assert_eq!(count(10, &[(0, 0), (0, 0), (5 * MINUTE, 5 * MINUTE), (9 * MINUTE, 8 * MINUTE)]), [2, 1]);
    }

    proptest! {
        /// The same as looking at every moment at which a conversation or an interval begins.
        #[test]
        fn exact(calls in proptest::collection::vec((-20i64..40, 0i64..25), 0..60)) {
            let calls: Vec<_> = calls.iter().map(|(from, length)| (from * MINUTE, (from + length) * MINUTE)).collect();
            let at = |moment: i64| {
                calls.iter().filter(|(from, to)| *from <= moment && moment < (*to).max(from + 1)).count() as u32
            };
            let expected: Vec<u32> = (0..6).map(|interval| {
                let span = interval * INTERVAL..(interval + 1) * INTERVAL;
                let starts = calls.iter().map(|(from, _)| *from).filter(|from| span.contains(from));
                starts.chain([span.start]).map(at).max().unwrap_or_default()
            }).collect();
            let within: Vec<_> = calls.iter().copied().filter(|(from, _)| *from < 6 * INTERVAL).collect();
            prop_assert_eq!(count(30, &within), expected);
        }
    }
}
