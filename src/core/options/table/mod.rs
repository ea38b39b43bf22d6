//! The catalogue: every option that socket(7), tcp(7), ip(7), ipv6(7), udp(7), unix(7), raw(7) and packet(7), the
//! headers of Linux, XNU and the BSDs, and Microsoft's pages name for the sockets that sockkit meets.
//!
//! A row gives the numbers as they stand in the headers, so that an option which the C library does not know yet
//! can be used where the kernel has it.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod ip;
mod ipv6;
mod names;
#[cfg(test)]
mod numbers;
mod raw;
mod socket;
mod socket_peer;
mod tcp;
mod udp;
mod unix;

use crate::core::options::info::OptionInfo;

static TABLES: [&[OptionInfo]; 8] = [
    socket::SOCKET,
    socket_peer::SOCKET_PEER,
    tcp::TCP,
    ip::IP,
    ipv6::IPV6,
    udp::UDP,
    unix::UNIX,
    raw::RAW,
];

/// Every option, by level.
pub fn all() -> impl Iterator<Item = &'static OptionInfo> {
    TABLES.into_iter().flatten()
}

/// The number on this system of the option with exactly this name, for what is compared while compiling.
#[cfg(test)]
const fn number_here(name: &str) -> Option<i32> {
    const fn same(a: &str, b: &str) -> bool {
        let (a, b) = (a.as_bytes(), b.as_bytes());
        let mut at = 0;
        while at < a.len() && at < b.len() && a[at] == b[at] {
            at += 1;
        }
        at == a.len() && at == b.len()
    }
    let Some(here) = crate::core::options::info::Platform::HERE else {
        return None;
    };
    let mut table = 0;
    while table < TABLES.len() {
        let mut row = 0;
        while row < TABLES[table].len() {
            let option = &TABLES[table][row];
            let mut is_it = same(option.name, name);
            let mut alias = 0;
            while alias < option.aliases.len() {
                is_it |= same(option.aliases[alias], name);
                alias += 1;
            }
            if is_it {
                return option.number(here);
            }
            row += 1;
        }
        table += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::options::info::{Access, Level, Platform};
    use std::collections::{BTreeSet, HashMap};

    #[test]
    fn every_name_is_there_once() {
        let mut seen = BTreeSet::new();
        for option in all() {
            for name in std::iter::once(&option.name).chain(option.aliases) {
                assert!(seen.insert(*name), "{name} twice");
                let well_formed =
                    |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
                assert!(name.chars().all(well_formed), "{name}");
            }
        }
        assert!(seen.len() > 350, "{}", seen.len());
    }

    /// Two options of one level may have the same number only if one of them is for reading and the other for
    /// setting, as with `SO_ATTACH_FILTER` and `SO_GET_FILTER`.
    #[test]
    fn no_number_stands_for_two_options() {
        for platform in Platform::ALL {
            let mut taken: HashMap<_, &OptionInfo> = HashMap::new();
            for option in all() {
                let Some(number) = option.number(platform) else {
                    continue;
                };
                // The level 0 is IP's and that of Unix sockets.
                let level = option.level.name();
                if let Some(other) = taken.insert((level, number), option) {
                    let apart = option.access != other.access
                        || KNOWN_TWINS.contains(&(other.name, option.name));
                    assert!(
                        apart,
                        "{} and {} are both {number} on {}",
                        other.name,
                        option.name,
                        platform.name()
                    );
                }
            }
        }
    }

    /// The headers themselves give two names to one number.
    const KNOWN_TWINS: &[(&str, &str)] = &[("IP_RECVTTL", "IP_HOPLIMIT")];

    #[test]
    fn every_row_is_complete() {
        for option in all() {
            assert!(option.platforms().next().is_some(), "{}", option.name);
            assert!(
                option.about.ends_with('.'),
                "{}: {}",
                option.name,
                option.about
            );
            assert!(!option.source.is_empty(), "{}", option.name);
            assert!(
                option.access != Access::WriteOnly || option.never.is_none(),
                "{}: what cannot be read need not be spared",
                option.name
            );
        }
        for level in [Level::Socket, Level::Tcp, Level::Ip, Level::Ipv6] {
            assert!(all().filter(|option| option.level == level).count() >= 50);
        }
    }

    /// The numbers of a few that everybody knows, from the headers.
    #[test]
    fn well_known_numbers() {
        use Platform::{FreeBsd, Linux, MacOs, NetBsd, OpenBsd, Windows};
        let table = [
            ("SO_RCVBUF", Linux, Some(8)),
            ("SO_RCVBUF", MacOs, Some(0x1002)),
            ("SO_RCVBUF", Windows, Some(0x1002)),
            ("SO_RCVTIMEO", NetBsd, Some(0x100c)),
            ("SO_REUSEPORT", Windows, None),
            ("SO_REUSEPORT_LB", FreeBsd, Some(0x10000)),
            ("SO_EXCLUSIVEADDRUSE", Windows, Some(!4)),
            ("TCP_KEEPIDLE", MacOs, Some(0x10)),
            ("TCP_KEEPIDLE", OpenBsd, None),
            ("TCP_CONGESTION", Linux, Some(13)),
            ("IPV6_V6ONLY", Linux, Some(26)),
            ("IPV6_V6ONLY", OpenBsd, Some(27)),
            ("IP_TTL", Windows, Some(4)),
        ];
        for (name, platform, number) in table {
            let found = all().find(|option| option.name == name);
            let found = found.and_then(|option| option.number(platform));
            assert_eq!(found, number, "{name} on {}", platform.name());
        }
    }

    /// Reading these would change what the program that owns the socket sees.
    #[test]
    fn what_has_a_side_effect_is_never_read() {
        for name in [
            "SO_ERROR",
            "TCP_SAVED_SYN",
            "SO_SPLICE",
            "SO_PEERPIDFD",
            "PACKET_STATISTICS",
        ] {
            let option = all().find(|option| option.name == name);
            assert!(option.is_some_and(|option| !option.is_readable()), "{name}");
        }
    }
}
