use proptest::prelude::*;

use super::*;
use crate::fault_tree::{CommonCause, Event, ExpandError, Sharing, expand};

const COLD: Logic = Logic::Spare { dormancy: 0.0 };

fn exponential(rate: f64) -> Option<Law> {
    Some(Law::Exponential { rate, time: 1.0 })
}

fn event(name: &str, law: Option<Law>) -> Event {
    Event { name: name.to_owned(), label: String::new(), kind: EventKind::Basic, law, spread: None }
}

fn gate(name: &str, logic: Logic, nodes: &[Node]) -> Gate {
    let inputs = nodes.iter().map(|node| Input { node: *node, negated: false }).collect();
    Gate { name: name.to_owned(), label: String::new(), logic, inputs }
}

/// A tree of one gate over events `e0`, `e1`, …
fn tree(logic: Logic, laws: &[Option<Law>]) -> FaultTree {
    let events: Vec<Event> = laws.iter().enumerate().map(|(index, law)| event(&format!("e{index}"), *law)).collect();
    let nodes: Vec<Node> = (0..events.len()).map(Node::Event).collect();
    FaultTree { events, gates: vec![gate("top", logic, &nodes)], ..FaultTree::default() }
}

/// The probability of the one event that the top gate has become.
fn solved(tree: &FaultTree) -> Result<Option<f64>, DynamicError> {
    match expand(tree) {
        Ok(expanded) => Ok(*expanded.probabilities.last().unwrap()),
        Err(ExpandError::Dynamic { source, .. }) => Err(source),
        Err(other) => panic!("{other}"),
    }
}

fn of_hazards(logic: Logic, hazards: &[f64]) -> f64 {
    let laws: Vec<Option<Law>> = hazards.iter().map(|rate| exponential(*rate)).collect();
    solved(&tree(logic, &laws)).unwrap().unwrap()
}

fn assert_close(got: f64, wanted: f64, relative: f64) {
    assert!((got - wanted).abs() <= relative * wanted.abs(), "{got:e} is not {wanted:e}");
}

/// The closed forms of Fussell and of the hypoexponential law, in 120-digit arithmetic.
#[test]
fn sequences_equal_their_closed_forms() {
    let cases: [(&[f64], f64, f64); 5] = [
        (&[0.3, 1.2], 0.077_309_916_206_541_76, 0.112_640_443_061_776_88),
        (&[1e-8, 3e-7, 2e-9], 9.999_998_460_000_142e-25, 9.999_999_220_000_047e-25),
        (&[1e-6, 1e6, 0.5], 3.934_683_402_877_231e-13, 2.130_608_520_791_006_5e-7),
        (&[2.0, 0.1, 30.0, 7.0, 0.01], 8.643_529_147_213_764e-7, 1.339_531_092_051_118_9e-4),
        (&[1e12, 1.0, 1e-3], 3.676_437_686_306_957e-4, 3.677_473_551_509_705e-4),
    ];
    for (hazards, in_order, in_turn) in cases {
        assert_close(of_hazards(Logic::PriorityAnd, hazards), in_order, 2e-14);
        assert_close(of_hazards(COLD, hazards), in_turn, 2e-14);
    }
}

/// Summed over every order of failing, in 120-digit arithmetic.
#[test]
fn warm_spares_equal_the_sum_over_orders_of_failing() {
    let cases: [(&[f64], f64, f64); 4] = [
        (&[0.7, 1.3, 0.4], 0.3, 0.059_667_671_815_697_905),
        (&[1e-4, 2e-5, 3e-6], 0.1, 1.319_952_771_392_905_4e-15),
        (&[50.0, 0.2, 1e3, 3.0], 0.05, 0.128_731_607_659_678_87),
        (&[0.7, 1.3, 0.4], 0.999, 0.120_651_773_233_243_2),
    ];
    for (hazards, dormancy, wanted) in cases {
        assert_close(of_hazards(Logic::Spare { dormancy }, hazards), wanted, 2e-14);
    }
}

/// Equal rates, where the closed forms divide by zero: any order is as likely (`n!` of them), and
/// the failures of a cold spare are a Poisson process.
#[test]
fn equal_rates_are_no_special_case() {
    for (count, hazard) in [(2, 0.4), (5, 1.7), (7, 1e-3), (20, 3.0)] {
        let hazards = vec![hazard; count];
        let orders: f64 = (1..=count).map(|n| n as f64).product();
        let all = failed(hazard).powi(count as i32);
        assert_close(of_hazards(Logic::PriorityAnd, &hazards), all / orders, 1e-13);
        let poisson = |n: usize| (1..=n).map(|k| hazard / k as f64).product::<f64>() * (-hazard).exp();
        let at_least: f64 = (count..count + 60).map(poisson).sum();
        assert_close(of_hazards(COLD, &hazards), at_least, 1e-13);
    }
}

