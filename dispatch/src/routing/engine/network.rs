//! A [`Model`] made flat for the search: nodes, arcs, and each job's neighbours.

use super::locality;
use super::neighbours::Neighbours;
use crate::InputError;
use crate::routing::model::{Break, Job, Model, Needs, Travel, Vehicle, VehicleSet, Window, length};

/// Places beyond which travel is computed when asked for, instead of from a table.
const TABLE_PLACES: usize = 6_000;

/// A visit that can stand in a route: a job, a vehicle's start or end, or a stop at a station.
pub type Node = u32;
/// No node, no route.
pub const NONE: u32 = u32::MAX;

/// Time and cost of one leg.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arc {
    /// Travel time.
    pub time: i32,
    /// Travel cost.
    pub cost: i32,
}

/// Legs between one place and all others, one way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    time: &'a [i32],
    cost: &'a [i32],
}

impl Row<'_> {
    #[inline]
    pub fn time(&self, place: u32) -> i32 {
        self.time[place as usize]
    }

    #[inline]
    pub fn cost(&self, place: u32) -> i32 {
        self.cost[place as usize]
    }

    #[inline]
    pub fn arc(&self, place: u32) -> Arc {
        Arc { time: self.time(place), cost: self.cost(place) }
    }
}

/// Square tables of legs. A table that would repeat another is left empty, for the cache's sake.
#[derive(Debug, Default)]
struct Tables {
    width: usize,
    time: Vec<i32>,
    /// Empty: the same as the times.
    cost: Vec<i32>,
    /// The tables turned over. Empty: the same both ways.
    back_time: Vec<i32>,
    back_cost: Vec<i32>,
}

impl Tables {
    #[inline]
    fn row(&self, place: u32) -> Row<'_> {
        self.row_of(&self.time, &self.cost, place)
    }

    fn back_row(&self, place: u32) -> Row<'_> {
        self.row_of(&self.back_time, &self.back_cost, place)
    }

    #[inline]
    fn row_of<'a>(&self, time: &'a [i32], cost: &'a [i32], place: u32) -> Row<'a> {
        let range = place as usize * self.width..(place as usize + 1) * self.width;
        let time = &time[range.clone()];
        Row { time, cost: if cost.is_empty() { time } else { &cost[range] } }
    }
}

/// What never changes about a node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site {
    pub place: u32,
    pub open: i32,
    pub close: i32,
    pub service: i32,
    /// Load in the first dimension.
    pub load: i32,
}

/// A checked model with the tables that the engine reads in its loops.
///
/// Nodes are numbered: the jobs as in the model, then each vehicle's start, each vehicle's
/// end, then each vehicle's stops at stations.
pub struct Network<'m> {
    pub(crate) model: &'m Model,
    pub(crate) sites: Vec<Site>,
    /// From each place to each; empty when there are too many places.
    tables: Tables,
    places: usize,
    /// Place of a route that ends wherever its last visit is.
    nowhere: u32,
    /// The model's number of each place: here places are numbered so that close ones have close numbers.
    order: Vec<u32>,
    /// Where they lie on a plane.
    points: Vec<[f64; 2]>,
    pub(crate) near: Neighbours,
    /// One window per job, no breaks: arrival, start and departure are sums and maxima.
    pub(crate) plain: bool,
    pub(crate) has_needs: bool,
    picky: Vec<bool>,
    /// Plain times, one dimension of load, no overtime, no preferences.
    pub(crate) swift: bool,
    pub(crate) has_overtime: bool,
    pub(crate) has_duration: bool,
    /// Capacity dimensions, kinds of parts.
    pub(crate) dimensions: usize,
    pub(crate) kinds: usize,
    /// For each vehicle, the first that equals it in everything.
    pub(crate) class: Vec<u32>,
    /// Travel cost of a job from the nearest start.
    pub(crate) home: Vec<i32>,
}

