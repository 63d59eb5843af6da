//! Layouts of recordings, and what is said about those that do not fit.

use std::path::Path;

use firmware_proto::DeviceTime;

use super::mapping::Mapping;
use super::rows::{HeaderError, Row, Rows};
use super::*;

const APPLIANCE_POWER: &str = include_str!("../../mappings/appliance-power.toml");

fn appliance_power() -> Mapping {
    Mapping::parse("appliance-power.toml", APPLIANCE_POWER).unwrap()
}

fn read(text: &str, mapping: &Mapping) -> Vec<Result<Row, BadRow>> {
    let mut rows = Rows::new(text.as_bytes(), mapping).unwrap();
    std::iter::from_fn(|| rows.read()).map(Result::unwrap).collect()
}

fn header_error(text: &str, mapping: &Mapping) -> String {
    match Rows::new(text.as_bytes(), mapping).map(|_| ()) {
        Err(HeaderError::Unfit(reason)) => reason,
        other => panic!("expected an unfit header, got {other:?}"),
    }
}

/// Time and power of each row.
fn values(text: &str, mapping: &Mapping) -> Vec<(i64, Option<f64>)> {
    let value = |row: Row| (row.time.ms(), row.readings.first().and_then(|reading| reading.value.as_f64()));
    read(text, mapping).into_iter().map(|row| value(row.unwrap())).collect()
}

/// 2020-03-09 00:00 and 00:01 UTC.
const MIDNIGHT: i64 = 1_583_712_000_000;
const MINUTE: i64 = 60_000;

#[test]
fn every_layout_of_the_set_reads_the_same() {
    let layouts = [
        "ctime,activePower,label\n2020-03-09 00:00:00,0.0,0.0\n2020-03-09 00:01:00,68.5,1.0\n",
        ",ctime,activePower,label\n0,2020-03-09 00:00:00,0.0,0\n1,2020-03-09 00:01:00,68.5,1\n",
        "\u{feff}ctime,activePower\n3/9/2020 0:00,0\n3/9/2020 0:01,68.5\n",
        "ctime,activePower\r\n3/9/2020 0:00,0\r\n03/09/2020 00:01,68.5\r\n",
        "ctime,activePower,,\n3/9/2020 0:00,0,,\n3/9/2020 0:01,68.5,,\n",
        "ctime;activePower;label\n2020-03-09 00:00:00;0.0;0.0\n2020-03-09 00:01:00;68.5;1.0",
        "ctime,activePower\n2020-03-09 00:00:00,0\n3/9/2020 0:01,68.5\n",
    ];
    for layout in layouts {
        let expected = [(MIDNIGHT, Some(0.0)), (MIDNIGHT + MINUTE, Some(68.5))];
        assert_eq!(values(layout, &appliance_power()), expected, "{layout:?}");
    }
}

#[test]
fn a_minute_that_was_not_measured_is_a_row_without_reading() {
    let rows = values("ctime,activePower\n3/9/2020 0:00,\n3/9/2020 0:01,7\n", &appliance_power());
    assert_eq!(rows, [(MIDNIGHT, None), (MIDNIGHT + MINUTE, Some(7.0))]);
}

#[test]
fn bad_rows_say_where_and_what() {
    let text = "ctime,activePower\n\
        3/9/2020 0:00,5\n\
        3/9/2020 0:01,NaN\n\
        yesterday,5\n\
        3/9/2020 0:02\n\
        13/13/2020 0:02,5\n\
        3/9/2020 0:03,6\n";
    let bad: Vec<_> =
        read(text, &appliance_power()).into_iter().filter_map(Result::err).map(|bad| bad.to_string()).collect();
    assert_eq!(bad.len(), 4);
    assert_eq!(bad[0], "line 3 (row 2): activePower: \"NaN\" is no number");
    assert!(bad[1].starts_with("line 4 (row 3): ctime: \"yesterday\" has none of the formats"), "{}", bad[1]);
    assert_eq!(bad[2], "line 5 (row 4): 1 fields, the header has 2");
    assert!(bad[3].starts_with("line 6 (row 5): ctime: \"13/13/2020 0:02\""), "{}", bad[3]);
}

