//! Password hashing with argon2id and OWASP's parameters. It runs on threads of its own, a few and with idle priority, so
//! that many sign-ins cannot starve API calls. A computation that gets no processor time for a second is
//! started again with a higher priority.

use crate::base::cpu_share::{CpuShare, limit_this_thread};
use crate::base::error::Problem;
use crate::base::randomness::Random;
use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use zeroize::Zeroizing;

/// Allowed length of a password, in characters.
pub const LENGTH: std::ops::RangeInclusive<usize> = 12..=256;

/// Maximum number of concurrent computations for each priority. One takes 19 MiB and about 20 ms of a core.
const AT_ONCE: usize = 2;
/// Longest wait of a computation for its turn.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// How long a computation waits for idle processor time.
const IDLE_WAIT: Duration = Duration::from_secs(1);
/// How long a thread keeps its memory without work.
const KEEP_MEMORY: Duration = Duration::from_secs(60);

/// A password as typed; wiped from memory when dropped.
pub struct Password(Zeroizing<String>);

/// Why a password could not be hashed or verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// No turn within the time limit.
    #[error("The server is busy just now. Nothing was changed. Try again in a moment.")]
    Busy,
    /// The stored hash is invalid, or the computation ended early.
    #[error("The password could not be computed.")]
    Failed,
}

/// Hashes and verifies passwords, with a limit of concurrent computations.
#[derive(Debug)]
pub struct Passwords {
    leftover: Computations,
    shares: Computations,
    /// The hash that a sign-in to an unknown account is verified against, so that it takes the same time.
    nobodys: String,
}

impl Password {
    /// Checks a password that is to be set.
    pub fn parse(text: String) -> Result<Self, Problem> {
        let text = Zeroizing::new(text);
        match text.chars().count() {
            n if n < *LENGTH.start() => Err(Problem::PasswordTooShort),
            n if n > *LENGTH.end() => Err(Problem::PasswordTooLong),
            _ => Ok(Self(text)),
        }
    }

    /// Wraps a password that is to be verified. Not checked for its length, so that every wrong password is refused
    /// alike. Text beyond 257 characters, which cannot match, is cut off.
    pub fn attempt(text: String) -> Self {
        let mut text = Zeroizing::new(text);
        let end = text.char_indices().nth(LENGTH.end() + 1).map_or(text.len(), |(at, _)| at);
        text.truncate(end);
        Self(text)
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(***)")
    }
}

impl Passwords {
    pub fn new(random: &Random) -> Result<Self, PasswordError> {
        let nobodys = hash(&Password(Zeroizing::new(String::new())), &random.bytes(), &mut Vec::new())?;
        let (leftover, shares) = (Computations::start(CpuShare::Leftover)?, Computations::start(CpuShare::Third)?);
        Ok(Self { leftover, shares, nobodys })
    }

    /// Computes the hash to store, as a PHC string.
    pub async fn hash(&self, password: Password, random: &Random) -> Result<String, PasswordError> {
        let salt = random.bytes();
        self.in_turn(move |memory| hash(&password, &salt, memory)).await?
    }

