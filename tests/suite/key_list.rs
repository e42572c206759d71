//! Tests of the list of keys: filters, what is shown, and the list as a file.

use crate::support::{TestApp, new_key, on_both_engines, setting};
use agent_studio::api_keys::service::{NewKey, Rotation};
use agent_studio::api_keys::{AgentScope, KeyListQuery, KeySettings, Permissions, TypedSettings};
use agent_studio::base::actor::Actor;
use agent_studio::usage::writer;
use agent_studio::users::Role;
use axum::body::Body;
use axum::http::Request;

on_both_engines! {
    each_filter_alone_and_together,
    the_list_says_who_used_a_key,
}

fn query(address: &str) -> KeyListQuery {
    let pairs: Vec<(String, String)> = form_urlencoded::parse(address.as_bytes()).into_owned().collect();
    KeyListQuery::from_address(|name| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()))
}

async fn each_filter_alone_and_together(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let hotel = test.agent(&workspace, "Hotel").await;
    let spa = test.agent(&workspace, "Spa").await;
    let (keys, ada) = (&test.app.api_keys, Actor { id: None, name: "ada@example.com".to_owned(), address: None });
    let now = test.app.clock.now();
    let set = |owner, tags, networks| {
        KeySettings::parse(&TypedSettings { owner, tags, networks, ..TypedSettings::default() }).unwrap()
    };
    let make = async |name: &str, scope: AgentScope, permission, days, settings| {
        let permissions = Permissions::parse([permission]).unwrap();
        let expires_at = now.plus_days(days);
        let new = NewKey { scope, permissions, expires_at, settings, ..new_key(name) };
        keys.create(&workspace.id, &ada, &new).await.unwrap().id
    };
    let chosen = |agent: &agent_studio::base::id::AgentId| AgentScope::Chosen(vec![agent.clone()]);
    make("a", AgentScope::All, "agents", 400, set("Ada", "crm, test", "10.0.0.0/8")).await;
    let paused = make("b", chosen(&hotel), "handoff", 400, set("Bob 100%", "c_rm", "2001:db8::/32")).await;
    let rotating = make("c", chosen(&spa), "conversations", 400, set("", "", "")).await;
    make("d", AgentScope::All, "external-events", 5, set("ada", "crm", "")).await;
    make("e", chosen(&spa), "conversations", 1, set("", "", "")).await;
    test.app.clock.advance_seconds(86_400);
    test.key(&workspace, NewKey { expires_at: now.plus_days(300), ..new_key("f") }).await;
    keys.pause(&workspace.id, &ada, &paused, "").await.unwrap();
    let rotation = Rotation { overlap_end: now.plus_days(9), expires_at: now.plus_days(300) };
    keys.rotate(&workspace.id, &ada, &rotating, rotation).await.unwrap();

    let names = async |address: &str| {
        let query = query(&format!("sort=name&{address}"));
        let page = keys.page(&workspace.id, &query).await.unwrap();
        let names: String = page.keys.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(keys.count_matches(&workspace.id, &query, 1_001).await.unwrap(), names.len() as u64, "{address}");
        names
    };
    let (hotel, spa) = (format!("agent={hotel}"), format!("agent={spa}"));
    for (address, expected) in [
        ("", "abcdef"),
        ("status=active", "acdf"),
        ("status=expiring", "d"),
        ("status=expired", "e"),
        ("status=paused", "b"),
        ("status=rotating", "c"),
        ("status=nonsense", "abcdef"),
        (&hotel, "abdf"),
        (&spa, "acdef"),
        ("agent=PROJECT-NONE", "adf"),
        ("permission=agents", "a"),
        ("permission=conversations", "cef"),
        ("permission=external-events", "df"),
        ("owner=Ada", "a"),
        ("owner=ada", "d"),
        ("owner=Bob%20100%25", "b"),
        ("owner=none", "cef"),
        ("tag=crm", "ad"),
        ("tag=c_rm", "b"),
        ("tag=rm", ""),
        ("tag=CRM", ""),
        ("tag=%25", ""),
        ("tag=none", "cef"),
        ("network=10.0", "a"),
        ("network=2001%3ADB8", "b"),
        ("network=none", "cdef"),
        ("created_by=ada%40example.com", "abcde"),
        ("created_by=ada", ""),
        ("idle=never", "abcdef"),
        ("idle=1", "abcde"),
        ("idle=2", ""),
        ("status=active&tag=crm&permission=agents", "a"),
        ("status=active&tag=crm&permission=handoff", ""),
        ("q=A", "a"),
        ("q=b&status=active", ""),
    ] {
        assert_eq!(names(address).await, expected, "{address}");
    }
    // Pages of a filtered list.
    for n in 0..60 {
        test.key(&workspace, new_key(&format!("page {n}"))).await;
    }
    let mut query = query("permission=external-events");
    let (mut seen, mut pages) = (0, 0);
    loop {
        let page = keys.page(&workspace.id, &query).await.unwrap();
        (seen, pages) = (seen + page.keys.len(), pages + 1);
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    assert_eq!((seen, pages), (62, 3));
    assert_eq!(keys.count_matches(&workspace.id, &query, 1_001).await.unwrap(), 62);
    let facets = keys.facets(&workspace.id).await.unwrap();
    assert_eq!(facets.states.map(|(_, count)| count), [64, 1, 1, 1, 1]);
    assert_eq!(facets.tags[..2], [(String::new(), 63), ("crm".to_owned(), 2)]);
    assert_eq!(facets.unused, 66);

    // The form leads to the address, and says how many there are.
    let mut browser = test.signed_in(&workspace, "ada@example.com", Role::Admin).await;
    let form = browser.get("/acme/api-keys/filters?status=paused").await.body;
    assert!(form.contains("Paused (1)") && form.contains("crm (2)") && form.contains("No owner (63)"), "{form}");
    let fields = [("workspace", "acme"), ("filter[tag]", "crm"), ("filter[show][]", "owner"), ("list", "?sort=name")];
    let led = browser.submit("/acme/api-keys/filters", "filter_api_keys", &fields).await;
    assert_eq!(led.location(), "/acme/api-keys?sort=name&tag=crm&show=owner");
    let page = browser.get(led.location()).await.body;
    assert!(page.contains("2 keys") && page.contains("Tag: crm") && page.contains("Owner Ada"), "{page}");
    let file = browser.get("/acme/api-keys/export?sort=name&tag=crm").await;
    assert_eq!(file.body.lines().count(), 3, "{}", file.body);
    assert!(file.body.contains(",Ada,,\"crm, test\",10.0.0.0/8,"), "{}", file.body);
    let file = browser.get("/acme/api-keys/export").await;
    assert_eq!(file.body.lines().count(), 67, "every page is in it");
    let mut viewer = test.signed_in(&workspace, "vic@example.com", Role::Viewer).await;
    assert_eq!(viewer.get("/acme/api-keys/export").await.status, 403);
}

async fn the_list_says_who_used_a_key(test: TestApp) {
    let set = setting(&test).await;
    let path = format!("/v3/{}/{}/conversations", set.workspace.id, set.agent);
    let call = async |path: &str, program: &str| {
        let request = Request::get(path).header("x-api-key", set.key.as_str()).header("user-agent", program);
        test.browser().send(request, Body::empty()).await.status
    };
    assert_eq!(call(&path, "crm-sync/2.4").await, 200);
    writer::flush(&test.app.usage).await.unwrap();
    let mut ada = test.signed_in(&set.workspace, "ada@example.com", Role::Admin).await;
    let page = ada.get("/acme/api-keys?show=client").await.body;
    assert!(page.contains("Last from 192.0.2.7 (crm-sync/2.4)"), "{page}");
    let mut vic = test.signed_in(&set.workspace, "vic@example.com", Role::Viewer).await;
    let page = vic.get("/acme/api-keys?show=client").await.body;
    assert!(page.contains("CRM") && !page.contains("192.0.2.7"), "only admins see who called");
    let key = test.app.api_keys.page(&set.workspace.id, &KeyListQuery::default()).await.unwrap().keys[0].id.clone();
    let one = vic.call("get_api_key", &[("workspace", "acme"), ("key", key.as_str())]).await;
    assert!(one.status == 200 && !one.body.contains("192.0.2.7"), "{}", one.body);
    // A refused call changes nothing of it.
    assert_eq!(call(&format!("/v3/{}/nobody/conversations", set.workspace.id), "other/1").await, 404);
    writer::flush(&test.app.usage).await.unwrap();
    assert!(ada.get("/acme/api-keys?show=client").await.body.contains("crm-sync/2.4"));
}
