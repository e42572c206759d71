//! Parsing of conversations for storage, and writing of stored conversations as JSON for responses, where Configuration
//! removes what it does not allow. Conversations are validated and normalised once, when they are stored, as JSON
//! texts. So a page of a thousand conversations is made by copying text.

use crate::base::id::{AgentId, WorkspaceId};
use crate::base::time::{Timestamp, format_instant};
use crate::configuration::{AllowedMetrics, CallerNumbers, Configuration};
use crate::conversations::cursor::is_id;
use crate::conversations::full_text::Words;
use crate::conversations::incoming::{DocumentError, Extras, Fields, Incoming};
use crate::conversations::metrics::IncomingMetrics;
use crate::conversations::turn::{IncomingTurns, SpokenTurn, Turn};
use crate::db::DbError;
use crate::http::parameters::MAX_TEXT;
use crate::http::strict_json;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use utoipa::ToSchema;

/// Largest JSON text of a conversation, in bytes.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Most tags of a conversation that it is found by.
const MAX_TAGS: usize = 100;

/// The fields that do not depend on Configuration: every key that can read the conversation gets them.
#[derive(Serialize, ToSchema)]
pub struct CommonFields<'a> {
    id: &'a str,
    variant_id: &'a str,
    variant_name: &'a str,
    environment: &'a str,
    #[schema(format = DateTime)]
    started_at: &'a str,
    channel: &'a str,
    from_number: &'a str,
    to_number: &'a str,
    in_progress: bool,
    num_turns: u32,
    total_duration: u32,
    polyai_duration: u32,
    handoff: bool,
    num_silences: u32,
    num_ood: u32,
    #[schema(value_type = Object)]
    state: &'a RawValue,
}

/// A validated conversation in the form that is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub id: String,
    pub environment: String,
    pub started_at: Timestamp,
    pub in_progress: bool,
    pub channel: String,
    pub channel_family: String,
    pub variant_id: String,
    pub variant_name: String,
    pub language: String,
    pub direction: String,
    /// Different texts, at most 100.
    pub tags: Vec<String>,
    pub from_number: String,
    pub to_number: String,
    /// In seconds.
    pub total_duration: u32,
    /// `CommonFields` as JSON text. The fields from here to `latencies` are JSON texts.
    pub always: String,
    pub handoff_reason: String,
    pub handoff_destination: String,
    pub metrics: String,
    pub turns: String,
    pub latencies: String,
    /// JSON object: metrics that came in as lists with times, as they came in.
    pub metric_entries: String,
    /// JSON object: fields that only the live form has, and what came in in another form than it is stored in.
    pub extras: String,
    /// JSON array: the same for each turn; `[]` if there is nothing.
    pub turn_extras: String,
    /// JSON object: lists of function events by turn.
    pub function_events: String,
    /// The names of `metrics`.
    pub metric_names: Vec<String>,
    pub transcript: Transcript,
}

/// The words of a transcript, by speaker, for full-text search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    pub user: Words,
    pub agent: Words,
    pub both: Words,
}

impl Transcript {
    fn of<'a>(turns: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut transcript = Self::default();
        for (user_input, agent_response) in turns {
            transcript.user.say(user_input);
            transcript.agent.say(agent_response);
            transcript.both.say(user_input);
            transcript.both.say(agent_response);
        }
        transcript
    }
}

/// The columns of a conversation's row that a response needs.
#[derive(Debug, sqlx::FromRow)]
pub struct StoredConversation {
    pub id: String,
    pub started_at: Timestamp,
    pub document: String,
    pub handoff_reason: String,
    pub handoff_destination: String,
    pub metrics: String,
    /// `[]` if Configuration does not allow transcripts; they are not read from the database then.
    pub turns: String,
    /// `[]` if the client did not ask for latencies.
    pub latencies: String,
}

/// The columns of a locked conversation that appending turns needs.
#[derive(Debug, sqlx::FromRow)]
pub struct LockedConversation {
    pub in_progress: bool,
    pub document: String,
    pub turns: String,
    pub latencies: String,
    pub turn_extras: String,
}

