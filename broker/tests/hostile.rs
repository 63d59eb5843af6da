//! Clients that mean harm, or are broken: the front stays up and a device beside them notices nothing. Each test says in
//! the end ([`Siege::lifted`]) that the bystander was answered promptly and lost nothing, that connections are gone and
//! that new clients are served.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use broker::Transport;
use futures::StreamExt;
use futures::stream::iter;
use rand::random;
use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use support::byhand::{
    DISCONNECT, LEVELS, UPGRADE, connect, connect_as, device, frame, next_frame, open, packet, publish, reset,
    subscribe, unsubscribe, until_closed, websocket,
};
use support::mqtt::SOON;
use support::packets::{Packets, framed};
use support::siege::Siege;
use support::texts;
use support::tls::Authority;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Clients at a time, where an attack is many of them.
const AT_A_TIME: usize = 50;

/// Packets thrown at a running front, without `FETTLE_FUZZ`.
const PACKETS: usize = 20_000;

/// Runs an attack for each case, many at a time.
async fn each<T, F: Future<Output = ()>>(cases: impl IntoIterator<Item = T>, attack: impl Fn(T) -> F) {
    iter(cases).for_each_concurrent(AT_A_TIME, attack).await;
}

/// For both versions and so many rounds.
fn rounds(number: usize) -> impl Iterator<Item = (u8, usize)> {
    LEVELS.into_iter().flat_map(move |level| (0..number).map(move |round| (level, round)))
}

