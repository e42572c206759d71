//! Query parameters of a list of conversations, as the contract defines them. The error for a value that does not
//! parse, is out of range or contradicts another parameter names the parameter.

use crate::base::time::Timestamp;
use crate::conversations::cursor::Cursor;
use crate::conversations::document::family;
use crate::conversations::full_text::{Speaker, TranscriptQuery};
use crate::deployments::model::Environment;
use crate::http::envelope::ApiError;
use crate::http::parameters::{MAX_TEXT, Parameters};
use axum::http::StatusCode;

/// Maximum number of channels in one filter.
pub const MAX_CHANNELS: usize = 8;
/// Maximum number of conversations on a page: the published prose says 5,000, the OpenAPI file 1,000, and scripts exist
/// for both.
const MAX_LIMIT: u32 = 5_000;
/// Number of conversations on a page of v3 if the client names none.
const DEFAULT_LIMIT: u32 = 1_000;
/// Largest offset: the largest signed 32-bit integer, which all clients can represent.
const MAX_OFFSET: u32 = i32::MAX as u32;

/// Which of the conversations that match the filters are returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListMode {
    All,
    /// Those whose transcripts match a search.
    Transcript(TranscriptQuery),
    /// A uniformly drawn random sample of `limit` conversations.
    Sample,
}

/// The parsed parameters of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    pub mode: ListMode,
    pub limit: u32,
    pub offset: u32,
    pub cursor: Option<Cursor>,
    /// Earliest start of a conversation, inclusive.
    pub start: Timestamp,
    /// Latest start of a conversation, exclusive.
    pub end: Timestamp,
    pub environment: String,
    pub in_progress: Option<bool>,
    pub channels: Vec<String>,
    pub variant_id: Option<String>,
    pub variant_name: Option<String>,
    pub language: Option<String>,
    /// Such as `inbound`.
    pub direction: Option<String>,
    pub tag: Option<String>,
    pub include_latency: bool,
}

/// A filter whose index holds the conversations in the order of a page. A query with several filters reads the index of
/// the one that usually leaves the fewest conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeadingFilter {
    Tag,
    VariantId,
    VariantName,
    /// Only conversations that have not ended.
    InProgress,
    Language,
    /// One channel that is no family.
    Channel,
    /// One family of channels.
    ChannelFamily,
    Direction,
}

/// The two forms of a channel in a filter: its name in upper case, and the family if it names one (`voice` matches
/// every VOICE-…), else an empty text.
pub fn channel_forms(channel: &str) -> (String, String) {
    // Both databases turn only ASCII letters into upper case.
    (
        channel.to_ascii_uppercase(),
        if family(channel) == channel.to_lowercase() { family(channel) } else { String::new() },
    )
}

impl ListQuery {
    /// Parses the query string. Parameters that the contract does not define are ignored.
    pub fn parse(query: &str) -> Result<Self, ApiError> {
        let given = Parameters::read(query)?;
        let filters = Self::filters(&given, DEFAULT_LIMIT)?;
        let cursor = cursor(&given)?;
        // The cursor takes precedence over the offset.
        let offset = if cursor.is_some() { 0 } else { filters.offset };
        let include_latency = given.flag("include_latency")?.unwrap_or(false);
        Ok(Self { mode: mode(&given)?, cursor, offset, include_latency, ..filters })
    }

    /// Parses the filters, limit and offset of a list. The mode is [`ListMode::All`].
    pub fn filters(given: &Parameters, default_limit: u32) -> Result<Self, ApiError> {
        let start = given.instant("start_time")?.unwrap_or(Timestamp(i64::MIN));
        let end = given.instant("end_time")?.unwrap_or(Timestamp(i64::MAX));
        if start > end {
            let text = given.one("start_time")?.unwrap_or_default();
            return Err(ApiError::parameter("start_time", text, "a time not after `end_time`"));
        }
        let (variant_id, variant_name) = variant(given)?;
        Ok(Self {
            mode: ListMode::All,
            limit: given.number("limit", 1, MAX_LIMIT)?.unwrap_or(default_limit),
            offset: given.number("offset", 0, MAX_OFFSET)?.unwrap_or(0),
            cursor: None,
            start,
            end,
            environment: environment(given)?,
            in_progress: given.flag("in_progress")?,
            channels: channels(given)?,
            variant_id,
            variant_name,
            language: given.text("language")?,
            direction: given.text("direction")?,
            tag: given.text("tag")?,
            include_latency: false,
        })
    }

    /// The upper bound of a page: the cursor, or the end of the span of time if that is earlier.
    pub fn below(&self) -> Cursor {
        let end = Cursor { started_at: self.end, id: String::new() };
        match &self.cursor {
            Some(cursor) if (cursor.started_at, &cursor.id) < (end.started_at, &end.id) => cursor.clone(),
            _ => end,
        }
    }

