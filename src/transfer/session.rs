//! What both ends do alike: say hello within a deadline, say that they are alive, stop in an orderly way.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use crate::error::Kind;
use crate::transfer::digest::DigestKind;
use crate::transfer::frame::{MAX_PAYLOAD, Violation, kind};
use crate::transfer::outgoing::Outgoing;
use crate::transfer::wire::{
    AbortReason, Capability, Hello, Message, Phase, Role, VERSION, Verdict,
};

/// The sizes that both ends must agree on: version 1 has one set of them. Tests use small ones, to come to
/// every border with little data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// The length of a chunk: what is compared and sent as a whole. A digest of 16 bytes a MiB makes the
    /// have-list of 100 GB 1.6 MB; a changed byte costs 1 MiB.
    pub chunk: u32,
    /// Entries offered and not settled: what one round trip can carry of small files (4,096 × 4 KiB in
    /// 100 ms are 160 MB/s), at some hundred bytes of memory each.
    pub window_entries: usize,
    /// Their bytes in OFFER frames: bounds the memory of long paths.
    pub window_bytes: usize,
    /// Digests of an entry that were sent and whose chunks the sender has not settled: 1 GiB ahead, or
    /// 10 GB/s at 100 ms; 32 KiB of memory at the most.
    pub window_digests: u64,
    /// Rounds of an entry: the first compares fast, the second strongly, the third is for a disk or a memory
    /// that damages bytes now and then. What has not matched by then will not.
    pub rounds: u8,
}

impl Shape {
    /// Version 1 of the protocol.
    pub const V1: Shape = Shape {
        chunk: MAX_PAYLOAD as u32,
        window_entries: 4_096,
        window_bytes: 2 * 1024 * 1024,
        window_digests: 1_024,
        rounds: 3,
    };

    /// The end of the chunk in which `offset` lies, or `end` if that comes first.
    pub(super) fn chunk_end(&self, offset: u64, end: u64) -> u64 {
        let chunk = u64::from(self.chunk);
        ((offset / chunk + 1) * chunk).min(end)
    }

    /// How many chunks hold `len` bytes.
    pub(super) fn chunks(&self, len: u64) -> u64 {
        len.div_ceil(u64::from(self.chunk))
    }
}

/// What this end decides for itself. Nothing of it is ever told by the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The hello must have come whole within this time of the start, however it trickles in.
    pub handshake: Duration,
    /// After so long without a frame of ours, [`Message::Alive`] is said.
    pub keepalive: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            keepalive: Duration::from_secs(5),
        }
    }
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Both ends agree on what is stored.
    Complete,
    /// At the receiver: everything is stored, but the sender did not say that it knows.
    Unconfirmed,
    /// We stopped, and said why.
    Aborted(AbortReason),
    /// The peer stopped, and said why.
    PeerAborted(AbortReason),
    /// The peer broke the protocol or its bytes were damaged.
    Violated(Violation),
    /// The connection ended before the session did.
    Cut,
    /// The hello did not come in time.
    HandshakeTimeout,
    /// The peer speaks only other versions.
    Incompatible {
        /// Its lowest.
        lowest: u16,
        /// Its highest.
        version: u16,
    },
    /// Both send, or both receive.
    SameRole,
}

impl Ending {
    /// The kind of failure, for the exit status; `None`: no failure. What became of single files is for the
    /// machine's tally.
    pub fn failure(self) -> Option<Kind> {
        Some(match self {
            Ending::Complete | Ending::Unconfirmed => return None,
            Ending::Aborted(reason) | Ending::PeerAborted(reason) => match reason {
                AbortReason::Interrupted => match self {
                    Ending::Aborted(_) => Kind::Signal(2),
                    _ => Kind::Other,
                },
                AbortReason::Terminated => match self {
                    Ending::Aborted(_) => Kind::Signal(15),
                    _ => Kind::Other,
                },
                AbortReason::Violation => Kind::Integrity,
                AbortReason::Busy | AbortReason::Denied => Kind::Refused,
                AbortReason::Stalled => Kind::TimedOut,
                AbortReason::Incompatible
                | AbortReason::SameRole
                | AbortReason::NoSpace
                | AbortReason::Disk
                | AbortReason::Other => Kind::Other,
            },
            Ending::Violated(_) => Kind::Integrity,
            Ending::Cut | Ending::Incompatible { .. } | Ending::SameRole => Kind::Other,
            Ending::HandshakeTimeout => Kind::TimedOut,
        })
    }

