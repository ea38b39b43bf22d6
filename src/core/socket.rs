//! Listening sockets with the server's profile.
//!
//! What accepted sockets shall have is set on the listener, before it listens: buffers have to be there
//! when the first SYN arrives, since they decide the window scale (tcp(7)), and Linux hands keepalive and
//! TCP_NODELAY down to every accepted socket, which saves two system calls for each of ten thousand
//! joins. Where that is not so, [`set_stream_options`] is called after accept.

#[cfg(unix)]
mod unix;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use crate::core::address::{Address, Endpoint, Host, Scheme, UnixName, Use};
use crate::core::event_loop::ListenerSocket;
use crate::core::resolve::{Family, resolve};
use crate::error::{Error, Kind, Result};

#[cfg(unix)]
pub use self::unix::SocketFile;
#[cfg(unix)]
pub(crate) use self::unix::bind_datagrams;

/// A connection that is silent for this long is asked whether its peer is still there.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);

/// How long the kernel waits for the answer before it asks again.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// After this many questions without an answer the connection has failed: a dead peer is noticed within
/// a minute and a half, where the system's own setting takes two hours and eleven minutes.
pub const KEEPALIVE_PROBES: u32 = 3;

/// How often a port that the system chose for the first address is tried on the others before giving up.
/// Ports are chosen at random, so a second clash is rare already.
const PORT_TRIES: u32 = 16;

/// Whether accepted sockets have the listener's keepalive and TCP_NODELAY. On Linux they are copies of
/// it; elsewhere it is partly so and nowhere promised.
pub(crate) const ACCEPTED_INHERIT: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// What the kernel's buffers are set to; `None` leaves them to its autotuning.
#[derive(Debug, Clone, Copy, Default)]
pub struct Buffers {
    /// SO_SNDBUF in bytes.
    pub send: Option<usize>,
    /// SO_RCVBUF in bytes.
    pub recv: Option<usize>,
}

impl Buffers {
    /// Sets them. The kernel may grant less than was asked for, without an error.
    pub(crate) fn set(self, socket: &Socket) -> io::Result<()> {
        if let Some(size) = self.send {
            socket.set_send_buffer_size(size)?;
        }
        if let Some(size) = self.recv {
            socket.set_recv_buffer_size(size)?;
        }
        Ok(())
    }
}

/// How to listen.
#[derive(Debug, Clone)]
pub struct ListenOptions {
    /// IP versions.
    pub family: Family,
    /// Connections that may wait to be accepted.
    pub backlog: u32,
    /// SO_REUSEPORT.
    pub reuse_port: bool,
    /// Permissions of a Unix socket's file.
    pub unix_mode: u32,
    /// The accepted sockets' buffers.
    pub buffers: Buffers,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            family: Family::Any,
            backlog: 1024,
            reuse_port: false,
            unix_mode: 0o600,
            buffers: Buffers::default(),
        }
    }
}

/// A socket that listens.
#[derive(Debug)]
pub struct Listening {
    /// The socket, non-blocking.
    pub socket: ListenerSocket,
    /// Where: with the real port.
    pub address: Address,
    /// Removes the file of a Unix socket when dropped. Keep it until the server ends.
    pub file: Option<SocketFile>,
}

/// The file of a Unix socket of ours, which this system does not have.
#[cfg(not(unix))]
#[derive(Debug)]
pub struct SocketFile;

/// Listens on every socket address that `address` stands for: both of `localhost`, and of `:port` one
/// socket for both IP versions where the system has that, else one for each. Where there is no IPv6 the
/// IPv4 address alone will do. All are on the same port, also if the system chose it.
///
/// The scheme is the caller's business.
///
/// # Errors
///
/// [`Kind::Unreachable`]: `cannot listen on 127.0.0.1:80: permission denied`, with a hint; and what
/// [`resolve`] says. [`Kind::Usage`] if SO_REUSEPORT is asked for where there is none.
pub fn listen(address: &Address, options: &ListenOptions) -> Result<Vec<Listening>> {
    match address.endpoint() {
        Endpoint::Unix(name) => listen_unix(address, name, options).map(|one| vec![one]),
        Endpoint::Inet { host, .. } => {
            if options.reuse_port && !HAS_REUSE_PORT {
                return Err(Error::new(
                    Kind::Usage,
                    "--reuse-port is not available on this system",
                ));
            }
            let wanted = resolve(address, options.family)?;
            if *host == Host::Any && options.family == Family::Any {
                listen_everywhere(&wanted, address.scheme(), options)
            } else {
                listen_on_all(&wanted, address.scheme(), options)
            }
        }
    }
}

