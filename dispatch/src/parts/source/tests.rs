use proptest::prelude::*;

use super::*;
use crate::{Location, Place};

fn location(id: &str, kind: LocationKind, parent: Option<&str>, lat: Option<f64>) -> Location {
    Location { id: id.into(), kind, parent: parent.map(Into::into), place: lat.map(|lat| Place { lat, lon: 13.0 }) }
}

/// Two regions; station s2 is nearer to s1 than s3 is.
fn locations() -> Vec<Location> {
    use LocationKind::*;
    vec![
        location("central", Central, None, Some(50.0)),
        location("north", Regional, Some("central"), Some(52.0)),
        location("south", Regional, Some("central"), Some(48.0)),
        location("s1", Station, Some("north"), Some(52.1)),
        location("s3", Station, Some("north"), Some(52.9)),
        location("s2", Station, Some("north"), Some(52.3)),
        location("s4", Station, Some("south"), Some(48.1)),
        location("van-1", Van, Some("s1"), None),
        location("van-2", Van, Some("s1"), None),
    ]
}

fn tree() -> LocationTree {
    LocationTree::new(locations()).unwrap()
}

fn level(location: &str, part: &str, available: u32) -> StockLevel {
    StockLevel { location: location.into(), part: part.into(), available }
}

fn pick(part: &str, quantity: u32, from: &str) -> Pick {
    Pick { part: part.into(), quantity, from: from.into() }
}

fn names<'a>(locations: impl IntoIterator<Item = &'a Location>) -> Vec<&'a str> {
    locations.into_iter().map(|l| l.id.as_str()).collect()
}

#[test]
fn supply_goes_from_near_to_far() {
    let tree = tree();
    let order = ["van-1", "s1", "s2", "s3", "north", "central", "s4", "south"];
    assert_eq!(names(tree.supply_order(&"van-1".into())), order);
    assert_eq!(names(tree.line(&"van-1".into())), ["van-1", "s1", "north", "central"]);
    // Without a van the technician starts at the station.
    assert_eq!(names(tree.supply_order(&"s4".into())), ["s4", "south", "central", "north", "s1", "s2", "s3"]);
}

#[test]
fn parts_come_from_the_nearest_stock() {
    let levels = [
        level("van-1", "igniter", 1),
        level("van-2", "igniter", 9),
        level("s2", "igniter", 1),
        level("central", "igniter", 9),
        level("north", "seal", 5),
        level("s3", "seal", 2),
    ];
    let kit = [PartNeed::new("igniter", 4), PartNeed::new("seal", 1), PartNeed::new("fan", 2)];
    let plan = source_parts(&kit, &"van-1".into(), &tree(), &levels).unwrap();
    let picks =
        [pick("igniter", 1, "van-1"), pick("igniter", 1, "s2"), pick("igniter", 2, "central"), pick("seal", 1, "s3")];
    assert_eq!(plan.picks, picks);
    assert_eq!(plan.missing, [PartNeed::new("fan", 2)]);
    assert_eq!(
        plan.why,
        "1 × igniter from the technician's own stock van-1; 1 × igniter from station s2; \
         2 × igniter from central store central; 1 × seal from station s3; 2 × fan nowhere in stock"
    );
    assert_eq!(source_parts(&[], &"van-1".into(), &tree(), &levels).unwrap().why, "no parts needed");
}

