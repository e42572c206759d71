//! Tests of usage (counts, request log, their pages) and of the Activity page.

use crate::support::{TestApp, conversation, follow, new_key, on_both_engines, postgres, setting};
use agent_studio::api_keys::{KeyListQuery, KeyOrder};
use agent_studio::base::actor::Actor;
use agent_studio::base::id::{ApiKeyId, WorkspaceId};
use agent_studio::base::time::Timestamp;
use agent_studio::configuration::AllowedMetrics;
use agent_studio::gate;
use agent_studio::on_db;
use agent_studio::usage::counts::{MAX_REFUSALS, hour_of};
use agent_studio::usage::record::RequestLogLimits;
use agent_studio::usage::service::PastCall;
use agent_studio::usage::store::{self, RequestFilter};
use agent_studio::usage::{Api, Outcome, Period, ranking, writer};
use agent_studio::users::Role;
use axum::body::Body;
use axum::http::Request;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

on_both_engines! {
    every_call_is_counted_and_logged,
    refusals_are_kept_and_accepted_calls_are_sampled,
    refusals_of_one_key_do_not_fill_the_log,
    counts_are_exact_under_load,
    an_hour_begins_on_the_hour,
    what_is_old_is_forgotten,
    a_key_has_a_page,
    a_refusal_is_explained_by_its_id,
    activity_is_filtered_and_exported,
    a_workspace_has_a_usage_page,
    hours_are_rolled_up_into_days,
    keys_are_ranked_for_each_period,
}

/// A server with these limits of the request log.
fn limited(mut test: TestApp, limits: RequestLogLimits) -> TestApp {
    test.reconfigure(|parts| parts.limits = limits);
    test
}

/// The stored counts by outcome, of all keys. `left-out` counts the calls that were not logged.
async fn counted(test: &TestApp) -> BTreeMap<String, i64> {
    let sql = "SELECT outcome, CAST(SUM(requests) AS BIGINT) FROM key_usage GROUP BY outcome";
    let rows: Vec<(String, i64)> = on_db!(&test.app.db, |pool| sqlx::query_as(sql).fetch_all(pool).await).unwrap();
    rows.into_iter().collect()
}

async fn logged(test: &TestApp) -> BTreeMap<String, i64> {
    let sql = "SELECT outcome, COUNT(*) FROM requests GROUP BY outcome";
    let rows: Vec<(String, i64)> = on_db!(&test.app.db, |pool| sqlx::query_as(sql).fetch_all(pool).await).unwrap();
    rows.into_iter().collect()
}

fn counts<const N: usize>(of: [(Outcome, i64); N]) -> BTreeMap<String, i64> {
    of.map(|(outcome, n)| (outcome.id().to_owned(), n)).into()
}

