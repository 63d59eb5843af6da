//! A tree into typed expressions, checked against the datapoints.

use super::ExpressionError;
use super::evaluate::{Values, flag, text_number};
use super::parse::{Argument, Node, NodeKind, Operator};
use super::slot::Slot;
use crate::appliance::{Datapoint, Kind};

/// An expression that is a number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Num {
    Constant(f64),
    Datapoint(usize),
    /// Seconds since the first message of this boot.
    SinceBoot,
    Slot(usize, Measure),
    /// 1 for true, 0 for false.
    OfFlag(Box<Flag>),
    Negate(Box<Num>),
    Abs(Box<Num>),
    Arithmetic(Arithmetic, Box<Num>, Box<Num>),
}

/// An expression that is true or false.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Flag {
    Constant(bool),
    Datapoint(usize),
    Not(Box<Flag>),
    And(Box<Flag>, Box<Flag>),
    Or(Box<Flag>, Box<Flag>),
    Compare(Comparison, Num, Num),
    /// `number` stands for the text.
    TextIs {
        datapoint: usize,
        text: String,
        number: f64,
        equal: bool,
    },
    SameText {
        left: usize,
        right: usize,
        equal: bool,
    },
    Same {
        left: Box<Flag>,
        right: Box<Flag>,
        equal: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Least,
    Greatest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

/// What is read from a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    Value,
    Mean,
    Rate,
    Lowest,
    Highest,
    Spread,
}

enum Typed {
    Number(Num),
    Flag(Flag),
    Text(Text),
}

enum Text {
    Constant(String),
    Datapoint(usize),
}

/// Name of the built-in value: seconds since the first message of this boot.
const SINCE_BOOT: &str = "since_boot";

/// Checks and compiles the expressions of one appliance type; equal functions of time share one slot.
#[derive(Debug)]
pub(crate) struct Compiler<'a> {
    pub datapoints: &'a [Datapoint],
    pub slots: Vec<Slot>,
    /// Preconditions are judged at one moment and know no past.
    pub past: bool,
}

impl<'a> Compiler<'a> {
    pub fn new(datapoints: &'a [Datapoint]) -> Self {
        Self { datapoints, slots: Vec::new(), past: true }
    }

    pub fn without_past(datapoints: &'a [Datapoint]) -> Self {
        Self { past: false, ..Self::new(datapoints) }
    }

    /// Compiles a text that must be true or false.
    pub fn flag(&mut self, text: &str) -> Result<Flag, ExpressionError> {
        self.flag_node(&super::parse::parse(text)?)
    }

    /// Compiles a text that must be a number.
    pub fn number(&mut self, text: &str) -> Result<Num, ExpressionError> {
        self.number_node(&super::parse::parse(text)?)
    }

    fn flag_node(&mut self, node: &Node) -> Result<Flag, ExpressionError> {
        match self.typed(node)? {
            Typed::Flag(flag) => Ok(flag),
            other => Err(ExpressionError::new(
                node.offset,
                format!("is {}, must be true or false: compare it, for example `x > 5`", other.noun()),
            )),
        }
    }

    fn number_node(&mut self, node: &Node) -> Result<Num, ExpressionError> {
        match self.typed(node)? {
            Typed::Number(number) => Ok(number),
            other => Err(ExpressionError::new(node.offset, format!("is {}, must be a number", other.noun()))),
        }
    }

    fn typed(&mut self, node: &Node) -> Result<Typed, ExpressionError> {
        Ok(match &node.kind {
            NodeKind::Number(value) | NodeKind::Duration(value) => Typed::Number(Num::Constant(*value)),
            NodeKind::Text(text) => Typed::Text(Text::Constant(text.clone())),
            NodeKind::Truth(truth) => Typed::Flag(Flag::Constant(*truth)),
            NodeKind::Name(name) => self.name(name, node.offset)?,
            NodeKind::Negate(inner) => Typed::Number(Num::Negate(Box::new(self.number_node(inner)?))),
            NodeKind::Not(inner) => Typed::Flag(Flag::Not(Box::new(self.flag_node(inner)?))),
            NodeKind::Binary(operator, left, right) => self.binary(*operator, left, right)?,
            NodeKind::Held(inner, seconds) => {
                let held = Slot::Held(self.flag_node(inner)?);
                let held = self.slot(held, Measure::Value, node.offset)?;
                Typed::Flag(Flag::Compare(Comparison::GreaterOrEqual, held, Num::Constant(*seconds)))
            }
            NodeKind::Call(name, arguments) => self.call(name, arguments, node.offset)?,
        })
    }

