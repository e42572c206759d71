//! Tests of variants, attributes and deployments.

use crate::support::{Answer, Setting, TestApp, new_key, on_both_engines, setting};
use agent_studio::api_keys::service::NewKey;
use agent_studio::api_keys::{AgentScope, Permissions};
use agent_studio::base::actor::Actor;
use agent_studio::users::Role;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

on_both_engines! {
    exactly_one_variant_is_the_default,
    values_follow_attributes,
    deployments_move_ahead_and_back,
    reading_needs_any_key_and_changes_the_permission,
    an_agent_takes_them_along,
    pages_change_them_too,
}

/// A setting whose key has the permission Agents too.
async fn agents_setting(test: &TestApp) -> Setting {
    let mut setting = setting(test).await;
    let permissions = Permissions::parse(["agents", "conversations"]).unwrap();
    let new = NewKey { permissions, ..new_key("Builder") };
    setting.key = test.key(&setting.workspace, new).await.value.expose().to_owned();
    setting
}

async fn call(test: &TestApp, setting: &Setting, method: &str, path: &str, body: Value) -> Answer {
    let request = Request::builder().method(method).uri(format!("/v1/agents/{}/{path}", setting.agent));
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = request.header("x-api-key", &setting.key).header("content-type", "application/json");
    test.browser().send(request, Body::from(body)).await
}

/// Makes a call that must have this status.
async fn ok(test: &TestApp, setting: &Setting, method: &str, path: &str, body: Value, status: u16) -> Value {
    let answer = call(test, setting, method, path, body).await;
    assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
    answer.json()
}

async fn exactly_one_variant_is_the_default(test: TestApp) {
    let setting = agents_setting(&test).await;
    let all = "branches/main/variants";
    let first = ok(&test, &setting, "POST", all, json!({ "name": "First" }), 201).await;
    assert_eq!(first["isDefault"], true, "an agent's first variant is its default");
    assert_eq!(first["attributeValues"], json!({ "values": {} }));
    let second = ok(&test, &setting, "POST", all, json!({ "name": "Second", "isDefault": false }), 201).await;
    let (first, second) = (first["id"].as_str().unwrap(), second["id"].as_str().unwrap());
    let defaults = async || {
        let listed = ok(&test, &setting, "GET", all, Value::Null, 200).await;
        let of = |v: &Value| (v["id"].as_str().unwrap().to_owned(), v["isDefault"] == true);
        listed["variants"]
            .as_array()
            .unwrap()
            .iter()
            .map(of)
            .filter(|(_, default)| *default)
            .map(|(id, _)| id)
            .collect::<Vec<_>>()
    };
    assert_eq!(defaults().await, [first]);
    ok(&test, &setting, "PATCH", &format!("{all}/{second}"), json!({ "isDefault": true }), 200).await;
    assert_eq!(defaults().await, [second]);
    let third = ok(&test, &setting, "POST", all, json!({ "name": "Third", "isDefault": true }), 201).await;
    assert_eq!(defaults().await, [third["id"].as_str().unwrap()]);
    let third = format!("{all}/{}", third["id"].as_str().unwrap());
    ok(&test, &setting, "PATCH", &third, json!({ "isDefault": false }), 409).await;
    ok(&test, &setting, "DELETE", &third, Value::Null, 409).await;
    assert_eq!(
        ok(&test, &setting, "DELETE", &format!("{all}/{first}"), Value::Null, 200).await,
        json!({ "id": first })
    );
    ok(&test, &setting, "DELETE", &format!("{all}/{first}"), Value::Null, 404).await;
    for (path, body, status) in [
        (all.to_owned(), json!({ "name": "Second" }), 409),
        (all.to_owned(), json!({ "name": "" }), 400),
        (all.to_owned(), json!({ "name": "x".repeat(101) }), 400),
        (all.to_owned(), json!({ "name": "x", "color": "red" }), 400),
        (all.to_owned(), json!({ "name": "x", "attributeValues": { "values": { "attr-none": "1" } } }), 400),
        ("branches/dev/variants".to_owned(), json!({ "name": "x" }), 404),
    ] {
        ok(&test, &setting, "POST", &path, body, status).await;
    }
    ok(&test, &setting, "PATCH", &third, json!({ "name": "Second" }), 409).await;
    assert_eq!(defaults().await.len(), 1);

    // Two that become the default at once: one of them is it.
    let change = |id: String| {
        let (test, setting) = (&test, &setting);
        async move { call(test, setting, "PATCH", &format!("{all}/{id}"), json!({ "isDefault": true })).await.status }
    };
    let fourth = ok(&test, &setting, "POST", all, json!({ "name": "Fourth" }), 201).await;
    let fourth = fourth["id"].as_str().unwrap().to_owned();
    assert_eq!(tokio::join!(change(second.to_owned()), change(fourth)), (200, 200));
    assert_eq!(defaults().await.len(), 1);
}

