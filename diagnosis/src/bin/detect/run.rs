//! `detect run`: scores each row of a recording.
//!
//! The rows flow one way: [`source`] reads a file as text rows and knows its lines, [`layout`] says
//! which column is what, [`learn`] trains, and [`output`] writes a line for each verdict. Beyond the
//! training rows, one row at a time is in memory.

mod layout;
mod learn;
mod output;
mod source;

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::{Result, bail};
use diagnosis::detection::recording::{Model, Monitor};

use layout::Layout;
use output::{Line, Output};
use source::{Row, Source};

/// Rows between two words of progress on a terminal.
const PROGRESS_ROWS: u64 = 250_000;

/// Score each row of a CSV file
///
/// Learns what is healthy from the first rows of FILE (or from the recordings of a folder) and
/// judges every later row from itself and the rows before it. The separator (comma, semicolon or
/// tab) and the time column are found by themselves; every other column is a channel unless it
/// holds no number or is ignored. Empty cells, NA, NaN and null are missing readings.
///
/// Columns of the output, one line for each row of FILE:
///
///   row          number of the data row, from 0
///   score        distance of the channels' levels from where they were, in standard deviations of
///                training beyond 1.5; 0 is where they were, above 3 the flag rises
///   p_value      how often a healthy row is at least as surprising after the rows before it; small
///                when a change comes, not as long as it lasts
///   flag         1 while something is wrong: a state that rises, stays, and falls
///   changepoint  1 on the row where the flag rises or falls
///   channels     name:share joined by `;`, largest first: what carries the verdict
///
/// Training rows have an empty score and p_value, flag 0 and no channels. Rows that cannot be judged
/// (no reading at all, a time seen before, a time that goes back) have an empty score and p_value
/// and keep the flag of the row before. A summary goes to standard error.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// The recording: CSV with a header, UTF-8
    file: PathBuf,
    /// Learn from so many rows at the beginning of FILE
    #[arg(long, default_value_t = 400, value_name = "N", conflicts_with = "train")]
    train_rows: usize,
    /// Learn from all CSV files of this folder instead: healthy recordings with the same columns
    #[arg(long, value_name = "DIR")]
    train: Option<PathBuf>,
    /// Columns to leave out, such as labels
    #[arg(long, value_delimiter = ',', value_name = "NAME,NAME")]
    ignore: Vec<String>,
    /// Write here and not to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write JSON lines and not CSV; a line also says why a row was not judged (`standing`) and
    /// which channels read like another unit (`wrong_units`)
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> Result<()> {
    let mut source = Source::open(&args.file)?;
    let ahead = source.take(if args.train.is_some() { layout::LOOK_AHEAD } else { args.train_rows })?;
    let mut layout = Layout::find(&source, &ahead, &args.ignore)?;
    let (model, trained_rows) = learn(&args, &source, &mut layout, &ahead)?;
    for note in layout.notes.iter().cloned().chain(model.still_channels().map(still)) {
        eprintln!("note: {note}");
    }
    let mut output = Output::create(args.out.as_deref(), args.json)?;
    let mut monitor = Monitor::new(&model);
    let mut readings = vec![f64::NAN; layout.channels.len()];
    let mut row = 0;
    for text in ahead.iter().take(trained_rows) {
        output.write(&Line::trained(row, text))?;
        row += 1;
    }
    let mut waiting = ahead.into_iter().skip(trained_rows);
    let progress = std::io::stderr().is_terminal();
    while let Some(text) = waiting.next().map_or_else(|| source.next_row(), |text| Ok(Some(text)))? {
        let time = layout.read(&source, &text, &mut readings)?;
        let verdict = monitor.step(time, &readings);
        output.write(&Line::judged(row, &text, verdict, &monitor))?;
        row += 1;
        if progress && row % PROGRESS_ROWS == 0 {
            eprintln!("{row} rows");
        }
    }
    output.finish()
}

/// The model, and how many of the first rows it has learned from.
fn learn(args: &Args, source: &Source, layout: &mut Layout, ahead: &[Row]) -> Result<(Model, usize)> {
    if let Some(folder) = &args.train {
        return Ok((learn::from_folder(folder, layout, &args.ignore)?, 0));
    }
    if ahead.len() < args.train_rows {
        let (file, rows) = (source.name(), ahead.len());
        bail!("{file}: {rows} rows are fewer than the {} to learn from (--train-rows)", args.train_rows);
    }
    Ok((learn::from_rows(source, layout, ahead)?, ahead.len()))
}

fn still(channel: &str) -> String {
    format!(
        "column `{channel}` never moved in training: it raises the flag if it moves by some per cent, and has no part in p_value"
    )
}
