//! What the engine works on: integers and tables, no ids and no strings.
//!
//! Times are whole units on one clock (seconds for a working day, tenths for a benchmark
//! file), costs whole units of money or distance. Both stay within ±[`LIMIT`], so that no sum
//! along a route overflows; [`Model::check`] says which field does not.
//!
//! What the engine guarantees for every plan it returns, also when it is stopped early:
//!
//! - a job is on one route at most, of a vehicle of its [`Job::vehicles`], and begins inside
//!   one of its windows, after travel from the visit before (or from the vehicle's start);
//! - a vehicle leaves its start at or after [`Vehicle::from`], keeps its breaks, and is at its
//!   end by [`Vehicle::until`]; the sum of the loads on a route stays within its capacity;
//! - what a job [`Needs`] was in the vehicle from the start, or was picked up at a station
//!   visited earlier on that route;
//! - pinned jobs lead the route of their vehicle in the order given.
//!
//! What it minimises, in this order: unserved jobs of tier 0, of tier 1, ...; then cost
//! ([`Plan::cost`](super::engine::Plan)): travel, overtime, use of vehicles, preferences.

use crate::error::{InputError, Problem};

/// Greatest absolute value of a time, a cost of one leg, or a load.
pub const LIMIT: i32 = 1 << 28;
/// Greatest rate: a cost of [`LIMIT`] times this, a million times, still fits 64 bits.
pub const RATE_LIMIT: i32 = 1 << 12;
/// Most tiers of [`Job::tier`].
pub const TIERS: usize = 8;

/// A day (or any horizon) to plan.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// Time and cost between places.
    pub travel: Travel,
    /// What is to be done. A job's number is its index.
    pub jobs: Vec<Job>,
    /// Who can do it.
    pub vehicles: Vec<Vehicle>,
    /// Where a vehicle can pick up what a job [`Needs`]; at most 64.
    pub stations: Vec<Station>,
    /// The sets that [`Job::vehicles`] names; jobs share them.
    pub vehicle_sets: Vec<VehicleSet>,
    /// Added cost of a job on a vehicle, `[job * vehicles + vehicle]`; may be negative. Empty: none.
    pub preference: Vec<i32>,
}

/// Time and cost between places. Cost may differ from time.
#[derive(Debug, Clone)]
pub enum Travel {
    /// Square tables, row by row: `[from * places + to]`.
    Table {
        /// Number of places.
        places: u32,
        /// Travel time, at least 0.
        time: Vec<i32>,
        /// Travel cost, at least 0. Empty: the same as the time.
        cost: Vec<i32>,
    },
    /// Points of a plane; time = cost = the Euclidean distance times `scale`, truncated.
    /// For more places than a table can hold.
    Plane {
        /// Coordinates of each place.
        points: Vec<[f64; 2]>,
        /// Time (and cost) of one unit of length.
        scale: f64,
    },
}

impl Default for Travel {
    fn default() -> Self {
        Self::Table { places: 0, time: Vec::new(), cost: Vec::new() }
    }
}

impl Travel {
    /// Number of places.
    pub fn places(&self) -> usize {
        match self {
            Self::Table { places, .. } => *places as usize,
            Self::Plane { points, .. } => points.len(),
        }
    }

    /// Travel time between two places.
    #[inline]
    pub fn time(&self, from: u32, to: u32) -> i32 {
        self.leg(from, to).0
    }

    /// Travel cost between two places.
    #[inline]
    pub fn cost(&self, from: u32, to: u32) -> i32 {
        self.leg(from, to).1
    }

    /// Travel time and cost between two places.
    #[inline]
    pub fn leg(&self, from: u32, to: u32) -> (i32, i32) {
        match self {
            Self::Table { places, time, cost } => {
                let cell = from as usize * *places as usize + to as usize;
                (time[cell], *cost.get(cell).unwrap_or(&time[cell]))
            }
            Self::Plane { points, scale } => {
                let length = length(points[from as usize], points[to as usize], *scale);
                (length, length)
            }
        }
    }
}

