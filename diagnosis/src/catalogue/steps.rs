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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Catalogue, CatalogueError};

    fn read_text(text: &str) -> (Vec<Step>, StepCosts, Vec<String>) {
        let catalogue = Catalogue::builtin().unwrap();
        let ty = catalogue.get("refrigerator").unwrap();
        let mut file = Document::parse("thing/steps.toml".to_owned(), text);
        let scope = Scope { causes: &ty.causes, actions: &ty.actions, tree: &FaultTree::default() };
        let (steps, costs) = read(&mut file, &scope);
        let errors = file.finish(false).into_iter().map(|error| CatalogueError::from(error).to_string());
        (steps, costs, errors.collect())
    }

    #[test]
    fn what_is_wrong_is_told_with_file_line_and_field() {
        let (_, _, errors) = read_text(
            "visit_cents = -1\n\
             [steps.a]\nkind = \"question\"\ntext = \"?\"\nminutes = -2\notherwise = 1.5\n\
             yes = { door_seal_wron = 0.9 }\n\
             [steps.b]\nkind = \"self_test\"\naction = \"soft_reset\"\ntext = \"?\"\nminutes = 1\notherwise = 0.1\nyes = {}\n\
             [steps.c]\nkind = \"check\"\naction = \"self_test\"\ntext = \"?\"\nminutes = 1\notherwise = 0.1\nyes = {}\n\
             [steps.d]\nkind = \"self_test\"\ntext = \"?\"\nminutes = 1\notherwise = 0.1\nyes = {}\n\
             [steps.e]\nkind = \"guess\"\ntext = \"?\"\nminutes = 1\notherwise = 0.1\nyes = {}\n",
        );
        insta::assert_snapshot!(errors.join("\n"));
    }

    #[test]
    fn what_is_not_said_is_taken_as_usual() {
        let (steps, costs, errors) = read_text(
            "visit_cents = 1\n[steps.a]\nkind = \"question\"\ntext = \"?\"\nminutes = 2\notherwise = 0.1\nyes = { door_seal_worn = 0.9 }\n",
        );
        assert_eq!(errors, [""; 0]);
        assert_eq!(costs, StepCosts { visit_cents: 1, ..StepCosts::default() });
        assert_eq!(steps[0].yes, [("door_seal_worn".to_owned(), 0.9)]);
        assert_eq!(steps[0].cost_cents, 0);
    }

    #[test]
    fn a_gate_speaks_for_the_causes_that_feed_it() {
        let catalogue = Catalogue::builtin().unwrap();
        let test = catalogue.get("refrigerator").unwrap().steps.iter().find(|step| step.key == "self_test").unwrap();
        let chance = |cause: &str| test.yes.iter().find(|(key, _)| key == cause).map(|(_, chance)| *chance);
        assert_eq!(chance("defrost_heater_open"), Some(0.85));
        assert_eq!(chance("door_seal_worn"), None);
    }
}
