//! `recv-file`: what was typed, and session after session: of one sender until it has sent everything, or with
//! `--keep-open` of many at once.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::cli::{LinkPolicy, RecvFileArgs, Size};
use crate::core::limits::raise_open_file_limit;
use crate::core::runner::must_find;
use crate::core::signal::survive_file_limit;
use crate::error::{Error, Kind, Result};
use crate::transfer::entry::MAX_SIZE;
use crate::transfer::on_receive::{MOST, OnReceive};
use crate::transfer::path::PeerPath;
use crate::transfer::pipeline::control::{self, Clock, Close, End, Setting};
use crate::transfer::pipeline::guard::Guard;
use crate::transfer::pipeline::hall::Visit;
use crate::transfer::pipeline::inbox::Inbox;
use crate::transfer::pipeline::meeting::{
    Meeting, Met, RESUMES, Retry, failure, patience, random, reason, say_how_to_resume, told,
};
use crate::transfer::pipeline::pool::Pool;
use crate::transfer::pipeline::receiving::{Finished, Parts, RecvEnd, StoredFile};
use crate::transfer::pipeline::stop::Stop;
use crate::transfer::pipeline::target::{Outlet, Target};
use crate::transfer::pipeline::watchdog::Patience;
use crate::transfer::receiver::ReceiverSettings;
use crate::transfer::report::{Event, Outcome, Reporter, Thing};
use crate::transfer::screen::Screen;
use crate::transfer::session::{Ending, Progress, Protocol};
use crate::transfer::store::outfile::Outfile;
use crate::transfer::store::{Existing, Links, Policy, Store};
use crate::transfer::sums::Sums;
use crate::transfer::verdict::Judge;
use crate::transfer::wire::{Role, Verdict};
use crate::ui::Ui;
use crate::ui::progress::Side;

/// Receives until one sender is done, or with `--keep-open` until it is told to stop.
pub fn run(ui: &Ui, args: &RecvFileArgs) -> Result<()> {
    let to_stdout = args.output.as_deref() == Some(Path::new("-"));
    if to_stdout && ui.json() {
        return Err(Error::new(Kind::Usage, "--json and -o - both want stdout"));
    }
    if let Some(program) = &args.on_receive {
        must_find(program)?;
    }
    survive_file_limit()?;
    raise_open_file_limit();
    let place = place(ui, args, to_stdout)?;
    let sums = args.transfer.sums.as_deref();
    let sums = sums
        .map(|path| match args.keep_open {
            true => Sums::append(path),
            false => Sums::replace(path),
        })
        .transpose()?;
    let seats = if args.keep_open {
        args.max_sessions as usize
    } else {
        1
    };
    let guard = Guard::new(ui, &args.transfer.code, !args.connect, args.keep_open)?;
    let meeting = Meeting::new(
        ui,
        &args.address,
        &args.transfer,
        args.sockopt.settings(),
        guard,
        Role::Receiver,
        seats,
    )?;
    let screen = Screen::start(ui, Side::Receiving, to_stdout);
    let held = Arc::new(AtomicBool::new(false));
    let runner = args.on_receive.clone().map(|program| {
        let flag = Arc::clone(&held);
        let complaints = Mutex::new(screen.sink());
        OnReceive::new(
            program,
            MOST,
            // stdout is data.
            ui.json(),
            Box::new(move |is_held| flag.store(is_held, std::sync::atomic::Ordering::Relaxed)),
            Box::new(move |text| {
                let event = Event::Warning {
                    text: text.to_owned(),
                };
                let mut sink = complaints.lock().unwrap_or_else(PoisonError::into_inner);
                sink.take(crate::transfer::report::Report {
                    event,
                    session: None,
                });
            }),
        )
    });
    let run = Run {
        clock: Clock::start(),
        stop: meeting.stop().clone(),
        patience: patience(&args.transfer),
        watched: ui.json() || ui.watched(),
        verbose: ui.verbosity() > 0,
        max_size: args.max_size,
        max_files: args.max_files,
        quota: args.quota,
        place,
        held,
        after: Mutex::new(After {
            judge: Judge::default(),
            sums,
            runner,
            error: None,
        }),
    };
    let result = match args.keep_open {
        true => serve(&Arc::new(run), &meeting, &screen),
        false => receive(
            run,
            &meeting,
            &screen,
            Retry::new(args.transfer.retry, random()?),
        ),
    };
    drop(meeting);
    let shown = screen.finish();
    result.and(shown)
}

