//! Tests of forward auth with real proxies. Each runs with the unchanged configuration in `docs/forward-auth.md`, in
//! front of a small API.

use crate::support::proxy::{Running, free_port, program, serve};
use crate::support::{NOW, TestApp, as_router, new_key, on_both_engines};
use agent_studio::api_keys::{AgentScope, Permissions, service};
use agent_studio::base::actor::Actor;
use agent_studio::server::front::Front;
use agent_studio::server::state::AppState;
use agent_studio::usage::store::{self, RequestFilter};
use agent_studio::usage::writer;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

on_both_engines! {
    the_answers_to_each_proxy,
    the_future_of_a_call_is_small,
    nginx_lets_through_what_keys_open,
    traefik_lets_through_what_keys_open,
    caddy_lets_through_what_keys_open,
    envoy_lets_through_what_keys_open,
}

/// A call's future is copied several times on its way: its size is a part of each call's time.
async fn the_future_of_a_call_is_small(test: TestApp) {
    let front = Front::all(AppState { services: test.app.clone() });
    let request = Request::get("/authz/nginx").body(Body::empty()).unwrap();
    let call = front.answer(SocketAddr::from(([127, 0, 0, 1], 1)), request);
    let size = std::mem::size_of_val(&call);
    assert!(size <= 1_536, "{size} bytes");
    assert_eq!(call.await.status(), 403);
}

const DOCS: &str = include_str!("../../docs/forward-auth.md");
const TOLD: [&str; 5] = ["x-key-id", "x-key-name", "x-workspace-id", "x-agents", "x-permissions"];

/// The configurations in a proxy's chapter, in their order.
fn configurations(chapter: &str) -> Vec<&'static str> {
    let (_, rest) = DOCS.split_once(&format!("\n## {chapter}\n")).unwrap();
    let chapter = rest.split("\n## ").next().unwrap();
    chapter.split("```").skip(1).step_by(2).map(|block| block.split_once('\n').unwrap().1).collect()
}

/// A request that reached the API behind the proxy.
#[derive(Clone, Debug)]
struct Arrived {
    method: String,
    path: String,
    headers: HeaderMap,
    body: String,
}

/// A proxy with the API behind it and the server that it asks.
struct Protected {
    proxy: SocketAddr,
    authz: SocketAddr,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    _child: Option<Running>,
    _dir: tempfile::TempDir,
}

impl Protected {
    /// Starts the API, the server, and a proxy. `command` makes the proxy's command from a folder and the
    /// configurations.
    ///
    /// With `preflights`, the lines for them count too.
    async fn start(
        test: &TestApp,
        chapter: &str,
        preflights: bool,
        command: impl Fn(&Path, Vec<String>) -> Command,
    ) -> Self {
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let api = serve(Router::new().fallback(arrive).with_state(arrived.clone())).await;
        let authz = serve(as_router(Front::forward_auth(&AppState { services: test.app.clone() }))).await;
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let configurations = configurations(chapter).into_iter().map(|text| {
            let at = |text: String, from: &str, to: String| {
                assert_ne!(from, to);
                text.replace(from, &to)
            };
            let text = if preflights { text.replace("#cors ", "") } else { text.to_owned() };
            let text = at(text, "127.0.0.1:3010", authz.to_string());
            let text = at(text, "127.0.0.1:9000", api.to_string());
            let text = at(text, "port_value: 3010", format!("port_value: {}", authz.port()));
            let text = at(text, "port_value: 9000", format!("port_value: {}", api.port()));
            let text = at(text, "8080", port.to_string());
            let text = at(text, "/etc/nginx", dir.path().display().to_string());
            at(text, "/etc/traefik", dir.path().display().to_string())
        });
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let mut command = command(dir.path(), configurations.collect());
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut child = Running(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")));
        let proxy = SocketAddr::from(([127, 0, 0, 1], port));
        let up = timeout(Duration::from_secs(60), async {
            // The proxy is ready when it answers 401 to a request without a key.
            while !matches!(raw(proxy, "GET / HTTP/1.1\r\nhost: api\r\nconnection: close\r\n\r\n").await, Ok((401, _)))
            {
                if let Ok(Some(status)) = child.0.try_wait() {
                    panic!("{chapter} {status}: {}", std::fs::read_to_string(dir.path().join("log")).unwrap());
                }
                sleep(Duration::from_millis(50)).await;
            }
        });
        if up.await.is_err() {
            panic!("{chapter} is not up: {}", std::fs::read_to_string(dir.path().join("log")).unwrap());
        }
        Self { proxy, authz, arrived, _child: Some(child), _dir: dir }
    }

    /// Sends a request unchanged. Returns the status and the request that reached the API, if any.
    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Option<Arrived>) {
        self.arrived.lock().unwrap().clear();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: api\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        let (status, _) = raw(self.proxy, &request).await.unwrap();
        let mut arrived = self.arrived.lock().unwrap();
        assert!(arrived.len() <= 1);
        (status, arrived.pop())
    }
}

