//! The interfaces of this machine and their addresses.

use std::io;
use std::net::IpAddr;

use crate::core::options::Missing;
use crate::inspect::report::{Cell, Section};

/// An address of an interface.
#[derive(Debug, Clone)]
pub struct InterfaceAddress {
    /// The address.
    pub ip: IpAddr,
    /// How long the prefix of its network is.
    pub prefix: Option<u8>,
    /// How far it reaches.
    pub scope: Option<&'static str>,
    /// Why it may not do for a socket: it is not known yet to be nobody else's, or its time is over.
    pub notes: Vec<&'static str>,
}

/// An interface. What the system does not tell is `None`.
#[derive(Debug, Clone)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its number.
    pub index: Option<u32>,
    /// Up, down, or what else there is.
    pub state: Option<&'static str>,
    /// The longest packet.
    pub mtu: Option<u32>,
    /// Its address on the link.
    pub mac: Option<String>,
    /// Its IP addresses.
    pub addresses: Vec<InterfaceAddress>,
}

/// All interfaces.
pub fn all() -> io::Result<Vec<Interface>> {
    system::interfaces()
}

/// All interfaces, or why they cannot be known.
pub fn section(interfaces: io::Result<Vec<Interface>>) -> Section {
    const COLUMNS: [&str; 6] = ["name", "index", "state", "mtu", "mac", "addresses"];
    let rows = match interfaces {
        Ok(interfaces) => interfaces.iter().map(row).collect(),
        Err(error) => vec![vec![
            Cell::Missing(Missing::from_error(&error));
            COLUMNS.len()
        ]],
    };
    Section::table("interfaces", "Interfaces", &COLUMNS, rows)
}

