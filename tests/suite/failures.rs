//! What breaks while something is written: nothing that was answered is lost, and nothing stays broken.

use crate::support::{TestApp, conversation, on_both_engines, setting};
use agent_studio::db::{Reader, Work, WriteFailure};
use agent_studio::users::Role;
use agent_studio::{on_db, on_tx};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

on_both_engines! {
    a_write_that_is_cancelled_leaves_nothing_behind,
    a_connection_whose_transaction_failed_is_not_used_again,
    writes_go_on_once_the_database_is_no_longer_read_only,
}

/// Each kind of write, given up after ever longer times: what follows is as if it had never been, or done.
async fn a_write_that_is_cancelled_leaves_nothing_behind(test: TestApp) {
    let setting = setting(&test).await;
    setting
        .runtime(&test, "PUT", "CA1", &conversation("CA1", 1).replace("\"handoff\":true", "\"in_progress\":true"))
        .await;
    let event = json!({ "event_id": "event-1" }).to_string();
    let writes: [(&str, &str, String); 6] = [
        ("PUT", "CA2", conversation("CA2", 2)),
        ("POST", "CA1/turns", json!({ "turns": [{ "user_input": "more" }] }).to_string()),
        ("PUT", "CA1/handoff", json!({ "data": { "a": 1 } }).to_string()),
        ("POST", "CA1/external-events", event),
        ("DELETE", "CA2", String::new()),
        ("PUT", "CA1", conversation("CA1", 1)),
    ];
    for (method, path, body) in &writes {
        for micros in [0, 20, 50, 100, 200, 400, 800, 1_600, 3_200, 6_400] {
            let _ = timeout(Duration::from_micros(micros), setting.runtime(&test, method, path, body)).await;
            let other = conversation("CA9", 9);
            let after = timeout(Duration::from_secs(4), setting.runtime(&test, "PUT", "CA9", &other));
            assert_eq!(after.await.unwrap().status, 204, "after {method} {path} was cancelled at {micros} µs");
        }
    }
    // What admins write.
    let mut admin = test.signed_in(&setting.workspace, "ada@example.com", Role::Admin).await;
    let key = [
        ("workspace", "acme"),
        ("name", "Cancelled"),
        ("all_agents", "true"),
        ("permissions[]", "handoff"),
        ("expiry", "30"),
    ];
    let agent = [("workspace", "acme"), ("name", "Cancelled")];
    let invitation = [("workspace", "acme"), ("email", "bob@example.com"), ("role", "viewer")];
    let sign_in = [("email", "ada@example.com"), ("password", "wrong")];
    let forms: [(&str, &[(&str, &str)]); 4] =
        [("create_api_key", &key), ("create_agent", &agent), ("invite_user", &invitation), ("sign_in", &sign_in)];
    for (function, fields) in forms {
        for micros in [0, 100, 400, 800, 1_600, 3_200, 6_400, 12_800] {
            let _ = timeout(Duration::from_micros(micros), admin.tab().call(function, fields)).await;
            let after =
                timeout(Duration::from_secs(4), admin.call("create_agent", &[("workspace", "acme"), ("name", "Next")]));
            assert_eq!(after.await.unwrap().status, 200, "after {function} was cancelled at {micros} µs");
        }
    }
    let list = setting.list(&test, "limit=100").await.json();
    let ids: Vec<_> = list["conversations"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap()).collect();
    assert!(ids.contains(&"CA1") && ids.contains(&"CA9"), "{ids:?}");
}

async fn a_connection_whose_transaction_failed_is_not_used_again(test: TestApp) {
    // One connection is left.
    let mut others = Vec::new();
    if !test.app.db.is_sqlite() {
        for _ in 1..Work::Writes.on_postgres() {
            others.push(test.app.db.begin().await.unwrap());
        }
    }
    let mark = async || {
        // Temporary tables are a connection's own.
        let mut tx = test.app.db.begin().await.unwrap();
        on_tx!(&mut tx, |c| sqlx::query("CREATE TEMPORARY TABLE marked (n BIGINT)").execute(c).await.map(|_| ()))
            .unwrap();
        tx.commit().await.unwrap();
    };
    let is_marked = async || {
        // It goes back to its pool in a task of its own.
        sleep(Duration::from_millis(100)).await;
        let mut tx = test.app.db.begin().await.unwrap();
        on_tx!(&mut tx, |c| sqlx::query("INSERT INTO marked VALUES (1)").execute(c).await.map(|_| ())).is_ok()
    };
    mark().await;
    assert!(is_marked().await, "a connection that ended well is used again");
    // Rolled back because nobody committed: that ends well, too.
    drop(test.app.db.begin().await.unwrap());
    sleep(Duration::from_millis(100)).await;
    assert!(is_marked().await);
    sleep(Duration::from_millis(100)).await;
    let mut tx = test.app.db.begin().await.unwrap();
    let failed = on_tx!(&mut tx, |c| sqlx::query("SELECT nonsense").execute(c).await.map(|_| ()));
    assert!(failed.is_err());
    drop(tx);
    assert!(!is_marked().await, "after a failed statement the connection is another");
    let left = test.app.db.read().await.unwrap();
    match left {
        Reader::Sqlite(mut held) => drop(held.begin_statement()),
        Reader::Postgres(mut held) => drop(held.begin_statement()),
    }
    let fine = on_db!(&test.app.db, |c| sqlx::query_as::<_, (i32,)>("SELECT 1").fetch_one(c).await);
    assert_eq!(fine.unwrap(), (1,), "one that was left in the middle of a statement is closed");
}

/// A database that an operator, a failover or a file system has made read-only.
async fn writes_go_on_once_the_database_is_no_longer_read_only(test: TestApp) {
    let setting = setting(&test).await;
    let put = async |id: &str| setting.runtime(&test, "PUT", id, &conversation(id, 1)).await.status;
    assert_eq!(put("CA1").await, 204);
    if test.app.db.is_sqlite() {
        // The one connection for writes refuses to: it must not come back.
        let mut tx = test.app.db.begin().await.unwrap();
        on_tx!(&mut tx, |c| sqlx::query("PRAGMA query_only = TRUE").execute(c).await.map(|_| ())).unwrap();
        tx.commit().await.unwrap();
        assert_eq!(put("CA2").await, 503);
    } else {
        let set = async |read_only: bool| {
            let (name,): (String,) =
                on_db!(&test.app.db, |c| sqlx::query_as("SELECT current_database()::text").fetch_one(c).await).unwrap();
            let sql = format!("ALTER DATABASE \"{name}\" SET default_transaction_read_only = {read_only}");
            let mut tx = test.app.db.begin().await.unwrap();
            on_tx!(&mut tx, |c| sqlx::raw_sql("SET TRANSACTION READ WRITE").execute(c).await.map(|_| ())).unwrap();
            on_tx!(&mut tx, |c| sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(c).await.map(|_| ())).unwrap();
            tx.commit().await.unwrap();
            // It holds for new connections.
            test.app.db.postgres_pool().unwrap();
            let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
            let _ = on_db!(&test.app.db, |c| sqlx::query(cut).execute(c).await.map(|_| ()));
        };
        set(true).await;
        assert_eq!(put("CA2").await, 503);
        assert_eq!(put("CA2").await, 503);
        assert_eq!(test.app.db.write_failure(), Some(WriteFailure::ReadOnly));
        assert!(test.browser().get("/readyz").await.body.contains("the database is read-only"));
        set(false).await;
    }
    let waited = Instant::now();
    while put("CA3").await != 204 {
        assert!(waited.elapsed() < Duration::from_secs(3));
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(test.app.db.write_failure(), None);
}
