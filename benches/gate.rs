//! Benchmark of the gate with 1, 10,000 and 1,000,000 keys: loading all keys at start, a decision, and a call over a
//! real connection (`/authz/caddy`) compared with one that needs no decision (`/healthz`). Also the cost of refusals,
//! the time until a deletion takes effect, and calls during many sign-ins. Usage is counted and the request log is
//! written, as by default. Server and client run on one core each.

#[expect(dead_code, reason = "the other benchmarks use more of it")]
mod support;

use agent_studio::api_keys::secret::PlainKey;
use agent_studio::api_keys::service::{CreatedKey, NewKey};
use agent_studio::api_keys::{AgentScope, KeySettings, Permission, Permissions, TypedSettings};
use agent_studio::base::actor::Actor;
use agent_studio::base::randomness::Random;
use agent_studio::gate::state::DecisionSource;
use agent_studio::gate::{self, AccessRequest, follower};
use agent_studio::server::state::Services;
use agent_studio::usage::writer;
use agent_studio::workspaces::Workspace;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};
use support::load::{Ask, LoadResult, Pace, answer_if_asked, ask};
use support::ratio::print_ratio;
use support::{Outcome, Postgres, add_keys, front, new_key, serve, server, workspace};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// Environment variable for the process that serves: the number of keys.
const KEYS: &str = "BENCH_KEYS";
/// Environment variable for the process that signs in: the server's address.
const SIGN_IN: &str = "BENCH_SIGN_IN";
/// A path that is answered by the same code, but for the gate.
const OPEN: &str = "/healthz";
const ROUND: Duration = Duration::from_millis(700);
const ROUNDS: usize = 25;
const DECISIONS: u32 = 500_000;
const REVOCATIONS: usize = 200;
/// Calls per second while people sign in.
const CALLS: u32 = 2_000;
const SIGN_INS: u32 = 50;

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build()?;
    if answer_if_asked(&runtime)? {
        return Ok(());
    }
    if let Ok(address) = std::env::var(SIGN_IN) {
        return runtime.block_on(sign_in_again_and_again(address.parse()?));
    }
    if let Ok(keys) = std::env::var(KEYS) {
        return runtime.block_on(measure(keys.parse()?));
    }
    // `cargo bench` adds options.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |what: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == what);
    for keys in ["1", "10000", "1000000", "sign-ins"].into_iter().filter(|keys| wanted(keys)) {
        let keys = if keys == "sign-ins" { "0" } else { keys };
        let done = Command::new("taskset").args(["-c", "0"]).arg(std::env::current_exe()?).env(KEYS, keys).status()?;
        assert!(done.success(), "{keys} keys");
    }
    if wanted("revoke") { runtime.block_on(revoke()) } else { Ok(()) }
}

