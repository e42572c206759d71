//! Stored conversations as JSON in the live service's form: camelCase names, null for what is absent, metrics as lists of
//! times and values. What came in whole goes out whole, except for what Configuration removes.

use crate::base::id::{AgentId, WorkspaceId};
use crate::base::time::{Timestamp, format_instant};
use crate::configuration::{AllowedMetrics, CallerNumbers, Configuration};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The columns of a conversation's row that a response needs.
#[derive(Debug, sqlx::FromRow)]
pub struct LiveConversation {
    pub id: String,
    pub started_at: Timestamp,
    pub document: String,
    pub handoff_reason: String,
    pub handoff_destination: String,
    pub metrics: String,
    pub metric_entries: String,
    pub extras: String,
    /// This and the following columns are empty in a list, and where Configuration does not allow transcripts.
    pub turns: String,
    pub latencies: String,
    pub turn_extras: String,
    pub function_events: String,
}

/// The stored fields that do not depend on Configuration.
#[derive(Deserialize)]
struct CommonFields<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow)]
    variant_id: &'a RawValue,
    #[serde(borrow)]
    variant_name: &'a RawValue,
    #[serde(borrow)]
    environment: &'a RawValue,
    #[serde(borrow)]
    channel: &'a RawValue,
    #[serde(borrow)]
    from_number: &'a RawValue,
    #[serde(borrow)]
    to_number: &'a RawValue,
    in_progress: bool,
    num_turns: u32,
    total_duration: u32,
    polyai_duration: u32,
    handoff: bool,
    num_silences: u32,
    num_ood: u32,
}

/// Texts by name. What came in and is not in the stored fields is written in their place or after them.
type Fields<'a> = Vec<(&'static str, Cow<'a, str>)>;

/// Appends a conversation to `out` without its turns, as in lists.
pub fn write_summary(
    out: &mut String,
    stored: &LiveConversation,
    workspace: &WorkspaceId,
    agent: &AgentId,
    configuration: &Configuration,
) -> Result<(), serde_json::Error> {
    write_fields(out, summary(stored, workspace, agent, configuration)?, &stored.extras)
}

/// Appends a conversation to `out` with its turns and function events.
pub fn write_detail(
    out: &mut String,
    stored: &LiveConversation,
    workspace: &WorkspaceId,
    agent: &AgentId,
    configuration: &Configuration,
) -> Result<(), serde_json::Error> {
    let mut fields = summary(stored, workspace, agent, configuration)?;
    // Function events repeat what was said: they are part of the transcript.
    let (events, turns) = match configuration.transcript {
        true => (stored.function_events.as_str(), turns(stored)?),
        false => ("{}", "[]".to_owned()),
    };
    fields.push(("functionEvents", events.into()));
    fields.push(("turns", turns.into()));
    write_fields(out, fields, &stored.extras)
}

fn write_fields(out: &mut String, fields: Fields<'_>, extras: &str) -> Result<(), serde_json::Error> {
    let mut extras: BTreeMap<String, &RawValue> = serde_json::from_str(extras)?;
    let mut separator = '{';
    for (name, text) in fields {
        let text = extras.remove(name).map_or(text, |came_in| came_in.get().into());
        let _ = write!(out, "{separator}\"{name}\":{text}");
        separator = ',';
    }
    for (name, text) in extras {
        let _ = write!(out, "{separator}{}:{}", serde_json::to_string(&name)?, text.get());
    }
    out.push('}');
    Ok(())
}

