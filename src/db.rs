//! Access to SQLite or PostgreSQL through one type. A statement is written once, with `$1` placeholders, and runs on
//! either engine through [`on_db!`](crate::on_db) and [`on_change!`](crate::on_change). `docs/storage.md` describes how
//! both engines are kept to the same behaviour.
//!
//! Each `WorkKind` has its own connections, so that no kind can starve another.

/// Write transactions and the hook that their commits wait for.
mod change;
/// Whether anything was committed to a SQLite file, read without a query.
mod commit_mark;
/// Connections in use, and the check that no task holds two.
mod connection;
/// Errors: why a database cannot be opened, reached or written to.
mod failure;
/// Queue of the processes that write to one SQLite file.
mod file_queue;
/// An empty database that is being filled.
mod load;
/// Where a database is.
mod location;
/// The migrations of each engine, built into the program.
mod migrations;
/// Statements that take many rows at once.
pub mod rows;
/// A consistent view of a whole database.
mod snapshot;
/// Kinds of work, and the limit of concurrent work for each.
mod work;
/// Whether the database can be written to.
mod write_health;

pub use change::{AfterCommit, Change, ChangeConnection, CommitHook};
pub use commit_mark::CommitMark;
pub use connection::{ActiveConnection, Reader};
pub use failure::{DbError, OpenError, Unreachable, WriteFailure};
pub use load::{EmptyDatabase, LoadError, give_to_owner_of_folder};
pub use location::DatabaseLocation;
pub use snapshot::Snapshot;
pub use work::{MAX_WAIT, WorkKind, WorkLimit};

use crate::base::actor::Actor;
use crate::base::clock::Clock;
use crate::base::randomness::Random;
use crate::base::time::Timestamp;
use arc_swap::ArcSwapOption;
use change::ChangeContext;
use commit_mark::CommitMarks;
use file_queue::FileQueue;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, Executor as _};
use std::path::Path;
use std::str::FromStr as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::time::timeout;
use write_health::WriteHealth;

/// Longest wait for a turn of work that has already sent a part of its response.
const PATIENCE_AMID_WORK: Duration = Duration::from_secs(50);
/// How long a database may take to answer a probe before it counts as unreachable.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Makes PostgreSQL (14 and later) check every second, while a query runs, that its client is still connected.
const WATCH_CLIENT: &str = "SELECT set_config('client_connection_check_interval', '1s', false)
    WHERE current_setting('server_version_num')::int >= 140000";
const ANSWERS: &str = "SELECT 1";
const CHECK_WRITE: &str = "UPDATE write_check SET number = number + 1";

/// A handle to an open database for one kind of work. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Db {
    work: WorkKind,
    shared: Arc<Shared>,
    /// The permit that all reads of this handle share. Without it, each read takes its own.
    turn: Option<Arc<work::WorkPermit>>,
}

#[derive(Debug)]
struct Shared {
    engine: Engine,
    places: [WorkLimit; WorkKind::ALL.len()],
    write_health: Arc<WriteHealth>,
    /// Why the last [`Db::probe`] could not reach the database.
    unreachable: ArcSwapOption<Unreachable>,
    is_gone: AtomicBool,
    clock: Clock,
    random: Random,
    commit_hook: RwLock<Option<Arc<dyn CommitHook>>>,
}

#[derive(Debug)]
enum Engine {
    /// SQLite allows one writer at a time, so its pool for writes has one connection.
    Sqlite { pools: [SqlitePool; WorkKind::ALL.len()], queue: FileQueue, marks: CommitMarks },
    /// PostgreSQL, which other servers may share.
    Postgres { pools: [PgPool; WorkKind::ALL.len()], options: Box<PgConnectOptions> },
}

/// Runs a sqlx call for reading on a connection of the open engine. Takes one call for both engines, or one for each.
#[macro_export]
macro_rules! on_db {
    ($db:expr, |$connection:ident| $call:expr) => {
        $crate::on_db!($db, sqlite | $connection | $call, postgres | $connection | $call)
    };
    ($db:expr, sqlite |$sqlite:ident| $on_sqlite:expr, postgres |$postgres:ident| $on_postgres:expr) => {
        match $db.read().await {
            Ok($crate::db::Reader::Sqlite(mut held)) => {
                let done = {
                    let $sqlite = held.begin_statement();
                    $on_sqlite
                };
                held.end_statement(&done);
                done
            }
            Ok($crate::db::Reader::Postgres(mut held)) => {
                let done = {
                    let $postgres = held.begin_statement();
                    $on_postgres
                };
                held.end_statement(&done);
                done
            }
            Err(error) => Err(error),
        }
    };
}

