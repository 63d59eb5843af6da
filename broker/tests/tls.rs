//! TLS and WebSocket: who may in with which certificate, and files that change while the front runs.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use broker::{Position, Transport};
use futures::{SinkExt, StreamExt};
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, DisconnectReasonCode, Login};
use rustls::version::{TLS12, TLS13};
use support::mqtt::{Running, SOON};
use support::mqtt5::{Hello, Raw5};
use support::tls::{Authority, Issued, connect, server_serial};
use support::{records, texts};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

const TLM: &str = "ag/v1/home/ac-1/tlm";

async fn secure(authority: &Authority, required: bool) -> (Running, SocketAddr) {
    let run = Running::over(&[Transport::Tcp, Transport::Tls], Some(authority.files(required)), |_| {}).await;
    let address = run.front.address(Transport::Tls).unwrap();
    (run, address)
}

/// Who shows a certificate needs neither user name nor client id.
fn by_certificate(client_id: &str) -> Hello {
    Hello { client_id: client_id.to_owned(), login: None, ..Hello::device("ac-1") }
}

/// What the front answers; `None` if it closes the connection in the handshake.
async fn answer(connector: &TlsConnector, address: SocketAddr, hello: Hello) -> Option<ConnectReturnCode> {
    let mut stream = connect(connector, address).await.ok()?;
    // With TLS 1.3 a certificate that is not taken shows with the first read.
    let probe = timeout(Duration::from_millis(300), stream.read_u8()).await;
    if probe.is_ok() {
        return None;
    }
    Some(Raw5::over(stream).hello(hello).await.code)
}

#[tokio::test]
async fn both_versions_of_tls_carry_messages() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new(dir.path());
    let (run, address) = secure(&authority, false).await;
    for version in [&TLS12, &TLS13] {
        let stream = connect(&authority.client(None, &[version]), address).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        let mut client = Raw5::over(stream);
        assert_eq!(client.hello(Hello::device("ac-1")).await.code, ConnectReturnCode::Success);
        client.publish(TLM, 1, "x", Default::default()).await;
        client.puback().await;
    }
    assert_eq!(texts(&records(&run.journal, Position(0)).await), ["x", "x"]);
}

#[tokio::test]
async fn a_certificate_says_who_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new(dir.path());
    let (_run, address) = secure(&authority, true).await;
    let other = Authority::new(tempfile::tempdir().unwrap().path());
    let by_common_name = authority.issue("ac-1", &[], 10);
    let by_alternative = authority.issue("a lamp", &["ac-1"], 11);
    let foreign = other.issue("ac-1", &[], 12);
    let ask = async |identity: Option<&Issued>, hello: Hello| {
        answer(&authority.client(identity, &[&TLS13]), address, hello).await
    };
    use ConnectReturnCode as Code;
    assert_eq!(ask(Some(&by_common_name), by_certificate("ac-1")).await, Some(Code::Success));
    assert_eq!(ask(Some(&by_alternative), by_certificate("")).await, Some(Code::Success), "assigned");
    assert_eq!(ask(Some(&by_common_name), by_certificate("ac-2")).await, Some(Code::ClientIdentifierNotValid));
    let other_name = Hello { login: Some(Login::new("ac-2", "secret")), ..by_certificate("ac-1") };
    assert_eq!(ask(Some(&by_common_name), other_name).await, Some(Code::NotAuthorized));
    assert_eq!(ask(Some(&foreign), by_certificate("ac-1")).await, None, "of another authority");
    assert_eq!(ask(None, Hello::device("ac-1")).await, None, "required");
}

#[tokio::test]
async fn without_a_certificate_a_password_will_do_where_that_is_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new(dir.path());
    let (_run, address) = secure(&authority, false).await;
    let nobody = authority.client(None, &[&TLS13]);
    assert_eq!(answer(&nobody, address, Hello::device("ac-1")).await, Some(ConnectReturnCode::Success));
    let wrong = Hello { login: Some(Login::new("ac-1", "guess")), ..Hello::device("ac-1") };
    assert_eq!(answer(&nobody, address, wrong).await, Some(ConnectReturnCode::BadUserNamePassword));
}

#[tokio::test]
async fn a_revoked_device_is_sent_away_and_does_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut authority = Authority::new(dir.path());
    let (run, address) = secure(&authority, false).await;
    let (lost, kept) = (authority.issue("ac-1", &[], 10), authority.issue("ac-2", &[], 11));
    let as_lost = authority.client(Some(&lost), &[&TLS13]);
    let mut first = Raw5::over(connect(&as_lost, address).await.unwrap());
    assert_eq!(first.hello(by_certificate("ac-1")).await.code, ConnectReturnCode::Success);
    let mut second = Raw5::over(connect(&authority.client(Some(&kept), &[&TLS13]), address).await.unwrap());
    assert_eq!(second.hello(by_certificate("ac-2")).await.code, ConnectReturnCode::Success);
    authority.revoke(&[lost.serial]);
    assert_eq!(first.sent_away().await.0, DisconnectReasonCode::AdministrativeAction);
    // The same connector would resume its session, if it were let.
    assert_eq!(answer(&as_lost, address, by_certificate("ac-1")).await, None);
    second.publish("ag/v1/home/ac-2/tlm", 1, "here", Default::default()).await;
    second.puback().await;
    assert_eq!(texts(&records(&run.journal, Position(0)).await), ["here"]);
}

