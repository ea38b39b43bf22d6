//! Events for people: one line each, with colours and local times where they are wanted.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::hash::{Hash, Hasher};

use jiff::tz::TimeZone;

use crate::chat::nick::Key;
use crate::chat::render::{Dialect, render};
use crate::chat::server::{Happening, Report};
use crate::chat::wire::ChatEvent;
use crate::core::sanitise::sanitise_str;
use crate::core::timestamp::Timestamp;

/// Which time stands before a line.
#[derive(Debug, Clone)]
pub enum Clock {
    /// None.
    Off,
    /// `14:03`.
    Minutes(TimeZone),
    /// `2026-11-24 14:03:52`.
    Seconds(TimeZone),
}

impl Clock {
    /// A time with the space behind it, as it stands before a line.
    pub fn text(&self, time: Timestamp) -> String {
        let (zone, format) = match self {
            Clock::Off => return String::new(),
            Clock::Minutes(zone) => (zone, "%H:%M "),
            Clock::Seconds(zone) => (zone, "%Y-%m-%d %H:%M:%S "),
        };
        time.in_zone(zone).strftime(format).to_string()
    }
}

/// How events look.
#[derive(Debug, Clone)]
pub struct Style {
    /// Whether colours are used.
    pub colours: bool,
    /// Which time is shown.
    pub clock: Clock,
}

const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

/// Colours of the 256-colour palette whose contrast (WCAG 2, 1.4.3) is at least 3 against black and against
/// white, so that they can be read on a dark and on a light terminal.
const NICK_COLOURS: [u8; 16] = [
    26, 28, 30, 32, 63, 64, 68, 98, 100, 128, 130, 133, 136, 160, 166, 169,
];

impl Style {
    /// Appends an event of the chat as one line. Whether it means anything to a person.
    pub fn chat_event(&self, out: &mut String, event: &ChatEvent<'_>) -> bool {
        self.event(out, None, event)
    }

    fn event(&self, out: &mut String, room: Option<&str>, event: &ChatEvent<'_>) -> bool {
        let before = out.len();
        if let Some(time) = time_of(event) {
            self.dim(out, &self.clock.text(time));
        }
        if let Some(room) = room {
            self.dim(out, &format!("{} ", sanitise_str(room)));
        }
        let (open, close, nick, text) = match event {
            ChatEvent::Message { nick, text, .. } => ("<", "> ", nick, text),
            ChatEvent::Private { nick, text, .. } => ("[", "] ", nick, text),
            ChatEvent::Action { nick, text, .. } => ("* <", "> ", nick, text),
            _ => {
                let mut line = Vec::new();
                render(Dialect::Plain, &mut line, event);
                let line = String::from_utf8_lossy(&line);
                let Some(line) = line.strip_suffix('\n') else {
                    out.truncate(before);
                    return false;
                };
                self.dim(out, &sanitise_str(line));
                out.push('\n');
                return true;
            }
        };
        out.push_str(open);
        self.nick(out, nick);
        out.push_str(close);
        out.push_str(&sanitise_str(text));
        out.push('\n');
        true
    }

    /// Appends a nick in its colour.
    pub fn nick(&self, out: &mut String, nick: &str) {
        let shown = sanitise_str(nick);
        if self.colours {
            let colour = colour_of(nick);
            out.push_str(&format!("\x1b[38;5;{colour}m{shown}{PLAIN}"));
        } else {
            out.push_str(&shown);
        }
    }

    /// Appends something of less weight.
    pub fn dim(&self, out: &mut String, text: &str) {
        if self.colours && !text.is_empty() {
            out.push_str(DIM);
            out.push_str(text);
            out.push_str(PLAIN);
        } else {
            out.push_str(text);
        }
    }

    /// Appends a line of the operator's view.
    pub fn report(&self, out: &mut String, report: &Report) {
        let happening = match report {
            Report::Said(event) => {
                self.event(out, room_of(event), event);
                return;
            }
            Report::Event(happening) => happening,
        };
        let (time, text) = match happening {
            Happening::Entered {
                time,
                room,
                nick,
                address,
            } => (time, format!("{room} * {nick} joined from {address}")),
            Happening::Departed {
                time,
                room,
                nick,
                address,
                why,
            } => {
                let from = match address.is_empty() {
                    true => String::new(),
                    false => format!(" from {address}"),
                };
                (time, format!("{room} * {nick}{from} left: {why}"))
            }
            Happening::Renamed {
                time,
                room,
                from,
                to,
            } => (time, format!("{room} * {from} is now {to}")),
            Happening::Refused {
                time,
                address,
                text,
                ..
            } => (time, format!("* {address} refused: {text}")),
            Happening::HandshakeFailed {
                time,
                address,
                text,
            } => (time, format!("* {address}: no TLS: {text}")),
            Happening::Operator { time, text } => (time, format!("* operator: {text}")),
            Happening::Warning { time, text } => (time, format!("* warning: {text}")),
        };
        self.dim(out, &self.clock.text(*time));
        out.push_str(&sanitise_str(&text));
        out.push('\n');
    }
}

