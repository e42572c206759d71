//! What a location needs of a key, as the proxy's own configuration says it in the auth URL: never the client.

use crate::api_keys::Permission;
use crate::gate::Need;
use crate::http::parameters::Parameters;

/// In a path, where nothing is asked for.
const ANY: &str = "-";
/// What may stand in the query.
const NAMES: [&str; 3] = ["account_id", "project_id", "permission"];

/// What a location needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectedLocation {
    account_id: String,
    project_id: Option<String>,
    permission: Option<Permission>,
}

impl ProtectedLocation {
    /// From the query of an auth URL; the error says what is wrong with it. What is not known is refused: a mistyped
    /// name must not open more than was meant.
    pub fn from_query(query: &str) -> Result<Self, String> {
        let given = Parameters::read(query).map_err(|error| error.message)?;
        if let Some(name) = given.names().find(|name| !NAMES.contains(name)) {
            return Err(format!("there is no parameter `{name}`; there are {}", NAMES.join(", ")));
        }
        let one = |name| given.one(name).map_err(|error| error.message);
        Self::new(one("account_id")?.unwrap_or_default(), one("project_id")?, one("permission")?)
    }

    /// From the segments of an auth URL's path; `-` asks for nothing.
    pub fn from_path(account_id: &str, project_id: &str, permission: &str) -> Result<Self, String> {
        let given = |segment: &'_ str| (segment != ANY).then(|| segment.to_owned());
        Self::new(account_id, given(project_id).as_deref(), given(permission).as_deref())
    }

    fn new(account_id: &str, project_id: Option<&str>, permission: Option<&str>) -> Result<Self, String> {
        if account_id.is_empty() || account_id == ANY {
            return Err("`account_id` is missing: the workspace's id or slug".to_owned());
        }
        if project_id == Some("") {
            return Err("`project_id` is empty: leave it out where no agent is asked for".to_owned());
        }
        let permission = permission.map(|id| {
            Permission::parse(id).ok_or_else(|| {
                let known = Permission::ALL.map(Permission::id).join(", ");
                format!("there is no permission `{id}`; there are {known}")
            })
        });
        Ok(Self {
            account_id: account_id.to_owned(),
            project_id: project_id.map(str::to_owned),
            permission: permission.transpose()?,
        })
    }

    /// The same, for the gate.
    pub fn need(&self) -> Need<'_> {
        Need { account_id: Some(&self.account_id), permission: self.permission, project_id: self.project_id.as_deref() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
