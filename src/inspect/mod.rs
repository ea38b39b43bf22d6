//! `inspect`: what a host, a socket or a process really has.
//!
//! - [`report`]: what was found, as data; `ui::table` and `ui::json` show it;
//! - [`tcp_info`], [`notation`]: bytes and numbers in words;
//! - `host`, `interfaces`, `socket`, `probe`, `process`, `can`, `catalogue`: where the facts come from.

mod can;
mod catalogue;
mod host;
mod interfaces;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod netlink;
pub mod notation;
mod probe;
mod process;
pub mod report;
mod socket;
pub mod tcp_info;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use jiff::tz::TimeZone;

use self::probe::Subject;
use self::report::{Cell, Report, Section, diff, flat};
use self::socket::Detail;
use crate::cli::{InspectArgs, ProfileName};
use crate::core::dial::DialOptions;
use crate::core::event_loop::wall_clock;
use crate::core::machine::Signal;
use crate::core::options::info::{On, When};
use crate::core::options::{KINDS, Missing, Setting, Settings, open};
use crate::core::resolve::interface_index;
use crate::core::signal;
use crate::core::socket::ListenOptions;
use crate::core::timestamp::Timestamp;
use crate::error::{Error, Kind, Result};
use crate::ui::human::Clock;
use crate::ui::{Output, Ui};

/// Runs the command.
pub fn run(ui: &Ui, args: &InspectArgs) -> Result<()> {
    if let Some(name) = &args.explain {
        let report = match name {
            Some(name) => catalogue::page(name)?,
            None => catalogue::list(),
        };
        return show(ui, &report);
    }
    if let Some(profile) = args.profile {
        return show(ui, &catalogue::profile(profile));
    }
    if let Some(text) = &args.convert {
        return show(ui, &converted(text)?);
    }
    if args.can {
        return show(ui, &can::report());
    }
    if args.all_sockets {
        return show(ui, &process::all()?);
    }
    if let Some(two) = &args.diff {
        return compare(ui, args, two);
    }
    let Some(pause) = args.watch else {
        return print(ui, &View::new(ui, args)?.reports(ui)?);
    };
    // From here on, so that whoever ends it finds nothing left behind.
    let signals = signal::receiver()?;
    let view = View::new(ui, args)?;
    let first = view.reports(ui)?;
    print(ui, &first)?;
    watch(ui, &view, pause, &signals, &first)
}

/// What is looked at, once or again and again.
enum View<'a> {
    Host(Detail),
    /// Sockets of ours.
    Ours(Vec<Subject>, Detail),
    /// Sockets of another process, or one.
    Process(u32, Option<i32>, &'a InspectArgs),
    Inherited(i32, Detail),
    /// What `-o` alone asks.
    Asked(Settings),
}

impl<'a> View<'a> {
    fn new(ui: &Ui, args: &'a InspectArgs) -> Result<Self> {
        let detail = detail(args.all);
        if let Some(pid) = args.pid {
            return Ok(View::Process(pid, args.fd, args));
        }
        if let Some(number) = args.fd {
            return Ok(View::Inherited(number, detail));
        }
        if let Some(address) = &args.listen {
            return Ok(View::Ours(
                probe::bind(address, &listen_options(args))?,
                detail,
            ));
        }
        if let Some(address) = &args.address {
            return Ok(View::Ours(vec![connected(ui, address, args)?], detail));
        }
        let socket = &args.dial.socket;
        if socket.ipv4
            || socket.ipv6
            || socket.send_buffer.is_some()
            || socket.recv_buffer.is_some()
        {
            return Err(Error::new(
                Kind::Usage,
                "-4, -6, --send-buffer and --recv-buffer are for an address",
            ));
        }
        let settings = args.sockopt.settings();
        Ok(match settings.is_empty() {
            true => View::Host(detail),
            false => View::Asked(settings),
        })
    }

