//! What a transfer tells its user: the events, and when there is progress worth telling.
//!
//! The control thread has a [`Reporter`]. It hands over every event as it happens, and the state of things as
//! often as it likes: [`Reporter::progress`] costs a comparison of two times unless something is due. What becomes
//! of the events is the [`Sink`]'s: lines, a bar, NDJSON (`docs/json-events.md`), or a list in a test.
//!
//! Names are bytes here, as they are on Unix. In JSON `path` is text; of a name that is not UTF-8 it is an
//! approximation, and `path_hex` has the bytes.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod meter;

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

pub use meter::{At, Meter, Snapshot};

use crate::core::sanitise::sanitise;
use crate::transfer::digest::FileDigest;
use crate::transfer::entry::{Entry, EntryKind};
use crate::transfer::path::PeerPath;
use crate::transfer::receiver::ReceivedFile;
use crate::transfer::sender::SentFile;
use crate::transfer::session;
use crate::transfer::table::Abandoned;
use crate::transfer::wire::{Failure, Refusal, Skip, Verdict};

/// A name: where something goes below the receiver's directory, or where it lies at the sender's.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name(Box<[u8]>);

impl Name {
    /// From bytes of whatever kind.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, as the file system has them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Serialises as one field, or two where one cannot hold it.
    fn fields<S: SerializeStruct>(
        &self,
        fields: &mut S,
        text: &'static str,
        hex: &'static str,
    ) -> Result<(), S::Error> {
        match String::from_utf8_lossy(&self.0) {
            Cow::Borrowed(path) => fields.serialize_field(text, path),
            Cow::Owned(path) => {
                fields.serialize_field(text, &path)?;
                let mut digits = String::with_capacity(self.0.len() * 2);
                for byte in &self.0 {
                    // A string takes everything.
                    let _ = write!(digits, "{byte:02x}");
                }
                fields.serialize_field(hex, &digits)
            }
        }
    }
}

impl From<&PeerPath> for Name {
    fn from(path: &PeerPath) -> Self {
        Self(path.as_bytes().into())
    }
}

impl fmt::Display for Name {
    /// Safe to look at.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&sanitise(&self.0))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

impl Serialize for Name {
    /// As `path`, and `path_hex` if it is not UTF-8.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Name", 2)?;
        self.fields(&mut fields, "path", "path_hex")?;
        fields.end()
    }
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Thing {
    /// A file, or a stream.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
}

impl From<&EntryKind> for Thing {
    fn from(kind: &EntryKind) -> Self {
        match kind {
            EntryKind::File { .. } => Thing::File,
            EntryKind::Directory => Thing::Directory,
            EntryKind::Symlink { .. } => Thing::Symlink,
        }
    }
}

/// What this end is doing, for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Waiting for the other end.
    Waiting,
    /// What is there already is being compared.
    Comparing,
    /// Content is on its way to the other end.
    Sending,
    /// Content is coming.
    Receiving,
    /// What has come is made safe on disk and gets its name.
    Flushing,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Waiting => "waiting",
            Stage::Comparing => "comparing",
            Stage::Sending => "sending",
            Stage::Receiving => "receiving",
            Stage::Flushing => "flushing to disk",
        })
    }
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The receiver's last word.
    Settled(Verdict),
    /// The sender could not read it: it was not offered, or given up.
    Unreadable,
    /// `--dry-run`: it would be sent, all of it or what differs.
    WouldSend,
}

impl Outcome {
    /// Whether it is at the receiver, or would be.
    pub fn is_good(self) -> bool {
        matches!(
            self,
            Outcome::Settled(Verdict::Stored | Verdict::Identical) | Outcome::WouldSend
        )
    }

    /// Whether nothing is amiss: left out by what a policy says is no failure.
    pub fn is_fine(self) -> bool {
        self.is_good() || matches!(self, Outcome::Settled(Verdict::Skipped(_)))
    }

