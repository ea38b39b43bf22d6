//! What a structured client proves its identity with after a cut.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use sha2::{Digest, Sha256};

/// A session's token: 128 bits that the client drew from a cryptographic generator.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token([u8; 16]);

impl Token {
    /// Reads 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 32 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        u128::from_str_radix(text, 16)
            .ok()
            .map(|number| Token(number.to_be_bytes()))
    }

    /// What stands for the session in the log: it cannot be turned back.
    pub fn author(self) -> u64 {
        let digest = Sha256::digest(self.0);
        digest[..8]
            .iter()
            .fold(0, |sum, &byte| sum << 8 | u64::from(byte))
    }
}

/// Whoever reads the token in a log line or a panic could take the session over, so it is not shown.
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token(of {:016x})", self.author())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_thirty_two_hexadecimal_digits() {
        assert!(Token::parse("00112233445566778899aabbccddeeff").is_some());
        for bad in [
            "",
            "0011",
            "+0112233445566778899aabbccddeeff",
            &"0".repeat(33),
        ] {
            assert_eq!(Token::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_token_is_not_shown() {
        let digits = "00112233445566778899aabbccddeeff";
        let token = Token::parse(digits).unwrap();
        assert!(!format!("{token:?}").contains(&digits[..16]));
    }
}
