//! A value as the bytes that the kernel gives and takes, on every system: integers in the machine's byte order,
//! structures as the C compiler lays them out there.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::core::options::form::Form;
use crate::core::options::info::Platform;
use crate::core::options::value::{Interface, Value};

/// The longest value that is read: `TCP_INFO` has grown to some 300 bytes, `SO_PEERGROUPS` may be long.
pub const LONGEST: usize = 4096;

/// How long a field of a `struct timeval` is. Where a processor of 32 bits has times of 64, it is the second field
/// that is padded.
const TIME_FIELD: usize = if cfg!(target_pointer_width = "64") {
    8
} else {
    4
};

/// The bytes of a value. `octet`: [`crate::core::options::info::OptionInfo::octet`]. `None`: the value is of another
/// shape, or names an interface that has not been looked up.
pub fn encode(form: Form, value: &Value, platform: Platform, octet: bool) -> Option<Vec<u8>> {
    if octet && platform == Platform::OpenBsd {
        return match value {
            Value::Flag(on) => Some(vec![u8::from(*on)]),
            Value::Number(n) => Some(vec![u8::try_from(*n).ok()?]),
            _ => None,
        };
    }
    let int = |n: i32| Some(n.to_ne_bytes().to_vec());
    match (form, value) {
        (Form::Flag, Value::Flag(on)) => int(i32::from(*on)),
        (Form::Int(_) | Form::Choice(_) | Form::Traffic, Value::Number(n)) => {
            int(i32::try_from(*n).ok()?)
        }
        (Form::Uint(_) | Form::Flags(_), Value::Number(n)) => {
            Some(u32::try_from(*n).ok()?.to_ne_bytes().to_vec())
        }
        (Form::Long(_), Value::Long(n)) => Some(n.to_ne_bytes().to_vec()),
        (Form::Time, Value::Time(time)) => encode_time(time.unwrap_or_default(), platform),
        (Form::Linger, Value::Linger(seconds)) => {
            let (on, seconds) = (seconds.is_some(), seconds.unwrap_or_default());
            match platform {
                Platform::Windows => {
                    let seconds = u16::try_from(seconds).ok()?;
                    Some([u16::from(on).to_ne_bytes(), seconds.to_ne_bytes()].concat())
                }
                _ => {
                    let seconds = i32::try_from(seconds).ok()?;
                    Some([i32::from(on).to_ne_bytes(), seconds.to_ne_bytes()].concat())
                }
            }
        }
        (Form::Text(_), Value::Text(text)) => Some(text.clone().into_bytes()),
        (Form::Address4, Value::Address4(ip)) => Some(ip.octets().to_vec()),
        (Form::Interface, Value::Interface(at)) => Some(index(at)?.to_ne_bytes().to_vec()),
        (Form::InterfaceBe, Value::Interface(at)) => Some(index(at)?.to_be_bytes().to_vec()),
        (Form::Member4, Value::Member(IpAddr::V4(group), at)) => {
            let mut bytes = group.octets().to_vec();
            match (platform, at) {
                // RFC 1724's 0.n.n.n in place of an address: ip(4), and Microsoft's page on IP_ADD_MEMBERSHIP.
                (Platform::Windows | Platform::NetBsd, at) => {
                    bytes.extend(index(at)?.to_be_bytes());
                }
                // OpenBSD and DragonFly have only addresses in a `struct ip_mreq`.
                (Platform::OpenBsd | Platform::DragonFly, Interface::Any) => bytes.extend([0; 4]),
                (Platform::OpenBsd | Platform::DragonFly, _) => return None,
                _ => {
                    bytes.extend([0; 4]);
                    bytes.extend(index(at)?.to_ne_bytes());
                }
            }
            Some(bytes)
        }
        (Form::Member6, Value::Member(IpAddr::V6(group), at)) => {
            let mut bytes = group.octets().to_vec();
            bytes.extend(index(at)?.to_ne_bytes());
            Some(bytes)
        }
        (Form::Credentials, Value::Credentials { pid, uid, gid }) => {
            let (pid, uid, gid) = (pid.to_ne_bytes(), uid.to_ne_bytes(), gid.to_ne_bytes());
            Some(match platform {
                Platform::OpenBsd => [uid, gid, pid].concat(),
                _ => [pid, uid, gid].concat(),
            })
        }
        (Form::Ports, Value::Ports(ports)) => {
            let (low, high) = ports.unwrap_or_default();
            Some(
                (u32::from(low) | u32::from(high) << 16)
                    .to_ne_bytes()
                    .to_vec(),
            )
        }
        (Form::Struct(_), Value::Bytes(bytes)) => Some(bytes.clone()),
        _ => None,
    }
}

