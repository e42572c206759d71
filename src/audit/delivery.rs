//! Delivers audit entries to a file or a syslog server, each at least once. An entry waits in the database, since the
//! transaction that wrote it, until it was delivered.

use crate::audit::ocsf;
use crate::audit::store::{self, UnsentEntry};
use crate::base::time::Timestamp;
use crate::db::{Db, DbError, WorkKind};
use rustls_platform_verifier::ConfigVerifierExt as _;
use serde::Deserialize;
use std::fmt;
use std::io::SeekFrom;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncSeekExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// Entries that are delivered at once.
const BATCH: i64 = 200;
/// Interval of looking for entries.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long the next try waits after a failure.
const RETRY: Duration = Duration::from_secs(5);
/// Longest time for connecting, and for sending one batch.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a syslog server may take to close the connection.
const CLOSE: Duration = Duration::from_secs(2);
/// How long a server is the one that delivers, in seconds. It renews this in half of that time.
const LEASE_SECONDS: i64 = 60;
/// `<PRI>` of RFC 5424: facility 13 (log audit), severity 6 (informational).
const PRIORITY: u32 = 13 * 8 + 6;

/// Where audit entries are delivered to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum AuditTarget {
    /// A JSON line for each entry.
    File(PathBuf),
    /// RFC 5424 over TCP or TLS, with octet counting (RFC 6587, RFC 5425).
    Syslog { host: String, port: u16, tls: bool },
}

impl FromStr for AuditTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (tls, address) = match text.split_once("://") {
            None if !text.is_empty() => return Ok(Self::File(text.into())),
            Some(("syslog", address)) => (false, address),
            Some(("syslog+tls", address)) => (true, address),
            _ => return Err("a file, syslog://host:601 or syslog+tls://host:6514".to_owned()),
        };
        let (host, port) = address.rsplit_once(':').unwrap_or((address, if tls { "6514" } else { "601" }));
        let port = port.parse().map_err(|_| format!("`{port}` is no port"))?;
        Ok(Self::Syslog { host: host.trim_matches(['[', ']']).to_owned(), port, tls })
    }
}

impl TryFrom<String> for AuditTarget {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for AuditTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Syslog { host, port, tls } => write!(f, "syslog{}://{host}:{port}", if *tls { "+tls" } else { "" }),
        }
    }
}

/// Delivers the entries of all workspaces.
#[derive(Clone, Debug)]
pub struct AuditDelivery {
    db: Db,
    target: AuditTarget,
    /// This server's id.
    server: String,
}

impl AuditDelivery {
    pub fn new(db: &Db, target: AuditTarget) -> Self {
        let server = db.random().text(b"0123456789abcdefghijklmnopqrstuvwxyz", 20);
        Self { db: db.of(WorkKind::Background), target, server }
    }

