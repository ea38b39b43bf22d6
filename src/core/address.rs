//! The address grammar: text in, a value that cannot be wrong out, and back. No I/O happens here;
//! [`crate::core::resolve`] turns the result into socket addresses.
//!
//! ```text
//! address = [ scheme "://" ] inet | unix path | unix "@" name
//! unix    = "unix:" | "unixgram:"                a stream, or datagrams
//! scheme  = "tcp" | "udp" | "tls"                 any case; tcp if left out
//! inet    = host [ ":" port ] | ":" port | port
//! host    = name | IPv4 | "[" IPv6 [ "%" zone ] "]" | IPv6 [ "%" zone ] | "*"
//! port    = 0..65535 | service name
//! ```
//!
//! Where the text leaves room for two meanings, this is what was decided:
//!
//! - `8888` alone is `localhost:8888` where a server listens. Where a client connects it is refused: the
//!   host is missing, and the C library would take the number for an IPv4 address.
//! - `:8888` is every interface, IPv4 and IPv6, where a server listens (`*:8888` too, as `ss` prints it).
//!   Where a client connects it is `localhost:8888`, as in Go's `net.Dial`.
//! - `[::]:8888` is every interface with IPv6 only, `0.0.0.0:8888` with IPv4 only.
//! - An IPv6 address without brackets is taken if it cannot be an address and a port at once: `::1` and
//!   `2001:db8::dead` are, `::1:8888` is not.
//! - The zone stands behind a plain `%` (RFC 4007 section 11), not behind the `%25` of RFC 6874.
//! - An IPv4-mapped IPv6 address (`[::ffff:192.0.2.1]`) is the IPv4 address.
//! - A host whose last label is a number has to be a whole IPv4 address: `127.1`, `010.0.0.1` and
//!   `256.0.0.1`, which C libraries read in surprising ways, are refused.
//! - Names are folded to lower case (RFC 4343) and are ASCII; others are written in their `xn--` form.
//! - `unixgram:/run/x.sock` is a Unix datagram socket.
//! - `unix:///run/x.sock` is `unix:/run/x.sock`. A path may be relative. A file called `@x` is
//!   `unix:./@x`.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::path::PathBuf;

use crate::error::{Error, Kind, Result};

/// The longest host name in bytes, without the dot of the root: RFC 1035 section 2.3.4 (255 octets on
/// the wire are 253 in text).
pub const MAX_HOST_NAME: usize = 253;

/// The longest label of a host name in bytes: RFC 1035 section 2.3.4.
const MAX_LABEL: usize = 63;

/// The longest service name in bytes. RFC 6335 section 5.1 says 15, but services files have longer ones.
const MAX_SERVICE: usize = 32;

/// The longest zone name in bytes. Linux and the BSDs stop at 15 (IFNAMSIZ); Windows allows more.
const MAX_ZONE: usize = 64;

/// The size of `sun_path` with its closing NUL: unix(7) says 108 for Linux, unix(4) says 104 for the BSDs
/// and macOS.
const SUN_PATH: usize = if cfg!(any(
    target_os = "linux",
    target_os = "android",
    target_os = "illumos",
    target_os = "solaris"
)) {
    108
} else {
    104
};

/// How many characters of a bad address an error message repeats.
const MAX_QUOTED: usize = 80;

/// What an address is wanted for. It decides what a missing part means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A server listens on it.
    Listen {
        /// The port of a host that is given without one.
        default_port: u16,
    },
    /// A client connects to it.
    Connect {
        /// The port of a host that is given without one; `None`: the port has to be given.
        default_port: Option<u16>,
    },
}

/// How bytes travel to and from an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Scheme {
    /// A plain stream. Unix stream sockets count as this one.
    #[default]
    Tcp,
    /// Datagrams. Unix datagram sockets count as this one.
    Udp,
    /// A stream inside TLS.
    Tls,
}

