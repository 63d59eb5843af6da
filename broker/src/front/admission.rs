//! From the first byte to CONNACK: who is this, and may they in.

use std::net::SocketAddr;
use std::sync::Arc;

use firmware_proto::{DeviceAddress, Topic, UplinkKind, topic};
use rumqttc::mqttbytes::QoS;

use super::Gate;
use super::policy::{ClientCertificate, Credentials, Denied, Identity};
use super::refusal::Reason;
use super::socket::{End, Socket};
use super::wire::{self, Code, Connect, Version, Will, WireError};

/// Longest client id, in bytes. As long as rumqttd and most brokers take.
const MAX_CLIENT_ID: usize = 256;

/// A client that may in; its CONNACK has not been written.
#[derive(Debug)]
pub(super) struct Admitted {
    pub connect: Connect,
    pub identity: Identity,
    /// The client id, if the client left the choice to us.
    pub assigned: Option<String>,
    /// The policy's revision before it decided.
    pub revision: u64,
}

/// A client that may not.
#[derive(Debug)]
pub(super) struct Refusal {
    pub code: Code,
    pub reason: Reason,
    pub detail: String,
    /// Whether the detail is for the log only.
    pub secret: bool,
}

impl Refusal {
    fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { code: reason.code(), reason, detail: detail.into(), secret: false }
    }
}

/// Reads the CONNECT. A refusal for its version has been answered.
pub(super) async fn read_connect(socket: &mut Socket, packet_bytes: usize) -> Result<Connect, End> {
    loop {
        match wire::read_connect(&mut socket.input, packet_bytes) {
            Ok(Some(connect)) => return Ok(connect),
            Ok(None) => socket.read().await?,
            Err(error) => {
                if let WireError::Version(level) = error {
                    wire::write_connack_of_no_version(&mut socket.output, level);
                    socket.flush().await?;
                }
                return Err(error.into());
            }
        }
    }
}

/// Decides whether the sender of a CONNECT may in.
pub(super) async fn admit(
    mut connect: Connect,
    certificate: Option<ClientCertificate>,
    peer: SocketAddr,
    gate: &Gate,
) -> Result<Admitted, Refusal> {
    check_client_id(&connect)?;
    if let Some(method) = &connect.authentication_method {
        let detail = format!("authentication method {method:?}; use a user name and password, or a certificate");
        return Err(Refusal { code: Code::AuthenticationMethod, ..Refusal::new(Reason::Credentials, detail) });
    }
    let revision = gate.policy.revision();
    let password = connect.password.take();
    let identity = authenticate(&connect, password, certificate.clone(), peer, gate).await?;
    let assigned = match &identity {
        Identity::Device(address) => {
            check_names(&connect, certificate.is_some(), address)?;
            check_will(connect.will.as_ref(), address)?;
            connect.client_id.is_empty().then(|| address.device.to_string())
        }
        Identity::Service { .. } if connect.will.is_some() => {
            return Err(Refusal::new(Reason::Will, "a service account publishes nothing, and so has no will"));
        }
        Identity::Service { name, .. } => {
            connect.client_id.is_empty().then(|| format!("{name}-{}", uuid::Uuid::now_v7().simple()))
        }
    };
    if let Some(client_id) = &assigned {
        connect.client_id.clone_from(client_id);
    }
    Ok(Admitted { connect, identity, assigned, revision })
}

fn check_client_id(connect: &Connect) -> Result<(), Refusal> {
    let Connect { client_id, version, clean_start, .. } = connect;
    if client_id.len() > MAX_CLIENT_ID || client_id.chars().any(char::is_control) {
        let detail = format!("a client id has at most {MAX_CLIENT_ID} printable characters");
        return Err(Refusal::new(Reason::ClientId, detail));
    }
    if client_id.is_empty() && *version == Version::V4 && !clean_start {
        return Err(Refusal::new(Reason::ClientId, "without a client id the session must be clean"));
    }
    Ok(())
}

/// A device is who its certificate or its user name says, and nobody else.
fn check_names(connect: &Connect, by_certificate: bool, address: &DeviceAddress) -> Result<(), Refusal> {
    let device = address.device.as_str();
    let username = connect.username.as_deref().unwrap_or_default();
    if username != device && !(by_certificate && username.is_empty()) {
        let detail = format!("the user name must be the device id {device}");
        return Err(Refusal { code: Code::NotAuthorised, ..Refusal::new(Reason::Credentials, detail) });
    }
    if by_certificate && !connect.client_id.is_empty() && connect.client_id != device {
        let detail = format!("the client id must be {device}, for which the certificate stands");
        return Err(Refusal::new(Reason::ClientId, detail));
    }
    Ok(())
}

async fn authenticate(
    connect: &Connect,
    password: Option<String>,
    certificate: Option<ClientCertificate>,
    peer: SocketAddr,
    gate: &Gate,
) -> Result<Identity, Refusal> {
    let (id, name, policy) = (connect.client_id.clone(), connect.username.clone(), Arc::clone(&gate.policy));
    let unavailable = |why: &str| Err(Denied::Unavailable(why.to_owned()));
    // It may hash a password, which must not hold other connections up, nor take all the memory there is.
    let decision = match gate.logins.acquire().await {
        Err(_) => unavailable("the front is shutting down"),
        Ok(_place) => tokio::task::spawn_blocking(move || {
            policy.authenticate(&Credentials {
                client_id: &id,
                username: name.as_deref().filter(|name| !name.is_empty()),
                password: password.as_deref(),
                certificate: certificate.as_ref(),
                peer,
            })
        })
        .await
        .unwrap_or_else(|_| unavailable("the policy ended without a decision")),
    };
    decision.map_err(|denied| Refusal {
        code: match denied {
            Denied::Unavailable(_) => Code::Unavailable,
            Denied::Forbidden { .. } => Code::NotAuthorised,
            _ => Code::Credentials,
        },
        secret: true,
        ..Refusal::new(Reason::Credentials, denied.to_string())
    })
}

/// A will says that the device itself is gone, and nothing else.
fn check_will(will: Option<&Will>, address: &DeviceAddress) -> Result<(), Refusal> {
    let Some(will) = will else { return Ok(()) };
    if topic::parse(&will.topic) != Ok((address.clone(), Topic::Up(UplinkKind::Death))) {
        let own = address.topic(&Topic::Up(UplinkKind::Death));
        return Err(Refusal::new(Reason::Will, format!("the will's topic is {:?}, only {own} is taken", will.topic)));
    }
    let code = match will {
        Will { retain: true, .. } => Code::RetainNotSupported,
        Will { qos: QoS::ExactlyOnce, .. } => Code::QosNotSupported,
        _ => return Ok(()),
    };
    Err(Refusal { code, ..Refusal::new(Reason::Will, "a will is neither retained nor of QoS 2") })
}
