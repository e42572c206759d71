//! Parsing of conversations for storage, and writing of stored conversations as JSON for responses, where Configuration
//! removes what it does not allow. Conversations are validated and normalised once, when they are stored, as JSON
//! texts. So a page of a thousand conversations is made by copying text.

use crate::base::id::{AgentId, WorkspaceId};
use crate::base::time::{Timestamp, format_instant, parse_instant};
use crate::configuration::{AllowedMetrics, Configuration};
use crate::conversations::cursor::is_id;
use crate::conversations::full_text::Words;
use crate::conversations::values::{MetricValue, NewMetricValue, NewTurn};
use crate::db::DbError;
use crate::http::object::{Object, json_object, json_objects, objects};
use crate::http::strict_json;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use utoipa::ToSchema;

/// Largest JSON text of a conversation, in bytes.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// A conversation to store: the fields of the v3 response. Only `started_at` is required.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewConversation)]
pub struct NewConversation {
    #[serde(default, deserialize_with = "text")]
    /// The id in the path, if it is given here too.
    #[schema(nullable, max_length = 200)]
    id: String,
    #[serde(default, deserialize_with = "text")]
    #[schema(nullable)]
    variant_id: String,
    #[serde(default, deserialize_with = "text")]
    #[schema(nullable)]
    variant_name: String,
    #[serde(default, deserialize_with = "text")]
    #[schema(nullable)]
    environment: String,
    #[schema(format = DateTime, example = "2026-05-01T10:00:00Z")]
    started_at: String,
    #[serde(default, deserialize_with = "text")]
    #[schema(nullable)]
    channel: String,
    #[serde(default, deserialize_with = "text")]
    #[schema(nullable)]
    from_number: String,
    #[serde(default, deserialize_with = "text")]
    #[schema(nullable)]
    to_number: String,
    #[serde(default)]
    #[schema(example = true)]
    in_progress: bool,
    #[serde(default)]
    #[schema(value_type = i64, minimum = 0, maximum = 4_294_967_295_i64)]
    num_turns: u32,
    #[serde(default)]
    #[schema(value_type = i64, minimum = 0, maximum = 4_294_967_295_i64)]
    total_duration: u32,
    #[serde(default)]
    #[schema(value_type = i64, minimum = 0, maximum = 4_294_967_295_i64)]
    polyai_duration: u32,
    #[serde(default)]
    handoff: bool,
    #[serde(default, deserialize_with = "text")]
    #[schema(nullable)]
    handoff_reason: String,
    #[serde(default, deserialize_with = "text")]
    #[schema(nullable)]
    handoff_destination: String,
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 4_294_967_295_i64)]
    num_silences: Option<u32>,
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 4_294_967_295_i64)]
    num_ood: Option<u32>,
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, NewMetricValue>, example = json!({ "CALL_COMPLETED": "true" }))]
    metrics: BTreeMap<String, Box<RawValue>>,
    #[serde(default = "empty_object", deserialize_with = "json_object")]
    #[schema(value_type = Object)]
    state: Box<RawValue>,
    #[serde(default, deserialize_with = "objects")]
    #[schema(value_type = Vec<NewTurn>)]
    turns: Vec<Turn>,
}

