use super::*;

/// Seeded draws.
struct Random(u64);

impl Random {
    /// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn magnitude(&mut self, low: f64, high: f64) -> f64 {
        (low.ln() + (high / low).ln() * self.unit()).exp()
    }

    /// Box and Muller 1958.
    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Marsaglia and Tsang, "A simple method for generating gamma variables", 2000.
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            return self.gamma(shape + 1.0) * self.unit().powf(1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        loop {
            let x = self.normal();
            let v = (1.0 + x / (9.0 * d).sqrt()).powi(3);
            if v > 0.0 && (1.0 - self.unit()).ln() < x * x / 2.0 + d * (1.0 - v + v.ln()) {
                return d * v;
            }
        }
    }

    /// Events of a unit rate in `mean`: exponential gaps.
    fn poisson(&mut self, mean: f64) -> f64 {
        let mut time = 0.0;
        for count in 0.. {
            time -= (1.0 - self.unit()).ln();
            if time > mean {
                return f64::from(count);
            }
        }
        unreachable!("time grows")
    }
}

/// How many of the true values lie in their 90 % intervals.
#[derive(Default)]
struct Coverage {
    inside: usize,
    all: usize,
}

impl Coverage {
    fn add(&mut self, truth: f64, (low, high): (f64, f64)) {
        self.all += 1;
        self.inside += usize::from((low..=high).contains(&truth));
    }

    fn share(&self) -> f64 {
        self.inside as f64 / self.all as f64
    }
}

/// A fleet of some models and all age bands, many times over: the catalogue's rate is off by a
/// factor drawn anew each time, rates are spread over cells, and exposure over three decades.
fn simulate(models: usize, draw: impl Fn(&mut Random) -> f64, seed: u64) -> [Coverage; 3] {
    let random = &mut Random(seed);
    let [mut all, mut few, mut many] = <[Coverage; 3]>::default();
    for _ in 0..600 / models {
        let per_year = random.magnitude(0.01, 0.2);
        let off = (random.normal() * 0.7).exp();
        let truth: Vec<f64> = (0..models * BANDS).map(|_| per_year * off * draw(random)).collect();
        let count = |rate: &f64| {
            let years = random.magnitude(0.1, 300.0) / per_year;
            Count { failures: random.poisson(rate * years), years }
        };
        let cells: Vec<Count> = truth.iter().map(count).collect();
        for ((truth, cell), rate) in truth.iter().zip(&cells).zip(pooled(&cells, per_year)) {
            let interval = rate.interval(0.9);
            all.add(*truth, interval);
            (if cell.failures <= 3.0 { &mut few } else { &mut many }).add(*truth, interval);
        }
    }
    [all, few, many]
}

#[test]
fn credible_intervals_of_rates_hold_what_they_promise() {
    type Draw = fn(&mut Random) -> f64;
    let spreads: [(&str, Draw); 4] = [
        ("gamma, shape 1", |r| r.gamma(1.0)),
        ("gamma, shape 3", |r| r.gamma(3.0) / 3.0),
        ("gamma, shape 12", |r| r.gamma(12.0) / 12.0),
        ("log-normal, σ 0.6", |r| (0.6 * r.normal()).exp()),
    ];
    for (seed, (name, draw)) in spreads.into_iter().enumerate() {
        for models in [1, 3, 12] {
            let coverage = simulate(models, draw, 7 + seed as u64);
            let shares = coverage.each_ref().map(Coverage::share);
            println!("{name}, {models} models: all, few, many failures: {shares:.3?} of {}", coverage[0].all);
            // The five cells of one model cannot tell how much rates differ: their small counts
            // are covered too well where they hardly do.
            let promised = if models == 1 { &shares[..1] } else { &shares[..] };
            assert!(promised.iter().all(|share| (0.86..=0.94).contains(share)), "{name}, {models} models: {shares:?}");
        }
    }
}

#[test]
fn credible_intervals_of_chances_hold_what_they_promise() {
    let random = &mut Random(11);
    let mut coverage = Coverage::default();
    for _ in 0..5_000 {
        let expected = 0.05 + 0.9 * random.unit();
        // The catalogue is right on average, and worth as much as it is taken for.
        let prior = Trials::default().chance(expected);
        let (a, b) = (random.gamma(prior.alpha), random.gamma(prior.beta));
        let truth = a / (a + b);
        let mut trials = Trials::default();
        for _ in 0..(random.magnitude(1.0, 100.0) as usize) {
            trials.add(random.unit() < truth, 1.0);
        }
        coverage.add(truth, trials.chance(expected).interval(0.9));
    }
    println!("chances: {:.3}", coverage.share());
    assert!((0.86..=0.94).contains(&coverage.share()), "{}", coverage.share());
}

