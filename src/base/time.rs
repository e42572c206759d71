//! Instants and their formats.

use serde::{Deserialize, Serialize};
#[cfg(feature = "ssr")]
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// An instant: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::Type), sqlx(transparent))]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(MICROS_PER_SECOND))
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(MICROS_PER_SECOND)
    }

    /// The instant `seconds` later; earlier if negative. Saturates.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(MICROS_PER_SECOND)))
    }

    /// The instant `days` times 24 hours later. Saturates.
    pub const fn plus_days(self, days: i64) -> Self {
        self.plus_seconds(days.saturating_mul(86_400))
    }

    /// The instant as a date and time in UTC; the epoch if the `time` crate cannot represent it.
    pub fn utc(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    pub fn from_utc(at: OffsetDateTime) -> Self {
        Self((at.unix_timestamp_nanos() / 1000).try_into().unwrap_or(i64::MAX))
    }

    /// Number of the month (UTC), counted from the year 0.
    pub fn month(self) -> i64 {
        let at = self.utc();
        i64::from(at.year()) * 12 + i64::from(u8::from(at.month())) - 1
    }

    /// The first instant of the month (UTC).
    pub fn begin_of_month(self) -> Self {
        let at = self.utc();
        let into_month = i64::from(at.day() - 1) * 86_400 + (self.seconds().rem_euclid(86_400));
        Self::from_seconds(self.seconds() - into_month)
    }

    /// Seconds until the next month (UTC) begins.
    pub fn seconds_to_next_month(self) -> u64 {
        // Every month has less than 32 days, and the 32nd day after its first is in the next one.
        let next = self.begin_of_month().plus_days(32).begin_of_month();
        u64::try_from(next.seconds() - self.seconds()).unwrap_or(0)
    }

    /// As HTTP headers have it (RFC 9110, section 5.6.7): `Sat, 28 Nov 2026 05:30:00 GMT`.
    pub fn http_date(self) -> String {
        let t = self.utc();
        let (day, month) = (t.weekday().to_string(), t.month().to_string());
        let (hour, minute, second) = t.to_hms();
        format!("{}, {:02} {} {:04} {hour:02}:{minute:02}:{second:02} GMT", &day[..3], t.day(), &month[..3], t.year())
    }

    /// ISO 8601 in UTC to the second: `2126-02-24T14:42:05Z`. For `<time datetime>`.
    pub fn iso(self) -> String {
        let t = self.utc();
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second()
        )
    }

    /// Short form for people: `24 Feb 2126 14:42 UTC`.
    pub fn short_utc(self) -> String {
        let t = self.utc();
        let month = MONTHS[usize::from(u8::from(t.month())) - 1];
        format!("{:02} {} {} {:02}:{:02} UTC", t.day(), &month[..3], t.year(), t.hour(), t.minute())
    }

    /// The date in the format of `<input type="date">`: `2126-02-24`.
    pub fn date(self) -> String {
        let mut iso = self.iso();
        iso.truncate(10);
        iso
    }

    /// Roughly how long before `now` this instant was, for people: `14 days ago`.
    pub fn ago(self, now: Timestamp) -> String {
        roughly(now.0.saturating_sub(self.0)).map_or_else(|| "just now".to_owned(), |time| format!("{time} ago"))
    }

    /// Roughly how long after `now` this instant is, for people: `in 14 days`.
    pub fn ahead(self, now: Timestamp) -> String {
        roughly(self.0.saturating_sub(now.0)).map_or_else(|| "in a moment".to_owned(), |time| format!("in {time}"))
    }
}

/// A duration in words, in its largest unit, rounded down; `None` if it is shorter than a minute.
fn roughly(micros: i64) -> Option<String> {
    let seconds = micros / MICROS_PER_SECOND;
    let (count, unit) = match seconds {
        ..60 => return None,
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        86_400..2_592_000 => (seconds / 86_400, "day"),
        2_592_000..31_536_000 => (seconds / 2_592_000, "month"),
        _ => (seconds / 31_536_000, "year"),
    };
    Some(match (count, unit) {
        (1, "hour") => "an hour".to_owned(),
        (1, unit) => format!("a {unit}"),
        (count, unit) => format!("{count} {unit}s"),
    })
}

