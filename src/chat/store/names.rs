//! The names of a room's files.
//!
//! ```text
//! lobby.jsonl            what is being written
//! lobby@000001.jsonl     what was rotated away, the oldest
//! lobby@000002.jsonl
//! ```
//!
//! A room's name is a peer's text. What is not `a-z`, `0-9`, `.`, `_` or `-` is percent-encoded, so that no name
//! leaves the directory, that no two are one on a file system which folds case or normalises Unicode, and that every
//! shell takes them. `@` is thus in no room's name.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::chat::nick::RoomName;

const EXTENSION: &str = ".jsonl";

/// The fewest digits of a rotated file's number: `ls` shows the files in order up to a million of them.
const DIGITS: usize = 6;

/// Device names that Windows sees in a file name up to its first dot, in whatever directory
/// ("Naming Files, Paths, and Namespaces" in Microsoft's documentation).
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// What a file of the directory is by its name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FileName {
    /// What is being written of a room.
    Current(RoomName),
    /// What was rotated away.
    Rotated(RoomName, u64),
    /// It looks like one of ours, but no room has this name.
    Strange,
    /// Somebody else's.
    Foreign,
}

/// The room's part of its files' names.
pub(super) fn stem(name: &RoomName) -> String {
    let text = name.as_str();
    let text = text.strip_prefix('#').unwrap_or(text);
    let mut stem = String::with_capacity(text.len());
    let is_device = is_device(text.split('.').next().unwrap_or_default());
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' if at > 0 || !is_device => {
                stem.push(char::from(byte));
            }
            _ => stem.push_str(&format!("%{byte:02X}")),
        }
    }
    stem
}

/// The file that is being written.
pub(super) fn current(stem: &str) -> String {
    format!("{stem}{EXTENSION}")
}

/// A file that was rotated away.
pub(super) fn rotated(stem: &str, number: u64) -> String {
    format!("{stem}@{number:0DIGITS$}{EXTENSION}")
}

/// Understands a file's name. Only what [`current`] and [`rotated`] would give is a room's.
pub(super) fn parse(file: &str) -> FileName {
    let Some(rest) = file.strip_suffix(EXTENSION) else {
        return FileName::Foreign;
    };
    let (encoded, number) = match rest.split_once('@') {
        Some((encoded, number)) => (encoded, Some(number)),
        None => (rest, None),
    };
    let Some(name) = decode(encoded).filter(|name| stem(name) == encoded) else {
        return FileName::Strange;
    };
    match number.map(str::parse) {
        None => FileName::Current(name),
        Some(Ok(number)) if rotated(encoded, number) == file => FileName::Rotated(name, number),
        Some(_) => FileName::Strange,
    }
}

fn decode(stem: &str) -> Option<RoomName> {
    let mut bytes = vec![b'#'];
    let mut rest = stem.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            byte => byte,
        });
    }
    RoomName::parse(&String::from_utf8(bytes).ok()?).ok()
}

fn is_device(base: &str) -> bool {
    let is_port = |port: &str| {
        base.strip_prefix(port)
            .is_some_and(|digit| digit.len() == 1 && digit.as_bytes()[0].is_ascii_digit())
    };
    DEVICES.contains(&base) || is_port("com") || is_port("lpt")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn room(text: &str) -> RoomName {
        RoomName::parse(text).expect("a room's name")
    }

    #[test]
    fn a_room_is_found_again_by_its_file() {
        let table = [
            ("#lobby", "lobby.jsonl"),
            ("#Lobby", "%4Cobby.jsonl"),
            ("#a.b_c-d", "a.b_c-d.jsonl"),
            ("#Ä", "%C3%84.jsonl"),
            ("#con", "%63on.jsonl"),
            ("#aux.1", "%61ux.1.jsonl"),
            ("#com1", "%63om1.jsonl"),
            ("#com10", "com10.jsonl"),
            ("#console", "console.jsonl"),
            ("#CON", "%43%4F%4E.jsonl"),
            ("#x.000001", "x.000001.jsonl"),
        ];
        for (name, file) in table {
            let name = room(name);
            assert_eq!(current(&stem(&name)), file);
            assert_eq!(parse(file), FileName::Current(name));
        }
        assert_eq!(rotated("lobby", 7), "lobby@000007.jsonl");
        let seven = FileName::Rotated(room("#lobby"), 7);
        assert_eq!(parse("lobby@000007.jsonl"), seven);
        let many = FileName::Rotated(room("#lobby"), 12_345_678);
        assert_eq!(parse("lobby@12345678.jsonl"), many);
    }

    #[test]
    fn what_is_not_spelt_as_we_would_is_not_ours() {
        for file in [
            "",
            ".lock",
            "lobby",
            "lobby.json",
            "lobby.jsonl~",
            "lobby.jsonl.gz",
        ] {
            assert_eq!(parse(file), FileName::Foreign, "{file}");
        }
        for file in [
            ".jsonl",
            "Lobby.jsonl",
            "%6Cobby.jsonl",
            "%4cobby.jsonl",
            "%C3.jsonl",
            "%2E%2E%2Fx.jsonl",
            "a b.jsonl",
            "%.jsonl",
            "%4.jsonl",
            "%+1.jsonl",
            "con.jsonl",
            "lobby@1.jsonl",
            "lobby@0000001.jsonl",
            "lobby@+00001.jsonl",
            "lobby@.jsonl",
            "lobby@000001@000002.jsonl",
        ] {
            assert_eq!(parse(file), FileName::Strange, "{file}");
        }
    }

    #[test]
    fn the_longest_name_fits_a_directory_entry() {
        let name = format!("#{}", "\u{10400}".repeat(15)); // 61 bytes, all encoded
        let name =
            RoomName::parse(&name).unwrap_or_else(|_| room(&format!("#{}", "山".repeat(12))));
        let encoded = stem(&name);
        assert!(rotated(&encoded, u64::MAX).len() <= 255);
        // The bound of the type, whatever the script: three characters a byte.
        let longest = "%41".repeat(crate::chat::nick::MAX_ROOM_BYTES - 1);
        assert!(rotated(&longest, u64::MAX).len() <= 255);
    }

    proptest! {
        #[test]
        fn every_name_is_one_safe_file_and_back(text in "#[a-zA-Z0-9._äßŁжΩ山-]{1,20}") {
            if let Ok(name) = RoomName::parse(&text) {
                let file = current(&stem(&name));
                let safe = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-%ABCDEF".contains(&b);
                prop_assert!(file.bytes().all(safe), "{}", file);
                prop_assert!(!file.starts_with(['.', '-']));
                prop_assert_eq!(parse(&file), FileName::Current(name));
            }
        }

        #[test]
        fn any_file_name_is_judged_without_panic(file in "\\PC{0,30}(\\.jsonl)?") {
            let _ = parse(&file);
        }
    }
}
