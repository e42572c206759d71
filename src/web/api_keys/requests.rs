//! Ready requests for a key, for each of its permissions, in several languages.

use crate::api_keys::{ApiKey, Permission};
use crate::base::error::Error;
use crate::base::id::{AgentId, WorkspaceId};
use crate::base::text::query_value;
use crate::web::guard::{self, SignedInMember};

/// Environment variable that the requests read the key from, so that no key stands in code.
pub const VARIABLE: &str = "API_KEY";

/// Language of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    #[default]
    Curl,
    Python,
    TypeScript,
}

impl Language {
    /// The language with this value in the address; curl for any other.
    pub fn parse(id: &str) -> Self {
        match id {
            "python" => Self::Python,
            "typescript" => Self::TypeScript,
            _ => Self::Curl,
        }
    }

    fn write(self, call: &ExampleCall) -> String {
        match self {
            Self::Curl => curl(call),
            Self::Python => python(call),
            Self::TypeScript => typescript(call),
        }
    }
}

/// What the addresses of requests are made of.
#[derive(Clone, Debug)]
struct RequestTarget {
    /// `https://keys.example.com`
    origin: String,
    workspace: WorkspaceId,
    /// An agent that the key covers; `None` where there is none.
    agent: Option<AgentId>,
    /// One of that agent's conversations; `None` where it has none.
    conversation: Option<String>,
}

struct ExampleCall {
    method: &'static str,
    url: String,
    body: Option<&'static str>,
}

/// Titles and texts of requests for what a key opens, with an agent that it covers.
pub async fn requests_for(
    member: &SignedInMember,
    key: &ApiKey,
    language: Language,
) -> Result<Vec<(String, String)>, Error> {
    let (services, workspace) = (member.services(), &member.workspace().id);
    let agents = match &key.agents {
        Some(agents) => agents.clone(),
        None => services.agents.names(workspace).await?,
    };
    let agent = agents.into_iter().next().map(|agent| agent.id);
    // A conversation's id may identify the caller: only members who could read conversations with this key get it.
    let may_see = member.visit.is_admin() && key.permissions.contain(Permission::Conversations);
    let conversation = match &agent {
        Some(agent) if may_see => services.conversations.latest(workspace, agent).await?,
        _ => None,
    };
    let target = RequestTarget { origin: guard::origin(services), workspace: workspace.clone(), agent, conversation };
    Ok(requests(key, &target, language))
}

