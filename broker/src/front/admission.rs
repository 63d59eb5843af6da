//! From the first byte to CONNACK: who is this, and may they in.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use firmware_proto::{DeviceAddress, Topic, UplinkKind, topic};
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Connect, LastWill};
use tokio::io::{AsyncRead, AsyncWrite};

use super::policy::{Credentials, Denied, Identity, Policy};
use super::refusal::Reason;
use super::socket::{End, Socket};
use super::wire::{self, ConnectCode, WireError};

/// Longest client id, in bytes. As long as rumqttd and most brokers take.
const MAX_CLIENT_ID: usize = 256;

/// A client that may in; its CONNACK has not been written.
#[derive(Debug)]
pub(super) struct Admitted {
    pub client_id: String,
    pub identity: Identity,
    pub keepalive_s: u16,
    /// Payload of the will, if it has one.
    pub will: Option<Bytes>,
}

/// A client that may not.
pub(super) struct Refusal {
    pub code: ConnectCode,
    pub reason: Reason,
    pub who: String,
    pub detail: String,
}

/// Reads the CONNECT. A refusal for its version has been answered.
pub(super) async fn read_connect<S>(socket: &mut Socket<S>, packet_bytes: usize) -> Result<Connect, End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match wire::read_connect(&mut socket.input, packet_bytes) {
            Ok(Some(connect)) => return Ok(connect),
            Ok(None) => socket.read().await?,
            Err(error) => {
                answer_version(socket, &error).await?;
                return Err(error.into());
            }
        }
    }
}

async fn answer_version<S>(socket: &mut Socket<S>, error: &WireError) -> Result<(), End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match error {
        WireError::Version(5) => wire::write_connack_v5_unsupported(&mut socket.output),
        WireError::Version(_) => wire::write_connack(&mut socket.output, ConnectCode::Version),
        _ => return Ok(()),
    }
    socket.flush().await
}

/// Decides whether the sender of a CONNECT may in.
pub(super) async fn admit(connect: Connect, peer: SocketAddr, policy: Arc<dyn Policy>) -> Result<Admitted, Refusal> {
    let Connect { client_id, keep_alive, last_will, login, .. } = connect;
    if client_id.is_empty() || client_id.len() > MAX_CLIENT_ID || client_id.chars().any(char::is_control) {
        return Err(Refusal {
            code: ConnectCode::ClientId,
            reason: Reason::ClientId,
            detail: format!("a client id has 1 to {MAX_CLIENT_ID} printable characters"),
            who: client_id,
        });
    }
    // An absent user name or password arrives as an empty one.
    let (username, password) = login.map_or((None, None), |login| (Some(login.username), Some(login.password)));
    let identity = authenticate(policy, &client_id, username.as_deref(), password, peer).await?;
    let refused =
        |reason, detail: String| Refusal { code: ConnectCode::NotAuthorised, reason, who: client_id.clone(), detail };
    let will = match &identity {
        Identity::Device(address) => {
            if username.as_deref() != Some(address.device.as_str()) {
                return Err(refused(
                    Reason::Credentials,
                    format!("the user name must be the device id {}", address.device),
                ));
            }
            last_will.map(|will| own_death(will, address)).transpose().map_err(|text| refused(Reason::Will, text))?
        }
        Identity::Service { .. } if last_will.is_some() => {
            return Err(refused(Reason::Will, "a service account publishes nothing, and so has no will".to_owned()));
        }
        Identity::Service { .. } => None,
    };
    Ok(Admitted { client_id, identity, keepalive_s: keep_alive, will })
}

async fn authenticate(
    policy: Arc<dyn Policy>,
    client_id: &str,
    username: Option<&str>,
    password: Option<String>,
    peer: SocketAddr,
) -> Result<Identity, Refusal> {
    let (id, name) = (client_id.to_owned(), username.map(str::to_owned));
    // It may hash a password, which must not hold other connections up.
    let decision = tokio::task::spawn_blocking(move || {
        let credentials = Credentials {
            client_id: &id,
            username: name.as_deref(),
            password: password.as_deref(),
            certificate: None,
            peer,
        };
        policy.authenticate(&credentials)
    })
    .await
    .unwrap_or_else(|_| Err(Denied::Unavailable("the policy ended without a decision".to_owned())));
    decision.map_err(|denied| Refusal {
        code: match denied {
            Denied::Unavailable(_) => ConnectCode::Unavailable,
            Denied::Forbidden { .. } => ConnectCode::NotAuthorised,
            _ => ConnectCode::Credentials,
        },
        reason: Reason::Credentials,
        who: client_id.to_owned(),
        detail: denied.to_string(),
    })
}

/// The will's payload, if it says that the device itself is gone.
fn own_death(will: LastWill, address: &DeviceAddress) -> Result<Bytes, String> {
    if topic::parse(&will.topic) != Ok((address.clone(), Topic::Up(UplinkKind::Death))) {
        let own = address.topic(&Topic::Up(UplinkKind::Death));
        return Err(format!("the will's topic is {:?}, only {own} is taken", will.topic));
    }
    if will.retain || will.qos == QoS::ExactlyOnce {
        return Err("a will is neither retained nor of QoS 2".to_owned());
    }
    Ok(will.message)
}
