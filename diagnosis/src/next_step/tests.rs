use proptest::prelude::*;

use super::*;
use crate::appliance::RiskClass;

fn step(key: &str, cost: f64, effect: Effect) -> Candidate {
    Candidate { key: key.to_owned(), cost, risk: RiskClass::R1, remote: true, effect }
}

/// Three faults: one that two resets may cure, one that only a visit does, and a lockout.
fn candidates() -> Vec<Candidate> {
    vec![
        step("soft reset", 2.0, Effect::Cure(vec![0.5, 0.0, 0.0])),
        step("power cycle", 5.0, Effect::Cure(vec![0.9, 0.0, 0.0])),
        Candidate { remote: false, ..step("ask", 1.0, Effect::Tell(vec![vec![0.9, 0.1, 0.0], vec![0.1, 0.9, 1.0]])) },
        step("work order", 100.0, Effect::End(vec![0.0, 50.0, 0.0])),
    ]
}

fn policy() -> Policy {
    Policy::new(candidates(), &[false, false, true]).unwrap()
}

fn decide(weights: &[f64], left: &[u8], most_risk: RiskClass) -> Vec<(usize, Option<Forbidden>)> {
    let mut memory = Workspace::default();
    let policy = policy();
    let decision = policy.decide(&Situation { weights, left, most_risk }, &mut memory, &|| false).unwrap();
    decision.ranked.iter().map(|ranked| (ranked.step, ranked.forbidden)).collect()
}

#[test]
fn cures_go_by_chance_per_cost_and_end_when_none_pays() {
    // 0.5 / 2 is better than 0.9 / 5.
    assert_eq!(decide(&[1.0, 0.0, 0.0], &[1, 1, 1, 1], RiskClass::R2)[0].0, 0);
    assert_eq!(decide(&[1.0, 0.0, 0.0], &[0, 1, 1, 1], RiskClass::R2)[0].0, 1);
    assert_eq!(decide(&[0.0, 1.0, 0.0], &[1, 1, 1, 1], RiskClass::R2)[0].0, 3);
    // Known from paper: 2 + 0.5 (5 + 0.1 100).
    let mut memory = Workspace::default();
    let situation = Situation { weights: &[0.3, 0.0, 0.0], left: &[1, 1, 1, 1], most_risk: RiskClass::R2 };
    let policy = policy();
    let decision = policy.decide(&situation, &mut memory, &|| false).unwrap();
    assert!((decision.best().expected_cost - 9.5).abs() < 1e-12);
    assert!((decision.least_cost - 9.5).abs() < 1e-12);
}

#[test]
fn a_likely_lockout_forbids_what_is_remote_but_not_a_question() {
    let ranked = decide(&[0.75, 0.0, 0.25], &[1, 1, 1, 1], RiskClass::R2);
    let forbidden = |step| ranked.iter().find(|r| r.0 == step).unwrap().1;
    assert_eq!([0, 1, 2, 3].map(forbidden), [Some(Forbidden::Lockout), Some(Forbidden::Lockout), None, None]);
    // The question pays because the answer "yes" rules the lockout out.
    assert_eq!(ranked[0].0, 2);
    assert_eq!(decide(&[0.9, 0.0, 0.1], &[1, 1, 1, 1], RiskClass::R2)[0], (0, None));
}

#[test]
fn an_explanation_tells_the_chance_and_what_each_answer_leads_to() {
    let mut memory = Workspace::default();
    let situation = Situation { weights: &[0.5, 0.5, 0.0], left: &[1, 1, 1, 1], most_risk: RiskClass::R2 };
    let cure = policy().explain(&situation, 1, &mut memory, &|| false).unwrap();
    assert!((cure.chance_to_cure - 0.45).abs() < 1e-12);
    assert!((cure.outlooks[0].posterior[1] - 0.5 / 0.55).abs() < 1e-12);
    let ask = policy().explain(&situation, 2, &mut memory, &|| false).unwrap();
    assert!(ask.chance_to_cure.abs() < 1e-12);
    // After a "no" a power cycle still pays: 0.1 × 0.9 × 100 > 5.
    assert_eq!(ask.outlooks.iter().map(|o| o.next).collect::<Vec<_>>(), [0, 1]);
    assert!((ask.outlooks[0].posterior[0] - 0.9).abs() < 1e-12);
    assert_eq!(policy().explain(&situation, 3, &mut memory, &|| false).unwrap().chance_to_cure, 1.0);
}

#[test]
fn a_decision_that_is_stopped_at_once_still_ranks_every_step() {
    let mut memory = Workspace::default();
    let situation = Situation { weights: &[0.5, 0.5, 0.0], left: &[1, 1, 1, 1], most_risk: RiskClass::R2 };
    let policy = policy();
    let decision = policy.decide(&situation, &mut memory, &|| true).unwrap();
    assert!(decision.ranked.iter().all(|ranked| ranked.expected_cost.is_finite()));
    assert_eq!(decision.depth, 1);
}

#[test]
fn what_makes_no_policy_is_named() {
    let error = |change: &dyn Fn(&mut Vec<Candidate>)| {
        let mut candidates = candidates();
        change(&mut candidates);
        Policy::new(candidates, &[false; 3]).unwrap_err().to_string()
    };
    let messages = [
        error(&|c| c.truncate(3)),
        error(&|c| c[0].cost = f64::NAN),
        error(&|c| c[0].effect = Effect::Cure(vec![0.5])),
        error(&|c| c[1].effect = Effect::Cure(vec![0.5, 1.5, 0.0])),
        error(&|c| c[2].effect = Effect::Tell(vec![vec![0.9; 3], vec![0.2; 3]])),
        error(&|c| c[3].effect = Effect::End(vec![0.0, -1.0, 0.0])),
        error(&|c| *c = vec![c[0].clone(); 1_000]),
        policy()
            .decide(
                &Situation { weights: &[0.0; 3], left: &[1; 4], most_risk: RiskClass::R0 },
                &mut Workspace::default(),
                &|| false,
            )
            .unwrap_err()
            .to_string(),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

proptest! {
    /// Whatever the costs: a step that is ruled out is never first, and ranked behind all that are not.
    #[test]
    fn a_veto_goes_before_cost(
        weights in prop::array::uniform3(0.001f64..1.0),
        left in prop::array::uniform4(0u8..3),
        cost in 1.0f64..1e6,
        risk in 0usize..5,
    ) {
        let risks = [RiskClass::R0, RiskClass::R1, RiskClass::R2, RiskClass::R3, RiskClass::R4];
        let mut candidates = candidates();
        candidates[1].risk = RiskClass::R3;
        candidates[3].cost = cost;
        let policy = Policy::new(candidates, &[false, false, true]).unwrap();
        let mut memory = Workspace::default();
        let situation = Situation { weights: &weights, left: &left, most_risk: risks[risk] };
        let decision = policy.decide(&situation, &mut memory, &|| false).unwrap();
        let locked = weights[2] >= 0.2 * weights.iter().sum::<f64>();
        prop_assert!(decision.best().forbidden.is_none());
        prop_assert!(decision.ranked.is_sorted_by_key(|ranked| ranked.forbidden.is_some()));
        for ranked in decision.ranked.iter().filter(|ranked| ranked.step != 3) {
            let candidate = &policy.candidates()[ranked.step];
            let ruled_out = left[ranked.step] == 0 || candidate.risk > risks[risk] || (candidate.remote && locked);
            prop_assert_eq!(ranked.forbidden.is_some(), ruled_out);
        }
        prop_assert!(decision.least_cost <= decision.best().expected_cost * (1.0 + 1e-9));
    }
}
