use serde::Serialize;
use std::fmt;

/// The result of a check.
#[derive(Debug, Serialize)]
pub struct Finding {
    pub check: &'static str,
    pub state: State,
    pub found: String,
    /// What to do; empty if nothing.
    pub advice: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Ok,
    /// It works, but should be looked at.
    Warning,
    Failure,
}

impl Finding {
    pub fn ok(check: &'static str, found: impl fmt::Display) -> Self {
        Self { check, state: State::Ok, found: found.to_string(), advice: String::new() }
    }

    pub fn warning(check: &'static str, found: impl fmt::Display, advice: impl fmt::Display) -> Self {
        Self { check, state: State::Warning, found: found.to_string(), advice: advice.to_string() }
    }

    pub fn failure(check: &'static str, found: impl fmt::Display, advice: impl fmt::Display) -> Self {
        Self { check, state: State::Failure, found: found.to_string(), advice: advice.to_string() }
    }
}
