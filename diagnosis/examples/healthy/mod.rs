//! Simulated healthy recordings, made independently of what the detector assumes.

use diagnosis::detection::recording::{Model, Monitor, Recording};

pub const TRAIN_ROWS: usize = 400;
pub const JUDGED_ROWS: usize = 4_000;

/// How healthy rows come about.
#[derive(Clone, Copy)]
pub struct World {
    pub name: &'static str,
    pub channels: usize,
    /// Dependence of a row on the row before it.
    pub phi: f64,
    /// The part of the noise that all channels share.
    pub shared: f64,
    pub noise: Noise,
}

/// What one draw looks like.
#[derive(Clone, Copy)]
pub enum Noise {
    Normal,
    /// Student's t with so many degrees of freedom.
    Student(u32),
    Laplace,
    /// Normal, but one in twenty draws is three times as wide: gross errors, which no family of
    /// tails that is tried fits.
    Mixed,
}

pub const WORLDS: &[World] = &[
    World { name: "white noise, 1 channel", channels: 1, phi: 0.0, shared: 0.0, noise: Noise::Normal },
    World { name: "white noise, 8 channels", channels: 8, phi: 0.0, shared: 0.0, noise: Noise::Normal },
    World { name: "AR(1) 0.95, 1 channel", channels: 1, phi: 0.95, shared: 0.0, noise: Noise::Normal },
    World { name: "AR(1) 0.95, 8 channels", channels: 8, phi: 0.95, shared: 0.0, noise: Noise::Normal },
    World { name: "AR(1) 0.95, 8 correlated channels", channels: 8, phi: 0.95, shared: 0.8, noise: Noise::Normal },
    World { name: "AR(1) 0.99, 3 correlated channels", channels: 3, phi: 0.99, shared: 0.5, noise: Noise::Normal },
    World { name: "white noise, 8 correlated channels", channels: 8, phi: 0.0, shared: 0.6, noise: Noise::Normal },
    World { name: "white t(4), 1 channel", channels: 1, phi: 0.0, shared: 0.0, noise: Noise::Student(4) },
    World {
        name: "AR(1) 0.95 of t(4), 4 correlated channels",
        channels: 4,
        phi: 0.95,
        shared: 0.5,
        noise: Noise::Student(4),
    },
    World { name: "AR(1) 0.95 of t(3), 8 channels", channels: 8, phi: 0.95, shared: 0.0, noise: Noise::Student(3) },
    World { name: "AR(1) 0.7 of Laplace, 4 channels", channels: 4, phi: 0.7, shared: 0.0, noise: Noise::Laplace },
    World { name: "AR(1) 0.95 of mixed normals, 2 channels", channels: 2, phi: 0.95, shared: 0.0, noise: Noise::Mixed },
];

/// Shares of rows with a p-value of at most 0.01 and 0.001.
pub struct Rates {
    pub at_2: f64,
    pub at_3: f64,
    /// Both between half and twice of nominal.
    pub inside: bool,
}

impl Rates {
    pub fn of(p_values: &[f64]) -> Self {
        let share = |bound: f64| p_values.iter().filter(|p| **p <= bound).count() as f64 / p_values.len() as f64;
        let (at_2, at_3) = (share(0.01), share(0.001));
        Self { at_2, at_3, inside: (0.005..=0.02).contains(&at_2) && (0.0005..=0.002).contains(&at_3) }
    }
}

pub fn rates(world: &World, recordings: u64) -> Rates {
    let p_values: Vec<f64> = (0..recordings).flat_map(|seed| p_values(world, seed + 1)).collect();
    Rates::of(&p_values)
}

fn p_values(world: &World, seed: u64) -> Vec<f64> {
    let mut random = Random(seed);
    let rows = simulate(world, TRAIN_ROWS + JUDGED_ROWS, &mut random);
    let channels: Vec<String> = (0..world.channels).map(|channel| format!("c{channel}")).collect();
    let (train, judge) = rows.split_at(TRAIN_ROWS * world.channels);
    let recording = Recording { times_ms: vec![], readings: train.to_vec() };
    let model = Model::train(&channels, &[recording]).expect("400 rows are enough");
    let mut monitor = Monitor::new(&model);
    let judge = judge.chunks_exact(world.channels);
    judge.map(|row| monitor.step(None, row).p_value.expect("each row is judged")).collect()
}

fn simulate(world: &World, rows: usize, random: &mut Random) -> Vec<f64> {
    const SETTLE: usize = 1_000;
    let mut level = vec![0.0; world.channels];
    let mut values = Vec::new();
    for row in 0..rows + SETTLE {
        let together = random.noise(world.noise);
        for (channel, level) in level.iter_mut().enumerate() {
            let own = random.noise(world.noise);
            *level = world.phi * *level + world.shared.sqrt() * together + (1.0 - world.shared).sqrt() * own;
            if row >= SETTLE {
                values.push(20.0 + channel as f64 + 0.3 * *level);
            }
        }
    }
    values
}

/// SplitMix64 (Steele, Lea & Flood 2014).
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64 + f64::EPSILON
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    fn noise(&mut self, noise: Noise) -> f64 {
        match noise {
            Noise::Normal => self.normal(),
            Noise::Student(freedom) => {
                let square: f64 = (0..freedom).map(|_| self.normal().powi(2)).sum();
                self.normal() / (square / f64::from(freedom)).sqrt()
            }
            Noise::Laplace => (self.uniform() / self.uniform()).ln(),
            Noise::Mixed => self.normal() * if self.uniform() < 0.05 { 3.0 } else { 1.0 },
        }
    }
}
