//! Cgroups: where one can be made for a sandbox, its limits, its measures, its removal. Versions 1 and 2.
//!
//! # Theory of operation
//!
//! Version 2 is used where the memory and pids controllers are there, and cpu where it can be had, in the nearest folder above our own that we
//! may write to and whose children have the controllers: for root any, for others one delegated to them, as systemd does
//! for user sessions. Version 1 is used where root finds its controllers mounted. A new process is born into a version-2
//! cgroup; into a version-1 cgroup it moves itself by writing `0` to `tasks`, which, unlike moving another process, does
//! not wait for the whole machine.
//!
//! A cgroup's name says which launcher made it, by process id and start time, so a sweep knows what a dead one left.
//!
//! It must not know what runs in a cgroup.

mod find;
mod sweep;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(super) use find::Place;
pub(super) use sweep::{prefix, sweep};

use super::policy::{CPU_PERIOD_US, Policy};
use super::wire::{Held, Used};

/// For how long an empty cgroup may refuse to go: its last process is being taken apart.
const PATIENCE: Duration = Duration::from_secs(2);

/// The cgroup of one sandbox.
#[derive(Debug)]
pub(super) struct Cgroup {
    version: u8,
    /// Folder of each controller; version 2 has them all in one.
    memory: PathBuf,
    pids: PathBuf,
    cpu: PathBuf,
    cpuacct: PathBuf,
}

/// How a process gets into a cgroup.
pub(super) enum Entrance {
    /// It is born there.
    Birth(File),
    /// It writes `0` to each of these.
    Tasks(Vec<File>),
}

impl Cgroup {
    /// Makes one with the limits of a policy.
    pub(super) fn create(place: &Place, name: &str, policy: &Policy) -> io::Result<Self> {
        let cgroup = match place {
            Place::V2(parent) => {
                let folder = parent.join(name);
                Self { version: 2, memory: folder.clone(), pids: folder.clone(), cpu: folder.clone(), cpuacct: folder }
            }
            Place::V1 { memory, pids, cpu, cpuacct } => Self {
                version: 1,
                memory: memory.join(name),
                pids: pids.join(name),
                cpu: cpu.join(name),
                cpuacct: cpuacct.join(name),
            },
        };
        cgroup.make_folders()?;
        let limited = cgroup.limit(policy);
        if limited.is_err() {
            cgroup.remove();
        }
        limited.map(|()| cgroup)
    }

    /// Makes its folders, or leaves none: one that is there already is somebody else's.
    fn make_folders(&self) -> io::Result<()> {
        let mut made = Vec::new();
        for folder in self.folders() {
            if let Err(error) = fs::create_dir(folder) {
                for folder in made {
                    let _ = fs::remove_dir(folder);
                }
                return Err(at(folder, &error));
            }
            made.push(folder);
        }
        Ok(())
    }

    fn limit(&self, policy: &Policy) -> io::Result<()> {
        if self.version == 2 {
            write(&self.memory, "memory.max", &policy.memory)?;
            // Absent where the kernel has no swap.
            optional(write(&self.memory, "memory.swap.max", &0))?;
            // Absent where the controller is not handed down; the receipt says so.
            optional(write(&self.cpu, "cpu.max", &format!("{} {CPU_PERIOD_US}", policy.cpu_quota_us)))?;
        } else {
            write(&self.memory, "memory.limit_in_bytes", &policy.memory)?;
            // Absent where the kernel does not count swap; then at least nothing is swapped.
            if optional(write(&self.memory, "memory.memsw.limit_in_bytes", &policy.memory))?.is_none() {
                write(&self.memory, "memory.swappiness", &0)?;
            }
            write(&self.cpu, "cpu.cfs_period_us", &CPU_PERIOD_US)?;
            write(&self.cpu, "cpu.cfs_quota_us", &policy.cpu_quota_us)?;
        }
        write(&self.pids, "pids.max", &policy.pids)
    }

    fn folders(&self) -> Vec<&Path> {
        let mut folders: Vec<&Path> = vec![&self.memory, &self.pids, &self.cpu, &self.cpuacct];
        folders.sort_unstable();
        folders.dedup();
        folders
    }

