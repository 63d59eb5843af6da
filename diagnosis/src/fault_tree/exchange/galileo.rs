//! Galileo, the text format of dynamic fault trees (University of Virginia; also DFTCalc, Storm).
//!
//! ```text
//! toplevel "Pumping";
//! "Pumping" and "Power" "Pumps";
//! "Pumps" wsp "P1" "P2";
//! "P2" lambda=1e-4 dorm=0.3;
//! ```
//!
//! Gates: `and`, `or`, `xor`, `not`, `KofN`, `pand`, `csp`, `wsp`, `hsp`. Events: `prob`, `lambda`,
//! or `rate` with `shape`. What else there is would change what the tree means, and is refused by
//! name.

mod read;
mod token;

use super::{Options, Place, Places, Report, Source, Written};
use crate::fault_tree::problem::{ProblemKind, Problems};

/// Reads one tree from its files. Returns what could be read, and everything that is wrong.
pub fn read(sources: &[Source<'_>], options: &Options) -> (Written, Problems) {
    let files = sources.iter().map(|source| source.file.to_owned()).collect();
    let mut report = Report { places: Places { files, ..Places::default() }, problems: Problems::default() };
    let mut statements = Vec::new();
    for (file, source) in sources.iter().enumerate() {
        statements.extend(token::statements(file, source.text, &mut report));
    }
    let tree = read::tree(&statements, options, &mut report);
    let Report { places, problems } = report;
    (Written { tree, places, ..Written::default() }, problems)
}

#[cfg(test)]
mod tests;
