//! `--exec`: a program for each message, with the message in its environment.

use std::ffi::OsString;

use super::machine::Note;
use crate::chat::wire::ChatEvent;
use crate::core::event_loop::Handle;
use crate::core::runner::{Complain, Runner, Words};
use crate::core::sanitise::sanitise_str;

/// Runs the program for message after message.
pub(super) struct Exec(Runner);

impl Exec {
    /// Nothing runs yet. `quiet` keeps the program's own output off a terminal on which somebody types. When many
    /// messages wait, the machine is asked to hold the connection.
    pub(super) fn new(
        program: OsString,
        most: u32,
        quiet: bool,
        handle: Handle<Note>,
        complain: Complain,
    ) -> Self {
        let hold = Box::new(move |hold| {
            // A loop that has ended has no use for the news.
            let _ = handle.urgent(Note::Hold(hold));
        });
        Self(Runner::new(program, most, quiet, hold, complain))
    }

    /// Runs the program soon, if the event is something that somebody said.
    pub(super) fn run(&mut self, event: &ChatEvent<'_>) {
        if let Some(words) = words(event) {
            self.0.start(words);
        }
    }

    /// The same for a line of a server that is not ours. The text is clean.
    pub(super) fn run_foreign(&mut self, text: &str) {
        self.0.start(vec![
            ("SOCKKIT_EVENT", "line".into()),
            ("SOCKKIT_TEXT", text.into()),
        ]);
    }

    /// Waits for those that run, and for those that wait unless `now`. What failed was said when it did.
    pub(super) fn finish(self, now: bool) {
        self.0.finish(now);
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
    let clean = |text: &str| OsString::from(sanitise_str(text).into_owned());
    Some(vec![
        ("SOCKKIT_EVENT", kind.into()),
        ("SOCKKIT_ROOM", clean(room)),
        ("SOCKKIT_ID", id.to_string().into()),
        ("SOCKKIT_TIME", time.to_string().into()),
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
                .and_then(|(_, v)| v.to_str())
        };
        assert_eq!(value("SOCKKIT_TEXT"), Some("a\\x00b\\x1b[2J $(reboot)"));
        assert_eq!(value("SOCKKIT_ID"), Some("7"));
        assert_eq!(value("SOCKKIT_TIME"), Some("1970-01-01T00:00:01.500000Z"));
        assert!(
            words
                .iter()
                .all(|(_, value)| !value.as_encoded_bytes().contains(&0))
        );
    }

    #[test]
    fn only_what_somebody_says_runs_a_program() {
        assert_eq!(words(&ChatEvent::Notice { text: "x".into() }), None);
    }
}