/// Runs a sqlx call in the transaction of a [`Change`]. Takes one call for both engines, or one for
/// each.
#[macro_export]
macro_rules! on_change {
    ($change:expr, |$connection:ident| $call:expr) => {
        $crate::on_change!($change, sqlite | $connection | $call, postgres | $connection | $call)
    };
    ($change:expr, sqlite |$sqlite:ident| $on_sqlite:expr, postgres |$postgres:ident| $on_postgres:expr) => {
        match ($change).connection() {
            $crate::db::ChangeConnection::Sqlite(held) => {
                let done = {
                    let $sqlite = held.begin_statement();
                    $on_sqlite
                };
                held.end_statement(&done);
                done
            }
            $crate::db::ChangeConnection::Postgres(held) => {
                let done = {
                    let $postgres = held.begin_statement();
                    $on_postgres
                };
                held.end_statement(&done);
                done
            }
        }
    };
}

/// Declares a store's SQL: a constant for each statement, and `STATEMENTS`, the list that a test prepares on both
/// engines.
#[macro_export]
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* const $name: &str = $sql;)*
        /// Every statement of this store, by name.
        pub const STATEMENTS: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}

impl Db {
    /// Opens a database and runs the migrations.
    pub async fn open(location: &DatabaseLocation, clock: Clock, random: Random) -> Result<Self, OpenError> {
        match location {
            DatabaseLocation::Sqlite(path) => Self::sqlite(path, clock, random).await,
            DatabaseLocation::Postgres(url) => Self::postgres(url, clock, random).await,
        }
    }

    /// The version of the schema that this program makes.
    pub fn latest_schema() -> i64 {
        migrations::latest_version()
    }

