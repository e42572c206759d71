//! Tests of the isolation of workspaces: accesses all data of one workspace with the session and the keys of another.

use crate::pages::changing_calls;
use crate::support::{TestApp, conversation, new_key, on_both_engines};
use agent_studio::configuration::AllowedMetrics;
use agent_studio::recordings::{RecordingKind, Side};
use agent_studio::users::Role;
use axum::body::{Body, Bytes};
use axum::http::Request;
use futures_util::stream;
use serde_json::json;

on_both_engines! {
    nothing_passes_from_one_to_the_other,
}

const PAGES: [&str; 48] = [
    "",
    "/agents",
    "/agents/new",
    "/agents/AGENT/rename",
    "/users",
    "/users/new",
    "/users/invited",
    "/users/USER/role",
    "/users/USER/remove",
    "/users/inv-1/withdraw",
    "/api-keys",
    "/api-keys/new",
    "/api-keys/settings",
    "/api-keys/configuration",
    "/api-keys/KEY/created",
    "/api-keys/KEY/copy",
    "/api-keys/KEY/edit",
    "/api-keys/KEY/delete",
    "/api-keys/KEY/use",
    "/agents/AGENT/delete",
    "/agents/retention",
    "/api-keys/KEY",
    "/api-keys/refused?id=call-7",
    "/activity",
    "/activity/export?format=csv",
    "/usage",
    "/usage/export",
    "/api-keys/configuration?agent=AGENT",
    "/api-keys/configuration/copy?agent=AGENT",
    "/api-keys/configuration/apply?agent=AGENT",
    "/agents/AGENT",
    "/api-keys/deleted",
    "/safety",
    "/safety?concern=no-owner",
    "/api-keys/deleted/undo-days",
    "/api-keys/KEY/rotate",
    "/api-keys/KEY/pause",
    "/api-keys/KEY/resume",
    "/api-keys/KEY/end-old-value",
    "/api-keys/KEY/cancel-rotation",
    "/api-keys/filters",
    "/api-keys?status=active&show=owner",
    "/api-keys/export",
    "/api-keys/policy?days=30",
    "/api-keys/policy/rules",
    "/api-keys/requests",
    "/api-keys/select",
    "/agents/deleted",
];

const READING_CALLS: [&str; 13] = [
    "get_requests",
    "get_agent_deletion_form",
    "get_permission_use",
    "get_agent",
    "get_visit",
    "list_agents",
    "get_new_api_key_form",
    "get_new_agent_id",
    "list_users",
    "list_api_keys",
    "list_configurations",
    "get_api_key",
    "get_configuration",
];

