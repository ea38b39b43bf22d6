//! The journal beside a partial file: which version of the source it was begun for. It is a hint and nothing more:
//! what is in a partial file is known by comparing it. Whatever is unreadable, torn or made up means "no hint".
//!
//! ```text
//! sockkit-part 1
//! size 2147483648
//! modified 1796000512.123456789
//! ```

use std::fs::File;
use std::io::{self, Read, Seek, Write};

use crate::transfer::entry::{Entry, ModifiedAt};
use crate::transfer::store::beneath::{Dir, What};

/// No journal is longer.
const MAX_LEN: u64 = 256;

/// Files below one chunk get no journal: there is nothing to say that comparing would not show in one step, and
/// ten thousand small files are not to cost ten thousand more.
pub(super) const WORTH_A_JOURNAL: u64 = 1 << 20;

/// What a journal says about the version that a partial file was begun for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint {
    /// The size that was offered.
    pub size: Option<u64>,
    /// The time that was offered.
    pub modified: ModifiedAt,
}

impl Hint {
    fn of(entry: &Entry) -> Self {
        Self {
            size: entry.size(),
            modified: entry.modified,
        }
    }

    fn encode(&self) -> String {
        let size = match self.size {
            Some(size) => size.to_string(),
            None => "unknown".into(),
        };
        let ModifiedAt { secs, nanos } = self.modified;
        format!("sockkit-part 1\nsize {size}\nmodified {secs}.{nanos:09}\n")
    }

    fn decode(text: &str) -> Option<Self> {
        let text = text.strip_prefix("sockkit-part 1\n")?.strip_suffix('\n')?;
        let (size, modified) = text.split_once('\n')?;
        let size = match size.strip_prefix("size ")? {
            "unknown" => None,
            number => Some(number.parse().ok()?),
        };
        let (seconds, nanos) = modified.strip_prefix("modified ")?.split_once('.')?;
        if nanos.len() != 9 {
            return None;
        }
        Some(Self {
            size,
            modified: ModifiedAt {
                secs: seconds.parse().ok()?,
                nanos: nanos.parse().ok()?,
            },
        })
    }
}

/// Reads what an earlier run left and writes what this one is for. A journal that cannot be written is none: the
/// transfer does not depend on it.
pub(super) fn renew(dir: &Dir, name: &[u8], entry: &Entry) -> Option<Hint> {
    let mut file = open(dir, name).ok()?;
    let before = read(&mut file).ok().flatten();
    let _ = write(&mut file, &Hint::of(entry));
    before
}

fn open(dir: &Dir, name: &[u8]) -> io::Result<File> {
    let file = dir.open_or_create(name)?;
    let seen = Dir::identify(&file)?;
    if seen.what != What::File || seen.links > 1 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(file)
}

fn read(file: &mut File) -> io::Result<Option<Hint>> {
    let mut text = String::new();
    file.take(MAX_LEN).read_to_string(&mut text)?;
    Ok(Hint::decode(&text))
}

fn write(file: &mut File, hint: &Hint) -> io::Result<()> {
    file.rewind()?;
    file.set_len(0)?;
    file.write_all(hint.encode().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_hint_reads_back_and_a_torn_one_is_none(
            size in proptest::option::of(any::<u64>()),
            seconds in any::<i64>(),
            nanos in 0u32..1_000_000_000,
            cut in 0usize..80,
        ) {
            let hint = Hint { size, modified: ModifiedAt { secs: seconds, nanos } };
            let text = hint.encode();
            prop_assert!(text.len() as u64 <= MAX_LEN);
            prop_assert_eq!(Hint::decode(&text), Some(hint));
            if cut < text.len() {
                prop_assert_eq!(Hint::decode(&text[..cut]), None);
            }
        }

        #[test]
        fn garbage_is_no_hint(text in ".{0,80}") {
            prop_assert_eq!(Hint::decode(&text), None);
        }
    }
}
