//! Dealing appliances into folds.

use std::collections::BTreeMap;

/// A fold for each window: whole groups, so that each class's groups are spread over the folds as
/// evenly as possible, the rarest class first. Depends on the names of the groups, not on their order.
pub(super) fn deal(groups: &[&str], labels: &[usize], classes: usize, folds: usize) -> Vec<usize> {
    let mut counts: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (group, label) in groups.iter().zip(labels) {
        counts.entry(group).or_insert_with(|| vec![0; classes])[*label] += 1;
    }
    let spread = |class: &usize| counts.values().filter(|counts| counts[*class] > 0).count();
    let mut rarest_first: Vec<usize> = (0..classes).collect();
    rarest_first.sort_by_key(spread);
    let mut dealt: BTreeMap<&str, usize> = BTreeMap::new();
    // Groups with a class, and windows of any, that a fold has.
    let mut loads = vec![(vec![0; classes], 0); folds];
    for class in rarest_first {
        for (group, counts) in counts.iter().filter(|(_, counts)| counts[class] > 0) {
            if dealt.contains_key(group) {
                continue;
            }
            let least = (0..folds).min_by_key(|fold| (loads[*fold].0[class], loads[*fold].1, *fold));
            let fold = least.expect("there is at least one fold");
            dealt.insert(group, fold);
            loads[fold].0.iter_mut().zip(counts).for_each(|(load, count)| *load += usize::from(*count > 0));
            loads[fold].1 += counts.iter().sum::<usize>();
        }
    }
    groups.iter().map(|group| dealt[group]).collect()
}
