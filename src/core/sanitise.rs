//! Makes text from a peer safe to look at: nothing in it can move a cursor, set a clipboard, reorder a line
//! or hide.
//!
//! What passes as it is: printable text in any script, tabs, emoji with their joiners and selectors. What is
//! made visible:
//!
//! | in the input | becomes | because |
//! |---|---|---|
//! | a byte that is not UTF-8 | `\xff` | terminals disagree about it |
//! | C0 and C1 controls, DEL, line ends | `\x1b` | they are how a terminal is commanded |
//! | bidirectional controls, line and paragraph separators | `\u{202e}` | they reorder or break what is read |
//! | invisible characters, tags, stray joiners and selectors | `\u{200b}` | two texts that look alike must be alike |
//! | private use, non-characters | `\u{10eeee}` | their look is nobody's agreement, and kitty paints images over one |
//! | marks beyond [`MAX_MARKS`] in a row | one U+FFFD | stacked marks overwrite the lines around ("zalgo") |
//!
//! The escapes are for eyes, not for decoding: a backslash passes as itself, so `\x1b` in the output may have
//! been typed as those four characters. Sanitising twice is the same as once. Unassigned characters pass:
//! tomorrow's emoji are among them, and no terminal acts on one.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::borrow::Cow;
use std::fmt::Write;

use unicode_normalization::char::is_combining_mark;

/// How many combining marks may stand in a row. Vietnamese needs two, pointed Hebrew four, Tibetan stacks
/// up to seven; the Stream-Safe format of UAX #15 stops at thirty, which is enough to paint over the line above.
pub const MAX_MARKS: u32 = 8;

/// Text from bytes of which nothing is known. Clean input is borrowed, unchanged.
pub fn sanitise(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return sanitise_str(text);
    }
    let mut out = String::with_capacity(bytes.len() + 16);
    let mut scan = Scan::default();
    for chunk in bytes.utf8_chunks() {
        scan.append(&mut out, chunk.valid());
        for byte in chunk.invalid() {
            // Writing into a String cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
            scan = Scan::default();
        }
    }
    Cow::Owned(out)
}

/// The same for text that is known to be UTF-8.
pub fn sanitise_str(text: &str) -> Cow<'_, str> {
    if is_plain_ascii(text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    let mut scan = Scan::default();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        let next = chars.clone().next().map(|(_, next)| next);
        let before = scan;
        if scan.judge(c, next) != Verdict::Pass {
            let mut out = String::with_capacity(text.len() + 16);
            out.push_str(&text[..at]);
            scan = before;
            scan.append(&mut out, &text[at..]);
            return Cow::Owned(out);
        }
    }
    Cow::Borrowed(text)
}

/// Whether a terminal obeys this character, or a person cannot see it. Joiners and selectors, which have their
/// place in words and emoji, are not hidden.
pub fn is_hidden(c: char) -> bool {
    class(c) == Class::Hidden
}

/// Whether `bytes` are printable ASCII and tabs only. Branches once in 32 bytes, so that the compiler can
/// use vector instructions: nearly every line takes this way.
fn is_plain_ascii(bytes: &[u8]) -> bool {
    bytes.chunks(32).all(|chunk| {
        chunk.iter().fold(true, |ok, &b| {
            ok & (matches!(b, 0x20..=0x7e) | (b == b'\t'))
        })
    })
}

/// What is done with one character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Pass,
    Escape,
    /// The first mark too many.
    Replace,
    /// Further marks too many.
    Drop,
}

/// What came before, as far as it matters: the last character of the output and the marks in a row.
#[derive(Debug, Clone, Copy, Default)]
struct Scan {
    prev: Option<char>,
    marks: u32,
}

