//! The limit on open files, which bounds how many clients a server can have.

/// What [`raise_open_file_limit`] found and left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFileLimit {
    /// The soft limit before. `None`: unlimited.
    pub before: Option<u64>,
    /// The soft limit now. `None`: unlimited.
    pub now: Option<u64>,
}

/// macOS refuses a soft limit above OPEN_MAX (sys/syslimits.h), even where the hard limit says
/// "unlimited": setrlimit(2), "COMPATIBILITY".
#[cfg(target_vendor = "apple")]
const OPEN_MAX: u64 = 10_240;

/// Raises the soft limit on open files to the hard one (RLIMIT_NOFILE, getrlimit(2)): the usual 1,024
/// would turn the 1,010th client away. `None` where there is no such limit (Windows). A limit that cannot
/// be raised is left as it is, which the result shows: it is no reason not to start.
#[cfg(unix)]
pub fn raise_open_file_limit() -> Option<OpenFileLimit> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let target = reachable(limit.maximum);
    if is_below(limit.current, target) {
        // The outcome is read back below, whatever it was.
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: target,
                maximum: limit.maximum,
            },
        );
    }
    Some(OpenFileLimit {
        before: limit.current,
        now: getrlimit(Resource::Nofile).current,
    })
}

/// Raises the soft limit on open files to the hard one. There is no such limit on this system.
#[cfg(not(unix))]
pub fn raise_open_file_limit() -> Option<OpenFileLimit> {
    None
}

/// How many files this process may have open now. `None`: without limit, or a system without one.
pub fn open_file_limit() -> Option<u64> {
    #[cfg(unix)]
    {
        rustix::process::getrlimit(rustix::process::Resource::Nofile).current
    }
    #[cfg(not(unix))]
    {
        None
    }
}

/// The highest soft limit that the system will grant under the hard limit `maximum`.
#[cfg(unix)]
fn reachable(maximum: Option<u64>) -> Option<u64> {
    #[cfg(target_vendor = "apple")]
    {
        Some(maximum.map_or(OPEN_MAX, |maximum| maximum.min(OPEN_MAX)))
    }
    #[cfg(not(target_vendor = "apple"))]
    {
        maximum
    }
}

/// Whether `current` is a lower limit than `target`; `None` is no limit, above every number.
#[cfg(unix)]
fn is_below(current: Option<u64>, target: Option<u64>) -> bool {
    match (current, target) {
        (Some(current), Some(target)) => current < target,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn no_limit_is_above_every_limit() {
        assert!(is_below(Some(1024), Some(4096)));
        assert!(is_below(Some(1024), None));
        assert!(!is_below(Some(4096), Some(4096)));
        assert!(!is_below(None, Some(4096)), "never lowers");
        assert!(!is_below(None, None));
    }

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        let hard = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
        let limit = raise_open_file_limit().unwrap();
        assert_eq!(limit.now, open_file_limit());
        assert!(!is_below(limit.now, limit.before), "{limit:?}");
        assert!(!is_below(limit.now, reachable(hard)), "{limit:?} {hard:?}");
    }
}