    /// As `verdict` in JSON.
    pub fn code(self) -> &'static str {
        match self {
            Outcome::Settled(Verdict::Stored) => "stored",
            Outcome::Settled(Verdict::Identical) => "identical",
            Outcome::Settled(Verdict::Skipped(_)) => "skipped",
            Outcome::Settled(Verdict::Refused(_)) => "refused",
            Outcome::Settled(Verdict::Failed(_)) => "failed",
            Outcome::Unreadable => "unreadable",
            Outcome::WouldSend => "would_send",
        }
    }

    /// As `reason` in JSON.
    pub fn reason(self) -> Option<&'static str> {
        Some(match self {
            Outcome::Settled(Verdict::Skipped(skip)) => match skip {
                Skip::NotOlder => "not_older",
                Skip::Link => "link",
                Skip::Other => "other",
            },
            Outcome::Settled(Verdict::Refused(refusal)) => match refusal {
                Refusal::Exists => "exists",
                Refusal::Name => "name",
                Refusal::Duplicate => "duplicate",
                Refusal::Unsafe => "unsafe",
                Refusal::TooLarge => "too_large",
                Refusal::TooMany => "too_many",
                Refusal::Quota => "quota",
                Refusal::NoSpace => "no_space",
                Refusal::Permission => "permission",
                Refusal::IsDirectory => "is_directory",
                Refusal::IsLink => "is_link",
                Refusal::IsSpecial => "is_special",
                Refusal::LinkInPath => "link_in_path",
                Refusal::NoDirectoryInPath => "no_directory_in_path",
                Refusal::ReadOnly => "read_only",
                Refusal::Other => "other",
            },
            Outcome::Settled(Verdict::Failed(failure)) => match failure {
                Failure::Mismatch => "mismatch",
                Failure::SourceChanged => "source_changed",
                Failure::Abandoned => "abandoned",
                Failure::Disk => "disk",
                Failure::Permission => "permission",
                Failure::Exists => "exists",
                Failure::NoSpace => "no_space",
                Failure::Busy => "busy",
                Failure::InTheWay => "in_the_way",
                Failure::ReadOnly => "read_only",
                Failure::Other => "other",
            },
            Outcome::Settled(Verdict::Stored | Verdict::Identical)
            | Outcome::Unreadable
            | Outcome::WouldSend => return None,
        })
    }

    /// Why it is not at the receiver, for a person.
    pub fn explain(self) -> Option<&'static str> {
        Some(match self {
            Outcome::Settled(Verdict::Skipped(skip)) => match skip {
                Skip::NotOlder => "the file there is not older",
                Skip::Link => "links are not kept there",
                Skip::Other => "the receiver leaves it out",
            },
            Outcome::Settled(Verdict::Refused(refusal)) => match refusal {
                Refusal::Exists => "a different file of that name exists",
                Refusal::Name => "the name cannot be used there",
                Refusal::Duplicate => "the name was offered twice",
                Refusal::Unsafe => "it would leave the target directory",
                Refusal::TooLarge => "larger than the receiver allows",
                Refusal::TooMany => "more files than the receiver allows",
                Refusal::Quota => "more bytes than the receiver allows",
                Refusal::NoSpace => "not enough free space there",
                Refusal::Permission => "no permission to write there",
                Refusal::IsDirectory => "a directory has that name there",
                Refusal::IsLink => "a symbolic link has that name there",
                Refusal::IsSpecial => "a fifo, socket or device has that name there",
                Refusal::LinkInPath => "a part of its path is a symbolic link there",
                Refusal::NoDirectoryInPath => "a part of its path is no directory there",
                Refusal::ReadOnly => "the file system there is read-only",
                Refusal::Other => "the receiver does not take it",
            },
            Outcome::Settled(Verdict::Failed(failure)) => match failure {
                Failure::Mismatch => "the SHA-256 of both ends did not match",
                Failure::SourceChanged => "the source changed while it was sent",
                Failure::Abandoned => "the sender gave it up",
                Failure::Disk => "the receiver's disk failed",
                Failure::Permission => "no permission to write there",
                Failure::Exists => "something else took the name meanwhile",
                Failure::NoSpace => "not enough free space there",
                Failure::Busy => "another transfer is writing it there",
                Failure::InTheWay => "something that is no file is in the way there",
                Failure::ReadOnly => "the file system there is read-only",
                Failure::Other => "the receiver could not store it",
            },
            Outcome::Unreadable => "it cannot be read",
            Outcome::Settled(Verdict::Stored | Verdict::Identical) | Outcome::WouldSend => {
                return None;
            }
        })
    }
}

