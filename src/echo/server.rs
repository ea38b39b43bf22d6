//! `echo`: the machines with sockets, threads, a screen and signals around them.
//!
//! The main thread waits: for signals, for the time to print statistics, and for the loops. Streams have one
//! loop or several, of which the first accepts for all; datagrams have one.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::cli::EchoArgs;
use crate::core::address::Address;
use crate::core::datagram::open::BindOptions;
use crate::core::datagram::{self, DatagramHandle, DatagramLoop};
use crate::core::event_loop::{EventLoop, Handle};
use crate::core::limits::raise_open_file_limit;
use crate::core::machine::{Origin, Signal};
use crate::core::options::info::On;
use crate::core::signal::{self, Word};
use crate::core::socket::{self, Listening, listen};
use crate::echo::config::Config;
use crate::echo::datagrams::Datagrams;
use crate::echo::door::Door;
use crate::echo::guard::Guard;
use crate::echo::report::Report;
use crate::echo::request::{
    check, check_groups, config, correspondent, parse_addresses, random_number,
};
use crate::echo::streams::{Action, Note, Streams};
use crate::echo::tally::{Statistics, Tally};
use crate::error::{Error, Kind, Result};
use crate::tls::Certificate;
use crate::ui::Ui;
use crate::ui::human::Style;
use crate::ui::reporter::{Entry, Reporter};

/// Descriptors that the server needs beside one per client.
const OWN_FILES: u64 = 32;

impl Entry for Report {
    fn append(&self, style: &Style, out: &mut String) {
        if let Some(time) = self.time() {
            style.dim(out, &style.clock.text(time));
        }
        out.push_str(&self.text());
    }

    fn weight(&self) -> usize {
        match self {
            Report::Received { hex, .. } => hex.0.len(),
            _ => 0,
        }
    }
}

/// What the main thread hears of.
enum News {
    Word(Word),
    /// Enough were let in.
    Enough,
    /// All that were to be served are.
    Done,
    /// A loop has ended.
    Ended(Result<()>),
}

/// Runs the server until it is told to stop, or has served as many as it should.
pub fn run(ui: &Ui, args: &EchoArgs) -> Result<()> {
    let started = Instant::now();
    let (streams, datagrams) = parse_addresses(&args.addresses)?;
    let config = Arc::new(config(ui, args)?);
    check(args, &config, &streams, &datagrams)?;
    let certificate = Certificate::new(ui, &args.tls, &streams)?;
    warn_of_few_files(ui, args);

    let (sender, news) = mpsc::channel();
    let mut server = Server {
        door: Arc::new(Door::new(args.max_clients.into(), args.wanted())),
        config,
        news: sender,
        reporter: Reporter::start(ui),
        tallies: Vec::new(),
        stream_loops: Vec::new(),
        datagram_loop: None,
        threads: 0,
    };
    // What is asked of all and is for one of them is set there.
    let settings = args.sockopt.settings();
    let kinds: Vec<On> = streams
        .iter()
        .chain(&datagrams)
        .map(socket::kinds)
        .collect();
    settings.check(&kinds)?;
    let options_for = |address: &Address| {
        args.listen
            .options(settings.limited_to(socket::kinds(address)))
    };
    let mut files = Vec::new();
    let mut ready = Vec::new();
    let mut loops = Vec::new();
    if !streams.is_empty() {
        loops = server.stream_loops(args.threads)?;
        for address in &streams {
            for Listening {
                socket,
                address,
                file,
            } in listen(address, &options_for(address))?
            {
                ui.granted(&address, &settings, &socket.socket());
                let acceptor = certificate.acceptor(&address);
                loops[0].listen_as(socket, Origin(0), acceptor)?;
                files.extend(file);
                ready.push(address);
            }
        }
    }
    for driver in &mut loops {
        driver.set_on_accept(settings.clone());
    }
    let mut bound = Vec::new();
    for address in &datagrams {
        let options = BindOptions {
            listen: options_for(address),
            times: args.timestamp,
            groups: args.join.clone(),
        };
        for one in datagram::bind(address, &options)? {
            ui.granted(&one.address, &settings, &one.socket.socket());
            files.extend(one.file);
            ready.push(one.address.clone());
            bound.push((one.socket, one.address));
        }
    }
    check_groups(args, bound.iter().map(|(_, address)| address))?;
    let datagram_loop = match bound.is_empty() {
        true => None,
        false => Some(server.datagram_loop(bound)?),
    };

    let (deliver, reloaded) = (server.news.clone(), certificate.clone());
    signal::watch_with_status(move |word| match word {
        Word::Signal(signal) if reloaded.takes(signal) => true,
        word => deliver.send(News::Word(word)).is_ok(),
    })?;
    tell_seed(ui, args, &server.config);
    certificate.tell()?;
    for address in &ready {
        ui.listening(address)?;
    }
    for driver in loops {
        server.run_streams(driver)?;
    }
    if let Some(driver) = datagram_loop {
        server.run_datagrams(driver)?;
    }
    let outcome = server.wait(ui, &news, args.stats, started);
    drop(files);
    server.tell_statistics(ui, started);
    server.reporter.finish();
    match outcome? {
        None => Ok(()),
        Some(signal) => Err(Error::new(
            Kind::Signal(signal.number()),
            "ended by a signal",
        )),
    }
}

