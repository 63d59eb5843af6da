//! Many devices, each with its own MQTT connection, in simulated time.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use firmware_proto::{CommandId, DeviceTime, ScaledTime, Topic, Uplink, decode_command};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::device::{Device, is_mutating};
use crate::link::{LinkOptions, Message, Next, Occupant, Outbox, keep_up};
use crate::plan::FaultPlan;
use crate::spec::DeviceSpec;
use crate::truth::DeviceTruth;

/// A device lives on at least this often (wall time), so that commands find it present.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// And at most this often: at high speed several steps are taken at once.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
/// A lockout known to the broker for so long (wall time) is known to whoever sends commands.
const LOCKOUT_KNOWN_AFTER: Duration = Duration::from_secs(2);

/// What a fleet needs to start.
#[derive(Debug, Clone)]
pub struct FleetConfig {
    /// Where the broker listens.
    pub broker: SocketAddr,
    /// How fast time passes.
    pub time: ScaledTime,
    /// The devices; their `token` is the MQTT password.
    pub specs: Vec<DeviceSpec>,
    /// Their faults.
    pub plan: FaultPlan,
}

/// A running fleet.
///
/// A device whose process is behind lives up to the present at once, and sends all that
/// was due in between, in order.
pub struct Fleet {
    residents: Vec<Arc<Mutex<Resident>>>,
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Fleet {
    /// Starts one task for each device. Must be called within a tokio runtime.
    ///
    /// A planned fault that names no device of the fleet, or no fault of its kind, is
    /// left out and logged.
    pub fn start(config: FleetConfig) -> Self {
        let (stop, stopping) = watch::channel(false);
        let start = DeviceTime(config.time.now_ms());
        let mut tasks = JoinSet::new();
        let mut residents = Vec::with_capacity(config.specs.len());
        for spec in &config.specs {
            let resident = Arc::new(Mutex::new(Resident::new(spec, config.time, start)));
            residents.push(Arc::clone(&resident));
            let options = LinkOptions {
                broker: config.broker,
                address: spec.address(),
                token: spec.token.clone(),
                takes_commands: true,
            };
            let stopping = stopping.clone();
            tasks.spawn(async move {
                // Messages not acknowledged in the end are in the ledger: produced and not acknowledged.
                keep_up(options, &mut Tenant(resident), stopping).await;
            });
        }
        let fleet = Self { residents, tasks, stop };
        fleet.schedule(&config.plan);
        fleet
    }

    fn schedule(&self, plan: &FaultPlan) {
        for planned in &plan.0 {
            let resident = self.residents.iter().find(|resident| lock(resident).truth.device == planned.device);
            let scheduled = match (resident, planned.entry()) {
                (Some(resident), Some(fault)) => lock(resident).device.inject_at(planned.at, fault).is_ok(),
                _ => false,
            };
            if !scheduled {
                tracing::error!(device = %planned.device, fault = planned.fault, "a planned fault fits no device");
            }
        }
    }

    /// The ledgers of all devices as they are now.
    pub fn truths(&self) -> Vec<DeviceTruth> {
        self.residents.iter().map(|resident| lock(resident).snapshot()).collect()
    }

    /// Messages that the gateway told its devices it did not accept.
    pub fn rejections(&self) -> u64 {
        self.residents.iter().map(|resident| lock(resident).truth.rejections).sum()
    }

    /// Messages the broker has acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.residents.iter().map(|resident| lock(resident).truth.acknowledged).sum()
    }

    /// Stops time, lets what is due be acknowledged (for two seconds at most), and
    /// disconnects. Says what the ledgers held in the end.
    pub async fn stop(mut self) -> Vec<DeviceTruth> {
        self.stop.send_replace(true);
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a device ended badly");
            }
        }
        self.truths()
    }
}

/// A poisoned lock only means that a task panicked; its ledger is still worth reading.
fn lock(resident: &Mutex<Resident>) -> MutexGuard<'_, Resident> {
    resident.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One device and what its connection knows of it.
struct Resident {
    device: Device,
    time: ScaledTime,
    pause: Duration,
    lockout_known_since: Option<Instant>,
    /// The ledger's connection part; the rest comes from the device.
    truth: DeviceTruth,
}

impl Resident {
    fn new(spec: &DeviceSpec, time: ScaledTime, start: DeviceTime) -> Self {
        let device = Device::new(spec, start);
        let truth = DeviceTruth {
            tenant: spec.tenant.clone(),
            device: spec.device.clone(),
            kind: spec.kind,
            at: start,
            truth: device.truth().clone(),
            touched_lockout: Vec::new(),
            produced: 0,
            acknowledged: 0,
            dropped: 0,
            rejections: 0,
            reconnects: 0,
        };
        let pause = time.wall(spec.kind.physics_step()).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        Self { device, time, pause, lockout_known_since: None, truth }
    }

