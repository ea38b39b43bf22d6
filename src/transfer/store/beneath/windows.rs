//! Directory handles on Windows, as far as std goes without `unsafe`.
//!
//! Each directory on the way is opened with `FILE_FLAG_OPEN_REPARSE_POINT` (so the link itself is opened, not what
//! it points at), looked at through that handle, and kept open without `FILE_SHARE_DELETE`: while it is, nobody can
//! rename, delete or replace it, so the path that std needs keeps its meaning.
//!
//! Not guaranteed here: somebody with the right to write may still turn an *empty* directory that is held open into
//! a junction (`FSCTL_SET_REPARSE_POINT` needs no deletion); names in a directory are addressed by path, so that the
//! last component is checked and then used in two steps; modes are not kept; a directory cannot be flushed.

use std::ffi::OsStr;
use std::fs::{File, FileTimes, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Seen, Space, Stray, What};
use crate::transfer::entry::ModifiedAt;

// winnt.h, winbase.h
const FILE_SHARE_READ: u32 = 1;
const FILE_SHARE_WRITE: u32 = 2;
const FILE_SHARE_DELETE: u32 = 4;
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
const FILE_ATTRIBUTE_REPARSE_POINT: u32 = 0x400;
const FILE_WRITE_ATTRIBUTES: u32 = 0x100;

/// A directory and those above it, held open.
#[derive(Debug)]
pub struct Dir {
    path: PathBuf,
    /// From the target directory down to this one.
    pins: Vec<Arc<File>>,
}

impl Dir {
    /// Opens the directory that the user named; links on the way to it are his own.
    pub fn open(path: &Path) -> io::Result<Self> {
        // The canonical form is a verbatim path (`\\?\`): no limit of 260 characters, no meaning of `NUL` or dots.
        let path = path.canonicalize()?;
        let pin = pin(&path)?;
        Ok(Self {
            path,
            pins: vec![Arc::new(pin)],
        })
    }

    /// The directory at `components` beneath this one. No component may be a link.
    pub fn descend(&self, components: &[&[u8]]) -> Result<Self, Stray> {
        let mut here = self.reopen().map_err(Stray::System)?;
        for (index, name) in components.iter().enumerate() {
            let next = here.child(name).map_err(|error| match here.look(name) {
                Ok(None) => Stray::Missing(index),
                Ok(Some(seen)) if seen.what == What::Link => Stray::Link(index),
                Ok(Some(seen)) if seen.what != What::Directory => Stray::NoDirectory(index),
                _ => Stray::System(error),
            })?;
            here = next;
        }
        Ok(here)
    }

    /// The same, where it is no matter which one is missing.
    pub fn descend_if_there(&self, components: &[&[u8]]) -> Result<Option<Self>, Stray> {
        match self.descend(components) {
            Err(Stray::Missing(_)) => Ok(None),
            done => done.map(Some),
        }
    }

    /// The directory `name` in this one.
    pub fn child(&self, name: &[u8]) -> io::Result<Self> {
        let path = self.at(name)?;
        let mut pins = self.pins.clone();
        pins.push(Arc::new(pin(&path)?));
        Ok(Self { path, pins })
    }

    /// A second handle for the same directory.
    pub fn reopen(&self) -> io::Result<Self> {
        Ok(Self {
            path: self.path.clone(),
            pins: self.pins.clone(),
        })
    }

    /// Makes the directory `name`. Access is inherited from the directory above.
    pub fn make_dir(&self, name: &[u8], _mode: u32) -> io::Result<()> {
        std::fs::create_dir(self.at(name)?)
    }

