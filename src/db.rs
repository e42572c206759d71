//! SQLite or PostgreSQL behind one type. Statements are written once, with `$1` placeholders, and run on either by
//! [`on_db!`](crate::on_db) and [`on_change!`](crate::on_change); `docs/storage.md` says what keeps the two alike.
//!
//! Each kind of `Work` has connections of its own, so that no kind can starve another.

/// Write transactions, and what their commits wait for.
mod change;
/// Connections that are held, and who may hold one.
mod connection;
/// Why a database cannot be opened, reached or written.
mod failure;
/// Whose turn it is to write, among the processes that share a SQLite file.
mod file_queue;
/// Kinds of work, and how much of each there may be at once.
mod work;
/// Whether anything can be written.
mod write_health;

pub use change::{Change, ChangeConnection, CommitHook, Committed};
pub use connection::{ActiveConnection, Reader};
pub use failure::{OpenError, Unreachable, WriteFailure};
pub use work::{PATIENCE, Places, Work};

use crate::base::actor::Actor;
use crate::base::clock::Clock;
use crate::base::error::Error;
use crate::base::randomness::Random;
use crate::base::time::Timestamp;
use arc_swap::ArcSwapOption;
use change::Origin;
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

/// How long work waits that has begun to answer and has had turns before.
const PATIENCE_AMID_WORK: Duration = Duration::from_secs(50);
/// How long a database may take to answer before it counts as gone.
const PROBE: Duration = Duration::from_secs(1);

/// Asks for a sign of life in place of a client's connection that may be gone, where PostgreSQL can (14 and later).
const WATCH_CLIENT: &str = "SELECT set_config('client_connection_check_interval', '1s', false)
    WHERE current_setting('server_version_num')::int >= 140000";
const ANSWERS: &str = "SELECT 1";
const CHECK_WRITE: &str = "UPDATE write_check SET number = number + 1";

/// An open database, for one kind of work. A clone costs nothing.
#[derive(Clone, Debug)]
pub struct Db {
    work: Work,
    shared: Arc<Shared>,
    /// The place that this handle's reads share; without it each read takes one.
    turn: Option<Arc<work::WorkPermit>>,
}

#[derive(Debug)]
struct Shared {
    engine: Engine,
    places: [Places; Work::ALL.len()],
    write_health: Arc<WriteHealth>,
    /// Why the database could not be reached when it was last tried.
    unreachable: ArcSwapOption<Unreachable>,
    is_gone: AtomicBool,
    clock: Clock,
    random: Random,
    commit_hook: RwLock<Option<Arc<dyn CommitHook>>>,
}

#[derive(Debug)]
enum Engine {
    /// SQLite has one writer at a time: its pool for writes has one connection.
    Sqlite { pools: [SqlitePool; Work::ALL.len()], queue: FileQueue },
    /// PostgreSQL, which other servers may share.
    Postgres { pools: [PgPool; Work::ALL.len()], options: Box<PgConnectOptions> },
}

/// Runs the same sqlx call on a connection of either engine, for reading; or one call for each engine.
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

