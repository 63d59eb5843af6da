//! Sums and products over inputs and parameters, each written down once.

use std::collections::HashMap;

/// Place of an expression; what it is made of comes before it.
pub(super) type Id = u32;

/// The number 0.
pub(super) const ZERO: Id = 0;
/// The number 1.
pub(super) const ONE: Id = 1;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Expression {
    Zero,
    One,
    /// Known when rates are known: a link's probability, a false-alarm rate.
    Parameter(u32),
    /// Known when a device is looked at: an event's weight, a symptom's.
    Input(u32),
    Product(Id, Id),
    Sum(Box<[Id]>),
    /// The operand itself, counted for an event or gate that happens: its derivative here, unlike the
    /// operand's elsewhere, belongs to worlds in which it happens.
    Marked(u32, Id),
}

/// All expressions of a circuit.
#[derive(Debug, Clone)]
pub(super) struct Expressions {
    list: Vec<Expression>,
    /// Whether a value depends on inputs.
    dynamic: Vec<bool>,
    known: HashMap<Expression, Id>,
}

impl Expressions {
    pub fn new() -> Self {
        let mut new = Self { list: Vec::new(), dynamic: Vec::new(), known: HashMap::new() };
        new.add(Expression::Zero);
        new.add(Expression::One);
        new
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn get(&self, id: Id) -> &Expression {
        &self.list[id as usize]
    }

    /// Whether a value depends on inputs, not on parameters alone.
    pub fn is_dynamic(&self, id: Id) -> bool {
        self.dynamic[id as usize]
    }

    pub fn parameter(&mut self, index: usize) -> Id {
        self.add(Expression::Parameter(index as u32))
    }

    pub fn input(&mut self, index: usize) -> Id {
        self.add(Expression::Input(index as u32))
    }

    pub fn marked(&mut self, node: usize, operand: Id) -> Id {
        self.add(Expression::Marked(node as u32, operand))
    }

    pub fn product(&mut self, a: Id, b: Id) -> Id {
        match (a.min(b), a.max(b)) {
            (ZERO, _) => ZERO,
            (ONE, other) => other,
            (a, b) => self.add(Expression::Product(a, b)),
        }
    }

    pub fn sum(&mut self, mut terms: Vec<Id>) -> Id {
        terms.retain(|term| *term != ZERO);
        terms.sort_unstable();
        match terms.as_slice() {
            [] => ZERO,
            [only] => *only,
            _ => self.add(Expression::Sum(terms.into_boxed_slice())),
        }
    }

    /// Of what `roots` are made of: that which depends on parameters alone, without 0 and 1.
    pub fn constants_of(&self, roots: &[Id]) -> Vec<Id> {
        let mut seen = vec![false; self.list.len()];
        let mut open = roots.to_vec();
        let mut found = Vec::new();
        while let Some(id) = open.pop() {
            if id <= ONE || std::mem::replace(&mut seen[id as usize], true) {
                continue;
            }
            match self.get(id) {
                _ if !self.is_dynamic(id) => found.push(id),
                Expression::Marked(_, operand) => open.push(*operand),
                Expression::Product(a, b) => open.extend([a, b]),
                Expression::Sum(terms) => open.extend(terms),
                _ => {}
            }
        }
        found.sort_unstable();
        found
    }

    /// Where each of so many parameters is; 0 where nothing reads it.
    pub fn parameters(&self, count: usize) -> Vec<Id> {
        (0..count).map(|index| self.place_of(&Expression::Parameter(index as u32))).collect()
    }

    /// Where each of so many inputs is; 0 where nothing reads it.
    pub fn inputs(&self, count: usize) -> Vec<Id> {
        (0..count).map(|index| self.place_of(&Expression::Input(index as u32))).collect()
    }

    fn place_of(&self, expression: &Expression) -> Id {
        self.known.get(expression).copied().unwrap_or(ZERO)
    }

    fn add(&mut self, expression: Expression) -> Id {
        if let Some(id) = self.known.get(&expression) {
            return *id;
        }
        let id = self.list.len() as Id;
        self.dynamic.push(match &expression {
            Expression::Zero | Expression::One | Expression::Parameter(_) => false,
            // A mark is derived by, as an input is.
            Expression::Input(_) | Expression::Marked(..) => true,
            Expression::Product(a, b) => self.is_dynamic(*a) || self.is_dynamic(*b),
            Expression::Sum(terms) => terms.iter().any(|term| self.is_dynamic(*term)),
        });
        self.known.insert(expression.clone(), id);
        self.list.push(expression);
        id
    }
}
