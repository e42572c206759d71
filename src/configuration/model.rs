//! Types for Configuration.

use crate::agents::AgentName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The metrics that the contract documents and every agent can report.
pub const DOCUMENTED_METRICS: [&str; 4] = ["CALL_IN_PROGRESS", "CALL_COMPLETED", "HANDOFF_REASON", "HANDOFF_TO"];

/// The metrics that appear in API responses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AllowedMetrics {
    /// All metrics, including those added later.
    All,
    /// Only the metrics with these names.
    Only(BTreeSet<String>),
}

impl AllowedMetrics {
    /// In a form's list of names: every metric.
    pub const EVERY: &str = "*";

    /// The metrics that a form's list of names stands for.
    pub fn chosen(names: Vec<String>) -> Self {
        if names.iter().any(|name| name == Self::EVERY) { Self::All } else { Self::Only(names.into_iter().collect()) }
    }

    pub fn allow(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(name),
        }
    }
}

/// How callers' numbers appear in API responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallerNumbers {
    #[default]
    Shown,
    /// All digits but the last four are replaced.
    LastFour,
    Hidden,
}

impl CallerNumbers {
    /// Each with its name in the database and in forms, and the one that pages show.
    pub const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::Shown, "shown", "Shown"),
        (Self::LastFour, "last-four", "Last four digits"),
        (Self::Hidden, "hidden", "Hidden"),
    ];

    /// The name in the database and in forms.
    pub fn id(self) -> &'static str {
        let [shown, last_four, hidden] = Self::ALL;
        match self {
            Self::Shown => shown.1,
            Self::LastFour => last_four.1,
            Self::Hidden => hidden.1,
        }
    }

    /// The choice with this name.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, name, _)| *name == id).map(|(choice, ..)| choice)
    }

    /// A number as responses show it.
    pub fn apply(self, number: &str) -> String {
        match self {
            Self::Shown => number.to_owned(),
            Self::LastFour => last_four(number),
            Self::Hidden => String::new(),
        }
    }
}

/// Replaces all letters and digits but the last four digits with `*`. A number that has no more than four digits is
/// replaced as a whole, because its last four are the number.
fn last_four(number: &str) -> String {
    let digits = number.chars().filter(char::is_ascii_digit).count();
    let replaced = if digits > 4 { digits - 4 } else { digits };
    let mut seen = 0;
    let mut replace = |c: char| {
        seen += usize::from(c.is_ascii_digit());
        if c.is_alphabetic() || (c.is_numeric() && (!c.is_ascii_digit() || seen <= replaced)) { '*' } else { c }
    };
    number.chars().map(&mut replace).collect()
}

/// Configuration of one agent: what API responses contain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    pub metrics: AllowedMetrics,
    pub transcript: bool,
    #[serde(default)]
    pub caller_numbers: CallerNumbers,
}

impl Default for Configuration {
    /// No metrics, no transcript, callers' numbers.
    fn default() -> Self {
        Self {
            metrics: AllowedMetrics::Only(BTreeSet::new()),
            transcript: false,
            caller_numbers: CallerNumbers::default(),
        }
    }
}

/// What an agent's configuration lets through, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationSummary {
    pub agent: AgentName,
    pub all_metrics: bool,
    /// Whether metrics are chosen by name.
    pub some_metrics: bool,
    pub transcript: bool,
    pub caller_numbers: CallerNumbers,
}

/// An agent's configuration with the choices that the page offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentConfiguration {
    pub agent: AgentName,
    pub configuration: Configuration,
    /// All metric names to choose from: the documented ones, those that occurred in the agent's conversations, and those
    /// that are chosen.
    pub offered: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_four_digits_of_a_number() {
        for (number, shown) in [
            ("+447856838428", "+********8428"),
            ("+44 (0) 7856-838428", "+** (*) ****-**8428"),
            ("sip:alice42@example.com", "***:*******@*******.***"),
            ("sip:15551234567@example.com", "***:*******4567@*******.***"),
            ("1234", "****"),
            ("anonymous", "*********"),
            ("١٢٣٤٥٦", "******"),
            ("", ""),
        ] {
            assert_eq!(CallerNumbers::LastFour.apply(number), shown);
            assert_eq!(CallerNumbers::Hidden.apply(number), "");
            assert_eq!(CallerNumbers::Shown.apply(number), number);
        }
        for (choice, id, _) in CallerNumbers::ALL {
            assert_eq!((choice.id(), CallerNumbers::parse(id)), (id, Some(choice)));
        }
    }
}
