//! Tests of what happens to keys after their creation: rotation, pause, deletion and its undoing.

use crate::support::{Setting, TestApp, new_key, on_both_engines, setting};
use agent_studio::api_keys::service::{ApiKeyError, Rotation};
use agent_studio::base::actor::Actor;
use agent_studio::base::id::ApiKeyId;
use agent_studio::base::time::Timestamp;
use agent_studio::on_db;
use agent_studio::usage::writer;

on_both_engines! {
    both_values_of_a_rotated_key_open_until_the_overlap_ends,
    a_rotation_is_cancelled_or_its_old_value_ended,
    a_paused_key_is_refused_until_it_is_resumed,
    a_deletion_can_be_undone,
    a_deletion_is_for_good_where_the_workspace_says_so,
    calls_with_the_old_value_are_told_apart,
}

/// The id of the setting's key.
async fn key_of(test: &TestApp, set: &Setting) -> ApiKeyId {
    test.app.api_keys.page(&set.workspace.id, &Default::default()).await.unwrap().keys[0].id.clone()
}

async fn status(test: &TestApp, set: &Setting, key: &str) -> u16 {
    let path = format!("/v3/{}/{}/conversations", set.workspace.id, set.agent);
    test.browser().api(&path, key).await.status
}

fn rotation(test: &TestApp, overlap_days: i64, days: i64) -> Rotation {
    let now = test.app.clock.now();
    Rotation { overlap_end: now.plus_days(overlap_days), expires_at: now.plus_days(days) }
}

async fn number(test: &TestApp, sql: &'static str) -> i64 {
    on_db!(&test.app.db, |pool| sqlx::query_scalar(sql).fetch_one(pool).await).unwrap()
}

async fn both_values_of_a_rotated_key_open_until_the_overlap_ends(test: TestApp) {
    let set = setting(&test).await;
    let (keys, actor, workspace) = (&test.app.api_keys, Actor::command_line(), &set.workspace.id);
    let id = key_of(&test, &set).await;
    let rotated = keys.rotate(workspace, &actor, &id, rotation(&test, 7, 60)).await.unwrap();
    let new = rotated.value.expose().to_owned();
    assert_ne!(new, set.key);
    assert_eq!((status(&test, &set, &set.key).await, status(&test, &set, &new).await), (200, 200));
    let copied = keys.copy(workspace, &actor, &id).await.unwrap();
    assert_eq!(copied.expose(), new, "the value to copy is the new one");
    let again = keys.rotate(workspace, &actor, &id, rotation(&test, 7, 60)).await;
    assert!(matches!(again, Err(ApiKeyError::RotationUnderWay)));

    test.app.clock.advance_seconds(7 * 86_400 - 1);
    assert_eq!((status(&test, &set, &set.key).await, status(&test, &set, &new).await), (200, 200));
    test.app.clock.advance_seconds(1);
    assert_eq!((status(&test, &set, &set.key).await, status(&test, &set, &new).await), (401, 200));
    keys.erase_deleted().await.unwrap();
    assert_eq!(number(&test, "SELECT COUNT(*) FROM api_keys WHERE old_sealed IS NOT NULL").await, 0);
    assert!(matches!(keys.cancel_rotation(workspace, &actor, &id).await, Err(ApiKeyError::NoOldValue)));
    // The old value opens no longer than it would have without the rotation.
    let rotated = keys.rotate(workspace, &actor, &id, rotation(&test, 90, 365)).await.unwrap();
    assert_eq!(rotated.old_until, test.app.clock.now().plus_days(53));
    assert_eq!(status(&test, &set, &set.key).await, 401, "the first value does not come back");
}

