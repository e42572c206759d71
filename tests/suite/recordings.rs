//! Tests of recordings: storing, reading by key, erasing; in a folder and in an S3-compatible store.

use crate::support::{Answer, Setting, TestApp, conversation, on_both_engines, s3, setting};
use agent_studio::base::actor::Actor;
use agent_studio::configuration::{AllowedMetrics, CallerNumbers};
use agent_studio::recordings::service::RecordingError;
use agent_studio::recordings::{RecordingKind, Side};
use agent_studio::{on_change, on_db};
use axum::body::{Body, Bytes};
use axum::http::Request;
use futures_util::{StreamExt as _, stream};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

on_both_engines! {
    a_recording_goes_in_and_comes_out,
    ranges_of_a_recording,
    what_is_no_recording_is_refused,
    only_what_configuration_allows_is_heard,
    erasing_a_conversation_erases_its_recordings,
    an_interrupted_upload_leaves_nothing,
    an_upload_for_a_conversation_that_is_gone_leaves_nothing,
    recordings_live_in_a_bucket_too,
}

/// A WAV file (8 kHz, 16 bit, mono) with this many bytes of sound.
fn wav(bytes: u32, sound: u8) -> Vec<u8> {
    let mut file = b"RIFF".to_vec();
    file.extend((36 + bytes).to_le_bytes());
    file.extend(b"WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data");
    file.extend(bytes.to_le_bytes());
    file.resize(44 + bytes as usize, sound);
    file
}

/// A server that stores recordings in a folder, with a conversation whose transcript can be read.
async fn with_folder(mut test: TestApp) -> (TestApp, Setting, TempDir) {
    let dir = test.store_recordings();
    let set = setting(&test).await;
    test.configure(&set.workspace, &set.agent, AllowedMetrics::All, true).await;
    set.runtime(&test, "PUT", "CA1", &conversation("CA1", 1)).await;
    (test, set, dir)
}

async fn put(test: &TestApp, set: &Setting, path: &str, body: impl Into<Body>) -> Answer {
    let path = format!("/runtime/v1/{}/{}/conversations/{path}", set.workspace.id, set.agent);
    let request = Request::put(path).header("authorization", format!("Bearer {}", set.token));
    test.browser().send(request.header("content-type", "audio/wav"), body.into()).await
}

async fn get(test: &TestApp, set: &Setting, path: &str, range: Option<&str>) -> Answer {
    let mut request = Request::get(format!("/v1/agents/{}/conversations/{path}", set.agent));
    if let Some(range) = range {
        request = request.header("range", range);
    }
    test.browser().send(request.header("x-api-key", &set.key), Body::empty()).await
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let entries = entries.map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path.display().to_string()] }).collect()
}

async fn rows(test: &TestApp, table: &str) -> i64 {
    let sql = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
    on_db!(&test.app.db, |pool| sqlx::query_scalar(sql).fetch_one(pool).await).unwrap()
}

