//! Schemas of metric values and new turns for the OpenAPI document.

use serde::Serialize;
use utoipa::ToSchema;

/// A metric's value. A list if the metric was written more than once.
#[derive(Serialize, ToSchema)]
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
    Several(Vec<Scalar>),
}

/// A value that is stored as text.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum Scalar {
    Text(String),
    Number(f64),
    Flag(bool),
}

/// A turn to store: the fields of `Turn`, of which most may be null.
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
    /// In seconds.
    #[schema(example = 0.5)]
    pub latency: Option<f64>,
    pub translated_user_input: Option<String>,
    pub english_agent_response: Option<String>,
    #[schema(nullable = false)]
    pub intents: Option<Vec<String>>,
    #[schema(nullable = false, value_type = Option<Vec<Object>>)]
    pub entities: Option<Vec<()>>,
    #[schema(nullable = false)]
    pub is_ood: Option<bool>,
    #[schema(nullable = false)]
    pub is_silence: Option<bool>,
}
