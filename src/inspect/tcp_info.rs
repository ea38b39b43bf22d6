//! `struct tcp_info` of Linux in plain units, and what somebody who knows would remark on it.
//!
//! The layout is that of linux/tcp.h. It only ever grew at its end, so a field is there if the kernel gave enough
//! bytes.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::time::Duration;

use crate::core::size::Size;
use crate::inspect::report::{Cell, counted, time};

/// How wide a field is, and what it counts.
#[derive(Debug, Clone, Copy)]
enum Field {
    /// A byte.
    U8,
    /// Two.
    U16,
    /// Four, in these units.
    U32(Option<&'static str>),
    /// Eight.
    U64(Option<&'static str>),
}

use Field::{U8, U16, U32, U64};

const BYTES: Option<&str> = Some("bytes");
const MICROS: Option<&str> = Some("us");
const MILLIS: Option<&str> = Some("ms");
const SEGMENTS: Option<&str> = Some("segments");
const RATE: Option<&str> = Some("bytes/s");

/// Name, offset, and how to read it.
const FIELDS: &[(&str, usize, Field)] = &[
    ("retransmits", 2, U8),
    ("probes", 3, U8),
    ("backoff", 4, U8),
    ("rto", 8, U32(MICROS)),
    ("ato", 12, U32(MICROS)),
    ("snd_mss", 16, U32(BYTES)),
    ("rcv_mss", 20, U32(BYTES)),
    ("unacked", 24, U32(SEGMENTS)),
    ("sacked", 28, U32(SEGMENTS)),
    ("lost", 32, U32(SEGMENTS)),
    ("retrans", 36, U32(SEGMENTS)),
    ("last_data_sent", 44, U32(MILLIS)),
    ("last_data_recv", 52, U32(MILLIS)),
    ("last_ack_recv", 56, U32(MILLIS)),
    ("pmtu", 60, U32(BYTES)),
    ("rcv_ssthresh", 64, U32(BYTES)),
    ("rtt", 68, U32(MICROS)),
    ("rttvar", 72, U32(MICROS)),
    ("snd_ssthresh", 76, U32(SEGMENTS)),
    ("snd_cwnd", 80, U32(SEGMENTS)),
    ("advmss", 84, U32(BYTES)),
    ("reordering", 88, U32(SEGMENTS)),
    ("rcv_rtt", 92, U32(MICROS)),
    ("rcv_space", 96, U32(BYTES)),
    ("total_retrans", 100, U32(SEGMENTS)),
    ("pacing_rate", 104, U64(RATE)),
    ("max_pacing_rate", 112, U64(RATE)),
    ("bytes_acked", 120, U64(BYTES)),
    ("bytes_received", 128, U64(BYTES)),
    ("segs_out", 136, U32(SEGMENTS)),
    ("segs_in", 140, U32(SEGMENTS)),
    ("notsent_bytes", 144, U32(BYTES)),
    ("min_rtt", 148, U32(MICROS)),
    ("data_segs_in", 152, U32(SEGMENTS)),
    ("data_segs_out", 156, U32(SEGMENTS)),
    ("delivery_rate", 160, U64(RATE)),
    ("busy_time", 168, U64(MICROS)),
    ("rwnd_limited", 176, U64(MICROS)),
    ("sndbuf_limited", 184, U64(MICROS)),
    ("delivered", 192, U32(SEGMENTS)),
    ("delivered_ce", 196, U32(SEGMENTS)),
    ("bytes_sent", 200, U64(BYTES)),
    ("bytes_retrans", 208, U64(BYTES)),
    ("dsack_dups", 216, U32(SEGMENTS)),
    ("reord_seen", 220, U32(None)),
    ("rcv_ooopack", 224, U32(SEGMENTS)),
    ("snd_wnd", 228, U32(BYTES)),
    ("rcv_wnd", 232, U32(BYTES)),
    ("rehash", 236, U32(None)),
    ("total_rto", 240, U16),
    ("total_rto_recoveries", 242, U16),
    ("total_rto_time", 244, U32(MILLIS)),
];

/// What `snd_ssthresh` is before anything was lost (net/tcp.h).
const INFINITE_SSTHRESH: u64 = 0x7fff_ffff;

/// States of net/tcp_states.h, in the words of RFC 9293.
const STATES: [&str; 13] = [
    "unknown",
    "ESTABLISHED",
    "SYN-SENT",
    "SYN-RECEIVED",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "TIME-WAIT",
    "CLOSED",
    "CLOSE-WAIT",
    "LAST-ACK",
    "LISTEN",
    "CLOSING",
    "NEW-SYN-RECEIVED",
];

/// The name of a state.
pub fn state_name(state: u8) -> &'static str {
    STATES.get(usize::from(state)).copied().unwrap_or("unknown")
}

/// The information on one connection or listener.
#[derive(Debug, Clone, Copy)]
pub struct TcpInfo<'a>(&'a [u8]);

