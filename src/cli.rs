//! The command line: every clap type, one `Args` struct per subcommand, and nothing that acts.
//!
//! What was typed leaves here as typed values: a regular expression is compiled, a size is a number, a
//! contradiction has been refused with exit status 2. Completions and man pages are generated from the same
//! definition ([`completions`], [`man_page`]) and committed; `tests/assets.rs` compares them.

mod assets;
mod code;
mod echo;
mod inspect;
mod manual;
mod password;
mod tls;
mod transfer;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum, ValueHint};
use ipnet::IpNet;
use regex::Regex;

use crate::core::options::{Setting, Settings};

pub use assets::{asset_files, completions, man_page};
pub use clap_complete::Shell;
pub use code::CodeArgs;
pub use echo::{ChaosArgs, DEFAULT_ECHO_ADDRESS, EchoArgs, PingArgs};
pub use inspect::{InspectArgs, ProfileName};
pub use password::{Password, PasswordArgs};
pub use tls::{TlsClientArgs, TlsServerArgs};
pub use transfer::{
    DEFAULT_TRANSFER_ADDRESS, LinkPolicy, RecvFileArgs, SendFileArgs, TransferArgs,
};
pub use values::{Rate, RateLimit, Size, Timeout};

use crate::core::dial::DialOptions;
use crate::core::resolve::Family;
use crate::core::socket::{Buffers, ListenOptions};

/// Where `serve-chat` listens and `chat` connects when no address is given.
pub const DEFAULT_CHAT_ADDRESS: &str = "localhost:8888";

/// How long `chat` tries to reconnect in a pipe when `--retry` is not given.
pub const DEFAULT_RETRY: Duration = Duration::from_secs(30);

/// The exit statuses that exist so far, with what they mean. [`crate::error::Kind`] has the numbers.
const EXIT_STATUS: [(&str, &str); 9] = [
    ("0", "done; of a transfer: verified and stored"),
    ("1", "any other failure; of ping, probes that were lost"),
    ("2", "usage"),
    ("3", "cannot listen, resolve or connect"),
    ("4", "timed out"),
    ("5", "not let in: certificate, code, password, ban, limit"),
    (
        "6",
        "integrity: a digest did not match, what came was damaged, or the peer violated the protocol",
    ),
    ("7", "partly done: some files stored, some not"),
    ("130, 143", "ended by SIGINT, SIGTERM after a clean stop"),
];

const EXAMPLES: &str = "\
Examples:
  sockkit serve-chat                 A chat server on this machine, port 8888
  sockkit chat                       Join it
  nc localhost 8888                  Join it without sockkit
  sockkit recv-file :8889            Wait for files from anywhere
  sockkit send-file host:8889 photos
                                     Send a directory there
  sockkit echo                       An echo server on this machine, port 8887
  sockkit ping localhost:8887        Measure it
  sockkit inspect host:443           What a connection there really has
  sockkit chat --help                Options and examples of one command";

/// One tool for people who work with sockets.
#[derive(Debug, Parser)]
#[command(
    name = "sockkit",
    version,
    about,
    after_help = overview(),
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub struct Cli {
    /// What applies to every command.
    #[command(flatten)]
    pub globals: Globals,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command has.
#[derive(Debug, Clone, Copy, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct Globals {
    /// Print events on stdout as JSON, one object a line
    #[arg(long, global = true)]
    pub json: bool,
    /// Print no notes on stderr and no log lines, only errors, ready lines and the warning of --insecure
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Tell more on stderr; twice for details
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Use colours: auto means on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    pub color: Color,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set; anywhere if `CLICOLOR_FORCE` is.
    #[default]
    #[value(help = None)]
    Auto,
    /// Always.
    #[value(help = None)]
    Always,
    /// Never.
    #[value(help = None)]
    Never,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a chat server that anyone can join with nc, telnet or sockkit chat
    #[command(after_help = SERVE_CHAT_EXAMPLES)]
    ServeChat(Box<ServeChatArgs>),
    /// Join a chat, at a terminal or in a pipe
    #[command(after_help = CHAT_EXAMPLES)]
    Chat(Box<ChatArgs>),
    /// Send files and directories, verified and resumed
    #[command(after_help = transfer::SEND_FILE_EXAMPLES)]
    SendFile(Box<SendFileArgs>),
    /// Receive files and directories into a directory
    #[command(after_help = transfer::RECV_FILE_EXAMPLES)]
    RecvFile(Box<RecvFileArgs>),
    /// Run an echo server for TCP, TLS, UDP and Unix sockets, which can misbehave on purpose
    #[command(after_help = echo::ECHO_EXAMPLES)]
    Echo(Box<EchoArgs>),
    /// Measure and verify an echo server: round trips, loss, corruption
    #[command(after_help = echo::PING_EXAMPLES)]
    Ping(Box<PingArgs>),
    /// Show what a host, a socket or a process really has: options, addresses, TCP's knowledge
    #[command(after_help = INSPECT_EXAMPLES)]
    Inspect(Box<InspectArgs>),
    /// Print the completion script for a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
    /// Print a manual page
    #[command(after_help = MAN_EXAMPLES)]
    Man(ManArgs),
}

