//! Packets as no decent client sends them: valid ones of both versions that were cut, bent and soaked in properties, and
//! bytes that never were packets. Shared with the unit tests of the reader.
#![allow(dead_code, missing_docs, unreachable_pub)]

use rand::rngs::Xoshiro256PlusPlus as Rng;
use rand::{RngExt, SeedableRng};

/// Property identifiers of MQTT 5 (2.2.2.2) by the kind of their value.
const BYTES: [u8; 8] = [0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2a];
const SHORTS: [u8; 4] = [0x13, 0x21, 0x22, 0x23];
const LONGS: [u8; 4] = [0x02, 0x11, 0x18, 0x27];
const TEXTS: [u8; 9] = [0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1a, 0x1c, 0x1f];
const LENGTH: u8 = 0x0b;
const PAIR: u8 = 0x26;

/// Topics, ids and names, of which some are none.
const NAMES: [&[u8]; 18] = [
    b"",
    b"a",
    b"MQTT",
    b"MQIsdp",
    b"fuzz-1",
    b"secret",
    b"ag/v1/home/fuzz-1/tlm",
    b"ag/v1/home/fuzz-1/death",
    b"ag/v1/home/fuzz-1/cmd/req/+",
    b"ag/v1/home/other/tlm",
    b"ag/v1/+/#",
    b"$share/g/ag/v1/home/fuzz-1/err",
    b"application/json",
    "ag/v1/höme/é".as_bytes(),
    // No UTF-8: a surrogate, an overlong slash, half a character; and a zero.
    b"\xed\xa0\x80",
    b"\xc0\xaf",
    b"a\xe2\x82",
    b"a\0b",
];

/// Makes packets; the same seed makes the same ones.
pub struct Packets {
    random: Rng,
}

impl Packets {
    pub fn new(seed: u64) -> Self {
        Self { random: Rng::seed_from_u64(seed) }
    }

    /// One packet, or two or three in whatever order, hardly ever a valid one.
    pub fn next(&mut self) -> Vec<u8> {
        let mut bytes = match self.random.random_range(0..20) {
            0 => self.noise(64),
            1 => self.header_and_noise(),
            _ => self.packet(),
        };
        for _ in 0..self.random.random_range(0..4) {
            self.bend(&mut bytes);
        }
        bytes
    }

    /// A packet of any kind and either version, as valid as its random parts are.
    pub fn packet(&mut self) -> Vec<u8> {
        let (kind, five) = (self.random.random_range(1..16_u8), self.random.random());
        let (mut first, mut body) = (kind << 4, Vec::new());
        match kind {
            1 => self.connect(&mut body, five),
            2 => body.extend([self.random.random_range(0..2), self.code(five)]),
            3 => {
                let qos = self.random.random_range(0..4_u8).min(2);
                first |=
                    qos << 1 | u8::from(self.random.random_bool(0.2)) | u8::from(self.random.random_bool(0.2)) << 3;
                self.text(&mut body);
                if qos > 0 {
                    self.packet_id(&mut body);
                }
            }
            4..=7 => {
                first |= u8::from(kind == 6) << 1;
                self.packet_id(&mut body);
                if five && self.random.random() {
                    body.push(self.code(five));
                }
            }
            8 | 10 => {
                first |= 2;
                self.packet_id(&mut body);
            }
            9 | 11 => self.packet_id(&mut body),
            14 | 15 if five => body.extend(self.random.random_bool(0.5).then(|| self.code(true))),
            _ => {}
        }
        // A CONNECT has had its properties; PINGREQ and PINGRESP have none.
        if five && !matches!(kind, 1 | 12 | 13) && self.random.random_bool(0.8) {
            self.properties(&mut body);
        }
        match kind {
            3 => body.extend(self.noise(40)),
            8 => {
                for _ in 0..self.random.random_range(0..4) {
                    self.text(&mut body);
                    body.push(self.random.random_range(0..4));
                }
            }
            10 => (0..self.random.random_range(0..4)).for_each(|_| self.text(&mut body)),
            9 | 11 => body.extend((0..self.random.random_range(0..4)).map(|_| 0x80)),
            _ => {}
        }
        framed(first, &body)
    }

