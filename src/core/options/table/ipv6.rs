//! IPv6, with its multicast.

use super::names::{ADDR_PREFERENCES, IPSEC_LEVELS, PMTU};
use crate::core::options::form::Form::{
    Choice, Flag, Flags, Int, Interface, InterfaceBe, Member6, Struct, Traffic, Uint,
};
use crate::core::options::form::Unit;
use crate::core::options::info::Level::Ipv6;
use crate::core::options::info::{On, OptionInfo, option};

/// The rows, a paragraph each.
#[rustfmt::skip]
pub(super) static IPV6: &[OptionInfo] = &[
    option("IPV6_V6ONLY", Ipv6, Flag)
        .linux(26).bsds(27).windows(27).also(&["IPV6_BINDV6ONLY"]).on(On::V6).early()
        .says("Keeps IPv4 away from a socket that is bound to every address. The default is the system's: Linux takes both, Windows and OpenBSD do not.", "ipv6(7)"),
    option("IPV6_UNICAST_HOPS", Ipv6, Int(Unit::Hops))
        .linux(16).bsds(4).windows(4).on(On::V6).within("0 to 255, or -1")
        .says("How many routers a packet may pass; -1 is the system's choice.", "ipv6(7)"),
    option("IPV6_TCLASS", Ipv6, Traffic)
        .linux(67).macos(36).freebsd(61).openbsd(61).netbsd(61).dragonfly(61).windows(39).on(On::V6)
        .says("The traffic class of what is sent: the name of a DSCP (EF, AF41, CS1) or a number.", "RFC 3542 section 6.5"),
    option("IPV6_MTU", Ipv6, Int(Unit::Bytes))
        .linux(24).windows(72).on(On::V6).connected().within("1280 bytes and more, or 0")
        .says("Read on a connected socket: the largest packet that the path is known to take. Set: a smaller one.", "ipv6(7)"),
    option("IPV6_MTU_DISCOVER", Ipv6, Choice(PMTU))
        .linux(23).windows(71).on(On::V6)
        .says("Whether the path's MTU is learnt and obeyed.", "ipv6(7)"),
    option("IPV6_DONTFRAG", Ipv6, Flag)
        .linux(62).bsds(62).windows(14).on(On::UDP6_RAW6)
        .says("Fails instead of fragmenting what is too long.", "RFC 3542 section 11.2"),
    option("IPV6_USE_MIN_MTU", Ipv6, Int(Unit::None))
        .bsds(42).on(On::UDP6_RAW6)
        .says("1: sends nothing longer than 1280 bytes; 0: learns what the path takes; -1: the latter for unicast only.", "RFC 3542 section 11.1"),
    option("IPV6_RECVERR", Ipv6, Flag)
        .linux(25).windows(75).on(On::V6)
        .says("Keeps errors of the network with the packet they belong to, on the error queue.", "ipv6(7)"),
    option("IPV6_RECVERR_RFC4884", Ipv6, Flag)
        .linux(31).on(On::UDP6_RAW6).since("Linux 5.9")
        .says("With the extensions that ICMP messages carry.", "linux: include/uapi/linux/in6.h"),
    option("IPV6_RECVPKTINFO", Ipv6, Flag)
        .linux(49).macos(61).freebsd(36).openbsd(36).netbsd(36).dragonfly(36).windows(19).on(On::UDP6_RAW6)
        .says("Receives beside each packet the address that it was sent to and its interface.", "RFC 3542 section 6.1"),
    option("IPV6_RECVHOPLIMIT", Ipv6, Flag)
        .linux(51).bsds(37).windows(21).on(On::UDP6_RAW6)
        .says("Receives the hop limit of each packet beside it.", "RFC 3542 section 6.3"),
    option("IPV6_RECVTCLASS", Ipv6, Flag)
        .linux(66).macos(35).freebsd(57).openbsd(57).netbsd(57).dragonfly(57).windows(40).on(On::UDP6_RAW6)
        .says("Receives the traffic class of each packet beside it.", "RFC 3542 section 6.5"),
    option("IPV6_RECVRTHDR", Ipv6, Flag)
        .linux(56).bsds(38).windows(38).on(On::UDP6_RAW6)
        .says("Receives the routing header of each packet beside it.", "RFC 3542 section 7"),
    option("IPV6_RECVHOPOPTS", Ipv6, Flag)
        .linux(53).bsds(39).on(On::UDP6_RAW6)
        .says("Receives the hop-by-hop options of each packet beside it.", "RFC 3542 section 8"),
    option("IPV6_RECVDSTOPTS", Ipv6, Flag)
        .linux(58).bsds(40).on(On::UDP6_RAW6)
        .says("Receives the destination options of each packet beside it.", "RFC 3542 section 9"),
    option("IPV6_RECVPATHMTU", Ipv6, Flag)
        .linux(60).bsds(43).on(On::UDP6_RAW6)
        .says("Is told when a packet was longer than the path takes.", "RFC 3542 section 11.3"),
    option("IPV6_PATHMTU", Ipv6, Struct("ip6_mtuinfo"))
        .linux(61).bsds(44).on(On::V6).read_only().connected()
        .says("What the path takes. Only on a connected socket.", "RFC 3542 section 11.4"),
    option("IPV6_RECVORIGDSTADDR", Ipv6, Flag)
        .linux(74).freebsd(72).on(On::UDP6_RAW6).also(&["IPV6_ORIGDSTADDR"]).since("Linux 2.6.37")
        .says("Receives beside each packet the address that it had before the firewall changed it.", "linux: include/uapi/linux/in6.h"),
    option("IPV6_RECVFRAGSIZE", Ipv6, Flag)
        .linux(77).on(On::UDP6_RAW6).since("Linux 4.14")
        .says("Receives beside each packet the size of its largest fragment.", "linux: include/uapi/linux/in6.h"),
    option("IPV6_PKTINFO", Ipv6, Struct("in6_pktinfo"))
        .linux(50).bsds(46).on(On::UDP6_RAW6).write_only()
        .says("The source address and interface of what is sent.", "RFC 3542 section 6.7"),
    option("IPV6_NEXTHOP", Ipv6, Struct("sockaddr_in6"))
        .linux(9).bsds(48).on(On::UDP6_RAW6).write_only()
        .says("The router that packets are sent to first.", "RFC 3542 section 6.6"),
    option("IPV6_HOPOPTS", Ipv6, Struct("ip6_hbh"))
        .linux(54).bsds(49).on(On::UDP6_RAW6).needs("CAP_NET_RAW")
        .says("The hop-by-hop options of what is sent. Many routers drop such packets.", "RFC 3542 section 8"),
    option("IPV6_DSTOPTS", Ipv6, Struct("ip6_dest"))
        .linux(59).bsds(50).on(On::UDP6_RAW6).needs("CAP_NET_RAW")
        .says("The destination options of what is sent.", "RFC 3542 section 9"),
    option("IPV6_RTHDR", Ipv6, Struct("ip6_rthdr"))
        .linux(57).bsds(51).on(On::UDP6_RAW6)
        .says("The routing header of what is sent.", "RFC 3542 section 7"),
    option("IPV6_RTHDRDSTOPTS", Ipv6, Struct("ip6_dest"))
        .linux(55).macos(57).freebsd(35).openbsd(35).netbsd(35).dragonfly(35).on(On::UDP6_RAW6).needs("CAP_NET_RAW")
        .says("The destination options before the routing header.", "RFC 3542 section 9.3"),
    option("IPV6_HDRINCL", Ipv6, Flag)
        .linux(36).windows(2).on(On::RAW6).since("Linux 4.5")
        .says("The program writes the IPv6 header itself.", "linux: include/uapi/linux/in6.h"),
    option("IPV6_CHECKSUM", Ipv6, Int(Unit::None))
        .linux(7).bsds(26).windows(26).on(On::RAW6)
        .says("Where the checksum of a raw packet stands, which the kernel fills in; -1 is nowhere.", "RFC 3542 section 3.1"),
    option("IPV6_MINHOPCOUNT", Ipv6, Int(Unit::Hops))
        .linux(73).openbsd(65).on(On::V6).since("Linux 2.6.35").within("0 to 255")
        .says("Drops packets whose hop limit is smaller: 255 lets in only those of direct neighbours.", "linux: include/uapi/linux/in6.h"),
    option("IPV6_FREEBIND", Ipv6, Flag)
        .linux(78).on(On::V6).early().since("Linux 4.15")
        .says("Binds an address that this machine does not have, or not yet.", "linux: include/uapi/linux/in6.h"),
    option("IPV6_TRANSPARENT", Ipv6, Flag)
        .linux(75).on(On::V6).early().since("Linux 2.6.37").needs("CAP_NET_ADMIN or CAP_NET_RAW")
        .says("Binds and accepts for addresses of others: a transparent proxy.", "linux: include/uapi/linux/in6.h"),
    option("IPV6_BINDANY", Ipv6, Flag)
        .freebsd(64).netbsd(64).on(On::V6).early().needs("root")
        .says("Binds addresses that this machine does not have.", "ip6(4)"),
    option("IPV6_PORTRANGE", Ipv6, Int(Unit::None))
        .bsds(14).on(On::V6).early()
        .says("Which range the local port is chosen from: 0 default, 1 high, 2 low.", "ip6(4)"),
    option("IPV6_ADDR_PREFERENCES", Ipv6, Flags(ADDR_PREFERENCES))
        .linux(72).on(On::V6).since("Linux 2.6.26")
        .says("Which of several source addresses is preferred: temporary or public, home or care-of (RFC 5014).", "linux: include/uapi/linux/in6.h"),
    option("IPV6_PREFER_TEMPADDR", Ipv6, Int(Unit::None))
        .macos(63).freebsd(63).netbsd(63).dragonfly(63).on(On::V6)
        .says("Whether a temporary source address is preferred; -1 is the system's choice.", "ip6(4)"),
    option("IPV6_AUTOFLOWLABEL", Ipv6, Flag)
        .linux(70).macos(59).freebsd(59).openbsd(59).dragonfly(59).on(On::V6).since("Linux 3.17")
        .says("Has the kernel give each flow a label.", "linux: include/uapi/linux/in6.h"),
    option("IPV6_FLOWINFO", Ipv6, Flag)
        .linux(11).on(On::UDP6_RAW6)
        .says("Receives the flow label of each packet beside it.", "ipv6(7)"),
    option("IPV6_FLOWINFO_SEND", Ipv6, Flag)
        .linux(33).on(On::V6)
        .says("Uses the flow label that connect or send was given.", "linux: include/uapi/linux/in6.h"),
    option("IPV6_FLOWLABEL_MGR", Ipv6, Struct("in6_flowlabel_req"))
        .linux(32).on(On::V6).never("it needs a request in its buffer")
        .says("Asks the kernel for a flow label.", "linux: include/uapi/linux/in6.h"),
    option("IPV6_ADDRFORM", Ipv6, Int(Unit::None))
        .linux(1).on(On::V6).once().late().never("it reads as the family, and fails on others than the one that may be turned")
        .says("Turns a connected IPv6 socket with an IPv4 peer into an IPv4 socket (2). There is no way back.", "ipv6(7)"),
    option("IPV6_VLAN_PCP", Ipv6, Int(Unit::None))
        .freebsd(75).on(On::V6)
        .says("The priority in the VLAN tag of what is sent, 0 to 7; -1 is the interface's.", "ip6(4) of FreeBSD"),
    option("IPV6_FLOWID", Ipv6, Uint(Unit::None))
        .freebsd(67).on(On::V6).read_only()
        .says("The number by which the network card knows the flow of the socket.", "netinet6/in6.h of FreeBSD"),
    option("IPV6_FLOWTYPE", Ipv6, Uint(Unit::None))
        .freebsd(68).on(On::V6).read_only()
        .says("How that number was made.", "netinet6/in6.h of FreeBSD"),
    option("IPV6_RSSBUCKETID", Ipv6, Uint(Unit::None))
        .freebsd(69).on(On::V6).read_only()
        .says("Which queue of the network card has the flow of the socket.", "netinet6/in6.h of FreeBSD"),
    option("IPV6_RECVFLOWID", Ipv6, Flag)
        .freebsd(70).on(On::UDP6)
        .says("Receives beside each datagram the number of its flow.", "netinet6/in6.h of FreeBSD"),
    option("IPV6_RECVRSSBUCKETID", Ipv6, Flag)
        .freebsd(71).on(On::UDP6)
        .says("Receives beside each datagram the queue of the network card that it came by.", "netinet6/in6.h of FreeBSD"),
    option("IPV6_PORTALGO", Ipv6, Int(Unit::None))
        .netbsd(17).on(On::V6).early()
        .says("How the local port is chosen (RFC 6056), as a number of netinet/portalgo.h.", "ip6(4) of NetBSD"),
    option("IPV6_RECVDSTPORT", Ipv6, Flag)
        .openbsd(64).on(On::UDP6)
        .says("Receives beside each datagram the port that it was sent to.", "ip6(4) of OpenBSD"),
    option("IPV6_AUTH_LEVEL", Ipv6, Choice(IPSEC_LEVELS))
        .openbsd(53).on(On::V6)
        .says("Whether packets have to be authenticated by IPsec.", "ipsec(4) of OpenBSD"),
    option("IPV6_ESP_TRANS_LEVEL", Ipv6, Choice(IPSEC_LEVELS))
        .openbsd(54).on(On::V6)
        .says("Whether the payload of packets has to be encrypted by IPsec.", "ipsec(4) of OpenBSD"),
    option("IPV6_ESP_NETWORK_LEVEL", Ipv6, Choice(IPSEC_LEVELS))
        .openbsd(55).on(On::V6)
        .says("Whether whole packets have to be encrypted by IPsec.", "ipsec(4) of OpenBSD"),
    option("IPV6_IPCOMP_LEVEL", Ipv6, Choice(IPSEC_LEVELS))
        .openbsd(60).on(On::V6)
        .says("Whether packets have to be compressed by IPsec.", "ipsec(4) of OpenBSD"),
    option("IPV6_RECVDSTADDR", Ipv6, Flag)
        .windows(25).on(On::UDP6_RAW6)
        .says("Receives beside each packet the address that it was sent to.", "Windows: ws2ipdef.h"),
    option("IPV6_UNICAST_IF", Ipv6, InterfaceBe)
        .linux(76).windows(31).on(On::V6).since("Linux 3.4")
        .says("Sends through this interface what is no multicast.", "linux: include/uapi/linux/in6.h"),
    option("IPV6_BOUND_IF", Ipv6, Interface)
        .macos(125).on(On::V6)
        .says("Sends and receives through this interface only.", "netinet6/in6.h of macOS"),
    option("IPV6_MULTICAST_HOPS", Ipv6, Int(Unit::Hops))
        .linux(18).bsds(10).windows(10).on(On::UDP6_RAW6).within("0 to 255, or -1")
        .says("How many routers multicast may pass; -1 is the system's choice, which is 1.", "ipv6(7)"),
    option("IPV6_MULTICAST_LOOP", Ipv6, Flag)
        .linux(19).bsds(11).windows(11).on(On::UDP6_RAW6)
        .says("Whether this machine receives its own multicast. On Windows the receiver sets it, else the sender.", "ipv6(7)"),
    option("IPV6_MULTICAST_IF", Ipv6, Interface)
        .linux(17).bsds(9).windows(9).on(On::UDP6_RAW6)
        .says("The interface that multicast leaves by; any is the system's choice.", "ipv6(7)"),
    option("IPV6_MULTICAST_ALL", Ipv6, Flag)
        .linux(29).on(On::UDP6_RAW6).since("Linux 4.20")
        .says("Whether the socket receives multicast of every group that any socket here has joined.", "linux: include/uapi/linux/in6.h"),
    option("IPV6_ADD_MEMBERSHIP", Ipv6, Member6)
        .linux(20).bsds(12).windows(12).on(On::UDP6_RAW6).also(&["IPV6_JOIN_GROUP"]).write_only()
        .says("Joins a multicast group: group or group%interface.", "ipv6(7)"),
    option("IPV6_DROP_MEMBERSHIP", Ipv6, Member6)
        .linux(21).bsds(13).windows(13).on(On::UDP6_RAW6).also(&["IPV6_LEAVE_GROUP"]).write_only()
        .says("Leaves a multicast group.", "ipv6(7)"),
    option("IPV6_JOIN_ANYCAST", Ipv6, Member6)
        .linux(27).on(On::UDP6_RAW6).write_only().needs("CAP_NET_ADMIN")
        .says("Joins an anycast address.", "linux: include/uapi/linux/in6.h"),
    option("IPV6_LEAVE_ANYCAST", Ipv6, Member6)
        .linux(28).on(On::UDP6_RAW6).write_only()
        .says("Leaves an anycast address.", "linux: include/uapi/linux/in6.h"),
    option("IPV6_ROUTER_ALERT", Ipv6, Int(Unit::None))
        .linux(22).on(On::RAW6)
        .says("Receives the packets that carry the router alert option with this value; -1 ends it.", "ipv6(7)"),
    option("IPV6_ROUTER_ALERT_ISOLATE", Ipv6, Flag)
        .linux(30).on(On::RAW6).since("Linux 5.1")
        .says("Receives router alerts of its own network namespace only.", "linux: include/uapi/linux/in6.h"),
    option("IPV6_IPSEC_POLICY", Ipv6, Struct("sadb_x_policy"))
        .linux(34).macos(28).freebsd(28).netbsd(28).dragonfly(28).on(On::V6).write_only().needs("CAP_NET_ADMIN")
        .says("The IPsec policy of the socket.", "linux: include/uapi/linux/in6.h"),
    option("IPV6_XFRM_POLICY", Ipv6, Struct("xfrm_userpolicy_info"))
        .linux(35).on(On::V6).write_only().needs("CAP_NET_ADMIN")
        .says("The IPsec policy of the socket.", "linux: include/uapi/linux/in6.h"),
    option("IPV6_2292PKTOPTIONS", Ipv6, Struct("cmsghdr"))
        .linux(6).on(On::TCP6).read_only()
        .says("What came beside the last packet of a stream, by the old RFC 2292.", "linux: include/uapi/linux/in6.h"),
    option("IPV6_2292PKTINFO", Ipv6, Flag)
        .linux(2).on(On::UDP6_RAW6)
        .says("As IPV6_RECVPKTINFO, by the old RFC 2292.", "linux: include/uapi/linux/in6.h"),
    option("IPV6_2292HOPLIMIT", Ipv6, Flag)
        .linux(8).on(On::UDP6_RAW6)
        .says("As IPV6_RECVHOPLIMIT, by the old RFC 2292.", "linux: include/uapi/linux/in6.h"),
    option("IPV6_2292HOPOPTS", Ipv6, Flag)
        .linux(3).on(On::UDP6_RAW6)
        .says("As IPV6_RECVHOPOPTS, by the old RFC 2292.", "linux: include/uapi/linux/in6.h"),
    option("IPV6_2292DSTOPTS", Ipv6, Flag)
        .linux(4).on(On::UDP6_RAW6)
        .says("As IPV6_RECVDSTOPTS, by the old RFC 2292.", "linux: include/uapi/linux/in6.h"),
    option("IPV6_2292RTHDR", Ipv6, Flag)
        .linux(5).on(On::UDP6_RAW6)
        .says("As IPV6_RECVRTHDR, by the old RFC 2292.", "linux: include/uapi/linux/in6.h"),
    option("IPV6_PROTECTION_LEVEL", Ipv6, Int(Unit::None))
        .windows(23).on(On::V6)
        .says("Which networks may reach the socket: 10 unrestricted, 20 edge-restricted, 30 restricted.", "Windows: IPPROTO_IPV6 socket options"),
    option("IPV6_USER_MTU", Ipv6, Uint(Unit::Bytes))
        .windows(76).on(On::UDP6_RAW6)
        .says("The largest packet that is sent, if smaller than the path's.", "Windows: IPPROTO_IPV6 socket options"),
    option("IPV6_RECVIF", Ipv6, Flag)
        .windows(24).on(On::UDP6_RAW6)
        .says("Receives beside each packet its interface.", "Windows: IPPROTO_IPV6 socket options"),
    option("IPV6_RECVECN", Ipv6, Flag)
        .windows(50).on(On::UDP6_RAW6)
        .says("Receives the ECN bits of each packet beside it.", "Windows: IPPROTO_IPV6 socket options"),
];
