//! `--on-receive`: a program for each file that was stored.
//!
//! It runs after the commit, when the file has its name and is on disk. Its environment:
//!
//! | name | value |
//! |---|---|
//! | `SOCKKIT_EVENT` | `file` |
//! | `SOCKKIT_PATH` | where the file is: absolute, byte for byte |
//! | `SOCKKIT_NAME` | its name as it was offered, below the target directory, with `/` between its parts |
//! | `SOCKKIT_SIZE` | bytes |
//! | `SOCKKIT_SHA256` | lower-case hexadecimal |

use std::ffi::OsString;
use std::path::Path;

use crate::core::runner::{Complain, Hold, Runner};
use crate::error::{Error, Kind, Result};
use crate::transfer::digest::FileDigest;
use crate::transfer::path::PeerPath;

/// How many programs run at once, unless something else is said.
pub const MOST: u32 = 4;

/// Runs the program for file after file.
pub struct OnReceive(Runner);

impl OnReceive {
    /// Nothing runs yet. `quiet` keeps the program's own output away; `hold` is told when so many files wait for
    /// it that no more should come. [`crate::core::runner`] says the rest.
    pub fn new(program: OsString, most: u32, quiet: bool, hold: Hold, complain: Complain) -> Self {
        Self(Runner::new(program, most, quiet, hold, complain))
    }

    /// Runs the program soon, for a file that was stored under the absolute path `path`.
    pub fn run(&mut self, path: &Path, name: &PeerPath, size: u64, sha256: &FileDigest) {
        self.0.start(vec![
            ("SOCKKIT_EVENT", "file".into()),
            ("SOCKKIT_PATH", path.into()),
            ("SOCKKIT_NAME", as_os(name)),
            ("SOCKKIT_SIZE", size.to_string().into()),
            ("SOCKKIT_SHA256", sha256.to_string().into()),
        ]);
    }

    /// Waits for those that run, and for those that wait unless `now`. Fails if any of them did.
    pub fn finish(self, now: bool) -> Result<()> {
        match self.0.finish(now) {
            0 => Ok(()),
            1 => Err(Error::new(Kind::Other, "a program of --on-receive failed")),
            many => Err(Error::new(
                Kind::Other,
                format!("{many} programs of --on-receive failed"),
            )),
        }
    }
}

#[cfg(unix)]
fn as_os(name: &PeerPath) -> OsString {
    use std::os::unix::ffi::OsStringExt;
    OsString::from_vec(name.as_bytes().to_vec())
}

/// A name that is not UTF-8 is not stored where names are text.
#[cfg(not(unix))]
fn as_os(name: &PeerPath) -> OsString {
    String::from_utf8_lossy(name.as_bytes()).into_owned().into()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::ffi::OsStringExt;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    fn script(folder: &Path, text: &str) -> OsString {
        let (draft, path) = (folder.join("draft"), folder.join("hook"));
        fs::write(&draft, format!("#!/bin/sh\n{text}\n")).expect("a script");
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)).expect("a mode");
        // Another process writes it: a child of another test would still have our handle when it is to be
        // executed (ETXTBSY).
        let copied = Command::new("cp").arg("-p").args([&draft, &path]).status();
        assert!(copied.expect("cp").success());
        path.into()
    }

    fn runner(program: OsString) -> OnReceive {
        OnReceive::new(program, 2, true, Box::new(|_| {}), Box::new(|_| {}))
    }

    #[test]
    fn the_program_finds_file_digest_and_size_in_its_environment() {
        let folder = tempfile::tempdir().expect("a folder");
        // A name that is not UTF-8 and has all that a shell would act on.
        let name = PeerPath::from_slashed(b"d/$(id) ;\n\xff").expect("a name");
        let path = folder
            .path()
            .join(OsString::from_vec(name.as_bytes()[2..].to_vec()));
        fs::write(&path, "abc").expect("a file");
        let hook = script(
            folder.path(),
            r#"cat "$SOCKKIT_PATH" >"$0.out"
printf '|%s|%s|%s|%s' "$SOCKKIT_NAME" "$SOCKKIT_SIZE" "$SOCKKIT_SHA256" "$SOCKKIT_EVENT" >>"$0.out""#,
        );
        let mut runner = runner(hook);
        runner.run(&path, &name, 3, &FileDigest([0xab; 32]));
        runner.finish(false).expect("it runs");
        let mut expected = b"abc|".to_vec();
        expected.extend_from_slice(name.as_bytes());
        expected.extend_from_slice(format!("|3|{}|file", "ab".repeat(32)).as_bytes());
        assert_eq!(
            fs::read(folder.path().join("hook.out")).expect("its output"),
            expected
        );
    }

    #[test]
    fn a_failed_program_fails_the_command() {
        let mut runner = runner("false".into());
        let name = PeerPath::from_slashed(b"a").expect("a name");
        runner.run(Path::new("/a"), &name, 0, &FileDigest([0; 32]));
        let error = runner.finish(false).expect_err("it failed");
        assert_eq!(error.kind(), Kind::Other);
        assert_eq!(error.to_string(), "a program of --on-receive failed");
    }
}