impl<'a> TcpInfo<'a> {
    /// From what the kernel gave. `None`: that is too little to be one.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        (bytes.len() >= 104).then_some(Self(bytes))
    }

    /// The state.
    pub fn state(self) -> &'static str {
        state_name(self.0[0])
    }

    fn get(self, name: &str) -> Option<u64> {
        let (_, at, field) = FIELDS.iter().find(|(field, ..)| *field == name)?;
        self.read(*at, *field)
    }

    fn read(self, at: usize, field: Field) -> Option<u64> {
        match field {
            U8 => self.0.get(at).map(|&byte| byte.into()),
            U16 => Some(u16::from_ne_bytes(self.0.get(at..at + 2)?.try_into().ok()?).into()),
            U32(_) => Some(u32::from_ne_bytes(self.0.get(at..at + 4)?.try_into().ok()?).into()),
            U64(_) => Some(u64::from_ne_bytes(self.0.get(at..at + 8)?.try_into().ok()?)),
        }
    }

    /// Every field that this kernel has, in its unit. Of a listener the kernel tells no more than its queue.
    pub fn facts(self) -> Vec<(String, Cell)> {
        let mut facts = vec![("state".into(), Cell::text(self.state()))];
        if let Some((waiting, most)) = self.backlog() {
            let connections = |number| Cell::count(number, Some("connections"));
            facts.push(("waiting".into(), connections(waiting)));
            facts.push(("backlog".into(), connections(most)));
            return facts;
        }
        facts.push(("options".into(), Cell::text(self.options())));
        for (name, at, field) in FIELDS {
            let Some(value) = self.read(*at, *field) else {
                continue;
            };
            let unit = match field {
                U8 | U16 => None,
                U32(unit) | U64(unit) => *unit,
            };
            let cell = Cell::count(value, unit);
            let cell = match shown(name, value, unit) {
                Some(text) => cell.shown_as(text),
                None => cell,
            };
            facts.push(((*name).into(), cell));
        }
        facts
    }

    /// The options that both ends agreed on: `TCPI_OPT_*` of linux/tcp.h.
    fn options(self) -> String {
        const NAMES: [&str; 6] = [
            "timestamps",
            "sack",
            "wscale",
            "ecn",
            "ecn-seen",
            "syn-data",
        ];
        let bits = self.0[5];
        let mut found: Vec<String> = NAMES
            .iter()
            .enumerate()
            .filter(|(bit, _)| bits & 1 << bit != 0)
            .map(|(_, name)| (*name).to_owned())
            .collect();
        if let Some(wscale) = found.iter_mut().find(|name| *name == "wscale") {
            // Two fields of four bits; C compilers begin at the end that the machine's integers begin at.
            let (low, high) = (self.0[6] & 15, self.0[6] >> 4);
            let (send, receive) = match cfg!(target_endian = "little") {
                true => (low, high),
                false => (high, low),
            };
            *wscale = format!("wscale:{send},{receive}");
        }
        match found.is_empty() {
            true => "none".into(),
            false => found.join(" "),
        }
    }

    /// Connections that wait to be accepted, and how many may, if it listens.
    pub fn backlog(self) -> Option<(u64, u64)> {
        (self.state() == "LISTEN").then_some((self.get("unacked")?, self.get("sacked")?))
    }

    /// What somebody who knows would remark.
    pub fn remarks(self) -> Vec<String> {
        let mut remarks = Vec::new();
        let get = |name| self.get(name).unwrap_or(0);
        match self.state() {
            "LISTEN" => {
                if let Some((waiting, most)) = self.backlog()
                    && waiting > 0
                {
                    remarks.push(match waiting >= most {
                        true => format!(
                            "the backlog is full: {waiting} connections wait to be accepted, further ones are not answered"
                        ),
                        false => format!("{waiting} of {most} connections wait to be accepted"),
                    });
                }
                return remarks;
            }
            "CLOSE-WAIT" => remarks.push(
                "the peer has closed its direction, the program has not closed the socket".into(),
            ),
            "SYN-SENT" => remarks.push("nobody has answered yet".into()),
            _ => {}
        }
        let busy = get("busy_time");
        for (name, remark) in [
            (
                "rwnd_limited",
                "receiver-limited: the peer's window was full",
            ),
            ("sndbuf_limited", "sender-limited: the send buffer was full"),
        ] {
            let share = get(name).saturating_mul(100).checked_div(busy).unwrap_or(0);
            if share >= LIMITED_PERCENT {
                remarks.push(format!(
                    "{remark} {share} % of the time that there was something to send"
                ));
            }
        }
        // With timestamps twelve bytes of each segment are theirs (RFC 7323 section 3.2).
        let stamps = if self.0[5] & 1 != 0 { 12 } else { 0 };
        let (mss, own) = (get("snd_mss") + stamps, get("advmss"));
        if mss < own.min(ETHERNET_MSS) && mss >= LEAST_MSS && get("segs_in") > 0 {
            remarks.push(format!("MSS clamped to {mss}: a tunnel?"));
        }
        let (resent, sent) = (get("total_retrans"), get("segs_out"));
        if resent > 0 {
            remarks.push(format!("{resent} of {sent} segments were sent again"));
        }
        let (rtt, least) = (get("rtt"), get("min_rtt"));
        if least > 0
            && least < u64::from(u32::MAX)
            && rtt > QUEUE_MICROS
            && rtt / least >= QUEUE_FACTOR
        {
            remarks.push(format!(
                "a round trip takes {} times what it takes at best: a queue on the way",
                rtt / least
            ));
        }
        if get("delivered_ce") > 0 {
            remarks.push("the network reports congestion (ECN)".into());
        }
        remarks
    }
}

