//! Summing variables out one by one, and finding an order in which that is cheap.

use std::collections::{BTreeSet, HashMap};

use super::expressions::{Expressions, Id, ONE};
use super::network::{Network, Owner, Table, Variable};

/// What decides which variable goes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Greed {
    /// The smallest table.
    Size,
    /// The fewest new ties between its neighbours.
    Fill,
}

/// In which order variables are summed out.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub variables: Vec<usize>,
    /// Rows of all tables on the way if none were ruled out.
    pub rows: f64,
}

/// Tables grew beyond what was allowed while these variables were held together.
#[derive(Debug, Clone)]
pub(super) struct Overgrown {
    pub tied: Vec<usize>,
}

/// Finds an order greedily.
pub(super) fn order(network: &Network, greed: Greed) -> Order {
    let mut graph = Graph::new(network);
    let mut queue: BTreeSet<(Cost, usize)> = (0..graph.ties.len()).map(|v| (graph.cost(v, greed), v)).collect();
    let mut costs: Vec<Cost> = vec![Cost::default(); graph.ties.len()];
    queue.iter().for_each(|(cost, variable)| costs[*variable] = *cost);
    let mut found = Order { variables: Vec::with_capacity(costs.len()), rows: 0.0 };
    while let Some((_, variable)) = queue.pop_first() {
        found.rows += 2_f64.powf(graph.log_rows(variable));
        found.variables.push(variable);
        for changed in graph.remove(variable) {
            queue.remove(&(costs[changed], changed));
            costs[changed] = graph.cost(changed, greed);
            queue.insert((costs[changed], changed));
        }
    }
    found
}

/// Compared in this order; the second breaks ties.
type Cost = (u64, u64);

/// With more ties than this a variable is a bad choice anyway, and counting would take long.
const MOST_TIES_COUNTED: usize = 64;

/// Which variables stand in a table together.
struct Graph {
    ties: Vec<BTreeSet<usize>>,
    log_states: Vec<f64>,
}

impl Graph {
    fn new(network: &Network) -> Self {
        let mut ties = vec![BTreeSet::new(); network.variables.len()];
        for table in &network.tables {
            for a in &table.variables {
                ties[*a].extend(table.variables.iter().filter(|b| *b != a));
            }
        }
        Self { ties, log_states: network.variables.iter().map(|v| f64::from(v.states).log2()).collect() }
    }

    fn log_rows(&self, variable: usize) -> f64 {
        self.log_states[variable] + self.ties[variable].iter().map(|tied| self.log_states[*tied]).sum::<f64>()
    }

    fn cost(&self, variable: usize, greed: Greed) -> Cost {
        let size = (self.log_rows(variable) * 1024.0) as u64;
        match greed {
            Greed::Size => (size, self.fill(variable)),
            Greed::Fill => (self.fill(variable), size),
        }
    }

    fn fill(&self, variable: usize) -> u64 {
        let ties = &self.ties[variable];
        if ties.len() > MOST_TIES_COUNTED {
            return (ties.len() * ties.len()) as u64;
        }
        let untied = ties.iter().map(|a| ties.range(a + 1..).filter(|b| !self.ties[*a].contains(b)).count() as u64);
        untied.sum()
    }

    /// Ties all neighbours of a variable, which are returned, and takes it out.
    fn remove(&mut self, variable: usize) -> BTreeSet<usize> {
        let neighbours = std::mem::take(&mut self.ties[variable]);
        for a in &neighbours {
            self.ties[*a].extend(neighbours.iter().filter(|b| *b != a));
            self.ties[*a].remove(&variable);
        }
        neighbours
    }
}

/// Sums all variables out in this order; the result is P(evidence).
///
/// # Errors
/// Tables or expressions beyond `limit`.
pub(super) fn eliminate(network: Network, order: &Order, limit: usize) -> Result<(Expressions, Id), Overgrown> {
    let Network { variables, tables, mut expressions } = network;
    let mut of_variable: Vec<Vec<usize>> = vec![Vec::new(); variables.len()];
    let mut live: Vec<Option<Table>> = Vec::with_capacity(2 * tables.len());
    let mut constants = vec![ONE];
    let mut keep = |table: Table, live: &mut Vec<Option<Table>>, of_variable: &mut Vec<Vec<usize>>| {
        if table.variables.is_empty() {
            constants.extend(table.rows.iter().map(|(_, value)| *value));
            if table.rows.is_empty() {
                constants.push(super::expressions::ZERO);
            }
        } else {
            table.variables.iter().for_each(|variable| of_variable[*variable].push(live.len()));
            live.push(Some(table));
        }
    };
    for table in tables {
        keep(table, &mut live, &mut of_variable);
    }
    for variable in &order.variables {
        let mut together: Vec<Table> = of_variable[*variable].iter().filter_map(|at| live[*at].take()).collect();
        together.sort_by_key(|table| (table.rows.len(), table.variables.len()));
        let mut together = together.into_iter();
        let Some(mut product) = together.next() else { continue };
        for table in together {
            product = multiply(&product, &table, &variables, &mut expressions, limit);
            let bits: u32 = product.variables.iter().map(|v| variables[*v].bits()).sum();
            if product.rows.len() > limit || expressions.len() > limit || bits > u128::BITS {
                return Err(Overgrown { tied: product.variables });
            }
        }
        let rest = sum_out(product, *variable, &variables, &mut expressions);
        keep(rest, &mut live, &mut of_variable);
    }
    let root = constants.into_iter().fold(ONE, |all, factor| expressions.product(all, factor));
    Ok((expressions, root))
}

