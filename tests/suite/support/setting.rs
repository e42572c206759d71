//! A workspace with everything that most API tests need.

use super::Answer;
use super::TestApp;
use super::new_key;
use agent_studio::base::actor::Actor;
use agent_studio::base::id::AgentId;
use agent_studio::configuration::AllowedMetrics;
use agent_studio::workspaces::Workspace;
use axum::body::Body;
use axum::http::Request;

pub type Headers<'a> = &'a [(&'a str, &'a str)];

/// A workspace with an agent whose Configuration allows everything, a key, and a runtime token.
pub struct Setting {
    pub workspace: Workspace,
    pub agent: AgentId,
    pub key: String,
    pub token: String,
}

pub async fn setting(test: &TestApp) -> Setting {
    let workspace = test.workspace("Acme").await;
    let agent = test.agent(&workspace, "Hotel").await;
    test.configure(&workspace, &agent, AllowedMetrics::All, true).await;
    let key = test.key(&workspace, new_key("CRM")).await.value.expose().to_owned();
    let (_, token) = test.app.runtime_tokens.create(&workspace.id, &Actor::command_line(), "platform").await.unwrap();
    Setting { workspace, agent, key, token: token.expose().to_owned() }
}

impl Setting {
    /// Makes a call of the runtime side on one conversation.
    pub async fn runtime(&self, test: &TestApp, method: &str, path: &str, body: &str) -> Answer {
        let path = format!("/runtime/v1/{}/{}/conversations/{path}", self.workspace.slug, self.agent);
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {}", self.token));
        test.browser().send(request, Body::from(body.to_owned())).await
    }

    /// Makes a call with the key.
    pub async fn get(&self, test: &TestApp, path: &str) -> Answer {
        test.browser().api(path, &self.key).await
    }

    pub async fn list(&self, test: &TestApp, query: &str) -> Answer {
        self.get(test, &format!("/v3/{}/{}/conversations?{query}", self.workspace.id, self.agent)).await
    }

    pub async fn post_event(&self, test: &TestApp, query: &str, headers: Headers<'_>, body: &[u8]) -> Answer {
        let ids = format!("account_id={}&project_id={}", self.workspace.id, self.agent);
        let mut request = Request::post(format!("/v1/external-events/webhook?{ids}&{query}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        test.browser().send(request.header("x-api-key", &self.key), Body::from(body.to_vec())).await
    }
}
