//! Frost-free refrigerator with two compartments and one evaporator.
//!
//! Two compartments and the evaporator are lumped masses; a damper sends a part of the
//! evaporator's air into the fridge. Frost on the evaporator hinders the air until the
//! next defrost melts it.

use firmware_proto::DeviceTime;

use super::lag::lag;
use super::panel::after;
use super::weather::Weather;
use super::{Machine, Moment, Sample, Status, graded, hour_of};
use crate::random::{Random, quantise};

const FRIDGE_J_K: f64 = 30e3;
const FREEZER_J_K: f64 = 20e3;
const EVAPORATOR_J_K: f64 = 2.8e3;
const FRIDGE_SETPOINT_C: f64 = 4.0;
const FREEZER_SETPOINT_C: f64 = -18.0;
const CUT_OUT_C: f64 = -19.2;
/// The compressor starts this far above the cut-out.
const DIFFERENTIAL_K: f64 = 2.4;
const DEFROST_INTERVAL_MIN: f64 = 180.0;
const DEFROST_END_C: f64 = 9.0;
const DEFROST_TIMEOUT_S: f64 = 45.0 * 60.0;
const DRIP_S: f64 = 120.0;
/// Heat to melt the frost of one interval, in joules.
const FROST_J: f64 = 60e3;
const HEATER_A: f64 = 0.75;
const MIN_OFF_S: f64 = 300.0;
const FAN_RPM: f64 = 2400.0;
const FAN_STANDS: f64 = 0.3;
/// With F3 the compressor runs 20 min, then pauses 10.
const F3_RUN_S: f64 = 1200.0;
const F3_PAUSE_S: f64 = 600.0;
const OWN_SET: &str = "RF-420/a/2";
const FOREIGN_SET: &str = "RF-180/b/1";

#[derive(Debug, Clone)]
struct Unit {
    fridge_w_k: f64,
    freezer_w_k: f64,
    cooling_w: f64,
    compressor_w: f64,
    fan: f64,
    heater: f64,
    sensor_bias_k: [f64; 4],
}

#[derive(Debug, Clone)]
struct Condition {
    infiltration_w: f64,
    compression: f64,
    fan_hung: bool,
    heater_open: bool,
    timer_lost: bool,
    fridge_offset_k: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Defrost {
    No,
    Heating { since_s: f64 },
    Dripping { since_s: f64 },
}

pub(super) struct Refrigerator {
    unit: Unit,
    condition: Condition,
    kitchen: Weather,
    people: Random,
    ambient_c: f64,
    cut_out_c: f64,
    foreign_parameters: bool,
    next_opening: DeviceTime,
    door_shuts: DeviceTime,
    door_open: bool,
    // Controls
    powered: bool,
    compressor_on: bool,
    off_s: f64,
    on_s: f64,
    since_defrost_s: f64,
    defrost: Defrost,
    damper_open: bool,
    fan_stood_s: f64,
    f3: bool,
    f5: bool,
    warm_s: f64,
    f8: bool,
    // Physics
    fridge_c: f64,
    freezer_c: f64,
    evaporator_c: f64,
    door_air_k: f64,
    frost: f64,
    fan: f64,
}

impl Refrigerator {
    pub fn new(seed: u64, start: DeviceTime) -> Self {
        let mut random = Random::new(seed, "unit");
        let mut people = Random::new(seed, "doors");
        let kitchen = Weather::indoors(seed, 21.3, 25.4);
        let since_defrost_s = random.between(0.0, DEFROST_INTERVAL_MIN * 60.0);
        Self {
            unit: Unit {
                fridge_w_k: 1.1 * random.tolerance(0.02),
                freezer_w_k: 0.72 * random.tolerance(0.02),
                cooling_w: 108.0 * random.tolerance(0.02),
                compressor_w: 95.0 * random.tolerance(0.02),
                fan: random.tolerance(0.004),
                heater: random.tolerance(0.01),
                sensor_bias_k: [0.08, 0.08, 0.2, 0.3].map(|bias| bias * random.normal()),
            },
            condition: Condition {
                infiltration_w: 0.0,
                compression: 1.0,
                fan_hung: false,
                heater_open: false,
                timer_lost: false,
                fridge_offset_k: 0.0,
            },
            ambient_c: kitchen.at(hour_of(start)),
            kitchen,
            cut_out_c: CUT_OUT_C,
            foreign_parameters: false,
            next_opening: after(start, people.waiting(2400.0)),
            door_shuts: start,
            door_open: false,
            people,
            powered: true,
            compressor_on: random.chance(0.5),
            off_s: random.between(0.0, 900.0),
            on_s: 0.0,
            since_defrost_s,
            defrost: Defrost::No,
            damper_open: false,
            fan_stood_s: 0.0,
            f3: false,
            f5: false,
            warm_s: 0.0,
            f8: false,
            fridge_c: random.between(3.6, 4.6),
            freezer_c: random.between(CUT_OUT_C + 0.3, CUT_OUT_C + DIFFERENTIAL_K - 0.3),
            evaporator_c: -22.0,
            door_air_k: 0.0,
            frost: since_defrost_s / (DEFROST_INTERVAL_MIN * 60.0),
            fan: 0.0,
        }
    }

