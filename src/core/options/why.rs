//! Why the kernel granted something else than was asked.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::core::options::form::Form;
use crate::core::options::info::{OptionInfo, Platform};
use crate::core::options::value::Value;

/// Why `granted` is not `asked`, as far as it is known. `sysctl` gives the system's settings by name. `None`: they are
/// the same.
pub fn why(
    option: &OptionInfo,
    asked: &Value,
    granted: &Value,
    sysctl: &dyn Fn(&str) -> Option<u64>,
) -> Option<String> {
    if asked == granted {
        return None;
    }
    let linux = Platform::HERE == Some(Platform::Linux);
    let known = match (option.name, asked, granted) {
        ("SO_RCVBUF", Value::Number(asked), Value::Number(granted)) if linux => {
            buffer(*asked, *granted, "net.core.rmem_max", sysctl)
        }
        ("SO_SNDBUF", Value::Number(asked), Value::Number(granted)) if linux => {
            buffer(*asked, *granted, "net.core.wmem_max", sysctl)
        }
        ("TCP_MAXSEG", ..) => {
            "it shows only once the socket is connected, as what both ends agreed on".into()
        }
        ("TCP_DEFER_ACCEPT", ..) => {
            "rounded up to what whole retransmissions take: 1, 3, 7, 15 seconds and so on".into()
        }
        ("TCP_WINDOW_CLAMP", ..) => "raised to half of the smallest receive buffer".into(),
        ("TCP_FASTOPEN", ..) => match sysctl("net.core.somaxconn") {
            Some(most) => format!("capped at net.core.somaxconn = {most}"),
            None => "capped by the system".into(),
        },
        (
            "IP_TTL"
            | "IP_MULTICAST_TTL"
            | "IPV6_UNICAST_HOPS"
            | "IPV6_MULTICAST_HOPS"
            | "IPV6_TCLASS",
            Value::Number(-1),
            _,
        ) => "-1 is the system's choice".into(),
        // `TCP_FIN_TIMEOUT_MAX` of net/tcp.h.
        ("TCP_LINGER2", Value::Number(121..), Value::Number(120)) if linux => {
            "capped at the 120 seconds that Linux has at most".into()
        }
        ("SO_RCVLOWAT", Value::Number(0), _) => "0 counts as 1".into(),
        ("TCP_QUICKACK", ..) => "the kernel switches it by itself".into(),
        ("IP_TOS" | "IPV6_TCLASS", ..) => "TCP keeps the two ECN bits for itself".into(),
        ("SO_BINDTODEVICE", ..) => "the system has another name for the interface".into(),
        (_, Value::Interface(_), Value::Interface(_)) => return None,
        _ if option.form == Form::Time => "rounded to the clock of the kernel".into(),
        ("SO_LINGER", ..) => "cut to the longest time that the system has".into(),
        _ => "the system chose another value".into(),
    };
    Some(known)
}

/// socket(7): capped, then doubled, and never below a least size.
fn buffer(asked: i64, granted: i64, name: &str, sysctl: &dyn Fn(&str) -> Option<u64>) -> String {
    const END: &str = "the kernel no longer tunes it";
    let most = sysctl(name).and_then(|most| i64::try_from(most).ok());
    match most {
        Some(most) if asked > most && granted == 2 * most => {
            format!("capped at {name} = {most}, then doubled by Linux for its own records; {END}")
        }
        _ if granted == asked.saturating_mul(2) => {
            format!("doubled by Linux for its own records; {END}")
        }
        _ if granted > asked.saturating_mul(2) => {
            format!("raised to the least that Linux has; {END}")
        }
        _ => format!("capped by {name}; {END}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::options::lookup::find;

    fn because(name: &str, asked: Value, granted: Value) -> Option<String> {
        let sysctl = |name: &str| match name {
            "net.core.rmem_max" => Some(212_992),
            "net.core.somaxconn" => Some(4096),
            _ => None,
        };
        why(find(name).unwrap(), &asked, &granted, &sysctl)
    }

    #[test]
    fn what_was_granted_as_asked_needs_no_reason() {
        assert_eq!(
            because("nodelay", Value::Flag(true), Value::Flag(true)),
            None
        );
    }

    #[test]
    fn a_buffer_is_doubled_capped_and_no_longer_tuned() {
        if Platform::HERE != Some(Platform::Linux) {
            return;
        }
        let told = |asked, granted| {
            because("SO_RCVBUF", Value::Number(asked), Value::Number(granted)).unwrap_or_default()
        };
        assert!(told(65_536, 131_072).starts_with("doubled by Linux"));
        assert!(
            told(1 << 20, 425_984)
                .starts_with("capped at net.core.rmem_max = 212992, then doubled")
        );
        assert!(told(1, 2304).starts_with("raised to the least"));
        for text in [told(65_536, 131_072), told(1, 2304)] {
            assert!(text.ends_with("no longer tunes it"), "{text}");
        }
    }

    #[test]
    fn what_the_system_chooses_is_told() {
        let text = because("IP_TTL", Value::Number(-1), Value::Number(64));
        assert_eq!(text.as_deref(), Some("-1 is the system's choice"));
        let text = because("SO_RCVLOWAT", Value::Number(0), Value::Number(1));
        assert_eq!(text.as_deref(), Some("0 counts as 1"));
    }

    #[test]
    fn the_setting_that_caps_is_named() {
        let text = because("TCP_FASTOPEN", Value::Number(9999), Value::Number(4096));
        assert_eq!(text.as_deref(), Some("capped at net.core.somaxconn = 4096"));
    }
}
