//! Where results go.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};

/// Writes to a file, or to standard output if there is none. A reader that has gone, such as
/// `head`, is no error.
///
/// # Errors
/// The file cannot be written.
pub fn write(file: Option<PathBuf>, text: &str) -> Result<()> {
    if let Some(path) = file {
        return std::fs::write(&path, text).with_context(|| path.display().to_string());
    }
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("standard output"),
        _ => Ok(()),
    }
}
