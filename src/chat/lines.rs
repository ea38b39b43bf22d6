//! From bytes to lines, for people and for programs.
//!
//! Lines end with LF; a CR before it is dropped. A line torn over packets stays whole, several in one packet
//! stay several. A line over the limit is reported once and thrown away up to its end, so that its pieces
//! never look like lines of their own, and what is kept meanwhile is bounded by the limit.
//!
//! Telnet's commands (RFC 854) are taken out, and requests to negotiate are answered with a refusal, as
//! RFC 1143 asks of an end that supports no option. The byte 0xFF is no part of any UTF-8 text, so nothing
//! else is lost. `telnet` thus works, and so does every client that never heard of it.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

const SE: u8 = 240;
const SB: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
const IAC: u8 = 255;

/// A line, or what became of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// The bytes between two line ends.
    Text(&'a [u8]),
    /// A line was longer than the limit and is gone.
    TooLong,
}

/// Where in a Telnet command the input stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Telnet {
    #[default]
    Data,
    Command,
    Option(u8),
    Sub,
    SubCommand,
}

/// Collects input and gives it out line by line.
#[derive(Debug, Default)]
pub struct LineBuffer {
    bytes: Vec<u8>,
    /// Everything before this was given out.
    taken: usize,
    /// Everything before this (and behind `taken`) is known to have no line end.
    searched: usize,
    /// Inside of a line that is too long.
    skipping: bool,
    telnet: Telnet,
}

impl LineBuffer {
    /// Takes input as it is.
    pub fn push(&mut self, bytes: &[u8]) {
        self.make_room();
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes input that may have Telnet commands in it. Answers go to `reply`.
    pub fn push_telnet(&mut self, bytes: &[u8], reply: &mut Vec<u8>) {
        if self.telnet == Telnet::Data && memchr::memchr(IAC, bytes).is_none() {
            self.push(bytes);
            return;
        }
        self.make_room();
        for &byte in bytes {
            self.telnet = match (self.telnet, byte) {
                (Telnet::Data, IAC) => Telnet::Command,
                (Telnet::Data, _) => {
                    self.bytes.push(byte);
                    Telnet::Data
                }
                (Telnet::Command, WILL..=DONT) => Telnet::Option(byte),
                (Telnet::Command, SB) => Telnet::Sub,
                (Telnet::Command, IAC) => {
                    self.bytes.push(IAC);
                    Telnet::Data
                }
                (Telnet::Command, SE..IAC) => Telnet::Data,
                // No Telnet command begins like this: it is a stray byte, to be shown as one.
                (Telnet::Command, _) => {
                    self.bytes.extend([IAC, byte]);
                    Telnet::Data
                }
                (Telnet::Option(verb), option) => {
                    match verb {
                        WILL => reply.extend([IAC, DONT, option]),
                        DO => reply.extend([IAC, WONT, option]),
                        // A refusal of what was never on needs no answer.
                        _ => {}
                    }
                    Telnet::Data
                }
                (Telnet::Sub, IAC) => Telnet::SubCommand,
                (Telnet::Sub, _) => Telnet::Sub,
                (Telnet::SubCommand, SE) => Telnet::Data,
                (Telnet::SubCommand, _) => Telnet::Sub,
            };
        }
    }

    /// The next whole line, or word of one longer than `max` bytes.
    pub fn next_line(&mut self, max: usize) -> Option<Line<'_>> {
        loop {
            let Some(found) = memchr::memchr(b'\n', &self.bytes[self.searched..]) else {
                self.searched = self.bytes.len();
                let waiting = self.bytes.len() - self.taken;
                if self.skipping {
                    self.clear();
                } else if waiting > max + 1 {
                    // Even with a CR at its end it would be too long: no need to keep it.
                    self.skipping = true;
                    self.clear();
                    return Some(Line::TooLong);
                }
                if self.taken == self.bytes.len() {
                    self.clear();
                }
                return None;
            };
            let start = self.taken;
            let end = self.searched + found;
            self.taken = end + 1;
            self.searched = self.taken;
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            return Some(self.line(start, end, max));
        }
    }

    /// Whether [`LineBuffer::next_line`] has something to give.
    pub fn has_line(&mut self, max: usize) -> bool {
        let found = memchr::memchr(b'\n', &self.bytes[self.searched..]);
        match found {
            // A line that is thrown away to its end is nothing to give; what is behind it may be.
            Some(at) if self.skipping => {
                self.taken = self.searched + at + 1;
                self.searched = self.taken;
                self.skipping = false;
                self.has_line(max)
            }
            Some(_) => true,
            None if self.skipping => {
                self.clear();
                false
            }
            None => {
                self.searched = self.bytes.len();
                self.waiting() > max + 1
            }
        }
    }

