use super::*;
use crate::catalogue::Catalogue;
use crate::diagnose::diagnose_symptoms;

fn ranked(key: &str, symptoms: &[&str], known: &Known<'_>) -> Vec<NextStep> {
    let catalogue = Catalogue::builtin().unwrap();
    let ty = catalogue.get(key).unwrap();
    let symptoms: Vec<(String, bool)> = symptoms.iter().map(|symptom| ((*symptom).to_owned(), true)).collect();
    next_steps(ty, &diagnose_symptoms(ty, &symptoms), known).unwrap()
}

fn step<'a>(steps: &'a [NextStep], key: &str) -> &'a NextStep {
    steps.iter().find(|step| step.key == key).unwrap()
}

fn tried(repair: &str, times: usize) -> Vec<Tried> {
    vec![Tried { repair: repair.to_owned(), verified: false }; times]
}

const FAN: [&str; 2] = ["evap_fan_stopped", "code_f3"];

#[test]
fn every_type_has_steps_that_rank() {
    for ty in Catalogue::builtin().unwrap().iter() {
        assert!(ty.steps.len() >= 10, "{}", ty.key);
        for on_site in [false, true] {
            let known = Known { on_site, ..Known::default() };
            let steps = next_steps(ty, &diagnose_symptoms(ty, &[]), &known).unwrap();
            let costs: Vec<f64> = steps.iter().filter_map(|step| step.expected_cost_cents).collect();
            assert!(costs.is_sorted() && costs.iter().all(|cost| cost.is_finite()), "{}", ty.key);
            assert!(steps[0].expected_cost_cents.is_some(), "{}", ty.key);
        }
        // No symptom: nobody is sent and nothing is changed.
        let first = next_steps(ty, &diagnose_symptoms(ty, &[]), &Known::default()).unwrap()[0].kind;
        assert!(matches!(first, NextKind::Watch | NextKind::SelfTest | NextKind::Question), "{}: {first:?}", ty.key);
    }
}

#[test]
fn a_cheap_repair_comes_before_a_visit_and_is_given_up_when_it_failed() {
    let first = |times| {
        ranked("refrigerator", &FAN, &Known { tried: &tried("evap_fan_controller_hung", times), ..Known::default() })
    };
    let steps = first(0);
    assert_eq!((steps[0].key.as_str(), steps[0].kind), ("evap_fan_controller_hung", NextKind::Repair));
    assert!(steps[0].chance_to_cure > 0.5, "{:?}", steps[0]);
    assert!(steps[0].why.starts_with("Cures with"), "{}", steps[0].why);
    let steps = first(2);
    let repair = step(&steps, "evap_fan_controller_hung");
    assert_eq!(repair.ruled_out.as_deref(), Some("done as often as it may be"));
    assert_eq!(repair.expected_cost_cents, None);
    assert_ne!(steps[0].kind, NextKind::Repair);
}

#[test]
fn a_lockout_that_shows_rules_out_what_is_remote_but_not_a_question() {
    let steps = ranked("refrigerator", &FAN, &Known { lockout: true, ..Known::default() });
    for step in &steps {
        let remote = matches!(step.kind, NextKind::Repair | NextKind::SelfTest);
        assert_eq!(step.ruled_out.is_some(), remote, "{step:?}");
    }
}

#[test]
fn risk_and_people_rule_out_steps() {
    let known = Known { most_risk: RiskClass::R0, vetoed: &["fan_heard".to_owned()], ..Known::default() };
    let steps = ranked("refrigerator", &FAN, &known);
    assert_eq!(step(&steps, "fan_heard").ruled_out.as_deref(), Some("ruled out by a person"));
    assert!(steps.iter().filter(|s| s.kind == NextKind::Repair).all(|s| s.ruled_out.is_some()));
}

#[test]
fn an_answer_moves_the_weights_and_is_not_asked_for_again() {
    let order = |answers: &[(String, bool)]| {
        let steps = ranked("refrigerator", &["duty_high"], &Known { answers, on_site: true, ..Known::default() });
        step(&steps, "door_seal_worn").chance_to_cure
    };
    let (none, yes, no) =
        (order(&[]), order(&[("paper_falls_out".to_owned(), true)]), order(&[("paper_falls_out".to_owned(), false)]));
    assert!(no < none && none < yes, "{no} {none} {yes}");
    let answers = [("paper_falls_out".to_owned(), true)];
    let steps = ranked("refrigerator", &["duty_high"], &Known { answers: &answers, ..Known::default() });
    assert!(step(&steps, "paper_falls_out").ruled_out.is_some());
}

#[test]
fn on_site_one_checks_and_mends() {
    let known = Known { on_site: true, ..Known::default() };
    let steps = ranked("refrigerator", &["defrost_without_current"], &known);
    assert!(steps.iter().all(|s| matches!(s.kind, NextKind::Check | NextKind::Mend | NextKind::WorkOrder)));
    // One cause stands out: it is mended at once. What could be checked tells what either answer leads to.
    assert_eq!((steps[0].key.as_str(), steps[0].kind), ("defrost_heater_open", NextKind::Mend));
    let check = step(&steps, "heater_open");
    assert!(check.why.starts_with("If yes") && check.why.contains("If no"), "{}", check.why);
    // A broad symptom alone: look first.
    assert_eq!(ranked("refrigerator", &["freezer_warm"], &known)[0].kind, NextKind::Check);
}

#[test]
fn a_likely_cause_that_can_be_cured_from_afar_is_tried_before_a_visit_for_a_likelier_one() {
    let catalogue = Catalogue::builtin().unwrap();
    let ty = catalogue.get("refrigerator").unwrap();
    let shares: Vec<f64> = ty
        .causes
        .iter()
        .map(|cause| match cause.key.as_str() {
            "door_seal_worn" => 0.6,
            "evap_fan_controller_hung" => 0.4,
            _ => 0.0,
        })
        .collect();
    assert_eq!(best_repair(ty, &shares, |_| 1).map(|repair| repair.key.as_str()), Some("evap_fan_controller_hung"));
    assert_eq!(best_repair(ty, &shares, |_| 0), None);
}