    fn name(&self, name: &str, offset: usize) -> Result<Typed, ExpressionError> {
        if name == SINCE_BOOT && self.past {
            return Ok(Typed::Number(Num::SinceBoot));
        }
        let Some(index) = self.datapoints.iter().position(|d| d.name == name) else {
            let known = self.datapoints.iter().map(|d| d.name.as_str());
            return Err(ExpressionError::new(offset, format!("{name:?} is no datapoint{}", did_you_mean(name, known))));
        };
        Ok(match self.datapoints[index].kind {
            Kind::Number | Kind::Whole => Typed::Number(Num::Datapoint(index)),
            Kind::Flag => Typed::Flag(Flag::Datapoint(index)),
            Kind::Text => Typed::Text(Text::Datapoint(index)),
        })
    }

    fn binary(&mut self, operator: Operator, left: &Node, right: &Node) -> Result<Typed, ExpressionError> {
        let arithmetic = match operator {
            Operator::Add => Some(Arithmetic::Add),
            Operator::Subtract => Some(Arithmetic::Subtract),
            Operator::Multiply => Some(Arithmetic::Multiply),
            Operator::Divide => Some(Arithmetic::Divide),
            _ => None,
        };
        if let Some(arithmetic) = arithmetic {
            let (left, right) = (self.number_node(left)?, self.number_node(right)?);
            return Ok(Typed::Number(Num::Arithmetic(arithmetic, Box::new(left), Box::new(right))));
        }
        if matches!(operator, Operator::And | Operator::Or) {
            let (left, right) = (Box::new(self.flag_node(left)?), Box::new(self.flag_node(right)?));
            return Ok(Typed::Flag(if operator == Operator::And {
                Flag::And(left, right)
            } else {
                Flag::Or(left, right)
            }));
        }
        self.comparison(operator, left, right)
    }

    fn comparison(&mut self, operator: Operator, left: &Node, right: &Node) -> Result<Typed, ExpressionError> {
        let comparison = match operator {
            Operator::Less => Comparison::Less,
            Operator::LessOrEqual => Comparison::LessOrEqual,
            Operator::Greater => Comparison::Greater,
            Operator::GreaterOrEqual => Comparison::GreaterOrEqual,
            Operator::Equal => Comparison::Equal,
            _ => Comparison::NotEqual,
        };
        let equal = comparison == Comparison::Equal;
        let ordered = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        let flag = match (self.typed(left)?, self.typed(right)?) {
            (Typed::Number(left), Typed::Number(right)) => Flag::Compare(comparison, left, right),
            (Typed::Flag(_), Typed::Flag(_)) | (Typed::Text(_), Typed::Text(_)) if ordered => {
                return Err(ExpressionError::new(left.offset, "only numbers have an order: use == or !="));
            }
            (Typed::Flag(left), Typed::Flag(right)) => {
                Flag::Same { left: Box::new(left), right: Box::new(right), equal }
            }
            (Typed::Text(a), Typed::Text(b)) => self.same_text(a, b, equal, left.offset)?,
            (left_typed, right_typed) => {
                return Err(ExpressionError::new(
                    left.offset,
                    format!("cannot compare {} with {}", left_typed.noun(), right_typed.noun()),
                ));
            }
        };
        Ok(Typed::Flag(flag))
    }

    fn same_text(&self, left: Text, right: Text, equal: bool, offset: usize) -> Result<Flag, ExpressionError> {
        match (left, right) {
            (Text::Datapoint(left), Text::Datapoint(right)) => Ok(Flag::SameText { left, right, equal }),
            (Text::Datapoint(datapoint), Text::Constant(text)) | (Text::Constant(text), Text::Datapoint(datapoint)) => {
                let allowed = &self.datapoints[datapoint].values;
                if !allowed.is_empty() && !allowed.contains(&text) {
                    let name = &self.datapoints[datapoint].name;
                    let reason = format!("{name} is never {text:?}, only {}", allowed.join(", "));
                    return Err(ExpressionError::new(offset, reason));
                }
                let number = text_number(&text);
                Ok(Flag::TextIs { datapoint, text, number, equal })
            }
            _ => Err(ExpressionError::new(offset, "compares two fixed texts: one side must be a datapoint")),
        }
    }