async fn values_follow_attributes(test: TestApp) {
    let setting = agents_setting(&test).await;
    let (attributes, variants) = ("branches/main/attributes", "branches/main/variants");
    let hours = ok(&test, &setting, "POST", attributes, json!({ "name": "Hours" }), 201).await;
    let desk = ok(&test, &setting, "POST", attributes, json!({ "name": "Desk" }), 201).await;
    let (hours, desk) = (hours["id"].as_str().unwrap(), desk["id"].as_str().unwrap());
    ok(&test, &setting, "POST", attributes, json!({ "name": "Desk" }), 409).await;
    let values = json!({ "values": { hours: "9 to 5", desk: "Größe \"L\"" } });
    let variant = ok(&test, &setting, "POST", variants, json!({ "name": "One", "attributeValues": values }), 201).await;
    assert_eq!(variant["attributeValues"], values);
    let path = format!("{variants}/{}", variant["id"].as_str().unwrap());
    let renamed = ok(&test, &setting, "PATCH", &path, json!({ "name": "Uno" }), 200).await;
    assert_eq!((&renamed["name"], &renamed["attributeValues"]), (&json!("Uno"), &values), "what is left out stays");
    let fewer = json!({ "values": { desk: "1" } });
    let edited = ok(&test, &setting, "PATCH", &path, json!({ "attributeValues": fewer }), 200).await;
    assert_eq!(edited["attributeValues"], fewer, "values are replaced as a whole");
    let name = ok(&test, &setting, "PATCH", &format!("{attributes}/{desk}"), json!({ "name": "Counter" }), 200).await;
    assert_eq!(name, json!({ "id": desk, "name": "Counter" }));
    ok(&test, &setting, "DELETE", &format!("{attributes}/{desk}"), Value::Null, 200).await;
    let listed = ok(&test, &setting, "GET", variants, Value::Null, 200).await;
    assert_eq!(listed["variants"][0]["attributeValues"], json!({ "values": {} }));
    let listed = ok(&test, &setting, "GET", attributes, Value::Null, 200).await;
    assert_eq!(listed, json!({ "attributes": [{ "id": hours, "name": "Hours" }] }));
}

