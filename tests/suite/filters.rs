//! Tests of filters of lists, and of the numbers of concurrent conversations.

use crate::support::{Setting, TestApp, on_both_engines, setting};
use agent_studio::base::randomness::Random;
use agent_studio::configuration::CallerNumbers;
use agent_studio::conversations::store::{concurrency, lists};
use agent_studio::on_db;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row as _};
use std::collections::BTreeSet;

on_both_engines! {
    each_filter_alone_and_together,
    tags_follow_their_conversation,
    long_texts_are_stored_or_refused,
    concurrent_conversations_are_counted_exactly,
    concurrent_conversations_by_variant_and_filter,
    caller_numbers_are_shown_in_part_or_not_at_all,
}

/// The index that each statement reads on SQLite, whatever other indexes there are. PostgreSQL chooses by the data.
#[tokio::test]
async fn each_filter_reads_its_index() {
    let test = TestApp::on_sqlite().await;
    let mut seen = 0;
    for (name, sql) in lists::STATEMENTS.iter().chain(concurrency::STATEMENTS) {
        let Some(index) = index_of(name) else { continue };
        let sql = format!("EXPLAIN QUERY PLAN {sql}");
        let mut statement = sqlx::query(AssertSqlSafe(sql));
        for _ in 0..40 {
            statement = statement.bind(1);
        }
        let steps = on_db!(
            &test.app.db,
            sqlite | c | statement.fetch_all(c).await,
            postgres | c | sqlx::query("SELECT 1").fetch_all(c).await.map(|_| Vec::new())
        );
        let steps: Vec<String> = steps.unwrap().iter().map(|row| row.get("detail")).collect();
        let plan = steps.join("; ");
        for index in index {
            assert!(plan.contains(&format!("INDEX {index} (")), "{name}: {plan}");
        }
        assert!(!plan.contains("TEMP B-TREE") && !plan.contains("oldest_first"), "{name}: {plan}");
        seen += 1;
    }
    assert_eq!(seen, 19);
}

/// The indexes that a statement must read; `None` if it is no statement of a page or a count.
fn index_of(statement: &str) -> Option<Vec<String>> {
    let one = |name: &str| Some(vec![format!("conversations_{name}")]);
    match statement {
        "PLACES" | "COUNT" => one("newest_first"),
        "PLACES_BY_TAG" | "COUNT_BY_TAG" => Some(vec!["conversation_tags_newest_first".to_owned()]),
        "PLACES_BY_IN_PROGRESS" | "COUNT_BY_IN_PROGRESS" => one("in_progress"),
        "GOING_ON" => {
            Some(["newest_first", "longer_than_an_hour", "in_progress"].map(|i| format!("conversations_{i}")).to_vec())
        }
        other => {
            let (of, filter) = other.split_once("_BY_")?;
            ["PLACES", "COUNT"].contains(&of).then(|| vec![format!("conversations_by_{}", filter.to_lowercase())])
        }
    }
}

/// Conversations whose fields take turns, so that each filter leaves some of them.
fn document(n: usize) -> Value {
    let pick = |of: &[&str]| of[n % of.len()].to_owned();
    json!({
        "conversationId": format!("CA{n:03}"),
        "startedAt": format!("2026-05-01T10:{:02}:00Z", n % 60),
        "channel": pick(&["VOICE-SIP", "voice", "WEBCHAT", "sms", "VOICE-Ü"]),
        "inProgress": n.is_multiple_of(7),
        "variantId": pick(&["", "one", "two"]),
        "variantName": pick(&["First", "Second"]),
        "language": if n.is_multiple_of(4) { Value::Null } else { json!(pick(&["en-GB", "de-DE", "en-US"])) },
        "direction": pick(&["inbound", "outbound"]),
        "tags": if n.is_multiple_of(3) { json!(["groups", "vip", "groups", 7]) } else { json!([pick(&["a", "Größe"])]) },
    })
}

/// Whether a document passes a filter, by its fields.
fn passes(document: &Value, filter: &str, value: &str) -> bool {
    let field = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
    match filter {
        "variant_id" => field("variantId") == value,
        "variant_name" => field("variantName") == value,
        "language" => field("language") == value,
        "direction" => field("direction") == value,
        "in_progress" => document["inProgress"] == (value == "true"),
        "tag" => document["tags"].as_array().unwrap().iter().any(|tag| tag == value),
        "channel" if value == "voice" => field("channel").to_lowercase().starts_with("voice"),
        "channel" => field("channel").eq_ignore_ascii_case(value),
        other => panic!("{other}"),
    }
}

