//! Load test of the program on both databases: clients read pages of 1,000 conversations as fast as they can, while
//! another one calls forward auth 200 times a second. Then an import beside other writers; the argument `import` runs
//! only this part. `BENCH_PROGRAM` measures another build, `BENCH_SECONDS` sets the time of each round.

#[expect(dead_code, reason = "the other benchmarks use more of it")]
mod support;

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};
use support::ratio::print_ratio;
use support::{Outcome, Postgres};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const ASKED_PER_SECOND: u32 = 200;
const CONVERSATIONS: usize = 1_000;
/// Environment variable for the process that reads: address, key, number of readers, seconds.
const READ: &str = "BENCH_READ";

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    if let Ok(what) = std::env::var(READ) {
        return runtime.block_on(read(&what));
    }
    let seconds = std::env::var("BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let cluster = Postgres::start()?;
    for (name, url) in [("SQLite", None), ("PostgreSQL", Some(cluster.url.as_str()))] {
        let program = Program::prepare(url)?;
        if !std::env::args().any(|argument| argument == "import") {
            runtime.block_on(measure(name, &program, Duration::from_secs(seconds)))?;
        }
        runtime.block_on(beside_an_import(name, &program))?;
    }
    Ok(())
}

/// The program with a workspace, an agent, conversations, a key and a runtime token.
struct Program {
    dir: tempfile::TempDir,
    database: Option<String>,
    key: String,
    token: String,
}

