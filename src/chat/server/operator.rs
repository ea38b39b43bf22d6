//! The operators' socket: the same lines, other commands.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Server;
use super::config::Slow;
use super::report::{Happening, Report, stamp};
use crate::chat::command::unknown;
use crate::chat::nick::Key;
use crate::chat::wire::{ChatEvent, Reason};
use crate::core::address::network;
use crate::core::machine::{ConnId, Now};

const COMMANDS: [(&str, &str, &str); 11] = [
    (
        "/who",
        "",
        "list everybody with address, room and what waits to be sent",
    ),
    ("/rooms", "", "list the rooms"),
    ("/say", "TEXT", "tell everybody"),
    ("/kick", "NICK [TEXT]", "put somebody out"),
    (
        "/ban",
        "NICK|ADDRESS|CIDR",
        "put somebody out and keep the address out",
    ),
    ("/unban", "ADDRESS|CIDR", "let an address in again"),
    ("/limits", "", "show the limits and the bans"),
    (
        "/set",
        "LIMIT VALUE",
        "change a limit, by the name of its option",
    ),
    ("/shutdown", "", "end the server, as SIGTERM does"),
    ("/help", "", "show this"),
    ("/quit", "", "close this connection"),
];

impl Server {
    pub(super) fn operator_line(&mut self, now: Now, conn: ConnId, line: &str) {
        let line = line.trim();
        if line.is_empty() {
            return;
        }
        self.report(|| {
            Report::Event(Happening::Operator {
                time: stamp(now),
                text: line.to_string(),
            })
        });
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        match word {
            "/who" => self.operator_who(now, conn),
            "/rooms" => self.operator_rooms(conn),
            "/say" if !rest.is_empty() => self.say_to_all(conn, rest),
            "/kick" if !rest.is_empty() => self.kick(now, conn, rest),
            "/ban" if !rest.is_empty() => self.ban(now, conn, rest),
            "/unban" if !rest.is_empty() => self.unban(conn, rest),
            "/limits" => self.show_limits(conn),
            "/set" => self.set_limit(now, conn, rest),
            "/shutdown" => {
                self.notice(conn, "shutting down");
                self.shut_down(now);
            }
            "/help" => self.operator_help(conn),
            "/quit" => self.leave(now, conn, "quit"),
            _ => match COMMANDS.iter().find(|(name, ..)| *name == word) {
                Some((name, takes, _)) => self.notice(conn, &format!("usage: {name} {takes}")),
                None if word.starts_with('/') => {
                    let known = COMMANDS.iter().map(|(name, ..)| *name);
                    self.notice(conn, &unknown(&word[1..], known));
                }
                None => self.notice(
                    conn,
                    "that is no command; /say TEXT tells everybody, /help lists the commands",
                ),
            },
        }
    }

    fn operator_help(&mut self, conn: ConnId) {
        let lines: Vec<String> = COMMANDS
            .iter()
            .map(|(name, takes, does)| format!("{:<24} {does}", format!("{name} {takes}")))
            .collect();
        self.notices(conn, &lines);
    }

    fn operator_who(&mut self, now: Now, conn: ConnId) {
        let mut lines = vec![format!("{} clients", self.clients)];
        for member in self.members.iter().flatten() {
            if member.operator {
                continue;
            }
            let room = member
                .place
                .map_or("-", |seat| self.places[seat.room].room.name().as_str());
            let idle = now.since_start.saturating_sub(member.last_input).as_secs();
            lines.push(format!(
                "{} {} {room} idle {idle}s, {} bytes to send",
                member.name(),
                member.peer,
                self.backlog(member),
            ));
        }
        self.notices(conn, &lines);
    }

    fn operator_rooms(&mut self, conn: ConnId) {
        let lines: Vec<String> = self
            .places
            .iter()
            .map(|(_, place)| {
                let room = &place.room;
                format!(
                    "{} {} members, {} lines",
                    room.name(),
                    room.members.len(),
                    room.newest_id()
                )
            })
            .collect();
        self.notices(conn, &lines);
    }

    fn say_to_all(&mut self, conn: ConnId, text: &str) {
        let rooms: Vec<usize> = self.places.iter().map(|(index, _)| index).collect();
        for index in rooms {
            let text = format!("from the operator: {text}").into();
            self.places[index]
                .room
                .announce(&ChatEvent::Notice { text });
            self.mark_place(index);
        }
        self.notice(conn, "said");
    }

