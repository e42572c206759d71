//! Tests of what a workspace demands of its keys, and of keys that members ask for.

use crate::support::{Setting, TestApp, new_key, on_both_engines, setting};
use agent_studio::api_keys::service::{ApiKeyError, NewKey, Rotation};
use agent_studio::api_keys::{AgentScope, ApiKey, KeyName, KeySettings, Permissions, TypedSettings};
use agent_studio::base::actor::Actor;
use agent_studio::base::error::Problem;
use agent_studio::base::id::ApiKeyId;
use agent_studio::key_requests::NewKeyRequest;
use agent_studio::users::Role;
use agent_studio::workspaces::KeyPolicy;

on_both_engines! {
    a_policy_is_enforced_on_new_keys,
    a_longest_lifetime_binds_keys_that_exist,
    what_does_not_fit_together_is_refused,
    members_ask_for_keys,
}

async fn status(test: &TestApp, set: &Setting, key: &str) -> u16 {
    test.browser().api(&format!("/v3/{}/{}/conversations", set.workspace.id, set.agent), key).await.status
}

async fn set_policy(test: &TestApp, set: &Setting, policy: KeyPolicy) -> u64 {
    test.app.api_keys.set_policy(&set.workspace.id, &Actor::command_line(), policy, true, None).await.unwrap()
}

async fn found(test: &TestApp, set: &Setting, id: &ApiKeyId) -> ApiKey {
    test.app.api_keys.find(&set.workspace.id, id).await.unwrap().unwrap()
}

fn settings(owner: &str, networks: &str) -> KeySettings {
    KeySettings::parse(&TypedSettings { owner, networks, ..TypedSettings::default() }).unwrap()
}

async fn a_policy_is_enforced_on_new_keys(test: TestApp) {
    let set = setting(&test).await;
    let (keys, workspace, actor) = (&test.app.api_keys, &set.workspace.id, Actor::command_line());
    let before = keys.page(workspace, &Default::default()).await.unwrap().keys[0].id.clone();
    let policy = KeyPolicy {
        max_lifetime_days: Some(20),
        all_agents_allowed: false,
        owner_required: true,
        networks_required: true,
        ..KeyPolicy::default()
    };
    assert_eq!(set_policy(&test, &set, policy).await, 0, "keys that exist are not bound");
    assert_eq!(status(&test, &set, &set.key).await, 200);
    let agent = agent_studio::base::id::AgentId::parse(set.agent.as_str()).unwrap();
    let good = NewKey {
        scope: AgentScope::Chosen(vec![agent]),
        expires_at: test.app.clock.now().plus_days(20),
        settings: settings("Ada", "192.0.2.0/24"),
        ..new_key("Good")
    };
    let refused = async |new: NewKey| match keys.create(workspace, &actor, &new).await {
        Err(ApiKeyError::Invalid(problem)) => problem,
        other => panic!("{other:?}"),
    };
    let late = NewKey { expires_at: test.app.clock.now().plus_days(21), ..good.clone() };
    assert_eq!(refused(late).await, Problem::LifetimeTooLong { days: 20 });
    assert_eq!(refused(NewKey { scope: AgentScope::All, ..good.clone() }).await, Problem::AllAgentsForbidden);
    assert_eq!(refused(NewKey { settings: settings("", "192.0.2.0/24"), ..good.clone() }).await, Problem::OwnerMissing);
    assert_eq!(refused(NewKey { settings: settings("Ada", ""), ..good.clone() }).await, Problem::NetworksMissing);
    let made = keys.create(workspace, &actor, &good).await.unwrap();
    assert_eq!(status(&test, &set, made.value.expose()).await, 200);

    let now = test.app.clock.now();
    let rotation = |days| Rotation { overlap_end: now, expires_at: now.plus_days(days) };
    let long = keys.rotate(workspace, &actor, &before, rotation(21)).await.unwrap_err();
    assert_eq!(long, Problem::LifetimeTooLong { days: 20 }.into());
    keys.rotate(workspace, &actor, &before, rotation(20)).await.unwrap();
    let without = keys.set(workspace, &actor, &made.id, &settings("", "192.0.2.0/24"), None).await.unwrap_err();
    assert_eq!(without, Problem::OwnerMissing.into());

    // The page says it beside the field.
    let mut browser = test.signed_in(&set.workspace, "ada@example.com", Role::Admin).await;
    let fields = [("workspace", "acme"), ("name", "x"), ("all_agents", "true"), ("permissions[]", "handoff")];
    let fields = [fields.as_slice(), &[("expiry[choice]", "7d"), ("settings[owner]", "Ada")]].concat();
    let answer = browser.submit("/acme/api-keys/new", "create_api_key", &fields).await;
    let page = browser.get(answer.location()).await.body;
    assert!(page.contains("This workspace allows no new keys for all agents."), "{page}");
    let form = browser.get("/acme/api-keys/new").await.body;
    assert!(form.contains("20 days") && !form.contains("1 year") && !form.contains("Those created later too"));
}