impl LockedConversation {
    /// Appends turns, and updates the counts of turns, silences and out-of-domain turns.
    pub fn append(&mut self, more: &IncomingTurns) -> Result<(), serde_json::Error> {
        // All other fields keep their JSON text unchanged.
        let mut document: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&self.document)?;
        let mut count = |name: &str, by: usize| -> Result<(), serde_json::Error> {
            let before: u64 = document.get(name).and_then(|raw| raw.get().parse().ok()).unwrap_or_default();
            document.insert(name.to_owned(), RawValue::from_string((before + by as u64).to_string())?);
            Ok(())
        };
        count("num_turns", more.turns.len())?;
        count("num_silences", more.count(|turn| turn.is_silence))?;
        count("num_ood", more.count(|turn| turn.is_ood))?;
        self.document = serde_json::to_string(&document)?;
        let extras = more.extras()?;
        if self.turn_extras != "[]" || extras != "[]" {
            let earlier: Vec<&RawValue> = serde_json::from_str(&self.turns)?;
            self.turn_extras = padded(&self.turn_extras, earlier.len())?;
            join(&mut self.turn_extras, &serde_json::to_string(&more.extras)?);
        }
        join(&mut self.turns, &serde_json::to_string(&more.turns)?);
        join(&mut self.latencies, &more.latencies()?);
        Ok(())
    }

    /// The words of all turns.
    pub fn transcript(&self) -> Result<Transcript, DbError> {
        let turns: Vec<SpokenTurn> = serde_json::from_str(&self.turns).map_err(|error| {
            tracing::error!(%error, "a stored conversation is not readable");
            DbError::Failed
        })?;
        Ok(Transcript::of(turns.iter().map(|turn| (turn.user_input.as_str(), turn.agent_response.as_str()))))
    }
}

/// A JSON array of objects, with empty objects at its end so that it has this many items.
fn padded(array: &str, length: usize) -> Result<String, serde_json::Error> {
    let mut items: Vec<&RawValue> = serde_json::from_str(array)?;
    let empty = empty_object();
    items.resize(length.max(items.len()), &empty);
    serde_json::to_string(&items)
}

/// Appends the items of a JSON array to another.
fn join(array: &mut String, more: &str) {
    let items = more.trim_start_matches('[');
    if items != "]" {
        array.pop();
        if !array.ends_with('[') {
            array.push(',');
        }
        array.push_str(items);
    }
}

/// Reads turns to append: `{"turns": […]}`.
pub fn parse_turns(json: &[u8]) -> Result<IncomingTurns<'_>, DocumentError> {
    let mut fields = fields_of(json)?;
    match fields.take_present(&["turns"])? {
        Some(turns) => IncomingTurns::read(&turns),
        None => Err(DocumentError::Missing { path: "turns", expected: "an array" }),
    }
}

/// The fields of a document, once it is known to be one that both databases can store.
fn fields_of(json: &[u8]) -> Result<Fields<'_>, DocumentError> {
    if json.len() > MAX_BYTES {
        let message = format!("the conversation is larger than {} MiB", MAX_BYTES / 1024 / 1024);
        return Err(DocumentError::Document(message));
    }
    strict_json::check(json).map_err(DocumentError::Document)?;
    let raw: &RawValue = serde_json::from_slice(json).map_err(|e| DocumentError::Document(e.to_string()))?;
    let document = Incoming::new("", raw);
    if !document.is_object() {
        return Err(DocumentError::Document("the document is no JSON object".to_owned()));
    }
    document.fields()
}

/// The id of conversations, as errors name it.
const ID: &str = "1 to 200 visible ASCII characters";

/// Fields that only the live form has: the name in camelCase, and the one in snake_case where it differs.
const LIVE_FIELDS: [&[&str]; 8] = [
    &["audioUrl", "audio_url"],
    &["deploymentId", "deployment_id"],
    &["direction"],
    &["language"],
    &["note"],
    &["polyScore", "poly_score"],
    &["shortSummary", "short_summary"],
    &["tags"],
];

