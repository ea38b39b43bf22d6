use std::sync::mpsc;

use super::*;
use crate::transfer::entry::ModifiedAt;
use crate::transfer::sender::Source;

fn entry(name: &[u8], kind: EntryKind) -> Entry {
    Entry {
        path: PeerPath::from_slashed(name).expect("a name"),
        kind,
        modified: ModifiedAt::default(),
        mode: 0o644,
    }
}

fn file(name: &[u8], size: u64) -> Entry {
    entry(name, EntryKind::File { size: Some(size) })
}

fn stored(entry: &Entry, sent: u64, reused: u64) -> FileReport {
    FileReport::sent(&sent_file(entry, Verdict::Stored, sent, reused))
}

fn sent_file(entry: &Entry, verdict: Verdict, sent: u64, reused: u64) -> SentFile {
    SentFile {
        source: Source {
            key: 0,
            entry: entry.clone().into(),
        },
        verdict,
        abandoned: None,
        sha256: Some(FileDigest([0xab; 32])),
        sent,
        reused,
        rounds: 1,
    }
}

fn json(event: Event) -> String {
    let report = Report {
        event,
        session: None,
    };
    serde_json::to_string(&report).expect("JSON")
}

#[test]
fn a_file_is_as_documented() {
    let digest = "ab".repeat(32);
    assert_eq!(
        json(Event::File(stored(&file(b"d/a", 5), 3, 2))),
        format!(
            r#"{{"event":"file","path":"d/a","kind":"file","size":5,"sha256":"{digest}","sent":3,"reused":2,"verdict":"stored"}}"#
        )
    );
    let refused = Verdict::Refused(Refusal::Exists);
    assert_eq!(
        json(Event::File(FileReport::sent(&sent_file(
            &file(b"a", 5),
            refused,
            0,
            0
        )))),
        r#"{"event":"file","path":"a","kind":"file","size":5,"sha256":null,"sent":0,"reused":0,"verdict":"refused","reason":"exists","text":"a different file of that name exists"}"#
    );
    assert_eq!(
        json(Event::File(FileReport::unreadable(
            Name::new(*b"x"),
            "permission denied"
        ))),
        r#"{"event":"file","path":"x","kind":"file","size":null,"sha256":null,"sent":0,"reused":0,"verdict":"unreadable","text":"permission denied"}"#
    );
}

