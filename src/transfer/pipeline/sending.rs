//! The sending end of a session: its machine, and the workers that read for it.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Kind, Result};
use crate::transfer::entry::Entry;
use crate::transfer::frame::{Frame, MAX_PAYLOAD, Protection};
use crate::transfer::pipeline::control::End;
use crate::transfer::pipeline::crew::{Crew, Shared, worker_count};
use crate::transfer::pipeline::inbox::Inbox;
use crate::transfer::pipeline::pool::{Buffer, CHUNKS_EACH, Pool};
use crate::transfer::pipeline::reading::{self, Job, Tools, Word};
use crate::transfer::pipeline::supply::{Inputs, Origin, Page, Supply};
use crate::transfer::pipeline::watchdog::Doings;
use crate::transfer::report::{At, FileReport, Name, Outcome, Reporter, Snapshot, Stage};
use crate::transfer::sender::{
    Sender, SenderAction, SenderOutcome, SenderSettings, SentFile, Source,
};
use crate::transfer::session::Protocol;
use crate::transfer::table::Abandoned;
use crate::transfer::wire::{EntryId, Phase};

/// Files open at once: enough that small ones fill a frame while others are being read.
const OPEN_FILES: usize = 128;

/// How long workers may take to notice that it is over.
const PATIENCE: Duration = Duration::from_secs(5);

/// What goes from one session of a run to the next.
#[derive(Debug, Default)]
pub struct Left {
    /// Entries without a verdict.
    pub carried: Vec<Source>,
    /// The walk has ended.
    pub walk_ended: bool,
    /// Where the content of entries comes from.
    pub inputs: Inputs,
}

impl Left {
    /// Streams of which a part was sent and that have no verdict: nothing can begin them again.
    pub fn spent(&self) -> impl Iterator<Item = &Source> {
        self.carried.iter().filter(|source| {
            let input = self.inputs.get(&source.key);
            input.is_some_and(|input| input.is_spent())
        })
    }
}

/// What is being read.
struct Current {
    entry: Arc<Entry>,
    done: u64,
    present: u64,
    stage: Stage,
}

struct File {
    key: u64,
    entry: Arc<Entry>,
    worker: usize,
}

/// The sending end.
pub struct SendEnd<'a> {
    machine: Sender<Buffer>,
    reporter: &'a mut Reporter,
    on_file: &'a mut dyn FnMut(&FileReport),
    peer: String,
    watched: bool,
    dry_run: bool,
    inputs: Inputs,
    /// What was opened and has no verdict, and by which number the machine knows it.
    files: HashMap<EntryId, File>,
    ids: HashMap<u64, EntryId>,
    whys: HashMap<u64, String>,
    current: Option<Current>,
    /// stdin, until it has ended.
    stream: Option<EntryId>,
    crew: Crew<Job>,
    readers: usize,
    walker: usize,
    streamer: Option<usize>,
    shared: Arc<Shared>,
    pool: Pool,
}

/// What a session is made of.
pub struct Parts<'a> {
    /// Deadlines and sizes.
    pub settings: SenderSettings,
    /// Random.
    pub nonce: u64,
    /// What there is to send.
    pub supply: &'a Arc<Supply>,
    /// What the last session left.
    pub left: Left,
    /// What protects the bytes.
    pub protection: Protection,
    /// The other end's address.
    pub peer: String,
    /// Whether somebody wants to see how it gets on.
    pub watched: bool,
    /// Nothing is sent, only told.
    pub dry_run: bool,
}