#[test]
fn intervals_are_those_of_the_tables() {
    // Gamma(1, 1) is exponential; χ² of 10 degrees of freedom: 3.940 and 18.307.
    let rate = |shape, years| Rate { shape, years, prior_years: 1.0, own_share: 0.5 };
    let near = |(a, b): (f64, f64), (c, d): (f64, f64)| (a - c).abs() < 1e-3 && (b - d).abs() < 1e-3;
    assert!(near(rate(1.0, 1.0).interval(0.9), (-(0.95f64).ln(), -(0.05f64).ln())));
    assert!(near(rate(5.0, 0.5).interval(0.9), (3.940, 18.307)));
    // Beta(1, 2): 1 - (1 - x)^2.
    let chance = Chance { alpha: 1.0, beta: 2.0, own_share: 0.0 };
    assert!(near(chance.interval(0.9), (1.0 - 0.95f64.sqrt(), 1.0 - 0.05f64.sqrt())));
}

#[test]
fn a_cell_leans_on_the_fleet_until_it_has_seen_enough() {
    let mut learned = Learned::default();
    learned.expose("old", 5.0, 10_000.0);
    learned.expose("new", 5.0, 1.0);
    (0..3_000).for_each(|_| learned.fold(&outcome("old", Found::Confirmed("leak".to_owned()))));
    let band = age_band(5.0);
    let rates = learned.rates("leak", 0.1);
    let (old, new) = (rates["old"][band], rates["new"][band]);
    assert!((old.mean() - 0.3).abs() < 0.01 && !old.prior_dominated());
    // Three times the catalogue's rate: the fleet has seen that the catalogue is too low.
    assert!(new.mean() > 0.15 && new.prior_dominated() && new.prior_years > 1.0, "{new:?}");
    let (low, high) = new.interval(0.9);
    assert!(low < 0.15 && high > 0.4, "{low} {high}");
}

#[test]
fn without_cases_the_catalogue_stands() {
    let catalogue = crate::Catalogue::builtin().unwrap();
    let ty = catalogue.get("refrigerator").unwrap();
    let mut learned = Learned::default();
    let priors: Vec<f64> = ty.causes.iter().map(|cause| cause.prior).collect();
    assert!(learned.priors(ty).is_empty() && learned.teach(ty).is_empty());
    // A model without exposure is told what is expected on average.
    learned.expose("RF-420", 2.0, 0.0);
    for learned in &learned.priors(ty)["RF-420"] {
        for (learned, prior) in learned.iter().zip(&priors) {
            assert!((learned / prior - 1.0).abs() < 0.05, "{learned} {prior}");
        }
    }
    let detectors: Vec<f64> = ty.detectors.iter().map(|detector| detector.false_alarm).collect();
    assert!(learned.false_alarms(ty).iter().zip(&detectors).all(|(a, b)| (a - b).abs() < 1e-12));
    assert_eq!(learned.successes(ty).len(), ty.repairs.len());
}

#[test]
fn extreme_cells_give_finite_rates() {
    let cells = [(0.0, 0.0), (0.0, 1e9), (1e6, 1.0), (0.3, 1e-9)].map(|(failures, years)| Count { failures, years });
    for rate in
        cells.iter().flat_map(|cell| pooled(&[*cell], 0.05)).chain(pooled(&cells, 0.05)).chain(pooled(&[], 0.05))
    {
        let (low, high) = rate.interval(0.9);
        assert!(
            low.is_finite() && high.is_finite() && low <= rate.mean() && rate.mean() <= high,
            "{rate:?} {low} {high}"
        );
    }
}

fn outcome(model: &str, found: Found) -> Outcome {
    Outcome {
        model: model.to_owned(),
        age_years: 5.0,
        found,
        posterior: [("leak".to_owned(), 0.6), ("valve".to_owned(), 0.3)].into(),
        symptoms: [("warm".to_owned(), true), ("noisy".to_owned(), false)].into(),
        attempts: vec![Attempt { repair: "reset".to_owned(), cause: "leak".to_owned(), verified: false }],
    }
}

fn learned(found: Found) -> Learned {
    let mut learned = Learned::default();
    learned.fold(&outcome("m", found));
    learned
}

#[test]
fn only_a_confirmed_cause_counts_fully() {
    let failures =
        |found, cause: &str| learned(found).models["m"].failures.get(cause).map_or(0.0, |f| f[age_band(5.0)]);
    assert_eq!(failures(Found::Confirmed("leak".to_owned()), "leak"), 1.0);
    assert_eq!(failures(Found::Replaced(vec!["leak".to_owned(), "valve".to_owned()]), "leak"), REPLACED * 0.6);
    assert_eq!(failures(Found::Replaced(vec!["leak".to_owned(), "valve".to_owned()]), "valve"), REPLACED * 0.3);
    assert_eq!(failures(Found::Cured("leak".to_owned()), "leak"), 0.6);
    assert_eq!(failures(Found::NoFault, "leak"), 0.0);
}