async fn a_rotation_is_cancelled_or_its_old_value_ended(test: TestApp) {
    let set = setting(&test).await;
    let (keys, actor, workspace) = (&test.app.api_keys, Actor::command_line(), &set.workspace.id);
    let id = key_of(&test, &set).await;
    let before = keys.find(workspace, &id).await.unwrap().unwrap();
    let first = keys.rotate(workspace, &actor, &id, rotation(&test, 7, 60)).await.unwrap().value;
    keys.cancel_rotation(workspace, &actor, &id).await.unwrap();
    assert_eq!((status(&test, &set, &set.key).await, status(&test, &set, first.expose()).await), (200, 401));
    assert_eq!(keys.find(workspace, &id).await.unwrap().unwrap(), before);
    assert_eq!(keys.copy(workspace, &actor, &id).await.unwrap().expose(), set.key);

    let second = keys.rotate(workspace, &actor, &id, rotation(&test, 7, 60)).await.unwrap().value;
    keys.end_old_value(workspace, &actor, &id).await.unwrap();
    assert_eq!((status(&test, &set, &set.key).await, status(&test, &set, second.expose()).await), (401, 200));
    assert!(matches!(keys.end_old_value(workspace, &actor, &id).await, Err(ApiKeyError::NoOldValue)));

    let third = keys.rotate(workspace, &actor, &id, rotation(&test, 0, 60)).await.unwrap().value;
    assert_eq!((status(&test, &set, second.expose()).await, status(&test, &set, third.expose()).await), (401, 200));
    // Values that are not to be kept are destroyed, the old one too.
    keys.rotate(workspace, &actor, &id, rotation(&test, 7, 60)).await.unwrap();
    keys.set_copyable(workspace, &actor, false).await.unwrap();
    let sealed = "SELECT COUNT(*) FROM api_keys WHERE sealed IS NOT NULL OR old_sealed IS NOT NULL";
    assert_eq!(number(&test, sealed).await, 0);
}

async fn a_paused_key_is_refused_until_it_is_resumed(test: TestApp) {
    let set = setting(&test).await;
    let (keys, actor, workspace) = (&test.app.api_keys, Actor::command_line(), &set.workspace.id);
    let id = key_of(&test, &set).await;
    keys.pause(workspace, &actor, &id, " seen in a\nchat ").await.unwrap();
    let path = format!("/v3/{workspace}/{}/conversations", set.agent);
    let paused = test.browser().api(&path, &set.key).await;
    let unknown = test.browser().api(&path, "ask_0123456789ABCDEFGHIJKLMNOPQRSTUV2QjdX3").await;
    let without_id = |body: &serde_json::Value| {
        let mut body = body.clone();
        body.as_object_mut().unwrap().remove("error_id");
        body
    };
    assert_eq!((paused.status, without_id(&paused.json())), (401, without_id(&unknown.json())), "as for a stranger");
    let pause = keys.find(workspace, &id).await.unwrap().unwrap().pause.unwrap();
    assert_eq!((pause.reason.as_str(), pause.by.as_str()), ("seen in a chat", "command line"));
    writer::flush(&test.app.usage).await.unwrap();
    assert_eq!(number(&test, "SELECT COUNT(*) FROM requests WHERE outcome = 'paused'").await, 1);
    keys.resume(workspace, &actor, &id).await.unwrap();
    assert_eq!(status(&test, &set, &set.key).await, 200);
    assert!(keys.pause(workspace, &actor, &id, &"x".repeat(201)).await.is_err());
}

