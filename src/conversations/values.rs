//! Schemas of what comes in for the OpenAPI document. It is read by `incoming`, never from these types.

use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A metric's value. A list if the metric was written more than once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum MetricValue {
    One(String),
    Several(Vec<String>),
}

/// A metric's value in a conversation to store. It is stored as text. Null means no value.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum NewMetricValue {
    Nothing,
    One(Scalar),
    Several(Vec<MetricItem>),
}

/// One value of a metric, with or without its time.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum MetricItem {
    Plain(Scalar),
    Timed(MetricEntry),
}

/// A value with the time at which it was written.
#[derive(ToSchema)]
pub struct MetricEntry {
    /// ISO 8601; in UTC if it names no zone.
    pub timestamp: Option<String>,
    pub value: Option<Scalar>,
}

/// A value that is stored as text.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum Scalar {
    Text(String),
    Number(f64),
    Flag(bool),
}

/// A latency: seconds, or an object as the live service has it.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum NewLatency {
    Seconds(f64),
    Object(PerceivedLatency),
}

/// The latency of a turn in the live form. Further fields are kept.
#[derive(ToSchema)]
pub struct PerceivedLatency {
    /// In seconds.
    pub perceived_latency: Option<f64>,
}

/// A turn to store: the fields of `Turn`, of which each may be null. Further fields are kept, and returned by the calls in
/// camelCase.
#[derive(ToSchema)]
pub struct NewTurn {
    #[schema(example = "A room, please")]
    pub user_input: Option<String>,
    pub user_input_dtmf: Option<String>,
    #[schema(format = DateTime)]
    pub user_input_datetime: Option<String>,
    pub agent_response: Option<String>,
    #[schema(format = DateTime)]
    pub agent_response_datetime: Option<String>,
    #[schema(example = 0.5)]
    pub latency: Option<NewLatency>,
    pub translated_user_input: Option<String>,
    pub english_agent_response: Option<String>,
    pub intents: Option<Vec<String>>,
    #[schema(value_type = Option<Vec<Object>>)]
    pub entities: Option<Vec<()>>,
    pub is_ood: Option<bool>,
    pub is_silence: Option<bool>,
}

/// A conversation to store: the fields of the v3 response. Only `started_at` is required. Each field may be null, and may
/// have its camelCase name, as the calls in camelCase return it. Further fields are kept, and returned by those calls.
#[derive(ToSchema)]
pub struct NewConversation {
    /// The id in the path, if it is given here too.
    #[schema(max_length = 200)]
    pub id: Option<String>,
    pub variant_id: Option<String>,
    pub variant_name: Option<String>,
    pub environment: Option<String>,
    /// In UTC if it names no zone.
    #[schema(format = DateTime, example = "2026-05-01T10:00:00Z")]
    pub started_at: String,
    pub channel: Option<String>,
    pub from_number: Option<String>,
    pub to_number: Option<String>,
    #[schema(example = true)]
    pub in_progress: Option<bool>,
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 4_294_967_295_i64)]
    pub num_turns: Option<u32>,
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 4_294_967_295_i64)]
    pub total_duration: Option<u32>,
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 4_294_967_295_i64)]
    pub polyai_duration: Option<u32>,
    pub handoff: Option<bool>,
    pub handoff_reason: Option<String>,
    pub handoff_destination: Option<String>,
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 4_294_967_295_i64)]
    pub num_silences: Option<u32>,
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 4_294_967_295_i64)]
    pub num_ood: Option<u32>,
    #[schema(example = json!({ "CALL_COMPLETED": "true" }))]
    pub metrics: Option<BTreeMap<String, NewMetricValue>>,
    #[schema(value_type = Option<Object>)]
    pub state: Option<()>,
    pub turns: Option<Vec<NewTurn>>,
}

/// Turns to append to a conversation.
#[derive(ToSchema)]
#[schema(as = Turns)]
pub struct NewTurns {
    pub turns: Vec<NewTurn>,
}
