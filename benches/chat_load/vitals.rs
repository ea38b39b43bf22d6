//! What the kernel tells about a server: memory, processor time, system calls.

use std::fs;
use std::time::Duration;

/// One reading, all threads together. Counters grow; differences are what matters.
#[derive(Debug, Clone, Copy, Default)]
pub struct Vitals {
    /// Resident memory.
    pub rss_kib: u64,
    /// Time on a processor.
    pub cpu: Duration,
    /// Calls of write, writev and their like, but not of send, sendto and sendmsg: /proc/PID/io does not
    /// count those.
    pub writes: u64,
    /// How often a thread went to sleep of its own will, and so was woken.
    pub sleeps: u64,
}

/// Reads them from /proc, see proc_pid_status(5), proc_pid_io(5) and the kernel's sched-stats.rst.
pub fn vitals(pid: u32) -> Result<Vitals, String> {
    let read = |path: String| fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"));
    let mut vitals = Vitals {
        rss_kib: field(&read(format!("/proc/{pid}/status"))?, "VmRSS:"),
        writes: field(&read(format!("/proc/{pid}/io"))?, "syscw:"),
        ..Vitals::default()
    };
    let tasks = format!("/proc/{pid}/task");
    for task in fs::read_dir(&tasks).map_err(|e| format!("{tasks}: {e}"))? {
        let task = task.map_err(|e| format!("{tasks}: {e}"))?.path();
        // A thread may end meanwhile.
        let file = |name: &str| fs::read_to_string(task.join(name)).unwrap_or_default();
        let on_cpu = file("schedstat");
        let on_cpu = on_cpu.split_whitespace().next();
        vitals.cpu += Duration::from_nanos(on_cpu.and_then(|n| n.parse().ok()).unwrap_or(0));
        vitals.sleeps += field(&file("status"), "voluntary_ctxt_switches:");
    }
    Ok(vitals)
}

fn field(text: &str, name: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}
