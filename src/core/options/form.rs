//! The shapes that an option's value can have, and the units that it counts.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

/// The shape of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A C int that is 0 or not.
    Flag,
    /// A C int.
    Int(Unit),
    /// An unsigned C int.
    Uint(Unit),
    /// 64 bits without sign; some kernels give 32 of them.
    Long(Unit),
    /// A `struct timeval`, on Windows a DWORD of milliseconds. 0 is no limit.
    Time,
    /// A `struct linger`.
    Linger,
    /// Text of at most so many bytes.
    Text(usize),
    /// A C int with names for its values.
    Choice(Names),
    /// A C int whose bits have names.
    Flags(Names),
    /// A byte with a DSCP in its upper six bits (RFC 2474) and ECN in the others (RFC 3168).
    Traffic,
    /// A `struct in_addr`.
    Address4,
    /// The index of an interface as a C int; 0 is none.
    Interface,
    /// The same in network byte order.
    InterfaceBe,
    /// A multicast group and an interface: `struct ip_mreqn`, elsewhere `struct ip_mreq`.
    Member4,
    /// The same for IPv6: `struct ipv6_mreq`.
    Member6,
    /// A `struct ucred`: process, user, group.
    Credentials,
    /// A range of ports, the low one in the lower 16 bits of a C int.
    Ports,
    /// A structure that is shown and taken as bytes; its name in C.
    Struct(&'static str),
}

/// Values and what they are called.
pub type Names = &'static [(&'static str, u32)];

impl Form {
    /// What a value of this shape looks like, for the catalogue's page and for complaints.
    pub fn describe(self) -> &'static str {
        match self {
            Form::Flag => "on or off",
            Form::Int(unit) | Form::Uint(unit) | Form::Long(unit) => unit.describe(),
            Form::Time => "a time such as 500ms or 5s, or off",
            Form::Linger => "a time in whole seconds such as 5s, 0s for a reset, or off",
            Form::Text(_) => "a name",
            Form::Choice(_) => "one of its names, or a number",
            Form::Flags(_) => "names joined with +, none, or a number",
            Form::Traffic => "a DSCP such as EF, AF41 or CS1, or a number up to 255",
            Form::Address4 => "an IPv4 address",
            Form::Interface | Form::InterfaceBe => "the name or number of an interface, or any",
            Form::Member4 | Form::Member6 => "a group, or group%interface",
            Form::Credentials => "process, user and group",
            Form::Ports => "low-high, or off",
            Form::Struct(_) => "bytes in hexadecimal, such as 0x0102",
        }
    }

    /// The names of its values, if they have some.
    pub fn names(self) -> Names {
        match self {
            Form::Choice(names) | Form::Flags(names) => names,
            _ => &[],
        }
    }

    /// The unit of a number, as `--json` writes it.
    pub fn unit(self) -> Option<&'static str> {
        match self {
            Form::Int(unit) | Form::Uint(unit) | Form::Long(unit) => unit.name(),
            Form::Time => Some("us"),
            Form::Linger => Some("s"),
            _ => None,
        }
    }

    /// The type, in a word of C.
    pub fn type_name(self) -> &'static str {
        match self {
            Form::Flag => "bool",
            Form::Int(_) | Form::Interface | Form::InterfaceBe => "int",
            Form::Uint(_) | Form::Ports => "unsigned int",
            Form::Long(_) => "uint64_t",
            Form::Time => "struct timeval",
            Form::Linger => "struct linger",
            Form::Text(_) => "string",
            Form::Choice(_) => "enum",
            Form::Flags(_) => "flags",
            Form::Traffic => "byte",
            Form::Address4 => "struct in_addr",
            Form::Member4 => "struct ip_mreqn",
            Form::Member6 => "struct ipv6_mreq",
            Form::Credentials => "struct ucred",
            Form::Struct(name) => name,
        }
    }
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nothing in particular.
    None,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// Seconds.
    Seconds,
    /// Thousandths of them.
    Millis,
    /// Millionths of them.
    Micros,
    /// Routers on the way.
    Hops,
    /// Packets.
    Packets,
}

impl Unit {
    /// As `--json` writes it.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Unit::None => None,
            Unit::Bytes => Some("bytes"),
            Unit::BytesPerSecond => Some("bytes/s"),
            Unit::Seconds => Some("s"),
            Unit::Millis => Some("ms"),
            Unit::Micros => Some("us"),
            Unit::Hops => Some("hops"),
            Unit::Packets => Some("packets"),
        }
    }

    /// How long one of it is in microseconds, if it is a time.
    pub fn micros(self) -> Option<u64> {
        match self {
            Unit::Seconds => Some(1_000_000),
            Unit::Millis => Some(1_000),
            Unit::Micros => Some(1),
            _ => None,
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Unit::None => "a number",
            Unit::Bytes => "a number of bytes such as 65536, 64K or 64KiB",
            Unit::BytesPerSecond => "bytes per second such as 1MiB, or unlimited",
            Unit::Seconds => "a time in whole seconds such as 60s or 2m",
            Unit::Millis => "a time in whole milliseconds such as 500ms or 5s",
            Unit::Micros => "a time in whole microseconds such as 50us",
            Unit::Hops => "a number of routers",
            Unit::Packets => "a number of packets",
        }
    }
}
