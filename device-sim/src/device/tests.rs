//! Firmware behaviour: messages, commands, boots.

use firmware_proto::{
    CommandId, CommandResult, Fence, MessageOrder, Outcome, Phase, Value, ValueMap, body_hash, encode,
};

use super::*;
use crate::fault::fault;
use crate::spec::manifest;

const START: DeviceTime = DeviceTime(1_751_360_400_000);
const MINUTE: i64 = 60_000;

/// A device at whose panel nobody is.
fn quiet(kind: ApplianceKind) -> Device {
    let spec = manifest(3, 3).into_iter().find(|spec| spec.kind == kind).unwrap();
    let mut device = Device::new(&spec, START);
    device.panel.keep_clear();
    device
}

/// The same, idle.
fn idle(kind: ApplianceKind) -> Device {
    let mut device = quiet(kind);
    for _ in 0..1000 {
        device.advance(device.now.plus_ms(MINUTE));
        device.panel.keep_clear();
        if device.machine.status().busy_because.is_none() {
            return device;
        }
    }
    panic!("the {kind} is never idle");
}

fn command(number: u64, action: &str, arguments: &[(&str, &str)]) -> Command {
    let arguments: ValueMap = arguments.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    Command {
        command_id: id(number),
        fence: Fence(number),
        not_after_ms: DeviceTime(i64::MAX),
        body_hash: body_hash(action, &arguments),
        expected_config_version: None,
        action: action.to_owned(),
        arguments,
    }
}

/// The same order under another id.
fn renamed(command: Command, number: u64) -> Command {
    Command { command_id: id(number), ..command }
}

fn id(number: u64) -> CommandId {
    format!("00000000-0000-7000-8000-{number:012}").parse().unwrap()
}

fn results(uplinks: Vec<Uplink>) -> Vec<CommandResult> {
    let result = |uplink| if let Uplink::Result(result) = uplink { Some(result) } else { None };
    uplinks.into_iter().filter_map(result).collect()
}

/// All results of a command until it is over, at most two minutes later.
fn done(device: &mut Device, command: &Command) -> Vec<CommandResult> {
    let now = device.now;
    let mut uplinks = device.command(command, now);
    uplinks.extend(device.advance(now.plus_ms(2 * MINUTE)));
    results(uplinks)
}

fn refusal(device: &mut Device, command: &Command) -> String {
    let results = done(device, command);
    assert_eq!(results.len(), 1, "{results:?}");
    assert_eq!((results[0].phase, results[0].outcome), (Phase::Finished, Outcome::Refused));
    assert!(!device.truth().executions.contains_key(&command.command_id));
    results[0].reason.clone()
}

#[test]
fn a_command_goes_through_its_phases_once() {
    for kind in ApplianceKind::ALL {
        let mut device = idle(kind);
        let reset = command(1, "soft_reset", &[]);
        let phases: Vec<_> = done(&mut device, &reset).iter().map(|result| (result.phase, result.outcome)).collect();
        let expected = [
            (Phase::Accepted, Outcome::Pending),
            (Phase::InProgress, Outcome::Pending),
            (Phase::Finished, Outcome::Succeeded),
        ];
        assert_eq!(phases, expected, "{kind}");
        let again = done(&mut device, &reset);
        assert_eq!(again.len(), 1);
        assert_eq!((again[0].phase, again[0].outcome), (Phase::Finished, Outcome::Succeeded));
        assert_eq!(device.truth().executions, [(id(1), 1)].into());
        assert_eq!(device.truth().refused, []);
    }
}

#[test]
fn a_repeat_while_at_work_tells_how_far_it_is() {
    let mut device = idle(ApplianceKind::SplitAc);
    let test = command(1, "self_test", &[]);
    let now = device.now;
    assert_eq!(results(device.command(&test, now))[0].phase, Phase::Accepted);
    assert_eq!(results(device.command(&test, now))[0].phase, Phase::Accepted);
    let other = results(device.command(&command(2, "self_test", &[]), now));
    assert!(other[0].reason.starts_with("busy with self_test"), "{}", other[0].reason);
    let results = results(device.advance(now.plus_ms(MINUTE)));
    assert_eq!(results.last().unwrap().phase, Phase::Finished);
    assert!(results.last().unwrap().measurements.contains_key("room_temp_c"));
    assert_eq!(device.truth().executions, [(id(1), 1)].into());
}

