use std::time::Instant;

use proptest::prelude::*;

use super::*;

type Parts = BTreeMap<FaultId, Vec<PartNeed>>;
type Prices = BTreeMap<PartId, Cents>;

fn needs(parts: &[(&str, u32)]) -> Vec<PartNeed> {
    parts.iter().map(|&(part, quantity)| PartNeed::new(part, quantity)).collect()
}

fn parts_of(faults: &[(&str, &[(&str, u32)])]) -> Parts {
    faults.iter().map(|&(fault, parts)| (fault.into(), needs(parts))).collect()
}

fn prices(list: &[(&str, i64)]) -> Prices {
    list.iter().map(|&(part, cents)| (part.into(), Cents(cents))).collect()
}

/// Carrying a piece costs a tenth of its price; coming back costs 100.00.
const POLICY: KitPolicy = KitPolicy { revisit: Cents(10_000), carrying_rate: 0.1, handling: Cents(0) };

#[test]
fn a_part_is_carried_where_it_is_worth_it() {
    let parts_of_fault = parts_of(&[
        ("leak", &[("valve_core", 1), ("refrigerant", 2)]),
        ("compressor_worn", &[("compressor", 1), ("refrigerant", 1)]),
        ("hung", &[]),
    ]);
    let prices = prices(&[("valve_core", 500), ("refrigerant", 2_000), ("compressor", 20_000)]);
    // Leak: 50 + 2 · 200 cents to carry. Compressor: 2,000 more, beside 200 for refrigerant.
    for (leak, compressor, hung, expected, covered, cost_cents) in [
        (0.7, 0.1, 0.2, needs(&[("refrigerant", 2), ("valve_core", 1)]), 0.9, 450.0 + 1_000.0),
        (0.6, 0.3, 0.1, needs(&[("compressor", 1), ("refrigerant", 2), ("valve_core", 1)]), 1.0, 2_450.0),
        (0.02, 0.3, 0.68, needs(&[("compressor", 1), ("refrigerant", 1)]), 0.98, 2_200.0 + 200.0),
        (0.02, 0.01, 0.97, vec![], 0.97, 300.0),
        (0.0, 0.0, 0.0, vec![], 0.0, 0.0),
    ] {
        let beliefs = [
            FaultBelief::new("hung", hung),
            FaultBelief::new("compressor_worn", compressor),
            FaultBelief::new("leak", leak),
        ];
        let kit = choose_kit(&beliefs, &parts_of_fault, &prices, &POLICY).unwrap();
        assert_eq!(kit.parts, expected);
        assert!((kit.covered_probability - covered).abs() < 1e-9, "{}", kit.why);
        assert!((kit.expected_cost_cents - cost_cents).abs() < 1e-6, "{}", kit.why);
    }
}

#[test]
fn the_choice_is_explained() {
    let parts_of_fault = parts_of(&[("igniter_dead", &[("igniter", 1)]), ("fan_worn", &[("fan", 1)]), ("hung", &[])]);
    let prices = prices(&[("igniter", 2_500), ("fan", 40_000)]);
    let beliefs =
        [FaultBelief::new("fan_worn", 0.2), FaultBelief::new("igniter_dead", 0.7), FaultBelief::new("hung", 0.1)];
    let kit = choose_kit(&beliefs, &parts_of_fault, &prices, &POLICY).unwrap();
    assert_eq!(kit.covered, ["igniter_dead".into(), "hung".into()]);
    assert_eq!(
        kit.why,
        "igniter_dead (70 %) covered by 1 × igniter; fan_worn (20 %) not covered: carrying 1 × fan costs 40.00 more, \
         coming back is expected to cost 20.00; hung (10 %) needs no part"
    );
    let nothing = choose_kit(&[], &parts_of_fault, &prices, &POLICY).unwrap();
    assert_eq!((nothing.why.as_str(), nothing.covered_probability), ("no fault is believed in: nothing to carry", 0.0));
}

#[test]
fn what_the_beliefs_lack_to_one_is_not_covered() {
    let parts_of_fault = parts_of(&[("a", &[("x", 1)]), ("b", &[("x", 1)])]);
    let prices = prices(&[("x", 1)]);
    for (a, b, covered) in [(0.5, 0.25, 0.75), (0.5, 0.5, 1.0), (0.9, 0.6, 1.0)] {
        let beliefs = [FaultBelief::new("a", a), FaultBelief::new("b", b)];
        let kit = choose_kit(&beliefs, &parts_of_fault, &prices, &POLICY).unwrap();
        assert!((kit.covered_probability - covered).abs() < 1e-9);
    }
}

