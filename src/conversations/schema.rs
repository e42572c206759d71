//! Conversations as the OpenAPI document describes them. What is answered is copied from stored JSON and never made from
//! these types; tests hold real answers against them.

use crate::conversations::document::{CommonFields, Turn};
use crate::conversations::values::MetricValue;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// A conversation.
#[derive(ToSchema)]
pub struct Conversation {
    #[schema(inline)]
    #[serde(flatten)]
    pub always: CommonFields<'static>,
    /// The workspace.
    #[schema(example = "ws-fd112d8f")]
    pub account_id: String,
    /// The agent.
    #[schema(example = "PROJECT-58RP822I")]
    pub project_id: String,
    /// `""` unless the metric `HANDOFF_REASON` is enabled in Configuration.
    pub handoff_reason: String,
    /// `""` unless the metric `HANDOFF_TO` is enabled in Configuration.
    pub handoff_destination: String,
    /// The metrics enabled in Configuration, and no others.
    pub metrics: BTreeMap<String, MetricValue>,
    /// `[]` while Conversation transcript is off in Configuration; `num_turns` still counts them.
    pub turns: Vec<Turn>,
}

/// A page of conversations, newest first.
#[derive(ToSchema)]
pub struct ConversationPage {
    pub conversations: Vec<Conversation>,
    /// To be sent as `offset` for the next page; left out on the last page, and where a cursor was sent.
    #[schema(nullable = false)]
    pub next_offset: Option<u64>,
    /// To be sent as `cursor` for the next page; null on the last page.
    #[schema(required, nullable)]
    pub cursor: Option<String>,
}

/// Which conversations are meant.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filters {
    /// Only those that began at this instant or later.
    #[param(value_type = Option<String>, format = DateTime, example = "2021-07-01T14:15:00.000Z")]
    pub start_time: Option<String>,
    /// Only those that began before this instant.
    #[param(value_type = Option<String>, format = DateTime, example = "2121-07-01T16:35:00.000Z")]
    pub end_time: Option<String>,
    /// Where they took place.
    #[param(inline, default = "live")]
    pub client_env: Option<Environment>,
    /// Only those in progress, or only those that have ended.
    pub in_progress: Option<bool>,
    /// A channel such as `VOICE-SIP`, or a family of them: `voice`, `chat`. May be given up to eight times.
    #[param(max_items = 8, example = json!(["voice", "SMS"]))]
    pub channel: Option<Vec<String>>,
    /// Only those of this variant; not together with `variant_name`.
    #[param(max_length = 200)]
    pub variant_id: Option<String>,
    /// Only those of the variant of this name; not together with `variant_id`.
    #[param(max_length = 200)]
    pub variant_name: Option<String>,
    /// How many to skip.
    #[param(minimum = 0, maximum = 2_147_483_647, default = 0, example = 0)]
    pub offset: Option<u32>,
}

/// What a page is.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// Most conversations on the page.
    #[param(minimum = 1, maximum = 1000, default = 1000, example = 100)]
    pub limit: Option<u32>,
    /// The `cursor` of the page before, unchanged; wins over `offset`.
    pub cursor: Option<String>,
    /// Finds words and `"phrases in quotes"` in what was said; needs `query`, `start_time` and `end_time`.
    /// `semantic` answers 501.
    #[param(inline)]
    pub query_type: Option<QueryType>,
    /// What to find, with `query_type`.
    pub query: Option<String>,
    /// Whose words, with `query_type=transcript`; both sides' where it is left out.
    #[param(inline)]
    pub turn_type: Option<SpeakerParameter>,
    /// Draws `limit` conversations evenly; needs `start_time` and `end_time`, not together with `query_type`.
    #[param(inline)]
    pub sample: Option<Sample>,
    /// Adds each turn's latency in seconds.
    #[param(default = false)]
    pub include_latency: Option<bool>,
}

/// Where a conversation takes place.
#[derive(ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Environment {
    Sandbox,
    PreRelease,
    Live,
}

/// How `query` is understood.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum QueryType {
    Transcript,
    Semantic,
}

/// Who said it.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SpeakerParameter {
    User,
    Agent,
}

/// How a sample is drawn.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sample {
    Random,
}
