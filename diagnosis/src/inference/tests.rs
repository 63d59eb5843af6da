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
    pub observed: ObservedTree,
    pub evidence: Evidence,
}

fn random_node(random: &mut Random, events: usize, gates: usize) -> Node {
    let index = random.below(events + gates);
    if index < events { Node::Event(index) } else { Node::Gate(index - events) }
}

/// Up to 12 events, gates of every static kind over anything before them, symptoms on anything.
fn random_case(random: &mut Random) -> Case {
    // Few of them large: brute force takes 2^events.
    let events = 1 + random.below(12).min(random.below(12));
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
    let weights = |random: &mut Random| match random.below(4) {
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
    Case { observed: ObservedTree { tree, priors, symptoms }, evidence }
}

/// The same by the book: a sum over all sets of events. P(evidence), then each node's joint.
fn brute_force(case: &Case) -> (f64, Vec<f64>) {
    let Case { observed: ObservedTree { tree, priors, symptoms }, evidence } = case;
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
        let circuit = Circuit::compile(&case.observed).unwrap();
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
fn star(symptoms: usize, prior: f64, probability: f64) -> ObservedTree {
    let input = Input { node: Node::Event(0), negated: false };
    let gate = Gate { name: "top".to_owned(), label: String::new(), logic: Logic::Or, inputs: vec![input] };
    let tree = FaultTree { events: vec![event(0)], gates: vec![gate], ..FaultTree::default() };
    let link = Link { node: Node::Event(0), probability };
    let symptom = |index| Symptom { name: format!("s{index}"), false_alarm: 1e-6, links: vec![link] };
    ObservedTree { tree, priors: vec![prior], symptoms: (0..symptoms).map(symptom).collect() }
}

#[test]
fn evidence_beyond_the_range_of_f64_is_weighed_as_well() {
    // 200 symptoms, each 2e-6 if the event happens and 1e-6 if not: the odds are 2^200 to 1 times the prior's.
    let circuit = Circuit::compile(&star(200, 1e-30, 2e-6)).unwrap();
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
        let Case { observed, mut evidence } = random_case(&mut random);
        let circuit = Circuit::compile(&observed).unwrap();
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
                let expected = odds(with) - odds(without);
                assert!((expected - shift).abs() < 1e-9, "{expected} {shift}");
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
        let Case { observed, .. } = random_case(&mut random);
        let symptoms = observed.symptoms.len();
        let circuit = Circuit::compile(&observed).unwrap();
        let mut fleet = vec![Evidence::unknown(symptoms); 37];
        for evidence in &mut fleet {
            for symptom in 0..symptoms {
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

fn plain_tree(events: usize, gates: Vec<Gate>) -> FaultTree {
    FaultTree { events: (0..events).map(event).collect(), gates, ..FaultTree::default() }
}

fn gate(name: &str, logic: Logic, nodes: impl IntoIterator<Item = Node>) -> Gate {
    let inputs = nodes.into_iter().map(|node| Input { node, negated: false }).collect();
    Gate { name: name.to_owned(), label: String::new(), logic, inputs }
}

#[test]
fn what_is_tied_together_too_much_is_named() {
    // Each of 60 symptoms speaks for 8 of 60 causes, drawn anew: no order keeps that apart.
    let mut random = Random(3);
    let symptom = |index| {
        let links = (0..8).map(|_| Link { node: Node::Event(random.below(60)), probability: 0.5 }).collect();
        Symptom { name: format!("s{index}"), false_alarm: 0.01, links }
    };
    let symptoms = (0..60).map(symptom).collect();
    let tree = plain_tree(60, vec![gate("top", Logic::Or, (0..60).map(Node::Event))]);
    let error = Circuit::compile(&ObservedTree { tree, priors: vec![0.01; 60], symptoms }).unwrap_err();
    let CompileError::Entangled { limit: MAX_EXPRESSIONS, tied } = &error else { panic!("{error}") };
    assert!(tied.len() > 5, "{tied:?}");
    assert!(error.to_string().contains("Link symptoms that span branches to gates"), "{error}");
}

#[test]
fn what_cannot_be_compiled_is_named() {
    let error = |tree: FaultTree, priors: &[f64], symptoms: Vec<Symptom>| {
        Circuit::compile(&ObservedTree { tree, priors: priors.to_vec(), symptoms }).unwrap_err().to_string()
    };
    let nodes = [Node::Event(0), Node::Event(1)];
    let sound = || plain_tree(2, vec![gate("top", Logic::Or, nodes)]);
    let told = [
        error(plain_tree(2, vec![gate("top", Logic::PriorityAnd, nodes)]), &[0.1; 2], vec![]),
        error(
            plain_tree(1, vec![gate("a", Logic::Or, [Node::Gate(1)]), gate("b", Logic::Or, [Node::Gate(0)])]),
            &[0.1],
            vec![],
        ),
        error(plain_tree(1, vec![gate("top", Logic::Or, [Node::Event(1)])]), &[0.1], vec![]),
        error(sound(), &[0.1], vec![]),
        error(sound(), &[0.1, f64::NAN], vec![]),
        error(sound(), &[0.1; 2], vec![Symptom { name: "s".to_owned(), false_alarm: 1.5, links: vec![] }]),
        error(plain_tree(1, vec![gate("top", Logic::And, vec![Node::Event(0); MAX_CONNECTIONS])]), &[0.1], vec![]),
    ];
    insta::assert_snapshot!(told.join("\n"), @r#"
gate "top" depends on the order of failures: expand it into its probability first
gate "a" depends on itself: break the circle
"top" refers to an event or gate that is not in the tree
there are 1 priors, the tree has 2 events
"e1" has probability NaN, must be from 0 to 1
"s" has probability 1.5, must be from 0 to 1
there are 16386 events, inputs of gates and links, at most 16384 can be compiled
"#);
}

#[test]
fn rates_change_without_compiling_anew() {
    let mut random = Random(5);
    for _ in 0..50 {
        let Case { observed, evidence } = random_case(&mut random);
        let mut other = observed.clone();
        other.priors.iter_mut().for_each(|prior| *prior = random.unit());
        for symptom in &mut other.symptoms {
            symptom.false_alarm = random.unit();
            symptom.links.iter_mut().for_each(|link| link.probability = random.unit());
        }
        let mut circuit = Circuit::compile(&observed).unwrap();
        circuit.reweigh(&other.priors, &other.symptoms).unwrap();
        let anew = Circuit::compile(&other).unwrap();
        let (mut scratch, mut scratch_anew) = (circuit.scratch(), anew.scratch());
        assert_eq!(circuit.posterior(&evidence, &mut scratch), anew.posterior(&evidence, &mut scratch_anew));
    }
}

#[test]
fn a_gate_of_many_inputs_and_a_deep_tree_stay_small() {
    let wide = plain_tree(1_000, vec![gate("top", Logic::AtLeast(3), (0..1_000).map(Node::Event))]);
    let deep =
        (0..500).map(|index| gate(&format!("g{index}"), Logic::Or, [Node::Event(index % 2), Node::Gate(index + 1)]));
    let mut deep: Vec<Gate> = deep.collect();
    deep.push(gate("last", Logic::And, [Node::Event(0), Node::Event(1)]));
    for tree in [wide, plain_tree(2, deep)] {
        let priors = vec![1e-3; tree.events.len()];
        let circuit = Circuit::compile(&ObservedTree { tree, priors, symptoms: vec![] }).unwrap();
        assert!(circuit.steps() < 60_000, "{}", circuit.steps());
        assert!(circuit.posterior(&Evidence::default(), &mut circuit.scratch()).is_ok());
    }
}

#[test]
fn a_cut_set_remains_as_its_events_do_together() {
    // Two independent ways to the top, one of two events; the top is known.
    let gates = vec![
        gate("top", Logic::Or, [Node::Event(0), Node::Gate(1)]),
        gate("both", Logic::And, [Node::Event(1), Node::Event(2)]),
    ];
    let mut observed = ObservedTree { tree: plain_tree(3, gates), priors: vec![0.1, 0.2, 0.3], symptoms: vec![] };
    let top = observed.watch("top", Node::Gate(0));
    let circuit = Circuit::compile(&observed).unwrap();
    let mut evidence = Evidence::unknown(1);
    evidence.set_symptom(top, Weights::PRESENT);
    let mut scratch = circuit.scratch();
    let happens = 0.1 + 0.9 * 0.06;
    let mut joint = |events: &[usize]| circuit.joint(&evidence, events, &mut scratch).unwrap();
    assert!((joint(&[0]) - 0.1 / happens).abs() < 1e-12);
    assert!((joint(&[1, 2]) - 0.06 / happens).abs() < 1e-12);
}
