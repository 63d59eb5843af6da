//! How long ranked, explained candidates over 2,000 technicians and the offers of 14 days take.
//!
//! `cargo run --release -p dispatch --example candidates`
//!
//! A made region of 60 km × 60 km, eight skills (each technician holds about half), 2,000 shifts of
//! 8 h with a break, filled with some 12,000 visits by the same insertion; then 2,000 orders are
//! asked for. The offers are 28 half days over 14 days for 2,000 technicians, 28,000 shifts.

use std::time::Instant;

use dispatch::Place;
use dispatch::routing::{Board, Break, Plan, Problem, Shift, Technician, Window, WorkOrder};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// SplitMix64 (Steele, Lea & Flood 2014).
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    fn place(&mut self) -> Place {
        let part = |draw: &mut Self| draw.below(1_000_000) as f64 / 1_000_000.0;
        Place { lat: 52.2 + part(self) * 0.54, lon: 13.0 + part(self) * 0.88 }
    }
}

fn technicians(draw: &mut Draw, days: i64) -> Vec<Technician> {
    let shift = |day: i64| Shift {
        start: dispatch::routing::Time(day * DAY + 8 * HOUR),
        end: dispatch::routing::Time(day * DAY + 16 * HOUR),
        overtime_s: 1800,
        breaks: vec![Break { window: Window::new(day * DAY + 11 * HOUR, day * DAY + 13 * HOUR), duration_s: 1800 }],
    };
    (0..2_000)
        .map(|index| Technician {
            shifts: (0..days).map(shift).collect(),
            skills: (0..8).filter(|_| draw.below(2) == 0).map(|skill| format!("skill-{skill}")).collect(),
            ..Technician::new(format!("T{index}"), draw.place(), Window::new(0, 1))
        })
        .collect()
}

fn order(draw: &mut Draw, index: usize, days: u64) -> WorkOrder {
    let opens = draw.below(days) as i64 * DAY + (8 + draw.below(6) as i64) * HOUR;
    WorkOrder {
        windows: vec![Window::new(opens, opens + 2 * HOUR)],
        skills: vec![format!("skill-{}", draw.below(8))],
        ..WorkOrder::new(format!("W{index}"), draw.place(), 1800 + draw.below(1800) as u32)
    }
}

fn board(draw: &mut Draw, days: u64, orders: usize) -> Result<Board, dispatch::InputError> {
    let problem = Problem { technicians: technicians(draw, days as i64), ..Problem::default() };
    let mut board = Board::new(problem, &Plan::default())?;
    for index in 0..orders {
        let order = order(draw, index, days);
        let best = board.candidates(&order)?.ranked.first().map(|best| best.technician.clone());
        if let Some(best) = best {
            board.insert(order, &best)?;
        }
    }
    Ok(board)
}

fn main() -> Result<(), dispatch::InputError> {
    let draw = &mut Draw(1);
    let day = board(draw, 1, 12_000)?;
    let mut times: Vec<f64> = Vec::new();
    let (mut ranked, mut told) = (0, 0);
    for index in 0..2_000 {
        let order = order(draw, 1_000_000 + index, 1);
        let begun = Instant::now();
        let found = day.candidates(&order)?;
        let why: Vec<String> = found.ranked.iter().take(5).map(ToString::to_string).collect();
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        ranked += found.ranked.len();
        told += why.len();
    }
    print("ranked candidates", &mut times, "p99 <= 1 ms");
    println!(
        "  {} visits on the board, {} candidates ranked on average, {told} told",
        day.problem().orders.len(),
        ranked / 2_000
    );

    let weeks = board(draw, 14, 4_000)?;
    let windows: Vec<Window> = (0..14)
        .flat_map(|day| [8, 12].map(|hour| Window::new(day * DAY + hour * HOUR, day * DAY + (hour + 4) * HOUR)))
        .collect();
    let mut times: Vec<f64> = Vec::new();
    let mut offered = 0;
    for index in 0..200 {
        let order = order(draw, 2_000_000 + index, 14);
        let begun = Instant::now();
        offered += weeks.offers(&order, &windows)?.len();
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    print("offers of 14 days", &mut times, "<= 20 ms");
    println!("  {} windows offered on average", offered / 200);
    Ok(())
}

fn print(what: &str, times: &mut [f64], bar: &str) {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("{what}: median {:.3} ms, p99 {:.3} ms, most {:.3} ms (bar: {bar})", at(0.5), at(0.99), at(1.0));
}
