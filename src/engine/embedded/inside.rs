//! What the first process of a sandbox does, from its birth until it becomes the command. The order is the security.
//!
//! # Theory of operation
//!
//! Born with its own namespaces, it moves into its cgroup, makes that the top of what it sees, becomes nobody, brings up the loopback device, builds and enters
//! its root, leaves every session and process group of the host (a signal to a group does not stop at a PID namespace), and
//! gives away, in this order: resource limits, capabilities, Landlock, system calls. Then it reads back what the kernel
//! says encloses it, tells that, and becomes the command. A step that fails ends it; nothing is ever skipped.
//!
//! It must not know of other sandboxes.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::{Gid, Resource, Rlimit, Signal, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::filter::Filters;
use super::policy::Policy;
use super::wire::{Facts, Failure, Order, Said, Step, send};
use super::{fence, loopback, raw, root};
use crate::plan::NOBODY;

/// Its streams and what it needs to say how it went.
pub(super) struct Ends {
    /// The socket for [`Said`]. It closes when the command begins.
    pub(super) status: OwnedFd,
    pub(super) stdin: OwnedFd,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
}

/// What it inherits from the launcher.
pub(super) struct Inherited<'a> {
    /// One byte comes when its user is mapped; its end means the launcher died.
    pub(super) go: io::PipeReader,
    /// Files to write `0` to, to be in its cgroup.
    pub(super) tasks: Vec<File>,
    /// The launcher itself.
    pub(super) launcher: &'a OwnedFd,
    pub(super) filters: &'a Filters,
    /// Folders of runtimes in `/etc`.
    pub(super) runtimes: &'a [String],
    /// Whether a cgroup bounds its processes.
    pub(super) in_cgroup: bool,
}

/// Becomes the command. Returns only when that failed, and then it has been said.
pub(super) fn become_command(order: &Order, ends: Ends, inherited: Inherited<'_>) {
    let status = ends.status.try_clone();
    if let (Err(failure), Ok(status)) = (try_become(order, ends, inherited), status) {
        // Nobody is left to tell if this fails too; the exit status says it.
        let _ = send(status.as_fd(), &Said::Failed(failure), &[]);
    }
}

fn try_become(order: &Order, ends: Ends, mut inherited: Inherited<'_>) -> Result<(), Failure> {
    inherited.go.read_exact(&mut [0]).step(|| "wait for the launcher".to_owned())?;
    for tasks in &mut inherited.tasks {
        tasks.write_all(b"0").step(|| "enter the cgroup".to_owned())?;
    }
    raw::own_cgroup_namespace().step(|| "make a cgroup namespace".to_owned())?;
    let listed = root::open_listed(&order.policy)?;
    let system_v = limit_system_v(&order.policy).is_ok();
    become_nobody()?;
    bound_namespace()?;
    die_with(inherited.launcher)?;
    loopback::bring_up().step(|| "bring up the loopback device".to_owned())?;
    rustix::system::sethostname(b"runpen").step(|| "set the host name".to_owned())?;
    root::enter(&order.policy, inherited.runtimes, listed)?;
    rustix::process::setsid().step(|| "leave the session".to_owned())?;
    limit(&order.policy, inherited.in_cgroup)?;
    drop_capabilities()?;
    let landlock = fence::build(&order.policy).and_then(fence::Fence::close);
    let landlock = landlock.step(|| "set up Landlock".to_owned())?;
    rustix::thread::set_no_new_privs(true).step(|| "set no-new-privileges".to_owned())?;
    let Filters { always, no_system_v, no_unowned_memory } = inherited.filters;
    let no_system_v = (!system_v).then_some(no_system_v);
    let no_unowned_memory = (!inherited.in_cgroup).then_some(no_unowned_memory);
    for filter in always.iter().chain(no_system_v).chain(no_unowned_memory) {
        seccompiler::apply_filter(filter).map_err(io::Error::other).step(|| "filter system calls".to_owned())?;
    }
    let facts = facts(landlock, system_v)?;
    send(ends.status.as_fd(), &Said::Ready(facts), &[]).step(|| "say that it is ready".to_owned())?;
    let Some((program, arguments)) = order.command.split_first() else {
        return Err(Failure::new("start the command", &io::Error::other("it is empty")));
    };
    let error = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(order.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::from(ends.stdin))
        .stdout(Stdio::from(ends.stdout))
        .stderr(Stdio::from(ends.stderr))
        .exec();
    Err(Failure::new(format!("start {program}"), &error))
}

