//! Comparison with other software that verifies API keys: nginx with a map of keys in its configuration, as an upper
//! bound; `@better-auth/api-key` on Node with its fastest store; `djangorestframework-api-key` under gunicorn with
//! SQLite. This program is called through forward auth. All servers run on one core, the client on another.

#[expect(dead_code, reason = "the other benchmarks use more of it")]
mod support;

use agent_studio::base::actor::Actor;
use agent_studio::users::password::Password;
use agent_studio::users::{Email, Role};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::load::{Ask, Pace, answer_if_asked, ask};
use support::ratio::print_ratio;
use support::{Outcome, add_keys, new_key, server, workspace};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Number of keys of each server.
const KEYS: usize = 1_000;
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_secs(1);
const REVOCATIONS: usize = 30;
/// Number of equal responses in a row that count as a stable state.
const STEADY: usize = 100;
const PASSWORD: &str = "correct horse battery staple";

/// A measured server, which is killed when this is dropped.
struct Server {
    name: &'static str,
    asked: Ask,
    child: Child,
    _dir: tempfile::TempDir,
    revocation: Revocation,
}

/// How a key of a server is revoked.
enum Revocation {
    /// By one request. Another request restores the key.
    Requests,
    /// By another map and a signal: the map's file, its text, and the configuration.
    Reload(PathBuf, String, PathBuf),
    /// By the dashboard's form: ids and values of the keys to delete, and the session's cookie.
    Form(Vec<(String, String)>, String),
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    if answer_if_asked(&runtime)? {
        return Ok(());
    }
    runtime.block_on(compare())
}

async fn compare() -> Outcome<()> {
    let servers = [nginx().await?, ours().await?, better_auth()?, django().await?];
    let mut rates = vec![Vec::new(); servers.len()];
    for _ in 0..ROUNDS {
        for (server, rates) in servers.iter().zip(&mut rates) {
            let found = ask(&server.asked, Pace::Closed(ROUND)).await;
            rates.push(found.map_err(|error| format!("{}: {error}", server.name))?.rate);
        }
    }
    let rates: Vec<f64> = rates.into_iter().map(median).collect();
    for (server, rate) in servers.iter().zip(&rates) {
        println!("{}: {rate:.0} verified calls per second = {:.3} of nginx", server.name, rate / rates[0]);
    }
    print_ratio("forward auth, of nginx's map", rates[1] / rates[0])?;
    for server in &servers {
        let mut millis = Vec::new();
        for round in 0..REVOCATIONS {
            millis.push(server.revoke(round).await.map_err(|error| format!("{}: {error}", server.name))?);
        }
        millis.sort_unstable_by(f64::total_cmp);
        let (p50, longest) = (millis[millis.len() / 2], millis[millis.len() - 1]);
        println!("{}: refused after p50 {p50:.1} ms, at most {longest:.1} ms", server.name);
    }
    Ok(())
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_unstable_by(f64::total_cmp);
    of[of.len() / 2]
}

impl Server {
    /// Revokes a key. Returns the milliseconds from the request until the key is refused permanently.
    async fn revoke(&self, round: usize) -> Outcome<f64> {
        let asked = match &self.revocation {
            Revocation::Form(keys, _) => Ask { key: keys[round].1.clone(), ..self.asked.clone() },
            _ => self.asked.clone(),
        };
        // While nginx reloads, old and new workers answer side by side.
        let mut right = 0;
        while right < STEADY {
            right = if status(&asked).await? == asked.status { right + 1 } else { 0 };
        }
        let began = Instant::now();
        let refused = tokio::spawn(async move {
            let (mut refusals, mut first) = (0, began.elapsed());
            while refusals < STEADY {
                // A new connection each time, because an open one may stay with an old worker.
                let accepted = status(&asked).await.map_err(|error| error.to_string())? == asked.status;
                refusals = if accepted { 0 } else { refusals + 1 };
                if refusals == 1 {
                    first = began.elapsed();
                }
            }
            Ok::<_, String>(first)
        });
        match &self.revocation {
            Revocation::Requests => drop(exchange(self.asked.address, "GET", "/revoke", "", "").await?),
            Revocation::Reload(map, _, configuration) => {
                fs::write(map, "")?;
                reload(configuration)?;
            }
            Revocation::Form(keys, cookie) => {
                let body = format!("workspace=acme&key={}&name=key", keys[round].0);
                let (status, answer) =
                    exchange(self.asked.address, "POST", "/api/delete_api_key", cookie, &body).await?;
                if status >= 400 {
                    return Err(answer.into());
                }
            }
        }
        let took = refused.await??.as_secs_f64() * 1_000.0;
        match &self.revocation {
            Revocation::Requests => drop(exchange(self.asked.address, "GET", "/restore", "", "").await?),
            Revocation::Reload(map, text, configuration) => {
                fs::write(map, text)?;
                reload(configuration)?;
            }
            Revocation::Form(..) => {}
        }
        Ok(took)
    }
}