impl Scan {
    fn append(&mut self, out: &mut String, text: &str) {
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match self.judge(c, chars.clone().next()) {
                Verdict::Pass => out.push(c),
                Verdict::Escape => escape(out, c),
                Verdict::Replace => out.push(char::REPLACEMENT_CHARACTER),
                Verdict::Drop => {}
            }
        }
    }

    fn judge(&mut self, c: char, next: Option<char>) -> Verdict {
        match class(c) {
            Class::Plain => {
                self.marks = 0;
                self.prev = Some(c);
                Verdict::Pass
            }
            Class::Mark if self.marks < MAX_MARKS => {
                self.marks += 1;
                self.prev = Some(c);
                Verdict::Pass
            }
            Class::Mark => {
                self.prev = Some(char::REPLACEMENT_CHARACTER);
                self.marks = self.marks.saturating_add(1);
                if self.marks == MAX_MARKS + 1 {
                    Verdict::Replace
                } else {
                    Verdict::Drop
                }
            }
            // A joiner or selector in its place does not end a row of marks, or a flood could use them as
            // separators.
            Class::Joiner if self.joins(c, next) => {
                self.prev = Some(c);
                Verdict::Pass
            }
            Class::Selector if self.prev.is_some_and(|base| selects(base, c, next)) => {
                self.prev = Some(c);
                Verdict::Pass
            }
            Class::Joiner | Class::Selector | Class::Hidden => {
                self.marks = 0;
                self.prev = Some('}');
                Verdict::Escape
            }
        }
    }

    /// Whether a joiner stands where it has a meaning: between emoji, or inside a word of a script that joins
    /// its letters (RFC 5892 appendix A allows it there in domain names too).
    fn joins(&self, joiner: char, next: Option<char>) -> bool {
        let (Some(prev), Some(next)) = (self.prev, next) else {
            return false;
        };
        if class(next) == Class::Mark && self.marks >= MAX_MARKS {
            return false;
        }
        let emoji =
            joiner == '\u{200d}' && (is_emoji(prev) || prev == '\u{fe0f}') && is_emoji(next);
        emoji || (is_joining_script(prev) && is_joining_script(next))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Plain,
    Mark,
    Joiner,
    Selector,
    Hidden,
}

fn class(c: char) -> Class {
    match c {
        '\t' | ' '..='~' => Class::Plain,
        '\0'..='\u{9f}' => Class::Hidden,
        // Soft hyphen: shown or not at the terminal's whim.
        '\u{ad}' => Class::Hidden,
        '\u{a0}'..='\u{2ff}' => Class::Plain,
        // Combining grapheme joiner, Arabic letter mark, Hangul fillers, Khmer inherent vowels, Mongolian
        // vowel separator.
        '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => Class::Hidden,
        '\u{17b4}' | '\u{17b5}' | '\u{180e}' => Class::Hidden,
        '\u{200c}' | '\u{200d}' => Class::Joiner,
        // Zero-width space and direction marks; line and paragraph separator, embeddings and overrides;
        // word joiner, invisible operators, isolates, deprecated format characters.
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => {
            Class::Hidden
        }
        '\u{180b}'..='\u{180d}'
        | '\u{180f}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{e0100}'..='\u{e01ef}' => Class::Selector,
        // The bulk of what people write, ahead of the table look-up: kana, ideographs and Hangul have no
        // marks but the two kana voicing marks.
        '\u{3041}'..='\u{3096}' | '\u{309b}'..='\u{31ff}' | '\u{3400}'..='\u{9fff}' => Class::Plain,
        '\u{ac00}'..='\u{d7a3}' => Class::Plain,
        // Private use, then the byte order mark and the block around the annotation characters.
        '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}' => Class::Hidden,
        '\u{feff}' | '\u{fff0}'..='\u{fffb}' => Class::Hidden,
        // Shorthand, musical and hieroglyph format controls; tags and the rest of the ignorable plane.
        '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{13430}'..='\u{1343f}' => {
            Class::Hidden
        }
        '\u{e0000}'..='\u{e0fff}' => Class::Hidden,
        _ if is_noncharacter(c) => Class::Hidden,
        _ if is_combining_mark(c) => Class::Mark,
        _ => Class::Plain,
    }
}

fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || (c as u32 & 0xfffe) == 0xfffe
}

/// The blocks that emoji sequences are made of. Wider than the Emoji property and in need of no update: a
/// joiner beside an arrow is as harmless as beside a face.
fn is_emoji(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}')
}

/// Arabic to Myanmar, and Khmer and Mongolian: where joiners change how letters join.
fn is_joining_script(c: char) -> bool {
    matches!(c, '\u{600}'..='\u{109f}' | '\u{1780}'..='\u{18af}')
        && !matches!(class(c), Class::Hidden | Class::Selector)
}

