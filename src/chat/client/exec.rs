//! `--exec`: a program for each message.
//!
//! There is no shell: the program is started as it is, with the message in its environment, so that no word
//! that somebody says can become a command. At most so many run at once; when many more wait, the machine is
//! asked to hold the connection.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::machine::Note;
use crate::chat::wire::ChatEvent;
use crate::core::event_loop::Handle;
use crate::core::sanitise::sanitise_str;
use crate::error::IoReason;

/// How many messages wait for a program before no more are read from the server.
const HIGH: usize = 1000;

/// The environment of one run.
type Words = Vec<(&'static str, String)>;

/// Is told what went wrong with a run.
type Complain = Box<dyn Fn(&str) + Send + Sync>;

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
    handle: Handle<Note>,
    complain: Complain,
}

/// Runs the program for message after message.
pub(super) struct Exec {
    shared: Arc<Shared>,
    most: usize,
    runners: Vec<JoinHandle<()>>,
}

impl Exec {
    /// Nothing runs yet. `quiet` keeps the program's own output off a terminal on which somebody types.
    pub(super) fn new(
        program: OsString,
        most: u32,
        quiet: bool,
        handle: Handle<Note>,
        complain: Complain,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                program,
                quiet,
                state: Mutex::default(),
                changed: Condvar::new(),
                handle,
                complain,
            }),
            most: most as usize,
            runners: Vec::new(),
        }
    }

    /// Runs the program soon, if the event is something that somebody said.
    pub(super) fn run(&mut self, event: &ChatEvent<'_>) {
        if let Some(words) = words(event) {
            self.start(words);
        }
    }

    /// The same for a line of a server that is not ours. The text is clean.
    pub(super) fn run_foreign(&mut self, text: &str) {
        self.start(vec![
            ("SOCKKIT_EVENT", "line".to_string()),
            ("SOCKKIT_TEXT", text.to_string()),
        ]);
    }

    fn start(&mut self, words: Words) {
        let mut state = self.shared.lock();
        state.waiting.push_back(words);
        let missing = state.waiting.len() > state.idle;
        if state.waiting.len() > HIGH && !state.held {
            state.held = true;
            // A loop that has ended has no use for the news.
            let _ = self.shared.handle.urgent(Note::Hold(true));
        }
        drop(state);
        if missing && self.runners.len() < self.most {
            let shared = Arc::clone(&self.shared);
            self.runners.push(thread::spawn(move || shared.work()));
        }
        self.shared.changed.notify_one();
    }

    /// Waits for those that run, and for those that wait unless `now`.
    pub(super) fn finish(self, now: bool) {
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
                .envs(words)
                .stdin(Stdio::null())
                .stdout(stdout)
                .stderr(stderr)
                .status();
            let program = self.program.to_string_lossy();
            match outcome {
                Ok(status) if status.success() => {}
                Ok(status) => (self.complain)(&format!("{program} {}", ending(status))),
                Err(error) => {
                    (self.complain)(&format!("cannot run {program}: {}", IoReason(&error)));
                }
            }
        }
    }

    /// The next message, or `None` when there will be none.
    fn next(&self) -> Option<Words> {
        let mut state = self.lock();
        loop {
            if let Some(words) = state.waiting.pop_front() {
                if state.held && state.waiting.len() < HIGH / 2 {
                    state.held = false;
                    let _ = self.handle.urgent(Note::Hold(false));
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

/// The message, as the program sees it. What a peer says may be printed by whoever is called, so it is as safe
/// to look at as what we print ourselves; and it has no NUL, which the environment cannot hold.
fn words(event: &ChatEvent<'_>) -> Option<Words> {
    let (kind, room, id, time, nick, text) = match event {
        ChatEvent::Message {
            room,
            id,
            time,
            nick,
            text,
        } => ("message", room.as_ref(), *id, time, nick, text),
        ChatEvent::Action {
            room,
            id,
            time,
            nick,
            text,
        } => ("action", room.as_ref(), *id, time, nick, text),
        ChatEvent::Private {
            number,
            time,
            nick,
            text,
        } => ("private", "", *number, time, nick, text),
        _ => return None,
    };
    let clean = |text: &str| sanitise_str(text).into_owned();
    Some(vec![
        ("SOCKKIT_EVENT", kind.to_string()),
        ("SOCKKIT_ROOM", clean(room)),
        ("SOCKKIT_ID", id.to_string()),
        ("SOCKKIT_TIME", time.to_string()),
        ("SOCKKIT_NICK", clean(nick)),
        ("SOCKKIT_TEXT", clean(text)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::timestamp::Timestamp;

    #[test]
    fn the_words_of_a_message_can_stand_in_an_environment() {
        let event = ChatEvent::Message {
            room: "#lobby".into(),
            id: 7,
            time: Timestamp::from_unix_micros(1_500_000),
            nick: "ann".into(),
            text: "a\0b\x1b[2J $(reboot)".into(),
        };
        let words = words(&event).expect("a message");
        let value = |name| {
            words
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| v.as_str())
        };
        assert_eq!(value("SOCKKIT_TEXT"), Some("a\\x00b\\x1b[2J $(reboot)"));
        assert_eq!(value("SOCKKIT_ID"), Some("7"));
        assert_eq!(value("SOCKKIT_TIME"), Some("1970-01-01T00:00:01.500000Z"));
        assert!(words.iter().all(|(_, value)| !value.contains('\0')));
    }

    #[test]
    fn only_what_somebody_says_runs_a_program() {
        assert_eq!(words(&ChatEvent::Notice { text: "x".into() }), None);
    }
}
