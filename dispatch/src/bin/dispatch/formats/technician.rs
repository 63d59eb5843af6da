//! A day of technicians: places with a square matrix of travel times in seconds, jobs with one
//! window, a skill and a priority, technicians with a shift and skills.
//!
//! First line: `places jobs technicians`. A line for each job: `place service open close load
//! skills priority`; for each technician: `start end from until capacity skills jobs`, the last
//! of them the most jobs he may have. Then `places` rows of `places` travel times.

use anyhow::Result;
use dispatch::routing::model::{Job, Model, TIERS, Travel, Vehicle, VehicleSet, Window};

use super::Instance;
use super::lines::{Line, ends, lines};

const HEAD: &str = "three numbers: places, jobs, technicians";
const JOB: &str = "seven numbers: place, service, open, close, load, skills, priority";
const TECHNICIAN: &str = "seven numbers: start, end, from, until, capacity, skills, jobs";
/// The matrix has this many places squared.
const MOST_PLACES: usize = 20_000;

/// Whether a file looks like one of these.
pub fn recognise(text: &str) -> bool {
    let numbers = |line: &str| line.split_whitespace().filter(|word| word.parse::<i64>().is_ok()).count();
    let mut lines = text.lines().filter(|line| !line.trim().is_empty()).map(numbers);
    lines.next() == Some(3) && lines.next() == Some(7)
}

/// Reads a file.
pub fn read(file: &str, text: &str) -> Result<Instance> {
    let mut rows = lines(file, text);
    let head = rows.next().ok_or_else(|| ends(file, HEAD))?;
    let [places, jobs, technicians]: [usize; 3] = head.numbers(HEAD)?;
    if places > MOST_PLACES {
        return Err(head.wrong("at most 20000 places"));
    }
    let job_rows = take(&mut rows, file, jobs, JOB)?;
    let technician_rows = take(&mut rows, file, technicians, TECHNICIAN)?;
    let time = matrix(&mut rows, file, places)?;
    if let Some(line) = rows.next() {
        return Err(line.wrong("nothing after the travel times"));
    }
    let tiers = tiers(&job_rows);
    let (vehicle_sets, set_of) = sets(&job_rows, &technician_rows);
    let any_load = job_rows.iter().any(|row| row[4] != 0);
    let model = Model {
        travel: Travel::Table { places: u32::try_from(places)?, time, cost: Vec::new() },
        jobs: job_rows.iter().zip(set_of).map(|(row, set)| job(row, set, &tiers, any_load)).collect(),
        vehicles: technician_rows.iter().map(|row| vehicle(row, any_load)).collect(),
        vehicle_sets,
        ..Model::default()
    };
    // A job's number is its place, as in the file.
    Ok(Instance { numbers: job_rows.iter().map(|row| row[0] as u32).collect(), model, scale: 1.0, differing: true })
}

fn take<'a>(
    rows: &mut impl Iterator<Item = Line<'a>>,
    file: &str,
    count: usize,
    expected: &str,
) -> Result<Vec<[i32; 7]>> {
    let mut taken = Vec::new();
    for _ in 0..count {
        let line = rows.next().ok_or_else(|| ends(file, expected))?;
        let row: [i32; 7] = line.numbers(expected)?;
        if row[0] < 0 || row[3] < row[2] {
            return Err(line.wrong("a place from 0 up, and an end from the begin up"));
        }
        taken.push(row);
    }
    Ok(taken)
}

fn matrix<'a>(rows: &mut impl Iterator<Item = Line<'a>>, file: &str, places: usize) -> Result<Vec<i32>> {
    let expected = format!("{places} travel times in each of {places} rows, after the technicians");
    let mut times = Vec::new();
    for _ in 0..places {
        let line = rows.next().ok_or_else(|| ends(file, &expected))?;
        let row: Option<Vec<i32>> = line.words().into_iter().map(|word| word.parse().ok()).collect();
        match row {
            Some(row) if row.len() == places => times.extend(row),
            _ => return Err(line.wrong(&expected)),
        }
    }
    Ok(times)
}

/// The technicians that can do each job: one set for each skill mask that occurs.
fn sets(jobs: &[[i32; 7]], technicians: &[[i32; 7]]) -> (Vec<VehicleSet>, Vec<u32>) {
    let mut masks: Vec<i32> = jobs.iter().map(|row| row[5]).collect();
    masks.sort_unstable();
    masks.dedup();
    let able = |mask: i32| (0..).zip(technicians).filter(move |(_, row)| mask & !row[5] == 0).map(|(index, _)| index);
    let sets = masks.iter().map(|&mask| able(mask).collect()).collect();
    (sets, jobs.iter().map(|row| masks.partition_point(|&mask| mask < row[5]) as u32).collect())
}

/// Priorities that occur, highest first: the first is tier 0. Those beyond the last tier share it.
fn tiers(jobs: &[[i32; 7]]) -> Vec<i32> {
    let mut priorities: Vec<i32> = jobs.iter().map(|row| row[6]).collect();
    priorities.sort_unstable_by(|a, b| b.cmp(a));
    priorities.dedup();
    priorities.truncate(TIERS);
    priorities
}

fn job(row: &[i32; 7], set: u32, tiers: &[i32], any_load: bool) -> Job {
    let [place, service, open, close, load, _, priority] = *row;
    Job {
        place: place as u32,
        service,
        windows: vec![Window { open, close }],
        tier: tiers.iter().position(|&other| other <= priority).unwrap_or(tiers.len() - 1) as u8,
        vehicles: Some(set),
        load: if any_load { vec![1, load] } else { vec![1] },
        needs: None,
        pinned: None,
    }
}

fn vehicle(row: &[i32; 7], any_load: bool) -> Vehicle {
    let [start, end, from, until, capacity, _, jobs] = *row;
    Vehicle {
        end: Some(end as u32),
        capacity: if any_load { vec![jobs, capacity] } else { vec![jobs] },
        ..Vehicle::new(start as u32, from, until)
    }
}
