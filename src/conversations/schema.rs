//! Schemas of conversations for the OpenAPI document. Responses are copied from stored JSON and never made from these
//! types; tests validate real responses against the schemas.

use crate::conversations::document::CommonFields;
use crate::conversations::turn::Turn;
use crate::conversations::values::MetricValue;
use crate::deployments::model::Environment;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// A conversation.
#[derive(ToSchema)]
pub struct Conversation {
    #[schema(inline)]
    #[serde(flatten)]
    pub always: CommonFields<'static>,
    /// The workspace's id.
    #[schema(example = "ws-fd112d8f")]
    pub account_id: String,
    /// The agent's id.
    #[schema(example = "PROJECT-58RP822I")]
    pub project_id: String,
    /// `""` unless the metric `HANDOFF_REASON` is enabled in Configuration.
    pub handoff_reason: String,
    /// `""` unless the metric `HANDOFF_TO` is enabled in Configuration.
    pub handoff_destination: String,
    /// Only the metrics that are enabled in Configuration.
    pub metrics: BTreeMap<String, MetricValue>,
    /// `[]` while Conversation transcript is off in Configuration. `num_turns` still counts the turns.
    pub turns: Vec<Turn>,
}

/// A page of conversations, newest first.
#[derive(ToSchema)]
pub struct ConversationPage {
    pub conversations: Vec<Conversation>,
    /// Send this as `offset` for the next page. Missing on the last page, and if the request had a cursor.
    #[schema(nullable = false)]
    pub next_offset: Option<u64>,
    /// Send this as `cursor` for the next page. Null on the last page.
    #[schema(required, nullable)]
    pub cursor: Option<String>,
}

/// Parameters that filter a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FilterParameters {
    /// Only conversations that began at this time or later.
    #[param(value_type = Option<String>, format = DateTime, example = "2021-07-01T14:15:00.000Z")]
    pub start_time: Option<String>,
    /// Only conversations that began before this time.
    #[param(value_type = Option<String>, format = DateTime, example = "2121-07-01T16:35:00.000Z")]
    pub end_time: Option<String>,
    /// The environment that the conversations took place in.
    #[param(inline, default = "live")]
    pub client_env: Option<Environment>,
    /// `true`: only conversations in progress. `false`: only conversations that have ended.
    pub in_progress: Option<bool>,
    /// A channel such as `VOICE-SIP`, or a family of channels: `voice`, `chat`. Can be repeated up to eight times.
    #[param(max_items = 8, example = json!(["voice", "SMS"]))]
    pub channel: Option<Vec<String>>,
    /// Only conversations of the variant with this id. Cannot be combined with `variant_name`.
    #[param(max_length = 200)]
    pub variant_id: Option<String>,
    /// Only conversations of the variant with this name. Cannot be combined with `variant_id`.
    #[param(max_length = 200)]
    pub variant_name: Option<String>,
    /// Only conversations in this language, such as `en-GB`.
    #[param(max_length = 200)]
    pub language: Option<String>,
    /// Only conversations in this direction, such as `inbound`.
    #[param(max_length = 200)]
    pub direction: Option<String>,
    /// Only conversations with this tag.
    #[param(max_length = 200)]
    pub tag: Option<String>,
    /// Number of conversations to skip.
    #[param(minimum = 0, maximum = 2_147_483_647, default = 0, example = 0)]
    pub offset: Option<u32>,
}

/// Parameters of one page: its size and position, search, sample.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParameters {
    /// Maximum number of conversations on the page.
    #[param(minimum = 1, maximum = 5000, default = 1000, example = 100)]
    pub limit: Option<u32>,
    /// The `cursor` of the previous page, unchanged. Takes precedence over `offset`.
    pub cursor: Option<String>,
    /// `transcript` searches transcripts for words and `"phrases in quotes"`. Requires `query`, `start_time` and
    /// `end_time`. `semantic` is answered with 501.
    #[param(inline)]
    pub query_type: Option<QueryType>,
    /// The text to search for. Used with `query_type`.
    pub query: Option<String>,
    /// Whose words to search, with `query_type=transcript`. Both speakers' if it is missing.
    #[param(inline)]
    pub turn_type: Option<SpeakerParameter>,
    /// Returns a random sample of `limit` conversations. Requires `start_time` and `end_time`. Cannot be combined with
    /// `query_type`.
    #[param(inline)]
    pub sample: Option<SampleParameter>,
    /// Adds the latency of each turn, in seconds.
    #[param(default = false)]
    pub include_latency: Option<bool>,
}

/// How `query` is interpreted.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum QueryType {
    Transcript,
    Semantic,
}

/// The speaker.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SpeakerParameter {
    User,
    Agent,
}

/// How a sample is drawn.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SampleParameter {
    Random,
}