impl<'a> SendEnd<'a> {
    /// Begins a session. `on_file` is told of each entry that has its verdict.
    pub fn new(
        now: Duration,
        parts: Parts<'_>,
        inbox: &Arc<Inbox<Word>>,
        reporter: &'a mut Reporter,
        on_file: &'a mut dyn FnMut(&FileReport),
    ) -> Result<Self> {
        let Parts { left, supply, .. } = parts;
        let readers = worker_count();
        let settings = SenderSettings {
            in_flight: (readers * CHUNKS_EACH * MAX_PAYLOAD) as u64,
            read_ahead: CHUNKS_EACH,
            open_files: OPEN_FILES,
            dry_run: parts.dry_run,
            ..parts.settings
        };
        let tools = Tools {
            shared: Arc::default(),
            supply: Arc::clone(supply),
            pool: Pool::for_session(),
            checksums: parts.protection == Protection::Checksums,
            inbox: Arc::clone(inbox),
        };
        let mut crew = Crew::new();
        let mut hire = |name: &str| {
            let tools = tools.clone();
            crew.hire(name, move |queue| reading::run(queue, tools))
                .map_err(cannot_start)
        };
        for _ in 0..readers {
            hire("read files")?;
        }
        let walker = hire("walk")?;
        // A producer may keep it waiting for ever; nothing else shall wait with it.
        let streamer = supply.has_stream().then(|| hire("stdin")).transpose()?;
        Ok(Self {
            machine: Sender::new(now, settings, parts.nonce, left.carried, left.walk_ended),
            reporter,
            on_file,
            peer: parts.peer,
            watched: parts.watched,
            dry_run: parts.dry_run,
            inputs: left.inputs,
            files: HashMap::new(),
            ids: HashMap::new(),
            whys: HashMap::new(),
            current: None,
            stream: None,
            crew,
            readers,
            walker,
            streamer,
            shared: tools.shared,
            pool: tools.pool,
        })
    }

    /// Lets the workers go. What is left for a next session.
    pub fn finish(mut self, inbox: &Inbox<Word>) -> Left {
        // A worker that waits for stdin is left behind.
        let _ = self.crew.dismiss(match self.stream {
            None => PATIENCE,
            Some(_) => Duration::from_millis(100),
        });
        let (mut arrivals, mut words) = Default::default();
        inbox.wait(
            Some(std::time::Instant::now()),
            true,
            &mut arrivals,
            &mut words,
        );
        // What the walk found meanwhile is still to be offered.
        for word in words {
            if let Word::Page(page) = word {
                let outcome = self.page(page);
                self.machine.outcome(outcome);
            }
        }
        let (carried, walk_ended) = self.machine.into_unsettled();
        Left {
            carried,
            walk_ended,
            inputs: self.inputs,
        }
    }

    fn open(&mut self, entry: EntryId, key: u64, round: u8) {
        let Some(input) = self.inputs.get(&key).cloned() else {
            let reason = Abandoned::Other;
            return self.machine.outcome(SenderOutcome::Failed {
                entry,
                round,
                reason,
            });
        };
        let is_stream = matches!(input.origin, Origin::Stream(_));
        let worker = match (is_stream, self.streamer) {
            (true, Some(streamer)) => streamer,
            _ => self.crew.least_busy(self.readers),
        };
        if is_stream && round == 1 {
            self.stream = Some(entry);
        }
        self.ids.insert(key, entry);
        self.files.insert(
            entry,
            File {
                key,
                entry: Arc::clone(&input.entry),
                worker,
            },
        );
        self.crew.stage(
            worker,
            Job::Open {
                entry,
                round,
                input,
            },
        );
    }

    fn settled(&mut self, sent: &SentFile) {
        self.inputs.remove(&sent.source.key);
        if let Some(entry) = self.ids.remove(&sent.source.key) {
            self.files.remove(&entry);
            self.end_stream(entry);
        }
        let mut report = FileReport::sent(sent);
        if let Some(why) = self.whys.remove(&sent.source.key) {
            report.why = Some(why);
        }
        if self.dry_run && sent.abandoned == Some(Abandoned::Other) {
            // It was compared, which was all that was wanted.
            report.outcome = Outcome::WouldSend;
            report.sha256 = sent.sha256;
            report.why = None;
        }
        (self.on_file)(&report);
        self.reporter.file(report);
    }

    /// Nothing more comes of it: its producer is waited for no longer.
    fn end_stream(&mut self, entry: EntryId) {
        self.stream = self.stream.filter(|&stream| stream != entry);
    }

    /// Takes in a page of the walk.
    fn page(&mut self, page: Page) -> SenderOutcome<Buffer> {
        for problem in &page.problems {
            let text = problem.to_string();
            if problem.is_warning() {
                self.reporter.note(text);
                continue;
            }
            let name = Name::new(problem.source.as_os_str().as_encoded_bytes());
            let why = text.split_once(": ").map_or(&*text, |(_, why)| why);
            let report = FileReport::unreadable(name, why);
            (self.on_file)(&report);
            self.reporter.file(report);
        }
        let mut sources = Vec::with_capacity(page.found.len());
        for (source, input) in page.found {
            if self.dry_run && !source.entry.is_file() {
                // The receiver would make it.
                let report = FileReport::would_send(&source.entry);
                (self.on_file)(&report);
                self.reporter.file(report);
                continue;
            }
            self.reporter.offer(&source.entry);
            self.inputs.insert(source.key, input);
            sources.push(source);
        }
        SenderOutcome::Walked {
            sources,
            end: page.end,
        }
    }

