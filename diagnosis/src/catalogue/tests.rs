use std::fs;

use super::*;
use crate::testing::{HIGH, thing};

#[test]
fn the_built_in_catalogue_loads() {
    let catalogue = Catalogue::builtin().unwrap_or_else(|errors| panic!("{errors}"));
    let keys: Vec<&str> = catalogue.iter().map(|ty| ty.key.as_str()).collect();
    assert_eq!(keys, ["gas-water-heater", "power-meter", "refrigerator", "split-ac"]);
    assert_eq!(catalogue.of_model("RF-420").unwrap().key, "refrigerator");
    for ty in catalogue.iter() {
        for cause in &ty.causes {
            assert!(!cause.sop.is_empty() && !cause.skill.is_empty(), "{} {}", ty.key, cause.key);
        }
        for action in &ty.actions {
            assert!(!action.automatic || action.risk <= crate::RiskClass::R2);
        }
    }
}

#[test]
fn each_visit_of_the_manual_takes_its_parts() {
    let catalogue = Catalogue::builtin().unwrap();
    let needed = |ty: &str, cause: &str| -> Vec<String> {
        let ty = catalogue.get(ty).unwrap();
        ty.parts_for(cause).filter(|(_, need)| need.needed).map(|(part, _)| part.key.clone()).collect()
    };
    assert_eq!(needed("split-ac", "refrigerant_leak"), ["refrigerant_r32", "valve_core"]);
    assert_eq!(needed("split-ac", "outdoor_fan_motor_worn"), ["outdoor_fan_motor"]);
    assert_eq!(needed("split-ac", "compressor_valve_worn"), ["ac_compressor"]);
    assert_eq!(needed("refrigerator", "door_seal_worn"), ["door_gasket"]);
    assert_eq!(needed("refrigerator", "defrost_heater_open"), ["defrost_heater"]);
    assert_eq!(needed("refrigerator", "compressor_valve_worn"), ["rf_compressor"]);
    assert_eq!(needed("gas-water-heater", "igniter_dead"), ["igniter"]);
    assert_eq!(needed("gas-water-heater", "flame_rod_fouled"), ["flame_rod"]);
    assert_eq!(needed("gas-water-heater", "fan_motor_worn"), ["fan_motor"]);
    assert_eq!(needed("gas-water-heater", "heat_exchanger_scaled"), ["descaling_kit"]);
}

const PROFILE: &str = r#"name = "Thing"
models = ["T-1"]
telemetry_interval = "often"
settle = "60 min"
colour = "red"

[datapoints]
a = { kind = "number", range = [10, 1] }
b = { kind = "numbr" }
on = { kind = "flag", range = [0, 1] }
error_code = { kind = "text" }

[error_codes]
E1 = { text = "Broken" }

[actions.blast]
text = "Opens the gas"
risk = "R4"
automatic = true
timeout = "1 min"
preconditions = [{ name = "idle", require = "a = 0" }, { name = "long idle", require = "on for 5 min" }]

[actions.reset]
text = "Resets"
risk = "R1"
automatic = true
timeout = "1 min"
arguments.sensor = { kind = "text", values = ["a"] }
"#;

const DETECTORS: &str = r#"
[detectors.high]
name = "Too high"
when = ["an"]
violated = "a > 10 and temperature > 5"
on_delay = "2 min"
off_delay = "3 min"
false_alarm = 1.5

[detectors.code]
name = "Code"
violated = "error_code == 'E2'"
on_delay = "2 minutes"
off_delay = "3 min"
false_alarm = 0.1

[detectors.spare]
name = "Spare"
violated = "on"
on_delay = "2 min"
off_delay = "3 min"
false_alarm = 0.1
threshold = 5

[detectors.unlinked]
name = "Unlinked"
violated = "on"
on_delay = "2 min"
off_delay = "3 min"
false_alarm = 0.1

[drifts.drift]
name = "Drift"
channel = "a * on"
direction = "sideways"
block = "10 min"
learn = 1
baseline = [3, 1]
min_sigma = 0
false_alarm = 0.1
"#;

const FAULTS: &str = r#"top = "topp"

[gates]
top = { name = "Top", any = ["broken", "bent", "loop"] }
loop = { name = "Loop", all = ["top"], any = ["broken"] }

[causes.broken]
name = "Broken"
prior = -0.1
skill = "any"
sop = "Mend it."

[causes.locked]
name = "Locked"
lockout = true
skill = "any"
sop = "Mend it."

[links.unlinked]
brocken = 0.9
"#;

const REPAIRS: &str = r#"
[repairs.locked]
action = "resett"
max_attempts = 5
success = 0.8
verify = { clear = [], hold = "5 min", samples = 0, grace = "3 min", fail_after = 2, window = "3 min", guards = ["b <"] }

[repairs.broken]
action = "reset"
arguments = { speed = 4 }
max_attempts = 1
success = 0.8
verify = { clear = ["unlinked"], hold = "5 min", samples = 4, grace = "3 min", fail_after = 2, window = "30 min" }
"#;

