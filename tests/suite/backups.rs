//! Backups: written while serving, restored into either engine, refused where something would get lost or come back
//! unseen.

use crate::support::{NOW, TestApp, conversation, new_key, postgres, setting};
use agent_studio::api_keys::service::Rotation;
use agent_studio::audit::delivery::{AuditDelivery, AuditTarget};
use agent_studio::backups::schedule::{BackupSchedule, BackupStatus};
use agent_studio::backups::service::{Backups, EndRule};
use agent_studio::backups::{BackupError, Contents, LiveItem, LiveKind, ended_since, tables};
use agent_studio::base::actor::Actor;
use agent_studio::base::clock::Clock;
use agent_studio::base::id::ApiKeyId;
use agent_studio::base::randomness::Random;
use agent_studio::base::time::Timestamp;
use agent_studio::cli::demo;
use agent_studio::db::{DatabaseLocation, Db, LoadError};
use agent_studio::users::Role;
use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

fn backups(location: &DatabaseLocation) -> Backups {
    Backups::new(location.clone(), Clock::fixed(NOW), Random::seeded(3))
}

/// A new database of each engine.
async fn empty_databases(dir: &Path) -> [DatabaseLocation; 2] {
    let folder = tempfile::tempdir_in(dir).unwrap().keep();
    [DatabaseLocation::Sqlite(folder.join("test.db")), DatabaseLocation::Postgres(postgres::new_database().await)]
}

/// A server that has just been started on this database.
async fn server(location: &DatabaseLocation) -> TestApp {
    TestApp::with(Db::open(location, Clock::fixed(NOW), Random::seeded(5)).await.unwrap(), None)
}

fn silent(_: u64, _: u64) {}

/// The rows of a backup.
fn rows(path: &Path) -> BTreeSet<String> {
    let mut text = String::new();
    zstd::Decoder::new(fs::File::open(path).unwrap()).unwrap().read_to_string(&mut text).unwrap();
    text.lines().filter(|line| line.starts_with('[')).map(str::to_owned).collect()
}

