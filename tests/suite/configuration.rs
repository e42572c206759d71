//! Tests of the Configuration page's service: search, copying, and the preview.

use crate::support::{TestApp, on_both_engines};
use agent_studio::base::actor::Actor;
use agent_studio::base::id::AgentId;
use agent_studio::configuration::{AllowedMetrics, CallerNumbers, Configuration};
use agent_studio::on_db;
use agent_studio::users::Role;
use agent_studio::workspaces::Workspace;
use serde_json::Value;

on_both_engines! {
    agents_are_found_by_name_and_by_metric,
    a_configuration_is_copied_to_one_agent_and_to_all,
    the_preview_follows_its_settings,
    one_card_of_the_page_is_open,
}

const CONVERSATION: &str = r#"{"id":"conversation-of-the-hotel","started_at":"2026-01-02T03:04:05Z","from_number":"+447856838428",
    "metrics":{"ROOM_TYPE":"suite","NIGHTS_100%":"2"},"turns":[{"user_input":"A room, please"}]}"#;

async fn found(test: &TestApp, workspace: &Workspace, search: &str) -> Vec<String> {
    let found = test.app.configurations.list(&workspace.id, search).await.unwrap();
    found.into_iter().map(|summary| summary.agent.name).collect()
}

async fn configuration(test: &TestApp, workspace: &Workspace, agent: &AgentId) -> Configuration {
    test.app.configurations.find(&workspace.id, agent.as_str()).await.unwrap().configuration
}

async fn agents_are_found_by_name_and_by_metric(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let hotel = test.agent(&workspace, "Hôtel").await;
    let spa = test.agent(&workspace, "Spa").await;
    let elsewhere = test.workspace("Elsewhere").await;
    let other = test.agent(&elsewhere, "Other").await;
    test.import(&workspace, &hotel, &CONVERSATION.replace('\n', "")).await;
    test.import(&elsewhere, &other, &CONVERSATION.replace('\n', "")).await;
    test.configure(&workspace, &spa, AllowedMetrics::Only(["MASSAGE_KIND".to_owned()].into()), false).await;
    for (search, expected) in [
        ("", vec!["Hôtel", "Spa"]),
        ("HÔT", vec!["Hôtel"]),
        ("room_t", vec!["Hôtel"]),
        ("massage", vec!["Spa"]),
        ("0%", vec!["Hôtel"]),
        // Not wildcards.
        ("r%m", vec![]),
        ("roomXtype", vec![]),
        ("\\", vec![]),
        ("other", vec![]),
    ] {
        assert_eq!(found(&test, &workspace, search).await, expected, "{search}");
    }
}

async fn a_configuration_is_copied_to_one_agent_and_to_all(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let hotel = test.agent(&workspace, "Hotel").await;
    let spa = test.agent(&workspace, "Spa").await;
    let bar = test.agent(&workspace, "Bar").await;
    let elsewhere = test.workspace("Elsewhere").await;
    let other = test.agent(&elsewhere, "Other").await;
    test.configure_caller_numbers(&workspace, &hotel, CallerNumbers::Hidden).await;
    let wanted = configuration(&test, &workspace, &hotel).await;
    let (service, actor) = (&test.app.configurations, Actor::command_line());

    service.copy(&workspace.id, &actor, spa.as_str(), hotel.as_str()).await.unwrap();
    assert_eq!(configuration(&test, &workspace, &spa).await, wanted);
    assert_eq!(configuration(&test, &workspace, &bar).await, Configuration::default());
    assert!(service.copy(&workspace.id, &actor, spa.as_str(), other.as_str()).await.is_err());
    assert!(service.copy(&workspace.id, &actor, other.as_str(), spa.as_str()).await.is_err());
    assert!(service.apply_to_all(&elsewhere.id, &actor, hotel.as_str()).await.is_err());

    service.apply_to_all(&workspace.id, &actor, hotel.as_str()).await.unwrap();
    assert_eq!(configuration(&test, &workspace, &bar).await, wanted);
    assert_eq!(configuration(&test, &elsewhere, &other).await, Configuration::default());
    // One entry for each agent that changed: the hotel at first, then the spa, then the bar.
    const CHANGED: &str = "SELECT subject FROM audit_entries
        WHERE workspace_id = $1 AND action = 'configuration-changed' ORDER BY subject";
    let changed: Result<Vec<String>, sqlx::Error> =
        on_db!(&test.app.db, |pool| sqlx::query_scalar(CHANGED).bind(&workspace.id).fetch_all(pool).await);
    assert_eq!(changed.unwrap(), ["Bar", "Hotel", "Spa"]);
}