async fn a_deletion_can_be_undone(test: TestApp) {
    let set = setting(&test).await;
    let (keys, actor, workspace) = (&test.app.api_keys, Actor::command_line(), &set.workspace.id);
    let id = key_of(&test, &set).await;
    let new = keys.rotate(workspace, &actor, &id, rotation(&test, 20, 60)).await.unwrap().value;
    let before = keys.find(workspace, &id).await.unwrap();
    keys.delete(workspace, &actor, &id).await.unwrap();
    assert_eq!((status(&test, &set, &set.key).await, status(&test, &set, new.expose()).await), (401, 401));
    assert_eq!(keys.find(workspace, &id).await.unwrap(), None);
    assert!(matches!(keys.copy(workspace, &actor, &id).await, Err(ApiKeyError::NotFound)));
    assert!(matches!(keys.pause(workspace, &actor, &id, "").await, Err(ApiKeyError::NotFound)));
    assert_eq!(keys.deleted(workspace, 7).await.unwrap()[0].id, id);
    let other = test.workspace("Other").await;
    assert!(matches!(keys.restore(&other.id, &actor, &id).await, Err(ApiKeyError::NotFound)));

    test.app.clock.advance_seconds(7 * 86_400 - 1);
    keys.erase_deleted().await.unwrap();
    keys.restore(workspace, &actor, &id).await.unwrap();
    assert_eq!(keys.find(workspace, &id).await.unwrap(), before);
    assert_eq!((status(&test, &set, &set.key).await, status(&test, &set, new.expose()).await), (200, 200));

    keys.delete(workspace, &actor, &id).await.unwrap();
    test.app.clock.advance_seconds(7 * 86_400);
    assert!(matches!(keys.restore(workspace, &actor, &id).await, Err(ApiKeyError::NotFound)));
    keys.erase_deleted().await.unwrap();
    assert_eq!(number(&test, "SELECT COUNT(*) FROM api_keys").await, 0);
}

async fn a_deletion_is_for_good_where_the_workspace_says_so(test: TestApp) {
    let set = setting(&test).await;
    let (keys, actor, workspace) = (&test.app.api_keys, Actor::command_line(), &set.workspace.id);
    let first = key_of(&test, &set).await;
    let second = test.key(&set.workspace, new_key("Second")).await.id;
    keys.delete(workspace, &actor, &first).await.unwrap();
    for wrong in [-1, 91] {
        assert!(test.app.workspaces.set_undo_days(workspace, &actor, wrong).await.is_err(), "{wrong}");
    }
    test.app.workspaces.set_undo_days(workspace, &actor, 0).await.unwrap();
    keys.delete(workspace, &actor, &second).await.unwrap();
    assert_eq!(number(&test, "SELECT COUNT(*) FROM api_keys").await, 1);
    assert_eq!(keys.deleted(workspace, 0).await.unwrap(), []);
    for id in [&first, &second] {
        assert!(matches!(keys.restore(workspace, &actor, id).await, Err(ApiKeyError::NotFound)));
    }
    keys.erase_deleted().await.unwrap();
    assert_eq!(number(&test, "SELECT COUNT(*) FROM api_keys").await, 0);
}

async fn calls_with_the_old_value_are_told_apart(test: TestApp) {
    let set = setting(&test).await;
    let (keys, workspace) = (&test.app.api_keys, &set.workspace.id);
    let id = key_of(&test, &set).await;
    let new = keys.rotate(workspace, &Actor::command_line(), &id, rotation(&test, 7, 60)).await.unwrap().value;
    let rotated_at = test.app.clock.now();
    for _ in 0..3 {
        assert_eq!(status(&test, &set, &set.key).await, 200);
    }
    assert_eq!(status(&test, &set, new.expose()).await, 200);
    writer::flush(&test.app.usage).await.unwrap();
    assert_eq!(
        number(&test, "SELECT CAST(SUM(requests) AS BIGINT) FROM key_usage WHERE outcome = 'accepted'").await,
        4
    );
    assert_eq!(
        number(&test, "SELECT CAST(SUM(requests) AS BIGINT) FROM key_usage WHERE outcome = 'old-value'").await,
        3
    );
    let last = test.app.reports.last_by_old_value(workspace, &id, rotated_at).await.unwrap().unwrap();
    assert_eq!((last.address.as_str(), last.old_value), ("192.0.2.7", true));
    let later = Timestamp(rotated_at.0 + 1);
    assert!(test.app.reports.last_by_old_value(workspace, &id, later).await.unwrap().is_none(), "of another rotation");
    let totals = test.app.reports.totals(workspace, &id).await.unwrap();
    assert_eq!(totals.within[0], (1, 4, 0), "no call is counted twice");
}
