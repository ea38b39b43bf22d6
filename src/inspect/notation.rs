//! An IP address in every notation that people meet, and what class it is of.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::inspect::report::Cell;

/// An address in whatever form it was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// The address.
    pub ip: IpAddr,
    /// The zone behind its `%`.
    pub zone: Option<String>,
}

/// Reads `127.0.0.1`, `0x7f000001`, `2130706433`, `0177.0.0.1`, `127.1`, `::1`, `[fe80::1%eth0]`, 32 hexadecimal
/// digits, and the names of reverse lookups. `None`: it is none of these.
pub fn read(text: &str) -> Option<Noted> {
    let text = text.trim();
    let text = text
        .strip_prefix('[')
        .and_then(|t| t.strip_suffix(']'))
        .unwrap_or(text);
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) if !zone.is_empty() && !zone.chars().any(char::is_control) => {
            (address, Some(zone.to_owned()))
        }
        Some(_) => return None,
        None => (text, None),
    };
    let found = |ip: IpAddr| match (&zone, ip) {
        (Some(_), IpAddr::V4(_)) => None,
        _ => Some(Noted {
            ip,
            zone: zone.clone(),
        }),
    };
    if let Ok(ip) = address.parse::<IpAddr>() {
        return found(ip);
    }
    let lower = address.to_ascii_lowercase();
    if let Some(ip) = reverse_name(&lower) {
        return found(ip);
    }
    let digits = lower.strip_prefix("0x").unwrap_or(&lower);
    if digits.len() == 32
        && let Ok(n) = u128::from_str_radix(digits, 16)
        && !digits.starts_with('+')
    {
        return found(Ipv6Addr::from(n).into());
    }
    if let Some(ip) = old_v4(&lower) {
        return found(ip.into());
    }
    // More than 32 bits: IPv6 as one number. A 0 before it would make it octal.
    let decimal = !lower.starts_with('0') && lower.bytes().all(|b| b.is_ascii_digit());
    let n: u128 = lower.parse().ok().filter(|_| decimal)?;
    found(Ipv6Addr::from(n).into())
}

/// inet_aton(3): one to four numbers in decimal, octal or hexadecimal, of which the last fills the rest.
fn old_v4(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u64> = text.split('.').map(old_number).collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    if first.len() > 3 || first.iter().any(|part| *part > 255) {
        return None;
    }
    let room = 8 * (4 - first.len() as u32);
    if last >> room != 0 {
        return None;
    }
    let upper = first
        .iter()
        .enumerate()
        .fold(0, |sum, (at, part)| sum | part << (24 - 8 * at));
    u32::try_from(upper | last).ok().map(Ipv4Addr::from)
}

fn old_number(text: &str) -> Option<u64> {
    let (digits, radix) = match (text.strip_prefix("0x"), text.strip_prefix('0')) {
        (Some(hex), _) => (hex, 16),
        (None, Some(octal)) if !octal.is_empty() => (octal, 8),
        _ => (text, 10),
    };
    let plain = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    // More than twelve digits are no part of an address in any of the three.
    (plain && digits.len() <= 12).then(|| u64::from_str_radix(digits, radix).ok())?
}

fn reverse_name(text: &str) -> Option<IpAddr> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if let Some(labels) = text.strip_suffix(".in-addr.arpa") {
        let parts: Vec<u8> = labels
            .split('.')
            .map(|part| part.parse::<u8>().ok())
            .collect::<Option<_>>()?;
        let [d, c, b, a] = parts.try_into().ok()?;
        return Some(Ipv4Addr::new(a, b, c, d).into());
    }
    let nibbles = text.strip_suffix(".ip6.arpa")?;
    let mut n: u128 = 0;
    let mut count = 0;
    for nibble in nibbles.split('.').rev() {
        if nibble.len() != 1 || count == 32 {
            return None;
        }
        n = n << 4 | u128::from(nibble.chars().next()?.to_digit(16)?);
        count += 1;
    }
    (count == 32).then(|| Ipv6Addr::from(n).into())
}

/// What the registries of RFC 6890 and IANA keep an address for.
pub fn class(ip: IpAddr) -> &'static str {
    match ip {
        IpAddr::V4(ip) => class_v4(ip),
        IpAddr::V6(ip) => class_v6(ip),
    }
}