struct Server(Child, #[expect(dead_code, reason = "kept open, as a terminal is")] BufReader<ChildStderr>);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Program {
    fn prepare(database: Option<&str>) -> Outcome<Self> {
        let mut program = Self {
            dir: tempfile::tempdir()?,
            database: database.map(str::to_owned),
            key: String::new(),
            token: String::new(),
        };
        program.json(&["workspace", "create", "--name", "Acme", "--json"])?;
        program.json(&["agent", "create", "--workspace", "acme", "--name", "Hotel", "--slug", "hotel", "--json"])?;
        program.write_conversations("conversations.jsonl", CONVERSATIONS)?;
        let file = program.dir.path().join("conversations.jsonl");
        let file = file.to_str().ok_or("a path")?;
        program.json(&["import", "--workspace", "acme", "--agent", "hotel", "--json", file])?;
        program.key = program.new_key()?.1;
        let token = program.json(&["runtime-token", "create", "--workspace", "acme", "--name", "bench", "--json"])?;
        program.token = token["token"].as_str().ok_or("no token")?.to_owned();
        Ok(program)
    }

    fn write_conversations(&self, name: &str, count: usize) -> Outcome<()> {
        let mut file = std::io::BufWriter::new(std::fs::File::create(self.dir.path().join(name))?);
        let said = "I would like to move my booking to another day if that is possible at all please ".repeat(2);
        let turn = format!("{{\"user_input\":\"{said}\",\"agent_response\":\"{said}\"}}");
        let turns = vec![turn; 6].join(",");
        for number in 0..count {
            let minute = number % 60;
            writeln!(
                file,
                "{{\"id\":\"{name}-{number}\",\"started_at\":\"2026-05-01T10:{minute:02}:00Z\",\"turns\":[{turns}]}}"
            )?;
        }
        Ok(file.flush()?)
    }

    fn new_key(&self) -> Outcome<(String, String)> {
        let create = ["key", "create", "--workspace", "acme", "--name", "bench", "--agents", "all"];
        let rest = ["--permissions", "conversations", "--expires-in", "90d", "--json"];
        let key = self.json(&[create.as_slice(), rest.as_slice()].concat())?;
        let text = |name: &str| key[name].as_str().map(str::to_owned).ok_or("no key");
        Ok((text("id")?, text("key")?))
    }

    fn command(&self, args: &[&str]) -> Command {
        let program = std::env::var("BENCH_PROGRAM").unwrap_or_else(|_| "target/release/agent-studio".to_owned());
        let mut command = Command::new(program);
        command.args(args).env("AGENT_STUDIO_DATA_DIR", self.dir.path()).env_remove("DATABASE_URL");
        command.env("RUST_LOG", "off").stdin(Stdio::null());
        if let Some(url) = &self.database {
            command.env("DATABASE_URL", url).env("AGENT_STUDIO_MASTER_KEY", MASTER_KEY);
        }
        command
    }

    fn json(&self, args: &[&str]) -> Outcome<Value> {
        let output = self.command(args).output()?;
        match output.status.success() {
            true => Ok(serde_json::from_slice(&output.stdout)?),
            false => Err(format!("{args:?}: {}", String::from_utf8_lossy(&output.stderr)).into()),
        }
    }

    fn serve(&self) -> Outcome<(Server, SocketAddr)> {
        let mut child = self.command(&["serve", "--listen", "127.0.0.1:0"]).stderr(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let mut said = BufReader::new(child.stderr.take().ok_or("no standard error")?);
        said.read_line(&mut line)?;
        let address = line.trim().rsplit_once("http://").ok_or(line.clone())?.1.parse()?;
        std::thread::sleep(Duration::from_secs(1));
        Ok((Server(child, said), address))
    }
}

async fn measure(name: &str, program: &Program, time: Duration) -> Outcome<()> {
    let (_server, address) = program.serve()?;
    let alone = ask_the_gate(program, address, time.min(Duration::from_secs(20))).await?;
    println!("{name}: forward auth alone: {}", alone.text());
    for (readers, nice) in [(200, "0"), (500, "0"), (1_000, "0"), (200, "19")] {
        let what = format!("{address} {} {readers} {}", program.key, time.as_secs() + 2);
        let mut reading = Command::new("nice");
        reading.args(["-n", nice]).arg(std::env::current_exe()?).env(READ, what).stdout(Stdio::piped());
        let reading = reading.spawn()?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let beside = ask_the_gate(program, address, time).await?;
        let pages = String::from_utf8(tokio::task::spawn_blocking(|| reading.wait_with_output()).await??.stdout)?;
        println!(
            "{name}: beside {readers} readers (niceness {nice}): {}; p99 {:.1} times that without; {}",
            beside.text(),
            beside.percentile(0.99) / alone.percentile(0.99),
            pages.trim()
        );
        if nice == "0" {
            let ratio = beside.percentile(0.99) / alone.percentile(0.99);
            print_ratio(&format!("forward auth's p99 beside {readers} readers, {name}"), ratio)?;
        }
    }
    let after = ask_the_gate(program, address, Duration::from_secs(5)).await?;
    println!("{name}: afterwards: {}", after.text());
    Ok(())
}

/// The responses of forward auth.
#[derive(Default)]
struct Asked {
    micros: Vec<u64>,
    refused: usize,
    /// Longest time from the end of `key delete` until the key was refused.
    revoked_after: Duration,
}

impl Asked {
    fn percentile(&self, part: f64) -> f64 {
        self.micros.get((self.micros.len().saturating_sub(1) as f64 * part) as usize).copied().unwrap_or(0) as f64 / 1e3
    }

    fn text(&self) -> String {
        format!(
            "{} calls with a valid key, {} refused, p50 {:.2} ms, p99 {:.2} ms; keys deleted by a command are refused at most \
             {:.1} ms after it has ended",
            self.micros.len(),
            self.refused,
            self.percentile(0.5),
            self.percentile(0.99),
            self.revoked_after.as_secs_f64() * 1e3
        )
    }
}

async fn ask_the_gate(program: &Program, address: SocketAddr, time: Duration) -> Outcome<Asked> {
    let began = Instant::now();
    let mut asking = Vec::new();
    for number in 0..4_u32 {
        let key = program.key.clone();
        asking.push(tokio::spawn(async move {
            let mut connection = TcpStream::connect(address).await?;
            connection.set_nodelay(true)?;
            let (mut asked, step) = (Asked::default(), Duration::from_secs(4) / ASKED_PER_SECOND);
            let mut due = began + step * number / 4;
            while began.elapsed() < time {
                tokio::time::sleep_until(due.into()).await;
                let sent = Instant::now().max(due);
                let status = exchange(&mut connection, "GET /authz/nginx?account_id=acme", &key).await?;
                asked.micros.push(sent.elapsed().as_micros() as u64);
                asked.refused += usize::from(status != 200);
                due += step;
            }
            Ok::<_, std::io::Error>(asked)
        }));
    }
    let mut all = Asked::default();
    while began.elapsed() + Duration::from_secs(4) < time {
        let (id, key) = program.new_key()?;
        let mut connection = TcpStream::connect(address).await?;
        exchange(&mut connection, "GET /authz/nginx?account_id=acme", &key).await?;
        program.command(&["key", "delete", "--workspace", "acme", &id]).output()?;
        let answered = Instant::now();
        while exchange(&mut connection, "GET /authz/nginx?account_id=acme", &key).await? == 200 {}
        all.revoked_after = all.revoked_after.max(answered.elapsed());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    for asked in asking {
        let asked = asked.await??;
        all.micros.extend(asked.micros);
        all.refused += asked.refused;
    }
    all.micros.sort_unstable();
    Ok(all)
}

/// Sends a request without a body and returns the status.
async fn exchange(connection: &mut TcpStream, line: &str, key: &str) -> std::io::Result<u16> {
    let request = format!("{line} HTTP/1.1\r\nhost: bench\r\nx-api-key: {key}\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let (mut answer, mut length) = (vec![0; 16_384], 0);
    loop {
        let read = connection.read(&mut answer[length..]).await?;
        length += read;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let Some(end) = answer[..length].windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
        let body = head.lines().find_map(|line| line.strip_prefix("content-length: ")).and_then(|n| n.parse().ok());
        if length >= end + 4 + body.unwrap_or(0) {
            return Ok(head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0));
        }
    }
}

/// Runs clients that read pages as fast as they can, and prints the number of pages.
async fn read(what: &str) -> Outcome<()> {
    let words: Vec<&str> = what.split(' ').collect();
    let [address, key, readers, seconds] = words[..] else { return Err("incomplete".into()) };
    let (address, readers): (SocketAddr, usize) = (address.parse()?, readers.parse()?);
    let until = Instant::now() + Duration::from_secs(seconds.parse()?);
    let request = format!(
        "GET /v3/acme/hotel/conversations?limit=1000 HTTP/1.1\r\nhost: bench\r\nx-api-key: {key}\r\nconnection: close\r\n\r\n"
    );
    let reading = (0..readers).map(|_| {
        let request = request.clone();
        tokio::spawn(async move {
            let (mut pages, mut busy, mut other, mut part) = (0_u64, 0_u64, 0_u64, vec![0; 65_536]);
            while Instant::now() < until {
                let answered = async {
                    let mut connection = TcpStream::connect(address).await?;
                    connection.write_all(request.as_bytes()).await?;
                    let mut status = [0; 12];
                    connection.read_exact(&mut status).await?;
                    while connection.read(&mut part).await? > 0 {}
                    Ok::<_, std::io::Error>(status)
                };
                match tokio::time::timeout_at(until.into(), answered).await {
                    Ok(Ok(status)) if status.ends_with(b"200") => pages += 1,
                    Ok(Ok(status)) if status.ends_with(b"503") => busy += 1,
                    Ok(_) => other += 1,
                    Err(_) => {}
                }
            }
            (pages, busy, other)
        })
    });
    let (mut pages, mut busy, mut other) = (0, 0, 0);
    for reader in reading.collect::<Vec<_>>() {
        let (p, b, o) = reader.await?;
        (pages, busy, other) = (pages + p, busy + b, other + o);
    }
    println!("{pages} pages of 1,000, {busy} answered 503, {other} otherwise");
    Ok(())
}

/// Measures writes of a server while the command line imports into the same database.
async fn beside_an_import(name: &str, program: &Program) -> Outcome<()> {
    const IMPORTED: usize = 20_000;
    program.write_conversations("many.jsonl", IMPORTED)?;
    let (_server, address) = program.serve()?;
    let file = program.dir.path().join("many.jsonl");
    let file = file.to_str().ok_or("a path")?;
    let import = ["import", "--workspace", "acme", "--agent", "hotel", "--json", file];
    let began = Instant::now();
    let mut importing = program.command(&import).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let (mut micros, mut deletions) = (Vec::new(), Vec::new());
    let mut connection = TcpStream::connect(address).await?;
    for number in 0.. {
        if importing.try_wait()?.is_some() {
            break;
        }
        let body = "{\"started_at\":\"2026-05-01T10:00:00Z\"}";
        let line = format!("PUT /runtime/v1/acme/hotel/conversations/beside-{number}");
        let put = format!(
            "{line} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            program.token,
            body.len()
        );
        let sent = Instant::now();
        connection.write_all(put.as_bytes()).await?;
        let mut answer = [0; 4_096];
        let read = connection.read(&mut answer).await?;
        if !answer[..read].starts_with(b"HTTP/1.1 204") {
            return Err(String::from_utf8_lossy(&answer[..read]).into_owned().into());
        }
        micros.push(sent.elapsed().as_micros() as u64);
        if number % 20 == 0 {
            let (id, _) = program.new_key()?;
            let sent = Instant::now();
            program.command(&["key", "delete", "--workspace", "acme", &id]).output()?;
            deletions.push(sent.elapsed().as_micros() as u64);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took = began.elapsed();
    micros.sort_unstable();
    deletions.sort_unstable();
    let at = |all: &[u64], part: f64| all[((all.len() - 1) as f64 * part) as usize] as f64 / 1e3;
    println!(
        "{name}: beside an import ({:.0} conversations a second): {} conversations written, p50 {:.1} ms, p99 {:.1} ms, longest \
         {:.1} ms; a key's deletion by a command of its own, longest of {}: {:.1} ms",
        IMPORTED as f64 / took.as_secs_f64(),
        micros.len(),
        at(&micros, 0.5),
        at(&micros, 0.99),
        at(&micros, 1.0),
        deletions.len(),
        at(&deletions, 1.0)
    );
    // The same import without other writers.
    let began = Instant::now();
    program.write_conversations("again.jsonl", IMPORTED)?;
    let file = program.dir.path().join("again.jsonl");
    let written = began.elapsed();
    let import = ["import", "--workspace", "acme", "--agent", "hotel", "--json", file.to_str().ok_or("a path")?];
    program.command(&import).output()?;
    let took = began.elapsed() - written;
    println!("{name}: an import alone: {:.0} conversations a second", IMPORTED as f64 / took.as_secs_f64());
    Ok(())
}