const SERVE_CHAT_EXAMPLES: &str = "\
Examples:
  sockkit serve-chat                          On this machine only, 127.0.0.1 and ::1, port 8888
  sockkit serve-chat :8888                    For everyone who can reach this machine
  sockkit serve-chat :8888 unix:/run/chat     On TCP and a Unix socket at once
  sockkit serve-chat tls://:8889 --self-signed
                                              Encrypted; clients compare the fingerprint once
  sockkit serve-chat --log /var/log/chat      Keep what is said, and show it after a restart
  sockkit serve-chat :8888 --allow 10.0.0.0/8 --max-per-ip 5 --rate 5/20";

const CHAT_EXAMPLES: &str = "\
Examples:
  sockkit chat                                Join the chat on this machine
  sockkit chat chat.lan:8888 --nick ana       Join another one, with a name
  sockkit chat tls://chat.lan:8889            Join one that is encrypted
  echo 'build done' | sockkit chat chat.lan:8888 --nick ci
                                              Say one line and leave once it is acknowledged
  sockkit chat --send 'who is there?' --count 1 --timeout 10s
                                              Ask, and wait for one answer
  sockkit chat --expect 'deploy v[0-9.]+' --timeout 1h
                                              Wait until somebody says it, and print it
  sockkit chat --json --follow </dev/null     Every event as a line of JSON";

const INSPECT_EXAMPLES: &str = "\
Examples:
  sockkit inspect                             This host: interfaces, limits, defaults of sockets
  sockkit inspect example.com:443             Resolve, connect, and show what the socket has
  sockkit inspect -o SO_RCVBUF=4MiB           What the kernel grants of that, and why
  sockkit inspect --pid 4711                  The sockets of a running process
  sockkit inspect --pid 4711 --fd 7 --watch 1s
                                              One of them, and what changes
  sockkit inspect --explain linger            What an option is, and its pitfall
  sockkit inspect --diff client db.lan:5432   Where a live socket differs from a profile
  sockkit inspect --address 0x7f000001        An address in every notation";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  sockkit completions bash > ~/.local/share/bash-completion/completions/sockkit
  sockkit completions zsh > ~/.zfunc/_sockkit      With fpath+=~/.zfunc before compinit in ~/.zshrc
  sockkit completions fish > ~/.config/fish/completions/sockkit.fish";

const MAN_EXAMPLES: &str = "\
Examples:
  sockkit man chat | man -l -                 Read a page on Linux
  sockkit man chat | mandoc                   Read a page on macOS and the BSDs";

/// Options of every command that opens a socket.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Network")]
pub struct SocketArgs {
    /// Use IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    pub ipv4: bool,
    /// Use IPv6 only
    #[arg(short = '6', long)]
    pub ipv6: bool,
    /// Set the kernel's send buffer to this size instead of letting it tune itself
    #[arg(long, value_name = "SIZE", value_parser = values::buffer_size)]
    pub send_buffer: Option<Size>,
    /// Set the kernel's receive buffer to this size instead of letting it tune itself
    #[arg(long, value_name = "SIZE", value_parser = values::buffer_size)]
    pub recv_buffer: Option<Size>,
}

/// Options of every command that listens.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Network")]
pub struct ListenArgs {
    /// What every socket has.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// Let this many connections wait to be accepted
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=65535))]
    pub backlog: u32,
    /// Share the port with other processes that ask for the same
    #[arg(long)]
    pub reuse_port: bool,
    /// Give Unix sockets these permissions, in octal
    #[arg(long, value_name = "MODE", default_value = "600", value_parser = values::octal_mode)]
    pub unix_mode: u32,
}

/// Options of every command that connects.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Network")]
pub struct DialArgs {
    /// What every socket has.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// Give up connecting after this long, all addresses of a name together
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = values::positive_duration)]
    pub connect_timeout: Duration,
}

impl SocketArgs {
    /// The IP version to keep to.
    pub fn family(&self) -> Family {
        match (self.ipv4, self.ipv6) {
            (true, _) => Family::V4,
            (_, true) => Family::V6,
            _ => Family::Any,
        }
    }

