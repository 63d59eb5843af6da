//! For each job, which jobs are worth standing beside it.

use super::network::{Arc, Network, Node};

/// Jobs kept as predecessors, and as successors, of one job: at least this many, and more where
/// there are few jobs, because wide windows make far places worth a look.
const BESIDE: usize = 40;
/// Entries of all lists together up to which they are longer than [`BESIDE`].
const BESIDE_OF_ALL: usize = 10_000;
/// Jobs kept as close by, for ruin.
const AROUND: usize = 120;
/// Jobs up to which neighbours are chosen from all.
const LOOKED_AT: usize = 6_000;
/// Pairs of jobs to look at where there are more.
const MOST_PAIRS: usize = 16_000_000;
/// Cost of one unit of waiting, in units of travel (Vidal et al. 2013, section 4.4).
const WAITING: f64 = 0.2;

/// A job beside another, and the leg between them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beside {
    pub node: Node,
    pub time: i32,
    pub cost: i32,
}

/// Neighbour lists, nearest first.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    before: Lists<Beside>,
    after: Lists<Beside>,
    around: Lists<Node>,
    /// Mean travel cost to the nearest neighbours: what a leg costs here.
    pub leg: f64,
    /// Whether every job that may stand beside another is among its neighbours.
    pub complete: bool,
}

#[derive(Debug)]
struct Lists<T> {
    ends: Vec<usize>,
    items: Vec<T>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self { ends: vec![0], items: Vec::new() }
    }
}

impl<T> Lists<T> {
    fn push(&mut self, items: impl Iterator<Item = T>) {
        self.items.extend(items);
        self.ends.push(self.items.len());
    }

    #[inline]
    fn of(&self, job: Node) -> &[T] {
        let job = job as usize;
        if job + 1 < self.ends.len() { &self.items[self.ends[job]..self.ends[job + 1]] } else { &[] }
    }
}

impl Neighbours {
    pub fn new(network: &Network<'_>, stop: &dyn Fn() -> bool) -> Self {
        let mut lists = Self::default();
        let jobs = network.jobs();
        let vicinity = Vicinity::new(network);
        let (mut legs, mut count) = (0.0, 0.0);
        lists.complete = kept(jobs) + 1 >= jobs;
        for job in 0..jobs as u32 {
            if job.is_multiple_of(16) && stop() {
                break;
            }
            let others: Vec<Pair> = vicinity.of(job).map(|other| Pair::new(network, job, other)).collect();
            let mut around: Vec<(i32, Node)> =
                others.iter().map(|pair| (pair.from.cost.min(pair.to.cost), pair.other)).collect();
            nearest(&mut around, AROUND);
            legs += around.iter().take(3).map(|&(cost, _)| f64::from(cost)).sum::<f64>();
            count += around.len().min(3) as f64;
            lists.around.push(around.into_iter().map(|(_, other)| other));
            lists.before.push(beside(network, &others, |pair| (pair.other, job, pair.from)).into_iter());
            lists.after.push(beside(network, &others, |pair| (job, pair.other, pair.to)).into_iter());
        }
        lists.leg = if count > 0.0 { f64::max(legs / count, 1.0) } else { 1.0 };
        lists
    }

    /// Jobs that may stand just before this one.
    #[inline]
    pub fn before(&self, job: Node) -> &[Beside] {
        self.before.of(job)
    }

    /// Jobs that may stand just after this one.
    #[inline]
    pub fn after(&self, job: Node) -> &[Beside] {
        self.after.of(job)
    }

    /// The jobs closest by travel cost.
    #[inline]
    pub fn around(&self, job: Node) -> &[Node] {
        self.around.of(job)
    }
}

/// The jobs to choose neighbours from: all, or with very many those that stand close in an order
/// that keeps what is close together.
struct Vicinity {
    order: Vec<Node>,
    rank: Vec<u32>,
    looked_at: usize,
}

impl Vicinity {
    fn new(network: &Network<'_>) -> Self {
        let jobs = network.jobs();
        let mut order: Vec<Node> = (0..jobs as u32).collect();
        let looked_at = if jobs <= LOOKED_AT { jobs } else { (MOST_PAIRS / jobs).max(4 * BESIDE) };
        if looked_at < jobs {
            order.sort_by_key(|&job| network.sites[job as usize].place);
        }
        let mut rank = vec![0; jobs];
        order.iter().zip(0..).for_each(|(&job, at)| rank[job as usize] = at);
        Self { order, rank, looked_at }
    }

    fn of(&self, job: Node) -> impl Iterator<Item = Node> + Clone + '_ {
        let most = self.order.len() - self.looked_at;
        let from = (self.rank[job as usize] as usize).saturating_sub(self.looked_at / 2).min(most);
        self.order[from..from + self.looked_at].iter().copied().filter(move |&other| other != job)
    }
}

/// Another job, and the legs from it and to it.
struct Pair {
    other: Node,
    from: Arc,
    to: Arc,
    /// Whether one vehicle may do both.
    shared: bool,
}

impl Pair {
    fn new(network: &Network<'_>, job: Node, other: Node) -> Self {
        let shared = match (network.set(job), network.set(other)) {
            (Some(a), Some(b)) => a.meets(b),
            _ => true,
        };
        Self { other, from: network.arc(other, job), to: network.arc(job, other), shared }
    }
}

/// Those with the best legs of those that time windows and vehicles allow, best first.
fn beside(network: &Network<'_>, others: &[Pair], leg: impl Fn(&Pair) -> (Node, Node, Arc)) -> Vec<Beside> {
    let mut ranked: Vec<(i32, Node, Arc)> = others
        .iter()
        .filter(|pair| pair.shared)
        .filter_map(|pair| {
            let (from, to, arc) = leg(pair);
            Some((proximity(network, from, to, arc)?, pair.other, arc))
        })
        .collect();
    nearest(&mut ranked, kept(network.jobs()));
    ranked.into_iter().map(|(_, node, Arc { time, cost })| Beside { node, time, cost }).collect()
}

/// Neighbours kept, each way.
fn kept(jobs: usize) -> usize {
    (BESIDE_OF_ALL / jobs.max(1)).max(BESIDE)
}

/// Travel cost with the waiting that cannot be avoided; `None` when `to` cannot follow at all.
fn proximity(network: &Network<'_>, from: Node, to: Node, arc: Arc) -> Option<i32> {
    let (a, b) = (&network.sites[from as usize], &network.sites[to as usize]);
    if a.open + a.service + arc.time > b.close {
        return None;
    }
    let waiting = (b.open - arc.time - a.service - a.close).max(0);
    let price = if arc.time > 0 { f64::from(arc.cost) / f64::from(arc.time) } else { 1.0 };
    Some((f64::from(arc.cost) + WAITING * price * f64::from(waiting)) as i32)
}

fn nearest<T: Ord>(ranked: &mut Vec<T>, keep: usize) {
    if ranked.len() > keep {
        ranked.select_nth_unstable(keep);
        ranked.truncate(keep);
    }
    ranked.sort_unstable();
}