fn summary<'a>(
    stored: &'a LiveConversation,
    workspace: &'a WorkspaceId,
    agent: &'a AgentId,
    configuration: &Configuration,
) -> Result<Fields<'a>, serde_json::Error> {
    let common: CommonFields<'a> = serde_json::from_str(&stored.document)?;
    let started_at = quoted(stored.started_at);
    let ended_at = quoted(stored.started_at.plus_seconds(i64::from(common.total_duration)));
    let duration = common.total_duration.to_string();
    let (finished_at, metric_time) =
        if common.in_progress { ("null".to_owned(), started_at.clone()) } else { (ended_at.clone(), ended_at) };
    let allowed = |metric, text: &'a str| if configuration.metrics.allow(metric) { or_null(text) } else { "null" };
    Ok(vec![
        ("accountId", format!("\"{workspace}\"").into()),
        ("projectId", format!("\"{agent}\"").into()),
        ("conversationId", common.id.get().into()),
        ("channel", common.channel.get().into()),
        ("clientEnv", common.environment.get().into()),
        ("direction", "null".into()),
        ("language", "null".into()),
        ("createdAt", started_at.clone().into()),
        ("startedAt", started_at.into()),
        ("finishedAt", finished_at.into()),
        ("duration", duration.clone().into()),
        ("totalDuration", duration.into()),
        ("polyaiDuration", common.polyai_duration.to_string().into()),
        ("inProgress", common.in_progress.to_string().into()),
        ("fromNumber", from_number(common.from_number, configuration.caller_numbers)?),
        ("toNumber", common.to_number.get().into()),
        ("handoff", common.handoff.to_string().into()),
        ("handoffDestination", allowed("HANDOFF_TO", &stored.handoff_destination).into()),
        ("handoffReason", allowed("HANDOFF_REASON", &stored.handoff_reason).into()),
        ("variantId", or_null(common.variant_id.get()).into()),
        ("variantName", or_null(common.variant_name.get()).into()),
        ("deploymentId", "null".into()),
        ("audioUrl", "null".into()),
        ("note", "null".into()),
        ("polyScore", "null".into()),
        ("tags", "[]".into()),
        ("shortSummary", "null".into()),
        ("numTurns", common.num_turns.to_string().into()),
        ("numSilences", common.num_silences.to_string().into()),
        ("numOod", common.num_ood.to_string().into()),
        ("metrics", metrics(stored, &configuration.metrics, &metric_time)?.into()),
    ])
}

/// The caller's number as Configuration shows it.
fn from_number(stored: &RawValue, shown: CallerNumbers) -> Result<Cow<'_, str>, serde_json::Error> {
    if shown == CallerNumbers::Shown {
        return Ok(stored.get().into());
    }
    let number: String = serde_json::from_str(stored.get())?;
    Ok(serde_json::to_string(&shown.apply(&number))?.into())
}

/// A stored JSON text; null if it is empty.
fn or_null(text: &str) -> &str {
    if text == "\"\"" { "null" } else { text }
}

fn quoted(at: Timestamp) -> String {
    format!("\"{}\"", format_instant(at))
}

/// The metrics that Configuration allows, each as a list of times and values. A value that came in without a time has the
/// conversation's.
fn metrics(stored: &LiveConversation, allowed: &AllowedMetrics, time: &str) -> Result<String, serde_json::Error> {
    if matches!(allowed, AllowedMetrics::Only(names) if names.is_empty()) {
        return Ok("{}".to_owned());
    }
    let metrics: BTreeMap<String, &RawValue> = serde_json::from_str(&stored.metrics)?;
    let entries: BTreeMap<String, &RawValue> = serde_json::from_str(&stored.metric_entries)?;
    let mut out = String::new();
    let mut separator = '{';
    for (name, value) in metrics.into_iter().filter(|(name, _)| allowed.allow(name)) {
        let _ = write!(out, "{separator}{}:", serde_json::to_string(&name)?);
        separator = ',';
        match entries.get(&name) {
            Some(came_in) => out.push_str(came_in.get()),
            None => {
                let several: Vec<&RawValue> = match value.get().starts_with('[') {
                    true => serde_json::from_str(value.get())?,
                    false => vec![value],
                };
                let entry = |value: &RawValue| format!("{{\"timestamp\":{time},\"value\":{}}}", value.get());
                let several: Vec<String> = several.into_iter().map(entry).collect();
                let _ = write!(out, "[{}]", several.join(","));
            }
        }
    }
    out.push_str(if separator == '{' { "{}" } else { "}" });
    Ok(out)
}

/// The turns with their latencies, and with the fields that came in and are not in the stored turns.
fn turns(stored: &LiveConversation) -> Result<String, serde_json::Error> {
    let turns: Vec<&RawValue> = serde_json::from_str(&stored.turns)?;
    let latencies: Vec<&RawValue> = serde_json::from_str(&stored.latencies)?;
    let extras: Vec<BTreeMap<String, &RawValue>> = serde_json::from_str(&stored.turn_extras)?;
    let mut whole = Vec::with_capacity(turns.len());
    for (at, turn) in turns.iter().enumerate() {
        let mut fields: BTreeMap<String, &RawValue> = serde_json::from_str(turn.get())?;
        if let Some(latency) = latencies.get(at).filter(|latency| latency.get() != "null") {
            fields.insert("latency".to_owned(), latency);
        }
        if let Some(extras) = extras.get(at) {
            fields.extend(extras.iter().map(|(name, text)| (name.clone(), *text)));
        }
        whole.push(fields);
    }
    serde_json::to_string(&whole)
}