/// Why a sender gave an entry up, for a person.
pub fn explain_abandoned(why: Abandoned) -> &'static str {
    match why {
        Abandoned::Unreadable => "it cannot be read any more",
        Abandoned::Vanished => "it is gone",
        Abandoned::Settled => "the receiver had settled it",
        Abandoned::Other => "the sender gave it up",
    }
}

/// An entry that has its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReport {
    /// Its name.
    pub path: Name,
    /// What it is.
    pub thing: Thing,
    /// Its size in bytes, where that is known.
    pub size: Option<u64>,
    /// The SHA-256 that both ends agree on.
    pub sha256: Option<FileDigest>,
    /// Bytes of it that went over the connection.
    pub sent: u64,
    /// Bytes that did not have to: they were there, or are holes.
    pub reused: u64,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, for a person, if the end that reports knows it better than [`Outcome::explain`].
    pub why: Option<String>,
    /// `--rename` gave it this name.
    pub saved_as: Option<Name>,
    /// Whether it was offered, and if so with what size.
    pub offered: Offered,
}

/// What the other end was told of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// Nothing.
    No,
    /// That it is there; of a file, with its size where that was known. Other things count as empty.
    With(Option<u64>),
}

impl FileReport {
    /// From what the sender's machine reports.
    pub fn sent(file: &SentFile) -> Self {
        let (outcome, why) = match file.abandoned {
            Some(why) => (
                Outcome::Unreadable,
                Some(explain_abandoned(why).to_string()),
            ),
            None => (Outcome::Settled(file.verdict), None),
        };
        let entry = Self::of(&file.source.entry);
        // A stream is read once, and then this is what it was.
        let streamed = Some(file.sent + file.reused).filter(|_| outcome.is_good());
        let size = match entry.thing {
            Thing::File => entry.size.or(streamed),
            Thing::Directory | Thing::Symlink => None,
        };
        Self {
            size,
            sha256: file.sha256.filter(|_| outcome.is_good()),
            sent: file.sent,
            reused: file.reused,
            outcome,
            why,
            ..entry
        }
    }

    /// From what the receiver's machine reports.
    pub fn received(file: &ReceivedFile) -> Self {
        let entry = Self::of(&file.entry);
        Self {
            size: file.size.or(entry.size),
            sha256: file.sha256,
            sent: file.received,
            reused: file.reused,
            outcome: Outcome::Settled(file.verdict),
            why: file.abandoned.map(|why| explain_abandoned(why).to_string()),
            ..entry
        }
    }

    /// `--dry-run`: what is not a file would be made.
    pub fn would_send(entry: &Entry) -> Self {
        Self {
            offered: Offered::No,
            ..Self::of(entry)
        }
    }

    /// What could not be read, and was therefore never offered.
    pub fn unreadable(path: Name, why: impl Into<String>) -> Self {
        Self {
            path,
            thing: Thing::File,
            size: None,
            sha256: None,
            sent: 0,
            reused: 0,
            outcome: Outcome::Unreadable,
            why: Some(why.into()),
            saved_as: None,
            offered: Offered::No,
        }
    }

    fn of(entry: &Entry) -> Self {
        Self {
            path: Name::from(&entry.path),
            thing: Thing::from(&entry.kind),
            size: entry.size(),
            sha256: None,
            sent: 0,
            reused: 0,
            outcome: Outcome::WouldSend,
            why: None,
            saved_as: None,
            offered: Offered::With(match entry.kind {
                EntryKind::File { size } => size,
                EntryKind::Directory | EntryKind::Symlink { .. } => Some(0),
            }),
        }
    }

    /// Why it is not at the receiver, for a person. Not safe to look at before it was sanitised.
    pub fn explain(&self) -> Option<&str> {
        self.why.as_deref().or_else(|| self.outcome.explain())
    }
}

impl Serialize for FileReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("FileReport", 10)?;
        self.path.fields(&mut fields, "path", "path_hex")?;
        fields.serialize_field("kind", &self.thing)?;
        fields.serialize_field("size", &self.size)?;
        fields.serialize_field("sha256", &self.sha256.map(|digest| digest.to_string()))?;
        fields.serialize_field("sent", &self.sent)?;
        fields.serialize_field("reused", &self.reused)?;
        fields.serialize_field("verdict", self.outcome.code())?;
        if let Some(reason) = self.outcome.reason() {
            fields.serialize_field("reason", reason)?;
        }
        if let Some(text) = self.explain() {
            fields.serialize_field("text", text)?;
        }
        if let Some(name) = &self.saved_as {
            name.fields(&mut fields, "saved_as", "saved_as_hex")?;
        }
        fields.end()
    }
}

