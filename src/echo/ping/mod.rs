//! `ping`: sends probes to an echo server, and tells how long they took and what became of them.
//!
//! [`probes`] keeps the books, [`machines`] send and receive, [`summary`] adds up; all are pure. Here they
//! get a socket, a screen and signals.

pub mod machines;
pub mod probes;
pub mod summary;

use std::io::IsTerminal;
use std::time::Duration;

use crate::cli::PingArgs;
use crate::core::address::{Address, Scheme, Use};
use crate::core::datagram::{self, DatagramLoop};
use crate::core::dial::{Dialled, Dialler, Person, Step};
use crate::core::event_loop::EventLoop;
use crate::core::machine::Origin;
use crate::core::secure::tls::Connector;
use crate::core::secure::unwelcome::{NOT_LET_IN, not_let_in};
use crate::core::signal::{self, Word};
use crate::echo::ping::machines::{Cut, DatagramPinger, Reply, StreamPinger};
use crate::echo::ping::probes::{HEADER, Pace, Plan, Probes};
use crate::echo::ping::summary::{Opening, Summary, human, picture};
use crate::error::{Error, IoReason, Kind, Result};
use crate::tls;
use crate::ui::Ui;
use crate::ui::human::Style;
use crate::ui::reporter::{Entry, Reporter};

/// The longest datagram over IPv4: 65,535 bytes less the headers of IP and UDP (RFC 791, RFC 768).
const MAX_DATAGRAM: usize = 65_507;

impl Entry for Reply {
    fn append(&self, _style: &Style, out: &mut String) {
        out.push_str(&format!("{} bytes", self.size));
        if let Some(seq) = self.seq {
            out.push_str(&format!(": seq {seq}"));
        }
        if let Some(micros) = self.rtt_us {
            out.push_str(&format!(", {}", human(micros)));
        }
        if self.status != "intact" {
            out.push_str(&format!(", {}", self.status));
        }
        out.push('\n');
    }
}

/// Sends the probes and tells what became of them.
pub fn run(ui: &Ui, args: &PingArgs) -> Result<()> {
    let address = Address::parse(&args.address, Use::Connect { default_port: None })?;
    let plan = plan(args, &address)?;
    let connector = tls::connector(ui, &args.tls, &address)?;
    let (cut, summary, times) = match address.scheme() {
        Scheme::Udp => by_datagrams(ui, args, &address, plan)?,
        Scheme::Tcp | Scheme::Tls => over_a_stream(ui, args, &address, connector, plan)?,
    };
    // Whoever has closed stdout does not wait for this.
    if ui.json() {
        let _ = ui.event(&summary)?;
    } else {
        let mut text = summary.text(ui.width());
        if std::io::stdout().is_terminal() {
            text.push_str(&picture(&times));
        }
        let _ = ui.write(text.as_bytes())?;
    }
    verdict(&summary, cut)
}

fn plan(args: &PingArgs, address: &Address) -> Result<Plan> {
    let size = args.size.as_usize();
    if address.scheme() == Scheme::Udp && size < HEADER {
        return Err(Error::new(
            Kind::Usage,
            format!("a datagram has to have {HEADER} bytes to say which probe it is"),
        )
        .hint(format!("leave out --size, or make it {HEADER} or more")));
    }
    if address.scheme() == Scheme::Udp && size > MAX_DATAGRAM {
        return Err(Error::new(
            Kind::Usage,
            format!("a datagram is at most {MAX_DATAGRAM} bytes long"),
        ));
    }
    let run = getrandom::u32().map_err(|error| {
        Error::new(Kind::Other, "the system has no random numbers").because(error)
    })?;
    Ok(Plan {
        count: args.count,
        pace: match args.flood {
            Some(window) => Pace::Flood(window),
            None => Pace::Every(args.interval),
        },
        size,
        timeout: args.timeout,
        run,
    })
}

type Outcome = (Option<Cut>, Summary, Vec<Duration>);

/// Whether answers are told of one by one.
fn tells_replies(ui: &Ui, args: &PingArgs) -> bool {
    !ui.quiet() && (ui.json() || args.flood.is_none())
}