async fn measure(keys: usize) -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    let (app, front) = front(support::sqlite(&dir.path().join("bench.db")).await?)?;
    let workspace = workspace(&app, "Acme").await?;
    let actor = Actor::command_line();
    let agent = app.agents.create(&workspace.id, &actor, "Agent", None).await?.0.id;
    let other = app.agents.create(&workspace.id, &actor, "Other", None).await?.0.id;
    let key = app.api_keys.create(&workspace.id, &actor, &new_key(&app)?).await?;
    add_keys(&app, &workspace, keys.saturating_sub(1)).await?;

    let (before, began) = (memory()?, Instant::now());
    tokio::spawn(follower::follow(app.gate.clone()));
    while app.gate.decision_source() != DecisionSource::Index {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (took, grown) = (began.elapsed(), memory()?.saturating_sub(before));
    tokio::spawn(writer::run(app.usage.clone(), CancellationToken::new()));
    let gated = format!("/authz/caddy?account_id={}&project_id={agent}&permission=conversations", workspace.id);
    let address = serve(front.clone()).await?;
    let asked = |path: &str, key: &PlainKey, status| Ask::new(address, path, key.expose(), status);
    if keys == 0 {
        return while_people_sign_in(&asked(&gated, &key.value, 200), address).await;
    }
    assert_eq!(app.gate.index().len(), keys);
    println!(
        "{keys} keys: in memory after {:.2} s, {:.0} bytes each (with what else grew)",
        took.as_secs_f64(),
        grown as f64 * 1024.0 / keys as f64
    );

    let headers = HeaderMap::from_iter([(gate::header::API_KEY, key.value.expose().parse()?)]);
    let need = AccessRequest {
        account_id: Some(workspace.id.as_str()),
        permission: Some(Permission::Conversations),
        project_id: Some(agent.as_str()),
    };
    let began = Instant::now();
    for _ in 0..DECISIONS {
        app.gate.decide(&headers, need).await.map_err(|denied| format!("{denied:?}"))?;
    }
    println!("{keys} keys: a decision in {:.0} ns", began.elapsed().as_nanos() as f64 / f64::from(DECISIONS));

    let mut nanoseconds = [0.0; 2];
    for (path, nanoseconds) in [gated.as_str(), OPEN].into_iter().zip(&mut nanoseconds) {
        let began = Instant::now();
        for _ in 0..DECISIONS {
            let request = Request::get(path).header(gate::header::API_KEY, key.value.expose());
            let answer = front.answer(address, request.body(Body::empty())?).await;
            assert_eq!(answer.status(), 200);
        }
        *nanoseconds = began.elapsed().as_nanos() as f64 / f64::from(DECISIONS);
    }
    let [with, without] = nanoseconds;
    println!("{keys} keys: a call without its connection in {with:.0} ns through the gate : {without:.0} ns without");

    let (mut with, mut without, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let guarded = ask(&asked(&gated, &key.value, 200), Pace::Closed(ROUND)).await?.rate;
        let open = ask(&asked(OPEN, &key.value, 200), Pace::Closed(ROUND)).await?.rate;
        with.push(guarded);
        without.push(open);
        ratios.push(guarded / open);
    }
    let [with, without, ratio] = [with, without, ratios].map(median);
    println!(
        "{keys} keys: {with:.0} calls per second through the gate, counted and logged : {without:.0} without = {:.2}; \
         median of the rounds' own ratios {ratio:.2}",
        with / without
    );
    print_ratio(&format!("gate, {keys} keys"), with / without)?;

    if keys == 10_000 {
        limited(&app, &workspace, &key, (&asked(&gated, &key.value, 200), &asked(OPEN, &key.value, 200))).await?;
    }

    if keys == 1 {
        for (connections, keep_alive) in [(16, true), (256, true), (4_096, true), (16, false), (256, false)] {
            let on = |asked: Ask| Ask { connections, keep_alive, ..asked };
            let (mut guarded, mut open) = (Vec::new(), Vec::new());
            for _ in 0..5 {
                guarded.push(ask(&on(asked(&gated, &key.value, 200)), Pace::Closed(ROUND)).await?.rate);
                open.push(ask(&on(asked(OPEN, &key.value, 200)), Pace::Closed(ROUND)).await?.rate);
            }
            let (guarded, open) = (median(guarded), median(open));
            let kept = if keep_alive { "kept" } else { "a new one for each call" };
            println!("{connections} connections, {kept}: {guarded:.0} calls per second : {open:.0} without the gate");
            print_ratio(&format!("gate, {connections} connections, {kept}"), guarded / open)?;
        }
    }

    // Compares refused calls with accepted ones.
    let scope = AgentScope::Chosen(vec![other]);
    let out_of_scope = app.api_keys.create(&workspace.id, &actor, &NewKey { scope, ..new_key(&app)? }).await?;
    let lacking = Permissions::parse(["handoff"]).map_err(|problem| problem.message())?;
    let lacking =
        app.api_keys.create(&workspace.id, &actor, &NewKey { permissions: lacking, ..new_key(&app)? }).await?;
    let expires_at = app.clock.now().plus_seconds(1);
    let expired = app.api_keys.create(&workspace.id, &actor, &NewKey { expires_at, ..new_key(&app)? }).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let unknown = PlainKey::generate(&Random::System);
    let mut mixes = vec![("let in", asked(&gated, &key.value, 200))];
    mixes.push(("out of scope", asked(&gated, &out_of_scope.value, 403)));
    mixes.push(("permission missing", asked(&gated, &lacking.value, 403)));
    mixes.push(("expired", asked(&gated, &expired.value, 401)));
    mixes.push(("unknown", asked(&gated, &unknown, 401)));
    mixes.push(("garbage", Ask { key: "ask_garbage".to_owned(), ..asked(&gated, &key.value, 401) }));
    let mut rates = vec![Vec::new(); mixes.len()];
    for _ in 0..7 {
        for ((_, asked), rates) in mixes.iter().zip(&mut rates) {
            // Waits until the log rows of the previous measurement are written.
            while app.usage.queued() > 0 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            rates.push(ask(asked, Pace::Closed(ROUND)).await?.rate);
        }
    }
    let rates: Vec<f64> = rates.into_iter().map(median).collect();
    for ((what, _), rate) in mixes.iter().zip(&rates) {
        println!("{keys} keys: {what}: {rate:.0} per second = {:.2} of what is let in", rate / rates[0]);
    }
    for ((what, _), rate) in mixes.iter().zip(&rates).skip(1).filter(|_| keys == 1) {
        print_ratio(&format!("gate, {what}"), rate / rates[0])?;
    }
    Ok(())
}