/// Sends what the front may refuse before all of it is written.
async fn throw(stream: &mut TcpStream, bytes: &[u8]) {
    let _ = stream.write_all(bytes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_are_not_ascii() {
    let siege = Siege::over_tcp(|_| {}).await;
    let long = "ü".repeat(32_000);
    let names: [&[u8]; 7] = [
        "é".as_bytes(),
        "ag/v1/home/ü/tlm".as_bytes(),
        b"\xed\xa0\x80",
        b"\xc0\xaf",
        b"\xff",
        b"a\0b",
        long.as_bytes(),
    ];
    each(rounds(40), async |(level, round)| {
        for name in names {
            let packets = [
                publish(level, name, None, b"x"),
                publish(level, name, Some(1), b"x"),
                subscribe(level, &[name]),
                unsubscribe(level, &[name]),
            ];
            let mut stream = device(siege.run.addr(), level, &format!("d{level}-{round}")).await;
            throw(&mut stream, &packets[round % packets.len()]).await;
            throw(&mut stream, &DISCONNECT).await;
            until_closed(stream).await;
        }
    })
    .await;
    assert_eq!(siege.lifted().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_client_ids() {
    let siege = Siege::over_tcp(|_| {}).await;
    let (long, endless) = (b"x".repeat(257), b"x".repeat(65_535));
    let ids: [&[u8]; 8] =
        [b"a\x01", b"a\0b", b"\x7f", "\u{85}".as_bytes(), b"\xff\xfe", b"\xed\xa0\x80", &long, &endless];
    each(rounds(50), async |(level, _)| {
        for id in ids {
            let mut stream = open(siege.run.addr()).await;
            throw(&mut stream, &connect_as(level, id, "ac-1", 60)).await;
            let heard = until_closed(stream).await;
            // A refusal where the id could be read at all.
            assert!(heard.is_empty() || heard[0] == 0x20 && heard[3] == if level == 4 { 2 } else { 0x85 }, "{heard:?}");
        }
    })
    .await;
    // Those that can be read and are short enough.
    assert_eq!(siege.refused("client_id").await, 500.0);
    assert_eq!(siege.lifted().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_id_from_everywhere() {
    let siege = Siege::over_tcp(|_| {}).await;
    let twins = siege.run.addr();
    iter(0..600)
        .for_each_concurrent(200, |round| async move {
            let level = LEVELS[round % 2];
            let mut stream = open(twins).await;
            throw(&mut stream, &connect(level, "twin")).await;
            match round % 3 {
                0 => reset(stream),
                1 => {
                    let heard = packet(&mut stream).await;
                    assert!(heard.is_none_or(|ack| ack[0] == 0x20));
                }
                // Until the next one takes over, or this one says goodbye.
                _ => {
                    let _ = timeout(Duration::from_millis(500), stream.read_to_end(&mut Vec::new())).await;
                    throw(&mut stream, &DISCONNECT).await;
                }
            }
        })
        .await;
    let mut last = device(twins, 4, "twin").await;
    last.write_all(&publish(4, b"ag/v1/home/twin/tlm", Some(1), b"the last")).await.unwrap();
    assert_eq!(packet(&mut last).await.unwrap(), [0x40, 2, 0, 1]);
    drop(last);
    assert_eq!(texts(&siege.lifted().await), ["the last"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn connect_and_reset_in_a_loop() {
    let siege = Siege::over_tcp(|_| {}).await;
    each(rounds(2_000), async |(level, round)| {
        let mut stream = open(siege.run.addr()).await;
        let hello = connect(level, &format!("d{}", round % 300));
        match round % 4 {
            0 => {}
            1 => throw(&mut stream, &hello[..hello.len() / 2]).await,
            2 => throw(&mut stream, &hello).await,
            _ => {
                throw(&mut stream, &hello).await;
                // A newer connection of the same device may have taken over.
                packet(&mut stream).await;
                throw(&mut stream, &publish(level, b"ag/v1/home/ac-1/tlm", None, b"cut off")[..9]).await;
            }
        }
        reset(stream);
    })
    .await;
    assert_eq!(siege.lifted().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_and_half_handshakes_on_the_tls_port() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new(dir.path());
    let transports = [Transport::Tcp, Transport::Tls, Transport::SecureWebSocket];
    let siege = Siege::of(&transports, Some(authority.files(false)), |limits| limits.handshake = SHORT).await;
    let hello = client_hello(&authority).await;
    let parts =
        [&hello[..0], &hello[..1], &hello[..5], &hello[..hello.len() / 2], &hello, &[&hello[..], &[0xff; 50]].concat()];
    let ports =
        [Transport::Tls, Transport::SecureWebSocket].map(|transport| siege.run.front.address(transport).unwrap());
    iter(0..900)
        .for_each_concurrent(900, |number| {
            let (port, part) = (ports[number % 2], parts[number % parts.len()]);
            async move {
                let mut stream = open(port).await;
                throw(&mut stream, part).await;
                until_closed(stream).await;
            }
        })
        .await;
    assert_eq!(siege.refused("handshake").await, 900.0);
    assert_eq!(siege.lifted().await, []);
}

/// For handshakes, where a test waits for their end.
const SHORT: Duration = Duration::from_secs(2);

/// The first thing that a client of TLS says.
async fn client_hello(authority: &Authority) -> Vec<u8> {
    let (client, mut server) = tokio::io::duplex(10_000);
    let connector = authority.client(None, &[&TLS13]);
    let connecting =
        tokio::spawn(async move { connector.connect(ServerName::try_from("localhost").unwrap(), client).await });
    let mut hello = vec![0; 10_000];
    let length = timeout(SOON, server.read(&mut hello)).await.unwrap().unwrap();
    connecting.abort();
    hello.truncate(length);
    hello
}

#[tokio::test(flavor = "multi_thread")]
async fn one_byte_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new(dir.path());
    let transports = [Transport::Tcp, Transport::Tls, Transport::WebSocket];
    let siege = Siege::of(&transports, Some(authority.files(false)), |limits| limits.handshake = SHORT).await;
    let port = |transport| siege.run.front.address(transport).unwrap();
    let hello = client_hello(&authority).await;
    let message = publish(4, b"ag/v1/home/ac-1/tlm", Some(1), b"never whole");
    let began = Instant::now();
    iter(0..250)
        .for_each_concurrent(250, |number| {
            let (hello, message) = (&hello, &message);
            async move {
                let name = format!("d{number}");
                match number % 5 {
                    0 => drip(open(port(Transport::Tcp)).await, &connect(4, &name)).await,
                    1 => drip(open(port(Transport::Tls)).await, hello).await,
                    2 => drip(open(port(Transport::WebSocket)).await, UPGRADE.as_bytes()).await,
                    3 => drip(websocket(port(Transport::WebSocket)).await, &frame(0x82, &connect(4, &name))).await,
                    // The handshake is over; half a packet is no sign of life.
                    _ => {
                        let mut stream = open(port(Transport::Tcp)).await;
                        stream.write_all(&connect_as(4, name.as_bytes(), &name, 1)).await.unwrap();
                        assert_eq!(packet(&mut stream).await.unwrap(), [0x20, 2, 0, 0]);
                        drip(stream, message).await;
                    }
                }
            }
        })
        .await;
    assert!(began.elapsed() < 4 * SHORT, "{:?}", began.elapsed());
    assert_eq!((siege.refused("handshake").await, siege.refused("keepalive").await), (200.0, 50.0));
    assert_eq!(siege.lifted().await, []);
}

/// Sends one byte a second until the front has had enough.
async fn drip(mut stream: TcpStream, bytes: &[u8]) {
    for byte in bytes {
        throw(&mut stream, &[*byte]).await;
        let mut heard = [0; 100];
        if let Ok(Ok(0) | Err(_)) = timeout(Duration::from_secs(1), stream.read(&mut heard)).await {
            return;
        }
    }
    panic!("all {} bytes were taken", bytes.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_that_only_servers_send_and_bogus_acknowledgements() {
    let siege = Siege::over_tcp(|_| {}).await;
    let both: [&[u8]; 8] = [
        b"\x40\x02\0\x09",
        b"\x50\x02\0\x01",
        b"\x62\x02\0\x01",
        b"\x70\x02\0\x01",
        b"\xd0\0",
        b"\x90\x04\0\x01\0\0",
        b"\xb0\x04\0\x01\0\0",
        b"\x40\x02\0\0",
    ];
    each(rounds(400), async |(level, round)| {
        let mut stream = device(siege.run.addr(), level, &format!("d{level}-{round}")).await;
        let connack: &[u8] = if level == 5 { b"\x20\x03\0\0\0" } else { b"\x20\x02\0\0" };
        let bogus = if round % 2 == 0 { connack } else { both[round / 2 % both.len()] };
        throw(&mut stream, &bogus.repeat(1 + round % 1_000)).await;
        let heard = until_closed(stream).await;
        match level {
            4 => assert_eq!(heard, b"", "{bogus:?}"),
            _ => assert_eq!((heard[0], heard[2] & 0xfe), (0xe0, 0x82 & 0xfe), "{bogus:?} {heard:?}"),
        }
    })
    .await;
    assert_eq!(siege.lifted().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn goodbyes_under_flood() {
    let siege = Siege::over_tcp(|_| {}).await;
    // Nothing but goodbyes.
    each(rounds(200), async |(level, round)| {
        let mut stream = device(siege.run.addr(), level, &format!("d{level}-{round}")).await;
        throw(&mut stream, &DISCONNECT.repeat(20_000)).await;
        until_closed(stream).await;
    })
    .await;
    // What was said before the goodbye counts, and nothing after it; also where the CONNACK was not waited for.
    each(rounds(200), async |(level, round)| {
        let name = format!("e{level}-{round}");
        let topic = format!("ag/v1/home/{name}/tlm");
        let mut flood = connect(level, &name);
        for number in 0..50_u16 {
            let packet_id = (number % 2 == 1).then_some(number);
            flood.extend(publish(level, topic.as_bytes(), packet_id, number.to_string().as_bytes()));
        }
        flood.extend(DISCONNECT);
        flood.extend(publish(level, topic.as_bytes(), Some(51), b"after the end").repeat(100));
        let mut stream = open(siege.run.addr()).await;
        throw(&mut stream, &flood).await;
        until_closed(stream).await;
    })
    .await;
    let left = siege.lifted().await;
    assert_eq!(left.len(), 2 * 200 * 50);
    let said: Vec<_> = (0..50).map(|number| number.to_string()).collect();
    for (level, round) in rounds(200) {
        let name = format!("e{level}-{round}");
        let of_device: Vec<_> = left.iter().filter(|record| record.address.device.as_str() == name).cloned().collect();
        assert_eq!(texts(&of_device), said, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lengths_up_to_the_limit_and_beyond() {
    let siege = Siege::over_tcp(|_| {}).await;
    let limit = 64 * 1024;
    let of_length = |level: u8, topic: &str, length: usize| {
        let empty = publish(level, topic.as_bytes(), Some(1), b"").len();
        // The length itself takes two bytes more.
        publish(level, topic.as_bytes(), Some(1), &vec![b'x'; length - empty - 2])
    };
    each(rounds(10), async |(level, round)| {
        let name = format!("d{level}-{round}");
        let topic = format!("ag/v1/home/{name}/tlm");
        let mut stream = device(siege.run.addr(), level, &name).await;
        let whole = of_length(level, &topic, limit);
        assert_eq!(whole.len(), limit);
        for _ in 0..10 {
            stream.write_all(&whole).await.unwrap();
            assert_eq!(packet(&mut stream).await.unwrap(), [0x40, 2, 0, 1]);
        }
        throw(&mut stream, &of_length(level, &topic, limit + 1)).await;
        refused(stream, level, 0x95).await;
    })
    .await;
    // Nothing is set aside for what a header claims.
    let claims: [(&[u8], u8); 4] = [
        (b"\x30\xff\xff\xff\x7f", 0x95),
        (b"\x82\xff\xff\xff\x7f", 0x95),
        (b"\x30\x81\x80\x84\0", 0x95),
        (b"\x30\xff\xff\xff\xff\x01", 0x81),
    ];
    each(rounds(200), async |(level, round)| {
        let mut stream = device(siege.run.addr(), level, &format!("e{level}-{round}")).await;
        let (claim, code) = claims[round % claims.len()];
        throw(&mut stream, claim).await;
        refused(stream, level, code).await;
        let mut stream = open(siege.run.addr()).await;
        throw(&mut stream, b"\x10\xff\xff\xff\x7f\0\x04MQTT").await;
        assert_eq!(until_closed(stream).await, b"");
    })
    .await;
    assert_eq!(siege.lifted().await.len(), 2 * 10 * 10);
}

/// The connection is closed, with this reason where the version has a word for it.
async fn refused(stream: TcpStream, level: u8, code: u8) {
    let heard = until_closed(stream).await;
    match level {
        4 => assert_eq!(heard, b""),
        _ => assert_eq!((heard[0], heard[2]), (0xe0, code), "{heard:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_never_read() {
    let siege = Siege::over_tcp(|limits| {
        limits.write = Duration::from_secs(1);
        (limits.messages_per_second, limits.bytes_per_second) = (u32::MAX, u32::MAX);
    })
    .await;
    // Its answer is as long as the packet, so that buffers are full soon.
    let foreign = publish(5, format!("ag/v1/home/other/{}", "x".repeat(380)).as_bytes(), Some(1), b"");
    let pings = [0xc0, 0].repeat(2_000);
    each(rounds(4), async |(level, round)| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let mut stream = socket.connect(siege.run.addr()).await.unwrap();
        stream.write_all(&connect(level, &format!("d{level}-{round}"))).await.unwrap();
        let packets = if level == 5 { &foreign } else { &pings };
        timeout(2 * SOON, async { while stream.write_all(packets).await.is_ok() {} })
            .await
            .expect("the front closes it");
    })
    .await;
    assert_eq!(siege.refused("write_timeout").await, 8.0);
    assert_eq!(siege.lifted().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_by_the_thousand() {
    let siege = Siege::over_tcp(|limits| limits.bytes_per_second = u32::MAX).await;
    // As many as a packet may have, and as many as it has room for.
    let (many, all) = (vec![&b"#"[..]; 256], vec![&b"#"[..]; 15_000]);
    each(rounds(20), async |(level, round)| {
        let mut stream = device(siege.run.addr(), level, &format!("d{level}-{round}")).await;
        for _ in 0..10 {
            throw(&mut stream, &subscribe(level, &many)).await;
            throw(&mut stream, &unsubscribe(level, &many)).await;
        }
        throw(&mut stream, &DISCONNECT).await;
        until_closed(stream).await;
        for flood in [subscribe(level, &all), unsubscribe(level, &all)] {
            let mut stream = device(siege.run.addr(), level, &format!("d{level}-{round}")).await;
            throw(&mut stream, &flood.repeat(10)).await;
            refused(stream, level, 0x97).await;
        }
    })
    .await;
    assert_eq!(siege.refused("filter_count").await, 80.0);
    assert_eq!(siege.lifted().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_one_address_may_have() {
    const PLACES: usize = 10;
    let siege = Siege::over_tcp(|limits| limits.connections_per_address = PLACES).await;
    let elsewhere = async || {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 2], 0))).unwrap();
        socket.connect(siege.run.addr()).await.unwrap()
    };
    let mut served = Vec::new();
    for number in 0..PLACES {
        let mut stream = elsewhere().await;
        stream.write_all(&connect(4, &format!("d{number}"))).await.unwrap();
        assert_eq!(packet(&mut stream).await.unwrap(), [0x20, 2, 0, 0]);
        served.push(stream);
    }
    each(0..500, async |number| {
        let mut stream = elsewhere().await;
        throw(&mut stream, &connect(4, &format!("e{number}"))).await;
        assert_eq!(until_closed(stream).await, b"");
    })
    .await;
    drop(served);
    assert_eq!(siege.refused("connections_per_address").await, 500.0);
    let mut again = elsewhere().await;
    again.write_all(&connect(4, "d1")).await.unwrap();
    assert_eq!(packet(&mut again).await.unwrap(), [0x20, 2, 0, 0]);
    drop(again);
    assert_eq!(siege.lifted().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn websocket_handshakes_that_are_none() {
    let siege = Siege::of(&[Transport::Tcp, Transport::WebSocket], None, |limits| limits.handshake = SHORT).await;
    let port = siege.run.front.address(Transport::WebSocket).unwrap();
    let endless = format!("GET / HTTP/1.1\r\n{}", "X-More: and more\r\n".repeat(20_000));
    let long_line = format!("GET /{} HTTP/1.1\r\n", "x".repeat(500_000));
    let requests: Vec<Vec<u8>> = vec![
        connect(5, "ac-1"),
        vec![0xff; 1_000],
        vec![0; 100_000],
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"GET / HTTP/1.0\r\nUpgrade: websocket\r\n\r\n".to_vec(),
        UPGRADE.replace("GET", "POST").into_bytes(),
        UPGRADE.replace("mqtt\r\n\r\n", "chat, mqttv3.1\r\n\r\n").into_bytes(),
        UPGRADE.replace("Version: 13", "Version: 7").into_bytes(),
        UPGRADE.replace("Key: dGhl", "Key:\0\r\n").into_bytes(),
        UPGRADE.replace("localhost", "é\u{1}").into_bytes(),
        UPGRADE.replace("\r\n", "\n\r").into_bytes(),
        endless.into_bytes(),
        long_line.into_bytes(),
    ];
    each(0..requests.len() * 20, async |number| {
        let mut stream = open(port).await;
        throw(&mut stream, &requests[number % requests.len()]).await;
        let heard = until_closed(stream).await;
        assert!(!heard.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&requests[number % requests.len()]));
    })
    .await;
    assert_eq!(siege.lifted().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn websocket_frames_that_must_not_be() {
    let siege = Siege::of(&[Transport::Tcp, Transport::WebSocket], None, |_| {}).await;
    let port = siege.run.front.address(Transport::WebSocket).unwrap();
    let hello = connect(4, "ac-1");
    let huge = [&[0x82, 0xff][..], &(1_u64 << 62).to_be_bytes(), &[0; 4]].concat();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("text", frame(0x81, &hello)),
        ("text that is not UTF-8", frame(0x81, &[0xff; 10])),
        ("no mask", [&[0x82, hello.len() as u8][..], &hello].concat()),
        ("reserved bits", frame(0xf2, &hello)),
        ("a reserved kind", frame(0x83, &hello)),
        ("a continuation of nothing", frame(0x80, &hello)),
        ("two beginnings", [frame(0x02, &hello[..3]), frame(0x82, &hello)].concat()),
        ("a long ping", frame(0x89, &[0; 126])),
        ("a ping in pieces", frame(0x09, b"x")),
        ("a bad goodbye", frame(0x88, &[0])),
        ("a goodbye without reason", frame(0x88, b"")),
        ("a huge frame", huge),
        ("a frame above the limit", frame(0x82, &vec![0; 200_000])),
        ("pieces above the limit", [frame(0x02, &[0x10]), frame(0x00, &[0xff; 60_000]).repeat(4)].concat()),
    ];
    each(0..cases.len() * 20, async |number| {
        let (_, bytes) = &cases[number % cases.len()];
        let mut stream = websocket(port).await;
        throw(&mut stream, bytes).await;
        until_closed(stream).await;
    })
    .await;
    assert_eq!(siege.lifted().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_may_be_cut_anywhere() {
    let siege = Siege::of(&[Transport::Tcp, Transport::WebSocket], None, |_| {}).await;
    let port = siege.run.front.address(Transport::WebSocket).unwrap();
    each(rounds(20), async |(level, round)| {
        let name = format!("d{level}-{round}");
        let said = publish(level, format!("ag/v1/home/{name}/tlm").as_bytes(), Some(1), name.as_bytes());
        let bytes = [connect(level, &name), said].concat();
        let mut stream = websocket(port).await;
        // One message in pieces of one byte with pings between them, or as many messages.
        for (at, byte) in bytes.iter().enumerate() {
            let first = match (round % 2, at) {
                (1, _) => 0x82,
                (_, 0) => 0x02,
                (_, at) if at + 1 == bytes.len() => 0x80,
                _ => 0x00,
            };
            stream.write_all(&frame(first, &[*byte])).await.unwrap();
            stream.write_all(&frame(0x89, b"")).await.unwrap();
        }
        let mut heard = Vec::new();
        while !heard.ends_with(&[0x40, 2, 0, 1]) {
            let (first, payload) = next_frame(&mut stream).await;
            assert!(matches!(first, 0x82 | 0x8a), "{first:#x}");
            heard.extend(payload);
        }
    })
    .await;
    assert_eq!(siege.lifted().await.len(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn websocket_pings_do_not_stand_for_mqtt() {
    let siege = Siege::of(&[Transport::Tcp, Transport::WebSocket], None, |_| {}).await;
    let port = siege.run.front.address(Transport::WebSocket).unwrap();
    // Pings with and without a payload, and empty messages.
    let floods = [frame(0x89, b"").repeat(2_000), frame(0x89, &[0; 125]).repeat(100), frame(0x82, b"").repeat(2_000)];
    let began = Instant::now();
    each(0..6, async |number| {
        let (level, name) = (LEVELS[number % 2], format!("d{number}"));
        let mut stream = websocket(port).await;
        stream.write_all(&frame(0x82, &connect_as(level, name.as_bytes(), &name, 1))).await.unwrap();
        let (mut read, mut write) = stream.into_split();
        let flood = async { while write.write_all(&floods[number % floods.len()]).await.is_ok() {} };
        // It does read, or it would be the write that ends it.
        let mut nowhere = tokio::io::sink();
        let closed = tokio::io::copy(&mut read, &mut nowhere);
        let (_, ended) = tokio::join!(flood, timeout(SOON, closed));
        ended.expect("the front closes it").ok();
    })
    .await;
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    assert_eq!(siege.refused("keepalive").await, 6.0);
    assert_eq!(siege.lifted().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_of_the_fuzzer() {
    // However many are asked for.
    let siege = Siege::over_tcp(|limits| limits.connects_burst = u32::MAX).await;
    let packets = std::env::var("FETTLE_FUZZ").map_or(PACKETS, |number| number.parse::<usize>().unwrap() / 100);
    let seed: u64 = std::env::var("FETTLE_SEED").map_or_else(|_| random(), |seed| seed.parse().unwrap());
    println!("seed {seed}, {packets} packets");
    each(0..packets / 10, async |number| {
        let mut fuzzer = Packets::new(seed.wrapping_add(number as u64));
        let mut bytes = match number % 5 {
            0 => Vec::new(),
            _ => connect(LEVELS[number % 2], &format!("fuzz-{}", number % 20)),
        };
        // Ever more of them are none.
        for at in 0..10 {
            bytes.extend(if at < 3 { fuzzer.packet() } else { fuzzer.next() });
        }
        let mut stream = open(siege.run.addr()).await;
        throw(&mut stream, &bytes).await;
        if number % 3 == 0 {
            throw(&mut stream, &framed(0xe0, b"")).await;
            until_closed_or_silent(stream).await;
        }
    })
    .await;
    let left = siege.lifted().await;
    assert!(left.iter().all(|record| record.address.device.as_str().starts_with("fuzz-")), "{left:?}");
}

/// What the fuzzer said last may be half a packet, for the rest of which the front waits.
async fn until_closed_or_silent(mut stream: TcpStream) {
    let _ = timeout(Duration::from_millis(100), stream.read_to_end(&mut Vec::new())).await;
}
