//! From an address to socket addresses: names, services and zones, through the system's resolver.
//!
//! The system is asked with getaddrinfo(3), which orders its answers by RFC 6724, knows `/etc/hosts` and
//! whatever else the machine is set up to use, and cannot be interrupted. Three things it is not asked:
//!
//! - `localhost` and the names below it, which are 127.0.0.1 and ::1 by RFC 6761 section 6.3 whatever a
//!   name server or a hosts file says.
//! - Services. std does not pass them on, so [`services`] reads the system's list itself.
//! - Zones, where there is a safe way to look them up. Where there is none, getaddrinfo takes them with
//!   the address, for link-local addresses only, and on Windows an index is the only form that is sure.

mod services;

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs};

use crate::core::address::{Address, Endpoint, Host, Port, Zone, quoted};
use crate::error::{Error, IoReason, Kind, Result};

/// How many addresses of one name are used. Started a quarter of a second apart (RFC 8305 section 5),
/// more would not be reached within the usual 10 s of patience.
pub const MAX_ADDRESSES: usize = 32;

/// What std puts before getaddrinfo's own words.
const STD_PREFIX: &str = "failed to lookup address information: ";

/// Which IP versions to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Family {
    /// Both.
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

impl Family {
    /// Whether an address of this IP version may be used.
    pub fn allows(self, ip: IpAddr) -> bool {
        match self {
            Family::Any => true,
            Family::V4 => ip.is_ipv4(),
            Family::V6 => ip.is_ipv6(),
        }
    }

    /// The name of the only IP version that is allowed.
    fn name(self) -> &'static str {
        match self {
            Family::Any => "IP",
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        }
    }
}

/// Every socket address of an internet address, in the order of preference, none of them twice and at
/// most [`MAX_ADDRESSES`]. Asks the system's resolver if there is a name, and then blocks for as long as
/// that takes. [`Host::Any`] is `[::]` and `0.0.0.0`.
///
/// # Errors
///
/// [`Kind::Unreachable`]: `cannot resolve foo.example: name or service not known`. [`Kind::Usage`] if an
/// address that was written out contradicts `family`.
pub fn resolve(address: &Address, family: Family) -> Result<Vec<SocketAddr>> {
    let Endpoint::Inet { host, port } = address.endpoint() else {
        return Err(Error::new(
            Kind::Usage,
            format!("{address} is a Unix socket, where a host and port are needed"),
        ));
    };
    let port = match port {
        Port::Number(number) => *number,
        Port::Service(name) => services::port_of(name, address.scheme())?,
    };
    let ips = match host {
        Host::Any => vec![
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        ],
        // IPv4 first: what people call localhost is 127.0.0.1 more often than not, and is shown first.
        Host::Name(_) if host.is_localhost() => vec![
            SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
        ],
        Host::Name(name) => ask(name, port)?,
        Host::V4(ip) => vec![SocketAddr::from((*ip, port))],
        Host::V6(ip, zone) => {
            let scope = match zone {
                Some(zone) => scope_of(*ip, zone)?,
                None => 0,
            };
            vec![SocketAddrV6::new(*ip, port, 0, scope).into()]
        }
    };
    choose(host, family, ips)
}

/// Whether resolving `address` may ask the network, and so take its time.
pub fn is_slow(address: &Address) -> bool {
    match address.endpoint() {
        Endpoint::Inet { host, .. } => matches!(host, Host::Name(_)) && !host.is_localhost(),
        Endpoint::Unix(_) => false,
    }
}