/// What all threads share, and how they are reached.
struct Server {
    config: Arc<Config>,
    door: Arc<Door>,
    news: Sender<News>,
    reporter: Reporter<Report>,
    tallies: Vec<Arc<Tally>>,
    stream_loops: Vec<Handle<Note>>,
    datagram_loop: Option<DatagramHandle>,
    threads: usize,
}

impl Server {
    fn tally(&mut self) -> Arc<Tally> {
        let tally = Arc::new(Tally::default());
        self.tallies.push(Arc::clone(&tally));
        tally
    }

    fn stream_loops(&mut self, threads: u16) -> Result<Vec<EventLoop<Streams>>> {
        let mut loops = Vec::new();
        for number in 0..threads {
            let tally = self.tally();
            let (config, door) = (Arc::clone(&self.config), Arc::clone(&self.door));
            // The loop that accepts gives to each of the others before it takes one itself.
            let place = (number + threads - 1) % threads;
            let machine = Streams::sharing(config, door, tally, place, threads);
            let mut driver = EventLoop::new(machine)?;
            if self.config.tells.connections {
                let teller = self.reporter.teller();
                driver.observe_failed_handshakes(Box::new(move |now, peer, why| {
                    teller.report(Report::handshake_failed(now, peer, why));
                }));
            }
            self.stream_loops.push(driver.handle());
            loops.push(driver);
        }
        loops[0].share_with(self.stream_loops[1..].to_vec());
        Ok(loops)
    }

    fn datagram_loop(
        &mut self,
        bound: Vec<(datagram::DatagramSocket, Address)>,
    ) -> Result<DatagramLoop<Datagrams>> {
        let ours = bound
            .iter()
            .filter_map(|(_, address)| correspondent(address))
            .collect();
        let key = random_number()?;
        let guard = Guard::new(ours, self.config.source_rate, key);
        let tally = self.tally();
        let (config, door) = (Arc::clone(&self.config), Arc::clone(&self.door));
        let mut driver = DatagramLoop::new(Datagrams::new(config, door, tally, guard))?;
        for (socket, _) in bound {
            driver.add(socket)?;
        }
        self.datagram_loop = Some(driver.handle());
        Ok(driver)
    }

