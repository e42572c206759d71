//! What can be set for a key at any time: owner, note, tags, networks, limits.

use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use crate::base::error::Problem;
#[cfg(feature = "ssr")]
use crate::base::text::optional_line;
#[cfg(feature = "ssr")]
use ipnet::IpNet;
#[cfg(feature = "ssr")]
use sha2::{Digest as _, Sha256};
#[cfg(feature = "ssr")]
use std::net::IpAddr;

/// What an admin says about a key, and how it is limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySettings {
    /// A member's e-mail address, or any text; empty if nobody is named.
    pub owner: String,
    pub note: String,
    /// In alphabetical order.
    pub tags: Vec<String>,
    /// The networks from which the key may be used, in CIDR notation; empty for all.
    pub networks: Vec<String>,
    pub rate: Option<Rate>,
    /// Most calls in a month (UTC).
    pub quota: Option<u64>,
}

/// Most calls of a key in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    pub calls: u32,
    /// 1 or 60.
    pub seconds: u32,
    /// Calls that may come at once.
    pub burst: u32,
}

/// The settings as they were typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypedSettings<'a> {
    pub owner: &'a str,
    pub note: &'a str,
    /// Separated by commas or line breaks.
    pub tags: &'a str,
    /// Separated by commas, spaces or line breaks.
    pub networks: &'a str,
    /// `10/s` or `600/min`; empty for no limit.
    pub rate: &'a str,
    /// Empty for as many as the rate has.
    pub burst: &'a str,
    /// Empty for no limit.
    pub quota: &'a str,
}

#[cfg(feature = "ssr")]
const MAX_OWNER: usize = 200;
#[cfg(feature = "ssr")]
const MAX_NOTE: usize = 1_000;
#[cfg(feature = "ssr")]
pub const MAX_TAGS: usize = 20;
#[cfg(feature = "ssr")]
const MAX_TAG: usize = 40;
#[cfg(feature = "ssr")]
const MAX_NETWORKS: usize = 50;
#[cfg(feature = "ssr")]
const MAX_RATE: u32 = 1_000_000;
#[cfg(feature = "ssr")]
const MAX_QUOTA: u64 = 1_000_000_000_000;

#[cfg(feature = "ssr")]
impl KeySettings {
    /// A short text that is different for other settings.
    pub fn version(&self) -> String {
        hex::encode(&Sha256::digest(format!("{self:?}"))[..8])
    }

    /// Whether the networks have this address. Without networks a key may be used from everywhere.
    pub fn opens_from(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.is_empty()
            || self
                .networks
                .iter()
                .filter_map(|network| network.parse::<IpNet>().ok())
                .any(|net| net.contains(&address))
    }

    /// Reads and normalises typed settings. The errors name what is wrong, one for each field.
    pub fn parse(typed: &TypedSettings<'_>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut note = |problem| problems.push(problem);
        let owner = parse_owner(typed.owner);
        let text = optional_line(typed.note, MAX_NOTE).ok_or(Problem::NoteTooLong);
        let (tags, networks) = (parse_tags(typed.tags), parse_networks(typed.networks));
        let rate = Rate::parse(typed.rate, typed.burst);
        let quota = match typed.quota.trim() {
            "" => Ok(None),
            text => text.parse().ok().filter(|n| (1..=MAX_QUOTA).contains(n)).map(Some).ok_or(Problem::QuotaUnreadable),
        };
        match (owner, text, tags, networks, rate, quota) {
            (Ok(owner), Ok(note), Ok(tags), Ok(networks), Ok(rate), Ok(quota)) => {
                Ok(Self { owner, note, tags, networks, rate, quota })
            }
            (owner, text, tags, networks, rate, quota) => {
                let all = [owner.err(), text.err(), tags.err(), networks.err(), rate.err(), quota.err()];
                all.into_iter().flatten().for_each(&mut note);
                Err(problems)
            }
        }
    }
}

#[cfg(feature = "ssr")]
impl Rate {
    /// The rate that columns have; `None` if there is no limit.
    pub fn stored(calls: Option<i64>, seconds: Option<i64>, burst: Option<i64>) -> Option<Self> {
        let number = |stored: Option<i64>| stored.and_then(|n| n.try_into().ok());
        Some(Self { calls: number(calls)?, seconds: number(seconds)?, burst: number(burst)? })
    }

