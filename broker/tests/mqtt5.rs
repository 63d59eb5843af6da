//! MQTT 5 at the front: what a device endpoint needs, and what is refused with which reason.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::{Duration, Instant};

use broker::{DeviceMessage, Position, SendError, SessionEvent};
use bytes::Bytes;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnectReturnCode, DisconnectReasonCode, Login, Packet, PubAckReason, Publish, PublishProperties,
    SubscribeReasonCode, UnsubAckReason,
};
use support::mqtt::Running;
use support::mqtt5::{Hello, Raw5};
use support::{address, records, texts};

const TLM: &str = "ag/v1/home/ac-1/tlm";
const COMMANDS: &str = "ag/v1/home/ac-1/cmd/req/+";
const COMMAND: &str = "ag/v1/home/ac-1/cmd/req/0190b6a4-0000-7000-8000-000000000001";

async fn connected(run: &Running, hello: Hello) -> Raw5 {
    let mut client = Raw5::tcp(run.addr()).await;
    assert_eq!(client.hello(hello).await.code, ConnectReturnCode::Success);
    client
}

fn plain() -> PublishProperties {
    PublishProperties::default()
}

#[tokio::test]
async fn connack_says_what_is_offered() {
    let run = Running::start().await;
    let mut hello = Hello::device("ac-1").with_session(u32::MAX);
    hello.keep_alive = 0;
    hello.properties.request_response_info = Some(1);
    let mut client = Raw5::tcp(run.addr()).await;
    let ack = client.hello(hello).await;
    let offered = ack.properties.unwrap();
    assert!(!ack.session_present);
    assert_eq!(offered.session_expiry_interval, Some(86_400), "capped");
    assert_eq!(offered.receive_max, Some(64));
    assert_eq!(offered.max_qos, Some(1));
    assert_eq!(offered.retain_available, Some(0));
    assert_eq!(offered.max_packet_size, Some(65_536));
    assert_eq!(offered.topic_alias_max, Some(16));
    assert_eq!(offered.server_keep_alive, Some(2_400), "0 is capped by the idle limit");
    assert_eq!(offered.shared_subscription_available, Some(0));
    assert_eq!(offered.subscription_identifiers_available, Some(0));
    assert_eq!(offered.assigned_client_identifier, None);
    assert_eq!(offered.response_information.as_deref(), Some("ag/v1/home/ac-1/cmd/rsp/"));
}

#[tokio::test]
async fn a_client_without_an_id_is_given_one() {
    let run = Running::start().await;
    let mut hello = Hello::device("ac-1");
    hello.client_id = String::new();
    let mut device = Raw5::tcp(run.addr()).await;
    let ack = device.hello(hello).await;
    assert_eq!(ack.properties.unwrap().assigned_client_identifier.as_deref(), Some("ac-1"));
    let mut hello = Hello::device("svc");
    hello.client_id = String::new();
    let mut service = Raw5::tcp(run.addr()).await;
    let assigned = service.hello(hello).await.properties.unwrap().assigned_client_identifier.unwrap();
    assert!(assigned.starts_with("svc-"), "{assigned}");
}

#[tokio::test]
async fn connect_is_refused_with_its_reason() {
    let run = Running::start().await;
    let wrong = |change: fn(&mut Hello)| {
        let mut hello = Hello::device("ac-1");
        change(&mut hello);
        hello
    };
    let cases = [
        (wrong(|hello| hello.login = Some(Login::new("ac-1", "guess"))), ConnectReturnCode::BadUserNamePassword),
        (wrong(|hello| hello.login = None), ConnectReturnCode::BadUserNamePassword),
        (wrong(|hello| hello.login = Some(Login::new("alias", "secret"))), ConnectReturnCode::NotAuthorized),
        (wrong(|hello| hello.client_id = "a\u{1}".to_owned()), ConnectReturnCode::ClientIdentifierNotValid),
        (
            wrong(|hello| hello.properties.authentication_method = Some("SCRAM-SHA-256".to_owned())),
            ConnectReturnCode::BadAuthenticationMethod,
        ),
        (
            wrong(|hello| {
                let mut other = Hello::device("ac-2").with_will(0, "gone");
                hello.will = other.will.take();
            }),
            ConnectReturnCode::NotAuthorized,
        ),
    ];
    for (hello, expected) in cases {
        let mut client = Raw5::tcp(run.addr()).await;
        let ack = client.hello(hello).await;
        assert_eq!(ack.code, expected);
        client.is_closed().await;
    }
    run.still_serves().await;
}

