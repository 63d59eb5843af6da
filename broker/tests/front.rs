//! The front, with real clients over TCP.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use broker::{DeviceMessage, Position, SendError, SessionEvent};
use bytes::Bytes;
use firmware_proto::{Topic, UplinkKind};
use rumqttc::mqttbytes::v4::Packet;
use rumqttc::{ConnectReturnCode, LastWill, QoS};
use support::mqtt::{Client, Raw, Running, SOON, publish};
use support::{address, records, texts};
use tokio::time::timeout;

const COMMAND: &str = "0190b6a4-0000-7000-8000-000000000001";

fn command_topic(device: &str) -> String {
    address(device).topic(&Topic::Command(COMMAND.parse().unwrap()))
}

#[tokio::test]
async fn only_known_clients_come_in() {
    let run = Running::start().await;
    let mut wrong = run.options("ac-1");
    wrong.set_credentials("ac-1", "guess");
    assert_eq!(Client::open(wrong).refused().await, ConnectReturnCode::BadUserNamePassword);
    let mut unknown = run.options("x");
    unknown.set_credentials("stranger", "secret");
    assert_eq!(Client::open(unknown).refused().await, ConnectReturnCode::BadUserNamePassword);
    let mut other_name = run.options("x");
    other_name.set_credentials("alias", "secret");
    assert_eq!(Client::open(other_name).refused().await, ConnectReturnCode::NotAuthorized);
    run.still_serves().await;
}

#[tokio::test]
async fn a_message_is_journalled_as_it_came() {
    let run = Running::start().await;
    let mut device = run.device("ac-1").await;
    device.publish("ac-1", QoS::AtLeastOnce, "one").await;
    device.acknowledged().await;
    device.publish("ac-1", QoS::AtMostOnce, "two").await;
    let result = address("ac-1").topic(&Topic::Up(UplinkKind::Result(COMMAND.parse().unwrap())));
    device.client.publish(result, QoS::AtLeastOnce, false, "three").await.unwrap();
    device.acknowledged().await;
    let found = records(&run.journal, Position(0)).await;
    assert_eq!(texts(&found), ["one", "two", "three"]);
    assert!(found.iter().all(|record| record.address == address("ac-1") && record.received.ms() == 42));
    assert_eq!(found[0].kind, UplinkKind::Telemetry);
    assert_eq!(found[2].kind, UplinkKind::Result(COMMAND.parse().unwrap()));
}

#[tokio::test]
async fn no_puback_before_the_message_is_on_disk() {
    let run = Running::start().await;
    let mut device = run.device("ac-1").await;
    run.disk.hold();
    for text in ["one", "two", "three"] {
        device.publish("ac-1", QoS::AtLeastOnce, text).await;
    }
    device.hears_nothing().await;
    assert_eq!(run.journal.end(), Position(0));
    run.disk.release();
    for packet_id in 1..=3 {
        let rumqttc::Packet::PubAck(ack) = device.packet().await else { panic!() };
        assert_eq!(ack.pkid, packet_id, "in order");
    }
    assert_eq!(texts(&records(&run.journal, Position(0)).await), ["one", "two", "three"]);
}

#[tokio::test]
async fn a_device_that_waits_for_the_disk_is_not_read_further() {
    let run = Running::with(|limits| limits.inflight_per_device = 10).await;
    let mut device = run.device("ac-1").await;
    run.disk.hold();
    for number in 0..50 {
        device.publish("ac-1", QoS::AtLeastOnce, &number.to_string()).await;
    }
    device.hears_nothing().await;
    run.disk.release();
    for _ in 0..50 {
        device.acknowledged().await;
    }
    let expected: Vec<_> = (0..50).map(|number| number.to_string()).collect();
    assert_eq!(texts(&records(&run.journal, Position(0)).await), expected);
}

