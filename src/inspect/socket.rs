//! What one socket has: addresses, state, options, and what TCP knows of the way.

use socket2::Socket;

#[cfg(unix)]
use crate::core::address::PeerAddr;
use crate::core::options::info::{On, OptionInfo};
use crate::core::options::value::Value;
use crate::core::options::{Granted, KINDS, Missing, kind_of, lookup, read, table};
use crate::inspect::report::{Cell, Report, Section};
use crate::inspect::tcp_info::TcpInfo;

/// The options that most questions are about. `--all` shows the others.
const SHORT: &[&str] = &[
    "SO_RCVBUF",
    "SO_SNDBUF",
    "SO_REUSEADDR",
    "SO_REUSEPORT",
    "SO_EXCLUSIVEADDRUSE",
    "SO_KEEPALIVE",
    "SO_LINGER",
    "SO_BROADCAST",
    "SO_BINDTODEVICE",
    "SO_MARK",
    "SO_PEERCRED",
    "TCP_NODELAY",
    "TCP_MAXSEG",
    "TCP_KEEPIDLE",
    "TCP_KEEPINTVL",
    "TCP_KEEPCNT",
    "TCP_USER_TIMEOUT",
    "TCP_CONGESTION",
    "TCP_DEFER_ACCEPT",
    "TCP_FASTOPEN",
    "IP_TOS",
    "IP_TTL",
    "IP_MTU",
    "IP_MULTICAST_TTL",
    "IPV6_V6ONLY",
    "IPV6_TCLASS",
    "IPV6_UNICAST_HOPS",
    "IPV6_MTU",
];

/// Which options to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// None: what the socket is, and no options.
    Outline,
    /// Those that most questions are about.
    Short,
    /// All that sockets of the kind have.
    All,
}

impl Detail {
    /// The options that may be read on this system, in the order of the catalogue.
    pub fn options(self) -> impl Iterator<Item = &'static OptionInfo> {
        table::all().filter(move |option| {
            option.here().is_some()
                && option.is_readable()
                && match self {
                    Detail::Outline => false,
                    Detail::Short => SHORT.contains(&option.name),
                    Detail::All => true,
                }
                // It has a section of its own.
                && option.name != "TCP_INFO"
        })
    }
}

/// Everything about a socket.
pub fn report(socket: &Socket, subject: impl Into<String>, detail: Detail) -> Report {
    let kind = kind_of(socket);
    let info = tcp_info(socket, kind);
    let info = info.as_deref().and_then(TcpInfo::new);
    let mut facts: Vec<(String, Cell)> = vec![
        ("kind".into(), Cell::text(kind_name(socket, kind))),
        ("local".into(), address(socket.local_addr().ok())),
        ("remote".into(), address(socket.peer_addr().ok())),
    ];
    match info {
        Some(info) => facts.push(("state".into(), Cell::text(info.state()))),
        None => {
            let listens = lookup::find("SO_ACCEPTCONN")
                .ok()
                .and_then(|option| read(socket, kind, option).ok());
            let state = match (listens, socket.peer_addr().is_ok()) {
                (Some(Value::Flag(true)), _) => "listening",
                (_, true) => "connected",
                _ => "not connected",
            };
            facts.push(("state".into(), Cell::text(state)));
        }
    }
    facts.extend(queues(socket, kind));
    let options = detail
        .options()
        .filter(|option| option.is_for(kind) || kind == On::OTHER && option.on == On::ALL)
        .map(|option| {
            let reading = read(socket, kind, option);
            (
                option.name.to_owned(),
                Cell::of_reading(option.form, &reading),
            )
        })
        .collect();
    let mut report = Report::new("socket", subject)
        .with(Section::facts("socket", "", facts))
        .with(Section::facts("options", "Options", options));
    if let Some(info) = info {
        report.remarks = info.remarks();
        let section = Section::facts("tcp_info", "TCP", info.facts());
        report = report.with(match detail {
            Detail::All => section,
            Detail::Short | Detail::Outline => section.terse(),
        });
    }
    report
}

/// What waits in the socket, and what it costs: bytes that nobody has read or the other end has not acknowledged, the
/// memory that the kernel keeps for them, with its own records, and how many packets it had no room for.
fn queues(socket: &Socket, kind: On) -> Vec<(String, Cell)> {
    let found = lookup::find("SO_MEMINFO")
        .map_err(|_| Missing::Unsupported)
        .and_then(|option| match read(socket, kind, option)? {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(Missing::Unsupported),
        });
    let count = |field: fn(&[u8]) -> Option<u32>, unit| match &found {
        Ok(bytes) => Cell::or_missing(
            field(bytes).map(|n| Cell::count(n.into(), Some(unit))),
            Missing::Unsupported,
        ),
        Err(missing) => Cell::Missing(*missing),
    };
    vec![
        ("unread".into(), unread(socket)),
        ("unsent".into(), unsent(socket)),
        ("receive memory".into(), count(receive_memory, "bytes")),
        ("send memory".into(), count(send_memory, "bytes")),
        ("dropped".into(), count(dropped, "packets")),
    ]
}