/// One turn: what the user said, what the agent said, or both.
// Turns are stored and returned in this form, but `latency` is stored separately.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct Turn {
    #[serde(default, deserialize_with = "text")]
    user_input: String,
    #[serde(default, deserialize_with = "text")]
    user_input_dtmf: String,
    #[serde(default, deserialize_with = "instant", skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    user_input_datetime: Option<String>,
    #[serde(default, deserialize_with = "text")]
    agent_response: String,
    #[serde(default, deserialize_with = "instant", skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    agent_response_datetime: Option<String>,
    /// In seconds. Returned only if `include_latency` is set.
    #[serde(default, skip_serializing_if = "is_kept_apart")]
    #[schema(nullable = false)]
    latency: Option<f64>,
    #[serde(default, deserialize_with = "text")]
    translated_user_input: String,
    #[serde(default, deserialize_with = "text")]
    english_agent_response: String,
    #[serde(default)]
    intents: Vec<String>,
    #[serde(default, deserialize_with = "json_objects")]
    #[schema(value_type = Vec<Object>)]
    entities: Vec<Box<RawValue>>,
    #[serde(default)]
    is_ood: bool,
    #[serde(default)]
    is_silence: bool,
}

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
    /// `CommonFields` as JSON text. The fields from here to `latencies` are JSON texts.
    pub always: String,
    pub handoff_reason: String,
    pub handoff_destination: String,
    pub metrics: String,
    pub turns: String,
    pub latencies: String,
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
    fn of(turns: &[Turn]) -> Self {
        let mut transcript = Self::default();
        for turn in turns {
            transcript.user.say(&turn.user_input);
            transcript.agent.say(&turn.agent_response);
            transcript.both.say(&turn.user_input);
            transcript.both.say(&turn.agent_response);
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

/// Turns to append to a conversation.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Turns {
    #[serde(deserialize_with = "objects")]
    #[schema(value_type = Vec<NewTurn>)]
    turns: Vec<Turn>,
}

/// The columns of a locked conversation that appending turns needs.
#[derive(Debug, sqlx::FromRow)]
pub struct LockedConversation {
    pub in_progress: bool,
    pub document: String,
    pub turns: String,
    pub latencies: String,
}

impl LockedConversation {
    /// Appends turns, and updates the counts of turns, silences and out-of-domain turns.
    pub fn append(&mut self, more: &Turns) -> Result<(), serde_json::Error> {
        // All other fields keep their JSON text unchanged.
        let mut document: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&self.document)?;
        let mut count = |name: &str, by: usize| -> Result<(), serde_json::Error> {
            let before: u64 = document.get(name).and_then(|raw| raw.get().parse().ok()).unwrap_or_default();
            document.insert(name.to_owned(), RawValue::from_string((before + by as u64).to_string())?);
            Ok(())
        };
        count("num_turns", more.turns.len())?;
        count("num_silences", more.turns.iter().filter(|t| t.is_silence).count())?;
        count("num_ood", more.turns.iter().filter(|t| t.is_ood).count())?;
        self.document = serde_json::to_string(&document)?;
        join(&mut self.turns, &serde_json::to_string(&more.turns)?);
        let latencies: Vec<_> = more.turns.iter().map(|t| t.latency).collect();
        join(&mut self.latencies, &serde_json::to_string(&latencies)?);
        Ok(())
    }

    /// The words of all turns.
    pub fn transcript(&self) -> Result<Transcript, DbError> {
        let turns: Vec<Turn> = serde_json::from_str(&self.turns).map_err(|error| {
            tracing::error!(%error, "a stored conversation is not readable");
            DbError::Failed
        })?;
        Ok(Transcript::of(&turns))
    }
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

/// Reads turns to append: `{"turns": […]}`. The error is one sentence for the client.
pub fn parse_turns(json: &[u8]) -> Result<Turns, String> {
    strict_json::check(json)?;
    serde_json::from_slice(json).map(|Object(turns)| turns).map_err(|e| e.to_string())
}

impl Document {
    /// Reads a conversation. The error is one sentence for the author of the document.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        Self::from_incoming(Self::read(json)?)
    }

    /// Reads a conversation whose id is in the request's path. If the document has an id too, both must be equal.
    pub fn parse_as(id: &str, json: &[u8]) -> Result<Self, String> {
        let mut incoming = Self::read(json)?;
        if incoming.id.is_empty() {
            incoming.id = id.to_owned();
        }
        if incoming.id != id {
            return Err("its `id` is not the one in the path".to_owned());
        }
        Self::from_incoming(incoming)
    }

    fn read(json: &[u8]) -> Result<NewConversation, String> {
        if json.len() > MAX_BYTES {
            return Err(format!("the conversation is larger than {} MiB", MAX_BYTES / 1024 / 1024));
        }
        strict_json::check(json)?;
        serde_json::from_slice(json).map(|Object(incoming)| incoming).map_err(|e| e.to_string())
    }

    fn from_incoming(incoming: NewConversation) -> Result<Self, String> {
        if !is_id(&incoming.id) {
            return Err("`id` is not 1 to 200 visible ASCII characters".to_owned());
        }
        let started_at = parse_instant(&incoming.started_at)
            .ok_or_else(|| format!("`started_at` is `{}`, not an ISO 8601 date and time", incoming.started_at))?;
        let environment = if incoming.environment.is_empty() { "live".to_owned() } else { incoming.environment };
        let metrics = metrics(incoming.metrics)?;
        let turns = &incoming.turns;
        let count = |flag: fn(&Turn) -> bool| turns.iter().filter(|t| flag(t)).count() as u32;
        let always = CommonFields {
            id: &incoming.id,
            variant_id: &incoming.variant_id,
            variant_name: &incoming.variant_name,
            environment: &environment,
            started_at: &format_instant(started_at),
            channel: &incoming.channel,
            from_number: &incoming.from_number,
            to_number: &incoming.to_number,
            in_progress: incoming.in_progress,
            num_turns: if turns.is_empty() { incoming.num_turns } else { turns.len() as u32 },
            total_duration: incoming.total_duration,
            polyai_duration: incoming.polyai_duration,
            handoff: incoming.handoff,
            num_silences: incoming.num_silences.unwrap_or_else(|| count(|t| t.is_silence)),
            num_ood: incoming.num_ood.unwrap_or_else(|| count(|t| t.is_ood)),
            state: &incoming.state,
        };
        Ok(Self {
            always: json(&always)?,
            handoff_reason: json(&incoming.handoff_reason)?,
            handoff_destination: json(&incoming.handoff_destination)?,
            metric_names: metrics.keys().cloned().collect(),
            metrics: json(&metrics)?,
            turns: json(turns)?,
            latencies: json(&turns.iter().map(|t| t.latency).collect::<Vec<_>>())?,
            transcript: Transcript::of(turns),
            channel_family: family(&incoming.channel),
            id: incoming.id,
            environment,
            started_at,
            in_progress: incoming.in_progress,
            channel: incoming.channel,
            variant_id: incoming.variant_id,
            variant_name: incoming.variant_name,
        })
    }
}

