//! A program for each of many things that happen.
//!
//! There is no shell: the program is started as it is, with what happened in its environment and no secret of ours, so
//! that no word of a peer can become a command. At most so many run at once; the others wait, and whoever makes them is
//! told when it should hold back.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::core::secure::{CODE_VARIABLE, PASSWORD_VARIABLE};
use crate::error::{Error, IoReason, Kind, Result};

/// How many things wait for a program before there should be no more of them.
pub const HIGH: usize = 1000;

/// The environment of one run, on top of our own. No value has a NUL.
pub type Words = Vec<(&'static str, OsString)>;

/// Is told what went wrong with a run.
pub type Complain = Box<dyn Fn(&str) + Send + Sync>;

/// Is told, from any thread, that more than [`HIGH`] things wait (`true`), or less than half of it again. In this
/// order, and therefore under a lock: it must neither wait nor come back here.
pub type Hold = Box<dyn Fn(bool) + Send + Sync>;

#[derive(Default)]
struct State {
    waiting: VecDeque<Words>,
    idle: usize,
    held: bool,
    ended: bool,
}

struct Shared {
    program: OsString,
    quiet: bool,
    state: Mutex<State>,
    changed: Condvar,
    failures: AtomicU64,
    hold: Hold,
    complain: Complain,
}

/// Whether the program is there to be started, and why not. As execvp(3) looks for it; on Windows, where more than the
/// path decides, the first run tells.
fn find(program: &OsStr) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        use std::path::Path;

        use rustix::fs::{Access, access};
        use rustix::io::Errno;
        let is_there = |path: &Path| match path.is_dir() {
            true => Err(io::Error::from(Errno::ACCESS)),
            false => Ok(access(path, Access::EXEC_OK)?),
        };
        if program.as_bytes().contains(&b'/') {
            return is_there(Path::new(program));
        }
        let mut found = Err(io::Error::from(Errno::NOENT));
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
        for directory in std::env::split_paths(&path).filter(|_| !program.is_empty()) {
            match is_there(&directory.join(program)) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => found = Err(error),
                Err(_) => {}
            }
        }
        found
    }
    #[cfg(not(unix))]
    {
        let _ = program;
        Ok(())
    }
}

/// Sees to it that the program is there, so that it need not be found out from every run.
///
/// # Errors
///
/// It cannot be started, and why; on Windows the first run tells.
pub fn must_find(program: &OsStr) -> Result<()> {
    find(program).map_err(|error| {
        let shown = program.to_string_lossy();
        let error = Error::new(Kind::Other, format!("cannot run {shown}")).because(error);
        match shown.contains(' ') {
            true => error.hint(
                "it is started without a shell and without arguments: put them into a script",
            ),
            false => error,
        }
    })
}

/// Runs the program for one thing after the other.
pub struct Runner {
    shared: Arc<Shared>,
    most: usize,
    runners: Vec<JoinHandle<()>>,
}

impl Runner {
    /// Nothing runs yet. `most`: how many at once. `quiet` keeps the program's own output away.
    pub fn new(program: OsString, most: u32, quiet: bool, hold: Hold, complain: Complain) -> Self {
        Self {
            shared: Arc::new(Shared {
                program,
                quiet,
                state: Mutex::default(),
                changed: Condvar::new(),
                failures: AtomicU64::new(0),
                hold,
                complain,
            }),
            most: most as usize,
            runners: Vec::new(),
        }
    }

    /// Runs the program soon.
    pub fn start(&mut self, words: Words) {
        let mut state = self.shared.lock();
        state.waiting.push_back(words);
        let missing = state.waiting.len() > state.idle;
        if state.waiting.len() > HIGH && !state.held {
            state.held = true;
            (self.shared.hold)(true);
        }
        drop(state);
        if missing && self.runners.len() < self.most {
            let shared = Arc::clone(&self.shared);
            self.runners.push(thread::spawn(move || shared.work()));
        }
        self.shared.changed.notify_one();
    }

