//! Datagram sockets of Unix systems. Which of our addresses somebody sent to comes as a control message
//! beside the datagram, and the answer's source goes the same way: IP_PKTINFO (ip(7)) on Linux, macOS and
//! NetBSD, IP_RECVDSTADDR and IP_SENDSRCADDR (ip(4)) on the other BSDs, IPV6_PKTINFO (RFC 3542 section 6)
//! on all. Only a socket that is bound to every address needs it; others use plain calls.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixDatagram;

use mio::{Interest, Registry, Token};
use nix::libc;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, RecvMsg, SockaddrIn, SockaddrIn6,
    SockaddrStorage, recvmsg, sendmsg, setsockopt, sockopt,
};
use rustix::net::{RecvFlags, SendFlags, SocketAddrUnix, recvfrom, sendto};
use socket2::SockRef;

use super::contract::{Arrival, Correspondent, Local, Route};

/// Whether a socket that is bound to every address learns which one was asked.
pub const TELLS_DESTINATION: bool = true;

/// Room for the two control messages that are asked for, and the larger forms of others.
pub(super) const CONTROL: usize = 256;

/// A datagram socket in non-blocking mode.
#[derive(Debug)]
pub struct DatagramSocket {
    kind: Kind,
    /// Whether control messages were asked for.
    told: bool,
    control: Vec<u8>,
}

#[derive(Debug)]
enum Kind {
    Udp(mio::net::UdpSocket),
    Unix(mio::net::UnixDatagram),
}

impl DatagramSocket {
    /// Takes over a UDP socket in non-blocking mode. `destination`: tell which address of ours a datagram
    /// was sent to; `times`: when the kernel took it in.
    pub fn from_udp(socket: UdpSocket, destination: bool, times: bool) -> io::Result<Self> {
        if destination {
            ask_for_destination(&socket)?;
        }
        if times {
            setsockopt(&socket, sockopt::ReceiveTimestamp, &true)?;
        }
        Ok(Self {
            kind: Kind::Udp(mio::net::UdpSocket::from_std(socket)),
            told: destination || times,
            control: vec![0; CONTROL],
        })
    }

    /// Takes over a Unix datagram socket in non-blocking mode.
    pub fn from_unix(socket: UnixDatagram) -> Self {
        Self {
            kind: Kind::Unix(mio::net::UnixDatagram::from_std(socket)),
            told: false,
            control: Vec::new(),
        }
    }