#[tokio::test]
async fn a_refused_message_is_answered_and_the_next_is_taken() {
    let run = Running::start().await;
    let mut client = connected(&run, Hello::device("ac-1")).await;
    let json = |text: &str| PublishProperties { content_type: Some(text.to_owned()), ..plain() };
    client.publish("ag/v1/home/ac-2/tlm", 1, "x", plain()).await;
    client.publish("é", 2, "x", plain()).await;
    client.publish(TLM, 3, "no object", json("application/json")).await;
    client.publish(TLM, 4, " {}", json("application/json")).await;
    let expected = [
        (1, PubAckReason::NotAuthorized, "belongs to home/ac-2"),
        (2, PubAckReason::TopicNameInvalid, "ag/v1"),
        (3, PubAckReason::PayloadFormatInvalid, "JSON"),
        (4, PubAckReason::Success, ""),
    ];
    for (packet_id, reason, text) in expected {
        let ack = client.puback().await;
        assert_eq!((ack.pkid, ack.reason), (packet_id, reason), "in order");
        let said = ack.properties.and_then(|properties| properties.reason_string).unwrap_or_default();
        assert!(said.contains(text), "{said}");
    }
    assert_eq!(texts(&records(&run.journal, Position(0)).await), ["{}"]);
}

#[tokio::test]
async fn reasons_are_given_as_text_only_to_those_who_want_them() {
    let run = Running::start().await;
    let mut hello = Hello::device("ac-1");
    hello.properties.request_problem_info = Some(0);
    let mut client = connected(&run, hello).await;
    client.publish("ag/v1/home/ac-2/tlm", 1, "x", plain()).await;
    let ack = client.puback().await;
    assert_eq!((ack.reason, ack.properties.and_then(|p| p.reason_string)), (PubAckReason::NotAuthorized, None));
}

#[tokio::test]
async fn what_ends_the_connection_has_a_reason() {
    let run = Running::with(|limits| limits.packet_bytes = 1_024).await;
    let publish = |qos, retain, topic: &str| {
        let mut publish = Publish::new(topic, qos, "x", None);
        (publish.pkid, publish.retain) = (1, retain);
        let mut bytes = bytes::BytesMut::new();
        publish.write(&mut bytes).unwrap();
        bytes.to_vec()
    };
    let aliased = |alias| {
        let properties = PublishProperties { topic_alias: Some(alias), ..plain() };
        let mut publish = Publish::new("", QoS::AtLeastOnce, "x", Some(properties));
        publish.pkid = 1;
        let mut bytes = bytes::BytesMut::new();
        publish.write(&mut bytes).unwrap();
        bytes.to_vec()
    };
    let cases: Vec<(Vec<u8>, DisconnectReasonCode)> = vec![
        (publish(QoS::ExactlyOnce, false, TLM), DisconnectReasonCode::QoSNotSupported),
        (publish(QoS::AtLeastOnce, true, TLM), DisconnectReasonCode::RetainNotSupported),
        (publish(QoS::AtMostOnce, false, "ag/v1/home/ac-2/tlm"), DisconnectReasonCode::NotAuthorized),
        (aliased(17), DisconnectReasonCode::TopicAliasInvalid),
        (aliased(0), DisconnectReasonCode::TopicAliasInvalid),
        // A CONNACK, a second CONNECT, AUTH, a PUBACK of nothing.
        (b"\x20\x03\0\0\0".to_vec(), DisconnectReasonCode::ProtocolError),
        (b"\x10\x0e\0\x04MQTT\x05\x02\0\x3c\0\0\x01a".to_vec(), DisconnectReasonCode::ProtocolError),
        (b"\xf0\0".to_vec(), DisconnectReasonCode::ProtocolError),
        (b"\x40\x02\0\x05".to_vec(), DisconnectReasonCode::ProtocolError),
        (b"\x30\xff\xff\x03".to_vec(), DisconnectReasonCode::PacketTooLarge),
        // A SUBSCRIBE with identifier, one without a property length, and flags that must not be.
        (b"\x82\x09\0\x01\x02\x0b\x05\0\x01a\0".to_vec(), DisconnectReasonCode::SubscriptionIdentifiersNotSupported),
        (b"\x82\x02\0\x01".to_vec(), DisconnectReasonCode::MalformedPacket),
        (b"\x80\x06\0\x01\0\0\x01a\0".to_vec(), DisconnectReasonCode::MalformedPacket),
    ];
    for (bytes, expected) in cases {
        let mut client = connected(&run, Hello::device("ac-1")).await;
        client.send_bytes(&bytes).await;
        let (reason, text) = client.sent_away().await;
        assert_eq!(reason, expected, "{bytes:?} {text}");
        assert!(!text.is_empty());
    }
    run.still_serves().await;
}

