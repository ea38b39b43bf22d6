//! What a certificate is known by where nobody has vouched for it: the SHA-256 of its DER encoding.
//!
//! Written as `sha256:` and 64 hexadecimal digits. Read with or without `sha256:`, in any case, and with the colons
//! that `openssl x509 -fingerprint -sha256` puts between the bytes.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The length of a SHA-256 in bytes.
const LENGTH: usize = 32;

/// The SHA-256 of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; LENGTH]);

impl Fingerprint {
    /// Of a certificate in DER, which is what is signed and sent.
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Fingerprint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "a fingerprint is sha256: and 64 hexadecimal digits";
        let digits = match text.get(..7) {
            Some(start) if start.eq_ignore_ascii_case("sha256:") => &text[7..],
            _ => text,
        };
        let digits: Vec<u8> = digits
            .chars()
            .filter(|c| *c != ':')
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect::<Option<_>>()
            .ok_or(FORM)?;
        let bytes: Vec<u8> = digits
            .chunks(2)
            .map(|pair| match pair {
                [high, low] => high << 4 | low,
                _ => 0,
            })
            .collect();
        match digits.len() == 2 * LENGTH {
            true => bytes.try_into().map(Self).map_err(|_| FORM),
            false => Err(FORM),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_fingerprint_reads_back_as_it_is_printed(bytes: [u8; 32]) {
            let fingerprint = Fingerprint(bytes);
            prop_assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,80}") {
            let _ = text.parse::<Fingerprint>();
        }
    }

    #[test]
    fn the_form_of_openssl_is_taken_too() {
        // SHA-256 of nothing: FIPS 180-4.
        let empty = Fingerprint::of(b"");
        assert_eq!(
            empty.to_string(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        let openssl = "E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55";
        assert_eq!(openssl.parse(), Ok(empty));
        assert_eq!(format!("SHA256:{openssl}").parse(), Ok(empty));
        for bad in [
            "",
            "sha256:",
            "sha256:e3b0",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85g",
            "sha1:00",
        ] {
            assert!(bad.parse::<Fingerprint>().is_err(), "{bad}");
        }
        let long = format!("{empty}00");
        assert!(long.parse::<Fingerprint>().is_err());
    }
}
