//! Compares the OpenAPI document, the published contract and the server's behaviour with each other.

use crate::support::{Answer, NOW, Setting, TestApp, conversation, new_key, on_both_engines, setting};
use agent_studio::api_keys::Permissions;
use agent_studio::base::actor::Actor;
use agent_studio::deployments::Environment;
use agent_studio::variants::model::VariantChanges;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use tempfile::TempDir;

/// The shortest text that passes for a recording.
const RECORDING: &str = "RIFF\x04\0\0\0WAVE";

on_both_engines! {
    every_route_is_described,
    every_example_is_accepted,
    answers_and_refusals_are_as_the_contract_says,
    the_document_is_served,
}

const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

/// Operations and schemas of the published contract, without descriptions.
fn contract() -> Value {
    serde_json::from_str(include_str!("../contract/contract.json")).unwrap()
}

fn document() -> Value {
    serde_json::to_value(agent_studio::server::openapi()).unwrap()
}

/// Fails unless the value is valid for the schema. References in the schema are resolved in `root`.
fn assert_valid(value: &Value, schema: &Value, root: &Value, what: &str) {
    let mut root = root.clone();
    for (name, own) in schema.as_object().unwrap() {
        root[name] = own.clone();
    }
    let validator = jsonschema::validator_for(&root).unwrap();
    let wrong: Vec<String> = validator.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(wrong.is_empty(), "{what}: {wrong:?} in {value}");
}

/// A path without the names of its parameters, which clients never see.
fn nameless(path: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect::<Vec<_>>().join("/")
}

fn operations(document: &Value) -> Vec<(String, &'static str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        METHODS.iter().filter_map(move |method| item.get(method).map(|o| (path.clone(), *method, o)))
    });
    operations.collect()
}

async fn every_route_is_described(test: TestApp) {
    let document = document();
    let described: BTreeSet<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    let routed: BTreeSet<String> = agent_studio::server::router::api_paths().into_iter().collect();
    assert_eq!(routed, described);

    // The document has exactly the methods of each path.
    for path in &described {
        let request = Request::builder().method("TRACE").uri(path.replace(['{', '}'], ""));
        let answer = test.browser().send(request, Body::empty()).await;
        assert_eq!(answer.status, 405, "{path}");
        let allowed: BTreeSet<String> =
            answer.header("allow").split(',').map(str::to_lowercase).filter(|m| m != "head").collect();
        let listed: BTreeSet<String> =
            METHODS.iter().filter(|m| document["paths"][path].get(**m).is_some()).map(|m| (*m).to_owned()).collect();
        assert_eq!(allowed, listed, "{path}");
    }
    // Operation ids are unique.
    let ids: BTreeSet<&str> = operations(&document).iter().filter_map(|(.., o)| o["operationId"].as_str()).collect();
    assert_eq!(ids.len(), operations(&document).len());
}

/// An example for a schema: its own, or one made from its fields that are required or have examples.
fn example_of(schema: &Value, document: &Value) -> Option<Value> {
    if let Some(example) = schema.get("example") {
        return Some(example.clone());
    }
    if let Some(name) = schema["$ref"].as_str() {
        return example_of(document.pointer(&name[1..]).unwrap(), document);
    }
    if let Some(items) = schema.get("items") {
        return example_of(items, document).map(|item| json!([item]));
    }
    let fields = schema["properties"].as_object()?;
    let examples = fields.iter().filter_map(|(name, field)| Some((name.clone(), example_of(field, document)?)));
    let examples: Map<String, Value> = examples.collect();
    (!examples.is_empty()).then(|| examples.into())
}

fn encoded(value: &Value) -> String {
    serde_html_form::to_string([("", value.as_str().map_or_else(|| value.to_string(), str::to_owned))]).unwrap()[1..]
        .to_owned()
}

