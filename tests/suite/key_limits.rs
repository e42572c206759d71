//! Tests of what limits keys: networks, rates and quotas; and of what answers tell about a key.

use crate::support::{Answer, Setting, TestApp, conversation, on_both_engines, setting};
use agent_studio::api_keys::{KeySettings, TypedSettings};
use agent_studio::base::actor::Actor;
use agent_studio::base::id::ApiKeyId;
use agent_studio::usage::writer;
use agent_studio::{gate, on_db};

on_both_engines! {
    a_key_opens_from_its_networks_only,
    a_rate_is_kept,
    a_quota_is_shared_by_all_servers,
    an_answer_says_that_its_key_expires_soon,
    a_key_is_found_by_its_value,
}

async fn key_of(test: &TestApp, set: &Setting) -> ApiKeyId {
    test.app.api_keys.page(&set.workspace.id, &Default::default()).await.unwrap().keys[0].id.clone()
}

async fn set_to(test: &TestApp, set: &Setting, typed: TypedSettings<'_>) {
    let settings = KeySettings::parse(&typed).unwrap();
    let id = key_of(test, set).await;
    test.app.api_keys.set(&set.workspace.id, &Actor::command_line(), &id, &settings, None).await.unwrap();
}

async fn call(test: &TestApp, set: &Setting) -> Answer {
    set.get(test, &format!("/v3/{}/{}/conversations", set.workspace.id, set.agent)).await
}

async fn number(test: &TestApp, sql: &'static str) -> i64 {
    on_db!(&test.app.db, |pool| sqlx::query_scalar(sql).fetch_one(pool).await).unwrap()
}

/// Calls in these tests come from 192.0.2.7.
async fn a_key_opens_from_its_networks_only(test: TestApp) {
    let set = setting(&test).await;
    set_to(&test, &set, TypedSettings { networks: "192.0.2.0/24", quota: "1", ..TypedSettings::default() }).await;
    set_to(&test, &set, TypedSettings { networks: "198.51.100.0/24 2001:db8::/32", quota: "1", ..Default::default() })
        .await;
    for path in [format!("/v3/{}/{}/conversations", set.workspace.id, set.agent), "/v1/agents/nobody/x".to_owned()] {
        let refused = set.get(&test, &path).await;
        if refused.status != 404 {
            assert_eq!(refused.status, 403, "{path}: {}", refused.body);
            assert!(refused.json()["error_message"].as_str().unwrap().contains("network"), "{}", refused.body);
        }
    }
    let proxied = set.get(&test, &format!("/authz/nginx?account_id={}", set.workspace.id)).await;
    assert_eq!(proxied.status, 403);
    writer::flush(&test.app.usage).await.unwrap();
    assert_eq!(number(&test, "SELECT last_used_at FROM api_keys").await, 0, "it is not a use");
    assert!(number(&test, "SELECT COUNT(*) FROM requests WHERE outcome = 'other-network'").await >= 1);
    set_to(&test, &set, TypedSettings { networks: "192.0.2.7", quota: "1", ..TypedSettings::default() }).await;
    assert_eq!(call(&test, &set).await.status, 200, "the refused calls took nothing of the quota");
    assert_eq!(call(&test, &set).await.status, 429);
}

async fn a_rate_is_kept(test: TestApp) {
    let set = setting(&test).await;
    test.import(&set.workspace, &set.agent, &conversation("CA1", 1)).await;
    set_to(&test, &set, TypedSettings { rate: "2/min", burst: "3", ..TypedSettings::default() }).await;
    // A call that the gate refuses takes nothing.
    assert_eq!(set.get(&test, &format!("/v3/{}/nobody/conversations", set.workspace.id)).await.status, 404);
    for left in [2, 1, 0] {
        let answer = call(&test, &set).await;
        assert_eq!((answer.status, answer.header("ratelimit-policy")), (200, "\"rate\";q=2;w=60"));
        assert_eq!(answer.header("ratelimit"), format!("\"rate\";r={left};t=30"));
    }
    let limited = call(&test, &set).await;
    assert_eq!((limited.status, limited.json()["error_code"].as_str().unwrap()), (429, "TOO_MANY_REQUESTS"));
    let wait: u64 = limited.header("retry-after").parse().unwrap();
    assert!((25..=30).contains(&wait), "{wait}");
    let path = format!("/authz/nginx?account_id={}", set.workspace.id);
    let proxied = set.get(&test, &path).await;
    assert_eq!((proxied.status, proxied.header("x-denied-reason")), (403, "rate-limited"));
    assert_eq!(set.get(&test, &path.replace("nginx", "caddy")).await.status, 429);
    let unknown =
        test.browser().api(&path.replace("nginx", "caddy"), "ask_0123456789ABCDEFGHIJKLMNOPQRSTUV2QjdX3").await;
    assert_eq!((unknown.status, unknown.header("ratelimit")), (401, ""), "a stranger learns nothing");
}

