use proptest::prelude::*;

use super::*;
use crate::fault_tree::exchange::arbitrary::{Gates, tree};
use crate::fault_tree::exchange::{Options, Source, toml};
use crate::fault_tree::model::Node;

const TREE: &str = r#"
top = "t"
[gates]
t = { name = "No hot water <or> too hot", any = ["a", "b", "p"] }
a = { all = ["x", "s", "not h"] }
b = { at_least = 2, of = ["x", "y", "s"] }
s = { inhibit = ["y"], condition = "k" }
p = { priority = ["x", "z"] }
[causes]
x = { prior = 0.25 }
y = { rate_per_year = 0.001 }
z = { prior = 0.1 }
[conditions]
k = { prior = 0.5 }
[houses]
h = { on = true }
"#;

fn read() -> FaultTree {
    let (written, problems) = toml::read(&[Source { file: "t.toml", text: TREE }], &Options::default());
    assert_eq!(problems.to_string(), "");
    written.tree
}

#[test]
fn what_is_shared_is_drawn_once_and_transferred() {
    let tree = read();
    let symbols = unfold::unfold(&tree).unwrap();
    let of = |name: &str| {
        let node = tree.gates.iter().position(|gate| gate.name == name).map(Node::Gate);
        let node = node.or_else(|| tree.events.iter().position(|event| event.name == name).map(Node::Event)).unwrap();
        let symbols: Vec<_> = symbols.iter().filter(|symbol| symbol.node == node).collect();
        (symbols.len(), symbols.iter().filter(|symbol| symbol.transfer).count(), symbols[0].uses)
    };
    assert_eq!(of("s"), (2, 1, 2));
    assert_eq!(of("x"), (3, 0, 3));
    // Its second reader is drawn once only.
    assert_eq!(of("k"), (1, 0, 1));
    assert_eq!(of("t"), (1, 0, 0));
}

#[test]
fn the_picture_is_well_formed_and_names_everything() {
    let tree = read();
    let picture = svg(&tree, true).unwrap();
    let mut reader = quick_xml::Reader::from_str(&picture);
    while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
    for expected in ["No hot water", "&lt;or&gt;", "2/3", ">on<", "0.25", "8.22e-5", "×3"] {
        assert!(picture.contains(expected), "{expected}");
    }
    assert!(!svg(&tree, false).unwrap().contains("0.25"));
}

#[test]
fn dot_has_each_node_once() {
    insta::assert_snapshot!(dot(&read(), true));
}

#[test]
fn a_tree_nobody_could_read_is_refused() {
    let mut tree = read();
    let inputs = (0..=MAX_SYMBOLS).map(|_| tree.gates[0].inputs[0]).collect();
    tree.gates[0].inputs = inputs;
    assert_eq!(svg(&tree, false), Err(DrawError::TooBig));
}

proptest! {
    #[test]
    fn no_two_symbols_overlap(tree in tree(Gates::Any)) {
        let symbols = unfold::unfold(&tree).unwrap();
        let columns = layout::layout(&symbols);
        for (a, one) in symbols.iter().enumerate() {
            for (b, other) in symbols.iter().enumerate().skip(a + 1) {
                if one.depth == other.depth {
                    prop_assert!((columns[a] - columns[b]).abs() > 1.0 - 1e-9);
                }
            }
            prop_assert!(columns[a] >= 0.0);
            if let (Some(first), Some(last)) = (one.below.first(), one.below.last()) {
                prop_assert!((columns[a] - f64::midpoint(columns[*first], columns[*last])).abs() < 1e-9);
            }
        }
    }
}
