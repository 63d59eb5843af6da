//! The backward pass, written out as expressions.
//!
//! Of a sum of products each derivative is again one, without division: what reaches an
//! operand is what reaches the product times the other operand.

use super::expressions::{Expression, Expressions, Id};

/// What P(evidence) says when it is derived.
#[derive(Debug, Clone)]
pub(super) struct Derivatives {
    /// By each input.
    pub inputs: Vec<Id>,
    /// For each event, then each gate: P(it happens, evidence).
    pub nodes: Vec<Id>,
}

/// Derives `root` by each input and reads off events and gates.
pub(super) fn differentiate(all: &mut Expressions, root: Id, inputs: usize, nodes: usize) -> Derivatives {
    let mut reaching: Vec<Vec<Id>> = vec![Vec::new(); root as usize + 1];
    reaching[root as usize].push(super::expressions::ONE);
    let mut by_input = vec![super::expressions::ZERO; inputs];
    let mut of_node: Vec<Vec<Id>> = vec![Vec::new(); nodes];
    for id in (0..=root).rev() {
        let terms = std::mem::take(&mut reaching[id as usize]);
        if terms.is_empty() || !all.is_dynamic(id) {
            continue;
        }
        let derivative = all.sum(terms);
        match all.get(id).clone() {
            Expression::Zero | Expression::One | Expression::Parameter(_) => {}
            Expression::Input(index) => by_input[index as usize] = derivative,
            Expression::Product(a, b) => {
                for (operand, other) in [(a, b), (b, a)] {
                    let term = all.product(derivative, other);
                    reaching[operand as usize].push(term);
                }
            }
            Expression::Sum(terms) => terms.iter().for_each(|term| reaching[*term as usize].push(derivative)),
            Expression::Marked(node, operand) => {
                let term = all.product(derivative, operand);
                of_node[node as usize].push(term);
                reaching[operand as usize].push(derivative);
            }
        }
    }
    let nodes = of_node.into_iter().map(|terms| all.sum(terms)).collect();
    Derivatives { inputs: by_input, nodes }
}
