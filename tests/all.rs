//! The one test binary: a file per subcommand, `support` under all.

mod assets;
mod chat;
mod command_line;
mod house;
mod serve_chat;
mod support;
