//! Split air conditioner, 3.5 kW, inverter compressor.
//!
//! Temperatures of coils and compressor follow frequency, air flow, refrigerant charge
//! and compression by steady-state curves of a unit of this size, each behind a
//! first-order lag; the room is a thermal model of its own.

use firmware_proto::DeviceTime;

use super::lag::lag;
use super::room::Room;
use super::{Machine, Moment, Sample, Status, graded};
use crate::random::{Random, quantise};

const MIN_HZ: f64 = 20.0;
const MAX_HZ: f64 = 90.0;
/// The firmware's answer to P2 and P4.
const PROTECTED_HZ: f64 = 40.0;
const MIN_OFF_S: f64 = 180.0;
const HZ_PER_K: f64 = 20.0;
const INTEGRAL_S: f64 = 1500.0;
/// Fan feedback this far below its target counts as standing.
const FAN_STANDS: f64 = 0.3;
const FAN_GRACE_S: f64 = 180.0;
const FAN_RETRY_S: f64 = 1800.0;
const P4_ON_C: f64 = 110.0;
const P4_OFF_C: f64 = 95.0;
const P2_ON_A: f64 = 9.5;
const P2_OFF_A: f64 = 7.5;
/// A protection holds at least this long, so that it does not chatter.
const PROTECTION_HOLD_S: f64 = 600.0;
const OWN_SET: &str = "AC-35/eu/4";
const FOREIGN_SET: &str = "AC-20/eu/4";

/// How this unit differs from the drawing.
#[derive(Debug, Clone)]
struct Unit {
    cooling_w_hz: f64,
    coil_drop: f64,
    condenser_rise: f64,
    superheat_k: f64,
    amps_hz: f64,
    fan: [f64; 2],
    sensor_bias_k: [f64; 4],
}

/// What can be wrong with it; everything at rest when new.
#[derive(Debug, Clone)]
struct Condition {
    charge: f64,
    charge_end: f64,
    charge_loss_per_s: f64,
    compression: f64,
    indoor_fan_hung: bool,
    outdoor_fan: f64,
    room_offset_k: f64,
    loop_hangs_soon: bool,
    loop_hung: bool,
}

impl Condition {
    const SOUND: Self = Self {
        charge: 1.0,
        charge_end: 1.0,
        charge_loss_per_s: 0.0,
        compression: 1.0,
        indoor_fan_hung: false,
        outdoor_fan: 1.0,
        room_offset_k: 0.0,
        loop_hangs_soon: false,
        loop_hung: false,
    };
}

/// Which protection limits the frequency, and for how long yet.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Protection {
    None,
    Discharge { held_s: f64 },
    OverCurrent { held_s: f64 },
}

pub(super) struct SplitAc {
    unit: Unit,
    condition: Condition,
    room: Room,
    control_noise: Random,
    max_hz: f64,
    foreign_parameters: bool,
    // Controls
    room_reading_c: f64,
    integral_hz: f64,
    satisfied_s: f64,
    hz: f64,
    off_s: f64,
    running_s: f64,
    indoor_fan_target: f64,
    protection: Protection,
    over_limit_s: f64,
    fan_stood_s: f64,
    e6: bool,
    retry_in_s: f64,
    // Physics
    indoor_fan: f64,
    outdoor_fan: f64,
    coil_c: f64,
    condenser_c: f64,
    discharge_c: f64,
}