    fn reports(&self, ui: &Ui) -> Result<Vec<Report>> {
        Ok(match self {
            View::Host(detail) => vec![host::report(*detail)],
            View::Ours(subjects, detail) => {
                subjects.iter().map(|one| one.report(*detail)).collect()
            }
            View::Process(pid, only, args) => {
                // A program is given all there is; a person one line for each of many sockets, unless asked.
                let brief = only.is_none() && !args.all && !ui.json() && args.watch.is_none();
                let detail = match brief {
                    true => Detail::Outline,
                    false => Detail::All,
                };
                let found = process::sockets_of(*pid, *only, detail)?;
                match brief {
                    true => vec![overview(*pid, &found)],
                    false => found.into_iter().map(|(_, report)| report).collect(),
                }
            }
            View::Inherited(number, detail) => vec![process::inherited(*number, *detail)?],
            View::Asked(settings) => vec![asked(settings)?],
        })
    }
}

fn print(ui: &Ui, reports: &[Report]) -> Result<()> {
    let several = reports.len() > 1;
    for (number, report) in reports.iter().enumerate() {
        if several && !ui.json() {
            let gap = if number > 0 { "\n" } else { "" };
            let title = ui.title(&report.subject);
            if ui.write(format!("{gap}{title}").as_bytes())? == Output::Closed {
                return Ok(());
            }
        }
        if ui.report(report)? == Output::Closed {
            return Ok(());
        }
    }
    Ok(())
}

/// Connects. Where that fails, what was found until then is shown all the same.
fn connected(ui: &Ui, address: &str, args: &InspectArgs) -> Result<Subject> {
    probe::connect(address, &dial_options(args)).map_err(|failed| {
        if let Some(report) = &failed.report
            && let Err(error) = ui.report(report)
        {
            return error;
        }
        failed.error
    })
}

fn show(ui: &Ui, report: &Report) -> Result<()> {
    ui.report(report).map(drop)
}

fn detail(all: bool) -> Detail {
    match all {
        true => Detail::All,
        false => Detail::Short,
    }
}

/// One line a socket.
fn overview(pid: u32, found: &[process::Numbered]) -> Report {
    let rows = found
        .iter()
        .map(|(number, report)| {
            let of = |wanted: &str| {
                let cell = report.fact("socket", wanted);
                Cell::or_missing(cell.cloned(), Missing::NotApplicable)
            };
            vec![
                Cell::count(u64::try_from(*number).unwrap_or(0), None),
                of("kind"),
                of("state"),
                of("local"),
                of("remote"),
            ]
        })
        .collect();
    let mut report = Report::new("process", format!("process {pid}")).with(Section::table(
        "sockets",
        "",
        &["fd", "kind", "state", "local", "remote"],
        rows,
    ));
    for (number, one) in found {
        let remarks = one.remarks.iter();
        report
            .remarks
            .extend(remarks.map(|remark| format!("fd {number}: {remark}")));
    }
    report.remarks.push(match found.is_empty() {
        true => "the process has no sockets".into(),
        false => {
            format!("--pid {pid} --fd N shows one with its options, --all each with all of them")
        }
    });
    report
}

/// Asks new sockets for what `-o` says: options of the same kind of socket one, as a program would.
fn asked(settings: &Settings) -> Result<Report> {
    let mut groups: Vec<(On, Vec<Setting>)> = Vec::new();
    for setting in settings.iter() {
        let option = setting.option();
        let list = match groups.iter_mut().find(|(kind, _)| option.is_for(*kind)) {
            Some((_, list)) => list,
            None => {
                let mut kinds = KINDS.iter().map(|(kind, _)| *kind);
                let Some(kind) = kinds.find(|kind| option.is_for(*kind)) else {
                    settings.limited_to(option.on).check(&[])?;
                    continue;
                };
                groups.push((kind, Vec::new()));
                match groups.last_mut() {
                    Some((_, list)) => list,
                    None => continue,
                }
            }
        };
        list.push(setting.clone());
    }
    let mut granted = Vec::new();
    for (kind, list) in groups {
        let settings = Settings::new(list);
        let socket = open(kind).map_err(|error| {
            let kind = KINDS.iter().find(|(known, _)| *known == kind);
            let name = kind.map_or("", |(_, name)| name);
            Error::new(Kind::Unreachable, format!("cannot open a {name} socket")).because(error)
        })?;
        settings.apply(&socket, kind, When::Before)?;
        settings.apply(&socket, kind, When::Connected)?;
        granted.append(&mut settings.granted(&socket));
    }
    Ok(Report::new("asked", "new sockets").with(socket::asked(&granted)))
}

