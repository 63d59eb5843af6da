//! The files of a corpus and its labels.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use firmware_proto::DeviceTime;

use super::series::time;

const LABELS: &str = "combined_windows.json";

/// First and last time of a labelled window.
pub type Window = (DeviceTime, DeviceTime);

/// One series to score.
pub struct Entry {
    /// Its folder's name.
    pub category: String,
    /// Its file's name.
    pub series: String,
    pub file: PathBuf,
}

impl Entry {
    /// The name by which labels refer to it.
    pub fn name(&self) -> String {
        format!("{}/{}", self.category, self.series)
    }
}

/// What is to be scored.
pub struct Corpus {
    /// By category and name.
    pub entries: Vec<Entry>,
    /// The file that the windows are from.
    pub labels: Option<PathBuf>,
    /// Labelled windows by the name of the series.
    pub windows: BTreeMap<String, Vec<Window>>,
}

impl Corpus {
    /// Finds the series in a folder, in its data folder, or in the folders therein.
    ///
    /// # Errors
    /// There is no such folder, it cannot be read, there is no CSV file, or the labels cannot be read.
    pub fn find(folder: &Path) -> Result<Self> {
        let root = folder.canonicalize().with_context(|| folder.display().to_string())?;
        if !root.is_dir() {
            bail!("{}: is a file; name the folder that holds the data", folder.display());
        }
        let data = root.join("data");
        let root = if data.is_dir() { data } else { root };
        let mut entries = series_in(&root)?;
        for category in sorted(&root)? {
            if category.is_dir() {
                entries.extend(series_in(&category)?);
            }
        }
        if entries.is_empty() {
            bail!("{}: no CSV file in it, in its folders or in its data folder", folder.display());
        }
        let labels = labels(&root);
        let windows = labels.as_deref().map(windows).transpose()?.unwrap_or_default();
        Ok(Self { entries, labels, windows })
    }
}

/// The CSV files in a folder, which names their category.
fn series_in(folder: &Path) -> Result<Vec<Entry>> {
    let category = name(folder);
    let files =
        sorted(folder)?.into_iter().filter(|file| file.is_file() && file.extension() == Some(OsStr::new("csv")));
    Ok(files.map(|file| Entry { category: category.clone(), series: name(&file), file }).collect())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let context = || folder.display().to_string();
    let entries = fs::read_dir(folder).with_context(context)?;
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().with_context(context)?;
    paths.sort();
    Ok(paths)
}

/// The file of labels beside the data or in a labels folder, up to two folders above it.
fn labels(root: &Path) -> Option<PathBuf> {
    let folders = root.ancestors().take(3);
    let mut files = folders.flat_map(|folder| [folder.join(LABELS), folder.join("labels").join(LABELS)]);
    files.find(|file| file.is_file())
}

fn windows(file: &Path) -> Result<BTreeMap<String, Vec<Window>>> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let named: BTreeMap<String, Vec<(String, String)>> = serde_json::from_str(&text)
        .with_context(|| format!("{}: must hold {{\"category/series.csv\": [[first, last], ...]}}", file.display()))?;
    let parse = |(series, windows): (String, Vec<(String, String)>)| {
        let parsed = windows.iter().map(|(first, last)| Ok((time(first)?, time(last)?))).collect::<Result<_>>();
        parsed.with_context(|| format!("{}: {series}", file.display())).map(|windows| (series, windows))
    };
    named.into_iter().map(parse).collect()
}
