use super::*;

use proptest::prelude::*;

const START: Duration = Duration::from_secs(1);

fn probability(number: f64) -> Probability {
    Probability::new(number).unwrap()
}

/// Pushes `input` through in pieces of these lengths, and takes out whatever can be had as time goes by.
/// What came out, in the writes in which it did, with the times, and what the connection has come to.
fn run(chaos: &Chaos, input: &[u8], lengths: &[usize]) -> (Vec<(Duration, Vec<u8>)>, Fate) {
    let mut stream = Stream::new(chaos, 7, 3);
    let mut now = START;
    let mut out = Vec::new();
    let mut rest = input;
    let mut lengths = lengths.iter().copied().chain(std::iter::repeat(usize::MAX));
    let mut drain = |stream: &mut Stream, now: Duration| {
        while stream.fate(chaos) == Fate::Goes && stream.prepare(chaos, now) {
            let bytes = stream.pending().to_vec();
            stream.sent(chaos, now, bytes.len());
            out.push((now, bytes));
        }
    };
    while !rest.is_empty() && stream.fate(chaos) == Fate::Goes {
        let want = lengths.next().unwrap_or(usize::MAX).max(1);
        let count = want.min(rest.len()).min(stream.appetite(chaos));
        if count == 0 {
            let Some(due) = stream.next_due(chaos) else {
                break;
            };
            now = now.max(due);
        } else {
            stream.take(chaos, now, rest[..count].to_vec());
            rest = &rest[count..];
        }
        drain(&mut stream, now);
        assert!(stream.kept <= MAX_KEPT);
    }
    while stream.fate(chaos) == Fate::Goes
        && let Some(due) = stream.next_due(chaos)
    {
        now = now.max(due);
        drain(&mut stream, now);
    }
    let fate = stream.fate(chaos);
    (out, fate)
}

fn bytes_of(writes: &[(Duration, Vec<u8>)]) -> Vec<u8> {
    writes
        .iter()
        .flat_map(|(_, bytes)| bytes)
        .copied()
        .collect()
}

fn input(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 % 251) as u8).collect()
}

/// Every kind of misbehaviour whose bytes do not hang on the time.
fn kinds() -> Vec<Chaos> {
    let calm = Chaos::default;
    vec![
        Chaos {
            corrupt: probability(0.05),
            ..calm()
        },
        Chaos {
            corrupt: probability(1.0),
            ..calm()
        },
        Chaos {
            slice: NonZeroUsize::new(3),
            ..calm()
        },
        Chaos {
            truncate_after: Some(17),
            ..calm()
        },
        Chaos {
            reset_after: Some(17),
            corrupt: probability(0.1),
            ..calm()
        },
        Chaos {
            close_after: Some(0),
            ..calm()
        },
        Chaos {
            stall_after: Some(5),
            ..calm()
        },
        Chaos {
            rate: NonZeroU64::new(50),
            delay: Duration::from_millis(30),
            jitter: Duration::from_millis(20),
            ..calm()
        },
    ]
}

