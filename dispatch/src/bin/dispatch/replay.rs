//! `dispatch replay`: a booking day. Orders come one by one in random order; each is inserted at
//! once and promised, and short searches run in between.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use dispatch::routing::engine::{Network, Plan, Route, RouteState, Settings, Stop, solve};
use dispatch::routing::model::{Job, Model, TIERS, Travel, Vehicle, VehicleSet, Window};

use crate::formats;

/// Replays a booking day and compares it with a plan made in hindsight.
#[derive(Args)]
pub struct Replay {
    /// A day in the technician format; without it a day is made up, see --orders.
    file: Option<PathBuf>,
    /// Orders of a made day.
    #[arg(long, default_value_t = 1_000)]
    orders: usize,
    /// Regions of a made day, each planned for itself.
    #[arg(long, default_value_t = 1)]
    regions: usize,
    /// Orders between two searches.
    #[arg(long, default_value_t = 20)]
    every: usize,
    /// Iterations of the searches for each order that comes.
    #[arg(long, default_value_t = 400)]
    effort: u64,
    /// Iterations of the nightly plan, after the last order, for each order.
    #[arg(long, default_value_t = 800)]
    night: u64,
    /// Iterations of the plan in hindsight for each order; 0: none is made.
    #[arg(long, default_value_t = 2_000)]
    hindsight: u64,
    /// Seed of the order in which orders come, and of the searches.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Sums over regions.
#[derive(Default)]
struct Sums {
    orders: usize,
    travel: i64,
    unserved: usize,
    cpu_s: f64,
    hindsight_travel: i64,
    hindsight_unserved: usize,
    hindsight_cpu_s: f64,
    insertions_us: Vec<u128>,
}

/// Runs the subcommand.
pub fn run(arguments: &Replay) -> Result<()> {
    if arguments.regions == 0 || arguments.every == 0 {
        bail!("--regions or --every is 0; give at least 1");
    }
    let mut sums = Sums::default();
    let mut draw = Draw(arguments.seed);
    match &arguments.file {
        Some(file) => {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(file).with_context(|| format!("reading {name}"))?;
            region(&formats::read(&name, &text)?.model, arguments, &mut draw, &mut sums)?;
        }
        None => {
            for _ in 0..arguments.regions {
                let model = made(&mut draw, arguments.orders / arguments.regions);
                region(&model, arguments, &mut draw, &mut sums)?;
            }
        }
    }
    println!(
        "replay: {} orders, {} unserved, travel {}, {:.1} CPU-s; 99 % of the insertions within {} µs",
        sums.orders,
        sums.unserved,
        sums.travel,
        sums.cpu_s,
        most_of(&mut sums.insertions_us)
    );
    if arguments.hindsight > 0 {
        println!(
            "hindsight: {} unserved, travel {}, {:.1} CPU-s; the replay travels {:.1} % more",
            sums.hindsight_unserved,
            sums.hindsight_travel,
            sums.hindsight_cpu_s,
            (sums.travel as f64 / sums.hindsight_travel as f64 - 1.0) * 100.0
        );
    }
    Ok(())
}

fn region(model: &Model, arguments: &Replay, draw: &mut Draw, sums: &mut Sums) -> Result<()> {
    let mut order: Vec<u32> = (0..model.jobs.len() as u32).collect();
    for at in (1..order.len()).rev() {
        order.swap(at, draw.below(at as u64 + 1) as usize);
    }
    let begun = cpu_s();
    let day = Day::new(model, arguments).book(&order)?;
    sums.cpu_s += cpu_s() - begun;
    sums.orders += order.len();
    sums.travel += day.plan.travel;
    sums.unserved += day.plan.unserved.len();
    sums.insertions_us.extend(day.insertions_us);
    if arguments.hindsight > 0 {
        let begun = cpu_s();
        let iterations = Some(arguments.hindsight * model.jobs.len() as u64);
        let settings = Settings { seed: arguments.seed, iterations, ..Settings::default() };
        let plan = solve(model, &settings, &|_| 0.0)?.plan;
        sums.hindsight_cpu_s += cpu_s() - begun;
        sums.hindsight_travel += plan.travel;
        sums.hindsight_unserved += plan.unserved.len();
    }
    Ok(())
}

/// A booking day of one region.
struct Day<'m> {
    model: &'m Model,
    arguments: &'m Replay,
    /// The orders that have come, as the model of the searches, and their numbers in `model`.
    known: Model,
    numbers: Vec<u32>,
    insertions_us: Vec<u128>,
    plan: Plan,
}

impl<'m> Day<'m> {
    fn new(model: &'m Model, arguments: &'m Replay) -> Self {
        let known = Model { jobs: Vec::new(), ..model.clone() };
        Self { model, arguments, known, numbers: Vec::new(), insertions_us: Vec::new(), plan: Plan::default() }
    }

