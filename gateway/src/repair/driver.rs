//! What happens next with a device: decided from its room alone, without IO.
//!
//! ```text
//! look ── finding ─┬─ plan ─ dispatch ─ on_result ─ judge ─ verified
//!                     └─ work order ◄────────┴───────────┘ did not work
//! ```

use std::sync::Arc;

use diagnosis::{
    Advice, ApplianceType, Diagnosis, Repair, RiskClass, Sample, Verdict, Verification, advise, diagnose, observe,
};
use firmware_proto::{CommandResult, DeviceTime, Outcome, Phase, ServerTime, Stamp, Value};

use super::RepairState;
use super::plan::{self, Planned, id_of};
use crate::config::RepairLimits;
use crate::models::Voices;
use crate::shard::room::{Case, Repairing, Room, Sent};
use crate::store::changes::{Change, FindingState, NewFinding, NewOrder};
use crate::store::json;

/// How long an answer may take beyond the action's own time-out: network and queue.
const ANSWER_SLACK_MS: i64 = 5 * 60_000;

/// After a refusal the device is left alone for this long.
const REFUSAL_PAUSE_MS: i64 = 3 * 60_000;

/// A device that refuses this often will not change its mind.
const REFUSALS: u32 = 5;

/// Verifications that saw too little before people take over.
const INCONCLUSIVE: u32 = 2;

/// After a failed repair, diagnosis gets this long to find something better than a visit.
const UNDECIDED_MS: i64 = 2 * 3_600_000;

/// When a decision is made.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// By the gateway's clock.
    pub now: ServerTime,
    /// Since when the gateway has been listening: what could not be heard is not held against a device.
    pub up_since: ServerTime,
    /// Journal position of the message that led to it; ids follow from it.
    pub position: u64,
    /// Limits in force.
    pub limits: &'a RepairLimits,
    /// Models in force.
    pub models: &'a Voices,
}

/// Takes a live sample: twin, detectors, the repair under way, and what follows from them.
pub fn look(
    room: &mut Room,
    stamp: &Stamp,
    time: DeviceTime,
    readings: &[(usize, Value)],
    m: &Moment<'_>,
) -> Vec<Change> {
    room.twin.take(readings, time);
    let ty = room.ty.clone();
    let sample = Sample { time, order: stamp.order(), readings };
    let mut observations = observe(&ty, &mut room.memory.diagnosis, &sample);
    observations.extend(m.models.hear(room, time));
    let mut changes = Vec::new();
    if !observations.is_empty() {
        changes.extend(veto(room, m));
    }
    changes.extend(on_sample(room, &sample, m));
    if !observations.is_empty() || room.memory.suspect {
        changes.extend(consider(room, m));
    }
    changes
}

/// Looks at the evidence and opens a finding if it is time to act.
fn consider(room: &mut Room, m: &Moment<'_>) -> Vec<Change> {
    if room.memory.repairing.is_some() || room.memory.case.as_ref().is_some_and(|case| case.order.is_some()) {
        return Vec::new();
    }
    let ty = room.ty.clone();
    let diagnosis = diagnose(&ty, &room.memory.diagnosis);
    let tried = room.memory.tried_lately(m.now);
    let advice = advise(&ty, &room.memory.diagnosis, &diagnosis, room.device_now(m.now), &tried);
    room.memory.suspect = !matches!(advice, Advice::Nothing);
    match advice {
        Advice::Nothing | Advice::Watch { .. } => Vec::new(),
        Advice::Repair { repair, cause, why } => {
            let mut changes = open_case(room, &ty, &diagnosis, &cause, m);
            changes.extend(plan_or_hand_over(room, &ty, &diagnosis, repair, &why, m));
            changes
        }
        Advice::WorkOrder { cause, why, safety } => {
            let mut changes = open_case(room, &ty, &diagnosis, &cause, m);
            changes.extend(hand_over(room, &ty, &diagnosis, &why, safety, m));
            changes
        }
    }
}

