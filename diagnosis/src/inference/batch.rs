//! Many devices of one type at once: one lane each.

use std::ops::{Add, Mul};

use fearless_simd::{Level, dispatch};

use super::circuit::{Circuit, LEAST_EVIDENCE, Posterior, Scratch};
use super::evidence::{Evidence, Impossible};

/// Devices that are evaluated side by side: enough that finding a step's operands costs little beside it.
const LANES: usize = 8;

#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Lanes([f64; LANES]);

impl Mul for Lanes {
    type Output = Self;

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane] * other.0[lane]))
    }
}

impl Add for Lanes {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane] + other.0[lane]))
    }
}

/// Numbers of one evaluation of many devices, to be used again and again.
#[derive(Debug, Clone, Default)]
pub struct BatchScratch {
    numbers: Vec<Lanes>,
    /// Posteriors of the devices in the lanes, one device after the other.
    results: Vec<f64>,
    one: Scratch,
}

impl Circuit {
    /// Room for evaluating many devices.
    pub fn batch_scratch(&self) -> BatchScratch {
        BatchScratch {
            numbers: vec![Lanes([0.0; LANES]); self.steps.len()],
            results: vec![0.0; LANES * self.joint_at.len()],
            one: self.scratch(),
        }
    }

    /// All posteriors of many devices of this type; calls `each` with the index of the device.
    /// Does not allocate if `scratch` was made by this circuit.
    pub fn posteriors(
        &self,
        evidence: &[Evidence],
        scratch: &mut BatchScratch,
        mut each: impl FnMut(usize, Result<Posterior<'_>, Impossible>),
    ) {
        let BatchScratch { numbers, results, one } = scratch;
        let nodes = self.joint_at.len();
        numbers.resize(self.steps.len(), Lanes([0.0; LANES]));
        results.resize(LANES * nodes, 0.0);
        numbers.iter_mut().zip(&self.base).for_each(|(lanes, base)| *lanes = Lanes([*base; LANES]));
        // The widest vectors of this machine: with AVX-512 all lanes are one. The same operations in
        // the same order, so the same digits.
        let level = Level::new();
        for (number, chunk) in evidence.chunks(LANES).enumerate() {
            for (lane, evidence) in chunk.iter().enumerate() {
                self.set_symptoms(evidence, |at, weight| numbers[at].0[lane] = weight);
                self.set_events(evidence, |at, weight| numbers[at].0[lane] *= weight);
            }
            let all = dispatch!(level, _ => {
                self.steps.run(numbers, self.backward);
                self.read(numbers, results)
            });
            for (lane, evidence) in chunk.iter().enumerate() {
                // The next device in this lane finds the priors as they were.
                self.set_events(evidence, |at, _| numbers[at].0[lane] = self.base[at]);
                let index = number * LANES + lane;
                if all[lane] < LEAST_EVIDENCE {
                    each(index, self.posterior(evidence, one));
                    continue;
                }
                let values = &results[lane * nodes..][..nodes];
                each(index, Ok(Posterior { events: self.events, values, log_evidence: all[lane].ln() }));
            }
        }
    }

    /// Reads the results, each over its lane's P(evidence), device after device; returns P(evidence).
    /// Inlined always: only so is it compiled for the caller's vectors.
    #[inline(always)]
    fn read(&self, numbers: &[Lanes], results: &mut [f64]) -> [f64; LANES] {
        let all = numbers[self.evidence_at as usize].0;
        let share = Lanes(all.map(|all| 1.0 / all));
        let nodes = self.joint_at.len();
        let (blocks, rest) = self.joint_at.as_chunks::<LANES>();
        for (block, at) in blocks.iter().enumerate() {
            let mut rows = [share; LANES];
            rows.iter_mut().zip(at).for_each(|(row, at)| *row = numbers[*at as usize] * share);
            let devices = transposed(rows);
            for (lane, device) in devices.iter().enumerate() {
                results[lane * nodes + block * LANES..][..LANES].copy_from_slice(&device.0);
            }
        }
        for (node, at) in rest.iter().enumerate() {
            let joint = numbers[*at as usize] * share;
            for (lane, joint) in joint.0.iter().enumerate() {
                results[lane * nodes + blocks.len() * LANES + node] = *joint;
            }
        }
        all
    }
}

/// Rows as columns: three times the first half interleaved with the second, which vectors do as a whole.
#[inline(always)]
fn transposed(mut rows: [Lanes; LANES]) -> [Lanes; LANES] {
    const HALF: usize = LANES / 2;
    for _ in 0..LANES.ilog2() {
        rows = std::array::from_fn(|row| {
            let (even, odd, from) = (&rows[row / 2].0, &rows[row / 2 + HALF].0, row % 2 * HALF);
            Lanes(std::array::from_fn(|lane| if lane % 2 == 0 { even[from + lane / 2] } else { odd[from + lane / 2] }))
        });
    }
    rows
}
