//! Options of every socket: `SOL_SOCKET`, those that several systems share and those of Linux.

use super::names::{BUFFER_LOCKS, FAMILIES, PROTOCOLS, SOCKET_TYPES, TIMESTAMPING, TXREHASH};
use crate::core::options::form::Form::{
    Choice, Flag, Flags, Int, Interface, Linger, Long, Struct, Text, Time, Uint,
};
use crate::core::options::form::Unit;
use crate::core::options::info::Level::Socket;
use crate::core::options::info::{On, OptionInfo, option};

/// The rows, a paragraph each.
#[rustfmt::skip]
pub(super) static SOCKET: &[OptionInfo] = &[
    option("SO_ACCEPTCONN", Socket, Flag)
        .linux(30).bsds(2).windows(2).read_only()
        .says("Whether the socket listens.", "socket(7)"),
    option("SO_BROADCAST", Socket, Flag)
        .linux(6).bsds(32).windows(32).on(On::DATAGRAM)
        .says("Lets datagrams be sent to a broadcast address; without it sending to one fails with \"permission denied\". Streams take the option and ignore it.", "socket(7)"),
    option("SO_DEBUG", Socket, Flag)
        .linux(1).bsds(1).windows(1).needs("CAP_NET_ADMIN")
        .says("Has the kernel record the packets of the socket for debugging; Linux does next to nothing with it.", "socket(7)"),
    option("SO_DONTROUTE", Socket, Flag)
        .linux(5).bsds(16).windows(16).on(On::INET)
        .says("Sends only to hosts on directly connected networks, past every gateway.", "socket(7)"),
    option("SO_ERROR", Socket, Int(Unit::None))
        .linux(4).bsds(0x1007).windows(0x1007).read_only().never("reading it clears the error, which the program that owns the socket would then miss")
        .says("The error that is pending on the socket, as a number of the system.", "socket(7)"),
    option("SO_KEEPALIVE", Socket, Flag)
        .linux(9).bsds(8).windows(8).on(On::TCP)
        .says("Asks a silent peer now and then whether it is still there. The system waits two hours before the first question unless TCP_KEEPIDLE says otherwise.", "socket(7)"),
    option("SO_LINGER", Socket, Linger)
        .linux(13).bsds(128).windows(128)
        .says("How long close waits for what is unsent. With 0s the connection is reset and what is unsent is thrown away.", "socket(7)"),
    option("SO_OOBINLINE", Socket, Flag)
        .linux(10).bsds(0x100).windows(0x100).on(On::TCP)
        .says("Leaves urgent data in the stream instead of aside of it.", "socket(7)"),
    option("SO_RCVBUF", Socket, Int(Unit::Bytes))
        .linux(8).bsds(0x1002).windows(0x1002)
        .says("The receive buffer. Linux doubles what is asked for, to have room for its own records, caps it at net.core.rmem_max, and stops tuning the buffer itself from then on. Set it before connecting or listening: it decides the window scale.", "socket(7), tcp(7)"),
    option("SO_RCVLOWAT", Socket, Int(Unit::Bytes))
        .linux(18).bsds(0x1004).windows(0x1004)
        .says("How many bytes have to be there before the socket counts as readable. Windows knows the name only.", "socket(7)"),
    option("SO_RCVTIMEO", Socket, Time)
        .linux(20).macos(0x1006).freebsd(0x1006).openbsd(0x1006).netbsd(0x100c).dragonfly(0x1006).windows(0x1006)
        .says("How long a blocking receive waits before it fails with \"would block\"; off is for ever.", "socket(7)"),
    option("SO_REUSEADDR", Socket, Flag)
        .linux(2).bsds(4).windows(4).on(On::INET).early()
        .says("Lets a server bind its port while connections of its predecessor are in TIME-WAIT. On Windows it lets any process take the port of another.", "socket(7)"),
    option("SO_REUSEPORT", Socket, Flag)
        .linux(15).bsds(0x200).on(On::INET).early().since("Linux 3.9")
        .says("Lets several sockets of one user bind the same port; Linux shares connections out among them, the BSDs give datagrams of a group to all. Each of the sockets has to set it before it binds.", "socket(7)"),
    option("SO_SNDBUF", Socket, Int(Unit::Bytes))
        .linux(7).bsds(0x1001).windows(0x1001)
        .says("The send buffer. Linux doubles what is asked for, to have room for its own records, caps it at net.core.wmem_max, and stops tuning the buffer itself from then on.", "socket(7), tcp(7)"),
    option("SO_SNDLOWAT", Socket, Int(Unit::Bytes))
        .linux(19).bsds(0x1003).windows(0x1003)
        .says("How many bytes of room make the socket writable. On Linux it is always 1 and cannot be set.", "socket(7)"),
    option("SO_SNDTIMEO", Socket, Time)
        .linux(21).macos(0x1005).freebsd(0x1005).openbsd(0x1005).netbsd(0x100b).dragonfly(0x1005).windows(0x1005)
        .says("How long a blocking send or, on Linux, connect waits before it fails with \"would block\"; off is for ever.", "socket(7)"),
    option("SO_TIMESTAMP", Socket, Flag)
        .linux(29).macos(0x400).freebsd(0x400).openbsd(0x800).netbsd(0x2000).dragonfly(0x400).on(On::DATAGRAM.or(On::TCP))
        .says("Receives each datagram, and on Linux since 4.14 what comes by TCP, with the time at which it came, in microseconds.", "socket(7)"),
    option("SO_TYPE", Socket, Choice(SOCKET_TYPES))
        .linux(3).bsds(0x1008).windows(0x1008).read_only()
        .says("The type of the socket.", "socket(7)"),
    option("SO_USELOOPBACK", Socket, Flag)
        .bsds(64).windows(64).on(On::NONE)
        .says("Routing sockets only: whether the sender gets a copy of its own messages. Other sockets take it and ignore it.", "route(4)"),
    option("SO_DOMAIN", Socket, Choice(FAMILIES))
        .linux(39).freebsd(0x1019).openbsd(0x1024).read_only().since("Linux 2.6.32")
        .says("The address family of the socket, such as inet for IPv4.", "socket(7)"),
    option("SO_PROTOCOL", Socket, Choice(PROTOCOLS))
        .linux(38).freebsd(0x1016).openbsd(0x1025).read_only().since("Linux 2.6.32")
        .says("The protocol of the socket, such as tcp or udp.", "socket(7)"),
    option("SO_PRIORITY", Socket, Int(Unit::None))
        .linux(12).needs("CAP_NET_ADMIN above 6, or on newer kernels CAP_NET_RAW")
        .says("The priority of what is sent, for the queue of the interface. Above 6 it needs a privilege. Setting IP_TOS changes it too.", "socket(7)"),
    option("SO_MARK", Socket, Uint(Unit::None))
        .linux(36).on(On::INET.or(On::PACKET)).since("Linux 2.6.25").needs("CAP_NET_ADMIN, or since Linux 5.17 CAP_NET_RAW")
        .says("A number on every packet of the socket, by which firewall and routing rules know it.", "socket(7)"),
    option("SO_RCVMARK", Socket, Flag)
        .linux(75).on(On::INET).since("Linux 5.19").needs("CAP_NET_ADMIN or CAP_NET_RAW on older kernels")
        .says("Receives the mark of each packet beside it.", "linux: include/uapi/asm-generic/socket.h"),
    option("SO_BINDTODEVICE", Socket, Text(15))
        .linux(25).macos(0x1134).on(On::INET).needs("CAP_NET_RAW to change an interface that is set")
        .says("Sends and receives through this interface only; an empty name frees the socket again. Local addresses of other interfaces are then out of reach.", "socket(7)"),
    option("SO_BINDTOIFINDEX", Socket, Interface)
        .linux(62).on(On::INET).since("Linux 5.1").needs("CAP_NET_RAW to change an interface that is set")
        .says("As SO_BINDTODEVICE, by the number of the interface.", "linux: include/uapi/asm-generic/socket.h"),
    option("SO_RCVBUFFORCE", Socket, Int(Unit::Bytes))
        .linux(33).write_only().since("Linux 2.6.14").needs("CAP_NET_ADMIN")
        .says("As SO_RCVBUF, beyond net.core.rmem_max.", "socket(7)"),
    option("SO_SNDBUFFORCE", Socket, Int(Unit::Bytes))
        .linux(32).write_only().since("Linux 2.6.14").needs("CAP_NET_ADMIN")
        .says("As SO_SNDBUF, beyond net.core.wmem_max.", "socket(7)"),
    option("SO_BUF_LOCK", Socket, Flags(BUFFER_LOCKS))
        .linux(72).since("Linux 5.14")
        .says("Which buffers no longer tune themselves since their size was set.", "linux: include/uapi/linux/socket.h"),
    option("SO_RESERVE_MEM", Socket, Int(Unit::Bytes))
        .linux(73).on(On::INET).since("Linux 5.16")
        .says("Memory that is reserved for the socket beforehand; it needs a memory cgroup.", "linux: include/uapi/asm-generic/socket.h"),
    option("SO_MEMINFO", Socket, Struct("sk_meminfo"))
        .linux(55).read_only().since("Linux 4.12")
        .says("How much memory the socket uses for what.", "linux: include/uapi/linux/sock_diag.h"),
    option("SO_MAX_PACING_RATE", Socket, Long(Unit::BytesPerSecond))
        .linux(47).macos(0x1136).freebsd(0x1018).on(On::INET).since("Linux 3.13")
        .says("The most that is sent per second. With TCP it needs no queue discipline since Linux 4.13, else fq. All bits set is no limit.", "linux: include/uapi/asm-generic/socket.h"),
    option("SO_BUSY_POLL", Socket, Int(Unit::Micros))
        .linux(46).on(On::INET).since("Linux 3.11").needs("CAP_NET_ADMIN to raise it, on older kernels")
        .says("How long a receive polls the network card instead of waiting for an interrupt: less delay for more processor time.", "socket(7)"),
    option("SO_PREFER_BUSY_POLL", Socket, Flag)
        .linux(69).on(On::INET).since("Linux 5.11").needs("CAP_NET_ADMIN to switch it on")
        .says("Lets busy polling keep interrupts off for longer.", "linux: include/uapi/asm-generic/socket.h"),
    option("SO_BUSY_POLL_BUDGET", Socket, Int(Unit::Packets))
        .linux(70).on(On::INET).write_only().since("Linux 5.11").needs("CAP_NET_ADMIN above 64").within("0 to 65535")
        .says("How many packets busy polling takes at once.", "linux: include/uapi/asm-generic/socket.h"),
    option("SO_INCOMING_CPU", Socket, Int(Unit::None))
        .linux(49).on(On::INET).since("Linux 3.19")
        .says("The processor that handles the packets of the socket; on a group with SO_REUSEPORT it steers connections. -1 is none.", "socket(7)"),
    option("SO_INCOMING_NAPI_ID", Socket, Uint(Unit::None))
        .linux(56).on(On::INET).read_only().since("Linux 4.12")
        .says("The receive queue of the network card that served the socket last; 0 is unknown.", "socket(7)"),
    option("SO_COOKIE", Socket, Long(Unit::None))
        .linux(57).read_only().since("Linux 4.12")
        .says("A number that no other socket of this kernel has or had since it was started.", "linux: include/uapi/asm-generic/socket.h"),
    option("SO_NETNS_COOKIE", Socket, Long(Unit::None))
        .linux(71).read_only().since("Linux 5.14")
        .says("The number of the network namespace of the socket.", "linux: include/uapi/asm-generic/socket.h"),
    option("SO_ZEROCOPY", Socket, Flag)
        .linux(60).on(On::INET).since("Linux 4.14")
        .says("Allows sends with MSG_ZEROCOPY, which leave the data in place and report on the error queue when it is free again. It pays from about 10 KiB a send on.", "linux: Documentation/networking/msg_zerocopy.rst"),
    option("SO_TXTIME", Socket, Struct("sock_txtime"))
        .linux(61).on(On::UDP.or(On::RAW).or(On::PACKET)).since("Linux 4.19").needs("CAP_NET_ADMIN for other clocks than monotonic")
        .says("Lets each packet carry the time at which it is to be sent.", "linux: include/uapi/linux/net_tstamp.h"),
    option("SO_TXREHASH", Socket, Choice(TXREHASH))
        .linux(74).on(On::TCP).since("Linux 6.0")
        .says("Whether a connection that makes no progress tries another path by a new hash.", "linux: include/uapi/linux/socket.h"),
    option("SO_TIMESTAMPNS", Socket, Flag)
        .linux(35).on(On::DATAGRAM.or(On::TCP))
        .says("As SO_TIMESTAMP, in nanoseconds.", "socket(7)"),
    option("SO_TIMESTAMPING", Socket, Flags(TIMESTAMPING))
        .linux(37).on(On::INET.or(On::PACKET))
        .says("Which times are taken by software and hardware, of what is received and of what is sent.", "linux: Documentation/networking/timestamping.rst"),
    option("SO_NO_CHECK", Socket, Flag)
        .linux(11).on(On::UDP4)
        .says("Sends UDP without checksum (IPv4). Broken data then goes unnoticed.", "linux: include/uapi/asm-generic/socket.h"),
    option("SO_NOFCS", Socket, Flag)
        .linux(43).on(On::PACKET).since("Linux 3.3")
        .says("Packet sockets: the sender supplies the frame check sequence.", "linux: include/uapi/asm-generic/socket.h"),
    option("SO_RXQ_OVFL", Socket, Flag)
        .linux(40).on(On::DATAGRAM).since("Linux 2.6.33")
        .says("Receives beside each datagram how many were dropped because the buffer was full.", "socket(7)"),
    option("SO_PEEK_OFF", Socket, Int(Unit::None))
        .linux(42).on(On::PEEK).since("Linux 3.4")
        .says("Where a receive that only peeks begins; -1 is at the beginning each time. TCP has it since Linux 6.9.", "socket(7)"),
    option("SO_SELECT_ERR_QUEUE", Socket, Flag)
        .linux(45).on(On::INET).since("Linux 3.10")
        .says("Lets a message on the error queue wake a poll for exceptional conditions.", "socket(7)"),
    option("SO_WIFI_STATUS", Socket, Flag)
        .linux(41).on(On::PACKET).since("Linux 3.3")
        .says("Asks for a report whether a wireless frame was acknowledged.", "linux: include/uapi/asm-generic/socket.h"),
    option("SO_LOCK_FILTER", Socket, Flag)
        .linux(44).once().since("Linux 3.9")
        .says("Forbids to remove or replace the packet filter. It cannot be switched off again.", "socket(7)"),
    option("SO_ATTACH_FILTER", Socket, Struct("sock_fprog"))
        .linux(26).write_only().pointer()
        .says("Drops what a classic BPF program does not let through. The value holds a pointer, so it is not for the command line.", "socket(7)"),
    option("SO_ATTACH_BPF", Socket, Int(Unit::None))
        .linux(50).write_only().since("Linux 3.19")
        .says("As SO_ATTACH_FILTER, by the descriptor of a loaded eBPF program.", "socket(7)"),
    option("SO_DETACH_FILTER", Socket, Int(Unit::None))
        .linux(27).also(&["SO_DETACH_BPF"]).write_only()
        .says("Removes the packet filter. The value does not matter.", "socket(7)"),
    option("SO_GET_FILTER", Socket, Struct("sock_filter"))
        .linux(26).read_only().never("its length has to be asked for first, in instructions instead of bytes")
        .says("The packet filter that was attached.", "linux: include/uapi/asm-generic/socket.h"),
    option("SO_ATTACH_REUSEPORT_CBPF", Socket, Struct("sock_fprog"))
        .linux(51).on(On::INET).write_only().pointer().since("Linux 4.5")
        .says("A classic BPF program that chooses among the sockets of one port. The value holds a pointer.", "socket(7)"),
    option("SO_ATTACH_REUSEPORT_EBPF", Socket, Int(Unit::None))
        .linux(52).on(On::INET).write_only().since("Linux 4.5")
        .says("As SO_ATTACH_REUSEPORT_CBPF, by the descriptor of a loaded eBPF program.", "socket(7)"),
    option("SO_DETACH_REUSEPORT_BPF", Socket, Int(Unit::None))
        .linux(68).on(On::INET).write_only().since("Linux 5.3")
        .says("Removes the program that chooses among the sockets of one port.", "linux: include/uapi/asm-generic/socket.h"),
    option("SO_BPF_EXTENSIONS", Socket, Int(Unit::None))
        .linux(48).read_only().since("Linux 3.14")
        .says("Up to which extension the kernel knows classic BPF.", "linux: include/uapi/asm-generic/socket.h"),
    option("SO_CNX_ADVICE", Socket, Flag)
        .linux(53).on(On::TCP).write_only().since("Linux 4.6")
        .says("Tells the kernel that the connection makes no progress, so that it looks for another path.", "linux: include/uapi/asm-generic/socket.h"),
    option("SO_BSDCOMPAT", Socket, Flag)
        .linux(14).on(On::NONE)
        .says("Nothing any more.", "socket(7)"),
];