#[test]
fn bad_input_is_named() {
    let good = parts_of(&[("a", &[("x", 1)])]);
    let none = parts_of(&[("a", &[("x", 0)])]);
    let priced = prices(&[("x", 100)]);
    let dear = prices(&[("x", 1_000_000_000_000)]);
    let (a, unknown) = (FaultBelief::new("a", 0.5), FaultBelief::new("b", 0.5));
    let bad_policy = KitPolicy { revisit: Cents(-1), ..POLICY };
    for (beliefs, parts, prices, policy, expected) in [
        (
            vec![FaultBelief::new("a", f64::NAN)],
            &good,
            &priced,
            POLICY,
            "beliefs[0].probability: is NaN; give a finite number",
        ),
        (vec![FaultBelief::new("a", 1.5)], &good, &priced, POLICY, "beliefs[0].probability: is 1.5; give 0 to 1"),
        (vec![a.clone(), a.clone()], &good, &priced, POLICY, r#"beliefs[1].fault: "a" is given twice; give each once"#),
        (vec![unknown], &good, &priced, POLICY, r#"beliefs[0].fault: "b" is no known key of parts_of_fault"#),
        (vec![a.clone()], &none, &priced, POLICY, r#"parts_of_fault["a"][0].quantity: is 0; give 1 to 1000"#),
        (vec![a.clone()], &good, &Prices::new(), POLICY, r#"prices: "x" is no known price"#),
        (vec![a.clone()], &good, &dear, POLICY, r#"prices["x"]: is 1000000000000; give 0 to 100000000000"#),
        (vec![a.clone()], &good, &priced, bad_policy, "policy.revisit: is -1; give 0 to 100000000000"),
    ] {
        assert_eq!(choose_kit(&beliefs, parts, prices, &policy).unwrap_err().to_string(), expected);
    }
}

#[test]
fn many_entangled_faults_do_not_hang() {
    let names: Vec<String> = (0..40).map(|i| format!("f{i:02}")).collect();
    let beliefs: Vec<_> = names.iter().map(|f| FaultBelief::new(f.as_str(), 0.025)).collect();
    let part = |i: usize| format!("p{:02}", i % 40);
    let parts: Parts = (0..40)
        .map(|i| {
            let list = [i, i * 7 + 1, i * 11 + 3].map(part).into_iter().collect::<std::collections::BTreeSet<_>>();
            (names[i].as_str().into(), list.into_iter().map(|p| PartNeed::new(p, 1)).collect())
        })
        .collect();
    let prices: Prices = (0..40).map(|i| (part(i).into(), Cents(1_000 + 37 * i as i64))).collect();
    // From carrying nothing to carrying all: the hard problems lie between.
    let mut covered = Vec::new();
    for revisit in (0..=80_000).step_by(4_000).map(Cents) {
        let started = Instant::now();
        let kit = choose_kit(&beliefs, &parts, &prices, &KitPolicy { revisit, ..POLICY }).unwrap();
        println!("40 faults: {:?}, {} covered", started.elapsed(), kit.covered.len());
        assert!(started.elapsed().as_secs() < 5, "{revisit:?}");
        covered.push(kit.covered.len());
    }
    assert!(covered.is_sorted() && covered[0] == 0, "a dearer second visit never means fewer parts: {covered:?}");
}

fn part_name(part: usize) -> PartId {
    format!("p{part}").into()
}

/// Beliefs, parts of each fault over five parts of up to two pieces, prices.
fn any_problem() -> impl Strategy<Value = (Vec<FaultBelief>, Parts, Prices)> {
    let fault = (0.0..=1.0, prop::collection::btree_map(0_usize..5, 1_u32..=2, 0..4));
    let faults = prop::collection::vec(fault, 0..=8);
    (faults, prop::collection::vec(0_i64..60_000, 5)).prop_map(|(faults, cents)| {
        let name = |i: usize| FaultId::from(format!("f{i}"));
        let beliefs = faults.iter().enumerate().map(|(i, (p, _))| FaultBelief::new(name(i), *p)).collect();
        let list = |needs: &BTreeMap<usize, u32>| needs.iter().map(|(&p, &n)| PartNeed::new(part_name(p), n)).collect();
        let parts = faults.iter().enumerate().map(|(i, (_, needs))| (name(i), list(needs))).collect();
        (beliefs, parts, cents.into_iter().enumerate().map(|(i, c)| (part_name(i), Cents(c))).collect())
    })
}

/// The objective by its definition.
fn cost_cents(quantities: &BTreeMap<PartId, u32>, beliefs: &[FaultBelief], parts: &Parts, prices: &Prices) -> f64 {
    let carried = |part: &PartId| quantities.get(part).copied().unwrap_or(0);
    let carrying: f64 = quantities.iter().map(|(part, &n)| f64::from(n) * POLICY.carrying_cents(prices[part])).sum();
    let lacks = |belief: &&FaultBelief| parts[&belief.fault].iter().any(|need| carried(&need.part) < need.quantity);
    carrying + beliefs.iter().filter(lacks).map(|b| b.probability * POLICY.revisit.0 as f64).sum::<f64>()
}

proptest! {
    #[test]
    fn no_set_of_parts_is_cheaper((beliefs, parts, prices) in any_problem()) {
        let kit = choose_kit(&beliefs, &parts, &prices, &POLICY).unwrap();
        let chosen = kit.parts.iter().map(|n| (n.part.clone(), n.quantity)).collect();
        prop_assert!((kit.expected_cost_cents - cost_cents(&chosen, &beliefs, &parts, &prices)).abs() < 1e-6);
        // All 3^5 ways to carry 0, 1 or 2 of each part.
        for code in 0..243_u32 {
            let quantities = (0..5).map(|i| (part_name(i), code / 3_u32.pow(i as u32) % 3)).collect();
            let cost = cost_cents(&quantities, &beliefs, &parts, &prices);
            prop_assert!(kit.expected_cost_cents <= cost + 1e-6, "{quantities:?} costs {cost}, not {}", kit.expected_cost_cents);
        }
    }

    #[test]
    fn the_order_of_beliefs_does_not_matter((mut beliefs, parts, prices) in any_problem()) {
        let kit = choose_kit(&beliefs, &parts, &prices, &POLICY).unwrap();
        beliefs.reverse();
        prop_assert_eq!(kit, choose_kit(&beliefs, &parts, &prices, &POLICY).unwrap());
    }
}