/// Runs the same sqlx call in either engine's transaction; or one call for each engine.
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
    /// Opens the SQLite database at this path, making it where there is none, and brings it up to date.
    pub async fn sqlite(path: &Path, clock: Clock, random: Random) -> Result<Self, OpenError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An answered write survives power loss, not only a crash of the process.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(PATIENCE);
        let pool = |work: Work| {
            SqlitePoolOptions::new().max_connections(work.on_sqlite()).acquire_timeout(PATIENCE).connect_lazy_with(
                match work {
                    Work::Writes => options.clone(),
                    _ => options.clone().read_only(true),
                },
            )
        };
        let pools = Work::ALL.map(pool);
        sqlx::migrate!("migrations/sqlite").run(&pools[Work::Writes as usize]).await?;
        let queue = FileQueue::beside(path);
        Ok(Self::new(Engine::Sqlite { pools, queue }, Work::on_sqlite, clock, random))
    }

    /// Connects to PostgreSQL and brings its schema up to date; several servers may do so at once.
    pub async fn postgres(url: &str, clock: Clock, random: Random) -> Result<Self, OpenError> {
        let options = PgConnectOptions::from_str(url)?.application_name("agent-studio");
        // A change of the schema takes as long as it takes.
        let mut migrating = PgConnection::connect_with(&options).await?;
        sqlx::migrate!("migrations/postgres").run(&mut migrating).await?;
        migrating.close().await?;
        let options = options.options([("statement_timeout", "30s"), ("idle_in_transaction_session_timeout", "60s")]);
        let pool = |work: Work| {
            PgPoolOptions::new()
                .max_connections(work.on_postgres())
                .acquire_timeout(if work == Work::Gate { PROBE } else { PATIENCE })
                .after_connect(|connection, _| {
                    Box::pin(async move {
                        // Some systems cannot; there a query of a client that is gone ends by itself.
                        let _ = connection.execute(WATCH_CLIENT).await;
                        Ok(())
                    })
                })
                .connect_lazy_with(options.clone())
        };
        let engine = Engine::Postgres { pools: Work::ALL.map(pool), options: Box::new(options.clone()) };
        Ok(Self::new(engine, Work::on_postgres, clock, random))
    }

    fn new(engine: Engine, connections: fn(Work) -> u32, clock: Clock, random: Random) -> Self {
        let shared = Shared {
            engine,
            places: Work::ALL.map(|work| Places::new(work, connections(work) as usize)),
            write_health: Arc::default(),
            unreachable: ArcSwapOption::default(),
            is_gone: AtomicBool::new(false),
            clock,
            random,
            commit_hook: RwLock::default(),
        };
        Self { work: Work::Pages, shared: Arc::new(shared), turn: None }
    }

    /// The same database, for another kind of work.
    pub fn of(&self, work: Work) -> Self {
        Self { work, shared: self.shared.clone(), turn: None }
    }

    /// The same database, for work that reads more than once: it waits for its turn here, and keeps it until this handle is
    /// dropped. It must not be kept while a client is waited for.
    pub async fn in_turn(&self) -> Result<Self, Error> {
        self.in_turn_within(PATIENCE).await
    }

    /// The same for work that has begun to answer, and is not refused as long as its request lasts.
    pub async fn in_turn_again(&self) -> Result<Self, Error> {
        self.in_turn_within(PATIENCE_AMID_WORK).await
    }

    async fn in_turn_within(&self, patience: Duration) -> Result<Self, Error> {
        self.refuse_while_gone()?;
        let place = self.shared.places[self.work as usize].take(patience).await?;
        Ok(Self { work: self.work, shared: self.shared.clone(), turn: Some(Arc::new(place)) })
    }

    /// Whether it is SQLite, which one server has to itself.
    pub fn is_sqlite(&self) -> bool {
        matches!(self.shared.engine, Engine::Sqlite { .. })
    }

    /// This work's pool of PostgreSQL, for listeners.
    pub fn postgres_pool(&self) -> Option<&PgPool> {
        match &self.shared.engine {
            Engine::Sqlite { .. } => None,
            Engine::Postgres { pools, .. } => Some(&pools[self.work as usize]),
        }
    }

    /// A connection for reading, when it is this work's turn; [`on_db!`](crate::on_db) takes one for one statement.
    pub async fn read(&self) -> Result<Reader, sqlx::Error> {
        connection::expect_none_held();
        self.refuse_while_gone()?;
        let place = match &self.turn {
            Some(_) => None,
            None => Some(self.shared.places[self.work as usize].take(PATIENCE).await?),
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

    /// The present.
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// For ids and secrets.
    pub fn random(&self) -> &Random {
        &self.shared.random
    }

    /// Lets every commit wait for this, in place of what it waited for before.
    pub fn install_commit_hook(&self, hook: Arc<dyn CommitHook>) {
        *self.shared.commit_hook.write().unwrap_or_else(PoisonError::into_inner) = Some(hook);
    }

    fn write_health(&self) -> &Arc<WriteHealth> {
        &self.shared.write_health
    }

    fn origin(&self, actor: &Actor) -> Origin {
        Origin { actor: actor.clone(), now: self.now(), random: self.random().clone(), commit_hook: self.commit_hook() }
    }

    fn commit_hook(&self) -> Option<Arc<dyn CommitHook>> {
        self.shared.commit_hook.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins a change that somebody makes.
    pub async fn begin(&self, actor: &Actor) -> Result<Change, Error> {
        connection::expect_none_held();
        self.refuse_while_gone()?;
        let work = match &self.shared.engine {
            Engine::Postgres { .. } if self.work == Work::Background => Work::Background,
            _ => Work::Writes,
        };
        let place = self.shared.places[work as usize].take(PATIENCE).await?;
        let (connection, turn) = match &self.shared.engine {
            Engine::Sqlite { pools, queue } => {
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

    /// Begins a change that the server makes by itself, or for the platform that runs the agents.
    pub async fn begin_unattended(&self) -> Result<Change, Error> {
        self.begin(&Actor::server()).await
    }

    /// Every kind of work with its places.
    pub fn places(&self) -> &[Places] {
        &self.shared.places
    }

    /// Connections of a kind of work that are open, and how many of them are idle.
    pub fn connections(&self, work: Work) -> (u32, usize) {
        match &self.shared.engine {
            Engine::Sqlite { pools, .. } => (pools[work as usize].size(), pools[work as usize].num_idle()),
            Engine::Postgres { pools, .. } => (pools[work as usize].size(), pools[work as usize].num_idle()),
        }
    }

    /// Why nothing could be written when it was last tried; `None` where that went well.
    pub fn write_failure(&self) -> Option<WriteFailure> {
        self.shared.write_health.failure()
    }

    /// Tries to write, and remembers how that went.
    pub async fn check_write(&self) -> Result<(), Error> {
        let mut change = self.begin_unattended().await?;
        on_change!(&mut change, |c| sqlx::query(CHECK_WRITE).execute(c).await.map(|_| ()))?;
        change.commit().await
    }

    /// Whether the database answers, asked by this work's own connections; why not, as far as the last [`Db::probe`] found out.
    pub async fn answers(&self) -> Result<(), Unreachable> {
        if let Some(why) = self.unreachable() {
            return Err(why);
        }
        let asked = async { on_db!(self, |c| sqlx::query_as::<_, (i32,)>(ANSWERS).fetch_one(c).await).map(|_| ()) };
        match timeout(PROBE, asked).await {
            Ok(answered) => answered.map_err(|error| Unreachable::of(&error)),
            Err(_) => Err(Unreachable::Slow),
        }
    }

    /// Asks the database for a sign of life by the gate's own connections; whether it gave one, and why not. For who follows it.
    pub async fn probe(&self) -> Result<(), Unreachable> {
        let gate = self.of(Work::Gate);
        let asked = timeout(PROBE, async {
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

    /// A pool says no more than that it waited in vain: one more connection says why.
    async fn why_unreachable(&self, error: Option<sqlx::Error>) -> Unreachable {
        let Engine::Postgres { options, .. } = &self.shared.engine else {
            return error.map_or(Unreachable::Slow, |error| Unreachable::of(&error));
        };
        match timeout(PROBE, PgConnection::connect_with(options)).await {
            Ok(Ok(connection)) => {
                let _ = connection.close().await;
                error.map_or(Unreachable::Slow, |error| Unreachable::of(&error))
            }
            Ok(Err(error)) => Unreachable::of(&error),
            Err(_) => Unreachable::Slow,
        }
    }

    /// Why the last [`Db::probe`] had no answer; `None` where it had one.
    pub fn unreachable(&self) -> Option<Unreachable> {
        self.shared.unreachable.load().as_deref().copied()
    }

    /// Refuses work at once, but for the gate's, until it is said to be back; whether it was gone before.
    pub fn set_gone(&self, gone: bool) -> bool {
        if !gone {
            self.shared.unreachable.store(None);
        }
        self.shared.is_gone.swap(gone, Ordering::AcqRel)
    }

    fn refuse_while_gone(&self) -> Result<(), sqlx::Error> {
        match self.work != Work::Gate && self.shared.is_gone.load(Ordering::Acquire) {
            true => Err(sqlx::Error::PoolTimedOut),
            false => Ok(()),
        }
    }

    /// Closes every connection once its call is done.
    pub async fn close(&self) {
        for work in Work::ALL {
            match &self.shared.engine {
                Engine::Sqlite { pools, .. } => pools[work as usize].close().await,
                Engine::Postgres { pools, .. } => pools[work as usize].close().await,
            }
        }
    }
}

/// Whether this error says that a unique value exists already.
pub fn is_duplicate(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|e| e.is_unique_violation())
}
