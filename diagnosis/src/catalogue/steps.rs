//! `steps.toml`: what can be asked, looked at and measured, and what it costs.

use toml::Spanned;

use super::document::{Document, Entry};
use super::files::StepFile;
use crate::appliance::{Action, Cause, RiskClass, Step, StepCosts, StepKind};
use crate::fault_tree::{FaultTree, Node};

/// What a step may refer to.
pub(super) struct Scope<'a> {
    pub causes: &'a [Cause],
    pub actions: &'a [Action],
    /// Its first events are the causes.
    pub tree: &'a FaultTree,
}

pub(super) fn read(file: &mut Document<'_>, scope: &Scope<'_>) -> (Vec<Step>, StepCosts) {
    let costs: Option<StepCosts> = file.head(&["steps"]);
    let entries: Vec<Entry<StepFile>> = file.section("steps");
    let steps = entries.into_iter().map(|entry| step(file, scope, entry)).collect();
    (steps, costs.unwrap_or_default())
}

fn step(file: &mut Document<'_>, scope: &Scope<'_>, entry: Entry<StepFile>) -> Step {
    let written = &entry.value;
    let minutes = *written.minutes.get_ref();
    if !(minutes.is_finite() && minutes >= 0.0) {
        let reason = format!("is {minutes}, must be a number of minutes, 0 or more");
        file.report(written.minutes.span().start, entry.path("minutes"), reason);
    }
    check_action(file, scope, &entry);
    let yes = likelihoods(file, scope, &entry);
    let otherwise = file.probability(&written.otherwise, entry.path("otherwise"));
    let StepFile { kind, text, action, cost_cents, .. } = entry.value;
    let action = action.map(Spanned::into_inner);
    Step { key: entry.key, kind, text, action, minutes, cost_cents, yes, otherwise }
}

fn check_action(file: &mut Document<'_>, scope: &Scope<'_>, entry: &Entry<StepFile>) {
    let field = entry.path("action");
    match (entry.value.kind, &entry.value.action) {
        (StepKind::SelfTest, None) => file.report(entry.offset, field, "is missing: name the action that tests"),
        (StepKind::SelfTest, Some(name)) => {
            let names = scope.actions.iter().map(|action| action.name.as_str());
            let action = file.look_up(name, &field, "action of the profile", names);
            if action.is_some_and(|action| scope.actions[action].risk != RiskClass::R0) {
                file.report(name.span().start, field, "only an action of class R0 tests and changes nothing");
            }
        }
        (_, Some(name)) => file.report(name.span().start, field, "only a self_test has an action: remove it"),
        (_, None) => {}
    }
}

/// P(yes | cause) of each cause that is named, or that feeds a gate that is named. What a cause
/// itself says goes before its gates; several gates tell independently.
fn likelihoods(file: &mut Document<'_>, scope: &Scope<'_>, entry: &Entry<StepFile>) -> Vec<(String, f64)> {
    let mut direct = vec![None; scope.causes.len()];
    let mut missed: Vec<Option<f64>> = direct.clone();
    let gates = &scope.tree.gates;
    for (name, probability) in &entry.value.yes {
        let field = entry.path(&format!("yes.{name}"));
        let value = file.probability(probability, &field);
        let name = Spanned::new(probability.span(), name.clone());
        let keys = scope.causes.iter().map(|c| c.key.as_str()).chain(gates.iter().map(|g| g.name.as_str()));
        match file.look_up(&name, &field, "cause or gate", keys) {
            Some(cause) if cause < direct.len() => direct[cause] = Some(value),
            Some(gate) => {
                let gate = gate - direct.len();
                for cause in (0..direct.len()).filter(|cause| scope.tree.gates_above(Node::Event(*cause))[gate]) {
                    missed[cause] = Some(missed[cause].unwrap_or(1.0) * (1.0 - value));
                }
            }
            None => {}
        }
    }
    let of_cause = |cause: usize| direct[cause].or(missed[cause].map(|missed| 1.0 - missed));
    let each = scope.causes.iter().enumerate();
    each.filter_map(|(index, cause)| Some((cause.key.clone(), of_cause(index)?))).collect()
}
