//! Which system calls a program may make: an allow-list at least as strict as Docker's default profile.
//!
//! # Theory of operation
//!
//! Two filters, and the kernel takes the stricter answer. The first allows what is listed and answers `ENOSYS` to the
//! rest, as a kernel without that call would: libraries then use the older way. That is what must happen to `clone3`, whose
//! flags a filter cannot see. The second says `EPERM` to calls that a program should know are forbidden, and to allowed
//! calls with forbidden arguments: new namespaces, address families beside the ordinary ones, typing into a terminal. A
//! call through another architecture's table (32-bit `int 0x80`) kills the process.
//!
//! What Docker allows and this does not: `ptrace`, `process_vm_*`, `process_madvise`, `pidfd_getfd`, `kcmp`, `io_uring`, `personality` other
//! than asking, `chroot`, sockets other than UNIX, IPv4, IPv6 and
//! netlink's routing, device nodes, `sync` (it would flush every disk of the machine), setting clocks and priorities of I/O.

use std::collections::BTreeMap;

use super::calls::{COMMON, NEW, REFUSED};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition as Condition,
    SeccompFilter, SeccompRule, TargetArch,
};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// The compiled filters, in the order to apply them.
pub(super) fn compile() -> Result<Vec<BpfProgram>, seccompiler::BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let allow =
        SeccompFilter::new(allowed(), SeccompAction::Errno(libc::ENOSYS.cast_unsigned()), SeccompAction::Allow, arch)?;
    let refuse =
        SeccompFilter::new(refused()?, SeccompAction::Allow, SeccompAction::Errno(libc::EPERM.cast_unsigned()), arch)?;
    Ok(vec![allow.try_into()?, refuse.try_into()?])
}

/// Whether the filters exist for this machine's architecture.
pub(super) fn supported() -> bool {
    TargetArch::try_from(std::env::consts::ARCH).is_ok()
}

fn allowed() -> Rules {
    let mut calls: Vec<libc::c_long> = COMMON.to_vec();
    #[cfg(target_arch = "x86_64")]
    calls.extend(super::calls::X86_64);
    calls.extend(NEW);
    calls.into_iter().map(|call| (call, Vec::new())).collect()
}

fn refused() -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = REFUSED.iter().map(|&call| (call, Vec::new())).collect();
    let mut spaces = Vec::new();
    for flag in NAMESPACE_FLAGS {
        spaces.push(SeccompRule::new(vec![Condition::new(0, Len::Qword, Op::MaskedEq(flag), flag)?])?);
    }
    rules.insert(libc::SYS_clone, spaces);
    let family = |family: libc::c_int| Condition::new(0, Len::Dword, Op::Ne, u64::from(family.cast_unsigned()));
    let netlink = u64::from(libc::AF_NETLINK.cast_unsigned());
    let other = || -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
        Ok(vec![
            SeccompRule::new(vec![
                family(libc::AF_UNIX)?,
                family(libc::AF_INET)?,
                family(libc::AF_INET6)?,
                family(libc::AF_NETLINK)?,
            ])?,
            // Of netlink, only routing: what getifaddrs(3) asks.
            SeccompRule::new(vec![
                Condition::new(0, Len::Dword, Op::Eq, netlink)?,
                Condition::new(2, Len::Dword, Op::Ne, 0)?,
            ])?,
        ])
    };
    rules.insert(libc::SYS_socket, other()?);
    rules.insert(libc::SYS_socketpair, other()?);
    // Pipes may be made, devices not.
    for (call, mode) in [
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_mknod, 1),
        (libc::SYS_mknodat, 2),
    ] {
        let kind = |kind| SeccompRule::new(vec![Condition::new(mode, Len::Dword, Op::MaskedEq(0o170_000), kind)?]);
        rules.insert(call, vec![kind(0o020_000)?, kind(0o060_000)?]);
    }
    // The kernel looks at the low half of the request only, so the filter must too.
    let request = |request: u64| SeccompRule::new(vec![Condition::new(1, Len::Dword, Op::Eq, request)?]);
    rules.insert(libc::SYS_ioctl, vec![request(0x5412)?, request(0x541C)?]);
    // Asking is 0xffffffff; the default is 0. Anything else switches protections off.
    rules.insert(
        libc::SYS_personality,
        vec![SeccompRule::new(vec![
            Condition::new(0, Len::Dword, Op::Ne, 0)?,
            Condition::new(0, Len::Dword, Op::Ne, 0xffff_ffff)?,
        ])?],
    );
    Ok(rules)
}

/// `CLONE_NEW*`: time, mount, cgroup, UTS, IPC, user, PID, network.
const NAMESPACE_FLAGS: [u64; 8] =
    [0x0000_0080, 0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_compile_and_fit_the_kernels_limit() {
        for program in compile().unwrap() {
            assert!((2..4096).contains(&program.len()), "{} instructions", program.len());
        }
    }

    #[test]
    fn nothing_refused_whole_is_allowed() {
        let allowed = allowed();
        for call in REFUSED {
            assert!(!allowed.contains_key(call), "system call {call} is in both lists");
        }
        assert!(!allowed.contains_key(&libc::SYS_clone3), "its flags cannot be filtered");
    }
}
