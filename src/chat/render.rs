//! One event, two renderings: a line of JSON for programs, a line of text for people.
//!
//! In plain text whatever the server says begins with `* `, and a person's words never do: they stand behind
//! `<nick> ` or `[nick] `, and where a notice quotes a person (an action, a topic) the nick stands in `<>`,
//! which no notice of the server's own begins with.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::borrow::Cow;
use std::io::Write;

use crate::chat::wire::{ChatEvent, encode};

/// How a member is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Lines of text.
    Plain,
    /// Lines of JSON.
    Structured,
}

impl Dialect {
    /// Both, in the order of their [`Dialect::index`].
    pub const ALL: [Dialect; 2] = [Dialect::Plain, Dialect::Structured];

    /// For tables with a place for each.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Appends `event` as one line, or as nothing where it means nothing to the reader.
pub fn render(dialect: Dialect, out: &mut Vec<u8>, event: &ChatEvent<'_>) {
    match dialect {
        Dialect::Structured => encode(out, event),
        Dialect::Plain => plain(out, event),
    }
}

fn plain(out: &mut Vec<u8>, event: &ChatEvent<'_>) {
    // Writing into a Vec cannot fail.
    let _ = match event {
        // The hot path, without the formatter.
        ChatEvent::Message { nick, text, .. } => {
            for part in [b"<", nick.as_bytes(), b"> ", text.as_bytes(), b"\n"] {
                out.extend_from_slice(part);
            }
            Ok(())
        }
        ChatEvent::Action { nick, text, .. } => writeln!(out, "* <{nick}> {text}"),
        ChatEvent::Topic { nick, text, .. } if text.is_empty() => {
            writeln!(out, "* <{nick}> took the topic away")
        }
        ChatEvent::Topic { nick, text, .. } => writeln!(out, "* <{nick}> set the topic: {text}"),
        ChatEvent::Private { nick, text, .. } => writeln!(out, "[{nick}] {text}"),
        ChatEvent::Welcome { nick, room, .. } => {
            writeln!(out, "* you are {nick} in {room}; /help lists the commands")
        }
        ChatEvent::Goodbye { text, .. }
        | ChatEvent::Notice { text }
        | ChatEvent::Refusal { text, .. } => writeln!(out, "* {text}"),
        ChatEvent::Joined { nicks, more, .. } => writeln!(out, "* {} joined", names(nicks, *more)),
        ChatEvent::Left { nicks, more, .. } => writeln!(out, "* {} left", names(nicks, *more)),
        ChatEvent::Renamed { from, to, .. } => writeln!(out, "* {from} is now {to}"),
        ChatEvent::Gap { missing, .. } => {
            writeln!(out, "* {} no longer kept", lines(*missing, "is", "are"))
        }
        ChatEvent::Skipped { lines: count, .. } => {
            writeln!(out, "* {} skipped", lines(*count, "", "").trim_end())
        }
        ChatEvent::Pong => writeln!(out, "* pong"),
        ChatEvent::You { .. }
        | ChatEvent::Members { .. }
        | ChatEvent::Ack { .. }
        | ChatEvent::HistoryEnd { .. }
        | ChatEvent::Ping
        | ChatEvent::Unknown => Ok(()),
    };
}

/// `1 line is`, `5 lines are`.
fn lines(count: u64, one: &str, many: &str) -> String {
    match count {
        1 => format!("1 line {one}"),
        _ => format!("{count} lines {many}"),
    }
}

/// `ann`, `ann and bob`, `ann, bob and 3 more`.
pub fn names(nicks: &[Cow<'_, str>], more: u64) -> String {
    let more = (more > 0).then(|| format!("{more} more"));
    let mut all: Vec<&str> = nicks.iter().map(AsRef::as_ref).collect();
    all.extend(more.as_deref());
    match all.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_string(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::timestamp::Timestamp;

    fn text(event: &ChatEvent<'_>) -> String {
        let mut out = Vec::new();
        render(Dialect::Plain, &mut out, event);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn what_a_person_says_never_begins_like_a_notice() {
        let said = |action: bool| {
            let (room, nick, text) = ("#x".into(), "ann".into(), "joined #lobby".into());
            let (id, time) = (1, Timestamp::default());
            if action {
                ChatEvent::Action {
                    room,
                    id,
                    time,
                    nick,
                    text,
                }
            } else {
                ChatEvent::Message {
                    room,
                    id,
                    time,
                    nick,
                    text,
                }
            }
        };
        assert_eq!(text(&said(false)), "<ann> joined #lobby\n");
        assert_eq!(text(&said(true)), "* <ann> joined #lobby\n");
    }

    #[test]
    fn counts_and_names_read_well() {
        let skipped = |lines| ChatEvent::Skipped {
            room: "#x".into(),
            lines,
        };
        assert_eq!(text(&skipped(132)), "* 132 lines skipped\n");
        assert_eq!(text(&skipped(1)), "* 1 line skipped\n");
        let gap = |missing| ChatEvent::Gap {
            room: "#x".into(),
            missing,
        };
        assert_eq!(text(&gap(1)), "* 1 line is no longer kept\n");
        assert_eq!(text(&gap(2)), "* 2 lines are no longer kept\n");
        let joined = |nicks: &[&'static str], more| ChatEvent::Joined {
            room: "#x".into(),
            time: Timestamp::default(),
            nicks: nicks.iter().map(|&n| n.into()).collect(),
            more,
        };
        assert_eq!(text(&joined(&["ann"], 0)), "* ann joined\n");
        assert_eq!(text(&joined(&["ann", "bob"], 0)), "* ann and bob joined\n");
        assert_eq!(
            text(&joined(&["ann", "bob"], 3)),
            "* ann, bob and 3 more joined\n"
        );
    }
}
