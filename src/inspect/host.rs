//! What this machine has: names, interfaces, limits, and the default of each option on each kind of socket.

use std::net::IpAddr;
use std::sync::mpsc;
use std::time::Duration;

use socket2::Socket;

use crate::core::limits::open_file_limit;
use crate::core::options::info::{On, OptionInfo, Platform};
use crate::core::options::value::Value;
use crate::core::options::{KINDS, Missing, open, read, sysctl};
use crate::core::size::Size;
use crate::inspect::interfaces::{self, Interface};
use crate::inspect::report::{Cell, Report, Section, counted};
use crate::inspect::socket::Detail;

/// How long the resolver may take for the host's own name, which is in a file nearly everywhere. A name server that
/// does not answer would keep it for many seconds.
const PATIENCE: Duration = Duration::from_secs(1);

/// The settings of Linux that bear on sockets, with their units.
const SETTINGS: &[(&str, Option<&str>)] = &[
    ("net.core.somaxconn", Some("connections")),
    ("net.core.rmem_max", Some("bytes")),
    ("net.core.wmem_max", Some("bytes")),
    ("net.core.rmem_default", Some("bytes")),
    ("net.core.wmem_default", Some("bytes")),
    ("net.ipv4.tcp_rmem", None),
    ("net.ipv4.tcp_wmem", None),
    ("net.ipv4.ip_local_port_range", None),
    ("net.ipv4.ip_unprivileged_port_start", None),
    ("net.ipv4.tcp_max_syn_backlog", Some("connections")),
    ("net.ipv4.tcp_fastopen", None),
    ("net.ipv4.tcp_congestion_control", None),
    ("net.ipv4.tcp_available_congestion_control", None),
    ("net.ipv6.bindv6only", None),
];

/// The host's facts.
pub fn report(detail: Detail) -> Report {
    let sockets: Vec<(On, &str, Option<Socket>)> = KINDS
        .iter()
        .map(|(kind, name)| (*kind, *name, open(*kind).ok()))
        .collect();
    let interfaces = interfaces::all();
    let name = dns_lookup::get_hostname().ok();
    let resolved = name.as_deref().map(resolve);
    let names = vec![
        (
            "name".into(),
            Cell::or_missing(name.clone().map(Cell::text), Missing::Unsupported),
        ),
        (
            "addresses".into(),
            match resolved {
                Some(Some(addresses)) if !addresses.is_empty() => {
                    Cell::list(addresses.iter().map(ToString::to_string))
                }
                Some(Some(_)) => Cell::text("none: the resolver does not know it"),
                Some(None) => Cell::text("none: the resolver does not answer"),
                None => Cell::Missing(Missing::NotApplicable),
            },
        ),
        ("system".into(), Cell::text(Platform::name_here())),
        (
            "kernel".into(),
            Cell::or_missing(
                sysctl::text("kernel.osrelease").map(Cell::text),
                Missing::Unsupported,
            ),
        ),
        (
            "IPv4".into(),
            version(
                sockets[0].2.is_some(),
                interfaces.as_ref().ok(),
                IpAddr::is_ipv4,
            ),
        ),
        (
            "IPv6".into(),
            version(
                sockets[1].2.is_some(),
                interfaces.as_ref().ok(),
                IpAddr::is_ipv6,
            ),
        ),
    ];
    Report::new("host", name.unwrap_or_else(|| "this host".into()))
        .with(Section::facts("host", "", names))
        .with(interfaces::section(interfaces))
        .with(Section::facts("limits", "Limits", limits()))
        .with(defaults(&sockets, detail))
}

/// Whether the system speaks an IP version. It may do so and have no address: IPv6 switched off with
/// net.ipv6.conf.all.disable_ipv6, or no interface that is up.
fn version(speaks: bool, interfaces: Option<&Vec<Interface>>, is_of: fn(&IpAddr) -> bool) -> Cell {
    let has_none = interfaces.is_some_and(|interfaces| {
        let mut addresses = interfaces.iter().flat_map(|one| &one.addresses);
        !addresses.any(|address| is_of(&address.ip))
    });
    match speaks && has_none {
        true => Cell::flag(true).shown_as("yes, but no interface has an address"),
        false => Cell::flag(speaks),
    }
}