fn over_a_stream(
    ui: &Ui,
    args: &PingArgs,
    address: &Address,
    connector: Option<Connector>,
    plan: Plan,
) -> Result<Outcome> {
    let mut opening = Opening::default();
    let mut watch = |step: Step| {
        ui.detail(1, &step.to_string());
        match step {
            Step::Attempt {
                outcome: Ok(()),
                took,
                ..
            } => opening.connect = Some(took),
            Step::Secured { took, .. } => opening.handshake = Some(took),
            _ => {}
        }
    };
    let options = args.dial.options(args.sockopt.settings());
    let dialler = Dialler::new(address.clone(), options, connector);
    let person = ui.interactive().then_some(ui as &dyn Person);
    let Dialled { transport, peer } = dialler.connect(person, &mut watch)?;
    let mut driver = EventLoop::new(StreamPinger::new(plan.clone()))?;
    let handle = driver.handle();
    signal::watch(driver.handle())?;
    handle
        .adopt(transport, peer, Origin(0))
        .map_err(|gone| Error::new(Kind::Other, "cannot begin").because(gone))?;
    let reporter = tells_replies(ui, args).then(|| Reporter::start(ui));
    driver.run(&mut |reply, _| {
        if let Some(reporter) = &reporter {
            reporter.report(reply);
        }
    })?;
    if let Some(reporter) = reporter {
        reporter.finish();
    }
    let machine = driver.machine();
    let cut = machine.cut();
    let none = Probes::new(plan, Duration::ZERO);
    let probes = machine.probes().unwrap_or(&none);
    let summary = Summary::of(address.to_string(), opening, probes);
    Ok((cut, summary, probes.times().to_vec()))
}

fn by_datagrams(ui: &Ui, args: &PingArgs, address: &Address, plan: Plan) -> Result<Outcome> {
    let settings = args.sockopt.settings();
    let (socket, _folder) = datagram::connect(address, &args.dial.options(settings.clone()))?;
    ui.granted(address, &settings, &socket.socket());
    let mut driver = DatagramLoop::new(DatagramPinger::new(plan))?;
    driver.add(socket)?;
    let handle = driver.handle();
    signal::watch_with_status(move |word| match word {
        Word::Signal(signal) => handle.signal(signal).is_ok(),
        Word::Status => true,
    })?;
    let reporter = tells_replies(ui, args).then(|| Reporter::start(ui));
    driver.run(&mut |reply| {
        if let Some(reporter) = &reporter {
            reporter.report(reply);
        }
    })?;
    if let Some(reporter) = reporter {
        reporter.finish();
    }
    let machine = driver.machine();
    if let Some(kind) = machine.complaint() {
        let why = std::io::Error::from(kind);
        ui.warn(&format!("{address:#}: {}", IoReason(&why)));
    }
    let probes = machine.probes();
    let summary = Summary::of(address.to_string(), Opening::default(), probes);
    Ok((machine.cut(), summary, probes.times().to_vec()))
}

/// What the exit status says. Damage is worse than loss: it passes for data.
fn verdict(summary: &Summary, cut: Option<Cut>) -> Result<()> {
    if summary.corrupted > 0 {
        return Err(Error::new(
            Kind::Integrity,
            format!("{} answers were not what was sent", summary.corrupted),
        ));
    }
    match cut {
        Some(Cut::Signal(signal)) => {
            return Err(Error::new(
                Kind::Signal(signal.number()),
                "ended by a signal",
            ));
        }
        Some(Cut::Closed) => {
            return Err(Error::new(
                Kind::Other,
                format!("{} closed the connection", summary.address),
            ));
        }
        Some(Cut::Failed(NOT_LET_IN)) => return Err(not_let_in(&summary.address)),
        Some(Cut::Failed(kind)) => {
            return Err(Error::new(
                Kind::Other,
                format!("the connection to {} failed", summary.address),
            )
            .because(std::io::Error::from(kind)));
        }
        None => {}
    }
    match summary.lost {
        0 => Ok(()),
        lost => Err(Error::new(
            Kind::Other,
            format!("{lost} of {} probes were lost", summary.sent),
        )),
    }
}
