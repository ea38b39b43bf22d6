//! Datagram sockets, bound to be sent to, or connected to somebody.
//!
//! Every address gets a socket of its own, also the two that `:port` stands for: an IPv6 socket that takes
//! IPv4 too could not join IPv4 groups, and its answers would have to name their source in IPv6's clothes,
//! which not every system takes.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::DatagramSocket;
use super::contract::Correspondent;
#[cfg(unix)]
use crate::core::address::UnixName;
use crate::core::address::{Address, Endpoint};
use crate::core::dial::DialOptions;
use crate::core::options::info::{On, When};
use crate::core::options::{Setting, Unopened};
use crate::core::resolve::{interface_index, resolve};
use crate::core::socket::{self, ListenOptions, SocketFile};
use crate::error::{Error, Kind, Result};

/// What a bound socket shall learn of each datagram, and which groups it belongs to.
#[derive(Debug, Clone, Default)]
pub struct BindOptions {
    /// Permissions, buffers, IP version and sharing; the backlog is for streams.
    pub listen: ListenOptions,
    /// When the kernel took a datagram in.
    pub times: bool,
    /// Groups to join, by the sockets of their IP version.
    pub groups: Vec<Group>,
}

/// A multicast group, and the interface on which to join it; the system chooses one if there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its address.
    pub ip: IpAddr,
    /// The interface's name or index.
    pub interface: Option<String>,
}

/// A socket that can be sent to.
#[derive(Debug)]
pub struct Bound {
    /// The socket.
    pub socket: DatagramSocket,
    /// Where: with the real port.
    pub address: Address,
    /// Removes the file of a Unix socket when dropped. Keep it until the server ends.
    pub file: Option<SocketFile>,
}

/// Binds every socket address that `address` stands for, all on one port.
///
/// # Errors
///
/// As [`socket::listen`], and [`Kind::Unreachable`] for a group that cannot be joined.
pub fn bind(address: &Address, options: &BindOptions) -> Result<Vec<Bound>> {
    match address.endpoint() {
        #[cfg(unix)]
        Endpoint::Unix(name) => {
            let (socket, file) = socket::bind_datagrams(address, name, &options.listen)?;
            Ok(vec![Bound {
                socket: DatagramSocket::from_unix(socket),
                address: address.clone(),
                file,
            }])
        }
        #[cfg(not(unix))]
        Endpoint::Unix(_) => Err(Error::new(
            Kind::Usage,
            format!("cannot listen on {address}: Unix sockets are not available on this system"),
        )),
        Endpoint::Inet { .. } => {
            if options.listen.reuse_port && !socket::HAS_REUSE_PORT {
                return Err(Error::new(
                    Kind::Usage,
                    "--reuse-port is not available on this system",
                ));
            }
            let wanted = resolve(address, options.listen.family)?;
            let opened = socket::open_all(&wanted, &|at| open(at, &options.listen))?;
            let bound = opened.into_iter().map(|(at, socket)| {
                for group in &options.groups {
                    join(&socket, at, group)?;
                }
                let address = Address::from_socket_addr(address.scheme(), at);
                let everywhere = at.ip().is_unspecified();
                let socket = DatagramSocket::from_udp(socket, everywhere, options.times)
                    .map_err(|error| cannot_listen(&address).because(error))?;
                Ok(Bound {
                    socket,
                    address,
                    file: None,
                })
            });
            bound.collect()
        }
    }
}

fn cannot_listen(address: &Address) -> Error {
    Error::new(Kind::Unreachable, format!("cannot listen on {address}"))
}

fn open(at: SocketAddr, options: &ListenOptions) -> Result<(SocketAddr, UdpSocket), Unopened> {
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Not SO_REUSEADDR: for datagrams it lets two servers have one address, and one of them gets nothing.
    if options.reuse_port {
        socket::set_reuse_port(&socket)?;
    }
    options.buffers.set(&socket)?;
    options.settings.apply(&socket, kind(at), When::Before)?;
    socket.bind(&at.into())?;
    socket.set_nonblocking(true)?;
    let socket: UdpSocket = socket.into();
    Ok((socket.local_addr()?, socket))
}

/// Whether a socket at this address hears what is sent to a group that it has joined. One that is bound to an address of
/// this machine hears nothing else, except on Windows, where that address is the interface.
pub fn hears(at: SocketAddr, group: &Group) -> bool {
    let ip = at.ip();
    ip.is_ipv4() == group.ip.is_ipv4() && (ip.is_unspecified() || ip == group.ip || cfg!(windows))
}

/// Joins a group, if the socket hears it.
fn join(socket: &UdpSocket, at: SocketAddr, group: &Group) -> Result<()> {
    if !hears(at, group) {
        return Ok(());
    }
    let index = match &group.interface {
        Some(name) => interface_index(name)?,
        None => 0,
    };
    let joined = match (group.ip, at) {
        (IpAddr::V4(ip), SocketAddr::V4(_)) => match index {
            0 => socket.join_multicast_v4(&ip, &Ipv4Addr::UNSPECIFIED),
            // socket2 has no way by index for OpenBSD and NetBSD; how each system is told is in the catalogue.
            index => Setting::parse(&format!("IP_ADD_MEMBERSHIP={ip}%{index}"))
                .and_then(|join| join.apply(&SockRef::from(socket)))
                .map_err(reason),
        },
        (IpAddr::V6(ip), SocketAddr::V6(_)) => socket.join_multicast_v6(&ip, index),
        (IpAddr::V4(_), SocketAddr::V6(_)) | (IpAddr::V6(_), SocketAddr::V4(_)) => Ok(()),
    };
    let joined = match joined {
        // Somebody names a group twice, and is in it.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(()),
        joined => joined,
    };
    joined.map_err(|error| {
        let ip = group.ip;
        let on = match &group.interface {
            Some(name) => format!(" on {name}"),
            None => String::new(),
        };
        Error::new(Kind::Unreachable, format!("cannot join {ip}{on}"))
            .because(error)
            .hint("behind a % stands the interface on which to join: --join 239.1.2.3%eth0")
    })
}

