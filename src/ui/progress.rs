//! A transfer for people: the lines of its events, and a bar that fits the terminal.
//!
//! The bar is made here as text, so that a test can see it at every width; [`super::bars`] puts it on the screen.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::fmt;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::core::sanitise::sanitise_str;
use crate::transfer::report::{Event, FileReport, Outcome, Progress, Report, Thing, Totals};
use crate::transfer::wire::Verdict;

/// Which end it is that reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `send-file`.
    Sending,
    /// `recv-file`.
    Receiving,
}

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Something went wrong.
    Warning,
    /// Worth a line everywhere.
    Note,
    /// What became of one file: worth a line where there is no bar.
    File,
    /// For `-v`.
    Detail,
    /// For `-vv`.
    Trace,
}

/// The line of an event, if it has one. Not safe to look at before it was sanitised.
pub fn line(report: &Report, side: Side) -> Option<(Weight, String)> {
    let (weight, text) = match &report.event {
        Event::Phase { .. } | Event::Progress(_) => return None,
        Event::Connected { again: true, .. } => (Weight::Note, "connected again".to_string()),
        Event::Connected { address, .. } => (Weight::Detail, format!("connected with {address}")),
        // Without another attempt the error says it.
        Event::Disconnected {
            retrying: false, ..
        } => return None,
        Event::Disconnected {
            reason, retry_in, ..
        } => {
            let next = match retry_in {
                Some(seconds) => format!("trying again in {}", Seconds(*seconds)),
                None => "waiting for it to come back".to_string(),
            };
            (
                Weight::Note,
                format!("lost the connection: {reason}; {next}"),
            )
        }
        Event::Offer { path, size, .. } => {
            let size = size.map_or(String::new(), |size| format!(", {}", Bytes(size)));
            (Weight::Trace, format!("offered {path}{size}"))
        }
        Event::File(file) => file_line(file, side),
        Event::Note { text } => (Weight::Note, text.clone()),
        Event::Warning { text } => (Weight::Warning, text.clone()),
        Event::Done { totals, seconds } => (Weight::Note, sums(totals, *seconds, side)),
    };
    Some(match report.session {
        Some(number) => (weight, format!("[{number}] {text}")),
        None => (weight, text),
    })
}

fn file_line(file: &FileReport, side: Side) -> (Weight, String) {
    let path = &file.path;
    let weight = match (file.outcome.is_fine(), file.thing) {
        (false, _) => Weight::Warning,
        (true, Thing::File | Thing::Symlink) => Weight::File,
        (true, Thing::Directory) => Weight::Detail,
    };
    let mut text = match file.outcome {
        Outcome::Settled(Verdict::Stored) => match &file.saved_as {
            Some(name) => format!("stored {path} as {name}"),
            None => format!("stored {path}"),
        },
        Outcome::Settled(Verdict::Identical) => format!("identical {path}"),
        Outcome::Settled(Verdict::Skipped(_)) => format!("left out {path}"),
        Outcome::Settled(Verdict::Refused(_)) => format!("refused {path}"),
        Outcome::Settled(Verdict::Failed(_)) => match side {
            Side::Sending => format!("cannot send {path}"),
            Side::Receiving => format!("cannot receive {path}"),
        },
        Outcome::Unreadable => format!("cannot read {path}"),
        Outcome::WouldSend => format!("would send {path}"),
    };
    match (file.explain(), file.size) {
        (Some(why), _) if !file.outcome.is_good() => text.push_str(&format!(": {why}")),
        (_, Some(size)) => {
            text.push_str(&format!(", {}", Bytes(size)));
            let stored = matches!(file.outcome, Outcome::Settled(Verdict::Stored));
            if file.reused > 0 && (stored || file.outcome == Outcome::WouldSend) {
                text.push_str(&format!(", {} of it not sent", Bytes(file.reused)));
            }
        }
        _ => {}
    }
    (weight, text)
}