/// Sends a request. Returns the status and the whole response.
async fn raw(to: SocketAddr, request: &str) -> std::io::Result<(u16, String)> {
    let mut connection = TcpStream::connect(to).await?;
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    timeout(Duration::from_secs(20), connection.read_to_end(&mut answer)).await??;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    Ok((answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), answer))
}

async fn arrive(State(arrived): State<Arc<Mutex<Vec<Arrived>>>>, request: Request) -> &'static str {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let body = String::from_utf8_lossy(&body).into_owned();
    arrived.lock().unwrap().push(Arrived { method: parts.method.to_string(), path, headers: parts.headers, body });
    "arrived"
}

/// A path as an API may interpret it: decoded, with `.` and `..` resolved and without empty segments.
fn understood(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let mut decoded = path.to_owned();
    // Decodes twice, as an API behind another proxy would.
    for _ in 0..2 {
        for (code, character) in
            [("%2f", "/"), ("%2F", "/"), ("%2e", "."), ("%2E", "."), ("%5c", "/"), ("%25", "%"), ("%65", "e")]
        {
            decoded = decoded.replace(code, character);
        }
    }
    let mut segments = Vec::new();
    for segment in decoded.replace('\\', "/").split('/') {
        // Some APIs treat the text after a semicolon as a parameter.
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other.to_owned()),
        }
    }
    format!("/{}", segments.join("/"))
}

