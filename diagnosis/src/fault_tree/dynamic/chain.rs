//! Small Markov chains that never come back to a state.

/// Beyond as many terms as there are states, which the longest way through the chain takes, each
/// further one is smaller by its number; `1 / 20!` is below rounding.
const FURTHER_TERMS: usize = 20;

/// States in an order in which every step leads forward; the first is the start, the last the end.
pub(super) struct Chain {
    /// Rate of leaving each state. What `steps` do not account for leads out of the chain.
    leave: Vec<f64>,
    /// From each state: where to, and at which rate.
    steps: Vec<Vec<(usize, f64)>>,
}

impl Chain {
    /// One state after another: from each the next at rate `forward`, anything at rate `leave`.
    pub(super) fn sequence(forward: &[f64], leave: &[f64]) -> Self {
        let steps = forward.iter().enumerate().map(|(state, rate)| vec![(state + 1, *rate)]);
        Self { leave: leave.iter().copied().chain([0.0]).collect(), steps: steps.chain([Vec::new()]).collect() }
    }

    /// Units of which the first that has not failed works, and the others wait at `dormancy` times
    /// the rate. A state is the set of failed units, as bits.
    pub(super) fn spares(rates: &[f64], dormancy: f64) -> Self {
        let steps: Vec<Vec<(usize, f64)>> = (0..1usize << rates.len())
            .map(|failed| {
                let working = failed.trailing_ones() as usize;
                let intact = (0..rates.len()).filter(|unit| failed & (1 << unit) == 0);
                let rate = |unit| if unit == working { rates[unit] } else { dormancy * rates[unit] };
                intact.map(|unit| (failed | 1 << unit, rate(unit))).collect()
            })
            .collect();
        Self { leave: steps.iter().map(|steps| steps.iter().map(|(_, rate)| rate).sum()).collect(), steps }
    }

    /// The probability of having come to the end after one unit of time.
    ///
    /// Scaling and squaring of the matrix exponential. All terms are positive, so that nothing
    /// cancels; the diagonal is set anew after every squaring (Al-Mohy and Higham, "A new scaling
    /// and squaring algorithm for the matrix exponential", 2009, for triangular matrices), so that
    /// errors grow with the number of squarings instead of doubling each time.
    pub(super) fn absorbed(&self) -> f64 {
        let fastest = self.leave.iter().copied().fold(0.0, f64::max);
        let squarings = fastest.log2().ceil().max(0.0) as i32;
        let mut time = 2f64.powi(-squarings);
        let mut transition = self.short_transition(time, fastest);
        for _ in 0..squarings {
            time *= 2.0;
            transition = squared(&transition);
            self.set_diagonal(&mut transition, time);
        }
        transition[0][self.leave.len() - 1].min(1.0)
    }

    /// The transition matrix over a time in which hardly more than one step is to be expected: the
    /// Taylor series of `exp((Q + fastest) time) exp(-fastest time)`.
    fn short_transition(&self, time: f64, fastest: f64) -> Vec<Vec<f64>> {
        let states = self.leave.len();
        let identity = |row| (0..states).map(|column| f64::from(u8::from(row == column))).collect();
        let mut term: Vec<Vec<f64>> = (0..states).map(identity).collect();
        let mut sum = term.clone();
        for number in 1..=states + FURTHER_TERMS {
            term = self.next_term(&term, time / number as f64, fastest);
            for (sum, term) in sum.iter_mut().flatten().zip(term.iter().flatten()) {
                *sum += term;
            }
        }
        let scale = (-fastest * time).exp();
        sum.iter_mut().flatten().for_each(|entry| *entry *= scale);
        self.set_diagonal(&mut sum, time);
        sum
    }

    /// `term (Q + fastest) time`.
    fn next_term(&self, term: &[Vec<f64>], time: f64, fastest: f64) -> Vec<Vec<f64>> {
        let step = |row: &Vec<f64>| {
            let mut next = vec![0.0; row.len()];
            for (state, entry) in row.iter().enumerate().filter(|(_, entry)| **entry != 0.0) {
                next[state] += entry * (fastest - self.leave[state]) * time;
                for (to, rate) in &self.steps[state] {
                    next[*to] += entry * rate * time;
                }
            }
            next
        };
        term.iter().map(step).collect()
    }

    fn set_diagonal(&self, transition: &mut [Vec<f64>], time: f64) {
        for (state, leave) in self.leave.iter().enumerate() {
            transition[state][state] = (-leave * time).exp();
        }
    }
}

/// The square of an upper triangular matrix.
fn squared(matrix: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let square_row = |(first, row): (usize, &Vec<f64>)| {
        let mut square = vec![0.0; row.len()];
        for (middle, entry) in row.iter().enumerate().skip(first).filter(|(_, entry)| **entry != 0.0) {
            for (sum, second) in square[middle..].iter_mut().zip(&matrix[middle][middle..]) {
                *sum += entry * second;
            }
        }
        square
    };
    matrix.iter().enumerate().map(square_row).collect()
}
