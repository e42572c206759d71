//! The key that seals what has to be read again: XChaCha20-Poly1305, each ciphertext bound to its place.

use crate::base::error::Error;
use crate::base::randomness::Random;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

const NONCE_LEN: usize = 24;

/// The key that seals: 32 bytes from the settings or from the data directory.
pub struct MasterKey {
    id: String,
    cipher: XChaCha20Poly1305,
    set_up_token: Zeroizing<String>,
}

/// A secret under the master key.
#[derive(Clone)]
pub struct Sealed {
    /// Nonce, ciphertext, tag.
    pub bytes: Vec<u8>,
    /// The master key that opens it.
    pub master_key_id: String,
}

impl MasterKey {
    /// Reads 32 bytes in base64; `None` where they are not.
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

    /// What ciphertexts name it by; tells nothing of the key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the set-up page asks for, where there are no users yet: the same on every server with this key.
    pub fn set_up_token(&self) -> &str {
        &self.set_up_token
    }

    /// Seals a secret for this place: moved to another, it does not open.
    pub fn seal(&self, secret: &str, place: &str, random: &Random) -> Result<Sealed, Error> {
        let nonce: [u8; NONCE_LEN] = random.bytes();
        let payload = Payload { msg: secret.as_bytes(), aad: place.as_bytes() };
        let ciphertext = self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| Error::Internal)?;
        Ok(Sealed { bytes: [nonce.as_slice(), &ciphertext].concat(), master_key_id: self.id.clone() })
    }

    /// Opens what was sealed for this place.
    pub fn open(&self, sealed: &Sealed, place: &str) -> Result<Zeroizing<String>, Error> {
        if sealed.master_key_id != self.id {
            return Err(Error::OtherMasterKey);
        }
        let (nonce, ciphertext) = sealed.bytes.split_first_chunk::<NONCE_LEN>().ok_or(Error::Internal)?;
        let payload = Payload { msg: ciphertext, aad: place.as_bytes() };
        let plain = self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| {
            tracing::error!(place, "a sealed secret does not open: it was changed or moved");
            Error::Internal
        })?;
        String::from_utf8(plain).map(Zeroizing::new).map_err(|_| Error::Internal)
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
        assert_eq!(master(8).open(&sealed, "ws-1/key-1").unwrap_err(), Error::OtherMasterKey);

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
