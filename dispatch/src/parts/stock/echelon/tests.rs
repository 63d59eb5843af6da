use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn point(id: &str, parent: Option<&str>, lead_time: f64, holding: f64, demand: Option<(Demand, f64)>) -> StockPoint {
    let (demand, backorder) = demand.map_or((None, 0.0), |(demand, cost)| (Some(demand), cost));
    StockPoint { id: id.into(), parent: parent.map(Into::into), lead_time, holding, demand, backorder }
}

fn poisson(mean: f64) -> Demand {
    Demand::Poisson { mean }
}

/// A chain from above; the customers are at the last place.
fn chain(stages: &[(f64, f64)], demand: Demand, backorder: f64) -> StockTree {
    let name = |i: usize| format!("{i}");
    let last = stages.len() - 1;
    let stage = |(i, &(lead_time, holding)): (usize, &(f64, f64))| {
        let parent = i.checked_sub(1).map(name);
        let customers = (i == last).then_some((demand, backorder));
        point(&name(i), parent.as_deref(), lead_time, holding, customers)
    };
    StockTree::new(stages.iter().enumerate().map(stage).collect()).unwrap()
}

/// A central store, two regions with two and one stations; the first region has customers
/// of its own.
fn three_levels(demand: impl Fn(f64) -> Demand) -> StockTree {
    StockTree::new(vec![
        point("b1", Some("b"), 1.5, 2.0, Some((demand(0.9), 30.0))),
        point("centre", None, 4.0, 1.0, None),
        point("a", Some("centre"), 2.0, 1.5, Some((demand(0.2), 15.0))),
        point("b", Some("centre"), 1.0, 1.5, None),
        point("a1", Some("a"), 0.5, 2.0, Some((demand(0.4), 20.0))),
        point("a2", Some("a"), 1.0, 2.5, Some((demand(0.7), 25.0))),
    ])
    .unwrap()
}

fn levels(plan: &StockPlan) -> BTreeMap<LocationId, f64> {
    plan.points.iter().map(|p| (p.id.clone(), p.level)).collect()
}

fn is_close(a: f64, b: f64, relative: f64) -> bool {
    (a - b).abs() <= relative * b.abs().max(1e-9)
}

#[test]
fn costs_of_chains_are_those_published() {
    // Snyder & Shen, Fundamentals of Supply Chain Theory (2nd ed. 2019), example 6.1, and
    // Shang & Song (2003), table 1, rows 1, 9, 17, 25 as optimised by stockpyl 1.0.2.
    let normal = |mean, sd| Demand::Normal { mean, sd };
    let quarter = |above: [f64; 4]| above.map(|holding| (0.25, holding));
    for (tree, cost, echelon) in [
        (chain(&[(2.0, 2.0), (1.0, 4.0), (1.0, 7.0)], normal(5.0, 1.0), 37.12), 47.65, vec![22.70, 12.01, 6.51]),
        (chain(&quarter([0.25, 0.5, 0.75, 1.0]), poisson(16.0), 9.0), 12.69, vec![22.0, 18.0, 13.0, 8.0]),
        (chain(&quarter([0.25, 2.75, 5.25, 5.5]), poisson(16.0), 9.0), 53.01, vec![19.0, 13.0, 10.0, 9.0]),
        (chain(&quarter([0.25, 0.5, 0.75, 1.0]), poisson(16.0), 99.0), 16.21, vec![27.0, 22.0, 17.0, 11.0]),
        (chain(&quarter([0.25, 2.75, 5.25, 5.5]), poisson(16.0), 99.0), 74.56, vec![26.0, 18.0, 14.0, 11.0]),
    ] {
        let plan = tree.cheapest();
        assert!(is_close(plan.cost, cost, 1e-3), "{} instead of {cost}", plan.cost);
        let from = |i: usize| plan.points[i..].iter().map(|p| p.level).sum::<f64>();
        assert!((0..echelon.len()).all(|i| (from(i) - echelon[i]).abs() < 0.05), "{plan:?}");
    }
}

