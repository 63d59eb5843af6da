use super::*;
use crate::forest::GrowOptions;

/// splitmix64 (Steele, Lea & Flood 2014).
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

fn schema() -> Vec<String> {
    ["current", "heat", "noise", "idle"].map(String::from).to_vec()
}

/// A fault moves one feature by six deviations.
fn row(label: &str, random: &mut Random) -> Vec<f64> {
    let mut row: Vec<f64> = (0..4).map(|_| random.normal()).collect();
    match label {
        "pump" => row[0] += 6.0,
        "heater" => row[1] += 6.0,
        "bearing" => row[2] += 6.0,
        _ => {}
    }
    row
}

fn windows(labels: &[&str], groups: usize, each: usize) -> Vec<LabelledWindow> {
    let mut random = Random(11);
    let mut windows = Vec::new();
    for group in 0..groups {
        for label in labels {
            windows.extend((0..each).map(|_| LabelledWindow {
                features: row(label, &mut random),
                label: (*label).into(),
                group: format!("appliance {group}"),
            }));
        }
    }
    windows
}

fn options() -> TrainOptions {
    TrainOptions { forests: vec![GrowOptions { trees: 25, ..GrowOptions::default() }], ..TrainOptions::default() }
}

fn trained() -> Classifier {
    Classifier::train(&schema(), &windows(&["fine", "pump", "heater"], 12, 4), &options()).unwrap()
}

fn probability(classifier: &Classifier, row: &[f64], class: &str) -> f64 {
    let at = classifier.classes().iter().position(|name| name == class).unwrap();
    classifier.predict(row).unwrap().probabilities[at]
}

#[test]
fn what_was_learnt_is_recognised() {
    let classifier = trained();
    assert_eq!(classifier.classes(), ["fine", "heater", "pump", UNKNOWN]);
    let mut random = Random(5);
    for label in ["fine", "pump", "heater"] {
        let right = (0..50).filter(|_| probability(&classifier, &row(label, &mut random), label) > 0.5).count();
        assert!(right >= 45, "{label}: {right} of 50");
    }
    assert!(classifier.left_out().log_loss < 0.2, "{:?}", classifier.left_out());
    assert!(classifier.left_out().calibration_error < 0.1, "{:?}", classifier.left_out());
}

#[test]
fn what_was_not_learnt_is_unknown() {
    let classifier = trained();
    let mut random = Random(6);
    let mass = |random: &mut Random, label| {
        (0..50).map(|_| probability(&classifier, &row(label, random), UNKNOWN)).sum::<f64>() / 50.0
    };
    assert!(mass(&mut random, "bearing") > 0.6);
    assert!(mass(&mut random, "pump") < 0.1);
    assert!(probability(&classifier, &[1e12, -1e12, f64::INFINITY, 0.0], UNKNOWN) > 0.99);
}

#[test]
fn of_a_row_that_lacks_most_nothing_is_said() {
    let classifier = trained();
    let lacking = [f64::NAN, f64::NAN, f64::NAN, 0.0];
    assert_eq!(probability(&classifier, &lacking, UNKNOWN), 1.0);
    assert!(probability(&classifier, &[6.0, 0.0, 0.0, f64::NAN], "pump") > 0.5);
    assert!(classifier.predict(&[0.0; 3]).is_err());
}

