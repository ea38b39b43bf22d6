//! The receiving end of a session: its machine, and the workers that store for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::error::{Error, Kind, Result};
use crate::transfer::entry::Entry;
use crate::transfer::frame::Frame;
use crate::transfer::path::PeerPath;
use crate::transfer::pipeline::control::End;
use crate::transfer::pipeline::crew::{Crew, Shared, worker_count};
use crate::transfer::pipeline::inbox::Inbox;
use crate::transfer::pipeline::pool::Buffer;
use crate::transfer::pipeline::taking::{self, Open, Tools, Word, key_of};
use crate::transfer::pipeline::target::Target;
use crate::transfer::pipeline::watchdog::Doings;
use crate::transfer::receiver::{
    Finding, ReceivedFile, Receiver, ReceiverAction, ReceiverOutcome, ReceiverSettings,
};
use crate::transfer::report::{At, FileReport, Name, Reporter, Snapshot, Stage};
use crate::transfer::session::Protocol;
use crate::transfer::store::Reason;
use crate::transfer::wire::{AbortReason, EntryId, Refusal, Verdict};

/// Jobs that wait for the workers before no more frames are taken: a frame of holes can order thousands, and the
/// pool does not count them.
const MAX_JOBS: usize = 8 * 1024;

/// Answers and verdicts that wait for a sender which does not read before no more of its offers are taken: what is
/// refused has left the window.
const MAX_UNTOLD: usize = 16 * 1024;

/// How long what was taken in may take to be written at the end.
const PATIENCE: Duration = Duration::from_secs(30);

/// The same where a pipe's reader may never come.
const STREAM_PATIENCE: Duration = Duration::from_millis(500);

/// A file that was stored, and where.
pub struct StoredFile<'a> {
    /// What is told of it.
    pub report: &'a FileReport,
    /// What was offered.
    pub entry: &'a Entry,
    /// Beneath the target directory.
    pub path: &'a PeerPath,
}

struct File {
    entry: Arc<Entry>,
    /// Who has it. Nobody, between being examined and what comes of that.
    worker: Option<usize>,
    present: u64,
    is_stream: bool,
}

struct Current {
    entry: Arc<Entry>,
    done: u64,
    present: u64,
}

/// The receiving end.
pub struct RecvEnd<'a> {
    machine: Receiver<Buffer>,
    reporter: &'a mut Reporter,
    on_file: &'a mut dyn FnMut(StoredFile<'_>),
    /// Something else is too far behind.
    held: Arc<AtomicBool>,
    peer: String,
    watched: bool,
    files: HashMap<EntryId, File>,
    /// By [`key_of`] the entry.
    ids: HashMap<usize, EntryId>,
    whys: HashMap<usize, String>,
    saved: HashMap<usize, (PeerPath, bool)>,
    current: Option<Current>,
    stage: Stage,
    streams: usize,
    crew: Crew<ReceiverAction<Buffer>>,
    shared: Arc<Shared>,
    work: u64,
    to_pipe: bool,
    full: Option<(String, AbortReason)>,
}

/// What a session is made of.
pub struct Parts {
    /// Deadlines and limits.
    pub settings: ReceiverSettings,
    /// Random.
    pub nonce: u64,
    /// Where it all goes.
    pub target: Target,
    /// The other end's address.
    pub peer: String,
    /// Whether somebody wants to see how it gets on.
    pub watched: bool,
    /// Set while nothing more is to be taken.
    pub held: Arc<AtomicBool>,
}

