//! Files that arrive whole: the protocol, as machines that touch no socket, file, clock or thread.
//!
//! `docs/transfer-protocol.md` is the protocol for readers without Rust. The map:
//!
//! - [`path`]: the one gate for names from a peer; [`entry`]: what is offered.
//! - [`frame`]: how bytes become frames; [`fields`], [`wire`], [`table`]: what is in them; [`outgoing`]: frames
//!   that are being filled; [`digest`]: what judges, and what finds differences.
//! - [`session`]: hello, keepalive, endings, the same at both ends.
//! - [`sender`], [`receiver`]: the two machines.
//! - [`report`]: what a transfer tells its user, and [`screen`], which shows it.
//! - [`sums`], [`on_receive`]: what is made of the digests.
//! - [`source`], [`store`]: the disk of the sender and of the receiver, which are not pure.
//! - `pipeline`: the driver; [`send_file`], [`recv_file`]: the commands.
//!
//! # The split between machine and driver
//!
//! At 1 GB/s a machine cannot look at bytes. So the machines *decide*: what to offer, read, compare, send,
//! write and commit. The driver *moves*: it owns the sockets, files, buffers, threads and hashes, and reports
//! outcomes. A chunk of 1 MiB costs each machine a handful of calls of constant work; a small file costs one
//! read, three records and a share of a frame. `P` is the driver's buffer. The machine holds it between a
//! read and the frame that sends it, or hands a clone of it to each write, and never looks inside.
//!
//! # The contract
//!
//! One thread calls the machine (the control thread); the work that an action names may run on any other.
//! Times are [`crate::core::machine::Now::since_start`] and never go back. Both ends:
//!
//! 1. The driver writes [`frame::PREFACE`], then asks `transmit` for frames. For each it computes
//!    [`frame::crc`] over the payload (on any thread; only under [`frame::Protection::Checksums`]), has
//!    [`frame::Encoder::seal`] number it, and puts header, head and payload out in one gathering write. The
//!    order of the frames is the order of the calls. `transmit` is asked only when a frame can go out, after
//!    all outcomes that are there were reported: frames that wait in the machine still fill up.
//! 2. It reads what [`frame::Decoder::need`] asks for: payloads into buffers of its own, from a bounded pool.
//!    With the pool empty it stops reading, which is all the back-pressure there is. Whole frames go to
//!    `frame` ([`sender::Sender`]), `message` and `data` ([`receiver::Receiver`]); a [`frame::Violation`] goes
//!    to `violated`, an end of the stream or failed transport to `cut`.
//! 3. After every call into the machine it takes `action`s until there are none. Actions of one entry are
//!    carried out in their order, those of different entries in any. Every outcome names its entry and round;
//!    one that comes too late is ignored, so nothing has to be recalled from a thread.
//! 4. It sleeps until input, room for output, an outcome or `next_deadline`, and calls `deadline` when that
//!    has come.
//! 5. When `ending` says something, it writes the frames that `transmit` still has (an abort, the last DONE),
//!    closes, and finishes the writes that were ordered, so that partials are as long as they can be. What
//!    needs saying to a person is in the ending, the `tally` and the reports.
//! 6. A signal, a full or failing disk, and the stall watchdog are the driver's: it calls `abort`. The
//!    watchdog looks at [`session::Progress`]. A peer's word that it works ([`session::Progress::peer_work`])
//!    may extend its patience, but the driver bounds by how much.
//! 7. In a secure channel ([`crate::core::secure::channel`]) both ends have proved that they know the code before
//!    the machine is made: it knows nothing of that, and all that it says is covered.
//!
//! The sending end:
//!
//! 8. [`sender::SenderAction::Walk`]: at least one entry, or the end; without waiting for more than there are.
//!    Directories come after what is in them. The walker checks its paths with [`path::PeerPath`] and reports
//!    what does not pass to the user itself.
//! 9. `Open` and the first `Read` come together, so that a small file is one task: open, stat, read to the
//!    size, stat again. [`sender::SenderOutcome::Opened`] is reported first. A `Read` is filled up to its
//!    length (a pipe is read until it is full), fed to the entry's SHA-256 in order, and its digest computed
//!    where one is wanted, of a hole too. The piece that reaches the size, or the end of a stream, carries
//!    [`sender::SourceEnd`]; so does an earlier one if the source turns out shorter.
//! 10. A source that cannot be read a second time (stdin) answers an `Open` of a later round with `Failed`.
//! 11. A session that ended early leaves [`sender::Sender::into_unsettled`]; the next one begins with it.
//!     A stream that was half read cannot be among what is tried again within one run.
//!
//! The receiving end:
//!
//! 12. [`receiver::ReceiverAction::Examine`] is where the store's policy speaks. It reserves the name: two
//!     sessions that want the same one get different answers. A partial counts for what is in it, not for
//!     what it was preallocated to.
//! 13. From `Begin` to `Finish`, `Keep`, `Write` and `Hole` cover the content without gaps, in order. The
//!     driver feeds one SHA-256 with it, of a `Keep` by reading the disk, and reports `Hashed`. What is as
//!     `Finish` expects it may be committed in the same step: `StoredAtOnce`.
//! 14. `Commit` is followed by `Stored` only when everything that was promised is on disk, and otherwise by
//!     `Failed`. The sender's exit status hangs on this word.
//! 15. `Failed` may be said of an entry at any time; what is still ordered for it is then void.

pub mod digest;
pub mod entry;
pub mod fields;
pub mod frame;
pub mod on_receive;
pub mod outgoing;
pub mod path;
mod pipeline;
pub mod receiver;
pub mod recv_file;
pub mod report;
pub mod screen;
pub mod send_file;
pub mod sender;
pub mod session;
pub mod source;
pub mod store;
pub mod sums;
pub mod table;
mod verdict;
pub mod wire;

#[cfg(test)]
mod tests;
