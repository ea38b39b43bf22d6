//! The figures of a run: percentiles, and how the times are spread.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use crate::echo::ping::probes::{Counts, Probes};

/// How many rows the picture of the spread has at the most.
const ROWS: usize = 10;

/// How wide its longest bar is, where there is room for it.
const BAR: usize = 24;

/// How wide the times before the bars are.
const TIME: usize = 10;

/// The times of the probes that came back intact, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Times {
    /// The shortest.
    pub min_us: f64,
    /// The arithmetic mean.
    pub mean_us: f64,
    /// Half of them took no longer.
    pub p50_us: f64,
    /// Nine in ten took no longer.
    pub p90_us: f64,
    /// 99 in a hundred took no longer.
    pub p99_us: f64,
    /// The longest.
    pub max_us: f64,
    /// The standard deviation of all of them.
    pub stddev_us: f64,
}

impl Times {
    /// `None` of none.
    pub fn of(times: &[Duration]) -> Option<Self> {
        let mut sorted: Vec<f64> = times.iter().map(|time| micros(*time)).collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let count = sorted.len() as f64;
        let mean = sorted.iter().sum::<f64>() / count;
        let variance = sorted.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / count;
        // The nearest rank: the smallest that so many in a hundred do not exceed.
        let rank = |percent: usize| {
            let place = (sorted.len() * percent).div_ceil(100).max(1);
            sorted[place - 1]
        };
        Some(Self {
            min_us: min,
            mean_us: rounded(mean),
            p50_us: rank(50),
            p90_us: rank(90),
            p99_us: rank(99),
            max_us: max,
            stddev_us: rounded(variance.sqrt()),
        })
    }
}

fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1000.0
}

/// To nanoseconds: more digits are noise.
fn rounded(micros: f64) -> f64 {
    (micros * 1000.0).round() / 1000.0
}

/// How long it took before the first probe could go.
#[derive(Debug, Clone, Copy, Default)]
pub struct Opening {
    /// To connect, if there is a connection.
    pub connect: Option<Duration>,
    /// To agree on TLS, if it is spoken.
    pub handshake: Option<Duration>,
}

/// The end of a run, as an event.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename = "summary")]
pub struct Summary {
    /// What was measured.
    pub address: String,
    /// How long connecting took, if there was a connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_us: Option<f64>,
    /// How long agreeing on TLS took after that, if it is spoken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshake_us: Option<f64>,
    /// The size of a probe in bytes.
    pub size: usize,
    /// Probes sent.
    pub sent: u32,
    /// Probes that came back.
    pub received: u32,
    /// Probes that did not.
    pub lost: u32,
    /// Answers to probes that were answered already.
    pub duplicates: u32,
    /// Probes that came back after a later one.
    pub reordered: u32,
    /// Answers that were not what was sent.
    pub corrupted: u32,
    /// How long they took; nothing if none came back intact.
    #[serde(flatten)]
    pub times: Option<Times>,
}

impl Summary {
    /// Of a run that has ended.
    pub fn of(address: String, opening: Opening, probes: &Probes) -> Self {
        let counts: Counts = probes.counts();
        Self {
            address,
            connect_us: opening.connect.map(micros),
            handshake_us: opening.handshake.map(micros),
            size: probes.plan().size,
            sent: counts.sent,
            received: counts.back,
            lost: counts.lost(),
            duplicates: counts.duplicates,
            reordered: counts.reordered,
            corrupted: counts.corrupted(),
            times: Times::of(probes.times()),
        }
    }

    /// For people, on a screen of so many columns, if it is one.
    pub fn text(&self, width: Option<usize>) -> String {
        let mut out = format!("--- {} ---\n", self.address);
        for line in self.lines() {
            out.push_str(&broken(&line, width));
            out.push('\n');
        }
        out
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let percent = match self.sent {
            0 => 0.0,
            sent => f64::from(self.lost) * 100.0 / f64::from(sent),
        };
        let mut counts = format!(
            "{} probes of {} bytes sent, {} received, {} lost ({percent:.1}%)",
            self.sent, self.size, self.received, self.lost
        );
        for (count, what) in [
            (self.duplicates, "duplicates"),
            (self.reordered, "reordered"),
            (self.corrupted, "corrupted"),
        ] {
            if count > 0 {
                counts.push_str(&format!(", {count} {what}"));
            }
        }
        lines.push(counts);
        if let Some(connect) = self.connect_us {
            let mut opening = format!("connect {}", human(connect));
            if let Some(handshake) = self.handshake_us {
                opening.push_str(&format!(", TLS {}", human(handshake)));
            }
            lines.push(opening);
        }
        if let Some(times) = self.times {
            lines.push(format!(
                "min {}, mean {}, p50 {}, p90 {}, p99 {}, max {}, stddev {}",
                human(times.min_us),
                human(times.mean_us),
                human(times.p50_us),
                human(times.p90_us),
                human(times.p99_us),
                human(times.max_us),
                human(times.stddev_us)
            ));
        }
        lines
    }
}

