//! Settings from flags, environment variables and the settings file, in this order of precedence.

use crate::audit::delivery::AuditTarget;
use crate::backups::schedule::BackupSchedule;
use crate::base::clock::Clock;
use crate::base::randomness::Random;
use crate::base::sealing::{MasterKeys, new_master_key};
use crate::db::{DatabaseLocation, Db, Snapshot, give_to_owner_of_folder};
use crate::http::listener::ConnectionLimit;
use crate::recordings::storage::RecordingStorage;
use crate::server::build::{ServiceSettings, build};
use crate::server::state::Services;
use crate::usage::record::RequestLogLimits;
use clap::{Args, ValueEnum};
use serde::Deserialize;
use std::fs;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;
use zeroize::Zeroizing;

/// The settings file of packages.
const DEFAULT_FILE: &str = "/etc/agent-studio/config.toml";
/// Default address of the metrics' listener.
const DEFAULT_METRICS_LISTEN: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 9464);

/// All settings. Each has a flag and an environment variable. Its name in the settings file is that of the flag, with
/// underscores.
#[derive(Clone, Default, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Settings file, in TOML: `listen = "0.0.0.0:3000"` [default: /etc/agent-studio/config.toml, if it is there]
    #[arg(long, env = "AGENT_STUDIO_CONFIG", global = true, value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Folder of SQLite's database and of the master key's file [default: ./data]
    #[arg(long, env = "AGENT_STUDIO_DATA_DIR", global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// PostgreSQL instead of SQLite: postgres://user:password@host/database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, global = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// Encrypts the stored values of keys: 32 bytes in base64; required with PostgreSQL, with SQLite made at first
    /// start. Several, separated by commas: the first encrypts, all decrypt
    #[arg(long, env = "AGENT_STUDIO_MASTER_KEY", hide_env_values = true, global = true, value_name = "BASE64")]
    pub master_key: Option<String>,
    /// Address to listen on [default: 127.0.0.1:3000]
    #[arg(long, env = "AGENT_STUDIO_LISTEN", global = true, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Separate address for forward auth (/authz), which only the proxy should reach [default: the main address]
    #[arg(long, env = "AGENT_STUDIO_AUTHZ_LISTEN", global = true, value_name = "ADDR")]
    pub authz_listen: Option<SocketAddr>,
    /// Address of /metrics, which no other address serves [default: 127.0.0.1:9464, or any free port if that is taken]
    #[arg(long, env = "AGENT_STUDIO_METRICS_LISTEN", global = true, value_name = "ADDR")]
    pub metrics_listen: Option<SocketAddr>,
    /// URL of this server for browsers, if it is not the address to listen on: `https://keys.example.com`
    #[arg(long, env = "AGENT_STUDIO_PUBLIC_URL", global = true, value_name = "URL")]
    pub public_url: Option<String>,
    /// Trust the last address in X-Forwarded-For, for use behind a reverse proxy, which must set it
    #[arg(long, env = "AGENT_STUDIO_BEHIND_PROXY", global = true, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub behind_proxy: Option<bool>,
    /// Maximum number of open connections of one address or IPv6 /64 network [default: 1024, without a limit for this
    /// machine; no limit behind a proxy]
    #[arg(long, env = "AGENT_STUDIO_CONNECTIONS_PER_ADDRESS", global = true, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub connections_per_address: Option<u32>,
    /// Ignored: a setting of earlier versions, whose settings files must not keep the server from starting.
    #[arg(skip)]
    pub site_dir: Option<PathBuf>,
    /// Where recordings are: a folder, or `s3://bucket/prefix` with AWS's own environment variables (`AWS_REGION`,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_ENDPOINT`, …) [default: `recordings` in the data folder]
    #[arg(long, env = "AGENT_STUDIO_RECORDINGS", global = true, value_name = "PLACE")]
    pub recordings: Option<String>,
    /// Accepted calls that are logged per second; above that, a sample is logged; refused calls are logged up to about
    /// 1000 per second of each key [default: 1000]
    #[arg(long, env = "AGENT_STUDIO_REQUEST_LOG_RATE", global = true, value_name = "CALLS")]
    pub request_log_rate: Option<u32>,
    /// Days that a call stays in the request log [default: 30]
    #[arg(long, env = "AGENT_STUDIO_REQUEST_LOG_DAYS", global = true, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub request_log_days: Option<u32>,
    /// Maximum number of calls in the request log of a workspace [default: 500000]
    #[arg(long, env = "AGENT_STUDIO_REQUEST_LOG_ROWS", global = true, value_name = "CALLS")]
    pub request_log_rows: Option<u32>,
    /// Seconds for which calls are decided by the last known keys while the database is unreachable; 0 refuses them
    /// [default: 0]
    #[arg(long, env = "AGENT_STUDIO_LAST_KNOWN_SECONDS", global = true, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=86_400))]
    pub last_known_seconds: Option<u32>,
    /// Folder for backups of the database, made while the server runs [default: no backups]
    #[arg(long, env = "AGENT_STUDIO_BACKUP_TO", global = true, value_name = "DIR")]
    pub backup_to: Option<PathBuf>,
    /// Time between two backups [default: 24h]
    #[arg(long, env = "AGENT_STUDIO_BACKUP_EVERY", global = true, value_name = "DURATION")]
    pub backup_every: Option<Interval>,
    /// Number of backups that are kept [default: 14]
    #[arg(long, env = "AGENT_STUDIO_BACKUP_KEEP", global = true, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub backup_keep: Option<u32>,
    /// Deliver audit entries as OCSF events: to a file of JSON Lines, or to `syslog://host:601` or
    /// `syslog+tls://host:6514` (RFC 5424) [default: nowhere]
    #[arg(long, env = "AGENT_STUDIO_AUDIT_TO", global = true, value_name = "TARGET")]
    pub audit_to: Option<AuditTarget>,
    /// Collector of traces, by OTLP over HTTP: `http://127.0.0.1:4318` [default: no traces]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", global = true, value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// Format of the log [default: text]
    #[arg(long, env = "AGENT_STUDIO_LOG_FORMAT", global = true, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// Time between two backups, of a minute at least: `24h`, `30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Interval(Duration);

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let duration = humantime::parse_duration(text).map_err(|e| e.to_string())?;
        if duration < Duration::from_secs(60) {
            return Err("at least 1m".to_owned());
        }
        Ok(Self(duration))
    }
}