    fn book(mut self, order: &[u32]) -> Result<Self> {
        let network = Network::new(self.model, &|| false)?;
        let mut state = RouteState::new(&network);
        let mut refused = false;
        for (count, &job) in (1..).zip(order) {
            self.numbers.push(job);
            let own = &self.model.jobs[job as usize];
            // Whoever has been promised a visit goes before whoever has not.
            self.known.jobs.push(Job { tier: (own.tier + 1).min(TIERS as u8 - 1), ..own.clone() });
            let begun = std::time::Instant::now();
            let best = state.best(job);
            if let Some(best) = best {
                state.insert(&best);
                self.known.jobs[count - 1].tier = 0;
            }
            self.insertions_us.push(begun.elapsed().as_micros());
            refused |= best.is_none();
            let is_last = count == order.len();
            if is_last || count % self.arguments.every == 0 || (refused && count % 5 == 0) {
                let plan = self.search(&state.plan(), is_last)?;
                state = RouteState::from_plan(&network, &plan);
                refused = false;
            }
        }
        self.plan = state.plan();
        Ok(self)
    }

    /// A short search over what is known; who is served after it is promised.
    fn search(&mut self, plan: &Plan, is_night: bool) -> Result<Plan> {
        let mut index = vec![u32::MAX; self.model.jobs.len()];
        (0..).zip(&self.numbers).for_each(|(known, &job)| index[job as usize] = known);
        let served = plan.routes.iter().map(|route| route.jobs().len()).sum::<usize>();
        let warm_unserved = self.numbers.len() - served;
        let warm = renumbered(plan, &index);
        let iterations = Some(match is_night {
            true => self.arguments.night * self.numbers.len() as u64,
            false => self.arguments.effort * self.arguments.every as u64,
        });
        let settings = Settings {
            seed: self.arguments.seed + self.numbers.len() as u64,
            iterations,
            // The night has time to begin anew; in the day the plan is only mended.
            warm: (!is_night).then_some(&warm),
            ..Settings::default()
        };
        let found = solve(&self.known, &settings, &|_| 0.0)?.plan;
        if is_night && found.unserved.len() > warm_unserved {
            return Ok(plan.clone());
        }
        for job in found.routes.iter().flat_map(Route::jobs) {
            self.known.jobs[job as usize].tier = 0;
        }
        Ok(renumbered(&found, &self.numbers))
    }
}

/// The time that 99 % of them stay within.
fn most_of(times: &mut [u128]) -> u128 {
    times.sort_unstable();
    times.get(times.len().saturating_sub(1) * 99 / 100).copied().unwrap_or(0)
}

/// A plan with its jobs under other numbers.
fn renumbered(plan: &Plan, numbers: &[u32]) -> Plan {
    let stop = |stop: &Stop| Stop { job: stop.job.map(|job| numbers[job as usize]), ..*stop };
    let route = |route: &Route| Route { stops: route.stops.iter().map(stop).collect(), ..route.clone() };
    Plan { routes: plan.routes.iter().map(route).collect(), ..Plan::default() }
}

/// A made day: a square of 40 km, five stations, one technician for ten orders, eight skills (an
/// order needs one, a technician holds half), windows of two or four hours or the whole day.
fn made(draw: &mut Draw, orders: usize) -> Model {
    const STATIONS: usize = 5;
    let points: Vec<[f64; 2]> =
        (0..STATIONS + orders).map(|_| [draw.below(40_000) as f64, draw.below(40_000) as f64]).collect();
    // A road is 1.3 times as long as the line, at 10 m/s, and parking takes two minutes.
    let seconds = |a: &[f64; 2], b: &[f64; 2]| {
        if a == b { 0 } else { ((a[0] - b[0]).hypot(a[1] - b[1]) * 0.13).ceil() as i32 + 120 }
    };
    let time = points.iter().flat_map(|a| points.iter().map(move |b| seconds(a, b))).collect();
    let skills: Vec<u64> = (0..orders.div_ceil(10)).map(|_| draw.below(256) | 1 << draw.below(8)).collect();
    let able = |skill: u64| (0..).zip(&skills).filter(move |(_, mask)| *mask >> skill & 1 == 1).map(|(index, _)| index);
    let window = |draw: &mut Draw| match draw.below(3) {
        0 => Window { open: 8 * 3600, close: 18 * 3600 },
        1 => span(8 + 2 * draw.below(5) as i32, 2),
        _ => span(8 + 4 * draw.below(2) as i32, 4),
    };
    let jobs = (0..orders).map(|index| Job {
        place: (STATIONS + index) as u32,
        service: 900 + 60 * draw.below(60) as i32,
        windows: vec![window(draw)],
        tier: draw.below(3) as u8,
        vehicles: Some(draw.below(8) as u32),
        load: vec![1],
        needs: None,
        pinned: None,
    });
    let jobs = jobs.collect();
    let vehicle = |index: usize| {
        let station = (index % STATIONS) as u32;
        Vehicle { end: Some(station), capacity: vec![12], ..Vehicle::new(station, 27_000, 64_800) }
    };
    Model {
        travel: Travel::Table { places: points.len() as u32, time, cost: Vec::new() },
        jobs,
        vehicles: (0..skills.len()).map(vehicle).collect(),
        vehicle_sets: (0..8).map(|skill| able(skill).collect::<VehicleSet>()).collect(),
        ..Model::default()
    }
}

fn span(from_hour: i32, hours: i32) -> Window {
    Window { open: from_hour * 3600, close: (from_hour + hours) * 3600 }
}

/// SplitMix64 (Steele, Lea & Flood 2014).
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// Processor seconds of this process so far; 0 where the system does not tell.
fn cpu_s() -> f64 {
    const TICKS_PER_S: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS_PER_S
}
