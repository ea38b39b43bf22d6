//! A value of an option: from text, to text. What is printed reads back as the same.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::core::options::form::{Form, Names, Unit};
use crate::core::size::Size;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// On or off.
    Flag(bool),
    /// A number, a choice, flags, a class of traffic.
    Number(i64),
    /// A number that needs all 64 bits.
    Long(u64),
    /// A limit of time; `None` is none.
    Time(Option<Duration>),
    /// Seconds to linger; `None` is not at all.
    Linger(Option<u32>),
    /// Text.
    Text(String),
    /// An IPv4 address.
    Address4(Ipv4Addr),
    /// An interface.
    Interface(Interface),
    /// A multicast group, and the interface that it is joined on.
    Member(IpAddr, Interface),
    /// Process, user and group.
    Credentials {
        /// Process.
        pid: i32,
        /// User.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// The lowest and the highest port; `None` is the system's choice.
    Ports(Option<(u16, u16)>),
    /// Bytes that nobody looks into.
    Bytes(Vec<u8>),
}

/// An interface. Its name becomes an index when the option is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interface {
    /// The system's choice.
    Any,
    /// By index, above 0.
    Index(u32),
    /// By name.
    Name(String),
}

/// The longest name of an interface in bytes: `IFNAMSIZ` less its NUL is 15, Windows has longer ones.
const MAX_INTERFACE: usize = 64;

/// The longest structure that is taken as bytes. None in the catalogue is longer than `struct tcp_info`.
const MAX_BYTES: usize = 1024;

/// The code points of RFC 2474, RFC 2597, RFC 3246, RFC 5865 and RFC 8622, as the byte that carries them.
const DSCP: Names = &[
    ("CS0", 0),
    ("LE", 1 << 2),
    ("CS1", 8 << 2),
    ("AF11", 10 << 2),
    ("AF12", 12 << 2),
    ("AF13", 14 << 2),
    ("CS2", 16 << 2),
    ("AF21", 18 << 2),
    ("AF22", 20 << 2),
    ("AF23", 22 << 2),
    ("CS3", 24 << 2),
    ("AF31", 26 << 2),
    ("AF32", 28 << 2),
    ("AF33", 30 << 2),
    ("CS4", 32 << 2),
    ("AF41", 34 << 2),
    ("AF42", 36 << 2),
    ("AF43", 38 << 2),
    ("CS5", 40 << 2),
    ("VA", 44 << 2),
    ("EF", 46 << 2),
    ("CS6", 48 << 2),
    ("CS7", 56 << 2),
];

impl Value {
    /// Reads a value of this shape.
    ///
    /// # Errors
    ///
    /// What is wrong, without the value itself.
    pub fn parse(form: Form, text: &str) -> Result<Value, String> {
        let wrong = || format!("its value is {}", form.describe());
        match form {
            Form::Flag => flag(text).map(Value::Flag).ok_or_else(wrong),
            // No size is negative, and Linux takes -1 for the largest.
            Form::Int(Unit::Bytes) => number(text, Unit::Bytes, 0, i32::MAX.into(), &wrong),
            Form::Int(unit) => number(text, unit, i32::MIN.into(), i32::MAX.into(), &wrong),
            Form::Uint(unit) => number(text, unit, 0, u32::MAX.into(), &wrong),
            Form::Long(_) if text.eq_ignore_ascii_case("unlimited") => Ok(Value::Long(u64::MAX)),
            Form::Long(_) => size(text).map(Value::Long).ok_or_else(wrong),
            Form::Time => time(text).map(Value::Time).ok_or_else(wrong),
            Form::Linger => linger(text, &wrong),
            Form::Text(longest) => match text {
                _ if text.len() > longest => Err(format!("its value has at most {longest} bytes")),
                _ if text.contains('\0') => Err("its value cannot have a NUL in it".into()),
                _ => Ok(Value::Text(text.into())),
            },
            Form::Choice(names) => named(text, names)
                .or_else(|| integer(text).filter(|n| i32::try_from(*n).is_ok()))
                .map(Value::Number)
                .ok_or_else(|| one_of(names)),
            Form::Flags(names) => flags(text, names).ok_or_else(|| one_of(names)),
            Form::Traffic => named(text, DSCP)
                .or_else(|| integer(text).filter(|n| (0..=255).contains(n)))
                .map(Value::Number)
                .ok_or_else(wrong),
            Form::Address4 => text.parse().map(Value::Address4).map_err(|_| wrong()),
            Form::Interface | Form::InterfaceBe => {
                interface(text).map(Value::Interface).ok_or_else(wrong)
            }
            Form::Member4 => member(text, IpAddr::is_ipv4).ok_or_else(wrong),
            Form::Member6 => member(text, IpAddr::is_ipv6).ok_or_else(wrong),
            Form::Credentials => Err("it cannot be set".into()),
            Form::Ports => ports(text).map(Value::Ports).ok_or_else(wrong),
            Form::Struct(_) => bytes(text).map(Value::Bytes).ok_or_else(wrong),
        }
    }