impl TryFrom<String> for Interval {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Format of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl Settings {
    /// Adds the settings of the settings file where neither a flag nor an environment variable sets them.
    pub fn with_file(self) -> Result<Self, String> {
        let default = Path::new(DEFAULT_FILE);
        let path = match &self.config {
            Some(path) => path,
            None if default.exists() => default,
            None => return Ok(self),
        };
        let text = fs::read_to_string(path).map_err(|e| format!("the settings file {}: {e}", path.display()))?;
        let file: Self = toml::from_str(&text)
            .map_err(|e| format!("the settings file {}: {}", path.display(), e.message().replace('\n', " ")))?;
        Ok(Self {
            config: Some(path.to_owned()),
            site_dir: None,
            data_dir: self.data_dir.or(file.data_dir),
            database_url: self.database_url.or(file.database_url),
            master_key: self.master_key.or(file.master_key),
            listen: self.listen.or(file.listen),
            authz_listen: self.authz_listen.or(file.authz_listen),
            metrics_listen: self.metrics_listen.or(file.metrics_listen),
            public_url: self.public_url.or(file.public_url),
            behind_proxy: self.behind_proxy.or(file.behind_proxy),
            connections_per_address: self.connections_per_address.or(file.connections_per_address),
            recordings: self.recordings.or(file.recordings),
            request_log_rate: self.request_log_rate.or(file.request_log_rate),
            request_log_days: self.request_log_days.or(file.request_log_days),
            request_log_rows: self.request_log_rows.or(file.request_log_rows),
            last_known_seconds: self.last_known_seconds.or(file.last_known_seconds),
            backup_to: self.backup_to.or(file.backup_to),
            backup_every: self.backup_every.or(file.backup_every),
            backup_keep: self.backup_keep.or(file.backup_keep),
            audit_to: self.audit_to.or(file.audit_to),
            otlp_endpoint: self.otlp_endpoint.or(file.otlp_endpoint),
            log_format: self.log_format.or(file.log_format),
        })
    }

