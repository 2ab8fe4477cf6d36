//! Memory of a sandbox without a cgroup: its processes are looked at, many times a second, and killed when together they
//! have too much. CPU time comes from the same place. It must not know how a process is killed.

use std::fs;

use rustix::process::Pid;

use super::policy::{Policy, Tmpfs};
use super::wire::Used;

/// Milliseconds between two looks.
pub(super) const PERIOD_MS: i64 = 20;

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Watch {
    peak: u64,
    killed: bool,
}

impl Watch {
    /// Looks at the sandbox whose first process is `init`; says whether it has more than `limit` bytes.
    pub(super) fn look(&mut self, init: Pid, policy: &Policy) -> bool {
        let members = members(init);
        let files = policy.tmpfs.iter().filter_map(|tmpfs| filled(init, tmpfs)).sum::<u64>();
        // The quick count takes memory that a fork shares for each process again; only when that is too much, the exact
        // one, which walks page tables, is asked.
        let mut total = files + members.iter().filter_map(|&pid| own_memory(pid)).sum::<u64>();
        if total > policy.memory {
            total =
                files + members.iter().filter_map(|&pid| share_of_memory(pid).or_else(|| own_memory(pid))).sum::<u64>();
        }
        let over = total > policy.memory;
        self.peak = self.peak.max(total);
        self.killed |= over;
        over
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

/// Bytes in a tmpfs of the sandbox. Until its root is built, the machine's own folder is there; the size tells them apart.
fn filled(init: Pid, tmpfs: &Tmpfs) -> Option<u64> {
    let path = format!("/proc/{}/root{}", init.as_raw_nonzero(), tmpfs.target);
    let stat = rustix::fs::statvfs(path).ok()?;
    let size = stat.f_blocks.checked_mul(stat.f_frsize)?;
    let ours = size.abs_diff(tmpfs.size) < stat.f_frsize;
    ours.then(|| stat.f_blocks.saturating_sub(stat.f_bfree) * stat.f_frsize)
}

/// Memory of a process that is not from a file on disk, what it shares with others in proportion.
fn share_of_memory(pid: u32) -> Option<u64> {
    sum(&format!("/proc/{pid}/smaps_rollup"), ["Pss_Anon:", "Pss_Shmem:"])
}

/// Memory of a process that is not from a file on disk.
fn own_memory(pid: u32) -> Option<u64> {
    sum(&format!("/proc/{pid}/status"), ["RssAnon:", "RssShmem:"])
}

/// Two fields of a file of `/proc`, in bytes. A process that is ending has neither.
fn sum(path: &str, fields: [&str; 2]) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(value.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
    };
    Some(field(fields[0])? + field(fields[1])?)
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
    use crate::plan::Sandbox;

    #[test]
    fn a_process_that_takes_too_much_is_seen() {
        let own = rustix::process::getpid();
        let mut watch = Watch::default();
        let mut policy = Policy::of(&Sandbox::new(1 << 50, 500));
        assert!(!watch.look(own, &policy));
        assert!(watch.peak > 0);
        policy.memory = 1;
        assert!(watch.look(own, &policy));
        assert_eq!(watch.used(own).oom_kills, Some(1));
    }

    #[test]
    fn the_exact_count_is_not_more_than_the_quick_one() {
        let own = std::process::id();
        let (exact, quick) = (share_of_memory(own).unwrap(), own_memory(own).unwrap());
        // Tests beside this one allocate while it looks.
        assert!(exact <= quick + (16 << 20), "{exact} {quick}");
    }
}
