//! Datagram sockets of Windows. Which of our addresses somebody sent to is known there only through
//! WSARecvMsg, an extension function that none of the safe interfaces has: so the answer of a socket that
//! is bound to every address comes from the one that routing chooses. Bind to one address where that
//! matters.

use std::io;
use std::net::UdpSocket;

use mio::{Interest, Registry, Token};
use socket2::SockRef;

use super::contract::{Arrival, Correspondent, Route};

/// Whether a socket that is bound to every address learns which one was asked.
pub const TELLS_DESTINATION: bool = false;

/// A datagram socket in non-blocking mode.
#[derive(Debug)]
pub struct DatagramSocket {
    socket: mio::net::UdpSocket,
}

impl DatagramSocket {
    /// Takes over a UDP socket in non-blocking mode. Neither destinations nor the kernel's times are to be had.
    pub fn from_udp(socket: UdpSocket, _destination: bool, _times: bool) -> io::Result<Self> {
        Ok(Self {
            socket: mio::net::UdpSocket::from_std(socket),
        })
    }

    /// The socket itself, to ask for its options.
    pub fn socket(&self) -> SockRef<'_> {
        SockRef::from(&self.socket)
    }

    /// Whether it is a Unix socket.
    pub fn is_unix(&self) -> bool {
        false
    }

    pub(super) fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        registry.register(&mut self.socket, token, interest)
    }

    pub(super) fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        registry.reregister(&mut self.socket, token, interest)
    }

    /// Receives a datagram as the driver's socket `number`.
    pub(super) fn receive(
        &mut self,
        number: usize,
        buffer: &mut [u8],
    ) -> io::Result<(usize, Arrival)> {
        let (count, from) = self.socket.recv_from(buffer)?;
        let arrival = Arrival {
            route: Route {
                socket: number,
                peer: Correspondent::Inet(from),
                local: None,
            },
            kernel_micros: None,
        };
        Ok((count, arrival))
    }

    /// Sends a datagram.
    pub(super) fn send(&self, route: &Route, bytes: &[u8]) -> io::Result<()> {
        match &route.peer {
            Correspondent::Connected => self.socket.send(bytes).map(drop),
            Correspondent::Inet(to) => self.socket.send_to(bytes, *to).map(drop),
            Correspondent::Unix(_) | Correspondent::Nobody => {
                Err(io::ErrorKind::NotConnected.into())
            }
        }
    }
}
