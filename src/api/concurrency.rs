//! Handler of the Concurrent Calls API.

use crate::api::openapi::{AgentPath, Refusals};
use crate::api_keys::Permission;
use crate::base::time::{Timestamp, format_instant};
use crate::conversations::concurrency::{ConcurrencyQuery, INTERVAL, Maxima};
use crate::conversations::service::Conversations;
use crate::deployments::Environment;
use crate::gate::caller::Caller;
use crate::http::envelope::{ApiError, Envelope, json};
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

/// The query parameters.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ConcurrencyParameters {
    /// Start of the span of time. Rounded down to 5 minutes.
    #[param(value_type = String, format = DateTime, example = "2021-07-01T14:15:00.000Z")]
    pub start_time: String,
    /// End of the span of time. Rounded up to 5 minutes. At most a week after `start_time`.
    #[param(value_type = String, format = DateTime, example = "2021-07-01T16:35:00.000Z")]
    pub end_time: String,
    /// The environment that the conversations took place in.
    #[param(inline, default = "live")]
    pub client_env: Option<Environment>,
    /// Only conversations of the variant with this name. Cannot be combined with `variant_id`.
    #[param(max_length = 200)]
    pub variant_name: Option<String>,
    /// Only conversations of the variant with this id. Cannot be combined with `variant_name`.
    #[param(max_length = 200)]
    pub variant_id: Option<String>,
    /// Only conversations in this language, such as `en-GB`.
    #[param(max_length = 200)]
    pub language: Option<String>,
    /// Only conversations with this number, the caller's or the one that was called.
    #[param(max_length = 200)]
    pub phone_number: Option<String>,
    /// `variant`: each variant has its own intervals. `language` and `phone_number` are answered with 501.
    #[param(example = "variant")]
    pub slice_by: Option<String>,
}

/// The numbers of an agent.
#[derive(Serialize, ToSchema)]
pub struct ConcurrentConversations<'a> {
    /// The workspace's id.
    #[schema(example = "ws-fd112d8f")]
    account_id: &'a str,
    /// The agent's id.
    #[schema(example = "PROJECT-58RP822I")]
    project_id: &'a str,
    /// In the order of their times.
    intervals: Vec<ConcurrencyInterval<'a>>,
}

/// An interval of 5 minutes.
#[derive(Serialize, ToSchema)]
pub struct ConcurrencyInterval<'a> {
    /// Start of the interval.
    #[schema(format = DateTime)]
    time: String,
    /// The largest number of conversations at the same moment.
    max_concurrent_conversations: u32,
    /// Only with `slice_by=variant`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    variant_id: Option<&'a str>,
    /// Only with `slice_by=variant`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    variant_name: Option<&'a str>,
}

/// Count concurrent conversations
///
/// The largest number of conversations at the same moment in each interval of 5 minutes, also of conversations that began
/// before it. A conversation in progress lasts until now.
#[utoipa::path(
    get,
    path = "/{account_id}/{project_id}/conversations/concurrency",
    operation_id = "count_concurrent_conversations",
    tag = "Conversations",
    security(("key" = [])),
    params(AgentPath, ConcurrencyParameters),
    responses(
        (status = 200, description = "The intervals.", body = ConcurrentConversations),
        Refusals,
        (status = 501, description = "Only `slice_by=variant` exists.", body = Envelope),
    ),
)]
pub async fn count(
    State(conversations): State<Conversations>,
    Path((account_id, project_id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    caller: Caller,
) -> Result<Response, ApiError> {
    let pass = caller.admit(Permission::Conversations, &account_id, &project_id).await?;
    let query = ConcurrencyQuery::parse(query.as_deref().unwrap_or_default())?;
    if query.phone_number.is_some() {
        caller.may_filter_by_caller(&pass)?;
    }
    let (workspace, agent) = (&pass.workspace.id, &pass.agent.id);
    let maxima = conversations.concurrency(workspace, agent, &query).await?;
    let intervals = intervals(&query, &maxima);
    json(&ConcurrentConversations { account_id: workspace.as_str(), project_id: agent.as_str(), intervals })
}

fn intervals<'a>(query: &ConcurrencyQuery, maxima: &'a [Maxima]) -> Vec<ConcurrencyInterval<'a>> {
    let starts = (query.start.0..query.end.0).step_by(INTERVAL as usize).enumerate();
    let at = |(index, start)| {
        let time = format_instant(Timestamp(start));
        maxima.iter().map(move |of| ConcurrencyInterval {
            time: time.clone(),
            max_concurrent_conversations: of.values[index],
            variant_id: query.by_variant.then_some(of.variant_id.as_str()),
            variant_name: query.by_variant.then_some(of.variant_name.as_str()),
        })
    };
    starts.flat_map(at).collect()
}
