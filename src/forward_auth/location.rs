//! The access that a location requires of a key. It is part of the auth URL in the proxy's configuration; the client
//! cannot influence it.

use crate::api_keys::Permission;
use crate::gate::AccessRequest;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// Path segment that requires nothing.
const ANY: &str = "-";
/// The accepted query parameters.
const NAMES: [&str; 3] = ["account_id", "project_id", "permission"];

/// The access that a location requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectedLocation<'a> {
    account_id: Cow<'a, str>,
    project_id: Option<Cow<'a, str>>,
    permission: Option<Permission>,
}

impl<'a> ProtectedLocation<'a> {
    /// Reads the query of an auth URL. The error says what is wrong. Unknown parameters are refused, so that a
    /// misspelled name does not grant more access than intended.
    pub fn from_query(query: &'a str) -> Result<Self, String> {
        // Nothing is encoded in nearly every proxy's configuration, and decoding would take a tenth of the gate's time.
        if query.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
            Self::from_parameters(form_urlencoded::parse(query.as_bytes()))
        } else {
            let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
            let parameters = parameters.map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")));
            Self::from_parameters(parameters.map(|(name, value)| (name.into(), value.into())))
        }
    }

    fn from_parameters(parameters: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> Result<Self, String> {
        let mut given: [Option<Cow<'a, str>>; 3] = [None, None, None];
        for (name, value) in parameters {
            let Some(at) = NAMES.iter().position(|known| *known == name) else {
                return Err(format!("there is no parameter `{name}`; there are {}", NAMES.join(", ")));
            };
            if given[at].replace(value).is_some() {
                return Err(format!("the parameter `{name}` is there twice"));
            }
        }
        let [account_id, project_id, permission] = given;
        Self::new(account_id.unwrap_or_default(), project_id, permission.as_deref())
    }

    /// Reads the path segments of an auth URL. `-` requires nothing.
    pub fn from_path(account_id: &'a str, project_id: &'a str, permission: &'a str) -> Result<Self, String> {
        let decoded = |segment: &'a str| percent_decode_str(segment).decode_utf8_lossy();
        let given = |segment: &'a str| Some(decoded(segment)).filter(|segment| segment != ANY);
        Self::new(decoded(account_id), given(project_id), given(permission).as_deref())
    }

    fn new(
        account_id: Cow<'a, str>,
        project_id: Option<Cow<'a, str>>,
        permission: Option<&str>,
    ) -> Result<Self, String> {
        if account_id.is_empty() || account_id == ANY {
            return Err("`account_id` is missing: the workspace's id or slug".to_owned());
        }
        if project_id.as_deref() == Some("") {
            return Err("`project_id` is empty: leave it out where no agent is asked for".to_owned());
        }
        let permission = permission.map(|id| {
            Permission::parse(id).ok_or_else(|| {
                let known = Permission::ALL.map(Permission::id).join(", ");
                format!("there is no permission `{id}`; there are {known}")
            })
        });
        Ok(Self { account_id, project_id, permission: permission.transpose()? })
    }

    /// The required access in the form that the gate takes.
    pub fn need(&self) -> AccessRequest<'_> {
        AccessRequest {
            account_id: Some(&self.account_id),
            permission: self.permission,
            project_id: self.project_id.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::proptest;

    proptest! {
        #[test]
        fn what_is_not_encoded_is_read_as_if_it_were_decoded(
            query in "((account_id|project_id|permission|x)?=?(acme|handoff|-|é|;)?&?){0,4}",
        ) {
            let decoded = ProtectedLocation::from_parameters(form_urlencoded::parse(query.as_bytes()));
            assert_eq!(ProtectedLocation::from_query(&query), decoded);
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let all = ProtectedLocation::from_query("account_id=acme&project_id=hotel&permission=external-events").unwrap();
        assert_eq!(all, ProtectedLocation::from_path("acme", "hotel", "external-events").unwrap());
        let least = ProtectedLocation::from_query("account_id=acme").unwrap();
        assert_eq!(least, ProtectedLocation::from_path("acme", "-", "-").unwrap());
        for wrong in [
            "",
            "account_id=",
            "account_id=-",
            "project_id=hotel",
            "account_id=acme&account_id=other",
            "account_id=acme&permission=",
            "account_id=acme&permission=admin",
            "account_id=acme&permision=handoff",
            "account_id=acme&project_id=",
        ] {
            assert!(ProtectedLocation::from_query(wrong).is_err(), "{wrong}");
        }
        for (account, project, permission) in [("-", "-", "-"), ("acme", "", "-"), ("acme", "-", "x")] {
            assert!(
                ProtectedLocation::from_path(account, project, permission).is_err(),
                "{account} {project} {permission}"
            );
        }
    }
}