impl<'m> Network<'m> {
    /// Checks a model and prepares it. `stop` is asked now and then; once it says yes the
    /// neighbours that are still missing stay missing, which costs quality only.
    ///
    /// # Errors
    ///
    /// What [`Model::check`] finds.
    pub fn new(model: &'m Model, stop: &dyn Fn() -> bool) -> Result<Self, InputError> {
        model.check()?;
        let (dimensions, kinds) = model.dimensions();
        let order = locality::chain(&model.travel);
        let points = match &model.travel {
            Travel::Plane { points, .. } => order.iter().map(|&place| points[place as usize]).collect(),
            Travel::Table { .. } => Vec::new(),
        };
        let mut network = Self {
            model,
            sites: Vec::new(),
            order,
            points,
            tables: Tables::default(),
            places: model.travel.places(),
            nowhere: model.travel.places() as u32,
            near: Neighbours::default(),
            plain: model.is_plain(),
            has_needs: model.jobs.iter().any(|job| job.needs.is_some()),
            picky: {
                let pins = model.jobs.iter().any(|job| job.pinned.is_some());
                model.jobs.iter().map(|job| pins || job.vehicles.is_some() || job.needs.is_some()).collect()
            },
            has_duration: model.vehicles.iter().any(|vehicle| vehicle.duration_rate > 0),
            has_overtime: model.vehicles.iter().any(|vehicle| vehicle.overtime_rate > 0),
            swift: false,
            dimensions,
            kinds,
            class: classes(model),
            home: Vec::new(),
        };
        network.sites = sites(model, &network.order);
        network.tables = network.tables();
        network.swift = network.plain
            && dimensions == 1
            && !network.has_overtime
            && !network.has_duration
            && model.preference.is_empty();
        network.home = network.homes();
        network.near = Neighbours::new(&network, stop);
        Ok(network)
    }

    /// Number of jobs.
    pub fn jobs(&self) -> usize {
        self.model.jobs.len()
    }

    /// Number of vehicles; routes have their numbers.
    pub fn vehicles(&self) -> usize {
        self.model.vehicles.len()
    }

    /// The node a vehicle's route begins with.
    pub fn start(&self, vehicle: u32) -> Node {
        (self.jobs() + vehicle as usize) as u32
    }

    /// The node a vehicle's route ends with.
    pub fn end(&self, vehicle: u32) -> Node {
        (self.jobs() + self.vehicles() + vehicle as usize) as u32
    }

    /// The node of a vehicle's stop at a station.
    pub fn stop(&self, vehicle: u32, station: u32) -> Node {
        (self.jobs() + 2 * self.vehicles() + vehicle as usize * self.model.stations.len() + station as usize) as u32
    }

    /// The station of a stop.
    pub(crate) fn station(&self, node: Node) -> Option<u32> {
        let stop = (node as usize).checked_sub(self.jobs() + 2 * self.vehicles())?;
        let stations = self.model.stations.len();
        if stop < self.vehicles() * stations { Some((stop % stations) as u32) } else { None }
    }

    /// Whether the node is a job.
    pub fn is_job(&self, node: Node) -> bool {
        (node as usize) < self.jobs()
    }

    /// Time and cost from node to node.
    #[inline]
    pub fn arc(&self, from: Node, to: Node) -> Arc {
        self.between(self.sites[from as usize].place, self.sites[to as usize].place)
    }

    /// Time and cost from place to place.
    #[inline]
    pub(crate) fn between(&self, from: u32, to: u32) -> Arc {
        if self.tables.time.is_empty() { self.compute(from, to) } else { self.tables.row(from).arc(to) }
    }

    /// The legs from a place, and the legs to it; `None` when there are too many places for tables.
    #[inline]
    pub(crate) fn rows(&self, place: u32) -> Option<(Row<'_>, Row<'_>)> {
        if self.tables.time.is_empty() {
            return None;
        }
        let out = self.tables.row(place);
        let back = if self.tables.back_time.is_empty() { out } else { self.tables.back_row(place) };
        Some((out, back))
    }

    pub(crate) fn compute(&self, from: u32, to: u32) -> Arc {
        if from == self.nowhere || to == self.nowhere {
            return Arc::default();
        }
        let (from, to) = (from as usize, to as usize);
        let (time, cost) = match &self.model.travel {
            Travel::Plane { scale, .. } => {
                let length = length(self.points[from], self.points[to], *scale);
                (length, length)
            }
            table @ Travel::Table { .. } => table.leg(self.order[from], self.order[to]),
        };
        Arc { time, cost }
    }

    fn tables(&self) -> Tables {
        if self.places > TABLE_PLACES {
            return Tables::default();
        }
        let pairs = || (0..=self.nowhere).flat_map(|from| (0..=self.nowhere).map(move |to| (from, to)));
        let arcs: Vec<Arc> = pairs().map(|(from, to)| self.compute(from, to)).collect();
        let same = arcs.iter().all(|arc| arc.time == arc.cost);
        let width = self.places + 1;
        let back = |(from, to): (u32, u32)| arcs[to as usize * width + from as usize];
        let symmetric = pairs().zip(&arcs).all(|(pair, &arc)| back(pair) == arc);
        Tables {
            width,
            time: arcs.iter().map(|arc| arc.time).collect(),
            cost: if same { Vec::new() } else { arcs.iter().map(|arc| arc.cost).collect() },
            back_time: if symmetric { Vec::new() } else { pairs().map(|pair| back(pair).time).collect() },
            back_cost: if symmetric || same { Vec::new() } else { pairs().map(|pair| back(pair).cost).collect() },
        }
    }