impl SplitAc {
    pub fn new(seed: u64, start: DeviceTime) -> Self {
        let mut random = Random::new(seed, "unit");
        let unit = Unit {
            cooling_w_hz: 36.0 * random.tolerance(0.02),
            coil_drop: random.tolerance(0.02),
            condenser_rise: random.tolerance(0.03),
            superheat_k: random.tolerance(0.03),
            amps_hz: 0.075 * random.tolerance(0.02),
            fan: [random.tolerance(0.004), random.tolerance(0.004)],
            sensor_bias_k: [0.1, 0.15, 0.3, 0.5].map(|bias| bias * random.normal()),
        };
        let room = Room::new(seed, start);
        let air_c = room.air_c();
        Self {
            unit,
            condition: Condition::SOUND,
            control_noise: Random::new(seed, "control noise"),
            max_hz: MAX_HZ,
            foreign_parameters: false,
            room_reading_c: air_c,
            integral_hz: random.between(15.0, 40.0),
            satisfied_s: 0.0,
            hz: 0.0,
            off_s: random.between(0.0, MIN_OFF_S),
            running_s: 0.0,
            indoor_fan_target: 0.0,
            protection: Protection::None,
            over_limit_s: 0.0,
            fan_stood_s: 0.0,
            e6: false,
            retry_in_s: 0.0,
            indoor_fan: 0.0,
            outdoor_fan: 0.0,
            coil_c: air_c,
            condenser_c: room.outdoor_c(),
            discharge_c: room.outdoor_c() + 3.0,
            room,
        }
    }

    /// The PI task: the frequency it asks for, 0 for standing.
    fn regulate(&mut self, dt_s: f64) -> f64 {
        let error_k = self.room_reading_c - self.room.setpoint_c();
        if self.condition.loop_hung {
            return self.hz_when_hung();
        }
        if self.hz == 0.0 {
            return if error_k > 0.4 {
                (HZ_PER_K * error_k + self.integral_hz).clamp(MIN_HZ, self.limit_hz())
            } else {
                0.0
            };
        }
        let wanted = HZ_PER_K * error_k + self.integral_hz;
        let limited = wanted.clamp(MIN_HZ, self.limit_hz());
        if wanted == limited || (wanted > limited) != (error_k > 0.0) {
            self.integral_hz = (self.integral_hz + HZ_PER_K * error_k * dt_s / INTEGRAL_S).clamp(0.0, MAX_HZ);
        }
        let enough = error_k < -0.7 && wanted <= MIN_HZ;
        self.satisfied_s = if enough { self.satisfied_s + dt_s } else { 0.0 };
        if self.satisfied_s > 120.0 { 0.0 } else { limited }
    }

    /// The frequency at which the loop hung lives on in `integral_hz`.
    fn hz_when_hung(&self) -> f64 {
        self.integral_hz.min(self.limit_hz().max(MIN_HZ))
    }

    fn limit_hz(&self) -> f64 {
        match self.protection {
            Protection::None => self.max_hz,
            _ => self.max_hz.min(PROTECTED_HZ),
        }
    }

    fn control(&mut self, moment: &Moment<'_>) {
        let dt_s = moment.dt_s;
        let seen = self.room.air_c() + self.unit.sensor_bias_k[0] + self.condition.room_offset_k;
        self.room_reading_c = lag(self.room_reading_c, seen + 0.03 * self.control_noise.normal(), dt_s, 20.0);
        let wants = self.room.cooling() && moment.powered && !moment.held;
        if self.condition.loop_hangs_soon && self.running_s > 300.0 {
            self.condition.loop_hangs_soon = false;
            self.condition.loop_hung = true;
            self.integral_hz = self.hz;
        }
        let paused = self.e6 && self.retry_in_s > 0.0;
        let mut wanted_hz = if wants && !paused { self.regulate(dt_s) } else { 0.0 };
        if self.hz == 0.0 && self.off_s < MIN_OFF_S {
            wanted_hz = 0.0;
        }
        // The inverter ramps by 1 Hz a second, and stops at once.
        self.hz =
            if wanted_hz == 0.0 { 0.0 } else { wanted_hz.clamp(self.hz - dt_s, self.hz.max(MIN_HZ - dt_s) + dt_s) };
        if self.hz > 0.0 {
            self.off_s = 0.0;
            self.running_s += dt_s;
        } else {
            self.off_s += dt_s;
            self.running_s = 0.0;
            self.satisfied_s = 0.0;
        }
        let fan_wanted = 700.0 + 500.0 * (self.hz - MIN_HZ).max(0.0) / (MAX_HZ - MIN_HZ);
        self.indoor_fan_target =
            if self.room.cooling() && moment.powered { (fan_wanted / 10.0).round() * 10.0 } else { 0.0 };
    }

