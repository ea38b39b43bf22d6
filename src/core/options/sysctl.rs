//! The settings of the system that bear on sockets, by the names that sysctl(8) gives them. Linux shows them as files;
//! elsewhere nothing is known of them here.

/// A setting as it is written; of several words with single spaces.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn text(name: &str) -> Option<String> {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// A setting. This system keeps them elsewhere.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn text(_: &str) -> Option<String> {
    None
}

/// A setting that is one number.
pub fn number(name: &str) -> Option<u64> {
    text(name)?.parse().ok()
}
