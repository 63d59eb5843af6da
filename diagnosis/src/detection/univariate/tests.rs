#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

const MINUTE_MS: i64 = 60_000;

/// A seeded normal deviate, close enough: the sum of twelve uniform ones (variance 1).
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        // Knuth, The Art of Computer Programming 2, MMIX's constants.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// A channel read each five minutes; `at(day, hour)` says its value.
fn scores(days: i64, mut at: impl FnMut(i64, f64) -> f64) -> Vec<(i64, f64, Step)> {
    let mut detector = Detector::new();
    let reading = |reading: i64| {
        let minute = reading * 5;
        let (day, hour) = (minute / 1440, (minute % 1440) as f64 / 60.0);
        (day, hour, detector.step(DeviceTime(minute * MINUTE_MS), at(day, hour)))
    };
    (0..days * 288).map(reading).collect()
}

fn alarms(scored: &[(i64, f64, Step)]) -> Vec<(i64, f64, Statistic)> {
    let alarms = scored.iter().filter(|(_, _, step)| step.score >= ALARM);
    alarms.map(|&(day, hour, step)| (day, hour, step.carried_by().unwrap())).collect()
}

#[test]
fn what_happens_every_day_is_no_alarm_however_wild() {
    let scored = scores(20, |_, hour| if (7.0..7.25).contains(&hour) { 2000.0 } else { (hour - 12.0).abs() });
    assert_eq!(alarms(&scored), []);
}

#[test]
fn a_constant_channel_is_silent_until_it_moves() {
    let scored = scores(10, |day, hour| if day == 8 && hour >= 6.0 { 45.2 } else { 45.1 });
    let alarms = alarms(&scored);
    assert_eq!(alarms.iter().map(|&(day, hour, _)| (day, hour)).next(), Some((8, 6.0)), "{alarms:?}");
    assert!(alarms.iter().all(|&(day, _, _)| day >= 8), "{alarms:?}");
}

#[test]
fn each_kind_of_oddity_is_found_by_its_own_statistic() {
    let day_of = |odd: fn(f64) -> Option<f64>, expected: Statistic| {
        let mut noise = Noise(7);
        let scored = scores(16, |day, hour| {
            let rhythm = if (8.0..20.0).contains(&hour) { 80.0 } else { 20.0 };
            let usual = rhythm + 2.0 * noise.normal();
            if day == 14 { odd(hour).unwrap_or(usual) } else { usual }
        });
        let alarms = alarms(&scored);
        let found = alarms.iter().any(|&(day, _, statistic)| day == 14 && statistic == expected);
        assert!(found, "{expected:?}: {alarms:?}");
        let elsewhere = alarms.iter().filter(|(day, ..)| *day != 14).count();
        assert!(elsewhere <= 6, "{expected:?}: {alarms:?}");
    };
    day_of(|hour| (hour == 12.0).then_some(130.0), Statistic::High);
    day_of(|hour| (hour == 3.0).then_some(-30.0), Statistic::Low);
    day_of(|hour| (8.0..20.0).contains(&hour).then_some(22.0), Statistic::Rhythm);
}

/// A daily maximum of the independent normal readings of a healthy channel exceeds the mean of such
/// maxima by their standard deviation on some 15 % of days (Gumbel). With six statistics that look
/// at much the same, less than one alarm a day must remain, and silence would be as wrong.
#[test]
fn alarms_on_healthy_noise_are_rare_but_not_absent() {
    for phi in [0.0_f64, 0.95] {
        let (mut noise, mut level) = (Noise(11), 0.0);
        let scored = scores(300, |_, _| {
            level = phi * level + (1.0 - phi * phi).sqrt() * noise.normal();
            level
        });
        let late = alarms(&scored).iter().filter(|(day, ..)| *day >= 20).count();
        let a_day = late as f64 / 280.0;
        assert!((0.1..0.8).contains(&a_day), "{a_day} alarms a day at φ = {phi}");
    }
}

#[test]
fn a_glitch_does_not_blind() {
    for glitch in [65_535.0, -65_535.0, 1e300] {
        let mut noise = Noise(3);
        let scored = scores(16, |day, hour| match day {
            10 if hour == 10.0 => glitch,
            13 if hour == 15.0 => 85.0,
            14 if hour == 15.0 => 15.0,
            _ => 50.0 + 3.0 * noise.normal(),
        });
        let days: Vec<i64> =
            alarms(&scored).iter().map(|&(day, ..)| day).filter(|day| (10..15).contains(day)).collect();
        assert!(days.contains(&10) && days.contains(&13) && days.contains(&14), "{glitch}: {days:?}");
        assert!(days.iter().filter(|day| matches!(day, 11 | 12)).count() <= 2, "{glitch} echoes: {days:?}");
    }
}

#[test]
fn one_event_is_one_piece_of_news() {
    let mut noise = Noise(5);
    let scored = scores(16, |day, _| if day == 13 { 90.0 } else { 50.0 } + 3.0 * noise.normal());
    let said = alarms(&scored).iter().filter(|&&(day, ..)| day == 13).count();
    assert!((1..=4).contains(&said), "{said} alarms for one shift of a day");
}

#[test]
fn a_new_level_becomes_usual() {
    let mut noise = Noise(5);
    let scored = scores(60, |day, _| if day >= 20 { 90.0 } else { 50.0 } + 3.0 * noise.normal());
    let alarms = alarms(&scored);
    assert!(alarms.iter().any(|&(day, ..)| day == 20), "{alarms:?}");
    let later = alarms.iter().filter(|&&(day, ..)| day >= 30).count();
    assert!(later <= 9, "{later} alarms in 30 days at the new level, which is as healthy as the old");
}