/// Requests that the proxy must pass on, and requests that it must refuse.
async fn lets_through_what_keys_open(test: &TestApp, protected: Protected) {
    let workspace = test.workspace("Acme UK").await;
    assert_eq!(workspace.slug, "acme-uk");
    let agent = test.agent(&workspace, "Hotel").await;
    let other = test.workspace("Other").await;
    let permitted = |ids: &[&str]| Permissions::parse(ids.iter().copied()).unwrap();
    let reader = service::NewKey { permissions: permitted(&["conversations"]), ..new_key("Zoë, CRM 100%") };
    let reader = test.key(&workspace, reader).await;
    let sender = service::NewKey {
        permissions: permitted(&["external-events"]),
        scope: AgentScope::Chosen(vec![agent.clone()]),
        ..new_key("Events")
    };
    let sender = test.key(&workspace, sender).await;
    let foreign = test.key(&other, new_key("Foreign")).await;
    let brief = test.key(&workspace, service::NewKey { expires_at: NOW.plus_seconds(10), ..new_key("Brief") }).await;
    let deleted = test.key(&workspace, new_key("Deleted")).await;

    let told = |arrived: &Arrived| -> BTreeMap<String, Vec<String>> {
        let values = |name| arrived.headers.get_all(name).iter().map(|v| v.to_str().unwrap().to_owned()).collect();
        TOLD.map(|name| (name.to_owned(), values(name))).into()
    };
    let expected = |values: [&str; 5]| -> BTreeMap<String, Vec<String>> {
        TOLD.into_iter().zip(values).map(|(name, value)| (name.to_owned(), vec![value.to_owned()])).collect()
    };
    // Headers that a client must not be able to set: those of the server's response, and those of the proxy's request.
    let forged = [
        ("X-Key-Id", "key-forged"),
        ("X-Key-Name", "forged"),
        ("X-Workspace-Id", "ws-forged"),
        ("X-Agents", "all"),
        ("X-Agents", "forged"),
        ("X-Permissions", "agents"),
        ("X-Original-URI", "/forged"),
        ("X-Original-Method", "TRACE"),
        ("X-Forwarded-Uri", "/forged"),
        ("X-Forwarded-Method", "TRACE"),
        ("X-Forwarded-For", "203.0.113.9"),
    ];
    let with = |key: &'static str| [("X-Api-Key", key)];
    fn leaked(key: &agent_studio::api_keys::service::CreatedKey) -> &'static str {
        key.value.expose().to_owned().leak()
    }
    let (reading, sending) = (leaked(&reader), leaked(&sender));

    // Allowed requests with a body, with and without forged headers.
    for headers in [with(reading).to_vec(), [&with(reading)[..], &forged].concat()] {
        let (status, arrived) = protected.ask("POST", "/reports/1?x=%20y&account_id=other", &headers, "a body").await;
        let arrived = arrived.unwrap_or_else(|| panic!("{status}"));
        assert_eq!((status, arrived.method.as_str(), arrived.body.as_str()), (200, "POST", "a body"));
        assert_eq!(arrived.path, "/reports/1?x=%20y&account_id=other");
        let name = "Zo%C3%AB, CRM 100%25";
        let values = [reader.id.as_str(), name, workspace.id.as_str(), "all", "conversations"];
        assert_eq!(told(&arrived), expected(values));
        let key_went_on = arrived.headers.get("x-api-key").is_some_and(|value| !value.is_empty());
        assert!(!key_went_on, "the key goes no further");
    }
    let (status, arrived) = protected.ask("GET", "/events/1", &with(sending), "").await;
    let values = [sender.id.as_str(), "Events", workspace.id.as_str(), agent.as_str(), "external-events"];
    assert_eq!((status, told(&arrived.unwrap())), (200, expected(values)));

    // Refused requests do not reach the API.
    let preflight = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "GET")];
    let (status, arrived) = protected.ask("OPTIONS", "/reports/1", &preflight, "").await;
    assert!(status == 401 && arrived.is_none(), "a preflight: {status} {arrived:?}");
    test.app.clock.advance_seconds(10);
    test.app.api_keys.delete(&workspace.id, &Actor::command_line(), &deleted.id).await.unwrap();
    let unknown = "ask_0123456789ABCDEFGHIJKLMNOPQRSTUV2QjdX3";
    let refused: [(&str, Vec<_>, u16); 10] = [
        ("/reports/1", vec![], 401),
        ("/reports/1", forged.to_vec(), 401),
        ("/reports/1", with("nonsense").to_vec(), 401),
        ("/reports/1", with(unknown).to_vec(), 401),
        ("/reports/1", vec![("X-Api-Key", reading), ("X-Api-Key", unknown)], 401),
        ("/reports/1", with(leaked(&brief)).to_vec(), 401),
        ("/reports/1", with(leaked(&deleted)).to_vec(), 401),
        ("/reports/1", with(leaked(&foreign)).to_vec(), 403),
        ("/reports/1", with(sending).to_vec(), 403),
        ("/events/1", with(reading).to_vec(), 403),
    ];
    for (path, headers, expected) in &refused {
        let (status, arrived) = protected.ask("GET", path, headers, "").await;
        assert!(arrived.is_none(), "{path} {headers:?} arrived: {arrived:?}");
        assert_eq!(status, *expected, "{path} {headers:?}");
    }
    // Paths that proxy and API may interpret differently. With a key for events only, no path that can be anything else
    // may arrive; with a key for the rest, no path that can be events; without a key, nothing.
    for path in [
        "/events/../reports/1",
        "/events/%2e%2e/reports/1",
        "/events/%2E%2E%2freports/1",
        "/events/..%2freports/1",
        "/events/..%5creports/1",
        "/events/%252e%252e/reports/1",
        "/events/..;/reports/1",
        "/events/..;x=y/reports/1",
        "/events/..\\reports/1",
        "/events//../../reports/1",
        "/events/./../reports/1",
        "//reports/1",
        "/./reports/1",
        "/r%65ports/1",
        "/%2freports/1",
        "/EVENTS/../reports/1",
        "/events/x?/../../reports/1",
        "/events/x%3f/../../reports/1",
        "/../authz/envoy/other/-/-/reports/1",
        "/events/%2e%2e/%2e%2e/%2e%2e/acme-uk/-/external-events",
    ] {
        let (status, arrived) = protected.ask("GET", path, &with(sending), "").await;
        if let Some(arrived) = arrived {
            assert!(understood(&arrived.path).starts_with("/events"), "{path} {status} arrived as {}", arrived.path);
        } else {
            assert_ne!(status, 200, "{path}");
        }
        let (status, arrived) = protected.ask("GET", path, &with(reading), "").await;
        if let Some(arrived) = arrived {
            let as_events = [arrived.path.clone(), understood(&arrived.path)];
            assert!(!as_events.iter().any(|path| path.starts_with("/events")), "{path} {status}: {as_events:?}");
        } else {
            assert_ne!(status, 200, "{path}");
        }
        let (status, arrived) = protected.ask("GET", path, &[], "").await;
        assert!(arrived.is_none() && status != 200, "{path} {status} without a key: {arrived:?}");
    }

    // The request log has the client's request, not the proxy's.
    writer::flush(&test.app.usage).await.unwrap();
    let rows = store::requests(&test.app.db, &workspace.id, &reader.id, &RequestFilter::default(), 100).await.unwrap();
    let oldest = rows.last().unwrap();
    assert_eq!(
        (oldest.method.as_str(), oldest.path.as_str(), oldest.api.as_str(), oldest.status),
        ("POST", "/reports/1", "forward-auth", 200)
    );
    // Envoy sends its own address in place of a client's loopback address.
    assert!(rows.iter().all(|row| !["", "203.0.113.9"].contains(&row.address.as_str())), "{rows:?}");
    assert!(rows.iter().all(|row| !row.path.contains("forged")), "{rows:?}");

    // A wrong auth URL refuses every request. This listener has no other routes.
    for path in ["/authz/nginx", "/authz/nginx?account_id=acme-uk&permision=x", "/authz/envoy/acme-uk/-", "/authz"] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: {reading}\r\n\r\n");
        assert_eq!(raw(protected.authz, &request).await.unwrap().0, 403, "{path}");
    }
    for path in ["/", "/healthz", "/metrics", "/sign-in", "/v3/acme-uk/hotel/conversations"] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: {reading}\r\n\r\n");
        assert_eq!(raw(protected.authz, &request).await.unwrap().0, 404, "{path}");
    }
}

