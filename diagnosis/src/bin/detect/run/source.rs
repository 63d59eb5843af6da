//! A CSV file, row by row, with the place of each row.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};

/// Bytes of the beginning from which the separator is told.
const SNIFFED: u64 = 64 * 1024;

/// A file whose header has been read.
pub struct Source {
    path: PathBuf,
    pub header: Vec<String>,
    rows: Reader<BufReader<File>>,
}

/// One row and the line it stands on.
pub struct Row {
    pub line: u64,
    cells: StringRecord,
}

impl Row {
    /// The text of a column, without blanks around it.
    pub fn cell(&self, column: usize) -> &str {
        self.cells.get(column).unwrap_or("").trim()
    }
}

impl Source {
    pub fn open(path: &Path) -> Result<Self> {
        let open = || File::open(path).with_context(|| format!("{}: cannot be read", path.display()));
        let mut beginning = Vec::new();
        open()?.take(SNIFFED).read_to_end(&mut beginning).with_context(|| path.display().to_string())?;
        let separator = separator(&beginning);
        let rows = ReaderBuilder::new().delimiter(separator).flexible(true).from_reader(BufReader::new(open()?));
        let mut source = Self { path: path.to_owned(), header: Vec::new(), rows };
        let header = source.rows.headers().cloned().map_err(|error| source.unreadable(error))?;
        source.header = header.iter().map(|name| name.trim_start_matches('\u{feff}').trim().to_owned()).collect();
        if source.header.iter().all(String::is_empty) {
            bail!("{}: is empty; expected a header line with the names of the columns", path.display());
        }
        if source.header.iter().all(|name| name.parse::<f64>().is_ok()) {
            bail!("{} line 1: has numbers where the names of the columns are expected", path.display());
        }
        Ok(source)
    }

    /// The next row; None at the end.
    pub fn next_row(&mut self) -> Result<Option<Row>> {
        let mut cells = StringRecord::new();
        if !self.rows.read_record(&mut cells).map_err(|error| self.unreadable(error))? {
            return Ok(None);
        }
        let line = cells.position().map_or(0, csv::Position::line);
        let (found, expected) = (cells.len(), self.header.len());
        if found != expected {
            bail!("{} line {line}: has {found} cells; the header has {expected}", self.path.display());
        }
        Ok(Some(Row { line, cells }))
    }

    /// Up to `count` next rows.
    pub fn take(&mut self, count: usize) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        while rows.len() < count
            && let Some(row) = self.next_row()?
        {
            rows.push(row);
        }
        Ok(rows)
    }

    /// An error about one cell.
    pub fn wrong_cell(&self, row: &Row, column: usize, expected: &str) -> anyhow::Error {
        let (path, line, name, cell) = (self.path.display(), row.line, &self.header[column], row.cell(column));
        anyhow!("{path} line {line}, column `{name}`: `{cell}` is no {expected}")
    }

    /// The file's name for messages.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn unreadable(&self, error: csv::Error) -> anyhow::Error {
        let path = self.path.display();
        match error.kind() {
            ErrorKind::Utf8 { pos, .. } => {
                let line = pos.as_ref().map_or(1, csv::Position::line);
                anyhow!("{path} line {line}: is not UTF-8 text; save the file as UTF-8")
            }
            _ => anyhow!(error).context(path.to_string()),
        }
    }
}

/// The most frequent of the known separators in the header line; a comma if there is none.
fn separator(beginning: &[u8]) -> u8 {
    let header = beginning.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or(&[]);
    let count = |separator: u8| header.iter().filter(|byte| **byte == separator).count();
    [b'\t', b';', b','].into_iter().max_by_key(|separator| count(*separator)).unwrap_or(b',')
}
