//! One type for whatever carries the bytes of a connection: TCP or a Unix stream socket.
//!
//! The rooms above see a non-blocking reader and writer and never ask which. An encrypted stream will be
//! one more variant here, and nothing outside this file should have to change for it.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;

use mio::{Interest, Registry, Token};
use socket2::SockRef;

/// A connected, non-blocking stream.
#[derive(Debug)]
pub enum Transport {
    /// TCP.
    Tcp(mio::net::TcpStream),
    /// A Unix stream socket.
    #[cfg(unix)]
    Unix(mio::net::UnixStream),
}

impl Transport {
    /// Takes over a TCP stream that is in non-blocking mode.
    pub fn from_tcp(stream: TcpStream) -> Self {
        Transport::Tcp(mio::net::TcpStream::from_std(stream))
    }

    /// Takes over a Unix stream that is in non-blocking mode.
    #[cfg(unix)]
    pub fn from_unix(stream: UnixStream) -> Self {
        Transport::Unix(mio::net::UnixStream::from_std(stream))
    }

    /// Watches both directions, edge-triggered, once and for all: which of them is acted on is the
    /// driver's business, so that no system call is spent on changing it.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        match self {
            Transport::Tcp(stream) => registry.register(stream, token, both),
            #[cfg(unix)]
            Transport::Unix(stream) => registry.register(stream, token, both),
        }
    }

    /// The socket itself, to ask for its options.
    pub fn socket(&self) -> SockRef<'_> {
        match self {
            Transport::Tcp(stream) => SockRef::from(stream),
            #[cfg(unix)]
            Transport::Unix(stream) => SockRef::from(stream),
        }
    }

    /// Ends the watching.
    pub fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Transport::Tcp(stream) => registry.deregister(stream),
            #[cfg(unix)]
            Transport::Unix(stream) => registry.deregister(stream),
        }
    }

    /// Why the kernel says that this connection is no more. Asking clears it (SO_ERROR, socket(7)).
    pub fn error_kind(&self) -> io::ErrorKind {
        let error = match self {
            Transport::Tcp(stream) => stream.take_error(),
            #[cfg(unix)]
            Transport::Unix(stream) => stream.take_error(),
        };
        match error {
            Ok(Some(error)) => error.kind(),
            // The other end is closed and that is all there is to say.
            Ok(None) | Err(_) => io::ErrorKind::BrokenPipe,
        }
    }

    /// Reads what is there, up to the buffer's length. 0 is the end of the peer's data.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Transport::Tcp(stream) => stream.read(buffer),
            #[cfg(unix)]
            Transport::Unix(stream) => stream.read(buffer),
        }
    }

    /// Writes the slices in one system call, as far as there is room.
    pub fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        // send(2) is a little cheaper than writev(2) and does not raise SIGPIPE.
        match (self, slices) {
            (Transport::Tcp(stream), [one]) => stream.write(one),
            (Transport::Tcp(stream), many) => stream.write_vectored(many),
            #[cfg(unix)]
            (Transport::Unix(stream), [one]) => stream.write(one),
            #[cfg(unix)]
            (Transport::Unix(stream), many) => stream.write_vectored(many),
        }
    }

    /// Tells the peer that no more will be sent (FIN), and leaves the other direction open.
    pub fn finish(&mut self) -> io::Result<()> {
        match self {
            Transport::Tcp(stream) => stream.shutdown(Shutdown::Write),
            #[cfg(unix)]
            Transport::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }
}
