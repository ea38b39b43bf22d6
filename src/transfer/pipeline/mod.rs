//! The driver of a transfer: the only place in it that knows sockets and threads.
//!
//! ```text
//!  sending end                                        receiving end
//!  reader ---frames--> control <--words-- walker       reader ---frames--> control <--words-- workers
//!  writer <--frames--- control ---jobs--> workers      writer <--frames--- control ---jobs--> workers
//!                                workers --> hashers                                workers --> hashers
//! ```
//!
//! - [`channel`]: a connection as two halves; [`reader`], [`writer`]: a thread for each.
//! - [`control`]: the thread that calls the machine; [`inbox`] is what it waits for, [`watchdog`] whether it
//!   gets on. [`sending`] and [`receiving`] put the two machines under it.
//! - [`crew`]: the workers; [`reading`] and [`taking`] are their work, [`hashing`] goes on beside it, [`words`] is
//!   what they say, [`telling`] what of the disk; [`supply`] and [`target`] are where it comes from and goes to.
//! - [`pool`]: all of the memory.
//! - [`meeting`]: how both ends find each other, again and again; [`hall`]: who knocks at a listening port;
//!   [`stop`]: signals.
//!
//! Two designs were weighed. A loop over readiness as the chat has it would do with one thread for the connection, but
//! files have no readiness and SHA-256 is the limit of everything, so that it would be a loop that waits for workers.
//! And workers that call the machine under a lock would save the hop to the control thread, at the price of a lock
//! that is held while frames are made. So: threads that block, one that decides, and everything handed over in
//! batches. A chunk of 1 MiB takes three hops, a small file a sixteenth of one.

pub mod channel;
pub mod control;
mod crew;
pub mod guard;
pub mod hall;
mod hashing;
pub mod inbox;
pub mod meeting;
pub mod pool;
mod reader;
mod reading;
pub mod receiving;
pub mod sending;
pub mod stop;
pub mod supply;
mod taking;
pub mod target;
mod telling;
pub mod watchdog;
mod words;
mod writer;
