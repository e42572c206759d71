//! Tests of failures during writes: no acknowledged write is lost, and the server recovers.

use crate::support::postgres::Cluster;
use crate::support::program::Place;
use crate::support::{NOW, PASSWORD, TestApp, conversation, follow, new_key, on_both_engines, setting};
use agent_studio::api_keys::service::NewKey;
use agent_studio::db::{Reader, WorkKind, WriteFailure};
use agent_studio::gate::state::DecisionSource;
use agent_studio::users::Role;
use agent_studio::{on_change, on_db};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

on_both_engines! {
    a_write_that_is_cancelled_leaves_nothing_behind,
    a_connection_whose_transaction_failed_is_not_used_again,
    writes_go_on_once_the_database_is_no_longer_read_only,
    a_clock_that_jumps_an_hour_either_way,
}

/// Cancels each kind of write after increasing times. Each write must be either complete or have no effect.
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
    // Writes of admins.
    let mut admin = test.signed_in(&setting.workspace, "ada@example.com", Role::Admin).await;
    let key = [
        ("workspace", "acme"),
        ("name", "Cancelled"),
        ("all_agents", "true"),
        ("permissions[]", "handoff"),
        ("expiry[choice]", "30"),
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
    // Takes all connections but one.
    let mut others = Vec::new();
    if !test.app.db.is_sqlite() {
        for _ in 1..WorkKind::Writes.on_postgres() {
            others.push(test.app.db.begin_unattended().await.unwrap());
        }
    }
    let mark = async || {
        // A temporary table exists on one connection only.
        let mut change = test.app.db.begin_unattended().await.unwrap();
        on_change!(&mut change, |c| sqlx::query("CREATE TEMPORARY TABLE marked (n BIGINT)")
            .execute(c)
            .await
            .map(|_| ()))
        .unwrap();
        change.commit().await.unwrap();
    };
    let is_marked = async || {
        // The connection returns to its pool in a separate task.
        sleep(Duration::from_millis(100)).await;
        let mut change = test.app.db.begin_unattended().await.unwrap();
        on_change!(&mut change, |c| sqlx::query("INSERT INTO marked VALUES (1)").execute(c).await.map(|_| ())).is_ok()
    };
    mark().await;
    assert!(is_marked().await, "a connection that ended well is used again");
    // A rollback because of a missing commit is a clean end too.
    drop(test.app.db.begin_unattended().await.unwrap());
    sleep(Duration::from_millis(100)).await;
    assert!(is_marked().await);
    sleep(Duration::from_millis(100)).await;
    let mut change = test.app.db.begin_unattended().await.unwrap();
    let failed = on_change!(&mut change, |c| sqlx::query("SELECT nonsense").execute(c).await.map(|_| ()));
    assert!(failed.is_err());
    drop(change);
    assert!(!is_marked().await, "after a failed statement the connection is another");
    let left = test.app.db.read().await.unwrap();
    match left {
        Reader::Sqlite(mut held) => drop(held.begin_statement()),
        Reader::Postgres(mut held) => drop(held.begin_statement()),
    }
    let fine = on_db!(&test.app.db, |c| sqlx::query_as::<_, (i32,)>("SELECT 1").fetch_one(c).await);
    assert_eq!(fine.unwrap(), (1,), "one that was left in the middle of a statement is closed");
}

