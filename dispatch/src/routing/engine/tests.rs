use super::*;
use crate::routing::model::{Break, Job, Needs, Pin, Station, TIERS, Travel, Vehicle, VehicleSet, Window};
use proptest::prelude::*;

fn job(place: u32, open: i32, close: i32) -> Job {
    Job {
        place,
        service: 5,
        windows: vec![Window { open, close }],
        tier: 0,
        vehicles: None,
        load: vec![1],
        needs: None,
        pinned: None,
    }
}

fn vehicle(until: i32) -> Vehicle {
    Vehicle { end: Some(0), capacity: vec![9], parts: vec![0], ..Vehicle::new(0, 0, until) }
}

/// Places on a line, `distance` apart.
fn line(places: u32, distance: f64) -> Travel {
    Travel::Plane { points: (0..places).map(|place| [f64::from(place) * distance, 0.0]).collect(), scale: 1.0 }
}

fn plan(model: &Model, iterations: u64) -> Plan {
    let settings = Settings { iterations: Some(iterations), ..Settings::default() };
    let plan = solve(model, &settings, &|_| 0.0).expect("a good model").plan;
    check(model, &plan);
    plan
}

/// What the model promises of a plan, found out without the engine's code.
fn check(model: &Model, plan: &Plan) {
    let mut served = vec![false; model.jobs.len()];
    assert_eq!(plan.routes.len(), model.vehicles.len());
    for (index, (route, vehicle)) in plan.routes.iter().zip(&model.vehicles).enumerate() {
        let mut pinned: Vec<_> =
            model.jobs.iter().zip(0u32..).filter_map(|(job, number)| job.pinned.map(|pin| (pin, number))).collect();
        pinned.retain(|(pin, number)| pin.vehicle == index as u32 && !plan.unserved.contains(number));
        pinned.sort();
        let leads: Vec<u32> = pinned.into_iter().map(|(_, number)| number).collect();
        assert!(route.jobs().starts_with(&leads), "pinned jobs lead their route");
        walk(model, index, vehicle, route, &mut served);
    }
    for (number, &served) in served.iter().enumerate() {
        assert_eq!(served, !plan.unserved.contains(&(number as u32)), "job {number} is served once or listed");
    }
    assert_eq!(plan.cost, plan.routes.iter().map(|route| route.cost).sum::<i64>());
}

fn walk(model: &Model, index: usize, vehicle: &Vehicle, route: &Route, served: &mut [bool]) {
    let (mut place, mut now, mut cost, mut preference) = (vehicle.start, vehicle.from, 0i64, 0i64);
    let mut load = vec![0; vehicle.capacity.len()];
    let (mut stock, mut supplied) = (vehicle.parts.clone(), 0u64);
    let mut taken: Vec<Break> = vehicle.breaks.iter().copied().filter(|pause| pause.from <= now).collect();
    let mut go = |from: u32, to: u32, mut at: i32| {
        let before = at;
        at += model.travel.time(from, to);
        for pause in &vehicle.breaks {
            if before < pause.from && at >= pause.from && !taken.contains(pause) {
                at += pause.duration;
                taken.push(*pause);
            }
        }
        at
    };
    for stop in &route.stops {
        let target = stop
            .job
            .map_or_else(|| model.stations[stop.station.unwrap() as usize].place, |job| model.jobs[job as usize].place);
        now = go(place, target, now);
        assert_eq!(stop.arrival, now, "vehicle {index}");
        cost += i64::from(model.travel.cost(place, target));
        place = target;
        let service = match stop.job {
            Some(number) => {
                let job = &model.jobs[number as usize];
                assert!(!std::mem::replace(&mut served[number as usize], true), "served twice");
                assert!(job.windows.iter().any(|window| window.open <= stop.start && stop.start <= window.close));
                assert!(job.vehicles.is_none_or(|set| model.vehicle_sets[set as usize].contains(index as u32)));
                load.iter_mut().zip(&job.load).for_each(|(sum, load)| *sum += load);
                if let Some(needs) = &job.needs
                    && needs.stations & supplied == 0
                {
                    assert_eq!(needs.tools & !vehicle.tools, 0, "a tool is missing");
                    stock.iter_mut().zip(&needs.parts).for_each(|(stock, parts)| *stock -= parts);
                }
                if !model.preference.is_empty() {
                    preference += i64::from(model.preference[number as usize * model.vehicles.len() + index]);
                }
                job.service
            }
            None => {
                supplied |= 1 << stop.station.unwrap();
                model.stations[stop.station.unwrap() as usize].service
            }
        };
        assert!(stop.start >= now && stop.depart >= stop.start + service);
        for pause in &vehicle.breaks {
            let during = stop.start < pause.from && stop.start + service > pause.until;
            assert!(!during, "a service holds a break up too long");
        }
        now = stop.depart;
    }
    assert!(stock.iter().all(|&left| left >= 0), "parts from nowhere");
    assert!(load.iter().zip(&vehicle.capacity).all(|(load, capacity)| load <= capacity));
    if !route.stops.is_empty() {
        if let Some(end) = vehicle.end {
            cost += i64::from(model.travel.cost(place, end));
        }
        assert!(route.end <= vehicle.until && route.end >= now);
        let late = i64::from((route.end - vehicle.overtime_from).max(0)) * i64::from(vehicle.overtime_rate);
        let used = cost * i64::from(vehicle.rate) + i64::from(vehicle.fixed_cost) + late;
        assert_eq!(route.cost, used + preference + duration(model, vehicle, route) * i64::from(vehicle.duration_rate));
    }
}

