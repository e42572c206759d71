//! Pagination cursor: start and id of the last conversation on the page (keyset pagination). It stays correct while
//! conversations are written, and every page costs the same. Opaque to clients.

use crate::base::time::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub const MAX_ID_LEN: usize = 200;

/// A position in the list, which is sorted by start and id, both descending.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Cursor {
    pub started_at: Timestamp,
    pub id: String,
}

impl Cursor {
    /// The beginning of the list.
    pub fn top() -> Self {
        Self { started_at: Timestamp(i64::MAX), id: String::new() }
    }

    /// The form that clients get: base64url of the start in microseconds (8 bytes, big-endian) and the id.
    pub fn encode(&self) -> String {
        let mut bytes = self.started_at.0.to_be_bytes().to_vec();
        bytes.extend_from_slice(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor that a client sent; `None` if it is not well-formed.
    pub fn decode(text: &str) -> Option<Self> {
        if text.len() > (MAX_ID_LEN + 8) * 2 {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (time, id) = bytes.split_first_chunk::<8>()?;
        let id = std::str::from_utf8(id).ok().filter(|id| is_id(id))?;
        Some(Self { started_at: Timestamp(i64::from_be_bytes(*time)), id: id.to_owned() })
    }
}

/// Whether a text is a valid id of a conversation: 1 to 200 visible ASCII characters.
pub fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_ID_LEN && id.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn comes_back_as_it_went() {
        let cursor = Cursor { started_at: Timestamp(1_625_148_900_000_001), id: "CAabcd1234567".to_owned() };
        let text = cursor.encode();
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{text}");
        assert_eq!(Cursor::decode(&text), Some(cursor));
    }

    proptest! {
        #[test]
        fn any_place_comes_back(started_at: i64, id in "[!-~]{1,200}") {
            let cursor = Cursor { started_at: Timestamp(started_at), id };
            prop_assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        }

        #[test]
        fn what_is_taken_for_one_is_one(text in prop_oneof![".{0,64}", "[A-Za-z0-9_-]{12,64}"]) {
            if let Some(cursor) = Cursor::decode(&text) {
                prop_assert!(is_id(&cursor.id));
                prop_assert_eq!(cursor.encode(), text);
            }
        }
    }

    #[test]
    fn broken_ones_are_refused() {
        let long = "A".repeat(10_000);
        for text in ["", "A", "AAAA", "not a cursor!", "AAAAAAAAAAA=", "AAAAAAAAAAA", "AAAAAAAAAAD_", &long] {
            assert_eq!(Cursor::decode(text), None, "{text}");
        }
    }
}