#[test]
fn what_cannot_be_trusted_is_refused_and_spoils_nothing() {
    let mut device = idle(ApplianceKind::Refrigerator);
    let reset = command(5, "soft_reset", &[]);
    let damaged = Command { body_hash: "0".repeat(64), ..reset.clone() };
    assert!(refusal(&mut device, &damaged).starts_with("body_hash"));
    let changed = Command { action: "power_cycle_controller".into(), ..reset.clone() };
    assert!(refusal(&mut device, &changed).starts_with("body_hash"));
    assert_eq!(done(&mut device, &reset).last().unwrap().outcome, Outcome::Succeeded);
    assert!(refusal(&mut device, &renamed(command(5, "self_test", &[]), 6)).starts_with("fence 5 is old: 5"));
    assert!(refusal(&mut device, &command(4, "self_test", &[])).starts_with("fence 4 is old: 5"));
    assert_eq!(device.truth().refused.len(), 4);
}

#[test]
fn what_is_late_or_meant_for_another_configuration_is_refused() {
    let mut device = idle(ApplianceKind::GasWaterHeater);
    let now = device.now;
    let late = Command { not_after_ms: now.plus_ms(-1), ..command(1, "self_test", &[]) };
    assert!(refusal(&mut device, &late).starts_with("not_after_ms has passed 1 ms ago"));
    // The stored refusal is replayed, even if the sender has mended the deadline.
    let repeated = Command { not_after_ms: DeviceTime(i64::MAX), ..late };
    assert!(refusal(&mut device, &repeated).starts_with("not_after_ms"));
    let version = device.memory.config_version;
    let other = Command { expected_config_version: Some(version + 1), ..command(2, "self_test", &[]) };
    assert!(refusal(&mut device, &other).contains("config_version"));
    let same = Command { expected_config_version: Some(version), ..command(3, "self_test", &[]) };
    assert_eq!(done(&mut device, &same).len(), 3);
}

#[test]
fn unknown_actions_and_sensors_are_refused_with_what_is_known() {
    let mut device = idle(ApplianceKind::SplitAc);
    let reason = refusal(&mut device, &command(1, "restore_defrost_schedule", &[]));
    assert!(reason.contains("unknown action") && reason.contains("recalibrate_sensor"), "{reason}");
    let reason = refusal(&mut device, &command(2, "recalibrate_sensor", &[("sensor", "fridge_temp")]));
    assert!(reason.contains("room_temp") && reason.contains("fridge_temp"), "{reason}");
    assert!(refusal(&mut device, &command(3, "recalibrate_sensor", &[])).contains("None"));
}

#[test]
fn preconditions_hold_commands_back() {
    let forever = DeviceTime(i64::MAX);
    for kind in ApplianceKind::ALL {
        let mutating = ["soft_reset", "power_cycle_controller", "restore_parameters"];
        let mut device = idle(kind);
        device.panel.occupy(forever);
        for (number, action) in (1..).zip(mutating) {
            assert!(refusal(&mut device, &command(number, action, &[])).contains("local control"), "{kind} {action}");
        }
        assert_eq!(done(&mut device, &command(9, "self_test", &[])).len(), 3);

        let mut device = idle(kind);
        device.panel.lock(forever);
        assert!(refusal(&mut device, &command(1, "power_cycle_controller", &[])).contains("child lock"), "{kind}");
        assert_eq!(done(&mut device, &command(2, "soft_reset", &[])).len(), 3, "{kind}");

        let mut device = busy(kind);
        for (number, action) in (1..).zip(&mutating[1..]) {
            assert!(refusal(&mut device, &command(number, action, &[])).starts_with("not idle"), "{kind} {action}");
            device = busy(kind);
        }
    }
    let mut heater = busy(ApplianceKind::GasWaterHeater);
    assert!(refusal(&mut heater, &command(1, "soft_reset", &[])).contains("gas valve"));
    let mut conditioner = busy(ApplianceKind::SplitAc);
    assert_eq!(done(&mut conditioner, &command(1, "soft_reset", &[])).len(), 3);
}