async fn a_longest_lifetime_binds_keys_that_exist(test: TestApp) {
    let set = setting(&test).await;
    let (keys, workspace, actor) = (&test.app.api_keys, &set.workspace.id, Actor::command_line());
    let now = test.app.clock.now();
    let long = test.key(&set.workspace, NewKey { expires_at: now.plus_days(400), ..new_key("Long") }).await;
    let short = test.key(&set.workspace, NewKey { expires_at: now.plus_days(5), ..new_key("Short") }).await;
    let deleted = test.key(&set.workspace, NewKey { expires_at: now.plus_days(400), ..new_key("Deleted") }).await;
    keys.delete(workspace, &actor, &deleted.id).await.unwrap();
    test.app.clock.advance_seconds(4 * 86_400);
    let bound = |days| KeyPolicy { max_lifetime_days: Some(days), binds_existing: true, ..KeyPolicy::default() };

    let (total, hit) = keys.beyond_lifetime(workspace, 10, 100).await.unwrap();
    assert_eq!(total, 2, "the key of the setting, which has 30 days, and the long one");
    assert!(hit.iter().all(|key| key.bound == now.plus_days(10)), "{hit:?}");
    let unconfirmed = keys.set_policy(workspace, &actor, bound(10), false, None).await.unwrap_err();
    assert_eq!(unconfirmed, Problem::KeysExpireEarlier { keys: 2 }.into());
    assert_eq!(keys.policy(workspace).await.unwrap(), KeyPolicy::default(), "nothing was changed");
    assert_eq!(set_policy(&test, &set, bound(10)).await, 3, "the deleted key too");
    assert_eq!(found(&test, &set, &long.id).await.expires_at, now.plus_days(10));
    assert_eq!(found(&test, &set, &short.id).await.expires_at, now.plus_days(5));
    keys.restore(workspace, &actor, &deleted.id).await.unwrap();
    assert_eq!(found(&test, &set, &deleted.id).await.expires_at, now.plus_days(10));

    // To the second, and at once where it has passed.
    test.app.clock.advance_seconds(6 * 86_400 - 1);
    assert_eq!(status(&test, &set, long.value.expose()).await, 200);
    assert_eq!(set_policy(&test, &set, bound(12)).await, 3, "longer again");
    assert_eq!(found(&test, &set, &long.id).await.expires_at, now.plus_days(12));
    assert_eq!(set_policy(&test, &set, bound(9)).await, 3);
    assert_eq!(status(&test, &set, long.value.expose()).await, 401, "the lifetime is over");
    assert_eq!(set_policy(&test, &set, KeyPolicy::default()).await, 0, "what has expired stays expired");
    assert_eq!(status(&test, &set, long.value.expose()).await, 401);

    // Without the policy a key has its own expiry again.
    let now = test.app.clock.now();
    let other = test.key(&set.workspace, NewKey { expires_at: now.plus_days(400), ..new_key("Other") }).await;
    assert_eq!(set_policy(&test, &set, bound(30)).await, 1);
    assert_eq!(set_policy(&test, &set, KeyPolicy::default()).await, 1);
    assert_eq!(found(&test, &set, &other.id).await.expires_at, now.plus_days(400));

    // A rotation that is cancelled gives back no more than the policy allows.
    let rotation = Rotation { overlap_end: now.plus_days(90), expires_at: now.plus_days(20) };
    let rotated = keys.rotate(workspace, &actor, &other.id, rotation).await.unwrap();
    assert_eq!(rotated.old_until, now.plus_days(90));
    let (total, hit) = keys.beyond_lifetime(workspace, 30, 100).await.unwrap();
    assert_eq!((total, hit[0].by_expiry, hit[0].bound), (1, false, now.plus_days(30)), "its old value");
    let unconfirmed = keys.set_policy(workspace, &actor, bound(30), false, None).await.unwrap_err();
    assert_eq!(unconfirmed, Problem::KeysExpireEarlier { keys: 1 }.into());
    set_policy(&test, &set, bound(30)).await;
    assert_eq!(found(&test, &set, &other.id).await.old_value.unwrap().until, now.plus_days(30));
    keys.cancel_rotation(workspace, &actor, &other.id).await.unwrap();
    assert_eq!(found(&test, &set, &other.id).await.expires_at, now.plus_days(30));
    assert_eq!(set_policy(&test, &set, KeyPolicy::default()).await, 1);
    assert_eq!(found(&test, &set, &other.id).await.expires_at, now.plus_days(400));
}

