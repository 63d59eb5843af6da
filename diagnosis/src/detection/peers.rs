//! Peers: a device against others of its model, firmware and region on the same day.
//!
//! Each member's features are first put into units of its own usual spread, so that a large
//! household is not an outlier. What the members then share is the cohort's movement: weather, a
//! mains event, a firmware release. It is one incident. Only what a member does beyond it speaks of
//! that member, and may become a work order.
//!
//! Both statements carry a p-value that needs no distribution: a member's is its rank (uniform when
//! members are exchangeable, which a shared movement does not disturb), the movement's is
//! Wilcoxon's signed-rank test (members are independent but for what they share). A rank among n
//! members is never below 1/n; how far out a member is says its z.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};
use thiserror::Error;

use crate::robust::{self, Scale};

/// With fewer members than this who have a feature, a median hardly tells cohort from member and
/// no order of signs is rare enough to be an incident (8 equal signs: p = 0.008).
pub const MIN_MEMBERS: usize = 8;

/// One device on one day.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Its id.
    pub device: String,
    /// Its features on the day, each in its own unit; NaN where it has none.
    pub today: Vec<f64>,
    /// Centre and spread of each feature on the device's own earlier days.
    pub usual: Vec<Scale>,
}

/// What a cohort's day says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// One for each member, in the order given.
    pub standings: Vec<Standing>,
    /// One for each feature, in order.
    pub movements: Vec<Movement>,
}

/// How a member stands among its peers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The member's id.
    pub device: String,
    /// For each feature, how many robust standard deviations of the cohort the member moved beyond
    /// the cohort; None where it has no such feature or too few peers do.
    pub z: Vec<Option<f64>>,
    /// The share of members whose largest |z| is at least this member's; None without any z.
    pub p_value: Option<f64>,
}

/// How a whole cohort moved in one feature.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Movement {
    /// How many members have the feature.
    pub members: usize,
    /// Median change over the members, in each member's own usual spreads; 0 with too few members.
    pub shift: f64,
    /// How often members that share nothing move together at least so much; 1 with too few.
    pub p_value: f64,
}

/// Why a cohort cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PeerError {
    /// Members have different features.
    #[error(
        "device `{device}` has {today} features and {usual} usual values; every member must have {expected} of both, as the first has"
    )]
    Width {
        /// The member that differs.
        device: String,
        /// How many features it has.
        today: usize,
        /// How many usual values it has.
        usual: usize,
        /// How many the first member has.
        expected: usize,
    },
}

/// Compares the members of a cohort on one day.
pub fn compare(members: &[Member]) -> Result<Comparison, PeerError> {
    let width = members.first().map_or(0, |first| first.today.len());
    if let Some(odd) = members.iter().find(|member| member.today.len() != width || member.usual.len() != width) {
        let (today, usual) = (odd.today.len(), odd.usual.len());
        return Err(PeerError::Width { device: odd.device.clone(), today, usual, expected: width });
    }
    let mut movements = Vec::with_capacity(width);
    let mut z = vec![Vec::with_capacity(width); members.len()];
    for feature in 0..width {
        let changes: Vec<Option<f64>> = members.iter().map(|member| change(member, feature)).collect();
        let (movement, beyond) = apart(&changes);
        movements.push(movement);
        z.iter_mut().zip(beyond).for_each(|(row, z)| row.push(z));
    }
    let largest: Vec<Option<f64>> =
        z.iter().map(|row| row.iter().flatten().map(|z| z.abs()).max_by(f64::total_cmp)).collect();
    let ranks = ranks(&largest);
    let named = members.iter().map(|member| member.device.clone());
    let standings = named.zip(z).zip(ranks).map(|((device, z), p_value)| Standing { device, z, p_value }).collect();
    Ok(Comparison { standings, movements })
}

/// How far a member is from its own usual, in its own spreads. A member that never varied has no
/// spread to measure by, and says nothing.
fn change(member: &Member, feature: usize) -> Option<f64> {
    let Scale { centre, spread } = member.usual[feature];
    let change = (member.today[feature] - centre) / spread;
    (spread > 0.0 && change.is_finite()).then_some(change)
}

/// Parts the changes of one feature into what the cohort shares and what each member does beyond.
fn apart(changes: &[Option<f64>]) -> (Movement, Vec<Option<f64>>) {
    let mut known: Vec<f64> = changes.iter().flatten().copied().collect();
    let members = known.len();
    let p_value = signed_rank(&known);
    let cohort = robust::scale(&mut known).filter(|_| members >= MIN_MEMBERS);
    let Some(Scale { centre, spread }) = cohort else {
        return (Movement { members, shift: 0.0, p_value: 1.0 }, vec![None; changes.len()]);
    };
    // Half of the members alike to the last digit: their own spreads (1) are what is left to measure by.
    let spread = if spread > 0.0 { spread } else { 1.0 };
    let beyond = changes.iter().map(|change| change.map(|change| (change - centre) / spread)).collect();
    (Movement { members, shift: centre, p_value }, beyond)
}

/// Two-sided p-value that the changes are symmetric about 0: Wilcoxon 1945, normal approximation
/// with corrections for ties and continuity.
fn signed_rank(changes: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = changes.iter().copied().filter(|change| *change != 0.0).collect();
    sorted.sort_unstable_by(|a, b| a.abs().total_cmp(&b.abs()));
    let n = sorted.len() as f64;
    let (mut positive, mut ties, mut before) = (0.0, 0.0, 0.0);
    for tied in sorted.chunk_by(|a, b| a.abs() == b.abs()) {
        let size = tied.len() as f64;
        let rank = before + (size + 1.0) / 2.0;
        positive += rank * tied.iter().filter(|change| **change > 0.0).count() as f64;
        ties += size.powi(3) - size;
        before += size;
    }
    let variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - ties / 48.0;
    let distance = ((positive - n * (n + 1.0) / 4.0).abs() - 0.5).max(0.0);
    if variance > 0.0 { (2.0 * Normal::standard().sf(distance / variance.sqrt())).min(1.0) } else { 1.0 }
}

/// For each value, the share of values that are at least as large.
fn ranks(values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut sorted: Vec<f64> = values.iter().flatten().copied().collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let share =
        |value: f64| (sorted.len() - sorted.partition_point(|other| *other < value)) as f64 / sorted.len() as f64;
    values.iter().map(|value| value.map(share)).collect()
}

#[cfg(test)]
mod tests;
