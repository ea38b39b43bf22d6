//! The servers whose certificates a person has looked at and trusted: one a line, as ssh's `known_hosts`.
//!
//! ```text
//! chat.lan:8888 sha256:e3b0c442...
//! ```

use std::io;
use std::path::PathBuf;

use super::Fingerprint;
use crate::core::private_file;
use crate::error::{Error, Kind, Result};

/// The file's name in the state directory.
const FILE: &str = "known_servers";

/// How large the file may be: some ten thousand servers. More is not ours.
const MAX_SIZE: u64 = 1 << 20;

/// What is known of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acquaintance {
    /// This certificate was trusted before.
    Known,
    /// Another one was.
    Changed {
        /// That one.
        before: Fingerprint,
    },
    /// None was.
    New,
}

/// The file.
#[derive(Debug, Clone)]
pub struct KnownServers {
    path: PathBuf,
}

impl KnownServers {
    /// The one in the state directory; `None` where there is none.
    pub fn of_this_user() -> Option<Self> {
        Some(Self {
            path: private_file::state_directory()?.join(FILE),
        })
    }

    /// This one.
    #[cfg(test)]
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// What is known of `server`, a `host:port`, that shows this certificate.
    pub fn look_up(&self, server: &str, fingerprint: Fingerprint) -> Result<Acquaintance> {
        let text = self.read()?;
        let mut before = None;
        for (name, known) in entries(&text) {
            if name == server {
                if known == fingerprint {
                    return Ok(Acquaintance::Known);
                }
                before = Some(known);
            }
        }
        Ok(match before {
            Some(before) => Acquaintance::Changed { before },
            None => Acquaintance::New,
        })
    }

    /// Remembers that this certificate is the server's.
    pub fn remember(&self, server: &str, fingerprint: Fingerprint) -> Result<()> {
        let mut text = self.read()?;
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&format!("{server} {fingerprint}\n"));
        let write = || -> io::Result<()> {
            if let Some(directory) = self.path.parent() {
                private_file::create_directory(directory)?;
            }
            private_file::replace(&self.path, text.as_bytes())
        };
        write().map_err(|error| self.failure("write").because(error))
    }

    fn read(&self) -> Result<String> {
        let size = match std::fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
            metadata => metadata
                .map_err(|error| self.failure("read").because(error))?
                .len(),
        };
        if size > MAX_SIZE {
            return Err(self.failure("read").because("it is too large"));
        }
        std::fs::read_to_string(&self.path).map_err(|error| self.failure("read").because(error))
    }

    fn failure(&self, what: &str) -> Error {
        Error::new(
            Kind::Other,
            format!("cannot {what} {}", self.path.display()),
        )
    }
}

/// The lines that can be understood.
fn entries(text: &str) -> impl Iterator<Item = (&str, Fingerprint)> {
    text.lines().filter_map(|line| {
        let (name, fingerprint) = line.split_once(' ')?;
        Some((name, fingerprint.trim().parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_new_then_known_and_a_change_is_seen() {
        let dir = tempfile::tempdir().expect("a directory");
        let known = KnownServers::at(dir.path().join("state").join(FILE));
        let (one, two) = (Fingerprint::of(b"1"), Fingerprint::of(b"2"));
        let look = |server, fingerprint| known.look_up(server, fingerprint).expect("readable");
        assert_eq!(look("a:1", one), Acquaintance::New);
        known.remember("a:1", one).expect("written");
        known.remember("b:1", two).expect("written");
        assert_eq!(look("a:1", one), Acquaintance::Known);
        assert_eq!(look("b:1", two), Acquaintance::Known);
        assert_eq!(look("a:1", two), Acquaintance::Changed { before: one });
        assert_eq!(look("a:2", two), Acquaintance::New);
    }

    #[test]
    fn a_line_that_is_none_is_passed_over_and_kept() {
        let dir = tempfile::tempdir().expect("a directory");
        let known = KnownServers::at(dir.path().join(FILE));
        std::fs::write(&known.path, "# mine\nhost\nhost sha256:12").expect("written");
        let one = Fingerprint::of(b"1");
        assert_eq!(known.look_up("host", one).expect("read"), Acquaintance::New);
        known.remember("host", one).expect("written");
        let text = std::fs::read_to_string(&known.path).expect("read");
        assert!(text.starts_with("# mine\nhost\nhost sha256:12\nhost sha256:"));
        assert_eq!(
            known.look_up("host", one).expect("read"),
            Acquaintance::Known
        );
    }
}
