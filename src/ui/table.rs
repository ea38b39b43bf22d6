//! Reports for people: tables on a terminal, whatever its width, and aligned text in a pipe.
//!
//! In a pipe a line is a row, its cells two spaces apart, so that `grep`, `awk` and `cut` have an easy time. On a
//! terminal a table gets the first of these layouts in which no word is broken: lines around it; none, which saves
//! a third of a narrow table's width; either with words wrapped; a list, one block a row, one line a cell.

use std::fmt::Write as _;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::core::sanitise::sanitise_str;
use crate::inspect::report::{Body, Cell, Report};

/// A value has to have so much room beside its name, with the space between them.
const BESIDE_A_NAME: usize = 16;

/// Below this no layout is readable, and lines are left as long as they are, for the terminal to wrap.
const LEAST_WIDTH: usize = 10;

/// What is between the columns of a table without lines, and behind a name.
const GAP: usize = 2;

/// SGR sequences (ECMA-48 section 8.3.117).
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// A report as text. `width`: that of the terminal in columns; `None`: there is none. `colours`: whether titles stand
/// out.
pub fn render(report: &Report, width: Option<usize>, colours: bool) -> String {
    let width = width.filter(|width| *width >= LEAST_WIDTH);
    let mut out = String::new();
    for section in report.sections.iter().filter(|section| !section.is_empty()) {
        if !out.is_empty() {
            out.push('\n');
        }
        if !section.title.is_empty() {
            out.push_str(&title(section.title, width, colours));
        }
        match &section.body {
            Body::Facts(facts) => {
                let rows: Vec<Vec<String>> = facts
                    .iter()
                    .filter(|(_, cell)| !section.is_terse || !cell.is_zero())
                    .map(|(name, cell)| vec![clean(name), shown(cell)])
                    .collect();
                named(&mut out, &rows, width);
            }
            Body::Table { columns, rows } => {
                let rows: Vec<Vec<String>> = rows
                    .iter()
                    .map(|row| row.iter().map(shown).collect())
                    .collect();
                table(&mut out, columns, &rows, width);
            }
        }
    }
    for (number, remark) in report.remarks.iter().enumerate() {
        if number == 0 && !out.is_empty() {
            out.push('\n');
        }
        paragraph(&mut out, &format!("note: {}", clean(remark)), "", width);
    }
    out
}

/// A line that stands above others.
pub fn title(text: &str, width: Option<usize>, colours: bool) -> String {
    let (on, off) = match colours {
        true => (BOLD, PLAIN),
        false => ("", ""),
    };
    let mut out = String::new();
    for line in wrapped(&clean(text), width.unwrap_or(usize::MAX)) {
        let _ = writeln!(out, "{on}{line}{off}");
    }
    out
}

/// What a peer, a process or a file is called must not command the terminal.
fn clean(text: &str) -> String {
    sanitise_str(text).into_owned()
}

fn shown(cell: &Cell) -> String {
    clean(&cell.shown())
}

