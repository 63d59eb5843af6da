//! What each appliance does by itself: physics, its own controls, and what people do to it.
//!
//! A [`Machine`] is stepped with a fixed step (explicit Euler, lumped masses). It knows
//! nothing of messages and commands; the device's firmware acts on it through the few
//! methods below.

mod air_conditioner;
mod lag;
mod panel;
mod refrigerator;
mod room;
mod tap;
mod water_heater;
mod weather;

use firmware_proto::{DeviceTime, Value};

use crate::kind::ApplianceKind;
use crate::random::Random;
use crate::spec::DeviceSpec;

pub(crate) use panel::Panel;

/// One step of time, and what holds during it.
pub(crate) struct Moment<'a> {
    /// End of the step.
    pub now: DeviceTime,
    /// Its length.
    pub dt_s: f64,
    /// Whether the controller has power.
    pub powered: bool,
    /// The firmware is at work on the appliance: nothing may start.
    pub held: bool,
    /// The appliance's own panel, which people use.
    pub panel: &'a mut Panel,
}

impl Moment<'_> {
    /// Hour of the day, 0 to 24.
    pub fn hour(&self) -> f64 {
        hour_of(self.now)
    }
}

fn hour_of(time: DeviceTime) -> f64 {
    const DAY_MS: i64 = 24 * 3_600_000;
    time.ms().rem_euclid(DAY_MS) as f64 / 3_600_000.0
}

/// What the firmware's preconditions and the safety ledger look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status {
    /// Why the appliance is not idle; none if it is.
    pub busy_because: Option<&'static str>,
    /// A compressor, a heater or a burner works.
    pub energised: bool,
    /// Gas flows.
    pub gas_open: bool,
    /// A safety lockout is latched.
    pub latched: bool,
}

/// The datapoints of one moment, in the order of the type's list.
pub(crate) type Sample = Vec<(&'static str, Value)>;

/// One appliance without its communication.
pub(crate) trait Machine: Send + Sync {
    /// One step of physics, own control, and people.
    fn step(&mut self, moment: &mut Moment<'_>);
    /// What its sensors read; always the same datapoints in the same order.
    fn sample(&self, sensors: &mut Random, out: &mut Sample);
    /// Whether it may be acted on.
    fn status(&self) -> Status;
    /// Its error code, `""` for none.
    fn code(&self) -> &'static str;
    /// What the code means, for people.
    fn code_text(&self, code: &str) -> &'static str;
    /// The parameter set in force.
    fn parameters(&self) -> Vec<(&'static str, Value)>;
    /// The controller starts: counters and states that live in RAM begin anew.
    fn boot(&mut self);
    /// Restarts the control loop.
    fn soft_reset(&mut self);
    /// Sensors that can be recalibrated.
    fn sensors(&self) -> &'static [&'static str];
    /// Removes a sensor's offset and says how much it was, in its unit.
    fn recalibrate(&mut self, sensor: &str) -> f64;
    /// Writes the factory parameter set.
    fn restore_parameters(&mut self);
    /// Rewrites the defrost timer, where there is one.
    fn restore_defrost_schedule(&mut self) {}
    /// Takes a latched lockout away.
    fn clear_lockout(&mut self) {}
    /// Makes a fault of this type begin; `severity` is 0 (mildest) to 1.
    fn inject(&mut self, fault: &str, severity: f64, random: &mut Random);
    /// Whether a fault is present.
    fn faulty(&self) -> bool;
}

/// A machine of the spec's type that has been in use for long by `start`.
pub(crate) fn machine(spec: &DeviceSpec, start: DeviceTime) -> Box<dyn Machine> {
    match spec.kind {
        ApplianceKind::SplitAc => Box::new(air_conditioner::SplitAc::new(spec.seed, start)),
        ApplianceKind::Refrigerator => Box::new(refrigerator::Refrigerator::new(spec.seed, start)),
        ApplianceKind::GasWaterHeater => Box::new(water_heater::WaterHeater::new(spec.seed, start)),
    }
}

/// A value on the way from the milder to the worse end of a range.
fn graded(mild: f64, bad: f64, severity: f64) -> f64 {
    mild + (bad - mild) * severity
}