    /// What the reader of a piece says moves the bar.
    fn follow(&mut self, outcome: &SenderOutcome<Buffer>) {
        let SenderOutcome::Chunk {
            entry,
            offset,
            len,
            digest,
            ..
        } = outcome
        else {
            return;
        };
        let Some(file) = self.files.get(entry) else {
            return;
        };
        let done = offset + u64::from(*len);
        let was = match &self.current {
            Some(current) if current.entry == file.entry => current.present,
            _ => 0,
        };
        self.current = Some(Current {
            entry: Arc::clone(&file.entry),
            done,
            present: match digest {
                Some(_) => was.max(done),
                None => was,
            },
            stage: match digest {
                Some(_) => Stage::Comparing,
                None => Stage::Sending,
            },
        });
    }
}

fn cannot_start(error: io::Error) -> Error {
    Error::new(Kind::Other, "cannot start a thread").because(error)
}

impl End for SendEnd<'_> {
    type Word = Word;
    type Machine = Sender<Buffer>;

    fn machine(&self) -> &Self::Machine {
        &self.machine
    }

    fn machine_mut(&mut self) -> &mut Self::Machine {
        &mut self.machine
    }

    fn frame(&mut self, now: Duration, frame: Frame, _payload: Option<Buffer>) {
        self.machine.frame(now, frame);
    }

    fn word(&mut self, word: Word) {
        match word {
            Word::Page(page) => {
                let outcome = self.page(page);
                self.machine.outcome(outcome);
            }
            Word::Outcome(outcome) => {
                if let SenderOutcome::Chunk {
                    entry,
                    end: Some(_),
                    ..
                } = outcome
                {
                    self.end_stream(entry);
                }
                if self.watched {
                    self.follow(&outcome);
                }
                self.machine.outcome(outcome);
            }
            Word::Why { entry, text } => {
                if let Some(file) = self.files.get(&entry) {
                    self.whys.insert(file.key, text);
                }
            }
        }
    }

    fn act(&mut self) {
        while let Some(action) = self.machine.action() {
            match action {
                SenderAction::Walk { max } => self.crew.stage(self.walker, Job::Walk { max }),
                SenderAction::Open { entry, key, round } => self.open(entry, key, round),
                SenderAction::Read {
                    entry,
                    round,
                    offset,
                    len,
                    digest,
                } => {
                    if let Some(file) = self.files.get(&entry) {
                        let job = Job::Read {
                            entry,
                            round,
                            offset,
                            len,
                            digest,
                        };
                        self.crew.stage(file.worker, job);
                    }
                }
                SenderAction::Close { entry } => {
                    if let Some(file) = self.files.get(&entry) {
                        self.crew.stage(file.worker, Job::Close { entry });
                    }
                }
                SenderAction::Report(sent) => self.settled(&sent),
            }
        }
        self.crew.send();
    }

    fn takes_frames(&self) -> bool {
        true
    }

    fn opened(&mut self, now: Duration) {
        self.reporter.connected(now, self.peer.clone());
    }

    fn closed(&mut self) {
        self.reporter.connection_ended(&self.machine.progress());
    }

    fn doings(&self) -> Doings {
        Doings {
            busy: self.crew.outstanding() > 0,
            streaming: self.stream.is_some(),
        }
    }

    fn tell(&mut self, now: Duration) {
        let progress = self.machine.progress();
        let more = !self.machine.is_walked();
        let (crew, current) = (&self.crew, self.current.as_ref());
        self.reporter.progress(now, || {
            let stage = match (crew.outstanding(), current, progress.peer_phase) {
                (1.., Some(current), _) => current.stage,
                (_, _, Some(Phase::Storing)) => Stage::Flushing,
                (_, _, Some(Phase::Comparing)) => Stage::Comparing,
                // It is on its way, or being taken in.
                (_, Some(current), _) if progress.settled < progress.entries => current.stage,
                _ => Stage::Waiting,
            };
            Snapshot {
                stage,
                progress,
                more,
                at: current.map(|current| At {
                    entry: &current.entry,
                    done: current.done,
                    present: current.present,
                }),
            }
        });
    }

    fn is_watched(&self) -> bool {
        self.watched
    }

    fn wind_up(&mut self) {
        self.shared.end();
        self.pool.close();
    }
}
