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
        ("kind".into(), Cell::text(kind_name(kind))),
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
        report = report.with(Section::facts("tcp_info", "TCP", info.facts()));
    }
    report
}

/// What waits in the socket, and what it costs: bytes that nobody has read or the other end has not acknowledged, and
/// the memory that the kernel keeps for them, with its own records: `SO_MEMINFO` of Linux (linux/sock_diag.h: received,
/// limit, sent, limit).
fn queues(socket: &Socket, kind: On) -> Vec<(String, Cell)> {
    let found = lookup::find("SO_MEMINFO")
        .map_err(|_| Missing::Unsupported)
        .and_then(|option| read(socket, kind, option));
    let field = |at: usize| match &found {
        Ok(Value::Bytes(bytes)) => Cell::or_missing(
            bytes
                .get(4 * at..4 * at + 4)
                .and_then(|field| field.try_into().ok())
                .map(|field| Cell::count(u32::from_ne_bytes(field).into(), Some("bytes"))),
            Missing::Unsupported,
        ),
        Ok(_) => Cell::Missing(Missing::Unsupported),
        Err(missing) => Cell::Missing(*missing),
    };
    vec![
        ("unread".into(), unread(socket)),
        ("unsent".into(), unsent(socket)),
        ("receive memory".into(), field(0)),
        ("send memory".into(), field(2)),
    ]
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
            return match PeerAddr::from_unix(&unix) {
                PeerAddr::Unix(None) => Cell::text("unnamed"),
                named => Cell::text(named.to_string()),
            };
        }
    }
    Cell::Missing(Missing::NotApplicable)
}

/// What a kind is called.
pub fn kind_name(kind: On) -> String {
    match KINDS.iter().find(|(known, _)| *known == kind) {
        Some((_, name)) => (*name).into(),
        None if kind == On::OTHER => "another family".into(),
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
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listener = report(&listener.into(), "c", Detail::Outline).flat();
        assert_eq!(listener["socket.unread"], "(not_applicable)");
        assert!(
            listener.keys().all(|path| !path.starts_with("options.")),
            "an outline reads no options"
        );
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