    /// The sizes that were asked for.
    pub fn buffers(&self) -> Buffers {
        Buffers {
            send: self.send_buffer.map(Size::as_usize),
            recv: self.recv_buffer.map(Size::as_usize),
        }
    }
}

impl ListenArgs {
    /// As the core takes them.
    pub fn options(&self, settings: Settings) -> ListenOptions {
        ListenOptions {
            family: self.socket.family(),
            backlog: self.backlog,
            reuse_port: self.reuse_port,
            unix_mode: self.unix_mode,
            buffers: self.socket.buffers(),
            settings,
        }
    }
}

impl DialArgs {
    /// As the core takes them.
    pub fn options(&self, settings: Settings) -> DialOptions {
        DialOptions {
            family: self.socket.family(),
            timeout: self.connect_timeout,
            buffers: self.socket.buffers(),
            settings,
        }
    }
}

/// `-o` of every command that opens a socket.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Network")]
pub struct SockoptArgs {
    /// Set this socket option, such as SO_RCVBUF=1MiB or tos=EF; may be repeated
    #[arg(short = 'o', long, value_name = "NAME=VALUE", value_parser = values::setting)]
    sockopt: Vec<Setting>,
}

impl SockoptArgs {
    /// What was asked.
    pub fn settings(&self) -> Settings {
        Settings::new(self.sockopt.clone())
    }
}

/// The same where `-o` is another option's.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Network")]
pub struct LongSockoptArgs {
    /// Set this socket option, such as SO_RCVBUF=1MiB or tos=EF; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = values::setting)]
    sockopt: Vec<Setting>,
}

impl LongSockoptArgs {
    /// What was asked.
    pub fn settings(&self) -> Settings {
        Settings::new(self.sockopt.clone())
    }
}

/// What to do with a client that does not read what it is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum SlowPolicy {
    /// Leave lines out and say how many.
    #[default]
    #[value(help = None)]
    Skip,
    /// Put it out.
    #[value(help = None)]
    Kick,
}

/// `serve-chat`.
#[derive(Debug, Clone, Args)]
pub struct ServeChatArgs {
    /// Listen here: host:port, :port for every interface, tls://host:port, unix:/path; port 0 picks a free one
    #[arg(value_name = "ADDR", default_value = DEFAULT_CHAT_ADDRESS, value_hint = ValueHint::Hostname)]
    pub addresses: Vec<String>,

    /// How to listen.
    #[command(flatten)]
    pub listen: ListenArgs,
    /// The certificate.
    #[command(flatten)]
    pub tls: TlsServerArgs,
    /// Socket options.
    #[command(flatten)]
    pub sockopt: SockoptArgs,

    /// Put out a client that is silent for this long, after a warning; off: never
    #[arg(
        long,
        value_name = "TIME",
        default_value = "5m",
        help_heading = "Network"
    )]
    pub idle_timeout: Timeout,

    /// Let in this many clients at once
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Limits")]
    pub max_clients: u32,
    /// Let in this many clients from one IP address, or one /64 of IPv6
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Limits")]
    pub max_per_ip: u32,
    /// Keep this many rooms at most; those that are empty make way
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Limits")]
    pub max_rooms: u32,
    /// Take this many lines per second from one client, after a burst of so many at once; off: any
    #[arg(
        long,
        value_name = "N[/BURST]",
        default_value = "20/100",
        help_heading = "Limits"
    )]
    pub rate: RateLimit,
    /// Refuse longer lines; 64 bytes to 1 MiB
    #[arg(long, value_name = "SIZE", default_value = "4KiB", value_parser = values::line_size,
        help_heading = "Limits")]
    pub max_line: Size,
    /// Keep this much for a client that does not read; at least 8 times --max-line
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = values::queue_size,
        help_heading = "Limits")]
    pub send_queue: Size,
    /// When that is full: skip lines and say how many, or kick the client
    #[arg(
        long,
        value_enum,
        value_name = "POLICY",
        default_value_t,
        help_heading = "Limits"
    )]
    pub slow: SlowPolicy,

    /// Keep this many lines of each room to show to those who come later
    #[arg(
        long,
        value_name = "LINES",
        default_value_t = 1_000,
        help_heading = "History"
    )]
    pub history: u32,
    /// Keep no more than this much of each room
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "4MiB",
        help_heading = "History"
    )]
    pub history_bytes: Size,
    /// Write what is said to a file per room in this directory, and read it at the start
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "History")]
    pub log: Option<PathBuf>,
    /// Begin a new file when one has this size
    #[arg(long, value_name = "SIZE", default_value = "64MiB", requires = "log", value_parser = values::rotate_size,
        help_heading = "History")]
    pub log_rotate: Size,

    /// The password.
    #[command(flatten)]
    pub password: PasswordArgs,
    /// Let in only addresses in these networks
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = values::network, help_heading = "Access")]
    pub allow: Vec<IpNet>,
    /// Keep out addresses in these networks, even if they are allowed
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = values::network, help_heading = "Access")]
    pub deny: Vec<IpNet>,
    /// Listen for operators on this Unix socket, with the permissions 600
    #[cfg_attr(not(unix), arg(hide = true))]
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, help_heading = "Access")]
    pub admin_socket: Option<PathBuf>,
    /// When told to stop, wait this long for clients to read what is left
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = values::duration, help_heading = "Network")]
    pub drain: Duration,
}

