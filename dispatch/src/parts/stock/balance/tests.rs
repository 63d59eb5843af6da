use proptest::prelude::*;

use super::*;
use crate::{Location, LocationKind, Place};

/// Stations along a meridian, one degree (111 km) apart; a van without a place.
fn stations(count: usize) -> LocationTree {
    let station = |i: usize| Location {
        id: format!("s{i}").into(),
        kind: LocationKind::Station,
        parent: None,
        place: Some(Place { lat: 40.0 + i as f64, lon: 10.0 }),
    };
    let van = Location { id: "van".into(), kind: LocationKind::Van, parent: None, place: None };
    LocationTree::new((0..count).map(station).chain([van]).collect()).unwrap()
}

fn stock(location: &str, on_hand: u32, reserved: u32, target: u32, shortage: i64) -> Stock {
    let (location, part) = (location.into(), "pump".into());
    Stock { location, part, on_hand, reserved, incoming: 0, target, shortage: Cents(shortage) }
}

/// 1.00 a piece and 0.10 a km on straight roads.
const COST: TransferCost = TransferCost {
    handling: Cents(100),
    cents_per_km: 10.0,
    travel: TravelModel { circuity: 1.0, speed_kmh: 50.0, stop_min: 0.0 },
};

fn moves(balance: &Balance) -> Vec<(&str, u32, &str)> {
    balance.transfers.iter().map(|t| (t.from.as_str(), t.quantity, t.to.as_str())).collect()
}

#[test]
fn surplus_goes_to_the_nearest_shortage_and_reserved_pieces_stay() {
    let stocks = [
        stock("s0", 5, 2, 1, 5_000), // 2 to spare
        stock("s1", 0, 0, 1, 5_000),
        stock("s2", 1, 1, 1, 5_000), // its one piece is promised
        stock("s3", 4, 4, 0, 5_000), // all promised
        stock("van", 3, 0, 1, 5_000),
    ];
    let balance = balance(&stocks, &stations(4), &COST).unwrap();
    assert_eq!(moves(&balance), [("s0", 1, "s1"), ("s0", 1, "s2")]);
    assert!(balance.still_short.is_empty());
    assert_eq!(
        balance.transfers[0].why,
        "s0 has 2 free above its 1; s1 is 1 short of its 1: moving costs 12.12, the shortage 50.00"
    );
    // 1.00 and 111.195 km, 1.00 and 222.390 km.
    assert!((balance.saved_cents - (10_000.0 - 200.0 - 3_335.85)).abs() < 0.1, "{}", balance.saved_cents);
}

#[test]
fn what_stays_short_is_said_with_its_reason() {
    // Moving over a degree costs 12.12.
    for (stocks, moved, reason) in [
        (vec![stock("s0", 3, 0, 0, 0), stock("s1", 0, 0, 2, 1_000)], vec![], ShortReason::NotWorthMoving),
        (vec![stock("s0", 1, 0, 0, 0), stock("s1", 0, 0, 3, 9_000)], vec![("s0", 1, "s1")], ShortReason::NoSurplus),
        (vec![stock("van", 3, 0, 0, 0), stock("s1", 0, 0, 2, 9_000)], vec![], ShortReason::NotWorthMoving),
        (vec![stock("s1", 1, 1, 2, 9_000)], vec![], ShortReason::NoSurplus),
    ] {
        let balance = balance(&stocks, &stations(2), &COST).unwrap();
        assert_eq!(moves(&balance), moved);
        let short = StillShort { part: "pump".into(), location: "s1".into(), quantity: 2, reason };
        assert_eq!(balance.still_short, [short]);
    }
    let waits = Stock { incoming: 2, ..stock("s1", 0, 0, 2, 9_000) };
    assert_eq!(balance(&[waits], &stations(2), &COST).unwrap().still_short, []);
}

#[test]
fn bad_stock_is_named() {
    let good = stock("s0", 1, 0, 1, 100);
    for (stocks, cost, expected) in [
        (vec![stock("s0", 1, 2, 0, 0)], COST, "stocks[0].reserved: is 2; give 0 to 1"),
        (vec![stock("s9", 1, 0, 0, 0)], COST, r#"stocks[0].location: "s9" is no known location"#),
        (vec![stock("s0", 1, 0, 0, -1)], COST, "stocks[0].shortage: is -1; give 0 to 100000000000"),
        (vec![good.clone(), good.clone()], COST, r#"stocks[1].part: "pump" is given twice; give each once"#),
        (vec![], TransferCost { cents_per_km: f64::NAN, ..COST }, "cost.cents_per_km: is NaN; give a finite number"),
    ] {
        assert_eq!(balance(&stocks, &stations(2), &cost).unwrap_err().to_string(), expected);
    }
    let most = [stock("s0", u32::MAX, 0, 0, 0), stock("s1", 0, 0, u32::MAX, 9_000)];
    assert_eq!(moves(&balance(&most, &stations(2), &COST).unwrap()), [("s0", u32::MAX, "s1")]);
}

/// The greatest saving by trying every transfer of the first supplier's pieces.
fn most_saved(supply: &[u32], demand: &[u32], worth: &[f64], costs: &[Vec<f64>]) -> f64 {
    let Some((&pieces, others)) = supply.split_first() else { return 0.0 };
    let rest = most_saved(others, demand, worth, &costs[1..]);
    if pieces == 0 {
        return rest;
    }
    let fewer: Vec<u32> = std::iter::once(pieces - 1).chain(others.iter().copied()).collect();
    (0..demand.len()).filter(|&j| demand[j] > 0 && costs[0][j].is_finite()).fold(rest, |best, j| {
        let mut open = demand.to_vec();
        open[j] -= 1;
        best.max(worth[j] - costs[0][j] + most_saved(&fewer, &open, worth, costs))
    })
}

proptest! {
    #[test]
    fn no_other_transfers_save_more(
        supply in prop::collection::vec(0_u32..4, 0..4),
        demand in prop::collection::vec(0_u32..4, 0..4),
        worth in prop::collection::vec(0.0..100.0, 4),
        costs in prop::collection::vec(prop::collection::vec(prop_oneof![9 => 0.0..120.0, 1 => Just(f64::INFINITY)], 4), 4),
    ) {
        let costs: Vec<Vec<f64>> = costs[..supply.len()].iter().map(|row| row[..demand.len()].to_vec()).collect();
        let worth = &worth[..demand.len()];
        let sent = transport(&supply, &demand, worth, &costs);
        let mut saved = 0.0;
        for (i, row) in sent.iter().enumerate() {
            prop_assert!(row.iter().sum::<u32>() <= supply[i]);
            for (j, &pieces) in row.iter().enumerate().filter(|(_, n)| **n > 0) {
                saved += f64::from(pieces) * (worth[j] - costs[i][j]);
            }
        }
        for (j, &most) in demand.iter().enumerate() {
            prop_assert!(sent.iter().map(|row| row[j]).sum::<u32>() <= most);
        }
        let best = most_saved(&supply, &demand, worth, &costs);
        prop_assert!((saved - best).abs() < 1e-5, "{saved} instead of {best}: {sent:?}");
    }
}

#[test]
fn a_large_part_is_balanced_in_time() {
    let tree = stations(50);
    let stocks: Vec<Stock> = (0..50_u32).map(|i| stock(&format!("s{i}"), i * 7 % 40, 0, 20, 9_000)).collect();
    let balance = balance(&stocks, &tree, &COST).unwrap();
    let moved: u32 = balance.transfers.iter().map(|t| t.quantity).sum();
    assert!(moved > 200, "{moved}");
}
