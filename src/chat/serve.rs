//! `serve-chat`: the server machine with sockets, a disk, an operator's screen and signals around it.

use zeroize::Zeroizing;

use crate::chat::room::Memory;
use crate::chat::server::{
    Access, Action, Config, Limits, OPERATORS, Password, Rate, Report, Server, Slow,
};
use crate::chat::store::{self, Store};
use crate::cli::{self, Command, RateLimit, ServeChatArgs, SlowPolicy};
use crate::core::address::{Address, Endpoint, Host, Scheme, Use};
use crate::core::event_loop::EventLoop;
use crate::core::limits::raise_open_file_limit;
use crate::core::machine::Origin;
use crate::core::options::Settings;
use crate::core::options::info::On;
use crate::core::signal;
use crate::core::socket::{self, ListenOptions, Listening, listen};
use crate::error::{Error, Kind, Result};
use crate::tls::Certificate;
use crate::ui::Ui;
use crate::ui::human::Style;
use crate::ui::reporter::{Entry, Reporter};

/// The port of an address without one.
const DEFAULT_PORT: u16 = 8888;

/// Descriptors that the server needs beside one per client: the standard streams, the poll, listeners.
const OWN_FILES: u64 = 32;

impl Entry for Report {
    fn append(&self, style: &Style, out: &mut String) {
        style.report(out, self);
    }
}

/// Runs the server until it is told to stop.
pub fn run(ui: &Ui, args: &ServeChatArgs) -> Result<()> {
    let addresses = parse_addresses(&args.addresses)?;
    let certificate = Certificate::new(ui, &args.tls, &addresses)?;
    let admin = args
        .admin_socket
        .as_deref()
        .map(admin_address)
        .transpose()?;
    let config = config(ui, args)?;
    warn_of_open_password(ui, &config, &addresses);
    warn_of_few_files(ui, &config);

    let memory = config.memory;
    let mut server = Server::new(config);
    let store = match &args.log {
        Some(directory) => {
            let (store, found) = Store::open(directory, args.log_rotate.bytes(), memory)?;
            for warning in found.warnings {
                ui.warn(&warning);
            }
            for room in found.rooms {
                server.restore(room);
            }
            server.remember(found.authors);
            Some(store)
        }
        None => None,
    };

    let mut driver = EventLoop::new(server)?;
    let handle = driver.handle();
    let writer = store
        .map(|store| {
            store::spawn(store, move |note| {
                // Once the loop has ended nobody waits for the answer.
                let _ = handle.urgent(note);
            })
        })
        .transpose()?;
    let options = args.listen.options(args.sockopt.settings());
    let mut files = Vec::new();
    let mut ready = Vec::new();
    // What is asked of all and is for one of them is set there.
    let kinds: Vec<On> = addresses.iter().map(socket::kinds).collect();
    options.settings.check(&kinds)?;
    for (number, (address, kind)) in addresses.iter().zip(kinds).enumerate() {
        let options = ListenOptions {
            settings: options.settings.limited_to(kind),
            ..options.clone()
        };
        for Listening {
            socket,
            address,
            file,
        } in listen(address, &options)?
        {
            ui.granted(&address, &options.settings, &socket.socket());
            // Every origin but the operators' is a client's.
            let acceptor = certificate.acceptor(&address);
            driver.listen_as(socket, Origin(number as u32), acceptor)?;
            files.extend(file);
            ready.push(address);
        }
    }
    driver.set_on_accept(options.settings.clone());
    if let Some(admin) = admin {
        // What was asked of the clients' sockets is not for the operators'.
        let options = ListenOptions {
            unix_mode: 0o600,
            settings: Settings::default(),
            ..options
        };
        for listening in listen(&admin, &options)? {
            driver.listen(listening.socket, OPERATORS)?;
            files.extend(listening.file);
        }
    }
    let (handle, reloaded) = (driver.handle(), certificate.clone());
    signal::tell(move |signal| reloaded.takes(signal) || handle.signal(signal).is_ok())?;
    certificate.tell()?;
    for address in &ready {
        ui.listening(address)?;
    }

    let reporter = Reporter::start(ui);
    let teller = reporter.teller();
    if !ui.quiet() {
        let teller = teller.clone();
        driver.observe_failed_handshakes(Box::new(move |now, peer, why| {
            teller.report(Report::handshake_failed(now, peer, why));
        }));
    }
    driver.run(&mut |action, handle| match action {
        Action::Report(report) => teller.report(report),
        Action::Store(batch) => {
            if let Some(writer) = &writer
                && let Err(failed) = writer.store(batch)
            {
                let _ = handle.urgent(failed);
            }
        }
    })?;
    drop(files);
    let ended_by = driver.machine().ended_by();
    // Its inbox goes with it: the store's last answers must not wait for room in there.
    drop(driver);
    drop(writer);
    drop(teller);
    reporter.finish();
    match ended_by {
        None => Ok(()),
        Some(signal) => Err(Error::new(
            Kind::Signal(signal.number()),
            "ended by a signal",
        )),
    }
}

