//! The driver with real sockets, under a machine that does as it is told and tells what it sees.

use super::*;

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use socket2::SockRef;

use crate::core::machine::{Ending, Pending, Signal};

/// After this long a test has failed instead of hanging. No verdict hangs on it otherwise.
const PATIENCE: Duration = Duration::from_secs(60);

/// Small slices, so that one gathering write is not the whole outbox.
const SLICE: usize = 1000;

/// How much an echoing connection may owe its peer.
const ECHO_OUTBOX: usize = 64 * 1024;

/// What the machine saw.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Opened(ConnId, Origin, String),
    Received(ConnId, Vec<u8>),
    End(ConnId),
    Closed(ConnId, Ending),
    Deadline,
    Paused(bool),
    Signal(Signal),
    Number(usize),
}

type Order = Box<dyn FnOnce(&mut Probe, Now) + Send>;

#[derive(Default)]
struct Peer {
    outbox: Vec<u8>,
    /// How much of the outbox is on its way.
    sent: usize,
    longest_outbox: usize,
    was_blocked: bool,
    echoes: bool,
    appetite: usize,
    /// Said when this one is closed: to whom, and what.
    obituary: Option<(ConnId, &'static [u8])>,
}

impl Peer {
    fn unsent(&self) -> &[u8] {
        &self.outbox[self.sent..]
    }
}

struct Probe {
    seen: Sender<Seen>,
    peers: HashMap<ConnId, Peer>,
    touched: VecDeque<ConnId>,
    effects: VecDeque<Effect<Sender<()>>>,
    deadline: Option<Duration>,
    wants_notes: bool,
    /// What a new connection is like.
    echoes: bool,
    appetite: usize,
    greeting: &'static [u8],
    /// As a server bounds what it takes in before it writes again.
    one_per_turn: bool,
    took_one: bool,
    /// The driver asks for the deadline in each turn: this counts turns.
    deadline_asked: Cell<usize>,
    pending_asked: Cell<usize>,
    pending_asked_before_act: usize,
}

impl Probe {
    fn say(&mut self, conn: ConnId, bytes: &[u8]) {
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.outbox.extend_from_slice(bytes);
            peer.longest_outbox = peer.longest_outbox.max(peer.unsent().len());
            self.touched.push_back(conn);
        }
    }

    fn saw(&self, seen: Seen) {
        // The test may have seen enough.
        let _ = self.seen.send(seen);
    }
}

impl Machine for Probe {
    type Note = Order;
    /// Answered when it is carried out.
    type Action = Sender<()>;

    fn handle(&mut self, now: Now, event: Event<'_, Order>) {
        match event {
            Event::Opened { conn, origin, peer } => {
                let new = Peer {
                    echoes: self.echoes,
                    appetite: self.appetite,
                    ..Peer::default()
                };
                assert!(self.peers.insert(conn, new).is_none(), "{conn} twice");
                self.say(conn, self.greeting);
                self.saw(Seen::Opened(conn, origin, peer.to_string()));
            }
            Event::Received { conn, bytes } => {
                assert!(!bytes.is_empty() && bytes.len() <= self.appetite(conn));
                self.took_one = true;
                if self.peers[&conn].echoes {
                    self.say(conn, bytes);
                } else {
                    self.saw(Seen::Received(conn, bytes.to_vec()));
                }
            }
            Event::EndOfInput { conn } => {
                self.saw(Seen::End(conn));
                if self.peers[&conn].echoes {
                    self.effects.push_back(Effect::Close(conn));
                }
            }
            Event::Writable { conn } => self.touched.push_back(conn),
            Event::Closed { conn, ending } => {
                let peer = self.peers.remove(&conn).expect("opened, and closed once");
                if let Some((whom, what)) = peer.obituary {
                    self.say(whom, what);
                }
                self.saw(Seen::Closed(conn, ending));
            }
            Event::Deadline => {
                self.deadline = None;
                self.saw(Seen::Deadline);
            }
            Event::AcceptPaused(paused) => self.saw(Seen::Paused(paused)),
            Event::Signal(signal) => {
                match signal {
                    Signal::Terminate => self.effects.push_back(Effect::Exit),
                    Signal::HangUp => self.wants_notes = true,
                    Signal::Interrupt => {}
                }
                self.saw(Seen::Signal(signal));
            }
            Event::Note(order) => order(self, now),
        }
    }

    fn appetite(&self, conn: ConnId) -> usize {
        let Some(peer) = self.peers.get(&conn) else {
            return 0;
        };
        if self.one_per_turn && self.took_one {
            return 0;
        }
        if peer.echoes {
            ECHO_OUTBOX.saturating_sub(peer.unsent().len())
        } else {
            peer.appetite
        }
    }

