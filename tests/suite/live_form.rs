//! Tests of conversations in the live service's form: what came in whole goes out whole, except for what Configuration
//! removes.

use crate::support::{NOW, Setting, TestApp, new_key, on_both_engines, setting};
use agent_studio::api_keys::AgentScope;
use agent_studio::api_keys::service::NewKey;
use agent_studio::configuration::AllowedMetrics;
use agent_studio::conversations::import::{file, forecast};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use std::io::Cursor;

on_both_engines! {
    the_examples_go_out_as_they_came_in,
    made_up_documents_go_out_as_they_came_in,
    what_the_runtime_writes_is_read_in_both_forms,
    configuration_holds_back_what_the_live_form_has_more,
    wrong_values_are_refused_by_their_place,
    a_page_has_up_to_5000_conversations,
    parameters_that_are_passed_over_are_named,
    the_vendors_client_finds_workspace_and_agents,
}

const DETAIL: &str = include_str!("../contract/live-detail.json");
const LIST: &str = include_str!("../contract/live-list.json");

async fn import(test: &TestApp, setting: &Setting, file: impl Into<Vec<u8>>) {
    let rejected = |place: file::Place, reason: &_| panic!("{place}: {reason}");
    let (workspace, file) = (&setting.workspace.id, Cursor::new(file.into()));
    test.app.conversations.import(workspace, &setting.agent, file, rejected).await.unwrap();
}

