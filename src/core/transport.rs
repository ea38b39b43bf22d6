//! One type for whatever carries the bytes of a connection: TCP, with or without TLS, or a Unix stream socket.
//!
//! The rooms above see a non-blocking reader and writer and never ask which.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;

use mio::{Interest, Registry, Token};
use socket2::SockRef;

use crate::core::blocking::Stream;
use crate::core::secure::tls::TlsStream;

/// A connected, non-blocking stream.
#[derive(Debug)]
pub enum Transport {
    /// TCP.
    Tcp(mio::net::TcpStream),
    /// TCP with TLS inside. Boxed: beside it the others are small.
    Tls(Box<TlsStream>),
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

    /// The same stream in blocking mode, for threads. One that has begun to speak TLS stays with the driver: its
    /// state cannot be shared by two threads ([`crate::core::secure::channel`] is what threads have).
    pub fn into_blocking(self) -> io::Result<Stream> {
        Ok(match self {
            Transport::Tcp(stream) => {
                let stream = TcpStream::from(stream);
                stream.set_nonblocking(false)?;
                Stream::Tcp(stream)
            }
            Transport::Tls(_) => return Err(io::ErrorKind::Unsupported.into()),
            #[cfg(unix)]
            Transport::Unix(stream) => {
                let stream = UnixStream::from(stream);
                stream.set_nonblocking(false)?;
                Stream::Unix(stream)
            }
        })
    }

    /// Watches both directions, edge-triggered, once and for all: which of them is acted on is the
    /// driver's business, so that no system call is spent on changing it.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        match self {
            Transport::Tcp(stream) => registry.register(stream, token, both),
            Transport::Tls(stream) => registry.register(stream.socket(), token, both),
            #[cfg(unix)]
            Transport::Unix(stream) => registry.register(stream, token, both),
        }
    }

    /// The socket itself, to ask for its options.
    pub fn socket(&self) -> SockRef<'_> {
        match self {
            Transport::Tcp(stream) => SockRef::from(stream),
            Transport::Tls(stream) => SockRef::from(stream.socket_ref()),
            #[cfg(unix)]
            Transport::Unix(stream) => SockRef::from(stream),
        }
    }

    /// Ends the watching.
    pub fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Transport::Tcp(stream) => registry.deregister(stream),
            Transport::Tls(stream) => registry.deregister(stream.socket()),
            #[cfg(unix)]
            Transport::Unix(stream) => registry.deregister(stream),
        }
    }

    /// Why the kernel says that this connection is no more. Asking clears it (SO_ERROR, socket(7)).
    pub fn error_kind(&self) -> io::ErrorKind {
        let error = match self {
            Transport::Tcp(stream) => stream.take_error(),
            Transport::Tls(stream) => stream.take_error(),
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
            Transport::Tls(stream) => stream.read(buffer),
            #[cfg(unix)]
            Transport::Unix(stream) => stream.read(buffer),
        }
    }

    /// Writes the slices in one system call, as far as there is room. With TLS: takes them, and writes what fits.
    pub fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        // send(2) is a little cheaper than writev(2) and does not raise SIGPIPE.
        match (self, slices) {
            (Transport::Tcp(stream), [one]) => stream.write(one),
            (Transport::Tcp(stream), many) => stream.write_vectored(many),
            (Transport::Tls(stream), slices) => stream.write(slices),
            #[cfg(unix)]
            (Transport::Unix(stream), [one]) => stream.write(one),
            #[cfg(unix)]
            (Transport::Unix(stream), many) => stream.write_vectored(many),
        }
    }

    /// Passes on what was taken by [`Transport::write`] and still waits here for room: only TLS has such. `true`:
    /// nothing is left.
    pub fn flush(&mut self) -> io::Result<bool> {
        match self {
            Transport::Tls(stream) => stream.flush(),
            _ => Ok(true),
        }
    }

    /// As [`Transport::flush`], once nothing more will be written: where the stream has a last word of its own (TLS's
    /// close_notify), that too.
    pub fn say_goodbye(&mut self) -> io::Result<bool> {
        match self {
            Transport::Tls(stream) => stream.say_goodbye(),
            _ => Ok(true),
        }
    }

    /// Whether it has to agree with the peer on something before the first byte.
    pub fn is_handshaking(&self) -> bool {
        match self {
            Transport::Tls(stream) => stream.is_handshaking(),
            _ => false,
        }
    }

    /// Goes on with that as far as it can. `true`: it is done.
    pub fn shake_hands(&mut self) -> io::Result<bool> {
        match self {
            Transport::Tls(stream) => stream.shake_hands(),
            _ => Ok(true),
        }
    }

    /// Whether bytes may wait here that the kernel does not know of, so that its readiness says too little.
    pub fn buffers_input(&self) -> bool {
        matches!(self, Transport::Tls(_))
    }

    /// Makes closing this connection tell the peer with RST: SO_LINGER of 0, socket(7). A Unix socket has no
    /// such thing; its peer sees a reset where something was left unread.
    pub fn reset_on_close(&self) {
        match self {
            // A connection that is gone already cannot be reset any more, and need not.
            Transport::Tcp(stream) => {
                let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
            }
            Transport::Tls(stream) => stream.reset_on_close(),
            #[cfg(unix)]
            Transport::Unix(_) => {}
        }
    }

    /// Whether the peer's system has still to acknowledge something that was written, which closing with RST would take
    /// back. A Unix socket's peer has what was written at once, and systems other than Linux do not tell.
    pub fn is_unacknowledged(&self) -> bool {
        match self {
            Transport::Tcp(_) => has_unacknowledged(&self.socket()),
            Transport::Tls(stream) => stream.holds_output() || has_unacknowledged(&self.socket()),
            #[cfg(unix)]
            Transport::Unix(_) => false,
        }
    }

    /// Tells the peer that no more will be sent (FIN), and leaves the other direction open.
    pub fn finish(&mut self) -> io::Result<()> {
        match self {
            Transport::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Transport::Tls(stream) => stream.finish(),
            #[cfg(unix)]
            Transport::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn has_unacknowledged(socket: &socket2::Socket) -> bool {
    crate::core::options::sys::unsent(socket).is_ok_and(|bytes| bytes > 0)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn has_unacknowledged(_: &socket2::Socket) -> bool {
    false
}
