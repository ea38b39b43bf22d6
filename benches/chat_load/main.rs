//! A load generator for chat servers that checks every line at every receiver.
//!
//! `benches/chat.sh` runs it against sockkit and its yardsticks and explains what is measured. It connects
//! many plain clients from one thread; some of them send lines of 100 bytes, each with a fixed number of
//! them open, which means not yet received by all. Anything but each line at each receiver, whole, once, in
//! order and under the same name ends it with status 1. What it prints are `name=value` pairs on one line.
//!
//! Without a mode it tests itself against a small server that loses, doubles, tears, damages and reorders.

#[cfg(target_os = "linux")]
mod check;
#[cfg(target_os = "linux")]
mod crowd;
#[cfg(target_os = "linux")]
mod modes;
#[cfg(target_os = "linux")]
mod self_test;
#[cfg(target_os = "linux")]
mod stream;
#[cfg(target_os = "linux")]
mod vitals;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    command_line::run()
}

/// It reads /proc and knows how Linux watches descriptors.
#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
mod command_line {
    use std::io::Write;
    use std::net::ToSocketAddrs;
    use std::process::ExitCode;
    use std::time::Duration;

    use clap::{Parser, Subcommand};

    use crate::check::{MAX_SENDERS, Rules};
    use crate::crowd::{Entrance, Place, Protocol};
    use crate::modes::{self, Plan};
    use crate::{self_test, stream};

    /// Loads a chat server and checks every line at every receiver
    #[derive(Parser)]
    struct Args {
        #[command(subcommand)]
        mode: Option<Mode>,
        /// Given by cargo bench and cargo test
        #[arg(long, hide = true)]
        bench: bool,
    }

    #[derive(Subcommand)]
    enum Mode {
        /// Deliveries per second
        Flow {
            #[command(flatten)]
            common: Common,
            /// Stop after so many lines instead of --seconds
            #[arg(long)]
            lines: Option<u64>,
        },
        /// Time until all clients are in the room
        Join(Common),
        /// Memory and processor time for clients that do nothing; needs --pid
        Idle(Common),
        /// Rate and memory when one client stops reading
        Slow(Common),
        /// Time from sending to each receipt at a fixed rate
        Latency {
            #[command(flatten)]
            common: Common,
            /// Deliveries per second
            #[arg(long, default_value_t = 20_000.0)]
            rate: f64,
        },
        /// All clients connect at once
        Burst(Common),
        /// Checks that this program notices what a server does wrong
        SelfTest,
    }

    #[derive(clap::Args)]
    struct Common {
        /// host:port or unix:/path
        place: String,
        /// Clients in the room
        #[arg(long, default_value_t = 100)]
        clients: usize,
        /// How many of them send
        #[arg(long, default_value_t = 10)]
        senders: usize,
        /// Lines of one sender that may be on their way to some
        #[arg(long, default_value_t = 1)]
        open: usize,
        /// How long is measured
        #[arg(long, default_value_t = 3.0)]
        seconds: f64,
        /// How long before that
        #[arg(long, default_value_t = 0.5)]
        warm_up: f64,
        /// Fail when nothing happens for so many seconds
        #[arg(long, default_value_t = 10.0)]
        patience: f64,
        /// What the server speaks
        #[arg(long, value_enum, default_value_t = Protocol::Plain)]
        protocol: Protocol,
        /// With TLS around it, whatever the certificate
        #[arg(long)]
        tls: bool,
        /// Connections waiting to be made, at most
        #[arg(long, default_value_t = 256)]
        connecting: usize,
        /// Clients on their way into the room, at most
        #[arg(long, default_value_t = usize::MAX)]
        entering: usize,
        /// Receivers may see lines of different senders in different orders
        #[arg(long)]
        any_order: bool,
        /// Lines of one sender may have different prefixes, or none
        #[arg(long)]
        any_prefix: bool,
        /// The server's process, to be looked at
        #[arg(long)]
        pid: Option<u32>,
    }

    pub(super) fn run() -> ExitCode {
        let _ = sockkit::core::limits::raise_open_file_limit();
        let outcome = match Args::parse().mode {
            None | Some(Mode::SelfTest) => self_test::run(),
            Some(mode) => measure(mode),
        };
        // Nobody to tell when the output is closed.
        match outcome {
            Ok(figures) => {
                let _ = writeln!(std::io::stdout(), "{figures}");
                ExitCode::SUCCESS
            }
            Err(what) => {
                let _ = writeln!(std::io::stderr(), "chat-load: {what}");
                ExitCode::FAILURE
            }
        }
    }

    fn measure(mode: Mode) -> Result<String, String> {
        let figures = match mode {
            Mode::Flow { common, lines } => modes::flow(&plan(common)?, lines),
            Mode::Join(common) => modes::join(&plan(common)?),
            Mode::Idle(common) => modes::idle(&plan(common)?),
            Mode::Slow(common) => modes::slow(&plan(common)?),
            Mode::Latency { common, rate } => modes::latency(&plan(common)?, rate),
            Mode::Burst(common) => modes::burst(&plan(common)?),
            Mode::SelfTest => return self_test::run(),
        }?;
        Ok(figures.to_string())
    }

    fn plan(common: Common) -> Result<Plan, String> {
        let seconds = |value: f64| {
            Duration::try_from_secs_f64(value).map_err(|e| format!("{value} seconds: {e}"))
        };
        if common.senders == 0 || common.senders > MAX_SENDERS || common.open == 0 {
            return Err(format!(
                "1 to {MAX_SENDERS} senders with at least one line open"
            ));
        }
        if common.clients < common.senders.max(3) {
            return Err("at least as many clients as senders, and 3".to_string());
        }
        let place = match common.place.strip_prefix("unix:") {
            Some(path) => Place::Unix(path.into()),
            None => Place::Tcp(
                common
                    .place
                    .to_socket_addrs()
                    .map_err(|e| format!("{}: {e}", common.place))?
                    .next()
                    .ok_or_else(|| format!("{} has no address", common.place))?,
            ),
        };
        Ok(Plan {
            entrance: Entrance {
                place,
                protocol: common.protocol,
                tls: common.tls.then(stream::tls).transpose()?,
                connecting: common.connecting,
                entering: common.entering,
                small: None,
            },
            clients: common.clients,
            senders: common.senders,
            open: common.open,
            warm_up: seconds(common.warm_up)?,
            time: seconds(common.seconds)?,
            patience: seconds(common.patience)?,
            rules: Rules {
                same_order: !common.any_order,
                same_prefix: !common.any_prefix,
            },
            pid: common.pid,
        })
    }
}
