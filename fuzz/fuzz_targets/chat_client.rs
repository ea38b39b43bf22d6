//! The chat client with a server that says what it likes; and the client for servers that are not ours.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use sockkit::chat::client::machine::{Action, Client, Config, Goal, Note};
use sockkit::chat::client::raw::RawClient;
use sockkit::core::machine::Machine;
use sockkit_fuzz::{Answer, Script, World};

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let flags = script.byte().unwrap_or(0);
    let is = |bit: u8| flags >> bit & 1 == 1;
    let config = Config {
        peer: "server".into(),
        session: 7,
        seed: 7,
        nick: is(0).then(|| "ann".into()),
        room: None,
        history: 20,
        password: None,
        interactive: is(1),
        goal: Goal {
            count: is(2).then_some(3),
            follow: is(3),
            ..Goal::default()
        },
        greeting: Duration::from_secs(10),
        idle: Some(Duration::from_secs(300)),
        retry: None,
        timeout: is(4).then_some(Duration::from_secs(600)),
    };
    match is(5) {
        true => play(RawClient::new(config, is(6)), script),
        false => play(Client::new(config), script),
    };
});

fn play<M: Machine<Note = Note, Action = Action>>(machine: M, script: Script<'_>) {
    let answer = |action| match action {
        Action::Dial => Answer::Open,
        Action::AskPassword { .. } => Answer::Note(Note::Password(None)),
        Action::Show(_) => Answer::Nothing,
    };
    let mut world = World::new(machine, false, answer);
    for line in ["one", "/ping", "/history", "/me waves", "two"] {
        world.note(Note::Line(line.into()));
    }
    world.note(Note::InputEnded);
    world.play(script);
}
