//! Where symbols stand: a tidy tree (Reingold and Tilford 1981). Subtrees are drawn alike wherever
//! they are, no two overlap, and a symbol stands in the middle above those below it.

use super::unfold::Symbol;

/// Left and right edge of a subtree at each depth below its root, in columns from its root.
#[derive(Debug, Default)]
struct Outline {
    left: Vec<f64>,
    right: Vec<f64>,
}

/// Column of each symbol, from 0; one column is as wide as one symbol with the gap beside it.
pub(super) fn layout(symbols: &[Symbol]) -> Vec<f64> {
    let mut offsets = vec![0.0; symbols.len()];
    let mut outlines: Vec<Outline> = Vec::new();
    outlines.resize_with(symbols.len(), Outline::default);
    // Symbols come after the one above them, so that backwards all below come first.
    for index in (0..symbols.len()).rev() {
        let mut below = Outline::default();
        let mut columns = Vec::with_capacity(symbols[index].below.len());
        for child in &symbols[index].below {
            let outline = std::mem::take(&mut outlines[*child]);
            let column = apart(&below, &outline);
            columns.push(column);
            join(&mut below, &outline, column);
        }
        let middle = match (columns.first(), columns.last()) {
            (Some(first), Some(last)) => f64::midpoint(*first, *last),
            _ => 0.0,
        };
        for (child, column) in symbols[index].below.iter().zip(columns) {
            offsets[*child] = column - middle;
        }
        let own = |edge: Vec<f64>| std::iter::once(0.0).chain(edge.into_iter().map(|x| x - middle)).collect();
        outlines[index] = Outline { left: own(below.left), right: own(below.right) };
    }
    let leftmost = outlines.first().map_or(0.0, |whole| whole.left.iter().copied().fold(0.0, f64::min));
    let mut columns = vec![-leftmost; symbols.len()];
    for (index, symbol) in symbols.iter().enumerate() {
        for child in &symbol.below {
            columns[*child] = columns[index] + offsets[*child];
        }
    }
    columns
}

/// How far right of the origin a subtree must stand so as not to touch those placed already.
fn apart(placed: &Outline, next: &Outline) -> f64 {
    let gaps = placed.right.iter().zip(&next.left).map(|(right, left)| right + 1.0 - left);
    if placed.right.is_empty() { 0.0 } else { gaps.fold(f64::NEG_INFINITY, f64::max) }
}

/// Adds a subtree at a column to those placed.
fn join(placed: &mut Outline, next: &Outline, column: f64) {
    let seen = placed.left.len();
    for (right, more) in placed.right.iter_mut().zip(&next.right) {
        *right = more + column;
    }
    placed.left.extend(next.left.iter().skip(seen).map(|x| x + column));
    placed.right.extend(next.right.iter().skip(seen).map(|x| x + column));
}