/// Measures calls with a key that has a rate and a quota, which none of the calls reaches, and decisions on one that has
/// networks too: the last of 50 has the address.
async fn limited(app: &Services, workspace: &Workspace, key: &CreatedKey, (gated, open): (&Ask, &Ask)) -> Outcome<()> {
    let set = async |networks: &str| -> Outcome<()> {
        let typed = TypedSettings { networks, rate: "1000000/s", quota: "1000000000000", ..TypedSettings::default() };
        let settings = KeySettings::parse(&typed).map_err(|_| "settings")?;
        Ok(app.api_keys.set(&workspace.id, &Actor::command_line(), &key.id, &settings, None).await?)
    };
    set("").await?;
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let guarded = ask(gated, Pace::Closed(ROUND)).await?.rate;
        ratios.push(guarded / ask(open, Pace::Closed(ROUND)).await?.rate);
    }
    let ratio = median(ratios);
    println!("10000 keys, a rate and a quota: through the gate : without = {ratio:.2}");
    print_ratio("gate, a rate and a quota", ratio)?;

    let networks = (0..49).map(|n| format!("10.{n}.0.0/16")).chain(["192.0.2.0/24".to_owned()]);
    set(&networks.collect::<Vec<_>>().join(" ")).await?;
    let headers = HeaderMap::from_iter([(gate::header::API_KEY, key.value.expose().parse()?)]);
    let holder = app.gate.identify(&headers, Instant::now()).await.map_err(|denied| format!("{denied:?}"))?;
    let need = AccessRequest { account_id: Some(workspace.id.as_str()), permission: None, project_id: None };
    let address = Some("192.0.2.7".parse()?);
    let began = Instant::now();
    for _ in 0..DECISIONS {
        let decided = holder.decide(&app.gate, need, app.clock.now(), address, |_| ()).await;
        decided.map_err(|denied| format!("{denied:?}"))?;
    }
    let nanoseconds = began.elapsed().as_nanos() as f64 / f64::from(DECISIONS);
    println!("10000 keys, 50 networks: a decision without the look-up in {nanoseconds:.0} ns");
    Ok(app.api_keys.set(&workspace.id, &Actor::command_line(), &key.id, &KeySettings::default(), None).await?)
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_unstable_by(f64::total_cmp);
    of[of.len() / 2]
}