/// The last second of a day written as `2126-02-24`, where clocks are this many minutes ahead of UTC; `None` if the text
/// is not such a date.
pub fn end_of_day(date: &str, minutes_ahead: i32) -> Option<Timestamp> {
    let (year, month, day) = year_month_day(date)?;
    let date = time::Date::from_calendar_date(year, time::Month::try_from(month).ok()?, day).ok()?;
    let end = Timestamp::from_utc((date.midnight() + Duration::seconds(86_399)).assume_utc());
    Some(end.plus_seconds(-60 * i64::from(minutes_ahead)))
}

/// The parts of a date written as `2126-02-24`; `None` if the text is not written so.
pub fn year_month_day(date: &str) -> Option<(i32, u8, u8)> {
    let mut parts = date.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if year.len() != 4 || month.len() != 2 || day.len() != 2 {
        return None;
    }
    Some((year.parse().ok()?, month.parse().ok()?, day.parse().ok()?))
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Reads a date and time with a time zone (RFC 3339); `None` if the text is not one.
#[cfg(feature = "ssr")]
pub fn parse_instant(text: &str) -> Option<Timestamp> {
    OffsetDateTime::parse(text, &Rfc3339).ok().map(Timestamp::from_utc)
}

/// Writes an instant in UTC with a `Z` (RFC 3339).
#[cfg(feature = "ssr")]
pub fn format_instant(at: Timestamp) -> String {
    at.utc().format(&Rfc3339).unwrap_or_else(|_| at.iso())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_and_http_dates() {
        let at = |text: &str| parse_instant(text).unwrap();
        for (text, begins, left) in [
            ("2026-11-28T05:30:00Z", "2026-11-01T00:00:00Z", 2 * 86_400 + 18 * 3_600 + 1_800),
            ("2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", 1),
            ("2028-02-01T00:00:00Z", "2028-02-01T00:00:00Z", 29 * 86_400),
        ] {
            assert_eq!((at(text).begin_of_month(), at(text).seconds_to_next_month()), (at(begins), left), "{text}");
        }
        assert_eq!(at("2027-01-01T00:00:00Z").month() - at("2026-11-30T23:59:59Z").month(), 2);
        assert_eq!(at("2026-11-28T05:30:00Z").http_date(), "Sat, 28 Nov 2026 05:30:00 GMT");
    }

    #[test]
    fn shown_in_utc_with_the_zone_named() {
        let at = Timestamp::from_seconds(4_928_395_325);
        assert_eq!(at.iso(), "2126-03-05T14:42:05Z");
        assert_eq!(at.short_utc(), "05 Mar 2126 14:42 UTC");
        assert_eq!(at.date(), "2126-03-05");
    }

    #[test]
    fn ago_in_words() {
        let now = Timestamp::from_seconds(1_000_000_000);
        for (seconds, words) in [
            (-5, "just now"),
            (59, "just now"),
            (60, "a minute ago"),
            (3_599, "59 minutes ago"),
            (3_600, "an hour ago"),
            (14 * 86_400, "14 days ago"),
            (31 * 86_400, "a month ago"),
            (800 * 86_400, "2 years ago"),
        ] {
            assert_eq!(now.plus_seconds(-seconds).ago(now), words, "{seconds} seconds");
        }
    }

    #[test]
    fn ahead_in_words() {
        let now = Timestamp::from_seconds(1_000_000_000);
        for (seconds, words) in
            [(30, "in a moment"), (3_600, "in an hour"), (7 * 86_400, "in 7 days"), (365 * 86_400, "in a year")]
        {
            assert_eq!(now.plus_seconds(seconds).ahead(now), words, "{seconds} seconds");
        }
    }

    #[test]
    fn a_day_ends_with_its_last_second() {
        let end = |minutes_ahead| end_of_day("2027-02-28", minutes_ahead).map(Timestamp::iso).unwrap_or_default();
        assert_eq!(end(0), "2027-02-28T23:59:59Z");
        assert_eq!(end(-8 * 60), "2027-03-01T07:59:59Z", "California");
        assert_eq!(end(14 * 60), "2027-02-28T09:59:59Z", "Kiritimati");
        for wrong in ["2027-02-29", "2027-2-3", "27-02-03", "2027-13-01", "tomorrow", "", "+027-01-01x"] {
            assert_eq!(end_of_day(wrong, 0), None, "{wrong}");
        }
    }
}