async fn a_recording_goes_in_and_comes_out(test: TestApp) {
    let (test, set, dir) = with_folder(test).await;
    assert_eq!(get(&test, &set, "CA1/audio", None).await.json()["error_code"], "CONVERSATIONS_RECORDING_NOT_FOUND");
    // More than one part of an upload and than one piece of an answer.
    let whole = wav(11_000_000, 1);
    assert_eq!(put(&test, &set, "CA1/audio", whole.clone()).await.status, 204);
    let (user, redacted) = (wav(2_000, 2), wav(3_000, 3));
    assert_eq!(put(&test, &set, "CA1/audio?direction=user", user.clone()).await.status, 204);
    assert_eq!(put(&test, &set, "CA1/audio?direction=combined&redacted=true", redacted.clone()).await.status, 204);

    let answer = get(&test, &set, "CA1/audio", None).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "audio/wav"));
    assert_eq!(answer.header("content-length"), whole.len().to_string());
    assert_eq!(answer.header("accept-ranges"), "bytes");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.bytes == whole, "{} bytes", answer.bytes.len());
    assert!(get(&test, &set, "CA1/audio?direction=user", None).await.bytes == user);
    assert!(get(&test, &set, "CA1/audio?redacted=true", None).await.bytes == redacted);
    for path in ["CA1/audio?direction=agent", "CA1/audio?direction=user&redacted=true"] {
        let answer = get(&test, &set, path, None).await;
        assert_eq!((answer.status, &answer.json()["error_code"]), (404, &"CONVERSATIONS_RECORDING_NOT_FOUND".into()));
    }
    let unknown = get(&test, &set, "CA2/audio", None).await;
    assert_eq!((unknown.status, &unknown.json()["error_code"]), (404, &"CONVERSATIONS_NOT_FOUND".into()));

    // A later recording of the same kind takes the place of the earlier one.
    let before = get(&test, &set, "CA1/audio?direction=user", None).await.header("etag").to_owned();
    let later = wav(500, 4);
    assert_eq!(put(&test, &set, "CA1/audio?direction=user", later.clone()).await.status, 204);
    let answer = get(&test, &set, "CA1/audio?direction=user", None).await;
    assert!(answer.bytes == later && answer.header("etag") != before);
    assert_eq!((files(dir.path()).len(), rows(&test, "loose_objects").await), (3, 0));
    // Replacing the conversation keeps its recordings.
    set.runtime(&test, "PUT", "CA1", &conversation("CA1", 2)).await;
    assert_eq!(get(&test, &set, "CA1/audio?direction=user", None).await.status, 200);
}

async fn ranges_of_a_recording(test: TestApp) {
    let (test, set, _dir) = with_folder(test).await;
    let mut file = wav(3_000_000, 0);
    for (at, byte) in file.iter_mut().enumerate().skip(44) {
        *byte = (at % 251) as u8;
    }
    assert_eq!(put(&test, &set, "CA1/audio", file.clone()).await.status, 204);
    let size = file.len();
    for (range, part) in [
        ("bytes=0-43", 0..44),
        ("bytes=100-1999999", 100..2_000_000),
        ("bytes=2999000-", 2_999_000..size),
        ("bytes=-7", size - 7..size),
        ("bytes=10-99999999", 10..size),
    ] {
        let answer = get(&test, &set, "CA1/audio", Some(range)).await;
        assert_eq!(answer.status, 206, "{range}");
        assert_eq!(answer.header("content-range"), format!("bytes {}-{}/{size}", part.start, part.end - 1), "{range}");
        assert!(answer.bytes == file[part], "{range}");
    }
    let beyond = get(&test, &set, "CA1/audio", Some("bytes=3000044-")).await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, format!("bytes */{size}").as_str()));
    assert_eq!(beyond.json()["error_code"], "RANGE_NOT_SATISFIABLE");
    for passed_over in ["bytes=0-1,4-5", "lines=1-2", "bytes=b"] {
        let answer = get(&test, &set, "CA1/audio", Some(passed_over)).await;
        assert_eq!((answer.status, answer.bytes.len()), (200, size), "{passed_over}");
    }
}

async fn what_is_no_recording_is_refused(test: TestApp) {
    let (test, set, dir) = with_folder(test).await;
    for (path, body, status) in [
        ("CA1/audio", b"".to_vec(), 400),
        ("CA1/audio", b"RIFF".to_vec(), 400),
        ("CA1/audio", b"ID3\x04 and the rest of an MP3 file".to_vec(), 400),
        ("CA1/audio?direction=left", wav(10, 0), 400),
        ("CA1/audio?redacted=perhaps", wav(10, 0), 400),
        ("CA9/audio", wav(10, 0), 404),
        ("CA1/audio", wav(100 * 1024 * 1024, 0), 413),
    ] {
        let answer = put(&test, &set, path, body).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert_eq!(answer.json()["success"], false, "{path}");
    }
    let path = format!("/runtime/v1/{}/{}/conversations/CA1/audio", set.workspace.id, set.agent);
    let mp3 = Request::put(&path).header("authorization", format!("Bearer {}", set.token));
    assert_eq!(test.browser().send(mp3.header("content-type", "audio/mpeg"), wav(10, 0).into()).await.status, 415);
    assert_eq!(test.browser().send(Request::put(&path), wav(10, 0).into()).await.status, 401);
    let with_key = Request::put(&path).header("x-api-key", &set.key);
    assert_eq!(test.browser().send(with_key, wav(10, 0).into()).await.status, 401);
    assert_eq!((files(dir.path()).len(), rows(&test, "loose_objects").await), (0, 0));
    // The other calls of the runtime side keep their own limit.
    let long = format!("{{\"data\":{{\"x\":\"{}\"}}}}", "x".repeat(20 * 1024 * 1024));
    let large =
        Request::put(path.replace("/audio", "/handoff")).header("authorization", format!("Bearer {}", set.token));
    assert_eq!(test.browser().send(large.header("content-type", "application/json"), long.into()).await.status, 413);
}

