//! The opaque place where the next page begins: the last conversation's start and id. It stays correct while
//! conversations are being written, and costs the same at any depth.

use crate::base::time::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Longest id of a conversation, in bytes.
pub const MAX_ID_LEN: usize = 200;

/// A place in the list, newest first: what comes next is older, or as old with a smaller id.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Cursor {
    pub started_at: Timestamp,
    pub id: String,
}

impl Cursor {
    /// Before everything.
    pub fn top() -> Self {
        Self { started_at: Timestamp(i64::MAX), id: String::new() }
    }

    /// As callers get it: URL-safe.
    pub fn encode(&self) -> String {
        let mut bytes = self.started_at.0.to_be_bytes().to_vec();
        bytes.extend_from_slice(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads one that a caller sent back; `None` where it is not one of ours.
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

/// Whether this can be a conversation's id: 1 to 200 visible ASCII characters.
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
