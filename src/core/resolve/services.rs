//! Service names: `http` is port 80.
//!
//! services(5) has the format of the list. It is the same on every system that has one, Windows included,
//! where it only lies elsewhere; a system without one (Android, a container with nothing in it) has the
//! few names of [`BUILT_IN`].

use std::path::PathBuf;

use crate::core::address::Scheme;
use crate::error::{Error, Kind, Result};

/// What people type most, by RFC 6335's registry, for a system whose list lacks it.
const BUILT_IN: &[(&str, u16)] = &[
    ("echo", 7),
    ("discard", 9),
    ("daytime", 13),
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("time", 37),
    ("domain", 53),
    ("http", 80),
    ("pop3", 110),
    ("ntp", 123),
    ("imap", 143),
    ("irc", 194),
    ("https", 443),
    ("submission", 587),
    ("ircs-u", 6697),
    ("imaps", 993),
    ("pop3s", 995),
    ("socks", 1080),
    ("mysql", 3306),
    ("postgresql", 5432),
    ("redis", 6379),
    ("http-alt", 8080),
];

/// The port of the service called `name`, in lower case.
pub(super) fn port_of(name: &str, scheme: Scheme) -> Result<u16> {
    let protocol = match scheme {
        Scheme::Tcp | Scheme::Tls => "tcp",
        Scheme::Udp => "udp",
    };
    // A list that cannot be read is as good as none: the error below tells the name.
    let list = std::fs::read(list_path()).unwrap_or_default();
    find(&String::from_utf8_lossy(&list), name, protocol)
        .or_else(|| built_in(name))
        .ok_or_else(|| {
            Error::new(
                Kind::Unreachable,
                format!("cannot resolve the port {name}: no {protocol} service has that name"),
            )
            .hint("write the port as a number")
        })
}

/// Where the system keeps its list.
fn list_path() -> PathBuf {
    if cfg!(windows) {
        let root = std::env::var_os("SystemRoot").unwrap_or_else(|| r"C:\Windows".into());
        let mut path = PathBuf::from(root);
        path.extend(["System32", "drivers", "etc", "services"]);
        path
    } else {
        PathBuf::from("/etc/services")
    }
}

fn built_in(name: &str) -> Option<u16> {
    let (_, port) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
    Some(*port)
}

/// The first service in `list` with that name or alias and protocol.
fn find(list: &str, name: &str, protocol: &str) -> Option<u16> {
    list.lines().find_map(|line| {
        let entry = line.split('#').next().unwrap_or_default();
        let mut words = entry.split_ascii_whitespace();
        let official = words.next()?;
        let (port, its_protocol) = words.next()?.split_once('/')?;
        let is_it = std::iter::once(official)
            .chain(words)
            .any(|word| word.eq_ignore_ascii_case(name));
        if is_it && its_protocol.eq_ignore_ascii_case(protocol) {
            port.parse().ok()
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "\
# name  port/protocol  aliases
tcpmux\t\t1/tcp\t\t\t\t# TCP port service multiplexer
discard\t\t9/tcp\t\tsink null
discard\t\t9/udp\t\tsink null
Odd\t11/tcp# no space
broken 12
wrong x/tcp
http\t\t80/tcp\t\twww\t# commented alias
syslog\t\t514/udp
";

    #[test]
    fn a_service_is_found_by_name_or_alias_and_protocol() {
        let table = [
            ("tcpmux", "tcp", Some(1)),
            ("tcpmux", "udp", None),
            ("null", "udp", Some(9)),
            ("odd", "tcp", Some(11)),
            ("www", "tcp", Some(80)),
            ("alias", "tcp", None),
            ("syslog", "udp", Some(514)),
            ("syslog", "tcp", None),
            ("broken", "tcp", None),
            ("wrong", "tcp", None),
            ("9/tcp", "tcp", None),
        ];
        for (name, protocol, port) in table {
            assert_eq!(find(LIST, name, protocol), port, "{name}/{protocol}");
        }
        assert_eq!(find("", "http", "tcp"), None);
    }

    #[test]
    fn common_names_are_known_without_a_list_and_others_are_refused_by_name() {
        assert_eq!(built_in("https"), Some(443));
        assert_eq!(port_of("http", Scheme::Tcp).unwrap(), 80);
        let error = port_of("no-such-service", Scheme::Tls).unwrap_err();
        assert_eq!(error.kind(), Kind::Unreachable);
        assert_eq!(
            error.to_string(),
            "cannot resolve the port no-such-service: no tcp service has that name"
        );
    }
}
