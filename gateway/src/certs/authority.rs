//! The authority: its key signs server, devices and the revocation list.

use std::fs::File;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use firmware_proto::DeviceId;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber,
};
use time::OffsetDateTime;

use super::files::{self, Access};
use super::record::{FILE, Issued, Record};
use super::{CertsError, DEVICE_URN, SERVICE_URN};
use crate::auth::hex;

/// Devices live long and the authority is in all of them: 20 years.
const AUTHORITY_DAYS: u32 = 20 * 365;

/// Appliances' clocks may be behind when they first connect.
const BACKDATED: SignedDuration = SignedDuration::from_hours(24);

/// By which the server is reached on its own machine.
const OWN_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Whom a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    Device,
    Service,
}

/// An authority that is open; no other command changes it meanwhile.
pub(super) struct Authority {
    dir: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    record: Record,
    _lock: File,
}

impl Authority {
    /// Makes a new one with its server certificate; returns how long that is valid.
    pub(super) fn create(dir: &Path, names: &[String], days: u32) -> Result<Timestamp, CertsError> {
        let server_names = server_names(names)?;
        std::fs::create_dir_all(dir).map_err(|source| file_error(dir, "made", source))?;
        let lock = lock(dir)?;
        if let Some(there) =
            ["ca.pem", "ca.key", FILE].map(|name| dir.join(name)).into_iter().find(|path| path.exists())
        {
            return Err(CertsError::Exists(there));
        }
        let now = now();
        let (key, server_key) = (KeyPair::generate()?, KeyPair::generate()?);
        let params = authority_params(now);
        let certificate = params.self_signed(&key)?;
        files::write(&dir.join("ca.key"), &key.serialize_pem(), Access::Secret)?;
        files::write(&dir.join("server.key"), &server_key.serialize_pem(), Access::Secret)?;
        let record = Record {
            authority_ends: after(now, AUTHORITY_DAYS),
            crl_number: 0,
            server_names,
            certificates: Vec::new(),
        };
        let mut authority = Self { dir: dir.to_owned(), issuer: Issuer::new(params, key), record, _lock: lock };
        let expires = authority.issue_server(&server_key, days)?;
        authority.write_list()?;
        // Last: where it is, everything is.
        files::write(&dir.join("ca.pem"), &certificate.pem(), Access::Public)?;
        Ok(expires)
    }

    /// Opens an existing one.
    pub(super) fn open(dir: &Path) -> Result<Self, CertsError> {
        let lock = lock(dir)?;
        let (certificate, key) = (dir.join("ca.pem"), dir.join("ca.key"));
        let pem = files::read(&certificate)?;
        let issuer = Issuer::from_ca_cert_pem(&pem, read_key(&key)?)
            .map_err(|error| CertsError::Malformed { path: certificate, reason: error.to_string() })?;
        Ok(Self { dir: dir.to_owned(), issuer, record: Record::read(dir)?, _lock: lock })
    }

    /// Issues a certificate to each id, or to none; returns until when each is valid.
    pub(super) fn issue(
        &mut self,
        ids: &[DeviceId],
        holder: Holder,
        days: u32,
        again: bool,
    ) -> Result<Vec<Timestamp>, CertsError> {
        let now = now();
        let mut made = Vec::with_capacity(ids.len());
        for id in ids {
            if let (false, Some(has)) = (again, self.record.valid(id.as_str(), now)) {
                return Err(CertsError::HasOne { id: id.to_string(), expires: has.expires });
            }
            let key = KeyPair::generate()?;
            let (certificate, expires) = self.sign(client_params(id, holder)?, id.as_str(), &key, days)?;
            made.push((id, certificate, key, expires));
        }
        // What is not on record could never be revoked.
        self.record.write(&self.dir)?;
        for (id, certificate, key, _) in &made {
            files::write(&self.dir.join(format!("{id}.key")), &key.serialize_pem(), Access::Secret)?;
            files::write(&self.dir.join(format!("{id}.pem")), certificate, Access::Public)?;
        }
        Ok(made.into_iter().map(|(_, _, _, expires)| expires).collect())
    }

    /// Revokes all certificates of an id and signs the list anew; returns how many were still valid.
    pub(super) fn revoke(&mut self, id: &str) -> Result<usize, CertsError> {
        let now = now();
        let mut of_id = self.record.certificates.iter_mut().filter(|issued| issued.id == id).peekable();
        if of_id.peek().is_none() {
            return Err(CertsError::NotIssued { id: id.to_owned(), record: self.dir.join(FILE) });
        }
        let current = of_id.filter(|issued| issued.revoked.is_none() && issued.expires > now);
        let revoked = current.map(|issued| issued.revoked = Some(now)).count();
        self.write_list()?;
        Ok(revoked)
    }

    /// Issues a new server certificate for the key that is there; returns until when it is valid.
    pub(super) fn renew_server(&mut self, names: &[String], days: u32) -> Result<Timestamp, CertsError> {
        if !names.is_empty() {
            self.record.server_names = server_names(names)?;
        }
        let key = read_key(&self.dir.join("server.key"))?;
        self.issue_server(&key, days)
    }

