//! The demo's requests: two weeks of calls with its keys, most of them by day, some of them refused.

use crate::agents::AgentName;
use crate::base::id::ApiKeyId;
use crate::base::time::Timestamp;
use crate::usage::service::PastCall;
use crate::usage::{Api, Outcome};
use std::sync::Arc;
use std::time::Duration;

const DAYS: i64 = 14;

/// Calls with the key of the CRM, which reads all agents, and with that of the payments webhook, which may reach one.
pub fn generate(
    crm: &ApiKeyId,
    payments: &ApiKeyId,
    slug: &str,
    agents: &[Arc<AgentName>],
    now: Timestamp,
) -> Vec<PastCall> {
    let mut calls = Vec::new();
    for hours_ago in 1..DAYS * 24 {
        let hour = now.plus_seconds(-3_600 * hours_ago);
        let by_day = (8..18).contains(&hour.utc().hour());
        for turn in 0..if by_day { 6 } else { 1 } {
            let number = hours_ago * 7 + turn;
            let agent = &agents[number as usize % agents.len()];
            let path = format!("/v3/{slug}/{}/conversations", agent.id);
            let to = (Api::Conversations, agent);
            calls.push(call(crm, hour, number, to, path, 40, Outcome::LacksPermission));
        }
        if by_day {
            let number = hours_ago * 5;
            let path = "/v1/external-events/webhook".to_owned();
            let to = (Api::ExternalEvents, &agents[1]);
            calls.push(call(payments, hour, number, to, path, 9, Outcome::AgentNotCovered));
        }
    }
    calls
}

/// One call, some minutes into the hour; each `refused_every`th one is refused, for this reason.
fn call(
    key: &ApiKeyId,
    hour: Timestamp,
    number: i64,
    (api, agent): (Api, &Arc<AgentName>),
    path: String,
    refused_every: i64,
    refusal: Outcome,
) -> PastCall {
    let refused = number % refused_every == refused_every - 1;
    let accepted = if api == Api::ExternalEvents { 201 } else { 200 };
    let (status, outcome) = if refused { (403, refusal) } else { (accepted, Outcome::Accepted) };
    let duration = Duration::from_micros(if refused { 40 } else { 2_400 + 173 * (number as u64 % 29) });
    PastCall {
        key: key.clone(),
        at: hour.plus_seconds(number * 397 % 3_600),
        api,
        agent: Some(agent.clone()),
        path,
        status,
        outcome,
        duration,
        program: "crm-sync/2.4",
        old_value: false,
    }
}