/// From leaving as late as reaches the end no later, to the end. For single windows and no breaks.
fn duration(model: &Model, vehicle: &Vehicle, route: &Route) -> i64 {
    if vehicle.duration_rate == 0 {
        return 0;
    }
    let place = |stop: &Stop| match stop.job {
        Some(job) => model.jobs[job as usize].place,
        None => model.stations[stop.station.unwrap() as usize].place,
    };
    let last = route.stops.last().unwrap();
    let mut latest = last.depart;
    let mut next = None;
    for stop in route.stops.iter().rev() {
        if let Some(next) = next {
            latest -= model.travel.time(place(stop), next);
        }
        let close = stop.job.map_or_else(
            || model.stations[stop.station.unwrap() as usize].window.close,
            |job| model.jobs[job as usize].windows[0].close,
        );
        latest = (latest - (stop.depart - stop.start)).min(close);
        next = Some(place(stop));
    }
    i64::from(route.end - (latest - model.travel.time(vehicle.start, next.unwrap())))
}

#[test]
fn a_line_is_driven_out_and_back_once() {
    let model = Model {
        travel: line(9, 10.0),
        jobs: (1..9).map(|place| job(place, 0, 1_000)).collect(),
        vehicles: vec![vehicle(1_000); 3],
        ..Model::default()
    };
    assert_eq!(plan(&model, 500).cost, 160);
}

#[test]
fn far_more_than_can_be_served_is_no_trouble() {
    let model = Model {
        travel: line(301, 1.0),
        jobs: (1..301).map(|place| job(place, 0, 5_000)).collect(),
        vehicles: vec![vehicle(5_000); 5],
        ..Model::default()
    };
    let found = plan(&model, 5_000);
    assert_eq!(found.unserved.len(), 300 - 5 * 9, "every vehicle is full");
    let least = 2 * (9 + 18 + 27 + 36 + 45);
    assert!(found.cost <= least + 10, "with the nearest, {least} at best: {}", found.cost);
}

#[test]
fn what_no_shift_reaches_stays_and_the_urgent_goes_first() {
    let mut jobs: Vec<Job> = (1..9).map(|place| Job { tier: 1, ..job(place, 0, 1_000) }).collect();
    jobs[7].tier = 0;
    let model = Model { travel: line(9, 10.0), jobs, vehicles: vec![vehicle(165)], ..Model::default() };
    for seed in 1..=50 {
        let settings = Settings { iterations: Some(1_000), seed, ..Settings::default() };
        let plan = solve(&model, &settings, &|_| 0.0).unwrap().plan;
        check(&model, &plan);
        assert_eq!(plan.unserved.len(), 7, "the farthest takes the whole shift, and is worth it: {seed}");
    }
}