    fn homes(&self) -> Vec<i32> {
        let place = |node: Node| self.sites[node as usize].place;
        let mut starts: Vec<u32> = (0..self.vehicles() as u32).map(|vehicle| place(self.start(vehicle))).collect();
        starts.sort_unstable();
        starts.dedup();
        let nearest = |job| starts.iter().map(|&start| self.between(start, place(job)).cost).min().unwrap_or(0);
        (0..self.jobs() as u32).map(nearest).collect()
    }

    /// Mean rate of the vehicles, at least 1.
    pub(crate) fn mean_rate(&self) -> i32 {
        let sum: i64 = self.model.vehicles.iter().map(|vehicle| i64::from(vehicle.rate)).sum();
        (sum / self.vehicles().max(1) as i64).max(1) as i32
    }

    pub(crate) fn job(&self, job: Node) -> &'m Job {
        &self.model.jobs[job as usize]
    }

    pub(crate) fn vehicle(&self, vehicle: u32) -> &'m Vehicle {
        &self.model.vehicles[vehicle as usize]
    }

    pub(crate) fn needs(&self, job: Node) -> Option<&'m Needs> {
        if self.is_job(job) { self.job(job).needs.as_ref() } else { None }
    }

    /// The windows of a node; a start, end or station has one.
    pub(crate) fn windows(&self, node: Node) -> Option<&'m [Window]> {
        self.model.jobs.get(node as usize).map(|job| job.windows.as_slice())
    }

    pub(crate) fn breaks(&self, vehicle: u32) -> &'m [Break] {
        &self.vehicle(vehicle).breaks
    }

    pub(crate) fn set(&self, job: Node) -> Option<&'m VehicleSet> {
        self.job(job).vehicles.map(|set| &self.model.vehicle_sets[set as usize])
    }

    /// Whether a vehicle may do a job at all.
    #[inline]
    pub fn allows(&self, job: Node, vehicle: u32) -> bool {
        self.set(job).is_none_or(|set| set.contains(vehicle))
    }

    /// Whether more than load and time decides where a job can go.
    #[inline]
    pub(crate) fn is_picky(&self, job: Node) -> bool {
        self.picky[job as usize]
    }

    /// What a job adds to the cost on a vehicle, wherever it stands.
    #[inline]
    pub(crate) fn preference(&self, job: Node, vehicle: u32) -> i64 {
        if self.model.preference.is_empty() {
            return 0;
        }
        self.model.preference[job as usize * self.vehicles() + vehicle as usize].into()
    }
}

/// The nodes, with places renumbered as in `order`.
fn sites(model: &Model, order: &[u32]) -> Vec<Site> {
    let mut number = vec![0; order.len()];
    order.iter().zip(0..).for_each(|(&place, at)| number[place as usize] = at);
    let nowhere = order.len() as u32;
    let jobs = model.jobs.iter().map(|job| Site {
        place: number[job.place as usize],
        open: job.windows[0].open,
        close: job.windows[job.windows.len() - 1].close,
        service: job.service,
        load: job.load.first().copied().unwrap_or(0),
    });
    let depot =
        |place, vehicle: &Vehicle| Site { place, open: vehicle.from, close: vehicle.until, service: 0, load: 0 };
    let starts = model.vehicles.iter().map(|vehicle| depot(number[vehicle.start as usize], vehicle));
    let ends =
        model.vehicles.iter().map(|vehicle| depot(vehicle.end.map_or(nowhere, |end| number[end as usize]), vehicle));
    let stops = model.vehicles.iter().flat_map(|_| {
        model.stations.iter().map(|station| Site {
            place: number[station.place as usize],
            open: station.window.open,
            close: station.window.close,
            service: station.service,
            load: 0,
        })
    });
    jobs.chain(starts).chain(ends).chain(stops).collect()
}

/// Vehicles that no constraint and no cost tells apart, so that one empty one stands for all.
fn classes(model: &Model) -> Vec<u32> {
    let mut sets: Vec<Vec<u64>> = vec![Vec::new(); model.vehicles.len()];
    for (index, set) in model.vehicle_sets.iter().enumerate() {
        for (vehicle, words) in sets.iter_mut().enumerate() {
            words.resize(index / 64 + 1, 0);
            words[index / 64] |= u64::from(set.contains(vehicle as u32)) << (index % 64);
        }
    }
    let mut pinned = vec![false; model.vehicles.len()];
    model.jobs.iter().filter_map(|job| job.pinned).for_each(|pin| pinned[pin.vehicle as usize] = true);
    let mut first = std::collections::HashMap::new();
    (0..model.vehicles.len())
        .map(|index| {
            let own = if model.preference.is_empty() && !pinned[index] { 0 } else { index + 1 };
            *first.entry((&model.vehicles[index], &sets[index], own)).or_insert(index as u32)
        })
        .collect()
}
