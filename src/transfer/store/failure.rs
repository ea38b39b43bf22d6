//! What went wrong on the receiver's disk: the operation, the path, a class that decides what is done about it,
//! and the cause.

use std::fmt;
use std::io;

use crate::error::{self, IoReason};
use crate::transfer::path::BadPath;

/// What kind of trouble it is. The caller decides by it whether the entry is refused, the session ends, or the
/// peer is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The file system is full, or the user's share of it. What is there can be resumed.
    NoSpace,
    /// A limit of ours: `--quota`, `--max-size`, `--max-files`.
    Limit,
    /// The device failed (EIO). What is there can be resumed, and is compared again before it is used.
    Device,
    /// Not allowed by the system.
    Permission,
    /// The file system is mounted read-only.
    ReadOnly,
    /// A file of that name exists and the policy keeps it.
    Exists,
    /// Something that is not replaced is in the way: a directory, a link, a device, a mount point.
    InTheWay,
    /// Would leave the target directory.
    Outside,
    /// Another session is receiving the same name.
    Busy,
    /// The file system takes no such name.
    Name,
    /// No handles left (EMFILE, ENFILE).
    Handles,
    /// It was there and no longer is: someone else removed it.
    Vanished,
    /// Anything else.
    Other,
}

/// Why an entry is not stored, where the system had no say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A different file of that name exists, and nothing was said about replacing it.
    Exists,
    /// `--update`: the file here is newer.
    Newer,
    /// `--update`: the file here differs and is not older.
    NotOlder,
    /// A directory has that name.
    IsDirectory,
    /// A symbolic link has that name. It is never written through, and never replaced by a file.
    IsLink,
    /// A FIFO, socket or device has that name.
    IsSpecial,
    /// A part of the path is a symbolic link.
    LinkInPath(String),
    /// A part of the path is no directory.
    NoDirectoryInPath(String),
    /// The link points outside of the target directory, or may.
    LinkOutside,
    /// Links are not stored: `--links skip`, or `follow`, which is for the sender to do.
    LinksSkipped,
    /// This system or file system has no links.
    LinksUnsupported,
    /// A link that points nowhere: empty, too long, or with a NUL.
    BadLink,
    /// The name is one that partial files have.
    ReservedName,
    /// Windows has no such name.
    NotOnWindows(BadPath),
    /// Larger than `--max-size`.
    TooLarge(u64),
    /// More entries than `--max-files`.
    TooMany(u64),
    /// More bytes than `--quota`.
    OverQuota(u64),
    /// Less room than the file needs: needed, available.
    NoRoom(u64, u64),
    /// Another session has the partial file open.
    Busy,
    /// Differs only in case from another name of this transfer, on a system where they are one.
    OnlyCaseDiffers,
    /// Every `name (N)` is taken.
    NoFreeName,
    /// The partial file has been removed or replaced by someone else.
    PartReplaced,
    /// The length is not the one that was offered: there, offered.
    WrongLength(u64, u64),
    /// The same link is here already.
    SameLink,
    /// The link that the user named points at this, which does not exist.
    LinkToNothing(String),
}

