//! Seeded faults: whatever the link does, a file under its name equals its source, and the next session
//! sends little twice.

use crate::transfer::frame::Protection;
use crate::transfer::session::Ending;

use super::Seed;
use super::disk::{Item, Node, Policy, SourceDisk, Store};
use super::link::Fault;
use super::pair::{Pair, Plan};

/// A tree that differs by seed, and what the receiver has of it already.
fn scene(seed: &mut Seed) -> (SourceDisk, Store) {
    const NAMES: [&str; 10] = ["a", "b", "c/d", "c/e", "f", "g", "h", "i", "j", "k"];
    let policy = if seed.chance(2) {
        Policy::Overwrite
    } else {
        Policy::Refuse
    };
    let mut store = Store::new(policy);
    let mut items = Vec::new();
    for name in NAMES.into_iter().take(1 + seed.below(NAMES.len())) {
        let borders = [0, 1, 63, 64, 65, 128, 200];
        let len = if seed.chance(2) {
            borders[seed.below(borders.len())]
        } else {
            seed.below(900)
        };
        let mut data = seed.bytes(len);
        if seed.chance(3) {
            let from = seed.below(len + 1);
            let to = from + seed.below(len - from + 1);
            data[from..to].fill(0);
        }
        let mut old = data.clone();
        old.truncate(seed.below(len + 1) + seed.below(40));
        if !old.is_empty() && seed.chance(2) {
            let at = seed.below(old.len());
            old[at] ^= 1;
        }
        match seed.below(4) {
            0 => drop(store.parts.insert(name.into(), old)),
            1 => drop(store.names.insert(name.into(), Node::File(old))),
            _ => {}
        }
        let mut item = if seed.chance(4) {
            Item::stream(name, data)
        } else {
            Item::file(name, data)
        };
        if seed.chance(8) {
            let len = seed.below(900);
            item.later = Some(seed.bytes(len));
        }
        item.is_restless = seed.chance(20);
        if seed.chance(20) {
            item.fails_at = Some(seed.below(300) as u64);
        }
        items.push(item);
    }
    items.push(Item::directory("c"));
    items.push(Item::link("l", "a"));
    let mut source = SourceDisk::new(items);
    let is_weak = seed.chance(10);
    (source.is_weak, store.is_weak) = (is_weak, is_weak);
    store.bad_writes = if seed.chance(6) { 1 } else { 0 };
    store.fails = if seed.chance(12) { Some("b") } else { None };
    (source, store)
}

/// What is under a name is what was there before, or equals what the source was at some opening.
fn check(source: &SourceDisk, store: &Store, before: &Store) {
    for item in source
        .items
        .iter()
        .filter(|item| item.path != "c" && item.path != "l")
    {
        let now = store.file(item.path);
        let was = before.file(item.path);
        let is_right = now == was || now == Some(&item.data[..]) || now == Some(item.final_data());
        assert!(is_right, "{}", item.path);
    }
    for report in &source.reports {
        if report.verdict == crate::transfer::wire::Verdict::Stored
            && let Some(digest) = report.sha256
        {
            let path = report.source.entry.path.to_string();
            assert_eq!(
                store.file(&path).map(super::disk::judge),
                Some(digest),
                "{path}"
            );
        }
    }
}

fn copy(store: &Store) -> Store {
    let mut copy = Store::new(store.policy);
    copy.names = store.names.clone();
    copy.parts = store.parts.clone();
    copy
}

#[test]
fn any_order_of_events_comes_to_the_same_end() {
    for number in 0..400 {
        let mut seed = Seed(number);
        let (mut source, mut store) = scene(&mut seed);
        let before = copy(&store);
        let plan = Plan {
            protection: if seed.chance(2) {
                Protection::Channel
            } else {
                Protection::Checksums
            },
            ..Plan::new(seed.next())
        };
        let mut pair = Pair::new(plan, &mut source, &mut store);
        assert_eq!(pair.run(), (Ending::Complete, Ending::Complete), "{number}");
        assert_eq!(pair.sender.tally(), pair.receiver.tally());
        check(&source, &store, &before);
        assert_eq!(source.reports.len(), source.items.len());
    }
}

#[test]
fn whatever_is_done_to_the_bytes_no_wrong_file_gets_its_name_and_a_retry_succeeds() {
    let mut endings = [0; 4];
    for number in 0..2_000 {
        let mut seed = Seed(0x5eed_0000 + number);
        let (mut source, mut store) = scene(&mut seed);
        let before = copy(&store);
        let fault = match seed.below(5) {
            0 => Fault::Flip(seed.next() % (8 * 3_000)),
            1 => Fault::Cut(seed.next() % 3_000),
            2 => Fault::Repeat(seed.next() % 12),
            3 => Fault::Drop(seed.next() % 12),
            _ => Fault::Swap(seed.next() % 12),
        };
        let mut faults = [Fault::None; 2];
        faults[seed.below(2)] = fault;
        let plan = Plan {
            faults,
            ..Plan::new(seed.next())
        };
        let mut pair = Pair::new(plan, &mut source, &mut store);
        let (sent, received) = pair.run();
        for ending in [sent, received] {
            endings[match ending {
                Ending::Complete => 0,
                Ending::Violated(_) => 1,
                Ending::Unconfirmed => 2,
                _ => 3,
            }] += 1;
        }
        // The sender is never content with less than what the receiver has, nor the receiver while the sender is not.
        match received {
            Ending::Complete => assert_eq!(sent, Ending::Complete, "{number}: {fault:?}"),
            Ending::Unconfirmed => {}
            _ => assert_ne!(sent, Ending::Complete, "{number}: {fault:?}"),
        }
        let (carried, walk_ended) = pair.sender.into_unsettled();
        check(&source, &store, &before);
        let plan = Plan {
            carried,
            walk_ended,
            ..Plan::new(seed.next())
        };
        let mut again = Pair::new(plan, &mut source, &mut store);
        let endings = again.run();
        assert_eq!(
            endings,
            (Ending::Complete, Ending::Complete),
            "{number}: {fault:?}"
        );
        check(&source, &store, &before);
    }
    // The faults did happen, and some came too late to matter, or just not.
    let enough = [200, 200, 10, 200];
    assert!(
        endings
            .iter()
            .zip(enough)
            .all(|(&count, least)| count > least),
        "{endings:?}"
    );
}

#[test]
fn after_a_cut_at_any_byte_nothing_is_sent_twice_but_the_chunk_under_way() {
    let whole = Seed(3).bytes(64 * 12 + 17);
    for at in 0..1_100 {
        let mut source = SourceDisk::new(vec![Item::file("f", whole.clone())]);
        let mut store = Store::new(Policy::Refuse);
        let plan = Plan {
            faults: [Fault::Cut(at), Fault::None],
            ..Plan::new(at)
        };
        let mut pair = Pair::new(plan, &mut source, &mut store);
        pair.run();
        let (carried, walk_ended) = pair.sender.into_unsettled();
        let have = match store.file("f") {
            Some(file) => file.len(),
            None => store.parts.get(&b"f"[..]).map_or(0, Vec::len),
        };
        let plan = Plan {
            carried,
            walk_ended,
            ..Plan::new(at + 1)
        };
        let mut pair = Pair::new(plan, &mut source, &mut store);
        assert_eq!(pair.run(), (Ending::Complete, Ending::Complete), "{at}");
        let again = pair.there.payload as usize;
        assert!(
            again <= whole.len() - have / 64 * 64,
            "{at}: {again} with {have}"
        );
        assert_eq!(store.file("f"), Some(&whole[..]));
    }
}
