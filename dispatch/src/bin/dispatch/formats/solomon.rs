//! Solomon's and Gehring and Homberger's files for the vehicle routing problem with time
//! windows, with the distances of the 12th DIMACS implementation challenge: Euclidean,
//! truncated to one decimal; time = distance; the objective is the distance alone, and the number of
//! vehicles in the file a limit.

use anyhow::{Result, bail};
use dispatch::routing::model::{Job, Model, Travel, Vehicle, Window};

use super::Instance;
use super::lines::{Line, ends, lines};

const ROW: &str = "seven numbers: customer, x, y, demand, ready time, due date, service time";
/// Tenths: the distances have one decimal.
const SCALE: f64 = 10.0;
/// Routes are lists of vehicles in memory, so their number has a limit.
const MOST_VEHICLES: u32 = 100_000;

/// Whether a file looks like one of these.
pub fn recognise(text: &str) -> bool {
    text.lines().take(10).any(|line| line.trim() == "VEHICLE")
}

/// Reads a file.
pub fn read(file: &str, text: &str) -> Result<Instance> {
    let mut lines = lines(file, text).skip_while(|line| !line.text.trim_start().starts_with("NUMBER")).skip(1);
    let line = lines.next().ok_or_else(|| ends(file, "number and capacity of vehicles under NUMBER and CAPACITY"))?;
    let [number, capacity]: [u32; 2] = line.numbers("number and capacity of vehicles")?;
    if number > MOST_VEHICLES {
        return Err(line.wrong("at most 100000 vehicles"));
    }
    let mut rows = lines.skip_while(|line| line.text.trim().starts_with(char::is_alphabetic));
    let depot = rows.next().ok_or_else(|| ends(file, "the depot: customer 0"))?;
    let depot = Row::read(&depot)?;
    let customers = rows.map(|line| Row::read(&line)).collect::<Result<Vec<_>>>()?;
    if customers.is_empty() {
        bail!("{file}: has no customers; give at least one after the depot");
    }
    let vehicle = Vehicle { capacity: vec![i32::try_from(capacity)?], ..depot.vehicle() };
    let points = std::iter::once(&depot).chain(&customers).map(|row| row.point).collect();
    Ok(Instance {
        model: Model {
            travel: Travel::Plane { points, scale: SCALE },
            jobs: customers.iter().zip(1..).map(|(row, place)| row.job(place)).collect(),
            vehicles: vec![vehicle; number as usize],
            ..Model::default()
        },
        numbers: customers.iter().map(|row| row.number).collect(),
        scale: SCALE,
        differing: false,
    })
}

struct Row {
    number: u32,
    point: [f64; 2],
    demand: i32,
    open: i32,
    close: i32,
    service: i32,
}

impl Row {
    fn read(line: &Line<'_>) -> Result<Self> {
        let [number, x, y, demand, ready, due, service]: [f64; 7] = line.numbers(ROW)?;
        let scaled = |value: f64| {
            let value = value * SCALE;
            if value.abs() < 1e8 { Ok(value as i32) } else { Err(line.wrong("times below 1e7")) }
        };
        if number < 0.0 || demand < 0.0 || service < 0.0 || due < ready {
            return Err(
                line.wrong("a customer's number, demand and service time from 0 up, due date from ready time up")
            );
        }
        Ok(Self {
            number: number as u32,
            point: [x, y],
            demand: demand as i32,
            open: scaled(ready)?,
            close: scaled(due)?,
            service: scaled(service)?,
        })
    }

    fn job(&self, place: u32) -> Job {
        Job {
            place,
            service: self.service,
            windows: vec![Window { open: self.open, close: self.close }],
            tier: 0,
            vehicles: None,
            load: vec![self.demand],
            needs: None,
            pinned: None,
        }
    }

    fn vehicle(&self) -> Vehicle {
        Vehicle { end: Some(0), ..Vehicle::new(0, self.open, self.close) }
    }
}
