use super::*;
use crate::transfer::report::{FileProgress, Name, Stage};
use crate::transfer::wire::{Failure, Refusal};

fn progress() -> Progress {
    Progress {
        phase: Stage::Sending,
        entries: 1,
        settled: 0,
        bytes: 2_000,
        more: false,
        done: 1_000,
        sent: 400,
        reused: 600,
        rate: 200,
        eta: Some(5.0),
        seconds: 3.0,
        file: Some(FileProgress {
            path: Name::new(*b"docs/report.pdf"),
            size: Some(2_000),
            done: 1_000,
            present: 1_500,
        }),
    }
}

fn several() -> Progress {
    Progress {
        entries: 10_000,
        settled: 12,
        bytes: 20_000,
        ..progress()
    }
}

fn file(outcome: Outcome) -> FileReport {
    FileReport {
        size: Some(3 << 20),
        outcome,
        why: None,
        ..FileReport::unreadable(Name::new(*b"a.iso"), "")
    }
}

fn said(event: Event) -> Option<(Weight, String)> {
    let report = Report {
        event,
        session: None,
    };
    line(&report, Side::Sending)
}

#[test]
fn a_single_file_has_one_bar_in_which_what_needed_no_sending_is_apart() {
    assert_eq!(
        lines(&progress(), 72, false),
        [
            "docs/report.pdf  [=========######-------........]   50%  0:05",
            "sending  200 B/s  600 B reused  1000 B of 1.95 KiB",
        ]
    );
}

#[test]
fn several_files_have_a_bar_of_their_own() {
    assert_eq!(
        lines(&several(), 72, false),
        [
            "docs/report.pdf  [###############-------........]   50%",
            "12/10000  [#.............................]    5%  0:05",
            "sending  200 B/s  600 B reused  1000 B of 19.5 KiB",
        ]
    );
}

#[test]
fn forty_columns_are_enough() {
    assert_eq!(
        lines(&progress(), 40, false),
        [
            "…s/report.pdf  [===##--...]   50%  0:05",
            "sending  200 B/s  600 B reused",
        ]
    );
}

#[test]
fn no_width_is_exceeded_and_nothing_in_a_name_counts() {
    let hostile = [
        &b"a"[..],
        b"\x1b[2J\x1b]0;x\x07\n\xff",
        "漢字".repeat(60).as_bytes(),
        "e\u{301}\u{202e}".repeat(40).as_bytes(),
        &[b'x'; 255],
    ]
    .map(Name::new);
    for name in hostile {
        for columns in 0..=200 {
            for mut progress in [progress(), several()] {
                if let Some(file) = &mut progress.file {
                    file.path = name.clone();
                }
                progress.reused = 700;
                for line in lines(&progress, columns, false) {
                    assert!(line.width() < columns.max(NARROWEST), "{columns}: {line:?}");
                    assert_eq!(line, sanitise_str(&line), "{columns}");
                }
            }
        }
    }
}

#[test]
fn a_stream_without_a_size_has_no_bar_and_no_share() {
    let mut stream = progress();
    stream.bytes = 0;
    stream.eta = None;
    stream.reused = 0;
    if let Some(file) = &mut stream.file {
        file.size = None;
    }
    assert_eq!(
        lines(&stream, 80, false),
        ["docs/report.pdf", "sending  200 B/s  1000 B"]
    );
}

#[test]
fn while_more_is_offered_nobody_knows_the_share() {
    let mut walking = several();
    walking.more = true;
    walking.eta = None;
    assert_eq!(lines(&walking, 80, false)[1], "12/10000+");
}

#[test]
fn all_is_not_said_before_it_is_all() {
    let mut nearly = progress();
    nearly.file = nearly.file.map(|file| FileProgress {
        done: 1_999,
        ..file
    });
    assert!(lines(&nearly, 80, false)[0].contains(" 99%"));
    let empty = Progress {
        bytes: 0,
        file: progress().file.map(|file| FileProgress {
            size: Some(0),
            done: 0,
            present: 0,
            ..file
        }),
        ..progress()
    };
    assert!(lines(&empty, 80, false)[0].contains("100%"));
}

#[test]
fn colours_change_nothing_but_the_colour() {
    let plain = lines(&several(), 60, false);
    let coloured = lines(&several(), 60, true);
    let stripped: Vec<String> = coloured
        .iter()
        .map(|line| line.replace(CYAN, "").replace(DIM, "").replace(PLAIN, ""))
        .collect();
    assert_eq!(stripped, plain);
    assert_ne!(coloured, plain);
}