/// `chat`.
#[derive(Debug, Clone, Args)]
pub struct ChatArgs {
    /// Connect here: host:port, [::1]:port, tls://host:port, unix:/path
    #[arg(value_name = "ADDR", default_value = DEFAULT_CHAT_ADDRESS, value_hint = ValueHint::Hostname)]
    pub address: String,

    /// Ask for this nick; without it the server gives one
    #[arg(short, long, value_name = "NICK", value_parser = values::word)]
    pub nick: Option<String>,
    /// Enter this room instead of #lobby; its # may be left out
    #[arg(short, long, value_name = "ROOM", value_parser = values::room)]
    pub room: Option<String>,
    /// Show this many earlier lines on entering, and let them count [default: 20 at a terminal, else 0]
    #[arg(long, value_name = "N", conflicts_with = "no_history")]
    pub history: Option<u32>,
    /// Show no earlier lines
    #[arg(long)]
    pub no_history: bool,
    /// The password.
    #[command(flatten)]
    pub password: PasswordArgs,
    /// Talk to any server of lines: no handshake, no acknowledgements, no reconnecting
    #[arg(long, conflicts_with_all = ["nick", "room", "history", "no_history", "password_file", "retry"])]
    pub raw: bool,

    /// Send this line instead of reading stdin; may be repeated
    #[arg(long, value_name = "LINE", help_heading = "Scripts", value_parser = values::line)]
    pub send: Vec<String>,
    /// Wait for a message of others that matches, print the match, and leave
    #[arg(long, value_name = "REGEX", help_heading = "Scripts")]
    pub expect: Option<Regex>,
    /// Leave after this many messages of others, with --expect after so many that match
    #[arg(long, value_name = "N", help_heading = "Scripts", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Give up with status 4 when not done after this long
    #[arg(long, value_name = "TIME", help_heading = "Scripts", value_parser = values::positive_duration)]
    pub timeout: Option<Duration>,
    /// Go on printing messages after the end of stdin
    #[arg(short, long, help_heading = "Scripts")]
    pub follow: bool,
    /// Run this program for each message, without a shell; see the manual for its environment
    #[arg(long, value_name = "CMD", value_hint = ValueHint::CommandName, help_heading = "Scripts")]
    pub exec: Option<OsString>,
    /// Run at most this many of them at once
    #[arg(long, value_name = "N", default_value_t = 4, requires = "exec", help_heading = "Scripts",
        value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub exec_max: u32,

    /// How to connect.
    #[command(flatten)]
    pub dial: DialArgs,
    /// Whom to trust.
    #[command(flatten)]
    pub tls: TlsClientArgs,
    /// Socket options.
    #[command(flatten)]
    pub sockopt: SockoptArgs,
    /// Take the connection for dead when nothing comes for this long, not even an answer to a ping; off: never
    #[arg(
        long,
        value_name = "TIME",
        default_value = "5m",
        help_heading = "Network"
    )]
    pub idle_timeout: Timeout,
    /// After a cut, try to reconnect for this long, 0 for never [default: 30s, at a terminal without end]
    #[arg(long, value_name = "TIME", value_parser = values::duration, help_heading = "Network")]
    pub retry: Option<Duration>,
}

/// `completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

/// `man`.
#[derive(Debug, Clone, Args)]
pub struct ManArgs {
    /// The page of this command; without it the page of sockkit itself
    #[arg(value_name = "COMMAND", value_parser = values::subcommand)]
    pub command: Option<String>,
}

/// The definition that `--help`, completions and man pages come from.
pub fn command() -> clap::Command {
    Cli::command()
}

impl Cli {
    /// Understands the command line of this process.
    pub fn parse_line() -> Result<Self, clap::Error> {
        Self::try_parse()
    }
}

