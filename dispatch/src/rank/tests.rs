use std::time::Instant;

use proptest::prelude::*;

use super::*;
use crate::{DailyShift, Place, TimeWindow};

/// 2024-01-01, a Monday, 8:00 UTC: the day's shift begins.
const NOW: ServerTime = ServerTime(1_704_096_000_000);

fn order() -> Order {
    Order {
        id: "wo-1".into(),
        place: Place { lat: 52.50, lon: 13.40 },
        skills: vec!["gas".into()],
        area: "north".into(),
        priority: Priority::Normal,
        service_min: 60,
        window: None,
        needs: vec![],
        kit: vec![],
    }
}

/// At the order's door, with one skill and nothing to do.
fn technician(id: &str) -> Technician {
    Technician {
        id: id.into(),
        name: id.to_uppercase(),
        place: Place { lat: 52.50, lon: 13.40 },
        skills: vec!["gas".into()],
        areas: vec!["north".into()],
        shifts: DailyShift::EVERY_DAY.windows(NOW, 3).unwrap(),
        capacity_per_day: 6,
        assigned: 0,
        rating: 4.0,
        van: format!("van-{id}").as_str().into(),
        van_stock: vec![],
    }
}

fn with(id: &str, change: impl FnOnce(&mut Technician)) -> Technician {
    let mut technician = technician(id);
    change(&mut technician);
    technician
}

fn rank_now(order: &Order, technicians: &[Technician]) -> Ranking {
    rank(order, technicians, &Weights::default(), &TravelModel::default(), NOW).unwrap()
}

fn ids(ranking: &Ranking) -> Vec<&str> {
    ranking.candidates.iter().map(|c| c.technician.as_str()).collect()
}

fn minutes(from: i64, to: i64) -> TimeWindow {
    TimeWindow { start: NOW.plus_ms(from * MINUTE_MS), end: NOW.plus_ms(to * MINUTE_MS) }
}

fn start_min(order: &Order, technician: Technician) -> i64 {
    let ranking = rank_now(order, &[technician]);
    ranking.candidates[0].earliest_start.since_ms(NOW) / MINUTE_MS
}

fn reason(order: &Order, technician: Technician) -> String {
    let ranking = rank_now(order, &[technician]);
    assert_eq!(ranking.candidates, []);
    ranking.excluded[0].reason.to_string()
}

#[test]
fn each_term_decides_when_all_else_is_equal() {
    type Change = fn(&mut Technician);
    let mut kit_order = order();
    kit_order.kit = vec![PartNeed::new("igniter", 2), PartNeed::new("seal", 1)];
    let worse_by: [(&str, Change); 6] = [
        ("farther", |t| t.place.lat += 0.1),
        ("busier", |t| t.assigned = 1),
        ("rated lower", |t| t.rating = 3.9),
        ("more skilled", |t| t.skills.push("cooling".into())),
        ("less in the van", |t| t.van_stock = vec![PartNeed::new("igniter", 1), PartNeed::new("seal", 1)]),
        ("later on duty", |t| t.shifts.remove(0).end = NOW),
    ];
    for (what, change) in worse_by {
        let stocked = |t: &mut Technician| t.van_stock = kit_order.kit.clone();
        // The better one comes second by id, so that a tie would show.
        let worse = with("a", |t| {
            stocked(t);
            change(t);
        });
        let ranking = rank_now(&kit_order, &[worse, with("b", stocked)]);
        assert_eq!(ids(&ranking), ["b", "a"], "{what}");
    }
}

#[test]
fn equal_technicians_go_by_id() {
    let ranking = rank_now(&order(), &[technician("b"), technician("c"), technician("a")]);
    assert_eq!(ids(&ranking), ["a", "b", "c"]);
}

#[test]
fn an_urgent_order_prefers_who_is_there_first() {
    let near_later = with("near", |t| t.shifts.drain(..1).for_each(drop));
    let far_now = with("far", |t| t.place.lat += 0.5);
    let team = [near_later, far_now];
    let mut order = order();
    assert_eq!(ids(&rank_now(&order, &team)), ["near", "far"]);
    order.priority = Priority::Urgent;
    assert_eq!(ids(&rank_now(&order, &team)), ["far", "near"]);
}

