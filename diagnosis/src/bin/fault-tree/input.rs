//! The tree that every subcommand reads.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use diagnosis::fault_tree::exchange::{self, Format, MAX_BYTES, Options, Source, Written};
use diagnosis::fault_tree::{FaultTree, Limits, Problem, ProblemKind, Problems, StaticTree, check, expand};
use diagnosis::{ApplianceType, Catalogue};

/// Which tree, and how it is read.
#[derive(clap::Args)]
pub struct Input {
    /// Files of one tree, or the folder of an appliance type in the catalogue
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Format of the files; by default their extension tells
    #[arg(long, value_enum)]
    format: Option<Named>,
    /// The top event's gate, if the files leave a choice
    #[arg(long, value_name = "GATE")]
    top: Option<String>,
    /// Mission time for files that refer to it without saying how long it is
    #[arg(long, value_name = "TIME", default_value_t = Options::default().mission_time)]
    mission_time: f64,
    /// Machine-readable output
    #[arg(long)]
    pub json: bool,
}

/// A format as it is named on the command line.
#[derive(Clone, Copy, ValueEnum)]
pub enum Named {
    /// The catalogue's own
    Toml,
    /// Open-PSA model exchange format (XML)
    Mef,
    /// Galileo text
    Galileo,
    /// Failure modes and effects as a table (CSV)
    Fmea,
}

impl From<Named> for Format {
    fn from(named: Named) -> Self {
        match named {
            Named::Toml => Self::Toml,
            Named::Mef => Self::Mef,
            Named::Galileo => Self::Galileo,
            Named::Fmea => Self::Fmea,
        }
    }
}

/// Most files one tree is read from: bounds what transfers can pull in.
const MAX_FILES: usize = 100;

/// The texts of one tree.
pub struct Opened {
    format: Format,
    texts: Vec<(String, String)>,
    options: Options,
}

impl Opened {
    fn sources(&self) -> Vec<Source<'_>> {
        self.texts.iter().map(|(file, text)| Source { file, text }).collect()
    }

    /// Everything that is wrong with the tree.
    pub fn inspect(&self, limits: &Limits<'_>) -> Problems {
        exchange::inspect(self.format, &self.sources(), &self.options, limits)
    }
}

impl Input {
    /// Opens the files of the tree.
    ///
    /// # Errors
    /// A file cannot be read, or is no text.
    pub fn open(&self) -> Result<Opened> {
        if !(self.mission_time.is_finite() && self.mission_time >= 0.0) {
            bail!("--mission-time is {}: it is a finite number, 0 or more", self.mission_time);
        }
        let files: Vec<PathBuf> = self.files.iter().map(|path| faults_file(path)).collect();
        let format = self.format(&files)?;
        let options = Options { top: self.top.clone(), mission_time: self.mission_time };
        let mut opened = Opened { format, texts: Vec::new(), options };
        opened.texts = files.iter().map(|file| text(file)).collect::<Result<_>>()?;
        if format == Format::Toml {
            add_transfers(&mut opened.texts)?;
        }
        Ok(opened)
    }

    /// Reads a tree that has a meaning.
    ///
    /// # Errors
    /// [`Problems`] with something fatal among them, or that a file cannot be read.
    pub fn read_written(&self) -> Result<Written> {
        let opened = self.open()?;
        let written = exchange::read(opened.format, &opened.sources(), &opened.options)?;
        let problems = check(&written);
        if problems.is_fatal() {
            return Err(problems.into());
        }
        Ok(written)
    }

    /// Reads a tree that can be quantified.
    ///
    /// # Errors
    /// As [`Input::read_written`].
    pub fn read(&self) -> Result<FaultTree> {
        self.read_written().map(|written| written.tree)
    }

    /// Reads a tree and makes its gates static and its events independent.
    ///
    /// # Errors
    /// As [`Input::read_written`], and what cannot be expanded.
    pub fn read_static(&self) -> Result<StaticTree> {
        Ok(expand(&self.read()?)?)
    }

    /// The appliance type, if it is the folder of one that the tree is read from.
    ///
    /// # Errors
    /// What is wrong with the type's files.
    pub fn appliance_type(&self) -> Result<Option<Arc<ApplianceType>>> {
        match self.files.as_slice() {
            [folder] if folder.is_dir() => appliance_type(folder).map(Some),
            _ => Ok(None),
        }
    }

    fn format(&self, files: &[PathBuf]) -> Result<Format> {
        if let Some(named) = self.format {
            return Ok(named.into());
        }
        let mut formats = Vec::new();
        for file in files {
            let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
            let Some(format) = Format::of_extension(extension) else {
                bail!("{}: the extension tells no format, say --format toml, mef, galileo or fmea", file.display());
            };
            formats.push(format);
        }
        if formats.windows(2).any(|pair| pair[0] != pair[1]) {
            bail!("the files are of several formats: one tree is in one format");
        }
        formats.first().copied().context("no files")
    }
}

/// The appliance type in a folder of the catalogue, or beside its `faults.toml`.
///
/// # Errors
/// No such folder, and what is wrong with the type's files.
pub fn appliance_type(path: &Path) -> Result<Arc<ApplianceType>> {
    let whole = path.canonicalize().with_context(|| path.display().to_string())?;
    let folder = match whole.parent() {
        Some(folder) if whole.ends_with(FAULTS) => folder,
        _ if whole.is_dir() => &whole,
        _ => bail!("{}: give the folder of an appliance type, or its {FAULTS}", path.display()),
    };
    Ok(Catalogue::type_in(folder)?)
}

/// Adds the files that gates are taken from, and those that these take gates from.
fn add_transfers(texts: &mut Vec<(String, String)>) -> Result<()> {
    let mut next = 0;
    while let Some((file, written)) = texts.get(next) {
        next += 1;
        for path in exchange::toml::transfers(Source { file, text: written }) {
            if texts.iter().all(|(file, _)| Path::new(file) != path) {
                if texts.len() == MAX_FILES {
                    bail!("the tree is spread over more than {MAX_FILES} files: join some of them");
                }
                texts.push(text(&path)?);
            }
        }
    }
    Ok(())
}

/// The file that holds an appliance type's tree.
const FAULTS: &str = "faults.toml";

/// The file a tree is read from.
fn faults_file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(FAULTS) } else { path.to_owned() }
}

/// Name and text of a file; no more of it is read than the limit.
fn text(path: &Path) -> Result<(String, String)> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(|| name.clone())?;
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).with_context(|| name.clone())?;
    if bytes.len() > MAX_BYTES {
        return Err(Problems::from(exchange::too_big(&name)).into());
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok((name, text)),
        Err(error) => {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
            let (field, reason) = ("encoding".to_owned(), "not UTF-8: save the file as UTF-8".to_owned());
            Err(Problems::from(Problem { kind: ProblemKind::Encoding, file: name, line, field, reason }).into())
        }
    }
}