impl<'a> RecvEnd<'a> {
    /// Begins a session. `on_file` is told of each entry that was stored.
    pub fn new(
        now: Duration,
        parts: Parts,
        inbox: &Arc<Inbox<Word>>,
        reporter: &'a mut Reporter,
        on_file: &'a mut dyn FnMut(StoredFile<'_>),
    ) -> Result<Self> {
        let to_pipe = matches!(parts.target, Target::Stream { .. });
        let is_folder = matches!(parts.target, Target::Folder(_));
        let tools = Tools {
            shared: Arc::default(),
            target: parts.target,
            inbox: Arc::clone(inbox),
            open: Open::default(),
        };
        // What is written to a pipe has one order, and so has the question who is the first of those that want one
        // place.
        let workers = if is_folder { worker_count() } else { 1 };
        let mut crew = Crew::new();
        for _ in 0..workers {
            let tools = tools.clone();
            crew.hire("store files", move |queue| taking::run(queue, tools))
                .map_err(|error| Error::new(Kind::Other, "cannot start a thread").because(error))?;
        }
        Ok(Self {
            machine: Receiver::new(now, parts.settings, parts.nonce),
            reporter,
            on_file,
            held: parts.held,
            peer: parts.peer,
            watched: parts.watched,
            files: HashMap::new(),
            ids: HashMap::new(),
            whys: HashMap::new(),
            saved: HashMap::new(),
            current: None,
            stage: Stage::Waiting,
            streams: 0,
            crew,
            shared: tools.shared,
            work: 0,
            to_pipe,
            full: None,
        })
    }

    /// Lets the workers write what was taken in, and go. Why the disk took nothing more, if that ended it.
    pub fn finish(mut self) -> Finished {
        let patience = if self.to_pipe {
            STREAM_PATIENCE
        } else {
            PATIENCE
        };
        let is_written = self.crew.dismiss(patience);
        Finished {
            full: self.full.map(|(text, _)| text),
            is_written,
        }
    }

    fn settled(&mut self, file: &ReceivedFile) {
        let key = key_of(&file.entry);
        let why = self.whys.remove(&key);
        let saved = self.saved.remove(&key);
        if let Some(id) = self.ids.remove(&key) {
            self.end_stream(id);
            self.files.remove(&id);
        }
        let mut report = FileReport::received(file);
        let why = why.or_else(|| self.limit_of(file.verdict));
        if why.is_some() && !report.outcome.is_good() {
            report.why = why;
        }
        let path = match &saved {
            Some((path, renamed)) => {
                if *renamed {
                    report.saved_as = Some(Name::from(path));
                }
                path
            }
            None => &file.entry.path,
        };
        (self.on_file)(StoredFile {
            report: &report,
            entry: &file.entry,
            path,
        });
        self.reporter.file(report);
    }

    /// The limit for which the machine has refused an entry.
    fn limit_of(&self, verdict: Verdict) -> Option<String> {
        let limits = self.machine.settings();
        match verdict {
            Verdict::Refused(Refusal::TooLarge) => {
                Some(Reason::TooLarge(limits.max_size).to_string())
            }
            Verdict::Refused(Refusal::TooMany) => {
                Some(Reason::TooMany(limits.max_entries).to_string())
            }
            // What it leaves to this session is known here, not how much it is.
            Verdict::Refused(Refusal::Quota) => Some("more than --quota leaves".to_owned()),
            _ => None,
        }
    }

    /// Gives an action to the worker that has the entry, or that gets it now: how long the others take for what they
    /// have shows only when something comes.
    fn assign(&mut self, id: EntryId, action: ReceiverAction<Buffer>) {
        if let Some(file) = self.files.get_mut(&id) {
            self.crew.assign(&mut file.worker, action);
        }
    }

    /// Nothing more comes of it: its producer is waited for no longer.
    fn end_stream(&mut self, id: EntryId) {
        if let Some(file) = self.files.get_mut(&id)
            && std::mem::take(&mut file.is_stream)
        {
            self.streams -= 1;
        }
    }

    fn follow(&mut self, id: EntryId, done: u64, stage: Stage) {
        self.stage = stage;
        if self.watched
            && let Some(file) = self.files.get(&id)
        {
            self.current = Some(Current {
                entry: Arc::clone(&file.entry),
                done,
                present: file.present,
            });
        }
    }
}

/// What a session has come to.
#[derive(Debug)]
pub struct Finished {
    /// Why the disk took nothing more.
    pub full: Option<String>,
    /// Whether everything that was taken in is written, as far as it can be.
    pub is_written: bool,
}

