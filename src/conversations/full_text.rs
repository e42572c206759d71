//! Tokenising transcripts and search queries. Texts are split into words here and not by the databases, so that both
//! engines find the same, and no input of a client is interpreted as a query language.

use crate::http::envelope::ApiError;

/// Maximum number of indexed words for one speaker. PostgreSQL's word positions end at 16,383.
const MAX_WORDS: usize = 10_000;
/// Longest word, in bytes. Longer words are cut, in transcripts and in queries.
const MAX_WORD: usize = 64;
/// Longest query, in bytes, and its maximum number of words and phrases.
const MAX_QUERY: usize = 500;
const MAX_TERMS: usize = 32;
/// Separator between two utterances, so that no phrase matches across them. It is never a word.
const BREAK: &str = "¶";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    User,
    Agent,
}

/// A parsed query: all of these phrases, said by one speaker, or by either if `speaker` is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptQuery {
    phrases: Vec<Vec<String>>,
    speaker: Option<Speaker>,
}

/// The words of one speaker or of both, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(Vec<String>);

/// Splits a text into words of letters and digits, in lower case. In scripts without spaces between words, each letter
/// is a word.
fn words_of(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut end = |word: &mut String| {
        if !word.is_empty() {
            words.push(std::mem::take(word));
        }
    };
    for letter in text.chars().flat_map(char::to_lowercase) {
        if !is_letter(letter) {
            end(&mut word);
        } else if stands_alone(letter) {
            end(&mut word);
            word.push(letter);
            end(&mut word);
        } else if word.len() + letter.len_utf8() <= MAX_WORD {
            word.push(letter);
        }
    }
    end(&mut word);
    words
}

/// Letters, digits, and combining marks, which some scripts use for vowels.
fn is_letter(c: char) -> bool {
    let is_mark =
        matches!(c, '\u{300}'..='\u{36f}' | '\u{900}'..='\u{963}' | '\u{971}'..='\u{dff}' | '\u{200c}' | '\u{200d}');
    c.is_alphanumeric() || is_mark
}

/// Letters of scripts without spaces between words: Thai, Lao, Myanmar, Khmer, kana, Han.
fn stands_alone(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

impl Words {
    /// Adds an utterance. It is ignored if the words would exceed `MAX_WORDS`.
    pub fn say(&mut self, text: &str) {
        let words = words_of(text);
        if words.is_empty() || self.0.len() + words.len() > MAX_WORDS {
            return;
        }
        if !self.0.is_empty() {
            self.0.push(BREAK.to_owned());
        }
        self.0.extend(words);
    }

    /// Text for SQLite's FTS5, whose `ascii` tokenizer splits it at spaces.
    pub fn text(&self) -> String {
        self.0.join(" ")
    }

    /// Text of a PostgreSQL `tsvector`.
    pub fn vector(&self) -> String {
        let places = self.0.iter().enumerate().filter(|(_, word)| *word != BREAK);
        places.map(|(at, word)| format!("'{word}':{}", at + 1)).collect::<Vec<_>>().join(" ")
    }
}

impl TranscriptQuery {
    /// Parses a query: words, and phrases in double quotes.
    pub fn parse(query: &str, speaker: Option<Speaker>) -> Result<Self, ApiError> {
        let refused = |accepted: &str| ApiError::parameter("query", query, accepted);
        if query.len() > MAX_QUERY {
            return Err(refused(&format!("at most {MAX_QUERY} bytes of text")));
        }
        let mut phrases: Vec<Vec<String>> = Vec::new();
        for (at, part) in query.split('"').enumerate() {
            let words = words_of(part);
            // Parts with an odd index are between quotes.
            if at % 2 == 1 {
                phrases.push(words);
            } else {
                // Text without spaces that consists of several words, such as `e-mail`, becomes a phrase.
                phrases.extend(part.split_whitespace().map(words_of));
            }
        }
        phrases.retain(|phrase| !phrase.is_empty());
        match phrases.len() {
            0 => Err(refused("at least one word")),
            1..=MAX_TERMS => Ok(Self { phrases, speaker }),
            _ => Err(refused(&format!("at most {MAX_TERMS} words and phrases"))),
        }
    }

    /// The speaker whose words are searched; `None` for both.
    pub fn speaker(&self) -> Option<Speaker> {
        self.speaker
    }

    /// The query for SQLite's FTS5, limited to the conversations of one agent.
    pub fn fts5(&self, scope: &str) -> String {
        let columns = match self.speaker {
            Some(Speaker::User) => "user_words",
            Some(Speaker::Agent) => "agent_words",
            None => "{user_words agent_words}",
        };
        let phrases: Vec<String> = self.phrases.iter().map(|words| format!("\"{}\"", words.join(" "))).collect();
        format!("scope : \"{scope}\" AND {columns} : ({})", phrases.join(" AND "))
    }

    /// Text of a PostgreSQL `tsquery`.
    pub fn tsquery(&self) -> String {
        let quoted = |words: &Vec<String>| words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>();
        let phrases: Vec<String> =
            self.phrases.iter().map(|words| format!("({})", quoted(words).join(" <-> "))).collect();
        phrases.join(" & ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_apart_into_words() {
        for (text, words) in [
            ("Hello, WORLD! It's 9am.", "hello world it s 9am"),
            ("Größe ÉTÉ", "größe été"),
            ("Привет, мир", "привет мир"),
            ("नमस्ते दुनिया", "नमस्ते दुनिया"),
            ("電話番号 12", "電 話 番 号 12"),
            ("a\"b'c*d:(e) OR NOT NEAR ^f {g} \\ -", "a b c d e or not near f g"),
            ("¶ \0 \u{1f642}", ""),
        ] {
            assert_eq!(words_of(text).join(" "), words, "{text}");
        }
        assert_eq!(words_of(&"x".repeat(1_000))[0].len(), MAX_WORD);
    }

    #[test]
    fn no_phrase_reaches_across_utterances() {
        let mut words = Words::default();
        words.say("Good morning");
        words.say("…");
        words.say("Room 12, please");
        assert_eq!(words.text(), "good morning ¶ room 12 please");
        assert_eq!(words.vector(), "'good':1 'morning':2 'room':4 '12':5 'please':6");
    }

    #[test]
    fn searches_are_words_and_phrases() {
        let search = TranscriptQuery::parse("refund \"order number\" e-mail", Some(Speaker::User)).unwrap();
        assert_eq!(search.fts5("a"), "scope : \"a\" AND user_words : (\"refund\" AND \"order number\" AND \"e mail\")");
        assert_eq!(search.tsquery(), "('refund') & ('order' <-> 'number') & ('e' <-> 'mail')");
        assert_eq!(TranscriptQuery::parse("\"open", None).unwrap().tsquery(), "('open')");
        for nothing in ["", "  ", "\"\"", "* - :", "¶"] {
            assert!(TranscriptQuery::parse(nothing, None).is_err_and(|e| e.status == 400), "{nothing}");
        }
        assert!(TranscriptQuery::parse(&"a ".repeat(33), None).is_err());
        assert!(TranscriptQuery::parse(&"a".repeat(501), None).is_err());
    }
}