/// From this share on a limit is worth a remark.
const LIMITED_PERCENT: u64 = 10;

/// The MSS of an Ethernet path over IPv6, the smaller one: 1500 less 60 bytes of headers.
const ETHERNET_MSS: u64 = 1440;

/// Below this it is no path's MSS but that of a socket that has not seen its peer's: 536 is the default.
const LEAST_MSS: u64 = 537;

/// Round trips below this are too noisy to tell of a queue.
const QUEUE_MICROS: u64 = 20_000;

/// How many times its minimum a round trip takes when there is a queue.
const QUEUE_FACTOR: u64 = 4;

/// A value as a person writes it.
fn shown(name: &str, value: u64, unit: Option<&str>) -> Option<String> {
    match unit {
        Some("us") if name == "min_rtt" && value == u64::from(u32::MAX) => Some("-".into()),
        Some("us") => Some(time(Duration::from_micros(value))),
        Some("ms") if value >= 10_000 => Some(format!("{}.{} s", value / 1000, value % 1000 / 100)),
        Some("segments") if name == "snd_ssthresh" && value >= INFINITE_SSTHRESH => {
            Some("none".into())
        }
        Some("bytes/s") if value == u64::MAX => Some("unlimited".into()),
        Some("bytes/s") => Some(match value {
            0..10_000 => counted(&value.to_string(), "bytes/s"),
            10_000..10_000_000 => format!("{} kB/s", value / 1000),
            _ => format!("{} MB/s", value / 1_000_000),
        }),
        Some("bytes") if value >= 10_240 && value.is_multiple_of(1024) => {
            Some(Size::from_bytes(value).to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An established connection with these fields.
    fn info(fields: &[(&str, u64)]) -> Vec<u8> {
        let mut bytes = vec![0; 248];
        bytes[0] = 1;
        for (name, value) in fields {
            let (_, at, field) = FIELDS.iter().find(|(field, ..)| field == name).unwrap();
            match field {
                U8 => bytes[*at] = *value as u8,
                U16 => bytes[*at..at + 2].copy_from_slice(&(*value as u16).to_ne_bytes()),
                U32(_) => bytes[*at..at + 4].copy_from_slice(&(*value as u32).to_ne_bytes()),
                U64(_) => bytes[*at..at + 8].copy_from_slice(&value.to_ne_bytes()),
            }
        }
        bytes
    }

    fn remarks(fields: &[(&str, u64)]) -> Vec<String> {
        TcpInfo::new(&info(fields)).unwrap().remarks()
    }

    #[test]
    fn a_healthy_connection_needs_no_remark() {
        let healthy = [
            ("snd_mss", 1460),
            ("advmss", 1460),
            ("segs_in", 5),
            ("rtt", 300),
            ("min_rtt", 250),
        ];
        assert_eq!(remarks(&healthy), Vec::<String>::new());
    }

    #[test]
    fn what_goes_wrong_is_remarked() {
        let table: [(&[(&str, u64)], &str); 5] = [
            (
                &[("busy_time", 1000), ("rwnd_limited", 400)],
                "receiver-limited: the peer's window was full 40 %",
            ),
            (
                &[("busy_time", 1000), ("sndbuf_limited", 900)],
                "sender-limited",
            ),
            (
                &[("snd_mss", 1380), ("advmss", 1460), ("segs_in", 1)],
                "MSS clamped to 1380: a tunnel?",
            ),
            (
                &[("total_retrans", 3), ("segs_out", 70)],
                "3 of 70 segments were sent again",
            ),
            (&[("rtt", 200_000), ("min_rtt", 20_000)], "10 times"),
        ];
        for (fields, expected) in table {
            let found = remarks(fields);
            assert!(
                found.iter().any(|remark| remark.contains(expected)),
                "{found:?}"
            );
        }
        let mut full = info(&[("unacked", 128), ("sacked", 128)]);
        full[0] = 10;
        assert!(TcpInfo::new(&full).unwrap().remarks()[0].starts_with("the backlog is full"));
        let mut half_closed = info(&[]);
        half_closed[0] = 8;
        assert!(TcpInfo::new(&half_closed).unwrap().remarks()[0].contains("peer has closed"));
    }

    #[test]
    fn an_older_kernel_gives_fewer_fields() {
        let bytes = info(&[]);
        let all = TcpInfo::new(&bytes).unwrap().facts().len();
        let old = TcpInfo::new(&bytes[..104]).unwrap().facts().len();
        assert!(old < all && old > 20, "{old} of {all}");
        assert!(TcpInfo::new(&bytes[..20]).is_none());
    }

    #[test]
    fn fields_do_not_overlap() {
        let mut end = 0;
        for (name, at, field) in FIELDS {
            assert!(*at >= end, "{name}");
            end = at
                + match field {
                    U8 => 1,
                    U16 => 2,
                    U32(_) => 4,
                    U64(_) => 8,
                };
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_shown(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Some(info) = TcpInfo::new(&bytes) {
                let _ = (info.facts(), info.remarks(), info.backlog());
            }
        }
    }
}
