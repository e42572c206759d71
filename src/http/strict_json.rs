//! Checks that every parser reads a JSON text in the same way and that both databases can store it. RFC 8259 (sections
//! 4 and 8) does not define the meaning of duplicate names and of lone surrogates.

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

/// Checks that no object has duplicate names, that no text contains a NUL character, which PostgreSQL cannot store, and
/// that no text contains a lone surrogate. The error is one sentence that names the position, as in `turns[3].latency`.
pub fn check(json: &[u8]) -> Result<(), String> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let checked = ValueChecker(&JsonPath::Root).deserialize(&mut reader).and_then(|()| reader.end());
    checked.map_err(|error| error.to_string())
}

/// Position of a value in the document.
enum JsonPath<'a> {
    Root,
    Field(&'a JsonPath<'a>, &'a str),
    Item(&'a JsonPath<'a>, usize),
}

impl fmt::Display for JsonPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("the document"),
            Self::Field(JsonPath::Root, name) => f.write_str(name),
            Self::Field(of, name) => write!(f, "{of}.{name}"),
            Self::Item(JsonPath::Root, at) => write!(f, "[{at}]"),
            Self::Item(of, at) => write!(f, "{of}[{at}]"),
        }
    }
}

/// Checks the value at this position.
struct ValueChecker<'a>(&'a JsonPath<'a>);

impl<'de> DeserializeSeed<'de> for ValueChecker<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueChecker<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        match text.contains('\0') {
            true => Err(E::custom(format_args!("`{}` holds a NUL character, which cannot be stored", self.0))),
            false => Ok(()),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut at = 0;
        while items.next_element_seed(ValueChecker(&JsonPath::Item(self.0, at)))?.is_some() {
            at += 1;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let mut names: HashSet<Cow<'de, str>> = HashSet::new();
        while let Some(ObjectName(name)) = fields.next_key()? {
            let place = JsonPath::Field(self.0, &name);
            if name.contains('\0') {
                return Err(A::Error::custom(format_args!("a name in `{}` holds a NUL character", self.0)));
            }
            if names.contains(&name) {
                return Err(A::Error::custom(format_args!("`{place}` stands there twice")));
            }
            fields.next_value_seed(ValueChecker(&place))?;
            names.insert(name);
        }
        Ok(())
    }
}

/// A name in an object, borrowed from the input if it has no escapes.
struct ObjectName<'de>(Cow<'de, str>);

impl<'de> serde::Deserialize<'de> for ObjectName<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl<'de> Visitor<'de> for Text {
            type Value = ObjectName<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<ObjectName<'de>, E> {
                Ok(ObjectName(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<ObjectName<'de>, E> {
                Ok(ObjectName(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_is_refused_is_named() {
        for (json, says) in [
            (r#"{"a":1,"a":2}"#, "`a` stands there twice"),
            (r#"{"a":{"b":[0,{"c":1,"\u0063":2}]}}"#, "`a.b[1].c` stands there twice"),
            (r#"[[1],["x\u0000y"]]"#, "`[1][0]` holds a NUL character"),
            (r#"{"turns":[{},{"text":"\u0000"}]}"#, "`turns[1].text` holds a NUL character"),
            (r#"{"a":{"b\u0000":1}}"#, "a name in `a` holds a NUL character"),
            (r#""\ud800""#, "hex escape"),
            (r#""\ud800x""#, ""),
            ("{", "EOF"),
            ("{} {}", "trailing"),
            ("1e400", "out of range"),
            (&"[".repeat(1_000), "recursion limit"),
        ] {
            let error = check(json.as_bytes()).unwrap_err();
            assert!(error.contains(says), "{json}: {error}");
        }
        assert!(check(b"\"\xff\"").is_err(), "no UTF-8");
    }

    #[test]
    fn what_only_looks_like_it_passes() {
        for json in [
            r#"{"a":{"b":1},"c":{"b":1}}"#,
            r#""a backslash and u0000: \\u0000""#,
            r#"{"n":12345678901234567890123,"m":1.50,"x":"\ud83d\ude00\u200f"}"#,
            "null",
        ] {
            assert_eq!(check(json.as_bytes()), Ok(()), "{json}");
        }
    }
}
