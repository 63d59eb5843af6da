//! The house rules that a compiler does not check: who may depend on whom, what stays
//! pure, how files look.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};

/// Allowed dependencies among the crates of the workspace. The end-to-end tests may see all.
const MAY_DEPEND_ON: [(&str, &[&str]); 6] = [
    ("firmware-proto", &[]),
    ("broker", &["firmware-proto"]),
    ("diagnosis", &["firmware-proto"]),
    ("dispatch", &["firmware-proto"]),
    ("device-sim", &["firmware-proto"]),
    ("gateway", &["broker", "device-sim", "diagnosis", "dispatch", "firmware-proto"]),
];
const TESTS: &str = "fettle-tests";

/// Crates whose library does no IO, and the beginnings of crate names it must not see.
const PURE: [&str; 2] = ["diagnosis", "dispatch"];
const IMPURE: [&str; 11] =
    ["async-std", "axum", "hyper", "libsqlite3-sys", "mio", "reqwest", "rumqtt", "rusqlite", "sqlx", "tokio", "tonic"];
/// How a library would read the clock.
const CLOCKS: [&str; 4] = ["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now"];

const MAX_LINES: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the workspace").to_owned()
}

fn metadata(arguments: &[&str]) -> Metadata {
    let arguments = arguments.iter().map(|&a| a.to_owned()).chain(["--locked".to_owned()]).collect::<Vec<_>>();
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(arguments)
        .exec()
        .expect("cargo metadata runs and Cargo.lock is up to date")
}

fn member<'a>(metadata: &'a Metadata, name: &str) -> &'a Package {
    metadata.workspace_packages().into_iter().find(|p| p.name == name).expect("a crate of the workspace")
}

/// Workspace crates that a package's manifest names, in the tables that `wanted` accepts.
fn edges(package: &Package, members: &BTreeSet<&str>, wanted: impl Fn(DependencyKind) -> bool) -> BTreeSet<String> {
    let names = package.dependencies.iter().filter(|d| wanted(d.kind)).map(|d| d.name.clone());
    names.filter(|name| members.contains(name.as_str())).collect()
}

#[test]
fn imports_go_one_way() {
    let metadata = metadata(&[]);
    let packages = metadata.workspace_packages();
    let members: BTreeSet<&str> = packages.iter().map(|p| p.name.as_str()).collect();
    let known: BTreeSet<&str> = MAY_DEPEND_ON.iter().map(|(name, _)| *name).chain([TESTS]).collect();
    assert_eq!(members, known, "a new crate needs its place in DESIGN and here");

    for (name, allowed) in MAY_DEPEND_ON {
        let allowed: BTreeSet<String> = allowed.iter().map(|&n| n.to_owned()).collect();
        let package = member(&metadata, name);
        let found = edges(package, &members, |kind| kind != DependencyKind::Development);
        assert!(found.is_subset(&allowed), "{name} may depend on {allowed:?}, not on {found:?}");
        if name == "gateway" {
            assert_eq!(found, allowed, "the gateway is where all parts meet");
        }
        // Not for tests either: what confirms the diagnosis must not know it, and nobody
        // reaches up.
        let forbidden = if name == "device-sim" { vec!["diagnosis", "gateway", TESTS] } else { vec!["gateway", TESTS] };
        let for_tests = edges(package, &members, |kind| kind == DependencyKind::Development);
        assert!(forbidden.iter().all(|f| !for_tests.contains(*f)), "{name} must not see {forbidden:?}, not in tests");
    }
}

#[test]
fn pure_crates_depend_on_nothing_that_does_io() {
    let metadata = metadata(&["--no-default-features"]);
    for name in PURE {
        let start = &member(&metadata, name).id;
        let impure: Vec<String> = libraries_below(&metadata, start)
            .into_iter()
            .map(|id| metadata[id].name.to_string())
            .filter(|found| IMPURE.iter().any(|prefix| found.starts_with(prefix)))
            .collect();
        assert!(impure.is_empty(), "{name} must stay pure without default features, but sees {impure:?}");
    }
}

/// All packages that the library of `start` links, by its resolved normal dependencies.
fn libraries_below<'a>(metadata: &'a Metadata, start: &'a PackageId) -> BTreeSet<&'a PackageId> {
    let resolve = metadata.resolve.as_ref().expect("cargo metadata resolves unless told not to");
    let below: BTreeMap<_, Vec<_>> = resolve
        .nodes
        .iter()
        .map(|node| {
            let is_normal = |d: &&cargo_metadata::NodeDep| d.dep_kinds.iter().any(|k| k.kind == DependencyKind::Normal);
            (&node.id, node.deps.iter().filter(is_normal).map(|d| &d.pkg).collect())
        })
        .collect();
    let (mut seen, mut open) = (BTreeSet::new(), vec![start]);
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            open.extend(&below[id]);
        }
    }
    seen
}

#[test]
fn the_walk_finds_what_is_there() {
    let metadata = metadata(&[]);
    let below = libraries_below(&metadata, &member(&metadata, "gateway").id);
    let names: BTreeSet<&str> = below.into_iter().map(|id| metadata[id].name.as_str()).collect();
    // `mio` comes only by way of tokio.
    assert!(["diagnosis", "tokio", "mio"].iter().all(|name| names.contains(name)), "{names:?}");
}

#[test]
fn pure_crates_read_no_clock() {
    for name in PURE {
        let source = root().join(name).join("src");
        for file in rust_files(&source) {
            let is_library = !file.starts_with(source.join("bin")) && !file.ends_with("tests.rs");
            let text = read(&file);
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let clock = CLOCKS.iter().find(|clock| code.contains(**clock));
            assert!(!is_library || clock.is_none(), "{}: {clock:?}; take the time as a parameter", file.display());
        }
    }
}

#[test]
fn only_the_demo_uses_the_simulator() {
    let source = root().join("gateway/src");
    for file in rust_files(&source) {
        let inside = file.strip_prefix(&source).expect("found below it");
        let is_demo = inside.to_string_lossy().starts_with("demo");
        assert!(is_demo || !read(&file).contains("device_sim"), "{}: only the demo may use device_sim", file.display());
    }
}

#[test]
fn each_library_says_what_it_is() {
    let metadata = metadata(&["--no-deps"]);
    for package in metadata.workspace_packages() {
        for target in package.targets.iter().filter(|t| t.is_lib()) {
            let text = read(target.src_path.as_std_path());
            assert!(text.starts_with("//! "), "{}: begin with the crate's purpose", target.src_path);
        }
    }
}

#[test]
fn files_stay_readable() {
    let long: Vec<String> = rust_files(&root())
        .iter()
        .map(|file| (file, read(file).lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(file, lines)| format!("{} has {lines} lines", file.display()))
        .collect();
    assert!(long.is_empty(), "split at {MAX_LINES} lines: {long:#?}");
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// All Rust files below a folder of the workspace, except what is built or hidden.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable folder").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with('.') || name == "target" || name == "node_modules" {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if name.ends_with(".rs") {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "no Rust file below {}: a check that checks nothing", folder.display());
    found.sort();
    found
}
