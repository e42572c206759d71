//! What the gate costs: reading every key at the start, a decision, and a call over a real connection against the same
//! route without the gate, with 1, 10,000 and 1,000,000 keys. Server and client run on a core each.

#[expect(dead_code, reason = "the other benchmarks use more of it")]
mod support;

use agent_studio::agents;
use agent_studio::api_keys::Permission;
use agent_studio::api_keys::operations::{create, delete};
use agent_studio::gate::{self, follow};
use agent_studio::server::db::Db;
use agent_studio::server::state::{Actor, App};
use agent_studio::workspaces::Workspace;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{Outcome, Postgres, new_key, server, workspace};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Set for the process that serves: how many keys.
const KEYS: &str = "BENCH_KEYS";
/// Set for the process that asks: where, and with which key.
const ASK: &str = "BENCH_ASK";
const CONNECTIONS: usize = 32;
const ROUND: Duration = Duration::from_secs(2);
const ROUNDS: usize = 7;
const DECISIONS: u32 = 500_000;
const REVOCATIONS: usize = 200;

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    if let Ok(ask) = std::env::var(ASK) {
        let (address, key) = ask.split_once(' ').ok_or("nothing to ask")?;
        println!("{}", runtime.block_on(ask_for(address.parse()?, key))?);
        return Ok(());
    }
    if let Ok(keys) = std::env::var(KEYS) {
        return runtime.block_on(measure(keys.parse()?));
    }
    for keys in ["1", "10000", "1000000"] {
        let done = Command::new("taskset").args(["-c", "0"]).arg(std::env::current_exe()?).env(KEYS, keys).status()?;
        assert!(done.success(), "{keys} keys");
    }
    runtime.block_on(revoke())
}

async fn measure(keys: usize) -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    let (app, _) = server(Db::sqlite(&dir.path().join("bench.db")).await?)?;
    let workspace = workspace(&app, "Acme").await?;
    let actor = Actor::command_line();
    let agent = agents::operations::create(&app, &workspace.id, &actor, "Agent", None).await?.0.id;
    let key = create(&app, &workspace.id, &actor, &new_key(&app)?).await?;
    add_keys(&app, &workspace, keys - 1).await?;

    let (before, began) = (memory()?, Instant::now());
    let following = tokio::spawn(follow::follow(app.clone()));
    while app.gate.basis() != Basis::Index {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (took, grown) = (began.elapsed(), memory()?.saturating_sub(before));
    assert_eq!(app.gate.index().len(), keys);
    println!(
        "{keys} keys: in memory after {:.2} s, {:.0} bytes each (with what else grew)",
        took.as_secs_f64(),
        grown as f64 * 1024.0 / keys as f64
    );

    let headers = HeaderMap::from_iter([(gate::API_KEY, key.value.expose().parse()?)]);
    let began = Instant::now();
    for _ in 0..DECISIONS {
        let permission = Permission::Conversations;
        gate::admit(&app, &headers, permission, workspace.id.as_str(), agent.as_str()).await.map_err(|e| e.message)?;
    }
    println!("{keys} keys: a decision in {:.0} ns", began.elapsed().as_nanos() as f64 / f64::from(DECISIONS));

    let place = (workspace.id.to_string(), agent.to_string());
    let guarded = get(|State((app, place)): State<(Arc<App>, (String, String))>, headers: HeaderMap| async move {
        let admitted = gate::admit(&app, &headers, Permission::Conversations, &place.0, &place.1).await;
        if admitted.is_ok() { StatusCode::NO_CONTENT } else { StatusCode::FORBIDDEN }
    });
    let open = get(|State(_): State<(Arc<App>, (String, String))>, _: HeaderMap| async { StatusCode::NO_CONTENT });
    let routers = [guarded, open].map(|route| Router::new().route("/", route).with_state((app.clone(), place.clone())));
    let mut addresses = Vec::new();
    for router in routers {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        addresses.push(listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, router).await });
    }
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (address, rates) in addresses.iter().zip(&mut rates) {
            let ask = format!("{address} {}", key.value.expose());
            let mut client = Command::new("taskset");
            client.args(["-c", "1"]).arg(std::env::current_exe()?).env(ASK, ask).env_remove(KEYS);
            let asked = tokio::task::spawn_blocking(move || client.output()).await??;
            rates.push(String::from_utf8(asked.stdout)?.trim().parse::<u64>()?);
        }
    }
    rates.iter_mut().for_each(|rates| rates.sort_unstable());
    let [guarded, open] = rates.map(|rates| rates[ROUNDS / 2] as f64);
    println!("{keys} keys: {guarded:.0} calls per second through the gate : {open:.0} without = {:.2}", guarded / open);
    following.abort();
    Ok(())
}