#[test]
fn one_place_is_a_newsvendor() {
    // Snyder & Shen, problem 4.8(a) and example 4.1.
    let plan = chain(&[(1.0, 200.0)], poisson(18.0), 270.0).cheapest();
    assert_eq!(plan.points[0].level, 19.0);
    assert!(is_close(plan.cost, 786.09, 1e-4), "{}", plan.cost);
    let plan = chain(&[(1.0, 0.18)], Demand::Normal { mean: 50.0, sd: 8.0 }, 0.70).cheapest();
    assert!(is_close(plan.points[0].level, 56.6, 1e-3) && is_close(plan.cost, 1.9976, 1e-4), "{plan:?}");
}

/// The cost by its definition, with every other set of levels up to 6 above or below.
#[test]
fn no_other_levels_are_cheaper() {
    let two_levels = StockTree::new(vec![
        point("centre", None, 3.0, 1.0, None),
        point("a", Some("centre"), 1.0, 1.5, Some((poisson(0.5), 12.0))),
        point(
            "b",
            Some("centre"),
            2.0,
            1.2,
            Some((Demand::NegativeBinomial { mean: 0.6, variance_to_mean: 2.5 }, 20.0)),
        ),
    ]);
    for tree in [two_levels.unwrap(), chain(&[(1.0, 1.0), (2.0, 1.5), (0.5, 3.0)], poisson(1.2), 25.0)] {
        let plan = tree.cheapest();
        for code in 0..11_i64.pow(3) {
            let other: Vec<i64> = (0..3).map(|i| code / 11_i64.pow(i) % 11).collect();
            let cost = tree.plan(&other).cost;
            assert!(plan.cost <= cost + 1e-9, "{other:?} costs {cost}, not {}", plan.cost);
        }
    }
}

#[test]
fn a_simulation_measures_what_the_formulas_say() {
    let batches = |mean| Demand::NegativeBinomial { mean, variance_to_mean: 3.0 };
    let batch_chain = chain(&[(2.0, 1.0), (1.0, 1.5)], batches(1.0), 20.0);
    // The share of a branch in what is owed is an approximation for batches; the rest is chance.
    for (name, tree, tolerance) in [
        ("poisson", three_levels(poisson), 0.008),
        ("batches in a chain", batch_chain, 0.01),
        ("batches", three_levels(batches), 0.03),
    ] {
        let cheapest = tree.cheapest();
        let fewer: BTreeMap<_, _> = levels(&cheapest).into_iter().map(|(id, n)| (id, (n - 1.0).max(0.0))).collect();
        for levels in [levels(&cheapest), fewer] {
            let plan = tree.evaluate(&levels).unwrap();
            let measured = tree.simulate(&levels, 300_000.0, 7).unwrap();
            assert!(is_close(measured.cost, plan.cost, tolerance), "{name}: {} against {}", measured.cost, plan.cost);
            for (measured, point) in measured.points.iter().zip(&plan.points) {
                let fills = (measured.fill_rate.unwrap_or(0.0), point.fill_rate.unwrap_or(0.0));
                assert!((fills.0 - fills.1).abs() < tolerance, "{name} {}: fill {fills:?}", point.id);
                let waiting = (measured.backorders, point.backorders);
                assert!((waiting.0 - waiting.1).abs() < 3.0 * tolerance, "{name} {}: waiting {waiting:?}", point.id);
            }
        }
    }
}

#[test]
fn a_promised_fill_rate_is_kept_at_little_stock() {
    let tree = three_levels(poisson);
    let stock = |plan: &StockPlan| tree.points.iter().map(|p| plan.level(p.id.as_str()).unwrap()).sum::<f64>();
    let mut last = 0.0;
    for fill in [0.5, 0.8, 0.9, 0.95, 0.99] {
        let plan = tree.cheapest_for_fill(fill).unwrap();
        assert!(plan.fill_rate >= fill && stock(&plan) >= last, "{fill}: {}", plan.fill_rate);
        // No place has a piece to spare.
        let spares = |(id, level): (&LocationId, &f64)| {
            let mut fewer = levels(&plan);
            fewer.insert(id.clone(), level - 1.0);
            tree.evaluate(&fewer).unwrap().fill_rate - fill
        };
        let spare: f64 = levels(&plan).iter().map(spares).fold(f64::NEG_INFINITY, f64::max);
        assert!(spare < 0.0, "{fill}: {spare}");
        last = stock(&plan);
    }
    assert_eq!(tree.cheapest_for_fill(1.0).unwrap_err().to_string(), "fill_rate: is 1; give 0 to 0.9999");
}