async fn only_what_configuration_allows_is_heard(test: TestApp) {
    let (test, set, _dir) = with_folder(test).await;
    let (whole, redacted) = (wav(100, 1), wav(100, 2));
    assert_eq!(put(&test, &set, "CA1/audio", whole.clone()).await.status, 204);
    for numbers in [CallerNumbers::LastFour, CallerNumbers::Hidden] {
        test.configure_caller_numbers(&set.workspace, &set.agent, numbers).await;
        for path in ["CA1/audio", "CA1/audio?redacted=false"] {
            assert_eq!(get(&test, &set, path, None).await.status, 404, "{path}: there is no redacted one yet");
        }
    }
    assert_eq!(put(&test, &set, "CA1/audio?redacted=true", redacted.clone()).await.status, 204);
    assert!(get(&test, &set, "CA1/audio?redacted=false", None).await.bytes == redacted);
    test.configure_caller_numbers(&set.workspace, &set.agent, CallerNumbers::Shown).await;
    assert!(get(&test, &set, "CA1/audio", None).await.bytes == whole);

    test.configure(&set.workspace, &set.agent, AllowedMetrics::All, false).await;
    let refused = get(&test, &set, "CA1/audio", None).await;
    assert_eq!(refused.status, 403);
    assert!(refused.json()["error_message"].as_str().unwrap().contains("transcript is off"), "{}", refused.body);

    let other = test.workspace("Other").await;
    let key = test.key(&other, crate::support::new_key("Theirs")).await.value;
    let path = format!("/v1/agents/{}/conversations/CA1/audio", set.agent);
    assert_eq!(test.browser().api(&path, key.expose()).await.status, 404);
}

async fn erasing_a_conversation_erases_its_recordings(test: TestApp) {
    let (test, set, dir) = with_folder(test).await;
    set.runtime(&test, "PUT", "CA2", &conversation("CA2", 1)).await;
    for path in ["CA1/audio", "CA1/audio?direction=user", "CA2/audio"] {
        assert_eq!(put(&test, &set, path, wav(100, 0)).await.status, 204);
    }
    assert_eq!(files(dir.path()).len(), 3);
    set.runtime(&test, "DELETE", "CA1", "").await;
    assert_eq!((files(dir.path()).len(), rows(&test, "recordings").await), (1, 1), "at the time of the answer");
    let agents = &test.app.agents;
    let agent = agents.find(&set.workspace.id, set.agent.as_str()).await.unwrap().unwrap();
    test.app.workspaces.set_undo_days(&set.workspace.id, &Actor::command_line(), 0).await.unwrap();
    agents.delete(&set.workspace.id, &Actor::command_line(), &agent).await.unwrap();
    assert_eq!(files(dir.path()).len(), 0);
    assert_eq!((rows(&test, "recordings").await, rows(&test, "loose_objects").await), (0, 0));
}

