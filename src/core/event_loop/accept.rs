//! Listening sockets under the driver, and what to do when the process has no descriptor left.

use std::io;
use std::net::TcpListener;
#[cfg(unix)]
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use mio::{Interest, Registry, Token};
use socket2::SockRef;

use crate::core::address::PeerAddr;
use crate::core::machine::Origin;
use crate::core::options::Settings;
use crate::core::secure::tls::{Acceptor, TlsStream};
use crate::core::socket;
use crate::core::transport::Transport;

/// How many connections one turn accepts, so that a storm of them does not silence those who are in.
pub(super) const BUDGET: usize = 256;

/// How long accepting rests when the process or the system is out of descriptors (accept(2): EMFILE,
/// ENFILE) or of memory. The connections wait in the backlog meanwhile.
pub(super) const PAUSE: Duration = Duration::from_millis(500);

/// A listening socket in non-blocking mode.
#[derive(Debug)]
pub enum ListenerSocket {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix stream socket.
    #[cfg(unix)]
    Unix(UnixListener),
}

impl ListenerSocket {
    /// The socket itself, to ask for its options.
    pub fn socket(&self) -> SockRef<'_> {
        match self {
            ListenerSocket::Tcp(listener) => SockRef::from(listener),
            #[cfg(unix)]
            ListenerSocket::Unix(listener) => SockRef::from(listener),
        }
    }
}

enum Socket {
    Tcp(mio::net::TcpListener),
    #[cfg(unix)]
    Unix(mio::net::UnixListener),
}

struct Listener {
    socket: Socket,
    origin: Origin,
    /// Its connections speak TLS.
    acceptor: Option<Arc<Acceptor>>,
    /// There may be connections to accept: nothing has shown yet that there are none.
    ready: bool,
}

pub(super) enum Accepted {
    Connection(Transport, PeerAddr, Origin),
    /// No descriptor or memory is left; accepting is paused.
    Exhausted {
        /// Nothing will end the pause yet.
        set_alarm: bool,
    },
    None,
}

#[derive(Default)]
pub(super) struct Listeners {
    list: Vec<Listener>,
    /// Whose turn it is, so that one busy address does not starve the others.
    turn: usize,
    paused: bool,
    /// A descriptor became free during the pause, or the pause is over: worth a try.
    retry: bool,
    /// The end of a pause will be announced.
    alarm_set: bool,
    /// Somebody waits who could not be accepted. It ends only when nobody waits any more: at the limit,
    /// where each one who leaves lets another one in, that is one want and not a thousand.
    wanting: bool,
    /// What of that the machine was told.
    told: bool,
    /// Socket options that each accepted socket gets which its listener cannot hand down.
    settings: Settings,
}

/// How many connections in a row may be gone before they are accepted. Beyond it the error is taken for
/// a lasting one, which would spin.
const GONE_IN_A_ROW: u32 = 1024;

impl Listeners {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    pub(super) fn add(
        &mut self,
        registry: &Registry,
        token: Token,
        listener: ListenerSocket,
        origin: Origin,
        acceptor: Option<Arc<Acceptor>>,
    ) -> io::Result<()> {
        let socket = match listener {
            ListenerSocket::Tcp(listener) => {
                let mut listener = mio::net::TcpListener::from_std(listener);
                registry.register(&mut listener, token, Interest::READABLE)?;
                Socket::Tcp(listener)
            }
            #[cfg(unix)]
            ListenerSocket::Unix(listener) => {
                let mut listener = mio::net::UnixListener::from_std(listener);
                registry.register(&mut listener, token, Interest::READABLE)?;
                Socket::Unix(listener)
            }
        };
        self.list.push(Listener {
            socket,
            origin,
            acceptor,
            ready: true,
        });
        Ok(())
    }

    pub(super) fn mark_ready(&mut self, index: usize) {
        if let Some(listener) = self.list.get_mut(index) {
            listener.ready = true;
        }
    }

    pub(super) fn has_work(&self) -> bool {
        (!self.paused || self.retry) && self.list.iter().any(|listener| listener.ready)
    }

    pub(super) fn descriptor_freed(&mut self) {
        self.retry = self.paused;
    }

    /// The time of a pause has passed. Whether there are descriptors again shows when it is tried.
    pub(super) fn pause_is_over(&mut self) {
        self.alarm_set = false;
        self.retry = self.paused;
    }

    /// Whether the want of descriptors has begun or ended since this was last asked.
    pub(super) fn changed(&mut self) -> Option<bool> {
        let changed = self.told != self.wanting;
        self.told = self.wanting;
        changed.then_some(self.wanting)
    }

