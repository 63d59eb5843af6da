//! Pictures of fault trees, with the symbols of IEC 61025.
//!
//! ```text
//! FaultTree -> unfold (symbols; what is shared is drawn once and transferred) -> layout -> svg
//! FaultTree -> dot
//! ```

mod dot;
mod layout;
mod svg;
mod unfold;

use thiserror::Error;

use super::model::FaultTree;

pub use dot::dot;

/// Most symbols of a picture: more nobody can read.
pub const MAX_SYMBOLS: usize = 5_000;

/// Why a tree is not drawn.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DrawError {
    /// Too many symbols.
    #[error("the picture would have more than {MAX_SYMBOLS} symbols: draw a part of it with --top GATE")]
    TooBig,
}

/// Draws a tree as SVG, the probability of each event below it if asked for.
///
/// A gate that is read in several places is drawn where it is read first; elsewhere a triangle
/// stands for it. An event is drawn wherever it is read, with the number of places.
///
/// # Errors
/// The picture would be too big.
pub fn svg(tree: &FaultTree, probabilities: bool) -> Result<String, DrawError> {
    let symbols = unfold::unfold(tree)?;
    let places = layout::layout(&symbols);
    Ok(svg::svg(tree, &symbols, &places, probabilities))
}

#[cfg(test)]
mod tests;