#[inline]
pub(crate) fn length(a: [f64; 2], b: [f64; 2], scale: f64) -> i32 {
    // Unlike `hypot` exact for whole coordinates, and faster.
    let (x, y) = (a[0] - b[0], a[1] - b[1]);
    ((x * x + y * y).sqrt() * scale) as i32
}

/// A span of time, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First moment.
    pub open: i32,
    /// Last moment.
    pub close: i32,
}

/// One visit to be made.
#[derive(Debug, Clone)]
pub struct Job {
    /// Where.
    pub place: u32,
    /// How long the vehicle stays, at least 0.
    pub service: i32,
    /// When service may begin: at least one window, sorted, none overlapping.
    pub windows: Vec<Window>,
    /// Which jobs matter more, 0 first, below [`TIERS`]. One job of a lower number outweighs
    /// any number of jobs of a higher one.
    pub tier: u8,
    /// Index in [`Model::vehicle_sets`] of those that may do it; `None`: all.
    pub vehicles: Option<u32>,
    /// What it takes of the capacity of each dimension; at least 0.
    pub load: Vec<i32>,
    /// Tools and parts it takes. `None`: none.
    pub needs: Option<Needs>,
    /// A visit that is already begun or promised to a vehicle. If it does not fit it is unserved.
    pub pinned: Option<Pin>,
}

/// A job that leads the route of one vehicle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pin {
    /// The vehicle.
    pub vehicle: u32,
    /// Order among the pinned jobs of that vehicle.
    pub sequence: u32,
}

/// Tools and parts of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Tools, as bits.
    pub tools: u64,
    /// Number of each kind of spare part; as many kinds as [`Vehicle::parts`].
    pub parts: Vec<i32>,
    /// Stations that can supply all of it, as bits. 0: the vehicle must have it from the start.
    pub stations: u64,
}

/// A place where vehicles pick up tools and parts. Whoever was there has all that it can supply
/// for the rest of the route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Station {
    /// Where.
    pub place: u32,
    /// How long a pick-up takes, at least 0.
    pub service: i32,
    /// When it is open.
    pub window: Window,
}

/// A van with a technician.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Vehicle {
    /// Where the route begins.
    pub start: u32,
    /// Where it ends; `None`: at the last visit.
    pub end: Option<u32>,
    /// Earliest departure.
    pub from: i32,
    /// Latest arrival at the end.
    pub until: i32,
    /// After this moment work is overtime, paid by [`overtime_rate`](Self::overtime_rate).
    pub overtime_from: i32,
    /// Cost of one unit of time after [`overtime_from`](Self::overtime_from).
    pub overtime_rate: i32,
    /// Cost of one unit of time between leaving the start, as late as that shortens the route, and
    /// arriving at the end. Only where every job has one window and no vehicle has breaks.
    pub duration_rate: i32,
    /// Breaks, sorted, none overlapping.
    pub breaks: Vec<Break>,
    /// Capacity of each dimension.
    pub capacity: Vec<i32>,
    /// Multiplies the travel cost, at least 0.
    pub rate: i32,
    /// Cost of using the vehicle at all.
    pub fixed_cost: i32,
    /// Tools on board from the start, as bits.
    pub tools: u64,
    /// Spare parts on board from the start.
    pub parts: Vec<i32>,
}

impl Vehicle {
    /// A vehicle with a start and a shift, rate 1, and nothing else: its route ends at the last visit.
    pub fn new(start: u32, from: i32, until: i32) -> Self {
        Self {
            start,
            end: None,
            from,
            until,
            overtime_from: until,
            overtime_rate: 0,
            duration_rate: 0,
            breaks: Vec::new(),
            capacity: Vec::new(),
            rate: 1,
            fixed_cost: 0,
            tools: 0,
            parts: Vec::new(),
        }
    }
}

/// A pause. It is taken at the first moment from [`from`](Self::from) on at which no service is
/// going on (travel may be interrupted); a service that would hold it up beyond
/// [`until`](Self::until) waits until after the pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Break {
    /// Earliest begin.
    pub from: i32,
    /// Latest begin.
    pub until: i32,
    /// Length, at least 0.
    pub duration: i32,
}

/// A set of vehicles, as bits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct VehicleSet(Vec<u64>);