/// Those of `found` that are of `family`, once each.
fn choose(host: &Host, family: Family, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>> {
    let mut seen = HashSet::new();
    let any = !found.is_empty();
    let mut chosen: Vec<_> = found
        .into_iter()
        .filter(|address| family.allows(address.ip()) && seen.insert(*address))
        .collect();
    shorten(&mut chosen);
    if !chosen.is_empty() {
        return Ok(chosen);
    }
    let wanted = family.name();
    Err(match host {
        Host::V4(_) | Host::V6(..) => {
            let flag = if family == Family::V4 { "-4" } else { "-6" };
            Error::new(
                Kind::Usage,
                format!("{host} is not an {wanted} address, which {flag} asks for"),
            )
        }
        _ if any => Error::new(
            Kind::Unreachable,
            format!("no {wanted} address for host {host}"),
        )
        .hint(format!(
            "it has others; leave out {}",
            if family == Family::V4 { "-4" } else { "-6" }
        )),
        _ => Error::new(Kind::Unreachable, format!("no address for host {host}")),
    })
}

/// Leaves out the last ones beyond [`MAX_ADDRESSES`], of the IP version that has more: the other one may be the only one
/// that works here.
fn shorten(addresses: &mut Vec<SocketAddr>) {
    while addresses.len() > MAX_ADDRESSES {
        let v6 = addresses.iter().filter(|one| one.is_ipv6()).count();
        let mostly_v6 = 2 * v6 > addresses.len();
        match addresses.iter().rposition(|one| one.is_ipv6() == mostly_v6) {
            Some(last) => addresses.remove(last),
            None => return,
        };
    }
}

fn ask(name: &str, port: u16) -> Result<Vec<SocketAddr>> {
    match (name, port).to_socket_addrs() {
        Ok(found) => Ok(found.collect()),
        Err(error) => {
            let reason = reason(&error);
            let hint = hint(name, &reason);
            let error = Error::new(Kind::Unreachable, format!("cannot resolve {name}"));
            let error = error.because(reason);
            Err(match hint {
                Some(hint) => error.hint(hint),
                None => error,
            })
        }
    }
}

/// The resolver's words in our voice.
fn reason(error: &io::Error) -> String {
    let text = IoReason(error).to_string();
    let text = text.strip_prefix(STD_PREFIX).unwrap_or(&text);
    // Through `IoReason` again: the first letter was std's, now it is the resolver's.
    let text = IoReason(&io::Error::other(text.to_owned())).to_string();
    // Windows ends its messages with a period and sometimes a space.
    text.trim_end().trim_end_matches('.').to_owned()
}

fn hint(name: &str, reason: &str) -> Option<&'static str> {
    if reason.starts_with("temporary failure") || reason.contains("try again") {
        Some("no name server answered: is this machine connected to a network?")
    } else if !name.trim_end_matches('.').contains('.') {
        Some("a name without a dot is known only in the local network or the hosts file")
    } else {
        None
    }
}

/// The index of an interface of this machine, by its name or its index.
pub fn interface_index(name: &str) -> Result<u32> {
    if let Ok(index) = name.parse() {
        return Ok(index);
    }
    // A link-local address is the one for which every system looks up zones.
    look_up_zone(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1), name).map_err(|_| {
        Error::new(
            Kind::Unreachable,
            format!("there is no interface called {}", quoted(name)),
        )
    })
}

