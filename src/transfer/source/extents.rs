//! Where a file has data and where it has holes.

use std::fs::File;
use std::io;
use std::ops::Range;

/// A stretch of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// Bytes that must be read.
    Data(Range<u64>),
    /// Zeros that the file system does not store.
    Hole(Range<u64>),
}

impl Extent {
    /// The stretch, whatever it is.
    pub fn range(&self) -> &Range<u64> {
        match self {
            Extent::Data(range) | Extent::Hole(range) => range,
        }
    }
}

/// The stretch that begins at `offset` and ends at `end` at the latest. `None` at the end. A file system that does
/// not tell has one stretch of data.
pub fn next_extent(file: &File, offset: u64, end: u64) -> io::Result<Option<Extent>> {
    if offset >= end {
        return Ok(None);
    }
    Ok(Some(match next_data(file, offset)? {
        Found::Unknown => Extent::Data(offset..end),
        Found::At(data) if data > offset => Extent::Hole(offset..data.min(end)),
        Found::At(_) => {
            let hole = next_hole(file, offset)?.filter(|&hole| hole > offset);
            Extent::Data(offset..hole.map_or(end, |hole| hole.min(end)))
        }
        Found::NoMore => Extent::Hole(offset..end),
    }))
}

#[allow(dead_code)] // where there is no SEEK_DATA, all is unknown
enum Found {
    At(u64),
    NoMore,
    Unknown,
}

// The systems whose lseek(2) has SEEK_DATA and SEEK_HOLE, as far as rustix knows.
#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "solaris",
    target_os = "illumos",
    target_vendor = "apple"
))]
mod seek {
    use super::{File, Found, io};
    use rustix::fs::{SeekFrom, seek};
    use rustix::io::Errno;

    pub(super) fn next_data(file: &File, offset: u64) -> io::Result<Found> {
        match seek(file, SeekFrom::Data(offset)) {
            Ok(at) => Ok(Found::At(at)),
            Err(Errno::NXIO) => Ok(Found::NoMore),
            Err(Errno::INVAL | Errno::NOTTY) => Ok(Found::Unknown),
            Err(error) if error == Errno::NOTSUP || error == Errno::OPNOTSUPP => Ok(Found::Unknown),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn next_hole(file: &File, offset: u64) -> io::Result<Option<u64>> {
        match seek(file, SeekFrom::Hole(offset)) {
            Ok(at) => Ok(Some(at)),
            // The file shrank meanwhile; reading it will tell.
            Err(Errno::NXIO) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "solaris",
    target_os = "illumos",
    target_vendor = "apple"
)))]
mod seek {
    use super::{File, Found, io};

    pub(super) fn next_data(_file: &File, _offset: u64) -> io::Result<Found> {
        Ok(Found::Unknown)
    }

    pub(super) fn next_hole(_file: &File, _offset: u64) -> io::Result<Option<u64>> {
        Ok(None)
    }
}

use seek::{next_data, next_hole};