impl Scheme {
    /// The name, as it stands before `://`.
    pub const fn name(self) -> &'static str {
        match self {
            Scheme::Tcp => "tcp",
            Scheme::Udp => "udp",
            Scheme::Tls => "tls",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An address as it was typed, checked and in canonical form. Only [`Address::parse`] and
/// [`Address::from_socket_addr`] make one, so it never holds a bad value.
///
/// `{}` prints the canonical form, which parses back to the same value for the same [`Use`]; `{:#}`
/// leaves out `tcp://`, for messages.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    scheme: Scheme,
    endpoint: Endpoint,
}

/// Where an address points.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// IPv4 or IPv6.
    Inet {
        /// The host or interface.
        host: Host,
        /// The port.
        port: Port,
    },
    /// A Unix socket.
    Unix(UnixName),
}

/// A host, or the interfaces to listen on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// Every interface, IPv4 and IPv6. Only for listening.
    Any,
    /// A name in lower case, ASCII, at most [`MAX_HOST_NAME`] bytes and perhaps a dot at the end.
    Name(String),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, never an IPv4-mapped one, and its zone.
    V6(Ipv6Addr, Option<Zone>),
}

impl Host {
    /// Whether this is the name `localhost`, or a name below it, which always mean the loopback
    /// addresses: RFC 6761 section 6.3.
    pub fn is_localhost(&self) -> bool {
        match self {
            Host::Name(name) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                name == "localhost" || name.ends_with(".localhost")
            }
            _ => false,
        }
    }
}

impl fmt::Display for Host {
    /// As it stands before the colon: nothing for [`Host::Any`], IPv6 in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Any => Ok(()),
            Host::Name(name) => f.write_str(name),
            Host::V4(ip) => write!(f, "{ip}"),
            Host::V6(ip, None) => write!(f, "[{ip}]"),
            Host::V6(ip, Some(zone)) => write!(f, "[{ip}%{zone}]"),
        }
    }
}

/// The zone of a scoped IPv6 address (RFC 4007): an interface's name, or its index in decimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Zone(String);

impl Zone {
    /// The interface's index, if that is how the zone was given.
    pub fn index(&self) -> Option<u32> {
        self.0.parse().ok()
    }

    /// The text: printable ASCII without spaces, brackets, colons, slashes and percent signs.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Port {
    /// By number; 0, only for listening, lets the system choose.
    Number(u16),
    /// By the name of its service, in lower case, to be looked up by [`crate::core::resolve`].
    Service(String),
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Port::Number(number) => write!(f, "{number}"),
            Port::Service(name) => f.write_str(name),
        }
    }
}

/// The name of a Unix socket. It fits into `sun_path`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UnixName {
    /// A file.
    Path(PathBuf),
    /// A name without a file, which only Linux and Android have: unix(7), "Abstract sockets". Without the
    /// `@` and the leading NUL.
    Abstract(String),
}

impl fmt::Display for UnixName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnixName::Path(path) => write!(f, "{}", path.display()),
            UnixName::Abstract(name) => write!(f, "@{name}"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Endpoint::Unix(name) if self.scheme == Scheme::Udp => write!(f, "unixgram:{name}"),
            Endpoint::Unix(name) => write!(f, "unix:{name}"),
            Endpoint::Inet { host, port } => {
                if !(f.alternate() && self.scheme == Scheme::Tcp) {
                    write!(f, "{}://", self.scheme)?;
                }
                write!(f, "{host}:{port}")
            }
        }
    }
}

impl Address {
    /// Reads an address. The module documentation has the grammar.
    ///
    /// # Errors
    ///
    /// [`Kind::Usage`], `cannot understand the address "foo:99999": the port is above 65535`. What was
    /// typed is shown escaped and cut to a bearable length.
    pub fn parse(text: &str, purpose: Use) -> Result<Address> {
        parse(text, purpose).map_err(|complaint| {
            let error = Error::new(
                Kind::Usage,
                format!("cannot understand the address {}", quoted(text)),
            )
            .because(complaint.reason.into_owned());
            match complaint.hint {
                Some(hint) => error.hint(hint),
                None => error,
            }
        })
    }

