//! An address: what it resolves to, how connecting goes, and what the socket then has.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use dns_lookup::AddrInfoHints;
use socket2::{SockRef, Socket};

use crate::core::address::{Address, Endpoint, Host, Scheme, UnixName, Use};
use crate::core::datagram::open::BindOptions;
use crate::core::datagram::{self, Bound};
use crate::core::dial::{DialOptions, Dialled, Step, dial};
use crate::core::options::info::{On, When};
use crate::core::options::{Settings, open};
use crate::core::resolve::{MAX_ADDRESSES, resolve};
use crate::core::socket::{ListenOptions, Listening, listen};
use crate::error::{Error, IoReason, Kind, Result};
use crate::inspect::host::in_time;
use crate::inspect::report::{self, Cell, Report, Section};
use crate::inspect::socket::{self, Detail};

/// How long a name that is only nice to know may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// `AI_CANONNAME`, the same in every netdb.h and in ws2def.h.
const CANONICAL_NAME: i32 = 2;

/// A socket that was opened to be looked at.
#[derive(Debug)]
pub struct Subject {
    socket: Held,
    name: String,
    before: Vec<Section>,
    settings: Settings,
}

#[derive(Debug)]
enum Held {
    Dialled(Dialled),
    Listening(Listening),
    Bound(Bound),
    Datagrams(Socket),
}

impl Subject {
    fn socket(&self) -> SockRef<'_> {
        match &self.socket {
            Held::Dialled(dialled) => dialled.transport.socket(),
            Held::Listening(listening) => listening.socket.socket(),
            Held::Bound(bound) => bound.socket.socket(),
            Held::Datagrams(socket) => SockRef::from(socket),
        }
    }

    /// What it has now.
    pub fn report(&self, detail: Detail) -> Report {
        let socket = self.socket();
        let mut report = socket::report(&socket, &*self.name, detail);
        let mut sections = self.before.clone();
        let granted = self.settings.granted(&socket);
        if !granted.is_empty() {
            sections.push(socket::asked(&granted));
        }
        sections.append(&mut report.sections);
        report.sections = sections;
        report
    }
}

/// Why there is no connection to look at, and what was found on the way there.
#[derive(Debug)]
pub struct Unconnected {
    /// Why.
    pub error: Error,
    /// Resolution and attempts, if it came that far: what somebody who looks for the reason wants to see.
    pub report: Option<Box<Report>>,
}

impl From<Error> for Unconnected {
    fn from(error: Error) -> Self {
        let report = None;
        Self { error, report }
    }
}

impl Unconnected {
    fn after(error: Error, address: &Address, sections: Vec<Section>) -> Self {
        let mut report = Report::new("address", address.to_string());
        report.sections = sections;
        Self {
            error,
            report: Some(Box::new(report)),
        }
    }
}

/// Connects to an address.
pub fn connect(text: &str, options: &DialOptions) -> Result<Subject, Unconnected> {
    let address = Address::parse(text, Use::Connect { default_port: None })?;
    match (address.scheme(), address.endpoint()) {
        (Scheme::Tls, _) => Err(no_tls(&address).into()),
        (Scheme::Udp, Endpoint::Unix(name)) => Ok(connect_unixgram(&address, name, options)?),
        (Scheme::Udp, _) => connect_udp(&address, options),
        (_, Endpoint::Unix(name)) => Ok(connect_unix(&address, name, options)?),
        _ => connect_tcp(&address, options),
    }
}

fn no_tls(address: &Address) -> Error {
    Error::new(
        Kind::Usage,
        format!("inspect does not speak TLS: {address}"),
    )
    .hint("leave out tls:// to look at the TCP connection below it")
}

fn connect_tcp(address: &Address, options: &DialOptions) -> Result<Subject, Unconnected> {
    let mut attempts = Vec::new();
    let mut resolution = Vec::new();
    let mut watch = |step: Step| match step {
        Step::Resolved { addresses, took } => resolution = resolved(address, &addresses, took),
        Step::Attempt {
            peer,
            outcome,
            took,
        } => attempts.push(vec![
            Cell::text(peer.to_string()),
            micros(took),
            Cell::text(match outcome {
                Ok(()) => "connected".into(),
                Err(error) => IoReason(&error).to_string(),
            }),
        ]),
        // It has a section of its own.
        Step::Granted(_) | Step::Secured { .. } => {}
    };
    let dialled = dial(address, options, &mut watch);
    let was_resolved = !resolution.is_empty();
    let before = vec![
        Section::facts("resolution", "Resolution", resolution),
        Section::table(
            "attempts",
            "Attempts",
            &["address", "took", "outcome"],
            attempts,
        ),
    ];
    match dialled {
        Ok(dialled) => Ok(Subject {
            socket: Held::Dialled(dialled),
            name: address.to_string(),
            before,
            settings: options.settings.clone(),
        }),
        Err(error) if was_resolved => Err(Unconnected::after(error, address, before)),
        Err(error) => Err(error.into()),
    }
}