#[test]
fn an_impossible_window_is_left_and_nothing_else() {
    let mut jobs: Vec<Job> = (1..9).map(|place| job(place, 0, 1_000)).collect();
    jobs[4].windows = vec![Window { open: 0, close: 3 }];
    let model = Model { travel: line(9, 10.0), jobs, vehicles: vec![vehicle(1_000)], ..Model::default() };
    assert_eq!(plan(&model, 500).unserved, [4]);
}

#[test]
fn a_part_is_picked_up_before_the_job_that_needs_it() {
    let mut jobs: Vec<Job> = (1..5).map(|place| job(place, 0, 1_000)).collect();
    jobs[0].needs = Some(Needs { tools: 0, parts: vec![1], stations: 1 });
    let model = Model {
        travel: line(9, 10.0),
        jobs,
        vehicles: vec![vehicle(1_000)],
        stations: vec![Station { place: 6, service: 1, window: Window { open: 0, close: 1_000 } }],
        ..Model::default()
    };
    let plan = plan(&model, 500);
    let order: Vec<_> = plan.routes[0].stops.iter().map(|stop| stop.job).collect();
    let (station, needy) = (order.iter().position(Option::is_none), order.iter().position(|&job| job == Some(0)));
    assert!(plan.unserved.is_empty() && station.unwrap() < needy.unwrap());
    assert_eq!(plan.cost, 120, "out to the station and back");
}

#[test]
fn the_same_seed_gives_the_same_plan_on_two_threads() {
    let model = Model {
        travel: line(60, 7.0),
        jobs: (1..60).map(|place| job(place, (place as i32 * 37) % 400, 900)).collect(),
        vehicles: vec![vehicle(1_000); 9],
        ..Model::default()
    };
    let settings = Settings { threads: 2, iterations: Some(3_000), ..Settings::default() };
    let [first, second] = [(); 2].map(|()| solve(&model, &settings, &|_| 0.0).unwrap().plan);
    check(&model, &first);
    assert_eq!(first, second);
}

#[test]
fn a_plan_is_improved_from_where_it_stands() {
    let model = Model {
        travel: line(40, 7.0),
        jobs: (1..40).map(|place| job(place, (place as i32 * 37) % 400, 900)).collect(),
        vehicles: vec![vehicle(1_000); 9],
        ..Model::default()
    };
    let cold = plan(&model, 300);
    let settings = Settings { iterations: Some(300), warm: Some(&cold), ..Settings::default() };
    assert!(solve(&model, &settings, &|_| 0.0).unwrap().plan.cost <= cold.cost);
}

#[test]
fn nothing_to_do_and_nobody_to_do_it() {
    assert!(plan(&Model::default(), 100).routes.is_empty());
    let model = Model { travel: line(2, 1.0), jobs: vec![Job { load: vec![], ..job(1, 0, 9) }], ..Model::default() };
    assert_eq!(plan(&model, 100).unserved, [0]);
    assert!(
        plan(&Model { travel: line(1, 1.0), vehicles: vec![vehicle(9)], ..Model::default() }, 100).unserved.is_empty()
    );
}

#[test]
fn who_is_stopped_at_once_still_answers() {
    let model = Model {
        travel: line(400, 1.0),
        jobs: (1..400).map(|place| job(place, 0, 9_000)).collect(),
        vehicles: vec![vehicle(9_000); 60],
        ..Model::default()
    };
    let outcome = solve(&model, &Settings::default(), &|_| 1.0).unwrap();
    check(&model, &outcome.plan);
}

#[test]
fn a_bad_model_is_named() {
    let model =
        Model { travel: line(2, 1.0), jobs: vec![job(2, 0, 9)], vehicles: vec![vehicle(9)], ..Model::default() };
    let error = solve(&model, &Settings::default(), &|_| 1.0).unwrap_err();
    assert_eq!(error.to_string(), "jobs[0].place: is 2; give 0 to 1");
}