    /// Whether the same thing tried again at once may end better: a cut, damage on the way, a peer that was
    /// interrupted or stalled.
    pub fn is_worth_a_retry(self) -> bool {
        matches!(
            self,
            Ending::Cut
                | Ending::HandshakeTimeout
                | Ending::Violated(Violation::HeaderChecksum | Violation::BodyChecksum)
                | Ending::PeerAborted(
                    AbortReason::Violation | AbortReason::Stalled | AbortReason::Busy
                )
        )
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Complete => f.write_str("complete"),
            Ending::Unconfirmed => {
                f.write_str("everything is stored, but the other end may not know it")
            }
            Ending::Aborted(reason) => reason.fmt(f),
            Ending::PeerAborted(reason) => write!(f, "the other end stopped: {reason}"),
            Ending::Violated(violation) => violation.fmt(f),
            Ending::Cut => f.write_str("the connection ended early"),
            Ending::HandshakeTimeout => f.write_str("the other end did not say hello in time"),
            Ending::Incompatible { lowest, version } => write!(
                f,
                "the other end speaks versions {lowest} to {version} of the protocol, this one {VERSION}"
            ),
            Ending::SameRole => f.write_str("both ends send, or both receive"),
        }
    }
}

impl fmt::Display for AbortReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AbortReason::Interrupted => "interrupted",
            AbortReason::Terminated => "terminated",
            AbortReason::Violation => "the protocol was violated or data was damaged on the way",
            AbortReason::Incompatible => "no version of the protocol in common",
            AbortReason::SameRole => "both ends send, or both receive",
            AbortReason::NoSpace => "no space left on the disk",
            AbortReason::Disk => "the disk failed",
            AbortReason::Busy => "too many sessions",
            AbortReason::Denied => "not let in",
            AbortReason::Stalled => "no progress for too long",
            AbortReason::Other => "another reason",
        })
    }
}

/// How far both ends are, for a person and for a watchdog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes that this end read, hashed and wrote. It only grows.
    pub work: u64,
    /// The same of the other end, as it last said.
    pub peer_work: u64,
    /// What the other end last said it was doing.
    pub peer_phase: Option<Phase>,
    /// When the last whole frame came. Silence for several keepalives is a dead peer; frames without growth
    /// of either work is a stall; growth alone is a slow disk.
    pub heard_at: Duration,
    /// Entries offered so far.
    pub entries: u64,
    /// Entries that have their verdict.
    pub settled: u64,
    /// Bytes of the files offered so far whose size is known.
    pub bytes: u64,
    /// Bytes of content that were sent.
    pub sent: u64,
    /// Bytes of content that needed no sending: they were there, or are holes.
    pub reused: u64,
}

impl Progress {
    /// So many more bytes needed no sending. A peer may say of holes that they are as long as it likes.
    pub(super) fn reuse(&mut self, bytes: u64) {
        self.reused = self.reused.saturating_add(bytes);
    }
}

/// How many entries came to which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Offered.
    pub entries: u64,
    /// [`Verdict::Stored`].
    pub stored: u64,
    /// [`Verdict::Identical`].
    pub identical: u64,
    /// [`Verdict::Skipped`].
    pub skipped: u64,
    /// [`Verdict::Refused`].
    pub refused: u64,
    /// [`Verdict::Failed`].
    pub failed: u64,
}

impl Tally {
    pub(super) fn count(&mut self, verdict: Verdict) {
        let count = match verdict {
            Verdict::Stored => &mut self.stored,
            Verdict::Identical => &mut self.identical,
            Verdict::Skipped(_) => &mut self.skipped,
            Verdict::Refused(_) => &mut self.refused,
            Verdict::Failed(_) => &mut self.failed,
        };
        *count += 1;
    }

    /// Entries that are at the receiver, verified and on disk.
    pub fn good(&self) -> u64 {
        self.stored + self.identical
    }

    /// Whether that is all of them.
    pub fn is_all_good(&self) -> bool {
        self.good() == self.entries
    }
}