    /// As text that reads back as the same, except for credentials, which nobody sets.
    pub fn show(&self, form: Form) -> String {
        match (self, form) {
            (Value::Flag(true), _) => "on".into(),
            (Value::Flag(false), _) => "off".into(),
            (Value::Number(n), Form::Choice(names)) => name_of(*n, names),
            (Value::Number(n), Form::Flags(names)) => show_flags(*n, names),
            (Value::Number(n), Form::Traffic) => match DSCP.iter().find(|d| i64::from(d.1) == *n) {
                Some((name, _)) => (*name).into(),
                None => format!("0x{n:02x}"),
            },
            (Value::Number(n), Form::Int(unit) | Form::Uint(unit)) => show_number(*n, unit),
            (Value::Number(n), _) => n.to_string(),
            (Value::Long(u64::MAX), Form::Long(Unit::BytesPerSecond)) => "unlimited".into(),
            (Value::Long(n), Form::Long(Unit::Bytes | Unit::BytesPerSecond)) => {
                Size::from_bytes(*n).to_string()
            }
            (Value::Long(n), _) => n.to_string(),
            (Value::Time(None), _) | (Value::Linger(None), _) | (Value::Ports(None), _) => {
                "off".into()
            }
            (Value::Time(Some(time)), _) => shown_time(*time),
            (Value::Linger(Some(seconds)), _) => format!("{seconds}s"),
            (Value::Text(text), _) => text.clone(),
            (Value::Address4(ip), _) => ip.to_string(),
            (Value::Interface(interface), _) => show_interface(interface),
            (Value::Member(group, Interface::Any), _) => group.to_string(),
            (Value::Member(group, interface), _) => {
                format!("{group}%{}", show_interface(interface))
            }
            (Value::Credentials { pid, uid, gid }, _) => format!("pid {pid}, uid {uid}, gid {gid}"),
            (Value::Ports(Some((low, high))), _) => format!("{low}-{high}"),
            (Value::Bytes(bytes), _) => {
                let mut text = String::from("0x");
                for byte in bytes {
                    let _ = write!(text, "{byte:02x}");
                }
                text
            }
        }
    }

    /// The interface in it, if there is one.
    pub fn interface(&mut self) -> Option<&mut Interface> {
        match self {
            Value::Interface(interface) | Value::Member(_, interface) => Some(interface),
            _ => None,
        }
    }
}

fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "on" | "yes" | "true" => Some(true),
        "0" | "off" | "no" | "false" => Some(false),
        _ => None,
    }
}

/// A whole number, in decimal or behind 0x.
fn integer(text: &str) -> Option<i64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) if !hex.starts_with(['+', '-']) => i64::from_str_radix(hex, 16).ok(),
        Some(_) => None,
        None => text.parse().ok(),
    }
}

/// A number of bytes.
fn size(text: &str) -> Option<u64> {
    text.parse::<Size>()
        .map(Size::bytes)
        .ok()
        .or_else(|| integer(text).and_then(|n| u64::try_from(n).ok()))
}