    /// The address of a socket that exists. An IPv4-mapped address becomes IPv4.
    pub fn from_socket_addr(scheme: Scheme, address: SocketAddr) -> Address {
        let address = unmapped(address);
        let host = match address {
            SocketAddr::V4(v4) => Host::V4(*v4.ip()),
            SocketAddr::V6(v6) => {
                let zone = (v6.scope_id() != 0).then(|| Zone(v6.scope_id().to_string()));
                Host::V6(*v6.ip(), zone)
            }
        };
        Address {
            scheme,
            endpoint: Endpoint::Inet {
                host,
                port: Port::Number(address.port()),
            },
        }
    }

    /// How bytes travel.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Where it points.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whether it is a Unix socket.
    pub fn is_unix(&self) -> bool {
        matches!(self.endpoint, Endpoint::Unix(_))
    }
}

/// The address at the other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PeerAddr {
    /// TCP or UDP. An IPv4 address that came through an IPv6 socket is stored as IPv4.
    Inet(SocketAddr),
    /// A Unix socket; the path or abstract name if the peer has bound one.
    Unix(Option<String>),
}

impl PeerAddr {
    /// The peer of a TCP or UDP socket. An IPv4-mapped address becomes IPv4, so that a rule or limit for
    /// an address holds however its connection came in.
    pub fn from_socket_addr(address: SocketAddr) -> PeerAddr {
        PeerAddr::Inet(unmapped(address))
    }

    /// The peer of a Unix socket. The name is the peer's choice, so it is stored with control and other
    /// invisible characters escaped; an abstract one begins with `@`.
    #[cfg(unix)]
    pub fn from_unix(address: &std::os::unix::net::SocketAddr) -> PeerAddr {
        if let Some(path) = address.as_pathname() {
            return PeerAddr::Unix(Some(visible(&path.to_string_lossy())));
        }
        #[cfg(target_os = "linux")]
        {
            use std::os::linux::net::SocketAddrExt;
            if let Some(name) = address.as_abstract_name() {
                return PeerAddr::abstract_name(name);
            }
        }
        PeerAddr::Unix(None)
    }

    /// The peer of a Unix socket with a name that is in no directory.
    #[cfg(unix)]
    pub fn abstract_name(name: &[u8]) -> PeerAddr {
        let name = String::from_utf8_lossy(name);
        PeerAddr::Unix(Some(format!("@{}", visible(&name))))
    }

    /// The IP address, for rules about addresses. Limits go by [`network`].
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            PeerAddr::Inet(address) => Some(address.ip()),
            PeerAddr::Unix(_) => None,
        }
    }
}

/// What counts as one address where somebody could have many: an IPv4 address, or the /64 of an IPv6 one, which is
/// what the smallest of networks has (RFC 6177 section 2, RFC 7421).
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from(u128::from(ip) & (!0 << 64))),
    }
}

impl fmt::Display for PeerAddr {
    /// `1.2.3.4:5`, `[::1]:5`, `unix:/path`, `unix:@name`, `unix:`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerAddr::Inet(address) => write!(f, "{address}"),
            PeerAddr::Unix(Some(name)) => write!(f, "unix:{name}"),
            PeerAddr::Unix(None) => f.write_str("unix:"),
        }
    }
}

/// The address without IPv4 in IPv6's clothes, and without a flow label, which says nothing about who
/// the peer is.
fn unmapped(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::new(IpAddr::V4(v4), v6.port()),
            None => SocketAddr::V6(SocketAddrV6::new(*v6.ip(), v6.port(), 0, v6.scope_id())),
        },
    }
}

/// What somebody typed, safe to print: in quotes, escaped, and cut when it is long.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// `text` with everything escaped that has no visible shape of its own.
#[cfg(unix)]
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\'' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    shown
}

