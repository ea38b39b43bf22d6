//! `-o FILE`: one file at a path that the user gave, which need not be beneath the target directory.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::core::sanitise::sanitise_str;
use crate::transfer::path::PeerPath;
use crate::transfer::store::failure::{Failure, Reason};
use crate::transfer::store::{Policy, Store};

/// Where a single file goes.
#[derive(Debug)]
pub enum Outfile {
    /// To a name in a directory: stored like every other file, with the offered entry's path replaced by this one.
    Stored {
        /// Of the directory.
        store: Store,
        /// The name in it.
        path: PeerPath,
    },
    /// To a device or FIFO (`/dev/null`, `>(cmd)`): streamed, like stdout.
    Stream(File),
}

impl Outfile {
    /// Opens what `file` names. A link is the user's own and is followed; the one that it names at last is what
    /// is replaced.
    pub fn open(file: &Path, policy: Policy) -> Result<Self, Failure> {
        let shown = sanitise_str(&file.to_string_lossy()).into_owned();
        let fail = |error| Failure::new("open", &shown, error);
        let file = match resolve(file) {
            Ok(file) => file,
            Err(error) => {
                return Err(match target_of(file, &error) {
                    Some(target) => Failure::refused("open", &shown, Reason::LinkToNothing(target)),
                    None => fail(error),
                });
            }
        };
        match std::fs::metadata(&file) {
            Ok(metadata) if metadata.is_dir() => {
                return Err(fail(io::ErrorKind::IsADirectory.into()));
            }
            Ok(metadata) if !metadata.is_file() => {
                let stream = OpenOptions::new().write(true).open(&file).map_err(fail)?;
                return Ok(Self::Stream(stream));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(fail(error)),
        }
        let name = file
            .file_name()
            .ok_or_else(|| fail(io::ErrorKind::InvalidFilename.into()))?;
        let path =
            PeerPath::from_components([name.as_encoded_bytes().to_vec()]).map_err(|error| {
                fail(io::Error::new(
                    io::ErrorKind::InvalidFilename,
                    error.to_string(),
                ))
            })?;
        let dir = match file.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        };
        let store = Store::open(dir, policy)?;
        Ok(Self::Stored { store, path })
    }
}

/// Follows a link to the file that it names.
fn resolve(file: &Path) -> io::Result<PathBuf> {
    match std::fs::symlink_metadata(file) {
        Ok(metadata) if metadata.is_symlink() => file.canonicalize(),
        _ => Ok(file.to_path_buf()),
    }
}

/// Where a link points at nothing, what it says; safe to print.
fn target_of(link: &Path, error: &io::Error) -> Option<String> {
    let target = std::fs::read_link(link).ok();
    target
        .filter(|_| error.kind() == io::ErrorKind::NotFound)
        .map(|target| sanitise_str(&target.to_string_lossy()).into_owned())
}
