//! A small appliance type for unit tests, and a device of it.

use firmware_proto::{BootId, DeviceTime, MessageOrder, Seq, Value};

use crate::appliance::ApplianceType;
use crate::catalogue::type_of;
use crate::observe::{Observation, Sample, observe};
use crate::state::DeviceState;

const PROFILE: &str = r#"
name = "Thing"
models = ["T-1"]
telemetry_interval = "60 s"
settle = "60 min"
[datapoints]
a = { kind = "number", unit = "K", range = [-1000, 1000] }
b = { kind = "number" }
on = { kind = "flag" }
mode = { kind = "text", values = ["cool", "off"] }
error_code = { kind = "text" }
count = { kind = "whole" }
[error_codes]
E1 = { text = "Broken" }
[actions.reset]
text = "Resets"
risk = "R1"
automatic = true
timeout = "1 min"
preconditions = [
    { name = "idle", require = "a == 0 and not on" },
    { name = "safe", require = "a + b < 5" },
    { name = "cooling", require = "mode == 'cool'" },
]
"#;

const REPAIRS: &str = r#"
[repairs.broken]
action = "reset"
max_attempts = 2
success = 0.8
verify = { clear = ["high"], hold = "5 min", samples = 4, grace = "3 min", fail_after = 2, window = "30 min", guards = ["b < 100"] }
"#;

/// A detector that most tests can use: `a` above 10 for two minutes.
pub(crate) const HIGH: &str = r#"
[detectors.high]
name = "Too high"
when = ["on"]
violated = "a > 10"
ok = "a < 8"
on_delay = "2 min"
off_delay = "3 min"
min_samples = 3
false_alarm = 0.001
"#;

/// A type with these detectors, each linked to the one cause `broken`; `high` must be among them.
pub(crate) fn thing(detectors: &str) -> ApplianceType {
    let keys = detectors.lines().filter_map(|line| {
        let prefixes = ["[detectors.", "[drifts.", "[models."];
        let key = prefixes.iter().find_map(|prefix| line.strip_prefix(prefix))?;
        key.strip_suffix(']')
    });
    let links: String = keys.map(|key| format!("[links.{key}]\nbroken = 0.9\n")).collect();
    let faults = format!(
        "top = \"top\"\n[gates]\ntop = {{ name = \"Top\", any = [\"broken\"] }}\n\
         [causes.broken]\nname = \"Broken\"\nprior = 0.01\nskill = \"any\"\nsop = \"Mend it.\"\n{links}"
    );
    type_of("thing", [PROFILE, detectors, &faults, REPAIRS, ""]).unwrap_or_else(|errors| panic!("{errors}"))
}

/// A device of a [`thing`].
pub(crate) struct Device {
    pub ty: ApplianceType,
    pub state: DeviceState,
    pub time: DeviceTime,
    pub seq: u64,
    readings: Vec<(usize, Value)>,
}

impl Device {
    pub fn new(detectors: &str) -> Self {
        let ty = thing(detectors);
        let state = DeviceState::new(&ty);
        Self { ty, state, time: DeviceTime(0), seq: 0, readings: Vec::new() }
    }

    /// Changes what the device reads from now on.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) -> &mut Self {
        let index = self.ty.datapoint(name).unwrap();
        self.readings.retain(|(i, _)| *i != index);
        self.readings.push((index, value.into()));
        self
    }

    /// A message now.
    pub fn send(&mut self) -> Vec<Observation> {
        self.seq += 1;
        let order = Some(MessageOrder { boot_id: BootId(1), seq: Seq(self.seq) });
        observe(&self.ty, &mut self.state, &Sample { time: self.time, order, readings: &self.readings })
    }

    /// The last message once more.
    pub fn send_again(&mut self) -> Vec<Observation> {
        self.seq -= 1;
        self.send()
    }

    /// A message each minute; what changed, as `+symptom` and `-symptom`.
    pub fn minutes(&mut self, minutes: u64) -> Vec<String> {
        let mut changed = Vec::new();
        for _ in 0..minutes {
            self.time = self.time.plus_ms(60_000);
            changed
                .extend(self.send().into_iter().map(|o| format!("{}{}", if o.present { '+' } else { '-' }, o.symptom)));
        }
        changed
    }

    /// The sample that was sent last.
    pub fn sample(&self) -> Sample<'_> {
        let order = Some(MessageOrder { boot_id: BootId(1), seq: Seq(self.seq) });
        Sample { time: self.time, order, readings: &self.readings }
    }
}
