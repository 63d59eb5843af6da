//! Files that are there as a whole or not at all.

use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::CertsError;

/// Who may read a file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Access {
    /// Its owner.
    Secret,
    /// Everybody.
    Public,
}

/// Writes beside the place and renames, so that a reader sees the old or the new file.
pub(super) fn write(path: &Path, text: &str, access: Access) -> Result<(), CertsError> {
    let attempt = || {
        let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        let mode = match access {
            Access::Secret => 0o600,
            Access::Public => 0o644,
        };
        file.as_file().set_permissions(std::fs::Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|error| error.error)
    };
    attempt().map_err(|source| CertsError::File { path: path.to_owned(), action: "written", source })
}

/// Reads a file of the authority.
pub(super) fn read(path: &Path) -> Result<String, CertsError> {
    std::fs::read_to_string(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => CertsError::NoAuthority(path.to_owned()),
        _ => CertsError::File { path: path.to_owned(), action: "read", source },
    })
}