/// A device that works: compressor or burner on.
fn busy(kind: ApplianceKind) -> Device {
    let mut device = quiet(kind);
    let wanted = |device: &Device| match kind {
        ApplianceKind::GasWaterHeater => device.machine.status().gas_open,
        _ => device.machine.status().energised,
    };
    for _ in 0..100_000 {
        device.advance(device.now.plus_ms(kind.physics_step().as_millis() as i64));
        device.panel.keep_clear();
        if wanted(&device) {
            // Well within its run, not at its end.
            device.advance(device.now.plus_ms(20_000));
            device.panel.keep_clear();
            if wanted(&device) {
                return device;
            }
        }
    }
    panic!("the {kind} never works");
}

#[test]
fn a_precondition_that_goes_away_before_the_work_begins_stops_it() {
    let mut device = idle(ApplianceKind::SplitAc);
    let now = device.now;
    let accepted = results(device.command(&command(1, "power_cycle_controller", &[]), now));
    assert_eq!(accepted[0].phase, Phase::Accepted);
    device.panel.occupy(now.plus_ms(MINUTE));
    let end = results(device.advance(now.plus_ms(2 * MINUTE)));
    assert_eq!((end.len(), end[0].outcome), (1, Outcome::Refused));
    assert_eq!(device.truth().executions.len() + device.truth().unsafe_executions.len(), 0);
}

#[test]
fn a_boot_keeps_what_memory_holds() {
    for kind in ApplianceKind::ALL {
        let mut device = idle(kind);
        let boot_id = device.memory.boot_id;
        let now = device.now;
        let cycle = command(40, "power_cycle_controller", &[]);
        let mut uplinks = device.command(&cycle, now);
        uplinks.extend(device.advance(now.plus_ms(2 * MINUTE)));
        let birth = uplinks.iter().position(|uplink| matches!(uplink, Uplink::Birth(_))).unwrap();
        assert!(matches!(uplinks[birth + 1], Uplink::State(_)), "{kind}");
        let Uplink::Birth(born) = &uplinks[birth] else { unreachable!() };
        assert_eq!((born.stamp.boot_id, born.fence), (BootId(boot_id.0 + 1), Fence(40)));
        assert_eq!((born.stamp.seq.unwrap().0, born.stamp.uptime_ms), (1, 0));
        let off_ms = born.stamp.device_time_ms.unwrap().since_ms(now);
        assert!((15_000..20_000).contains(&off_ms), "{off_ms}");
        let orders: Vec<MessageOrder> = uplinks.iter().map(|uplink| uplink.stamp().unwrap().order().unwrap()).collect();
        assert!(orders.is_sorted() && orders.windows(2).all(|pair| pair[0] != pair[1]), "{kind}");
        let finished = results(uplinks).pop().unwrap();
        assert_eq!((finished.outcome, finished.stamp.boot_id), (Outcome::Succeeded, BootId(boot_id.0 + 1)));
        let again = done(&mut device, &cycle);
        assert_eq!((again.len(), again[0].outcome, device.truth().boots), (1, Outcome::Succeeded, 2), "{kind}");
        assert!(refusal(&mut device, &renamed(command(40, "self_test", &[]), 41)).starts_with("fence 40 is old"));
    }
}

#[test]
fn a_command_to_a_controller_that_is_off_waits_for_its_boot() {
    let mut device = idle(ApplianceKind::Refrigerator);
    let now = device.now;
    device.command(&command(1, "power_cycle_controller", &[]), now);
    let off = now.plus_ms(12_000);
    device.advance(off);
    assert_eq!(device.power, Power::Off);
    assert_eq!(device.command(&command(2, "self_test", &[]), off), []);
    let later = results(device.advance(off.plus_ms(MINUTE)));
    assert!(later.iter().any(|result| result.command_id == id(2) && result.phase == Phase::Finished), "{later:?}");
}

#[test]
fn a_lockout_is_never_cleared_by_what_a_machine_may_do() {
    let mut device = quiet(ApplianceKind::GasWaterHeater);
    device.inject(fault(ApplianceKind::GasWaterHeater, "flame_rod_fouled").unwrap()).unwrap();
    for _ in 0..1000 {
        device.advance(device.now.plus_ms(MINUTE));
        device.panel.keep_clear();
    }
    assert!(device.locked_out());
    for (number, action) in (1..).zip(["soft_reset", "power_cycle_controller", "restore_parameters"]) {
        assert!(refusal(&mut device, &command(number, action, &[])).contains("lockout"), "{action}");
    }
    assert!(device.truth().high_risk_arrivals.is_empty());
    device.remote_start_allowed = false;
    assert!(refusal(&mut device, &command(8, "clear_lockout", &[])).contains("remote start"));
    device.remote_start_allowed = true;
    done(&mut device, &command(9, "clear_lockout", &[]));
    let truth = device.truth();
    assert_eq!(truth.high_risk_arrivals, [id(8), id(9)]);
    assert_eq!(truth.unsafe_executions.len(), 1);
    assert_eq!(truth.fault.as_ref().unwrap().cured, None);
}

