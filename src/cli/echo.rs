//! The options of `echo` and `ping`.

use std::time::Duration;

use clap::{Args, ValueHint};

use super::values::{self, RateLimit, Size, Timeout};
use super::{DialArgs, ListenArgs, SockoptArgs, TlsClientArgs, TlsServerArgs};
use crate::core::datagram::open::Group;
use crate::core::random::Probability;

/// Where `echo` listens when no address is given.
pub const DEFAULT_ECHO_ADDRESS: &str = "localhost:8887";

pub(super) const ECHO_EXAMPLES: &str = "\
Examples:
  sockkit echo                                On this machine only, TCP, port 8887
  sockkit echo tcp://:7777 udp://:7777        For everyone, TCP and UDP
  sockkit echo tls://:7778 --self-signed      Encrypted; says its fingerprint
  sockkit echo --once --hex                   See what one client sends
  sockkit echo udp://:5000 --join 239.1.2.3   Answer a multicast group
  sockkit echo --delay 100ms --jitter 50ms    A slow network, for a test
  sockkit echo --reset-after 10K --seed 7     A connection that breaks, at the same byte each time";

pub(super) const PING_EXAMPLES: &str = "\
Examples:
  sockkit ping localhost:8887                 Ten probes over one TCP connection
  sockkit ping udp://host:7 -c 100 -i 10ms    A hundred datagrams
  sockkit ping tls://host:7778 -v             The TLS handshake too, and what was agreed on
  sockkit ping host:7 -s 64K --flood -c 10K   As fast as they come back
  sockkit ping udp://host:7 --json | jq       Every answer as a line of JSON";

/// `echo`.
#[derive(Debug, Clone, Args)]
pub struct EchoArgs {
    /// Listen here: host:port, tls://host:port, udp://host:port, unix:/path, unixgram:/path; port 0 picks a free one
    #[arg(value_name = "ADDR", default_value = DEFAULT_ECHO_ADDRESS, value_hint = ValueHint::Hostname)]
    pub addresses: Vec<String>,

    /// Send back with the time before each line; before each datagram with the times of receipt and answer, and cut
    /// to the length that came if it goes to another machine
    #[arg(long)]
    pub timestamp: bool,
    /// Send back with this text before each line or datagram, which is cut in the same way
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, value_parser = values::prefix)]
    pub prefix: String,
    /// Print what comes, in hexadecimal and as text
    #[arg(long)]
    pub hex: bool,
    /// Serve one connection or datagram and exit
    #[arg(long, conflicts_with = "count")]
    pub once: bool,
    /// Serve this many connections and datagrams and exit
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Print what was counted so far this often; SIGUSR1 asks for it once
    #[arg(long, value_name = "TIME", value_parser = values::positive_duration)]
    pub stats: Option<Duration>,

    /// Socket options.
    #[command(flatten)]
    pub sockopt: SockoptArgs,
    /// How to listen.
    #[command(flatten)]
    pub listen: ListenArgs,
    /// Join this multicast group, with UDP, on that interface or the system's choice; may be repeated
    #[arg(long, value_name = "GROUP[%IF]", value_parser = values::group, help_heading = "Network")]
    pub join: Vec<Group>,
    /// Close a connection on which nothing moves for this long; off: never
    #[arg(
        long,
        value_name = "TIME",
        default_value = "5m",
        help_heading = "Network"
    )]
    pub idle_timeout: Timeout,
    /// Share the connections among this many threads; datagrams have one of their own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256),
        help_heading = "Network")]
    pub threads: u16,
    /// The certificate.
    #[command(flatten)]
    pub tls: TlsServerArgs,

    /// Let in this many connections at once
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Limits")]
    pub max_clients: u32,
    /// Close a connection that has had this much back, and answer no longer datagrams
    #[arg(long, value_name = "SIZE", value_parser = values::some_bytes, help_heading = "Limits")]
    pub max_bytes: Option<Size>,
    /// Answer this many datagrams per second from one address of another machine, after a burst; off: any
    #[arg(
        long,
        value_name = "N[/BURST]",
        default_value = "1000/2000",
        help_heading = "Limits"
    )]
    pub source_rate: RateLimit,

    /// What goes wrong.
    #[command(flatten)]
    pub chaos: ChaosArgs,
}

/// What goes wrong on purpose.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Misbehaviour on purpose")]
pub struct ChaosArgs {
    /// Misbehave in the same way each time with the same number; without it a new one is chosen and told
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Send back this much later
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub delay: Option<Duration>,
    /// And up to this much later still, at random
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub jitter: Option<Duration>,
    /// Send back this much per second on each connection
    #[arg(long, value_name = "SIZE", value_parser = values::some_bytes)]
    pub rate: Option<Size>,
    /// Send back in pieces of this size
    #[arg(long, value_name = "SIZE", value_parser = values::some_bytes)]
    pub slice: Option<Size>,
    /// Send back this much of a connection and then stand still
    #[arg(long, value_name = "SIZE")]
    pub stall_after: Option<Size>,
    /// Send back this much of a connection and then reset it
    #[arg(long, value_name = "SIZE")]
    pub reset_after: Option<Size>,
    /// Send back this much of a connection and swallow the rest
    #[arg(long, value_name = "SIZE")]
    pub truncate_after: Option<Size>,
    /// Send back this much of a connection and then close it
    #[arg(long, value_name = "SIZE")]
    pub close_after: Option<Size>,
    /// Damage each byte of a connection, and each datagram, with this probability
    #[arg(long, value_name = "P")]
    pub corrupt: Option<Probability>,
    /// Leave a datagram unanswered with this probability
    #[arg(long, value_name = "P")]
    pub drop: Option<Probability>,
    /// Answer a datagram twice with this probability
    #[arg(long, value_name = "P")]
    pub duplicate: Option<Probability>,
    /// Answer a datagram after the sender's next one, or 200 ms later, with this probability
    #[arg(long, value_name = "P")]
    pub reorder: Option<Probability>,
}

/// `ping`.
#[derive(Debug, Clone, Args)]
pub struct PingArgs {
    /// Measure the echo server here: host:port, tls://host:port, udp://host:port, unix:/path, unixgram:/path
    #[arg(value_name = "ADDR", value_hint = ValueHint::Hostname)]
    pub address: String,

    /// Send this many probes
    #[arg(short, long, value_name = "N", default_value = "10", value_parser = values::probe_count)]
    pub count: u32,
    /// Send one this often
    #[arg(short, long, value_name = "TIME", default_value = "200ms", value_parser = values::positive_duration)]
    pub interval: Duration,
    /// Send probes of this size
    #[arg(short, long, value_name = "SIZE", default_value = "64", value_parser = values::probe_size)]
    pub size: Size,
    /// Send the next probe as soon as one is back, with this many on their way [8 if N is left out]
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "8",
        conflicts_with = "interval", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub flood: Option<u16>,
    /// Wait this long for a probe before it counts as lost
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = values::positive_duration)]
    pub timeout: Duration,

    /// Socket options.
    #[command(flatten)]
    pub sockopt: SockoptArgs,
    /// How to connect.
    #[command(flatten)]
    pub dial: DialArgs,
    /// Certificates.
    #[command(flatten)]
    pub tls: TlsClientArgs,
}

impl EchoArgs {
    /// How many connections and datagrams are served.
    pub fn wanted(&self) -> Option<u64> {
        match self.once {
            true => Some(1),
            false => self.count,
        }
    }
}
