//! The reader against packets that no decent client sends. `FETTLE_FUZZ` is how many; the seed is printed.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::{Incoming, Version, WireError, read, read_connect};

#[path = "../../../tests/support/packets.rs"]
mod packets;

use packets::Packets;

/// Without `FETTLE_FUZZ`. Three seconds with optimisation, thirteen without.
const PACKETS: u64 = 1_000_000;

/// From one sign of life to the next, and how long it may take to come: a thousandth of it is usual.
const CHUNK: u64 = 10_000;
const CHUNK_TIME: Duration = Duration::from_secs(60);

/// Below what a packet of the fuzzer may claim, above what it has.
const MAX_BYTES: usize = 4_096;

#[test]
fn a_million_packets_neither_break_nor_hold_the_reader() {
    let packets = std::env::var("FETTLE_FUZZ").map_or(PACKETS, |number| number.parse().unwrap());
    let seed: u64 = std::env::var("FETTLE_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("seed {seed}, {packets} packets");
    let began = Instant::now();
    let (alive, watch) = channel();
    let fuzzing = thread::spawn(move || {
        let mut taken = 0;
        for chunk in 0..packets.div_ceil(CHUNK) {
            let mut packets = Packets::new(seed.wrapping_add(chunk));
            for _ in 0..CHUNK {
                taken += check(&mut packets);
            }
            alive.send(chunk).unwrap();
        }
        taken
    });
    let mut chunks = 0;
    loop {
        match watch.recv_timeout(CHUNK_TIME) {
            Ok(chunk) => chunks = chunk + 1,
            Err(RecvTimeoutError::Timeout) => panic!("the reader hangs in chunk {chunks} of seed {seed}"),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let taken: u64 = fuzzing.join().expect("no bytes make the reader panic");
    println!("{} packets in {:?}, of which {taken} were taken", chunks * CHUNK, began.elapsed());
    assert!(taken > packets / 10, "too few to reach what lies behind the header: {taken}");
}

/// Reads one packet of the fuzzer in every way; how many packets were found in it at most.
fn check(packets: &mut Packets) -> u64 {
    let bytes = packets.next();
    let mut connect = BytesMut::from(&bytes[..]);
    let before = connect.len();
    let found = read_connect(&mut connect, MAX_BYTES);
    assert!(!matches!(found, Ok(Some(_))) || connect.len() < before, "a CONNECT of nothing: {bytes:02x?}");
    let mut most = u64::from(matches!(found, Ok(Some(_))));
    for version in [Version::V4, Version::V5] {
        let whole = read_all(version, [&bytes[..]]);
        most = most.max(whole.0.len() as u64);
        // However the bytes come in, they mean the same. A packet that is too large is so at its header.
        let (one, other) = bytes.split_at(packets.below(bytes.len() + 1));
        assert_eq!(read_all(version, [one, other]), whole, "{bytes:02x?} cut at {}", one.len());
    }
    most
}

/// The packets in the bytes, and why there were no more.
fn read_all<'a>(
    version: Version,
    parts: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Incoming>, Result<usize, WireError>) {
    let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
    for part in parts {
        buffer.extend_from_slice(part);
        loop {
            let (before, length) = (buffer.len(), claimed_length(&buffer));
            match read(version, &mut buffer, MAX_BYTES) {
                Ok(Some(packet)) => {
                    assert_eq!(Some(before - buffer.len()), length, "what follows it is the next packet: {packet:?}");
                    found.push(packet);
                }
                Ok(None) => {
                    assert_eq!(buffer.len(), before, "what is not read is kept");
                    break;
                }
                Err(error) => return (found, Err(error)),
            }
        }
    }
    (found, Ok(buffer.len()))
}

/// The length of a packet by its fixed header.
fn claimed_length(bytes: &[u8]) -> Option<usize> {
    let digits = bytes.get(1..)?;
    let last = digits.iter().position(|byte| byte & 0x80 == 0)?;
    let body = digits[..=last].iter().rev().fold(0, |length, byte| length << 7 | usize::from(byte & 0x7f));
    Some(2 + last + body)
}
