//! Bad problems: each is refused with the field's path and what would be right, or planned as far
//! as it can be; never a panic, never a hang.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use dispatch::Place;
use dispatch::routing::{Limits, Problem, Rule, Technician, Window, WorkOrder, plan};
use serde_json::{Value, json};

fn base() -> Value {
    json!({
        "now": 28_800,
        "orders": [
            {"id": "W1", "place": {"lat": 52.5, "lon": 13.4}, "service_s": 1800,
             "windows": [{"start": 30_000, "end": 40_000}]},
            {"id": "W2", "place": {"lat": 52.6, "lon": 13.5}, "service_s": 600},
        ],
        "technicians": [
            {"id": "Ann", "start": {"lat": 52.5, "lon": 13.3},
             "shifts": [{"start": 28_800, "end": 57_600, "breaks": [{"window": {"start": 43_000, "end": 45_000}, "duration_s": 1800}]}]},
        ],
        "stations": [{"id": "S1", "place": {"lat": 52.5, "lon": 13.4}, "stock": [{"part": "fan", "quantity": 1}]}],
    })
}

/// The base with one value replaced.
fn with(pointer: &str, value: Value) -> String {
    let mut problem = base();
    let (parent, field) = pointer.rsplit_once('/').expect("a path");
    let parent = problem.pointer_mut(parent).expect("the parent is there");
    match parent {
        Value::Array(list) => list.push(value),
        _ => parent[field] = value,
    }
    problem.to_string()
}