    /// What the machines ask for, wherever they run.
    fn actor(&self) -> impl FnMut(Action) + Send + 'static {
        let news = self.news.clone();
        let teller = self.reporter.teller();
        move |action| match action {
            Action::Report(report) => teller.report(report),
            // The main thread listens for as long as a loop runs.
            Action::Enough => drop(news.send(News::Enough)),
            Action::Done => drop(news.send(News::Done)),
        }
    }

    fn run_streams(&mut self, mut driver: EventLoop<Streams>) -> Result<()> {
        let mut act = self.actor();
        self.spawn("streams", move || driver.run(&mut |action, _| act(action)))
    }

    fn run_datagrams(&mut self, mut driver: DatagramLoop<Datagrams>) -> Result<()> {
        let mut act = self.actor();
        self.spawn("datagrams", move || driver.run(&mut act))
    }

    fn spawn(
        &mut self,
        name: &str,
        work: impl FnOnce() -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let news = self.news.clone();
        self.threads += 1;
        let body = move || {
            let result = work();
            let _ = news.send(News::Ended(result));
        };
        match thread::Builder::new().name(name.into()).spawn(body) {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::new(Kind::Other, "cannot start a thread").because(error)),
        }
    }

    /// Waits until all loops have ended; the signal that ended them, if one did.
    fn wait(
        &self,
        ui: &Ui,
        news: &Receiver<News>,
        stats: Option<Duration>,
        started: Instant,
    ) -> Result<Option<Signal>> {
        let mut running = self.threads;
        let mut ended_by = None;
        let mut failure = None;
        let mut next = stats.map(|interval| Instant::now() + interval);
        while running > 0 {
            let heard = match next {
                None => news.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => news.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            match heard {
                Ok(News::Word(Word::Signal(signal))) => {
                    ended_by.get_or_insert(signal);
                    self.end(signal);
                }
                Ok(News::Word(Word::Status)) => self.tell_statistics(ui, started),
                Ok(News::Enough) => {
                    for handle in &self.stream_loops {
                        // One that has ended accepts nobody.
                        let _ = handle.urgent(Note::StopListening);
                    }
                }
                Ok(News::Done) => self.end(Signal::Terminate),
                Ok(News::Ended(result)) => {
                    running -= 1;
                    if let Err(error) = result {
                        failure.get_or_insert(error);
                        self.end(Signal::Terminate);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.tell_statistics(ui, started);
                    next = next.zip(stats).map(|(at, interval)| at + interval);
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        match failure {
            Some(error) => Err(error),
            None => Ok(ended_by),
        }
    }

    fn end(&self, signal: Signal) {
        // Whoever has ended already need not be told.
        for handle in &self.stream_loops {
            let _ = handle.signal(signal);
        }
        if let Some(handle) = &self.datagram_loop {
            let _ = handle.signal(signal);
        }
    }

    fn tell_statistics(&self, ui: &Ui, started: Instant) {
        let statistics =
            Statistics::of(self.tallies.iter().map(|tally| &**tally), started.elapsed());
        match ui.json() {
            true => self.reporter.report(Report::Statistics(statistics)),
            false => ui.note(&statistics.text()),
        }
    }
}

/// What happened by chance can be had again.
fn tell_seed(ui: &Ui, args: &EchoArgs, config: &Config) {
    let chaos = &config.chaos;
    let by_chance = !chaos.jitter.is_zero()
        || [chaos.corrupt, chaos.drop, chaos.duplicate, chaos.reorder]
            .iter()
            .any(|probability| probability.is_possible());
    if by_chance && args.chaos.seed.is_none() {
        ui.note(&format!("to have the same again: --seed {}", config.seed));
    }
}

fn warn_of_few_files(ui: &Ui, args: &EchoArgs) {
    let Some(limit) = raise_open_file_limit().and_then(|limit| limit.now) else {
        return;
    };
    let room = limit.saturating_sub(OWN_FILES);
    let max_clients = args.max_clients;
    if room < u64::from(max_clients) {
        ui.warn(&format!(
            "{limit} files may be open (ulimit -n): about {room} clients fit, fewer than --max-clients {max_clients}"
        ));
    }
}
