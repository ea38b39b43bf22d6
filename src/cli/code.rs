//! The code phrase, which never comes from the command line: other users see that in `ps`.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use zeroize::Zeroizing;

use crate::core::private_file::is_readable_by_others;
use crate::core::secure::CODE_VARIABLE;
use crate::core::secure::code::Code;
use crate::error::{Error, Kind, Result};

/// How much of a file is read for its first line.
const MAX_READ: u64 = 1024;

/// Where a code comes from, or that there is none.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Security")]
pub struct CodeArgs {
    /// Read the code from the first line of this file instead of from SOCKKIT_CODE
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["code_fd", "plain"])]
    pub code_file: Option<PathBuf>,
    /// Read it from the first line of this open file descriptor
    #[cfg_attr(not(unix), arg(hide = true))]
    #[arg(long, value_name = "N", conflicts_with = "plain")]
    pub code_fd: Option<u32>,
    /// Show it as a QR code too
    #[arg(long, conflicts_with = "plain")]
    pub qr: bool,
    /// Use no code and do not encrypt: whoever is on the way can read and change everything
    #[arg(long)]
    pub plain: bool,
}

impl CodeArgs {
    /// The code from where it was said to be, or from the environment; `None`: neither is there. `warn` is told what a
    /// person should look after.
    pub fn read(&self, warn: &mut dyn FnMut(&str)) -> Result<Option<Code>> {
        if let Some(path) = &self.code_file {
            let code = first_line(path, &path.display().to_string())?;
            // A terminal or a pipe is nobody's to keep.
            if path.is_file() && is_readable_by_others(path) == Some(true) {
                warn(&format!(
                    "others than its owner may read the code in {}: chmod 600 it",
                    path.display()
                ));
            }
            return Ok(Some(code));
        }
        if let Some(number) = self.code_fd {
            if cfg!(not(unix)) {
                let text = "--code-fd is not available on this system";
                return Err(Error::new(Kind::Usage, text).hint("--code-file and SOCKKIT_CODE are"));
            }
            let path = PathBuf::from(format!("/dev/fd/{number}"));
            return first_line(&path, &format!("file descriptor {number}")).map(Some);
        }
        match std::env::var(CODE_VARIABLE).map(Zeroizing::new) {
            Ok(text) => found(&text, CODE_VARIABLE).map(Some),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => Err(Error::new(
                Kind::Usage,
                format!("{CODE_VARIABLE} is not UTF-8"),
            )),
        }
    }
}

fn first_line(path: &Path, place: &str) -> Result<Code> {
    let mut text = Zeroizing::new(String::with_capacity(MAX_READ as usize));
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_READ).read_to_string(&mut text))
        .map_err(|error| {
            Error::new(Kind::Other, format!("cannot read the code from {place}")).because(error)
        })?;
    found(text.lines().next().unwrap_or_default(), place)
}

/// A code that stood somewhere. The error says where.
fn found(text: &str, place: &str) -> Result<Code> {
    Code::parse(text).map_err(|error| error.hint(format!("it was read from {place}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_file_gives_its_first_line() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("code");
        std::fs::write(&path, "417 Amber falcon river\r\nnot this\n").expect("a file");
        let args = CodeArgs {
            code_file: Some(path.clone()),
            ..CodeArgs::default()
        };
        let read = || args.read(&mut |_| {});
        let code = read().expect("readable").expect("there");
        assert_eq!(code.expose(), "417-amber-falcon-river");
        std::fs::write(&path, "\n").expect("a file");
        let empty = read().expect_err("empty");
        assert_eq!(empty.kind(), Kind::Usage);
        assert!(empty.advice().is_some_and(|hint| hint.contains("code")));
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(read().expect_err("gone").kind(), Kind::Other);
    }
    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_told() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("code");
        std::fs::write(&path, "417-amber-falcon-river").expect("a file");
        let args = CodeArgs {
            code_file: Some(path.clone()),
            ..CodeArgs::default()
        };
        for (mode, told) in [(0o600, 0), (0o644, 1), (0o640, 1)] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("set");
            let mut warnings = Vec::new();
            args.read(&mut |text| warnings.push(text.to_owned()))
                .expect("readable");
            assert_eq!(warnings.len(), told, "{mode:o}: {warnings:?}");
        }
    }
}
