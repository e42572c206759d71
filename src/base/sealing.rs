//! Encryption of secrets that must be readable again: XChaCha20-Poly1305 under the master key. The associated data
//! binds each ciphertext to the row that it is stored in.

use crate::base::randomness::Random;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

const NONCE_LEN: usize = 24;

/// The master key: 32 bytes from the settings or from a file in the data directory.
pub struct MasterKey {
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

impl MasterKey {
    /// Reads a key of 32 bytes in base64; `None` if the text is anything else.
    pub fn from_base64(text: &str) -> Option<Self> {
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

    /// Identifies the master key beside each ciphertext. It is derived from the key by a hash and reveals nothing of
    /// it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Token that the set-up page asks for while there are no users. It is derived from the key, so all servers with
    /// this key accept the same token.
    pub fn set_up_token(&self) -> &str {
        &self.set_up_token
    }

    /// Encrypts a secret for one place, such as a row. It cannot be opened for another place.
    pub fn seal(&self, secret: &str, place: &str, random: &Random) -> Result<Sealed, SealError> {
        let nonce: [u8; NONCE_LEN] = random.bytes();
        let payload = Payload { msg: secret.as_bytes(), aad: place.as_bytes() };
        let ciphertext = self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::NotSealed)?;
        Ok(Sealed { bytes: [nonce.as_slice(), &ciphertext].concat(), master_key_id: self.id.clone() })
    }

    /// Decrypts a secret that was sealed for this place.
    pub fn open(&self, sealed: &Sealed, place: &str) -> Result<Zeroizing<String>, SealError> {
        if sealed.master_key_id != self.id {
            return Err(SealError::OtherMasterKey);
        }
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

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(***)")
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

    fn master(byte: u8) -> MasterKey {
        MasterKey::new(&[byte; 32])
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
        assert_eq!(format!("{sealed:?} {:?}", master(1)), "Sealed(***) MasterKey(***)");
    }

    #[test]
    fn a_master_key_is_32_bytes_in_base64() {
        assert!(MasterKey::from_base64("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").is_some());
        for wrong in ["", "AAEC", "not base64", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISI="] {
            assert!(MasterKey::from_base64(wrong).is_none(), "{wrong}");
        }
    }
}
