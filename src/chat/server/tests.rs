//! The chat server in virtual time. A file per theme; `world` has the clock, the wires and the disk.

mod commands;
mod crowds;
mod durable;
mod ending;
mod hostile;
mod limits;
mod operator;
mod plain;
mod simulation;
mod structured;
mod world;