prop_compose! {
    fn any_job(places: u32, vehicles: u32)(
        place in 0..places, service in 0..30i32, open in 0..300i32, length in 0..200i32, second in 0..100i32,
        tier in 0..3u8, load in 0..4i32, needy in 0..4u8, pin in 0..12u32, set in 0..4u32, two in any::<bool>(),
    ) -> Job {
        let mut windows = vec![Window { open, close: open + length }];
        if two {
            windows.push(Window { open: open + length + 1 + second, close: open + length + 60 + second });
        }
        Job {
            place, service, windows, tier, load: vec![load, 1],
            vehicles: (set < 3).then_some(set),
            needs: (needy == 0).then(|| Needs { tools: 1 + u64::from(pin % 2), parts: vec![1], stations: 1 + u64::from(pin % 3) }),
            pinned: (pin == 0).then_some(Pin { vehicle: place % vehicles, sequence: open as u32 }),
        }
    }
}

prop_compose! {
    fn any_vehicle(places: u32)(
        start in 0..places, end in 0..2 * places, from in 0..60i32, length in 0..600i32, capacity in 0..12i32,
        pause in 0..300i32, slack in 0..60i32, duration in 0..40i32, breaks in 0..3usize, tools in 0..4u64, rate in 0..3i32,
        overtime in 0..3i32,
    ) -> Vehicle {
        let all = [
            Break { from: pause, until: pause + slack, duration },
            Break { from: pause + slack + duration + 1 + slack, until: pause + 3 * slack + duration + 1, duration: duration / 2 },
        ];
        Vehicle {
            start, end: (end < places).then_some(end), capacity: vec![capacity, 6], breaks: all[..breaks].to_vec(), tools,
            parts: vec![1], rate, overtime_rate: overtime, overtime_from: from + length / 2, fixed_cost: slack,
            ..Vehicle::new(start, from, from + length)
        }
    }
}

prop_compose! {
    fn any_model()(
        points in prop::collection::vec(prop::array::uniform2(0.0..60.0f64), 8),
        jobs in prop::collection::vec(any_job(8, 3), 0..16),
        vehicles in prop::collection::vec(any_vehicle(8), 3),
        preference in prop::collection::vec(-20..20i32, 48), preferred in any::<bool>(),
    ) -> Model {
        let preference = if preferred { preference[..3 * jobs.len()].to_vec() } else { Vec::new() };
        let station = |place| Station { place, service: 3, window: Window { open: 0, close: 400 } };
        Model {
            travel: Travel::Plane { points, scale: 1.0 },
            jobs, vehicles, preference,
            stations: vec![station(1), station(2)],
            vehicle_sets: vec![[0].into_iter().collect(), [1, 2].into_iter().collect(), VehicleSet::default()],
        }
    }
}