#[test]
fn a_plan_says_what_and_why() {
    let tree = StockTree::new(vec![
        point("centre", None, 3.0, 1.0, None),
        point("a", Some("centre"), 1.0, 1.5, Some((poisson(0.5), 12.0))),
    ]);
    let plan = tree.unwrap().evaluate(&[("centre".into(), 2.0), ("a".into(), 1.0)].into()).unwrap();
    insta::assert_snapshot!(plan.why, @"centre: keep 2 (from outside): an order from below waits 0.56; a: keep 1 (from centre): 49.1 % of its customers' pieces are on the shelf; in all 49.1 % from the shelf at a cost of 5.28");
}

#[test]
fn alike_places_get_alike_levels_and_order_does_not_matter() {
    let station = |id: &str, parent: &str| point(id, Some(parent), 1.0, 1.0, Some((poisson(2.0), 15.0)));
    let region = |id: &str| point(id, Some("centre"), 1.0, 0.7, None);
    let mut points = vec![
        point("centre", None, 1.0, 0.3, None),
        region("r1"),
        region("r2"),
        station("s1", "r1"),
        station("s2", "r1"),
        station("s3", "r2"),
        station("s4", "r2"),
    ];
    let plan = StockTree::new(points.clone()).unwrap().cheapest();
    assert!(["s2", "s3", "s4"].iter().all(|id| plan.level(id) == plan.level("s1")), "{plan:?}");
    assert_eq!(plan.level("r1"), plan.level("r2"));
    points.reverse();
    let reversed = StockTree::new(points).unwrap().cheapest();
    assert_eq!(levels(&reversed), levels(&plan));
}

#[test]
fn a_budget_goes_where_it_saves_most_waiting() {
    let part = |name: &str, price_cents, mean| {
        let tree = StockTree::new(vec![
            point("centre", None, 2.0, 1.0, None),
            point("a", Some("centre"), 1.0, 1.0, Some((poisson(mean), 1.0))),
            point("b", Some("centre"), 1.0, 1.0, Some((poisson(mean / 2.0), 1.0))),
        ]);
        PricedTree { part: name.into(), price_cents, tree: tree.unwrap() }
    };
    let parts = [part("seal", 100.0, 0.6), part("motor", 900.0, 0.4)];
    for budget in [0.0, 1_000.0, 4_000.0, 9_000.0] {
        let found = allocate(&parts, budget).unwrap();
        assert!(found.invested_cents <= budget, "{found:?}");
        // No other levels that cost as much or less leave fewer pieces waited for.
        let plans = |tree: &StockTree| -> Vec<(f64, f64)> {
            let all = (0..6_i64.pow(3)).map(|code| [code % 6, code / 6 % 6, code / 36]);
            all.map(|levels| (levels.iter().sum::<i64>() as f64, tree.plan(&levels).backorders)).collect()
        };
        let motors = plans(&parts[1].tree);
        let mut fewest = f64::INFINITY;
        for (seals, waited) in plans(&parts[0].tree) {
            for &(pieces, also_waited) in &motors {
                if seals * 100.0 + pieces * 900.0 <= found.invested_cents {
                    fewest = fewest.min(waited + also_waited);
                }
            }
        }
        assert!(found.backorders <= fewest + 1e-9, "{budget}: {} instead of {fewest}", found.backorders);
    }
}