    fn outdoor_fan_target(&self) -> f64 {
        if self.hz > 0.0 { 850.0 } else { 0.0 }
    }

    fn fans(&mut self, dt_s: f64) {
        let indoor = if self.condition.indoor_fan_hung { 0.0 } else { self.indoor_fan_target * self.unit.fan[0] };
        self.indoor_fan = lag(self.indoor_fan, indoor, dt_s, 4.0);
        let outdoor = self.outdoor_fan_target() * self.unit.fan[1] * self.condition.outdoor_fan;
        self.outdoor_fan = lag(self.outdoor_fan, outdoor, dt_s, 5.0);
    }

    /// Share of the air that the fan should move, 0 to 1.
    fn indoor_air(&self) -> f64 {
        if self.indoor_fan_target > 0.0 { (self.indoor_fan / self.indoor_fan_target).min(1.0) } else { 1.0 }
    }

    fn outdoor_air(&self) -> f64 {
        (self.outdoor_fan / 850.0).clamp(0.05, 1.0)
    }

    /// Coils and compressor; the heat taken from the room, in watts.
    fn refrigerate(&mut self, dt_s: f64) -> f64 {
        let (charge, compression) = (self.condition.charge, self.condition.compression);
        let (air_c, outdoor_c) = (self.room.air_c(), self.room.outdoor_c());
        if self.hz == 0.0 {
            // Air still moves while people want it cool; without a fan the coil drifts.
            let tau_s = if self.indoor_fan > 100.0 { 120.0 } else { 260.0 };
            self.coil_c = lag(self.coil_c, air_c, dt_s, tau_s);
            self.condenser_c = lag(self.condenser_c, outdoor_c, dt_s, 300.0);
            self.discharge_c = lag(self.discharge_c, outdoor_c + 2.0, dt_s, 1200.0);
            return 0.0;
        }
        let part = self.hz / MAX_HZ;
        let rise_k = (4.0 + 12.0 * part) * self.unit.condenser_rise * charge * compression.powf(1.8)
            / self.outdoor_air().powf(1.5);
        // Beyond some 45 K radiation and the grille carry the rest.
        let condenser = outdoor_c + 45.0 * rise_k / (45.0 + rise_k.max(16.0) - 16.0);
        let drop_k = (10.5 + 8.5 * part)
            * self.unit.coil_drop
            * charge.powf(1.8)
            * compression.powf(0.9)
            * (2.0 - self.indoor_air());
        let superheat_k = (26.0 + 6.0 * part) * self.unit.superheat_k * compression.powf(1.3) + 75.0 * (1.0 - charge);
        self.coil_c = lag(self.coil_c, air_c - drop_k, dt_s, 70.0);
        self.condenser_c = lag(self.condenser_c, condenser, dt_s, 80.0);
        self.discharge_c = lag(self.discharge_c, condenser + superheat_k, dt_s, 180.0);
        // Cooling builds up with the coil.
        let built_up = ((air_c - self.coil_c) / drop_k.max(1.0)).clamp(0.0, 1.0);
        let heat_rejection = 1.0 - 0.008 * (self.condenser_c - 45.0);
        // A cold coil means a low suction pressure: less refrigerant a stroke.
        let suction = 1.0 + 0.02 * (self.coil_c - 12.0);
        self.unit.cooling_w_hz
            * self.hz
            * (1.0 - 1.3 * (1.0 - charge))
            * compression
            * heat_rejection.clamp(0.3, 1.2)
            * suction.clamp(0.3, 1.0)
            * (0.25 + 0.75 * self.indoor_air())
            * built_up
    }

    fn amps(&self) -> f64 {
        let pressure = 1.0 + 0.012 * (self.condenser_c - 40.0);
        self.unit.amps_hz
            * self.hz
            * pressure
            * (0.5 + 0.5 * self.condition.charge)
            * (0.25 + 0.75 * self.condition.compression)
    }

