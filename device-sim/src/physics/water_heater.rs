//! Instantaneous gas water heater with a balanced flue.
//!
//! The exchanger is one mass between burner and water. The burner control goes through
//! prepurge, ignition and burning; the flame guard is the rod's ionisation current.

use firmware_proto::DeviceTime;

use super::lag::lag;
use super::tap::Tap;
use super::weather::Weather;
use super::{Machine, Moment, Sample, Status, graded, hour_of};
use crate::random::{Random, quantise};

const FULL_W: f64 = 32_000.0;
const EFFICIENCY: f64 = 0.88;
/// Watts that one litre a minute takes for each kelvin.
const WATER_W_LPM_K: f64 = 69.77;
const EXCHANGER_J_K: f64 = 5_000.0;
const MIN_PCT: f64 = 12.0;
const IGNITION_PCT: f64 = 30.0;
const FLOW_ON_LPM: f64 = 2.5;
const PREPURGE_RPM: f64 = 2000.0;
const PREPURGE_S: f64 = 4.0;
const FAN_MISSING_S: f64 = 10.0;
const FAN_MISSING: f64 = 0.6;
const SPARK_S: f64 = 4.0;
const BETWEEN_SPARKS_S: f64 = 4.0;
const ATTEMPTS: u32 = 3;
/// The spark helps the guard to see a weak flame; later it must see more.
const FLAME_SEEN_AT_IGNITION_UA: f64 = 0.2;
const FLAME_SEEN_UA: f64 = 0.7;
const FLAME_SETTLES_S: f64 = 20.0;
/// The limiter on the outlet works apart from the control and its sensor.
const LIMITER_C: f64 = 71.0;
const LIMITER_RELEASE_C: f64 = 55.0;
/// Trim of the feed-forward, per kelvin and second.
const TRIM_PER_K_S: f64 = 0.0015;
const TRIM_RANGE: (f64, f64) = (-0.5, 0.7);
const OWN_SET: &str = "GW-16/e/3";
const FOREIGN_SET: &str = "GW-11/e/1";

#[derive(Debug, Clone)]
struct Unit {
    full_w: f64,
    flame_ua: f64,
    exhaust: f64,
    fan: f64,
    sensor_bias: [f64; 3],
}

#[derive(Debug, Clone)]
struct Condition {
    igniter_dead: bool,
    rod: f64,
    rod_loss_per_s: f64,
    fan_hung: bool,
    fan: f64,
    outlet_offset_k: f64,
    loop_hangs_soon: bool,
    loop_hung: bool,
    efficiency: f64,
    efficiency_end: f64,
    efficiency_loss_per_s: f64,
}

impl Condition {
    const SOUND: Self = Self {
        igniter_dead: false,
        rod: 1.0,
        rod_loss_per_s: 0.0,
        fan_hung: false,
        fan: 1.0,
        outlet_offset_k: 0.0,
        loop_hangs_soon: false,
        loop_hung: false,
        efficiency: EFFICIENCY,
        efficiency_end: EFFICIENCY,
        efficiency_loss_per_s: 0.0,
    };
    /// Share of the flame current that a fully fouled rod still gives.
    const ROD_FOULED: f64 = 0.075;
}

/// Where the burner control stands; seconds since it came there.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Burner {
    Idle,
    Prepurge {
        s: f64,
        fan_missing_s: f64,
    },
    Sparking {
        s: f64,
        attempt: u32,
    },
    Waiting {
        s: f64,
        attempt: u32,
    },
    Burning {
        s: f64,
    },
    /// Gave up until the water stops.
    GaveUp,
    /// The limiter has opened.
    TooHot,
}