/// Where it all goes.
enum Place {
    Folder(Store, PathBuf),
    File(Store, PeerPath),
    Stream(Arc<Outlet>),
}

impl Place {
    /// For a sender.
    fn target(&self) -> Target {
        match self {
            Place::Folder(store, _) => Target::Folder(Arc::new(store.session())),
            Place::File(store, path) => Target::File {
                session: Arc::new(store.session()),
                path: path.clone(),
                only: Arc::default(),
            },
            Place::Stream(outlet) => Target::Stream {
                outlet: Arc::clone(outlet),
                only: Arc::default(),
            },
        }
    }

    fn settled(&self) -> u64 {
        match self {
            Place::Folder(store, _) | Place::File(store, _) => store.settled(),
            Place::Stream(outlet) => outlet.written(),
        }
    }
}

fn place(ui: &Ui, args: &RecvFileArgs, to_stdout: bool) -> Result<Place> {
    let existing = match (args.overwrite, args.rename, args.update) {
        (true, _, _) => Existing::Overwrite,
        (_, true, _) => Existing::Rename,
        (_, _, true) => Existing::Update,
        _ => Existing::Refuse,
    };
    let policy = Policy {
        existing,
        links: match args.transfer.links {
            LinkPolicy::Keep => Links::Keep,
            LinkPolicy::Skip => Links::Skip,
            LinkPolicy::Follow => {
                let error = Error::new(Kind::Usage, "only a sender can follow links");
                return Err(error.hint("say --links follow there, or --links skip here"));
            }
        },
        max_size: args.max_size.map(Size::bytes),
        max_files: args.max_files,
        quota: args.quota.map(Size::bytes),
        fsync: !args.no_fsync,
        check_space: !args.ignore_space,
        ..Policy::default()
    };
    let Some(output) = args.output.as_deref().filter(|_| !to_stdout) else {
        if to_stdout {
            let file = ui.stdout_file()?;
            return Ok(Place::Stream(Arc::new(Outlet::new(file))));
        }
        let store = Store::open(&args.directory, policy)?;
        let folder = args.directory.canonicalize().map_err(|error| {
            let shown = args.directory.display();
            Error::new(Kind::Other, format!("cannot find {shown}")).because(error)
        })?;
        return Ok(Place::Folder(store, folder));
    };
    Ok(match Outfile::open(output, policy)? {
        Outfile::Stored { store, path } => Place::File(store, path),
        Outfile::Stream(file) => Place::Stream(Arc::new(Outlet::new(file))),
    })
}

/// What all sessions of a run have in common.
struct Run {
    clock: Clock,
    stop: Stop,
    patience: Patience,
    watched: bool,
    verbose: bool,
    max_size: Option<Size>,
    max_files: Option<u64>,
    quota: Option<Size>,
    place: Place,
    held: Arc<AtomicBool>,
    after: Mutex<After>,
}

/// What is made of entries that were stored.
struct After {
    judge: Judge,
    sums: Option<Sums>,
    runner: Option<OnReceive>,
    error: Option<Error>,
}

/// A session and what it has come to.
struct Over {
    close: Close,
    progress: Progress,
    finished: Finished,
}

impl Run {
    fn after(&self) -> MutexGuard<'_, After> {
        self.after.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settings(&self) -> ReceiverSettings {
        let left = self
            .quota
            .map(|quota| quota.bytes().saturating_sub(self.place.settled()));
        ReceiverSettings {
            max_size: self.max_size.map_or(MAX_SIZE, Size::bytes).min(MAX_SIZE),
            max_entries: self.max_files.unwrap_or(u64::MAX),
            quota: left.unwrap_or(u64::MAX),
            // What a pipe has taken cannot be read again.
            rounds: match self.place {
                Place::Stream(_) => 1,
                _ => ReceiverSettings::default().rounds,
            },
            ..ReceiverSettings::default()
        }
    }

