use std::io::Read;
use anyhow::Result;
use dispatch::Cents;
use dispatch::parts::forecast::{ALPHA, Method, pooled::PooledModel};
use dispatch::parts::simulate::{Demand, Run, policy::{BaseStock, Forecaster, Rule}, tune::{tune, choose_discount}};
use dispatch::parts::stock::marginal::Line;

fn read(name: &str) -> Result<Vec<Vec<f64>>> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(format!("/work/shared/data/spare-parts/{name}.csv.gz"))?).read_to_string(&mut text)?;
    Ok(text.lines().skip(usize::from(name == "Auto")).map(|l| l.split(',').map(|c| c.parse().unwrap()).collect()).collect())
}
fn main() -> Result<()> {
    for (name, train) in [("carparts", 25), ("Auto", 12)] {
        let series = read(name)?;
        let prices = dispatch::parts::simulate::prices::log_normal(series.len(), 20.0, 1.0, 1);
        let demand = Demand::new(series, prices)?;
        let run = Run { start: train / 2, counted: train..demand.months(), lead_months: 1 };
        for line in [Line::Month, Line::Piece] {
            let base = BaseStock { forecaster: Forecaster::Series(Method::Sba { alpha: ALPHA }), rule: Rule::Service(0.0), line, lead_months: 1 };
            let t = std::time::Instant::now();
            let b = tune(&demand, base, &run, 0.95)?;
            println!("{name} {line:?} base {:?} {:.0} {:?}", b.policy.rule, b.value_cents.unwrap_or(f64::NAN) / 100.0, t.elapsed());
            let s = tune(&demand, BaseStock { rule: Rule::System(0.0), ..base }, &run, 0.95)?;
            println!("   sba system {:?} {:.0} {:?}", s.policy.rule, s.value_cents.unwrap_or(f64::NAN) / 100.0, t.elapsed());
            for d in [0.95] {
                let model = PooledModel::learn(&demand.before(train), d)?;
                for rule in [Rule::Service(0.), Rule::System(0.)] {
                    let s = tune(&demand, BaseStock { rule, forecaster: Forecaster::Pooled(model), ..base }, &run, 0.95)?;
                    println!("   pooled {d} {:?} {:.0} {:.3} {:?}", s.policy.rule, s.value_cents.unwrap_or(f64::NAN) / 100.0, s.value_cents.unwrap_or(f64::NAN) / b.value_cents.unwrap(), t.elapsed());
                }
            }
        }
    }
    Ok(())
}