    fn parse(rate: &str, burst: &str) -> Result<Option<Self>, Problem> {
        let (rate, burst) = (rate.trim(), burst.trim());
        if rate.is_empty() {
            return if burst.is_empty() { Ok(None) } else { Err(Problem::RateUnreadable) };
        }
        let (calls, unit) = rate.split_once('/').ok_or(Problem::RateUnreadable)?;
        let seconds = match unit.trim() {
            "s" | "sec" | "second" => 1,
            "m" | "min" | "minute" => 60,
            _ => return Err(Problem::RateUnreadable),
        };
        let number = |text: &str| text.trim().parse().ok().filter(|n| (1..=MAX_RATE).contains(n));
        let calls = number(calls).ok_or(Problem::RateUnreadable)?;
        let burst = if burst.is_empty() { Some(calls) } else { number(burst) };
        Ok(Some(Self { calls, seconds, burst: burst.ok_or(Problem::BurstUnreadable)? }))
    }

    /// As it is typed: `10/s`.
    pub fn typed(self) -> String {
        format!("{}/{}", self.calls, if self.seconds == 1 { "s" } else { "min" })
    }
}

#[cfg(feature = "ssr")]
pub fn parse_owner(text: &str) -> Result<String, Problem> {
    optional_line(text, MAX_OWNER).ok_or(Problem::OwnerTooLong)
}

/// Reads tags that are separated by commas or line breaks.
#[cfg(feature = "ssr")]
pub fn parse_tags(text: &str) -> Result<Vec<String>, Problem> {
    let tags = text.split([',', '\n']).map(|tag| optional_line(tag, MAX_TAG).ok_or(Problem::TagsInvalid));
    let mut tags = tags.collect::<Result<Vec<_>, _>>()?;
    tags.retain(|tag| !tag.is_empty());
    tags.sort_unstable();
    tags.dedup();
    if tags.len() > MAX_TAGS { Err(Problem::TagsInvalid) } else { Ok(tags) }
}

/// Reads networks. An address without a prefix length is a network of its own; bits after the prefix are cleared.
#[cfg(feature = "ssr")]
fn parse_networks(text: &str) -> Result<Vec<String>, Problem> {
    let mut networks = Vec::new();
    for (at, word) in text.split([',', ' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()).enumerate() {
        let network = word.parse::<IpNet>().ok().or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from));
        networks.push(
            network.ok_or(Problem::NetworkUnreadable { place: u8::try_from(at + 1).unwrap_or(u8::MAX) })?.trunc(),
        );
    }
    networks.sort_unstable();
    networks.dedup();
    match networks.len() > MAX_NETWORKS {
        true => Err(Problem::NetworksTooMany),
        false => Ok(networks.iter().map(IpNet::to_string).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_normalised_and_mistakes_named() {
        let typed = "203.0.113.77/24, 10.1.2.3\n2001:DB8::1/32 203.0.113.0/24";
        assert_eq!(parse_networks(typed).unwrap(), ["10.1.2.3/32", "203.0.113.0/24", "2001:db8::/32"]);
        assert_eq!(parse_networks("10.0.0.0/8, 10.0.0.0/33"), Err(Problem::NetworkUnreadable { place: 2 }));
        assert_eq!(parse_networks("example.com"), Err(Problem::NetworkUnreadable { place: 1 }));
        let many = |n: usize| (0..n).map(|n| format!("10.0.{n}.0/24")).collect::<Vec<_>>().join("\n");
        assert!(parse_networks(&many(50)).is_ok());
        assert_eq!(parse_networks(&many(51)), Err(Problem::NetworksTooMany));
    }

    #[test]
    fn rates() {
        assert_eq!(Rate::parse("10/s", ""), Ok(Some(Rate { calls: 10, seconds: 1, burst: 10 })));
        assert_eq!(Rate::parse(" 600 / min ", "20"), Ok(Some(Rate { calls: 600, seconds: 60, burst: 20 })));
        assert_eq!(Rate::parse("", ""), Ok(None));
        for wrong in ["10", "0/s", "-1/s", "10/h", "1000001/s", "ten/s"] {
            assert_eq!(Rate::parse(wrong, ""), Err(Problem::RateUnreadable), "{wrong}");
        }
        assert_eq!(Rate::parse("10/s", "0"), Err(Problem::BurstUnreadable));
        assert_eq!(Rate::parse("", "5"), Err(Problem::RateUnreadable));
    }

    #[test]
    fn every_field_has_its_own_problem() {
        let long = "x".repeat(2_000);
        let typed =
            TypedSettings { owner: &long, note: &long, tags: &long, networks: "x", rate: "x", burst: "", quota: "0" };
        let problems = KeySettings::parse(&typed).unwrap_err();
        let fields: Vec<_> = problems.iter().map(|problem| problem.field()).collect();
        assert_eq!(fields, ["owner", "note", "tags", "networks", "rate", "quota"]);
        let tags = KeySettings::parse(&TypedSettings { tags: "b, a\n,b ", ..TypedSettings::default() }).unwrap().tags;
        assert_eq!(tags, ["a", "b"]);
    }
}