#[test]
fn open_visits_are_done_first() {
    // Six slots of 90 min in a shift of 9 h; travel to the door costs the 5 min of a stop.
    for (assigned, expected_min) in [(0, 5), (1, 95), (4, 365), (5, 455), (6, 24 * 60 + 5), (13, 48 * 60 + 95)] {
        assert_eq!(start_min(&order(), with("a", |t| t.assigned = assigned)), expected_min, "{assigned} assigned");
    }
    // 30 min of work fit after the last slot's start; 90 min do not, and move to the next day.
    let mut long = order();
    long.service_min = 90;
    assert_eq!(start_min(&long, with("a", |t| t.assigned = 5)), 24 * 60 + 5);
}

#[test]
fn work_begins_within_the_window_and_the_shift() {
    let mut order = order();
    order.window = Some(minutes(120, 180));
    assert_eq!(start_min(&order, technician("a")), 120, "waits for the window");
    assert_eq!(start_min(&order, with("a", |t| t.assigned = 1)), 120, "time enough");
    order.service_min = 8 * 60;
    order.window = Some(minutes(60, 25 * 60));
    assert_eq!(start_min(&order, technician("a")), 60, "ends with the shift");
    assert_eq!(start_min(&order, with("a", |t| t.assigned = 1)), 24 * 60 + 5, "would end after it");
}

#[test]
fn who_may_not_go_hears_the_first_rule() {
    let mut windowed = order();
    windowed.window = Some(minutes(60, 120));
    let mut long = order();
    long.service_min = 600;
    for (order, technician, expected) in [
        (order(), with("a", |t| t.skills = vec!["cooling".into()]), "lacks the skills gas"),
        (order(), with("a", |t| t.areas = vec!["south".into()]), "does not cover the area north"),
        (order(), with("a", |t| t.capacity_per_day = 0), "0 open visits at 0 a day fill all coming shifts"),
        (order(), with("a", |t| t.assigned = 18), "18 open visits at 6 a day fill all coming shifts"),
        (order(), with("a", |t| t.shifts.clear()), "has no coming shift"),
        (order(), with("a", |t| t.shifts = vec![minutes(-600, 0)]), "has no coming shift"),
        (long, technician("a"), "none of 3 coming shifts has room for 605 min of travel and work"),
        (windowed, with("a", |t| t.assigned = 2), "could begin 65 min after the window ends"),
    ] {
        assert_eq!(reason(&order, technician), expected);
    }
}

#[test]
fn a_candidate_explains_itself() {
    let mut order = order();
    order.kit = vec![PartNeed::new("igniter", 1), PartNeed::new("seal", 1)];
    let technician = with("a", |t| {
        t.place.lat += 0.1;
        t.skills.push("cooling".into());
        t.van_stock = vec![PartNeed::new("seal", 3)];
    });
    let best = &rank_now(&order, &[technician]).candidates[0];
    let facts = "14.5 km, 30 min away; can begin in 0.5 h; 0 open visits at 6 a day; rated 4.0; 1 skills to spare; \
                 1 of 2 kit parts in the van";
    assert_eq!(best.why, facts);
    let names: Vec<_> = best.terms.iter().map(|t| t.name).collect();
    use TermName::*;
    assert_eq!(names, [Distance, Wait, Load, Rating, SkillSurplus, Parts]);
    let sum: f64 = best.terms.iter().map(|t| t.value * t.weight).sum();
    let weight: f64 = best.terms.iter().map(|t| t.weight).sum();
    assert!((best.score - sum / weight).abs() < 1e-12);
}

