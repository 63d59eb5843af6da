//! A day on the board: whatever happens, the plan that stands keeps every rule.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod checker;
mod generator;

use dispatch::routing::{Board, Debounce, Event, Limits, Plan, Problem, Time, Window, WorkOrder, plan, settle};
use dispatch::{Place, Priority};
use generator::Draw;

fn board(seed: u64) -> (Board, Plan) {
    let problem = Problem::from_json(&generator::problem(seed, true).to_string()).unwrap();
    let plan = plan(&problem, &Limits::iterations(200), None).unwrap();
    (Board::new(problem, &plan).unwrap(), plan)
}

/// The plan that stands keeps every rule; returns it.
fn checked(board: &Board, seed: u64, after: &str) -> Plan {
    let plan = board.plan().unwrap();
    let (problem, json) = (serde_json::to_value(board.problem()).unwrap(), serde_json::to_value(&plan).unwrap());
    let violations = checker::violations(&problem, &json);
    assert!(violations.is_empty(), "seed {seed} after {after}: {violations:#?}");
    plan
}

fn draw_event(draw: &mut Draw, board: &Board, number: usize) -> Event {
    let problem = board.problem();
    let orders = problem.orders.len() as i64;
    let technicians = problem.technicians.len() as i64;
    if orders == 0 || draw.chance(40) {
        let known = &problem.orders.first().map_or(Place { lat: 52.5, lon: 13.4 }, |order| order.place);
        let opens = problem.now.0 + draw.int(0, 20_000);
        let mut order = WorkOrder::new(format!("N{number}"), *known, draw.int(0, 3600) as u32);
        order.priority = if draw.chance(30) { Priority::Urgent } else { Priority::Normal };
        order.windows = if draw.chance(50) { vec![Window::new(opens, opens + 7200)] } else { Vec::new() };
        return Event::Order(Box::new(order));
    }
    let order = problem.orders[draw.int(0, orders) as usize].id.clone();
    let technician = problem.technicians[draw.int(0, technicians) as usize].id.clone();
    match draw.int(0, 5) {
        0 => Event::Done { order },
        1 => Event::Late { order, seconds: draw.int(0, 3600) as u32 },
        2 => Event::Refused { order, technician },
        3 => Event::NoShow { order, windows: vec![Window::new(problem.now.0, problem.now.0 + 90_000)] },
        _ => Event::Ill { technician },
    }
}

#[test]
fn whatever_happens_the_plan_keeps_every_rule() {
    let (mut assigned, mut kept) = (0, 0);
    for seed in 0..150 {
        let (mut board, _) = board(seed);
        let draw = &mut Draw::new(seed);
        for number in 0..8 {
            let event = draw_event(draw, &board, number);
            let effect = board.handle(&event, board.problem().now).unwrap();
            let plan = checked(&board, seed, &format!("{event:?}"));
            assigned += effect.assigned.len();
            kept += effect.assigned.iter().filter(|(order, ..)| plan.visit(order).is_some()).count();
        }
    }
    assert!(assigned > 300 && kept == assigned, "{kept} of {assigned} assignments are in the plan");
}

#[test]
fn candidates_are_what_the_plan_can_hold() {
    let mut inserted = 0;
    for seed in 0..150 {
        let (mut board, _) = board(seed);
        let draw = &mut Draw::new(seed);
        for number in 0..4 {
            let Event::Order(order) = draw_event(draw, &board, number) else { continue };
            let found = board.candidates(&order).unwrap();
            assert!(found.ranked.is_sorted_by(|a, b| a.price.total_s <= b.price.total_s));
            assert!(found.ranked.len() + found.excluded.len() <= board.problem().technicians.len(), "seed {seed}");
            // Not the best only: any candidate must hold.
            let Some(pick) = found.ranked.get(number % found.ranked.len().max(1)) else { continue };
            let (technician, id) = (pick.technician.clone(), order.id.clone());
            board.insert(*order, &technician).unwrap();
            let plan = checked(&board, seed, "an insertion");
            let (route, _) = plan.visit(&id).unwrap_or_else(|| panic!("seed {seed}: {id} is not in the plan"));
            assert_eq!(route.technician, technician, "seed {seed}");
            inserted += 1;
        }
    }
    assert!(inserted > 50, "only {inserted}");
}

#[test]
fn a_plan_is_published_only_from_the_present_version() {
    let (mut board, _) = board(3);
    let order = WorkOrder::new("late", Place { lat: 52.5, lon: 13.4 }, 600);
    let stale = board.search(&Limits::iterations(100)).unwrap();
    assert!(!board.is_search_due(Time(90_000), Debounce::default()), "nothing has changed");
    let now = board.problem().now;
    board.handle(&Event::Order(Box::new(order)), now).unwrap();
    let conflict = board.publish(&stale).unwrap_err();
    assert_eq!((conflict.expected, conflict.found), (0, 1));
    assert!(!board.is_search_due(Time(now.0 + 4), Debounce::default()), "it may go on");
    assert!(board.is_search_due(Time(now.0 + 5), Debounce::default()));
    let fresh = board.search(&Limits::iterations(100)).unwrap();
    assert_eq!(board.publish(&fresh).unwrap(), 2);
    assert!(!board.is_search_due(Time(now.0 + 100), Debounce::default()));
}