#[test]
fn every_split_of_the_input_gives_the_same_output() {
    let input = input(24);
    for chaos in kinds() {
        let (whole, fate) = run(&chaos, &input, &[]);
        for first in 1..input.len() {
            for second in [1, 2, input.len() - first] {
                let (parts, same_fate) = run(&chaos, &input, &[first, second]);
                assert_eq!(
                    bytes_of(&parts),
                    bytes_of(&whole),
                    "{chaos:?} {first} {second}"
                );
                assert_eq!(same_fate, fate, "{chaos:?} {first} {second}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_split_gives_the_same_output(
        length in 1..2000_usize,
        lengths in prop::collection::vec(1..300_usize, 0..20),
        corrupt in 0.0..1.0_f64,
        slice in 0..50_usize,
        truncate in prop::option::of(0..2500_u64),
        reset in prop::option::of(0..2500_u64),
    ) {
        let chaos = Chaos {
            corrupt: probability(corrupt),
            slice: NonZeroUsize::new(slice),
            truncate_after: truncate,
            reset_after: reset,
            ..Chaos::default()
        };
        let input = input(length);
        let (whole, fate) = run(&chaos, &input, &[]);
        let (parts, same) = run(&chaos, &input, &lengths);
        prop_assert_eq!(bytes_of(&whole), bytes_of(&parts));
        prop_assert_eq!(fate, same);
    }
}

#[test]
fn nothing_asked_for_is_nothing_done() {
    let input = input(1000);
    let (out, fate) = run(&Chaos::default(), &input, &[10, 100]);
    assert_eq!(bytes_of(&out), input);
    assert!(out.iter().all(|(at, _)| *at == START));
    assert_eq!(fate, Fate::Goes);
    assert!(Chaos::default().spares_streams() && Chaos::default().spares_datagrams());
    for chaos in kinds() {
        assert!(!chaos.spares_streams(), "{chaos:?}");
    }
}

#[test]
fn limits_are_exact_and_have_their_fate() {
    let input = input(100);
    let until = |change: &dyn Fn(&mut Chaos)| {
        let mut chaos = Chaos::default();
        change(&mut chaos);
        let (out, fate) = run(&chaos, &input, &[30]);
        (bytes_of(&out).len(), fate)
    };
    assert_eq!(until(&|c| c.stall_after = Some(40)), (40, Fate::Goes));
    assert_eq!(until(&|c| c.reset_after = Some(40)), (40, Fate::Reset));
    assert_eq!(until(&|c| c.close_after = Some(40)), (40, Fate::Close));
    assert_eq!(until(&|c| c.truncate_after = Some(40)), (40, Fate::Goes));
    assert_eq!(until(&|c| c.reset_after = Some(101)), (100, Fate::Goes));
    assert_eq!(until(&|c| c.reset_after = Some(0)), (0, Fate::Reset));
}

#[test]
fn a_stalled_stream_takes_nothing_more_and_is_never_drained() {
    let chaos = Chaos {
        stall_after: Some(4),
        ..Chaos::default()
    };
    let mut stream = Stream::new(&chaos, 1, 1);
    stream.take(&chaos, START, b"abcdef".to_vec());
    assert!(stream.prepare(&chaos, START));
    assert_eq!(stream.pending(), b"abcd");
    stream.sent(&chaos, START, 4);
    assert!(!stream.prepare(&chaos, START));
    assert_eq!(stream.appetite(&chaos), 0);
    assert_eq!(stream.next_due(&chaos), None);
    assert!(!stream.is_drained(&chaos));
}

#[test]
fn a_delay_is_kept_to_the_moment() {
    let chaos = Chaos {
        delay: Duration::from_millis(50),
        ..Chaos::default()
    };
    let mut stream = Stream::new(&chaos, 1, 1);
    stream.take(&chaos, START, b"x".to_vec());
    let due = START + Duration::from_millis(50);
    assert_eq!(stream.next_due(&chaos), Some(due));
    assert!(!stream.prepare(&chaos, due - Duration::from_nanos(1)));
    assert!(stream.prepare(&chaos, due));
}

#[test]
fn jitter_keeps_the_order_of_a_stream_and_its_bounds() {
    let chaos = Chaos {
        delay: Duration::from_millis(10),
        jitter: Duration::from_millis(40),
        ..Chaos::default()
    };
    let input = input(100);
    let (out, _) = run(&chaos, &input, &[1; 100]);
    assert_eq!(bytes_of(&out), input);
    let first = out.first().unwrap().0 - START;
    assert!((Duration::from_millis(10)..Duration::from_millis(50)).contains(&first));
    let last = out.last().unwrap().0 - START;
    assert!(last < Duration::from_millis(50), "{last:?}");
    let (again, _) = run(&chaos, &input, &[1; 100]);
    assert_eq!(out, again, "the same seed, the same times");
}

#[test]
fn a_rate_is_kept_in_the_long_run() {
    let chaos = Chaos {
        rate: NonZeroU64::new(1000),
        ..Chaos::default()
    };
    let (out, _) = run(&chaos, &input(500), &[]);
    let took = out.last().unwrap().0 - START;
    // The last step of 20 ms is not waited for.
    assert_eq!(took, Duration::from_millis(480));
    assert!(out.iter().all(|(_, bytes)| bytes.len() <= 20));
}

#[test]
fn damage_is_one_bit_of_about_as_many_bytes_as_asked_for() {
    let chaos = Chaos {
        corrupt: probability(0.1),
        ..Chaos::default()
    };
    let input = input(10_000);
    let (out, _) = run(&chaos, &input, &[]);
    let differ: Vec<u32> = bytes_of(&out)
        .iter()
        .zip(&input)
        .map(|(a, b)| (a ^ b).count_ones())
        .collect();
    assert!(differ.iter().all(|&bits| bits <= 1));
    let damaged = differ.iter().filter(|&&bits| bits == 1).count();
    assert!((850..1150).contains(&damaged), "{damaged}");
}

#[test]
fn a_datagrams_fate_hangs_on_its_number_alone() {
    let drops = Chaos {
        drop: probability(0.3),
        ..Chaos::default()
    };
    let and_more = Chaos {
        duplicate: probability(0.5),
        corrupt: probability(0.5),
        ..drops.clone()
    };
    let mut dropped = 0;
    for number in 0..1000 {
        let one = Treatment::of(&drops, 5, number);
        let other = Treatment::of(&and_more, 5, number);
        assert_eq!(one.dropped, other.dropped, "{number}");
        dropped += usize::from(one.dropped);
    }
    assert!((250..350).contains(&dropped), "{dropped}");
}

#[test]
fn a_damaged_datagram_differs_in_one_bit_and_an_empty_one_cannot() {
    let chaos = Chaos {
        corrupt: probability(1.0),
        ..Chaos::default()
    };
    for number in 0..100 {
        let treatment = Treatment::of(&chaos, 1, number);
        let mut bytes = [0; 5];
        treatment.damage(&mut bytes);
        let bits: u32 = bytes.iter().map(|byte| byte.count_ones()).sum();
        assert_eq!(bits, 1);
        treatment.damage(&mut []);
    }
}
