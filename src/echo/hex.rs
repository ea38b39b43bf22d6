//! Bytes for people: sixteen a line, in hexadecimal and as the text they may be.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::fmt::Write;

/// How many bytes stand on a line.
const WIDTH: usize = 16;

/// Appends `bytes` as lines, the first of them at position `offset` of the whole. Only printable ASCII is
/// shown as text.
pub fn dump(out: &mut String, offset: u64, bytes: &[u8]) {
    for (number, line) in bytes.chunks(WIDTH).enumerate() {
        // Writing into a String cannot fail.
        let _ = write!(out, "{:08x} ", offset + (number * WIDTH) as u64);
        for at in 0..WIDTH {
            if at == WIDTH / 2 {
                out.push(' ');
            }
            let _ = match line.get(at) {
                Some(byte) => write!(out, " {byte:02x}"),
                None => write!(out, "   "),
            };
        }
        out.push_str("  |");
        out.extend(line.iter().map(|&byte| match byte {
            b' '..=b'~' => byte as char,
            _ => '.',
        }));
        out.push_str("|\n");
    }
}

/// `bytes` as one word, two digits each.
pub fn word(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_has_positions_bytes_and_text() {
        let mut out = String::new();
        dump(&mut out, 0, b"hello \x1b[2J\xffworld\n!");
        assert_eq!(
            out,
            "00000000  68 65 6c 6c 6f 20 1b 5b  32 4a ff 77 6f 72 6c 64  |hello .[2J.world|\n\
             00000010  0a 21                                             |.!|\n"
        );
        let mut out = String::new();
        dump(&mut out, 0x1_0000_0010, b"");
        assert_eq!(out, "");
        assert_eq!(word(b"\0\xffa"), "00ff61");
    }
}
