//! The values of options: each is checked once, here, and is right from then on.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

use crate::core::datagram::open::Group;

/// How long the text before each line of an echo may be: as much goes out for every empty line of a peer.
const MAX_PREFIX: usize = 256;

/// A number of bytes, typed as `4096`, `4K` or `4KiB`; `K`, `M` and `G` are powers of 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

impl Size {
    /// From a number of bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The number of bytes as a length in memory, at most what the machine can address.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = match unit {
            "" | "B" => 1,
            "k" | "K" | "KiB" => KIB,
            "m" | "M" | "MiB" => MIB,
            "g" | "G" | "GiB" => GIB,
            _ => return Err(
                "a size is a number with K, M, G, KiB, MiB, GiB or nothing behind it, such as 64K"
                    .into(),
            ),
        };
        if number.is_empty() {
            return Err("a size begins with a number, such as 64K".into());
        }
        number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(unit))
            .map(Self)
            .ok_or_else(|| "too large".into())
    }
}

impl fmt::Display for Size {
    /// In the largest unit without a remainder, which reads back as the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, name) in [(GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")] {
            if self.0 != 0 && self.0.is_multiple_of(unit) {
                return write!(f, "{}{name}", self.0 / unit);
            }
        }
        write!(f, "{}", self.0)
    }
}

/// A limit of time that can be switched off: `5m`, `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeout(Option<Duration>);

impl Timeout {
    /// No limit.
    pub const OFF: Self = Self(None);

    /// A limit.
    pub const fn after(duration: Duration) -> Self {
        Self(Some(duration))
    }

    /// The limit, or `None` for none.
    pub const fn get(self) -> Option<Duration> {
        self.0
    }
}

impl FromStr for Timeout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::OFF),
            _ => positive_duration(text)
                .map(Self::after)
                .map_err(|error| format!("{error}; \"off\" for no limit")),
        }
    }
}

/// So many lines or datagrams per second, once a burst has been used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// So many per second in the long run.
    pub per_second: NonZeroU32,
    /// So many may come at once after a pause.
    pub burst: NonZeroU32,
}

/// A [`Rate`] that can be switched off: `20`, `20/100`, `off`. A burst that is not given is five seconds' worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit(Option<Rate>);

impl RateLimit {
    /// No limit.
    pub const OFF: Self = Self(None);

    /// The rate, or `None` for any.
    pub const fn get(self) -> Option<Rate> {
        self.0
    }
}

impl FromStr for RateLimit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "a rate is a number per second above 0, with or without a burst, such as 20 or 20/100, or off";
        const BURST_SECONDS: u32 = 5;
        if text == "off" {
            return Ok(Self::OFF);
        }
        let (rate, burst) = match text.split_once('/') {
            Some((rate, burst)) => (rate, Some(burst)),
            None => (text, None),
        };
        let per_second: NonZeroU32 = rate.parse().map_err(|_| FORM)?;
        let burst = match burst {
            Some(burst) => burst.parse().map_err(|_| FORM)?,
            None => per_second.saturating_mul(NonZeroU32::MIN.saturating_add(BURST_SECONDS - 1)),
        };
        Ok(Self(Some(Rate { per_second, burst })))
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(Rate { per_second, burst }) => write!(f, "{per_second}/{burst}"),
            None => f.write_str("off"),
        }
    }
}

/// The longest time that can be asked for, a hundred years: added to a clock's reading it overflows on no system.
const MAX_DURATION: Duration = Duration::from_secs(100 * 31_557_600);

/// A duration as humantime reads it; 0 is allowed.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration <= MAX_DURATION => Ok(duration),
        Ok(_) => Err("no time is longer than 100 years".into()),
        Err(_) => Err("a time has a unit, such as 500ms, 10s or 1m30s".into()),
    }
}

/// A duration above 0.
pub(super) fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("the time must be above 0".into()),
        duration => Ok(duration),
    }
}

