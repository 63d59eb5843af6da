use super::*;
use draws::Draws;

const TRAIN: usize = 400;

/// Rows of two dependent channels around 20 and 5.
fn healthy(rows: usize, seed: u64) -> Vec<f64> {
    let mut draws = Draws::new(seed);
    let (mut a, mut b) = (0.0, 0.0);
    let mut values = Vec::new();
    for _ in 0..rows {
        a = 0.8 * a + 0.1 * draws.normal();
        b = 0.5 * b + 0.02 * draws.normal();
        values.extend([20.0 + a, 5.0 + b]);
    }
    values
}

fn names() -> Vec<String> {
    vec!["room".to_owned(), "flow".to_owned()]
}

fn model(rows: Vec<f64>, times_ms: Vec<i64>) -> Model {
    Model::train(&names(), &[Recording { times_ms, readings: rows }]).unwrap()
}

#[test]
fn a_fault_is_flagged_from_onset_to_return_and_named() {
    let mut rows = healthy(1400, 1);
    for row in 700..1000 {
        rows[2 * row + 1] -= 0.4;
    }
    let model = model(rows[..2 * TRAIN].to_vec(), vec![]);
    let mut monitor = Monitor::new(&model);
    let mut changes = Vec::new();
    for (row, readings) in rows.chunks_exact(2).enumerate().skip(TRAIN) {
        let verdict = monitor.step(None, readings);
        if verdict.changepoint {
            changes.push((row, verdict.flag));
        }
        if row == 700 {
            assert_eq!(monitor.channels()[0].0, "flow");
            assert!(verdict.p_value.unwrap() < 1e-3);
        }
    }
    assert!(matches!(changes[..], [(700..710, true), (1000..1030, false)]), "{changes:?}");
}

/// The p-values of the rows after training.
fn p_values(rows: &[f64]) -> Vec<f64> {
    let model = model(rows[..2 * TRAIN].to_vec(), vec![]);
    let mut monitor = Monitor::new(&model);
    rows[2 * TRAIN..].chunks_exact(2).map(|row| monitor.step(None, row).p_value.unwrap()).collect()
}

#[test]
fn a_step_is_surprising_when_it_comes_and_when_it_goes_each_time() {
    for size in [0.2, 0.4] {
        let mut rows = healthy(2400, 9);
        for row in (800..1100).chain(1600..1900) {
            rows[2 * row + 1] += size;
        }
        let p_values = p_values(&rows);
        for change in [800, 1100, 1600, 1900] {
            let after = &p_values[change - TRAIN..][..100];
            assert!(after[0] <= 1e-3, "{size}, row {change}: {}", after[0]);
            let rare = after.iter().filter(|p| **p <= 0.01).count();
            assert!(rare <= 6, "{size}, row {change}: {rare} of 100 rows");
        }
    }
}

#[test]
fn what_a_healthy_recording_shows_again_and_again_is_no_longer_rare() {
    let mut rows = healthy(12_000, 10);
    // Too short to move the level of the channel, so that no flag rises.
    let spikes: Vec<usize> = (TRAIN + 50..12_000).step_by(100).collect();
    for row in &spikes {
        rows[2 * row + 1] += 0.14;
    }
    let p_values = p_values(&rows);
    let of_spikes: Vec<f64> = spikes.iter().map(|row| p_values[row - TRAIN]).collect();
    let (first, rare) = (of_spikes[0], of_spikes[66..].iter().filter(|p| **p <= 1e-3).count());
    assert!(first <= 1e-3 && rare <= 5, "{first}, then {rare} of 50");
}