/// What the kernel gave. `None`: it has another length than this shape.
pub fn decode(form: Form, bytes: &[u8], platform: Platform) -> Option<Value> {
    let value = match form {
        Form::Flag => Value::Flag(signed(bytes)? != 0),
        Form::Int(_) | Form::Choice(_) => Value::Number(signed(bytes)?),
        Form::Traffic => Value::Number(signed(bytes)? & 0xff),
        Form::Uint(_) | Form::Flags(_) => Value::Number(i64::try_from(unsigned(bytes)?).ok()?),
        Form::Long(_) => Value::Long(match unsigned(bytes)? {
            // What does not fit into the 32 bits of an older kernel is given as all of them set.
            n if bytes.len() == 4 && n == u64::from(u32::MAX) => u64::MAX,
            n => n,
        }),
        Form::Time => {
            Value::Time(Some(decode_time(bytes, platform)?).filter(|time| !time.is_zero()))
        }
        Form::Linger => {
            let (on, seconds) = match (platform, bytes.len()) {
                (Platform::Windows, 4) => (unsigned(&bytes[..2])?, unsigned(&bytes[2..])?),
                (Platform::Windows, _) => return None,
                (_, 8) => (unsigned(&bytes[..4])?, unsigned(&bytes[4..])?),
                _ => return None,
            };
            Value::Linger(match on {
                0 => None,
                _ => Some(u32::try_from(seconds).ok()?),
            })
        }
        Form::Text(_) => {
            let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
            Value::Text(String::from_utf8_lossy(&bytes[..end]).into_owned())
        }
        Form::Address4 => Value::Address4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        Form::Interface => Value::Interface(named(u32::try_from(unsigned(bytes)?).ok()?)),
        Form::InterfaceBe => {
            Value::Interface(named(u32::from_be_bytes(<[u8; 4]>::try_from(bytes).ok()?)))
        }
        Form::Member4 => {
            let group = Ipv4Addr::from(<[u8; 4]>::try_from(bytes.get(..4)?).ok()?);
            let at = match platform {
                Platform::Windows | Platform::NetBsd => {
                    u32::from_be_bytes(<[u8; 4]>::try_from(bytes.get(4..)?).ok()?)
                }
                Platform::OpenBsd | Platform::DragonFly => 0,
                _ => u32::from_ne_bytes(<[u8; 4]>::try_from(bytes.get(8..)?).ok()?),
            };
            Value::Member(group.into(), named(at))
        }
        Form::Member6 => {
            let group = Ipv6Addr::from(<[u8; 16]>::try_from(bytes.get(..16)?).ok()?);
            let at = u32::from_ne_bytes(<[u8; 4]>::try_from(bytes.get(16..)?).ok()?);
            Value::Member(group.into(), named(at))
        }
        Form::Credentials => {
            let field = |at: usize| <[u8; 4]>::try_from(bytes.get(at..at + 4)?).ok();
            let (pid, uid, gid) = match platform {
                Platform::OpenBsd => (field(8)?, field(0)?, field(4)?),
                _ => (field(0)?, field(4)?, field(8)?),
            };
            Value::Credentials {
                pid: i32::from_ne_bytes(pid),
                uid: u32::from_ne_bytes(uid),
                gid: u32::from_ne_bytes(gid),
            }
        }
        Form::Ports => {
            let both = u32::try_from(unsigned(bytes)?).ok()?;
            let (low, high) = ((both & 0xffff) as u16, (both >> 16) as u16);
            Value::Ports((both != 0).then_some((low, high)))
        }
        Form::Struct(_) => Value::Bytes(bytes.to_vec()),
    };
    Some(value)
}

/// Kernels give the integer as long as they keep it, whatever the buffer's length.
fn signed(bytes: &[u8]) -> Option<i64> {
    match *bytes {
        [a] => Some(a.into()),
        [a, b] => Some(i16::from_ne_bytes([a, b]).into()),
        [a, b, c, d] => Some(i32::from_ne_bytes([a, b, c, d]).into()),
        _ => Some(i64::from_ne_bytes(<[u8; 8]>::try_from(bytes).ok()?)),
    }
}

fn unsigned(bytes: &[u8]) -> Option<u64> {
    match *bytes {
        [a] => Some(a.into()),
        [a, b] => Some(u16::from_ne_bytes([a, b]).into()),
        [a, b, c, d] => Some(u32::from_ne_bytes([a, b, c, d]).into()),
        _ => Some(u64::from_ne_bytes(<[u8; 8]>::try_from(bytes).ok()?)),
    }
}