    /// E6, P4 and P2, as the firmware can notice them.
    fn protect(&mut self, dt_s: f64) {
        self.watch_indoor_fan(dt_s);
        let (hot, heavy) = (self.discharge_c > P4_ON_C, self.amps() > P2_ON_A);
        self.over_limit_s = if hot || heavy { self.over_limit_s + dt_s } else { 0.0 };
        self.protection = match self.protection {
            Protection::None if self.over_limit_s > 30.0 && hot => Protection::Discharge { held_s: 0.0 },
            Protection::None if self.over_limit_s > 30.0 => Protection::OverCurrent { held_s: 0.0 },
            Protection::None => Protection::None,
            Protection::Discharge { held_s } if held_s > PROTECTION_HOLD_S && self.discharge_c < P4_OFF_C => {
                Protection::None
            }
            Protection::OverCurrent { held_s } if held_s > PROTECTION_HOLD_S && self.amps() < P2_OFF_A => {
                Protection::None
            }
            Protection::Discharge { held_s } => Protection::Discharge { held_s: held_s + dt_s },
            Protection::OverCurrent { held_s } => Protection::OverCurrent { held_s: held_s + dt_s },
        };
    }

    fn watch_indoor_fan(&mut self, dt_s: f64) {
        if self.indoor_fan_target == 0.0 {
            (self.e6, self.fan_stood_s, self.retry_in_s) = (false, 0.0, 0.0);
            return;
        }
        if self.indoor_air() >= FAN_STANDS {
            (self.e6, self.fan_stood_s, self.retry_in_s) = (false, 0.0, 0.0);
            return;
        }
        if self.retry_in_s > 0.0 {
            self.retry_in_s -= dt_s;
            self.fan_stood_s = 0.0;
            return;
        }
        self.fan_stood_s += dt_s;
        if self.fan_stood_s >= FAN_GRACE_S {
            self.e6 = true;
            self.retry_in_s = FAN_RETRY_S;
        }
    }
}

impl Machine for SplitAc {
    fn step(&mut self, moment: &mut Moment<'_>) {
        let dt_s = moment.dt_s;
        self.room.people(moment.now, moment.panel);
        let loss = self.condition.charge_loss_per_s * dt_s;
        self.condition.charge = (self.condition.charge - loss).max(self.condition.charge_end);
        self.control(moment);
        self.fans(dt_s);
        let cooling_w = self.refrigerate(dt_s);
        self.room.step(moment.now, dt_s, cooling_w);
        if moment.powered {
            self.protect(dt_s);
        }
    }

    fn sample(&self, sensors: &mut Random, out: &mut Sample) {
        let bias = &self.unit.sensor_bias_k;
        let mut celsius = |value: f64, noise_k: f64| quantise(value + noise_k * sensors.normal(), 10.0);
        let room = celsius(self.room.air_c() + bias[0] + self.condition.room_offset_k, 0.05);
        let outdoor = celsius(self.room.outdoor_c() + bias[1], 0.1);
        let coil = celsius(self.coil_c + bias[1], 0.1);
        let condenser = celsius(self.condenser_c + bias[2], 0.15);
        let discharge = celsius(self.discharge_c + bias[3], 0.3);
        let running = self.hz > 0.0;
        let amps = if running { (self.amps() * (1.0 + 0.01 * sensors.normal())).max(0.0) } else { 0.0 };
        let mut rpm =
            |value: f64| if value < 20.0 { 0.0 } else { quantise(value * (1.0 + 0.004 * sensors.normal()), 0.1) };
        let fans = (rpm(self.indoor_fan), rpm(self.outdoor_fan));
        let fan_w = 22.0 * (fans.0 / 1200.0) + 35.0 * (fans.1 / 850.0);
        out.extend([
            ("mode", if self.room.cooling() { "cool" } else { "off" }.into()),
            ("setpoint_c", self.room.setpoint_c().into()),
            ("room_temp_c", room.into()),
            ("outdoor_temp_c", outdoor.into()),
            ("indoor_coil_temp_c", coil.into()),
            ("outdoor_coil_temp_c", condenser.into()),
            ("discharge_temp_c", discharge.into()),
            ("compressor_hz", quantise(self.hz, 10.0).into()),
            ("compressor_a", quantise(amps, 100.0).into()),
            ("indoor_fan_rpm", fans.0.into()),
            ("indoor_fan_target_rpm", self.indoor_fan_target.into()),
            ("outdoor_fan_rpm", fans.1.into()),
            ("outdoor_fan_target_rpm", self.outdoor_fan_target().into()),
            ("power_w", (230.0 * 0.96 * amps + fan_w + 3.0).round().into()),
        ]);
    }