#[cfg(unix)]
fn listen_unix(address: &Address, name: &UnixName, options: &ListenOptions) -> Result<Listening> {
    unix::listen(address, name, options)
}

#[cfg(not(unix))]
fn listen_unix(address: &Address, _: &UnixName, _: &ListenOptions) -> Result<Listening> {
    Err(Error::new(
        Kind::Usage,
        format!("cannot listen on {address}: Unix sockets are not available on this system"),
    ))
}

/// Every interface. `wanted` is `[::]` and `0.0.0.0`.
fn listen_everywhere(
    wanted: &[SocketAddr],
    scheme: Scheme,
    options: &ListenOptions,
) -> Result<Vec<Listening>> {
    let port = wanted.first().map_or(0, SocketAddr::port);
    let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    match open(any, Versions::Both, options) {
        Ok(listener) => {
            let real = local_port(&listener)?;
            let address = Address::parse(
                &format!("{scheme}://:{real}"),
                Use::Listen { default_port: 0 },
            )?;
            Ok(vec![tcp(listener, address)])
        }
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
            ) =>
        {
            Err(failure(&format!(":{port}"), any, &error).because(error))
        }
        // OpenBSD has no dual-stack sockets, and some systems no IPv6.
        Err(_) => listen_on_all(wanted, scheme, options),
    }
}

/// Each of several addresses, all on one port.
fn listen_on_all(
    wanted: &[SocketAddr],
    scheme: Scheme,
    options: &ListenOptions,
) -> Result<Vec<Listening>> {
    let open = |at| {
        let listener = open(at, Versions::One, options)?;
        Ok((listener.local_addr()?, listener))
    };
    let listeners = open_all(wanted, &open)?.into_iter();
    Ok(listeners
        .map(|(at, listener)| tcp(listener, Address::from_socket_addr(scheme, at)))
        .collect())
}

/// A socket at each of several addresses, all on one port, also if the system chose it. Where there is no
/// IPv6 the IPv4 addresses alone will do. `open` gives the socket with its real address.
pub(crate) fn open_all<S>(
    wanted: &[SocketAddr],
    open: &dyn Fn(SocketAddr) -> io::Result<(SocketAddr, S)>,
) -> Result<Vec<(SocketAddr, S)>> {
    let mut tries = PORT_TRIES;
    loop {
        match try_all(wanted, open) {
            Ok(opened) => return Ok(opened),
            // The port that was free on the first address was not free on another.
            Err((_, error))
                if error.kind() == io::ErrorKind::AddrInUse
                    && wanted.iter().all(|address| address.port() == 0)
                    && tries > 1 =>
            {
                tries -= 1;
            }
            Err((at, error)) => {
                return Err(failure(&at.to_string(), at, &error).because(error));
            }
        }
    }
}

fn try_all<S>(
    wanted: &[SocketAddr],
    open: &dyn Fn(SocketAddr) -> io::Result<(SocketAddr, S)>,
) -> Result<Vec<(SocketAddr, S)>, (SocketAddr, io::Error)> {
    let mut opened: Vec<(SocketAddr, S)> = Vec::new();
    let mut missing = None;
    for &(mut at) in wanted {
        if let Some((first, _)) = opened.first()
            && at.port() == 0
        {
            at.set_port(first.port());
        }
        match open(at) {
            Ok(socket) => opened.push(socket),
            Err(error) if means_no_ipv6(at, &error) => missing = Some((at, error)),
            Err(error) => return Err((at, error)),
        }
    }
    match missing {
        Some(missing) if opened.is_empty() => Err(missing),
        _ => Ok(opened),
    }
}

/// Whether the system has no IPv6, or not on its loopback interface, which is how it is switched off.
fn means_no_ipv6(at: SocketAddr, error: &io::Error) -> bool {
    let IpAddr::V6(ip) = at.ip() else {
        return false;
    };
    let is_switched_off = error.kind() == io::ErrorKind::AddrNotAvailable
        && (ip.is_loopback() || ip.is_unspecified());
    is_switched_off || is_unknown_family(error)
}

#[cfg(unix)]
fn is_unknown_family(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

/// WSAEAFNOSUPPORT.
#[cfg(not(unix))]
fn is_unknown_family(error: &io::Error) -> bool {
    error.raw_os_error() == Some(10047)
}

fn tcp(listener: TcpListener, address: Address) -> Listening {
    Listening {
        socket: ListenerSocket::Tcp(listener),
        address,
        file: None,
    }
}

fn local_port(listener: &TcpListener) -> Result<u16> {
    match listener.local_addr() {
        Ok(address) => Ok(address.port()),
        Err(error) => {
            Err(Error::new(Kind::Other, "cannot see which port a socket has").because(error))
        }
    }
}

/// Which IP versions a socket takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Versions {
    /// The one of its address.
    One,
    /// An IPv6 socket that takes IPv4 too.
    Both,
}