impl Document {
    /// Reads a conversation in the form of v3 (snake_case) or of the live service (camelCase).
    pub fn parse(json: &[u8]) -> Result<Self, DocumentError> {
        let mut fields = fields_of(json)?;
        let id = fields.take_present(&["id", "conversationId", "conversation_id"])?;
        let id = id.ok_or(DocumentError::Missing { path: "id", expected: ID })?;
        let text = id.string()?;
        if is_id(&text) { Self::read(text, fields) } else { Err(id.error(ID)) }
    }

    /// Reads a conversation whose id is in the request's path. If the document has an id too, both must be equal.
    pub fn parse_as(id: &str, json: &[u8]) -> Result<Self, DocumentError> {
        let mut fields = fields_of(json)?;
        if let Some(given) = fields.take_present(&["id", "conversationId", "conversation_id"])?
            && !["", id].contains(&given.string()?.as_str())
        {
            return Err(given.error("the id in the path"));
        }
        Self::read(id.to_owned(), fields)
    }

    fn read(id: String, mut fields: Fields<'_>) -> Result<Self, DocumentError> {
        // The workspace and the agent are those of the request.
        fields.take(&["account_id", "accountId"])?;
        fields.take(&["project_id", "projectId"])?;
        let mut extras = Extras::default();
        let times = Times::read(&mut fields, &mut extras)?;
        let flag = |value: Option<&Incoming<'_>>| value.filter(|v| !v.is_null()).map_or(Ok(false), Incoming::flag);
        let handoff = fields.take(&["handoff"])?;
        let (is_handoff, in_progress) = (flag(handoff.as_ref())?, times.in_progress);
        extras.keep("handoff", handoff.as_ref(), if is_handoff { "true" } else { "false" });

        let variant_id = fields.string(&["variant_id", "variantId"])?;
        let variant_name = fields.string(&["variant_name", "variantName"])?;
        let mut environment = fields.string(&["environment", "clientEnv", "client_env"])?;
        if environment.is_empty() {
            environment.push_str("live");
        }
        if environment.len() > MAX_TEXT {
            return Err(DocumentError::Document(format!("`environment` is longer than {MAX_TEXT} bytes")));
        }
        let channel = fields.string(&["channel"])?;
        let from_number = fields.string(&["from_number", "fromNumber"])?;
        let to_number = fields.string(&["to_number", "toNumber"])?;
        let handoff_reason = fields.string(&["handoff_reason", "handoffReason"])?;
        let handoff_destination = fields.string(&["handoff_destination", "handoffDestination"])?;

        let metrics = fields.take_present(&["metrics"])?;
        let metrics = metrics.map(|metrics| IncomingMetrics::read(&metrics)).transpose()?.unwrap_or_default();
        let turns = fields.take_present(&["turns"])?;
        let turns = turns.map(|turns| IncomingTurns::read(&turns)).transpose()?.unwrap_or_default();
        let state = object(&mut fields, &["state"])?;
        let function_events = object(&mut fields, &["functionEvents", "function_events"])?;
        let mut count = |names| fields.take_present(names)?.map(|value| value.count()).transpose();
        let num_turns = count(&["num_turns", "numTurns"])?;
        let num_silences = count(&["num_silences", "numSilences"])?;
        let num_ood = count(&["num_ood", "numOod"])?;

        for names in LIVE_FIELDS {
            if let Some(value) = fields.take_present(names)? {
                extras.0.insert(names[0].to_owned(), value.raw);
            }
        }
        extras.0.extend(fields.rest());
        let (language, direction) = (extras.filter_text("language"), extras.filter_text("direction"));
        let tags = tags(&extras);

        let common = CommonFields {
            id: &id,
            variant_id: &variant_id,
            variant_name: &variant_name,
            environment: &environment,
            started_at: &format_instant(times.started_at),
            channel: &channel,
            from_number: &from_number,
            to_number: &to_number,
            in_progress,
            num_turns: if turns.turns.is_empty() { num_turns.unwrap_or(0) } else { turns.turns.len() as u32 },
            total_duration: times.total_duration,
            polyai_duration: times.polyai_duration,
            handoff: is_handoff,
            num_silences: num_silences.unwrap_or_else(|| turns.count(|turn| turn.is_silence) as u32),
            num_ood: num_ood.unwrap_or_else(|| turns.count(|turn| turn.is_ood) as u32),
            state,
        };
        let texts = || -> Result<Self, serde_json::Error> {
            Ok(Self {
                always: json(&common)?,
                handoff_reason: json(&handoff_reason)?,
                handoff_destination: json(&handoff_destination)?,
                metrics: json(&metrics.values)?,
                metric_entries: json(&metrics.entries)?,
                turns: json(&turns.turns)?,
                latencies: turns.latencies()?,
                turn_extras: turns.extras()?,
                function_events: function_events.get().to_owned(),
                extras: json(&extras.0)?,
                metric_names: metrics.values.keys().cloned().collect(),
                transcript: Transcript::of(turns.turns.iter().map(Turn::said)),
                channel_family: family(&channel),
                environment: environment.clone(),
                started_at: times.started_at,
                in_progress,
                channel: channel.clone(),
                variant_id: variant_id.clone(),
                variant_name: variant_name.clone(),
                language: language.clone(),
                direction: direction.clone(),
                tags: tags.clone(),
                from_number: from_number.clone(),
                to_number: to_number.clone(),
                total_duration: times.total_duration,
                id: id.clone(),
            })
        };
        texts().map_err(|error| DocumentError::Document(error.to_string()))
    }
}

