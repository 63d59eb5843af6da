//! Who goes, and when: one order among all visits that are promised already. No IO.

use std::collections::BTreeMap;

use dispatch::routing::{
    Board, Candidate, Offer, Plan, Problem, Promise, Route, Stop, Technician, Time, Visit, Window, WorkOrder,
};
use dispatch::{InputError, Priority, TechnicianId};
use firmware_proto::ServerTime;
use serde_json::{Value, json};

/// A promised visit begins within this time of its appointment, in seconds.
const PROMISE_S: i64 = 3_600;

/// Windows in which an order can be begun are this long, in seconds: half a day.
const HALF_DAY_S: i64 = 12 * 3_600;

/// How many of the best candidates are told of.
const TOLD: usize = 3;

/// What half a day of waiting may cost in travel, in seconds, for an order of normal priority: a
/// detour of ten minutes is made to come half a day sooner. An assumption; see [`haste`].
const WAIT_S: f64 = 600.0;

/// A technician, and the areas that he or she covers.
#[derive(Debug, Clone)]
pub(super) struct Covering {
    pub technician: Technician,
    pub areas: Vec<String>,
}

/// A visit that is promised: the order, who comes, and when.
#[derive(Debug, Clone)]
pub(super) struct Promised {
    pub order: WorkOrder,
    pub technician: TechnicianId,
    pub starts: ServerTime,
}

/// What was found for an order.
#[derive(Debug)]
pub(super) enum Match {
    /// The best visit.
    Visit {
        technician: TechnicianId,
        starts: ServerTime,
        /// In a sentence.
        why: String,
        /// The best candidates in that window, and why the others stay at home.
        explanation: Value,
    },
    /// Nobody can come within the horizon; why, by technician.
    Nobody(BTreeMap<String, String>),
}

/// Matches an order with the days ahead, which are cut into half days: the cheapest visit of each
/// is weighed against the waiting.
///
/// # Errors
/// The first field of the order, a technician or a promise that is wrong.
pub(super) fn matched(
    order: &WorkOrder,
    area: &str,
    crew: &[Covering],
    promised: &[Promised],
    now: ServerTime,
) -> Result<Match, InputError> {
    let mut excluded: BTreeMap<String, String> = BTreeMap::new();
    let mut cover = Vec::new();
    for Covering { technician, areas } in crew {
        if !areas.iter().any(|covered| covered == area) {
            excluded.insert(technician.id.to_string(), format!("does not cover the area {area}"));
        } else if technician.shifts.is_empty() {
            excluded.insert(technician.id.to_string(), "has no coming shift".to_owned());
        } else {
            cover.push(technician.clone());
        }
    }
    let board = board(cover, promised, now)?;
    let windows = half_days(board.problem());
    let offers = board.offers(order, &windows)?;
    let wait = |offer: &Offer<'_>| {
        let waits = (offer.window.start.0 - seconds(now)) as f64 / HALF_DAY_S as f64;
        offer.best.price.total_s + WAIT_S * haste(order.priority) * waits
    };
    let Some(best) = offers.iter().min_by(|a, b| wait(a).total_cmp(&wait(b))) else {
        let tried = board.candidates(order)?;
        excluded.extend(tried.excluded.iter().map(|out| (out.technician.to_string(), reasons(out))));
        return Ok(Match::Nobody(excluded));
    };
    let wanted = WorkOrder { windows: vec![best.window], ..order.clone() };
    let tried = board.candidates(&wanted)?;
    excluded.extend(tried.excluded.iter().map(|out| (out.technician.to_string(), reasons(out))));
    let told: Vec<Value> = tried.ranked.iter().take(TOLD).map(told).collect();
    Ok(Match::Visit {
        technician: best.best.technician.clone(),
        starts: ServerTime(best.best.start.0 * 1_000),
        why: sentence(&best.best, now),
        explanation: json!({ "candidates": told, "excluded": excluded, "half_days_offered": offers.len() }),
    })
}

/// How much more an early start counts than for an order of normal priority.
fn haste(priority: Priority) -> f64 {
    match priority {
        Priority::Low => 0.5,
        Priority::Normal => 1.0,
        Priority::High => 4.0,
        Priority::Urgent => 32.0,
    }
}

