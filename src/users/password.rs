//! Password hashing with argon2id and OWASP's parameters. It runs on separate threads, a few at a time and with idle
//! priority, so that many sign-ins cannot starve API calls. A computation that gets no processor time for a second is
//! started again with a higher priority.

use crate::base::cpu_share::{CpuShare, limit_this_thread};
use crate::base::error::Problem;
use crate::base::randomness::Random;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
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
        let nobodys = hash(&Password(Zeroizing::new(String::new())), &random.bytes())?;
        Ok(Self { leftover: Computations::new(), shares: Computations::new(), nobodys })
    }

    /// Computes the hash to store, as a PHC string.
    pub async fn hash(&self, password: Password, random: &Random) -> Result<String, PasswordError> {
        let salt = random.bytes();
        self.in_turn(move || hash(&password, &salt)).await?
    }

    /// Whether the password matches the stored hash. `None` stands for an unknown account: this takes as long and
    /// returns `false`.
    pub async fn verify(&self, password: Password, stored: Option<String>) -> Result<bool, PasswordError> {
        let exists = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.nobodys.clone());
        self.in_turn(move || verify(&password, &stored)).await?.map(|right| right && exists)
    }

    /// Runs a computation on a thread with idle priority. If it has no result after a second, runs it again with a
    /// higher priority.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl Fn() -> T + Send + Sync + 'static,
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
            self.leftover.begin(CpuShare::Leftover, place, work.clone(), done.clone())?;
            if let Ok(result) = timeout(IDLE_WAIT, results.recv()).await {
                return result.ok_or(PasswordError::Failed);
            }
        }
        // A thread cannot raise its own priority again, so another thread starts from the beginning.
        let place = timeout(MAX_WAIT, self.shares.places.clone().acquire_owned()).await;
        let place = place.map_err(|_| PasswordError::Busy)?.map_err(|_| PasswordError::Failed)?;
        self.shares.begin(CpuShare::Third, place, work, done)?;
        results.recv().await.ok_or(PasswordError::Failed)
    }
}

/// Computations with one priority, with a limit of concurrent ones.
#[derive(Debug)]
struct Computations {
    places: Arc<Semaphore>,
    last_done: Arc<Mutex<Instant>>,
}

impl Computations {
    fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), last_done: Arc::new(Mutex::new(Instant::now())) }
    }

    /// Whether a computation ended within the last second.
    fn gets_on(&self) -> bool {
        self.last_done.lock().unwrap_or_else(PoisonError::into_inner).elapsed() < IDLE_WAIT
    }

    /// Runs the work on a new thread. Skips it if the receiver has been dropped meanwhile.
    fn begin<T: Send + 'static>(
        &self,
        share: CpuShare,
        place: OwnedSemaphorePermit,
        work: Arc<impl Fn() -> T + Send + Sync + 'static>,
        done: mpsc::Sender<T>,
    ) -> Result<(), PasswordError> {
        let last_done = self.last_done.clone();
        let thread = thread::Builder::new().name("password".to_owned()).spawn(move || {
            // The thread holds the permit, so that a client that disconnects does not free it before the work has
            // ended.
            let _place = place;
            limit_this_thread(share);
            if done.is_closed() {
                return;
            }
            let _ = done.try_send(work());
            *last_done.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        });
        thread.map(drop).map_err(|_| PasswordError::Busy)
    }
}

fn hash(password: &Password, salt: &[u8; 16]) -> Result<String, PasswordError> {
    let hash = Argon2::default().hash_password_with_salt(password.0.as_bytes(), salt);
    Ok(hash.map_err(|_| PasswordError::Failed)?.to_string())
}

fn verify(password: &Password, stored: &str) -> Result<bool, PasswordError> {
    let stored = PasswordHash::new(stored).map_err(|_| PasswordError::Failed)?;
    Ok(Argon2::default().verify_password(password.0.as_bytes(), &stored).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn limits() {
        assert_eq!(Password::parse("x".repeat(11)).unwrap_err(), Problem::PasswordTooShort);
        assert!(Password::parse("é".repeat(12)).is_ok());
        assert!(Password::parse("x".repeat(256)).is_ok());
        assert_eq!(Password::parse("x".repeat(257)).unwrap_err(), Problem::PasswordTooLong);
    }
}