/// Keys that nobody has the values of, written as fast as may be.
async fn add_keys(app: &App, workspace: &Workspace, count: usize) -> Outcome<()> {
    let agent_studio::server::db::Tx::Sqlite(mut tx) = app.db.begin().await? else { return Err("not SQLite".into()) };
    let sql = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $2)
        INSERT INTO api_keys (workspace_id, id, name, name_key, masked, hash, all_agents, permissions, created_at,
            created_by, updated_at, expires_at)
        SELECT $1, 'key-' || n, 'key', 'key', 'masked', randomblob(32), TRUE, 'conversations,handoff', 0, 'bench', 0,
            4102444800000000 FROM numbers";
    if count > 0 {
        sqlx::query(sql).bind(&workspace.id).bind(count as i64).execute(&mut *tx).await?;
    }
    Ok(tx.commit().await?)
}

/// How many answers a number of connections get in a round, per second.
async fn ask_for(address: SocketAddr, key: &str) -> Outcome<u64> {
    let request = format!("GET / HTTP/1.1\r\nhost: {address}\r\nx-api-key: {key}\r\n\r\n");
    let over = Instant::now() + ROUND;
    let asking = (0..CONNECTIONS).map(|_| {
        let request = request.clone();
        tokio::spawn(async move {
            let mut connection = TcpStream::connect(address).await?;
            let (mut answer, mut answers) = ([0; 1_024], 0);
            while Instant::now() < over {
                connection.write_all(request.as_bytes()).await?;
                let length = connection.read(&mut answer).await?;
                assert!(answer[..length].starts_with(b"HTTP/1.1 204"), "not let in");
                answers += 1;
            }
            Ok::<u64, std::io::Error>(answers)
        })
    });
    let mut answers = 0;
    for asked in asking.collect::<Vec<_>>() {
        answers += asked.await??;
    }
    Ok(answers / ROUND.as_secs())
}

/// How long after a deletion was asked for it is answered, and the other server of the same PostgreSQL, which is asked all
/// the time, refuses the key.
async fn revoke() -> Outcome<()> {
    let cluster = Postgres::start()?;
    let mut apps = Vec::new();
    for _ in 0..2 {
        let (app, _) = server(Db::postgres(&cluster.url).await?)?;
        tokio::spawn(follow::follow(app.clone()));
        apps.push(app);
    }
    let (one, other) = (&apps[0], &apps[1]);
    while apps.iter().any(|app| app.gate.basis() != Basis::Index) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let workspace = workspace(one, "Acme").await?;
    let actor = Actor::command_line();
    let agent = agents::operations::create(one, &workspace.id, &actor, "Agent", None).await?.0.id;
    let (mut answered, mut refused) = (Vec::new(), Vec::new());
    for _ in 0..REVOCATIONS {
        let key = create(one, &workspace.id, &actor, &new_key(one)?).await?;
        let headers = HeaderMap::from_iter([(gate::API_KEY, key.value.expose().parse()?)]);
        let (app, place) = (other.clone(), (workspace.id.to_string(), agent.to_string()));
        let began = Instant::now();
        let asking = tokio::spawn(async move {
            while gate::admit(&app, &headers, Permission::Conversations, &place.0, &place.1).await.is_ok() {
                tokio::task::yield_now().await;
            }
            began.elapsed()
        });
        delete(one, &workspace.id, &actor, &key.id).await?;
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
