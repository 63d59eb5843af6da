//! Greedy build-up of a van kit, then pieces dropped and exchanged.

use super::fill::Filler;
use super::{VanKitProblem, VanPart};

/// Rounds of dropping and exchanging; each one makes the kit cheaper.
const MAX_ROUNDS: usize = 40;

/// Exchanges tried in all.
const MAX_EXCHANGES: usize = 2_000;

/// A gain in fill rate below this is none.
const LEAST_GAIN: f64 = 1e-12;

/// Pieces of each part.
pub(super) fn search(problem: &VanKitProblem, filler: &Filler) -> Vec<u32> {
    let by_cost = Search::new(problem, filler, &|p| p.carrying_cents).run();
    if problem.max_weight_kg.is_none() && problem.max_volume_l.is_none() {
        return by_cost.pieces;
    }
    let share = |value: f64, limit: Option<f64>| limit.map_or(0.0, |limit| value / limit.max(1e-9));
    let tightness =
        |p: &VanPart| share(p.weight_kg, problem.max_weight_kg).max(share(p.volume_l, problem.max_volume_l));
    let by_room = Search::new(problem, filler, &tightness).run();
    if by_room.is_better_than(&by_cost) { by_room.pieces } else { by_cost.pieces }
}

struct Search<'a> {
    problem: &'a VanKitProblem,
    filler: &'a Filler,
    /// What a piece costs, in the measure that the build-up goes by.
    price: Vec<f64>,
    pieces: Vec<u32>,
    /// Fill rate by unit of the filler.
    rates: Vec<f64>,
    /// Units that use each part.
    units_of: Vec<Vec<usize>>,
    exchanges_left: usize,
}

/// Pieces to add, and what that brings.
struct Addition {
    pieces: Vec<(usize, u32)>,
    gain: f64,
    price: f64,
}

impl<'a> Search<'a> {
    fn new(problem: &'a VanKitProblem, filler: &'a Filler, price: &dyn Fn(&VanPart) -> f64) -> Self {
        let pieces = vec![0; problem.parts.len()];
        let rates = filler.units.iter().map(|u| filler.unit_rate(u, &pieces)).collect();
        let mut units_of = vec![Vec::new(); problem.parts.len()];
        for (i, unit) in filler.units.iter().enumerate() {
            unit.parts.iter().for_each(|&part| units_of[part].push(i));
        }
        Self {
            problem,
            filler,
            price: problem.parts.iter().map(price).collect(),
            pieces,
            rates,
            units_of,
            exchanges_left: MAX_EXCHANGES,
        }
    }

    fn run(mut self) -> Self {
        self.build_up();
        for _ in 0..MAX_ROUNDS {
            if !self.drop_one() && !self.exchange_one() {
                break;
            }
        }
        self
    }

    fn is_better_than(&self, other: &Self) -> bool {
        match (self.reaches(0.0), other.reaches(0.0)) {
            (true, true) => self.total(&|p| p.carrying_cents) < other.total(&|p| p.carrying_cents),
            (false, false) => self.rate() > other.rate(),
            (reaches, _) => reaches,
        }
    }

    fn rate(&self) -> f64 {
        self.filler.no_part() + self.rates.iter().sum::<f64>()
    }

    /// Whether the target is reached if the rate changes by this much.
    fn reaches(&self, change: f64) -> bool {
        self.rate() + change >= self.problem.target - LEAST_GAIN
    }

    fn total(&self, value: &dyn Fn(&VanPart) -> f64) -> f64 {
        self.problem.parts.iter().zip(&self.pieces).map(|(p, &n)| value(p) * f64::from(n)).sum()
    }

    fn build_up(&mut self) {
        let mut additions: Vec<Addition> = self.additions().map(|pieces| self.addition(pieces)).collect();
        while !self.reaches(0.0) {
            let useful = additions.iter().filter(|a| a.gain > LEAST_GAIN && self.fits(&a.pieces, None));
            let value = |a: &Addition| a.gain / a.price.max(1e-9);
            let Some(best) = useful.max_by(|a, b| value(a).total_cmp(&value(b))) else { return };
            let mut with = self.pieces.clone();
            best.pieces.iter().for_each(|&(part, n)| with[part] += n);
            let parts: Vec<usize> = best.pieces.iter().map(|(part, _)| *part).collect();
            let changed = self.changed(&with, &parts);
            self.pieces = with;
            // Gains change where a part belongs to a unit that changed.
            let mut touched = vec![false; self.pieces.len()];
            for (unit, rate) in changed {
                self.rates[unit] = rate;
                self.filler.units[unit].parts.iter().for_each(|&part| touched[part] = true);
            }
            for addition in additions.iter_mut().filter(|a| a.pieces.iter().any(|(part, _)| touched[*part])) {
                *addition = self.addition(std::mem::take(&mut addition.pieces));
            }
        }
    }

