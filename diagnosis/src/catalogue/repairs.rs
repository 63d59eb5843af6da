//! `repairs.toml` and `parts.toml`: what cures a cause.

use firmware_proto::ValueMap;
use toml::Spanned;

use super::build::{flag, part};
use super::document::{Document, Entry};
use super::files::{NeedFile, NeedsFile, NoHead, PartFile, RepairFile, VerifyFile};
use crate::appliance::{Action, Cause, Datapoint, Part, PartNeed, Repair, Verify};
use crate::detector::{Detector, Test};
use crate::expression::Compiler;
use crate::model::Model;

/// What a repair may refer to.
pub(super) struct Scope<'a> {
    pub causes: &'a [Cause],
    pub actions: &'a [Action],
    pub detectors: &'a [Detector],
    pub model: &'a Model,
}

pub(super) fn read(file: &mut Document<'_>, scope: &mut Scope<'_>, compiler: &mut Compiler<'_>) -> Vec<Repair> {
    let _: Option<NoHead> = file.head(&["repairs"]);
    let entries: Vec<Entry<RepairFile>> = file.section("repairs");
    entries.into_iter().filter_map(|entry| repair(file, scope, compiler, entry)).collect()
}

fn repair(
    file: &mut Document<'_>,
    scope: &Scope<'_>,
    compiler: &mut Compiler<'_>,
    entry: Entry<RepairFile>,
) -> Option<Repair> {
    let written = &entry.value;
    let own_key = Spanned::new(entry.offset..entry.offset, entry.key.clone());
    let cause_name = written.cause.as_ref().unwrap_or(&own_key);
    let cause = file.look_up(cause_name, entry.path("cause"), "cause", scope.causes.iter().map(|c| c.key.as_str()));
    if cause.is_some_and(|index| scope.causes[index].lockout) {
        let reason = "its cause latches a safety lockout and is never repaired remotely: remove this repair";
        file.report(entry.offset, &entry.field, reason);
    }
    let actions = scope.actions.iter().map(|a| a.name.as_str());
    let action = file.look_up(&written.action, entry.path("action"), "action of the profile", actions);
    let arguments = action.map(|index| arguments(file, &scope.actions[index], &entry)).unwrap_or_default();
    if !(1..=2).contains(written.max_attempts.get_ref()) {
        file.report(written.max_attempts.span().start, entry.path("max_attempts"), "must be 1 or 2");
    }
    let success = file.probability(&written.success, entry.path("success"));
    let verify = &written.verify;
    check_verify(file, &entry, verify);
    let clear = verify.clear.iter().filter_map(|symptom| {
        let field = entry.path("verify.clear");
        let index = file.look_up(symptom, &field, "detector", scope.detectors.iter().map(|d| d.key.as_str()))?;
        if cause.is_some_and(|cause| !scope.model.speaks_for(index, &scope.causes[cause].key)) {
            let reason =
                format!("{:?} is not linked to the cause: it cannot show that the repair worked", symptom.get_ref());
            file.report(symptom.span().start, field.clone(), reason);
        }
        if matches!(scope.detectors[index].test, Test::Model(_)) {
            let reason = "is a model's symptom, which no sample clears: name a detector";
            file.report(symptom.span().start, field, reason);
        }
        Some(index)
    });
    let clear = clear.collect();
    let guards: Vec<_> =
        verify.guards.iter().filter_map(|guard| flag(file, compiler, guard, entry.path("verify.guards"))).collect();
    Some(Repair {
        cause: scope.causes[cause?].key.clone(),
        action: scope.actions[action?].name.clone(),
        arguments,
        max_attempts: *written.max_attempts.get_ref(),
        success,
        verify: Verify {
            clear: verify.clear.iter().map(|s| s.get_ref().clone()).collect(),
            hold_ms: verify.hold.ms,
            samples: *verify.samples.get_ref(),
            grace_ms: verify.grace.ms,
            fail_after: *verify.fail_after.get_ref(),
            window_ms: verify.window.get_ref().ms,
            guards: verify.guards.iter().map(|g| g.get_ref().clone()).collect(),
        },
        clear,
        guards,
        key: entry.key,
    })
}

fn arguments(file: &mut Document<'_>, action: &Action, entry: &Entry<RepairFile>) -> ValueMap {
    let written = &entry.value.arguments;
    for (name, value) in written {
        let field = entry.path(&format!("arguments.{name}"));
        let Some(argument) = action.arguments.iter().find(|a| a.name == *name) else {
            file.report(value.span().start, field, format!("action {} takes no such argument", action.name));
            continue;
        };
        let like = Datapoint {
            name: name.clone(),
            unit: String::new(),
            kind: argument.kind,
            range: None,
            values: argument.values.clone(),
        };
        if let Err(reason) = like.check(value.get_ref()) {
            file.report(value.span().start, field, reason);
        }
    }
    for missing in action.arguments.iter().filter(|a| !written.contains_key(&a.name)) {
        let field = entry.path(&format!("arguments.{}", missing.name));
        file.report(entry.offset, field, format!("is missing: action {} needs {}", action.name, missing.kind.noun()));
    }
    written.iter().map(|(name, value)| (name.clone(), value.get_ref().clone())).collect()
}

fn check_verify(file: &mut Document<'_>, entry: &Entry<RepairFile>, verify: &VerifyFile) {
    if verify.clear.is_empty() {
        file.report(entry.offset, entry.path("verify.clear"), "must name at least one symptom that has to be gone");
    }
    for (name, number) in [("samples", &verify.samples), ("fail_after", &verify.fail_after)] {
        if *number.get_ref() == 0 {
            file.report(number.span().start, entry.path(&format!("verify.{name}")), "must be at least 1");
        }
    }
    if verify.window.get_ref().ms <= verify.hold.ms.max(verify.grace.ms) {
        let reason = "must be longer than hold and grace, or it can never be verified";
        file.report(verify.window.span().start, entry.path("verify.window"), reason);
    }
}

pub(super) fn parts(file: &mut Document<'_>, causes: &[Cause]) -> (Vec<Part>, Vec<PartNeed>) {
    let _: Option<NoHead> = file.head(&["parts", "causes"]);
    let entries: Vec<Entry<PartFile>> = file.section("parts");
    let parts: Vec<Part> = entries.into_iter().map(|entry| part(file, entry)).collect();
    let entries: Vec<Entry<NeedsFile>> = file.section("causes");
    let mut needs = Vec::new();
    for entry in entries {
        let cause = Spanned::new(entry.offset..entry.offset, entry.key.clone());
        file.look_up(&cause, &entry.field, "cause", causes.iter().map(|c| c.key.as_str()));
        for (name, need) in &entry.value {
            let field = entry.path(name);
            let part = Spanned::new(need.span(), name.clone());
            file.look_up(&part, &field, "part", parts.iter().map(|p| p.key.as_str()));
            if need.get_ref().quantity == 0 {
                file.report(need.span().start, format!("{field}.quantity"), "must be at least 1");
            }
            let NeedFile { quantity, needed } = *need.get_ref();
            needs.push(PartNeed { cause: entry.key.clone(), part: name.clone(), quantity, needed });
        }
    }
    (parts, needs)
}
