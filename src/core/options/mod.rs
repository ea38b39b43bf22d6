//! Every socket option has a name.
//!
//! - [`table`]: the catalogue, one row an option ([`info`] has what a row says, [`form`] the shapes of values);
//! - [`lookup`]: from what somebody typed to the row;
//! - [`value`], [`layout`]: a value as text, and as the bytes that a kernel gives and takes;
//! - [`setting`]: `NAME=VALUE`, put on a socket before it is bound or connected, and what the kernel made of it;
//! - [`why`]: why that is something else; [`missing`]: why there is nothing;
//! - [`read`], [`kind_of`]: what a socket has, whoever opened it.

pub mod form;
pub mod info;
pub mod layout;
pub mod lookup;
pub mod missing;
pub mod setting;
pub mod sys;
pub mod sysctl;
pub mod table;
pub mod value;
pub mod why;

use std::io;

use socket2::{Domain, Protocol, Socket, Type};

use self::form::Form;
use self::info::{On, OptionInfo, Platform};
use self::value::Value;

pub use self::missing::Missing;
pub use self::setting::{Granted, Setting, Settings, Unopened};

/// How long the values of all shapes but structures are at most.
const SHORT: usize = 256;

/// Reads an option of a socket of this kind. One whose reading would do harm is not read.
pub fn read(socket: &Socket, kind: On, option: &OptionInfo) -> Result<Value, Missing> {
    let (Some(here), Some((level, number))) = (Platform::HERE, option.here()) else {
        return Err(Missing::Unsupported);
    };
    if !option.is_for(kind) || !option.is_readable() {
        return Err(Missing::NotApplicable);
    }
    let length = match option.form {
        Form::Struct(_) => layout::LONGEST,
        _ => SHORT,
    };
    let mut buffer = [0; layout::LONGEST];
    let got = sys::get(socket, level, number, &mut buffer[..length])
        .map_err(|error| Missing::from_error(&error))?;
    match layout::decode(option.form, &buffer[..got], here) {
        // Nobody is at the other end: unix(7).
        Some(Value::Credentials { uid: u32::MAX, .. }) | None => Err(Missing::NotApplicable),
        Some(value) => Ok(value),
    }
}

/// What kind of socket this is.
pub fn kind_of(socket: &Socket) -> On {
    let Some(domain) = domain_of(socket) else {
        return On::OTHER;
    };
    let kind = socket.r#type();
    let is = |wanted: Type| kind.as_ref().is_ok_and(|kind| *kind == wanted);
    let protocol = protocol_of(socket);
    match domain {
        domain if domain == Domain::IPV4 || domain == Domain::IPV6 => {
            let v4 = domain == Domain::IPV4;
            let pick = |four, six| if v4 { four } else { six };
            if is(Type::STREAM) {
                let tcp = pick(On::TCP4, On::TCP6);
                match protocol == Some(MPTCP) {
                    true => tcp.or(On::MPTCP),
                    false => tcp,
                }
            } else if is(Type::DGRAM) && protocol.is_none_or(|number| number == UDP) {
                pick(On::UDP4, On::UDP6)
            } else {
                pick(On::RAW4, On::RAW6)
            }
        }
        domain if domain == Domain::UNIX => match is(Type::DGRAM) {
            true => On::UNIX_DATAGRAM,
            false => On::UNIX_STREAM,
        },
        domain if is_packet(domain) => On::PACKET,
        _ => On::OTHER,
    }
}

/// The family of its address, which every socket has on Unix, bound or not.
#[cfg(unix)]
fn domain_of(socket: &Socket) -> Option<Domain> {
    socket.local_addr().ok().map(|address| address.domain())
}

/// Winsock knows no address of a socket that is not bound. `WSAPROTOCOL_INFOW` (winsock2.h) has the family behind 76
/// bytes of flags, ids and version.
#[cfg(not(unix))]
fn domain_of(socket: &Socket) -> Option<Domain> {
    let option = lookup::find("SO_PROTOCOL_INFOW").ok()?;
    let Ok(Value::Bytes(bytes)) = read(socket, On::ALL, option) else {
        return None;
    };
    let family = bytes.get(76..80)?.try_into().ok()?;
    Some(Domain::from(i32::from_ne_bytes(family)))
}