    /// The filter whose index a page is read from; `None` without one: then all are read, newest first.
    pub fn leading_filter(&self) -> Option<LeadingFilter> {
        let channel = match &self.channels[..] {
            [one] if channel_forms(one).1.is_empty() => Some(LeadingFilter::Channel),
            [_] => Some(LeadingFilter::ChannelFamily),
            _ => None,
        };
        [
            self.tag.as_ref().map(|_| LeadingFilter::Tag),
            self.variant_id.as_ref().map(|_| LeadingFilter::VariantId),
            self.variant_name.as_ref().map(|_| LeadingFilter::VariantName),
            self.in_progress.filter(|only| *only).map(|_| LeadingFilter::InProgress),
            self.language.as_ref().map(|_| LeadingFilter::Language),
            channel,
            self.direction.as_ref().map(|_| LeadingFilter::Direction),
        ]
        .into_iter()
        .flatten()
        .next()
    }
}

/// Parses the parameter of the call for a single conversation.
pub fn include_latency(query: &str) -> Result<bool, ApiError> {
    Ok(Parameters::read(query)?.flag("include_latency")?.unwrap_or(false))
}

/// Parses `variant_id` and `variant_name`, which exclude each other.
pub fn variant(given: &Parameters) -> Result<(Option<String>, Option<String>), ApiError> {
    let (id, name) = (given.text("variant_id")?, given.text("variant_name")?);
    match (&id, &name) {
        (Some(_), Some(name)) => Err(ApiError::parameter("variant_name", name, "only without `variant_id`")),
        _ => Ok((id, name)),
    }
}

/// Parses `client_env`; `live` if it is missing.
pub fn environment(given: &Parameters) -> Result<String, ApiError> {
    let names = Environment::ALL.map(Environment::id);
    Ok(given.one_of("client_env", &names)?.unwrap_or(Environment::Live.id()).to_owned())
}

fn cursor(given: &Parameters) -> Result<Option<Cursor>, ApiError> {
    let Some(text) = given.one("cursor")?.filter(|text| !text.is_empty()) else { return Ok(None) };
    let accepted = "the `cursor` of an earlier answer, unchanged";
    Cursor::decode(text).map(Some).ok_or_else(|| ApiError::parameter("cursor", text, accepted))
}

fn mode(given: &Parameters) -> Result<ListMode, ApiError> {
    let query_type = given.one_of("query_type", &["transcript", "semantic"])?;
    let sample = given.one_of("sample", &["random"])?;
    let turn_type = given.one_of("turn_type", &["user", "agent"])?;
    let mode = match (query_type, sample) {
        (None, None) => return Ok(ListMode::All),
        (Some(_), Some(sample)) => return Err(ApiError::parameter("sample", sample, "only without `query_type`")),
        (Some("semantic"), None) => return Err(not_yet("query_type=semantic")),
        (Some(_), None) => {
            let speaker = turn_type.map(|who| if who == "user" { Speaker::User } else { Speaker::Agent });
            ListMode::Transcript(TranscriptQuery::parse(given.one("query")?.unwrap_or_default(), speaker)?)
        }
        (None, Some(_)) => ListMode::Sample,
    };
    for name in ["start_time", "end_time"] {
        given.required(name)?;
    }
    Ok(mode)
}

fn not_yet(what: &str) -> ApiError {
    let message = format!("`{what}` is not implemented by this server yet. Leave it out.");
    ApiError::new(StatusCode::NOT_IMPLEMENTED, "NOT_IMPLEMENTED", message)
}

