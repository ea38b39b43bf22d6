//! `--exclude` and `--include`.
//!
//! A pattern without a slash is compared with the last component, one with a slash with the whole path as it is
//! sent; a slash at the beginning only anchors, one at the end means directories only. `*` and `?` do not match a
//! slash, `**` does. What an exclude matches is left out, with everything beneath it. If there are includes, a file
//! is left out unless one of them matches, and a directory unless something beneath it is sent. Excludes win.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::error::{Error, Kind, Result};

/// Compiled patterns.
#[derive(Debug, Clone, Default)]
pub struct Globs {
    exclude: Set,
    include: Set,
    has_includes: bool,
}

/// Patterns by what they are compared with.
#[derive(Debug, Clone, Default)]
struct Set {
    names: GlobSet,
    paths: GlobSet,
    directory_names: GlobSet,
    directory_paths: GlobSet,
}

impl Globs {
    /// Compiles patterns; a bad one is a usage error.
    pub fn new(exclude: &[String], include: &[String]) -> Result<Self> {
        Ok(Self {
            exclude: Set::new(exclude)?,
            include: Set::new(include)?,
            has_includes: !include.is_empty(),
        })
    }

    /// Whether an entry is left out, and everything beneath it.
    pub(super) fn excludes(&self, components: &[Vec<u8>], is_directory: bool) -> bool {
        self.exclude.matches(components, is_directory)
    }

    /// Whether something that is not excluded is sent for its own sake. Directories that are not are sent
    /// for what is in them.
    pub(super) fn includes(&self, components: &[Vec<u8>], is_directory: bool) -> bool {
        !self.has_includes || self.include.matches(components, is_directory)
    }
}

impl Set {
    fn new(patterns: &[String]) -> Result<Self> {
        let mut builders: [GlobSetBuilder; 4] = std::array::from_fn(|_| GlobSetBuilder::new());
        for pattern in patterns {
            let bad = |error| {
                let pattern = crate::core::sanitise::sanitise_str(pattern);
                Error::new(Kind::Usage, format!("bad pattern '{pattern}'")).because(error)
            };
            let (text, directories) = match pattern.strip_suffix('/') {
                Some(text) => (text, true),
                None => (pattern.as_str(), false),
            };
            let by_path = text.contains('/');
            let text = text.strip_prefix('/').unwrap_or(text);
            let glob = GlobBuilder::new(text)
                .literal_separator(true)
                .build()
                .map_err(|error| bad(error.kind().to_string()))?;
            builders[usize::from(directories) * 2 + usize::from(by_path)].add(glob);
        }
        let build = |builder: &GlobSetBuilder| {
            builder.build().map_err(|error| {
                Error::new(Kind::Usage, "bad patterns").because(error.kind().to_string())
            })
        };
        Ok(Self {
            names: build(&builders[0])?,
            paths: build(&builders[1])?,
            directory_names: build(&builders[2])?,
            directory_paths: build(&builders[3])?,
        })
    }

    fn matches(&self, components: &[Vec<u8>], is_directory: bool) -> bool {
        if self.names.is_empty()
            && self.paths.is_empty()
            && (!is_directory
                || (self.directory_names.is_empty() && self.directory_paths.is_empty()))
        {
            return false;
        }
        let joined = components.join(&b'/');
        let name = components.last().map_or(&[][..], Vec::as_slice);
        let (name, path) = (os_str(name), os_str(&joined));
        let (name, path) = (Path::new(&*name), Path::new(&*path));
        self.names.is_match(name)
            || self.paths.is_match(path)
            || (is_directory
                && (self.directory_names.is_match(name) || self.directory_paths.is_match(path)))
    }
}

#[cfg(unix)]
fn os_str(bytes: &[u8]) -> Cow<'_, OsStr> {
    Cow::Borrowed(std::os::unix::ffi::OsStrExt::from_bytes(bytes))
}

#[cfg(not(unix))]
fn os_str(bytes: &[u8]) -> Cow<'_, OsStr> {
    Cow::Owned(String::from_utf8_lossy(bytes).into_owned().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<Vec<u8>> {
        text.split('/').map(|c| c.as_bytes().to_vec()).collect()
    }

    fn globs(exclude: &[&str], include: &[&str]) -> Globs {
        let own = |list: &[&str]| list.iter().map(|&s| s.to_owned()).collect::<Vec<_>>();
        Globs::new(&own(exclude), &own(include)).unwrap()
    }

    #[test]
    fn patterns_match_what_the_manual_says() {
        for (pattern, text, is_directory, matches) in [
            ("*.o", "a.o", false, true),
            ("*.o", "deep/er/a.o", false, true),
            ("*.o", "a.c", false, false),
            ("src/*.o", "src/a.o", false, true),
            ("src/*.o", "src/b/a.o", false, false),
            ("src/**/*.o", "src/b/a.o", false, true),
            ("src/*.o", "x/src/a.o", false, false),
            ("/a.o", "a.o", false, true),
            ("/a.o", "b/a.o", false, false),
            ("target/", "x/target", true, true),
            ("target/", "x/target", false, false),
            ("x/target/", "x/target", true, true),
            ("[ab]?", "b1", false, true),
            ("{a,b}.txt", "b.txt", false, true),
        ] {
            assert_eq!(
                globs(&[pattern], &[]).excludes(&path(text), is_directory),
                matches,
                "{pattern} {text}"
            );
            assert_eq!(
                globs(&[], &[pattern]).includes(&path(text), is_directory),
                matches,
                "{pattern} {text}"
            );
        }
        assert!(globs(&[], &[]).includes(&path("a"), false));
        assert!(!globs(&[], &[]).excludes(&path("a"), false));
    }

    #[test]
    fn a_bad_pattern_is_a_usage_error() {
        let error = Globs::new(&["a[".into()], &[]).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(
            error.to_string().starts_with("bad pattern 'a[': "),
            "{error}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_utf8_are_matched() {
        let globs = globs(&["*.o"], &[]);
        assert!(globs.excludes(&[b"\xff.o".to_vec()], false));
    }
}