/// IANA's number of UDP.
const UDP: i64 = 17;

/// `IPPROTO_MPTCP` of linux/in.h.
const MPTCP: i64 = 262;

fn protocol_of(socket: &Socket) -> Option<i64> {
    let option = table::all().find(|option| option.name == "SO_PROTOCOL")?;
    match read(socket, On::ALL, option) {
        Ok(Value::Number(number)) => Some(number),
        _ => None,
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_packet(domain: Domain) -> bool {
    domain == Domain::PACKET
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_packet(_: Domain) -> bool {
    false
}

/// A new socket of a kind. The kind is one of the six that sockkit opens.
pub fn open(kind: On) -> io::Result<Socket> {
    let (domain, ty, protocol) = match kind {
        On::TCP4 => (Domain::IPV4, Type::STREAM, Some(Protocol::TCP)),
        On::TCP6 => (Domain::IPV6, Type::STREAM, Some(Protocol::TCP)),
        On::UDP4 => (Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)),
        On::UDP6 => (Domain::IPV6, Type::DGRAM, Some(Protocol::UDP)),
        On::UNIX_STREAM => (Domain::UNIX, Type::STREAM, None),
        On::UNIX_DATAGRAM => (Domain::UNIX, Type::DGRAM, None),
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    Socket::new(domain, ty, protocol)
}

/// The kinds of socket that sockkit opens, and what they are called.
pub const KINDS: [(On, &str); 6] = [
    (On::TCP4, "tcp4"),
    (On::TCP6, "tcp6"),
    (On::UDP4, "udp4"),
    (On::UDP6, "udp6"),
    (On::UNIX_STREAM, "unix"),
    (On::UNIX_DATAGRAM, "unix-datagram"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn option(name: &str) -> &'static OptionInfo {
        lookup::find(name).expect("it is in the catalogue")
    }

    #[test]
    fn a_new_socket_is_of_the_kind_that_was_asked_for() {
        for (kind, name) in KINDS {
            match open(kind) {
                Ok(socket) => assert_eq!(kind_of(&socket), kind, "{name}"),
                // A system without IPv6 or Unix datagrams.
                Err(error) => assert!(!matches!(kind, On::TCP4 | On::UDP4), "{name}: {error}"),
            }
        }
    }

    #[test]
    fn options_are_read_or_say_why_not() {
        let socket = open(On::TCP4).unwrap();
        assert_eq!(
            read(&socket, On::TCP4, option("SO_TYPE")),
            Ok(Value::Number(1))
        );
        assert_eq!(
            read(&socket, On::TCP4, option("nodelay")),
            Ok(Value::Flag(false))
        );
        assert_eq!(
            read(&socket, On::TCP4, option("SO_LINGER")),
            Ok(Value::Linger(None))
        );
        assert_eq!(
            read(&socket, On::TCP4, option("IPV6_V6ONLY")),
            Err(Missing::NotApplicable)
        );
        assert_eq!(
            read(&socket, On::TCP4, option("SO_ERROR")),
            Err(Missing::NotApplicable),
            "never read"
        );
        let foreign = if cfg!(windows) {
            "TCP_CORK"
        } else {
            "SO_EXCLUSIVEADDRUSE"
        };
        assert_eq!(
            read(&socket, On::TCP4, option(foreign)),
            Err(Missing::Unsupported)
        );
    }

    /// Whatever the catalogue says of shapes: what this kernel gives has them.
    #[test]
    fn every_option_of_every_kind_can_be_asked_for() {
        for (kind, _) in KINDS {
            let Ok(socket) = open(kind) else { continue };
            let found = table::all()
                .filter(|option| read(&socket, kind, option).is_ok())
                .count();
            assert!(found >= 10, "{found}");
        }
    }
}
