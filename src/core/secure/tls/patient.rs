//! A handshake by a thread that waits, with a deadline over all of it: each single read has only what is left, so that
//! a peer that sends a byte now and then does not hold it longer.

use std::io::{self, IoSlice, Read, Write};
use std::time::{Duration, Instant};

use rustls::Connection;

use crate::core::blocking::Stream;

/// A blocking stream and how long it is waited for.
pub(super) struct Patient<'a> {
    stream: &'a Stream,
    until: Instant,
}

impl<'a> Patient<'a> {
    /// Waits so long, from now on.
    pub(super) fn new(stream: &'a Stream, patience: Duration) -> Self {
        Self {
            stream,
            until: Instant::now() + patience,
        }
    }

    /// To the end of the handshake. An error that rustls has is inside the one that is returned.
    pub(super) fn shake_hands(&mut self, connection: &mut Connection) -> io::Result<()> {
        loop {
            self.send(connection)?;
            if !connection.is_handshaking() {
                return Ok(());
            }
            self.take_in(connection)?;
        }
    }

    /// Reads exactly this much of what is inside. 0 bytes are read where the peer ends before the first.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::UnexpectedEof`]: it ended between the first and the last.
    pub(super) fn read_message(
        &mut self,
        connection: &mut Connection,
        message: &mut [u8],
    ) -> io::Result<usize> {
        let mut filled = 0;
        while filled < message.len() {
            match connection.reader().read(&mut message[filled..]) {
                Ok(0) if filled == 0 => return Ok(0),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.take_in(connection)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Sends what is encrypted.
    pub(super) fn send(&mut self, connection: &mut Connection) -> io::Result<()> {
        while connection.wants_write() {
            connection.write_tls(self)?;
        }
        Ok(())
    }

    fn take_in(&mut self, connection: &mut Connection) -> io::Result<()> {
        if connection.read_tls(self)? == 0 && connection.is_handshaking() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Err(error) = connection.process_new_packets() {
            // The alert that says why.
            let _ = self.send(connection);
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(())
    }
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut stream = self.stream;
        stream.read(buffer)
    }
}

/// What a handshake says fits into any socket's buffer: it does not wait.
impl Write for Patient<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let mut stream = self.stream;
        stream.write(buffer)
    }

    /// All records of a flight in one segment, so that the other end need not answer the first of them alone.
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut stream = self.stream;
        stream.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
