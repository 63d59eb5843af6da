//! The picture as SVG.

use std::fmt::Write;

use quick_xml::escape::escape;

use super::unfold::Symbol;
use crate::fault_tree::model::{EventKind, FaultTree, Gate, Logic, Node};

// Sizes in pixels.
const COLUMN: f64 = 136.0;
const ROW: f64 = 142.0;
const MARGIN: f64 = 16.0;
const BOX_WIDTH: f64 = 120.0;
const BOX_HEIGHT: f64 = 42.0;
/// From the top of a symbol to its bottom.
const SHAPE: f64 = 40.0;
/// From the box to the shape below it.
const STEM: f64 = 8.0;
/// Latin letters that fit a line of a box, and lines that fit it.
const LETTERS: usize = 20;
const LINES: usize = 3;

const STYLE: &str = "text{font:10px sans-serif;text-anchor:middle;fill:#111}\
    .box,.shape{fill:#fff;stroke:#111;stroke-width:1.2}.shape{fill:#eef3fa}.line{fill:none;stroke:#555}\
    .event{fill:#fdf6e3}.mark{font-size:9px;fill:#444}.small{font-size:9px}";

/// Draws symbols at their columns.
pub(super) fn svg(tree: &FaultTree, symbols: &[Symbol], columns: &[f64], probabilities: bool) -> String {
    let most = columns.iter().copied().fold(0.0, f64::max);
    let depth = symbols.iter().map(|symbol| symbol.depth).max().unwrap_or(0);
    let width = 2.0 * MARGIN + most * COLUMN + BOX_WIDTH;
    let height = 2.0 * MARGIN + (depth as f64) * ROW + BOX_HEIGHT + STEM + SHAPE + 26.0;
    let mut picture = Picture { tree, probabilities, text: String::new() };
    picture.add(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\">\n<style>{STYLE}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    ));
    let place = |index: usize| {
        let x = MARGIN + BOX_WIDTH / 2.0 + columns[index] * COLUMN;
        Place { x, y: MARGIN + symbols[index].depth as f64 * ROW }
    };
    for (index, symbol) in symbols.iter().enumerate() {
        let below = symbol.below.iter().map(|child| (place(*child), symbols[*child].negated));
        picture.lines(symbol, place(index), below.collect());
    }
    for (index, symbol) in symbols.iter().enumerate() {
        picture.symbol(symbol, place(index));
    }
    picture.text.push_str("</svg>\n");
    picture.text
}

/// Middle of the upper edge of a symbol's box.
#[derive(Debug, Clone, Copy)]
struct Place {
    x: f64,
    y: f64,
}

impl Place {
    /// Upper edge of the shape.
    fn shape(self) -> f64 {
        self.y + BOX_HEIGHT + STEM
    }
}

struct Picture<'a> {
    tree: &'a FaultTree,
    probabilities: bool,
    text: String,
}

