//! Changing the master key.

use crate::support::{MASTER_KEY, NOW, TestApp, new_key, on_both_engines};
use agent_studio::api_keys::service::{Rotation, SealReport};
use agent_studio::base::actor::Actor;
use agent_studio::base::sealing::MasterKeys;

const NEW: &str = "//////////////////////////////////////////8=";

on_both_engines! {
    every_value_is_sealed_again_under_a_new_key,
}

async fn every_value_is_sealed_again_under_a_new_key(mut test: TestApp) {
    let actor = Actor::command_line();
    let mut keys = Vec::new();
    for name in ["Acme", "Other"] {
        let workspace = test.workspace(name).await;
        // More than are sealed again at once.
        for number in 0..150 {
            keys.push((workspace.id.clone(), test.key(&workspace, new_key(&format!("key {number}"))).await));
        }
    }
    let (workspace, rotated) = &keys[7];
    let rotation = Rotation { overlap_end: NOW.plus_days(1), expires_at: NOW.plus_days(30) };
    let next = test.app.api_keys.rotate(workspace, &actor, &rotated.id, rotation).await.unwrap();
    test.app.shown_once.put(workspace, &user(&test).await, "invitation", "secret").await.unwrap();

    let with = |keys: &str| MasterKeys::from_base64(keys).unwrap();
    let report = |open, other_master_key, damaged| SealReport { open, other_master_key, damaged };
    assert_eq!(test.app.api_keys.check_seals().await.unwrap(), report(301, 0, 0));
    test.reconfigure(|parts| parts.master_keys = with(NEW));
    assert_eq!(test.app.api_keys.check_seals().await.unwrap(), report(0, 301, 0));
    assert_eq!(test.app.api_keys.seal_again().await.unwrap(), 0, "nothing is lost without the old key");

    test.reconfigure(|parts| parts.master_keys = with(&format!("{NEW},{MASTER_KEY}")));
    assert_eq!(test.app.api_keys.seal_again().await.unwrap(), 301);
    assert_eq!(test.app.shown_once.seal_again().await.unwrap(), 1);
    assert_eq!(test.app.api_keys.seal_again().await.unwrap(), 0);

    test.reconfigure(|parts| parts.master_keys = with(NEW));
    assert_eq!(test.app.api_keys.check_seals().await.unwrap(), report(301, 0, 0));
    for (workspace, key) in [&keys[0], &keys[299]] {
        let copied = test.app.api_keys.copy(workspace, &actor, &key.id).await.unwrap();
        assert_eq!(copied.expose(), key.value.expose());
    }
    let copied = test.app.api_keys.copy(workspace, &actor, &rotated.id).await.unwrap();
    assert_eq!(copied.expose(), next.value.expose());
    let waiting = test.app.shown_once.take(workspace, &user(&test).await, "invitation").await.unwrap().unwrap();
    test.app.shown_once.open(waiting).unwrap();

    let mut change = test.app.db.begin_unattended().await.unwrap();
    let sql = "UPDATE api_keys SET sealed = (SELECT sealed FROM api_keys WHERE id = $2) WHERE id = $1";
    agent_studio::on_change!(&mut change, |c| sqlx::query(sql)
        .bind(&keys[0].1.id)
        .bind(&keys[1].1.id)
        .execute(c)
        .await
        .map(|_| ()))
    .unwrap();
    change.commit().await.unwrap();
    assert_eq!(test.app.api_keys.check_seals().await.unwrap(), report(300, 0, 1), "a value that was moved");
}

/// The id of a user, made if there is none.
async fn user(test: &TestApp) -> agent_studio::base::id::UserId {
    let email = agent_studio::users::Email::parse("ann@example.com").unwrap();
    match test.app.users.find(&email).await.unwrap() {
        Some(user) => user,
        None => {
            let workspace = test.app.workspaces.list().await.unwrap().remove(0);
            test.user(&workspace, email.as_str(), agent_studio::users::Role::Admin).await;
            test.app.users.find(&email).await.unwrap().unwrap()
        }
    }
}
