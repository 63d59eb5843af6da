//! Expressions: the laws of basic events, the parameters they refer to, and what is known of
//! their error.

use super::definitions::{Defined, Definitions};
use super::{Place, ProblemKind, Report};
use crate::fault_tree::check;
use crate::fault_tree::exchange::xml::Element;
use crate::fault_tree::model::{Law, Spread};

/// A number and its error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value {
    pub mean: f64,
    pub spread: Option<Spread>,
}

impl Value {
    fn exact(mean: f64) -> Self {
        Self { mean, spread: None }
    }
}

/// An expression that has no value.
pub(super) struct Wrong {
    pub kind: ProblemKind,
    pub line: usize,
    pub reason: String,
}

impl Wrong {
    fn at(element: Element<'_, '_>, kind: ProblemKind, reason: impl Into<String>) -> Self {
        Self { kind, line: element.line(), reason: reason.into() }
    }
}

/// Values of the parameters.
pub(super) struct Values {
    parameters: Vec<Option<Value>>,
    mission_time: f64,
}

/// Where an expression stands.
#[derive(Clone, Copy)]
pub(super) struct Context<'a, 'd, 't> {
    pub definitions: &'a Definitions<'d, 't>,
    pub scope: usize,
    pub values: &'a Values,
}

/// 95th percentile of the standard normal distribution: error factors are taken there.
const NORMAL_95: f64 = 1.644_853_626_951_472_2;

impl Values {
    /// Evaluates each parameter after those it refers to. Chains of parameters may be long, so
    /// the way is kept on a stack of our own.
    pub fn evaluate(definitions: &Definitions<'_, '_>, mission_time: f64, report: &mut Report) -> Self {
        let count = definitions.parameters.len();
        let mut values = Self { parameters: vec![None; count], mission_time };
        let mut states = vec![State::Unseen; count];
        for start in 0..count {
            let mut way = vec![start];
            while let Some(&parameter) = way.last() {
                let defined = &definitions.parameters[parameter];
                if states[parameter] == State::Unseen {
                    states[parameter] = State::Open;
                    let needed = references(defined, definitions);
                    if needed.iter().any(|n| states[*n] == State::Open) {
                        let reason = "depends on itself: break the circle of parameters";
                        report.problem(defined.place(), ProblemKind::Cycle, &defined.name, reason);
                    }
                    way.extend(needed.into_iter().filter(|n| states[*n] == State::Unseen));
                } else {
                    way.pop();
                    if states[parameter] == State::Open {
                        states[parameter] = State::Done;
                        let value = parameter_value(defined, definitions, &values, report);
                        values.parameters[parameter] = value;
                    }
                }
            }
        }
        values
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unseen,
    Open,
    Done,
}

/// Parameters that a parameter's expression reads.
fn references(defined: &Defined<'_, '_>, definitions: &Definitions<'_, '_>) -> Vec<usize> {
    let mut open: Vec<Element<'_, '_>> = defined.content().into_iter().collect();
    let mut found = Vec::new();
    while let Some(element) = open.pop() {
        if element.tag() == "parameter" {
            found.extend(definitions.parameter(element.attribute("name").unwrap_or_default(), defined.scope));
        }
        open.extend(element.children());
    }
    found
}

fn parameter_value(
    defined: &Defined<'_, '_>,
    definitions: &Definitions<'_, '_>,
    values: &Values,
    report: &mut Report,
) -> Option<Value> {
    let context = Context { definitions, scope: defined.scope, values };
    let Some(content) = defined.content() else {
        report.problem(defined.place(), ProblemKind::Syntax, &defined.name, "has no expression: a parameter has one");
        return None;
    };
    match context.value(content) {
        Ok(value) => Some(value),
        Err(wrong) => {
            let place = Place { file: defined.file, line: wrong.line };
            report.problem(place, wrong.kind, &defined.name, wrong.reason);
            None
        }
    }
}

impl<'d, 't> Context<'_, 'd, 't> {
    /// The law an expression stands for, and its error.
    pub fn law(self, expression: Element<'d, 't>) -> Result<(Law, Option<Spread>), Wrong> {
        let value = |index| self.argument(expression, index);
        let count = expression.children().count();
        let (law, spread) = match (expression.tag(), count) {
            ("exponential", 2) => {
                let rate = value(0)?;
                (Law::Exponential { rate: rate.mean, time: value(1)?.mean }, factor(rate.spread))
            }
            ("GLM", 4) => {
                let (on_demand, rate) = (value(0)?.mean, value(1)?.mean);
                (Law::Repairable { on_demand, rate, repair: value(2)?.mean, time: value(3)?.mean }, None)
            }
            ("Weibull", 4) => {
                let (scale, shape) = (value(0)?.mean, value(1)?.mean);
                // The third is when the life begins.
                let time = (value(3)?.mean - value(2)?.mean).max(0.0);
                (Law::Weibull { scale, shape, age: 0.0, time }, None)
            }
            ("periodic-test", 4) => {
                let (rate, interval) = (value(0)?, value(1)?.mean);
                let (first, time) = (value(2)?.mean, value(3)?.mean);
                (Law::PeriodicTest { rate: rate.mean, interval, first, time }, factor(rate.spread))
            }
            _ => {
                let value = self.value(expression)?;
                (Law::Constant(value.mean), value.spread)
            }
        };
        match check::wrong_law(&law) {
            Some((kind, reason)) => Err(Wrong::at(expression, kind, reason)),
            None => Ok((law, spread)),
        }
    }

