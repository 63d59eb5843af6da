use std::time::Instant;

use super::oracle::Case;
use super::*;

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn from(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Evenly spread over magnitudes.
    fn magnitude(&mut self, low: f64, high: f64) -> f64 {
        self.from(low.ln(), high.ln()).exp()
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.from(0.0, 1.0) < probability
    }
}

/// Shapes of made-up models.
const SHAPES: usize = 10;

fn case(shape: usize, seed: u64, faults: usize, actions: usize, questions: usize) -> Case {
    let r = &mut Random(seed.wrapping_mul(1_000).wrapping_add(shape as u64));
    let mut prior: Vec<f64> = (0..faults).map(|_| match shape {
        0 | 5 => 1.0,
        1 => r.magnitude(0.01, 1.0),
        _ => -r.from(1e-9, 1.0).ln(),
    }).collect();
    let all: f64 = prior.iter().sum();
    prior.iter_mut().for_each(|p| *p /= all);
    let cost = |r: &mut Random| match shape { 0 | 3 | 6 | 9 => r.from(1.0, 100.0), _ => r.magnitude(1.0, 100.0) };
    let actions = (0..actions).map(|_| {
        let c = cost(r);
        let density = match shape { 4 => 0.9, 5 => 0.25, _ => 0.4 };
        let cures = (0..faults).map(|_| if r.chance(density) { match shape {
            2 | 6 => 1.0,
            4 => r.from(0.0, 0.4),
            7 => r.from(0.0, 1.0),
            _ => r.from(0.3, 1.0),
        } } else { 0.0 }).collect();
        (c, cures)
    }).collect();
    let questions = (0..questions).map(|_| {
        let c = match shape { 0 | 3 => r.from(1.0, 30.0), 8 | 6 => r.magnitude(0.3, 5.0), 9 => r.from(1.0, 100.0), _ => r.magnitude(1.0, 20.0) };
        let yes = (0..faults).map(|_| match shape {
            3 | 7 => r.from(0.0, 1.0),
            _ => if r.chance(0.5) { r.from(0.7, 1.0) } else { r.from(0.0, 0.3) },
        }).collect();
        (c, yes)
    }).collect();
    let base = match shape { 0 | 9 => r.from(50.0, 300.0), 6 => r.from(100.0, 1000.0), 2 => r.from(20.0, 100.0), _ => r.magnitude(60.0, 600.0) };
    let service = (0..faults).map(|_| if shape % 2 == 1 { base * r.from(0.5, 1.5) } else { base }).collect();
    Case { prior, actions, questions, service }
}

#[test]
#[ignore]
fn experiment() {
    let env = |k: &str, d: u64| std::env::var(k).ok().and_then(|v| v.parse().ok()).unwrap_or(d);
    let limits = Limits { evaluations: env("EVALS", 300), beam: env("BEAM", 5) as usize, depth: env("DEPTH", 8) as usize };
    let mut memory = Workspace::default();
    for shape in 0..SHAPES {
        let (mut sum, mut worst, mut calls, mut time, mut slow) = (0.0, (0.0f64, 0), 0, 0.0, 0.0f64);
        let mut depths = 0;
        for seed in 0..100 {
            let case = case(shape, seed, 8, 7, 3);
            let policy = Policy::new(case.candidates(), vec![false; 8]).unwrap();
            let optimum = case.optimum();
            let cost = case.cost_of(&mut |weights, left| {
                let t = Instant::now();
                let d = policy.decide(&Situation { weights, left }, &mut memory, &|| false, &limits);
                let dt = t.elapsed().as_secs_f64() * 1e6;
                time += dt; slow = slow.max(dt); calls += 1; depths += d.depth;
                d.best().step
            });
            let above = cost / optimum - 1.0;
            assert!(above > -1e-9, "{above}");
            sum += above;
            if above > worst.0 { worst = (above, seed); }
        }
        println!("shape {shape}: mean {:.3} % worst {:.2} % (seed {}), {:.1} us a call (max {:.0}), {} calls, depth {:.1}", sum, worst.0 * 100.0, worst.1, time / calls as f64, slow, calls, depths as f64 / calls as f64);
    }
    // time of a large one
    for (faults, actions, questions) in [(30, 10, 9), (80, 10, 9), (80, 14, 5)] {
        let mut t_all = 0.0; let mut n = 0; let mut depth = 0;
        for seed in 0..50 {
            let case = case(5, seed, faults, actions, questions);
            let mut case = case;
            let mut r = Random(seed);
            for (_, c) in &mut case.actions { let at = r.from(0.0, faults as f64 - 4.0) as usize; for (i, p) in c.iter_mut().enumerate() { if !(at..at+3).contains(&i) { *p = 0.0 } else { *p = r.from(0.3, 1.0) } } }
            let policy = Policy::new(case.candidates(), vec![false; faults]).unwrap();
            let left = vec![1; actions + questions + 1];
            for _ in 0..3 {
            let t = Instant::now();
            let d = policy.decide(&Situation { weights: &case.prior, left: &left }, &mut memory, &|| false, &limits);
            t_all += t.elapsed().as_secs_f64() * 1e6; n += 1; depth += d.depth; }
        }
        println!("{faults} faults {actions} actions {questions} questions: {:.1} us, depth {:.1}", t_all / n as f64, depth as f64 / n as f64);
    }
}