    /// The socket itself, to ask for its options.
    pub fn socket(&self) -> SockRef<'_> {
        match &self.kind {
            Kind::Udp(socket) => SockRef::from(socket),
            Kind::Unix(socket) => SockRef::from(socket),
        }
    }

    /// Whether it is a Unix socket.
    pub fn is_unix(&self) -> bool {
        matches!(self.kind, Kind::Unix(_))
    }

    /// Its descriptor and whether it tells more than the sender, if it is a UDP socket.
    #[cfg(any(
        target_os = "linux",
        target_os = "android",
        target_os = "freebsd",
        target_os = "netbsd"
    ))]
    pub(super) fn udp(&self) -> Option<(RawFd, bool)> {
        match &self.kind {
            Kind::Udp(socket) => Some((socket.as_raw_fd(), self.told)),
            Kind::Unix(_) => None,
        }
    }

    pub(super) fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        match &mut self.kind {
            Kind::Udp(socket) => registry.register(socket, token, interest),
            Kind::Unix(socket) => registry.register(socket, token, interest),
        }
    }

    pub(super) fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        match &mut self.kind {
            Kind::Udp(socket) => registry.reregister(socket, token, interest),
            Kind::Unix(socket) => registry.reregister(socket, token, interest),
        }
    }

    /// Receives a datagram as the driver's socket `number`.
    pub(super) fn receive(
        &mut self,
        number: usize,
        buffer: &mut [u8],
    ) -> io::Result<(usize, Arrival)> {
        let arrived = |peer| Arrival {
            route: Route {
                socket: number,
                peer,
                local: None,
            },
            kernel_micros: None,
        };
        match &self.kind {
            Kind::Udp(socket) if self.told => {
                let mut slices = [IoSliceMut::new(buffer)];
                let message = recvmsg::<SockaddrStorage>(
                    socket.as_raw_fd(),
                    &mut slices,
                    Some(&mut self.control),
                    MsgFlags::empty(),
                )?;
                let (arrival, _) = read_message(number, &message);
                Ok((message.bytes, arrival))
            }
            Kind::Udp(socket) => {
                let (count, from) = socket.recv_from(buffer)?;
                Ok((count, arrived(Correspondent::Inet(from))))
            }
            Kind::Unix(socket) => {
                let (count, _, from) = recvfrom(socket, buffer, RecvFlags::empty())?;
                let peer = match from.and_then(|from| SocketAddrUnix::try_from(from).ok()) {
                    Some(name) => named(&name),
                    None => Correspondent::Nobody,
                };
                Ok((count, arrived(peer)))
            }
        }
    }

    /// Sends a datagram.
    pub(super) fn send(&self, route: &Route, bytes: &[u8]) -> io::Result<()> {
        match (&self.kind, &route.peer) {
            (_, Correspondent::Nobody) => Err(io::ErrorKind::NotConnected.into()),
            (Kind::Udp(socket), Correspondent::Connected) => socket.send(bytes).map(drop),
            (Kind::Unix(socket), Correspondent::Connected) => socket.send(bytes).map(drop),
            (Kind::Udp(socket), Correspondent::Inet(to)) => match route.local {
                Some(local) => match send_from(socket.as_raw_fd(), bytes, *to, local) {
                    // That was an address for everyone, or is none of ours any more.
                    Err(error)
                        if matches!(
                            error.kind(),
                            io::ErrorKind::AddrNotAvailable | io::ErrorKind::InvalidInput
                        ) =>
                    {
                        socket.send_to(bytes, *to).map(drop)
                    }
                    result => result,
                },
                None => socket.send_to(bytes, *to).map(drop),
            },
            (Kind::Unix(socket), Correspondent::Unix(name)) => {
                let to = match name.split_first() {
                    #[cfg(any(target_os = "linux", target_os = "android"))]
                    Some((0, name)) => SocketAddrUnix::new_abstract_name(name)?,
                    _ => SocketAddrUnix::new(&**name)?,
                };
                sendto(socket, bytes, SendFlags::empty(), &to)?;
                Ok(())
            }
            (Kind::Udp(_), Correspondent::Unix(_)) | (Kind::Unix(_), Correspondent::Inet(_)) => {
                Err(io::ErrorKind::InvalidInput.into())
            }
        }
    }
}

fn named(name: &SocketAddrUnix) -> Correspondent {
    if let Some(path) = name.path_bytes() {
        return Correspondent::Unix(path.into());
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = name.abstract_name() {
        return Correspondent::Unix([b"\0", name].concat().into());
    }
    Correspondent::Nobody
}

fn ask_for_destination(socket: &UdpSocket) -> io::Result<()> {
    if socket.local_addr()?.is_ipv6() {
        setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        return Ok(());
    }
    #[cfg(any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "netbsd"
    ))]
    setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?;
    #[cfg(any(target_os = "freebsd", target_os = "dragonfly", target_os = "openbsd"))]
    setsockopt(socket, sockopt::Ipv4RecvDstAddr, &true)?;
    Ok(())
}

/// What is told beside a datagram, and whether there was room for all of it.
// How wide C's integers are differs from system to system.
#[allow(clippy::useless_conversion)]
pub(super) fn read_message(
    number: usize,
    received: &RecvMsg<'_, '_, SockaddrStorage>,
) -> (Arrival, bool) {
    let mut arrival = Arrival {
        route: Route {
            socket: number,
            peer: Correspondent::Nobody,
            local: None,
        },
        kernel_micros: None,
    };
    let from = received.address.as_ref().and_then(|address| {
        address
            .as_sockaddr_in()
            .map(|v4| SocketAddr::V4(SocketAddrV4::from(*v4)))
            .or_else(|| {
                let v6 = address.as_sockaddr_in6()?;
                Some(SocketAddr::V6(SocketAddrV6::from(*v6)))
            })
    });
    if let Some(from) = from {
        arrival.route.peer = Correspondent::Inet(from);
    }
    // Control messages that did not fit are as if they had not been asked for.
    let messages = received.cmsgs();
    let is_whole = messages.is_ok();
    for message in messages.into_iter().flatten() {
        match message {
            #[cfg(any(
                target_os = "linux",
                target_os = "android",
                target_vendor = "apple",
                target_os = "netbsd"
            ))]
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                // The address to answer from, also where a datagram was for a group or for everyone.
                #[cfg(not(target_os = "netbsd"))]
                let ip = from_in_addr(info.ipi_spec_dst);
                #[cfg(target_os = "netbsd")]
                let ip = from_in_addr(info.ipi_addr);
                arrival.route.local = usable(IpAddr::V4(ip), 0);
            }
            #[cfg(any(target_os = "freebsd", target_os = "dragonfly", target_os = "openbsd"))]
            ControlMessageOwned::Ipv4RecvDstAddr(address) => {
                arrival.route.local = usable(IpAddr::V4(from_in_addr(address)), 0);
            }
            #[cfg(any(
                target_os = "linux",
                target_os = "android",
                target_vendor = "apple",
                target_os = "freebsd"
            ))]
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                let ip = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                let interface = match ip.is_unicast_link_local() {
                    true => u32::try_from(info.ipi6_ifindex).unwrap_or(0),
                    false => 0,
                };
                arrival.route.local = usable(IpAddr::V6(ip), interface);
            }
            ControlMessageOwned::ScmTimestamp(time) => {
                arrival.kernel_micros = i64::from(time.tv_sec())
                    .checked_mul(1_000_000)
                    .and_then(|micros| micros.checked_add(i64::from(time.tv_usec())));
            }
            _ => {}
        }
    }
    (arrival, is_whole)
}