fn parse_addresses(texts: &[String]) -> Result<Vec<Address>> {
    let purpose = Use::Listen {
        default_port: DEFAULT_PORT,
    };
    texts
        .iter()
        .map(|text| {
            let address = Address::parse(text, purpose)?;
            match address.scheme() {
                Scheme::Tcp | Scheme::Tls => Ok(address),
                Scheme::Udp => Err(Error::new(
                    Kind::Usage,
                    format!("the chat is not for datagrams: {address}"),
                )),
            }
        })
        .collect()
}

fn admin_address(path: &std::path::Path) -> Result<Address> {
    let Some(path) = path.to_str() else {
        return Err(Error::new(
            Kind::Usage,
            "the path of --admin-socket is not UTF-8",
        ));
    };
    Address::parse(
        &format!("unix:{path}"),
        Use::Listen {
            default_port: DEFAULT_PORT,
        },
    )
}

fn config(ui: &Ui, args: &ServeChatArgs) -> Result<Config> {
    let password = args.password.read()?;
    let limits = limits(args);
    limits
        .check()
        .map_err(|why| Error::new(Kind::Usage, why).hint("see --send-queue and --max-line"))?;
    Ok(Config {
        limits,
        max_rooms: args.max_rooms as usize,
        memory: Memory {
            lines: args.history as usize,
            bytes: args.history_bytes.as_usize(),
        },
        password: password
            .map(|password| Password::new(&Zeroizing::new(password.expose().to_string()))),
        access: Access {
            allow: args.allow.clone(),
            deny: args.deny.clone(),
        },
        drain: args.drain,
        epoch: match args.log {
            Some(_) => 0,
            // Small enough for readers of JSON whose numbers are doubles.
            None => u64::from(getrandom::u32().map_err(|error| {
                Error::new(Kind::Other, "the system has no random numbers").because(error)
            })?),
        },
        durable: args.log.is_some(),
        reports: !ui.quiet(),
        adjust,
    })
}

fn limits(args: &ServeChatArgs) -> Limits {
    Limits {
        max_clients: args.max_clients as usize,
        max_per_ip: args.max_per_ip as usize,
        rate: rate(args.rate),
        max_line: args.max_line.as_usize(),
        idle_timeout: args.idle_timeout.get(),
        send_queue: args.send_queue.as_usize(),
        slow: match args.slow {
            SlowPolicy::Skip => Slow::Skip,
            SlowPolicy::Kick => Slow::Kick,
        },
    }
}

fn rate(limit: RateLimit) -> Option<Rate> {
    limit.get().map(|rate| Rate {
        per_second: f64::from(rate.per_second.get()),
        burst: f64::from(rate.burst.get()),
    })
}

/// Changes a limit while the server runs, by the name and in the words of its option on the command line.
fn adjust(limits: &mut Limits, name: &str, value: &str) -> Result<(), String> {
    let args = cli::parse_option("serve-chat", name, value)?;
    let Command::ServeChat(args) = args else {
        return Err(format!("there is no limit {name}"));
    };
    let wanted = self::limits(&args);
    let mut changed = limits.clone();
    match name {
        "max-clients" => changed.max_clients = wanted.max_clients,
        "max-per-ip" => changed.max_per_ip = wanted.max_per_ip,
        "rate" => changed.rate = wanted.rate,
        "max-line" => changed.max_line = wanted.max_line,
        "idle-timeout" => changed.idle_timeout = wanted.idle_timeout,
        "send-queue" => changed.send_queue = wanted.send_queue,
        "slow" => changed.slow = wanted.slow,
        _ => return Err(format!("{name} cannot be changed while the server runs")),
    }
    changed.check()?;
    *limits = changed;
    Ok(())
}

/// A password that crosses a network in the clear protects from nobody who can listen there.
fn warn_of_open_password(ui: &Ui, config: &Config, addresses: &[Address]) {
    let beyond_this_machine = |address: &&Address| match address.endpoint() {
        Endpoint::Unix(_) => false,
        Endpoint::Inet { .. } if address.scheme() == Scheme::Tls => false,
        Endpoint::Inet { host, .. } => match host {
            Host::V4(ip) => !ip.is_loopback(),
            Host::V6(ip, _) => !ip.is_loopback(),
            Host::Name(_) => !host.is_localhost(),
            Host::Any => true,
        },
    };
    if config.password.is_some()
        && let Some(address) = addresses.iter().find(beyond_this_machine)
    {
        ui.warn(&format!(
            "the password is sent in the clear to {address:#}: whoever is on the way can read it; tls:// hides it"
        ));
    }
}

fn warn_of_few_files(ui: &Ui, config: &Config) {
    let Some(limit) = raise_open_file_limit().and_then(|limit| limit.now) else {
        return;
    };
    let logs = match config.durable {
        true => store::MAX_OPEN as u64,
        false => 0,
    };
    let max_clients = config.limits.max_clients;
    let room = limit.saturating_sub(OWN_FILES + logs);
    if room < max_clients as u64 {
        ui.warn(&format!(
            "{limit} files may be open (ulimit -n): about {room} clients fit, fewer than --max-clients {max_clients}"
        ));
    }
}
