use super::*;

/// Machines whose first channel rises as life ends, faster the shorter the life; the second is
/// noise, the third constant.
fn machines(count: usize) -> Vec<Vec<Vec<f64>>> {
    let mut random = Random(11);
    let mut noise = move || (random.next() >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
    let one = |machine: usize| {
        let life = 80 + machine * 37 % 120;
        let of_cycle = |cycle: usize| vec![(cycle as f64 / life as f64).powi(3) + 0.1 * noise(), noise(), 7.0];
        (0..life).map(of_cycle).collect()
    };
    (0..count).map(one).collect()
}

fn fitted() -> (EquipmentModel, Vec<Vec<Vec<f64>>>) {
    let machines = machines(30);
    let devices: Vec<&[Vec<f64>]> = machines.iter().map(Vec::as_slice).collect();
    (EquipmentModel::fit(&devices[..20], 60.0, 1).unwrap(), machines)
}

#[test]
#[cfg_attr(debug_assertions, ignore = "slow without optimisation")]
fn machines_never_seen_are_foreseen_better_than_by_age() {
    let (model, machines) = fitted();
    let (mut own, mut by_mean, mut covered, mut asked) = (0.0, 0.0, 0, 0);
    for machine in &machines[20..] {
        let mut trace = Trace::new(&model);
        for (at, values) in machine.iter().enumerate() {
            trace.take(&model, at as u32, values).unwrap();
            let said = model.remaining(&trace).unwrap();
            assert!(0.0 <= said.p10 && said.p10 <= said.p50 && said.p50 <= said.p90 && said.p90 <= 60.0);
            assert_eq!(said.prior_dominated, at < 19);
            let truth = ((machine.len() - 1 - at) as f64).min(60.0);
            own += (said.p50 - truth).powi(2);
            by_mean += ((139.5 - at as f64).clamp(0.0, 60.0) - truth).powi(2);
            covered += usize::from(said.p10 <= truth && truth <= said.p90);
            asked += 1;
        }
    }
    assert!(own < 0.25 * by_mean, "{own} {by_mean}");
    let coverage = covered as f64 / asked as f64;
    assert!((0.7..=0.95).contains(&coverage), "{coverage}");
}

#[test]
fn cycles_that_do_not_fit_are_refused_by_name() {
    let (model, machines) = fitted();
    let mut trace = Trace::new(&model);
    assert_eq!(model.remaining(&trace), None);
    assert_eq!(trace.take(&model, 5, &[1.0]), Err(TakeError::Channels { expected: 3, found: 1 }));
    trace.take(&model, 5, &machines[0][0]).unwrap();
    assert_eq!(trace.take(&model, 5, &machines[0][1]), Err(TakeError::NotLater { last: 5, found: 5 }));
    assert_eq!(trace.take(&model, 4, &machines[0][1]), Err(TakeError::NotLater { last: 5, found: 4 }));
    assert_eq!(trace.take(&model, 5000, &machines[0][1]), Err(TakeError::Gap { last: 5, found: 5000 }));
}

#[test]
fn missing_cycles_and_values_hold_the_last_ones() {
    let (model, machines) = fitted();
    let (mut missing, mut unknown, mut held) = (Trace::new(&model), Trace::new(&model), Trace::new(&model));
    for (trace, between) in [(&mut unknown, vec![f64::NAN; 3]), (&mut held, machines[0][0].clone())] {
        trace.take(&model, 1, &machines[0][0]).unwrap();
        trace.take(&model, 2, &between).unwrap();
        trace.take(&model, 3, &machines[0][1]).unwrap();
    }
    missing.take(&model, 1, &machines[0][0]).unwrap();
    missing.take(&model, 3, &machines[0][1]).unwrap();
    assert_eq!(missing, held);
    assert_eq!(unknown, held);
}

#[test]
fn a_model_read_back_says_the_same() {
    let (model, machines) = fitted();
    let text = serde_json::to_string(&model).unwrap();
    let read: EquipmentModel = serde_json::from_str(&text).unwrap();
    let mut trace = Trace::new(&model);
    for (at, values) in machines[25].iter().take(70).enumerate() {
        trace.take(&model, at as u32, values).unwrap();
    }
    let (a, b) = (model.remaining(&trace).unwrap(), read.remaining(&trace).unwrap());
    assert!((a.p50 - b.p50).abs() < 1e-9 && (a.p90 - b.p90).abs() < 1e-9);
}

#[test]
fn what_makes_no_model_is_said() {
    let machines = machines(12);
    let mut devices: Vec<&[Vec<f64>]> = machines.iter().map(Vec::as_slice).collect();
    let fit = |devices: &[&[Vec<f64>]], cap| EquipmentModel::fit(devices, cap, 1).map(|_| ());
    assert_eq!(fit(&devices[..9], 60.0), Err(FitError::TooFewDevices(9)));
    assert!(matches!(fit(&devices, f64::NAN), Err(FitError::Cap(_))));
    let constant = vec![vec![1.0, 2.0, 3.0]; 50];
    let constants = vec![constant.as_slice(); 12];
    assert_eq!(fit(&constants, 60.0), Err(FitError::NoChannel));
    let odd = vec![vec![1.0, 2.0, 3.0], vec![1.0]];
    devices[3] = &odd;
    assert_eq!(fit(&devices, 60.0), Err(FitError::Channels { device: 3, cycle: 2, expected: 3, found: 1 }));
}