/// The part of a machine that is the same in both.
#[derive(Debug)]
pub struct Session {
    role: Role,
    pace: Pace,
    ours: Hello,
    theirs: Option<Hello>,
    started: Duration,
    spoke_at: Duration,
    urgent: VecDeque<Message>,
    ending: Option<Ending>,
    pub(super) progress: Progress,
}

impl Session {
    /// Begins with our hello, which is the first to be sent. `nonce` is random.
    pub fn new(now: Duration, role: Role, pace: Pace, nonce: u64) -> Self {
        let ours = Hello {
            version: VERSION,
            lowest: VERSION,
            role,
            nonce,
            capabilities: vec![Capability {
                id: 1,
                value: concat!("sockkit ", env!("CARGO_PKG_VERSION")).into(),
            }],
        };
        Self {
            role,
            pace,
            urgent: VecDeque::from([Message::Hello(ours.clone())]),
            ours,
            theirs: None,
            started: now,
            spoke_at: now,
            ending: None,
            progress: Progress {
                heard_at: now,
                ..Progress::default()
            },
        }
    }

    /// Takes a message. Hands back one that is for the machine: neither hello, nor alive, nor abort.
    pub(super) fn receive(
        &mut self,
        now: Duration,
        message: Message,
    ) -> Result<Option<Message>, Violation> {
        if self.ending.is_some() {
            return Ok(None);
        }
        self.progress.heard_at = now;
        match message {
            Message::Abort(reason) => {
                self.end(Ending::PeerAborted(reason));
                Ok(None)
            }
            Message::Hello(hello) => {
                if self.theirs.is_some() {
                    return Err(Violation::OutOfPlace(kind::HELLO));
                }
                self.greet(hello);
                Ok(None)
            }
            other if !self.is_open() => Err(Violation::OutOfPlace(other.kind())),
            Message::Alive { work, phase } => {
                self.progress.peer_work = self.progress.peer_work.max(work);
                self.progress.peer_phase = Some(phase);
                Ok(None)
            }
            other => Ok(Some(other)),
        }
    }

    /// A whole DATA frame came.
    pub(super) fn heard(&mut self, now: Duration) {
        self.progress.heard_at = now;
    }

    fn greet(&mut self, hello: Hello) {
        let shared = hello.version.min(VERSION);
        if shared < hello.lowest || shared < VERSION {
            self.farewell(
                AbortReason::Incompatible,
                Ending::Incompatible {
                    lowest: hello.lowest,
                    version: hello.version,
                },
            );
        } else if hello.role == self.role {
            self.farewell(AbortReason::SameRole, Ending::SameRole);
        } else {
            self.theirs = Some(hello);
        }
    }

    /// Whether both hellos are known.
    pub fn is_open(&self) -> bool {
        self.theirs.is_some() && self.ending.is_none()
    }

    /// What is known of the peer.
    pub fn peer(&self) -> Option<&Hello> {
        self.theirs.as_ref()
    }

    /// How the chunks of a round are compared.
    pub(super) fn digest_kind(&self, round: u8) -> DigestKind {
        if round > 1 {
            return DigestKind::Strong;
        }
        let theirs = self.theirs.as_ref().map_or(0, |hello| hello.nonce);
        DigestKind::Fast {
            seed: self.ours.nonce ^ theirs,
        }
    }

