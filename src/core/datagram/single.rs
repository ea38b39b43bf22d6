//! What `batch.rs` does, where the system has no call for many datagrams: one at a time.

use std::io;

use super::Received;
use super::contract::Route;
use super::system::DatagramSocket;

/// One datagram.
pub(super) struct Batch;

impl Batch {
    /// For one socket.
    pub(super) fn new() -> Self {
        Self
    }

    /// Room for what [`Batch::receive`] brings.
    pub(super) const BUFFER: usize = 0;

    /// Receives the next one. Whether the socket is known to have nothing more.
    pub(super) fn receive(
        &mut self,
        socket: &mut DatagramSocket,
        number: usize,
        buffer: &mut [u8],
        received: &mut Vec<Received>,
    ) -> io::Result<bool> {
        received.push(Received::next(socket, number, buffer)?);
        Ok(false)
    }

    /// None together.
    #[allow(clippy::unused_self)]
    pub(super) fn send(&mut self, _: &DatagramSocket, _: &[(&Route, &[u8])]) -> usize {
        0
    }
}
