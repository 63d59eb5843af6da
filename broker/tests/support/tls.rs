//! An authority, certificates and clients that use them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use broker::TlsFiles;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, RevocationReason, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Signs certificates, and keeps the server's files in a directory.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    dir: PathBuf,
    lists: u64,
}

/// A certificate with its key.
pub struct Issued {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    pub serial: u64,
}

impl Authority {
    /// Makes the authority, the server's certificate and an empty revocation list.
    pub fn new(dir: &Path) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let mut authority = Self { issuer, pem, dir: dir.to_owned(), lists: 0 };
        std::fs::write(dir.join("ca.pem"), &authority.pem).unwrap();
        authority.write_server(1);
        authority.revoke(&[]);
        authority
    }

    /// A new certificate of the server.
    pub fn write_server(&self, serial: u64) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.serial_number = Some(SerialNumber::from(serial));
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        // Never a certificate with another's key: the key is new first.
        std::fs::write(self.dir.join("server.key"), key.serialize_pem()).unwrap();
        std::fs::write(self.dir.join("server.pem"), certificate.pem()).unwrap();
    }

    /// A certificate with this common name, and these subject alternative names.
    pub fn issue(&self, common_name: &str, alternative: &[&str], serial: u64) -> Issued {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = alternative.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.serial_number = Some(SerialNumber::from(serial));
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        Issued { certificate: certificate.der().clone(), key, serial }
    }

    /// Replaces the revocation list.
    pub fn revoke(&mut self, serials: &[u64]) {
        self.lists += 1;
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2025, 1, 1),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2025, 1, 1),
            next_update: date_time_ymd(2125, 1, 1),
            crl_number: SerialNumber::from(self.lists),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        std::fs::write(self.dir.join("crl.pem"), list.signed_by(&self.issuer).unwrap().pem().unwrap()).unwrap();
    }

    pub fn files(&self, client_certificate_required: bool) -> TlsFiles {
        TlsFiles {
            certificate: self.dir.join("server.pem"),
            key: self.dir.join("server.key"),
            client_ca: Some(self.dir.join("ca.pem")),
            crl: Some(self.dir.join("crl.pem")),
            client_certificate_required,
        }
    }

    /// A TLS client that trusts this authority.
    pub fn client(
        &self,
        identity: Option<&Issued>,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        let builder = builder.with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(issued) => {
                builder.with_client_auth_cert(vec![issued.certificate.clone()], issued.key.clone_key()).unwrap()
            }
        };
        TlsConnector::from(Arc::new(config))
    }
}

/// Connects over TLS; an error may also come with the first bytes that are read.
pub async fn connect(connector: &TlsConnector, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await.unwrap();
    connector.connect(ServerName::try_from("localhost").unwrap(), stream).await
}

/// The serial number of the certificate that the server showed.
pub fn server_serial(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    let shown = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    use x509_parser::prelude::{FromDer, X509Certificate};
    X509Certificate::from_der(&shown).unwrap().1.raw_serial().to_vec()
}
