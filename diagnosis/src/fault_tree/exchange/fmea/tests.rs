use super::*;
use crate::fault_tree::Limits;
use crate::fault_tree::exchange::{Format, inspect, toml};

const HEATER: &str = "\
Failure mode,Effects,Error code,Cause,Check,Remedy,Part,Cost,Rate per year,Owner
No flame,No hot water; Lockout,E1,Igniter dead,\"Watch for a spark, gas closed\",Replace the igniter,Igniter,29.00,0.05,ms
,,E1,Flame rod fouled,Look at the rod,Clean it,,,500 FIT,
Water too hot,Scalding,E7,Outlet sensor reads low,Compare with a thermometer,Replace the sensor,Sensor,11,2e-6/h,
,,,Mains voltage low,,,,,0.1,
No hot water in summer,No hot water,,Mains voltage low,,,,,,
Case scratched,,,,,,,,0.2,
";

const CHINESE: &str = "\
故障模式;影响;故障代码;原因;检查;措施;配件;费用;故障率（/年）
不点火;无热水;E1;点火针损坏;检查火花;更换点火针;点火针;29;0.05
不点火;无热水;E1;火焰棒脏;;清洁;;;0.02
";

fn read_one(text: &str) -> (Written, Problems) {
    read(&[Source { file: "t.csv", text }], &Options::default())
}

#[test]
fn a_table_becomes_a_draft_for_the_catalogue() {
    let (written, problems) = read_one(HEATER);
    assert_eq!(problems.to_string(), "");
    insta::assert_snapshot!(toml::write(&written));
}

#[test]
fn chinese_headings_and_semicolons_are_read() {
    let (written, problems) = read_one(CHINESE);
    assert_eq!(problems.to_string(), "");
    insta::assert_snapshot!(toml::write(&written));
}

#[test]
fn a_draft_is_a_tree_that_the_catalogue_can_read() {
    for text in [HEATER, CHINESE] {
        let (written, _) = read_one(text);
        let draft = toml::write(&written);
        let (read_back, problems) = toml::read(&[Source { file: "t.toml", text: &draft }], &Options::default());
        assert_eq!(problems.to_string(), "");
        let laws = |written: &Written| {
            written.tree.events.iter().map(|event| (event.name.clone(), event.law)).collect::<Vec<_>>()
        };
        let (mut ours, mut theirs) = (laws(&written), laws(&read_back));
        ours.sort_by(|a, b| a.0.cmp(&b.0));
        theirs.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(ours, theirs);
    }
}

#[test]
fn everything_that_is_wrong_is_told_with_line_and_column() {
    let text = "Failure mode,Cause,Rate\n,A,0.1\nM,A,lots\nM,B,-1\nM,C,0.1,more\nM,D,0.1\nN,D,0.2\nN,E,inf\n";
    let source = Source { file: "t.csv", text };
    let problems = inspect(Format::Fmea, &[source], &Options::default(), &Limits::default());
    let others = ["a,b\n1,2\n", "", "mode,cause\n"].map(|text| read_one(text).1.to_string());
    insta::assert_snapshot!(format!("{problems}\n{}", others.join("\n")));
}