#[tokio::test]
async fn a_topic_alias_stands_for_its_topic_until_the_connection_ends() {
    let run = Running::start().await;
    let mut client = connected(&run, Hello::device("ac-1")).await;
    let alias = |alias| PublishProperties { topic_alias: Some(alias), ..plain() };
    client.publish(TLM, 1, "one", alias(1)).await;
    client.publish("", 2, "two", alias(1)).await;
    assert_eq!((client.puback().await.pkid, client.puback().await.pkid), (1, 2));
    assert_eq!(texts(&records(&run.journal, Position(0)).await), ["one", "two"]);
    let mut next = connected(&run, Hello::device("ac-1")).await;
    next.publish("", 1, "three", alias(1)).await;
    assert_eq!(next.sent_away().await.0, DisconnectReasonCode::ProtocolError);
}

#[tokio::test]
async fn more_than_the_receive_maximum_is_an_error() {
    let run = Running::with(|limits| limits.inflight_per_device = 3).await;
    let mut client = connected(&run, Hello::device("ac-1")).await;
    run.disk.hold();
    for packet_id in 1..=4 {
        client.publish(TLM, packet_id, "x", plain()).await;
    }
    assert_eq!(client.sent_away().await.0, DisconnectReasonCode::ReceiveMaximumExceeded);
    run.disk.release();
}

#[tokio::test]
async fn the_clients_receive_maximum_and_packet_size_are_kept() {
    let run = Running::start().await;
    let device = address("ac-1").device;
    let mut hello = Hello::device("ac-1");
    hello.properties.receive_maximum = Some(2);
    hello.properties.max_packet_size = Some(200);
    let mut client = connected(&run, hello).await;
    client.subscribe(&[COMMANDS]).await;
    let large = DeviceMessage::new(COMMAND, vec![b'x'; 200]);
    assert_eq!(run.downlinks.send(&device, large), Err(SendError::TooLarge));
    for number in 0..4 {
        run.downlinks.send(&device, DeviceMessage::new(COMMAND, format!("{number}"))).unwrap();
    }
    let (first, second) = (client.message().await, client.message().await);
    assert_eq!((&first.payload[..], &second.payload[..]), (&b"0"[..], &b"1"[..]));
    client.hears_nothing().await;
    client.acknowledge(first.pkid).await;
    assert_eq!(&client.message().await.payload[..], b"2");
}

#[tokio::test]
async fn a_command_says_where_its_answer_goes_and_how_long_it_holds() {
    let run = Running::start().await;
    let device = address("ac-1").device;
    let mut client = connected(&run, Hello::device("ac-1")).await;
    client.subscribe(&[COMMANDS]).await;
    let answer = ("ag/v1/home/ac-1/cmd/rsp/0190b6a4-0000-7000-8000-000000000001".to_owned(), Bytes::from("7"));
    let expires = Some(Instant::now() + Duration::from_secs(90));
    let message = DeviceMessage { expires, answer: Some(answer.clone()), ..DeviceMessage::new(COMMAND, "do") };
    run.downlinks.send(&device, message).unwrap();
    let properties = client.message().await.properties.unwrap();
    assert_eq!(properties.response_topic, Some(answer.0));
    assert_eq!(properties.correlation_data, Some(answer.1));
    let left = properties.message_expiry_interval.unwrap();
    assert!((80..=90).contains(&left), "{left}");
}

#[tokio::test]
async fn a_command_whose_time_is_over_is_not_sent() {
    let run = Running::start().await;
    let device = address("ac-1").device;
    let mut client = connected(&run, Hello::device("ac-1")).await;
    client.subscribe(&[COMMANDS]).await;
    let over = DeviceMessage { expires: Some(Instant::now()), ..DeviceMessage::new(COMMAND, "late") };
    run.downlinks.send(&device, over).unwrap();
    run.downlinks.send(&device, DeviceMessage::new(COMMAND, "in time")).unwrap();
    assert_eq!(&client.message().await.payload[..], b"in time");
}