async fn the_preview_follows_its_settings(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let hotel = test.agent(&workspace, "Hotel").await;
    let preview = async |configuration: &Configuration| {
        test.app.conversations.preview(&workspace.id, &hotel, configuration).await.unwrap()
    };
    assert_eq!(preview(&Configuration::default()).await, None);
    test.import(&workspace, &hotel, &CONVERSATION.replace('\n', "")).await;
    let everything =
        Configuration { metrics: AllowedMetrics::All, transcript: true, caller_numbers: CallerNumbers::LastFour };
    let seen: Value = serde_json::from_str(&preview(&everything).await.unwrap()).unwrap();
    assert_eq!(seen["metrics"]["ROOM_TYPE"], "suite");
    assert_eq!(seen["turns"][0]["user_input"], "A room, please");
    assert_eq!(seen["from_number"], "+********8428");
    // Nothing of it is saved.
    assert_eq!(configuration(&test, &workspace, &hotel).await, Configuration::default());
    let nothing: Value = serde_json::from_str(&preview(&Configuration::default()).await.unwrap()).unwrap();
    assert_eq!((&nothing["metrics"], &nothing["turns"]), (&serde_json::json!({}), &serde_json::json!([])));
}

async fn one_card_of_the_page_is_open(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let hotel = test.agent(&workspace, "Hotel").await;
    test.agent(&workspace, "Bar").await;
    test.import(&workspace, &hotel, &CONVERSATION.replace('\n', "")).await;
    let mut admin = test.signed_in(&workspace, "ada@example.com", Role::Admin).await;
    let first = admin.get("/acme/api-keys/configuration").await;
    assert!(
        !first.body.contains("ROOM_TYPE") && !first.body.contains("conversation-of-the-hotel"),
        "the bar's card is open"
    );
    let opened = admin.get(&format!("/acme/api-keys/configuration?agent={hotel}")).await;
    assert!(opened.body.contains("ROOM_TYPE") && opened.body.contains("conversation-of-the-hotel"), "{}", opened.body);
    assert!(!opened.body.contains("A room, please"), "transcripts are off");
    let mut viewer = test.signed_in(&workspace, "vic@example.com", Role::Viewer).await;
    let read_only = viewer.get(&format!("/acme/api-keys/configuration?agent={hotel}")).await;
    assert!(read_only.body.contains("ROOM_TYPE"));
    assert!(!read_only.body.contains("conversation-of-the-hotel"), "viewers see no conversation");
    let call = serde_json::json!({ "workspace": "acme", "query": { "search": "", "agent": hotel } });
    let preview = viewer.read("get_preview", &call).await;
    assert_eq!((preview.status, preview.body.as_str()), (200, "null"));
    let preview = admin.read("get_preview", &call).await;
    assert!(preview.status == 200 && preview.body.contains("conversation-of-the-hotel"), "{}", preview.body);
    for (path, status) in [
        ("/acme/api-keys/configuration?agent=nowhere", 200),
        ("/acme/api-keys/configuration?q=bar", 200),
        ("/acme/api-keys/configuration/apply?agent=nowhere", 404),
        ("/acme/api-keys/configuration/copy?agent=nowhere", 404),
        ("/acme/api-keys/configuration/copy", 404),
    ] {
        assert_eq!(admin.get(path).await.status, status, "{path}");
    }
}
