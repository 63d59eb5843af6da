//! Common-cause groups.

use super::definitions::{Defined, Definitions};
use super::expression::{Context, Values, Wrong};
use super::{ProblemKind, Report};
use crate::fault_tree::exchange::xml::Element;
use crate::fault_tree::model::{CommonCause, FaultTree, Node, Sharing};

/// Adds every common-cause group of the model to the tree.
pub(super) fn read(definitions: &Definitions<'_, '_>, values: &Values, tree: &mut FaultTree, report: &mut Report) {
    for defined in &definitions.groups {
        let context = Context { definitions, scope: defined.scope, values };
        match group(defined, context) {
            Ok(group) => {
                tree.common_causes.push(group);
                report.places.common_causes.push(defined.place());
            }
            Err(wrong) => {
                let place = defined.at(defined.element).place_of(wrong.line);
                report.problem(place, wrong.kind, &defined.name, wrong.reason);
            }
        }
    }
}

fn group<'d, 't>(defined: &Defined<'d, 't>, context: Context<'_, 'd, 't>) -> Result<CommonCause, Wrong> {
    let element = defined.element;
    let wrong = |kind, reason: String| Wrong { kind, line: element.line(), reason };
    let lacks = |what: &str| wrong(ProblemKind::Syntax, format!("a common-cause group needs <{what}>"));
    let mut members = Vec::new();
    for member in element.child("members").ok_or_else(|| lacks("members"))?.children() {
        let name = member.attribute("name").unwrap_or_default();
        match context.definitions.event(name, defined.scope) {
            Some(Node::Event(event)) => members.push(event),
            _ => return Err(wrong(ProblemKind::Undefined, format!("member {name:?} is no basic event"))),
        }
    }
    let distribution = element.child("distribution").and_then(|d| d.children().next());
    let (law, _) = context.law(distribution.ok_or_else(|| lacks("distribution"))?)?;
    let model = element.attribute("model").unwrap_or_default();
    let first = match model {
        "alpha-factor" => 1,
        "beta-factor" => members.len(),
        _ => 2,
    };
    let mut factors = factors(element, first, context)?;
    let sharing = match (model, factors.as_slice()) {
        ("beta-factor", [beta]) => Sharing::Beta(*beta),
        ("beta-factor", _) => {
            return Err(wrong(ProblemKind::CommonCause, format!("has {} factors, beta-factor has one", factors.len())));
        }
        // Factors that are not said are none: so many members never fail together.
        ("MGL", _) => {
            factors.resize(factors.len().max(members.len().saturating_sub(1)), 0.0);
            Sharing::Mgl(factors)
        }
        ("alpha-factor", _) => {
            factors.resize(factors.len().max(members.len()), 0.0);
            Sharing::Alpha(factors)
        }
        (other, _) => {
            let reason = format!("model {other:?} is not offered: use beta-factor, MGL or alpha-factor");
            return Err(wrong(ProblemKind::NotOffered, reason));
        }
    };
    Ok(CommonCause { name: defined.name.clone(), members, law, sharing })
}

/// Factors in the order of their levels, `first` and on.
fn factors<'d, 't>(group: Element<'d, 't>, first: usize, context: Context<'_, 'd, 't>) -> Result<Vec<f64>, Wrong> {
    let inside = group.child("factors").into_iter().flat_map(Element::children);
    let written = group.children().filter(|child| child.tag() == "factor").chain(inside);
    let mut factors = Vec::new();
    for (index, factor) in written.enumerate() {
        let wrong = |kind, reason: String| Wrong { kind, line: factor.line(), reason };
        let level = match factor.attribute("level") {
            Some(level) => level.trim().parse().ok(),
            None => Some(index + first),
        };
        if level != Some(index + first) {
            let reason = format!("level must be {}: levels rise by one from {first}", index + first);
            return Err(wrong(ProblemKind::CommonCause, reason));
        }
        let value = factor.children().next().ok_or_else(|| wrong(ProblemKind::Syntax, "has no value".to_owned()))?;
        factors.push(context.value(value)?.mean);
    }
    Ok(factors)
}
