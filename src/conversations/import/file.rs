//! Finding the conversations in a file: JSON Lines, a JSON array, a list answer (`{"conversations": […]}`), single documents,
//! and several of these one after the other; each also compressed by gzip (RFC 1952) or Zstandard (RFC 8878).

use crate::conversations::document::Document;
use crate::conversations::incoming::DocumentError;
use flate2::bufread::MultiGzDecoder;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::io::{BufRead, BufReader, Cursor, Read, Result};

/// UTF-8's byte order mark, which some programs write at the start of a file.
const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Name of the list in a list answer.
const LIST: &str = "conversations";
const BUFFER: usize = 1 << 20;

/// Where a conversation stands in its file; counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Line(u64),
    /// In a file that is not in JSON Lines.
    Conversation(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(f, "line {number}"),
            Self::Conversation(number) => write!(f, "conversation {number}"),
        }
    }
}

/// A conversation of a file, or why it is invalid.
#[derive(Debug)]
pub struct FoundDocument {
    pub place: Place,
    pub document: std::result::Result<Document, DocumentError>,
}

/// Calls `found` with each conversation of a file, until it returns `false`.
pub fn read(file: impl Read, found: impl FnMut(FoundDocument) -> bool) -> Result<()> {
    let mut file = BufReader::with_capacity(BUFFER, file);
    let start = file.fill_buf()?;
    if start.starts_with(GZIP_MAGIC) {
        read_text(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(file)), found)
    } else if start.starts_with(ZSTD_MAGIC) {
        read_text(BufReader::with_capacity(BUFFER, zstd::stream::read::Decoder::with_buffer(file)?), found)
    } else {
        read_text(file, found)
    }
}

fn read_text(mut file: impl BufRead, found: impl FnMut(FoundDocument) -> bool) -> Result<()> {
    if file.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
        file.consume(BYTE_ORDER_MARK.len());
    }
    let mut finder = Finder { found, count: 0, line: None, stopped: false };
    if is_list(file.fill_buf()?) {
        return finder.values(file);
    }
    let mut lines = Lines { file, number: 0 };
    let Some((number, first)) = lines.next()? else { return Ok(()) };
    if is_cut_off(&first) {
        let second = lines.next()?;
        let is_json_lines = second.as_ref().is_none_or(|(_, second)| second.starts_with(b"{"));
        if !is_json_lines {
            let (_, second) = second.unwrap_or_default();
            return finder.values(Cursor::new([first, second].concat()).chain(lines.file));
        }
        finder.line(number, &first)?;
        if let Some((number, second)) = second {
            finder.line(number, &second)?;
        }
    } else {
        finder.line(number, &first)?;
    }
    while !finder.stopped
        && let Some((number, line)) = lines.next()?
    {
        finder.line(number, &line)?;
    }
    Ok(())
}

/// Whether this is the start of an array or of a list answer.
fn is_list(start: &[u8]) -> bool {
    let start = start.trim_ascii_start();
    let first_name = start.strip_prefix(b"{").map(<[u8]>::trim_ascii_start).and_then(|rest| rest.strip_prefix(b"\""));
    start.starts_with(b"[") || first_name.is_some_and(|name| name.starts_with(format!("{LIST}\"").as_bytes()))
}

/// Whether a line is the start of a longer JSON text.
fn is_cut_off(line: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(line).is_err_and(|error| error.is_eof())
}

/// The lines of a file that are not blank, with their numbers from 1.
struct Lines<R> {
    file: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> Result<Option<(u64, Vec<u8>)>> {
        loop {
            let mut line = Vec::new();
            if self.file.read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if !line.trim_ascii().is_empty() {
                return Ok(Some((self.number, line)));
            }
        }
    }
}

/// Reads conversations and hands them on.
struct Finder<F> {
    found: F,
    /// Number of conversations that were found outside of JSON Lines.
    count: u64,
    /// Number of the line that is being read, in JSON Lines.
    line: Option<u64>,
    stopped: bool,
}

impl<F: FnMut(FoundDocument) -> bool> Finder<F> {
    /// Reads a line of JSON Lines: a document, an array or a list answer.
    fn line(&mut self, number: u64, line: &[u8]) -> Result<()> {
        self.line = Some(number);
        if is_list(line) {
            return self.values(line);
        }
        self.hand_on(Document::parse(line));
        Ok(())
    }

    /// Reads JSON texts that follow each other. What comes after a mistake in the syntax cannot be read.
    fn values(&mut self, file: impl Read) -> Result<()> {
        let mut json = serde_json::Deserializer::from_reader(file);
        while !self.stopped {
            match json.end() {
                Ok(()) => break,
                Err(error) if error.is_io() => return Err(error.into()),
                Err(_) => {}
            }
            if let Err(error) = ValueSeed(self).deserialize(&mut json) {
                if error.is_io() {
                    return Err(error.into());
                }
                if !self.stopped {
                    self.hand_on(Err(DocumentError::Document(error.to_string())));
                }
                break;
            }
        }
        Ok(())
    }

    fn hand_on(&mut self, document: std::result::Result<Document, DocumentError>) {
        let place = self.line.map(Place::Line).unwrap_or_else(|| {
            self.count += 1;
            Place::Conversation(self.count)
        });
        self.stopped = !(self.found)(FoundDocument { place, document });
    }
}

/// A document, an array of documents, or a list answer.
struct ValueSeed<'a, F>(&'a mut Finder<F>);