/// The number of a zone on this machine.
fn scope_of(ip: Ipv6Addr, zone: &Zone) -> Result<u32> {
    if let Some(index) = zone.index() {
        return Ok(index);
    }
    look_up_zone(ip, zone.as_str()).map_err(|_| {
        Error::new(
            Kind::Unreachable,
            format!("cannot resolve [{ip}%{zone}]: there is no interface called {zone}"),
        )
        .hint("behind the % stands the name of an interface of this machine, or its number")
    })
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn look_up_zone(_ip: Ipv6Addr, zone: &str) -> io::Result<u32> {
    use socket2::{Domain, Socket, Type};
    // netdevice(7): any socket will do to ask the kernel with.
    let socket = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
    Ok(rustix::net::netdevice::name_to_index(&socket, zone)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn look_up_zone(ip: Ipv6Addr, zone: &str) -> io::Result<u32> {
    let text = format!("{ip}%{zone}");
    (text.as_str(), 0)
        .to_socket_addrs()?
        .find_map(|address| match address {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => Some(v6.scope_id()),
            _ => None,
        })
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::address::Use;

    fn address(text: &str) -> Address {
        Address::parse(text, Use::Listen { default_port: 1 }).unwrap()
    }

    fn resolved(text: &str, family: Family) -> Result<Vec<String>, String> {
        resolve(&address(text), family)
            .map(|found| found.iter().map(SocketAddr::to_string).collect())
            .map_err(|error| error.to_string())
    }

    fn list(addresses: &[&str]) -> Result<Vec<String>, String> {
        Ok(addresses.iter().map(|&a| a.to_owned()).collect())
    }

    #[test]
    fn what_needs_no_resolver() {
        use Family::{Any, V4, V6};
        let table = [
            ("localhost:80", Any, list(&["127.0.0.1:80", "[::1]:80"])),
            ("LOCALHOST.:80", Any, list(&["127.0.0.1:80", "[::1]:80"])),
            ("a.localhost:80", Any, list(&["127.0.0.1:80", "[::1]:80"])),
            ("localhost:80", V4, list(&["127.0.0.1:80"])),
            ("localhost:80", V6, list(&["[::1]:80"])),
            (":80", Any, list(&["[::]:80", "0.0.0.0:80"])),
            (":80", V4, list(&["0.0.0.0:80"])),
            (":80", V6, list(&["[::]:80"])),
            ("192.0.2.1:80", Any, list(&["192.0.2.1:80"])),
            ("192.0.2.1:http", V4, list(&["192.0.2.1:80"])),
            ("[2001:db8::1]:80", V6, list(&["[2001:db8::1]:80"])),
            ("[fe80::1%7]:80", Any, list(&["[fe80::1%7]:80"])),
        ];
        for (text, family, expected) in table {
            assert_eq!(resolved(text, family), expected, "{text} {family:?}");
            assert!(!is_slow(&address(text)), "{text}");
        }
        assert!(is_slow(&address("foo.example:80")));
    }

    #[test]
    fn an_address_that_contradicts_the_family_is_a_mistake_in_the_command() {
        for (text, family, says) in [
            (
                "192.0.2.1:80",
                Family::V6,
                "192.0.2.1 is not an IPv6 address, which -6 asks for",
            ),
            (
                "[::1]:80",
                Family::V4,
                "[::1] is not an IPv4 address, which -4 asks for",
            ),
        ] {
            let error = resolve(&address(text), family).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert_eq!(error.to_string(), says);
        }
    }

    #[test]
    fn a_name_without_an_address_of_the_family_says_which_is_missing() {
        let host = Host::Name("foo.example".to_owned());
        let found: Vec<SocketAddr> = vec!["192.0.2.1:80".parse().unwrap()];
        let error = choose(&host, Family::V6, found).unwrap_err();
        assert_eq!(error.kind(), Kind::Unreachable);
        assert_eq!(error.to_string(), "no IPv6 address for host foo.example");
        assert_eq!(error.advice(), Some("it has others; leave out -6"));
        let error = choose(&host, Family::Any, Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "no address for host foo.example");
    }

    #[test]
    fn an_address_comes_once_in_the_resolvers_order_and_there_is_an_end() {
        let host = Host::Name("many.example".to_owned());
        let v4 = |n: u32| SocketAddr::from((Ipv4Addr::from(n), 80));
        let found: Vec<_> = (0..100).flat_map(|n| [v4(100 - n), v4(100 - n)]).collect();
        let chosen = choose(&host, Family::Any, found).unwrap();
        let expected: Vec<_> = (0..MAX_ADDRESSES as u32).map(|n| v4(100 - n)).collect();
        assert_eq!(chosen, expected);
    }

    #[test]
    fn fifty_addresses_keep_some_of_either_ip_version() {
        let host = Host::Name("many.example".to_owned());
        let v4 = |n: u32| SocketAddr::from((Ipv4Addr::from(n), 80));
        let v6 = |n: u128| SocketAddr::from((Ipv6Addr::from(n), 80));
        let found: Vec<_> = (1..=40).map(v4).chain((1..=10).map(v6)).collect();
        let chosen = choose(&host, Family::Any, found).unwrap();
        let expected: Vec<_> = (1..=22).map(v4).chain((1..=10).map(v6)).collect();
        assert_eq!(chosen, expected);
    }

    #[test]
    fn the_resolvers_words_lose_their_noise() {
        let table = [
            (
                "failed to lookup address information: Name or service not known",
                "name or service not known",
            ),
            (
                "failed to lookup address information: Temporary failure in name resolution",
                "temporary failure in name resolution",
            ),
            (
                "No such host is known. (os error 11001)",
                "no such host is known",
            ),
        ];
        for (said, shown) in table {
            assert_eq!(reason(&io::Error::other(said)), shown);
        }
    }

    #[test]
    fn a_name_that_cannot_exist_is_unreachable_with_a_reason() {
        // A label of 64 bytes does not fit into a query (RFC 1035 section 2.3.4): nobody is asked.
        let name = "a".repeat(64);
        let error = ask(&name, 80).unwrap_err();
        assert_eq!(error.kind(), Kind::Unreachable);
        let text = error.to_string();
        let reason = text.strip_prefix(&format!("cannot resolve {name}: "));
        assert!(reason.is_some_and(|reason| !reason.is_empty()), "{text}");
        assert!(!text.contains("lookup address information"), "{text}");
    }

    #[test]
    fn hints_fit_the_name_and_the_reason() {
        assert!(hint("printer", "name or service not known").is_some_and(|h| h.contains("dot")));
        assert!(hint("foo.example", "temporary failure in name resolution").is_some());
        assert_eq!(hint("foo.example", "name or service not known"), None);
    }

    #[test]
    fn a_zone_that_names_no_interface_says_so() {
        let error = resolve(&address("[fe80::1%nosuchzone]:80"), Family::Any).unwrap_err();
        assert_eq!(error.kind(), Kind::Unreachable);
        assert_eq!(
            error.to_string(),
            "cannot resolve [fe80::1%nosuchzone]: there is no interface called nosuchzone"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_zone_is_found_by_the_name_of_its_interface() {
        let found = resolved("[fe80::1%lo]:80", Family::Any).unwrap();
        let index = std::fs::read_to_string("/sys/class/net/lo/ifindex").unwrap();
        assert_eq!(found, [format!("[fe80::1%{}]:80", index.trim())]);
    }

    #[test]
    fn a_unix_socket_has_no_socket_address() {
        if cfg!(unix) {
            let error = resolve(&address("unix:/x"), Family::Any).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
        }
    }
}
