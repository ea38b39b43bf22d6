//! Numbers of bytes, as people write them.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::fmt;
use std::str::FromStr;

/// A number of bytes, typed as `4096`, `4K` or `4KiB`; `K`, `M` and `G` are powers of 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

/// 1024 bytes.
pub(crate) const KIB: u64 = 1 << 10;
/// 1024 of them.
pub(crate) const MIB: u64 = 1 << 20;
/// 1024 of those.
pub(crate) const GIB: u64 = 1 << 30;

impl Size {
    /// From a number of bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The number of bytes as a length in memory, at most what the machine can address.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = match unit {
            "" | "B" => 1,
            "k" | "K" | "KiB" => KIB,
            "m" | "M" | "MiB" => MIB,
            "g" | "G" | "GiB" => GIB,
            _ => return Err(
                "a size is a number with K, M, G, KiB, MiB, GiB or nothing behind it, such as 64K"
                    .into(),
            ),
        };
        if number.is_empty() {
            return Err("a size begins with a number, such as 64K".into());
        }
        number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(unit))
            .map(Self)
            .ok_or_else(|| "too large".into())
    }
}

impl fmt::Display for Size {
    /// In the largest unit without a remainder, which reads back as the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, name) in [(GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")] {
            if self.0 != 0 && self.0.is_multiple_of(unit) {
                return write!(f, "{}{name}", self.0 / unit);
            }
        }
        write!(f, "{}", self.0)
    }
}
