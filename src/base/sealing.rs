//! Encryption of secrets that must be readable again: XChaCha20-Poly1305 under a master key. The associated data binds
//! each ciphertext to the row that it is stored in.

use crate::base::randomness::Random;
use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use std::{fmt, fs, io};
use zeroize::Zeroizing;

const NONCE_LEN: usize = 24;

/// The master keys of a server, from the settings or from a file: the first one seals, all of them open. There is more
/// than one while values are sealed again under a new key.
pub struct MasterKeys {
    keys: ArcSwap<Vec<MasterKey>>,
    file: Option<KeyFile>,
}

/// A file with a master key in each line. It is read again after a change, so that a running server knows a new key.
struct KeyFile {
    path: PathBuf,
    /// When the file was changed, as last read.
    read: Mutex<Option<SystemTime>>,
}

/// A master key of 32 bytes.
struct MasterKey {
    id: String,
    cipher: XChaCha20Poly1305,
    set_up_token: Zeroizing<String>,
}

/// Why a secret could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("This value is sealed under another master key. Start the server with that key.")]
    OtherMasterKey,
    /// The ciphertext was changed, or moved to another row.
    #[error("This sealed value does not open: it was changed or moved.")]
    Damaged,
    #[error("The value could not be sealed.")]
    NotSealed,
}

/// A secret encrypted under the master key.
#[derive(Clone)]
pub struct Sealed {
    /// Nonce, ciphertext, tag.
    pub bytes: Vec<u8>,
    /// Id of the master key that it is encrypted under.
    pub master_key_id: String,
}

impl MasterKeys {
    /// Reads keys of 32 bytes in base64, separated by commas or spaces; `None` if the text is anything else.
    pub fn from_base64(text: &str) -> Option<Self> {
        Some(Self { keys: ArcSwap::from_pointee(parse(text)?), file: None })
    }

    /// Reads a file with a key in each line; `None` if it contains anything else.
    pub fn from_file(path: &Path) -> io::Result<Option<Self>> {
        let changed = fs::metadata(path)?.modified()?;
        let text = Zeroizing::new(fs::read_to_string(path)?);
        let file = KeyFile { path: path.to_owned(), read: Mutex::new(Some(changed)) };
        Ok(parse(&text).map(|keys| Self { keys: ArcSwap::from_pointee(keys), file: Some(file) }))
    }

    /// Identifies the key that seals, beside each ciphertext. It is derived from the key by a hash and reveals nothing of
    /// it.
    pub fn id(&self) -> String {
        self.keys().first().map(|key| key.id.clone()).unwrap_or_default()
    }

    /// Token that the set-up page asks for while there are no users. It is derived from the key, so all servers with
    /// this key accept the same token.
    pub fn set_up_token(&self) -> Zeroizing<String> {
        self.keys().first().map(|key| key.set_up_token.clone()).unwrap_or_default()
    }

    /// Encrypts a secret for one place, such as a row. It cannot be opened for another place.
    pub fn seal(&self, secret: &str, place: &str, random: &Random) -> Result<Sealed, SealError> {
        self.keys().first().ok_or(SealError::NotSealed)?.seal(secret, place, random)
    }

    /// Decrypts a secret that was sealed for this place.
    pub fn open(&self, sealed: &Sealed, place: &str) -> Result<Zeroizing<String>, SealError> {
        let keys = self.keys();
        let key = keys.iter().find(|key| key.id == sealed.master_key_id).ok_or(SealError::OtherMasterKey)?;
        key.open(sealed, place)
    }

    /// The keys, read again if their file was changed.
    fn keys(&self) -> Arc<Vec<MasterKey>> {
        if let Some(file) = &self.file
            && let Some(keys) = file.read_if_changed()
        {
            self.keys.store(Arc::new(keys));
        }
        self.keys.load_full()
    }
}

impl KeyFile {
    fn read_if_changed(&self) -> Option<Vec<MasterKey>> {
        let changed = fs::metadata(&self.path).and_then(|file| file.modified()).ok()?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if *read == Some(changed) {
            return None;
        }
        let text = fs::read_to_string(&self.path).map(Zeroizing::new);
        let text = text.inspect_err(|error| tracing::error!(%error, "the master key's file cannot be read")).ok()?;
        *read = Some(changed);
        parse(&text)
    }
}

/// Reads one or more keys.
fn parse(text: &str) -> Option<Vec<MasterKey>> {
    let words = text.split([',', ' ', '\n', '\r', '\t']).filter(|word| !word.is_empty());
    let keys = words.map(MasterKey::from_base64).collect::<Option<Vec<_>>>()?;
    (!keys.is_empty()).then_some(keys)
}

/// A new master key in base64.
pub fn new_master_key(random: &Random) -> Zeroizing<String> {
    let bytes = Zeroizing::new(random.bytes::<32>());
    Zeroizing::new(STANDARD.encode(bytes.as_slice()))
}

