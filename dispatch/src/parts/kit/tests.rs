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

/// Whether each piece asked for finds a piece of its own: by trying them all.
fn can_serve(needed: &[PartId], carried: &[u32], stand_ins: &[(usize, usize)]) -> bool {
    let Some((first, rest)) = needed.split_first() else { return true };
    (0..carried.len()).any(|i| {
        let will_do =
            part_name(i) == *first || stand_ins.iter().any(|&(part, by)| part_name(part) == *first && by == i);
        let mut left = carried.to_vec();
        left[i] = left[i].saturating_sub(1);
        will_do && carried[i] > 0 && can_serve(rest, &left, stand_ins)
    })
}

fn stand_in(part: &str, by: &str) -> Substitute {
    Substitute { part: part.into(), by: by.into(), kind: Substitution::StandIn }
}

fn successor(part: &str, by: &str) -> Substitute {
    Substitute { kind: Substitution::Successor, ..stand_in(part, by) }
}

fn at_hand(list: &[(&str, u32)]) -> BTreeMap<PartId, u32> {
    list.iter().map(|&(part, n)| (part.into(), n)).collect()
}

#[test]
fn the_old_part_is_used_up_before_its_successor() {
    let parts_of_fault = parts_of(&[("leak", &[("pump_1", 2)])]);
    let prices = prices(&[("pump_1", 9_000), ("pump_2", 100), ("pump_3", 100)]);
    let substitutes = vec![successor("pump_1", "pump_2"), successor("pump_2", "pump_3")];
    for (van, stores, expected, why) in [
        (vec![], vec![("pump_1", 5), ("pump_2", 5)], vec![("pump_1", 2)], "2 × pump_1"),
        (
            vec![],
            vec![("pump_1", 1), ("pump_2", 5)],
            vec![("pump_1", 1), ("pump_2", 1)],
            "1 × pump_1, 1 × pump_2 instead of 2 × pump_1",
        ),
        (vec![], vec![("pump_3", 5)], vec![("pump_3", 2)], "2 × pump_3 instead of 2 × pump_1"),
        (
            vec![("pump_2", 1)],
            vec![("pump_1", 5)],
            vec![("pump_1", 1), ("pump_2", 1)],
            "1 × pump_1, 1 × pump_2 in the van instead of 2 × pump_1",
        ),
        (
            vec![("pump_1", 1), ("pump_2", 2)],
            vec![],
            vec![("pump_1", 1), ("pump_2", 1)],
            "1 × pump_1 in the van, 1 × pump_2 in the van instead of 2 × pump_1",
        ),
        (vec![("pump_1", 1)], vec![("pump_1", 1)], vec![("pump_1", 2)], "2 × pump_1 (1 in the van)"),
    ] {
        let supply = KitSupply { van: at_hand(&van), stores: Some(at_hand(&stores)), substitutes: substitutes.clone() };
        let kit =
            choose_kit_from(&[FaultBelief::new("leak", 0.9)], &parts_of_fault, &prices, &POLICY, &supply).unwrap();
        assert_eq!((kit.parts, kit.why), (needs(&expected), format!("leak (90 %) covered by {why}")));
    }
}

#[test]
fn what_is_nowhere_is_given_up_and_what_is_in_the_van_is_free() {
    let parts_of_fault = parts_of(&[("worn", &[("motor", 1)]), ("burnt", &[("board", 1), ("fuse", 1)])]);
    let prices = prices(&[("motor", 80_000), ("board", 500), ("fuse", 10)]);
    let beliefs = [FaultBelief::new("worn", 0.5), FaultBelief::new("burnt", 0.4)];
    let supply =
        KitSupply { van: at_hand(&[("motor", 3)]), stores: Some(at_hand(&[("fuse", 9)])), substitutes: vec![] };
    let kit = choose_kit_from(&beliefs, &parts_of_fault, &prices, &POLICY, &supply).unwrap();
    assert_eq!((&kit.parts, &kit.from_van), (&needs(&[("motor", 1)]), &needs(&[("motor", 1)])));
    assert_eq!((kit.carrying_cost_cents, kit.expected_cost_cents), (0.0, 4_000.0));
    assert_eq!(
        kit.why,
        "worn (50 %) covered by 1 × motor in the van; burnt (40 %) not covered: 1 × board, 1 × fuse is not to be had"
    );
}