pub(super) struct WaterHeater {
    unit: Unit,
    condition: Condition,
    bathroom: Weather,
    mains_c: f64,
    tap: Tap,
    ambient_c: f64,
    setpoint_c: f64,
    max_gas_pct: f64,
    foreign_parameters: bool,
    // Controls
    powered: bool,
    burner: Burner,
    gas_pct: f64,
    trim: f64,
    attempts_since_boot: i64,
    code: &'static str,
    lockout: bool,
    // Physics
    flow_lpm: f64,
    inlet_c: f64,
    outlet_c: f64,
    exhaust_c: f64,
    fan: f64,
}

impl WaterHeater {
    pub fn new(seed: u64, start: DeviceTime) -> Self {
        let mut random = Random::new(seed, "unit");
        let bathroom = Weather::indoors(seed, 22.8, 25.2);
        let ambient_c = bathroom.at(hour_of(start));
        Self {
            unit: Unit {
                full_w: FULL_W * random.tolerance(0.015),
                flame_ua: random.tolerance(0.03),
                exhaust: random.tolerance(0.02),
                fan: random.tolerance(0.004),
                sensor_bias: [0.15, 0.2, 1.0].map(|bias| bias * random.normal()),
            },
            condition: Condition::SOUND,
            bathroom,
            mains_c: random.between(12.5, 17.5),
            tap: Tap::new(seed, start),
            ambient_c,
            setpoint_c: 42.0 + random.below(7) as f64,
            max_gas_pct: 100.0,
            foreign_parameters: false,
            powered: true,
            burner: Burner::Idle,
            gas_pct: 0.0,
            trim: 0.0,
            attempts_since_boot: 0,
            code: "",
            lockout: false,
            flow_lpm: 0.0,
            inlet_c: ambient_c,
            outlet_c: ambient_c,
            exhaust_c: ambient_c,
            fan: 0.0,
        }
    }

    fn burning(&self) -> bool {
        matches!(self.burner, Burner::Burning { .. })
    }

    fn gas_open(&self) -> bool {
        matches!(self.burner, Burner::Burning { .. } | Burner::Sparking { .. })
    }

    fn fan_target(&self) -> f64 {
        match self.burner {
            _ if !self.powered || self.flow_lpm == 0.0 => 0.0,
            Burner::Idle | Burner::TooHot => 0.0,
            Burner::Burning { .. } => ((1500.0 + 19.0 * self.gas_pct) / 10.0).round() * 10.0,
            // It goes on trying to turn a standing fan until the water stops.
            Burner::GaveUp if self.code != "E5" => 0.0,
            _ => PREPURGE_RPM,
        }
    }

    fn flame_ua(&self) -> f64 {
        if !self.burning() {
            return 0.0;
        }
        (4.5 + 1.6 * self.gas_pct / 100.0) * self.unit.flame_ua * self.condition.rod
    }

    /// One step of the burner control.
    fn advance_burner(&mut self, moment: &Moment<'_>) {
        let dt_s = moment.dt_s;
        let water = self.flow_lpm >= FLOW_ON_LPM;
        if !water || !moment.powered || moment.held || self.lockout {
            self.burner = Burner::Idle;
            return;
        }
        self.burner = match self.burner {
            Burner::Idle => {
                self.code = "";
                Burner::Prepurge { s: 0.0, fan_missing_s: 0.0 }
            }
            Burner::Prepurge { s, fan_missing_s } => self.prepurge(s + dt_s, fan_missing_s, dt_s),
            Burner::Sparking { s, attempt } => self.spark(s + dt_s, attempt),
            Burner::Waiting { s, attempt } if s + dt_s >= BETWEEN_SPARKS_S => self.open_gas(attempt + 1),
            Burner::Waiting { s, attempt } => Burner::Waiting { s: s + dt_s, attempt },
            Burner::Burning { s } => self.guard_flame(s + dt_s),
            Burner::GaveUp => Burner::GaveUp,
            Burner::TooHot if self.outlet_c < LIMITER_RELEASE_C => Burner::Prepurge { s: 0.0, fan_missing_s: 0.0 },
            Burner::TooHot => Burner::TooHot,
        };
    }

