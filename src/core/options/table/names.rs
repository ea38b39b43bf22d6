//! The names of values, as the headers have them without their common beginning.

use crate::core::options::form::Names;

/// `SO_TYPE`: sys/socket.h, the same on every system for these.
pub(super) const SOCKET_TYPES: Names = &[
    ("stream", 1),
    ("datagram", 2),
    ("raw", 3),
    ("rdm", 4),
    ("seqpacket", 5),
];

/// `SO_DOMAIN`: `AF_*` of sys/socket.h, which the systems number each in its own way.
pub(super) const FAMILIES: Names = if cfg!(any(target_os = "linux", target_os = "android")) {
    &[
        ("unix", 1),
        ("inet", 2),
        ("inet6", 10),
        ("netlink", 16),
        ("packet", 17),
        ("can", 29),
        ("tipc", 30),
        ("bluetooth", 31),
        ("alg", 38),
        ("vsock", 40),
        ("kcm", 41),
        ("qipcrtr", 42),
        ("smc", 43),
        ("xdp", 44),
    ]
} else if cfg!(target_os = "freebsd") {
    &[("unix", 1), ("inet", 2), ("inet6", 28), ("netlink", 38)]
} else if cfg!(target_os = "openbsd") {
    &[("unix", 1), ("inet", 2), ("inet6", 24)]
} else {
    &[("unix", 1), ("inet", 2)]
};

/// `SO_PROTOCOL`: IANA's numbers, and Linux's for multipath TCP.
pub(super) const PROTOCOLS: Names = &[
    ("default", 0),
    ("icmp", 1),
    ("tcp", 6),
    ("udp", 17),
    ("icmpv6", 58),
    ("sctp", 132),
    ("udplite", 136),
    ("raw", 255),
    ("mptcp", 262),
];

/// `SOCK_BUF_LOCK_MASK` of linux/socket.h.
pub(super) const BUFFER_LOCKS: Names = &[("send", 1), ("receive", 2)];

/// `SOCK_TXREHASH_*` of linux/socket.h. What the system says is read as enabled or disabled.
pub(super) const TXREHASH: Names = &[("disabled", 0), ("enabled", 1), ("default", 255)];

/// `SOF_TIMESTAMPING_*` of linux/net_tstamp.h.
pub(super) const TIMESTAMPING: Names = &[
    ("tx-hardware", 1),
    ("tx-software", 1 << 1),
    ("rx-hardware", 1 << 2),
    ("rx-software", 1 << 3),
    ("software", 1 << 4),
    ("sys-hardware", 1 << 5),
    ("raw-hardware", 1 << 6),
    ("opt-id", 1 << 7),
    ("tx-sched", 1 << 8),
    ("tx-ack", 1 << 9),
    ("opt-cmsg", 1 << 10),
    ("opt-tsonly", 1 << 11),
    ("opt-stats", 1 << 12),
    ("opt-pktinfo", 1 << 13),
    ("opt-tx-swhw", 1 << 14),
    ("bind-phc", 1 << 15),
    ("opt-id-tcp", 1 << 16),
    ("opt-rx-filter", 1 << 17),
    ("tx-completion", 1 << 18),
];

/// `IP_PMTUDISC_*` of linux/in.h, and the same for IPv6. On Windows the numbers mean: 0 not set, 1 do, 2 don't,
/// 3 probe (ws2ipdef.h).
pub(super) const PMTU: Names = if cfg!(windows) {
    &[("system", 0), ("do", 1), ("dont", 2), ("probe", 3)]
} else {
    &[
        ("dont", 0),
        ("want", 1),
        ("do", 2),
        ("probe", 3),
        ("interface", 4),
        ("omit", 5),
    ]
};

/// `IPSEC_LEVEL_*` of OpenBSD's netinet/in.h.
pub(super) const IPSEC_LEVELS: Names = &[
    ("none", 0),
    ("avail", 1),
    ("use", 2),
    ("require", 3),
    ("unique", 4),
];

/// `TCP_TLS_MODE_*` of FreeBSD's netinet/tcp.h.
pub(super) const TLS_MODES: Names = &[("none", 0), ("software", 1), ("card", 2), ("offload", 3)];

/// `IPV6_PREFER_SRC_*` of linux/in6.h.
pub(super) const ADDR_PREFERENCES: Names = &[
    ("temporary", 1),
    ("public", 1 << 1),
    ("care-of", 1 << 2),
    ("cga", 1 << 3),
    ("public-or-temporary", 1 << 8),
    ("home", 1 << 10),
    ("non-cga", 1 << 11),
];

/// `UDP_ENCAP_*` of linux/udp.h.
pub(super) const ENCAP: Names = &[
    ("none", 0),
    ("espinudp-non-ike", 1),
    ("espinudp", 2),
    ("l2tp", 3),
    ("gtp0", 4),
    ("gtp1u", 5),
    ("rxrpc", 6),
    ("espintcp", 7),
];
