//! The one gate for names from a peer.
//!
//! A [`PeerPath`] cannot leave the directory that it is taken relative to: it has at least one component, and
//! no component is empty, `.`, `..` or holds a `/` or NUL. What a file system makes of it (links on the way,
//! case folding) is the store's to guard; what Windows makes of a name is asked with
//! [`PeerPath::check_for_windows`], because a name that is fine on the sender's system is no violation but a
//! refusal of that one file.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::cmp::Ordering;
use std::fmt;

use crate::core::sanitise::sanitise;

/// The longest component in bytes: NAME_MAX of Linux, macOS and the BSDs. NTFS counts 255 UTF-16 units,
/// which are never fewer bytes of UTF-8.
pub const MAX_COMPONENT: usize = 255;

/// The most components. PATH_MAX allows 2,048, but each level costs the store an open directory while it
/// walks, and trees of people stay below 60.
pub const MAX_DEPTH: usize = 255;

/// The most bytes of a whole path, its separators counted: PATH_MAX of Linux (4,096) with its NUL. A longer
/// path could be made there but not named again by other programs.
pub const MAX_PATH: usize = 4_095;

/// Why a name was not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BadPath {
    /// No component at all.
    Empty,
    /// A component of no bytes: an absolute path, `a//b`, or a trailing slash.
    EmptyComponent,
    /// A component `.` or `..`.
    Dots,
    /// A `/` inside a component.
    Separator,
    /// A NUL, which ends a name for the system.
    Nul,
    /// A component above [`MAX_COMPONENT`].
    ComponentTooLong,
    /// More than [`MAX_DEPTH`] components.
    TooDeep,
    /// More than [`MAX_PATH`] bytes.
    TooLong,
    /// Windows: a device's name (`NUL`, `COM1.txt`), in which nothing can be stored.
    Reserved,
    /// Windows: ends in a dot or space, which the system would drop, so that two names become one.
    TrailingDotOrSpace,
    /// Windows: one of `< > : " \ | ? *` or a control character. A `:` would open an alternate stream, a
    /// `\` is a separator.
    ForbiddenCharacter,
    /// Windows: not UTF-8, so it has no counterpart there.
    NotUnicode,
}

impl fmt::Display for BadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadPath::Empty => "the path is empty",
            BadPath::EmptyComponent => "the path is absolute or has an empty component",
            BadPath::Dots => "the path has a component \".\" or \"..\"",
            BadPath::Separator => "a component of the path contains \"/\"",
            BadPath::Nul => "the path contains a NUL",
            BadPath::ComponentTooLong => "a component of the path is longer than 255 bytes",
            BadPath::TooDeep => "the path has more than 255 components",
            BadPath::TooLong => "the path is longer than 4095 bytes",
            BadPath::Reserved => "the name is reserved on Windows",
            BadPath::TrailingDotOrSpace => "a name cannot end in a dot or space on Windows",
            BadPath::ForbiddenCharacter => {
                "the name contains a character that Windows does not allow"
            }
            BadPath::NotUnicode => "the name is not UTF-8, which Windows cannot store",
        })
    }
}

impl std::error::Error for BadPath {}

/// A relative path, as bytes, that names something strictly below where it starts.
///
/// It is kept as the components joined by `/`, which none of them can contain. Equal bytes are the same
/// path; a file system that folds case may still disagree.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PeerPath(Box<[u8]>);

impl PeerPath {
    /// The gate. The order of the checks does not depend on what the bytes mean to a system.
    pub fn from_components(
        components: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<PeerPath, BadPath> {
        let mut joined = Vec::new();
        let mut depth = 0;
        for component in components {
            depth += 1;
            push_component(&mut joined, depth, &component)?;
        }
        if depth == 0 {
            return Err(BadPath::Empty);
        }
        Ok(PeerPath(joined.into_boxed_slice()))
    }

    /// The same for bytes in which `/` separates, such as a path that the sender's walk found below its root.
    pub fn from_slashed(path: &[u8]) -> Result<PeerPath, BadPath> {
        if path.is_empty() {
            return Err(BadPath::Empty);
        }
        Self::from_components(path.split(|&byte| byte == b'/').map(<[u8]>::to_vec))
    }

    /// The components, the outermost directory first.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|&byte| byte == b'/')
    }

    /// The last component: the name of the file itself.
    pub fn name(&self) -> &[u8] {
        self.components().last().unwrap_or_default()
    }

