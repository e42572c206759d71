//! Tests of the runtime side and of the APIs that return its data: Handoff, External Events, Conversations v1,
//! transcript search.

use crate::support::{Answer, Headers, Setting, TestApp, conversation, new_key, on_both_engines, postgres, setting};
use agent_studio::api_keys::Permissions;
use agent_studio::base::actor::Actor;
use agent_studio::base::error::Problem;
use agent_studio::base::id::AgentId;
use agent_studio::configuration::AllowedMetrics;
use agent_studio::external_events::arrivals;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

on_both_engines! {
    a_conversation_is_fed_and_read,
    tokens_and_keys_do_not_stand_in_for_each_other,
    a_handoff_state_is_read_as_it_was_stored,
    an_event_finds_its_conversation,
    bad_events_are_refused,
    a_waiting_call_hears_at_once,
    transcripts_are_searched,
    a_sample_is_drawn_evenly,
    the_same_in_camel_case,
    a_key_lists_its_agents,
    agents_are_made_and_deleted_by_key,
    ids_that_cannot_be_are_no_servers_fault,
    a_body_that_says_it_is_no_json_is_refused,
}

fn ids(answer: &Answer) -> Vec<String> {
    let conversations = answer.json()["conversations"].as_array().cloned().unwrap_or_default();
    conversations.iter().map(|c| c["id"].as_str().unwrap_or_default().to_owned()).collect()
}

/// A conversation in progress.
fn in_progress(started_at: &str) -> String {
    json!({ "started_at": started_at, "in_progress": true, "channel": "VOICE-SIP" }).to_string()
}

