//! The tree as a graph for Graphviz, which draws what is shared once.

use std::fmt::Write;

use crate::fault_tree::model::{EventKind, FaultTree, Logic, Node};

/// Writes a tree as DOT, the probability of each event with it if asked for.
pub fn dot(tree: &FaultTree, probabilities: bool) -> String {
    let mut text = String::from("digraph fault_tree {\n  node [fontname=\"sans-serif\", fontsize=10];\n");
    for (index, gate) in tree.gates.iter().enumerate() {
        let logic = match gate.logic {
            Logic::Or => "or".to_owned(),
            Logic::And => "and".to_owned(),
            Logic::AtLeast(least) => format!("at least {least} of {}", gate.inputs.len()),
            Logic::Xor => "xor".to_owned(),
            Logic::Inhibit => "inhibit".to_owned(),
            Logic::PriorityAnd => "priority and".to_owned(),
            Logic::Spare { dormancy } => format!("spare, dormancy {dormancy}"),
        };
        let border = if index == tree.top { ", penwidth=2" } else { "" };
        let label = quoted(&[shown(&gate.name, &gate.label), &logic]);
        add(&mut text, format_args!("  g{index} [shape=box{border}, label={label}];\n"));
    }
    for (index, event) in tree.events.iter().enumerate() {
        let (shape, state) = match event.kind {
            EventKind::Basic => ("circle", None),
            EventKind::Undeveloped => ("diamond", None),
            EventKind::Conditioning => ("ellipse", None),
            EventKind::House(on) => ("house", Some(if on { "on" } else { "off" }.to_owned())),
        };
        let law = event.law.filter(|_| probabilities).and_then(|law| law.probability().ok());
        let more = state.or_else(|| law.map(|probability| format!("{probability:.3e}")));
        let mut lines = vec![shown(&event.name, &event.label)];
        lines.extend(more.as_deref());
        add(&mut text, format_args!("  e{index} [shape={shape}, label={}];\n", quoted(&lines)));
    }
    for (index, gate) in tree.gates.iter().enumerate() {
        for input in &gate.inputs {
            let to = match input.node {
                Node::Gate(gate) => format!("g{gate}"),
                Node::Event(event) => format!("e{event}"),
            };
            let head = if input.negated { "odot" } else { "none" };
            add(&mut text, format_args!("  g{index} -> {to} [arrowhead={head}];\n"));
        }
    }
    text.push_str("}\n");
    text
}

fn shown<'n>(name: &'n str, label: &'n str) -> &'n str {
    if label.is_empty() { name } else { label }
}

/// Lines of a label.
fn quoted(lines: &[&str]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| line.replace('\\', "\\\\").replace('"', "\\\"")).collect();
    format!("\"{}\"", lines.join("\\n"))
}

fn add(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part).expect("a String takes any text");
}