/// Takes a live sample into the repair under way: judges it, or sends what waits.
fn on_sample(room: &mut Room, sample: &Sample<'_>, m: &Moment<'_>) -> Vec<Change> {
    let Some(repairing) = &room.memory.repairing else { return Vec::new() };
    match repairing.state {
        RepairState::Queued => dispatch(room, m),
        RepairState::Verifying => judge(room, sample, m),
        _ => Vec::new(),
    }
}

/// Evidence has changed: a safety lockout calls off whatever has not been sent.
fn veto(room: &mut Room, m: &Moment<'_>) -> Vec<Change> {
    let waits = |repairing: &Repairing| matches!(repairing.state, RepairState::Queued | RepairState::AwaitingApproval);
    if !room.memory.repairing.as_ref().is_some_and(waits) {
        return Vec::new();
    }
    let ty = room.ty.clone();
    let diagnosis = diagnose(&ty, &room.memory.diagnosis);
    let Advice::WorkOrder { why, safety: true, .. } =
        advise(&ty, &room.memory.diagnosis, &diagnosis, room.device_now(m.now), &[])
    else {
        return Vec::new();
    };
    let mut changes = end_repair(room, RepairState::BlockedUnsafe, &why, m);
    changes.extend(hand_over(room, &ty, &diagnosis, &why, true, m));
    changes
}

/// A person asks for a repair, also without a finding.
///
/// # Errors
/// Why it cannot be begun now.
pub fn issue(room: &mut Room, key: &str, person: &str, m: &Moment<'_>) -> Result<(String, Vec<Change>), String> {
    let ty = room.ty.clone();
    let repair = ty.repair(key).ok_or_else(|| format!("type {} has no repair {key:?}", ty.key))?;
    let action =
        ty.action(&repair.action).ok_or_else(|| format!("type {} has no action {:?}", ty.key, repair.action))?;
    if let Some(repairing) = &room.memory.repairing {
        return Err(format!("repair {} is under way on this device", repairing.id));
    }
    let diagnosis = diagnose(&ty, &room.memory.diagnosis);
    if let Advice::WorkOrder { why, safety: true, .. } =
        advise(&ty, &room.memory.diagnosis, &diagnosis, room.device_now(m.now), &[])
    {
        return Err(format!("the device is locked out: {why}"));
    }
    let planned = Planned::new(room, repair, action, Some(person), &format!("asked for by {person}"), m.now);
    let id = planned.repairing.id.clone();
    room.memory.repairing = Some(planned.repairing);
    Ok((id, vec![planned.change]))
}

/// Takes what a device said of a command.
pub fn on_result(room: &mut Room, result: &CommandResult, m: &Moment<'_>) -> Vec<Change> {
    let mut changes = vec![Change::CommandAnswered { command_id: result.command_id.to_string() }];
    let Some(repairing) = &mut room.memory.repairing else { return changes };
    let Some(sent) = repairing.command.as_mut().filter(|sent| sent.id == result.command_id) else { return changes };
    if !repairing.state.is_with_device() {
        return changes;
    }
    match (result.phase, result.outcome) {
        (Phase::Accepted, _) => changes.extend(advance(repairing, RepairState::Accepted, "", m)),
        (Phase::InProgress, _) => changes.extend(advance(repairing, RepairState::InProgress, "", m)),
        (Phase::Finished, Outcome::Succeeded) => {
            sent.result = result.stamp.order();
            let reason = format!("device: {}", text_of(result));
            changes.extend(advance(repairing, RepairState::DeviceSucceeded, &reason, m));
            changes.extend(begin_verification(room, result, m));
        }
        (Phase::Finished, Outcome::Refused) => changes.extend(refused(room, &result.reason, m)),
        (Phase::Finished, Outcome::Failed | Outcome::Pending) => {
            let reason = format!("device: {}", text_of(result));
            changes.extend(advance(repairing, RepairState::DeviceFailed, &reason, m));
            changes.extend(decide_anew(room, &reason, m));
        }
    }
    changes
}

