//! A password, which never comes from the command line: other users see that in `ps`.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use zeroize::Zeroizing;

use crate::core::secure::PASSWORD_VARIABLE;
use crate::error::{Error, Kind, Result};

/// The longest password in bytes. It travels in the first line, whose length is bounded.
const MAX_PASSWORD: usize = 256;

/// Where a password comes from.
#[derive(Debug, Clone, Args)]
pub struct PasswordArgs {
    /// Read the password from the first line of this file instead of from SOCKKIT_PASSWORD
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Access")]
    pub password_file: Option<PathBuf>,
}

/// A password. It is overwritten in memory when it is dropped, and its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// From text that is already known to be a password, as the client's prompt has it.
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = Zeroizing::new(text.into());
        if text.is_empty() || text.len() > MAX_PASSWORD || text.chars().any(char::is_control) {
            return Err(Error::new(
                Kind::Usage,
                format!("a password has 1 to {MAX_PASSWORD} bytes and no control characters"),
            ));
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

impl PasswordArgs {
    /// The password from the file or the environment, or `None` if neither is there. An empty one is an
    /// error: whoever sets it wants a locked door, not an open one.
    pub fn read(&self) -> Result<Option<Password>> {
        if let Some(path) = &self.password_file {
            let unreadable = || format!("cannot read the password file {}", path.display());
            let text = std::fs::read_to_string(path)
                .map(Zeroizing::new)
                .map_err(|error| Error::new(Kind::Other, unreadable()).because(error))?;
            let line = text.lines().next().unwrap_or_default();
            return found(line, || format!("the file {}", path.display()));
        }
        match std::env::var(PASSWORD_VARIABLE) {
            Ok(text) => found(text, || PASSWORD_VARIABLE.to_string()),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => Err(Error::new(
                Kind::Usage,
                format!("{PASSWORD_VARIABLE} is not UTF-8"),
            )),
        }
    }
}

/// A password that stood somewhere. The error says where.
fn found(text: impl Into<String>, place: impl FnOnce() -> String) -> Result<Option<Password>> {
    match Password::new(text) {
        Ok(password) => Ok(Some(password)),
        Err(error) => Err(error.hint(format!("it was read from {}", place()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_file_gives_its_first_line() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("password");
        std::fs::write(&path, "open sesame\r\nnot this\n").expect("a file");
        let args = PasswordArgs {
            password_file: Some(path.clone()),
        };
        let password = args.read().expect("readable").expect("there");
        assert_eq!(password.expose(), "open sesame");
        assert_eq!(format!("{password:?}"), "Password(..)");

        std::fs::write(&path, "").expect("a file");
        let empty = args.read().expect_err("empty");
        assert_eq!(empty.kind(), Kind::Usage);
        assert!(empty.advice().is_some_and(|hint| hint.contains("password")));
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(args.read().expect_err("gone").kind(), Kind::Other);
    }
}