/// How far it is. Sums are over all connections of the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Progress {
    /// What is being done.
    pub phase: Stage,
    /// Entries offered so far.
    pub entries: u64,
    /// Entries that have their verdict.
    pub settled: u64,
    /// Bytes of the files offered so far whose size is known.
    pub bytes: u64,
    /// Whether more may be offered, so that `bytes` is not yet the whole.
    pub more: bool,
    /// How many of these bytes are done with: sent, found in place, or not wanted.
    pub done: u64,
    /// Bytes that went over the connection.
    pub sent: u64,
    /// Bytes that did not have to.
    pub reused: u64,
    /// How many bytes a second got done over the last seconds.
    pub rate: u64,
    /// Seconds until all is done, as far as that can be told.
    pub eta: Option<f64>,
    /// Seconds since the beginning.
    pub seconds: f64,
    /// The file that is under way; of several, one.
    pub file: Option<FileProgress>,
}

/// How far a file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileProgress {
    /// Its name.
    #[serde(flatten)]
    pub path: Name,
    /// Its size, if it is known.
    pub size: Option<u64>,
    /// Bytes of it that are done with.
    pub done: u64,
    /// So many bytes from its beginning are at the receiver, right or wrong: they are being compared.
    pub present: u64,
}

/// The sums at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Totals {
    /// Entries that were reported.
    pub entries: u64,
    /// Stored.
    pub stored: u64,
    /// There already, the same.
    pub identical: u64,
    /// Left out by the receiver's policy.
    pub skipped: u64,
    /// Not wanted by the receiver.
    pub refused: u64,
    /// Tried in vain.
    pub failed: u64,
    /// Not readable at the sender.
    pub unreadable: u64,
    /// `--dry-run`: would be sent.
    pub would_send: u64,
    /// Bytes that went over the connection, also of what did not arrive.
    pub sent: u64,
    /// Bytes that did not have to.
    pub reused: u64,
}

impl Totals {
    fn count(&mut self, file: &FileReport) {
        self.entries += 1;
        *match file.outcome {
            Outcome::Settled(Verdict::Stored) => &mut self.stored,
            Outcome::Settled(Verdict::Identical) => &mut self.identical,
            Outcome::Settled(Verdict::Skipped(_)) => &mut self.skipped,
            Outcome::Settled(Verdict::Refused(_)) => &mut self.refused,
            Outcome::Settled(Verdict::Failed(_)) => &mut self.failed,
            Outcome::Unreadable => &mut self.unreadable,
            Outcome::WouldSend => &mut self.would_send,
        } += 1;
    }

    /// Entries that are not where they should be.
    pub fn amiss(&self) -> u64 {
        self.refused + self.failed + self.unreadable
    }
}

/// What happens in a transfer. As JSON it is an event of the program's one schema.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Both ends have found each other.
    Connected {
        /// The other end's address.
        address: String,
        /// Whether they had before, in this run.
        again: bool,
    },
    /// They have lost each other.
    Disconnected {
        /// Why, for a person.
        reason: String,
        /// Whether it is tried again.
        retrying: bool,
        /// In how many seconds, if this end is the one that connects.
        retry_in: Option<f64>,
    },
    /// An entry is offered.
    Offer {
        /// Its name.
        #[serde(flatten)]
        path: Name,
        /// What it is.
        kind: Thing,
        /// Its size in bytes, if it is a file and that is known.
        size: Option<u64>,
    },
    /// Something else is being done.
    Phase {
        /// What.
        phase: Stage,
    },
    /// How far it is.
    Progress(Progress),
    /// An entry has its verdict.
    File(FileReport),
    /// Something that a person may want to know.
    Note {
        /// What.
        text: String,
    },
    /// Something that a person should look after.
    Warning {
        /// What.
        text: String,
    },
    /// All entries that could be had have their verdict. What is wrong is an error's to say.
    Done {
        /// The sums.
        #[serde(flatten)]
        totals: Totals,
        /// Seconds since the first connection.
        seconds: f64,
    },
}