fn open(at: SocketAddr, versions: Versions, options: &ListenOptions) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    if at.is_ipv6() {
        // The default is a system setting: Linux has one, Windows and FreeBSD the other way round.
        socket.set_only_v6(versions == Versions::One)?;
        if versions == Versions::Both && socket.only_v6()? {
            return Err(io::ErrorKind::Unsupported.into());
        }
    }
    if options.reuse_port {
        set_reuse_port(&socket)?;
    }
    // With the option set, Linux may choose a port that another socket has bound and not listened on
    // yet, since two such may share it until then.
    let system_chooses = at.port() == 0;
    if !system_chooses {
        set_reuse_address(&socket)?;
    }
    options.buffers.set(&socket)?;
    set_stream_options(&SockRef::from(&socket));
    socket.bind(&at.into())?;
    if system_chooses {
        // Still needed: a server that is started again on this port finds connections of this one in
        // TIME-WAIT, and may bind only if both had the option.
        set_reuse_address(&socket)?;
    }
    socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// A server that comes back may bind while connections of the old one are in TIME-WAIT: socket(7).
#[cfg(unix)]
pub(crate) fn set_reuse_address(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)
}

/// On Windows SO_REUSEADDR would let any process take the port from under a server, and TIME-WAIT is no
/// obstacle there. SO_EXCLUSIVEADDRUSE, which also keeps out a process that sets SO_REUSEADDR under the
/// same user, is in none of the safe interfaces (socket2, mio, rustix, std), so the system's default
/// ("enhanced socket security", since Windows Server 2003) has to do: it keeps out other users.
#[cfg(not(unix))]
pub(crate) fn set_reuse_address(_: &Socket) -> io::Result<()> {
    Ok(())
}

pub(crate) const HAS_REUSE_PORT: bool = cfg!(all(
    unix,
    not(any(
        target_os = "solaris",
        target_os = "illumos",
        target_os = "cygwin"
    ))
));

/// FreeBSD's SO_REUSEPORT gives every connection to the last listener; its SO_REUSEPORT_LB shares them
/// out, as Linux does.
#[cfg(target_os = "freebsd")]
pub(crate) fn set_reuse_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port_lb(true)
}

#[cfg(all(
    unix,
    not(any(
        target_os = "freebsd",
        target_os = "solaris",
        target_os = "illumos",
        target_os = "cygwin"
    ))
))]
pub(crate) fn set_reuse_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(any(
    not(unix),
    target_os = "solaris",
    target_os = "illumos",
    target_os = "cygwin"
))]
pub(crate) fn set_reuse_port(_: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// TCP_NODELAY and keepalive, which every TCP stream of ours has, at either end. A connection without
/// them is better than none, and on some systems a peer that is gone already makes setting them fail: so
/// this cannot.
pub(crate) fn set_stream_options(socket: &SockRef<'_>) {
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_keepalive(&keepalive());
}

/// The same for a stream that was accepted by other means than [`crate::core::event_loop`]. Where accepted streams
/// have what the listener has, nothing is to be done.
pub fn stream_options(stream: &std::net::TcpStream) {
    if !ACCEPTED_INHERIT {
        set_stream_options(&SockRef::from(stream));
    }
}

fn keepalive() -> TcpKeepalive {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE);
    #[cfg(any(
        target_os = "android",
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "illumos",
        target_os = "ios",
        target_os = "linux",
        target_os = "macos",
        target_os = "netbsd",
        target_os = "windows",
    ))]
    let keepalive = keepalive
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_PROBES);
    keepalive
}

/// What to say of a listener that was not to be had.
fn failure(place: &str, at: SocketAddr, error: &io::Error) -> Error {
    let said = Error::new(Kind::Unreachable, format!("cannot listen on {place}"));
    match error.kind() {
        io::ErrorKind::PermissionDenied if (1..1024).contains(&at.port()) => {
            said.hint("ports below 1024 are kept for privileged users; choose a higher one")
        }
        io::ErrorKind::AddrInUse => said.hint(if HAS_REUSE_PORT {
            "another program listens on that port; choose another, or 0 for a free one, \
             or let both share it with --reuse-port"
        } else {
            "another program listens on that port; choose another, or 0 for a free one"
        }),
        io::ErrorKind::AddrNotAvailable if at.ip() != IpAddr::V4(Ipv4Addr::UNSPECIFIED) => {
            said.hint("that is no address of this machine; :PORT listens on all that it has")
        }
        _ => said,
    }
}

#[cfg(test)]
mod tests;
