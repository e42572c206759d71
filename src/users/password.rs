//! Passwords: argon2id with OWASP's parameters, computed off the async threads, only a few at a time and after everything
//! else that wants the processor, so that a rush of sign-ins cannot starve the calls that keys make. Where everything else
//! leaves nothing over for a second, they take a share.

use crate::base::error::{Error, Problem};
use crate::base::randomness::Random;
use crate::base::thread_share::{Share, limit_this_thread};
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use zeroize::Zeroizing;

/// Fewest and most characters of a password.
pub const LENGTH: std::ops::RangeInclusive<usize> = 12..=256;

/// How many are computed at once with each share: each takes 19 MiB and a core for some 20 ms.
const AT_ONCE: usize = 2;
/// How long one waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long one waits for processor time that nobody else wants.
const GIVES_WAY: Duration = Duration::from_secs(1);

/// A password as typed; wiped from memory when dropped.
pub struct Password(Zeroizing<String>);

/// Hashes and verifies, a few at a time.
#[derive(Debug)]
pub struct Passwords {
    leftover: Computations,
    shares: Computations,
    /// What a sign-in without an account is verified against, so that it takes the same time.
    nobodys: String,
}

impl Password {
    /// Takes a password to be set.
    pub fn parse(text: String) -> Result<Self, Problem> {
        let text = Zeroizing::new(text);
        match text.chars().count() {
            n if n < *LENGTH.start() => Err(Problem::PasswordTooShort),
            n if n > *LENGTH.end() => Err(Problem::PasswordTooLong),
            _ => Ok(Self(text)),
        }
    }

    /// Takes a password to be verified: any length that could have been set, so that what is refused is refused alike.
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
    /// Ready to work.
    pub fn new(random: &Random) -> Result<Self, Error> {
        let nobodys = hash(&Password(Zeroizing::new(String::new())), &random.bytes())?;
        Ok(Self { leftover: Computations::new(), shares: Computations::new(), nobodys })
    }

    /// The hash to store, as a PHC string.
    pub async fn hash(&self, password: Password, random: &Random) -> Result<String, Error> {
        let salt = random.bytes();
        self.in_turn(move || hash(&password, &salt)).await?
    }

    /// Whether this is the password behind the stored hash; `None`, no account, takes as long and is never right.
    pub async fn verify(&self, password: Password, stored: Option<String>) -> Result<bool, Error> {
        let exists = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.nobodys.clone());
        self.in_turn(move || verify(&password, &stored)).await?.map(|right| right && exists)
    }

    /// Computes with what is left over of the processor; where nothing is for a second, with a share of it.
    async fn in_turn<T: Send + 'static>(&self, work: impl Fn() -> T + Send + Sync + 'static) -> Result<T, Error> {
        let (work, began) = (Arc::new(work), Instant::now());
        let (done, mut results) = mpsc::channel(2);
        // As long as others get on, it has its turn soon.
        let place = loop {
            match timeout(GIVES_WAY, self.leftover.places.clone().acquire_owned()).await {
                Ok(place) => break Some(place.map_err(|_| Error::Internal)?),
                Err(_) if began.elapsed() > PATIENCE => return Err(Error::Unavailable),
                Err(_) if self.leftover.gets_on() => {}
                Err(_) => break None,
            }
        };
        if let Some(place) = place {
            self.leftover.begin(Share::Leftover, place, work.clone(), done.clone())?;
            if let Ok(result) = timeout(GIVES_WAY, results.recv()).await {
                return result.ok_or(Error::Internal);
            }
        }
        // A thread that has given way cannot be made to go first again: another begins anew.
        let place = timeout(PATIENCE, self.shares.places.clone().acquire_owned()).await;
        let place = place.map_err(|_| Error::Unavailable)?.map_err(|_| Error::Internal)?;
        self.shares.begin(Share::Third, place, work, done)?;
        results.recv().await.ok_or(Error::Internal)
    }
}

/// Computations with one share of the processor, a few at a time.
#[derive(Debug)]
struct Computations {
    places: Arc<Semaphore>,
    last_done: Arc<Mutex<Instant>>,
}

impl Computations {
    fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), last_done: Arc::new(Mutex::new(Instant::now())) }
    }

    /// Whether one of them was done a moment ago.
    fn gets_on(&self) -> bool {
        self.last_done.lock().unwrap_or_else(PoisonError::into_inner).elapsed() < GIVES_WAY
    }

    /// Works in a thread of its own, and sends the result where it is still wanted.
    fn begin<T: Send + 'static>(
        &self,
        share: Share,
        place: OwnedSemaphorePermit,
        work: Arc<impl Fn() -> T + Send + Sync + 'static>,
        done: mpsc::Sender<T>,
    ) -> Result<(), Error> {
        let last_done = self.last_done.clone();
        let thread = thread::Builder::new().name("password".to_owned()).spawn(move || {
            // Held by the work itself: a client that goes away does not make room for one more.
            let _place = place;
            limit_this_thread(share);
            if done.is_closed() {
                return;
            }
            let _ = done.try_send(work());
            *last_done.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        });
        thread.map(drop).map_err(|_| Error::Unavailable)
    }
}

fn hash(password: &Password, salt: &[u8; 16]) -> Result<String, Error> {
    let hash = Argon2::default().hash_password_with_salt(password.0.as_bytes(), salt);
    Ok(hash.map_err(|_| Error::Internal)?.to_string())
}

fn verify(password: &Password, stored: &str) -> Result<bool, Error> {
    let stored = PasswordHash::new(stored).map_err(|_| Error::Internal)?;
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