#[tokio::test]
async fn filters_are_answered_one_by_one() {
    let run = Running::with(|limits| limits.filters_per_client = 2).await;
    let mut client = connected(&run, Hello::device("ac-1")).await;
    let codes = client
        .subscribe(&[
            COMMANDS,
            "ag/v1/home/ac-2/cmd/req/+",
            "#",
            "$share/g/ag/v1/home/ac-1/err",
            "a/#/b",
            "ag/v1/home/ac-1/err",
            COMMAND,
        ])
        .await;
    use SubscribeReasonCode as Code;
    let granted = Code::Success(QoS::AtLeastOnce);
    let expected = [
        granted,
        Code::NotAuthorized,
        Code::NotAuthorized,
        Code::SharedSubscriptionsNotSupported,
        Code::TopicFilterInvalid,
        granted,
        Code::QuotaExceeded,
    ];
    assert_eq!(codes, expected);
    let reasons = client.unsubscribe(&["ag/v1/home/ac-1/err", "ag/v1/home/ac-1/err"]).await;
    assert_eq!(reasons, [UnsubAckReason::Success, UnsubAckReason::NoSubscriptionExisted]);
}

#[tokio::test]
async fn a_session_outlives_its_connection() {
    let mut run = Running::start().await;
    let device = address("ac-1").device;
    let mut client = connected(&run, Hello::device("ac-1").with_session(60)).await;
    client.subscribe(&[COMMANDS]).await;
    assert_eq!(run.event().await, SessionEvent::Online(address("ac-1")));
    run.downlinks.send(&device, DeviceMessage::new(COMMAND, "one")).unwrap();
    let first = client.message().await;
    assert!(!first.dup);
    drop(client);
    assert_eq!(run.event().await, SessionEvent::Offline(address("ac-1")));
    assert_eq!(run.downlinks.send(&device, DeviceMessage::new(COMMAND, "two")), Err(SendError::NotConnected));

    let mut client = Raw5::tcp(run.addr()).await;
    assert!(client.hello(Hello::device("ac-1").with_session(60)).await.session_present);
    let again = client.message().await;
    assert!(again.dup && again.pkid == first.pkid && again.payload == first.payload);
    assert_eq!(run.event().await, SessionEvent::Online(address("ac-1")));
    // What the outbox sends again is on its way already.
    run.downlinks.send(&device, DeviceMessage::new(COMMAND, "one")).unwrap();
    run.downlinks.send(&device, DeviceMessage::new(COMMAND, "two")).unwrap();
    client.acknowledge(again.pkid).await;
    let next = client.message().await;
    assert_eq!(&next.payload[..], b"two");
    client.acknowledge(next.pkid).await;

    // A clean start forgets it.
    let mut client = Raw5::tcp(run.addr()).await;
    assert!(!client.hello(Hello::device("ac-1")).await.session_present);
    assert_eq!(run.event().await, SessionEvent::Offline(address("ac-1")));
    let sent = run.downlinks.send(&device, DeviceMessage::new(COMMAND, "three"));
    assert_eq!(sent, Err(SendError::NotSubscribed));
}

#[tokio::test]
async fn a_session_expires() {
    let run = Running::with(|limits| limits.session = Duration::from_secs(1)).await;
    // The will comes when the session ends, which is sooner than its delay.
    let hello = || Hello::device("ac-1").with_session(60).with_will(600, "over");
    let mut client = connected(&run, hello()).await;
    client.subscribe(&[COMMANDS]).await;
    drop(client);
    let mut back = Raw5::tcp(run.addr()).await;
    assert!(back.hello(hello()).await.session_present);
    assert_eq!(run.journal.end(), Position(0));
    drop(back);
    run.journalled(1).await;
    let mut late = Raw5::tcp(run.addr()).await;
    assert!(!late.hello(hello()).await.session_present);
}

#[tokio::test]
async fn disconnect_may_end_the_session_but_not_make_one() {
    let run = Running::start().await;
    let mut client = connected(&run, Hello::device("ac-1").with_session(60)).await;
    client.disconnect(DisconnectReasonCode::NormalDisconnection, Some(0)).await;
    let mut client = Raw5::tcp(run.addr()).await;
    assert!(!client.hello(Hello::device("ac-1").with_session(0)).await.session_present);
    client
        .send(Packet::Disconnect(rumqttc::v5::mqttbytes::v5::Disconnect {
            reason_code: DisconnectReasonCode::NormalDisconnection,
            properties: Some(rumqttc::v5::mqttbytes::v5::DisconnectProperties {
                session_expiry_interval: Some(5),
                reason_string: None,
                user_properties: Vec::new(),
                server_reference: None,
            }),
        }))
        .await;
    assert_eq!(client.sent_away().await.0, DisconnectReasonCode::ProtocolError);
}