#[tokio::test]
async fn when_the_disk_fails_nothing_is_acknowledged() {
    let run = Running::start().await;
    let mut device = run.device("ac-1").await;
    run.disk.fail_syncs();
    device.publish("ac-1", QoS::AtLeastOnce, "lost").await;
    while let Ok(event) = device.next().await {
        assert!(!matches!(event, rumqttc::Event::Incoming(_)), "{event:?}");
    }
}

#[tokio::test]
async fn what_does_not_belong_closes_the_connection() {
    let run = Running::start().await;
    let tlm = "ag/v1/home/ac-1/tlm";
    let cases = [
        ("another device", publish("ag/v1/home/ac-2/tlm", QoS::AtLeastOnce, false, 1, "x")),
        ("another tenant", publish("ag/v1/office/ac-1/tlm", QoS::AtLeastOnce, false, 1, "x")),
        ("a command", publish(&command_topic("ac-1"), QoS::AtLeastOnce, false, 1, "x")),
        ("an error", publish("ag/v1/home/ac-1/err", QoS::AtMostOnce, false, 0, "x")),
        ("a foreign topic", publish("other/topic", QoS::AtMostOnce, false, 0, "x")),
        ("a topic that is not ASCII", publish("é", QoS::AtMostOnce, false, 0, "x")),
        ("a wildcard", publish("ag/v1/home/+/tlm", QoS::AtMostOnce, false, 0, "x")),
        ("QoS 2", publish(tlm, QoS::ExactlyOnce, false, 1, "x")),
        ("retain", publish(tlm, QoS::AtLeastOnce, true, 1, "x")),
        ("an oversized packet", publish(tlm, QoS::AtLeastOnce, false, 1, &"x".repeat(70_000))),
        ("a second CONNECT", support::mqtt::connect("ac-1", None)),
        ("a PUBACK of nothing", vec![0x40, 2, 0, 9]),
        ("a CONNACK", vec![0x20, 2, 0, 0]),
        ("a PUBREL", vec![0x62, 2, 0, 1]),
        ("garbage", vec![0xff; 100]),
        ("an endless length", vec![0x30, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ("a packet id of zero", vec![0x32, 4, 0, 1, b'a', 0]),
    ];
    for (what, bytes) in cases {
        let mut raw = Raw::device(run.addr(), "ac-1", None).await;
        // The oversized one may be reset before all of it is written.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut raw.stream, &bytes).await;
        let packet = raw.packet().await;
        assert!(packet.is_none(), "{what}: {packet:?}");
    }
    assert_eq!(run.journal.end(), Position(0));
    run.still_serves().await;
}

#[tokio::test]
async fn what_is_no_connect_closes_the_connection() {
    let run = Running::with(|limits| limits.handshake = Duration::from_millis(300)).await;
    let cases: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\n\r\n",
        &[0x16, 3, 1, 2, 0, 1],
        &[0x30, 4, 0, 1, b'a', 0],
        &[0x10, 0xff, 0xff, 0xff, 0x7f],
        // Half a CONNECT, and silence.
        &[0x10, 20, 0, 4, b'M'],
        &[],
    ];
    for bytes in cases {
        let mut raw = Raw::open(run.addr()).await;
        raw.send(bytes).await;
        raw.is_closed().await;
    }
    run.still_serves().await;
}

#[tokio::test]
async fn random_bytes_harm_nobody() {
    let run = Running::start().await;
    let mut bystander = run.device("bystander").await;
    // xorshift, so that a failure can be repeated.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..300 {
        let mut raw = if round % 2 == 0 {
            Raw::device(run.addr(), &format!("fuzz-{}", round % 7), None).await
        } else {
            Raw::open(run.addr()).await
        };
        let mut bytes = Vec::new();
        for _ in 0..random() % 20 {
            let length = random() % 60;
            bytes.extend([(random() % 256) as u8, length as u8]);
            bytes.extend((0..length).map(|_| (random() % 256) as u8));
        }
        let _ = tokio::io::AsyncWriteExt::write_all(&mut raw.stream, &bytes).await;
    }
    for number in 0..10 {
        bystander.publish("bystander", QoS::AtLeastOnce, &number.to_string()).await;
        bystander.acknowledged().await;
    }
    run.still_serves().await;
}