impl Picture<'_> {
    fn add(&mut self, part: std::fmt::Arguments<'_>) {
        self.text.write_fmt(part).expect("a String takes any text");
    }

    /// Lines from a gate to what it reads; a condition leaves at its side. Without circles if the
    /// shape itself says not.
    fn lines(&mut self, symbol: &Symbol, from: Place, mut below: Vec<(Place, bool)>) {
        let Node::Gate(gate) = symbol.node else { return };
        let gate = &self.tree.gates[gate];
        let negation = is_negation(gate);
        for (to, _) in below.iter().filter(|(_, negated)| *negated && !negation) {
            self.add(format_args!("<circle class=\"box\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\"/>\n", to.x, to.y - 4.0));
        }
        let end = |to: &Place, negated: bool| if negated && !negation { to.y - 8.0 } else { to.y };
        if gate.logic == Logic::Inhibit
            && let Some((to, negated)) = below.pop()
        {
            let (x, side) = (from.x + 20.0, from.shape() + SHAPE / 2.0);
            self.add(format_args!(
                "<path class=\"line\" d=\"M{x:.1},{side:.1}H{:.1}V{:.1}\"/>\n",
                to.x,
                end(&to, negated)
            ));
        }
        let (Some((first, _)), Some((last, _))) = (below.first(), below.last()) else { return };
        let (start, bus) = (from.shape() + SHAPE - 6.0, from.y + ROW - 14.0);
        let (left, right) = (first.x.min(from.x), last.x.max(from.x));
        let mut path = format!("M{:.1},{start:.1}V{bus:.1}M{left:.1},{bus:.1}H{right:.1}", from.x);
        for (to, negated) in &below {
            write!(path, "M{:.1},{bus:.1}V{:.1}", to.x, end(to, *negated)).expect("a String takes any text");
        }
        self.add(format_args!("<path class=\"line\" d=\"{path}\"/>\n"));
    }

    fn symbol(&mut self, symbol: &Symbol, place: Place) {
        let (name, label) = match symbol.node {
            Node::Gate(gate) => (&self.tree.gates[gate].name, &self.tree.gates[gate].label),
            Node::Event(event) => (&self.tree.events[event].name, &self.tree.events[event].label),
        };
        let shown = if label.is_empty() { name } else { label };
        let Place { x, y } = place;
        self.add(format_args!("<g><title>{}</title>\n", escape(format!("{name}: {shown}"))));
        self.add(format_args!(
            "<path class=\"line\" d=\"M{x:.1},{:.1}v{STEM}\"/><rect class=\"box\" x=\"{:.1}\" y=\"{y:.1}\" \
             width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\"/>\n",
            y + BOX_HEIGHT,
            x - BOX_WIDTH / 2.0
        ));
        let lines = wrapped(shown);
        let first = y + BOX_HEIGHT / 2.0 + 3.5 - 6.0 * (lines.len() as f64 - 1.0);
        for (index, line) in lines.iter().enumerate() {
            let y = first + 12.0 * index as f64;
            self.add(format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escape(line.as_str())));
        }
        let (shape, inside) = self.shape(symbol);
        let top = place.shape();
        self.add(format_args!("<path class=\"shape{}\" transform=\"translate({x:.1},{top:.1})\" d=\"{shape}\"/>", {
            if matches!(symbol.node, Node::Event(_)) { " event" } else { "" }
        }));
        self.add(format_args!("<text class=\"small\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>", top + 25.0, escape(inside)));
        self.marks(symbol, place);
        self.text.push_str("</g>\n");
    }

    /// What is read in several places, and probabilities.
    fn marks(&mut self, symbol: &Symbol, place: Place) {
        if symbol.uses > 1 && !symbol.transfer {
            let (x, y) = (place.x + 32.0, place.shape() + 12.0);
            self.add(format_args!("<text class=\"mark\" x=\"{x:.1}\" y=\"{y:.1}\">×{}</text>", symbol.uses));
        }
        let Node::Event(event) = symbol.node else { return };
        let law = self.tree.events[event].law.filter(|_| self.probabilities);
        if let Some(probability) = law.and_then(|law| law.probability().ok()) {
            let y = place.shape() + SHAPE + 11.0;
            let probability = shortened(probability);
            self.add(format_args!("<text class=\"mark\" x=\"{:.1}\" y=\"{y:.1}\">{probability}</text>", place.x));
        }
    }

    /// A path from the middle of its upper edge, and what is written in it.
    fn shape(&self, symbol: &Symbol) -> (&'static str, String) {
        const OR: &str = "M0,0C12,6 20,18 20,40Q0,30 -20,40C-20,18 -12,6 0,0Z";
        let event = match symbol.node {
            Node::Event(event) => self.tree.events[event].kind,
            Node::Gate(_) if symbol.transfer => return ("M0,0L22,38H-22Z", String::new()),
            Node::Gate(gate) => {
                let gate = &self.tree.gates[gate];
                return match gate.logic {
                    Logic::Or if is_negation(gate) => {
                        ("M0,0L20,36H-20ZM0,36m-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0", String::new())
                    }
                    Logic::Or => (OR, String::new()),
                    Logic::AtLeast(least) => (OR, format!("{least}/{}", gate.inputs.len())),
                    Logic::Xor => {
                        ("M0,0C12,6 20,18 20,36Q0,26 -20,36C-20,18 -12,6 0,0ZM-20,41Q0,31 20,41", "=1".into())
                    }
                    Logic::And => ("M-20,40V20A20,20 0 0 1 20,20V40Z", String::new()),
                    Logic::PriorityAnd => ("M-20,40V20A20,20 0 0 1 20,20V40ZL0,2L20,40", String::new()),
                    Logic::Inhibit => ("M0,0L20,10V30L0,40L-20,30V10Z", String::new()),
                    Logic::Spare { dormancy } => ("M-26,0H26V40H-26Z", spare(dormancy).to_owned()),
                };
            }
        };
        match event {
            EventKind::Basic => ("M0,0A20,20 0 1 1 0,40A20,20 0 1 1 0,0Z", String::new()),
            EventKind::Undeveloped => ("M0,0L22,20L0,40L-22,20Z", String::new()),
            EventKind::Conditioning => ("M0,0A30,18 0 1 1 0,36A30,18 0 1 1 0,0Z", String::new()),
            EventKind::House(on) => ("M0,0L20,14V40H-20V14Z", if on { "on" } else { "off" }.to_owned()),
        }
    }
}

/// One negated input alone.
fn is_negation(gate: &Gate) -> bool {
    gate.logic == Logic::Or && gate.inputs.len() == 1 && gate.inputs[0].negated
}

fn spare(dormancy: f64) -> &'static str {
    match dormancy {
        0.0 => "cold spare",
        1.0 => "hot spare",
        _ => "warm spare",
    }
}

/// Three digits.
fn shortened(probability: f64) -> String {
    if probability == 0.0 || probability >= 1e-3 {
        let digits = format!("{probability:.4}");
        digits.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{probability:.2e}")
    }
}

/// A text in lines that fit a box; what does not fit ends in "…".
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_inclusive([' ', '_']).flat_map(pieces) {
        let last = lines.last_mut().expect("there is a line");
        if width(last) + width(word.trim_end()) <= LETTERS || last.is_empty() {
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    if lines.len() > LINES {
        lines.truncate(LINES);
        let last = lines.last_mut().expect("there are some");
        while width(last) >= LETTERS {
            last.pop();
        }
        last.push('…');
    }
    lines
}

/// A word in pieces that fit a line.
fn pieces(word: &str) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        let mut wide = 0;
        let fits = |(_, c): &(usize, char)| {
            wide += letter(*c);
            wide <= LETTERS
        };
        let end = rest.char_indices().take_while(fits).last().map(|(at, c)| at + c.len_utf8())?;
        let (piece, more) = rest.split_at(end);
        rest = more;
        Some(piece)
    })
}

fn width(text: &str) -> usize {
    text.chars().map(letter).sum()
}

/// Letters of East Asian scripts are twice as wide.
fn letter(c: char) -> usize {
    if c >= '\u{1100}' { 2 } else { 1 }
}