    /// Some thirty openings a day, fewer at night.
    fn doors(&mut self, moment: &Moment<'_>) {
        if moment.now >= self.next_opening {
            self.door_shuts = after(moment.now, self.people.between(10.0, 40.0));
            let mean_s = if (7.0..23.0).contains(&moment.hour()) { 2100.0 } else { 9000.0 };
            self.next_opening = after(self.door_shuts, self.people.waiting(mean_s));
        }
        self.door_open = moment.now < self.door_shuts;
    }

    fn control(&mut self, dt_s: f64, held: bool) {
        self.schedule_defrost(dt_s, held);
        let fridge_reading_c =
            self.fridge_c + self.condition.fridge_offset_k + self.unit.sensor_bias_k[0] + 0.5 * self.door_air_k;
        if fridge_reading_c > FRIDGE_SETPOINT_C + 0.5 {
            self.damper_open = true;
        } else if fridge_reading_c < FRIDGE_SETPOINT_C - 0.5 {
            self.damper_open = false;
        }
        let freezer_reading_c = self.freezer_c + self.unit.sensor_bias_k[2];
        let rested = self.off_s >= if self.f3 { F3_PAUSE_S } else { MIN_OFF_S };
        let tired = self.f3 && self.on_s >= F3_RUN_S;
        self.compressor_on = !held
            && self.defrost == Defrost::No
            && !tired
            && if self.compressor_on {
                freezer_reading_c > self.cut_out_c
            } else {
                rested && freezer_reading_c > self.cut_out_c + DIFFERENTIAL_K
            };
        self.watch(dt_s, fridge_reading_c);
    }

    fn schedule_defrost(&mut self, dt_s: f64, held: bool) {
        self.defrost = match self.defrost {
            Defrost::No if self.defrost_due() && !self.condition.timer_lost && !held => {
                Defrost::Heating { since_s: 0.0 }
            }
            Defrost::No => Defrost::No,
            Defrost::Heating { .. } if self.evaporator_c >= DEFROST_END_C => {
                self.f5 = false;
                self.since_defrost_s = 0.0;
                Defrost::Dripping { since_s: 0.0 }
            }
            Defrost::Heating { since_s } if since_s >= DEFROST_TIMEOUT_S => {
                self.f5 = true;
                self.since_defrost_s = 0.0;
                Defrost::No
            }
            Defrost::Heating { since_s } => Defrost::Heating { since_s: since_s + dt_s },
            Defrost::Dripping { since_s } if since_s >= DRIP_S => Defrost::No,
            Defrost::Dripping { since_s } => Defrost::Dripping { since_s: since_s + dt_s },
        };
    }

