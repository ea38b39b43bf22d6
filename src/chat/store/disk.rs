//! The few calls that change the disk. Tests make them fail.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// A directory whose entries can be made to last.
#[derive(Debug)]
pub(super) struct Directory {
    #[cfg(unix)]
    file: File,
}

impl Directory {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        #[cfg(not(unix))]
        let _ = path;
        Ok(Self {
            #[cfg(unix)]
            file: File::open(path)?,
        })
    }

    /// New and renamed files are there after a power loss too. Windows has no such call, and NTFS writes its
    /// directories in a journal.
    pub(super) fn sync(&self) -> io::Result<()> {
        #[cfg(unix)]
        {
            #[cfg(test)]
            faults::take(faults::Call::SyncDirectory)?;
            match self.file.sync_all() {
                // "fd is bound to a special file which does not support synchronization": fsync(2). Some network file
                // systems say so of directories.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
                outcome => outcome,
            }
        }
        #[cfg(not(unix))]
        {
            Ok(())
        }
    }
}

/// Makes a directory and those above it, for the owner alone, and makes that last.
pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|path| !path.exists()).collect();
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    for made in missing {
        let parent = match made.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => continue,
        };
        Directory::open(parent)?.sync()?;
    }
    Ok(())
}

/// Opens for reading and writing, for the owner alone if it is new. Not for appending: on Windows such a
/// file cannot be truncated. A link is not followed: whoever may make one in the directory would choose which other
/// file of ours is written to and cut.
pub(super) fn open(path: &Path) -> io::Result<File> {
    #[cfg(test)]
    faults::take(faults::Call::Open)?;
    if path.is_symlink() {
        return Err(io::Error::other("it is a symbolic link"));
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let no_link = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
        options.mode(0o600).custom_flags(no_link);
    }
    options.open(path)
}

/// Whether the path still leads to the open file. Somebody may have moved or removed it, and what is written to it
/// then is found by nobody. Windows lets nobody do that to a file that is written.
pub(super) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let open = file.metadata()?;
        match path.symlink_metadata() {
            Ok(there) => Ok((there.dev(), there.ino()) == (open.dev(), open.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        Ok(true)
    }
}

/// All of a file, if there is one.
pub(super) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes all of it behind the file's end.
pub(super) fn append(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::End(0))?;
    #[cfg(test)]
    faults::write(file, bytes)?;
    file.write_all(bytes)
}

/// Cuts off what is behind the first `length` bytes.
pub(super) fn cut(file: &File, length: u64) -> io::Result<()> {
    #[cfg(test)]
    faults::take(faults::Call::Cut)?;
    file.set_len(length)
}

/// The data is on the disk, and as much of the rest as is needed to read it: fdatasync(2).
pub(super) fn sync(file: &File) -> io::Result<()> {
    #[cfg(test)]
    faults::take(faults::Call::Sync)?;
    file.sync_data()
}

/// Renames a file. One that has the new name is replaced.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(test)]
    faults::take(faults::Call::Rename)?;
    std::fs::rename(from, to)
}

/// Whether the file is empty or its last line has an end.
pub(super) fn ends_with_a_line(mut file: &File, length: u64) -> io::Result<bool> {
    let Some(last) = length.checked_sub(1) else {
        return Ok(true);
    };
    let mut byte = [0];
    file.seek(SeekFrom::Start(last))?;
    file.read_exact(&mut byte)?;
    Ok(byte == *b"\n")
}

/// Failures on order, for the tests of this thread.
#[cfg(test)]
pub(super) mod faults {
    use std::cell::RefCell;
    use std::collections::VecDeque;
    use std::fs::File;
    use std::io::{self, Write};

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Call {
        Open,
        /// Fails behind so many bytes.
        Write(usize),
        Cut,
        Sync,
        SyncDirectory,
        Rename,
    }

    thread_local! {
        static PLAN: RefCell<VecDeque<(usize, Call)>> = const { RefCell::new(VecDeque::new()) };
        static DONE: RefCell<Vec<Call>> = const { RefCell::new(Vec::new()) };
    }

    /// The call of this kind fails that comes after `passing` others of its kind. Orders of one kind are
    /// taken one after the other.
    pub(crate) fn order(passing: usize, call: Call) {
        PLAN.with_borrow_mut(|plan| plan.push_back((passing, call)));
    }

    /// The calls since the last time that this was asked.
    pub(crate) fn calls() -> Vec<Call> {
        DONE.take()
    }

    /// Takes back what was ordered. Says how much of it had not come.
    pub(crate) fn cancel() -> usize {
        PLAN.take().len()
    }

    pub(super) fn take(call: Call) -> io::Result<()> {
        due(call).map_or(Ok(()), |_| Err(failure()))
    }

    pub(super) fn write(mut file: &File, bytes: &[u8]) -> io::Result<()> {
        let Some(Call::Write(part)) = due(Call::Write(bytes.len())) else {
            return Ok(());
        };
        file.write_all(&bytes[..part.min(bytes.len())])?;
        Err(failure())
    }

    fn failure() -> io::Error {
        io::Error::other("as the test ordered")
    }

    fn due(call: Call) -> Option<Call> {
        use std::mem::discriminant;
        DONE.with_borrow_mut(|done| done.push(call));
        PLAN.with_borrow_mut(|plan| {
            let at = plan
                .iter()
                .position(|(_, planned)| discriminant(planned) == discriminant(&call))?;
            if plan[at].0 > 0 {
                plan[at].0 -= 1;
                return None;
            }
            plan.remove(at).map(|(_, planned)| planned)
        })
    }
}
