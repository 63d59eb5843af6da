//! Pillac's technician routing and scheduling problem (Pillac, Gueret and Medaglia 2013, "A
//! parallel matheuristic for the technician routing and scheduling problem").
//!
//! Each technician has a home, skills, tools and spare parts; each request needs skills, tools
//! and parts. A visit to the depot brings all tools and any number of parts for the rest of the
//! day. Distances are Euclidean and not rounded; what is minimised is the working time, from
//! leaving home (as late as that helps) to being back.

use anyhow::Result;
use dispatch::routing::model::{Job, Model, Needs, Station, Travel, Vehicle, VehicleSet, Window};

use super::Instance;
use super::lines::{Line, ends, lines};

/// Thousandths.
const SCALE: f64 = 1000.0;
const COUNTS: &str = "four numbers: crew, skills, tools, spare parts";
const ROW: &str = "id, x, y, begin, end, service, then skills, tools and spare parts in brackets";

/// Whether a file looks like one of these.
pub fn recognise(text: &str) -> bool {
    text.lines().take(12).any(|line| line.trim_start().starts_with("CREW COUNT"))
}

/// Reads a file.
pub fn read(file: &str, text: &str) -> Result<Instance> {
    let mut lines = lines(file, text).skip_while(|line| !line.text.trim_start().starts_with("CREW COUNT")).skip(1);
    let counts = lines.next().ok_or_else(|| ends(file, COUNTS))?;
    let [crew, skills, tools, kinds]: [usize; 4] = counts.numbers(COUNTS)?;
    if skills.max(tools) > 64 || kinds > 1_000 {
        return Err(counts.wrong("at most 64 skills and tools and 1000 spare parts"));
    }
    let mut rows = lines.skip_while(|line| line.text.trim_start().starts_with(char::is_alphabetic));
    let depot = Row::read(&rows.next().ok_or_else(|| ends(file, "the depot: row 0"))?, kinds, false)?;
    let mut technicians = Vec::new();
    for _ in 0..crew {
        technicians.push(Row::read(&rows.next().ok_or_else(|| ends(file, ROW))?, kinds, true)?);
    }
    let requests = rows.map(|line| Row::read(&line, kinds, true)).collect::<Result<Vec<_>>>()?;
    Ok(Instance {
        numbers: requests.iter().map(|row| row.id).collect(),
        model: model(&depot, &technicians, &requests),
        scale: SCALE,
        differing: true,
    })
}

fn model(depot: &Row, technicians: &[Row], requests: &[Row]) -> Model {
    let points: Vec<[f64; 2]> = [depot].into_iter().chain(technicians).chain(requests).map(|row| row.point).collect();
    let able = |row: &Row| -> VehicleSet {
        (0..).zip(technicians).filter(|(_, other)| row.skills & !other.skills == 0).map(|(index, _)| index).collect()
    };
    let first_request = technicians.len() as u32 + 1;
    Model {
        travel: table(&points),
        jobs: requests.iter().zip(0..).map(|(row, index)| row.job(first_request + index, index)).collect(),
        vehicles: technicians.iter().zip(1..).map(|(row, place)| row.vehicle(place)).collect(),
        stations: vec![Station { place: 0, service: depot.service, window: depot.window }],
        vehicle_sets: requests.iter().map(able).collect(),
        preference: Vec::new(),
    }
}

/// Rounded up, so that no visit comes out a hair too early.
fn table(points: &[[f64; 2]]) -> Travel {
    let length = |a: &[f64; 2], b: &[f64; 2]| ((a[0] - b[0]).hypot(a[1] - b[1]) * SCALE).ceil() as i32;
    let time = points.iter().flat_map(|a| points.iter().map(move |b| length(a, b))).collect();
    Travel::Table { places: points.len() as u32, time, cost: Vec::new() }
}

struct Row {
    id: u32,
    point: [f64; 2],
    window: Window,
    service: i32,
    skills: u64,
    tools: u64,
    parts: Vec<i32>,
}

impl Row {
    fn read(line: &Line<'_>, kinds: usize, has_lists: bool) -> Result<Self> {
        let wrong = || line.wrong(ROW);
        let mut sections = line.text.split('[');
        let head: Option<Vec<f64>> =
            sections.next().unwrap_or_default().split_whitespace().map(|word| word.parse().ok()).collect();
        let Some([id, x, y, begin, end, service]) = head.as_deref() else { return Err(wrong()) };
        let good =
            [x, y, begin, end, service].into_iter().all(|value| value.abs() < 1e5) && begin <= end && *service >= 0.0;
        if !good {
            return Err(line.wrong("numbers below 100000, an end from the begin up, a service from 0 up"));
        }
        let lists: Option<Vec<Vec<i32>>> = sections.map(list).collect();
        let Some([skills, tools, parts]) = lists.as_deref() else { return Err(wrong()) };
        if has_lists && parts.len() != kinds {
            return Err(line.wrong(&format!("{kinds} spare parts")));
        }
        let bits = |list: &[i32]| {
            list.iter().try_fold(0u64, |bits, &bit| Some(bits | 1u64.checked_shl(u32::try_from(bit).ok()?)?))
        };
        Ok(Self {
            id: *id as u32,
            point: [*x, *y],
            window: Window { open: (begin * SCALE) as i32, close: (end * SCALE) as i32 },
            service: (service * SCALE) as i32,
            skills: bits(skills).ok_or_else(wrong)?,
            tools: bits(tools).ok_or_else(wrong)?,
            parts: parts.clone(),
        })
    }

    fn job(&self, place: u32, set: u32) -> Job {
        let needs = Needs { tools: self.tools, parts: self.parts.clone(), stations: 1 };
        Job {
            place,
            service: self.service,
            windows: vec![self.window],
            tier: 0,
            vehicles: Some(set),
            load: Vec::new(),
            needs: (self.tools != 0 || self.parts.iter().any(|&count| count > 0)).then_some(needs),
            pinned: None,
        }
    }

    fn vehicle(&self, place: u32) -> Vehicle {
        Vehicle {
            end: Some(place),
            rate: 0,
            duration_rate: 1,
            tools: self.tools,
            parts: self.parts.clone(),
            ..Vehicle::new(place, self.window.open, self.window.close)
        }
    }
}

fn list(text: &str) -> Option<Vec<i32>> {
    let (inside, _) = text.split_once(']')?;
    inside.split(',').map(str::trim).filter(|word| !word.is_empty()).map(|word| word.parse().ok()).collect()
}
