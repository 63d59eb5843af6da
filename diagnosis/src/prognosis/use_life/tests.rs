use proptest::prelude::*;

use super::*;

const DAY: i64 = 86_400_000;

fn filter() -> Consumable {
    Consumable {
        key: "carbon_filter".into(),
        part: "carbon_filter".into(),
        counter: "litres".into(),
        unit: "l".into(),
        rated_life: 3000.0,
        spread: 0.3,
        use_per_day: 10.0,
        use_spread: 0.7,
        lead_time_days: 5.0,
        notice_days: 14.0,
        action: "Replace the carbon filter".into(),
    }
}

/// Uniform in [0, 1), the same each time.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[test]
fn half_of_the_parts_survive_the_rated_life_and_the_rest_has_increasing_hazard() {
    let filter = filter();
    assert!((filter.use_left(0.0, 0.5) - 3000.0).abs() < 1e-9);
    let left: Vec<f64> = [0.0, 1e3, 3e3, 1e4, 1e9].map(|used| filter.use_left(used, 0.5)).into();
    assert!(left.windows(2).all(|pair| pair[1] < pair[0] && pair[1] > 0.0), "{left:?}");
}

/// Parts, rates and days of use drawn from the very model, asked at a random part of life.
#[test]
fn intervals_cover_four_of_five_of_what_the_model_itself_draws() {
    let filter = filter();
    let prior = UseRate::of_catalogue(&filter);
    let (mut draws, mut covered, asked) = (Draws(7), 0, 2000);
    for _ in 0..asked {
        let rate = prior.quantile(draws.next());
        let days = (draws.next() * 400.0) as i64;
        let mut part = UseLife::default();
        let mut counter = 0.0;
        part.take(prior, 0, 0.0);
        for day in 1..=days {
            // Use of one day: exponential, the Gamma with a day as its unit.
            counter += -rate * (1.0 - draws.next()).ln();
            part.take(prior, day * DAY, counter);
        }
        // The rest of the life of a part that has survived what it has: drawn anew.
        let left = filter.use_left(part.used(), draws.next()) / rate;
        let said = part.remaining(&filter, prior);
        covered += i32::from(said.p10 <= left && left <= said.p90);
    }
    let coverage = f64::from(covered) / f64::from(asked);
    assert!((0.76..=0.84).contains(&coverage), "{coverage}");
}

#[test]
fn a_new_device_is_told_by_the_fleet_and_says_so() {
    let filter = filter();
    let fleet: Vec<(f64, f64)> = (0..200).map(|device| (100.0 * (10.0 + 5.0 * f64::from(device % 5)), 100.0)).collect();
    let rate = UseRate::of_fleet(&filter, &fleet);
    assert!((rate.per_day - 20.0).abs() < 0.2, "{rate:?}");
    assert!(rate.days > UseRate::of_catalogue(&filter).days);
    let mut part = UseLife::default();
    let new = part.remaining(&filter, rate);
    assert!(new.prior_dominated);
    assert!((new.p50 - 150.0).abs() < 15.0, "{new:?}");
    for day in 0..400 {
        part.take(rate, day * DAY, 5.0 * day as f64);
    }
    part.replaced();
    let own = part.remaining(&filter, rate);
    assert!(!own.prior_dominated && own.p50 > 2.0 * new.p50, "{own:?}");
}

#[test]
fn counters_that_restart_jump_or_show_nonsense() {
    let filter = filter();
    let rate = UseRate::of_catalogue(&filter);
    let mut part = UseLife::default();
    part.take(rate, 0, 1000.0);
    part.take(rate, DAY, 1010.0);
    let before = part;
    for (time, counter) in [(2 * DAY, f64::NAN), (2 * DAY, -1.0), (DAY, 1020.0), (0, 1020.0)] {
        part.take(rate, time, counter);
    }
    assert_eq!(part, before, "no number, below 0, duplicate, time going back");
    part.take(rate, 2 * DAY, 4.0);
    assert!((part.used() - 14.0).abs() < 1e-9, "restarted");
    part.take(rate, 3 * DAY, 1e9);
    // 14 l in 2 days, and the catalogue's 10 l a day for 1 / 0.7² days.
    let usual = (14.0 + 10.0 / 0.49) / (2.0 + 1.0 / 0.49);
    assert!((part.used() - 14.0 - usual).abs() < 0.1, "a jump counts as the expected use: {}", part.used());
    part.take(rate, i64::MAX, 1e9 + 1.0);
    assert!(part.remaining(&filter, rate).p50.is_finite());
}

#[test]
fn a_bad_entry_is_named() {
    let bad = |change: fn(&mut Consumable)| {
        let mut filter = filter();
        change(&mut filter);
        filter.problem().map(|problem| problem.0)
    };
    assert_eq!(bad(|_| ()), None);
    assert_eq!(bad(|filter| filter.spread = 1.5), Some("spread"));
    assert_eq!(bad(|filter| filter.rated_life = f64::NAN), Some("rated_life"));
    assert_eq!(bad(|filter| filter.lead_time_days = -1.0), Some("lead_time_days"));
}

#[test]
fn an_entry_is_written_as_toml() {
    let text = toml::to_string(&filter()).unwrap();
    assert_eq!(toml::from_str::<Consumable>(&text).unwrap(), filter());
    assert!(toml::from_str::<Consumable>(&text.replace("spread =", "spred =")).is_err());
}

proptest! {
    /// What was used beyond another part's use never makes life longer.
    #[test]
    fn more_use_never_lengthens_life(used in 0.0..1e5, more in 0.0..1e5, own in 0.0..500.0, days in 0.0..500.0) {
        let filter = filter();
        let rate = UseRate::of_catalogue(&filter);
        let part = |used, own| UseLife { used, lately: (own, days), last: None };
        let less = part(used, own).remaining(&filter, rate);
        prop_assert!(0.0 <= less.p10 && less.p10 <= less.p50 && less.p50 <= less.p90);
        for more in [part(used + more, own), part(used, own + more), part(used + more, own + more)] {
            let more = more.remaining(&filter, rate);
            let slack = 1.0 + 1e-9;
            prop_assert!(more.p10 <= less.p10 * slack && more.p50 <= less.p50 * slack && more.p90 <= less.p90 * slack);
        }
    }
}
