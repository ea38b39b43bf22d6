//! A clock, a wire, and a server that says what the test says.

use std::time::Duration;

use serde_json::Value;

use crate::chat::client::machine::{Action, Client, Config, Goal, Note, Shown, Status};
use crate::chat::wire::ChatEvent;
use crate::core::address::PeerAddr;
use crate::core::machine::{ConnId, Effect, Ending, Event, Machine, Now, Origin, Signal};
use crate::error::{Error, Kind, Result};

pub(super) fn config() -> Config {
    Config {
        peer: "localhost:8888".into(),
        session: 0xfeed,
        seed: 1,
        nick: Some("ann".into()),
        room: None,
        history: 0,
        password: None,
        interactive: false,
        goal: Goal::default(),
        greeting: Duration::from_secs(10),
        idle: Some(Duration::from_secs(300)),
        retry: Some(Duration::from_secs(30)),
        timeout: None,
    }
}

pub(super) struct World {
    pub(super) client: Client,
    pub(super) now: Duration,
    conn: Option<ConnId>,
    generation: u32,
    wire: Vec<u8>,
    pub(super) dials: usize,
    pub(super) asked: Vec<bool>,
    pub(super) shown: Vec<Shown>,
    pub(super) closing: bool,
    pub(super) exited: bool,
}

impl World {
    pub(super) fn new(config: Config) -> Self {
        let mut world = Self {
            client: Client::new(config),
            now: Duration::ZERO,
            conn: None,
            generation: 0,
            wire: Vec::new(),
            dials: 0,
            asked: Vec::new(),
            shown: Vec::new(),
            closing: false,
            exited: false,
        };
        world.settle();
        world
    }

    /// A client that was let in, and whose hello is out of the way.
    pub(super) fn welcomed(config: Config) -> Self {
        let mut world = Self::new(config);
        world.open();
        world.welcome(0, 0, false);
        world.hears();
        world.shown.clear();
        world
    }

    fn stamp(&self) -> Now {
        Now {
            since_start: self.now,
            unix_micros: 0,
        }
    }

    fn event(&mut self, event: Event<'_, Note>) {
        let now = self.stamp();
        self.client.handle(now, event);
        self.settle();
    }

    fn settle(&mut self) {
        let now = self.stamp();
        loop {
            while let Some(conn) = self.client.next_transmit(now) {
                let bytes: Vec<u8> = self
                    .client
                    .pending(conn)
                    .slices()
                    .iter()
                    .flat_map(|slice| slice.to_vec())
                    .collect();
                self.wire.extend_from_slice(&bytes);
                self.client.sent(now, conn, bytes.len());
            }
            let Some(effect) = self.client.effect() else {
                return;
            };
            match effect {
                Effect::Act(Action::Dial) => self.dials += 1,
                Effect::Act(Action::AskPassword { again }) => self.asked.push(again),
                Effect::Act(Action::Show(shown)) => self.shown.push(shown),
                Effect::Close(conn) => {
                    assert_eq!(self.conn, Some(conn));
                    self.closing = true;
                }
                Effect::Abort(conn) if self.conn == Some(conn) => self.conn = None,
                Effect::Abort(_) => {}
                Effect::Exit => self.exited = true,
                effect => panic!("{effect:?}"),
            }
        }
    }

    pub(super) fn open(&mut self) {
        let conn = ConnId {
            slot: 0,
            generation: self.generation,
        };
        self.generation += 1;
        self.conn = Some(conn);
        self.wire.clear();
        let peer = PeerAddr::from_socket_addr(([127, 0, 0, 1], 8888).into());
        self.event(Event::Opened {
            conn,
            origin: Origin(0),
            peer: &peer,
        });
    }

    pub(super) fn is_connected(&self) -> bool {
        self.conn.is_some()
    }

    /// The server says this.
    pub(super) fn says(&mut self, lines: &str) {
        self.sends(format!("{}\n", lines.trim()).as_bytes());
    }

    pub(super) fn sends(&mut self, bytes: &[u8]) {
        if let Some(conn) = self.conn {
            self.event(Event::Received { conn, bytes });
        }
    }

    pub(super) fn welcome(&mut self, last_id: u64, acked: u64, resumed: bool) {
        self.says(&format!(
            r##"{{"event":"welcome","version":1,"server":"x","nick":"ann","room":"#lobby","last_id":{last_id},"acked":{acked},"resumed":{resumed},"max_line":4096}}"##
        ));
    }

