//! The launcher: a small process with one thread that makes the sandboxes, waits for them and cleans up after them.
//!
//! # Theory of operation
//!
//! The server starts it once, as this very binary under another name ([`NAME`]), with a socket as its standard input. Why a
//! process of its own: making namespaces means forking, and a server with many threads, megabytes of documents and open
//! files must not be forked. The launcher has none of these, so a fork of it is cheap and clean.
//!
//! It is a loop around `poll`: an [`Order`] comes, a sandbox is born; a sandbox's socket closes, it is killed; it ends, its
//! cgroup is removed and its end told. When the server's socket closes, however the server died, everything is killed,
//! cleaned up, and the launcher ends. When the launcher itself is killed, the kernel kills the sandboxes with it.
//!
//! It must not know programs, languages or runs.

use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::time::SystemTime;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Gid, Pid, Signal, Uid, WaitId, WaitIdOptions, WaitIdStatus};

use super::cgroup::{self, Cgroup, Entrance, Place};
use super::filter::Filters;
use super::inside::{Ends, Inherited, become_command};
use super::policy::Policy;
use super::raw::{self, Side};
use super::watch::{PERIOD_MS, Watch};
use super::wire::{Ended, Failure, Held, Order, Said, Step, Used, receive, send};
use crate::plan::NOBODY;

/// `argv[0]` of the launcher, seen in `ps`.
pub(super) const NAME: &str = "runpen-launcher";

/// `argv[1]`, so that the name alone does not make one.
pub(super) const ARGUMENT: &str = "--sandbox-launcher";

/// Status of a sandbox whose command never began.
const NOT_BEGUN: i32 = 125;

/// Runs until the server is gone.
pub(super) fn main() -> ExitCode {
    let served = match prepare() {
        Ok((mut launcher, server)) => launcher.serve(&server),
        Err(failure) => refuse(&failure),
    };
    if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Answers every order with the reason why there can be no sandbox.
fn refuse(failure: &Failure) -> io::Result<()> {
    while let Some((_, fds)) = receive::<Order>(rustix::stdio::stdin())? {
        if let Some(status) = fds.first() {
            refuse_one(status, failure.clone());
        }
    }
    Ok(())
}

fn refuse_one(status: &OwnedFd, failure: Failure) {
    let _ = send(status.as_fd(), &Said::Failed(failure), &[]);
    let _ = send(status.as_fd(), &Said::Ended(Ended { status: NOT_BEGUN, usage: Used::default() }), &[]);
}

struct Launcher {
    /// Stands for this process, so that a child can see whether it still lives.
    own: OwnedFd,
    filters: Filters,
    runtimes: Runtimes,
    place: Result<Place, String>,
    /// Start of all names, and how many there were.
    prefix: String,
    born: u64,
    sandboxes: Vec<Sandbox>,
}

/// Folders of runtimes in `/etc`, looked for again when something was installed.
#[derive(Default)]
struct Runtimes {
    folders: Vec<String>,
    of: Option<SystemTime>,
}

impl Runtimes {
    fn refresh(&mut self) {
        let changed = fs::metadata("/etc").and_then(|etc| etc.modified()).ok();
        if self.of.is_none() || self.of != changed {
            self.folders = super::root::runtimes_in_etc();
            self.of = changed;
        }
    }
}

struct Sandbox {
    pid: Pid,
    process: OwnedFd,
    status: OwnedFd,
    cgroup: Option<Cgroup>,
    watch: Option<(Watch, Policy)>,
    killed: bool,
}

fn prepare() -> Result<(Launcher, OwnedFd), Failure> {
    // First, when nothing in this process has a file open yet.
    raw::close_inherited().step(|| "close inherited files".to_owned())?;
    // A Ctrl-C in the terminal is for the server; it tells us what to do.
    rustix::process::setsid().step(|| "leave the session".to_owned())?;
    let server =
        rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).step(|| "keep the server's socket".to_owned())?;
    if rustix::process::geteuid().is_root() {
        rustix::thread::set_thread_groups(&[]).step(|| "leave all groups".to_owned())?;
    }
    // Whatever the machine runs short of, let it take it from here first.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    let own = rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty());
    let launcher = Launcher {
        own: own.step(|| "open the launcher's own process".to_owned())?,
        filters: super::filter::compile()
            .map_err(io::Error::other)
            .step(|| "compile the system call filters".to_owned())?,
        runtimes: Runtimes::default(),
        place: Place::find(),
        prefix: cgroup::prefix(),
        born: 0,
        sandboxes: Vec::new(),
    };
    Ok((launcher, server))
}

