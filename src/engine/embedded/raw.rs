//! The three system calls that no safe interface offers: a clone into new namespaces, one more namespace for the caller, and
//! closing what was inherited.
//!
//! This is the crate's only exception from `unsafe_code`. It knows the kernel's calling convention and nothing else.
#![expect(
    unsafe_code,
    reason = "clone3, unshare and close_range have no safe wrapper; all are called before any thread exists"
)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::process::Pid;

/// A new user, mount, PID, network, IPC and UTS namespace, in the flags of `clone3`.
const NEW_NAMESPACES: u64 = (libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS) as u64;

/// No signal that an editor ignores is ignored in a sandbox.
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;

const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Which of the two processes this is after [`clone_into_namespaces`].
pub(super) enum Side {
    /// The caller, with the child's process id and a descriptor that stands for it.
    Parent(Pid, OwnedFd),
    /// The first process of the new namespaces.
    Child,
}

/// `struct clone_args` of the kernel, up to the field `cgroup` (Linux 5.7).
#[repr(C, align(8))]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Forks a child that is the first process of new namespaces and, where `cgroup` is given (version 2), a member of it.
///
/// The process must have one thread only: the child is a copy of this one, and a lock that another thread holds would
/// stay locked in it for ever.
pub(super) fn clone_into_namespaces(cgroup: Option<BorrowedFd<'_>>) -> io::Result<Side> {
    let mut pidfd: libc::c_int = -1;
    let mut flags = NEW_NAMESPACES | CLONE_CLEAR_SIGHAND | u64::from(libc::CLONE_PIDFD.cast_unsigned());
    let mut target = 0;
    if let Some(cgroup) = cgroup {
        flags |= CLONE_INTO_CGROUP;
        target = u64::from(cgroup.as_raw_fd().cast_unsigned());
    }
    let args = CloneArgs {
        flags,
        pidfd: (&raw mut pidfd).expose_provenance() as u64,
        exit_signal: u64::from(libc::SIGCHLD.cast_unsigned()),
        cgroup: target,
        ..CloneArgs::default()
    };
    // SAFETY: `args` is a valid `clone_args` of the size given, and `pidfd` outlives the call. Without CLONE_VM the child
    // has its own copy of all memory, the stack included, so the call behaves like fork(2). The launcher that makes it
    // has a single thread, so the copy is consistent.
    let result = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) };
    match result {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Side::Child),
        pid => {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
            // SAFETY: the kernel has just made this descriptor for us, and nobody else knows of it.
            Ok(Side::Parent(pid, unsafe { OwnedFd::from_raw_fd(pidfd) }))
        }
    }
}

/// Gives the caller a new cgroup namespace. Its top is the cgroup that the caller is in by then, so this comes after it has
/// entered its own; one from the clone would show where in the machine's tree that is.
pub(super) fn own_cgroup_namespace() -> io::Result<()> {
    // SAFETY: it takes a number and touches no memory; the caller has one thread.
    match unsafe { libc::unshare(libc::CLONE_NEWCGROUP) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Closes every descriptor but the first three: an editor may have started us with files of its own open.
///
/// To be called before the process has opened anything itself.
pub(super) fn close_inherited() -> io::Result<()> {
    // SAFETY: the launcher calls this first thing, when no object in this process owns a descriptor above 2.
    match unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