#[test]
fn an_order_at_the_border_goes_to_the_cheaper_region() {
    let region = |lon: f64| {
        let technician = dispatch::routing::Technician::new("T", Place { lat: 52.5, lon }, Window::new(28_800, 57_600));
        Board::new(Problem { technicians: vec![technician], ..Problem::default() }, &Plan::default()).unwrap()
    };
    let (west, east) = (region(13.0), region(14.0));
    let order = WorkOrder::new("border", Place { lat: 52.5, lon: 13.6 }, 600);
    let (index, candidate) = settle(&[&west, &east], &order).unwrap().unwrap();
    assert_eq!(index, 1);
    assert_eq!(candidate.price.total_s, east.candidates(&order).unwrap().ranked[0].price.total_s);
    let nobody = WorkOrder { skills: vec!["gas".to_owned()], ..order };
    assert_eq!(settle(&[&west, &east], &nobody).unwrap(), None);
}

#[test]
fn offers_price_each_window_by_itself() {
    let place = |lon: f64| Place { lat: 52.5, lon };
    let technician = dispatch::routing::Technician::new("Ann", place(13.3), Window::new(28_800, 57_600));
    let near = WorkOrder { windows: vec![Window::new(40_000, 40_000)], ..WorkOrder::new("near", place(13.5), 600) };
    let problem = Problem { orders: vec![near], technicians: vec![technician], ..Problem::default() };
    let plan = plan(&problem, &Limits::iterations(50), None).unwrap();
    let board = Board::new(problem, &plan).unwrap();
    let order = WorkOrder::new("new", place(13.5), 600);
    let [day, never] = [Window::new(28_800, 57_600), Window::new(100_000, 110_000)];
    let offers = board.offers(&order, &[day, never]).unwrap();
    assert_eq!(offers.len(), 1, "nobody works in the second");
    assert_eq!((offers[0].window, offers[0].best.price.total_s), (day, 0.0), "next door to a visit");
    assert_eq!(board.candidates(&order).unwrap().why_not(&"Ann".into()), None, "she is the first");
}

/// The order, technician and start of the visit at a place of the plan's first route that has so many.
fn nth_visit(plan: &Plan, nth: usize) -> Option<(dispatch::OrderId, dispatch::TechnicianId, Time)> {
    plan.routes.iter().find_map(|route| {
        let visit = route.visits().nth(nth)?;
        Some((visit.order.clone(), route.technician.clone(), visit.start))
    })
}

#[test]
fn a_visit_that_has_begun_stays_and_ends() {
    let mut ended = 0;
    for seed in 0..100 {
        let (mut board, plan) = board(seed);
        let Some((order, technician, start)) = nth_visit(&plan, 0) else { continue };
        let now = start.max(board.problem().now);
        let board_before = board.plan().unwrap();
        board.handle(&Event::Done { order: "unknown".into() }, Time(now.0 + 90_000)).unwrap_err();
        assert_eq!(checked(&board, seed, "an error"), board_before, "the board is as before");
        board.handle(&Event::Begun { order: order.clone() }, now).unwrap();
        let draw = &mut Draw::new(seed);
        for number in 0..4 {
            let event = draw_event(draw, &board, number);
            // Whoever is ill or refuses leaves, whatever has begun.
            if !matches!(event, Event::Order(_)) {
                continue;
            }
            board.handle(&event, now).unwrap();
            let plan = checked(&board, seed, &format!("{event:?} while {order} goes on"));
            let (route, visit) = plan.visit(&order).unwrap_or_else(|| panic!("seed {seed}: {order} is gone"));
            assert_eq!((&route.technician, visit.start), (&technician, now), "seed {seed}");
        }
        board.handle(&Event::Done { order: order.clone() }, Time(now.0 + 1)).unwrap();
        let plan = checked(&board, seed, "the end of a visit");
        assert!(plan.visit(&order).is_none() && board.problem().orders.iter().all(|other| other.id != order));
        ended += 1;
    }
    assert!(ended > 50, "only {ended}");
}

#[test]
fn who_begins_another_visit_loses_none() {
    let (mut seen, mut told, mut kept) = (0, 0, 0);
    for seed in 0..100 {
        let (mut board, plan) = board(seed);
        let Some((later, technician, start)) = nth_visit(&plan, 1) else { continue };
        let route = plan.visit(&later).unwrap().0;
        let skipped = route.visits().next().unwrap().order.clone();
        if board.problem().orders.iter().any(|order| order.id == skipped && order.begun.is_some()) {
            continue; // It is over when another begins.
        }
        let effect = board.handle(&Event::Begun { order: later.clone() }, start.max(board.problem().now)).unwrap();
        let plan = checked(&board, seed, "a visit begun out of turn");
        assert_eq!(plan.visit(&later).unwrap().0.technician, technician, "seed {seed}");
        let is_open = plan.unassigned.iter().any(|left| left.order == skipped);
        assert!(is_open || plan.visit(&skipped).is_some(), "seed {seed}: {skipped} is gone");
        let placed = effect.assigned.iter().any(|(order, ..)| *order == skipped);
        told += usize::from(placed || effect.unassigned.contains(&skipped));
        kept += usize::from(!placed || plan.visit(&skipped).is_some());
        seen += 1;
    }
    assert!(seen > 30 && told == seen, "{told} told of {seen}");
    assert_eq!(kept, seen, "what is told to be assigned is in the plan");
}
