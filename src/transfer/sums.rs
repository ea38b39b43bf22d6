//! `--sums`: the digests of what was transferred, as `sha256sum -c` reads them.
//!
//! A line is the digest, two spaces and the name (coreutils, `sha256sum(1)`). If the name has a line feed, a
//! carriage return or a backslash, these become `\n`, `\r` and `\\`, and the line begins with a backslash.
//!
//! The file appears when all is over and complete, in the place of an older one; nobody ever reads half of it.
//! Where there is no end (`--keep-open`) lines are added instead, each in one write.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Kind, Result};
use crate::transfer::digest::FileDigest;

/// A file of digests that is being written.
#[derive(Debug)]
pub struct Sums {
    path: PathBuf,
    to: Destination,
}

#[derive(Debug)]
enum Destination {
    /// Takes its name at the end.
    Replace(BufWriter<NamedTempFile>),
    /// Grows line by line.
    Append(File),
}

impl Sums {
    /// Begins one that takes the name `path` at the end. What cannot be replaced (a pipe, a device) is written to
    /// as it is.
    pub fn replace(path: &Path) -> Result<Self> {
        Self::open(path, false)
    }

    /// Begins one whose lines are added to what `path` has already.
    pub fn append(path: &Path) -> Result<Self> {
        Self::open(path, true)
    }

    fn open(path: &Path, append: bool) -> Result<Self> {
        let (path, to) = match append {
            true => (path.to_path_buf(), appending(path)),
            false => replacing(path),
        };
        match to {
            Ok(to) => Ok(Self { path, to }),
            Err(error) => Err(failed(&path, error)),
        }
    }

    /// Adds a file's line.
    pub fn add(&mut self, name: &[u8], sha256: &FileDigest) -> Result<()> {
        let line = line(name, sha256);
        match &mut self.to {
            Destination::Replace(file) => file.write_all(&line),
            Destination::Append(file) => file.write_all(&line),
        }
        .map_err(|error| failed(&self.path, error))
    }

    /// Brings it to an end. One that is dropped without it leaves what was there before.
    pub fn finish(self) -> Result<()> {
        match self.to {
            Destination::Append(_) => Ok(()),
            Destination::Replace(file) => replace(file, &self.path),
        }
        .map_err(|error| failed(&self.path, error))
    }
}

fn failed(path: &Path, error: io::Error) -> Error {
    Error::new(Kind::Other, format!("cannot write {}", path.display())).because(error)
}

fn appending(path: &Path) -> io::Result<Destination> {
    let file = OpenOptions::new().append(true).create(true).open(path)?;
    Ok(Destination::Append(file))
}

fn replacing(path: &Path) -> (PathBuf, io::Result<Destination>) {
    // Through a link: what it points at is replaced, and the link stays.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    if fs::metadata(&path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        let file = OpenOptions::new().write(true).open(&path);
        return (path, file.map(Destination::Append));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".sockkit-sums-");
    // Not its own 0o600, but what any program would make of it: the umask does the rest.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = match path.is_dir() {
        true => Err(io::ErrorKind::IsADirectory.into()),
        false => builder.tempfile_in(folder),
    };
    (
        path,
        file.map(|file| Destination::Replace(BufWriter::new(file))),
    )
}