    /// One more piece of each part, and all that each kind of job needs: a part that is
    /// never needed alone gains nothing alone.
    fn additions(&self) -> impl Iterator<Item = Vec<(usize, u32)>> {
        let single = (0..self.pieces.len()).filter(|&part| !self.units_of[part].is_empty()).map(|part| vec![(part, 1)]);
        let kinds = self.filler.units.iter().flat_map(|u| &u.kinds);
        single.chain(
            kinds.map(|&kind| self.filler.needs(kind).to_vec()).filter(|needs| needs.len() > 1 || needs[0].1 > 1),
        )
    }

    fn addition(&self, pieces: Vec<(usize, u32)>) -> Addition {
        let mut with = self.pieces.clone();
        pieces.iter().for_each(|&(part, n)| with[part] += n);
        let parts: Vec<usize> = pieces.iter().map(|(part, _)| *part).collect();
        let gain = self.changed(&with, &parts).iter().map(|&(unit, rate)| rate - self.rates[unit]).sum();
        let price = pieces.iter().map(|&(part, n)| self.price[part] * f64::from(n)).sum();
        Addition { pieces, gain, price }
    }

    /// Whether the van still holds it all with some pieces more and one less.
    fn fits(&self, added: &[(usize, u32)], less: Option<usize>) -> bool {
        let within = |limit: Option<f64>, value: &dyn Fn(&VanPart) -> f64| {
            let of = |part: usize| value(&self.problem.parts[part]);
            let more: f64 = added.iter().map(|&(part, n)| of(part) * f64::from(n)).sum();
            limit.is_none_or(|limit| self.total(value) + more - less.map_or(0.0, of) <= limit + 1e-9)
        };
        within(self.problem.max_weight_kg, &|p| p.weight_kg) && within(self.problem.max_volume_l, &|p| p.volume_l)
    }

    /// Fill rates of the units that use one of the parts, after a change of pieces.
    fn changed(&self, pieces: &[u32], parts: &[usize]) -> Vec<(usize, f64)> {
        let mut units: Vec<usize> = parts.iter().flat_map(|&part| &self.units_of[part]).copied().collect();
        units.sort_unstable();
        units.dedup();
        units.into_iter().map(|i| (i, self.filler.unit_rate(&self.filler.units[i], pieces))).collect()
    }

    /// Takes the change if the target is still reached, or if it costs nothing.
    fn try_change(&mut self, pieces: Vec<u32>, parts: &[usize]) -> bool {
        let changed = self.changed(&pieces, parts);
        let change: f64 = changed.iter().map(|&(g, rate)| rate - self.rates[g]).sum();
        let may = change >= -LEAST_GAIN || (self.reaches(0.0) && self.reaches(change));
        if may {
            self.pieces = pieces;
            changed.into_iter().for_each(|(g, rate)| self.rates[g] = rate);
        }
        may
    }

    fn cents(&self, part: usize) -> f64 {
        self.problem.parts[part].carrying_cents
    }

    /// Drops the dearest piece that can be spared.
    fn drop_one(&mut self) -> bool {
        let mut parts: Vec<usize> = (0..self.pieces.len()).filter(|&p| self.pieces[p] > 0).collect();
        parts.sort_by(|&a, &b| self.cents(b).total_cmp(&self.cents(a)));
        parts.into_iter().any(|part| {
            let mut without = self.pieces.clone();
            without[part] -= 1;
            self.try_change(without, &[part])
        })
    }

    /// Exchanges a piece for a cheaper one; tries what saves most first.
    fn exchange_one(&mut self) -> bool {
        let mut pairs: Vec<(usize, usize)> = Vec::new();
        for out in (0..self.pieces.len()).filter(|&p| self.pieces[p] > 0) {
            pairs.extend((0..self.pieces.len()).filter(|&p| self.cents(p) < self.cents(out)).map(|p| (out, p)));
        }
        let saved = |&(out, into): &(usize, usize)| self.cents(out) - self.cents(into);
        pairs.sort_by(|a, b| saved(b).total_cmp(&saved(a)));
        pairs.truncate(self.exchanges_left);
        pairs.into_iter().any(|(out, into)| {
            self.exchanges_left -= 1;
            let mut exchanged = self.pieces.clone();
            exchanged[out] -= 1;
            exchanged[into] += 1;
            self.fits(&[(into, 1)], Some(out)) && self.try_change(exchanged, &[out, into])
        })
    }
}