    /// The rest, where the input ends without a line end. Call it after [`LineBuffer::next_line`] has no more.
    pub fn last_line(&mut self, max: usize) -> Option<Line<'_>> {
        let (start, end) = (self.taken, self.bytes.len());
        self.taken = end;
        self.searched = end;
        if start == end || self.skipping {
            return None;
        }
        Some(self.line(start, end, max))
    }

    /// Input that has not been given out, in bytes.
    pub fn waiting(&self) -> usize {
        self.bytes.len() - self.taken
    }

    /// The input that has not been given out.
    pub fn peek(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    fn line(&self, start: usize, end: usize, max: usize) -> Line<'_> {
        let line = &self.bytes[start..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > max {
            Line::TooLong
        } else {
            Line::Text(line)
        }
    }

    fn make_room(&mut self) {
        if self.taken > 0 {
            self.bytes.drain(..self.taken);
            self.searched -= self.taken;
            self.taken = 0;
        }
    }

    /// Gives the memory back: most connections are between lines most of the time.
    fn clear(&mut self) {
        self.bytes = Vec::new();
        self.taken = 0;
        self.searched = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAX: usize = 16;

    fn split(pieces: &[&[u8]]) -> (Vec<Result<Vec<u8>, ()>>, Vec<u8>) {
        let mut buffer = LineBuffer::default();
        let mut lines = Vec::new();
        let mut reply = Vec::new();
        let owned = |line: Line<'_>| match line {
            Line::Text(text) => Ok(text.to_vec()),
            Line::TooLong => Err(()),
        };
        for piece in pieces {
            buffer.push_telnet(piece, &mut reply);
            while let Some(line) = buffer.next_line(MAX) {
                lines.push(owned(line));
            }
            assert!(buffer.waiting() <= MAX + 1, "a line in waiting is bounded");
        }
        lines.extend(buffer.last_line(MAX).map(owned));
        (lines, reply)
    }

    fn texts(bytes: &[u8]) -> Vec<Result<Vec<u8>, ()>> {
        split(&[bytes]).0
    }

    #[test]
    fn lf_and_crlf_end_a_line_and_a_lone_cr_does_not() {
        let lines = texts(b"a\nb\r\nc\rd\n\n");
        let expected: Vec<Result<Vec<u8>, ()>> = [&b"a"[..], b"b", b"c\rd", b""]
            .iter()
            .map(|l| Ok(l.to_vec()))
            .collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_line_without_end_is_the_last_line() {
        assert_eq!(texts(b"a\nb"), [Ok(b"a".to_vec()), Ok(b"b".to_vec())]);
    }

    #[test]
    fn a_line_of_the_limit_passes_and_one_more_byte_does_not() {
        let fits = [b'x'; MAX];
        let long = [b'x'; MAX + 1];
        let input = [&fits[..], b"\r\n", &long, b"\n", &long, b"\r\nok\n"].concat();
        let lines = texts(&input);
        assert_eq!(
            lines,
            [Ok(fits.to_vec()), Err(()), Err(()), Ok(b"ok".to_vec())]
        );
    }

    #[test]
    fn a_megabyte_without_newline_is_one_refusal_and_no_memory() {
        let mut pieces = vec![&[b'x'; 1000][..]; 1000];
        pieces.push(b"tail\nnext\n");
        let (lines, _) = split(&pieces);
        assert_eq!(lines, [Err(()), Ok(b"next".to_vec())]);
    }

    #[test]
    fn telnet_negotiation_is_answered_with_refusal_and_hidden() {
        let input = [
            &[IAC, DO, 3, IAC, WILL, 31, IAC, SB, 24, 1, IAC, IAC, IAC, SE][..],
            b"he",
            &[IAC, 241],
            b"llo",
            &[IAC, WONT, 1, IAC, DONT, 1],
            b"\r\n",
        ]
        .concat();
        let (lines, reply) = split(&[&input]);
        assert_eq!(lines, [Ok(b"hello".to_vec())]);
        assert_eq!(reply, [IAC, WONT, 3, IAC, DONT, 31]);
    }

    #[test]
    fn a_stray_0xff_stays_to_be_shown() {
        assert_eq!(texts(b"a\xffb\xff\xffc\n"), [Ok(b"a\xffb\xffc".to_vec())]);
    }

    proptest! {
        #[test]
        fn any_split_of_the_input_gives_the_same_lines(
            input in proptest::collection::vec(
                prop_oneof![Just(b'\n'), Just(b'\r'), Just(IAC), Just(SB), Just(SE), Just(DO), any::<u8>()],
                0..200,
            ),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let whole = split(&[&input]);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts {
                pieces.push(&input[from..cut]);
                from = cut;
            }
            pieces.push(&input[from..]);
            prop_assert_eq!(split(&pieces), whole);
        }
    }
}
