use proptest::prelude::*;

use super::*;

fn part(price: i64, mean: f64, variance: f64) -> PartDemand {
    PartDemand { price: Cents(price), month: MonthlyDemand { mean, variance } }
}

/// Lines filled and pieces on hand a month, by going through every demand of two months.
fn by_enumeration(part: &PartDemand, level: u32, line: Line) -> (f64, f64) {
    let month = part.month.over(1).unwrap();
    let (mut lines, mut on_hand) = (0.0, 0.0);
    for before in 0..=month.most() {
        let left = level.saturating_sub(before);
        for asked in 0..=month.most() {
            let chance = month.pmf(before) * month.pmf(asked);
            lines += chance
                * match line {
                    Line::Piece => f64::from(asked.min(left)),
                    Line::Month => f64::from(u32::from(asked > 0 && asked <= left)),
                };
            on_hand += chance * (f64::from(left) + f64::from(left.saturating_sub(asked))) / 2.0;
        }
    }
    (lines, on_hand)
}

#[test]
fn fill_and_stock_as_by_enumeration() {
    for (mean, variance) in [(0.2, 0.5), (1.0, 1.0), (2.5, 9.0)] {
        let part = part(100, mean, variance);
        for line in [Line::Month, Line::Piece] {
            for corner in Spans::new(&part, 1).unwrap().corners(line).take(12) {
                let (lines, on_hand) = by_enumeration(&part, corner.level, line);
                assert!((corner.lines - lines).abs() < 1e-7, "{line:?} {} {lines} at {}", corner.lines, corner.level);
                assert!((corner.value_cents / 100.0 - on_hand).abs() < 1e-7);
            }
        }
    }
}

#[test]
fn cheap_parts_first() {
    let plan = levels(&[part(10_000, 1.0, 2.0), part(100, 1.0, 2.0)], 1, Line::Piece, Goal::Fill(0.7)).unwrap();
    assert!(plan.levels[1] > plan.levels[0], "{plan:?}");
    let next = plan.next.unwrap();
    assert_eq!(next.from, plan.levels[next.part]);
    assert!(next.exchange() > 0.0);
    assert!(
        plan.why().contains(&format!("next, part {} from {} to {}", next.part, next.from, next.to)),
        "{}",
        plan.why()
    );
}

#[test]
fn goals_are_kept() {
    let parts: Vec<_> =
        (1..40).map(|i| part(i * 130, f64::from(i as i32 % 7) / 3.0, f64::from(i as i32 % 5))).collect();
    let filled = levels(&parts, 1, Line::Month, Goal::Fill(0.9)).unwrap();
    assert!(filled.fill >= 0.9 && filled.fill < 0.95);
    let budget = Cents(filled.value_cents.ceil() as i64);
    assert_eq!(levels(&parts, 1, Line::Month, Goal::Budget(budget)).unwrap().levels, filled.levels);
    let exchange = filled.next.unwrap().exchange();
    let same = levels(&parts, 1, Line::Month, Goal::Exchange(exchange * 1.000_001)).unwrap();
    assert_eq!(same.levels, filled.levels);
    assert_eq!(levels(&parts, 1, Line::Month, Goal::Budget(Cents(0))).unwrap().value_cents, 0.0);
}

/// Every combination of levels up to 6 of three parts: none fills as much for less than the greedy's
/// plan, which lies on the hull.
#[test]
fn no_other_levels_fill_as_much_for_less() {
    let parts = [part(500, 0.8, 1.0), part(2_000, 0.4, 0.9), part(900, 1.2, 2.0)];
    for line in [Line::Month, Line::Piece] {
        let corners = parts.map(|part| Spans::new(&part, 1).unwrap().corners(line).take(7).collect::<Vec<_>>());
        for share in [0.2, 0.5, 0.7] {
            let plan = levels(&parts, 1, line, Goal::Fill(share)).unwrap();
            let asked: f64 = parts.iter().map(|part| Spans::new(part, 1).unwrap().asked(line)).sum();
            for (a, b, c) in (0..343).map(|at| (&corners[0][at % 7], &corners[1][at / 7 % 7], &corners[2][at / 49])) {
                let cheaper = a.value_cents + b.value_cents + c.value_cents < plan.value_cents - 1e-9;
                let fuller = a.lines + b.lines + c.lines > plan.fill * asked + 1e-9;
                assert!(!(cheaper && fuller), "{line:?} {share}: {} {} {}", a.level, b.level, c.level);
            }
        }
    }
}

#[test]
fn bad_input_is_named() {
    let good = part(1, 1.0, 1.0);
    let field = |parts: &[PartDemand], goal| levels(parts, 1, Line::Month, goal).unwrap_err().field;
    assert_eq!(field(&[good, part(-1, 1.0, 1.0)], Goal::Fill(0.9)), "parts[1].price");
    assert_eq!(field(&[part(1, f64::NAN, 1.0)], Goal::Fill(0.9)), "parts[0].month.mean");
    assert_eq!(field(&[good], Goal::Fill(1.5)), "goal.fill");
    assert!(levels(&[good], 61, Line::Month, Goal::Fill(0.9)).is_err());
    let nothing = levels(&[], 1, Line::Month, Goal::Fill(0.9)).unwrap();
    assert_eq!((nothing.levels.len(), nothing.fill), (0, 1.0));
}

proptest! {
    #[test]
    fn any_parts_have_levels(
        parts in proptest::collection::vec((0_i64..1_000_000, 0.0..300.0_f64, 0.0..5_000.0_f64), 0..12),
        lead in 0_u32..4,
        share in 0.0..1.0_f64,
    ) {
        let parts: Vec<_> = parts.into_iter().map(|(price, mean, variance)| part(price, mean, variance)).collect();
        for line in [Line::Month, Line::Piece] {
            let plan = levels(&parts, lead, line, Goal::Fill(share)).unwrap();
            prop_assert!(plan.fill.is_finite() && plan.fill <= 1.0 + 1e-6);
            prop_assert!(plan.value_cents.is_finite());
            prop_assert!(plan.next.is_none() || plan.fill >= share);
        }
    }
}