    /// Folder of SQLite's database and of the master key's file.
    pub fn data_dir(&self) -> &Path {
        self.data_dir.as_deref().unwrap_or(Path::new("data"))
    }

    pub fn listen(&self) -> SocketAddr {
        self.listen.unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3000))
    }

    /// Address of the metrics. If it is not set and taken, the server uses another one.
    pub fn metrics_address(&self) -> SocketAddr {
        self.metrics_listen.unwrap_or(SocketAddr::from(DEFAULT_METRICS_LISTEN))
    }

    /// Maximum number of connections of one address.
    pub fn connections_per_address(&self) -> ConnectionLimit {
        match (self.connections_per_address, self.behind_proxy.unwrap_or(false)) {
            (Some(limit), _) => ConnectionLimit::AtMost(limit as usize),
            (None, true) => ConnectionLimit::Unlimited,
            (None, false) => ConnectionLimit::AtMostFromElsewhere(1_024),
        }
    }

    /// Whether this server uses SQLite.
    pub fn is_sqlite(&self) -> bool {
        self.database_url.is_none()
    }

    /// Opens the database, finds the master key, and builds the services. The error is one sentence that names the
    /// setting.
    pub async fn open(&self) -> Result<Services, String> {
        // A server does not see the migrations that another process runs on its SQLite file.
        let _lock = if self.is_behind(&self.location()?).await { self.lock_data_dir()? } else { None };
        self.open_locked().await
    }

    /// Like [`Self::open`], for a caller that holds the lock of the data directory.
    pub async fn open_locked(&self) -> Result<Services, String> {
        let public_origin = self.public_url.as_deref().map(origin).transpose()?;
        let master_keys = self.find_master_keys()?;
        let db = self.open_database().await?;
        let plain_loopback = match &public_origin {
            Some(origin) => is_plain_loopback(origin),
            None => self.listen().ip().is_loopback(),
        };
        build(ServiceSettings {
            db,
            master_keys,
            limits: self.request_log(),
            last_known: Duration::from_secs(self.last_known_seconds.unwrap_or(0).into()),
            public_origin,
            secure_cookies: !plain_loopback,
            behind_proxy: self.behind_proxy.unwrap_or(false),
            forward_auth_apart: self.authz_listen.is_some(),
            recordings: self.recording_storage()?,
        })
    }

    /// When backups are made, if they are.
    pub fn backup_schedule(&self) -> Option<BackupSchedule> {
        let folder = self.backup_to.clone()?;
        let every = self.backup_every.map_or(Duration::from_secs(86_400), |Interval(every)| every);
        Some(BackupSchedule { folder, every, keep: self.backup_keep.unwrap_or(14) as usize })
    }

    fn recording_storage(&self) -> Result<RecordingStorage, String> {
        let opened = match self.recordings.as_deref() {
            Some(place) if place.starts_with("s3://") => RecordingStorage::bucket(place),
            Some(folder) => RecordingStorage::folder(Path::new(folder)),
            None => RecordingStorage::folder(&self.data_dir().join("recordings")),
        };
        opened.map_err(|e| format!("the place of recordings (--recordings): {e}"))
    }

    fn request_log(&self) -> RequestLogLimits {
        let RequestLogLimits { per_second, days, rows } = RequestLogLimits::default();
        RequestLogLimits {
            per_second: self.request_log_rate.unwrap_or(per_second),
            days: self.request_log_days.unwrap_or(days),
            rows: self.request_log_rows.unwrap_or(rows),
        }
    }

    /// Where the database is.
    pub fn location(&self) -> Result<DatabaseLocation, String> {
        match &self.database_url {
            None => Ok(DatabaseLocation::Sqlite(self.data_dir().join("agent-studio.db"))),
            Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                Ok(DatabaseLocation::Postgres(url.clone()))
            }
            Some(_) => Err("DATABASE_URL (--database-url) must begin with postgres://.".to_owned()),
        }
    }

    /// The database and the setting that names it, for error messages. A PostgreSQL URL has a password and is not named.
    pub fn named_location(&self) -> String {
        match self.location() {
            Ok(DatabaseLocation::Sqlite(path)) => format!("the database {} (--data-dir)", path.display()),
            _ => "PostgreSQL at DATABASE_URL (--database-url)".to_owned(),
        }
    }

    async fn open_database(&self) -> Result<Db, String> {
        let location = self.location()?;
        if let DatabaseLocation::Sqlite(path) = &location {
            make_private_dir(self.data_dir())?;
            // SQLite creates its other files with the mode of this one.
            let private = fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path);
            private.map_err(|e| format!("{}: {e}", self.named_location()))?;
        }
        let opened = Db::open(&location, Clock::System, Random::System).await;
        opened.map_err(|e| format!("{}: {e}", self.named_location()))
    }

    /// Whether this is a SQLite database with the schema of an earlier version.
    async fn is_behind(&self, location: &DatabaseLocation) -> bool {
        let DatabaseLocation::Sqlite(_) = location else { return false };
        let Ok(mut snapshot) = Snapshot::open(location).await else { return false };
        let version = snapshot.schema_version().await;
        let _ = snapshot.close().await;
        version.is_ok_and(|version| version < Db::latest_schema())
    }

    /// Locks the data directory until the file is dropped. Only one server may use a SQLite database, because a server
    /// does not see another one's memory. `None` with PostgreSQL.
    pub fn lock_data_dir(&self) -> Result<Option<fs::File>, String> {
        if !self.is_sqlite() {
            return Ok(None);
        }
        make_private_dir(self.data_dir())?;
        let path = self.data_dir().join("server.lock");
        let file = fs::File::create(&path).and_then(|file| give_to_owner_of_folder(&path).map(|()| file));
        let file = file.map_err(|e| format!("the lock file {} (--data-dir): {e}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(_) => Err(format!(
                "another server is running on the data directory {} (--data-dir); only with PostgreSQL can several share.",
                self.data_dir().display()
            )),
        }
    }

    fn master_key_file(&self) -> PathBuf {
        self.data_dir().join("master.key")
    }

    /// Puts a new master key before those of the file, so that it seals from now on, also in a running server. `None` if
    /// the settings have the key.
    pub fn add_master_key(&self) -> Result<Option<()>, String> {
        self.change_master_keys(|keys| {
            let new = new_master_key(&Random::System);
            [vec![new], keys].concat()
        })
    }

    /// Removes all master keys from the file but the first.
    pub fn drop_old_master_keys(&self) -> Result<Option<()>, String> {
        self.change_master_keys(|keys| keys.into_iter().take(1).collect())
    }

    /// Locks the master key's file against another change, until the file is dropped. `None` if the settings have the key.
    pub fn lock_master_keys(&self) -> Result<Option<fs::File>, String> {
        if self.master_key.is_some() || !self.is_sqlite() {
            return Ok(None);
        }
        let path = self.master_key_file().with_added_extension("lock");
        let file = fs::File::create(&path).and_then(|file| give_to_owner_of_folder(&path).map(|()| file));
        let file = file.map_err(|e| format!("the lock file {} (--data-dir): {e}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(_) => Err("the master key is being changed by another command.".to_owned()),
        }
    }

    /// Whether there is a master key, in the settings or in its file.
    pub fn has_master_key(&self) -> bool {
        self.master_key.is_some() || self.is_sqlite() && self.master_key_file().is_file()
    }

    /// Whether the settings have more than one master key.
    pub fn has_several_master_keys(&self) -> bool {
        self.master_key.as_deref().is_some_and(|keys| keys.trim().contains([',', ' ']))
    }

    fn change_master_keys(
        &self,
        change: impl FnOnce(Vec<Zeroizing<String>>) -> Vec<Zeroizing<String>>,
    ) -> Result<Option<()>, String> {
        if self.master_key.is_some() || !self.is_sqlite() {
            return Ok(None);
        }
        let path = self.master_key_file();
        let failed = |e: std::io::Error| format!("the master key's file {} (--data-dir): {e}", path.display());
        let text = Zeroizing::new(fs::read_to_string(&path).map_err(failed)?);
        let keys = change(text.lines().map(|line| Zeroizing::new(line.to_owned())).collect());
        let lines: Vec<&str> = keys.iter().map(|key| key.as_str()).collect();
        replace_master_keys(&path, &lines).map(Some).map_err(failed)
    }

    /// The master keys from the settings or, with SQLite, from their file, which is made if there is none.
    pub fn find_master_keys(&self) -> Result<MasterKeys, String> {
        if let Some(text) = &self.master_key {
            return MasterKeys::from_base64(text)
                .ok_or_else(|| "AGENT_STUDIO_MASTER_KEY (--master-key) must be 32 bytes in base64.".to_owned());
        }
        if !self.is_sqlite() {
            return Err(
                "With PostgreSQL, AGENT_STUDIO_MASTER_KEY (--master-key) must be set to 32 random bytes in base64, \
                        as `openssl rand -base64 32` prints them."
                    .to_owned(),
            );
        }
        make_private_dir(self.data_dir())?;
        let path = self.master_key_file();
        let failed = |e: std::io::Error| format!("the master key's file {} (--data-dir): {e}", path.display());
        if !path.try_exists().map_err(failed)? {
            write_new_master_key(&path).map_err(failed)?;
        }
        MasterKeys::from_file(&path).map_err(failed)?.ok_or_else(|| {
            format!("the master key's file {} does not hold 32 bytes in base64 in each line.", path.display())
        })
    }
}

