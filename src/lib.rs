//! sockkit: one tool for people who work with sockets.

pub mod chat;
pub mod cli;
pub mod core;
pub mod error;
pub mod ui;
