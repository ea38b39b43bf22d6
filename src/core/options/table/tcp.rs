//! TCP, multipath TCP and kernel TLS.

use super::names::TLS_MODES;
use crate::core::options::form::Form::{Choice, Flag, Int, Struct, Text, Uint};
use crate::core::options::form::Unit;
use crate::core::options::info::Level::{Mptcp, Tcp, Tls};
use crate::core::options::info::{On, OptionInfo, option};

/// The rows, a paragraph each.
#[rustfmt::skip]
pub(super) static TCP: &[OptionInfo] = &[
    option("TCP_NODELAY", Tcp, Flag)
        .linux(1).bsds(1).windows(1).on(On::TCP)
        .says("Sends small writes at once instead of waiting for the acknowledgement of earlier ones (Nagle). Without it a request of two writes can take 40 ms longer.", "tcp(7)"),
    option("TCP_CORK", Tcp, Flag)
        .linux(3).on(On::TCP)
        .says("Holds back everything that does not fill a segment, for at most 200 ms. The opposite of TCP_NODELAY, and stronger.", "tcp(7)"),
    option("TCP_NOPUSH", Tcp, Flag)
        .macos(4).freebsd(4).openbsd(16).dragonfly(4).on(On::TCP)
        .says("Holds back everything that does not fill a segment until it is switched off.", "tcp(4)"),
    option("TCP_MAXSEG", Tcp, Int(Unit::Bytes))
        .linux(2).bsds(2).windows(4).on(On::TCP).within("88 to 32767 bytes, or 0")
        .says("The largest segment that is sent and that the peer is told to send. Before connecting it reads as 536 or 0, whatever was set.", "tcp(7)"),
    option("TCP_KEEPIDLE", Tcp, Int(Unit::Seconds))
        .linux(4).macos(16).freebsd(0x100).netbsd(3).dragonfly(0x100).windows(3).on(On::TCP).also(&["TCP_KEEPALIVE"]).within("1s to 32767s")
        .says("How long a connection is silent before SO_KEEPALIVE asks the peer.", "tcp(7)"),
    option("TCP_KEEPINTVL", Tcp, Int(Unit::Seconds))
        .linux(5).macos(0x101).freebsd(0x200).netbsd(5).dragonfly(0x200).windows(17).on(On::TCP).within("1s to 32767s")
        .says("How long to wait for the answer to a keepalive before asking again.", "tcp(7)"),
    option("TCP_KEEPCNT", Tcp, Int(Unit::None))
        .linux(6).macos(0x102).freebsd(0x400).netbsd(6).dragonfly(0x400).windows(16).on(On::TCP).within("1 to 127")
        .says("How many keepalives without an answer end the connection.", "tcp(7)"),
    option("TCP_KEEPINIT", Tcp, Int(Unit::Seconds))
        .freebsd(128).netbsd(7).dragonfly(32).on(On::TCP)
        .says("How long connecting may take.", "tcp(4)"),
    option("TCP_SYNCNT", Tcp, Int(Unit::None))
        .linux(7).on(On::TCP).within("1 to 127")
        .says("How often connecting is tried again: 6 take 127 seconds, each one doubles the time.", "tcp(7)"),
    option("TCP_LINGER2", Tcp, Int(Unit::Seconds))
        .linux(8).on(On::TCP)
        .says("How long a closed socket waits for the peer's FIN; it is no lingering in the sense of SO_LINGER.", "tcp(7)"),
    option("TCP_DEFER_ACCEPT", Tcp, Int(Unit::Seconds))
        .linux(9).on(On::TCP)
        .says("Wakes the listener only when data has come. Rounded up to what whole retransmissions take.", "tcp(7)"),
    option("TCP_WINDOW_CLAMP", Tcp, Int(Unit::Bytes))
        .linux(10).on(On::TCP)
        .says("The largest window that the peer is told of.", "tcp(7)"),
    option("TCP_INFO", Tcp, Struct("tcp_info"))
        .linux(11).freebsd(32).openbsd(9).netbsd(9).on(On::TCP).read_only()
        .says("All that the kernel knows of a connection; sockkit inspect ADDR shows it in plain units.", "tcp(7)"),
    option("TCP_QUICKACK", Tcp, Flag)
        .linux(12).on(On::TCP).late()
        .says("Acknowledges at once instead of waiting for data to go along. The kernel switches it off again by itself.", "tcp(7)"),
    option("TCP_CONGESTION", Tcp, Text(15))
        .linux(13).freebsd(64).on(On::TCP).needs("CAP_NET_ADMIN for one that is not allowed to all")
        .says("The congestion control. Without a privilege only those in net.ipv4.tcp_allowed_congestion_control.", "tcp(7)"),
    option("TCP_MD5SIG", Tcp, Struct("tcp_md5sig"))
        .linux(14).freebsd(16).openbsd(4).netbsd(16).on(On::TCP).write_only()
        .says("A key of RFC 2385 for a peer.", "linux: include/uapi/linux/tcp.h"),
    option("TCP_MD5SIG_EXT", Tcp, Struct("tcp_md5sig"))
        .linux(32).on(On::TCP).write_only().since("Linux 4.13")
        .says("As TCP_MD5SIG, for a network or interface.", "linux: include/uapi/linux/tcp.h"),
    option("TCP_THIN_LINEAR_TIMEOUTS", Tcp, Flag)
        .linux(16).on(On::TCP).since("Linux 2.6.34")
        .says("Does not double the time between the first retransmissions of a connection with little under way.", "linux: Documentation/networking/tcp-thin.rst"),
    option("TCP_THIN_DUPACK", Tcp, Flag)
        .linux(17).on(On::TCP).since("Linux 2.6.34")
        .says("Nothing any more.", "linux: include/uapi/linux/tcp.h"),
    option("TCP_USER_TIMEOUT", Tcp, Uint(Unit::Millis))
        .linux(18).on(On::TCP).since("Linux 2.6.37").within("0ms to 2147483647ms")
        .says("How long sent data may stay without acknowledgement before the connection is given up. It overrides keepalive; 0 is the system's choice.", "tcp(7)"),
    option("TCP_REPAIR", Tcp, Int(Unit::None))
        .linux(19).on(On::TCP).since("Linux 3.5").needs("CAP_NET_ADMIN").within("0, 1 or -1")
        .says("Puts the socket into a mode in which its state can be read and set, for moving live connections.", "linux: include/uapi/linux/tcp.h"),
    option("TCP_REPAIR_QUEUE", Tcp, Int(Unit::None))
        .linux(20).on(On::TCP).since("Linux 3.5").needs("CAP_NET_ADMIN, and TCP_REPAIR set before")
        .says("Which queue TCP_QUEUE_SEQ and reads mean in repair mode.", "linux: include/uapi/linux/tcp.h"),
    option("TCP_QUEUE_SEQ", Tcp, Uint(Unit::None))
        .linux(21).on(On::TCP).since("Linux 3.5").needs("CAP_NET_ADMIN, and TCP_REPAIR set before")
        .says("The sequence number of a queue in repair mode.", "linux: include/uapi/linux/tcp.h"),
    option("TCP_REPAIR_OPTIONS", Tcp, Struct("tcp_repair_opt"))
        .linux(22).on(On::TCP).write_only().since("Linux 3.5").needs("CAP_NET_ADMIN, and TCP_REPAIR set before")
        .says("The negotiated options, in repair mode.", "linux: include/uapi/linux/tcp.h"),
    option("TCP_REPAIR_WINDOW", Tcp, Struct("tcp_repair_window"))
        .linux(29).on(On::TCP).since("Linux 4.8").needs("CAP_NET_ADMIN, and TCP_REPAIR set before")
        .says("The windows, in repair mode.", "linux: include/uapi/linux/tcp.h"),
    option("TCP_FASTOPEN", Tcp, Int(Unit::None))
        .linux(23).macos(0x105).freebsd(0x401).windows(15).on(On::TCP).since("Linux 3.6")
        .says("On a listener: how many connections with data in their SYN may wait (RFC 7413). It needs the server bit of net.ipv4.tcp_fastopen.", "tcp(7)"),
    option("TCP_FASTOPEN_CONNECT", Tcp, Flag)
        .linux(30).on(On::TCP).early().since("Linux 4.11")
        .says("Connects with the first data in the SYN, once the server has given a cookie. Connect then succeeds before anyone was asked.", "tcp(7)"),
    option("TCP_FASTOPEN_KEY", Tcp, Struct("key"))
        .linux(33).on(On::TCP).since("Linux 4.15")
        .says("The key that the cookies of this listener are made with.", "linux: include/uapi/linux/tcp.h"),
    option("TCP_FASTOPEN_NO_COOKIE", Tcp, Flag)
        .linux(34).on(On::TCP).since("Linux 4.15")
        .says("Takes data in a SYN without a cookie. Anyone can then have work done with a forged address.", "linux: include/uapi/linux/tcp.h"),
    option("TCP_TIMESTAMP", Tcp, Uint(Unit::None))
        .linux(24).on(On::TCP).since("Linux 3.9").needs("CAP_NET_ADMIN to set it, in repair mode")
        .says("The clock of the timestamps of this connection.", "linux: include/uapi/linux/tcp.h"),
    option("TCP_NOTSENT_LOWAT", Tcp, Uint(Unit::Bytes))
        .linux(25).macos(0x201).on(On::TCP).since("Linux 3.12")
        .says("How much may wait unsent before the socket counts as full: less of it keeps what is sent fresh.", "tcp(7)"),
    option("TCP_CC_INFO", Tcp, Struct("tcp_cc_info"))
        .linux(26).on(On::TCP).read_only().since("Linux 4.1")
        .says("What the congestion control tells of itself; empty for cubic.", "linux: include/uapi/linux/inet_diag.h"),
    option("TCP_SAVE_SYN", Tcp, Int(Unit::None))
        .linux(27).on(On::TCP).since("Linux 4.2").within("0, 1 or 2")
        .says("Keeps the SYN of accepted connections for TCP_SAVED_SYN; 2 with the link header.", "linux: include/uapi/linux/tcp.h"),
    option("TCP_SAVED_SYN", Tcp, Struct("headers"))
        .linux(28).on(On::TCP).read_only().since("Linux 4.2").never("reading it frees it, and it can be read once only")
        .says("The SYN with which an accepted connection began.", "linux: include/uapi/linux/tcp.h"),
    option("TCP_ULP", Tcp, Text(15))
        .linux(31).on(On::TCP).once().late().since("Linux 4.13")
        .says("The protocol above TCP that the kernel speaks, such as tls. Only on a connected socket, and for good.", "linux: Documentation/networking/tls.rst"),
    option("TCP_ZEROCOPY_RECEIVE", Tcp, Struct("tcp_zerocopy_receive"))
        .linux(35).on(On::TCP).since("Linux 4.18").never("reading it takes data out of the socket")
        .says("Maps received data into memory.", "linux: include/uapi/linux/tcp.h"),
    option("TCP_INQ", Tcp, Flag)
        .linux(36).on(On::TCP).also(&["TCP_CM_INQ"]).since("Linux 4.18")
        .says("Receives beside the data how much more is there.", "linux: include/uapi/linux/tcp.h"),
    option("TCP_TX_DELAY", Tcp, Uint(Unit::Micros))
        .linux(37).on(On::TCP).since("Linux 5.4")
        .says("Delays everything that is sent, to try out long paths.", "linux: include/uapi/linux/tcp.h"),
    option("TCP_AO_ADD_KEY", Tcp, Struct("tcp_ao_add"))
        .linux(38).on(On::TCP).write_only().since("Linux 6.7")
        .says("A key of RFC 5925 for a peer.", "linux: Documentation/networking/tcp_ao.rst"),
    option("TCP_AO_DEL_KEY", Tcp, Struct("tcp_ao_del"))
        .linux(39).on(On::TCP).write_only().since("Linux 6.7")
        .says("Removes a key of RFC 5925.", "linux: Documentation/networking/tcp_ao.rst"),
    option("TCP_AO_INFO", Tcp, Struct("tcp_ao_info_opt"))
        .linux(40).on(On::TCP).since("Linux 6.7")
        .says("Which keys of RFC 5925 are in use.", "linux: Documentation/networking/tcp_ao.rst"),
    option("TCP_AO_GET_KEYS", Tcp, Struct("tcp_ao_getsockopt"))
        .linux(41).on(On::TCP).read_only().since("Linux 6.7").never("it needs a filter in its buffer")
        .says("The keys of RFC 5925.", "linux: Documentation/networking/tcp_ao.rst"),
    option("TCP_AO_REPAIR", Tcp, Struct("tcp_ao_repair"))
        .linux(42).on(On::TCP).since("Linux 6.7").needs("CAP_NET_ADMIN, and TCP_REPAIR set before")
        .says("The state of RFC 5925 in repair mode.", "linux: Documentation/networking/tcp_ao.rst"),
    option("TCP_IS_MPTCP", Tcp, Flag)
        .linux(43).on(On::TCP).read_only().since("Linux 6.9")
        .says("Whether the connection is one path of a multipath connection.", "linux: include/uapi/linux/tcp.h"),
    option("TCP_RTO_MAX_MS", Tcp, Uint(Unit::Millis))
        .linux(44).on(On::TCP).since("Linux 6.15").within("1s to 120s")
        .says("The longest wait between two retransmissions, 1 to 120 seconds.", "linux: include/uapi/linux/tcp.h"),
    option("TCP_RTO_MIN_US", Tcp, Uint(Unit::Micros))
        .linux(45).on(On::TCP).since("Linux 6.15").within("up to 200ms")
        .says("The shortest wait before a retransmission.", "linux: include/uapi/linux/tcp.h"),
    option("TCP_DELACK_MAX_US", Tcp, Uint(Unit::Micros))
        .linux(46).on(On::TCP).since("Linux 6.15").within("up to 200ms")
        .says("How long an acknowledgement is delayed at most.", "linux: include/uapi/linux/tcp.h"),
    option("TCP_NOOPT", Tcp, Flag)
        .macos(8).freebsd(8).dragonfly(8).on(On::TCP)
        .says("Sends no TCP options. Do not.", "tcp(4)"),
    option("TCP_SACK_ENABLE", Tcp, Flag)
        .openbsd(8).on(On::TCP)
        .says("Whether lost segments are named one by one (RFC 2018).", "tcp(4) of OpenBSD"),
    option("TCP_CONGCTL", Tcp, Text(63))
        .netbsd(32).on(On::TCP)
        .says("The congestion control.", "tcp(4) of NetBSD"),
    option("TCP_FASTKEEP", Tcp, Flag)
        .dragonfly(128).on(On::TCP)
        .says("Asks silent peers more often.", "tcp(4) of DragonFly"),
    option("TCP_SIGNATURE_ENABLE", Tcp, Flag)
        .dragonfly(16).on(On::TCP)
        .says("Signs segments by RFC 2385.", "tcp(4) of DragonFly"),
    option("TCP_FUNCTION_BLK", Tcp, Struct("tcp_function_set"))
        .freebsd(0x2000).on(On::TCP)
        .says("Which of the kernel's TCP implementations serves the connection.", "tcp(4) of FreeBSD"),
    option("TCP_MAXUNACKTIME", Tcp, Uint(Unit::Seconds))
        .freebsd(68).on(On::TCP)
        .says("How long sent data may stay without acknowledgement.", "tcp(4) of FreeBSD"),
    option("TCP_IDLE_REDUCE", Tcp, Flag)
        .freebsd(70).on(On::TCP)
        .says("Makes the congestion window small again after silence.", "netinet/tcp.h of FreeBSD"),
    option("TCP_DELACK", Tcp, Flag)
        .freebsd(72).on(On::TCP)
        .says("Whether acknowledgements are delayed.", "netinet/tcp.h of FreeBSD"),
    option("TCP_STATS", Tcp, Struct("statsblob"))
        .freebsd(33).on(On::TCP).read_only().never("its length has to be asked for first")
        .says("Statistics of the connection, if the kernel keeps them.", "netinet/tcp.h of FreeBSD"),
    option("TCP_TXTLS_ENABLE", Tcp, Struct("tls_enable"))
        .freebsd(39).on(On::TCP).once().write_only().pointer()
        .says("Has the kernel encrypt what is sent. The value holds pointers to the keys.", "ktls(4)"),
    option("TCP_TXTLS_MODE", Tcp, Choice(TLS_MODES))
        .freebsd(40).on(On::TCP)
        .says("Who encrypts what is sent: the kernel, or a network card.", "ktls(4)"),
    option("TCP_RXTLS_ENABLE", Tcp, Struct("tls_enable"))
        .freebsd(41).on(On::TCP).once().write_only().pointer()
        .says("Has the kernel decrypt what is received. The value holds pointers to the keys.", "ktls(4)"),
    option("TCP_RXTLS_MODE", Tcp, Choice(TLS_MODES))
        .freebsd(42).on(On::TCP).read_only()
        .says("Who decrypts what is received: the kernel, or a network card.", "ktls(4)"),
    option("TCP_CCALGOOPT", Tcp, Struct("algorithm"))
        .freebsd(65).on(On::TCP).never("its shape is that of the congestion control in use")
        .says("Settings of the congestion control.", "mod_cc(4)"),
    option("TCP_FIN_IS_RST", Tcp, Flag)
        .freebsd(73).on(On::TCP)
        .says("Takes the peer's FIN for a reset.", "netinet/tcp.h of FreeBSD"),
    option("TCP_FUNCTION_ALIAS", Tcp, Struct("tcp_function_set"))
        .freebsd(0x2001).on(On::TCP).read_only()
        .says("The other name of the TCP implementation that serves the connection.", "netinet/tcp.h of FreeBSD"),
    option("TCP_REUSPORT_LB_NUMA", Tcp, Int(Unit::None))
        .freebsd(0x402).on(On::TCP)
        .says("Which NUMA domain a listener of a group serves.", "tcp(4) of FreeBSD"),
    option("TCP_REMOTE_UDP_ENCAPS_PORT", Tcp, Int(Unit::None))
        .freebsd(71).on(On::TCP)
        .says("The port of the peer for TCP inside UDP.", "tcp(4) of FreeBSD"),
    option("TCP_PCAP_IN", Tcp, Int(Unit::Packets))
        .freebsd(0x1000).on(On::TCP)
        .says("How many received packets are kept for debugging.", "tcp(4) of FreeBSD"),
    option("TCP_PCAP_OUT", Tcp, Int(Unit::Packets))
        .freebsd(0x800).on(On::TCP)
        .says("How many sent packets are kept for debugging.", "tcp(4) of FreeBSD"),
    option("TCP_CONNECTION_INFO", Tcp, Struct("tcp_connection_info"))
        .macos(0x106).on(On::TCP).read_only()
        .says("All that the kernel knows of a connection.", "netinet/tcp.h of macOS"),
    option("TCP_CONNECTIONTIMEOUT", Tcp, Int(Unit::Seconds))
        .macos(32).on(On::TCP)
        .says("How long connecting may take.", "tcp(4) of macOS"),
    option("TCP_RXT_CONNDROPTIME", Tcp, Int(Unit::Seconds))
        .macos(128).on(On::TCP)
        .says("How long retransmissions are tried before the connection is dropped.", "tcp(4) of macOS"),
    option("TCP_RXT_FINDROP", Tcp, Flag)
        .macos(0x100).on(On::TCP)
        .says("Drops a connection when its FIN was sent three times without an answer.", "netinet/tcp.h of macOS"),
    option("TCP_SENDMOREACKS", Tcp, Flag)
        .macos(0x103).on(On::TCP)
        .says("Acknowledges every other segment.", "tcp(4) of macOS"),
    option("TCP_ENABLE_ECN", Tcp, Flag)
        .macos(0x104).on(On::TCP)
        .says("Uses explicit congestion notification.", "netinet/tcp.h of macOS"),
    option("TCP_EXPEDITED_1122", Tcp, Flag)
        .windows(2).on(On::TCP)
        .says("Urgent data by RFC 1122 instead of as BSD has it. It cannot be switched off again.", "Windows: IPPROTO_TCP socket options"),
    option("TCP_MAXRT", Tcp, Uint(Unit::Seconds))
        .windows(5).on(On::TCP)
        .says("How long retransmissions are tried; all bits set is for ever.", "Windows: IPPROTO_TCP socket options"),
    option("TCP_NOURG", Tcp, Flag)
        .windows(7).on(On::TCP)
        .says("Does not use the urgent pointer.", "Windows: ws2ipdef.h"),
    option("TCP_NOSYNRETRIES", Tcp, Flag)
        .windows(9).on(On::TCP)
        .says("Connects with one attempt only.", "Windows: ws2ipdef.h"),
    option("TCP_TIMESTAMPS", Tcp, Flag)
        .windows(10).on(On::TCP)
        .says("Uses the timestamps of RFC 7323.", "Windows: IPPROTO_TCP socket options"),
    option("TCP_CONGESTION_ALGORITHM", Tcp, Uint(Unit::None))
        .windows(12).on(On::TCP)
        .says("The congestion control, as a number.", "Windows: ws2ipdef.h"),
    option("TCP_DELAY_FIN_ACK", Tcp, Flag)
        .windows(13).on(On::TCP)
        .says("Delays the acknowledgement of a FIN.", "Windows: ws2ipdef.h"),
    option("TCP_MAXRTMS", Tcp, Uint(Unit::Millis))
        .windows(14).on(On::TCP)
        .says("As TCP_MAXRT, in milliseconds.", "Windows: IPPROTO_TCP socket options"),
    option("TCP_FAIL_CONNECT_ON_ICMP_ERROR", Tcp, Flag)
        .windows(18).on(On::TCP)
        .says("Fails at once when the network says that the peer cannot be reached.", "Windows: IPPROTO_TCP socket options"),
    option("TCP_ICMP_ERROR_INFO", Tcp, Struct("ICMP_ERROR_INFO"))
        .windows(19).on(On::TCP).read_only()
        .says("What the network said when connecting failed.", "Windows: IPPROTO_TCP socket options"),
    option("MPTCP_INFO", Mptcp, Struct("mptcp_info"))
        .linux(1).on(On::MPTCP).read_only().since("Linux 5.16")
        .says("What the kernel knows of a multipath connection.", "linux: include/uapi/linux/mptcp.h"),
    option("MPTCP_TCPINFO", Mptcp, Struct("mptcp_subflow_data"))
        .linux(2).on(On::MPTCP).read_only().since("Linux 5.16").never("it needs a size in its buffer")
        .says("TCP_INFO of each path.", "linux: include/uapi/linux/mptcp.h"),
    option("MPTCP_SUBFLOW_ADDRS", Mptcp, Struct("mptcp_subflow_data"))
        .linux(3).on(On::MPTCP).read_only().since("Linux 5.16").never("it needs a size in its buffer")
        .says("The addresses of each path.", "linux: include/uapi/linux/mptcp.h"),
    option("MPTCP_FULL_INFO", Mptcp, Struct("mptcp_full_info"))
        .linux(4).on(On::MPTCP).read_only().since("Linux 6.5").never("it needs sizes and pointers in its buffer")
        .says("All that the kernel knows of a multipath connection and of each path.", "linux: include/uapi/linux/mptcp.h"),
    option("TLS_TX", Tls, Struct("tls_crypto_info"))
        .linux(1).on(On::NONE).once().since("Linux 4.13").never("it holds keys")
        .says("The keys with which the kernel encrypts, once TCP_ULP is tls.", "linux: Documentation/networking/tls.rst"),
    option("TLS_RX", Tls, Struct("tls_crypto_info"))
        .linux(2).on(On::NONE).once().since("Linux 4.17").never("it holds keys")
        .says("The keys with which the kernel decrypts, once TCP_ULP is tls.", "linux: Documentation/networking/tls.rst"),
    option("TLS_TX_ZEROCOPY_RO", Tls, Flag)
        .linux(3).on(On::NONE).since("Linux 5.19")
        .says("Encrypts what sendfile sends in place. The file must not change before it is acknowledged, or the peer gets broken records.", "linux: Documentation/networking/tls.rst"),
    option("TLS_RX_EXPECT_NO_PAD", Tls, Flag)
        .linux(4).on(On::NONE).since("Linux 6.0")
        .says("Decrypts TLS 1.3 straight into the program's memory, and does it again for a record that turns out to be padded.", "linux: Documentation/networking/tls.rst"),
    option("TLS_TX_MAX_PAYLOAD_LEN", Tls, Int(Unit::Bytes))
        .linux(5).on(On::NONE)
        .says("The longest record that is sent, as the peer asks for with record_size_limit (RFC 8449). Only newer kernels have it.", "linux: include/uapi/linux/tls.h"),
];