#[test]
fn bad_input_is_named() {
    type Change = fn(&mut Order, &mut Vec<Technician>, &mut Weights, &mut TravelModel);
    let cases: [(Change, &str); 16] = [
        (|o, _, _, _| o.place.lat = f64::NAN, "order.place.lat: is NaN; give a finite number"),
        (|o, _, _, _| o.place.lon = 181.0, "order.place.lon: is 181; give -180 to 180"),
        (|o, _, _, _| o.skills.clear(), "order.skills: is empty; give at least one"),
        (|o, _, _, _| o.area = " ".into(), "order.area: is empty; give at least one"),
        (|o, _, _, _| o.service_min = 0, "order.service_min: is 0; give 1 to 1440"),
        (|o, _, _, _| o.id = "a\nb".into(), r#"order.id: "a\nb" has a control character; use printable text"#),
        (
            |o, _, _, _| o.window = Some(TimeWindow { start: ServerTime(2), end: ServerTime(1) }),
            "order.window: ends (1) too early for its start (2)",
        ),
        (|o, _, _, _| o.kit = vec![PartNeed::new("x", 0)], "order.kit[0].quantity: is 0; give 1 to 1000"),
        (
            |o, _, _, _| o.kit = vec![PartNeed::new("x", 1), PartNeed::new("x", 2)],
            r#"order.kit[1].part: "x" is given twice; give each once"#,
        ),
        (|_, t, _, _| t[1].skills = vec!["".into()], "technicians[1].skills[0]: is empty; give at least one"),
        (|_, t, _, _| t[0].place.lat = f64::INFINITY, "technicians[0].place.lat: is inf; give a finite number"),
        (|_, t, _, _| t[1].rating = -1.0, "technicians[1].rating: is -1; give 0 to 5"),
        (|_, t, _, _| t[1].id = "a".into(), r#"technicians[1].id: "a" is given twice; give each once"#),
        (
            |_, t, _, _| t[0].shifts.swap(0, 1),
            "technicians[0].shifts[1]: begins before the one before it ends; sort them and let none overlap",
        ),
        (|_, _, w, _| w.load = -0.5, "weights.load: is -0.5; give 0 to 1000"),
        (|_, _, _, m| m.speed_kmh = 0.0, "travel.speed_kmh: is 0; give 1 to 200"),
    ];
    for (change, expected) in cases {
        let (mut order, mut team) = (order(), vec![technician("a"), technician("b")]);
        let (mut weights, mut travel) = (Weights::default(), TravelModel::default());
        change(&mut order, &mut team, &mut weights, &mut travel);
        assert_eq!(rank(&order, &team, &weights, &travel, NOW).unwrap_err().to_string(), expected);
    }
}

#[test]
fn json_says_what_it_cannot_read() {
    let text = serde_json::to_string(&technician("a")).unwrap();
    assert_eq!(serde_json::from_str::<Technician>(&text).unwrap(), technician("a"));
    let negative = text.replace("\"capacity_per_day\":6", "\"capacity_per_day\":-6");
    assert!(serde_json::from_str::<Technician>(&negative).unwrap_err().to_string().contains("-6"));
    let unknown = text.replace("capacity_per_day", "capacity");
    assert!(serde_json::from_str::<Technician>(&unknown).unwrap_err().to_string().contains("unknown field `capacity`"));
}

#[test]
fn a_ranking_survives_json() {
    let team = [technician("a"), with("b", |t| t.capacity_per_day = 0)];
    let ranking = rank_now(&order(), &team);
    let text = serde_json::to_string(&ranking).unwrap();
    let read: Ranking = serde_json::from_str(&text).unwrap();
    assert_eq!(ids(&read), ids(&ranking));
    assert_eq!(read.candidates[0].terms[4], ranking.candidates[0].terms[4]);
    assert_eq!(read.excluded, ranking.excluded);
    assert!(text.contains(r#""reason":{"rule":"capacity","assigned":0,"capacity_per_day":0}"#), "{text}");
}

#[test]
fn nobody_to_rank_is_no_error() {
    assert_eq!(rank_now(&order(), &[]), Ranking { candidates: vec![], excluded: vec![] });
}

#[test]
fn weights_of_zero_leave_the_tie_break() {
    let weights = Weights { distance: 0.0, wait: 0.0, load: 0.0, rating: 0.0, skill_surplus: 0.0, parts: 0.0 };
    let team = [with("far", |t| t.place.lat += 0.5), technician("near")];
    let ranking = rank(&order(), &team, &weights, &TravelModel::default(), NOW).unwrap();
    assert_eq!(ids(&ranking), ["near", "far"]);
}

#[test]
fn extreme_times_do_not_overflow() {
    let forever = TimeWindow { start: ServerTime(i64::MIN), end: ServerTime(i64::MAX) };
    let mut order = order();
    order.window = Some(forever);
    let team = [with("a", |t| {
        t.shifts = vec![forever];
        t.assigned = u32::MAX;
    })];
    for now in [i64::MIN, -1, 0, i64::MAX] {
        rank(&order, &team, &Weights::default(), &TravelModel::default(), ServerTime(now)).unwrap();
    }
}

/// A limit far above what is measured, so that only a change of order fails it.
#[test]
fn two_thousand_technicians_are_ranked_at_once() {
    let team: Vec<_> = (0..2_000)
        .map(|i| {
            with(&format!("t{i:04}"), |t| {
                t.place.lat += f64::from(i % 50) / 100.0;
                t.place.lon += f64::from(i / 50) / 100.0;
                t.assigned = i as u32 % 12;
                t.rating = f64::from(i % 6);
            })
        })
        .collect();
    let mut micros: Vec<_> = (0..20)
        .map(|_| {
            let started = Instant::now();
            assert_eq!(rank_now(&order(), &team).candidates.len(), 2_000);
            started.elapsed().as_micros()
        })
        .collect();
    micros.sort_unstable();
    println!("2,000 technicians ranked and explained in {} µs (median of 20)", micros[10]);
    assert!(micros[10] < 500_000, "{micros:?}");
}

fn any_technician() -> impl Strategy<Value = Technician> {
    let names = |all: &'static [&'static str]| prop::sample::subsequence(all, 1..=all.len());
    let skills = names(&["gas", "cooling", "electric"]);
    let areas = names(&["north", "south"]);
    let place = (52.0..53.0, 13.0..14.0);
    let shifts = (0_usize..4, 0_u32..20, 1_u32..10);
    (skills, areas, place, shifts, 0_u32..8, 0_u32..30, 0.0..=5.0).prop_map(
        |(skills, areas, (lat, lon), (days, from_h, hours), capacity_per_day, assigned, rating)| {
            let daily = DailyShift { start_min: from_h * 60, end_min: (from_h + hours) * 60, ..DailyShift::EVERY_DAY };
            with("x", |t| {
                t.skills = skills.into_iter().map(Into::into).collect();
                t.areas = areas.into_iter().map(Into::into).collect();
                t.place = Place { lat, lon };
                t.shifts = daily.windows(NOW, days as u32).unwrap();
                (t.capacity_per_day, t.assigned, t.rating) = (capacity_per_day, assigned, rating);
            })
        },
    )
}

fn any_team() -> impl Strategy<Value = Vec<Technician>> {
    prop::collection::vec(any_technician(), 0..20).prop_map(|mut team| {
        team.iter_mut().enumerate().for_each(|(i, t)| t.id = format!("t{i:02}").into());
        team
    })
}

fn any_order() -> impl Strategy<Value = Order> {
    let window = prop::option::of((0_i64..4_000, 0_i64..2_000));
    let priority = prop::sample::select(vec![Priority::Low, Priority::Normal, Priority::High, Priority::Urgent]);
    (1_u32..300, window, priority).prop_map(|(service_min, window, priority)| {
        let window = window.map(|(from, length)| minutes(from, from + length));
        Order { service_min, window, priority, ..order() }
    })
}

proptest! {
    #[test]
    fn the_order_of_the_list_does_not_matter(order in any_order(), team in any_team(), seed in any::<u64>()) {
        let mut shuffled = team.clone();
        shuffled.sort_by_key(|t| t.id.as_str().bytes().fold(seed, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)));
        prop_assert_eq!(rank_now(&order, &team), rank_now(&order, &shuffled));
    }

    #[test]
    fn everybody_ranks_or_is_excluded_and_the_rules_hold(order in any_order(), team in any_team()) {
        let ranking = rank_now(&order, &team);
        prop_assert_eq!(ranking.candidates.len() + ranking.excluded.len(), team.len());
        for candidate in &ranking.candidates {
            prop_assert!(ranking.excluded.iter().all(|e| e.technician != candidate.technician));
            prop_assert!((0.0..=1.0 + 1e-9).contains(&candidate.score));
            let technician = team.iter().find(|t| t.id == candidate.technician).unwrap();
            prop_assert!(technician.skills.contains(&order.skills[0]) && technician.areas.contains(&order.area));
            let (start, service_ms) = (candidate.earliest_start, i64::from(order.service_min) * MINUTE_MS);
            prop_assert!(technician.shifts.iter().any(|s| s.start <= start && start.plus_ms(service_ms) <= s.end));
            prop_assert!(order.window.is_none_or(|w| w.start <= start && start <= w.end));
            prop_assert!(start > NOW);
        }
        for pair in ranking.candidates.windows(2) {
            prop_assert!(pair[0].score >= pair[1].score);
        }
    }

    #[test]
    fn more_load_never_improves_the_score(order in any_order(), technician in any_technician(), more in 1_u32..10) {
        let busier = Technician { assigned: technician.assigned + more, ..technician.clone() };
        let (before, after) = (rank_now(&order, &[technician]), rank_now(&order, &[busier]));
        match (before.candidates.first(), after.candidates.first()) {
            (Some(before), Some(after)) => {
                prop_assert!(after.score < before.score);
                prop_assert!(after.earliest_start >= before.earliest_start);
            }
            (None, after) => prop_assert!(after.is_none(), "load made a technician fit"),
            _ => {}
        }
    }
}