#[tokio::test]
async fn a_silent_client_is_dropped_and_a_pinging_one_is_kept() {
    let run = Running::start().await;
    let mut connect = rumqttc::mqttbytes::v4::Connect::new("quiet");
    connect.set_login("quiet", "secret").keep_alive = 1;
    let mut bytes = bytes::BytesMut::new();
    connect.write(&mut bytes).unwrap();
    let mut quiet = Raw::open(run.addr()).await;
    quiet.send(&bytes).await;
    assert!(matches!(quiet.packet().await, Some(Packet::ConnAck(_))));
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        quiet.send(&[0xc0, 0]).await;
        assert_eq!(quiet.packet().await, Some(Packet::PingResp));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let silent_since = std::time::Instant::now();
    quiet.is_closed().await;
    assert!(silent_since.elapsed() > Duration::from_millis(900), "{:?}", silent_since.elapsed());
}

#[tokio::test]
async fn silence_while_the_disk_holds_a_device_up_is_not_held_against_it() {
    let run = Running::with(|limits| {
        limits.inflight_per_device = 1;
        limits.idle = Duration::from_millis(400);
    })
    .await;
    let mut device = Raw::device(run.addr(), "ac-1", None).await;
    run.disk.hold();
    for packet_id in 1..=2 {
        device.publish("ag/v1/home/ac-1/tlm", QoS::AtLeastOnce, packet_id, "x").await;
    }
    tokio::time::sleep(Duration::from_millis(800)).await;
    run.disk.release();
    for _ in 1..=2 {
        assert!(matches!(device.packet().await, Some(Packet::PubAck(_))));
    }
    device.publish("ag/v1/home/ac-1/tlm", QoS::AtLeastOnce, 3, "x").await;
    assert!(matches!(device.packet().await, Some(Packet::PubAck(_))));
    device.is_closed().await;
}

#[tokio::test]
async fn the_newer_connection_of_a_device_takes_over() {
    let mut run = Running::start().await;
    let commands = address("ac-1").command_filter();
    let mut old = run.device("ac-1").await;
    assert!(old.subscribe(&commands).await);
    assert_eq!(run.event().await, SessionEvent::Online(address("ac-1")));
    let mut new = run.device("ac-1").await;
    assert_eq!(run.event().await, SessionEvent::Offline(address("ac-1")));
    old.closed().await;
    assert_eq!(run.downlinks.online_count(), 0);
    assert!(new.subscribe(&commands).await);
    assert_eq!(run.event().await, SessionEvent::Online(address("ac-1")));
    assert_eq!(run.downlinks.online_count(), 1);
    new.publish("ac-1", QoS::AtLeastOnce, "here").await;
    new.acknowledged().await;
    new.client.disconnect().await.unwrap();
    assert_eq!(run.event().await, SessionEvent::Offline(address("ac-1")));
    assert_eq!(run.downlinks.online_count(), 0);
}

#[tokio::test]
async fn many_connections_of_one_device_leave_one() {
    const CLIENTS: usize = 20;
    let run = Running::start().await;
    let mut watched = tokio::task::JoinSet::new();
    let mut handles = Vec::new();
    for number in 0..CLIENTS {
        let mut client = Client::open(run.options("ac-1"));
        handles.push(client.client.clone());
        watched.spawn(async move {
            client.ends().await;
            number
        });
    }
    // Whichever came last has it.
    let mut left: Vec<_> = (0..CLIENTS).collect();
    while left.len() > 1 {
        let ended = timeout(SOON, watched.join_next()).await.unwrap().unwrap().unwrap();
        left.retain(|number| *number != ended);
    }
    handles[left[0]].publish("ag/v1/home/ac-1/tlm", QoS::AtLeastOnce, false, "the last").await.unwrap();
    run.journalled(1).await;
    assert_eq!(texts(&records(&run.journal, Position(0)).await), ["the last"]);
    assert_eq!(watched.len(), 1);
}