    /// The mean of an expression, deviates taken at theirs, and its error where a [`Spread`] can
    /// tell it. Depth is bounded by that of the document.
    pub fn value(self, expression: Element<'d, 't>) -> Result<Value, Wrong> {
        let count = expression.children().count();
        let at = |index| self.argument(expression, index).map(|value| value.mean);
        let value = match (expression.tag(), count) {
            ("float" | "int", 0) => Value::exact(number(expression)?),
            ("bool", 0) => Value::exact(f64::from(u8::from(expression.attribute("value") == Some("true")))),
            ("pi", 0) => Value::exact(std::f64::consts::PI),
            ("system-mission-time", 0) => Value::exact(self.values.mission_time),
            ("parameter", 0) => self.parameter(expression)?,
            ("exponential" | "GLM" | "Weibull" | "periodic-test", _) => {
                return Err(Wrong::at(expression, ProblemKind::NotOffered, LAW_INSIDE));
            }
            ("lognormal-deviate", 2 | 3) => self.lognormal(expression, count)?,
            ("uniform-deviate", 2) => {
                let (min, max) = (at(0)?, at(1)?);
                Value { mean: f64::midpoint(min, max), spread: Some(Spread::Uniform { min, max }) }
            }
            ("beta-deviate", 2) => {
                let (alpha, beta) = (at(0)?, at(1)?);
                Value { mean: alpha / (alpha + beta), spread: Some(Spread::Beta { alpha, beta }) }
            }
            ("normal-deviate", 2) => Value::exact(at(0)?),
            ("gamma-deviate", 2) => Value::exact(at(0)? * at(1)?),
            (tag, count) => Value::exact(self.calculation(expression, tag, count)?),
        };
        if value.mean.is_finite() {
            return Ok(value);
        }
        Err(Wrong::at(expression, ProblemKind::Number, format!("<{}> comes to {}", expression.tag(), value.mean)))
    }

    fn calculation(self, expression: Element<'d, 't>, tag: &str, count: usize) -> Result<f64, Wrong> {
        let values: Vec<f64> = (0..count.min(MAX_ARGUMENTS))
            .map(|i| self.argument(expression, i).map(|v| v.mean))
            .collect::<Result<_, _>>()?;
        Ok(match (tag, values.as_slice()) {
            ("add", [_, ..]) => values.iter().sum(),
            ("mul", [_, ..]) => values.iter().product(),
            ("sub", [first, rest @ ..]) => rest.iter().fold(*first, |all, v| all - v),
            ("div", [first, rest @ ..]) => rest.iter().fold(*first, |all, v| all / v),
            ("min", [first, rest @ ..]) => rest.iter().fold(*first, |all, v| all.min(*v)),
            ("max", [first, rest @ ..]) => rest.iter().fold(*first, |all, v| all.max(*v)),
            ("mean", [_, ..]) => values.iter().sum::<f64>() / values.len() as f64,
            ("neg", [a]) => -a,
            ("abs", [a]) => a.abs(),
            ("exp", [a]) => a.exp(),
            ("log", [a]) => a.ln(),
            ("log10", [a]) => a.log10(),
            ("sqrt", [a]) => a.sqrt(),
            ("floor", [a]) => a.floor(),
            ("ceil", [a]) => a.ceil(),
            ("pow", [a, b]) => a.powf(*b),
            ("mod", [a, b]) => a % b,
            _ => {
                let reason = format!("expression <{tag}> with {count} arguments is not offered: write its value");
                return Err(Wrong::at(expression, ProblemKind::NotOffered, reason));
            }
        })
    }