#[test]
fn a_weekly_rhythm_is_learnt() {
    let mut noise = Noise(9);
    // The epoch was a Thursday, so days 2 and 3 are the first weekend.
    let scored = scores(56, |day, hour| {
        let weekend = matches!(day % 7, 2 | 3) || day == 53;
        let busy = if weekend { 10.0..22.0 } else { 6.0..9.0 };
        if busy.contains(&hour) { 100.0 + noise.normal() } else { noise.normal() }
    });
    let rhythm = |step: &Step| step.excesses[5];
    let holiday = scored.iter().filter(|(day, ..)| *day == 53).map(|(_, _, step)| rhythm(step)).fold(0.0, f64::max);
    let weekends =
        scored.iter().filter(|(day, ..)| (28..53).contains(day)).map(|(_, _, step)| rhythm(step)).fold(0.0, f64::max);
    assert!(
        holiday > 1.0 && holiday > 1.5 * weekends,
        "a Monday that is spent as a Sunday: {holiday}, weekends: {weekends}"
    );
}

#[test]
fn what_is_no_reading_changes_nothing() {
    let mut detector = Detector::new();
    detector.step(DeviceTime(0), 1.0);
    let before = detector.clone();
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(detector.step(DeviceTime(MINUTE_MS), value), Step::default());
    }
    assert_eq!(detector, before);
}

#[test]
fn a_jump_across_a_gap_is_none() {
    let mut detector = Detector::new();
    for minute in 0..5 * 1440 {
        detector.step(DeviceTime(minute * MINUTE_MS), 20.0 + (minute % 7) as f64);
    }
    let mut late = detector.clone();
    let jump = Statistic::Jump as usize;
    let at_once = detector.step(DeviceTime(5 * 1440 * MINUTE_MS), 80.0);
    let after_a_week = late.step(DeviceTime(12 * 1440 * MINUTE_MS), 80.0);
    assert!(at_once.excesses[jump] > 0.0);
    assert_eq!(after_a_week.excesses[jump], 0.0);
    assert!(after_a_week.score >= ALARM, "the value itself is as odd as ever");
}

#[test]
fn a_clock_that_was_wrong_once_does_not_silence() {
    let mut detector = Detector::new();
    let usual = |minute: i64| 20.0 + (minute % 7) as f64;
    for minute in 0..5 * 1440 {
        detector.step(DeviceTime(minute * MINUTE_MS), usual(minute));
    }
    detector.step(DeviceTime(i64::MAX), 90.0);
    for minute in 5 * 1440..9 * 1440 {
        detector.step(DeviceTime(minute * MINUTE_MS), usual(minute));
    }
    assert!(detector.days() > 6.0);
    assert!(detector.step(DeviceTime(9 * 1440 * MINUTE_MS), 200.0).score >= ALARM);
}

#[test]
fn a_stored_detector_goes_on_as_if_nothing_had_been() {
    let mut noise = Noise(1);
    let mut detector = Detector::new();
    for minute in 0..4000 {
        detector.step(DeviceTime(minute * MINUTE_MS), noise.normal());
    }
    let mut restored: Detector = serde_json::from_str(&serde_json::to_string(&detector).unwrap()).unwrap();
    for minute in 4000..6000 {
        let value = noise.normal();
        let time = DeviceTime(minute * MINUTE_MS);
        assert_eq!(restored.step(time, value), detector.step(time, value));
    }
}

#[test]
fn a_channel_costs_little() {
    assert!(size_of::<Detector>() <= 2200, "{} bytes", size_of::<Detector>());
    let mut detector = Detector::new();
    let taken = allocation_counter::measure(|| {
        for minute in 0..10_000 {
            detector.step(DeviceTime(minute * MINUTE_MS), (minute % 60) as f64);
        }
    });
    assert_eq!(taken.count_total, 0);
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![4 => -100.0..100.0_f64, 1 => any::<f64>(), 1 => Just(0.0), 1 => Just(f64::NAN)]
}

fn any_time() -> impl Strategy<Value = i64> {
    prop_oneof![6 => 0..2_000_000_000_i64, 1 => any::<i64>(), 1 => Just(0)]
}

proptest! {
    #[test]
    fn any_readings_in_any_order_give_a_score(readings in prop::collection::vec((any_time(), any_value()), 0..400)) {
        let mut detector = Detector::new();
        for (time, value) in readings {
            let step = detector.step(DeviceTime(time), value);
            prop_assert!((0.0..1.0).contains(&step.score));
            prop_assert!(step.strangeness.is_finite());
        }
    }

    /// Neither unit nor offset of a channel matter.
    #[test]
    fn scores_do_not_depend_on_the_unit(seed in any::<u64>(), scale in 0.01..100.0_f64, offset in -50.0..50.0_f64) {
        let mut noise = Noise(seed);
        let (mut detector, mut other) = (Detector::new(), Detector::new());
        for reading in 0..2000_i64 {
            let (time, value) = (DeviceTime(reading * 5 * MINUTE_MS), noise.normal());
            let (one, two) = (detector.step(time, value), other.step(time, scale * value + offset));
            prop_assert!((one.strangeness - two.strangeness).abs() < 0.05, "{one:?} {two:?}");
        }
    }
}