async fn deployments_move_ahead_and_back(test: TestApp) {
    let setting = agents_setting(&test).await;
    let publish = async |body: Value| ok(&test, &setting, "POST", "deployments/publish", body, 201).await;
    let active =
        async || ok(&test, &setting, "GET", "deployments/active", Value::Null, 200).await["activeDeployments"].clone();
    assert_eq!(active().await, json!({ "sandbox": null, "pre-release": null, "live": null }));
    let first = publish(json!({ "deploymentMessage": "First" })).await["deployment"].clone();
    assert_eq!(
        (&first["environment"], &first["metadata"]),
        (&json!("sandbox"), &json!({ "deployment_message": "First" }))
    );
    assert_eq!((&first["accountId"], &first["agentId"]), (&json!(setting.workspace.id), &json!(setting.agent)));
    let same = publish(Value::Null).await["deployment"].clone();
    assert_eq!(first["version"], same["version"], "the same content has the same version");
    ok(&test, &setting, "POST", "branches/main/variants", json!({ "name": "One" }), 201).await;
    let third = publish(json!({})).await["deployment"].clone();
    assert_ne!(first["version"], third["version"]);
    assert_eq!(active().await["sandbox"], third);

    let path =
        |deployment: &Value, action: &str| format!("deployments/{}/{action}", deployment["id"].as_str().unwrap());
    let ahead = ok(&test, &setting, "POST", &path(&third, "promote"), json!({ "deploymentMessage": "Go" }), 200).await;
    assert_eq!(ahead["testRunIds"], json!([]));
    let ahead = ahead["deployment"].clone();
    assert_eq!((&ahead["environment"], &ahead["version"]), (&json!("pre-release"), &third["version"]));
    let live = ok(&test, &setting, "POST", &path(&ahead, "promote"), Value::Null, 200).await["deployment"].clone();
    assert_eq!((&live["environment"], &live["artifactVersion"]), (&json!("live"), &third["artifactVersion"]));
    ok(&test, &setting, "POST", &path(&live, "promote"), Value::Null, 409).await;
    let back = json!({ "targetEnvironment": "pre-release" });
    ok(&test, &setting, "POST", &path(&live, "promote"), back.clone(), 409).await;
    let skipped = json!({ "targetEnvironment": "live" });
    let skipped = ok(&test, &setting, "POST", &path(&first, "promote"), skipped, 200).await["deployment"].clone();
    assert_eq!(active().await["live"], skipped);

    let rolled_back = ok(&test, &setting, "POST", &path(&live, "rollback"), Value::Null, 200).await;
    assert_eq!(rolled_back["deployment"], live);
    assert_eq!(active().await, json!({ "sandbox": third, "pre-release": ahead, "live": live }));
    let listed = ok(&test, &setting, "GET", "deployments?environment=live", Value::Null, 200).await;
    assert_eq!(listed["deployments"], json!([skipped, live]), "newest first");
    let one = ok(&test, &setting, "GET", "deployments?environment=sandbox&limit=1", Value::Null, 200).await;
    assert_eq!(one["deployments"], json!([third]));
    for path in ["deployments", "deployments?environment=prod", "deployments?environment=live&limit=0"] {
        ok(&test, &setting, "GET", path, Value::Null, 400).await;
    }
    ok(&test, &setting, "POST", "deployments/publish", json!({ "environment": "prod" }), 400).await;
    ok(&test, &setting, "POST", "deployments/dep-none/rollback", Value::Null, 404).await;
    ok(&test, &setting, "POST", "deployments/dep-none/promote", back, 404).await;
    ok(&test, &setting, "POST", "deployments/%00/promote", Value::Null, 404).await;
}

async fn reading_needs_any_key_and_changes_the_permission(test: TestApp) {
    let mut setting = agents_setting(&test).await;
    let id = ok(&test, &setting, "POST", "branches/main/variants", json!({ "name": "One" }), 201).await["id"].clone();
    let id = id.as_str().unwrap();
    let deployment = ok(&test, &setting, "POST", "deployments/publish", Value::Null, 201).await;
    let deployment = deployment["deployment"]["id"].as_str().unwrap().to_owned();
    let permissions = Permissions::parse(["handoff"]).unwrap();
    let new = NewKey { permissions, scope: AgentScope::Chosen(vec![setting.agent.clone()]), ..new_key("Reader") };
    setting.key = test.key(&setting.workspace, new).await.value.expose().to_owned();
    for path in
        ["branches/main/variants", "branches/main/attributes", "deployments/active", "deployments?environment=live"]
    {
        ok(&test, &setting, "GET", path, Value::Null, 200).await;
    }
    for (method, path) in [
        ("POST", "branches/main/variants".to_owned()),
        ("PATCH", format!("branches/main/variants/{id}")),
        ("DELETE", format!("branches/main/variants/{id}")),
        ("POST", "branches/main/attributes".to_owned()),
        ("PATCH", "branches/main/attributes/a".to_owned()),
        ("DELETE", "branches/main/attributes/a".to_owned()),
        ("POST", "deployments/publish".to_owned()),
        ("POST", format!("deployments/{deployment}/promote")),
        ("POST", format!("deployments/{deployment}/rollback")),
    ] {
        ok(&test, &setting, method, &path, json!({ "name": "x" }), 403).await;
    }
    let elsewhere = test.agent(&setting.workspace, "Elsewhere").await;
    setting.agent = elsewhere;
    ok(&test, &setting, "GET", "branches/main/variants", Value::Null, 403).await;
}

