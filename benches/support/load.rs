//! A load generator over real connections, in a separate process on another core. It sends requests as fast as it can,
//! or at a fixed rate. At a fixed rate, latencies count from the time at which each request was due.

use super::Outcome;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Environment variable for the process that sends the requests.
const ASK: &str = "BENCH_ASK";
/// The core that the client runs on; servers run on the other.
const CORE: &str = "1";
/// Connections at a fixed rate.
const OPEN_CONNECTIONS: usize = 8;

/// A request: address, first line and headers, and the expected status.
#[derive(Clone, Debug)]
pub struct Ask {
    pub address: SocketAddr,
    pub path: String,
    pub key: String,
    pub status: u16,
    pub connections: usize,
    /// Otherwise each request has a connection of its own.
    pub keep_alive: bool,
}

impl Ask {
    /// A request on 32 connections that are kept.
    pub fn new(address: SocketAddr, path: impl Into<String>, key: impl Into<String>, status: u16) -> Self {
        Self { address, path: path.into(), key: key.into(), status, connections: 32, keep_alive: true }
    }
}

/// The rate of requests.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// As fast as possible, for this time.
    Closed(Duration),
    /// This many requests per second, for this time.
    Open(u32, Duration),
}

/// Results: responses per second, and sorted latencies in microseconds.
pub struct LoadResult {
    pub rate: f64,
    pub micros: Vec<u64>,
}

impl LoadResult {
    /// The latency that this fraction of the responses did not exceed, in milliseconds.
    pub fn percentile(&self, part: f64) -> f64 {
        self.micros.get(((self.micros.len() - 1) as f64 * part) as usize).copied().unwrap_or(0) as f64 / 1_000.0
    }
}

/// Runs the load generator in a separate process. `main` must call [`answer_if_asked`] first.
pub async fn ask(ask: &Ask, pace: Pace) -> Outcome<LoadResult> {
    let (kind, rate, time) = match pace {
        Pace::Closed(time) => ("closed", 0, time),
        Pace::Open(rate, time) => ("open", rate, time),
    };
    let what = format!(
        "{} {} {} {} {} {kind} {rate} {} {}",
        ask.address,
        ask.path,
        ask.status,
        ask.connections,
        ask.keep_alive,
        time.as_millis(),
        ask.key
    );
    let mut client = Command::new("taskset");
    client.args(["-c", CORE]).arg(std::env::current_exe()?).env(ASK, what);
    let output = tokio::task::spawn_blocking(move || client.output()).await??;
    if !output.status.success() {
        return Err(format!("the client failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let (rate, micros) = text.trim_end_matches('\n').split_once(' ').ok_or("no answer of the client")?;
    let micros = micros.split(',').filter_map(|micros| micros.parse().ok()).collect();
    Ok(LoadResult { rate: rate.parse()?, micros })
}

/// Sends the requests and prints the results, if this is the process for it.
pub fn answer_if_asked(runtime: &tokio::runtime::Runtime) -> Outcome<bool> {
    let Ok(what) = std::env::var(ASK) else { return Ok(false) };
    let mut words = what.splitn(9, ' ');
    let mut word = || words.next().ok_or("incomplete");
    let (address, path, status) = (word()?.parse()?, word()?.to_owned(), word()?.parse()?);
    let (connections, keep_alive) = (word()?.parse()?, word()?.parse()?);
    let (open, rate, time) = (word()? == "open", word()?.parse()?, Duration::from_millis(word()?.parse()?));
    let asked = Ask { connections, keep_alive, ..Ask::new(address, path, word()?, status) };
    let (count, mut micros) = runtime.block_on(ask_from_here(&asked, open.then_some(rate), time))?;
    micros.sort_unstable();
    let micros: Vec<String> = micros.iter().map(u64::to_string).collect();
    println!("{} {}", count as f64 / time.as_secs_f64(), micros.join(","));
    Ok(true)
}

async fn ask_from_here(ask: &Ask, rate: Option<u32>, time: Duration) -> Outcome<(u64, Vec<u64>)> {
    let key = if ask.key.is_empty() { String::new() } else { format!("x-api-key: {}\r\n", ask.key) };
    let close = if ask.keep_alive { "" } else { "connection: close\r\n" };
    let request = format!("GET {} HTTP/1.1\r\nhost: bench\r\n{key}{close}\r\n", ask.path);
    let right = format!("HTTP/1.1 {}", ask.status);
    let connections = if rate.is_some() { OPEN_CONNECTIONS } else { ask.connections };
    let keep_alive = ask.keep_alive;
    // All are there before the first request.
    let mut ready = Vec::with_capacity(connections);
    for _ in 0..connections {
        ready.push(connect(ask.address).await?);
    }
    let began = Instant::now();
    let asking = ready.into_iter().enumerate().map(|(number, mut connection)| {
        let (request, right, address) = (request.clone(), right.clone(), ask.address);
        tokio::spawn(async move {
            let (mut answer, mut count, mut micros) = (Vec::new(), 0_u64, Vec::new());
            let step = rate.map(|rate| Duration::from_secs(1) * connections as u32 / rate);
            let mut due = began + step.unwrap_or_default() * number as u32 / connections as u32;
            while began.elapsed() < time {
                match step {
                    Some(step) => {
                        let mut since = due;
                        if Instant::now() < due {
                            tokio::time::sleep_until(due.into()).await;
                            // Timers have a resolution of milliseconds. Their delay is not counted as latency.
                            since = Instant::now();
                        }
                        exchange(&mut connection, &request, &right, &mut answer).await?;
                        micros.push(since.elapsed().as_micros() as u64);
                        due += step;
                    }
                    None => {
                        let since = Instant::now();
                        exchange(&mut connection, &request, &right, &mut answer).await?;
                        if !keep_alive {
                            connection = connect(address).await?;
                        }
                        micros.push(since.elapsed().as_micros() as u64);
                    }
                }
                count += 1;
            }
            Ok::<_, std::io::Error>((count, micros))
        })
    });
    let (mut count, mut micros) = (0, Vec::new());
    for asked in asking.collect::<Vec<_>>() {
        let (n, times) = asked.await??;
        count += n;
        micros.extend(times);
    }
    Ok((count, micros))
}

async fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let connection = TcpStream::connect(address).await?;
    connection.set_nodelay(true)?;
    Ok(connection)
}

/// Sends a request and reads the whole response.
async fn exchange(connection: &mut TcpStream, request: &str, right: &str, answer: &mut Vec<u8>) -> std::io::Result<()> {
    connection.write_all(request.as_bytes()).await?;
    answer.clear();
    // Where the body begins, and its length where the head says it.
    let mut head: Option<(usize, Option<usize>)> = None;
    loop {
        answer.reserve(16_384);
        let read = connection.read_buf(answer).await?;
        if read == 0 || !answer.starts_with(right.as_bytes()) {
            return Err(std::io::Error::other(String::from_utf8_lossy(answer).into_owned()));
        }
        if head.is_none()
            && let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n")
        {
            let lines = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
            let chunked = lines.contains("transfer-encoding: chunked");
            let length = lines.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            head = Some((end + 4, if chunked { None } else { Some(length.unwrap_or(0)) }));
        }
        let is_whole = match head {
            Some((start, Some(length))) => answer.len() >= start + length,
            Some((_, None)) => answer.ends_with(b"\r\n0\r\n\r\n"),
            None => false,
        };
        if is_whole {
            return Ok(());
        }
    }
}