    fn argument(self, expression: Element<'d, 't>, index: usize) -> Result<Value, Wrong> {
        let argument = expression.children().nth(index);
        let argument = argument.ok_or_else(|| {
            Wrong::at(expression, ProblemKind::Syntax, format!("<{}> lacks an argument", expression.tag()))
        })?;
        self.value(argument)
    }

    fn parameter(self, expression: Element<'d, 't>) -> Result<Value, Wrong> {
        let name = expression.attribute("name").unwrap_or_default();
        let Some(parameter) = self.definitions.parameter(name, self.scope) else {
            let reason = format!("parameter {name:?} is not defined: define it or correct the name");
            return Err(Wrong::at(expression, ProblemKind::Undefined, reason));
        };
        let unknown = || Wrong::at(expression, ProblemKind::Number, format!("parameter {name:?} has no value"));
        self.values.parameters[parameter].ok_or_else(unknown)
    }

    /// With two arguments mean and deviation of the logarithm; with three the mean, the error
    /// factor and the confidence it holds at.
    fn lognormal(self, expression: Element<'d, 't>, count: usize) -> Result<Value, Wrong> {
        let at = |index| self.argument(expression, index).map(|value| value.mean);
        let (mean, sigma) = if count == 2 {
            let (mu, sigma) = (at(0)?, at(1)?);
            ((mu + sigma * sigma / 2.0).exp(), sigma)
        } else {
            let (mean, factor, level) = (at(0)?, at(1)?, at(2)?);
            if !(factor > 1.0 && level > 0.5 && level < 1.0) {
                let reason = format!("error factor {factor} must be above 1, its level {level} between 0.5 and 1");
                return Err(Wrong::at(expression, ProblemKind::Number, reason));
            }
            (mean, factor.ln() / normal_quantile(level))
        };
        Ok(Value { mean, spread: Some(Spread::LogNormal { error_factor: (NORMAL_95 * sigma).exp() }) })
    }
}

/// Most arguments of one calculation; longer sums are not written by hand.
const MAX_ARGUMENTS: usize = 10_000;

const LAW_INSIDE: &str = "a law of failure inside another expression is not offered: write its value";

/// A law that is nearly proportional to its rate has the rate's error factor.
fn factor(of_rate: Option<Spread>) -> Option<Spread> {
    of_rate.filter(|spread| matches!(spread, Spread::LogNormal { .. }))
}

fn number(expression: Element<'_, '_>) -> Result<f64, Wrong> {
    let written = expression.attribute("value").unwrap_or_default();
    // "inf" and "nan" would parse.
    match written.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => {
            let reason = format!("value={written:?} is no finite number: write one such as 1e-3");
            Err(Wrong::at(expression, ProblemKind::Number, reason))
        }
    }
}

/// Quantile of the standard normal distribution for a probability between 0.5 and 1, by
/// bisection of `erfc` written as its continued series.
fn normal_quantile(level: f64) -> f64 {
    let (mut low, mut high) = (0.0, 10.0);
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if normal_cdf(middle) < level { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// `Φ(x) = 1/2 + φ(x) (x + x³/3 + x⁵/15 + ..)` (Marsaglia 2004), for x >= 0.
fn normal_cdf(x: f64) -> f64 {
    let (mut term, mut sum, mut n) = (x, x, 1.0);
    while term > sum * f64::EPSILON {
        n += 2.0;
        term *= x * x / n;
        sum += term;
    }
    0.5 + sum * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}
