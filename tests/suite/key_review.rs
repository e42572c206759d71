//! Tests of what is said to be unsafe about keys.

use crate::support::{TestApp, new_key, on_both_engines, setting};
use agent_studio::api_keys::review::Concern;
use agent_studio::api_keys::service::{NewKey, Retirement, Rotation};
use agent_studio::api_keys::{KeySettings, TypedSettings};
use agent_studio::base::actor::Actor;
use agent_studio::usage::service::PastCall;
use agent_studio::usage::{Api, Outcome};
use agent_studio::users::Role;
use std::time::Duration;

on_both_engines! {
    each_concern_names_its_keys,
    many_keys_are_retired_at_once,
}

async fn each_concern_names_its_keys(test: TestApp) {
    let set = setting(&test).await;
    let (keys, workspace, actor) = (&test.app.api_keys, &set.workspace.id, Actor::command_line());
    test.signed_in(&set.workspace, "ada@example.com", Role::Admin).await;
    let now = test.app.clock.now();
    let owned =
        |owner, networks| KeySettings::parse(&TypedSettings { owner, networks, ..TypedSettings::default() }).unwrap();
    let long = |name, settings| NewKey { expires_at: now.plus_days(900), settings, ..new_key(name) };
    let sound = test.key(&set.workspace, long("Sound", owned("Ada@example.com", "10.0.0.0/8"))).await.id;
    let gone = test.key(&set.workspace, long("Gone", owned("bob@example.com", "10.0.0.0/8"))).await.id;
    let open = test.key(&set.workspace, long("Open", owned("Team", ""))).await.id;
    let tried = test.key(&set.workspace, long("Tried", owned("Team", "10.0.0.0/8"))).await.id;
    let call = |key: &agent_studio::base::id::ApiKeyId, outcome| PastCall {
        key: key.clone(),
        at: now,
        api: Api::Conversations,
        agent: None,
        path: "/".to_owned(),
        status: 200,
        outcome,
        duration: Duration::ZERO,
        program: "",
        old_value: false,
    };
    let mut calls =
        vec![call(&sound, Outcome::Accepted), call(&gone, Outcome::Accepted), call(&open, Outcome::Accepted)];
    calls.extend((0..101).map(|_| call(&tried, Outcome::LacksPermission)));
    test.app.reports.add_past(workspace, &calls).await.unwrap();
    test.app.clock.advance_seconds(2 * 86_400);

    let named = async |concern| {
        let review = keys.review(workspace, concern, 100).await.unwrap();
        assert_eq!(review.total as usize, review.keys.len());
        review.keys.into_iter().map(|key| key.name.as_str().to_owned()).collect::<Vec<_>>()
    };
    let of_setting = "CRM";
    assert_eq!(named(Concern::NeverUsed).await, [of_setting]);
    assert_eq!(named(Concern::OwnerGone).await, ["Gone"]);
    assert_eq!(named(Concern::NoOwner).await, [of_setting]);
    assert_eq!(named(Concern::NoNetwork).await, [of_setting, "Open"]);
    assert_eq!(named(Concern::OftenRefused).await, ["Tried"]);
    assert_eq!(named(Concern::ExpiresSoon).await, [of_setting]);
    assert_eq!((named(Concern::Idle).await.len(), named(Concern::OldValue).await.len()), (0, 0));
    let two = keys.review(workspace, Concern::NoNetwork, 1).await.unwrap();
    assert_eq!((two.total, two.keys.len()), (2, 1));

    test.app.clock.advance_seconds(366 * 86_400);
    assert_eq!(named(Concern::Idle).await, ["Gone", "Open", "Sound", "Tried"]);
    assert_eq!(named(Concern::OldValue).await, ["Gone", "Open", "Sound", "Tried"]);
    let now = test.app.clock.now();
    let rotation = Rotation { overlap_end: now, expires_at: now.plus_days(400) };
    keys.rotate(workspace, &actor, &sound, rotation).await.unwrap();
    assert_eq!(named(Concern::OldValue).await, ["Gone", "Open", "Tried"]);
    keys.delete(workspace, &actor, &gone).await.unwrap();
    assert_eq!(named(Concern::OldValue).await, ["Open", "Tried"]);
    assert_eq!(named(Concern::OwnerGone).await, Vec::<String>::new());
}

async fn many_keys_are_retired_at_once(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let other = test.workspace("Other").await;
    let (keys, actor) = (&test.app.api_keys, Actor::command_line());
    let mut ids = Vec::new();
    for n in 0..30 {
        ids.push(test.key(&workspace, new_key(&format!("Key {n}"))).await.id);
    }
    let foreign = test.key(&other, new_key("Foreign")).await.id;
    ids.push(foreign.clone());
    keys.retire(&workspace.id, &actor, &ids, Retirement::Pause).await.unwrap();
    let all = keys.page(&workspace.id, &Default::default()).await.unwrap().keys;
    assert!(all.iter().all(|key| key.pause.is_some()));
    keys.retire(&workspace.id, &actor, &ids, Retirement::Delete).await.unwrap();
    assert_eq!(keys.page(&workspace.id, &Default::default()).await.unwrap().keys.len(), 0);
    assert_eq!(keys.deleted(&workspace.id, 7).await.unwrap().len(), 30);
    let kept = keys.find(&other.id, &foreign).await.unwrap().unwrap();
    assert_eq!(kept.pause, None, "keys of other workspaces are left alone");
    test.app.workspaces.set_undo_days(&other.id, &actor, 0).await.unwrap();
    assert!(keys.retire(&other.id, &actor, &[foreign], Retirement::Delete).await.is_err());
}