impl VehicleSet {
    /// Whether it holds a vehicle.
    #[inline]
    pub fn contains(&self, vehicle: u32) -> bool {
        self.0.get(vehicle as usize / 64).is_some_and(|word| word >> (vehicle % 64) & 1 == 1)
    }

    /// Whether the two sets share a vehicle.
    pub fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }
}

impl FromIterator<u32> for VehicleSet {
    fn from_iter<I: IntoIterator<Item = u32>>(vehicles: I) -> Self {
        let mut words = Vec::new();
        for vehicle in vehicles {
            let word = vehicle as usize / 64;
            if words.len() <= word {
                words.resize(word + 1, 0);
            }
            words[word] |= 1 << (vehicle % 64);
        }
        Self(words)
    }
}

impl Model {
    /// That every index, size and number is in range.
    ///
    /// # Errors
    ///
    /// Names the first field that is not.
    pub fn check(&self) -> Result<(), InputError> {
        self.check_travel()?;
        for (index, job) in self.jobs.iter().enumerate() {
            self.check_job(job).map_err(|error| error.at("jobs", index))?;
        }
        let most_for_duration = if self.is_plain() { RATE_LIMIT } else { 0 };
        for (index, vehicle) in self.vehicles.iter().enumerate() {
            within(vehicle.duration_rate, 0, most_for_duration, "duration_rate")
                .and_then(|()| self.check_vehicle(vehicle))
                .map_err(|error| error.at("vehicles", index))?;
        }
        length_is(self.stations.len().min(64), self.stations.len(), "stations")?;
        for (index, station) in self.stations.iter().enumerate() {
            self.check_station(station).map_err(|error| error.at("stations", index))?;
        }
        if !self.preference.is_empty() {
            length_is(self.jobs.len() * self.vehicles.len(), self.preference.len(), "preference")?;
            each(&self.preference, -LIMIT, LIMIT, "preference")?;
        }
        Ok(())
    }

    /// One window for each job, no breaks.
    pub(crate) fn is_plain(&self) -> bool {
        self.jobs.iter().all(|job| job.windows.len() == 1)
            && self.vehicles.iter().all(|vehicle| vehicle.breaks.is_empty())
    }

    /// Capacity dimensions, and kinds of spare parts.
    pub(crate) fn dimensions(&self) -> (usize, usize) {
        self.vehicles.first().map_or((0, 0), |vehicle| (vehicle.capacity.len(), vehicle.parts.len()))
    }

    fn check_travel(&self) -> Result<(), InputError> {
        match &self.travel {
            Travel::Table { places, time, cost } => {
                let cells = (*places as usize).saturating_mul(*places as usize);
                length_is(cells, time.len(), "travel.time")?;
                each(time, 0, LIMIT, "travel.time")?;
                if !cost.is_empty() {
                    length_is(cells, cost.len(), "travel.cost")?;
                    each(cost, 0, LIMIT, "travel.cost")?;
                }
                Ok(())
            }
            Travel::Plane { points, scale } => {
                crate::error::check_number(*scale, 0.0, 1e6, "travel.scale")?;
                // Two points then lie less than LIMIT apart, whatever their direction.
                let most = if *scale > 0.0 { f64::from(LIMIT) / scale / 3.0 } else { f64::from(LIMIT) };
                for (index, value) in points.iter().flatten().enumerate() {
                    crate::error::check_number(*value, -most, most, &format!("travel.points[{}]", index / 2))?;
                }
                Ok(())
            }
        }
    }

    fn check_job(&self, job: &Job) -> Result<(), InputError> {
        self.check_place(job.place, "place")?;
        within(job.service, 0, LIMIT, "service")?;
        within(i32::from(job.tier), 0, TIERS as i32 - 1, "tier")?;
        check_windows(&job.windows)?;
        let (dimensions, kinds) = self.dimensions();
        if !self.vehicles.is_empty() {
            length_is(dimensions, job.load.len(), "load")?;
        }
        each(&job.load, 0, LIMIT, "load")?;
        if let Some(set) = job.vehicles {
            below(set, self.vehicle_sets.len(), "vehicles")?;
        }
        if let Some(pin) = job.pinned {
            below(pin.vehicle, self.vehicles.len(), "pinned.vehicle")?;
        }
        if let Some(needs) = &job.needs {
            if !self.vehicles.is_empty() {
                length_is(kinds, needs.parts.len(), "needs.parts")?;
            }
            each(&needs.parts, 0, LIMIT, "needs.parts")?;
            if self.stations.len() < 64 && needs.stations >> self.stations.len() != 0 {
                return Err(InputError::unknown(
                    "needs.stations",
                    &format!("{:#b}", needs.stations),
                    "set of stations",
                ));
            }
        }
        Ok(())
    }

