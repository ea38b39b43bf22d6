//! The chat: a room is a log, a client is a cursor in it.

pub mod client_machine;
pub mod client_pipe;
pub mod client_run;
pub mod client_terminal;
pub mod command;
pub mod feed;
pub mod journal;
pub mod lines;
pub mod nick;
pub mod outbox;
pub mod render;
pub mod room;
pub mod server;
pub mod token;
pub mod wire;