/// Fields of `SO_MEMINFO`, of 32 bits each: `SK_MEMINFO_*` of linux/sock_diag.h.
fn memory(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(4 * at..4 * at + 4)?;
    Some(u32::from_ne_bytes(field.try_into().ok()?))
}

fn receive_memory(bytes: &[u8]) -> Option<u32> {
    memory(bytes, 0)
}

/// `SK_MEMINFO_WMEM_ALLOC` is what is on its way to the network, where TCP has only the packets of this moment;
/// what it keeps until the other end acknowledges is `SK_MEMINFO_WMEM_QUEUED`, which datagrams have none of.
fn send_memory(bytes: &[u8]) -> Option<u32> {
    Some(memory(bytes, 2)?.max(memory(bytes, 5)?))
}

fn dropped(bytes: &[u8]) -> Option<u32> {
    memory(bytes, 8)
}

/// Of streams all that waits to be read, of UDP the next datagram: FIONREAD of tcp(7) and udp(7).
#[cfg(unix)]
fn unread(socket: &Socket) -> Cell {
    match rustix::io::ioctl_fionread(socket) {
        Ok(bytes) => Cell::count(bytes, Some("bytes")),
        // It listens, or is of a family that does not say.
        Err(_) => Cell::Missing(Missing::NotApplicable),
    }
}

