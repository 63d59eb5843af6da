//! What a posterior costs: `cargo run --release -p diagnosis --example inference_cost`.
//!
//! Random trees of 60 events and 40 gates, some events shared, 20 symptoms; then the catalogue's
//! types. Each number is the least of many repetitions, the mean over the trees.

use std::time::Instant;

use diagnosis::Catalogue;
use diagnosis::fault_tree::{Event, EventKind, FaultTree, Gate, Input, Logic, Node};
use diagnosis::inference::{Circuit, Evidence, Link, ObservedTree, Symptom, Weights};

const EVENTS: usize = 60;
const GATES: usize = 40;
const SYMPTOMS: usize = 20;
const TREES: u64 = 20;
const DEVICES: usize = 64;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{:<28} {:>8} {:>10} {:>10} {:>12}", "", "steps", "one µs", "batch µs", "compile ms");
    for shared in [0, 3, 6] {
        let costs = (0..TREES).map(|seed| cost(&random_tree(&mut Random(seed * 77 + 5), shared)));
        let costs = costs.collect::<Result<Vec<_>, _>>()?;
        let mean = costs.iter().fold([0.0; 4], |sum, cost| std::array::from_fn(|i| sum[i] + cost[i] / TREES as f64));
        tell(&format!("100 nodes, {shared} shared events"), mean);
    }
    for ty in Catalogue::builtin()?.iter() {
        tell(&ty.key, cost(ty.observed_tree())?);
    }
    Ok(())
}

fn tell(name: &str, [steps, one, batch, compile]: [f64; 4]) {
    println!("{name:<28} {steps:>8.0} {one:>10.3} {batch:>10.3} {compile:>12.2}");
}

fn cost(observed: &ObservedTree) -> Result<[f64; 4], Box<dyn std::error::Error>> {
    let circuit = Circuit::compile(observed)?;
    let compile = least(20, || drop(std::hint::black_box(Circuit::compile(observed))));
    let mut random = Random(9);
    let mut fleet = vec![Evidence::unknown(circuit.symptoms()); DEVICES];
    for evidence in &mut fleet {
        for symptom in 0..circuit.symptoms() {
            let states = [Weights::PRESENT, Weights::ABSENT, Weights::ABSENT, Weights::UNKNOWN];
            evidence.set_symptom(symptom, states[random.below(4)]);
        }
    }
    let (mut scratch, mut batch_scratch) = (circuit.scratch(), circuit.batch_scratch());
    let mut sum = 0.0;
    let one = least(300, || {
        fleet.iter().for_each(|e| sum += circuit.posterior(e, &mut scratch).map_or(0.0, |p| p.events()[0]));
    });
    let batch = least(300, || {
        circuit.posteriors(&fleet, &mut batch_scratch, |_, p| sum += p.map_or(0.0, |p| p.events()[0]));
    });
    std::hint::black_box(sum);
    let per_device = 1e6 / DEVICES as f64;
    Ok([circuit.steps() as f64, one * per_device, batch * per_device, compile * 1e3])
}

fn least(repetitions: usize, mut work: impl FnMut()) -> f64 {
    let times = (0..repetitions).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    });
    times.fold(f64::INFINITY, f64::min)
}

fn random_tree(random: &mut Random, shared: usize) -> ObservedTree {
    let plain = |node| Input { node, negated: false };
    let mut inputs: Vec<Vec<Input>> = vec![Vec::new(); GATES];
    (1..GATES).for_each(|gate| inputs[random.below(gate)].push(plain(Node::Gate(gate))));
    for event in 0..EVENTS {
        let gate = if event < GATES { event } else { random.below(GATES) };
        inputs[gate].push(plain(Node::Event(event)));
    }
    (0..shared).for_each(|event| inputs[random.below(GATES)].push(plain(Node::Event(event * 7 % EVENTS))));
    let gates = inputs.into_iter().enumerate().map(|(index, inputs)| {
        let logic = match random.below(10) {
            6 | 7 => Logic::And,
            8 if inputs.len() > 2 => Logic::AtLeast(2),
            _ => Logic::Or,
        };
        Gate { name: format!("g{index}"), label: String::new(), logic, inputs }
    });
    let gates = gates.collect();
    let event = |index| Event {
        name: format!("e{index}"),
        label: String::new(),
        kind: EventKind::Basic,
        law: None,
        spread: None,
    };
    let tree = FaultTree { events: (0..EVENTS).map(event).collect(), gates, ..FaultTree::default() };
    let symptoms = (0..SYMPTOMS).map(|index| {
        let node =
            if random.below(2) == 0 { Node::Gate(random.below(GATES)) } else { Node::Event(random.below(EVENTS)) };
        let links = vec![Link { node, probability: 0.9 }];
        Symptom { name: format!("s{index}"), false_alarm: 0.01, links }
    });
    let symptoms = symptoms.collect();
    let priors = (0..EVENTS).map(|_| 0.001 + 0.0005 * random.below(100) as f64).collect();
    ObservedTree { tree, priors, symptoms }
}
