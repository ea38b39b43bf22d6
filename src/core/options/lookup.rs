//! From a name as somebody typed it to the option: in any case, with or without its prefix.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::core::options::info::{Level, OptionInfo, Platform};
use crate::core::options::table;

/// What the names of a level begin with.
const PREFIXES: [&str; 14] = [
    "SO_", "TCP_", "MPTCP_", "TLS_", "IPV6_", "IP_", "MCAST_", "UDPLITE_", "UDP_", "LOCAL_",
    "PACKET_", "ICMP6_", "ICMP_", "SOL_",
];

/// How like a name has to be to be proposed: strsim's Jaro-Winkler, where 1 is the same.
const LIKE: f64 = 0.85;

/// How many are proposed.
const PROPOSALS: usize = 3;

/// Why there is no option of a name.
#[derive(Debug, PartialEq, Eq)]
pub enum NotFound {
    /// None is called so. These are called nearly so.
    Unknown(Vec<&'static str>),
    /// Several are, without their prefixes.
    Ambiguous(Vec<&'static str>),
}

/// Finds an option. A name without prefix that several have is that of `SOL_SOCKET`, if it is one of them, then the
/// one that this system has.
pub fn find(typed: &str) -> Result<&'static OptionInfo, NotFound> {
    let wanted = typed.trim().to_ascii_uppercase().replace(['-', '.'], "_");
    if let Some(found) = table::all().find(|option| names(option).any(|name| name == wanted)) {
        return Ok(found);
    }
    let mut bare: Vec<&OptionInfo> = table::all()
        .filter(|option| names(option).any(|name| without_prefix(name) == wanted))
        .collect();
    if bare.len() > 1
        && let Some(socket) = bare.iter().find(|option| option.level == Level::Socket)
    {
        return Ok(socket);
    }
    if bare.len() > 1
        && let Some(here) = Platform::HERE
        && bare.iter().any(|option| option.number(here).is_some())
    {
        bare.retain(|option| option.number(here).is_some());
    }
    match bare.as_slice() {
        [] => Err(NotFound::Unknown(nearest(&wanted))),
        [one] => Ok(one),
        several => Err(NotFound::Ambiguous(
            several.iter().map(|option| option.name).collect(),
        )),
    }
}

fn names(option: &'static OptionInfo) -> impl Iterator<Item = &'static str> {
    std::iter::once(option.name).chain(option.aliases.iter().copied())
}

fn without_prefix(name: &str) -> &str {
    PREFIXES
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name)
}

/// The names that are most like this one, best first.
fn nearest(wanted: &str) -> Vec<&'static str> {
    let mut scored: Vec<(f64, &'static str)> = table::all()
        .flat_map(names)
        .map(|name| {
            let whole = strsim::jaro_winkler(wanted, name);
            let bare = strsim::jaro_winkler(without_prefix(wanted), without_prefix(name));
            (whole.max(bare), name)
        })
        .filter(|(score, _)| *score >= LIKE)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored
        .into_iter()
        .take(PROPOSALS)
        .map(|(_, name)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(typed: &str) -> &'static str {
        find(typed).map(|option| option.name).unwrap_or("none")
    }

    #[test]
    fn a_name_is_found_in_any_case_with_and_without_its_prefix() {
        let table = [
            ("SO_RCVBUF", "SO_RCVBUF"),
            ("so_rcvbuf", "SO_RCVBUF"),
            ("rcvbuf", "SO_RCVBUF"),
            ("linger", "SO_LINGER"),
            ("nodelay", "TCP_NODELAY"),
            ("tcp-nodelay", "TCP_NODELAY"),
            ("tos", "IP_TOS"),
            ("tclass", "IPV6_TCLASS"),
            ("v6only", "IPV6_V6ONLY"),
            ("keepalive", "SO_KEEPALIVE"),
            ("TCP_KEEPALIVE", "TCP_KEEPIDLE"),
            ("IPV6_JOIN_GROUP", "IPV6_ADD_MEMBERSHIP"),
        ];
        for (typed, name) in table {
            assert_eq!(found(typed), name, "{typed}");
        }
    }

    #[test]
    fn a_name_that_several_have_names_them() {
        if Platform::HERE == Some(Platform::Linux) {
            assert_eq!(
                find("mtu_discover").err(),
                Some(NotFound::Ambiguous(vec![
                    "IP_MTU_DISCOVER",
                    "IPV6_MTU_DISCOVER"
                ]))
            );
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let Err(NotFound::Unknown(near)) = find("SO_RCVBUFF") else {
            panic!("found");
        };
        assert_eq!(near.first(), Some(&"SO_RCVBUF"), "{near:?}");
        assert!(near.len() <= PROPOSALS);
        let Err(NotFound::Unknown(near)) = find("tcp_nodlay") else {
            panic!("found");
        };
        assert_eq!(near.first(), Some(&"TCP_NODELAY"), "{near:?}");
        assert_eq!(find("qqqqqqqq").err(), Some(NotFound::Unknown(Vec::new())));
    }

    #[test]
    fn every_option_is_found_by_its_own_name() {
        for option in table::all() {
            for name in names(option) {
                assert_eq!(found(&name.to_lowercase()), option.name);
            }
        }
    }
}
