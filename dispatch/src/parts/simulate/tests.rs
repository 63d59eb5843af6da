use proptest::prelude::*;

use super::policy::{BaseStock, Forecaster, Rule};
use super::tune::{Ladders, fit};
use super::*;
use crate::parts::forecast::Method;
use crate::parts::forecast::pooled::PooledModel;

/// The same levels every month.
struct Fixed(Vec<u32>);

impl Policy for Fixed {
    fn levels(&self, _: &[&[f64]], _: &[Cents]) -> Result<Vec<u32>, InputError> {
        Ok(self.0.clone())
    }
}

fn demand(series: &[&[f64]]) -> Demand {
    let prices = vec![Cents(100); series.len()];
    Demand::new(series.iter().map(|part| part.to_vec()).collect(), prices).unwrap()
}

#[test]
fn one_part_by_hand() {
    // Level 3, a month of lead. Month 0: 2 of 3 go, nothing arrives. Month 1: 2 are ordered, 1 is
    // there, 2 are asked: 1 served, 1 owed. Month 2: the 2 arrive, 1 settles what is owed, 0 of 1
    // left are asked. Month 3: the 2 of month 2 arrive: 3 are there.
    let demand = demand(&[&[2.0, 2.0, 0.0, 1.0]]);
    let run = Run { start: 0, counted: 0..4, lead_months: 1 };
    let outcome = simulate(&demand, &Fixed(vec![3]), &run).unwrap();
    assert_eq!((outcome.pieces, outcome.pieces_served, outcome.lines, outcome.lines_served), (5, 4, 3, 2));
    assert_eq!((outcome.opening, outcome.received, outcome.issued, outcome.closing), (3, 4, 5, 2));
    // On hand at start and end: 3 1, 1 0, 1 1, 3 2.
    assert_eq!(outcome.value_cents, 100.0 * 6.0 / 4.0);
    assert_eq!(outcome.fill(Line::Piece), 0.8);
}

#[test]
fn without_lead_the_order_comes_before_the_month_asks() {
    let demand = demand(&[&[2.0, 2.0, f64::NAN, 2.0]]);
    let run = Run { start: 0, counted: 1..4, lead_months: 0 };
    let outcome = simulate(&demand, &Fixed(vec![2]), &run).unwrap();
    assert_eq!((outcome.pieces, outcome.pieces_served, outcome.received), (4, 4, 4));
}

#[test]
fn a_policy_sees_only_the_past() {
    struct Watch;
    impl Policy for Watch {
        fn levels(&self, past: &[&[f64]], _: &[Cents]) -> Result<Vec<u32>, InputError> {
            assert!(past[0].iter().enumerate().all(|(month, &pieces)| pieces == month as f64));
            Ok(vec![past[0].len() as u32])
        }
    }
    let demand = demand(&[&[0.0, 1.0, 2.0, 3.0]]);
    let run = Run { start: 1, counted: 2..4, lead_months: 1 };
    // Levels 1, 2, 3: on hand 1, then what was ordered a month before.
    assert_eq!(simulate(&demand, &Watch, &run).unwrap().pieces, 5);
}

#[test]
fn bad_input_is_named() {
    let new = |series: Vec<Vec<f64>>, prices: Vec<Cents>| Demand::new(series, prices).unwrap_err().to_string();
    assert_eq!(new(vec![], vec![]), "series: is empty; give at least one");
    assert_eq!(new(vec![vec![0.5]], vec![Cents(1)]), "series[0][0]: is 0.5; give whole pieces");
    assert_eq!(new(vec![vec![1.0]], vec![Cents(-1)]), "prices[0]: is -1; give 0 to 100000000000");
    assert!(new(vec![vec![1.0], vec![]], vec![Cents(1); 2]).starts_with("series[1].length"));
    assert!(new(vec![vec![1.0]], vec![]).starts_with("prices.length"));
    let demand = demand(&[&[1.0, 2.0]]);
    for run in [
        Run { start: 0, counted: 0..3, lead_months: 1 },
        Run { start: 1, counted: 0..2, lead_months: 1 },
        Run { start: 0, counted: 1..1, lead_months: 1 },
        Run { start: 0, counted: 0..2, lead_months: 999 },
    ] {
        assert!(simulate(&demand, &Fixed(vec![1]), &run).is_err(), "{run:?}");
    }
    let run = Run { start: 0, counted: 0..2, lead_months: 1 };
    assert!(simulate(&demand, &Fixed(vec![]), &run).is_err());
}