/// A content type and a body.
type Content = (String, String);
/// An example request: path in the document, method, URL, body.
type Example = (String, &'static str, String, Option<Content>);

/// Ids in paths: an agent to delete, and a variant, an attribute and a deployment of the setting's agent.
struct ExampleIds {
    spare_agent: String,
    variant: String,
    attribute: String,
    deployment: String,
}

impl ExampleIds {
    async fn create(test: &TestApp, setting: &Setting) -> Self {
        let (workspace, actor) = (&setting.workspace.id, Actor::command_line());
        let agent = test.app.agents.find(workspace, setting.agent.as_str()).await.unwrap().unwrap();
        let (variants, deployments) = (&test.app.variants, &test.app.deployments);
        let mut made = Vec::new();
        for name in ["One", "Two"] {
            let new = VariantChanges { name: Some(name.to_owned()), ..Default::default() };
            made.push(variants.create(workspace, &actor, &agent, new).await.unwrap().id);
        }
        let attribute = variants.create_attribute(workspace, &actor, &agent, "Desk").await.unwrap().id;
        let deployment = deployments.publish(workspace, &actor, &agent, Environment::Sandbox, "").await.unwrap().id;
        Self {
            spare_agent: test.agent(&setting.workspace, "Spare").await.to_string(),
            // The first variant is the default, which cannot be deleted.
            variant: made[1].to_string(),
            attribute: attribute.to_string(),
            deployment: deployment.to_string(),
        }
    }
}

/// All example requests of the document.
fn example_requests(document: &Value, setting: &Setting, ids: &ExampleIds) -> Vec<Example> {
    let mut requests = Vec::new();
    for (path, method, operation) in operations(document) {
        let erases = method == "delete";
        let (mut address, mut query) = (path.clone(), Vec::new());
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let own = match name {
                "account_id" => Some(setting.workspace.id.to_string()),
                "project_id" => Some(setting.agent.to_string()),
                "agent_id" if path == "/v1/agents/{agent_id}" => Some(ids.spare_agent.clone()),
                "agent_id" => Some(setting.agent.to_string()),
                "variant_id" if path.ends_with("{variant_id}") => Some(ids.variant.clone()),
                "attribute_id" => Some(ids.attribute.clone()),
                "deployment_id" => Some(ids.deployment.clone()),
                "branch_id" => Some("main".to_owned()),
                "id" if erases => Some("C2".to_owned()),
                "id" => Some("C1".to_owned()),
                _ => None,
            };
            match (parameter["in"].as_str().unwrap(), own, parameter.get("example")) {
                ("path", Some(own), _) => address = address.replace(&format!("{{{name}}}"), &own),
                ("query", Some(own), _) => query.push(format!("{name}={own}")),
                ("query", None, Some(Value::Array(several))) => {
                    query.extend(several.iter().map(|one| format!("{name}={}", encoded(one))));
                }
                ("query", None, Some(one)) => query.push(format!("{name}={}", encoded(one))),
                ("query", None, None) => assert_ne!(parameter["required"], true, "{path}: {name} has no example"),
                other => panic!("{path}: {other:?}"),
            }
        }
        let address = format!("{address}?{}", query.join("&"));
        let Some(content) = operation.pointer("/requestBody/content").and_then(Value::as_object) else {
            requests.push((path, method, address, None));
            continue;
        };
        for (content_type, body) in content {
            let example = body.get("example").cloned().or_else(|| example_of(&body["schema"], document));
            let example = example.or_else(|| (content_type == "audio/wav").then(|| RECORDING.into()));
            let example = example.unwrap_or_else(|| panic!("{path}: no example of {content_type}"));
            let text = match (content_type.as_str(), example) {
                ("application/x-www-form-urlencoded", Value::Object(fields)) => {
                    fields.iter().map(|(n, v)| format!("{n}={}", encoded(v))).collect::<Vec<_>>().join("&")
                }
                (_, Value::String(text)) => text,
                (_, other) => other.to_string(),
            };
            requests.push((path.clone(), method, address.clone(), Some((content_type.clone(), text))));
        }
    }
    requests
}

async fn call(test: &TestApp, setting: &Setting, method: &str, address: &str, body: Option<&Content>) -> Answer {
    let mut request = Request::builder().method(method.to_uppercase().as_str()).uri(address);
    request = match address.starts_with("/runtime/") {
        true => request.header("authorization", format!("Bearer {}", setting.token)),
        false => request.header("x-api-key", &setting.key),
    };
    let Some((content_type, text)) = body else { return test.browser().send(request, Body::empty()).await };
    test.browser().send(request.header("content-type", content_type), Body::from(text.clone())).await
}