impl Reason {
    /// The class that goes with it.
    pub fn class(&self) -> Class {
        match self {
            Reason::Exists | Reason::Newer | Reason::NotOlder | Reason::SameLink => Class::Exists,
            Reason::IsDirectory
            | Reason::IsLink
            | Reason::IsSpecial
            | Reason::NoFreeName
            | Reason::LinkToNothing(_) => Class::InTheWay,
            Reason::LinkInPath(_) | Reason::LinkOutside => Class::Outside,
            Reason::NoDirectoryInPath(_) => Class::InTheWay,
            Reason::TooLarge(_) | Reason::TooMany(_) | Reason::OverQuota(_) => Class::Limit,
            Reason::NoRoom(..) => Class::NoSpace,
            Reason::Busy => Class::Busy,
            Reason::ReservedName
            | Reason::NotOnWindows(_)
            | Reason::OnlyCaseDiffers
            | Reason::BadLink => Class::Name,
            Reason::PartReplaced => Class::Vanished,
            Reason::LinksSkipped | Reason::LinksUnsupported | Reason::WrongLength(..) => {
                Class::Other
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Exists => f.write_str("a different file of that name exists"),
            Reason::Newer => f.write_str("the file here is newer"),
            Reason::NotOlder => f.write_str("the file here differs and is not older"),
            Reason::IsDirectory => f.write_str("a directory has that name"),
            Reason::IsLink => f.write_str("a symbolic link has that name"),
            Reason::IsSpecial => f.write_str("a fifo, socket or device has that name"),
            Reason::LinkInPath(at) => write!(f, "{at} is a symbolic link"),
            Reason::NoDirectoryInPath(at) => write!(f, "{at} is not a directory"),
            Reason::LinkOutside => {
                f.write_str("the link may point outside of the target directory")
            }
            Reason::LinksSkipped => f.write_str("links are not stored"),
            Reason::LinksUnsupported => f.write_str("links cannot be stored here"),
            Reason::BadLink => f.write_str("the link has no usable target"),
            Reason::ReservedName => f.write_str("the name is reserved for partial files"),
            Reason::NotOnWindows(why) => write!(f, "{why}"),
            Reason::TooLarge(max) => write!(f, "larger than --max-size, {max} bytes"),
            Reason::TooMany(max) => write!(f, "more than --max-files, {max} entries"),
            Reason::OverQuota(max) => write!(f, "more than --quota, {max} bytes"),
            Reason::NoRoom(need, have) => {
                write!(
                    f,
                    "not enough free space: {need} bytes needed, {have} available; --ignore-space tries all the same"
                )
            }
            Reason::Busy => f.write_str("another transfer is writing it"),
            Reason::OnlyCaseDiffers => {
                f.write_str("differs only in case from another name of this transfer")
            }
            Reason::NoFreeName => f.write_str("no free name left"),
            Reason::PartReplaced => f.write_str("the partial file was removed or replaced"),
            Reason::WrongLength(is, want) => {
                write!(f, "the partial file has {is} bytes instead of {want}")
            }
            Reason::SameLink => f.write_str("the same link is here already"),
            Reason::LinkToNothing(target) => {
                write!(f, "it is a symbolic link to {target}, which does not exist")
            }
        }
    }
}

/// The cause of a [`Failure`].
#[derive(Debug)]
pub enum Cause {
    /// The system refused.
    System(io::Error),
    /// We did.
    Ours(Reason),
}

/// An operation on the receiver's disk that failed. Prints as `cannot create docs/a.txt: permission denied`.
#[derive(Debug)]
pub struct Failure {
    operation: &'static str,
    path: String,
    cause: Cause,
}

impl Failure {
    /// `operation` reads behind "cannot"; `path` is made safe by its own `Display`.
    pub fn new(operation: &'static str, path: &impl fmt::Display, error: io::Error) -> Self {
        Self {
            operation,
            path: path.to_string(),
            cause: Cause::System(error),
        }
    }

    /// Refused by us.
    pub fn refused(operation: &'static str, path: &impl fmt::Display, reason: Reason) -> Self {
        Self {
            operation,
            path: path.to_string(),
            cause: Cause::Ours(reason),
        }
    }

    /// What is to be done about it.
    pub fn class(&self) -> Class {
        match &self.cause {
            Cause::System(error) => classify(error),
            Cause::Ours(reason) => reason.class(),
        }
    }

    /// What failed, as it reads behind "cannot".
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The path, safe to print.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Why.
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// Why, if it was our decision.
    pub fn reason(&self) -> Option<&Reason> {
        match &self.cause {
            Cause::Ours(reason) => Some(reason),
            Cause::System(_) => None,
        }
    }