async fn nothing_passes_from_one_to_the_other(mut test: TestApp) {
    let _recordings = test.store_recordings();
    let (ours, theirs) = (test.workspace("Ours").await, test.workspace("Theirs").await);
    let our_agent = test.agent(&ours, "Our agent").await;
    let their_agent = test.agent(&theirs, "Their agent").await;
    test.configure(&theirs, &their_agent, AllowedMetrics::All, true).await;
    test.import(&theirs, &their_agent, &conversation("CA1", 5)).await;
    let kind = RecordingKind { side: Side::Combined, redacted: false };
    let recording = stream::iter([Ok(Bytes::from_static(b"RIFF\0\0\0\0WAVEfmt "))]);
    test.app.recordings.store(&theirs.id, &their_agent, "CA1", kind, recording).await.unwrap();
    let our_key = test.key(&ours, new_key("CRM")).await;
    let their_key = test.key(&theirs, new_key("CRM")).await;
    let mut they = test.signed_in(&theirs, "theo@example.com", Role::Admin).await;
    let people = they.call("list_users", &[("workspace", "theirs")]).await.json();
    let their_user = people["members"][0]["id"].as_str().unwrap().to_owned();
    let mut we = test.signed_in(&ours, "ada@example.com", Role::Admin).await;
    let (agent, key) = (their_agent.as_str(), their_key.id.as_str());

    for named in [theirs.slug.as_str(), theirs.id.as_str()] {
        for page in PAGES {
            let page = page.replace("AGENT", agent).replace("KEY", key).replace("USER", &their_user);
            let answer = we.get(&format!("/{named}{page}")).await;
            assert_eq!(answer.status, 404, "/{named}{page}");
            for theirs in ["Their agent", "theo@example.com", &their_key.value.masked()] {
                assert!(!answer.body.contains(theirs), "/{named}{page} tells {theirs}");
            }
        }
        for function in READING_CALLS {
            let answer =
                we.call(function, &[("workspace", named), ("key", key), ("agent", agent), ("language", "curl")]).await;
            assert_eq!(answer.status, 404, "{function}: {}", answer.body);
        }
        for function in ["get_open_configuration", "get_preview"] {
            let call = json!({ "workspace": named, "query": { "search": "", "agent": agent } });
            let answer = we.read(function, &call).await;
            assert_eq!(answer.status, 404, "{function}: {}", answer.body);
        }
        for path in ["api-keys/KEY", "api-keys/refused", "activity", "usage"] {
            let path = format!("/{named}/{}", path.replace("KEY", key));
            let answer = we.call("get_reading", &[("path", &path), ("query", "")]).await;
            assert_eq!(answer.status, 404, "{path}: {}", answer.body);
        }
        for (function, fields) in changing_calls(named, key, agent, &their_user, "inv-1") {
            assert_eq!(we.call(function, &fields).await.status, 404, "{function} in their workspace");
        }
    }
    // Ids of the other workspace's objects, under the name of our own.
    for (function, fields) in changing_calls("ours", key, agent, &their_user, "inv-1") {
        let about_theirs = fields.iter().any(|(name, _)| ["key", "agent", "user", "invitation"].contains(name));
        if about_theirs {
            let answer = we.call(function, &fields).await;
            let nothing = answer.status == 404 || answer.body == "null";
            assert!(nothing, "{function}: {} {}", answer.status, answer.body);
        }
    }
    for function in ["get_open_configuration", "get_preview"] {
        let call = json!({ "workspace": "ours", "query": { "search": "", "agent": agent } });
        let answer = we.read(function, &call).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "null"), "{function}");
    }
    // Our key with their workspace's paths, and the reverse.
    for path in ["conversations", "conversations/CA1"] {
        let path = format!("/v3/{}/{agent}/{path}", theirs.id);
        let answer = we.api(&path, our_key.value.expose()).await;
        assert!(answer.status == 403 && !answer.body.contains("CA1"), "{path}: {}", answer.body);
        assert_eq!(we.api(&path, their_key.value.expose()).await.status, 200);
        let path = format!("/v3/{}/{agent}/conversations", ours.id);
        assert_eq!(we.api(&path, our_key.value.expose()).await.status, 404);
        let path = format!("/v3/{}/{our_agent}/conversations", ours.id);
        assert_eq!(we.api(&path, their_key.value.expose()).await.status, 403);
    }
    for path in ["conversations", "conversations/CA1", "conversations/CA1/audio"] {
        // A call that names only an agent concerns the key's own workspace.
        let answer = we.api(&format!("/v1/agents/{agent}/{path}"), our_key.value.expose()).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.json()["error_code"], "PROJECT_NOT_FOUND", "{path}");
        assert_eq!(
            we.api(&format!("/v1/agents/{agent}/{path}"), their_key.value.expose()).await.status,
            200,
            "{path} exists"
        );
    }
    for path in [format!("{}/{agent}/handoff_state?id=CA1", theirs.id), format!("accounts/{}/agents", theirs.id)] {
        assert_eq!(we.api(&format!("/v1/{path}"), our_key.value.expose()).await.status, 403, "{path}");
    }
    let event =
        format!("event_id_location=querystring&event_id_path=e&e=e&account_id={}&project_id={agent}", theirs.id);
    let event =
        Request::post(format!("/v1/external-events/webhook?{event}")).header("x-api-key", our_key.value.expose());
    assert_eq!(we.send(event, Body::empty()).await.status, 403);
    let command_line = agent_studio::base::actor::Actor::command_line();
    let (_, token) = test.app.runtime_tokens.create(&ours.id, &command_line, "platform").await.unwrap();
    for (method, path) in [
        ("PUT", ""),
        ("DELETE", ""),
        ("POST", "/turns"),
        ("PUT", "/handoff"),
        ("GET", "/external-events"),
        ("PUT", "/audio"),
    ] {
        let request =
            Request::builder().method(method).uri(format!("/runtime/v1/{}/{agent}/conversations/CA1{path}", theirs.id));
        let request = request.header("authorization", format!("Bearer {}", token.expose()));
        assert_eq!(we.send(request, Body::from("{}")).await.status, 403, "{method} {path}");
    }
    // A session gives no access to the APIs, and a key none to pages.
    let path = format!("/v3/{}/{our_agent}/conversations", ours.id);
    assert_eq!(we.get(&path).await.status, 401);
    let page = we.fresh().api("/ours/api-keys", our_key.value.expose()).await;
    assert_eq!((page.status, page.location()), (302, "/sign-in?next=%2Fours%2Fapi-keys"));
    assert!(!we.fresh().api("/ours/api-keys", our_key.value.expose()).await.body.contains("CRM"));

    // Nothing has changed in the other workspace.
    let key = agent_studio::api_keys::store::find(&test.app.db, &theirs.id, &their_key.id).await.unwrap().unwrap();
    assert_eq!((key.name.as_str(), key.copyable), ("CRM", true));
    let actor = agent_studio::base::actor::Actor::command_line();
    assert!(test.app.api_keys.copy(&theirs.id, &actor, &their_key.id).await.is_ok());
}
