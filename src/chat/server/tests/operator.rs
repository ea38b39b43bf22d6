//! The operators' socket.

use std::time::Duration;

use super::world::{Fate, Peer, World, hello};
use crate::chat::server::report::Happening;
use crate::chat::wire::{ChatEvent, Reason};
use crate::core::machine::Origin;

fn asks(world: &mut World, operator: Peer, line: &str) -> Vec<String> {
    world.sees(operator);
    world.types(operator, line);
    world.sees(operator)
}

#[test]
fn who_lists_everybody_with_address_room_and_queue() {
    let mut world = World::new();
    let ann = world.nc_called("ann");
    let bob = world.arrives_from("2001:db8::7", Origin(0));
    world.types(bob, "/nick bob");
    world.types(bob, "/join #tea");
    world.stops_reading(ann, 0);
    world.types(bob, "/msg ann 12345");
    world.seconds(3);
    let operator = world.operator();
    let seen = asks(&mut world, operator, "/who");
    assert_eq!(seen[0], "* 2 clients");
    let pending = "[bob] 12345\n".len();
    assert_eq!(
        seen[1],
        format!("* ann 192.0.2.1:40000 #lobby idle 3s, {pending} bytes to send")
    );
    assert_eq!(
        seen[2],
        "* bob [2001:db8::7]:40001 #tea idle 3s, 0 bytes to send"
    );
    let seen = asks(&mut world, operator, "/rooms");
    assert_eq!(
        seen,
        ["* #lobby 1 members, 0 lines", "* #tea 1 members, 0 lines"]
    );
}

#[test]
fn a_long_list_is_no_reason_to_drop_the_operator() {
    let mut world = World::with(|config| config.limits.send_queue = 4096);
    for _ in 0..200 {
        world.nc();
    }
    let operator = world.operator();
    assert_eq!(asks(&mut world, operator, "/who").len(), 201);
}

#[test]
fn kick_puts_out_and_says_why_to_all_whom_it_concerns() {
    let mut world = World::new();
    let ann = world.nc_called("ann");
    let bob = world.program(&hello(1, "bob"));
    world.all_have_read();
    let operator = world.operator();
    assert_eq!(
        asks(&mut world, operator, "/kick ann be\x1bnice"),
        ["* ann is out"]
    );
    assert_eq!(world.sees(ann), [r"* put out by the operator: be\x1bnice"]);
    assert_eq!(world.fate(ann), Fate::Closed);
    assert_eq!(asks(&mut world, operator, "/kick BOB"), ["* BOB is out"]);
    let told = world.told(bob);
    assert!(matches!(
        told.last(),
        Some(ChatEvent::Goodbye {
            reason: Reason::Kicked,
            ..
        })
    ));
    assert_eq!(
        asks(&mut world, operator, "/kick ann"),
        ["* nobody here is called ann"]
    );
    assert_eq!(world.server.clients, 0);
    let refused = |h: &&Happening| {
        matches!(
            h,
            Happening::Refused {
                reason: Reason::Kicked,
                ..
            }
        )
    };
    assert_eq!(world.happenings().iter().filter(refused).count(), 2);
}

#[test]
fn a_ban_keeps_an_address_out_until_it_is_lifted() {
    let mut world = World::new();
    let ann = world.nc_called("ann");
    let also_ann = world.nc();
    let bob = world.arrives_from("198.51.100.7", Origin(0));
    world.types(bob, "hi");
    world.all_have_read();
    let operator = world.operator();
    assert_eq!(
        asks(&mut world, operator, "/ban ann"),
        ["* 192.0.2.1/32 is banned, 2 put out"]
    );
    assert_eq!(world.sees(ann), ["* banned by the operator"]);
    assert_eq!(world.fate(also_ann), Fate::Closed);
    let again = world.nc();
    assert_eq!(
        world.received(again),
        b"* you are banned from this server\n"
    );
    assert_eq!(
        asks(&mut world, operator, "/ban 198.51.100.0/24"),
        ["* 198.51.100.0/24 is banned, 1 put out"]
    );
    assert!(asks(&mut world, operator, "/limits").contains(&"* banned 192.0.2.1/32".into()));
    assert_eq!(
        asks(&mut world, operator, "/unban 192.0.2.1"),
        ["* 192.0.2.1 may come in again"]
    );
    assert_eq!(
        asks(&mut world, operator, "/unban 192.0.2.1"),
        ["* 192.0.2.1 is not banned"]
    );
    let again = world.nc();
    assert_eq!(world.fate(again), Fate::Open);
    assert_eq!(
        asks(&mut world, operator, "/ban nobody"),
        ["* nobody is nobody here, and no address or network"]
    );
}

