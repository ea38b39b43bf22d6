//! The names that partial files and their journals have, and the ones that `--rename` finds.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// Ends the name of a partial file, which begins with a dot.
pub const PART_SUFFIX: &[u8] = b".sockkit-part";

/// Ends the name of the hint beside it.
pub const JOURNAL_SUFFIX: &[u8] = b".sockkit-journal";

/// NAME_MAX of nearly every file system: ext4, XFS, Btrfs, APFS, NTFS, ZFS. Where it is lower (eCryptfs: 143)
/// the system says ENAMETOOLONG, which is reported as it is.
pub const NAME_MAX: usize = 255;

/// How many `name (N)` are tried.
pub const MAX_RENAMES: u32 = 9_999;

/// The name of the partial file of `name`.
pub fn part_name(name: &[u8]) -> Vec<u8> {
    hidden(name, PART_SUFFIX)
}

/// The name of the journal of `name`.
pub fn journal_name(name: &[u8]) -> Vec<u8> {
    hidden(name, JOURNAL_SUFFIX)
}

/// Whether a name is one that [`part_name`] or [`journal_name`] gives. Case does not count: on macOS and Windows
/// it does not for the file system either.
pub fn is_reserved(name: &[u8]) -> bool {
    let ends_with = |suffix: &[u8]| {
        name.len() > suffix.len() && name[name.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
    };
    name.first() == Some(&b'.') && (ends_with(PART_SUFFIX) || ends_with(JOURNAL_SUFFIX))
}

/// `.NAME` and the suffix. A name that would grow beyond [`NAME_MAX`] is shortened and gets 16 hexadecimal digits
/// of its SHA-256, so that it is found again and two long names do not share a partial file.
fn hidden(name: &[u8], suffix: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(NAME_MAX);
    out.push(b'.');
    if 1 + name.len() + suffix.len() <= NAME_MAX {
        out.extend_from_slice(name);
    } else {
        let digest = Sha256::digest(name);
        let mut tail = String::from("~");
        for byte in &digest[..8] {
            // Writing into a String cannot fail.
            let _ = write!(tail, "{byte:02x}");
        }
        let room = NAME_MAX - 1 - suffix.len() - tail.len();
        out.extend_from_slice(shortened(name, room));
        out.extend_from_slice(tail.as_bytes());
    }
    out.extend_from_slice(suffix);
    out
}

/// `name (N).ext`, shortened before the number where it would grow beyond [`NAME_MAX`].
pub fn alternative(name: &[u8], number: u32) -> Vec<u8> {
    let tag = format!(" ({number})");
    // A leading dot begins no extension, and an extension of more than 16 bytes is none.
    let dot = name
        .iter()
        .rposition(|&b| b == b'.')
        .filter(|&dot| dot > 0 && name.len() - dot <= 17);
    let (stem, extension) = name.split_at(dot.unwrap_or(name.len()));
    let room = NAME_MAX - tag.len() - extension.len();
    let mut out = shortened(stem, room).to_vec();
    out.extend_from_slice(tag.as_bytes());
    out.extend_from_slice(extension);
    out
}

/// At most `room` bytes of `name`, not cut within a UTF-8 character: macOS takes no such name.
fn shortened(name: &[u8], room: usize) -> &[u8] {
    if name.len() <= room {
        return name;
    }
    let mut end = room;
    while end > 0 && room - end < 3 && name[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    &name[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_the_manual_says() {
        assert_eq!(part_name(b"a.txt"), b".a.txt.sockkit-part");
        assert_eq!(journal_name(b"a.txt"), b".a.txt.sockkit-journal");
        assert_eq!(alternative(b"a.txt", 1), b"a (1).txt");
        assert_eq!(alternative(b"a.tar.gz", 12), b"a.tar (12).gz");
        assert_eq!(alternative(b".bashrc", 1), b".bashrc (1)");
        assert_eq!(alternative(b"Makefile", 1), b"Makefile (1)");
    }

    #[test]
    fn long_names_fit_stay_apart_and_are_found_again() {
        let long = |last: u8| {
            let mut name = vec![b'x'; 254];
            name.push(last);
            name
        };
        for make in [part_name, journal_name] {
            let (a, b) = (make(&long(b'a')), make(&long(b'b')));
            assert!(a.len() <= NAME_MAX, "{}", a.len());
            assert_ne!(a, b);
            assert_eq!(a, make(&long(b'a')));
            assert!(is_reserved(&a));
        }
        assert_eq!(alternative(&long(b'a'), 9999).len(), NAME_MAX);
    }

    #[test]
    fn a_character_is_not_cut() {
        let name = "ü".repeat(127);
        for cut in [part_name(name.as_bytes()), alternative(name.as_bytes(), 1)] {
            assert!(cut.len() <= NAME_MAX);
            assert!(String::from_utf8(cut).is_ok());
        }
        // What is no UTF-8 at all is cut anywhere.
        assert!(part_name(&[0x80; 255]).len() <= NAME_MAX);
    }

    #[test]
    fn only_our_own_names_are_reserved() {
        for name in [".a.sockkit-part", ".a.SOCKKIT-PART", ".a.sockkit-journal"] {
            assert!(is_reserved(name.as_bytes()), "{name}");
        }
        for name in ["a.sockkit-part", ".sockkit-part", ".a.sockkit-parts", ""] {
            assert!(!is_reserved(name.as_bytes()), "{name}");
        }
    }
}