    /// Whether the password matches the stored hash. `None` stands for an unknown account: this takes as long and
    /// returns `false`.
    pub async fn verify(&self, password: Password, stored: Option<String>) -> Result<bool, PasswordError> {
        let exists = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.nobodys.clone());
        self.in_turn(move |memory| verify(&password, &stored, memory)).await?.map(|right| right && exists)
    }

    /// Runs a computation on a thread with idle priority. If it has no result after a second, runs it again with a
    /// higher priority.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Vec<Block>) -> T + Send + Sync + 'static,
    ) -> Result<T, PasswordError> {
        let (work, began) = (Arc::new(work), Instant::now());
        let (done, mut results) = mpsc::channel(2);
        // Waits on as long as other computations with idle priority make progress.
        let place = loop {
            match timeout(IDLE_WAIT, self.leftover.places.clone().acquire_owned()).await {
                Ok(place) => break Some(place.map_err(|_| PasswordError::Failed)?),
                Err(_) if began.elapsed() > MAX_WAIT => return Err(PasswordError::Busy),
                Err(_) if self.leftover.gets_on() => {}
                Err(_) => break None,
            }
        };
        if let Some(place) = place {
            self.leftover.begin(place, work.clone(), done.clone())?;
            if let Ok(result) = timeout(IDLE_WAIT, results.recv()).await {
                return result.ok_or(PasswordError::Failed);
            }
        }
        // A thread cannot raise its own priority again, so another thread begins anew.
        let place = timeout(MAX_WAIT, self.shares.places.clone().acquire_owned()).await;
        let place = place.map_err(|_| PasswordError::Busy)?.map_err(|_| PasswordError::Failed)?;
        self.shares.begin(place, work, done)?;
        results.recv().await.ok_or(PasswordError::Failed)
    }
}

/// Threads of one priority that compute, each in memory of its own.
#[derive(Debug)]
struct Computations {
    places: Arc<Semaphore>,
    last_done: Arc<Mutex<Instant>>,
    jobs: Sender<Job>,
}

/// A computation, which borrows the thread's memory.
type Job = Box<dyn FnOnce(&mut Vec<Block>) + Send>;

impl Computations {
    /// Starts the threads. They end once this is dropped. Kept threads with kept memory, because both ending a thread and
    /// returning 19 MiB lock the process's memory map: a thread with idle priority that is preempted there stops every
    /// other thread that needs memory.
    fn start(share: CpuShare) -> Result<Self, PasswordError> {
        let (jobs, taken) = crossbeam_channel::unbounded();
        for _ in 0..AT_ONCE {
            let taken = taken.clone();
            let thread = thread::Builder::new().name("password".to_owned()).spawn(move || compute(share, &taken));
            thread.map_err(|_| PasswordError::Failed)?;
        }
        let last_done = Arc::new(Mutex::new(Instant::now()));
        Ok(Self { places: Arc::new(Semaphore::new(AT_ONCE)), last_done, jobs })
    }

    /// Whether a computation ended within the last second.
    fn gets_on(&self) -> bool {
        self.last_done.lock().unwrap_or_else(PoisonError::into_inner).elapsed() < IDLE_WAIT
    }

    /// Gives the work to a thread, which skips it if the receiver has been dropped meanwhile.
    fn begin<T: Send + 'static>(
        &self,
        place: OwnedSemaphorePermit,
        work: Arc<impl Fn(&mut Vec<Block>) -> T + Send + Sync + 'static>,
        done: mpsc::Sender<T>,
    ) -> Result<(), PasswordError> {
        let last_done = self.last_done.clone();
        let job = move |memory: &mut Vec<Block>| {
            // The thread holds the permit, so that a client that disconnects does not free it before the work has
            // ended.
            let _place = place;
            if done.is_closed() {
                return;
            }
            let _ = done.try_send(work(memory));
            *last_done.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        };
        self.jobs.send(Box::new(job)).map_err(|_| PasswordError::Busy)
    }
}