async fn an_agent_takes_them_along(test: TestApp) {
    let setting = agents_setting(&test).await;
    let attribute = ok(&test, &setting, "POST", "branches/main/attributes", json!({ "name": "A" }), 201).await;
    let values = json!({ "values": { attribute["id"].as_str().unwrap(): "1" } });
    let body = json!({ "name": "One", "attributeValues": values });
    ok(&test, &setting, "POST", "branches/main/variants", body, 201).await;
    ok(&test, &setting, "POST", "deployments/publish", Value::Null, 201).await;
    let workspace = &setting.workspace.id;
    let gone = test.app.agents.belongings(workspace, &setting.agent).await.unwrap();
    assert_eq!((gone.variants, gone.deployments), (1, 1));
    let agent = test.app.agents.find(workspace, setting.agent.as_str()).await.unwrap().unwrap();
    test.app.workspaces.set_undo_days(workspace, &Actor::command_line(), 0).await.unwrap();
    test.app.agents.delete(workspace, &Actor::command_line(), &agent).await.unwrap();
    assert!(test.app.variants.variants(workspace, &agent.id).await.unwrap().is_empty());
    assert!(test.app.variants.attributes(workspace, &agent.id).await.unwrap().is_empty());
}

async fn pages_change_them_too(test: TestApp) {
    let setting = agents_setting(&test).await;
    let mut admin = test.signed_in(&setting.workspace, "ada@example.com", Role::Admin).await;
    let page = format!("/acme/agents/{}", setting.agent);
    let agent = setting.agent.to_string();
    let own = [("workspace", "acme"), ("agent", agent.as_str())];
    let with = |more: &[(&'static str, &'static str)]| [&own[..], more].concat();
    assert!(admin.get(&page).await.body.contains("No variants yet"));
    let saved = admin.submit(&format!("{page}/attributes/new"), "save_attribute", &with(&[("name", "Hours")])).await;
    assert_eq!(saved.location(), format!("{page}?notice=attribute-saved"));
    let attribute =
        test.app.variants.attributes(&setting.workspace.id, &setting.agent).await.unwrap()[0].id.to_string();
    let value = format!("values[{attribute}]");
    let fields = [&own[..], &[("name", "Harbour"), (value.as_str(), "9 to <5>")]].concat();
    let saved = admin.submit(&format!("{page}/variants/new"), "save_variant", &fields).await;
    assert_eq!(saved.location(), format!("{page}?notice=variant-saved"));
    // What was typed into a refused form is there again.
    let refused = admin.submit(&format!("{page}/variants/new"), "save_variant", &fields).await;
    let again = admin.get(refused.location()).await.body;
    assert!(again.contains("Another one of this agent has this name."), "{again}");
    assert!(again.contains("9 to &lt;5&gt;") && again.contains("Harbour"));
    let variant = test.app.variants.variants(&setting.workspace.id, &setting.agent).await.unwrap()[0].clone();
    assert_eq!(variant.values.values().collect::<Vec<_>>(), ["9 to <5>"]);
    let edit = admin.get(&format!("{page}/variants/{}/edit", variant.id)).await;
    assert!(edit.status == 200 && edit.body.contains("9 to &lt;5&gt;"), "{}", edit.status);
    let published = admin
        .submit(&format!("{page}/deployments/publish"), "publish_agent", &with(&[("environment", "sandbox")]))
        .await;
    assert_eq!(published.location(), format!("{page}?notice=deployment-published"));
    let shown = admin.get(&page).await.body;
    for part in ["Harbour", "9 to &lt;5&gt;", "Hours", "Default", "Active", "Promote", "ada@example.com"] {
        assert!(shown.contains(part), "{part}");
    }
    let mut viewer = test.signed_in(&setting.workspace, "vic@example.com", Role::Viewer).await;
    let shown = viewer.get(&page).await.body;
    assert!(shown.contains("Harbour") && !shown.contains("Promote") && !shown.contains("/variants/new"));
    for none in ["variants/variant-none/edit", "variants/new/x/y", "deployments/dep-none/promote", "nothing/new"] {
        assert_eq!(admin.get(&format!("{page}/{none}")).await.status, 404, "{none}");
    }
    assert_eq!(admin.get("/acme/agents/PROJECT-NONE").await.status, 404);
}