/// Replaces the file at once, so that a crash leaves the keys of before or after.
fn replace_master_keys(path: &Path, keys: &[&str]) -> std::io::Result<()> {
    let draft = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    for key in keys {
        writeln!(file, "{key}")?;
    }
    file.sync_all()?;
    give_to_owner_of_folder(&draft)?;
    fs::rename(&draft, path)?;
    fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// Writes a new key to a temporary file and links it into place. So a crash leaves no partial file, and a key that
/// another process made meanwhile is not overwritten.
fn write_new_master_key(path: &Path) -> std::io::Result<()> {
    let text = new_master_key(&Random::System);
    let draft = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    writeln!(file, "{}", text.as_str())?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn make_private_dir(dir: &Path) -> Result<(), String> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|e| format!("the data directory {} (--data-dir): {e}", dir.display()))
}

/// The origin of a URL: scheme and authority.
fn origin(url: &str) -> Result<String, String> {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let authority = rest.trim_end_matches('/');
    let plain = !authority.is_empty() && !authority.contains(['/', '?', '#', '@', ' ']);
    if matches!(scheme, "http" | "https") && plain {
        Ok(format!("{scheme}://{}", authority.to_lowercase()))
    } else {
        Err("AGENT_STUDIO_PUBLIC_URL (--public-url) must be a scheme and a host, such as https://keys.example.com."
            .to_owned())
    }
}