#[test]
fn an_assembly_is_a_chain_by_time_to_the_customer() {
    let stage = |id: &str, into: Option<&str>, lead_time, holding| AssemblyStage {
        id: id.into(),
        into: into.map(Into::into),
        lead_time,
        holding,
    };
    let assembled = assembly(
        &[stage("board", Some("unit"), 3.0, 2.0), stage("unit", None, 1.0, 5.0), stage("case", Some("unit"), 1.0, 1.0)],
        poisson(2.0),
        40.0,
    )
    .unwrap();
    // From above: board (3 - 1 more than the case), case, unit; echelon costs 2, 1, 2.
    let plan = chain(&[(2.0, 2.0), (1.0, 3.0), (1.0, 5.0)], poisson(2.0), 40.0).cheapest();
    // The board is on its way one unit of time longer than in the chain, and its 2 pieces
    // there, at 2 each, are not yet charged.
    assert!(is_close(assembled.cost, plan.cost - 4.0, 1e-9), "{} {}", assembled.cost, plan.cost);
    let echelon = |i: usize| plan.points[i..].iter().map(|p| p.level).sum::<f64>();
    let expected = [("board".into(), echelon(0)), ("unit".into(), echelon(2)), ("case".into(), echelon(1))];
    assert_eq!(assembled.echelon_levels, expected);
    for (stages, expected) in [
        (vec![], "stages (length): is 0; give 1 to 64"),
        (vec![stage("a", Some("b"), 1.0, 1.0)], r#"stages[0].into: "b" is no known stage"#),
        (vec![stage("a", None, 1.0, 1.0), stage("b", None, 1.0, 1.0)], "stages[1].into: is empty; give at least one"),
        (vec![stage("a", Some("a"), 1.0, 1.0)], "stages[0].into: is a cycle: a -> a; it must end somewhere"),
        (
            vec![stage("a", None, 1.0, 1.0), stage("b", Some("a"), 1.0, 3.0)],
            "stages[0].holding: is 1; give 3 to 1000000000",
        ),
    ] {
        assert_eq!(assembly(&stages, poisson(1.0), 1.0).unwrap_err().to_string(), expected);
    }
}

#[test]
fn bad_places_are_named() {
    let good = || vec![point("a", None, 1.0, 1.0, None), point("b", Some("a"), 1.0, 1.0, Some((poisson(1.0), 9.0)))];
    let with = |change: &dyn Fn(&mut Vec<StockPoint>)| {
        let mut points = good();
        change(&mut points);
        StockTree::new(points).unwrap_err().to_string()
    };
    type Change = Box<dyn Fn(&mut Vec<StockPoint>)>;
    let cases: Vec<(Change, &str)> = vec![
        (Box::new(Vec::clear), "points (length): is 0; give 1 to 10000"),
        (Box::new(|p| p[1].id = "a".into()), r#"points[1].id: "a" is given twice; give each once"#),
        (Box::new(|p| p[1].parent = Some("c".into())), r#"points[1].parent: "c" is no known point"#),
        (
            Box::new(|p| p[0].parent = Some("b".into())),
            "points[0].parent: is a cycle: a -> b -> a; it must end somewhere",
        ),
        (Box::new(|p| p[1].lead_time = -1.0), "points[1].lead_time: is -1; give 0 to 1000000000"),
        (Box::new(|p| p[0].holding = f64::NAN), "points[0].holding: is NaN; give a finite number"),
        (Box::new(|p| p[1].demand = None), "points[0].demand: is empty; give at least one"),
        (Box::new(|p| p[1].demand = Some(poisson(-1.0))), "points[1].demand.mean: is -1; give 0 to 1000000000"),
        (Box::new(|p| p[1].demand = Some(poisson(0.0))), "points[0].demand: is empty; give at least one"),
        (
            Box::new(|p| p[1].demand = Some(Demand::NegativeBinomial { mean: 1.0, variance_to_mean: 0.5 })),
            "points[1].demand.variance_to_mean: is 0.5; give 1 to 1000",
        ),
        (Box::new(|p| p[1].lead_time = 1e6), "points[1].demand (pieces in the lead time): is 10100"),
    ];
    for (change, expected) in &cases {
        let refused = with(change.as_ref());
        assert!(refused.starts_with(expected) || refused == *expected, "{refused}\n{expected}");
    }
    let no_cost = with(&|p| p[1].backorder = 0.0);
    assert!(no_cost.starts_with("points[1].backorder: is 0; give "), "{no_cost}");
    let deep: Vec<StockPoint> = (0..20)
        .map(|i: i32| {
            let parent = (i > 0).then(|| format!("{}", i - 1));
            point(&format!("{i}"), parent.as_deref(), 1.0, 1.0, (i == 19).then_some((poisson(1.0), 9.0)))
        })
        .collect();
    let refused = StockTree::new(deep).unwrap_err().to_string();
    assert_eq!(refused, "points[8].parent (levels above): is 9; give 1 to 8");

    let tree = StockTree::new(good()).unwrap();
    for (levels, expected) in [
        (vec![("a", 1.0)], r#"levels: "b" is no known key"#),
        (vec![("a", 1.0), ("b", 1.0), ("c", 1.0)], r#"levels["c"]: "c" is no known point"#),
        (vec![("a", f64::INFINITY), ("b", 1.0)], r#"levels["a"]: is inf; give a finite number"#),
    ] {
        let levels = levels.into_iter().map(|(id, level)| (id.into(), level)).collect();
        assert_eq!(tree.evaluate(&levels).unwrap_err().to_string(), expected);
    }
}

/// Above 24 levels a central store is searched from coarse to fine.
#[test]
fn a_coarse_search_finds_the_best_level_of_a_large_store() {
    for (holding, backorder) in [(0.3, 3.0), (0.9, 20.0), (0.1, 100.0)] {
        let tree = StockTree::new(vec![
            point("centre", None, 8.0, holding, None),
            point("a", Some("centre"), 2.0, 1.0, Some((poisson(9.0), backorder))),
            point("b", Some("centre"), 3.0, 1.0, Some((poisson(6.0), backorder * 2.0))),
        ])
        .unwrap();
        let plan = tree.cheapest();
        let outstanding = tree.outstanding(0, &Distribution::at(0));
        let cost = |level: i64| {
            let owed = outstanding.excess(level);
            let on_hand = level as f64 - outstanding.mean() + outstanding.mean_excess(level);
            holding * on_hand + tree.best(1, &owed).cost + tree.best(2, &owed).cost
        };
        let cheapest = (0..220).map(cost).fold(f64::INFINITY, f64::min) + tree.pipeline_cost();
        assert!(plan.cost <= cheapest * 1.0005, "{} instead of {cheapest}", plan.cost);
    }
}

/// Some hundred places of four levels, none like another.
fn country(stations: usize, vans: usize, mean: f64) -> Result<StockTree, InputError> {
    let mut points = vec![point("centre", None, 10.0, 1.0, None)];
    for r in 0..5 {
        points.push(point(&format!("r{r}"), Some("centre"), 2.0 + r as f64 / 10.0, 1.1, None));
        for s in 0..stations {
            let station = format!("s{r}-{s}");
            points.push(point(&station, Some(&format!("r{r}")), 1.0 + s as f64 / 10.0, 1.2, None));
            for v in 0..vans {
                let mean = mean * (1.0 + (r + s + v) as f64 / 10.0);
                points.push(point(&format!("v{r}-{s}-{v}"), Some(&station), 0.5, 1.5, Some((poisson(mean), 60.0))));
            }
        }
    }
    StockTree::new(points)
}

#[test]
fn a_country_is_planned_and_too_much_work_is_refused() {
    let tree = country(6, 4, 0.01).unwrap();
    let started = std::time::Instant::now();
    let plan = tree.cheapest();
    println!("{} places of four levels: {:?}", plan.points.len(), started.elapsed());
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    let best = levels(&plan);
    for id in best.keys() {
        for change in [-1.0, 1.0] {
            let mut other = best.clone();
            *other.get_mut(id).unwrap() += change;
            let cost = tree.evaluate(&other).unwrap().cost;
            assert!(other[id] < 0.0 || cost >= plan.cost - 1e-9, "{id} {change}: {cost} instead of {}", plan.cost);
        }
    }
    let refused = country(40, 40, 1.0).unwrap_err().to_string();
    assert!(refused.contains("points (steps of work)") || refused.contains("pieces in the lead time"), "{refused}");
    // A deviation far below the mean does not make the lattice endless.
    let thin = chain(&[(1.0, 1.0), (1.0, 2.0)], Demand::Normal { mean: 4_000.0, sd: 1e-6 }, 9.0).cheapest();
    assert!(is_close(thin.points[1].level, 4_000.0, 1e-3), "{thin:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Both algorithms agree where both apply: a chain is a tree without branches.
    #[test]
    fn the_search_finds_the_optimum_of_a_chain(
        stages in prop::collection::vec((0.0..3.0, 0.1..2.0), 1..=3),
        rate in 0.1..3.0,
        ratio in 1.0..3.0,
        backorder in 1.0..80.0,
    ) {
        let tree = chain(&stages, Demand::NegativeBinomial { mean: rate, variance_to_mean: ratio }, backorder);
        let exact = tree.plan(&tree.chain_levels());
        let searched = tree.plan(&tree.branching_levels());
        prop_assert!(searched.cost <= exact.cost * (1.0 + 2e-3) + 1e-9, "{} {}", searched.cost, exact.cost);
        prop_assert!(exact.cost <= searched.cost * (1.0 + 1e-6) + 1e-9, "{} {}", exact.cost, searched.cost);
    }
}
