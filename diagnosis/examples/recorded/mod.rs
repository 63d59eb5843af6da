//! Recorded data, which lies beside the project and not in it.

#![allow(dead_code, reason = "each program reads another part")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use flate2::read::GzDecoder;

/// The path of a recorded file. Without it, says so, notes it in the list of what was skipped
/// (`FETTLE_SKIPPED`) and returns None.
pub fn path(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")).join(name);
    if path.exists() {
        return Some(path);
    }
    let reason = format!("{name}: no recorded data beside the project");
    println!("skipped: {reason}");
    if let Some(list) = std::env::var_os("FETTLE_SKIPPED") {
        let list = File::options().append(true).create(true).open(list);
        list.and_then(|mut list| writeln!(list, "{reason}")).expect("the list of skipped tests can be written");
    }
    None
}

/// The text of a gzipped file.
pub fn text(name: &str) -> io::Result<Option<String>> {
    let Some(path) = path(name) else { return Ok(None) };
    let mut text = String::new();
    GzDecoder::new(File::open(path)?).read_to_string(&mut text)?;
    Ok(Some(text))
}

/// The files of a gzipped archive by their paths in it.
pub fn archive(name: &str) -> io::Result<Option<BTreeMap<String, String>>> {
    let Some(path) = path(name) else { return Ok(None) };
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(path)?));
    let mut files = BTreeMap::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() {
            let path = entry.path()?.to_string_lossy().into_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            files.insert(path, String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    Ok(Some(files))
}