async fn status(asked: &Ask) -> Outcome<u16> {
    let mut connection = TcpStream::connect(asked.address).await?;
    let Ask { path, key, .. } = asked;
    let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\nx-api-key: {key}\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap_or_default().parse()?)
}

/// Sends a request with a form or an empty body on a new connection.
async fn exchange(to: SocketAddr, method: &str, path: &str, cookie: &str, body: &str) -> Outcome<(u16, String)> {
    let mut connection = TcpStream::connect(to).await?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {to}\r\norigin: http://{to}\r\naccept: application/json\r\ncookie: {cookie}\r\n\
         content-type: application/x-www-form-urlencoded\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    Ok((answer.split(' ').nth(1).unwrap_or_default().parse()?, answer))
}

/// A command that runs on the servers' core.
fn on_core(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(program).stdin(Stdio::null()).stderr(Stdio::null());
    command
}

fn tools() -> Outcome<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let ours = cache.or(home).ok_or("no home")?.join("agent-studio/tools");
    Ok(std::env::var_os("AGENT_STUDIO_TOOLS").map_or(ours, PathBuf::from).join("peers"))
}

fn free_address() -> Outcome<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

async fn is_up(asked: &Ask) -> Outcome<()> {
    let began = Instant::now();
    while status(asked).await.ok() != Some(asked.status) {
        if began.elapsed() > Duration::from_secs(30) {
            return Err(format!("not up: {:?}", status(asked).await).into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn ours() -> Outcome<Server> {
    let dir = tempfile::tempdir()?;
    let program = env!("CARGO_BIN_EXE_agent-studio");
    // The first run creates the database and the master key, under which the keys below are sealed.
    let made = Command::new(program).args(["workspace", "list", "--data-dir"]).arg(dir.path()).output()?;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let (app, _) = server(support::sqlite(&dir.path().join("agent-studio.db")).await?)?;
    let workspace = workspace(&app, "Acme").await?;
    let actor = Actor::command_line();
    let key = app.api_keys.create(&workspace.id, &actor, &new_key(&app)?).await?;
    let mut keys = Vec::new();
    for _ in 0..REVOCATIONS {
        let key = app.api_keys.create(&workspace.id, &actor, &new_key(&app)?).await?;
        keys.push((key.id.to_string(), key.value.expose().to_owned()));
    }
    add_keys(&app, &workspace, KEYS - 1).await?;
    let email = Email::parse("ada@example.com").map_err(|problem| problem.message())?;
    let password = Password::parse(PASSWORD.to_owned()).map_err(|problem| problem.message())?;
    app.users.create(&workspace.id, &actor, &email, Role::Admin, password).await?;
    app.db.close().await;
    let address = free_address()?;
    let mut serve = on_core(program);
    serve.args(["serve", "--listen", &address.to_string(), "--data-dir"]).arg(dir.path()).stdout(Stdio::null());
    let child = serve.spawn()?;
    let path = "/authz/caddy?account_id=acme&permission=conversations".to_owned();
    let asked = Ask::new(address, path, key.value.expose(), 200);
    is_up(&asked).await?;
    let form = format!("email=ada%40example.com&password={}", PASSWORD.replace(' ', "+"));
    let (_, answer) = exchange(address, "POST", "/api/sign_in", "", &form).await?;
    let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).ok_or("not signed in")?;
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let name = "agent-studio, /authz/caddy, counted and logged";
    Ok(Server { name, asked, child, _dir: dir, revocation: Revocation::Form(keys, cookie) })
}

async fn nginx() -> Outcome<Server> {
    let dir = tempfile::tempdir()?;
    let address = free_address()?;
    let key = |number: usize| format!("ask_{number:038}");
    let map: String = (0..KEYS).map(|number| format!("\"{}\" 1;\n", key(number))).collect();
    let (file, configuration) = (dir.path().join("keys.map"), dir.path().join("nginx.conf"));
    fs::write(&file, &map)?;
    let at = dir.path().display();
    let temporary: String =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|of| format!("{of}_temp_path {at}/{of};")).concat();
    let text = format!(
        "daemon off; worker_processes 1; pid {at}/pid; events {{}}
        http {{ access_log off; {temporary} keepalive_requests 1000000000; map_hash_bucket_size 128; map_hash_max_size 262144;
        map $http_x_api_key $known {{ default 0; include {}; }}
        server {{ listen {address}; location / {{ if ($known = 0) {{ return 401; }} return 204; }} }} }}",
        file.display()
    );
    fs::write(&configuration, text)?;
    let mut nginx = on_core("nginx");
    nginx.args(["-e", "stderr", "-c"]).arg(&configuration).stdout(Stdio::null());
    let asked = Ask::new(address, "/", key(KEYS / 2), 204);
    let server = Server {
        name: "nginx with a map",
        asked,
        child: nginx.spawn()?,
        _dir: dir,
        revocation: Revocation::Reload(file, map, configuration),
    };
    is_up(&server.asked).await?;
    Ok(server)
}

fn reload(configuration: &Path) -> Outcome<()> {
    let done = on_core("nginx").args(["-e", "stderr", "-s", "reload", "-c"]).arg(configuration).status()?;
    if done.success() { Ok(()) } else { Err("nginx did not reload".into()) }
}

fn better_auth() -> Outcome<Server> {
    let address = free_address()?;
    let mut node = on_core("node");
    node.arg(tools()?.join("better-auth.mjs")).arg(address.port().to_string()).arg(KEYS.to_string());
    node.env("NODE_ENV", "production").stdout(Stdio::piped());
    let mut child = node.spawn()?;
    let mut key = String::new();
    BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut key)?;
    let asked = Ask::new(address, "/", key.trim(), 204);
    let name = "@better-auth/api-key on Node, keys in memory";
    Ok(Server { name, asked, child, _dir: tempfile::tempdir()?, revocation: Revocation::Requests })
}

async fn django() -> Outcome<Server> {
    let dir = tempfile::tempdir()?;
    let (database, tools) = (dir.path().join("keys.db"), tools()?);
    let mut python = on_core("python3");
    python
        .arg(tools.join("django_app.py"))
        .arg(&database)
        .arg(KEYS.to_string())
        .env("PYTHONPATH", tools.join("python"));
    let made = python.output()?;
    let key = String::from_utf8(made.stdout)?.trim().to_owned();
    let address = free_address()?;
    let mut gunicorn = on_core("python3");
    gunicorn
        .args(["-m", "gunicorn", "-w", "1", "-k", "gthread", "--threads", "4", "--keep-alive", "75", "-b"])
        .arg(address.to_string())
        .arg("django_app:application")
        .current_dir(&tools)
        .env("PYTHONPATH", tools.join("python"))
        .env("BENCH_DATABASE", &database)
        .stdout(Stdio::null());
    let asked = Ask::new(address, "/", key, 204);
    let name = "djangorestframework-api-key under gunicorn, SQLite";
    let server = Server { name, asked, child: gunicorn.spawn()?, _dir: dir, revocation: Revocation::Requests };
    is_up(&server.asked).await?;
    Ok(server)
}