#[test]
fn limits_are_shown_and_changed_for_those_who_are_here_too() {
    let mut world = World::new();
    let ann = world.nc();
    let operator = world.operator();
    let seen = asks(&mut world, operator, "/limits");
    assert!(seen.contains(&"* max-line 4096".to_string()), "{seen:?}");
    assert!(seen.contains(&"* rate off".to_string()), "{seen:?}");
    let seen = asks(&mut world, operator, "/set --max-line 10");
    assert!(seen.contains(&"* max-line 10".to_string()), "{seen:?}");
    world.types(ann, "0123456789a");
    assert_eq!(
        world.sees(ann),
        ["* that line is too long: the limit is 10 bytes"]
    );
    assert_eq!(
        asks(&mut world, operator, "/set max-line much"),
        ["* not a size"]
    );
    assert_eq!(
        asks(&mut world, operator, "/set speed 9"),
        ["* there is no limit speed"]
    );
    world.types(ann, "/ping");
    assert_eq!(world.sees(ann), ["* pong"]);
    // A timeout that is set later holds for those who came before, with the warning.
    world.seconds(1000);
    let seen = asks(&mut world, operator, "/set idle-timeout 300");
    assert!(seen.contains(&"* idle-timeout 5m".to_string()), "{seen:?}");
    assert!(world.sees(ann)[0].contains("disconnected in 1m"));
    world.advance(Duration::from_secs(60));
    assert_eq!(world.fate(ann), Fate::Closed);
    assert_eq!(world.fate(operator), Fate::Open);
}

#[test]
fn what_the_operator_says_reaches_all_rooms() {
    let mut world = World::new();
    let ann = world.nc();
    let bob = world.nc();
    world.types(bob, "/join #x");
    world.all_have_read();
    let operator = world.operator();
    assert_eq!(asks(&mut world, operator, "/say tea is ready"), ["* said"]);
    for peer in [ann, bob] {
        assert_eq!(world.sees(peer), ["* from the operator: tea is ready"]);
    }
}

#[test]
fn the_operator_ends_the_server() {
    let mut world = World::new();
    let ann = world.nc();
    let operator = world.operator();
    world.types(operator, "/shutdown");
    assert_eq!(world.sees(ann), ["* the server is shutting down"]);
    assert_eq!(
        world.sees(operator),
        ["* shutting down", "* the server is shutting down"]
    );
    assert!(world.exited);
    assert_eq!(world.server.ended_by(), None);
}

#[test]
fn mistakes_are_answered_and_everything_is_reported() {
    let mut world = World::new();
    let operator = world.operator();
    assert_eq!(
        asks(&mut world, operator, "/kick"),
        ["* usage: /kick NICK [TEXT]"]
    );
    assert_eq!(
        asks(&mut world, operator, "/kcik x"),
        ["* there is no /kcik; did you mean /kick?"]
    );
    assert!(asks(&mut world, operator, "hello")[0].contains("/say"));
    assert_eq!(asks(&mut world, operator, "/help").len(), 11);
    let typed = |h: &&Happening| matches!(h, Happening::Operator { text, .. } if text == "/kcik x");
    assert_eq!(world.happenings().iter().filter(typed).count(), 1);
    world.types(operator, "/quit");
    assert_eq!(world.fate(operator), Fate::Closed);
    assert_eq!(world.server.operators, 0);
}

#[test]
fn an_operator_is_no_client() {
    let mut world = World::with(|config| {
        config.limits.max_clients = 1;
        config.limits.idle_timeout = Some(Duration::from_secs(60));
    });
    let operator = world.operator();
    let ann = world.nc();
    world.seconds(30);
    world.types(ann, "hi");
    assert!(world.sees(operator).is_empty(), "and hears no talk");
    world.seconds(3600);
    assert_eq!(world.fate(operator), Fate::Open);
}

#[test]
fn who_is_banned_by_the_nick_does_not_come_back_from_the_next_address() {
    let mut world = World::new();
    let operator = world.operator();
    let ann = world.arrives_from("2001:db8::1", Origin(0));
    world.types(ann, "/nick ann");
    assert_eq!(
        asks(&mut world, operator, "/ban ann"),
        ["* 2001:db8::/64 is banned, 1 put out"]
    );
    let again = world.arrives_from("2001:db8::2", Origin(0));
    world.types(again, "hello");
    assert_eq!(
        world.received(again),
        b"* you are banned from this server\n"
    );
}