/// Control characters, and those that hide or reorder their neighbours (Unicode's bidirectional and
/// zero-width formatting): in an address they are an accident or an attack.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// What is wrong with an address, before it is wrapped with what was typed.
struct Complaint {
    reason: Cow<'static, str>,
    hint: Option<String>,
}

impl Complaint {
    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

fn wrong(reason: impl Into<Cow<'static, str>>) -> Complaint {
    Complaint {
        reason: reason.into(),
        hint: None,
    }
}

fn parse(text: &str, purpose: Use) -> Result<Address, Complaint> {
    if text.is_empty() {
        return Err(wrong("it is empty"));
    }
    if text.contains(is_invisible) {
        return Err(wrong("it contains a control or invisible character"));
    }
    if let Some((before, name)) = text.split_once(':')
        && let Some(scheme) = unix_scheme(before)
    {
        return Ok(Address {
            scheme,
            endpoint: Endpoint::Unix(parse_unix(name)?),
        });
    }
    let (scheme, rest) = match text.split_once("://") {
        Some((name, rest)) => (parse_scheme(name)?, rest),
        None => (Scheme::Tcp, text),
    };
    // A number behind it is the port of a host of that name.
    let is_port = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((before, behind)) = rest.split_once(':')
        && unix_scheme(before).is_some()
        && !is_port(behind)
    {
        return Err(wrong("a Unix socket takes no scheme")
            .hint("write unix:/path, or unixgram:/path for datagrams"));
    }
    let (host, port) = parse_inet(rest, purpose)?;
    if matches!(purpose, Use::Connect { .. }) && port == Port::Number(0) {
        return Err(wrong("port 0 is only for listening"));
    }
    Ok(Address {
        scheme,
        endpoint: Endpoint::Inet { host, port },
    })
}

/// What stands before the colon of a Unix socket. The second name is the one of Go's `net` package.
fn unix_scheme(word: &str) -> Option<Scheme> {
    match word.to_ascii_lowercase().as_str() {
        "unix" => Some(Scheme::Tcp),
        "unixgram" => Some(Scheme::Udp),
        _ => None,
    }
}

fn parse_scheme(name: &str) -> Result<Scheme, Complaint> {
    for scheme in [Scheme::Tcp, Scheme::Udp, Scheme::Tls] {
        if name.eq_ignore_ascii_case(scheme.name()) {
            return Ok(scheme);
        }
    }
    Err(wrong(format!("the scheme {} is unknown", quoted(name)))
        .hint("the schemes are tcp://, udp:// and tls://, and unix: for Unix sockets"))
}

fn parse_unix(name: &str) -> Result<UnixName, Complaint> {
    if cfg!(not(unix)) {
        return Err(wrong("Unix sockets are not available on this system"));
    }
    if let Some(name) = name.strip_prefix('@') {
        if cfg!(not(any(target_os = "linux", target_os = "android"))) {
            return Err(wrong("abstract Unix sockets exist only on Linux")
                .hint("a file called @name is unix:./@name"));
        }
        if name.is_empty() {
            return Err(wrong("the abstract name is empty"));
        }
        // One byte of sun_path is the leading NUL.
        if name.len() > SUN_PATH - 1 {
            return Err(wrong(format!(
                "the abstract name is longer than {} bytes",
                SUN_PATH - 1
            )));
        }
        return Ok(UnixName::Abstract(name.to_owned()));
    }
    if name.is_empty() {
        return Err(wrong("the path is empty"));
    }
    let path = match name.strip_prefix("//") {
        Some(path) if path.starts_with('/') => format!("/{}", path.trim_start_matches('/')),
        Some(_) => {
            return Err(wrong("a host has no meaning for a Unix socket")
                .hint("write unix:/path or unix:///path"));
        }
        None => name.to_owned(),
    };
    if path.len() > SUN_PATH - 1 {
        return Err(wrong(format!(
            "the path of a Unix socket is at most {} bytes long here",
            SUN_PATH - 1
        ))
        .hint("a relative path may be shorter"));
    }
    Ok(UnixName::Path(PathBuf::from(path)))
}

fn parse_inet(text: &str, purpose: Use) -> Result<(Host, Port), Complaint> {
    if text.is_empty() {
        return Err(wrong("there is no host and no port"));
    }
    if text.contains(char::is_whitespace) {
        return Err(wrong("it contains a space"));
    }
    if text.contains('@') {
        return Err(wrong("a user name has no place in an address"));
    }
    if text.contains(['/', '?', '#']) {
        return Err(
            wrong("a path has no meaning here").hint("an address ends behind the port: host:port")
        );
    }
    if let Some(rest) = text.strip_prefix('[') {
        let Some((inside, behind)) = rest.split_once(']') else {
            return Err(wrong("the bracket is not closed"));
        };
        let Some(host) = parse_ipv6(inside)? else {
            return Err(wrong(
                "what stands between the brackets is not an IPv6 address",
            ));
        };
        return match behind.strip_prefix(':') {
            Some(port) => Ok((host, parse_port(port)?)),
            None if behind.is_empty() => with_default_port(host, purpose),
            None => Err(wrong(
                "only a colon and a port can follow the closing bracket",
            )),
        };
    }
    match text.split_once(':') {
        None if is_signed_number(text) => match purpose {
            Use::Listen { .. } => Ok((Host::Name("localhost".to_owned()), parse_port(text)?)),
            Use::Connect { .. } => {
                let port = parse_port(text)?;
                Err(wrong("the host is missing").hint(format!("write localhost:{port}")))
            }
        },
        None => with_default_port(parse_host(text, purpose)?, purpose),
        Some((host, port)) if !port.contains(':') => {
            let host = match (host, purpose) {
                ("", Use::Listen { .. }) => Host::Any,
                ("", Use::Connect { .. }) => Host::Name("localhost".to_owned()),
                _ => parse_host(host, purpose)?,
            };
            Ok((host, parse_port(port)?))
        }
        Some((word, rest)) => parse_many_colons(text, word, rest, purpose),
    }
}

/// Several colons and no brackets: an IPv6 address alone, or a mistake that a hint can mend.
fn parse_many_colons(
    text: &str,
    word: &str,
    rest: &str,
    purpose: Use,
) -> Result<(Host, Port), Complaint> {
    if let Ok(scheme) = parse_scheme(word) {
        return Err(
            wrong("a scheme ends in ://").hint(format!("write {scheme}://{}", shortened(rest)))
        );
    }
    let (before, last) = text.rsplit_once(':').unwrap_or((text, ""));
    let split_is_possible = before.parse::<Ipv6Addr>().is_ok()
        && !last.is_empty()
        && last.bytes().all(|b| b.is_ascii_digit());
    match parse_ipv6(text)? {
        Some(_) if split_is_possible => Err(wrong("it can be an IPv6 address, or one with a port")
            .hint(format!("write [{before}]:{last}, or [{text}]:PORT"))),
        Some(host) => with_default_port(host, purpose),
        None if before.parse::<Ipv6Addr>().is_ok() => {
            Err(wrong("an IPv6 address with a port is written in brackets")
                .hint(format!("write [{before}]:{}", shortened(last))))
        }
        None => Err(wrong("it has too many colons for host:port")
            .hint("an IPv6 address with a port is written [::1]:8888")),
    }
}

/// For a hint: the text without the means to flood the terminal.
fn shortened(text: &str) -> String {
    text.chars().take(MAX_QUOTED).collect()
}

fn is_signed_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

fn with_default_port(host: Host, purpose: Use) -> Result<(Host, Port), Complaint> {
    match purpose {
        Use::Listen { default_port } => Ok((host, Port::Number(default_port))),
        Use::Connect {
            default_port: Some(port),
        } => Ok((host, Port::Number(port))),
        Use::Connect { default_port: None } => {
            let hint = format!("write {host}:PORT");
            Err(wrong("the port is missing").hint(hint))
        }
    }
}

fn parse_port(text: &str) -> Result<Port, Complaint> {
    if text.is_empty() {
        return Err(wrong("the port behind the colon is missing"));
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return match text.parse() {
            Ok(number) => Ok(Port::Number(number)),
            Err(_) => Err(wrong("the port is above 65535")),
        };
    }
    if is_signed_number(text) {
        return Err(wrong(if text.starts_with('-') {
            "the port is below 0"
        } else {
            "the port has a sign"
        }));
    }
    let is_service = text.len() <= MAX_SERVICE
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().any(|b| b.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b));
    if !is_service {
        return Err(wrong("the port is neither a number nor a service name"));
    }
    Ok(Port::Service(text.to_ascii_lowercase()))
}