async fn what_does_not_fit_together_is_refused(test: TestApp) {
    let set = setting(&test).await;
    let policy = |default, max, binds_existing| KeyPolicy {
        default_lifetime_days: default,
        max_lifetime_days: max,
        binds_existing,
        ..KeyPolicy::default()
    };
    for (policy, problem) in [
        (policy(Some(91), Some(90), false), Problem::DefaultLifetimeInvalid),
        (policy(Some(0), None, false), Problem::DefaultLifetimeInvalid),
        (policy(None, Some(0), false), Problem::MaxLifetimeInvalid),
        (policy(None, Some(100_000), false), Problem::MaxLifetimeInvalid),
        (policy(None, None, true), Problem::MaxLifetimeMissing),
    ] {
        let refused = test.app.api_keys.set_policy(&set.workspace.id, &Actor::command_line(), policy, true, None).await;
        assert_eq!(refused.unwrap_err(), problem.into());
    }
    let (actor, other) = (Actor::command_line(), policy(Some(30), None, false));
    let stale = test.app.api_keys.set_policy(&set.workspace.id, &actor, other, true, Some("another")).await;
    assert_eq!(stale.unwrap_err(), ApiKeyError::Changed);
    let seen = KeyPolicy::default().version();
    let mut browser = test.signed_in(&set.workspace, "ada@example.com", Role::Admin).await;
    let rules = "/acme/api-keys/policy/rules";
    let wrong = [
        ("workspace", "acme"),
        ("seen", seen.as_str()),
        ("policy[max_lifetime]", "soon"),
        ("policy[all_agents_allowed]", "true"),
    ];
    let refused = browser.submit(rules, "set_key_policy", &wrong).await;
    let page = browser.get(refused.location()).await.body;
    assert!(page.contains("Enter a number of days from 1 to 36525") && page.contains("soon"), "{page}");
    let right = [
        ("workspace", "acme"),
        ("seen", seen.as_str()),
        ("policy[max_lifetime]", "10"),
        ("policy[all_agents_allowed]", "true"),
    ];
    let bound = [right.as_slice(), &[("policy[binds_existing]", "true")]].concat();
    let refused = browser.submit(rules, "set_key_policy", &bound).await;
    assert!(browser.get(refused.location()).await.body.contains("1 key would expire earlier"));
    let page = browser.get("/acme/api-keys/policy?days=10").await.body;
    assert!(page.contains("1 key") && page.contains("CRM") && page.contains("Would expire"), "{page}");
    let confirmed = [bound.as_slice(), &[("confirmed", "true")]].concat();
    let saved = browser.submit(rules, "set_key_policy", &confirmed).await;
    assert_eq!(saved.location(), "/acme/api-keys/policy?notice=settings-saved");
}

