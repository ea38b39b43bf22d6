//! The fields of a body that is complete: every read is checked.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::transfer::entry::ModifiedAt;
use crate::transfer::frame::Violation;

/// Reads fields from a body that is complete. Every read is checked.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    kind: u8,
}

impl<'a> Reader<'a> {
    /// At the start of `body`, of a frame of type `kind`.
    pub fn new(body: &'a [u8], kind: u8) -> Self {
        Self { rest: body, kind }
    }

    /// Whether all was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What to say of a body that is not laid out right.
    pub fn malformed(&self) -> Violation {
        Violation::Malformed(self.kind)
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Violation> {
        match self.rest.split_at_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.malformed()),
        }
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Violation> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| self.malformed())
    }

    /// A byte.
    pub fn u8(&mut self) -> Result<u8, Violation> {
        self.array().map(u8::from_le_bytes)
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Result<u16, Violation> {
        self.array().map(u16::from_le_bytes)
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Result<u32, Violation> {
        self.array().map(u32::from_le_bytes)
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Result<u64, Violation> {
        self.array().map(u64::from_le_bytes)
    }

    /// A byte of flags of which only bit 0 has a meaning.
    pub fn flag(&mut self) -> Result<bool, Violation> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Violation::Reserved),
        }
    }

    /// A time.
    pub fn modified(&mut self) -> Result<ModifiedAt, Violation> {
        let secs = self.array().map(i64::from_le_bytes)?;
        let nanos = self.u32()?;
        if nanos >= 1_000_000_000 {
            return Err(self.malformed());
        }
        Ok(ModifiedAt { secs, nanos })
    }

    /// As many as there are. Each takes some bytes, so the number is bounded by the body.
    pub fn until_empty<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, Violation>,
    ) -> Result<Vec<T>, Violation> {
        let mut items = Vec::new();
        while !self.is_empty() {
            items.push(read(self)?);
        }
        Ok(items)
    }
}
