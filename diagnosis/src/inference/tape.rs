//! Expressions as a list of steps, each `a b + c d` of numbers before it.

use std::ops::{Add, Mul};

use super::expressions::{Expression, Expressions, Id, ONE, ZERO};

/// Places of `a`, `b`, `c`, `d`.
pub(super) type Step = [u32; 4];

/// Steps that turn given numbers into wanted ones.
#[derive(Debug, Clone, Default)]
pub(super) struct Tape {
    /// How many numbers are given: 0, 1, then those of the caller.
    pub given: usize,
    pub steps: Vec<Step>,
}

impl Tape {
    /// How many numbers there are in all.
    pub fn len(&self) -> usize {
        self.given + self.steps.len()
    }

    /// Carries out the first `steps` steps.
    pub fn run<N: Copy + Add<Output = N> + Mul<Output = N>>(&self, numbers: &mut [N], steps: usize) {
        let mut at = self.given;
        for [a, b, c, d] in &self.steps[..steps] {
            let value = numbers[*a as usize] * numbers[*b as usize] + numbers[*c as usize] * numbers[*d as usize];
            numbers[at] = value;
            at += 1;
        }
    }
}

/// Writes expressions down as steps.
pub(super) struct Writer<'a> {
    all: &'a Expressions,
    /// Whose values are given, and where.
    place: Vec<Option<u32>>,
    uses: Vec<u32>,
    read_by_sum: Vec<bool>,
    pub tape: Tape,
}

impl<'a> Writer<'a> {
    /// `given` are the expressions whose values the caller provides, beside 0 and 1.
    pub fn new(all: &'a Expressions, given: &[Id], roots: &[Id]) -> Self {
        let mut place = vec![None; all.len()];
        for (at, id) in given.iter().enumerate().filter(|(_, id)| **id > ONE) {
            place[*id as usize] = Some(at as u32 + 2);
        }
        (place[ZERO as usize], place[ONE as usize]) = (Some(ZERO), Some(ONE));
        let tape = Tape { given: given.len() + 2, steps: Vec::new() };
        let mut writer = Self { all, place, uses: vec![0; all.len()], read_by_sum: vec![false; all.len()], tape };
        writer.count_uses(roots);
        writer
    }

    /// What stands behind marks.
    fn unmarked(&self, mut id: Id) -> Id {
        while let Expression::Marked(_, operand) = self.all.get(id) {
            id = *operand;
        }
        id
    }

    fn operands(&self, id: Id) -> Vec<Id> {
        let of = match self.all.get(id) {
            Expression::Product(a, b) => vec![*a, *b],
            Expression::Sum(terms) => terms.to_vec(),
            _ => Vec::new(),
        };
        of.into_iter().map(|id| self.unmarked(id)).collect()
    }

    fn count_uses(&mut self, roots: &[Id]) {
        let mut open: Vec<Id> = roots.iter().map(|root| self.unmarked(*root)).collect();
        // A root is read from outside as well.
        open.iter().for_each(|root| self.uses[*root as usize] += 1);
        while let Some(id) = open.pop() {
            if self.place[id as usize].is_some() {
                continue;
            }
            let sum = matches!(self.all.get(id), Expression::Sum(_));
            for operand in self.operands(id) {
                self.uses[operand as usize] += 1;
                self.read_by_sum[operand as usize] |= sum;
                if self.uses[operand as usize] == 1 {
                    open.push(operand);
                }
            }
        }
    }

    /// Writes all steps that `roots` need and that are not yet written; returns where they are.
    pub fn write(&mut self, roots: &[Id]) -> Vec<u32> {
        let mut needed: Vec<bool> = vec![false; self.all.len()];
        let mut open: Vec<Id> = roots.iter().map(|root| self.unmarked(*root)).collect();
        while let Some(id) = open.pop() {
            if self.place[id as usize].is_none() && !std::mem::replace(&mut needed[id as usize], true) {
                open.extend(self.operands(id));
            }
        }
        // Operands come before what is made of them.
        for id in 0..self.all.len() as Id {
            if needed[id as usize] && !self.is_fused(id) {
                self.write_one(id);
            }
        }
        roots.iter().map(|root| self.at(self.unmarked(*root))).collect()
    }

    /// A product that only one sum reads is part of the sum's steps.
    fn is_fused(&self, id: Id) -> bool {
        let place = id as usize;
        self.uses[place] == 1 && self.read_by_sum[place] && matches!(self.all.get(id), Expression::Product(..))
    }

    fn push(&mut self, step: Step) -> u32 {
        self.tape.steps.push(step);
        (self.tape.len() - 1) as u32
    }

    fn at(&self, id: Id) -> u32 {
        self.place[id as usize].expect("operands are written before what is made of them")
    }

    fn write_one(&mut self, id: Id) {
        let at = match self.all.get(id) {
            Expression::Product(..) => {
                let [a, b] = self.pair(id);
                self.push([a, b, ZERO, ZERO])
            }
            Expression::Sum(_) => self.write_sum(id),
            other => unreachable!("{other:?} is given or stands behind a mark"),
        };
        self.place[id as usize] = Some(at);
    }

    fn pair(&self, product: Id) -> [u32; 2] {
        let operands = self.operands(product);
        [self.at(operands[0]), self.at(operands[1])]
    }

    /// Two terms a step, then sums of sums, so that no step waits for a long row of others.
    fn write_sum(&mut self, id: Id) -> u32 {
        let mut terms: Vec<[u32; 2]> = Vec::new();
        for term in self.operands(id) {
            let fused = self.place[term as usize].is_none() && self.is_fused(term);
            terms.push(if fused { self.pair(term) } else { [self.at(term), ONE] });
        }
        while terms.len() > 2 {
            let halves = terms.chunks(2).map(|pair| match pair {
                [[a, b], [c, d]] => [self.push([*a, *b, *c, *d]), ONE],
                alone => alone[0],
            });
            terms = halves.collect();
        }
        let [[a, b], [c, d]] = [terms[0], terms.get(1).copied().unwrap_or([ZERO, ZERO])];
        self.push([a, b, c, d])
    }
}