fn class_v4(ip: Ipv4Addr) -> &'static str {
    match ip.octets() {
        [0, 0, 0, 0] => "unspecified: every interface, or none",
        [0, ..] => "this network (RFC 1122)",
        [127, ..] => "loopback",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "private (RFC 1918)",
        [100, 64..=127, ..] => "shared, behind a carrier's NAT (RFC 6598)",
        [169, 254, ..] => "link-local (RFC 3927)",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "documentation (RFC 5737)",
        [198, 18 | 19, ..] => "benchmarks (RFC 2544)",
        [192, 0, 0, _] => "protocol assignments (RFC 6890)",
        [192, 88, 99, _] => "6to4 relays, no longer used (RFC 7526)",
        [224, 0, 0, _] => "multicast, this network only",
        [232, ..] => "multicast, of one source (RFC 4607)",
        [239, ..] => "multicast, within an organisation (RFC 2365)",
        [224..=238, ..] => "multicast",
        [255, 255, 255, 255] => "broadcast",
        [240..=255, ..] => "reserved (RFC 1112)",
        _ => "public",
    }
}

fn class_v6(ip: Ipv6Addr) -> &'static str {
    if ip.to_ipv4_mapped().is_some() {
        return "IPv4-mapped, which a socket for both IP versions has (RFC 4291)";
    }
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => "unspecified: every interface, or none",
        [0, 0, 0, 0, 0, 0, 0, 1] => "loopback",
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => "IPv4 behind NAT64 (RFC 6052)",
        [0x64, 0xff9b, 1, ..] => "IPv4 behind a local NAT64 (RFC 8215)",
        [0x100, 0, 0, 0, ..] => "discard (RFC 6666)",
        [0x2001, 0, ..] => "Teredo (RFC 4380)",
        [0x2001, 2, 0, ..] => "benchmarks (RFC 5180)",
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => "documentation (RFC 3849, RFC 9637)",
        [0x2002, ..] => "6to4 (RFC 3056)",
        [0xfc00..=0xfdff, ..] => "unique local (RFC 4193)",
        [0xfe80..=0xfebf, ..] => "link-local: it needs a zone",
        [0xfec0..=0xfeff, ..] => "site-local, no longer used (RFC 3879)",
        [scope @ 0xff00..=0xffff, ..] => match scope & 15 {
            1 => "multicast, this interface only",
            2 => "multicast, this link only",
            5 => "multicast, this site only",
            8 => "multicast, within an organisation",
            14 => "multicast, global",
            _ => "multicast",
        },
        [0x2000..=0x3fff, ..] => "public",
        _ => "reserved",
    }
}

/// The address in every notation.
pub fn notations(noted: &Noted) -> Vec<(String, Cell)> {
    let with_zone = |text: String| match &noted.zone {
        Some(zone) => format!("{text}%{zone}"),
        None => text,
    };
    let mut facts: Vec<(String, Cell)> = Vec::new();
    let mut add = |name: &str, text: String| facts.push((name.into(), Cell::text(text)));
    add("class", class(noted.ip).into());
    match noted.ip {
        IpAddr::V4(ip) => {
            let n = u32::from(ip);
            let [a, b, c, d] = ip.octets();
            add("dotted", ip.to_string());
            add("decimal", n.to_string());
            add("hexadecimal", format!("0x{n:08x}"));
            add(
                "octal",
                format!("{a:#05o}.{b:#05o}.{c:#05o}.{d:#05o}").replace("0o", "0"),
            );
            add("binary", format!("{a:08b}.{b:08b}.{c:08b}.{d:08b}"));
            add(
                "network byte order",
                format!("{a:02x} {b:02x} {c:02x} {d:02x}"),
            );
            add(
                "in_addr on a little-endian machine",
                format!("0x{:08x}", n.swap_bytes()),
            );
            add("IPv4-mapped IPv6", ip.to_ipv6_mapped().to_string());
            add("address and port", format!("{ip}:PORT"));
            add("reverse name", format!("{d}.{c}.{b}.{a}.in-addr.arpa"));
        }
        IpAddr::V6(ip) => {
            let n = u128::from(ip);
            let segments: Vec<String> = ip.segments().iter().map(|s| format!("{s:04x}")).collect();
            add("compressed", with_zone(ip.to_string()));
            add("full", with_zone(segments.join(":")));
            add("decimal", n.to_string());
            add("hexadecimal", format!("0x{n:032x}"));
            let bytes: Vec<String> = ip.octets().iter().map(|b| format!("{b:02x}")).collect();
            add("network byte order", bytes.join(" "));
            add(
                "address and port",
                format!("[{}]:PORT", with_zone(ip.to_string())),
            );
            if let Some(v4) = embedded_v4(ip) {
                add("IPv4 inside", v4.to_string());
                add("its class", class_v4(v4).into());
            }
            if let Some(mac) = eui64(ip) {
                add("MAC inside", mac);
            }
            let digits = format!("{n:032x}");
            let reversed: Vec<String> = digits.chars().rev().map(String::from).collect();
            add("reverse name", format!("{}.ip6.arpa", reversed.join(".")));
        }
    }
    if let Some(zone) = &noted.zone {
        add("zone", zone.clone());
    }
    facts
}

fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., g, h] = ip.segments();
    let low = Ipv4Addr::from(u32::from(g) << 16 | u32::from(h));
    match ip.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(low),
        [0x2002, a, b, ..] => Some(Ipv4Addr::from(u32::from(a) << 16 | u32::from(b))),
        _ => ip.to_ipv4_mapped(),
    }
}

/// The MAC that RFC 4291 appendix A makes an interface identifier of.
fn eui64(ip: Ipv6Addr) -> Option<String> {
    let o = ip.octets();
    (o[11] == 0xff && o[12] == 0xfe).then(|| {
        format!(
            "{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}",
            o[8] ^ 2,
            o[9],
            o[10],
            o[13],
            o[14],
            o[15]
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> Option<String> {
        read(text).map(|noted| noted.ip.to_string())
    }

    #[test]
    fn an_address_is_read_in_every_notation() {
        for text in [
            "127.0.0.1",
            "0x7f000001",
            "2130706433",
            "0177.0.0.1",
            "127.1",
            "127.0.1",
            "0x7f.1",
            "017700000001",
            "1.0.0.127.in-addr.arpa",
        ] {
            assert_eq!(ip(text).as_deref(), Some("127.0.0.1"), "{text}");
        }
        let table = [
            ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
            ("[::1]", "::1"),
            ("00000000000000000000000000000001", "::1"),
            ("0x00000000000000000000000000000001", "::1"),
            ("42540766411282592856903984951653826561", "2001:db8::1"),
        ];
        for (text, expected) in table {
            assert_eq!(ip(text).as_deref(), Some(expected), "{text}");
        }
        let scoped = read("fe80::1%eth0").unwrap();
        assert_eq!(scoped.zone.as_deref(), Some("eth0"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "foo",
            "256.0.0.1",
            "1.2.3.4.5",
            "0x1ffffffff",
            "09.0.0.1",
            "1.2.3.4%eth0",
            "fe80::1%",
            "-1",
            "1..2",
            "0x",
            "1.0.0.in-addr.arpa",
            "+1",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn classes_are_those_of_the_registries() {
        let table = [
            ("10.1.2.3", "private"),
            ("127.9.9.9", "loopback"),
            ("100.64.0.1", "shared"),
            ("169.254.1.1", "link-local"),
            ("192.0.2.1", "documentation"),
            ("239.1.2.3", "multicast"),
            ("255.255.255.255", "broadcast"),
            ("8.8.8.8", "public"),
            ("::1", "loopback"),
            ("fe80::1", "link-local"),
            ("fd00::1", "unique local"),
            ("2001:db8::1", "documentation"),
            ("ff02::1", "multicast, this link only"),
            ("2606:4700::1", "public"),
            ("::ffff:1.2.3.4", "IPv4-mapped"),
        ];
        for (text, class_begins) in table {
            let found = class(text.parse().unwrap());
            assert!(found.starts_with(class_begins), "{text}: {found}");
        }
    }

    proptest! {
        /// Whatever an address is printed as, it is read back as the same.
        #[test]
        fn every_notation_reads_back(n: u32, m: u128) {
            for noted in [
                Noted { ip: Ipv4Addr::from(n).into(), zone: None },
                Noted { ip: Ipv6Addr::from(m).into(), zone: None },
            ] {
                for (name, cell) in notations(&noted) {
                    let same = ["dotted", "decimal", "hexadecimal", "octal", "compressed", "full", "reverse name"];
                    // A small number is an IPv4 address in decimal.
                    let ambiguous = name == "decimal" && noted.ip.is_ipv6() && m <= u128::from(u32::MAX);
                    if same.contains(&&*name) && !ambiguous {
                        prop_assert_eq!(read(&cell.shown()), Some(noted.clone()), "{}", name);
                    }
                }
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,60}") {
            let _ = read(&text);
        }
    }
}