impl MasterKey {
    fn from_base64(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).ok()?);
        let bytes: &[u8; 32] = bytes.as_slice().try_into().ok()?;
        Some(Self::new(bytes))
    }

    fn new(bytes: &[u8; 32]) -> Self {
        Self {
            id: hex(&derive(bytes, "id"), 8),
            cipher: XChaCha20Poly1305::new(bytes.into()),
            set_up_token: Zeroizing::new(hex(&derive(bytes, "set-up"), 32)),
        }
    }

    fn seal(&self, secret: &str, place: &str, random: &Random) -> Result<Sealed, SealError> {
        let nonce: [u8; NONCE_LEN] = random.bytes();
        let payload = Payload { msg: secret.as_bytes(), aad: place.as_bytes() };
        let ciphertext = self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::NotSealed)?;
        Ok(Sealed { bytes: [nonce.as_slice(), &ciphertext].concat(), master_key_id: self.id.clone() })
    }

    fn open(&self, sealed: &Sealed, place: &str) -> Result<Zeroizing<String>, SealError> {
        let (nonce, ciphertext) = sealed.bytes.split_first_chunk::<NONCE_LEN>().ok_or(SealError::Damaged)?;
        let payload = Payload { msg: ciphertext, aad: place.as_bytes() };
        let plain = self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| {
            tracing::error!(place, "a sealed secret does not open: it was changed or moved");
            SealError::Damaged
        })?;
        String::from_utf8(plain).map(Zeroizing::new).map_err(|_| SealError::Damaged)
    }
}

fn derive(master: &[u8; 32], purpose: &str) -> [u8; 32] {
    Sha256::new().chain_update(b"agent-studio ").chain_update(purpose).chain_update(master).finalize().into()
}

fn hex(bytes: &[u8], len: usize) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect::<String>()[..len].to_owned()
}

impl fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKeys(***)")
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(byte: u8) -> MasterKeys {
        MasterKeys { keys: ArcSwap::from_pointee(vec![MasterKey::new(&[byte; 32])]), file: None }
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let [old, new] = [1, 2].map(|seed| new_master_key(&Random::seeded(seed)));
        let keys = |text: &str| MasterKeys::from_base64(text).unwrap();
        let before = keys(&old).seal("secret", "here", &Random::System).unwrap();
        let both = keys(&format!("{}, {}\n", new.as_str(), old.as_str()));
        assert_eq!(both.open(&before, "here").unwrap().as_str(), "secret");
        let after = both.seal("secret", "here", &Random::System).unwrap();
        assert_eq!(after.master_key_id, keys(&new).id());
        assert_eq!(keys(&new).open(&after, "here").unwrap().as_str(), "secret");
        assert_eq!(keys(&old).open(&after, "here").unwrap_err(), SealError::OtherMasterKey);
    }

    #[test]
    fn a_changed_file_is_read_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let [old, new] = [1, 2].map(|seed| new_master_key(&Random::seeded(seed)));
        fs::write(&file, old.as_str()).unwrap();
        let running = MasterKeys::from_file(file.path()).unwrap().unwrap();
        let before = running.seal("secret", "here", &Random::System).unwrap();
        fs::write(&file, format!("{}\n{}\n", new.as_str(), old.as_str())).unwrap();
        // Some file systems note times to the second only.
        let changed = fs::metadata(&file).unwrap().modified().unwrap() + std::time::Duration::from_secs(5);
        fs::File::options().write(true).open(&file).unwrap().set_modified(changed).unwrap();
        assert_ne!(running.seal("secret", "here", &Random::System).unwrap().master_key_id, before.master_key_id);
        assert_eq!(running.open(&before, "here").unwrap().as_str(), "secret");
    }

    #[test]
    fn sealed_opens_in_its_own_place_only() {
        let sealed = master(7).seal("secret", "ws-1/key-1", &Random::System).unwrap();
        assert_eq!(master(7).open(&sealed, "ws-1/key-1").unwrap().as_str(), "secret");
        for elsewhere in ["ws-2/key-1", "ws-1/key-2", ""] {
            assert!(master(7).open(&sealed, elsewhere).is_err(), "{elsewhere}");
        }
        assert_eq!(master(8).open(&sealed, "ws-1/key-1").unwrap_err(), SealError::OtherMasterKey);

        let mut changed = sealed.clone();
        changed.bytes[26] ^= 1;
        assert!(master(7).open(&changed, "ws-1/key-1").is_err());
        changed.bytes.truncate(10);
        assert!(master(7).open(&changed, "ws-1/key-1").is_err());
    }

    #[test]
    fn nothing_secret_is_printed() {
        let sealed = master(1).seal("secret", "here", &Random::seeded(1)).unwrap();
        assert_eq!(format!("{sealed:?} {:?}", master(1)), "Sealed(***) MasterKeys(***)");
    }

    #[test]
    fn a_master_key_is_32_bytes_in_base64() {
        assert!(MasterKeys::from_base64("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").is_some());
        for wrong in ["", "AAEC", "not base64", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISI="] {
            assert!(MasterKeys::from_base64(wrong).is_none(), "{wrong}");
        }
    }
}
