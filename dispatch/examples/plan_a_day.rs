//! A day from orders to promises: plan it, read why an order is left over, try what would help,
//! and take a call while the plan stands.
//!
//! `cargo run --release -p dispatch --example plan_a_day`

use dispatch::routing::{Board, Limits, Problem, Technician, Window, WorkOrder, plan, preview};
use dispatch::{InputError, Place};

const HOUR: i64 = 3600;

fn main() -> Result<(), InputError> {
    let place = |lat, lon| Place { lat, lon };
    let at_work = |id: &str, lon, skills: &[&str]| Technician {
        skills: skills.iter().map(ToString::to_string).collect(),
        ..Technician::new(id, place(52.52, lon), Window::new(8 * HOUR, 12 * HOUR))
    };
    let order = |id: &str, lon, skill: &str| WorkOrder {
        skills: vec![skill.to_owned()],
        ..WorkOrder::new(id, place(52.50, lon), 3000)
    };
    let problem = Problem {
        orders: vec![
            order("boiler", 13.31, "gas"),
            order("fridge", 13.45, "cooling"),
            order("heat pump", 13.40, "F-gas"),
        ],
        technicians: vec![at_work("Ann", 13.30, &["gas", "electric"]), at_work("Bob", 13.45, &["cooling"])],
        ..Problem::default()
    };

    // Limits by iterations give the same plan every time; a service passes its own clock as
    // `progress` instead.
    let limits = Limits::iterations(1_000);
    let planned = plan(&problem, &limits, None)?;
    for route in &planned.routes {
        let visits: Vec<String> = route.visits().map(|visit| format!("{} at {}", visit.order, visit.start)).collect();
        println!("{}: {}", route.technician, visits.join(", "));
    }

    // Nobody may touch the heat pump. What would change that, and what would it cost?
    for left in &planned.unassigned {
        println!("{} is left: {}", left.order, left.why);
        for remedy in &left.remedies {
            let mut changed = problem.clone();
            remedy.apply(&mut changed);
            let preview = preview(&changed, &planned, &limits)?;
            let gained: Vec<&str> = preview.gained.iter().map(|order| order.as_str()).collect();
            println!("  to {remedy} serves {} for {:+.0} min", gained.join(", "), preview.cost_difference_s / 60.0);
        }
    }

    // A customer calls: who can come, when, and why not the other?
    let mut board = Board::new(problem, &planned)?;
    let call = order("dryer", 13.35, "electric");
    for offer in board.offers(&call, &[Window::new(8 * HOUR, 10 * HOUR), Window::new(10 * HOUR, 12 * HOUR)])? {
        println!("dryer from {} to {}: {}", offer.window.start, offer.window.end, offer.best);
    }
    let found = board.candidates(&call)?;
    let best = found.ranked.first().map(|best| best.technician.clone());
    println!("why not Bob? {}", found.why_not(&"Bob".into()).unwrap_or_default());
    if let Some(best) = best {
        board.insert(call, &best)?;
        println!("promised; {} visits now", board.plan()?.totals.served);
    }
    Ok(())
}