async fn a_conversation_is_fed_and_read(test: TestApp) {
    let setting = setting(&test).await;
    assert_eq!(setting.runtime(&test, "PUT", "CA1", &in_progress("2027-01-15T07:00:00Z")).await.status, 204);
    let turns = r#"{"turns":[{"agent_response":"Hello","latency":0.4},{"user_input":"","is_silence":true}]}"#;
    assert_eq!(setting.runtime(&test, "POST", "CA1/turns", turns).await.status, 204);
    let more = r#"{"turns":[{"user_input":"A room please","latency":0.7}]}"#;
    assert_eq!(setting.runtime(&test, "POST", "CA1/turns", more).await.status, 204);
    assert_eq!(setting.runtime(&test, "POST", "CA1/turns", r#"{"turns":[]}"#).await.status, 204);

    let path = format!("/v3/{}/{}/conversations/CA1?include_latency=true", setting.workspace.id, setting.agent);
    let read = setting.get(&test, &path).await.json();
    assert_eq!((&read["num_turns"], &read["num_silences"], &read["in_progress"]), (&json!(3), &json!(1), &json!(true)));
    assert_eq!(read["turns"][2]["user_input"], "A room please");
    assert_eq!((&read["turns"][0]["latency"], &read["turns"][2]["latency"]), (&json!(0.4), &json!(0.7)));

    // Replaces the conversation with a finished one, twice. The second time changes nothing.
    let whole = conversation("CA1", 60);
    for _ in 0..2 {
        assert_eq!(setting.runtime(&test, "PUT", "CA1", &whole).await.status, 204);
        let read = setting.get(&test, &path).await.json();
        assert_eq!((&read["num_turns"], &read["metrics"]["NIGHTS"]), (&json!(2), &json!("3")));
    }
    assert_eq!(setting.runtime(&test, "POST", "CA1/turns", more).await.status, 409, "it has ended");
    assert_eq!(setting.runtime(&test, "POST", "CA2/turns", more).await.status, 404);
    for bad in ["", "[]", "{", r#"{"id":"CA2","started_at":"2027-01-15T07:00:00Z"}"#, r#"{"started_at":"soon"}"#] {
        assert_eq!(setting.runtime(&test, "PUT", "CA1", bad).await.status, 400, "{bad}");
    }
    assert_eq!(setting.runtime(&test, "PUT", "CA1", &" ".repeat(8 * 1024 * 1024 + 1)).await.status, 413);

    for _ in 0..2 {
        assert_eq!(setting.runtime(&test, "DELETE", "CA1", "").await.status, 204, "also the second time");
    }
    assert_eq!(setting.get(&test, &path).await.status, 404);
    let range = "start_time=2020-01-01T00:00:00Z&end_time=2030-01-01T00:00:00Z";
    let found = setting.list(&test, &format!("query_type=transcript&query=room&{range}")).await;
    assert_eq!(ids(&found), [""; 0], "nor is it found any more");
}

async fn tokens_and_keys_do_not_stand_in_for_each_other(test: TestApp) {
    let setting = setting(&test).await;
    let other = test.workspace("Other").await;
    let (_, foreign) = test.app.runtime_tokens.create(&other.id, &Actor::command_line(), "theirs").await.unwrap();
    let path = format!("/runtime/v1/{}/{}/conversations/CA1", setting.workspace.id, setting.agent);
    let put = async |authorization: Option<String>| {
        let mut request = Request::put(&path).header("x-api-key", &setting.key);
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        test.browser().send(request, Body::from(in_progress("2027-01-15T07:00:00Z"))).await.status
    };
    for refused in [None, Some(format!("Bearer {}", setting.key)), Some(setting.token.clone()), Some("Bearer x".into())]
    {
        assert_eq!(put(refused.clone()).await, 401, "{refused:?}");
    }
    assert_eq!(put(Some(format!("Bearer {}", foreign.expose()))).await, 403, "another workspace's");
    assert_eq!(put(Some(format!("bearer {}", setting.token))).await, 204);
    let list = format!("/v3/{}/{}/conversations", setting.workspace.id, setting.agent);
    assert_eq!(test.browser().api(&list, &setting.token).await.status, 401);

    let all = agent_studio::runtime_tokens::store::list(&test.app.db, &setting.workspace.id).await.unwrap();
    test.app.runtime_tokens.revoke(&setting.workspace.id, &Actor::command_line(), &all[0].id).await.unwrap();
    assert_eq!(put(Some(format!("Bearer {}", setting.token))).await, 401, "revoked");
    assert!(test.app.runtime_tokens.revoke(&other.id, &Actor::command_line(), &all[0].id).await.is_err());
}

async fn a_handoff_state_is_read_as_it_was_stored(test: TestApp) {
    let setting = setting(&test).await;
    test.import(&setting.workspace, &setting.agent, &(conversation("CA1", 1) + &conversation("CA2", 2))).await;
    let state = r#"{"data":{"customer_id":"12345","n":1.50,"deep":{"b":1,"a":[null]}}}"#;
    assert_eq!(setting.runtime(&test, "PUT", "CA1/handoff", state).await.status, 204);
    let shared = r#"{"shared_id":"acme 1","data":{}}"#;
    assert_eq!(setting.runtime(&test, "PUT", "CA2/handoff", shared).await.status, 204);

    let base = format!("/v1/{}/{}/handoff_state", setting.workspace.slug, setting.agent);
    let read = async |query: &str| setting.get(&test, &format!("{base}?{query}")).await;
    let body = r#"{"id":"CA1","data":{"customer_id":"12345","n":1.50,"deep":{"b":1,"a":[null]}}}"#;
    assert_eq!(read("id=CA1").await.body, body, "to the letter");
    assert_eq!(read("id=CA1&shared_id=acme%201").await.body, r#"{"id":"CA2","shared_id":"acme 1","data":{}}"#);
    for (query, status) in
        [("", 400), ("id=", 400), ("id=CA9", 404), ("shared_id=nobody&id=CA1", 404), ("id=a&id=b", 400)]
    {
        assert_eq!(read(query).await.status, status, "{query}");
    }
    for bad in ["", "{}", r#"{"data":[]}"#, r#"{"data":"x"}"#, r#"{"shared_id":7,"data":{}}"#] {
        assert_eq!(setting.runtime(&test, "PUT", "CA1/handoff", bad).await.status, 400, "{bad}");
    }
    assert_eq!(setting.runtime(&test, "PUT", "CA9/handoff", state).await.status, 404);

    let mut reader = new_key("Reader");
    reader.permissions = Permissions::parse(["conversations"]).unwrap();
    let reader = test.key(&setting.workspace, reader).await;
    let refused = test.browser().api(&format!("{base}?id=CA1"), reader.value.expose()).await;
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("`Handoff`"), "{}", refused.body);

    setting.runtime(&test, "DELETE", "CA1", "").await;
    assert_eq!(read("id=CA1").await.status, 404, "gone with its conversation");
}

async fn an_event_finds_its_conversation(test: TestApp) {
    let setting = setting(&test).await;
    setting.runtime(&test, "PUT", "CA1", &in_progress("2027-01-15T07:00:00Z")).await;
    let cases: [(&str, Headers, &str); 8] = [
        ("event_id_location=payload&event_id_path=cid", &[("content-type", "application/json")], r#"{"cid":"ID"}"#),
        (
            "event_id_location=payload&event_id_path=a.0.b",
            &[("content-type", "application/json; charset=utf-8")],
            r#"{"a":[{"b":"ID"}]}"#,
        ),
        (
            "event_id_location=payload&event_id_path=cid",
            &[("content-type", "application/x-www-form-urlencoded")],
            "cid=ID&x=1",
        ),
        (
            "event_id_location=payload&event_id_path=a.cid",
            &[("content-type", "application/xml")],
            "<r><a><cid>ID</cid></a></r>",
        ),
        ("event_id_location=payload&event_id_path=cid", &[("content-type", "text/plain")], "status=ok\ncid=ID"),
        (
            "event_id_location=headers&event_id_path=X-Event",
            &[("x-event", "ID"), ("content-type", "application/json")],
            "{}",
        ),
        ("event_id_location=querystring&event_id_path=cid&cid=ID", &[], ""),
        ("event_id_location=querystring&event_id_path=cid&cid=ID", &[("content-type", "text/plain")], "anything"),
    ];
    for (number, (query, headers, body)) in cases.into_iter().enumerate() {
        let id = format!("evt-{number}");
        let wait = format!(r#"{{"event_id":"{id}"}}"#);
        let headers: Vec<(&str, String)> = headers.iter().map(|(n, v)| (*n, v.replace("ID", &id))).collect();
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let (query, body) = (query.replace("ID", &id), body.replace("ID", &id));
        let before = setting.post_event(&test, &query, &headers, body.as_bytes()).await;
        assert_eq!(before.status, 400, "nobody waits for it yet");
        assert_eq!(before.json()["error_message"], "External event id not valid");
        assert_eq!(setting.runtime(&test, "POST", "CA1/external-events", &wait).await.status, 201);
        for _ in 0..2 {
            let sent = setting.post_event(&test, &query, &headers, body.as_bytes()).await;
            assert_eq!(sent.status, 201, "{query}: {}", sent.body);
        }
    }
    let received = setting.runtime(&test, "GET", "CA1/external-events", "").await.json();
    let events = received["events"].as_array().unwrap();
    assert_eq!((events.len(), &received["last"]), (8, &json!(8)), "each once");
    assert_eq!((&events[2]["event_id"], &events[2]["body"]), (&json!("evt-2"), &json!("cid=evt-2&x=1")));
    let rest = setting.runtime(&test, "GET", "CA1/external-events?after=7", "").await.json();
    assert_eq!(rest["events"].as_array().unwrap().len(), 1);

    // The same id with other content is another event. A conversation that has ended receives none.
    let query = "event_id_location=payload&event_id_path=cid";
    let text = [("content-type", "text/plain")];
    assert_eq!(setting.post_event(&test, query, &text, b"cid=evt-4\nstatus=late").await.status, 201);
    setting.runtime(&test, "PUT", "CA1", &conversation("CA1", 1)).await;
    assert_eq!(setting.post_event(&test, query, &text, b"cid=evt-4\nstatus=later").await.status, 400);
    assert_eq!(setting.post_event(&test, query, &text, b"cid=evt-4\nstatus=late").await.status, 201, "stored already");

    // A conversation of another agent does not receive the event.
    let other = test.agent(&setting.workspace, "Other").await;
    setting.runtime(&test, "PUT", "CA3", &in_progress("2027-01-15T07:00:00Z")).await;
    setting.runtime(&test, "POST", "CA3/external-events", r#"{"event_id":"mine"}"#).await;
    let elsewhere =
        Setting { agent: other, workspace: setting.workspace.clone(), key: setting.key.clone(), token: String::new() };
    assert_eq!(elsewhere.post_event(&test, query, &text, b"cid=mine").await.status, 400);
    assert_eq!(setting.post_event(&test, query, &text, b"cid=mine").await.status, 201);
    setting.runtime(&test, "PUT", "CA4", &in_progress("2027-01-15T07:00:00Z")).await;
    let taken = setting.runtime(&test, "POST", "CA4/external-events", r#"{"event_id":"mine"}"#).await;
    assert_eq!(taken.status, 409, "another conversation waits for it");
}

async fn bad_events_are_refused(test: TestApp) {
    let setting = setting(&test).await;
    let json = [("content-type", "application/json")];
    let xml = [("content-type", "application/xml")];
    let payload = "event_id_location=payload&event_id_path=cid";
    let bomb = br#"<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><r><cid>&b;</cid></r>"#;
    for (query, headers, body, status, says) in [
        (payload, &json[..], &b"{}"[..], 400, "External event id not found in request"),
        (payload, &json[..], b"{\"cid\":\"unknown\"}", 400, "External event id not valid"),
        (payload, &json[..], b"{\"cid\":\"a\\nb\"}", 400, "External event id not valid"),
        (payload, &json[..], b"{", 400, "The body is not valid JSON: EOF"),
        (payload, &json[..], b"\xff\xfe", 400, "The body is not UTF-8 text."),
        (payload, &xml[..], bomb, 400, "The body is not well-formed XML"),
        (payload, &[("content-type", "image/png")], b"x", 415, "Send the event as"),
        ("event_id_location=body&event_id_path=cid", &json[..], b"{}", 400, "`event_id_location`"),
        ("event_id_path=cid", &json[..], b"{}", 400, "`event_id_location`"),
        ("event_id_location=payload", &json[..], b"{}", 400, "`event_id_path`"),
        ("event_id_location=headers&event_id_path=not a header", &json[..], b"{}", 400, "not found in request"),
    ] {
        let query = query.replace(' ', "%20");
        let refused = setting.post_event(&test, &query, headers, body).await;
        assert_eq!(refused.status, status, "{query}: {}", refused.body);
        assert!(refused.json()["error_message"].as_str().unwrap().contains(says), "{query}: {}", refused.body);
    }
    let large = vec![b' '; 1024 * 1024 + 1];
    assert_eq!(setting.post_event(&test, payload, &json, &large).await.status, 413);
    let many = format!("{payload}{}", "&x=1".repeat(10_000));
    assert_eq!(setting.post_event(&test, &many, &json, b"{}").await.status, 400);
    let unauthorised = Request::post("/v1/external-events/webhook").header("content-type", "image/png");
    assert_eq!(test.browser().send(unauthorised, Body::empty()).await.status, 401, "first of all, who asks");
    let no_account = Request::post(format!("/v1/external-events/webhook?{payload}")).header("x-api-key", &setting.key);
    assert!(test.browser().send(no_account, Body::empty()).await.body.contains("`account_id`"));
}

async fn a_waiting_call_hears_at_once(test: TestApp) {
    let setting = setting(&test).await;
    setting.runtime(&test, "PUT", "CA1", &in_progress("2027-01-15T07:00:00Z")).await;
    setting.runtime(&test, "POST", "CA1/external-events", r#"{"event_id":"e"}"#).await;
    let began = Instant::now();
    let nothing = setting.runtime(&test, "GET", "CA1/external-events?wait=1", "").await.json();
    assert_eq!(nothing, json!({ "events": [], "last": 0 }));
    assert!(began.elapsed() >= Duration::from_secs(1));

    let waiting = setting.runtime(&test, "GET", "CA1/external-events?wait=30", "");
    let sending = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let sent = Instant::now();
        let query = "event_id_location=querystring&event_id_path=e&e=e";
        assert_eq!(setting.post_event(&test, query, &[], b"").await.status, 201);
        sent
    };
    let (heard, sent) = tokio::join!(waiting, sending);
    assert_eq!(heard.json()["events"][0]["event_id"], "e");
    assert!(sent.elapsed() < Duration::from_secs(2), "{:?}", sent.elapsed());
    for (query, status) in [("wait=31", 400), ("wait=x", 400), ("after=-1", 400)] {
        let refused = setting.runtime(&test, "GET", &format!("CA1/external-events?{query}"), "").await;
        assert_eq!(refused.status, status, "{query}");
    }
    assert_eq!(setting.runtime(&test, "GET", "CA9/external-events", "").await.status, 404);
}

/// A call that waits on one server returns an event that another server on the same PostgreSQL received.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_call_hears_of_another_servers_event() {
    let url = postgres::new_database().await;
    let here = TestApp::on_postgres_at(&url).await;
    let there = TestApp::on_postgres_at(&url).await;
    let listening = tokio::spawn(arrivals::listen(here.app.arrivals.clone(), here.app.db.clone()));
    let setting = setting(&here).await;
    setting.runtime(&here, "PUT", "CA1", &in_progress("2027-01-15T07:00:00Z")).await;
    setting.runtime(&here, "POST", "CA1/external-events", r#"{"event_id":"e"}"#).await;
    let waiting = setting.runtime(&here, "GET", "CA1/external-events?wait=30", "");
    let sending = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let sent = Instant::now();
        let query = "event_id_location=querystring&event_id_path=e&e=e";
        assert_eq!(setting.post_event(&there, query, &[], b"").await.status, 201);
        sent
    };
    let (heard, sent) = tokio::join!(waiting, sending);
    assert_eq!(heard.json()["events"][0]["event_id"], "e");
    assert!(sent.elapsed() < Duration::from_secs(2), "{:?}", sent.elapsed());
    listening.abort();
}

async fn transcripts_are_searched(test: TestApp) {
    let setting = setting(&test).await;
    let said = |id: &str, minute: u32, user: &str, agent: &str| {
        let turns = json!([{ "agent_response": agent }, { "user_input": user }]);
        json!({ "id": id, "started_at": format!("2027-01-15T07:{minute:02}:00Z"), "turns": turns }).to_string() + "\n"
    };
    let lines = [
        said("CA1", 1, "I want a refund for my order", "How can I help?"),
        said("CA2", 2, "Order a refund? No.", "Your REFUND is on its way, O'Brien"),
        said("CA3", 3, "Ich möchte ein Zimmer in Größe L", "電話番号をお願いします"),
        said("CA4", 4, "мне нужен номер", "% _ \\ \" * OR"),
    ];
    test.import(&setting.workspace, &setting.agent, &lines.concat()).await;
    let range = "start_time=2027-01-15T07:00:00Z&end_time=2027-01-15T08:00:00Z";
    let search = async |query: &str| {
        let answer = setting.list(&test, &format!("query_type=transcript&{range}&query={query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        ids(&answer)
    };
    for (query, found) in [
        ("refund", &["CA2", "CA1"][..]),
        ("REFUND%20order", &["CA2", "CA1"]),
        ("%22a%20refund%22", &["CA2", "CA1"]),
        ("%22refund%20for%22", &["CA1"]),
        ("%22help%20i%20want%22", &[]),
        ("refund&turn_type=agent", &["CA2"]),
        ("help%20order", &["CA1"]),
        ("help%20order&turn_type=user", &[]),
        ("gr%C3%B6%C3%9Fe", &["CA3"]),
        ("%E9%9B%BB%E8%A9%B1", &["CA3"]),
        ("%E8%A9%B1%E9%9B%BB", &[]),
        ("%D0%9D%D0%9E%D0%9C%D0%95%D0%A0", &["CA4"]),
        ("o%27brien", &["CA2"]),
        ("or", &["CA4"]),
        ("refund%20OR%20zimmer", &[]),
        ("ref*", &[]),
        ("user_words%3Arefund", &[]),
        ("nothing", &[]),
    ] {
        assert_eq!(search(query).await, found, "{query}");
    }
    let first = setting.list(&test, &format!("query_type=transcript&{range}&query=refund&limit=1")).await.json();
    assert_eq!(first["conversations"][0]["id"], "CA2");
    let cursor = first["cursor"].as_str().unwrap();
    assert_eq!(search(&format!("refund&limit=1&cursor={cursor}")).await, ["CA1"]);

    test.configure(&setting.workspace, &setting.agent, AllowedMetrics::All, false).await;
    let refused = setting.list(&test, &format!("query_type=transcript&{range}&query=refund")).await;
    assert_eq!(refused.status, 403, "a search that finds is a leak of what it found");
    // The v1 list has no search: it ignores the search parameters.
    let path = format!("/v1/agents/{}/conversations", setting.agent);
    let all = setting.get(&test, &path).await.json();
    for query in ["query=refund", "query=absent", "query="] {
        let searched = setting.get(&test, &format!("{path}?query_type=transcript&{range}&{query}")).await;
        assert_eq!(searched.json(), all, "{query}");
    }
    assert_eq!(setting.list(&test, &format!("query_type=semantic&{range}&query=refund")).await.status, 501);
}

async fn a_sample_is_drawn_evenly(test: TestApp) {
    let setting = setting(&test).await;
    let lines: String = (0..20).map(|n| conversation(&format!("CA{n}"), n)).collect();
    test.import(&setting.workspace, &setting.agent, &lines).await;
    let range = "start_time=2020-01-01T00:00:00Z&end_time=2030-01-01T00:00:00Z";
    let mut drawn = std::collections::BTreeMap::<String, u32>::new();
    for _ in 0..100 {
        let answer = setting.list(&test, &format!("sample=random&{range}&limit=5")).await;
        assert_eq!(answer.json()["cursor"], Value::Null);
        let ids = ids(&answer);
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 5, "none twice");
        ids.into_iter().for_each(|id| *drawn.entry(id).or_default() += 1);
    }
    // Each is expected 25 times with a standard deviation of 4.3; the bounds are five standard deviations.
    assert_eq!(drawn.len(), 20);
    assert!(drawn.values().all(|times| (4..=46).contains(times)), "{drawn:?}");
    let narrow = "start_time=2020-01-01T00:00:00Z&end_time=2020-02-01T00:00:00Z";
    assert_eq!(ids(&setting.list(&test, &format!("sample=random&{narrow}")).await), [""; 0]);
}

async fn the_same_in_camel_case(test: TestApp) {
    let setting = setting(&test).await;
    test.import(&setting.workspace, &setting.agent, &(conversation("CA1", 10) + &conversation("CA2", 20))).await;
    let list = setting.get(&test, &format!("/v1/agents/{}/conversations?limit=1", setting.agent)).await.json();
    assert_eq!((&list["count"], &list["limit"], &list["offset"]), (&json!(2), &json!(1), &json!(0)));
    let first = &list["conversations"][0];
    assert_eq!((&first["conversationId"], &first["accountId"]), (&json!("CA1"), &json!(setting.workspace.id)));
    assert_eq!((&first["numTurns"], &first["handoffReason"]), (&json!(2), &json!("billing")));
    assert_eq!(first.get("turns"), None);
    let whole = setting.get(&test, "/v1/agents/hotel/conversations").await.json();
    assert_eq!((whole["limit"].as_u64(), whole["conversations"].as_array().map(Vec::len)), (Some(50), Some(2)));

    let path = format!("/v1/agents/{}/conversations/CA2", setting.agent);
    let detail = setting.get(&test, &path).await.json();
    assert_eq!((&detail["conversationId"], &detail["clientEnv"]), (&json!("CA2"), &json!("live")));
    assert_eq!(detail["turns"][1]["user_input"], "A room please", "turns keep their names");
    assert_eq!(detail["metrics"]["NIGHTS"][0]["value"], "3");

    test.configure(&setting.workspace, &setting.agent, AllowedMetrics::Only(BTreeSet::new()), false).await;
    let detail = setting.get(&test, &path).await.json();
    assert_eq!(
        (&detail["turns"], &detail["metrics"], &detail["handoffReason"]),
        (&json!([]), &json!({}), &Value::Null)
    );
    assert_eq!(detail["numTurns"], 2);

    let audio = async |path: &str| {
        let answer = setting.get(&test, path).await;
        (answer.status, answer.json()["error_code"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(audio(&format!("{path}/audio")).await, (403, "USER_ACCESS_FORBIDDEN".to_owned()), "transcripts are off");
    assert_eq!(audio(&format!("{path}9/audio")).await, (404, "CONVERSATIONS_NOT_FOUND".to_owned()));
    assert_eq!(audio(&format!("{path}/audio?direction=up")).await.0, 400);
    assert_eq!(setting.get(&test, "/v1/agents/nobody/conversations").await.status, 404);
    let retired = setting.get(&test, &format!("/v1/{}/{}/conversations", setting.workspace.id, setting.agent)).await;
    assert_eq!(retired.status, 410, "the retired path beside it");
}

async fn a_key_lists_its_agents(test: TestApp) {
    let setting = setting(&test).await;
    let spa = test.agent(&setting.workspace, "Spa").await;
    let mut narrow = new_key("Spa only");
    narrow.scope = agent_studio::api_keys::AgentScope::Chosen(vec![spa.clone()]);
    let narrow = test.key(&setting.workspace, narrow).await;
    let path = format!("/v1/accounts/{}/agents", setting.workspace.slug);
    let names = |answer: &Answer| -> Vec<String> {
        let agents = answer.json().as_array().cloned().unwrap_or_default();
        agents.iter().map(|agent| agent["agentName"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let all = setting.get(&test, &path).await;
    assert_eq!(
        names(&all).into_iter().collect::<BTreeSet<_>>(),
        BTreeSet::from(["Hotel".to_owned(), "Spa".to_owned()])
    );
    for field in ["accountId", "agentId", "agentName", "createdAt", "updatedAt", "branchCount"] {
        assert!(all.json()[0].get(field).is_some(), "{field}");
    }
    assert_eq!(names(&test.browser().api(&path, narrow.value.expose()).await), ["Spa"]);
    let other = test.workspace("Other").await;
    assert_eq!(setting.get(&test, &format!("/v1/accounts/{}/agents", other.id)).await.status, 403);
    assert_eq!(test.browser().api(&path, "").await.status, 401);
}

async fn agents_are_made_and_deleted_by_key(test: TestApp) {
    let setting = setting(&test).await;
    let mut manager = new_key("Manager");
    manager.permissions = Permissions::parse(["agents", "conversations"]).unwrap();
    let manager = test.key(&setting.workspace, manager).await;
    let accounts = format!("/v1/accounts/{}/agents", setting.workspace.slug);
    let send = async |method: &str, path: &str, key: &str, body: &str| {
        let request = Request::builder().method(method).uri(path).header("x-api-key", key);
        let request = request.header("content-type", "application/json");
        test.browser().send(request, Body::from(body.to_owned())).await
    };
    let managed = async |method: &str, path: &str, body: &str| send(method, path, manager.value.expose(), body).await;

    let body = r#"{"name":"Front desk","agentId":"desk-1","responseSettings":{"greeting":"Hello"},"llmSettings":{}}"#;
    let refused = send("POST", &accounts, &setting.key, body).await;
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("`Agents`"), "{}", refused.body);
    let made = managed("POST", &accounts, body).await;
    assert_eq!((made.status, &made.json()["agentId"]), (200, &json!("desk-1")), "{}", made.body);
    assert_eq!(made.json()["accountId"], json!(setting.workspace.id));
    assert_eq!(managed("POST", &accounts, body).await.status, 409, "the id is taken");
    for (bad, says) in [
        ("", "EOF"),
        (r#"{"name":"x"}"#, "responseSettings"),
        (r#"["x",null,{"greeting":"x"}]"#, "expected an object"),
        (r#"{"name":"x","responseSettings":["x"]}"#, "expected an object"),
        (r#"{"name":"","responseSettings":{"greeting":"x"}}"#, "Enter a name"),
        (r#"{"name":"x","responseSettings":{"greeting":""}}"#, "greeting"),
        (r#"{"name":"x","agentId":"a b","responseSettings":{"greeting":"x"}}"#, "agentId"),
        (r#"{"name":"x","surprise":1,"responseSettings":{"greeting":"x"}}"#, "surprise"),
    ] {
        let refused = managed("POST", &accounts, bad).await;
        assert_eq!(refused.status, 400, "{bad}: {}", refused.body);
        assert!(refused.body.contains(says), "{bad}: {}", refused.body);
    }
    let wrong_type =
        Request::post(&accounts).header("x-api-key", manager.value.expose()).header("content-type", "text/xml");
    assert_eq!(test.browser().send(wrong_type, Body::from(body)).await.status, 415);

    let copy = managed("POST", "/v1/agents/desk-1/duplicate", r#"{"newAgentName":"Front desk, night"}"#).await;
    assert_eq!((copy.status, &copy.json()["agentName"]), (200, &json!("Front desk, night")));
    let id = AgentId::parse(copy.json()["agentId"].as_str().unwrap()).unwrap();
    let settings =
        agent_studio::agents::store::settings(&test.app.db, &setting.workspace.id, &id).await.unwrap().unwrap();
    assert_eq!(
        settings,
        r#"{"responseSettings":{"greeting":"Hello","languageCode":"en-GB"},"llmSettings":{"modelId":null}}"#
    );

    // No slug is generated that is another agent's id.
    let like = managed("POST", &accounts, r#"{"name":"Desk 1","responseSettings":{"greeting":"Hello"}}"#).await;
    assert_eq!(like.status, 200);
    let found =
        agent_studio::agents::store::find(&test.app.db, &setting.workspace.id, "desk-1").await.unwrap().unwrap();
    assert_eq!(found.name, "Front desk");
    let slugs = agent_studio::agents::store::list(&test.app.db, &setting.workspace.id).await.unwrap();
    assert!(slugs.iter().all(|agent| agent.slug != "desk-1"), "{slugs:?}");

    // Deleting an agent deletes its conversations, and a key for only this agent loses its access.
    let desk = AgentId::parse("desk-1").unwrap();
    test.import(&setting.workspace, &desk, &conversation("CA1", 1)).await;
    let mut narrow = new_key("Desk only");
    narrow.scope = agent_studio::api_keys::AgentScope::Chosen(vec![desk]);
    let narrow = test.key(&setting.workspace, narrow).await;
    let conversations = "/v1/agents/desk-1/conversations";
    assert_eq!(send("GET", conversations, narrow.value.expose(), "").await.status, 200);
    assert_eq!(send("DELETE", "/v1/agents/desk-1", &setting.key, "").await.status, 403);
    assert_eq!(managed("DELETE", "/v1/agents/desk-1", "").await.status, 204);
    assert_eq!(managed("DELETE", "/v1/agents/desk-1", "").await.status, 404);
    assert_eq!(send("GET", conversations, narrow.value.expose(), "").await.status, 403);
    assert_eq!(managed("GET", conversations, "").await.status, 404);

    // Only a key on all agents can have the permission.
    let mut both = new_key("Too much");
    both.permissions = Permissions::parse(["agents"]).unwrap();
    both.scope = agent_studio::api_keys::AgentScope::Chosen(vec![setting.agent.clone()]);
    let actor = Actor::command_line();
    let made = test.app.api_keys.create(&setting.workspace.id, &actor, &both).await;
    assert_eq!(made.unwrap_err(), Problem::PermissionNeedsAllAgents.into());
}

async fn a_body_that_says_it_is_no_json_is_refused(test: TestApp) {
    let setting = setting(&test).await;
    for (method, path, body) in [
        ("PUT", "CA1", in_progress("2027-01-15T07:00:00Z")),
        ("POST", "CA1/turns", r#"{"turns":[]}"#.to_owned()),
        ("PUT", "CA1/handoff", r#"{"data":{}}"#.to_owned()),
        ("POST", "CA1/external-events", r#"{"event_id":"e"}"#.to_owned()),
    ] {
        let call = async |content_type: &str| {
            let path = format!("/runtime/v1/{}/{}/conversations/{path}", setting.workspace.slug, setting.agent);
            let request = Request::builder().method(method).uri(path).header("content-type", content_type);
            let request = request.header("authorization", format!("Bearer {}", setting.token));
            test.browser().send(request, Body::from(body.clone())).await.status
        };
        assert_eq!(call("application/x-www-form-urlencoded").await, 415, "{method} {path}");
        assert!(matches!(call("application/json; charset=utf-8").await, 201 | 204), "{method} {path}");
    }
}

async fn ids_that_cannot_be_are_no_servers_fault(test: TestApp) {
    let setting = setting(&test).await;
    let (account, agent) = (&setting.workspace.id, &setting.agent);
    let long = "x".repeat(5_000);
    for id in ["%00", "a%00b", "%20", "%F0%9F%99%82", long.as_str()] {
        for path in [
            format!("/v3/{id}/{agent}/conversations"),
            format!("/v3/{account}/{id}/conversations"),
            format!("/v3/{account}/{agent}/conversations/{id}"),
            format!("/v1/agents/{id}/conversations"),
            format!("/v1/agents/{agent}/conversations/{id}"),
            format!("/v1/agents/{agent}/conversations/{id}/audio"),
            format!("/v1/accounts/{id}/agents"),
            format!("/v1/{account}/{agent}/handoff_state?id={id}"),
            format!("/v1/{account}/{agent}/handoff_state?shared_id={id}"),
        ] {
            let status = setting.get(&test, &path).await.status;
            assert!((400..500).contains(&status), "{path}: {status}");
        }
        let query = format!("event_id_location=querystring&event_id_path=e&e={id}");
        assert_eq!(setting.post_event(&test, &query, &[], b"").await.status, 400, "{id}");
        for (method, path, body) in [
            ("PUT", "", r#"{"started_at":"2027-01-15T07:00:00Z"}"#),
            ("POST", "/turns", r#"{"turns":[{"user_input":"x"}]}"#),
            ("DELETE", "", ""),
            ("PUT", "/handoff", r#"{"data":{}}"#),
            ("POST", "/external-events", r#"{"event_id":"e"}"#),
            ("GET", "/external-events", ""),
        ] {
            let status = setting.runtime(&test, method, &format!("{id}{path}"), body).await.status;
            assert!((400..500).contains(&status), "{method} {id}{path}: {status}");
        }
    }
}
