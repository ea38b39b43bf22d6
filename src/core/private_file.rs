//! Files that are their owner's alone: keys, and what was trusted.
//!
//! On Unix by their permissions. On Windows a file in a user's profile is that user's by the access list that it
//! inherits, and nothing safe tells who else may read another one: so there nothing is said about it.

use std::io;
use std::path::{Path, PathBuf};

/// Makes a directory, and those above it, that only its owner may enter. One that exists is left as it is.
pub fn create_directory(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)
}

/// Writes a file as a whole under its name, in a directory that exists. A crash leaves the old one or the new one.
pub fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let file = written(path, contents)?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// The same unless there is one: then that stays, and the error is [`io::ErrorKind::AlreadyExists`].
pub fn create(path: &Path, contents: &[u8]) -> io::Result<()> {
    let file = written(path, contents)?;
    file.persist_noclobber(path)
        .map(drop)
        .map_err(|error| error.error)
}

/// A temporary file, which is made with the permissions 600, beside the one that it becomes.
fn written(path: &Path, contents: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    use std::io::Write;
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(contents)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Whether others than the owner may read a file; `None`: not known.
pub fn is_readable_by_others(path: &Path) -> Option<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path).ok()?.permissions().mode();
        Some(mode & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// Where a program keeps what it has to remember between runs, for each user: `$XDG_STATE_HOME/sockkit`, else
/// `~/.local/state/sockkit` (XDG Base Directory Specification), `~/Library/Application Support/sockkit` on macOS,
/// `%LOCALAPPDATA%\sockkit` on Windows. `None`: no such place is known.
pub fn state_directory() -> Option<PathBuf> {
    let variable = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            // A relative path is to be ignored: so says the specification.
            .filter(|path| path.is_absolute())
    };
    let home = || variable("HOME");
    let base = variable("XDG_STATE_HOME").or_else(|| {
        if cfg!(windows) {
            variable("LOCALAPPDATA")
        } else if cfg!(target_vendor = "apple") {
            home().map(|home| home.join("Library").join("Application Support"))
        } else {
            home().map(|home| home.join(".local").join("state"))
        }
    })?;
    Some(base.join("sockkit"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_created_once_and_replaced_whole() {
        let dir = tempfile::tempdir().expect("a directory");
        let inner = dir.path().join("a").join("b");
        create_directory(&inner).expect("made");
        create_directory(&inner).expect("there already");
        let path = inner.join("key");
        create(&path, b"one").expect("created");
        let again = create(&path, b"two").expect_err("it is there");
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).expect("read"), b"one");
        replace(&path, b"three").expect("replaced");
        assert_eq!(std::fs::read(&path).expect("read"), b"three");
        assert_ne!(is_readable_by_others(&path), Some(true));
        assert_eq!(std::fs::read_dir(&inner).expect("read").count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_the_group_may_read_is_known() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("key");
        create(&path, b"key").expect("created");
        for (mode, others) in [(0o600, false), (0o640, true), (0o604, true), (0o400, false)] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("set");
            assert_eq!(is_readable_by_others(&path), Some(others), "{mode:o}");
        }
    }
}
