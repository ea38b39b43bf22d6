//! The grammar of addresses, for both purposes, and what is said of everything that is not in it.

use proptest::prelude::*;

use super::*;

const LISTEN: Use = Use::Listen { default_port: 8888 };
const CONNECT: Use = Use::Connect {
    default_port: Some(8888),
};
const WITH_PORT: Use = Use::Connect { default_port: None };

fn read(text: &str, purpose: Use) -> Option<String> {
    Some(Address::parse(text, purpose).ok()?.to_string())
}

/// Why it is refused, and the hint.
fn complaint(text: &str, purpose: Use) -> (String, String) {
    let error = Address::parse(text, purpose).expect_err(text);
    assert_eq!(error.kind(), Kind::Usage, "{text}");
    let reason = error.cause().expect("a reason").to_string();
    (reason, error.advice().unwrap_or_default().to_owned())
}

#[test]
fn what_is_meant_is_understood_for_both_purposes() {
    for (text, listening, connecting) in [
        ("8888", Some("tcp://localhost:8888"), None),
        (":80", Some("tcp://:80"), Some("tcp://localhost:80")),
        ("*:80", Some("tcp://:80"), None),
        ("[::]:80", Some("tcp://[::]:80"), Some("tcp://[::]:80")),
        ("0", Some("tcp://localhost:0"), None),
        ("host:0", Some("tcp://host:0"), None),
    ] {
        assert_eq!(read(text, LISTEN).as_deref(), listening, "{text}");
        assert_eq!(read(text, CONNECT).as_deref(), connecting, "{text}");
    }
    for (text, written) in [
        ("Host.Example:80", "tcp://host.example:80"),
        ("host.example.:80", "tcp://host.example.:80"),
        ("host", "tcp://host:8888"),
        ("UDP://host:domain", "udp://host:domain"),
        ("tls://10.0.0.1:443", "tls://10.0.0.1:443"),
        ("::1", "tcp://[::1]:8888"),
        ("2001:db8::dead", "tcp://[2001:db8::dead]:8888"),
        ("[FE80::1%eth0]:1", "tcp://[fe80::1%eth0]:1"),
        ("[fe80::1%0]:1", "tcp://[fe80::1]:1"),
        ("[::ffff:192.0.2.1]:1", "tcp://192.0.2.1:1"),
        ("tcp:80", "tcp://tcp:80"),
        // A host of that name, which only a scheme tells from a Unix socket.
        ("unix", "tcp://unix:8888"),
        ("tcp://unix:80", "tcp://unix:80"),
        ("udp://unixgram:80", "udp://unixgram:80"),
    ] {
        for purpose in [LISTEN, CONNECT] {
            assert_eq!(read(text, purpose).as_deref(), Some(written), "{text}");
        }
    }
}

