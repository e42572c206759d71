//! Turns of conversations.

use crate::base::time::format_instant;
use crate::conversations::incoming::{DocumentError, Extras, Fields, Incoming};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// One turn: what the user said, what the agent said, or both.
// Turns are stored and returned in this form, but `latency` is stored separately.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Turn {
    user_input: String,
    user_input_dtmf: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    user_input_datetime: Option<String>,
    agent_response: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    agent_response_datetime: Option<String>,
    /// In seconds. Returned only if `include_latency` is set.
    #[serde(skip_serializing_if = "is_kept_apart")]
    #[schema(nullable = false)]
    latency: Option<f64>,
    translated_user_input: String,
    english_agent_response: String,
    intents: Vec<String>,
    #[schema(value_type = Vec<Object>)]
    entities: Vec<Box<RawValue>>,
    pub is_ood: bool,
    pub is_silence: bool,
}

/// For `skip_serializing_if`: latencies are never serialised with their turn.
fn is_kept_apart(_: &Option<f64>) -> bool {
    true
}

/// What was said in a stored turn.
#[derive(Debug, Deserialize)]
pub struct SpokenTurn {
    pub user_input: String,
    pub agent_response: String,
}

impl Turn {
    /// What the user and the agent said.
    pub fn said(&self) -> (&str, &str) {
        (&self.user_input, &self.agent_response)
    }

    /// Reads a turn, and what its stored form does not give back.
    fn read<'a>(turn: &Incoming<'a>) -> Result<(Self, Extras<'a>), DocumentError> {
        let (mut fields, mut extras) = (turn.fields()?, Extras::default());
        let turn = Self {
            user_input: text(&mut fields, &mut extras, "user_input")?,
            user_input_dtmf: text(&mut fields, &mut extras, "user_input_dtmf")?,
            user_input_datetime: instant(&mut fields, &mut extras, "user_input_datetime")?,
            agent_response: text(&mut fields, &mut extras, "agent_response")?,
            agent_response_datetime: instant(&mut fields, &mut extras, "agent_response_datetime")?,
            latency: latency(&mut fields, &mut extras)?,
            translated_user_input: text(&mut fields, &mut extras, "translated_user_input")?,
            english_agent_response: text(&mut fields, &mut extras, "english_agent_response")?,
            intents: items(&mut fields, &mut extras, "intents", |intent| intent.string())?,
            entities: items(&mut fields, &mut extras, "entities", |entity| match entity.is_object() {
                true => Ok(entity.raw.to_owned()),
                false => Err(entity.error("an object")),
            })?,
            is_ood: flag(&mut fields, &mut extras, "is_ood")?,
            is_silence: flag(&mut fields, &mut extras, "is_silence")?,
        };
        extras.0.extend(fields.rest());
        Ok((turn, extras))
    }
}

/// Takes a field. Null is kept among the extras, and counts as absent.
fn take<'a>(
    fields: &mut Fields<'a>,
    extras: &mut Extras<'a>,
    name: &str,
) -> Result<Option<Incoming<'a>>, DocumentError> {
    let value = fields.take(&[name])?;
    if let Some(null) = value.as_ref().filter(|value| value.is_null()) {
        extras.0.insert(name.to_owned(), null.raw);
        return Ok(None);
    }
    Ok(value)
}

fn text<'a>(fields: &mut Fields<'a>, extras: &mut Extras<'a>, name: &str) -> Result<String, DocumentError> {
    take(fields, extras, name)?.map_or(Ok(String::new()), |value| value.string())
}

fn flag<'a>(fields: &mut Fields<'a>, extras: &mut Extras<'a>, name: &str) -> Result<bool, DocumentError> {
    take(fields, extras, name)?.map_or(Ok(false), |value| value.flag())
}

fn items<'a, T>(
    fields: &mut Fields<'a>,
    extras: &mut Extras<'a>,
    name: &str,
    read: impl Fn(&Incoming<'a>) -> Result<T, DocumentError>,
) -> Result<Vec<T>, DocumentError> {
    let Some(list) = take(fields, extras, name)? else { return Ok(Vec::new()) };
    list.items()?.iter().map(read).collect()
}

/// A date and time in UTC; `None` if it is empty.
fn instant<'a>(fields: &mut Fields<'a>, extras: &mut Extras<'a>, name: &str) -> Result<Option<String>, DocumentError> {
    let Some(value) = take(fields, extras, name)? else { return Ok(None) };
    if value.text() == "\"\"" {
        extras.0.insert(name.to_owned(), value.raw);
        return Ok(None);
    }
    let at = value.instant()?;
    extras.keep_instant(name, Some(&value), at);
    Ok(Some(format_instant(at)))
}

/// A number, or an object with the number `perceived_latency`.
fn latency<'a>(fields: &mut Fields<'a>, extras: &mut Extras<'a>) -> Result<Option<f64>, DocumentError> {
    let Some(value) = take(fields, extras, "latency")? else { return Ok(None) };
    let seconds = match value.is_object() {
        true => {
            value.fields()?.take_present(&["perceived_latency"])?.map(|perceived| perceived.number()).transpose()?
        }
        false => Some(value.number().map_err(|_| value.error("a number or an object"))?),
    };
    let written = seconds.and_then(|seconds| serde_json::to_string(&seconds).ok());
    extras.keep("latency", Some(&value), &written.unwrap_or_default());
    Ok(seconds)
}

/// Turns that came in: to be stored with their conversation, or appended to it.
#[derive(Debug, Default)]
pub struct IncomingTurns<'a> {
    pub turns: Vec<Turn>,
    /// What the stored form does not give back, for each turn.
    pub extras: Vec<BTreeMap<String, &'a RawValue>>,
}

impl<'a> IncomingTurns<'a> {
    pub fn read(turns: &Incoming<'a>) -> Result<Self, DocumentError> {
        let turns = turns.items()?.iter().map(Turn::read).collect::<Result<Vec<_>, _>>()?;
        let (turns, extras) = turns.into_iter().map(|(turn, Extras(extras))| (turn, extras)).unzip();
        Ok(Self { turns, extras })
    }

    pub fn count(&self, is_counted: impl Fn(&Turn) -> bool) -> usize {
        self.turns.iter().filter(|turn| is_counted(turn)).count()
    }

    /// The latencies as a JSON array, with null for turns without.
    pub fn latencies(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&self.turns.iter().map(|turn| turn.latency).collect::<Vec<_>>())
    }

    /// The extras as a JSON array; `[]` if no turn has any.
    pub fn extras(&self) -> Result<String, serde_json::Error> {
        match self.extras.iter().all(BTreeMap::is_empty) {
            true => Ok("[]".to_owned()),
            false => serde_json::to_string(&self.extras),
        }
    }
}