    /// Waits for those that run, and for those that wait unless `now`. How many of all runs failed.
    pub fn finish(self, now: bool) -> u64 {
        let mut state = self.shared.lock();
        state.ended = true;
        if now {
            state.waiting.clear();
        }
        drop(state);
        self.shared.changed.notify_all();
        for runner in self.runners {
            // One that panicked has told so itself.
            let _ = runner.join();
        }
        self.shared.failures.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(words) = self.next() {
            let (stdout, stderr) = match self.quiet {
                true => (Stdio::null(), Stdio::null()),
                false => (Stdio::inherit(), Stdio::inherit()),
            };
            let outcome = Command::new(&self.program)
                .env_remove(CODE_VARIABLE)
                .env_remove(PASSWORD_VARIABLE)
                .envs(words)
                .stdin(Stdio::null())
                .stdout(stdout)
                .stderr(stderr)
                .status();
            let program = self.program.to_string_lossy();
            let why = match outcome {
                Ok(status) if status.success() => continue,
                Ok(status) => format!("{program} {}", ending(status)),
                Err(error) => format!("cannot run {program}: {}", IoReason(&error)),
            };
            self.failures.fetch_add(1, Ordering::Relaxed);
            (self.complain)(&why);
        }
    }

    /// The next thing, or `None` when there will be none.
    fn next(&self) -> Option<Words> {
        let mut state = self.lock();
        loop {
            if let Some(words) = state.waiting.pop_front() {
                if state.held && state.waiting.len() < HIGH / 2 {
                    state.held = false;
                    (self.hold)(false);
                }
                return Some(words);
            }
            if state.ended {
                return None;
            }
            state.idle += 1;
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }
}

fn ending(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("ended with status {code}"),
        None => "was ended by a signal".to_string(),
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    /// What was complained of, and what was held, in order.
    #[derive(Default, Clone)]
    struct Told(Arc<Mutex<(Vec<String>, Vec<bool>)>>);

    impl Told {
        fn runner(&self, program: &str, most: u32) -> Runner {
            let (complaints, holds) = (self.clone(), self.clone());
            Runner::new(
                program.into(),
                most,
                true,
                Box::new(move |hold| holds.0.lock().expect("no panic").1.push(hold)),
                Box::new(move |text| complaints.0.lock().expect("no panic").0.push(text.into())),
            )
        }
    }

    #[test]
    fn a_failure_is_said_and_counted() {
        let told = Told::default();
        let mut runner = told.runner("false", 2);
        (0..3).for_each(|_| runner.start(Vec::new()));
        assert_eq!(runner.finish(false), 3);
        assert_eq!(
            told.0.lock().expect("no panic").0,
            ["false ended with status 1"; 3]
        );
        let told = Told::default();
        let mut runner = told.runner("/no/such/program", 1);
        runner.start(Vec::new());
        assert_eq!(runner.finish(false), 1);
        assert_eq!(
            told.0.lock().expect("no panic").0,
            ["cannot run /no/such/program: no such file or directory"]
        );
    }

    #[test]
    fn a_program_is_found_before_it_is_run() {
        let kind = |program: &str| find(program.as_ref()).map_err(|error| error.kind());
        assert_eq!(kind("true"), Ok(()));
        assert_eq!(kind("/bin/sh"), Ok(()));
        for missing in ["", "no-such-program", "/no/such/program"] {
            assert_eq!(kind(missing), Err(io::ErrorKind::NotFound), "{missing}");
        }
        for other in ["/", "/etc/passwd"] {
            assert_eq!(kind(other), Err(io::ErrorKind::PermissionDenied), "{other}");
        }
    }

    #[test]
    fn whoever_makes_too_many_is_held_and_released() {
        let told = Told::default();
        // Nothing runs, so all of them wait.
        let mut runner = told.runner("true", 0);
        (0..HIGH + 2).for_each(|_| runner.start(Vec::new()));
        assert_eq!(told.0.lock().expect("no panic").1, [true]);
        while runner.shared.lock().waiting.len() >= HIGH / 2 {
            assert!(runner.shared.next().is_some());
        }
        assert_eq!(told.0.lock().expect("no panic").1, [true, false]);
        assert_eq!(runner.finish(true), 0);
    }
}
