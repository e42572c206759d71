//! Allocations of one request without its connection: a call of the gate, a list and a detail of the Conversations API, the
//! API Keys page.

#[expect(dead_code, reason = "the other benchmarks use more of it")]
mod support;

use agent_studio::base::actor::Actor;
use agent_studio::configuration::AllowedMetrics;
use agent_studio::configuration::service::NewConfiguration;
use agent_studio::conversations::document::Document;
use agent_studio::conversations::import::Importer;
use agent_studio::gate::state::DecisionSource;
use agent_studio::gate::{follower, header::API_KEY};
use agent_studio::server::front::Front;
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use dhat::{HeapStats, Profiler};
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;
use support::{Outcome, front, new_key, sign_in, workspace};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let _profiler = Profiler::builder().testing().build();
    let dir = tempfile::tempdir()?;
    let (app, front) = front(support::sqlite(&dir.path().join("bench.db")).await?)?;
    let workspace = workspace(&app, "Acme").await?;
    let actor = Actor::command_line();
    let agent = app.agents.create(&workspace.id, &actor, "Agent", None).await?.0.id;
    let all = NewConfiguration { metrics: AllowedMetrics::All, transcript: true, caller_numbers: None };
    app.configurations.set(&workspace.id, &actor, agent.as_str(), &all).await?;
    let mut importer = Importer::new(&app.db, &workspace.id, &agent);
    for number in 0..200 {
        let turns = vec![json!({ "user_input": "some words", "agent_response": "some more" }); 6];
        let started_at = app.clock.now().plus_seconds(-number).iso();
        let document = json!({ "id": format!("CA{number}"), "started_at": started_at, "turns": turns });
        importer.push(Document::parse(document.to_string().as_bytes())?).await?;
    }
    importer.flush().await?;
    let mut key = None;
    for _ in 0..100 {
        key = Some(app.api_keys.create(&workspace.id, &actor, &new_key(&app)?).await?.value);
    }
    let key = key.ok_or("no key")?;
    let cookie = sign_in(&app, &support::as_router(front.clone()), &workspace).await?;
    tokio::spawn(follower::follow(app.gate.clone()));
    while app.gate.decision_source() != DecisionSource::Index {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    let list = format!("/v3/{}/{agent}/conversations", workspace.id);
    let gate = format!("/authz/caddy?account_id={}&project_id={agent}&permission=conversations", workspace.id);
    for (what, path, name, value, count) in [
        ("without the gate (/healthz)", "/healthz".to_owned(), API_KEY, key.expose(), 1_000),
        ("the gate (/authz/caddy)", gate, API_KEY, key.expose(), 1_000),
        ("a conversation", format!("{list}/CA7"), API_KEY, key.expose(), 200),
        ("a list of 100", format!("{list}?limit=100"), API_KEY, key.expose(), 50),
        ("the API Keys page with 100 keys", format!("/{}/api-keys", workspace.slug), header::COOKIE, &cookie, 50),
    ] {
        let request = || Request::get(&path).header(&name, value).header(header::ACCEPT, "text/html");
        // What is made once is there before.
        run(&front, (0..20).map(|_| request().body(Body::empty())).collect::<Result<_, _>>()?).await?;
        let requests = (0..count).map(|_| request().body(Body::empty())).collect::<Result<Vec<_>, _>>()?;
        let before = HeapStats::get();
        run(&front, requests).await?;
        let after = HeapStats::get();
        println!(
            "{what}: {:.1} allocations, {:.0} bytes for each request",
            (after.total_blocks - before.total_blocks) as f64 / f64::from(count),
            (after.total_bytes - before.total_bytes) as f64 / f64::from(count)
        );
    }
    Ok(())
}

async fn run(front: &Front, requests: Vec<Request<Body>>) -> Outcome<()> {
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    for request in requests {
        let answer = front.answer(peer, request).await;
        assert_eq!(answer.status(), 200);
        to_bytes(answer.into_body(), usize::MAX).await?;
    }
    Ok(())
}
