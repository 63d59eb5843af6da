//! How often the p-values of the detector of recordings are small on healthy rows:
//! `cargo run --release -p diagnosis --example alarm_rate -- [RECORDINGS [KIND]]`.
//!
//! Each simulated recording trains on its first 400 rows; the rows after them are counted. They
//! should be at most 0.01 in 0.5 to 2 % and at most 0.001 in 0.05 to 0.2 % of the rows.

#[path = "healthy/mod.rs"]
mod healthy;

use std::time::Instant;

use healthy::{Noise, Rates, WORLDS, rates};

fn main() {
    let recordings = std::env::args().nth(1).map_or(60, |argument| argument.parse().expect("a number of recordings"));
    let kind = std::env::args().nth(2).unwrap_or_default();
    println!("{recordings} simulated healthy recordings a row, 400 rows train, {} are judged", healthy::JUDGED_ROWS);
    println!("{:44} {:>9} {:>10} {:>8}", "", "p<=0.01", "p<=0.001", "seconds");
    let mut holds = true;
    for world in WORLDS.iter().filter(|world| world.name.contains(&kind)) {
        let start = Instant::now();
        let Rates { at_2, at_3, inside } = rates(world, recordings);
        println!("{:44} {:8.2}% {:9.3}% {:8.1}", world.name, 100.0 * at_2, 100.0 * at_3, start.elapsed().as_secs_f64());
        holds &= inside || matches!(world.noise, Noise::Mixed);
    }
    println!(
        "bar: between half and twice of nominal in each row but that of mixed normals: {}",
        if holds { "holds" } else { "FAILS" }
    );
}
