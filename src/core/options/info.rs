//! A row of the catalogue: what is known of one option.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::core::options::form::Form;

/// A system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// Linux and Android.
    Linux,
    /// macOS and its kin.
    MacOs,
    /// FreeBSD.
    FreeBsd,
    /// OpenBSD.
    OpenBsd,
    /// NetBSD.
    NetBsd,
    /// DragonFly.
    DragonFly,
    /// Windows.
    Windows,
}

impl Platform {
    /// All of them, in the order of the numbers of a row.
    pub const ALL: [Platform; 7] = [
        Platform::Linux,
        Platform::MacOs,
        Platform::FreeBsd,
        Platform::OpenBsd,
        Platform::NetBsd,
        Platform::DragonFly,
        Platform::Windows,
    ];

    /// The one that this program was built for; `None`: one that the catalogue has no numbers of. On some
    /// processors Linux numbers `SOL_SOCKET` and its options in its own way (arch/*/include/uapi/asm/socket.h),
    /// and nothing is known of those either.
    pub const HERE: Option<Platform> = if cfg!(all(
        any(target_os = "linux", target_os = "android"),
        not(any(
            target_arch = "mips",
            target_arch = "mips64",
            target_arch = "mips32r6",
            target_arch = "mips64r6",
            target_arch = "sparc",
            target_arch = "sparc64",
            target_arch = "powerpc",
            target_arch = "powerpc64",
        ))
    )) {
        Some(Platform::Linux)
    } else if cfg!(target_vendor = "apple") {
        Some(Platform::MacOs)
    } else if cfg!(target_os = "freebsd") {
        Some(Platform::FreeBsd)
    } else if cfg!(target_os = "openbsd") {
        Some(Platform::OpenBsd)
    } else if cfg!(target_os = "netbsd") {
        Some(Platform::NetBsd)
    } else if cfg!(target_os = "dragonfly") {
        Some(Platform::DragonFly)
    } else if cfg!(windows) {
        Some(Platform::Windows)
    } else {
        None
    };

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Platform::Linux => "Linux",
            Platform::MacOs => "macOS",
            Platform::FreeBsd => "FreeBSD",
            Platform::OpenBsd => "OpenBSD",
            Platform::NetBsd => "NetBSD",
            Platform::DragonFly => "DragonFly",
            Platform::Windows => "Windows",
        }
    }

    /// What this system is called, also where it has no place in the catalogue.
    pub fn name_here() -> &'static str {
        match Self::HERE {
            Some(here) => here.name(),
            None => "this system",
        }
    }
}

/// The level of an option: whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// `SOL_SOCKET`.
    Socket,
    /// `IPPROTO_TCP`.
    Tcp,
    /// `SOL_MPTCP`.
    Mptcp,
    /// `SOL_TLS`.
    Tls,
    /// `IPPROTO_IP`.
    Ip,
    /// `IPPROTO_IPV6`.
    Ipv6,
    /// `IPPROTO_UDP`.
    Udp,
    /// `IPPROTO_UDPLITE`.
    UdpLite,
    /// `SOL_LOCAL`.
    Local,
    /// `SOL_PACKET`.
    Packet,
    /// `SOL_RAW`.
    Raw,
    /// `IPPROTO_ICMPV6`.
    Icmpv6,
}

