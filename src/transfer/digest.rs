//! The two digests: one that judges, one that finds what differs.
//!
//! A file's **SHA-256** judges: nothing is stored under its name unless both ends computed the same. A
//! **chunk's digest** only decides whether the chunk is sent, so it may be fast: XXH3-128 with a seed that
//! the two hellos make (memory speed, where SHA-256 is the limit of the whole transfer). Whoever makes two
//! chunks collide, in the receiver's old file or in the source, gains that the wrong chunk is kept until the
//! end, where SHA-256 does not match; the rounds after the first compare chunks by SHA-256 as well. A
//! collision therefore costs its maker's transfer one more reading of the file, and no one a wrong byte.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use sha2::{Digest as _, Sha256};
use twox_hash::XxHash3_128;

/// How a round's chunks are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DigestKind {
    /// XXH3-128 with this seed; 16 bytes, big-endian as in the canonical form of xxHash.
    Fast {
        /// The session's seed: what one end alone chose cannot be prepared for.
        seed: u64,
    },
    /// SHA-256; 32 bytes.
    Strong,
}

impl DigestKind {
    /// Its length on the wire.
    pub fn len(self) -> usize {
        match self {
            DigestKind::Fast { .. } => 16,
            DigestKind::Strong => 32,
        }
    }

    /// Never: it exists for the sake of [`DigestKind::len`].
    pub fn is_empty(self) -> bool {
        false
    }

    /// The digest of a chunk, or of the part of one at the end of a file.
    pub fn of(self, chunk: &[u8]) -> ChunkDigest {
        let mut bytes = [0; 32];
        match self {
            DigestKind::Fast { seed } => {
                let hash = XxHash3_128::oneshot_with_seed(seed, chunk);
                bytes[..16].copy_from_slice(&hash.to_be_bytes());
            }
            DigestKind::Strong => bytes.copy_from_slice(&Sha256::digest(chunk)),
        }
        ChunkDigest(bytes)
    }
}

/// A chunk's digest; a fast one is filled up with zeros. Two are compared only within a round, so always of
/// one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChunkDigest(pub [u8; 32]);

/// The SHA-256 of a whole file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileDigest(pub [u8; 32]);

impl std::fmt::Display for FileDigest {
    /// In lower-case hexadecimal, as `sha256sum` prints it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_digest_is_xxh3_128_in_canonical_order() {
        // The test vector of the xxHash specification for empty input and seed 0.
        let digest = DigestKind::Fast { seed: 0 }.of(b"");
        let hex = FileDigest(digest.0).to_string();
        assert_eq!(&hex[..32], "99aa06d3014798d86001c324468d497f");
        assert!(digest.0[16..].iter().all(|&byte| byte == 0));
        assert_ne!(DigestKind::Fast { seed: 1 }.of(b""), digest);
    }

    #[test]
    fn the_strong_digest_is_sha_256() {
        let digest = FileDigest(DigestKind::Strong.of(b"abc").0);
        assert_eq!(
            digest.to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
