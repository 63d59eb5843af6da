//! Who defines which name, and who may see it.

use super::{Place, ProblemKind, Report, Table, flavor};
use crate::fault_tree::exchange::xml::{Document, Element};
use crate::fault_tree::model::{EventKind, Node};

/// A definition and where it stands.
pub(super) struct Defined<'d, 't> {
    /// Unique: the name itself if public, else with the path of its scope before it.
    pub name: String,
    pub element: Element<'d, 't>,
    pub file: usize,
    pub scope: usize,
}

/// The surroundings of an element.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub file: usize,
    pub scope: usize,
    line: usize,
}

impl At {
    pub fn place(self) -> Place {
        self.place_of(self.line)
    }

    pub fn place_of(self, line: usize) -> Place {
        Place { file: self.file, line }
    }
}

impl<'d, 't> Defined<'d, 't> {
    pub fn place(&self) -> Place {
        Place { file: self.file, line: self.element.line() }
    }

    /// The surroundings of an element inside this definition.
    pub fn at(&self, element: Element<'_, '_>) -> At {
        At { file: self.file, scope: self.scope, line: element.line() }
    }

    pub fn label(&self) -> String {
        self.element.child("label").map(|label| label.text().trim().to_owned()).unwrap_or_default()
    }

    /// What is defined: the formula or expression.
    pub fn content(&self) -> Option<Element<'d, 't>> {
        self.element.children().find(|child| !matches!(child.tag(), "label" | "attributes"))
    }
}

/// A fault tree or a component: names defined in it may be its own.
struct Scope<'d> {
    name: &'d str,
    parent: usize,
    private: bool,
}

/// The scope of what stands outside fault trees.
const MODEL: usize = 0;

/// Names of one kind of thing.
struct Names<'d, T> {
    public: Table<&'d str, (T, usize)>,
    private: Table<(usize, &'d str), T>,
}

impl<T> Default for Names<'_, T> {
    fn default() -> Self {
        Self { public: Table::new(), private: Table::new() }
    }
}

impl<'d, T: Copy> Names<'d, T> {
    /// False if the name is taken.
    fn define(&mut self, name: &'d str, private: bool, scope: usize, what: T) -> bool {
        if private {
            self.private.insert((scope, name), what).is_none()
        } else {
            self.public.insert(name, (what, scope)).is_none()
        }
    }
}

/// All definitions of a model.
pub(super) struct Definitions<'d, 't> {
    pub gates: Vec<Defined<'d, 't>>,
    /// Basic and house events.
    pub events: Vec<Defined<'d, 't>>,
    pub parameters: Vec<Defined<'d, 't>>,
    pub groups: Vec<Defined<'d, 't>>,
    scopes: Vec<Scope<'d>>,
    scope_names: Table<(usize, &'d str), usize>,
    event_names: Names<'d, Node>,
    parameter_names: Names<'d, usize>,
}

/// A scope whose elements are still to be walked.
struct Open<'d, 't> {
    element: Element<'d, 't>,
    file: usize,
    scope: usize,
}

impl<'d, 't> Definitions<'d, 't> {
    pub fn collect(documents: &'d [Document<'t>], report: &mut Report) -> Self {
        let mut definitions = Self {
            gates: Vec::new(),
            events: Vec::new(),
            parameters: Vec::new(),
            groups: Vec::new(),
            scopes: vec![Scope { name: "", parent: MODEL, private: false }],
            scope_names: Table::new(),
            event_names: Names::default(),
            parameter_names: Names::default(),
        };
        for (file, document) in documents.iter().enumerate() {
            match document.root() {
                Some(element) if element.tag() == "opsa-mef" => {
                    definitions.walk(Open { element, file, scope: MODEL }, report);
                }
                root => {
                    let found = root.map_or_else(|| "nothing".to_owned(), |root| format!("<{}>", root.tag()));
                    let place = Place { file, line: root.map_or(0, |root| root.line()) };
                    let reason = format!("the outermost element is {found}: an Open-PSA model has <opsa-mef>");
                    report.problem(place, ProblemKind::Syntax, "opsa-mef", reason);
                }
            }
        }
        definitions.define_members(report);
        definitions
    }