async fn back_up(from: &DatabaseLocation, path: &Path) -> Contents {
    let written = backups(from).write(path, &silent).await.unwrap();
    let contents = backups(from).check(path).await.unwrap();
    assert_eq!(written, contents.rows);
    contents
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_reaches_the_other_engine_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    for from in empty_databases(dir.path()).await {
        let test = server(&from).await;
        demo::load(&test.app).await.unwrap();
        let setting = setting(&test).await;
        let odd = "a\\b\tc\r\nd \\N \\. 'e' \"f\" \u{1F600} \\x00";
        let lines =
            conversation("odd", 60).replace("A room please", serde_json::to_string(odd).unwrap().trim_matches('"'));
        test.import(&setting.workspace, &setting.agent, &lines).await;
        let before = setting.list(&test, "limit=10").await;
        assert!(before.status == 200 && before.body.contains("a\\\\b"), "{}", before.body);
        assert_eq!(setting.runtime(&test, "PUT", "odd/handoff", r#"{"data":{"a":1}}"#).await.status, 204);

        let first = dir.path().join(format!("{}.backup", from.engine()));
        let contents = back_up(&from, &first).await;
        assert_eq!(contents.rows["conversations"], 501);
        assert_eq!(contents.made_at(), NOW);
        for to in empty_databases(dir.path()).await {
            let ended = backups(&to).restore(&first, &contents, &EndRule::default(), &silent).await.unwrap();
            assert!(ended.is_empty());
            let again = dir.path().join(format!("{}-{}.backup", from.engine(), to.engine()));
            assert_eq!(back_up(&to, &again).await.rows, contents.rows);
            assert!(rows(&again) == rows(&first), "other rows from {} to {}", from.engine(), to.engine());

            let other = server(&to).await;
            assert_eq!(setting.list(&other, "limit=10").await.body, before.body);
            let query = agent_studio::api_keys::KeyListQuery::default();
            let keys = other.app.api_keys.page(&setting.workspace.id, &query).await.unwrap();
            let copied = other.app.api_keys.copy(&setting.workspace.id, &Actor::command_line(), &keys.keys[0].id).await;
            assert_eq!(copied.unwrap().expose(), setting.key);
            assert_eq!(other.app.conversations.index_missing().await.unwrap(), 501);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_is_of_one_moment_though_others_write() {
    let dir = tempfile::tempdir().unwrap();
    for from in empty_databases(dir.path()).await {
        let test = server(&from).await;
        let workspace = test.workspace("Busy").await;
        let writing = async {
            for number in 0.. {
                // A key and its entry in the audit log, in one transaction.
                test.key(&workspace, new_key(&format!("key {number}"))).await;
                tokio::task::yield_now().await;
            }
        };
        let mut sizes = BTreeSet::new();
        let reading = async {
            for number in 0..10 {
                let path = dir.path().join(format!("{}-{number}", from.engine()));
                let rows = back_up(&from, &path).await.rows;
                // The other entry is the workspace's.
                assert_eq!(rows["api_keys"] + 1, rows["audit_entries"]);
                sizes.insert(rows["api_keys"]);
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = writing => {}
            () = reading => {}
        }
        assert!(sizes.len() > 5, "nothing was written meanwhile: {sizes:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_backup_is_known_and_restores_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let [from, _] = empty_databases(dir.path()).await;
    setting(&server(&from).await).await;
    let intact = dir.path().join("intact");
    let contents = back_up(&from, &intact).await;
    let bytes = fs::read(&intact).unwrap();
    let damaged = dir.path().join("damaged");
    let cut = bytes.len() * 3 / 4;
    let mut changes: Vec<Vec<u8>> = vec![bytes[..cut].to_vec(), bytes[..bytes.len() - 1].to_vec(), Vec::new()];
    changes.push([&bytes[..], b"more"].concat());
    changes.extend((0..bytes.len()).step_by(bytes.len() / 40).map(|at| {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        changed
    }));
    // A row is missing, or has another value, in a file that Zstandard finds intact.
    let text = String::from_utf8(zstd::decode_all(&bytes[..]).unwrap()).unwrap();
    let without_a_row = text.replacen("\n[", "\n{", 1);
    let other_value = text.replacen("CRM", "CRN", 1);
    assert_ne!(text, other_value);
    changes.extend([without_a_row, other_value].map(|text| zstd::encode_all(text.as_bytes(), 3).unwrap()));
    for (number, changed) in changes.iter().enumerate() {
        fs::write(&damaged, changed).unwrap();
        let found = backups(&from).check(&damaged).await;
        assert!(matches!(found, Err(BackupError::Damaged(_) | BackupError::NotABackup)), "{number}: {found:?}");
        // It may get damaged after it was checked.
        if number < 3 {
            for to in empty_databases(dir.path()).await {
                backups(&to).restore(&damaged, &contents, &EndRule::default(), &silent).await.unwrap_err();
                assert!(!server(&to).await.app.users.any().await.unwrap());
                assert!(server(&to).await.app.workspaces.list().await.unwrap().is_empty());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_replaces_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let [from, _] = empty_databases(dir.path()).await;
    setting(&server(&from).await).await;
    let path = dir.path().join("backup");
    let contents = back_up(&from, &path).await;
    let again = backups(&from).write(&path, &silent).await;
    assert!(matches!(again, Err(BackupError::Exists(_))), "a backup replaces no file: {again:?}");

    for to in empty_databases(dir.path()).await {
        let test = server(&to).await;
        let restore = async || backups(&to).restore(&path, &contents, &EndRule::default(), &silent).await;
        // A database that a server has only opened is empty.
        drop(test);
        restore().await.unwrap();
        let twice = restore().await;
        assert!(matches!(twice, Err(BackupError::Load(LoadError::NotEmpty))), "{twice:?}");
    }

    let mut later = contents;
    later.header.schema += 1;
    let [to, _] = empty_databases(dir.path()).await;
    let refused = backups(&to).restore(&path, &later, &EndRule::default(), &silent).await;
    assert!(matches!(refused, Err(BackupError::LaterSchema { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_give_access_again_is_listed_and_ended() {
    let dir = tempfile::tempdir().unwrap();
    let [from, _] = empty_databases(dir.path()).await;
    let test = server(&from).await;
    let setting = setting(&test).await;
    let actor = Actor::command_line();
    test.user(&setting.workspace, "ann@example.com", Role::Viewer).await;
    let deleted = test.key(&setting.workspace, new_key("Deleted")).await;
    test.app.api_keys.delete(&setting.workspace.id, &actor, &deleted.id).await.unwrap();
    let paused = test.key(&setting.workspace, new_key("Paused")).await;
    test.app.api_keys.pause(&setting.workspace.id, &actor, &paused.id, "").await.unwrap();
    let path = dir.path().join("backup");
    let contents = back_up(&from, &path).await;
    let mut live: Vec<_> = contents.live.iter().map(|item| (item.kind, item.name.as_str(), item.is_paused)).collect();
    live.sort_by_key(|(_, name, _)| *name);
    let expected = [
        (LiveKind::ApiKey, "CRM", false),
        (LiveKind::ApiKey, "Paused", true),
        (LiveKind::User, "ann@example.com", false),
        (LiveKind::RuntimeToken, "platform", false),
    ];
    assert_eq!(live, expected);

    for to in empty_databases(dir.path()).await {
        let before = NOW.plus_seconds(-1);
        let live = EndRule { made_after: Some(before), ..EndRule::default() };
        let ended = backups(&to).restore(&path, &contents, &live, &silent).await.unwrap();
        assert_eq!(ended.len(), 4);
        let test = server(&to).await;
        assert_eq!(setting.list(&test, "").await.status, 401);
        assert_eq!(setting.runtime(&test, "PUT", "one", "{}").await.status, 401);
        let again = back_up(&to, &dir.path().join(to.engine())).await;
        assert!(again.live.is_empty(), "{:?}", again.live);
        assert_eq!(again.rows["audit_entries"], contents.rows["audit_entries"] + 4);
    }
    for to in empty_databases(dir.path()).await {
        let live = EndRule { made_after: Some(NOW), ..EndRule::default() };
        assert!(backups(&to).restore(&path, &contents, &live, &silent).await.unwrap().is_empty());
        assert_eq!(setting.list(&server(&to).await, "").await.status, 200);
    }
}

#[tokio::test]
async fn each_table_is_kept_or_left_out_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    for location in empty_databases(dir.path()).await {
        let db = Db::open(&location, Clock::fixed(NOW), Random::seeded(1)).await.unwrap();
        let tables: Vec<String> = agent_studio::on_db!(
            db,
            sqlite
                | c
                | sqlx::query_scalar(
                    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'
                        AND name NOT LIKE 'transcript_words%'"
                )
                .fetch_all(c)
                .await,
            postgres
                | c
                | sqlx::query_scalar(
                    "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'"
                )
                .fetch_all(c)
                .await
        )
        .unwrap();
        assert!(tables.len() > 30);
        for table in tables {
            let kept = tables::KEPT.contains(&table.as_str());
            let left_out = tables::LEFT_OUT.iter().any(|(name, _)| *name == table);
            assert!(kept != left_out, "{}: {table}", location.engine());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backups_are_made_at_intervals_and_the_oldest_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let [from, _] = empty_databases(dir.path()).await;
    setting(&server(&from).await).await;
    let folder = dir.path().join("backups");
    let schedule = BackupSchedule { folder: folder.clone(), every: Duration::from_secs(3_600), keep: 2 };
    let status = BackupStatus::default();
    let names = || {
        let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect::<BTreeSet<_>>()
    };
    let make = async |minutes: i64| {
        let clock = Clock::fixed(NOW.plus_seconds(minutes * 60));
        let backups = Backups::new(from.clone(), clock.clone(), Random::seeded(3));
        schedule.make_if_due(&backups, &status, &clock).await
    };
    assert_eq!(status.age(NOW), None);
    assert_eq!(make(0).await, Ok(Duration::from_secs(3_600)));
    assert_eq!(make(20).await, Ok(Duration::from_secs(2_400)), "a server that starts again waits for its time");
    assert_eq!(status.age(NOW.plus_seconds(60)), Some(Duration::from_secs(60)));
    fs::write(folder.join("notes.txt"), "").unwrap();
    make(60).await.unwrap();
    make(120).await.unwrap();
    let kept = ["agent-studio-2027-01-15T090000Z.backup", "agent-studio-2027-01-15T100000Z.backup", "notes.txt"];
    assert_eq!(names(), BTreeSet::from(kept.map(str::to_owned)));
    backups(&from).check(&folder.join(kept[1])).await.unwrap();

    // A backup of a clock that was wrong keeps no other from being made, and another server's drafts are cleared up.
    fs::write(folder.join("agent-studio-2030-01-01T000000Z.backup"), "").unwrap();
    fs::write(folder.join("agent-studio-2027-01-01T000000Z.backup.abc.partial"), "").unwrap();
    make(180).await.unwrap();
    assert!(names().contains("agent-studio-2027-01-15T110000Z.backup"), "{:?}", names());
    fs::remove_file(folder.join("agent-studio-2030-01-01T000000Z.backup")).unwrap();

    let elsewhere = DatabaseLocation::Sqlite(dir.path().join("nothing.db"));
    let broken = Backups::new(elsewhere, Clock::fixed(NOW.plus_days(1)), Random::seeded(3));
    schedule.make_if_due(&broken, &status, &Clock::fixed(NOW.plus_days(1))).await.unwrap_err();
    assert_eq!(names().len(), 3, "a failed backup leaves no file");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_ended_after_the_backup_stays_ended() {
    let dir = tempfile::tempdir().unwrap();
    let audit = dir.path().join("audit.jsonl");
    let [from, _] = empty_databases(dir.path()).await;
    let test = server(&from).await;
    let setting = setting(&test).await;
    let actor = Actor::command_line();
    let delivery = AuditDelivery::new(&test.app.db, AuditTarget::File(audit.clone()));
    delivery.deliver(&mut Timestamp(0)).await.unwrap();
    let restored = test.key(&setting.workspace, new_key("Deleted and restored")).await;
    let rotated = test.key(&setting.workspace, new_key("Rotated")).await;
    // What happened in the minute before the backup is in it.
    let rotated_before = test.key(&setting.workspace, new_key("Rotated before")).await;
    let paused_before = test.key(&setting.workspace, new_key("Paused before")).await;
    let rotation = Rotation { overlap_end: NOW.plus_days(1), expires_at: NOW.plus_days(30) };
    test.app.api_keys.rotate(&setting.workspace.id, &actor, &rotated_before.id, rotation).await.unwrap();
    test.app.api_keys.pause(&setting.workspace.id, &actor, &paused_before.id, "").await.unwrap();
    let other = test.workspace("Other").await;
    test.user(&setting.workspace, "bob@example.com", Role::Admin).await;
    let email = test.user(&setting.workspace, "ann@example.com", Role::Viewer).await;
    let ann = test.app.users.find(&email).await.unwrap().unwrap();
    test.app.users.add_member(&other.id, &actor, &ann, Role::Admin).await.unwrap();
    let path = dir.path().join("backup");
    let contents = back_up(&from, &path).await;

    let tokens = test.app.runtime_tokens.list(&setting.workspace.id).await.unwrap();
    test.app.runtime_tokens.revoke(&setting.workspace.id, &actor, &tokens[0].id).await.unwrap();
    let rotation = Rotation { overlap_end: NOW.plus_days(1), expires_at: NOW.plus_days(30) };
    test.app.api_keys.rotate(&setting.workspace.id, &actor, &rotated.id, rotation).await.unwrap();
    test.app.users.remove(&setting.workspace.id, &actor, &ann).await.unwrap();
    let deleted = ["CRM", "Deleted and restored"];
    let is_key = |item: &&LiveItem| deleted.contains(&item.name.as_str());
    for key in contents.live.iter().filter(is_key) {
        test.app.api_keys.delete(&setting.workspace.id, &actor, &ApiKeyId::parse(&key.id).unwrap()).await.unwrap();
    }
    delivery.deliver(&mut Timestamp(0)).await.unwrap();
    // Events of one instant have no order.
    let later = Db::open(&from, Clock::fixed(NOW.plus_seconds(5)), Random::seeded(9)).await.unwrap();
    let later = TestApp::with(later, None);
    later.app.api_keys.restore(&setting.workspace.id, &actor, &restored.id).await.unwrap();
    delivery.deliver(&mut Timestamp(0)).await.unwrap();

    let rule = EndRule { ended: ended_since(&audit, &contents).unwrap(), ..EndRule::default() };
    for to in empty_databases(dir.path()).await {
        let ended = backups(&to).restore(&path, &contents, &rule, &silent).await.unwrap();
        let mut names: Vec<_> = ended.iter().map(|item| (item.name.as_str(), item.workspace.as_str())).collect();
        names.sort_unstable();
        let expected = ["CRM", "Rotated", "ann@example.com", "platform"].map(|name| (name, "acme"));
        assert_eq!(names, expected, "the user stays in the other workspace");
        let test = server(&to).await;
        assert_eq!(setting.list(&test, "").await.status, 401);
        let answer = test.browser().api("/v3/acme/hotel/conversations", restored.value.expose()).await;
        assert_eq!(answer.status, 200);
    }
    // A crash has left a part of a line. Its entry is delivered again.
    let text = fs::read_to_string(&audit).unwrap();
    fs::write(&audit, format!("{text}{}", &text[..text.len() / 3].trim_end())).unwrap();
    let later = test.workspace("Later").await;
    assert_eq!(delivery.deliver(&mut Timestamp(0)).await, Ok(1));
    assert_eq!(ended_since(&audit, &contents).unwrap(), rule.ended);
    assert!(fs::read_to_string(&audit).unwrap().lines().last().unwrap().contains(later.id.as_str()));
    fs::write(&audit, "{}\n").unwrap();
    assert!(matches!(ended_since(&audit, &contents), Err(BackupError::NotAnAuditFile)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn servers_that_share_a_folder_make_one_backup() {
    let dir = tempfile::tempdir().unwrap();
    for from in empty_databases(dir.path()).await {
        demo::load(&server(&from).await.app).await.unwrap();
        let folder = dir.path().join(format!("of {}", from.engine()));
        let schedule = BackupSchedule { folder: folder.clone(), every: Duration::from_secs(3_600), keep: 2 };
        let servers = (0..4).map(|seed| {
            let (schedule, from) = (schedule.clone(), from.clone());
            tokio::spawn(async move {
                let clock = Clock::fixed(NOW);
                let backups = Backups::new(from, clock.clone(), Random::seeded(seed));
                schedule.make_if_due(&backups, &BackupStatus::default(), &clock).await
            })
        });
        for server in servers.collect::<Vec<_>>() {
            server.await.unwrap().unwrap();
        }
        let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        backups(&from).check(&files[0]).await.unwrap();
    }
}
