//! Tests that text, numbers and names are returned unchanged, or refused with an error that names their position.

use crate::support::{NOW, Setting, TestApp, on_both_engines, setting};
use agent_studio::api_keys::KeyName;
use agent_studio::base::actor::Actor;
use agent_studio::base::error::Problem;
use agent_studio::users::Email;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

on_both_engines! {
    texts_come_back_unchanged_or_are_refused,
    six_characters_that_look_like_nul_are_text,
    numbers_keep_their_digits,
    doubled_names_are_refused_everywhere,
    names_can_be_seen_and_read_as_they_are,
    bytes_that_are_no_utf8_are_refused,
}

/// Texts with characters that often break parsers.
fn texts() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        Just("\\".to_owned()),
        Just("\\u0000".to_owned()),
        Just("\\ud83d".to_owned()),
        Just("\u{0}".to_owned()),
        Just("\u{1}".to_owned()),
        Just("\u{7f}".to_owned()),
        Just("\u{85}".to_owned()),
        Just("\u{202e}".to_owned()),
        Just("\u{200f}".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("\u{2028}".to_owned()),
        Just("😀".to_owned()),
        Just("\u{10ffff}".to_owned()),
        Just("\"'<>&%;--".to_owned()),
        Just("\r\n\t".to_owned()),
        "[a-zA-Z0-9 äöü]{0,6}",
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

async fn conversation(test: &TestApp, setting: &Setting, id: &str) -> Value {
    let path = format!("/v3/{}/{}/conversations/{id}", setting.workspace.id, setting.agent);
    setting.get(test, &path).await.json()
}

async fn texts_come_back_unchanged_or_are_refused(test: TestApp) {
    let setting = setting(&test).await;
    let mut runner = TestRunner::deterministic();
    let (mut kept, mut refused) = (0, 0);
    for round in 0..150 {
        let text = texts().new_tree(&mut runner).unwrap().current();
        let document = json!({
            "started_at": NOW.iso(),
            "in_progress": true,
            "variant_name": &text,
            "handoff_reason": &text,
            "metrics": { "CALL_COMPLETED": &text, "LIST": [&text, "b"] },
            "state": { "a": { "b": [&text] } },
            "turns": [{ "user_input": &text, "intents": [&text], "entities": [{ "e": &text }] }],
        });
        let id = format!("CA{round}");
        let put = setting.runtime(&test, "PUT", &id, &document.to_string()).await;
        let turn = json!({ "turns": [{ "agent_response": &text }] });
        let handoff = json!({ "shared_id": format!("s{round}"), "data": { "t": &text } });
        if text.contains('\0') {
            assert_eq!(put.status, 400, "{text:?}");
            assert!(put.body.contains("variant_name") || put.body.contains("`handoff_reason`"), "{}", put.body);
            assert_eq!(
                setting
                    .runtime(&test, "PUT", "CA0", r#"{"started_at":"2027-01-15T07:00:00Z","in_progress":true}"#)
                    .await
                    .status,
                204
            );
            let refused_turn = setting.runtime(&test, "POST", "CA0/turns", &turn.to_string()).await;
            assert!(refused_turn.status == 400 && refused_turn.body.contains("turns[0].agent_response"));
            let refused_data = setting.runtime(&test, "PUT", "CA0/handoff", &handoff.to_string()).await;
            assert!(refused_data.status == 400 && refused_data.body.contains("data.t"), "{}", refused_data.body);
            refused += 1;
            continue;
        }
        assert_eq!(put.status, 204, "{text:?}: {}", put.body);
        assert_eq!(setting.runtime(&test, "POST", &format!("{id}/turns"), &turn.to_string()).await.status, 204);
        assert_eq!(setting.runtime(&test, "PUT", &format!("{id}/handoff"), &handoff.to_string()).await.status, 204);
        let read = conversation(&test, &setting, &id).await;
        assert_eq!(read["variant_name"], text, "{text:?}");
        assert_eq!(read["handoff_reason"], text, "{text:?}");
        assert_eq!(read["metrics"]["CALL_COMPLETED"], text, "{text:?}");
        assert_eq!(read["metrics"]["LIST"], json!([&text, "b"]), "{text:?}");
        assert_eq!(read["state"], document["state"], "{text:?}");
        let turns = read["turns"].as_array().unwrap();
        assert_eq!((&turns[0]["user_input"], &turns[1]["agent_response"]), (&json!(text), &json!(text)), "{text:?}");
        assert_eq!((&turns[0]["intents"][0], &turns[0]["entities"][0]["e"]), (&json!(text), &json!(text)), "{text:?}");
        let path = format!("/v1/{}/{}/handoff_state?shared_id=s{round}", setting.workspace.id, setting.agent);
        assert_eq!(setting.get(&test, &path).await.json()["data"]["t"], text, "{text:?}");
        kept += 1;
    }
    assert!(kept > 50 && refused > 10, "{kept} kept, {refused} refused");
}

async fn six_characters_that_look_like_nul_are_text(test: TestApp) {
    let setting = setting(&test).await;
    let text = r"C:\u0000 and \\u0000";
    let document = json!({ "started_at": NOW.iso(), "state": { "path": text }, "turns": [{ "user_input": text }] });
    assert_eq!(setting.runtime(&test, "PUT", "CA1", &document.to_string()).await.status, 204);
    let read = conversation(&test, &setting, "CA1").await;
    assert_eq!((&read["state"]["path"], &read["turns"][0]["user_input"]), (&json!(text), &json!(text)));
    let data = json!({ "data": { "path": text } }).to_string();
    assert_eq!(setting.runtime(&test, "PUT", "CA1/handoff", &data).await.status, 204);
}

async fn numbers_keep_their_digits(test: TestApp) {
    let setting = setting(&test).await;
    let state = r#"{"n": 12345678901234567890123, "f": 1.10, "e":[1e2,-0.0,0.1000000000000000055511151231257827]}"#;
    let document = format!(
        r#"{{"started_at":"{}","in_progress":true,"state":{state},"metrics":{{"N":12345678901234567890123}},
            "turns":[{{"entities":[{{"n":1.50}}],"latency":0.5}}]}}"#,
        NOW.iso()
    );
    assert_eq!(setting.runtime(&test, "PUT", "CA1", &document).await.status, 204);
    // Appending reads and rewrites the whole document.
    assert_eq!(
        setting.runtime(&test, "POST", "CA1/turns", r#"{"turns":[{"entities":[{"n":2.50}]}]}"#).await.status,
        204
    );
    let path = format!("/v3/{}/{}/conversations/CA1?include_latency=true", setting.workspace.id, setting.agent);
    let body = setting.get(&test, &path).await.body;
    assert!(body.contains(&format!("\"state\":{state}")), "{body}");
    assert!(body.contains(r#""N":"12345678901234567890123""#), "{body}");
    assert!(body.contains(r#""entities":[{"n":1.50}]"#) && body.contains(r#""entities":[{"n":2.50}]"#), "{body}");
    assert!(body.contains(r#""latency":0.5}"#) && body.contains(r#""num_turns":2"#), "{body}");
    let data = r#"{"data":{"n":12345678901234567890123,"f":1.10}}"#;
    assert_eq!(setting.runtime(&test, "PUT", "CA1/handoff", data).await.status, 204);
    let path = format!("/v1/{}/{}/handoff_state?id=CA1", setting.workspace.id, setting.agent);
    assert!(setting.get(&test, &path).await.body.contains(r#""data":{"n":12345678901234567890123,"f":1.10}"#));
}

async fn doubled_names_are_refused_everywhere(test: TestApp) {
    let setting = setting(&test).await;
    let start = r#""started_at":"2027-01-15T07:00:00Z","in_progress":true"#;
    assert_eq!(setting.runtime(&test, "PUT", "CA1", &format!("{{{start}}}")).await.status, 204);
    for (method, path, body, place) in [
        ("PUT", "CA2", format!(r#"{{{start},"channel":"a","channel":"b"}}"#), "`channel`"),
        ("PUT", "CA2", format!(r#"{{{start},"state":{{"a":{{"x":1,"x":2}}}}}}"#), "`state.a.x`"),
        ("PUT", "CA2", format!(r#"{{{start},"metrics":{{"M":"1","\u004d":"2"}}}}"#), "`metrics.M`"),
        ("POST", "CA1/turns", r#"{"turns":[{"user_input":"a","user_input":"b"}]}"#.to_owned(), "`turns[0].user_input`"),
        ("PUT", "CA1/handoff", r#"{"data":{"a":[{"x":1,"x":2}]}}"#.to_owned(), "`data.a[0].x`"),
        ("POST", "CA1/external-events", r#"{"event_id":"a","event_id":"b"}"#.to_owned(), "`event_id`"),
    ] {
        let refused = setting.runtime(&test, method, path, &body).await;
        assert_eq!(refused.status, 400, "{body}: {}", refused.body);
        assert!(refused.body.contains(place) && refused.body.contains("twice"), "{body}: {}", refused.body);
    }
    let json = [("content-type", "application/json")];
    let query = "event_id_location=payload&event_id_path=id";
    let refused = setting.post_event(&test, query, &json, br#"{"id":"a","id":"b"}"#).await;
    assert!(refused.status == 400 && refused.body.contains("twice"), "{}", refused.body);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let refused = setting.post_event(&test, query, &form, b"id=a&id=b").await;
    assert!(refused.status == 400 && refused.body.contains("twice"), "{}", refused.body);
    let query = "event_id_location=querystring&event_id_path=id&id=a&id=b";
    assert_eq!(setting.post_event(&test, query, &json, b"{}").await.status, 400);
}

async fn names_can_be_seen_and_read_as_they_are(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    for invisible in ["\u{200b}", "\u{feff}\u{2060}", " \u{00ad} ", "\u{3164}", "\u{202e}", "\u{2800}", "\u{e0041}"] {
        assert_eq!(KeyName::parse(invisible).unwrap_err(), Problem::NameMissing, "{invisible:?}");
        let actor = Actor::command_line();
        let agent = test.app.agents.create(&workspace.id, &actor, invisible, None).await;
        assert!(agent.is_err(), "{invisible:?}");
        let made = test.app.workspaces.create(&actor, invisible, None).await;
        assert!(made.is_err(), "{invisible:?}");
        assert!(test.app.runtime_tokens.create(&workspace.id, &actor, invisible).await.is_err());
        assert!(Email::parse(&format!("a{invisible}b@example.com")).is_err(), "{invisible:?}");
    }
    assert_eq!(KeyName::parse("CRM\u{202e}gpj.exe").unwrap().as_str(), "CRMgpj.exe");
    assert_eq!(KeyName::parse("مفتاح 👩‍💻").unwrap().as_str(), "مفتاح 👩‍💻", "joiners within emoji stay");
}

async fn bytes_that_are_no_utf8_are_refused(test: TestApp) {
    let setting = setting(&test).await;
    let (workspace, agent) = (&setting.workspace.id, &setting.agent);
    for path in [
        format!("/v3/{workspace}/{agent}/conversations?variant_id=%ff"),
        format!("/v3/{workspace}/{agent}/conversations?%C0%AF=x"),
        format!("/v3/{workspace}/%ff/conversations"),
        format!("/v1/{workspace}/{agent}/handoff_state?id=%E2%82"),
        "/authz/nginx?account_id=%ff".to_owned(),
        "/authz/%ff".to_owned(),
    ] {
        let refused = setting.get(&test, &path).await;
        let expected = if path.starts_with("/authz/nginx") { [400, 403] } else { [400, 400] };
        assert!(expected.contains(&refused.status), "{path}: {} {}", refused.status, refused.body);
        assert!(refused.json()["error_code"].is_string(), "{path}: {}", refused.body);
    }
    for page in ["/sign-in?next=%ff", "/acme/api-keys?search=%ff", "/%ff"] {
        assert_eq!(test.browser().get(page).await.status, 400, "{page}");
    }
}
