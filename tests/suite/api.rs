//! Tests of the Conversations API: the contract of the v3 list and of the single conversation.

use crate::support::{Answer, NOW, TestApp, conversation, new_key, on_both_engines};
use agent_studio::api_keys::{AgentScope, Permissions};
use agent_studio::base::actor::Actor;
use agent_studio::configuration::AllowedMetrics;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use std::collections::BTreeSet;

on_both_engines! {
    a_stranger_learns_nothing,
    a_key_is_refused_from_the_second_of_its_expiry,
    a_deleted_key_is_refused_at_once,
    outside_its_reach_a_key_is_forbidden,
    configuration_decides_what_appears,
    pages_walk_through_everything_once,
    filters,
    one_conversation,
    errors_have_the_envelope,
    ids_and_slugs_both_work,
    importing_again_doubles_nothing,
}

fn error_code(answer: &Answer) -> (u16, String) {
    let json = answer.json();
    assert_eq!(json["error_id"], answer.header("x-polyai-correlation-id"), "{json}");
    assert_eq!((&json["success"], &json["data"]), (&Value::Bool(false), &Value::Null));
    assert_eq!(json["error"], json["error_message"]);
    (answer.status, json["error_code"].as_str().unwrap().to_owned())
}

async fn a_stranger_learns_nothing(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let agent = test.agent(&workspace, "Hotel").await;
    let expired = test.key(&workspace, new_key("Old")).await;
    let deleted = test.key(&workspace, new_key("Gone")).await;
    test.app.api_keys.delete(&workspace.id, &Actor::command_line(), &deleted.id).await.unwrap();
    test.app.clock.advance_seconds(31 * 86_400);

    let path = format!("/v3/{}/{agent}/conversations", workspace.id);
    let unknown = "ask_0123456789ABCDEFGHIJKLMNOPQRSTUV2QjdX3";
    let typo = "ask_0123456789ABCDEFGHIJKLMNOPQRSTUV2QjdX4";
    let mut browser = test.browser();
    let mut bodies = BTreeSet::new();
    for key in [expired.value.expose(), deleted.value.expose(), unknown] {
        let request = Request::get(&path).header("x-api-key", key).header("x-polyai-correlation-id", "same");
        let answer = browser.send(request, Body::empty()).await;
        assert_eq!(error_code(&answer), (401, "AUTH_USER_INVALID_TOKEN".to_owned()), "{key}");
        bodies.insert(answer.body);
    }
    let no_key = browser.send(Request::get(&path).header("x-polyai-correlation-id", "same"), Body::empty()).await;
    assert_eq!(no_key.status, 401);
    bodies.insert(no_key.body);
    // The error explains what is wrong with the form of a key. This reveals nothing, because no key is looked up.
    for (request, says) in [
        (Request::get(&path).header("x-api-key", typo), "mistyped"),
        (Request::get(&path).header("x-api-key", ""), "holds no API key"),
        (Request::get(&path).header("x-api-key", format!("Bearer {unknown}")), "`Bearer`"),
        (Request::get(&path).header("x-api-key", "a".repeat(5_000)), "holds no API key"),
        (Request::get(&path).header("x-api-key", unknown).header("x-api-key", unknown), "more than once"),
        (Request::get(format!("{path}?x-api-key={unknown}")), "in the address"),
        (Request::get(&path).header("authorization", unknown), "Authorization header"),
    ] {
        let answer = browser.send(request, Body::empty()).await;
        assert_eq!(error_code(&answer), (401, "AUTH_USER_INVALID_TOKEN".to_owned()));
        let message = answer.json()["error_message"].as_str().unwrap().to_owned();
        assert!(message.contains(says) && !message.contains("0123"), "{says}: {message}");
    }
    assert_eq!(bodies.len(), 1, "one and the same body: {bodies:?}");
    insta::allow_duplicates! {
        insta::assert_snapshot!(bodies.first().unwrap(), @r#"{"success":false,"error":"The API key is missing or not valid. Send a valid key in the x-api-key header.","error_id":"same","error_code":"AUTH_USER_INVALID_TOKEN","error_message":"The API key is missing or not valid. Send a valid key in the x-api-key header.","data":null}"#);
    }
}

async fn a_key_is_refused_from_the_second_of_its_expiry(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let agent = test.agent(&workspace, "Hotel").await;
    let mut new = new_key("Short");
    new.expires_at = NOW.plus_seconds(10);
    let key = test.key(&workspace, new).await;
    let path = format!("/v3/{}/{agent}/conversations", workspace.id);
    let mut browser = test.browser();
    test.app.clock.advance_seconds(9);
    assert_eq!(browser.api(&path, key.value.expose()).await.status, 200);
    test.app.clock.advance_seconds(1);
    assert_eq!(browser.api(&path, key.value.expose()).await.status, 401);
}

async fn a_deleted_key_is_refused_at_once(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let agent = test.agent(&workspace, "Hotel").await;
    let key = test.key(&workspace, new_key("CRM")).await;
    let path = format!("/v3/{}/{agent}/conversations", workspace.id);
    let mut browser = test.browser();
    assert_eq!(browser.api(&path, key.value.expose()).await.status, 200);
    test.app.api_keys.delete(&workspace.id, &Actor::command_line(), &key.id).await.unwrap();
    assert_eq!(browser.api(&path, key.value.expose()).await.status, 401);
}

async fn outside_its_reach_a_key_is_forbidden(test: TestApp) {
    let (workspace, other) = (test.workspace("Acme").await, test.workspace("Other").await);
    let hotel = test.agent(&workspace, "Hotel").await;
    let retail = test.agent(&workspace, "Retail").await;
    let theirs = test.agent(&other, "Theirs").await;
    let all = test.key(&workspace, new_key("All")).await;
    let mut scoped = new_key("Scoped");
    scoped.scope = AgentScope::Chosen(vec![hotel.clone()]);
    let scoped = test.key(&workspace, scoped).await;
    let mut handoff = new_key("Handoff");
    handoff.permissions = Permissions::parse(["handoff"]).unwrap();
    let handoff = test.key(&workspace, handoff).await;

    let mut browser = test.browser();
    let (all, scoped, handoff) = (all.value.expose(), scoped.value.expose(), handoff.value.expose());
    let own = workspace.id.as_str();
    for (key, account, project, expected) in [
        (all, own, hotel.as_str(), (200, "")),
        (all, own, retail.as_str(), (200, "")),
        (scoped, own, hotel.as_str(), (200, "")),
        (scoped, own, retail.as_str(), (403, "This key does not cover this project_id.")),
        (scoped, own, "PROJECT-NOWHERE", (403, "This key does not cover this project_id.")),
        (all, own, "PROJECT-NOWHERE", (404, "Project ID does not exist.")),
        (all, own, theirs.as_str(), (404, "Project ID does not exist.")),
        (all, other.id.as_str(), theirs.as_str(), (403, "This key does not belong to this account_id.")),
        (all, other.id.as_str(), "nowhere", (403, "This key does not belong to this account_id.")),
        (all, "ws-nowhere", "nowhere", (403, "This key does not belong to this account_id.")),
        (handoff, own, hotel.as_str(), (403, "This key lacks the permission `Conversations data`.")),
    ] {
        let answer = browser.api(&format!("/v3/{account}/{project}/conversations"), key).await;
        let message = answer.json()["error_message"].as_str().unwrap_or_default().to_owned();
        assert_eq!((answer.status, message.as_str()), expected, "{account} {project}");
    }
}

async fn configuration_decides_what_appears(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let agent = test.agent(&workspace, "Hotel").await;
    test.import(&workspace, &agent, &conversation("CA1", 60)).await;
    let key = test.key(&workspace, new_key("CRM")).await;
    let path = format!("/v3/{}/{agent}/conversations?include_latency=true", workspace.id);
    let mut browser = test.browser();
    let seen = async |browser: &mut crate::support::Browser| {
        let answer = browser.api(&path, key.value.expose()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let one = answer.json()["conversations"][0].clone();
        assert_eq!(one["num_turns"], 2);
        let turns = one["turns"].as_array().unwrap().len();
        (one["metrics"].clone(), one["handoff_reason"].clone(), one["handoff_destination"].clone(), turns)
    };
    assert_eq!(seen(&mut browser).await, (json!({}), json!(""), json!(""), 0), "a fresh agent lets nothing through");

    let only = |names: &[&str]| AllowedMetrics::Only(names.iter().map(|n| (*n).to_owned()).collect());
    test.configure(&workspace, &agent, only(&["HANDOFF_TO", "NOT_REPORTED"]), false).await;
    assert_eq!(seen(&mut browser).await, (json!({"HANDOFF_TO": "desk"}), json!(""), json!("desk"), 0));

    test.configure(&workspace, &agent, only(&[]), true).await;
    assert_eq!(seen(&mut browser).await, (json!({}), json!(""), json!(""), 2));

    test.configure(&workspace, &agent, AllowedMetrics::All, true).await;
    let (metrics, reason, destination, turns) = seen(&mut browser).await;
    assert_eq!(
        (metrics.as_object().unwrap().len(), reason, destination, turns),
        (4, json!("billing"), json!("desk"), 2)
    );
}

async fn pages_walk_through_everything_once(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let agent = test.agent(&workspace, "Hotel").await;
    // Several conversations begin in the same second; their ids determine the order.
    let lines: String = (0..23).map(|n| conversation(&format!("CA{n:02}"), n / 4)).collect();
    test.import(&workspace, &agent, &lines).await;
    let key = test.key(&workspace, new_key("CRM")).await;
    let path = format!("/v3/{}/{agent}/conversations", workspace.id);
    let mut browser = test.browser();
    let all = browser.api(&path, key.value.expose()).await.json();
    let ids = |page: &Value| -> Vec<String> {
        page["conversations"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap().to_owned()).collect()
    };
    let expected = ids(&all);
    assert_eq!((expected.len(), &all["cursor"]), (23, &Value::Null));
    assert_eq!(expected[..4], ["CA03", "CA02", "CA01", "CA00"], "newest first");

    let mut walked = Vec::new();
    let mut query = "limit=5&offset=3".to_owned();
    let mut first = true;
    loop {
        let page = browser.api(&format!("{path}?{query}"), key.value.expose()).await.json();
        assert_eq!(page.get("next_offset").is_some(), first);
        walked.extend(ids(&page));
        // New conversations that arrive meanwhile do not change the later pages.
        let n = walked.len();
        test.import(&workspace, &agent, &conversation(&format!("NEW{n}"), -5)).await;
        let Some(cursor) = page["cursor"].as_str() else { break };
        // The cursor takes precedence over the offset.
        query = format!("limit=5&offset=100&cursor={cursor}");
        first = false;
    }
    assert_eq!(walked, expected[3..]);
    let page = browser.api(&format!("{path}?limit=4&offset=8"), key.value.expose()).await.json();
    assert_eq!(page["next_offset"], 12);
}

async fn filters(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let agent = test.agent(&workspace, "Hotel").await;
    let line = |id: &str, ago: i64, rest: &str| {
        let at = NOW.plus_seconds(-ago).iso();
        format!("{{\"id\":\"{id}\",\"started_at\":\"{at}\",{rest}}}\n")
    };
    let lines = [
        line("voice", 10, r#""channel":"VOICE-SIP","variant_id":"V1","variant_name":"United Kingdom""#),
        line("chat", 20, r#""channel":"WEBCHAT","in_progress":true,"variant_id":"V2","variant_name":"Spain""#),
        line("sms", 30, r#""channel":"SMS""#),
        line("sandbox", 40, r#""channel":"VOICE-SIP","environment":"sandbox""#),
    ];
    test.import(&workspace, &agent, &lines.concat()).await;
    let key = test.key(&workspace, new_key("CRM")).await;
    let mut browser = test.browser();
    let at = |ago: i64| NOW.plus_seconds(-ago).iso();
    for (query, expected) in [
        (String::new(), vec!["voice", "chat", "sms"]),
        ("client_env=sandbox".to_owned(), vec!["sandbox"]),
        ("in_progress=true".to_owned(), vec!["chat"]),
        ("in_progress=false".to_owned(), vec!["voice", "sms"]),
        ("channel=voice".to_owned(), vec!["voice"]),
        ("channel=webchat&channel=SMS".to_owned(), vec!["chat", "sms"]),
        ("channel=chat".to_owned(), vec!["chat"]),
        ("channel=fax".to_owned(), vec![]),
        ("variant_id=V1".to_owned(), vec!["voice"]),
        ("variant_name=United%20Kingdom".to_owned(), vec!["voice"]),
        (format!("start_time={}", at(20)), vec!["voice", "chat"]),
        (format!("end_time={}", at(20)), vec!["sms"]),
        (format!("start_time={}&end_time={}", at(30), at(10)), vec!["chat", "sms"]),
        ("unknown=1&unknown=2".to_owned(), vec!["voice", "chat", "sms"]),
    ] {
        let answer =
            browser.api(&format!("/v3/{}/{agent}/conversations?{query}", workspace.id), key.value.expose()).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        let json = answer.json();
        let ids: Vec<_> = json["conversations"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{query}");
    }
}

async fn one_conversation(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let (agent, other) = (test.agent(&workspace, "Hotel").await, test.agent(&workspace, "Other").await);
    test.import(&workspace, &agent, &conversation("CA1", 60)).await;
    test.configure(&workspace, &agent, AllowedMetrics::All, true).await;
    let key = test.key(&workspace, new_key("CRM")).await;
    let mut browser = test.browser();
    let base = format!("/v3/{}", workspace.id);
    let answer = browser.api(&format!("{base}/{agent}/conversations/CA1"), key.value.expose()).await;
    assert_eq!(answer.status, 200);
    let json = answer.json();
    assert_eq!((&json["id"], &json["project_id"]), (&json!("CA1"), &json!(agent)));
    assert_eq!(json["turns"][0].get("latency"), None);
    let answer =
        browser.api(&format!("{base}/{agent}/conversations/CA1?include_latency=true"), key.value.expose()).await;
    assert_eq!(answer.json()["turns"][0]["latency"], 0.5);
    for path in [format!("{base}/{other}/conversations/CA1"), format!("{base}/{agent}/conversations/%00")] {
        let answer = browser.api(&path, key.value.expose()).await;
        assert_eq!(error_code(&answer), (404, "CONVERSATIONS_NOT_FOUND".to_owned()), "{path}");
    }
}

async fn errors_have_the_envelope(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let agent = test.agent(&workspace, "Hotel").await;
    let key = test.key(&workspace, new_key("CRM")).await;
    let value = key.value.expose();
    let mut browser = test.browser();
    let list = format!("/v3/{}/{agent}/conversations", workspace.id);
    for (path, expected) in [
        (format!("{list}?limit=0"), (400, "CONVERSATIONS_VALIDATION_FAILED")),
        (format!("{list}?limit=1&limit=2"), (400, "CONVERSATIONS_VALIDATION_FAILED")),
        (format!("{list}?cursor=broken"), (400, "CONVERSATIONS_VALIDATION_FAILED")),
        (format!("{list}?variant_id=a&variant_name=b"), (400, "CONVERSATIONS_VALIDATION_FAILED")),
        (format!("{list}?channel=%00"), (400, "CONVERSATIONS_VALIDATION_FAILED")),
        (format!("{list}?query_type=semantic"), (501, "NOT_IMPLEMENTED")),
        (list.replace("/v3/", "/v1/"), (410, "API_VERSION_RETIRED")),
        (list.replace("/v3/", "/v2/"), (410, "API_VERSION_RETIRED")),
        ("/v3/nowhere".to_owned(), (404, "PATH_NOT_FOUND")),
        ("/v1/".to_owned(), (404, "PATH_NOT_FOUND")),
        ("/v3".to_owned(), (404, "PATH_NOT_FOUND")),
        (format!("/v3/{}/%ff%fe/conversations", workspace.id), (400, "BAD_REQUEST")),
    ] {
        let answer = browser.api(&path, value).await;
        assert_eq!(answer.status, expected.0, "{path}");
        assert_eq!(error_code(&answer), (expected.0, expected.1.to_owned()), "{path}");
    }
    let moved = browser.api(&list.replace("/v3/", "/v2/"), value).await.json();
    assert!(moved["error_message"].as_str().unwrap().contains(&list), "{moved}");

    let request = Request::post(&list).header("x-api-key", value).header("x-polyai-correlation-id", "mine-1");
    let answer = browser.send(request, Body::from("{}")).await;
    assert_eq!(error_code(&answer), (405, "METHOD_NOT_ALLOWED".to_owned()));
    assert_eq!((answer.header("x-polyai-correlation-id"), answer.header("allow")), ("mine-1", "GET,HEAD"));
    for insane in ["a b", &"x".repeat(129), ""] {
        let request = Request::get(&list).header("x-polyai-correlation-id", insane);
        let id = browser.send(request, Body::empty()).await.header("x-polyai-correlation-id").to_owned();
        assert_eq!(id.len(), 36, "a fresh UUID: {id}");
    }
}

async fn ids_and_slugs_both_work(test: TestApp) {
    let workspace = test.workspace("Acme UK").await;
    let agent = test.agent(&workspace, "Hotel reservations").await;
    let key = test.key(&workspace, new_key("CRM")).await;
    let mut browser = test.browser();
    for account in [workspace.id.as_str(), "acme-uk"] {
        for project in [agent.as_str(), "hotel-reservations"] {
            let answer = browser.api(&format!("/v3/{account}/{project}/conversations"), key.value.expose()).await;
            assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"conversations":[],"cursor":null}"#));
            assert_eq!(answer.header("cache-control"), "no-store");
        }
    }
}

async fn importing_again_doubles_nothing(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let agent = test.agent(&workspace, "Hotel").await;
    let lines: String = (0..600).map(|n| conversation(&format!("CA{n}"), n)).collect();
    for expected in [(600, 0, 0), (0, 600, 0)] {
        let done = test.import(&workspace, &agent, &lines).await;
        assert_eq!((done.imported, done.replaced, done.rejected), expected);
    }
    let twice = format!("{}{}", conversation("CB1", 1), conversation("CB1", 2));
    let done = test.import(&workspace, &agent, &twice).await;
    assert_eq!((done.imported, done.replaced), (1, 1), "one id on two lines");
    let agents = agent_studio::agents::store::list(&test.app.db, &workspace.id).await.unwrap();
    assert_eq!(agents[0].conversations, 601);
    let offered = test.app.configurations.find(&workspace.id, agent.as_str()).await.unwrap().offered;
    let expected = ["CALL_IN_PROGRESS", "CALL_COMPLETED", "HANDOFF_REASON", "HANDOFF_TO", "NIGHTS"];
    assert_eq!(offered, expected);
}
