//! Min-cost flow from surplus to shortage: dense, bipartite, integer.

/// A saving below this, in cents, is rounding.
const LEAST_SAVING: f64 = 1e-6;

/// Pieces from each supplier to each demander that maximise worth less cost.
///
/// `supply` and `demand` are pieces, `worth` what one piece is worth to each demander, and
/// an infinite cost means no way. Successive shortest paths with potentials: each path
/// leads from a supplier with pieces left to a demander still open, through pieces already
/// sent if that is cheaper, and the first path that saves nothing ends it.
pub(super) fn transport(supply: &[u32], demand: &[u32], worth: &[f64], costs: &[Vec<f64>]) -> Vec<Vec<u32>> {
    let nearest = |j: usize| costs.iter().map(|row| row[j]).fold(f64::INFINITY, f64::min);
    let takers: Vec<f64> = (0..demand.len()).map(nearest).collect();
    // With these potentials no arc has a negative reduced cost.
    let end = takers.iter().zip(worth).map(|(cost, worth)| cost - worth).fold(f64::INFINITY, f64::min);
    let mut flow = Flow {
        left: supply.to_vec(),
        open: demand.to_vec(),
        sent: vec![vec![0; demand.len()]; supply.len()],
        givers: vec![0.0; supply.len()],
        takers,
        end,
        worth,
        costs,
    };
    while flow.end.is_finite() && flow.augment() {}
    flow.sent
}

struct Flow<'a> {
    /// Pieces each supplier still has, and each demander still lacks.
    left: Vec<u32>,
    open: Vec<u32>,
    sent: Vec<Vec<u32>>,
    /// Potentials; that of the start stays 0.
    givers: Vec<f64>,
    takers: Vec<f64>,
    end: f64,
    worth: &'a [f64],
    costs: &'a [Vec<f64>],
}

/// Shortest reduced distances from the start.
struct Paths {
    givers: Vec<f64>,
    takers: Vec<f64>,
    /// Through which demander a supplier is reached; `None`: from the start.
    giver_from: Vec<Option<usize>>,
    taker_from: Vec<usize>,
    /// The last demander of the shortest path, and the distance of its end.
    last: Option<usize>,
    end: f64,
}

impl Flow<'_> {
    /// Sends pieces along one shortest path; whether that saved anything.
    fn augment(&mut self) -> bool {
        let paths = self.shortest_paths();
        let Some(last) = paths.last else { return false };
        for (potential, distance) in self.givers.iter_mut().zip(&paths.givers) {
            *potential += distance.min(paths.end);
        }
        for (potential, distance) in self.takers.iter_mut().zip(&paths.takers) {
            *potential += distance.min(paths.end);
        }
        self.end += paths.end;
        if self.end >= -LEAST_SAVING {
            return false;
        }
        self.send(&paths, last);
        true
    }

    fn send(&mut self, paths: &Paths, last: usize) {
        let mut pieces = self.open[last];
        let mut taker = last;
        loop {
            let giver = paths.taker_from[taker];
            match paths.giver_from[giver] {
                Some(before) => {
                    pieces = pieces.min(self.sent[giver][before]);
                    taker = before;
                }
                None => {
                    pieces = pieces.min(self.left[giver]);
                    break;
                }
            }
        }
        self.open[last] -= pieces;
        taker = last;
        loop {
            let giver = paths.taker_from[taker];
            self.sent[giver][taker] += pieces;
            match paths.giver_from[giver] {
                Some(before) => {
                    self.sent[giver][before] -= pieces;
                    taker = before;
                }
                None => {
                    self.left[giver] -= pieces;
                    return;
                }
            }
        }
    }

    /// Dijkstra on the dense graph, over reduced costs.
    fn shortest_paths(&self) -> Paths {
        let start = |i: usize| if self.left[i] > 0 { (-self.givers[i]).max(0.0) } else { f64::INFINITY };
        let mut paths = Paths {
            givers: (0..self.left.len()).map(start).collect(),
            takers: vec![f64::INFINITY; self.open.len()],
            giver_from: vec![None; self.left.len()],
            taker_from: vec![0; self.open.len()],
            last: None,
            end: f64::INFINITY,
        };
        let mut is_done = (vec![false; self.left.len()], vec![false; self.open.len()]);
        loop {
            let giver = nearest(&paths.givers, &is_done.0);
            let taker = nearest(&paths.takers, &is_done.1);
            match (giver, taker) {
                (Some((i, near)), other) if other.is_none_or(|(_, far)| near <= far) && near < paths.end => {
                    is_done.0[i] = true;
                    self.leave_giver(i, near, &mut paths);
                }
                (_, Some((j, near))) if near < paths.end => {
                    is_done.1[j] = true;
                    self.leave_taker(j, near, &mut paths);
                }
                _ => return paths,
            }
        }
    }

    fn leave_giver(&self, i: usize, near: f64, paths: &mut Paths) {
        for (j, cost) in self.costs[i].iter().enumerate().filter(|(_, cost)| cost.is_finite()) {
            let distance = near + (cost + self.givers[i] - self.takers[j]).max(0.0);
            if distance < paths.takers[j] {
                (paths.takers[j], paths.taker_from[j]) = (distance, i);
            }
        }
    }

    fn leave_taker(&self, j: usize, near: f64, paths: &mut Paths) {
        let end = near + (self.takers[j] - self.worth[j] - self.end).max(0.0);
        if self.open[j] > 0 && end < paths.end {
            (paths.end, paths.last) = (end, Some(j));
        }
        for (i, _) in self.sent.iter().enumerate().filter(|(_, row)| row[j] > 0) {
            let distance = near + (self.takers[j] - self.givers[i] - self.costs[i][j]).max(0.0);
            if distance < paths.givers[i] {
                (paths.givers[i], paths.giver_from[i]) = (distance, Some(j));
            }
        }
    }
}

/// The nearest node that is reached and not done.
fn nearest(distances: &[f64], is_done: &[bool]) -> Option<(usize, f64)> {
    let open = distances.iter().copied().enumerate().zip(is_done).filter(|((_, d), done)| !**done && d.is_finite());
    open.map(|(node, _)| node).min_by(|a, b| a.1.total_cmp(&b.1))
}
