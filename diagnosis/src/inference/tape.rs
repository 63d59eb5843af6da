//! Expressions as a list of steps, each `a b + c d` of numbers before it.

use std::collections::VecDeque;
use std::ops::{Add, Mul};

use super::expressions::{Expression, Expressions, Id, ONE, ZERO};

/// Places of `a`, `b`, `c`, `d`.
type Step = [u32; 4];

/// What a step does. Most steps need less than the whole `a b + c d`; steps of one kind that do not
/// wait for each other stand together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `a b`
    Product,
    /// `a + b`
    Sum,
    /// `a b + c`
    ProductPlus,
    /// `a b + c d`
    Products,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    kind: Kind,
    steps: u32,
}

/// Steps that turn given numbers into wanted ones.
#[derive(Debug, Clone, Default)]
pub(super) struct Tape {
    /// How many numbers are given: 0, 1, then those of the caller.
    pub given: usize,
    runs: Vec<Run>,
    /// Places of the result and the operands, step after step.
    operands: Vec<u32>,
    steps: usize,
    len: usize,
}

impl Tape {
    /// How many places for numbers there are in all.
    pub fn len(&self) -> usize {
        self.len
    }

    /// How many steps there are.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Carries out the first `runs` runs. Inlined always: only so is it compiled for the caller's vectors.
    #[inline(always)]
    pub fn run<N: Copy + Add<Output = N> + Mul<Output = N>>(&self, numbers: &mut [N], runs: usize) {
        let mut operands = self.operands.as_slice();
        for Run { kind, steps } in &self.runs[..runs] {
            let (own, rest) = operands.split_at(*steps as usize * (1 + kind.operands()));
            operands = rest;
            match kind {
                Kind::Product => each(own, numbers, |n, [to, a, b]| (to, n(a) * n(b))),
                Kind::Sum => each(own, numbers, |n, [to, a, b]| (to, n(a) + n(b))),
                Kind::ProductPlus => each(own, numbers, |n, [to, a, b, c]| (to, n(a) * n(b) + n(c))),
                Kind::Products => each(own, numbers, |n, [to, a, b, c, d]| (to, n(a) * n(b) + n(c) * n(d))),
            }
        }
    }

    /// How many runs there are.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }
}

#[inline(always)]
fn each<N: Copy, const K: usize>(
    operands: &[u32],
    numbers: &mut [N],
    of: impl Fn(&dyn Fn(u32) -> N, [u32; K]) -> (u32, N),
) {
    for operands in operands.as_chunks::<K>().0 {
        let (to, number) = of(&|at| numbers[at as usize], *operands);
        numbers[to as usize] = number;
    }
}

impl Kind {
    fn operands(self) -> usize {
        match self {
            Self::Product | Self::Sum => 2,
            Self::ProductPlus => 3,
            Self::Products => 4,
        }
    }