/// `2 stored, 1 refused; 1.20 GiB sent, 900 MiB needed no sending, in 2.3s (520 MiB/s)`
fn sums(totals: &Totals, seconds: f64, side: Side) -> String {
    let counts = [
        (totals.stored, "stored"),
        (totals.identical, "identical"),
        (totals.would_send, "would be sent"),
        (totals.skipped, "left out"),
        (totals.refused, "refused"),
        (totals.failed, "failed"),
        (totals.unreadable, "not readable"),
    ];
    let mut text = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect::<Vec<_>>()
        .join(", ");
    if text.is_empty() {
        text.push_str("nothing stored");
    }
    let verb = match side {
        Side::Sending => "sent",
        Side::Receiving => "received",
    };
    if totals.would_send == 0 {
        text.push_str(&format!("; {} {verb}", Bytes(totals.sent)));
        if totals.reused > 0 {
            text.push_str(&format!(", {} needed no sending,", Bytes(totals.reused)));
        }
        text.push_str(&format!(" in {}", Seconds(seconds)));
        // Of less time than that it would be a figure without a meaning.
        if seconds >= 0.1 && totals.sent > 0 {
            let rate = totals.sent as f64 / seconds;
            text.push_str(&format!(" ({}/s)", Bytes(rate as u64)));
        }
    }
    text
}

/// A number of bytes with three digits that matter: `1.21 GiB`, `850 MiB`, `12 B`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let mut value = self.0 as f64;
        let mut unit = "B";
        for next in UNITS {
            // What would be rounded to four digits is one of the next.
            if value < 999.5 && unit != "B" {
                break;
            }
            value /= 1024.0;
            unit = next;
        }
        match value {
            ..9.995 => write!(f, "{value:.2} {unit}"),
            9.995..99.95 => write!(f, "{value:.1} {unit}"),
            _ => write!(f, "{value:.0} {unit}"),
        }
    }
}

/// A time in a sentence: `0.03s`, `2.3s`, `1m 5s`.
struct Seconds(f64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ..0.095 => write!(f, "{:.2}s", self.0),
            0.095..59.95 => write!(f, "{:.1}s", self.0),
            _ => {
                let all = self.0.round() as u64;
                let (hours, minutes, seconds) = (all / 3600, all / 60 % 60, all % 60);
                match hours {
                    0 => write!(f, "{minutes}m {seconds}s"),
                    _ => write!(f, "{hours}h {minutes}m"),
                }
            }
        }
    }
}

/// A time on a clock: `0:03`, `1:02:03`, `3d 4h`.
fn countdown(seconds: f64) -> String {
    let all = seconds.ceil() as u64;
    let (days, hours, minutes, seconds) = (all / 86_400, all / 3600 % 24, all / 60 % 60, all % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}:{seconds:02}"),
        (0, _) => format!("{hours}:{minutes:02}:{seconds:02}"),
        _ => format!("{days}d {hours}h"),
    }
}

const DIM: &str = "\x1b[2m";
const CYAN: &str = "\x1b[36m";
const PLAIN: &str = "\x1b[0m";

/// Less than that is no terminal for a bar.
const NARROWEST: usize = 20;

/// The least and the widest bar, with its brackets.
const BAR: std::ops::RangeInclusive<usize> = 8..=32;

/// The lines that stand below all others while a transfer runs: a bar for the file, one for all if there are
/// several, and the figures. Each fits into `columns`; the terminal's last column stays free, because some wrap
/// when it is written to.
pub fn lines(progress: &Progress, columns: usize, colours: bool) -> Vec<String> {
    let columns = columns.max(NARROWEST) - 1;
    let several = progress.entries > 1 || progress.file.is_none();
    let eta = progress.eta.map(countdown);
    let mut lines = Vec::new();
    if let Some(file) = &progress.file {
        let all = Track {
            done: file.done,
            reused: 0,
            present: file.present,
            total: file.size,
        };
        // Of a single file it is known what needed no sending.
        let track = match several {
            true => all,
            false => Track {
                reused: progress.reused.min(file.done),
                ..all
            },
        };
        let eta = eta.as_deref().filter(|_| !several);
        lines.push(track.line(&file.path.to_string(), eta, columns, colours));
    }
    if several {
        let track = Track {
            done: progress.done,
            reused: progress.reused.min(progress.done),
            present: 0,
            // While more may come, a share of the whole is nobody's knowledge.
            total: Some(progress.bytes).filter(|bytes| *bytes > 0 && !progress.more),
        };
        let more = if progress.more { "+" } else { "" };
        let label = format!("{}/{}{more}", progress.settled, progress.entries);
        lines.push(track.line(&label, eta.as_deref(), columns, colours));
    }
    lines.push(figures(progress, columns, colours));
    lines
}

