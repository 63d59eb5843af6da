//! Which device gets which fault, and when.

use std::time::Duration;

use firmware_proto::{DeviceId, DeviceTime};
use serde::{Deserialize, Serialize};

use crate::fault::{Fault, fault, faults};
use crate::kind::ApplianceKind;
use crate::random::Random;
use crate::spec::DeviceSpec;

/// No plan makes more than this share of a fleet faulty: false findings are counted
/// on the healthy rest.
const MAX_FAULTY_SHARE: f64 = 0.6;

/// A device is left alone this long first, so that it is seen healthy before.
const UNDISTURBED: Duration = Duration::from_secs(30 * 60);

/// One fault of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedFault {
    /// Which device.
    pub device: DeviceId,
    /// What it is.
    pub kind: ApplianceKind,
    /// [`Fault::key`], a fault of that kind.
    pub fault: String,
    /// When it begins, by the device's clock.
    pub at: DeviceTime,
}

impl PlannedFault {
    /// The fault's entry in the manual; none if the plan was written by hand and names no fault.
    pub fn entry(&self) -> Option<&'static Fault> {
        fault(self.kind, &self.fault)
    }
}

/// The faults of a fleet, at most one a device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultPlan(pub Vec<PlannedFault>);

impl FaultPlan {
    /// At most `count` faults on different devices, spread over the kinds of faults as
    /// evenly as the fleet allows. Each begins after [`from`] and so early that by its
    /// [`Fault::visible_after`] and [`Fault::handling`] it is over at `until`; a fault
    /// that cannot be is not planned. At least 40 % of the devices stay healthy.
    ///
    /// [`from`]: Self::seeded
    pub fn seeded(specs: &[DeviceSpec], seed: u64, from: DeviceTime, until: DeviceTime, count: usize) -> Self {
        let mut random = Random::new(seed, "fault plan");
        let count = count.min((specs.len() as f64 * MAX_FAULTY_SHARE) as usize);
        let mut free = devices_by_kind(specs, &mut random);
        let mut kinds = faults_in_turn(&mut random);
        kinds.retain(|fault| latest_start(fault, until) >= earliest_start(from));

        let mut planned = Vec::with_capacity(count);
        while planned.len() < count && !kinds.is_empty() {
            kinds.retain(|fault| {
                if planned.len() == count {
                    return true;
                }
                let Some(device) = free[index_of(fault.kind)].pop() else { return false };
                let window = latest_start(fault, until).since_ms(earliest_start(from));
                let at = earliest_start(from).plus_ms(random.between(0.0, window as f64) as i64);
                planned.push(PlannedFault { device, kind: fault.kind, fault: fault.key.to_owned(), at });
                true
            });
        }
        Self(planned)
    }

    /// The fault planned for a device.
    pub fn of(&self, device: &DeviceId) -> Option<&PlannedFault> {
        self.0.iter().find(|planned| planned.device == *device)
    }
}

fn earliest_start(from: DeviceTime) -> DeviceTime {
    from.plus_ms(UNDISTURBED.as_millis() as i64)
}

fn latest_start(fault: &Fault, until: DeviceTime) -> DeviceTime {
    until.plus_ms(-((fault.visible_after + fault.handling).as_millis() as i64))
}

fn index_of(kind: ApplianceKind) -> usize {
    ApplianceKind::ALL.iter().position(|k| *k == kind).expect("ALL lists every kind")
}

fn devices_by_kind(specs: &[DeviceSpec], random: &mut Random) -> Vec<Vec<DeviceId>> {
    ApplianceKind::ALL
        .iter()
        .map(|kind| {
            let mut devices: Vec<_> =
                specs.iter().filter(|spec| spec.kind == *kind).map(|spec| spec.device.clone()).collect();
            shuffle(&mut devices, random);
            devices
        })
        .collect()
}

/// Every fault once, types alternating, so that a small count still touches all types.
fn faults_in_turn(random: &mut Random) -> Vec<&'static Fault> {
    let mut columns: Vec<Vec<&'static Fault>> = ApplianceKind::ALL
        .iter()
        .map(|kind| {
            let mut column: Vec<_> = faults(*kind).iter().collect();
            shuffle(&mut column, random);
            column
        })
        .collect();
    let mut turn = Vec::new();
    while columns.iter().any(|column| !column.is_empty()) {
        turn.extend(columns.iter_mut().filter_map(Vec::pop));
    }
    turn
}

fn shuffle<T>(items: &mut [T], random: &mut Random) {
    for last in (1..items.len()).rev() {
        items.swap(last, random.below(last + 1));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::spec::manifest;

    const FROM: DeviceTime = DeviceTime(1_751_328_000_000);

    fn hours(hours: i64) -> i64 {
        hours * 3_600_000
    }

    proptest! {
        #[test]
        fn a_plan_keeps_its_promises(seed: u64, fleet_seed: u64, devices in 1_usize..200, count in 0_usize..150, span in 1_i64..48) {
            let specs = manifest(devices, fleet_seed);
            let until = FROM.plus_ms(hours(span));
            let plan = FaultPlan::seeded(&specs, seed, FROM, until, count);
            prop_assert_eq!(&plan, &FaultPlan::seeded(&specs, seed, FROM, until, count));
            prop_assert!(plan.0.len() <= count);
            prop_assert!(plan.0.len() * 10 <= devices * 6);
            let on: BTreeSet<_> = plan.0.iter().map(|planned| &planned.device).collect();
            prop_assert_eq!(on.len(), plan.0.len());
            for planned in &plan.0 {
                let fault = planned.entry().unwrap();
                let spec = specs.iter().find(|spec| spec.device == planned.device).unwrap();
                prop_assert_eq!(spec.kind, fault.kind);
                prop_assert!(planned.at > FROM);
                prop_assert!(planned.at.plus_ms((fault.visible_after + fault.handling).as_millis() as i64) <= until);
            }
        }

        #[test]
        fn a_full_plan_touches_every_kind_evenly(seed: u64, fleet_seed: u64, count in 20_usize..=36) {
            let specs = manifest(60, fleet_seed);
            let plan = FaultPlan::seeded(&specs, seed, FROM, FROM.plus_ms(hours(20)), count);
            prop_assert_eq!(plan.0.len(), count);
            let mut times = BTreeMap::new();
            for planned in &plan.0 {
                *times.entry((planned.kind, planned.fault.as_str())).or_insert(0_usize) += 1;
            }
            prop_assert!(times.len() >= 20, "{} kinds of faults", times.len());
            prop_assert!(times.values().all(|count| *count <= 2));
        }

        #[test]
        fn a_short_day_still_holds_ten_kinds(seed: u64) {
            let plan = FaultPlan::seeded(&manifest(60, seed), seed, FROM, FROM.plus_ms(hours(10)), 24);
            let kinds: BTreeSet<_> = plan.0.iter().map(|planned| (planned.kind, &planned.fault)).collect();
            prop_assert!(plan.0.len() >= 20 && kinds.len() >= 10, "{} faults of {} kinds", plan.0.len(), kinds.len());
        }
    }
}