#[cfg(unix)]
#[test]
fn unix_sockets_have_paths() {
    for (text, written) in [
        ("unix:/run/x.sock", "unix:/run/x.sock"),
        ("UNIX:x.sock", "unix:x.sock"),
        ("unix:///run/x.sock", "unix:/run/x.sock"),
        ("unixgram:/run/x.sock", "unixgram:/run/x.sock"),
        ("unix:./@x", "unix:./@x"),
        ("unix:80", "unix:80"),
    ] {
        assert_eq!(read(text, WITH_PORT).as_deref(), Some(written), "{text}");
    }
    for (text, reason) in [
        ("unix:", "the path is empty"),
        ("unix://host/x", "a host has no meaning for a Unix socket"),
        ("tcp://unix:/run/x", "a Unix socket takes no scheme"),
        ("tcp://unix:", "a Unix socket takes no scheme"),
    ] {
        assert_eq!(complaint(text, CONNECT).0, reason, "{text}");
    }
    let longest = format!("unix:{}", "x".repeat(SUN_PATH - 1));
    assert_eq!(read(&longest, CONNECT), Some(longest.clone()));
    let (reason, hint) = complaint(&format!("{longest}x"), CONNECT);
    assert!(reason.starts_with("the path of a Unix socket is at most"));
    assert_eq!(hint, "a relative path may be shorter");
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn abstract_names_are_one_byte_shorter_than_paths_may_be() {
    let longest = format!("unix:@{}", "x".repeat(SUN_PATH - 1));
    assert_eq!(read(&longest, CONNECT), Some(longest.clone()));
    assert!(complaint(&format!("{longest}x"), CONNECT).0.contains("107"));
    assert_eq!(complaint("unix:@", CONNECT).0, "the abstract name is empty");
}

#[test]
fn what_is_wrong_is_said_with_what_would_be_right() {
    for (text, reason, hint) in [
        ("", "it is empty", ""),
        (
            "a\u{202e}b:1",
            "it contains a control or invisible character",
            "",
        ),
        ("host:99999", "the port is above 65535", ""),
        ("host:-1", "the port is below 0", ""),
        ("host:+1", "the port has a sign", ""),
        ("host:", "the port behind the colon is missing", ""),
        ("host:a b", "it contains a space", ""),
        ("me@host:1", "a user name has no place in an address", ""),
        (
            "host:1/x",
            "a path has no meaning here",
            "an address ends behind the port: host:port",
        ),
        ("[::1:1", "the bracket is not closed", ""),
        (
            "[::1]1",
            "only a colon and a port can follow the closing bracket",
            "",
        ),
        (
            "[host]:1",
            "what stands between the brackets is not an IPv6 address",
            "",
        ),
        ("[::ffff:192.0.2.1%1]:1", "an IPv4 address has no zone", ""),
        ("[fe80::1%]:1", "the zone behind the % is missing", ""),
        (
            "127.1:1",
            "an IPv4 address is four numbers from 0 to 255 with dots between them",
            "",
        ),
        (
            "010.0.0.1:1",
            "an IPv4 address is four numbers from 0 to 255 with dots between them",
            "",
        ),
        (
            "0x7f000001:1",
            "an IPv4 address is four numbers from 0 to 255 with dots between them",
            "",
        ),
        ("a..b:1", "the host name has an empty part", ""),
        (
            "-a:1",
            "a part of the host name begins or ends with a hyphen",
            "",
        ),
        (
            "b\u{fc}cher:1",
            "the host name is not ASCII",
            "write an internationalised name in its xn-- form",
        ),
        ("a!b:1", "the host name contains '!'", ""),
        (
            "ftp://host:1",
            "the scheme \"ftp\" is unknown",
            "the schemes are tcp://, udp:// and tls://, and unix: for Unix sockets",
        ),
        ("tcp:host:1", "a scheme ends in ://", "write tcp://host:1"),
        (
            "a:b:c",
            "it has too many colons for host:port",
            "an IPv6 address with a port is written [::1]:8888",
        ),
        (
            "::1:8888",
            "it can be an IPv6 address, or one with a port",
            "write [::1]:8888, or [::1:8888]:PORT",
        ),
        (
            "::1:http",
            "an IPv6 address with a port is written in brackets",
            "write [::1]:http",
        ),
        (
            "*:1",
            "* means every interface and is only for listening",
            "",
        ),
        ("8888", "the host is missing", "write localhost:8888"),
        ("host:0", "port 0 is only for listening", ""),
    ] {
        let (reason, hint) = (reason.to_owned(), hint.to_owned());
        assert_eq!(complaint(text, CONNECT), (reason, hint), "{text}");
    }
    let (reason, hint) = complaint("host", WITH_PORT);
    assert_eq!(
        (&*reason, &*hint),
        ("the port is missing", "write host:PORT")
    );
    let label = "x".repeat(MAX_LABEL);
    assert!(read(&label, CONNECT).is_some());
    assert!(
        complaint(&format!("{label}x"), CONNECT)
            .0
            .contains("63 bytes")
    );
    let name = [&*label; 3].join(".") + "." + &"x".repeat(61);
    assert_eq!(name.len(), MAX_HOST_NAME);
    assert!(read(&name, CONNECT).is_some());
    assert!(
        complaint(&format!("{name}x"), CONNECT)
            .0
            .contains("253 bytes")
    );
}

proptest! {
    /// What is written of an address is that address, whatever was typed.
    #[test]
    fn what_is_understood_is_understood_again(
        text in prop_oneof![
            "(tcp://|udp://|TLS://|unix:|unixgram:)?[a-z0-9.:@%*/\\[\\]-]{0,20}",
            "(tcp://)?(unix|unixgram|localhost|\\[::1\\]|1\\.2\\.3\\.4)(:[0-9a-z]{0,6})?",
        ]
    ) {
        for purpose in [LISTEN, CONNECT, WITH_PORT] {
            if let Ok(address) = Address::parse(&text, purpose) {
                let written = address.to_string();
                prop_assert_eq!(Address::parse(&written, purpose).ok(), Some(address), "{}", written);
            }
        }
    }
}