    fn call(&mut self, name: &str, arguments: &[Argument], offset: usize) -> Result<Typed, ExpressionError> {
        let function = FUNCTIONS.iter().find(|f| f.name == name).ok_or_else(|| {
            let known = FUNCTIONS.iter().map(|f| f.name);
            ExpressionError::new(offset, format!("{name:?} is no function{}", did_you_mean(name, known)))
        })?;
        let as_written: Vec<bool> = arguments.iter().map(|a| a.since).collect();
        if as_written != function.since {
            return Err(ExpressionError::new(offset, format!("must be written {}", function.usage)));
        }
        let first = &arguments[0].node;
        let number = match name {
            "abs" => Num::Abs(Box::new(self.number_node(first)?)),
            "min" => self.two(Arithmetic::Least, first, &arguments[1].node)?,
            "max" => self.two(Arithmetic::Greatest, first, &arguments[1].node)?,
            "held" => {
                let slot = Slot::Held(self.flag_node(first)?);
                self.slot(slot, Measure::Value, offset)?
            }
            "time" => {
                let slot = Slot::Time { of: self.flag_node(first)?, since: self.flag_node(&arguments[1].node)? };
                self.slot(slot, Measure::Value, offset)?
            }
            "rise" => {
                let slot = Slot::Rise { of: self.number_node(first)?, since: self.flag_node(&arguments[1].node)? };
                self.slot(slot, Measure::Value, offset)?
            }
            "starts" => {
                let slot = Slot::Starts { of: self.flag_node(first)?, window_ms: window_ms(&arguments[1].node)? };
                self.slot(slot, Measure::Value, offset)?
            }
            "run_time" => {
                // Seconds are one, times hours, times seconds an hour.
                let slot = Slot::Run { of: Num::Constant(3_600.0), during: self.flag_node(first)? };
                self.slot(slot, Measure::Value, offset)?
            }
            "run_integral" => {
                let slot = Slot::Run { of: self.number_node(first)?, during: self.flag_node(&arguments[1].node)? };
                self.slot(slot, Measure::Value, offset)?
            }
            _ => {
                let share = name == "share";
                let of = if share { Num::OfFlag(Box::new(self.flag_node(first)?)) } else { self.number_node(first)? };
                let window_ms = window_ms(&arguments[1].node)?;
                let slot = match function.measure {
                    Measure::Mean | Measure::Rate => Slot::Mean { of, window_ms },
                    _ => Slot::Range { of, window_ms },
                };
                self.slot(slot, function.measure, offset)?
            }
        };
        Ok(Typed::Number(number))
    }

    fn two(&mut self, arithmetic: Arithmetic, left: &Node, right: &Node) -> Result<Num, ExpressionError> {
        Ok(Num::Arithmetic(arithmetic, Box::new(self.number_node(left)?), Box::new(self.number_node(right)?)))
    }

    fn slot(&mut self, slot: Slot, measure: Measure, offset: usize) -> Result<Num, ExpressionError> {
        if !self.past {
            return Err(ExpressionError::new(offset, "looks into the past, which is not possible here"));
        }
        let index = self.slots.iter().position(|s| *s == slot).unwrap_or_else(|| {
            self.slots.push(slot);
            self.slots.len() - 1
        });
        Ok(Num::Slot(index, measure))
    }
}

struct Function {
    name: &'static str,
    /// For each argument, whether it is written with `since`.
    since: &'static [bool],
    measure: Measure,
    usage: &'static str,
}

const fn function(name: &'static str, since: &'static [bool], measure: Measure, usage: &'static str) -> Function {
    Function { name, since, measure, usage }
}

const FUNCTIONS: [Function; 15] = [
    function("abs", &[false], Measure::Value, "abs(number)"),
    function("min", &[false, false], Measure::Value, "min(number, number)"),
    function("max", &[false, false], Measure::Value, "max(number, number)"),
    function("held", &[false], Measure::Value, "held(condition)"),
    function("time", &[false, true], Measure::Value, "time(condition, since condition)"),
    function("rise", &[false, true], Measure::Value, "rise(number, since condition)"),
    function("starts", &[false, false], Measure::Value, "starts(condition, 2 h)"),
    function("run_time", &[false], Measure::Value, "run_time(condition)"),
    function("run_integral", &[false, false], Measure::Value, "run_integral(number, condition)"),
    function("rate", &[false, false], Measure::Rate, "rate(number, 10 min)"),
    function("share", &[false, false], Measure::Mean, "share(condition, 2 h)"),
    function("mean", &[false, false], Measure::Mean, "mean(number, 2 h)"),
    function("lowest", &[false, false], Measure::Lowest, "lowest(number, 2 h)"),
    function("highest", &[false, false], Measure::Highest, "highest(number, 2 h)"),
    function("spread", &[false, false], Measure::Spread, "spread(number, 2 h)"),
];