/// Why an option could not be set, for who says himself what that was for.
fn reason(error: Error) -> io::Error {
    let cause = error.cause().map(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        match io.and_then(io::Error::raw_os_error) {
            Some(number) => io::Error::from_raw_os_error(number),
            None => io::Error::other(cause.to_string()),
        }
    });
    cause.unwrap_or_else(|| io::Error::other(error))
}

/// A socket that sends to somebody.
#[derive(Debug)]
pub struct Opened {
    /// The socket.
    pub socket: DatagramSocket,
    /// Where to send with it.
    pub to: Correspondent,
    /// The directory of its own file, if it has one. Keep it as long as the socket.
    pub folder: Option<tempfile::TempDir>,
}

/// A datagram socket that is connected to `address`: it can send there only, hears from there only, and
/// learns that nobody is there where the system says so. To many at once, a multicast group or, with SO_BROADCAST, a
/// network, it is not connected: they answer each from an address of its own.
///
/// # Errors
///
/// As [`crate::core::dial::dial`].
pub fn connect(address: &Address, options: &DialOptions) -> Result<Opened> {
    let cannot = || Error::new(Kind::Unreachable, format!("cannot connect to {address:#}"));
    let connected = |socket, folder| Opened {
        socket,
        to: Correspondent::Connected,
        folder,
    };
    match address.endpoint() {
        Endpoint::Inet { .. } => {
            let mut first = None;
            let found = resolve(address, options.family)?;
            let kinds: Vec<On> = found.iter().copied().map(kind).collect();
            options.settings.check(&kinds)?;
            for to in found {
                let opened = match to.ip().is_multicast() || options.settings.has("SO_BROADCAST") {
                    true => open_udp(to, options).and_then(|socket| {
                        Ok(Opened {
                            socket: DatagramSocket::from_udp(socket.into(), false, false)?,
                            to: Correspondent::Inet(to),
                            folder: None,
                        })
                    }),
                    false => connect_udp(to, options).map(|socket| connected(socket, None)),
                };
                match opened {
                    Ok(opened) => return Ok(opened),
                    Err(Unopened::Setting(error)) => return Err(error),
                    Err(Unopened::Io(error)) => first = first.or(Some(error)),
                }
            }
            Err(match first {
                Some(error) if error.kind() == io::ErrorKind::PermissionDenied => cannot()
                    .because(error)
                    .hint("if that is a whole network, say so: -o SO_BROADCAST=1"),
                Some(error) => cannot().because(error),
                None => cannot(),
            })
        }
        #[cfg(unix)]
        Endpoint::Unix(name) => {
            options.settings.check(&[On::UNIX_DATAGRAM])?;
            let opened =
                connect_unix(name, options).map(|(socket, folder)| connected(socket, Some(folder)));
            opened.map_err(|error| match error {
                Unopened::Setting(error) => error,
                Unopened::Io(error) => match error.kind() {
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                        cannot().because(error).hint("is the server running there?")
                    }
                    _ => cannot().because(error),
                },
            })
        }
        #[cfg(not(unix))]
        Endpoint::Unix(_) => Err(Error::new(
            Kind::Usage,
            format!("cannot connect to {address}: Unix sockets are not available on this system"),
        )),
    }
}

/// What a socket at this address is to an option.
fn kind(at: SocketAddr) -> On {
    match at {
        SocketAddr::V4(_) => On::UDP4,
        SocketAddr::V6(_) => On::UDP6,
    }
}

fn connect_udp(to: SocketAddr, options: &DialOptions) -> Result<DatagramSocket, Unopened> {
    let socket = open_udp(to, options)?;
    socket.connect(&to.into())?;
    options.settings.apply(&socket, kind(to), When::Connected)?;
    Ok(DatagramSocket::from_udp(socket.into(), false, false)?)
}

/// A socket that can send to that address.
fn open_udp(to: SocketAddr, options: &DialOptions) -> Result<Socket, Unopened> {
    let socket = Socket::new(Domain::for_address(to), Type::DGRAM, Some(Protocol::UDP))?;
    options.buffers.set(&socket)?;
    options.settings.apply(&socket, kind(to), When::Before)?;
    let any: SocketAddr = match to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    // Windows does not send from a socket without a port.
    socket.bind(&any.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// An answer needs an address to go to, so this end gets a file too, in a directory of its own.
#[cfg(unix)]
fn connect_unix(
    name: &UnixName,
    options: &DialOptions,
) -> Result<(DatagramSocket, tempfile::TempDir), Unopened> {
    let to = match name {
        UnixName::Path(path) => socket2::SockAddr::unix(path)?,
        UnixName::Abstract(name) => socket2::SockAddr::unix(format!("\0{name}"))?,
    };
    let socket = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
    options.buffers.set(&socket)?;
    options
        .settings
        .apply(&socket, On::UNIX_DATAGRAM, When::Before)?;
    let folder = tempfile::Builder::new().prefix("sockkit-").tempdir()?;
    socket.bind(&socket2::SockAddr::unix(folder.path().join("end"))?)?;
    socket.connect(&to)?;
    socket.set_nonblocking(true)?;
    Ok((DatagramSocket::from_unix(socket.into()), folder))
}
