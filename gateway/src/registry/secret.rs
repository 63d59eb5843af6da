//! What is stored of a token or a password.

use std::fmt;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use crate::auth::token_hash;

/// 19 MiB, two passes, one lane: the OWASP Password Storage Cheat Sheet's parameters for argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Passwords that are hashed at a time: each takes a core for some 20 ms and 19 MiB.
const AT_A_TIME: usize = 4;

/// Longest wait for a place among them: half of what a client has from its first byte to CONNACK.
const PLACE_WAIT: Duration = Duration::from_secs(5);

/// What is stored of a secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// SHA-256 of a random token; it has so many bits that a slow hash adds nothing, and 10,000 devices that come
    /// back at once cost next to nothing.
    Token(String),
    /// argon2id of a password that a person chose, as PHC string.
    Password(String),
}

/// Hashing of passwords, a few at a time.
#[derive(Debug)]
pub(super) struct Hashing {
    places: Semaphore,
    argon2: Argon2<'static>,
}

/// Too many passwords are being checked.
#[derive(Debug)]
pub(super) struct Busy;

impl Secret {
    /// Of a random token.
    pub fn of_token(token: &str) -> Self {
        Self::Token(token_hash(token))
    }

    /// As read from the store.
    pub(super) fn stored(text: String) -> Self {
        if text.starts_with('$') { Self::Password(text) } else { Self::Token(text) }
    }

    /// As written to the store.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Token(text) | Self::Password(text) => text,
        }
    }
}

/// Hashes are no secrets, but belong in no log either.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token(…)",
            Self::Password(_) => "Password(…)",
        })
    }
}

impl Hashing {
    pub(super) fn new() -> Self {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are constants in range");
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        Self { places: Semaphore::new(AT_A_TIME), argon2 }
    }

    /// Hashes a password with a new salt. For a blocking thread.
    pub(super) fn hash(&self, runtime: &tokio::runtime::Handle, password: &str) -> Result<Secret, Busy> {
        self.one_of_few(runtime, || {
            let hash = self.argon2.hash_password(password.as_bytes()).expect("lengths and parameters are in range");
            Secret::Password(hash.to_string())
        })
    }

    /// Whether a secret was given. For a blocking thread.
    pub(super) fn matches(&self, runtime: &tokio::runtime::Handle, secret: &Secret, given: &str) -> Result<bool, Busy> {
        match secret {
            // Both are hashes: the time a comparison takes tells nothing of the token.
            Secret::Token(sha256) => Ok(token_hash(given) == *sha256),
            Secret::Password(phc) => self.one_of_few(runtime, || {
                PasswordHash::new(phc).is_ok_and(|hash| self.argon2.verify_password(given.as_bytes(), &hash).is_ok())
            }),
        }
    }

    fn one_of_few<T>(&self, runtime: &tokio::runtime::Handle, work: impl FnOnce() -> T) -> Result<T, Busy> {
        let place = runtime.block_on(async { tokio::time::timeout(PLACE_WAIT, self.places.acquire()).await });
        let _place = place.map_err(|_| Busy)?.map_err(|_| Busy)?;
        Ok(work())
    }
}