/// A list that is longer than the screen is wide, broken behind its commas.
fn broken(list: &str, width: Option<usize>) -> String {
    let mut out = String::new();
    let mut column = 0;
    for part in list.split_inclusive(", ") {
        let part_width = part.trim_end().chars().count();
        if column > 0 && width.is_some_and(|width| column + part_width > width) {
            out.truncate(out.trim_end().len());
            out.push('\n');
            column = 0;
        }
        out.push_str(part);
        column += part.chars().count();
    }
    out
}

/// A number of microseconds with its unit.
pub fn human(micros: f64) -> String {
    match micros {
        m if m < 1_000.0 => format!("{m:.1} µs"),
        m if m < 1_000_000.0 => format!("{:.3} ms", m / 1_000.0),
        m => format!("{:.3} s", m / 1_000_000.0),
    }
}

/// How the times are spread, as bars, on a screen of so many columns, if that is known: each row goes on from the one
/// above by the same factor. Nothing where there is nothing to compare.
pub fn picture(times: &[Duration], width: Option<usize>) -> String {
    let mut out = String::new();
    let Some(Times { min_us, max_us, .. }) = Times::of(times) else {
        return out;
    };
    // Below a tenth of a microsecond no clock tells apart.
    let low = min_us.max(0.1);
    if max_us <= low {
        return out;
    }
    let factor = (max_us / low).powf(1.0 / ROWS as f64);
    let mut counts = [0_usize; ROWS];
    for time in times {
        let row = (micros(*time).max(low) / low).ln() / factor.ln();
        counts[(row as usize).min(ROWS - 1)] += 1;
    }
    let most = counts.into_iter().max().unwrap_or(1).max(1);
    // Beside a bar stand the time, the count and two spaces.
    let beside = TIME + most.to_string().len() + 2;
    let longest = width.map_or(BAR, |width| width.saturating_sub(beside).clamp(1, BAR));
    let mut from = low;
    for count in counts {
        let bar = "#".repeat((count * longest).div_ceil(most));
        let gap = if bar.is_empty() { "" } else { " " };
        let _ = writeln!(out, "{:>TIME$} {bar}{gap}{count}", human(from));
        from *= factor;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros_of(numbers: &[u64]) -> Vec<Duration> {
        numbers.iter().map(|&n| Duration::from_micros(n)).collect()
    }

    #[test]
    fn percentiles_are_the_nearest_ranks() {
        let hundred: Vec<u64> = (1..=100).rev().collect();
        let times = Times::of(&micros_of(&hundred)).unwrap();
        assert_eq!(
            (
                times.min_us,
                times.p50_us,
                times.p90_us,
                times.p99_us,
                times.max_us
            ),
            (1.0, 50.0, 90.0, 99.0, 100.0)
        );
        assert_eq!(times.mean_us, 50.5);
        assert_eq!(times.stddev_us, 28.866);
        let one = Times::of(&micros_of(&[7])).unwrap();
        assert_eq!((one.min_us, one.p99_us, one.stddev_us), (7.0, 7.0, 0.0));
        assert_eq!(Times::of(&[]), None);
    }

    #[test]
    fn the_picture_counts_every_time_once() {
        let times = micros_of(&[10, 10, 10, 20, 40, 1000]);
        let picture = picture(&times, None);
        let rows: Vec<&str> = picture.lines().collect();
        assert_eq!(rows.len(), ROWS);
        let total: usize = rows
            .iter()
            .filter_map(|row| row.rsplit(' ').next()?.parse::<usize>().ok())
            .sum();
        assert_eq!(total, 6, "{picture}");
        assert!(rows[0].contains(&"#".repeat(BAR)), "{picture}");
        assert!(
            rows.iter().all(|row| row.chars().count() <= 44),
            "{picture}"
        );
        assert_eq!(
            super::picture(&micros_of(&[5, 5]), None),
            "",
            "nothing to compare"
        );
    }

    #[test]
    fn a_narrow_screen_has_shorter_bars() {
        let mut many = micros_of(&[10; 12_345]);
        many.extend(micros_of(&[20, 1000]));
        for (width, longest) in [(80, BAR), (40, 23), (20, 3), (5, 1)] {
            let picture = picture(&many, Some(width));
            let first = picture.lines().next().unwrap();
            assert_eq!(first.matches('#').count(), longest, "{picture}");
            let widest = picture.lines().map(|row| row.chars().count()).max();
            assert!(widest <= Some(width.max(18)), "{width}: {picture}");
            assert!(!picture.contains("  0"), "{picture}");
        }
    }

    #[test]
    fn a_narrow_screen_has_shorter_lines() {
        let list = "min 167.4 µs, mean 234.3 µs, p50 197.9 µs, max 1 s";
        assert_eq!(broken(list, None), list);
        assert_eq!(broken(list, Some(list.chars().count())), list);
        assert_eq!(
            broken(list, Some(28)),
            "min 167.4 µs, mean 234.3 µs,\np50 197.9 µs, max 1 s"
        );
        assert_eq!(
            broken(list, Some(1)),
            "min 167.4 µs,\nmean 234.3 µs,\np50 197.9 µs,\nmax 1 s"
        );
    }

    #[test]
    fn times_are_shown_in_the_unit_that_fits() {
        assert_eq!(human(12.34), "12.3 µs");
        assert_eq!(human(1234.5), "1.234 ms");
        assert_eq!(human(1_500_000.0), "1.500 s");
    }
}