/// An address that can stand as the source of an answer.
fn usable(ip: IpAddr, interface: u32) -> Option<Local> {
    (!ip.is_multicast() && !ip.is_unspecified()).then_some(Local { ip, interface })
}

fn send_from(socket: RawFd, bytes: &[u8], to: SocketAddr, local: Local) -> io::Result<()> {
    let slices = [IoSlice::new(bytes)];
    if to.is_ipv4() != local.ip.is_ipv4() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let sent = with_source(local, |message| match to {
        SocketAddr::V4(to) => {
            let to = SockaddrIn::from(to);
            sendmsg(socket, &slices, &[message], MsgFlags::empty(), Some(&to))
        }
        SocketAddr::V6(to) => {
            let to = SockaddrIn6::from(to);
            sendmsg(socket, &slices, &[message], MsgFlags::empty(), Some(&to))
        }
    });
    match sent {
        Some(result) => {
            result?;
            Ok(())
        }
        None => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// Does something with the control message that says from which address of ours to send, where there is one.
pub(super) fn with_source<T>(local: Local, act: impl FnOnce(ControlMessage<'_>) -> T) -> Option<T> {
    match local.ip {
        #[cfg(any(
            target_os = "linux",
            target_os = "android",
            target_vendor = "apple",
            target_os = "netbsd"
        ))]
        IpAddr::V4(ip) => Some(act(ControlMessage::Ipv4PacketInfo(&packet_info(ip)))),
        #[cfg(any(target_os = "freebsd", target_os = "dragonfly", target_os = "openbsd"))]
        IpAddr::V4(ip) => Some(act(ControlMessage::Ipv4SendSrcAddr(&to_in_addr(ip)))),
        #[cfg(any(
            target_os = "linux",
            target_os = "android",
            target_vendor = "apple",
            target_os = "netbsd",
            target_os = "freebsd"
        ))]
        IpAddr::V6(ip) => Some(act(ControlMessage::Ipv6PacketInfo(&libc::in6_pktinfo {
            ipi6_addr: libc::in6_addr {
                s6_addr: ip.octets(),
            },
            // A C unsigned int, or int, by system.
            ipi6_ifindex: local.interface as _,
        }))),
        #[cfg(not(any(
            target_os = "linux",
            target_os = "android",
            target_vendor = "apple",
            target_os = "netbsd",
            target_os = "freebsd"
        )))]
        IpAddr::V6(_) => None,
    }
}

#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "netbsd"
))]
fn packet_info(source: Ipv4Addr) -> libc::in_pktinfo {
    libc::in_pktinfo {
        // Routing chooses the interface.
        ipi_ifindex: 0,
        #[cfg(not(target_os = "netbsd"))]
        ipi_spec_dst: to_in_addr(source),
        #[cfg(not(target_os = "netbsd"))]
        ipi_addr: to_in_addr(Ipv4Addr::UNSPECIFIED),
        #[cfg(target_os = "netbsd")]
        ipi_addr: to_in_addr(source),
    }
}

fn from_in_addr(address: libc::in_addr) -> Ipv4Addr {
    Ipv4Addr::from(address.s_addr.to_ne_bytes())
}

fn to_in_addr(ip: Ipv4Addr) -> libc::in_addr {
    libc::in_addr {
        s_addr: u32::from_ne_bytes(ip.octets()),
    }
}