/// With the lines for them, preflights reach the API without key and headers about a key, and nothing else does.
async fn lets_preflights_through(protected: Protected) {
    let forged = [("X-Key-Id", "forged"), ("X-Agents", "forged"), ("X-Api-Key", "forged")];
    let preflight = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "GET")];
    for path in ["/reports/1", "/events/1"] {
        let (status, arrived) = protected.ask("OPTIONS", path, &[&preflight[..], &forged[..]].concat(), "").await;
        let arrived = arrived.unwrap_or_else(|| panic!("{path}: {status}"));
        assert_eq!((status, arrived.method.as_str(), arrived.path.as_str()), (200, "OPTIONS", path));
        for name in TOLD.into_iter().chain(["x-api-key"]) {
            assert!(arrived.headers.get(name).is_none_or(|value| value.is_empty()), "{path} {name}: {arrived:?}");
        }
        for (method, headers) in [("GET", &preflight[..]), ("POST", &preflight[..]), ("OPTIONS", &preflight[..1])] {
            let (status, arrived) = protected.ask(method, path, headers, "").await;
            assert!(status == 401 && arrived.is_none(), "{method} {path} {headers:?}: {status} {arrived:?}");
        }
    }
}

async fn nginx_lets_through_what_keys_open(test: TestApp) {
    lets_through_what_keys_open(&test, nginx(&test, false).await).await;
    lets_preflights_through(nginx(&test, true).await).await;
}

async fn nginx(test: &TestApp, preflights: bool) -> Protected {
    let started = Protected::start(test, "nginx", preflights, |dir, configurations| {
        let [main, common] = configurations.try_into().unwrap();
        // Folders for nginx's temporary files; elsewhere the system's configuration sets them.
        let files = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {}/{kind};", dir.display()))
            .join("\n");
        let main = main.replace("http {", &format!("http {{\n{files}\naccess_log off;"));
        std::fs::write(dir.join("nginx.conf"), main).unwrap();
        std::fs::write(dir.join("agent-studio.conf"), common).unwrap();
        let mut nginx = Command::new(program("nginx", "nginx"));
        nginx.arg("-p").arg(dir).arg("-c").arg(dir.join("nginx.conf")).arg("-e").arg("stderr");
        nginx.arg("-g").arg(format!("daemon off; pid {}/pid; master_process off;", dir.display()));
        nginx
    });
    started.await
}

async fn traefik_lets_through_what_keys_open(test: TestApp) {
    lets_through_what_keys_open(&test, traefik(&test, false).await).await;
    lets_preflights_through(traefik(&test, true).await).await;
}

async fn traefik(test: &TestApp, preflights: bool) -> Protected {
    let started = Protected::start(test, "Traefik", preflights, |dir, configurations| {
        let [fixed, routes] = configurations.try_into().unwrap();
        std::fs::write(dir.join("traefik.yml"), fixed).unwrap();
        std::fs::write(dir.join("agent-studio.yml"), routes).unwrap();
        let mut traefik = Command::new(program("proxies/bin/traefik", "traefik"));
        traefik.arg(format!("--configFile={}", dir.join("traefik.yml").display()));
        traefik
    });
    started.await
}