impl Level {
    /// As C calls it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Socket => "SOL_SOCKET",
            Level::Tcp => "IPPROTO_TCP",
            Level::Mptcp => "SOL_MPTCP",
            Level::Tls => "SOL_TLS",
            Level::Ip => "IPPROTO_IP",
            Level::Ipv6 => "IPPROTO_IPV6",
            Level::Udp => "IPPROTO_UDP",
            Level::UdpLite => "IPPROTO_UDPLITE",
            Level::Local => "SOL_LOCAL",
            Level::Packet => "SOL_PACKET",
            Level::Raw => "SOL_RAW",
            Level::Icmpv6 => "IPPROTO_ICMPV6",
        }
    }

    /// Its number. Those of protocols are IANA's and the same everywhere.
    pub fn number(self, platform: Platform) -> i32 {
        match self {
            Level::Socket if platform == Platform::Linux => 1,
            Level::Socket => 0xffff,
            Level::Tcp => 6,
            Level::Mptcp => 284,
            Level::Tls => 282,
            Level::Ip | Level::Local => 0,
            Level::Ipv6 => 41,
            Level::Udp => 17,
            Level::UdpLite => 136,
            Level::Packet => 263,
            Level::Raw => 255,
            Level::Icmpv6 => 58,
        }
    }
}

/// Sockets, as a set of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct On(u16);

impl On {
    /// TCP over IPv4.
    pub const TCP4: On = On(1);
    /// TCP over IPv6.
    pub const TCP6: On = On(1 << 1);
    /// UDP over IPv4.
    pub const UDP4: On = On(1 << 2);
    /// UDP over IPv6.
    pub const UDP6: On = On(1 << 3);
    /// Unix streams, and sequences of packets.
    pub const UNIX_STREAM: On = On(1 << 4);
    /// Unix datagrams.
    pub const UNIX_DATAGRAM: On = On(1 << 5);
    /// Raw IPv4, and what else carries it.
    pub const RAW4: On = On(1 << 6);
    /// Raw IPv6.
    pub const RAW6: On = On(1 << 7);
    /// Packet sockets.
    pub const PACKET: On = On(1 << 8);
    /// Multipath TCP.
    pub const MPTCP: On = On(1 << 9);
    /// A socket of another family: netlink, vsock.
    pub const OTHER: On = On(1 << 15);
    /// None of these: sockets that sockkit does not open.
    pub const NONE: On = On(0);

    /// TCP.
    pub const TCP: On = On::TCP4.or(On::TCP6);
    /// UDP.
    pub const UDP: On = On::UDP4.or(On::UDP6);
    /// Unix.
    pub const UNIX: On = On::UNIX_STREAM.or(On::UNIX_DATAGRAM);
    /// Raw.
    pub const RAW: On = On::RAW4.or(On::RAW6);
    /// IPv4 of every kind.
    pub const V4: On = On::TCP4.or(On::UDP4_RAW4);
    /// IPv6 of every kind.
    pub const V6: On = On::TCP6.or(On::UDP6_RAW6);
    /// IPv4 without connections.
    pub const UDP4_RAW4: On = On::UDP4.or(On::RAW4);
    /// IPv6 without connections.
    pub const UDP6_RAW6: On = On::UDP6.or(On::RAW6);
    /// IP.
    pub const INET: On = On::V4.or(On::V6);
    /// Streams.
    pub const STREAM: On = On::TCP.or(On::UNIX_STREAM);
    /// Datagrams.
    pub const DATAGRAM: On = On::UDP.or(On::UNIX_DATAGRAM).or(On::RAW).or(On::PACKET);
    /// What can be peeked at an offset.
    pub const PEEK: On = On::UNIX.or(On::INET.without(On::RAW));
    /// What has a peer with a label.
    pub const UNIX_OR_TCP: On = On::UNIX.or(On::TCP);
    /// Every socket.
    pub const ALL: On = On(u16::MAX);

    /// Of either.
    pub const fn or(self, other: On) -> On {
        On(self.0 | other.0)
    }

    /// Those that are not of the other.
    pub const fn without(self, other: On) -> On {
        On(self.0 & !other.0)
    }

    /// Whether they have a kind in common.
    pub fn meets(self, other: On) -> bool {
        self.0 & other.0 != 0
    }