const PARTS: &str = r#"
[parts]
bolt = { name = "Bolt", price_cents = -5 }

[causes.broken]
bolts = { quantity = 0 }
"#;

#[test]
fn all_errors_are_reported_together() {
    let errors = type_of("thing", [PROFILE, DETECTORS, FAULTS, REPAIRS, PARTS]).unwrap_err();
    insta::assert_snapshot!(errors.to_string());
}

#[test]
fn broken_toml_names_the_line() {
    let errors = type_of("thing", ["name = \"Thing\"\nmodels = [\n", "a b = 3", "top =", "= 4", "[x"]).unwrap_err();
    insta::assert_snapshot!(errors.to_string());
}

#[test]
fn a_circle_of_gates_is_found() {
    let faults = "top = \"a\"\n[gates]\na = { name = \"A\", any = [\"b\", \"x\"] }\nb = { name = \"B\", any = [\"a\"] }\n\
                  lost = { name = \"Lost\", at_least = 3, of = [\"x\", \"y\"] }\n\
                  [causes]\nx = { name = \"X\", prior = 0.1, skill = \"s\", sop = \"\" }\ny = { name = \"Y\", prior = 0.1, skill = \"s\", sop = \"\" }\n";
    let errors = type_of("thing", ["", "", faults, "", ""]).unwrap_err();
    let circle = errors.0.iter().find(|e| e.field == "gates.a").unwrap();
    assert_eq!((circle.line, circle.reason.as_str()), (3, "depends on itself, a -> b -> a: break the circle"));
    assert!(errors.0.iter().any(|e| e.field == "gates.lost" && e.reason.starts_with("at least 3 of 2 inputs")));
}

#[test]
fn an_overlay_replaces_and_adds_types() {
    let dir = tempfile::tempdir().unwrap();
    let builtin = Path::new(env!("CARGO_MANIFEST_DIR")).join("catalog/power-meter");
    for key in ["power-meter", "smart-plug"] {
        fs::create_dir(dir.path().join(key)).unwrap();
        for file in source::FILES {
            let text = fs::read_to_string(builtin.join(file)).unwrap();
            let text = text.replace("Metered outlet\"", &format!("{key} from the overlay\""));
            fs::write(dir.path().join(key).join(file), text).unwrap();
        }
    }
    fs::write(dir.path().join("README.md"), "not a type").unwrap();
    let catalogue = Catalogue::with_overlay(dir.path()).unwrap();
    assert_eq!(catalogue.iter().count(), 5);
    assert_eq!(catalogue.get("power-meter").unwrap().name, "power-meter from the overlay");

    fs::remove_file(dir.path().join("smart-plug/parts.toml")).unwrap();
    fs::write(dir.path().join("power-meter/repairs.toml"), "[repairs.x]\naction = \"y\"\n").unwrap();
    let errors = Catalogue::with_overlay(dir.path()).unwrap_err();
    assert_eq!(errors.0.len(), 2, "{errors}");
    assert!(errors.0.iter().any(|e| e.file.ends_with("smart-plug/parts.toml") && e.line == 0));
    assert!(errors.0.iter().any(|e| e.file.ends_with("power-meter/repairs.toml") && e.field == "repairs.x"));
    assert!(Catalogue::with_overlay(&dir.path().join("nowhere")).is_err());
}

#[test]
fn two_types_cannot_claim_one_model() {
    let dir = tempfile::tempdir().unwrap();
    let builtin = Path::new(env!("CARGO_MANIFEST_DIR")).join("catalog/refrigerator");
    fs::create_dir(dir.path().join("fridge")).unwrap();
    for file in source::FILES {
        fs::copy(builtin.join(file), dir.path().join("fridge").join(file)).unwrap();
    }
    let errors = Catalogue::with_overlay(dir.path()).unwrap_err();
    assert_eq!(errors.0[0].reason, "model \"RF-420\" belongs to type fridge already");
}

#[test]
fn datapoints_say_what_is_wrong_and_what_is_right() {
    use firmware_proto::Value;
    let ty = thing(HIGH);
    let check = |name: &str, value: Value| ty.datapoints[ty.datapoint(name).unwrap()].check(&value).unwrap_err();
    assert_eq!(check("a", Value::from(f64::NAN)), "is NaN, must be a finite number from -1000 to 1000 K");
    assert_eq!(check("a", Value::from(2_000.0)), "is 2000, must be from -1000 to 1000 K");
    assert_eq!(check("a", Value::Bool(true)), "is true, must be a number from -1000 to 1000 K");
    assert_eq!(check("on", Value::Int(1)), "is 1, must be true or false");
    assert_eq!(check("mode", Value::from("heat")), "is \"heat\", must be one of cool, off");
    assert_eq!(check("count", Value::from(1.5)), "is 1.5, must be a whole number");
    assert_eq!(check("error_code", Value::Text("x".repeat(65))), "has 65 bytes, must have at most 64");
    assert!(ty.datapoints[0].check(&Value::Int(4)).is_ok());
    assert!(ty.datapoints[ty.datapoint("count").unwrap()].check(&Value::from(4.0)).is_ok());
}