/// Looks at what time alone has changed.
pub fn on_time(room: &mut Room, m: &Moment<'_>) -> Vec<Change> {
    let device_now = room.device_now(m.now);
    let ty = room.ty.clone();
    let Some(repairing) = &mut room.memory.repairing else { return undecided_too_long(room, m) };
    let waited_ms = m.now.since_ms(repairing.since.max(m.up_since));
    match repairing.state {
        RepairState::Queued | RepairState::AwaitingApproval if waited_ms > hours_ms(m.limits.queue_hours) => {
            let reason = if repairing.state == RepairState::Queued {
                "its preconditions did not hold for too long"
            } else {
                "nobody approved it in time"
            };
            let mut changes = advance(repairing, RepairState::Expired, reason, m);
            changes.extend(leave_to_people(room, reason, m));
            changes
        }
        state if state.is_with_device() => unanswered(room, &ty, m),
        RepairState::Verifying => {
            let verdict = repairing.verification.as_ref().map_or(Verdict::Pending, |v| v.expire(&ty, device_now));
            conclude(room, verdict, m)
        }
        _ => Vec::new(),
    }
}

/// A person approves the repair that waits.
pub fn approve(room: &mut Room, actor: &str, m: &Moment<'_>) -> Vec<Change> {
    let Some(repairing) = &mut room.memory.repairing else { return Vec::new() };
    advance_by(repairing, RepairState::Queued, &format!("approved by {actor}"), actor, m)
}

/// A person calls off the repair that waits; an open finding goes to people.
pub fn cancel(room: &mut Room, actor: &str, m: &Moment<'_>) -> Vec<Change> {
    let Some(repairing) = &mut room.memory.repairing else { return Vec::new() };
    let mut changes = advance_by(repairing, RepairState::Canceled, &format!("called off by {actor}"), actor, m);
    changes.extend(leave_to_people(room, &format!("the remote repair was called off by {actor}"), m));
    changes
}

/// The work order of the device's finding has ended: whatever spoke for it is past.
pub fn order_ended(room: &mut Room, m: &Moment<'_>) -> Vec<Change> {
    let Some(case) = room.memory.case.take() else { return Vec::new() };
    let ty = room.ty.clone();
    for cause in &ty.causes {
        room.memory.diagnosis.after_repair(&ty, &cause.key);
    }
    room.memory.watches.begin_anew();
    room.memory.tried.clear();
    vec![move_finding(&case, FindingState::Closed, m)]
}

fn open_case(room: &mut Room, ty: &ApplianceType, diagnosis: &Diagnosis, cause: &str, m: &Moment<'_>) -> Vec<Change> {
    if room.memory.case.is_some() {
        return Vec::new();
    }
    let device = room.address.device.clone();
    let id = id_of(&format!("{device}/{}", m.position));
    let reopened = room
        .memory
        .tried_lately(m.now)
        .iter()
        .any(|tried| tried.verified && ty.repair(&tried.repair).is_some_and(|repair| repair.cause == cause));
    room.memory.case =
        Some(Case { finding: id.clone(), version: 1, cause: cause.to_owned(), undecided_since: m.now, order: None });
    metrics::counter!("findings_total", "cause" => cause.to_owned()).increment(1);
    vec![Change::FindingOpened(NewFinding {
        id,
        device,
        cause: cause.to_owned(),
        title: title(ty, cause),
        probability: probability(diagnosis, cause),
        reopened,
        ranked: json(&diagnosis.ranked),
        evidence: json(&diagnosis.evidence),
        explanation: diagnosis.explanation.clone(),
        at: m.now,
    })]
}

fn plan_or_hand_over(
    room: &mut Room,
    ty: &ApplianceType,
    diagnosis: &Diagnosis,
    repair: &Repair,
    why: &str,
    m: &Moment<'_>,
) -> Vec<Change> {
    let Some(action) = ty.action(&repair.action) else {
        return hand_over(room, ty, diagnosis, &format!("the catalogue has no action {}", repair.action), false, m);
    };
    if action.risk > RiskClass::R0 && room.memory.automatic_today(m.now) >= m.limits.max_automatic_per_day as usize {
        let why = format!("{why}; but it has had {} remote actions today", m.limits.max_automatic_per_day);
        return hand_over(room, ty, diagnosis, &why, false, m);
    }
    let planned = Planned::new(room, repair, action, None, why, m.now);
    room.memory.repairing = Some(planned.repairing);
    let mut changes = vec![planned.change];
    changes.extend(finding_to(room, FindingState::Repairing, m));
    changes
}

