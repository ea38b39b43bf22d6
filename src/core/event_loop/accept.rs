//! Listening sockets under the driver, and what to do when the process has no descriptor left.

use std::io;
use std::net::TcpListener;
#[cfg(unix)]
use std::os::unix::net::UnixListener;
use std::time::Duration;

use mio::{Interest, Registry, Token};

use crate::core::address::PeerAddr;
use crate::core::machine::Origin;
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

enum Socket {
    Tcp(mio::net::TcpListener),
    #[cfg(unix)]
    Unix(mio::net::UnixListener),
}

struct Listener {
    socket: Socket,
    origin: Origin,
    /// There may be connections to accept: nothing has shown yet that there are none.
    ready: bool,
}

pub(super) enum Accepted {
    Connection(Transport, PeerAddr, Origin),
    /// No descriptor or memory is left; accepting is paused.
    Exhausted,
    None,
}

#[derive(Default)]
pub(super) struct Listeners {
    list: Vec<Listener>,
    /// Whose turn it is, so that one busy address does not starve the others.
    turn: usize,
    paused: bool,
    /// A descriptor became free during the pause: worth a try before the pause is over.
    retry: bool,
}

impl Listeners {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn add(
        &mut self,
        registry: &Registry,
        token: Token,
        listener: ListenerSocket,
        origin: Origin,
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

    /// Ends a pause. Says whether there was one.
    pub(super) fn resume(&mut self) -> bool {
        self.retry = false;
        std::mem::take(&mut self.paused)
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
    }

    pub(super) fn accept(&mut self) -> Accepted {
        if self.paused && !std::mem::take(&mut self.retry) {
            return Accepted::None;
        }
        for _ in 0..self.list.len() {
            self.turn = (self.turn + 1) % self.list.len();
            let listener = &mut self.list[self.turn];
            while listener.ready {
                match accept_one(&listener.socket) {
                    Ok((transport, peer)) => {
                        return Accepted::Connection(transport, peer, listener.origin);
                    }
                    Err(error) => match error.kind() {
                        io::ErrorKind::WouldBlock => listener.ready = false,
                        _ if is_exhaustion(&error) => {
                            let first = !self.paused;
                            self.paused = true;
                            return if first {
                                Accepted::Exhausted
                            } else {
                                Accepted::None
                            };
                        }
                        // accept(2): ECONNABORTED, EPROTO and the network's errors that Linux passes on
                        // belong to one connection that is already gone. Each call takes one off the
                        // queue, so this ends.
                        _ => {}
                    },
                }
            }
        }
        Accepted::None
    }
}

fn accept_one(socket: &Socket) -> io::Result<(Transport, PeerAddr)> {
    match socket {
        Socket::Tcp(listener) => {
            let (stream, address) = listener.accept()?;
            Ok((Transport::Tcp(stream), PeerAddr::from_socket_addr(address)))
        }
        #[cfg(unix)]
        Socket::Unix(listener) => {
            let (stream, address) = listener.accept()?;
            let name = address
                .as_pathname()
                .map(|path| path.to_string_lossy().into_owned());
            Ok((Transport::Unix(stream), PeerAddr::Unix(name)))
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
