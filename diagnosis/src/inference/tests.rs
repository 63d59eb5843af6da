use super::*;
use crate::fault_tree::{Event, EventKind, FaultTree, Gate, Input, Logic, Node};

/// SplitMix64 (Steele, Lea, Flood 2014).
pub(super) struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn event(index: usize) -> Event {
    Event { name: format!("e{index}"), label: String::new(), kind: EventKind::Basic, law: None, spread: None }
}

pub(super) struct Case {
    pub tree: FaultTree,
    pub priors: Vec<f64>,
    pub symptoms: Vec<Symptom>,
    pub evidence: Evidence,
}

fn random_node(random: &mut Random, events: usize, gates: usize) -> Node {
    let index = random.below(events + gates);
    if index < events { Node::Event(index) } else { Node::Gate(index - events) }
}

/// Up to 12 events, gates of every static kind over anything before them, symptoms on anything.
fn random_case(random: &mut Random) -> Case {
    let events = 1 + random.below(12);
    let mut gates = Vec::new();
    for index in 0..1 + random.below(8) {
        let inputs: Vec<Input> = (0..1 + random.below(5))
            .map(|_| Input { node: random_node(random, events, index), negated: random.below(4) == 0 })
            .collect();
        let logic = match random.below(6) {
            0 | 1 => Logic::Or,
            2 => Logic::And,
            3 => Logic::Xor,
            4 => Logic::Inhibit,
            _ => Logic::AtLeast(random.below(inputs.len() + 2)),
        };
        gates.push(Gate { name: format!("g{index}"), label: String::new(), logic, inputs });
    }
    let prior = |random: &mut Random| match random.below(12) {
        0 => 0.0,
        1 => 1.0,
        2 => 1e-9 * random.unit(),
        _ => random.unit(),
    };
    let priors: Vec<f64> = (0..events).map(|_| prior(random)).collect();
    let symptoms = (0..random.below(7)).map(|index| {
        let links = (0..random.below(5))
            .map(|_| Link { node: random_node(random, events, gates.len()), probability: prior(random) })
            .collect();
        Symptom { name: format!("s{index}"), false_alarm: prior(random), links }
    });
    let symptoms: Vec<Symptom> = symptoms.collect();
    let mut evidence = Evidence::unknown(symptoms.len());
    let mut weights = |random: &mut Random| match random.below(4) {
        0 => Weights::PRESENT,
        1 => Weights::ABSENT,
        2 => Weights::UNKNOWN,
        _ => Weights { present: random.unit(), absent: random.unit() },
    };
    (0..symptoms.len()).for_each(|symptom| evidence.set_symptom(symptom, weights(random)));
    if random.below(3) == 0 {
        evidence.set_event(random.below(events), weights(random));
    }
    let top = gates.len() - 1;
    let tree = FaultTree { events: (0..events).map(event).collect(), gates, top, ..FaultTree::default() };
    Case { tree, priors, symptoms, evidence }
}

/// The same by the book: a sum over all sets of events. P(evidence), then each node's joint.
fn brute_force(case: &Case) -> (f64, Vec<f64>) {
    let Case { tree, priors, symptoms, evidence } = case;
    let events = priors.len();
    let mut all = 0.0;
    let mut joint = vec![0.0; events + tree.gates.len()];
    for set in 0..1_u32 << events {
        let mut happens: Vec<bool> = (0..events).map(|event| set >> event & 1 == 1).collect();
        for gate in &tree.gates {
            let state = gate_happens(gate, &happens, events);
            happens.push(state);
        }
        let mut weight: f64 = priors.iter().enumerate().map(|(e, p)| if happens[e] { *p } else { 1.0 - p }).product();
        for (event, weights) in &evidence.events {
            weight *= if happens[*event as usize] { weights.present } else { weights.absent };
        }
        for (index, symptom) in symptoms.iter().enumerate() {
            // Added up, not 1 - Π: that would lose what is nearly 0.
            let (mut present, mut absent) = (symptom.false_alarm, 1.0 - symptom.false_alarm);
            let shows = symptom.links.iter().filter(|link| happens[network::variable_of(events, link.node)]);
            for (number, Link { probability, .. }) in shows.enumerate() {
                let missed = if number == 0 { 1.0 } else { absent };
                present = missed * probability + if number == 0 { 0.0 } else { present };
                absent = missed * (1.0 - probability);
            }
            let known = evidence.symptom(index);
            weight *= present * known.present + absent * known.absent;
        }
        all += weight;
        joint.iter_mut().zip(&happens).for_each(|(sum, happens)| *sum += if *happens { weight } else { 0.0 });
    }
    (all, joint)
}

fn gate_happens(gate: &Gate, happens: &[bool], events: usize) -> bool {
    let inputs = gate.inputs.iter().map(|input| happens[network::variable_of(events, input.node)] != input.negated);
    let count = inputs.filter(|happens| *happens).count();
    match gate.logic {
        Logic::Or => count > 0,
        Logic::And | Logic::Inhibit => count == gate.inputs.len(),
        Logic::AtLeast(least) => count >= least,
        Logic::Xor => count % 2 == 1,
        Logic::PriorityAnd | Logic::Spare { .. } => panic!("not static"),
    }
}