fn time_of(event: &ChatEvent<'_>) -> Option<Timestamp> {
    match event {
        ChatEvent::Message { time, .. }
        | ChatEvent::Action { time, .. }
        | ChatEvent::Topic { time, .. }
        | ChatEvent::Private { time, .. }
        | ChatEvent::Joined { time, .. }
        | ChatEvent::Left { time, .. }
        | ChatEvent::Renamed { time, .. } => Some(*time),
        _ => None,
    }
}

fn room_of<'a>(event: &'a ChatEvent<'_>) -> Option<&'a str> {
    match event {
        ChatEvent::Message { room, .. }
        | ChatEvent::Action { room, .. }
        | ChatEvent::Topic { room, .. } => Some(room),
        _ => None,
    }
}

/// The same for all spellings of a name that are one name.
fn colour_of(nick: &str) -> u8 {
    // FNV-1a: std's hasher promises nothing from one release to the next, and colours should not change.
    struct Fnv(u64);
    impl Hasher for Fnv {
        fn write(&mut self, bytes: &[u8]) {
            for &byte in bytes {
                self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        fn finish(&self) -> u64 {
            self.0
        }
    }
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    Key::of(nick).hash(&mut hasher);
    let hash = hasher.finish();
    NICK_COLOURS[((hash ^ hash >> 32) % NICK_COLOURS.len() as u64) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(nick: &'static str, text: &'static str) -> ChatEvent<'static> {
        ChatEvent::Message {
            room: "#lobby".into(),
            id: 1,
            time: Timestamp::from_unix_micros(1_500_000),
            nick: nick.into(),
            text: text.into(),
        }
    }

    fn shown(style: &Style, event: &ChatEvent<'_>) -> String {
        let mut out = String::new();
        style.chat_event(&mut out, event);
        out
    }

    const BARE: Style = Style {
        colours: false,
        clock: Clock::Off,
    };

    #[test]
    fn a_hostile_server_cannot_command_the_terminal() {
        let event = message("a\x1b[2Jb", "x\u{202e}y\x07");
        assert_eq!(shown(&BARE, &event), "<a\\x1b[2Jb> x\\u{202e}y\\x07\n");
        let notice = ChatEvent::Notice {
            text: "\x1b]0;root\x07\nsecond".into(),
        };
        let line = shown(&BARE, &notice);
        assert_eq!(line, "* \\x1b]0;root\\x07\\x0asecond\n");
    }

    #[test]
    fn times_are_local_and_before_the_line() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let style = |clock| Style {
            colours: false,
            clock,
        };
        let event = message("ann", "hi");
        assert_eq!(
            shown(&style(Clock::Minutes(zone.clone())), &event),
            "02:00 <ann> hi\n"
        );
        let mut out = String::new();
        style(Clock::Seconds(zone)).report(&mut out, &Report::Said(event));
        assert_eq!(out, "1970-01-01 02:00:01 #lobby <ann> hi\n");
    }

    #[test]
    fn a_nick_has_one_colour_however_it_is_spelt() {
        assert_eq!(colour_of("Ann"), colour_of("ann"));
        let style = Style {
            colours: true,
            ..BARE
        };
        assert!(shown(&style, &message("ann", "hi")).contains("\x1b[38;5;"));
        assert!(!shown(&BARE, &message("ann", "hi")).contains('\x1b'));
    }

    #[test]
    fn nick_colours_can_be_read_on_black_and_on_white() {
        fn luminance(colour: u8) -> f64 {
            let cube = colour - 16;
            let level = |n: u8| {
                if n == 0 {
                    0.0
                } else {
                    f64::from(55 + 40 * n) / 255.0
                }
            };
            let linear = |c: f64| {
                if c <= 0.04045 {
                    c / 12.92
                } else {
                    ((c + 0.055) / 1.055).powf(2.4)
                }
            };
            let [r, g, b] = [cube / 36, cube / 6 % 6, cube % 6].map(|n| linear(level(n)));
            0.2126 * r + 0.7152 * g + 0.0722 * b
        }
        for colour in NICK_COLOURS {
            let light = luminance(colour);
            let on_black = (light + 0.05) / 0.05;
            let on_white = 1.05 / (light + 0.05);
            assert!(
                on_black >= 3.0 && on_white >= 3.0,
                "{colour}: {on_black:.2} on black, {on_white:.2} on white"
            );
        }
    }
}
