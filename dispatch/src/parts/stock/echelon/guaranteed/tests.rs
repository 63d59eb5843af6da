use proptest::prelude::*;

use super::*;

fn stage(id: usize, processing_time: u32, holding: f64) -> ServiceStage {
    ServiceStage {
        id: format!("{id}").into(),
        processing_time,
        holding,
        demand_mean: 0.0,
        demand_sd: 0.0,
        safety_factor: 1.0,
        inbound_time: 0,
        longest_service: None,
    }
}

fn links(pairs: &[(usize, usize)]) -> Vec<(LocationId, LocationId)> {
    pairs.iter().map(|(from, to)| (format!("{from}").into(), format!("{to}").into())).collect()
}

#[test]
fn promises_are_those_published() {
    // Snyder & Shen (2019), example 6.5: one supplier of stage 3, which supplies 2 and 4.
    let stages = [
        ServiceStage { inbound_time: 1, ..stage(1, 2, 1.0) },
        stage(3, 1, 2.0),
        ServiceStage { demand_sd: 1.0, longest_service: Some(0), ..stage(2, 1, 3.0) },
        ServiceStage { demand_sd: 1.0, longest_service: Some(1), ..stage(4, 1, 3.0) },
    ];
    let plan = place_safety_stock(&stages, &links(&[(1, 3), (3, 2), (3, 4)])).unwrap();
    assert!((plan.cost - 8.277_917).abs() < 1e-6, "{}", plan.cost);
    let times: Vec<u32> = plan.stages.iter().map(|s| s.service_time).collect();
    assert_eq!(times, [0, 0, 0, 1]);
    assert_eq!(
        plan.why,
        "1: 2.45 in safety stock, delivers within 0; 3: 1.41 in safety stock, delivers within 0; 2: 1.00 in safety \
         stock, delivers within 0; 4: made to order within 1; safety stock costs 8.28"
    );
}

#[test]
fn bad_networks_are_named() {
    let stages = || vec![stage(1, 1, 1.0), stage(2, 1, 1.0), stage(3, 1, 1.0)];
    for (stages, pairs, expected) in [
        (vec![], vec![], "stages (length): is 0; give 1 to 1000"),
        (stages(), vec![(1, 2)], "links (length): is 1; give 2 to 2"),
        (stages(), vec![(1, 2), (2, 7)], r#"links[1].to: "7" is no known stage"#),
        (stages(), vec![(1, 2), (2, 1)], r#"links: "3" is no known stage joined to the first one"#),
        (stages(), vec![(1, 2), (3, 3)], r#"links: "3" is no known stage joined to the first one"#),
        (
            vec![stage(1, 900, 1.0), stage(2, u32::MAX, 1.0)],
            vec![(1, 2)],
            "stages[1].processing_time (with all before it): is 4294968195; give 0 to 1000",
        ),
        (vec![stage(1, 1, f64::NAN)], vec![], "stages[0].holding: is NaN; give a finite number"),
        (vec![stage(1, 1, 1.0), stage(1, 1, 1.0)], vec![(1, 1)], r#"stages[1].id: "1" is given twice; give each once"#),
    ] {
        assert_eq!(place_safety_stock(&stages, &links(&pairs)).unwrap_err().to_string(), expected);
    }
}

/// The cost of service times by definition; `None` if they cannot be.
fn cost(stages: &[ServiceStage], pairs: &[(usize, usize)], service: &[u32]) -> Option<f64> {
    let mut variance: Vec<f64> = stages.iter().map(|s| s.demand_sd.powi(2)).collect();
    // Stages are numbered downstream.
    for &(from, to) in pairs.iter().rev() {
        variance[from] += variance[to];
    }
    let mut sum = 0.0;
    for (i, stage) in stages.iter().enumerate() {
        let inputs = pairs.iter().filter(|(_, to)| *to == i).map(|&(from, _)| service[from]);
        let inbound = inputs.max().unwrap_or(0).max(stage.inbound_time);
        let bridged = (inbound + stage.processing_time).checked_sub(service[i])?;
        if stage.longest_service.is_some_and(|longest| service[i] > longest) {
            return None;
        }
        sum += stage.holding * stage.safety_factor * (variance[i] * f64::from(bridged)).sqrt();
    }
    Some(sum)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_other_promises_are_cheaper(
        // Each stage after the first hangs on an earlier one; links run downstream in the
        // order of numbers, and `false` turns the earlier end into a second root.
        hangs_on in prop::collection::vec(0_usize..4, 4),
        times in prop::collection::vec(0_u32..3, 5),
        holding in prop::collection::vec(0.1..3.0, 5),
        sds in prop::collection::vec(0.0..2.0, 5),
        inbound in prop::collection::vec(0_u32..2, 5),
        longest in prop::collection::vec(prop::option::of(0_u32..3), 5),
        turned in any::<bool>(),
    ) {
        let tree: Vec<(usize, usize)> = hangs_on.iter().enumerate().map(|(i, &on)| (on.min(i), i + 1)).collect();
        // Turned round, the tree joins instead of branching.
        let mut pairs: Vec<(usize, usize)> =
            if turned { tree.iter().map(|&(a, b)| (4 - b, 4 - a)).collect() } else { tree };
        pairs.sort_by_key(|&(from, to)| (from, to));
        let stages: Vec<ServiceStage> = (0..5)
            .map(|i| ServiceStage {
                demand_sd: sds[i],
                inbound_time: inbound[i],
                longest_service: longest[i],
                ..stage(i, times[i], holding[i])
            })
            .collect();
        let plan = place_safety_stock(&stages, &links(&pairs)).unwrap();
        let promised: Vec<u32> = plan.stages.iter().map(|s| s.service_time).collect();
        let own = cost(&stages, &pairs, &promised);
        prop_assert!(own.is_some_and(|own| (own - plan.cost).abs() < 1e-9), "{own:?} {plan:?}");
        for code in 0..8_u32.pow(5) {
            let other: Vec<u32> = (0..5).map(|i| code / 8_u32.pow(i) % 8).collect();
            if let Some(cost) = cost(&stages, &pairs, &other) {
                prop_assert!(plan.cost <= cost + 1e-9, "{other:?} cost {cost}, {promised:?} {}", plan.cost);
            }
        }
    }
}
