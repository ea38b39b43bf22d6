//! UDP and UDP-Lite.

use super::names::ENCAP;
use crate::core::options::form::Form::{Choice, Flag, Int, Uint};
use crate::core::options::form::Unit;
use crate::core::options::info::Level::{Udp, UdpLite};
use crate::core::options::info::{On, OptionInfo, option};

/// The rows, a paragraph each.
#[rustfmt::skip]
pub(super) static UDP: &[OptionInfo] = &[
    option("UDP_CORK", Udp, Flag)
        .linux(1).on(On::UDP)
        .says("Gathers all that is sent into one datagram, which leaves when it is switched off.", "udp(7)"),
    option("UDP_ENCAP", Udp, Choice(ENCAP))
        .linux(100).on(On::UDP).since("Linux 2.5.67")
        .says("Which protocol inside UDP the kernel takes out: IPsec, L2TP, GTP.", "udp(7)"),
    option("UDP_NO_CHECK6_TX", Udp, Flag)
        .linux(101).on(On::UDP).since("Linux 3.16")
        .says("Sends without checksum over IPv6, which only tunnels may (RFC 6935).", "linux: include/uapi/linux/udp.h"),
    option("UDP_NO_CHECK6_RX", Udp, Flag)
        .linux(102).on(On::UDP).since("Linux 3.16")
        .says("Takes datagrams without checksum over IPv6.", "linux: include/uapi/linux/udp.h"),
    option("UDP_SEGMENT", Udp, Int(Unit::Bytes))
        .linux(103).on(On::UDP).since("Linux 4.18").within("0 to 65535 bytes")
        .says("Cuts each send into datagrams of this size, many at the price of one.", "udp(7)"),
    option("UDP_GRO", Udp, Flag)
        .linux(104).on(On::UDP).since("Linux 5.0")
        .says("Receives several datagrams of one flow in one piece, with their size beside it. A program that does not look at it sees one long datagram.", "udp(7)"),
    option("UDP_NOCKSUM", Udp, Flag)
        .macos(1).on(On::UDP)
        .says("Sends without checksum.", "netinet/udp.h of macOS"),
    option("UDP_NOCHECKSUM", Udp, Flag)
        .windows(1).on(On::UDP)
        .says("Sends without checksum.", "Windows: IPPROTO_UDP socket options"),
    option("UDP_SEND_MSG_SIZE", Udp, Uint(Unit::Bytes))
        .windows(2).on(On::UDP)
        .says("Cuts each send into datagrams of this size.", "Windows: IPPROTO_UDP socket options"),
    option("UDP_RECV_MAX_COALESCED_SIZE", Udp, Uint(Unit::Bytes))
        .windows(3).on(On::UDP)
        .says("Receives several datagrams of one flow in one piece of at most this size.", "Windows: IPPROTO_UDP socket options"),
    option("UDP_CHECKSUM_COVERAGE", Udp, Flag)
        .windows(20).on(On::UDP)
        .says("Whether the checksum covers the data.", "Windows: IPPROTO_UDP socket options"),
    option("UDPLITE_SEND_CSCOV", UdpLite, Int(Unit::Bytes))
        .linux(10).freebsd(2).on(On::NONE).since("Linux 2.6.20, until 7.0")
        .says("How many bytes of what is sent the checksum covers.", "udplite(7)"),
    option("UDPLITE_RECV_CSCOV", UdpLite, Int(Unit::Bytes))
        .linux(11).freebsd(4).on(On::NONE).since("Linux 2.6.20, until 7.0")
        .says("How many bytes the checksum of what is received has to cover.", "udplite(7)"),
];
