//! Forecasts of every series of a file, and how long they took; `dispatch/benches/forecast` puts
//! them beside `statsforecast`.
//!
//! `cargo run --release -p dispatch --example forecast_means -- FILE.csv ROUNDS`

use std::time::Instant;

use anyhow::{Context, Result};
use dispatch::parts::forecast::{ALPHA, Method, forecast_all};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().context("give a file of one series a line")?;
    let rounds: usize = arguments.next().context("give the number of rounds")?.parse()?;
    let series = read(&file)?;
    let methods = [
        ("CrostonClassic", Method::Croston { alpha: ALPHA }),
        ("CrostonSBA", Method::Sba { alpha: ALPHA }),
        ("TSB", Method::Tsb { alpha_size: 0.1, alpha_probability: 0.2 }),
        ("CrostonOptimized", Method::CrostonOptimized),
        ("ADIDA", Method::Adida),
        ("IMAPA", Method::Imapa),
    ];
    let mut all = serde_json::Map::new();
    for (name, method) in methods {
        let mut best_s = f64::INFINITY;
        let mut means = Vec::new();
        for _ in 0..rounds.max(1) {
            let start = Instant::now();
            let forecasts = forecast_all(&series, method)?;
            best_s = best_s.min(start.elapsed().as_secs_f64());
            means = forecasts.iter().map(|forecast| forecast.mean).collect();
        }
        all.insert(name.to_owned(), serde_json::json!({ "seconds": best_s, "means": means }));
    }
    println!("{}", serde_json::Value::Object(all));
    Ok(())
}

fn read(file: &str) -> Result<Vec<Vec<f64>>> {
    let text = std::fs::read_to_string(file).with_context(|| file.to_owned())?;
    text.lines().map(|line| line.split(',').map(|cell| Ok(cell.parse()?)).collect()).collect()
}
