//! `ping`: sends probes to an echo server, and tells how long they took and what became of them.
//!
//! [`probes`] keeps the books, [`machines`] send and receive, [`summary`] adds up; all are pure. Here they
//! get a socket, a screen and signals.

pub mod machines;
pub mod probes;
pub mod summary;

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::cli::PingArgs;
use crate::core::address::{Address, Scheme, Use};
use crate::core::datagram::contract::Correspondent;
use crate::core::datagram::{self, DatagramLoop, Opened};
use crate::core::dial::{Dialled, Dialler, Person, Step};
use crate::core::event_loop::EventLoop;
use crate::core::machine::{Origin, Signal};
use crate::core::secure::tls::Connector;
use crate::core::secure::unwelcome::{NOT_LET_IN, not_let_in};
use crate::core::signal;
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
    let Outcome {
        cut,
        summary,
        times,
        unheard,
    } = match address.scheme() {
        Scheme::Udp => by_datagrams(ui, args, &address, plan)?,
        Scheme::Tcp | Scheme::Tls => over_a_stream(ui, args, &address, connector, plan)?,
    };
    // Whoever has closed stdout does not wait for this.
    if ui.json() {
        let _ = ui.event(&summary)?;
    } else {
        let mut text = summary.text(ui.width());
        if std::io::stdout().is_terminal() {
            text.push_str(&picture(&times, ui.width()));
        }
        let _ = ui.write(text.as_bytes())?;
    }
    match unheard {
        // `ping | head`: that is no error, and what is on its way is not lost.
        true => Ok(()),
        false => verdict(&summary, cut),
    }
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

/// What has come of a run.
struct Outcome {
    cut: Option<Cut>,
    summary: Summary,
    times: Vec<Duration>,
    /// It was ended because nobody read what it told.
    unheard: bool,
}

/// Tells of answers one by one, if that is wanted.
struct Teller {
    reporter: Option<Reporter<Reply>>,
    unheard: bool,
}

impl Teller {
    fn start(ui: &Ui, args: &PingArgs) -> Self {
        let tells = !ui.quiet() && (ui.json() || args.flood.is_none());
        Self {
            reporter: tells.then(|| Reporter::start(ui)),
            unheard: false,
        }
    }

    /// `false`: nobody listens any more.
    fn tell(&mut self, reply: Reply) -> bool {
        if let Some(reporter) = &self.reporter {
            self.unheard |= !reporter.is_heard(reply);
        }
        !self.unheard
    }

    fn finish(self, cut: Option<Cut>) -> bool {
        match (self.reporter, cut) {
            // Who has sent it a signal wants it to end, read or not.
            (Some(reporter), Some(Cut::Signal(_))) => reporter.finish(),
            (Some(reporter), _) => reporter.finish_all(),
            (None, _) => {}
        }
        self.unheard
    }
}

/// Hands signals to the loop. Once what this returns is set the loop is over, and a signal ends the process, which may
/// wait for somebody to read what it has told.
fn watch_signals(
    mut deliver: impl FnMut(Signal) -> bool + Send + 'static,
) -> Result<Arc<AtomicBool>> {
    let over = Arc::new(AtomicBool::new(false));
    let is_over = Arc::clone(&over);
    signal::tell(move |signal| {
        if is_over.load(Ordering::Relaxed) || !deliver(signal) {
            std::process::exit(i32::from(Kind::Signal(signal.number()).status()));
        }
        true
    })?;
    Ok(over)
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
    let over = watch_signals(move |signal| handle.signal(signal).is_ok())?;
    driver
        .handle()
        .adopt(transport, peer, Origin(0))
        .map_err(|gone| Error::new(Kind::Other, "cannot begin").because(gone))?;
    let mut teller = Teller::start(ui, args);
    driver.run(&mut |reply, handle| {
        if !teller.tell(reply) {
            // A loop that has ended need not be ended.
            let _ = handle.signal(Signal::HangUp);
        }
    })?;
    over.store(true, Ordering::Relaxed);
    let machine = driver.machine();
    let cut = machine.cut();
    let unheard = teller.finish(cut);
    let none = Probes::new(plan, Duration::ZERO);
    let probes = machine.probes().unwrap_or(&none);
    let summary = Summary::of(address.to_string(), opening, probes);
    Ok(Outcome {
        cut,
        summary,
        times: probes.times().to_vec(),
        unheard,
    })
}

fn by_datagrams(ui: &Ui, args: &PingArgs, address: &Address, plan: Plan) -> Result<Outcome> {
    let settings = args.sockopt.settings();
    let Opened {
        socket,
        to,
        folder: _folder,
    } = datagram::connect(address, &args.dial.options(settings.clone()))?;
    let connected = socket.socket().peer_addr().ok();
    match (&to, connected.and_then(|peer| peer.as_socket())) {
        (Correspondent::Inet(group), _) => {
            ui.detail(1, &format!("sending to all at {group}"));
        }
        (_, Some(peer)) => ui.detail(1, &format!("sending to {peer}")),
        (_, None) => {}
    }
    ui.granted(address, &settings, &socket.socket());
    let mut driver = DatagramLoop::new(DatagramPinger::new(plan, to))?;
    driver.add(socket)?;
    let handle = driver.handle();
    let over = watch_signals(move |signal| handle.signal(signal).is_ok())?;
    let mut teller = Teller::start(ui, args);
    let handle = driver.handle();
    driver.run(&mut |reply| {
        if !teller.tell(reply) {
            // As above.
            let _ = handle.signal(Signal::HangUp);
        }
    })?;
    over.store(true, Ordering::Relaxed);
    let machine = driver.machine();
    let cut = machine.cut();
    let unheard = teller.finish(cut);
    if let Some(kind) = machine.complaint() {
        let why = std::io::Error::from(kind);
        ui.warn(&format!("{address:#}: {}", IoReason(&why)));
    }
    let probes = machine.probes();
    let summary = Summary::of(address.to_string(), Opening::default(), probes);
    Ok(Outcome {
        cut,
        summary,
        times: probes.times().to_vec(),
        unheard,
    })
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