fn hand_over(
    room: &mut Room,
    ty: &ApplianceType,
    diagnosis: &Diagnosis,
    why: &str,
    safety: bool,
    m: &Moment<'_>,
) -> Vec<Change> {
    let mut changes = finding_to(room, FindingState::HandedOver, m);
    let Some(case) = &mut room.memory.case else { return changes };
    let id = id_of(&format!("{}/order", case.finding));
    case.order = Some(id.clone());
    let cause = ty.cause(&case.cause);
    metrics::counter!("work_orders_total").increment(1);
    changes.push(Change::OrderOpened(Box::new(NewOrder {
        id,
        finding: Some(case.finding.clone()),
        device: room.address.device.clone(),
        source: "diagnosis".into(),
        cause: case.cause.clone(),
        title: title(ty, &case.cause),
        priority: if safety { "urgent" } else { "normal" },
        why: why.to_owned(),
        skill: cause.map(|cause| cause.skill.clone()).unwrap_or_default(),
        sop: cause.map(|cause| cause.sop.clone()).unwrap_or_default(),
        posterior: json(&diagnosis.ranked),
        evidence: json(&diagnosis.evidence),
        at: m.now,
    })));
    changes
}

/// Sends the command if everything allows it now.
fn dispatch(room: &mut Room, m: &Moment<'_>) -> Vec<Change> {
    let ty = room.ty.clone();
    let Some((repair, action)) = room.memory.repairing.as_ref().and_then(|repairing| {
        let repair = ty.repair(&repairing.key)?;
        (repairing.not_before <= room.twin.last_time).then_some((repair, ty.action(&repair.action)?))
    }) else {
        return Vec::new();
    };
    if diagnosis::precondition(&ty, &action.name, &|name| room.twin.fresh(&ty, name)).is_err() {
        return Vec::new();
    }
    let (id, queued) = plan::command(room, &ty, repair, m.now);
    let Some(repairing) = &mut room.memory.repairing else { return Vec::new() };
    if repairing.automatic && action.risk > RiskClass::R0 {
        room.memory.automatic.retain(|at| m.now.since_ms(*at) < crate::shard::room::WATCH_WINDOW_MS);
        room.memory.automatic.push(m.now);
    }
    repairing.command = Some(Sent { id, at: m.now, result: None });
    let mut changes = advance(repairing, RepairState::Dispatched, &format!("{} as {id}", action.name), m);
    changes.push(queued);
    changes
}

fn begin_verification(room: &mut Room, result: &CommandResult, m: &Moment<'_>) -> Vec<Change> {
    let ty = room.ty.clone();
    let started = result.stamp.device_time_ms.unwrap_or_else(|| room.device_now(m.now));
    let Some(repairing) = &mut room.memory.repairing else { return Vec::new() };
    let Some(repair) = ty.repair(&repairing.key) else { return Vec::new() };
    room.memory.diagnosis.after_repair(&ty, &repairing.cause);
    room.memory.watches.begin_anew();
    repairing.verification = Some(Verification::new(repair, started));
    advance(repairing, RepairState::Verifying, "only telemetry after the result counts", m)
}

fn judge(room: &mut Room, sample: &Sample<'_>, m: &Moment<'_>) -> Vec<Change> {
    let ty = room.ty.clone();
    let Some(repairing) = &mut room.memory.repairing else { return Vec::new() };
    let result = repairing.command.as_ref().and_then(|sent| sent.result);
    let later = match (sample.order, result) {
        (Some(sample), Some(result)) => sample > result,
        // A device that does not number its messages: those received after the result are later.
        _ => true,
    };
    let Some(verification) = repairing.verification.as_mut().filter(|_| later) else { return Vec::new() };
    let verdict = verification.step(&ty, &room.memory.diagnosis, sample);
    conclude(room, verdict, m)
}