#[test]
fn a_header_that_does_not_fit_says_why() {
    let mapping = appliance_power();
    assert!(header_error("time,activePower\n", &mapping).starts_with("no column \"ctime\""));
    assert!(header_error("ctime,activePower,mood\n", &mapping).contains("\"mood\" is neither mapped"));
    assert!(header_error("\n", &mapping).starts_with("empty"));
    assert!(header_error("", &mapping).starts_with("empty"));
    assert!(header_error(&"x".repeat(100_000), &mapping).starts_with("longer than"));
}

#[test]
fn rows_may_be_counted_instead_of_dated() {
    let mapping = "[time]\nstart = \"2020-03-09T00:00:00Z\"\ninterval_s = 0.5\n\
        [columns.\"Power (kW)\"]\ndatapoint = \"power_w\"\nscale = 1000\n";
    let mapping = Mapping::parse("counted", &format!("decimal_comma = true\n{mapping}")).unwrap();
    let rows = values("Power (kW)\n1.5\n\"2,25\"\n", &mapping);
    assert_eq!(rows, [(MIDNIGHT, Some(1500.0)), (MIDNIGHT + 500, Some(2250.0))]);
}

#[test]
fn rows_are_numbered_from_one_and_bad_ones_keep_their_number() {
    let rows = read("ctime,activePower\n3/9/2020 0:00,5\n3/9/2020 0:01,x\n3/9/2020 0:02,7\n", &appliance_power());
    let numbers: Vec<_> = rows.iter().map(|row| row.as_ref().map_or_else(|bad| bad.row, |row| row.number)).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(rows[2].as_ref().unwrap().time, DeviceTime(MIDNIGHT + 2 * MINUTE));
}

#[test]
fn mapping_errors_name_the_place() {
    let error = |text: &str| format!("{:#}", anyhow::Error::from(Mapping::parse("map.toml", text).unwrap_err()));
    let columns = "[columns.p]\ndatapoint = \"power_w\"\n";
    assert!(error("[time]\ncolum = \"t\"\n").contains("line 2"));
    assert!(error(&format!("{columns}[time]\ncolumn = \"t\"\n")).contains("time.formats: is empty"));
    assert!(error(&format!("{columns}[time]\ncolumn = \"t\"\nformats = [\"%H:%M\"]\n")).contains("gives no date"));
    assert!(error(&format!("{columns}[time]\nstart = \"today\"\ninterval_s = 60\n")).contains("time.start: \"today\""));
    assert!(
        error(&format!("{columns}[time]\nstart = \"2020-01-01T00:00:00Z\"\ninterval_s = 0\n")).contains("interval_s")
    );
    assert!(error(&format!("{columns}[time]\ncolumn = \"t\"\nstart = \"x\"\n")).contains("either column and formats"));
    assert!(
        error(&format!("separators = [\"ab\"]\n{columns}[time]\ncolumn = \"t\"\nformats = [\"%F %T\"]\n"))
            .contains("\"ab\"")
    );
}

#[test]
fn files_name_their_devices() {
    let path = Path::new("Dryer_1/Normal/dryer_1_day8.csv");
    assert_eq!(device_id_of(path, 1).unwrap().as_str(), "dryer_1_day8");
    assert_eq!(device_id_of(path, 2).unwrap().as_str(), "Normal-dryer_1_day8");
    assert!(device_id_of(Path::new("a day.csv"), 1).unwrap_err().to_string().contains("name the device instead"));
    let tenant = "home".parse().unwrap();
    let paths = ["a/day.csv".into(), "b/day.csv".into()];
    assert!(matches!(recordings(&tenant, &paths, 1, |_| String::new()), Err(ReplayError::SameDevice { .. })));
    assert_eq!(recordings(&tenant, &paths, 2, |_| String::new()).unwrap().len(), 2);
}