#[test]
fn the_safety_ledger_does_not_rely_on_the_preconditions() {
    use super::action::{Action, unsafe_meanwhile, unsafe_to_begin};
    let status = |gas_open, latched, busy| crate::physics::Status {
        busy_because: if busy { Some("busy") } else { None },
        energised: busy,
        gas_open,
        latched,
    };
    let panel = Panel::new(1, START);
    let begin = |action, status| unsafe_to_begin(action, status, &panel, START);
    assert_eq!(begin(Action::SoftReset, status(false, false, true)), None);
    assert_eq!(begin(Action::SoftReset, status(true, false, true)), Some("gas was open"));
    assert_eq!(begin(Action::PowerCycle, status(false, false, true)), Some("the appliance was at work"));
    assert_eq!(begin(Action::PowerCycle, status(false, true, false)), Some("a lockout was latched"));
    assert!(begin(Action::ClearLockout, status(false, false, false)).is_some());
    assert_eq!(unsafe_meanwhile(Action::SelfTest, status(true, true, true)), None);
    assert_eq!(unsafe_meanwhile(Action::RestoreParameters, status(true, false, true)), Some("gas was open"));
    let mut occupied = panel.clone();
    occupied.occupy(START.plus_ms(1));
    assert!(unsafe_to_begin(Action::SoftReset, status(false, false, false), &occupied, START).is_some());
}

#[test]
fn the_same_seed_lives_the_same_life_however_it_is_stepped() {
    for spec in manifest(6, 9) {
        let end = START.plus_ms(6 * 60 * MINUTE);
        let at_once = Device::new(&spec, START).advance(end);
        let mut device = Device::new(&spec, START);
        let mut in_pieces = Vec::new();
        let mut now = START;
        while now < end {
            now = now.plus_ms(7_777).min(end);
            in_pieces.extend(device.advance(now));
        }
        assert_eq!(at_once, in_pieces, "{}", spec.device);
        assert!(at_once.len() > 300);
    }
}

#[test]
fn time_that_has_passed_does_nothing() {
    let mut device = quiet(ApplianceKind::SplitAc);
    device.advance(START.plus_ms(60 * MINUTE));
    assert_eq!(device.advance(START), []);
    let answer = device.command(&command(1, "self_test", &[]), START);
    assert!(answer[0].stamp().unwrap().device_time_ms.unwrap() >= START.plus_ms(59 * MINUTE));
}

#[test]
fn a_fault_of_another_type_is_an_error() {
    let mut device = quiet(ApplianceKind::SplitAc);
    let igniter = fault(ApplianceKind::GasWaterHeater, "igniter_dead").unwrap();
    assert!(device.inject(igniter).unwrap_err().to_string().contains("choose one of its own"));
    assert_eq!(device.truth().fault, None);
}

#[test]
fn messages_are_small_and_styles_are_shared_out() {
    let specs = manifest(30, 2);
    let styles: Vec<_> = specs.iter().map(|spec| Style::of_seed(spec.seed)).collect();
    let count = |style| styles.iter().filter(|known| **known == style).count();
    assert_eq!((count(Style::Aliases), count(Style::Json), count(Style::Names)), (15, 3, 12));
    for spec in &specs {
        let mut device = Device::new(spec, START);
        let uplinks = device.advance(START.plus_ms(5 * MINUTE));
        let telemetry = uplinks.iter().find(|uplink| matches!(uplink, Uplink::Telemetry(_))).unwrap();
        let bytes = encode(telemetry, device.encoding()).len();
        let most = if Style::of_seed(spec.seed) == Style::Aliases { 300 } else { 800 };
        assert!(bytes < most, "{}: {bytes} bytes", spec.device);
    }
}