    /// The way in, opened with our rights.
    pub(super) fn entrance(&self) -> io::Result<Entrance> {
        if self.version == 2 {
            return Ok(Entrance::Birth(File::open(&self.memory)?));
        }
        let open = |folder: &Path| OpenOptions::new().write(true).open(folder.join("tasks"));
        Ok(Entrance::Tasks(self.folders().into_iter().map(open).collect::<io::Result<_>>()?))
    }

    /// Its limits, as the kernel has them.
    pub(super) fn held(&self) -> Held {
        let read =
            |folder: &Path, file: &str| fs::read_to_string(folder.join(file)).ok().map(|text| text.trim().to_owned());
        let mut limits = Vec::new();
        let mut add = |name: &str, value: Option<String>| {
            limits.extend(value.map(|value| (name.to_owned(), value)));
        };
        if self.version == 2 {
            add("memory", read(&self.memory, "memory.max"));
            add(
                "swap",
                read(&self.memory, "memory.swap.max").map(|swap| if swap == "0" { "off".to_owned() } else { swap }),
            );
            let quota = read(&self.cpu, "cpu.max").and_then(|text| Some(text.split_once(' ')?.0.to_owned()));
            add("cpus", quota.and_then(|quota| cpus(&quota)));
        } else {
            let memory = read(&self.memory, "memory.limit_in_bytes");
            let both = read(&self.memory, "memory.memsw.limit_in_bytes");
            add("swap", Some(if both.is_some() && both == memory { "off" } else { "swappiness 0" }.to_owned()));
            add("memory", memory);
            add("cpus", read(&self.cpu, "cpu.cfs_quota_us").and_then(|quota| cpus(&quota)));
        }
        add("pids", read(&self.pids, "pids.max"));
        let mut folders = vec![("memory".to_owned(), self.memory.display().to_string())];
        folders.push(("cpu".to_owned(), self.cpuacct.display().to_string()));
        Held { by: Some(format!("cgroup v{}", self.version)), folders, limits, ..Held::default() }
    }

    /// What its processes have used so far.
    pub(super) fn used(&self) -> Used {
        used(&self.memory, &self.cpuacct)
    }

    /// Removes it. Its processes are gone; the kernel may need a moment more to know.
    pub(super) fn remove(&self) {
        let begin = Instant::now();
        for folder in self.folders() {
            while let Err(error) = fs::remove_dir(folder) {
                if error.kind() == io::ErrorKind::NotFound || begin.elapsed() > PATIENCE {
                    break;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// What the processes of the cgroups at these folders have used so far; for one folder of version 2, twice the same.
pub(super) fn used(memory: &Path, cpu: &Path) -> Used {
    let number = |folder: &Path, file: &str| fs::read_to_string(folder.join(file)).ok()?.trim().parse::<u64>().ok();
    let field = |folder: &Path, file: &str, name: &str| {
        let text = fs::read_to_string(folder.join(file)).ok()?;
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse::<u64>().ok())
    };
    let micros = field(cpu, "cpu.stat", "usage_usec");
    let micros = micros.or_else(|| number(cpu, "cpuacct.usage").map(|nanos| nanos / 1000));
    #[expect(clippy::cast_precision_loss, reason = "a time in milliseconds for people")]
    let cpu_ms = micros.map(|micros| micros as f64 / 1000.0);
    Used {
        cpu_ms,
        peak_memory: number(memory, "memory.peak").or_else(|| number(memory, "memory.max_usage_in_bytes")),
        oom_kills: field(memory, "memory.events", "oom_kill")
            .or_else(|| field(memory, "memory.oom_control", "oom_kill")),
    }
}

fn cpus(quota: &str) -> Option<String> {
    let quota: u64 = quota.parse().ok()?;
    #[expect(clippy::cast_precision_loss, reason = "a share of CPU for people")]
    let share = quota as f64 / CPU_PERIOD_US as f64;
    Some(share.to_string())
}

fn write(folder: &Path, file: &str, value: &impl ToString) -> io::Result<()> {
    let path = folder.join(file);
    // Not `fs::write`: a missing file means a missing control, and must not be made.
    let open = OpenOptions::new().write(true).open(&path);
    open.and_then(|mut file| io::Write::write_all(&mut file, value.to_string().as_bytes()))
        .map_err(|error| at(&path, &error))
}

fn optional(result: io::Result<()>) -> io::Result<Option<()>> {
    match result {
        Ok(()) => Ok(Some(())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