    fn prepurge(&mut self, s: f64, fan_missing_s: f64, dt_s: f64) -> Burner {
        let turns = self.fan >= FAN_MISSING * PREPURGE_RPM;
        let fan_missing_s = if turns { 0.0 } else { fan_missing_s + dt_s };
        if fan_missing_s >= FAN_MISSING_S {
            self.code = "E5";
            return Burner::GaveUp;
        }
        if s >= PREPURGE_S && turns { self.open_gas(1) } else { Burner::Prepurge { s, fan_missing_s } }
    }

    fn open_gas(&mut self, attempt: u32) -> Burner {
        self.attempts_since_boot += 1;
        Burner::Sparking { s: 0.0, attempt }
    }

    fn spark(&mut self, s: f64, attempt: u32) -> Burner {
        let current_ua = 4.8 * self.unit.flame_ua * self.condition.rod;
        if s >= 2.0 && !self.condition.igniter_dead && current_ua > FLAME_SEEN_AT_IGNITION_UA {
            return Burner::Burning { s: 0.0 };
        }
        match attempt {
            _ if s < SPARK_S => Burner::Sparking { s, attempt },
            ATTEMPTS.. => {
                self.code = "E1";
                Burner::GaveUp
            }
            _ => Burner::Waiting { s: 0.0, attempt },
        }
    }

    fn guard_flame(&mut self, s: f64) -> Burner {
        if s > FLAME_SETTLES_S && self.flame_ua() < FLAME_SEEN_UA {
            self.lockout = true;
            self.code = "E2";
            return Burner::Idle;
        }
        if self.condition.loop_hangs_soon && s > 30.0 {
            self.condition.loop_hangs_soon = false;
            self.condition.loop_hung = true;
            self.trim = 0.0;
        }
        if self.outlet_c > LIMITER_C { Burner::TooHot } else { Burner::Burning { s } }
    }

    /// Gas by feed-forward and trim; frozen while the loop hangs.
    fn modulate(&mut self, dt_s: f64) {
        if !self.burning() {
            if !self.condition.loop_hung {
                self.gas_pct = if self.gas_open() { IGNITION_PCT } else { 0.0 };
            }
            return;
        }
        if self.condition.loop_hung {
            return;
        }
        let outlet_seen_c = self.outlet_c + self.condition.outlet_offset_k + self.unit.sensor_bias[1];
        let error_k = self.setpoint_c - outlet_seen_c;
        let rise_k = (self.setpoint_c - self.inlet_c - self.unit.sensor_bias[0]).max(0.0);
        let needed_pct = self.flow_lpm * rise_k * WATER_W_LPM_K / (EFFICIENCY * FULL_W) * 100.0;
        let wanted = needed_pct * (1.0 + self.trim) + error_k;
        self.gas_pct = wanted.clamp(MIN_PCT, self.max_gas_pct);
        let settled = matches!(self.burner, Burner::Burning { s } if s > 12.0);
        if settled && wanted == self.gas_pct {
            self.trim = (self.trim + TRIM_PER_K_S * error_k * dt_s).clamp(TRIM_RANGE.0, TRIM_RANGE.1);
        }
    }

    fn open_gas_pct(&self) -> f64 {
        match self.burner {
            Burner::Burning { .. } => self.gas_pct,
            Burner::Sparking { .. } => IGNITION_PCT,
            _ => 0.0,
        }
    }

