//! What Linux tells over netlink(7): interfaces and addresses (rtnetlink(7)), every socket (sock_diag(7)). Of the
//! network namespace of the process, where /sys may show another one.
//!
//! Asking is [`dump`]; all else here reads bytes and is safe with any of them.

use std::io::{self, Read};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

/// `NETLINK_ROUTE` and `NETLINK_SOCK_DIAG` of linux/netlink.h.
pub const ROUTE: i32 = 0;
/// Sockets.
pub const SOCK_DIAG: i32 = 4;

/// `AF_NETLINK`.
const FAMILY: i32 = 16;

/// `NLM_F_REQUEST` and `NLM_F_DUMP`.
const REQUEST_DUMP: u16 = 1 | 0x100 | 0x200;

/// Message types of linux/netlink.h.
const ERROR: u16 = 2;
const DONE: u16 = 3;

/// How long the header of a message is.
const HEADER: usize = 16;

/// The kernel fills at most 32 KiB at once (netlink(7)).
const BUFFER: usize = 32 * 1024;

/// The kernel answers at once, from memory. Whatever keeps it must not keep us.
const PATIENCE: Duration = Duration::from_secs(2);

/// The bodies of all messages that answer a request of this type.
pub fn dump(protocol: i32, kind: u16, request: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    let socket = Socket::new(
        Domain::from(FAMILY),
        Type::RAW,
        Some(Protocol::from(protocol)),
    )?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let length = u32::try_from(HEADER + request.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut message = Vec::with_capacity(HEADER + request.len());
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(REQUEST_DUMP.to_ne_bytes());
    message.extend(1_u32.to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    message.extend(request);
    socket.send(&message)?;
    let mut found = Vec::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        let got = (&socket).read(&mut buffer)?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (kind, body) in Messages(&buffer[..got]) {
            match kind {
                DONE => return Ok(found),
                ERROR => {
                    let code = body
                        .first_chunk()
                        .map_or(0, |code| i32::from_ne_bytes(*code));
                    return match code {
                        0 => Ok(found),
                        code => Err(io::Error::from_raw_os_error(code.saturating_neg())),
                    };
                }
                _ => found.push(body.to_vec()),
            }
        }
    }
}

/// The messages of a datagram: type and body.
struct Messages<'a>(&'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = u32::from_ne_bytes(*self.0.first_chunk()?) as usize;
        let kind = u16_at(self.0, 4)?;
        let body = self.0.get(HEADER..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, body))
    }
}

/// The attributes of a message behind its fixed part: type and value.
pub struct Attributes<'a>(pub &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(u16_at(self.0, 0)?);
        // The upper two bits are flags (`NLA_TYPE_MASK`).
        let kind = u16_at(self.0, 2)? & 0x3fff;
        let value = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

/// A number in a message.
pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// A number in a message.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_come_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Messages(&bytes).count() <= bytes.len());
            prop_assert!(Attributes(&bytes).count() <= bytes.len());
        }
    }

    #[test]
    fn attributes_are_padded_to_four_bytes() {
        let mut bytes = Vec::new();
        for (kind, value) in [(3_u16, &b"lo\0"[..]), (4, &b"\x01\0\0\0"[..])] {
            bytes.extend((4 + value.len() as u16).to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        let found: Vec<_> = Attributes(&bytes).collect();
        assert_eq!(found, [(3, &b"lo\0"[..]), (4, &b"\x01\0\0\0"[..])]);
    }
}