fn table(out: &mut String, header: &[&'static str], rows: &[Vec<String>], width: Option<usize>) {
    let natural = widths(Some(header), rows, UnicodeWidthStr::width);
    let Some(width) = width else {
        aligned(out, Some(header), rows, &natural);
        return;
    };
    let words = widths(Some(header), rows, longest_word);
    let columns = header.len();
    // What the lines and the padding of a table take, and the gaps of one without.
    let (lines, gaps) = (3 * columns + 1, GAP * columns.saturating_sub(1));
    let room = |needed: &[usize], beside: usize| needed.iter().sum::<usize>() + beside <= width;
    if room(&natural, gaps) && !room(&natural, lines) {
        aligned(out, Some(header), rows, &natural);
    } else if room(&words, lines) {
        framed(out, header, rows, &words, width);
    } else if room(&words, gaps) {
        let widths = shares(&natural, &words, width - gaps);
        columns_of(out, header, rows, &widths);
    } else {
        for (number, row) in rows.iter().enumerate() {
            if number > 0 {
                out.push('\n');
            }
            let pairs: Vec<Vec<String>> = header
                .iter()
                .zip(row)
                .enumerate()
                // What means nothing for the row would make most lines of a matrix.
                .filter(|(column, (_, cell))| *column == 0 || *cell != NOTHING)
                .map(|(_, (name, cell))| vec![(*name).to_owned(), cell.clone()])
                .collect();
            named(out, &pairs, Some(width));
        }
    }
}

/// [`Cell::shown`] of what is not applicable, and an empty cell: without one, those behind it would be in another
/// column for awk.
const NOTHING: &str = "-";

/// Names and values. Names are not to be broken: where there is no room beside them the values stand below.
fn named(out: &mut String, rows: &[Vec<String>], width: Option<usize>) {
    let names = widths(None, rows, UnicodeWidthStr::width);
    let Some(width) = width else {
        aligned(out, None, rows, &names);
        return;
    };
    let name = names.first().copied().unwrap_or(0);
    if name + BESIDE_A_NAME > width {
        for row in rows {
            let mut cells = row.iter();
            paragraph(
                out,
                cells.next().map_or("", String::as_str),
                "",
                Some(width),
            );
            for cell in cells {
                paragraph(out, cell, "  ", Some(width));
            }
        }
        return;
    }
    let widths = [name, width - name - GAP];
    for row in rows {
        columns_line(out, row, &widths);
    }
}

fn framed(
    out: &mut String,
    header: &[&'static str],
    rows: &[Vec<String>],
    words: &[usize],
    width: usize,
) {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(width).unwrap_or(u16::MAX))
        .set_header(header.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    for (number, word) in words.iter().enumerate() {
        // With the padding.
        if let Ok(least) = u16::try_from(word + 2)
            && let Some(column) = table.column_mut(number)
        {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
        }
    }
    for line in table.lines() {
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

/// Columns that have been given less than they need share what their words leave, the narrowest first.
fn shares(natural: &[usize], words: &[usize], room: usize) -> Vec<usize> {
    let mut widths = words.to_vec();
    let mut left = room.saturating_sub(words.iter().sum());
    while left > 0 {
        let narrowest = (0..widths.len())
            .filter(|&at| widths[at] < natural[at])
            .min_by_key(|&at| widths[at]);
        let Some(at) = narrowest else { break };
        widths[at] += 1;
        left -= 1;
    }
    widths
}

fn columns_of(out: &mut String, header: &[&str], rows: &[Vec<String>], widths: &[usize]) {
    let header: Vec<String> = header.iter().map(|&name| name.into()).collect();
    columns_line(out, &header, widths);
    for row in rows {
        columns_line(out, row, widths);
    }
}

/// A row whose cells are wrapped.
fn columns_line(out: &mut String, cells: &[String], widths: &[usize]) {
    let cells: Vec<Vec<String>> = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| wrapped(cell, *width))
        .collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    for number in 0..height {
        let line: Vec<String> = cells
            .iter()
            .map(|cell| cell.get(number).cloned().unwrap_or_default())
            .collect();
        padded(out, line.iter().map(String::as_str), widths);
    }
}

fn aligned(
    out: &mut String,
    header: Option<&[&'static str]>,
    rows: &[Vec<String>],
    widths: &[usize],
) {
    if let Some(header) = header {
        padded(out, header.iter().copied(), widths);
    }
    for row in rows {
        let cells = row.iter().map(|cell| match cell.is_empty() {
            true => NOTHING,
            false => cell,
        });
        padded(out, cells, widths);
    }
}

fn padded<'a>(out: &mut String, cells: impl Iterator<Item = &'a str>, widths: &[usize]) {
    let mut text = String::new();
    for (number, (cell, width)) in cells.zip(widths).enumerate() {
        if number > 0 {
            text.push_str("  ");
        }
        let _ = write!(text, "{cell}{:1$}", "", width.saturating_sub(cell.width()));
    }
    out.push_str(text.trim_end());
    out.push('\n');
}

/// The largest measure in each column.
fn widths(
    header: Option<&[&'static str]>,
    rows: &[Vec<String>],
    measure: fn(&str) -> usize,
) -> Vec<usize> {
    let columns = header.map_or_else(|| rows.first().map_or(0, Vec::len), <[_]>::len);
    (0..columns)
        .map(|column| {
            let title = header
                .and_then(|header| header.get(column))
                .map_or(0, |title| measure(title));
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| measure(cell))
                .fold(title, usize::max)
        })
        .collect()
}

fn longest_word(text: &str) -> usize {
    text.split_whitespace()
        .map(UnicodeWidthStr::width)
        .max()
        .unwrap_or(0)
}

/// A text of words, wrapped, behind an indent.
fn paragraph(out: &mut String, text: &str, indent: &str, width: Option<usize>) {
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(indent.width()));
    for line in wrapped(text, room) {
        let _ = writeln!(out, "{indent}{line}");
    }
}

/// The lines of a text of words. A word that is longer than a line is broken, if it can be behind a mark: names of
/// settings and addresses are long.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.width() + 1 + word.width() <= width {
            line.push(' ');
        } else if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        let mut rest = word;
        while rest.width() > width {
            let (piece, after) = rest.split_at(break_at(rest, width));
            lines.push(piece.into());
            rest = after;
        }
        line.push_str(rest);
    }
    lines.push(line);
    lines
}

