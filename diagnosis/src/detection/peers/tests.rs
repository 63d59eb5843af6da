//! Simulated cohorts: what is asked of the p-values holds whatever the features' distribution.

use super::*;

/// SplitMix64 (Steele et al. 2014).
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.uniform()).ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// A cohort of `size` devices with two features, each with its own level and spread, moved by
/// `shift` of its own spreads in the first feature.
fn cohort(random: &mut Random, size: usize, shift: f64) -> Vec<Member> {
    (0..size)
        .map(|number| {
            let usual: Vec<Scale> = (0..2)
                .map(|_| Scale { centre: 100.0 * random.uniform(), spread: 0.1 + 10.0 * random.uniform() })
                .collect();
            let today =
                usual.iter().zip([shift, 0.0]).map(|(u, shift)| u.centre + u.spread * (shift + random.normal()));
            Member { device: format!("device-{number}"), today: today.collect(), usual }
        })
        .collect()
}

/// The largest distance of a sample's distribution from the uniform one (Kolmogorov–Smirnov).
fn distance_from_uniform(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len() as f64;
    values
        .iter()
        .enumerate()
        .map(|(i, v)| (v - i as f64 / n).abs().max((v - (i + 1) as f64 / n).abs()))
        .fold(0.0, f64::max)
}

#[test]
fn p_values_are_uniform_when_nothing_happens() {
    let mut random = Random(1);
    let (mut members, mut movements) = (Vec::new(), Vec::new());
    for _ in 0..2_000 {
        let comparison = compare(&cohort(&mut random, 40, 0.0)).unwrap();
        members.push(comparison.standings[7].p_value.unwrap());
        movements.push(comparison.movements[0].p_value);
    }
    // 1.63 / sqrt(2000) is the 1 % critical value; a rank among 40 is coarse by 1/40 more.
    assert!(distance_from_uniform(members) < 0.036 + 0.025);
    assert!(distance_from_uniform(movements) < 0.036 + 0.01);
}

#[test]
fn a_firmware_shift_is_one_incident_and_accuses_no_member() {
    let mut random = Random(2);
    let (mut found, mut accused) = (0, 0);
    for _ in 0..200 {
        let comparison = compare(&cohort(&mut random, 40, 2.0)).unwrap();
        found += usize::from(comparison.movements[0].p_value < 1e-3);
        assert!((comparison.movements[0].shift - 2.0).abs() < 1.0);
        accused += comparison.standings.iter().filter(|s| s.p_value.unwrap() <= 0.05).count();
    }
    assert_eq!(found, 200);
    // 2 of 40 are the nominal share, with the shift as without.
    assert_eq!(accused, 200 * 2);
}

#[test]
fn an_outlier_is_found_also_while_its_cohort_moves() {
    let mut random = Random(3);
    let mut first = 0;
    for round in 0..200 {
        let mut members = cohort(&mut random, 40, if round % 2 == 0 { 0.0 } else { 3.0 });
        let broken = &mut members[11];
        broken.today[1] += 6.0 * broken.usual[1].spread;
        let comparison = compare(&members).unwrap();
        first += usize::from(comparison.standings[11].p_value.unwrap() <= 1.0 / 40.0);
        assert!(comparison.movements[1].p_value > 1e-4, "one device is no incident");
    }
    assert!(first >= 190, "{first} of 200");
}

#[test]
fn what_cannot_be_compared_is_said() {
    let mut random = Random(4);
    let mut members = cohort(&mut random, 12, 0.0);
    members[3].today[0] = f64::NAN;
    members[4].usual[0].spread = 0.0;
    let comparison = compare(&members).unwrap();
    assert_eq!(comparison.movements[0].members, 10);
    assert!(comparison.standings[3].z[0].is_none() && comparison.standings[3].p_value.is_some());

    let few = compare(&members[..MIN_MEMBERS - 1]).unwrap();
    assert!(few.standings.iter().all(|standing| standing.p_value.is_none()));
    assert_eq!(few.movements[1].p_value, 1.0);

    assert!(compare(&[]).unwrap().standings.is_empty());
    members[5].today.pop();
    assert_eq!(
        compare(&members).unwrap_err().to_string(),
        "device `device-5` has 1 features and 2 usual values; every member must have 2 of both, as the first has"
    );
}

#[test]
fn the_signed_rank_agrees_with_its_table() {
    // Wilcoxon 1945, table I: n = 8, lesser rank sum 4 has probability 0.05 (two-sided, exactly 0.0547
    // for sum <= 4 by enumeration).
    let sum_4 = [-4.0, 1.0, 2.0, 3.0, 5.0, 6.0, 7.0, 8.0];
    assert!((signed_rank(&sum_4) - 0.0547).abs() < 0.01, "{}", signed_rank(&sum_4));
}