/// `None` if it is no IPv6 address at all; an error if only the zone is bad.
fn parse_ipv6(text: &str) -> Result<Option<Host>, Complaint> {
    let (ip, zone) = match text.split_once('%') {
        Some((ip, zone)) => (ip, Some(zone)),
        None => (text, None),
    };
    let Ok(ip) = ip.parse::<Ipv6Addr>() else {
        return Ok(None);
    };
    let zone = zone.map(parse_zone).transpose()?.flatten();
    Ok(Some(match (ip.to_ipv4_mapped(), zone) {
        (Some(v4), None) => Host::V4(v4),
        (Some(_), Some(_)) => return Err(wrong("an IPv4 address has no zone")),
        (None, zone) => Host::V6(ip, zone),
    }))
}

/// Zone 0 is the default zone (RFC 4007 section 6), which is the same as none.
fn parse_zone(text: &str) -> Result<Option<Zone>, Complaint> {
    if text.is_empty() {
        return Err(wrong("the zone behind the % is missing"));
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return match text.parse::<u32>() {
            Ok(0) => Ok(None),
            Ok(index) => Ok(Some(Zone(index.to_string()))),
            Err(_) => Err(wrong("the zone's number is too large")),
        };
    }
    let fits = text.len() <= MAX_ZONE
        && text
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"/:%[]".contains(&b));
    if !fits {
        return Err(
            wrong("the zone is not the name of an interface").hint("write [fe80::1%eth0]:8888")
        );
    }
    Ok(Some(Zone(text.to_owned())))
}