/// Where to break a word that is wider than so much.
fn break_at(word: &str, width: usize) -> usize {
    let (mut used, mut end, mut mark) = (0, 0, 0);
    for (at, c) in word.char_indices() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        end = at + c.len_utf8();
        if ['.', ':', '_', '-', '/', ',', '+', '='].contains(&c) {
            mark = end;
        }
    }
    // A mark near the beginning would leave the line empty; one character has to go on, whatever its width.
    let first = word.chars().next().map_or(1, char::len_utf8);
    if mark * 2 > end { mark } else { end.max(first) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::report::Section;

    fn report() -> Report {
        let row = |name: &str| {
            vec![
                Cell::text(name),
                Cell::text("2001:db8:1234:5678:9abc:def0:1234:5678/64"),
                Cell::count(1500, Some("bytes")),
                Cell::flag(true),
                Cell::text(""),
            ]
        };
        let mut report = Report::new("host", "here")
            .with(Section::facts(
                "facts",
                "",
                vec![
                    (
                        "name".into(),
                        Cell::text("a host with a rather long name of many words"),
                    ),
                    (
                        "SO_RCVBUF".into(),
                        Cell::count(131_072, Some("bytes")).shown_as("128KiB"),
                    ),
                ],
            ))
            .with(Section::table(
                "interfaces",
                "Interfaces",
                &["name", "address", "mtu", "up", "note"],
                vec![row("lo"), row("eth0")],
            ));
        report.remarks.push(
            "MSS clamped to 1380: a tunnel, or somebody who measures in another unit?".into(),
        );
        report
    }

    #[test]
    fn in_a_pipe_a_row_is_a_line() {
        let text = render(&report(), None, false);
        assert!(text.contains("\nSO_RCVBUF  128KiB\n"), "{text}");
        let row = text.lines().find(|line| line.starts_with("eth0")).unwrap();
        assert_eq!(row.split_whitespace().count(), 6, "{row}");
        assert!(row.ends_with("yes  -"), "{row}");
        assert!(text.lines().all(|line| line == line.trim_end()));
    }

    #[test]
    fn on_a_terminal_no_line_is_wider_than_it() {
        for width in [20, 30, 40, 60, 80, 120, 300] {
            let text = render(&report(), Some(width), false);
            for line in text.lines() {
                assert!(line.width() <= width, "{width}: {line:?} in\n{text}");
            }
            let squeezed: String = text.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
            assert!(squeezed.contains("SORCVBUF"), "{width}\n{text}");
        }
    }

    #[test]
    fn a_hostile_name_cannot_command_the_terminal() {
        let facts = vec![("a\x1b[2J".into(), Cell::text("\x1b]0;x\x07"))];
        let report = Report::new("socket", "x").with(Section::facts("facts", "", facts));
        for width in [None, Some(40)] {
            assert!(!render(&report, width, false).contains('\x1b'));
        }
    }
}
