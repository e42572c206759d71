//! Text helpers: single-line names, invisible characters, percent-encoding, and removing secrets from logged text.

use super::error::Problem;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Unicode's `Bidi_Control` characters (marks, embeddings, overrides, isolates). They make text appear in another order
/// than it is stored in.
pub fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character is displayed as nothing: whitespace, control characters, Unicode's
/// `Default_Ignorable_Code_Point`, and the empty Braille pattern.
pub fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFF8}'
            | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// `1 day`, `7 days`.
#[cfg(feature = "ssr")]
pub fn days_in_words(days: i32) -> String {
    if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
}

/// Normalises a name that a person typed. Whitespace characters, line breaks included, become spaces; other control
/// characters and bidirectional controls are removed; the ends are trimmed. The error says that no visible character is
/// left, or that the name has more than `max_chars` characters.
pub fn single_line(text: &str, max_chars: usize) -> Result<String, Problem> {
    let spaced: String = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !c.is_control() && !is_bidi_control(*c))
        .collect();
    let name = spaced.trim();
    match name.chars().count() {
        _ if name.chars().all(is_invisible) => Err(Problem::NameMissing),
        n if n > max_chars => Err(Problem::NameTooLong),
        _ => Ok(name.to_owned()),
    }
}

/// Normalises a text of one line that may be empty, like [`single_line`]; `None` if it has more than `max_chars` characters.
pub fn optional_line(text: &str, max_chars: usize) -> Option<String> {
    match single_line(text, max_chars) {
        Ok(line) => Some(line),
        Err(Problem::NameMissing) => Some(String::new()),
        Err(_) => None,
    }
}

/// All characters but the unreserved ones (RFC 3986, section 2.3), which need no percent-encoding.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Percent-encodes text for use as a value in a query string.
pub fn query_value(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// Longest text that is logged, in characters.
const MAX_LOGGED: usize = 500;

/// Prepares text for the log: replaces what looks like a key or a token by `***`, and cuts the text to `MAX_LOGGED`.
pub fn without_secrets(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(at) = ["ask_", "ast_"].iter().filter_map(|prefix| rest.find(prefix)).min() {
        let (before, secret) = rest.split_at(at);
        kept.push_str(before);
        kept.push_str(&secret[..4]);
        rest = secret[4..].trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if secret.len() - rest.len() > 4 {
            kept.push_str("***");
        }
    }
    kept.push_str(rest);
    kept.chars().take(MAX_LOGGED).collect()
}

/// A `LIKE` pattern, escaped with `\`, that matches texts which contain this one.
pub fn containing(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_not_kept() {
        let key = "ask_0123456789ABCDEFGHIJKLMNOPQRSTUV2QjdX3";
        assert_eq!(without_secrets(&format!("/v3/{key}/x")), "/v3/ask_***/x");
        assert_eq!(without_secrets(&format!("{key}{key}_{key}")), "ask_***");
        assert_eq!(without_secrets("/a/ast_abcDEF"), "/a/ast_***");
        assert_eq!(without_secrets("/v3/acme/task_list"), "/v3/acme/task_***");
        assert_eq!(without_secrets("/v3/acme/hotel/conversations"), "/v3/acme/hotel/conversations");
        assert_eq!(without_secrets("ask_"), "ask_");
        assert_eq!(without_secrets(&"ü".repeat(1_000)).chars().count(), MAX_LOGGED);
    }
}