    fn check_vehicle(&self, vehicle: &Vehicle) -> Result<(), InputError> {
        self.check_place(vehicle.start, "start")?;
        vehicle.end.map_or(Ok(()), |end| self.check_place(end, "end"))?;
        for (value, field) in [(vehicle.from, "from"), (vehicle.until, "until")] {
            within(value, -LIMIT, LIMIT, field)?;
        }
        if vehicle.until < vehicle.from {
            return Err(InputError::out_of_range("until", vehicle.until.into(), vehicle.from.into(), LIMIT.into()));
        }
        within(vehicle.overtime_from, -LIMIT, LIMIT, "overtime_from")?;
        for (value, field) in [(vehicle.overtime_rate, "overtime_rate"), (vehicle.rate, "rate")] {
            within(value, 0, RATE_LIMIT, field)?;
        }
        within(vehicle.fixed_cost, 0, LIMIT, "fixed_cost")?;
        let (dimensions, kinds) = self.dimensions();
        length_is(dimensions, vehicle.capacity.len(), "capacity")?;
        length_is(kinds, vehicle.parts.len(), "parts")?;
        each(&vehicle.capacity, 0, LIMIT, "capacity")?;
        each(&vehicle.parts, 0, LIMIT, "parts")?;
        check_breaks(&vehicle.breaks)
    }

    fn check_station(&self, station: &Station) -> Result<(), InputError> {
        self.check_place(station.place, "place")?;
        within(station.service, 0, LIMIT, "service")?;
        check_windows(&[station.window])
    }

    fn check_place(&self, place: u32, field: &str) -> Result<(), InputError> {
        below(place, self.travel.places(), field)
    }
}

fn check_windows(windows: &[Window]) -> Result<(), InputError> {
    if windows.is_empty() {
        return Err(InputError::empty("windows"));
    }
    for window in windows {
        within(window.open, -LIMIT, LIMIT, "windows.open")?;
        within(window.close, window.open, LIMIT, "windows.close")?;
    }
    if windows.windows(2).any(|pair| pair[1].open <= pair[0].close) {
        return Err(InputError::new("windows", Problem::Overlap));
    }
    Ok(())
}

fn check_breaks(breaks: &[Break]) -> Result<(), InputError> {
    for pause in breaks {
        within(pause.from, -LIMIT, LIMIT, "breaks.from")?;
        within(pause.until, pause.from, LIMIT, "breaks.until")?;
        within(pause.duration, 0, LIMIT, "breaks.duration")?;
    }
    if breaks.windows(2).any(|pair| pair[1].from <= pair[0].until.saturating_add(pair[0].duration)) {
        return Err(InputError::new("breaks", Problem::Overlap));
    }
    Ok(())
}

fn within(value: i32, min: i32, max: i32, field: &str) -> Result<(), InputError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(InputError::out_of_range(field, value.into(), min.into(), max.into()))
}

fn each(values: &[i32], min: i32, max: i32, field: &str) -> Result<(), InputError> {
    match values.iter().position(|value| !(min..=max).contains(value)) {
        Some(index) => within(values[index], min, max, &format!("{field}[{index}]")),
        None => Ok(()),
    }
}

fn below(value: u32, count: usize, field: &str) -> Result<(), InputError> {
    if (value as usize) < count {
        return Ok(());
    }
    Err(InputError::out_of_range(field, value.into(), 0.0, count as f64 - 1.0))
}

fn length_is(expected: usize, found: usize, field: &str) -> Result<(), InputError> {
    if expected == found {
        return Ok(());
    }
    Err(InputError::out_of_range(&format!("{field}.len"), found as f64, expected as f64, expected as f64))
}
