//! Healthy appliances out of a seed, each a little different from the next.

#![allow(dead_code, reason = "each program uses another part")]

use diagnosis::detection::fleet::{History, Row, Schema};

pub const MINUTE_MS: i64 = 60_000;
pub const DAY_MS: i64 = 1440 * MINUTE_MS;

/// SplitMix64 (Steele, Lea & Flood 2014).
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Between 0 and 1, neither of them.
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// A standard normal number (Marsaglia's polar method, one of the pair).
    pub fn normal(&mut self) -> f64 {
        loop {
            let (x, y) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let square = x * x + y * y;
            if square < 1.0 {
                return x * (-2.0 * square.ln() / square).sqrt();
            }
        }
    }

    /// Student's t with 5 degrees of freedom, scaled to variance 1.
    pub fn heavy(&mut self) -> f64 {
        let chi: f64 = (0..5).map(|_| self.normal().powi(2)).sum();
        self.normal() / (chi / 5.0).sqrt() / (5f64 / 3.0).sqrt()
    }
}

/// How healthy channels move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Process {
    /// One channel of independent normal numbers.
    White,
    /// One channel, AR(1) with φ = 0.95.
    Ar,
    /// Eight channels, each AR(1) with φ = 0.95 by itself.
    ManyAr,
    /// Four channels of independent Student t with 5 degrees of freedom.
    Heavy,
    /// Two channels and two modes that alternate every 10 to 40 minutes and differ in level, scatter and swing.
    Cyclic,
    /// Eight channels that follow two hidden AR(1) factors with φ = 0.9.
    Correlated,
    /// Eight channels, two modes, two inputs, a daily cycle, correlated AR(1) and heavy-tailed noise.
    Appliance,
}

impl Process {
    pub const ALL: [Self; 7] =
        [Self::White, Self::Ar, Self::ManyAr, Self::Heavy, Self::Cyclic, Self::Correlated, Self::Appliance];

    pub fn schema(self) -> Schema {
        let channels = match self {
            Self::White | Self::Ar => 1,
            Self::Cyclic => 2,
            Self::Heavy => 4,
            Self::ManyAr | Self::Correlated | Self::Appliance => 8,
        };
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Schema {
            channels: (0..channels).map(|c| format!("channel {c}")).collect(),
            inputs: if self == Self::Appliance { names(&["ambient", "load"]) } else { vec![] },
            modes: names(if self.cycles() { &["idle", "on"] } else { &["on"] }),
        }
    }

    fn cycles(self) -> bool {
        matches!(self, Self::Cyclic | Self::Appliance)
    }
}

/// One appliance, minute after minute.
#[derive(Clone)]
pub struct Device {
    process: Process,
    random: Random,
    /// Its own place and scatter, in standard deviations.
    offset: [f64; 8],
    scale: f64,
    ar: [f64; 8],
    factors: [f64; 2],
    weather: f64,
    climate: f64,
    on: bool,
    left: u32,
    pub time_ms: i64,
    pub inputs: Vec<f32>,
    pub channels: Vec<f32>,
}

impl Device {
    pub fn new(process: Process, seed: u64) -> Self {
        let mut random = Random::new((8 * seed + process as u64).wrapping_mul(0x2545_f491_4f6c_dd1d));
        let schema = process.schema();
        let mut device = Self {
            process,
            offset: std::array::from_fn(|_| 2.0 * random.normal()),
            scale: (0.2 * random.normal()).exp(),
            ar: [0.0; 8],
            factors: [0.0; 2],
            weather: 0.0,
            climate: 4.0 * random.normal(),
            on: false,
            left: 0,
            time_ms: 20_000 * DAY_MS,
            inputs: vec![0.0; schema.inputs.len()],
            channels: vec![0.0; schema.channels.len()],
            random,
        };
        (0..200).for_each(|_| device.minute());
        device.time_ms = 20_000 * DAY_MS;
        device
    }

    pub fn mode(&self) -> u8 {
        u8::from(self.on && self.process.cycles())
    }

    pub fn row(&self) -> Row<'_> {
        Row { time_ms: self.time_ms, mode: self.mode(), inputs: &self.inputs, channels: &self.channels }
    }

    /// Lives one more minute.
    pub fn minute(&mut self) {
        self.time_ms += MINUTE_MS;
        if self.left == 0 {
            self.on = !self.on;
            self.left = 10 + (self.random.bits() % 31) as u32;
        }
        self.left -= 1;
        for factor in &mut self.factors {
            *factor = 0.9 * *factor + (1.0 - 0.81f64).sqrt() * self.random.normal();
        }
        if self.process == Process::Appliance {
            self.weather = 0.999 * self.weather + (1.0 - 0.999f64.powi(2)).sqrt() * self.random.normal();
            let clock = (self.time_ms % DAY_MS) as f64 / DAY_MS as f64 * std::f64::consts::TAU;
            self.inputs[0] = (15.0 + self.climate + 5.0 * clock.sin() + 3.0 * self.weather) as f32;
            self.inputs[1] = (50.0 + 20.0 * self.factors[1]) as f32;
        }
        for channel in 0..self.channels.len() {
            let noise = self.noise(channel);
            self.channels[channel] = self.place(channel, noise) as f32;
        }
    }

    /// Standardised noise of one channel.
    fn noise(&mut self, channel: usize) -> f64 {
        let mut ar = |random: &mut Random, phi: f64| {
            self.ar[channel] = phi * self.ar[channel] + (1.0 - phi * phi).sqrt() * random.normal();
            self.ar[channel]
        };
        let shared = self.factors[channel % 2];
        match self.process {
            Process::White => self.random.normal(),
            Process::Ar | Process::ManyAr => ar(&mut self.random, 0.95),
            Process::Heavy => self.random.heavy(),
            Process::Cyclic => ar(&mut self.random, 0.8),
            Process::Correlated => 0.95 * shared + 0.3 * self.random.normal(),
            Process::Appliance => {
                let slow = ar(&mut self.random, 0.95);
                0.8 * self.factors[0] + 0.4 * slow + 0.45 * self.random.heavy()
            }
        }
    }

    /// The channel's value: level and scatter of the mode, the device's own, what inputs do.
    fn place(&self, channel: usize, noise: f64) -> f64 {
        let own = self.offset[channel] + self.scale * noise;
        if !self.process.cycles() {
            return 20.0 + own;
        }
        let (level, scatter) = if self.on { (60.0, 3.0) } else { (20.0, 0.5) };
        // Each phase begins with a swing that dies out.
        let swing = (-f64::from(40 - self.left.min(40)) / 5.0).exp();
        let clock = (self.time_ms % DAY_MS) as f64 / DAY_MS as f64 * std::f64::consts::TAU;
        let explained = match self.inputs.as_slice() {
            [ambient, load] => 0.3 * f64::from(*ambient) + 0.05 * f64::from(*load) + 2.0 * (clock + 1.0).cos(),
            _ => 0.0,
        };
        level + scatter * (own + swing + explained)
    }
}

/// What devices of these numbers send in so many days.
pub fn histories(process: Process, devices: std::ops::Range<u64>, days: i64) -> Vec<History> {
    let schema = process.schema();
    let live = |number: u64| {
        let mut device = Device::new(process, number);
        let mut history = History::new(&schema, &format!("device {number}"));
        for _ in 0..days * 1440 {
            device.minute();
            history.push(&device.row()).expect("the process keeps to its schema");
        }
        history
    };
    devices.map(live).collect()
}
