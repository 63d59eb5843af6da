//! Weighing evidence takes no memory: it happens for every device whenever a symptom changes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use diagnosis::Catalogue;
use diagnosis::inference::{Evidence, Weights};

#[test]
fn posteriors_allocate_nothing() {
    for ty in Catalogue::builtin().unwrap().iter() {
        let circuit = ty.circuit();
        let mut fleet = vec![Evidence::unknown(circuit.symptoms()); 50];
        for (device, evidence) in fleet.iter_mut().enumerate() {
            for symptom in 0..circuit.symptoms() {
                let weights = [Weights::ABSENT, Weights::UNKNOWN, Weights::PRESENT][(device + symptom) % 5 % 3];
                evidence.set_symptom(symptom, weights);
            }
        }
        let (mut scratch, mut batch) = (circuit.scratch(), circuit.batch_scratch());
        let mut sum = 0.0;
        let one = allocation_counter::measure(|| sum += circuit.posterior(&fleet[0], &mut scratch).unwrap().gates()[0]);
        let many = allocation_counter::measure(|| {
            circuit.posteriors(&fleet, &mut batch, |_, posterior| sum += posterior.unwrap().gates()[0]);
        });
        assert_eq!((one.count_total, many.count_total), (0, 0), "{}", ty.key);
        assert!(sum > 0.0);
    }
}