/// The board of what is promised. A visit that is overdue is expected at any moment.
fn board(technicians: Vec<Technician>, promised: &[Promised], now: ServerTime) -> Result<Board, InputError> {
    let mut routes: BTreeMap<(usize, usize), Vec<Visit>> = BTreeMap::new();
    let mut orders = Vec::new();
    for visit in promised {
        let start = Time(seconds(visit.starts).max(seconds(now)));
        let Some(at) = technicians.iter().position(|technician| technician.id == visit.technician) else { continue };
        let in_shift = |shift: &dispatch::routing::Shift| shift.start <= start && start <= shift.end;
        let Some(shift) = technicians[at].shifts.iter().position(in_shift) else { continue };
        let window = Window { start, end: Time(start.0 + PROMISE_S) };
        let promise = Promise { window, technician: Some(visit.technician.clone()) };
        orders.push(WorkOrder { promised: Some(promise), ..visit.order.clone() });
        routes.entry((at, shift)).or_default().push(planned(&visit.order, window));
    }
    let routes = routes.into_iter().map(|((at, shift), mut visits)| {
        visits.sort_by_key(|visit| visit.start);
        let (leave, back) = (technicians[at].shifts[shift].start, technicians[at].shifts[shift].end);
        Route {
            technician: technicians[at].id.clone(),
            shift,
            start: technicians[at].start,
            end: technicians[at].end_place(),
            leave,
            back,
            back_travel_s: 0,
            travel_s: 0,
            metres: 0.0,
            overtime_s: 0,
            stops: visits.into_iter().map(Stop::Visit).collect(),
        }
    });
    let plan = Plan { routes: routes.collect(), ..Plan::default() };
    Board::new(Problem { now: Time(seconds(now)), orders, technicians, ..Problem::default() }, &plan)
}

/// A visit as far as a board needs it.
fn planned(order: &WorkOrder, window: Window) -> Visit {
    Visit {
        order: order.id.clone(),
        place: order.place,
        window,
        arrive: window.start,
        start: window.start,
        end: Time(window.start.0 + i64::from(order.service_s)),
        travel_s: 0,
        metres: 0.0,
        lateness_risk: 0.0,
        parts_from: None,
    }
}

/// From now to the end of the last shift.
fn half_days(problem: &Problem) -> Vec<Window> {
    let ends = problem.technicians.iter().flat_map(|technician| &technician.shifts).map(|shift| shift.end.0);
    let until = ends.max().unwrap_or(problem.now.0);
    let starts = (problem.now.0..until).step_by(HALF_DAY_S as usize);
    starts.map(|start| Window { start: Time(start), end: Time(start + HALF_DAY_S - 1) }).collect()
}

