//! `inspect` on the command line.

use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum, ValueHint};

use super::{DialArgs, SockoptArgs, values};

/// A built-in profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProfileName {
    /// Of servers.
    #[value(help = None)]
    Server,
    /// Of clients.
    #[value(help = None)]
    Client,
}

/// What has no meaning without a socket of ours.
const OURS: [&str; 6] = [
    "sockopt",
    "ipv4",
    "ipv6",
    "send_buffer",
    "recv_buffer",
    "connect_timeout",
];

/// `inspect`.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("what").multiple(false))]
pub struct InspectArgs {
    /// Connect here and look at the socket: host:port, udp://host:port, unix:/path, unixgram:/path
    #[arg(value_name = "ADDR", group = "what", value_hint = ValueHint::Hostname)]
    pub address: Option<String>,
    /// Listen here and look at the sockets
    #[arg(long, value_name = "ADDR", group = "what", value_hint = ValueHint::Hostname,
        conflicts_with = "connect_timeout")]
    pub listen: Option<String>,
    /// Look at the sockets of this process
    #[arg(long, value_name = "PID", group = "what", value_parser = clap::value_parser!(u32).range(1..),
        conflicts_with_all = OURS)]
    pub pid: Option<u32>,
    /// Look at this descriptor alone: of --pid, else one that sockkit was started with
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..),
        conflicts_with_all = ["address", "listen", "all_sockets", "profile", "diff", "explain", "can", "convert",
        "sockopt", "ipv4", "ipv6", "send_buffer", "recv_buffer", "connect_timeout"])]
    pub fd: Option<i32>,
    /// List all sockets with their processes
    #[arg(long, group = "what", conflicts_with_all = OURS)]
    pub all_sockets: bool,
    /// Show a built-in profile
    #[arg(long, value_enum, value_name = "NAME", group = "what", conflicts_with_all = OURS)]
    pub profile: Option<ProfileName>,
    /// Show where two differ: a profile, a file that --json wrote, an address to connect to
    #[arg(long, num_args = 2, value_names = ["A", "B"], group = "what")]
    pub diff: Option<Vec<String>>,
    /// Explain a socket option; without a name list them all
    #[arg(long, value_name = "NAME", num_args = 0..=1, group = "what", conflicts_with_all = OURS)]
    pub explain: Option<Option<String>>,
    /// Show what this user may do with sockets
    #[arg(long, group = "what", conflicts_with_all = OURS)]
    pub can: bool,
    /// Show an IP address in every notation: 0x7f000001, 2130706433, fe80::1%eth0
    #[arg(
        long = "address",
        id = "convert",
        value_name = "IP",
        group = "what",
        allow_hyphen_values = true
    )]
    pub convert: Option<String>,
    /// Show all options of the catalogue, not only the usual ones
    #[arg(long, conflicts_with_all = ["all_sockets", "profile", "diff", "explain", "can", "convert"])]
    pub all: bool,
    /// Look again and again, so far apart, and print what has changed
    #[arg(long, value_name = "TIME", value_parser = values::positive_duration,
        conflicts_with_all = ["all_sockets", "profile", "diff", "explain", "can", "convert"])]
    pub watch: Option<Duration>,

    /// How to connect.
    #[command(flatten)]
    pub dial: DialArgs,
    /// Socket options.
    #[command(flatten)]
    pub sockopt: SockoptArgs,
}