fn converted(text: &str) -> Result<Report> {
    let Some(noted) = notation::read(text) else {
        let shown = crate::core::address::quoted(text);
        return Err(Error::new(Kind::Usage, format!("{shown} is no IP address"))
            .hint("an IPv4 or IPv6 address in any notation, without a port: 127.0.0.1, 0x7f000001, ::1"));
    };
    let mut facts = notation::notations(&noted);
    if let Some(zone) = &noted.zone {
        facts.push((
            "zone index".into(),
            match interface_index(zone) {
                Ok(index) => Cell::count(index.into(), None),
                Err(_) => Cell::text("none: there is no such interface here"),
            },
        ));
    }
    let name = probe::reverse_name(noted.ip);
    facts.push((
        "name".into(),
        Cell::or_missing(name.map(Cell::text), Missing::NotApplicable),
    ));
    Ok(Report::new("address", noted.ip.to_string()).with(Section::facts("address", "", facts)))
}

/// Two profiles, two files that `--json` wrote, a live socket: in any combination.
fn compare(ui: &Ui, args: &InspectArgs, two: &[String]) -> Result<()> {
    let [a, b] = two else {
        return Err(Error::new(Kind::Usage, "--diff compares two things"));
    };
    let (first, second) = (operand(ui, args, a)?, operand(ui, args, b)?);
    // A profile says nothing of most options, and two profiles are compared whole.
    let only_shared = first.is_profile != second.is_profile;
    let cell =
        |value: Option<String>| Cell::or_missing(value.map(Cell::text), Missing::NotApplicable);
    let rows = diff(&first.values, &second.values, only_shared)
        .into_iter()
        .map(|(path, a, b)| vec![Cell::text(path), cell(a), cell(b)])
        .collect();
    let mut report = Report::new("difference", format!("{a} and {b}")).with(Section::table(
        "differences",
        "",
        &["name", "first", "second"],
        rows,
    ));
    if report.sections[0].is_empty() {
        report.remarks.push("no differences".into());
    }
    show(ui, &report)
}

struct Operand {
    values: BTreeMap<String, String>,
    is_profile: bool,
}

fn operand(ui: &Ui, args: &InspectArgs, text: &str) -> Result<Operand> {
    let profile = match text {
        "server" => Some(ProfileName::Server),
        "client" => Some(ProfileName::Client),
        _ => None,
    };
    if let Some(profile) = profile {
        return Ok(Operand {
            values: catalogue::profile(profile).flat(),
            is_profile: true,
        });
    }
    let path = Path::new(text);
    // Whatever can be read to its end, such as what a shell's <(...) stands for.
    let is_saved = std::fs::metadata(path).is_ok_and(|found| !found.is_dir());
    let values = match is_saved {
        true => saved(path)?,
        // Everything, as a saved report of a process has.
        false => match connected(ui, text, args) {
            Err(error) if error.kind() == Kind::Usage => {
                return Err(error.hint(
                    "what is compared is a profile (server, client), a file that inspect --json wrote, or an address",
                ));
            }
            connected => connected?.report(Detail::All).flat(),
        },
    };
    Ok(Operand {
        values,
        is_profile: false,
    })
}

/// The longest saved report that is read: that of a process with a thousand sockets has some ten megabytes.
const LONGEST_SAVED: u64 = 256 << 20;