/// When a conversation began and how long it took.
struct Times {
    started_at: Timestamp,
    in_progress: bool,
    /// In seconds.
    total_duration: u32,
    polyai_duration: u32,
}

impl Times {
    fn read<'a>(fields: &mut Fields<'a>, extras: &mut Extras<'a>) -> Result<Self, DocumentError> {
        let started = fields.take_present(&["started_at", "startedAt"])?;
        let created = fields.take_present(&["created_at", "createdAt"])?;
        let finished = fields.take_present(&["finished_at", "finishedAt"])?;
        let missing = DocumentError::Missing { path: "started_at", expected: "an ISO 8601 date and time" };
        let started_at = started.as_ref().or(created.as_ref()).ok_or(missing)?.instant()?;
        let in_progress_given = fields.take(&["in_progress", "inProgress"])?;
        let in_progress =
            in_progress_given.as_ref().filter(|v| !v.is_null()).map_or(Ok(false), |value| value.flag())?;

        let total = fields.take_present(&["total_duration", "totalDuration"])?;
        let duration = fields.take_present(&["duration"])?;
        let polyai = fields.take_present(&["polyai_duration", "polyaiDuration"])?;
        let until_finished = match &finished {
            Some(finished) => (finished.instant()?.0 - started_at.0) / 1_000_000,
            None => 0,
        };
        let total_duration = match total.as_ref().or(duration.as_ref()) {
            Some(seconds) => seconds.count()?,
            None => u32::try_from(until_finished).unwrap_or(0),
        };
        let polyai_duration = polyai.as_ref().map_or(Ok(0), Incoming::count)?;

        extras.keep_instant("startedAt", started.as_ref(), started_at);
        extras.keep_instant("createdAt", created.as_ref(), started_at);
        let ended_at = started_at.plus_seconds(i64::from(total_duration));
        extras.keep_instant("finishedAt", finished.as_ref(), ended_at);
        extras.keep("duration", duration.as_ref(), &total_duration.to_string());
        extras.keep("totalDuration", total.as_ref(), &total_duration.to_string());
        extras.keep("polyaiDuration", polyai.as_ref(), &polyai_duration.to_string());
        extras.keep("inProgress", in_progress_given.as_ref(), if in_progress { "true" } else { "false" });
        Ok(Self { started_at, in_progress, total_duration, polyai_duration })
    }
}

