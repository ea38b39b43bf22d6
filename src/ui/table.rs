//! Reports for people: tables on a terminal, whatever its width, and aligned text in a pipe.
//!
//! In a pipe a line is a row, its cells two spaces apart, so that `grep`, `awk` and `cut` have an easy time. On a
//! terminal what does not fit is wrapped, and a table with more columns than have room becomes a list: one block a
//! row, one line a cell.

use std::fmt::Write as _;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::core::sanitise::sanitise_str;
use crate::inspect::report::{Body, Cell, Report};

/// A table has to leave each of its columns so much, or it becomes a list: words of the catalogue are about this long.
const LEAST_COLUMN: usize = 8;

/// A value has to have so much room beside its name, with the space between them.
const BESIDE_A_NAME: usize = 16;

/// Below this no layout is readable, and lines are left as long as they are, for the terminal to wrap.
const LEAST_WIDTH: usize = 10;

/// A report as text. `width`: that of the terminal in columns; `None`: there is none.
pub fn render(report: &Report, width: Option<usize>) -> String {
    let width = width.filter(|width| *width >= LEAST_WIDTH);
    let mut out = String::new();
    for section in report.sections.iter().filter(|section| !section.is_empty()) {
        if !out.is_empty() {
            out.push('\n');
        }
        if !section.title.is_empty() {
            paragraph(&mut out, section.title, "", width);
        }
        match &section.body {
            Body::Facts(facts) => {
                let rows: Vec<Vec<String>> = facts
                    .iter()
                    .map(|(name, cell)| vec![clean(name), clean(&cell.shown())])
                    .collect();
                grid(&mut out, None, &rows, width);
            }
            Body::Table { columns, rows } => {
                let rows: Vec<Vec<String>> = rows
                    .iter()
                    .map(|row| row.iter().map(shown).collect())
                    .collect();
                grid(&mut out, Some(columns), &rows, width);
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

/// What a peer, a process or a file is called must not command the terminal.
fn clean(text: &str) -> String {
    sanitise_str(text).into_owned()
}

fn shown(cell: &Cell) -> String {
    clean(&cell.shown())
}

fn grid(
    out: &mut String,
    header: Option<&[&'static str]>,
    rows: &[Vec<String>],
    width: Option<usize>,
) {
    let columns = rows.first().map_or(0, Vec::len);
    let Some(width) = width else {
        aligned(out, header, rows, columns);
        return;
    };
    let natural = natural_widths(header, rows, columns);
    // What the border and the padding of a table take.
    let frame = 3 * columns + 1;
    match header {
        Some(header)
            if natural.iter().sum::<usize>() + frame > width
                && width < LEAST_COLUMN * columns + frame =>
        {
            for (number, row) in rows.iter().enumerate() {
                if number > 0 {
                    out.push('\n');
                }
                let pairs: Vec<Vec<String>> = header
                    .iter()
                    .zip(row)
                    .map(|(name, cell)| vec![(*name).to_owned(), cell.clone()])
                    .collect();
                grid(out, None, &pairs, Some(width));
            }
        }
        // Names are not to be broken: where there is no room beside them the values stand below.
        None if natural
            .first()
            .is_some_and(|name| name + BESIDE_A_NAME > width) =>
        {
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
        }
        _ => framed(out, header, rows, width),
    }
}

fn framed(out: &mut String, header: Option<&[&'static str]>, rows: &[Vec<String>], width: usize) {
    let mut table = Table::new();
    table
        .load_style(match header {
            Some(_) => presets::UTF8_FULL_CONDENSED,
            None => presets::NOTHING,
        })
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(width).unwrap_or(u16::MAX));
    if let Some(header) = header {
        table.set_header(header.iter().copied());
    }
    for row in rows {
        table.add_row(row);
    }
    let names = natural_widths(None, rows, 1).first().copied().unwrap_or(0) + 2;
    if header.is_none()
        && let Ok(names) = u16::try_from(names)
        && let Some(column) = table.column_mut(0)
    {
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(names)));
    }
    for line in table.lines() {
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

fn aligned(
    out: &mut String,
    header: Option<&[&'static str]>,
    rows: &[Vec<String>],
    columns: usize,
) {
    let widths = natural_widths(header, rows, columns);
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, width) in cells.zip(&widths) {
            if !text.is_empty() {
                text.push_str("  ");
            }
            // An empty cell would move those behind it into another column for awk.
            let cell = if cell.is_empty() { "-" } else { cell };
            let _ = write!(text, "{cell}{:1$}", "", width.saturating_sub(cell.width()));
        }
        out.push_str(text.trim_end());
        out.push('\n');
    };
    if let Some(header) = header {
        line(&mut header.iter().copied());
    }
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
}

fn natural_widths(
    header: Option<&[&'static str]>,
    rows: &[Vec<String>],
    columns: usize,
) -> Vec<usize> {
    (0..columns)
        .map(|column| {
            let title = header
                .and_then(|header| header.get(column))
                .map_or(0, |title| title.width());
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.width())
                .fold(title, usize::max)
        })
        .collect()
}

/// A text of words, wrapped, behind an indent. A word that is longer than a line is broken.
fn paragraph(out: &mut String, text: &str, indent: &str, width: Option<usize>) {
    let width = width.unwrap_or(usize::MAX);
    let mut used = indent.width();
    let mut at_start = true;
    out.push_str(indent);
    for word in text.split_whitespace() {
        if !at_start && used + 1 + word.width() <= width {
            out.push(' ');
            used += 1;
        } else if !at_start {
            let _ = write!(out, "\n{indent}");
            used = indent.width();
        }
        at_start = false;
        for c in word.chars() {
            let room = c.width().unwrap_or(0);
            if used + room > width {
                let _ = write!(out, "\n{indent}");
                used = indent.width();
            }
            out.push(c);
            used += room;
        }
    }
    out.push('\n');
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
        let text = render(&report(), None);
        assert!(text.contains("\nSO_RCVBUF  128KiB\n"), "{text}");
        let row = text.lines().find(|line| line.starts_with("eth0")).unwrap();
        assert_eq!(row.split_whitespace().count(), 6, "{row}");
        assert!(row.ends_with("yes  -"), "{row}");
        assert!(text.lines().all(|line| line == line.trim_end()));
    }

    #[test]
    fn on_a_terminal_no_line_is_wider_than_it() {
        for width in [20, 30, 40, 60, 80, 120, 300] {
            let text = render(&report(), Some(width));
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
            assert!(!render(&report, width).contains('\x1b'));
        }
    }
}