async fn every_call_is_counted_and_logged(test: TestApp) {
    let set = setting(&test).await;
    let other = test.workspace("Other").await;
    let agent = &set.agent;
    test.import(&set.workspace, agent, &conversation("CA1", 5)).await;
    let (own, foreign) = (set.workspace.id.as_str(), other.id.as_str());
    for (path, status) in [
        (format!("/v3/{own}/{agent}/conversations"), 200),
        (format!("/v3/{own}/{agent}/conversations/CA1"), 200),
        (format!("/v3/{own}/{agent}/conversations/nothing"), 404),
        (format!("/v3/{own}/{agent}/conversations?limit=x"), 400),
        (format!("/v1/agents/{agent}/conversations"), 200),
        (format!("/v1/accounts/{own}/agents"), 200),
        (format!("/v3/{foreign}/{agent}/conversations"), 403),
        (format!("/v3/{own}/nobody/conversations"), 404),
    ] {
        assert_eq!(set.get(&test, &path).await.status, status, "{path}");
    }
    let create = Request::post(format!("/v1/accounts/{own}/agents")).header("x-api-key", &set.key);
    assert_eq!(test.browser().send(create, Body::from("{}")).await.status, 403, "the permission Agents is missing");
    test.configure(&set.workspace, agent, AllowedMetrics::All, false).await;
    let search = "query_type=transcript&query=room&start_time=2020-01-01T00:00:00Z&end_time=2030-01-01T00:00:00Z";
    assert_eq!(set.list(&test, search).await.status, 403);
    // Calls without a known key are counted in metrics, but in no workspace.
    assert_eq!(test.browser().api(&format!("/v3/{own}/{agent}/conversations"), "ask_nonsense").await.status, 401);
    let unknown = "ask_0123456789ABCDEFGHIJKLMNOPQRSTUV2QjdX3";
    assert_eq!(test.browser().api(&format!("/v3/{own}/{agent}/conversations"), unknown).await.status, 401);
    test.app.clock.advance_seconds(31 * 86_400);
    // The key has expired: the response is that for an unknown key, but the call is logged. The path contains a key by
    // mistake.
    assert_eq!(set.get(&test, &format!("/v3/{own}/{}/conversations", set.key)).await.status, 401);

    writer::flush(&test.app.usage).await.unwrap();
    let expected = counts([
        (Outcome::Accepted, 6),
        (Outcome::OtherWorkspace, 1),
        (Outcome::NoSuchAgent, 1),
        (Outcome::LacksPermission, 1),
        (Outcome::TranscriptOff, 1),
        (Outcome::Expired, 1),
    ]);
    let mut by_permission = expected.clone();
    by_permission.insert("with-conversations".to_owned(), 5);
    assert_eq!(counted(&test).await, by_permission, "one of the accepted calls needs no permission");
    assert_eq!(logged(&test).await, expected);
    use agent_studio::usage::Api::Conversations;
    assert_eq!(
        [Outcome::Malformed, Outcome::Unknown, Outcome::Expired].map(|outcome| test
            .app
            .usage
            .metrics()
            .requests(Conversations, outcome)
            .get()),
        [1, 1, 1]
    );
    let keys = test.app.api_keys.page(&set.workspace.id, &KeyListQuery::default()).await.unwrap().keys;
    assert_eq!(keys[0].last_used_at, Some(test.app.clock.now()));
    let rows =
        store::requests(&test.app.db, &set.workspace.id, &keys[0].id, &RequestFilter::default(), 100).await.unwrap();
    assert_eq!(rows.len(), 11);
    let last = &rows[0];
    assert_eq!(
        (last.path.as_str(), last.status, last.method.as_str(), last.address.as_str()),
        (format!("/v3/{own}/ask_***/conversations").as_str(), 401, "GET", "192.0.2.7")
    );
    assert!(rows.iter().all(|row| !row.path.contains('?') && row.correlation_id.len() == 36), "{rows:?}");
}

async fn refusals_are_kept_and_accepted_calls_are_sampled(test: TestApp) {
    let test = limited(test, RequestLogLimits { per_second: 10, ..RequestLogLimits::default() });
    let set = setting(&test).await;
    let path = format!("/v1/accounts/{}/agents", set.workspace.id);
    for n in 0..200 {
        assert_eq!(set.get(&test, &path).await.status, 200);
        if n % 10 == 0 {
            assert_eq!(set.get(&test, "/v1/accounts/nothing/agents").await.status, 403);
        }
    }
    writer::flush(&test.app.usage).await.unwrap();
    let mut expected = counts([(Outcome::Accepted, 200), (Outcome::OtherWorkspace, 20)]);
    assert_eq!(logged(&test).await, counts([(Outcome::Accepted, 10), (Outcome::OtherWorkspace, 20)]));
    expected.insert("left-out".to_owned(), 190);
    assert_eq!(counted(&test).await, expected);
    assert_eq!(test.app.usage.metrics().left_out().get(), 190);
    let mut admin = test.signed_in(&set.workspace, "ada@example.com", Role::Admin).await;
    let key = test.app.api_keys.page(&set.workspace.id, &KeyListQuery::default()).await.unwrap().keys[0].id.clone();
    let page = admin.get(&format!("/acme/api-keys/{key}")).await;
    assert!(page.body.contains("190 requests of the last 30 days were counted but left out here"), "{}", page.body);
}

