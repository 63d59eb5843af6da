//! Whether a problem makes sense: the first field that does not is named.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use super::{
    Break, CellSpeed, Estimate, MAX_ORDERS, MAX_PLACES, MAX_PLANNED, MAX_SHIFTS, MAX_STATIONS, Matrix, Objective,
    Problem, Promise, Shift, Station, Technician, Time, Travel, Window, WorkOrder,
};
use crate::error::{InputError, Problem as Wrong, check_number};
use crate::id::{TechnicianId, check_text};
use crate::order::check_needs;
use crate::place::Place;

/// Latest time: the year 5138 in epoch seconds; keeps all sums of times far from overflow.
const MAX_TIME: i64 = 100_000_000_000;

/// Longest span from the first to the last time that is planned: a year and a day.
const MAX_SPAN_S: i64 = 366 * 86_400;

/// Longest service, break or overtime: what does not fit a day must be split into visits.
const MAX_DURATION_S: u32 = 86_400;

/// Most entries of any list within one record (skills, windows, cells …): more is a slip.
const MAX_LIST: usize = 1_000;

/// Longest leg of a matrix: a week.
const MAX_LEG_S: f64 = 7.0 * 86_400.0;

/// Least and greatest factor of a speed.
const SPEED_FACTOR: (f64, f64) = (0.1, 10.0);

impl Problem {
    /// Checks every field, and that every reference leads somewhere.
    ///
    /// # Errors
    /// The first field that is wrong: out of its range, not finite, empty, reversed, overlapping,
    /// given twice, unknown; or too many of a kind ([`MAX_ORDERS`], [`MAX_SHIFTS`],
    /// [`MAX_STATIONS`]).
    pub fn check(&self) -> Result<(), InputError> {
        check_len(self.orders.len(), MAX_ORDERS, "orders")?;
        check_len(self.technicians.iter().map(|t| t.shifts.len()).sum(), MAX_SHIFTS, "technicians (shifts)")?;
        check_len(self.technicians.len(), MAX_SHIFTS, "technicians")?;
        check_len(self.stations.len(), MAX_STATIONS, "stations")?;
        check_time(self.now, "now")?;
        let technicians = unique(&self.technicians, |technician| &technician.id, "technicians")?;
        unique(&self.orders, |order| &order.id, "orders")?;
        unique(&self.stations, |station| &station.id, "stations")?;
        check_each(&self.orders, "orders", |order| order.check(&technicians))?;
        check_each(&self.technicians, "technicians", Technician::check)?;
        check_each(&self.stations, "stations", Station::check)?;
        self.check_begun(&technicians)?;
        self.check_span()?;
        self.travel.check().map_err(|e| e.within("travel"))?;
        self.check_places()?;
        self.objective.check().map_err(|e| e.within("objective"))
    }

    /// Every place of the problem: orders, starts and ends, stations.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> {
        let orders = self.orders.iter().map(|order| order.place);
        let ends = self.technicians.iter().flat_map(|t| [t.start, t.end_place(), t.position.unwrap_or(t.start)]);
        orders.chain(ends).chain(self.stations.iter().map(|station| station.place))
    }

    /// First and last moment anything can happen.
    pub(crate) fn span(&self) -> Window {
        let shifts = || self.technicians.iter().flat_map(|technician| &technician.shifts);
        let first = shifts().map(|shift| shift.start).chain([self.now]).min().unwrap_or(self.now);
        let last = shifts().map(|shift| Time(shift.end.0 + i64::from(shift.overtime_s))).max().unwrap_or(self.now);
        Window { start: first, end: last.max(self.now) }
    }

    fn check_span(&self) -> Result<(), InputError> {
        let span = self.span();
        if span.length_s() > MAX_SPAN_S {
            let wrong = Wrong::OutOfRange { value: span.length_s() as f64, min: 0.0, max: MAX_SPAN_S as f64 };
            return Err(InputError::new("technicians (seconds from the first shift or now to the last)", wrong));
        }
        Ok(())
    }

    fn check_begun(&self, technicians: &HashMap<&TechnicianId, usize>) -> Result<(), InputError> {
        let mut busy = HashSet::new();
        for (i, order) in self.orders.iter().enumerate() {
            let Some(begun) = &order.begun else { continue };
            let at = |field: &str, wrong| InputError::new(field, wrong).within("begun").at("orders", i);
            if begun.start > self.now {
                let (value, max) = (begun.start.0 as f64, self.now.0 as f64);
                return Err(at("start", Wrong::OutOfRange { value, min: 0.0, max }));
            }
            let shifts = &self.technicians[technicians[&begun.technician]].shifts;
            if !shifts.iter().any(|shift| shift.start <= begun.start && begun.start <= shift.end) {
                return Err(at("start", Wrong::OutsideShifts(begun.technician.to_string())));
            }
            if !busy.insert(&begun.technician) {
                return Err(at("technician", Wrong::Duplicate(begun.technician.to_string())));
            }
        }
        Ok(())
    }

    /// Whether it is small enough to be planned at once.
    pub(crate) fn check_size(&self) -> Result<(), InputError> {
        check_len(self.orders.len(), MAX_PLANNED, "orders")?;
        check_len(self.technicians.iter().map(|t| t.shifts.len()).sum(), MAX_PLANNED, "technicians (shifts)")?;
        let different: HashSet<_> = self.places().map(Place::key).collect();
        check_len(different.len(), MAX_PLACES, "places")
    }

    fn check_places(&self) -> Result<(), InputError> {
        let Travel::Matrix(matrix) = &self.travel else { return Ok(()) };
        let known: HashSet<_> = matrix.places.iter().map(|place| place.key()).collect();
        match self.places().find(|place| !known.contains(&place.key())) {
            None => Ok(()),
            Some(place) => {
                let place = format!("{}, {}", place.lat, place.lon);
                Err(InputError::unknown("travel.matrix.places", &place, "place of the matrix"))
            }
        }
    }
}