    pub(super) fn message(&mut self, id: u64, nick: &str, text: &str) {
        self.says(&message(id, nick, text));
    }

    pub(super) fn ack(&mut self, seq: u64) {
        self.says(&format!(r#"{{"event":"ack","seq":{seq}}}"#));
    }

    /// What the server has heard since the last time.
    pub(super) fn hears(&mut self) -> Vec<Value> {
        let wire = std::mem::take(&mut self.wire);
        wire.split_inclusive(|&byte| byte == b'\n')
            .map(|line| serde_json::from_slice(line).expect("JSON"))
            .collect()
    }

    /// The same as `op` or `op:text`.
    pub(super) fn ops(&mut self) -> Vec<String> {
        self.hears()
            .iter()
            .map(|op| match (&op["op"], &op["text"]) {
                (Value::String(op), Value::String(text)) => format!("{op}:{text}"),
                (Value::String(op), _) => op.clone(),
                _ => "hello".to_string(),
            })
            .collect()
    }

    pub(super) fn line(&mut self, text: &str) {
        self.event(Event::Note(Note::Line(text.into())));
    }

    pub(super) fn note(&mut self, note: Note) {
        self.event(Event::Note(note));
    }

    pub(super) fn signal(&mut self, signal: Signal) {
        self.event(Event::Signal(signal));
    }

    pub(super) fn cut(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.event(Event::Closed {
                conn,
                ending: Ending::Failed(std::io::ErrorKind::ConnectionReset),
            });
        }
    }

    /// The farewell has come through.
    pub(super) fn closed(&mut self) {
        assert!(self.closing);
        if let Some(conn) = self.conn.take() {
            self.event(Event::Closed {
                conn,
                ending: Ending::Drained,
            });
        }
    }

    pub(super) fn end_of_input(&mut self) {
        if let Some(conn) = self.conn {
            self.event(Event::EndOfInput { conn });
        }
    }

    pub(super) fn fail_dial(&mut self) {
        let error = Error::new(Kind::Unreachable, "cannot connect to localhost:8888");
        self.note(Note::DialFailed(error));
    }

    /// Goes to the next deadline.
    pub(super) fn wait(&mut self) -> Duration {
        let before = self.now;
        self.now = self.client.next_deadline().expect("a deadline").max(before);
        self.event(Event::Deadline);
        self.now - before
    }

    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while self.client.next_deadline().is_some_and(|at| at <= until) && !self.exited {
            self.wait();
        }
        self.now = until;
    }

    pub(super) fn appetite(&self) -> usize {
        self.conn.map_or(0, |conn| self.client.appetite(conn))
    }

    pub(super) fn result(&mut self) -> Result<()> {
        assert!(self.exited, "it has not ended");
        self.client.take_result()
    }

    #[track_caller]
    pub(super) fn failure(&mut self) -> (Kind, String) {
        let error = self.result().expect_err("a failure");
        (error.kind(), error.to_string())
    }

    /// The texts of what others said, as far as it counted.
    pub(super) fn said(&self) -> Vec<String> {
        self.shown.iter().filter_map(said).collect()
    }

    pub(super) fn statuses(&self) -> Vec<&Status> {
        self.shown
            .iter()
            .filter_map(|shown| match shown {
                Shown::Status(status) => Some(status),
                _ => None,
            })
            .collect()
    }

    /// The texts of all messages that were shown.
    pub(super) fn messages(&self) -> Vec<String> {
        self.shown
            .iter()
            .filter_map(|shown| match shown {
                Shown::Said { event, .. } | Shown::Event(event) => text_of(event),
                _ => None,
            })
            .collect()
    }
}

pub(super) fn said(shown: &Shown) -> Option<String> {
    match shown {
        Shown::Said { event, .. } => text_of(event),
        _ => None,
    }
}

fn text_of(event: &ChatEvent<'_>) -> Option<String> {
    match event {
        ChatEvent::Message { text, .. }
        | ChatEvent::Action { text, .. }
        | ChatEvent::Private { text, .. } => Some(text.to_string()),
        _ => None,
    }
}

pub(super) fn message(id: u64, nick: &str, text: &str) -> String {
    format!(
        r##"{{"event":"message","room":"#lobby","id":{id},"time":"2026-11-24T04:41:52.123456Z","nick":"{nick}","text":"{text}"}}"##
    )
}
