//! The scorer of the Numenta Anomaly Benchmark, from its published definition.
//!
//! Lavin & Ahmad, "Evaluating real-time anomaly detection algorithms: the Numenta Anomaly
//! Benchmark", IEEE ICMLA 2015: an alarm inside a labelled window earns the more the earlier it
//! comes, only the best alarm of a window counts, each alarm outside costs the more the further it
//! lies behind the last window, a missed window costs one miss. One threshold serves the whole
//! corpus and is the one that suits it best.

#![allow(dead_code, reason = "each program uses another part")]

pub mod baselines;
pub mod corpus;

/// What an application pays for false alarms and misses; a true alarm earns 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Profile {
    /// As the benchmark calls it.
    pub name: &'static str,
    /// Most that an alarm outside all windows costs.
    pub false_alarm: f64,
    /// What a window without an alarm costs.
    pub miss: f64,
}

/// False alarms and misses weigh as the benchmark's authors find right.
pub const STANDARD: Profile = Profile { name: "standard", false_alarm: 0.11, miss: 1.0 };
/// For those whom false alarms cost more.
pub const LOW_FALSE_ALARMS: Profile = Profile { name: "reward low FP rate", false_alarm: 0.22, miss: 1.0 };
/// For those whom misses cost more.
pub const LOW_MISSES: Profile = Profile { name: "reward low FN rate", false_alarm: 0.11, miss: 2.0 };

/// The part of a series' first rows that is not scored, of at most [`LONGEST`] rows.
const PROBATION: f64 = 0.15;
const LONGEST: f64 = 5000.0;

/// One series with its labelled windows (first and last row, in order, apart) and the detector's
/// score of each row.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// First and last row of each window.
    pub windows: Vec<(usize, usize)>,
    /// One a row; more is stranger.
    pub scores: Vec<f64>,
}

/// How the corpus fares at one threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Rows that score at least as much are alarms.
    pub threshold: f64,
    /// Sum over the corpus, before it is normalised.
    pub raw: f64,
}

/// Rows at the start of a series that are not scored.
pub fn probation(rows: usize) -> usize {
    (PROBATION * (rows as f64).min(LONGEST)).floor() as usize
}

/// The scaled sigmoid: nearly 1 at the left edge of a window (−1), 0 at its right edge, −1 far
/// behind it.
fn sigmoid(position: f64) -> f64 {
    if position > 3.0 { -1.0 } else { 2.0 / (1.0 + (5.0 * position).exp()) - 1.0 }
}

/// What an alarm at `row` is worth, and the window it falls into.
fn worth(row: usize, windows: &[(usize, usize)], profile: Profile) -> (f64, Option<usize>) {
    let begun = windows.partition_point(|window| window.0 <= row);
    let Some(latest) = begun.checked_sub(1) else { return (-profile.false_alarm, None) };
    let (first, last) = windows[latest];
    let width = (last - first + 1) as f64;
    if row <= last {
        let position = -((last - row + 1) as f64) / width;
        return (sigmoid(position) / sigmoid(-1.0), Some(latest));
    }
    (sigmoid((row - last) as f64 / (width - 1.0)) * profile.false_alarm, None)
}

/// The outcome at each threshold that changes it, from the strictest (no alarm at all) down.
pub fn sweep(corpus: &[Series], profile: Profile) -> Vec<Outcome> {
    let mut alarms = Vec::new();
    let mut windows = Vec::new();
    for series in corpus {
        let before = windows.len();
        windows.resize(before + series.windows.len(), -profile.miss);
        for row in probation(series.scores.len())..series.scores.len() {
            let (worth, window) = worth(row, &series.windows, profile);
            alarms.push((series.scores[row], worth, window.map(|window| before + window)));
        }
    }
    alarms.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut raw: f64 = windows.iter().sum();
    let mut threshold = f64::INFINITY;
    let mut outcomes = Vec::new();
    for (score, worth, window) in alarms {
        if score != threshold {
            outcomes.push(Outcome { threshold, raw });
            threshold = score;
        }
        match window {
            None => raw += worth,
            Some(window) if worth > windows[window] => {
                raw += worth - windows[window];
                windows[window] = worth;
            }
            Some(_) => {}
        }
    }
    outcomes.push(Outcome { threshold, raw });
    outcomes
}

/// The best outcome of any threshold; the strictest of equals.
pub fn best(corpus: &[Series], profile: Profile) -> Outcome {
    let outcomes = sweep(corpus, profile);
    outcomes.into_iter().reduce(|best, other| if other.raw > best.raw { other } else { best }).expect("silence is one")
}

/// The outcome at a threshold that was chosen elsewhere.
pub fn at(corpus: &[Series], profile: Profile, threshold: f64) -> Outcome {
    let outcomes = sweep(corpus, profile);
    *outcomes.iter().rev().find(|outcome| outcome.threshold >= threshold).expect("silence is stricter than any")
}

/// 0 for a detector that says nothing, 100 for one that alarms on the first row of each window and
/// nowhere else; None without a window.
pub fn normalised(raw: f64, corpus: &[Series], profile: Profile) -> Option<f64> {
    let windows: usize = corpus.iter().map(|series| series.windows.len()).sum();
    let silent = -profile.miss * windows as f64;
    (windows > 0).then(|| 100.0 * (raw - silent) / (windows as f64 - silent))
}

/// Rows that are alarms at the threshold, after probation.
pub fn alarms(series: &Series, threshold: f64) -> usize {
    series.scores[probation(series.scores.len())..].iter().filter(|&&score| score >= threshold).count()
}