impl WorkOrder {
    /// Checks an order that comes alone, against what the problem knows.
    pub(crate) fn check_alone(&self, problem: &Problem) -> Result<(), InputError> {
        let mut named = self.named().peekable();
        let technicians = match named.peek() {
            None => HashMap::new(),
            Some(_) => problem.technicians.iter().enumerate().map(|(i, t)| (&t.id, i)).collect(),
        };
        self.check(&technicians)
    }

    /// The technicians it names.
    fn named(&self) -> impl Iterator<Item = &TechnicianId> {
        let promised = self.promised.iter().filter_map(|promise| promise.technician.as_ref());
        let begun = self.begun.iter().map(|begun| &begun.technician);
        self.preferred.iter().chain(&self.excluded).chain(promised).chain(begun)
    }

    fn check(&self, technicians: &HashMap<&TechnicianId, usize>) -> Result<(), InputError> {
        self.id.check("id")?;
        self.place.check().map_err(|e| e.within("place"))?;
        check_duration(self.service_s, "service_s")?;
        check_windows(&self.windows, "windows")?;
        check_names(&self.skills, "skills")?;
        check_names(&self.certificates, "certificates")?;
        check_len(self.parts.len(), MAX_LIST, "parts")?;
        check_needs(&self.parts, "parts")?;
        if let Some(Promise { window, technician }) = &self.promised {
            check_window(*window, "promised.window")?;
            if let Some(technician) = technician {
                check_known(technician, technicians, "promised.technician")?;
            }
        }
        for (list, field) in [(&self.preferred, "preferred"), (&self.excluded, "excluded")] {
            check_len(list.len(), MAX_LIST, field)?;
            for (i, technician) in list.iter().enumerate() {
                check_known(technician, technicians, &format!("{field}[{i}]"))?;
            }
        }
        if let Some(begun) = &self.begun {
            check_known(&begun.technician, technicians, "begun.technician")?;
            check_time(begun.start, "begun.start")?;
        }
        Ok(())
    }
}

impl Technician {
    fn check(&self) -> Result<(), InputError> {
        self.id.check("id")?;
        self.start.check().map_err(|e| e.within("start"))?;
        self.end_place().check().map_err(|e| e.within("end"))?;
        check_each(&self.shifts, "shifts", Shift::check)?;
        check_order(&self.shifts, "shifts", |shift| Window { start: shift.start, end: shift.end })?;
        check_names(&self.skills, "skills")?;
        check_len(self.certificates.len(), MAX_LIST, "certificates")?;
        check_each(&self.certificates, "certificates", |certificate| {
            check_text(&certificate.name, "name")?;
            certificate.valid_until.map_or(Ok(()), |until| check_time(until, "valid_until"))
        })?;
        check_len(self.territories.len(), 10 * MAX_LIST, "territories")?;
        check_number(f64::from(self.capacity.unwrap_or(0)), 0.0, 1_000.0, "capacity")?;
        self.position.map_or(Ok(()), |at| at.check().map_err(|e| e.within("position")))?;
        check_number(self.cost, 0.1, 100.0, "cost")?;
        check_number(self.rating.unwrap_or(0.0), 0.0, 5.0, "rating")?;
        check_len(self.van_stock.len(), MAX_LIST, "van_stock")?;
        check_needs(&self.van_stock, "van_stock")
    }
}

