//! The bars of the detector of recordings: flags on recorded faults, and p-values on healthy rows.

#[path = "../examples/healthy/mod.rs"]
mod healthy;
#[path = "../examples/pumps/mod.rs"]
mod pumps;
#[path = "../examples/recorded/mod.rs"]
mod recorded;

/// Data set: SKAB 0.9, the development files. Split: the first 400 rows of each train. Baseline:
/// always on, F1 0.69.
#[test]
#[cfg_attr(debug_assertions, ignore = "slow without optimisation")]
fn pump_faults_are_flagged() {
    let Some(files) = recorded::archive("skab/skab-dev.tar.gz").unwrap() else { return };
    let mut count = pumps::Count::default();
    for experiment in pumps::experiments(files) {
        let flags = pumps::detect(&experiment);
        for (flag, anomaly) in flags.into_iter().zip(&experiment.anomaly[pumps::TRAIN_ROWS..]) {
            count.add(flag, *anomaly);
        }
    }
    let (f1, far, mar) = count.figures();
    assert!(f1 >= 0.83 && far <= 0.20 && mar <= 0.17, "F1 {f1:.3}, FAR {far:.3}, MAR {mar:.3}");
}

/// Data set: simulated AR(1) with φ = 0.95, of normal noise and of noise with gross errors. Split:
/// 400 rows train, 4,000 are judged. The example `alarm_rate` shows more kinds of noise and more
/// recordings.
#[test]
#[cfg_attr(debug_assertions, ignore = "slow without optimisation")]
fn dependent_healthy_rows_alarm_as_often_as_they_say() {
    for name in ["AR(1) 0.95, 1 channel", "AR(1) 0.95 of mixed normals, 2 channels"] {
        let world = healthy::WORLDS.iter().find(|world| world.name == name).unwrap();
        let rates = healthy::rates(world, 40);
        assert!(rates.inside, "{name}: {} at 0.01, {} at 0.001", rates.at_2, rates.at_3);
    }
}

/// Data set: SKAB 0.9, the healthy run, whole and in stretches, and the development files before
/// their faults; levels step and dip there. Split: the first 400 rows of each train.
#[test]
#[cfg_attr(debug_assertions, ignore = "slow without optimisation")]
fn recorded_healthy_rows_alarm_as_often_as_they_say() {
    let Some(files) = recorded::archive("skab/skab-dev.tar.gz").unwrap() else { return };
    for (name, p_values) in pumps::healthy_p_values(&files) {
        let rates = healthy::Rates::of(&p_values);
        assert!(rates.inside, "{name}: {} at 0.01, {} at 0.001", rates.at_2, rates.at_3);
    }
}