/// Whether `selector` has a meaning directly behind `base`.
fn selects(base: char, selector: char, next: Option<char>) -> bool {
    match selector {
        // Text or emoji presentation; of digits only as the middle of a keycap.
        '\u{fe0e}' | '\u{fe0f}' => {
            is_emoji(base)
                || matches!(
                    base,
                    '©' | '®' | '‼' | '⁉' | '™' | 'ℹ' | '〰' | '〽' | '㊗' | '㊙'
                )
                || (matches!(base, '0'..='9' | '#' | '*') && next == Some('\u{20e3}'))
        }
        // Shapes of ideographs, which names in Japan are written with.
        '\u{fe00}'..='\u{fe02}' | '\u{e0100}'..='\u{e01ef}' => {
            matches!(base, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3fffd}')
        }
        '\u{180b}'..='\u{180d}' | '\u{180f}' => matches!(base, '\u{1820}'..='\u{18aa}'),
        _ => false,
    }
}

fn escape(out: &mut String, c: char) {
    let number = c as u32;
    // Writing into a String cannot fail.
    let _ = if number < 0x100 {
        write!(out, "\\x{number:02x}")
    } else {
        write!(out, "\\u{{{number:x}}}")
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn borrowed(text: &str) {
        assert!(
            matches!(sanitise(text.as_bytes()), Cow::Borrowed(same) if same == text),
            "{text:?} became {:?}",
            sanitise(text.as_bytes())
        );
    }

    #[test]
    fn text_of_every_script_passes_borrowed() {
        for text in [
            "",
            "hello, world\tand tab",
            "back\\slash \\x1b as typed",
            "Grüße, naïve façade, œuvre",
            "Привет Ελληνικά",
            "Việt Nam Vie\u{323}\u{302}t",
            "日本語のテキスト 한국어 中文",
            "שָׁלוֹם עֲלֵיכֶם",
            "السلام عليكم",
            "می\u{200c}خواهم",
            "क्\u{200d}ष हिन्दी",
            "ไทย ภาษา",
            "葛\u{e0100}城",
            "┌─┐ ∑ € →",
        ] {
            borrowed(text);
        }
    }

    #[test]
    fn emoji_keep_their_joiners_and_selectors() {
        for text in [
            "👩\u{200d}💻",
            "❤\u{fe0f}",
            "🏳\u{fe0f}\u{200d}🌈",
            "👍🏽",
            "1\u{fe0f}\u{20e3}",
            "🇩🇪",
            "☎\u{fe0e}",
        ] {
            borrowed(text);
        }
    }

    #[test]
    fn clipboard_by_osc_52_is_made_visible() {
        assert_eq!(
            sanitise(b"\x1b]52;c;cm0gLXJm\x07"),
            "\\x1b]52;c;cm0gLXJm\\x07"
        );
    }

    #[test]
    fn title_and_cursor_sequences_are_made_visible() {
        assert_eq!(
            sanitise(b"\x1b]0;root@bank\x1b\\"),
            "\\x1b]0;root@bank\\x1b\\"
        );
        assert_eq!(sanitise(b"\x1b[2J\x1b[H"), "\\x1b[2J\\x1b[H");
    }

    #[test]
    fn an_8_bit_csi_is_made_visible_both_as_a_byte_and_as_a_character() {
        assert_eq!(sanitise(b"\x9b2J"), "\\x9b2J");
        assert_eq!(sanitise("\u{9b}2J".as_bytes()), "\\x9b2J");
    }

    #[test]
    fn line_ends_nul_and_backspace_are_made_visible() {
        assert_eq!(sanitise(b"a\r\n\0b\x08\x7f"), "a\\x0d\\x0a\\x00b\\x08\\x7f");
        assert_eq!(
            sanitise("a\u{2028}b\u{2029}\u{85}".as_bytes()),
            "a\\u{2028}b\\u{2029}\\x85"
        );
    }

    #[test]
    fn bidirectional_controls_are_made_visible() {
        for c in [
            '\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}', '\u{200e}', '\u{200f}', '\u{61c}',
        ] {
            let text = format!("gpj{c}exe");
            assert_eq!(sanitise_str(&text), format!("gpj\\u{{{:x}}}exe", c as u32));
        }
    }

    #[test]
    fn invisible_characters_are_made_visible() {
        for c in [
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{2060}',
            '\u{feff}',
            '\u{e0041}',
            '\u{fe0f}',
            '\u{3164}',
            '\u{34f}',
            '\u{180e}',
            '\u{e0100}',
            '\u{10eeee}',
            '\u{ffff}',
            '\u{fdd0}',
        ] {
            let text = format!("ad{c}min");
            assert_eq!(sanitise_str(&text), format!("ad\\u{{{:x}}}min", c as u32));
        }
        assert_eq!(sanitise_str("so\u{ad}ft"), "so\\xadft");
    }

    #[test]
    fn a_second_selector_and_a_joiner_at_an_end_are_made_visible() {
        assert_eq!(sanitise_str("❤\u{fe0f}\u{fe0f}"), "❤\u{fe0f}\\u{fe0f}");
        assert_eq!(sanitise_str("👩\u{200d}"), "👩\\u{200d}");
        assert_eq!(sanitise_str("\u{200d}👩"), "\\u{200d}👩");
    }

    #[test]
    fn a_flood_of_combining_marks_is_cut() {
        let zalgo = format!("Z{}algo", "\u{301}".repeat(1000));
        let kept = "\u{301}".repeat(MAX_MARKS as usize);
        assert_eq!(sanitise_str(&zalgo), format!("Z{kept}\u{fffd}algo"));
        let exact = format!("Z{kept}algo");
        assert!(matches!(sanitise_str(&exact), Cow::Borrowed(_)));
    }

    #[test]
    fn joiners_do_not_hide_a_flood_of_combining_marks() {
        let text = format!("ب{}", "\u{64b}\u{200d}".repeat(100));
        assert!(longest_row_of_marks(&sanitise_str(&text)) <= MAX_MARKS);
    }

    fn longest_row_of_marks(text: &str) -> u32 {
        let (mut row, mut longest) = (0, 0);
        for c in text.chars() {
            match class(c) {
                Class::Mark => row += 1,
                Class::Joiner | Class::Selector => {}
                _ => row = 0,
            }
            longest = longest.max(row);
        }
        longest
    }

    #[test]
    fn invalid_utf_8_becomes_visible_bytes() {
        assert_eq!(sanitise(b"caf\xe9 \xff\xfe ok"), "caf\\xe9 \\xff\\xfe ok");
        assert_eq!(sanitise(b"cut \xf0\x9f\x98"), "cut \\xf0\\x9f\\x98");
    }

    #[test]
    fn overlong_encodings_and_surrogates_become_visible_bytes() {
        assert_eq!(sanitise(b"\xc0\x9b"), "\\xc0\\x9b");
        assert_eq!(sanitise(b"\xe0\x80\x9b"), "\\xe0\\x80\\x9b");
        assert_eq!(sanitise(b"\xed\xa0\x80"), "\\xed\\xa0\\x80");
    }

    /// Bytes with a bias towards what the rules are about; uniform ones would hardly ever meet a mark.
    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        let tricky = prop::sample::select(vec![
            "\x1b[",
            "\u{9b}",
            "\u{202e}",
            "\u{200d}",
            "\u{200c}",
            "\u{fe0f}",
            "\u{301}",
            "\u{64b}",
            "\u{94d}",
            "क",
            "ب",
            "👩",
            "1",
            "\u{20e3}",
            "\u{e0100}",
            "葛",
            "\u{fffd}",
            "\u{180b}",
            "\u{1820}",
            "\\",
        ]);
        let piece = prop_oneof![
            4 => tricky.prop_map(|text| text.as_bytes().to_vec()),
            1 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
            1 => any::<u8>().prop_map(|byte| vec![byte]),
        ];
        prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn nothing_that_commands_a_terminal_gets_out(bytes in hostile()) {
            for c in sanitise(&bytes).chars() {
                prop_assert!(c == '\t' || !c.is_control(), "{c:?}");
                prop_assert!(!matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}'
                    | '\u{61c}' | '\u{2028}' | '\u{2029}' | '\u{200b}' | '\u{feff}'), "{c:?}");
            }
        }

        #[test]
        fn sanitising_twice_is_the_same_as_once(bytes in hostile()) {
            let once = sanitise(&bytes).into_owned();
            prop_assert!(matches!(sanitise_str(&once), Cow::Borrowed(_)), "{once:?}");
        }

        #[test]
        fn clean_text_is_borrowed(text in "[ -~\t]{0,200}") {
            prop_assert!(matches!(sanitise(text.as_bytes()), Cow::Borrowed(_)));
        }

        #[test]
        fn marks_in_a_row_never_exceed_the_limit(bytes in hostile()) {
            prop_assert!(longest_row_of_marks(&sanitise(&bytes)) <= MAX_MARKS);
        }
    }
}