fn row(interface: &Interface) -> Vec<Cell> {
    let unsupported = |cell| Cell::or_missing(cell, Missing::Unsupported);
    let addresses: Vec<String> = interface
        .addresses
        .iter()
        .map(|address| {
            let prefix = address.prefix.map(|prefix| format!("/{prefix}"));
            let mut text = format!("{}{}", address.ip, prefix.unwrap_or_default());
            for word in address.scope.iter().chain(&address.notes) {
                text.push(' ');
                text.push_str(word);
            }
            text
        })
        .collect();
    vec![
        Cell::text(&*interface.name),
        unsupported(interface.index.map(|index| Cell::count(index.into(), None))),
        unsupported(interface.state.map(Cell::text)),
        unsupported(
            interface
                .mtu
                .map(|mtu| Cell::count(mtu.into(), Some("bytes")).shown_as(mtu.to_string())),
        ),
        match (&interface.mac, interface.state) {
            (Some(mac), _) => Cell::text(&**mac),
            // Who tells the state tells the MAC of every interface that has one.
            (None, Some(_)) => Cell::Missing(Missing::NotApplicable),
            (None, None) => Cell::Missing(Missing::Unsupported),
        },
        match addresses.is_empty() {
            true => Cell::Missing(Missing::NotApplicable),
            false => Cell::list(addresses),
        },
    ]
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use super::{Interface, InterfaceAddress, io};
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use crate::inspect::netlink::{Attributes, ROUTE, dump, u16_at, u32_at};

    /// rtnetlink(7): `RTM_GETLINK`, `RTM_GETADDR`.
    const GET_LINK: u16 = 18;
    const GET_ADDRESS: u16 = 22;

    /// `struct ifinfomsg`, `struct ifaddrmsg`.
    const LINK_FIXED: usize = 16;
    const ADDRESS_FIXED: usize = 8;

    pub(super) fn interfaces() -> io::Result<Vec<Interface>> {
        let mut found: Vec<Interface> = dump(ROUTE, GET_LINK, &[0; LINK_FIXED])?
            .iter()
            .filter_map(|body| link(body))
            .collect();
        for body in dump(ROUTE, GET_ADDRESS, &[0; ADDRESS_FIXED])? {
            if let Some((index, address)) = address(&body)
                && let Some(interface) = found.iter_mut().find(|i| i.index == Some(index))
            {
                interface.addresses.push(address);
            }
        }
        Ok(found)
    }

    pub(super) fn link(body: &[u8]) -> Option<Interface> {
        let index = u32_at(body, 4)?;
        let flags = u32_at(body, 8)?;
        let hardware = u16_at(body, 2)?;
        let mut interface = Interface {
            name: index.to_string(),
            index: Some(index),
            state: None,
            mtu: None,
            mac: None,
            addresses: Vec::new(),
        };
        let mut operational = 0;
        for (kind, value) in Attributes(body.get(LINK_FIXED..)?) {
            // `IFLA_*` of linux/if_link.h.
            match kind {
                // Ethernet and its kin; a loopback's is all zeros and says nothing.
                1 if value.len() == 6 && hardware == 1 => interface.mac = Some(mac(value)),
                3 => {
                    let end = value.iter().position(|&b| b == 0).unwrap_or(value.len());
                    interface.name = String::from_utf8_lossy(&value[..end]).into_owned();
                }
                4 => interface.mtu = u32_at(value, 0),
                16 => operational = value.first().copied().unwrap_or(0),
                _ => {}
            }
        }
        // `IFF_UP`, and RFC 2863's operational states as linux/if.h numbers them.
        interface.state = Some(match (flags & 1 != 0, operational) {
            (false, _) => "down",
            (true, 2) => "no carrier",
            (true, 3) => "no carrier below",
            (true, 5) => "dormant",
            (true, _) => "up",
        });
        Some(interface)
    }

    fn mac(bytes: &[u8]) -> String {
        let parts: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
        parts.join(":")
    }

    pub(super) fn address(body: &[u8]) -> Option<(u32, InterfaceAddress)> {
        let (prefix, scope) = (*body.get(1)?, *body.get(3)?);
        let index = u32_at(body, 4)?;
        let mut ip = None;
        let mut flags = u32::from(*body.get(2)?);
        for (kind, value) in Attributes(body.get(ADDRESS_FIXED..)?) {
            // `IFA_FLAGS`, which has more than the byte of old.
            if kind == 8 {
                flags = u32_at(value, 0).unwrap_or(flags);
            }
            // `IFA_LOCAL` is ours where `IFA_ADDRESS` is the other end's, as on a tunnel (linux/if_addr.h).
            if kind == 2 || kind == 1 && ip.is_none() {
                ip = match value.len() {
                    4 => Some(IpAddr::from(Ipv4Addr::from(*value.first_chunk::<4>()?))),
                    16 => Some(IpAddr::from(Ipv6Addr::from(*value.first_chunk::<16>()?))),
                    _ => ip,
                };
            }
        }
        // `RT_SCOPE_*` of linux/rtnetlink.h.
        let scope = match scope {
            0 => "global",
            200 => "site",
            253 => "link",
            254 => "host",
            _ => "nowhere",
        };
        Some((
            index,
            InterfaceAddress {
                ip: ip?,
                prefix: Some(prefix),
                scope: Some(scope),
                // `IFA_F_*` of linux/if_addr.h; the first means a secondary address with IPv4.
                notes: [
                    (0x01, "temporary"),
                    (0x08, "duplicate"),
                    (0x20, "deprecated"),
                    (0x40, "tentative"),
                ]
                .into_iter()
                .filter(|(bit, name)| {
                    flags & bit != 0 && (*name != "temporary" || body.first() == Some(&10))
                })
                .map(|(_, name)| name)
                .collect(),
            },
        ))
    }
}

/// The names, numbers and addresses that getifaddrs(3) and its like give on every system.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use super::{Interface, InterfaceAddress, io};

    pub(super) fn interfaces() -> io::Result<Vec<Interface>> {
        let mut found: Vec<Interface> = Vec::new();
        for one in if_addrs::get_if_addrs()? {
            let address = InterfaceAddress {
                ip: one.ip(),
                prefix: Some(match &one.addr {
                    if_addrs::IfAddr::V4(v4) => v4.prefixlen,
                    if_addrs::IfAddr::V6(v6) => v6.prefixlen,
                }),
                scope: None,
                notes: Vec::new(),
            };
            match found.iter_mut().find(|known| known.name == one.name) {
                Some(known) => known.addresses.push(address),
                None => found.push(Interface {
                    name: one.name.clone(),
                    index: one.index,
                    state: None,
                    mtu: None,
                    mac: None,
                    addresses: vec![address],
                }),
            }
        }
        Ok(found)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_loopback_is_there() {
        let found = system::interfaces().unwrap();
        let lo = found.iter().find(|i| i.name == "lo").expect("a loopback");
        assert!(lo.mtu.is_some_and(|mtu| mtu >= 1280));
        assert_eq!(lo.mac, None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_interface_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (system::link(&bytes), system::address(&bytes));
        }
    }
}
