use firmware_proto::Value;

use super::*;
use crate::appliance::{Datapoint, Kind};
use crate::testing::{Device, HIGH};

fn datapoints() -> Vec<Datapoint> {
    let of =
        |name: &str, kind| Datapoint { name: name.to_owned(), unit: String::new(), kind, range: None, values: vec![] };
    vec![of("a", Kind::Number), of("b", Kind::Number), of("on", Kind::Flag), of("mode", Kind::Text)]
}

struct At(Vec<Option<Value>>);

impl Values for At {
    fn datapoint(&self, index: usize) -> Option<f64> {
        self.0[index].as_ref().map(number_of).filter(|value| value.is_finite())
    }
    fn slot(&self, _: usize) -> Option<(&Slot, &SlotState)> {
        None
    }
    fn now_ms(&self) -> i64 {
        0
    }
    fn since_boot_ms(&self) -> i64 {
        90_000
    }
}

fn truth(text: &str, a: Option<f64>, b: Option<f64>) -> Option<bool> {
    let datapoints = datapoints();
    let flag = Compiler::new(&datapoints).flag(text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
    let values = At(vec![a.map(Value::from), b.map(Value::from), Some(true.into()), Some("cool".into())]);
    evaluate::flag(&flag, &values)
}

#[test]
fn expressions_mean_what_they_say() {
    let cases: [(&str, Option<bool>); 24] = [
        ("a > 2", Some(true)),
        ("a >= 3 and b < 0", Some(true)),
        ("a > 3 or b > 0", Some(false)),
        ("not a > 3", Some(true)),
        ("not (a > 2) or on", Some(true)),
        ("a + b * 2 == -5", Some(true)),
        ("(a + b) * 2 == -2", Some(true)),
        ("a - 1 - 1 == 1", Some(true)),
        ("a / 2 == 1.5", Some(true)),
        ("-a == -3", Some(true)),
        ("--a == 3", Some(true)),
        ("abs(b) > a", Some(true)),
        ("min(a, b) == b and max(a, b) == a", Some(true)),
        ("mode == \"cool\"", Some(true)),
        ("mode != 'cool'", Some(false)),
        ("'cool' == mode", Some(true)),
        ("on == false", Some(false)),
        ("on == (a > 2)", Some(true)),
        ("since_boot == 1.5 min", Some(true)),
        ("since_boot > 2 min", Some(false)),
        ("1_000 > 999", Some(true)),
        // Dividing by zero makes a value missing.
        ("a / (b + 4) > 1", None),
        ("a / (b + 4) > 1 or on", Some(true)),
        ("a / (b + 4) > 1 and not on", Some(false)),
    ];
    for (text, expected) in cases {
        assert_eq!(truth(text, Some(3.0), Some(-4.0)), expected, "{text}");
    }
}

#[test]
fn what_is_missing_is_neither_true_nor_false() {
    assert_eq!(truth("a > 2", None, None), None);
    assert_eq!(truth("not a > 2", None, None), None);
    assert_eq!(truth("a > 2 and b > 0", None, Some(-1.0)), Some(false));
    assert_eq!(truth("a > 2 or b < 0", None, Some(-1.0)), Some(true));
    assert_eq!(truth("a > 2 or b > 0", None, Some(-1.0)), None);
    assert_eq!(truth("a > 2", Some(f64::NAN), None), None);
}

#[test]
fn errors_name_place_and_remedy() {
    let datapoints = datapoints();
    let texts = [
        "a >",
        "a > 2 b",
        "a = 2",
        "a > 2 && b > 1",
        "c > 2",
        "modus == 'cool'",
        "a < b < 3",
        "mode > 'cool'",
        "mode > 3",
        "'x' == 'y'",
        "a + on > 2",
        "a",
        "mean(a) > 2",
        "mean(a, 5) > 2",
        "mean(a, 3 d) > 2",
        "avg(a, 5 min) > 2",
        "rise(a, on) > 2",
        "a > 5 for",
        "a > 5 for 10",
        "a > 5 x",
        "a > 10 parsecs",
        "a > 10parsecs",
        "mode == 'cool",
        "(a > 1",
        "a > 1)",
        "a > 1.2.3",
        "and a > 1",
        "",
    ];
    let shown: String = texts
        .iter()
        .map(|text| {
            let error = Compiler::new(&datapoints).flag(text).unwrap_err();
            format!("{text:<20} at {:>2}: {}\n", error.offset, error.reason)
        })
        .collect();
    insta::assert_snapshot!(shown);
}

#[test]
fn depth_and_length_are_bounded() {
    let datapoints = datapoints();
    for text in ["(".repeat(200), "-".repeat(200), "not ".repeat(200), "a + ".repeat(400), "abs(".repeat(200)] {
        assert!(Compiler::new(&datapoints).flag(&text).is_err());
    }
}

#[test]
fn the_past_is_refused_where_there_is_none() {
    let datapoints = datapoints();
    let error = Compiler::without_past(&datapoints).flag("a > 1 for 5 min").unwrap_err();
    assert!(error.reason.contains("past"));
    assert!(Compiler::without_past(&datapoints).flag("since_boot > 5").is_err());
}

#[test]
fn equal_functions_of_time_share_a_slot() {
    let datapoints = datapoints();
    let mut compiler = Compiler::new(&datapoints);
    for text in ["mean(a, 5 min) > 1", "spread(a, 5 min) > 1", "lowest(a, 300 s) > mean(a, 5 min)"] {
        compiler.flag(text).unwrap();
    }
    assert_eq!(compiler.slots.len(), 2, "means and extremes are kept apart");
}

/// A device whose one further detector tells at once what an expression says.
fn watching(violated: &str) -> Device {
    Device::new(&format!(
        "{HIGH}\n[detectors.seen]\nname = \"Seen\"\nviolated = \"\"\"{violated}\"\"\"\non_delay = \"0 s\"\noff_delay = \"0 s\"\nmin_samples = 1\nfalse_alarm = 0.001\n"
    ))
}

#[test]
fn held_counts_from_the_first_moment_and_a_gap_breaks_it() {
    let mut device = watching("a > 5 for 3 min");
    assert_eq!(device.set("a", 9.0).minutes(3), ["-seen"]);
    assert_eq!(device.minutes(1), ["+seen"]);
    assert_eq!(device.set("a", 1.0).minutes(1), ["-seen"]);
    assert_eq!(device.set("a", 9.0).minutes(4), ["+seen"]);
    device.time = device.time.plus_ms(3_600_000);
    assert_eq!(device.minutes(1), ["-seen"]);
}

#[test]
fn mean_and_spread_wait_for_their_window_and_forget() {
    let mut device = watching("mean(a, 12 min) > 5");
    device.set("a", 9.0);
    assert_eq!(device.minutes(8), Vec::<String>::new());
    assert_eq!(device.minutes(2), ["+seen"]);
    assert_eq!(device.set("a", 0.0).minutes(12), ["-seen"]);

    let mut device = watching("spread(a, 12 min) <= 0.1");
    device.set("a", 9.0);
    assert_eq!(device.minutes(10), ["+seen"]);
    assert_eq!(device.set("a", 9.5).minutes(1), ["-seen"]);
    assert_eq!(device.minutes(12), ["+seen"]);
}

#[test]
fn share_is_the_part_of_the_time() {
    let mut device = watching("share(on, 20 min) > 0.5");
    let mut latched = Vec::new();
    for _ in 0..30 {
        latched.extend(device.set("on", true).minutes(1));
        latched.extend(device.set("on", false).minutes(2));
    }
    assert_eq!(latched, ["-seen"]);
    for _ in 0..30 {
        latched.extend(device.set("on", true).minutes(2));
        latched.extend(device.set("on", false).minutes(1));
    }
    assert_eq!(latched, ["-seen", "+seen"]);
}

#[test]
fn time_adds_up_since_an_event_and_a_gap_restarts_it() {
    let mut device = watching("time(on, since a > 5) > 10 min");
    device.set("a", 0.0);
    for _ in 0..3 {
        assert!(!device.set("on", true).minutes(3).contains(&"+seen".to_owned()));
        device.set("on", false).minutes(5);
    }
    assert_eq!(device.set("on", true).minutes(3), ["+seen"]);
    assert_eq!(device.set("a", 9.0).minutes(1), ["-seen"]);
    device.set("a", 0.0).minutes(9);
    device.time = device.time.plus_ms(3_600_000);
    assert_eq!(device.minutes(9), Vec::<String>::new());
}

#[test]
fn rise_counts_since_an_event_and_survives_a_counter_reset() {
    let mut device = watching("rise(count, since not on) >= 3");
    device.set("on", false).set("count", 40_i64).minutes(2);
    device.set("on", true).set("count", 41_i64);
    assert_eq!(device.minutes(1), Vec::<String>::new());
    assert_eq!(device.set("count", 43_i64).minutes(1), ["+seen"]);
    // The device booted: its counter starts again.
    assert_eq!(device.set("count", 1_i64).minutes(1), ["-seen"]);
    assert_eq!(device.set("count", 4_i64).minutes(1), ["+seen"]);
}

#[test]
fn rate_is_the_slope_a_minute_whatever_the_noise() {
    let mut device = watching("rate(a, 12 min) > 1.4 and rate(a, 12 min) < 1.6");
    let mut latched = Vec::new();
    for minute in 0..30_i32 {
        let noise = if minute % 2 == 0 { 0.3 } else { -0.3 };
        latched.extend(device.set("a", 1.5 * f64::from(minute) + noise).minutes(1));
    }
    assert_eq!(latched.last().map(String::as_str), Some("+seen"), "{latched:?}");
    let mut flat = watching("abs(rate(a, 12 min)) < 0.01");
    assert_eq!(flat.set("a", 700.0).minutes(10), ["+seen"]);
}

#[test]
fn a_wrong_unit_shows_as_a_jump_or_is_refused() {
    let mut device = watching("abs(rate(a, 10 min)) > 2.5");
    assert_eq!(device.set("a", 4.0).minutes(20), ["-seen"]);
    // 4 °C in degrees Fahrenheit.
    assert_eq!(device.set("a", 39.2).minutes(10), ["+seen", "-seen"]);
    // A hundred times too large is outside the datapoint's range: the last value stays, then is missing.
    assert_eq!(device.set("a", 3_920.0).minutes(60), Vec::<String>::new());
}

#[test]
fn starts_are_counted_over_a_window_that_moves() {
    let mut device = watching("starts(on, 1 h) >= 4");
    let mut latched = Vec::new();
    for _ in 0..6 {
        latched.extend(device.set("on", false).minutes(8));
        latched.extend(device.set("on", true).minutes(2));
    }
    assert_eq!(latched, ["+seen"], "once the window has been seen");
    assert_eq!(device.minutes(60), ["-seen"], "that it stays on is no start");
}

#[test]
fn a_run_tells_its_length_and_integral_when_it_is_over() {
    let mut device = watching("run_time(on) == 6 min and abs(run_integral(b, on) - 30) < 0.01");
    device.set("b", 300.0).set("on", false).minutes(3);
    assert_eq!(device.set("on", true).minutes(6), Vec::<String>::new());
    // On from the first of seven samples to the last: six minutes at 300 W are 30 Wh.
    device.minutes(1);
    assert_eq!(device.set("on", false).minutes(1), ["+seen"]);
    assert_eq!(device.minutes(30), Vec::<String>::new(), "the last run stays known");
    assert_eq!(device.set("on", true).minutes(10), Vec::<String>::new());
    assert_eq!(device.set("on", false).minutes(1), ["-seen"]);
}

#[test]
fn a_run_that_was_not_seen_whole_does_not_count() {
    let begun_before = |device: &mut Device| {
        device.set("b", 300.0).set("on", true).minutes(9);
        device.set("on", false).minutes(3)
    };
    let mut device = watching("run_time(on) > 0 s");
    assert_eq!(begun_before(&mut device), Vec::<String>::new());
    device.set("on", true).minutes(2);
    device.time = device.time.plus_ms(3_600_000);
    device.minutes(2);
    assert_eq!(device.set("on", false).minutes(2), Vec::<String>::new(), "a gap within");
    device.set("on", true).minutes(4);
    assert_eq!(device.set("on", false).minutes(1), ["+seen"]);
}

#[test]
fn a_sensor_that_stands_still_has_no_spread() {
    let mut device = watching("spread(a, 1 h) < 0.01");
    for minute in 0..90_i32 {
        assert!(!device.set("a", 4.0 + 0.1 * f64::from(minute % 2)).minutes(1).contains(&"+seen".to_owned()));
    }
    assert_eq!(device.set("a", 4.1).minutes(70), ["+seen"]);
}
