//! What the line editor shows and offers: the prompt, hidden passwords, names and commands to complete.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use unicode_width::UnicodeWidthStr;

use crate::chat::command::COMMANDS;
use crate::chat::wire::ChatEvent;
use crate::core::sanitise::sanitise_str;
use crate::core::timestamp::Timestamp;
use crate::ui::human::Style;

/// How many names are kept for completion. A server that names more gets the list begun anew.
const MAX_NAMES: usize = 10_000;

/// How many candidates are offered: below what the editor would ask about first, and few enough for a screen.
const MAX_OFFERED: usize = 40;

/// How the prompt begins for the editor, which counts its columns. The guide draws the time in its place.
const TIME_AND_NICK: &str = "00:00 <";

/// The prompt of somebody.
pub(super) fn prompt(nick: &str) -> String {
    format!("{TIME_AND_NICK}{nick}> ")
}

/// What is known of the room, and of the line being typed.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) nick: String,
    pub(super) others: BTreeSet<String>,
    /// The line being typed is empty.
    pub(super) empty: bool,
    /// The editor has the terminal.
    pub(super) editing: bool,
}

pub(super) struct Shared {
    pub(super) known: Mutex<Known>,
    pub(super) renamed: Condvar,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns names from an event.
    pub(super) fn learn(&self, event: &ChatEvent<'_>) {
        let mut known = self.lock();
        if known.others.len() > MAX_NAMES {
            known.others.clear();
        }
        match event {
            ChatEvent::Welcome { nick, .. } | ChatEvent::You { nick, .. } => {
                known.nick = sanitise_str(nick).into_owned();
                self.renamed.notify_all();
            }
            ChatEvent::Members { nicks, .. } => {
                known.others = nicks.iter().map(|nick| clean(nick)).collect();
            }
            ChatEvent::Joined { nicks, .. } => {
                known.others.extend(nicks.iter().map(|nick| clean(nick)));
            }
            ChatEvent::Left { nicks, .. } => {
                for nick in nicks {
                    known.others.remove(sanitise_str(nick).as_ref());
                }
            }
            ChatEvent::Renamed { from, to, .. } => {
                known.others.remove(sanitise_str(from).as_ref());
                known.others.insert(clean(to));
            }
            ChatEvent::Message { nick, .. }
            | ChatEvent::Action { nick, .. }
            | ChatEvent::Private { nick, .. } => {
                known.others.insert(clean(nick));
            }
            _ => {}
        }
    }
}

fn clean(nick: &str) -> String {
    sanitise_str(nick).into_owned()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mask {
    On,
    Off,
}

/// Draws the prompt and completes names.
pub(super) struct Guide {
    pub(super) shared: Arc<Shared>,
    pub(super) style: Style,
    pub(super) mask: Mask,
}

impl Guide {
    /// The time, as it stands before the lines of others.
    fn now(&self) -> String {
        let now = jiff::Timestamp::now().as_microsecond();
        self.style.clock.text(Timestamp::from_unix_micros(now))
    }
}

impl Helper for Guide {}
impl Hinter for Guide {
    type Hint = String;
}
impl Validator for Guide {}

impl Highlighter for Guide {
    fn highlight<'l>(&self, line: &'l str, _pos: usize) -> Cow<'l, str> {
        self.shared.lock().empty = line.is_empty();
        match self.mask {
            Mask::On => Cow::Owned("*".repeat(line.width())),
            Mask::Off => Cow::Borrowed(line),
        }
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(
        &'s self,
        prompt: &'p str,
        default: bool,
    ) -> Cow<'b, str> {
        let nick = prompt
            .strip_prefix(TIME_AND_NICK)
            .and_then(|rest| rest.strip_suffix("> "));
        let Some(nick) = nick.filter(|_| default) else {
            return Cow::Borrowed(prompt);
        };
        let mut drawn = String::new();
        self.style.dim(&mut drawn, &self.now());
        drawn.push('<');
        self.style.nick(&mut drawn, nick);
        drawn.push_str("> ");
        Cow::Owned(drawn)
    }

    /// Always: the time in the prompt is that of the last key, and whether the line is empty must be known.
    fn highlight_char(&self, _line: &str, _pos: usize, _kind: CmdKind) -> bool {
        true
    }
}

impl Completer for Guide {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        if self.mask == Mask::On {
            return Ok((pos, Vec::new()));
        }
        let known = self.shared.lock();
        Ok(complete(line.get(..pos).unwrap_or_default(), &known.others))
    }
}

/// What the word before the cursor may become: where it begins, and the candidates.
fn complete(before: &str, nicks: &BTreeSet<String>) -> (usize, Vec<Pair>) {
    let start = before.rfind(char::is_whitespace).map_or(0, |at| {
        at + before[at..].chars().next().map_or(1, char::len_utf8)
    });
    let word = before[start..].to_lowercase();
    let pair = |display: &str, replacement: String| Pair {
        display: display.to_string(),
        replacement,
    };
    let candidates = if start == 0 && word.starts_with('/') {
        COMMANDS
            .iter()
            .filter(|(name, ..)| name.starts_with(&word))
            .map(|(name, takes, _)| {
                let space = if takes.is_empty() { "" } else { " " };
                pair(name, format!("{name}{space}"))
            })
            .collect()
    } else if word.is_empty() {
        Vec::new()
    } else {
        let behind = if start == 0 { ": " } else { " " };
        nicks
            .iter()
            .filter(|nick| nick.to_lowercase().starts_with(&word))
            .map(|nick| pair(nick, format!("{nick}{behind}")))
            .take(MAX_OFFERED)
            .collect()
    };
    (start, candidates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_nicks_are_completed() {
        let nicks: BTreeSet<String> = ["Ann", "anton", "bob", "Ольга"].map(Into::into).into();
        let texts = |before: &str| {
            let (start, pairs) = complete(before, &nicks);
            let texts: Vec<String> = pairs.into_iter().map(|pair| pair.replacement).collect();
            (start, texts)
        };
        let table: [(&str, usize, &[&str]); 8] = [
            ("an", 0, &["Ann: ", "anton: "]),
            ("hello AN", 6, &["Ann ", "anton "]),
            ("/msg ол", 5, &["Ольга "]),
            ("/jo", 0, &["/join "]),
            ("/h", 0, &["/history ", "/help"]),
            ("see /h", 4, &[]),
            ("", 0, &[]),
            ("hello\u{3000}b", 8, &["bob "]),
        ];
        for (before, start, candidates) in table {
            let (at, texts) = texts(before);
            assert_eq!(
                (at, texts.as_slice()),
                (
                    start,
                    &candidates.iter().map(|c| c.to_string()).collect::<Vec<_>>()[..]
                ),
                "{before:?}"
            );
        }
    }
}