#[test]
fn bad_input_is_named() {
    let source = |kit: &[PartNeed], van: &str, levels: &[StockLevel]| {
        source_parts(kit, &van.into(), &tree(), levels).unwrap_err().to_string()
    };
    assert_eq!(source(&[], "van-9", &[]), r#"van: "van-9" is no known location"#);
    assert_eq!(source(&[PartNeed::new("", 1)], "van-1", &[]), "kit[0].part: is empty; give at least one");
    assert_eq!(source(&[], "van-1", &[level("s9", "x", 1)]), r#"levels[0].location: "s9" is no known location"#);
    assert_eq!(
        source(&[], "van-1", &[level("s1", "x", 1), level("s1", "x", 2)]),
        r#"levels[1].part: "x" is given twice; give each once"#
    );
}

#[test]
fn a_tree_that_is_none_is_named() {
    use LocationKind::*;
    let cases = [
        (
            vec![location("a", Station, Some("b"), None), location("b", Regional, Some("a"), None)],
            "locations[1].parent: is a cycle: b -> a -> b; it must end somewhere",
        ),
        (
            vec![location("a", Station, Some("a"), None)],
            "locations[0].parent: is a cycle: a -> a; it must end somewhere",
        ),
        (vec![location("a", Van, Some("b"), None)], r#"locations[0].parent: "b" is no known location"#),
        (
            vec![location("a", Station, Some("b"), None), location("b", Van, None, None)],
            r#"locations[0].parent: a station cannot be supplied from "b", which is a van; give a larger store"#,
        ),
        (
            vec![
                location("a", Van, Some("b"), None),
                location("b", Van, Some("c"), None),
                location("c", Van, Some("b"), None),
            ],
            r#"locations[0].parent: a van cannot be supplied from "b", which is a van; give a larger store"#,
        ),
        (
            vec![location("a", Station, None, None), location("a", Van, None, None)],
            r#"locations[1].id: "a" is given twice; give each once"#,
        ),
        (vec![location("a", Station, None, Some(f64::NAN))], "locations[0].place.lat: is NaN; give a finite number"),
    ];
    for (locations, expected) in cases {
        assert_eq!(LocationTree::new(locations).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_tree_is_checked_when_it_is_read() {
    let text = serde_json::to_string(&tree()).unwrap();
    assert_eq!(serde_json::from_str::<LocationTree>(&text).unwrap(), tree());
    let cycle = r#"[{"id": "a", "kind": "van", "parent": "a"}]"#;
    let error = serde_json::from_str::<LocationTree>(cycle).unwrap_err().to_string();
    assert!(error.contains("a -> a"), "{error}");
}

proptest! {
    #[test]
    fn picks_and_missing_make_the_kit(
        quantities in prop::collection::vec(1_u32..5, 0..3),
        available in prop::collection::vec(0_u32..3, 27),
    ) {
        let part = |i: usize| format!("p{i}");
        let kit: Vec<_> = quantities.iter().enumerate().map(|(i, &n)| PartNeed::new(part(i), n)).collect();
        let levels: Vec<_> = available
            .iter()
            .enumerate()
            .map(|(i, &n)| level(locations()[i / 3].id.as_str(), &part(i % 3), n))
            .collect();
        let plan = source_parts(&kit, &"van-1".into(), &tree(), &levels).unwrap();
        for need in &kit {
            let picked: u32 = plan.picks.iter().filter(|p| p.part == need.part).map(|p| p.quantity).sum();
            let missing: u32 = plan.missing.iter().filter(|m| m.part == need.part).map(|m| m.quantity).sum();
            prop_assert_eq!(picked + missing, need.quantity);
            let in_reach = |l: &&StockLevel| l.part == need.part && l.location.as_str() != "van-2";
            let stock: u32 = levels.iter().filter(in_reach).map(|l| l.available).sum();
            prop_assert_eq!(missing, need.quantity.saturating_sub(stock));
        }
        for pick in &plan.picks {
            prop_assert!(pick.from.as_str() != "van-2", "that van belongs to somebody else");
            let level = levels.iter().find(|l| l.location == pick.from && l.part == pick.part).unwrap();
            prop_assert!(0 < pick.quantity && pick.quantity <= level.available);
        }
        let mut reversed = levels.clone();
        reversed.reverse();
        prop_assert_eq!(plan, source_parts(&kit, &"van-1".into(), &tree(), &reversed).unwrap());
    }
}