/// A server that was killed during an upload, or between the upload and its entry.
async fn an_interrupted_upload_leaves_nothing(test: TestApp) {
    let (test, set, dir) = with_folder(test).await;
    let broken = stream::iter([Ok(wav(6_000_000, 0)), Err(std::io::Error::other("cut"))]);
    assert_eq!(put(&test, &set, "CA1/audio", Body::from_stream(broken)).await.status, 400);
    assert_eq!((files(dir.path()).len(), rows(&test, "loose_objects").await), (0, 0));

    let folder = dir.path().join("recordings/of tests").join(set.workspace.id.as_str());
    fs::create_dir_all(&folder).unwrap();
    for object in ["killed.wav", "killed.wav#1"] {
        fs::write(folder.join(object), b"RIFF").unwrap();
    }
    let entry = "INSERT INTO loose_objects (object, delete_at) VALUES ($1, $2)";
    let (object, due) = (format!("{}/killed.wav", set.workspace.id), test.app.clock.now().plus_seconds(3_600));
    let mut change = test.app.db.begin_unattended().await.unwrap();
    on_change!(&mut change, |c| sqlx::query(entry).bind(&object).bind(due).execute(c).await.map(|_| ())).unwrap();
    change.commit().await.unwrap();
    test.app.recordings.delete_due(None).await;
    assert_eq!(files(dir.path()).len(), 2, "it may be an upload that goes on");
    test.app.clock.advance_seconds(3_601);
    test.app.recordings.delete_due(None).await;
    assert_eq!((files(dir.path()).len(), rows(&test, "loose_objects").await), (0, 0));
}

async fn an_upload_for_a_conversation_that_is_gone_leaves_nothing(test: TestApp) {
    let (test, set, dir) = with_folder(test).await;
    let kind = RecordingKind { side: Side::Combined, redacted: false };
    let (workspace, agent) = (&set.workspace.id, &set.agent);
    let erased = async {
        test.app.conversations.erase(workspace, agent, "CA1").await.unwrap();
        Ok(Bytes::new())
    };
    let body = stream::iter([Ok(Bytes::from(wav(100, 0)))]).chain(stream::once(erased));
    let stored = test.app.recordings.store(workspace, agent, "CA1", kind, body).await;
    assert_eq!(stored, Err(RecordingError::NoSuchConversation));
    assert_eq!((files(dir.path()).len(), rows(&test, "recordings").await), (0, 0));
    assert_eq!(rows(&test, "loose_objects").await, 0);
}

async fn recordings_live_in_a_bucket_too(mut test: TestApp) {
    let bucket = s3::new_bucket().await;
    test.reconfigure(|parts| parts.recordings = bucket.storage("some/prefix"));
    let set = setting(&test).await;
    test.configure(&set.workspace, &set.agent, AllowedMetrics::All, true).await;
    set.runtime(&test, "PUT", "CA1", &conversation("CA1", 1)).await;
    let whole = wav(11_000_000, 1);
    assert_eq!(put(&test, &set, "CA1/audio", whole.clone()).await.status, 204);
    let keys = bucket.keys().await;
    assert!(keys.len() == 1 && keys[0].starts_with(&format!("some/prefix/{}/", set.workspace.id)), "{keys:?}");
    assert!(get(&test, &set, "CA1/audio", None).await.bytes == whole);
    let part = get(&test, &set, "CA1/audio", Some("bytes=5000000-5000009")).await;
    assert_eq!((part.status, part.bytes.as_slice()), (206, [1; 10].as_slice()));
    assert_eq!(put(&test, &set, "CA1/audio", wav(50, 2)).await.status, 204);
    assert_eq!(bucket.keys().await.len(), 1);
    set.runtime(&test, "DELETE", "CA1", "").await;
    assert_eq!(bucket.keys().await.len(), 0);

    // A store that does not answer is no fault of the client.
    test.reconfigure(|parts| parts.recordings = s3::unreachable());
    set.runtime(&test, "PUT", "CA1", &conversation("CA1", 1)).await;
    assert_eq!(put(&test, &set, "CA1/audio", wav(50, 2)).await.status, 503);
    // The object may appear in the storage after the error, so its entry stays.
    assert_eq!(rows(&test, "loose_objects").await, 1);
}
