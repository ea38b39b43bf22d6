//! sockkit: one tool for people who work with sockets.
//!
//! The map of the house. An arrow says who may import whom; nobody imports against one.
//!
//! ```text
//! main -> cli, ui, and the rooms below
//! transfer -> ui, core, error, cli (its own Args structs)
//! chat, echo, inspect -> tls, ui, core, error, cli (its own Args struct)
//! tls  -> ui, core, error, cli (the Args structs of TLS)
//! ui   -> core, error, cli (Globals), and the events and reports that it prints
//! cli  -> core (what an option's value is)
//! core -> error; it knows no room, no option of the command line and no terminal
//! ```
//!
//! - [`cli`]: the command line as types; completions and man pages are made from it.
//! - [`error`]: what went wrong, with a kind that becomes the exit status.
//! - [`core`]: what all subcommands share: addresses, sockets, the machine contract and its driver.
//! - [`chat`]: `serve-chat` and `chat`.
//! - [`echo`]: `echo` and `ping`.
//! - [`inspect`]: what a host, a socket or a process really has.
//! - [`tls`]: what every command with `tls://` addresses begins with.
//! - [`transfer`]: `send-file` and `recv-file`.
//! - [`ui`]: the only terminal output.
//!
//! Rooms that are *pure* decide and touch nothing: no socket, file, clock or thread. Each says so by an inner
//! attribute that makes clippy refuse the rest (`clippy.toml`), and `tests/house.rs` knows them by name.
//!
//! This library exists for the binary and its tests. It promises no stable interface.

pub mod chat;
pub mod cli;
pub mod core;
pub mod echo;
pub mod error;
pub mod inspect;
pub mod tls;
pub mod transfer;
pub mod ui;

use cli::Command;
use error::Result;
use ui::Ui;

/// Runs a command to its end.
pub fn run(ui: &Ui, command: &Command) -> Result<()> {
    match command {
        Command::ServeChat(args) => chat::serve::run(ui, args),
        Command::Chat(args) => chat::client::run(ui, args),
        Command::SendFile(args) => transfer::send_file::run(ui, args),
        Command::RecvFile(args) => transfer::recv_file::run(ui, args),
        Command::Echo(args) => echo::server::run(ui, args),
        Command::Ping(args) => echo::ping::run(ui, args),
        Command::Inspect(args) => inspect::run(ui, args),
        Command::Completions(args) => ui.write(&cli::completions(args.shell)).map(drop),
        Command::Man(args) => ui.write(&cli::man_page(args.command.as_deref())).map(drop),
    }
}
