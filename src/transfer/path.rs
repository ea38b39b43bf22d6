//! A path from a peer. (A stand-in until the wire's branch is merged.)

use std::fmt;

use crate::core::sanitise::sanitise;

/// Why a path is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPath;

impl fmt::Display for BadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a path that can be stored")
    }
}

impl std::error::Error for BadPath {}

/// A relative path without `.`, `..`, empty components or NUL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerPath(Vec<Vec<u8>>);

impl PeerPath {
    /// The gate.
    pub fn from_components(components: impl IntoIterator<Item = Vec<u8>>) -> Result<Self, BadPath> {
        let components: Vec<_> = components.into_iter().collect();
        let bad = |c: &Vec<u8>| {
            c.is_empty() || c == b"." || c == b".." || c.contains(&b'/') || c.contains(&0)
        };
        if components.is_empty() || components.iter().any(bad) {
            return Err(BadPath);
        }
        Ok(Self(components))
    }

    /// The components, outermost first; at least one.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }
}

impl fmt::Display for PeerPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&sanitise(&self.0.join(&b'/')))
    }
}
