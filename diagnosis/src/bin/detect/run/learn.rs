//! Trains on text rows.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use diagnosis::detection::recording::{Model, Recording};

use super::layout::{LOOK_AHEAD, Layout, list};
use super::source::{Row, Source};

/// Trains on the first rows of a file.
pub fn from_rows(source: &Source, layout: &Layout, rows: &[Row]) -> Result<Model> {
    let mut recording = Recording::default();
    for row in rows {
        add(source, layout, row, &mut recording)?;
    }
    Model::train(&layout.names(), &[recording]).with_context(|| source.name())
}

/// Trains on the files of a folder. Columns that none of them has are taken out of the layout of
/// the file to judge, with a note.
pub fn from_folder(folder: &Path, layout: &mut Layout, ignore: &[String]) -> Result<Model> {
    let mut files = Vec::new();
    for path in csv_files(folder)? {
        let mut source = Source::open(&path)?;
        let ahead = source.take(LOOK_AHEAD)?;
        let present: Vec<String> = ignore.iter().filter(|name| source.header.contains(name)).cloned().collect();
        let found = Layout::find(&source, &ahead, &present)?;
        files.push((source, ahead, found));
    }
    let names: Vec<String> = files[0].2.names();
    if let Some(name) = names.iter().find(|name| !layout.names().contains(name)) {
        bail!("{}: column `{name}` was learned from but is not in the file to judge", files[0].0.name());
    }
    for (_, new) in layout.channels.extract_if(.., |(_, name)| !names.contains(name)) {
        layout
            .notes
            .push(format!("column `{new}` is new: no recording in {} has it, it is not judged", folder.display()));
    }
    let mut recordings = Vec::new();
    for (source, ahead, found) in &mut files {
        // Each file may have its own order of columns.
        found.channels = layout
            .channels
            .iter()
            .map(|(_, name)| match found.channels.iter().find(|(_, other)| other == name) {
                Some(channel) => Ok(channel.clone()),
                None => bail!("{}: has no column `{name}`; there are {}", source.name(), list(&source.header)),
            })
            .collect::<Result<_>>()?;
        let mut recording = Recording::default();
        for row in ahead {
            add(source, found, row, &mut recording)?;
        }
        while let Some(row) = source.next_row()? {
            add(source, found, &row, &mut recording)?;
        }
        recordings.push(recording);
    }
    Model::train(&layout.names(), &recordings).with_context(|| folder.display().to_string())
}

fn csv_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("{}: cannot be read", folder.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        bail!("{}: has no CSV file to learn from", folder.display());
    }
    Ok(paths)
}

fn add(source: &Source, layout: &Layout, row: &Row, recording: &mut Recording) -> Result<()> {
    let mut readings = vec![f64::NAN; layout.channels.len()];
    recording.times_ms.extend(layout.read(source, row, &mut readings)?);
    recording.readings.append(&mut readings);
    Ok(())
}