#[tokio::test]
async fn a_will_waits_for_its_delay() {
    let run = Running::start().await;
    // Back before the delay is over: nobody died.
    drop(connected(&run, Hello::device("ac-1").with_session(60).with_will(30, "early")).await);
    let mut back = Raw5::tcp(run.addr()).await;
    let ack = back.hello(Hello::device("ac-1").with_session(60)).await;
    assert!(ack.session_present);
    assert_eq!(run.journal.end(), Position(0));
    back.disconnect(DisconnectReasonCode::NormalDisconnection, Some(0)).await;
    // Not back.
    let began = Instant::now();
    drop(connected(&run, Hello::device("ac-1").with_session(60).with_will(1, "gone")).await);
    run.journalled(1).await;
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    // The session ends before the delay: the will goes with it.
    let began = Instant::now();
    drop(connected(&run, Hello::device("ac-2").with_session(1).with_will(600, "ended")).await);
    run.journalled(2).await;
    assert!(began.elapsed() >= Duration::from_secs(1));
    // A clean start ends the session.
    drop(connected(&run, Hello::device("ac-3").with_session(600).with_will(600, "replaced")).await);
    let _new = connected(&run, Hello::device("ac-3")).await;
    run.journalled(3).await;
    assert_eq!(texts(&records(&run.journal, Position(0)).await), ["gone", "ended", "replaced"]);
}

#[tokio::test]
async fn a_goodbye_may_ask_for_the_will() {
    let run = Running::start().await;
    let mut client = connected(&run, Hello::device("ac-1").with_will(0, "asked for")).await;
    client.disconnect(DisconnectReasonCode::NormalDisconnection, None).await;
    let mut client = connected(&run, Hello::device("ac-1").with_will(0, "asked for")).await;
    client.disconnect(DisconnectReasonCode::DisconnectWithWillMessage, None).await;
    run.journalled(1).await;
    assert_eq!(run.journal.end(), Position(1));
}

#[tokio::test]
async fn wills_that_wait_are_not_lost_by_a_shutdown() {
    let run = Running::start().await;
    let mut client = connected(&run, Hello::device("ac-1").with_session(600).with_will(600, "gone")).await;
    client.subscribe(&[COMMANDS]).await;
    drop(client);
    let Running { front, journal, mut events, dir: _dir, .. } = run;
    assert_eq!(events.recv().await, Some(SessionEvent::Online(address("ac-1"))));
    assert_eq!(events.recv().await, Some(SessionEvent::Offline(address("ac-1"))));
    front.shutdown().await;
    journal.close().await;
    assert_eq!(journal.end(), Position(1));
}

#[tokio::test]
async fn the_older_connection_hears_that_it_was_taken_over() {
    let run = Running::start().await;
    let mut old = connected(&run, Hello::device("ac-1")).await;
    let _new = connected(&run, Hello::device("ac-1")).await;
    assert_eq!(old.sent_away().await.0, DisconnectReasonCode::SessionTakenOver);
}

#[tokio::test]
async fn a_device_that_may_no_longer_be_here_is_sent_away() {
    let run = Running::start().await;
    let mut client = connected(&run, Hello::device("ac-1").with_session(60)).await;
    run.downlinks.disconnect(&address("ac-1").device);
    assert_eq!(client.sent_away().await.0, DisconnectReasonCode::AdministrativeAction);
}

#[tokio::test]
async fn a_shutdown_is_announced() {
    let run = Running::start().await;
    let mut client = connected(&run, Hello::device("ac-1")).await;
    let shutdown = tokio::spawn(run.front.shutdown());
    assert_eq!(client.sent_away().await.0, DisconnectReasonCode::ServerShuttingDown);
    shutdown.await.unwrap();
}

#[tokio::test]
async fn silence_has_a_reason() {
    let run = Running::start().await;
    let mut hello = Hello::device("ac-1");
    hello.keep_alive = 1;
    let mut client = connected(&run, hello).await;
    assert_eq!(client.sent_away().await.0, DisconnectReasonCode::KeepAliveTimeout);
}

#[tokio::test]
async fn a_device_that_says_too_much_is_slowed_and_loses_nothing() {
    let run = Running::with(|limits| limits.messages_per_second = 20).await;
    let mut client = connected(&run, Hello::device("ac-1")).await;
    let began = Instant::now();
    for packet_id in 1..=40 {
        client.publish(TLM, packet_id, "x", plain()).await;
    }
    for packet_id in 1..=40 {
        assert_eq!(client.puback().await.pkid, packet_id);
    }
    // 20 at once, then 20 a second; the last batch may be taken before it is paid for.
    client.publish(TLM, 41, "x", plain()).await;
    client.puback().await;
    assert!(began.elapsed() > Duration::from_millis(700), "{:?}", began.elapsed());
    assert_eq!(run.journal.end(), Position(41));
}
