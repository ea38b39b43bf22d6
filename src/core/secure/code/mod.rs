//! The code phrase: what two people tell each other so that their programs know that they talk to each other.
//!
//! A code that is made up here is a number and three words, `417-amber-falcon-river`: 1,000 times 256 times 256 times
//! 256 are 2^33.9 possibilities. A guess costs a connection and is noticed, so that is far more than enough; what would
//! be too little for a password that can be tried offline is plenty here (see [`super::pake`]).

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod words;

use std::fmt;

use zeroize::Zeroizing;

use self::words::WORDS;
use crate::error::{Error, Kind, Result};

/// How many numbers there are: 0 to 999.
const NUMBERS: u32 = 1000;

/// How many words there are in a code that is made up.
const WORDS_IN_CODE: usize = 3;

/// How many random bytes [`Code::from_random`] wants.
pub const RANDOM_BYTES: usize = 8;

/// The shortest and longest code that somebody may think of, in bytes. Eight are not many, and enough where every
/// guess costs a connection.
const LENGTHS: std::ops::RangeInclusive<usize> = 8..=256;

/// A code phrase. It is overwritten in memory when it is dropped, and its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(Zeroizing<String>);

impl Code {
    /// Makes one up. `random` is from a cryptographic generator.
    ///
    /// The number is drawn from 40 bits, of which one in 10^9 is not evenly spread: nobody can make use of that.
    pub fn from_random(random: [u8; RANDOM_BYTES]) -> Self {
        let [number @ .., first, second, third] = random;
        let number = number
            .iter()
            .fold(0u64, |sum, &byte| sum << 8 | u64::from(byte))
            % u64::from(NUMBERS);
        let mut text = number.to_string();
        for index in [first, second, third] {
            text.push('-');
            text.push_str(WORDS[usize::from(index)]);
        }
        Self(Zeroizing::new(text))
    }

    /// What somebody has typed or written down: in any case, with spaces or hyphens between the words, and of the words
    /// of our list at least the first three letters.
    pub fn parse(text: &str) -> Result<Self> {
        let mut parts: Vec<Zeroizing<String>> = text
            .split(|c: char| c.is_whitespace() || c == '-')
            .filter(|part| !part.is_empty())
            .map(|part| Zeroizing::new(part.to_lowercase()))
            .collect();
        if let [number, words @ ..] = parts.as_mut_slice()
            && words.len() == WORDS_IN_CODE
            && number.parse::<u32>().is_ok_and(|number| number < NUMBERS)
        {
            for word in words {
                if let Some(whole) = completed(word) {
                    *word = Zeroizing::new(whole.to_string());
                }
            }
        }
        let mut code = Zeroizing::new(String::with_capacity(text.len() + 32));
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                code.push('-');
            }
            code.push_str(part);
        }
        if !LENGTHS.contains(&code.len()) || code.chars().any(char::is_control) {
            return Err(Error::new(
                Kind::Usage,
                format!(
                    "a code has {} to {} bytes and no control characters",
                    LENGTHS.start(),
                    LENGTHS.end()
                ),
            ));
        }
        Ok(Self(code))
    }

    /// The text, for the one who has to pass it on.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

/// The word that begins with what was typed, if that is enough of it.
fn completed(typed: &str) -> Option<&'static str> {
    (typed.len() >= 3)
        .then(|| WORDS.into_iter().find(|word| word.starts_with(typed)))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(typed: &str) -> String {
        Code::parse(typed).expect("a code").expose().to_string()
    }

    proptest! {
        #[test]
        fn a_code_that_is_made_up_reads_back(random: [u8; RANDOM_BYTES]) {
            let code = Code::from_random(random);
            prop_assert_eq!(Code::parse(code.expose()).ok(), Some(code.clone()));
            prop_assert_eq!(code.expose().split('-').count(), 1 + WORDS_IN_CODE);
            // Three letters of each word are enough, in any case and with spaces.
            let short: Vec<String> = code.expose().split('-').map(|part| part.chars().take(3).collect()).collect();
            prop_assert_eq!(Code::parse(&short.join("  ").to_uppercase()).ok(), Some(code));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,40}") {
            if let Ok(code) = Code::parse(&text) {
                prop_assert_eq!(Code::parse(code.expose()).ok(), Some(code));
            }
        }
    }

    #[test]
    fn there_are_more_than_32_bits_of_them() {
        let codes = u64::from(NUMBERS) * (WORDS.len() as u64).pow(WORDS_IN_CODE as u32);
        assert!(codes > 1 << 32, "{codes}");
    }

    #[test]
    fn each_byte_of_the_random_ones_counts() {
        let code = Code::from_random([0, 0, 0, 1, 161, 0, 1, 255]);
        assert_eq!(code.expose(), "417-abbey-acorn-zodiac");
        assert_ne!(Code::from_random([1, 0, 0, 1, 161, 0, 1, 255]), code);
    }

    #[test]
    fn a_code_of_ones_own_is_taken_as_it_is_but_for_case_and_spaces() {
        assert_eq!(
            text("  Correct Horse\tBattery-staple\n"),
            "correct-horse-battery-staple"
        );
        // Words that are not ours are nobody's to correct.
        assert_eq!(text("417-ambe-falc-rivers"), "417-amber-falc-rivers");
        for bad in ["", "short", "----------", "a\u{7}bcdefghi"] {
            assert_eq!(Code::parse(bad).expect_err(bad).kind(), Kind::Usage);
        }
        assert!(Code::parse(&"x".repeat(257)).is_err());
    }

    #[test]
    fn it_does_not_print() {
        assert_eq!(
            format!("{:?}", Code::from_random([7; RANDOM_BYTES])),
            "Code(..)"
        );
    }
}