#[test]
fn posteriors_equal_brute_force_on_random_trees() {
    let mut random = Random(20_251_122);
    let mut worst: f64 = 0.0;
    let mut impossible = 0;
    for number in 0..10_000 {
        let case = random_case(&mut random);
        let circuit = Circuit::compile(&case.tree, &case.priors, &case.symptoms).unwrap();
        let mut scratch = circuit.scratch();
        let (all, joint) = brute_force(&case);
        let Ok(posterior) = circuit.posterior(&case.evidence, &mut scratch) else {
            assert_eq!(all, 0.0, "tree {number}");
            impossible += 1;
            continue;
        };
        let log = posterior.log_evidence();
        assert!((log - all.ln()).abs() < 1e-9, "tree {number}: {log} {all:e}");
        for (found, joint) in posterior.values.iter().zip(&joint) {
            worst = worst.max((found - joint / all).abs());
        }
        assert!(worst < 1e-12, "tree {number}: {worst:e}");
    }
    assert!(impossible < 3_000, "{impossible} of 10000 told nothing");
    println!("worst {worst:e}, impossible {impossible}");
}

/// One cause, and so many symptoms of it.
fn star(symptoms: usize, probability: f64) -> (FaultTree, Vec<Symptom>) {
    let input = Input { node: Node::Event(0), negated: false };
    let gate = Gate { name: "top".to_owned(), label: String::new(), logic: Logic::Or, inputs: vec![input] };
    let tree = FaultTree { events: vec![event(0)], gates: vec![gate], ..FaultTree::default() };
    let link = Link { node: Node::Event(0), probability };
    let symptom = |index| Symptom { name: format!("s{index}"), false_alarm: 1e-6, links: vec![link] };
    (tree, (0..symptoms).map(symptom).collect())
}

#[test]
fn evidence_beyond_the_range_of_f64_is_weighed_as_well() {
    // 200 symptoms, each 2e-6 if the event happens and 1e-6 if not: the odds are 2^200 to 1 times the prior's.
    let (tree, symptoms) = star(200, 2e-6);
    let circuit = Circuit::compile(&tree, &[1e-30], &symptoms).unwrap();
    let mut evidence = Evidence::unknown(200);
    (0..200).for_each(|symptom| evidence.set_symptom(symptom, Weights::PRESENT));
    let mut scratch = circuit.scratch();
    let posterior = circuit.posterior(&evidence, &mut scratch).unwrap();
    let odds = 2_f64.powi(200) * 1e-30;
    assert!((posterior.events()[0] - odds / (1.0 + odds)).abs() < 1e-12);
    let log = 200.0 * 1e-6_f64.ln() + (1.0 + odds).ln();
    assert!((posterior.log_evidence() - log).abs() < 1e-9);
    let shifts = circuit.shifts(&evidence, 0, &mut scratch);
    assert!(shifts.iter().all(|shift| (shift - 2_f64.ln()).abs() < 1e-12), "{shifts:?}");
}

#[test]
fn shifts_equal_leaving_each_symptom_out() {
    let mut random = Random(7);
    let odds = |p: f64| (p / (1.0 - p)).ln();
    let mut compared = 0;
    for _ in 0..300 {
        let Case { tree, priors, symptoms, mut evidence } = random_case(&mut random);
        let circuit = Circuit::compile(&tree, &priors, &symptoms).unwrap();
        let mut scratch = circuit.scratch();
        let Ok(with) = circuit.posterior(&evidence, &mut scratch).map(|posterior| posterior.events()[0]) else {
            continue;
        };
        let shifts = circuit.shifts(&evidence, 0, &mut scratch);
        for (symptom, shift) in shifts.iter().enumerate() {
            let weights = evidence.symptom(symptom);
            evidence.set_symptom(symptom, Weights::UNKNOWN);
            let without = circuit.posterior(&evidence, &mut scratch).unwrap().events()[0];
            evidence.set_symptom(symptom, weights);
            // Nearer to certainty the odds themselves are lost to rounding.
            if [with, without].iter().all(|p| (1e-4..1.0 - 1e-4).contains(p)) {
                assert!((odds(with) - odds(without) - shift).abs() < 1e-9);
                compared += 1;
            }
        }
    }
    assert!(compared > 200, "{compared}");
}

#[test]
fn many_devices_at_once_are_weighed_as_each_alone() {
    let mut random = Random(11);
    for _ in 0..100 {
        let Case { tree, priors, symptoms, .. } = random_case(&mut random);
        let circuit = Circuit::compile(&tree, &priors, &symptoms).unwrap();
        let mut fleet = vec![Evidence::unknown(symptoms.len()); 37];
        for evidence in &mut fleet {
            for symptom in 0..symptoms.len() {
                let weights = [Weights::PRESENT, Weights::ABSENT, Weights::UNKNOWN][random.below(3)];
                evidence.set_symptom(symptom, weights);
            }
        }
        let mut scratch = circuit.scratch();
        let mut seen = 0;
        circuit.posteriors(&fleet, &mut circuit.batch_scratch(), |device, found| {
            assert_eq!(device, seen);
            seen += 1;
            assert_eq!(found, circuit.posterior(&fleet[device], &mut scratch));
        });
        assert_eq!(seen, fleet.len());
    }
}
