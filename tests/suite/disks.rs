//! Tests of the program on full and failing disks: no acknowledged write is lost, and the server recovers.

use crate::support::conversation;
use crate::support::program::Place;
use crate::support::proxy::free_port;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server process that is killed when this is dropped.
struct Served {
    server: Child,
    address: String,
}

/// A server whose data directory and log are on a small file system.
struct SmallDisk {
    server: Served,
    dir: PathBuf,
}

impl SmallDisk {
    /// Starts with a copy of another server's data directory.
    fn start(from: &Place, megabytes: u32) -> Self {
        let (port, metrics) = (free_port(), free_port());
        // Mounted in a mount namespace, which ends with the server. A user who is not root becomes root in a user
        // namespace.
        let script = format!(
            "mkdir -p \"$1\" && mount -t tmpfs -o size={megabytes}m tmpfs \"$1\" && cp -a \"$2/.\" \"$1\" && \
             echo mounted && exec \"$3\" serve --data-dir \"$1\" --listen 127.0.0.1:{port} \
             --metrics-listen 127.0.0.1:{metrics} 2>\"$1/log\""
        );
        let dir = from.dir.path().join("small");
        let data = from.dir.path().join("data");
        let mut unshare = Command::new("unshare");
        unshare.arg("--mount");
        if !is_root() {
            unshare.arg("--map-root-user");
        }
        let mut server = unshare
            .args(["sh", "-c", &script, "sh"])
            .args([&dir, &data])
            .arg(env!("CARGO_BIN_EXE_agent-studio"))
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "mounted", "a file system of memory cannot be mounted here");
        let within = PathBuf::from(format!("/proc/{}/root", server.id()));
        let server = Served { server, address: format!("127.0.0.1:{port}") };
        server.until(
            |server| server.get("/readyz", "").is_some_and(|(status, _)| status == 200),
            Duration::from_secs(20),
        );
        Self { server, dir: within.join(dir.strip_prefix("/").unwrap()) }
    }

    fn fill(&self) {
        let mut file = File::create(self.dir.join("filler")).unwrap();
        for size in [64 * 1024, 4_096, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.dir.join("filler")).unwrap();
    }
}

impl Served {
    fn get(&self, path: &str, headers: &str) -> Option<(u16, String)> {
        self.send("GET", path, headers, "")
    }

    fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\n{headers}content-type: application/json\r\n\
             content-length: {length}\r\nconnection: close\r\n\r\n{body}",
            self.address
        )
        .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some((answer.split(' ').nth(1)?.parse().ok()?, answer))
    }

    fn until(&self, done: impl Fn(&Self) -> bool, within: Duration) -> Duration {
        let began = Instant::now();
        while !done(self) {
            assert!(began.elapsed() < within, "not within {within:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
        began.elapsed()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    String::from_utf8_lossy(&id.stdout).trim() == "0"
}

/// Creates a workspace, an agent, a key and a token with the command line.
fn made(place: &Place) -> [String; 2] {
    let data = place.dir.path().join("data");
    let json = |args: &[&str]| -> Value {
        let output = place.command(args).env("AGENT_STUDIO_DATA_DIR", &data).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    json(&["workspace", "create", "--name", "Acme", "--json"]);
    json(&["agent", "create", "--workspace", "acme", "--name", "Hotel", "--slug", "hotel", "--json"]);
    let create = ["key", "create", "--workspace", "acme", "--name", "CRM", "--agents", "all"];
    let rest = ["--permissions", "conversations,handoff", "--expires-in", "90d", "--json"];
    let key = json(&[create.as_slice(), rest.as_slice()].concat());
    let token = json(&["runtime-token", "create", "--workspace", "acme", "--name", "platform", "--json"]);
    [key["key"].as_str().unwrap().to_owned(), token["token"].as_str().unwrap().to_owned()]
}

const PATH: &str = "/runtime/v1/acme/hotel/conversations";

fn header(answer: &str, name: &str) -> Option<String> {
    let line = answer.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}: ")))?;
    Some(line.split_once(": ")?.1.to_owned())
}

/// The log is on the full disk too. No call is refused because of that, and no connection is closed without a response.
#[test]
fn writes_go_on_once_a_full_disk_has_room_again() {
    let place = Place::on_sqlite();
    let [key, token] = made(&place);
    let disk = SmallDisk::start(&place, 8);
    let bearer = format!("authorization: Bearer {token}\r\n");
    let put = |id: &str| {
        disk.server
            .send("PUT", &format!("{PATH}/{id}"), &bearer, conversation(id, 1).trim())
            .expect("an answer, whatever the disk")
    };
    assert_eq!(put("CA1").0, 204);
    disk.fill();
    for number in 0..20 {
        let (status, answer) = put(&format!("CB{number}"));
        assert_eq!(status, 503, "{answer}");
        assert!(header(&answer, "retry-after").is_some() && answer.contains("SERVICE_UNAVAILABLE"), "{answer}");
        let (status, answer) =
            disk.server.get("/v3/acme/hotel/conversations", &format!("x-api-key: {key}\r\n")).unwrap();
        assert_eq!(status, 200, "what is there is read on: {answer}");
    }
    let (status, answer) = disk.server.get("/readyz", "").unwrap();
    assert_eq!(status, 503, "{answer}");
    assert!(answer.contains("\"writes\":\"the disk is full\""), "{answer}");
    disk.make_room();
    let waited = disk.server.until(|_| put("CC1").0 == 204, Duration::from_secs(3));
    assert!(waited < Duration::from_secs(3), "{waited:?}");
    disk.server.until(|server| server.get("/readyz", "").unwrap().0 == 200, Duration::from_secs(3));
    let (_, answer) = disk.server.get("/v3/acme/hotel/conversations", &format!("x-api-key: {key}\r\n")).unwrap();
    assert!(answer.contains("\"CA1\"") && answer.contains("\"CC1\"") && !answer.contains("\"CB0\""), "{answer}");
}

/// A limit on the size of files makes each write fail with an I/O error, as on a failing disk.
#[test]
fn writes_go_on_once_an_error_of_the_disk_is_over() {
    let place = Place::on_sqlite();
    let [key, token] = made(&place);
    let (port, metrics) = (free_port(), free_port());
    let script = format!(
        "trap '' XFSZ; exec \"$1\" serve --data-dir \"$2\" --listen 127.0.0.1:{port} \
         --metrics-listen 127.0.0.1:{metrics}"
    );
    let server = Command::new("sh")
        .args(["-c", &script, "sh", env!("CARGO_BIN_EXE_agent-studio")])
        .arg(place.dir.path().join("data"))
        .env_remove("DATABASE_URL")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let server = Served { server, address: format!("127.0.0.1:{port}") };
    server.until(|server| server.get("/readyz", "").is_some_and(|(status, _)| status == 200), Duration::from_secs(20));
    let bearer = format!("authorization: Bearer {token}\r\n");
    let put = |id: &str| server.send("PUT", &format!("{PATH}/{id}"), &bearer, conversation(id, 1).trim()).unwrap();
    let pid = server.server.id().to_string();
    let limit = |limit: &str| assert!(Command::new("prlimit").args([limit, "--pid", &pid]).status().unwrap().success());
    limit("--fsize=1024:unlimited");
    let (status, answer) = put("CA1");
    assert_eq!(status, 503, "{answer}");
    // What writes nothing succeeds, and says nothing about the disk.
    assert_eq!(server.send("DELETE", &format!("{PATH}/none"), &bearer, "").unwrap().0, 204);
    let (_, ready) = server.get("/readyz", "").unwrap();
    assert!(ready.contains("\"writes\":\"the disk reports an error\""), "{ready}");
    limit("--fsize=unlimited");
    server.until(|_| put("CA2").0 == 204, Duration::from_secs(3));
    let (_, answer) = server.get("/v3/acme/hotel/conversations", &format!("x-api-key: {key}\r\n")).unwrap();
    assert!(answer.contains("\"CA2\"") && !answer.contains("\"CA1\""), "{answer}");
    server.until(|server| server.get("/readyz", "").unwrap().0 == 200, Duration::from_secs(3));
}