impl Event {
    /// An entry is offered.
    pub fn offer(entry: &Entry) -> Self {
        Event::Offer {
            path: Name::from(&entry.path),
            kind: Thing::from(&entry.kind),
            size: entry.size(),
        }
    }

    /// Whether the next of its kind says all that this one does, so that it may be left out.
    pub fn is_passing(&self) -> bool {
        matches!(self, Event::Progress(_) | Event::Phase { .. })
    }
}

/// An event and whose it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The event.
    #[serde(flatten)]
    pub event: Event,
    /// The session, where one run has several at once (`--keep-open`): 1, 2, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<u32>,
}

/// Where events go.
pub trait Sink: Send {
    /// Takes an event. May wait where nobody keeps up with what must not be lost; events that
    /// [`Event::is_passing`] never wait.
    fn take(&mut self, report: Report);

    /// Whether anybody wants events of this kind. Saves the making of some.
    fn wants(&self, wanted: Wanted) -> bool;
}

/// Kinds of events that are many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// [`Event::Offer`].
    Offers,
    /// [`Event::Progress`] and [`Event::Phase`].
    Progress,
}

/// What the control thread of a session tells its user by.
pub struct Reporter {
    sink: Box<dyn Sink>,
    session: Option<u32>,
    meter: Meter,
    offers: bool,
    progress: bool,
}

impl Reporter {
    /// Begins at `now`. `session`: which, where there may be several at once.
    pub fn new(now: Duration, sink: Box<dyn Sink>, session: Option<u32>) -> Self {
        Self {
            offers: sink.wants(Wanted::Offers),
            progress: sink.wants(Wanted::Progress),
            sink,
            session,
            meter: Meter::new(now),
        }
    }

    /// Both ends have found each other. Whether it was again the reporter knows itself.
    pub fn connected(&mut self, now: Duration, address: impl Into<String>) {
        let again = self.meter.connected(now);
        self.tell(Event::Connected {
            address: address.into(),
            again,
        });
    }

    /// The connection is over, for better or worse. `last`: what its machine had counted. Once for each that
    /// [`Reporter::connected`] was told of, and before whatever else there is to say about it.
    pub fn connection_ended(&mut self, last: &session::Progress) {
        self.meter.connection_ended(last);
    }

    /// The connection is lost. `retry_in`: when this end tries again.
    pub fn disconnected(
        &mut self,
        reason: impl Into<String>,
        retrying: bool,
        retry_in: Option<Duration>,
    ) {
        self.tell(Event::Disconnected {
            reason: reason.into(),
            retrying,
            retry_in: retry_in.map(|time| time.as_secs_f64()),
        });
    }

    /// An entry was offered for the first time in this run.
    pub fn offer(&mut self, entry: &Entry) {
        if self.offers {
            self.tell(Event::offer(entry));
        }
    }

    /// An entry has its verdict.
    pub fn file(&mut self, file: FileReport) {
        self.meter.file(&file);
        self.tell(Event::File(file));
    }

    /// Something that a person may want to know.
    pub fn note(&mut self, text: impl Into<String>) {
        self.tell(Event::Note { text: text.into() });
    }

    /// Something that a person should look after.
    pub fn warn(&mut self, text: impl Into<String>) {
        self.tell(Event::Warning { text: text.into() });
    }

    /// The state of things, as often as the caller likes: `snapshot` is only called when something is due.
    pub fn progress<'a>(&mut self, now: Duration, snapshot: impl FnOnce() -> Snapshot<'a>) {
        if !self.progress || !self.meter.is_due(now) {
            return;
        }
        let (phase, progress) = self.meter.progress(now, &snapshot());
        if let Some(phase) = phase {
            self.tell(Event::Phase { phase });
        }
        self.tell(Event::Progress(progress));
    }

    /// All is over.
    pub fn done(&mut self, now: Duration) -> Totals {
        let totals = self.meter.totals();
        self.tell(Event::Done {
            totals,
            seconds: self.meter.elapsed(now).as_secs_f64(),
        });
        totals
    }

    /// What was reported so far.
    pub fn totals(&self) -> Totals {
        self.meter.totals()
    }

    fn tell(&mut self, event: Event) {
        let session = self.session;
        self.sink.take(Report { event, session });
    }
}

#[cfg(test)]
mod tests;