fn number(
    text: &str,
    unit: Unit,
    low: i64,
    high: i64,
    wrong: &dyn Fn() -> String,
) -> Result<Value, String> {
    let plain = integer(text);
    let found = match (plain, unit) {
        (Some(_), _) => plain,
        (None, Unit::Bytes) => size(text).and_then(|n| i64::try_from(n).ok()),
        (None, _) => match unit.micros() {
            Some(one) => {
                let micros = humantime::parse_duration(text).map_err(|_| wrong())?;
                if !micros.as_nanos().is_multiple_of(u128::from(one) * 1000) {
                    return Err(wrong());
                }
                i64::try_from(micros.as_micros() / u128::from(one)).ok()
            }
            None => None,
        },
    };
    // Digits that are too many for any number are out of range too.
    let all_digits = !text.is_empty()
        && text
            .trim_start_matches('-')
            .bytes()
            .all(|b| b.is_ascii_digit());
    match found {
        Some(n) if (low..=high).contains(&n) => Ok(Value::Number(n)),
        Some(_) => Err(format!("its value is between {low} and {high}")),
        None if all_digits => Err(format!("its value is between {low} and {high}")),
        None => Err(wrong()),
    }
}

fn show_number(n: i64, unit: Unit) -> String {
    match (unit, u64::try_from(n)) {
        (Unit::Bytes, Ok(bytes)) => Size::from_bytes(bytes).to_string(),
        (Unit::Seconds, Ok(_)) => format!("{n}s"),
        (Unit::Millis, Ok(_)) => format!("{n}ms"),
        (Unit::Micros, Ok(_)) => format!("{n}us"),
        _ => n.to_string(),
    }
}

/// A hundred years, beyond which a kernel's arithmetic overflows.
const LONGEST: Duration = Duration::from_secs(100 * 31_557_600);

fn time(text: &str) -> Option<Option<Duration>> {
    if matches!(text, "off" | "0") {
        return Some(None);
    }
    let time = humantime::parse_duration(text).ok()?;
    // Microseconds are all that a timeval has.
    let whole = time.subsec_nanos().is_multiple_of(1000);
    (whole && time <= LONGEST).then(|| Some(time).filter(|time| !time.is_zero()))
}

/// As humantime writes it, in one word.
fn shown_time(time: Duration) -> String {
    humantime::format_duration(time)
        .to_string()
        .replace(' ', "")
}

fn linger(text: &str, wrong: &dyn Fn() -> String) -> Result<Value, String> {
    if text == "off" {
        return Ok(Value::Linger(None));
    }
    match number(text, Unit::Seconds, 0, i32::MAX.into(), wrong)? {
        Value::Number(n) => Ok(Value::Linger(Some(u32::try_from(n).unwrap_or(0)))),
        _ => Err(wrong()),
    }
}

fn named(text: &str, names: Names) -> Option<i64> {
    let text = text.to_ascii_lowercase().replace('_', "-");
    names
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(&text))
        .map(|(_, n)| i64::from(*n))
}

fn name_of(n: i64, names: Names) -> String {
    match names.iter().find(|(_, value)| i64::from(*value) == n) {
        Some((name, _)) => (*name).into(),
        None => n.to_string(),
    }
}

fn one_of(names: Names) -> String {
    let names: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
    format!("its value is one of {}, or a number", names.join(", "))
}

fn flags(text: &str, names: Names) -> Option<Value> {
    if text.eq_ignore_ascii_case("none") {
        return Some(Value::Number(0));
    }
    let mut sum = 0;
    for part in text.split('+') {
        sum |=
            named(part, names).or_else(|| integer(part).filter(|n| u32::try_from(*n).is_ok()))?;
    }
    Some(Value::Number(sum))
}

fn show_flags(n: i64, names: Names) -> String {
    let mut left = n;
    let mut parts: Vec<String> = Vec::new();
    for (name, bit) in names {
        if left & i64::from(*bit) != 0 {
            left &= !i64::from(*bit);
            parts.push((*name).into());
        }
    }
    if left != 0 {
        parts.push(format!("{left:#x}"));
    }
    match parts.is_empty() {
        true => "none".into(),
        false => parts.join("+"),
    }
}

fn interface(text: &str) -> Option<Interface> {
    if text.eq_ignore_ascii_case("any") {
        return Some(Interface::Any);
    }
    if let Ok(index) = text.parse::<u32>() {
        return Some(match index {
            0 => Interface::Any,
            _ => Interface::Index(index),
        });
    }
    let fits = (1..=MAX_INTERFACE).contains(&text.len());
    let printable = text
        .chars()
        .all(|c| !c.is_whitespace() && !c.is_control() && c != '%');
    let no_number = !text.starts_with(['+', '-']) && !text.bytes().all(|b| b.is_ascii_digit());
    (fits && printable && no_number).then(|| Interface::Name(text.into()))
}

