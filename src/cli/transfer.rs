//! `send-file` and `recv-file`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};

use super::values::{self, Size, Timeout};
use super::{CodeArgs, LongSockoptArgs, SocketArgs, SockoptArgs};

/// Where `recv-file` listens when no address is given.
pub const DEFAULT_TRANSFER_ADDRESS: &str = "localhost:8889";

pub(super) const SEND_FILE_EXAMPLES: &str = "\
Examples:
  sockkit send-file host:8889 photos notes.txt
                                     Send a directory and a file to a waiting recv-file
  pg_dump shop | sockkit send-file host:8889 - --name shop.sql
                                     Send what a program prints
  sockkit send-file --listen :8889 photos
                                     Wait for a recv-file --connect that fetches it
  sockkit send-file host:8889 photos --dry-run
                                     Say what would be sent and what is there already";

pub(super) const RECV_FILE_EXAMPLES: &str = "\
Examples:
  sockkit recv-file :8889 -d inbox
                                     Wait for one sender, from anywhere
  sockkit recv-file :8889 -d inbox --keep-open --rename
                                     Take in one after the other, and replace nothing
  sockkit recv-file -o - | tar -x
                                     Pass what comes on; the status says whether it was right
  sockkit recv-file --connect host:8889
                                     Fetch from a send-file --listen";

/// What is done with symbolic links.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LinkPolicy {
    /// They stay links.
    #[default]
    #[value(help = None)]
    Keep,
    /// They are left out.
    #[value(help = None)]
    Skip,
    /// What they point at is sent.
    #[value(help = None)]
    Follow,
}

/// Options of both ends of a transfer.
#[derive(Debug, Clone, Args)]
pub struct TransferArgs {
    /// Write the digests of what was transferred to this file, as sha256sum -c reads them
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub sums: Option<PathBuf>,
    /// Symbolic links: keep them, skip them, or follow them and send what they point at
    #[arg(long, value_enum, value_name = "POLICY", default_value_t)]
    pub links: LinkPolicy,

    /// The code phrase, or none.
    #[command(flatten)]
    pub code: CodeArgs,

    /// How to connect, or to listen.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// Connecting: give up after this long, all addresses of a name together [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = values::positive_duration, help_heading = "Network")]
    pub connect_timeout: Option<Duration>,
    /// Listening: let this many connections wait to be accepted [default: 1024]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65535), help_heading = "Network")]
    pub backlog: Option<u32>,
    /// Listening: share the port with other processes that ask for the same
    #[arg(long, help_heading = "Network")]
    pub reuse_port: bool,
    /// Listening: give Unix sockets these permissions, in octal [default: 600]
    #[arg(long, value_name = "MODE", value_parser = values::octal_mode, help_heading = "Network")]
    pub unix_mode: Option<u32>,
    /// After a cut, try to go on for this long without progress; 0: never
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = values::duration, help_heading = "Network")]
    pub retry: Duration,
    /// Take the connection for broken when nothing gets on for this long; off: never
    #[arg(
        long,
        value_name = "TIME",
        default_value = "30s",
        help_heading = "Network"
    )]
    pub stall_timeout: Timeout,
    /// Take the connection for broken when the other end says nothing for this long; off: never
    #[arg(
        long,
        value_name = "TIME",
        default_value = "20s",
        help_heading = "Network"
    )]
    pub idle_timeout: Timeout,
    /// Transfer no more than this much a second
    #[arg(long, value_name = "SIZE", value_parser = values::byte_rate, help_heading = "Network")]
    pub limit_rate: Option<Size>,
}

/// `send-file`.
#[derive(Debug, Clone, Args)]
pub struct SendFileArgs {
    /// Connect here, or listen with --listen: host:port, [::1]:port, unix:/path
    #[arg(value_name = "ADDR", value_hint = ValueHint::Hostname)]
    pub address: String,
    /// Send these files and directories; - is stdin
    #[arg(value_name = "PATH", required = true, value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,

    /// Wait for the receiver to connect instead of connecting
    #[arg(long)]
    pub listen: bool,
    /// What stdin is called at the receiver
    #[arg(long, value_name = "NAME", default_value = "stdin", value_parser = values::file_name)]
    pub name: String,
    /// Leave out what matches, and everything beneath it; may be repeated
    #[arg(long, value_name = "GLOB", help_heading = "What is sent")]
    pub exclude: Vec<String>,
    /// Send only files that match; may be repeated
    #[arg(long, value_name = "GLOB", help_heading = "What is sent")]
    pub include: Vec<String>,
    /// Stay within the file systems of the arguments
    #[arg(long, help_heading = "What is sent")]
    pub one_file_system: bool,
    /// Send nothing: say of each file what would be sent and what is there already
    #[arg(long, help_heading = "What is sent", conflicts_with = "sums")]
    pub dry_run: bool,

    /// What both ends have.
    #[command(flatten)]
    pub transfer: TransferArgs,

    /// Socket options.
    #[command(flatten)]
    pub sockopt: SockoptArgs,
}

/// `recv-file`.
#[derive(Debug, Clone, Args)]
pub struct RecvFileArgs {
    /// Listen here, or connect with --connect: host:port, :port for every interface, unix:/path
    #[arg(value_name = "ADDR", default_value = DEFAULT_TRANSFER_ADDRESS, value_hint = ValueHint::Hostname)]
    pub address: String,

    /// Store beneath this directory
    #[arg(short, long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub directory: PathBuf,
    /// Store the one file that comes under this name, or pass it to stdout with -
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["directory", "keep_open"])]
    pub output: Option<PathBuf>,
    /// Connect to a send-file --listen instead of waiting
    #[arg(long)]
    pub connect: bool,
    /// Go on after the first sender, and take in several at once
    #[arg(short, long, conflicts_with = "connect")]
    pub keep_open: bool,
    /// Take in this many senders at once
    #[arg(long, value_name = "N", default_value_t = 16, requires = "keep_open",
        value_parser = clap::value_parser!(u32).range(1..=1024), help_heading = "Limits")]
    pub max_sessions: u32,

    /// Replace files that exist and differ
    #[arg(long, group = "existing", help_heading = "Existing files")]
    pub overwrite: bool,
    /// Store under another name, such as name (1).txt
    #[arg(long, group = "existing", help_heading = "Existing files")]
    pub rename: bool,
    /// Replace files that are older
    #[arg(long, group = "existing", help_heading = "Existing files")]
    pub update: bool,

    /// Do not wait until what came is safe on disk
    #[arg(long)]
    pub no_fsync: bool,
    /// Run this program for each file that was stored, without a shell; see the manual for its environment
    #[arg(long, value_name = "CMD", value_hint = ValueHint::CommandName, conflicts_with = "output")]
    pub on_receive: Option<OsString>,

    /// Refuse larger files
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    pub max_size: Option<Size>,
    /// Refuse more files, directories and links than this from one sender
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Limits")]
    pub max_files: Option<u64>,
    /// Take in no more than this much altogether; a directory counts 4 KiB
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    pub quota: Option<Size>,
    /// Begin files also where there seems to be too little free space
    #[arg(long, help_heading = "Limits")]
    pub ignore_space: bool,

    /// What both ends have.
    #[command(flatten)]
    pub transfer: TransferArgs,

    /// Socket options; -o is the output's here.
    #[command(flatten)]
    pub sockopt: LongSockoptArgs,
}