fn parse_host(text: &str, purpose: Use) -> Result<Host, Complaint> {
    if text == "*" {
        return match purpose {
            Use::Listen { .. } => Ok(Host::Any),
            Use::Connect { .. } => Err(wrong("* means every interface and is only for listening")),
        };
    }
    if !text.is_ascii() {
        return Err(wrong("the host name is not ASCII")
            .hint("write an internationalised name in its xn-- form"));
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.len() > MAX_HOST_NAME {
        return Err(wrong(format!(
            "the host name is longer than {MAX_HOST_NAME} bytes"
        )));
    }
    let mut last = "";
    for label in name.split('.') {
        if label.is_empty() {
            return Err(wrong("the host name has an empty part"));
        }
        if label.len() > MAX_LABEL {
            return Err(wrong(format!(
                "a part of the host name is longer than {MAX_LABEL} bytes"
            )));
        }
        // The underscore is against RFC 952, but names with one exist.
        if let Some(bad) = label
            .chars()
            .find(|c| !c.is_ascii_alphanumeric() && !"-_".contains(*c))
        {
            return Err(wrong(format!("the host name contains {bad:?}")));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(wrong(
                "a part of the host name begins or ends with a hyphen",
            ));
        }
        last = label;
    }
    let hexadecimal = last
        .strip_prefix("0x")
        .or_else(|| last.strip_prefix("0X"))
        .is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    if hexadecimal || last.bytes().all(|b| b.is_ascii_digit()) {
        return match text.parse() {
            Ok(ip) => Ok(Host::V4(ip)),
            Err(_) => Err(wrong(
                "an IPv4 address is four numbers from 0 to 255 with dots between them",
            )),
        };
    }
    Ok(Host::Name(text.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests;
