//! `send-file`: what was typed, and session after session until everything is at the other end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::cli::{LinkPolicy, SendFileArgs};
use crate::error::{Error, Kind, Result};
use crate::transfer::entry::{Entry, EntryKind, ModifiedAt};
use crate::transfer::path::PeerPath;
use crate::transfer::pipeline::control::{self, Clock, Close, End, Setting};
use crate::transfer::pipeline::guard::Guard;
use crate::transfer::pipeline::inbox::Inbox;
use crate::transfer::pipeline::meeting::{
    Meeting, Met, Retry, failure, patience, random, reason, say_how_to_resume, told,
};
use crate::transfer::pipeline::pool::Pool;
use crate::transfer::pipeline::sending::{Left, Parts, SendEnd};
use crate::transfer::pipeline::supply::Supply;
use crate::transfer::pipeline::watchdog::Patience;
use crate::transfer::report::{FileReport, Reporter};
use crate::transfer::screen::Screen;
use crate::transfer::sender::SenderSettings;
use crate::transfer::session::{Ending, Progress, Protocol};
use crate::transfer::source::{Globs, Links, WalkOptions};
use crate::transfer::sums::Sums;
use crate::transfer::verdict::Judge;
use crate::transfer::wire::Role;
use crate::ui::Ui;
use crate::ui::progress::Side;

/// What comes to a sender is messages only.
const POOL: usize = 1024;

/// Sends until all is at the other end, or nothing more can be done.
pub fn run(ui: &Ui, args: &SendFileArgs) -> Result<()> {
    let supply = Arc::new(supply(args)?);
    let guard = Guard::new(ui, &args.transfer.code, args.listen, false)?;
    let sums = args
        .transfer
        .sums
        .as_deref()
        .map(Sums::replace)
        .transpose()?;
    let retry = Retry::new(args.transfer.retry, random()?);
    let meeting = Meeting::new(
        ui,
        &args.address,
        &args.transfer,
        args.sockopt.settings(),
        guard,
        Role::Sender,
        1,
    )?;
    let screen = Screen::start(ui, Side::Sending, false);
    let clock = Clock::start();
    let mut run = Run {
        patience: patience(&args.transfer),
        dry_run: args.dry_run,
        watched: ui.json() || ui.watched(),
        verbose: ui.verbosity() > 0,
        supply,
        retry,
        meeting,
        screen: &screen,
        reporter: Reporter::new(clock.now(), screen.sink(), None),
        clock,
        judge: Judge::default(),
        sums,
        sums_error: None,
    };
    let result = run.until_done();
    drop(run);
    let shown = screen.finish();
    result.and(shown)
}

fn supply(args: &SendFileArgs) -> Result<Supply> {
    let is_stdin = |path: &Path| path.as_os_str() == "-";
    let has_stream = args.paths.iter().any(|path| is_stdin(path));
    if args.paths.iter().filter(|path| is_stdin(path)).count() > 1 {
        return Err(Error::new(Kind::Usage, "stdin can be sent only once"));
    }
    if !has_stream && args.name != "stdin" {
        return Err(Error::new(
            Kind::Usage,
            "--name is for stdin, and - is not among the paths",
        ));
    }
    let paths: Vec<PathBuf> = args
        .paths
        .iter()
        .filter(|path| !is_stdin(path))
        .cloned()
        .collect();
    for path in &paths {
        // A typing mistake is said before anybody is called.
        std::fs::symlink_metadata(path).map_err(|error| {
            Error::new(Kind::Other, format!("cannot send {}", path.display())).because(error)
        })?;
    }
    let options = WalkOptions {
        links: match args.transfer.links {
            LinkPolicy::Keep => Links::Keep,
            LinkPolicy::Skip => Links::Skip,
            LinkPolicy::Follow => Links::Follow,
        },
        globs: Globs::new(&args.exclude, &args.include)?,
        one_file_system: args.one_file_system,
        partials: false,
    };
    let stream = has_stream.then(|| stdin_entry(&args.name)).transpose()?;
    Ok(Supply::new(paths, options, stream))
}