fn show_interface(interface: &Interface) -> String {
    match interface {
        Interface::Any => "any".into(),
        Interface::Index(index) => index.to_string(),
        Interface::Name(name) => name.clone(),
    }
}

fn member(text: &str, right: fn(&IpAddr) -> bool) -> Option<Value> {
    let (group, at) = match text.split_once('%') {
        Some((group, at)) => (group, interface(at)?),
        None => (text, Interface::Any),
    };
    let group = group.parse().ok().filter(right)?;
    Some(Value::Member(group, at))
}

fn ports(text: &str) -> Option<Option<(u16, u16)>> {
    if text == "off" {
        return Some(None);
    }
    let (low, high) = text.split_once('-')?;
    let (low, high) = (low.parse().ok()?, high.parse().ok()?);
    (low <= high && high > 0).then_some(Some((low, high)))
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x")?;
    let paired = digits.len().is_multiple_of(2) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if !paired || digits.len() / 2 > MAX_BYTES {
        return None;
    }
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::core::options::table;
    use proptest::prelude::*;

    fn parsed(form: Form, text: &str) -> Result<String, String> {
        Value::parse(form, text).map(|value| value.show(form))
    }

    #[test]
    fn values_are_read_with_their_units() {
        let table = [
            (Form::Flag, "yes", "on"),
            (Form::Flag, "0", "off"),
            (Form::Int(Unit::Bytes), "1MiB", "1MiB"),
            (Form::Int(Unit::Bytes), "65537", "65537"),
            (Form::Int(Unit::Bytes), "0x10000", "64KiB"),
            (Form::Int(Unit::Seconds), "2m", "120s"),
            (Form::Int(Unit::Seconds), "60", "60s"),
            (Form::Uint(Unit::Millis), "5s", "5000ms"),
            (Form::Int(Unit::Hops), "-1", "-1"),
            (Form::Long(Unit::BytesPerSecond), "unlimited", "unlimited"),
            (Form::Linger, "5s", "5s"),
            (Form::Linger, "off", "off"),
            (Form::Linger, "0s", "0s"),
            (Form::Time, "1500ms", "1s500ms"),
            (Form::Time, "0s", "off"),
            (Form::Traffic, "ef", "EF"),
            (Form::Traffic, "0xb8", "EF"),
            (Form::Traffic, "3", "0x03"),
            (Form::Interface, "0", "any"),
            (Form::Interface, "eth0", "eth0"),
            (Form::Member4, "239.1.2.3%eth0", "239.1.2.3%eth0"),
            (Form::Member6, "ff02::1", "ff02::1"),
            (Form::Ports, "40000-40100", "40000-40100"),
            (Form::Struct("x"), "0x01ff", "0x01ff"),
            (Form::Flags(&[("a", 1), ("b", 2)]), "b+A", "a+b"),
            (Form::Flags(&[("a", 1)]), "9", "a+0x8"),
            (Form::Flags(&[("a", 1)]), "none", "none"),
            (Form::Choice(&[("do", 2)]), "DO", "do"),
            (Form::Choice(&[("do", 2)]), "7", "7"),
        ];
        for (form, text, shown) in table {
            assert_eq!(parsed(form, text).as_deref(), Ok(shown), "{text}");
        }
    }

    #[test]
    fn what_is_out_of_range_negative_or_in_a_wrong_unit_is_refused() {
        let table = [
            (Form::Flag, "2"),
            (Form::Int(Unit::Bytes), "3GiB"),
            (Form::Int(Unit::Bytes), "5s"),
            (Form::Int(Unit::Bytes), "-1"),
            (Form::Int(Unit::None), "99999999999999999999"),
            (Form::Uint(Unit::None), "-1"),
            (Form::Int(Unit::Seconds), "1500ms"),
            (Form::Int(Unit::Seconds), "1KiB"),
            (Form::Int(Unit::Hops), "5s"),
            (Form::Long(Unit::BytesPerSecond), "-1"),
            (Form::Linger, "-1"),
            (Form::Linger, "1500ms"),
            (Form::Time, "5"),
            (Form::Time, "1ns"),
            (Form::Time, "200years"),
            (Form::Traffic, "256"),
            (Form::Traffic, "best"),
            (Form::Text(3), "four"),
            (Form::Text(9), "a\0b"),
            (Form::Address4, "::1"),
            (Form::Interface, "a b"),
            (Form::Interface, ""),
            (Form::Member4, "ff02::1"),
            (Form::Member6, "239.1.2.3"),
            (Form::Ports, "5-4"),
            (Form::Ports, "1-65536"),
            (Form::Struct("x"), "0x1"),
            (Form::Struct("x"), "12"),
            (Form::Credentials, "1"),
            (Form::Flags(&[("a", 1)]), "a+c"),
            (Form::Choice(&[("do", 2)]), "99999999999"),
        ];
        for (form, text) in table {
            assert!(parsed(form, text).is_err(), "{form:?} {text}");
        }
    }

    /// Some value of a shape, such as a kernel may give and a person may type.
    pub(crate) fn any_value(form: Form) -> BoxedStrategy<Value> {
        let interface = prop_oneof![
            Just(Interface::Any),
            (1..=u32::MAX).prop_map(Interface::Index),
        ];
        match form {
            Form::Flag => any::<bool>().prop_map(Value::Flag).boxed(),
            Form::Int(Unit::Bytes) => (0..=i32::MAX).prop_map(|n| Value::Number(n.into())).boxed(),
            Form::Int(_) | Form::Choice(_) => {
                any::<i32>().prop_map(|n| Value::Number(n.into())).boxed()
            }
            Form::Uint(_) | Form::Flags(_) => {
                any::<u32>().prop_map(|n| Value::Number(n.into())).boxed()
            }
            Form::Long(_) => any::<u64>().prop_map(Value::Long).boxed(),
            Form::Time => prop::option::of(1..=3_000_000_000_000_000_u64)
                .prop_map(|micros| Value::Time(micros.map(Duration::from_micros)))
                .boxed(),
            Form::Linger => prop::option::of(0..=0xffff_u32)
                .prop_map(Value::Linger)
                .boxed(),
            Form::Text(longest) => {
                let letters = prop::sample::select("abyz09_.-".chars().collect::<Vec<_>>());
                prop::collection::vec(letters, 0..=longest)
                    .prop_map(|letters| Value::Text(letters.into_iter().collect()))
                    .boxed()
            }
            Form::Traffic => (0..=255_i64).prop_map(Value::Number).boxed(),
            Form::Address4 => any::<[u8; 4]>()
                .prop_map(|ip| Value::Address4(ip.into()))
                .boxed(),
            Form::Interface | Form::InterfaceBe => interface.prop_map(Value::Interface).boxed(),
            Form::Member4 => (any::<[u8; 4]>(), interface)
                .prop_map(|(ip, at)| Value::Member(IpAddr::from(ip), at))
                .boxed(),
            Form::Member6 => (any::<[u8; 16]>(), interface)
                .prop_map(|(ip, at)| Value::Member(IpAddr::from(ip), at))
                .boxed(),
            Form::Credentials => (any::<i32>(), any::<u32>(), any::<u32>())
                .prop_map(|(pid, uid, gid)| Value::Credentials { pid, uid, gid })
                .boxed(),
            Form::Ports => prop::option::of((0..=u16::MAX, 1..=u16::MAX))
                .prop_map(|ports| Value::Ports(ports.map(|(a, b)| (a.min(b), a.max(b)))))
                .boxed(),
            Form::Struct(_) => prop::collection::vec(any::<u8>(), 0..64)
                .prop_map(Value::Bytes)
                .boxed(),
        }
    }

    /// Every shape that the catalogue has, with some value of it.
    pub(crate) fn any_form_and_value() -> BoxedStrategy<(Form, Value)> {
        let forms: Vec<Form> = table::all().map(|option| option.form).collect();
        prop::sample::select(forms)
            .prop_flat_map(|form| any_value(form).prop_map(move |value| (form, value)))
            .boxed()
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_as_the_same((form, value) in any_form_and_value()) {
            prop_assume!(form != Form::Credentials);
            // A name that cannot be told from a number of its own is the number.
            let text = value.show(form);
            prop_assert_eq!(Value::parse(form, &text), Ok(value), "{}", text);
        }

        #[test]
        fn any_text_is_taken_or_refused((form, _) in any_form_and_value(), text in ".{0,40}") {
            if let Ok(value) = Value::parse(form, &text) {
                prop_assert_eq!(Value::parse(form, &value.show(form)), Ok(value));
            }
        }
    }
}
