//! What happens to bytes on their way, and to a source that is being read: nothing wrong gets a name, and what was passed
//! on to stdout all the same is said to be wrong by status 6.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};

use crate::support::places::{CHUNK, NAME, Places, events, last};
use crate::support::proxy::{Fault, Harm, Proxy, Seeded};
use crate::support::sockkit;

/// A receiver that passes on what comes.
struct ToStdout {
    child: Child,
    talk: BufReader<std::process::ChildStderr>,
    address: SocketAddr,
    output: tempfile::NamedTempFile,
}

impl ToStdout {
    fn start() -> Self {
        let output = tempfile::NamedTempFile::new().expect("a file");
        let mut child = sockkit(&["recv-file", "127.0.0.1:0", "--plain", "-o", "-"])
            .args(["--retry", "0s"])
            .stdout(File::create(output.path()).expect("it is there"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut talk = BufReader::new(child.stderr.take().expect("piped"));
        let mut line = String::new();
        talk.read_line(&mut line).expect("text");
        let (_, address) = line.trim_end().split_once("tcp://").expect("a ready line");
        Self {
            child,
            talk,
            address: address.parse().expect("an address"),
            output,
        }
    }

    /// Its status, what it has passed on and what it says.
    fn ends(mut self) -> (i32, Vec<u8>, String) {
        let mut talk = String::new();
        std::io::Read::read_to_string(&mut self.talk, &mut talk).expect("text");
        let status = self.child.wait().expect("it ends").code();
        let passed_on = fs::read(self.output.path()).expect("it is there");
        (status.expect("a status"), passed_on, talk)
    }
}

/// Somebody on the way changes a byte and makes the checksums fit: only the digest of the whole shows it.
#[test]
fn a_forged_byte_is_found_by_the_digest_and_only_its_chunk_sent_again() {
    let places = Places::with(Seeded(40).bytes(3 * CHUNK + 5));
    for at in [0, CHUNK + 77, 3 * CHUNK + 4] {
        let mut receiver = places.receiver(&["--no-fsync"]);
        let proxy = Proxy::faulty(receiver.socket_address(), vec![Fault::Forge(at)]);
        let mut sender = places.sender(proxy.address, &[]);
        assert_eq!(sender.ends(), 0, "{at}: {:?}", sender.stderr.rest());
        assert_eq!(receiver.run.ends(), 0, "{at}");
        assert!(proxy.has_struck(), "{at}");
        places.assert_arrived("forged");
        assert_eq!(proxy.connections(), 1, "{at}");
        let again = if at < 3 * CHUNK { CHUNK } else { 5 };
        let sent = (places.content.len() + again) as u64;
        assert_eq!(last(&events(&sender), "done")["sent"], sent, "{at}");
        fs::remove_file(places.to().join(NAME)).expect("it is there");
    }
}

#[test]
fn what_was_passed_on_to_stdout_and_does_not_match_is_status_6_at_both_ends() {
    let places = Places::with(Seeded(41).bytes(2 * CHUNK + 9));
    let receiver = ToStdout::start();
    let proxy = Proxy::faulty(receiver.address, vec![Fault::Forge(CHUNK + 3)]);
    let mut sender = places.sender(proxy.address, &["--retry", "0s"]);
    assert_eq!(sender.ends(), 6, "{:?}", sender.stderr.rest());
    let (status, passed_on, talk) = receiver.ends();
    assert_eq!(status, 6, "{talk}");
    assert!(
        talk.contains("the SHA-256 of both ends did not match"),
        "{talk}"
    );
    let differ = passed_on
        .iter()
        .zip(&places.content)
        .filter(|(a, b)| a != b);
    assert_eq!((passed_on.len(), differ.count()), (places.content.len(), 1));
    let events = events(&sender);
    let file = last(&events, "file");
    assert_eq!(
        (&file["verdict"], &file["reason"]),
        (&"failed".into(), &"mismatch".into())
    );
}

/// Damage that a checksum shows is mended, unless something was passed on that nobody can take back.
#[test]
fn damage_on_the_way_to_stdout_is_status_6_once_something_was_passed_on() {
    let places = Places::with(Seeded(42).bytes(3 * CHUNK));
    let receiver = ToStdout::start();
    let fault = Fault::Up(2 * CHUNK + CHUNK / 2, Harm::Flip);
    let proxy = Proxy::faulty(receiver.address, vec![fault]);
    let mut sender = places.sender(proxy.address, &["--retry", "0s"]);
    assert_eq!(sender.ends(), 6, "{:?}", sender.stderr.rest());
    let (status, passed_on, talk) = receiver.ends();
    assert_eq!(status, 6, "{talk}");
    assert!(talk.contains("were passed on already"), "{talk}");
    assert_eq!(passed_on.len(), 2 * CHUNK);
    assert!(
        passed_on == places.content[..2 * CHUNK],
        "other bytes came out"
    );
}

#[test]
fn a_source_that_changed_while_it_was_passed_on_is_status_6_at_both_ends() {
    // More than all buffers on the way hold, so that it has not been read to its end.
    let places = Places::with(Seeded(43).bytes(48 * CHUNK));
    let receiver = ToStdout::start();
    let fault = Fault::Up(CHUNK + CHUNK / 2, Harm::Hold);
    let proxy = Proxy::faulty(receiver.address, vec![fault]);
    let mut sender = places.sender(proxy.address, &["--retry", "0s"]);
    proxy.strikes();
    change_first_byte(&places);
    proxy.release();
    assert_eq!(sender.ends(), 6, "{:?}", sender.stderr.rest());
    let (status, _, talk) = receiver.ends();
    assert_eq!(status, 6, "{talk}");
    assert!(
        talk.contains("the source changed while it was sent"),
        "{talk}"
    );
}

/// Into a directory the changed source is sent once more, as far as it differs.
#[test]
fn a_source_that_changes_while_it_is_sent_arrives_as_it_is_then() {
    let mut places = Places::with(Seeded(44).bytes(48 * CHUNK));
    let mut receiver = places.receiver(&["--no-fsync"]);
    let fault = Fault::Up(CHUNK + CHUNK / 2, Harm::Hold);
    let proxy = Proxy::faulty(receiver.socket_address(), vec![fault]);
    let mut sender = places.sender(proxy.address, &[]);
    proxy.strikes();
    change_first_byte(&places);
    proxy.release();
    assert_eq!(sender.ends(), 0, "{:?}", sender.stderr.rest());
    assert_eq!(receiver.run.ends(), 0);
    places.content[0] ^= 1;
    places.assert_arrived("changed");
    assert_eq!(proxy.connections(), 1);
    let sent = (places.content.len() + CHUNK) as u64;
    assert_eq!(last(&events(&sender), "done")["sent"], sent);
}

fn change_first_byte(places: &Places) {
    use std::io::Write;
    let mut file = File::options()
        .write(true)
        .open(places.source())
        .expect("it is there");
    file.write_all(&[places.content[0] ^ 1]).expect("written");
    // Whatever the resolution of the file system's clock, it has another time.
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(2);
    file.set_modified(later).expect("set");
}

/// The same in the direction from the receiver: answers, digests and verdicts.
#[test]
fn what_the_receiver_says_can_be_damaged_lost_repeated_and_cut_too() {
    let mut random = Seeded(45);
    let places = Places::with(random.bytes(5 * CHUNK));
    let part = places.to().join(format!(".{NAME}.sockkit-part"));
    // Something to compare, so that there is something to say; of which a chunk differs.
    let mut old = places.content[..4 * CHUNK].to_vec();
    old[2 * CHUNK] ^= 1;
    let run = |fault: Fault| {
        let of = format!("{fault:?}");
        fs::write(&part, &old).expect("written");
        let mut receiver = places.receiver(&["--no-fsync", "--stall-timeout", "3s"]);
        let proxy = Proxy::faulty(receiver.socket_address(), vec![fault]);
        let mut sender = places.sender(proxy.address, &["--stall-timeout", "3s"]);
        assert_eq!(sender.ends(), 0, "{of}: {:?}", sender.stderr.rest());
        assert_eq!(receiver.run.ends(), 0, "{of}");
        places.assert_arrived(&of);
        fs::remove_file(places.to().join(NAME)).expect("it is there");
        (proxy, sender)
    };
    let (whole, _) = run(Fault::None);
    // Behind the preface, which says what is spoken at all, and ahead of the last word: after that nobody listens any
    // more. Four digests may come in one frame or in four.
    let until = whole.passed_down() - LAST_WORD - 3 * FRAME_OF_DIGESTS;
    for number in 0..6 {
        let at = 8 + random.below(until - 8);
        for harm in [
            Harm::Flip,
            Harm::Drop(1 + random.below(20)),
            Harm::Duplicate(1 + random.below(20)),
            Harm::Cut,
            Harm::End,
        ] {
            // Of what has lost its end only the silence shows it, and each of those takes three seconds.
            if number > 1 && matches!(harm, Harm::Drop(_)) {
                continue;
            }
            let fault = Fault::Down(at, harm);
            let (proxy, sender) = run(fault);
            assert!(proxy.has_struck(), "{fault:?}");
            assert_eq!(proxy.connections(), 2, "{fault:?}");
            // The verdict of the first connection may have been lost.
            let events = events(&sender);
            let verdict = last(&events, "file")["verdict"].clone();
            assert!(
                ["stored", "identical"].contains(&verdict.as_str().expect("text")),
                "{fault:?}"
            );
        }
    }
}

/// DONE: a header of 16 bytes and two numbers.
const LAST_WORD: usize = 32;

/// What a frame of digests has beside them.
const FRAME_OF_DIGESTS: usize = 16 + 13;