#[test]
fn a_name_that_is_not_text_comes_with_its_bytes() {
    assert_eq!(
        json(Event::offer(&entry(b"caf\xe9", EntryKind::Directory))),
        "{\"event\":\"offer\",\"path\":\"caf\u{fffd}\",\"path_hex\":\"636166e9\",\"kind\":\"directory\",\"size\":null}"
    );
    let renamed = FileReport {
        saved_as: Some(Name::new(*b"\xff (1)")),
        ..stored(&file(b"\xff", 0), 0, 0)
    };
    assert!(json(Event::File(renamed)).contains(r#""saved_as_hex":"ff20283129""#));
}

#[test]
fn the_other_events_are_as_documented() {
    assert_eq!(
        json(Event::Phase {
            phase: Stage::Flushing
        }),
        r#"{"event":"phase","phase":"flushing"}"#
    );
    assert_eq!(
        json(Event::Disconnected {
            reason: "reset".into(),
            retrying: true,
            retry_in: Some(0.5)
        }),
        r#"{"event":"disconnected","reason":"reset","retrying":true,"retry_in":0.5}"#
    );
    let report = Report {
        event: Event::Done {
            totals: Totals {
                entries: 1,
                stored: 1,
                sent: 5,
                ..Totals::default()
            },
            seconds: 0.25,
        },
        session: Some(2),
    };
    assert_eq!(
        serde_json::to_string(&report).expect("JSON"),
        r#"{"event":"done","entries":1,"stored":1,"identical":0,"skipped":0,"refused":0,"failed":0,"unreadable":0,"would_send":0,"sent":5,"reused":0,"seconds":0.25,"session":2}"#
    );
}

#[test]
fn progress_is_as_documented() {
    let mut meter = Meter::new(Duration::ZERO);
    meter.connected(Duration::ZERO);
    let big = file(b"big", 2_000);
    let mut snapshot = snapshot(1, 2_000, 500, 500);
    snapshot.at = Some(At {
        entry: &big,
        done: 1_000,
        present: 1_500,
    });
    meter.progress(Duration::ZERO, &snapshot);
    snapshot.progress.sent = 1_000;
    let (_, progress) = meter.progress(Duration::from_secs(2), &snapshot);
    assert_eq!(
        json(Event::Progress(progress)),
        r#"{"event":"progress","phase":"sending","entries":1,"settled":0,"bytes":2000,"more":false,"done":1500,"sent":1000,"reused":500,"rate":250,"eta":2.0,"seconds":2.0,"file":{"path":"big","size":2000,"done":1000,"present":1500}}"#
    );
}

fn snapshot(entries: u64, bytes: u64, sent: u64, reused: u64) -> Snapshot<'static> {
    Snapshot {
        stage: Stage::Sending,
        progress: session::Progress {
            entries,
            bytes,
            sent,
            reused,
            ..session::Progress::default()
        },
        more: false,
        at: None,
    }
}

fn done(meter: &mut Meter, now: u64, snapshot: &Snapshot<'_>) -> (u64, u64) {
    let (_, progress) = meter.progress(Duration::from_secs(now), snapshot);
    (progress.done, progress.bytes)
}

#[test]
fn what_is_refused_is_done_with_as_well() {
    let mut meter = Meter::new(Duration::ZERO);
    meter.connected(Duration::ZERO);
    let refused = Verdict::Refused(Refusal::Exists);
    meter.file(&FileReport::sent(&sent_file(
        &file(b"a", 700),
        refused,
        0,
        0,
    )));
    assert_eq!(
        done(&mut meter, 0, &snapshot(2, 1_000, 100, 0)),
        (800, 1_000)
    );
    meter.file(&stored(&file(b"b", 300), 300, 0));
    assert_eq!(
        done(&mut meter, 1, &snapshot(2, 1_000, 300, 0)),
        (1_000, 1_000)
    );
}

#[test]
fn a_second_round_does_not_make_it_more_than_all() {
    let mut meter = Meter::new(Duration::ZERO);
    meter.connected(Duration::ZERO);
    assert_eq!(
        done(&mut meter, 0, &snapshot(1, 1_000, 1_000, 900)),
        (1_000, 1_000)
    );
}

#[test]
fn a_stream_is_counted_as_it_turns_out() {
    let mut meter = Meter::new(Duration::ZERO);
    meter.connected(Duration::ZERO);
    let stream = entry(b"-", EntryKind::File { size: None });
    assert_eq!(done(&mut meter, 0, &snapshot(1, 0, 700, 0)), (700, 0));
    let report = stored(&stream, 900, 100);
    assert_eq!(report.size, Some(1_000));
    meter.file(&report);
    assert_eq!(
        done(&mut meter, 1, &snapshot(1, 0, 900, 100)),
        (1_000, 1_000)
    );
}

#[test]
fn a_run_counts_over_its_connections() {
    let mut meter = Meter::new(Duration::ZERO);
    assert!(!meter.connected(Duration::from_secs(10)));
    meter.file(&stored(&file(b"a", 300), 300, 0));
    let first = snapshot(2, 1_000, 500, 0);
    assert_eq!(done(&mut meter, 11, &first), (500, 1_000));
    meter.connection_ended(&session::Progress {
        sent: 600,
        ..first.progress
    });
    // The second file is offered again; what of it arrived is found there.
    assert!(meter.connected(Duration::from_secs(20)));
    let second = snapshot(1, 700, 100, 300);
    let (_, progress) = meter.progress(Duration::from_secs(21), &second);
    assert_eq!((progress.done, progress.bytes), (700, 1_000));
    assert_eq!((progress.entries, progress.settled), (2, 1));
    assert_eq!((progress.sent, progress.reused), (700, 300));
    // From the first connection on, not from the start of the program.
    assert_eq!(progress.seconds, 11.0);
    meter.file(&stored(&file(b"b", 700), 400, 300));
    meter.connection_ended(&snapshot(1, 700, 400, 300).progress);
    let totals = meter.totals();
    assert_eq!((totals.sent, totals.reused, totals.stored), (1_000, 300, 2));
}

#[test]
fn what_was_never_offered_is_settled_all_the_same() {
    let mut meter = Meter::new(Duration::ZERO);
    meter.connected(Duration::ZERO);
    meter.file(&FileReport::unreadable(Name::new(*b"x"), "gone"));
    let (_, progress) = meter.progress(Duration::ZERO, &snapshot(3, 0, 0, 0));
    assert_eq!((progress.settled, progress.entries), (1, 4));
    assert_eq!(meter.totals().amiss(), 1);
}

#[test]
fn the_rate_is_that_of_the_last_seconds() {
    let mut meter = Meter::new(Duration::ZERO);
    meter.connected(Duration::ZERO);
    // A second at 1,000 a second, then ten at 10.
    let mut sent = 0;
    let mut last = None;
    for tick in 0..=55 {
        let now = Duration::from_millis(tick * 200);
        let (_, progress) = meter.progress(now, &snapshot(1, 10_000, sent, 0));
        last = Some(progress);
        sent += if tick < 5 { 200 } else { 2 };
    }
    let last = last.expect("progress");
    assert_eq!(last.rate, 10);
    let eta = last.eta.expect("a time");
    assert!((889.0..=891.0).contains(&eta), "{eta}");
}

#[test]
fn no_time_is_told_while_more_may_come_or_nothing_moves() {
    let mut meter = Meter::new(Duration::ZERO);
    meter.connected(Duration::ZERO);
    let mut walking = snapshot(1, 1_000, 0, 0);
    walking.more = true;
    meter.progress(Duration::ZERO, &walking);
    walking.progress.sent = 100;
    let (_, progress) = meter.progress(Duration::from_secs(1), &walking);
    assert_eq!((progress.rate, progress.eta), (100, None));
    walking.more = false;
    let (_, progress) = meter.progress(Duration::from_secs(20), &walking);
    assert_eq!((progress.rate, progress.eta), (0, None));
}

/// Passes everything on.
struct All(mpsc::Sender<Event>);

impl Sink for All {
    fn take(&mut self, report: Report) {
        let _ = self.0.send(report.event);
    }

    fn wants(&self, wanted: Wanted) -> bool {
        wanted == Wanted::Progress
    }
}

#[test]
fn progress_is_told_five_times_a_second_and_a_phase_when_it_changes() {
    let (sender, events) = mpsc::channel();
    let mut reporter = Reporter::new(Duration::ZERO, Box::new(All(sender)), None);
    reporter.connected(Duration::ZERO, "tcp://127.0.0.1:1");
    let mut asked = 0;
    for millis in 0..1_000 {
        reporter.progress(Duration::from_millis(millis), || {
            asked += 1;
            snapshot(1, 1_000, millis, 0)
        });
    }
    // Nobody wants offers.
    reporter.offer(&file(b"a", 1));
    reporter.connection_ended(&session::Progress::default());
    reporter.done(Duration::from_secs(1));
    drop(reporter);
    let events: Vec<Event> = events.iter().collect();
    let count = |is: fn(&Event) -> bool| events.iter().filter(|event| is(event)).count();
    assert_eq!(asked, 5);
    assert_eq!(count(|event| matches!(event, Event::Progress(_))), 5);
    assert_eq!(count(|event| matches!(event, Event::Phase { .. })), 1);
    assert_eq!(count(|event| matches!(event, Event::Offer { .. })), 0);
    assert!(matches!(
        events.first(),
        Some(Event::Connected { again: false, .. })
    ));
    assert!(matches!(events.last(), Some(Event::Done { .. })));
}