async fn a_quota_is_shared_by_all_servers(test: TestApp) {
    let set = setting(&test).await;
    set_to(&test, &set, TypedSettings { quota: "5", ..TypedSettings::default() }).await;
    let other = TestApp::with(test.app.db.clone(), None);
    gate::follower::install(&test.app.gate);
    for _ in 0..2 {
        assert_eq!(call(&test, &set).await.status, 200);
        assert_eq!(call(&other, &set).await.status, 200);
    }
    writer::flush(&test.app.usage).await.unwrap();
    writer::flush(&other.app.usage).await.unwrap();
    let fifth = call(&other, &set).await;
    assert_eq!(fifth.status, 200);
    assert!(fifth.header("ratelimit").starts_with("\"month\";r=0;t="), "{}", fifth.header("ratelimit"));
    writer::flush(&other.app.usage).await.unwrap();
    assert_eq!(call(&other, &set).await.status, 429);
    // This server has written nothing since, and lets calls in until it does.
    let mut more = 0;
    while call(&test, &set).await.status == 200 {
        more += 1;
        writer::flush(&test.app.usage).await.unwrap();
    }
    assert!(more <= 1, "{more} calls too many");
    let refused = call(&test, &set).await;
    assert_eq!(refused.json()["error_code"], "QUOTA_EXCEEDED");
    // A server that starts now knows what was used.
    let fresh = TestApp::with(test.app.db.clone(), None);
    gate::follower::install(&test.app.gate);
    assert_eq!(call(&fresh, &set).await.status, 429);
    // The next month begins.
    test.app.clock.advance_seconds(31 * 86_400);
    assert_eq!(call(&test, &set).await.status, 401, "the setting's key lives for 30 days");
}

async fn an_answer_says_that_its_key_expires_soon(test: TestApp) {
    let set = setting(&test).await;
    let answer = call(&test, &set).await;
    let expires_at = test.app.api_keys.page(&set.workspace.id, &Default::default()).await.unwrap().keys[0].expires_at;
    assert_eq!((answer.status, answer.header("sunset")), (200, expires_at.http_date().as_str()));
    let proxied = set.get(&test, &format!("/authz/caddy?account_id={}", set.workspace.id)).await;
    assert_eq!((proxied.status, proxied.header("sunset")), (200, expires_at.http_date().as_str()));
    let later = crate::support::new_key("Later");
    let expires_at = test.app.clock.now().plus_days(31);
    let later = test.key(&set.workspace, agent_studio::api_keys::service::NewKey { expires_at, ..later }).await;
    let path = format!("/v3/{}/{}/conversations", set.workspace.id, set.agent);
    let answer = test.browser().api(&path, later.value.expose()).await;
    assert_eq!((answer.status, answer.header("sunset")), (200, ""));
    test.app.clock.advance_seconds(32 * 86_400);
    let expired = test.browser().api(&path, later.value.expose()).await;
    assert_eq!((expired.status, expired.header("sunset")), (401, ""));
}

async fn a_key_is_found_by_its_value(test: TestApp) {
    let set = setting(&test).await;
    let (keys, id) = (&test.app.api_keys, key_of(&test, &set).await);
    let find = async |value: &str| keys.find_by_value(&set.workspace.id, value).await.unwrap();
    assert_eq!(find(&format!(" {}\n", set.key)).await, Some(id.clone()));
    for other in ["", "ask_nonsense", "ask_0123456789ABCDEFGHIJKLMNOPQRSTUV2QjdX3"] {
        assert_eq!(find(other).await, None);
    }
    let other = test.workspace("Other").await;
    assert_eq!(keys.find_by_value(&other.id, &set.key).await.unwrap(), None, "not from another workspace");
    keys.delete(&set.workspace.id, &Actor::command_line(), &id).await.unwrap();
    assert_eq!(find(&set.key).await, Some(id), "a deleted key is still found");
}