fn stdin_entry(name: &str) -> Result<Entry> {
    let path = PeerPath::from_components([name.as_bytes().to_vec()])
        .map_err(|bad| Error::new(Kind::Usage, format!("cannot use --name: {bad}")))?;
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Ok(Entry {
        path,
        kind: EntryKind::File { size: None },
        modified: ModifiedAt {
            secs: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            nanos: since.subsec_nanos(),
        },
        mode: 0o644,
    })
}

struct Run<'a> {
    patience: Patience,
    dry_run: bool,
    watched: bool,
    verbose: bool,
    supply: Arc<Supply>,
    retry: Retry,
    meeting: Meeting,
    screen: &'a Screen,
    reporter: Reporter,
    clock: Clock,
    judge: Judge,
    sums: Option<Sums>,
    sums_error: Option<Error>,
}

impl Run<'_> {
    fn until_done(&mut self) -> Result<()> {
        let mut left = Left::default();
        let mut met = self
            .meeting
            .meet(None, &mut told(self.screen, self.verbose))?;
        loop {
            let (close, progress, now_left) = self.session(met, left)?;
            left = now_left;
            if close.ending == Ending::Complete {
                return self.complete();
            }
            let is_lost = left.spent().next().is_some();
            let is_due = self.retry.is_due(self.clock.now(), &close, &progress);
            if !is_due || is_lost {
                return Err(self.give_up(&close, is_lost));
            }
            met = self.again(&close)?;
        }
    }

    /// Finds the other end again, for as long as there is time.
    fn again(&mut self, close: &Close) -> Result<Met> {
        let clock = self.clock;
        let why = reason(close, self.patience);
        let left = |retry: &mut Retry| retry.left(clock.now());
        let mut tell = told(self.screen, self.verbose);
        let (retry, reporter) = (&mut self.retry, &mut self.reporter);
        let met = self.meeting.again(why, retry, left, reporter, &mut tell);
        if matches!(&met, Err(error) if matches!(error.kind(), Kind::Signal(_))) {
            say_how_to_resume(self.screen);
        }
        met?.ok_or_else(|| failure(close, self.patience))
    }

    fn give_up(&mut self, close: &Close, stream_is_lost: bool) -> Error {
        self.reporter
            .disconnected(reason(close, self.patience), false, None);
        if close.signal.is_some() {
            say_how_to_resume(self.screen);
        }
        self.reporter.done(self.clock.now());
        let error = failure(close, self.patience);
        match stream_is_lost {
            true => error.hint(
                "stdin cannot be read again; run the same program and command again: what is there needs no sending",
            ),
            false => error,
        }
    }

    fn complete(&mut self) -> Result<()> {
        let totals = self.reporter.done(self.clock.now());
        if let Some(error) = self.sums_error.take() {
            return Err(error);
        }
        if let Some(sums) = self.sums.take() {
            sums.finish()?;
        }
        self.judge.result(&totals)
    }

    fn session(&mut self, (channel, seat): Met, left: Left) -> Result<(Close, Progress, Left)> {
        let inbox = Arc::new(Inbox::new());
        let parts = Parts {
            settings: SenderSettings::default(),
            nonce: random()?,
            supply: &self.supply,
            left,
            protection: channel.protection,
            peer: channel.peer.to_string(),
            watched: self.watched,
            dry_run: self.dry_run,
        };
        let (judge, sums, sums_error) = (&mut self.judge, &mut self.sums, &mut self.sums_error);
        let mut on_file = |file: &FileReport| {
            judge.see(file);
            if let (Some(sums), Some(sha256), true) =
                (sums.as_mut(), &file.sha256, file.outcome.is_good())
                && sums_error.is_none()
            {
                *sums_error = sums.add(file.path.as_bytes(), sha256).err();
            }
        };
        let mut end = SendEnd::new(
            self.clock.now(),
            parts,
            &inbox,
            &mut self.reporter,
            &mut on_file,
        )?;
        let setting = Setting {
            clock: self.clock,
            stop: self.meeting.stop(),
            patience: self.patience,
            pool: Pool::new(POOL),
            seat: seat.as_ref(),
        };
        let close = control::run(&mut end, channel, &inbox, &setting)?;
        let progress = end.machine().progress();
        let left = end.finish(&inbox);
        Ok((close, progress, left))
    }
}
