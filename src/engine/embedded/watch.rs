//! Memory of a sandbox without a cgroup: its processes are looked at, many times a second, and killed when together they
//! have too much. CPU time comes from the same place. It must not know how a process is killed.

use std::fs;

use rustix::process::Pid;

use super::wire::Used;

/// Milliseconds between two looks.
pub(super) const PERIOD_MS: i64 = 20;

/// Bytes of a page of `/proc/PID/statm`.
fn page() -> u64 {
    rustix::param::page_size() as u64
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Watch {
    peak: u64,
    killed: bool,
}

impl Watch {
    /// Looks at the sandbox whose first process is `init`; says whether it has more than `limit` bytes.
    pub(super) fn look(&mut self, init: Pid, limit: u64) -> bool {
        let total = members(init).into_iter().filter_map(own_memory).sum();
        self.peak = self.peak.max(total);
        self.killed |= total > limit;
        total > limit
    }

    /// What it used, when `init` has ended and was not waited for yet.
    pub(super) fn used(&self, init: Pid) -> Used {
        Used { cpu_ms: cpu_ms(init), peak_memory: Some(self.peak), oom_kills: Some(u64::from(self.killed)) }
    }
}

/// The first process and all below it: in a PID namespace, orphans become children of the first.
fn members(init: Pid) -> Vec<u32> {
    let mut found = vec![init.as_raw_nonzero().get().cast_unsigned()];
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        next += 1;
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        for task in tasks {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    found
}

/// Memory of a process that is not shared with a file.
fn own_memory(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let mut fields = text.split(' ').skip(1).map(str::parse::<u64>);
    let (resident, shared) = (fields.next()?.ok()?, fields.next()?.ok()?);
    Some(resident.saturating_sub(shared) * page())
}

/// CPU time of a process that has ended, and of all that it waited for.
fn cpu_ms(pid: Pid) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let ticks: u32 =
        stat.rsplit_once(") ")?.1.split(' ').skip(11).take(4).filter_map(|field| field.parse::<u32>().ok()).sum();
    #[expect(clippy::cast_precision_loss, reason = "a time in milliseconds for people")]
    let per_second = rustix::param::clock_ticks_per_second() as f64;
    Some(f64::from(ticks) * 1000.0 / per_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_takes_too_much_is_seen() {
        let own = rustix::process::getpid();
        let mut watch = Watch::default();
        assert!(!watch.look(own, u64::MAX));
        assert!(watch.peak > 0);
        assert!(watch.look(own, 1));
        assert_eq!(watch.used(own).oom_kills, Some(1));
    }
}