/// Where the bits of some variables lie in a row, and where they go.
struct Moves(Vec<(u32, u32, u32)>);

impl Moves {
    /// The variables of `table` that `chosen` picks, packed anew from bit `start` on.
    fn new(table: &Table, variables: &[Variable], start: u32, chosen: impl Fn(usize) -> bool) -> Self {
        let (mut from, mut to) = (0, start);
        let mut moves = Vec::new();
        for variable in &table.variables {
            let bits = variables[*variable].bits();
            if chosen(*variable) {
                moves.push((from, bits, to));
                to += bits;
            }
            from += bits;
        }
        Self(moves)
    }

    fn of(&self, key: u128) -> u128 {
        self.0.iter().fold(0, |moved, (from, bits, to)| moved | (key >> from & ((1 << bits) - 1)) << to)
    }
}

/// The product of two tables; breaks off once it has more than `limit` rows.
fn multiply(a: &Table, b: &Table, variables: &[Variable], expressions: &mut Expressions, limit: usize) -> Table {
    let width: u32 = a.variables.iter().map(|v| variables[*v].bits()).sum();
    let own: Vec<usize> = b.variables.iter().copied().filter(|v| !a.variables.contains(v)).collect();
    let own_bits: u32 = own.iter().map(|v| variables[*v].bits()).sum();
    let all: Vec<usize> = a.variables.iter().chain(&own).copied().collect();
    if width + own_bits > u128::BITS {
        return Table { variables: all, rows: Vec::new() };
    }
    // The shared variables in the order of `a`, read from either.
    let shared_of_a = Moves::new(a, variables, 0, |v| b.variables.contains(&v));
    let shared_of_b = shared_in_order(a, b, variables);
    let own_of_b = Moves::new(b, variables, width, |v| own.contains(&v));
    let mut by_shared: HashMap<u128, Vec<(u128, Id)>> = HashMap::new();
    for (key, value) in &b.rows {
        by_shared.entry(shared_of_b.of(*key)).or_default().push((own_of_b.of(*key), *value));
    }
    let mut rows = Vec::new();
    for (key, value) in &a.rows {
        if rows.len() > limit {
            break;
        }
        for (other_key, other) in by_shared.get(&shared_of_a.of(*key)).into_iter().flatten() {
            rows.push((key | other_key, expressions.product(*value, *other)));
        }
    }
    Table { variables: all, rows }
}

fn shared_in_order(a: &Table, b: &Table, variables: &[Variable]) -> Moves {
    let mut to = 0;
    let mut moves = Vec::new();
    for variable in a.variables.iter().filter(|v| b.variables.contains(v)) {
        let before = b.variables.iter().take_while(|v| *v != variable);
        let from = before.map(|v| variables[*v].bits()).sum();
        let bits = variables[*variable].bits();
        moves.push((from, bits, to));
        to += bits;
    }
    Moves(moves)
}

fn sum_out(table: Table, variable: usize, variables: &[Variable], expressions: &mut Expressions) -> Table {
    let rest = Moves::new(&table, variables, 0, |v| v != variable);
    let own = Moves::new(&table, variables, 0, |v| v == variable);
    let mut keys: Vec<u128> = Vec::new();
    let mut terms: HashMap<u128, Vec<Id>> = HashMap::new();
    for (key, value) in &table.rows {
        let value = match variables[variable].owner {
            Owner::Event(_) | Owner::Gate(_) if own.of(*key) == 1 => expressions.marked(variable, *value),
            _ => *value,
        };
        let rest = rest.of(*key);
        let of_rest = terms.entry(rest).or_insert_with(|| {
            keys.push(rest);
            Vec::new()
        });
        of_rest.push(value);
    }
    let rows = keys.into_iter().map(|key| {
        let terms = terms.remove(&key).unwrap_or_default();
        (key, expressions.sum(terms))
    });
    let rows = rows.collect();
    Table { variables: table.variables.into_iter().filter(|v| *v != variable).collect(), rows }
}
