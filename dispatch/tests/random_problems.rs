//! Random problems with every rule at once: each plan is re-checked by an independent checker.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod checker;
mod generator;

use dispatch::routing::{Limits, Plan, Problem, plan, preview};
use serde_json::Value;

/// Plans a problem given as JSON, as the command line does.
fn planned(problem: &Value, iterations: u64) -> (Problem, Plan) {
    let problem = Problem::from_json(&problem.to_string()).unwrap_or_else(|error| panic!("{error} in {problem}"));
    let plan = plan(&problem, &Limits::iterations(iterations), None).unwrap();
    (problem, plan)
}

fn check(seeds: std::ops::Range<u64>, iterations: u64, detours_cost: bool) {
    let (mut served, mut unserved) = (0, 0);
    for seed in seeds {
        let json = generator::problem(seed, detours_cost);
        let (_, plan) = planned(&json, iterations);
        let violations = checker::violations(&json, &serde_json::to_value(&plan).unwrap());
        assert!(
            violations.is_empty(),
            "seed {seed}: {violations:#?}\n{json}\n{}",
            serde_json::to_string(&plan).unwrap()
        );
        served += plan.totals.served;
        unserved += plan.unassigned.len() as u32;
    }
    // The problems would test little if all or nothing fitted.
    assert!(served > 2 * unserved && unserved > 0, "{served} served, {unserved} not");
}

#[test]
fn no_plan_breaks_a_rule() {
    check(0..400, 200, true);
}

#[test]
fn roads_without_the_triangle_inequality_are_no_trouble() {
    check(0..400, 200, false);
}

#[test]
#[ignore = "some minutes; run with --ignored"]
fn no_plan_of_ten_thousand_breaks_a_rule() {
    check(0..10_000, 200, true);
}

#[test]
fn every_remedy_helps() {
    let (mut tried, mut failed) = (0, Vec::new());
    for seed in 0..60 {
        let (problem, plan) = planned(&generator::problem(seed, true), 300);
        // Unserved orders by priority, the highest first, and within one those with a promise first.
        let weight = |plan: &Plan| {
            let mut counts = [0; 8];
            for left in &plan.unassigned {
                let order = problem.orders.iter().find(|order| order.id == left.order).unwrap();
                let promised = order.promised.is_some() || order.begun.is_some();
                counts[2 * (3 - order.priority as usize) + usize::from(!promised)] += 1;
            }
            counts
        };
        for left in &plan.unassigned {
            for remedy in &left.remedies {
                let mut changed = problem.clone();
                remedy.apply(&mut changed);
                let preview = preview(&changed, &plan, &Limits::iterations(2_000)).unwrap();
                // Room that is made may go to an order that matters more.
                if weight(&preview.plan) >= weight(&plan) {
                    failed.push(format!("seed {seed}: nothing gained by {remedy:?}: {left:?}"));
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 50, "only {tried} remedies");
    // A remedy is found by trying one order in the routes as they are; the search may not find it.
    assert!(failed.len() * 50 <= tried, "{} of {tried}: {failed:#?}", failed.len());
}
