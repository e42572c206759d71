//! Tests of what is said to be unsafe about keys.

use crate::support::{TestApp, new_key, on_both_engines, setting};
use agent_studio::agents::AgentName;
use agent_studio::api_keys::review::Concern;
use agent_studio::api_keys::service::bulk::{BulkAction, Selection};
use agent_studio::api_keys::service::{ApiKeyError, NewKey, Rotation};
use agent_studio::api_keys::{
    AgentScope, KeyFilter, KeyName, KeySettings, KeyState, Permission, Permissions, TypedSettings,
};
use agent_studio::base::actor::Actor;
use agent_studio::base::error::Problem;
use agent_studio::base::id::{AgentId, ApiKeyId};
use agent_studio::base::time::Timestamp;
use agent_studio::usage::service::PastCall;
use agent_studio::usage::{Api, Outcome};
use agent_studio::users::Role;
use agent_studio::workspaces::KeyPolicy;
use std::sync::Arc;
use std::time::Duration;

on_both_engines! {
    each_concern_names_its_keys,
    unneeded_rights_are_named_and_taken_away,
    many_keys_are_changed_and_changed_back,
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
    let call = |key: &ApiKeyId, outcome| PastCall {
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

async fn unneeded_rights_are_named_and_taken_away(test: TestApp) {
    let set = setting(&test).await;
    let (keys, workspace, actor) = (&test.app.api_keys, &set.workspace.id, Actor::command_line());
    let other = test.agent(&set.workspace, "Other").await;
    let both = |name, scope| NewKey {
        scope,
        expires_at: test.app.clock.now().plus_days(900),
        permissions: Permissions::parse(["conversations", "handoff"]).unwrap(),
        ..new_key(name)
    };
    let wide = test.key(&set.workspace, both("Wide", AgentScope::All)).await.id;
    let busy = test.key(&set.workspace, both("Busy", AgentScope::All)).await.id;
    let idle = test.key(&set.workspace, both("Idle", AgentScope::All)).await.id;
    let agent = |id: &AgentId, name: &str| Some(Arc::new(AgentName { id: id.clone(), name: name.to_owned() }));
    let call = |key: &ApiKeyId, api, agent| PastCall {
        key: key.clone(),
        at: test.app.clock.now(),
        api,
        agent,
        path: "/".to_owned(),
        status: 200,
        outcome: Outcome::Accepted,
        duration: Duration::ZERO,
        program: "crm/1",
        old_value: false,
    };
    let calls = async || {
        let hotel = AgentId::parse(set.agent.as_str()).unwrap();
        let calls = [
            call(&wide, Api::Conversations, agent(&hotel, "Hotel")),
            call(&busy, Api::Conversations, agent(&hotel, "Hotel")),
            call(&busy, Api::Handoff, agent(&other, "Other")),
        ];
        test.app.reports.add_past(workspace, &calls).await.unwrap();
    };
    let named = async |concern| {
        let review = keys.review(workspace, concern, 100).await.unwrap();
        review.keys.into_iter().map(|key| key.name.as_str().to_owned()).collect::<Vec<_>>()
    };
    calls().await;
    assert_eq!(named(Concern::UnusedPermissions).await, Vec::<String>::new(), "not known for long enough");
    test.app.clock.advance_seconds(31 * 86_400);
    calls().await;
    assert_eq!(named(Concern::UnusedPermissions).await, ["Wide"]);
    assert_eq!(named(Concern::OneAgent).await, ["Wide"]);
    let review = keys.review(workspace, Concern::UnusedPermissions, 100).await.unwrap();
    let since = test.app.clock.now().plus_days(-30);
    assert_eq!(review.keys[0].unused_permissions(since), [(Permission::Handoff, Timestamp(0))]);

    let used = test.app.reports.recent_use_of_permission(workspace, &wide, Permission::Conversations).await.unwrap();
    assert_eq!((used.calls, used.clients.len()), (1, 1));
    let unused = test.app.reports.recent_use_of_permission(workspace, &wide, Permission::Handoff).await.unwrap();
    assert_eq!((unused.calls, unused.last), (0, None));

    let all = Selection::Ids(vec![wide.clone(), busy, idle]);
    let done = keys.change_many(workspace, &actor, &all, &BulkAction::RemoveUnused).await.unwrap();
    assert_eq!(done.keys, 1, "the busy key needs both, the idle one keeps both");
    let permissions = async || keys.find(workspace, &wide).await.unwrap().unwrap().permissions.ids();
    assert_eq!(permissions().await, "conversations");
    assert_eq!(keys.undo_many(workspace, &actor, &done.id).await.unwrap(), 1);
    assert_eq!(permissions().await, "conversations,handoff");
    let name = KeyName::parse("Wide").unwrap();
    let more = Permissions::parse(["conversations", "handoff", "external-events"]).unwrap();
    keys.edit(workspace, &actor, &wide, &name, &more).await.unwrap();
    assert_eq!(named(Concern::UnusedPermissions).await, Vec::<String>::new(), "of the new one nothing is known yet");
}

async fn many_keys_are_changed_and_changed_back(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let other = test.workspace("Other").await;
    let (keys, actor) = (&test.app.api_keys, Actor::command_line());
    let mut ids = Vec::new();
    for n in 0..230 {
        ids.push(test.key(&workspace, new_key(&format!("Key {n}"))).await.id);
    }
    let foreign = test.key(&other, new_key("Foreign")).await.id;
    ids.push(foreign.clone());
    let chosen = Selection::Ids(ids.clone());
    let change = async |action: BulkAction| keys.change_many(&workspace.id, &actor, &chosen, &action).await.unwrap();
    let matching = async |filter: KeyFilter| keys.count_filtered(&workspace.id, &filter).await.unwrap();
    let paused = || KeyFilter { state: Some(KeyState::Paused), ..KeyFilter::default() };

    keys.pause(&workspace.id, &actor, &ids[0], "before").await.unwrap();
    let done = change(BulkAction::Pause { reason: "audit".to_owned() }).await;
    assert_eq!((done.keys, matching(paused()).await), (229, 230));
    let entries = test.app.audit.list(&workspace.id, &Default::default(), None, 1_000).await.unwrap();
    assert_eq!(entries.iter().filter(|entry| entry.action == "key-paused").count(), 230, "an entry for each key");
    keys.resume(&workspace.id, &actor, &ids[1]).await.unwrap();
    assert_eq!(keys.undo_many(&workspace.id, &actor, &done.id).await.unwrap(), 228, "one was changed since");
    let first = keys.find(&workspace.id, &ids[0]).await.unwrap().unwrap();
    assert_eq!(first.pause.unwrap().reason, "before", "what was paused before stays so");
    assert_eq!(keys.undo_many(&workspace.id, &actor, &done.id).await.unwrap_err(), ApiKeyError::NotFound, "only once");
    assert_eq!(keys.undo_many(&other.id, &actor, &done.id).await.unwrap_err(), ApiKeyError::NotFound);
    keys.resume(&workspace.id, &actor, &ids[0]).await.unwrap();

    let tagged = |tag: &str| KeyFilter { tag: tag.to_owned(), ..KeyFilter::default() };
    change(BulkAction::AddTags("b, a".to_owned())).await;
    let done = change(BulkAction::RemoveTags("b".to_owned())).await;
    assert_eq!((matching(tagged("a")).await, matching(tagged("b")).await), (230, 0));
    keys.undo_many(&workspace.id, &actor, &done.id).await.unwrap();
    assert_eq!(matching(tagged("b")).await, 230);
    let done = change(BulkAction::SetOwner("Ada".to_owned())).await;
    let owned = KeyFilter { owner: "Ada".to_owned(), ..KeyFilter::default() };
    assert_eq!(matching(owned.clone()).await, 230);
    assert_eq!(keys.bulk_change(&workspace.id, &done.id).await.unwrap().unwrap().keys, 230);
    let policy = KeyPolicy { owner_required: true, ..KeyPolicy::default() };
    keys.set_policy(&workspace.id, &actor, policy, true, None).await.unwrap();
    let invisible = BulkAction::SetOwner("\u{200b}".to_owned());
    let refused = keys.change_many(&workspace.id, &actor, &chosen, &invisible).await.unwrap_err();
    assert_eq!(refused, Problem::OwnerMissing.into());
    assert_eq!(keys.undo_many(&workspace.id, &actor, &done.id).await.unwrap(), 0, "they had no owner before");
    for id in ["", "\0", "nonsense", "ABCDEFGHIJKLMNOPQRST"] {
        assert_eq!(keys.bulk_change(&workspace.id, id).await.unwrap(), None);
        assert_eq!(keys.undo_many(&workspace.id, &actor, id).await.unwrap_err(), ApiKeyError::NotFound);
    }
    let wrong = BulkAction::SetOwner("x".repeat(300));
    assert!(keys.change_many(&workspace.id, &actor, &chosen, &wrong).await.is_err());

    let all = |seen| Selection::Matching { search: "key 1".to_owned(), filter: owned.clone(), seen };
    let stale = keys.change_many(&workspace.id, &actor, &all(1), &BulkAction::Delete).await;
    assert_eq!(stale.unwrap_err(), ApiKeyError::Changed, "not those that were seen");
    // 1, 10 to 19, 100 to 199.
    let done = keys.change_many(&workspace.id, &actor, &all(111), &BulkAction::Delete).await.unwrap();
    assert_eq!((done.keys, matching(KeyFilter::default()).await), (111, 119));
    assert_eq!(keys.deleted(&workspace.id, 7).await.unwrap().len(), 111);
    assert_eq!(keys.undo_many(&workspace.id, &actor, &done.id).await.unwrap(), 111);
    assert_eq!(matching(KeyFilter::default()).await, 230);

    let kept = keys.find(&other.id, &foreign).await.unwrap().unwrap();
    assert_eq!((kept.pause, kept.settings.tags.len()), (None, 0), "keys of other workspaces are left alone");
    test.app.workspaces.set_undo_days(&other.id, &actor, 0).await.unwrap();
    let foreign = Selection::Ids(vec![foreign]);
    assert!(keys.change_many(&other.id, &actor, &foreign, &BulkAction::Delete).await.is_err());
    let many = Selection::Ids((0..10_001).map(|n| ApiKeyId::parse(&format!("key-{n}")).unwrap()).collect());
    let refused = keys.change_many(&workspace.id, &actor, &many, &BulkAction::Resume).await.unwrap_err();
    assert_eq!(refused, ApiKeyError::Invalid(Problem::KeysTooMany));

    // A change can be undone for 7 days.
    let done = change(BulkAction::Pause { reason: String::new() }).await;
    test.app.clock.advance_seconds(8 * 86_400);
    keys.forget_bulk_changes().await.unwrap();
    assert_eq!(keys.undo_many(&workspace.id, &actor, &done.id).await.unwrap_err(), ApiKeyError::NotFound);
}
