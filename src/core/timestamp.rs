//! A moment of the wall clock, as it is stored and sent: RFC 3339 in UTC with microseconds.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

/// Microseconds since 1970-01-01T00:00:00Z. Written `2026-11-24T04:41:52.123456Z` everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 0000-01-01T00:00:00Z and 9999-12-30T22:00:00Z: RFC 3339 section 1 knows years of four digits.
    const YEAR_0: i64 = -62_167_219_200_000_000;
    const YEAR_9999: i64 = 253_402_207_200_000_000;

    /// From microseconds since the epoch, clamped to the years 0 to 9999.
    pub fn from_unix_micros(micros: i64) -> Self {
        Self(micros.clamp(Self::YEAR_0, Self::YEAR_9999))
    }

    /// Microseconds since the epoch.
    pub fn unix_micros(self) -> i64 {
        self.0
    }

    /// The same moment on the clocks of a time zone.
    pub fn in_zone(self, zone: &jiff::tz::TimeZone) -> jiff::ZonedDateTime {
        self.to_jiff().to_zoned_datetime(zone.clone())
    }

    fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or_default()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.to_jiff())
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.parse::<jiff::Timestamp>()?.as_microsecond()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_reads_back_as_it_was_written() {
        for micros in [0, 1, -1, 1_796_000_512_123_456, i64::MAX, i64::MIN] {
            let time = Timestamp::from_unix_micros(micros);
            assert_eq!(
                time.to_string().parse::<Timestamp>().ok(),
                Some(time),
                "{time}"
            );
        }
    }

    #[test]
    fn a_timestamp_is_rfc_3339_in_utc_with_six_digits() {
        let time = Timestamp::from_unix_micros(1_500_000);
        assert_eq!(time.to_string(), "1970-01-01T00:00:01.500000Z");
    }
}
