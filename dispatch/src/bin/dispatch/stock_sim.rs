//! `stock-sim`: policy against policy on the same demand.
//!
//! Each policy is fitted to the first months alone and then runs through the rest, its levels revised
//! every month from what is known by then. Two comparisons: what each does with the number that it
//! was tuned to, and the stock each needs where it fills exactly the target, both found on the rest.

mod draw;
mod read;

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use dispatch::parts::forecast::pooled::PooledModel;
use dispatch::parts::forecast::{ALPHA, Method};
use dispatch::parts::simulate::policy::{BaseStock, Forecaster, Rule};
use dispatch::parts::simulate::tune::{Ladders, fit};
use dispatch::parts::simulate::{Demand, Outcome, Run, prices};
use dispatch::parts::stock::marginal::Line;
use serde::Serialize;

/// Points of a curve.
const CURVE_STEPS: u32 = 100;

/// Compares stock policies on recorded demand
#[derive(clap::Args)]
pub struct Args {
    /// Pieces by part (line) and month (column), plain or gzipped CSV. A first line of names or of the
    /// numbers of its columns is a header; a first column of text names the parts; an empty cell or NaN
    /// is a month that nobody recorded
    file: PathBuf,
    /// Price of each part, one a line in the order of FILE; without, they are log-normal from the seed
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Median of the prices that are made up
    #[arg(long, default_value_t = 20.0)]
    price_median: f64,
    /// Standard deviation of their logarithm
    #[arg(long, default_value_t = 1.0)]
    price_sigma: f64,
    /// Seed of the prices
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Months from order to arrival
    #[arg(long, default_value_t = 1)]
    lead: u32,
    /// FORECAST/RULE, once for each policy: croston, croston-optimized, sba, tsb, adida, imapa or pooled;
    /// service (each part at one probability of no shortage), fill (each part at one fill) or system (one
    /// exchange of money for fill over all parts). The first is what others are compared with
    #[arg(long = "policy", value_name = "POLICY", default_values = ["sba/service", "pooled/system"])]
    policies: Vec<String>,
    /// Share of order lines to be filled off the shelf
    #[arg(long, default_value_t = 0.95)]
    target: f64,
    /// What counts as an order line: a month's demand of a part, filled whole, or each piece
    #[arg(long, value_enum, default_value_t = LineArg::Month)]
    line: LineArg,
    /// Months to learn and tune on, the first half if not given
    #[arg(long, value_name = "MONTHS")]
    train: Option<usize>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
    /// Draws stock value against fill, as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
enum LineArg {
    Month,
    Piece,
}

#[derive(Serialize)]
struct Report {
    parts: usize,
    months: usize,
    train_months: usize,
    lead_months: u32,
    line: LineArg,
    target: f64,
    policies: Vec<Judged>,
}

/// A policy and what it did on the months after training.
#[derive(Serialize)]
struct Judged {
    name: String,
    /// As fitted to the training months.
    tuned: BaseStock,
    fill: f64,
    outcome: Outcome,
    /// Stock value at exactly the target, none where it is out of reach.
    value_cents_at_target: Option<f64>,
    /// The same over that of the first policy.
    against_first: Option<f64>,
    #[serde(skip)]
    curve: Vec<Outcome>,
}

pub fn run(args: &Args) -> Result<()> {
    let report = compare(args)?;
    if let Some(path) = &args.svg {
        let curves: Vec<_> = report.policies.iter().map(|policy| (policy.name.as_str(), &policy.curve[..])).collect();
        let svg = draw::curves(&curves, Line::from(args.line), args.target);
        std::fs::write(path, svg).with_context(|| path.display().to_string())?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(())
}

fn compare(args: &Args) -> Result<Report> {
    let demand = read_demand(args)?;
    let months = demand.months();
    let split = args.train.unwrap_or(months / 2);
    ensure!(split >= 4 && split < months, "--train {split}: give 4 to {} of the {months} months", months - 1);
    let run = Run { start: split / 2, counted: split..months, lead_months: args.lead };
    let mut policies: Vec<Judged> = Vec::new();
    for name in &args.policies {
        let mut judged = judge(&demand, split, &run, parse(name, args)?, args)?;
        let first = policies.first().map_or(judged.value_cents_at_target, |first| first.value_cents_at_target);
        judged.against_first = judged.value_cents_at_target.zip(first).map(|(own, first)| own / first);
        judged.name.clone_from(name);
        policies.push(judged);
    }
    let (parts, target) = (demand.parts(), args.target);
    Ok(Report { parts, months, train_months: split, lead_months: args.lead, line: args.line, target, policies })
}

fn read_demand(args: &Args) -> Result<Demand> {
    let series = read::series(&args.file)?;
    let prices = match &args.prices {
        Some(path) => read::prices(path)?,
        None => prices::log_normal(series.len(), args.price_median, args.price_sigma, args.seed)?,
    };
    Demand::new(series, prices).with_context(|| args.file.display().to_string())
}

fn judge(demand: &Demand, split: usize, run: &Run, policy: BaseStock, args: &Args) -> Result<Judged> {
    let tuned = fit(demand, split, policy, args.target)?.policy;
    let outcome = dispatch::parts::simulate::simulate(demand, &tuned, run)?;
    let ladders = Ladders::new(demand, tuned, run)?;
    let curve = if args.svg.is_some() { ladders.outcomes(CURVE_STEPS)? } else { Vec::new() };
    Ok(Judged {
        name: String::new(),
        tuned,
        fill: outcome.fill(args.line.into()),
        outcome,
        value_cents_at_target: ladders.tune(args.target)?.value_cents,
        against_first: None,
        curve,
    })
}

fn parse(name: &str, args: &Args) -> Result<BaseStock> {
    let (forecast, rule) = name.split_once('/').with_context(|| format!("--policy {name:?}: give FORECAST/RULE"))?;
    let forecaster = match forecast {
        "croston" => Forecaster::Series(Method::Croston { alpha: ALPHA }),
        "croston-optimized" => Forecaster::Series(Method::CrostonOptimized),
        "sba" => Forecaster::Series(Method::Sba { alpha: ALPHA }),
        "tsb" => Forecaster::Series(Method::Tsb { alpha_size: ALPHA, alpha_probability: ALPHA }),
        "adida" => Forecaster::Series(Method::Adida),
        "imapa" => Forecaster::Series(Method::Imapa),
        "pooled" => Forecaster::Pooled(PooledModel::default()),
        _ => bail!(
            "--policy {name:?}: {forecast:?} is no forecast; give croston, croston-optimized, sba, tsb, adida, imapa or pooled"
        ),
    };
    let rule = match rule {
        "service" => Rule::Service(args.target),
        "fill" => Rule::Fill(args.target),
        "system" => Rule::System(1.0),
        _ => bail!("--policy {name:?}: {rule:?} is no rule; give service, fill or system"),
    };
    Ok(BaseStock { forecaster, rule, line: args.line.into(), lead_months: args.lead })
}

fn print(report: &Report) {
    let line = match report.line {
        LineArg::Month => "a month's demand of a part",
        LineArg::Piece => "a piece",
    };
    println!("{} parts, {} months, lead {}; order line: {line}", report.parts, report.months, report.lead_months);
    println!(
        "fitted to the first {} months, judged on the other {}",
        report.train_months,
        report.months - report.train_months
    );
    println!();
    println!("{:26} {:>9} {:>14} {:>16} {:>9}", "", "as", "tuned", format!("at {:.1} %", report.target * 100.0), "");
    println!("{:26} {:>9} {:>14} {:>16} {:>9}", "policy", "fill, %", "stock value", "stock value", "of first");
    for policy in &report.policies {
        let value = policy.value_cents_at_target.map_or("out of reach".into(), |cents| format!("{:.0}", cents / 100.0));
        let against = policy.against_first.map_or(String::new(), |ratio| format!("{ratio:.3}"));
        let tuned = policy.outcome.value_cents / 100.0;
        println!("{:26} {:9.2} {tuned:14.0} {value:>16} {against:>9}", policy.name, policy.fill * 100.0);
    }
}

impl From<LineArg> for Line {
    fn from(line: LineArg) -> Self {
        match line {
            LineArg::Month => Self::Month,
            LineArg::Piece => Self::Piece,
        }
    }
}