fn size_within(text: &str, low: u64, high: u64) -> Result<Size, String> {
    let size: Size = text.parse()?;
    if (low..=high).contains(&size.0) {
        Ok(size)
    } else {
        Err(format!(
            "{size} is not within {} to {}",
            Size(low),
            Size(high)
        ))
    }
}

/// SO_SNDBUF and SO_RCVBUF are C ints, and some kernels double what they are given.
pub(super) fn buffer_size(text: &str) -> Result<Size, String> {
    size_within(text, 1, GIB - 1)
}

/// Below 64 bytes no command with a nick fits; above 1 MiB a line is a file.
pub(super) fn line_size(text: &str) -> Result<Size, String> {
    size_within(text, 64, MIB)
}

/// Less than this would skip lines of members who are merely a packet behind.
pub(super) fn queue_size(text: &str) -> Result<Size, String> {
    size_within(text, 16 * KIB, GIB)
}

/// Smaller files would be thousands within a day.
pub(super) fn rotate_size(text: &str) -> Result<Size, String> {
    size_within(text, 64 * KIB, 1024 * GIB)
}

/// Bytes a second. Less than a packet's worth would take minutes for a handshake.
pub(super) fn byte_rate(text: &str) -> Result<Size, String> {
    size_within(text, KIB, u64::MAX)
}

/// The name of a file. What else a receiver may have against it is for the receiver to say.
pub(super) fn file_name(text: &str) -> Result<String, &'static str> {
    match text {
        "" | "." | ".." => Err("must be the name of a file"),
        _ if text.contains(['/', '\0']) => Err("must be a name without directories"),
        // NAME_MAX of nearly every system.
        _ if text.len() > 255 => Err("no name is longer than 255 bytes"),
        _ => Ok(text.into()),
    }
}

/// Permission bits in octal, as chmod takes them.
pub(super) fn octal_mode(text: &str) -> Result<u32, &'static str> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err("permissions are three octal digits, such as 600 or 660"),
    }
}

/// A network, or an address as the network of itself.
pub(super) fn network(text: &str) -> Result<IpNet, &'static str> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| "a network is an address with a prefix length, such as 10.0.0.0/8 or fd00::/8, or an address")
}

/// Something without spaces. What a nick or room may be is the server's to say.
pub(super) fn word(text: &str) -> Result<String, &'static str> {
    if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("must be one word");
    }
    Ok(text.into())
}

/// A room. Its `#`, behind which a shell sees a comment, may be left out.
pub(super) fn room(text: &str) -> Result<String, &'static str> {
    let name = word(text)?;
    Ok(match name.starts_with('#') {
        true => name,
        false => format!("#{name}"),
    })
}

/// One line: what looks like two to a receiver cannot be sent as one.
pub(super) fn line(text: &str) -> Result<String, &'static str> {
    if text.contains(['\n', '\r']) {
        return Err("a line has no line end in it; repeat the option for several lines");
    }
    Ok(text.into())
}

/// At least one byte.
pub(super) fn some_bytes(text: &str) -> Result<Size, String> {
    size_within(text, 1, u64::MAX)
}

/// What a probe may be long: more than a mebibyte is a transfer.
pub(super) fn probe_size(text: &str) -> Result<Size, String> {
    size_within(text, 1, MIB)
}

/// How many probes: the time of each is kept, to tell the exact percentiles.
pub(super) fn probe_count(text: &str) -> Result<u32, String> {
    let size: Size = text.parse()?;
    match u32::try_from(size.0) {
        Ok(count @ 1..=1_048_576) => Ok(count),
        _ => Err("a number of probes is within 1 to 1M".into()),
    }
}

/// What goes before each line of an echo.
pub(super) fn prefix(text: &str) -> Result<String, String> {
    match text.len() <= MAX_PREFIX {
        true => Ok(text.into()),
        false => Err(format!("the text is longer than {MAX_PREFIX} bytes")),
    }
}