    /// Opens the SQLite database at this path, creates it if there is none, and runs the migrations.
    pub async fn sqlite(path: &Path, clock: Clock, random: Random) -> Result<Self, OpenError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A committed write survives a power failure, not only a crash of the process.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(MAX_WAIT);
        let pool = |work: WorkKind| {
            let options = match work {
                WorkKind::Writes => options.clone(),
                _ => options.clone().read_only(true),
            };
            SqlitePoolOptions::new()
                .max_connections(work.on_sqlite())
                .acquire_timeout(MAX_WAIT)
                // A connection to a file does not break while nobody uses it.
                .test_before_acquire(false)
                .connect_lazy_with(options)
        };
        let pools = WorkKind::ALL.map(pool);
        migrations::SQLITE.run(&pools[WorkKind::Writes as usize]).await?;
        let (queue, marks) = (FileQueue::beside(path), CommitMarks::of(path));
        Ok(Self::new(Engine::Sqlite { pools, queue, marks }, WorkKind::on_sqlite, clock, random))
    }

    /// Connects to PostgreSQL and runs the migrations. Several servers may do so at the same time.
    pub async fn postgres(url: &str, clock: Clock, random: Random) -> Result<Self, OpenError> {
        let options = PgConnectOptions::from_str(url)?.application_name("agent-studio");
        // Migrations run without a statement timeout.
        let mut migrating = PgConnection::connect_with(&options).await?;
        migrations::run_beside_servers(&mut migrating).await?;
        migrating.close().await?;
        let options = options.options([("statement_timeout", "30s"), ("idle_in_transaction_session_timeout", "60s")]);
        let pool = |work: WorkKind| {
            PgPoolOptions::new()
                .max_connections(work.on_postgres())
                .acquire_timeout(if work == WorkKind::Gate { PROBE_TIMEOUT } else { MAX_WAIT })
                .after_connect(|connection, _| {
                    Box::pin(async move {
                        // Not every operating system supports this check. Without it, a query whose client has gone
                        // runs to its end.
                        let _ = connection.execute(WATCH_CLIENT).await;
                        Ok(())
                    })
                })
                .connect_lazy_with(options.clone())
        };
        let engine = Engine::Postgres { pools: WorkKind::ALL.map(pool), options: Box::new(options.clone()) };
        Ok(Self::new(engine, WorkKind::on_postgres, clock, random))
    }

    fn new(engine: Engine, connections: fn(WorkKind) -> u32, clock: Clock, random: Random) -> Self {
        let shared = Shared {
            engine,
            places: WorkKind::ALL.map(|work| WorkLimit::new(work, connections(work) as usize)),
            write_health: Arc::default(),
            unreachable: ArcSwapOption::default(),
            is_gone: AtomicBool::new(false),
            clock,
            random,
            commit_hook: RwLock::default(),
        };
        Self { work: WorkKind::Pages, shared: Arc::new(shared), turn: None }
    }

    /// A handle to the same database for another kind of work.
    pub fn of(&self, work: WorkKind) -> Self {
        Self { work, shared: self.shared.clone(), turn: None }
    }

    /// A handle for work that reads more than once. Waits for a turn, which the handle keeps until it is dropped. Do
    /// not keep the handle while waiting for a client.
    pub async fn in_turn(&self) -> Result<Self, DbError> {
        self.in_turn_within(MAX_WAIT).await
    }

    /// Like [`Db::in_turn`], with a longer wait, for work that has already sent a part of its response.
    pub async fn in_turn_again(&self) -> Result<Self, DbError> {
        self.in_turn_within(PATIENCE_AMID_WORK).await
    }

    async fn in_turn_within(&self, patience: Duration) -> Result<Self, DbError> {
        self.refuse_while_gone()?;
        let place = self.shared.places[self.work as usize].take(patience).await?;
        Ok(Self { work: self.work, shared: self.shared.clone(), turn: Some(Arc::new(place)) })
    }

    /// Whether the engine is SQLite, which only one server may use.
    pub fn is_sqlite(&self) -> bool {
        matches!(self.shared.engine, Engine::Sqlite { .. })
    }

    /// The mark of SQLite's last commit; `None` if it cannot be read, and on PostgreSQL.
    pub fn commit_mark(&self) -> Option<CommitMark> {
        match &self.shared.engine {
            Engine::Sqlite { marks, .. } => marks.last(),
            Engine::Postgres { .. } => None,
        }
    }

    /// The PostgreSQL pool of this kind of work, for listeners; `None` on SQLite.
    pub fn postgres_pool(&self) -> Option<&PgPool> {
        match &self.shared.engine {
            Engine::Sqlite { .. } => None,
            Engine::Postgres { pools, .. } => Some(&pools[self.work as usize]),
        }
    }

    /// Waits for a turn and returns a connection for reading. [`on_db!`](crate::on_db) uses it for one statement.
    pub async fn read(&self) -> Result<Reader, sqlx::Error> {
        connection::expect_none_held();
        self.refuse_while_gone()?;
        let place = match &self.turn {
            Some(_) => None,
            None => Some(self.shared.places[self.work as usize].take(MAX_WAIT).await?),
        };
        let at = self.work as usize;
        Ok(match &self.shared.engine {
            Engine::Sqlite { pools, .. } => {
                Reader::Sqlite(ActiveConnection::new(pools[at].acquire().await?, place, self.write_health()))
            }
            Engine::Postgres { pools, .. } => {
                Reader::Postgres(ActiveConnection::new(pools[at].acquire().await?, place, self.write_health()))
            }
        })
    }

    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Source of random bytes for ids and secrets.
    pub fn random(&self) -> &Random {
        &self.shared.random
    }

    /// Sets the hook that every commit waits for, and replaces an earlier one.
    pub fn install_commit_hook(&self, hook: Arc<dyn CommitHook>) {
        *self.shared.commit_hook.write().unwrap_or_else(PoisonError::into_inner) = Some(hook);
    }

    fn write_health(&self) -> &Arc<WriteHealth> {
        &self.shared.write_health
    }

    fn origin(&self, actor: &Actor) -> ChangeContext {
        ChangeContext {
            actor: actor.clone(),
            now: self.now(),
            random: self.random().clone(),
            commit_hook: self.commit_hook(),
        }
    }

    fn commit_hook(&self) -> Option<Arc<dyn CommitHook>> {
        self.shared.commit_hook.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins a write transaction on behalf of this actor.
    pub async fn begin(&self, actor: &Actor) -> Result<Change, DbError> {
        connection::expect_none_held();
        self.refuse_while_gone()?;
        let work = match &self.shared.engine {
            Engine::Postgres { .. } if self.work == WorkKind::Background => WorkKind::Background,
            _ => WorkKind::Writes,
        };
        let place = self.shared.places[work as usize].take(MAX_WAIT).await?;
        let (connection, turn) = match &self.shared.engine {
            Engine::Sqlite { pools, queue, .. } => {
                let turn = queue.enter().await?;
                let held =
                    ActiveConnection::new(pools[work as usize].acquire().await?, Some(place), self.write_health());
                (ChangeConnection::Sqlite(held), turn)
            }
            Engine::Postgres { pools, .. } => {
                let held =
                    ActiveConnection::new(pools[work as usize].acquire().await?, Some(place), self.write_health());
                (ChangeConnection::Postgres(held), None)
            }
        };
        let begun = Change::begin(connection, turn, self.origin(actor)).await;
        Ok(begun.inspect_err(|error| self.shared.write_health.note(Err(error)))?)
    }

    /// Begins a write transaction of the server itself, or of the platform that runs the agents.
    pub async fn begin_unattended(&self) -> Result<Change, DbError> {
        self.begin(&Actor::server()).await
    }

    /// The limits of every kind of work, for metrics.
    pub fn places(&self) -> &[WorkLimit] {
        &self.shared.places
    }

    /// Number of open connections of a kind of work, and how many of these are idle.
    pub fn connections(&self, work: WorkKind) -> (u32, usize) {
        match &self.shared.engine {
            Engine::Sqlite { pools, .. } => (pools[work as usize].size(), pools[work as usize].num_idle()),
            Engine::Postgres { pools, .. } => (pools[work as usize].size(), pools[work as usize].num_idle()),
        }
    }

    /// Why nothing can be written; `None` if it can.
    pub fn write_failure(&self) -> Option<WriteFailure> {
        self.shared.write_health.failure()
    }

    /// Returns when a write has failed, and no write has before.
    pub async fn write_fails(&self) {
        self.shared.write_health.failing().await;
    }

    /// Writes a row to test that the database can be written to, and records the result in [`Db::write_failure`].
    pub async fn check_write(&self) -> Result<(), DbError> {
        let mut change = self.begin_unattended().await?;
        on_change!(&mut change, |c| sqlx::query(CHECK_WRITE).execute(c).await.map(|_| ()))?;
        change.commit().await?;
        self.shared.write_health.note(Ok(()));
        Ok(())
    }

    /// Checks that the database answers on the connections of this kind of work. If the last [`Db::probe`] failed,
    /// returns its reason without asking.
    pub async fn answers(&self) -> Result<(), Unreachable> {
        if let Some(why) = self.unreachable() {
            return Err(why);
        }
        let asked = async { on_db!(self, |c| sqlx::query_as::<_, (i32,)>(ANSWERS).fetch_one(c).await).map(|_| ()) };
        match timeout(PROBE_TIMEOUT, asked).await {
            Ok(answered) => answered.map_err(|error| Unreachable::of(&error)),
            Err(_) => Err(Unreachable::Slow),
        }
    }

    /// Checks on the gate's connections that the database answers, and stores the result for [`Db::unreachable`].
    /// Called by the gate's follower.
    pub async fn probe(&self) -> Result<(), Unreachable> {
        let gate = self.of(WorkKind::Gate);
        let asked = timeout(PROBE_TIMEOUT, async {
            on_db!(gate, |c| sqlx::query_as::<_, (i32,)>(ANSWERS).fetch_one(c).await).map(|_| ())
        });
        let reached = match asked.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.why_unreachable(Some(error)).await),
            Err(_) => Err(self.why_unreachable(None).await),
        };
        self.shared.unreachable.store(reached.err().map(Arc::new));
        reached
    }

    /// Finds the reason by opening one more connection: a pool reports only that it timed out.
    async fn why_unreachable(&self, error: Option<sqlx::Error>) -> Unreachable {
        let Engine::Postgres { options, .. } = &self.shared.engine else {
            return error.map_or(Unreachable::Slow, |error| Unreachable::of(&error));
        };
        match timeout(PROBE_TIMEOUT, PgConnection::connect_with(options)).await {
            Ok(Ok(connection)) => {
                let _ = connection.close().await;
                error.map_or(Unreachable::Slow, |error| Unreachable::of(&error))
            }
            Ok(Err(error)) => Unreachable::of(&error),
            Err(_) => Unreachable::Slow,
        }
    }

    /// Why the last [`Db::probe`] failed; `None` if it succeeded.
    pub fn unreachable(&self) -> Option<Unreachable> {
        self.shared.unreachable.load().as_deref().copied()
    }

    /// Marks the database as gone or back. While it is gone, all work but the gate's is refused at once. Returns
    /// whether it was marked as gone before.
    pub fn set_gone(&self, gone: bool) -> bool {
        if !gone {
            self.shared.unreachable.store(None);
        }
        self.shared.is_gone.swap(gone, Ordering::AcqRel)
    }

    fn refuse_while_gone(&self) -> Result<(), sqlx::Error> {
        match self.work != WorkKind::Gate && self.shared.is_gone.load(Ordering::Acquire) {
            true => Err(sqlx::Error::PoolTimedOut),
            false => Ok(()),
        }
    }

    /// Closes all connections after their current calls have ended.
    pub async fn close(&self) {
        for work in WorkKind::ALL {
            match &self.shared.engine {
                Engine::Sqlite { pools, .. } => pools[work as usize].close().await,
                Engine::Postgres { pools, .. } => pools[work as usize].close().await,
            }
        }
    }
}

/// Whether this error reports a violated unique constraint.
pub fn is_duplicate(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|e| e.is_unique_violation())
}

/// Whether this error reports a violated foreign key.
pub fn is_missing_reference(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|e| e.is_foreign_key_violation())
}
