//! Random numbers that can be had again: the same seed gives the same numbers, on every system and in every
//! release. SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): not for secrets.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::fmt;
use std::str::FromStr;

/// The increment of SplitMix64: 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A sequence of random numbers.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence with this number among those of a seed.
    pub fn new(seed: u64, number: u64) -> Self {
        Self(mixed(seed ^ mixed(number.wrapping_add(GOLDEN))))
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mixed(self.0)
    }

    /// The next number, at least 0 and below 1.
    pub fn fraction(&mut self) -> f64 {
        // The upper 53 bits: as many as a double holds.
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The next number, below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Of 2^64 numbers the bound is a tiny part here, and so is the bias.
        ((u128::from(self.draw()) * u128::from(bound)) >> 64) as u64
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let number = self.draw().to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
    }
}

/// The finaliser of SplitMix64.
fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// How often something happens: 0 is never, 1 always. Typed as `0.01` or `1%`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Probability(f64);

impl Probability {
    /// Never.
    pub const NEVER: Self = Self(0.0);

    /// From a number within 0 to 1.
    pub fn new(number: f64) -> Option<Self> {
        (0.0..=1.0).contains(&number).then_some(Self(number))
    }

    /// Whether it is above 0.
    pub fn is_possible(self) -> bool {
        self.0 > 0.0
    }

    /// Whether it happens this time.
    pub fn happens(self, random: &mut Random) -> bool {
        random.fraction() < self.0
    }

    /// How many times it does not happen before it does, as one draw in place of many; `None`: never.
    pub fn misses(self, random: &mut Random) -> Option<u64> {
        let fraction = random.fraction();
        match self.0 {
            0.0 => None,
            1.0 => Some(0),
            p => {
                // The inverse of the geometric distribution.
                let misses = ((1.0 - fraction).ln() / (1.0 - p).ln()).floor();
                (misses < u64::MAX as f64).then_some(misses as u64)
            }
        }
    }
}

impl FromStr for Probability {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str =
            "a probability is a number within 0 to 1, or 0% to 100%, such as 0.01 or 1%";
        let (number, unit) = match text.strip_suffix('%') {
            Some(number) => (number, 100.0),
            None => (text, 1.0),
        };
        let number: f64 = number.parse().map_err(|_| FORM)?;
        Self::new(number / unit).ok_or(FORM)
    }
}

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_for_ever() {
        let mut random = Random(0);
        // The published first outputs of SplitMix64 for the seed 0.
        assert_eq!(random.draw(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(random.draw(), 0x6e78_9e6a_a1b9_65f4);
        let numbers = |seed, number| {
            let mut random = Random::new(seed, number);
            [random.draw(), random.draw(), random.draw()]
        };
        assert_eq!(numbers(7, 1), numbers(7, 1));
        assert_ne!(numbers(7, 1), numbers(7, 2));
        assert_ne!(numbers(7, 1), numbers(8, 1));
    }

    #[test]
    fn a_probability_is_kept() {
        let one_in_ten = Probability::new(0.1).unwrap();
        let mut random = Random::new(1, 1);
        let happened = (0..100_000)
            .filter(|_| one_in_ten.happens(&mut random))
            .count();
        assert!((9_500..10_500).contains(&happened), "{happened}");
        let misses: u64 = (0..10_000)
            .filter_map(|_| one_in_ten.misses(&mut random))
            .sum();
        assert!(
            (85_000..95_000).contains(&misses),
            "{misses}: nine for each one"
        );
        for _ in 0..1000 {
            assert!(!Probability::NEVER.happens(&mut random));
            assert_eq!(Probability::NEVER.misses(&mut random), None);
            assert!(Probability(1.0).happens(&mut random));
            assert_eq!(Probability(1.0).misses(&mut random), Some(0));
            assert!(random.below(3) < 3);
            assert_eq!(random.below(0), 0);
        }
    }

    #[test]
    fn a_probability_is_typed_as_a_fraction_or_in_percent() {
        for (text, number) in [
            ("0", 0.0),
            ("1", 1.0),
            ("0.25", 0.25),
            ("25%", 0.25),
            ("100%", 1.0),
        ] {
            assert_eq!(text.parse(), Ok(Probability(number)), "{text}");
        }
        for bad in ["", "%", "2", "-1", "101%", "nan", "inf", "1/2", "often"] {
            assert!(bad.parse::<Probability>().is_err(), "{bad}");
        }
    }
}