/// An operator, a failover or a file system can make a database read-only.
async fn writes_go_on_once_the_database_is_no_longer_read_only(test: TestApp) {
    let setting = setting(&test).await;
    let put = async |id: &str| setting.runtime(&test, "PUT", id, &conversation(id, 1)).await.status;
    assert_eq!(put("CA1").await, 204);
    if test.app.db.is_sqlite() {
        // The only connection for writes becomes read-only; it must not be used again.
        let mut change = test.app.db.begin_unattended().await.unwrap();
        on_change!(&mut change, |c| sqlx::query("PRAGMA query_only = TRUE").execute(c).await.map(|_| ())).unwrap();
        change.commit().await.unwrap();
        assert_eq!(put("CA2").await, 503);
    } else {
        let set = async |read_only: bool| {
            let (name,): (String,) =
                on_db!(&test.app.db, |c| sqlx::query_as("SELECT current_database()::text").fetch_one(c).await).unwrap();
            let sql = format!("ALTER DATABASE \"{name}\" SET default_transaction_read_only = {read_only}");
            let mut change = test.app.db.begin_unattended().await.unwrap();
            on_change!(&mut change, |c| sqlx::raw_sql("SET TRANSACTION READ WRITE").execute(c).await.map(|_| ()))
                .unwrap();
            on_change!(&mut change, |c| sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(c).await.map(|_| ())).unwrap();
            change.commit().await.unwrap();
            // The setting applies to new connections only.
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
    test.app.db.check_write().await.unwrap();
    assert_eq!(test.app.db.write_failure(), None);
}

/// The gate measures the age of its index with a monotonic clock. Expiries use the system clock.
async fn a_clock_that_jumps_an_hour_either_way(test: TestApp) {
    const HOUR: i64 = 3_600;
    let setting = setting(&test).await;
    let half_an_hour = NewKey { expires_at: NOW.plus_seconds(HOUR / 2), ..new_key("Short") };
    let short = test.key(&setting.workspace, half_an_hour).await;
    let mut ada = test.signed_in(&setting.workspace, "ada@example.com", Role::Admin).await;
    let _following = follow(&test.app).await;
    let forward_auth = async |key: &str| test.browser().api("/authz/nginx?account_id=acme", key).await.status;
    let wrong = [("email", "ada@example.com"), ("password", "not the right one")];
    let right = [("email", "ada@example.com"), ("password", PASSWORD)];
    for (jump, open) in [(HOUR, 401), (-2 * HOUR, 200), (HOUR, 200)] {
        test.app.clock.advance_seconds(jump);
        assert_eq!(
            test.app.gate.decision_source(),
            DecisionSource::Index,
            "the gate follows, whatever the clock shows"
        );
        assert_eq!(forward_auth(&setting.key).await, 200);
        assert_eq!(forward_auth(short.value.expose()).await, open);
        assert_eq!(ada.get("/acme/api-keys").await.status, 200, "a session goes on");
        assert_eq!(setting.runtime(&test, "PUT", "CA1", &conversation("CA1", 1)).await.status, 204);
        let made = test.key(&setting.workspace, new_key("Made")).await;
        assert_eq!(forward_auth(made.value.expose()).await, 200);
        // Exceeds the throttle. The next jump of the clock must not extend the wait to hours.
        let mut last = 0;
        for _ in 0..11 {
            last = test.browser().call("sign_in", &wrong).await.status;
        }
        assert_eq!(last, 429);
    }
    for jump in [HOUR, -HOUR] {
        test.app.clock.advance_seconds(jump);
        let signed_in = test.browser().call("sign_in", &right).await;
        assert_eq!(signed_in.status, 200, "after a jump of {jump} seconds: {}", signed_in.body);
    }
}

/// Other clients use all connections of PostgreSQL. The gate still decides calls; other work is refused until there are
/// connections again.
#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_out_of_connections_is_waited_for() {
    use sqlx::{Connection as _, PgConnection};

    let cluster = Cluster::with_options("-c fsync=off -c max_connections=40 -c superuser_reserved_connections=0");
    let place = Place::on(&cluster.url);
    place.json(&["workspace", "create", "--name", "Acme", "--json"]);
    let create =
        "key create --workspace acme --name CRM --agents all --permissions conversations --expires-in 90d --json";
    let key = place.json(&create.split(' ').collect::<Vec<_>>());
    let key = key["key"].as_str().unwrap();
    let server = place.serve();
    let forward_auth = "/authz/nginx?account_id=acme";
    assert_eq!(server.status(forward_auth, key), 200);
    let mut others = Vec::new();
    while let Ok(other) = PgConnection::connect(&cluster.url).await {
        others.push(other);
        assert!(others.len() < 100);
    }
    for _ in 0..20 {
        assert_eq!(server.status(forward_auth, key), 200, "the gate has connections of its own");
    }
    let refused = place.refusal(&["workspace", "list"]);
    assert!(refused.contains("too many clients"), "{refused}");
    let statuses: Vec<u16> = (0..3).map(|_| server.status("/v3/acme/hotel/conversations", key)).collect();
    assert!(statuses.iter().all(|status| [404, 503].contains(status)), "{statuses:?}");
    drop(others);
    let waited = Instant::now();
    while server.status("/readyz", "") != 200 {
        assert!(waited.elapsed() < Duration::from_secs(5));
        sleep(Duration::from_millis(100)).await;
    }
    place.json(&["agent", "create", "--workspace", "acme", "--name", "Hotel", "--slug", "hotel", "--json"]);
    assert_eq!(server.status("/v3/acme/hotel/conversations", key), 200);
}
