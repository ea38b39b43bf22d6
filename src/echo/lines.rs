//! What is added to what is sent back: the time, and a word of the user's, before each line of a stream and
//! each datagram.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use memchr::memchr;

use crate::core::timestamp::Timestamp;

/// What to add.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Additions {
    /// The time, RFC 3339 in UTC with microseconds, and a space.
    pub timestamp: bool,
    /// The user's word.
    pub prefix: String,
}

impl Additions {
    /// Whether there are none.
    pub fn are_none(&self) -> bool {
        !self.timestamp && self.prefix.is_empty()
    }

    /// Appends a datagram with what goes before it: when it came, when it goes, the user's word.
    pub fn to_datagram(&self, came_micros: i64, goes_micros: i64, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        if self.timestamp {
            for micros in [came_micros, goes_micros] {
                let time = Timestamp::from_unix_micros(micros);
                out.extend_from_slice(format!("{time} ").as_bytes());
            }
        }
        out.extend_from_slice(self.prefix.as_bytes());
        out.extend_from_slice(bytes);
        out
    }
}

/// One stream on its way through.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lines {
    within_a_line: bool,
}

impl Lines {
    /// What goes back for `bytes`, which came at this time. A line gets its additions with its first byte.
    pub fn rewrite(&mut self, additions: &Additions, micros: i64, bytes: &[u8]) -> Vec<u8> {
        let time = match additions.timestamp {
            true => format!("{} ", Timestamp::from_unix_micros(micros)),
            false => String::new(),
        };
        let mut out = Vec::with_capacity(bytes.len() + time.len() + additions.prefix.len());
        let mut rest = bytes;
        while !rest.is_empty() {
            if !self.within_a_line {
                out.extend_from_slice(time.as_bytes());
                out.extend_from_slice(additions.prefix.as_bytes());
            }
            let end = memchr(b'\n', rest);
            let (line, behind) = rest.split_at(end.map_or(rest.len(), |at| at + 1));
            out.extend_from_slice(line);
            self.within_a_line = end.is_none();
            rest = behind;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn additions() -> Additions {
        Additions {
            timestamp: true,
            prefix: "> ".into(),
        }
    }

    #[test]
    fn every_split_of_the_input_gives_the_same_output() {
        let input = b"one\n\ntwo\r\nthree";
        let expected = "1970-01-01T00:00:01.000002Z > one\n1970-01-01T00:00:01.000002Z > \n\
                        1970-01-01T00:00:01.000002Z > two\r\n1970-01-01T00:00:01.000002Z > three";
        for first in 0..=input.len() {
            for second in first..=input.len() {
                let mut lines = Lines::default();
                let mut out = Vec::new();
                for part in [&input[..first], &input[first..second], &input[second..]] {
                    out.extend(lines.rewrite(&additions(), 1_000_002, part));
                }
                assert_eq!(
                    String::from_utf8(out).unwrap(),
                    expected,
                    "{first} {second}"
                );
            }
        }
    }

    #[test]
    fn without_additions_nothing_changes() {
        let none = Additions::default();
        assert!(none.are_none());
        assert_eq!(Lines::default().rewrite(&none, 0, b"a\nb"), b"a\nb");
        assert_eq!(none.to_datagram(0, 0, b"a"), b"a");
    }

    #[test]
    fn a_datagram_says_when_it_came_and_when_it_went() {
        let out = additions().to_datagram(1_000_000, 2_000_000, b"ab");
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "1970-01-01T00:00:01.000000Z 1970-01-01T00:00:02.000000Z > ab"
        );
    }
}