    fn wants_notes(&self) -> bool {
        self.wants_notes
    }

    fn next_transmit(&mut self, _now: Now) -> Option<ConnId> {
        self.took_one = false;
        self.touched.pop_front()
    }

    fn pending(&self, conn: ConnId) -> Pending<'_> {
        self.pending_asked.set(self.pending_asked.get() + 1);
        let mut pending = Pending::new();
        if let Some(peer) = self.peers.get(&conn) {
            for slice in peer.unsent().chunks(SLICE) {
                if !pending.push(slice) {
                    break;
                }
            }
        }
        pending
    }

    fn sent(&mut self, _now: Now, conn: ConnId, bytes: usize) {
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.sent += bytes;
            if peer.sent == peer.outbox.len() {
                peer.outbox.clear();
                peer.sent = 0;
            }
        }
    }

    fn blocked(&mut self, _now: Now, conn: ConnId) {
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.was_blocked = true;
        }
    }

    fn effect(&mut self) -> Option<Effect<Sender<()>>> {
        let effect = self.effects.pop_front();
        if let Some(Effect::Act(_)) = effect {
            self.pending_asked_before_act = self.pending_asked.get();
        }
        effect
    }

    fn next_deadline(&self) -> Option<Duration> {
        self.deadline_asked.set(self.deadline_asked.get() + 1);
        self.deadline
    }
}

/// A loop that runs in a thread.
struct Running {
    handle: Handle<Order>,
    seen: Receiver<Seen>,
    thread: JoinHandle<EventLoop<Probe>>,
}

impl Running {
    /// Lets `prepare` do what is to be done before the first turn.
    fn start(prepare: impl FnOnce(&mut EventLoop<Probe>)) -> Self {
        let (sender, seen) = channel();
        let mut event_loop = EventLoop::new(Probe {
            seen: sender,
            peers: HashMap::new(),
            touched: VecDeque::new(),
            effects: VecDeque::new(),
            deadline: None,
            wants_notes: true,
            echoes: false,
            appetite: usize::MAX,
            greeting: b"",
            one_per_turn: false,
            took_one: false,
            deadline_asked: Cell::new(0),
            pending_asked: Cell::new(0),
            pending_asked_before_act: 0,
        })
        .unwrap();
        prepare(&mut event_loop);
        let handle = event_loop.handle();
        let thread = thread::spawn(move || {
            event_loop
                .run(&mut |told, _| told.send(()).unwrap())
                .unwrap();
            event_loop
        });
        Self {
            handle,
            seen,
            thread,
        }
    }

    fn echoing() -> Self {
        Self::start(|event_loop| event_loop.machine().echoes = true)
    }

    fn next(&self) -> Seen {
        self.seen.recv_timeout(PATIENCE).expect("an event")
    }

    fn order(&self, order: impl FnOnce(&mut Probe, Now) + Send + 'static) {
        self.handle.note(Box::new(order)).unwrap();
    }

    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Probe, Now) -> T + Send + 'static,
    ) -> T {
        let (answer, answered) = channel();
        self.order(move |probe, now| answer.send(question(probe, now)).unwrap());
        answered.recv_timeout(PATIENCE).expect("an answer")
    }

    /// Gives an order and returns when what it asked for is carried out.
    fn carry_out(&self, order: impl FnOnce(&mut Probe, Now) + Send + 'static) {
        let (told, done) = channel();
        self.order(move |probe, now| {
            order(probe, now);
            probe.effects.push_back(Effect::Act(told));
        });
        done.recv_timeout(PATIENCE).expect("carried out");
    }

    /// A connection: our end, and its name in the loop.
    fn connect(&self) -> (TcpStream, ConnId) {
        let (ours, theirs) = tcp_pair();
        let peer = PeerAddr::from_socket_addr(theirs.peer_addr().unwrap());
        self.handle.adopt(theirs, peer, Origin(7)).unwrap();
        let Seen::Opened(conn, Origin(7), name) = self.next() else {
            panic!("opened first");
        };
        assert_eq!(name, ours.local_addr().unwrap().to_string());
        (ours, conn)
    }

    /// Waits for as long as an idle loop has something to be woken by, and counts its turns.
    fn turns_of_idling(&self) -> usize {
        let before = self.ask(|probe, now| {
            probe.deadline = Some(now.since_start + Duration::from_millis(50));
            probe.deadline_asked.get()
        });
        assert_eq!(self.next(), Seen::Deadline);
        self.ask(|probe, _| probe.deadline_asked.get()) - before
    }

    fn stop(self) -> EventLoop<Probe> {
        self.handle.signal(Signal::Terminate).unwrap();
        self.thread.join().unwrap()
    }
}