    fn status(&self) -> Status {
        Status {
            busy_because: (self.hz > 0.0).then_some("the compressor runs"),
            energised: self.hz > 0.0,
            gas_open: false,
            latched: false,
        }
    }

    fn code(&self) -> &'static str {
        match self.protection {
            _ if self.e6 => "E6",
            Protection::Discharge { .. } => "P4",
            Protection::OverCurrent { .. } => "P2",
            Protection::None => "",
        }
    }

    fn code_text(&self, code: &str) -> &'static str {
        match code {
            "E6" => "indoor fan does not turn",
            "P4" => "discharge too hot, frequency limited",
            "P2" => "compressor over-current, frequency limited",
            _ => "",
        }
    }

    fn parameters(&self) -> Vec<(&'static str, firmware_proto::Value)> {
        let set = if self.foreign_parameters { FOREIGN_SET } else { OWN_SET };
        vec![("parameter_set", set.into()), ("max_hz", self.max_hz.into())]
    }

    fn boot(&mut self) {
        self.condition.indoor_fan_hung = false;
        self.protection = Protection::None;
        (self.e6, self.fan_stood_s, self.retry_in_s, self.over_limit_s) = (false, 0.0, 0.0, 0.0);
        self.off_s = 0.0;
        self.soft_reset();
    }

    fn soft_reset(&mut self) {
        self.condition.loop_hung = false;
        self.condition.loop_hangs_soon = false;
        self.integral_hz = self.hz.max(MIN_HZ);
    }

    fn sensors(&self) -> &'static [&'static str] {
        &["room_temp", "outdoor_temp", "indoor_coil_temp", "outdoor_coil_temp", "discharge_temp"]
    }

    fn recalibrate(&mut self, sensor: &str) -> f64 {
        let bias = match sensor {
            "room_temp" => {
                let offset = self.condition.room_offset_k + self.unit.sensor_bias_k[0];
                self.condition.room_offset_k = 0.0;
                self.unit.sensor_bias_k[0] = 0.0;
                return offset;
            }
            "outdoor_temp" | "indoor_coil_temp" => 1,
            "outdoor_coil_temp" => 2,
            _ => 3,
        };
        std::mem::take(&mut self.unit.sensor_bias_k[bias])
    }

    fn restore_parameters(&mut self) {
        self.max_hz = MAX_HZ;
        self.foreign_parameters = false;
    }

    fn inject(&mut self, fault: &str, severity: f64, random: &mut Random) {
        let condition = &mut self.condition;
        match fault {
            "refrigerant_leak" => {
                condition.charge_end = graded(0.65, 0.45, severity);
                let seconds = random.between(1.0, 2.0) * 3600.0;
                condition.charge_loss_per_s = (1.0 - condition.charge_end) / seconds;
            }
            "indoor_fan_controller_hung" => condition.indoor_fan_hung = true,
            "outdoor_fan_motor_worn" => condition.outdoor_fan = graded(0.55, 0.30, severity),
            "room_sensor_offset" => condition.room_offset_k = graded(2.5, 5.0, severity),
            "wrong_parameter_set" => {
                self.max_hz = graded(30.0, 24.0, severity).round();
                self.foreign_parameters = true;
            }
            "control_loop_hung" => condition.loop_hangs_soon = true,
            "compressor_valve_worn" => condition.compression = graded(0.50, 0.35, severity),
            _ => {}
        }
    }

    fn faulty(&self) -> bool {
        let condition = &self.condition;
        condition.charge_end < 1.0
            || condition.compression < 1.0
            || condition.indoor_fan_hung
            || condition.outdoor_fan < 1.0
            || condition.room_offset_k != 0.0
            || condition.loop_hangs_soon
            || condition.loop_hung
            || self.foreign_parameters
    }
}
