//! A TLS stream for the driver: it never blocks, and holds a bounded amount.
//!
//! Reading may have to write (an answer to a key update, an alert) and writing may find that nothing more fits. So
//! the rule is: what was encrypted goes out before anything else is encrypted, whoever asks; and the driver calls
//! [`TlsStream::flush`] whenever the socket has room again. Nothing is remembered about who wanted what.
//!
//! What is held at most: one record that is not complete yet, one that is decrypted and not taken (16 KiB each: RFC
//! 8446 section 5.1), and [`UNSENT`] that is encrypted and not sent.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

use rustls::Connection;

use super::{Acceptor, Agreement, trouble};

/// How much may be encrypted and wait for room in the socket.
const UNSENT: usize = 64 * 1024;

/// How much a peer may say before the handshake is done: a hello with every extension that is in use has 2 KiB, a
/// client's chain of certificates some more. rustls itself would collect 64 KiB for each message.
const HANDSHAKE_BYTES: usize = 32 * 1024;

/// A TCP stream with TLS inside.
pub struct TlsStream {
    socket: mio::net::TcpStream,
    stage: Stage,
    /// Ciphertext that came during the handshake.
    heard: usize,
    /// Our direction is to be closed when all is out.
    closing: bool,
    /// The socket's end was reached.
    at_end: bool,
}

enum Stage {
    /// Nothing has come yet. A client that says nothing costs no more than its socket.
    Silent(Arc<Acceptor>),
    Begun(Box<Connection>),
    /// No agreement. The peer has been told why, and what it still says is read and thrown away, since closing a
    /// socket with unread input takes the alert away from it (RFC 9293 section 3.6.1).
    Failed,
}

impl std::fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsStream")
            .field("socket", &self.socket)
            .field("handshaking", &self.is_handshaking())
            .finish_non_exhaustive()
    }
}

impl TlsStream {
    /// Makes closing it tell the peer with RST: SO_LINGER of 0, socket(7).
    pub fn reset_on_close(&self) {
        // A connection that is gone already cannot be reset any more, and need not.
        let _ = socket2::SockRef::from(&self.socket).set_linger(Some(std::time::Duration::ZERO));
    }

    /// One that was accepted.
    pub fn accepted(socket: mio::net::TcpStream, acceptor: Arc<Acceptor>) -> Self {
        Self::with(socket, Stage::Silent(acceptor))
    }

    /// One whose handshake is done.
    pub(super) fn established(socket: mio::net::TcpStream, connection: Connection) -> Self {
        let mut connection = Box::new(connection);
        connection.set_buffer_limit(Some(UNSENT));
        Self::with(socket, Stage::Begun(connection))
    }

    fn with(socket: mio::net::TcpStream, stage: Stage) -> Self {
        Self {
            socket,
            stage,
            heard: 0,
            closing: false,
            at_end: false,
        }
    }

    /// The socket, to ask for its options.
    pub fn socket_ref(&self) -> &mio::net::TcpStream {
        &self.socket
    }

    /// The socket, for watching it.
    pub fn socket(&mut self) -> &mut mio::net::TcpStream {
        &mut self.socket
    }