async fn refusals_of_one_key_do_not_fill_the_log(test: TestApp) {
    let set = setting(&test).await;
    let other = test.key(&set.workspace, new_key("Other")).await;
    let _following = follow(&test.app).await;
    let most = u64::from(MAX_REFUSALS);
    for _ in 0..most + 30 {
        assert_eq!(set.get(&test, "/v1/accounts/nothing/agents").await.status, 403);
    }
    assert_eq!(test.browser().api("/v1/accounts/nothing/agents", other.value.expose()).await.status, 403);
    writer::flush(&test.app.usage).await.unwrap();
    let refused = |logged: u64| counts([(Outcome::OtherWorkspace, logged.cast_signed())]);
    assert_eq!(logged(&test).await, refused(most + 1));
    assert_eq!(test.app.usage.metrics().left_out().get(), 30);
    // The next write has room again.
    assert_eq!(set.get(&test, "/v1/accounts/nothing/agents").await.status, 403);
    writer::flush(&test.app.usage).await.unwrap();
    assert_eq!(logged(&test).await, refused(most + 2));
    let mut expected = refused(most + 32);
    expected.insert("left-out".to_owned(), 30);
    assert_eq!(counted(&test).await, expected);
}

/// Calls from several tasks, while the worker writes continuously and keys are edited.
async fn counts_are_exact_under_load(test: TestApp) {
    const TASKS: i64 = 8;
    const CALLS: i64 = 250;
    let set = setting(&test).await;
    let following = tokio::spawn(gate::follower::follow(test.app.gate.clone()));
    let stop = CancellationToken::new();
    let writing = tokio::spawn(writer::run(test.app.usage.clone(), stop.clone()));
    let calls = (0..TASKS).map(|task| {
        let (mut browser, key) = (test.browser(), set.key.clone());
        let path = format!("/v1/accounts/{}/agents", if task % 2 == 0 { set.workspace.id.as_str() } else { "nothing" });
        tokio::spawn(async move {
            for _ in 0..CALLS {
                let status = browser.api(&path, &key).await.status;
                assert_eq!(status, if task % 2 == 0 { 200 } else { 403 });
            }
        })
    });
    let calls: Vec<_> = calls.collect();
    let id = test.app.api_keys.page(&set.workspace.id, &KeyListQuery::default()).await.unwrap().keys[0].id.clone();
    for n in 0..20 {
        let name = agent_studio::api_keys::KeyName::parse(&format!("CRM {n}")).unwrap();
        let permissions = new_key("x").permissions;
        test.app.api_keys.edit(&set.workspace.id, &Actor::command_line(), &id, &name, &permissions).await.unwrap();
        writer::flush(&test.app.usage).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for call in calls {
        call.await.unwrap();
    }
    stop.cancel();
    writing.await.unwrap();
    following.abort();
    let mut counted = counted(&test).await;
    let left_out = counted.remove("left-out").unwrap_or(0);
    assert_eq!(counted, counts([(Outcome::Accepted, TASKS / 2 * CALLS), (Outcome::OtherWorkspace, TASKS / 2 * CALLS)]));
    assert_eq!(logged(&test).await.values().sum::<i64>() + left_out, TASKS * CALLS);
}

async fn an_hour_begins_on_the_hour(test: TestApp) {
    let set = setting(&test).await;
    let path = format!("/v1/accounts/{}/agents", set.workspace.id);
    // The clock starts at the beginning of an hour: one call a second before the next hour, then calls in that hour.
    let began = hour_of(test.app.clock.now());
    test.app.clock.advance_seconds(3_599);
    assert_eq!(set.get(&test, &path).await.status, 200);
    test.app.clock.advance_seconds(1);
    for _ in 0..2 {
        assert_eq!(set.get(&test, &path).await.status, 200);
    }
    writer::flush(&test.app.usage).await.unwrap();
    let key = test.app.api_keys.page(&set.workspace.id, &KeyListQuery::default()).await.unwrap().keys[0].id.clone();
    let counts = store::counts(&test.app.db, &set.workspace.id, &key, 0).await.unwrap();
    assert_eq!(counts.iter().map(|c| (c.hour, c.requests)).collect::<Vec<_>>(), [(began, 1), (began + 1, 2)]);
}

async fn what_is_old_is_forgotten(test: TestApp) {
    let test = limited(test, RequestLogLimits { days: 7, rows: 5, ..RequestLogLimits::default() });
    let set = setting(&test).await;
    let path = format!("/v1/accounts/{}/agents", set.workspace.id);
    let call = async |times: usize| {
        for _ in 0..times {
            assert_eq!(set.get(&test, &path).await.status, 200);
            test.app.clock.advance_seconds(1);
        }
        writer::flush(&test.app.usage).await.unwrap();
        writer::forget(&test.app.usage).await.unwrap();
        logged(&test).await.values().sum::<i64>()
    };
    assert_eq!(call(4).await, 4);
    assert_eq!(call(6).await, 5, "the latest five");
    test.app.clock.advance_seconds(7 * 86_400);
    assert_eq!(call(1).await, 1, "those of a week ago are gone");
    assert_eq!(counted(&test).await, counts([(Outcome::Accepted, 11)]), "counts are kept longer");
    test.app.clock.advance_seconds(85 * 86_400);
    writer::forget(&test.app.usage).await.unwrap();
    assert_eq!(counted(&test).await, counts([(Outcome::Accepted, 1)]), "those of 92 days ago are gone");
}

async fn a_key_has_a_page(test: TestApp) {
    let set = setting(&test).await;
    let unused = test.key(&set.workspace, new_key("Spare")).await;
    for path in [format!("/v1/accounts/{}/agents", set.workspace.id), "/v1/accounts/nothing/agents".to_owned()] {
        set.get(&test, &path).await;
    }
    writer::flush(&test.app.usage).await.unwrap();
    let sorted = KeyListQuery { sort: KeyOrder::LastUsed, ..KeyListQuery::default() };
    let keys = test.app.api_keys.page(&set.workspace.id, &sorted).await.unwrap().keys;
    assert_eq!(keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(), ["CRM", "Spare"]);

    let mut admin = test.signed_in(&set.workspace, "ada@example.com", Role::Admin).await;
    let address = format!("/acme/api-keys/{}", keys[0].id);
    let page = admin.get(&address).await;
    assert_eq!(page.status, 200);
    for text in ["1 accepted and 1 refused requests", "Other workspace", "/v1/accounts/nothing/agents", "192.0.2.7"] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    let refused = admin.get(&format!("{address}?outcome=refused")).await.body;
    assert!(refused.contains("/v1/accounts/nothing/agents"));
    assert!(!refused.contains(&format!("/v1/accounts/{}/agents", set.workspace.id)), "{refused}");
    assert!(admin.get(&format!("{address}?api=handoff")).await.body.contains("No requests here"));
    assert!(admin.get(&format!("/acme/api-keys/{}", unused.id)).await.body.contains("Never used"));
    assert_eq!(admin.get("/acme/api-keys/key-nothing").await.status, 404);

    let mut viewer = test.signed_in(&set.workspace, "vic@example.com", Role::Viewer).await;
    let page = viewer.get(&address).await;
    assert!(page.status == 200 && page.body.contains("1 accepted and 1 refused requests"));
    assert!(!page.body.contains("/v1/accounts/nothing/agents"), "who called what is for admins");
}

async fn a_workspace_has_a_usage_page(test: TestApp) {
    let set = setting(&test).await;
    let workspace = &set.workspace;
    let (own, agent) = (workspace.id.as_str(), &set.agent);
    test.key(workspace, new_key("=Spare")).await;
    for (path, status) in [
        (format!("/v3/{own}/{agent}/conversations"), 200),
        (format!("/v3/{own}/{agent}/conversations"), 200),
        (format!("/v1/accounts/{own}/agents"), 200),
        (format!("/v3/{own}/nobody/conversations"), 404),
        // Forward auth, of which each proxy understands its own statuses.
        (format!("/authz/traefik?account_id={own}&project_id={agent}&permission=handoff"), 204),
    ] {
        let status_now = set.get(&test, &path).await.status;
        assert!(status_now == status || path.starts_with("/authz"), "{path}: {status_now}");
    }
    writer::flush(&test.app.usage).await.unwrap();
    ranking::rank(&test.app.usage).await.unwrap();

    let mut viewer = test.signed_in(workspace, "vic@example.com", Role::Viewer).await;
    let page = viewer.get("/acme/usage?range=7d").await;
    assert_eq!(page.status, 200);
    for text in ["Conversations", "Forward auth", "Hotel", "No such agent", "1 key was never used", "=Spare", "CRM"] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    let csv = viewer.get("/acme/usage/export?range=24h").await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8; header=present");
    assert!(csv.header("content-disposition").contains("\"usage-acme-24h-2027-01-15.csv\""));
    let lines: Vec<&str> = csv.body.lines().collect();
    assert_eq!(lines[0], "by,id,name,from,outcome,requests");
    for (beginning, end) in [
        ("api,conversations,Conversations,2027-01-15T08:00:00", ",accepted,2"),
        ("api,conversations,Conversations,2027-01-15T08:00:00", ",no-such-agent,1"),
        ("api,agents,Agents,2027-01-15T08:00:00", ",accepted,1"),
        (format!("agent,{agent},Hotel,,").as_str(), "accepted,3"),
        ("key,key-", ",CRM,,accepted,4"),
        ("key,key-", ",CRM,,refused,1"),
        ("key,key-", ",'=Spare,,accepted,0"),
    ] {
        let found = lines.iter().any(|line| line.starts_with(beginning) && line.ends_with(end));
        assert!(found, "{beginning} … {end}: {}", csv.body);
    }
    assert_eq!(viewer.get("/acme/usage/export?range=nonsense").await.status, 200, "the shortest period");

    let other = test.workspace("Other").await;
    let mut stranger = test.signed_in(&other, "eve@example.com", Role::Admin).await;
    for address in ["/acme/usage", "/acme/usage/export"] {
        assert_eq!(stranger.get(address).await.status, 404, "{address}");
    }
    assert!(!stranger.get("/other/usage").await.body.contains("CRM"));
    assert!(test.browser().get("/acme/usage/export").await.location().starts_with("/sign-in?next="));
}

/// All counts of a table: hour, outcome, requests.
async fn all_counts(test: &TestApp, table: &str) -> Vec<(i64, String, i64)> {
    // What is counted by permission is counted by outcome too.
    let sql =
        format!("SELECT hour, outcome, requests FROM {table} WHERE outcome NOT LIKE 'with-%' ORDER BY hour, outcome");
    let sql = sqlx::AssertSqlSafe(sql);
    on_db!(&test.app.db, |pool| sqlx::query_as(sql).fetch_all(pool).await).unwrap()
}

async fn hours_are_rolled_up_into_days(test: TestApp) {
    let set = setting(&test).await;
    let path = format!("/v3/{}/{}/conversations", set.workspace.id, set.agent);
    let began = hour_of(test.app.clock.now());
    let day = began - began.rem_euclid(24);
    // 30 hours from 08:00 on: the calls of this day, and those of the next one.
    for _ in 0..30 {
        assert_eq!(set.get(&test, &path).await.status, 200);
        test.app.clock.advance_seconds(3_600);
        writer::flush(&test.app.usage).await.unwrap();
    }
    for table in ["key_usage", "api_usage", "agent_usage"] {
        assert_eq!(all_counts(&test, table).await.len(), 30, "{table}");
    }
    let totals = async || {
        let counts = test.app.reports.by_api(&set.workspace.id, Period::parse("7d")).await.unwrap();
        counts.iter().map(|count| count.requests).sum::<u64>()
    };
    assert_eq!(totals().await, 30);
    writer::forget(&test.app.usage).await.unwrap();
    assert_eq!(all_counts(&test, "api_usage").await.len(), 30, "yesterday and today are counted by the hour");

    test.app.clock.advance_seconds(86_400);
    for round in 0..2 {
        writer::forget(&test.app.usage).await.unwrap();
        for table in ["key_usage", "api_usage", "agent_usage"] {
            let counts = all_counts(&test, table).await;
            assert_eq!(counts[0], (day, "accepted".to_owned(), 16), "{table}, {round}");
            assert_eq!(counts.len(), 1 + 14, "{table}, {round}");
        }
    }
    assert_eq!(totals().await, 30);
    // A count that was written late joins its day.
    let key = test.app.api_keys.page(&set.workspace.id, &KeyListQuery::default()).await.unwrap().keys[0].id.clone();
    let late = PastCall {
        key,
        at: Timestamp::from_seconds((day + 11) * 3_600),
        api: Api::Conversations,
        agent: None,
        path: "/".to_owned(),
        status: 200,
        outcome: Outcome::Accepted,
        duration: Duration::ZERO,
        program: "",
        old_value: false,
    };
    test.app.reports.add_past(&set.workspace.id, &[late]).await.unwrap();
    writer::forget(&test.app.usage).await.unwrap();
    assert_eq!(all_counts(&test, "api_usage").await[0], (day, "accepted".to_owned(), 17));
    assert_eq!(all_counts(&test, "agent_usage").await[0], (day, "accepted".to_owned(), 16));
}

async fn keys_are_ranked_for_each_period(test: TestApp) {
    let set = setting(&test).await;
    let other = test.workspace("Other").await;
    let now = test.app.clock.now();
    let past = |key: &ApiKeyId, days: i64, outcome| PastCall {
        key: key.clone(),
        at: now.plus_days(-days),
        api: Api::Handoff,
        agent: None,
        path: "/".to_owned(),
        status: 200,
        outcome,
        duration: Duration::ZERO,
        program: "",
        old_value: false,
    };
    let (mut keys, mut calls) = (Vec::new(), Vec::new());
    for (name, days, count) in [("Busy today", 0, 3), ("Busy last week", 5, 7), ("Busy last quarter", 80, 9)] {
        let key = test.key(&set.workspace, new_key(name)).await.id;
        calls.extend((0..count).map(|_| past(&key, days, Outcome::Accepted)));
        calls.push(past(&key, days, Outcome::Expired));
        keys.push(key);
    }
    test.app.reports.add_past(&set.workspace.id, &calls).await.unwrap();
    let foreign = test.key(&other, new_key("Theirs")).await.id;
    test.app.reports.add_past(&other.id, &[past(&foreign, 0, Outcome::Accepted)]).await.unwrap();
    let ranked = async |workspace: &WorkspaceId, range: &str| {
        let (keys, at) = test.app.reports.top_keys(workspace, Period::parse(range)).await.unwrap();
        assert_eq!(at.is_some(), !keys.is_empty());
        keys.into_iter().map(|key| (key.name, key.accepted, key.refused)).collect::<Vec<_>>()
    };
    let of = |name: &str, accepted: u64| (name.to_owned(), accepted, 1);
    let all = [of("Busy last quarter", 9), of("Busy last week", 7), of("Busy today", 3)];
    for round in 0..2 {
        ranking::rank(&test.app.usage).await.unwrap();
        assert_eq!(ranked(&set.workspace.id, "24h").await, &all[2..], "{round}");
        assert_eq!(ranked(&set.workspace.id, "7d").await, &all[1..], "{round}");
        assert_eq!(ranked(&set.workspace.id, "30d").await, &all[1..], "{round}");
        assert_eq!(ranked(&set.workspace.id, "90d").await, &all, "{round}");
        assert_eq!(ranked(&other.id, "90d").await, [("Theirs".to_owned(), 1, 0)], "{round}");
        let (_, at) = test.app.reports.top_keys(&other.id, Period::parse("24h")).await.unwrap();
        assert_eq!(at, Some(test.app.clock.now()), "{round}");
        test.app.clock.advance_seconds(60);
    }
    test.app.api_keys.delete(&set.workspace.id, &Actor::command_line(), &keys[0]).await.unwrap();
    assert_eq!(ranked(&set.workspace.id, "90d").await, &all[..2], "a deleted key leaves the ranking at once");
    // A day later the calls of the first day are out of the shortest period, and nothing of an old ranking is left.
    test.app.clock.advance_seconds(86_400);
    ranking::rank(&test.app.usage).await.unwrap();
    assert_eq!(ranked(&set.workspace.id, "24h").await, &[]);
}

async fn a_refusal_is_explained_by_its_id(test: TestApp) {
    let set = setting(&test).await;
    let call = Request::get(format!("/v3/{}/nobody/conversations", set.workspace.id));
    let call = call.header("x-api-key", &set.key).header("x-polyai-correlation-id", "call-7");
    assert_eq!(test.browser().send(call, Body::empty()).await.status, 404);
    writer::flush(&test.app.usage).await.unwrap();
    let mut admin = test.signed_in(&set.workspace, "ada@example.com", Role::Admin).await;
    let found = admin.get("/acme/api-keys/refused?id=call-7").await.body;
    assert!(found.contains("The call names an agent that this workspace does not have."), "{found}");
    let nothing = admin.get("/acme/api-keys/refused?id=call-8").await.body;
    assert!(nothing.contains("No call of this workspace with this id is in the log."), "{nothing}");

    let other = test.workspace("Other").await;
    let mut stranger = test.signed_in(&other, "eve@example.com", Role::Admin).await;
    let theirs = stranger.get("/other/api-keys/refused?id=call-7").await.body;
    assert!(theirs.contains("No call of this workspace with this id is in the log."), "{theirs}");
    let mut viewer = test.signed_in(&set.workspace, "vic@example.com", Role::Viewer).await;
    let fields = [("path", "/acme/api-keys/refused"), ("query", "?id=call-7")];
    assert_eq!(viewer.call("get_reading", &fields).await.status, 403);
}

async fn activity_is_filtered_and_exported(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let mut admin = test.signed_in(&workspace, "ada@example.com", Role::Admin).await;
    for n in 0..60 {
        test.key(&workspace, new_key(&format!("=Key {n}"))).await;
        test.app.clock.advance_seconds(1);
    }
    let permission = ("permissions[]", "handoff");
    let new = [("workspace", "acme"), ("name", "Theirs"), ("all_agents", "true"), permission, ("expiry[choice]", "7d")];
    assert_eq!(admin.call("create_api_key", &new).await.status, 200);
    let first = admin.get("/acme/activity").await.body;
    assert!(first.contains("API key created") && first.contains("=Key 59") && !first.contains("=Key 1<"), "{first}");
    let mut rows = async |filter: &str| {
        let (mut rows, mut query) = (0, filter.to_owned());
        loop {
            let page = admin.call("get_reading", &[("path", "/acme/activity"), ("query", &query)]).await.json();
            let page = page.as_str().unwrap();
            // Without the header row.
            rows += page.matches("<tr>").count().saturating_sub(1);
            match page.split_once("after=") {
                Some((_, next)) => query = format!("{filter}&after={}", next.split('"').next().unwrap()),
                None => return rows,
            }
        }
    };
    // Entries for the workspace, its admin, 61 keys and a sign-in.
    assert_eq!(rows("").await, 64);
    assert_eq!(rows("person=ada@example.com").await, 2);
    assert_eq!(rows("person=ada@example.com&action=key-created").await, 1);
    assert_eq!(rows("key=%3DKey+7").await, 1);
    assert_eq!(rows("action=user-removed").await, 0);

    let csv = admin.get("/acme/activity/export?format=csv&action=key-created").await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8; header=present");
    assert!(csv.header("content-disposition").starts_with("attachment; filename=\"activity-acme-2027-01-15.csv\""));
    let lines: Vec<&str> = csv.body.lines().collect();
    assert_eq!((lines.len(), lines[0]), (62, "at,person,action,subject_id,subject,details,address,id"));
    assert!(lines[2].contains(",'=Key 59,"), "{}", lines[2]);
    let json = admin.get("/acme/activity/export?format=jsonl&person=ada@example.com").await;
    let entries: Vec<serde_json::Value> = json.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries.len(), 2);
    assert_eq!((&entries[0]["action"], &entries[0]["subject"]), (&"key-created".into(), &"Theirs".into()));
    assert_eq!(admin.get("/acme/activity/export?format=exe").await.status, 400);

    let mut viewer = test.signed_in(&workspace, "vic@example.com", Role::Viewer).await;
    assert_eq!(viewer.get("/acme/activity/export?format=csv").await.status, 403);
    let stranger = test.browser().get("/acme/activity/export?format=csv").await;
    assert!((300..400).contains(&stranger.status) && stranger.location().starts_with("/sign-in?next="));
}

