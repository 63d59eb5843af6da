//! `issued.toml`: what the authority has issued, and what of it is revoked.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::CertsError;
use super::files::{self, Access};

/// Name of the record in the authority's directory.
pub(super) const FILE: &str = "issued.toml";

const HEAD: &str = "# Written by gateway certs. Without it nothing can be revoked: keep it with ca.key.\n\n";

/// All that was issued. The revocation list is made from it, so it is written first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// When the authority ends, and with it whatever it issued.
    pub authority_ends: Timestamp,
    /// Number of the last revocation list.
    pub crl_number: u64,
    /// Names of the last server certificate.
    pub server_names: Vec<String>,
    /// Oldest first.
    #[serde(default, rename = "certificate")]
    pub certificates: Vec<Issued>,
}

/// A certificate that was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Issued {
    /// To whom.
    pub id: String,
    /// Its serial number in hexadecimal.
    pub serial: String,
    /// When.
    pub issued: Timestamp,
    /// Until when it is valid.
    pub expires: Timestamp,
    /// Since when it is not valid any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Timestamp>,
}

impl Record {
    pub(super) fn read(dir: &Path) -> Result<Self, CertsError> {
        let path = dir.join(FILE);
        let text = files::read(&path)?;
        toml::from_str(&text).map_err(|error| CertsError::Malformed { path, reason: error.to_string() })
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), CertsError> {
        let text = toml::to_string(self).expect("times, numbers and texts can be written as TOML");
        files::write(&dir.join(FILE), &(HEAD.to_owned() + &text), Access::Public)
    }

    /// The certificate of an id that is valid longest, if one is.
    pub(super) fn valid(&self, id: &str, now: Timestamp) -> Option<&Issued> {
        let of_id = self.certificates.iter().filter(|issued| issued.id == id);
        of_id.filter(|issued| issued.revoked.is_none() && issued.expires > now).max_by_key(|issued| issued.expires)
    }

    /// What must be on the revocation list: what has ended is refused for that.
    pub(super) fn revoked(&self, now: Timestamp) -> impl Iterator<Item = (&Issued, Timestamp)> {
        let current = self.certificates.iter().filter(move |issued| issued.expires > now);
        current.filter_map(|issued| Some((issued, issued.revoked?)))
    }
}