    /// The components joined by `/`: what `sha256sum` would print before escaping.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Every directory that the path goes through, as joined bytes, the outermost first, itself left out.
    pub fn ancestors(&self) -> impl Iterator<Item = &[u8]> {
        self.0
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'/')
            .map(|(at, _)| &self.0[..at])
    }

    /// Whether Windows could store the path under exactly this name. Sources: "Naming Files, Paths, and
    /// Namespaces" of the Windows documentation, with the superscript digits that are reserved as well.
    pub fn check_for_windows(&self) -> Result<(), BadPath> {
        self.components().try_for_each(check_windows_component)
    }
}

fn push_component(joined: &mut Vec<u8>, depth: usize, component: &[u8]) -> Result<(), BadPath> {
    if component.is_empty() {
        return Err(BadPath::EmptyComponent);
    }
    if component == b"." || component == b".." {
        return Err(BadPath::Dots);
    }
    if component.contains(&b'/') {
        return Err(BadPath::Separator);
    }
    if component.contains(&0) {
        return Err(BadPath::Nul);
    }
    if component.len() > MAX_COMPONENT {
        return Err(BadPath::ComponentTooLong);
    }
    if depth > MAX_DEPTH {
        return Err(BadPath::TooDeep);
    }
    if joined.len() + usize::from(depth > 1) + component.len() > MAX_PATH {
        return Err(BadPath::TooLong);
    }
    if depth > 1 {
        joined.push(b'/');
    }
    joined.extend_from_slice(component);
    Ok(())
}

fn check_windows_component(component: &[u8]) -> Result<(), BadPath> {
    let Ok(name) = std::str::from_utf8(component) else {
        return Err(BadPath::NotUnicode);
    };
    if name
        .bytes()
        .any(|byte| byte < 0x20 || b"<>:\"\\|?*".contains(&byte))
    {
        return Err(BadPath::ForbiddenCharacter);
    }
    if name.ends_with(['.', ' ']) {
        return Err(BadPath::TrailingDotOrSpace);
    }
    // A device is recognised by what stands before the first dot, spaces behind it left out.
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    if is_windows_device(stem) {
        return Err(BadPath::Reserved);
    }
    Ok(())
}

fn is_windows_device(stem: &str) -> bool {
    let upper = stem.to_ascii_uppercase();
    if matches!(
        upper.as_str(),
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$"
    ) {
        return true;
    }
    ["COM", "LPT"].iter().any(|port| {
        upper.strip_prefix(port).is_some_and(|number| {
            matches!(
                number,
                "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³"
            )
        })
    })
}

impl PartialOrd for PeerPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PeerPath {
    /// The order of a depth-first walk: a directory, what is in it, then its next sibling.
    fn cmp(&self, other: &Self) -> Ordering {
        self.components().cmp(other.components())
    }
}

impl fmt::Display for PeerPath {
    /// For eyes: whatever could command a terminal or hide is made visible.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&sanitise(&self.0))
    }
}