    fn heat(&mut self, dt_s: f64) {
        // Too little air burns a little worse and much hotter.
        let air = if self.fan_target() > 0.0 { (self.fan / self.fan_target()).clamp(0.3, 1.0) } else { 1.0 };
        let efficiency = self.condition.efficiency - 0.05 * (1.0 - air);
        let heat_w = if self.burning() { self.gas_pct / 100.0 * self.unit.full_w * efficiency } else { 0.0 };
        if self.flow_lpm > 0.0 {
            let flow_w_k = self.flow_lpm * WATER_W_LPM_K;
            self.inlet_c = lag(self.inlet_c, self.mains_c, dt_s, 6.0);
            self.outlet_c = lag(self.outlet_c, self.inlet_c + heat_w / flow_w_k, dt_s, EXCHANGER_J_K / flow_w_k);
        } else {
            self.inlet_c = lag(self.inlet_c, self.ambient_c, dt_s, 360.0);
            self.outlet_c = lag(self.outlet_c, self.ambient_c, dt_s, 360.0);
        }
        if self.burning() {
            let poor_air_k = 100.0 * (1.0 - air);
            let lost_k = 290.0 * (EFFICIENCY - self.condition.efficiency);
            let exhaust = (110.0 + 50.0 * self.gas_pct / 100.0) * self.unit.exhaust + poor_air_k + lost_k;
            self.exhaust_c = lag(self.exhaust_c, exhaust, dt_s, 15.0);
        } else {
            self.exhaust_c = lag(self.exhaust_c, self.ambient_c, dt_s, 240.0);
        }
    }

    fn age(&mut self, dt_s: f64) {
        let condition = &mut self.condition;
        condition.rod = (condition.rod - condition.rod_loss_per_s * dt_s).max(Condition::ROD_FOULED);
        condition.efficiency =
            (condition.efficiency - condition.efficiency_loss_per_s * dt_s).max(condition.efficiency_end);
    }
}

impl Machine for WaterHeater {
    fn step(&mut self, moment: &mut Moment<'_>) {
        let dt_s = moment.dt_s;
        self.powered = moment.powered;
        self.ambient_c = self.bathroom.step(moment.hour(), dt_s);
        self.age(dt_s);
        let most_lpm = 0.92 * FULL_W * EFFICIENCY / (WATER_W_LPM_K * (self.setpoint_c - self.mains_c));
        self.flow_lpm = self.tap.step(moment.now, dt_s, most_lpm);
        self.advance_burner(moment);
        self.modulate(dt_s);
        let driven = if self.condition.fan_hung { 0.0 } else { self.fan_target() * self.unit.fan * self.condition.fan };
        self.fan = lag(self.fan, driven, dt_s, 0.8);
        self.heat(dt_s);
    }

    fn sample(&self, sensors: &mut Random, out: &mut Sample) {
        let bias = &self.unit.sensor_bias;
        let mut celsius = |value: f64, noise_k: f64| quantise(value + noise_k * sensors.normal(), 10.0);
        let inlet = celsius(self.inlet_c + bias[0], 0.05);
        let outlet = celsius(self.outlet_c + self.condition.outlet_offset_k + bias[1], 0.1);
        let exhaust = celsius(self.exhaust_c + bias[2], 0.5);
        let flow =
            if self.flow_lpm > 0.0 { quantise(self.flow_lpm * (1.0 + 0.01 * sensors.normal()), 10.0) } else { 0.0 };
        let flame = quantise((self.flame_ua() * (1.0 + 0.03 * sensors.normal())).max(0.0), 20.0);
        let fan = if self.fan < 20.0 { 0.0 } else { quantise(self.fan * (1.0 + 0.004 * sensors.normal()), 0.1) };
        let gas_open = self.gas_open();
        let power_w = 3.0 + 35.0 * (fan / 3400.0) + if gas_open { 9.0 } else { 0.0 };
        out.extend([
            ("water_flow_lpm", flow.into()),
            ("inlet_temp_c", inlet.into()),
            ("outlet_temp_c", outlet.into()),
            ("setpoint_c", self.setpoint_c.into()),
            ("burner_on", self.burning().into()),
            ("gas_valve_open", gas_open.into()),
            ("gas_valve_pct", quantise(self.open_gas_pct(), 10.0).into()),
            ("flame_current_ua", flame.into()),
            ("fan_rpm", fan.into()),
            ("fan_target_rpm", self.fan_target().into()),
            ("ignition_attempts", self.attempts_since_boot.into()),
            ("exhaust_temp_c", exhaust.into()),
            ("lockout", self.lockout.into()),
            ("power_w", power_w.round().into()),
        ]);
    }