    /// In words.
    pub fn names(self) -> String {
        if self == On::ALL {
            return "all".into();
        }
        let wide = [
            (On::INET, "IP"),
            (On::TCP, "TCP"),
            (On::UDP, "UDP"),
            (On::UNIX, "Unix"),
            (On::V4, "IPv4"),
            (On::V6, "IPv6"),
            (On::RAW, "raw"),
            (On::TCP4, "TCP over IPv4"),
            (On::TCP6, "TCP over IPv6"),
            (On::UDP4, "UDP over IPv4"),
            (On::UDP6, "UDP over IPv6"),
            (On::UNIX_STREAM, "Unix streams"),
            (On::UNIX_DATAGRAM, "Unix datagrams"),
            (On::RAW4, "raw IPv4"),
            (On::RAW6, "raw IPv6"),
            (On::PACKET, "packet sockets"),
            (On::MPTCP, "multipath TCP"),
        ];
        let mut left = self.0;
        let mut names = Vec::new();
        for (set, name) in wide {
            if left & set.0 == set.0 {
                left &= !set.0;
                names.push(name);
            }
        }
        match names.is_empty() {
            true => "sockets that sockkit does not open".into(),
            false => names.join(", "),
        }
    }
}

/// What may be done with an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read and set.
    Both,
    /// Read.
    ReadOnly,
    /// Set.
    WriteOnly,
}

/// When an option is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before the socket is bound or connected, where it does no harm and for some is the only time.
    Before,
    /// Once it is connected.
    Connected,
}

/// What is known of one option.
#[derive(Debug, Clone, Copy)]
pub struct OptionInfo {
    /// Its name in C, which is the name that it is printed with.
    pub name: &'static str,
    /// Other names of it.
    pub aliases: &'static [&'static str],
    /// Whose it is.
    pub level: Level,
    /// The shape of its value.
    pub form: Form,
    /// Its number on each system, in the order of [`Platform::ALL`].
    numbers: [Option<i32>; 7],
    /// Which sockets have it.
    pub on: On,
    /// What may be done with it.
    pub access: Access,
    /// It cannot be changed back.
    pub once: bool,
    /// It has an effect only before bind.
    pub only_before_bind: bool,
    /// When it is set.
    pub when: When,
    /// It means something only on a connected socket.
    pub only_connected: bool,
    /// OpenBSD takes nothing but a byte.
    pub octet: bool,
    /// Its value holds a pointer, so that bytes cannot say it.
    pub pointer: bool,
    /// Since which kernel, where that matters.
    pub since: Option<&'static str>,
    /// The privilege to set it.
    pub needs: Option<&'static str>,
    /// The values that Linux takes, where they are fewer than its type has.
    range: Option<&'static str>,
    /// Why reading it would do harm: then it is never read.
    pub never: Option<&'static str>,
    /// What it is, and what goes wrong with it.
    pub about: &'static str,
    /// Where that is written.
    pub source: &'static str,
}

/// Begins a row.
pub(super) const fn option(name: &'static str, level: Level, form: Form) -> OptionInfo {
    OptionInfo {
        name,
        aliases: &[],
        level,
        form,
        numbers: [None; 7],
        on: On::ALL,
        access: Access::Both,
        once: false,
        only_before_bind: false,
        when: When::Before,
        only_connected: false,
        octet: false,
        pointer: false,
        since: None,
        needs: None,
        range: None,
        never: None,
        about: "",
        source: "",
    }
}

/// What a row says, one word after the other.
impl OptionInfo {
    const fn numbered(mut self, platform: Platform, number: i32) -> Self {
        self.numbers[platform as usize] = Some(number);
        self
    }

    pub(super) const fn linux(self, number: i32) -> Self {
        self.numbered(Platform::Linux, number)
    }

    pub(super) const fn macos(self, number: i32) -> Self {
        self.numbered(Platform::MacOs, number)
    }

    pub(super) const fn freebsd(self, number: i32) -> Self {
        self.numbered(Platform::FreeBsd, number)
    }

    pub(super) const fn openbsd(self, number: i32) -> Self {
        self.numbered(Platform::OpenBsd, number)
    }