prop_compose! {
    /// Models in which durations may cost something.
    fn any_timed_model()(mut model in any_model(), rates in prop::array::uniform3(0..3i32)) -> Model {
        model.jobs.iter_mut().for_each(|job| job.windows.truncate(1));
        for (vehicle, rate) in model.vehicles.iter_mut().zip(rates) {
            vehicle.breaks.clear();
            vehicle.overtime_rate = 0;
            vehicle.duration_rate = rate;
        }
        model
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn every_plan_keeps_every_promise(model in any_model()) {
        plan(&model, 200);
    }

    #[test]
    fn every_timed_plan_keeps_every_promise(model in any_timed_model()) {
        plan(&model, 200);
    }

    #[test]
    fn the_cheapest_place_is_found_route_by_route(model in any_timed_model()) {
        let network = Network::new(&model, &|| false).unwrap();
        let mut state = RouteState::new(&network);
        for job in (0..model.jobs.len() as u32).filter(|&job| model.jobs[job as usize].pinned.is_none()) {
            let used = (0..network.vehicles() as u32).filter(|&vehicle| state.jobs_on(vehicle) > 0);
            let best = used.filter_map(|vehicle| state.best_on(job, vehicle)).map(|found| found.cost).min();
            prop_assert_eq!(state.best_anywhere(job, i64::MAX).map(|found| found.cost), best);
            if let Some(insertion) = state.best(job) {
                state.insert(&insertion);
            }
        }
    }

    #[test]
    fn an_insertion_costs_what_its_test_said(model in prop_oneof![any_model(), any_timed_model()]) {
        let network = Network::new(&model, &|| false).unwrap();
        let mut state = RouteState::new(&network);
        for job in 0..model.jobs.len() as u32 {
            let before = state.cost();
            if let Some(insertion) = if state.is_served(job) { None } else { state.best(job) } {
                state.insert(&insertion);
                // Overtime is an estimate where breaks or second windows swallow a delay.
                if model.vehicles[insertion.vehicle as usize].overtime_rate == 0 {
                    prop_assert_eq!(state.cost() - before, insertion.cost);
                }
                let (cost, plan) = (state.cost(), state.plan());
                state.mark();
                state.remove(job);
                state.roll_back();
                prop_assert_eq!(state.cost(), cost);
                prop_assert_eq!(state.plan(), plan);
            }
        }
        check(&model, &state.plan());
        prop_assert_eq!(state.unserved().iter().sum::<u32>() as usize, state.absent().len());
        prop_assert_eq!(state.unserved().len(), TIERS);
    }
}

/// Jobs of which every vehicle could hold all, but does one in time: so many as there are.
#[test]
fn few_routes_are_only_how_it_begins() {
    let alone =
        |place| Job { windows: vec![Window { open: 10 * place as i32, close: 10 * place as i32 }], ..job(place, 0, 0) };
    let model = Model {
        travel: line(30, 10.0),
        jobs: (1..30).map(alone).map(|job| Job { service: 1_000, ..job }).collect(),
        vehicles: vec![Vehicle { capacity: vec![100], ..vehicle(9_000) }; 40],
        ..Model::default()
    };
    let (plan, all) = (plan(&model, 3_000), (1..30).map(|place| 20 * place).sum::<i64>());
    assert_eq!((plan.unserved.len(), plan.cost), (0, all));
}

/// Two routes from the corner of a right angle, each with the far end of the other.
fn crossed() -> (Model, Plan) {
    let points = vec![[0.0, 0.0], [10.0, 0.0], [20.0, 0.0], [0.0, 10.0], [0.0, 20.0]];
    let model = Model {
        travel: Travel::Plane { points, scale: 1.0 },
        jobs: (1..5).map(|place| job(place, 0, 1_000)).collect(),
        vehicles: vec![vehicle(1_000); 2],
        ..Model::default()
    };
    let stop = |job| Stop { job: Some(job), station: None, arrival: 0, start: 0, depart: 0 };
    let route = |jobs: [u32; 2]| Route { stops: jobs.map(stop).to_vec(), ..Route::default() };
    let plan = Plan { routes: vec![route([0, 3]), route([2, 1])], ..Plan::default() };
    (model, plan)
}

fn exchanged(model: &Model, plan: &Plan) -> Plan {
    let network = Network::new(model, &|| false).unwrap();
    let mut state = RouteState::from_plan(&network, plan);
    state.exchange_ends(&mut vec![0]);
    let plan = state.plan();
    check(model, &plan);
    plan
}

#[test]
fn crossed_routes_exchange_their_ends() {
    let (model, plan) = crossed();
    let plan = exchanged(&model, &plan);
    assert_eq!(plan.cost, 80, "{plan:?}");
    assert_eq!(plan.unserved, Vec::<u32>::new());
}

#[test]
fn ends_stay_where_skills_pins_or_load_hold_them() {
    let (mut model, plan) = crossed();
    let before = exchanged(&Model { vehicles: vec![vehicle(70), vehicle(1_000)], ..model.clone() }, &plan);
    assert_eq!(before.routes[0].jobs(), [0, 3], "the shifts end apart");
    model.vehicle_sets = vec![[0].into_iter().collect()];
    model.jobs[3].vehicles = Some(0);
    assert_eq!(exchanged(&model, &plan).routes[0].jobs(), [0, 3], "only the first may do the last job");
    let (mut model, plan) = crossed();
    model.jobs[1].load = vec![9];
    model.jobs[2].load = vec![0];
    assert_eq!(exchanged(&model, &plan).routes[0].jobs(), [0, 3], "no room for the heavy one");
    let (mut model, plan) = crossed();
    for (number, sequence) in [(0, 0), (3, 1)] {
        model.jobs[number].pinned = Some(Pin { vehicle: 0, sequence });
    }
    assert_eq!(exchanged(&model, &plan).routes[0].jobs(), [0, 3], "pinned jobs stay");
}