    fn issue_server(&mut self, key: &KeyPair, days: u32) -> Result<Timestamp, CertsError> {
        let params = server_params(&self.record.server_names)?;
        let (certificate, expires) = self.sign(params, "server", key, days)?;
        self.record.write(&self.dir)?;
        files::write(&self.dir.join("server.pem"), &certificate, Access::Public)?;
        Ok(expires)
    }

    /// Signs a certificate and notes it, not yet on disk. Nothing outlives the authority.
    fn sign(
        &mut self,
        mut params: CertificateParams,
        id: &str,
        key: &KeyPair,
        days: u32,
    ) -> Result<(String, Timestamp), CertsError> {
        let now = now();
        let (serial, expires) = (serial(), after(now, days).min(self.record.authority_ends));
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        (params.not_before, params.not_after) = (date(now - BACKDATED), date(expires));
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(key, &self.issuer)?;
        let serial = hex(&serial).to_uppercase();
        self.record.certificates.push(Issued { id: id.to_owned(), serial, issued: now, expires, revoked: None });
        Ok((certificate.pem(), expires))
    }

    /// Signs the revocation list, with the next number. It is valid as long as the authority: the gateway reads it
    /// from its own disk, where nobody can hold a newer one back, and a list that ends would lock everybody out.
    fn write_list(&mut self) -> Result<(), CertsError> {
        let now = now();
        self.record.crl_number += 1;
        let revoked_certs = self.record.revoked(now).map(|(issued, since)| on_list(&self.dir, issued, since));
        let list = CertificateRevocationListParams {
            this_update: date(now),
            next_update: date(self.record.authority_ends),
            crl_number: SerialNumber::from(self.record.crl_number),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect::<Result<_, _>>()?,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let pem = list.signed_by(&self.issuer)?.pem()?;
        self.record.write(&self.dir)?;
        files::write(&self.dir.join("crl.pem"), &pem, Access::Public)
    }
}

fn authority_params(now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    let (serial, ends) = (serial(), after(now, AUTHORITY_DAYS));
    // Two authorities must not have one name, or a client that trusts both picks the wrong key.
    params.distinguished_name = named(&format!("Fettle devices {}", &hex(&serial)[..8]));
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    (params.not_before, params.not_after) = (date(now - BACKDATED), date(ends));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn server_params(names: &[String]) -> Result<CertificateParams, CertsError> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = named(&names[0]);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn client_params(id: &DeviceId, holder: Holder) -> Result<CertificateParams, CertsError> {
    let urn = match holder {
        Holder::Device => DEVICE_URN,
        Holder::Service => SERVICE_URN,
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = named(id.as_str());
    params.subject_alt_names = vec![SanType::URI(format!("{urn}{id}").try_into()?)];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

fn named(common_name: &str) -> rcgen::DistinguishedName {
    let mut name = rcgen::DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// The names that every server certificate has, and those given.
fn server_names(given: &[String]) -> Result<Vec<String>, CertsError> {
    let mut names: Vec<String> = Vec::new();
    for name in given.iter().map(String::as_str).chain(OWN_NAMES) {
        if name.parse::<IpAddr>().is_err() && !is_host(name) {
            return Err(CertsError::Host(name.to_owned()));
        }
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// RFC 1123, 2.1: labels of letters, digits and inner hyphens.
fn is_host(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // Four numbers that are no address would look like one.
    name.len() <= 253 && name.split('.').all(label) && !name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

fn on_list(dir: &Path, issued: &Issued, since: Timestamp) -> Result<RevokedCertParams, CertsError> {
    let bytes = (0..issued.serial.len()).step_by(2).map(|at| issued.serial.get(at..at + 2));
    let serial: Option<Vec<u8>> = bytes.map(|byte| u8::from_str_radix(byte?, 16).ok()).collect();
    let malformed = || CertsError::Malformed {
        path: dir.join(FILE),
        reason: format!("the serial {:?} is not hexadecimal", issued.serial),
    };
    Ok(RevokedCertParams {
        serial_number: serial.ok_or_else(malformed)?.into(),
        revocation_time: date(since),
        reason_code: None,
        invalidity_date: None,
    })
}

/// 126 random bits: positive, and without leading zeros in any notation.
fn serial() -> [u8; 16] {
    let mut serial: [u8; 16] = rand::random();
    serial[0] = (serial[0] & 0x7f) | 0x40;
    serial
}

/// In whole seconds, as certificates have it; never ahead.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

fn after(now: Timestamp, days: u32) -> Timestamp {
    now + SignedDuration::from_hours(24 * i64::from(days))
}

fn date(time: Timestamp) -> OffsetDateTime {
    std::time::SystemTime::from(time).into()
}

fn read_key(path: &Path) -> Result<KeyPair, CertsError> {
    let pem = files::read(path)?;
    let malformed = |error: rcgen::Error| CertsError::Malformed { path: path.to_owned(), reason: error.to_string() };
    KeyPair::from_pem(&pem).map_err(malformed)
}

/// One command at a time: two would write the record over each other.
fn lock(dir: &Path) -> Result<File, CertsError> {
    let attempt = || {
        let dir = File::open(dir)?;
        dir.lock()?;
        Ok(dir)
    };
    attempt().map_err(|source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => CertsError::NoAuthority(dir.to_owned()),
        _ => file_error(dir, "locked", source),
    })
}

fn file_error(path: &Path, action: &'static str, source: std::io::Error) -> CertsError {
    CertsError::File { path: path.to_owned(), action, source }
}