    /// How it ended, if it did.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    pub(super) fn end(&mut self, ending: Ending) {
        if self.ending.is_none() {
            self.ending = Some(ending);
        }
    }

    /// Ends well, with a last frame that says so.
    pub(super) fn part(&mut self) {
        if self.ending.is_none() {
            self.urgent.push_back(Message::Bye);
            self.ending = Some(Ending::Complete);
        }
    }

    /// Ends with a last frame that says why.
    pub(super) fn farewell(&mut self, reason: AbortReason, ending: Ending) {
        if self.ending.is_none() {
            self.urgent
                .retain(|message| matches!(message, Message::Hello(_)));
            self.urgent.push_back(Message::Abort(reason));
            self.ending = Some(ending);
        }
    }

    pub(super) fn violated(&mut self, violation: Violation) {
        let reason = match violation {
            // Whatever is there does not read our frames.
            Violation::Preface => return self.end(Ending::Violated(violation)),
            _ => AbortReason::Violation,
        };
        self.farewell(reason, Ending::Violated(violation));
    }

    /// What goes ahead of everything else.
    pub(super) fn urgent(&mut self) -> Option<Message> {
        self.urgent.pop_front()
    }

    /// A frame was handed to the driver.
    pub(super) fn spoke(&mut self, now: Duration) {
        self.spoke_at = now;
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        if self.ending.is_some() {
            return None;
        }
        if !self.is_open() {
            return Some(self.started + self.pace.handshake);
        }
        // An Alive that was not taken yet says all that another would.
        self.urgent
            .is_empty()
            .then_some(self.spoke_at + self.pace.keepalive)
    }

    /// `phase` is what the machine is doing.
    pub(super) fn deadline(&mut self, now: Duration, phase: Phase) {
        if self.next_deadline().is_none_or(|due| now < due) {
            return;
        }
        if !self.is_open() {
            self.farewell(AbortReason::Stalled, Ending::HandshakeTimeout);
        } else {
            let work = self.progress.work;
            self.urgent.push_back(Message::Alive { work, phase });
        }
    }
}

/// What the machines of both roles have in common, for the driver and the tests. `P` is the driver's buffer.
pub trait Protocol<P> {
    /// The part that is the same in both.
    fn session(&self) -> &Session;

    /// The stream could not be taken apart.
    fn violated(&mut self, violation: Violation);

    /// The connection has ended.
    fn cut(&mut self);

    /// Stop, and tell the peer why: a signal, a stall, or a disk that is full for every entry to come.
    fn abort(&mut self, reason: AbortReason);

    /// [`Protocol::next_deadline`] has come.
    fn deadline(&mut self, now: Duration);

    /// The next frame. Ask only when it can be written at once: until then they still grow.
    fn transmit(&mut self, now: Duration) -> Option<Outgoing<P>>;

    /// When to call [`Protocol::deadline`].
    fn next_deadline(&self) -> Option<Duration> {
        self.session().next_deadline()
    }

    /// How the session ended. Frames that [`Protocol::transmit`] still has are to be written before closing.
    fn ending(&self) -> Option<Ending> {
        self.session().ending()
    }

    /// How far it is.
    fn progress(&self) -> Progress {
        self.session().progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_is_the_exit_status_that_the_manual_promises() {
        let table = [
            (Ending::Complete, None),
            (Ending::Unconfirmed, None),
            (
                Ending::Aborted(AbortReason::Interrupted),
                Some(Kind::Signal(2)),
            ),
            (
                Ending::Aborted(AbortReason::Terminated),
                Some(Kind::Signal(15)),
            ),
            // The other end's signal is not ours.
            (
                Ending::PeerAborted(AbortReason::Interrupted),
                Some(Kind::Other),
            ),
            (
                Ending::PeerAborted(AbortReason::Violation),
                Some(Kind::Integrity),
            ),
            (Ending::PeerAborted(AbortReason::Busy), Some(Kind::Refused)),
            (Ending::Aborted(AbortReason::Stalled), Some(Kind::TimedOut)),
            (Ending::Aborted(AbortReason::NoSpace), Some(Kind::Other)),
            (
                Ending::Violated(Violation::BodyChecksum),
                Some(Kind::Integrity),
            ),
            (Ending::HandshakeTimeout, Some(Kind::TimedOut)),
            (Ending::Cut, Some(Kind::Other)),
        ];
        for (ending, kind) in table {
            assert_eq!(ending.failure(), kind, "{ending:?}");
        }
    }

    #[test]
    fn only_what_the_way_or_time_did_is_worth_a_retry() {
        for ending in [Ending::Cut, Ending::Violated(Violation::HeaderChecksum)] {
            assert!(ending.is_worth_a_retry(), "{ending:?}");
        }
        for ending in [
            Ending::Complete,
            Ending::SameRole,
            Ending::Violated(Violation::Order),
            Ending::Aborted(AbortReason::Interrupted),
            Ending::PeerAborted(AbortReason::NoSpace),
        ] {
            assert!(!ending.is_worth_a_retry(), "{ending:?}");
        }
    }
}