/// Normalises metrics. A value becomes a text, or a list of at least two texts if the metric was written more than
/// once. Null and empty lists are dropped.
fn metrics(incoming: BTreeMap<String, Box<RawValue>>) -> Result<BTreeMap<String, MetricValue>, String> {
    let mut metrics = BTreeMap::new();
    for (name, value) in incoming {
        let value = match value.get().as_bytes().first() {
            Some(b'n') => continue,
            Some(b'[') => {
                let values: Vec<&RawValue> = serde_json::from_str(value.get()).map_err(|e| e.to_string())?;
                let mut texts = values.into_iter().map(|v| metric_text(&name, v)).collect::<Result<Vec<_>, _>>()?;
                match (texts.len(), texts.pop()) {
                    (_, None) => continue,
                    (1, Some(only)) => MetricValue::One(only),
                    (_, Some(last)) => {
                        texts.push(last);
                        MetricValue::Several(texts)
                    }
                }
            }
            _ => MetricValue::One(metric_text(&name, &value)?),
        };
        metrics.insert(name, value);
    }
    Ok(metrics)
}

/// A metric's value as text. Numbers keep their digits; Booleans become `true` or `false`.
fn metric_text(name: &str, value: &RawValue) -> Result<String, String> {
    match value.get().as_bytes().first() {
        Some(b'"') => serde_json::from_str(value.get()).map_err(|e| e.to_string()),
        Some(b'-' | b'0'..=b'9' | b't' | b'f') => Ok(value.get().to_owned()),
        _ => Err(format!("the metric `{name}` is neither a text nor a list of texts")),
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
    let always = stored.document.strip_suffix('}').unwrap_or_default();
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

/// For `skip_serializing_if`: latencies are never serialised with their turn.
fn is_kept_apart(_: &Option<f64>) -> bool {
    true
}

fn json(value: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(value).map_err(|e| e.to_string())
}

/// A text that may be null, which becomes empty.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.unwrap_or_default())
}

/// A date and time, converted to UTC; `None` if it is null or empty.
fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => match parse_instant(&text) {
            Some(at) => Ok(Some(format_instant(at))),
            None => Err(serde::de::Error::custom(format!("`{text}` is not an ISO 8601 date and time"))),
        },
    }
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
        write(&mut out, &stored, &workspace, &agent, &Configuration { metrics, transcript }).unwrap();
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
        for (json, reason) in [
            ("", "EOF"),
            ("[]", "expected an object"),
            (r#"["a","v","n","live","2026-05-01T10:00:00Z"]"#, "expected an object"),
            (r#"{"id":"a","started_at":"2026-05-01T10:00:00Z","turns":[["hello"]]}"#, "expected an object"),
            (r#"{"id":"a"}"#, "started_at"),
            (r#"{"id":"","started_at":"2026-05-01T10:00:00Z"}"#, "`id`"),
            (r#"{"id":"é","started_at":"2026-05-01T10:00:00Z"}"#, "`id`"),
            (r#"{"id":"a","started_at":"yesterday"}"#, "yesterday"),
            (r#"{"id":"a","started_at":"2026-05-01T10:00:00Z","metrics":{"X":{}}}"#, "`X`"),
            (r#"{"id":"a","started_at":"2026-05-01T10:00:00Z","channel":"a\u0000"}"#, "NUL"),
        ] {
            let error = Document::parse(json.as_bytes()).unwrap_err();
            assert!(error.contains(reason), "{json}: {error}");
        }
    }

    #[test]
    fn channel_families() {
        for (channel, expected) in [("VOICE-SIP", "voice"), ("voice", "voice"), ("WEBCHAT", "chat"), ("SMS", "sms")] {
            assert_eq!(family(channel), expected);
        }
    }
}