    pub(super) fn close(&mut self, registry: &Registry) {
        for mut listener in self.list.drain(..) {
            let _ = match &mut listener.socket {
                Socket::Tcp(socket) => registry.deregister(socket),
                #[cfg(unix)]
                Socket::Unix(socket) => registry.deregister(socket),
            };
        }
        self.paused = false;
        self.wanting = false;
        self.told = false;
    }

    pub(super) fn accept(&mut self) -> Accepted {
        if self.paused && !std::mem::take(&mut self.retry) {
            return Accepted::None;
        }
        let mut gone_in_a_row = 0;
        for _ in 0..self.list.len() {
            self.turn = (self.turn + 1) % self.list.len();
            let listener = &mut self.list[self.turn];
            while listener.ready {
                let secure = listener.acceptor.as_ref();
                let error = match accept_one(&listener.socket, secure, &self.settings) {
                    Ok((transport, peer)) => {
                        self.paused = false;
                        return Accepted::Connection(transport, peer, listener.origin);
                    }
                    Err(error) => error,
                };
                match meaning(&error) {
                    Meaning::Empty => listener.ready = false,
                    Meaning::Gone if gone_in_a_row < GONE_IN_A_ROW => gone_in_a_row += 1,
                    Meaning::Gone | Meaning::Exhausted => {
                        self.paused = true;
                        self.wanting = true;
                        return Accepted::Exhausted {
                            set_alarm: !std::mem::replace(&mut self.alarm_set, true),
                        };
                    }
                }
            }
        }
        self.paused = false;
        self.wanting = false;
        Accepted::None
    }
}

/// What a failed accept says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Nobody waits.
    Empty,
    /// The process or the system lacks something that it may have again.
    Exhausted,
    /// accept(2): ECONNABORTED, EPROTO, EPERM of a firewall and the network's errors that Linux passes on
    /// belong to one connection that is already gone. Each call takes one off the queue, so this ends.
    /// EINTR is tried again too.
    Gone,
}

fn meaning(error: &io::Error) -> Meaning {
    match error.kind() {
        io::ErrorKind::WouldBlock => Meaning::Empty,
        _ if is_exhaustion(error) => Meaning::Exhausted,
        _ => Meaning::Gone,
    }
}

/// Unix sockets need no TLS: the kernel knows who is at the other end.
fn accept_one(
    socket: &Socket,
    acceptor: Option<&Arc<Acceptor>>,
    settings: &Settings,
) -> io::Result<(Transport, PeerAddr)> {
    match socket {
        Socket::Tcp(listener) => {
            let (stream, address) = listener.accept()?;
            if !socket::ACCEPTED_INHERIT {
                socket::set_stream_options(&SockRef::from(&stream));
            }
            settings.apply_to_accepted(&SockRef::from(&stream), socket::ACCEPTED_INHERIT);
            let transport = match acceptor {
                None => Transport::Tcp(stream),
                Some(acceptor) => {
                    let stream = TlsStream::accepted(stream, Arc::clone(acceptor));
                    Transport::Tls(Box::new(stream))
                }
            };
            Ok((transport, PeerAddr::from_socket_addr(address)))
        }
        #[cfg(unix)]
        Socket::Unix(listener) => {
            let (stream, address) = listener.accept()?;
            // Unix sockets hand down less: on Linux not even the buffers (unix_create1 makes a new one).
            settings.apply_to_accepted(&SockRef::from(&stream), false);
            // mio takes an abstract name for none.
            let address = match address.as_pathname() {
                Some(_) => address,
                None => stream.peer_addr().unwrap_or(address),
            };
            Ok((Transport::Unix(stream), PeerAddr::from_unix(&address)))
        }
    }
}

#[cfg(unix)]
fn is_exhaustion(error: &io::Error) -> bool {
    use rustix::io::Errno;
    error
        .raw_os_error()
        .map(Errno::from_raw_os_error)
        .is_some_and(|errno| {
            [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM].contains(&errno)
        })
}

/// WSAEMFILE and WSAENOBUFS.
#[cfg(windows)]
fn is_exhaustion(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(10024 | 10055))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn only_what_may_come_back_pauses_accepting() {
        let table = [
            (Errno::AGAIN, Meaning::Empty),
            (Errno::MFILE, Meaning::Exhausted),
            (Errno::NFILE, Meaning::Exhausted),
            (Errno::NOBUFS, Meaning::Exhausted),
            (Errno::NOMEM, Meaning::Exhausted),
            (Errno::CONNABORTED, Meaning::Gone),
            (Errno::PROTO, Meaning::Gone),
            (Errno::PERM, Meaning::Gone),
            (Errno::INTR, Meaning::Gone),
            (Errno::HOSTUNREACH, Meaning::Gone),
        ];
        for (errno, expected) in table {
            let error = io::Error::from_raw_os_error(errno.raw_os_error());
            assert_eq!(meaning(&error), expected, "{error}");
        }
    }
}