/// Longest window: state is rebuilt from recent history, and a day of it is at hand.
const MAX_WINDOW_S: f64 = 86_400.0;

fn window_ms(node: &Node) -> Result<i64, ExpressionError> {
    match node.kind {
        NodeKind::Duration(seconds) if seconds > 0.0 && seconds <= MAX_WINDOW_S => Ok((seconds * 1_000.0) as i64),
        NodeKind::Duration(_) => Err(ExpressionError::new(node.offset, "a window is longer than 0 and at most 1 d")),
        _ => Err(ExpressionError::new(node.offset, "must be a duration, for example `30 min`")),
    }
}

impl Typed {
    fn noun(&self) -> &'static str {
        match self {
            Self::Number(_) => Kind::Number.noun(),
            Self::Flag(_) => Kind::Flag.noun(),
            Self::Text(_) => Kind::Text.noun(),
        }
    }
}

/// `; did you mean "x"?` for the nearest known name, or a list of all if none is near.
pub(crate) fn did_you_mean<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> String {
    let known: Vec<&str> = known.collect();
    let nearest = known.iter().map(|k| (distance(name, k), k)).min_by_key(|(d, _)| *d);
    match nearest {
        Some((far, nearest)) if far <= name.len().max(3) / 3 => format!("; did you mean {nearest:?}?"),
        Some(_) => format!("; known are {}", known.join(", ")),
        None => String::new(),
    }
}

/// Levenshtein distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

impl Flag {
    /// Calls `visit` with each datapoint in it.
    pub fn datapoints(&self, visit: &mut dyn FnMut(usize)) {
        match self {
            Self::Constant(_) => {}
            Self::Datapoint(index) | Self::TextIs { datapoint: index, .. } => visit(*index),
            Self::Not(of) => of.datapoints(visit),
            Self::And(left, right) | Self::Or(left, right) | Self::Same { left, right, .. } => {
                left.datapoints(visit);
                right.datapoints(visit);
            }
            Self::Compare(_, left, right) => {
                left.parts(visit, &mut |_| ());
                right.parts(visit, &mut |_| ());
            }
            Self::SameText { left, right, .. } => {
                visit(*left);
                visit(*right);
            }
        }
    }

    /// Calls `visit` with each slot in it (not with slots inside slots).
    pub fn slots(&self, visit: &mut dyn FnMut(usize)) {
        match self {
            Self::Not(of) => of.slots(visit),
            Self::And(left, right) | Self::Or(left, right) | Self::Same { left, right, .. } => {
                left.slots(visit);
                right.slots(visit);
            }
            Self::Compare(_, left, right) => {
                left.parts(&mut |_| (), visit);
                right.parts(&mut |_| (), visit);
            }
            _ => {}
        }
    }

    /// The number that the first comparison in it is about; of alternatives, the one that holds.
    pub fn measured(&self, values: &impl Values) -> Option<&Num> {
        match self {
            Self::Compare(_, left, _) => Some(left),
            Self::Not(of) => of.measured(values),
            Self::Or(left, right) if flag(left, values) != Some(true) && flag(right, values) == Some(true) => {
                right.measured(values)
            }
            Self::And(left, right) | Self::Or(left, right) => left.measured(values).or_else(|| right.measured(values)),
            _ => None,
        }
    }
}

impl Num {
    /// Whether it is a length of time, in seconds.
    pub fn is_time(&self, values: &impl Values) -> bool {
        let Self::Slot(slot, _) = self else { return matches!(self, Self::SinceBoot) };
        match values.slot(*slot) {
            Some((Slot::Held(_) | Slot::Time { .. }, _)) => true,
            Some((Slot::Run { of, .. }, _)) => matches!(of, Self::Constant(_)),
            _ => false,
        }
    }

    /// Calls one visitor with each datapoint, the other with each slot in it.
    pub fn parts(&self, datapoint: &mut dyn FnMut(usize), slot: &mut dyn FnMut(usize)) {
        match self {
            Self::Constant(_) | Self::SinceBoot => {}
            Self::Datapoint(index) => datapoint(*index),
            Self::Slot(index, _) => slot(*index),
            Self::OfFlag(of) => {
                of.datapoints(datapoint);
                of.slots(slot);
            }
            Self::Negate(of) | Self::Abs(of) => of.parts(datapoint, slot),
            Self::Arithmetic(_, left, right) => {
                left.parts(datapoint, slot);
                right.parts(datapoint, slot);
            }
        }
    }
}
