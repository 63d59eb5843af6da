//! How often the p-values of the detector of recordings are small on healthy rows:
//! `cargo run --release -p diagnosis --example alarm_rate -- [RECORDINGS [KIND]]`.
//!
//! Each simulated recording trains on its first 400 rows; the rows after them are counted. They
//! should be at most 0.01 in 0.5 to 2 % and at most 0.001 in 0.05 to 0.2 % of the rows. KIND shows
//! the rows of the table whose name holds it; `pump` those of the recorded healthy rows of SKAB.

#[path = "healthy/mod.rs"]
mod healthy;
#[path = "pumps/mod.rs"]
mod pumps;
mod recorded;

use healthy::{Rates, WORLDS, rates};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let recordings = std::env::args().nth(1).map_or(60, |argument| argument.parse().expect("a number of recordings"));
    let kind = std::env::args().nth(2).unwrap_or_default();
    println!("{recordings} simulated healthy recordings a row, 400 rows train, {} are judged", healthy::JUDGED_ROWS);
    println!("{:48} {:>9} {:>10}", "", "p<=0.01", "p<=0.001");
    let mut holds = true;
    for world in WORLDS.iter().filter(|world| world.name.contains(&kind)) {
        holds &= report(world.name, &rates(world, recordings));
    }
    if "pump".contains(&kind) {
        let Some(files) = recorded::archive("skab/skab-dev.tar.gz")? else { return Ok(()) };
        for (name, p_values) in pumps::healthy_p_values(&files) {
            holds &= report(name, &Rates::of(&p_values));
        }
    }
    println!("bar: between half and twice of nominal in each row: {}", if holds { "holds" } else { "FAILS" });
    Ok(())
}

/// Whether the rates are inside the bar.
fn report(name: &str, rates: &Rates) -> bool {
    println!("{name:48} {:8.2}% {:9.3}%", 100.0 * rates.at_2, 100.0 * rates.at_3);
    rates.inside
}