/// A multicast group, with or without the interface on which to join it.
pub(super) fn group(text: &str) -> Result<Group, &'static str> {
    let (ip, interface) = match text.split_once('%') {
        Some((ip, interface)) => (ip, Some(interface)),
        None => (text, None),
    };
    let ip: IpAddr = ip
        .trim_matches(['[', ']'])
        .parse()
        .map_err(|_| "a group is an IP address, with or without an interface: 239.1.2.3%eth0")?;
    if !ip.is_multicast() {
        return Err("that is no multicast address: they are 224.0.0.0/4 and ff00::/8");
    }
    match interface {
        Some("") => Err("the interface behind the % is missing"),
        _ => Ok(Group {
            ip,
            interface: interface.map(Into::into),
        }),
    }
}

/// The name of a subcommand.
pub(super) fn subcommand(text: &str) -> Result<String, String> {
    let command = super::command();
    let names: Vec<&str> = command
        .get_subcommands()
        .map(clap::Command::get_name)
        .collect();
    if names.contains(&text) {
        Ok(text.into())
    } else {
        Err(format!("the commands are {}", names.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_take_powers_of_1024() {
        for (text, bytes) in [
            ("0", 0),
            ("17", 17),
            ("17B", 17),
            ("4K", 4096),
            ("4k", 4096),
            ("4KiB", 4096),
            ("2M", 2 << 20),
            ("1GiB", 1 << 30),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "K", "4KB", "4 K", "-4", "1.5M", "99999999999G", "4Kib"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_size_reads_back_as_it_is_printed(bytes: u64) {
            prop_assert_eq!(Size(bytes).to_string().parse(), Ok(Size(bytes)));
        }

        #[test]
        fn no_text_makes_a_parser_panic(text in ".{0,20}") {
            let _ = (text.parse::<Size>(), text.parse::<Timeout>(), text.parse::<RateLimit>());
            let _ = (octal_mode(&text), network(&text));
        }
    }

    #[test]
    fn a_group_is_a_multicast_address_with_or_without_an_interface() {
        let read = |text: &str| group(text).map(|group| (group.ip.to_string(), group.interface));
        assert_eq!(read("239.1.2.3"), Ok(("239.1.2.3".into(), None)));
        let on_lo = Some("lo".to_string());
        assert_eq!(
            read("239.1.2.3%lo"),
            Ok(("239.1.2.3".into(), on_lo.clone()))
        );
        assert_eq!(read("[ff02::5]%lo"), Ok(("ff02::5".into(), on_lo)));
        for bad in ["", "10.0.0.1", "::1", "239.1.2.3%", "group", "239.1.2.3:5"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_number_of_probes_is_bounded() {
        assert_eq!(probe_count("10K"), Ok(10 * 1024));
        assert_eq!(probe_count("1M"), Ok(1 << 20));
        for bad in ["0", "-1", "2M", "many", ""] {
            assert!(probe_count(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_rate_without_a_burst_allows_five_seconds_at_once() {
        let text = |text: &str| text.parse::<RateLimit>().map(|rate| rate.to_string());
        assert_eq!(text("20"), Ok("20/100".into()));
        assert_eq!(text("5/7"), Ok("5/7".into()));
        assert_eq!(text("off"), Ok("off".into()));
        for bad in ["", "0", "5/0", "5/", "/5", "-1", "1.5"] {
            assert!(text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_timeout_is_a_time_above_zero_or_off() {
        assert_eq!("off".parse(), Ok(Timeout::OFF));
        assert_eq!("1m30s".parse(), Ok(Timeout::after(Duration::from_secs(90))));
        assert!("100years".parse::<Timeout>().is_ok());
        // The last is the longest that humantime reads, and one second more than it would end the server.
        for bad in [
            "",
            "0",
            "0s",
            "10",
            "never",
            "101years",
            "18446744073709551615s",
        ] {
            assert!(bad.parse::<Timeout>().is_err(), "{bad}");
        }
    }
}