/// Makes System V shared memory and message queues small. Only root may, in most kernels.
fn limit_system_v(policy: &Policy) -> io::Result<()> {
    let pages = policy.shared_memory / rustix::param::page_size() as u64;
    for (name, value) in [("shmall", pages), ("shmmax", policy.shared_memory), ("shmmni", 64), ("msgmni", 16)] {
        setting(&format!("kernel/{name}"), value)?;
    }
    Ok(())
}

/// Bounds what this user namespace may have: no namespaces below it, should the filter ever let a call through, and few of
/// the file watches that the kernel counts for the user outside, whose editor needs them.
fn bound_namespace() -> Result<(), Failure> {
    for (name, value) in [("max_user_namespaces", 0), ("max_inotify_instances", 16), ("max_inotify_watches", 4096)] {
        match setting(&format!("user/{name}"), value) {
            // A kernel without them has nothing to bound.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other.step(|| format!("set user.{name}"))?,
        }
    }
    Ok(())
}

/// Sets what the kernel keeps for each namespace under `/proc/sys`: for the ones that the caller is in.
fn setting(name: &str, value: u64) -> io::Result<()> {
    let file = File::options().write(true).open(format!("/proc/sys/{name}"));
    file?.write_all(value.to_string().as_bytes())
}

fn become_nobody() -> Result<(), Failure> {
    let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    rustix::thread::set_thread_res_gid(gid, gid, gid).step(|| "become group nobody".to_owned())?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).step(|| "become user nobody".to_owned())
}

/// Dies when the launcher dies. Set after the user changed, which would clear it.
fn die_with(launcher: &OwnedFd) -> Result<(), Failure> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).step(|| "die with the launcher".to_owned())?;
    let mut polled = [rustix::event::PollFd::new(launcher, rustix::event::PollFlags::IN)];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    let gone = rustix::event::poll(&mut polled, Some(&now)).step(|| "look for the launcher".to_owned())?;
    if gone == 0 { Ok(()) } else { Err(Failure::new("find the launcher alive", &io::Error::other("it is gone"))) }
}

fn limit(policy: &Policy, in_cgroup: bool) -> Result<(), Failure> {
    let set = |name: &str, resource, value: u64| {
        // Only ever downwards: the machine's owner may allow less than the plan.
        let hard = rustix::process::getrlimit(resource).maximum.map_or(value, |hard| hard.min(value));
        let limit = Rlimit { current: Some(hard), maximum: Some(hard) };
        rustix::process::setrlimit(resource, limit).step(|| format!("limit {name}"))
    };
    // Not 0: that would not keep the machine's handler of crashes, where there is one, from being started for a program
    // in here. One byte does, and no file is that small. The filter keeps it so.
    set("core files", Resource::Core, 1)?;
    set("open files", Resource::Nofile, policy.nofile)?;
    set("locked memory", Resource::Memlock, 64 * 1024)?;
    // Some users may run ahead of everybody else, as for sound; their programs here may not.
    set("real-time priority", Resource::Rtprio, 0)?;
    set("priority", Resource::Nice, 0)?;
    set("message queues", Resource::Msgqueue, 819_200)?;
    let processes = if nproc_counts_this_sandbox() { policy.pids } else { policy.nproc };
    set("processes", Resource::Nproc, processes)?;
    if !in_cgroup {
        // A stop on how fast one process can outrun the watch. Runtimes reserve far more than they use, hence the slack.
        // Nor can a share of CPU time be held; at least it gives way to everything else.
        rustix::process::setpriority_process(None, 10).step(|| "lower the priority".to_owned())?;
        set("data", Resource::Data, policy.memory.saturating_mul(2).saturating_add(512 << 20))?;
    }
    Ok(())
}

/// Since Linux 5.14 the kernel counts a user's processes per user namespace, so in this sandbox alone.
pub(super) fn nproc_counts_this_sandbox() -> bool {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy();
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(5), Some(14))
}

fn drop_capabilities() -> Result<(), Failure> {
    let step = || "drop capabilities".to_owned();
    rustix::thread::clear_ambient_capability_set().step(step)?;
    for capability in CapabilitySet::all().iter() {
        // The kernel may have fewer than we know of.
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(error).step(step),
        }
    }
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, sets).step(step)
}

fn facts(landlock: String, system_v: bool) -> Result<Facts, Failure> {
    let read = |path: &str| std::fs::read_to_string(path).step(|| format!("read {path}"));
    Ok(Facts { status: read("/proc/self/status")?, limits: read("/proc/self/limits")?, landlock, system_v })
}