fn encode_time(time: Duration, platform: Platform) -> Option<Vec<u8>> {
    if platform == Platform::Windows {
        // Less than a millisecond would be no limit at all.
        let millis = time.as_micros().div_ceil(1000);
        return Some(u32::try_from(millis).ok()?.to_ne_bytes().to_vec());
    }
    let field = |n: u64| match TIME_FIELD {
        8 => Some(n.to_ne_bytes().to_vec()),
        _ => Some(i32::try_from(n).ok()?.to_ne_bytes().to_vec()),
    };
    Some([field(time.as_secs())?, field(time.subsec_micros().into())?].concat())
}

fn decode_time(bytes: &[u8], platform: Platform) -> Option<Duration> {
    if platform == Platform::Windows {
        return Some(Duration::from_millis(unsigned(bytes)?));
    }
    if bytes.len() != 2 * TIME_FIELD {
        return None;
    }
    let seconds = unsigned(&bytes[..TIME_FIELD])?;
    // Where the field is an int, four bytes of padding follow.
    let micros = unsigned(&bytes[TIME_FIELD..])? & u64::from(u32::MAX);
    Some(Duration::from_secs(seconds) + Duration::from_micros(micros))
}

/// An interface without its name.
fn index(interface: &Interface) -> Option<u32> {
    match interface {
        Interface::Any => Some(0),
        Interface::Index(index) => Some(*index),
        Interface::Name(_) => None,
    }
}

fn named(index: u32) -> Interface {
    match index {
        0 => Interface::Any,
        _ => Interface::Index(index),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::options::form::Unit;
    use crate::core::options::value::tests::any_form_and_value;
    use proptest::prelude::*;

    #[test]
    fn structures_are_laid_out_as_in_c() {
        let ne = |n: u32| n.to_ne_bytes();
        let second = Value::Time(Some(Duration::from_millis(1500)));
        let linger = Value::Linger(Some(5));
        let member = Value::Member("239.1.2.3".parse().unwrap(), Interface::Index(2));
        let table = [
            (
                Form::Linger,
                &linger,
                Platform::Linux,
                [ne(1), ne(5)].concat(),
            ),
            (
                Form::Linger,
                &linger,
                Platform::Windows,
                [1u16.to_ne_bytes(), 5u16.to_ne_bytes()].concat(),
            ),
            (Form::Time, &second, Platform::Windows, ne(1500).to_vec()),
            (
                Form::Member4,
                &member,
                Platform::Linux,
                [[239, 1, 2, 3], [0; 4], ne(2)].concat(),
            ),
            (
                Form::Member4,
                &member,
                Platform::Windows,
                vec![239, 1, 2, 3, 0, 0, 0, 2],
            ),
            (
                Form::InterfaceBe,
                &Value::Interface(Interface::Index(3)),
                Platform::Linux,
                vec![0, 0, 0, 3],
            ),
        ];
        for (form, value, platform, bytes) in table {
            assert_eq!(
                encode(form, value, platform, false),
                Some(bytes),
                "{form:?}"
            );
        }
        let ttl = Form::Int(Unit::Hops);
        let one = Value::Number(1);
        assert_eq!(encode(ttl, &one, Platform::OpenBsd, true), Some(vec![1]));
        assert_eq!(
            encode(ttl, &one, Platform::Linux, true),
            Some(ne(1).to_vec())
        );
        let openbsd = [ne(7), ne(8), ne(9)].concat();
        assert_eq!(
            decode(Form::Credentials, &openbsd, Platform::OpenBsd),
            Some(Value::Credentials {
                pid: 9,
                uid: 7,
                gid: 8
            })
        );
    }

    #[test]
    fn a_name_has_to_be_looked_up_first() {
        let eth0 = Value::Interface(Interface::Name("eth0".into()));
        assert_eq!(encode(Form::Interface, &eth0, Platform::Linux, false), None);
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_the_same(
            (form, value) in any_form_and_value(),
            platform in prop::sample::select(Platform::ALL.to_vec()),
        ) {
            // 32 bits of milliseconds hold fifty days, and some systems have no index in a membership.
            let Some(bytes) = encode(form, &value, platform, false) else {
                prop_assert!(matches!(form, Form::Time | Form::Member4), "{:?}", form);
                return Ok(());
            };
            let coarse = form == Form::Time && platform == Platform::Windows;
            if !coarse {
                prop_assert_eq!(decode(form, &bytes, platform), Some(value));
            }
        }

        #[test]
        fn any_bytes_decode_to_a_value_or_to_none(
            (form, _) in any_form_and_value(),
            platform in prop::sample::select(Platform::ALL.to_vec()),
            bytes in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            if let Some(value) = decode(form, &bytes, platform) {
                prop_assert!(!value.show(form).contains('\0') || matches!(form, Form::Text(_)));
            }
        }
    }
}