    /// Advice for the person at the receiver.
    pub fn hint(&self) -> Option<&'static str> {
        match self.class() {
            Class::NoSpace => Some("make room and run the same command again: it resumes"),
            Class::Device => Some("look at the system's log, then run the same command again"),
            Class::Exists => Some("see --overwrite, --rename and --update"),
            Class::Handles => Some("raise the limit on open files: ulimit -n"),
            _ => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: ", self.operation, self.path)?;
        match &self.cause {
            Cause::System(error) => write!(f, "{}", IoReason(error)),
            Cause::Ours(reason) => write!(f, "{reason}"),
        }
    }
}

// No `source`: the cause is in the text already, and `error::Error` would print it twice.
impl std::error::Error for Failure {}

impl From<Failure> for error::Error {
    fn from(failure: Failure) -> Self {
        let hint = failure.hint();
        let error = Self::new(error::Kind::Other, failure.to_string());
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// The class of a system's error.
fn classify(error: &io::Error) -> Class {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Class::NoSpace,
        io::ErrorKind::FileTooLarge => Class::Limit,
        io::ErrorKind::PermissionDenied => Class::Permission,
        io::ErrorKind::ReadOnlyFilesystem => Class::ReadOnly,
        io::ErrorKind::AlreadyExists => Class::Exists,
        io::ErrorKind::IsADirectory
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::DirectoryNotEmpty
        | io::ErrorKind::CrossesDevices
        | io::ErrorKind::ResourceBusy => Class::InTheWay,
        io::ErrorKind::InvalidFilename => Class::Name,
        io::ErrorKind::NotFound => Class::Vanished,
        _ => match error.raw_os_error() {
            Some(code) if is_device_error(code) => Class::Device,
            Some(code) if is_out_of_handles(code) => Class::Handles,
            _ => Class::Other,
        },
    }
}

#[cfg(unix)]
fn is_device_error(code: i32) -> bool {
    use rustix::io::Errno;
    code == Errno::IO.raw_os_error() || code == Errno::NXIO.raw_os_error()
}

#[cfg(unix)]
fn is_out_of_handles(code: i32) -> bool {
    use rustix::io::Errno;
    code == Errno::MFILE.raw_os_error() || code == Errno::NFILE.raw_os_error()
}

/// ERROR_CRC, ERROR_IO_DEVICE: winerror.h.
#[cfg(windows)]
fn is_device_error(code: i32) -> bool {
    matches!(code, 23 | 1117)
}

/// ERROR_TOO_MANY_OPEN_FILES: winerror.h.
#[cfg(windows)]
fn is_out_of_handles(code: i32) -> bool {
    code == 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_as_operation_path_and_cause() {
        let failure = Failure::new("write", &"docs/a.txt", io::ErrorKind::StorageFull.into());
        assert_eq!(failure.class(), Class::NoSpace);
        assert_eq!(
            failure.to_string(),
            "cannot write docs/a.txt: no storage space"
        );
        let failure = Failure::refused("store", &"a", Reason::LinkInPath("d".into()));
        assert_eq!(failure.class(), Class::Outside);
        assert_eq!(failure.to_string(), "cannot store a: d is a symbolic link");
    }

    #[cfg(unix)]
    #[test]
    fn the_systems_errors_have_the_right_class() {
        use rustix::io::Errno;
        for (errno, class) in [
            (Errno::NOSPC, Class::NoSpace),
            (Errno::DQUOT, Class::NoSpace),
            (Errno::FBIG, Class::Limit),
            (Errno::IO, Class::Device),
            (Errno::ACCESS, Class::Permission),
            (Errno::PERM, Class::Permission),
            (Errno::ROFS, Class::ReadOnly),
            (Errno::NAMETOOLONG, Class::Name),
            (Errno::MFILE, Class::Handles),
            (Errno::XDEV, Class::InTheWay),
            (Errno::BUSY, Class::InTheWay),
            (Errno::NOENT, Class::Vanished),
        ] {
            let error = io::Error::from(errno);
            assert_eq!(classify(&error), class, "{errno:?}");
        }
    }
}
