//! Which devices there are.

use firmware_proto::{DeviceAddress, DeviceId, TenantId};
use serde::{Deserialize, Serialize};

use crate::kind::ApplianceKind;
use crate::random::Random;

/// One simulated device. The same spec behaves the same in every run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceSpec {
    /// Whose device it is.
    pub tenant: TenantId,
    /// Its id, which is also its MQTT user name and client id.
    pub device: DeviceId,
    /// What it is.
    pub kind: ApplianceKind,
    /// Decides its home, its people, its tolerances and its noise.
    pub seed: u64,
    /// MQTT password; empty until an operator has issued one.
    #[serde(default)]
    pub token: String,
}

impl DeviceSpec {
    /// Tenant and device.
    pub fn address(&self) -> DeviceAddress {
        DeviceAddress { tenant: self.tenant.clone(), device: self.device.clone() }
    }
}

/// Tenant of the devices that [`manifest`] names.
pub const MANIFEST_TENANT: &str = "demo";

/// `count` devices, the types in turn, with readable ids (`AC-0001`, `RF-0001`,
/// `GW-0001`, …) and without tokens. The same arguments give the same devices.
pub fn manifest(count: usize, seed: u64) -> Vec<DeviceSpec> {
    let mut random = Random::new(seed, "manifest");
    let tenant: TenantId = MANIFEST_TENANT.parse().expect("the tenant of manifests is a valid id");
    (0..count)
        .map(|index| {
            let kind = ApplianceKind::ALL[index % ApplianceKind::ALL.len()];
            let number = index / ApplianceKind::ALL.len() + 1;
            let device = format!("{}-{number:04}", kind.id_prefix()).parse().expect("a prefix and digits are an id");
            DeviceSpec {
                tenant: tenant.clone(),
                device,
                kind,
                seed: spread_wire_styles(random.bits(), index),
                token: String::new(),
            }
        })
        .collect()
}

/// The last digit of a seed decides how a device writes its messages; counting it
/// up gives each fleet the same shares of every style.
fn spread_wire_styles(bits: u64, index: usize) -> u64 {
    // 53 bits survive any JSON reader that keeps numbers as doubles.
    let bits = bits >> 11;
    bits - bits % 10 + (index % 10) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_mixes_kinds_and_repeats_itself() {
        let specs = manifest(60, 7);
        assert_eq!(specs, manifest(60, 7));
        assert_ne!(specs, manifest(60, 8));
        for kind in ApplianceKind::ALL {
            assert_eq!(specs.iter().filter(|spec| spec.kind == kind).count(), 20);
        }
        assert_eq!(specs[0].device.as_str(), "AC-0001");
        let read: Vec<DeviceSpec> = serde_json::from_str(&serde_json::to_string(&specs).unwrap()).unwrap();
        assert_eq!(read, specs);
    }
}