    /// What `name` is, without following it.
    pub fn look(&self, name: &[u8]) -> io::Result<Option<Seen>> {
        match std::fs::symlink_metadata(self.at(name)?) {
            Ok(metadata) => Ok(Some(seen(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What an open file is.
    pub fn identify(file: &File) -> io::Result<Seen> {
        Ok(seen(&file.metadata()?))
    }

    /// What this directory itself is.
    pub fn identify_self(&self) -> io::Result<Seen> {
        Ok(seen(&std::fs::symlink_metadata(&self.path)?))
    }

    /// Opens `name` for reading and writing and makes it if it is missing. Nobody else may write it meanwhile.
    pub fn open_or_create(&self, name: &[u8]) -> io::Result<File> {
        self.open_file(name, OpenOptions::new().read(true).write(true).create(true))
    }

    /// Makes `name`, which must not exist.
    pub fn create_new(&self, name: &[u8]) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        self.open_file(name, &mut options)
    }

    /// There are no files without a name here.
    pub fn create_unnamed(&self, _mode: u32) -> io::Result<Option<File>> {
        Ok(None)
    }

    /// Nor is there one to be given a name.
    pub fn name_new(&self, _file: &File, _name: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Opens `name` for reading.
    pub fn open_read(&self, name: &[u8]) -> io::Result<File> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
            .open(self.at(name)?)?;
        no_reparse_point(file)
    }

    /// Renames within this directory and fails with `AlreadyExists` if `to` exists: by a second name for a moment,
    /// and where there are no hard links (FAT) by a look and then a rename.
    pub fn rename_new(&self, from: &[u8], to: &[u8]) -> io::Result<()> {
        match std::fs::hard_link(self.at(from)?, self.at(to)?) {
            Ok(()) => self.unlink(from),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            Err(_) => match self.look(to)? {
                Some(_) => Err(io::ErrorKind::AlreadyExists.into()),
                None => self.rename_over(from, to),
            },
        }
    }

    /// Renames within this directory; a file under the name `to` is replaced, never followed.
    pub fn rename_over(&self, from: &[u8], to: &[u8]) -> io::Result<()> {
        std::fs::rename(self.at(from)?, self.at(to)?)
    }

    /// Removes a file.
    pub fn unlink(&self, name: &[u8]) -> io::Result<()> {
        std::fs::remove_file(self.at(name)?)
    }

    /// Links need a privilege and a kind that nobody tells us: not made.
    pub fn symlink(&self, _target: &[u8], _name: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Where the link `name` points.
    pub fn read_link(&self, name: &[u8]) -> io::Result<Vec<u8>> {
        let target = std::fs::read_link(self.at(name)?)?;
        Ok(target.to_string_lossy().into_owned().into_bytes())
    }

    /// Links are not made.
    pub fn set_link_time(&self, _name: &[u8], _modified: ModifiedAt) -> io::Result<()> {
        Ok(())
    }

    /// Sets the time of an open file; there is no mode.
    pub fn dress_file(file: &File, _mode: u32, modified: ModifiedAt) -> io::Result<()> {
        file.set_times(FileTimes::new().set_modified(time(modified)))
    }

    /// The same, of one that has the mode it is to have.
    pub fn date_file(file: &File, modified: ModifiedAt) -> io::Result<()> {
        Self::dress_file(file, 0, modified)
    }

    /// Sets the time of this directory.
    pub fn dress(&self, _mode: u32, modified: ModifiedAt) -> io::Result<()> {
        OpenOptions::new()
            .access_mode(FILE_WRITE_ATTRIBUTES)
            .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
            .open(&self.path)?
            .set_times(FileTimes::new().set_modified(time(modified)))
    }

    /// Whether that has been done, and nothing since.
    pub fn is_dressed(&self, _mode: u32, modified: ModifiedAt) -> io::Result<bool> {
        Ok(self.identify_self()?.modified == modified)
    }

    /// There is no mode.
    pub fn open_up(&self) -> io::Result<()> {
        Ok(())
    }

    /// There is no mode.
    pub fn set_mode(&self, _mode: u32) -> io::Result<()> {
        Ok(())
    }

    /// A directory cannot be flushed; NTFS journals its names.
    pub fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    /// std does not tell.
    pub fn space(&self) -> Option<Space> {
        None
    }

    fn at(&self, name: &[u8]) -> io::Result<PathBuf> {
        let name = std::str::from_utf8(name)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidFilename))?;
        // A separator, a drive or an alternate data stream would be another place than a name in this directory.
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\\', ':', '\0']) {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        Ok(self.path.join(OsStr::new(name)))
    }

    fn open_file(&self, name: &[u8], options: &mut OpenOptions) -> io::Result<File> {
        let file = options
            .share_mode(FILE_SHARE_READ | FILE_SHARE_DELETE)
            .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
            .open(self.at(name)?)?;
        no_reparse_point(file)
    }
}

/// Opens a directory so that nobody can rename or delete it, and makes sure that it is one and no link.
fn pin(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path)?;
    let file = no_reparse_point(file)?;
    if !file.metadata()?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    Ok(file)
}

fn no_reparse_point(file: File) -> io::Result<File> {
    if file.metadata()?.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
        return Err(io::Error::other("a link or mount point is in the way"));
    }
    Ok(file)
}

fn seen(metadata: &Metadata) -> Seen {
    let what = if metadata.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
        What::Link
    } else if metadata.is_dir() {
        What::Directory
    } else {
        What::File
    };
    Seen {
        what,
        len: metadata.len(),
        modified: metadata.modified().map(since_1970).unwrap_or_default(),
        mode: 0,
        id: (0, 0),
        links: 1,
        allocated: metadata.len(),
    }
}

fn since_1970(time: SystemTime) -> ModifiedAt {
    let (secs, nanos) = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => (after.as_secs() as i64, after.subsec_nanos()),
        Err(before) => {
            let before = before.duration();
            match before.subsec_nanos() {
                0 => (-(before.as_secs() as i64), 0),
                nanos => (-(before.as_secs() as i64) - 1, 1_000_000_000 - nanos),
            }
        }
    };
    ModifiedAt { secs, nanos }
}

fn time(modified: ModifiedAt) -> SystemTime {
    let nanos = Duration::from_nanos(u64::from(modified.nanos.min(999_999_999)));
    let whole = Duration::from_secs(modified.secs.unsigned_abs());
    let base = if modified.secs < 0 {
        UNIX_EPOCH.checked_sub(whole)
    } else {
        UNIX_EPOCH.checked_add(whole)
    };
    base.and_then(|base| base.checked_add(nanos))
        .unwrap_or(UNIX_EPOCH)
}