#[test]
fn bytes_have_three_digits() {
    let table = [
        (0, "0 B"),
        (999, "999 B"),
        (1_023, "1023 B"),
        (1_024, "1.00 KiB"),
        (10_234, "9.99 KiB"),
        (10_235, "10.0 KiB"),
        (999 << 10, "999 KiB"),
        (1_000 << 10, "0.98 MiB"),
        (2 << 30, "2.00 GiB"),
        (u64::MAX, "16.0 EiB"),
    ];
    for (bytes, text) in table {
        assert_eq!(Bytes(bytes).to_string(), text, "{bytes}");
    }
}

#[test]
fn times_are_short() {
    assert_eq!(countdown(2.1), "0:03");
    assert_eq!(countdown(3_723.0), "1:02:03");
    assert_eq!(countdown(273_600.0), "3d 4h");
    assert_eq!(Seconds(0.034).to_string(), "0.03s");
    assert_eq!(Seconds(59.99).to_string(), "1m 0s");
    assert_eq!(Seconds(7_300.0).to_string(), "2h 1m");
}

#[test]
fn each_file_has_a_line_that_says_what_became_of_it() {
    let stored = Outcome::Settled(Verdict::Stored);
    let resumed = FileReport {
        reused: 1 << 20,
        ..file(stored)
    };
    let renamed = FileReport {
        saved_as: Some(Name::new(*b"a (1).iso")),
        ..file(stored)
    };
    let exists = Outcome::Settled(Verdict::Refused(Refusal::Exists));
    let disk = Outcome::Settled(Verdict::Failed(Failure::Disk));
    let full = FileReport {
        why: Some("no storage space".into()),
        ..file(disk)
    };
    for (file, weight, text) in [
        (file(stored), Weight::File, "stored a.iso, 3.00 MiB"),
        (
            resumed,
            Weight::File,
            "stored a.iso, 3.00 MiB, 1.00 MiB of it not sent",
        ),
        (renamed, Weight::File, "stored a.iso as a (1).iso, 3.00 MiB"),
        (
            file(Outcome::Settled(Verdict::Identical)),
            Weight::File,
            "identical a.iso, 3.00 MiB",
        ),
        (
            file(exists),
            Weight::Warning,
            "refused a.iso: a different file of that name exists",
        ),
        (full, Weight::Warning, "cannot send a.iso: no storage space"),
        (
            FileReport::unreadable(Name::new(*b"a"), "permission denied"),
            Weight::Warning,
            "cannot read a: permission denied",
        ),
        (
            file(Outcome::WouldSend),
            Weight::File,
            "would send a.iso, 3.00 MiB",
        ),
    ] {
        assert_eq!(said(Event::File(file)), Some((weight, text.to_string())));
    }
}

#[test]
fn the_last_line_has_the_sums() {
    let totals = Totals {
        entries: 4,
        stored: 2,
        identical: 1,
        refused: 1,
        sent: 3 << 20,
        reused: 1 << 20,
        ..Totals::default()
    };
    let done = |totals, seconds| said(Event::Done { totals, seconds }).map(|(_, text)| text);
    assert_eq!(
        done(totals, 2.0).as_deref(),
        Some(
            "2 stored, 1 identical, 1 refused; 3.00 MiB sent, 1.00 MiB needed no sending, in 2.0s \
             (1.50 MiB/s)"
        )
    );
    assert_eq!(
        done(Totals::default(), 0.01).as_deref(),
        Some("nothing stored; 0 B sent in 0.01s")
    );
    let dry = Totals {
        would_send: 3,
        sent: 0,
        ..Totals::default()
    };
    assert_eq!(done(dry, 2.0).as_deref(), Some("3 would be sent"));
}

#[test]
fn of_several_sessions_each_line_says_whose_it_is() {
    let report = Report {
        event: Event::Disconnected {
            reason: "reset".into(),
            retrying: true,
            retry_in: Some(2.0),
        },
        session: Some(3),
    };
    assert_eq!(
        line(&report, Side::Receiving),
        Some((
            Weight::Note,
            "[3] lost the connection: reset; trying again in 2.0s".to_string()
        ))
    );
}
