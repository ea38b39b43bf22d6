//! Packet sockets and raw sockets.

use crate::core::options::form::Form::{Flag, Int, Struct, Uint};
use crate::core::options::form::Unit;
use crate::core::options::info::Level::{Icmpv6, Packet, Raw};
use crate::core::options::info::{On, OptionInfo, option};

/// The rows, a paragraph each.
#[rustfmt::skip]
pub(super) static RAW: &[OptionInfo] = &[
    option("PACKET_ADD_MEMBERSHIP", Packet, Struct("packet_mreq"))
        .linux(1).on(On::PACKET).write_only()
        .says("Receives multicast or, promiscuously, everything on an interface.", "packet(7)"),
    option("PACKET_DROP_MEMBERSHIP", Packet, Struct("packet_mreq"))
        .linux(2).on(On::PACKET).write_only()
        .says("Undoes PACKET_ADD_MEMBERSHIP.", "packet(7)"),
    option("PACKET_AUXDATA", Packet, Flag)
        .linux(8).on(On::PACKET).since("Linux 2.6.21")
        .says("Receives length, VLAN and status of each packet beside it.", "packet(7)"),
    option("PACKET_COPY_THRESH", Packet, Int(Unit::Bytes))
        .linux(7).on(On::PACKET).write_only()
        .says("Packets longer than the ring's frames are queued whole too.", "linux: include/uapi/linux/if_packet.h"),
    option("PACKET_FANOUT", Packet, Struct("fanout_args"))
        .linux(18).on(On::PACKET).once().since("Linux 3.1")
        .says("Shares packets out among several sockets. Cannot be changed once set.", "packet(7)"),
    option("PACKET_FANOUT_DATA", Packet, Struct("sock_fprog"))
        .linux(22).on(On::PACKET).write_only().pointer().since("Linux 4.3")
        .says("The program that shares packets out. The value holds a pointer.", "linux: include/uapi/linux/if_packet.h"),
    option("PACKET_HDRLEN", Packet, Int(Unit::Bytes))
        .linux(11).on(On::PACKET).read_only().never("it needs a version in its buffer")
        .says("How long a frame header of a ring is.", "linux: include/uapi/linux/if_packet.h"),
    option("PACKET_IGNORE_OUTGOING", Packet, Flag)
        .linux(23).on(On::PACKET).since("Linux 4.20")
        .says("Does not receive what this machine sends.", "packet(7)"),
    option("PACKET_LOSS", Packet, Flag)
        .linux(14).on(On::PACKET)
        .says("Skips malformed packets of a ring instead of stopping.", "packet(7)"),
    option("PACKET_ORIGDEV", Packet, Flag)
        .linux(9).on(On::PACKET)
        .says("Receives with each packet the real interface instead of the bond.", "linux: include/uapi/linux/if_packet.h"),
    option("PACKET_QDISC_BYPASS", Packet, Flag)
        .linux(20).on(On::PACKET).since("Linux 3.14")
        .says("Sends past the queue of the interface.", "packet(7)"),
    option("PACKET_RESERVE", Packet, Int(Unit::Bytes))
        .linux(12).on(On::PACKET)
        .says("Room before each frame of a ring.", "packet(7)"),
    option("PACKET_ROLLOVER_STATS", Packet, Struct("tpacket_rollover_stats"))
        .linux(21).on(On::PACKET).read_only().since("Linux 4.2")
        .says("How often another socket of the group had to take over.", "linux: include/uapi/linux/if_packet.h"),
    option("PACKET_RX_RING", Packet, Struct("tpacket_req"))
        .linux(5).on(On::PACKET).write_only()
        .says("A ring of received packets in shared memory.", "packet(7)"),
    option("PACKET_TX_RING", Packet, Struct("tpacket_req"))
        .linux(13).on(On::PACKET).write_only()
        .says("A ring of packets to be sent in shared memory.", "packet(7)"),
    option("PACKET_STATISTICS", Packet, Struct("tpacket_stats"))
        .linux(6).on(On::PACKET).read_only().never("reading it sets the counters to 0")
        .says("How many packets came and how many were dropped.", "packet(7)"),
    option("PACKET_TIMESTAMP", Packet, Int(Unit::None))
        .linux(17).on(On::PACKET)
        .says("Which times the packets of a ring have.", "packet(7)"),
    option("PACKET_TX_HAS_OFF", Packet, Flag)
        .linux(19).on(On::PACKET)
        .says("Where the data of a frame of a ring begins is said in the frame.", "linux: include/uapi/linux/if_packet.h"),
    option("PACKET_VERSION", Packet, Int(Unit::None))
        .linux(10).on(On::PACKET).within("0, 1 or 2")
        .says("The version of a ring: 0, 1 or 2.", "packet(7)"),
    option("PACKET_VNET_HDR", Packet, Flag)
        .linux(15).on(On::PACKET)
        .says("Each packet has a header for offloading before it.", "linux: include/uapi/linux/if_packet.h"),
    option("PACKET_VNET_HDR_SZ", Packet, Int(Unit::Bytes))
        .linux(24).on(On::PACKET).since("Linux 6.6")
        .says("As PACKET_VNET_HDR, and how long that header is.", "linux: include/uapi/linux/if_packet.h"),
    option("ICMP_FILTER", Raw, Uint(Unit::None))
        .linux(1).on(On::RAW4)
        .says("Which ICMP types a raw socket does not receive, a bit for each.", "raw(7)"),
    option("ICMP6_FILTER", Icmpv6, Struct("icmp6_filter"))
        .linux(1).bsds(18).on(On::RAW6)
        .says("Which ICMPv6 types a raw socket receives, a bit for each.", "RFC 3542 section 3.2"),
];