#[tokio::test]
async fn a_new_certificate_is_used_without_a_restart_and_a_bad_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new(dir.path());
    let (run, address) = secure(&authority, false).await;
    let nobody = authority.client(None, &[&TLS13]);
    let mut old = Raw5::over(connect(&nobody, address).await.unwrap());
    assert_eq!(old.hello(Hello::device("ac-1")).await.code, ConnectReturnCode::Success);
    let mut problem = run.front.tls_problem();
    std::fs::write(dir.path().join("server.pem"), "no certificate").unwrap();
    let said = timeout(SOON, problem.wait_for(Option::is_some)).await.unwrap().unwrap().clone().unwrap();
    assert!(said.contains("server.pem") && said.contains("BEGIN CERTIFICATE"), "{said}");
    assert_eq!(server_serial(&connect(&nobody, address).await.unwrap()), [1], "the earlier one");
    authority.write_server(2);
    timeout(SOON, problem.wait_for(Option::is_none)).await.unwrap().unwrap();
    assert_eq!(server_serial(&connect(&nobody, address).await.unwrap()), [2]);
    old.publish(TLM, 1, "still here", Default::default()).await;
    old.puback().await;
}

#[tokio::test]
async fn files_that_do_not_fit_stop_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new(dir.path());
    let start = async |change: fn(&mut broker::TlsFiles)| {
        let mut files = authority.files(false);
        change(&mut files);
        let listener = broker::Listener { transport: Transport::Tls, address: "127.0.0.1:0".parse().unwrap() };
        let config = broker::FrontConfig {
            listeners: vec![listener],
            tls: Some(files),
            ..broker::FrontConfig::plain(listener.address)
        };
        support::mqtt::start_front(config).await.unwrap_err().to_string()
    };
    let error = start(|files| files.key = files.certificate.clone()).await;
    assert!(error.contains("private key") && error.contains("server.pem"), "{error}");
    let error = start(|files| files.client_ca = Some("none.pem".into())).await;
    assert!(error.contains("client authority") && error.contains("none.pem"), "{error}");
    let error = start(|files| files.crl = Some(files.certificate.with_file_name("server.key"))).await;
    assert!(error.contains("revocation list"), "{error}");
}

#[tokio::test]
async fn mqtt_over_websocket() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new(dir.path());
    let transports = [Transport::Tcp, Transport::WebSocket, Transport::SecureWebSocket];
    let run = Running::over(&transports, Some(authority.files(false)), |_| {}).await;
    let plain = run.front.address(Transport::WebSocket).unwrap();
    let request = |protocol: Option<&'static str>| {
        let mut request = format!("ws://{plain}/mqtt").into_client_request().unwrap();
        if let Some(protocol) = protocol {
            request.headers_mut().insert("Sec-WebSocket-Protocol", protocol.parse().unwrap());
        }
        request
    };
    let open = async |protocol| {
        let stream = tokio::net::TcpStream::connect(plain).await.unwrap();
        tokio_tungstenite::client_async(request(protocol), stream).await
    };
    // Without the subprotocol nobody knows what is spoken.
    for protocol in [None, Some("chat")] {
        let Err(Error::Http(response)) = open(protocol).await else { panic!("{protocol:?}") };
        assert_eq!(response.status(), 400);
    }
    let (mut socket, response) = open(Some("chat, mqtt")).await.unwrap();
    assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "mqtt");
    // Packets may be cut anywhere.
    let mut bytes = support::mqtt::connect("ac-1", None);
    bytes.extend(support::mqtt::publish(TLM, rumqttc::QoS::AtLeastOnce, false, 9, "over ws"));
    for piece in bytes.chunks(7) {
        socket.send(Message::binary(piece.to_vec())).await.unwrap();
    }
    let mut answers = Vec::new();
    while answers.len() < 8 {
        answers.extend(socket.next().await.unwrap().unwrap().into_data());
    }
    assert_eq!(answers, [0x20, 2, 0, 0, 0x40, 2, 0, 9]);
    // Text is not MQTT.
    socket.send(Message::text("hello")).await.unwrap();
    while let Some(Ok(_)) = timeout(SOON, socket.next()).await.unwrap() {}

    let address = run.front.address(Transport::SecureWebSocket).unwrap();
    let stream = connect(&authority.client(None, &[&TLS13]), address).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request(Some("mqtt")), stream).await.unwrap();
    socket.send(Message::binary(bytes)).await.unwrap();
    let mut answers = Vec::new();
    while answers.len() < 8 {
        answers.extend(socket.next().await.unwrap().unwrap().into_data());
    }
    assert_eq!(answers, [0x20, 2, 0, 0, 0x40, 2, 0, 9]);
    assert_eq!(texts(&records(&run.journal, Position(0)).await), ["over ws", "over ws"]);
}
