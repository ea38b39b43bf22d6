//! IPv4, with its multicast.

use super::names::{IPSEC_LEVELS, PMTU};
use crate::core::options::form::Form::{
    Address4, Choice, Flag, Int, Interface, InterfaceBe, Member4, Ports, Struct, Traffic, Uint,
};
use crate::core::options::form::Unit;
use crate::core::options::info::Level::Ip;
use crate::core::options::info::{On, OptionInfo, option};

/// The rows, a paragraph each.
#[rustfmt::skip]
pub(super) static IP: &[OptionInfo] = &[
    option("IP_TOS", Ip, Traffic)
        .linux(1).bsds(3).windows(3).on(On::V4)
        .says("The class of service of what is sent: the name of a DSCP (EF, AF41, CS1) or a number. Routers beyond your own may ignore or clear it; TCP keeps the two ECN bits for itself.", "ip(7)"),
    option("IP_TTL", Ip, Int(Unit::Hops))
        .linux(2).bsds(4).windows(4).on(On::V4).within("1 to 255, or -1")
        .says("How many routers a packet may pass; -1 is the system's choice.", "ip(7)"),
    option("IP_HDRINCL", Ip, Flag)
        .linux(3).bsds(2).windows(2).on(On::RAW4)
        .says("The program writes the IP header itself.", "raw(7), ip(7)"),
    option("IP_OPTIONS", Ip, Struct("options"))
        .linux(4).bsds(1).windows(1).on(On::V4)
        .says("IP options of every packet that is sent. Many routers drop packets that have some.", "ip(7)"),
    option("IP_MTU", Ip, Int(Unit::Bytes))
        .linux(14).windows(73).on(On::V4).read_only().connected()
        .says("The largest packet that the path is known to take. Only on a connected socket.", "ip(7)"),
    option("IP_MTU_DISCOVER", Ip, Choice(PMTU))
        .linux(10).windows(71).on(On::V4)
        .says("Whether packets may be fragmented on the way, and whether the path's MTU is learnt.", "ip(7)"),
    option("IP_DONTFRAG", Ip, Flag)
        .macos(28).freebsd(67).windows(14).on(On::UDP4_RAW4).also(&["IP_DONTFRAGMENT"])
        .says("Forbids fragmenting on the way.", "ip(4)"),
    option("IP_RECVERR", Ip, Flag)
        .linux(11).windows(75).on(On::V4)
        .says("Keeps errors of the network with the packet they belong to, on the error queue; UDP sockets then hear of every one.", "ip(7)"),
    option("IP_RECVERR_RFC4884", Ip, Flag)
        .linux(26).on(On::UDP4_RAW4).since("Linux 5.9")
        .says("With the extensions that ICMP messages carry.", "linux: include/uapi/linux/in.h"),
    option("IP_RECVTTL", Ip, Flag)
        .linux(12).macos(24).freebsd(65).openbsd(31).netbsd(23).dragonfly(65).windows(21).on(On::UDP4_RAW4)
        .says("Receives the TTL of each packet beside it.", "ip(7)"),
    option("IP_RECVTOS", Ip, Flag)
        .linux(13).macos(27).freebsd(68).windows(40).on(On::UDP4_RAW4)
        .says("Receives the class of service of each packet beside it.", "ip(7)"),
    option("IP_RECVOPTS", Ip, Flag)
        .linux(6).bsds(5).on(On::UDP4_RAW4)
        .says("Receives the IP options of each packet beside it.", "ip(7)"),
    option("IP_RETOPTS", Ip, Flag)
        .linux(7).on(On::UDP4_RAW4).also(&["IP_RECVRETOPTS"])
        .says("As IP_RECVOPTS, unprocessed and ready to be sent back.", "ip(7)"),
    option("IP_PKTINFO", Ip, Flag)
        .linux(8).macos(26).netbsd(25).windows(19).on(On::UDP4_RAW4)
        .says("Receives beside each packet the address that it was sent to and its interface.", "ip(7)"),
    option("IP_RECVPKTINFO", Ip, Flag)
        .netbsd(26).on(On::UDP4_RAW4)
        .says("Receives beside each packet the address that it was sent to and its interface.", "ip(4) of NetBSD"),
    option("IP_RECVDSTPORT", Ip, Flag)
        .openbsd(33).on(On::UDP4)
        .says("Receives beside each datagram the port that it was sent to.", "ip(4) of OpenBSD"),
    option("IP_RECVRTABLE", Ip, Flag)
        .openbsd(35).on(On::UDP4_RAW4)
        .says("Receives beside each packet the routing domain that it came in by.", "ip(4) of OpenBSD"),
    option("IP_RECVDSTADDR", Ip, Flag)
        .bsds(7).windows(25).on(On::UDP4_RAW4)
        .says("Receives beside each packet the address that it was sent to.", "ip(4)"),
    option("IP_RECVIF", Ip, Flag)
        .macos(20).freebsd(20).openbsd(30).netbsd(20).dragonfly(20).windows(24).on(On::UDP4_RAW4)
        .says("Receives beside each packet its interface.", "ip(4)"),
    option("IP_PASSSEC", Ip, Flag)
        .linux(18).on(On::UDP4_RAW4).since("Linux 2.6.17")
        .says("Receives the security label of each packet beside it.", "ip(7)"),
    option("IP_ORIGDSTADDR", Ip, Flag)
        .linux(20).freebsd(27).on(On::UDP4_RAW4).also(&["IP_RECVORIGDSTADDR"]).since("Linux 2.6.29")
        .says("Receives beside each packet the address that it had before the firewall changed it.", "ip(7)"),
    option("IP_RECVFRAGSIZE", Ip, Flag)
        .linux(25).on(On::UDP4_RAW4).since("Linux 4.14")
        .says("Receives beside each packet the size of its largest fragment.", "linux: include/uapi/linux/in.h"),
    option("IP_CHECKSUM", Ip, Flag)
        .linux(23).on(On::UDP4).since("Linux 4.0")
        .says("Receives the checksum of each packet beside it.", "linux: include/uapi/linux/in.h"),
    option("IP_MINTTL", Ip, Int(Unit::Hops))
        .linux(21).freebsd(66).openbsd(32).netbsd(24).dragonfly(66).on(On::V4).since("Linux 2.6.34").within("0 to 255")
        .says("Drops packets whose TTL is smaller: 255 lets in only those of direct neighbours (RFC 5082).", "linux: include/uapi/linux/in.h"),
    option("IP_FREEBIND", Ip, Flag)
        .linux(15).on(On::V4).early().since("Linux 2.4")
        .says("Binds an address that this machine does not have, or not yet.", "ip(7)"),
    option("IP_TRANSPARENT", Ip, Flag)
        .linux(19).on(On::V4).early().since("Linux 2.6.24").needs("CAP_NET_ADMIN or CAP_NET_RAW")
        .says("Binds and accepts for addresses of others: a transparent proxy.", "ip(7)"),
    option("IP_BINDANY", Ip, Flag)
        .freebsd(24).netbsd(27).on(On::V4).early().needs("root")
        .says("Binds addresses that this machine does not have.", "ip(4)"),
    option("IP_BINDMULTI", Ip, Flag)
        .freebsd(25).on(On::V4).early()
        .says("Lets several sockets of one user bind the same port.", "netinet/in.h of FreeBSD"),
    option("IP_BIND_ADDRESS_NO_PORT", Ip, Flag)
        .linux(24).on(On::V4).early().since("Linux 4.2")
        .says("Binds the address alone and chooses the port when connecting, so that the ports last longer.", "ip(7)"),
    option("IP_LOCAL_PORT_RANGE", Ip, Ports)
        .linux(51).on(On::V4).early().since("Linux 6.3")
        .says("The range of the system's choice of a local port, low and high; off is the system's.", "ip(7)"),
    option("IP_PORTRANGE", Ip, Int(Unit::None))
        .bsds(19).on(On::V4).early()
        .says("Which range the local port is chosen from: 0 default, 1 high, 2 low.", "ip(4)"),
    option("IP_PORTALGO", Ip, Int(Unit::None))
        .netbsd(18).on(On::V4).early()
        .says("How the local port is chosen (RFC 6056), as a number of netinet/portalgo.h.", "ip(4) of NetBSD"),
    option("IP_PROTOCOL", Ip, Int(Unit::None))
        .linux(52).on(On::RAW4).read_only().since("Linux 6.4")
        .says("The protocol of a raw socket, up to 255.", "linux: include/uapi/linux/in.h"),
    option("IP_NODEFRAG", Ip, Flag)
        .linux(22).on(On::RAW4).since("Linux 2.6.36")
        .says("Sends fragments as they are given, without putting them together first.", "ip(7)"),
    option("IP_ONESBCAST", Ip, Flag)
        .freebsd(23).on(On::UDP4_RAW4)
        .says("Sends a broadcast to a network as one to 255.255.255.255.", "ip(4) of FreeBSD"),
    option("IP_VLAN_PCP", Ip, Int(Unit::None))
        .freebsd(75).on(On::V4)
        .says("The priority in the VLAN tag of what is sent, 0 to 7; -1 is the interface's.", "ip(4) of FreeBSD"),
    option("IP_FLOWID", Ip, Uint(Unit::None))
        .freebsd(90).on(On::V4).read_only()
        .says("The number by which the network card knows the flow of the socket.", "netinet/in.h of FreeBSD"),
    option("IP_FLOWTYPE", Ip, Uint(Unit::None))
        .freebsd(91).on(On::V4).read_only()
        .says("How that number was made.", "netinet/in.h of FreeBSD"),
    option("IP_RSSBUCKETID", Ip, Uint(Unit::None))
        .freebsd(92).on(On::V4).read_only()
        .says("Which queue of the network card has the flow of the socket.", "netinet/in.h of FreeBSD"),
    option("IP_RECVFLOWID", Ip, Flag)
        .freebsd(93).on(On::UDP4)
        .says("Receives beside each datagram the number of its flow.", "netinet/in.h of FreeBSD"),
    option("IP_RECVRSSBUCKETID", Ip, Flag)
        .freebsd(94).on(On::UDP4)
        .says("Receives beside each datagram the queue of the network card that it came by.", "netinet/in.h of FreeBSD"),
    option("IP_IPDEFTTL", Ip, Int(Unit::Hops))
        .openbsd(37).on(On::V4).read_only()
        .says("The TTL that the system chooses.", "netinet/in.h of OpenBSD"),
    option("IP_AUTH_LEVEL", Ip, Choice(IPSEC_LEVELS))
        .openbsd(20).on(On::V4)
        .says("Whether packets have to be authenticated by IPsec.", "ipsec(4) of OpenBSD"),
    option("IP_ESP_TRANS_LEVEL", Ip, Choice(IPSEC_LEVELS))
        .openbsd(21).on(On::V4)
        .says("Whether the payload of packets has to be encrypted by IPsec.", "ipsec(4) of OpenBSD"),
    option("IP_ESP_NETWORK_LEVEL", Ip, Choice(IPSEC_LEVELS))
        .openbsd(22).on(On::V4)
        .says("Whether whole packets have to be encrypted by IPsec.", "ipsec(4) of OpenBSD"),
    option("IP_IPCOMP_LEVEL", Ip, Choice(IPSEC_LEVELS))
        .openbsd(29).on(On::V4)
        .says("Whether packets have to be compressed by IPsec.", "ipsec(4) of OpenBSD"),
    option("IP_ROUTER_ALERT", Ip, Int(Unit::None))
        .linux(5).on(On::RAW4)
        .says("Receives the packets that carry the router alert option.", "ip(7)"),
    option("IP_UNICAST_IF", Ip, InterfaceBe)
        .linux(50).windows(31).on(On::V4).since("Linux 3.4")
        .says("Sends through this interface what is no multicast, unless the socket is bound to another.", "linux: include/uapi/linux/in.h"),
    option("IP_BOUND_IF", Ip, Interface)
        .macos(25).on(On::V4)
        .says("Sends and receives through this interface only.", "netinet/in.h of macOS"),
    option("IP_MULTICAST_TTL", Ip, Int(Unit::Hops))
        .linux(33).bsds(10).windows(10).on(On::UDP4_RAW4).octet().within("0 to 255, or -1")
        .says("How many routers multicast may pass; 1 stays in the local network.", "ip(7)"),
    option("IP_MULTICAST_LOOP", Ip, Flag)
        .linux(34).bsds(11).windows(11).on(On::UDP4_RAW4).octet()
        .says("Whether this machine receives its own multicast. On Windows the receiver sets it, else the sender.", "ip(7)"),
    option("IP_MULTICAST_IF", Ip, Address4)
        .linux(32).bsds(9).windows(9).on(On::UDP4_RAW4)
        .says("The address of the interface that multicast leaves by; 0.0.0.0 is the system's choice.", "ip(7)"),
    option("IP_MULTICAST_IFINDEX", Ip, Interface)
        .macos(66).on(On::UDP4_RAW4)
        .says("As IP_MULTICAST_IF, by the number of the interface.", "netinet/in.h of macOS"),
    option("IP_STRIPHDR", Ip, Flag)
        .macos(23).on(On::RAW4)
        .says("Leaves out the IP header of what a raw socket receives.", "netinet/in.h of macOS"),
    option("IP_MULTICAST_ALL", Ip, Flag)
        .linux(49).on(On::UDP4_RAW4).since("Linux 2.6.31")
        .says("Whether the socket receives multicast of every group that any socket here has joined. On is the default, and surprises.", "ip(7)"),
    option("IP_ADD_MEMBERSHIP", Ip, Member4)
        .linux(35).bsds(12).windows(12).on(On::UDP4_RAW4).write_only()
        .says("Joins a multicast group: group or group%interface.", "ip(7)"),
    option("IP_DROP_MEMBERSHIP", Ip, Member4)
        .linux(36).bsds(13).windows(13).on(On::UDP4_RAW4).write_only()
        .says("Leaves a multicast group.", "ip(7)"),
    option("IP_ADD_SOURCE_MEMBERSHIP", Ip, Struct("ip_mreq_source"))
        .linux(39).macos(70).freebsd(70).windows(15).on(On::UDP4_RAW4).write_only()
        .says("Joins a group for one sender only.", "ip(7)"),
    option("IP_DROP_SOURCE_MEMBERSHIP", Ip, Struct("ip_mreq_source"))
        .linux(40).macos(71).freebsd(71).windows(16).on(On::UDP4_RAW4).write_only()
        .says("Leaves a group for one sender.", "ip(7)"),
    option("IP_BLOCK_SOURCE", Ip, Struct("ip_mreq_source"))
        .linux(38).macos(72).freebsd(72).windows(17).on(On::UDP4_RAW4).write_only()
        .says("Mutes one sender of a group.", "ip(7)"),
    option("IP_UNBLOCK_SOURCE", Ip, Struct("ip_mreq_source"))
        .linux(37).macos(73).freebsd(73).windows(18).on(On::UDP4_RAW4).write_only()
        .says("Hears a muted sender again.", "ip(7)"),
    option("IP_MSFILTER", Ip, Struct("ip_msfilter"))
        .linux(41).on(On::UDP4_RAW4).never("it needs a group in its buffer")
        .says("The senders of a group that are heard or not.", "ip(7)"),
    option("MCAST_JOIN_GROUP", Ip, Struct("group_req"))
        .linux(42).macos(80).freebsd(80).windows(41).on(On::UDP4_RAW4).write_only()
        .says("Joins a group of either IP version.", "RFC 3678 section 5.1"),
    option("MCAST_LEAVE_GROUP", Ip, Struct("group_req"))
        .linux(45).macos(81).freebsd(81).windows(42).on(On::UDP4_RAW4).write_only()
        .says("Leaves a group of either IP version.", "RFC 3678 section 5.1"),
    option("MCAST_JOIN_SOURCE_GROUP", Ip, Struct("group_req"))
        .linux(46).macos(82).freebsd(82).windows(45).on(On::UDP4_RAW4).write_only()
        .says("Joins a group for one sender only.", "RFC 3678 section 5.1"),
    option("MCAST_LEAVE_SOURCE_GROUP", Ip, Struct("group_req"))
        .linux(47).macos(83).freebsd(83).windows(46).on(On::UDP4_RAW4).write_only()
        .says("Leaves a group for one sender.", "RFC 3678 section 5.1"),
    option("MCAST_BLOCK_SOURCE", Ip, Struct("group_req"))
        .linux(43).macos(84).freebsd(84).windows(43).on(On::UDP4_RAW4).write_only()
        .says("Mutes one sender of a group.", "RFC 3678 section 5.1"),
    option("MCAST_UNBLOCK_SOURCE", Ip, Struct("group_req"))
        .linux(44).macos(85).freebsd(85).windows(44).on(On::UDP4_RAW4).write_only()
        .says("Hears a muted sender again.", "RFC 3678 section 5.1"),
    option("MCAST_MSFILTER", Ip, Struct("group_filter"))
        .linux(48).on(On::UDP4_RAW4).never("it needs a group in its buffer")
        .says("The senders of a group that are heard or not.", "RFC 3678 section 5.2"),
    option("IP_IPSEC_POLICY", Ip, Struct("sadb_x_policy"))
        .linux(16).macos(21).freebsd(21).netbsd(22).on(On::V4).write_only().needs("CAP_NET_ADMIN")
        .says("The IPsec policy of the socket.", "linux: include/uapi/linux/in.h"),
    option("IP_XFRM_POLICY", Ip, Struct("xfrm_userpolicy_info"))
        .linux(17).on(On::V4).write_only().needs("CAP_NET_ADMIN")
        .says("The IPsec policy of the socket.", "linux: include/uapi/linux/in.h"),
    option("IP_PKTOPTIONS", Ip, Struct("cmsghdr"))
        .linux(9).on(On::TCP4).read_only()
        .says("What came beside the last packet of a stream.", "linux: include/uapi/linux/in.h"),
    option("IP_RECEIVE_BROADCAST", Ip, Flag)
        .windows(22).on(On::UDP4)
        .says("Whether broadcasts are received.", "Windows: IPPROTO_IP socket options"),
    option("IP_USER_MTU", Ip, Uint(Unit::Bytes))
        .windows(76).on(On::UDP4_RAW4)
        .says("The largest packet that is sent, if smaller than the path's.", "Windows: IPPROTO_IP socket options"),
    option("IP_ORIGINAL_ARRIVAL_IF", Ip, Flag)
        .windows(47).on(On::UDP4_RAW4)
        .says("Receives beside each packet the interface that it first came in by.", "Windows: IPPROTO_IP socket options"),
    option("IP_RECVECN", Ip, Flag)
        .windows(50).on(On::UDP4_RAW4)
        .says("Receives the ECN bits of each packet beside it.", "Windows: IPPROTO_IP socket options"),
    option("IP_HOPLIMIT", Ip, Flag)
        .windows(21).on(On::NONE)
        .says("Receives the TTL of each packet beside it, as IP_RECVTTL.", "Windows: IPPROTO_IP socket options"),
];