    pub(super) const fn netbsd(self, number: i32) -> Self {
        self.numbered(Platform::NetBsd, number)
    }

    pub(super) const fn dragonfly(self, number: i32) -> Self {
        self.numbered(Platform::DragonFly, number)
    }

    pub(super) const fn windows(self, number: i32) -> Self {
        self.numbered(Platform::Windows, number)
    }

    /// The BSDs and macOS agree.
    pub(super) const fn bsds(self, number: i32) -> Self {
        self.macos(number)
            .freebsd(number)
            .openbsd(number)
            .netbsd(number)
            .dragonfly(number)
    }

    pub(super) const fn on(mut self, on: On) -> Self {
        self.on = on;
        self
    }

    pub(super) const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    pub(super) const fn read_only(mut self) -> Self {
        self.access = Access::ReadOnly;
        self
    }

    pub(super) const fn write_only(mut self) -> Self {
        self.access = Access::WriteOnly;
        self
    }

    pub(super) const fn once(mut self) -> Self {
        self.once = true;
        self
    }

    pub(super) const fn early(mut self) -> Self {
        self.only_before_bind = true;
        self
    }

    pub(super) const fn late(mut self) -> Self {
        self.when = When::Connected;
        self
    }

    pub(super) const fn connected(mut self) -> Self {
        self.only_connected = true;
        self
    }

    pub(super) const fn octet(mut self) -> Self {
        self.octet = true;
        self
    }

    pub(super) const fn pointer(mut self) -> Self {
        self.pointer = true;
        self
    }

    pub(super) const fn since(mut self, version: &'static str) -> Self {
        self.since = Some(version);
        self
    }

    pub(super) const fn needs(mut self, privilege: &'static str) -> Self {
        self.needs = Some(privilege);
        self
    }

    pub(super) const fn within(mut self, range: &'static str) -> Self {
        self.range = Some(range);
        self
    }

    pub(super) const fn never(mut self, why: &'static str) -> Self {
        self.never = Some(why);
        self
    }

    pub(super) const fn says(mut self, about: &'static str, source: &'static str) -> Self {
        self.about = about;
        self.source = source;
        self
    }
}

impl OptionInfo {
    /// Its number on a system; `None`: it is not there.
    pub const fn number(&self, platform: Platform) -> Option<i32> {
        self.numbers[platform as usize]
    }

    /// The level and the number on this system.
    pub fn here(&self) -> Option<(i32, i32)> {
        let here = Platform::HERE?;
        Some((self.level.number(here), self.number(here)?))
    }

    /// The values that this system takes, where they are known and fewer than its type has.
    pub fn range_here(&self) -> Option<&'static str> {
        self.range
            .filter(|_| Platform::HERE == Some(Platform::Linux))
    }

    /// The systems that have it.
    pub fn platforms(&self) -> impl Iterator<Item = Platform> + '_ {
        Platform::ALL
            .into_iter()
            .filter(|&platform| self.number(platform).is_some())
    }

    /// Whether sockets of these kinds have it. On Linux an IPv6 socket carries IPv4 too, and takes its options
    /// (ipv6_setsockopt hands `SOL_IP` on).
    pub fn is_for(&self, socket: On) -> bool {
        let linux = Platform::HERE == Some(Platform::Linux);
        let as_v4 = match (linux && self.level == Level::Ip, socket) {
            (true, On::TCP6) => On::TCP4,
            (true, On::UDP6) => On::UDP4,
            _ => On::NONE,
        };
        self.on.meets(socket) || self.on.meets(as_v4)
    }

    /// Whether it may be set from the outside at all.
    pub fn is_settable(&self) -> bool {
        self.access != Access::ReadOnly && !self.pointer
    }

    /// Whether reading it is possible and does no harm.
    pub fn is_readable(&self) -> bool {
        self.access != Access::WriteOnly && self.never.is_none()
    }
}
