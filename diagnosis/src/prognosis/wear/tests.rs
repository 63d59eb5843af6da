use proptest::prelude::*;

use super::*;
use crate::prognosis::RemainingLife;

const PART: WearPart = WearPart { failure_level: 600.0, block_ms: 1000, settle_ms: 3000, load_exponent: 1.0 };

/// Normal draws, the same each time (Box and Muller).
struct Draws(u64);

impl Draws {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// A run drawn from the model: position moves with the clock and a Brownian motion, the level is
/// convex in it, readings at 5 Hz are noisy and not below 0.
fn run(draws: &mut Draws) -> Vec<Sample> {
    let noise = 5.0 + 10.0 * draws.uniform();
    let load = 50.0 + 100.0 * draws.uniform();
    let (mut position, mut samples) = (0.0_f64, Vec::new());
    for tick in 0..100_000 {
        let step = 0.2 * load / 100.0;
        position = (position + step + (0.7 * step).sqrt() * draws.normal()).max(0.0);
        let level = (600.0 * (position / 100.0).powi(2) + noise * draws.normal()).max(0.0);
        samples.push(Sample { time_ms: tick * 200, level, load, setting: 1.0 });
        if level >= 600.0 {
            break;
        }
    }
    samples
}

fn fleet(seed: u64, count: usize) -> (WearModel, Draws) {
    let mut draws = Draws(seed);
    let runs: Vec<Vec<Sample>> = (0..count).map(|_| run(&mut draws)).collect();
    let runs: Vec<&[Sample]> = runs.iter().map(Vec::as_slice).collect();
    (WearModel::fit(PART, &runs).unwrap(), draws)
}

#[test]
#[cfg_attr(debug_assertions, ignore = "slow without optimisation")]
fn intervals_cover_four_of_five_of_what_the_model_itself_draws() {
    let (model, mut draws) = fleet(3, 40);
    let (mut covered, mut asked) = (0.0, 0.0);
    for _ in 0..150 {
        let run = run(&mut draws);
        let end = run[run.len() - 1].time_ms;
        let mut wear = Wear::new(&model);
        let (mut hits, mut asks) = (0.0, 0.0);
        for sample in &run[..run.len() - 1] {
            wear.take(&model, sample);
            let Some(said) = wear.remaining(&model) else { continue };
            assert!(0.0 <= said.p10 && said.p10 <= said.p50 && said.p50 <= said.p90);
            let truth = (end - sample.time_ms) as f64 / 1000.0;
            asks += 1.0;
            hits += f64::from(u8::from(said.p10 <= truth && truth <= said.p90));
        }
        covered += hits / asks;
        asked += 1.0;
    }
    let coverage = covered / asked;
    assert!((0.74..=0.86).contains(&coverage), "{coverage}");
}

#[test]
fn a_new_part_is_told_by_the_fleet_and_a_worn_one_by_itself() {
    let (model, mut draws) = fleet(5, 8);
    let run = run(&mut draws);
    let mut wear = Wear::new(&model);
    assert_eq!(wear.remaining(&model), None);
    let said: Vec<RemainingLife> = run[..run.len() - 1]
        .iter()
        .filter_map(|sample| {
            wear.take(&model, sample);
            wear.remaining(&model)
        })
        .collect();
    assert!(said[0].prior_dominated);
    assert!(!said[said.len() - 1].prior_dominated);
    assert!(said[said.len() - 1].p50 < 0.2 * said[0].p50);
    wear.take(&model, &run[run.len() - 1]);
    assert!(wear.failed() && wear.remaining(&model).unwrap().p90 == 0.0);
    wear.replaced(&model);
    assert_eq!(wear, Wear::new(&model));
}

#[test]
fn stale_samples_change_nothing_and_unknown_values_are_bridged() {
    let (model, mut draws) = fleet(5, 8);
    let run = run(&mut draws);
    let mut wear = Wear::new(&model);
    run[..60].iter().for_each(|sample| wear.take(&model, sample));
    let before = wear.clone();
    wear.take(&model, &run[59]);
    wear.take(&model, &run[3]);
    assert_eq!(wear, before, "a duplicate, and time going back");
    for (tick, sample) in run[60..90].iter().enumerate() {
        let unknown = if tick % 2 == 0 { f64::NAN } else { f64::INFINITY };
        wear.take(&model, &Sample { level: f64::NAN, load: unknown, setting: unknown, ..*sample });
    }
    let bridged = wear.remaining(&model).unwrap();
    assert!(!wear.failed() && bridged.p50.is_finite());
    // A clock that was set by a century is no wear.
    let far = Sample { time_ms: i64::MAX - 5, level: run[90].level, ..run[90] };
    wear.take(&model, &far);
    let after = wear.remaining(&model).unwrap();
    assert!((after.p50 - bridged.p50).abs() < 0.1 * bridged.p50 + 3.0, "{bridged:?} {after:?}");
}

#[test]
fn a_gap_is_bridged_at_the_last_load() {
    let (model, mut draws) = fleet(5, 8);
    let run = run(&mut draws);
    let (mut whole, mut holed) = (Wear::new(&model), Wear::new(&model));
    for (tick, sample) in run[..140].iter().enumerate() {
        whole.take(&model, sample);
        if !(60..120).contains(&tick) {
            holed.take(&model, sample);
        }
    }
    let (whole, holed) = (whole.remaining(&model).unwrap(), holed.remaining(&model).unwrap());
    assert!((whole.p50 - holed.p50).abs() < 0.15 * whole.p50, "{whole:?} {holed:?}");
}

#[test]
fn state_and_model_survive_a_restart() {
    let (model, mut draws) = fleet(5, 8);
    let run = run(&mut draws);
    let mut wear = Wear::new(&model);
    run[..77].iter().for_each(|sample| wear.take(&model, sample));
    let model: WearModel = serde_json::from_str(&serde_json::to_string(&model).unwrap()).unwrap();
    let mut restored: Wear = serde_json::from_str(&serde_json::to_string(&wear).unwrap()).unwrap();
    for sample in &run[77..120] {
        wear.take(&model, sample);
        restored.take(&model, sample);
    }
    let (a, b) = (wear.remaining(&model).unwrap(), restored.remaining(&model).unwrap());
    assert!((a.p50 - b.p50).abs() < 1e-6 * a.p50);
}

#[test]
fn what_makes_no_model_is_said() {
    let short = [Sample { time_ms: 0, level: 1.0, load: 1.0, setting: 0.0 }];
    let of = |part, runs: &[&[Sample]]| WearModel::fit(part, runs).unwrap_err().to_string();
    assert_eq!(of(PART, &[&short]), "1 runs to failure; at least 5 are needed");
    assert_eq!(of(PART, &[&short[..]; 5]), "run 0 has 0 full blocks of 1000 ms; at least 10 are needed");
    assert_eq!(of(WearPart { block_ms: 0, ..PART }, &[]), "block_ms must be finite and positive");
    let flat: Vec<Sample> =
        (0..100).map(|i| Sample { time_ms: i * 500, level: 3.0, load: 1.0, setting: 0.0 }).collect();
    assert!(of(PART, &[&flat[..]; 5]).starts_with("the level does not rise with wear"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever comes, quantiles are in order and there is no panic.
    #[test]
    fn any_samples_are_taken(samples in proptest::collection::vec(
        (any::<i64>(), any::<f64>(), any::<f64>(), any::<f64>()), 0..40)) {
        let (model, _) = fleet(5, 5);
        let mut wear = Wear::new(&model);
        for (time_ms, level, load, setting) in samples {
            wear.take(&model, &Sample { time_ms, level, load, setting });
            if let Some(said) = wear.remaining(&model) {
                prop_assert!(0.0 <= said.p10 && said.p10 <= said.p50 && said.p50 <= said.p90);
            }
        }
    }

    /// More wear at the same readings: a heavier load so far never lengthens life.
    #[test]
    fn more_load_never_lengthens_life(load in 50.0..150.0_f64, more in 1.0..1.5_f64) {
        let (model, _) = fleet(5, 8);
        let after = |load: f64| {
            let mut wear = Wear::new(&model);
            for tick in 0..100 {
                wear.take(&model, &Sample { time_ms: tick * 200, level: 5.0, load, setting: 1.0 });
            }
            wear.clock_to_go(&model).unwrap().0
        };
        prop_assert!(after(load * more) <= after(load) + 1e-9);
    }
}