/// Two equal units with dormancy α: `R = exp(-h) (1 + (1 - exp(-α h)) / α)`.
#[test]
fn one_warm_spare_has_the_published_reliability() {
    let (hazard, dormancy) = (0.8f64, 0.25f64);
    let reliability = (-hazard).exp() * (1.0 + failed(dormancy * hazard) / dormancy);
    let got = of_hazards(Logic::Spare { dormancy }, &[hazard, hazard]);
    assert_close(got, 1.0 - reliability, 1e-14);
}

#[test]
fn a_hot_spare_is_an_and_gate() {
    let hazards = [0.2, 0.9, 3.0];
    let all: f64 = hazards.iter().map(|hazard| failed(*hazard)).product();
    assert_close(of_hazards(Logic::Spare { dormancy: 1.0 }, &hazards), all, 1e-15);
    // The chain that warm spares go by says the same.
    assert_close(Chain::spares(&hazards, 1.0).absorbed(), all, 1e-14);
}

/// xorshift64*, as a number in (0, 1).
fn uniform(state: &mut u64) -> f64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    ((state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

/// Spares played through: each waiting unit draws when it fails asleep, the next intact one takes over.
fn all_spares_failed(hazards: &[f64], dormancy: f64, state: &mut u64) -> bool {
    let mut now = 0.0;
    for hazard in hazards {
        let asleep = if dormancy > 0.0 { -uniform(state).ln() / (dormancy * hazard) } else { f64::INFINITY };
        if asleep > now {
            now += -uniform(state).ln() / hazard;
        }
    }
    now < 1.0
}

#[test]
fn simulated_spares_fail_as_often() {
    let mut state = 20_260_101;
    for dormancy in [0.0, 0.4] {
        let hazards = [1.1, 2.3, 0.7];
        let trials = 200_000;
        let failures = (0..trials).filter(|_| all_spares_failed(&hazards, dormancy, &mut state)).count();
        let seen = failures as f64 / f64::from(trials);
        let wanted = of_hazards(Logic::Spare { dormancy }, &hazards);
        let deviation = (wanted * (1.0 - wanted) / f64::from(trials)).sqrt();
        assert!((seen - wanted).abs() < 4.0 * deviation, "seed 20260101: {seen} is not {wanted}");
    }
}

/// `∫ f1(s) P(s < T2 < t) ds` by Simpson's rule.
#[test]
fn two_weibull_lives_in_order_equal_the_integral() {
    let (shape, age, time) = (2.2f64, 300.0f64, 500.0f64);
    let scales = [800.0f64, 600.0];
    let hazard = |scale: f64, t: f64| ((age + t) / scale).powf(shape) - (age / scale).powf(shape);
    let density = |t: f64| {
        let rate = shape / scales[0] * ((age + t) / scales[0]).powf(shape - 1.0);
        let later = (-hazard(scales[1], t)).exp() - (-hazard(scales[1], time)).exp();
        rate * (-hazard(scales[0], t)).exp() * later
    };
    let steps = 4_000;
    let weight = |i: i32| if i == 0 || i == steps { 1.0 } else { 2.0 + 2.0 * f64::from(i % 2) };
    let width = time / f64::from(steps);
    let integral: f64 = (0..=steps).map(|i| weight(i) * density(f64::from(i) * width)).sum::<f64>() * width / 3.0;
    let law = |scale| Some(Law::Weibull { scale, shape, age, time });
    let got = solved(&tree(Logic::PriorityAnd, &[law(scales[0]), law(scales[1])])).unwrap().unwrap();
    assert_close(got, integral, 1e-11);
}

#[test]
fn a_unit_of_several_parts_fails_with_the_first_of_them() {
    let mut parts = tree(Logic::PriorityAnd, &[exponential(0.2), exponential(0.3), exponential(0.7)]);
    parts.gates[0] = gate("top", Logic::PriorityAnd, &[Node::Gate(1), Node::Event(2)]);
    parts.gates.push(gate("unit", Logic::Or, &[Node::Event(0), Node::Event(1)]));
    assert_close(solved(&parts).unwrap().unwrap(), of_hazards(Logic::PriorityAnd, &[0.5, 0.7]), 1e-14);
}

#[test]
fn without_a_law_there_is_no_probability() {
    assert_eq!(solved(&tree(Logic::PriorityAnd, &[exponential(0.2), None])), Ok(None));
}

#[test]
fn what_has_no_exact_answer_is_refused() {
    let name = |index: usize| format!("e{index}");
    let pand = |laws: &[Option<Law>]| tree(Logic::PriorityAnd, laws);
    let two = || pand(&[exponential(0.1), exponential(0.2)]);
    let with = |change: &dyn Fn(&mut FaultTree)| {
        let mut changed = two();
        change(&mut changed);
        changed
    };
    let weibull = |age| Some(Law::Weibull { scale: 1.0, shape: 2.0, age, time: 1.0 });
    let warm = |dormancy| tree(Logic::Spare { dormancy }, &[exponential(0.1); 7]);
    let group =
        CommonCause { name: "g".to_owned(), members: vec![0, 1], law: Law::Constant(0.1), sharing: Sharing::Beta(0.1) };
    let cases = [
        (pand(&[]), DynamicError::Inputs { given: 0, most: MAX_SEQUENCE }),
        (warm(0.5), DynamicError::Inputs { given: 7, most: MAX_WARM_SPARES }),
        (tree(COLD, &[exponential(0.1); 65]), DynamicError::Inputs { given: 65, most: MAX_SEQUENCE }),
        (warm(1.5), DynamicError::Dormancy(1.5)),
        (pand(&[exponential(0.1), Some(Law::Constant(0.2))]), DynamicError::Timeless(name(1))),
        (with(&|tree| tree.events[1].kind = EventKind::House(true)), DynamicError::Timeless(name(1))),
        (pand(&[weibull(1.0), weibull(2.0)]), DynamicError::Clock(name(1))),
        (tree(COLD, &[weibull(0.0), weibull(0.0)]), DynamicError::Ageing(name(0))),
        (with(&|tree| tree.gates[0].inputs[1].negated = true), DynamicError::Negated(name(1))),
        (with(&|tree| tree.gates[0].inputs[1].node = Node::Event(0)), DynamicError::Shared(name(0))),
        (with(&|tree| tree.gates.push(gate("other", Logic::Or, &[Node::Event(1)]))), DynamicError::Shared(name(1))),
        (with(&|tree| tree.common_causes.push(group.clone())), DynamicError::Grouped(name(0))),
        (with(&|tree| tree.gates[0].inputs[1].node = Node::Gate(0)), DynamicError::Shared("top".to_owned())),
        (
            with(&|tree| {
                tree.gates[0].inputs[1].node = Node::Gate(1);
                tree.gates.push(gate("unit", Logic::And, &[Node::Event(1)]));
            }),
            DynamicError::Logic("unit".to_owned()),
        ),
        (pand(&[exponential(1e16), exponential(1.0)]), DynamicError::Hazard(1e16 + 1.0)),
    ];
    for (tree, wanted) in cases {
        assert_eq!(solved(&tree), Err(wanted));
    }
}

fn orders(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let shorter = orders(count - 1);
    let insert = |order: &Vec<usize>, place: usize| {
        let mut longer = order.clone();
        longer.insert(place, count - 1);
        longer
    };
    shorter.iter().flat_map(|order| (0..count).map(move |place| insert(order, place))).collect()
}

proptest! {
    #[test]
    fn all_orders_together_are_an_and_gate(exponents in prop::collection::vec(-6.0..4.0f64, 1..5)) {
        let hazards: Vec<f64> = exponents.iter().map(|exponent| 10f64.powf(*exponent)).collect();
        let all: f64 = hazards.iter().map(|hazard| failed(*hazard)).product();
        let summed: f64 = orders(hazards.len())
            .iter()
            .map(|order| of_hazards(Logic::PriorityAnd, &order.iter().map(|unit| hazards[*unit]).collect::<Vec<_>>()))
            .sum();
        prop_assert!((summed - all).abs() <= 1e-13 * all, "{summed} is not {all}");
    }

    #[test]
    fn the_longer_spares_sleep_the_better(
        hazards in prop::collection::vec(0.01..5.0f64, 2..5),
        (colder, warmer) in (0.0..1.0f64, 0.0..1.0f64),
    ) {
        let (colder, warmer) = (colder.min(warmer), colder.max(warmer));
        let at = |dormancy| of_hazards(Logic::Spare { dormancy }, &hazards);
        prop_assert!(at(0.0) <= at(colder) * (1.0 + 1e-13));
        prop_assert!(at(colder) <= at(warmer) * (1.0 + 1e-13));
        prop_assert!(at(warmer) <= at(1.0) * (1.0 + 1e-13));
    }
}
