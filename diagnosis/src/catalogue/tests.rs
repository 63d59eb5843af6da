use super::*;

#[test]
fn the_built_in_catalogue_loads() {
    let catalogue = Catalogue::builtin().unwrap_or_else(|errors| panic!("{errors}"));
    let keys: Vec<&str> = catalogue.iter().map(|ty| ty.key.as_str()).collect();
    assert_eq!(keys, ["gas-water-heater", "power-meter", "refrigerator", "split-ac"]);
}
