//! Tests that unauthenticated requests leave nothing in the database but a bounded number of throttle counters.

use crate::support::{PASSWORD, TestApp, conversation, on_both_engines, setting};
use agent_studio::on_db;
use agent_studio::users::{Email, Role};
use axum::body::Body;
use axum::http::{Request, header};

on_both_engines! {
    what_strangers_send_is_stored_nowhere,
    a_strangers_draft_comes_back_from_a_cookie,
    refused_sign_ins_are_bounded_by_network,
    ten_thousand_refused_sign_ins_lock_nobody_out,
}

async fn rows(test: &TestApp, table: &str) -> i64 {
    let sql = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
    let (count,): (i64,) = on_db!(&test.app.db, |c| sqlx::query_as(sql).fetch_one(c).await).unwrap();
    count
}

/// Size of the database in bytes.
async fn database_size(test: &TestApp) -> i64 {
    let (size,): (i64,) = on_db!(
        &test.app.db,
        sqlite
            | c
            | sqlx::query_as("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
                .fetch_one(c)
                .await,
        postgres | c | sqlx::query_as("SELECT pg_database_size(current_database())").fetch_one(c).await
    )
    .unwrap();
    size
}

const TABLES: [&str; 19] = [
    "sessions",
    "form_drafts",
    "shown_once",
    "users",
    "invitations",
    "audit_entries",
    "workspaces",
    "agents",
    "api_keys",
    "conversations",
    "external_events",
    "handoff_states",
    "requests",
    "key_usage",
    "api_usage",
    "agent_usage",
    "top_keys",
    "recordings",
    "loose_objects",
];

/// Sends every kind of request that needs no secret many times from one address.
async fn what_strangers_send_is_stored_nowhere(test: TestApp) {
    let setting = setting(&test).await;
    let ada = test.user(&setting.workspace, "ada@example.com", Role::Admin).await;
    setting.runtime(&test, "PUT", "CA1", &conversation("CA1", 1)).await;
    let mut before = Vec::new();
    for table in TABLES {
        before.push(rows(&test, table).await);
    }
    let size = database_size(&test).await;
    let long = "x".repeat(200_000);
    for number in 0..150 {
        let mut stranger = test.browser();
        let email = format!("stranger-{number}@example.com");
        for fields in [
            [("email", "no address"), ("password", "x"), ("next", long.as_str())],
            [("email", email.as_str()), ("password", "x"), ("next", long.as_str())],
            [("email", ada.as_str()), ("password", "x"), ("next", "/")],
        ] {
            let refused = stranger.submit("/sign-in", "sign_in", &fields).await;
            assert!(refused.location().contains("__err="), "{} {}", refused.status, refused.location());
            let page = refused.location().trim_start_matches("http://127.0.0.1:3000").to_owned();
            assert_eq!(stranger.get(&page).await.status, 200);
        }
        let set_up = [("token", "x"), ("workspace", long.as_str()), ("email", email.as_str()), ("password", "x")];
        stranger.submit("/set-up", "set_up", &set_up).await;
        let accept = [("token", "x"), ("password", long.as_str())];
        stranger.submit("/invitation/x", "accept_invitation", &accept).await;
        stranger.submit("/sign-in", "create_api_key", &[("workspace", "acme"), ("name", &long)]).await;
        stranger.get(&format!("/acme/api-keys?search={number}")).await;
        stranger.api("/v3/acme/hotel/conversations", "ask_0123456789ABCDEFGHIJKLMNOPQRSTUV2QjdX3").await;
        stranger.api("/authz/nginx", "nonsense").await;
        let event = Request::post("/v1/external-events/webhook?account_id=acme&project_id=hotel");
        let event = event.header("x-api-key", "nonsense").header(header::CONTENT_TYPE, "application/json");
        stranger.send(event, Body::from(format!("{{\"id\":\"{long}\"}}"))).await;
        let put = Request::put(format!("/runtime/v1/acme/hotel/conversations/CB{number}"));
        stranger.send(put.header("authorization", "Bearer ast_x"), Body::from(conversation("CB1", 1))).await;
    }
    for (table, before) in TABLES.into_iter().zip(before) {
        assert_eq!(rows(&test, table).await, before, "{table}");
    }
    // One counter for the address, and one for each account that was tried before the address reached its limit of 100.
    let counts = rows(&test, "sign_in_attempts").await;
    assert!((2..=101).contains(&counts), "{counts}");
    let grown = database_size(&test).await - size;
    assert!(grown <= 256 * 1024, "{grown} bytes for 1,500 requests with 90 MB of forms");
}

async fn a_strangers_draft_comes_back_from_a_cookie(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    test.user(&workspace, "ada@example.com", Role::Admin).await;
    let mut stranger = test.browser();
    let fields = [("email", "ada@example.com"), ("password", "not the right one"), ("next", "/acme/users")];
    let refused = stranger.submit("/sign-in", "sign_in", &fields).await;
    assert!(stranger.cookie().unwrap().starts_with("draft="), "{:?}", stranger.cookie());
    let page = refused.location().trim_start_matches("http://127.0.0.1:3000").to_owned();
    let page = stranger.get(&page).await;
    assert!(page.body.contains("value=\"ada@example.com\""), "{}", page.body);
    assert!(!page.body.contains("not the right one"));
    assert!(page.header("set-cookie").contains("Max-Age=0"), "{}", page.header("set-cookie"));
    assert_eq!(rows(&test, "form_drafts").await + rows(&test, "sessions").await, 0);
}

async fn refused_sign_ins_are_bounded_by_network(test: TestApp) {
    let count = async |address: &str, number: i32| {
        let email = Email::parse(&format!("stranger-{number}@example.com")).unwrap();
        test.app.throttle.count(&email, Some(address.parse().unwrap())).await.is_ok()
    };
    for number in 0..130 {
        assert_eq!(count("192.0.2.9", number).await, number < 100, "{number}");
    }
    assert_eq!(rows(&test, "sign_in_attempts").await, 1 + 100, "the address, and its first hundred accounts");
    // Each attempt comes from a different network of one site.
    for number in 0..1_020 {
        assert_eq!(count(&format!("2001:db8:7:{number:x}::1"), number).await, number < 1_000, "{number}");
    }
    assert_eq!(rows(&test, "sign_in_attempts").await, 101 + 1 + 2 * 1_000);
    assert!(count("2001:db8:8::1", 0).await, "another site is not held up");
}

/// Attempts from one address, then from many. The number of counters is bounded, they are deleted after their period,
/// and a person elsewhere can still sign in.
async fn ten_thousand_refused_sign_ins_lock_nobody_out(test: TestApp) {
    const ATTEMPTS: u32 = 10_000;
    let workspace = test.workspace("Acme").await;
    let ada = test.user(&workspace, "ada@example.com", Role::Admin).await;
    let count = async |address: String, email: String| {
        let email = Email::parse(&email).unwrap();
        test.app.throttle.count(&email, Some(address.parse().unwrap())).await.is_ok()
    };
    let size = database_size(&test).await;
    let mut let_through = 0;
    for number in 0..ATTEMPTS {
        let_through += u32::from(count("192.0.2.9".to_owned(), format!("stranger-{number}@example.com")).await);
    }
    assert_eq!(let_through, 100);
    assert_eq!(rows(&test, "sign_in_attempts").await, 101);
    let grown = database_size(&test).await - size;
    assert!(grown <= 256 * 1024, "{grown} bytes after attempts from one address");
    for number in 0..ATTEMPTS {
        let address = format!("10.0.{}.{}", number / 256, number % 256);
        assert!(count(address, ada.as_str().to_owned()).await, "each address has attempts of its own");
    }
    assert_eq!(rows(&test, "sign_in_attempts").await, 101 + 2 * i64::from(ATTEMPTS));
    let grown = database_size(&test).await - size;
    assert!(grown <= 512 * i64::from(ATTEMPTS), "{grown} bytes after attempts from {ATTEMPTS} addresses");
    let signed_in = test.browser().call("sign_in", &[("email", ada.as_str()), ("password", PASSWORD)]).await;
    assert_eq!(signed_in.status, 200, "{}", signed_in.body);
    test.app.clock.advance_seconds(15 * 60 + 1);
    test.app.throttle.forget_old().await.unwrap();
    assert_eq!(rows(&test, "sign_in_attempts").await, 0);
}