fn channels(given: &Parameters) -> Result<Vec<String>, ApiError> {
    let mut channels: Vec<String> = given.all("channel").filter(|value| !value.is_empty()).map(str::to_owned).collect();
    channels.sort_unstable();
    channels.dedup();
    if let Some(wrong) = channels.iter().find(|c| c.len() > MAX_TEXT || c.contains('\0')) {
        return Err(ApiError::parameter("channel", wrong, "a channel's name"));
    }
    match channels.get(MAX_CHANNELS) {
        Some(ninth) => Err(ApiError::parameter("channel", ninth, &format!("at most {MAX_CHANNELS} channels"))),
        None => Ok(channels),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn defaults_are_the_contracts() {
        let query = ListQuery::parse("").unwrap();
        assert_eq!((query.limit, query.offset, query.environment.as_str()), (1_000, 0, "live"));
        assert_eq!((query.in_progress, query.cursor, query.include_latency), (None, None, false));
        assert_eq!(query.mode, ListMode::All);
        assert_eq!(ListQuery::parse("unknown=1&unknown=2"), ListQuery::parse(""));
    }

    #[test]
    fn everything_at_once() {
        let cursor = Cursor { started_at: Timestamp(5), id: "x".to_owned() };
        let text = format!(
            "limit=10&offset=7&cursor={}&start_time=2021-07-01T14:15:00.000Z&end_time=2021-07-01T16:35:00+00:00\
             &client_env=sandbox&in_progress=false&channel=voice&channel=WEBCHAT&variant_name=a%20b\
             &language=en-GB&direction=inbound&tag=groups",
            cursor.encode()
        );
        let query = ListQuery::parse(&text).unwrap();
        assert_eq!((query.limit, query.offset), (10, 0), "the cursor wins over the offset");
        assert_eq!(query.cursor, Some(cursor));
        assert_eq!((query.end.0 - query.start.0) / 60_000_000, 140);
        assert_eq!(query.channels, ["WEBCHAT", "voice"]);
        assert_eq!(query.variant_name.as_deref(), Some("a b"));
        assert_eq!((query.language.as_deref(), query.direction.as_deref()), (Some("en-GB"), Some("inbound")));
        assert_eq!(query.tag.as_deref(), Some("groups"));
        assert_eq!(query.leading_filter(), Some(LeadingFilter::Tag));
    }

    #[test]
    fn each_filter_alone_leads() {
        use LeadingFilter::*;
        for (text, leading) in [
            ("", None),
            ("in_progress=false", None),
            ("channel=sms-1&channel=VOICE", None),
            ("in_progress=true", Some(InProgress)),
            ("tag=a&direction=inbound", Some(Tag)),
            ("variant_id=a", Some(VariantId)),
            ("variant_name=a", Some(VariantName)),
            ("language=a", Some(Language)),
            ("direction=a", Some(Direction)),
            ("channel=VOICE-SIP", Some(Channel)),
            ("channel=voice", Some(ChannelFamily)),
        ] {
            assert_eq!(ListQuery::parse(text).unwrap().leading_filter(), leading, "{text}");
        }
    }

    #[test]
    fn refused_by_name() {
        for (text, name) in [
            ("limit=0", "limit"),
            ("limit=5001", "limit"),
            ("limit=x", "limit"),
            ("limit=1&limit=2", "limit"),
            ("offset=-1", "offset"),
            ("cursor=%00", "cursor"),
            ("start_time=today", "start_time"),
            ("start_time=2021-07-02T00:00:00Z&end_time=2021-07-01T00:00:00Z", "start_time"),
            ("client_env=prod", "client_env"),
            ("in_progress=maybe", "in_progress"),
            ("variant_id=a&variant_name=b", "variant_name"),
            ("query_type=psychic", "query_type"),
            ("query_type=transcript", "query"),
            ("query_type=transcript&query=*", "query"),
            ("query_type=transcript&query=x", "start_time"),
            ("query_type=transcript&query=x&start_time=2021-07-01T00:00:00Z", "end_time"),
            ("query_type=transcript&query=x&turn_type=both", "turn_type"),
            ("query_type=transcript&query=x&sample=random", "sample"),
            ("sample=random", "start_time"),
            ("sample=all", "sample"),
            ("channel=1&channel=2&channel=3&channel=4&channel=5&channel=6&channel=7&channel=8&channel=9", "channel"),
        ] {
            let error = ListQuery::parse(text).unwrap_err();
            assert_eq!(error.status, 400, "{text}");
            assert!(error.message.contains(&format!("`{name}`")), "{text}: {}", error.message);
        }
    }

    proptest! {
        /// A filter that is accepted is accepted in any place of the query string, beside any unknown parameter.
        #[test]
        fn the_order_of_parameters_means_nothing(
            limit in 1..=MAX_LIMIT, offset in 0..=MAX_OFFSET, channel in "[A-Z-]{1,20}", in_progress: bool,
            variant in "[a-z ]{1,20}", unknown in "x_[a-z]{0,10}", seed: u64,
        ) {
            let mut given = vec![
                ("limit".to_owned(), limit.to_string()),
                ("offset".to_owned(), offset.to_string()),
                ("channel".to_owned(), channel.clone()),
                ("in_progress".to_owned(), in_progress.to_string()),
                ("variant_name".to_owned(), variant.clone()),
                (unknown, "1".to_owned()),
            ];
            let at = (seed % given.len() as u64) as usize;
            given.rotate_left(at);
            let query = ListQuery::parse(&serde_html_form::to_string(&given).unwrap_or_default());
            let query = query.map_err(|error| TestCaseError::fail(error.message))?;
            prop_assert_eq!((query.limit, query.offset, query.in_progress), (limit, offset, Some(in_progress)));
            prop_assert_eq!((query.channels, query.variant_name), (vec![channel], Some(variant)));
        }

        /// Any query string gives a list or an error of the client's, whose message is of bounded length.
        #[test]
        fn nothing_breaks_it(query in prop_oneof![
            ".{0,200}",
            "(limit|offset|cursor|start_time|in_progress|channel|sample|query|query_type)=[^&]{0,300}",
        ]) {
            if let Err(error) = ListQuery::parse(&query) {
                prop_assert!(error.status.is_client_error() || error.status == StatusCode::NOT_IMPLEMENTED);
                prop_assert!(error.message.chars().count() < 400, "{}", error.message);
            }
        }
    }
}