/// Parts of very different price and demand, Poisson by a published generator.
fn synthetic(parts: usize, months: usize) -> Demand {
    let mut units = prices::units(7);
    let prices = prices::log_normal(parts, 20.0, 1.0, 3).unwrap();
    let part = |index: usize, units: &mut dyn Iterator<Item = f64>| -> Vec<f64> {
        let mean = 0.1 * 1.5_f64.powi(index as i32 % 9);
        (0..months).map(|_| poisson(mean, units)).collect()
    };
    Demand::new((0..parts).map(|index| part(index, &mut units)).collect(), prices).unwrap()
}

/// Knuth's: factors of uniforms until below `exp(-mean)`.
fn poisson(mean: f64, units: &mut dyn Iterator<Item = f64>) -> f64 {
    let mut product = 1.0;
    units
        .take_while(|unit| {
            product *= unit;
            product > (-mean).exp()
        })
        .count() as f64
}

fn pooled_system(line: Line) -> BaseStock {
    BaseStock { forecaster: Forecaster::Pooled(PooledModel::default()), rule: Rule::System(1.0), line, lead_months: 1 }
}

#[test]
fn a_fitted_policy_keeps_its_fill_on_months_it_has_not_seen() {
    let demand = synthetic(600, 48);
    let run = Run { start: 12, counted: 24..48, lead_months: 1 };
    for line in [Line::Month, Line::Piece] {
        let tuned = fit(&demand, 24, pooled_system(line), 0.95).unwrap();
        let fill = simulate(&demand, &tuned.policy, &run).unwrap().fill(line);
        assert!((fill - 0.95).abs() < 0.015, "{fill}");
    }
}

#[test]
fn all_parts_together_need_less_than_each_by_itself() {
    let demand = synthetic(600, 48);
    let run = Run { start: 12, counted: 24..48, lead_months: 1 };
    let value = |policy| Ladders::new(&demand, policy, &run).unwrap().tune(0.95).unwrap().value_cents.unwrap();
    let system = value(fit(&demand, 24, pooled_system(Line::Month), 0.95).unwrap().policy);
    for rule in [Rule::Service(0.0), Rule::Fill(0.0)] {
        let each = BaseStock {
            forecaster: Forecaster::Series(Method::Sba { alpha: 0.1 }),
            rule,
            ..pooled_system(Line::Month)
        };
        assert!(system < 0.9 * value(each), "{rule:?}: {system} against {}", value(each));
    }
}

#[test]
fn a_tuned_policy_does_what_its_ladders_said() {
    let demand = synthetic(50, 24);
    let run = Run { start: 8, counted: 12..24, lead_months: 2 };
    for rule in [Rule::Service(0.0), Rule::Fill(0.0), Rule::System(1.0)] {
        let tuned = Ladders::new(&demand, BaseStock { rule, lead_months: 2, ..pooled_system(Line::Month) }, &run)
            .unwrap()
            .tune(0.9)
            .unwrap();
        assert_eq!(simulate(&demand, &tuned.policy, &run).unwrap(), tuned.outcome);
        assert!(tuned.outcome.fill(Line::Month) >= 0.9);
    }
}

#[test]
fn prices_are_the_published_ones() {
    // Median 20, and two thirds of them within a factor of e.
    let prices = prices::log_normal(10_000, 20.0, 1.0, 1).unwrap();
    let share = |least: f64, most: f64| {
        prices.iter().filter(|price| (least..most).contains(&(price.0 as f64))).count() as f64 / 10_000.0
    };
    assert!((share(0.0, 2_000.0) - 0.5).abs() < 0.02);
    assert!((share(2_000.0 / 1_f64.exp(), 2_000.0 * 1_f64.exp()) - 0.683).abs() < 0.02);
    assert!(prices::log_normal(1, -1.0, 1.0, 1).is_err());
}

proptest! {
    #[test]
    fn pieces_are_conserved(
        series in proptest::collection::vec(proptest::collection::vec(prop_oneof![4 => Just(0.0), 1 => Just(f64::NAN), 3 => (0_u8..20).prop_map(f64::from)], 10), 1..5),
        level in 0_u32..30,
        lead_months in 0_u32..4,
        start in 0_usize..5,
    ) {
        let parts = series.len();
        let asked: f64 = series.iter().flat_map(|part| &part[5..]).filter(|pieces| !pieces.is_nan()).sum();
        let demand = Demand::new(series, vec![Cents(250); parts]).unwrap();
        let run = Run { start, counted: 5..10, lead_months };
        let outcome = simulate(&demand, &Fixed(vec![level; parts]), &run).unwrap();
        prop_assert_eq!(outcome.opening + outcome.received, outcome.issued + outcome.closing);
        prop_assert_eq!(outcome.pieces as f64, asked);
        prop_assert!(outcome.pieces_served <= outcome.pieces && outcome.lines_served <= outcome.lines);
    }
}
