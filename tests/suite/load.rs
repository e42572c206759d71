//! Tests under load: no kind of work starves another, and work that gets no turn is answered 503.

use crate::support::{PASSWORD, TestApp, conversation, follow, new_key, on_both_engines, setting};
use agent_studio::base::actor::Actor;
use agent_studio::db::WorkKind;
use agent_studio::gate::state::DecisionSource;
use agent_studio::users::Role;
use futures_util::future::join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

on_both_engines! {
    readers_do_not_blind_the_gate,
    writers_do_not_wait_for_each_other_for_ever,
    work_without_a_turn_is_refused_and_counted,
    a_client_that_goes_away_gives_its_place_back,
    a_slow_reader_keeps_no_place,
    a_task_that_holds_a_connection_takes_no_other,
    a_flood_of_health_checks_does_not_blind_the_gate,
}

async fn readers_do_not_blind_the_gate(test: TestApp) {
    let setting = setting(&test).await;
    let lines: String = (0..150).map(|n| conversation(&format!("CA{n}"), n)).collect();
    test.import(&setting.workspace, &setting.agent, &lines).await;
    let ended = test.key(&setting.workspace, new_key("Old")).await;
    let _following = follow(&test.app).await;
    let stop = Arc::new(AtomicBool::new(false));
    let pages = Arc::new(AtomicUsize::new(0));
    let path = format!("/v3/{}/{}/conversations?limit=1000&include_latency=true", setting.workspace.id, setting.agent);
    let readers = (0..200).map(|_| {
        let (mut browser, path, key) = (test.browser(), path.clone(), setting.key.clone());
        let (stop, pages) = (stop.clone(), pages.clone());
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let status = browser.api(&path, &key).await.status;
                assert!(status == 200 || status == 503, "{status}");
                pages.fetch_add(usize::from(status == 200), Ordering::Relaxed);
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    let began = Instant::now();
    let (mut asked, mut deleted) = (0, false);
    while began.elapsed() < Duration::from_secs(5) {
        let answer = test.browser().api("/authz/nginx?account_id=acme", &setting.key).await;
        assert_eq!(answer.status, 200, "after {asked} calls: {}", answer.body);
        assert_eq!(test.app.gate.decision_source(), DecisionSource::Index, "after {asked} calls");
        asked += 1;
        if !deleted && began.elapsed() > Duration::from_secs(2) {
            deleted = true;
            let (workspace, actor) = (&setting.workspace.id, Actor::command_line());
            test.app.api_keys.delete(workspace, &actor, &ended.id).await.unwrap();
            assert_eq!(test.browser().api("/authz/nginx?account_id=acme", ended.value.expose()).await.status, 401);
        }
        sleep(Duration::from_millis(5)).await;
    }
    stop.store(true, Ordering::Relaxed);
    join_all(readers).await.into_iter().for_each(|reader| reader.unwrap());
    assert!(asked > 100 && pages.load(Ordering::Relaxed) > 5, "{asked} calls beside {pages:?} pages are no load");
    assert_eq!(setting.list(&test, "limit=1").await.status, 200, "afterwards all is as it was");
}

/// More concurrent changes of the gate's data than there are connections. Each waits for the gate.
async fn writers_do_not_wait_for_each_other_for_ever(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let mut keys = Vec::new();
    for number in 0..40 {
        keys.push(test.key(&workspace, new_key(&format!("key {number}"))).await.id);
    }
    let _following = follow(&test.app).await;
    let deletions = keys.into_iter().map(|key| {
        let (app, workspace) = (test.app.clone(), workspace.id.clone());
        tokio::spawn(async move { app.api_keys.delete(&workspace, &Actor::command_line(), &key).await })
    });
    let done = timeout(Duration::from_secs(10), join_all(deletions)).await.unwrap();
    done.into_iter().for_each(|deleted| drop(deleted.unwrap().unwrap()));
}

async fn work_without_a_turn_is_refused_and_counted(test: TestApp) {
    let setting = setting(&test).await;
    let _following = follow(&test.app).await;
    let mut places = Vec::new();
    for _ in 0..WorkKind::Bulk.on_sqlite() {
        places.push(test.app.db.of(WorkKind::Bulk).in_turn().await.unwrap());
    }
    let began = Instant::now();
    let refused = setting.list(&test, "limit=1").await;
    let waited = began.elapsed();
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"), "{}", refused.body);
    assert_eq!(refused.json()["error_code"], "SERVICE_UNAVAILABLE");
    assert!(waited >= Duration::from_secs(5) && waited < Duration::from_secs(7), "{waited:?}");
    let metrics = test.app.metrics.text(test.app.metric_sources()).unwrap();
    assert!(metrics.contains("agent_studio_database_refused_total{work=\"bulk\"} 1"), "{metrics}");
    // Other kinds of work did not wait.
    assert_eq!(test.browser().api("/authz/nginx?account_id=acme", &setting.key).await.status, 200);
    assert_eq!(test.browser().get("/sign-in").await.status, 302, "no users yet: to the set-up page");
    assert_eq!(setting.runtime(&test, "PUT", "CA1", &conversation("CA1", 1)).await.status, 204);
    let one = format!("/v3/{}/{}/conversations/CA1", setting.workspace.id, setting.agent);
    assert_eq!(setting.get(&test, &one).await.status, 200);
    places.clear();
    assert_eq!(setting.list(&test, "limit=1").await.status, 200);
}

async fn a_client_that_goes_away_gives_its_place_back(test: TestApp) {
    let setting = setting(&test).await;
    let lines: String = (0..150).map(|n| conversation(&format!("CA{n}"), n)).collect();
    test.import(&setting.workspace, &setting.agent, &lines).await;
    for micros in [0, 100, 500, 1_000, 2_000, 5_000, 10_000, 20_000] {
        let reads = (0..30).map(|_| timeout(Duration::from_micros(micros), setting.list(&test, "limit=1000")));
        join_all(reads).await;
    }
    let free = timeout(Duration::from_millis(500), async {
        while test.app.db.places().iter().any(|places| places.taken() > 0) {
            sleep(Duration::from_millis(5)).await;
        }
    });
    free.await.unwrap();
    assert_eq!(setting.list(&test, "limit=1000").await.status, 200);
}

async fn a_slow_reader_keeps_no_place(test: TestApp) {
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt as _;

    let setting = setting(&test).await;
    let lines: String = (0..200).map(|n| conversation(&format!("CA{n}"), n)).collect();
    test.import(&setting.workspace, &setting.agent, &lines).await;
    let path = format!("/v3/{}/{}/conversations?limit=1000", setting.workspace.id, setting.agent);
    let mut unread = Vec::new();
    for _ in 0..3 * WorkKind::Bulk.on_sqlite() {
        let request = Request::get(&path).header("x-api-key", &setting.key).body(Body::empty()).unwrap();
        let answer = timeout(Duration::from_secs(3), test.router.clone().oneshot(request)).await.unwrap().unwrap();
        assert_eq!(answer.status(), 200);
        unread.push(answer);
    }
    for answer in unread {
        let body = axum::body::to_bytes(answer.into_body(), 64 << 20).await.unwrap();
        let page: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(page["conversations"].as_array().unwrap().len(), 200, "whoever reads late reads all");
    }
}

/// `/readyz` needs no authentication and has no rate limit.
async fn a_flood_of_health_checks_does_not_blind_the_gate(test: TestApp) {
    let setting = setting(&test).await;
    let _following = follow(&test.app).await;
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicUsize::new(0));
    let flood: Vec<_> = (0..300)
        .map(|_| {
            let (mut browser, stop, asked) = (test.browser(), stop.clone(), asked.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let status = browser.get("/readyz").await.status;
                    assert_eq!(status, 200);
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let began = Instant::now();
    let mut decided = 0;
    while began.elapsed() < Duration::from_secs(3) {
        let answer = test.browser().api("/authz/nginx?account_id=acme", &setting.key).await;
        assert_eq!(
            (answer.status, test.app.gate.decision_source()),
            (200, DecisionSource::Index),
            "after {decided} calls"
        );
        decided += 1;
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(setting.runtime(&test, "PUT", "CA1", &conversation("CA1", 1)).await.status, 204);
    stop.store(true, Ordering::Relaxed);
    join_all(flood).await.into_iter().for_each(|asking| asking.unwrap());
    let asked = asked.load(Ordering::Relaxed);
    assert!(decided > 50 && asked > 1_000, "{decided} calls beside {asked} health checks are no flood");
}

async fn a_task_that_holds_a_connection_takes_no_other(test: TestApp) {
    let db = test.app.db.clone();
    let task = tokio::spawn(async move {
        let _tx = db.begin_unattended().await.unwrap();
        let _ = agent_studio::users::store::any(&db).await;
    });
    let panic = task.await.unwrap_err();
    assert!(panic.is_panic(), "debug builds refuse it");
    // The connection was returned to its pool.
    assert!(!agent_studio::users::store::any(&test.app.db).await.unwrap());
    test.workspace("Acme").await;
}

/// With every core overloaded, a sign-in still gets processor time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_on_a_busy_machine_takes_seconds_at_most() {
    let test = TestApp::on_sqlite().await;
    let workspace = test.workspace("Acme").await;
    test.user(&workspace, "ada@example.com", Role::Admin).await;
    let stop = Arc::new(AtomicBool::new(false));
    let cores = std::thread::available_parallelism().unwrap().get();
    let busy: Vec<_> = (0..2 * cores)
        .map(|_| {
            let stop = stop.clone();
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        })
        .collect();
    let fields = [("email", "ada@example.com"), ("password", PASSWORD)];
    let mut longest = Duration::ZERO;
    for _ in 0..3 {
        let began = Instant::now();
        assert_eq!(test.browser().call("sign_in", &fields).await.status, 200);
        longest = longest.max(began.elapsed());
    }
    stop.store(true, Ordering::Relaxed);
    busy.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(longest < Duration::from_secs(3), "{longest:?}");
}