/// What a name stands for, and why in this order.
fn resolved(address: &Address, order: &[SocketAddr], took: Duration) -> Vec<(String, Cell)> {
    let mut facts = vec![
        (
            "addresses".to_owned(),
            Cell::list(order.iter().map(ToString::to_string)),
        ),
        ("took".to_owned(), micros(took)),
    ];
    let Endpoint::Inet { host, .. } = address.endpoint() else {
        return facts;
    };
    let why = match host {
        Host::Name(_) if host.is_localhost() => {
            "the loopback addresses, whatever a name server says (RFC 6761)"
        }
        Host::Name(_) if order.len() == MAX_ADDRESSES => {
            "the resolver's order (RFC 6724), the IP versions taking turns (RFC 8305); no more than these are tried"
        }
        Host::Name(_) if order.len() > 1 => {
            "the resolver's order (RFC 6724), the IP versions taking turns (RFC 8305)"
        }
        Host::Name(_) => "the only address",
        Host::Any | Host::V4(_) | Host::V6(..) => "an address, which nobody has to be asked for",
    };
    facts.push(("order".into(), Cell::text(why)));
    if let Host::Name(name) = host
        && !host.is_localhost()
        && let Some(canonical) = canonical_name(name)
    {
        facts.push(("canonical name".into(), Cell::text(canonical)));
    }
    if let Some(first) = order.first()
        && let Some(name) = reverse_name(first.ip())
    {
        facts.push(("name of the address".into(), Cell::text(name)));
    }
    if let Some(first) = order.first() {
        let port = first.port();
        facts.push(("port".into(), Cell::count(port.into(), None)));
        // A port without a name is given back as it is.
        if let Ok((_, service)) = dns_lookup::getnameinfo(first, NUMERIC_HOST)
            && service != port.to_string()
        {
            facts.push(("service".into(), Cell::text(service)));
        }
    }
    facts
}

/// `NI_NUMERICHOST`: only the service is wanted, and no name server is to be asked.
#[cfg(unix)]
const NUMERIC_HOST: i32 = libc::NI_NUMERICHOST;
#[cfg(not(unix))]
const NUMERIC_HOST: i32 = 2;

fn canonical_name(name: &str) -> Option<String> {
    let name = name.to_owned();
    in_time(PATIENCE, move || {
        let hints = AddrInfoHints {
            flags: CANONICAL_NAME,
            ..AddrInfoHints::default()
        };
        let mut found = dns_lookup::getaddrinfo(Some(&name), None, Some(hints)).ok()?;
        found.find_map(|one| one.ok()?.canonname)
    })?
}

/// The name that the resolver has for an address, if it says so in time and it is no copy of the address.
pub fn reverse_name(ip: IpAddr) -> Option<String> {
    let name = in_time(PATIENCE, move || dns_lookup::lookup_addr(&ip).ok())??;
    (name.parse::<IpAddr>().is_err()).then_some(name)
}

fn micros(took: Duration) -> Cell {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    Cell::count(micros, Some("us")).shown_as(report::time(Duration::from_micros(micros)))
}

/// Connecting a datagram socket sends nothing: it shows the route and the local address.
fn connect_udp(address: &Address, options: &DialOptions) -> Result<Subject, Unconnected> {
    let started = std::time::Instant::now();
    let found = resolve(address, options.family)?;
    let resolution = resolved(address, &found, started.elapsed());
    let kinds: Vec<On> = found.iter().map(|at| udp_kind(*at)).collect();
    options.settings.check(&kinds)?;
    let mut attempts = Vec::new();
    let mut first_error = None;
    for at in found {
        let kind = udp_kind(at);
        let cannot = |error: std::io::Error| {
            Error::new(Kind::Unreachable, format!("cannot connect to {address}")).because(error)
        };
        let opened = open(kind).and_then(|socket| {
            options.buffers.set(&socket)?;
            Ok(socket)
        });
        let socket = match opened {
            Ok(socket) => socket,
            Err(error) => {
                first_error.get_or_insert(cannot(error));
                continue;
            }
        };
        options.settings.apply(&socket, kind, When::Before)?;
        let outcome = socket.connect(&at.into());
        attempts.push(vec![
            Cell::text(at.to_string()),
            Cell::text(match &outcome {
                Ok(()) => "there is a route; nothing was sent".into(),
                Err(error) => IoReason(error).to_string(),
            }),
        ]);
        match outcome {
            Ok(()) => {
                options.settings.apply(&socket, kind, When::Connected)?;
                return Ok(Subject {
                    socket: Held::Datagrams(socket),
                    name: address.to_string(),
                    before: vec![
                        Section::facts("resolution", "Resolution", resolution),
                        Section::table("attempts", "Attempts", &["address", "outcome"], attempts),
                    ],
                    settings: options.settings.clone(),
                });
            }
            Err(error) => {
                first_error.get_or_insert(cannot(error));
            }
        }
    }
    let error = first_error
        .unwrap_or_else(|| Error::new(Kind::Unreachable, format!("cannot connect to {address}")));
    let before = vec![
        Section::facts("resolution", "Resolution", resolution),
        Section::table("attempts", "Attempts", &["address", "outcome"], attempts),
    ];
    Err(Unconnected::after(error, address, before))
}