fn replace(file: BufWriter<NamedTempFile>, path: &Path) -> io::Result<()> {
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    // Otherwise a loss of power could leave an empty file under the name.
    file.as_file().sync_data()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// The line of a file.
pub fn line(name: &[u8], sha256: &FileDigest) -> Vec<u8> {
    let mut line = Vec::with_capacity(name.len() + 68);
    let escape = name.iter().any(|byte| b"\n\r\\".contains(byte));
    if escape {
        line.push(b'\\');
    }
    line.extend_from_slice(format!("{sha256}  ").as_bytes());
    for &byte in name {
        match byte {
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\\' => line.extend_from_slice(b"\\\\"),
            byte => line.push(byte),
        }
    }
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: FileDigest = FileDigest([0x5c; 32]);

    fn text(name: &[u8]) -> String {
        String::from_utf8_lossy(&line(name, &DIGEST)).into_owned()
    }

    #[test]
    fn a_line_is_as_coreutils_writes_it() {
        let hex = "5c".repeat(32);
        assert_eq!(text(b"a b"), format!("{hex}  a b\n"));
        assert_eq!(text(b"*x"), format!("{hex}  *x\n"));
        assert_eq!(text(b"a\nb\\c\rd"), format!("\\{hex}  a\\nb\\\\c\\rd\n"));
    }

    #[test]
    fn the_file_appears_at_the_end_and_replaces_an_older_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("SUMS");
        fs::write(&path, "old").expect("a file");
        let mut sums = Sums::replace(&path).expect("it opens");
        sums.add(b"a", &DIGEST).expect("it writes");
        assert_eq!(fs::read(&path).expect("it is there"), b"old");
        sums.finish().expect("it ends");
        assert_eq!(fs::read(&path).expect("it is there"), line(b"a", &DIGEST));
        // One that is given up leaves nothing.
        let mut sums = Sums::replace(&path).expect("it opens");
        sums.add(b"b", &DIGEST).expect("it writes");
        drop(sums);
        assert_eq!(fs::read(&path).expect("it is there"), line(b"a", &DIGEST));
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn without_an_end_lines_are_added() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("SUMS");
        for name in [b"a", b"b"] {
            let mut sums = Sums::append(&path).expect("it opens");
            sums.add(name, &DIGEST).expect("it writes");
            // Before its end.
            assert!(
                fs::read(&path)
                    .expect("it is there")
                    .ends_with(&line(name, &DIGEST))
            );
            sums.finish().expect("it ends");
        }
        let both = [line(b"a", &DIGEST), line(b"b", &DIGEST)].concat();
        assert_eq!(fs::read(&path).expect("it is there"), both);
    }

    #[test]
    fn a_directory_is_no_place_for_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = Sums::replace(folder.path()).expect_err("a directory");
        assert!(error.to_string().starts_with("cannot write "), "{error}");
        assert!(Sums::replace(&folder.path().join("no/such")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_one_and_the_mode_is_everybodys() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().expect("a folder");
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "old").expect("a file");
        symlink("real", &link).expect("a link");
        Sums::replace(&link)
            .expect("it opens")
            .finish()
            .expect("it ends");
        assert!(
            fs::symlink_metadata(&link)
                .expect("it is there")
                .is_symlink()
        );
        let new = fs::metadata(&real).expect("it is there");
        assert_eq!(new.len(), 0);
        let plain = folder.path().join("plain");
        fs::write(&plain, "").expect("a file");
        let plain = fs::metadata(&plain).expect("it is there");
        assert_eq!(new.permissions().mode(), plain.permissions().mode());
    }

    /// By the program itself, where it is GNU's.
    #[cfg(target_os = "linux")]
    #[test]
    fn sha256sum_accepts_every_name() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        use std::process::Command;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("SUMS");
        let mut sums = Sums::replace(&path).expect("it opens");
        let digest = FileDigest(crate::transfer::digest::DigestKind::Strong.of(b"abc").0);
        for name in [
            &b"a"[..],
            b" b",
            b"*c",
            b"d\ne",
            b"f\\ng",
            b"h\xff",
            b"\\",
            b"-",
        ] {
            fs::write(folder.path().join(OsStr::from_bytes(name)), "abc").expect("a file");
            // A bare "-" would be stdin.
            sums.add(&[b"./", name].concat(), &digest)
                .expect("it writes");
        }
        sums.finish().expect("it ends");
        let output = Command::new("sha256sum")
            .args(["--check", "--strict", "--quiet", "SUMS"])
            .current_dir(folder.path())
            .output()
            .expect("sha256sum runs");
        assert!(output.status.success(), "{output:?}");
    }
}