/// Runs jobs until their sender is dropped. Returns the memory to the system after a time without jobs.
fn compute(share: CpuShare, jobs: &Receiver<Job>) {
    limit_this_thread(share);
    let mut memory = Vec::new();
    loop {
        match jobs.recv_timeout(KEEP_MEMORY) {
            Ok(job) => job(&mut memory),
            Err(RecvTimeoutError::Timeout) => memory = Vec::new(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn hash(password: &Password, salt: &[u8; 16], memory: &mut Vec<Block>) -> Result<String, PasswordError> {
    let argon2 = Argon2::default();
    let hash = compute_hash(&argon2, password, salt, Params::DEFAULT_OUTPUT_LEN, memory)?;
    let phc = PasswordHash {
        algorithm: Algorithm::default().ident(),
        version: Some(Version::default().into()),
        params: argon2.params().try_into().map_err(|_| PasswordError::Failed)?,
        salt: Some(Salt::new(salt).map_err(|_| PasswordError::Failed)?),
        hash: Some(hash),
    };
    Ok(phc.to_string())
}

fn verify(password: &Password, stored: &str, memory: &mut Vec<Block>) -> Result<bool, PasswordError> {
    let stored = PasswordHash::new(stored).map_err(|_| PasswordError::Failed)?;
    let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else { return Err(PasswordError::Failed) };
    let algorithm = Algorithm::try_from(stored.algorithm.as_str()).map_err(|_| PasswordError::Failed)?;
    let version =
        stored.version.map_or(Ok(Version::default()), Version::try_from).map_err(|_| PasswordError::Failed)?;
    let params = Params::try_from(&stored).map_err(|_| PasswordError::Failed)?;
    let argon2 = Argon2::new(algorithm, version, params);
    // `Output` compares in constant time.
    Ok(compute_hash(&argon2, password, salt, expected.len(), memory)? == *expected)
}

/// Computes `len` bytes of hash in this memory, which grows to what the parameters need.
fn compute_hash(
    argon2: &Argon2<'_>,
    password: &Password,
    salt: &[u8],
    len: usize,
    memory: &mut Vec<Block>,
) -> Result<Output, PasswordError> {
    memory.resize(argon2.params().block_count(), Block::default());
    let mut out = [0; Output::MAX_LENGTH];
    let out = out.get_mut(..len).ok_or(PasswordError::Failed)?;
    let done = argon2.hash_password_into_with_memory(password.0.as_bytes(), salt, out, memory.as_mut_slice());
    done.map_err(|_| PasswordError::Failed)?;
    Output::new(out).map_err(|_| PasswordError::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::password_hash::PasswordHasher as _;

    #[tokio::test]
    async fn only_the_right_password_is_right() {
        let random = Random::seeded(1);
        let passwords = Passwords::new(&random).unwrap();
        let stored = passwords.hash(Password::parse("correct horse battery".into()).unwrap(), &random).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");

        let verify = |text: &str, stored| passwords.verify(Password::attempt(text.to_owned()), stored);
        assert!(verify("correct horse battery", Some(stored.clone())).await.unwrap());
        assert!(!verify("correct horse batter", Some(stored.clone())).await.unwrap());
        assert!(!verify("", None).await.unwrap(), "nobody's password is never right");
    }

    /// Hashes that another program made, with other parameters (RFC 9106's second recommendation, with less memory).
    #[test]
    fn hashes_with_other_parameters_are_verified() {
        let (password, mut memory) = (Password::attempt("correct horse battery".to_owned()), Vec::new());
        let params = Params::new(1_024, 3, 4, Some(24)).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2i, Version::V0x10, params);
        let stored = argon2.hash_password_with_salt(password.0.as_bytes(), b"0123456789abcdef").unwrap().to_string();
        assert!(stored.starts_with("$argon2i$v=16$m=1024,t=3,p=4$"), "{stored}");
        assert!(verify(&password, &stored, &mut memory).unwrap());
        assert!(!verify(&Password::attempt("other".to_owned()), &stored, &mut memory).unwrap());
        assert_eq!(verify(&password, "$argon2id$v=19$m=1024,t=3,p=4", &mut memory), Err(PasswordError::Failed));
        assert_eq!(verify(&password, "not a hash", &mut memory), Err(PasswordError::Failed));
    }

    #[test]
    fn limits() {
        assert_eq!(Password::parse("x".repeat(11)).unwrap_err(), Problem::PasswordTooShort);
        assert!(Password::parse("é".repeat(12)).is_ok());
        assert!(Password::parse("x".repeat(256)).is_ok());
        assert_eq!(Password::parse("x".repeat(257)).unwrap_err(), Problem::PasswordTooLong);
    }
}