/// Understands one option of a subcommand, as if it had been typed behind its name; the rest has its defaults.
/// The error is one line.
pub fn parse_option(command: &str, name: &str, value: &str) -> Result<Command, String> {
    let line = [
        "sockkit".into(),
        command.into(),
        format!("--{name}={value}"),
    ];
    match Cli::try_parse_from(line) {
        Ok(cli) => Ok(cli.command),
        Err(error) => {
            let text = error.render().to_string();
            let first = text.lines().next().unwrap_or_default();
            Err(first.trim_start_matches("error: ").to_string())
        }
    }
}

/// What stands below the options of `sockkit --help`.
fn overview() -> String {
    let mut text = String::from("Exit status:\n");
    for (status, meaning) in EXIT_STATUS {
        text.push_str(&format!("  {status:<8}  {meaning}\n"));
    }
    format!("{text}\n{EXAMPLES}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, clap::error::ErrorKind> {
        let words = std::iter::once("sockkit").chain(line.split_whitespace());
        match Cli::try_parse_from(words) {
            Ok(cli) => Ok(cli.command),
            Err(error) => Err(error.kind()),
        }
    }

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn a_server_without_options_has_the_documented_defaults() {
        let Ok(Command::ServeChat(args)) = parse("serve-chat") else {
            panic!("no server");
        };
        assert_eq!(args.addresses, ["localhost:8888"]);
        assert_eq!(args.listen.backlog, 1024);
        assert_eq!(args.listen.unix_mode, 0o600);
        assert_eq!(args.idle_timeout, Timeout::after(Duration::from_secs(300)));
        assert_eq!(args.max_line.bytes(), 4096);
        assert_eq!(args.send_queue.bytes(), 1 << 20);
        assert_eq!(args.rate.to_string(), "20/100");
        assert_eq!(args.slow, SlowPolicy::Skip);
        assert_eq!(args.drain, Duration::from_secs(2));
        assert_eq!(args.log, None);
    }

    #[test]
    fn contradictions_are_refused_when_the_line_is_parsed() {
        use clap::error::ErrorKind::{
            ArgumentConflict, MissingRequiredArgument, UnknownArgument, ValueValidation,
        };
        for (line, kind) in [
            ("chat -4 -6", ArgumentConflict),
            ("chat --history 5 --no-history", ArgumentConflict),
            ("chat --raw --nick ana", ArgumentConflict),
            ("chat -q -v", ArgumentConflict),
            ("chat --exec-max 2", MissingRequiredArgument),
            ("chat --backlog 5", UnknownArgument),
            ("serve-chat --connect-timeout 5s", UnknownArgument),
            ("serve-chat --log-rotate 5M", MissingRequiredArgument),
            ("serve-chat --allow 10.0.0.0/33", ValueValidation),
            ("serve-chat --max-line 3", ValueValidation),
            ("serve-chat --unix-mode 999", ValueValidation),
            ("serve-chat --rate 0", ValueValidation),
            ("serve-chat -o SO_RCVBUF=much", ValueValidation),
            ("chat -o nosuchoption=1", ValueValidation),
            ("chat --expect (", ValueValidation),
            ("chat --timeout 0s", ValueValidation),
            ("echo --once --count 3", ArgumentConflict),
            ("echo --corrupt 2", ValueValidation),
            ("echo --slice 0", ValueValidation),
            ("echo --join 10.0.0.1", ValueValidation),
            ("ping", MissingRequiredArgument),
            ("ping :1 --flood -i 1s", ArgumentConflict),
            ("ping :1 -s 0", ValueValidation),
        ] {
            assert_eq!(parse(line).err(), Some(kind), "{line}");
        }
    }

    #[test]
    fn a_room_may_be_named_without_its_sign() {
        for line in ["chat --room dev", "chat -r #dev"] {
            let Ok(Command::Chat(args)) = parse(line) else {
                panic!("no client");
            };
            assert_eq!(args.room.as_deref(), Some("#dev"), "{line}");
        }
    }

    #[test]
    fn several_networks_are_given_with_commas_or_repeated() {
        let Ok(Command::ServeChat(args)) =
            parse("serve-chat :1 --allow 10.0.0.0/8,::1 --allow 192.0.2.7 :2")
        else {
            panic!("no server");
        };
        let allowed: Vec<String> = args.allow.iter().map(ToString::to_string).collect();
        assert_eq!(allowed, ["10.0.0.0/8", "::1/128", "192.0.2.7/32"]);
        assert_eq!(args.addresses, [":1", ":2"]);
    }
}