/// The tags that a conversation is found by: the texts of the list `tags`.
fn tags(extras: &Extras<'_>) -> Vec<String> {
    let tags: Vec<&RawValue> =
        extras.0.get("tags").and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    let texts = tags.into_iter().filter_map(|tag| serde_json::from_str::<String>(tag.get()).ok());
    let mut found: Vec<String> = Vec::new();
    for tag in texts.filter(|tag| !tag.is_empty() && tag.len() <= MAX_TEXT) {
        if found.len() < MAX_TAGS && !found.contains(&tag) {
            found.push(tag);
        }
    }
    found
}

/// An object, as it came in; an empty one if it is absent.
fn object<'a>(fields: &mut Fields<'a>, names: &[&str]) -> Result<&'a RawValue, DocumentError> {
    match fields.take_present(names)? {
        Some(value) if value.is_object() => Ok(value.raw),
        Some(value) => Err(value.error("an object")),
        None => serde_json::from_str("{}").map_err(|e| DocumentError::Document(e.to_string())),
    }
}

/// The family of a channel: `voice` for VOICE-SIP, `chat` for WEBCHAT, otherwise the channel in lower case.
pub fn family(channel: &str) -> String {
    let channel = channel.to_lowercase();
    if channel.starts_with("voice") {
        "voice".to_owned()
    } else if channel.ends_with("chat") {
        "chat".to_owned()
    } else {
        channel
    }
}

/// Appends a conversation to `out` as a JSON object, with the metrics and transcript that Configuration allows.
pub fn write(
    out: &mut String,
    stored: &StoredConversation,
    workspace: &WorkspaceId,
    agent: &AgentId,
    configuration: &Configuration,
) -> Result<(), serde_json::Error> {
    // Ids consist of letters, digits, `-` and `_`, so they need no escaping.
    let document = with_caller_number(&stored.document, configuration.caller_numbers)?;
    let always = document.strip_suffix('}').unwrap_or_default();
    let text = |metric, value: &str| match configuration.metrics.allow(metric) {
        true => value.to_owned(),
        false => "\"\"".to_owned(),
    };
    let _ = write!(
        out,
        r#"{always},"account_id":"{workspace}","project_id":"{agent}","handoff_reason":{},"handoff_destination":{},"metrics":"#,
        text("HANDOFF_REASON", &stored.handoff_reason),
        text("HANDOFF_TO", &stored.handoff_destination),
    );
    write_metrics(out, &stored.metrics, &configuration.metrics)?;
    out.push_str(",\"turns\":");
    match configuration.transcript {
        true => write_turns(out, &stored.turns, &stored.latencies)?,
        false => out.push_str("[]"),
    }
    out.push('}');
    Ok(())
}

/// The stored fields with the caller's number as Configuration shows it.
fn with_caller_number(document: &str, shown: CallerNumbers) -> Result<Cow<'_, str>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Caller<'a> {
        #[serde(borrow)]
        from_number: &'a RawValue,
    }
    if shown == CallerNumbers::Shown {
        return Ok(document.into());
    }
    let Caller { from_number } = serde_json::from_str(document)?;
    let number = json(&shown.apply(&serde_json::from_str::<String>(from_number.get())?))?;
    // The raw value is a part of the document.
    let start = from_number.get().as_ptr().addr() - document.as_ptr().addr();
    let end = start + from_number.get().len();
    Ok(format!("{}{number}{}", &document[..start], &document[end..]).into())
}

/// Appends the metrics that Configuration allows to `out`, as a JSON object.
pub fn write_metrics(out: &mut String, stored: &str, allowed: &AllowedMetrics) -> Result<(), serde_json::Error> {
    match allowed {
        AllowedMetrics::All => out.push_str(stored),
        AllowedMetrics::Only(names) if names.is_empty() => out.push_str("{}"),
        AllowedMetrics::Only(names) => {
            let mut metrics: BTreeMap<String, &RawValue> = serde_json::from_str(stored)?;
            metrics.retain(|name, _| names.contains(name));
            out.push_str(&serde_json::to_string(&metrics)?);
        }
    }
    Ok(())
}

