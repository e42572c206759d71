//! Snapshots of the main answers of each API and of each kind of error: status, headers and body as clients get them.
//! `cargo insta review` shows what a change of an answer changes. Both engines give the same snapshots.

use crate::support::{Answer, Setting, TestApp, conversation, new_key, on_both_engines, setting};
use agent_studio::api_keys::Permissions;
use axum::body::Body;
use axum::http::Request;
use std::fmt::Write as _;

on_both_engines! {
    answers,
    errors,
}

/// Headers of an answer that are part of an API's contract.
const HEADERS: [&str; 9] = [
    "allow",
    "cache-control",
    "content-type",
    "retry-after",
    "x-agents",
    "x-key-name",
    "x-permissions",
    "x-polyai-correlation-id",
    "x-workspace-id",
];

/// Sends an event whose id is the field `id` of its body.
const WEBHOOK: &str = "/v1/external-events/webhook?account_id={workspace}&project_id={agent}\
                       &event_id_location=payload&event_id_path=id";

/// Sends a request and compares its answer with the snapshot of this name.
async fn check(test: &TestApp, set: &Setting, name: &str, method: &str, path: &str, key: &str, body: &str) {
    let path = path.replace("{workspace}", set.workspace.id.as_str()).replace("{agent}", set.agent.as_str());
    let mut request = Request::builder().method(method).uri(&path).header("x-polyai-correlation-id", "snapshot");
    request = match path.strip_prefix("/runtime") {
        Some(_) => request.header("authorization", format!("Bearer {key}")),
        None => request.header("x-api-key", key),
    };
    if !body.is_empty() {
        request = request.header("content-type", "application/json");
    }
    let answer = test.browser().send(request, Body::from(body.to_owned())).await;
    let shown = shown(&answer).replace(set.workspace.id.as_str(), "{workspace}").replace(set.agent.as_str(), "{agent}");
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name.to_owned(), shown);
    });
}

fn shown(answer: &Answer) -> String {
    let mut text = format!("{}\n", answer.status);
    for name in HEADERS.into_iter().filter(|name| answer.headers.contains_key(*name)) {
        let _ = writeln!(text, "{name}: {}", answer.header(name));
    }
    let body = serde_json::from_str::<serde_json::Value>(&answer.body);
    let body = body.and_then(|json| serde_json::to_string_pretty(&json));
    text + "\n" + &body.unwrap_or_else(|_| answer.body.clone())
}

async fn answers(test: TestApp) {
    let set = setting(&test).await;
    let lines = [conversation("CA1", 60), conversation("CA2", 120)].concat();
    test.import(&set.workspace, &set.agent, &lines).await;
    let (key, token) = (set.key.clone(), set.token.clone());
    let mut managing = new_key("Agents");
    managing.permissions = Permissions::parse(["agents"]).unwrap();
    let manager = test.key(&set.workspace, managing).await.value.expose().to_owned();

    let handoff = r#"{"shared_id":"call-1","data":{"reason":"billing","destination":"desk"}}"#;
    let turn = r#"{"turns":[{"user_input":"Hello"}]}"#;
    let new = r#"{"started_at":"2027-01-15T07:59:00Z","in_progress":true,"channel":"VOICE-SIP"}"#;
    let wait = r#"{"event_id":"payment-1"}"#;
    for (name, method, path, key, body) in [
        ("v3-list", "GET", "/v3/{workspace}/{agent}/conversations?limit=1", &key, ""),
        ("v3-conversation", "GET", "/v3/{workspace}/{agent}/conversations/CA1", &key, ""),
        ("v1-list", "GET", "/v1/agents/{agent}/conversations?limit=1", &key, ""),
        ("v1-conversation", "GET", "/v1/agents/{agent}/conversations/CA1", &key, ""),
        ("v1-agents", "GET", "/v1/accounts/{workspace}/agents", &manager, ""),
        ("runtime-put", "PUT", "/runtime/v1/{workspace}/{agent}/conversations/CA3", &token, new),
        ("runtime-turns", "POST", "/runtime/v1/{workspace}/{agent}/conversations/CA3/turns", &token, turn),
        ("runtime-handoff", "PUT", "/runtime/v1/{workspace}/{agent}/conversations/CA3/handoff", &token, handoff),
        ("handoff", "GET", "/v1/{workspace}/{agent}/handoff_state?shared_id=call-1", &key, ""),
        (
            "runtime-await-event",
            "POST",
            "/runtime/v1/{workspace}/{agent}/conversations/CA3/external-events",
            &token,
            wait,
        ),
        ("external-event", "POST", WEBHOOK, &key, r#"{"id":"payment-1"}"#),
        ("runtime-events", "GET", "/runtime/v1/{workspace}/{agent}/conversations/CA3/external-events", &token, ""),
        ("authz-nginx", "GET", "/authz/nginx?account_id={workspace}&project_id={agent}&permission=handoff", &key, ""),
        ("authz-refused", "GET", "/authz/caddy?account_id={workspace}&project_id={agent}&permission=agents", &key, ""),
    ] {
        check(&test, &set, name, method, path, key, body).await;
    }
}

async fn errors(test: TestApp) {
    let set = setting(&test).await;
    let (key, token) = (set.key.clone(), set.token.clone());
    let nobody = "ask_0123456789ABCDEFGHIJKLMNOPQRSTUV2QjdX3".to_owned();
    let long = format!("/v3/{{workspace}}/{{agent}}/conversations?x={}", "a".repeat(50_000));
    let huge = format!(r#"{{"note":"{}"}}"#, "a".repeat(2 * 1024 * 1024));
    for (name, method, path, key, body) in [
        ("error-path-not-found", "GET", "/v3/nothing/of/this/kind", &key, ""),
        ("error-method-not-allowed", "DELETE", "/v3/{workspace}/{agent}/conversations", &key, ""),
        ("error-uri-too-long", "GET", &long, &key, ""),
        ("error-body-too-large", "POST", "/v1/accounts/{workspace}/agents", &key, &huge),
        ("error-unknown-key", "GET", "/v3/{workspace}/{agent}/conversations", &nobody, ""),
        ("error-forbidden", "POST", "/v1/accounts/{workspace}/agents", &key, r#"{"name":"New"}"#),
        ("error-unknown-agent", "GET", "/v3/{workspace}/PROJECT-NONE/conversations", &key, ""),
        ("error-unknown-conversation", "GET", "/v3/{workspace}/{agent}/conversations/CA9", &key, ""),
        ("error-parameter", "GET", "/v3/{workspace}/{agent}/conversations?limit=many", &key, ""),
        ("error-not-implemented", "GET", "/v3/{workspace}/{agent}/conversations?query_type=semantic&query=x", &key, ""),
        ("error-retired", "GET", "/v2/{workspace}/{agent}/conversations", &key, ""),
        ("error-event-not-readable", "POST", WEBHOOK, &key, "{"),
        ("error-event-nobody-awaits", "POST", WEBHOOK, &key, r#"{"id":"x"}"#),
        ("error-recording-not-found", "GET", "/v1/agents/{agent}/conversations/CA1/audio", &key, ""),
        ("error-query-string", "GET", "/v3/{workspace}/{agent}/conversations?limit=%ff", &key, ""),
        ("error-runtime-token", "PUT", "/runtime/v1/{workspace}/{agent}/conversations/CA1", &nobody, "{}"),
        ("error-runtime-body", "PUT", "/runtime/v1/{workspace}/{agent}/conversations/CA1", &token, "[]"),
    ] {
        check(&test, &set, name, method, path, key, body).await;
    }
}