#[test]
fn shares_sum_to_one_largest_first() {
    let rows = healthy(500, 2);
    let model = model(rows[..2 * TRAIN].to_vec(), vec![]);
    let mut monitor = Monitor::new(&model);
    monitor.step(None, &[20.4, 5.3]);
    let channels = monitor.channels();
    assert!((channels.iter().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-12);
    assert!(channels[0].1 >= channels[1].1);
}

#[test]
fn rows_out_of_order_and_empty_rows_are_not_judged() {
    let rows = healthy(TRAIN + 10, 3);
    let times: Vec<i64> = (0..TRAIN as i64).map(|row| row * 1000).collect();
    let model = model(rows[..2 * TRAIN].to_vec(), times);
    let mut monitor = Monitor::new(&model);
    let next = TRAIN as i64 * 1000;
    let mut standing = |time, readings: &[f64]| {
        let verdict = monitor.step(time, readings);
        assert_eq!(verdict.score.is_some(), matches!(verdict.standing, Standing::Judged | Standing::AfterGap));
        assert_eq!(verdict.p_value.is_some(), verdict.standing == Standing::Judged);
        verdict.standing
    };
    let row = &rows[2 * TRAIN..][..2];
    assert_eq!(standing(Some(next), row), Standing::Judged);
    assert_eq!(standing(Some(next), row), Standing::Repeated);
    assert_eq!(standing(Some(next - 5000), row), Standing::GoesBack);
    assert_eq!(standing(Some(next + 1000), &[f64::NAN, f64::INFINITY]), Standing::Empty);
    assert_eq!(standing(Some(next + 2000), &[f64::NAN, row[1]]), Standing::Judged);
    assert_eq!(standing(Some(next + 100_000), row), Standing::AfterGap);
    assert_eq!(standing(Some(next + 101_000), row), Standing::Judged);
}

#[test]
fn a_missing_channel_neither_alarms_nor_hides_the_other() {
    let mut rows = healthy(900, 4);
    let model = model(rows[..2 * TRAIN].to_vec(), vec![]);
    for row in 500..900 {
        rows[2 * row + 1] = f64::NAN;
    }
    for row in 700..900 {
        rows[2 * row] += 3.0;
    }
    let mut monitor = Monitor::new(&model);
    let flags: Vec<bool> = rows.chunks_exact(2).skip(TRAIN).map(|row| monitor.step(None, row).flag).collect();
    assert!(!flags[..300].contains(&true));
    assert!(flags[305..].iter().all(|flag| *flag));
}

#[test]
fn slow_drift_is_not_a_fault() {
    let mut rows = healthy(4000, 5);
    for (row, readings) in rows.chunks_exact_mut(2).enumerate() {
        readings[0] += 0.0005 * row as f64;
    }
    let model = model(rows[..2 * TRAIN].to_vec(), vec![]);
    let mut monitor = Monitor::new(&model);
    let flagged = rows.chunks_exact(2).skip(TRAIN).filter(|row| monitor.step(None, row).flag).count();
    assert!(flagged < 360, "{flagged} of 3600 rows");
}

#[test]
fn a_constant_channel_has_no_p_value_but_its_move_is_flagged() {
    let model = model([20.0, 5.0].repeat(TRAIN), vec![]);
    assert_eq!(model.still_channels().collect::<Vec<_>>(), ["room", "flow"]);
    let mut monitor = Monitor::new(&model);
    let verdict = monitor.step(None, &[20.0, 5.0]);
    assert_eq!((verdict.score, verdict.p_value, verdict.flag), (Some(0.0), None, false));
    assert!(monitor.channels().is_empty());
    assert!((0..10).map(|_| monitor.step(None, &[30.0, 5.0])).last().unwrap().flag);
}

#[test]
fn a_wrong_unit_is_flagged_and_told() {
    let mut rows = healthy(500, 6);
    let model = model(rows[..2 * TRAIN].to_vec(), vec![]);
    for row in 450..500 {
        rows[2 * row] = rows[2 * row] * 1.8 + 32.0;
    }
    let mut monitor = Monitor::new(&model);
    let last = rows.chunks_exact(2).skip(TRAIN).map(|row| monitor.step(None, row)).last().unwrap();
    assert!(last.flag);
    assert_eq!(monitor.wrong_units().collect::<Vec<_>>(), [("room", "degrees Fahrenheit for Celsius")]);
    assert_eq!(monitor.channels()[0].0, "room");
}

#[test]
fn a_snapshot_goes_on_as_if_nothing_had_happened() {
    let rows = healthy(700, 7);
    let model = model(rows[..2 * TRAIN].to_vec(), vec![]);
    let mut whole = Monitor::new(&model);
    let mut part = Monitor::new(&model);
    for (row, readings) in rows.chunks_exact(2).enumerate().skip(TRAIN) {
        if row == 550 {
            let text = serde_json::to_string(part.state()).unwrap();
            part = Monitor::restore(&model, serde_json::from_str(&text).unwrap());
        }
        assert_eq!(whole.step(None, readings), part.step(None, readings));
    }
    let text = serde_json::to_string(&model).unwrap();
    assert_eq!(serde_json::from_str::<Model>(&text).unwrap(), model);
}

#[test]
fn devices_apart_from_each_other_do_not_alarm_at_their_start() {
    let device = |seed: u64, offset: f64| {
        let mut rows = healthy(500, seed);
        rows.iter_mut().step_by(2).for_each(|room| *room += offset);
        Recording { times_ms: vec![], readings: rows }
    };
    let recordings: Vec<Recording> = (0..6).map(|n| device(10 + n, 2.0 * n as f64)).collect();
    let model = Model::train(&names(), &recordings).unwrap();
    let mut monitor = Monitor::new(&model);
    let flagged = device(99, 7.0).readings.chunks_exact(2).filter(|row| monitor.step(None, row).flag).count();
    assert!(flagged < 50, "{flagged} of 500 rows");
}

#[test]
fn evidence_never_says_more_than_its_p_value() {
    let rows = healthy(TRAIN + 1, 8);
    let model = model(rows[..2 * TRAIN].to_vec(), vec![]);
    let mut monitor = Monitor::new(&model);
    let verdict = Verdict { p_value: Some(0.01), ..monitor.step(None, &rows[2 * TRAIN..]) };
    let evidence = monitor.evidence(&verdict, "odd", (0, 1), "1").unwrap();
    // 1 / (-e p ln p) at p = 0.01 is 7.99 (Sellke, Bayarri & Berger 2001, table 1: odds 1 : 0.125).
    assert!((evidence.log_likelihood_ratio.exp() - 7.99).abs() < 0.01);
    let verdict = Verdict { p_value: Some(0.6), ..verdict };
    assert_eq!(monitor.evidence(&verdict, "odd", (0, 1), "1").unwrap().log_likelihood_ratio, 0.0);
}

#[test]
fn what_cannot_be_learned_from_is_refused() {
    let train = |channels: &[String], readings: Vec<f64>| {
        Model::train(channels, &[Recording { times_ms: vec![], readings }]).unwrap_err()
    };
    assert_eq!(train(&[], vec![]), TrainError::NoChannel);
    assert_eq!(train(&names(), vec![1.0; 40]), TrainError::TooFewRows { found: 20 });
    assert_eq!(train(&names(), vec![1.0; 801]), TrainError::NotWhole { recording: 0, channels: 2 });
    let missing = train(&names(), [1.0, f64::NAN].repeat(200));
    assert_eq!(missing, TrainError::NoReading { channel: "flow".to_owned() });
    assert_eq!(train(&vec![String::new(); 300], vec![]), TrainError::TooManyChannels { found: 300 });
    assert_eq!(Model::train(&names(), &[]).unwrap_err(), TrainError::TooFewRows { found: 0 });
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]
    #[test]
    fn no_row_breaks_a_monitor(rows in proptest::collection::vec((proptest::option::of(proptest::num::i64::ANY), proptest::num::f64::ANY, proptest::num::f64::ANY), 1..60)) {
        static MODEL: std::sync::LazyLock<Model> = std::sync::LazyLock::new(|| model(healthy(TRAIN, 1), vec![]));
        let mut monitor = Monitor::new(&MODEL);
        for (time, a, b) in rows {
            let verdict = monitor.step(time, &[a, b]);
            proptest::prop_assert!(verdict.p_value.is_none_or(|p| p > 0.0 && p <= 1.0));
            proptest::prop_assert!(verdict.score.is_none_or(|score| score >= 0.0));
        }
    }
}