fn reasons(out: &dispatch::routing::Excluded<'_>) -> String {
    out.rules().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn sentence(candidate: &Candidate<'_>, now: ServerTime) -> String {
    let hours = (candidate.start.0 - seconds(now)) as f64 / 3_600.0;
    format!("begins in {hours:.1} h; {:.0} min more on the road", candidate.price.travel_s / 60.0)
}

fn told(candidate: &Candidate<'_>) -> Value {
    json!({
        "technician": candidate.technician,
        "start_ms": candidate.start.0 * 1_000,
        "travel_s": candidate.price.travel_s.round(),
        "cost_s": candidate.price.total_s.round(),
        "why": candidate.to_string(),
    })
}

fn seconds(time: ServerTime) -> i64 {
    time.ms().div_euclid(1_000)
}

#[cfg(test)]
mod tests {
    use dispatch::Place;

    use super::*;

    const HOUR: i64 = 3_600;
    const DAY: i64 = 24 * HOUR;
    /// 8:00 on some day.
    const NOW: ServerTime = ServerTime(1_700_035_200_000);

    fn place(km: f64) -> Place {
        Place { lat: 52.5 + km / 111.2, lon: 13.4 }
    }

    /// A cooling technician who works from 8 to 17 on three days and lives so far north.
    fn technician(id: &str, km: f64) -> Covering {
        let day = |day: i64| dispatch::routing::Shift {
            start: Time(seconds(NOW) + day * DAY),
            end: Time(seconds(NOW) + day * DAY + 9 * HOUR),
            overtime_s: 0,
            breaks: Vec::new(),
        };
        let technician = Technician {
            shifts: (0..3).map(day).collect(),
            skills: vec!["cooling".into()],
            ..Technician::new(id, place(km), Window::new(0, 1))
        };
        Covering { technician, areas: vec!["north".into()] }
    }

    fn order(id: &str, km: f64, priority: Priority) -> WorkOrder {
        WorkOrder { priority, skills: vec!["cooling".into()], ..WorkOrder::new(id, place(km), HOUR as u32) }
    }

    fn visit(found: Match) -> (String, i64, Value) {
        match found {
            Match::Visit { technician, starts, explanation, .. } => {
                (technician.to_string(), starts.since_ms(NOW) / 60_000, explanation)
            }
            Match::Nobody(why) => panic!("{why:?}"),
        }
    }

    #[test]
    fn the_nearest_goes_and_the_others_are_explained() {
        let mut south = technician("south", 0.5);
        south.areas = vec!["south".into()];
        let mut gas = technician("gas", 0.2);
        gas.technician.skills = vec!["gas".into()];
        let crew = [technician("far", 20.0), technician("near", 1.0), south, gas];
        let (who, minutes, told) =
            visit(matched(&order("w", 0.0, Priority::Normal), "north", &crew, &[], NOW).unwrap());
        assert_eq!(who, "near");
        assert!(minutes < 12 * 60, "{minutes}");
        assert_eq!(told["candidates"].as_array().unwrap().len(), 2, "{told}");
        assert_eq!(told["excluded"]["south"], "does not cover the area north");
        assert!(told["excluded"]["gas"].as_str().unwrap().contains("skill"), "{told}");
    }

    #[test]
    fn what_is_promised_keeps_its_time() {
        let crew = [technician("only", 0.0)];
        let promised = |hour: i64| Promised {
            order: order(&format!("p{hour}"), 1.0, Priority::Normal),
            technician: "only".into(),
            starts: ServerTime(NOW.ms() + hour * HOUR * 1_000),
        };
        // A full first day: every promise needs its hour.
        let full: Vec<Promised> = (1..8).map(promised).collect();
        let (_, minutes, _) = visit(matched(&order("w", 1.0, Priority::Urgent), "north", &crew, &full, NOW).unwrap());
        assert!(!(60..24 * 60).contains(&minutes), "in a promised hour: {minutes}");
        // Overdue visits are made first, and do not make the day impossible.
        let overdue = [promised(-20)];
        let (_, minutes, _) =
            visit(matched(&order("w", 1.0, Priority::Urgent), "north", &crew, &overdue, NOW).unwrap());
        assert!(minutes < 9 * 60, "{minutes}");
    }

    #[test]
    fn haste_decides_between_a_detour_and_waiting() {
        let crew = [technician("only", 0.0)];
        // Tomorrow somebody is next door anyway; today it is half an hour each way.
        let tomorrow = Promised {
            order: order("p", 20.0, Priority::Normal),
            technician: "only".into(),
            starts: ServerTime(NOW.ms() + (DAY + 3 * HOUR) * 1_000),
        };
        let at = |priority| {
            visit(matched(&order("w", 20.1, priority), "north", &crew, std::slice::from_ref(&tomorrow), NOW).unwrap()).1
        };
        assert!(at(Priority::Normal) >= 24 * 60 && at(Priority::Urgent) < 9 * 60);
    }

    #[test]
    fn nobody_is_told_with_reasons() {
        let mut ill = technician("ill", 0.0);
        ill.technician.shifts.clear();
        let nobody = |crew: &[Covering]| match matched(&order("w", 0.0, Priority::Normal), "north", crew, &[], NOW) {
            Ok(Match::Nobody(why)) => why,
            other => panic!("{other:?}"),
        };
        assert!(nobody(&[]).is_empty());
        assert_eq!(nobody(&[ill])["ill"], "has no coming shift");
    }
}