fn conclude(room: &mut Room, verdict: Verdict, m: &Moment<'_>) -> Vec<Change> {
    let ty = room.ty.clone();
    let device_now = room.device_now(m.now);
    let Some(repairing) = &mut room.memory.repairing else { return Vec::new() };
    match verdict {
        Verdict::Pending => Vec::new(),
        Verdict::Verified { why } => {
            let mut changes = advance(repairing, RepairState::Verified, &why, m);
            changes.extend(finding_to(room, FindingState::Resolved, m));
            if let Some(done) = room.memory.repairing.take() {
                room.memory.remember_tried(done.key, true, m.now);
            }
            room.memory.case = None;
            changes
        }
        Verdict::Failed { why } => {
            let mut changes = advance(repairing, RepairState::VerifyFailed, &why, m);
            changes.extend(decide_anew(room, &why, m));
            changes
        }
        Verdict::Inconclusive { why } => {
            repairing.inconclusive += 1;
            let mut changes = advance(repairing, RepairState::Inconclusive, &why, m);
            let again = repairing.inconclusive < INCONCLUSIVE;
            match ty.repair(&repairing.key).filter(|_| again) {
                Some(repair) => {
                    repairing.verification = Some(Verification::new(repair, device_now));
                    changes.extend(advance(repairing, RepairState::Verifying, "watching for longer", m));
                }
                None => changes.extend(escalate(room, &why, m)),
            }
            changes
        }
    }
}

/// The attempt did not work: another attempt, another repair, or people.
fn decide_anew(room: &mut Room, reason: &str, m: &Moment<'_>) -> Vec<Change> {
    let ty = room.ty.clone();
    let Some(key) = room.memory.repairing.as_ref().map(|repairing| repairing.key.clone()) else { return Vec::new() };
    room.memory.remember_tried(key, false, m.now);
    let diagnosis = diagnose(&ty, &room.memory.diagnosis);
    let tried = room.memory.tried_lately(m.now);
    let advice = advise(&ty, &room.memory.diagnosis, &diagnosis, room.device_now(m.now), &tried);
    match advice {
        Advice::Repair { repair, why, .. } if room.memory.case.is_some() => {
            let mut changes = end_repair(room, RepairState::Superseded, &format!("{reason}; next: {}", repair.key), m);
            changes.extend(plan_or_hand_over(room, &ty, &diagnosis, repair, &why, m));
            changes
        }
        _ => escalate(room, reason, m),
    }
}

/// A work order takes over from the repair.
fn escalate(room: &mut Room, reason: &str, m: &Moment<'_>) -> Vec<Change> {
    let mut changes = end_repair(room, RepairState::Escalated, reason, m);
    changes.extend(leave_to_people(room, reason, m));
    changes
}

fn end_repair(room: &mut Room, state: RepairState, reason: &str, m: &Moment<'_>) -> Vec<Change> {
    let Some(mut repairing) = room.memory.repairing.take() else { return Vec::new() };
    let mut changes = advance(&mut repairing, state, reason, m);
    if let Some(sent) = &repairing.command {
        changes.push(Change::CommandAnswered { command_id: sent.id.to_string() });
    }
    changes
}

/// Opens the work order of the finding, if there is one without.
fn leave_to_people(room: &mut Room, reason: &str, m: &Moment<'_>) -> Vec<Change> {
    let key = room.memory.repairing.take().map(|repairing| repairing.key);
    if room.memory.case.as_ref().is_none_or(|case| case.order.is_some()) {
        return Vec::new();
    }
    let ty = room.ty.clone();
    let diagnosis = diagnose(&ty, &room.memory.diagnosis);
    let tried = room.memory.tried_lately(m.now);
    let tried: Vec<&str> = tried.iter().map(|tried| tried.repair.as_str()).chain(key.as_deref()).collect();
    let why =
        if tried.is_empty() { reason.to_owned() } else { format!("{reason} (remote repair: {})", tried.join(", ")) };
    hand_over(room, &ty, &diagnosis, &why, false, m)
}