/// A setting with a conversation in progress that has a handoff state and waits for `event-1`, another conversation,
/// and a key with all permissions.
async fn busy_setting(test: &mut TestApp) -> (Setting, TempDir) {
    let recordings = test.store_recordings();
    let test = &*test;
    let mut setting = setting(test).await;
    let permissions = ["conversations", "handoff", "external-events", "agents"];
    let key = agent_studio::api_keys::service::NewKey {
        permissions: Permissions::parse(permissions).unwrap(),
        ..new_key("Everything")
    };
    setting.key = test.key(&setting.workspace, key).await.value.expose().to_owned();
    test.import(&setting.workspace, &setting.agent, &conversation("C2", 120)).await;
    let in_progress = conversation("C1", 60).replacen('{', r#"{"in_progress":true,"#, 1);
    test.import(&setting.workspace, &setting.agent, &in_progress).await;
    for (method, path, body, expected) in [
        ("POST", "C1/external-events", r#"{"event_id":"event-1"}"#, 201),
        ("PUT", "C1/handoff", r#"{"shared_id":"s","data":{"a":1}}"#, 204),
        ("PUT", "C1/audio", RECORDING, 204),
    ] {
        assert_eq!(setting.runtime(test, method, path, body).await.status, expected);
    }
    (setting, recordings)
}

async fn every_example_is_accepted(mut test: TestApp) {
    let (setting, _recordings) = busy_setting(&mut test).await;
    let ids = ExampleIds::create(&test, &setting).await;
    let document = document();
    let root = json!({ "components": document["components"] });
    let mut requests = example_requests(&document, &setting, &ids);
    // Deletions come last.
    requests.sort_by_key(|(_, method, ..)| *method == "delete");
    for (path, method, address, body) in &requests {
        let answer = call(&test, &setting, method, address, body.as_ref()).await;
        let responses = &document["paths"][path][*method]["responses"];
        let accepted = responses.as_object().unwrap().keys().find(|status| status.starts_with('2'));
        // Retired calls have no successful response.
        let expected = accepted.map_or("410", String::as_str);
        assert_eq!(answer.status.to_string(), expected, "{method} {address} {body:?}: {}", answer.body);
        match responses[expected].pointer("/content/application~1json/schema") {
            Some(schema) => assert_valid(&answer.json(), schema, &root, &format!("{method} {path}")),
            None if answer.header("content-type") == "audio/wav" => assert_eq!(answer.body, RECORDING),
            None => assert_eq!(answer.body, "", "{method} {path}"),
        }
    }
    assert_eq!(requests.len(), 41);
}

async fn answers_and_refusals_are_as_the_contract_says(mut test: TestApp) {
    let (setting, _recordings) = busy_setting(&mut test).await;
    let (document, contract) = (document(), contract());
    let defs = json!({ "$defs": contract["$defs"] });
    let conversations = format!("/v3/{}/{}/conversations", setting.workspace.slug, setting.agent);
    let handoff = format!("/v1/{}/{}/handoff_state", setting.workspace.slug, setting.agent);
    let agents = format!("/v1/accounts/{}/agents", setting.workspace.slug);
    let agent = format!("/v1/agents/{}", setting.agent);
    let ids = format!("account_id={}&project_id={}", setting.workspace.id, setting.agent);
    let event = format!("/v1/external-events/webhook?event_id_location=payload&event_id_path=cid&{ids}");
    let json_body = |text: &str| Some(("application/json".to_owned(), text.to_owned()));
    let between = format!("start_time={}&end_time={}", NOW.plus_days(-1).iso(), NOW.iso());
    let new_agent = r#"{"name":"Night","agentId":"night","responseSettings":{"greeting":"Hi"},"experimentalConfig":{"configs":[
        {"id":"e","features":{"a":1},"createdAt":"x","createdBy":"x","updatedAt":"x","updatedBy":"x","active":true}]}}"#;
    let elsewhere = conversations.replace(&setting.workspace.slug, "elsewhere");
    let ids = ExampleIds::create(&test, &setting).await;
    let (attributes, variants) =
        (format!("{agent}/branches/main/attributes"), format!("{agent}/branches/main/variants"));
    let attribute = format!("{attributes}/{}", ids.attribute);
    let variant = format!("{variants}/{}", ids.variant);
    let deployment = &ids.deployment;
    let deployments = format!("{agent}/deployments");
    let values = format!("{{\"name\":\"Three\",\"attributeValues\":{{\"values\":{{\"{}\":\"1\"}}}}}}", ids.attribute);
    let cases = [
        ("get", attributes.clone(), None, 200),
        ("post", attributes.clone(), json_body(r#"{"name":"Hours"}"#), 201),
        ("patch", attribute.clone(), json_body(r#"{"name":"Counter"}"#), 200),
        ("post", variants.clone(), json_body(&values), 201),
        ("get", variants.clone(), None, 200),
        ("patch", variant.clone(), json_body(r#"{"isDefault":false}"#), 200),
        ("delete", variant, None, 200),
        ("delete", attribute, None, 200),
        ("post", format!("{deployments}/publish"), json_body("{}"), 201),
        ("get", format!("{deployments}?environment=sandbox"), None, 200),
        ("get", format!("{deployments}?environment=none"), None, 400),
        ("get", format!("{deployments}/active"), None, 200),
        ("post", format!("{deployments}/{deployment}/promote"), json_body("{}"), 200),
        ("post", format!("{deployments}/none/promote"), json_body("{}"), 404),
        ("post", format!("{deployments}/{deployment}/rollback"), json_body("{}"), 200),
        ("post", format!("{deployments}/none/rollback"), json_body("{}"), 404),
        ("get", format!("{conversations}?include_latency=true&limit=1"), None, 200),
        ("get", format!("{conversations}?query_type=transcript&query=room&{between}"), None, 200),
        ("get", format!("{conversations}?sample=random&{between}"), None, 200),
        ("get", format!("{conversations}?limit=0"), None, 400),
        ("get", elsewhere, None, 403),
        ("get", conversations.replace(setting.agent.as_str(), "PROJECT-NONE"), None, 404),
        ("get", format!("{conversations}/concurrency?{between}").replacen("/v3/", "/v1/", 1), None, 200),
        ("get", format!("{agent}/conversations/C1"), None, 200),
        ("get", format!("{agent}/conversations/C9"), None, 404),
        ("get", format!("{agent}/conversations/C1/audio"), None, 200),
        ("get", format!("{agent}/conversations/C2/audio"), None, 404),
        ("get", format!("{agent}/conversations/C1/audio?direction=up"), None, 400),
        ("get", format!("{handoff}?id=C1"), None, 200),
        ("get", format!("{handoff}?shared_id=s"), None, 200),
        ("get", handoff.clone(), None, 400),
        ("get", format!("{handoff}?id=C2"), None, 404),
        ("post", event.clone(), json_body(r#"{"cid":"event-1"}"#), 201),
        ("post", event.clone(), json_body(r#"{"cid":"event-9"}"#), 400),
        ("post", event.clone(), json_body("{}"), 400),
        ("get", agents.clone(), None, 200),
        ("post", agents.clone(), json_body(new_agent), 200),
        ("post", format!("{agent}/duplicate"), json_body(r#"{"newAgentName":"Day"}"#), 200),
        ("delete", agent.replace(setting.agent.as_str(), "night"), None, 204),
    ];
    let mut weak = Vec::new();
    for permission in ["handoff", "external-events"] {
        let permissions = Permissions::parse([permission]).unwrap();
        let key = agent_studio::api_keys::service::NewKey { permissions, ..new_key(permission) };
        weak.push(test.key(&setting.workspace, key).await.value.expose().to_owned());
    }
    let mut seen = BTreeSet::new();
    for (method, address, body, status) in &cases {
        let answer = call(&test, &setting, method, address, body.as_ref()).await;
        assert_eq!(answer.status, *status, "{method} {address}: {}", answer.body);
        let path = address.split('?').next().unwrap();
        let operation = contract["operations"]
            .as_array()
            .unwrap()
            .iter()
            .find(|operation| operation["method"] == *method && matches(operation["path"].as_str().unwrap(), path));
        let operation = operation.unwrap_or_else(|| panic!("{method} {path}"));
        seen.insert((*method, operation["path"].as_str().unwrap()));
        let content = &operation["responses"][status.to_string()];
        if answer.header("content-type") == "audio/wav" {
            assert!(content.get("audio/wav").is_some() && answer.body == RECORDING, "{method} {address}");
            continue;
        }
        let mut body_of_answer = if answer.body.is_empty() { Value::Null } else { answer.json() };
        if *status == 200 && path.starts_with(&format!("{agent}/conversations")) {
            // The live service answers null for what is absent; the published schema, written by hand, knows no null.
            body_of_answer.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        }
        if let Some(active) = body_of_answer.get_mut("activeDeployments") {
            active.as_object_mut().unwrap().retain(|_, deployment| !deployment.is_null());
        }
        match content.get("application/json") {
            Some(schema) => assert_valid(&body_of_answer, schema, &defs, &format!("{method} {address}")),
            None => assert_eq!(answer.body, "", "{method} {address}"),
        }
        // Without a key, and with a key without the permission, the refusal matches the schema.
        let keyless = powerless(&setting, "ask_none");
        let answer = call(&test, &keyless, method, address, body.as_ref()).await;
        assert_eq!(answer.status, 401, "{method} {address}");
        assert_valid(&answer.json(), &json!({ "$ref": "#/$defs/Error" }), &defs, "401");
        // Any key can list its agents, and read their variants and deployments.
        let open = [&agents, &attributes, &variants, &deployments, &format!("{deployments}/active")];
        if !(*method == "get" && open.iter().any(|open| *open == path)) {
            let answer =
                call(&test, &powerless(&setting, &weak[usize::from(path == handoff)]), method, address, body.as_ref())
                    .await;
            assert_eq!(answer.status, 403, "{method} {address}: {}", answer.body);
            assert_valid(&answer.json(), &json!({ "$ref": "#/$defs/Error" }), &defs, "403");
        }
    }

    // Each operation of the contract was called, and is in the document with all its parameters and statuses.
    let ours = operations(&document);
    for operation in contract["operations"].as_array().unwrap() {
        let (path, method) = (operation["path"].as_str().unwrap(), operation["method"].as_str().unwrap());
        assert!(seen.contains(&(method, path)), "{method} {path} was not called");
        let own = ours.iter().find(|(p, m, _)| nameless(p) == nameless(path) && *m == method);
        let (.., own) = own.unwrap_or_else(|| panic!("{method} {path} is not described"));
        let parameters = |of: &Value, place: &str| -> BTreeSet<(String, bool)> {
            let listed = of["parameters"].as_array().unwrap().iter().filter(|p| p["in"] == place);
            listed.map(|p| (p["name"].as_str().unwrap().to_owned(), p["required"] == true)).collect()
        };
        // Filters beside those of the contract.
        let beside = ["language", "direction", "tag"].map(|name| (name.to_owned(), false));
        let mut own_query = parameters(own, "query");
        if path.ends_with("/conversations") {
            assert!(beside.iter().all(|filter| own_query.remove(filter)), "{method} {path}");
        }
        assert_eq!(own_query, parameters(operation, "query"), "{method} {path}");
        assert_eq!(parameters(own, "path").len(), parameters(operation, "path").len(), "{method} {path}");
        for status in operation["responses"].as_object().unwrap().keys() {
            assert!(own["responses"].get(status).is_some(), "{method} {path} {status}");
        }
    }
}

/// The same setting with another key.
fn powerless(setting: &Setting, key: &str) -> Setting {
    Setting {
        workspace: setting.workspace.clone(),
        agent: setting.agent.clone(),
        key: key.to_owned(),
        token: setting.token.clone(),
    }
}

fn matches(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len() && template.iter().zip(&path).all(|(t, p)| t.starts_with('{') || t == p)
}

async fn the_document_is_served(test: TestApp) {
    let mut browser = test.browser();
    let served = browser.get("/openapi.json").await;
    assert_eq!((served.status, served.header("content-type")), (200, "application/json"));
    assert_eq!(served.json(), document());
    assert_eq!(browser.get("/docs").await.location(), "/docs/");
    let page = browser.get("/docs/").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-security-policy").contains("script-src 'self';"));
    assert!(!page.body.contains("//"), "something from elsewhere: {}", page.body);
    assert!(browser.get("/docs/swagger-initializer.js").await.body.contains("/openapi.json"));
}
