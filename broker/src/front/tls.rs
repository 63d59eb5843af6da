//! Certificates: ours, and those of clients. Files are read again when they change; nobody has to restart.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::policy::ClientCertificate;

/// How often the files are looked at. 2 s: a revoked device is out almost at once, and four `stat`s cost nothing.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The files of a TLS listener, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Our certificate, followed by intermediate ones.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Authorities that issue client certificates; without it, clients are not asked for one.
    pub client_ca: Option<PathBuf>,
    /// Lists of revoked client certificates, one for each authority.
    pub crl: Option<PathBuf>,
    /// Whether a client must show a certificate; otherwise it may log in with a token or password instead.
    pub client_certificate_required: bool,
}

/// What is wrong with the files.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file that cannot be read, or is not what it should be.
    #[error("{what} {path:?}: {reason}")]
    File {
        /// What it should be.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Files that do not fit together.
    #[error("certificate {certificate:?}, key {key:?}: {reason}")]
    Unfit {
        /// Our certificate.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
        /// Why not.
        reason: String,
    },
}

/// The TLS side of a listener.
pub(super) struct Tls {
    files: TlsFiles,
    current: RwLock<Loaded>,
}

struct Loaded {
    acceptor: TlsAcceptor,
    clients: Option<Arc<dyn ClientCertVerifier>>,
    seen: Seen,
}

/// By what a changed file is known.
type Seen = Vec<Option<(u64, u64, i64, i64)>>;

impl Tls {
    /// Reads the files.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let current = RwLock::new(Loaded::read(&files)?);
        Ok(Self { files, current })
    }

    pub fn acceptor(&self) -> TlsAcceptor {
        self.read().acceptor.clone()
    }

    /// Reads the files again if one has changed; whether that was so. What cannot be read leaves all as it was.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let seen = seen(&self.files);
        if self.read().seen == seen {
            return Ok(false);
        }
        let loaded = Loaded::read(&self.files);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // Once for each change, whether it is good or not.
        current.seen = seen;
        *current = loaded?;
        Ok(true)
    }

    /// Whether a certificate that was good at the handshake is good still.
    pub fn is_good(&self, chain: &[CertificateDer<'_>]) -> bool {
        let Some(clients) = self.read().clients.clone() else { return false };
        let Some((end_entity, intermediates)) = chain.split_first() else { return false };
        clients.verify_client_cert(end_entity, intermediates, UnixTime::now()).is_ok()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Loaded> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loaded {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let seen = seen(files);
        let provider = Arc::new(ring::default_provider());
        let clients = files.client_ca.as_deref().map(|ca| verifier(files, ca, &provider)).transpose()?;
        let unfit = |reason: rustls::Error| TlsError::Unfit {
            certificate: files.certificate.clone(),
            key: files.key.clone(),
            reason: reason.to_string(),
        };
        let chain = certificates("certificate", &files.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| file("private key", &files.key, &error))?;
        let builder =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(unfit)?;
        let builder = match &clients {
            Some(clients) => builder.with_client_cert_verifier(Arc::clone(clients)),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(unfit)?;
        // Sessions are resumed by tickets, which cost no memory here. Their key is new with each reload, so that
        // nobody who was revoked gets in by an old session.
        config.ticketer = ring::Ticketer::new().map_err(unfit)?;
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), clients, seen })
    }
}

fn verifier(
    files: &TlsFiles,
    ca: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let unfit = |reason: String| TlsError::File { what: "client authority", path: ca.to_owned(), reason };
    let mut roots = RootCertStore::empty();
    for certificate in certificates("client authority", ca)? {
        roots.add(certificate).map_err(|error| unfit(error.to_string()))?;
    }
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .only_check_end_entity_revocation();
    if let Some(crl) = &files.crl {
        let lists = CertificateRevocationListDer::pem_file_iter(crl)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| file("revocation list", crl, &error))?;
        if lists.is_empty() {
            let reason = "holds no revocation list; it must be PEM, with a line -----BEGIN X509 CRL-----".to_owned();
            return Err(TlsError::File { what: "revocation list", path: crl.clone(), reason });
        }
        builder = builder.with_crls(lists);
    }
    if !files.client_certificate_required {
        builder = builder.allow_unauthenticated();
    }
    builder.build().map_err(|error| unfit(error.to_string()))
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|error| file(what, path, &error))?;
    if found.is_empty() {
        let reason = "holds no certificate; it must be PEM, with a line -----BEGIN CERTIFICATE-----".to_owned();
        return Err(TlsError::File { what, path: path.to_owned(), reason });
    }
    Ok(found)
}

fn file(what: &'static str, path: &Path, error: &pem::Error) -> TlsError {
    TlsError::File { what, path: path.to_owned(), reason: error.to_string() }
}

fn seen(files: &TlsFiles) -> Seen {
    let paths = [Some(&files.certificate), Some(&files.key), files.client_ca.as_ref(), files.crl.as_ref()];
    paths
        .into_iter()
        .map(|path| {
            let data = std::fs::metadata(path?).ok()?;
            Some((data.ino(), data.len(), data.mtime(), data.mtime_nsec()))
        })
        .collect()
}

/// Who a certificate stands for.
pub(super) fn describe(certificate: &CertificateDer<'_>) -> Option<ClientCertificate> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let alternative = parsed.subject_alternative_name().ok().flatten();
    let mut names: Vec<String> = alternative
        .iter()
        .flat_map(|extension| &extension.value.general_names)
        .filter_map(|name| match name {
            GeneralName::DNSName(name) | GeneralName::URI(name) => Some((*name).to_owned()),
            _ => None,
        })
        .collect();
    names.extend(parsed.subject().iter_common_name().filter_map(|name| name.as_str().ok()).map(str::to_owned));
    let serial = parsed.raw_serial().iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    Some(ClientCertificate { names, serial: serial.trim_start_matches('0').to_owned() })
}
