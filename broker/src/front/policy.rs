//! Who may connect, and as what.

use std::net::SocketAddr;

use firmware_proto::DeviceAddress;
use thiserror::Error;

/// What a CONNECT said about its sender.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// Client id; empty if the client leaves the choice to us.
    pub client_id: &'a str,
    /// User name, if one was sent.
    pub username: Option<&'a str>,
    /// Password or token, if one was sent.
    pub password: Option<&'a str>,
    /// The certificate that the client proved to own, if it showed one.
    pub certificate: Option<&'a ClientCertificate>,
    /// Where the connection comes from.
    pub peer: SocketAddr,
}

impl std::fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("client_id", &self.client_id)
            .field("username", &self.username)
            .field("password", &self.password.map(|_| "…"))
            .field("certificate", &self.certificate)
            .field("peer", &self.peer)
            .finish()
    }
}

/// A client certificate that a configured authority issued, within its term and not revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Who it stands for: the DNS and URI names of its subject alternative name, and its common name.
    pub names: Vec<String>,
    /// Serial number, upper-case hexadecimal without leading zeros.
    pub serial: String,
}

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// An appliance: publishes and subscribes below its own topics only.
    Device(DeviceAddress),
    /// A back office, a dashboard: subscribes within its filters, publishes nothing.
    Service {
        /// Name of the account.
        name: String,
        /// MQTT topic filters; a subscription must lie within one of them.
        filters: Vec<String>,
    },
}

/// Why somebody may not connect. The text goes to the log, never to the client.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Denied {
    /// No such device or account.
    #[error("{0:?} is neither a registered device nor a service account")]
    UnknownDevice(String),
    /// The password or token is wrong or missing.
    #[error("wrong or missing password for {0:?}")]
    BadCredentials(String),
    /// Known, but not let in: disabled, revoked, from a forbidden network.
    #[error("{who:?} is not let in: {reason}")]
    Forbidden {
        /// Who it claimed to be.
        who: String,
        /// Why not.
        reason: String,
    },
    /// The policy could not decide now; the client may try again.
    #[error("cannot decide now: {0}")]
    Unavailable(String),
}

/// Decides who may connect. Called on a blocking thread, so it may hash a password.
pub trait Policy: Send + Sync + 'static {
    /// Who these credentials belong to.
    ///
    /// # Errors
    /// Why they belong to nobody; the client sees the CONNACK code that fits.
    fn authenticate(&self, credentials: &Credentials<'_>) -> Result<Identity, Denied>;

    /// Changes whenever somebody is let in no longer, or by other credentials only. Asked before and after a login:
    /// one that was under way meanwhile is turned away and may try again. Those who are connected, see
    /// [`Downlinks::disconnect`](crate::Downlinks::disconnect).
    fn revision(&self) -> u64 {
        0
    }
}