fn limits() -> Vec<(String, Cell)> {
    let mut facts = vec![(
        "open files".to_owned(),
        match open_file_limit() {
            Some(limit) => Cell::count(limit, Some("files")).shown_as(limit.to_string()),
            None if cfg!(unix) => Cell::text("unlimited"),
            None => Cell::Missing(Missing::Unsupported),
        },
    )];
    facts.extend(SETTINGS.iter().map(|(name, unit)| {
        let cell = match sysctl::text(name) {
            Some(text) => match (text.parse(), unit) {
                (Ok(number), Some("bytes")) => {
                    let size = Size::from_bytes(number).to_string();
                    let exact = Cell::count(number, *unit);
                    // Not a whole number of KiB.
                    match size.bytes().all(|b| b.is_ascii_digit()) {
                        true => exact,
                        false => exact.shown_as(format!("{number} bytes ({size})")),
                    }
                }
                (Ok(number), _) => Cell::count(number, *unit),
                (Err(_), _) if name.ends_with("_rmem") || name.ends_with("_wmem") => {
                    let shown = format!("{text} bytes (least, default, most)");
                    Cell::text(text).shown_as(shown)
                }
                (Err(_), _) => Cell::text(text),
            },
            None => Cell::Missing(Missing::Unsupported),
        };
        ((*name).to_owned(), cell)
    }));
    facts
}

/// The default of each option per kind of socket: what a new one has.
fn defaults(sockets: &[(On, &'static str, Option<Socket>)], detail: Detail) -> Section {
    let mut columns = vec!["option"];
    columns.extend(sockets.iter().map(|(_, name, _)| *name));
    let rows = detail
        .options()
        .filter_map(|option| {
            let cells: Vec<Cell> = sockets
                .iter()
                .map(|(kind, _, socket)| match socket {
                    Some(socket) => default(option, &read(socket, *kind, option)),
                    None => Cell::Missing(Missing::Unsupported),
                })
                .collect();
            let known = cells.iter().any(|cell| matches!(cell, Cell::Value { .. }));
            // An option of sockets that sockkit does not open has no default to show.
            let expected = sockets.iter().any(|(kind, ..)| option.is_for(*kind));
            let mut row = vec![Cell::text(option.name)];
            row.extend(cells);
            (known || detail == Detail::All && expected).then_some(row)
        })
        .collect();
    Section::table("defaults", "Defaults of new sockets", &columns, rows)
}

/// In a matrix the bytes of a structure would make all columns as wide as they are.
fn default(option: &OptionInfo, reading: &Result<Value, Missing>) -> Cell {
    let cell = Cell::of_reading(option.form, reading);
    match reading {
        Ok(Value::Bytes(bytes)) if !bytes.is_empty() => {
            cell.shown_as(counted(&bytes.len().to_string(), "bytes"))
        }
        _ => cell,
    }
}

/// What the resolver says of a name; `None`: nothing in time.
fn resolve(name: &str) -> Option<Vec<IpAddr>> {
    let name = name.to_owned();
    in_time(PATIENCE, move || {
        dns_lookup::lookup_host(&name)
            .map(|found| {
                let mut list: Vec<IpAddr> = Vec::new();
                for ip in found {
                    if !list.contains(&ip) {
                        list.push(ip);
                    }
                }
                list
            })
            .unwrap_or_default()
    })
}

/// Does something that cannot be interrupted, and waits no longer than this for it.
pub fn in_time<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (answer, answered) = mpsc::sync_channel(1);
    std::thread::Builder::new()
        .name("resolve".into())
        .spawn(move || {
            // Nobody waits any more if this fails.
            let _ = answer.send(work());
        })
        .ok()?;
    answered.recv_timeout(patience).ok()
}