    /// The members with this nick: one, or none.
    fn find(&mut self, nick: &str) -> Option<ConnId> {
        match *self.nicks.get(&Key::of(nick))? {
            super::Holder::Conn(conn) => Some(conn),
            super::Holder::Session(token) => self.sessions.get(token)?.conn,
        }
    }

    fn kick(&mut self, now: Now, conn: ConnId, rest: &str) {
        let (nick, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let Some(target) = self.find(nick) else {
            return self.notice(conn, &format!("nobody here is called {nick}"));
        };
        let text = match text.trim() {
            "" => "put out by the operator".to_string(),
            text => format!("put out by the operator: {text}"),
        };
        self.put_out(now, target, Reason::Kicked, &text);
        self.notice(conn, &format!("{nick} is out"));
    }

    fn ban(&mut self, now: Now, conn: ConnId, rest: &str) {
        let by_nick = self.find(rest);
        let net = match by_nick {
            Some(target) => {
                let ip = self.peek(target).and_then(|member| member.peer.ip());
                let Some(ip) = ip else {
                    return self.notice(
                        conn,
                        &format!("{rest} has no IP address: /kick is all there is"),
                    );
                };
                match network(ip) {
                    ip @ IpAddr::V4(_) => IpNet::from(ip),
                    // Another address of it is a moment's work.
                    ip @ IpAddr::V6(_) => IpNet::new(ip, 64).unwrap_or_else(|_| IpNet::from(ip)),
                }
            }
            None => match parse_net(rest) {
                Some(net) => net,
                None => {
                    return self.notice(
                        conn,
                        &format!("{rest} is nobody here, and no address or network"),
                    );
                }
            },
        };
        if !self.banned.contains(&net) {
            self.banned.push(net);
        }
        let hit: Vec<ConnId> = self
            .members
            .iter()
            .flatten()
            .filter(|member| !member.operator)
            .filter(|member| member.peer.ip().is_some_and(|ip| net.contains(&ip)))
            .map(|member| member.conn)
            .collect();
        for target in &hit {
            self.put_out(now, *target, Reason::Banned, "banned by the operator");
        }
        self.notice(conn, &format!("{net} is banned, {} put out", hit.len()));
    }

    fn unban(&mut self, conn: ConnId, rest: &str) {
        let before = self.banned.len();
        if let Some(net) = parse_net(rest) {
            self.banned.retain(|banned| *banned != net);
        }
        let text = match self.banned.len() < before {
            true => format!("{rest} may come in again"),
            false => format!("{rest} is not banned"),
        };
        self.notice(conn, &text);
    }

    fn show_limits(&mut self, conn: ConnId) {
        let limits = &self.config.limits;
        let off = "off".to_string();
        let rate = limits.rate.map_or(off.clone(), |rate| {
            format!("{}/{}", rate.per_second, rate.burst)
        });
        let idle = limits
            .idle_timeout
            .map_or(off, |idle| humantime::format_duration(idle).to_string());
        let slow = match limits.slow {
            Slow::Skip => "skip",
            Slow::Kick => "kick",
        };
        let mut lines = vec![
            format!("max-clients {}", limits.max_clients),
            format!("max-per-ip {}", limits.max_per_ip),
            format!("rate {rate}"),
            format!("max-line {}", limits.max_line),
            format!("idle-timeout {idle}"),
            format!("send-queue {}", limits.send_queue),
            format!("slow {slow}"),
        ];
        lines.extend(self.banned.iter().map(|net| format!("banned {net}")));
        self.notices(conn, &lines);
    }

    fn set_limit(&mut self, now: Now, conn: ConnId, rest: &str) {
        let Some((name, value)) = rest.split_once(char::is_whitespace) else {
            return self.notice(conn, "usage: /set LIMIT VALUE; /limits shows them");
        };
        let name = name.trim_start_matches('-');
        let adjust = self.config.adjust;
        match adjust(&mut self.config.limits, name, value.trim()) {
            Ok(()) => {
                self.wake_all(now);
                self.show_limits(conn);
            }
            Err(text) => self.notice(conn, &text),
        }
    }
}

fn parse_net(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
