//! What a receiving end tells of its disk: what the store has found or failed at, in the words of the protocol.

use crate::transfer::receiver::Finding;
use crate::transfer::store::{Class, Differs, Failure, Reason, Verdict};
use crate::transfer::wire::{Failure as Said, Refusal, Skip};

/// What the other end is told of a failure.
pub fn failed(failure: &Failure) -> Said {
    match (failure.class(), failure.reason()) {
        (_, Some(Reason::LinkInPath(_))) | (Class::InTheWay, _) => Said::InTheWay,
        (Class::NoSpace, _) => Said::NoSpace,
        (Class::Device, _) => Said::Disk,
        (Class::Permission, _) => Said::Permission,
        (Class::ReadOnly, _) => Said::ReadOnly,
        (Class::Exists, _) => Said::Exists,
        (Class::Busy, _) => Said::Busy,
        (
            Class::Limit
            | Class::Outside
            | Class::Name
            | Class::Handles
            | Class::Vanished
            | Class::Other,
            _,
        ) => Said::Other,
    }
}

/// The same of what is not wanted.
fn refusal(failure: &Failure) -> Refusal {
    match (failure.class(), failure.reason()) {
        (_, Some(Reason::TooLarge(_))) => Refusal::TooLarge,
        (_, Some(Reason::TooMany(_))) => Refusal::TooMany,
        (_, Some(Reason::IsDirectory)) => Refusal::IsDirectory,
        (_, Some(Reason::IsLink)) => Refusal::IsLink,
        (_, Some(Reason::IsSpecial)) => Refusal::IsSpecial,
        (_, Some(Reason::LinkInPath(_))) => Refusal::LinkInPath,
        (_, Some(Reason::NoDirectoryInPath(_))) => Refusal::NoDirectoryInPath,
        (Class::Limit, _) => Refusal::Quota,
        (Class::NoSpace, _) => Refusal::NoSpace,
        (Class::Permission, _) => Refusal::Permission,
        (Class::ReadOnly, _) => Refusal::ReadOnly,
        (Class::Exists | Class::InTheWay | Class::Busy, _) => Refusal::Exists,
        (Class::Outside, _) => Refusal::Unsafe,
        (Class::Name, _) => Refusal::Name,
        (Class::Device | Class::Handles | Class::Vanished | Class::Other, _) => Refusal::Other,
    }
}

/// What the machine is told of what the store has found, and why for a person.
pub fn finding(verdict: Verdict) -> (Finding, Option<String>) {
    match verdict {
        Verdict::Want => (Finding::Nothing, None),
        Verdict::HavePart { len, .. } => (Finding::Part { len }, None),
        Verdict::HaveCandidate { len, differs } => {
            let (compare_only, why) = match differs {
                Differs::Refuse(reason) => (true, Some(reason.to_string())),
                Differs::Replace | Differs::Rename => (false, None),
            };
            (Finding::Candidate { len, compare_only }, why)
        }
        Verdict::Skip(reason) => {
            let skip = match reason {
                Reason::Newer | Reason::NotOlder => Skip::NotOlder,
                Reason::LinksSkipped => Skip::Link,
                _ => Skip::Other,
            };
            (Finding::Skip(skip), Some(reason.to_string()))
        }
        Verdict::Refuse(failure) => {
            let why = match failure.reason() {
                Some(reason) => reason.to_string(),
                None => failure.to_string(),
            };
            (Finding::Refuse(refusal(&failure)), Some(why))
        }
    }
}
