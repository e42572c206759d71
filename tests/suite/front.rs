//! nginx, Caddy and Traefik with the configuration of `packaging` in front of the server, with TLS.

use crate::support::proxy::{Running, free_port, program, serve};
use crate::support::{PASSWORD, TestApp};
use agent_studio::audit::service::ActivityFilter;
use agent_studio::base::time::Timestamp;
use agent_studio::users::Role;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_stands_in_front() {
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let (test, server) = behind(port).await;
    let certificate = ["-keyout", "key.pem", "-out", "certificate.pem", "-subj", "/CN=localhost", "-days", "2"];
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes"]).args(certificate).current_dir(&dir);
    assert!(openssl.output().unwrap().status.success());
    let configuration = include_str!("../../packaging/nginx.conf")
        .replace("127.0.0.1:3000", &server.to_string())
        .replace("listen 443", &format!("listen 127.0.0.1:{port}"))
        .replace("/etc/ssl/keys.example.com.pem", &dir.path().join("certificate.pem").display().to_string())
        .replace("/etc/ssl/keys.example.com.key", &dir.path().join("key.pem").display().to_string());
    let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let folders = folders.map(|name| format!("{name}_temp_path {}/{name};", dir.path().display())).join("\n");
    let main = format!("events {{}}\nhttp {{\naccess_log off;\n{folders}\n{configuration}\n}}");
    std::fs::write(dir.path().join("nginx.conf"), main).unwrap();
    let mut nginx = Command::new(program("nginx", "nginx"));
    nginx.arg("-p").arg(dir.path()).arg("-c").arg(dir.path().join("nginx.conf")).args(["-e", "stderr", "-g"]);
    nginx.arg(format!("daemon off; pid {}/pid; master_process off;", dir.path().display()));
    stands_in_front(&test, nginx, dir.path(), port).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn caddy_stands_in_front() {
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let (test, server) = behind(port).await;
    // Without the ports 80 and 2019, which can be taken here.
    let options = "{\n\tauto_https disable_redirects\n\tskip_install_trust\n\tadmin off\n}\n";
    let configuration = include_str!("../../packaging/Caddyfile");
    std::fs::write(dir.path().join("Caddyfile"), format!("{options}{configuration}")).unwrap();
    let mut caddy = Command::new(program("proxies/bin/caddy", "caddy"));
    caddy.args(["run", "--adapter", "caddyfile", "--config"]).arg(dir.path().join("Caddyfile"));
    caddy.env("HOME", dir.path()).env("HOST", format!("localhost:{port}")).env("UPSTREAM", server.to_string());
    stands_in_front(&test, caddy, dir.path(), port).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traefik_stands_in_front() {
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let (test, server) = behind(port).await;
    let configuration = include_str!("../../packaging/traefik.yaml")
        .replace("127.0.0.1:3000", &server.to_string())
        .replace("keys.example.com", "localhost")
        .replace("tls: { certResolver: letsencrypt }", "tls: {}");
    std::fs::write(dir.path().join("dynamic.yaml"), configuration).unwrap();
    let mut traefik = Command::new(program("proxies/bin/traefik", "traefik"));
    traefik.arg(format!("--entrypoints.websecure.address=127.0.0.1:{port}"));
    traefik.arg(format!("--providers.file.filename={}", dir.path().join("dynamic.yaml").display()));
    traefik.args(["--global.sendanonymoususage=false", "--global.checknewversion=false"]);
    stands_in_front(&test, traefik, dir.path(), port).await;
}

/// A server whose public URL is this port of a proxy.
async fn behind(port: u16) -> (TestApp, SocketAddr) {
    let mut test = TestApp::on_sqlite().await;
    test.reconfigure(|parts| {
        parts.public_origin = Some(format!("https://localhost:{port}"));
        parts.secure_cookies = true;
    });
    let server = serve(test.router.clone()).await;
    (test, server)
}

/// The status of a request to the proxy.
fn status(port: u16, path: &str, options: &[&str]) -> u16 {
    let url = format!("https://localhost:{port}{path}");
    let mut curl = Command::new("curl");
    curl.args(["-sk", "--path-as-is", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "20"]);
    let output = curl.args(options).arg(url).output().unwrap();
    String::from_utf8(output.stdout).unwrap().parse().unwrap()
}

async fn stands_in_front(test: &TestApp, mut proxy: Command, dir: &Path, port: u16) {
    let log = std::fs::File::create(dir.join("log")).unwrap();
    proxy.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    let _running = Running(proxy.spawn().unwrap());
    let mut tries = 0;
    while tokio::task::block_in_place(|| status(port, "/healthz", &[])) != 200 {
        tries += 1;
        assert!(tries < 100, "not up: {}", std::fs::read_to_string(dir.join("log")).unwrap());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let workspace = test.workspace("Acme").await;
    test.user(&workspace, "ann@example.com", Role::Admin).await;
    tokio::task::block_in_place(|| {
        for internal in
            ["/metrics", "/authz/nginx", "/authz", "/authz/", "//authz/nginx", "/%61uthz/nginx", "/x/../authz/nginx"]
        {
            assert_eq!(status(port, internal, &[]), 404, "{internal}");
        }
        assert_eq!(status(port, "/sign-in", &[]), 200);
        assert_eq!(status(port, "/v3/acme/one/conversations", &[]), 401);

        // A browser's own origin passes, another one does not.
        let (ours, foreign) = (format!("origin: https://localhost:{port}"), "origin: https://evil.example");
        let form = format!("email=ann%40example.com&password={}", PASSWORD.replace(' ', "+"));
        let sign_in = |origin: &str| {
            status(port, "/api/sign_in", &["-H", origin, "-H", "x-forwarded-for: 192.0.2.7", "-d", &form])
        };
        assert_eq!(sign_in(foreign), 403);
        assert!([200, 302, 303].contains(&sign_in(&ours)));
    });
    // The address is the connection's, not the one that the client claims.
    let entries = test.app.audit.list(&workspace.id, &ActivityFilter::default(), None, 10).await.unwrap();
    let signed_in = entries.iter().find(|entry| entry.action == "signed-in").unwrap();
    assert!(["127.0.0.1", "::1"].contains(&signed_in.address.as_str()), "{}", signed_in.address);
    assert!(signed_in.at > Timestamp(0));
}
