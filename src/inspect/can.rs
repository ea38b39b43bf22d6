//! What this user may do with sockets, found out by trying it on sockets that nobody sees.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

use crate::core::options::info::{On, When};
use crate::core::options::{Missing, Setting, Settings, open, sysctl};
use crate::error::{Error, Kind};
use crate::inspect::report::{Cell, Report, Section};

/// An ability and how it is tried.
struct Ability {
    name: &'static str,
    needs: &'static str,
    try_it: fn() -> Result<(), Missing>,
}

const ABILITIES: &[Ability] = &[
    Ability {
        name: "raw sockets over IPv4",
        needs: "CAP_NET_RAW",
        try_it: || socket(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)),
    },
    Ability {
        name: "raw sockets over IPv6",
        needs: "CAP_NET_RAW",
        try_it: || socket(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6)),
    },
    Ability {
        name: "ping without raw sockets",
        needs: "a group in net.ipv4.ping_group_range",
        try_it: || socket(Domain::IPV4, Type::DGRAM, Some(Protocol::ICMPV4)),
    },
    Ability {
        name: "packet sockets",
        needs: "CAP_NET_RAW",
        try_it: packet,
    },
    Ability {
        name: "ports below 1024",
        needs: "CAP_NET_BIND_SERVICE, or net.ipv4.ip_unprivileged_port_start",
        try_it: low_port,
    },
    Ability {
        name: "SO_MARK",
        needs: "CAP_NET_ADMIN or CAP_NET_RAW",
        try_it: || option(On::UDP4, "SO_MARK=1"),
    },
    Ability {
        name: "IP_TRANSPARENT",
        needs: "CAP_NET_ADMIN or CAP_NET_RAW",
        try_it: || option(On::TCP4, "IP_TRANSPARENT=on"),
    },
    Ability {
        name: "SO_RCVBUFFORCE, beyond net.core.rmem_max",
        needs: "CAP_NET_ADMIN",
        try_it: || option(On::UDP4, "SO_RCVBUFFORCE=64KiB"),
    },
    Ability {
        name: "SO_PRIORITY above 6",
        needs: "CAP_NET_ADMIN or CAP_NET_RAW",
        try_it: || option(On::UDP4, "SO_PRIORITY=7"),
    },
    Ability {
        name: "TCP_REPAIR",
        needs: "CAP_NET_ADMIN",
        try_it: || option(On::TCP4, "TCP_REPAIR=1"),
    },
    Ability {
        name: "processes of other users",
        needs: "CAP_SYS_PTRACE",
        try_it: others,
    },
];

/// The list.
pub fn report() -> Report {
    let rows = ABILITIES
        .iter()
        .map(|ability| {
            let answer = match (ability.try_it)() {
                Ok(()) => Cell::flag(true),
                Err(Missing::Denied) => Cell::flag(false),
                Err(missing) => Cell::Missing(missing),
            };
            vec![Cell::text(ability.name), answer, Cell::text(ability.needs)]
        })
        .collect();
    Report::new("abilities", "this user").with(Section::table(
        "abilities",
        "",
        &["name", "may", "needs"],
        rows,
    ))
}

fn missing(error: io::Error) -> Missing {
    match Missing::from_error(&error) {
        Missing::Denied => Missing::Denied,
        _ => Missing::Unsupported,
    }
}

fn socket(domain: Domain, ty: Type, protocol: Option<Protocol>) -> Result<(), Missing> {
    Socket::new(domain, ty, protocol).map(drop).map_err(missing)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn packet() -> Result<(), Missing> {
    socket(Domain::PACKET, Type::DGRAM, None)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn packet() -> Result<(), Missing> {
    Err(Missing::Unsupported)
}

/// A port that is in use is no answer, so the next one is tried. The loopback keeps it from being seen.
fn low_port() -> Result<(), Missing> {
    for port in (1..1024).rev() {
        let socket = open(On::UDP4).map_err(missing)?;
        match socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(missing(error)),
        }
    }
    Err(Missing::NotApplicable)
}

fn option(kind: On, text: &str) -> Result<(), Missing> {
    let setting = Setting::parse(text).map_err(|_| Missing::Unsupported)?;
    let socket = open(kind).map_err(missing)?;
    Settings::new(vec![setting])
        .apply(&socket, kind, When::Before)
        .map_err(|error| reason(&error))
}

fn reason(error: &Error) -> Missing {
    let cause = error
        .cause()
        .and_then(|cause| cause.downcast_ref::<io::Error>());
    match (cause, error.kind()) {
        (Some(cause), _) => Missing::from_error(cause),
        (None, Kind::Usage) => Missing::Unsupported,
        (None, _) => Missing::NotApplicable,
    }
}

/// Whether `CAP_SYS_PTRACE` is among the capabilities of this process: capabilities(7), bit 19.
fn others() -> Result<(), Missing> {
    const PTRACE: u32 = 19;
    if sysctl::text("kernel.osrelease").is_none() {
        return Err(Missing::Unsupported);
    }
    let status = std::fs::read_to_string("/proc/self/status").map_err(missing)?;
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .ok_or(Missing::Unsupported)?;
    match mask >> PTRACE & 1 {
        1 => Ok(()),
        _ => Err(Missing::Denied),
    }
}
