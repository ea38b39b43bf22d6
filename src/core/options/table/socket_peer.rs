//! Options of every socket: `SOL_SOCKET`, those about the peer and those of single systems.

use crate::core::options::form::Form::{Credentials, Flag, Int, Linger, Long, Struct, Text, Uint};
use crate::core::options::form::Unit;
use crate::core::options::info::Level::Socket;
use crate::core::options::info::{On, OptionInfo, option};

/// The rows, a paragraph each.
#[rustfmt::skip]
pub(super) static SOCKET_PEER: &[OptionInfo] = &[
    option("SO_PASSCRED", Socket, Flag)
        .linux(16).dragonfly(0x4000).on(On::UNIX)
        .says("Receives the sender's process, user and group beside each message.", "unix(7)"),
    option("SO_PASSSEC", Socket, Flag)
        .linux(34).on(On::UNIX).since("Linux 2.6.18")
        .says("Receives the sender's security label beside each message.", "unix(7)"),
    option("SO_PASSPIDFD", Socket, Flag)
        .linux(76).on(On::UNIX).since("Linux 6.5")
        .says("Receives a descriptor of the sending process beside each message.", "linux: include/uapi/asm-generic/socket.h"),
    option("SO_PASSRIGHTS", Socket, Flag)
        .linux(83).on(On::UNIX).since("Linux 6.16")
        .says("Whether descriptors that the peer sends are taken. Off, they are dropped.", "linux: include/uapi/asm-generic/socket.h"),
    option("SO_PEERCRED", Socket, Credentials)
        .linux(17).openbsd(0x1022).on(On::UNIX).read_only()
        .says("Process, user and group of the peer when it connected or listened. They do not change when it does.", "unix(7)"),
    option("SO_PEERPIDFD", Socket, Struct("descriptor"))
        .linux(77).on(On::UNIX).read_only().since("Linux 6.5").never("each reading opens a descriptor")
        .says("A descriptor of the process at the other end.", "linux: include/uapi/asm-generic/socket.h"),
    option("SO_PEERGROUPS", Socket, Struct("gid_t[]"))
        .linux(59).on(On::UNIX).read_only().since("Linux 4.13")
        .says("The supplementary groups of the peer.", "linux: include/uapi/asm-generic/socket.h"),
    option("SO_PEERSEC", Socket, Text(255))
        .linux(31).on(On::UNIX_OR_TCP).read_only().since("Linux 2.6.2")
        .says("The security label of the peer, where a security module gives one.", "unix(7)"),
    option("SO_PEERNAME", Socket, Struct("sockaddr"))
        .linux(28).read_only()
        .says("The address of the peer; getpeername gives the same.", "linux: include/uapi/asm-generic/socket.h"),
    option("SO_RCVPRIORITY", Socket, Flag)
        .linux(82).on(On::INET).since("Linux 6.14")
        .says("Receives the priority of each packet beside it.", "linux: include/uapi/asm-generic/socket.h"),
    option("SO_INQ", Socket, Flag)
        .linux(84).on(On::UNIX_STREAM).since("Linux 6.17")
        .says("Receives beside each message how many bytes are left to read.", "linux: include/uapi/asm-generic/socket.h"),
    option("SO_DEVMEM_DONTNEED", Socket, Struct("dmabuf_token"))
        .linux(80).on(On::TCP).write_only().since("Linux 6.12")
        .says("Gives back memory of a device that payload was received into.", "linux: Documentation/networking/devmem.rst"),
    option("SO_NOSIGPIPE", Socket, Flag)
        .macos(0x1022).freebsd(0x800).netbsd(0x800).dragonfly(0x800)
        .says("Keeps SIGPIPE away when the peer is gone: the send fails with \"broken pipe\" alone.", "setsockopt(2) of macOS, FreeBSD"),
    option("SO_REUSEPORT_LB", Socket, Flag)
        .freebsd(0x10000).on(On::INET).early().since("FreeBSD 12")
        .says("Shares connections out among the sockets of one port, as Linux does with SO_REUSEPORT.", "setsockopt(2) of FreeBSD"),
    option("SO_ACCEPTFILTER", Socket, Struct("accept_filter_arg"))
        .freebsd(0x1000).netbsd(0x1000).dragonfly(0x1000).on(On::TCP)
        .says("Keeps a connection from accept until a filter, such as dataready or httpready, lets it through. Set it on a socket that listens.", "accf_data(9)"),
    option("SO_LISTENQLIMIT", Socket, Int(Unit::None))
        .freebsd(0x1011).on(On::STREAM).read_only()
        .says("The backlog of a listening socket.", "setsockopt(2) of FreeBSD"),
    option("SO_LISTENQLEN", Socket, Int(Unit::None))
        .freebsd(0x1012).on(On::STREAM).read_only()
        .says("How many connections wait to be accepted.", "setsockopt(2) of FreeBSD"),
    option("SO_LISTENINCQLEN", Socket, Int(Unit::None))
        .freebsd(0x1013).on(On::STREAM).read_only()
        .says("How many connections are half open.", "setsockopt(2) of FreeBSD"),
    option("SO_SETFIB", Socket, Int(Unit::None))
        .freebsd(0x1014).also(&["SO_FIB"]).on(On::INET).write_only()
        .says("The routing table of the socket.", "setsockopt(2) of FreeBSD"),
    option("SO_USER_COOKIE", Socket, Uint(Unit::None))
        .freebsd(0x1015).on(On::INET).write_only()
        .says("A number by which the firewall knows the packets of the socket.", "setsockopt(2) of FreeBSD"),
    option("SO_TS_CLOCK", Socket, Int(Unit::None))
        .freebsd(0x1017).on(On::DATAGRAM)
        .says("Which clock gives the times of SO_TIMESTAMP: 0 microseconds, 1 bintime, 2 real time, 3 monotonic.", "setsockopt(2) of FreeBSD"),
    option("SO_BINTIME", Socket, Flag)
        .freebsd(0x2000).on(On::DATAGRAM)
        .says("As SO_TIMESTAMP, as a binary fraction.", "setsockopt(2) of FreeBSD"),
    option("SO_NO_DDP", Socket, Flag)
        .freebsd(0x8000).on(On::TCP)
        .says("Keeps the connection from being placed directly into memory by the network card.", "sys/socket.h of FreeBSD"),
    option("SO_NO_OFFLOAD", Socket, Flag)
        .freebsd(0x4000).on(On::TCP)
        .says("Keeps the connection from being handed to the network card.", "sys/socket.h of FreeBSD"),
    option("SO_RERROR", Socket, Flag)
        .freebsd(0x20000).netbsd(0x4000).on(On::DATAGRAM)
        .says("Reports a receive buffer that was full as an error instead of dropping in silence.", "setsockopt(2) of NetBSD, FreeBSD"),
    option("SO_LABEL", Socket, Struct("mac"))
        .macos(0x1010).freebsd(0x1009).read_only().never("its buffer holds pointers")
        .says("The security label of the socket.", "mac(3)"),
    option("SO_PEERLABEL", Socket, Struct("mac"))
        .macos(0x1011).freebsd(0x1010).read_only().never("its buffer holds pointers")
        .says("The security label of the peer.", "mac(3)"),
    option("SO_SPLICE", Socket, Struct("splice"))
        .freebsd(0x1023).openbsd(0x1023).on(On::STREAM).never("reading it tells how much was moved and may report its end")
        .says("Has the kernel move data from this socket to another.", "setsockopt(2) of OpenBSD, FreeBSD"),
    option("SO_RTABLE", Socket, Int(Unit::None))
        .openbsd(0x1021).on(On::INET).needs("root to leave another table than 0")
        .says("The routing table of the socket.", "setsockopt(2) of OpenBSD"),
    option("SO_BINDANY", Socket, Flag)
        .openbsd(0x1000).on(On::INET).early().needs("root")
        .says("Lets the socket bind addresses that this machine does not have.", "setsockopt(2) of OpenBSD"),
    option("SO_NETPROC", Socket, Flag)
        .openbsd(0x1020)
        .says("Marks the socket as belonging to a network process.", "sys/socket.h of OpenBSD"),
    option("SO_ZEROIZE", Socket, Flag)
        .openbsd(0x2000)
        .says("Overwrites the memory of what is sent with zeros once it is gone.", "setsockopt(2) of OpenBSD"),
    option("SO_NOHEADER", Socket, Flag)
        .netbsd(0x100a).on(On::RAW)
        .says("Leaves out the header of what is received.", "setsockopt(2) of NetBSD"),
    option("SO_SNDSPACE", Socket, Long(Unit::Bytes))
        .dragonfly(0x100a).read_only()
        .says("How much room is left in the send buffer.", "getsockopt(2) of DragonFly"),
    option("SO_CPUHINT", Socket, Int(Unit::None))
        .dragonfly(0x1030).read_only()
        .says("The processor that a listener or connection is best served on.", "getsockopt(2) of DragonFly"),
    option("SO_DONTTRUNC", Socket, Flag)
        .macos(0x2000).on(On::DATAGRAM)
        .says("Keeps what did not fit into the buffer of a datagram for the next receive.", "sys/socket.h of macOS"),
    option("SO_WANTMORE", Socket, Flag)
        .macos(0x4000)
        .says("Says that more data is there when it is.", "sys/socket.h of macOS"),
    option("SO_WANTOOBFLAG", Socket, Flag)
        .macos(0x8000)
        .says("Wants MSG_FLAG on receiving.", "sys/socket.h of macOS"),
    option("SO_NREAD", Socket, Int(Unit::Bytes))
        .macos(0x1020).read_only()
        .says("How many bytes are there to be read; of datagrams those of the first.", "getsockopt(2) of macOS"),
    option("SO_NWRITE", Socket, Int(Unit::Bytes))
        .macos(0x1024).read_only()
        .says("How many bytes are not sent, or not acknowledged, yet.", "getsockopt(2) of macOS"),
    option("SO_NUMRCVPKT", Socket, Int(Unit::Packets))
        .macos(0x1112).on(On::DATAGRAM).read_only()
        .says("How many datagrams wait to be received.", "sys/socket.h of macOS"),
    option("SO_NETSVC_MARKING_LEVEL", Socket, Int(Unit::None))
        .macos(0x1119).on(On::INET).read_only()
        .says("How SO_NET_SERVICE_TYPE is marked here: 0 unknown, 1 on the link, 2 with a DSCP too, 3 with a DSCP for background traffic alone.", "sys/socket.h of macOS"),
    option("SO_LINGER_SEC", Socket, Linger)
        .macos(0x1080)
        .says("As SO_LINGER, whose time macOS counts in ticks.", "setsockopt(2) of macOS"),
    option("SO_RANDOMPORT", Socket, Flag)
        .macos(0x1082).on(On::INET).early()
        .says("Chooses the local port at random.", "sys/socket.h of macOS"),
    option("SO_REUSESHAREUID", Socket, Flag)
        .macos(0x1025).on(On::INET).early()
        .says("Lets sockets of different users share a port.", "sys/socket.h of macOS"),
    option("SO_NOADDRERR", Socket, Flag)
        .macos(0x1023).on(On::INET)
        .says("Fails where the source address is no longer there.", "sys/socket.h of macOS"),
    option("SO_NOTIFYCONFLICT", Socket, Flag)
        .macos(0x1026).on(On::INET)
        .says("Tells of a bind that conflicts with this socket.", "sys/socket.h of macOS"),
    option("SO_NP_EXTENSIONS", Socket, Struct("so_np_extensions"))
        .macos(0x1083)
        .says("Extensions of macOS in one structure.", "sys/socket.h of macOS"),
    option("SO_NET_SERVICE_TYPE", Socket, Int(Unit::None))
        .macos(0x1116).on(On::INET)
        .says("What kind of traffic the socket carries, 0 best effort to 8, for queues and wireless.", "setsockopt(2) of macOS"),
    option("SO_TIMESTAMP_MONOTONIC", Socket, Flag)
        .macos(0x800).on(On::DATAGRAM)
        .says("As SO_TIMESTAMP, by a clock that is never set.", "sys/socket.h of macOS"),
    option("SO_EXCLUSIVEADDRUSE", Socket, Flag)
        .windows(-5).on(On::INET).early()
        .says("Keeps every other socket off the port, also those that set SO_REUSEADDR. Servers on Windows should have it.", "Windows: SOL_SOCKET socket options"),
    option("SO_DONTLINGER", Socket, Flag)
        .windows(-129).on(On::STREAM)
        .says("The opposite of SO_LINGER: close does not wait and the rest is sent in the background.", "Windows: SOL_SOCKET socket options"),
    option("SO_MAX_MSG_SIZE", Socket, Uint(Unit::Bytes))
        .windows(0x2003).on(On::DATAGRAM).read_only()
        .says("The longest datagram that can be sent.", "Windows: SOL_SOCKET socket options"),
    option("SO_CONDITIONAL_ACCEPT", Socket, Flag)
        .windows(0x3002).on(On::TCP)
        .says("Lets the program refuse a connection before it is acknowledged.", "Windows: SOL_SOCKET socket options"),
    option("SO_PAUSE_ACCEPT", Socket, Flag)
        .windows(0x3003).on(On::TCP)
        .says("Refuses new connections for a while.", "Windows: SOL_SOCKET socket options"),
    option("SO_COMPARTMENT_ID", Socket, Uint(Unit::None))
        .windows(0x3004).on(On::INET)
        .says("The routing compartment of the socket.", "Windows: SOL_SOCKET socket options"),
    option("SO_RANDOMIZE_PORT", Socket, Flag)
        .windows(0x3005).on(On::INET).early()
        .says("Chooses the local port at random.", "Windows: SOL_SOCKET socket options"),
    option("SO_PORT_SCALABILITY", Socket, Flag)
        .windows(0x3006).on(On::INET).early()
        .says("Lets several local addresses use the same local port for outgoing connections.", "Windows: SOL_SOCKET socket options"),
    option("SO_REUSE_UNICASTPORT", Socket, Flag)
        .windows(0x3007).on(On::INET).early()
        .says("Chooses the local port when connecting instead of when binding, so that the ports last longer.", "Windows: SOL_SOCKET socket options"),
    option("SO_REUSE_MULTICASTPORT", Socket, Flag)
        .windows(0x3008).on(On::UDP).early()
        .says("Receives multicast on a port that others share, and no unicast.", "Windows: SOL_SOCKET socket options"),
    option("SO_GROUP_ID", Socket, Uint(Unit::None))
        .windows(0x2001).read_only()
        .says("Reserved by the system.", "Windows: SOL_SOCKET socket options"),
    option("SO_CONNECT_TIME", Socket, Uint(Unit::Seconds))
        .windows(0x700c).on(On::TCP).read_only()
        .says("How long the socket has been connected; all bits set if it is not.", "Windows: SOL_SOCKET socket options"),
    option("SO_UPDATE_ACCEPT_CONTEXT", Socket, Struct("SOCKET"))
        .windows(0x700b).on(On::TCP).write_only()
        .says("Gives a socket of AcceptEx the properties of its listener.", "Windows: SOL_SOCKET socket options"),
    option("SO_UPDATE_CONNECT_CONTEXT", Socket, Flag)
        .windows(0x7010).on(On::TCP).write_only()
        .says("Gives a socket of ConnectEx the properties of a connected one.", "Windows: SOL_SOCKET socket options"),
    option("SO_PROTOCOL_INFOW", Socket, Struct("WSAPROTOCOL_INFOW"))
        .windows(0x2005).read_only()
        .says("What Windows knows of the protocol of the socket.", "Windows: SOL_SOCKET socket options"),
];