    fn status(&self) -> Status {
        let busy_because = match () {
            () if self.burning() => Some("the burner is on"),
            () if self.gas_open() => Some("the gas valve is open"),
            () if self.flow_lpm > 0.0 => Some("water flows"),
            () => None,
        };
        Status { busy_because, energised: self.gas_open(), gas_open: self.gas_open(), latched: self.lockout }
    }

    fn code(&self) -> &'static str {
        self.code
    }

    fn code_text(&self, code: &str) -> &'static str {
        match code {
            "E1" => "no flame after three ignition attempts",
            "E2" => "flame lost while burning, locked out",
            "E5" => "fan does not turn before ignition",
            _ => "",
        }
    }

    fn parameters(&self) -> Vec<(&'static str, firmware_proto::Value)> {
        let set = if self.foreign_parameters { FOREIGN_SET } else { OWN_SET };
        vec![("parameter_set", set.into()), ("max_gas_pct", self.max_gas_pct.into())]
    }

    fn boot(&mut self) {
        self.condition.fan_hung = false;
        self.attempts_since_boot = 0;
        // The lockout is latched in non-volatile memory, and its code with it.
        self.code = if self.lockout { "E2" } else { "" };
        self.soft_reset();
    }

    fn soft_reset(&mut self) {
        self.condition.loop_hung = false;
        self.condition.loop_hangs_soon = false;
        self.trim = 0.0;
    }

    fn sensors(&self) -> &'static [&'static str] {
        &["inlet_temp", "outlet_temp", "exhaust_temp"]
    }

    fn recalibrate(&mut self, sensor: &str) -> f64 {
        let (bias, extra) = match sensor {
            "inlet_temp" => (0, 0.0),
            "outlet_temp" => (1, std::mem::take(&mut self.condition.outlet_offset_k)),
            _ => (2, 0.0),
        };
        std::mem::take(&mut self.unit.sensor_bias[bias]) + extra
    }

    fn restore_parameters(&mut self) {
        self.max_gas_pct = 100.0;
        self.foreign_parameters = false;
    }

    fn clear_lockout(&mut self) {
        self.lockout = false;
        self.code = "";
    }

    fn inject(&mut self, fault: &str, severity: f64, random: &mut Random) {
        let condition = &mut self.condition;
        match fault {
            "igniter_dead" => condition.igniter_dead = true,
            "flame_rod_fouled" => {
                condition.rod_loss_per_s = (1.0 - Condition::ROD_FOULED) / (random.between(1.0, 3.0) * 3600.0);
            }
            "fan_controller_hung" => condition.fan_hung = true,
            "fan_motor_worn" => condition.fan = graded(0.78, 0.62, severity),
            "outlet_sensor_offset" => condition.outlet_offset_k = graded(4.0, 8.0, severity),
            "wrong_parameter_set" => {
                self.max_gas_pct = graded(50.0, 40.0, severity).round();
                self.foreign_parameters = true;
            }
            "control_loop_hung" => condition.loop_hangs_soon = true,
            "heat_exchanger_scaled" => {
                condition.efficiency_end = graded(0.68, 0.60, severity);
                condition.efficiency_loss_per_s = (EFFICIENCY - condition.efficiency_end) / 3600.0;
            }
            _ => {}
        }
    }

    fn faulty(&self) -> bool {
        let condition = &self.condition;
        condition.igniter_dead
            || condition.rod_loss_per_s > 0.0
            || condition.fan_hung
            || condition.fan < 1.0
            || condition.outlet_offset_k != 0.0
            || condition.loop_hangs_soon
            || condition.loop_hung
            || condition.efficiency_loss_per_s > 0.0
            || self.foreign_parameters
    }
}