fn is_plain_loopback(origin: &str) -> bool {
    let Some(authority) = origin.strip_prefix("http://") else { return false };
    let host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, port)| if port.bytes().all(|b| b.is_ascii_digit()) { host } else { authority });
    host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        assert_eq!(origin("https://Keys.example.com/").as_deref(), Ok("https://keys.example.com"));
        for wrong in ["keys.example.com", "ftp://x", "https://", "https://a/b", "https://u@h"] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_plain_http_on_loopback_goes_without_secure_cookies() {
        for plain in ["http://127.0.0.1:3000", "http://localhost", "http://[::1]:80", "http://[::1]"] {
            assert!(is_plain_loopback(plain), "{plain}");
        }
        for other in ["https://localhost", "http://example.com", "http://localhost.example.com", "http://10.0.0.1"] {
            assert!(!is_plain_loopback(other), "{other}");
        }
    }

    #[test]
    fn the_file_is_weaker_than_flags_and_refuses_unknown_names() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, "listen = \"127.0.0.1:1\"\ndata_dir = \"from-file\"\n").unwrap();
        let flags = Settings {
            config: Some(file.path().to_owned()),
            data_dir: Some("from-flag".into()),
            ..Settings::default()
        };
        let settings = flags.clone().with_file().unwrap();
        assert_eq!(settings.data_dir(), Path::new("from-flag"));
        assert_eq!(settings.listen().port(), 1);

        fs::write(&file, "lisen = 1").unwrap();
        assert!(flags.with_file().err().unwrap().contains("lisen"));
    }

    #[test]
    fn a_master_key_is_made_once_and_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings { data_dir: Some(dir.path().join("new")), ..Settings::default() };
        let id = settings.find_master_keys().unwrap().id();
        assert_eq!(settings.find_master_keys().unwrap().id(), id);
        let mode = fs::metadata(dir.path().join("new/master.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path().join("new")).unwrap().count(), 1);
    }
}