impl Shift {
    fn check(&self) -> Result<(), InputError> {
        check_time(self.start, "start")?;
        check_time(self.end, "end")?;
        if self.end <= self.start {
            return Err(InputError::new("end", Wrong::EmptyShift { start: self.start.0, end: self.end.0 }));
        }
        let length = u32::try_from(self.end.0 - self.start.0).unwrap_or(u32::MAX);
        check_number(f64::from(length), 1.0, 2.0 * f64::from(MAX_DURATION_S), "end (length of the shift)")?;
        check_duration(self.overtime_s, "overtime_s")?;
        check_len(self.breaks.len(), 10, "breaks")?;
        check_each(&self.breaks, "breaks", Break::check)?;
        check_order(&self.breaks, "breaks", |pause| pause.window)?;
        for (i, pause) in self.breaks.iter().enumerate() {
            if pause.window.start < self.start || pause.window.end.0 + i64::from(pause.duration_s) > self.end.0 {
                return Err(InputError::new("window", Wrong::OutsideShift).at("breaks", i));
            }
            let next = self.breaks.get(i + 1).map_or(i64::MAX, |next| next.window.start.0);
            if pause.window.end.0 + i64::from(pause.duration_s) > next {
                return Err(InputError::new("window", Wrong::Overlap).at("breaks", i + 1));
            }
        }
        Ok(())
    }
}

impl Break {
    fn check(&self) -> Result<(), InputError> {
        check_window(self.window, "window")?;
        check_duration(self.duration_s, "duration_s")
    }
}

impl Station {
    fn check(&self) -> Result<(), InputError> {
        self.id.check("id")?;
        self.place.check().map_err(|e| e.within("place"))?;
        check_duration(self.pick_up_s, "pick_up_s")?;
        check_len(self.stock.len(), 100 * MAX_LIST, "stock")?;
        unique(&self.stock, |stock| &stock.part, "stock")?;
        check_each(&self.stock, "stock", |stock| {
            stock.part.check("part")?;
            stock.ready.map_or(Ok(()), |ready| check_time(ready, "ready"))
        })
    }
}

impl Travel {
    fn check(&self) -> Result<(), InputError> {
        match self {
            Self::Estimate(estimate) => estimate.check().map_err(|e| e.within("estimate")),
            Self::Matrix(matrix) => matrix.check().map_err(|e| e.within("matrix")),
        }
    }
}

impl Estimate {
    fn check(&self) -> Result<(), InputError> {
        check_number(self.circuity, 1.0, 10.0, "circuity")?;
        check_number(self.speed_kmh, 1.0, 200.0, "speed_kmh")?;
        check_number(f64::from(self.stop_s), 0.0, 7_200.0, "stop_s")?;
        check_number(f64::from(self.utc_offset_s), -86_400.0, 86_400.0, "utc_offset_s")?;
        if ![0, 24].contains(&self.speed_by_hour.len()) {
            let value = self.speed_by_hour.len() as f64;
            return Err(InputError::out_of_range("speed_by_hour (numbers)", value, 24.0, 24.0));
        }
        for (i, factor) in self.speed_by_hour.iter().enumerate() {
            check_number(*factor, SPEED_FACTOR.0, SPEED_FACTOR.1, &format!("speed_by_hour[{i}]"))?;
        }
        check_len(self.cells.len(), 100 * MAX_LIST, "cells")?;
        unique(&self.cells, |speed| &speed.cell, "cells")?;
        let resolution = self.cells.first().map(|first| first.cell.0.resolution());
        check_each(&self.cells, "cells", |CellSpeed { cell, factor }| {
            check_number(*factor, SPEED_FACTOR.0, SPEED_FACTOR.1, "factor")?;
            if Some(cell.0.resolution()) != resolution {
                return Err(InputError::new("cell", Wrong::Resolution));
            }
            Ok(())
        })
    }
}

impl Matrix {
    pub(crate) fn check(&self) -> Result<(), InputError> {
        check_len(self.places.len(), MAX_PLACES, "places")?;
        for (i, place) in self.places.iter().enumerate() {
            place.check().map_err(|e| e.at("places", i))?;
        }
        let n = self.places.len();
        check_square(&self.durations_s, n, MAX_LEG_S, "durations_s")?;
        if !self.distances_m.is_empty() {
            check_square(&self.distances_m, n, 2e7, "distances_m")?;
        }
        Ok(())
    }
}