    fn defrost_due(&self) -> bool {
        self.since_defrost_s >= DEFROST_INTERVAL_MIN * 60.0
    }

    /// F3 and F8, as the firmware can notice them.
    fn watch(&mut self, dt_s: f64, fridge_reading_c: f64) {
        if self.compressor_on {
            let stands = self.fan < FAN_STANDS * FAN_RPM;
            self.fan_stood_s = if stands { self.fan_stood_s + dt_s } else { 0.0 };
            self.f3 = if stands { self.f3 || self.fan_stood_s >= 180.0 } else { false };
        } else {
            self.fan_stood_s = 0.0;
        }
        self.warm_s = if fridge_reading_c > 12.0 { self.warm_s + dt_s } else { 0.0 };
        self.f8 = if self.f8 { fridge_reading_c > 8.0 } else { self.warm_s >= 3600.0 };
    }

    fn fan_target(&self) -> f64 {
        if self.compressor_on { FAN_RPM } else { 0.0 }
    }

    fn heater_a(&self) -> f64 {
        let heats = matches!(self.defrost, Defrost::Heating { .. }) && self.powered && !self.condition.heater_open;
        if heats { HEATER_A * self.unit.heater } else { 0.0 }
    }

    /// Heat the compressor takes from the evaporator, in watts.
    fn cooling_w(&self) -> f64 {
        if !self.compressor_on {
            return 0.0;
        }
        let nominal = self.unit.cooling_w * (1.0 + 0.045 * (self.evaporator_c + 25.0));
        // Leaking valves lose a fixed flow: little is left at a low evaporating pressure.
        let lost = self.unit.cooling_w * 1.9 * (1.0 - self.condition.compression);
        (nominal - lost).max(0.0)
    }

    fn exchange(&mut self, dt_s: f64) {
        let air = (self.fan / FAN_RPM).min(1.0);
        let clear = 1.0 / (1.0 + 0.08 * self.frost * self.frost);
        let evaporator_w_k = (1.3 + 9.2 * air) * clear;
        // The freezer comes first: one that is far too warm keeps the damper nearly shut.
        let damper = if self.freezer_c > self.cut_out_c + DIFFERENTIAL_K + 3.0 { 0.35 } else { 1.0 };
        let fridge_w_k = if self.damper_open { 3.0 * air * clear * damper } else { 0.0 };
        let from_freezer_w = evaporator_w_k * (self.freezer_c - self.evaporator_c);
        let from_fridge_w = fridge_w_k * (self.fridge_c - self.evaporator_c);
        // When the coil is warm its air stays with it, except for a part.
        let from_freezer_w = if from_freezer_w < 0.0 { 0.6 * from_freezer_w } else { from_freezer_w };

        let over_kitchen = (self.ambient_c - self.fridge_c) / 19.0;
        let door_w = if self.door_open { 250.0 } else { 0.0 };
        let fridge_w = self.unit.fridge_w_k * (self.ambient_c - self.fridge_c)
            + self.condition.infiltration_w * over_kitchen
            + door_w
            - from_fridge_w;
        let freezer_w = self.unit.freezer_w_k * (self.ambient_c - self.freezer_c) - from_freezer_w;
        let heater_w = self.heater_a() * 230.0;
        let evaporator_w = from_freezer_w + from_fridge_w + heater_w - self.cooling_w();

        self.fridge_c += fridge_w / FRIDGE_J_K * dt_s;
        self.freezer_c += freezer_w / FREEZER_J_K * dt_s;
        self.warm_evaporator(evaporator_w * dt_s);
        self.door_air_k = lag(self.door_air_k, 0.0, dt_s, 300.0) + if self.door_open { 0.05 * dt_s } else { 0.0 };
        if self.compressor_on && self.evaporator_c < 0.0 {
            // A worn seal lets moist air in as well.
            let moisture = 1.0 + self.condition.infiltration_w / 36.0;
            self.frost += moisture * dt_s / (DEFROST_INTERVAL_MIN * 60.0);
        }
    }

