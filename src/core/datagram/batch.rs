//! Many datagrams with one call, where the system has one: recvmmsg(2) and sendmmsg(2).
//!
//! A socket that brings one datagram at a time gains too: a call that brings fewer than there was room for says that
//! there are no more, and saves the one that would have found nothing.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::RawFd;

use nix::sys::socket::{
    ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg,
};

use super::Received;
use super::contract::{Correspondent, Local, Route};
use super::system::{CONTROL, DatagramSocket, read_message, with_source};

/// How many datagrams one call moves at most. Twice as many save a hundredth of a call each.
const MOST: usize = 32;

/// Where one datagram lands: the longest of UDP, 65,527 bytes, and a bit, so that the beginnings of all of them are
/// not in the same lines of the processor's cache.
const SLOT: usize = 64 * 1024 + 320;

/// What one socket needs to move many. It stays on its thread: the headers hold pointers.
pub(super) struct Batch {
    incoming: Option<MultiHeaders<SockaddrStorage>>,
    outgoing: Option<MultiHeaders<SockaddrStorage>>,
    /// The same with room for the address to send from.
    outgoing_from: Option<MultiHeaders<SockaddrStorage>>,
    /// How many are asked for next: twice as many as there were, so that few headers are made ready in vain.
    room: usize,
}

impl Batch {
    /// For one socket.
    pub(super) fn new() -> Self {
        Self {
            incoming: None,
            outgoing: None,
            outgoing_from: None,
            room: 2,
        }
    }

    /// Room for what [`Batch::receive`] brings.
    pub(super) const BUFFER: usize = MOST * SLOT;

    /// Receives what there is, up to a limit. Whether the socket is known to have nothing more.
    pub(super) fn receive(
        &mut self,
        socket: &mut DatagramSocket,
        number: usize,
        buffer: &mut [u8],
        received: &mut Vec<Received>,
    ) -> io::Result<bool> {
        let Some((descriptor, told)) = socket.udp() else {
            received.push(Received::next(socket, number, buffer)?);
            return Ok(false);
        };
        let control = told.then(|| Vec::with_capacity(CONTROL));
        let headers = self
            .incoming
            .get_or_insert_with(|| MultiHeaders::preallocate(MOST, control));
        let mut slots: Vec<[IoSliceMut<'_>; 1]> = buffer
            .chunks_exact_mut(SLOT)
            .take(self.room)
            .map(|slot| [IoSliceMut::new(slot)])
            .collect();
        let room = slots.len();
        let results = recvmmsg(
            descriptor,
            headers,
            slots.iter_mut(),
            MsgFlags::MSG_DONTWAIT,
            None,
        )?;
        let mut is_whole = true;
        for (slot, message) in results.enumerate() {
            let (arrival, whole) = read_message(number, &message);
            is_whole &= whole;
            received.push(Received {
                at: slot * SLOT,
                length: message.bytes,
                arrival,
            });
        }
        if !is_whole {
            // The lengths in the headers are what the kernel wrote last time. They are the same each time; should they
            // ever not be, the next call begins with fresh ones.
            self.incoming = None;
        }
        let count = received.len();
        self.room = (2 * count).clamp(2, MOST);
        // FreeBSD's function is a loop in the C library that loses an error which ends it.
        let tells_end = cfg!(any(target_os = "linux", target_os = "android"));
        Ok(tells_end && count < room)
    }

    /// Sends the first ones of these together, if there are several that go the same way. How many the system took:
    /// the next one is to be sent alone, which tells what is wrong with it.
    pub(super) fn send(&mut self, socket: &DatagramSocket, answers: &[(&Route, &[u8])]) -> usize {
        let Some((descriptor, _)) = socket.udp().filter(|_| answers.len() > 1) else {
            return 0;
        };
        let local = answers.first().and_then(|(route, _)| route.local);
        let together: Vec<(SocketAddr, &[u8])> = answers
            .iter()
            .take(MOST)
            .map_while(|(route, bytes)| match route.peer {
                Correspondent::Inet(to) if route.local == local => Some((to, *bytes)),
                _ => None,
            })
            .collect();
        if together.len() < 2 {
            return 0;
        }
        match local {
            None => {
                let headers = self
                    .outgoing
                    .get_or_insert_with(|| MultiHeaders::preallocate(MOST, None));
                send_all(descriptor, headers, &together, &[])
            }
            Some(local) => {
                let headers = self.outgoing_from.get_or_insert_with(|| {
                    let room = Vec::with_capacity(source_room(local));
                    MultiHeaders::preallocate(MOST, Some(room))
                });
                with_source(local, |message| {
                    send_all(descriptor, headers, &together, &[message])
                })
                .unwrap_or(0)
            }
        }
    }
}

/// The room that the address to send from takes: to the byte, since what is left over would be read as another message.
fn source_room(local: Local) -> usize {
    match local.ip {
        #[cfg(not(target_os = "freebsd"))]
        IpAddr::V4(_) => nix::cmsg_space!(nix::libc::in_pktinfo).capacity(),
        #[cfg(target_os = "freebsd")]
        IpAddr::V4(_) => nix::cmsg_space!(nix::libc::in_addr).capacity(),
        IpAddr::V6(_) => nix::cmsg_space!(nix::libc::in6_pktinfo).capacity(),
    }
}

fn send_all(
    socket: RawFd,
    headers: &mut MultiHeaders<SockaddrStorage>,
    together: &[(SocketAddr, &[u8])],
    source: &[ControlMessage<'_>],
) -> usize {
    let slices: Vec<[IoSlice<'_>; 1]> = together
        .iter()
        .map(|(_, bytes)| [IoSlice::new(bytes)])
        .collect();
    let addresses: Vec<Option<SockaddrStorage>> = together
        .iter()
        .map(|(to, _)| Some(SockaddrStorage::from(*to)))
        .collect();
    let sent = sendmmsg(
        socket,
        headers,
        slices.iter(),
        addresses,
        source,
        MsgFlags::MSG_DONTWAIT,
    );
    sent.map_or(0, Iterator::count)
}
