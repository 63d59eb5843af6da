//! What a device may rely on in either version of the protocol: its session, its commands, its will. Each test runs
//! for both; what only MQTT 5 has is tried in `mqtt5.rs`.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::{Duration, Instant};

use broker::{DeviceMessage, Position, SendError, SessionEvent};
use bytes::Bytes;
use firmware_proto::{CommandId, DeviceId, UplinkKind};
use rumqttc::v5::mqttbytes::v5::ConnectReturnCode;
use support::byhand::{DISCONNECT, LEVELS, connect_as, packet, publish, reset, subscribe, unsubscribe, until_closed};
use support::mqtt::{Running, SOON};
use support::mqtt5::{Hello, Raw5};
use support::packets::framed;
use support::{address, records, texts};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{sleep_until, timeout};

const COMMANDS: &str = "ag/v1/home/ac-1/cmd/req/+";
const COMMAND: &str = "ag/v1/home/ac-1/cmd/req/0190b6a4-0000-7000-8000-000000000001";
const ANSWER: &str = "ag/v1/home/ac-1/cmd/rsp/0190b6a4-0000-7000-8000-000000000001";
const DEATH: &str = "ag/v1/home/ac-1/death";

/// What the CONNECT of `ac-1` says.
#[derive(Clone, Copy)]
struct Wants {
    client_id: &'static str,
    keepalive_s: u16,
    /// To find its session again, and to find it again the next time.
    session: bool,
    will: bool,
}

const PLAIN: Wants = Wants { client_id: "ac-1", keepalive_s: 60, session: false, will: false };
const LASTING: Wants = Wants { session: true, ..PLAIN };

/// A command as it came.
#[derive(Debug, PartialEq)]
struct Command {
    again: bool,
    packet_id: u16,
    payload: Vec<u8>,
    /// Message expiry, response topic and correlation data, as bytes; of MQTT 5.
    properties: Vec<u8>,
}

/// A connection of `ac-1`.
struct Device {
    stream: TcpStream,
    level: u8,
    session_present: bool,
}

impl Device {
    /// What the CONNACK says: whether there is a session, and the code.
    async fn hello(run: &Running, level: u8, wants: Wants) -> (TcpStream, [u8; 2]) {
        let mut stream = TcpStream::connect(run.addr()).await.unwrap();
        stream.write_all(&hello(level, wants)).await.unwrap();
        let ack = packet(&mut stream).await.expect("a CONNACK");
        assert_eq!(ack[0], 0x20);
        (stream, [ack[2], ack[3]])
    }

    async fn connected(run: &Running, level: u8, wants: Wants) -> Self {
        let (stream, [present, code]) = Self::hello(run, level, wants).await;
        assert_eq!(code, 0);
        Self { stream, level, session_present: present == 1 }
    }

    /// Connected and subscribed to its commands.
    async fn listening(run: &mut Running, level: u8, wants: Wants) -> Self {
        let mut device = Self::connected(run, level, wants).await;
        device.subscribe().await;
        assert_eq!(run.event().await, SessionEvent::Online(address("ac-1")));
        device
    }