fn udp_kind(at: SocketAddr) -> On {
    match at.is_ipv6() {
        true => On::UDP6,
        false => On::UDP4,
    }
}

/// A stream, or datagrams where a socket of datagrams is there.
fn connect_unix(address: &Address, name: &UnixName, options: &DialOptions) -> Result<Subject> {
    match dial(address, options, &mut |_| {}) {
        Ok(dialled) => Ok(alone(address, options, Held::Dialled(dialled))),
        Err(error) if is_wrong_type(&error) => {
            connect_unixgram(address, name, options).map_err(|_| error)
        }
        Err(error) => Err(error),
    }
}

/// A socket that nothing is known of from the way to it.
fn alone(address: &Address, options: &DialOptions, socket: Held) -> Subject {
    Subject {
        socket,
        name: address.to_string(),
        before: Vec::new(),
        settings: options.settings.clone(),
    }
}

fn connect_unixgram(address: &Address, name: &UnixName, options: &DialOptions) -> Result<Subject> {
    options.settings.check(&[On::UNIX_DATAGRAM])?;
    let cannot = |error: std::io::Error| {
        let hint = match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => {
                Some("is the server running there?")
            }
            _ => None,
        };
        let failed = Error::new(Kind::Unreachable, format!("cannot connect to {address}"));
        let failed = failed.because(error);
        match hint {
            Some(hint) => failed.hint(hint),
            None => failed,
        }
    };
    let at = match name {
        UnixName::Path(path) => socket2::SockAddr::unix(path),
        UnixName::Abstract(name) => socket2::SockAddr::unix(format!("\0{name}")),
    };
    let socket = open(On::UNIX_DATAGRAM).map_err(cannot)?;
    options.buffers.set(&socket).map_err(cannot)?;
    options
        .settings
        .apply(&socket, On::UNIX_DATAGRAM, When::Before)?;
    at.and_then(|at| socket.connect(&at)).map_err(cannot)?;
    Ok(alone(address, options, Held::Datagrams(socket)))
}

/// EPROTOTYPE: unix(7).
fn is_wrong_type(error: &Error) -> bool {
    #[cfg(unix)]
    {
        let cause = error
            .cause()
            .and_then(|cause| cause.downcast_ref::<std::io::Error>());
        cause.and_then(std::io::Error::raw_os_error)
            == Some(rustix::io::Errno::PROTOTYPE.raw_os_error())
    }
    #[cfg(not(unix))]
    {
        let _ = error;
        false
    }
}

/// Listens on an address, or binds it for datagrams. A socket for each that it stands for.
pub fn bind(text: &str, options: &ListenOptions) -> Result<Vec<Subject>> {
    let address = Address::parse(text, Use::Listen { default_port: 0 })?;
    let subject = |address: &Address, socket| Subject {
        name: address.to_string(),
        socket,
        before: Vec::new(),
        settings: options.settings.clone(),
    };
    match address.scheme() {
        Scheme::Tls => Err(no_tls(&address)),
        Scheme::Udp => {
            let options = BindOptions {
                listen: options.clone(),
                ..BindOptions::default()
            };
            let bound = datagram::bind(&address, &options)?;
            Ok(bound
                .into_iter()
                .map(|bound| subject(&bound.address.clone(), Held::Bound(bound)))
                .collect())
        }
        Scheme::Tcp => {
            let listening = listen(&address, options)?;
            Ok(listening
                .into_iter()
                .map(|listening| subject(&listening.address.clone(), Held::Listening(listening)))
                .collect())
        }
    }
}