impl fmt::Debug for PeerPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerPath({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn gate(path: &[u8]) -> Result<PeerPath, BadPath> {
        PeerPath::from_slashed(path)
    }

    #[test]
    fn no_path_leaves_its_directory() {
        let table: [(&[u8], BadPath); 9] = [
            (b"", BadPath::Empty),
            (b"/etc/passwd", BadPath::EmptyComponent),
            (b"a//b", BadPath::EmptyComponent),
            (b"a/", BadPath::EmptyComponent),
            (b"../x", BadPath::Dots),
            (b"a/../../x", BadPath::Dots),
            (b"..", BadPath::Dots),
            (b"./x", BadPath::Dots),
            (b"a\0b", BadPath::Nul),
        ];
        for (path, why) in table {
            assert_eq!(gate(path), Err(why), "{path:?}");
        }
        let slipped = PeerPath::from_components([b"a/../../b".to_vec()]);
        assert_eq!(slipped, Err(BadPath::Separator));
        assert_eq!(
            PeerPath::from_components(std::iter::empty()),
            Err(BadPath::Empty)
        );
    }

    #[test]
    fn names_that_only_look_dangerous_pass() {
        for path in [
            &b"..."[..],
            b"..a",
            b"a..",
            b"-rf",
            b"~",
            b"a b",
            b"\xff\xfe",
            b"a\nb",
        ] {
            assert!(gate(path).is_ok(), "{path:?}");
        }
    }

    #[test]
    fn lengths_and_depth_are_bounded_at_the_documented_values() {
        assert!(gate(&[b'a'; 255]).is_ok());
        assert_eq!(gate(&[b'a'; 256]), Err(BadPath::ComponentTooLong));
        let levels = |n: usize| PeerPath::from_components(std::iter::repeat_n(b"d".to_vec(), n));
        assert!(levels(255).is_ok());
        assert_eq!(levels(256), Err(BadPath::TooDeep));
        assert_eq!(levels(1_000), Err(BadPath::TooDeep));
        // 16 components of 255 bytes with their separators are 4,095 bytes.
        let wide = |last: usize| {
            let full = std::iter::repeat_n(vec![b'x'; 255], 15);
            PeerPath::from_components(full.chain([vec![b'x'; last]]))
        };
        assert_eq!(wide(255).map(|path| path.as_bytes().len()), Ok(4_095));
        let longer = std::iter::repeat_n(vec![b'x'; 255], 16).chain([b"y".to_vec()]);
        assert_eq!(PeerPath::from_components(longer), Err(BadPath::TooLong));
    }

    #[test]
    fn windows_refuses_devices_streams_and_names_that_it_would_change() {
        let table = [
            ("nul", BadPath::Reserved),
            ("a/COM1.txt", BadPath::Reserved),
            ("Aux .c", BadPath::Reserved),
            ("lpt\u{b9}", BadPath::Reserved),
            ("CONIN$", BadPath::Reserved),
            ("a.", BadPath::TrailingDotOrSpace),
            ("a ", BadPath::TrailingDotOrSpace),
            ("...", BadPath::TrailingDotOrSpace),
            ("a:b", BadPath::ForbiddenCharacter),
            ("C:", BadPath::ForbiddenCharacter),
            ("..\\x", BadPath::ForbiddenCharacter),
            ("a\tb", BadPath::ForbiddenCharacter),
        ];
        for (path, why) in table {
            let path = gate(path.as_bytes()).expect(path);
            assert_eq!(path.check_for_windows(), Err(why), "{path}");
        }
        let bytes = gate(b"caf\xe9").expect("bytes");
        assert_eq!(bytes.check_for_windows(), Err(BadPath::NotUnicode));
        for path in [
            "console",
            "com",
            "com10",
            "auxiliary.c",
            "a.nul",
            ".profile",
        ] {
            assert_eq!(
                gate(path.as_bytes()).expect(path).check_for_windows(),
                Ok(())
            );
        }
    }

    #[test]
    fn a_name_cannot_command_the_terminal_that_shows_it() {
        let path = gate(b"a\x1b]0;x\x07/b\nc").expect("bytes");
        assert_eq!(path.to_string(), "a\\x1b]0;x\\x07/b\\x0ac");
    }

    #[test]
    fn ancestors_are_the_directories_on_the_way() {
        let path = gate(b"a/bc/d").expect("path");
        let ancestors: Vec<_> = path.ancestors().collect();
        assert_eq!(ancestors, [&b"a"[..], b"a/bc"]);
        assert_eq!(path.name(), b"d");
    }

    #[test]
    fn a_directory_sorts_before_what_is_in_it_and_that_before_its_sibling() {
        let mut paths: Vec<_> = ["a-b", "a/z", "a", "a/b", "b"]
            .map(|path| gate(path.as_bytes()).expect(path))
            .into();
        paths.sort();
        let sorted: Vec<_> = paths.iter().map(ToString::to_string).collect();
        assert_eq!(sorted, ["a", "a/b", "a/z", "a-b", "b"]);
    }

    proptest! {
        #[test]
        fn what_passes_is_relative_and_comes_out_as_it_went_in(
            components in prop::collection::vec(prop::collection::vec(
                prop_oneof![Just(b'.'), Just(b'/'), Just(0u8), any::<u8>()], 0..5), 0..5),
        ) {
            if let Ok(path) = PeerPath::from_components(components.clone()) {
                prop_assert!(path.components().map(<[u8]>::to_vec).eq(components.iter().cloned()));
                for component in path.components() {
                    prop_assert!(!component.is_empty() && component != b"." && component != b"..");
                    prop_assert!(!component.contains(&b'/') && !component.contains(&0));
                }
                prop_assert_eq!(PeerPath::from_slashed(path.as_bytes()), Ok(path));
            }
        }
    }
}
