//! The words of a transcript, and of a search for them. Texts are taken apart here, not by the databases: both then find
//! the same, and nothing that a caller types is ever read as a query language.

use crate::http::envelope::ApiError;

/// Most words of one side of a conversation that can be found; PostgreSQL counts no further than 16,383.
const MAX_WORDS: usize = 10_000;
/// Longest word, in bytes; the rest of a longer one is cut off, here and in searches alike.
const MAX_WORD: usize = 64;
/// Longest search, in bytes, and most words and phrases in it.
const MAX_QUERY: usize = 500;
const MAX_TERMS: usize = 32;
/// Between two utterances, for no phrase to reach across; no word is this.
const BREAK: &str = "¶";

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    User,
    Agent,
}

/// What is searched for: every one of these phrases, said by this speaker or by either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    phrases: Vec<Vec<String>>,
    speaker: Option<Speaker>,
}

/// The words of one side of a conversation, or of both, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(Vec<String>);

/// Takes a text apart: letters and digits in lower case. Scripts that put no spaces between words count each letter.
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

/// Letters and digits, and the marks that some scripts write their vowels with.
fn is_letter(c: char) -> bool {
    let is_mark =
        matches!(c, '\u{300}'..='\u{36f}' | '\u{900}'..='\u{963}' | '\u{971}'..='\u{dff}' | '\u{200c}' | '\u{200d}');
    c.is_alphanumeric() || is_mark
}

/// Thai, Lao, Myanmar, Khmer, kana, Chinese characters.
fn stands_alone(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

impl Words {
    /// Takes one more utterance.
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

    /// As FTS5 takes them, whose `ascii` tokenizer parts them at spaces.
    pub fn text(&self) -> String {
        self.0.join(" ")
    }

    /// As a `tsvector` is written.
    pub fn vector(&self) -> String {
        let places = self.0.iter().enumerate().filter(|(_, word)| *word != BREAK);
        places.map(|(at, word)| format!("'{word}':{}", at + 1)).collect::<Vec<_>>().join(" ")
    }
}

impl Search {
    /// Reads what a caller searches for: words, and phrases in double quotes.
    pub fn parse(query: &str, speaker: Option<Speaker>) -> Result<Self, ApiError> {
        let refused = |accepted: &str| ApiError::parameter("query", query, accepted);
        if query.len() > MAX_QUERY {
            return Err(refused(&format!("at most {MAX_QUERY} bytes of text")));
        }
        let mut phrases: Vec<Vec<String>> = Vec::new();
        for (at, part) in query.split('"').enumerate() {
            let words = words_of(part);
            // Every other part stands between quotes.
            if at % 2 == 1 {
                phrases.push(words);
            } else {
                // What was one word to the caller stays together where it is several here.
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

    /// Who must have said it.
    pub fn speaker(&self) -> Option<Speaker> {
        self.speaker
    }

    /// As FTS5 takes it, among the conversations of one agent.
    pub fn fts5(&self, scope: &str) -> String {
        let columns = match self.speaker {
            Some(Speaker::User) => "user_words",
            Some(Speaker::Agent) => "agent_words",
            None => "{user_words agent_words}",
        };
        let phrases: Vec<String> = self.phrases.iter().map(|words| format!("\"{}\"", words.join(" "))).collect();
        format!("scope : \"{scope}\" AND {columns} : ({})", phrases.join(" AND "))
    }

    /// As a `tsquery` is written.
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
        let search = Search::parse("refund \"order number\" e-mail", Some(Speaker::User)).unwrap();
        assert_eq!(search.fts5("a"), "scope : \"a\" AND user_words : (\"refund\" AND \"order number\" AND \"e mail\")");
        assert_eq!(search.tsquery(), "('refund') & ('order' <-> 'number') & ('e' <-> 'mail')");
        assert_eq!(Search::parse("\"open", None).unwrap().tsquery(), "('open')");
        for nothing in ["", "  ", "\"\"", "* - :", "¶"] {
            assert!(Search::parse(nothing, None).is_err_and(|e| e.status == 400), "{nothing}");
        }
        assert!(Search::parse(&"a ".repeat(33), None).is_err());
        assert!(Search::parse(&"a".repeat(501), None).is_err());
    }
}