#[test]
fn probabilities_sum_to_one() {
    let classifier = trained();
    for row in [[0.0; 4], [f64::NAN; 4], [f64::INFINITY; 4], [f64::MIN; 4], [3.0, 3.0, 0.0, 0.0]] {
        let prediction = classifier.predict(&row).unwrap();
        assert!((prediction.probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{row:?}: {prediction:?}");
        assert!(prediction.probabilities.iter().all(|p| (0.0..=1.0).contains(p)), "{row:?}: {prediction:?}");
    }
}

#[test]
fn the_feature_that_moved_it_is_named() {
    let classifier = trained();
    let reasons = classifier.reasons(&[6.0, 0.1, 0.0, 0.0], 2).unwrap();
    assert_eq!(reasons[0].feature, "current");
    assert!(reasons[0].weight > 0.3, "{reasons:?}");
    let reasons = classifier.reasons(&[0.0, 0.0, 50.0, 0.0], 1).unwrap();
    assert_eq!((reasons.len(), reasons[0].feature.as_str()), (1, "noise"));
}

#[test]
fn rare_labels_are_unknown() {
    let mut windows = windows(&["fine", "pump"], 10, 3);
    for window in windows.iter_mut().take(2) {
        window.label = "mouse in the wiring".into();
    }
    let classifier = Classifier::train(&schema(), &windows, &options()).unwrap();
    assert_eq!(classifier.classes(), ["fine", "pump", UNKNOWN]);
    let rare = classifier.left_out().labels.iter().find(|count| count.label.starts_with("mouse")).unwrap();
    assert_eq!((rare.windows, rare.groups, rare.learnt), (2, 1, false));
}

#[test]
fn too_few_labels_are_refused_by_name() {
    let windows = windows(&["fine", "pump"], 1, 5);
    let error = Classifier::train(&schema(), &windows, &options()).unwrap_err().to_string();
    assert_eq!(
        error,
        "fewer than two labels are seen at 2 appliances or more: fine at 1 (5 windows), pump at 1 (5 windows)"
    );
    assert!(Classifier::train(&schema(), &[], &options()).is_err());
    assert!(Classifier::train(&schema()[..2], &windows, &options()).is_err());
}

#[test]
fn files_give_the_same_classifier_back() {
    let classifier = trained();
    let json = serde_json::to_value(&classifier).unwrap();
    assert_eq!(serde_json::from_value::<Classifier>(json.clone()).unwrap(), classifier);
    for (key, value) in
        [("schema", serde_json::json!(["current"])), ("prior", 2.0.into()), ("classes", json["learnt"].clone())]
    {
        let mut broken = json.clone();
        broken[key] = value;
        assert!(serde_json::from_value::<Classifier>(broken).is_err(), "{key}");
    }
}

#[test]
fn calibration_finds_the_temperature_back() {
    // Labels drawn by softmax(2 ln p): the shares are too even by a factor of two.
    let mut random = Random(9);
    let mut shares = Vec::new();
    let mut labels = Vec::new();
    for _ in 0..20_000 {
        let p = 0.1 + 0.8 * random.uniform();
        let truth = p * p / (p * p + (1.0 - p) * (1.0 - p));
        shares.push(vec![p as f32, (1.0 - p) as f32]);
        labels.push(usize::from(random.uniform() > truth));
    }
    let calibration = Calibration::fit(&shares, &labels, 2);
    let said = calibration.apply(&[0.7, 0.3])[0];
    assert!((said - 0.49 / 0.58).abs() < 0.02, "{said}");
}

#[test]
fn calibration_error_is_the_distance_from_the_frequency() {
    let predictions: Vec<(f64, bool)> = (0..100).map(|n| (0.75, n < 50)).collect();
    assert!((expected_calibration_error(&predictions) - 0.25).abs() < 1e-12);
}

#[test]
fn groups_are_dealt_whole_and_evenly() {
    let groups: Vec<String> = (0..30).map(|number| format!("{}", number / 3)).collect();
    let names: Vec<&str> = groups.iter().map(String::as_str).collect();
    let labels: Vec<usize> = (0..30).map(|number| usize::from(number < 12 && number % 3 == 0)).collect();
    let folds = folds::deal(&names, &labels, 2, 4);
    assert!(folds.chunks(3).all(|group| group.iter().all(|fold| *fold == group[0])));
    for fold in 0..4 {
        assert_eq!((0..30).filter(|row| labels[*row] == 1 && folds[*row] == fold).count(), 1);
    }
}

fn shape() -> WindowShape {
    WindowShape {
        channels: vec!["power".into()],
        spans_h: vec![2, 4],
        codes: vec!["E1".into()],
        memory_h: 48,
        parts: vec!["filter".into()],
    }
}

const HOUR: i64 = 3_600_000;

fn features(window: &EventWindow, hour: i64) -> Vec<f64> {
    let mut row = Vec::new();
    window.features(hour * HOUR, &mut row);
    row
}

#[test]
fn a_window_means_what_it_says() {
    let mut window = EventWindow::new(shape()).unwrap();
    assert_eq!(shape().schema().len(), features(&window, 0).len());
    assert!(features(&window, 0)[0].is_nan());
    for (hour, value) in [(100, 1.0), (101, 2.0), (102, 3.0), (103, 6.0)] {
        assert!(window.reading(hour * HOUR, 0, value));
    }
    window.event(101 * HOUR, 0);
    window.renewed(55 * HOUR, 0);
    assert_eq!(features(&window, 103), [4.5, 3.0, 2.0, 2.0]);
    // Of the past, nothing later counts.
    assert_eq!(features(&window, 100)[..3], [1.0, 1.0, 48.0]);
}

#[test]
fn order_gaps_and_nonsense_do_no_harm() {
    let mut window = EventWindow::new(shape()).unwrap();
    for (hour, value) in [(103, 6.0), (101, 2.0), (102, 3.0), (100, 1.0)] {
        assert!(window.reading(hour * HOUR, 0, value));
    }
    assert!(!window.reading(99 * HOUR, 0, 1.0), "older than the window");
    assert!(!window.reading(103 * HOUR, 0, f64::NAN));
    assert!(!window.reading(103 * HOUR, 7, 1.0), "no such channel");
    window.event(0, 7);
    assert_eq!(features(&window, 103)[..2], [4.5, 3.0]);
    assert!(features(&window, 110)[0].is_nan(), "a gap is missing, not old");
    assert!(window.reading(i64::MAX, 0, 1.0));
    assert!(!window.reading(i64::MIN, 0, 1.0));
    assert!(features(&window, i64::MAX / HOUR)[0] == 1.0);
}

#[test]
fn a_window_survives_a_restart_and_refuses_another_shape() {
    let mut window = EventWindow::new(shape()).unwrap();
    window.reading(5 * HOUR, 0, 1.0);
    let json = serde_json::to_value(&window).unwrap();
    assert_eq!(serde_json::from_value::<EventWindow>(json.clone()).unwrap(), window);
    let mut broken = json;
    broken["sums"] = serde_json::json!([1.0]);
    assert!(serde_json::from_value::<EventWindow>(broken).is_err());
    assert!(EventWindow::new(WindowShape { spans_h: vec![4, 2], ..shape() }).is_err());
    assert!(EventWindow::new(WindowShape { spans_h: vec![1_000_000], ..shape() }).is_err());
}