impl<'de, F: FnMut(FoundDocument) -> bool> DeserializeSeed<'de> for ValueSeed<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(FoundDocument) -> bool> Visitor<'de> for ValueSeed<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a conversation, an array of conversations or a list answer")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<(), A::Error> {
        while let Some(item) = items.next_element::<Box<RawValue>>()? {
            self.0.hand_on(Document::parse(item.get().as_bytes()));
            if self.0.stopped {
                return Err(serde::de::Error::custom("stopped"));
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> std::result::Result<(), A::Error> {
        // Put together again, because a list answer is recognised only at the name of its list.
        let (mut document, mut has_list) = (String::new(), false);
        while let Some(name) = fields.next_key::<String>()? {
            if name == LIST {
                fields.next_value_seed(ValueSeed(&mut *self.0))?;
                has_list = true;
            } else {
                let value = fields.next_value::<Box<RawValue>>()?;
                let name = serde_json::to_string(&name).map_err(serde::de::Error::custom)?;
                document.push(if document.is_empty() { '{' } else { ',' });
                document.push_str(&format!("{name}:{}", value.get()));
            }
        }
        if !has_list {
            document.push_str(if document.is_empty() { "{}" } else { "}" });
            self.0.hand_on(Document::parse(document.as_bytes()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    const ONE: &str = r#"{"id":"CA1","started_at":"2026-05-01T10:00:00Z"}"#;
    const TWO: &str = r#"{"conversationId":"CA2","startedAt":"2026-05-01T10:00:00.5+00:00"}"#;

    /// Ids of the conversations in a file; for an invalid one, its place and the reason.
    fn found(file: &[u8]) -> Vec<String> {
        let mut all = Vec::new();
        let told = |FoundDocument { place, document }| {
            all.push(document.map_or_else(|reason| format!("{place}: {reason}"), |document| document.id));
            true
        };
        read(file, told).unwrap();
        all
    }

    #[test]
    fn every_layout_is_read() {
        let pretty =
            |text: &str| serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(text).unwrap());
        let array = format!("[{ONE},{TWO}]");
        let answer = format!(r#"{{"conversations":{array},"count":2,"limit":50,"offset":0}}"#);
        let list_last = format!(r#"{{"count":2,"conversations":{array}}}"#);
        let pretty_array = pretty(&array).unwrap();
        let pretty_answer = pretty(&answer).unwrap();
        let pretty_list_last = pretty(&list_last).unwrap();
        let pretty_documents = format!("{}\n{}", pretty(ONE).unwrap(), pretty(TWO).unwrap());
        for file in [
            format!("{ONE}\n{TWO}\n"),
            format!("\u{FEFF}\r\n{ONE}\r\n\n {TWO}"),
            array.clone(),
            answer.clone(),
            format!("{}\n{}", answer.replace(&format!(",{TWO}"), ""), answer.replace(&format!("{ONE},"), "")),
            format!("{ONE}\n[{TWO}]\n"),
            pretty_array,
            pretty_answer,
            pretty_list_last,
            pretty_documents,
        ] {
            assert_eq!(found(file.as_bytes()), ["CA1", "CA2"], "{file}");
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(file.as_bytes()).unwrap();
            assert_eq!(found(&gzip.finish().unwrap()), ["CA1", "CA2"], "gzip: {file}");
            let zstd = zstd::stream::encode_all(file.as_bytes(), 1).unwrap();
            assert_eq!(found(&zstd), ["CA1", "CA2"], "Zstandard: {file}");
        }
        assert_eq!(found(b""), [""; 0]);
        assert_eq!(found(b" \n\n"), [""; 0]);
    }

    #[test]
    fn what_is_invalid_is_named_and_skipped() {
        let broken = ONE.trim_end_matches('}');
        let lines = format!("{broken}\n{ONE}\n{{\"id\":5}}\nnothing\n\n{TWO}\n");
        let lines = found(lines.as_bytes());
        assert_eq!((lines[1].as_str(), lines[4].as_str(), lines.len()), ("CA1", "CA2", 5));
        assert!(lines[0].starts_with("line 1: EOF while parsing an object"), "{}", lines[0]);
        assert_eq!(lines[2], "line 3: `id` is 5; a text is expected");
        assert!(lines[3].starts_with("line 4: expected"), "{}", lines[3]);

        let array = format!("[{ONE},\n{{\"id\":\"CA9\"}}, {TWO},\n {ONE} {TWO}]");
        let array = found(array.as_bytes());
        let missing = "conversation 2: `started_at` is missing; an ISO 8601 date and time is expected";
        assert_eq!(array[..4], ["CA1", missing, "CA2", "CA1"].map(str::to_owned));
        assert!(array[4].starts_with("conversation 5: expected `,` or `]` at line 3"), "{}", array[4]);
        assert_eq!(array.len(), 5);
        assert!(found(b"[1]")[0].contains("no JSON object"));
    }

    #[test]
    fn a_file_that_ends_early_or_is_damaged_says_so() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(ONE.as_bytes()).unwrap();
        let gzip = gzip.finish().unwrap();
        assert!(read(&gzip[..gzip.len() - 9], |_| true).is_err());
        assert!(read(&b"\x28\xb5\x2f\xfdnothing"[..], |_| true).is_err());
    }

    #[test]
    fn reading_stops_when_told() {
        for file in [format!("{ONE}\n{TWO}\n{ONE}"), format!("[{ONE},{TWO},{ONE}]")] {
            let mut count = 0;
            read(file.as_bytes(), |_| {
                count += 1;
                count < 2
            })
            .unwrap();
            assert_eq!(count, 2, "{file}");
        }
    }
}
