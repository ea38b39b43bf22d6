//! Directory handles on Unix.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;

use super::{Seen, Space, Stray, What};
use crate::transfer::entry::ModifiedAt;

/// A directory, held open.
#[derive(Debug)]
pub struct Dir(OwnedFd);

/// O_NONBLOCK: opening a FIFO that someone has put there must not wait for its other end. It means nothing to
/// regular files.
const GUARDED: OFlags = OFlags::NOFOLLOW
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK);

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Bits of a mode that a peer may ask for: no set-user-ID, set-group-ID or sticky bit.
const PERMISSIONS: u32 = 0o777;

/// The most bytes that a path may have for one call: PATH_MAX is 4,096 on Linux and 1,024 on the others, which
/// do not take this way.
#[cfg(target_os = "linux")]
const PATH_AT_ONCE: usize = 4_000;

/// What one `openat2(2)` says.
#[cfg(target_os = "linux")]
enum AtOnce {
    Found(Dir),
    Missing,
    /// Goes the long way, which either works or tells what exactly is in the way.
    Unclear,
}

impl Dir {
    /// Opens the directory that the user named; links on the way to it are his own.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(fs::openat(CWD, path, flags, Mode::empty())?))
    }

    /// The directory at `components` beneath this one. No component may be a link.
    pub fn descend(&self, components: &[&[u8]]) -> Result<Self, Stray> {
        if components.is_empty() {
            return self.reopen().map_err(Stray::System);
        }
        #[cfg(target_os = "linux")]
        if let AtOnce::Found(found) = self.descend_at_once(components) {
            return Ok(found);
        }
        self.walk(components)
    }

    /// The same, where it is no matter which one is missing.
    pub fn descend_if_there(&self, components: &[&[u8]]) -> Result<Option<Self>, Stray> {
        #[cfg(target_os = "linux")]
        if !components.is_empty() {
            match self.descend_at_once(components) {
                AtOnce::Found(found) => return Ok(Some(found)),
                AtOnce::Missing => return Ok(None),
                AtOnce::Unclear => {}
            }
        }
        match self.walk(components) {
            Err(Stray::Missing(_)) => Ok(None),
            done => done.map(Some),
        }
    }

    #[cfg(target_os = "linux")]
    fn descend_at_once(&self, components: &[&[u8]]) -> AtOnce {
        use rustix::fs::ResolveFlags;
        use std::sync::atomic::{AtomicBool, Ordering};

        /// Set once the kernel, or a filter before it, has refused the call itself.
        static MISSING: AtomicBool = AtomicBool::new(false);

        let path = components.join(&b'/');
        if path.len() > PATH_AT_ONCE || MISSING.load(Ordering::Relaxed) {
            return AtOnce::Unclear;
        }
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match fs::openat2(&self.0, path.as_slice(), DIRECTORY, Mode::empty(), resolve) {
            Ok(fd) => AtOnce::Found(Self(fd)),
            Err(Errno::NOENT) => AtOnce::Missing,
            Err(error) => {
                if matches!(error, Errno::NOSYS | Errno::PERM) {
                    MISSING.store(true, Ordering::Relaxed);
                }
                AtOnce::Unclear
            }
        }
    }

    /// Component by component; never more than two handles at a time.
    pub(in crate::transfer::store) fn walk(&self, components: &[&[u8]]) -> Result<Self, Stray> {
        let mut here = None;
        for (index, name) in components.iter().enumerate() {
            let from: &Self = here.as_ref().unwrap_or(self);
            let next = match from.child(name) {
                Ok(next) => Ok(next),
                Err(error) => match from.look(name) {
                    Ok(None) => Err(Stray::Missing(index)),
                    Ok(Some(seen)) if seen.what == What::Link => Err(Stray::Link(index)),
                    Ok(Some(seen)) if seen.what != What::Directory => {
                        Err(Stray::NoDirectory(index))
                    }
                    // Another worker has made it between these two calls.
                    Ok(Some(_)) if error.kind() == io::ErrorKind::NotFound => {
                        from.child(name).map_err(Stray::System)
                    }
                    _ => Err(Stray::System(error)),
                },
            };
            here = Some(next?);
        }
        match here {
            Some(dir) => Ok(dir),
            None => self.reopen().map_err(Stray::System),
        }
    }

    /// The directory `name` in this one.
    pub fn child(&self, name: &[u8]) -> io::Result<Self> {
        Ok(Self(fs::openat(&self.0, name, DIRECTORY, Mode::empty())?))
    }

    /// A second handle for the same directory.
    pub fn reopen(&self) -> io::Result<Self> {
        Ok(Self(self.0.try_clone()?))
    }

    /// Makes the directory `name`, with what the umask leaves of `mode`.
    pub fn make_dir(&self, name: &[u8], mode: u32) -> io::Result<()> {
        Ok(fs::mkdirat(&self.0, name, mode_of(mode))?)
    }

    /// What `name` is, without following it.
    pub fn look(&self, name: &[u8]) -> io::Result<Option<Seen>> {
        match fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(seen(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What an open file is.
    pub fn identify(file: &File) -> io::Result<Seen> {
        Ok(seen(&fs::fstat(file)?))
    }

    /// What this directory itself is.
    pub fn identify_self(&self) -> io::Result<Seen> {
        Ok(seen(&fs::fstat(&self.0)?))
    }

    /// Opens `name` for reading and writing and makes it if it is missing, for nobody else to read.
    pub fn open_or_create(&self, name: &[u8]) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | GUARDED;
        Ok(fs::openat(&self.0, name, flags, mode_of(0o600))?.into())
    }

    /// Makes `name`, which must not exist.
    pub fn create_new(&self, name: &[u8]) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | GUARDED;
        Ok(fs::openat(&self.0, name, flags, mode_of(0o600))?.into())
    }

    /// Makes a file without a name, for nobody else to see, whose blocks are free again when its handle is closed.
    /// It has its mode from the beginning, masked as [`Dir::dress_file`] does. `None`: this file system or system
    /// cannot, or such a file could not be given a name later.
    #[cfg(target_os = "linux")]
    pub fn create_unnamed(&self, mode: u32) -> io::Result<Option<File>> {
        use std::sync::LazyLock;
        /// open(2) has this way of naming one, without any privilege.
        static CAN_BE_NAMED: LazyLock<bool> = LazyLock::new(|| Path::new("/proc/self/fd").exists());
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        if !*CAN_BE_NAMED {
            return Ok(None);
        }
        let mode = mode_of(mode & PERMISSIONS & !umask());
        match fs::openat(&self.0, c".", flags, mode) {
            Ok(fd) => Ok(Some(fd.into())),
            // EISDIR and EINVAL: a kernel or file system that does not know the flag takes it for O_DIRECTORY.
            Err(Errno::ISDIR | Errno::INVAL) => Ok(None),
            Err(error) if is_unsupported(error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Elsewhere there is no such thing.
    #[cfg(not(target_os = "linux"))]
    pub fn create_unnamed(&self, _mode: u32) -> io::Result<Option<File>> {
        Ok(None)
    }

    /// Gives such a file a name; fails with `AlreadyExists` if that is taken.
    #[cfg(target_os = "linux")]
    pub fn name_new(&self, file: &File, name: &[u8]) -> io::Result<()> {
        use std::os::fd::AsRawFd;
        use std::sync::atomic::{AtomicBool, Ordering};
        /// Before Linux 6.10 naming a file by its handle alone takes CAP_DAC_READ_SEARCH; then it is ENOENT.
        static BY_HANDLE: AtomicBool = AtomicBool::new(true);
        if BY_HANDLE.load(Ordering::Relaxed) {
            match fs::linkat(file, c"", &self.0, name, AtFlags::EMPTY_PATH) {
                Err(Errno::NOENT) => BY_HANDLE.store(false, Ordering::Relaxed),
                done => return Ok(done?),
            }
        }
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        Ok(fs::linkat(
            CWD,
            path,
            &self.0,
            name,
            AtFlags::SYMLINK_FOLLOW,
        )?)
    }

    /// Elsewhere none is made.
    #[cfg(not(target_os = "linux"))]
    pub fn name_new(&self, _file: &File, _name: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Opens `name` for reading.
    pub fn open_read(&self, name: &[u8]) -> io::Result<File> {
        Ok(fs::openat(&self.0, name, OFlags::RDONLY | GUARDED, Mode::empty())?.into())
    }

    /// Renames within this directory and fails with `AlreadyExists` if `to` exists, in one step where the system
    /// has one.
    pub fn rename_new(&self, from: &[u8], to: &[u8]) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        {
            use rustix::fs::RenameFlags;
            match fs::renameat_with(&self.0, from, &self.0, to, RenameFlags::NOREPLACE) {
                // EINVAL: the file system does not know the flag (NFS, some FUSE). ENOSYS: before Linux 3.15.
                Err(Errno::INVAL | Errno::NOSYS) => {}
                Err(error) if is_unsupported(error) => {}
                done => return Ok(done?),
            }
        }
        self.rename_new_by_link(from, to)
    }

    /// The same with a second name for a moment. A file system without hard links (FAT) leaves a look and then
    /// a rename, with an instant in between that nothing can close.
    pub(in crate::transfer::store) fn rename_new_by_link(
        &self,
        from: &[u8],
        to: &[u8],
    ) -> io::Result<()> {
        match fs::linkat(&self.0, from, &self.0, to, AtFlags::empty()) {
            Ok(()) => Ok(fs::unlinkat(&self.0, from, AtFlags::empty())?),
            Err(error)
                if matches!(error, Errno::PERM | Errno::NOSYS | Errno::MLINK)
                    || is_unsupported(error) =>
            {
                match self.look(to)? {
                    Some(_) => Err(io::ErrorKind::AlreadyExists.into()),
                    None => self.rename_over(from, to),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Renames within this directory; a file or link under the name `to` is replaced, never followed.
    pub fn rename_over(&self, from: &[u8], to: &[u8]) -> io::Result<()> {
        Ok(fs::renameat(&self.0, from, &self.0, to)?)
    }

    /// Removes a file or link.
    pub fn unlink(&self, name: &[u8]) -> io::Result<()> {
        Ok(fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Makes a symbolic link.
    pub fn symlink(&self, target: &[u8], name: &[u8]) -> io::Result<()> {
        Ok(fs::symlinkat(target, &self.0, name)?)
    }

    /// Where the link `name` points.
    pub fn read_link(&self, name: &[u8]) -> io::Result<Vec<u8>> {
        Ok(fs::readlinkat(&self.0, name, Vec::new())?.into_bytes())
    }

    /// Sets the time of a link itself. Not every file system keeps one.
    pub fn set_link_time(&self, name: &[u8], modified: ModifiedAt) -> io::Result<()> {
        let times = times(modified);
        Ok(fs::utimensat(
            &self.0,
            name,
            &times,
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    }

    /// Sets mode and time of an open file. Bits that a peer has no say in are taken off, and those of the umask.
    pub fn dress_file(file: &File, mode: u32, modified: ModifiedAt) -> io::Result<()> {
        dress(file, mode & PERMISSIONS & !umask(), modified)
    }

    /// Sets the time alone.
    pub fn date_file(file: &File, modified: ModifiedAt) -> io::Result<()> {
        date(file, modified)
    }

    /// Sets mode and time of this directory, in the same way.
    pub fn dress(&self, mode: u32, modified: ModifiedAt) -> io::Result<()> {
        dress(&self.0, mode & PERMISSIONS & !umask(), modified)
    }

    /// Whether that has been done, and nothing since.
    pub fn is_dressed(&self, mode: u32, modified: ModifiedAt) -> io::Result<bool> {
        let seen = self.identify_self()?;
        Ok((seen.mode, seen.modified) == (mode & PERMISSIONS & !umask(), modified))
    }

    /// Sets the mode that a new directory has without any wish: what the umask leaves.
    pub fn open_up(&self) -> io::Result<()> {
        self.set_mode(PERMISSIONS & !umask())
    }

    /// Sets exactly this mode, for marks of our own.
    pub fn set_mode(&self, mode: u32) -> io::Result<()> {
        Ok(fs::fchmod(&self.0, mode_of(mode))?)
    }

    /// Flushes the names in this directory to the disk. Some file systems cannot (EINVAL on CIFS and FUSE):
    /// theirs are on the disk, or nothing can be done.
    pub fn sync(&self) -> io::Result<()> {
        match fs::fsync(&self.0) {
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(error) if is_unsupported(error) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What the file system can still take; `None` if it does not say.
    #[allow(clippy::unnecessary_cast)] // the fields have other types elsewhere
    pub fn space(&self) -> Option<Space> {
        let stat = fs::fstatvfs(&self.0).ok()?;
        // Some (procfs, a few FUSE) answer with zeros for everything, which means nothing.
        (stat.f_blocks > 0).then(|| Space {
            available: (stat.f_bavail as u64).saturating_mul(stat.f_frsize as u64),
            on_disk: !self.is_in_memory(),
        })
    }

    #[cfg(target_os = "linux")]
    #[allow(clippy::unnecessary_cast)]
    fn is_in_memory(&self) -> bool {
        /// TMPFS_MAGIC and RAMFS_MAGIC of linux/magic.h.
        const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];
        fs::fstatfs(&self.0).is_ok_and(|stat| IN_MEMORY.contains(&(stat.f_type as u64)))
    }

    #[cfg(not(target_os = "linux"))]
    fn is_in_memory(&self) -> bool {
        false
    }
}

/// Two names of one number on Linux, two numbers elsewhere.
fn is_unsupported(error: Errno) -> bool {
    error == Errno::NOTSUP || error == Errno::OPNOTSUPP
}

fn mode_of(bits: u32) -> Mode {
    // mode_t has 16 bits on Apple and FreeBSD; ours fit.
    Mode::from_bits_truncate(bits as _)
}

fn times(modified: ModifiedAt) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: fs::UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: modified.secs,
            // A peer's number: beyond a second the call would fail, or mean "now".
            tv_nsec: modified.nanos.min(999_999_999).into(),
        },
    }
}

fn dress(fd: impl AsFd, mode: u32, modified: ModifiedAt) -> io::Result<()> {
    fs::fchmod(&fd, mode_of(mode))?;
    date(fd, modified)
}

fn date(fd: impl AsFd, modified: ModifiedAt) -> io::Result<()> {
    match fs::futimens(&fd, &times(modified)) {
        // A time that this file system cannot hold is no reason to refuse the file.
        Ok(()) | Err(Errno::INVAL | Errno::OVERFLOW | Errno::RANGE) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The umask, read once. It can only be read by setting it: for that instant it is the strictest, so that a file
/// that another thread makes meanwhile is too private rather than too public.
fn umask() -> u32 {
    use std::sync::OnceLock;
    static UMASK: OnceLock<u32> = OnceLock::new();
    *UMASK.get_or_init(|| {
        let before = rustix::process::umask(mode_of(0o077));
        rustix::process::umask(before);
        #[allow(clippy::useless_conversion)] // 16 bits on Apple and FreeBSD
        u32::from(before.bits())
    })
}

#[allow(clippy::unnecessary_cast)] // the fields have other types elsewhere
fn seen(stat: &fs::Stat) -> Seen {
    let what = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => What::File,
        FileType::Directory => What::Directory,
        FileType::Symlink => What::Link,
        _ => What::Special,
    };
    Seen {
        what,
        len: stat.st_size.max(0) as u64,
        modified: ModifiedAt {
            secs: stat.st_mtime as i64,
            nanos: stat.st_mtime_nsec as u32,
        },
        mode: stat.st_mode as u32 & 0o7777,
        id: (stat.st_dev as u64, stat.st_ino as u64),
        links: stat.st_nlink as u64,
        // POSIX leaves the unit open; it is 512 wherever this runs.
        allocated: (stat.st_blocks.max(0) as u64).saturating_mul(512),
    }
}