#[test]
fn what_is_wrong_is_named_by_its_field() {
    let table = [
        ("/now", json!(-1), "now: is -1; give 0 to 100000000000"),
        ("/orders/0/service_s", json!(-5), "orders[0].service_s: invalid value: integer `-5`, expected u32"),
        ("/orders/0/service_s", json!(100_000), "orders[0].service_s: is 100000; give 0 to 86400"),
        ("/orders/0/place/lat", json!(91), "orders[0].place.lat: is 91; give -90 to 90"),
        ("/orders/0/place/lat", json!("north"), "orders[0].place.lat: invalid type: string \"north\", expected f64"),
        ("/orders/0/windows/0/end", json!(29_000), "orders[0].windows[0].end: is 29000, before the start (30000)"),
        ("/orders/0/windows/-", json!({"start": 39_000, "end": 41_000}), "orders[0].windows[1]: begins before"),
        ("/orders/0/windows/0/start", json!(-3), "orders[0].windows[0].start: is -3; give 0 to"),
        ("/orders/0/priority", json!("asap"), "orders[0].priority: unknown variant `asap`, expected one of"),
        ("/orders/0/colour", json!("red"), "orders[0].colour: unknown field `colour`, expected one of"),
        ("/orders/1/id", json!("W1"), "orders[1].id: \"W1\" is given twice"),
        ("/orders/1/id", json!(" "), "orders[1].id: is empty"),
        ("/orders/0/skills", json!(["gas", ""]), "orders[0].skills[1]: is empty"),
        ("/orders/0/preferred", json!(["Bob"]), "orders[0].preferred[0]: \"Bob\" is no known technician"),
        ("/orders/0/parts", json!([{"part": "fan", "quantity": 0}]), "orders[0].parts[0].quantity: is 0; give 1 to"),
        (
            "/orders/0/begun",
            json!({"technician": "Ann", "start": 30_000}),
            "orders[0].begun.start: is 30000; give 0 to 28800",
        ),
        (
            "/orders/0/begun",
            json!({"technician": "Ann", "start": 100}),
            "orders[0].begun.start: lies in no shift of \"Ann\"",
        ),
        ("/technicians/0/shifts/0/end", json!(28_800), "technicians[0].shifts[0].end: is 28800, which leaves no time"),
        (
            "/technicians/0/shifts/0/end",
            json!(44_000),
            "technicians[0].shifts[0].breaks[0].window: lets the break reach",
        ),
        ("/technicians/0/shifts/-", json!({"start": 50_000, "end": 60_000}), "technicians[0].shifts[1]: begins before"),
        (
            "/technicians/0/shifts/-",
            json!({"start": 90_000_000, "end": 90_010_000}),
            "technicians (seconds from the first shift",
        ),
        ("/technicians/0/territories", json!(["nowhere"]), "technicians[0].territories[0]: \"nowhere\" is no H3 cell"),
        ("/technicians/0/cost", json!(0), "technicians[0].cost: is 0; give 0.1 to 100"),
        ("/technicians/0/rating", json!(6), "technicians[0].rating: is 6; give 0 to 5"),
        (
            "/stations/0/stock/-",
            json!({"part": "fan", "quantity": 2}),
            "stations[0].stock[1].id: \"fan\" is given twice",
        ),
        ("/travel", json!({"estimate": {"speed_kmh": 0}}), "travel.estimate.speed_kmh: is 0; give 1 to 200"),
        (
            "/travel",
            json!({"estimate": {"speed_by_hour": [1, 2]}}),
            "travel.estimate.speed_by_hour (numbers): is 2; give 24",
        ),
        (
            "/travel",
            json!({"matrix": {"places": [], "durations_s": []}}),
            "travel.matrix.places: \"52.5, 13.4\" is no known",
        ),
        (
            "/travel",
            json!({"matrix": {"places": [{"lat": 1, "lon": 1}], "durations_s": [[-1]]}}),
            "travel.matrix.durations_s[0][0]: is -1",
        ),
        (
            "/travel",
            json!({"matrix": {"places": [{"lat": 1, "lon": 1}], "durations_s": []}}),
            "travel.matrix.durations_s (rows): is 0",
        ),
        ("/objective", json!({"overtime": -1}), "objective.overtime: is -1; give 0 to 100"),
    ];
    for (pointer, value, expected) in table {
        let error = Problem::from_json(&with(pointer, value)).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{pointer}: {error:?} instead of {expected:?}");
    }
    for (text, expected) in [
        ("", "problem: EOF while parsing"),
        ("3", "problem: invalid type: integer `3`, expected struct Problem"),
        ("{} {}", "problem: trailing characters"),
        (r#"{"now": NaN}"#, "now: expected"),
        (
            r#"{"orders": [{"id": "W1", "place": {"lat": 1e999, "lon": 0}}]}"#,
            "orders[0].place.lat: number out of range",
        ),
    ] {
        let error = Problem::from_json(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error:?} instead of {expected:?}");
    }
}

fn built() -> Problem {
    Problem::from_json(&base().to_string()).unwrap()
}

#[test]
fn numbers_that_are_none_are_refused() {
    let mut problem = built();
    problem.orders[1].place.lon = f64::NAN;
    let error = plan(&problem, &Limits::iterations(1), None).unwrap_err();
    assert_eq!(error.to_string(), "orders[1].place.lon: is NaN; give a finite number");
    problem.orders[1].place.lon = 13.5;
    problem.objective.spread = f64::INFINITY;
    assert_eq!(problem.check().unwrap_err().field, "objective.spread");
}

#[test]
fn without_technicians_nothing_is_assigned() {
    let problem = Problem { technicians: Vec::new(), ..built() };
    let plan = plan(&problem, &Limits::iterations(100), None).unwrap();
    assert!(plan.routes.is_empty() && plan.unassigned.len() == 2);
    assert_eq!(plan.unassigned[0].reasons[0].rule, Rule::Nobody);
}

#[test]
fn what_no_road_leads_to_is_left_with_the_reason() {
    let mut problem = built();
    problem.orders[0].place = Place { lat: -52.0, lon: -166.0 };
    let plan = plan(&problem, &Limits::iterations(100), None).unwrap();
    assert_eq!(plan.totals.served, 1);
    assert_eq!(plan.unassigned[0].reasons[0].rule, Rule::Shift, "the other side of the globe");
}

#[test]
fn an_empty_problem_has_an_empty_plan() {
    let plan = plan(&Problem::from_json("{}").unwrap(), &Limits::iterations(100), None).unwrap();
    assert_eq!(plan, dispatch::routing::Plan::default());
}

#[test]
fn a_million_orders_are_refused_at_once() {
    let order = |index: usize| WorkOrder::new(format!("W{index}"), Place { lat: 52.0, lon: 13.0 }, 600);
    let mut problem = Problem { orders: (0..1_000_000).map(order).collect(), ..built() };
    let error = plan(&problem, &Limits::iterations(1), None).unwrap_err();
    assert_eq!(error.to_string(), "orders: has 1000000 entries; give at most 200000, or plan region by region");
    problem.orders.truncate(6_000);
    let error = plan(&problem, &Limits::iterations(1), None).unwrap_err();
    assert_eq!(error.to_string(), "orders: has 6000 entries; give at most 5000, or plan region by region");
}

#[test]
fn an_early_stop_still_gives_an_honest_plan() {
    let place = |index: usize| Place { lat: 52.0 + index as f64 / 5_000.0, lon: 13.0 };
    let orders = (0..2_000).map(|index| WorkOrder::new(format!("W{index}"), place(index), 600)).collect();
    let technicians =
        (0..50).map(|index| Technician::new(format!("T{index}"), place(index), Window::new(0, 30_000))).collect();
    let problem = Problem { orders, technicians, ..Problem::default() };
    let limits = Limits { iterations: None, progress: &|| 1.0, ..Limits::iterations(0) };
    let plan = plan(&problem, &limits, None).unwrap();
    assert_eq!(plan.totals.served as usize + plan.unassigned.len(), 2_000);
}

#[test]
fn extreme_numbers_do_not_overflow() {
    let mut problem = built();
    problem.now = dispatch::routing::Time(99_999_900_000);
    problem.technicians[0].shifts[0].start = dispatch::routing::Time(99_999_900_000);
    problem.technicians[0].shifts[0].end = dispatch::routing::Time(99_999_990_000);
    problem.technicians[0].shifts[0].breaks.clear();
    problem.orders[0].windows = vec![Window::new(0, 100_000_000_000)];
    problem.orders[0].service_s = 86_400;
    let plan = plan(&problem, &Limits::iterations(100), None).unwrap();
    assert_eq!(plan.totals.served, 2 - plan.unassigned.len() as u32);
    problem.technicians[0].shifts[0].end = dispatch::routing::Time(i64::MAX);
    assert_eq!(problem.check().unwrap_err().field, "technicians[0].shifts[0].end");
}