async fn caddy_lets_through_what_keys_open(test: TestApp) {
    lets_through_what_keys_open(&test, caddy(&test, false).await).await;
    lets_preflights_through(caddy(&test, true).await).await;
}

async fn caddy(test: &TestApp, preflights: bool) -> Protected {
    let started = Protected::start(test, "Caddy", preflights, |dir, configurations| {
        let [caddyfile] = configurations.try_into().unwrap();
        std::fs::write(dir.join("Caddyfile"), caddyfile).unwrap();
        let mut caddy = Command::new(program("proxies/bin/caddy", "caddy"));
        caddy.args(["run", "--adapter", "caddyfile", "--config"]).arg(dir.join("Caddyfile")).env("HOME", dir);
        caddy
    });
    started.await
}

async fn envoy_lets_through_what_keys_open(test: TestApp) {
    lets_through_what_keys_open(&test, envoy(&test, false).await).await;
    lets_preflights_through(envoy(&test, true).await).await;
}

async fn envoy(test: &TestApp, preflights: bool) -> Protected {
    let started = Protected::start(test, "Envoy", preflights, |dir, configurations| {
        let [yaml] = configurations.try_into().unwrap();
        std::fs::write(dir.join("envoy.yaml"), yaml).unwrap();
        let mut envoy = Command::new(program("proxies/envoy/_bin/envoy", "envoy"));
        envoy.args(["--use-dynamic-base-id", "--concurrency", "1", "-c"]).arg(dir.join("envoy.yaml"));
        envoy
    });
    started.await
}

/// Calls each auth URL directly, without a proxy, with each reason for a refusal.
async fn the_answers_to_each_proxy(test: TestApp) {
    let workspace = test.workspace("Acme UK").await;
    let agent = test.agent(&workspace, "Hotel").await;
    let chosen = service::NewKey { scope: AgentScope::Chosen(vec![agent.clone()]), ..new_key("CRM") };
    let key = test.key(&workspace, chosen).await;
    let all = test.key(&workspace, new_key("All")).await;
    let mut browser = test.browser();
    let mut statuses = async |key: &str, query: &str, path: &str| {
        let mut statuses = Vec::new();
        for address in [
            format!("/authz/nginx?{query}"),
            format!("/authz/traefik?{query}"),
            format!("/authz/caddy?{query}"),
            format!("/authz/envoy/{path}"),
        ] {
            statuses.push(browser.api(&address, key).await.status);
        }
        statuses
    };
    let (chosen, all) = (key.value.expose(), all.value.expose());
    for (key, query, path, expected) in [
        (chosen, "account_id=acme-uk", "acme-uk/-/-", [200; 4]),
        (chosen, "account_id=acme-uk&project_id=hotel", "acme-uk/hotel/-/some/path", [200; 4]),
        (chosen, "account_id=acme-uk&project_id=spa", "acme-uk/spa/-/", [403; 4]),
        (all, "account_id=acme-uk&project_id=spa", "acme-uk/spa/-//", [403, 404, 404, 404]),
        (all, "account_id=acme-uk&permission=handoff", "acme-uk/-/handoff/../x", [200; 4]),
        (all, "account_id=acme-uk&permission=agents", "acme-uk/-/agents", [403; 4]),
        (all, "account_id=nobody", "nobody/-/-", [403; 4]),
        (all, "project_id=hotel", "-/hotel/-", [403; 4]),
        (all, "account_id=acme-uk&permission=nothing", "acme-uk/-/nothing", [403; 4]),
        ("nonsense", "account_id=acme-uk", "acme-uk/-/-", [401; 4]),
    ] {
        assert_eq!(statuses(key, query, path).await, expected, "{query} {path}");
    }
    // The response for a key whose only agent was deleted says so. Envoy's auth URL accepts any method.
    let found = agent_studio::agents::store::find(&test.app.db, &workspace.id, agent.as_str()).await.unwrap().unwrap();
    test.app.workspaces.set_undo_days(&workspace.id, &Actor::command_line(), 0).await.unwrap();
    test.app.agents.delete(&workspace.id, &Actor::command_line(), &found).await.unwrap();
    let request = Request::delete("/authz/envoy/acme-uk/-/-/x").header("x-api-key", chosen);
    let answer = test.browser().send(request, Body::empty()).await;
    assert_eq!((answer.status, answer.header("x-agents"), answer.body.as_str()), (200, "none", ""));
}