    /// Delivers for ever. Servers on one database take turns: one delivers.
    pub async fn run(self) {
        let mut leased_until = Timestamp(0);
        loop {
            match self.deliver(&mut leased_until).await {
                Ok(0) => sleep(INTERVAL).await,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(target = %self.target, %error, "audit entries could not be delivered; they wait");
                    sleep(RETRY).await;
                }
            }
        }
    }

    /// Delivers a batch, if this server is the one that delivers, and returns the number of its entries.
    pub async fn deliver(&self, leased_until: &mut Timestamp) -> Result<usize, String> {
        let now = self.db.now();
        if now.plus_seconds(LEASE_SECONDS / 2) >= *leased_until {
            let until = now.plus_seconds(LEASE_SECONDS);
            if !self.lease(until).await.map_err(|e| e.to_string())? {
                return Ok(0);
            }
            *leased_until = until;
        }
        let entries = store::unsent(&self.db, BATCH).await.map_err(|e| e.to_string())?;
        if !entries.is_empty() {
            timeout(TIMEOUT, self.send(&entries)).await.map_err(|_| "no answer in time")?.map_err(|e| e.to_string())?;
            self.forget(&entries).await.map_err(|e| e.to_string())?;
        }
        Ok(entries.len())
    }

    async fn lease(&self, until: Timestamp) -> Result<bool, DbError> {
        let mut change = self.db.begin_unattended().await?;
        let leased = store::lease_sink(&mut change, &self.server, until).await?;
        change.commit().await?;
        Ok(leased)
    }

    async fn forget(&self, entries: &[UnsentEntry]) -> Result<(), DbError> {
        let mut change = self.db.begin_unattended().await?;
        store::sent(&mut change, entries).await?;
        change.commit().await
    }

    async fn send(&self, entries: &[UnsentEntry]) -> std::io::Result<()> {
        let events = entries.iter().map(|entry| (entry, ocsf::event(&entry.workspace_id, &entry.entry).to_string()));
        match &self.target {
            AuditTarget::File(path) => {
                let lines: String = events.map(|(_, event)| event + "\n").collect();
                let options = OpenOptions::new().create(true).read(true).append(true).mode(0o600).to_owned();
                let mut file = options.open(path).await?;
                if ends_within_a_line(&mut file).await? {
                    file.write_all(b"\n").await?;
                }
                file.write_all(lines.as_bytes()).await?;
                file.sync_all().await
            }
            AuditTarget::Syslog { host, port, tls } => {
                let messages: String = events.map(|(entry, event)| counted(&syslog_message(entry, &event))).collect();
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                match tls {
                    false => write_and_close(stream, &messages).await,
                    true => write_and_close(tls_stream(host, stream).await?, &messages).await,
                }
            }
        }
    }
}

/// Whether a crash or a full disk has left a part of a line at the end.
async fn ends_within_a_line(file: &mut File) -> std::io::Result<bool> {
    if file.metadata().await?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1)).await?;
    file.read_exact(&mut last).await?;
    Ok(last != *b"\n")
}

async fn tls_stream(host: &str, stream: TcpStream) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    // The only provider in this program; it may be installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = ClientConfig::with_platform_verifier().map_err(std::io::Error::other)?;
    let name = ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn write_and_close(mut stream: impl AsyncRead + AsyncWrite + Unpin, messages: &str) -> std::io::Result<()> {
    stream.write_all(messages.as_bytes()).await?;
    stream.flush().await?;
    stream.shutdown().await?;
    // A server that has read everything closes its side too. An error means that it has not.
    match timeout(CLOSE, stream.read(&mut [0])).await {
        Ok(Err(error)) => Err(error),
        _ => Ok(()),
    }
}

/// A message of RFC 5424, section 6.
fn syslog_message(entry: &UnsentEntry, event: &str) -> String {
    let at = entry.entry.at.iso();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let host: String = host.chars().filter(char::is_ascii_graphic).take(255).collect();
    let host = if host.is_empty() { "-" } else { &host };
    format!("<{PRIORITY}>1 {at} {host} agent-studio {} {} - {event}", std::process::id(), entry.entry.action)
}

/// Octet counting (RFC 6587, section 3.4.1).
fn counted(message: &str) -> String {
    format!("{} {message}", message.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read() {
        let syslog = |host: &str, port, tls| Ok(AuditTarget::Syslog { host: host.to_owned(), port, tls });
        assert_eq!("/var/log/audit.jsonl".parse(), Ok(AuditTarget::File("/var/log/audit.jsonl".into())));
        assert_eq!("syslog://siem:1601".parse(), syslog("siem", 1601, false));
        assert_eq!("syslog+tls://siem.example.com".parse(), syslog("siem.example.com", 6514, true));
        assert_eq!("syslog://[::1]:601".parse(), syslog("::1", 601, false));
        for wrong in ["", "udp://siem:514", "syslog://siem:x"] {
            assert!(wrong.parse::<AuditTarget>().is_err(), "{wrong}");
        }
    }
}