#[tokio::test]
async fn a_will_is_a_death_in_the_journal() {
    let run = Running::start().await;
    let topic = address("ac-1").topic(&Topic::Up(UplinkKind::Death));
    let will = LastWill::new(&topic, "gone", QoS::AtLeastOnce, false);

    let mut polite = Raw::device(run.addr(), "ac-1", Some(will.clone())).await;
    polite.send(&[0xe0, 0]).await;
    polite.is_closed().await;
    assert_eq!(run.journal.end(), Position(0));

    let rude = Raw::device(run.addr(), "ac-1", Some(will.clone())).await;
    rude.stream.set_zero_linger().unwrap();
    drop(rude);
    run.journalled(1).await;
    let found = records(&run.journal, Position(0)).await;
    assert_eq!((&found[0].kind, &found[0].address), (&UplinkKind::Death, &address("ac-1")));
    assert_eq!(texts(&found), ["gone"]);

    // A takeover ends the old connection without a DISCONNECT; its death comes before anything of the new one.
    let _old = Raw::device(run.addr(), "ac-1", Some(will)).await;
    let mut new = run.device("ac-1").await;
    new.publish("ac-1", QoS::AtLeastOnce, "back").await;
    new.acknowledged().await;
    assert_eq!(texts(&records(&run.journal, Position(1)).await), ["gone", "back"]);
}

#[tokio::test]
async fn other_wills_are_refused() {
    let run = Running::start().await;
    let own = address("ac-1").topic(&Topic::Up(UplinkKind::Death));
    let other = address("ac-2").topic(&Topic::Up(UplinkKind::Death));
    for (topic, retain) in [(other, false), ("ag/v1/home/ac-1/tlm".to_owned(), false), (own, true)] {
        let mut options = run.options("ac-1");
        options.set_last_will(LastWill::new(topic, "x", QoS::AtLeastOnce, retain));
        assert_eq!(Client::open(options).refused().await, ConnectReturnCode::NotAuthorized);
    }
}

#[tokio::test]
async fn a_device_subscribes_to_its_own_only() {
    let run = Running::start().await;
    let mut device = run.device("ac-1").await;
    for filter in ["#", "ag/v1/home/ac-2/cmd/req/+", "ag/v1/home/ac-1/tlm", "$SYS/#", "$share/g/ag/v1/home/ac-1/err"] {
        assert!(!device.subscribe(filter).await, "{filter}");
    }
    assert!(device.subscribe("ag/v1/home/ac-1/err").await);
    assert!(!run.downlinks.is_online(&address("ac-1").device), "errors are not commands");
    run.downlinks.send(&address("ac-1").device, DeviceMessage::new("ag/v1/home/ac-1/err", "bad")).unwrap();
    assert_eq!(device.message().await.payload, "bad");
}

#[tokio::test]
async fn commands_reach_the_device_in_order() {
    let mut run = Running::start().await;
    let device_id = address("ac-1").device;
    let topic = command_topic("ac-1");
    let send = |number: u32| run.downlinks.send(&device_id, DeviceMessage::new(topic.clone(), number.to_string()));
    assert_eq!(send(0), Err(SendError::NotConnected));
    let mut device = run.device("ac-1").await;
    assert_eq!(send(0), Err(SendError::NotSubscribed));
    assert!(device.subscribe(&address("ac-1").command_filter()).await);
    assert!(run.downlinks.is_online(&device_id));
    for number in 0..20 {
        send(number).unwrap();
    }
    for number in 0..20 {
        let message = device.message().await;
        assert_eq!(message.payload, number.to_string());
        assert_eq!((message.qos, &message.topic), (QoS::AtLeastOnce, &topic));
    }
    let too_large = vec![0; 70_000];
    assert_eq!(run.downlinks.send(&device_id, DeviceMessage::new(topic.clone(), too_large)), Err(SendError::TooLarge));
    device.client.unsubscribe(address("ac-1").command_filter()).await.unwrap();
    while !matches!(device.packet().await, rumqttc::Packet::UnsubAck(_)) {}
    assert_eq!(send(0), Err(SendError::NotSubscribed));
    assert_eq!(run.event().await, SessionEvent::Online(address("ac-1")));
}