/// What a bar shows.
struct Track {
    done: u64,
    reused: u64,
    present: u64,
    total: Option<u64>,
}

impl Track {
    /// `label  [==##--....]  45%  0:03`
    fn line(&self, label: &str, eta: Option<&str>, columns: usize, colours: bool) -> String {
        let mut right = String::new();
        if let Some(share) = self.share(self.done) {
            // Not 100 before it is all.
            right.push_str(&format!("  {:3}%", (share * 100.0).floor()));
        }
        if let Some(eta) = eta {
            right.push_str("  ");
            right.push_str(eta);
        }
        let label_wants = label.width();
        let rest = columns.saturating_sub(right.width());
        // The label gets what it needs, but not more than half of it; the bar gets what is left.
        let has_bar = self.total.is_some() && rest >= *BAR.start() + 2 + 4;
        let label_gets = match has_bar {
            true => label_wants.min((rest / 2).max(rest.saturating_sub(*BAR.end() + 2)).max(4)),
            false => label_wants.min(rest),
        };
        let mut line = tail(label, label_gets);
        let bar = (rest - label_gets).saturating_sub(2).min(*BAR.end());
        if has_bar && bar >= *BAR.start() {
            line.push_str("  ");
            line.push_str(&self.bar(bar, colours));
        }
        line.push_str(&right);
        line
    }

    /// How much of the whole `bytes` are: 0 to 1.
    fn share(&self, bytes: u64) -> Option<f64> {
        match self.total? {
            0 => Some(1.0),
            total => Some((bytes as f64 / total as f64).min(1.0)),
        }
    }

    /// `[==##--....]`: needed no sending, sent, being compared, to come.
    fn bar(&self, width: usize, colours: bool) -> String {
        let inner = width - 2;
        let cells = |bytes| (self.share(bytes).unwrap_or(0.0) * inner as f64).floor() as usize;
        let done = cells(self.done);
        let reused = cells(self.reused).min(done);
        let present = cells(self.present.max(self.done)) - done;
        let (on, off) = if colours { (CYAN, PLAIN) } else { ("", "") };
        format!(
            "[{on}{}{}{off}{}{}]",
            "=".repeat(reused),
            "#".repeat(done - reused),
            "-".repeat(present),
            ".".repeat(inner - done - present)
        )
    }
}

/// `sending  850 MiB/s  900 MiB reused  1.21 of 2.00 GiB`: what does not fit is left out, from the end.
fn figures(progress: &Progress, columns: usize, colours: bool) -> String {
    let mut text = progress.phase.to_string();
    let mut parts = Vec::new();
    if progress.rate > 0 {
        parts.push(format!("{}/s", Bytes(progress.rate)));
    }
    if progress.reused > 0 {
        parts.push(format!("{} reused", Bytes(progress.reused)));
    }
    parts.push(match progress.bytes {
        0 => Bytes(progress.done).to_string(),
        bytes => format!("{} of {}", Bytes(progress.done), Bytes(bytes)),
    });
    for part in parts {
        if text.width() + 2 + part.width() <= columns {
            text.push_str("  ");
            text.push_str(&part);
        }
    }
    match colours {
        true => format!("{DIM}{text}{PLAIN}"),
        false => text,
    }
}

/// A text in at most so many columns. The end of a path says more than its beginning.
fn tail(text: &str, columns: usize) -> String {
    let text = sanitise_str(text);
    if text.width() <= columns {
        return text.into_owned();
    }
    let mut used = 1;
    let mut from = text.len();
    for (at, c) in text.char_indices().rev() {
        let width = c.width().unwrap_or(0);
        if used + width > columns {
            break;
        }
        used += width;
        from = at;
    }
    match columns {
        0 => String::new(),
        _ => format!("…{}", &text[from..]),
    }
}

#[cfg(test)]
mod tests;
