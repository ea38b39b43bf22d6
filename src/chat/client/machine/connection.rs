//! Connections come and go: the hello, the cut, the waits, giving up.

use std::time::Duration;

use super::{AFTER_RESTART, Action, Client, Link, OTHER_SERVERS, Outage, Status};
use crate::chat::lines::LineBuffer;
use crate::chat::wire::{Hello, VERSION, encode};
use crate::core::machine::{ConnId, Effect, Now};
use crate::error::{Error, Kind};

/// A connection that held this long was a good one, as is one that brings something: the waits begin short again
/// after it. A server that only lets in and closes would otherwise be dialled six times a second.
const GOOD: Duration = Duration::from_secs(10);

impl Client {
    pub(super) fn on_opened(&mut self, now: Now, conn: ConnId, peer: String) {
        if self.link != Link::Dialling {
            self.effects.push_back(Effect::Abort(conn));
            return;
        }
        self.peer = peer;
        self.forget_connection();
        self.link = Link::Greeting {
            conn,
            until: now.since_start + self.config.greeting,
        };
        self.taken_for_person = false;
        self.last_heard = now.since_start;
        let hello = Hello {
            sockkit: VERSION,
            session: format!("{:032x}", self.config.session),
            nick: self.nick.clone(),
            room: self.room.clone(),
            seen: self.seen.filter(|_| self.was_in),
            epoch: self.epoch,
            private: self.private,
            history: match self.seen {
                Some(_) => AFTER_RESTART,
                None => self.config.history,
            },
            password: self
                .config
                .password
                .as_ref()
                .map(|password| password.to_string()),
        };
        encode(&mut self.out, &hello);
    }

    /// What belongs to one connection is no more.
    pub(super) fn forget_connection(&mut self) {
        self.input = LineBuffer::default();
        self.out = Vec::new();
        self.sent = 0;
        self.offered = false;
        self.blocked = false;
        self.answered = false;
        self.probed = false;
    }

    pub(super) fn on_dial_failed(&mut self, now: Now, error: Error) {
        if self.link != Link::Dialling {
            return;
        }
        // Another try does not make a certificate a better one, and whoever is in between must not go unnoticed.
        if !self.was_in || error.kind() == Kind::Refused {
            return self.finish(Err(error));
        }
        self.wait(now, error.to_string());
    }

    /// The connection is gone, without our wish.
    pub(super) fn lose(&mut self, now: Now, reason: &str) {
        if let Some(conn) = self.conn() {
            self.effects.push_back(Effect::Abort(conn));
        }
        self.lost(now, reason);
    }

    /// The same where the driver knows already.
    pub(super) fn lost(&mut self, now: Now, reason: &str) {
        self.show_unread();
        self.forget_connection();
        if !self.was_in {
            let error = Error::new(
                Kind::Other,
                format!(
                    "lost the connection to {} before it answered",
                    self.config.peer
                ),
            );
            return self.finish(Err(error.because(reason.to_string())));
        }
        if let Link::Up { since, .. } = self.link
            && now.since_start >= since + GOOD
        {
            self.backoff.reset();
        }
        self.link = Link::Down;
        if self.is_done() {
            return self.finish(Ok(()));
        }
        self.wait(now, reason.to_string());
    }

    /// Waits for the next attempt, or gives up.
    pub(super) fn wait(&mut self, now: Now, reason: String) {
        self.link = Link::Down;
        let now = now.since_start;
        let never = self.config.retry == Some(Duration::ZERO);
        if self.outage.is_none() {
            self.status(Status::Disconnected {
                reason: reason.clone(),
                retrying: !never,
            });
        }
        let give_up = match &self.outage {
            Some(outage) => outage.give_up,
            None => self.config.retry.map(|retry| now.saturating_add(retry)),
        };
        let retry = now + self.backoff.wait();
        self.outage = Some(Outage {
            give_up,
            retry: Some(retry),
            reason,
        });
        if never {
            self.give_up();
        }
    }

    pub(super) fn give_up(&mut self) {
        let peer = &self.config.peer;
        let text = match self.config.retry {
            Some(retry) if !retry.is_zero() => format!(
                "lost the connection to {peer} and did not get it back within {}",
                humantime::format_duration(retry)
            ),
            _ => format!("lost the connection to {peer}"),
        };
        let error = Error::new(Kind::Other, text);
        let error = match self.outage.take() {
            Some(outage) => error.because(outage.reason),
            None => error,
        };
        self.finish(Err(error));
    }

    pub(super) fn on_no_greeting(&mut self, now: Now) {
        let waited = humantime::format_duration(self.config.greeting);
        if self.was_in {
            return self.lose(now, &format!("no answer within {waited}"));
        }
        let text = format!("no answer from {} within {waited}", self.config.peer);
        self.fail(Kind::TimedOut, text, Some(OTHER_SERVERS));
    }

    pub(super) fn watch_silence(&mut self, now: Now) {
        let Some(idle) = self.config.idle.filter(|_| self.holds == 0) else {
            return;
        };
        let silent = now.since_start.saturating_sub(self.last_heard);
        if silent >= idle {
            let text = format!("nothing came for {}", humantime::format_duration(idle));
            self.lose(now, &text);
        } else if silent >= idle / 2 && !self.probed {
            self.probe();
        }
    }

    pub(super) fn dial(&mut self) {
        self.link = Link::Dialling;
        self.effects.push_back(Effect::Act(Action::Dial));
    }
}