fn write_turns(out: &mut String, turns: &str, latencies: &str) -> Result<(), serde_json::Error> {
    if latencies == "[]" {
        out.push_str(turns);
        return Ok(());
    }
    let turns: Vec<&RawValue> = serde_json::from_str(turns)?;
    let latencies: Vec<&RawValue> = serde_json::from_str(latencies)?;
    for (at, turn) in turns.iter().enumerate() {
        out.push(if at == 0 { '[' } else { ',' });
        match latencies.get(at).map(|latency| latency.get()).filter(|latency| *latency != "null") {
            // A stored turn is an object with at least one field.
            Some(latency) => {
                let _ = write!(out, "{},\"latency\":{latency}}}", turn.get().strip_suffix('}').unwrap_or_default());
            }
            None => out.push_str(turn.get()),
        }
    }
    out.push_str(if turns.is_empty() { "[]" } else { "]" });
    Ok(())
}

fn empty_object() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).unwrap_or_default()
}

fn json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const FULL: &str = r#"{"id":"CA1","started_at":"2026-05-01T12:00:00+02:00","channel":"VOICE-SIP","in_progress":false,
        "variant_id":null,"handoff":true,"handoff_reason":"billing","handoff_destination":"desk",
        "metrics":{"CALL_COMPLETED":"yes","HANDOFF_REASON":"billing","N":3,"TWICE":["a","b"],"ONE":["a"],"NONE":null},
        "state":{"k":1},"turns":[{"user_input":"hi","latency":0.5,"agent_response":null,
        "agent_response_datetime":"2026-05-01T10:00:01.250Z"},{"is_silence":true}]}"#;

    fn answer(metrics: AllowedMetrics, transcript: bool, latencies: bool) -> Value {
        let document = Document::parse(FULL.as_bytes()).unwrap();
        let stored = StoredConversation {
            id: document.id,
            started_at: document.started_at,
            document: document.always,
            handoff_reason: document.handoff_reason,
            handoff_destination: document.handoff_destination,
            metrics: document.metrics,
            turns: document.turns,
            latencies: if latencies { document.latencies } else { "[]".to_owned() },
        };
        let (workspace, agent) = (WorkspaceId::parse("ws-1").unwrap(), AgentId::parse("PROJECT-1").unwrap());
        let mut out = String::new();
        write(
            &mut out,
            &stored,
            &workspace,
            &agent,
            &Configuration { metrics, transcript, caller_numbers: CallerNumbers::Shown },
        )
        .unwrap();
        serde_json::from_str(&out).unwrap()
    }

    #[test]
    fn brought_into_the_contracts_form() {
        let all = answer(AllowedMetrics::All, true, false);
        assert_eq!(all["started_at"], "2026-05-01T10:00:00Z");
        assert_eq!(all["variant_id"], "");
        assert_eq!(all["account_id"], "ws-1");
        assert_eq!((&all["num_turns"], &all["num_silences"]), (&2.into(), &1.into()));
        assert_eq!(all["metrics"]["N"], "3");
        assert_eq!(all["metrics"]["ONE"], "a");
        assert_eq!(all["metrics"]["TWICE"], serde_json::json!(["a", "b"]));
        assert_eq!(all["metrics"].get("NONE"), None);
        assert_eq!(all["turns"][0]["agent_response"], "");
        assert_eq!(all["turns"][0]["agent_response_datetime"], "2026-05-01T10:00:01.25Z");
        assert_eq!(all["turns"][0].get("latency"), None);
    }

    #[test]
    fn configuration_decides() {
        let nothing = answer(AllowedMetrics::Only([].into()), false, true);
        assert_eq!(nothing["metrics"], serde_json::json!({}));
        assert_eq!(nothing["turns"], serde_json::json!([]));
        assert_eq!((&nothing["num_turns"], &nothing["handoff"]), (&2.into(), &true.into()));
        assert_eq!((&nothing["handoff_reason"], &nothing["handoff_destination"]), (&"".into(), &"".into()));

        let reason = answer(AllowedMetrics::Only(["HANDOFF_REASON".to_owned()].into()), false, false);
        assert_eq!(reason["metrics"], serde_json::json!({ "HANDOFF_REASON": "billing" }));
        assert_eq!((&reason["handoff_reason"], &reason["handoff_destination"]), (&"billing".into(), &"".into()));

        let to = answer(AllowedMetrics::Only(["HANDOFF_TO".to_owned()].into()), true, true);
        assert_eq!((&to["handoff_reason"], &to["handoff_destination"]), (&"".into(), &"desk".into()));
        assert_eq!(to["turns"][0]["latency"], 0.5);
        assert_eq!(to["turns"][1].get("latency"), None);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let with = |rest: &str| format!(r#"{{"id":"a","started_at":"2026-05-01T10:00:00Z",{rest}}}"#);
        let long = "x".repeat(100);
        for (json, reason) in [
            (String::new(), "EOF while parsing a value at line 1 column 0"),
            ("[]".to_owned(), "the document is no JSON object"),
            (r#"{"id":"a"}"#.to_owned(), "`started_at` is missing; an ISO 8601 date and time is expected"),
            (
                r#"{"started_at":"2026-05-01"}"#.to_owned(),
                "`id` is missing; 1 to 200 visible ASCII characters is expected",
            ),
            (with(r#""conversationId":"b""#), "`conversationId` is \"b\"; one name of the field, not two, is expected"),
            (r#"{"id":"é"}"#.to_owned(), "`id` is \"é\"; 1 to 200 visible ASCII characters is expected"),
            (
                r#"{"id":"a","startedAt":"yesterday"}"#.to_owned(),
                "`startedAt` is \"yesterday\"; an ISO 8601 date and time is expected",
            ),
            (
                with(r#""channel":"a\u0000""#),
                "`channel` holds a NUL character, which cannot be stored at line 1 column 65",
            ),
            (with(r#""turns":{}"#), "`turns` is {}; an array is expected"),
            (with(r#""turns":[{},["hello"]]"#), "`turns[1]` is [\"hello\"]; an object is expected"),
            (
                with(r#""turns":[{},{},{"latency":"fast"}]"#),
                "`turns[2].latency` is \"fast\"; a number or an object is expected",
            ),
            (
                with(r#""turns":[{"latency":{"perceived_latency":"1"}}]"#),
                "`turns[0].latency.perceived_latency` is \"1\"; a number is expected",
            ),
            (with(r#""turns":[{"intents":[null]}]"#), "`turns[0].intents[0]` is null; a text is expected"),
            (with(r#""turns":[{"is_ood":0}]"#), "`turns[0].is_ood` is 0; `true` or `false` is expected"),
            (with(r#""metrics":{"X":[{"value":{}}]}"#), "`metrics.X[0].value` is {};"),
            (with(r#""metrics":{"X":[[]]}"#), "`metrics.X[0]` is [];"),
            (with(r#""functionEvents":[]"#), "`functionEvents` is []; an object is expected"),
            (with(r#""total_duration":-1"#), "`total_duration` is -1; a number of at least 0 is expected"),
            (
                with(&format!(r#""handoff":"{long}""#)),
                &format!("`handoff` is \"{}…; `true` or `false` is expected", &long[..39]),
            ),
        ] {
            let error = Document::parse(json.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(reason), "{json}: {error}");
        }
    }

    #[test]
    fn every_form_of_a_time_is_read() {
        for time in [
            "2026-05-01T10:00:00Z",
            "2026-05-01T12:00:00+02:00",
            "2026-05-01T10:00:00.000000+00:00",
            "2026-05-01T10:00:00",
            "2026-05-01T10:00:00.000",
            "2026-05-01t10:00:00z",
            "2026-05-01 10:00:00",
        ] {
            let document = Document::parse(format!(r#"{{"id":"a","startedAt":"{time}"}}"#).as_bytes()).unwrap();
            assert_eq!(format_instant(document.started_at), "2026-05-01T10:00:00Z", "{time}");
        }
    }

    #[test]
    fn channel_families() {
        for (channel, expected) in [("VOICE-SIP", "voice"), ("voice", "voice"), ("WEBCHAT", "chat"), ("SMS", "sms")] {
            assert_eq!(family(channel), expected);
        }
    }
}
