//! One line for each row, and a summary at the end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result};
use csv::Writer;
use diagnosis::detection::recording::{Monitor, Standing, Verdict};
use serde_json::json;

use super::source::Row;

/// The smallest share of a channel that is worth telling.
const LEAST_SHARE: f64 = 0.01;

/// What is told of one row.
pub struct Line<'a> {
    row: u64,
    line: u64,
    /// None for a training row.
    verdict: Option<Verdict>,
    channels: Vec<(&'a str, f64)>,
    wrong_units: Vec<(&'a str, &'static str)>,
}

impl<'a> Line<'a> {
    pub fn trained(row: u64, text: &Row) -> Self {
        Self { row, line: text.line, verdict: None, channels: Vec::new(), wrong_units: Vec::new() }
    }

    pub fn judged(row: u64, text: &Row, verdict: Verdict, monitor: &Monitor<'a>) -> Self {
        let judged = verdict.score.is_some();
        let mut channels = if judged { monitor.channels() } else { Vec::new() };
        channels.retain(|(_, share)| *share >= LEAST_SHARE);
        let wrong_units = if judged { monitor.wrong_units().collect() } else { Vec::new() };
        Self { row, line: text.line, verdict: Some(verdict), channels, wrong_units }
    }

    fn csv(&self) -> [String; 6] {
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.4}"));
        let score = number(self.verdict.and_then(|verdict| verdict.score));
        let p_value = self.verdict.and_then(|verdict| verdict.p_value).map_or_else(String::new, |p| format!("{p:.4e}"));
        let bit = |set: Option<bool>| u8::from(set == Some(true)).to_string();
        let channels: Vec<String> = self.channels.iter().map(|(name, share)| format!("{name}:{share:.3}")).collect();
        [
            self.row.to_string(),
            score,
            p_value,
            bit(self.verdict.map(|verdict| verdict.flag)),
            bit(self.verdict.map(|verdict| verdict.changepoint)),
            channels.join(";"),
        ]
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "row": self.row,
            "score": self.verdict.and_then(|verdict| verdict.score),
            "p_value": self.verdict.and_then(|verdict| verdict.p_value),
            "flag": self.verdict.is_some_and(|verdict| verdict.flag),
            "changepoint": self.verdict.is_some_and(|verdict| verdict.changepoint),
            "channels": self.channels.iter().map(|(name, share)| json!({"name": name, "share": share})).collect::<Vec<_>>(),
            "standing": self.verdict.map_or("training", |verdict| standing(verdict.standing)),
            "wrong_units": self.wrong_units.iter().map(|(name, unit)| json!({"name": name, "reads_like": unit})).collect::<Vec<_>>(),
        })
    }
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Judged => "judged",
        Standing::AfterGap => "first after a gap in time",
        Standing::Repeated => "time seen before: not judged",
        Standing::GoesBack => "time goes back: not judged",
        Standing::Empty => "no reading: not judged",
    }
}

/// Where the lines go.
pub struct Output {
    sink: Sink,
    summary: Summary,
}

enum Sink {
    Csv(Box<Writer<Box<dyn Write>>>),
    Json(BufWriter<Box<dyn Write>>),
    /// The reader has gone, as `head` does.
    Closed,
}

#[derive(Default)]
struct Summary {
    rows: u64,
    trained: u64,
    flagged: u64,
    changepoints: Vec<u64>,
    changepoint_count: u64,
    surprising: u64,
    standings: BTreeMap<&'static str, u64>,
    /// First line of each channel that read like another unit.
    wrong_units: BTreeMap<(String, &'static str), u64>,
}

impl Output {
    pub fn create(path: Option<&Path>, json: bool) -> Result<Self> {
        let writer: Box<dyn Write> = match path {
            Some(path) => {
                Box::new(File::create(path).with_context(|| format!("{}: cannot be written", path.display()))?)
            }
            None => Box::new(io::stdout()),
        };
        let sink =
            if json { Sink::Json(BufWriter::new(writer)) } else { Sink::Csv(Box::new(Writer::from_writer(writer))) };
        let mut output = Self { sink, summary: Summary::default() };
        if let Sink::Csv(writer) = &mut output.sink {
            let written = writer.write_record(["row", "score", "p_value", "flag", "changepoint", "channels"]);
            output.check(written.map_err(io::Error::from))?;
        }
        Ok(output)
    }

    pub fn write(&mut self, line: &Line<'_>) -> Result<()> {
        self.summary.add(line);
        let written = match &mut self.sink {
            Sink::Csv(writer) => writer.write_record(line.csv()).map_err(io::Error::from),
            Sink::Json(writer) => writeln!(writer, "{}", line.json()),
            Sink::Closed => Ok(()),
        };
        self.check(written)
    }

    pub fn finish(mut self) -> Result<()> {
        let flushed = match &mut self.sink {
            Sink::Csv(writer) => writer.flush(),
            Sink::Json(writer) => writer.flush(),
            Sink::Closed => Ok(()),
        };
        self.check(flushed)?;
        self.summary.print();
        Ok(())
    }

    fn check(&mut self, written: io::Result<()>) -> Result<()> {
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => self.sink = Sink::Closed,
            written => written.context("the output cannot be written")?,
        }
        Ok(())
    }
}

impl Summary {
    /// Changepoints that are listed; the others are counted.
    const LISTED: usize = 10;

    fn add(&mut self, line: &Line<'_>) {
        self.rows += 1;
        let Some(verdict) = line.verdict else {
            self.trained += 1;
            return;
        };
        self.flagged += u64::from(verdict.flag);
        self.surprising += u64::from(verdict.p_value.is_some_and(|p| p <= 0.01));
        if verdict.standing != Standing::Judged {
            *self.standings.entry(standing(verdict.standing)).or_default() += 1;
        }
        if verdict.changepoint {
            self.changepoint_count += 1;
            if self.changepoints.len() < Self::LISTED {
                self.changepoints.push(line.row);
            }
        }
        for (name, unit) in &line.wrong_units {
            self.wrong_units.entry(((*name).to_owned(), *unit)).or_insert(line.line);
        }
    }

    fn print(&self) {
        let Self { rows, trained, flagged, surprising, .. } = self;
        let judged = rows - trained;
        eprintln!("{rows} rows: {trained} for training, {judged} after them");
        eprintln!("flag: {flagged} rows; p_value at most 0.01: {surprising} rows");
        let listed: Vec<String> = self.changepoints.iter().map(u64::to_string).collect();
        let more = if self.changepoint_count > Self::LISTED as u64 { ", …" } else { "" };
        eprintln!(
            "changepoints: {}{}{}{more}",
            self.changepoint_count,
            if listed.is_empty() { "" } else { " at rows " },
            listed.join(", ")
        );
        for (standing, count) in &self.standings {
            eprintln!("{count} rows: {standing}");
        }
        for ((name, unit), line) in &self.wrong_units {
            eprintln!("implausible: column `{name}` reads like {unit} from line {line} on");
        }
    }
}