    fn connect(&mut self, body: &mut Vec<u8>, five: bool) {
        let flags: u8 = if self.random.random_bool(0.5) { 0xc2 } else { self.random.random() };
        body.extend(b"\0\x04MQTT");
        body.extend([if five { 5 } else { 4 }, flags]);
        body.extend(self.random.random::<u16>().to_be_bytes());
        if five {
            self.properties(body);
        }
        self.text(body);
        if flags & 4 != 0 {
            if five {
                self.properties(body);
            }
            self.text(body);
            self.text(body);
        }
        for flag in [0x80, 0x40] {
            if flags & flag != 0 {
                self.text(body);
            }
        }
    }

    /// Any properties in any place, some of them twice, as a rule with their true length.
    fn properties(&mut self, body: &mut Vec<u8>) {
        let mut soup = Vec::new();
        for _ in 0..self.random.random_range(0..5) {
            let id = *self.one_of(&[&BYTES[..], &SHORTS, &LONGS, &TEXTS, &[LENGTH, PAIR, 0x7f]].concat());
            soup.push(id);
            match id {
                _ if BYTES.contains(&id) => soup.push(self.random.random_range(0..3)),
                _ if SHORTS.contains(&id) => soup.extend(self.random.random::<u16>().to_be_bytes()),
                _ if LONGS.contains(&id) => soup.extend(self.random.random::<u32>().to_be_bytes()),
                _ if TEXTS.contains(&id) => self.text(&mut soup),
                LENGTH => put_length(&mut soup, self.random.random_range(0..300_000_000)),
                PAIR => {
                    self.text(&mut soup);
                    self.text(&mut soup);
                }
                _ => {}
            }
        }
        let lie = if self.random.random_bool(0.05) { self.random.random_range(0..300) } else { 0 };
        put_length(body, soup.len() ^ lie);
        body.extend(soup);
    }

    /// A text with its length, which is hardly ever a lie.
    fn text(&mut self, body: &mut Vec<u8>) {
        let name = *self.one_of(&NAMES);
        let lie = if self.random.random_bool(0.02) { self.random.random() } else { 0 };
        body.extend((name.len() as u16 ^ lie).to_be_bytes());
        body.extend(name);
    }

    fn packet_id(&mut self, body: &mut Vec<u8>) {
        body.extend(self.random.random_range(0..4_u16).to_be_bytes());
    }

    fn code(&mut self, five: bool) -> u8 {
        if five { self.random.random() } else { self.random.random_range(0..6) }
    }

    fn noise(&mut self, most: usize) -> Vec<u8> {
        let mut bytes = vec![0; self.random.random_range(0..most)];
        self.random.fill(&mut bytes[..]);
        bytes
    }

    fn header_and_noise(&mut self) -> Vec<u8> {
        let body = self.noise(64);
        framed(self.random.random(), &body)
    }

    /// One change for the worse.
    fn bend(&mut self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        if length == 0 {
            return;
        }
        let at = self.random.random_range(0..length);
        match self.random.random_range(0..9) {
            0 | 1 => bytes[at] ^= 1 << self.random.random_range(0..8),
            2 => bytes[at] = self.random.random(),
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(at..length.min(at + 4))),
            5 => {
                let more = self.noise(8);
                bytes.splice(at..at, more);
            }
            // Another length, of up to five bytes.
            6 => {
                let (mut lie, bits) = (Vec::new(), self.random.random_range(1..36));
                put_length(&mut lie, self.random.random_range(0..1 << bits));
                let after = length.min(2);
                bytes.splice(1.min(length)..after, lie);
            }
            // A packet behind it, and one before it.
            7 => bytes.extend(self.packet()),
            _ => {
                let before = self.packet();
                bytes.splice(0..0, before);
            }
        }
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.random.random_range(0..all.len())]
    }

    /// A number below this one.
    pub fn below(&mut self, end: usize) -> usize {
        self.random.random_range(0..end)
    }
}

/// A packet of this first byte and body.
pub fn framed(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    put_length(&mut bytes, body.len());
    bytes.extend(body);
    bytes
}

fn put_length(bytes: &mut Vec<u8>, mut length: usize) {
    while length > 0x7f {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
}