impl From<TcpStream> for Transport {
    fn from(stream: TcpStream) -> Self {
        stream.set_nonblocking(true).unwrap();
        Transport::from_tcp(stream)
    }
}

/// Both ends of a connection.
fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    loop {
        let (theirs, from) = listener.accept().unwrap();
        // Another process may have tried the port.
        if from == ours.local_addr().unwrap() {
            ours.set_read_timeout(Some(PATIENCE)).unwrap();
            return (ours, theirs);
        }
    }
}

/// Ends a connection with RST.
fn reset(stream: TcpStream) {
    SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(stream);
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

fn read_exactly(stream: &mut TcpStream, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn everything_comes_back_after_the_client_has_finished_sending() {
    let running = Running::echoing();
    let (mut client, conn) = running.connect();
    client.write_all(b"hello").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut client), b"hello");
    assert_eq!(running.next(), Seen::End(conn));
    assert_eq!(running.next(), Seen::Closed(conn, Ending::Drained));
    running.stop();
}

#[test]
fn a_slow_reader_is_waited_for_and_costs_a_bounded_outbox() {
    // More than the kernel's buffers hold in both directions together.
    const LEN: usize = 16 * 1024 * 1024;
    let running = Running::echoing();
    let (mut client, conn) = running.connect();
    let data = pattern(LEN);
    let mut writer = client.try_clone().unwrap();
    let sent = data.clone();
    let writing = thread::spawn(move || {
        writer.write_all(&sent).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    // Not read until the writer is stuck, which the loop's outbox being full shows.
    while running.ask(move |probe, _| probe.peers[&conn].unsent().len()) < ECHO_OUTBOX {
        thread::yield_now();
    }
    let longest = running.ask(move |probe, _| probe.peers[&conn].longest_outbox);
    assert!(longest <= ECHO_OUTBOX, "{longest}");
    assert!(read_all(&mut client) == data, "what came back differs");
    writing.join().unwrap();
    running.stop();
}

#[test]
fn who_has_no_appetite_is_not_read_until_it_returns() {
    let running = Running::start(|event_loop| event_loop.machine().appetite = 0);
    let (mut client, conn) = running.connect();
    client.write_all(b"early").unwrap();
    assert!(
        running.turns_of_idling() < 20,
        "unread input is no reason to spin"
    );
    running.order(move |probe, _| probe.peers.get_mut(&conn).unwrap().appetite = 3);
    assert_eq!(running.next(), Seen::Received(conn, b"ear".to_vec()));
    assert_eq!(running.next(), Seen::Received(conn, b"ly".to_vec()));
    running.stop();
}

#[test]
fn an_appetite_that_returns_while_writing_is_noticed_before_sleeping() {
    let (mut one, one_theirs) = tcp_pair();
    let (mut two, two_theirs) = tcp_pair();
    one.write_all(b"x").unwrap();
    two.write_all(b"x").unwrap();
    let running = Running::start(|event_loop| {
        event_loop.machine().one_per_turn = true;
        // Both are ready in the same turn, in which only one is wanted.
        for stream in [one_theirs, two_theirs] {
            let peer = PeerAddr::Unix(None);
            event_loop.handle().adopt(stream, peer, Origin(0)).unwrap();
        }
    });
    let mut received = 0;
    while received < 2 {
        if let Seen::Received(..) = running.next() {
            received += 1;
        }
    }
    running.stop();
}

#[test]
fn a_reset_ends_that_connection_alone() {
    let running = Running::start(|_| {});
    let (mut good, good_conn) = running.connect();
    let (bad, bad_conn) = running.connect();
    reset(bad);
    let ending = Ending::Failed(io::ErrorKind::ConnectionReset);
    assert_eq!(running.next(), Seen::Closed(bad_conn, ending));
    good.write_all(b"still here").unwrap();
    let heard = Seen::Received(good_conn, b"still here".to_vec());
    assert_eq!(running.next(), heard);
    running.stop();
}

#[test]
fn a_reset_after_the_clients_fin_is_noticed_without_a_write() {
    let running = Running::start(|_| {});
    let (client, conn) = running.connect();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(running.next(), Seen::End(conn));
    assert!(running.turns_of_idling() < 20, "the end is read once");
    reset(client);
    let Seen::Closed(closed, Ending::Failed(_)) = running.next() else {
        panic!("closed");
    };
    assert_eq!(closed, conn);
    running.stop();
}

/// The kernel of the other systems may throw the data away with the connection.
#[cfg(target_os = "linux")]
#[test]
fn the_last_words_of_who_is_gone_are_heard_although_writing_fails() {
    let (mut client, theirs) = tcp_pair();
    client.write_all(b"last words").unwrap();
    reset(client);
    let running = Running::start(|event_loop| {
        // Fails in the turn in which the connection is opened, before anything was read.
        event_loop.machine().greeting = b"welcome";
        let handle = event_loop.handle();
        handle
            .adopt(theirs, PeerAddr::Unix(None), Origin(0))
            .unwrap();
    });
    let Seen::Opened(conn, ..) = running.next() else {
        panic!("opened first");
    };
    let heard = Seen::Received(conn, b"last words".to_vec());
    assert_eq!(running.next(), heard);
    let ending = Ending::Failed(io::ErrorKind::ConnectionReset);
    assert_eq!(running.next(), Seen::Closed(conn, ending));
    running.stop();
}

#[test]
fn who_is_gone_and_not_wanted_is_closed_at_once() {
    let (client, theirs) = tcp_pair();
    reset(client);
    let running = Running::start(|event_loop| {
        event_loop.machine().greeting = b"welcome";
        event_loop.machine().appetite = 0;
        let handle = event_loop.handle();
        handle
            .adopt(theirs, PeerAddr::Unix(None), Origin(0))
            .unwrap();
    });
    let Seen::Opened(conn, ..) = running.next() else {
        panic!("opened first");
    };
    assert!(matches!(running.next(), Seen::Closed(closed, Ending::Failed(_)) if closed == conn));
    running.stop();
}

#[test]
fn a_close_sends_everything_and_a_clean_end_although_input_is_unread() {
    // Fits into our end's buffer, and not into the client's.
    const LEN: usize = 100_000;
    let (mut client, theirs) = tcp_pair();
    SockRef::from(&client).set_recv_buffer_size(4096).unwrap();
    SockRef::from(&theirs)
        .set_send_buffer_size(4 * LEN)
        .unwrap();
    let running = Running::start(|event_loop| {
        event_loop.machine().appetite = 0;
        let handle = event_loop.handle();
        handle
            .adopt(theirs, PeerAddr::Unix(None), Origin(0))
            .unwrap();
    });
    let Seen::Opened(conn, ..) = running.next() else {
        panic!("opened first");
    };
    client.write_all(b"never read").unwrap();
    running.order(move |probe, _| {
        probe.say(conn, &pattern(LEN));
        probe.effects.push_back(Effect::Close(conn));
    });
    // Nothing is read before the driver has written all and said its farewell: an RST would now destroy
    // what the client has no room for yet.
    while running.ask(move |probe, _| {
        let peer = probe.peers.get(&conn);
        peer.is_some_and(|peer| !peer.unsent().is_empty())
    }) {
        thread::yield_now();
    }
    assert!(read_all(&mut client) == pattern(LEN), "what came differs");
    drop(client);
    assert_eq!(running.next(), Seen::Closed(conn, Ending::Drained));
    running.stop();
}

#[test]
fn a_closed_connection_takes_in_a_bounded_amount_of_what_goes_on_coming() {
    let running = Running::start(|event_loop| event_loop.machine().appetite = 0);
    let (mut client, conn) = running.connect();
    running.order(move |probe, _| probe.effects.push_back(Effect::Close(conn)));
    let chunk = [0; 64 * 1024];
    while client.write_all(&chunk).is_ok() {}
    assert_eq!(running.next(), Seen::Closed(conn, Ending::Drained));
    running.stop();
}

#[test]
fn after_finish_the_other_direction_goes_on() {
    let running = Running::start(|_| {});
    let (mut client, conn) = running.connect();
    running.order(move |probe, _| {
        probe.say(conn, b"that was all");
        probe.effects.push_back(Effect::Finish(conn));
    });
    assert_eq!(read_all(&mut client), b"that was all");
    client.write_all(b"answer").unwrap();
    assert_eq!(running.next(), Seen::Received(conn, b"answer".to_vec()));
    drop(client);
    assert_eq!(running.next(), Seen::End(conn));
    running.order(move |probe, _| probe.effects.push_back(Effect::Close(conn)));
    assert_eq!(running.next(), Seen::Closed(conn, Ending::Drained));
    running.stop();
}

#[test]
fn an_abort_is_the_last_that_is_said_of_a_connection() {
    let running = Running::start(|_| {});
    let (mut client, conn) = running.connect();
    running.order(move |probe, _| {
        probe.say(conn, b"never sent");
        probe.touched.clear();
        probe.effects.push_back(Effect::Abort(conn));
        probe.peers.remove(&conn);
    });
    assert_eq!(read_all(&mut client), b"");
    // What comes next is of somebody else.
    let (_other, other_conn) = running.connect();
    assert_ne!(other_conn, conn);
    running.stop();
}

#[test]
fn a_name_from_before_means_nobody() {
    let running = Running::start(|_| {});
    let (client, old) = running.connect();
    reset(client);
    assert!(matches!(running.next(), Seen::Closed(..)));
    let (mut client, new) = running.connect();
    assert_eq!(new.slot, old.slot, "the slot is used again");
    running.order(move |probe, _| {
        probe.touched.push_back(old);
        for effect in [Effect::Abort(old), Effect::Close(old), Effect::Finish(old)] {
            probe.effects.push_back(effect);
        }
        probe.say(new, b"hello");
    });
    assert_eq!(read_exactly(&mut client, 5), b"hello");
    client.write_all(b"hello").unwrap();
    assert_eq!(running.next(), Seen::Received(new, b"hello".to_vec()));
    running.stop();
}

#[test]
fn a_flood_does_not_keep_another_waiting() {
    let (mut flood, flood_theirs) = tcp_pair();
    let (mut quiet, quiet_theirs) = tcp_pair();
    // As much as the kernel takes, without anybody reading yet.
    flood.set_nonblocking(true).unwrap();
    let mut flooded = 0;
    while let Ok(count) = flood.write(&[b'x'; 16 * 1024]) {
        flooded += count;
    }
    assert!(flooded > 3 * READ_BUDGET, "{flooded}");
    quiet.write_all(b"hello").unwrap();
    let running = Running::start(|event_loop| {
        for stream in [flood_theirs, quiet_theirs] {
            let peer = PeerAddr::Unix(None);
            event_loop.handle().adopt(stream, peer, Origin(0)).unwrap();
        }
    });
    let mut before = 0;
    loop {
        match running.next() {
            Seen::Received(_, bytes) if bytes == b"hello" => break,
            Seen::Received(_, bytes) => {
                assert!(bytes.len() <= READ_BUDGET);
                before += 1;
            }
            _ => {}
        }
    }
    assert!(before <= 1, "{before} turns of the flood came first");
    running.stop();
}

/// Where the machine takes in one read a turn, whoever always has more must not be that one each time.
#[test]
fn who_was_not_wanted_comes_before_who_has_more() {
    let (mut flood, flood_theirs) = tcp_pair();
    let (mut quiet, quiet_theirs) = tcp_pair();
    flood.set_nonblocking(true).unwrap();
    while flood.write(&[b'x'; 16 * 1024]).is_ok() {}
    quiet.write_all(b"hello").unwrap();
    let running = Running::start(|event_loop| {
        event_loop.machine().one_per_turn = true;
        for stream in [flood_theirs, quiet_theirs] {
            let peer = PeerAddr::Unix(None);
            event_loop.handle().adopt(stream, peer, Origin(0)).unwrap();
        }
    });
    let mut before = 0;
    loop {
        match running.next() {
            Seen::Received(_, bytes) if bytes == b"hello" => break,
            Seen::Received(..) => before += 1,
            _ => {}
        }
    }
    assert!(before <= 1, "{before} turns of the flood came first");
    running.stop();
}

#[test]
fn a_connection_that_is_named_often_is_written_within_its_budget() {
    let running = Running::start(|_| {});
    let (mut client, conn) = running.connect();
    const MAX_WRITTEN: usize = WRITE_BUDGET * crate::core::machine::MAX_SLICES * SLICE;
    // The kernel takes it all, so nothing but the budget ends the writing.
    running.carry_out(move |probe, _| {
        probe.say(conn, &pattern(20 * MAX_WRITTEN));
        for _ in 0..100 {
            probe.touched.push_back(conn);
        }
        probe.pending_asked.set(0);
    });
    let asked = running.ask(|probe, _| probe.pending_asked_before_act);
    assert!((1..=WRITE_BUDGET).contains(&asked), "{asked}");
    assert!(read_exactly(&mut client, 20 * MAX_WRITTEN) == pattern(20 * MAX_WRITTEN));
    running.stop();
}

#[test]
fn what_a_failure_gives_rise_to_is_done_in_the_same_turn() {
    let running = Running::start(|event_loop| event_loop.machine().appetite = 0);
    let (mut heir, heir_conn) = running.connect();
    let (client, conn) = running.connect();
    reset(client);
    running.order(move |probe, _| {
        probe.peers.get_mut(&conn).unwrap().obituary = Some((heir_conn, b"gone"));
        probe.say(conn, b"fails");
        // Carried out when all writing is done: the failure is told between effects.
        probe.effects.push_back(Effect::Close(conn));
    });
    assert!(matches!(running.next(), Seen::Closed(closed, _) if closed == conn));
    assert_eq!(read_exactly(&mut heir, 4), b"gone");
    running.stop();
}

#[test]
fn notes_come_in_order_and_whoever_posts_waits_while_they_are_not_wanted() {
    const MANY: usize = 3000;
    let running = Running::start(|event_loop| event_loop.machine().wants_notes = false);
    let handle = running.handle.clone();
    let (done, is_done) = channel();
    let posting = thread::spawn(move || {
        for number in 0..MANY {
            let note: Order = Box::new(move |probe, _| probe.saw(Seen::Number(number)));
            handle.note(note).unwrap();
        }
        done.send(()).unwrap();
    });
    // Signals and connections do not queue behind notes.
    running.handle.signal(Signal::Interrupt).unwrap();
    assert_eq!(running.next(), Seen::Signal(Signal::Interrupt));
    assert!(is_done.try_recv().is_err(), "the queue is bounded");
    running.handle.signal(Signal::HangUp).unwrap();
    assert_eq!(running.next(), Seen::Signal(Signal::HangUp));
    for number in 0..MANY {
        assert_eq!(running.next(), Seen::Number(number));
    }
    posting.join().unwrap();
    running.stop();
}

#[test]
fn whoever_waits_to_post_is_released_when_the_loop_ends() {
    let running = Running::start(|event_loop| event_loop.machine().wants_notes = false);
    let handle = running.handle.clone();
    let posting = thread::spawn(move || {
        while handle.note(Box::new(|_, _| {})).is_ok() {}
        handle.signal(Signal::Interrupt)
    });
    let ended = running.stop();
    assert_eq!(posting.join().unwrap(), Err(Gone));
    drop(ended);
}

#[test]
fn a_deadline_comes_once_and_needs_no_tick() {
    let running = Running::start(|_| {});
    let at = running.ask(|probe, now| {
        let at = now.since_start + Duration::from_millis(20);
        probe.deadline = Some(at);
        at
    });
    assert_eq!(running.next(), Seen::Deadline);
    let now = running.ask(|_, now| now.since_start);
    assert!(now >= at, "{now:?} is before {at:?}");
    assert!(running.turns_of_idling() < 20);
    running.stop();
}

#[test]
fn a_loop_with_nothing_to_do_sleeps() {
    let running = Running::start(|event_loop| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = ListenerSocket::Tcp(listener);
        event_loop.listen(listener, Origin(1)).unwrap();
    });
    let (_silent, _) = running.connect();
    let (_deaf, deaf_conn) = running.connect();
    running.order(move |probe, _| probe.say(deaf_conn, &pattern(24 * 1024 * 1024)));
    while !running.ask(move |probe, _| probe.peers[&deaf_conn].was_blocked) {
        thread::yield_now();
    }
    // The kernel may move some of it to the other end's buffer yet.
    running.turns_of_idling();
    let turns = running.turns_of_idling();
    assert!(turns < 20, "{turns}");
    running.stop();
}

#[test]
fn a_stream_that_cannot_be_watched_is_opened_and_closed() {
    #[cfg(target_os = "linux")]
    {
        let running = Running::start(|_| {});
        // epoll_ctl(2) refuses a regular file.
        let file = std::os::fd::OwnedFd::from(tempfile::tempfile().unwrap());
        let stream = Transport::Tcp(mio::net::TcpStream::from_std(file.into()));
        running
            .handle
            .adopt(stream, PeerAddr::Unix(None), Origin(9))
            .unwrap();
        let Seen::Opened(conn, Origin(9), _) = running.next() else {
            panic!("opened first");
        };
        let ending = Ending::Failed(io::ErrorKind::PermissionDenied);
        assert_eq!(running.next(), Seen::Closed(conn, ending));
        running.stop();
    }
}

#[test]
fn several_listeners_are_accepted_from_and_closed_together() {
    let mut at: Vec<SocketAddr> = Vec::new();
    let running = Running::start(|event_loop| {
        event_loop.machine().echoes = true;
        for origin in 0..2 {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            at.push(listener.local_addr().unwrap());
            event_loop
                .listen(ListenerSocket::Tcp(listener), Origin(origin))
                .unwrap();
        }
    });
    let mut clients = Vec::new();
    for (number, at) in (0..).zip(&at) {
        let client = TcpStream::connect(at).unwrap();
        let name = client.local_addr().unwrap().to_string();
        let opened = running.next();
        assert!(
            matches!(&opened, Seen::Opened(_, Origin(origin), peer) if *origin == number && *peer == name),
            "{opened:?}"
        );
        clients.push(client);
    }
    running.carry_out(|probe, _| probe.effects.push_back(Effect::StopListening));
    for at in &at {
        TcpStream::connect(at).unwrap_err();
    }
    // Those who are in stay in.
    clients[0].write_all(b"hello").unwrap();
    assert_eq!(read_exactly(&mut clients[0], 5), b"hello");
    running.stop();
}

#[test]
fn a_long_turn_is_followed_by_a_short_lull() {
    assert_eq!(lull(Duration::ZERO), None);
    assert_eq!(lull(Duration::from_micros(499)), None);
    let milli = Duration::from_millis(1);
    assert_eq!(lull(milli * 16), Some(milli));
    assert_eq!(
        lull(Duration::from_secs(600)),
        Some(milli * 5),
        "whatever stood still has cost enough"
    );
}

#[test]
fn what_is_accepted_is_shared_in_turn() {
    let helper = Running::start(|_| {});
    let mut at = None;
    let running = Running::start(|event_loop| {
        event_loop.share_with(vec![helper.handle.clone()]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        at = listener.local_addr().ok();
        event_loop
            .listen(ListenerSocket::Tcp(listener), Origin(3))
            .unwrap();
    });
    let _clients: Vec<TcpStream> = (0..6)
        .map(|_| TcpStream::connect(at.unwrap()).unwrap())
        .collect();
    for part in [&running, &helper] {
        for _ in 0..3 {
            assert!(matches!(part.next(), Seen::Opened(_, Origin(3), _)));
        }
    }
    running.stop();
    helper.stop();
}

#[test]
fn a_reset_on_purpose_is_seen_as_one_and_is_reported() {
    let running = Running::start(|_| {});
    let (mut ours, conn) = running.connect();
    running.carry_out(move |probe, _| {
        probe.say(conn, b"dropped");
        probe.touched.clear();
        probe.effects.push_back(Effect::Reset(conn));
    });
    let error = ours.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(running.next(), Seen::Closed(conn, Ending::Drained));
    let (_other, _) = running.connect();
    running.stop();
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::net::{UnixListener, UnixStream};

    impl From<UnixStream> for Transport {
        fn from(stream: UnixStream) -> Self {
            stream.set_nonblocking(true).unwrap();
            Transport::from_unix(stream)
        }
    }

    fn connect(running: &Running) -> (UnixStream, ConnId) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(PATIENCE)).unwrap();
        running
            .handle
            .adopt(theirs, PeerAddr::Unix(None), Origin(0))
            .unwrap();
        let Seen::Opened(conn, ..) = running.next() else {
            panic!("opened first");
        };
        (ours, conn)
    }

    #[test]
    fn a_unix_stream_is_a_connection_like_any_other() {
        const LEN: usize = 2_000_000;
        let running = Running::echoing();
        let (mut client, conn) = connect(&running);
        let mut writer = client.try_clone().unwrap();
        let writing = thread::spawn(move || {
            writer.write_all(&pattern(LEN)).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut back = Vec::new();
        client.read_to_end(&mut back).unwrap();
        writing.join().unwrap();
        assert!(back == pattern(LEN), "what came back differs");
        assert_eq!(running.next(), Seen::End(conn));
        assert_eq!(running.next(), Seen::Closed(conn, Ending::Drained));
        running.stop();
    }

    #[test]
    fn a_unix_peer_that_is_gone_is_told_from_one_that_only_finished_sending() {
        let running = Running::start(|_| {});
        let (client, conn) = connect(&running);
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(running.next(), Seen::End(conn));
        running.turns_of_idling();
        drop(client);
        let ending = Ending::Failed(io::ErrorKind::BrokenPipe);
        assert_eq!(running.next(), Seen::Closed(conn, ending));

        let (mut client, conn) = connect(&running);
        client.write_all(b"bye").unwrap();
        drop(client);
        assert_eq!(running.next(), Seen::Received(conn, b"bye".to_vec()));
        assert_eq!(running.next(), Seen::End(conn));
        assert_eq!(running.next(), Seen::Closed(conn, ending));
        running.stop();
    }

    #[test]
    fn an_accepted_unix_peer_is_called_by_the_name_that_it_bound() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.sock");
        let running = Running::start(|event_loop| {
            let listener = UnixListener::bind(&path).unwrap();
            listener.set_nonblocking(true).unwrap();
            event_loop
                .listen(ListenerSocket::Unix(listener), Origin(3))
                .unwrap();
        });
        let _client = UnixStream::connect(&path).unwrap();
        assert!(matches!(running.next(), Seen::Opened(_, Origin(3), name) if name == "unix:"));
        #[cfg(target_os = "linux")]
        {
            let name = format!("sockkit-test-{}-\u{1b}[1m", std::process::id());
            let client =
                socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
            let own = socket2::SockAddr::unix(format!("\0{name}")).unwrap();
            client.bind(&own).unwrap();
            client
                .connect(&socket2::SockAddr::unix(&path).unwrap())
                .unwrap();
            let Seen::Opened(_, _, name) = running.next() else {
                panic!("opened");
            };
            assert!(name.starts_with("unix:@sockkit-test-"), "{name}");
            assert!(!name.contains('\u{1b}'), "{name}");
        }
        running.stop();
    }

    /// Runs one of the `child_` tests below in a process of its own.
    fn in_a_child(test: &str) {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg(format!("core::event_loop::tests::unix::{test}"))
            .env("SOCKKIT_TEST_CHILD", test)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn is_child(test: &str) -> bool {
        std::env::var_os("SOCKKIT_TEST_CHILD").is_some_and(|child| child == test)
    }

    #[test]
    fn without_descriptors_accepting_pauses_once_and_recovers() {
        in_a_child("child_without_descriptors");
    }

    #[test]
    fn child_without_descriptors() {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        use std::fs::File;

        const CLIENTS: usize = 8;
        const ROOM: usize = 3;
        if !is_child("child_without_descriptors") {
            return;
        }
        let before = getrlimit(Resource::Nofile);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let at = listener.local_addr().unwrap();
        // They wait in the backlog.
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| TcpStream::connect(at).unwrap())
            .collect();
        let mut kept = Vec::new();
        let running = Running::start(|event_loop| {
            event_loop
                .listen(ListenerSocket::Tcp(listener), Origin(0))
                .unwrap();
            // The lowest limit that this process is under already, then all but some taken.
            let limit = Rlimit {
                current: Some(128),
                ..before
            };
            setrlimit(Resource::Nofile, limit).unwrap();
            while let Ok(file) = File::open("/dev/null") {
                kept.push(file);
            }
            kept.truncate(kept.len() - ROOM);
        });
        let mut conns = Vec::new();
        for _ in 0..ROOM {
            let Seen::Opened(conn, ..) = running.next() else {
                panic!("as many as there is room for are accepted");
            };
            conns.push(conn);
        }
        assert_eq!(running.next(), Seen::Paused(true));
        assert!(running.turns_of_idling() < 20, "a pause is no spinning");

        // One leaves, and another one comes in, without a word about the want, which goes on.
        // It need not wait for the end of the pause: it is there before the driver does anything else.
        let leaver = conns[0];
        running.carry_out(move |probe, _| {
            probe.effects.push_back(Effect::Abort(leaver));
            probe.peers.remove(&leaver);
        });
        running.order(|probe, now| probe.deadline = Some(now.since_start));
        assert!(matches!(running.next(), Seen::Opened(..)));
        assert_eq!(running.next(), Seen::Deadline);
        assert!(running.turns_of_idling() < 20);

        // Nobody leaves, but there are descriptors again: found out when the pause is over.
        setrlimit(Resource::Nofile, before).unwrap();
        for _ in 0..CLIENTS - ROOM - 1 {
            assert!(matches!(running.next(), Seen::Opened(..)));
        }
        assert_eq!(running.next(), Seen::Paused(false));
        let ended = running.stop();
        drop((ended, clients, kept));
    }

    #[test]
    fn signals_are_events_each_time_they_come() {
        in_a_child("child_with_signals");
    }

    #[test]
    fn child_with_signals() {
        use signal_hook::consts::{SIGINT, SIGTERM};
        use signal_hook::low_level::raise;

        if !is_child("child_with_signals") {
            return;
        }
        let running = Running::start(|event_loop| {
            crate::core::signal::watch(event_loop.handle()).unwrap();
        });
        // SIGINT and SIGHUP may be ignored by who runs the tests; then that is respected.
        raise(SIGINT).unwrap();
        raise(SIGTERM).unwrap();
        loop {
            match running.next() {
                Seen::Signal(Signal::Interrupt) => {}
                seen => {
                    assert_eq!(seen, Seen::Signal(Signal::Terminate));
                    break;
                }
            }
        }
        running.thread.join().unwrap();
    }
}