impl End for RecvEnd<'_> {
    type Word = Word;
    type Machine = Receiver<Buffer>;

    fn machine(&self) -> &Self::Machine {
        &self.machine
    }

    fn machine_mut(&mut self) -> &mut Self::Machine {
        &mut self.machine
    }

    fn frame(&mut self, now: Duration, frame: Frame, payload: Option<Buffer>) {
        match frame {
            Frame::Message(message) => self.machine.message(now, message),
            Frame::Data { records, .. } => self.machine.data(now, &records, payload.as_ref()),
        }
    }

    fn word(&mut self, word: Word) {
        match word {
            // What a full disk does to all the others is not said of each of them.
            Word::Outcome(ReceiverOutcome::Failed { .. }) if self.full.is_some() => {}
            Word::Outcome(outcome) => {
                if let ReceiverOutcome::Examined { id, finding } = outcome
                    && let Some(file) = self.files.get_mut(&id)
                {
                    file.worker = None;
                    if let Finding::Part { len } | Finding::Candidate { len, .. } = finding {
                        file.present = len;
                    }
                }
                self.machine.outcome(outcome);
            }
            Word::Why { key, text } => {
                self.whys.insert(key, text);
            }
            Word::SavedAs { key, path, renamed } => {
                self.saved.insert(key, (path, renamed));
            }
            Word::Full { text, reason } => {
                if self.full.is_none() && self.machine.ending().is_none() {
                    self.full = Some((text, reason));
                }
            }
            Word::Warning(text) => self.reporter.warn(text),
        }
    }

    fn act(&mut self) {
        let work = self.shared.work();
        if work != self.work {
            let more = work - self.work;
            self.work = work;
            self.machine.outcome(ReceiverOutcome::Worked(more));
        }
        while let Some(action) = self.machine.action() {
            match action {
                ReceiverAction::Examine { id, entry } => {
                    self.reporter.offer(&entry);
                    let is_stream = entry.is_file() && entry.size().is_none();
                    self.streams += usize::from(is_stream);
                    self.ids.insert(key_of(&entry), id);
                    self.files.insert(
                        id,
                        File {
                            entry: Arc::clone(&entry),
                            worker: None,
                            present: 0,
                            is_stream,
                        },
                    );
                    self.assign(id, ReceiverAction::Examine { id, entry });
                }
                ReceiverAction::Report(file) => self.settled(&file),
                ReceiverAction::Settle => {
                    self.stage = Stage::Flushing;
                    self.crew.stage(0, ReceiverAction::Settle);
                }
                ReceiverAction::HashExisting { id, .. } | ReceiverAction::StopHashing { id } => {
                    if self.current.as_ref().is_none_or(|it| it.done == 0) {
                        self.follow(id, 0, Stage::Comparing);
                    }
                    self.assign(id, action);
                }
                ReceiverAction::Keep { id, offset, len } => {
                    self.follow(id, offset + len, Stage::Comparing);
                    self.assign(id, action);
                }
                ReceiverAction::Write {
                    id,
                    offset,
                    ref range,
                    ..
                } => {
                    self.follow(id, offset + range.len() as u64, Stage::Receiving);
                    self.assign(id, action);
                }
                ReceiverAction::Hole { id, offset, len } => {
                    self.follow(id, offset + len, Stage::Receiving);
                    self.assign(id, action);
                }
                ReceiverAction::Begin { id, .. } => self.assign(id, action),
                ReceiverAction::Finish { id, .. } => {
                    self.end_stream(id);
                    self.assign(id, action);
                }
                ReceiverAction::Commit { id, .. } => {
                    self.stage = Stage::Flushing;
                    self.assign(id, action);
                }
                ReceiverAction::Discard { id, .. } => self.assign(id, action),
            }
        }
        self.crew.send();
        if self.machine.ending().is_none()
            && let Some((_, reason)) = &self.full
        {
            self.machine.abort(*reason);
        }
    }

    fn takes_frames(&self) -> bool {
        self.crew.outstanding() < MAX_JOBS
            && self.machine.untold() < MAX_UNTOLD
            && !self.held.load(Ordering::Relaxed)
    }

    fn opened(&mut self, now: Duration) {
        self.reporter.connected(now, self.peer.clone());
    }

    fn closed(&mut self) {
        self.reporter.connection_ended(&self.machine.progress());
    }

    fn doings(&self) -> Doings {
        Doings {
            busy: self.crew.outstanding() > 0 || self.held.load(Ordering::Relaxed),
            streaming: self.streams > 0,
        }
    }

    fn tell(&mut self, now: Duration) {
        let progress = self.machine.progress();
        let more = !self.machine.is_closing();
        let (is_idle, stage) = (self.files.is_empty(), self.stage);
        let current = self.current.as_ref();
        self.reporter.progress(now, || Snapshot {
            stage: match (is_idle, stage) {
                (true, Stage::Flushing) | (false, _) => stage,
                (true, _) => Stage::Waiting,
            },
            progress,
            more,
            at: current.map(|current| At {
                entry: &current.entry,
                done: current.done,
                present: current.present,
            }),
        });
    }

    fn is_watched(&self) -> bool {
        self.watched
    }

    fn wind_up(&mut self) {
        self.shared.end();
    }
}