    fn stored(&self, file: &StoredFile<'_>) {
        let mut after = self.after();
        let After {
            judge,
            sums,
            runner,
            error,
        } = &mut *after;
        judge.see(file.report);
        let report = file.report;
        let (Some(sha256), Thing::File, true) =
            (&report.sha256, report.thing, report.outcome.is_good())
        else {
            return;
        };
        if let Some(sums) = sums
            && error.is_none()
        {
            *error = sums.add(file.path.as_bytes(), sha256).err();
        }
        let is_new = report.outcome == Outcome::Settled(Verdict::Stored);
        if let (Some(runner), Place::Folder(_, folder), true) = (runner, &self.place, is_new) {
            let path = folder.join(os_path(file.path));
            runner.run(&path, &file.entry.path, report.size.unwrap_or(0), sha256);
        }
    }

    fn session(
        &self,
        (channel, seat): Met,
        target: Target,
        reporter: &mut Reporter,
    ) -> Result<Over> {
        if let Some(session) = target.session() {
            session.begin_again();
        }
        let inbox = Arc::new(Inbox::new());
        let parts = Parts {
            settings: self.settings(),
            nonce: random()?,
            target,
            peer: channel.peer.to_string(),
            watched: self.watched,
            held: Arc::clone(&self.held),
        };
        let mut on_file = |file: StoredFile<'_>| self.stored(&file);
        let mut end = RecvEnd::new(self.clock.now(), parts, &inbox, reporter, &mut on_file)?;
        let setting = Setting {
            clock: self.clock,
            stop: &self.stop,
            patience: self.patience,
            pool: Pool::for_session(),
            seat: seat.as_ref(),
        };
        let close = control::run(&mut end, channel, &inbox, &setting)?;
        let progress = end.machine().progress();
        let finished = end.finish();
        Ok(Over {
            close,
            progress,
            finished,
        })
    }

    /// The last of what is made of the files. `now`: programs that wait are not started any more.
    fn wind_up(&self, now: bool, is_complete: bool) -> Result<()> {
        let (sums, runner, error) = {
            let mut after = self.after();
            (after.sums.take(), after.runner.take(), after.error.take())
        };
        let ran = runner.map_or(Ok(()), |runner| runner.finish(now));
        if let Some(error) = error {
            return Err(error);
        }
        if let Some(sums) = sums.filter(|_| is_complete) {
            sums.finish()?;
        }
        ran
    }
}

/// One sender, until it has sent everything.
fn receive(run: Run, meeting: &Meeting, screen: &Screen, retry: Retry) -> Result<()> {
    let mut reporter = Reporter::new(run.clock.now(), screen.sink(), None);
    let first = meeting.meet(None, &mut told(screen, run.verbose));
    let has_met = first.is_ok();
    let result = first.and_then(|met| until_done(&run, meeting, met, screen, retry, &mut reporter));
    let is_complete = result.is_ok();
    let is_signal = matches!(&result, Err(error) if matches!(error.kind(), Kind::Signal(_)));
    if is_signal && has_met {
        say_how_to_resume(screen);
    }
    let last = run.wind_up(is_signal, is_complete);
    let totals = reporter.done(run.clock.now());
    drop(reporter);
    let judged = run.after().judge.result(&totals);
    result.and(judged).and(last)
}