impl Objective {
    fn check(&self) -> Result<(), InputError> {
        let seconds = [
            (self.lateness_s, "lateness_s"),
            (self.continuity_s, "continuity_s"),
            (self.rating_s, "rating_s"),
            (self.moved_s, "moved_s"),
            (self.fairness_s, "fairness_s"),
        ];
        check_number(self.overtime, 0.0, 100.0, "overtime")?;
        check_number(self.spread, 0.0, 2.0, "spread")?;
        seconds.into_iter().try_for_each(|(value, field)| check_number(value, 0.0, 36_000.0, field))
    }
}

/// Index of each record by its id.
fn unique<'a, R, I: Eq + Hash + ToString>(
    records: &'a [R],
    id: impl Fn(&'a R) -> &'a I,
    list: &str,
) -> Result<HashMap<&'a I, usize>, InputError> {
    let mut seen = HashMap::with_capacity(records.len());
    for (i, record) in records.iter().enumerate() {
        if seen.insert(id(record), i).is_some() {
            return Err(InputError::duplicate("id", &id(record).to_string()).at(list, i));
        }
    }
    Ok(seen)
}

fn check_each<R>(records: &[R], list: &str, check: impl Fn(&R) -> Result<(), InputError>) -> Result<(), InputError> {
    records.iter().enumerate().try_for_each(|(i, record)| check(record).map_err(|e| e.at(list, i)))
}

fn check_len(len: usize, most: usize, field: &str) -> Result<(), InputError> {
    if len > most { Err(InputError::new(field, Wrong::TooMany { given: len, most })) } else { Ok(()) }
}

fn check_time(time: Time, field: &str) -> Result<(), InputError> {
    check_number(time.0 as f64, 0.0, MAX_TIME as f64, field)
}

fn check_duration(seconds: u32, field: &str) -> Result<(), InputError> {
    check_number(f64::from(seconds), 0.0, f64::from(MAX_DURATION_S), field)
}

fn check_window(window: Window, field: &str) -> Result<(), InputError> {
    check_time(window.start, &format!("{field}.start"))?;
    check_time(window.end, &format!("{field}.end"))?;
    if window.end < window.start {
        let wrong = Wrong::ReversedWindow { start: window.start.0, end: window.end.0 };
        return Err(InputError::new(&format!("{field}.end"), wrong));
    }
    Ok(())
}

fn check_windows(windows: &[Window], field: &str) -> Result<(), InputError> {
    check_len(windows.len(), MAX_LIST, field)?;
    for (i, window) in windows.iter().enumerate() {
        check_window(*window, &format!("{field}[{i}]"))?;
    }
    check_order(windows, field, |window| *window)
}

/// Sorted, and none beginning before the one before it ends.
fn check_order<R>(records: &[R], field: &str, window: impl Fn(&R) -> Window) -> Result<(), InputError> {
    let overlap = records.windows(2).position(|pair| window(&pair[1]).start < window(&pair[0]).end);
    overlap.map_or(Ok(()), |i| Err(InputError::new(&format!("{field}[{}]", i + 1), Wrong::Overlap)))
}

fn check_names(names: &[String], field: &str) -> Result<(), InputError> {
    check_len(names.len(), MAX_LIST, field)?;
    for (i, name) in names.iter().enumerate() {
        check_text(name, &format!("{field}[{i}]"))?;
    }
    Ok(())
}

fn check_known(id: &TechnicianId, known: &HashMap<&TechnicianId, usize>, field: &str) -> Result<(), InputError> {
    if known.contains_key(id) { Ok(()) } else { Err(InputError::unknown(field, id.as_str(), "technician")) }
}

fn check_square(rows: &[Vec<Option<f64>>], n: usize, most: f64, field: &str) -> Result<(), InputError> {
    let count = |found: usize, field: String| {
        let value = found as f64;
        if found == n { Ok(()) } else { Err(InputError::out_of_range(&field, value, n as f64, n as f64)) }
    };
    count(rows.len(), format!("{field} (rows)"))?;
    for (i, row) in rows.iter().enumerate() {
        count(row.len(), format!("{field}[{i}] (numbers)"))?;
        for (j, leg) in row.iter().enumerate() {
            if let Some(leg) = leg.filter(|leg| !(0.0..=most).contains(leg)) {
                check_number(leg, 0.0, most, &format!("{field}[{i}][{j}]"))?;
            }
        }
    }
    Ok(())
}