#[cfg(not(unix))]
fn unread(_: &Socket) -> Cell {
    Cell::Missing(Missing::Unsupported)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn unsent(socket: &Socket) -> Cell {
    match crate::core::options::sys::unsent(socket) {
        Ok(bytes) => Cell::count(bytes, Some("bytes")),
        Err(_) => Cell::Missing(Missing::NotApplicable),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn unsent(_: &Socket) -> Cell {
    Cell::Missing(Missing::Unsupported)
}

/// What the kernel knows of a TCP connection, where it says it in the form of Linux.
pub fn tcp_info(socket: &Socket, kind: On) -> Option<Vec<u8>> {
    if !cfg!(any(target_os = "linux", target_os = "android")) {
        return None;
    }
    let option = lookup::find("TCP_INFO").ok()?;
    match read(socket, kind, option) {
        Ok(Value::Bytes(bytes)) => Some(bytes),
        _ => None,
    }
}

/// An address of a socket, as sockkit writes addresses.
pub fn address(address: Option<socket2::SockAddr>) -> Cell {
    let Some(address) = address else {
        return Cell::Missing(Missing::NotApplicable);
    };
    if let Some(inet) = address.as_socket() {
        return Cell::text(inet.to_string());
    }
    #[cfg(unix)]
    {
        if let Some(unix) = address.as_unix() {
            return Cell::text(PeerAddr::from_unix(&unix).to_string());
        }
        // socket2 turns only paths into std's addresses.
        if let Some(name) = address.as_abstract_namespace() {
            let name = PeerAddr::abstract_name(name);
            return Cell::text(name.to_string());
        }
        if address.is_unnamed() {
            return Cell::text("unnamed");
        }
    }
    Cell::Missing(Missing::NotApplicable)
}

/// What a socket of this kind is called: KINDS has those that sockkit opens; a process may have any.
fn kind_name(socket: &Socket, kind: On) -> String {
    let shown = |name: &str| {
        let option = lookup::find(name).ok()?;
        let value = read(socket, On::ALL, option).ok()?;
        Some(value.show(option.form))
    };
    let ty = shown("SO_TYPE");
    let is = |wanted: &str| ty.as_deref() == Some(wanted);
    if kind.meets(On::MPTCP) {
        return format!("mp{}", kind_name_of(kind.without(On::MPTCP)));
    }
    match kind {
        On::UNIX_STREAM if is("seqpacket") => "unix-seqpacket".into(),
        On::RAW4 | On::RAW6 => {
            let name = match is("raw") {
                true => Some("raw".into()),
                // ICMP without privileges, UDP-Lite, SCTP.
                false => shown("SO_PROTOCOL"),
            };
            let version = if kind == On::RAW4 { "4" } else { "6" };
            format!("{}{version}", name.as_deref().unwrap_or("raw"))
        }
        On::OTHER => match shown("SO_DOMAIN") {
            Some(family) => match family.parse::<u32>() {
                Ok(number) => format!("family {number}"),
                Err(_) => family,
            },
            None => "another family".into(),
        },
        _ => kind_name_of(kind),
    }
}

fn kind_name_of(kind: On) -> String {
    match KINDS.iter().find(|(known, _)| *known == kind) {
        Some((_, name)) => (*name).into(),
        None if kind == On::PACKET => "packet".into(),
        None => kind.names(),
    }
}

/// What was asked with `-o`, what was granted and why.
pub fn asked(granted: &[Granted]) -> Section {
    let rows = granted
        .iter()
        .map(|one| {
            let form = one.option.form;
            let why = match (one.why(), &one.granted) {
                (Some(why), _) => Cell::text(why),
                (None, Ok(_)) => Cell::text("as asked"),
                (None, Err(_)) => Cell::text("it can only be set"),
            };
            vec![
                Cell::text(one.option.name),
                Cell::of_option(form, &one.asked),
                Cell::of_reading(form, &one.granted),
                why,
            ]
        })
        .collect();
    Section::table(
        "asked",
        "Asked and granted",
        &["option", "asked", "granted", "why"],
        rows,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::options::open;

    #[test]
    fn a_new_socket_has_its_options_and_no_addresses() {
        let socket = open(On::TCP4).unwrap();
        let flat = report(&socket, "new", Detail::Short).flat();
        assert_eq!(flat["options.TCP_NODELAY"], "false");
        assert_eq!(flat["socket.remote"], "(not_applicable)");
        assert_eq!(flat["socket.kind"], "tcp4");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_waits_at_either_end_is_counted() {
        use std::io::Write;
        let (mut a, b) = std::os::unix::net::UnixStream::pair().unwrap();
        a.write_all(b"hello").unwrap();
        let b = Socket::from(b);
        let unread = report(&b, "b", Detail::Outline).flat();
        assert_eq!(unread["socket.unread"], "5 bytes");
        let unsent = report(&Socket::from(a), "a", Detail::Outline).flat();
        assert_ne!(unsent["socket.unsent"], "0 bytes");
        assert_eq!(unsent["socket.local"], "unnamed");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listener = report(&listener.into(), "c", Detail::Outline).flat();
        assert_eq!(listener["socket.unread"], "(not_applicable)");
        assert!(
            listener.keys().all(|path| !path.starts_with("options.")),
            "an outline reads no options"
        );
    }

    /// TCP's own queue is another field than that of datagrams.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_the_peer_does_not_read_costs_memory() {
        use std::io::Write;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_peer, _) = listener.accept().unwrap();
        sender.set_nonblocking(true).unwrap();
        while sender.write(&[0; 65_536]).is_ok() {}
        let report = report(&sender.into(), "sender", Detail::Outline);
        let memory = |name: &str| -> u64 {
            let flat = report.flat();
            flat[name].split(' ').next().unwrap().parse().unwrap()
        };
        assert!(memory("socket.send_memory") >= memory("socket.unsent"));
        assert_eq!(memory("socket.dropped"), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn datagrams_without_room_are_counted() {
        let receiver = open(On::UDP4).unwrap();
        let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
        receiver.bind(&any.into()).unwrap();
        receiver.set_recv_buffer_size(1).unwrap();
        let to = receiver.local_addr().unwrap();
        let sender = open(On::UDP4).unwrap();
        for _ in 0..100 {
            sender.send_to(&[0; 1000], &to).unwrap();
        }
        let flat = report(&receiver, "receiver", Detail::Outline).flat();
        assert_ne!(flat["socket.dropped"], "0 packets");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_socket_of_any_kind_has_a_name() {
        use socket2::{Domain, Protocol, Type};
        for (domain, ty, protocol, name) in [
            (Domain::UNIX, Type::SEQPACKET, 0, "unix-seqpacket"),
            (Domain::from(16), Type::RAW, 0, "netlink"),
            (Domain::from(40), Type::STREAM, 0, "vsock"),
            (Domain::IPV4, Type::STREAM, 262, "mptcp4"),
            (Domain::IPV6, Type::RAW, 58, "raw6"),
            (Domain::IPV4, Type::DGRAM, 136, "udplite4"),
        ] {
            // A kernel may be without it, and a raw socket takes a privilege.
            let Ok(socket) = Socket::new(domain, ty, Some(Protocol::from(protocol))) else {
                continue;
            };
            let flat = report(&socket, "x", Detail::Outline).flat();
            assert_eq!(flat["socket.kind"], name);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_abstract_name_is_shown() {
        let socket = open(On::UNIX_STREAM).unwrap();
        let name = format!("\0sockkit-test-{}", std::process::id());
        let address = socket2::SockAddr::unix(name.clone()).unwrap();
        socket.bind(&address).unwrap();
        let flat = report(&socket, "x", Detail::Outline).flat();
        assert_eq!(flat["socket.local"], name.replace('\0', "unix:@"));
    }

    #[test]
    fn a_listener_has_a_queue_and_no_measurements() {
        if !cfg!(target_os = "linux") {
            return;
        }
        let listener = open(On::TCP4).unwrap();
        let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
        listener.bind(&any.into()).unwrap();
        listener.listen(7).unwrap();
        let flat = report(&listener, "x", Detail::All).flat();
        assert_eq!(flat["tcp_info.backlog"], "7 connections");
        assert!(!flat.contains_key("tcp_info.rtt"));
    }

    #[test]
    fn every_short_option_is_in_the_catalogue() {
        for name in SHORT {
            assert!(
                lookup::find(name).is_ok_and(|option| option.name == *name),
                "{name}"
            );
        }
    }
}
