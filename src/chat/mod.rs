//! The chat: a room is a log, a client is a cursor in it.

pub mod authors;
pub mod client;
pub mod command;
pub mod feed;
pub mod journal;
pub mod lines;
pub mod nick;
pub mod outbox;
pub mod render;
pub mod room;
pub mod serve;
pub mod server;
pub mod store;
pub mod token;
pub mod wire;