    /// The name of the first fault tree.
    pub fn tree_name(&self) -> &'d str {
        self.scopes.get(MODEL + 1).map_or("", |scope| scope.name)
    }

    fn walk(&mut self, root: Open<'d, 't>, report: &mut Report) {
        let mut open = vec![root];
        while let Some(Open { element, file, scope }) = open.pop() {
            for child in element.children() {
                let at = At { file, scope, line: child.line() };
                match child.tag() {
                    "define-fault-tree" | "define-component" => {
                        let scope = self.scope(child, at, report);
                        open.extend(scope.map(|scope| Open { element: child, file, scope }));
                    }
                    "model-data" => open.push(Open { element: child, file, scope }),
                    "define-gate" | "define-basic-event" | "define-house-event" | "define-parameter"
                    | "define-CCF-group" => self.define(child, at, report),
                    "label" | "attributes" => {}
                    "define-event-tree"
                    | "define-initiating-event"
                    | "define-functional-event"
                    | "define-sequence"
                    | "define-rule"
                    | "define-branch" => {}
                    other => unknown(other, at, report),
                }
            }
        }
    }

    fn scope(&mut self, element: Element<'d, 't>, at: At, report: &mut Report) -> Option<usize> {
        let name = name(element, at, report)?;
        let private = self.is_private(element, at.scope);
        let index = self.scopes.len();
        self.scopes.push(Scope { name, parent: at.scope, private });
        if self.scope_names.insert((at.scope, name), index).is_some() {
            report.problem(at.place(), ProblemKind::Duplicate, name, "a fault tree or component has this name already");
        }
        Some(index)
    }

    fn is_private(&self, element: Element<'_, '_>, scope: usize) -> bool {
        match element.attribute("role") {
            Some(role) => role == "private",
            None => self.scopes[scope].private,
        }
    }

    fn define(&mut self, element: Element<'d, 't>, at: At, report: &mut Report) {
        let Some(name) = name(element, at, report) else { return };
        let private = self.is_private(element, at.scope);
        let unique = if private { self.path(at.scope, name) } else { name.to_owned() };
        let defined = Defined { name: unique, element, file: at.file, scope: at.scope };
        let fresh = match element.tag() {
            "define-gate" => {
                self.gates.push(defined);
                self.event_names.define(name, private, at.scope, Node::Gate(self.gates.len() - 1))
            }
            "define-parameter" => {
                self.parameters.push(defined);
                self.parameter_names.define(name, private, at.scope, self.parameters.len() - 1)
            }
            "define-CCF-group" => {
                let fresh = self.groups.iter().all(|group| group.name != defined.name);
                self.groups.push(defined);
                fresh
            }
            _ => {
                self.events.push(defined);
                self.event_names.define(name, private, at.scope, Node::Event(self.events.len() - 1))
            }
        };
        if !fresh {
            report.problem(at.place(), ProblemKind::Duplicate, name, "this name is defined twice: choose another");
        }
    }

    /// Members of a group are defined by it, unless they are defined elsewhere.
    fn define_members(&mut self, report: &mut Report) {
        for group in 0..self.groups.len() {
            let Defined { element, file, scope, .. } = self.groups[group];
            for member in element.child("members").into_iter().flat_map(Element::children) {
                let at = At { file, scope, line: member.line() };
                let Some(name) = name(member, at, report) else { continue };
                if self.event(name, scope).is_none() && !name.contains('.') {
                    self.define(member, at, report);
                }
            }
        }
    }

    fn path(&self, mut scope: usize, name: &str) -> String {
        let mut parts = vec![name];
        while scope != MODEL {
            parts.push(self.scopes[scope].name);
            scope = self.scopes[scope].parent;
        }
        parts.reverse();
        parts.join(".")
    }

    /// What a reference to a gate or event means inside a scope.
    pub fn event(&self, reference: &str, scope: usize) -> Option<Node> {
        self.resolve(&self.event_names, reference, scope)
    }

    /// What a reference to a parameter means inside a scope.
    pub fn parameter(&self, reference: &str, scope: usize) -> Option<usize> {
        self.resolve(&self.parameter_names, reference, scope)
    }

    /// Innermost scope first, then what is public, then the whole path.
    fn resolve<T: Copy>(&self, names: &Names<'d, T>, reference: &str, scope: usize) -> Option<T> {
        if !names.private.is_empty() {
            let mut around = scope;
            loop {
                if let Some(found) = names.private.get(&(around, reference)) {
                    return Some(*found);
                }
                if around == MODEL {
                    break;
                }
                around = self.scopes[around].parent;
            }
        }
        if let Some((found, _)) = names.public.get(reference) {
            return Some(*found);
        }
        let (path, name) = reference.rsplit_once('.')?;
        let mut around = scope;
        loop {
            if let Some(inner) = self.descend(around, path) {
                let public = names.public.get(name).filter(|(_, defined_in)| *defined_in == inner);
                return names.private.get(&(inner, name)).copied().or(public.map(|(found, _)| *found));
            }
            if around == MODEL {
                return None;
            }
            around = self.scopes[around].parent;
        }
    }

    fn descend(&self, from: usize, path: &str) -> Option<usize> {
        path.split('.').try_fold(from, |scope, part| self.scope_names.get(&(scope, part)).copied())
    }
}

fn name<'d>(element: Element<'d, '_>, at: At, report: &mut Report) -> Option<&'d str> {
    let name = element.attribute("name").filter(|name| !name.is_empty());
    if name.is_none() {
        report.problem(at.place(), ProblemKind::Syntax, element.tag(), "has no name: add name=\"..\"");
    }
    name
}

fn unknown(tag: &str, at: At, report: &mut Report) {
    let (kind, reason) = match tag {
        "define-substitution" | "define-alignment" | "define-extern-library" | "define-extern-function" => {
            (ProblemKind::NotOffered, "would change what the tree means and is not offered: remove it")
        }
        _ => (ProblemKind::Syntax, "is no element of Open-PSA MEF that may stand here"),
    };
    report.problem(at.place(), kind, tag, reason);
}

/// What sort of event is defined.
pub(super) fn event_kind(defined: &Defined<'_, '_>, report: &mut Report) -> EventKind {
    if defined.element.tag() != "define-house-event" {
        return match flavor(defined.element) {
            Some("undeveloped") => EventKind::Undeveloped,
            Some("conditional" | "conditioning") => EventKind::Conditioning,
            _ => EventKind::Basic,
        };
    }
    let constant = defined.content().map(|content| (content.tag(), content.attribute("value")));
    match constant {
        // A house event that says nothing is off (SCRAM).
        None | Some(("constant", Some("false"))) => EventKind::House(false),
        Some(("constant", Some("true"))) => EventKind::House(true),
        Some(_) => {
            let reason = "a house event is <constant value=\"true\"/> or <constant value=\"false\"/>";
            report.problem(defined.place(), ProblemKind::Syntax, &defined.name, reason);
            EventKind::House(false)
        }
    }
}