    /// Frost holds a warming coil at 0 °C until it is gone.
    fn warm_evaporator(&mut self, joules: f64) {
        let next_c = self.evaporator_c + joules / EVAPORATOR_J_K;
        if self.frost > 0.0 && self.evaporator_c <= 0.0 && next_c > 0.0 {
            self.frost = (self.frost - next_c * EVAPORATOR_J_K / FROST_J).max(0.0);
            self.evaporator_c = 0.0;
        } else {
            self.evaporator_c = next_c.clamp(-45.0, 40.0);
        }
    }

    fn compressor_w(&self) -> f64 {
        if !self.compressor_on {
            return 0.0;
        }
        let worn = 1.0 - 0.72 * (1.0 - self.condition.compression);
        self.unit.compressor_w * worn * (1.0 + 0.004 * (self.evaporator_c + 25.0)).clamp(0.9, 1.12)
    }
}

impl Machine for Refrigerator {
    fn step(&mut self, moment: &mut Moment<'_>) {
        let dt_s = moment.dt_s;
        self.powered = moment.powered;
        self.ambient_c = self.kitchen.step(moment.hour(), dt_s);
        self.doors(moment);
        if moment.powered {
            self.control(dt_s, moment.held);
        } else {
            self.compressor_on = false;
        }
        if self.compressor_on {
            self.on_s += dt_s;
            self.since_defrost_s += dt_s;
            self.off_s = 0.0;
        } else {
            self.off_s += dt_s;
            self.on_s = 0.0;
        }
        let driven = if self.condition.fan_hung { 0.0 } else { self.fan_target() * self.unit.fan };
        self.fan = lag(self.fan, driven, dt_s, 3.0);
        self.exchange(dt_s);
    }

    fn sample(&self, sensors: &mut Random, out: &mut Sample) {
        let bias = &self.unit.sensor_bias_k;
        let mut celsius = |value: f64, noise_k: f64| quantise(value + noise_k * sensors.normal(), 10.0);
        let fridge = celsius(self.fridge_c + self.door_air_k + self.condition.fridge_offset_k + bias[0], 0.05);
        let aux = celsius(self.fridge_c + 0.7 * self.door_air_k + bias[1], 0.05);
        let freezer = celsius(self.freezer_c + bias[2], 0.05);
        let evaporator = celsius(self.evaporator_c + bias[3], 0.15);
        let ambient = celsius(self.ambient_c, 0.05);
        let heater_a = self.heater_a();
        let heater_seen =
            if heater_a > 0.0 { quantise(heater_a * (1.0 + 0.01 * sensors.normal()), 100.0) } else { 0.0 };
        let compressor_w = self.compressor_w();
        let compressor_seen =
            if compressor_w > 0.0 { (compressor_w * (1.0 + 0.01 * sensors.normal())).round() } else { 0.0 };
        let fan = if self.fan < 20.0 { 0.0 } else { quantise(self.fan * (1.0 + 0.004 * sensors.normal()), 0.1) };
        let lamp_w = if self.door_open { 8.0 } else { 0.0 };
        let power_w = compressor_seen + heater_seen * 230.0 + 5.0 * fan / FAN_RPM + lamp_w + 2.0;
        out.extend([
            ("fridge_temp_c", fridge.into()),
            ("fridge_aux_temp_c", aux.into()),
            ("freezer_temp_c", freezer.into()),
            ("fridge_setpoint_c", FRIDGE_SETPOINT_C.into()),
            ("freezer_setpoint_c", FREEZER_SETPOINT_C.into()),
            ("evaporator_temp_c", evaporator.into()),
            ("ambient_temp_c", ambient.into()),
            ("compressor_on", self.compressor_on.into()),
            ("compressor_w", compressor_seen.into()),
            ("defrost_active", (self.defrost != Defrost::No).into()),
            ("defrost_heater_a", heater_seen.into()),
            ("evap_fan_rpm", fan.into()),
            ("evap_fan_target_rpm", self.fan_target().into()),
            ("door_open", self.door_open.into()),
            ("power_w", power_w.round().into()),
        ]);
    }