/// Measures the gate's calls alone, and while people sign in to the same server.
async fn while_people_sign_in(calls: &Ask, dashboard: SocketAddr) -> Outcome<()> {
    let pace = Pace::Open(CALLS, Duration::from_secs(5));
    const PARTS: [f64; 3] = [0.5, 0.95, 0.99];
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        alone.push(ask(calls, pace).await?);
        let mut people = Command::new("taskset")
            .args(["-c", "1"])
            .arg(std::env::current_exe()?)
            .env(SIGN_IN, dashboard.to_string())
            .env_remove(KEYS)
            .spawn()?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        beside.push(ask(calls, pace).await?);
        people.kill()?;
        people.wait()?;
    }
    for part in PARTS {
        let of = |rounds: &[LoadResult]| median(rounds.iter().map(|found| found.percentile(part)).collect());
        let [alone, beside] = [&alone, &beside].map(|rounds| of(rounds));
        println!(
            "{CALLS} calls per second, p{:.0}: {beside:.2} ms while {SIGN_INS} people per second sign in : {alone:.2} ms \
             without = {:.2}",
            part * 100.0,
            beside / alone
        );
        print_ratio(&format!("gate beside sign-ins, p{:.0}", part * 100.0), beside / alone)?;
    }
    Ok(())
}

/// Sends sign-ins with wrong passwords, each from a different address, until this process is killed.
async fn sign_in_again_and_again(address: SocketAddr) -> Outcome<()> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / SIGN_INS);
    for number in 0_u32.. {
        ticks.tick().await;
        tokio::spawn(async move {
            let body = format!("email=user{number}%40example.com&password=not-the-password");
            let request = format!(
                "POST /api/sign_in HTTP/1.1\r\nhost: bench\r\norigin: http://bench\r\naccept: application/json\r\n\
                 content-type: application/x-www-form-urlencoded\r\nx-forwarded-for: 10.{}.{}.1\r\n\
                 connection: close\r\ncontent-length: {}\r\n\r\n{body}",
                number >> 8 & 255,
                number & 255,
                body.len()
            );
            let mut connection = TcpStream::connect(address).await?;
            connection.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            connection.read_to_string(&mut answer).await?;
            // 503 for sign-ins that waited too long for their turn.
            let tried = answer.starts_with("HTTP/1.1 401") || answer.starts_with("HTTP/1.1 503");
            assert!(tried, "{answer}");
            Ok::<_, std::io::Error>(())
        });
    }
    Ok(())
}

/// Measures the time from the request for a deletion until its response, and until another server on the same
/// PostgreSQL, which is called continuously, refuses the key.
async fn revoke() -> Outcome<()> {
    let cluster = Postgres::start()?;
    let mut apps = Vec::new();
    for _ in 0..2 {
        let (app, _) = server(support::postgres(&cluster.url).await?)?;
        tokio::spawn(follower::follow(app.gate.clone()));
        apps.push(app);
    }
    let (one, other) = (&apps[0], &apps[1]);
    while apps.iter().any(|app| app.gate.decision_source() != DecisionSource::Index) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let workspace = workspace(one, "Acme").await?;
    let actor = Actor::command_line();
    let agent = one.agents.create(&workspace.id, &actor, "Agent", None).await?.0.id;
    let (mut answered, mut refused) = (Vec::new(), Vec::new());
    for _ in 0..REVOCATIONS {
        let key = one.api_keys.create(&workspace.id, &actor, &new_key(one)?).await?;
        let headers = HeaderMap::from_iter([(gate::header::API_KEY, key.value.expose().parse()?)]);
        let (app, place) = (other.clone(), (workspace.id.to_string(), agent.to_string()));
        fn need((account_id, project_id): &(String, String)) -> AccessRequest<'_> {
            let permission = Some(Permission::Conversations);
            AccessRequest { account_id: Some(account_id), permission, project_id: Some(project_id) }
        }
        let began = Instant::now();
        let asking = tokio::spawn(async move {
            while app.gate.decide(&headers, need(&place)).await.is_ok() {
                tokio::task::yield_now().await;
            }
            began.elapsed()
        });
        one.api_keys.delete(&workspace.id, &actor, &key.id).await?;
        answered.push(began.elapsed());
        refused.push(asking.await?);
    }
    for (what, times) in [("answered", &mut answered), ("refused by the other server", &mut refused)] {
        times.sort_unstable();
        let of = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1_000.0;
        println!("a deletion is {what} after: p50 {:.1} ms, p99 {:.1} ms", of(0.5), of(0.99));
    }
    Ok(())
}

/// This process's memory in KiB.
fn memory() -> Outcome<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