    /// Simulated time now.
    fn present(&self) -> DeviceTime {
        DeviceTime(self.time.now_ms())
    }

    fn snapshot(&self) -> DeviceTruth {
        DeviceTruth { at: self.device.now(), truth: self.device.truth().clone(), ..self.truth.clone() }
    }

    fn post(&mut self, uplinks: &[Uplink], outbox: &mut Outbox, connected: bool) {
        let locked_out = self.device.locked_out();
        for uplink in uplinks {
            let mut message = Message::new(uplink, self.device.encoding());
            message.offline = !connected;
            message.tells_lockout = locked_out && matches!(uplink, Uplink::Telemetry(_) | Uplink::Event(_));
            outbox.push(message);
        }
        self.truth.produced = outbox.produced();
        self.truth.dropped = outbox.dropped();
    }

    /// Notes a mutating command to a device whose lockout its sender had long been told.
    fn note_arrival(&mut self, command_id: CommandId, action: &str) {
        let known = self.lockout_known_since.is_some_and(|since| since.elapsed() > LOCKOUT_KNOWN_AFTER);
        let noted = self.truth.touched_lockout.contains(&command_id);
        if known && !noted && is_mutating(action) && self.device.locked_out() {
            self.truth.touched_lockout.push(command_id);
        }
    }
}

/// A resident behind its connection.
struct Tenant(Arc<Mutex<Resident>>);

impl Occupant for Tenant {
    fn live(&mut self, outbox: &mut Outbox, connected: bool) -> Next {
        let mut resident = lock(&self.0);
        let now = resident.present();
        let uplinks = resident.device.advance(now);
        resident.post(&uplinks, outbox, connected);
        Next::After(resident.pause)
    }

    fn hear(&mut self, topic: &Topic, payload: &[u8], outbox: &mut Outbox, connected: bool) {
        let mut resident = lock(&self.0);
        match topic {
            Topic::Error => resident.truth.rejections += 1,
            Topic::Command(_) => match decode_command(payload) {
                Ok(command) => {
                    resident.note_arrival(command.command_id, &command.action);
                    let now = resident.present();
                    let uplinks = resident.device.command(&command, now);
                    resident.post(&uplinks, outbox, connected);
                }
                Err(error) => {
                    tracing::warn!(device = %resident.truth.device, %error, "a command that cannot be read");
                }
            },
            Topic::Up(_) => {}
        }
    }

    fn acknowledged(&mut self, message: &Message) {
        let mut resident = lock(&self.0);
        resident.truth.acknowledged += 1;
        if message.tells_lockout && resident.lockout_known_since.is_none() {
            resident.lockout_known_since = Some(Instant::now());
        }
    }

    fn now(&self) -> DeviceTime {
        lock(&self.0).device.now()
    }

    fn disconnected(&mut self, why: &str) {
        let mut resident = lock(&self.0);
        resident.truth.reconnects += 1;
        tracing::info!(device = %resident.truth.device, why, "the connection is lost");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::fault;
    use crate::kind::ApplianceKind;
    use crate::spec::manifest;

    #[test]
    fn a_mutating_command_to_a_known_lockout_is_noted_once() {
        let spec = manifest(3, 1).into_iter().find(|spec| spec.kind == ApplianceKind::GasWaterHeater).unwrap();
        let start = DeviceTime(1_751_360_400_000);
        let mut resident = Resident::new(&spec, ScaledTime::REAL, start);
        let id = |number: u64| format!("00000000-0000-7000-8000-{number:012}").parse().unwrap();
        resident.device.inject(fault(spec.kind, "flame_rod_fouled").unwrap()).unwrap();
        resident.device.advance(start.plus_ms(24 * 3_600_000));
        assert!(resident.device.locked_out());

        resident.note_arrival(id(1), "soft_reset");
        resident.lockout_known_since = Some(Instant::now());
        resident.note_arrival(id(2), "soft_reset");
        assert_eq!(resident.truth.touched_lockout, [], "its sender cannot know yet");

        resident.lockout_known_since = Instant::now().checked_sub(2 * LOCKOUT_KNOWN_AFTER);
        resident.note_arrival(id(3), "self_test");
        resident.note_arrival(id(4), "soft_reset");
        resident.note_arrival(id(4), "soft_reset");
        assert_eq!(resident.truth.touched_lockout, [id(4)]);
    }
}