#[tokio::test]
async fn a_device_that_does_not_acknowledge_gets_no_more() {
    let run = Running::with(|limits| {
        limits.commands_inflight = 2;
        limits.commands_queued = 3;
    })
    .await;
    let device_id = address("ac-1").device;
    let mut raw = Raw::device(run.addr(), "ac-1", None).await;
    let mut subscribe = bytes::BytesMut::new();
    let filter = address("ac-1").command_filter();
    let mut packet = rumqttc::mqttbytes::v4::Subscribe::new(filter, QoS::AtLeastOnce);
    packet.pkid = 1;
    packet.write(&mut subscribe).unwrap();
    raw.send(&subscribe).await;
    assert!(matches!(raw.packet().await, Some(Packet::SubAck(_))));
    let mut sent = 0;
    // The connection's task takes two, three more wait.
    timeout(SOON, async {
        loop {
            match run.downlinks.send(&device_id, DeviceMessage::new(command_topic("ac-1"), sent.to_string())) {
                Ok(()) => sent += 1,
                Err(SendError::Busy) if sent == 5 => break,
                Err(SendError::Busy) => tokio::task::yield_now().await,
                Err(other) => panic!("{other}"),
            }
        }
    })
    .await
    .unwrap();
    for number in 0..5 {
        let Some(Packet::Publish(publish)) = raw.packet().await else { panic!() };
        assert_eq!(publish.payload, number.to_string());
        let [high, low] = publish.pkid.to_be_bytes();
        raw.send(&[0x40, 2, high, low]).await;
    }
    // Out of order.
    for number in 0..2 {
        run.downlinks.send(&device_id, DeviceMessage::new(command_topic("ac-1"), number.to_string())).unwrap();
    }
    let (Some(Packet::Publish(_)), Some(Packet::Publish(second))) = (raw.packet().await, raw.packet().await) else {
        panic!()
    };
    let [high, low] = second.pkid.to_be_bytes();
    raw.send(&[0x40, 2, high, low]).await;
    raw.is_closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_messages_of_many_devices_are_there_in_order() {
    const DEVICES: usize = 200;
    const EACH: usize = 50;
    let run = Running::start().await;
    let tasks: Vec<_> = (0..DEVICES)
        .map(|number| {
            let name = format!("d{number}");
            let options = run.options(&name);
            tokio::spawn(async move {
                let mut client = Client::open(options);
                client.connected().await;
                for message in 0..EACH {
                    client.publish(&name, QoS::AtLeastOnce, &message.to_string()).await;
                }
                for _ in 0..EACH {
                    client.acknowledged().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(run.journal.end(), Position((DEVICES * EACH) as u64));
    let found = records(&run.journal, Position(0)).await;
    let expected: Vec<_> = (0..EACH).map(|message| message.to_string()).collect();
    for number in 0..DEVICES {
        let own = address(&format!("d{number}"));
        let of_device: Vec<_> = found.iter().filter(|record| record.address == own).cloned().collect();
        assert_eq!(texts(&of_device), expected, "{own}");
    }
}

#[tokio::test]
async fn whoever_finds_no_place_is_told_so() {
    let run = Running::with(|limits| limits.connections = 2).await;
    let _one = run.device("ac-1").await;
    let two = run.device("ac-2").await;
    assert_eq!(Client::open(run.options("ac-3")).refused().await, ConnectReturnCode::ServiceUnavailable);
    two.client.disconnect().await.unwrap();
    // Its place comes free when the front has seen the end.
    timeout(SOON, async {
        loop {
            let mut raw = Raw::open(run.addr()).await;
            raw.send(&support::mqtt::connect("ac-3", None)).await;
            if let Some(Packet::ConnAck(ack)) = raw.packet().await
                && ack.code == ConnectReturnCode::Success
            {
                break;
            }
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn shutdown_acknowledges_what_is_in_flight() {
    let mut run = Running::start().await;
    let mut idle = run.device("ac-2").await;
    assert!(idle.subscribe(&address("ac-2").command_filter()).await);
    assert_eq!(run.event().await, SessionEvent::Online(address("ac-2")));
    let mut device = Raw::device(run.addr(), "ac-1", None).await;
    run.disk.hold();
    device.publish("ag/v1/home/ac-1/tlm", QoS::AtLeastOnce, 7, "last").await;
    let disk = std::sync::Arc::clone(&run.disk);
    tokio::task::spawn_blocking(move || disk.wait_for_sync()).await.unwrap();
    let Running { front, journal, disk, mut events, dir: _dir, .. } = run;
    let shutdown = tokio::spawn(front.shutdown());
    idle.closed().await;
    assert_eq!(events.recv().await, Some(SessionEvent::Offline(address("ac-2"))));
    assert!(!shutdown.is_finished(), "it waits for the message in flight");
    disk.release();
    let Some(Packet::PubAck(ack)) = device.packet().await else { panic!() };
    assert_eq!(ack.pkid, 7);
    device.is_closed().await;
    timeout(SOON, shutdown).await.unwrap().unwrap();
    journal.close().await;
    assert_eq!(journal.end(), Position(1));
}

#[tokio::test]
async fn a_service_hears_what_its_filters_allow() {
    let run = Running::start().await;
    let mut options = run.options("dashboard");
    options.set_credentials("svc", "secret");
    let mut service = Client::open(options);
    service.connected().await;
    for filter in ["#", "ag/v1/office/#", "ag/#", "$SYS/#", "é"] {
        assert!(!service.subscribe(filter).await, "{filter}");
    }
    assert!(service.subscribe("ag/v1/home/ac-1/birth").await);
    let birth = service.message().await;
    assert_eq!((birth.topic.as_str(), &birth.payload[..], birth.retain), ("ag/v1/home/ac-1/birth", &b"ac-1"[..], true));
    assert!(service.subscribe("ag/v1/home/+/tlm").await);
    assert!(service.subscribe("fettle/findings/+").await);
    run.fanout.publish("ag/v1/home/ac-1/evt", Bytes::from("not asked for"));
    run.fanout.publish("ag/v1/office/ac-1/tlm", Bytes::from("not allowed"));
    run.fanout.publish("ag/v1/home/ac-1/tlm", Bytes::from("1"));
    run.fanout.publish("ag/v1/home/ac-2/tlm", Bytes::from("2"));
    run.fanout.publish("fettle/findings/7", Bytes::from("3"));
    let mut got = Vec::new();
    for _ in 0..3 {
        let message = service.message().await;
        got.push((message.topic, message.payload));
    }
    // Messages of different filters may overtake one another.
    got.sort();
    let expected = [("ag/v1/home/ac-1/tlm", "1"), ("ag/v1/home/ac-2/tlm", "2"), ("fettle/findings/7", "3")];
    assert_eq!(got, expected.map(|(topic, payload)| (topic.to_owned(), Bytes::from(payload))));
    service.client.publish("ag/v1/home/ac-1/tlm", QoS::AtLeastOnce, false, "x").await.unwrap();
    service.closed().await;
    assert_eq!(run.journal.end(), Position(0));
}