#[test]
fn detectors_learn_from_what_was_seen_and_from_visits_in_vain() {
    let quiet = |_: &str| false;
    let before = Learned::default();
    let confirmed = learned(Found::Confirmed("leak".to_owned()));
    assert!(confirmed.detected("warm", "leak", 0.5).mean() > before.detected("warm", "leak", 0.5).mean());
    assert!(confirmed.detected("noisy", "leak", 0.5).mean() < 0.5);
    // A part that was replaced says nothing of detectors.
    assert_eq!(learned(Found::Replaced(vec!["leak".to_owned()])).detected("warm", "leak", 0.5).mean(), 0.5);
    let in_vain = learned(Found::NoFault);
    assert_eq!(in_vain.no_fault_found("m"), 1);
    assert!(in_vain.false_alarm("warm", 0.01, 0.1, quiet).mean() > 0.01);
    // Quiet time speaks for the detector.
    let mut exposed = in_vain.clone();
    exposed.expose("m", 1.0, 1_000.0);
    assert!(exposed.false_alarm("warm", 0.01, 0.1, quiet).mean() < 0.001);
    // It showed at another cause than those it speaks for: a false alarm too.
    assert!(confirmed.false_alarm("warm", 0.01, 0.1, |cause| cause == "valve").mean() > 0.01);
    assert_eq!(confirmed.false_alarm("warm", 0.01, 0.1, |cause| cause == "leak").mean(), 0.01);
}

#[test]
fn a_repair_is_judged_by_cases_of_its_cause() {
    let mean = |found| learned(found).repaired("reset", 0.8).mean();
    assert!((mean(Found::Confirmed("leak".to_owned())) - 3.2 / 5.0).abs() < 1e-12);
    assert_eq!(mean(Found::Confirmed("valve".to_owned())), 0.8);
    assert_eq!(mean(Found::NoFault), 0.8);
}

#[test]
fn counts_merge_in_any_order_and_survive_storage() {
    let cases = [Found::Confirmed("leak".to_owned()), Found::NoFault, Found::Confirmed("valve".to_owned())];
    let mut whole = Learned::default();
    cases.iter().for_each(|found| whole.fold(&outcome("m", found.clone())));
    whole.expose("m", 2.0, 3.0);
    let mut merged = Learned::default();
    merged.expose("m", 2.0, 3.0);
    cases.iter().rev().for_each(|found| merged.merge(&learned(found.clone())));
    assert_eq!(merged, whole);
    let stored = serde_json::to_string(&whole).unwrap();
    assert_eq!(serde_json::from_str::<Learned>(&stored).unwrap(), whole);
}

#[test]
fn what_is_often_confirmed_is_suspected_first() {
    let catalogue = crate::Catalogue::builtin().unwrap();
    let ty = catalogue.get("refrigerator").unwrap();
    let ranked = |ty: &crate::ApplianceType, symptom: &str| {
        let diagnosis = crate::diagnose_symptoms(ty, &[(symptom.to_owned(), true)]);
        diagnosis.ranked.into_iter().map(|ranked| ranked.cause).collect::<Vec<_>>()
    };
    // A symptom that leaves a doubt: some cause is second to another.
    let (symptom, second) = ty
        .symptoms()
        .find_map(|(symptom, _)| {
            let diagnosis = crate::diagnose_symptoms(ty, &[(symptom.to_owned(), true)]);
            let [first, second, ..] = diagnosis.ranked.as_slice() else { return None };
            (second.probability > first.probability / 10.0).then(|| (symptom.to_owned(), second.cause.clone()))
        })
        .unwrap();
    let mut learned = Learned::default();
    (0..500).for_each(|_| learned.expose_life("RF-420", 2.0));
    learned.expose_life("RF-900", 2.0);
    (0..300)
        .for_each(|_| learned.fold(&Outcome { age_years: 2.0, ..outcome("RF-420", Found::Confirmed(second.clone())) }));
    let taught = learned.teach(ty);
    let at = age_band(2.0);
    assert_ne!(ranked(ty, &symptom)[0], second);
    assert_eq!(ranked(&taught["RF-420"][at], &symptom)[0], second);
    // Told in the evidence of the taught type as well: states that were made before fit.
    assert!(crate::DeviceState::new(ty).fits(&taught["RF-420"][at]));
    // What happens to one model says less of another.
    let prior = |model: &str| learned.priors(ty)[model][at][ty.causes.iter().position(|c| c.key == second).unwrap()];
    assert!(prior("RF-420") > 2.0 * prior("RF-900"), "{} {}", prior("RF-420"), prior("RF-900"));
}

#[test]
fn a_life_is_split_over_the_age_bands() {
    let mut learned = Learned::default();
    learned.expose_life("m", 4.5);
    learned.expose_life("m", 0.25);
    assert_eq!(learned.models["m"].years, [1.25, 2.0, 1.5, 0.0, 0.0]);
}