/// Titles and texts of a request for each permission of the key.
fn requests(key: &ApiKey, place: &RequestTarget, language: Language) -> Vec<(String, String)> {
    let mut calls =
        vec![("List the agents that this key covers", get(place, &format!("/v1/accounts/{}/agents", place.workspace)))];
    if let Some(agent) = &place.agent {
        let has = |permission| key.permissions.contain(permission);
        let base = format!("{}/{agent}", place.workspace);
        // The id is encoded: whoever starts a conversation may choose its id, quotes included.
        let conversation = query_value(place.conversation.as_deref().unwrap_or("CONVERSATION_ID"));
        if has(Permission::Conversations) {
            calls.push(("List the latest conversations", get(place, &format!("/v3/{base}/conversations?limit=10"))));
            calls.push(("Get one conversation", get(place, &format!("/v3/{base}/conversations/{conversation}"))));
        }
        if has(Permission::Handoff) {
            calls.push((
                "Get the state of a handoff",
                get(place, &format!("/v1/{base}/handoff_state?id={conversation}")),
            ));
        }
        if has(Permission::ExternalEvents) {
            let query = format!("account_id={}&project_id={agent}", place.workspace);
            let path = format!("/v1/external-events/webhook?event_id_location=payload&event_id_path=id&{query}");
            calls.push(("Deliver an event that a conversation waits for", post(place, &path, r#"{"id": "EVENT_ID"}"#)));
        }
    }
    if key.permissions.contain(Permission::Agents) {
        let body = r#"{"name": "New agent", "responseSettings": {"greeting": "Hello"}}"#;
        calls.push(("Create an agent", post(place, &format!("/v1/accounts/{}/agents", place.workspace), body)));
    }
    calls.into_iter().map(|(title, call)| (title.to_owned(), language.write(&call))).collect()
}

fn get(place: &RequestTarget, path: &str) -> ExampleCall {
    ExampleCall { method: "GET", url: format!("{}{path}", place.origin), body: None }
}

fn post(place: &RequestTarget, path: &str, body: &'static str) -> ExampleCall {
    ExampleCall { method: "POST", url: format!("{}{path}", place.origin), body: Some(body) }
}

fn curl(ExampleCall { url, body, .. }: &ExampleCall) -> String {
    let body = body.map(|body| format!(" \\\n  -H 'content-type: application/json' \\\n  -d '{body}'"));
    format!("curl '{url}' \\\n  -H \"x-api-key: ${VARIABLE}\"{}", body.unwrap_or_default())
}

fn python(ExampleCall { method, url, body }: &ExampleCall) -> String {
    let (content_type, data) = match body {
        Some(body) => (", \"content-type\": \"application/json\"", format!("\n    data=b'{body}',")),
        None => ("", String::new()),
    };
    format!(
        "import os\nimport urllib.request\n\nrequest = urllib.request.Request(\n    \"{url}\",\n    method=\"{method}\",\n    \
         headers={{\"x-api-key\": os.environ[\"{VARIABLE}\"]{content_type}}},{data}\n)\n\
         with urllib.request.urlopen(request) as response:\n    print(response.status, response.read().decode())"
    )
}

fn typescript(ExampleCall { method, url, body }: &ExampleCall) -> String {
    let (content_type, data) = match body {
        Some(body) => (", \"content-type\": \"application/json\"", format!("\n  body: '{body}',")),
        None => ("", String::new()),
    };
    format!(
        "const response = await fetch(\"{url}\", {{\n  method: \"{method}\",\n  \
         headers: {{ \"x-api-key\": process.env.{VARIABLE} ?? \"\"{content_type} }},{data}\n}});\n\
         if (!response.ok) throw new Error(await response.text());\nconsole.log(response.status, await response.text());"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_keys::{KeyName, KeySettings, Permissions};
    use crate::base::id::ApiKeyId;
    use crate::base::time::Timestamp;

    #[test]
    fn no_conversation_breaks_out_of_its_request() {
        let key = ApiKey {
            id: ApiKeyId::parse("key-1").unwrap(),
            name: KeyName::parse("CRM").unwrap(),
            masked: String::new(),
            copyable: false,
            agents: None,
            permissions: Permissions::parse(["conversations", "handoff"]).unwrap(),
            created_at: Timestamp(0),
            created_by: String::new(),
            expires_at: Timestamp(0),
            last_used_at: None,
            last_client: None,
            value_created_at: Timestamp(0),
            old_value: None,
            pause: None,
            settings: KeySettings::default(),
        };
        let every_character: String = (b'!'..=b'~').map(char::from).collect();
        let place = RequestTarget {
            origin: "http://localhost".to_owned(),
            workspace: WorkspaceId::parse("ws-1").unwrap(),
            agent: AgentId::parse("PROJECT-1"),
            conversation: Some(every_character),
        };
        for language in [Language::Curl, Language::Python, Language::TypeScript] {
            for (title, code) in requests(&key, &place, language) {
                let url = code.split("http://").nth(1).unwrap();
                let end = url.find(['\'', '"']).unwrap();
                let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~%/?=&".contains(c);
                assert!(url[..end].chars().all(plain), "{title}: {code}");
                assert_eq!(
                    title == "Get one conversation",
                    url[..end].ends_with("abcdefghijklmnopqrstuvwxyz%7B%7C%7D~") && !url.contains("handoff"),
                    "{title}: {code}"
                );
            }
        }
    }
}
