//! The bars of `examples/appliance_power`: data set, split and score are described there.

#[path = "../examples/appliance_power/main.rs"]
#[allow(dead_code, reason = "the program prints more than is asserted")]
mod program;

use program::{baselines, days, held_on, measure, recorded};

const ARCHIVE: &str = "appliance-power/appliance-power-dev.tar.gz";

#[test]
#[cfg_attr(debug_assertions, ignore = "slow without optimisation")]
fn faults_are_told_from_power_alone() {
    let Some(files) = recorded::archive(ARCHIVE).unwrap() else { return };
    let devices = days::devices(&files);
    let figures = held_on(&devices);
    assert_eq!(figures.each.len(), devices.iter().map(|device| device.faulty.len()).sum::<usize>());
    assert!(figures.all.mean >= 0.85, "all: {:.3}", figures.all.mean);
    for kind in ["Dryer", "Fridge", "Water_Heater"] {
        let (_, figure) = figures.by_kind.iter().find(|(name, _)| name == kind).unwrap();
        assert!(figure.mean >= 0.90, "{kind}: {:.3}", figure.mean);
    }
}

#[test]
fn the_length_of_a_file_is_hidden() {
    let Some(files) = recorded::archive(ARCHIVE).unwrap() else { return };
    let devices = days::devices(&files);
    let (_, index) = baselines::ALL.iter().find(|(name, _)| name.contains("index of the last row")).unwrap();
    let figures = measure::measure(&devices, |device, day| index(&device.baseline(day), day));
    assert!(figures.each.iter().all(|(_, auc)| *auc == 0.5));

    // What lies beyond the first day of minutes changes nothing that is looked at.
    let cut = files.iter().map(|(path, text)| {
        let lines: Vec<&str> = text.lines().take(1 + days::MINUTES).collect();
        (path.clone(), lines.join("\n"))
    });
    let cut = days::devices(&cut.collect());
    let watts = |devices: &[days::Device]| -> Vec<Vec<u64>> {
        let days = devices.iter().flat_map(|device| device.healthy.iter().chain(device.faulty.values().flatten()));
        days.map(|day| day.watts.iter().map(|watts| watts.to_bits()).collect()).collect()
    };
    assert_eq!(watts(&cut), watts(&devices));
    assert!(watts(&devices).iter().all(|watts| watts.len() == days::MINUTES));
}