    async fn subscribe(&mut self) {
        self.send(&subscribe(self.level, &[COMMANDS.as_bytes()])).await;
        let answer = packet(&mut self.stream).await.unwrap();
        assert_eq!((answer[0], answer.last()), (0x90, Some(&1)), "granted with QoS 1");
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    async fn command(&mut self) -> Command {
        let packet = packet(&mut self.stream).await.expect("a command");
        assert_eq!(packet[0] & 0xf7, 0x32, "a PUBLISH of QoS 1: {packet:?}");
        // All are shorter than 16 KiB; the length has one byte or two.
        let body = &packet[if packet[1] & 0x80 == 0 { 2 } else { 3 }..];
        let (topic, rest) = body[2..].split_at(usize::from(u16::from_be_bytes([body[0], body[1]])));
        assert_eq!(topic, COMMAND.as_bytes());
        let (packet_id, rest) = rest.split_first_chunk().unwrap();
        let properties = if self.level == 5 { 1 + usize::from(rest[0]) } else { 0 };
        let (properties, payload) = rest.split_at(properties);
        Command {
            again: packet[0] & 8 != 0,
            packet_id: u16::from_be_bytes(*packet_id),
            payload: payload.to_vec(),
            properties: properties.to_vec(),
        }
    }

    async fn acknowledge(&mut self, command: &Command) {
        let [high, low] = command.packet_id.to_be_bytes();
        self.send(&[0x40, 2, high, low]).await;
    }

    /// Gone without a goodbye, and the front has seen it.
    async fn dies(self, run: &mut Running) {
        reset(self.stream);
        assert_eq!(run.event().await, SessionEvent::Offline(address("ac-1")));
    }
}

fn hello(level: u8, wants: Wants) -> Vec<u8> {
    let Wants { client_id, keepalive_s, session, will } = wants;
    let plain = connect_as(level, client_id.as_bytes(), "ac-1", keepalive_s);
    let mut body = plain[2..].to_vec();
    if session {
        body[7] &= !2;
    }
    if will {
        body[7] |= 0x0c;
    }
    if level == 5 {
        // Properties; the session lives for a minute, where it does.
        let expiry: &[u8] = if session { &[5, 0x11, 0, 0, 0, 60] } else { &[0] };
        body.splice(10..11, expiry.iter().copied());
    }
    if will {
        let name = if level == 5 { usize::from(body[10]) + 11 } else { 10 };
        let behind_id = name + 2 + client_id.len();
        let no_properties: &[u8] = if level == 5 { &[0] } else { &[] };
        let will = [no_properties, &[0, DEATH.len() as u8], DEATH.as_bytes(), &[0, 4], b"gone"].concat();
        body.splice(behind_id..behind_id, will);
    }
    framed(0x10, &body)
}

fn ac_1() -> DeviceId {
    address("ac-1").device
}

fn send(run: &Running, payload: &str) -> Result<(), SendError> {
    run.downlinks.send(&ac_1(), DeviceMessage::new(COMMAND, payload.to_owned()))
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again() {
    for level in LEVELS {
        let mut run = Running::start().await;
        let mut device = Device::listening(&mut run, level, LASTING).await;
        assert!(!device.session_present);
        for payload in ["one", "two", "three"] {
            send(&run, payload).unwrap();
        }
        let (one, two, three) = (device.command().await, device.command().await, device.command().await);
        assert!(!one.again && !two.again && !three.again);
        device.acknowledge(&one).await;
        // A PING behind it: its answer says that the acknowledgement was read.
        device.send(&[0xc0, 0]).await;
        assert_eq!(packet(&mut device.stream).await.unwrap(), [0xd0, 0]);
        device.dies(&mut run).await;

        let mut device = Device::connected(&run, level, LASTING).await;
        assert!(device.session_present);
        assert_eq!(device.command().await, Command { again: true, ..two });
        let last = device.command().await;
        assert_eq!(last, Command { again: true, ..three });
        assert_eq!(run.event().await, SessionEvent::Online(address("ac-1")), "without a new subscription");
        send(&run, "four").unwrap();
        let four = device.command().await;
        assert!(!four.again && four.packet_id != last.packet_id, "{four:?}");
    }
}

#[tokio::test]
async fn a_clean_start_forgets() {
    for level in LEVELS {
        let mut run = Running::start().await;
        let mut device = Device::listening(&mut run, level, LASTING).await;
        send(&run, "forgotten").unwrap();
        device.command().await;
        device.dies(&mut run).await;
        let device = Device::connected(&run, level, PLAIN).await;
        assert!(!device.session_present);
        assert_eq!(send(&run, "x"), Err(SendError::NotSubscribed));
        drop(device);
        // And a clean session leaves nothing.
        let device = Device::connected(&run, level, LASTING).await;
        assert!(!device.session_present);
        assert_eq!(send(&run, "x"), Err(SendError::NotSubscribed));
    }
}

#[tokio::test]
async fn a_session_ends_when_its_time_is_over() {
    for level in LEVELS {
        let mut run = Running::with(|limits| limits.session = Duration::from_millis(500)).await;
        Device::listening(&mut run, level, LASTING).await.dies(&mut run).await;
        let began = Instant::now();
        // Each look ends the session if it is there, so there is one look.
        sleep_until((began + Duration::from_secs(2)).into()).await;
        assert!(!Device::connected(&run, level, LASTING).await.session_present);
    }
}

#[tokio::test]
async fn a_device_may_leave_its_id_out() {
    for level in LEVELS {
        let run = Running::start().await;
        let (_, answer) = Device::hello(&run, level, Wants { client_id: "", ..PLAIN }).await;
        assert_eq!(answer, [0, 0], "with a clean session");
        let (stream, answer) = Device::hello(&run, level, Wants { client_id: "", ..LASTING }).await;
        match level {
            4 => {
                assert_eq!(answer, [0, 2], "identifier rejected (MQTT 3.1.1, 3.1.3.1)");
                until_closed(stream).await;
            }
            _ => assert_eq!(answer, [0, 0]),
        }
    }
}

#[tokio::test]
async fn without_a_keepalive_silence_is_limited_all_the_same() {
    for level in LEVELS {
        let run = Running::with(|limits| limits.idle = Duration::from_millis(400)).await;
        let began = Instant::now();
        let device = Device::connected(&run, level, Wants { keepalive_s: 0, ..PLAIN }).await;
        until_closed(device.stream).await;
        assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn pings_stand_for_messages() {
    for level in LEVELS {
        let run = Running::start().await;
        let mut device = Device::connected(&run, level, Wants { keepalive_s: 1, ..PLAIN }).await;
        let began = Instant::now();
        let mut pings = tokio::time::interval(Duration::from_millis(700));
        while began.elapsed() < Duration::from_secs(3) {
            pings.tick().await;
            device.send(&[0xc0, 0]).await;
            assert_eq!(packet(&mut device.stream).await.unwrap(), [0xd0, 0]);
        }
        let silent_since = Instant::now();
        until_closed(device.stream).await;
        assert!(silent_since.elapsed() >= Duration::from_secs(1), "{:?}", silent_since.elapsed());
    }
}

#[tokio::test]
async fn every_end_but_a_goodbye_is_a_death() {
    for level in LEVELS {
        let run = Running::start().await;
        let wants = Wants { will: true, keepalive_s: 1, ..PLAIN };
        let mut polite = Device::connected(&run, level, wants).await;
        polite.send(&DISCONNECT).await;
        until_closed(polite.stream).await;
        assert_eq!(run.journal.end(), Position(0));
        // Closed, reset, silent, and sent away.
        drop(Device::connected(&run, level, wants).await);
        run.journalled(1).await;
        reset(Device::connected(&run, level, wants).await.stream);
        run.journalled(2).await;
        let silent = Device::connected(&run, level, wants).await;
        run.journalled(3).await;
        let mut rude = Device::connected(&run, level, wants).await;
        rude.send(b"\x10\x00").await;
        run.journalled(4).await;
        drop(silent);
        let found = records(&run.journal, Position(0)).await;
        assert!(found.iter().all(|record| record.kind == UplinkKind::Death), "{found:?}");
        assert_eq!(texts(&found), ["gone"; 4]);
    }
}

#[tokio::test]
async fn who_unsubscribes_gets_no_commands_until_it_subscribes_again() {
    for level in LEVELS {
        let mut run = Running::start().await;
        let mut device = Device::listening(&mut run, level, PLAIN).await;
        device.send(&unsubscribe(level, &[COMMANDS.as_bytes()])).await;
        assert_eq!(packet(&mut device.stream).await.unwrap()[0], 0xb0);
        assert_eq!(run.event().await, SessionEvent::Offline(address("ac-1")));
        assert!(!run.downlinks.is_online(&ac_1()));
        assert_eq!(send(&run, "one"), Err(SendError::NotSubscribed));
        device.subscribe().await;
        assert_eq!(run.event().await, SessionEvent::Online(address("ac-1")), "what waits can be sent");
        send(&run, "two").unwrap();
        assert_eq!(device.command().await.payload, b"two");
        device.dies(&mut run).await;
    }
}

#[tokio::test]
async fn an_answer_finds_its_command() {
    for level in LEVELS {
        let mut run = Running::start().await;
        let mut device = Device::listening(&mut run, level, PLAIN).await;
        let answer = Some((ANSWER.to_owned(), Bytes::from("7")));
        run.downlinks.send(&ac_1(), DeviceMessage { answer, ..DeviceMessage::new(COMMAND, "do") }).unwrap();
        let command = device.command().await;
        if level == 5 {
            let told = [&[0x08, 0, ANSWER.len() as u8][..], ANSWER.as_bytes(), &[0x09, 0, 1, b'7']].concat();
            assert_eq!(command.properties[1..], told);
        }
        device.acknowledge(&command).await;
        device.send(&publish(level, ANSWER.as_bytes(), Some(9), b"done")).await;
        assert_eq!(packet(&mut device.stream).await.unwrap(), [0x40, 2, 0, 9]);
        let found = records(&run.journal, Position(0)).await;
        let id: CommandId = "0190b6a4-0000-7000-8000-000000000001".parse().unwrap();
        assert_eq!((&found[0].kind, texts(&found)), (&UplinkKind::Result(id), vec!["done".to_owned()]));
    }
}

#[tokio::test]
async fn commands_whose_time_is_over_are_neither_sent_nor_sent_again() {
    for level in LEVELS {
        let mut run = Running::start().await;
        let mut device = Device::listening(&mut run, level, LASTING).await;
        let with_expiry = |payload: &'static str, expires| {
            run.downlinks
                .send(&ac_1(), DeviceMessage { expires: Some(expires), ..DeviceMessage::new(COMMAND, payload) })
        };
        let (soon, later) = (Instant::now() + Duration::from_millis(1_500), Instant::now() + Duration::from_secs(60));
        with_expiry("over", Instant::now()).unwrap();
        with_expiry("soon over", soon).unwrap();
        with_expiry("holds", later).unwrap();
        assert_eq!(device.command().await.payload, b"soon over");
        let first = device.command().await;
        assert_eq!(first.payload, b"holds");
        device.dies(&mut run).await;
        sleep_until(soon.into()).await;
        let mut device = Device::connected(&run, level, LASTING).await;
        let again = device.command().await;
        assert_eq!((again.again, &again.payload[..]), (true, &b"holds"[..]));
        if level == 5 {
            let left = |command: &Command| {
                assert_eq!(command.properties[..2], [5, 0x02]);
                u32::from_be_bytes(command.properties[2..].try_into().unwrap())
            };
            assert!(left(&again) < left(&first), "{} {}", left(&again), left(&first));
        }
    }
}

/// Both limits are the client's own and may have changed; MQTT 3.1.1 has neither.
#[tokio::test]
async fn what_comes_again_keeps_to_the_limits_of_the_new_connection() {
    let mut run = Running::start().await;
    let hello = || Hello::device("ac-1").with_session(60);
    let mut device = Raw5::tcp(run.addr()).await;
    device.hello(hello()).await;
    device.subscribe(&[COMMANDS]).await;
    assert_eq!(run.event().await, SessionEvent::Online(address("ac-1")));
    let large = "x".repeat(300);
    for payload in ["one", &large, "two", "three"] {
        send(&run, payload).unwrap();
    }
    for _ in 0..4 {
        device.message().await;
    }
    drop(device);
    assert_eq!(run.event().await, SessionEvent::Offline(address("ac-1")));

    let mut narrow = hello();
    narrow.properties.receive_maximum = Some(1);
    narrow.properties.max_packet_size = Some(200);
    let mut device = Raw5::tcp(run.addr()).await;
    let ack = device.hello(narrow).await;
    assert!(ack.session_present && ack.code == ConnectReturnCode::Success);
    send(&run, "four").unwrap();
    for (payload, again) in [("one", true), ("two", true), ("three", true), ("four", false)] {
        let message = device.message().await;
        assert_eq!((&message.payload[..], message.dup), (payload.as_bytes(), again));
        device.hears_nothing().await;
        device.acknowledge(message.pkid).await;
    }
    timeout(SOON, run.front.shutdown()).await.unwrap();
}
