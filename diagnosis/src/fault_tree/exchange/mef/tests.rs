use super::*;

const ARALIA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/aralia");

/// A test whose data are not there says so and passes.
fn skipped(reason: &str) {
    println!("skipped: {reason}");
    if let Some(file) = std::env::var_os("FETTLE_SKIPPED") {
        use std::io::Write;
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
        writeln!(file, "{reason}").unwrap();
    }
}

/// Gates and basic events of each tree are as many as its reference counts.
#[test]
fn the_aralia_trees_are_read() {
    let Ok(reference) = std::fs::read_to_string(format!("{ARALIA}/reference.csv")) else {
        return skipped("the Aralia trees are not there");
    };
    for row in reference.lines().skip(1) {
        let row: Vec<&str> = row.split(',').collect();
        let file = format!("{ARALIA}/{}.xml", row[0]);
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let start = std::time::Instant::now();
        let tree = read(&text, &file).unwrap();
        println!("{} {:?}", row[0], start.elapsed());
        assert_eq!(
            (tree.gates.len().to_string(), tree.events.len().to_string()),
            (row[1].into(), row[2].into()),
            "{}",
            row[0]
        );
    }
}
