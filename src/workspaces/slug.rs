//! Slugs: short names for addresses, such as `acme-uk`.

use crate::base::error::Problem;
use crate::base::randomness::Random;

const MAX_LEN: usize = 40;

/// First path segments that the server uses itself or may use later. No slug may be one of them.
const RESERVED: [&str; 25] = [
    "account",
    "adk",
    "api",
    "assets",
    "authz",
    "docs",
    "favicon",
    "fonts",
    "health",
    "healthz",
    "icons",
    "internal",
    "invitation",
    "metrics",
    "openapi",
    "pkg",
    "public",
    "readyz",
    "runtime",
    "set-up",
    "sign-in",
    "sign-out",
    "v1",
    "v2",
    "v3",
];

/// Checks a slug that a person chose.
pub fn parse(text: &str) -> Result<String, Problem> {
    let well_formed = text.len() <= MAX_LEN
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !well_formed {
        Err(Problem::SlugInvalid)
    } else if RESERVED.contains(&text) || has_form_of_an_id(text) {
        Err(Problem::SlugTaken)
    } else {
        Ok(text.to_owned())
    }
}

/// Whether a text could be a workspace's id. Such slugs are refused, because addresses accept both ids and slugs.
pub fn has_form_of_an_id(text: &str) -> bool {
    text.strip_prefix("ws-").is_some_and(|rest| rest.len() == 8 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Makes a slug from a name, transliterated to ASCII. `fallback` replaces an empty slug and prefixes a reserved one.
pub fn from_name(name: &str, fallback: &str) -> String {
    let latin = slug::slugify(name);
    let mut slug = latin.trim_start_matches(|c: char| !c.is_ascii_lowercase()).to_owned();
    slug.truncate(MAX_LEN - 6);
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() || RESERVED.contains(&slug) || has_form_of_an_id(slug) {
        format!("{fallback}-{slug}").trim_end_matches('-').to_owned()
    } else {
        slug.to_owned()
    }
}

/// Appends five random characters to a slug that is taken.
pub fn with_suffix(slug: &str, random: &Random) -> String {
    format!("{slug}-{}", random.text(b"0123456789abcdefghijklmnopqrstuvwxyz", 5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_from_names() {
        for (name, slug) in [
            ("Acme UK", "acme-uk"),
            ("  3rd   floor!", "rd-floor"),
            ("Ünïcode", "unicode"),
            ("123 !?", "agent"),
            ("Ключи ЕС", "kliuchi-es"),
            ("v3", "agent-v3"),
            ("Sign in", "agent-sign-in"),
            ("WS fd112d8f", "agent-ws-fd112d8f"),
        ] {
            assert_eq!(from_name(name, "agent"), slug);
            assert_eq!(parse(slug), Ok(slug.to_owned()));
        }
        assert!(parse(&from_name(&"long ".repeat(50), "agent")).is_ok());
    }

    #[test]
    fn chosen_by_people() {
        for wrong in ["", "Acme", "-acme", "3m", "a b", "a/b", &"a".repeat(41), "é"] {
            assert_eq!(parse(wrong), Err(Problem::SlugInvalid), "{wrong}");
        }
        assert_eq!(parse("sign-in"), Err(Problem::SlugTaken));
        assert_eq!(parse("ws-fd112d8f"), Err(Problem::SlugTaken), "another workspace's id");
        assert_eq!(parse("ws-fd112d8"), Ok("ws-fd112d8".to_owned()));
    }
}