    /// The kind of a step as written, and its operands in the order the kind has them.
    fn of([a, b, c, d]: Step) -> (Self, Step) {
        match (b, c, d) {
            (_, ZERO, _) => (Self::Product, [a, b, 0, 0]),
            (ONE, c, ONE) => (Self::Sum, [a, c, 0, 0]),
            (ONE, c, d) => (Self::ProductPlus, [c, d, a, 0]),
            (b, c, ONE) => (Self::ProductPlus, [a, b, c, 0]),
            _ => (Self::Products, [a, b, c, d]),
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
    given: usize,
    steps: Vec<Step>,
}

impl<'a> Writer<'a> {
    /// `given` are the expressions whose values the caller provides, beside 0 and 1.
    pub fn new(all: &'a Expressions, given: &[Id], roots: &[Id]) -> Self {
        let mut place = vec![None; all.len()];
        for (at, id) in given.iter().enumerate().filter(|(_, id)| **id > ONE) {
            place[*id as usize] = Some(at as u32 + 2);
        }
        (place[ZERO as usize], place[ONE as usize]) = (Some(ZERO), Some(ONE));
        let (uses, read_by_sum) = (vec![0; all.len()], vec![false; all.len()]);
        let mut writer = Self { all, place, uses, read_by_sum, given: given.len() + 2, steps: Vec::new() };
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

    /// Writes what each group of roots needs beyond the groups before it. Returns the tape and, for
    /// each group, after which run it is complete and where its roots are.
    pub fn write(mut self, groups: &[&[Id]]) -> (Tape, Vec<(usize, Vec<u32>)>) {
        let mut ends = Vec::new();
        let mut places: Vec<Vec<u32>> = Vec::new();
        for roots in groups {
            places.push(self.write_group(roots));
            ends.push(self.steps.len());
        }
        let (tape, moved, runs) = arrange(self.given, &self.steps, &ends, &places.concat());
        for places in &mut places {
            places.iter_mut().for_each(|place| *place = moved[*place as usize]);
        }
        (tape, runs.into_iter().zip(places).collect())
    }

    fn write_group(&mut self, roots: &[Id]) -> Vec<u32> {
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
        self.steps.push(step);
        (self.given + self.steps.len() - 1) as u32
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

/// Puts steps together by kind, as many a run as operands allow; sections end at `ends`, numbers in
/// `kept` last. Also returns where each number is, and after how many runs each section ends.
fn arrange(given: usize, steps: &[Step], ends: &[usize], kept: &[u32]) -> (Tape, Vec<u32>, Vec<usize>) {
    let mut tape = Tape { given, steps: steps.len(), ..Tape::default() };
    let mut order: Vec<usize> = Vec::with_capacity(steps.len());
    let mut start = 0;
    let mut runs_at = Vec::new();
    for end in ends {
        let mut section = Section::new(given, steps, start..*end);
        while let Some(kind) = section.most_ready() {
            let before = order.len();
            order.extend(std::iter::from_fn(|| section.take(kind)));
            tape.runs.push(Run { kind, steps: (order.len() - before) as u32 });
        }
        runs_at.push(tape.runs.len());
        start = *end;
    }
    let places = tape.place(steps, &order, kept);
    (tape, places, runs_at)
}

impl Tape {
    /// Writes the steps down in this order. A number's place is used again after its last reader:
    /// what all lanes of a batch work on has to stay in the fastest cache.
    fn place(&mut self, steps: &[Step], order: &[usize], kept: &[u32]) -> Vec<u32> {
        let mut readers = vec![0_usize; self.given + steps.len()];
        let of = |index: usize| Kind::of(steps[index]);
        let read = order.iter().flat_map(|index| {
            let (kind, operands) = of(*index);
            operands.into_iter().take(kind.operands())
        });
        read.chain(kept.iter().copied()).for_each(|number| readers[number as usize] += 1);
        // What is given stays for the next evaluation.
        let mut places: Vec<u32> = (0..readers.len() as u32).collect();
        let mut free: Vec<u32> = Vec::new();
        self.len = self.given;
        for index in order {
            let (kind, operands) = of(*index);
            let operands = &operands[..kind.operands()];
            let from = self.operands.len();
            self.operands.extend(operands.iter().map(|number| places[*number as usize]));
            for number in operands.iter().map(|number| *number as usize) {
                readers[number] -= 1;
                if readers[number] == 0 && number >= self.given {
                    free.push(places[number]);
                }
            }
            let to = free.pop().unwrap_or_else(|| {
                self.len += 1;
                self.len as u32 - 1
            });
            places[self.given + index] = to;
            self.operands.insert(from, to);
        }
        places
    }
}

/// Steps that are being arranged.
struct Section {
    start: usize,
    /// For each step how many of its operands, within the section, are not yet placed.
    waits: Vec<usize>,
    /// For each step, those that wait for it.
    readers: Vec<Vec<usize>>,
    kinds: Vec<Kind>,
    ready: [VecDeque<usize>; 4],
}

impl Section {
    fn new(given: usize, steps: &[Step], range: std::ops::Range<usize>) -> Self {
        let start = range.start;
        let mut section = Self {
            start,
            waits: vec![0; range.len()],
            readers: vec![Vec::new(); range.len()],
            kinds: steps[range.clone()].iter().map(|step| Kind::of(*step).0).collect(),
            ready: Default::default(),
        };
        for (index, step) in steps[range].iter().enumerate() {
            let operands = step.iter().map(|operand| *operand as usize).filter(|operand| *operand >= given + start);
            for operand in operands {
                section.waits[index] += 1;
                section.readers[operand - given - start].push(index);
            }
            if section.waits[index] == 0 {
                section.ready[section.kinds[index] as usize].push_back(index);
            }
        }
        section
    }

    /// The kind of which most steps wait for nothing.
    fn most_ready(&self) -> Option<Kind> {
        let kinds = [Kind::Product, Kind::Sum, Kind::ProductPlus, Kind::Products];
        let most = kinds.into_iter().max_by_key(|kind| self.ready[*kind as usize].len())?;
        (!self.ready[most as usize].is_empty()).then_some(most)
    }

    fn take(&mut self, kind: Kind) -> Option<usize> {
        let index = self.ready[kind as usize].pop_front()?;
        for reader in std::mem::take(&mut self.readers[index]) {
            self.waits[reader] -= 1;
            if self.waits[reader] == 0 {
                self.ready[self.kinds[reader] as usize].push_back(reader);
            }
        }
        Some(self.start + index)
    }
}