/// The connection is cut between a COMMIT and its response, so that the client does not learn of the commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_counts_nothing_twice() {
    let url = postgres::new_database().await;
    let proxy = CuttingProxy::start(&url).await;
    let mut test = TestApp::on_postgres_at(&proxy.url).await;
    test.reconfigure(|_| ());
    let set = setting(&test).await;
    for _ in 0..7 {
        assert_eq!(set.list(&test, "limit=1").await.status, 200);
    }
    proxy.cut_next_commit.store(true, Ordering::SeqCst);
    assert!(writer::flush(&test.app.usage).await.is_err(), "the answer was lost");
    assert!(!proxy.cut_next_commit.load(Ordering::SeqCst), "a commit was cut");
    let made = timeout(Duration::from_secs(10), async {
        while counted(&test).await.get("accepted") != Some(&7) {
            sleep(Duration::from_millis(20)).await;
        }
    });
    made.await.expect("the commit was made all the same");
    for _ in 0..3 {
        assert_eq!(set.list(&test, "limit=1").await.status, 200);
    }
    writer::flush(&test.app.usage).await.unwrap();
    assert_eq!(counted(&test).await.get("accepted"), Some(&10), "each call is counted once");
    let (rows,): (i64,) =
        on_db!(&test.app.db, |c| sqlx::query_as("SELECT COUNT(*) FROM requests").fetch_one(c).await).unwrap();
    assert_eq!(rows, 10, "and logged once");
}

/// A proxy to PostgreSQL that can cut a connection after it has forwarded a COMMIT.
struct CuttingProxy {
    url: String,
    cut_next_commit: Arc<AtomicBool>,
}

impl CuttingProxy {
    async fn start(url: &str) -> Self {
        let (scheme, rest) = url.split_once('@').unwrap();
        let (address, database) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            url: format!("{scheme}@{}/{database}", listener.local_addr().unwrap()),
            cut_next_commit: Arc::default(),
        };
        let (address, cut) = (address.to_owned(), proxy.cut_next_commit.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass_on(client, address.clone(), cut.clone()));
            }
        });
        proxy
    }
}

async fn pass_on(client: TcpStream, address: String, cut: Arc<AtomicBool>) {
    let server = TcpStream::connect(address).await.unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut buffer = vec![0; 65_536];
    while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
        let is_commit = buffer[..length].windows(6).any(|text| text == b"COMMIT");
        if is_commit && cut.swap(false, Ordering::SeqCst) {
            answers.abort();
            to_server.write_all(&buffer[..length]).await.unwrap();
            // Waits until the commit is done.
            sleep(Duration::from_secs(10)).await;
            return;
        }
        if to_server.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