async fn members_ask_for_keys(test: TestApp) {
    let set = setting(&test).await;
    let (requests, workspace, actor) = (&test.app.key_requests, &set.workspace.id, Actor::command_line());
    let mut vic = test.signed_in(&set.workspace, "vic@example.com", Role::Viewer).await;
    let mut ada = test.signed_in(&set.workspace, "ada@example.com", Role::Admin).await;
    assert!(!vic.get("/acme/api-keys").await.body.contains("Ask for a key"));
    let fields = [("workspace", "acme"), ("name", "Dashboard"), ("all_agents", "true"), ("permissions[]", "handoff")];
    let fields = [fields.as_slice(), &[("expiry[choice]", "7d"), ("settings[note]", "For the wall")]].concat();
    assert_eq!(vic.call("create_api_key", &fields).await.status, 403);
    set_policy(&test, &set, KeyPolicy { members_may_request: true, ..KeyPolicy::default() }).await;

    assert!(vic.get("/acme/api-keys").await.body.contains("Ask for a key"));
    let form = vic.get("/acme/api-keys/new").await.body;
    assert!(form.contains("Send request") && !form.contains("settings[owner]"), "{form}");
    let sent = vic.submit("/acme/api-keys/new", "create_api_key", &fields).await;
    assert_eq!(sent.location(), "/acme/api-keys?notice=key-requested");
    assert!(!vic.get("/acme/api-keys").await.body.contains("Dashboard"), "it is no key yet");
    assert!(!vic.get("/acme/api-keys/requests").await.body.contains("Dashboard"), "admins answer");
    assert!(ada.get("/acme/api-keys").await.body.contains("1 key is asked for"));
    let page = ada.get("/acme/api-keys/requests").await.body;
    assert!(page.contains("Dashboard") && page.contains("vic@example.com") && page.contains("For the wall"), "{page}");

    let id = requests.list(workspace).await.unwrap()[0].id.clone();
    let answer = [("workspace", "acme"), ("request", id.as_str())];
    assert_eq!(vic.call("approve_key_request", &answer).await.status, 403);
    let approved = ada.submit("/acme/api-keys/requests", "approve_key_request", &answer).await;
    assert_eq!(approved.location(), format!("/acme/api-keys/{id}/created"));
    assert!(ada.get(approved.location()).await.body.contains("ask_"), "the value is shown once");
    let key = found(&test, &set, &id).await;
    assert_eq!((key.settings.owner.as_str(), key.settings.note.as_str()), ("vic@example.com", "For the wall"));
    assert_eq!(key.created_by, "ada@example.com");
    assert_eq!(ada.call("approve_key_request", &answer).await.status, 404, "it was answered");
    assert_eq!(ada.call("decline_key_request", &answer).await.status, 404);

    vic.submit("/acme/api-keys/new", "create_api_key", &fields).await;
    let id = requests.list(workspace).await.unwrap()[0].id.clone();
    let answer = [("workspace", "acme"), ("request", id.as_str())];
    ada.submit("/acme/api-keys/requests", "decline_key_request", &answer).await;
    assert_eq!(requests.count(workspace).await.unwrap(), 0);
    assert!(test.app.api_keys.find(workspace, &id).await.unwrap().is_none());

    // The same form sent again is one request, also after the answer.
    let id = test.app.api_keys.new_id();
    let twice = [fields.as_slice(), &[("id", id.as_str())]].concat();
    for _ in 0..2 {
        assert_eq!(vic.call("create_api_key", &twice).await.status, 200);
    }
    assert_eq!(requests.count(workspace).await.unwrap(), 1);
    requests.approve(workspace, &actor, &id, None).await.unwrap();
    assert_eq!(vic.call("create_api_key", &twice).await.status, 200);
    assert_eq!(requests.count(workspace).await.unwrap(), 0);
    let unknown = [("workspace", "acme"), ("name", "x"), ("agents[]", "PROJECT-NONE"), ("permissions[]", "handoff")];
    let unknown = [unknown.as_slice(), &[("expiry[choice]", "7d")]].concat();
    assert!(vic.call("create_api_key", &unknown).await.body.contains("AgentsUnknown"));
    let agent = set.agent.as_str();
    let same =
        [("workspace", "acme"), ("name", "x"), ("agents[]", agent), ("agents[]", agent), ("permissions[]", "handoff")];
    let same = [same.as_slice(), &[("expiry[choice]", "7d")]].concat();
    assert_eq!(ada.call("create_api_key", &same).await.status, 200, "an agent that is named twice");

    // What waits has a limit, and the policy holds for requests too.
    let asked = |days| NewKeyRequest {
        name: KeyName::parse("Another").unwrap(),
        scope: AgentScope::All,
        permissions: Permissions::parse(["handoff"]).unwrap(),
        expires_at: test.app.clock.now().plus_days(days),
        networks: Vec::new(),
        reason: String::new(),
    };
    for n in 0..20 {
        let id = ApiKeyId::parse(&format!("key-{n}")).unwrap();
        requests.ask(workspace, &actor, &id, asked(3)).await.unwrap();
    }
    let id = ApiKeyId::parse("key-20").unwrap();
    let refused = requests.ask(workspace, &actor, &id, asked(3)).await.unwrap_err();
    assert_eq!(refused, Problem::TooManyRequested.into());
    set_policy(
        &test,
        &set,
        KeyPolicy { max_lifetime_days: Some(2), members_may_request: true, ..KeyPolicy::default() },
    )
    .await;
    let refused = requests.ask(workspace, &Actor::command_line(), &id, asked(3)).await.unwrap_err();
    assert_eq!(refused, Problem::LifetimeTooLong { days: 2 }.into());
    let late = ApiKeyId::parse("key-0").unwrap();
    let refused = requests.approve(workspace, &actor, &late, None).await.unwrap_err();
    assert_eq!(refused, Problem::LifetimeTooLong { days: 2 }.into());
    assert_eq!(requests.count(workspace).await.unwrap(), 20, "what could not be approved still waits");
}