fn refused(room: &mut Room, reason: &str, m: &Moment<'_>) -> Vec<Change> {
    let not_before = room.device_now(m.now).plus_ms(REFUSAL_PAUSE_MS);
    let Some(repairing) = &mut room.memory.repairing else { return Vec::new() };
    repairing.refusals += 1;
    if repairing.refusals >= REFUSALS {
        return escalate(room, &format!("the device refused {REFUSALS} times, last: {reason}"), m);
    }
    repairing.not_before = not_before;
    repairing.command = None;
    // It was not done, so it does not count against the day.
    if repairing.automatic {
        room.memory.automatic.pop();
    }
    // The wait for the preconditions goes on; it does not begin anew.
    let since = repairing.since;
    let changes = advance(repairing, RepairState::Queued, &format!("device refused: {reason}"), m);
    repairing.since = since;
    changes
}

fn unanswered(room: &mut Room, ty: &Arc<ApplianceType>, m: &Moment<'_>) -> Vec<Change> {
    let Some(repairing) = &mut room.memory.repairing else { return Vec::new() };
    let Some(sent_at) = repairing.command.as_ref().map(|sent| sent.at) else { return Vec::new() };
    let silent_ms = m.now.since_ms(sent_at.max(m.up_since));
    if silent_ms > hours_ms(m.limits.silence_hours) {
        return escalate(room, "the device has not said what became of the command", m);
    }
    let timeout_ms = ty.repair(&repairing.key).and_then(|repair| ty.action(&repair.action)).map_or(0, |a| a.timeout_ms);
    if repairing.state != RepairState::OutcomeUnknown && silent_ms > timeout_ms + ANSWER_SLACK_MS {
        return advance(repairing, RepairState::OutcomeUnknown, "no answer in time; that proves nothing", m);
    }
    Vec::new()
}

fn undecided_too_long(room: &mut Room, m: &Moment<'_>) -> Vec<Change> {
    let undecided = room
        .memory
        .case
        .as_ref()
        .is_some_and(|case| case.order.is_none() && m.now.since_ms(case.undecided_since) > UNDECIDED_MS);
    if undecided { leave_to_people(room, "no remote repair applies", m) } else { Vec::new() }
}

fn finding_to(room: &mut Room, state: FindingState, m: &Moment<'_>) -> Vec<Change> {
    let Some(case) = &mut room.memory.case else { return Vec::new() };
    let change = move_finding(case, state, m);
    case.version += 1;
    case.undecided_since = m.now;
    vec![change]
}

fn move_finding(case: &Case, state: FindingState, _m: &Moment<'_>) -> Change {
    Change::FindingMoved { id: case.finding.clone(), version: case.version, state }
}

fn advance(repairing: &mut Repairing, state: RepairState, reason: &str, m: &Moment<'_>) -> Vec<Change> {
    advance_by(repairing, state, reason, "gateway", m)
}

/// Moves the repair if a way leads there; a late or repeated word of the device moves nothing.
fn advance_by(repairing: &mut Repairing, state: RepairState, reason: &str, actor: &str, m: &Moment<'_>) -> Vec<Change> {
    if !repairing.state.can_become(state) {
        return Vec::new();
    }
    let change = Change::RepairMoved {
        id: repairing.id.clone(),
        version: repairing.version,
        state,
        reason: reason.to_owned(),
        actor: actor.to_owned(),
    };
    metrics::counter!("repair_steps_total", "state" => state.as_str()).increment(1);
    repairing.state = state;
    repairing.since = m.now;
    repairing.version += 1;
    vec![change]
}

fn title(ty: &ApplianceType, cause: &str) -> String {
    ty.cause(cause).map_or_else(|| cause.to_owned(), |cause| cause.name.clone())
}

fn probability(diagnosis: &Diagnosis, cause: &str) -> f64 {
    diagnosis.ranked.iter().find(|ranked| ranked.cause == cause).map_or(0.0, |ranked| ranked.probability)
}

fn text_of(result: &CommandResult) -> &str {
    if result.reason.is_empty() { "done" } else { &result.reason }
}

fn hours_ms(hours: f64) -> i64 {
    (hours * 3_600_000.0) as i64
}