    fn status(&self) -> Status {
        let busy_because = match self.defrost {
            _ if self.compressor_on => Some("the compressor runs"),
            Defrost::No => None,
            _ => Some("a defrost is under way"),
        };
        Status { busy_because, energised: busy_because.is_some(), gas_open: false, latched: false }
    }

    fn code(&self) -> &'static str {
        match () {
            () if self.f3 => "F3",
            () if self.f5 => "F5",
            () if self.f8 => "F8",
            () => "",
        }
    }

    fn code_text(&self, code: &str) -> &'static str {
        match code {
            "F3" => "evaporator fan does not turn",
            "F5" => "defrost ended by time-out",
            "F8" => "fridge above 12 °C for an hour",
            _ => "",
        }
    }

    fn parameters(&self) -> Vec<(&'static str, firmware_proto::Value)> {
        let set = if self.foreign_parameters { FOREIGN_SET } else { OWN_SET };
        vec![
            ("parameter_set", set.into()),
            ("freezer_cut_out_c", self.cut_out_c.into()),
            ("defrost_interval_min", DEFROST_INTERVAL_MIN.into()),
        ]
    }

    fn boot(&mut self) {
        self.condition.fan_hung = false;
        (self.f3, self.f5, self.f8) = (false, false, false);
        (self.warm_s, self.fan_stood_s, self.off_s) = (0.0, 0.0, 0.0);
    }

    fn soft_reset(&mut self) {}

    fn sensors(&self) -> &'static [&'static str] {
        &["fridge_temp", "fridge_aux_temp", "freezer_temp", "evaporator_temp"]
    }

    fn recalibrate(&mut self, sensor: &str) -> f64 {
        let (bias, extra) = match sensor {
            "fridge_temp" => (0, std::mem::take(&mut self.condition.fridge_offset_k)),
            "fridge_aux_temp" => (1, 0.0),
            "freezer_temp" => (2, 0.0),
            _ => (3, 0.0),
        };
        std::mem::take(&mut self.unit.sensor_bias_k[bias]) + extra
    }

    fn restore_parameters(&mut self) {
        self.cut_out_c = CUT_OUT_C;
        self.foreign_parameters = false;
    }

    fn restore_defrost_schedule(&mut self) {
        self.condition.timer_lost = false;
    }

    fn inject(&mut self, fault: &str, severity: f64, _random: &mut Random) {
        let condition = &mut self.condition;
        match fault {
            "door_seal_worn" => condition.infiltration_w = graded(38.0, 48.0, severity),
            "defrost_timer_lost" => condition.timer_lost = true,
            "defrost_heater_open" => condition.heater_open = true,
            "compressor_valve_worn" => condition.compression = graded(0.50, 0.35, severity),
            "evap_fan_controller_hung" => condition.fan_hung = true,
            "fridge_sensor_offset" => condition.fridge_offset_k = graded(2.5, 5.0, severity),
            "wrong_parameter_set" => {
                self.cut_out_c = graded(-12.0, -9.0, severity);
                self.foreign_parameters = true;
            }
            _ => {}
        }
    }

    fn faulty(&self) -> bool {
        let condition = &self.condition;
        condition.infiltration_w > 0.0
            || condition.compression < 1.0
            || condition.fan_hung
            || condition.heater_open
            || condition.timer_lost
            || condition.fridge_offset_k != 0.0
            || self.foreign_parameters
    }
}
