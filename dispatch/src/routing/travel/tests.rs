use super::*;
use crate::routing::problem::{CellSpeed, Territory};

const BERLIN: Place = Place { lat: 52.52, lon: 13.405 };
const POTSDAM: Place = Place { lat: 52.3989, lon: 13.0657 };

fn estimate() -> Estimate {
    Estimate { circuity: 1.0, speed_kmh: 36.0, stop_s: 0, ..Estimate::default() }
}

#[test]
fn a_way_passes_the_hours_at_their_speeds() {
    // 10 m/s, halved from 8 to 9 o'clock.
    let mut speed_by_hour = vec![1.0; 24];
    speed_by_hour[8] = 0.5;
    let globe = Globe::new(&Estimate { speed_by_hour, ..estimate() });
    let metres = distance_km(BERLIN, POTSDAM) * 1000.0;
    let at = |clock_s: i64| globe.way(BERLIN, POTSDAM, Time(clock_s)).unwrap().seconds;
    assert!((at(0) - metres / 10.0).abs() < 1e-6);
    // Half an hour before eight: 18 km at full speed, the rest at half.
    assert!((at(8 * 3600 - 1800) - (1800.0 + (metres - 18_000.0) / 5.0)).abs() < 1e-6);
    assert!(at(8 * 3600) <= globe.slowest(BERLIN, POTSDAM).unwrap().seconds);
    let arrivals: Vec<f64> = (0..86_400).step_by(600).map(|leave| leave as f64 + at(leave)).collect();
    assert!(arrivals.is_sorted(), "a later departure arrives earlier");
}

#[test]
fn a_cell_has_its_own_speed_at_its_end_of_the_way() {
    let cell = Territory::around(BERLIN, 6).unwrap();
    let globe = Globe::new(&Estimate { cells: vec![CellSpeed { cell, factor: 0.5 }], ..estimate() });
    let plain = Globe::new(&estimate()).slowest(BERLIN, POTSDAM).unwrap().seconds;
    assert!((globe.slowest(BERLIN, POTSDAM).unwrap().seconds - plain / 0.75).abs() < 1e-6);
    assert_eq!(globe.way(BERLIN, BERLIN, Time(0)), Some(Way { seconds: 0.0, metres: 0.0 }));
}

#[test]
fn answers_of_routers_are_read() {
    let places = [BERLIN, POTSDAM];
    // Shapes of the services' own documentation.
    let osrm = osrm_table(
        r#"{"code":"Ok","durations":[[0,2100.5],[null,0]],"distances":[[0,35000.2],[null,0]],
            "sources":[{"location":[13.4,52.5],"name":""}],"destinations":[]}"#,
        &places,
    );
    let roads = Table::new(&osrm.unwrap());
    assert_eq!(roads.way(BERLIN, POTSDAM, Time(0)), Some(Way { seconds: 2100.5, metres: 35_000.2 }));
    assert_eq!(roads.way(POTSDAM, BERLIN, Time(0)), None, "no way back");

    let cells = r#"{"sources_to_targets":[
        [{"distance":0,"time":0,"to_index":0,"from_index":0},{"distance":35.0,"time":2100,"to_index":1,"from_index":0}],
        [{"distance":null,"time":null,"to_index":0,"from_index":1},{"distance":0,"time":0,"to_index":1,"from_index":1}]],
        "units":"kilometers"}"#;
    let tables = r#"{"algorithm":"costmatrix","units":"kilometers",
        "sources_to_targets":{"durations":[[0,2100],[null,0]],"distances":[[0,35.0],[null,0]]}}"#;
    assert_eq!(valhalla_matrix(cells, &places), valhalla_matrix(tables, &places));
    assert_eq!(valhalla_matrix(cells, &places).unwrap().distances_m[0][1], Some(35_000.0));
}

#[test]
fn a_bad_answer_is_refused_with_its_place() {
    let error = |answer: &str| osrm_table(answer, &[BERLIN, POTSDAM]).unwrap_err().to_string();
    assert_eq!(error(r#"{"code":"NoTable","message":"too big"}"#), "code: NoTable: too big");
    assert_eq!(error(r#"{"code":"Ok","durations":[[0]]}"#), "durations_s (rows): is 1; give 2 to 2");
    assert_eq!(error(r#"{"code":"Ok","durations":[[0,-1],[1,0]]}"#), "durations_s[0][1]: is -1; give 0 to 604800");
    assert!(error("<html>").starts_with("answer: expected value"));
}
