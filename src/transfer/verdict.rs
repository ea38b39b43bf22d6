//! What all that became of single entries makes of the whole: the exit status of a transfer that came to its end.

use crate::error::{Error, Kind, Result};
use crate::transfer::report::{FileReport, Outcome, Totals};
use crate::transfer::wire::{Failure, Refusal, Verdict};

/// Looks at each entry as it is settled.
#[derive(Debug, Default)]
pub struct Judge {
    /// What was sent is not what is at the other end, or not what the source is any more.
    mismatches: u64,
    /// Refused in the end: the name was taken while the content came.
    taken: u64,
    /// Refused for want of room, which is no policy: it is a full disk that was seen in time.
    no_room: u64,
}

impl Judge {
    /// An entry has its verdict.
    pub fn see(&mut self, file: &FileReport) {
        match file.outcome {
            Outcome::Settled(Verdict::Failed(Failure::Mismatch | Failure::SourceChanged)) => {
                self.mismatches += 1;
            }
            Outcome::Settled(Verdict::Failed(
                Failure::Exists | Failure::Busy | Failure::InTheWay,
            )) => self.taken += 1,
            Outcome::Settled(Verdict::Refused(Refusal::NoSpace)) => self.no_room += 1,
            _ => {}
        }
    }

    /// The result over all. What the receiver's policy leaves out is no failure.
    pub fn result(&self, totals: &Totals) -> Result<()> {
        let amiss = totals.amiss();
        if amiss == 0 {
            return Ok(());
        }
        let good = totals.stored + totals.identical + totals.would_send;
        let refused = totals.refused - self.no_room.min(totals.refused);
        let kind = if good > 0 || refused + self.taken > 0 {
            Kind::Partial
        } else if self.mismatches > 0 {
            Kind::Integrity
        } else {
            Kind::Other
        };
        let (what, verb) = match totals.entries {
            1 => ("the file".to_owned(), "was"),
            all => (
                format!("{amiss} of {all}"),
                if amiss == 1 { "was" } else { "were" },
            ),
        };
        let text = match (totals.refused, totals.unreadable) {
            (refused, 0) if refused == amiss => format!("{what} {verb} refused"),
            (0, unreadable) if unreadable == amiss => format!("{what} could not be read"),
            _ => format!("{what} {verb} not stored"),
        };
        Err(Error::new(kind, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_says_whether_something_is_amiss_and_what() {
        let totals = Totals::default();
        let judge = Judge::default();
        let kind = |totals: Totals| judge.result(&totals).err().map(|error| error.kind());
        let skipped = Totals {
            entries: 3,
            stored: 2,
            skipped: 1,
            ..totals
        };
        assert_eq!(kind(skipped), None);
        let refused = Totals {
            entries: 1,
            refused: 1,
            ..totals
        };
        assert_eq!(kind(refused), Some(Kind::Partial));
        let full = Judge {
            no_room: 1,
            ..Judge::default()
        };
        assert_eq!(full.result(&refused).unwrap_err().kind(), Kind::Other);
        let failed = Totals {
            entries: 1,
            failed: 1,
            ..totals
        };
        assert_eq!(kind(failed), Some(Kind::Other));
        let some = Totals {
            entries: 2,
            failed: 1,
            stored: 1,
            ..totals
        };
        assert_eq!(kind(some), Some(Kind::Partial));
        let judge = Judge {
            mismatches: 1,
            ..Judge::default()
        };
        let error = judge.result(&failed).unwrap_err();
        assert_eq!(error.kind(), Kind::Integrity);
        assert_eq!(error.to_string(), "the file was not stored");
        let judge = Judge {
            taken: 1,
            ..Judge::default()
        };
        let error = judge.result(&failed).unwrap_err();
        assert_eq!(error.kind(), Kind::Partial);
    }
}