async fn live(test: &TestApp, setting: &Setting, id: &str) -> Value {
    let answer = setting.get(test, &format!("/v1/agents/{}/conversations/{id}", setting.agent)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

async fn v3(test: &TestApp, setting: &Setting, id: &str) -> Value {
    let path = format!("/v3/{}/{}/conversations/{id}?include_latency=true", setting.workspace.id, setting.agent);
    let answer = setting.get(test, &path).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// Fails unless an answer has each field of what came in. The workspace and the agent are this server's.
fn assert_whole(answer: &Value, came_in: &Value, what: &str) {
    for (name, value) in came_in.as_object().unwrap() {
        if name == "turns" {
            let (turns, expected) = (answer["turns"].as_array().unwrap(), value.as_array().unwrap());
            assert_eq!(turns.len(), expected.len(), "{what}");
            for (at, (turn, expected)) in turns.iter().zip(expected).enumerate() {
                assert_whole(turn, expected, &format!("{what}: turn {at}"));
            }
        } else if !["accountId", "projectId"].contains(&name.as_str()) {
            assert_eq!(answer.get(name), Some(value), "{what}: {name}");
        }
    }
}

async fn the_examples_go_out_as_they_came_in(test: TestApp) {
    let setting = setting(&test).await;
    let (detail, list): (Value, Value) = (DETAIL.parse().unwrap(), LIST.parse().unwrap());
    import(&test, &setting, DETAIL).await;
    import(&test, &setting, LIST).await;
    let id = detail["conversationId"].as_str().unwrap();
    let answer = live(&test, &setting, id).await;
    assert_whole(&answer, &detail, "v1");
    assert_eq!((&answer["accountId"], &answer["projectId"]), (&json!(setting.workspace.id), &json!(setting.agent)));

    let listed = setting.get(&test, &format!("/v1/agents/{}/conversations", setting.agent)).await.json();
    assert_eq!((&listed["count"], &listed["limit"]), (&json!(2), &json!(50)));
    // Newest first.
    assert_whole(&listed["conversations"][0], &list["conversations"][0], "v1 list");
    let mut summary = detail.clone();
    for of_detail in ["turns", "functionEvents"] {
        summary.as_object_mut().unwrap().remove(of_detail);
        assert_eq!(listed["conversations"][1].get(of_detail), None);
    }
    assert_whole(&listed["conversations"][1], &summary, "v1 list");

    let answer = v3(&test, &setting, id).await;
    for (name, expected) in [
        ("id", json!(id)),
        ("variant_id", json!("Harbour Hotel")),
        ("variant_name", json!("")),
        ("environment", json!("live")),
        ("started_at", json!("2026-07-14T09:02:11.204Z")),
        ("channel", json!("VOICE-SIP")),
        ("from_number", json!("+441632960011")),
        ("to_number", json!("+441632960100")),
        ("in_progress", json!(false)),
        ("num_turns", json!(2)),
        ("total_duration", json!(110)),
        ("polyai_duration", json!(96)),
        ("handoff", json!(true)),
        ("handoff_reason", json!("GROUP_BOOKING")),
        ("handoff_destination", json!("Reservations")),
        ("num_silences", json!(0)),
        ("num_ood", json!(0)),
        ("metrics", json!({ "CALL_DURATION": "110", "HANDOFF_REASON": "GROUP_BOOKING", "ROOMS_ASKED": ["10", "12"] })),
        ("state", json!({})),
    ] {
        assert_eq!(answer[name], expected, "v3: {name}");
    }
    let turn = json!({
        "user_input": "", "user_input_dtmf": "", "user_input_datetime": "2026-07-14T09:02:11.300551Z",
        "agent_response": "Good morning, Harbour Hotel.", "agent_response_datetime": "2026-07-14T09:02:14.95Z",
        "latency": 3.64, "translated_user_input": "", "english_agent_response": "", "intents": [], "entities": [],
        "is_ood": false, "is_silence": false,
    });
    assert_eq!(answer["turns"][0], turn, "v3 has the contract's fields alone");
    assert_eq!((&answer["turns"][1]["latency"], &answer["turns"][1]["intents"]), (&json!(1.2), &json!(["book_group"])));
    assert_eq!(answer.get("shortSummary"), None);
}

fn text() -> impl Strategy<Value = Value> {
    "[^\u{0}]{0,12}".prop_map(Value::from)
}

/// Any JSON value.
fn anything() -> impl Strategy<Value = Value> {
    let leaf =
        prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), any::<i32>().prop_map(Value::from), text()];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map("[a-zA-Z_ é]{1,8}", inner, 0..4).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn time() -> impl Strategy<Value = Value> {
    let second = (0..60_u32).prop_map(|s| format!("2026-07-14T09:02:{s:02}"));
    let fraction = prop_oneof![Just(""), Just(".5"), Just(".118220"), Just(".000000")];
    let zone = prop_oneof![Just(""), Just("Z"), Just("+00:00"), Just("-07:00")];
    (second, fraction, zone).prop_map(|(second, fraction, zone)| json!(format!("{second}{fraction}{zone}")))
}

fn nullable(strategy: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop_oneof![1 => Just(Value::Null), 3 => strategy]
}

/// Each field is there or not.
fn object(fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> impl Strategy<Value = Map<String, Value>> {
    let fields: Vec<_> =
        fields.into_iter().map(|(name, value)| (Just(name), proptest::option::weighted(0.8, value))).collect();
    fields.prop_map(|fields| fields.into_iter().filter_map(|(n, v)| Some((n.to_owned(), v?))).collect())
}

fn turn() -> impl Strategy<Value = Value> {
    let latency = prop_oneof![
        (0..9_000_u32).prop_map(|ms| json!(f64::from(ms) / 1_000.0)),
        nullable((0..9_000_u32).prop_map(|ms| json!(f64::from(ms) / 1_000.0)))
            .prop_map(|perceived| json!({ "label": null, "perceived_latency": perceived, "percentile": 0.5 })),
        Just(Value::Null),
    ];
    let flag = || nullable(any::<bool>().prop_map(Value::from)).boxed();
    let known = vec![
        ("turn_id", any::<u32>().prop_map(Value::from).boxed()),
        ("user_input", nullable(text()).boxed()),
        ("user_input_datetime", nullable(prop_oneof![time(), Just(json!(""))]).boxed()),
        ("agent_response", nullable(text()).boxed()),
        ("agent_response_datetime", nullable(time()).boxed()),
        ("english_agent_response", nullable(text()).boxed()),
        ("barge_in", flag()),
        ("intents", nullable(vec(text(), 0..3).prop_map(Value::from)).boxed()),
        (
            "entities",
            nullable(vec(text().prop_map(|v| json!({ "name": "x", "value": v })), 0..3).prop_map(Value::from)).boxed(),
        ),
        ("is_ood", flag()),
        ("is_silence", flag()),
        ("latency", latency.boxed()),
        ("metadata", anything().boxed()),
        ("somethingNew", anything().boxed()),
    ];
    object(known).prop_map(Value::Object)
}

fn metric() -> impl Strategy<Value = Value> {
    let value = || prop_oneof![text(), any::<i32>().prop_map(Value::from), any::<bool>().prop_map(Value::from)];
    let entry =
        (nullable(time()), value()).prop_map(|(timestamp, value)| json!({ "timestamp": timestamp, "value": value }));
    vec(entry, 1..4).prop_map(Value::from)
}

fn document() -> impl Strategy<Value = Map<String, Value>> {
    let seconds = || nullable((0..5_000_u32).prop_map(Value::from)).boxed();
    let flag = || nullable(any::<bool>().prop_map(Value::from)).boxed();
    let known = vec![
        ("channel", text().boxed()),
        ("direction", nullable(prop_oneof![Just(json!("inbound")), Just(json!("outbound"))]).boxed()),
        ("language", nullable(text()).boxed()),
        ("duration", seconds()),
        ("totalDuration", seconds()),
        ("polyaiDuration", seconds()),
        ("inProgress", any::<bool>().prop_map(Value::from).boxed()),
        ("handoff", flag()),
        ("handoffReason", nullable("[A-Z]{1,8}".prop_map(Value::from)).boxed()),
        ("handoffDestination", nullable("[A-Z]{1,8}".prop_map(Value::from)).boxed()),
        ("variantId", nullable("[a-z]{1,8}".prop_map(Value::from)).boxed()),
        ("deploymentId", nullable(text()).boxed()),
        ("audioUrl", nullable(text()).boxed()),
        ("note", nullable(text()).boxed()),
        ("polyScore", nullable((0..100_u32).prop_map(|n| json!(f64::from(n) / 10.0))).boxed()),
        ("tags", vec(text(), 0..3).prop_map(Value::from).boxed()),
        ("shortSummary", prop_oneof![text(), anything()].boxed()),
        (
            "metrics",
            btree_map("[A-Z_]{1,8}", metric(), 0..4).prop_map(|m| Value::Object(m.into_iter().collect())).boxed(),
        ),
        (
            "functionEvents",
            btree_map("[0-9]{1,2}", vec(anything(), 0..2).prop_map(Value::from), 0..3)
                .prop_map(|m| Value::Object(m.into_iter().collect()))
                .boxed(),
        ),
        ("turns", vec(turn(), 0..5).prop_map(Value::from).boxed()),
        ("neverHeardOf", anything().boxed()),
        ("never_heard_of", anything().boxed()),
    ];
    (object(known), time(), nullable(time())).prop_map(|(mut document, started_at, finished_at)| {
        document.insert("startedAt".to_owned(), started_at);
        if !finished_at.is_null() {
            document.insert("finishedAt".to_owned(), finished_at);
        }
        document
    })
}

async fn made_up_documents_go_out_as_they_came_in(test: TestApp) {
    let setting = setting(&test).await;
    let mut runner = TestRunner::deterministic();
    let mut lines = String::new();
    let mut documents = Vec::new();
    for number in 0..200 {
        let mut document = document().new_tree(&mut runner).unwrap().current();
        document.insert("conversationId".to_owned(), json!(format!("CA{number}")));
        lines.push_str(&(Value::Object(document.clone()).to_string() + "\n"));
        documents.push(Value::Object(document));
    }
    import(&test, &setting, lines).await;
    for document in &documents {
        let id = document["conversationId"].as_str().unwrap();
        let mut expected = document.clone();
        // Where a duration is null, the answer has the one that follows from the other fields.
        for name in ["duration", "totalDuration", "polyaiDuration", "shortSummary"] {
            expected.as_object_mut().unwrap().retain(|n, value| n != name || !value.is_null());
        }
        assert_whole(&live(&test, &setting, id).await, &expected, &document.to_string());
        let (answer, empty) = (v3(&test, &setting, id).await, Vec::new());
        let turns = document["turns"].as_array().unwrap_or(&empty);
        assert_eq!(answer["turns"].as_array().unwrap().len(), turns.len());
        for (turn, expected) in answer["turns"].as_array().unwrap().iter().zip(turns) {
            assert_eq!(turn["user_input"].as_str(), Some(expected["user_input"].as_str().unwrap_or_default()));
            let perceived = &expected["latency"]["perceived_latency"];
            let latency = if perceived.is_null() { &expected["latency"] } else { perceived };
            assert_eq!(turn["latency"].as_f64(), latency.as_f64(), "{expected}");
        }
        for (name, entries) in document["metrics"].as_object().into_iter().flatten() {
            let texts = entries.as_array().unwrap().iter().map(|entry| match &entry["value"] {
                Value::String(text) => json!(text),
                other => json!(other.to_string()),
            });
            let texts: Vec<Value> = texts.collect();
            let expected = if texts.len() == 1 { texts[0].clone() } else { json!(texts) };
            assert_eq!(answer["metrics"][name], expected);
        }
    }
}

async fn what_the_runtime_writes_is_read_in_both_forms(test: TestApp) {
    let setting = setting(&test).await;
    let path = "CA1";
    let first = json!({
        "startedAt": NOW.iso(), "inProgress": true, "metrics": { "PLAIN": 5, "LIST": ["a", true], "ONE": { "value": "x" } },
        "turns": [{ "user_input": "one", "latency": 0.5 }],
    });
    assert_eq!(setting.runtime(&test, "PUT", path, &first.to_string()).await.status, 204);
    let more = json!({ "turns": [{ "user_input": "two", "latency": { "perceived_latency": 2 }, "turn_id": 7, "intents": null }] });
    assert_eq!(setting.runtime(&test, "POST", "CA1/turns", &more.to_string()).await.status, 204);
    let plain = json!({ "turns": [{ "user_input": "three" }] });
    assert_eq!(setting.runtime(&test, "POST", "CA1/turns", &plain.to_string()).await.status, 204);

    let answer = live(&test, &setting, "CA1").await;
    assert_whole(&answer["turns"][0], &first["turns"][0], "first");
    assert_whole(&answer["turns"][1], &more["turns"][0], "second");
    assert_eq!((&answer["turns"][2]["user_input"], answer["turns"][2].get("turn_id")), (&json!("three"), None));
    let entry = |value: &str| json!({ "timestamp": NOW.iso(), "value": value });
    assert_eq!(answer["metrics"]["PLAIN"], json!([entry("5")]), "without a time, that of the conversation");
    assert_eq!(answer["metrics"]["LIST"], json!([entry("a"), entry("true")]));
    assert_eq!(answer["metrics"]["ONE"], json!([{ "value": "x" }]));
    assert_eq!(
        (&answer["finishedAt"], &answer["variantId"], &answer["tags"]),
        (&Value::Null, &Value::Null, &json!([]))
    );
    let answer = v3(&test, &setting, "CA1").await;
    let latencies: Vec<_> = answer["turns"].as_array().unwrap().iter().map(|turn| turn["latency"].as_f64()).collect();
    assert_eq!(latencies, [Some(0.5), Some(2.0), None]);
    assert_eq!(answer["metrics"], json!({ "PLAIN": "5", "LIST": ["a", "true"], "ONE": "x" }));

    // The same document once more changes nothing.
    let whole = json!({ "startedAt": NOW.iso(), "shortSummary": "{\"heading\":\"x\"}", "note": null });
    for _ in 0..2 {
        assert_eq!(setting.runtime(&test, "PUT", path, &whole.to_string()).await.status, 204);
        assert_whole(&live(&test, &setting, "CA1").await, &whole, "replaced");
    }
}

async fn configuration_holds_back_what_the_live_form_has_more(test: TestApp) {
    let setting = setting(&test).await;
    import(&test, &setting, DETAIL).await;
    let id = "CA5d0c7b1e9a3f4426";
    test.configure(&setting.workspace, &setting.agent, AllowedMetrics::Only([].into()), false).await;
    let answer = live(&test, &setting, id).await;
    assert_eq!((&answer["metrics"], &answer["turns"], &answer["functionEvents"]), (&json!({}), &json!([]), &json!({})));
    assert_eq!((&answer["handoffReason"], &answer["handoffDestination"]), (&Value::Null, &Value::Null));
    assert_eq!(answer["numTurns"], 2);
    for held_back in
        ["GROUP_BOOKING", "Reservations\"", "ROOMS_ASKED", "find_rooms", "twelve rooms in August\"", "Good morning"]
    {
        assert!(!answer.to_string().contains(held_back), "{held_back}: {answer}");
    }
    let only = AllowedMetrics::Only(["ROOMS_ASKED".to_owned(), "HANDOFF_TO".to_owned()].into());
    test.configure(&setting.workspace, &setting.agent, only, false).await;
    let answer = live(&test, &setting, id).await;
    let rooms = DETAIL.parse::<Value>().unwrap()["metrics"]["ROOMS_ASKED"].clone();
    assert_eq!(answer["metrics"], json!({ "ROOMS_ASKED": rooms }));
    assert_eq!((&answer["handoffReason"], &answer["handoffDestination"]), (&Value::Null, &json!("Reservations")));
}

async fn wrong_values_are_refused_by_their_place(test: TestApp) {
    let setting = setting(&test).await;
    let path = "CA1";
    for (name, wrong, says) in [
        (
            "turns",
            json!([{}, { "latency": "slow" }]),
            "`turns[1].latency` is \"slow\"; a number or an object is expected",
        ),
        ("metrics", json!({ "X": [{ "value": [] }] }), "`metrics.X[0].value` is []"),
        ("startedAt", json!(5), "`startedAt` is 5; a text is expected"),
        ("conversationId", json!("CA2"), "`conversationId` is \"CA2\"; the id in the path is expected"),
    ] {
        let mut document = json!({ "startedAt": NOW.iso() });
        document[name] = wrong;
        let refused = setting.runtime(&test, "PUT", path, &document.to_string()).await;
        assert_eq!(refused.status, 400, "{}", refused.body);
        let message = refused.json()["error_message"].as_str().unwrap().to_owned();
        assert!(message.contains(says), "{message}");
    }
    let turns = setting.runtime(&test, "POST", "CA1/turns", r#"{"turns":null}"#).await;
    assert_eq!(turns.status, 400, "{}", turns.body);

    let started = format!("\"startedAt\":\"{}\"", NOW.iso());
    let lines: String = (0..10).map(|n| format!("{{\"conversationId\":\"CA{n}\",{started}}}\n")).collect();
    let wrong: String =
        (0..7).map(|n| format!("{{\"id\":\"CB{n}\",{started},\"turns\":[{{}},{{\"is_ood\":{n}}}]}}\n")).collect();
    let expected = forecast(Cursor::new(format!("{lines}{wrong}nothing\n"))).await.unwrap();
    assert_eq!((expected.accepted, expected.rejected), (10, 8));
    assert_eq!(expected.reasons["`turns[].is_ood`: `true` or `false` is expected"], 7);
    let stored = setting.get(&test, &format!("/v1/agents/{}/conversations", setting.agent)).await.json();
    assert_eq!(stored["count"], 0, "nothing was stored");
}

async fn a_page_has_up_to_5000_conversations(test: TestApp) {
    let setting = setting(&test).await;
    let lines: String = (0..1_203).map(|n| crate::support::conversation(&format!("CA{n}"), n)).collect();
    import(&test, &setting, lines).await;
    for (limit, count) in [("", 1_000), ("limit=1200", 1_200), ("limit=5000", 1_203)] {
        let page = setting.list(&test, limit).await;
        assert_eq!(page.json()["conversations"].as_array().map(Vec::len), Some(count), "{limit}");
    }
    assert_eq!(setting.list(&test, "limit=5001").await.status, 400);
    let live =
        setting.get(&test, &format!("/v1/agents/{}/conversations?limit=5000&offset=3", setting.agent)).await.json();
    assert_eq!((live["conversations"].as_array().map(Vec::len), &live["count"]), (Some(1_200), &json!(1_203)));
}

async fn parameters_that_are_passed_over_are_named(test: TestApp) {
    let setting = setting(&test).await;
    let header = "x-ignored-parameters";
    let mistyped = setting.list(&test, "started_at_from=2026-01-01&limit=0&na%20me=1&x_1=%F0%9F%98%80").await;
    assert_eq!((mistyped.status, mistyped.header(header)), (400, "na%20me,started_at_from,x_1"), "also of a refusal");
    assert_eq!(setting.list(&test, "started_at_from=2026-01-01").await.header(header), "started_at_from");
    let every = "start_time=2026-01-01T00:00:00Z&client_env=live&in_progress=true&channel=voice&variant_id=a&offset=0&include_latency=true";
    assert!(!setting.list(&test, every).await.headers.contains_key(header));
    let v1 = setting.get(&test, &format!("/v1/agents/{}/conversations?cursor=x&limit=5", setting.agent)).await;
    assert_eq!((v1.status, v1.header(header)), (200, "cursor"));
    let handoff = format!("/v1/{}/{}/handoff_state?id=x&ids=y", setting.workspace.id, setting.agent);
    assert_eq!(setting.get(&test, &handoff).await.header(header), "ids");
    let many: String = (0..100).map(|n| format!("p{n}{}=1&", "x".repeat(100))).collect();
    let named = setting.list(&test, &many).await.header(header).to_owned();
    assert!(named.split(',').count() == 10 && named.len() < 600, "{named}");
}

async fn the_vendors_client_finds_workspace_and_agents(test: TestApp) {
    let setting = setting(&test).await;
    let (spa, other) = (test.agent(&setting.workspace, "Spa").await, test.workspace("Other").await);
    let accounts = setting.get(&test, "/adk/v1/accounts").await;
    assert_eq!(accounts.json(), json!([{ "id": setting.workspace.id, "name": "Acme" }]));
    let path = format!("/adk/v1/accounts/{}/projects", setting.workspace.id);
    let hotel = json!({ "id": setting.agent, "name": "Hotel" });
    // Both were made at the same time: in any order.
    for path in [path.as_str(), "/adk/v1/accounts/acme/projects"] {
        let answer = setting.get(&test, path).await.json();
        let projects = answer["projects"].as_array().unwrap();
        assert!(projects.len() == 2 && projects.contains(&hotel), "{answer}");
        assert!(projects.contains(&json!({ "id": spa, "name": "Spa" })), "{answer}");
    }

    let narrow = NewKey { scope: AgentScope::Chosen(vec![spa.clone()]), ..new_key("Spa") };
    let narrow = test.key(&setting.workspace, narrow).await.value;
    let answer = test.browser().api(&path, narrow.expose()).await;
    assert_eq!(answer.json(), json!({ "projects": [{ "id": spa, "name": "Spa" }] }));
    let elsewhere = format!("/adk/v1/accounts/{}/projects", other.id);
    assert_eq!(setting.get(&test, &elsewhere).await.status, 403);
    for path in ["/adk/v1/accounts", path.as_str(), elsewhere.as_str()] {
        assert_eq!(test.browser().api(path, "ask_none").await.status, 401);
    }
    assert_eq!(setting.get(&test, "/adk/v1/nothing").await.json()["error_code"], "PATH_NOT_FOUND");
}
