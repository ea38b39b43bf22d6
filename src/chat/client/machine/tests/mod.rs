//! The chat client in virtual time: `world` has the clock and a server whose words are written by the test,
//! `pair` joins the client with the real server over wires that are cut.

mod ending;
mod giving_up;
mod goals;
mod pair;
mod session;
mod world;