    /// The error that the kernel has for the socket.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.take_error()
    }

    /// Whether the handshake is still under way.
    pub fn is_handshaking(&self) -> bool {
        match &self.stage {
            Stage::Silent(_) | Stage::Failed => true,
            Stage::Begun(connection) => connection.is_handshaking(),
        }
    }

    /// What both ends have agreed on, once they have.
    pub fn agreement(&self) -> Option<Agreement> {
        match &self.stage {
            Stage::Silent(_) | Stage::Failed => None,
            Stage::Begun(connection) => Agreement::of(connection),
        }
    }

    /// Goes on with the handshake as far as it can without waiting. `true`: it is done.
    ///
    /// # Errors
    ///
    /// What the socket says, or why TLS was not agreed on; then the peer has been told, as far as there was room,
    /// and [`TlsStream::read`] gives what it still says as it comes.
    pub fn shake_hands(&mut self) -> io::Result<bool> {
        let outcome = self.try_to_shake_hands();
        if outcome.is_err() {
            // There may be nobody left to hear it.
            let _ = self.finish();
            self.stage = Stage::Failed;
        }
        outcome
    }

    fn try_to_shake_hands(&mut self) -> io::Result<bool> {
        loop {
            if let Stage::Begun(_) = self.stage {
                self.flush()?;
                if !self.is_handshaking() {
                    return Ok(true);
                }
            }
            match self.take_in() {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.heard += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
            if self.heard > HANDSHAKE_BYTES {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the TLS handshake is too long",
                ));
            }
        }
    }

    /// Reads what is there, up to the buffer's length. 0: the peer has said that it sends no more.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::UnexpectedEof`]: the connection ended without that, so something may have been cut off.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Stage::Failed = self.stage {
            return self.socket.read(buffer);
        }
        loop {
            match self.connection()?.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && !self.at_end => {}
                result => return result,
            }
            self.take_in()?;
        }
    }

    /// Encrypts and sends what fits, and says how much of it was taken.
    pub fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if !self.flush()? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = self.connection()?.writer().write_vectored(slices)?;
        self.flush()?;
        Ok(taken)
    }

    /// Whether something is encrypted that is not with the kernel yet.
    pub fn holds_output(&self) -> bool {
        matches!(&self.stage, Stage::Begun(connection) if connection.wants_write())
    }

    /// Sends what is encrypted. `true`: all of it is with the kernel.
    pub fn flush(&mut self) -> io::Result<bool> {
        let Stage::Begun(connection) = &mut self.stage else {
            return Ok(true);
        };
        while connection.wants_write() {
            match connection.write_tls(&mut self.socket) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if std::mem::take(&mut self.closing) {
            self.socket.shutdown(Shutdown::Write)?;
        }
        Ok(true)
    }

    /// Tells the peer inside TLS that no more will be sent (close_notify). `true`: that is with the kernel.
    pub fn say_goodbye(&mut self) -> io::Result<bool> {
        if let Stage::Begun(connection) = &mut self.stage
            && !connection.is_handshaking()
        {
            // rustls says it once.
            connection.send_close_notify();
        }
        self.flush()
    }

    /// Tells the peer that no more will be sent (close_notify, then FIN) and leaves the other direction open.
    pub fn finish(&mut self) -> io::Result<()> {
        match &self.stage {
            Stage::Begun(_) => {
                self.closing = true;
                self.say_goodbye().map(drop)
            }
            Stage::Silent(_) | Stage::Failed => self.socket.shutdown(Shutdown::Write),
        }
    }

    /// Reads ciphertext once and works on it. Says how much it was; 0 is the end.
    fn take_in(&mut self) -> io::Result<usize> {
        if let Stage::Silent(acceptor) = &self.stage {
            // There is something to read, or this fails: only then a connection is worth its memory.
            if self.socket.peek(&mut [0])? == 0 {
                return Ok(0);
            }
            let connection = acceptor.begin().map_err(trouble::to_io)?;
            let mut connection = Box::new(connection);
            connection.set_buffer_limit(Some(UNSENT));
            self.stage = Stage::Begun(connection);
        }
        let socket = &mut self.socket;
        let Stage::Begun(connection) = &mut self.stage else {
            return Ok(0);
        };
        let count = loop {
            match connection.read_tls(socket) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.at_end |= count == 0;
        let outcome = connection.process_new_packets();
        // An alert says why, if there is room for it.
        let flushed = self.flush();
        outcome.map_err(trouble::to_io)?;
        flushed?;
        Ok(count)
    }

    fn connection(&mut self) -> io::Result<&mut Connection> {
        match &mut self.stage {
            Stage::Begun(connection) => Ok(connection),
            Stage::Silent(_) => Err(io::ErrorKind::WouldBlock.into()),
            Stage::Failed => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}
