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
const CONNECTIONS: usize = 32;

/// A request: address, first line and headers, and the expected status.
#[derive(Clone, Debug)]
pub struct Ask {
    pub address: SocketAddr,
    pub path: String,
    pub key: String,
    pub status: u16,
}

/// The rate of requests.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// As fast as possible on 32 connections, for this time.
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
    let what = format!("{} {} {} {kind} {rate} {} {}", ask.address, ask.path, ask.status, time.as_millis(), ask.key);
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
    let mut words = what.splitn(7, ' ');
    let mut word = || words.next().ok_or("incomplete");
    let (address, path, status) = (word()?.parse()?, word()?.to_owned(), word()?.parse()?);
    let (open, rate, time) = (word()? == "open", word()?.parse()?, Duration::from_millis(word()?.parse()?));
    let asked = Ask { address, path, status, key: word()?.to_owned() };
    let (count, mut micros) = runtime.block_on(ask_from_here(&asked, open.then_some(rate), time))?;
    micros.sort_unstable();
    let micros: Vec<String> = micros.iter().map(u64::to_string).collect();
    println!("{} {}", count as f64 / time.as_secs_f64(), micros.join(","));
    Ok(true)
}

async fn ask_from_here(ask: &Ask, rate: Option<u32>, time: Duration) -> Outcome<(u64, Vec<u64>)> {
    let key = if ask.key.is_empty() { String::new() } else { format!("x-api-key: {}\r\n", ask.key) };
    let request = format!("GET {} HTTP/1.1\r\nhost: bench\r\n{key}\r\n", ask.path);
    let right = format!("HTTP/1.1 {}", ask.status);
    let began = Instant::now();
    let connections = if rate.is_some() { 8 } else { CONNECTIONS };
    let asking = (0..connections).map(|number| {
        let (request, right, address) = (request.clone(), right.clone(), ask.address);
        tokio::spawn(async move {
            let mut connection = TcpStream::connect(address).await?;
            connection.set_nodelay(true)?;
            let (mut answer, mut count, mut micros) = (vec![0; 16_384], 0_u64, Vec::new());
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
                    None => exchange(&mut connection, &request, &right, &mut answer).await?,
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

/// Sends a request and reads the whole response.
async fn exchange(connection: &mut TcpStream, request: &str, right: &str, answer: &mut [u8]) -> std::io::Result<()> {
    connection.write_all(request.as_bytes()).await?;
    let mut length = 0;
    loop {
        let read = connection.read(&mut answer[length..]).await?;
        length += read;
        let so_far = &answer[..length];
        if read == 0 || !so_far.starts_with(right.as_bytes()) {
            return Err(std::io::Error::other(String::from_utf8_lossy(so_far).into_owned()));
        }
        if let Some(end) = so_far.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&so_far[..end]).to_ascii_lowercase();
            let body = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let body: usize = body.and_then(|length| length.parse().ok()).unwrap_or(0);
            if length >= end + 4 + body {
                return Ok(());
            }
        }
    }
}