async fn put(test: &TestApp, setting: &Setting, documents: &[Value]) {
    let lines: String = documents.iter().map(|document| format!("{document}\n")).collect();
    test.import(&setting.workspace, &setting.agent, &lines).await;
}

/// The ids that a list returns over all its pages, in their order.
async fn listed(test: &TestApp, setting: &Setting, query: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/v3/{}/{}/conversations?limit=7{cursor}{query}", setting.workspace.id, setting.agent);
        let answer = setting.get(test, &path).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let page = answer.json();
        let conversations = page["conversations"].as_array().unwrap();
        ids.extend(conversations.iter().map(|c| c["id"].as_str().unwrap().to_owned()));
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

async fn each_filter_alone_and_together(test: TestApp) {
    let setting = setting(&test).await;
    let documents: Vec<Value> = (0..120).map(document).collect();
    put(&test, &setting, &documents).await;
    let alone = [
        ("variant_id", "one"),
        ("variant_name", "Second"),
        ("language", "de-DE"),
        ("direction", "outbound"),
        ("in_progress", "true"),
        ("in_progress", "false"),
        ("tag", "groups"),
        ("tag", "Größe"),
        ("tag", "GROUPS"),
        ("channel", "voice"),
        ("channel", "webchat"),
        ("channel", "VOICE-Ü"),
        ("channel", "sms"),
    ];
    for (name, value) in alone {
        for (other, other_value) in [("", ""), ("direction", "inbound"), ("language", "en-GB"), ("tag", "vip")] {
            if other == name {
                continue;
            }
            let both = [(name, value), (other, other_value)].into_iter().filter(|(name, _)| !name.is_empty());
            let query: String = both.clone().map(|(name, value)| format!("&{name}={}", encoded(value))).collect();
            let expected: BTreeSet<String> = documents
                .iter()
                .filter(|document| both.clone().all(|(name, value)| passes(document, name, value)))
                .map(|document| document["conversationId"].as_str().unwrap().to_owned())
                .collect();
            let ids = listed(&test, &setting, &query).await;
            assert_eq!(ids.iter().cloned().collect::<BTreeSet<_>>(), expected, "{query}");
            assert_eq!(ids.len(), expected.len(), "{query}");
            let places: Vec<_> = ids.iter().map(|id| (id[2..].parse::<usize>().unwrap() % 60, id.clone())).collect();
            assert!(places.is_sorted_by(|a, b| a > b), "{query}: newest first");

            let path = format!("/v1/agents/{}/conversations?{}", setting.agent, query.trim_start_matches('&'));
            let count = &setting.get(&test, &path).await.json()["count"];
            assert_eq!(count, expected.len(), "{query}");
        }
    }
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

async fn tags_follow_their_conversation(test: TestApp) {
    let setting = setting(&test).await;
    let tagged = |tags: Value| json!({ "id": "CA1", "started_at": "2026-05-01T10:00:00Z", "tags": tags });
    for (tags, of_a, of_b) in
        [(json!(["a"]), 1, 0), (json!(["a", "b"]), 1, 1), (json!(["b"]), 0, 1), (json!(null), 0, 0), (json!("a"), 0, 0)]
    {
        put(&test, &setting, &[tagged(tags.clone())]).await;
        let counts = (listed(&test, &setting, "&tag=a").await.len(), listed(&test, &setting, "&tag=b").await.len());
        assert_eq!(counts, (of_a, of_b), "{tags}");
    }
    put(&test, &setting, &[tagged(json!(["a"]))]).await;
    test.app.conversations.erase(&setting.workspace.id, &setting.agent, "CA1").await.unwrap();
    assert!(listed(&test, &setting, "&tag=a").await.is_empty());
    put(&test, &setting, &[tagged(json!(null))]).await;
    assert!(listed(&test, &setting, "&tag=a").await.is_empty(), "a tag does not outlive its conversation");
}

/// PostgreSQL cannot index texts of any length.
async fn long_texts_are_stored_or_refused(test: TestApp) {
    let setting = setting(&test).await;
    // Random, so that PostgreSQL cannot compress it to fit.
    let long = Random::seeded(3).text(b"abcdefghijklmnopqrstuvwxyz0123456789", 9_000);
    for name in ["channel", "variant_id", "variant_name", "language", "direction", "from_number", "handoff_reason"] {
        let document = json!({ "id": format!("CA-{name}"), "started_at": "2026-05-01T10:00:00Z", name: long });
        put(&test, &setting, &[document]).await;
    }
    let tags = json!({ "id": "CA-tags", "started_at": "2026-05-01T10:00:00Z", "tags": [long, "short"] });
    put(&test, &setting, &[tags]).await;
    assert_eq!(listed(&test, &setting, "&tag=short").await, ["CA-tags"]);
    assert_eq!(listed(&test, &setting, "").await.len(), 8);
    for refused in [json!({ "environment": long }), json!({ "metrics": { &long: "1" } })] {
        let mut document = json!({ "started_at": "2026-05-01T10:00:00Z" });
        document.as_object_mut().unwrap().extend(refused.as_object().unwrap().clone());
        let answer = setting.runtime(&test, "PUT", "CA2", &document.to_string()).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(answer.body.len() < 1_000, "{}", answer.body);
    }
}

async fn counted(test: &TestApp, setting: &Setting, query: &str) -> Value {
    let path = format!("/v1/{}/{}/conversations/concurrency?{query}", setting.workspace.slug, setting.agent);
    let answer = setting.get(test, &path).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

fn maxima(answer: &Value) -> Vec<u64> {
    answer["intervals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["max_concurrent_conversations"].as_u64().unwrap())
        .collect()
}

fn call(id: &str, started_at: &str, seconds: u32, more: Value) -> Value {
    let mut call = json!({ "id": id, "started_at": format!("2026-05-{started_at}Z"), "total_duration": seconds });
    call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    call
}

async fn concurrent_conversations_are_counted_exactly(test: TestApp) {
    let setting = setting(&test).await;
    let calls = [
        // Began hours before, and a little before.
        call("CA1", "01T04:00:00", 6 * 3_600 + 60, json!({})),
        call("CA2", "01T09:59:30", 60, json!({})),
        // Ended before.
        call("CA3", "01T09:00:00", 3_600, json!({})),
        // One ends as the next begins.
        call("CA4", "01T10:05:00", 60, json!({})),
        call("CA5", "01T10:06:00", 60, json!({})),
        call("CA6", "01T10:06:30", 0, json!({})),
        call("CA7", "01T10:12:00.5", 1, json!({ "environment": "sandbox" })),
        call("CA8", "01T10:14:59.999", 100, json!({})),
        call("CA9", "01T10:20:00", 100, json!({})),
    ];
    put(&test, &setting, &calls).await;
    let answer = counted(&test, &setting, "start_time=2026-05-01T10:01:00Z&end_time=2026-05-01T10:19:00Z").await;
    assert_eq!((&answer["account_id"], &answer["project_id"]), (&json!(setting.workspace.id), &json!(setting.agent)));
    assert_eq!(answer["intervals"][0], json!({ "time": "2026-05-01T10:00:00Z", "max_concurrent_conversations": 2 }));
    assert_eq!(maxima(&answer), [2, 2, 1, 1]);
    let sandbox = "start_time=2026-05-01T10:10:00Z&end_time=2026-05-01T10:15:00Z&client_env=sandbox";
    assert_eq!(maxima(&counted(&test, &setting, sandbox).await), [1]);
    let none = "start_time=2026-05-01T10:10:00Z&end_time=2026-05-01T10:10:00Z";
    assert_eq!(maxima(&counted(&test, &setting, none).await), [0u64; 0]);

    // A conversation in progress lasts until now, which is days later.
    let running = call("CB1", "01T10:02:00", 0, json!({ "in_progress": true }));
    put(&test, &setting, &[running]).await;
    let answer = counted(&test, &setting, "start_time=2026-05-01T10:00:00Z&end_time=2026-05-02T10:00:00Z").await;
    assert_eq!(maxima(&answer)[..5], [2, 3, 2, 2, 2]);
    assert_eq!(maxima(&answer)[287], 1);
    // Several days, of which the first has calls.
    let week = counted(&test, &setting, "start_time=2026-05-01T00:00:00Z&end_time=2026-05-08T00:00:00Z").await;
    assert_eq!(maxima(&week).len(), 7 * 288);
    assert_eq!(maxima(&week)[120..125], [2, 3, 2, 2, 2]);
    assert!(maxima(&week)[288..].iter().all(|most| *most == 1));
}

async fn concurrent_conversations_by_variant_and_filter(test: TestApp) {
    let setting = setting(&test).await;
    let calls = [
        call("CA1", "01T10:00:00", 600, json!({ "variant_id": "a", "variant_name": "A", "from_number": "+441" })),
        call("CA2", "01T10:01:00", 60, json!({ "variant_id": "b", "variant_name": "B", "language": "en-GB" })),
        call("CA3", "01T10:01:30", 60, json!({ "variant_id": "b", "variant_name": "B", "to_number": "+441" })),
        call("CA4", "01T10:07:00", 60, json!({})),
    ];
    put(&test, &setting, &calls).await;
    let span = "start_time=2026-05-01T10:00:00Z&end_time=2026-05-01T10:10:00Z";
    for (filter, expected) in [
        ("", [3, 2]),
        ("&variant_id=b", [2, 0]),
        ("&variant_name=A", [1, 1]),
        ("&language=en-GB", [1, 0]),
        ("&phone_number=%2B441", [2, 1]),
        ("&variant_id=none", [0, 0]),
    ] {
        assert_eq!(maxima(&counted(&test, &setting, &format!("{span}{filter}")).await), expected, "{filter}");
    }
    let sliced = counted(&test, &setting, &format!("{span}&slice_by=variant")).await;
    let rows: Vec<_> = sliced["intervals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            (
                text("time"),
                text("variant_id"),
                text("variant_name"),
                row["max_concurrent_conversations"].as_u64().unwrap(),
            )
        })
        .collect();
    let row = |minute: u32, id: &str, name: &str, max| {
        (format!("2026-05-01T10:{minute:02}:00Z"), id.to_owned(), name.to_owned(), max)
    };
    assert_eq!(
        rows,
        [
            row(0, "", "", 0),
            row(0, "a", "A", 1),
            row(0, "b", "B", 2),
            row(5, "", "", 1),
            row(5, "a", "A", 1),
            row(5, "b", "B", 0),
        ]
    );
    for wrong in ["", "start_time=2026-05-01T10:00:00Z", &format!("{span}&client_env=prod")] {
        let path = format!("/v1/{}/{}/conversations/concurrency?{wrong}", setting.workspace.slug, setting.agent);
        assert_eq!(setting.get(&test, &path).await.status, 400, "{wrong}");
    }
    let path =
        format!("/v1/{}/{}/conversations/concurrency?{span}&slice_by=language", setting.workspace.id, setting.agent);
    assert_eq!(setting.get(&test, &path).await.status, 501);
}

async fn caller_numbers_are_shown_in_part_or_not_at_all(test: TestApp) {
    let setting = setting(&test).await;
    let numbers =
        json!({ "from_number": "+447700900001", "to_number": "+441632960100", "state": { "k": "\"from_number\"" } });
    put(&test, &setting, &[call("CA1", "01T10:00:00", 60, numbers)]).await;
    let v3 = format!("/v3/{}/{}/conversations", setting.workspace.id, setting.agent);
    let v1 = format!("/v1/agents/{}/conversations", setting.agent);
    let span = "start_time=2026-05-01T10:00:00Z&end_time=2026-05-01T10:05:00Z";
    let filter = format!(
        "/v1/{}/{}/conversations/concurrency?{span}&phone_number=%2B447700900001",
        setting.workspace.id, setting.agent
    );
    let shown = setting.get(&test, &format!("{v3}/CA1")).await.json();
    for (choice, expected, status) in [
        (CallerNumbers::LastFour, "+********0001", 403),
        (CallerNumbers::Hidden, "", 403),
        (CallerNumbers::Shown, "+447700900001", 200),
    ] {
        test.configure_caller_numbers(&setting.workspace, &setting.agent, choice).await;
        let detail = setting.get(&test, &format!("{v3}/CA1")).await.json();
        let mut as_before = detail.clone();
        as_before["from_number"] = shown["from_number"].clone();
        assert_eq!(as_before, shown, "nothing else changes");
        assert_eq!(detail["from_number"], expected);
        assert_eq!(setting.get(&test, &v3).await.json()["conversations"][0], detail);
        let live = setting.get(&test, &format!("{v1}/CA1")).await.json();
        assert_eq!((&live["fromNumber"], &live["toNumber"]), (&json!(expected), &json!("+441632960100")));
        assert_eq!(setting.get(&test, &v1).await.json()["conversations"][0]["fromNumber"], expected);
        let answer = setting.get(&test, &filter).await;
        assert_eq!(answer.status, status, "{choice:?}: {}", answer.body);
    }
}