fn until_done(
    run: &Run,
    meeting: &Meeting,
    mut met: Met,
    screen: &Screen,
    mut retry: Retry,
    reporter: &mut Reporter,
) -> Result<()> {
    let mut tell = told(screen, run.verbose);
    let target = run.place.target();
    let mut has_all = false;
    loop {
        let over = run.session(met, target.clone(), reporter)?;
        let close = over.close;
        has_all = match close.ending {
            Ending::Complete => return Ok(()),
            Ending::Unconfirmed => true,
            // Somebody else was here, and wanted nothing.
            _ => has_all && over.progress.entries == 0,
        };
        if has_all {
            // What was passed on is not there to be compared.
            if close.signal.is_some() || matches!(run.place, Place::Stream(_)) {
                return Ok(());
            }
            let until = run.clock.now() + retry.last_word();
            let left = |_: &mut Retry| {
                let left = until.saturating_sub(run.clock.now());
                (!left.is_zero()).then_some(left)
            };
            let why = reason(&close, run.patience);
            met = match meeting.again(why, &mut retry, left, reporter, &mut tell) {
                Ok(Some(met)) => met,
                // It does not come back for the answer. Everything is stored all the same.
                Ok(None) | Err(_) => return Ok(()),
            };
            continue;
        }
        if let Some(full) = over.finished.full {
            return Err(Error::new(Kind::Other, full).hint(format!("make room, then {RESUMES}")));
        }
        if !over.finished.is_written && close.signal.is_none() {
            screen.tell(Event::Warning {
                text: "some of what came could not be written in time".to_owned(),
            });
        }
        let lost = match &run.place {
            Place::Stream(outlet) => outlet.written(),
            _ => 0,
        };
        let is_due = retry.is_due(run.clock.now(), &close, &over.progress);
        if !is_due || lost > 0 {
            reporter.disconnected(reason(&close, run.patience), false, None);
            let error = failure(&close, run.patience);
            return Err(match lost {
                0 => error,
                _ => error.hint(format!(
                    "{lost} bytes were passed on already, and cannot be taken back"
                )),
            });
        }
        let why = reason(&close, run.patience);
        let left = |retry: &mut Retry| retry.left(run.clock.now());
        let again = meeting.again(why, &mut retry, left, reporter, &mut tell)?;
        met = again.ok_or_else(|| failure(&close, run.patience))?;
    }
}

/// Any number of senders at once, until a signal comes.
fn serve(run: &Arc<Run>, meeting: &Meeting, screen: &Screen) -> Result<()> {
    let mut sessions: Vec<(u32, thread::JoinHandle<()>)> = Vec::new();
    let mut number = 0;
    loop {
        match meeting.next(None) {
            Some(Visit::Admitted(channel, seat)) => {
                number += 1;
                let (run, bell) = (Arc::clone(run), meeting.doorbell());
                let reporter = Reporter::new(run.clock.now(), screen.sink(), Some(number));
                let this = number;
                let session = thread::Builder::new()
                    .name("session".to_owned())
                    .spawn(move || {
                        host(&run, (channel, Some(seat)), reporter);
                        // The run may be over.
                        let _ = bell.send(Visit::Ended(this));
                    })
                    .map_err(|error| {
                        Error::new(Kind::Other, "cannot start a thread").because(error)
                    })?;
                sessions.push((number, session));
            }
            Some(Visit::Ended(number)) => {
                if let Some(at) = sessions.iter().position(|(one, _)| *one == number) {
                    // A panic in it has been told by the panic itself.
                    let _ = sessions.swap_remove(at).1.join();
                }
            }
            Some(Visit::Note(text)) if run.verbose => screen.tell(Event::Note { text }),
            Some(Visit::Note(_)) => {}
            Some(Visit::Warning(text)) => screen.tell(Event::Warning { text }),
            // That is for those who receive once.
            Some(Visit::Dialled(_) | Visit::LockedOut) => {}
            Some(Visit::Signal) | None => break,
        }
    }
    let had_sessions = !sessions.is_empty();
    for (_, session) in sessions {
        let _ = session.join();
    }
    if had_sessions {
        say_how_to_resume(screen);
    }
    run.wind_up(true, true)?;
    match run.stop.signal() {
        Some(signal) => Err(Stop::error(signal)),
        None => Ok(()),
    }
}

/// One session among many. What becomes of it ends nothing but itself.
fn host(run: &Run, met: Met, mut reporter: Reporter) {
    match run.session(met, run.place.target(), &mut reporter) {
        // Whoever does not know that it is complete finds us here.
        Ok(over) if over.close.ending.failure().is_none() => {}
        Ok(over) => {
            let why = match over.finished.full {
                Some(full) => full,
                None => reason(&over.close, run.patience),
            };
            reporter.disconnected(why, false, None);
        }
        Err(error) => reporter.warn(error.to_string()),
    }
    reporter.done(run.clock.now());
}

#[cfg(unix)]
fn os_path(path: &PeerPath) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(path.as_bytes()).into()
}

/// A name that is not UTF-8 is not stored where names are text.
#[cfg(not(unix))]
fn os_path(path: &PeerPath) -> PathBuf {
    String::from_utf8_lossy(path.as_bytes()).into_owned().into()
}