impl Launcher {
    fn serve(&mut self, server: &OwnedFd) -> io::Result<()> {
        loop {
            let (ordered, over) = self.wait(server)?;
            for at in over.into_iter().rev() {
                let sandbox = &mut self.sandboxes[at];
                if has_ended(sandbox) {
                    self.sandboxes.swap_remove(at).finish();
                } else {
                    sandbox.kill();
                }
            }
            for sandbox in &mut self.sandboxes {
                if let Some((watch, policy)) = &mut sandbox.watch
                    && watch.look(sandbox.pid, policy)
                {
                    sandbox.kill();
                }
            }
            if ordered {
                match receive::<Order>(server)? {
                    Some((order, fds)) => self.order(&order, fds),
                    None => break,
                }
            }
        }
        for mut sandbox in self.sandboxes.drain(..) {
            sandbox.kill();
            let _ = rustix::process::waitid(
                WaitId::PidFd(sandbox.process.as_fd()),
                WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
            );
            sandbox.finish();
        }
        Ok(())
    }

    /// Waits until something is to be done: whether the server said something, and which sandboxes changed.
    fn wait(&self, server: &OwnedFd) -> io::Result<(bool, Vec<usize>)> {
        let mut polled = vec![PollFd::new(server, PollFlags::IN)];
        let mut of = Vec::new();
        for (at, sandbox) in self.sandboxes.iter().enumerate() {
            polled.push(PollFd::new(&sandbox.process, PollFlags::IN));
            of.push(at);
            // A closed socket is always ready: once it has been acted upon, it must not be asked again.
            if !sandbox.killed {
                polled.push(PollFd::new(&sandbox.status, PollFlags::RDHUP));
                of.push(at);
            }
        }
        let watching = self.sandboxes.iter().any(|sandbox| sandbox.watch.is_some());
        let period = Timespec { tv_sec: 0, tv_nsec: PERIOD_MS * 1_000_000 };
        match poll(&mut polled, watching.then_some(&period)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = |polled: &PollFd<'_>| !polled.revents().is_empty();
        let mut over: Vec<usize> =
            of.into_iter().zip(&polled[1..]).filter(|(_, fd)| ready(fd)).map(|(at, _)| at).collect();
        over.dedup();
        Ok((ready(&polled[0]), over))
    }

    fn order(&mut self, order: &Order, fds: Vec<OwnedFd>) {
        let Ok([status, stdin, stdout, stderr]) = <[OwnedFd; 4]>::try_from(fds) else { return };
        let ends = Ends { status, stdin, stdout, stderr };
        let Ok(status) = ends.status.try_clone() else { return };
        if rustix::process::geteuid().is_root() {
            // So that a program can open its own `/dev/stdout`, as it can where it is started by its own user.
            let nobody = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
            for pipe in [&ends.stdin, &ends.stdout, &ends.stderr] {
                let _ = rustix::fs::fchown(pipe, Some(nobody.0), Some(nobody.1));
            }
        }
        match self.give_birth(order, ends) {
            Ok(sandbox) => self.sandboxes.push(sandbox),
            Err(failure) => refuse_one(&status, failure),
        }
    }

    fn give_birth(&mut self, order: &Order, ends: Ends) -> Result<Sandbox, Failure> {
        let name = format!("{}{}", self.prefix, self.born);
        self.born += 1;
        self.runtimes.refresh();
        let cgroup = match &self.place {
            Ok(place) => Some(Cgroup::create(place, &name, &order.policy).step(|| "make a cgroup".to_owned())?),
            Err(_) => None,
        };
        let born = self.clone_child(name, order, ends, cgroup.as_ref());
        match born {
            Ok((pid, process, status)) => {
                let watch = cgroup.is_none().then(|| (Watch::default(), order.policy.clone()));
                Ok(Sandbox { pid, process, status, cgroup, watch, killed: false })
            }
            Err(failure) => {
                if let Some(cgroup) = cgroup {
                    cgroup.remove();
                }
                Err(failure)
            }
        }
    }

    fn clone_child(
        &self,
        name: String,
        order: &Order,
        ends: Ends,
        cgroup: Option<&Cgroup>,
    ) -> Result<(Pid, OwnedFd, OwnedFd), Failure> {
        let mut held = match (cgroup, &self.place) {
            (Some(cgroup), _) => cgroup.held(),
            (None, Err(why)) => Held { why_not: Some(why.clone()), ..Held::default() },
            (None, Ok(_)) => Held::default(),
        };
        held.name = name;
        send(ends.status.as_fd(), &Said::Held(held), &[]).step(|| "answer the server".to_owned())?;
        let entrance = cgroup.map(Cgroup::entrance).transpose().step(|| "open the cgroup".to_owned())?;
        let (birth, tasks) = match entrance {
            Some(Entrance::Birth(folder)) => (Some(folder), Vec::new()),
            Some(Entrance::Tasks(tasks)) => (None, tasks),
            None => (None, Vec::new()),
        };
        let (go, mut tell) = io::pipe().step(|| "make a pipe".to_owned())?;
        let side = raw::clone_into_namespaces(birth.as_ref().map(AsFd::as_fd)).step(|| "make namespaces".to_owned())?;
        match side {
            Side::Child => {
                // Its end must show when the launcher dies, so no copy may be here.
                drop(tell);
                let inherited = Inherited {
                    go,
                    tasks,
                    launcher: &self.own,
                    filters: &self.filters,
                    runtimes: &self.runtimes.folders,
                    in_cgroup: cgroup.is_some(),
                };
                become_command(order, ends, inherited);
                // Not a return: the launcher's loop is not this process's.
                std::process::exit(NOT_BEGUN)
            }
            Side::Parent(pid, process) => {
                let mapped = map_user(pid).and_then(|()| tell.write_all(&[1]).step(|| "start the sandbox".to_owned()));
                if let Err(failure) = mapped {
                    let _ = rustix::process::pidfd_send_signal(&process, Signal::KILL);
                    let _ = rustix::process::waitid(WaitId::PidFd(process.as_fd()), WaitIdOptions::EXITED);
                    return Err(failure);
                }
                Ok((pid, process, ends.status))
            }
        }
    }
}

/// Maps nobody inside: to nobody outside if we are root, else to ourselves, which is all that the kernel lets us.
fn map_user(pid: Pid) -> Result<(), Failure> {
    let root = rustix::process::geteuid().is_root();
    let uid = if root { NOBODY } else { rustix::process::geteuid().as_raw() };
    let gid = if root { NOBODY } else { rustix::process::getegid().as_raw() };
    let pid = pid.as_raw_nonzero();
    let write =
        |file: &str, text: &str| fs::write(format!("/proc/{pid}/{file}"), text).step(|| format!("write {file}"));
    write("setgroups", "deny")?;
    write("gid_map", &format!("{NOBODY} {gid} 1"))?;
    write("uid_map", &format!("{NOBODY} {uid} 1"))
}

fn has_ended(sandbox: &Sandbox) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(rustix::process::waitid(WaitId::PidFd(sandbox.process.as_fd()), options), Ok(Some(_)) | Err(_))
}

impl Sandbox {
    /// Kills its first process, and with it the kernel kills all.
    fn kill(&mut self) {
        self.killed = true;
        let _ = rustix::process::pidfd_send_signal(&self.process, Signal::KILL);
    }

    /// Takes note of its end, cleans up and tells.
    fn finish(self) {
        let usage = match (&self.cgroup, &self.watch) {
            (Some(cgroup), _) => cgroup.used(),
            (None, Some((watch, _))) => watch.used(self.pid),
            (None, None) => Used::default(),
        };
        let waited = rustix::process::waitid(WaitId::PidFd(self.process.as_fd()), WaitIdOptions::EXITED);
        let status = waited.ok().flatten().map_or(NOT_BEGUN, |status| status_of(&status));
        if let Some(cgroup) = self.cgroup {
            cgroup.remove();
        }
        // The server may be gone; then nobody wants to know.
        let _ = send(self.status.as_fd(), &Said::Ended(Ended { status, usage }), &[]);
    }
}

fn status_of(status: &WaitIdStatus) -> i32 {
    status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal)).unwrap_or(NOT_BEGUN)
}