#[test]
fn bad_substitutes_are_named() {
    let (parts, prices) = (parts_of(&[("a", &[("x", 1)])]), prices(&[("x", 1), ("y", 1), ("z", 1)]));
    for (substitutes, expected) in [
        (vec![stand_in("x", "x")], "supply.substitutes[0].by: is a cycle: x -> x; it must end somewhere"),
        (
            vec![successor("z", "x"), successor("x", "y"), successor("y", "x")],
            "supply.substitutes[1].by: is a cycle: x -> y -> x; it must end somewhere",
        ),
        (
            vec![successor("x", "y"), successor("x", "z")],
            r#"supply.substitutes[1].part: "x" is given twice; give each once"#,
        ),
        (vec![stand_in("x", "w")], r#"prices: "w" is no known price"#),
        (vec![stand_in("", "y")], "supply.substitutes[0].part: is empty; give at least one"),
    ] {
        let supply = KitSupply { substitutes, ..KitSupply::default() };
        let refused = choose_kit_from(&[FaultBelief::new("a", 0.5)], &parts, &prices, &POLICY, &supply).unwrap_err();
        assert_eq!(refused.to_string(), expected);
    }
}

#[test]
fn a_thousand_pieces_with_many_substitutes_do_not_hang() {
    let parts_of_fault: Parts =
        (0..16).map(|f| (format!("f{f}").as_str().into(), needs(&[("a", 1_000), ("b", 999), ("c", 7)]))).collect();
    let beliefs: Vec<_> = (0..16).map(|f| FaultBelief::new(format!("f{f}"), 0.05)).collect();
    let names: Vec<String> = (0..60).map(|i| format!("s{i}")).collect();
    let prices: Prices =
        names.iter().map(String::as_str).chain(["a", "b", "c"]).map(|p| (p.into(), Cents(100))).collect();
    let substitutes = names.iter().flat_map(|by| ["a", "b", "c"].map(|part| stand_in(part, by))).collect();
    let supply = KitSupply { substitutes, ..KitSupply::default() };
    let policy = KitPolicy { revisit: Cents(MAX_CENTS), ..POLICY };
    let kit = choose_kit_from(&beliefs, &parts_of_fault, &prices, &policy, &supply).unwrap();
    assert_eq!(kit.covered.len(), 16);
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
    fn no_other_use_of_what_is_at_hand_is_cheaper(
        (beliefs, parts, prices) in any_problem(),
        van in prop::collection::vec(0_u32..2, 5),
        stores in prop::collection::vec(0_u32..3, 5),
        stand_ins in prop::collection::btree_set((0_usize..5, 0_usize..5), 0..4),
    ) {
        let beliefs = &beliefs[..beliefs.len().min(4)];
        let at = |list: &[u32]| list.iter().enumerate().map(|(i, &n)| (part_name(i), n)).collect();
        let stand_ins: Vec<_> = stand_ins.into_iter().filter(|(part, by)| part != by).collect();
        let substitute = |&(part, by): &(usize, usize)| stand_in(part_name(part).as_str(), part_name(by).as_str());
        let supply =
            KitSupply { van: at(&van), stores: Some(at(&stores)), substitutes: stand_ins.iter().map(substitute).collect() };
        let kit = choose_kit_from(beliefs, &parts, &prices, &POLICY, &supply).unwrap();

        let cents = |i: usize| POLICY.carrying_cents(prices[&part_name(i)]);
        let mut cheapest = f64::INFINITY;
        // All ways to carry from none to all that is at hand of each part.
        for code in 0..4_u32.pow(5) {
            let carried: Vec<u32> = (0..5).map(|i| code / 4_u32.pow(i as u32) % 4).collect();
            if (0..5).any(|i| carried[i] > van[i] + stores[i]) {
                continue;
            }
            let carrying: f64 = (0..5).map(|i| f64::from(carried[i].saturating_sub(van[i])) * cents(i)).sum();
            let lacks = |belief: &&FaultBelief| {
                let needed = parts[&belief.fault].iter().flat_map(|n| vec![n.part.clone(); n.quantity as usize]);
                !can_serve(&needed.collect::<Vec<_>>(), &carried, &stand_ins)
            };
            let risk: f64 = beliefs.iter().filter(lacks).map(|b| b.probability * POLICY.revisit.0 as f64).sum();
            cheapest = cheapest.min(carrying + risk);
        }
        prop_assert!((kit.expected_cost_cents - cheapest).abs() < 1e-6, "{} instead of {cheapest}: {}", kit.expected_cost_cents, kit.why);
    }

    #[test]
    fn the_order_of_beliefs_does_not_matter((mut beliefs, parts, prices) in any_problem()) {
        let kit = choose_kit(&beliefs, &parts, &prices, &POLICY).unwrap();
        beliefs.reverse();
        prop_assert_eq!(kit, choose_kit(&beliefs, &parts, &prices, &POLICY).unwrap());
    }
}