/// What `inspect --json` printed, of several events all.
fn saved(path: &Path) -> Result<BTreeMap<String, String>> {
    let cannot = || Error::new(Kind::Other, format!("cannot read {}", path.display()));
    let file = File::open(path).map_err(|error| cannot().because(error))?;
    let mut text = String::new();
    file.take(LONGEST_SAVED + 1)
        .read_to_string(&mut text)
        .map_err(|error| cannot().because(error))?;
    if text.len() as u64 > LONGEST_SAVED {
        return Err(cannot().because("it is too long to be a report"));
    }
    let mut values = BTreeMap::new();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    if lines.is_empty() {
        return Err(cannot().because("there is nothing in it"));
    }
    for line in &lines {
        let event: serde_json::Value = serde_json::from_str(line)
            .map_err(|_| cannot().because("it is not what inspect --json prints"))?;
        let subject = event.get("subject").and_then(serde_json::Value::as_str);
        if event.get("event").and_then(serde_json::Value::as_str) != Some("inspect") {
            return Err(cannot().because("it is not what inspect --json prints"));
        }
        for (name, value) in flat(&event) {
            // One subject needs no name: two of them are to be compared.
            let name = match (lines.len(), subject) {
                (1, _) | (_, None) => name,
                (_, Some(subject)) => format!("{subject}: {name}"),
            };
            values.insert(name, value);
        }
    }
    Ok(values)
}

/// What differs at each look, whatever happens: clocks, and times since the last of something.
const CLOCKS: [&str; 4] = [
    "options.TCP_TIMESTAMP",
    "tcp_info.last_data_sent",
    "tcp_info.last_data_recv",
    "tcp_info.last_ack_recv",
];

/// Looks again and again and prints what has changed, until somebody ends it.
fn watch(
    ui: &Ui,
    view: &View<'_>,
    pause: Duration,
    signals: &Receiver<Signal>,
    first: &[Report],
) -> Result<()> {
    let values = |reports: &[Report]| -> BTreeMap<String, String> {
        let several = reports.len() > 1;
        reports
            .iter()
            .flat_map(|report| {
                let subject = report.subject.clone();
                let values = match ui.json() {
                    true => report.flat(),
                    false => report.shown(),
                };
                values
                    .into_iter()
                    .filter(|(path, _)| !CLOCKS.contains(&path.as_str()))
                    .map(move |(path, value)| match several {
                        true => (format!("{subject}: {path}"), value),
                        false => (path, value),
                    })
            })
            .collect()
    };
    let clock = Clock::Seconds(TimeZone::system());
    let mut before = values(first);
    loop {
        // The socket's file goes with the view, so the end has to be a clean one.
        match signals.recv_timeout(pause) {
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Ok(signal) => {
                return Err(Error::new(
                    Kind::Signal(signal.number()),
                    "ended by a signal",
                ));
            }
        }
        let now = values(&view.reports(ui)?);
        let cell =
            |value: Option<String>| Cell::or_missing(value.map(Cell::text), Missing::NotApplicable);
        let rows: Vec<Vec<Cell>> = diff(&before, &now, false)
            .into_iter()
            .map(|(path, was, is)| vec![Cell::text(path), cell(was), cell(is)])
            .collect();
        if !rows.is_empty() {
            let at = Timestamp::from_unix_micros(wall_clock());
            let mut report = Report::new("change", "since the last look").with(Section::table(
                "changes",
                "",
                &["name", "was", "is"],
                rows,
            ));
            report.time = Some(at);
            if !ui.json() {
                let title = ui.title(clock.text(at).trim_end());
                if ui.write(format!("\n{title}").as_bytes())? == Output::Closed {
                    return Ok(());
                }
            }
            if ui.report(&report)? == Output::Closed {
                return Ok(());
            }
        }
        before = now;
    }
}

fn dial_options(args: &InspectArgs) -> DialOptions {
    args.dial.options(args.sockopt.settings())
}

fn listen_options(args: &InspectArgs) -> ListenOptions {
    ListenOptions {
        family: args.dial.socket.family(),
        buffers: args.dial.socket.buffers(),
        settings: args.sockopt.settings(),
        ..ListenOptions::default()
    }
}
